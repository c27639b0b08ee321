//! Chunks against an independent reader.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::ZstdLevel;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use proptest::prelude::*;

use super::*;

/// Writes one column as one row group and reads it back, with its statistics.
fn round_trip(written: &DataType, arrays: &[ArrayRef], codec: Compression) -> (ArrayRef, Statistics) {
    let schema = Schema::new(vec![Field::new("c", written.clone(), true)]);
    let described = ArrowSchemaConverter::new().convert(&schema).unwrap();
    assert!(arrays.iter().all(|a| takes(a, &described.column(0))));
    let mut with = Compressor::new(codec).unwrap().unwrap();
    let chunk = encode(arrays, &described.column(0), &mut with).unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file = SerializedFileWriter::new(Vec::new(), described.root_schema_ptr(), properties).unwrap();
    let mut group = file.next_row_group().unwrap();
    group.append_column(&chunk.bytes, chunk.close).unwrap();
    group.close().unwrap();
    let bytes = Bytes::from(file.into_inner().unwrap());
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let statistics = builder
        .metadata()
        .row_group(0)
        .column(0)
        .statistics()
        .unwrap()
        .clone();
    let reader = builder.with_batch_size(1 << 20).build().unwrap();
    let back: Vec<ArrayRef> = reader.map(|b| b.unwrap().column(0).clone()).collect();
    let parts: Vec<&dyn Array> = back.iter().map(|a| a.as_ref()).collect();
    (cast(&concat(&parts).unwrap(), written).unwrap(), statistics)
}

fn codecs() -> [Compression; 2] {
    [Compression::UNCOMPRESSED, Compression::ZSTD(ZstdLevel::default())]
}

fn check_ints(values: &[Option<i64>], cut: usize) {
    let all = Int64Array::from(values.to_vec());
    let cut = cut.min(values.len());
    for codec in codecs() {
        let parts = [
            Arc::new(all.slice(0, cut)) as ArrayRef,
            Arc::new(all.slice(cut, all.len() - cut)),
        ];
        let (back, statistics) = round_trip(&DataType::Int64, &parts, codec);
        assert_eq!(back.as_primitive(), &all);
        let Statistics::Int64(s) = statistics else {
            panic!()
        };
        assert_eq!(s.min_opt().copied(), values.iter().flatten().min().copied());
        assert_eq!(s.max_opt().copied(), values.iter().flatten().max().copied());
        assert_eq!(s.null_count_opt(), Some(all.null_count() as u64));
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let parts = parts.map(|p| cast(&p, &time).unwrap());
        let (back, _) = round_trip(&time, &parts, codec);
        assert_eq!(&back, &cast(&all, &time).unwrap());
        let small: Vec<_> = values.iter().map(|v| v.map(|v| v as i32)).collect();
        let small: ArrayRef = Arc::new(Date32Array::from(small));
        let (back, _) = round_trip(&DataType::Date32, std::slice::from_ref(&small), codec);
        assert_eq!(&back, &small);
    }
}

fn check_texts(values: &[Option<String>], cut: usize) {
    let views = StringViewArray::from_iter(values.iter().map(|v| v.as_deref()));
    let plain: ArrayRef = Arc::new(StringArray::from_iter(values.iter().map(|v| v.as_deref())));
    let coded: DictionaryArray<Int32Type> = values.iter().map(|v| v.as_deref()).collect();
    let ty = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8View));
    let coded = cast(&coded, &ty).unwrap();
    let cut = cut.min(values.len());
    let parts: [ArrayRef; 3] = [
        Arc::new(views.slice(0, cut)),
        coded.slice(cut, values.len() - cut),
        plain.slice(0, cut),
    ];
    let same = concat(&[&plain, &plain.slice(0, cut)]).unwrap();
    for codec in codecs() {
        let (back, statistics) = round_trip(&DataType::Utf8, &parts, codec);
        assert_eq!(&back, &same);
        let Statistics::ByteArray(s) = statistics else {
            panic!()
        };
        let short = |t: &&[u8]| t.len() <= STATISTICS_BYTES;
        let all = || values.iter().flatten().map(|t| t.as_bytes());
        assert_eq!(s.min_bytes_opt(), all().min().filter(short));
        assert_eq!(s.max_bytes_opt(), all().max().filter(short));
        assert_eq!(s.null_count_opt(), Some(same.null_count() as u64));
    }
}

#[test]
fn many_rows_take_several_pages() {
    for (modulus, nulls) in [(1, 0), (2, 7), (300, 0), (20_011, 5), (90_001, 3), (i64::MAX, 11)] {
        let value = |i: i64| (nulls == 0 || i % nulls != 0).then(|| (i * 7919) % modulus);
        let values: Vec<_> = (0..150_003).map(value).collect();
        check_ints(&values, 70_001);
        let text = |v: i64| format!("{}{v}", "x".repeat((v % 20) as usize));
        let texts: Vec<Option<String>> = values.iter().map(|v| v.map(text)).collect();
        check_texts(&texts, 70_001);
    }
}

#[test]
fn spread_values_and_long_texts() {
    check_ints(&[Some(i64::MIN), Some(i64::MAX), None, Some(0)].repeat(3000), 9);
    let rows: Vec<_> = (0..40).map(|i| Some("é".repeat(i * 5000))).collect();
    check_texts(&rows, 17);
    check_ints(&vec![None; 100_000], 3);
    check_texts(&vec![None::<String>; 100_000], 3);
    check_texts(&vec![Some(String::new()); 100], 3);
}

proptest! {
    #[test]
    fn ints_come_back(small in prop::collection::vec(prop::option::of(-3i64..400), 0..600),
                      wide in prop::collection::vec(any::<Option<i64>>(), 1..50), times in 1usize..40, cut in 0usize..600) {
        prop_assume!(!small.is_empty());
        check_ints(&small, cut);
        check_ints(&wide.repeat(times), cut);
    }

    #[test]
    fn texts_come_back(few in prop::collection::vec(prop::option::of("[ab]{0,2}|[a-cé]{10,14}"), 1..300), cut in 0usize..600) {
        check_texts(&few, cut);
    }

    #[test]
    fn packing_matches_bit_by_bit(width in 1u32..=32, codes in prop::collection::vec(any::<u32>(), 1..100)) {
        let codes: Vec<u32> = codes.iter().map(|c| c >> (32 - width)).collect();
        let mut out = Vec::new();
        hybrid::pack(&codes, width, &mut out);
        let bit = |i: usize| out[i / 8] >> (i % 8) & 1;
        for (i, &c) in codes.iter().enumerate() {
            for b in 0..width as usize {
                prop_assert_eq!(u32::from(bit(i * width as usize + b)), c >> b & 1);
            }
        }
        prop_assert_eq!(out.len(), codes.len().div_ceil(8) * width as usize);
    }
}
