//! `--profile`, `explain --analyze` and `graph`, by the real binary: the documents have their documented
//! shape, and what they count is what the run counted.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, Ran, command, interrupt_at_work, run};
use ddf::observe::{Model, StageState, State};
use serde_json::Value;

const FLIGHTS: &str = "testdata/nycflights/*.csv";

/// Runs a query with a profile; answers what it printed and the trace.
fn profiled(folder: &Folder, args: &[&str]) -> (Ran, Value) {
    let file = folder.at("run.json");
    let ran = run(args.iter().copied().chain(["--profile", &file]));
    (ran, json(&std::fs::read_to_string(file).unwrap()))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text:.300}"))
}

fn model(trace: &Value) -> Model {
    serde_json::from_value(trace["ddf"].clone()).unwrap()
}

/// The number after `what` in the line of `--stats`.
fn stat(err: &str, what: &str) -> u64 {
    let line = err.lines().find(|l| l.contains("peak reserved")).unwrap();
    let rest = &line[line.find(what).unwrap() + what.len()..];
    rest.trim().split([' ', ',']).next().unwrap().parse().unwrap()
}

/// What holds for the model of every run that ended well.
fn holds_together(m: &Model) {
    assert_eq!((m.format.as_str(), m.state), ("ddf.profile/1", State::Finished));
    assert!(
        m.command.starts_with("ddf ") && m.plan.to_lowercase().contains("scan"),
        "{m:?}"
    );
    assert!(m.started.len() == 20 && m.started.ends_with('Z'), "{}", m.started);
    for (i, s) in m.stages.iter().enumerate() {
        assert_eq!(
            (s.id, s.state, Some(s.done)),
            (i, StageState::Done, s.tasks),
            "{s:?}"
        );
        assert!(s.begin.unwrap() <= s.end.unwrap() && s.end.unwrap() <= m.elapsed + 1e-3);
        assert!(s.operators.len() >= 2);
        for pair in s.operators.windows(2) {
            assert_eq!(pair[0].rows_out, pair[1].rows_in, "{s:?}");
        }
        assert_eq!(s.operators.last().unwrap().rows_out, s.rows_out);
        let rows = m.tasks.iter().filter(|t| t.stage as usize == i);
        assert_eq!(rows.map(|t| t.count).sum::<u64>(), s.done);
    }
    for t in &m.tasks {
        assert!((t.thread as usize) < m.threads && t.begin_us <= t.end_us);
        assert!(t.end_us as f64 / 1e6 <= m.elapsed + 1e-3);
    }
    assert!(m.samples.windows(2).all(|w| w[0].seconds <= w[1].seconds));
    assert!(m.samples.last().unwrap().resident > 1 << 20);
}

#[test]
fn a_profile_counts_what_the_run_counted() {
    let folder = Folder::new();
    let questions: [&[&str]; 4] = [
        &[
            "query",
            FLIGHTS,
            "-g",
            "Origin,Dest",
            "--mean",
            "DepDelay",
            "--count",
        ],
        &[
            "query",
            FLIGHTS,
            "-w",
            "DepDelay > 60",
            "--sort",
            "DepDelay:desc,TailNum",
            "--csv",
        ],
        &[
            "join",
            FLIGHTS,
            "testdata/nycflights/*.parquet",
            "--on",
            "FlightNum,Origin,Dest,Year,Month,DayofMonth",
            "-g",
            "Origin",
            "--count",
        ],
        &[
            "sql",
            "SELECT Dest, count(DISTINCT TailNum) n FROM 'testdata/nycflights/*.parquet' WHERE Month < 6 GROUP BY 1 ORDER BY n DESC LIMIT 5",
        ],
    ];
    for question in questions {
        for threads in ["1", "3"] {
            let args = [
                question,
                &["--threads", threads, "--stats", "--blocksize", "64KiB"],
            ]
            .concat();
            let (ran, trace) = profiled(&folder, &args);
            let ran = ran.done();
            let m = model(&trace);
            holds_together(&m);
            assert_eq!(m.threads.to_string(), threads);
            assert!(m.command.contains("--blocksize 64KiB"), "{}", m.command);
            assert_eq!(
                m.stages.iter().map(|s| s.done).sum::<u64>(),
                stat(&ran.err, "tasks ")
            );
            let scans = m.stages.iter().filter(|s| s.name.starts_with("scan "));
            let read: u64 = scans.clone().map(|s| s.operators[0].rows_in).sum();
            assert_eq!(read, stat(&ran.err, "read "), "{}", ran.err);
            assert_eq!(scans.clone().map(|s| s.rows_in).sum::<u64>(), read);
            let filtered = question.contains(&"-w");
            assert_eq!(
                scans.clone().any(|s| s.operators[0].rows_out < s.rows_in),
                filtered,
                "{question:?}"
            );
            assert_eq!(m.stages.last().unwrap().rows_out, stat(&ran.err, "rows "));
            // the same bytes as without a profile
            assert_eq!(run(args).done().out, ran.out);
        }
    }
}

