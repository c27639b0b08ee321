//! Whole expressions: from text to values.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use proptest::prelude::*;

use super::cast::{array_scalar, scalar_text};
use super::*;
use crate::error::Result;
use crate::kernel::{Batch, Scalar, types};

fn schema() -> Schema {
    let f = |n: &str, t: DataType| Field::new(n, t, true);
    Schema::new(vec![
        f("i", DataType::Int64),
        f("f", DataType::Float64),
        f("s", types::TEXT),
        f("b", DataType::Boolean),
        f("d", DataType::Date32),
        f("t", types::timestamp()),
        f("m", DataType::Decimal128(10, 2)),
        f("Origin", types::TEXT),
    ])
}

/// Four rows; the last is all null. Origin is a dictionary.
fn batch() -> Batch {
    let origin: DictionaryArray<Int32Type> = {
        let keys = Int32Array::from(vec![Some(0), Some(1), Some(0), None]);
        DictionaryArray::new(keys, Arc::new(StringViewArray::from(vec!["JFK", "EWR"])))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), Some(-2), Some(0), None])),
        Arc::new(Float64Array::from(vec![
            Some(1.5),
            Some(f64::NAN),
            Some(-0.0),
            None,
        ])),
        Arc::new(StringViewArray::from(vec![
            Some("hello"),
            Some("été"),
            Some(""),
            None,
        ])),
        Arc::new(BooleanArray::from(vec![
            Some(true),
            Some(false),
            Some(true),
            None,
        ])),
        Arc::new(Date32Array::from(vec![Some(15800), Some(0), Some(-1), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![
            Some(1),
            Some(0),
            Some(86_400_000_000),
            None,
        ])),
        Arc::new(
            Decimal128Array::from(vec![Some(150), Some(-250), Some(0), None])
                .with_data_type(DataType::Decimal128(10, 2)),
        ),
        Arc::new(origin),
    ];
    Batch::new(columns, 4, 0)
}

fn values(text: &str, batch: &Batch) -> Result<Vec<String>> {
    let e = parse(text)?;
    let run = |e: &Expr| -> Result<Vec<String>> {
        let evaluator = Evaluator::bind(e, &schema())?;
        let out = super::cast::plain(&evaluator.eval(batch)?)?;
        assert_eq!(out.data_type(), evaluator.data_type(), "{text}");
        let show = |i| match array_scalar(&out, i) {
            Scalar::Null => "null".to_string(),
            v => scalar_text(&v),
        };
        Ok((0..out.len()).map(show).collect())
    };
    let plain = run(&e);
    let folded = run(&fold(e.clone()));
    assert_eq!(
        plain.as_ref().ok(),
        folded.as_ref().ok(),
        "{text} folded to {}",
        fold(e.clone())
    );
    assert_eq!(parse(&e.to_string()).unwrap(), e, "{text} shown as {e}");
    plain
}

/// The value of an expression that needs no column.
pub(super) fn one_value(text: &str) -> String {
    let got = values(text, &batch().slice(0, 1)).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    got.concat()
}

#[test]
fn examples_of_all_functions_hold() {
    for f in functions() {
        assert_eq!(f.func.info().name, f.name);
        let got = values(f.example, &batch().slice(0, 1)).unwrap_or_else(|e| panic!("{}: {e:?}", f.example));
        assert_eq!(got, ["true"], "{}", f.example);
    }
}

