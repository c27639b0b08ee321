//! What a text file is: its header, its dialect, what of it is no CSV at all. The situations are those of
//! public threads, where people got another answer than they meant.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::common::{Folder, ask, query, run, run_with_input};

/// Runs `ddf query` with words that may hold blanks.
fn asked(file: &str, words: &[&str]) -> crate::common::Ran {
    run(["query", file].into_iter().chain(words.iter().copied()))
}

#[test]
fn text_after_a_closing_quote_has_one_reading() {
    let f = Folder::new();
    let rest: String = (0..300).map(|i| format!("r{i},{i}\n")).collect();
    for (blank, tail) in [("", ""), ("\n", ""), ("", &*rest)] {
        let file = f.file("q.csv", format!("a,b\n\"x\"y,1\n{blank}zz,2\n{tail}"));
        let whole = format!("a,b\nxy,1\nzz,2\n{tail}");
        for flags in [
            "",
            "--null QQ",
            "--blocksize 64 -j 4",
            "-w b>-1",
            "--blocksize 64 --null QQ",
        ] {
            let ran = ask(&file, flags).done().says(&["1 field has text", "q.csv:2"]);
            assert_eq!(ran.text(), whole, "{flags}");
            assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        }
        assert_eq!(query(&file, "-w a='xy' -s b"), "b\n1\n");
        assert_eq!(
            query(&file, "-g a --count -n 1 --sort a:desc -q"),
            "a,count\nzz,1\n"
        );
    }
    let many = "\"x\"y,1\n".repeat(50);
    ask(&f.file("m.csv", format!("a,b\n{many}")), "--count")
        .done()
        .says(&["50 fields have text", "m.csv:2, ", "m.csv:3, ", "m.csv:4"]);
    ask(&f.file("e.csv", "a,b\n1,\"said \\\"hi\\\"\"\n"), "")
        .done()
        .says(&["--escape '\\'"]);
}

#[test]
fn names_decide_the_columns() {
    let f = Folder::new();
    let file = f.file("n.csv", "1,2\n3,4,5\n");
    ask(&file, "-H --names a,b,c")
        .failed(1)
        .says(&["2 instead of 3", "n.csv:1"]);
    assert_eq!(
        query(&file, "-H --names a,b,c --on-bad-row skip"),
        "a,b,c\n3,4,5\n"
    );
    let ran = ask(&file, "-H --names a,b,c --on-bad-row pad").done();
    assert_eq!(ran.text(), "a,b,c\n1,2,\n3,4,5\n");
    let ran = ask(&file, "-H --names a,b --on-bad-row pad").done();
    assert_eq!(ran.text(), "a,b\n1,2\n3,4\n");
    ran.says(&["1 surplus field was cut", "n.csv:2"]);
    let file = f.file("three.csv", "x,y,z\n1,2,3\n");
    ask(&file, "--names a,b,c,d").failed(1).says(&["3 instead of 4"]);
    assert_eq!(query(&file, "--names a,b,c"), "a,b,c\n1,2,3\n");
    let empty = f.file("empty.csv", "");
    for flags in ["--names a,b", "-H --names a,b"] {
        assert_eq!(ask(&empty, flags).done().says(&["is empty"]).text(), "a,b\n");
    }
    assert_eq!(
        query(&empty, "-q --names a,b --count --max a"),
        "count,a_max\n0,\n"
    );
}

