//! Columns of every type that files have: grouped, sorted, joined, compared, told apart and written
//! again as what they are, in memory and under a small limit.

use std::fs::File;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::*;
use half::f16;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::common::{Folder, run};

/// A column: its values in ascending order, without nulls, and the text of each.
struct Kind {
    name: &'static str,
    values: ArrayRef,
    texts: Vec<&'static str>,
    /// Whether a filter compares with a number, and not with a text.
    number: bool,
}

fn kind(name: &'static str, values: impl Array + 'static, texts: &[&'static str]) -> Kind {
    Kind {
        name,
        values: Arc::new(values),
        texts: texts.to_vec(),
        number: false,
    }
}

fn numbers(name: &'static str, values: impl Array + 'static, texts: &[&'static str]) -> Kind {
    Kind {
        number: true,
        ..kind(name, values, texts)
    }
}

/// Whole and broken numbers of every width.
fn narrow() -> Vec<Kind> {
    let halves = [-2.0, 0.1, 0.5, 65504.0].map(f16::from_f32);
    vec![
        numbers(
            "i8",
            Int8Array::from(vec![-128, -1, 0, 127]),
            &["-128", "-1", "0", "127"],
        ),
        numbers(
            "i16",
            Int16Array::from(vec![-32768, 0, 1, 32767]),
            &["-32768", "0", "1", "32767"],
        ),
        numbers(
            "i32",
            Int32Array::from(vec![i32::MIN, -5, 7, i32::MAX]),
            &["-2147483648", "-5", "7", "2147483647"],
        ),
        numbers(
            "u8",
            UInt8Array::from(vec![0, 1, 200, 255]),
            &["0", "1", "200", "255"],
        ),
        numbers(
            "u16",
            UInt16Array::from(vec![0, 1, 40000, 65535]),
            &["0", "1", "40000", "65535"],
        ),
        numbers(
            "u32",
            UInt32Array::from(vec![0, 1, 2, u32::MAX]),
            &["0", "1", "2", "4294967295"],
        ),
        numbers(
            "u64",
            UInt64Array::from(vec![0, 1, 1 << 63, u64::MAX]),
            &["0", "1", "9223372036854775808", "18446744073709551615"],
        ),
        numbers(
            "f32",
            Float32Array::from(vec![-0.2, 0.1, 0.3, 16777216.0]),
            &["-0.2", "0.1", "0.3", "16777216.0"],
        ),
        numbers(
            "f16",
            Float16Array::from(halves.to_vec()),
            &["-2.0", "0.1", "0.5", "65500.0"],
        ),
    ]
}

/// Moments, times of day and spans.
fn times() -> Vec<Kind> {
    let moments = vec![-1, 1, 2, 1_590_335_330_162_702_714];
    let utc = TimestampNanosecondArray::from(moments.clone()).with_timezone("America/New_York");
    vec![
        kind(
            "tns",
            TimestampNanosecondArray::from(moments),
            &[
                "1969-12-31T23:59:59.999999999",
                "1970-01-01T00:00:00.000000001",
                "1970-01-01T00:00:00.000000002",
                "2020-05-24T15:48:50.162702714",
            ],
        ),
        kind(
            "tnsz",
            utc,
            &[
                "1969-12-31T23:59:59.999999999Z",
                "1970-01-01T00:00:00.000000001Z",
                "1970-01-01T00:00:00.000000002Z",
                "2020-05-24T15:48:50.162702714Z",
            ],
        ),
        kind(
            "tms",
            TimestampMillisecondArray::from(vec![-1, 0, 1, 2]),
            &[
                "1969-12-31T23:59:59.999",
                "1970-01-01T00:00:00",
                "1970-01-01T00:00:00.001",
                "1970-01-01T00:00:00.002",
            ],
        ),
        kind(
            "time_ns",
            Time64NanosecondArray::from(vec![0, 1, 2, 86_399_999_999_999]),
            &[
                "00:00:00",
                "00:00:00.000000001",
                "00:00:00.000000002",
                "23:59:59.999999999",
            ],
        ),
        kind(
            "time_us",
            Time64MicrosecondArray::from(vec![0, 1, 3_600_000_000, 86_399_999_999]),
            &["00:00:00", "00:00:00.000001", "01:00:00", "23:59:59.999999"],
        ),
        kind(
            "time_ms",
            Time32MillisecondArray::from(vec![0, 1, 3_600_000, 86_399_999]),
            &["00:00:00", "00:00:00.001", "01:00:00", "23:59:59.999"],
        ),
        kind(
            "span_ns",
            DurationNanosecondArray::from(vec![-1, 0, 1, 90_000_000_000]),
            &["-PT0.000000001S", "PT0S", "PT0.000000001S", "PT90S"],
        ),
        kind(
            "span_s",
            DurationSecondArray::from(vec![-1, 0, 1, 90]),
            &["-PT1S", "PT0S", "PT1S", "PT90S"],
        ),
    ]
}

/// Bytes, UUIDs and long decimals.
fn bytes() -> Vec<Kind> {
    let all: [&[u8]; 4] = [b"", b"\\x41", "caf\u{e9}".as_bytes(), b"\xff\x00"];
    let three: [&[u8]; 4] = [b"\x00\x00\x00", b"abc", b"abd", b"\xff\xff\xff"];
    let ids: [u128; 4] = [0, 1, 0x7fff_0000_0000_4000_8000_0000_0000_0001, u128::MAX];
    let ids = ids.map(u128::to_be_bytes);
    let sixteen = || FixedSizeBinaryArray::try_from_iter(ids.iter()).unwrap();
    let wide = [
        "-12345678901234567890123456789012345678901234",
        "-1",
        "0",
        "99999999999999999999999999999999999999999",
    ];
    let wide = wide.map(|t| i256::from_string(t).unwrap());
    vec![
        kind(
            "bin",
            BinaryArray::from(all.to_vec()),
            &["", "\\x5Cx41", "café", "\\xFF\\x00"],
        ),
        kind(
            "fix3",
            FixedSizeBinaryArray::try_from_iter(three.iter()).unwrap(),
            &["\\x00\\x00\\x00", "abc", "abd", "\\xFF\\xFF\\xFF"],
        ),
        kind(
            "uuid",
            sixteen(),
            &[
                "00000000-0000-0000-0000-000000000000",
                "00000000-0000-0000-0000-000000000001",
                "7fff0000-0000-4000-8000-000000000001",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
            ],
        ),
        kind(
            "dec",
            Decimal256Array::from(wide.to_vec())
                .with_precision_and_scale(60, 2)
                .unwrap(),
            &[
                "-123456789012345678901234567890123456789012.34",
                "-0.01",
                "0.00",
                "999999999999999999999999999999999999999.99",
            ],
        ),
    ]
}

/// The value of each row, by its place among the four; a null for none.
const ROWS: [Option<usize>; 14] = [
    Some(3),
    None,
    Some(0),
    Some(2),
    Some(1),
    Some(2),
    Some(0),
    Some(1),
    None,
    Some(3),
    Some(3),
    Some(0),
    Some(2),
    Some(3),
];

fn rows_of(kind: &Kind) -> ArrayRef {
    let at = ROWS.iter().map(|r| r.map(|r| r as u32));
    arrow::compute::take(&kind.values, &at.collect::<UInt32Array>(), None).unwrap()
}

/// A Parquet file with a column `id` and one of each kind.
fn file(f: &Folder, name: &str, kinds: &[Kind]) -> String {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS.len() as i64));
    let mut fields = vec![Field::new("id", DataType::Int64, true)];
    let mut columns = vec![ids];
    for k in kinds {
        let field = Field::new(k.name, k.values.data_type().clone(), true);
        fields.push(match k.name {
            // as Arrow's own writers do where they know of UUIDs
            "uuid" => {
                let mut notes = field.metadata().clone();
                notes.insert("ARROW:extension:name".to_string(), "arrow.uuid".to_string());
                field.with_metadata(notes)
            }
            _ => field,
        });
        columns.push(rows_of(k));
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let path = f.at(name);
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

/// Lines of CSV, the header left out.
fn lines(sql: &str) -> Vec<String> {
    let ran = run(["sql", "--csv", sql]).done();
    ran.text().lines().skip(1).map(str::to_string).collect()
}

/// A text as a field of CSV.
fn cell(text: &str) -> String {
    match text {
        "" => "\"\"".to_string(),
        t => t.to_string(),
    }
}

/// The ids of rows that have one of some values.
fn ids(with: &[usize]) -> String {
    let all = ROWS.iter().enumerate();
    let all = all.filter(|(_, r)| r.is_some_and(|r| with.contains(&r)));
    all.map(|(i, _)| i.to_string()).collect::<Vec<_>>().join(" ")
}

fn check(kinds: Vec<Kind>) {
    let f = Folder::new();
    let path = file(&f, "kinds.parquet", &kinds);
    for k in &kinds {
        let c = k.name;
        let texts: Vec<String> = k.texts.iter().map(|t| cell(t)).collect();
        let count = |v: Option<usize>| ROWS.iter().filter(|r| **r == v).count();
        let first = |v: Option<usize>| ROWS.iter().position(|r| *r == v).unwrap();

        let groups: Vec<String> = (0..4)
            .map(|v| format!("{},{},{}", texts[v], count(Some(v)), first(Some(v))))
            .chain([format!(",{},{}", count(None), first(None))])
            .collect();
        assert_eq!(
            lines(&format!(
                "select {c}, count(*), min(id) from '{path}' group by {c} order by {c}"
            )),
            groups,
            "groups of {c}"
        );
        let down: Vec<String> = texts.iter().rev().cloned().chain([String::new()]).collect();
        let one_column = |l: Vec<String>| l.into_iter().map(|t| t.replace("\"\"", "")).collect::<Vec<_>>();
        assert_eq!(
            one_column(lines(&format!(
                "select distinct {c} from '{path}' order by {c} desc"
            ))),
            one_column(down),
            "distinct {c}"
        );
        let known = ROWS.iter().flatten().count();
        assert_eq!(
            lines(&format!(
                "select count({c}), count(distinct {c}), min({c}), max({c}), max({c}) filter (where id in (4, 6)), \
                 first({c} order by id), mode({c}), arg_max(id, {c}), arg_min({c}, id) from '{path}'"
            )),
            [format!(
                "{known},4,{},{},{},{},{},0,{}",
                texts[0], texts[3], texts[1], texts[3], texts[3], texts[3]
            )],
            "aggregates of {c}"
        );
        let pairs: usize = (0..4).map(|v| count(Some(v)).pow(2)).sum();
        assert_eq!(
            lines(&format!(
                "select count(*) from '{path}' a join '{path}' b on a.{c} = b.{c}"
            )),
            [pairs.to_string()],
            "join on {c}"
        );
        let literal = |v: usize| match k.number {
            true => k.texts[v].to_string(),
            false => format!("'{}'", k.texts[v]),
        };
        for (condition, with) in [
            (format!("{c} = {}", literal(1)), vec![1]),
            (format!("{c} < {}", literal(2)), vec![0, 1]),
            (format!("{c} >= {}", literal(2)), vec![2, 3]),
            (format!("{c} in ({}, {})", literal(0), literal(3)), vec![0, 3]),
            (
                format!("{c} between {} and {}", literal(1), literal(2)),
                vec![1, 2],
            ),
            (format!("{c} <> {}", literal(0)), vec![1, 2, 3]),
            (format!("{c} = (select max({c}) from '{path}')"), vec![3]),
        ] {
            let got = lines(&format!("select id from '{path}' where {condition} order by id")).join(" ");
            assert_eq!(got, ids(&with), "{condition}");
        }
        let windows = lines(&format!(
            "select id, row_number() over (partition by {c} order by id), rank() over (order by {c}, {c}), \
             min({c}) over (), first_value({c}) over (order by {c} desc), lag({c}) over (order by id) \
             from '{path}' order by id"
        ));
        for (id, line) in windows.iter().enumerate() {
            let own = ROWS[id];
            let number = ROWS[..=id].iter().filter(|r| **r == own).count();
            let before = ROWS
                .iter()
                .flatten()
                .filter(|r| own.is_none_or(|own| **r < own))
                .count();
            let last = id
                .checked_sub(1)
                .and_then(|i| ROWS[i])
                .map(|v| texts[v].clone())
                .unwrap_or_default();
            let want = format!("{id},{number},{},{},{},{last}", before + 1, texts[0], texts[3]);
            assert_eq!(*line, want, "windows over {c}");
        }
        let text = lines(&format!(
            "select id, cast({c} as text), '<' || cast({c} as text) || '>' from '{path}' where id = 3"
        ));
        assert_eq!(text, [format!("3,{},<{}>", texts[2], k.texts[2])], "text of {c}");
        if k.number && c.starts_with('f') {
            let near = lines(&format!(
                "select coalesce({c}, 0.1) || '' from '{path}' where id = 1"
            ));
            assert_eq!(near, ["0.1"], "a literal beside {c}");
        }
        let same = lines(&format!(
            "select count(*) from '{path}' where coalesce({c}, null) is not distinct from {c}"
        ));
        assert_eq!(same, [ROWS.len().to_string()], "coalesce of {c}");
    }
    rewritten(&f, &path, &kinds);
    settings(&path, &kinds);
}

/// Written again, as they are and after they went through operators, with the types of the file.
fn rewritten(f: &Folder, path: &str, kinds: &[Kind]) {
    let names: Vec<&str> = kinds.iter().map(|k| k.name).collect();
    let names = names.join(", ");
    let sorted = format!("select id, {names} from '{path}' order by id");
    let out = f.at("again.parquet");
    let out = out.as_str();
    run(["sql", &sorted, "-o", out]).done().quietly();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(out).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(|b| b.unwrap()).collect();
    let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    for k in kinds {
        let column = batch.column_by_name(k.name).unwrap();
        let want = rows_of(k);
        let want = match want.data_type() {
            DataType::Timestamp(unit, Some(_)) => {
                arrow::compute::cast(&want, &DataType::Timestamp(*unit, Some("UTC".into()))).unwrap()
            }
            _ => want,
        };
        assert_eq!(column, &want, "{} in Parquet", k.name);
    }
    let again = run(["sql", "--csv", &sorted.replace(path, out)]).done();
    assert_eq!(again.text(), run(["sql", "--csv", &sorted]).done().text());

    let out = f.at("again.arrow");
    let out = out.as_str();
    let all: Vec<String> = kinds.iter().map(|k| format!("min({0}) as {0}", k.name)).collect();
    let least = format!("select {} from '{path}'", all.join(", "));
    run(["sql", &least, "-o", out]).done().quietly();
    let mut reader = arrow::ipc::reader::FileReader::try_new(File::open(out).unwrap(), None).unwrap();
    let batch = reader.next().unwrap().unwrap();
    for k in kinds {
        let column = batch.column_by_name(k.name).unwrap();
        let ty = match k.values.data_type() {
            DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
            other => other.clone(),
        };
        assert_eq!(*column.data_type(), ty, "the least {}", k.name);
    }
}

/// The same bytes for any number of threads and with little memory.
fn settings(path: &str, kinds: &[Kind]) {
    let names: Vec<&str> = kinds.iter().map(|k| k.name).collect();
    let keys = names.join(", ");
    let most: Vec<String> = names.iter().map(|n| format!("max({n})")).collect();
    let sql = format!(
        "select {keys}, n, {} from (select a.*, b.id n from '{path}' a join '{path}' b on a.{1} = b.{1}) \
         group by {keys}, n order by {keys}, n",
        most.join(", "),
        names[0]
    );
    let mut all = Vec::new();
    for (threads, memory) in [("1", "1GiB"), ("4", "1GiB"), ("4", "24MiB")] {
        let ran = run(["sql", "--csv", "--threads", threads, "--memory", memory, &sql]);
        all.push(ran.done().text().to_string());
    }
    assert!(all[0].lines().count() > 4);
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
}

#[test]
fn numbers_of_every_width() {
    check(narrow());
}

#[test]
fn moments_times_and_spans() {
    check(times());
}

#[test]
fn bytes_uuids_and_long_decimals() {
    check(bytes());
}

/// The one value of a query.
#[track_caller]
fn one(expression: &str) -> String {
    let all = lines(&format!("select {expression}"));
    assert_eq!(all.len(), 1, "{expression}");
    all[0].clone()
}

#[test]
fn spans_of_time_are_values() {
    for (expression, want) in [
        ("timestamp '2020-01-02' - timestamp '2020-01-01'", "1 day"),
        (
            "timestamp '2020-03-01 12:00:00' - timestamp '2020-01-01 13:30:00'",
            "59 days 22:30:00",
        ),
        (
            "timestamp '2020-01-01' - timestamp '2020-01-02 01:00:00'",
            "-1 days -01:00:00",
        ),
        (
            "'2020-01-01 00:00:00.000000003'::timestamp_ns - timestamp '2020-01-01'",
            "00:00:00.000000003",
        ),
        (
            "date '2020-01-03' - timestamp '2020-01-01 12:00:00'",
            "1 day 12:00:00",
        ),
        ("interval '1 day' * 3", "3 days"),
        ("interval '1 month' + interval '36 hours'", "1 month 36:00:00"),
        ("-(interval '1 day')", "-1 days"),
        ("interval '30 days' = interval '1 month'", "true"),
        ("interval '1 day' < interval '25 hours'", "true"),
        (
            "epoch(timestamp '2020-01-02 00:00:01' - timestamp '2020-01-01')",
            "86401.0",
        ),
        (
            "timestamp '2020-01-01' + (timestamp '2020-01-03' - timestamp '2020-01-02')",
            "2020-01-02T00:00:00",
        ),
        (
            "'2020-01-01 00:00:00.000000003'::timestamp_ns + interval '1 month'",
            "2020-02-01T00:00:00.000000003",
        ),
        ("time '23:30:00' + interval '1 hour'", "00:30:00"),
        ("time '10:00' - time '09:15'", "00:45:00"),
        ("cast(timestamp '2020-01-02 03:04:05.5' as time)", "03:04:05.5"),
        ("hour(time '10:20:30')", "10"),
        ("cast('1 year 2 days' as interval)", "1 year 2 days"),
        ("greatest(interval '1 month', interval '29 days')", "1 month"),
        (
            "date_trunc('second', '2020-01-01 00:00:01.000000003'::timestamp_ns)",
            "2020-01-01T00:00:01",
        ),
        (
            "epoch_ns('1970-01-01 00:00:01.000000003'::timestamp_ns)",
            "1000000003",
        ),
        (
            "cast('2020-01-01 00:00:00.123456789' as timestamp_ns)",
            "2020-01-01T00:00:00.123456789",
        ),
    ] {
        assert_eq!(one(expression), want, "{expression}");
    }
    assert_eq!(
        lines(
            "select max(d), min(d), count(distinct d), first(d) from (select b - a d from (values \
             (timestamp '2020-01-01', timestamp '2020-02-15'), (timestamp '2020-01-01', timestamp '2020-01-02')) t(a, b))"
        ),
        ["45 days,1 day,2,45 days"]
    );
    assert_eq!(
        lines(
            "select sum(b - a), avg(b - a), avg(cast(b - a as duration)) from (values \
             (timestamp '2020-01-01', timestamp '2020-02-15'), (timestamp '2020-01-01', timestamp '2020-01-02')) t(a, b)"
        ),
        ["46 days,23 days,PT1987200S"]
    );
    // further than nanoseconds reach: later than all of them, and told where it must be one
    assert_eq!(one("'2020-01-01'::timestamp_ns < timestamp '9999-12-31'"), "true");
    run(["sql", "select cast(timestamp '9999-12-31' as timestamp_ns)"])
        .failed(1)
        .says(&["9999-12-31"]);
}

#[test]
fn bytes_are_text_where_they_are() {
    for (expression, want) in [
        ("hex(encode('é'))", "C3A9"),
        ("decode(unhex('C3A9'))", "é"),
        ("upper(unhex('616263'))", "ABC"),
        ("unhex('616263') like 'a%'", "true"),
        ("unhex('616263') = 'abc'", "true"),
        ("unhex('00FF')", "\\x00\\xFF"),
        ("cast('\\x00\\xFF' as blob) = unhex('00FF')", "true"),
        ("base64(encode('abc'))", "YWJj"),
        ("from_base64('YWJj') || 'd'", "abcd"),
        ("octet_length(unhex('0000'))", "2"),
        ("x'c3a9'", "é"),
        ("x'00ff' = unhex('00FF')", "true"),
        (
            "cast('00112233445566778899AABBCCDDEEFF' as uuid)",
            "00112233-4455-6677-8899-aabbccddeeff",
        ),
        (
            "uuid '00112233-4455-6677-8899-aabbccddeeff' = '{00112233-4455-6677-8899-AABBCCDDEEFF}'",
            "true",
        ),
        (
            "hex(uuid '00112233-4455-6677-8899-aabbccddeeff')",
            "00112233445566778899AABBCCDDEEFF",
        ),
    ] {
        assert_eq!(one(expression), want, "{expression}");
    }
    run(["sql", "select upper(unhex('FF'))"])
        .failed(1)
        .says(&["\\xFF", "UTF-8"]);
    run(["sql", "select cast('x' as uuid)"])
        .failed(1)
        .says(&["'x'", "uuid"]);
    assert_eq!(
        lines(
            "select x, count(*) from (values (uuid '00000000-0000-0000-0000-000000000001')) t(x) group by x"
        ),
        ["00000000-0000-0000-0000-000000000001,1"]
    );
}

/// Values that a type should not have, and values within others.
#[test]
fn odd_times_and_nested_values() {
    let f = Folder::new();
    let moments = TimestampNanosecondArray::from(vec![Some(1), None]).with_timezone("Asia/Tokyo");
    let inner = Field::new("t", moments.data_type().clone(), true);
    let text = Field::new("s", DataType::Utf8, true);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![None, Some("null")]));
    let zoned = StructArray::from(vec![
        (Arc::new(inner), Arc::new(moments) as ArrayRef),
        (Arc::new(text), texts),
    ]);
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), Some(vec![])]);
    let odd: ArrayRef = Arc::new(Time32MillisecondArray::from(vec![-1, 86_400_000]));
    let batch = RecordBatch::try_from_iter([
        ("odd", odd),
        ("zoned", Arc::new(zoned) as ArrayRef),
        ("list", Arc::new(lists) as ArrayRef),
    ])
    .unwrap();
    let path = f.at("odd.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let path = path.as_str();
    assert_eq!(
        lines(&format!("select * from '{path}' order by odd")),
        [
            "-00:00:00.001,\"{\"\"t\"\":\"\"1970-01-01T00:00:00.000000001Z\"\",\"\"s\"\":null}\",\"[1,null]\"",
            "24:00:00,\"{\"\"t\"\":null,\"\"s\"\":\"\"null\"\"}\",[]",
        ]
    );
    assert_eq!(
        lines(&format!(
            "select count(distinct list), min(list), count(zoned) from '{path}' where odd < '01:00'"
        )),
        ["1,\"[1,null]\",1"]
    );
    assert_eq!(
        lines(&format!(
            "select list, count(*) from '{path}' group by list order by list"
        )),
        ["[],1", "\"[1,null]\",1"]
    );
    let out = f.at("odd.jsonl");
    run(["query", path, "-o", &out]).done().quietly();
    assert!(std::fs::read_to_string(&out).unwrap().starts_with(
        "{\"odd\":\"-00:00:00.001\",\"zoned\":{\"t\":\"1970-01-01T00:00:00.000000001Z\",\"s\":null},\"list\":[1,null]}\n"
    ));
}

