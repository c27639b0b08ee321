//! What tasks cost that do next to nothing, and planning by the number of partitions:
//! `cargo bench --bench tasks`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ddf::frame::{Frame, Settings};
use ddf::kernel::Batch;
use ddf::pipeline::{RunContext, Source, TaskContext};
use ddf::plan::Table;
use ddf::source::{Dataset, Refine, ScanRequest};

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
    fn refine(self: Arc<Self>, _: &[usize], _: Refine, _: &RunContext) -> ddf::Result<Arc<dyn Dataset>> {
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

criterion_group!(benches, tasks, planning);
criterion_main!(benches);
