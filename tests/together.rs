//! Several frames in one run: the answers are those of each by itself, and what they share is read once.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow::array::RecordBatch;
use ddf::Frame;
use ddf::frame::{Rows, Settings};
use ddf::graph::{Graph, Scheduler, StageSink, StageSource, TaskGraph};
use ddf::observe::{Observer, StagePlan, TaskEnd};
use ddf::source::ReadOptions;

const CSV: &str = "testdata/nycflights/*.csv";
const PARQUET: &str = "testdata/nycflights/*.parquet";

fn read(input: &str, settings: &Settings) -> Frame {
    let options = ReadOptions {
        blocksize: Some(100_000),
        ..ReadOptions::default()
    };
    Frame::read_with([input], &options, settings.clone()).unwrap()
}

fn threads(n: usize) -> Settings {
    Settings {
        threads: n,
        ..Settings::default()
    }
}

/// The rows as one batch.
fn whole(rows: &Rows) -> RecordBatch {
    arrow::compute::concat_batches(&rows.schema, &rows.batches).unwrap()
}

/// Questions of all kinds of sinks, with and without filters.
fn questions(f: &Frame) -> Vec<Frame> {
    let f = || f.clone();
    vec![
        f().groupby(["Origin"])
            .unwrap()
            .agg(["mean(DepDelay)", "median(ArrDelay)"])
            .unwrap(),
        f().filter("Cancelled = 0")
            .unwrap()
            .agg(["count()", "first(TailNum)"])
            .unwrap(),
        f().filter("DepDelay > 200")
            .unwrap()
            .select(["Dest", "DepDelay"])
            .unwrap(),
        f().sort(["ArrDelay:desc", "FlightNum"])
            .unwrap()
            .select(["ArrDelay", "FlightNum"])
            .unwrap(),
        f().sort(["Distance:desc", "FlightNum"])
            .unwrap()
            .limit(3, Some(7))
            .unwrap(),
        f().groupby(["UniqueCarrier", "Dest"])
            .unwrap()
            .agg(["nunique(TailNum)"])
            .unwrap(),
        f().limit(2, Some(5)).unwrap(),
        f().select(["Dest"]).unwrap().distinct().unwrap(),
    ]
}

#[test]
fn answers_are_those_of_each_frame() {
    for input in [CSV, PARQUET] {
        let frames = questions(&read(input, &threads(2)));
        let alone: Vec<RecordBatch> = frames.iter().map(|f| whole(&f.collect().unwrap())).collect();
        let small = Settings {
            reserved: Some(200_000),
            ..threads(2)
        };
        let sync = Settings {
            scheduler: Scheduler::Sync,
            batch_rows: 1000,
            ..threads(1)
        };
        for settings in [threads(1), threads(3), small, sync] {
            let frames = questions(&read(input, &settings));
            let results = Frame::compute_all(&frames).unwrap();
            assert_eq!(results.len(), alone.len());
            for (i, (rows, alone)) in results.iter().zip(&alone).enumerate() {
                assert_eq!(&whole(rows), alone, "question {i} with {settings:?}");
            }
            let spills = settings.reserved.is_some();
            assert_eq!(results[0].report.bytes_spilled > 0, spills);
        }
    }
}

