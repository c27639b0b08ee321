//! The writers from outside: exact texts, round trips, and targets that fail.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use proptest::prelude::*;

use super::*;
use crate::error::Kind;
use crate::kernel::{Batch, types};

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    let fields = fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn sample() -> (SchemaRef, Batch) {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("i", Arc::new(Int64Array::from(vec![Some(i64::MIN), None]))),
        ("f", Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN)]))),
        ("d", Arc::new(Date32Array::from(vec![Some(19_724), None]))),
        (
            "t",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500_000), None]).with_timezone("UTC")),
        ),
        (
            "m",
            Arc::new(
                Decimal128Array::from(vec![Some(-105), None])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        (
            "s",
            Arc::new(StringViewArray::from(vec![Some("a,\"b\"\n"), Some("")])),
        ),
        (
            "k",
            Arc::new(
                DictionaryArray::<Int32Type>::try_new(
                    Int32Array::from(vec![Some(0), None]),
                    Arc::new(StringViewArray::from(vec!["x<y|"])),
                )
                .unwrap(),
            ),
        ),
    ];
    let fields: Vec<_> = columns
        .iter()
        .map(|(n, a)| (*n, types::logical(a.data_type())))
        .collect();
    let arrays = columns.into_iter().map(|(_, a)| a).collect();
    (schema(&fields), Batch::new(arrays, 2, 0))
}

/// Writes each inner list as one partition.
fn write(path: &Path, format: Format, schema: &SchemaRef, parts: &[Vec<Batch>], o: &WriteOptions) -> Summary {
    let mut out = Output::create(Target::File(path.into()), format, schema, o).unwrap();
    for part in parts {
        let mut e = out.encoder().unwrap();
        for b in part {
            e.push(b).unwrap();
            if let Some(piece) = e.take().unwrap() {
                out.append(piece).unwrap();
            }
        }
        out.append(e.finish().unwrap()).unwrap();
    }
    out.finish().unwrap()
}

fn text(format: Format, schema: &SchemaRef, parts: &[Vec<Batch>], o: &WriteOptions) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let summary = write(&path, format, schema, parts, o);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(summary.bytes, text.len() as u64);
    assert_eq!(
        summary.rows,
        parts.iter().flatten().map(|b| b.rows as u64).sum::<u64>()
    );
    text
}

#[test]
fn exact_texts() {
    let (schema, batch) = sample();
    let parts = [vec![batch.slice(0, 1)], vec![], vec![batch.slice(1, 1)]];
    let o = WriteOptions::default();
    assert_eq!(
        text(Format::Csv, &schema, &parts, &o),
        "b,i,f,d,t,m,s,k\n\
         true,-9223372036854775808,1.0,2024-01-02,1970-01-01T00:00:01.5Z,-1.05,\"a,\"\"b\"\"\n\",x<y|\n\
         ,,NaN,,,,\"\",\n"
    );
    assert_eq!(
        text(Format::JsonLines, &schema, &parts, &o),
        "{\"b\":true,\"i\":-9223372036854775808,\"f\":1.0,\"d\":\"2024-01-02\",\
         \"t\":\"1970-01-01T00:00:01.5Z\",\"m\":-1.05,\"s\":\"a,\\\"b\\\"\\n\",\"k\":\"x<y|\"}\n\
         {\"b\":null,\"i\":null,\"f\":null,\"d\":null,\"t\":null,\"m\":null,\"s\":\"\",\"k\":null}\n"
    );
    let json = text(Format::Json, &schema, &parts, &o);
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed.as_array().unwrap().len(), 2);
    assert_eq!(text(Format::Json, &schema, &[], &o), "[]\n");
    assert!(text(Format::Markdown, &schema, &parts, &o).contains("| x&lt;y\\| |"));
    assert!(text(Format::Html, &schema, &parts, &o).contains("<td>x&lt;y|</td>"));
    assert!(text(Format::Psv, &schema, &parts, &o).contains("\"x<y|\""));
    assert_eq!(text(Format::Csv, &schema, &[], &o), "b,i,f,d,t,m,s,k\n");
}

#[test]
fn nested_json() {
    let list = ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>([
        Some(vec![Some(1), None]),
        None,
    ]);
    let inner: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let st = StructArray::from(vec![(Arc::new(Field::new("q", DataType::Utf8, true)), inner)]);
    let s = schema(&[("l", list.data_type().clone()), ("st", st.data_type().clone())]);
    let b = Batch::new(vec![Arc::new(list), Arc::new(st)], 2, 0);
    assert_eq!(
        text(Format::JsonLines, &s, &[vec![b]], &WriteOptions::default()),
        "{\"l\":[1,null],\"st\":{\"q\":\"x\"}}\n{\"l\":null,\"st\":{\"q\":\"y\"}}\n"
    );
}

