//! Joins: nulls match nothing, names do not clash, every kind, and the same rows whatever the threads.

use crate::common::{Folder, Random, ask, query, run};

fn two(f: &Folder) -> (String, String) {
    let left = f.file("left.csv", "id,k,v\n1,a,10\n2,,20\n3,b,30\n4,a,40\n5,z,50\n");
    let right = f.file("right.csv", "k,v,w\na,1,x\na,2,y\n,3,n\nb,4,\nq,5,r\n");
    (left, right)
}

#[test]
fn every_kind() {
    let f = Folder::new();
    let (left, right) = two(&f);
    let inner = "1,a,10,1,x\n1,a,10,2,y\n3,b,30,4,\n4,a,40,1,x\n4,a,40,2,y\n";
    let cases = [
        ("inner", format!("id,k,v,v_right,w\n{inner}")),
        (
            "left",
            "id,k,v,v_right,w\n1,a,10,1,x\n1,a,10,2,y\n2,,20,,\n3,b,30,4,\n4,a,40,1,x\n4,a,40,2,y\n5,z,50,,\n".into(),
        ),
        (
            "right",
            "id,k,v,v_right,w\n1,a,10,1,x\n4,a,40,1,x\n1,a,10,2,y\n4,a,40,2,y\n,,,3,n\n3,b,30,4,\n,q,,5,r\n".into(),
        ),
        (
            "full",
            "id,k,v,v_right,w\n1,a,10,1,x\n1,a,10,2,y\n2,,20,,\n3,b,30,4,\n4,a,40,1,x\n4,a,40,2,y\n5,z,50,,\n,,,3,n\n,q,,5,r\n"
                .into(),
        ),
        ("semi", "id,k,v\n1,a,10\n3,b,30\n4,a,40\n".into()),
        ("anti", "id,k,v\n2,,20\n5,z,50\n".into()),
    ];
    for (kind, expected) in cases {
        for flags in [
            "",
            "-j 1",
            "--blocksize 64 -j 3",
            "--scheduler sync",
            "--no-optimize",
        ] {
            let args = format!("--join {right} --on k --how {kind} {flags}");
            assert_eq!(query(&left, &args), expected, "{kind} {flags}");
            let joined = run(["join", &left, &right, "--on", "k", "--how", kind]).done();
            assert_eq!(joined.text(), expected, "{kind}");
        }
    }
    assert_eq!(
        query(&left, &format!("--join {right} --how cross --count")),
        "count\n25\n"
    );
}

#[test]
fn several_joins_and_keys_of_other_names() {
    let f = Folder::new();
    let flights = f.file(
        "flights.csv",
        "carrier,origin,day,n\nAA,JFK,1,5\nUA,EWR,1,7\nAA,EWR,2,9\nZZ,JFK,2,1\n",
    );
    let carriers = f.file("carriers.csv", "code,name\nAA,American\nUA,United\n");
    let weather = f.file("weather.csv", "origin,day,wind\nJFK,1,3.5\nEWR,2,8\n");
    let args = format!(
        "--join {carriers} --on carrier=code --how left --join {weather} --on origin,day --how left -s carrier,name,wind"
    );
    assert_eq!(
        query(&flights, &args),
        "carrier,name,wind\nAA,American,3.5\nUA,United,\nAA,American,8\nZZ,,\n"
    );
    // both keys stay where their names differ, and a filter above reaches both files
    let args = format!("--join {carriers} --on carrier=code -w name='American' -g code --sum n");
    assert_eq!(query(&flights, &args), "code,n_sum\nAA,14\n");
}

#[test]
fn keys_of_other_types() {
    let f = Folder::new();
    let ints = f.file("ints.csv", "id,a\n1,x\n2,y\n9007199254740993,z\n");
    let floats = f.file("floats.csv", "id,b\n1.0,p\n2.5,q\n");
    let texts = f.file("texts.csv", "id,b\nx1,p\n");
    assert_eq!(
        query(&ints, &format!("--join {floats} --on id")),
        "id,a,b\n1,x,p\n"
    );
    // texts are read as the numbers beside them; one that is none is an error, wherever the types come from
    ask(&ints, &format!("--join {texts} --on id"))
        .failed(1)
        .says(&["'x1' is no int64", "cast(x AS text)"]);
    let codes = f.file("codes.csv", "id,b\n01,p\n2,q\n9007199254740993,r\n,s\n");
    assert_eq!(
        query(&ints, &format!("--join {codes} --on id")),
        "id,a,b\n1,x,p\n2,y,q\n9007199254740993,z,r\n"
    );
    assert_eq!(
        query(&codes, &format!("--join {ints} --on id --how left")),
        "id,b,a\n01,p,x\n2,q,y\n9007199254740993,r,z\n,s,\n"
    );
    // one column of both would be of neither type
    ask(&ints, &format!("--join {codes} --on id --how full"))
        .failed(1)
        .says(&["cannot join on", "int64", "text", "cast"]);
    ask(&ints, &format!("--join {floats} --on idd"))
        .failed(1)
        .says(&["no column", "idd", "id"]);
    ask(&ints, &format!("--join {floats}")).failed(2).says(&["--on"]);
    ask(&ints, &format!("--on id --join {floats}"))
        .failed(2)
        .says(&["--join"]);
    ask(&ints, &format!("--join {floats} --on id --how sideways"))
        .failed(2)
        .says(&["sideways", "inner"]);
}

/// Many rows with heavy, light and absent keys, against counts made here.
#[test]
fn many_rows_whatever_the_threads() {
    let f = Folder::new();
    let mut r = Random(11);
    let mut rows = |n: usize| -> Vec<(usize, usize)> {
        (0..n)
            .map(|i| (if r.below(4) == 0 { 7 } else { r.below(5000) }, i))
            .collect()
    };
    let (left, right) = (rows(20_000), rows(300));
    let text = |rows: &[(usize, usize)], name: &str| -> String {
        let body: String = rows.iter().map(|(k, i)| format!("k{k},{i}\n")).collect();
        format!("k,{name}\n{body}")
    };
    let (l, r) = (
        f.file("l.csv", text(&left, "a")),
        f.file("r.csv", text(&right, "b")),
    );
    let mut expected = String::from("k,a,b\n");
    for (k, a) in &left {
        for (_, b) in right.iter().filter(|(x, _)| x == k) {
            expected += &format!("k{k},{a},{b}\n");
        }
    }
    for flags in ["", "-j 1", "-j 8 --blocksize 4096", "-j 2 --blocksize 1000"] {
        assert!(
            query(&l, &format!("--join {r} --on k {flags}")) == expected,
            "{flags}"
        );
    }
}
