//! Types: guessed from a sample, widened with a warning when the guess was too narrow, never rounded.

use crate::common::{Folder, ask, query, run};

/// A column of integers with something else on line 200,001 (row 200,000).
fn late(value: &str) -> String {
    let mut csv = String::from("id,x\n");
    for i in 1..=200_010 {
        match i {
            200_000 => csv += &format!("{i},{value}\n"),
            _ => csv += &format!("{i},1\n"),
        }
    }
    csv
}

#[test]
fn a_fraction_far_down_widens_to_float() {
    let f = Folder::new();
    let file = f.file("late.csv", late("1.5"));
    let ran = ask(&file, "--sum x")
        .done()
        .says(&["warning", "late.csv:200001", "1.5"]);
    assert_eq!(ran.text(), "x_sum\n200010.5\n");
    assert_eq!(ran.err.matches("warning").count(), 1, "{}", ran.err);
    // a query that does not use the column does not care
    ask(&file, "--sum id").done().quietly();
    ask(&file, "--sum x --strict-types")
        .failed(1)
        .says(&["late.csv:200001", "1.5"]);
    ask(&file, "--sum x --types x=int64")
        .failed(1)
        .says(&["late.csv:200001", "1.5"]);
}

#[test]
fn a_word_far_down_widens_to_text() {
    let f = Folder::new();
    let file = f.file("late.csv", late("word"));
    let ran = ask(&file, "--max x --count --nunique x")
        .done()
        .says(&["warning", "late.csv:200001", "word"]);
    assert_eq!(ran.text(), "x_max,count,x_nunique\nword,200010,2\n");
    // what needs numbers cannot go on, and says why
    ask(&file, "--sum x").failed(1);
}

#[test]
fn every_column_that_widens_is_told_with_its_types_and_place() {
    let f = Folder::new();
    let rows = |last: &str| {
        let ints: String = (0..60_000).map(|i| format!("{i},1,2\n")).collect();
        format!("a,b,c\n{ints}{last}\n")
    };
    let file = f.file("wide.csv", rows("1.5,zz,2.5"));
    let sql = |file: &str| format!("select sum(a), max(b), sum(c) from '{file}'");
    let ran = run(["sql", &sql(&file)]).done();
    let told: Vec<&str> = ran.err.lines().collect();
    assert_eq!(told.len(), 2, "{}", ran.err);
    // those of the same types are one warning, with both places
    for part in [
        "'a' is float64, not int64",
        "60002 has '1.5'; the same of 'c (",
        "wide.csv:60002 has '2.5')",
    ] {
        assert!(told[0].contains(part), "{part}: {}", ran.err);
    }
    let text = "column 'b' is text, not int64: ";
    assert!(
        told[1].contains(text) && told[1].ends_with("wide.csv:60002 has 'zz'"),
        "{}",
        ran.err
    );
}

#[test]
fn widening_keeps_what_was_read_before() {
    let f = Folder::new();
    let file = f.file(
        "late.csv",
        late("word").replacen("\n2,1\n", "\n2,9007199254740993\n", 1),
    );
    let ran = run(["query", &file, "-w", "id in (2, 200000)"]).done();
    assert_eq!(ran.text(), "id,x\n2,9007199254740993\n200000,word\n");
}

#[test]
fn rows_that_stream_out_come_once() {
    let f = Folder::new();
    let left = f.file("late.csv", late("1.5"));
    let right = f.file("names.csv", "x,name\n1,one\n1.5,more\n");
    let join = format!("SELECT id, l.x, name FROM '{left}' l JOIN '{right}' r ON l.x = r.x");
    let whole = format!("SELECT id, x FROM '{left}'");
    for (sql, last) in [(&join, "200000,1.5,more"), (&whole, "200000,1.5")] {
        for more in [
            &["--format", "csv", "--normalize"][..],
            &["-o", "/dev/stdout", "--format", "csv", "--normalize"],
        ] {
            let ran = run(["sql", sql].iter().chain(more))
                .done()
                .says(&["late.csv:200001"]);
            let text = ran.text();
            assert_eq!(text.lines().count(), 1 + 200_010, "{sql} {more:?}");
            assert_eq!(text.lines().filter(|l| l.starts_with("id")).count(), 1);
            assert_eq!(text.lines().nth(200_000), Some(last));
        }
    }
}

#[test]
fn impossible_dates_stay_text() {
    let f = Folder::new();
    let file = f.file("d.csv", "d\n2024-02-29\n2024-02-30\n");
    assert_eq!(query(&file, ""), "d\n2024-02-29\n2024-02-30\n");
    assert_eq!(run(["schema", &file]).done().text(), "d  text\n");
    let good = f.file("g.csv", "d\n2024-02-29\n2024-03-01\n");
    assert_eq!(run(["schema", &good]).done().text(), "d  date\n");
    ask(&file, "--types d=date")
        .failed(1)
        .says(&["d.csv:3", "2024-02-30"]);
    let slashes = f.file("s.csv", "d\n01/02/2024\n");
    assert_eq!(run(["schema", &slashes]).done().text(), "d  text\n");
}

