//! What is written reads back as what it was, in every format; tables for people fit their width.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use common::{Folder, query, run};
use ddf::Frame;
use ddf::write::{Format, Target, WriteOptions};
use serde_json::{Value, json};

const ALL: &str = "i,f,t,b,d,ts,z\n\
    1,1.5,a,true,2024-01-02,2024-01-02T03:04:05,007\n\
    ,,,,,,\n\
    -9223372036854775808,1e300,\"q\"\"|\n,é\",false,1969-12-31,1969-12-31T23:59:59.123456,1\n\
    9007199254740993,-0.1,\"\",true,2024-02-29,2024-02-29T00:00:00,x\n";

#[test]
fn formats_that_are_read_back_round_trip() {
    let f = Folder::new();
    let first = f.file("all.csv", ALL);
    let whole = query(&first, "");
    let schema = run(["schema", &first]).done();
    let (floats, dates) = ("f  float64\n", "d  date\n");
    let types: String = schema
        .text()
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join("  ") + "\n")
        .collect();
    assert!(
        types.contains(floats) && types.contains(dates) && types.contains("i  int64\n"),
        "{types}"
    );
    for name in ["x.csv", "x.tsv", "x.parquet"] {
        let out = f.at(name);
        let ran = run(["query", &first, "-o", &out]).done().quietly();
        assert!(ran.out.is_empty(), "{name}");
        assert_eq!(query(&out, "--csv"), whole, "{name}");
        assert_eq!(run(["schema", &out]).done().text(), schema.text(), "{name}");
        // and once more from there
        let again = f.at(&format!("again.{name}"));
        run(["query", &out, "-o", &again]).done();
        assert_eq!(
            std::fs::read(&again).unwrap(),
            std::fs::read(&out).unwrap(),
            "{name}"
        );
    }
    assert_eq!(std::fs::read_to_string(f.at("x.csv")).unwrap(), whole);
}

#[test]
fn parquet_codecs() {
    let f = Folder::new();
    let first = f.file("all.csv", ALL);
    let whole = query(&first, "");
    for codec in ["zstd", "snappy", "lz4", "none"] {
        let out = f.at(&format!("{codec}.parquet"));
        run(["query", &first, "-o", &out, "--compression", codec]).done();
        assert_eq!(query(&out, ""), whole, "{codec}");
    }
    let out = f.at("bad.parquet");
    assert_eq!(
        run(["query", &first, "-o", &out, "--compression", "nosuch"]).status,
        Some(2)
    );
    assert!(!f.names().contains(&"bad.parquet".to_string()));
}

#[test]
fn json_and_json_lines_hold_the_same_values() {
    let f = Folder::new();
    let file = f.file("all.csv", ALL);
    let lines = query(&file, "--jsonl");
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let list: Vec<Value> = serde_json::from_str(&query(&file, "--json")).unwrap();
    assert_eq!(lines, list);
    let row = json!({"i": 1, "f": 1.5, "t": "a", "b": true, "d": "2024-01-02", "ts": "2024-01-02T03:04:05", "z": "007"});
    assert_eq!(list[0], row);
    assert!(list[1].as_object().unwrap().values().all(Value::is_null));
    assert_eq!(list[2]["i"], json!(i64::MIN));
    assert_eq!(list[2]["t"], "q\"|\n,é");
    assert_eq!(list[3]["i"], json!(9_007_199_254_740_993i64));
    assert_eq!(list[3]["t"], "");
    let none: Vec<Value> = serde_json::from_str(&query(&file, "--json -w i>5 -n 0")).unwrap();
    assert!(none.is_empty());
    assert_eq!(query(&file, "--jsonl -n 0"), "");
}

#[test]
fn markdown() {
    let f = Folder::new();
    let file = f.file("m.csv", "n,t\n1,a|b\n,\"x\ny\"\n");
    assert_eq!(
        query(&file, "--md"),
        "| n | t |\n| ---: | --- |\n| 1 | a\\|b |\n|  | x<br>y |\n"
    );
}

