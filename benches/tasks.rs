//! What tasks cost that do next to nothing, and planning by the number of partitions:
//! `cargo bench --bench tasks`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ddf::frame::{Frame, Settings};
use ddf::graph::{Delayed, RunOptions, TaskGraph};
use ddf::kernel::Batch;
use ddf::observe::{Observer, TaskEnd};
use ddf::pipeline::{RunContext, Source, TaskContext};
use ddf::plan::Table;
use ddf::source::{Dataset, ScanRequest};

/// A table of so many partitions of one row each.
struct Tiny {
    schema: SchemaRef,
    partitions: usize,
}

struct One(Option<Batch>);

impl Source for One {
    fn next(&mut self, _cx: &TaskContext) -> ddf::Result<Option<Batch>> {
        Ok(self.0.take())
    }
}

impl Dataset for Tiny {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn open(self: Arc<Self>, part: usize, request: &ScanRequest) -> ddf::Result<Box<dyn Source>> {
        let column: arrow::array::ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![part as i64]));
        let batch = |columns: &[usize]| {
            let columns = columns.iter().map(|_| column.clone()).collect();
            Batch::new(columns, 1, (part as u64) << 40)
        };
        let kept = match &request.filter {
            Some(f) => f.mask(&batch(f.columns()))?.true_count() == 1,
            None => true,
        };
        Ok(Box::new(One(kept.then(|| batch(&request.columns)))))
    }
    fn bytes(&self) -> u64 {
        0
    }
    fn describe(&self, part: usize) -> String {
        format!("row {part}")
    }
    fn refine(self: Arc<Self>, _: &[usize], _: &RunContext) -> ddf::Result<Arc<dyn Dataset>> {
        Ok(self)
    }
    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

fn frame(partitions: usize) -> Frame {
    let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]));
    let table = Table {
        name: "tiny".into(),
        dataset: Arc::new(Tiny { schema, partitions }),
    };
    let settings = Settings {
        threads: 2,
        ..Settings::default()
    };
    Frame::from_table(table, settings)
}

fn tasks(c: &mut Criterion) {
    const TASKS: usize = 1_000_000;
    let mut group = c.benchmark_group("a million tasks");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(TASKS as u64));
    type Question = fn(Frame) -> ddf::Result<Frame>;
    let questions: [(&str, Question); 2] = [
        ("count rows", |f| f.agg(["count()"])),
        ("sum a column", |f| f.agg(["sum(x)"])),
    ];
    for (name, question) in questions {
        let f = question(frame(TASKS)).unwrap();
        group.bench_function(name, |b| b.iter(|| f.collect().unwrap().rows()));
    }
    // the last stage hands rows on in order
    let f = frame(TASKS).filter("x % 100000 = 0").unwrap();
    group.bench_function("few rows pass, in order", |b| {
        b.iter(|| f.collect().unwrap().rows())
    });
    let f = frame(TASKS);
    group.bench_function("all rows, in order", |b| b.iter(|| f.collect().unwrap().rows()));
    group.finish();
}

fn planning(c: &mut Criterion) {
    let mut group = c.benchmark_group("plan");
    for partitions in [10, 1_000, 1_000_000] {
        let f = frame(partitions)
            .groupby(["x % 7"])
            .unwrap()
            .agg(["count()"])
            .unwrap();
        group.bench_function(format!("{partitions} partitions"), |b| {
            b.iter(|| f.graph().unwrap())
        });
    }
    group.finish();
}

/// An observer that counts.
#[derive(Default)]
struct Counter(AtomicU64);

impl Observer for Counter {
    fn posttask(&self, _task: &TaskEnd) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A graph of empty tasks of one's own, and what is wanted of it.
fn own(shape: &str, n: usize) -> (TaskGraph, Vec<Delayed<()>>) {
    let mut g = TaskGraph::new();
    let wanted = match shape {
        "independent" => (0..n).map(|_| g.delayed("empty", |()| (), ())).collect(),
        "chain" => {
            let mut last = g.delayed("empty", |()| (), ());
            for _ in 1..n {
                last = g.delayed("empty", |_| (), last);
            }
            vec![last]
        }
        "tree" => {
            let leaves: Vec<_> = (0..n * 7 / 8).map(|_| g.delayed("leaf", |()| (), ())).collect();
            vec![g.tree_reduce("unite", 8, |_| (), &leaves)]
        }
        // each task depends on up to three of the hundred before it
        _ => {
            let mut all: Vec<Delayed<()>> = Vec::with_capacity(n);
            let mut state = 1u64;
            for i in 0..n {
                let mut near = || {
                    state = state
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    i.saturating_sub(1 + (state >> 33) as usize % 100)
                };
                all.push(match i {
                    0 => g.delayed("empty", |()| (), ()),
                    _ => {
                        let inputs = (all[near()], all[near()], all[near()]);
                        g.delayed("empty", |_| (), inputs)
                    }
                });
            }
            all.split_off(n - 100.min(n))
        }
    };
    (g, wanted)
}

fn own_tasks(c: &mut Criterion) {
    const TASKS: usize = 1_000_000;
    let mut group = c.benchmark_group("a million tasks of one's own");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(TASKS as u64));
    for shape in ["independent", "chain", "tree", "random"] {
        group.bench_function(format!("{shape}, built"), |b| b.iter(|| own(shape, TASKS)));
        let (g, wanted) = own(shape, TASKS);
        let ways = [
            ("sync", RunOptions::sync()),
            ("two threads", RunOptions::threads(2)),
            (
                "observed",
                RunOptions::threads(2).observed(Arc::new(Counter::default())),
            ),
        ];
        for (name, options) in ways {
            group.bench_function(format!("{shape}, {name}"), |b| {
                b.iter(|| g.compute_with(wanted.clone(), &options).unwrap())
            });
        }
    }
    group.finish();
}

criterion_group!(benches, tasks, own_tasks, planning);
criterion_main!(benches);
