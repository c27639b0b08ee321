//! A run as Chrome trace events, which Perfetto and `chrome://tracing` open.
//!
//! A row for the stages, one for each thread with its tasks, and counters for memory and rows. The
//! whole [`Model`] is in it too, under `ddf`, which viewers leave alone: a profile is one file.

use serde_json::{Value, json};

use super::model::{Model, TaskRow};

/// The only process.
const PID: u32 = 1;
/// The row of the stages; threads come behind.
const STAGES: u32 = 0;

/// The trace, in the object form of the format, an event in each line.
pub fn trace(model: &Model) -> String {
    let mut out = String::from("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
    // one by one: a tree of all of them would take ten times the text
    each(model, &mut |event| {
        out += &event.to_string();
        out += ",\n";
    });
    out.truncate(out.len() - ",\n".len());
    out += "\n],\"ddf\":";
    out += &serde_json::to_string(model).unwrap_or_else(|_| "null".into());
    out + "}\n"
}

/// All events; there are some, whatever the run.
fn each(model: &Model, tell: &mut dyn FnMut(Value)) {
    tell(name("process_name", STAGES, &format!("ddf {}", model.version)));
    tell(name("thread_name", STAGES, "stages"));
    for t in 0..model.threads as u32 {
        tell(name("thread_name", t + 1, &format!("thread {t}")));
    }
    for s in &model.stages {
        let Some(begin) = s.begin else {
            continue;
        };
        let end = s.end.unwrap_or(model.elapsed);
        tell(json!({
            "name": format!("stage {}: {}", s.id, s.name), "cat": "stage", "ph": "X", "pid": PID, "tid": STAGES,
            "ts": micros(begin), "dur": micros(end - begin),
            "args": {"tasks": s.tasks, "rows_in": s.rows_in, "rows_out": s.rows_out, "bytes_read": s.bytes_read,
                "bytes_out": s.bytes_out, "spilled": s.spilled, "peak_reserved": s.peak_reserved, "busy": s.busy},
        }));
    }
    model.tasks.iter().for_each(|t| tell(task(model, t)));
    for s in &model.samples {
        let mut counter = |name: &str, args: Value| {
            tell(json!({"name": name, "ph": "C", "pid": PID, "ts": micros(s.seconds), "args": args}));
        };
        counter("memory", json!({"resident": s.resident, "reserved": s.reserved}));
        counter("spilled", json!({"bytes": s.spilled_now}));
        counter("rows read", json!({"rows": s.rows_read}));
        counter("bytes read", json!({"bytes": s.bytes_read}));
    }
}

fn task(model: &Model, t: &TaskRow) -> Value {
    let stage = model.stages.get(t.stage as usize).map_or("", |s| s.name.as_str());
    let name = match t.count {
        0 => format!("{stage}: closing"),
        _ => stage.to_string(),
    };
    json!({
        "name": name, "cat": "task", "ph": "X", "pid": PID, "tid": t.thread + 1,
        "ts": t.begin_us, "dur": t.end_us - t.begin_us,
        "args": {"stage": t.stage, "part": t.part, "rows": t.rows, "bytes": t.bytes, "tasks": t.count},
    })
}

fn name(what: &str, tid: u32, text: &str) -> Value {
    json!({"name": what, "ph": "M", "pid": PID, "tid": tid, "args": {"name": text}})
}

fn micros(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Sample, StageModel};

    #[test]
    fn a_trace_has_rows_counters_and_the_model() {
        let stage = StageModel {
            name: "scan a ► result".into(),
            begin: Some(0.5),
            ..StageModel::default()
        };
        let row = TaskRow {
            thread: 1,
            part: 7,
            begin_us: 10,
            end_us: 30,
            rows: 5,
            count: 1,
            ..TaskRow::default()
        };
        let model = Model {
            threads: 2,
            elapsed: 2.0,
            stages: vec![stage],
            tasks: vec![row, TaskRow { count: 0, ..row }],
            samples: vec![Sample {
                seconds: 0.1,
                resident: 9,
                ..Sample::default()
            }],
            ..Model::default()
        };
        let t: Value = serde_json::from_str(&trace(&model)).unwrap();
        let events = t["traceEvents"].as_array().unwrap();
        let of = |ph: &str| events.iter().filter(|e| e["ph"] == ph).collect::<Vec<_>>();
        assert_eq!((of("M").len(), of("X").len(), of("C").len()), (4, 3, 4));
        assert_eq!(
            (&of("X")[0]["ts"], &of("X")[0]["dur"]),
            (&json!(500_000), &json!(1_500_000))
        );
        assert_eq!((&of("X")[1]["tid"], &of("X")[1]["dur"]), (&json!(2), &json!(20)));
        assert_eq!(of("X")[2]["name"], "scan a ► result: closing");
        assert_eq!(of("C")[0]["args"]["resident"], 9);
        assert_eq!(serde_json::from_value::<Model>(t["ddf"].clone()).unwrap(), model);
    }
}