#[test]
fn text_formats_to_files_are_those_of_the_pipe() {
    let f = Folder::new();
    let file = f.file("all.csv", ALL);
    for (name, format) in [
        ("o.csv", "csv"),
        ("o.tsv", "tsv"),
        ("o.json", "json"),
        ("o.jsonl", "jsonl"),
        ("o.md", "md"),
    ] {
        let out = f.at(name);
        run(["query", &file, "-o", &out]).done();
        assert_eq!(
            std::fs::read_to_string(&out).unwrap(),
            query(&file, &format!("--format {format}")),
            "{name}"
        );
    }
    // - is standard output
    assert_eq!(run(["query", &file, "-o", "-"]).done().text(), query(&file, ""));
}

#[test]
fn no_rows_still_have_columns() {
    let f = Folder::new();
    let file = f.file("all.csv", ALL);
    for name in ["n.csv", "n.tsv", "n.parquet"] {
        let out = f.at(name);
        run(["query", &file, "-n", "0", "-o", &out]).done();
        assert_eq!(query(&out, ""), "i,f,t,b,d,ts,z\n", "{name}");
    }
}

#[test]
fn digits_of_floats() {
    let f = Folder::new();
    let file = f.file("f.csv", "x\n0.1\n1234.5678\n1e21\n100.0\n");
    assert_eq!(query(&file, "--float-format 2 -n 2"), "x\n0.10\n1234.57\n");
    for text in query(&file, "")
        .lines()
        .skip(1)
        .zip([0.1, 1234.5678, 1e21, 100.0])
    {
        assert_eq!(text.0.parse::<f64>().unwrap(), text.1);
    }
}

#[test]
fn a_table_in_a_pipe_is_never_cut() {
    let f = Folder::new();
    let rows: String = (0..200)
        .map(|i| format!("{i},{}\n", "wide ".repeat(30)))
        .collect();
    let file = f.file("t.csv", format!("n,t\n{rows}"));
    let text = query(&file, "--table");
    assert_eq!(text.lines().filter(|l| l.contains("wide wide")).count(), 200);
    assert!(text.contains("200 rows × 2 columns"), "{text:.200}");
    assert!(!text.contains('…'));
    assert!(!text.contains('\u{1b}'), "colours in a pipe");
}

/// On a terminal of a given width (util-linux `script` makes one).
#[test]
fn a_table_on_a_terminal_fits_its_width() {
    let f = Folder::new();
    let names: Vec<String> = (0..30).map(|i| format!("column_{i}")).collect();
    let row = vec!["value"; 30].join(",");
    let file = f.file(
        "wide.csv",
        format!("{}\n{}", names.join(","), format!("{row}\n").repeat(100)),
    );
    let program = env!("CARGO_BIN_EXE_ddf");
    if std::process::Command::new("script")
        .arg("--version")
        .output()
        .is_err()
    {
        return; // a system without it
    }
    for width in [20usize, 40, 80, 133] {
        let inner = format!("COLUMNS={width} '{program}' query '{file}' --color never");
        let out = std::process::Command::new("script")
            .args(["-qec", &inner, "/dev/null"])
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap().replace('\r', "");
        assert!(out.status.success(), "{text}");
        for line in text.lines().filter(|l| l.starts_with(['│', '┌', '└', '╞'])) {
            assert!(
                line.chars().count() <= width,
                "{} > {width}: {line}",
                line.chars().count()
            );
        }
        assert!(text.contains("100 rows × 30 columns"), "{text}");
        assert!(text.contains("shown"), "a cut must say so: {text}");
        assert!(text.lines().count() < 75, "{} lines", text.lines().count());
    }
}

