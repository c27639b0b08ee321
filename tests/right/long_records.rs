//! A record may be as long as the memory allows: what is longer is an error with its place, before it is taken.

use std::io::Write;

use crate::common::{Folder, ask, query};

#[test]
fn an_unclosed_quote_is_told_whatever_the_memory() {
    let f = Folder::new();
    let rows = "1,some text of a row\n".repeat(700_000);
    let file = f.file("open.csv", format!("a,b\n1,x\n2,\"open\n{rows}"));
    for flags in [
        "--memory 24MiB -j 2 --count",
        "--memory 24MiB --blocksize 64KiB -j 1 --max b",
    ] {
        ask(&file, flags)
            .failed(1)
            .says(&["never closed", "open.csv:3:3"]);
    }
    let closed = f.file("long.csv", format!("a,b\n1,x\n2,\"open\n{rows}\"\n"));
    ask(&closed, "--memory 24MiB -j 2 --count")
        .failed(4)
        .says(&["longer than the memory limit", "long.csv:3"]);
    assert_eq!(query(&closed, "--memory 1GiB --count"), "count\n2\n");
    let header = f.file("head.csv", format!("a,\"b\n{rows}"));
    ask(&header, "--memory 24MiB --count")
        .failed(1)
        .says(&["header is never closed", "head.csv:1"]);
}

#[test]
fn a_packed_file_of_one_line_is_refused() {
    let f = Folder::new();
    let mut z = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    z.write_all(b"a,b\n1,").unwrap();
    for _ in 0..24 {
        z.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    let file = f.file("bomb.csv.gz", z.finish().unwrap());
    ask(&file, "--memory 24MiB --count")
        .failed(4)
        .says(&["longer than the memory limit", "bomb.csv.gz:2"]);
    let mut z = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for _ in 0..24 {
        z.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    let file = f.file("header.csv.gz", z.finish().unwrap());
    ask(&file, "--memory 24MiB --count")
        .failed(4)
        .says(&["first row is longer", "header.csv.gz:1"]);
}
