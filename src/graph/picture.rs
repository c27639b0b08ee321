//! A graph as it is drawn: stages as they are planned, or with what a run of them took.
//!
//! ```text
//!   Graph (plan)  ─┐                ┌─► svg, dot, text
//!   Model (run)   ─┴─► Picture ─────┴─► json, `ddf.graph/1`
//! ```

use serde::Serialize;

use super::Graph;
use super::describe::stage_info;
use crate::observe::{Model, StageModel, TaskRow};

/// What colours tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Seconds that threads spent in the stage's tasks.
    Time,
    /// The most bytes reserved while it ran.
    Memory,
    /// Rows that entered it.
    Rows,
    /// Bytes that it wrote to spill files.
    Spill,
}

impl Measure {
    fn of(self, s: &StageModel) -> f64 {
        match self {
            Measure::Time => s.busy,
            Measure::Memory => s.peak_reserved as f64,
            Measure::Rows => s.rows_in as f64,
            Measure::Spill => s.spilled as f64,
        }
    }

    /// That of a task, where it is known by task.
    fn of_task(self, t: &TaskRow) -> Option<f64> {
        match self {
            Measure::Time => Some((t.end_us - t.begin_us) as f64 / 1e6),
            Measure::Rows => Some(t.rows as f64),
            Measure::Memory | Measure::Spill => None,
        }
    }

    /// What it is, for legends.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Time => "time of all threads",
            Measure::Memory => "most memory reserved",
            Measure::Rows => "rows in",
            Measure::Spill => "bytes spilled",
        }
    }

    /// A value with its unit.
    pub fn show(self, x: f64) -> String {
        match self {
            Measure::Time => format!("{x:.3} s"),
            Measure::Rows => short(x, 1000.0, ["", " k", " M", " G", " T"]) + " rows",
            Measure::Memory | Measure::Spill => short(x, 1024.0, [" B", " KiB", " MiB", " GiB", " TiB"]),
        }
    }
}

fn short(x: f64, base: f64, units: [&str; 5]) -> String {
    let (mut x, mut i) = (x, 0);
    while x >= base && i + 1 < units.len() {
        x /= base;
        i += 1;
    }
    match i {
        0 => format!("{x:.0}{}", units[0]),
        _ => format!("{x:.1}{}", units[i]),
    }
}

/// Partitions that are drawn one by one; of more, each square stands for several.
pub(super) const SQUARES: usize = 48;

/// Stages and what is drawn of them.
#[derive(Debug, Clone, Serialize)]
pub struct Picture {
    /// Always `ddf.graph/1`.
    pub format: &'static str,
    /// What colours tell; nothing where the stages did not run.
    pub color_by: Option<Measure>,
    /// By their number.
    pub stages: Vec<Drawn>,
    /// Rows of the last stage that are left out of the result.
    pub skip: u64,
    /// Rows of the last stage that are taken at most.
    pub take: Option<u64>,
}

/// A stage that is drawn.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Drawn {
    /// Its number.
    pub id: usize,
    /// In short: `scan flights.csv ► aggregate`.
    pub name: String,
    /// The stages whose rows it reads.
    pub inputs: Vec<usize>,
    /// How many tasks it has, where that is known.
    pub tasks: Option<u64>,
    /// Its operators, first the source, last the sink.
    pub operators: Vec<String>,
    /// What it took of what colours tell.
    pub value: Option<f64>,
    /// That as a part of the most that a stage took.
    pub heat: Option<f64>,
    /// Its tasks, neighbours together where they are many.
    pub parts: Vec<Part>,
    /// What it did, as in `ddf.profile/1`.
    pub run: Option<StageModel>,
}

/// Neighbouring tasks of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Part {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// What they took of what colours tell, where it is known by task.
    pub value: Option<f64>,
    /// That as a part of the most that a square of the same stage took.
    pub heat: Option<f64>,
}

impl Picture {
    /// Stages as they are planned.
    pub fn of_plan(graph: &Graph) -> Picture {
        let stages = graph.stages.iter().map(|s| {
            let info = stage_info(graph, s, None);
            let tasks = graph.known_tasks(s).map(|n| n as u64);
            Drawn {
                id: info.id,
                name: info.name,
                inputs: info.inputs,
                tasks,
                operators: info.operators,
                parts: parts(tasks.unwrap_or(0)),
                ..Drawn::default()
            }
        });
        Picture {
            format: "ddf.graph/1",
            color_by: None,
            stages: stages.collect(),
            skip: graph.skip,
            take: graph.take,
        }
    }