/// Row groups follow fixed spans of partitions, so who ran a task cannot be seen in the file.
#[test]
fn parquet_has_the_same_bytes_for_any_threads() {
    let f = Folder::new();
    let rows: String = (0..900_000u64)
        .map(|i| format!("{},{}\n", i * 7919 % 5000, i % 13))
        .collect();
    let file = f.file("many.csv", format!("a,b\n{rows}"));
    let write = |name: &str, how: &[&str]| {
        let out = f.at(name);
        let args = [&["query", &file, "--blocksize", "90000", "-o", &out], how].concat();
        run(args).done();
        std::fs::read(out).unwrap()
    };
    let one = write("1.parquet", &["-j", "1"]);
    for (name, how) in [
        ("2.parquet", "-j2"),
        ("3.parquet", "-j3"),
        ("s.parquet", "--scheduler=sync"),
    ] {
        assert!(write(name, &[how]) == one, "{how}");
    }
}

/// Groups that are as many as rows come in order of their keys, by one of two roads, and from disk
/// where memory is refused: nothing of that can be seen in the file.
#[test]
fn parquet_of_many_groups_has_the_same_bytes_whatever_the_memory() {
    let f = Folder::new();
    let rows: String = (0..600_000u64)
        .map(|i| format!("{},k{},{}.25\n", i * 7919 % 599_999, i % 9, i * 31 % 1000))
        .collect();
    let file = f.file("many.csv", format!("a,b,x\n{rows}"));
    let write = |name: &str, how: &str| {
        let out = f.at(name);
        let fixed = [
            "query",
            &file,
            "--groupby",
            "b,a",
            "--sum",
            "x",
            "--count",
            "-o",
            &out,
        ];
        let args: Vec<&str> = fixed.into_iter().chain(how.split(' ')).collect();
        run(&args).done();
        std::fs::read(out).unwrap()
    };
    let one = write("1.parquet", "-j 1");
    for how in [
        "-j 2",
        "-j 3 --blocksize 50000",
        "-j 2 --memory 32MiB",
        "-j 1 --memory 24MiB --blocksize 90000",
    ] {
        assert!(write("2.parquet", how) == one, "{how}");
    }
}

#[test]
fn tiny_partitions_give_the_same_rows_in_order() {
    let f = Folder::new();
    let line = |i: u64| format!("{i},\"a text,\nof {} lines\",{}\n", i % 3, i * 7 % 11);
    let file = f.file(
        "tiny.csv",
        format!("a,t,b\n{}", (0..4000).map(line).collect::<String>()),
    );
    let of = |how: &str| {
        let args = ["query", &file];
        run(args.into_iter().chain(how.split(' '))).done().out
    };
    for query in [
        "--select a,b",
        "--select a,t --where b>8",
        "--select a,t --limit 7",
        "--where b=3 --limit 150",
        "--sort b,a:desc --limit 20",
    ] {
        let whole = of(query);
        for how in ["-j 1", "-j 2", "-j 3", "--scheduler sync"] {
            for size in [10, 700] {
                let tiny = of(&format!("{query} {how} --blocksize {size}"));
                assert!(tiny == whole, "{query} {how} {size}");
            }
        }
    }
}

#[test]
fn a_display_makes_room_before_a_table_is_shown() {
    let folder = Folder::new();
    let input = folder.file("t.csv", "a\n1\n");
    let out = folder.at("table.txt");
    let told = Arc::new(AtomicBool::new(false));
    let watch = |cx: &Arc<ddf::pipeline::RunContext>| {
        let (told, out) = (told.clone(), out.clone());
        cx.progress
            .before_rows(move || told.store(!std::path::Path::new(&out).exists(), Relaxed));
    };
    let target = Target::File(out.clone().into());
    let frame = Frame::read(&input).unwrap();
    frame
        .write_to(target, Format::Table, &WriteOptions::default(), watch)
        .unwrap();
    assert!(told.load(Relaxed) && std::path::Path::new(&out).exists());
}
