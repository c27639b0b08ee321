//! Random small tables and random queries, against an evaluator too simple to be wrong: rows in a
//! vector, three-valued conditions as `Option<bool>`, groups in a vector of vectors.

#![allow(clippy::type_complexity, clippy::ptr_arg)]
#![allow(clippy::unwrap_used)]

mod common;

use std::cmp::Ordering;

use common::{Folder, Ran, Random, run};
use serde_json::{Value, json};

/// How many tables and queries.
const CASES: u64 = 60;

#[derive(Debug, Clone, PartialEq)]
struct Row {
    k: Option<String>,
    i: Option<i64>,
    f: Option<f64>,
}

const TEXTS: &[&str] = &[
    "a",
    "b",
    "",
    "é",
    "NA",
    "say \"x\"",
    "two\nlines",
    "a,b",
    " ",
    "0",
    "日本",
    "k,i,f\n1",
];

fn table(r: &mut Random) -> Vec<Row> {
    let rows = *r.pick(&[0, 1, 2, 7, 30, 100, 500]);
    let (texts, ints) = (1 + r.below(TEXTS.len()), 1 + r.below(40));
    (0..rows)
        .map(|_| Row {
            k: (r.below(6) > 0).then(|| TEXTS[r.below(texts)].to_string()),
            i: (r.below(6) > 0).then(|| r.below(ints) as i64 - 5),
            // quarters add up exactly; -0.0 is among them
            f: (r.below(6) > 0).then(|| (r.below(41) as f64 - 20.0) * *r.pick(&[0.25, -0.25, 1e6])),
        })
        .collect()
}

fn csv(rows: &[Row], r: &mut Random) -> String {
    let end = *r.pick(&["\n", "\r\n"]);
    let mut out = format!("k,i,f{end}");
    for row in rows {
        if let Some(k) = &row.k {
            out += &format!("\"{}\"", k.replace('"', "\"\""));
        }
        let i = row
            .i
            .map_or_else(|| r.pick(&["", "NA", "null"]).to_string(), |i| i.to_string());
        let f = row
            .f
            .map_or_else(|| r.pick(&["", "nan", "\\N"]).to_string(), |f| format!("{f:?}"));
        out += &format!(",{i},{f}{end}");
    }
    out
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    and(a.map(|x| !x), b.map(|x| !x)).map(|x| !x)
}

/// A random condition: as SQL, and which rows it keeps.
fn condition(r: &mut Random) -> (String, Box<dyn Fn(&Row) -> Option<bool>>) {
    let c = r.below(20) as i64 - 5;
    let half = c as f64 / 2.0;
    match r.below(9) {
        0 => (format!("i > {c}"), Box::new(move |x| x.i.map(|i| i > c))),
        1 => ("i is null".into(), Box::new(|x| Some(x.i.is_none()))),
        2 => (
            format!("f <= {half} or k = 'a'"),
            Box::new(move |x| or(x.f.map(|f| f <= half), x.k.as_ref().map(|k| k == "a"))),
        ),
        3 => (format!("not (i > {c})"), Box::new(move |x| x.i.map(|i| i <= c))),
        4 => (
            format!("k is not null and i < {c}"),
            Box::new(move |x| and(Some(x.k.is_some()), x.i.map(|i| i < c))),
        ),
        5 => (
            format!("i between {c} and {} and f <> 0", c + 4),
            Box::new(move |x| and(x.i.map(|i| i >= c && i <= c + 4), x.f.map(|f| f != 0.0))),
        ),
        6 => (
            "k in ('a', 'two\nlines', '')".into(),
            Box::new(|x| {
                x.k.as_ref()
                    .map(|k| ["a", "two\nlines", ""].contains(&k.as_str()))
            }),
        ),
        7 => (
            format!("k like '%a%' and coalesce(i, 0) + 1 > {c}"),
            Box::new(move |x| {
                and(
                    x.k.as_ref().map(|k| k.contains('a')),
                    Some(x.i.unwrap_or(0) + 1 > c),
                )
            }),
        ),
        _ => (format!("f > i or i = {c}"), {
            Box::new(move |x| or(x.f.zip(x.i).map(|(f, i)| f > i as f64), x.i.map(|i| i == c)))
        }),
    }
}

fn by_null<T>(
    a: &Option<T>,
    b: &Option<T>,
    first: bool,
    descending: bool,
    cmp: impl Fn(&T, &T) -> Ordering,
) -> Ordering {
    let nulls = |null_first: bool| {
        if null_first {
            Ordering::Less
        } else {
            Ordering::Greater
        }
    };
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, _) => nulls(first),
        (_, None) => nulls(first).reverse(),
        (Some(a), Some(b)) if descending => cmp(b, a),
        (Some(a), Some(b)) => cmp(a, b),
    }
}