#[test]
fn what_is_no_csv_is_named() {
    let f = Folder::new();
    let zip = |name: &str| [b"PK\x03\x04\x14\0\0\0\0\0", name.as_bytes()].concat();
    let json = b"{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":4}\n";
    for (bytes, name) in [
        (json.to_vec(), "JSON"),
        (b"[\n {\"a\": 1},\n {\"a\": 2}\n]\n".to_vec(), "JSON"),
        (b"SQLite format 3\0\x10\0".to_vec(), "SQLite"),
        (b"ARROW1\0\0\xff\xff".to_vec(), "Arrow"),
        (b"ORC\n\x05\x12\0\0\x88".to_vec(), "ORC"),
        (b"Obj\x01\x04\x14".to_vec(), "Avro"),
        (zip("[Content_Types].xml"), "Excel"),
        (zip("a.csv"), "zip"),
        (b"<!DOCTYPE html>\n<html>".to_vec(), "HTML"),
    ] {
        for ending in ["csv", "txt", "dat"] {
            let file = f.file(&format!("x.{ending}"), &bytes);
            ask(&file, "--count").failed(1).says(&[name, "not CSV", "help:"]);
        }
        run_with_input(["query", "-", "--count"], &bytes)
            .failed(1)
            .says(&[name, "standard input"]);
    }
    let file = f.file("x.jsonl", "1\n2\n");
    ask(&file, "--count")
        .failed(1)
        .says(&["JSON", "--input-format csv"]);
    assert_eq!(query(&file, "-q --input-format csv --count"), "count\n1\n");
    let file = f.file("y.csv", "{a},[b]\n1,2\n");
    assert_eq!(query(&file, ""), "{a},[b]\n1,2\n");
    // Parquet is read, whatever it is called
    let csv = f.file("p.csv", "a,b\n1,x\n");
    run(["query", &csv, "-o", &f.at("p.parquet")]).done();
    std::fs::rename(f.at("p.parquet"), f.at("named.csv")).unwrap();
    assert_eq!(query(&f.at("named.csv"), ""), "a,b\n1,x\n");
}

#[test]
fn the_first_line_that_is_no_comment_is_the_header() {
    let f = Folder::new();
    let file = f.file(
        "v.vcf",
        "##fileformat=VCFv4.2\n##source=x\n#CHROM\tPOS\tID\n20\t14370\trs6\n##late\n20\t17330\t.\n",
    );
    let ran = asked(
        &file,
        &["--comment", "##", "-w", "\"#CHROM\" = 20", "-s", "#CHROM,POS"],
    )
    .done();
    assert_eq!(ran.text(), "#CHROM,POS\n20,14370\n20,17330\n");
    asked(&file, &["--comment", "#"])
        .done()
        .says(&["--comment '##'", "line 3"]);
    let file = f.file("c.csv", "# a\r# b\rx,y\r1,2\r# c\r3,4\r");
    assert_eq!(query(&file, "--comment # --sum x,y"), "x_sum,y_sum\n4,6\n");
}

#[test]
fn skipped_lines_may_end_in_a_lone_cr() {
    let f = Folder::new();
    let file = f.file("cr.csv", "x,y\r1,2\r3,4\r");
    assert_eq!(
        query(&file, "-H --skip-rows 1 --sum column_1"),
        "column_1_sum\n4\n"
    );
    assert_eq!(query(&file, "-q --skip-rows 2 --count"), "count\n0\n");
    let file = f.file("mixed.csv", "a\r\nb\rc\nx,y\n1,2\n");
    assert_eq!(query(&file, "--skip-rows 3"), "x,y\n1,2\n");
}

#[test]
fn rows_that_are_left_out_or_padded_are_told() {
    let f = Folder::new();
    let file = f.file("r.csv", "a,b\n1,2\n3\n4,5,6\n7\n8\n9,10,,\n");
    for block in ["64", "1MiB"] {
        ask(&file, &format!("--on-bad-row skip --blocksize {block}"))
            .done()
            .says(&["4 rows", "left out", "r.csv:3, ", "r.csv:4, ", "r.csv:5"]);
        ask(&file, &format!("--on-bad-row pad --sum a --blocksize {block}"))
            .done()
            .says(&[
                "4 rows",
                "3 missing fields are null",
                "1 surplus field was cut",
                "r.csv:3",
            ]);
    }
    let big: String = (0..20_000)
        .map(|i| {
            if i % 100 == 7 {
                format!("{i}\n")
            } else {
                format!("{i},x\n")
            }
        })
        .collect();
    let file = f.file("big.csv", format!("a,b\n{big}"));
    for flags in ["-j 1", "-j 8 --blocksize 1000", "-j 3 --blocksize 64KiB -w a<0"] {
        ask(&file, &format!("--on-bad-row skip --count {flags}"))
            .done()
            .says(&["200 rows", "big.csv:9, ", "big.csv:109, ", "big.csv:209"]);
    }
    // one of a self-join is told once
    let ran = run([
        "query",
        &file,
        "--on-bad-row",
        "skip",
        "--join",
        &file,
        "--on",
        "a",
        "--count",
    ])
    .done();
    assert_eq!(ran.err.matches("200 rows").count(), 1, "{}", ran.err);
}

