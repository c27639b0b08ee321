//! Values that functions and aggregates give: dates by formats, deviations of any size, first and last rows, and
//! advice that loses no rows.

use crate::common::{Folder, ask, run};

fn sql(text: &str) -> String {
    run(["sql", "--csv", "-q", text]).done().text().to_string()
}

fn query(file: &str, flags: &[&str]) -> String {
    let args = ["query", file].into_iter().chain(flags.iter().copied());
    run(args).done().text().to_string()
}

/// The only value of a statement.
fn value(expression: &str) -> String {
    let out = sql(&format!("select {expression} as v"));
    out.lines().nth(1).unwrap_or("").to_string()
}

#[test]
fn deviations_of_any_size() {
    let of = |values: &str, what: &str| {
        let out = sql(&format!("select {what} as v from (values {values}) t(x, y)"));
        out.lines().nth(1).unwrap_or("").to_string()
    };
    let same = "(0.1::double, 1), (0.1, 2), (0.1, 3)";
    assert_eq!(of(same, "stddev_samp(x)"), "0.0");
    assert_eq!(of(same, "var_pop(x)"), "0.0");
    assert_eq!(of(same, "corr(x, x)"), "NaN");
    let huge = "(1e200::double, 1), (3e200, 2), (2e200, 3)";
    assert_eq!(of(huge, "stddev_samp(x)"), "1e200");
    assert_eq!(of(huge, "corr(x, x)"), "1.0");
    assert_eq!(of(huge, "var_samp(x)"), "inf");
    assert_eq!(of("(-1e308::double, 1), (1e308, 2)", "avg(x)"), "0.0");
    assert_eq!(of("(1.7e308::double, 1), (1.7e308, 2)", "avg(x)"), "1.7e308");
    let tiny = "(1e-200::double, 1), (3e-200, 2), (2e-200, 3)";
    assert_eq!(of(tiny, "stddev_samp(x)"), "1e-200");
    let line = "(1::double, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7)";
    assert_eq!(of(line, "corr(x, x)"), "1.0");
    assert_eq!(of(line, "regr_r2(x, y)"), "1.0");
    assert_eq!(of(line, "corr(x, -0.3 * y)"), "-1.0");
    // frames that slide give back what they took in
    let slides = sql("select stddev_samp(x) over (order by y rows 1 preceding) as v \
                      from (values (1e200::double, 1), (1e200, 2), (0.1, 3), (0.1, 4)) t(x, y)");
    let slides: Vec<&str> = slides.lines().collect();
    assert_eq!((slides[1], slides[2], slides[4]), ("", "0.0", "0.0"));
    assert!(
        slides[3].starts_with("7.07106781186547") && slides[3].ends_with("e199"),
        "{slides:?}"
    );
}

#[test]
fn decimals_of_more_than_38_digits_are_errors() {
    let nines = "9".repeat(38);
    let most = format!("cast({nines} as decimal(38,0))");
    for wrong in [
        format!("{most} + 1"),
        format!("0 - {most} - 1"),
        format!("{most} * 2"),
        format!("{most} * {most}"),
        format!("{most} + cast(0.5 as decimal(2,1))"),
    ] {
        let out = run(["sql", "-q", &format!("select {wrong}")]);
        out.failed(1).says(&["38 digits"]);
    }
    let rows = format!("(values ({most}), ({most})) t(x)");
    for wrong in ["sum(x)", "sum(x) over ()", "sum(distinct x) + 1"] {
        run(["sql", "-q", &format!("select {wrong} from {rows}")]).failed(1);
    }
    assert_eq!(value(&format!("{most} + 0")), nines);
    assert_eq!(value(&format!("{most} - 1")), format!("{}8", "9".repeat(37)));
}

