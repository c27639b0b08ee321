//! How statements are typed: comments before them, literals, names that look like ours, lists of files, long chains.

use crate::common::{Folder, run};

fn sql(text: &str) -> String {
    run(["sql", "--csv", text]).done().text().to_string()
}

#[test]
fn a_statement_may_begin_with_a_comment() {
    assert_eq!(sql("-- the question\nSELECT 1 AS a"), "a\n1\n");
    assert_eq!(sql("--the question\nSELECT 1 AS a"), "a\n1\n");
    assert_eq!(sql("/* the question */ SELECT 1 AS a"), "a\n1\n");
    assert_eq!(
        run(["sql", "--csv", "-c", "-- x\nSELECT 2 AS a"]).done().text(),
        "a\n2\n"
    );
    let f = Folder::new();
    let file = f.file("q.sql", "-- one\nSELECT 1 AS a;\n-- two\nSELECT 2 AS a");
    assert_eq!(run(["sql", "--csv", "-f", &file]).done().text(), "a\n1\na\n2\n");
    // also one with a sign of equality in its first line
    for first in ["--a=b", "--a=b c", "--a b=c"] {
        let ran = run(["sql", "--csv", "-c", &format!("{first}\nSELECT 3 AS a")]).done();
        assert_eq!(ran.text(), "a\n3\n", "{first}");
    }
    // a flag that is none is still an error of the command line
    run(["sql", "--cvs", "SELECT 1"]).failed(2).says(&["--cvs"]);
}

#[test]
fn numbers_have_every_usual_form() {
    assert_eq!(
        sql("SELECT 1_000_000 AS a, 0x1f AS b, 0XFF AS c, 0b101 AS d, 0o17 AS e, 7 div 2 AS f, 2_0 AS g"),
        "a,b,c,d,e,f,g\n1000000,31,255,5,15,3,20\n"
    );
    // names that are words of SQL elsewhere stand around it as others do
    let words = "SELECT year div 10, v div year, 7 div abs(v), v div sample, sample*(10 % 3), v div case when true \
                 then 2 end FROM (VALUES (2024, 4050, 3)) t(year, v, sample)";
    assert_eq!(sql(words).lines().nth(1), Some("202,2,0,1350,3,2025"));
    assert_eq!(
        sql("SELECT v AS div FROM (VALUES (2), (1)) t(v) ORDER BY div DESC"),
        "div\n2\n1\n"
    );
    assert_eq!(sql("SELECT div(7, 2) AS div, E'a\\'b' AS e"), "div,e\n3,a'b\n");
    for (text, what) in [
        ("SELECT 1abc", "1abc"),
        ("SELECT 1_000_", "_"),
        ("SELECT 0b12", "0b12"),
    ] {
        run(["sql", text]).failed(1).says(&["error: ", what]);
    }
}

#[test]
fn words_that_the_parser_knows_stand_around_operators() {
    let f = Folder::new();
    let file = f.file("t.csv", "year,v,sample\n45,100,7\n");
    let of = |what: &str| sql(&format!("SELECT {what} FROM '{file}'"));
    assert_eq!(
        of("year div 10 AS a, v div year AS b, 7 div abs(2) AS c, v div sample AS d"),
        "a,b,c,d\n4,2,3,14\n"
    );
    assert_eq!(of("sample*(10 % 3) AS a, sample * (v % 30) AS b"), "a,b\n7,70\n");
    // what is no operator stays a name
    assert_eq!(of("v AS div"), "div\n100\n");
    assert_eq!(
        sql(&format!(
            "SELECT div.v FROM '{file}' div JOIN '{file}' o ON div.v = o.v ORDER BY div.v DESC"
        )),
        "v\n100\n"
    );
    assert_eq!(
        sql(&format!(
            "SELECT count(*) AS n FROM '{file}' TABLESAMPLE BERNOULLI (100 %)"
        )),
        "n\n1\n"
    );
}

#[test]
fn filters_of_aggregates_need_no_where() {
    let from = "FROM range(10) t(i)";
    assert_eq!(
        sql(&format!(
            "SELECT sum(i) FILTER (i > 7) AS a, count(*) FILTER (WHERE i < 3) AS b {from}"
        )),
        "a,b\n17,3\n"
    );
    assert_eq!(
        sql(&format!(
            "SELECT max(i) FILTER (i < 5) OVER () AS a {from} LIMIT 1"
        )),
        "a\n4\n"
    );
    // a table of that name
    assert_eq!(sql("SELECT max(i) AS a FROM range(10) filter(i)"), "a\n9\n");
}

