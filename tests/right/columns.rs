//! Files of one glob whose columns differ: matched by name, never by position.

use crate::common::{Folder, ask, query, run};

#[test]
fn columns_in_another_order_are_matched_by_name() {
    let f = Folder::new();
    f.file("1.csv", "a,b\n1,10\n2,20\n");
    f.file("2.csv", "b,a\n30,3\n40,4\n");
    assert_eq!(query(&f.at("*.csv"), "--sum a,b"), "a_sum,b_sum\n10,100\n");
    assert_eq!(query(&f.at("*.csv"), ""), "a,b\n1,10\n2,20\n3,30\n4,40\n");
}

#[test]
fn columns_that_some_files_lack_are_null_there() {
    let f = Folder::new();
    f.file("1.csv", "a,b\n1,10\n2,20\n");
    f.file("2.csv", "b,c\n30,x\n");
    let ran = ask(&f.at("*.csv"), "--sum b").done();
    assert_eq!(ran.text(), "b_sum\n60\n");
    let ran = ask(&f.at("*.csv"), "")
        .done()
        .says(&["warning", "'c'", "1.csv", "'a'"]);
    assert_eq!(ran.text(), "a,b,c\n1,10,\n2,20,\n,30,x\n");
    ask(&f.at("*.csv"), "--union strict --sum b")
        .failed(1)
        .says(&["'c'", "1.csv"]);
}

#[test]
fn the_same_holds_for_parquet() {
    let f = Folder::new();
    let (one, two) = (
        f.file("1.csv", "a,b\n1,10\n2,20\n"),
        f.file("2.csv", "c,b,a\nx,30,3\n"),
    );
    run(["query", &one, "-o", &f.at("1.parquet")]).done();
    run(["query", &two, "-o", &f.at("2.parquet")]).done();
    assert_eq!(query(&f.at("*.parquet"), "--sum a,b"), "a_sum,b_sum\n6,60\n");
    assert_eq!(query(&f.at("*.parquet"), "-q"), "a,b,c\n1,10,\n2,20,\n3,30,x\n");
}

#[test]
fn types_that_differ_between_files_unite() {
    let f = Folder::new();
    f.file("1.csv", "k,x\na,1\n");
    f.file("2.csv", "k,x\na,2.5\n");
    f.file("3.csv", "k,x\na,\n");
    assert_eq!(
        query(&f.at("*.csv"), "-q -g k --sum x --count"),
        "k,x_sum,count\na,3.5,3\n"
    );
    f.file("4.csv", "k,x\na,word\n");
    assert_eq!(query(&f.at("*.csv"), "-q -s x"), "x\n1\n2.5\n\nword\n");
}

#[test]
fn rows_can_be_sorted_by_a_column_that_is_not_shown() {
    let f = Folder::new();
    let file = f.file("s.csv", "a,b\nx,2\ny,1\nz,3\n");
    assert_eq!(query(&file, "-s a --sort b:desc"), "a\nz\nx\ny\n");
    assert_eq!(query(&file, "-s a --sort b -n 2"), "a\ny\nx\n");
    assert_eq!(query(&file, "-g a --max b -s a --sort b_max"), "a\ny\nx\nz\n");
    // what is shown comes first: here b is a new column
    assert_eq!(
        query(&file, "--select b=0-b,a --sort b"),
        "b,a\n-3,z\n-2,x\n-1,y\n"
    );
    ask(&file, "-s a --sort c").failed(1).says(&["\"c\""]);
    ask(&file, "-s a --distinct --sort b").failed(1).says(&["\"b\""]);
}

#[test]
fn duplicate_and_empty_names_get_their_own() {
    let f = Folder::new();
    let file = f.file("d.csv", "x,,x\n1,2,3\n");
    let ran = ask(&file, "").done();
    assert_eq!(ran.text(), "x,column_2,x_2\n1,2,3\n");
}

#[test]
fn five_hundred_files_with_sixty_four_open_at_most() {
    let f = Folder::new();
    for i in 0..500 {
        f.file(&format!("{i:03}.csv"), format!("k,x\n{},{i}\n", i % 3));
    }
    let program = env!("CARGO_BIN_EXE_ddf");
    let script = "ulimit -n 64; exec \"$0\" query \"$1\" -g k --sum x --count";
    for threads in ["1", "8"] {
        let mut c = std::process::Command::new("bash");
        c.args(["-c", script, program, &f.at("*.csv")])
            .env("DDF_THREADS", threads);
        let ran = crate::common::Ran::from(c.output().unwrap()).done().quietly();
        assert_eq!(
            ran.text(),
            "k,x_sum,count\n0,41583,167\n1,41750,167\n2,41417,166\n"
        );
    }
}
