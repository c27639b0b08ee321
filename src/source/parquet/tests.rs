//! Parquet from outside: written, read, united, pruned and damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, concat};
use arrow::datatypes::*;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::*;
use crate::kernel::{Batch, types};
use crate::pipeline::{RunContext, TaskContext};
use crate::source::RowFilter;

pub(super) fn context() -> TaskContext {
    TaskContext {
        run: RunContext::of_test(1 << 30, 1),
        part: 0,
    }
}

/// Writes batches as row groups.
pub(super) fn write(path: &Path, groups: &[RecordBatch], properties: WriterProperties) {
    let file = fs::File::create(path).unwrap();
    let mut w = ArrowWriter::try_new(file, groups[0].schema(), Some(properties)).unwrap();
    for g in groups {
        w.write(g).unwrap();
        w.flush().unwrap();
    }
    w.close().unwrap();
}

pub(super) fn open(paths: &[PathBuf]) -> Result<Arc<ParquetDataset>> {
    ParquetDataset::open(paths, &ParquetOptions::default()).map(Arc::new)
}

/// All rows of all partitions, text as views; checks positions on the way.
pub(super) fn read(dataset: &Arc<ParquetDataset>, request: &ScanRequest) -> Result<Vec<ArrayRef>> {
    let cx = context();
    let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); request.columns.len()];
    let mut next = 0;
    for part in 0..dataset.partitions() {
        let mut source = dataset.clone().open(part, request)?;
        while let Some(batch) = source.next(&cx)? {
            assert!(batch.position >= next, "positions must grow");
            next = batch.position + batch.rows as u64;
            for (i, c) in batch.columns.iter().enumerate() {
                let ty = dataset.schema().field(request.columns[i]).data_type();
                parts[i].push(cast(c, ty).unwrap());
            }
        }
    }
    let column = |(i, arrays): (usize, Vec<ArrayRef>)| {
        let ty = dataset.schema().field(request.columns[i]).data_type();
        let refs: Vec<&dyn Array> = arrays.iter().map(|a| a.as_ref()).collect();
        match refs.is_empty() {
            true => new_empty_array(ty),
            false => concat(&refs).unwrap(),
        }
    };
    Ok(parts.into_iter().enumerate().map(column).collect())
}

pub(super) fn all(dataset: &ParquetDataset) -> ScanRequest {
    ScanRequest {
        columns: (0..dataset.schema().fields().len()).collect(),
        ..ScanRequest::default()
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap()
}

#[test]
fn every_type_round_trips_through_our_writer() {
    use crate::write::{Format, Output, Target, WriteOptions};
    let n = 30_000usize;
    let some = |i: usize| i % 7 != 3;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "b",
            Arc::new(BooleanArray::from_iter(
                (0..n).map(|i| some(i).then_some(i % 2 == 0)),
            )),
        ),
        (
            "i",
            Arc::new(Int64Array::from_iter(
                (0..n).map(|i| some(i).then_some(i as i64 * 1_000_003)),
            )),
        ),
        (
            "f",
            Arc::new(Float64Array::from_iter(
                (0..n).map(|i| some(i).then_some(1.0 / i as f64)),
            )),
        ),
        (
            "d",
            Arc::new(Date32Array::from_iter(
                (0..n).map(|i| some(i).then_some(i as i32 - 9000)),
            )),
        ),
        (
            "t",
            Arc::new(TimestampMicrosecondArray::from_iter(
                (0..n).map(|i| some(i).then_some(i as i64 * 7 - 5)),
            )),
        ),
        (
            "u",
            Arc::new(
                TimestampMicrosecondArray::from_iter((0..n).map(|i| some(i).then_some(i as i64)))
                    .with_timezone("UTC"),
            ),
        ),
        (
            "m",
            Arc::new(
                Decimal128Array::from_iter((0..n).map(|i| some(i).then_some(i as i128 * -3)))
                    .with_precision_and_scale(20, 3)
                    .unwrap(),
            ),
        ),
        (
            "few",
            Arc::new(StringViewArray::from_iter(
                (0..n).map(|i| some(i).then(|| format!("value number {}", i % 5))),
            )),
        ),
        (
            "many",
            Arc::new(StringViewArray::from_iter(
                (0..n).map(|i| some(i).then(|| "x".repeat(i % 50) + &i.to_string())),
            )),
        ),
        ("null", new_null_array(&DataType::Null, n)),
    ];
    let rb = batch(columns);
    let dir = tempfile::tempdir().unwrap();
    for codec in ["zstd", "snappy", "none", "gzip", "lz4", "brotli"] {
        let path = dir.path().join(format!("{codec}.parquet"));
        let options = WriteOptions {
            compression: Some(codec.into()),
            ..WriteOptions::default()
        };
        let mut out = Output::create(
            Target::File(path.clone()),
            Format::Parquet,
            &rb.schema(),
            &options,
        )
        .unwrap();
        for start in (0..n).step_by(10_000) {
            let mut e = out.encoder().unwrap();
            for at in (start..start + 10_000).step_by(2_500) {
                let b = rb.slice(at, 2_500);
                e.push(&Batch::new(b.columns().to_vec(), 2_500, at as u64))
                    .unwrap();
            }
            out.append(e.finish().unwrap()).unwrap();
        }
        assert_eq!(out.finish().unwrap().rows, n as u64);
        let dataset = open(&[path]).unwrap();
        assert_eq!(dataset.exact_rows(), Some(n as u64));
        assert_eq!(dataset.schema().fields(), rb.schema().fields());
        let back = read(&dataset, &all(&dataset)).unwrap();
        for (i, c) in back.iter().enumerate() {
            assert_eq!(c, rb.column(i), "{codec} {}", rb.schema().field(i).name());
        }
    }
}

