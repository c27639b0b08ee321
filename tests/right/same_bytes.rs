//! The same bytes for any number of threads, any block size, any memory limit, either scheduler, with
//! and without the optimiser.

use crate::common::{Folder, Random, ask, run};

const QUERIES: &[&str] = &[
    "--count",
    "",
    "-w x>0 -s id,t,x",
    "-g k --count --sum n,x --mean x --min t --max t --first t --last n",
    "-g k,day --std x --var n --agg s=sum(x*2)-min(x)",
    "-g t --median x --nunique n --quantile n:0.9",
    "--median x --nunique t,n --std x",
    "-s k,day --distinct",
    "--sort x:desc,id",
    "--sort t:nullsfirst,n:desc -n 25 --offset 5",
    "-n 17 --offset 301",
    "-g day --count --having count>20 --sort count:desc,day",
];

fn table(rows: usize) -> String {
    let (mut csv, mut r) = (String::from("id,k,day,t,n,x\n"), Random(11));
    for id in 0..rows {
        let k = r.pick(&["a", "b", "\"c\nc\"", "", "\"\""]);
        let day = 1 + r.below(28);
        let t = match r.below(8) {
            0 => String::new(),
            _ => format!("text {}", r.below(rows / 3 + 1)),
        };
        let n = match r.below(9) {
            0 => "NA".into(),
            _ => format!("{}", r.next() as i64 >> 20),
        };
        let x = match r.below(9) {
            0 => String::new(),
            _ => format!(
                "{:e}",
                (r.below(2001) as f64 - 1000.0) * 10f64.powi(r.below(30) as i32 - 15)
            ),
        };
        csv += &format!("{id},{k},2024-02-{day:02},{t},{n},{x}\n");
    }
    csv
}

/// Two files, so that the order of files counts too.
fn files(f: &Folder, rows: usize) -> String {
    let csv = table(rows);
    let half = csv[..csv.len() / 2].rfind("\n").unwrap();
    // cut at the start of a record: one that opens with digits and a comma after a newline
    let cut = csv[..half]
        .rmatch_indices('\n')
        .map(|(i, _)| i + 1)
        .find(|i| csv[*i..].starts_with(|c: char| c.is_ascii_digit()));
    let cut = cut.unwrap();
    f.file("1.csv", &csv[..cut]);
    f.file("2.csv", format!("id,k,day,t,n,x\n{}", &csv[cut..]));
    f.at("*.csv")
}

#[test]
fn threads_blocks_and_budgets() {
    let f = Folder::new();
    let input = files(&f, 2_000);
    for q in QUERIES {
        let plain = ask(&input, &format!("{q} -j 1 --scheduler sync --no-optimize")).done();
        assert!(plain.out.len() > 5);
        for threads in [1, 2, 3, 8] {
            for block in ["100", "4096", "1MiB"] {
                for memory in ["32MiB", "1GiB"] {
                    let flags = format!("{q} -j {threads} --blocksize {block} --memory {memory}");
                    let ran = ask(&input, &flags).done();
                    assert!(
                        ran.out == plain.out,
                        "{flags}\n{}\ninstead of\n{}",
                        ran.text(),
                        plain.text()
                    );
                }
            }
        }
    }
}

#[test]
fn schedulers_and_rules() {
    let f = Folder::new();
    let csv = files(&f, 1_000);
    let parquet = f.at("t.parquet");
    run(["query", &csv, "-o", &parquet]).done();
    for q in QUERIES {
        // a file of values has no text of its own
        let q = &format!("{q} --normalize");
        let plain = ask(&csv, q).done();
        for input in [&csv, &parquet] {
            for flags in [
                "--scheduler sync",
                "--no-optimize",
                "--no-optimize --scheduler sync --blocksize 64",
            ] {
                let ran = ask(input, &format!("{q} {flags}")).done();
                assert!(
                    ran.out == plain.out,
                    "{q} {flags} {input}\n{}\ninstead of\n{}",
                    ran.text(),
                    plain.text()
                );
            }
        }
    }
}