    /// Stages with what a run of them took.
    pub fn of_run(model: &Model, by: Measure) -> Picture {
        let most = model.stages.iter().map(|s| by.of(s)).fold(0.0, f64::max);
        let stages = model.stages.iter().map(|s| {
            let value = by.of(s);
            Drawn {
                id: s.id,
                name: s.name.clone(),
                inputs: s.inputs.clone(),
                tasks: s.tasks,
                operators: s.operators.iter().map(|o| o.name.clone()).collect(),
                value: Some(value),
                heat: Some(share(value, most)),
                parts: heated(parts(s.tasks.unwrap_or(0)), s.id, model, by),
                run: Some(s.clone()),
            }
        });
        Picture {
            format: "ddf.graph/1",
            color_by: Some(by),
            stages: stages.collect(),
            skip: 0,
            take: None,
        }
    }

    /// As JSON, `ddf.graph/1`.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The largest value of a stage.
    pub fn most(&self) -> f64 {
        self.stages.iter().filter_map(|s| s.value).fold(0.0, f64::max)
    }
}

fn share(value: f64, most: f64) -> f64 {
    if most > 0.0 { value / most } else { 0.0 }
}

/// So many tasks as squares.
fn parts(tasks: u64) -> Vec<Part> {
    let squares = tasks.min(SQUARES as u64);
    let start = |i: u64| (u128::from(i) * u128::from(tasks) / u128::from(squares.max(1))) as u64;
    let part = |i| Part {
        first: start(i),
        last: start(i + 1) - 1,
        value: None,
        heat: None,
    };
    (0..squares).map(part).collect()
}

/// The squares with what their tasks took. Tasks that a thread's row unites lie between those of other
/// threads; what they took together is spread evenly over where they lie.
fn heated(mut parts: Vec<Part>, stage: usize, model: &Model, by: Measure) -> Vec<Part> {
    let Some(end) = parts.last().map(|p| p.last + 1) else {
        return parts;
    };
    let rows = model
        .tasks
        .iter()
        .filter(|t| t.stage as usize == stage && t.count > 0);
    for row in rows {
        let Some(value) = by.of_task(row) else {
            return parts;
        };
        let first = u64::from(row.part).min(end - 1);
        let reach = if row.count == 1 {
            1
        } else {
            row.count * model.threads.max(1) as u64
        };
        let behind = first.saturating_add(reach).min(end);
        let each = value / (behind - first) as f64;
        let from = parts.partition_point(|p| p.last < first);
        for p in parts[from..].iter_mut().take_while(|p| p.first < behind) {
            let common = p.last.min(behind - 1) + 1 - p.first.max(first);
            *p.value.get_or_insert(0.0) += each * common as f64;
        }
    }
    // squares may stand for one task more or less: what counts is what a task took
    let of_task = |p: &Part| p.value.map(|v| v / (p.last - p.first + 1) as f64);
    let most = parts.iter().filter_map(of_task).fold(0.0, f64::max);
    for p in &mut parts {
        p.heat = of_task(p).map(|v| share(v, most));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tasks_are_few_squares_and_nothing_is_lost() {
        assert_eq!(parts(0), []);
        for n in [1, 47, 48, 49, 1000, u64::from(u32::MAX)] {
            let all = parts(n);
            assert!(all.len() <= SQUARES && all.len() as u64 == n.min(SQUARES as u64));
            assert!(all.windows(2).all(|w| w[0].last + 1 == w[1].first));
            assert_eq!((all[0].first, all[all.len() - 1].last), (0, n - 1));
        }
    }

    #[test]
    fn what_tasks_took_is_spread_over_their_squares() {
        let row = |part, count, rows| TaskRow {
            part,
            count,
            rows,
            ..TaskRow::default()
        };
        let model = Model {
            threads: 2,
            tasks: vec![row(0, 1, 5), row(1, 40, 800), row(2, 59, 1200), row(9, 0, 0)],
            ..Model::default()
        };
        let all = heated(parts(100), 0, &model, Measure::Rows);
        let sum: f64 = all.iter().filter_map(|p| p.value).sum();
        assert!((sum - 2005.0).abs() < 1e-6, "{sum}");
        assert!(
            all.iter()
                .all(|p| p.heat.is_some_and(|h| (0.0..=1.0).contains(&h)))
        );
        let none = heated(parts(100), 0, &model, Measure::Memory);
        assert!(none.iter().all(|p| p.value.is_none()));
    }
}