#[test]
fn text_dictionaries_stay_and_are_shared() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let text = StringArray::from_iter_values((0..20_000).map(|i| ["a", "b", "c"][i % 3]));
    write(
        &path,
        &[batch(vec![("t", Arc::new(text))])],
        WriterProperties::default(),
    );
    let dataset = open(&[path]).unwrap();
    let mut source = dataset.clone().open(0, &all(&dataset)).unwrap();
    let cx = context();
    let first = source.next(&cx).unwrap().unwrap();
    let second = source.next(&cx).unwrap().unwrap();
    let values = |b: &Batch| b.columns[0].as_dictionary::<Int32Type>().values().clone();
    assert_eq!(values(&first).data_type(), &types::TEXT);
    assert!(Arc::ptr_eq(&values(&first), &values(&second)));
    assert_eq!(second.position, Batch::TARGET_ROWS as u64);
    assert!(crate::observe::Progress::get(&cx.run.progress.bytes_read) > 0);
}

#[test]
fn files_unite_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("Year=2024");
    fs::create_dir(&folder).unwrap();
    let (a, b) = (dir.path().join("a.parquet"), folder.join("b.parquet"));
    let one = batch(vec![
        ("x", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        ("only_a", Arc::new(StringArray::from(vec!["p", "q"]))),
        ("u", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
    ]);
    let two = batch(vec![
        ("u", Arc::new(UInt64Array::from(vec![7])) as ArrayRef),
        ("x", Arc::new(Float32Array::from(vec![0.5]))),
    ]);
    write(&a, &[one], WriterProperties::default());
    write(&b, &[two], WriterProperties::default());
    let dataset = open(&[a.clone(), b.clone()]).unwrap();
    let names: Vec<_> = dataset
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["x", "only_a", "u", "Year"]);
    assert_eq!(dataset.notes().len(), 1);
    let back = read(&dataset, &all(&dataset)).unwrap();
    assert_eq!(back[0].as_ref(), &Float64Array::from(vec![1.0, 2.0, 0.5]));
    assert_eq!(
        back[1].as_ref(),
        &StringViewArray::from(vec![Some("p"), Some("q"), None])
    );
    let wide = Decimal128Array::from(vec![u64::MAX as i128, 0, 7]);
    assert_eq!(back[2].as_ref(), &wide.with_precision_and_scale(20, 0).unwrap());
    assert_eq!(back[3].as_ref(), &Int64Array::from(vec![None, None, Some(2024)]));
    let strict = ParquetOptions {
        strict: true,
        filename_column: Some("file".into()),
        ..ParquetOptions::default()
    };
    assert!(ParquetDataset::open(&[a.clone(), b], &strict).is_err());
    let named = Arc::new(ParquetDataset::open(std::slice::from_ref(&a), &strict).unwrap());
    let again = Arc::new(ParquetDataset::from_json(&named.to_json()).unwrap());
    let back = read(&again, &all(&again)).unwrap();
    assert_eq!(back[3].as_string_view().value(1), a.display().to_string());
}