#[test]
fn types_given_are_law() {
    let f = Folder::new();
    let file = f.file("t.csv", "a,b\n1,007\n2,x\n");
    assert_eq!(query(&file, "--types a=text --max a"), "a_max\n2\n");
    assert_eq!(query(&file, "--types a=float64 --sum a"), "a_sum\n3.0\n");
    ask(&file, "--types b=int64 --sum b")
        .failed(1)
        .says(&["t.csv:2", "'007'", "help:"]);
    ask(&file, "--types nosuch=int64 --count")
        .failed(1)
        .says(&["nosuch"]);
    assert_ne!(ask(&file, "--types a=nosuch --count").status, Some(0));
}

#[test]
fn types_may_name_columns_of_one_of_several_tables() {
    let f = Folder::new();
    let (left, right) = (f.file("a.csv", "k,zip\n1,01\n"), f.file("b.csv", "k,code\n1,2\n"));
    let joined = "k,zip,code\n1,01,2\n";
    for types in ["code=text", "code=text,zip=text", "k=int64,code=int64"] {
        assert_eq!(
            query(&left, &format!("--join {right} --on k --types {types}")),
            joined
        );
        let ran = run(["join", &left, &right, "--on", "k", "--types", types]).done();
        assert_eq!(ran.text(), joined);
        let sql = format!("select a.k, zip, code from '{left}' a join '{right}' b on a.k = b.k");
        assert_eq!(run(["sql", &sql, "--types", types]).done().text(), joined);
    }
    // a sum of text is one, whichever table has the column
    ask(
        &left,
        &format!("--join {right} --on k --types code=text --sum code"),
    )
    .failed(1)
    .says(&["sum of text"]);
    ask(&left, &format!("--join {right} --on k --types nosuch=text"))
        .failed(1)
        .says(&["no column \"nosuch\""]);
    run(["join", &left, &right, "--on", "k", "--types", "nosuch=text"])
        .failed(1)
        .says(&["no column \"nosuch\""]);
    let sql = format!("select * from '{left}' a join '{right}' b on a.k = b.k");
    run(["sql", &sql, "--types", "nosuch=text"])
        .failed(1)
        .says(&["no column \"nosuch\""]);
    // of several statements the one that reads the column may come last
    let sql = format!("select zip from '{left}'; select code || 'x' as c from '{right}'");
    assert_eq!(
        run(["sql", &sql, "--types", "code=text"]).done().text(),
        "zip\n01\nc\n2x\n"
    );
    // what a table function is told is of its own table
    let sql = format!("select * from read_csv('{left}', types = {{'code': 'text'}})");
    run(["sql", &sql]).failed(1).says(&["no column \"code\""]);
}

#[test]
fn all_columns_can_be_of_one_type() {
    let f = Folder::new();
    let rows = "id,price,flag,day\n1,10.50,TRUE,2024-01-01\n2,2.2E+11,false,\n";
    let file = f.file("t.csv", rows);
    assert_eq!(
        query(&file, "--types *=text -w id='1'"),
        "id,price,flag,day\n1,10.50,TRUE,2024-01-01\n"
    );
    assert_eq!(
        query(&file, "--types *=text --sort price:desc -s price"),
        "price\n2.2E+11\n10.50\n"
    );
    let typed = run(["schema", &file, "--types", "*=text,id=int64"]).done();
    assert_eq!(
        typed.text(),
        "id     int64\nprice  text\nflag   text\nday    text\n"
    );
    ask(&file, "--types *=int64 --count=price")
        .failed(1)
        .says(&["t.csv:2", "'10.50'"]);
    // the values of a Parquet file as they print
    let parquet = f.at("t.parquet");
    run(["query", &file, "-o", &parquet]).done();
    assert_eq!(
        query(
            &parquet,
            "--types *=text,id=int64 -w day='2024-01-01' -s n=id+1,price,flag"
        ),
        "n,price,flag\n2,10.5,true\n"
    );
    // a column of that name is itself
    let file = f.file("star.csv", "*,b\n1,2\n");
    assert_eq!(
        run(["schema", &file, "--types", "*=text"]).done().text(),
        "*  text\nb  int64\n"
    );
    // whose type says nothing of the others
    let rows = (0..30_000).map(|i| format!("x,{}\n", if i == 29_000 { "y" } else { "1" }));
    let file = f.file("stars.csv", format!("*,b\n{}", rows.collect::<String>()));
    assert_eq!(query(&file, "--types *=text --max b"), "b_max\ny\n");
}

