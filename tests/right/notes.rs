//! What Parquet files say of columns beyond their types: UUIDs within others, moments of 96 bits.

use std::fs::File;
use std::sync::Arc;

use arrow::datatypes::*;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::basic::LogicalType;
use parquet::data_type::{FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::common::{Folder, run};

/// Lines of CSV, the header left out.
fn lines(sql: &str) -> Vec<String> {
    let ran = run(["sql", "--csv", sql]).done();
    ran.text().lines().skip(1).map(str::to_string).collect()
}

/// Values of a leaf, their definition levels and their repetition levels.
type Cells<'a> = (&'a [&'a Vec<u8>], &'a [i16], Option<&'a [i16]>);

/// A file with UUIDs and other sixteen bytes within a struct and a list.
fn nested_uuids(path: &str, uuid: &str) {
    let message = format!(
        "message m {{
            optional group s {{
                optional fixed_len_byte_array(16) u {uuid};
                required fixed_len_byte_array(16) hash;
            }}
            optional group l (LIST) {{
                repeated group list {{ optional fixed_len_byte_array(16) element {uuid}; }}
            }}
        }}"
    );
    let schema = Arc::new(parse_message_type(&message).unwrap());
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, Default::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let (a, b) = (vec![0x11_u8; 16], vec![0x22_u8; 16]);
    let values = |v: &[&Vec<u8>]| {
        v.iter()
            .map(|v| (*v).clone().into())
            .collect::<Vec<FixedLenByteArray>>()
    };
    // the third row is null, the second has no u and an empty list
    let columns: [Cells; 3] = [
        (&[&a], &[2, 1, 0], None),
        (&[&a, &b], &[1, 1, 0], None),
        (&[&a, &b], &[3, 3, 1, 0], Some(&[0, 1, 0, 0])),
    ];
    for (cells, definitions, repetitions) in columns {
        let mut column = rows.next_column().unwrap().unwrap();
        let typed = column.typed::<FixedLenByteArrayType>();
        typed
            .write_batch(&values(cells), Some(definitions), repetitions)
            .unwrap();
        column.close().unwrap();
    }
    rows.close().unwrap();
    writer.close().unwrap();
}

/// The leaves of a Parquet file that are UUIDs.
fn uuid_leaves(path: &str) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let leaves = schema.columns().iter();
    let uuids = leaves.filter(|c| c.logical_type_ref() == Some(&LogicalType::Uuid));
    uuids.map(|c| c.path().string()).collect()
}

#[test]
fn uuids_within_others_stay_uuids() {
    let f = Folder::new();
    let (file, bare) = (f.at("nested.parquet"), f.at("bare.parquet"));
    nested_uuids(&file, "(UUID)");
    nested_uuids(&bare, "");
    let (uuid, bytes) = ("11111111-1111-1111-1111-111111111111", r"\\x11".repeat(16));
    let other = "22222222-2222-2222-2222-222222222222";
    let printed = |path: &str| {
        run(["query", path, "--format", "jsonl"])
            .done()
            .text()
            .to_string()
    };
    let quotes = "\\\"".repeat(16);
    let rows = |u: &str, v: &str, hash: &str| {
        format!(
            "{{\"s\":{{\"u\":\"{u}\",\"hash\":\"{hash}\"}},\"l\":[\"{u}\",\"{v}\"]}}\n\
             {{\"s\":{{\"u\":null,\"hash\":\"{quotes}\"}},\"l\":[]}}\n{{\"s\":null,\"l\":null}}\n"
        )
    };
    assert_eq!(printed(&file), rows(uuid, other, &bytes));
    assert_eq!(printed(&bare), rows(&bytes, &quotes, &bytes));
    // also where they went through groups and a sort, which hold them as something else
    let there = ["s.u", "l.list.element"];
    assert_eq!(uuid_leaves(&file), there);
    for flags in [
        "",
        "--sort l:desc",
        "--distinct",
        "-g s,l",
        "-g s,l --memory 24MiB",
    ] {
        let out = f.at("out.parquet");
        let args = ["query", &file, "-o", &out];
        run(args.into_iter().chain(flags.split_whitespace())).done();
        assert_eq!(uuid_leaves(&out), there, "{flags}");
        let sorted = |text: String| {
            let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(printed(&out)), sorted(printed(&file)), "{flags}");
    }
    // what one of two files calls a UUID is bytes to both
    let out = f.at("both.parquet");
    run(["query", &file, &bare, "-o", &out]).done();
    assert_eq!(uuid_leaves(&out), [""; 0]);
    assert_eq!(printed(&out), rows(&bytes, &quotes, &bytes).repeat(2));
}