#[test]
fn bare_counts_and_limits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let g = batch(vec![("x", Arc::new(Int64Array::from_iter_values(0..20_000)))]);
    write(&path, &[g.clone(), g], WriterProperties::default());
    let dataset = open(&[path]).unwrap();
    assert_eq!(dataset.partitions(), 1, "small row groups are read together");
    let cx = context();
    let count = |request: &ScanRequest| {
        let mut source = dataset.clone().open(0, request).unwrap();
        let mut rows = 0;
        while let Some(b) = source.next(&cx).unwrap() {
            rows += b.rows;
        }
        rows
    };
    assert_eq!(count(&ScanRequest::default()), 40_000);
    let limited = ScanRequest {
        columns: vec![0],
        limit: Some(10_001),
        filter: None,
        ..ScanRequest::default()
    };
    assert_eq!(count(&limited), 10_001);
}

#[test]
fn the_flights_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/nycflights");
    let files: Vec<PathBuf> = (1..=12)
        .map(|m| root.join(format!("2013-{m:02}.parquet")))
        .collect();
    let csv = |f: &PathBuf| {
        fs::read_to_string(f.with_extension("csv"))
            .unwrap()
            .lines()
            .count()
            - 1
    };
    let rows: usize = files.iter().map(csv).sum();
    let dataset = open(&files).unwrap();
    assert_eq!(dataset.exact_rows(), Some(rows as u64));
    let back = read(&dataset, &all(&dataset)).unwrap();
    assert!(back.iter().all(|c| c.len() == rows));
}

#[test]
fn what_is_no_parquet_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("short", b"PAR1"),
        ("text", b"a,b\n1,2\n3,4\n5,6\n"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let e = open(&[path]).err().unwrap();
        assert_eq!(e.kind(), crate::error::Kind::Input);
        assert!(e.to_string().contains(name), "{e}");
    }
    assert!(open(&[dir.path().to_path_buf()]).is_err());
    assert!(open(&[dir.path().join("absent")]).is_err());
}

/// Any single damaged byte gives an error or rows, never a panic.
#[test]
fn damaged_files_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let text = StringArray::from_iter((0..300).map(|i| (i % 5 > 0).then(|| format!("t{}", i % 11))));
    let rb = batch(vec![
        (
            "x",
            Arc::new(Int64Array::from_iter((0..300).map(|i| (i % 3 > 0).then_some(i)))) as ArrayRef,
        ),
        ("t", Arc::new(text)),
        (
            "f",
            Arc::new(Float64Array::from_iter_values((0..300).map(|i| i as f64))),
        ),
    ]);
    write(&path, &[rb.clone(), rb], WriterProperties::default());
    let good = fs::read(&path).unwrap();
    let attempt = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let dataset = open(std::slice::from_ref(&path))?;
        read(&dataset, &all(&dataset))
    };
    let mut errors = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= [0xff, 0x01, 0x80][at % 3];
        if let Err(e) = attempt(&bad) {
            assert!(!e.what().is_empty());
            errors += 1;
        }
    }
    assert!(errors > good.len() / 20, "{errors} of {}", good.len());
    for length in (0..good.len()).step_by(23) {
        assert!(attempt(&good[..length]).is_err());
    }
}

/// A filter for tests: conjuncts over int, float and text columns, evaluated value by value.
pub(super) struct Conjunction {
    pub columns: Vec<usize>,
    pub bounds: Vec<crate::source::Bound>,
}

impl RowFilter for Conjunction {
    fn columns(&self) -> &[usize] {
        &self.columns
    }
    fn mask(&self, batch: &Batch) -> Result<BooleanArray> {
        let keep = |row: usize| {
            self.bounds.iter().all(|b| {
                let at = self.columns.iter().position(|c| *c == b.column).unwrap();
                holds(&batch.columns[at], row, b)
            })
        };
        Ok(BooleanArray::from_iter((0..batch.rows).map(|r| Some(keep(r)))))
    }
    fn bounds(&self) -> &[crate::source::Bound] {
        &self.bounds
    }
}

