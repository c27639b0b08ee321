//! What `explain --pressure` shows: it follows threads, blocks and the limit, and never the number of
//! partitions.

#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use ddf::Frame;
use ddf::frame::Settings;
use ddf::pipeline::{RunContext, Source};
use ddf::plan::Table;
use ddf::source::{Dataset, ScanRequest};
use proptest::prelude::*;

const BLOCK: u64 = 4 << 20;

/// A table that is never read.
struct Parts {
    schema: SchemaRef,
    partitions: usize,
}

impl Dataset for Parts {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn open(self: Arc<Self>, _: usize, _: &ScanRequest) -> ddf::Result<Box<dyn Source>> {
        Err(ddf::Error::defect("not here"))
    }
    fn bytes(&self) -> u64 {
        BLOCK * self.partitions as u64
    }
    fn describe(&self, part: usize) -> String {
        format!("block {part}")
    }
    fn refine(self: Arc<Self>, _: &[usize], _: &RunContext) -> ddf::Result<Arc<dyn Dataset>> {
        Ok(self)
    }
    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

fn table(partitions: usize, settings: &Settings) -> Frame {
    let columns = [
        ("k", DataType::Int64),
        ("v", DataType::Float64),
        ("t", DataType::Utf8View),
    ];
    let fields: Vec<Field> = columns.into_iter().map(|(n, t)| Field::new(n, t, true)).collect();
    let dataset = Arc::new(Parts {
        schema: Arc::new(Schema::new(fields)),
        partitions,
    });
    let table = Table {
        name: "table".into(),
        dataset,
    };
    Frame::from_table(table, settings.clone())
}

/// Steps of a query; all leave the columns k, v and t.
fn step(f: Frame, step: usize, other: Frame) -> Frame {
    match step {
        0 => f.filter("v > 3").unwrap(),
        1 => f.sort(["v:desc", "k"]).unwrap(),
        2 => f.sort(["v"]).unwrap().limit(0, Some(10)).unwrap(),
        3 => f
            .groupby(["k"])
            .unwrap()
            .agg(["v = sum(v)", "t = max(t)"])
            .unwrap(),
        4 => f.distinct().unwrap(),
        5 => f.join(other, ["k"], ddf::How::Semi).unwrap(),
        6 => f.limit(5, Some(100)).unwrap(),
        _ => f
            .groupby(["t"])
            .unwrap()
            .agg(["k = count()", "v = mean(v)"])
            .unwrap()
            .select(["k", "v", "t"])
            .unwrap(),
    }
}

proptest! {
    #[test]
    fn it_does_not_grow_with_the_number_of_partitions(
        steps in prop::collection::vec(0..8usize, 0..6),
        threads in 1..9usize,
        memory in (64usize << 20)..(8 << 30),
        few in 1..20usize,
        more in 2..100_000usize,
    ) {
        let settings = Settings { threads, memory, ..Settings::default() };
        let shown = |partitions: usize| {
            let mut f = table(partitions, &settings);
            for s in &steps {
                f = step(f, *s, table(partitions, &settings));
            }
            f.pressure().unwrap()
        };
        let (a, b) = (shown(few), shown(few * more));
        prop_assert_eq!(a.text(), b.text());
        prop_assert!(a.most() > 0);
        for s in &a.stages {
            // what it holds whatever the data are is some blocks, batches and waiting rows for each thread
            let own = a.threads as u64 * (16 << 20) * (1 + s.held.len() as u64) + a.limit / 8;
            prop_assert!(s.fixed() <= own, "{}", a.text());
            prop_assert!(s.most(a.limit) <= a.limit.max(s.fixed()));
        }
        // more threads hold more blocks
        let twice = Settings { threads: 2 * threads, memory: 2 * memory, ..settings.clone() };
        let of = |s: &Settings| table(few, s).agg(["sum(v)"]).unwrap().pressure().unwrap().stages[0].fixed();
        if twice.threads() > settings.threads() {
            prop_assert!(of(&twice) > of(&settings));
        }
    }
}

#[test]
fn it_can_be_typed() {
    let ask = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ddf"));
        command.args([
            "explain",
            "--pressure",
            "testdata/nycflights/*.csv",
            "--memory",
            "1GiB",
            "-j",
            "2",
        ]);
        let out = command
            .args(["-g", "Origin", "--mean", "DepDelay"])
            .args(more)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8(out.stderr).unwrap());
        String::from_utf8(out.stdout).unwrap()
    };
    let text = ask(&[]);
    for line in [
        "2 threads, memory limit 1.0 GiB",
        "stage 0  scan *.csv ► aggregate",
        "  2 × a block of 512.0 KiB: 1.0 MiB",
        "  groups, a table for each thread: up to 1.0 GiB, then on disk",
        "  rows of stage 0: within the limit, else on disk",
        "at most: 1.0 GiB",
    ] {
        assert!(text.lines().any(|l| l == line), "{line:?} in\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    assert_eq!(
        (json["threads"].as_u64(), json["stages"][0]["stage"].as_u64()),
        (Some(2), Some(0))
    );
}
