//! Our decoder beside the general one, and under damage.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, concat};
use arrow::datatypes::*;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use proptest::prelude::*;

use super::*;
use crate::kernel::types;
use crate::memory::Budget;
use crate::source::parquet::tests::open;

/// How a file is written.
#[derive(Debug, Clone)]
struct Shape {
    dictionary: bool,
    /// Dictionaries larger than this give way to plain pages.
    dictionary_bytes: usize,
    page_rows: usize,
    second: bool,
    codec: Compression,
    nullable: bool,
}

/// As much memory as it takes.
fn held() -> Arc<Held> {
    Held::new(&Budget::new(1 << 30))
}

fn shape() -> impl Strategy<Value = Shape> {
    let codec = prop::sample::select(vec![
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::ZSTD(Default::default()),
        Compression::LZ4_RAW,
    ]);
    let flags = (
        prop::bool::weighted(0.8),
        any::<bool>(),
        prop::bool::weighted(0.8),
    );
    let sizes = (
        prop::sample::select(vec![1 << 20, 200, 40]),
        prop::sample::select(vec![3, 17, 64, 100, 1000]),
    );
    (flags, sizes, codec).prop_map(
        |((dictionary, second, nullable), (dictionary_bytes, page_rows), codec)| Shape {
            dictionary,
            dictionary_bytes,
            page_rows,
            second,
            codec,
            nullable,
        },
    )
}

fn properties(shape: &Shape) -> WriterProperties {
    WriterProperties::builder()
        .set_dictionary_enabled(shape.dictionary)
        .set_dictionary_page_size_limit(shape.dictionary_bytes)
        .set_data_page_row_count_limit(shape.page_rows)
        .set_write_batch_size(shape.page_rows)
        .set_writer_version(match shape.second {
            true => WriterVersion::PARQUET_2_0,
            false => WriterVersion::PARQUET_1_0,
        })
        // version 2 would choose encodings of differences
        .set_encoding(Encoding::PLAIN)
        .set_column_encoding(
            "b".into(),
            if shape.second {
                Encoding::RLE
            } else {
                Encoding::PLAIN
            },
        )
        .set_compression(shape.codec)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build()
}

/// Columns of all types that the decoder takes; runs, repetition and nulls as `seeds` has it.
fn record(seeds: &[(u8, u16)], nullable: bool) -> RecordBatch {
    // a seed stands for a run of equal rows, so that both kinds of runs are written
    let rows: Vec<(u8, i64)> = seeds
        .iter()
        .flat_map(|&(n, v)| std::iter::repeat_n((n, v as i64), 1 + (n as usize % 23).pow(2) / 40))
        .collect();
    let some = |n: u8| !nullable || !n.is_multiple_of(3);
    macro_rules! column {
        ($array:ty, $value:expr) => {{
            let value: fn(i64) -> _ = $value;
            let values = rows.iter().map(|&(n, v)| some(n).then(|| value(v)));
            Arc::new(<$array>::from_iter(values)) as ArrayRef
        }};
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("b", column!(BooleanArray, |v| v % 3 == 0)),
        ("n", column!(Int8Array, |v| v as i8)),
        ("u", column!(UInt32Array, |v| u32::MAX - v as u32)),
        ("i", column!(Int32Array, |v| v as i32 * -30_001)),
        ("w", column!(Int64Array, |v| v * 1_000_000_007_000)),
        ("x", column!(Float32Array, |v| v as f32 / 3.0)),
        ("f", column!(Float64Array, |v| 1.0 / v as f64)),
        ("d", column!(Date32Array, |v| v as i32 - 9000)),
        ("s", column!(TimestampMicrosecondArray, |v| v * 77_777)),
        ("m", column!(TimestampMillisecondArray, |v| v * 99)),
        (
            "t",
            column!(StringArray, |v| match v % 4 {
                0 => String::new(),
                1 => format!("é{}", v % 50),
                _ => format!("a rather long text, number {v}"),
            }),
        ),
        ("c", column!(StringArray, |v| format!("{:03}", v % 7))),
        ("p", decimals(column!(Int64Array, |v| v - 9000), 9, 2)),
        ("q", decimals(column!(Int64Array, |v| v * 1_000_000_007), 15, 4)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, nullable))).unwrap()
}

