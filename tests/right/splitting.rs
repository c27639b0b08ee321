//! A file may be cut anywhere: the answer is that of a single pass.

use crate::common::{Folder, Random, ask, query, run};

const BLOCKS: &[usize] = &[64, 65, 100, 127, 1000, 4096, 65_536, 1 << 20, 1 << 30];

/// Rows whose text holds newlines, quotes, delimiters and what looks like other rows.
fn nested(rows: usize) -> String {
    let parts: [&str; 10] = [
        "\n",
        "\r\n",
        "\"\"",
        ",",
        "1,2,3\n",
        "word",
        "\n\n\n",
        "id,text,n\n",
        "é",
        "",
    ];
    let (mut csv, mut r) = (String::from("id,text,n\n"), Random(7));
    for i in 0..rows {
        csv += &format!("{i},\"");
        for _ in 0..r.below(6) {
            csv += parts[r.below(parts.len())];
        }
        csv += &format!("\",{}\n", r.below(1000));
    }
    csv
}

#[test]
fn newlines_in_quotes_at_any_block_size() {
    let (f, rows) = (Folder::new(), 50_000);
    let csv = nested(rows);
    let file = f.file("n.csv", &csv);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let (mut ids, mut sum, mut characters) = (0u64, 0u64, 0u64);
    for record in reader.records() {
        let record = record.unwrap();
        ids += record[0].parse::<u64>().unwrap();
        characters += record[1].chars().count() as u64;
        sum += record[2].parse::<u64>().unwrap();
    }
    let aggs = [
        "--agg",
        "ids=sum(id)",
        "--agg",
        "n=sum(n)",
        "--agg",
        "b=sum(length(text))",
        "--count",
    ];
    let expected = format!("ids,n,b,count\n{ids},{sum},{characters},{rows}\n");
    for block in BLOCKS {
        // a small block makes many tasks: enough of them is enough
        let block = block.to_string();
        let args = ["query", &file, "--blocksize", &block, "-j", "3"];
        let ran = run(args.iter().chain(&aggs)).done().quietly();
        assert_eq!(ran.text(), expected, "at blocks of {block} bytes");
    }
}

#[test]
fn newlines_in_quotes_keep_rows_in_order() {
    let f = Folder::new();
    let file = f.file("n.csv", nested(1500));
    let whole = query(&file, "-j 1 --scheduler sync");
    for block in &BLOCKS[..7] {
        assert_eq!(
            query(&file, &format!("-j 8 --blocksize {block}")),
            whole,
            "at blocks of {block} bytes"
        );
    }
}

/// Lines within quotes that look like rows, but of values that would be errors: where a task starts may
/// be guessed wrong, but nothing may come of it.
#[test]
fn texts_that_look_like_rows_are_no_errors() {
    let f = Folder::new();
    let (mut csv, mut r) = (String::from("id,text,n\n"), Random(11));
    for i in 0..3000 {
        let inner = "a,b,c\n".repeat(r.below(40));
        csv += &format!("{i},\"x\n{inner}\",{}\n", i % 7);
    }
    let file = f.file("n.csv", &csv);
    let expected = query(&file, "-j 1 --scheduler sync --types id=int64,n=int64 --sum id,n");
    assert_eq!(expected, format!("id_sum,n_sum\n{},{}\n", 2999 * 1500, 8994));
    for block in &BLOCKS[..8] {
        for flags in [
            "",
            "--types id=int64,n=int64",
            "--strict-types",
            "--on-bad-row skip",
        ] {
            let ran = ask(&file, &format!("-j 3 --blocksize {block} {flags} --sum id,n")).done();
            assert_eq!(ran.text(), expected, "at blocks of {block} bytes with '{flags}'");
        }
        let cast = format!("-j 3 --blocksize {block} --agg id_sum=sum(cast(id::text,int)) --sum n");
        let cast = cast.replace("cast(id::text,int)", "(id::text)::int64");
        assert_eq!(
            ask(&file, &cast).done().text(),
            expected,
            "at blocks of {block} bytes, cast"
        );
    }
}

#[test]
fn rows_equal_to_the_header_are_rows() {
    let f = Folder::new();
    let file = f.file("h.csv", "a,b\n".repeat(500));
    for block in [64, 100, 4096] {
        let flags = format!("--blocksize {block} -g a,b --count");
        assert_eq!(query(&file, &flags), "a,b,count\na,b,499\n");
    }
}

