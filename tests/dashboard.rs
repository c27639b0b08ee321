//! `--dashboard` and `--profile FILE.html`: the real binary and a plain TCP client.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::live::{Live, PATIENCE, flights, read_all};
use common::{Folder, command, run};

/// Rows of which the question below takes seconds, in a build without optimisation as in one with it.
const ROWS: usize = if cfg!(debug_assertions) {
    1_000_000
} else {
    8_000_000
};

/// A question over flights that takes a while, in many tasks.
fn slow<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["query", file, "--blocksize", "64KiB", "--threads", "2", "-q"];
    args.extend([
        "--agg",
        "a = max(length(regexp_replace(upper(remark), '([0-9])([A-Z ]*)', '\\2\\1')))",
    ]);
    args.extend([
        "--groupby",
        "tail",
        "--median",
        "delay",
        "--dashboard=127.0.0.1:0",
    ]);
    args.extend(more);
    args
}

fn is_403(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 403 ")
}

#[test]
fn nothing_without_the_token() {
    let folder = Folder::new();
    let live = Live::start(&slow(&flights(&folder, ROWS), &[]));
    for path in [
        "/",
        "/events",
        "/favicon.ico",
        "/../etc/passwd",
        "/?token=",
        "/events?token=0123",
        "/cancel",
    ] {
        assert!(is_403(&live.ask("GET", path, "")), "{path}");
    }
    let wrong = format!("/?token={}", "0".repeat(32));
    assert!(is_403(&live.ask("GET", &wrong, "")));
    let origin = format!("Origin: http://{}\r\n", live.address());
    assert!(is_403(&live.ask("POST", "/cancel", &origin)));
    // with the token, but under a name that somebody made to point here
    let page = live.with_token("/");
    for host in [
        "Host: evil.example\r\n",
        "Host: evil.example:8787\r\n",
        "",
        "Host: localhost\r\nHost: evil.example\r\n",
    ] {
        assert!(is_403(&read_all(live.send_as("GET", &page, host))), "{host:?}");
    }
    // with the token, from another page
    for origin in [
        "",
        "Origin: null\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: http://127.0.0.1:1\r\n",
    ] {
        assert!(
            is_403(&live.ask("POST", &live.with_token("/cancel"), origin)),
            "{origin:?}"
        );
    }
    // only what is there
    assert!(
        live.ask("GET", &live.with_token("/x"), "")
            .starts_with("HTTP/1.1 404 ")
    );
    assert!(
        live.ask("POST", &live.with_token("/"), "")
            .starts_with("HTTP/1.1 405 ")
    );
    assert!(
        live.ask("GET", &live.with_token("/cancel"), "")
            .starts_with("HTTP/1.1 405 ")
    );
    // no request at all
    for rubbish in ["\r\n\r\n", "\0\u{1}\u{2}", "GET /\r\n\r\n", &"x".repeat(20_000)] {
        let mut s = TcpStream::connect(live.address()).unwrap();
        s.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = s.write_all(rubbish.as_bytes());
        let _ = s.shutdown(std::net::Shutdown::Write);
        assert_eq!(read_all(s), "", "{rubbish:.9}");
    }
    let ran = live.ended().done();
    assert!(
        ran.text().starts_with("tail,a,delay_median\n"),
        "nobody cancelled it: {:.100}",
        ran.text()
    );
}