/// Whole numbers as decimals of that many digits, which are stored in 32 or 64 bits.
fn decimals(numbers: ArrayRef, precision: u8, scale: i8) -> ArrayRef {
    let numbers = numbers.as_primitive::<Int64Type>().clone();
    let wide: Decimal128Array = numbers.unary(i128::from);
    Arc::new(wide.with_precision_and_scale(precision, scale).unwrap())
}

fn write(path: &Path, record: &RecordBatch, properties: WriterProperties) {
    let file = fs::File::create(path).unwrap();
    let mut w = ArrowWriter::try_new(file, record.schema(), Some(properties)).unwrap();
    w.write(record).unwrap();
    w.close().unwrap();
}

/// All columns in the dataset's types, by the general reader.
fn general(path: &Path, dataset: &ParquetDataset) -> Vec<ArrayRef> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(|b| b.unwrap()).collect();
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let fields = dataset.layout.schema.fields().iter();
    (all.columns().iter().zip(fields))
        .map(|(c, f)| cast(c, f.data_type()).unwrap())
        .collect()
}

/// Reads or skips as `steps` says; gives the wanted rows, and their ranges.
fn flat(
    path: &Path,
    dataset: &ParquetDataset,
    steps: &[(bool, usize)],
) -> Result<(Vec<ArrayRef>, Vec<std::ops::Range<usize>>)> {
    let columns: Vec<usize> = (0..dataset.layout.schema.fields().len()).collect();
    let n = columns.len();
    let reader = FileReader::open(path, &Default::default())?;
    let footer = &dataset.files[0];
    let mut group =
        FlatGroup::open(dataset, &reader, (0, 0), &columns, &held())?.expect("all columns are ours");
    let rows = footer.rows(0) as usize;
    let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); n];
    let (mut at, mut ranges) = (0, Vec::new());
    for &(skip, step) in steps.iter().cycle() {
        let step = step.min(rows - at);
        if skip {
            group.skip(0..n, step);
        } else {
            let arrays = group.read(footer, 0..n, step)?;
            for ((part, array), field) in parts.iter_mut().zip(arrays).zip(dataset.layout.schema.fields()) {
                assert_eq!(array.len(), step);
                part.push(cast(&array, field.data_type()).unwrap());
            }
            ranges.push(at..at + step);
        }
        at += step;
        if at == rows {
            break;
        }
    }
    let join = |(part, field): (Vec<ArrayRef>, &FieldRef)| {
        let refs: Vec<&dyn Array> = part.iter().map(|a| a.as_ref()).collect();
        match refs.is_empty() {
            true => new_empty_array(field.data_type()),
            false => concat(&refs).unwrap(),
        }
    };
    let fields = dataset.layout.schema.fields();
    Ok((parts.into_iter().zip(fields).map(join).collect(), ranges))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    /// Whatever is written, and however it is read and skipped, both readers agree.
    #[test]
    fn agrees_with_the_general_reader(
        seeds in prop::collection::vec((any::<u8>(), prop_oneof![0u16..6, any::<u16>()]), 1..300),
        shape in shape(),
        mut steps in prop::collection::vec((any::<bool>(), 1usize..150), 0..6),
    ) {
        steps.push((false, 90));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        write(&path, &record(&seeds, shape.nullable), properties(&shape));
        let dataset = open(std::slice::from_ref(&path)).unwrap();
        let want = general(&path, &dataset);
        let (got, ranges) = flat(&path, &dataset, &steps).unwrap();
        for ((got, want), field) in got.iter().zip(&want).zip(dataset.layout.schema.fields()) {
            let parts: Vec<ArrayRef> = ranges.iter().map(|r| want.slice(r.start, r.len())).collect();
            let refs: Vec<&dyn Array> = parts.iter().map(|a| a.as_ref()).collect();
            let want = match refs.is_empty() {
                true => new_empty_array(field.data_type()),
                false => concat(&refs).unwrap(),
            };
            prop_assert_eq!(got, &want, "{} of {:?}", field.name(), &shape);
        }
    }

    /// Some rows of a window are those that are left when all are read.
    #[test]
    fn some_rows_are_read_as_all_are(
        seeds in prop::collection::vec((any::<u8>(), prop_oneof![0u16..6, any::<u16>()]), 1..300),
        shape in shape(),
        window in 1usize..200,
        wanted in prop::collection::vec(prop::bool::weighted(0.3), 300),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        write(&path, &record(&seeds, shape.nullable), properties(&shape));
        let dataset = open(std::slice::from_ref(&path)).unwrap();
        let all = general(&path, &dataset);
        let columns: Vec<usize> = (0..all.len()).collect();
        let reader = FileReader::open(&path, &Default::default()).unwrap();
        let mut group = FlatGroup::open(&dataset, &reader, (0, 0), &columns, &held()).unwrap().unwrap();
        for start in (0..seeds.len()).step_by(window) {
            let rows = window.min(seeds.len() - start);
            let some: Vec<u32> = (0..rows as u32).filter(|&i| wanted[start + i as usize]).collect();
            for (c, all) in all.iter().enumerate() {
                let got = group.read_one(&dataset.files[0], c, rows, Some(&some)).unwrap();
                let at = UInt32Array::from_iter_values(some.iter().map(|i| start as u32 + i));
                let want = arrow::compute::take(all, &at, None).unwrap();
                prop_assert_eq!(&cast(&got, want.data_type()).unwrap(), &want, "column {} of {:?}", c, &shape);
            }
        }
    }

    /// Damaged bytes give an error or rows, never a panic that escapes, and never much memory.
    #[test]
    fn damage_is_an_error(
        seeds in prop::collection::vec((any::<u8>(), any::<u16>()), 1..60),
        shape in shape(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        write(&path, &record(&seeds, shape.nullable), properties(&shape));
        let good = fs::read(&path).unwrap();
        let dataset = open(std::slice::from_ref(&path)).unwrap();
        let mut bad = good.clone();
        for (at, bit) in flips {
            bad[at.index(good.len())] ^= 1 << bit;
        }
        fs::write(&path, &bad).unwrap();
        // the footer is the good one: all damage is met by the decoder
        let rows = dataset.files[0].rows(0) as usize;
        match flat(&path, &dataset, &[(false, 70), (true, 5)]) {
            Ok((arrays, _)) => prop_assert!(arrays.iter().all(|a| a.len() <= rows)),
            Err(e) => {
                let text = e.to_string();
                prop_assert!(text.contains("x.parquet"), "{text}");
                prop_assert!(e.what().contains("column") && e.what().contains("row group 0"), "{}", e.what());
            }
        }
    }
}

