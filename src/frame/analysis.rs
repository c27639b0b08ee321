//! A run as text, stage by stage and operator by operator: what `EXPLAIN ANALYZE` shows.
//!
//! ```text
//!                                                 rows in  rows out     time  share   memory
//!   stage 0: 12 tasks, 0.031 s, read 9.8 MiB, memory 3.1 MiB
//!   ├ scan data/*.csv (2 of 23 columns)            336776  → 336776  0.029 s   76 %  1.2 MiB
//!   └ partial aggregate (1 keys, 1 aggregates)     336776  →      3  0.009 s   24 %  0.3 MiB
//! ```
//!
//! The time of an operator is that of all threads together, its own only; its share is of all operators
//! of the query. Its memory is what its threads reserved, each at its own peak; a stage's memory is all
//! that was reserved at once while it ran, also by what earlier stages left.

use std::cmp::Ordering;

use super::Report;
use crate::observe::{Model, OperatorModel, StageModel};

/// Longer names of operators are cut; the model has them whole.
const NAME: usize = 72;

/// A run of a query that was made to see how it goes.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The sums.
    pub report: Report,
    /// Everything: stages, operators, tasks, memory over time.
    pub model: Model,
}

impl Analysis {
    /// A table for people: a block for each stage with a line for each operator, and a line for the whole.
    pub fn text(&self) -> String {
        let all = || self.model.stages.iter().flat_map(|s| &s.operators);
        let total: f64 = all().map(|o| o.busy).sum();
        let digits = all().map(|o| o.rows_out.to_string().len()).max().unwrap_or(1);
        let mut rows: Vec<Row> = vec![Row::heads()];
        // as they ran: a join that turned out too large has made stages behind those that were planned
        let mut ran: Vec<&StageModel> = self.model.stages.iter().collect();
        ran.retain(|s| s.begin.is_some());
        ran.sort_by(|a, b| a.begin.partial_cmp(&b.begin).unwrap_or(Ordering::Equal));
        for s in ran {
            rows.push(Row::of_stage(s));
            let last = s.operators.len().saturating_sub(1);
            let each = s.operators.iter().enumerate();
            rows.extend(each.map(|(i, o)| Row::of_operator(o, i == last, (total, digits))));
        }
        let mut out = aligned(&rows);
        let r = &self.report;
        out += &format!(
            "total: {} rows, {:.3} s, read {}, memory {}",
            r.rows,
            r.elapsed.as_secs_f64(),
            bytes(r.bytes_read),
            bytes(r.peak_reserved as u64)
        );
        if r.bytes_spilled > 0 {
            out += &format!(", spilled {}", bytes(r.bytes_spilled));
        }
        if r.streamed {
            out += ", input read as it came";
        }
        if r.bytes_copied > 0 {
            out += &format!(", input copied to disk {}", bytes(r.bytes_copied));
        }
        out.push('\n');
        out
    }

    /// The model as JSON, `ddf.profile/1`.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.model).unwrap_or_default() + "\n"
    }
}

/// A line: what it is of, and its cells.
struct Row {
    name: String,
    cells: Vec<String>,
}

impl Row {
    fn heads() -> Row {
        let heads = ["rows in", "rows out", "time", "share", "memory", "spilled"];
        Row {
            name: String::new(),
            cells: heads.map(String::from).to_vec(),
        }
    }

    fn of_stage(s: &StageModel) -> Row {
        let tasks = s.tasks.unwrap_or(0);
        let seconds = s.begin.zip(s.end).map_or(0.0, |(b, e)| e - b);
        let mut name = format!(
            "stage {}: {tasks} {}, {seconds:.3} s",
            s.id,
            plural(tasks, "task")
        );
        let more = [
            ("read", s.bytes_read),
            ("left", s.bytes_out),
            ("memory", s.peak_reserved),
            ("spilled", s.spilled),
        ];
        for (what, n) in more.into_iter().filter(|(_, n)| *n > 0) {
            name += &format!(", {what} {}", bytes(n));
        }
        Row {
            name,
            cells: Vec::new(),
        }
    }