/// Enough rows that the floor of memory forces spilling.
#[test]
fn spilling_changes_nothing() {
    let f = Folder::new();
    let input = files(&f, 150_000);
    for q in [
        "--sort t,id:desc",
        "-g n --count --sum x --first t",
        "-g t --median x --nunique n",
        "-s t,n,x --distinct",
    ] {
        let plain = ask(&input, &format!("{q} --memory 4GiB")).done();
        for flags in [
            "--memory 32MiB -j 2",
            "--memory 64MiB -j 8 --blocksize 65536",
            "--memory 48MiB -j 3",
        ] {
            let ran = ask(&input, &format!("{q} {flags}")).done();
            assert!(ran.out == plain.out, "{q} {flags}");
        }
    }
}

/// So many groups that rows are kept and sorted rather than grouped early, unless memory is short.
#[test]
fn groups_as_many_as_rows() {
    let f = Folder::new();
    let input = files(&f, 300_000);
    for q in [
        "-g id,k,t --count --sum x,n --agg least=min(x)",
        "-g k,id --max x -w x>-1 --having x_max<5 --sort id:desc,k:nullsfirst -n 1000 --offset 7",
    ] {
        let plain = ask(&input, &format!("{q} --memory 40MiB -j 3")).done();
        for flags in [
            "-j 1",
            "-j 2 --blocksize 300000",
            "-j 2 --scheduler sync",
            "-j 2 --memory 64MiB",
        ] {
            let ran = ask(&input, &format!("{q} {flags}")).done();
            assert!(ran.out == plain.out, "{q} {flags}");
        }
    }
}

#[test]
fn aggregates_without_groups_are_one_row() {
    let f = Folder::new();
    let input = files(&f, 150_000);
    let q = "--median x --nunique n";
    let plain = ask(&input, &format!("{q} --memory 4GiB -j 1")).done();
    assert_eq!(plain.text().lines().count(), 2);
    for flags in [
        "-j 2 --memory 64MiB",
        "-j 8 --memory 128MiB",
        "-j 64 --memory 512MiB",
    ] {
        let ran = ask(&input, &format!("{q} {flags}")).done();
        assert_eq!(ran.text(), plain.text(), "{flags}");
    }
}

#[test]
fn the_floor_of_memory_is_enough_for_many_threads() {
    let f = Folder::new();
    let input = files(&f, 150_000);
    for q in [
        "-g n --count --sum x --first t",
        "-g t --median x --nunique n",
        "-s t,n,x --distinct",
        "--sort t,id:desc",
    ] {
        let plain = ask(&input, &format!("{q} --memory 4GiB")).done();
        let ran = ask(&input, &format!("{q} --memory 32MiB -j 8 --blocksize 65536")).done();
        assert!(ran.out == plain.out, "{q}");
    }
}

/// Sorted rows are merged in ranges that hang on threads and memory; row groups must not.
#[test]
fn parquet_files_are_the_same_too() {
    let f = Folder::new();
    let mut r = Random(3);
    let rows: String = (0..300_000)
        .map(|i| format!("{i},{},{:064}\n", r.below(1000), r.next() >> 20))
        .collect();
    let input = f.file("t.csv", format!("id,n,t\n{rows}"));
    let out = f.at("out.parquet");
    let bytes = |q: &str, flags: &str| {
        ask(&input, &format!("{q} {flags} -o {out}")).done();
        std::fs::read(&out).unwrap()
    };
    let plain = bytes("--sort n,id:desc", "-j 1 --scheduler sync");
    for flags in ["-j 2 --memory 64MiB", "-j 8 --blocksize 200000"] {
        assert!(bytes("--sort n,id:desc", flags) == plain, "{flags}");
    }
    for q in ["-g n,t --count", "--sort t -n 200000 --offset 1000"] {
        assert!(bytes(q, "-j 1") == bytes(q, "-j 3 --memory 64MiB"), "{q}");
    }
    // rows that are not sorted: the same partitions, whoever reads them
    for q in ["", "-w n<500 --with m=n+1"] {
        let plain = bytes(q, "-j 1");
        assert!(bytes(q, "-j 2") == plain && bytes(q, "-j 8") == plain, "{q}");
    }
}
