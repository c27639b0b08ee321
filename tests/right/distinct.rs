//! `--distinct`: each row once, where it was first seen.

use std::collections::HashSet;

use crate::common::{Folder, Random, ask, query};

#[test]
fn rows_keep_the_order_of_their_first_appearance() {
    let f = Folder::new();
    f.file("1.csv", "k,x\nb,2\na,1\nb,2\n,1\n");
    f.file("2.csv", "x,k\n1,a\n3,b\n1,\n2,b\nNA,a\n");
    let all = f.at("*.csv");
    assert_eq!(query(&all, "--distinct"), "k,x\nb,2\na,1\n,1\nb,3\na,\n");
    assert_eq!(query(&all, "-s k --distinct"), "k\nb\na\n\n");
    assert_eq!(query(&all, "-s k --distinct -n 1 --offset 1"), "k\na\n");
    assert_eq!(query(&all, "--distinct --sort k"), "k,x\na,1\na,\nb,2\nb,3\n,1\n");
    assert_eq!(
        query(&all, "--distinct --sort x:desc"),
        "k,x\nb,3\nb,2\na,1\n,1\na,\n"
    );
    assert_eq!(
        query(&all, "-g k --count -s count --distinct"),
        "count\n3\n4\n2\n"
    );
    assert_eq!(query(&all, "--with y=x*0 -s y --distinct"), "y\n0\n\n");
    assert_eq!(query(&f.file("none.txt", "a,b\n"), "--distinct"), "a,b\n");
    assert_eq!(
        query(&f.file("nothing.txt", ""), "-q --distinct"),
        query(&f.at("nothing.txt"), "-q")
    );
}

#[test]
fn order_of_appearance_holds_with_threads_blocks_and_spilling() {
    let f = Folder::new();
    let (mut csv, mut expected, mut seen, mut r) = (String::new(), String::new(), HashSet::new(), Random(5));
    for _ in 0..300_000 {
        let row = format!("key {},{}", r.below(150_000), r.below(2));
        csv += &format!("{row}\n");
        if seen.insert(row.clone()) {
            expected += &format!("{row}\n");
        }
    }
    let file = f.file("t.csv", format!("k,x\n{csv}"));
    for flags in [
        "-j 1",
        "-j 2 --memory 32MiB --blocksize 100000",
        "-j 3 --blocksize 65536",
        "-j 8 --memory 64MiB --blocksize 300000",
        "--scheduler sync --no-optimize",
    ] {
        let ran = ask(&file, &format!("--distinct {flags}")).done();
        assert!(ran.text() == format!("k,x\n{expected}"), "{flags}");
    }
    let spilled = ask(&file, "--distinct -j 2 --memory 32MiB --blocksize 100000 --stats").done();
    assert!(!spilled.err.contains("spilled 0 "), "{}", spilled.err);
}