#[test]
fn what_is_read_is_read_once() {
    for input in [CSV, PARQUET] {
        let f = read(input, &threads(2));
        let frames = [
            f.clone()
                .groupby(["Origin"])
                .unwrap()
                .agg(["mean(DepDelay)"])
                .unwrap(),
            f.clone()
                .filter("Distance > 1000")
                .unwrap()
                .agg(["sum(AirTime)"])
                .unwrap(),
            f.clone()
                .sort(["ArrDelay"])
                .unwrap()
                .select(["ArrDelay", "Dest", "DepDelay"])
                .unwrap(),
        ];
        let columns = ["Origin", "DepDelay", "Distance", "AirTime", "ArrDelay", "Dest"];
        let union = f
            .select(columns)
            .unwrap()
            .sort(["ArrDelay"])
            .unwrap()
            .collect()
            .unwrap()
            .report;
        let together = Frame::compute_all(&frames).unwrap()[0].report.clone();
        assert_eq!(
            (together.bytes_read, together.rows_read),
            (union.bytes_read, union.rows_read)
        );
        let alone: u64 = frames
            .iter()
            .map(|f| f.collect().unwrap().report.bytes_read)
            .sum();
        assert!(alone > together.bytes_read);
        // also where each has opened the files itself
        let one = read(input, &threads(2)).agg(["sum(DepDelay)"]).unwrap();
        let two = read(input, &threads(2)).agg(["max(DepDelay)"]).unwrap();
        let single = one.collect().unwrap().report.bytes_read;
        assert_eq!(
            Frame::compute_all(&[one, two]).unwrap()[0].report.bytes_read,
            single
        );
    }
}

#[test]
fn joins_share_what_they_can() {
    for input in [CSV, PARQUET] {
        for reserved in [None, Some(300_000)] {
            let settings = Settings {
                reserved,
                ..threads(2)
            };
            let f = read(input, &settings);
            // a stage that waits for another scan of the same table cannot share with that one
            let late = f
                .clone()
                .filter("DepDelay > 300")
                .unwrap()
                .select(["TailNum"])
                .unwrap()
                .distinct()
                .unwrap();
            let own = f
                .clone()
                .join(late.clone(), ["TailNum"], ddf::How::Semi)
                .unwrap()
                .agg(["count()"])
                .unwrap();
            let carriers = f
                .clone()
                .groupby(["UniqueCarrier"])
                .unwrap()
                .agg(["most = max(Distance)"])
                .unwrap();
            let joined = f
                .clone()
                .join(carriers, ["UniqueCarrier"], ddf::How::Inner)
                .unwrap();
            let far = joined
                .filter("Distance = most")
                .unwrap()
                .agg(["count()", "sum(FlightNum)"])
                .unwrap();
            let frames = [
                own,
                far,
                late.agg(["count()"]).unwrap(),
                f.agg(["count()"]).unwrap(),
            ];
            let alone: Vec<RecordBatch> = frames.iter().map(|f| whole(&f.collect().unwrap())).collect();
            let results = Frame::compute_all(&frames).unwrap();
            assert_eq!(results.iter().map(whole).collect::<Vec<_>>(), alone);
        }
    }
}

#[test]
fn types_that_widen_late_widen_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..200_000)
        .map(|i| {
            if i == 150_000 {
                "1.5,x\n".into()
            } else {
                format!("{i},1\n")
            }
        })
        .collect();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, format!("a,b\n{text}")).unwrap();
    let f = read(path.to_str().unwrap(), &threads(2));
    let frames = [
        f.clone().agg(["sum(a)"]).unwrap(),
        f.clone().agg(["max(b)"]).unwrap(),
        f.agg(["min(a)", "count(b)"]).unwrap(),
    ];
    let alone: Vec<RecordBatch> = frames.iter().map(|f| whole(&f.collect().unwrap())).collect();
    let results = Frame::compute_all(&frames).unwrap();
    assert_eq!(results.iter().map(whole).collect::<Vec<_>>(), alone);
    let warnings = &results[0].report.warnings;
    assert_eq!(
        warnings.iter().filter(|w| w.text.contains("column '")).count(),
        2,
        "{warnings:?}"
    );
}

#[test]
fn graphs_of_several_results_are_plain_data() {
    let frames = questions(&read(CSV, &threads(2)));
    let graph = Frame::graph_of_all(&frames).unwrap();
    let scans = |g: &Graph| {
        g.stages
            .iter()
            .filter(|s| matches!(s.source, StageSource::Scan { .. }))
            .count()
    };
    // rows that are enough early are read for themselves
    assert_eq!(scans(&graph), 2);
    assert!(graph.stages.iter().any(|s| matches!(s.sink, StageSink::Branches)));
    let json = graph.to_json();
    let again = Graph::from_json(&json).unwrap();
    assert_eq!(again.results, graph.results);
    assert_eq!(again.to_json(), json);
    // under little memory each reads for itself, so that its sinks can spill
    let small = Settings {
        memory: 24 << 20,
        ..threads(2)
    };
    assert_eq!(
        scans(&Frame::graph_of_all(&questions(&read(CSV, &small))).unwrap()),
        8
    );
    assert!(Frame::compute_all(&[]).unwrap().is_empty());
}