#[test]
fn line_ends_of_every_kind() {
    let f = Folder::new();
    let lf = "a,b\n1,x\n2,\"y\n\"\n3,z\n";
    for (name, end) in [("lf.csv", "\n"), ("crlf.csv", "\r\n")] {
        let file = f.file(name, lf.replace('\n', end));
        let rows = query(&file, "");
        assert_eq!(rows, format!("a,b\n1,x\n2,\"y{end}\"\n3,z\n"), "{name}");
        assert_eq!(
            query(&file, "--blocksize 64 --sum a --count"),
            "a_sum,count\n6,3\n"
        );
    }
    let unfinished = f.file("unfinished.csv", "a,b\n1,x\n2,y");
    assert_eq!(query(&unfinished, ""), "a,b\n1,x\n2,y\n");
}

#[test]
fn carriage_returns_alone_end_lines() {
    let f = Folder::new();
    let cr = f.file("cr.csv", "a,b\r1,x\r2,y\r");
    assert_eq!(query(&cr, ""), "a,b\n1,x\n2,y\n");
}

#[test]
fn byte_order_marks_are_no_part_of_the_first_name() {
    let f = Folder::new();
    let utf8 = f.file("8.csv", "\u{feff}a,b\n1,é\n");
    assert_eq!(query(&utf8, "--sum a"), "a_sum\n1\n");
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend("a,b\n1,é\n".encode_utf16().flat_map(u16::to_le_bytes));
    let utf16 = f.file("16.csv", utf16);
    assert_eq!(query(&utf16, ""), "a,b\n1,é\n");
}

#[test]
fn a_field_of_ten_megabytes() {
    let f = Folder::new();
    let long = "long, \"\"quoted\"\"\n".repeat(10_000_000 / 17);
    let file = f.file("long.csv", format!("id,text\n1,short\n2,\"{long}\"\n3,short\n"));
    let length = long.replace("\"\"", "\"").len();
    for block in ["4096", "1048576", "1GiB"] {
        let args = [
            "query",
            &file,
            "--blocksize",
            block,
            "--agg",
            "n=max(length(text))",
            "--sum",
            "id",
        ];
        assert_eq!(run(args).done().text(), format!("n,id_sum\n{length},6\n"));
    }
}

#[test]
fn blank_lines() {
    let f = Folder::new();
    let two = f.file("two.csv", "a,b\n\n1,2\n\n\n3,4\n\n");
    assert_eq!(query(&two, ""), "a,b\n1,2\n3,4\n");
    let one = f.file("one.csv", "a\n1\n\n3\n");
    assert_eq!(query(&one, "--count --count=a"), "count,a_count\n3,2\n");
}

/// Rows as they come in practice: quotes in odd places, text behind closing quotes, ragged and blank lines, mixed
/// line ends.
fn dirty(rows: usize, seed: u64) -> String {
    let odd = [
        "1,\"x\"y,3\n",
        "2,5\" pipe,3\n",
        "3,\"a\nb\",4\r\n",
        "4,x\n",
        "\n",
        "5,\"a\"\"b\",6,7\n",
        "6,\"c\r\nd\",\r",
        "7,,\"\",,\n",
        "8,\"1,2,3\n4,5,6\n\",9\n",
    ];
    let (mut csv, mut r) = (String::from("id,text,n\n"), Random(seed));
    for i in 0..rows {
        match r.below(3) {
            0 => csv += odd[r.below(odd.len())],
            _ => csv += &format!("{i},word,{}\n", r.below(1000)),
        }
    }
    csv
}

#[test]
fn dirty_rows_read_the_same_however_they_are_cut() {
    let f = Folder::new();
    for seed in [1, 2] {
        let file = f.file("d.csv", dirty(4000, seed));
        for policy in ["skip", "pad"] {
            for question in [
                "",
                "-w n>500",
                "-w text='xy' -s id,n",
                "-g text --count",
                "--null QQ",
            ] {
                let with = |how: &str| {
                    let ran = ask(&file, &format!("--on-bad-row {policy} {question} {how}")).done();
                    (ran.text().to_string(), ran.err)
                };
                let whole = with("-j 1 --scheduler sync --blocksize 1GiB");
                assert!(
                    whole.1.contains("closing quote") && whole.1.contains("rows of too few"),
                    "{}",
                    whole.1
                );
                for how in [
                    "-j 8 --blocksize 64",
                    "-j 3 --blocksize 1000",
                    "-j 2 --blocksize 65537",
                ] {
                    assert_eq!(with(how), whole, "{policy} {question} {how}");
                }
            }
        }
    }
}
