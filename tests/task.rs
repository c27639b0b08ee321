//! Every task of a query in a process of its own, through `ddf __task`, gives the same bytes.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

fn ddf(args: &[&str], stdin: &[u8]) -> Vec<u8> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ddf"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "ddf {args:?}");
    out.stdout
}

fn task(graph: &Value, more: Value) -> Vec<u8> {
    let mut request = more;
    request["graph"] = graph.clone();
    request["threads"] = json!(1);
    ddf(&["__task"], request.to_string().as_bytes())
}

/// Runs a query task by task; answers its rows and the number of tasks.
fn by_tasks(dir: &Path, query: &[&str]) -> (Vec<u8>, usize) {
    let plan = [&["plan"], query].concat();
    let graph: Value = serde_json::from_slice(&ddf(&plan, b"")).unwrap();
    assert_eq!(graph["format"], "ddf.taskgraph/1");
    let (mut left, mut count) = (Vec::<Vec<PathBuf>>::new(), 0);
    for stage in graph["stages"].as_array().unwrap() {
        let id = &stage["id"];
        let number = |v: &Value| v.as_u64().map(|n| n as usize);
        let source = &stage["source"];
        let several = source["inputs"].as_array().into_iter().flatten();
        let inputs: Vec<&PathBuf> = several
            .chain([&source["input"]])
            .filter_map(number)
            .flat_map(|i| &left[i])
            .collect();
        let transforms = stage["transforms"].as_array().unwrap();
        let builds: BTreeMap<String, &Vec<PathBuf>> = transforms
            .iter()
            .filter_map(|t| number(&t["build"]))
            .map(|b| (b.to_string(), &left[b]))
            .collect();
        let request = json!({"stage": id, "inputs": inputs, "builds": builds});
        let answer: Value = serde_json::from_slice(&task(&graph, request.clone())).unwrap();
        let tasks = answer["tasks"].as_u64().unwrap() as usize;
        let run = |t: usize| {
            let path = dir.join(format!("{id}-{t}"));
            let mut request = request.clone();
            request["task"] = json!(t);
            std::fs::write(&path, task(&graph, request)).unwrap();
            path
        };
        let outputs: Vec<PathBuf> = (0..tasks).map(run).collect();
        left.push(outputs);
        count += tasks;
    }
    (task(&graph, json!({"inputs": left.last()})), count)
}

#[test]
fn tasks_in_processes_of_their_own_give_the_same_bytes() {
    let csv = "testdata/nycflights/2013-0[1-3].csv";
    let parquet = "testdata/nycflights/2013-0[1-3].parquet";
    let queries: &[&[&str]] = &[
        &[
            csv,
            "--blocksize",
            "100000",
            "-g",
            "Origin",
            "--mean",
            "DepDelay",
            "--median",
            "ArrDelay",
            "--nunique",
            "Dest",
        ],
        &[
            parquet,
            "--sort",
            "DepDelay:desc,FlightNum",
            "-n",
            "7",
            "--offset",
            "2",
        ],
        &[
            csv,
            "-w",
            "Origin = 'JFK' AND DepDelay > 200",
            "-s",
            "Month,DepDelay,TailNum",
        ],
        &[
            csv,
            "-g",
            "UniqueCarrier,Dest",
            "--count",
            "--std",
            "ArrDelay",
            "--sort",
            "count:desc",
            "-n",
            "5",
        ],
        &[
            csv,
            "testdata/nycflights/2013-04.parquet",
            "-w",
            "DepDelay > 100",
            "-g",
            "Month",
            "--count",
        ],
        &[
            csv,
            "-w",
            "DepDelay > 200",
            "--join",
            "testdata/nycflights/2013-04.csv",
            "--on",
            "TailNum,Dest",
            "--how",
            "full",
            "-s",
            "TailNum,Dest,DepDelay,DepDelay_right,Month_right",
            "-n",
            "3000",
        ],
        &[
            csv,
            "-w",
            "DepDelay > 150",
            "--join",
            "testdata/nycflights/2013-04.csv",
            "--on",
            "Origin,DayofMonth",
            "--how",
            "asof",
            "--tolerance",
            "3",
            "-s",
            "Origin,DepDelay,DepDelay_right,DayofMonth_right",
        ],
        &[
            csv,
            "-w",
            "DepDelay > 60",
            "--with",
            "r = rank() over (partition by Origin order by DepDelay desc)",
            "--with",
            "m = avg(ArrDelay) over (order by Month, FlightNum, TailNum rows 5 preceding exclude current row)",
            "-s",
            "Origin,FlightNum,r,m",
        ],
    ];
    for query in queries {
        let dir = tempfile::tempdir().unwrap();
        let (rows, tasks) = by_tasks(dir.path(), query);
        let whole = ddf(&[&["query"], *query].concat(), b"");
        assert_eq!(
            String::from_utf8(rows).unwrap(),
            String::from_utf8(whole).unwrap(),
            "{query:?}"
        );
        assert!(tasks >= 3, "{tasks} tasks");
    }
}