#[test]
fn dates_by_format() {
    let f = Folder::new();
    let log = "when,v\n12/Mar/2024:22:03:37 -0800,1\n13/Mar/2024:00:30:00 -0700,2\n";
    let file = f.file("log.csv", log);
    let read = "strptime(\"when\",'%d/%b/%Y:%H:%M:%S %z')";
    assert_eq!(
        query(&file, &["--select", &format!("t={read}")]),
        "t\n2024-03-13T06:03:37Z\n2024-03-13T07:30:00Z\n"
    );
    assert_eq!(
        query(
            &file,
            &[
                "--tz",
                "America/Los_Angeles",
                "-g",
                &format!("d=date_trunc('day',{read})"),
                "--sum",
                "v"
            ]
        ),
        "d,v_sum\n2024-03-12T00:00:00-07:00,1\n2024-03-13T00:00:00-07:00,2\n"
    );
    // the hour that comes twice is two hours
    let twice = f.file("twice.csv", "t\n2024-10-27T00:30:00Z\n2024-10-27T01:30:00Z\n");
    assert_eq!(
        query(
            &twice,
            &["--tz", "Europe/Berlin", "-g", "h=date_trunc('hour',t)", "--count"]
        ),
        "h,count\n2024-10-27T02:00:00+02:00,1\n2024-10-27T02:00:00+01:00,1\n"
    );
    // a clock without a zone is ahead of nothing, in whatever form that would be told
    let naive = "timestamp '2024-01-02 03:04:05.5'";
    for (format, want) in [
        ("%H:%M%z", "03:04"),
        ("%H:%M%:z", "03:04"),
        ("%H:%M%::z", "03:04"),
        ("%H:%M%Z", "03:04"),
        ("%+", "2024-01-02T03:04:05.500"),
        ("%%z%-d%.3f", "%z2.500"),
    ] {
        assert_eq!(value(&format!("strftime({naive}, '{format}')")), want, "{format}");
    }
    let moment = format!("strftime({naive} at time zone 'Asia/Kolkata', '%:z %+', 'Asia/Kolkata')");
    assert_eq!(value(&moment), "+05:30 2024-01-02T03:04:05.500+05:30");
    assert_eq!(value("strptime('69-01-01', '%y-%m-%d')"), "1969-01-01T00:00:00");
    assert_eq!(value("strptime('2024-07', '%Y-%m')"), "2024-07-01T00:00:00");
    assert_eq!(value("strptime('00.5', '%S.%f')"), "1900-01-01T00:00:00.5");
    assert_eq!(value("try_strptime('x', '%Y')"), "");
    assert_eq!(
        value("strftime(timestamp '2020-01-01 00:00:00.123456', '%f')"),
        "123456"
    );
    let gone = "timestamp '2024-10-27 02:30:00' at time zone 'Europe/Berlin'";
    assert_eq!(value(gone), "2024-10-27T01:30:00Z");
    // a time that no clock showed is read by the offset before
    let skipped = "timestamp '2024-03-31 02:30:00' at time zone 'Europe/Berlin'";
    assert_eq!(value(skipped), "2024-03-31T01:30:00Z");
}

#[test]
fn buckets_of_time() {
    let f = Folder::new();
    let rows =
        "ts,v\n2024-05-01T10:01:00,1\n2024-05-01T10:14:59,3\n2024-05-01T10:30:00,5\n2024-05-01T11:00:00,7\n";
    let file = f.file("m.csv", rows);
    for call in [
        "time_bucket('15 minutes',ts)",
        "date_bin(interval '15 minutes',ts)",
    ] {
        assert_eq!(
            query(&file, &["-g", &format!("t={call}"), "--mean", "v"]),
            "t,v_mean\n2024-05-01T10:00:00,2.0\n2024-05-01T10:30:00,5.0\n2024-05-01T11:00:00,7.0\n"
        );
    }
    assert_eq!(value("time_bucket('1 month', date '2024-05-31')"), "2024-05-01");
    assert_eq!(
        value("date '2020-01-01' + interval '1.5 hours'"),
        "2020-01-01T01:30:00"
    );
    let days = "(values (date '2020-01-01'), (date '2020-01-02')) t(d)";
    let half = "v\n2020-01-01T12:00:00\n";
    assert_eq!(sql(&format!("select median(d) as v from {days}")), half);
    assert_eq!(
        sql(&format!(
            "select quantile(cast(d as timestamp), 0.5) over () as v from {days} limit 1"
        )),
        half
    );
}

