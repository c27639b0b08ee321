//! Columns of CSV files that go to CSV as they are keep their text, and need no type.

use crate::common::{Folder, ask, query, run};

const FILE: &str = "id,price,flag,when,sci,n\n\
                    1,10.50,TRUE,2024-01-01 00:00:00,2.2E+11,NA\n\
                    2,7.00,FALSE,2024-01-02 10:30:00,1e5,3\n\
                    3,1.10,TRUE,2024-01-03 00:00:00.500,5,\n";

fn lines(of: &[usize]) -> String {
    let all: Vec<&str> = FILE.lines().collect();
    let rows = of.iter().map(|&i| format!("{}\n", all[i]));
    format!("{}\n{}", all[0], rows.collect::<String>())
}

#[test]
fn text_stays_where_nothing_computes_it() {
    let f = Folder::new();
    let file = f.file("f.csv", FILE);
    assert_eq!(query(&file, ""), FILE);
    assert_eq!(query(&file, "-w id<3"), lines(&[1, 2]));
    // also of columns that a filter looks at
    assert_eq!(query(&file, "-w price>5"), lines(&[1, 2]));
    assert_eq!(query(&file, "-s p=price,price -n 1"), "p,price\n10.50,10.50\n");
    assert_eq!(
        query(&file, "-w id=1 --format tsv").lines().nth(1),
        Some(&*lines(&[1]).lines().nth(1).unwrap().replace(',', "\t"))
    );
    // what is computed is a value
    assert_eq!(
        query(&file, "-w id=1 --with d=price*2 -s price,d"),
        "price,d\n10.50,21.0\n"
    );
    assert_eq!(
        query(&file, "-g flag --max price"),
        "flag,price_max\nfalse,7.0\ntrue,10.5\n"
    );
    assert_eq!(query(&file, "-s price --distinct -n 1"), "price\n10.5\n");
    // and where values are asked for
    let anew = query(&file, "--normalize -w id<3");
    assert_eq!(
        anew.lines().nth(1),
        Some("1,10.5,true,2024-01-01T00:00:00,220000000000.0,")
    );
    assert_eq!(query(&file, "--float-format 1 -s price -n 1"), "price\n10.5\n");
    assert_eq!(
        query(&file, "--types price=float64 -s price -n 1"),
        "price\n10.5\n"
    );
    let json = query(&file, "--jsonl -s price,flag -n 1");
    assert_eq!(json, "{\"price\":10.5,\"flag\":true}\n");
}

#[test]
fn sql_files_and_settings_keep_it_alike() {
    let f = Folder::new();
    let file = f.file("f.csv", FILE);
    let names = f.file("n.csv", "k,name\n1,one\n3,three\n");
    let sql = format!(
        "select t.price as p, name, t.sci from '{file}' t left join '{names}' on k = id where price < 20"
    );
    let want = "p,name,sci\n10.50,one,2.2E+11\n7.00,,1e5\n1.10,three,5\n";
    let out = f.at("out.csv");
    for how in [
        "-j 1",
        "-j 8 --blocksize 64B",
        "-j 2 --memory 24MiB",
        "--no-optimize",
        "--scheduler sync",
    ] {
        let args = ["sql", &sql].into_iter().chain(how.split(' '));
        assert_eq!(run(args.clone()).done().text(), want, "{how}");
        run(args.chain(["-o", &out])).done();
        assert_eq!(std::fs::read_to_string(&out).unwrap(), want, "{how}");
    }
    // each column gets its own text, also where both sides are the same file
    let sql = format!(
        "select a.price, b.price as other, a.sci from '{file}' a left join '{file}' b on a.id + 1 = b.id limit 2"
    );
    let want = "price,other,sci\n10.50,7.00,2.2E+11\n7.00,1.10,1e5\n";
    assert_eq!(run(["sql", &sql]).done().text(), want);
}