#[test]
fn names_given_may_hold_commas() {
    let f = Folder::new();
    let file = f.file("n.csv", "1,2,3\n");
    for (names, header) in [
        ("a,b,c", "a,b,c"),
        ("\"a, b\",\"c d\",e", "\"a, b\",c d,e"),
        ("a,\"b \"\"x\"\", y\",c", "a,\"b \"\"x\"\", y\",c"),
    ] {
        let ran = run(["query", &file, "-H", "--names", names]).done();
        assert_eq!(ran.text(), format!("{header}\n1,2,3\n"), "{names}");
    }
}

#[test]
fn only_true_and_false_are_booleans() {
    let f = Folder::new();
    let file = f.file("b.csv", "t,y\ntrue,yes\nfalse,no\n,\n");
    assert_eq!(run(["schema", &file]).done().text(), "t  bool\ny  text\n");
    assert_eq!(query(&file, "-w t"), "t,y\ntrue,yes\n");
}

#[test]
fn empty_text_is_not_null() {
    let f = Folder::new();
    let file = f.file("e.csv", "k,t\n1,\"\"\n2,\n3,x\n");
    assert_eq!(query(&file, ""), "k,t\n1,\"\"\n2,\n3,x\n");
    assert_eq!(query(&file, "--count=t --nunique t"), "t_count,t_nunique\n2,2\n");
    let parquet = f.at("e.parquet");
    run(["query", &file, "-o", &parquet]).done();
    assert_eq!(query(&parquet, ""), "k,t\n1,\"\"\n2,\n3,x\n");
}

#[test]
fn delimiters_are_told_by_name_and_header() {
    let f = Folder::new();
    for (name, d) in [
        ("a.tsv", "\t"),
        ("a.psv", "|"),
        ("a.csv", ";"),
        ("b.csv", "\t"),
        ("c.csv", ","),
    ] {
        let file = f.file(name, format!("a{d}b\n1{d}2\n3{d}4\n"));
        assert_eq!(query(&file, "--sum a,b"), "a_sum,b_sum\n4,6\n", "{name}");
    }
    let file = f.file("odd.csv", "a:b\n1:2\n");
    assert_eq!(query(&file, "-d : --sum b"), "b_sum\n2\n");
}

#[test]
fn a_type_with_a_comma_within_stands_in_a_list() {
    let f = Folder::new();
    let file = f.file("d.csv", "a,b,c\n1.5,2.25,x\n");
    let ran = ask(
        &file,
        "--types a=decimal(12,2),c=text,b=decimal(5,3) --with d=a+b",
    )
    .done();
    assert_eq!(ran.text(), "a,b,c,d\n1.50,2.250,x,3.750\n");
}

/// Rows of `id,x` with a fraction on every row whose number is a multiple of 50,000 from 100,000 on.
fn fractions() -> String {
    let mut csv = String::from("id,x\n");
    for i in 1..=260_000 {
        match i >= 100_000 && i % 50_000 == 0 {
            true => csv += &format!("{i},0.5\n"),
            false => csv += &format!("{i},{}\n", i % 7),
        }
    }
    csv
}

/// The settings that must not matter: where partitions begin, how many tasks run ahead.
const SETTINGS: [&str; 5] = [
    "--blocksize 400B -j 8",
    "--blocksize 16KiB -j 8",
    "--blocksize 100KiB -j 2",
    "--blocksize 500KiB -j 8",
    "-j 1",
];

#[test]
fn rows_that_a_filter_leaves_out_decide_no_type() {
    let f = Folder::new();
    let file = f.file("x.csv", fractions());
    let out = f.at("out.csv");
    for how in SETTINGS {
        let near = "id >= 149960 and id <= 150040";
        let without = [format!("{near} and id <> 150000"), "id > 250000".into()];
        for (filter, first) in without.iter().zip(["149960,6", "250001,3"]) {
            let args = ["query", &file, "--normalize", "--where", filter];
            run(args.iter().chain(&["-o", &out]).copied().chain(how.split(' '))).done();
            let text = std::fs::read_to_string(&out).unwrap();
            assert_eq!(text.lines().nth(1), Some(first), "{how} {filter}");
            // rows that stream are the same
            let streamed = run(args.iter().copied().chain(how.split(' '))).done();
            assert_eq!(streamed.text(), text, "{how} {filter}");
        }
        let args = ["query", &file, "--normalize", "--where", near];
        let ran = run(args.iter().copied().chain(how.split(' ')))
            .done()
            .says(&["x.csv:100001"]);
        let text = ran.text();
        assert_eq!(text.lines().nth(1), Some("149960,6.0"), "{how}");
    }
}

