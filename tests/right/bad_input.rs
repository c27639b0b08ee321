//! Bytes that are not what they should be: an error with its place, never a guess or a panic.

use std::io::Write;

use crate::common::{Folder, ask, query, run, run_with_input};

const RAGGED: &str = "a,b\n1,2\n3\n4,5,6\n7,8\n";

#[test]
fn a_ragged_row_is_an_error_with_its_place() {
    let f = Folder::new();
    let file = f.file("r.csv", RAGGED);
    for flags in [
        "",
        "--sum a",
        "--sum b",
        "--count",
        "-g a --count",
        "--blocksize 64 --sum b",
    ] {
        ask(&file, flags)
            .failed(1)
            .says(&["r.csv:3", "1 instead of 2", "2 rows", "--on-bad-row"]);
    }
    // one such row must not make it a file of one column with another delimiter
    let file = f.file("one.csv", "a,b;c\n1,2\n3;4\n");
    ask(&file, "").failed(1).says(&["one.csv:3"]);
}

#[test]
fn ragged_rows_can_be_skipped_padded_or_rejected() {
    let f = Folder::new();
    let file = f.file("r.csv", RAGGED);
    assert_eq!(query(&file, "--on-bad-row skip"), "a,b\n1,2\n7,8\n");
    assert_eq!(query(&file, "--on-bad-row skip --count"), "count\n2\n");
    assert_eq!(query(&file, "--on-bad-row pad"), "a,b\n1,2\n3,\n4,5\n7,8\n");
    let rejects = f.at("rejects.csv");
    for block in ["64", "1MiB"] {
        let flags = format!("--on-bad-row reject={rejects} --blocksize {block} --sum a,b");
        assert_eq!(query(&file, &flags), "a_sum,b_sum\n8,10\n");
        assert_eq!(std::fs::read_to_string(&rejects).unwrap(), "3\n4,5,6\n");
        std::fs::remove_file(&rejects).unwrap();
    }
    assert_eq!(ask(&file, "--on-bad-row perhaps").status, Some(2));
}

#[test]
fn rejected_rows_come_in_input_order_and_once() {
    let f = Folder::new();
    let rows = |bad: bool| (0..3000).filter(move |i| (i % 3 == 0) == bad);
    let text: String = (0..3000)
        .map(|i| {
            if i % 3 == 0 {
                format!("{i}\n")
            } else {
                format!("{i},x\n")
            }
        })
        .collect();
    let (file, rejects) = (f.file("r.csv", format!("a,b\n{text}")), f.at("rejects.csv"));
    let expected: String = rows(true).map(|i| format!("{i}\n")).collect();
    for flags in ["-j 1", "-j 8 --blocksize 64", "-j 3 --blocksize 1000"] {
        let flags = format!("--on-bad-row reject={rejects} {flags} --sum a");
        assert_eq!(
            query(&file, &flags),
            format!("a_sum\n{}\n", rows(false).sum::<u32>())
        );
        assert_eq!(std::fs::read_to_string(&rejects).unwrap(), expected, "{flags}");
    }
}

#[test]
fn the_file_of_rejected_rows_does_not_hang_on_the_question() {
    let f = Folder::new();
    let text: String = (0..3000)
        .map(|i| {
            if i % 100 == 99 {
                format!("{i}\n")
            } else {
                format!("{i},x\n")
            }
        })
        .collect();
    // the last value widens the column, which makes the run begin again
    let file = f.file("r.csv", format!("a,b\n{text}1.5,x\n"));
    let rejects = f.file("rejects.csv", "of an earlier run\n");
    let expected: String = (0..30).map(|i| format!("{}\n", i * 100 + 99)).collect();
    for flags in [
        "--sum a",
        "--count",
        "-n 3",
        "-n 3 -j 8 --blocksize 200",
        "-w a=150 --blocksize 64 -j 4",
        "--sort a:desc -n 1 --scheduler sync",
    ] {
        ask(&file, &format!("-q --on-bad-row reject={rejects} {flags}")).done();
        assert_eq!(std::fs::read_to_string(&rejects).unwrap(), expected, "{flags}");
    }
    // a run that fails leaves the old file as it was, one without bad rows an empty one
    ask(&file, &format!("--on-bad-row reject={rejects} --agg s=sum(a//0)")).failed(1);
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), expected);
    let good = f.file("good.csv", "a,b\n1,2\n");
    query(&good, &format!("--on-bad-row reject={rejects} --sum a"));
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), "");
    assert_eq!(f.names(), ["good.csv", "r.csv", "rejects.csv"]);
    let nowhere = f.at("no/such/folder/rejects.csv");
    ask(&file, &format!("--on-bad-row reject={nowhere} --count"))
        .failed(1)
        .says(&["rejects.csv"]);
}

#[test]
fn extra_empty_fields_at_the_end_are_accepted() {
    let f = Folder::new();
    let file = f.file("t.csv", "a,b\n1,2,\n3,4,\n");
    assert_eq!(query(&file, "--sum a,b"), "a_sum,b_sum\n4,6\n");
}

#[test]
fn an_unclosed_quote_is_an_error_where_it_opens() {
    let f = Folder::new();
    let rest = "5,6\n".repeat(2000);
    let file = f.file("u.csv", format!("a,b\n1,2\n3,\"x\n{rest}"));
    for flags in ["", "--count", "--sum a", "--blocksize 64 -j 4"] {
        ask(&file, flags).failed(1).says(&["quote", "u.csv:3:3"]);
    }
}

