//! Corners that other tests only brush: populations, packed inputs, infinities, offsets.

use std::io::Write;

use crate::common::{Folder, Random, ask, query, run};

#[test]
fn all_and_any_with_three_values() {
    let f = Folder::new();
    let file = f.file(
        "b.csv",
        "k,x\na,true\na,true\nb,true\nb,false\nc,\nc,true\nd,\ne,false\ne,\nf,false\n",
    );
    let flags = "-g k --agg all=bool_and(x) --agg any=bool_or(x)";
    let expected = "k,all,any\na,true,true\nb,false,true\nc,true,true\nd,,\ne,false,false\nf,false,false\n";
    for more in ["", "-j 4 --blocksize 64", "--scheduler sync --no-optimize"] {
        assert_eq!(query(&file, &format!("{flags} {more}")), expected);
    }
    assert_eq!(
        query(&file, "--agg all=bool_and(x) --agg any=bool_or(x)"),
        "all,any\nfalse,true\n"
    );
    assert_eq!(query(&file, "-w k='z' --agg all=bool_and(x)"), "all\n\n");
    assert_eq!(query(&file, "--agg s=bool_or(k>'e')"), "s\ntrue\n");
    ask(&file, "--agg s=bool_and(k)")
        .failed(1)
        .says(&["bool_and", "text"]);
}

#[test]
fn variance_of_a_population() {
    let f = Folder::new();
    let file = f.file(
        "v.csv",
        "k,i,x\na,2,2.0\na,4,4.0\na,4,4.0\na,4,4.0\na,5,5.0\na,5,5.0\na,7,7.0\na,9,9.0\nb,3,3.5\nc,,\n",
    );
    for column in ["i", "x"] {
        let flags =
            format!("-g k --agg v=var_pop({column}) --agg s=stddev_pop({column}) --agg w=var({column})");
        assert_eq!(
            query(&file, &flags),
            "k,v,s,w\na,4.0,2.0,4.571428571428571\nb,0.0,0.0,\nc,,,\n",
            "{column}"
        );
    }
    // stable far from zero: the population of 1e9 + {0..9} has the variance 8.25
    let rows: String = (0..10).map(|i| format!("{}\n", 1_000_000_000 + i)).collect();
    assert_eq!(
        query(&f.file("far.csv", format!("x\n{rows}")), "--agg v=var_pop(x)"),
        "v\n8.25\n"
    );
    let rows: String = (0..10).map(|i| format!("{}.5\n", 1_000_000_000 + i)).collect();
    let far = f.file("far.csv", format!("x\n{rows}"));
    assert_eq!(
        query(&far, "--agg v=var_pop(x) --agg s=stddev_pop(x)"),
        "v,s\n8.25,2.8722813232690143\n"
    );
}

#[test]
fn every_packing_is_read_whole_or_not_at_all() {
    let f = Folder::new();
    let mut r = Random(8);
    let rows: String = (0..60_000).map(|i| format!("{i},{}\n", r.below(1000))).collect();
    let csv = format!("id,x\n{rows}");
    let plain = query(&f.file("plain.csv", &csv), "--sum id,x --count");
    let bytes = csv.as_bytes();
    let bz = {
        let mut w = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        w.write_all(bytes).unwrap();
        w.finish().unwrap()
    };
    let xz = {
        let mut w = liblzma::write::XzEncoder::new(Vec::new(), 1);
        w.write_all(bytes).unwrap();
        w.finish().unwrap()
    };
    let lz = {
        let mut w = lz4_flex::frame::FrameEncoder::new(Vec::new());
        w.write_all(bytes).unwrap();
        w.finish().unwrap()
    };
    for (ending, packed) in [("bz2", bz), ("xz", xz), ("lz4", lz)] {
        let file = f.file(&format!("t.csv.{ending}"), &packed);
        for flags in ["", "-j 4 --blocksize 1000", "--memory 32MiB"] {
            assert_eq!(
                query(&file, &format!("--sum id,x --count {flags}")),
                plain,
                "{ending} {flags}"
            );
        }
        assert!(query(&file, "").as_bytes() == bytes, "{ending}");
        // told by the bytes, not by the name
        assert_eq!(
            query(&f.file("named.csv", &packed), "--sum id,x --count"),
            plain,
            "{ending}"
        );
        for cut in [packed.len() / 2, packed.len() - 5] {
            let file = f.file(&format!("cut.csv.{ending}"), &packed[..cut]);
            ask(&file, "--sum id,x --count").failed(1).says(&["cut.csv"]);
        }
        let mut damaged = packed.clone();
        let middle = packed.len() / 2;
        damaged[middle..middle + 8].iter_mut().for_each(|b| *b ^= 0xff);
        ask(
            &f.file(&format!("damaged.csv.{ending}"), damaged),
            "--sum id,x --count",
        )
        .failed(1)
        .says(&["damaged.csv"]);
        // two members, one behind the other
        let twice = [packed.clone(), packed.clone()].concat();
        let ran = ask(&f.file(&format!("twice.csv.{ending}"), twice), "-H --count").done();
        assert_eq!(ran.text(), "count\n120002\n", "{ending}");
    }
}