/// A page that claims to become gigabytes is refused before anything is allocated for it.
#[test]
fn a_page_cannot_claim_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let record = RecordBatch::try_from_iter([("x", numbers)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .build();
    write(&path, &record, properties);
    let dataset = open(std::slice::from_ref(&path)).unwrap();
    let good = fs::read(&path).unwrap();
    let at = dataset.files[0]
        .metadata
        .row_group(0)
        .column(0)
        .data_page_offset() as usize;
    // type, uncompressed size, compressed size: each a head of one byte and a zigzag varint
    assert_eq!((good[at], good[at + 2]), (0x15, 0x15));
    let stored = (3..).find(|n| good[at + n] < 0x80).unwrap() + 1;
    let mut bad = good[..at + 3].to_vec();
    bad.extend([0xfe, 0xff, 0xff, 0xff, 0x0f]); // 2 GiB - 1
    bad.extend(&good[at + stored..]);
    fs::write(&path, &bad).unwrap();
    let e = flat(&path, &dataset, &[(false, 100)]).err().unwrap();
    assert!(e.what().contains("become 2147483647"), "{}", e.what());
}

/// Text stays codes over pages, and becomes views where plain pages follow.
#[test]
fn dictionaries_give_way_to_plain_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let texts = (0..2000).map(|i| format!("text {}", if i < 1000 { i % 5 } else { i }));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let record = RecordBatch::try_from_iter([("x", texts.clone())]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_page_size_limit(60)
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .build();
    write(&path, &record, properties);
    let dataset = open(std::slice::from_ref(&path)).unwrap();
    let reader = FileReader::open(&path, &Default::default()).unwrap();
    let mut group = FlatGroup::open(&dataset, &reader, (0, 0), &[0], &held())
        .unwrap()
        .unwrap();
    let mut next = |rows| group.read(&dataset.files[0], 0..1, rows).unwrap().remove(0);
    let (first, second, third) = (next(450), next(450), next(1100));
    let values = |a: &ArrayRef| a.as_dictionary::<Int32Type>().values().clone();
    assert!(Arc::ptr_eq(&values(&first), &values(&second)));
    assert_eq!(third.data_type(), &types::TEXT);
    let all = [first, second, third].map(|a| cast(&a, &types::TEXT).unwrap());
    let refs: Vec<&dyn Array> = all.iter().map(|a| a.as_ref()).collect();
    assert_eq!(&concat(&refs).unwrap(), &cast(&texts, &types::TEXT).unwrap());
}

/// Pages of which no row is wanted are not read.
#[test]
fn unwanted_pages_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
    let record = RecordBatch::try_from_iter([("x", numbers)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_compression(Compression::UNCOMPRESSED)
        .set_data_page_row_count_limit(1000)
        .set_write_batch_size(500)
        .build();
    write(&path, &record, properties);
    let dataset = open(std::slice::from_ref(&path)).unwrap();
    let reader = FileReader::open(&path, &Default::default()).unwrap();
    let mut group = FlatGroup::open(&dataset, &reader, (0, 0), &[0], &held())
        .unwrap()
        .unwrap();
    group.skip(0..1, 90_500);
    let got = group.read(&dataset.files[0], 0..1, 10).unwrap().remove(0);
    assert_eq!(
        got.as_primitive::<Int64Type>().values()[..],
        (90_500..90_510).collect::<Vec<i64>>()
    );
    assert_eq!(reader.take_bytes_read(), 8000);
    let e = group.read(&dataset.files[0], 0..1, 10_000).err().unwrap();
    assert!(e.what().contains("missing"), "{}", e.what());
}

/// Where memory is short, pages are let go of and read again; the rows are the same.
#[test]
fn pages_give_way_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let rows = 300_000;
    let number = |c: usize| -> ArrayRef {
        let value = move |i: usize| (i % 7 != c).then_some((i * 7919 + c) as i64 % 100_000);
        Arc::new(Int64Array::from_iter((0..rows).map(value)))
    };
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..rows).map(|i| format!("{}", i % 40_000)),
    ));
    let columns = [("a", number(0)), ("b", number(1)), ("t", texts), ("c", number(2))];
    let record = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_page_size_limit(200_000)
        .set_data_page_row_count_limit(rows)
        .build();
    write(&path, &record, properties);
    let dataset = open(std::slice::from_ref(&path)).unwrap();
    let expected = general(&path, &dataset);
    let read = |budget: &Budget| {
        let reader = FileReader::open(&path, &crate::memory::Retries::default()).unwrap();
        let mut group =
            FlatGroup::open(&dataset, &reader, (0, 0), &[0, 1, 2, 3], &Held::new(budget))?.unwrap();
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); 4];
        let mut at = 0;
        while at < rows {
            let now = 8192.min(rows - at);
            let some: Vec<u32> = (0..now as u32).filter(|i| i % 3 != 1).collect();
            for (c, part) in parts.iter_mut().enumerate() {
                let wanted = (at % 5 == 0).then_some(&some[..]);
                let array = group.read_one(&dataset.files[0], c, now, wanted)?;
                part.push(cast(&array, dataset.layout.schema.field(c).data_type()).unwrap());
            }
            at += now;
        }
        let whole = parts.iter().map(|p| {
            let parts: Vec<&dyn Array> = p.iter().map(|a| a.as_ref()).collect();
            concat(&parts).unwrap()
        });
        Ok::<_, crate::error::Error>(whole.collect::<Vec<_>>())
    };
    let ample = Budget::new(1 << 30);
    let all = read(&ample).unwrap();
    assert_eq!(all.len(), expected.len());
    let most = ample.peak();
    assert!(most > 6 << 20, "{most}");
    // what others hold leaves too little for all pages at once, and at last for one
    let (mut given_way, mut refused) = (false, false);
    for less in 0..20 {
        let budget = Budget::new(1 << 30);
        let mut others = budget.reservation("others");
        others.grow_anyway((1 << 30) + (16 << 20) - most + less * most / 20);
        match read(&budget) {
            Ok(same) => {
                assert_eq!(same, all);
                given_way |= less > 0;
            }
            Err(e) => {
                assert_eq!(e.exit_status(), 4, "{e}");
                refused = true;
            }
        }
        drop(others);
        assert_eq!(budget.used(), 0);
    }
    assert!(given_way && refused);
}