/// `value op bound` as SEMANTICS has it: NaN greater than all, -0 = 0, null never.
fn holds(array: &ArrayRef, row: usize, bound: &crate::source::Bound) -> bool {
    use crate::kernel::Scalar;
    use crate::source::Compare::*;
    use std::cmp::Ordering::*;
    let null = array.logical_nulls().is_some_and(|n| n.is_null(row));
    match bound.op {
        IsNull => return null,
        IsNotNull => return !null,
        _ if null => return false,
        _ => {}
    }
    let order = match &bound.value {
        Scalar::Int(v) => array.as_primitive::<Int64Type>().value(row).cmp(v),
        Scalar::Float(v) => {
            let x = array.as_primitive::<Float64Type>().value(row);
            x.partial_cmp(v).unwrap_or_else(|| x.is_nan().cmp(&v.is_nan()))
        }
        Scalar::Text(v) => {
            let text = cast(array, &types::TEXT).unwrap();
            text.as_string_view().value(row).cmp(v.as_str())
        }
        _ => return false,
    };
    match bound.op {
        Eq => order == Equal,
        NotEq => order != Equal,
        Lt => order == Less,
        LtEq => order != Greater,
        Gt => order == Greater,
        GtEq => order != Less,
        IsNull | IsNotNull => unreachable!(),
    }
}

mod pruning {
    use super::*;
    use crate::kernel::Scalar;
    use crate::source::{Bound, Compare};
    use parquet::file::properties::EnabledStatistics;
    use proptest::prelude::*;