#[test]
fn first_and_last_are_rows() {
    let f = Folder::new();
    let file = f.file("f.csv", "k,x\na,\na,1\na,2\na,\nb,5\n");
    for more in [&[][..], &["--blocksize", "64", "-j", "3"]] {
        let by_flag: Vec<&str> = ["-g", "k", "--first", "x", "--last", "x"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        assert_eq!(query(&file, &by_flag), "k,x_first,x_last\na,,\nb,5,5\n");
    }
    let of = |what: &str| {
        let out = sql(&format!("select {what} as v from '{file}' group by k order by k"));
        out.lines().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of("coalesce(first(x), -1)"), "-1 5");
    assert_eq!(of("coalesce(last(x), -1)"), "-1 5");
    assert_eq!(of("first(x ignore nulls)"), "1 5");
    assert_eq!(of("last(x ignore nulls)"), "2 5");
    assert_eq!(of("any_value(x)"), "1 5");
    assert_eq!(of("coalesce(any_value(x respect nulls), -1)"), "-1 5");
    assert_eq!(of("first(x order by x desc)"), "2 5");
    assert_eq!(of("coalesce(last(x order by x), -1)"), "-1 5");
    assert_eq!(of("last(x ignore nulls order by x)"), "2 5");
    // rows that the filter leaves out are no rows with a null
    assert_eq!(of("coalesce(first(x) filter (where x > 1), -1)"), "2 5");
    assert_eq!(
        of("coalesce(last(x) filter (where x is null or x < 2), -1)"),
        "-1 -1"
    );
    let over = |what: &str| {
        let text = format!("select coalesce({what} over (partition by k), -1) as v from '{file}' order by k");
        let out = sql(&text);
        out.lines().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(over("first(x)"), "-1 -1 -1 -1 5");
    assert_eq!(over("any_value(x)"), "1 1 1 1 5");
    assert_eq!(over("last(x ignore nulls)"), "2 2 2 2 5");
    assert_eq!(over("first(x) filter (where x > 1)"), "2 2 2 2 5");
    assert_eq!(
        over("last(x) filter (where x is null or x < 2)"),
        "-1 -1 -1 -1 -1"
    );
}

#[test]
fn mode_minds_its_order() {
    let rows = "(values (1, 4), (2, 3), (1, 2), (2, 1), (3, 0)) t(x, y)";
    for (call, want) in [
        ("mode(x)", "1"),
        ("mode(x order by x desc)", "2"),
        ("mode(x order by y)", "2"),
        ("mode(x order by y desc)", "1"),
        ("mode() within group (order by x desc)", "2"),
        ("mode(x order by y) filter (where y > 1)", "1"),
    ] {
        let out = sql(&format!("select {call} as v, sum(y) as s from {rows}"));
        assert_eq!(
            out.lines().nth(1).unwrap().split(',').next(),
            Some(want),
            "{call}"
        );
    }
}

#[test]
fn advice_about_text_shows_the_value_and_loses_no_row() {
    let f = Folder::new();
    let file = f.file("th.csv", "k,a\nx,5\ny,\"1,234\"\n");
    let advice = ["'1,234'", "th.csv:3", "cast(replace(a, ',', '') AS double)"];
    let out = ask(&file, "--sum a").failed(1).says(&advice);
    assert!(!out.err.contains("try_cast"), "{}", out.err);
    let text = format!("select sum(cast(replace(a, ',', '') as double)) as s from '{file}'");
    assert_eq!(sql(&text), "s\n1239.0\n");
    let german = f.file("de.csv", "betrag;x\n12.345,60;1\n");
    ask(&german, "--sum betrag")
        .failed(1)
        .says(&["de.csv:2", "replace(replace(betrag, '.', ''), ',', '.')"]);
    let spaced = f.file("sp.csv", "my col\n1\n\"1,234\"\n");
    run(["query", &spaced, "--sum", "my col"])
        .failed(1)
        .says(&["sp.csv:3", "cast(replace(\"my col\", ',', '') AS double)"]);
    let rest = f.file("na.csv", "a\n1\nnone\n");
    ask(&rest, "--mean a")
        .failed(1)
        .says(&["na.csv:3", "nullif(a, 'none')"]);
    let cast = run(["query", &file, "--agg", "s=sum(cast(a as double))"]).failed(1);
    let cast = cast.says(&["'1,234'"]);
    assert!(!cast.err.contains("try_cast"), "{}", cast.err);
}

/// What `ddf functions` shows as an example is so.
#[test]
fn examples_of_aggregates_and_windows_hold() {
    use ddf::expr::{AGGREGATE_FUNCTIONS, EXAMPLE_ROWS, WINDOW_LISTING};
    let rows =
        EXAMPLE_ROWS.map(|(x, y)| format!("({}, {y})", x.map_or("null".to_string(), |x| x.to_string())));
    let table = format!("(values {}) t(x, y)", rows.join(", "));
    for l in AGGREGATE_FUNCTIONS {
        let out = sql(&format!("select {} as v from {table}", l.example));
        assert_eq!(out, "v\ntrue\n", "{}", l.example);
    }
    for l in WINDOW_LISTING {
        let text = format!("select {} as v, y from {table} order by y", l.example);
        let out = sql(&text);
        let got = out.lines().skip(1).map(|line| match line.split(',').next() {
            Some("") | None => "NULL",
            Some(v) => v,
        });
        assert_eq!(got.collect::<Vec<_>>().join(", "), l.rows, "{}", l.example);
    }
    let shown = run(["functions"]).done().text().to_string();
    for l in AGGREGATE_FUNCTIONS.iter().chain(WINDOW_LISTING) {
        assert!(shown.contains(l.example), "{}", l.example);
    }
    for name in ["row_number", "fsum", "date_bin", "to_hours", "try_strptime"] {
        assert!(shown.contains(name), "{name}");
    }
}

#[test]
fn dates_are_what_clocks_show_already() {
    let zone = "'America/New_York'";
    assert_eq!(
        value(&format!("date_trunc('month', date '2024-03-01', {zone})")),
        "2024-03-01"
    );
    let midnight = "timestamp '2024-03-01 00:00:00'";
    assert_eq!(
        value(&format!("date_trunc('day', {midnight}, {zone})")),
        "2024-03-01T00:00:00"
    );
    let bucket = |x: &str, origin: &str| value(&format!("time_bucket('1 day', {x}, {origin}, {zone})"));
    assert_eq!(bucket("date '2024-03-01'", "null::date"), "2024-03-01");
    assert_eq!(bucket("date '2024-03-01'", "date '2024-01-01'"), "2024-03-01");
    assert_eq!(
        bucket("timestamp '2024-03-01 02:00:00'", "timestamp '2024-01-01'"),
        "2024-03-01T00:00:00"
    );
    // an origin that is a moment counts by the same clocks
    let moment = "timestamptz '2024-03-01 02:00:00Z'";
    assert_eq!(
        bucket(moment, "timestamptz '2024-01-01 05:00:00Z'"),
        "2024-02-29T05:00:00Z"
    );
    assert_eq!(bucket(moment, "timestamp '2024-01-01'"), "2024-02-29T05:00:00Z");
}

#[test]
fn dates_beyond_microseconds() {
    let far = "(date '2024-01-01' + 200000000)";
    assert_eq!(value(&format!("year({far})")), "549605");
    assert_eq!(value(&format!("dayname({far})")), "Friday");
    assert_eq!(value(&format!("year(last_day({far}))")), "549605");
    assert_eq!(value(&format!("epoch({far})")), "17281704067200.0");
    for (x, what) in [
        ("epoch_us(X)", "beyond what microseconds"),
        ("date_trunc('month', X)", "beyond what microseconds"),
        ("strftime(X, '%Y')", "beyond what microseconds"),
        ("median(X)", "beyond what microseconds"),
        ("cast(X as timestamp)", "to timestamp"),
        ("X < timestamp '2024-01-01'", "to timestamp"),
    ] {
        run(["sql", &format!("select {}", x.replace('X', far))])
            .failed(1)
            .says(&[what]);
    }
}

#[test]
fn what_cannot_be_cast_is_shown_with_advice_that_helps() {
    let long = format!("'{}'", "x".repeat(100));
    for (cast, what, help) in [
        (
            "300 as decimal(2,0)",
            "cannot cast 300 to decimal(2,0)",
            "more digits",
        ),
        (
            "1e300 as decimal(38,0)",
            "cannot cast 1e300 to decimal(38,0)",
            "more digits",
        ),
        (
            "12.5 as decimal(50,49)",
            "cannot cast 12.5 to decimal(50,49)",
            "more digits",
        ),
        (
            "'x' as decimal(50,2)",
            "cannot cast 'x' to decimal(50,2)",
            "nullif(x, 'x')",
        ),
        (
            "'n''a' as date",
            "cannot cast 'n'a' to date",
            "nullif(x, 'n''a') where",
        ),
        (
            "'12,5' as decimal(4,2)",
            "'12,5'",
            "cast(replace(x, ',', '.') AS decimal(4,2))",
        ),
        (
            "'1.5' as int",
            "'1.5' to int64",
            "cast(round(cast(x AS double)) AS int)",
        ),
        (&format!("{long} as int"), "to int64", "CASE WHEN"),
    ] {
        let ran = run(["sql", &format!("select cast({cast})")]).failed(1);
        let ran = ran.says(&[what, help]);
        for never in ["try_cast", "Invalid argument", "Overflowing"] {
            assert!(!ran.err.contains(never), "{cast}: {}", ran.err);
        }
    }
    let sum = run(["sql", "select '1.5' + 1"]).failed(1);
    let sum = sum.says(&["'1.5' is no int64", "computed", "without quotes"]);
    assert!(!sum.err.contains("compare"), "{}", sum.err);
}

#[test]
fn literals_in_other_bases_are_read_in_one_pass() {
    let took = |number: fn(u32) -> String| {
        let all: Vec<String> = (1..20_000).map(number).collect();
        let sql = format!("select 20000 in ({}) v", all.join(","));
        let f = Folder::new();
        let file = f.file("q.sql", &sql);
        let from = std::time::Instant::now();
        assert_eq!(run(["sql", "-f", &file]).done().text(), "v\nfalse\n");
        from.elapsed()
    };
    let plain = took(|n| n.to_string());
    let based = took(|n| format!("0x{n:x}"));
    // a pass for each of them takes a minute
    let most = plain * 20 + std::time::Duration::from_secs(5);
    assert!(based < most, "{based:?} against {plain:?}");
    assert_eq!(value("0x1F + 0b11 + 0o17"), "49");
    assert_eq!(value("x'1f'"), "\\x1F");
}

/// A text means the same interval in a literal and in a cast, or none in both.
#[test]
fn intervals_have_one_reading() {
    for (text, want) in [
        ("1.5 days", "1 day 12:00:00"),
        ("15min", "00:15:00"),
        ("P1Y2DT3H", "1 year 2 days 03:00:00"),
        ("2 centuries", "200 years"),
        ("0.0000001 seconds", "00:00:00.0000001"),
        ("3000000 hours", "125000 days"),
        ("1 month -1 day 01:02:03.5", "1 month -1 days 01:02:03.5"),
    ] {
        assert_eq!(value(&format!("interval '{text}'")), want, "{text}");
        assert_eq!(value(&format!("cast('{text}' as interval)")), want, "{text}");
    }
    for text in [
        "25:61",
        "1 fortnight",
        "2147483647 days 3000000 hours",
        "9999999999 years",
    ] {
        run(["sql", &format!("select interval '{text}'")])
            .failed(1)
            .says(&[text]);
        run(["sql", &format!("select cast('{text}' as interval)")])
            .failed(1)
            .says(&[text]);
    }
    let fine = "'2020-01-01'::timestamp_ns + interval '1 nanosecond'";
    assert_eq!(value(fine), "2020-01-01T00:00:00.000000001");
}

/// A text as the default of lag and lead is a value of the others' type.
#[test]
fn defaults_of_windows_are_literals() {
    let f = Folder::new();
    let file = f.file(
        "d.csv",
        "d,t,k\n2024-01-05,2024-01-05T10:00:00,1\n2024-01-06,2024-01-06T10:00:00,2\n",
    );
    let one = |call: &str| {
        let sql = format!("select {call} over (order by k) v from '{file}'");
        run(["sql", &sql]).done().text().replace('\n', " ")
    };
    for (call, want) in [
        ("lag(d, 1, '2024-01-01')", "v 2024-01-01 2024-01-05 "),
        (
            "lead(t, 1, '2024-01-01')",
            "v 2024-01-06T10:00:00 2024-01-01T00:00:00 ",
        ),
        ("lag(k, 1, '7')", "v 7 1 "),
        (
            "lag(cast(d as timestamp_ns), 1, '2024-01-01 00:00:00.000000001')",
            "v 2024-01-01T00:00:00.000000001 2024-01-05T00:00:00 ",
        ),
        ("lag(cast(k as text), 1, '7')", "v 7 1 "),
    ] {
        assert_eq!(one(call), want, "{call}");
    }
    for call in ["lag(d, 1, 'x')", "lag(k, 1, '1.5')"] {
        let sql = format!("select {call} over (order by k) v from '{file}'");
        run(["sql", &sql]).failed(1).says(&["of which lag is taken"]);
    }
    let with = "p=lag(d, 1, '2024-01-01') over (order by k)";
    let flag = run(["query", &file, "--with", with, "-s", "p"]).done();
    assert_eq!(flag.text(), "p\n2024-01-01\n2024-01-05\n");
}
