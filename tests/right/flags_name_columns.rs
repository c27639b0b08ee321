//! Flags name columns as they stand: a text that is exactly a column's name is that column in every flag, and a
//! number that is none is an error.

use crate::common::{Folder, Ran, run};

fn asked(file: &str, words: &[&str]) -> Ran {
    run(["query", file].into_iter().chain(words.iter().copied()))
}

fn answer(file: &str, words: &[&str]) -> String {
    asked(file, words).done().text().to_string()
}

const NAMES: &str =
    "Item Name,Unit Price ($),2nd,group,order,Total-Net,\u{c4}rger\nA,5,1,x,1,10,1\nB,7,2,y,2,20,2\n";

#[test]
fn exactly_a_name_is_that_column_in_every_flag() {
    let f = Folder::new();
    let file = f.file("names.csv", NAMES);
    for (words, expected) in [
        (&["--mean", "Unit Price ($)"][..], "Unit Price ($)_mean\n6.0\n"),
        (&["-g", "Item Name", "--count"], "Item Name,count\nA,1\nB,1\n"),
        (&["--sum", "Total-Net"], "Total-Net_sum\n30\n"),
        (&["--mean", "2nd"], "2nd_mean\n1.5\n"),
        (
            &["--sort", "Item Name:desc", "-s", "Item Name,Unit Price ($)"],
            "Item Name,Unit Price ($)\nB,7\nA,5\n",
        ),
        (
            &["--max", "group,order,\u{c4}rger,2nd"],
            "group_max,order_max,\u{c4}rger_max,2nd_max\ny,2,2,2\n",
        ),
        (&["--agg", "s = sum(Total-Net)"], "s\n30\n"),
        (&["--agg", "s = count(distinct Item Name)"], "s\n2\n"),
        (
            &["--quantile", "Unit Price ($):0.5"],
            "Unit Price ($)_q0.5\n6.0\n",
        ),
        (&["--count=Total-Net"], "Total-Net_count\n2\n"),
        (
            &["--nunique", "order", "--first", "Item Name"],
            "order_nunique,Item Name_first\n2,A\n",
        ),
        (&["--with", "x = Total-Net", "-s", "x"], "x\n10\n20\n"),
        (
            &["--with", "Total-Net = 5", "--sum", "Total-Net"],
            "Total-Net_sum\n10\n",
        ),
        (&["-s", "Total-Net", "--distinct"], "Total-Net\n10\n20\n"),
        (
            &[
                "-g",
                "group",
                "--sum",
                "Total-Net",
                "--having",
                "\"Total-Net_sum\" > 10",
            ],
            "group,Total-Net_sum\ny,20\n",
        ),
        (
            &["-g", "Item Name,order", "--drop-null-keys", "--count"],
            "Item Name,order,count\nA,1,1\nB,2,1\n",
        ),
        (&["-w", "order = 2", "-s", "Item Name"], "Item Name\nB\n"),
        (
            &["--types", "Total-Net=text", "--max", "Total-Net"],
            "Total-Net_max\n20\n",
        ),
        (
            &["-s", "Unit Price ($):group"],
            "Unit Price ($),2nd,group\n5,1,x\n7,2,y\n",
        ),
    ] {
        assert_eq!(answer(&file, words), expected, "{words:?}");
    }
    let flag = f.file("b.csv", "ok now,v\ntrue,1\nfalse,2\n");
    assert_eq!(answer(&flag, &["-w", "ok now", "-s", "v"]), "v\n1\n");
    let right = f.file("r.csv", "Item Name,a=b,w\nA,1,9\n");
    assert_eq!(
        answer(&file, &["--join", &right, "--on", "Item Name", "-s", "w"]),
        "w\n9\n"
    );
    assert_eq!(
        answer(&file, &["--join", &right, "--on", "2nd=a=b", "-s", "w"]),
        "w\n9\n"
    );
}

#[test]
fn words_of_sql_are_columns_where_there_are_such() {
    let f = Folder::new();
    let file = f.file("u.csv", "user,n\na,1\nb,2\na,3\n");
    assert_eq!(
        answer(&file, &["-g", "user", "--sum", "n"]),
        "user,n_sum\na,4\nb,2\n"
    );
    assert_eq!(answer(&file, &["-w", "user='a'", "--sum", "n"]), "n_sum\n4\n");
    assert_eq!(
        answer(&file, &["-w", "n < 9 and user in ('b')", "--sum", "n"]),
        "n_sum\n2\n"
    );
    let file = f.file("k.csv", "interval,exists,current_date,trim,n\n1,2,3,4,5\n");
    let sums = "interval_sum,exists_sum,current_date_sum,trim_sum,n_sum\n1,2,3,4,5\n";
    assert_eq!(
        answer(&file, &["--sum", "interval,exists,current_date,trim,n"]),
        sums
    );
}

#[test]
fn a_number_is_a_column_or_an_error() {
    let f = Folder::new();
    let file = f.file(
        "wdi.csv",
        "Country Code,2019,2020,2021\nALA,10.5,11.5,\nBOR,20,30,40\n",
    );
    assert_eq!(answer(&file, &["--mean", "2020"]), "2020_mean\n20.75\n");
    assert_eq!(
        answer(&file, &["--sum", "2020,2021"]),
        "2020_sum,2021_sum\n41.5,40\n"
    );
    let sorted = answer(&file, &["--sort", "2020:desc", "-s", "Country Code,2020"]);
    assert_eq!(sorted, "Country Code,2020\nBOR,30\nALA,11.5\n");
    assert_eq!(answer(&file, &["--agg", "x = max(2021)"]), "x\n40\n");
    for words in [
        &["--mean", "2022"][..],
        &["-g", "2022", "--count"],
        &["--sort", "2022"],
        &["--sort", "2022:desc"],
        &["-s", "2022"],
        &["--sum", "1.5"],
        &["--min=-1"],
        &["--count=2022"],
        &["--quantile", "2022:0.5"],
    ] {
        asked(&file, words).failed(1).says(&["no column"]);
    }
    let file = f.file("nama.tsv", "geo\t2019 \t2020 \nDE\t3473.2 \t3405.4 p\n");
    asked(&file, &["--mean", "2019"])
        .failed(1)
        .says(&["no column \"2019\"", "did you mean \"2019 \""]);
    let file = f.file("usgs.tsv", "site\t40346_00060\n1\t2.5\n");
    assert_eq!(
        answer(&file, &["--mean", "40346_00060"]),
        "40346_00060_mean\n2.5\n"
    );
}

#[test]
fn case_differs_only_where_one_column_fits() {
    let f = Folder::new();
    let file = f.file("c.csv", "Order-Date,x,X,Qty\n1,2,3,4\n");
    assert_eq!(
        answer(&file, &["--sum", "order-date,qty"]),
        "Order-Date_sum,Qty_sum\n1,4\n"
    );
    assert_eq!(answer(&file, &["--sum", "x"]), "x_sum\n2\n");
    assert_eq!(answer(&file, &["--agg", "s = sum(qty + X)"]), "s\n7\n");
    assert_eq!(answer(&file, &["-w", "qty > 3", "-s", "qty"]), "Qty\n4\n");
    let file = f.file("d.csv", "ab,AB\n1,2\n");
    asked(&file, &["--sum", "Ab"])
        .failed(1)
        .says(&["no column \"Ab\""]);
}
