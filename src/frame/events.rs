//! What observers are told when a frame's run begins and when it is over.

use std::sync::Arc;

use super::{Report, Settings};
use crate::error::Error;
use crate::graph::{self, Graph};
use crate::observe::{Gauge, Observers, Progress, RunEnd, RunStart};
use crate::pipeline::RunContext;
use crate::plan::{self, LogicalPlan};

/// Tells them that a run begins.
pub(super) fn begin(
    observers: &Observers,
    settings: &Settings,
    plan: &LogicalPlan,
    graph: &Graph,
    cx: &Arc<RunContext>,
) {
    if observers.is_empty() {
        return;
    }
    let (budget, progress) = (cx.budget.clone(), cx.progress.clone());
    let gauge = move || Gauge {
        reserved: budget.used() as u64,
        spilled_now: Progress::get(&progress.spill_now),
        spilled_total: Progress::get(&progress.bytes_spilled),
        rows_read: Progress::get(&progress.rows_read),
        bytes_read: Progress::get(&progress.bytes_read),
    };
    let start = RunStart {
        threads: cx.threads,
        memory_limit: Some(settings.memory() as u64),
        plan: plan::explain(plan),
        stages: graph
            .stages
            .iter()
            .map(|s| graph::stage_info(graph, s, None))
            .collect(),
        gauge: Arc::new(gauge),
    };
    observers.each(|o| o.start(&start));
}

/// Tells them how it ended.
pub(super) fn end(observers: &Observers, outcome: Result<&Report, &Error>) {
    if observers.is_empty() {
        return;
    }
    let end = match outcome {
        Ok(report) => RunEnd {
            rows: report.rows,
            warnings: report.warnings.clone(),
            ..RunEnd::default()
        },
        Err(e) => RunEnd {
            error: Some(e.to_string()),
            cancelled: e.kind().is_stop(),
            ..RunEnd::default()
        },
    };
    observers.each(|o| o.finish(&end));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use crate::observe::{Cursor, Model, Recorder, StageState, State};

    fn recorded(settings: Settings, ask: impl Fn(Frame) -> Frame) -> (Report, Model) {
        let recorder = Recorder::new("test", Some("ddf query x --partition {}".into()));
        let frame = Frame::read_with(["testdata/nycflights/*.csv"], &Default::default(), settings).unwrap();
        let report = ask(frame).observed(recorder.clone()).collect().unwrap().report;
        (report, recorder.model())
    }

    fn settings(threads: usize) -> Settings {
        Settings {
            threads,
            ..Settings::default()
        }
    }

    #[test]
    fn a_model_agrees_with_the_report() {
        for threads in [1, 3] {
            let (report, model) = recorded(settings(threads), |f| {
                let f = f.filter("Month > 3").unwrap();
                f.groupby(["Dest", "TailNum"])
                    .unwrap()
                    .agg(["mean(DepDelay)"])
                    .unwrap()
            });
            assert_eq!((model.state, model.threads), (State::Finished, threads));
            assert!(
                model.plan.contains("Aggregate") || model.plan.contains("aggregate"),
                "{}",
                model.plan
            );
            assert_eq!(model.tasks.iter().map(|t| t.count).sum::<u64>(), report.tasks);
            assert_eq!(model.stages.iter().map(|s| s.done).sum::<u64>(), report.tasks);
            assert_eq!(model.stages.len(), report.stages.len());
            let scan = &model.stages[0];
            assert_eq!(scan.name, "scan *.csv ► aggregate");
            let of_scan = model.tasks.iter().filter(|t| t.stage == 0);
            let (rows, bytes) = of_scan.fold((0, 0), |(r, b), t| (r + t.rows, b + t.bytes));
            assert_eq!((rows, bytes), (report.rows_read, report.bytes_read));
            for (s, ran) in model.stages.iter().zip(&report.stages) {
                assert_eq!(s.state, StageState::Done);
                assert_eq!(
                    (s.rows_in, s.rows_out, s.tasks),
                    (ran.rows_in, ran.rows_out, Some(ran.tasks))
                );
                for pair in s.operators.windows(2) {
                    assert_eq!(pair[0].rows_out, pair[1].rows_in, "{s:?}");
                }
                let busy: f64 = s.operators.iter().map(|o| o.busy).sum();
                assert!(busy <= s.busy * 1.05 + 0.01, "{busy} of {}", s.busy);
                assert!(s.begin < s.end && s.busy > 0.0);
            }
            assert_eq!(scan.operators.first().unwrap().rows_in, report.rows_read);
            assert_eq!(model.stages.last().unwrap().rows_out, report.rows);
            let slow = &model.slowest[0];
            assert!(model.slowest.windows(2).all(|w| w[0].seconds >= w[1].seconds));
            assert!(
                slow.stage != 0 || slow.what.contains(".csv, bytes "),
                "{}",
                slow.what
            );
            let text = serde_json::to_string(&model).unwrap();
            assert_eq!(serde_json::from_str::<Model>(&text).unwrap().tasks, model.tasks);
        }
    }

    #[test]
    fn spilling_is_seen_by_operator() {
        let small = Settings {
            reserved: Some(100_000),
            ..settings(2)
        };
        let (report, model) = recorded(small, |f| f.sort(["DepDelay"]).unwrap());
        assert!(report.bytes_spilled > 0);
        let by_stage: u64 = model.stages.iter().map(|s| s.spilled).sum();
        let by_operator = model.stages.iter().flat_map(|s| &s.operators);
        let by_operator: u64 = by_operator.map(|o| o.spilled).sum();
        assert_eq!(
            (by_stage, by_operator),
            (report.bytes_spilled, report.bytes_spilled)
        );
        let sink = model.stages[0].operators.last().unwrap();
        assert!(sink.spilled > 0 && sink.peak_reserved > 0, "{sink:?}");
    }

    #[test]
    fn a_failed_run_says_so_and_a_reader_sees_only_what_is_new() {
        let recorder = Recorder::new("test", None);
        let frame = Frame::read("testdata/nycflights/*.csv")
            .unwrap()
            .observed(recorder.clone());
        let broken = frame.clone().with("x = cast(Origin as int)").unwrap();
        assert!(broken.collect().is_err());
        let model = recorder.model();
        assert_eq!(
            (model.state, model.stages[0].state),
            (State::Failed, StageState::Failed)
        );
        assert!(model.error.unwrap().contains("EWR") || model.stages.len() == 1);

        let (_, mut cursor) = recorder.snapshot();
        assert!(!recorder.since(&mut cursor).anew);
        frame.collect().unwrap();
        let update = recorder.since(&mut cursor);
        assert!(update.anew, "another run began");
        assert_eq!((update.state, update.error), (State::Finished, None));
        let update = recorder.since(&mut cursor);
        assert!(update.stages.is_empty() && update.tasks.is_empty() && update.samples.is_empty());
        assert!(recorder.since(&mut Cursor::default()).anew);
    }
}
