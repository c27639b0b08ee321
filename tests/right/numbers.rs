//! Numbers: exact where they can be, the same whoever adds them.

use crate::common::{Folder, Random, ask, cells, query, run};

#[test]
fn deviation_far_from_zero() {
    let f = Folder::new();
    for (name, end) in [("int.csv", ""), ("float.csv", ".0")] {
        let rows: String = (0..10)
            .map(|i| format!("g,{}{end}\n", 1_000_000_000 + i))
            .collect();
        let file = f.file(name, format!("k,x\n{rows}"));
        assert_eq!(query(&file, "-g k --std x"), "k,x_std\ng,3.0276503540974917\n");
        assert_eq!(
            query(&file, "--std x --blocksize 64 -j 8"),
            "x_std\n3.0276503540974917\n"
        );
        assert_eq!(query(&file, "--var x"), "x_var\n9.166666666666666\n");
    }
    let one = f.file("one.csv", "x\n5\n");
    assert_eq!(query(&one, "--std x --mean x"), "x_std,x_mean\n,5.0\n");
}

#[test]
fn quantile_over_sorted_partitions_is_exact() {
    let f = Folder::new();
    for part in 0..20 {
        let rows: String = (0..101).map(|i| format!("{}\n", part * 101 + i)).collect();
        f.file(&format!("{part:02}.csv"), format!("x\n{rows}"));
    }
    // 2020 values 0..2019: position 0.99 * 2019 = 1998.81
    let got = cells(&query(&f.at("*.csv"), "--quantile x:0.99 --median x"));
    assert_eq!(got[0], ["x_q0.99", "x_median"]);
    assert!(
        (got[1][0].parse::<f64>().unwrap() - 1998.81).abs() < 1e-9,
        "{got:?}"
    );
    assert_eq!(got[1][1], "1009.5");
}

#[test]
fn sum_that_overflows_is_an_error() {
    let f = Folder::new();
    let file = f.file("o.csv", "k,x\na,9223372036854775807\na,1\nb,5\n");
    ask(&file, "--sum x").failed(1).says(&["overflow"]);
    ask(&file, "-g k --sum x").failed(1).says(&["overflow"]);
    // what passes the limit on the way is fine
    let file = f.file("w.csv", "x\n9223372036854775807\n1\n-1\n");
    assert_eq!(query(&file, "--sum x"), "x_sum\n9223372036854775807\n");
    run(["query", &file, "--select", "x + 1"])
        .failed(1)
        .says(&["9223372036854775807 + 1", "int64"]);
}

#[test]
fn large_integers_beside_nulls_stay_exact() {
    let f = Folder::new();
    let file = f.file("e.csv", "k,x\na,9007199254740993\na,\na,NA\n");
    assert_eq!(query(&file, "--normalize"), "k,x\na,9007199254740993\na,\na,\n");
    assert_eq!(
        query(&file, "--max x --sum x"),
        "x_max,x_sum\n9007199254740993,9007199254740993\n"
    );
    let parquet = f.at("e.parquet");
    run(["query", &file, "-o", &parquet]).done();
    assert_eq!(query(&parquet, "-g k --min x"), "k,x_min\na,9007199254740993\n");
}

#[test]
fn leading_zeros_and_huge_integers_stay_text() {
    let f = Folder::new();
    let file = f.file("z.csv", "zip,n\n01234,1\n90210,2\n");
    assert_eq!(query(&file, ""), "zip,n\n01234,1\n90210,2\n");
    assert_eq!(query(&file, "--max zip"), "zip_max\n90210\n");
    let huge = f.file("huge.csv", "n\n123456789012345678901234567890\n1\n");
    assert_eq!(query(&huge, ""), "n\n123456789012345678901234567890\n1\n");
}

#[test]
fn not_available_among_numbers_is_null() {
    let f = Folder::new();
    let file = f.file("na.csv", "k,x\na,NA\na,1\nb,NA\na,2\nNA,4\n");
    assert_eq!(
        query(&file, "-g k --mean x --count=x"),
        "k,x_mean,x_count\nNA,4.0,1\na,1.5,2\nb,,0\n"
    );
    assert_eq!(
        query(&file, "--mean x --null NA -g k"),
        "k,x_mean\na,1.5\nb,\n,4.0\n"
    );
}

#[test]
fn floats_sum_to_the_same_text_in_any_order() {
    let f = Folder::new();
    let mut r = Random(3);
    let scales = [1e-300, 1e-9, 1.0, 1e9, 1e17];
    let mut rows: Vec<String> = (0..3000)
        .map(|_| {
            format!(
                "{},{:e}\n",
                r.below(3),
                (r.below(2_000_001) as f64 - 1e6) * r.pick(&scales)
            )
        })
        .collect();
    let first = f.file("1.csv", format!("k,x\n{}", rows.concat()));
    let flags = "-g k --sum x --mean x --std x";
    let whole = query(&first, flags);
    for round in 0..3 {
        for i in (1..rows.len()).rev() {
            rows.swap(i, r.below(i + 1));
        }
        let file = f.file("2.csv", format!("k,x\n{}", rows.concat()));
        assert_eq!(
            query(&file, &format!("{flags} --blocksize {} -j 4", 64 << (3 * round))),
            whole
        );
    }
}

#[test]
fn tenths_add_up_exactly_rounded() {
    let f = Folder::new();
    let file = f.file("t.csv", format!("x\n{}", "0.1\n".repeat(1_000)));
    assert_eq!(
        query(&file, "--sum x --mean x --std x"),
        "x_sum,x_mean,x_std\n100.0,0.1,0.0\n"
    );
}

#[test]
fn nothing_at_all() {
    let f = Folder::new();
    let file = f.file("n.csv", "k,x\na,1\n");
    let flags = "--where x>5 --sum x --min x --max x --mean x --median x --nunique x --count";
    let got = cells(&query(&file, flags));
    assert_eq!(got[1], ["", "", "", "", "", "0", "0"]);
    assert_eq!(query(&file, "--where x>5 -g k --count"), "k,count\n");
}

#[test]
fn nan_and_negative_zero() {
    let f = Folder::new();
    let csv = f.file("f.csv", "x\n0.5\n-0.0\n0.0\n2.5\n");
    let file = f.at("f.parquet");
    let with = "y = case when x > 1 then (x - x) / 0 else x end";
    run(["query", &csv, "--with", with, "-o", &file]).done();
    assert_eq!(
        query(&file, "--max y --min y --nunique y"),
        "y_max,y_min,y_nunique\nNaN,0.0,3\n"
    );
    assert_eq!(cells(&query(&file, "-g y --count")).len(), 1 + 3);
    assert_eq!(query(&file, "--sort y:desc -n 1 -s y"), "y\nNaN\n");
    assert_eq!(query(&file, "-w y>100 --count"), "count\n1\n");
}