fn ints(range: std::ops::Range<i64>) -> Batch {
    let n = range.clone().count();
    Batch::new(vec![Arc::new(Int64Array::from_iter_values(range))], n, 0)
}

#[test]
fn tables_are_cut_only_when_told() {
    let s = schema(&[("n", DataType::Int64)]);
    let parts = [
        vec![ints(0..30), ints(30..50)],
        vec![ints(50..1234)],
        vec![ints(1234..1300)],
    ];
    let all = text(Format::Table, &s, &parts, &WriteOptions::default());
    assert_eq!(all.lines().count(), 1300 + 5);
    assert!(
        all.ends_with("\n1,300 rows × 1 column\n"),
        "{}",
        &all[all.len() - 50..]
    );
    let o = WriteOptions {
        max_table_rows: Some(5),
        ..WriteOptions::default()
    };
    let cut = text(Format::Table, &s, &parts, &o);
    let numbers: Vec<&str> = cut.lines().filter_map(|l| l.split_whitespace().nth(1)).collect();
    assert!(cut.ends_with("1,300 rows × 1 column (5 shown)\n"));
    assert_eq!(numbers[1..7], ["0", "1", "2", "…", "1298", "1299"], "{cut}");
}

#[test]
fn tables_fit_the_terminal() {
    let names: Vec<String> = (0..40).map(|i| format!("column{i}")).collect();
    let fields: Vec<_> = names.iter().map(|n| (n.as_str(), DataType::Int64)).collect();
    let columns = (0..40).map(|_| Arc::new(Int64Array::from(vec![12345])) as ArrayRef);
    let b = Batch::new(columns.collect(), 1, 0);
    let o = WriteOptions {
        table_width: Some(80),
        ..WriteOptions::default()
    };
    let table = text(Format::Table, &schema(&fields), &[vec![b]], &o);
    assert!(table.lines().all(|l| l.chars().count() <= 80), "{table}");
    assert!(table.contains("column0 ") && table.contains("column39"));
    assert!(table.contains("40 columns ("), "{table}");
}

#[test]
fn compressed_by_extension() {
    use std::io::Read;
    let dir = tempfile::tempdir().unwrap();
    let s = schema(&[("n", DataType::Int64)]);
    let gz = dir.path().join("x.csv.gz");
    write(
        &gz,
        Format::Csv,
        &s,
        &[vec![ints(0..3)]],
        &WriteOptions::default(),
    );
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(&gz).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "n\n0\n1\n2\n");
    let zst = dir.path().join("x.csv.zst");
    write(
        &zst,
        Format::Csv,
        &s,
        &[vec![ints(0..3)]],
        &WriteOptions::default(),
    );
    let bytes = zstd::decode_all(fs::File::open(&zst).unwrap()).unwrap();
    assert_eq!(bytes, b"n\n0\n1\n2\n");
}

#[test]
fn files_appear_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    let link = dir.path().join("link.csv");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("x.csv", &link).unwrap();
    let s = schema(&[("n", DataType::Int64)]);
    let o = WriteOptions::default();
    let mut out = Output::create(Target::File(link.clone()), Format::Csv, &s, &o).unwrap();
    let mut e = out.encoder().unwrap();
    e.push(&ints(0..1000)).unwrap();
    out.append(e.finish().unwrap()).unwrap();
    drop(out);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        2,
        "a temporary file was left"
    );

    write(&link, Format::Csv, &s, &[vec![ints(0..2)]], &o);
    assert_eq!(fs::read_to_string(&path).unwrap(), "n\n0\n1\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);

    // a new file has what the umask leaves, as any other program's
    let (new, other) = (dir.path().join("new.csv"), dir.path().join("other"));
    write(&new, Format::Csv, &s, &[], &o);
    fs::write(&other, "").unwrap();
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode();
    assert_eq!(mode(&new), mode(&other));
}