#[test]
fn tasks_that_branch_off_can_run_alone() {
    use ddf::graph::{KeySets, StageInputs};
    use ddf::pipeline::Partition;
    let settings = threads(2);
    let frames = questions(&read(CSV, &settings));
    let graph = Graph::from_json(&Frame::graph_of_all(&frames).unwrap().to_json()).unwrap();
    let cx = settings.context();
    let mut left: Vec<Vec<Arc<Partition>>> = vec![Vec::new(); graph.stages.len()];
    for id in graph.run_order() {
        let stage = &graph.stages[id];
        let mut take = |i: usize| left[i].clone();
        let inputs = StageInputs::plan(&graph, stage, &mut take, &KeySets::default(), &cx).unwrap();
        let run = |part| Arc::new(ddf::schedule::run_task(&graph, stage, &inputs, part, &cx).unwrap());
        let mut partitions: Vec<_> = (0..inputs.tasks.len()).map(run).collect();
        if inputs.tasks.is_empty() && stage.parks_sinks() {
            partitions.clear();
        }
        left[id] = partitions;
    }
    for (result, frame) in graph.results.iter().zip(&frames) {
        let rows: u64 = left[result.stage].iter().map(|p| p.rows).sum();
        let rows = rows
            .saturating_sub(result.skip)
            .min(result.take.unwrap_or(u64::MAX));
        assert_eq!(rows, frame.collect().unwrap().rows() as u64);
    }
}

/// Counts tasks and stages.
#[derive(Default)]
struct Counter {
    tasks: AtomicU64,
    planned: AtomicU64,
}

impl Observer for Counter {
    fn stage_planned(&self, _stage: &StagePlan) {
        self.planned.fetch_add(1, Relaxed);
    }
    fn posttask(&self, task: &TaskEnd) {
        self.tasks.fetch_add(u64::from(!task.closing), Relaxed);
    }
}

#[test]
fn frames_in_task_graphs() {
    let counter = Arc::new(Counter::default());
    let f = read(CSV, &threads(2));
    let frames = questions(&f.clone().observed(counter.clone()));
    let mut g = TaskGraph::new();
    let all = g.frames(frames.clone());
    let one = g.frame(f.clone().agg(["count()"]).unwrap());
    let most = g.frame_of(
        "most",
        move |rows| {
            f.clone()
                .filter(&format!("DepDelay > {}", rows.rows()))?
                .agg(["count()"])
        },
        one,
    );
    let rows = g.delayed(
        "rows",
        |(all, most)| (all.iter().map(Rows::rows).sum::<usize>(), most.rows()),
        (all, most),
    );
    let expected: usize = frames.iter().map(|f| f.collect().unwrap().rows()).sum();
    counter.tasks.store(0, Relaxed);
    counter.planned.store(0, Relaxed);
    assert_eq!(g.compute(rows).unwrap(), (expected, 1));
    assert!(counter.tasks.load(Relaxed) > 12);
    assert!(counter.planned.load(Relaxed) > 8);
}

#[test]
fn errors_come_through() {
    let f = read(CSV, &threads(2));
    let good = f.clone().agg(["count()"]).unwrap();
    let bad = f
        .with("x = cast(Origin as int)")
        .unwrap()
        .agg(["sum(x)"])
        .unwrap();
    let e = Frame::compute_all(&[good, bad]).unwrap_err();
    assert!(e.to_string().contains("EWR"), "{e}");
    assert!(e.task().unwrap().what.contains(".csv, bytes "), "{e:?}");
}