/// A file of moments of 96 bits, with or without the note that Arrow's writers leave.
fn moments_of_96_bits(path: &str, noted: Option<DataType>) {
    let schema = Arc::new(parse_message_type("message m { optional int96 t; }").unwrap());
    let note = noted.map(|ty| {
        let schema = Schema::new(vec![Field::new("t", ty, true)]);
        vec![KeyValue::new(
            ARROW_SCHEMA_META_KEY.to_string(),
            encode_arrow_schema(&schema),
        )]
    });
    let properties = WriterProperties::builder().set_key_value_metadata(note).build();
    let to = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(to, schema, Arc::new(properties)).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    // 1970-01-01 is day 2440588
    let moment = |day: u32, nanos: u64| {
        let mut value = Int96::new();
        value.set_data(nanos as u32, (nanos >> 32) as u32, day);
        value
    };
    let values = [
        moment(2_440_588, 1),
        moment(2_440_588, 1_000),
        moment(2_440_588, 1_001),
        moment(2_440_587, 86_399_999_999_999),
    ];
    let typed = column.typed::<Int96Type>();
    typed.write_batch(&values, Some(&[1, 1, 1, 0, 1]), None).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn nanoseconds_of_96_bits_are_kept_where_they_are_known() {
    let f = Folder::new();
    let nanos = |zone: Option<&str>| Some(DataType::Timestamp(TimeUnit::Nanosecond, zone.map(Into::into)));
    let micros = |zone: Option<&str>| Some(DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into)));
    let fine = [
        "1970-01-01T00:00:00.000000001",
        "1970-01-01T00:00:00.000001",
        "1970-01-01T00:00:00.000001001",
        "",
        "1969-12-31T23:59:59.999999999",
    ];
    let coarse = [
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.000001",
        "1970-01-01T00:00:00.000001",
        "",
        "1969-12-31T23:59:59.999999",
    ];
    for (note, texts, z) in [
        (nanos(None), fine, ""),
        (nanos(Some("UTC")), fine, "Z"),
        (micros(None), coarse, ""),
        (micros(Some("UTC")), coarse, "Z"),
        (None, coarse, ""),
    ] {
        let path = f.at("t.parquet");
        moments_of_96_bits(&path, note.clone());
        let zoned = |t: &&str| {
            if t.is_empty() {
                String::new()
            } else {
                format!("{t}{z}")
            }
        };
        let texts: Vec<String> = texts.iter().map(zoned).collect();
        assert_eq!(lines(&format!("select t from '{path}'")), texts, "{note:?}");
        // through a group, a sort and a file
        let copy = f.at("copy.parquet");
        run(["query", &path, "--distinct", "--sort", "t:desc", "-o", &copy]).done();
        let mut sorted: Vec<String> = texts.iter().filter(|t| !t.is_empty()).cloned().collect();
        sorted.sort_by(|a, b| b.trim_end_matches('Z').cmp(a.trim_end_matches('Z')));
        sorted.dedup();
        sorted.push(String::new());
        assert_eq!(lines(&format!("select t from '{copy}'")), sorted, "{note:?}");
    }
}
