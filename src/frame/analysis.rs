//! A run as text, stage by stage: what `EXPLAIN ANALYZE` shows.
//!
//! ```text
//!   stage 0: 12 tasks, 0.031 s
//!     scan data/*.csv (2 of 23 columns)
//!     partial aggregate (1 keys, 1 aggregates)
//!     rows 336776 -> 6, read 9.8 MiB, left 312 B, memory 3.1 MiB
//! ```

use super::Report;
use crate::observe::StageRun;

impl Report {
    /// One paragraph a stage, in the order in which they ran, and a line for the whole.
    pub fn analysis(&self) -> String {
        let mut out = String::new();
        for s in &self.stages {
            let tasks = if s.tasks == 1 { "task" } else { "tasks" };
            out += &format!(
                "stage {}: {} {tasks}, {:.3} s\n",
                s.stage,
                s.tasks,
                s.elapsed.as_secs_f64()
            );
            for step in &s.steps {
                out += &format!("  {step}\n");
            }
            out += &format!("  {}\n", counted(s));
        }
        out += &format!(
            "total: {} rows, {:.3} s, read {}, memory {}",
            self.rows,
            self.elapsed.as_secs_f64(),
            bytes(self.bytes_read),
            bytes(self.peak_reserved as u64)
        );
        if self.bytes_spilled > 0 {
            out += &format!(", spilled {}", bytes(self.bytes_spilled));
        }
        out.push('\n');
        out
    }
}

fn counted(s: &StageRun) -> String {
    let mut out = format!("rows {} -> {}", s.rows_in, s.rows_out);
    let more = [
        ("read", s.bytes_read),
        ("left", s.bytes_out),
        ("memory", s.peak_reserved as u64),
        ("spilled", s.bytes_spilled),
    ];
    for (what, n) in more.into_iter().filter(|(_, n)| *n > 0) {
        out += &format!(", {what} {}", bytes(n));
    }
    out
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
        let rows: u64 = frame.clone().collect().unwrap().rows() as u64;
        let grouped = frame
            .groupby(["Origin"])
            .unwrap()
            .agg(["mean(DepDelay)"])
            .unwrap();
        let report = grouped.analyze(|_| {}).unwrap();
        let [scan, .., last] = report.stages.as_slice() else {
            panic!("{:?}", report.stages);
        };
        assert_eq!((scan.rows_in, scan.bytes_read), (rows, report.bytes_read));
        assert!(scan.bytes_read > 0 && scan.tasks > 0 && scan.rows_out >= 3);
        assert_eq!((last.rows_out, report.rows), (3, 3));
        let peak = report.stages.iter().map(|s| s.peak_reserved).max();
        assert_eq!(peak, Some(report.peak_reserved));
        let text = report.analysis();
        assert!(text.contains(&format!("rows {rows} -> ")), "{text}");
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
