//! CSV and Parquet files in one query: one table, whatever the mixture.

use crate::common::{Folder, ask, query, run, testdata};

/// Writes CSV text as the Parquet file `name`.
fn parquet(f: &Folder, name: &str, csv: &str) -> String {
    let (from, to) = (f.file("source.txt", csv), f.at(name));
    run(["query", "-i", "csv", &from, "-o", &to]).done();
    std::fs::remove_file(from).unwrap();
    to
}

#[test]
fn rows_come_in_the_order_of_the_files() {
    let f = Folder::new();
    f.file("a.csv", "x,k\n1,p\n2,q\n");
    parquet(&f, "b.parquet", "k,x\nr,3\np,4\n");
    f.file("c.csv", "k,x\nq,5\n");
    parquet(&f, "d.parquet", "x,k\n6,s\n");
    let all = "x,k\n1,p\n2,q\n3,r\n4,p\n5,q\n6,s\n";
    let list = f.file(
        "list",
        f.names().iter().map(|n| f.at(n) + "\n").collect::<String>(),
    );
    for input in [f.at(""), f.at("*.{csv,parquet}"), format!("@{list}")] {
        for flags in [
            "",
            "-j 1",
            "-j 8 --blocksize 64",
            "--scheduler sync",
            "--no-optimize",
        ] {
            assert_eq!(query(&input, flags), all, "{input} {flags}");
        }
        assert_eq!(query(&input, "--count"), "count\n6\n");
        assert_eq!(query(&input, "-w x>2&&x<6 -s x"), "x\n3\n4\n5\n");
        assert_eq!(
            query(&input, "-g k --sum x --first x --last x"),
            "k,x_sum,x_first,x_last\np,5,1,4\nq,7,2,5\nr,3,3,3\ns,6,6,6\n"
        );
        assert_eq!(query(&input, "--sort k:desc -n 2"), "x,k\n6,s\n3,r\n");
    }
}

#[test]
fn columns_and_types_unite() {
    let f = Folder::new();
    f.file("a.csv", "i,t,n,only\n1,x,,c\n2,NA,,c\n");
    parquet(&f, "b.parquet", "n,i,t,other\n2024-01-31,2.5,7,true\n");
    let ran = ask(&f.at(""), "").done().says(&["'only'", "'other'"]);
    assert_eq!(
        ran.text(),
        "i,t,n,only,other\n1.0,x,,c,\n2.0,NA,,c,\n2.5,7,2024-01-31,,true\n"
    );
    assert_eq!(
        query(&f.at(""), "-q --sum i --max n"),
        "i_sum,n_max\n5.5,2024-01-31\n"
    );
    // the null side of a column that a file lacks is filtered as null
    assert_eq!(query(&f.at(""), "-q -w other -s i"), "i\n2.5\n");
    assert_eq!(query(&f.at(""), "-q -w only='c' --count"), "count\n2\n");
    assert_eq!(query(&f.at(""), "-q --types other=text --count"), "count\n3\n");
    ask(&f.at(""), "--types nobody=text")
        .failed(1)
        .says(&["\"nobody\""]);
    ask(&f.at(""), "--union strict")
        .failed(1)
        .says(&["'other'", "CSV"]);
}

#[test]
fn late_surprises_widen_both_sides() {
    let f = Folder::new();
    let rows: String = (0..200_000).map(|i| format!("{i}\n")).collect();
    f.file("a.csv", format!("x\n{rows}0.5\n"));
    parquet(&f, "b.parquet", "x\n1\n2\n");
    let ran = ask(&f.at(""), "--sum x --count")
        .done()
        .says(&["'x'", "float64", "a.csv:200002"]);
    assert_eq!(ran.text(), "x_sum,count\n19999900003.5,200003\n");
    f.file("a.csv", format!("x\n{rows}word\n"));
    assert_eq!(
        query(&f.at(""), "-q -s x --distinct --sort x:desc -n 2"),
        "x\nword\n99999\n"
    );
    // an integer that a float would round is kept as it is written, as text
    f.file("a.csv", format!("x\n{rows}9007199254740993\n"));
    parquet(&f, "b.parquet", "x\n1.5\n");
    let all = query(&f.at(""), "-q");
    assert!(
        all.ends_with("\n199999\n9007199254740993\n1.5\n"),
        "{}",
        &all[all.len() - 60..]
    );
}

#[test]
fn filters_prune_row_groups_of_the_parquet_side() {
    let f = Folder::new();
    f.file("a.csv", "x,y\n5,1\n700000,2\n");
    let rows: String = (0..300_000).map(|i| format!("{i},{i}\n")).collect();
    parquet(&f, "b.parquet", &format!("x,y\n{rows}"));
    let ran = ask(&f.at(""), "-w x>=600000 --sum y --stats")
        .done()
        .says(&["read 2 rows"]); // both of the CSV side, which has no statistics
    assert_eq!(ran.text(), "y_sum\n2\n");
    assert_eq!(query(&f.at(""), "-w x=5 --sum y --count"), "y_sum,count\n6,2\n");
}

#[test]
fn the_name_of_the_file_can_be_a_column() {
    let f = Folder::new();
    f.file("a.csv", "x\n1\n");
    parquet(&f, "b.parquet", "x,z\n2,3\n");
    let text = query(&f.at(""), "-q --filename-col file");
    let expected = format!("x,z,file\n1,,{}\n2,3,{}\n", f.at("a.csv"), f.at("b.parquet"));
    assert_eq!(text, expected);
}

#[test]
fn the_flights_half_in_csv_and_half_in_parquet() {
    let f = Folder::new();
    let all = testdata("nycflights");
    let mut months: Vec<_> = std::fs::read_dir(&all)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    months.retain(|p| p.extension().is_some_and(|e| e == "csv"));
    months.sort();
    assert_eq!(months.len(), 12);
    for (i, month) in months.iter().enumerate() {
        let from = if i % 2 == 0 {
            month.clone()
        } else {
            month.with_extension("parquet")
        };
        std::fs::copy(&from, f.path().join(from.file_name().unwrap())).unwrap();
    }
    for flags in [
        "-g Origin --mean DepDelay --count",
        "-g UniqueCarrier,Dest --count --mean ArrDelay --std ArrDelay --sort count:desc -n 10",
        "-w Cancelled=0 --max DepDelay --nunique TailNum --median ArrDelay",
        "-w DepDelay>600 -s Year,Month,DayofMonth,Origin,TailNum,DepDelay",
        "-s UniqueCarrier,Origin --distinct",
    ] {
        let csv = query(all.join("*.csv").to_str().unwrap(), flags);
        assert_eq!(query(&f.at(""), flags), csv, "{flags}");
    }
}