    /// `total` is the time of all operators, `digits` what the largest number of rows has.
    fn of_operator(o: &OperatorModel, last: bool, (total, digits): (f64, usize)) -> Row {
        let share = if total > 0.0 { o.busy / total * 100.0 } else { 0.0 };
        let some = |n: u64| if n > 0 { bytes(n) } else { String::new() };
        let mut name: String = o.name.chars().take(NAME).collect();
        if name.len() < o.name.len() {
            name.push('…');
        }
        let cells = [
            o.rows_in.to_string(),
            format!("→ {:>digits$}", o.rows_out),
            format!("{:.3} s", o.busy),
            format!("{share:.0} %"),
            some(o.peak_reserved),
            some(o.spilled),
        ];
        Row {
            name: format!("{} {name}", if last { "└" } else { "├" }),
            cells: cells.to_vec(),
        }
    }
}

/// The rows as lines: names to the left, cells to the right of their columns; empty columns go.
fn aligned(rows: &[Row]) -> String {
    let columns = rows[0].cells.len();
    let cell = |r: &Row, i: usize| r.cells.get(i).cloned().unwrap_or_default();
    let used = |i: &usize| rows[1..].iter().any(|r| !cell(r, *i).is_empty());
    let used: Vec<usize> = (0..columns).filter(used).collect();
    let width = |i: usize| rows.iter().map(|r| cell(r, i).chars().count()).max().unwrap_or(0);
    let operators = rows.iter().filter(|r| !r.cells.is_empty());
    let names = operators.map(|r| r.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for r in rows {
        let mut line = format!("{:names$}", r.name);
        for &i in used.iter().filter(|_| !r.cells.is_empty()) {
            line += &format!("  {:>w$}", cell(r, i), w = width(i));
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn plural(n: u64, what: &str) -> String {
    format!("{what}{}", if n == 1 { "" } else { "s" })
}

/// `512 B`, `1.5 MiB`.
fn bytes(n: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let (mut x, mut unit) = (n as f64 / 1024.0, 0);
    if n < 1024 {
        return format!("{n} B");
    }
    while x >= 1023.95 && unit + 1 < units.len() {
        x /= 1024.0;
        unit += 1;
    }
    format!("{x:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;

    #[test]
    fn stages_say_what_they_did() {
        let frame = Frame::read("testdata/nycflights/*.csv").unwrap();
        let rows = frame.clone().collect().unwrap().rows() as u64;
        let frame = frame
            .groupby(["Origin"])
            .unwrap()
            .agg(["mean(DepDelay)"])
            .unwrap();
        let analysis = frame.analyze(|_| {}).unwrap();
        let report = &analysis.report;
        let [scan, .., last] = report.stages.as_slice() else {
            panic!("{:?}", report.stages);
        };
        assert_eq!((scan.rows_in, scan.bytes_read), (rows, report.bytes_read));
        assert!(scan.bytes_read > 0 && scan.tasks > 0 && scan.rows_out >= 3);
        assert_eq!((last.rows_out, report.rows), (3, 3));
        let peak = report.stages.iter().map(|s| s.peak_reserved).max();
        assert_eq!(peak, Some(report.peak_reserved));
        let text = analysis.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].trim_start().starts_with("rows in"), "{text}");
        assert!(
            lines[1].starts_with(&format!("stage 0: {} tasks, ", scan.tasks)),
            "{text}"
        );
        let operators: Vec<&&str> = lines.iter().filter(|l| l.starts_with(['├', '└'])).collect();
        assert!(
            operators[0].starts_with("├ scan testdata/nycflights/*.csv (2 of "),
            "{text}"
        );
        assert!(operators[0].contains(&format!(" {rows}   → {rows}  ")), "{text}");
        // every arrow stands below the one above
        let at = |l: &str| l.chars().position(|c| c == '→');
        assert!(
            operators
                .windows(2)
                .all(|w| at(w[0]).is_some() && at(w[0]) == at(w[1])),
            "{text}"
        );
        assert!(text.ends_with('\n') && text.contains("total: 3 rows"), "{text}");
    }

    #[test]
    fn bytes_are_short() {
        let all = [0, 1023, 1024, 1536 << 10, 1023 << 10, (1 << 20) - 1].map(bytes);
        assert_eq!(
            all,
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "1023.0 KiB", "1.0 MiB"]
        );
    }
}
