//! Random files of random dialects against the `csv` crate: quotes in odd places, text after quotes, mixed line
//! ends, blank lines, comments, ragged rows; at block sizes, with filters and null texts that send the same bytes
//! ways of their own.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::cast;
use proptest::prelude::*;

use super::CsvDataset;
use super::tests::{Files, Table, all, blocks, open, read};
use crate::error::{Error, Kind, Result};
use crate::kernel::{Batch, types};
use crate::source::{Bound, OnBadRow, ReadOptions, RowFilter, ScanRequest};

/// Keeps rows whose text in the column has an even number of bytes.
struct EvenLength(Vec<usize>);

impl RowFilter for EvenLength {
    fn columns(&self) -> &[usize] {
        &self.0
    }
    fn mask(&self, batch: &Batch) -> Result<BooleanArray> {
        let texts = cast(&batch.columns[0], &types::TEXT)?;
        let texts = texts.as_any().downcast_ref::<arrow::array::StringViewArray>();
        let texts = texts.ok_or_else(|| Error::defect("no texts"))?;
        let even = |i| texts.is_null(i) || texts.value(i).len() % 2 == 0;
        Ok((0..texts.len()).map(|i| Some(even(i))).collect())
    }
    fn bounds(&self) -> &[Bound] {
        &[]
    }
}

/// What a file is made of.
fn pieces(comments: bool) -> impl Strategy<Value = Vec<u8>> {
    let mut odd = vec![
        "a", "\"", "\"", ",", ",", "\n", "\n", " ", "\"\"", "\0", "é", "x\"y", "\"x\"y", "#", "7",
    ];
    let mut rows = vec![
        "1,2,3\n",
        "a,\"b\",c\n",
        "\"p\nq\",,r\n",
        "\n",
        "1,2\n",
        "1,2,3,4\n",
        "1,2,3,,\n",
        "\"x\"y,2,3\n",
    ];
    match comments {
        true => rows.extend(["#c,\"\n", "##,,,,\n"]),
        // what the csv crate takes for the end of a comment is LF alone
        false => {
            odd.extend(["\r", "\r\n"]);
            rows.extend(["1,2,3\r\n", "1,2,3\r", "\r\n", "a,\"b\"\r\n"]);
        }
    }
    let long = prop::sample::select(vec![100usize, 300]).prop_map(|n| "long ".repeat(n / 5));
    let piece = prop_oneof![
        6 => prop::sample::select(odd).prop_map(String::from),
        6 => prop::sample::select(rows).prop_map(String::from),
        1 => long,
    ];
    prop::collection::vec(piece, 0..40).prop_map(|all| all.concat().into_bytes())
}

/// The records as the csv crate reads them; none if a quote is never closed.
fn oracle(text: &[u8], comment: Option<u8>) -> Option<Vec<Vec<String>>> {
    let records = |text: &[u8]| -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(true)
            .flexible(true)
            .comment(comment)
            .from_reader(text);
        let all = reader
            .records()
            .map(|r| r.unwrap().iter().map(String::from).collect());
        all.collect()
    };
    // whoever reads another record behind it was not inside quotes; a comment must end
    let last = "a record of its own";
    let more = records(&[text, b"\n", last.as_bytes(), b"\n"].concat());
    (more.last().map(Vec::as_slice) == Some(&[last.to_string()])).then(|| records(&[text, b"\n"].concat()))
}

fn is_bad(record: &[String]) -> bool {
    record.len() < 3 || record[3..].iter().any(|f| !f.is_empty())
}

fn texts(table: Table) -> Vec<Vec<String>> {
    let row = |r: Vec<Option<String>>| r.into_iter().map(Option::unwrap_or_default).collect();
    table.into_iter().map(row).collect()
}

/// Bad rows and joined texts that readers met.
fn met(dataset: &Arc<CsvDataset>) -> (u64, u64) {
    let odd = dataset.files[0].met.together();
    (odd.bad.count, odd.joined.count)
}

/// What readers met where the whole file is one block.
fn joined_in_one_block(paths: &[std::path::PathBuf], options: &ReadOptions) -> u64 {
    let options = ReadOptions {
        blocksize: Some(1 << 20),
        on_bad_row: OnBadRow::Skip,
        ..options.clone()
    };
    let dataset = open(paths, &options).unwrap();
    read(&dataset, &all(&dataset)).map_or(0, |(_, _, dataset)| met(&dataset).1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn dirty_files_read_as_the_csv_crate_reads_them(
        (comments, body) in any::<bool>().prop_flat_map(|c| (Just(c), pieces(c))),
        block in prop::sample::select(vec![64u64, 65, 100, 257, 1000, 1 << 20]),
        policy in prop::sample::select(vec![OnBadRow::Error, OnBadRow::Skip, OnBadRow::Pad]),
        (filtered, nulls, typed, bom, escape) in any::<(bool, bool, bool, bool, bool)>(),
    ) {
        let mark: &[u8] = if bom { b"\xef\xbb\xbf" } else { b"" };
        let text = [b"x,y,z\n", &body[..]].concat();
        let names = ["x", "y", "z"].map(String::from).to_vec();
        let options = ReadOptions {
            names: Some(names.clone()),
            comment: comments.then(|| "#".to_string()),
            on_bad_row: policy.clone(),
            nulls: if nulls { vec!["no such text".into()] } else { vec![] },
            types: if typed { names.iter().map(|n| (n.clone(), "text".into())).collect() } else { vec![] },
            // what stands nowhere changes nothing but the way that is gone
            escape: escape.then_some(b'\x01'),
            ..blocks(block)
        };
        let (_dir, paths) = Files::new(&[("a.csv", &[mark, &text].concat())]);
        let dataset = open(&paths, &options).unwrap();
        let request = ScanRequest {
            filter: filtered.then(|| Arc::new(EvenLength(vec![1])) as Arc<dyn RowFilter>),
            ..all(&dataset)
        };
        let got = read(&dataset, &request);
        let Some(records) = oracle(&text, comments.then_some(b'#')) else {
            let e = got.map(|g| g.0).unwrap_err();
            prop_assert!(e.kind() == Kind::Input, "{}", e);
            return Ok(());
        };
        let bad = records.iter().filter(|r| is_bad(r)).count() as u64;
        if policy == OnBadRow::Error && bad > 0 {
            let e = got.map(|g| g.0).unwrap_err();
            prop_assert!(e.kind() == Kind::Input && e.what().contains("fields"), "{}", e);
            return Ok(());
        }
        let (rows, _, dataset) = got.unwrap();
        let padded = policy == OnBadRow::Pad;
        let expected: Vec<Vec<String>> = records
            .into_iter()
            .filter(|r| padded || !is_bad(r))
            .map(|mut r| { r.resize(3, String::new()); r })
            .filter(|r| !filtered || r[1].len() % 2 == 0)
            .collect();
        prop_assert_eq!(texts(rows), expected);
        let (bad_met, joined) = met(&dataset);
        prop_assert_eq!(bad_met, bad);
        prop_assert_eq!(joined, joined_in_one_block(&paths, &options));
    }
}