#[test]
fn padded_rows_have_a_say_in_types() {
    let f = Folder::new();
    let body: String = (0..20_000).map(|i| format!("{i},{i}\n")).collect();
    let file = f.file("p.csv", format!("a,b\n{body}x\n1.5,7,8\n"));
    for flags in ["", "-j 1 --blocksize 1000", "--sum b"] {
        ask(&file, &format!("-q --on-bad-row pad {flags}")).done();
    }
    assert!(query(&file, "-q --on-bad-row pad").ends_with("\n19999,19999\nx,\n1.5,7\n"));
    // rows that are left out have none
    let file = f.file("s.csv", "a,b\n1,2\nx\n3,4\n");
    assert_eq!(query(&file, "-q --on-bad-row skip --sum a"), "a_sum\n4\n");
}

#[test]
fn a_header_that_is_data_gets_a_note() {
    let f = Folder::new();
    for (header, noted) in [
        ("1,2.5", true),
        ("2024-01-01,x", true),
        ("5,John,3", true),
        ("country,2019,2020", false),
        ("id,name", false),
    ] {
        let ran = ask(&f.file("h.csv", format!("{header}\n")), "").done();
        assert_eq!(ran.err.contains("-H"), noted, "{header}: {}", ran.err);
    }
}

#[test]
fn folders_of_csv_are_columns() {
    let f = Folder::new();
    for (folder, row) in [
        ("Year=2023/City=S%C3%A3o", "1"),
        ("Year=2024/City=Rio", "2"),
        ("Year=2024/City=Rom", "3"),
    ] {
        std::fs::create_dir_all(f.at(folder)).unwrap();
        f.file(&format!("{folder}/x.csv"), format!("a\n{row}\n"));
    }
    let all = f.at("");
    assert_eq!(
        query(&all, ""),
        "a,Year,City\n1,2023,São\n2,2024,Rio\n3,2024,Rom\n"
    );
    assert_eq!(query(&all, "-g Year --sum a"), "Year,a_sum\n2023,1\n2024,5\n");
    assert_eq!(query(&all, "-w Year=2024 --sum a"), "a_sum\n5\n");
    let ran = asked(
        &all,
        &["-w", "Year = 2024 and City = 'Rio' and a < 9", "--sum", "a"],
    )
    .done();
    assert_eq!(ran.text(), "a_sum\n2\n");
    assert_eq!(query(&all, "--types Year=text --max Year"), "Year_max\n2024\n");
    // files that the folders leave out are not read
    f.file("Year=2023/City=S%C3%A3o/x.csv", "a\n\"open\n");
    assert_eq!(query(&all, "-w Year>2023 --sum a"), "a_sum\n5\n");
    // the same as Parquet
    f.file("Year=2023/City=S%C3%A3o/x.csv", "a\n1\n");
    let other = Folder::new();
    for folder in [
        "Year=2023/City=S%C3%A3o",
        "Year=2024/City=Rio",
        "Year=2024/City=Rom",
    ] {
        std::fs::create_dir_all(other.at(folder)).unwrap();
        let (from, to) = (
            f.at(&format!("{folder}/x.csv")),
            other.at(&format!("{folder}/x.parquet")),
        );
        run(["query", &from, "-s", "a", "-o", &to]).done();
    }
    assert_eq!(query(&other.at(""), ""), query(&all, ""));
}