#[test]
fn what_is_only_moved_keeps_its_text() {
    let f = Folder::new();
    let file = f.file("f.csv", FILE);
    let more = f.file("more.csv", "id,price,n\n3,1.0,7\n4,2.250,-0\n5,,NA\n");
    // the key of a sort is compared as a number and printed as it is
    let dear = lines(&[1, 2, 3]);
    assert_eq!(query(&file, "--sort price:desc"), dear);
    assert_eq!(query(&file, "--sort price:desc -n 2"), lines(&[1, 2]));
    assert_eq!(query(&file, "--sort flag,price -n 2"), lines(&[2, 3]));
    for (sql, want) in [
        (
            format!("select price, n from '{file}' order by price"),
            "price,n\n1.10,\n7.00,3\n10.50,NA\n",
        ),
        (
            format!("select price, n from '{file}' union all select price, n from '{more}'"),
            "price,n\n10.50,NA\n7.00,3\n1.10,\n1.0,7\n2.250,-0\n,NA\n",
        ),
        // columns of other types, and of nulls, beside it
        (
            format!("select price from '{file}' union all select n from '{more}' order by price limit 2"),
            "price\n-0\n1.10\n",
        ),
        (
            format!("select price p from '{file}' union all select null from '{more}' limit 4"),
            "p\n10.50\n7.00\n1.10\n\n",
        ),
        // a value that is computed makes values of all
        (
            format!("select price from '{file}' union all select price * 2 from '{more}' limit 4"),
            "price\n10.5\n7.0\n1.1\n2.0\n",
        ),
        (
            format!("select a.price, b.price q from '{file}' a left join '{more}' b using (id)"),
            "price,q\n10.50,\n7.00,\n1.10,1.0\n",
        ),
        (
            format!(
                "select a.price, b.price q from '{file}' a right join '{more}' b on a.id = b.id order by q"
            ),
            "price,q\n1.10,1.0\n,2.250\n,\n",
        ),
        (
            format!(
                "select a.price, b.price q from '{file}' a full join '{more}' b on a.id = b.id order by 1, 2"
            ),
            "price,q\n1.10,1.0\n7.00,\n10.50,\n,2.250\n,\n",
        ),
        (
            format!("select price, row_number() over (order by price) r from '{file}' order by r"),
            "price,r\n1.10,1\n7.00,2\n10.50,3\n",
        ),
    ] {
        for how in ["-j 1", "-j 8 --blocksize 64B", "--no-optimize"] {
            let args = ["sql", &sql].into_iter().chain(how.split(' '));
            assert_eq!(run(args).done().text(), want, "{sql} {how}");
        }
    }
}

#[test]
fn no_value_of_an_untouched_column_misfits() {
    let f = Folder::new();
    let mut csv = String::from("id,x\n");
    for i in 1..=60_000 {
        csv += &format!("{i},{}\n", if i == 50_000 { "word" } else { "1.0" });
    }
    let file = f.file("x.csv", &csv);
    assert_eq!(ask(&file, "").done().quietly().text(), csv);
    let near = ask(&file, "-w id>=49999 -n 2").done().quietly();
    assert_eq!(near.text(), "id,x\n49999,1.0\n50000,word\n");
    // unless types are to be strict
    ask(&file, "--strict-types")
        .failed(1)
        .says(&["x.csv:50001", "word"]);
}

/// A table of some MB whose column `x` has another value at the end.
fn long(f: &Folder, last: &str) -> String {
    let mut csv = String::from("id,x\n");
    for i in 1..=400_000 {
        csv += &format!("{i},{}\n", i % 7);
    }
    f.file("long.csv", csv + "0," + last + "\n")
}

#[test]
fn a_filter_whose_column_widens_goes_on_behind_the_rows_that_are_written() {
    let f = Folder::new();
    let file = long(&f, "8.5");
    let all = ask(&file, "-w x<9").done().says(&["long.csv:400002", "8.5"]);
    assert_eq!(all.text().lines().count(), 400_002);
    assert_eq!(all.text().lines().last(), Some("0,8.5"));
    assert_eq!(all.text().lines().nth(300_000), Some("300000,1"));
    // no comparison with a number holds for a text: an error, in a file before a row is there
    let file = long(&f, "word");
    let out = f.at("out.csv");
    ask(&file, &format!("-w x<9 -o {out}")).failed(1);
    assert!(!std::path::Path::new(&out).exists());
    ask(&file, "-w x<9").failed(1);
}

#[test]
fn newlines_within_quotes_lose_and_repeat_no_row_of_a_stream() {
    let f = Folder::new();
    // guesses go wrong: lines within quotes that look like records
    let mut csv = String::from("id,t\n");
    for i in 0..30_000 {
        csv += &format!("{i},\"a\n{i},b\nc\"\n");
    }
    let file = f.file("q.csv", &csv);
    for how in ["-j 8 --blocksize 64KiB", "-j 1"] {
        assert!(query(&file, how) == csv, "{how}");
    }
    // tasks that stop because another one guessed wrong have not handed on all their rows: what stands behind
    // them must wait for the next run. One run in twenty saw it.
    for turn in 0..20 {
        assert!(query(&file, "-j 8 --blocksize 1KiB") == csv, "{turn}");
    }
}

/// A file may have a column of the very name that the text of another one has within.
#[test]
fn a_column_of_any_name_is_itself() {
    let f = Folder::new();
    let file = f.file("w.csv", "x,\u{1}written x\n1.50,zzz\n2.50,yyy\n");
    assert_eq!(query(&file, "-s x"), "x\n1.5\n2.5\n");
    assert!(query(&file, "").ends_with("1.5,zzz\n2.5,yyy\n"));
}