/// What Parquet keeps in twelve bytes.
#[test]
fn intervals_go_to_parquet_and_back() {
    let f = Folder::new();
    let out = f.at("spans.parquet");
    let out = out.as_str();
    let values = "(values (1, interval '1 month 2 days'), (2, interval '32 days'), (3, interval '1500 milliseconds'), \
                  (4, null), (5, interval '32 days')) t(i, v)";
    run(["sql", &format!("select * from {values}"), "-o", out])
        .done()
        .quietly();
    assert_eq!(
        lines(&format!("select * from '{out}'")),
        ["1,1 month 2 days", "2,32 days", "3,00:00:01.5", "4,", "5,32 days"]
    );
    assert_eq!(
        lines(&format!("select count(distinct v), max(v), min(v) from '{out}'")),
        ["2,1 month 2 days,00:00:01.5"]
    );
    assert_eq!(
        lines(&format!(
            "select i from '{out}' where v = '1 month 2 days' order by i"
        )),
        ["1", "2", "5"]
    );
    run(["sql", "select -(interval '1 day') v", "-o", out])
        .failed(1)
        .says(&["-1 day", "text"]);
}

/// NaN is told from null where the format can, and else it is said.
#[test]
fn nan_in_csv_is_said() {
    let f = Folder::new();
    let out = f.at("x.csv");
    let sql = "select * from (values (1, 'nan'::double), (2, 0.5), (3, null)) t(i, x)";
    run(["sql", sql, "-o", &out])
        .done()
        .says(&["a value is NaN", "null"]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "i,x\n1,NaN\n2,0.5\n3,\n");
    let out = f.at("x.parquet");
    run(["sql", sql, "-o", &out]).done().quietly();
    assert_eq!(lines(&format!("select count(x) from '{}'", out)), ["2"]);
}