fn as_json(row: &Row) -> Value {
    json!({"k": row.k, "i": row.i, "f": row.f})
}

/// Sorted by one or two random keys, cut to a random range.
fn sorted(rows: &mut Vec<Row>, r: &mut Random, flags: &mut Vec<String>) -> Vec<Value> {
    let mut keys = Vec::new();
    for _ in 0..r.below(3) {
        keys.push((*r.pick(&["k", "i", "f"]), r.below(2) == 0, r.below(2) == 0));
    }
    keys.dedup_by_key(|k| k.0);
    rows.sort_by(|a, b| {
        let order = keys.iter().map(|&(name, down, first)| match name {
            "k" => by_null(&a.k, &b.k, first, down, |a, b| a.as_bytes().cmp(b.as_bytes())),
            "i" => by_null(&a.i, &b.i, first, down, i64::cmp),
            _ => by_null(&a.f, &b.f, first, down, |a, b| a.partial_cmp(b).unwrap()),
        });
        order.fold(Ordering::Equal, Ordering::then)
    });
    if !keys.is_empty() {
        let text = |&(name, down, first): &(&str, bool, bool)| {
            format!(
                "{name}{}{}",
                if down { ":desc" } else { "" },
                if first { ":nullsfirst" } else { "" }
            )
        };
        flags.extend([
            "--sort".into(),
            keys.iter().map(text).collect::<Vec<_>>().join(","),
        ]);
    }
    let (mut from, mut most) = (0, rows.len());
    if r.below(2) == 0 {
        (from, most) = (r.below(10), r.below(30));
        flags.extend(["--offset".into(), from.to_string(), "-n".into(), most.to_string()]);
    }
    rows.iter().skip(from).take(most).map(as_json).collect()
}

fn median(mut values: Vec<i64>) -> Option<f64> {
    values.sort_unstable();
    let n = values.len();
    (n > 0).then(|| (values[(n - 1) / 2] as f64 + values[n / 2] as f64) / 2.0)
}

fn aggregates(rows: &[&Row]) -> Value {
    let ints: Vec<i64> = rows.iter().filter_map(|x| x.i).collect();
    let floats: Vec<f64> = rows.iter().filter_map(|x| x.f).collect();
    let texts: Vec<&String> = rows.iter().filter_map(|x| x.k.as_ref()).collect();
    let mut distinct = ints.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let mean = (!ints.is_empty()).then(|| ints.iter().sum::<i64>() as f64 / ints.len() as f64);
    let spread = floats
        .iter()
        .copied()
        .reduce(f64::max)
        .zip(floats.iter().copied().reduce(f64::min));
    // n·Σx² - (Σx)² in whole numbers of quarters
    let n = floats.len();
    let quarters = || floats.iter().map(|f| (f * 4.0) as i128);
    let apart = n as i128 * quarters().map(|q| q * q).sum::<i128>() - quarters().sum::<i128>().pow(2);
    let deviations = (n > 0).then_some(apart as f64 / 16.0);
    json!({
        "count": rows.len(),
        "i_sum": (!ints.is_empty()).then(|| ints.iter().sum::<i64>()),
        "i_mean": mean,
        "i_nunique": distinct.len(),
        "i_median": median(ints),
        "f_count": floats.len(),
        "f_sum": floats.iter().copied().reduce(|a, b| a + b),
        "f_first": rows.first().and_then(|x| x.f),
        "f_last": rows.last().and_then(|x| x.f),
        "known": floats.first(),
        "known_last": floats.last(),
        "f_std": deviations.filter(|_| n > 1).map(|d| (d / (n * (n - 1)) as f64).sqrt()),
        "r2": deviations.filter(|d| *d > 0.0).map(|_| 1.0),
        "k_min": texts.iter().min_by_key(|t| t.as_bytes()),
        "k_max": texts.iter().max_by_key(|t| t.as_bytes()),
        "spread": spread.map(|(a, b)| a - b),
    })
}

const AGGREGATES: &str = "--count --sum i --mean i --nunique i --median i --count=f --sum f --first f --last f \
                          --agg known=any_value(f) --agg known_last=last(f\u{a0}IGNORE\u{a0}NULLS) --std f \
                          --agg r2=regr_r2(f,f) --min k --max k --agg spread=max(f)-min(f)";