#[test]
fn what_lies_behind_the_rows_that_are_wanted_does_not_matter() {
    let f = Folder::new();
    let file = f.file("x.csv", fractions());
    let ragged = f.file("r.csv", fractions() + "1,2,3\n" + &fractions()[5..]);
    let out = f.at("out.csv");
    for how in SETTINGS {
        for (limit, fits) in [(99_999, true), (100_000, false)] {
            let limit = limit.to_string();
            let args = ["query", &file, "--normalize", "--limit", &limit];
            run(args.iter().chain(&["-o", &out]).copied().chain(how.split(' '))).done();
            let text = std::fs::read_to_string(&out).unwrap();
            let first = if fits { "1,1" } else { "1,1.0" };
            assert_eq!(text.lines().nth(1), Some(first), "{how} {limit}");
            assert_eq!(
                text.lines().count().to_string(),
                (limit.parse::<usize>().unwrap() + 1).to_string()
            );
            let streamed = run(args.iter().copied().chain(how.split(' '))).done();
            assert_eq!(streamed.text(), text, "{how} {limit}");
        }
        // also where the limit is not the last step, and with a filter
        let sql = format!("select max(x) as m from (select x from '{file}' limit 99999)");
        let ran = run(["sql", &sql].into_iter().chain(how.split(' '))).done();
        assert_eq!(ran.text(), "m\n6\n", "{how}");
        let args = [
            "query",
            &file,
            "--where",
            "id > 99000",
            "--limit",
            "999",
            "--sort",
            "x",
        ];
        let ran = run(args.into_iter().chain(how.split(' '))).done();
        assert_eq!(ran.text().lines().count(), 1000, "{how}");
        // a row of too many fields
        for (limit, fine) in [("260000", true), ("260001", false)] {
            let args = ["query", &ragged, "--select", "id", "--limit", limit];
            let ran = run(args.into_iter().chain(how.split(' ')));
            assert_eq!(ran.status, Some(if fine { 0 } else { 1 }), "{how} {limit}");
        }
    }
}

#[test]
fn types_of_which_no_query_can_be_made_are_made_certain_first() {
    let f = Folder::new();
    // a zip code of New England far behind the sample
    let mut csv = String::from("id,zip\n");
    for i in 0..30_000 {
        csv += &format!(
            "{i},{}\n",
            if i == 29_000 {
                "02134".into()
            } else {
                (30_000 + i).to_string()
            }
        );
    }
    let file = f.file("z.csv", csv);
    let sql = format!("select id, substr(zip, 1, 2) as z from '{file}' where zip < '03'");
    let ran = run(["sql", &sql])
        .done()
        .says(&["column 'zip' is text", "z.csv:29002", "02134"]);
    assert_eq!(ran.text(), "id,z\n29000,02\n");
    // where they hold, the text of a number is its digits; what else there is has no such text
    let sql = format!("select substr(id, 4, 2) as z from '{file}' where id = 29000");
    assert_eq!(run(["sql", &sql]).done().text(), "z\n00\n");
    let sql = format!("select substr(id / 2, 1, 2) from '{file}'");
    run(["sql", &sql]).failed(1).says(&["float64, not text"]);
}

#[test]
fn a_text_that_is_no_number_is_not_believed_from_a_sample() {
    let f = Folder::new();
    // the first text among the codes stands far behind the sample, and behind what the other file holds
    let mut csv = String::from("code,n\n");
    for i in 0..30_000 {
        csv += &match i {
            29_000 => "x7,0\n".to_string(),
            _ => format!("{i},{i}\n"),
        };
    }
    let (codes, names) = (
        f.file("codes.csv", csv),
        f.file("names.csv", "code,name\nx7,a\n12,b\n"),
    );
    let joined = "code,n,name\n12,12,b\nx7,0,a\n";
    let sql = format!("select c.code, n, name from '{codes}' c join '{names}' d on c.code = d.code");
    let flags = ["query", &codes, "--join", &names, "--on", "code"];
    for how in ["-j 1", "-j 2 --blocksize 64KiB"] {
        let args = |args: &[&str]| {
            args.iter()
                .copied()
                .chain(how.split(' '))
                .map(String::from)
                .collect::<Vec<_>>()
        };
        let ran = run(args(&["sql", &sql]))
            .done()
            .says(&["column 'code' is text", "codes.csv:29002"]);
        assert_eq!(ran.text(), joined, "{how}");
        assert_eq!(run(args(&flags)).done().text(), joined, "{how}");
    }
    // where it is an int64 the text is an error
    let sql = format!("select count(*) from '{codes}' c join '{names}' d on c.n = d.code");
    run(["sql", &sql]).failed(1).says(&["'x7' is no int64"]);
}