#[test]
fn now_is_one_moment_that_can_be_given() {
    let ran = run([
        "sql",
        "--csv",
        "--now",
        "2024-02-29 12:30:00",
        "SELECT current_date AS d, now() AS n, today() + 1 AS t",
    ]);
    assert_eq!(
        ran.done().text(),
        "d,n,t\n2024-02-29,2024-02-29T12:30:00Z,2024-03-01\n"
    );
    assert_eq!(
        sql("SELECT now() = current_timestamp AND current_date = CAST(now() AS DATE) AS same"),
        "same\ntrue\n"
    );
    run(["sql", "--now", "yesterday", "SELECT 1"])
        .failed(2)
        .says(&["--now", "2024-01-31"]);
}

#[test]
fn a_file_that_is_listed_twice_is_read_twice() {
    let f = Folder::new();
    let (a, b) = (f.file("a.csv", "x\n1\n2\n"), f.file("b.csv", "x\n5\n"));
    let text = format!("SELECT count(*) AS n, sum(x) AS s FROM read_csv(['{a}', '{b}', '{a}', '{a}'])");
    assert_eq!(sql(&text), "n,s\n7,14\n");
    let glob = format!("SELECT count(*) AS n FROM read_csv(['{}', '{a}'])", f.at("*.csv"));
    assert_eq!(sql(&glob), "n\n3\n");
}