#[test]
fn the_same_data_in_two_formats_gets_a_note() {
    let f = Folder::new();
    let csv = f.file("a.csv", "x\n1\n");
    run(["query", &csv, "-o", &f.at("a.parquet")]).done();
    let ran = ask(&f.at(""), "--count")
        .done()
        .says(&["a.csv", "a.parquet", "same data"]);
    assert_eq!(ran.text(), "count\n2\n");
    let both = run(["query", &csv, &f.at("a.parquet"), "--count"]).done();
    both.quietly();
}

#[test]
fn names_of_files_need_not_be_utf8() {
    let f = Folder::new();
    let path = f.path().join(OsStr::from_bytes(b"\xe9t\xe9.csv"));
    std::fs::write(&path, "a,b\n1,2\n3\n").unwrap();
    let flags = ["--on-bad-row", "skip", "--sum", "a"];
    for input in [
        path.as_os_str(),
        OsStr::new(&f.at("")),
        OsStr::new(&f.at("*.csv")),
    ] {
        let words = [OsStr::new("query"), input]
            .into_iter()
            .chain(flags.map(OsStr::new));
        assert_eq!(run(words).done().text(), "a_sum\n1\n");
        let words = [OsStr::new("query"), input, OsStr::new("--count")];
        run(words).failed(1).says(&["3"]);
    }
    run([OsStr::new("plan"), path.as_os_str(), OsStr::new("--count")]).done();
}

#[test]
fn a_bank_statement_with_lines_above_its_header() {
    let f = Folder::new();
    let text = "\"Kontonummer:\";\"DE00 / Giro\";\r\n\r\n\"Von:\";\"01.01.2024\";\r\n\"Bis:\";\"31.03.2024\";\r\n\
        \"Stand:\";\"2.431,07 EUR\";\r\n\r\n\
        \"Tag\";\"Text\";\"Betrag (EUR)\";\"Ref\";\r\n\
        \"29.02.2024\";\"M\u{fc}ller\";\"12.345,60\";\"\";\r\n\
        \"15.02.2024\";\"Werke\";\"-1.234,56\";\"\";\r\n\
        \"03.01.2024\";\"B\u{e4}cker\";\"-4,30\";\"\";\r\n";
    let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let file = f.file("umsatz.csv", latin1);
    asked(&file, &["--encoding", "latin1"])
        .failed(1)
        .says(&["umsatz.csv:7", "line 7", "--skip-rows 6"]);
    let flags = ["--encoding", "latin1", "--skip-rows", "6"];
    let with = |more: &[&str]| asked(&file, &[&flags[..], more].concat());
    with(&["--sum", "Betrag (EUR)"])
        .failed(1)
        .says(&["'12.345,60' at", "umsatz.csv:8"]);
    let month = "month = strftime(strptime(Tag, '%d.%m.%Y'), '%Y-%m')";
    let ran = with(&[
        "--decimal-comma",
        "--thousands",
        ".",
        "-g",
        month,
        "--sum",
        "Betrag (EUR)",
    ])
    .done();
    assert_eq!(
        ran.text(),
        "month,Betrag (EUR)_sum\n2024-01,-4.3\n2024-02,11111.04\n"
    );
    let law = [
        "--decimal-comma",
        "--thousands",
        ".",
        "--types",
        "Betrag (EUR)=decimal(12,2)",
    ];
    let ran = with(&[&law[..], &["--sum", "Betrag (EUR)"]].concat()).done();
    assert_eq!(ran.text(), "Betrag (EUR)_sum\n11106.74\n");
}

