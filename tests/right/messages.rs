//! Exit statuses, and what the errors say.

use crate::common::{Folder, ask, run};

#[test]
fn wrong_usage_is_status_two() {
    let f = Folder::new();
    let file = f.file("a.csv", "a\n1\n");
    for args in [
        vec!["query", &file, "--no-such-flag"],
        vec!["no-such-command"],
        vec!["query", &file, "-n", "many"],
        vec!["query", &file, "--memory", "lots"],
        vec!["query", &file, "--threads", "0"],
        vec!["query", &file, "--quantile", "a:2"],
        vec!["query", &file, "--quantile", "a"],
        vec!["query", &file, "--having", "a > 1"],
        vec!["query", &file, "-o", "x.nosuchformat"],
        vec!["query", &file, "--format", "nosuch"],
        vec!["query", &file, "--types", "a"],
    ] {
        run(&args).failed(2);
    }
    assert_eq!(run(["--help"]).status, Some(0));
    assert_eq!(run(["query", "--help"]).status, Some(0));
    assert_eq!(
        run(["--version"]).done().text(),
        format!("ddf {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_misspelt_column_gets_a_suggestion() {
    let f = Folder::new();
    let file = f.file("a.csv", "Origin,DepDelay\nJFK,1\n");
    for flags in [
        "--sum DepDely",
        "-g Orgin --count",
        "--sort DepDely",
        "-s Orgin",
        "-s Origin:DepDely",
        "-s !Orgin",
        "--select DepDely+1",
    ] {
        let ran = ask(&file, flags).failed(1).says(&["did you mean"]);
        assert!(
            ran.err.contains("Origin") || ran.err.contains("DepDelay"),
            "{}",
            ran.err
        );
        assert!(ran.out.is_empty());
    }
    // the only one that differs by case is meant
    let ran = ask(&file, "--sum depdelay").done();
    assert_eq!(ran.text(), "DepDelay_sum\n1\n");
    run(["query", &file, "-w", "Origin = \"JFK\""])
        .failed(1)
        .says(&["single quotes"]);
    run(["query", &file, "-s", "uper(Origin)"])
        .failed(1)
        .says(&["upper"]);
}

#[test]
fn a_misspelt_column_beside_text_gets_a_suggestion() {
    let f = Folder::new();
    let file = f.file("a.csv", "Origin\nJFK\n");
    ask(&file, "-w Orgin='JFK'")
        .failed(1)
        .says(&["did you mean", "Origin"]);
}

#[test]
fn missing_files_are_errors() {
    let f = Folder::new();
    ask(&f.at("none.csv"), "--count")
        .failed(1)
        .says(&["none.csv", "help:"]);
    ask(&f.at("*.csv"), "--count").failed(1).says(&["*.csv", "help:"]);
    std::fs::create_dir(f.at("folder")).unwrap();
    ask(&f.at("folder"), "--count")
        .failed(1)
        .says(&["folder", "help:"]);
    f.file("flights.csv", "a\n1\n");
    ask(&f.at("flihgts.csv"), "--count")
        .failed(1)
        .says(&["did you mean", &f.at("flights.csv")]);
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let f = Folder::new();
    let file = f.file("a.csv", "a\n1\n2\n");
    f.file("b.csv", "a\n4\n");
    for inputs in [vec![&file, &file], vec![&file, &f.at("./a.csv")]] {
        let args = ["query"].into_iter().chain(inputs.iter().map(|s| s.as_str()));
        let ran = run(args.chain(["--sum", "a"]))
            .done()
            .says(&["warning", "a.csv", "once"]);
        assert_eq!(ran.text(), "a_sum\n3\n");
    }
    let ran = run(["query", &f.at("*.csv"), &f.at(""), "--sum", "a"])
        .done()
        .says(&["a.csv", "b.csv"]);
    assert_eq!(ran.text(), "a_sum\n7\n");
    run(["query", &file, &f.at("b.csv"), "--sum", "a"])
        .done()
        .quietly();
}

#[test]
fn errors_as_json() {
    let f = Folder::new();
    let file = f.file("r.csv", "a,b\n1,2\n3\n");
    let ran = ask(&file, "--errors json");
    assert_eq!(ran.status, Some(1));
    let e: serde_json::Value = serde_json::from_str(ran.err.lines().next().unwrap()).unwrap();
    assert_eq!(e["level"], "error");
    assert_eq!(e["line"], 3);
    assert!(e["file"].as_str().unwrap().ends_with("r.csv"));
}

#[test]
fn excerpts_are_short_and_escaped() {
    let f = Folder::new();
    let file = f.file("e.csv", format!("a,b\n1,2\n\u{1b}[31m{}\n", "x".repeat(100_000)));
    let ran = ask(&file, "").failed(1);
    assert!(ran.err.len() < 1000, "{} bytes", ran.err.len());
    assert!(!ran.err.contains('\u{1b}'));
}

#[test]
fn too_little_memory_is_status_four() {
    let f = Folder::new();
    // one field that the limit cannot hold
    let file = f.file("a.csv", format!("a,t\n1,{}\n", "x".repeat(20_000_000)));
    ask(&file, "--memory 24MiB --sort t")
        .failed(4)
        .says(&["memory", "--memory"]);
}

#[test]
fn a_limit_below_the_floor_names_the_floor() {
    let f = Folder::new();
    let file = f.file("a.csv", "a,t\n1,x\n");
    ask(&file, "--memory 23MiB")
        .failed(4)
        .says(&["23552 KiB", "--memory 24MiB"]);
    assert_eq!(ask(&file, "--memory 24MiB -j 8").done().text(), "a,t\n1,x\n");
}

#[test]
fn nonsense_expressions_are_errors() {
    let f = Folder::new();
    let file = f.file("a.csv", "a,t\n1,x\n");
    for e in [
        "a +",
        "(a",
        "'open",
        "a = ",
        "nosuch(a)",
        "t + 1",
        "a and t",
        "sum(sum(a))",
        "a between 1",
        "cast(t as int)",
        "",
    ] {
        let ran = run(["query", &file, "-s", &format!("z = {e}")]);
        assert!(matches!(ran.status, Some(1 | 2)), "{e}: {ran:?}");
        assert!(
            ran.err.contains("error:") && !ran.err.contains("panicked"),
            "{e}: {}",
            ran.err
        );
        assert!(ran.out.is_empty(), "{e}: {}", ran.text());
    }
    let deep = format!("{}a{}", "(".repeat(20_000), ")".repeat(20_000));
    let ran = run(["query", &file, "-s", &deep]);
    assert!(
        matches!(ran.status, Some(0..=2)),
        "{:?}: {:.300}",
        ran.status,
        ran.err
    );
    let long = vec!["a"; 20_000].join("+");
    let ran = run(["query", &file, "-s", &format!("z = {long}")]);
    assert!(
        matches!(ran.status, Some(0..=2)),
        "{:?}: {:.300}",
        ran.status,
        ran.err
    );
}