/// Groups by `k`, by `i`, by both or by nothing, in the order of the keys.
fn grouped(rows: &[Row], r: &mut Random, flags: &mut Vec<String>) -> Vec<Value> {
    let keys = *r.pick(&["", "k", "i", "k,i"]);
    flags.extend(
        AGGREGATES
            .split_ascii_whitespace()
            .map(|flag| flag.replace('\u{a0}', " ")),
    );
    if keys.is_empty() {
        return vec![aggregates(&rows.iter().collect::<Vec<_>>())];
    }
    flags.extend(["-g".into(), keys.into()]);
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    let same = |a: &Row, b: &Row| (!keys.contains('k') || a.k == b.k) && (!keys.contains('i') || a.i == b.i);
    for row in rows {
        match groups.iter_mut().find(|g| same(g[0], row)) {
            Some(g) => g.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups.sort_by(|a, b| {
        let k = by_null(&a[0].k, &b[0].k, false, false, |a, b| {
            a.as_bytes().cmp(b.as_bytes())
        });
        let i = by_null(&a[0].i, &b[0].i, false, false, i64::cmp);
        match keys {
            "k" => k,
            "i" => i,
            _ => k.then(i),
        }
    });
    let one = |g: &Vec<&Row>| {
        let mut value = aggregates(g);
        for key in keys.split(',') {
            value[key] = as_json(g[0])[key].clone();
        }
        value
    };
    groups.iter().map(one).collect()
}

fn distinct(rows: &[Row], flags: &mut Vec<String>) -> Vec<Value> {
    flags.extend(["-s", "k,i", "--distinct", "--sort", "k,i"].map(String::from));
    let mut list: Vec<&Row> = Vec::new();
    for row in rows {
        if !list.iter().any(|x| x.k == row.k && x.i == row.i) {
            list.push(row);
        }
    }
    list.sort_by(|a, b| {
        let k = by_null(&a.k, &b.k, false, false, |a, b| a.as_bytes().cmp(b.as_bytes()));
        k.then(by_null(&a.i, &b.i, false, false, i64::cmp))
    });
    list.iter().map(|x| json!({"k": x.k, "i": x.i})).collect()
}

/// Equal, where numbers may differ by what reading decimal text may lose.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        (Value::Number(x), Value::Number(y)) if x.is_f64() || y.is_f64() => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            (x - y).abs() <= 1e-14 * x.abs().max(y.abs())
        }
        _ => a == b,
    }
}

#[test]
fn random_queries_of_random_tables() {
    for seed in 0..CASES {
        let (f, mut r) = (Folder::new(), Random(seed * 1_000_003 + 1));
        let mut rows = table(&mut r);
        let file = f.file("t.csv", csv(&rows, &mut r));
        let parquet = f.at("t.parquet");
        let law = ["--types", "k=text,i=int64,f=float64"];
        run(["query", &file, "-o", &parquet].iter().chain(&law)).done();

        let mut flags: Vec<String> = Vec::new();
        if r.below(2) == 0 {
            let (sql, keeps) = condition(&mut r);
            flags.extend(["-w".into(), sql]);
            rows.retain(|x| keeps(x) == Some(true));
        }
        let expected = match r.below(5) {
            0 | 1 => sorted(&mut rows, &mut r, &mut flags),
            2 | 3 => grouped(&rows, &mut r, &mut flags),
            _ => distinct(&rows, &mut flags),
        };
        let ask = |input: &str, more: &[&str]| -> Ran {
            let args = flags
                .iter()
                .map(String::as_str)
                .chain(["--jsonl"])
                .chain(more.iter().copied());
            let law: &[&str] = if input.ends_with("csv") { &law } else { &[] };
            run(["query", input]
                .into_iter()
                .chain(args)
                .chain(law.iter().copied()))
            .done()
        };
        let first = ask(&file, &["-j", "2"]);
        let lines = first
            .text()
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap());
        let got: Vec<Value> = lines.collect();
        let equal = got.len() == expected.len() && got.iter().zip(&expected).all(|(g, e)| same(g, e));
        let place = || format!("seed {seed}: {flags:?}");
        assert!(equal, "{}\n got {got:#?}\nwant {expected:#?}", place());

        let block = r.pick(&["64", "100", "1000"]).to_string();
        for more in [
            &["--no-optimize"][..],
            &["--scheduler", "sync"],
            &["-j", "3", "--blocksize", &block],
        ] {
            assert_eq!(ask(&file, more).text(), first.text(), "{} {more:?}", place());
        }
        for more in [&[][..], &["--no-optimize", "--scheduler", "sync"]] {
            assert_eq!(
                ask(&parquet, more).text(),
                first.text(),
                "{} {more:?} from Parquet",
                place()
            );
        }
    }
}