#[test]
fn names_of_a_file_that_look_like_ours() {
    let f = Folder::new();
    let names = [
        "place", "part", "row", "window0", "value", "0", "times", "met0", "key0", "value0",
    ];
    let header: Vec<String> = names.iter().map(|n| format!("\u{1}{n}")).collect();
    let row = |i: usize| {
        (0..names.len())
            .map(|c| (i * 10 + c % 3).to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let rows = [row(1), row(2), row(1), row(3)].join("\n");
    let file = f.file("t.csv", format!("{}\n{rows}\n", header.join(",")));
    let q = |flags: &[&str]| {
        run(["query", file.as_str()].iter().chain(flags).copied())
            .done()
            .text()
            .to_string()
    };
    let head = header.join(",");
    assert_eq!(q(&["--distinct", "-n", "1"]), format!("{head}\n{}\n", row(1)));
    let column = |n: &str| format!("\"\u{1}{n}\"");
    let grouped = q(&[
        "-g",
        &column("0"),
        "--agg",
        &format!("r = max({}) - min({})", column("row"), column("key0")),
    ]);
    assert_eq!(grouped, "\u{1}0,r\n12,0\n22,0\n32,0\n");
    let place = column("place");
    let ranks = q(&[
        "--with",
        &format!("a = row_number() over (order by {place} desc)"),
        "--with",
        &format!("b = row_number() over (order by {})", column("part")),
        "-s",
        "a,b",
    ]);
    assert_eq!(ranks, "a,b\n3,1\n2,3\n4,2\n1,4\n");
    let text = format!(
        "SELECT mode({place}) AS m, sum(DISTINCT {}) AS s, count(DISTINCT {}) AS n FROM '{file}'",
        column("value"),
        column("times"),
    );
    assert_eq!(sql(&text), "m,s,n\n10,63,3\n");
    let text = format!("SELECT * FROM '{file}' a JOIN '{file}' b USING ({place}) WHERE a.{place} = 20");
    assert!(sql(&text).starts_with(&head), "{}", sql(&text));
    let text = format!(
        "SELECT {place}, lag({place}) OVER (ORDER BY {}) AS l, sum({place}) OVER (PARTITION BY {}) AS s FROM '{file}' ORDER BY ALL",
        column("row"),
        column("window0"),
    );
    assert_eq!(
        sql(&text),
        "\u{1}place,l,s\n10,10,20\n10,,20\n20,10,20\n30,20,30\n"
    );
    // and messages do not cut such a name
    let odd = f.file("o.csv", "a\u{2}5,b\n1,2\n");
    assert_eq!(sql(&format!("SELECT * FROM '{odd}'")), "a\u{2}5,b\n1,2\n");
}

#[test]
fn messages_show_the_names_that_were_typed() {
    for (text, shown) in [
        (
            "SELECT id FROM (VALUES (7)) t(id) WHERE id = 'x'",
            "'x' is no int64",
        ),
        (
            "SELECT id + name FROM (VALUES (7, 'a')) t(id, name)",
            "\"id\" + \"name\"",
        ),
        (
            "SELECT a.x LIKE 'y' FROM (SELECT 1 AS x) a, (SELECT 2 AS x) b",
            "x",
        ),
        ("SELECT k FROM (VALUES (1)) t(k) WHERE k", "\"k\" is int64"),
        ("SELECT 7 div FROM range(3)", "div"),
    ] {
        let ran = run(["sql", text]);
        let err = ran.err.clone();
        let inner = |c: char| c.is_control() && c != '\n';
        assert!(
            !err.contains(inner) && !err.contains("col0") && !err.contains("Word("),
            "{text}: {err}"
        );
        if ran.status != Some(0) {
            assert!(err.contains(shown), "{text}: {err}");
        }
    }
}

#[test]
fn chains_of_thousands_of_operators() {
    let f = Folder::new();
    let table = f.file("t.csv", "a,b\n1,2\n3,4\n");
    let ask = |list: &str| {
        let file = f.file("q.sql", format!("SELECT {list} FROM '{table}'"));
        run(["sql", "--csv", "-f", &file]).done().text().to_string()
    };
    let sum = format!("a{} AS s", " + b - a".repeat(3000));
    assert_eq!(ask(&sum), "s\n3001\n3003\n");
    let or: Vec<String> = (5..6000).map(|i| format!("a = {i}")).collect();
    assert_eq!(
        ask(&format!(
            "count(*) FILTER (WHERE {} OR a = 1) AS n",
            or.join(" OR ")
        )),
        "n\n1\n"
    );
    let and: Vec<String> = (5..6000).map(|i| format!("a <> {i}")).collect();
    assert_eq!(ask(&format!("count_if({}) AS n", and.join(" AND "))), "n\n2\n");
    let text = format!("length('x'{}) AS n", " || a".repeat(2000));
    assert_eq!(ask(&text), "n\n2001\n2001\n");
    let products = format!(
        "a{} AS p, sum(a{}) OVER () AS w",
        " * b // b".repeat(500),
        " + b".repeat(500)
    );
    assert_eq!(ask(&products), "p,w\n1,3004\n3,3004\n");
    // and with a flag
    let flag = format!("s = a{}", " + b".repeat(1000));
    let ran = run(["query", table.as_str(), "--with", &flag, "-s", "s"]);
    assert_eq!(ran.done().text(), "s\n2001\n4003\n");
    // far beyond it is an error, not a crash
    let ran = run([
        "query",
        table.as_str(),
        "--with",
        &format!("s = a{}", " + b".repeat(30_000)),
    ]);
    ran.failed(1).says(&["operators"]);
}

/// `(a, b) IN (SELECT …)` decides as its conditions written out, nulls and all.
#[test]
fn rows_among_rows_are_found_by_three_valued_logic() {
    let rows = "(VALUES (1, 1), (1, 2), (2, NULL), (NULL, 2), (NULL, NULL), (3, 3), (1, 1)) t(a, b)";
    for among in [
        "(VALUES (1, 1), (2, 2)) u(x, y)",
        "(VALUES (1, 1), (NULL, 2)) u(x, y)",
        "(VALUES (3, NULL), (1, 2)) u(x, y)",
        "(VALUES (NULL, NULL)) u(x, y)",
        "(SELECT 1 AS x, 1 AS y WHERE false) u",
    ] {
        let each = format!("(SELECT bool_or(a = x AND b = y) FROM {among})");
        let some = format!("(SELECT count(*) FROM {among} WHERE (a = x AND b = y) IS NULL)");
        let want = format!(
            "SELECT a, b, CASE WHEN {each} THEN true WHEN {some} > 0 THEN NULL ELSE false END AS f FROM {rows} ORDER BY 1, 2"
        );
        let is = format!("(a, b) IN (SELECT x, y FROM {among})");
        let got = format!("SELECT a, b, {is} AS f FROM {rows} ORDER BY 1, 2");
        assert_eq!(sql(&got), sql(&want), "{among}");
        for (asked, kept) in [
            (is.clone(), "f"),
            (format!("NOT {is}"), "NOT f"),
            (is.replace(" IN ", " NOT IN "), "NOT f"),
            (format!("{is} OR a = 3"), "f OR a = 3"),
            (
                format!("{} OR a = 3", is.replace(" IN ", " NOT IN ")),
                "NOT f OR a = 3",
            ),
        ] {
            let got = format!("SELECT a, b FROM {rows} WHERE {asked} ORDER BY 1, 2");
            let want = format!("SELECT a, b FROM ({want}) WHERE {kept} ORDER BY 1, 2");
            assert_eq!(sql(&got), sql(&want), "{among}: {asked}");
        }
    }
}