#[test]
fn the_page_and_events_that_move() {
    let folder = Folder::new();
    let file = flights(&folder, ROWS);
    let live = Live::start(&slow(&file, &[]));
    let page = live.ask("GET", &live.with_token("/"), "");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page:.200}");
    for part in [
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "<!doctype html>",
        "EventSource",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let mut events = live.events();
    let (name, first) = events.next().unwrap();
    assert_eq!(
        (name.as_str(), first["format"].as_str()),
        ("snapshot", Some("ddf.profile/1"))
    );
    assert!(
        first["command"].as_str().unwrap().contains("--median"),
        "{}",
        first["command"]
    );
    let (mut done, mut grew, mut names, mut last) = (0, 0, Vec::new(), first);
    while let Some((name, data)) = events.next() {
        if name == "snapshot" {
            done = 0; // the run began anew
        }
        let of_stages: u64 = data["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["done"].as_u64().unwrap())
            .sum();
        if name == "update" && of_stages > done {
            (done, grew) = (of_stages, grew + 1);
        }
        names.push(name);
        last = data;
    }
    assert!(grew >= 2, "updates with more and more tasks: {grew} in {names:?}");
    assert_eq!(names.last().unwrap(), "end");
    assert_eq!(names.iter().filter(|n| *n == "end").count(), 1);
    assert_eq!(
        (&last["state"], &last["linger"]),
        (&"finished".into(), &false.into())
    );
    assert!(last["slowest"].as_array().unwrap().len() > 3);
    live.ended().done();
}

#[test]
fn what_was_seen_live_is_what_is_kept() {
    let folder = Folder::new();
    let (file, kept) = (flights(&folder, 300_000), folder.at("profile.json"));
    // the snapshot may come at any time; what came in pieces must add up to the profile
    let live = Live::start(&slow(&file, &["--linger", "--profile", &kept]));
    let mut events = live.events();
    let mut tasks = std::collections::BTreeMap::new();
    loop {
        let (name, data) = events.next().unwrap();
        if name == "snapshot" {
            tasks.clear();
        }
        for t in data["tasks"].as_array().unwrap() {
            let t: Vec<u64> = serde_json::from_value(t.clone()).unwrap();
            *tasks.entry(t[1]).or_insert(0) += t[7];
        }
        if name == "end" {
            assert_eq!(data["linger"], true);
            break;
        }
    }
    drop(events);
    live.ended().done();
    assert!(std::fs::metadata(&kept).unwrap().len() > 1000);
    let plain = command()
        .args(&slow(&file, &[])[..])
        .args(["--profile", &folder.at("p.html")])
        .output()
        .unwrap();
    assert!(plain.status.success());
    let html = std::fs::read_to_string(folder.at("p.html")).unwrap();
    let (_, rest) = html
        .split_once(r#"<script id="model" type="application/json">"#)
        .unwrap();
    let (model, _) = rest.split_once("</script>").unwrap();
    let model: serde_json::Value = serde_json::from_str(model).unwrap();
    // the same question has as many tasks in each stage that reads files
    let scans = model["stages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["inputs"] == serde_json::json!([]));
    for s in scans {
        assert_eq!(tasks[&s["id"].as_u64().unwrap()], s["tasks"].as_u64().unwrap());
    }
}

#[test]
fn cancelling_leaves_no_half_of_anything() {
    let folder = Folder::new();
    let (file, out) = (flights(&folder, ROWS), folder.at("out.csv"));
    std::fs::write(&out, "old\n").unwrap();
    let live = Live::start(&slow(&file, &["-o", &out]));
    let mut events = live.events();
    events.next().unwrap();
    let origin = format!("Origin: http://{}\r\n", live.address());
    let answer = live.ask("POST", &live.with_token("/cancel"), &origin);
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    // once more is no second Ctrl-C
    let _ =
        TcpStream::connect(live.address()).map(|_| live.ask("POST", &live.with_token("/cancel"), &origin));
    let mut last = String::new();
    while let Some((name, data)) = events.next() {
        last = format!("{name} {}", data["state"]);
    }
    assert_eq!(last, "end \"cancelled\"");
    live.ended().failed(130).says(&["interrupted"]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "old\n");
    assert_eq!(folder.names(), ["flights.csv", "out.csv"]);
}

#[test]
fn browsers_that_do_not_read_hold_nothing_up() {
    let folder = Folder::new();
    let file = flights(&folder, ROWS);
    let live = Live::start(&slow(&file, &[]));
    let path = live.with_token("/events");
    // as many as may be connected: some never read, some never finish what they ask, some vanish
    let deaf: Vec<TcpStream> = (0..6).map(|_| live.send("GET", &path, "")).collect();
    let half: Vec<TcpStream> = (0..6)
        .map(|_| {
            let mut s = TcpStream::connect(live.address()).unwrap();
            s.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            s
        })
        .collect();
    for _ in 0..40 {
        drop(live.send("GET", &path, ""));
    }
    // who comes when there is no room is turned away, and the others go on
    let ran = live.ended().done();
    assert!(ran.text().starts_with("tail,a,delay_median\n"));
    assert!(ran.err.lines().count() == 1, "{}", ran.err);
    drop((deaf, half));
}

#[test]
fn lingering_ends_with_the_page() {
    let folder = Folder::new();
    let file = flights(&folder, 1000);
    let mut live = Live::start(&slow(&file, &["--linger"]));
    // the query is long over, and yet there is a page
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        live.ask("GET", &live.with_token("/"), "")
            .starts_with("HTTP/1.1 200 ")
    );
    let mut events = live.events();
    while events.next().unwrap().0 != "end" {}
    std::thread::sleep(Duration::from_millis(2500));
    assert!(live.runs(), "while the page is open it stays");
    let origin = format!("Origin: http://{}\r\n", live.address());
    assert!(
        live.ask("POST", &live.with_token("/cancel"), &origin)
            .starts_with("HTTP/1.1 409 ")
    );
    drop(events);
    live.ended().done();
}

#[test]
fn lingering_ends_with_ctrl_c() {
    let folder = Folder::new();
    let file = flights(&folder, 1000);
    let live = Live::start(&slow(&file, &["--linger"]));
    let mut events = live.events();
    while events.next().unwrap().0 != "end" {}
    assert!(common::interrupted(live.id()));
    live.ended().done();
}

#[test]
fn addresses() {
    let folder = Folder::new();
    let file = folder.file("a.csv", "x\n1\n");
    run(["query", &file, "--count", "--dashboard=nonsense"])
        .failed(2)
        .says(&["--dashboard", "127.0.0.1:8787"]);
    run(["query", &file, "--count", "--linger"]).failed(2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("--dashboard={}", taken.local_addr().unwrap());
    run(["query", &file, "--count", &at])
        .failed(1)
        .says(&["cannot listen", "port 0"]);
    // an address may follow as a word of its own, and a file is none
    let ran = run(["query", "--dashboard", "127.0.0.1:0", &file, "--count"]).done();
    assert!(ran.err.starts_with("dashboard: http://127.0.0.1:"), "{}", ran.err);
    assert_eq!(ran.text(), "count\n1\n");
    let ran = run(["query", "--dashboard", &file, "--count"]).done();
    assert!(ran.err.contains("dashboard: http://127.0.0.1:"), "{}", ran.err);
    let two = [
        run(["query", &file, "--count", "--dashboard=:0"]).done(),
        run(["query", &file, "--count", "--dashboard=:0"]).done(),
    ];
    assert_ne!(two[0].err, two[1].err, "a new token each time");
    assert_eq!(run(["query", &file, "--count"]).done().err, "");
}

#[test]
fn the_default_port_may_be_taken() {
    // whoever has it, a second dashboard finds another one and says so
    let _mine = std::net::TcpListener::bind("127.0.0.1:8787");
    let folder = Folder::new();
    let file = folder.file("a.csv", "x\n1\n");
    let ran = run(["query", &file, "--count", "--dashboard"]).done();
    assert!(ran.err.contains("8787 is taken"), "{}", ran.err);
    assert!(
        !ran.err.contains("dashboard: http://127.0.0.1:8787/"),
        "{}",
        ran.err
    );
}

#[test]
fn several_statements_share_a_dashboard() {
    let folder = Folder::new();
    let file = flights(&folder, 2000);
    let text = format!(
        "SELECT count(*) FROM '{file}'; SELECT origin, avg(delay) FROM '{file}' GROUP BY 1 ORDER BY 1 LIMIT 1"
    );
    let live = Live::start(&["sql", &text, "--dashboard=:0", "--linger", "--csv"]);
    let mut events = live.events();
    let mut last = (String::new(), serde_json::Value::Null);
    let begun = Instant::now();
    while last.0 != "end" && begun.elapsed() < PATIENCE {
        last = events.next().unwrap();
    }
    assert_eq!(last.1["state"], "finished");
    drop(events);
    let ran = live.ended().done();
    assert!(ran.text().starts_with("count"), "{}", ran.text());
    assert_eq!(ran.err.matches("dashboard: ").count(), 1, "{}", ran.err);
}

#[test]
fn errors_are_seen_and_end_it() {
    let folder = Folder::new();
    let rows: String = (0..200_000).map(|i| format!("{i},{}\n", i % 7)).collect();
    let file = folder.file("bad.csv", format!("a,b\n{rows}1,2,3\n"));
    let live = Live::start(&[
        "query",
        &file,
        "--sum",
        "a",
        "--dashboard=:0",
        "--linger",
        "--blocksize",
        "64KiB",
    ]);
    let mut events = live.events();
    let end = loop {
        let (name, data) = events.next().unwrap();
        if name == "end" {
            break data;
        }
    };
    assert_eq!(end["state"], "failed");
    assert!(
        end["error"].as_str().unwrap().contains("too many fields"),
        "{}",
        end["error"]
    );
    drop(events);
    live.ended().failed(1).says(&["too many fields"]);
}

#[test]
fn a_profile_page_holds_the_run_and_is_whole_or_not_there() {
    let folder = Folder::new();
    let file = folder.file(
        "<script><b>.csv",
        "\"<img src=x onerror=alert(1)>\",\"</script>\u{2028}\"\n1,2\n3,4\n",
    );
    let page = folder.at("run.html");
    let ran = run([
        "query",
        &file,
        "--groupby",
        "\"</script>\u{2028}\"",
        "--count",
        "--profile",
        &page,
    ])
    .done();
    let html = std::fs::read_to_string(&page).unwrap();
    assert_eq!(html.matches("<img").count(), 0);
    assert_eq!(
        html.matches("</script>").count(),
        2,
        "the model's and the page's own"
    );
    let (_, rest) = html
        .split_once(r#"<script id="model" type="application/json">"#)
        .unwrap();
    let (model, _) = rest.split_once("</script>").unwrap();
    assert!(!model.contains('\u{2028}'));
    let model: serde_json::Value = serde_json::from_str(model).unwrap();
    assert_eq!(
        (&model["format"], &model["state"]),
        (&"ddf.profile/1".into(), &"finished".into())
    );
    assert!(
        model["plan"].as_str().unwrap().contains("</script>"),
        "{}",
        model["plan"]
    );
    assert!(ran.text().contains("\n2,1\n"), "{}", ran.text());
    // a folder that is not there
    let nowhere = folder.at("none/run.html");
    run(["query", &file, "--count", "--profile", &nowhere])
        .failed(1)
        .says(&["none/run.html"]);
}