#[test]
fn impossible_targets_are_errors_that_name_them() {
    let s = schema(&[("n", DataType::Int64)]);
    let o = WriteOptions::default();
    for path in ["/nonexistent/x.csv", "/"] {
        let e = Output::create(Target::File(path.into()), Format::Csv, &s, &o)
            .err()
            .unwrap();
        assert_eq!(e.kind(), Kind::Environment);
        assert!(e.what().contains(path), "{e}");
    }
    for format in [
        Format::Csv,
        Format::Parquet,
        Format::Arrow,
        Format::Table,
        Format::Json,
    ] {
        let result = (|| {
            let mut out = Output::create(Target::File("/dev/full".into()), format, &s, &o)?;
            let mut e = out.encoder()?;
            e.push(&ints(0..10))?;
            out.append(e.finish()?)?;
            out.finish()
        })();
        let e = result.unwrap_err();
        assert!(e.what().contains("/dev/full: no space"), "{format:?}: {e}");
        assert_eq!(e.kind(), Kind::Environment);
    }
}

#[test]
fn types_that_parquet_lacks_fail_early() {
    let span = Field::new_list_field(types::INTERVAL, true);
    let s = schema(&[("m", DataType::List(Arc::new(span)))]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let o = WriteOptions::default();
    assert!(Output::create(Target::File(path.clone()), Format::Parquet, &s, &o).is_err());
    assert!(!path.exists());
}

#[test]
fn arrow_files_read_back() {
    let (schema, batch) = sample();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.arrow");
    write(
        &path,
        Format::Arrow,
        &schema,
        &[vec![batch.clone()]],
        &WriteOptions::default(),
    );
    let reader = arrow::ipc::reader::FileReader::try_new(fs::File::open(&path).unwrap(), None).unwrap();
    let back: Vec<_> = reader.map(|b| b.unwrap()).collect();
    assert_eq!(back.len(), 1);
    assert_eq!(
        back[0]
            .column(1)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .value(0),
        i64::MIN
    );
    assert_eq!(back[0].column(7).as_string::<i32>().value(0), "x<y|");
}

#[test]
fn dictionaries_and_views_reach_parquet() {
    use crate::source::{Dataset, parquet::*};
    let (schema, batch) = sample();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    write(
        &path,
        Format::Parquet,
        &schema,
        &[vec![batch.clone()], vec![batch]],
        &WriteOptions::default(),
    );
    let dataset = ParquetDataset::open(std::slice::from_ref(&path), &ParquetOptions::default()).unwrap();
    assert_eq!(dataset.schema().fields(), schema.fields());
    assert_eq!(dataset.exact_rows(), Some(4));
    assert_eq!(dataset.partitions(), 1);
    let file = fs::File::open(&path).unwrap();
    let mut reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 100).unwrap();
    let back = reader.next().unwrap().unwrap();
    let keys = back.column(7).as_string::<i32>();
    assert_eq!(
        keys.iter().collect::<Vec<_>>(),
        [Some("x<y|"), None, Some("x<y|"), None]
    );
    let text = back.column(6).as_string::<i32>();
    assert_eq!(text.value(3), "");
}

proptest! {
    /// What is written is what an independent CSV reader reads; null and empty text differ.
    #[test]
    fn csv_round_trip(rows in prop::collection::vec((any::<Option<f64>>(), prop::option::of("[a,\"\n\r x|;é]{0,6}")), 0..40), cut in 0usize..40) {
        let s = schema(&[("f", DataType::Float64), ("t", types::TEXT)]);
        let f = Float64Array::from_iter(rows.iter().map(|r| r.0));
        let t = StringViewArray::from_iter(rows.iter().map(|r| r.1.as_deref()));
        let b = Batch::new(vec![Arc::new(f), Arc::new(t)], rows.len(), 0);
        let cut = cut.min(rows.len());
        let parts = [vec![b.slice(0, cut)], vec![b.slice(cut, rows.len() - cut)]];
        let out = text(Format::Csv, &s, &parts, &WriteOptions::default());
        prop_assert_eq!(&out, &text(Format::Csv, &s, &[vec![b]], &WriteOptions::default()));
        let back: Vec<_> = ::csv::ReaderBuilder::new().from_reader(out.as_bytes()).into_records().map(|r| r.unwrap()).collect();
        prop_assert_eq!(back.len(), rows.len());
        for (got, (f, t)) in back.iter().zip(&rows) {
            prop_assert_eq!(&got[1], t.as_deref().unwrap_or(""));
            match f {
                None => prop_assert_eq!(&got[0], ""),
                Some(x) => prop_assert_eq!(got[0].parse::<f64>().unwrap().to_bits(), x.to_bits()),
            }
        }
        let nulls = rows.iter().filter(|r| r.1.is_none()).count();
        let bare = out.matches(",\n").count();
        prop_assert!(bare >= nulls);
    }
}