#[test]
fn infinities_in_and_out() {
    let f = Folder::new();
    let file = f.file(
        "i.csv",
        "k,x\na,1.5\na,inf\nb,-inf\nb,2.5\nc,inf\nc,-inf\nd,-Infinity\nd,NaN\n",
    );
    let aggregates = "-g k --sum x --mean x --min x --max x --count=x --median x";
    assert_eq!(
        query(&file, aggregates),
        "k,x_sum,x_mean,x_min,x_max,x_count,x_median\n\
         a,inf,inf,1.5,inf,2,inf\n\
         b,-inf,-inf,-inf,2.5,2,-inf\n\
         c,NaN,NaN,-inf,inf,2,NaN\n\
         d,-inf,-inf,-inf,-inf,1,-inf\n"
    );
    for more in ["-j 4 --blocksize 64", "--scheduler sync --no-optimize"] {
        assert_eq!(
            query(&file, &format!("{aggregates} {more}")),
            query(&file, aggregates)
        );
    }
    assert_eq!(query(&file, "-w x>1e308 -s k"), "k\na\nc\n");
    assert_eq!(
        query(&file, "-s x --sort x --limit 3 --normalize"),
        "x\n-inf\n-inf\n-inf\n"
    );
}

/// NaN equals itself and is greater than every number (SEMANTICS, values).
#[test]
fn nan_is_a_value_above_all_others() {
    let f = Folder::new();
    let file = f.file("n.csv", "k,a,b\n1,0,0\n2,1,0\n3,0,0\n4,-1,0\n5,1,1\n6,,1\n");
    let with = ["--with", "x = cast(a as double) / b"];
    let ask = |flags: &str| {
        let args = ["query", &file]
            .into_iter()
            .chain(with)
            .chain(flags.split_whitespace());
        run(args).done().text().to_string()
    };
    assert_eq!(ask("-s k,x"), "k,x\n1,NaN\n2,inf\n3,NaN\n4,-inf\n5,1.0\n6,\n");
    assert_eq!(ask("-s k --sort x,k"), "k\n4\n5\n2\n1\n3\n6\n");
    assert_eq!(ask("-s k --sort x:desc,k"), "k\n1\n3\n2\n5\n4\n6\n");
    assert_eq!(ask("-g x --count"), "x,count\n-inf,1\n1.0,1\ninf,1\nNaN,2\n,1\n");
    assert_eq!(
        ask("--min x --max x --nunique x"),
        "x_min,x_max,x_nunique\n-inf,NaN,4\n"
    );
    assert_eq!(ask("-w x>1 -s k"), "k\n1\n2\n3\n");
    assert_eq!(ask("-w x=x -s k"), "k\n1\n2\n3\n4\n5\n");
    assert_eq!(ask("-s x --distinct"), "x\nNaN\ninf\n-inf\n1.0\n\n");
    // through Parquet, whose statistics leave NaN out
    let parquet = f.at("n.parquet");
    run(["query", &file].into_iter().chain(with).chain(["-o", &parquet])).done();
    assert_eq!(query(&parquet, "-w x>1 -s k"), "k\n1\n2\n3\n");
    assert_eq!(query(&parquet, "-w x>=1e300 -s k"), "k\n1\n2\n3\n");
    assert_eq!(query(&parquet, "-w x<>1 -s k"), "k\n1\n2\n3\n4\n");
}

#[test]
fn offsets_are_kept_in_utc() {
    let f = Folder::new();
    let file = f.file(
        "t.csv",
        "k,t\n1,2024-03-31T01:30:00+02:00\n2,2024-03-30T23:30:00Z\n3,2024-03-30 18:00:00.25-05:30\n4,\n5,2024-03-31\n",
    );
    assert!(run(["schema", &file]).done().text().contains("timestamp (UTC)"));
    assert_eq!(
        query(&file, "--normalize"),
        "k,t\n1,2024-03-30T23:30:00Z\n2,2024-03-30T23:30:00Z\n3,2024-03-30T23:30:00.25Z\n4,\n5,2024-03-31T00:00:00Z\n"
    );
    assert_eq!(query(&file, "-g t --count -s count"), "count\n2\n1\n1\n1\n");
    assert_eq!(query(&file, "-s day(t) --distinct"), "day(t)\n30\n\n31\n");
    let parquet = f.at("t.parquet");
    run(["query", &file, "-o", &parquet]).done();
    assert_eq!(query(&parquet, ""), query(&file, "--normalize"));
    // a naive moment and one with an offset do not mix: the column is text
    let mixed = f.file("m.csv", "t\n2024-03-31T01:30:00+02:00\n2024-03-31T01:30:00\n");
    assert_eq!(
        query(&mixed, "-q"),
        "t\n2024-03-31T01:30:00+02:00\n2024-03-31T01:30:00\n"
    );
    // no such day, no such hour: text, never another day
    let wrong = f.file("w.csv", "t\n2024-02-30T01:30:00Z\n2024-02-28T25:00:00Z\n");
    assert_eq!(query(&wrong, "--max t"), "t_max\n2024-02-30T01:30:00Z\n");
    assert_eq!(query(&file, "-w t>='2024-03-31' -s k"), "k\n5\n");
}

