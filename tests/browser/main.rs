//! The page in a real Chromium: live during a query that takes seconds, and as a file.
//!
//! Without Chromium and chromedriver these tests are left out, unless `DDF_TEST_BROWSER` is set, as CI
//! does. Pictures lie in the test's folder below `target/tmp/browser`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
mod webdriver;

use std::time::Duration;

use common::live::{Live, flights};
use common::{Folder, run};
use webdriver::Browser;

/// Rows of which a question takes seconds, in a build without optimisation as in one with it.
const ROWS: usize = if cfg!(debug_assertions) {
    3_000_000
} else {
    20_000_000
};

/// What is drawn on a canvas, as a text; empty where nothing is.
fn drawn(id: &str) -> String {
    format!(
        "(() => {{ const c = document.getElementById('{id}'); const blank = document.createElement('canvas');
           [blank.width, blank.height] = [c.width, c.height];
           return c.toDataURL() === blank.toDataURL() ? '' : c.toDataURL(); }})()"
    )
}

/// What every pane shows now.
fn panes(browser: &Browser) -> Vec<String> {
    let canvases = ["stream", "overview", "memory", "rate"]
        .map(|id| browser.run(&format!("return {}", drawn(id))).to_string());
    let texts = ["#facts", "#progress", "#operators", "#graph"].map(|id| browser.text(id));
    canvases.into_iter().chain(texts).collect()
}

#[track_caller]
fn console_is_empty(browser: &Browser) {
    let said = browser.console();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn the_dashboard_moves() {
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::new();
    let file = flights(&folder, ROWS);
    let args = [
        "query",
        &file,
        "--blocksize",
        "128KiB",
        "--threads",
        "2",
        "--memory",
        "96MiB",
        "--groupby",
        "tail,origin",
        "--median",
        "delay",
        "--agg",
        "a = max(length(regexp_replace(upper(remark), '([0-9])([A-Z ]*)', '\\2\\1')))",
        "--sort",
        "a:desc",
        "-n",
        "5",
        "--dashboard=127.0.0.1:0",
        "--linger",
    ];
    let mut live = Live::start(&args);
    browser.size(1400, 1000);
    browser.open(&live.url);
    browser.wait("document.querySelector('#state.running') && document.querySelector('.stage.running')");
    browser.wait("document.querySelectorAll('#operators tbody tr').length > 1");
    let before = panes(&browser);
    browser.picture("live-light-early");
    std::thread::sleep(Duration::from_millis(1500));
    let after = panes(&browser);
    for (i, (a, b)) in before.iter().zip(&after).enumerate() {
        assert!(a != b, "pane {i} stands still");
        assert!(b.len() > 2, "pane {i} is empty: {b}");
    }
    assert_eq!(
        browser.text("#state"),
        "running",
        "the query must take seconds for this test"
    );
    browser.picture("live-light");
    browser.scheme("dark");
    std::thread::sleep(Duration::from_millis(400));
    browser.picture("live-dark");
    let ground = browser.run("return getComputedStyle(document.documentElement).backgroundColor");
    assert_eq!(ground, "rgb(14, 17, 22)", "dark it is");
    console_is_empty(&browser);
    browser.wait("document.querySelector('#state.finished')");
    assert!(
        browser
            .run("return document.getElementById('cancel').hidden")
            .as_bool()
            .unwrap()
    );
    assert!(
        browser.text("#slowest").contains(" to "),
        "{}",
        browser.text("#slowest")
    );
    assert!(
        browser.text("#plan").to_lowercase().contains("aggregate"),
        "{}",
        browser.text("#plan")
    );
    browser.picture("live-dark-finished");
    console_is_empty(&browser);
    assert!(live.runs(), "it lingers");
    browser.close();
    let ran = live.ended().done();
    assert!(ran.text().starts_with("tail,origin,"), "{}", ran.text());
}

#[test]
fn the_button_cancels() {
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::new();
    let (file, out) = (flights(&folder, ROWS), folder.at("out.parquet"));
    let live = Live::start(&[
        "query",
        &file,
        "--threads",
        "2",
        "--sort",
        "remark:desc,tail",
        "-o",
        &out,
        "--memory",
        "64MiB",
        "--dashboard=:0",
    ]);
    browser.open(&live.url);
    browser.wait("document.querySelector('.stage.running')");
    browser.click("#cancel");
    assert_eq!(browser.text("#cancel"), "Really cancel?");
    browser.click("#cancel");
    browser.wait("document.querySelector('#state.cancelled')");
    console_is_empty(&browser);
    live.ended().failed(130);
    assert_eq!(folder.names(), ["flights.csv"]);
}

#[test]
fn a_profile_opens_from_a_file() {
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::new();
    let months = "testdata/nycflights/*.csv";
    let page = folder.at("run.html");
    let nasty = "\"</script><img src=x onerror=document.title=1>\u{2028}\" = DepDelay + 1";
    let args = [
        "query",
        months,
        "--with",
        nasty,
        "--groupby",
        "Origin,UniqueCarrier",
        "--mean",
        "DepDelay",
        "--max",
        "\"</script><img src=x onerror=document.title=1>\u{2028}\"",
        "--sort",
        "DepDelay_mean:desc",
        "--blocksize",
        "32KiB",
        "--profile",
        &page,
    ];
    run(args).done();
    let plain = folder.at("plain.html");
    run([
        "query",
        months,
        "--where",
        "Cancelled = 0",
        "--groupby",
        "Origin,UniqueCarrier",
        "--mean",
        "DepDelay",
        "--blocksize",
        "32KiB",
        "--profile",
        &plain,
    ])
    .done();
    for (width, height, scheme) in [
        (1400, 1000, "light"),
        (1400, 1000, "dark"),
        (360, 800, "light"),
        (768, 1000, "dark"),
        (2560, 1300, "light"),
    ] {
        browser.size(width, height);
        browser.scheme(scheme);
        for (name, file) in [("nasty", &page), ("file", &plain)] {
            browser.open(&format!("file://{file}"));
            browser.wait("document.querySelector('#state.finished') && document.querySelectorAll('#operators tbody tr').length > 1");
            let wide = browser.run("return document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{wide} at {width}");
            assert_eq!(browser.run("return document.querySelectorAll('img').length"), 0);
            assert!(
                browser
                    .run("return document.title")
                    .as_str()
                    .unwrap()
                    .starts_with("finished")
            );
            browser.picture(&format!("{name}-{width}-{scheme}"));
        }
        console_is_empty(&browser);
    }
    browser.open(&format!("file://{page}"));
    browser.wait("document.querySelector('#state.finished')");
    assert!(
        browser.text("#plan").contains("</script><img src=x"),
        "{}",
        browser.text("#plan")
    );
    // by keyboard alone
    browser.keys("#stream", "+n");
    browser.wait("document.getElementById('zoom-all').ariaPressed === 'false'");
    assert!(
        browser.text("#tip").contains("partition") && browser.text("#spoken").contains("rows"),
        "{}",
        browser.text("#tip")
    );
    browser.keys("#stream", "0");
    browser.wait("document.getElementById('zoom-all').ariaPressed === 'true'");
    // tables sort
    browser.click("#operators th:nth-child(3) button");
    assert_eq!(
        browser.run("return document.querySelector('#operators th:nth-child(3)').ariaSort"),
        "descending"
    );
    console_is_empty(&browser);
}