/// Values that stand between, or beside, floats of 32 bits are such floats themselves, wherever a query looks at them.
#[test]
fn results_of_narrow_floats_are_narrow() {
    let f = Folder::new();
    let path = f.at("f.parquet");
    let (k, x): (ArrayRef, ArrayRef) = (
        Arc::new(Int64Array::from(vec![1, 1, 2, 3, 4])),
        Arc::new(Float32Array::from(vec![
            Some(0.1),
            Some(0.2),
            Some(0.3),
            Some(f32::INFINITY),
            None,
        ])),
    );
    let batch = RecordBatch::try_from_iter_with_nullable([("k", k, true), ("f", x, true)]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let ask = |sql: &str| {
        let sql = sql.replace("FILE", &format!("'{path}'"));
        run(["sql", &sql]).done().text().replace('\n', " ")
    };
    let over = "over (order by f)";
    let part = "over (partition by k)";
    for (sql, want) in [
        ("select k from FILE group by k having median(f) = 0.15", "k 1 "),
        (
            "select k from (select k, quantile(f, 0.5) m from FILE group by k) where m = 0.15",
            "k 1 ",
        ),
        (
            &format!("select k from (select k, median(f) {part} m from FILE) where m = 0.15"),
            "k 1 1 ",
        ),
        (
            &format!("select k from (select k, lag(f) {over} m from FILE) where m = 0.1"),
            "k 1 ",
        ),
        (
            &format!("select k from (select k, lag(f, 1, 0.15) {over} m from FILE) where m = 0.15"),
            "k 1 ",
        ),
        (
            &format!("select k from (select k, min(f) {over} m from FILE) where m = 0.1"),
            "k 1 1 2 3 4 ",
        ),
        (
            &format!("select k from FILE qualify first_value(f) {over} = 0.1"),
            "k 1 1 2 3 4 ",
        ),
        (
            "select k, least(f, 0.15) m from FILE where least(f, 0.15) = 0.15",
            "k,m 1,0.15 2,0.15 3,0.15 4,0.15 ",
        ),
        (
            "select k from (select k, greatest(f, 0.15) m from FILE) where m = 0.15",
            "k 1 4 ",
        ),
        (
            "select k, cast(least(f, 0.15) as text) m from FILE where k = 2",
            "k,m 2,0.15 ",
        ),
        (
            "select k, -f a, abs(-f) b, round(f) c from FILE where k < 3 and -f <> -0.2",
            "k,a,b,c 1,-0.1,0.1,0.0 2,-0.3,0.3,0.0 ",
        ),
        ("select k from FILE where abs(-f) = 0.1 or -f = -0.3", "k 1 2 "),
        (
            "select k, cast(-f as text) a, case when k = 1 then -f else 0.15 end b from FILE where k < 3",
            "k,a,b 1,-0.1,-0.1 1,-0.2,-0.2 2,-0.3,0.15 ",
        ),
        // CASE by masks and row by row
        (
            "select k from (select k, case when k > 1 then f else 0.15 end m from FILE) where m = 0.15",
            "k 1 1 ",
        ),
        (
            "select k, case when f < 0.15 then f else 0.15 end m from FILE where k < 3",
            "k,m 1,0.1 1,0.15 2,0.15 ",
        ),
        (
            "select k, case when f > 3.5e38 then 'far' when f = 0.1 then 'near' end m from FILE",
            "k,m 1,near 1, 2, 3,far 4, ",
        ),
        (
            "select k, case k when 1 then f when 2 then 7 end m from FILE",
            "k,m 1,0.1 1,0.2 2,7.0 3, 4, ",
        ),
        // beyond all floats of 32 bits that are finite
        ("select k from FILE where f > 3.5e38", "k 3 "),
        ("select k from FILE where f < 3.5e38", "k 1 1 2 "),
        (
            "select k from FILE where f in (0.1, 3.5e38, 1e39, 1e40, 1e41)",
            "k 1 ",
        ),
        ("select k from FILE where f between 3.5e38 and 1e300", "k "),
        ("select greatest(f, 1e300) m from FILE where k = 3", "m inf "),
        ("select least(f, 1e300) m from FILE where k = 3", "m 1e300 "),
    ] {
        assert_eq!(ask(sql), want, "{sql}");
        let folded = sql.replace("FILE", &format!("'{path}'"));
        let plain = run(["sql", "--no-optimize", &folded]).done();
        assert_eq!(plain.text().replace('\n', " "), want, "as written: {sql}");
    }
    let flag = run(["query", &path, "-w", "f > 3.5e38", "-s", "k"]).done();
    assert_eq!(flag.text(), "k\n3\n");
}

/// 1 month and 30 days are equal, but not the same: what chooses among intervals hands on one of them.
#[test]
fn intervals_come_back_as_they_were() {
    let f = Folder::new();
    let path = f.file(
        "i.csv",
        "k,j,t\n1,1,1 month\n1,2,30 days\n2,1,1 day\n2,2,1 month\n3,1,\n",
    );
    let rows = format!("(select k, j, cast(t as interval) i from '{path}')");
    for (sql, want) in [
        (
            "select date '2024-01-31' + greatest(interval '1 month', interval '1 day') d",
            "d 2024-02-29T00:00:00 ",
        ),
        (
            "select k, max(i) a, min(i) b, first(i) c, last(i) d, any_value(i) e, arg_max(i, j) f, mode(i) g \
             from ROWS group by k",
            "k,a,b,c,d,e,f,g 1,1 month,30 days,1 month,30 days,1 month,30 days,1 month \
             2,1 month,1 day,1 day,1 month,1 day,1 month,1 day 3,,,,,,, ",
        ),
        (
            "select k, first(i order by j desc) a, last(i) filter (where j = 1) b from ROWS group by k",
            "k,a,b 1,30 days,1 month 2,1 month,1 day 3,, ",
        ),
        ("select max(i) a, first(i) b from ROWS", "a,b 1 month,1 month "),
        ("select distinct i from ROWS", "i 1 day 1 month  "),
        (
            "select i, count(*) n from ROWS group by i",
            "i,n 1 day,1 1 month,3 ,1 ",
        ),
        (
            "select k, i, count(*) n from ROWS where k < 3 group by rollup(k, i)",
            "k,i,n 1,1 month,2 1,,2 2,1 day,1 2,1 month,1 2,,2 ,,4 ",
        ),
        ("select i from ROWS union select i from ROWS", "i 1 day 1 month  "),
        (
            "select i from ROWS intersect select interval '30 days'",
            "i 1 month ",
        ),
        (
            "select k, max(i) over (partition by k) a, least(i, interval '60 days') b from ROWS where k = 1",
            "k,a,b 1,1 month,1 month 1,1 month,30 days ",
        ),
        ("select count(distinct i) n from ROWS", "n 2 "),
    ] {
        let sql = sql.replace("ROWS", &rows);
        for more in [
            &["--memory", "32MiB"][..],
            &["--no-optimize"],
            &["-j", "3", "--blocksize", "16"],
        ] {
            let got = run(["sql", &sql].iter().chain(more)).done();
            assert_eq!(got.text().replace('\n', " "), want, "{sql} {more:?}");
        }
    }
}