#[test]
fn moments_by_the_clocks_of_a_time_zone() {
    let f = Folder::new();
    let file = f.file(
        "t.csv",
        "k,t,n\n1,2024-03-31T00:59:59Z,2024-03-31T00:59:59\n2,2024-03-31T01:00:00Z,\n3,2024-03-30T23:30:00Z,\n4,,\n",
    );
    let tz = "--tz Europe/Berlin";
    assert_eq!(
        query(&file, tz),
        "k,t,n\n1,2024-03-31T01:59:59+01:00,2024-03-31T00:59:59\n2,2024-03-31T03:00:00+02:00,\n\
         3,2024-03-31T00:30:00+01:00,\n4,,\n"
    );
    for more in ["", "--no-optimize", "-j 3 --blocksize 64"] {
        assert_eq!(
            query(&file, &format!("{tz} -g hour(t),day(t) --count {more}")),
            "hour(t),day(t),count\n0,31,1\n1,31,1\n3,31,1\n,,1\n"
        );
        assert_eq!(
            query(&file, &format!("{tz} -g d=date_trunc('day',t) --count {more}")),
            "d,count\n2024-03-31T00:00:00+01:00,3\n,1\n"
        );
        assert_eq!(
            query(&file, &format!("{tz} -w hour(t)=3 -s k,c=hour(n) {more}")),
            "k,c\n2,\n"
        );
    }
    assert_eq!(
        query(&file, "-g hour(t) --count"),
        "hour(t),count\n0,1\n1,1\n23,1\n,1\n"
    );
    assert_eq!(
        query(&file, &format!("{tz} --jsonl -n 1 -s t")),
        "{\"t\":\"2024-03-31T01:59:59+01:00\"}\n"
    );
    // all that tells of a date or of a time of day
    let ends = f.file("e.csv", "t\n2024-02-29T23:30:00Z\n2000-12-31T23:30:00Z\n");
    let parts = "last_day(t) l, cast(t as time) c, cast(t as timestamp_ns) n, isoyear(t) i, yearweek(t) y, \
                 decade(t) d, century(t) e, millennium(t) m, days_in_month(t) s";
    let of = |zone: &str| {
        let sql = format!("select {parts} from '{ends}'");
        run(["sql", "--tz", zone, &sql]).done().text().to_string()
    };
    assert_eq!(
        of("Europe/Berlin"),
        "l,c,n,i,y,d,e,m,s\n2024-03-31,00:30:00,2024-03-01T00:30:00,2024,202409,202,21,3,31\n\
         2001-01-31,00:30:00,2001-01-01T00:30:00,2001,200101,200,21,3,31\n"
    );
    assert_eq!(
        of("UTC"),
        "l,c,n,i,y,d,e,m,s\n2024-02-29,23:30:00,2024-02-29T23:30:00,2024,202409,202,21,3,29\n\
         2000-12-31,23:30:00,2000-12-31T23:30:00,2000,200052,200,20,2,31\n"
    );
    let noons = "timestamptz '2024-03-30 11:00:00Z', timestamptz '2024-03-31 10:00:00Z'";
    for (zone, days) in [("Europe/Berlin", "1"), ("UTC", "0")] {
        let told = run(["sql", "--tz", zone, &format!("select date_sub('day', {noons}) d")]).done();
        assert_eq!(told.text(), format!("d\n{days}\n"), "{zone}");
    }
    // as many hours as went by where a clock is put on, with the borders that it shows
    let spring = "timestamptz '2024-03-31 00:30:00Z', timestamptz '2024-03-31 02:15:00Z'";
    for (zone, want) in [("Europe/Berlin", "2,1,0"), ("Asia/Kolkata", "1,1,0")] {
        let hours = format!("date_diff('hour', {spring}) a, date_sub('hour', {spring}) b");
        let sql = format!("select {hours}, date_diff('day', {spring}) c");
        let told = run(["sql", "--tz", zone, &sql]).done();
        assert_eq!(told.text(), format!("a,b,c\n{want}\n"), "{zone}");
    }
    // Parquet keeps the moments
    let parquet = f.at("t.parquet");
    run(["query", &file, "--tz", "Europe/Berlin", "-o", &parquet]).done();
    assert_eq!(query(&parquet, ""), query(&file, ""));
    let sql = "x = t AT TIME ZONE 'America/New_York'";
    let ran = run(["query", &file, "--with", sql, "-s", "x", "-n", "1"]).done();
    assert_eq!(ran.text(), "x\n2024-03-30T20:59:59\n");
    ask(&file, "--tz Europe/Berlim")
        .failed(1)
        .says(&["Europe/Berlin"]);
}