#[test]
fn expressions_over_columns() {
    let table: &[(&str, &str)] = &[
        ("i + 1", "2 -1 1 null"),
        ("2 * i ** 2", "2.0 8.0 0.0 null"),
        ("(i + 1) ^ 2 - 1", "3.0 0.0 0.0 null"),
        ("i & 3 | 0", "ERROR"),
        ("(i & 3) | 8", "9 10 8 null"),
        ("1 << i + 2", "8 1 4 null"),
        ("i * 2.5", "2.5 -5.0 0.0 null"),
        ("i / 0", "inf -inf NaN null"),
        ("7 // 2", "3 3 3 3"),
        ("-7 % 3", "-1 -1 -1 -1"),
        ("-i", "-1 2 0 null"),
        ("m + i", "2.50 -4.50 0.00 null"),
        ("m > 1", "true false false null"),
        ("f = f", "true true true null"),
        ("f > 1e300", "false true false null"),
        ("f = 0.0", "false false true null"),
        ("i IS NULL", "false false false true"),
        ("i IS DISTINCT FROM NULL", "true true true false"),
        ("b AND i > 0", "true false false null"),
        ("b OR i > 0", "true false true null"),
        ("NOT b", "false true false null"),
        ("!b && i == 1 || ''", ""), // replaced below: || joins text, hence an error
        ("i BETWEEN 0 AND 1", "true false true null"),
        ("i IN (1, NULL)", "true null null null"),
        ("i NOT IN (1, 2, 3, 4)", "false true true null"),
        ("s IN ('hello', 'a', 'b', 'c')", "true false false null"),
        ("s LIKE 'h%o'", "true false false null"),
        ("s LIKE '_t_'", "false true false null"),
        ("s ILIKE 'HE%'", "true false false null"),
        ("s ~ '^h'", "true false false null"),
        ("length(s)", "5 3 0 null"),
        ("upper(s) || '!'", "HELLO! ÉTÉ! ! null"),
        ("Origin = 'JFK'", "true false true null"),
        ("lower(Origin)", "jfk ewr jfk null"),
        ("'EWR' < Origin", "true false true null"),
        ("Origin LIKE 'E%'", "false true false null"),
        ("coalesce(Origin, '?')", "JFK EWR JFK ?"),
        ("coalesce(i, f, 9)", "1.0 -2.0 0.0 9.0"),
        ("CASE WHEN i <> 0 THEN 10 // i END", "10 -5 null null"),
        ("i <> 0 AND 10 // i > 0", "true false false null"),
        ("i = 0 OR 10 // i > 0", "true false true null"),
        ("if(i = 0, 0, 10 // i)", "10 -5 0 null"),
        (
            "CASE i WHEN 1 THEN 'one' WHEN NULL THEN 'no' ELSE 'other' END",
            "one other other other",
        ),
        ("nullif(i, 0)", "1 -2 null null"),
        ("greatest(i, 0, f)", "1.5 NaN 0.0 0.0"),
        ("round(f)", "2.0 NaN -0.0 null"),
        ("round(m, 1)", "1.50 -2.50 0.00 null"),
        ("round(m)", "2.00 -3.00 0.00 null"),
        ("cast(f AS int)", "ERROR"),
        ("try_cast(f AS int)", "1 null 0 null"),
        ("cast(1.5 AS int)", "1 1 1 1"),
        ("try_cast(s AS int)", "null null null null"),
        ("i::text", "1 -2 0 null"),
        ("cast(b AS int)", "1 0 1 null"),
        ("d", "2013-04-05 1970-01-01 1969-12-31 null"),
        ("d + 1", "2013-04-06 1970-01-02 1970-01-01 null"),
        ("d + INTERVAL '1 month'", "2013-05-05 1970-02-01 1970-01-31 null"),
        ("d - DATE '1970-01-01'", "15800 0 -1 null"),
        ("d > '1970-01-01'", "true false false null"),
        ("d = t", "false true false null"),
        (
            "t + INTERVAL 1 HOUR",
            "1970-01-01T01:00:00.000001 1970-01-01T01:00:00 1970-01-02T01:00:00 null",
        ),
        ("dayofweek(d)", "4 3 2 null"),
        ("extract(dow FROM d)", "5 4 3 null"),
        ("date_trunc('month', d)", "2013-04-01 1970-01-01 1969-12-01 null"),
        ("week(d)", "14 1 1 null"),
        ("NULL = 1", "null null null null"),
        (
            "9223372036854775807 + 0",
            "9223372036854775807 9223372036854775807 9223372036854775807 9223372036854775807",
        ),
        (
            "-9223372036854775808",
            "-9223372036854775808 -9223372036854775808 -9223372036854775808 -9223372036854775808",
        ),
        ("concat(s, i)", "hello1 été-2 0 "),
        ("i // 0", "ERROR"),
        ("9223372036854775807 + i", "ERROR"),
        ("s = 1", "ERROR"),
        ("d = 'x'", "ERROR"),
        ("Origin == \"JFK\"", "ERROR"),
        ("nosuch(1)", "ERROR"),
        ("sum(i)", "ERROR"),
        ("i +", "ERROR"),
    ];
    for (text, want) in table.iter().filter(|t| !t.1.is_empty()) {
        match values(text, &batch()) {
            Err(e) => assert_eq!(*want, "ERROR", "{text}: {e:?}"),
            Ok(got) => assert_eq!(got.join(" "), *want, "{text}"),
        }
        if *want != "ERROR" {
            let sliced = values(text, &batch().slice(1, 2)).unwrap().join(" ");
            let all = values(text, &batch()).unwrap();
            assert_eq!(sliced, all[1..3].join(" "), "{text} of a slice");
            assert!(
                values(text, &batch().slice(0, 0)).unwrap().is_empty(),
                "{text} of nothing"
            );
        }
    }
}