    fn float() -> impl Strategy<Value = Option<f64>> {
        let odd = prop::sample::select(vec![f64::NAN, -0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY]);
        prop::option::weighted(0.8, prop_oneof![4 => (-3i64..4).prop_map(|i| i as f64), 1 => odd])
    }
    fn text() -> impl Strategy<Value = Option<String>> {
        prop::option::weighted(0.8, "[ab]{0,3}é{0,2}")
    }
    fn bound() -> impl Strategy<Value = Bound> {
        use Compare::*;
        let op = prop::sample::select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq, IsNull, IsNotNull]);
        let value = prop_oneof![
            (-4i64..5).prop_map(|i| (0, Scalar::Int(i))),
            float().prop_map(|f| (1, Scalar::Float(f.unwrap_or(0.5)))),
            text().prop_map(|t| (2, Scalar::Text(t.unwrap_or_default()))),
        ];
        (op, value).prop_map(|(op, (column, value))| Bound { column, op, value })
    }
    type Row = (Option<i64>, Option<f64>, Option<String>);
    fn group() -> impl Strategy<Value = Vec<Row>> {
        let row = |ints: std::ops::Range<i64>| (prop::option::weighted(0.8, ints), float(), text());
        (-4i64..4).prop_flat_map(move |low| prop::collection::vec(row(low..low + 2), 1..20))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Whatever is pruned or decoded late, the rows are those of evaluating each one.
        #[test]
        fn never_changes_the_answer(
            groups in prop::collection::vec(group(), 1..5),
            bounds in prop::collection::vec(bound(), 1..4),
            statistics in prop::sample::select(vec![EnabledStatistics::None, EnabledStatistics::Chunk, EnabledStatistics::Page]),
            cut in prop::option::of(1usize..3),
            (bloom, delta, page_rows) in (any::<bool>(), any::<bool>(), 1usize..6),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.parquet");
            let record = |rows: &Vec<Row>| batch(vec![
                ("i", Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.0))) as ArrayRef),
                ("f", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.1)))),
                ("t", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.2.as_deref())))),
                ("row", Arc::new(Int64Array::from_iter_values(0..rows.len() as i64))),
            ]);
            let records: Vec<RecordBatch> = groups.iter().map(record).collect();
            let properties = WriterProperties::builder()
                .set_statistics_enabled(statistics)
                .set_statistics_truncate_length(cut)
                .set_column_index_truncate_length(cut)
                .set_data_page_row_count_limit(page_rows)
                .set_write_batch_size(page_rows)
                .set_bloom_filter_enabled(bloom);
            // encodings of differences are left to the general reader
            let properties = match delta {
                true => properties
                    .set_dictionary_enabled(false)
                    .set_column_encoding("i".into(), parquet::basic::Encoding::DELTA_BINARY_PACKED),
                false => properties,
            };
            super::write(&path, &records, properties.build());
            let dataset = open(&[path]).unwrap();
            let mut columns: Vec<usize> = bounds.iter().map(|b| b.column).collect();
            columns.sort_unstable();
            columns.dedup();
            let filter = Conjunction { columns, bounds: bounds.clone() };
            let request = ScanRequest {
                columns: vec![3, 0, 1, 2],
                filter: Some(Arc::new(filter)),
                limit: None,
                ..ScanRequest::default()
            };
            let got = read(&dataset, &request).unwrap();
            let plain = read(&dataset, &ScanRequest { columns: vec![3, 0, 1, 2], ..ScanRequest::default() }).unwrap();
            let keep = |r: usize| bounds.iter().all(|b| holds(&plain[b.column + 1], r, b));
            let mask = BooleanArray::from_iter((0..plain[0].len()).map(|r| Some(keep(r))));
            for (got, all) in got.iter().zip(&plain) {
                let want = arrow::compute::filter(all, &mask).unwrap();
                prop_assert_eq!(got, &want);
            }
        }
    }

    fn rows_read(dataset: &Arc<ParquetDataset>, bound: Bound) -> (usize, u64) {
        let filter = Conjunction {
            columns: vec![bound.column],
            bounds: vec![bound],
        };
        let request = ScanRequest {
            columns: vec![0, 1],
            filter: Some(Arc::new(filter)),
            limit: None,
            ..ScanRequest::default()
        };
        let cx = context();
        let mut rows = 0;
        for part in 0..dataset.partitions() {
            let mut source = dataset.clone().open(part, &request).unwrap();
            while let Some(b) = source.next(&cx).unwrap() {
                rows += b.rows;
            }
        }
        (rows, crate::observe::Progress::get(&cx.run.progress.bytes_read))
    }

    #[test]
    fn row_groups_are_skipped_and_late_columns_are_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let group = |g: i64| {
            batch(vec![
                (
                    "i",
                    Arc::new(Int64Array::from_iter_values(
                        (0..200_000).map(|i| g * 200_000 + i),
                    )) as ArrayRef,
                ),
                (
                    "t",
                    Arc::new(StringArray::from_iter_values(
                        (0..200_000).map(|i| format!("row {}", g * 200_000 + i)),
                    )),
                ),
            ])
        };
        super::write(&path, &[group(0), group(1)], WriterProperties::default());
        let dataset = open(&[path]).unwrap();
        assert_eq!(dataset.partitions(), 2);
        let bound = |op, i| Bound {
            column: 0,
            op,
            value: Scalar::Int(i),
        };
        assert_eq!(rows_read(&dataset, bound(Compare::Gt, 400_000)), (0, 0));
        let (rows, one) = rows_read(&dataset, bound(Compare::GtEq, 399_990));
        let (_, both) = rows_read(&dataset, bound(Compare::GtEq, 0));
        assert_eq!(rows, 10);
        assert!(one < both * 2 / 3, "{one} of {both}");
        let filter = Conjunction {
            columns: vec![0],
            bounds: vec![bound(Compare::GtEq, 399_990)],
        };
        let request = ScanRequest {
            columns: vec![1, 0],
            filter: Some(Arc::new(filter)),
            limit: None,
            ..ScanRequest::default()
        };
        let got = read(&dataset, &request).unwrap();
        let want: Vec<String> = (399_990..400_000).map(|i| format!("row {i}")).collect();
        assert_eq!(got[0].as_ref(), &StringViewArray::from_iter_values(want));
    }

    /// 100 000 numbers (only even ones) and long texts, in pages of 1000 rows.
    fn paged(path: &Path, statistics: EnabledStatistics, bloom: bool) {
        let numbers = Int64Array::from_iter_values((0..100_000).map(|i| i * 2));
        let texts = (0..100_000).map(|i| format!("some rather long text, number {i}"));
        let record = batch(vec![
            ("i", Arc::new(numbers) as ArrayRef),
            ("t", Arc::new(StringArray::from_iter_values(texts))),
        ]);
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(statistics)
            .set_data_page_row_count_limit(1000)
            .set_write_batch_size(1000)
            .set_bloom_filter_enabled(bloom);
        super::write(path, &[record], properties.build());
    }

    #[test]
    fn pages_are_skipped_by_their_index() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let bound = |op, i| Bound {
            column: 0,
            op,
            value: Scalar::Int(i),
        };
        let read_with = |statistics, bound: Bound| {
            paged(&path, statistics, false);
            rows_read(&open(std::slice::from_ref(&path)).unwrap(), bound)
        };
        let (rows, all) = read_with(EnabledStatistics::Chunk, bound(Compare::Lt, 10_000));
        let (same, some) = read_with(EnabledStatistics::Page, bound(Compare::Lt, 10_000));
        assert_eq!((rows, same), (5000, 5000));
        assert!(all > 800_000, "all numbers are looked at without an index: {all}");
        // five pages of numbers and of texts, and the index
        assert!(some < 270_000, "{some} of {all}");
        let (rows, few) = read_with(EnabledStatistics::Page, bound(Compare::Eq, 123_456));
        assert_eq!(rows, 1);
        assert!(few < 60_000, "{few} of {all}");
        // the texts are skipped where the numbers leave nothing, index or not
        let (_, numbers) = read_with(EnabledStatistics::Chunk, bound(Compare::Eq, 123_456));
        assert!(numbers < 900_000, "{numbers}");
    }

    #[test]
    fn bloom_filters_deny_values() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        paged(&path, EnabledStatistics::Chunk, true);
        let dataset = open(std::slice::from_ref(&path)).unwrap();
        let filter = |column: usize| {
            let range = dataset.files[0]
                .metadata
                .row_group(0)
                .column(column)
                .bloom_filter_length();
            range.unwrap() as u64
        };
        let number = |i| Bound {
            column: 0,
            op: Compare::Eq,
            value: Scalar::Int(i),
        };
        let text = |t: &str| Bound {
            column: 1,
            op: Compare::Eq,
            value: Scalar::Text(t.into()),
        };
        // one in a hundred absent values may pass; these do not
        assert_eq!(rows_read(&dataset, number(33_333)), (0, filter(0)));
        assert_eq!(rows_read(&dataset, number(33_334)).0, 1);
        assert_eq!(
            rows_read(&dataset, text("some rather long text, number 4x")),
            (0, filter(1))
        );
        assert_eq!(rows_read(&dataset, text("some rather long text, number 44")).0, 1);
    }

    #[test]
    fn folders_prune_without_opening_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for year in [2023, 2024] {
            let folder = dir.path().join(format!("Year={year}"));
            fs::create_dir(&folder).unwrap();
            let path = folder.join("x.parquet");
            let x = Int64Array::from_iter_values(0..100);
            super::write(
                &path,
                &[batch(vec![("x", Arc::new(x))])],
                WriterProperties::default(),
            );
            files.push(path);
        }
        let dataset = open(&files).unwrap();
        fs::remove_file(&files[0]).unwrap();
        let bound = |op, i| Bound {
            column: 1,
            op,
            value: Scalar::Int(i),
        };
        assert_eq!(rows_read(&dataset, bound(Compare::Eq, 2024)).0, 100);
        assert_eq!(rows_read(&dataset, bound(Compare::Gt, 2024)), (0, 0));
    }

    #[test]
    fn nan_is_greater_than_the_maximum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let rb = batch(vec![
            (
                "f",
                Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0])) as ArrayRef,
            ),
            ("i", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ]);
        super::write(&path, &[rb], WriterProperties::default());
        let dataset = open(&[path]).unwrap();
        let bound = |op, x| Bound {
            column: 0,
            op,
            value: Scalar::Float(x),
        };
        assert_eq!(rows_read(&dataset, bound(Compare::Gt, 5.0)).0, 1);
        assert_eq!(rows_read(&dataset, bound(Compare::GtEq, 5.0)).0, 1);
        assert_eq!(rows_read(&dataset, bound(Compare::NotEq, 5.0)).0, 3);
        assert_eq!(rows_read(&dataset, bound(Compare::Lt, 1.0)), (0, 0));
    }
}

/// A page of Brotli becomes any number of bytes: only the memory that there is bounds it.
#[test]
fn a_page_of_brotli_unfolds_as_far_as_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.parquet");
    let long = "a".repeat(16 << 20);
    let column: ArrayRef = Arc::new(StringArray::from(vec![long.as_str()]));
    let rows = batch(vec![("t", column)]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::BROTLI(BrotliLevel::try_new(9).unwrap()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None);
    let mut writer = ArrowWriter::try_new(
        fs::File::create(&path).unwrap(),
        rows.schema(),
        Some(properties.build()),
    )
    .unwrap();
    writer.write(&rows).unwrap();
    let chunk = writer.close().unwrap().row_group(0).column(0).clone();
    // more than the blocks of any other codec can
    let (packed, unpacked) = (chunk.compressed_size(), chunk.uncompressed_size());
    assert!(packed << 17 < unpacked, "{packed} {unpacked}");
    let dataset = open(&[path]).unwrap();
    let back = read(&dataset, &all(&dataset)).unwrap();
    assert_eq!(back[0].as_string_view().value(0), long);
}
