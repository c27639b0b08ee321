//! Whole datasets against simple oracles.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;

use super::CsvDataset;
use crate::error::{Error, Kind, Result};
use crate::kernel::{Batch, types};
use crate::observe::Warning;
use crate::pipeline::{RunContext, TaskContext};
use crate::source::{Bound, Dataset, OnBadRow, ReadOptions, RowFilter, ScanRequest, Union};

/// Files that are gone when the test is over.
pub(super) struct Files(#[expect(dead_code, reason = "the folder goes with it")] tempfile::TempDir);

impl Files {
    pub(super) fn new(files: &[(&str, &[u8])]) -> (Self, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        let paths = files.iter().map(|(name, bytes)| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        });
        let paths = paths.collect();
        (Files(dir), paths)
    }
}

fn context(part: u32) -> TaskContext {
    TaskContext {
        run: RunContext::of_test(1 << 30, 2),
        part,
    }
}

pub(super) fn blocks(bytes: u64) -> ReadOptions {
    ReadOptions {
        blocksize: Some(bytes),
        ..ReadOptions::default()
    }
}

pub(super) type Table = Vec<Vec<Option<String>>>;

/// The rows as texts, partitions read last to first, planned again when need be.
pub(super) fn read(
    dataset: &Arc<CsvDataset>,
    request: &ScanRequest,
) -> Result<(Table, Vec<Warning>, Arc<CsvDataset>)> {
    let mut dataset = dataset.clone();
    let mut warnings = Vec::new();
    for _ in 0..8 {
        match read_once(&dataset, request) {
            Err(e) if e.kind() == Kind::Replan => {
                let (wider, more) = dataset.widened(&request.columns, 2)?;
                dataset = wider;
                warnings.extend(more);
            }
            Err(_) if !dataset.guesses_hold()? => {}
            other => return Ok((other?, warnings, dataset)),
        }
    }
    Err(Error::defect("planned again and again"))
}

fn read_once(dataset: &Arc<CsvDataset>, request: &ScanRequest) -> Result<Table> {
    let mut batches = Vec::new();
    for part in (0..dataset.partitions()).rev() {
        let mut source = dataset.clone().open(part, request)?;
        while let Some(batch) = source.next(&context(part as u32))? {
            batches.push(batch);
        }
    }
    batches.sort_by_key(|b| b.position);
    for pair in batches.windows(2) {
        assert!(pair[0].position + pair[0].rows as u64 <= pair[1].position);
    }
    Ok(batches.iter().flat_map(rows_of).collect())
}

fn rows_of(batch: &Batch) -> Table {
    let options = FormatOptions::default();
    let columns: Vec<_> = batch
        .columns
        .iter()
        .map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap())
        .collect();
    let cell = |c: usize, r: usize| {
        let nulls = batch.columns[c].logical_nulls();
        (!nulls.is_some_and(|n| n.is_null(r))).then(|| columns[c].value(r).to_string())
    };
    (0..batch.rows)
        .map(|r| (0..columns.len()).map(|c| cell(c, r)).collect())
        .collect()
}

pub(super) fn all(dataset: &CsvDataset) -> ScanRequest {
    ScanRequest {
        columns: (0..dataset.schema().fields().len()).collect(),
        ..ScanRequest::default()
    }
}

pub(super) fn open(paths: &[PathBuf], options: &ReadOptions) -> Result<Arc<CsvDataset>> {
    CsvDataset::open(paths, options, &crate::memory::CopyDir::temporary())
}

fn table(files: &[(&str, &[u8])], options: &ReadOptions) -> Result<(Table, Vec<Warning>, Arc<CsvDataset>)> {
    let (_dir, paths) = Files::new(files);
    let dataset = open(&paths, options)?;
    read(&dataset, &all(&dataset))
}