#[test]
fn a_trace_has_a_row_for_each_thread_and_counters() {
    let folder = Folder::new();
    let (ran, trace) = profiled(
        &folder,
        &["query", FLIGHTS, "-g", "Dest", "--median", "ArrDelay", "-j", "2"],
    );
    ran.done();
    let m = model(&trace);
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |ph: &'static str| events.iter().filter(move |e| e["ph"] == ph);
    let threads: Vec<&str> = of("M")
        .filter(|e| e["name"] == "thread_name")
        .map(|e| e["args"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(threads, ["stages", "thread 0", "thread 1"]);
    let tasks: Vec<&Value> = of("X").filter(|e| e["cat"] == "task").collect();
    assert_eq!(tasks.len(), m.tasks.len());
    for t in tasks {
        assert!(t["ts"].is_u64() && t["dur"].is_u64() && t["tid"].as_u64().unwrap() > 0);
        assert!(t["args"]["rows"].is_u64() && t["args"]["part"].is_u64(), "{t}");
    }
    assert_eq!(of("X").filter(|e| e["cat"] == "stage").count(), m.stages.len());
    assert_eq!(of("C").filter(|e| e["name"] == "memory").count(), m.samples.len());
}

#[test]
fn the_slowest_partitions_say_what_they_read() {
    let folder = Folder::new();
    let (_, trace) = profiled(
        &folder,
        &["query", FLIGHTS, "--count=DepDelay", "--blocksize", "100KiB"],
    );
    let m = model(&trace);
    assert!(!m.slowest.is_empty() && m.slowest.len() <= 10);
    let scanned: Vec<_> = m.slowest.iter().filter(|s| s.stage == 0).collect();
    assert!(!scanned.is_empty());
    for s in scanned {
        let (file, bytes) = s.what.split_once(", bytes ").unwrap_or_else(|| panic!("{s:?}"));
        let (from, to) = bytes.split_once(" to ").unwrap();
        let size = std::fs::metadata(file).unwrap().len();
        let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
        assert!(from < to && to <= size, "{s:?}");
        assert!(
            s.again
                .as_ref()
                .unwrap()
                .contains(&format!("--partition {} ", s.part))
        );
    }
    let (_, trace) = profiled(
        &folder,
        &["query", "testdata/nycflights/*.parquet", "--max", "DepDelay"],
    );
    assert!(
        model(&trace)
            .slowest
            .iter()
            .any(|s| s.what.contains(".parquet, row group"))
    );
}

#[test]
fn a_run_that_fails_leaves_a_profile_that_says_so() {
    let folder = Folder::new();
    let (ran, trace) = profiled(
        &folder,
        &["query", FLIGHTS, "--with", "x = cast(Dest as int)", "--sum", "x"],
    );
    ran.failed(1);
    let m = model(&trace);
    assert_eq!((m.state, m.stages[0].state), (State::Failed, StageState::Failed));
    assert!(m.error.as_ref().unwrap().contains("cannot"), "{:?}", m.error);
    // before it began
    let missing = folder.at("nothing/run.json");
    run(["query", FLIGHTS, "--count", "--profile", &missing]).failed(1);
    run(["query", FLIGHTS, "--count", "--profile", "x.exe"])
        .failed(2)
        .says(&[".html", ".json"]);
}

/// Ten thousand rows of long texts that nothing compresses.
fn wide(folder: &Folder) -> String {
    let mut random = common::Random(7);
    let mut text = String::from("k,a,b,c\n");
    for _ in 0..400_000 {
        let r = [random.next(), random.next(), random.next()];
        text += &format!("{},{:016x},{:016x},{}\n", r[0] % 1_000_000, r[1], r[2], r[0]);
    }
    folder.file("wide.csv", text)
}

#[test]
fn spilling_is_shown_where_it_happens() {
    let folder = Folder::new();
    let file = wide(&folder);
    let args = [
        "query",
        &file,
        "--sort",
        "a,k",
        "--memory",
        "24MiB",
        "--stats",
        "-o",
        &folder.at("out.csv"),
    ];
    let (ran, trace) = profiled(&folder, &args);
    let ran = ran.done();
    let m = model(&trace);
    holds_together(&m);
    let sort = m.stages[0].operators.last().unwrap();
    assert!(
        sort.name.contains("sort") && sort.spilled > 0 && sort.peak_reserved > 0,
        "{sort:?}"
    );
    let of_operators: u64 = m
        .stages
        .iter()
        .flat_map(|s| &s.operators)
        .map(|o| o.spilled)
        .sum();
    assert_eq!(of_operators, m.stages.iter().map(|s| s.spilled).sum::<u64>());
    let last = m.samples.last().unwrap();
    assert_eq!(last.spilled_total, of_operators);
    assert!(
        m.samples.iter().all(|s| s.reserved <= m.memory_limit.unwrap()),
        "{}",
        ran.err
    );
    assert_eq!(m.memory_limit, Some(24 << 20));

    let out = run([
        "explain",
        "--analyze",
        &file,
        "--sort",
        "a,k",
        "--memory",
        "24MiB",
    ])
    .done();
    let line = out
        .text()
        .lines()
        .find(|l| l.contains("sort into runs"))
        .unwrap()
        .to_string();
    assert!(
        out.text().lines().next().unwrap().trim_end().ends_with("spilled"),
        "{}",
        out.text()
    );
    assert!(line.ends_with("iB"), "{line}");
}

#[test]
fn explain_analyze_shows_every_operator_as_text_and_as_json() {
    let question = [FLIGHTS, "-w", "Month = 1", "-g", "Origin", "--mean", "DepDelay"];
    let text = run(["explain", "--analyze"].into_iter().chain(question)).done();
    let lines: Vec<&str> = text.text().lines().collect();
    assert!(
        lines[0].contains("rows in") && lines[0].contains("time"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("stage 0: "), "{lines:?}");
    assert!(
        lines[2].starts_with("├ scan ") && lines[2].contains("where"),
        "{lines:?}"
    );
    assert!(lines.last().unwrap().starts_with("total: 3 rows, "), "{lines:?}");

    let out = run(["explain", "--analyze", "--format", "json"]
        .into_iter()
        .chain(question))
    .done();
    let by_flags: Model = serde_json::from_str(out.text()).unwrap();
    holds_together(&by_flags);
    let sql = format!("SELECT Origin, avg(DepDelay) FROM '{FLIGHTS}' WHERE Month = 1 GROUP BY 1 ORDER BY 1");
    let rows = |m: &Model| -> Vec<(u64, u64)> { m.stages.iter().map(|s| (s.rows_in, s.rows_out)).collect() };
    for args in [
        vec![
            "explain".to_string(),
            "--analyze".into(),
            "--json".into(),
            "--sql".into(),
            sql.clone(),
        ],
        vec![
            "sql".to_string(),
            "--json".into(),
            format!("EXPLAIN ANALYZE {sql}"),
        ],
    ] {
        let by_sql: Model = serde_json::from_str(run(args).done().text()).unwrap();
        assert_eq!(rows(&by_sql)[0], rows(&by_flags)[0]);
        assert_eq!(by_sql.stages.last().unwrap().rows_out, 3);
    }
    run(["explain", "--analyze", "--format", "csv", FLIGHTS, "--count"]).failed(2);
}

/// The keys of a JSON object.
fn keys(v: &Value) -> Vec<&str> {
    v.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Every field that the documentation names in a table, by the heading above it.
fn documented(heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(common::testdata("../docs/graph.md")).unwrap();
    let section = text
        .split(&format!("\n## {heading}\n"))
        .nth(1)
        .unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let field = |l: &str| Some(l.strip_prefix("| `")?.split('`').next()?.to_string());
    let mut all: Vec<String> = section.lines().filter_map(field).collect();
    all.sort();
    all
}

#[test]
fn documents_have_the_fields_that_are_documented() {
    let question = [
        FLIGHTS,
        "-g",
        "Origin",
        "--mean",
        "DepDelay",
        "--blocksize",
        "64KiB",
    ];
    let plan = json(run(["graph", "--json"].into_iter().chain(question)).done().text());
    let ran = json(
        run(["graph", "--format", "json", "--color-by", "rows"]
            .into_iter()
            .chain(question))
        .done()
        .text(),
    );
    let model = json(
        run(["explain", "--analyze", "--json"].into_iter().chain(question))
            .done()
            .text(),
    );
    for g in [&plan, &ran] {
        assert_eq!(g["format"], "ddf.graph/1");
        assert_eq!(keys(g), documented("ddf.graph/1"));
        for s in g["stages"].as_array().unwrap() {
            assert_eq!(keys(s), documented("A stage of a graph"));
        }
        assert_eq!(
            keys(&g["stages"][0]["parts"][0]),
            documented("A square of a graph")
        );
    }
    assert_eq!(
        (&plan["color_by"], &ran["color_by"]),
        (&Value::Null, &Value::from("rows"))
    );
    assert_eq!(
        (&plan["stages"][0]["heat"], &ran["stages"][0]["heat"]),
        (&Value::Null, &Value::from(1.0))
    );
    assert_eq!(keys(&model), documented("ddf.profile/1"));
    let stage = &ran["stages"][0]["run"];
    assert_eq!(keys(stage), documented("A stage of a run"));
    assert_eq!(keys(&model["stages"][0]), keys(stage));
    assert_eq!(keys(&stage["operators"][0]), documented("An operator of a run"));
    assert_eq!(keys(&model["slowest"][0]), documented("A slow task"));
    let sum: f64 = ran["stages"][0]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["value"].as_f64().unwrap())
        .sum();
    assert!((sum - ran["stages"][0]["value"].as_f64().unwrap()).abs() < 1e-3);
    assert!(ran["stages"][0]["parts"].as_array().unwrap().len() <= 48);
}

#[test]
fn graphs_are_drawn_in_every_form_before_and_after_a_run() {
    let folder = Folder::new();
    let question = [FLIGHTS, "-g", "Origin", "--mean", "DepDelay"];
    for (flags, colored) in [
        (&[][..], false),
        (&["--color-by", "time"], true),
        (&["--color", "time"], true),
    ] {
        for kind in ["svg", "dot", "json", "txt"] {
            let file = folder.at(&format!("g.{kind}"));
            let args = ["graph", "-o", &file];
            run(args.into_iter().chain(question).chain(flags.iter().copied()))
                .done()
                .quietly();
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.contains("scan"), "{text}");
            match kind {
                "svg" => {
                    assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
                    assert!(text.contains("prefers-color-scheme:dark"));
                    assert_eq!(text.contains("colour: time of all threads"), colored);
                    balanced(&text);
                }
                "dot" => assert!(text.starts_with("digraph ddf {") && text.contains("s0 -> s1")),
                "json" => assert_eq!(json(&text)["color_by"].is_null(), !colored),
                _ => assert_eq!(text.contains('█'), colored, "{text}"),
            }
        }
    }
    // beside a query, its rows as ever
    let file = folder.at("after.svg");
    let plain = run(["query"].into_iter().chain(question)).done();
    let ran = run(["query"]
        .into_iter()
        .chain(question)
        .chain(["--graph", &file, "--color-by", "memory"]))
    .done();
    assert_eq!(ran.out, plain.out);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("most memory reserved")
    );
    run(["query", FLIGHTS, "--count", "--color", "time"])
        .failed(2)
        .says(&["--color-by"]);
    run(["query", FLIGHTS, "--count", "--color-by", "time"])
        .failed(2)
        .says(&["--graph"]);
    run(["graph", FLIGHTS, "--count", "-o", "g.png"])
        .failed(2)
        .says(&[".svg"]);
}

/// Every element of an XML text is closed by its own name.
fn balanced(text: &str) {
    let mut open = Vec::new();
    for tag in text.split('<').skip(1).map(|t| t.split('>').next().unwrap()) {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn many_stages_are_few_boxes() {
    let folder = Folder::new();
    let part = "SELECT Origin, count(*) n FROM 'testdata/nycflights/*.csv' GROUP BY 1";
    let sql = (0..60)
        .map(|i| format!("{part} HAVING count(*) > {i}"))
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    let (svg, all) = (folder.at("many.svg"), folder.at("many.json"));
    run(["graph", "--sql", &sql, "-o", &svg]).done();
    run(["graph", "--sql", &sql, "-o", &all]).done();
    let stages = json(&std::fs::read_to_string(all).unwrap())["stages"]
        .as_array()
        .unwrap()
        .len();
    let text = std::fs::read_to_string(svg).unwrap();
    balanced(&text);
    let boxes = text.matches("class=\"box\"").count();
    assert!(stages > 60 && boxes < 12, "{stages} stages, {boxes} boxes");
    assert!(
        text.contains("59 × ") || text.contains("60 × "),
        "a stack says how many it holds"
    );
}

#[test]
fn a_million_tasks_are_a_small_profile() {
    // partitions of 64 bytes, some hundred thousand of them
    let folder = Folder::new();
    let mut text = String::from("a,b\n");
    for i in 0..300_000 {
        text += &format!("{i},{}\n", i % 7);
    }
    let file = folder.file("tiny.csv", text);
    let (ran, trace) = profiled(
        &folder,
        &[
            "query",
            &file,
            "--sum",
            "b",
            "--blocksize",
            "64",
            "-j",
            "2",
            "--stats",
        ],
    );
    let ran = ran.done();
    let m = model(&trace);
    holds_together(&m);
    assert!(stat(&ran.err, "tasks ") > 40_000, "{}", ran.err);
    assert!(m.tasks.len() < 2 * 2048, "{}", m.tasks.len());
    let size = std::fs::metadata(folder.at("run.json")).unwrap().len();
    assert!(size < 4 << 20, "{size}");
}

#[test]
fn an_interrupted_run_is_cancelled_in_its_profile() {
    let folder = Folder::new();
    let file = wide(&folder);
    let profile = folder.at("cut.json");
    let regex = "regexp_replace(regexp_replace(a, '([0-9])([a-f])', '\\2\\1', 'g'), '(.)(.)', '\\2\\1', 'g')";
    let many: Vec<String> = (0..40)
        .map(|i| format!("x{i} = {}", regex.replace("a,", &format!("concat(a,b,c,'{i}'),"))))
        .collect();
    let mut args = vec![
        "query".to_string(),
        file,
        "-j".into(),
        "1".into(),
        "--profile".into(),
        profile.clone(),
    ];
    args.extend(
        many.iter()
            .flat_map(|m| ["--agg".to_string(), m.replacen("= ", "= max(", 1) + ")"]),
    );
    let mut child = command()
        .args(&args)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    if !interrupt_at_work(&mut child) {
        return; // no such program here
    }
    let status = child.wait().unwrap();
    let m = model(&json(&std::fs::read_to_string(&profile).unwrap()));
    assert_eq!(
        (status.code(), m.state),
        (Some(130), State::Cancelled),
        "{:?}",
        m.error
    );
}