#[test]
fn three_valued_logic() {
    let v = ["true", "false", "null"];
    for a in v {
        for b in v {
            let and = if a == "false" || b == "false" {
                "false"
            } else if a == b {
                a
            } else {
                "null"
            };
            let or = if a == "true" || b == "true" {
                "true"
            } else if a == b {
                a
            } else {
                "null"
            };
            let (and, or) = if a == "null" && b == "true" || a == "true" && b == "null" {
                ("null", or)
            } else {
                (and, or)
            };
            let one = batch().slice(0, 1);
            assert_eq!(
                values(&format!("{a} AND {b}"), &one).unwrap(),
                [and],
                "{a} AND {b}"
            );
            assert_eq!(values(&format!("{a} OR {b}"), &one).unwrap(), [or], "{a} OR {b}");
        }
    }
}

#[test]
fn names_aggregates_and_comparisons() {
    let (name, e) = parse_named("late = avg(i > 15)").unwrap();
    assert_eq!(name.as_deref(), Some("late"));
    assert_eq!(e.data_type(&schema()).unwrap(), DataType::Float64);
    assert_eq!(parse_named("i > 1").unwrap().0, None);
    assert_eq!(parse("count(DISTINCT s)").unwrap().default_name(), "s_nunique");
    assert_eq!(
        parse("count(*)").unwrap().data_type(&schema()).unwrap(),
        DataType::Int64
    );
    for text in [
        "quantile(f, 0.95)",
        "sum(i) FILTER (WHERE b) / count(*)",
        "sum(b)",
        "stddev_pop(f)",
        "mode(i)",
        "product(f)",
        "kurtosis(i)",
        "geomean(f)",
    ] {
        let e = parse(text).unwrap();
        assert!(e.has_aggregate());
        assert_eq!(parse(&e.to_string()).unwrap(), e);
        e.data_type(&schema()).unwrap();
    }
    assert!(parse("sum(s)").unwrap().data_type(&schema()).is_err());
    assert_eq!(
        parse("15 < i").unwrap().as_comparison(),
        Some(("i".into(), CompareOp::Gt, Scalar::Int(15)))
    );
    assert_eq!(parse("a AND b AND c OR d").unwrap().conjuncts().len(), 1);
    assert_eq!(parse("(a AND b) AND (c AND d)").unwrap().conjuncts().len(), 4);
}

#[test]
fn narrow_batches() {
    let e = parse("s = 'hello' AND 10 // i > 1").unwrap();
    let narrow = Evaluator::bind_narrow(&e, &schema()).unwrap();
    assert_eq!(narrow.columns(), [0, 2]);
    let part = batch().select(narrow.columns());
    assert_eq!(
        narrow.eval_mask(&part).unwrap(),
        BooleanArray::from(vec![true, false, false, false])
    );
}

