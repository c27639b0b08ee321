//! What is shown to people: nothing in a file can disguise itself on a terminal, and logs get their lines.

use crate::common::{Folder, ask, command, run};

#[test]
fn text_that_turns_around_is_escaped() {
    let f = Folder::new();
    let file = f.file("a.csv", "a\u{202e}x,b\n\u{2066}evil\u{2069},1\n");
    let table = ask(&file, "--table").done();
    assert!(table.text().contains("a\\u{202e}x"), "{}", table.text());
    assert!(
        table.text().contains("\\u{2066}evil\\u{2069}"),
        "{}",
        table.text()
    );
    for flags in ["--sum nothing", "-g b --sum c"] {
        let ran = ask(&file, flags).failed(1);
        assert!(ran.err.contains("a\\u{202e}x"), "{}", ran.err);
        assert!(!ran.err.contains('\u{202e}'), "{}", ran.err);
    }
    let odd = f.file("\u{202e}gpj.csv", "a\n1\n2,3\n");
    let ran = ask(&odd, "").failed(1);
    assert!(!ran.err.contains('\u{202e}'), "{}", ran.err);
    let ran = run(["query", &file, "-w", "\u{202e}nope = 1"]).failed(1);
    assert!(!ran.err.contains('\u{202e}'), "{}", ran.err);
    // files are data
    assert!(ask(&file, "--csv").done().text().contains('\u{202e}'));
}

#[test]
fn progress_that_is_always_wanted_is_lines_in_a_log() {
    let f = Folder::new();
    let file = f.file("a.csv", format!("a,b\n{}", "1,2\n".repeat(50_000)));
    let out = f.at("out.parquet");
    let ran = run(["query", &file, "--sort", "a", "--progress", "always", "-o", &out]).done();
    let lines: Vec<&str> = ran.err.lines().collect();
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|l| l.starts_with("progress: ")), "{}", ran.err);
    assert!(lines.last().unwrap().contains("50.0 k rows"), "{}", ran.err);
    for progress in ["auto", "never"] {
        run(["query", &file, "--progress", progress, "-o", &out])
            .done()
            .quietly();
    }
}

#[test]
fn wrong_usage_is_told_as_json_too() {
    let f = Folder::new();
    let file = f.file("a.csv", "a\n1\n");
    for words in [
        vec!["query", &file, "--no-such-flag", "--errors", "json"],
        vec!["query", "--errors=json", &file, "-n", "many"],
        vec!["no-such-command", "--errors", "json"],
        vec!["query", &file, "--quantile", "a", "--errors", "json"],
    ] {
        let ran = crate::common::Ran::from(command().args(&words).output().unwrap());
        assert_eq!(ran.status, Some(2), "{words:?}: {}", ran.err);
        let e: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!(
            (&e["level"], &e["kind"]),
            (&"error".into(), &"usage".into()),
            "{words:?}"
        );
        assert!(!e["message"].as_str().unwrap().contains('\n'), "{words:?}");
    }
    assert_eq!(run(["query", "--help", "--errors", "json"]).status, Some(0));
}

#[test]
fn warnings_of_a_kind_are_one() {
    let f = Folder::new();
    let names: Vec<String> = (0..20).map(|i| format!("c{i}")).collect();
    f.file(
        "a.csv",
        format!("k,{}\n1,{}\n", names.join(","), vec!["2"; 20].join(",")),
    );
    f.file("b.csv", "k\n3\n");
    let ran = ask(&f.at("*.csv"), "").done();
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    assert!(ran.err.contains("column 'c0' is not in"), "{}", ran.err);
    assert!(
        ran.err
            .contains("the same of 'c1', 'c2', 'c3', 'c4', 'c5' and 14 more"),
        "{}",
        ran.err
    );
    let ran = ask(&f.at("*.csv"), "--errors json").done();
    let e: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(e["also"].as_array().unwrap().len(), 19);
}