fn text(table: &Table) -> Vec<String> {
    table
        .iter()
        .map(|r| {
            r.iter()
                .map(|c| c.as_deref().unwrap_or("∅"))
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect()
}

fn types_of(dataset: &CsvDataset) -> Vec<String> {
    dataset
        .schema()
        .fields()
        .iter()
        .map(|f| types::name(f.data_type()))
        .collect()
}

#[test]
fn plain_files_with_types() {
    let a = b"i,f,t,d,b\n1,1.5,x,2024-01-02,true\n-2,NA,NA,,false\r\n" as &[u8];
    let (rows, _, dataset) = table(&[("a.csv", a)], &blocks(64)).unwrap();
    assert_eq!(types_of(&dataset), ["int64", "float64", "text", "date", "bool"]);
    assert_eq!(text(&rows), ["1|1.5|x|2024-01-02|true", "-2|∅|NA|∅|false"]);
}

#[test]
fn columns_are_matched_by_name() {
    let files: [(&str, &[u8]); 3] = [
        ("1.csv", b"a,b\n1,x\n"),
        ("2.csv", b"b,a\na,2\nb,3"),
        ("3.csv", b"a\n4\n\n5\n"),
    ];
    let (rows, _, dataset) = table(&files, &blocks(64)).unwrap();
    assert_eq!(text(&rows), ["1|x", "2|a", "3|b", "4|∅", "∅|∅", "5|∅"]);
    assert!(
        dataset
            .warnings()
            .iter()
            .any(|w| w.text.contains("'b' is not in"))
    );
    let strict = ReadOptions {
        union: Union::Strict,
        ..blocks(64)
    };
    assert!(
        table(&files, &strict)
            .unwrap_err()
            .what()
            .contains("'b' is not in")
    );
    let named = ReadOptions {
        filename_col: Some("file".into()),
        ..blocks(64)
    };
    let (rows, ..) = table(&files[..2], &named).unwrap();
    assert!(rows[2][2].as_ref().unwrap().ends_with("2.csv"));
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error() {
    let text: String = (0..1000).map(|i| format!("{i},\"x\"\n")).collect();
    let text = format!("a,b\n{text}");
    // behind a record, within one, all of it
    for left in [text.find("\n500,").unwrap() + 1, 3001, 0] {
        for block in [64, 1 << 20] {
            let (_dir, paths) = Files::new(&[("a.csv", text.as_bytes())]);
            let dataset = open(&paths, &blocks(block)).unwrap();
            let file = std::fs::File::options().write(true).open(&paths[0]).unwrap();
            file.set_len(left as u64).unwrap();
            let e = read(&dataset, &all(&dataset)).unwrap_err();
            assert!(
                e.what().contains("became shorter while it was read"),
                "{left} {block}: {}",
                e.what()
            );
        }
    }
}

#[test]
fn fifty_thousand_rows_with_newlines_in_quotes() {
    let mut csv = String::from("id,note\n");
    let expected: Vec<String> = (0..50_000)
        .map(|i| {
            let note = format!("line\none \"{i}\",\nid,note\n");
            csv.push_str(&format!("{i},\"{}\"\n", note.replace('"', "\"\"")));
            format!("{i}|{note}")
        })
        .collect();
    let (_dir, paths) = Files::new(&[("a.csv", csv.as_bytes())]);
    for block in [997, 4096, 65_537, 1 << 20, 1 << 24] {
        let dataset = open(&paths, &blocks(block)).unwrap();
        let (rows, ..) = read(&dataset, &all(&dataset)).unwrap();
        assert!(text(&rows) == expected, "block {block}");
        assert_eq!(read(&dataset, &ScanRequest::default()).unwrap().0.len(), 50_000);
    }
}

#[test]
fn a_late_value_widens_its_column() {
    let mut csv = String::from("a,b\n");
    for i in 0..20_000 {
        csv.push_str(&format!("{i},{i}\n"));
    }
    csv.push_str("1.5,NA\nx,007\n");
    let (_dir, paths) = Files::new(&[("a.csv", csv.as_bytes())]);
    for block in [1000, 1 << 20] {
        let dataset = open(&paths, &blocks(block)).unwrap();
        assert_eq!(types_of(&dataset), ["int64", "int64"]);
        let (rows, warnings, wide) = read(&dataset, &all(&dataset)).unwrap();
        assert_eq!(types_of(&wide), ["text", "text"]);
        assert_eq!(text(&rows)[19_999..], ["19999|19999", "1.5|NA", "x|007"]);
        assert_eq!(warnings.len(), 2);
        assert!(
            warnings[0].text.contains("a.csv:20002 has '1.5'"),
            "{}",
            warnings[0].text
        );
        let law = ReadOptions {
            types: vec![("a".into(), "int".into())],
            ..blocks(block)
        };
        let dataset = open(&paths, &law).unwrap();
        let e = read(&dataset, &all(&dataset)).unwrap_err();
        let place = e.place().unwrap();
        assert!(
            e.kind() == Kind::Input && (place.line == 20_002 || place.line == 20_003) && place.column == 1,
            "{e}"
        );
    }
}

#[test]
fn integers_are_never_rounded() {
    let (rows, _, d) = table(
        &[("a.csv", b"a,b\n9007199254740993,1\n,9007199254740993\n,0.5\n")],
        &blocks(64),
    )
    .unwrap();
    assert_eq!(types_of(&d), ["int64", "text"]);
    assert_eq!(text(&rows), ["9007199254740993|1", "∅|9007199254740993", "∅|0.5"]);
    let (rows, _, d) = table(&[("a.csv", b"z\n007\n99999999999999999999\n")], &blocks(64)).unwrap();
    assert_eq!(
        (types_of(&d), text(&rows)),
        (
            vec!["text".into()],
            vec!["007".into(), "99999999999999999999".into()]
        )
    );
}

#[test]
fn ragged_rows() {
    let csv = b"a,b\n1,2\n3\n4,5,6\n7,8,,\n\n9,10\n";
    let with = |on_bad_row| ReadOptions {
        on_bad_row,
        ..blocks(64)
    };
    let e = table(&[("a.csv", csv)], &blocks(64)).unwrap_err();
    assert_eq!((e.place().unwrap().line, e.kind()), (3, Kind::Input));
    assert!(e.what().contains("2 rows") && e.what().contains("3, 4"), "{e}");
    let rows = table(&[("a.csv", csv)], &with(OnBadRow::Skip)).unwrap().0;
    assert_eq!(text(&rows), ["1|2", "7|8", "9|10"]);
    let rows = table(&[("a.csv", csv)], &with(OnBadRow::Pad)).unwrap().0;
    assert_eq!(text(&rows), ["1|2", "3|∅", "4|5", "7|8", "9|10"]);
    // (their file is written when a whole run is over: see the tests of the binary)
    let rows = table(&[("a.csv", csv)], &with(OnBadRow::Reject("unused".into())))
        .unwrap()
        .0;
    assert_eq!(text(&rows), ["1|2", "7|8", "9|10"]);
}

#[test]
fn stray_quotes_are_read_exactly() {
    let mut csv = String::from("a,b\n");
    let mut expected = vec![];
    for i in 0..2000 {
        let (raw, value) = match i % 3 {
            0 => ("5\" pipe".into(), "5\" pipe".into()),
            1 => (format!("\"x\n{i}\""), format!("x\n{i}")),
            _ => (format!("y{i}"), format!("y{i}")),
        };
        csv.push_str(&format!("{i},{raw}\n"));
        expected.push(format!("{i}|{value}"));
    }
    for block in [64, 1000, 1 << 20] {
        let (rows, ..) = table(&[("a.csv", csv.as_bytes())], &blocks(block)).unwrap();
        assert!(text(&rows) == expected, "block {block}");
    }
}

#[test]
fn an_unclosed_quote_is_named_where_it_opens() {
    let mut csv = String::from("a,b\n");
    for i in 0..500 {
        csv.push_str(&format!("{i},x\n"));
    }
    csv.push_str("7,\"open\n8,y\n9,z\n");
    for block in [64, 1 << 20] {
        let e = table(&[("a.csv", csv.as_bytes())], &blocks(block)).unwrap_err();
        let place = e.place().unwrap();
        assert_eq!((place.line, place.column), (502, 3), "{e} block {block}");
    }
}

#[test]
fn a_field_of_ten_megabytes() {
    let big = "z,\n".repeat(3_500_000);
    let csv = format!("a,b\n1,\"{big}\"\n2,y\n");
    for block in [4096, 1 << 20] {
        let (rows, ..) = table(&[("a.csv", csv.as_bytes())], &blocks(block)).unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows[0][1].as_deref() == Some(&big) && rows[1][1].as_deref() == Some("y"));
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

#[test]
fn compressed_files() {
    let body: String = (0..300_000).map(|i| format!("{i},\"t\n{i}\"\n")).collect();
    let plain = format!("a,b\n{body}");
    // Two members: all of them are read.
    let gz = [
        gzip(&plain.as_bytes()[..100_000]),
        gzip(&plain.as_bytes()[100_000..]),
    ]
    .concat();
    let zst = zstd::encode_all(plain.as_bytes(), 1).unwrap();
    let (_dir, paths) = Files::new(&[("a.csv.gz", &gz), ("b.zst", &zst)]);
    for path in &paths {
        let dataset = open(std::slice::from_ref(path), &blocks(64)).unwrap();
        assert_eq!(dataset.partitions(), 1);
        let (rows, ..) = read(&dataset, &all(&dataset)).unwrap();
        assert_eq!(rows.len(), 300_000);
        assert_eq!(text(&rows[299_999..].to_vec()), ["299999|t\n299999"]);
    }
    let e = table(&[("cut.csv.gz", &gz[..gz.len() - 100])], &blocks(64)).unwrap_err();
    assert!(
        e.to_string().contains("cut.csv.gz") && e.kind() == Kind::Input,
        "{e}"
    );
}

#[test]
fn encodings() {
    let utf16: Vec<u8> = [0xfeffu16]
        .into_iter()
        .chain("a,b\né,1\nß,2\n".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(
        text(&table(&[("a.csv", &utf16)], &blocks(64)).unwrap().0),
        ["é|1", "ß|2"]
    );
    assert_eq!(
        text(&table(&[("a.csv", b"\xef\xbb\xbfa\nx\n")], &blocks(64)).unwrap().0),
        ["x"]
    );
    let broken = [&utf16[..], b"\x00\xd8,\x00"].concat();
    assert_eq!(
        table(&[("a.csv", &broken)], &blocks(64)).unwrap_err().kind(),
        Kind::Input
    );
    let latin = b"a,b\nx,y\n1,caf\xe9\n";
    let e = table(&[("a.csv", latin)], &blocks(64)).unwrap_err();
    let place = e.place().unwrap();
    assert_eq!((place.line, place.column), (3, 3), "{e}");
    let lossy = ReadOptions {
        encoding: Some("utf8-lossy".into()),
        ..blocks(64)
    };
    assert_eq!(
        text(&table(&[("a.csv", latin)], &lossy).unwrap().0)[1],
        "1|caf\u{fffd}"
    );
    let options = ReadOptions {
        encoding: Some("latin1".into()),
        ..blocks(64)
    };
    assert_eq!(
        text(&table(&[("a.csv", latin)], &options).unwrap().0),
        ["x|y", "1|café"]
    );
}

#[test]
fn nulls_and_empty_texts() {
    let csv = b"n,t\n1,\"\"\nNA,\n\"\",-\n-,x\n";
    let options = ReadOptions {
        nulls: vec!["-".into()],
        ..blocks(64)
    };
    let (rows, _, d) = table(&[("a.csv", csv)], &options).unwrap();
    assert_eq!(types_of(&d), ["text", "text"]);
    assert_eq!(text(&rows), ["1|", "NA|∅", "|∅", "∅|x"]);
    let (rows, ..) = table(&[("a.csv", b"n,t\n1,\"\"\nNA,\n\"\",NA\n")], &blocks(64)).unwrap();
    assert_eq!(text(&rows), ["1|", "∅|∅", "∅|NA"]);
}

#[test]
fn rows_that_equal_the_header_empty_files_comments_escapes() {
    let (rows, ..) = table(&[("a.csv", b"a,b\na,b\n1,2\n")], &blocks(64)).unwrap();
    assert_eq!(text(&rows), ["a|b", "1|2"]);
    let (rows, _, d) = table(&[("a.csv", b""), ("b.csv", b"a\n1\n")], &blocks(64)).unwrap();
    assert_eq!(text(&rows), ["1"]);
    assert!(d.warnings().iter().any(|w| w.text.ends_with("a.csv is empty")));
    let (rows, ..) = table(&[("b.csv", b"a,b")], &blocks(64)).unwrap();
    assert!(rows.is_empty());
    let options = ReadOptions {
        comment: Some("#".into()),
        escape: Some(b'\\'),
        skip_rows: 1,
        ..blocks(64)
    };
    let csv = b"made by hand\n#c,\"\na,b\n1,\"x\\\"\n,\"\n# more, \" here\n2,y\\,z\n";
    let (rows, ..) = table(&[("a.csv", csv)], &options).unwrap();
    assert_eq!(text(&rows), ["1|x\"\n,", "2|y,z"]);
    let options = ReadOptions {
        header: Some(false),
        ..blocks(64)
    };
    let (rows, _, d) = table(&[("a.csv", b"1,2\n3,4\n")], &options).unwrap();
    assert_eq!(
        (text(&rows), d.schema().field(1).name().as_str()),
        (vec!["1|2".into(), "3|4".into()], "column_2")
    );
}

struct Even(Vec<usize>, i64);

impl RowFilter for Even {
    fn columns(&self) -> &[usize] {
        &self.0
    }
    fn mask(&self, batch: &Batch) -> Result<BooleanArray> {
        let ids = batch.columns[0]
            .as_any()
            .downcast_ref::<arrow::array::Int64Array>()
            .unwrap();
        Ok(ids.iter().map(|i| i.map(|i| i % self.1 == 0)).collect())
    }
    fn bounds(&self) -> &[Bound] {
        &[]
    }
}

#[test]
fn filters_limits_json() {
    let csv: String = "t,i\n"
        .chars()
        .chain((0..5000).flat_map(|i| format!("n{i},{i}\n").chars().collect::<Vec<_>>()))
        .collect();
    let (_dir, paths) = Files::new(&[("a.csv", csv.as_bytes())]);
    let dataset = open(&paths, &blocks(1000)).unwrap();
    for step in [1, 7, 100_000] {
        let filter = Some(Arc::new(Even(vec![1], step)) as Arc<dyn RowFilter>);
        let request = ScanRequest {
            columns: vec![1, 0],
            filter,
            limit: None,
            ..ScanRequest::default()
        };
        let (rows, ..) = read(&dataset, &request).unwrap();
        let expected: Vec<_> = (0..5000)
            .filter(|i| i % step == 0)
            .map(|i| format!("{i}|n{i}"))
            .collect();
        assert_eq!(text(&rows), expected);
    }
    let request = ScanRequest {
        columns: vec![0],
        filter: None,
        limit: Some(2),
        ..ScanRequest::default()
    };
    assert_eq!(
        read(&dataset, &request).unwrap().0.len(),
        2 * dataset.partitions()
    );
    let again = CsvDataset::from_json(&dataset.to_json()).unwrap();
    assert_eq!(again.schema(), dataset.schema());
    assert_eq!(
        read(&again, &all(&again)).unwrap().0,
        read(&dataset, &all(&dataset)).unwrap().0
    );
}

#[test]
fn the_flights() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/nycflights/*.csv");
    let paths = crate::source::glob::expand(&[folder.to_string_lossy().into_owned()])
        .unwrap()
        .paths;
    let dataset = open(&paths, &ReadOptions::default()).unwrap();
    let delay = dataset.schema().index_of("DepDelay").unwrap();
    assert_eq!(dataset.schema().field(delay).data_type(), &DataType::Int64);
    assert_eq!(read(&dataset, &all(&dataset)).unwrap().0.len(), 37_425);
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c é]{0,5}",
        Just(String::new()),
        "[a\",\n\r;]{0,6}",
        (-5i64..100).prop_map(|n| n.to_string()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn random_files_read_as_the_csv_crate_reads_them(
        rows in prop::collection::vec(prop::collection::vec(cell(), 3), 0..60),
        block in prop::sample::select(vec![64u64, 65, 100, 257, 1000, 100_000]),
        crlf: bool, blank: bool, last: bool,
    ) {
        let newline = if crlf { "\r\n" } else { "\n" };
        let mut csv = format!("x,y,z{newline}");
        for row in &rows {
            let quote = |c: &String| match c.contains(['"', ',', '\n', '\r']) || c == "a" {
                true => format!("\"{}\"", c.replace('"', "\"\"")),
                false => c.clone(),
            };
            csv.push_str(&row.iter().map(quote).collect::<Vec<_>>().join(","));
            csv.push_str(newline);
            if blank { csv.push_str(newline); }
        }
        if !last { csv.truncate(csv.trim_end_matches(['\r', '\n']).len()); }
        let types = ["x", "y", "z"].map(|n| (n.to_string(), "text".to_string())).to_vec();
        let (got, ..) = table(&[("a.csv", csv.as_bytes())], &ReadOptions { types, ..blocks(block) }).unwrap();
        let mut oracle = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
        let expected: Vec<Vec<String>> = oracle.records().map(|r| r.unwrap().iter().map(String::from).collect()).collect();
        let got: Vec<Vec<String>> = got.into_iter().map(|r| r.into_iter().map(Option::unwrap_or_default).collect()).collect();
        prop_assert_eq!(got, expected);
    }
}