#[test]
fn errors_help() {
    let schema = schema();
    let help = |t: &str| {
        let e = parse(t)
            .and_then(|e| Evaluator::bind(&e, &schema).map(|_| ()))
            .unwrap_err();
        format!("{} / {}", e.what(), e.help_text().unwrap_or(""))
    };
    assert!(
        help("Orign = 3").contains("did you mean Origin?"),
        "{}",
        help("Orign = 3")
    );
    assert!(help("Origin == \"JFK\"").contains("single quotes"));
    assert!(help("uper(s)").contains("did you mean upper?"));
    assert!(help("s + 1").contains("cast(x AS double)"));
    assert!(!help("s + 1").contains("try_cast"));
    let e = point_at(bind::unknown_column("Orign", &schema), "i + Orign");
    assert_eq!(e.span_text().map(|s| s.1), Some(4..9));
}

#[test]
fn monsters_are_errors_or_answers() {
    let deep = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
    assert!(parse(&deep).is_err());
    assert_eq!(
        values(&format!("1{}", " + 1".repeat(3000)), &batch()).unwrap()[0],
        "3001"
    );
    assert!(parse(&format!("1{}", " + 1".repeat(100_000))).is_err());
    assert!(parse(&format!("{}true", "NOT ".repeat(3000))).is_err());
    assert!(parse(&"-".repeat(3000)).is_err());
    let chain = vec!["i = 1"; 1000].join(" OR ");
    assert_eq!(
        values(&chain, &batch()).unwrap().join(" "),
        "true false false null"
    );
    let list = (0..20_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(
        values(&format!("i IN ({list})"), &batch()).unwrap().join(" "),
        "true false true null"
    );
}

#[test]
fn long_chains_are_computed_from_the_left() {
    let same = |short: &str, long: &str| {
        let (short, long) = (values(short, &batch()).unwrap(), values(long, &batch()).unwrap());
        assert_eq!(short, long);
    };
    same("i + 120 * m - 120 * i", &format!("i{}", " + m - i".repeat(120)));
    // types change on the way: int, decimal, float
    same(
        "CAST(i + 60 + 60 * 1.5 AS DOUBLE) + 60 * 0.25",
        &format!(
            "i{}{}{}",
            " + 1".repeat(60),
            " + 1.5".repeat(60),
            " + CAST(0.25 AS DOUBLE)".repeat(60)
        ),
    );
    same("d + 100", &format!("d{}", " + 1".repeat(100)));
    same(
        "s || repeat('ab', 60)",
        &format!("s{}", " || 'a' || 'b'".repeat(60)),
    );
    same("i", &format!("i{}", " * 3 // 3".repeat(70)));
    // where it fails, the sum up to there is not shown under a name of ours
    let e = values(&format!("i{} + s", " + 1".repeat(100)), &batch()).unwrap_err();
    assert!(
        e.what().contains("… + s") || e.what().contains("+ s"),
        "{}",
        e.what()
    );
    assert!(!e.what().contains('\u{0}'), "{:?}", e.what());
    // in a branch that a row does not take, nothing fails
    let chain = format!("i{}", " + 9223372036854775807 - 1".repeat(60));
    same("if(i > 5, i, 7)", &format!("if(i > 5, {chain}, 7)"));
}

#[test]
fn texts_are_literals_of_what_they_meet() {
    let one = |t: &str| values(t, &batch()).map(|v| v.join(" "));
    for (text, want) in [
        ("i = '1'", "true false false null"),
        ("'0' < i", "true false false null"),
        ("i IN ('1', '-2', '7', '8', '9')", "true true false null"),
        ("i BETWEEN '-2' AND '0'", "false true true null"),
        ("f >= '1.5'", "true true false null"),
        ("m = '1.50'", "true false false null"),
        ("m = '1.505'", "false false false null"),
        ("b = 'true'", "true false true null"),
        ("d = '2013-4-5'", "true false false null"),
        ("t > '1970-1-1 9:00:00'", "false false true null"),
        ("coalesce(i, '5')", "1 -2 0 5"),
        ("greatest(i, '0')", "1 0 0 0"),
        ("CASE i WHEN '1' THEN 'one' ELSE s END", "one été  null"),
        ("i + '1'", "2 -1 1 null"),
        ("if(i > 5, error('x'), s)", "hello été  null"),
    ] {
        assert_eq!(one(text).unwrap(), want, "{text}");
    }
    for (text, what) in [
        ("i = 'x'", "'x' is no int64"),
        ("i = '1.5'", "'1.5' is no int64"),
        ("i IN ('1', '2', '3', '4', 'x')", "'x' is no int64"),
        ("d = '2013-02-30'", "is no date"),
        ("b = 'yes'", "is no bool"),
        ("coalesce(i, 'x')", "as the other values of coalesce are"),
    ] {
        let e = one(text).unwrap_err();
        assert!(e.what().contains(what), "{text}: {}", e.what());
    }
}

#[test]
fn rows_of_values_are_compared_part_by_part() {
    let one = |t: &str| values(t, &batch()).map(|v| v.join(" "));
    for (text, want) in [
        ("(i, s) = (1, 'hello')", "true false false null"),
        ("(i, 1) < (0, 0)", "false true false null"),
        ("(i, 1) <= (0, 1)", "false true true null"),
        ("(i, NULL) = (1, 2)", "null false false null"),
        ("(i, 1) IN ((1, 1), (0, 2), (0, i + 1))", "true false true null"),
        ("(i, 1) IS NOT DISTINCT FROM (NULL, 1)", "false false false true"),
        ("(i, 1) BETWEEN (-2, 1) AND (0, 0)", "false true false null"),
    ] {
        assert_eq!(one(text).unwrap(), want, "{text}");
    }
    assert!(
        one("(i, 1) = (1, 2, 3)")
            .unwrap_err()
            .what()
            .contains("of 2 values")
    );
    assert!(
        one("(i, 1) + (1, 2)")
            .unwrap_err()
            .what()
            .contains("no operator +")
    );
}

fn any_expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        Just("i"),
        Just("f"),
        Just("3"),
        Just("-2"),
        Just("0"),
        Just("2.5"),
        Just("NULL")
    ];
    let number = leaf.prop_map(String::from).prop_recursive(4, 24, 3, |inner| {
        let op = prop_oneof![Just("+"), Just("-"), Just("*"), Just("/"), Just("//"), Just("%")];
        let cmp = prop_oneof![
            Just("="),
            Just("<"),
            Just(">="),
            Just("<>"),
            Just("IS DISTINCT FROM")
        ];
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, o, b)| format!("({a}) {o} ({b})")),
            (inner.clone(), cmp, inner.clone(), inner.clone()).prop_map(|(a, o, b, c)| format!(
                "CASE WHEN ({a}) {o} ({b}) AND NOT (({c}) > 1) OR b THEN {c} ELSE {a} END"
            )),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("({a}) + ({b}){}", " + i - 1".repeat(25))),
            inner.prop_map(|a| format!("-({a})")),
        ]
    });
    number.prop_map(|t| parse(&t).unwrap())
}

proptest! {
    #[test]
    fn folding_and_showing_keep_the_meaning(e in any_expr()) {
        let text = e.to_string();
        prop_assert_eq!(&parse(&text).unwrap(), &e, "{}", text);
        let json = serde_json::to_string(&e).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Expr>(&json).unwrap(), &e);
        let run = |e: &Expr| {
            let out = Evaluator::bind(e, &schema()).and_then(|v| v.eval(&batch()));
            out.map(|a| (0..4).map(|i| scalar_text(&array_scalar(&a, i))).collect::<Vec<_>>()).map_err(|e| e.to_string())
        };
        prop_assert_eq!(run(&e), run(&fold(e.clone())), "{} / {}", text, fold(e.clone()));
    }
}