#[test]
fn a_header_further_down_is_offered() {
    let f = Folder::new();
    let file = f.file(
        "wdi.csv",
        "\"Data Source\",\"World\",\n\n\"Updated\",\"2024-05-30\",\n\n\"Name\",\"Code\",\"2019\",\"2020\",\n\"Aland\",\"ALA\",\"10.5\",\"11.5\",\n\"Borduria\",\"BOR\",\"20\",\"30\",\n",
    );
    ask(&file, "")
        .failed(1)
        .says(&["wdi.csv:5", "line 5", "--skip-rows 4"]);
    let toa5 = "\"TOA5\",\"6843\",\"CR3000\",\"x\",\"24006\",\"ts\"\r\n\"TIMESTAMP\",\"RECORD\",\"Ux\",\"co2\"\r\n\
        \"TS\",\"RN\",\"m/s\",\"mg\"\r\n\"\",\"\",\"Smp\",\"Smp\"\r\n\
        \"2012-06-07 13:00:00.05\",1,0.468,659.7584\r\n\"2012-06-07 13:00:00.1\",2,\"NAN\",660.0234\r\n\
        \"2012-06-07 13:00:00\",3,-0.5,\"NAN\"\r\n";
    let file = f.file("toa5.dat", toa5);
    ask(&file, "--mean Ux")
        .failed(1)
        .says(&["no column \"Ux\"", "line 2", "--skip-rows 1"]);
    let flags = "--skip-rows 4 -H --names TIMESTAMP,RECORD,Ux,co2 --null NAN --agg m=round(mean(Ux),6)";
    assert_eq!(query(&file, flags), "m\n-0.016\n");
}

#[test]
fn rows_with_names_as_r_writes_them() {
    let f = Folder::new();
    let file = f.file("df.csv", "x,y,v\n1,a,1,10\n2,a,3,20\n3,b,6,30\n");
    let ran = ask(&file, "--sum v")
        .done()
        .says(&["names of the rows", "column_1"]);
    assert_eq!(ran.text(), "v_sum\n60\n");
    assert_eq!(query(&file, "-q -n 1"), "column_1,x,y,v\n1,a,1,10\n");
    let file = f.file(
        "df.txt",
        "\"x\" \"y\" \"v\"\n\"1\" \"a\" 1 10\n\"2\" \"a\" 3 20\n\"3\" \"b\" 6 30\n",
    );
    let ran = asked(&file, &["-d", " ", "--sum", "v"]).done();
    assert_eq!(ran.text(), "v_sum\n60\n");
    // one row that has none is no such file
    let file = f.file("no.csv", "x,y,v\n1,a,1,10\n2,a,3\n");
    ask(&file, "").failed(1);
    // what begins after the sample is a bad row, as ever
    let many: String = (0..20_000).map(|i| format!("{i},a,1,2\n")).collect();
    let file = f.file("late.csv", format!("x,y,v\n{many}1,2,3\n"));
    ask(&file, "--count")
        .failed(1)
        .says(&["3 instead of 4", "late.csv:20002"]);
}

#[test]
fn backslashes_escape_outside_quotes_too() {
    let f = Folder::new();
    let file = f.file(
        "t.txt",
        "1\ta\\\tb\t10\n2\tline1\\\nline2\t20\n3\tc\\\\d\t30\n4\t\\N\t40\n",
    );
    let flags = ["-H", "-d", "\\t", "--escape", "\\"];
    assert_eq!(
        asked(&file, &flags).done().text(),
        "column_1,column_2,column_3\n1,a\tb,10\n2,\"line1\nline2\",20\n3,c\\d,30\n4,,40\n"
    );
    let blocks = [&flags[..], &["--blocksize", "64", "--count"]].concat();
    assert_eq!(asked(&file, &blocks).done().text(), "count\n4\n");
    let file = f.file(
        "esc.csv",
        "\"id\",\"note\"\n\"1\",\"said \\\"hi\\\"\"\n\"2\",\"Surname\\, Firstname\"\n",
    );
    let ran = asked(&file, &["--escape", "\\", "-s", "note"]).done().quietly();
    assert_eq!(ran.text(), "note\n\"said \"\"hi\"\"\"\n\"Surname, Firstname\"\n");
    ask(&file, "-s note").done().says(&["esc.csv:2", "--escape"]);
    // an escape at the very end
    let file = f.file("end.csv", "a,b\n1,x\\");
    assert_eq!(
        asked(&file, &["--escape", "\\", "--count"]).done().text(),
        "count\n1\n"
    );
    // a quote that escapes quotes is a doubled one
    let file = f.file("d.csv", "a,b\n\"x \"\"y\"\"\",1\n");
    assert_eq!(
        asked(&file, &["--escape", "\""]).done().text(),
        "a,b\n\"x \"\"y\"\"\",1\n"
    );
}