#[test]
fn invalid_utf8_names_its_place() {
    let f = Folder::new();
    let mut bytes = b"a,b\n1,x\n2,".to_vec();
    bytes.extend([0xff, b'\n']);
    let file = f.file("bad.csv", &bytes);
    for flags in ["", "-g b --count", "--max b"] {
        ask(&file, flags).failed(1).says(&["UTF-8", "bad.csv:3:3"]);
    }
    assert_eq!(query(&file, "--encoding utf8-lossy"), "a,b\n1,x\n2,\u{fffd}\n");
    assert_eq!(query(&file, "--encoding latin1"), "a,b\n1,x\n2,ÿ\n");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut z = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    z.write_all(bytes).unwrap();
    z.finish().unwrap()
}

#[test]
fn gzip_is_read_whole_or_not_at_all() {
    let f = Folder::new();
    let csv: String = (0..20_000)
        .map(|i| format!("{i},{}\n", i * 7919 % 1000))
        .collect();
    let whole = gzip(format!("id,x\n{csv}").as_bytes());
    let file = f.file("g.csv.gz", &whole);
    let sum = query(&file, "--sum id,x --count");
    assert_eq!(
        sum.lines().next_back().unwrap().split(',').next(),
        Some("199990000")
    );
    for cut in [whole.len() - 1, whole.len() - 8, whole.len() / 2, 15] {
        let file = f.file("cut.csv.gz", &whole[..cut]);
        ask(&file, "--sum id,x --count").failed(1).says(&["cut.csv.gz"]);
    }
    let mut corrupt = whole.clone();
    let crc = whole.len() - 6;
    corrupt[crc] ^= 1;
    ask(&f.file("crc.csv.gz", corrupt), "--count")
        .failed(1)
        .says(&["crc.csv.gz"]);
    // several members, one after the other, are one file
    let members = [gzip(b"id,x\n1,2\n"), gzip(b"3,4\n"), gzip(b"5,6\n")].concat();
    assert_eq!(
        query(&f.file("m.csv.gz", members), "--sum id,x"),
        "id_sum,x_sum\n9,12\n"
    );
    let zstd = zstd::encode_all(format!("id,x\n{csv}").as_bytes(), 1).unwrap();
    assert_eq!(query(&f.file("z.csv.zst", &zstd), "--sum id,x --count"), sum);
    ask(&f.file("cut.csv.zst", &zstd[..zstd.len() / 2]), "--count")
        .failed(1)
        .says(&["cut.csv.zst"]);
}

#[test]
fn an_empty_file_has_no_rows() {
    let f = Folder::new();
    let file = f.file("empty.csv", "");
    assert_eq!(query(&file, "--count"), "count\n0\n");
    ask(&file, "--sum a").failed(1).says(&["\"a\""]);
    let header = f.file("header.csv", "a,b\n");
    assert_eq!(query(&header, ""), "a,b\n");
    assert_eq!(query(&header, "--count --sum a"), "count,a_sum\n0,\n");
    f.file("full.csv", "a,b\n1,2\n");
    assert_eq!(
        query(&f.at("*.csv"), "--sum a,b --count"),
        "a_sum,b_sum,count\n1,2,1\n"
    );
}

#[test]
fn an_empty_file_alone_does_not_panic() {
    let f = Folder::new();
    let file = f.file("empty.csv", "");
    ask(&file, "").done().says(&["empty.csv"]);
    assert_eq!(run(["head", &file]).status, Some(0));
}

#[test]
fn parquet_that_is_cut_or_is_something_else() {
    let f = Folder::new();
    let csv = f.file("x.csv", "a,b\n1,2\n");
    let whole = f.at("x.parquet");
    run(["query", &csv, "-o", &whole]).done();
    let bytes = std::fs::read(&whole).unwrap();
    for cut in [0, 3, 8, bytes.len() / 2, bytes.len() - 1] {
        let file = f.file("cut.parquet", &bytes[..cut]);
        ask(&file, "--sum a").failed(1).says(&["cut.parquet"]);
    }
    let mut damaged = bytes.clone();
    for b in &mut damaged[4..20] {
        *b ^= 0x55;
    }
    ask(&f.file("damaged.parquet", damaged), "")
        .failed(1)
        .says(&["damaged.parquet"]);
    ask(&f.file("text.parquet", "a,b\n1,2\n"), "")
        .failed(1)
        .says(&["text.parquet"]);
}

#[test]
fn standard_input_by_dash_and_by_pipe() {
    let csv = b"a,b\n1,x\n2,\"y\nz\"\n";
    for args in [vec!["query", "-", "--sum", "a"], vec!["query", "--sum", "a"]] {
        assert_eq!(run_with_input(&args, csv).done().text(), "a_sum\n3\n");
    }
    assert_eq!(
        run_with_input(["query", "-"], &gzip(csv)).done().text(),
        "a,b\n1,x\n2,\"y\nz\"\n"
    );
    run_with_input(["query", "-"], b"a,b\n1\n")
        .failed(1)
        .says(&[":2"]);
    let long: String = (0..200_000).map(|i| format!("{i},{i}\n")).collect();
    let ran = run_with_input(["query", "-", "--sum", "a"], format!("a,b\n{long}").as_bytes());
    assert_eq!(ran.done().text(), "a_sum\n19999900000\n");
}