#[test]
fn blanks_around_fields() {
    let f = Folder::new();
    let file = f.file(
        "pp.csv",
        "Date, Time, Name, Amount\n\"1/2/2024\", \"10:00\", \"Shop, Ltd\", \"5.00\"\n\"1/3/2024\", \"11:00\", \"Cafe\", \"7.50\"\n",
    );
    ask(&file, "").failed(1).says(&["pp.csv:2", "--trim"]);
    ask(&file, "--sum Amount")
        .failed(1)
        .says(&["did you mean \" Amount\""]);
    assert_eq!(query(&file, "--trim --sum Amount"), "Amount_sum\n12.5\n");
    assert_eq!(query(&file, "--trim -s Name"), "Name\n\"Shop, Ltd\"\nCafe\n");
    let file = f.file(
        "plain.csv",
        "Index, Item, Cost\n6, Banana, 6.68\n7, Wrench, 10.00\n",
    );
    assert_eq!(query(&file, "--trim --mean Cost"), "Cost_mean\n8.34\n");
    // without the flag blanks are characters
    assert_eq!(query(&file, "-n 1"), "Index, Item, Cost\n6, Banana, 6.68\n");
}

#[test]
fn quoted_texts_that_mean_null() {
    let f = Folder::new();
    let file = f.file(
        "n.csv",
        "\"id\",\"v\"\n\"1\",\"NULL\"\n\"2\",\"4\"\n\"3\",\"NULL\"\n",
    );
    for null in ["", "--null NULL", "--null NULL --types v=int64"] {
        assert_eq!(query(&file, &format!("{null} --mean v")), "v_mean\n4.0\n");
    }
    let ran = asked(&file, &["--null", "NULL", "-w", "v is null", "--count"]).done();
    assert_eq!(ran.text(), "count\n2\n");
    let file = f.file(
        "q.csv",
        "\"id\",\"price\",\"d\"\n\"1\",\"3.50\",\"2024-01-01\"\n\"2\",\"\",\"\\N\"\n\"3\",\"5.50\",\"\"\n",
    );
    assert_eq!(
        query(&file, "--sum price --count=d"),
        "price_sum,d_count\n9.0,1\n"
    );
    // in a text column they are texts, as in one of nothing else
    let file = f.file("t.csv", "a,b\n\"NA\",\"NA\"\n\"x\",\"NA\"\n");
    assert_eq!(query(&file, ""), "a,b\nNA,NA\nx,NA\n");
    // what is no null is named, and what would make it one
    let file = f.file("m.csv", "v\n\"1\"\n\"n.a.\"\n");
    ask(&file, "--types v=int64 --null NULL --sum v")
        .failed(1)
        .says(&["m.csv:3", "--null 'n.a.'"]);
}

#[test]
fn thousands_in_quotes() {
    let f = Folder::new();
    let file = f.file("th.csv", "a,b\n\"1,234\",\"2,345,678\"\n\"5\",\"6\"\n");
    ask(&file, "--sum a")
        .failed(1)
        .says(&["'1,234' at", "th.csv:2", "replace(a, ',', '')"]);
    assert_eq!(
        query(&file, "--thousands , --sum a,b"),
        "a_sum,b_sum\n1239,2345684\n"
    );
    // nothing that is offered leaves rows out
    for help in ["--sum a", "-w a>1", "--with c=a+1"] {
        let ran = ask(&file, help).failed(1);
        assert!(!ran.err.contains("try_cast"), "{}", ran.err);
    }
}
