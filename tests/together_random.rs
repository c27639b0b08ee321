//! Random families of frames that share parts: computed together, each has the rows that it has alone.

#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write;

use arrow::array::RecordBatch;
use common::{Folder, Random};
use ddf::Frame;
use ddf::frame::{How, Rows, Settings};
use ddf::graph::Scheduler;
use ddf::source::ReadOptions;

/// Families that are asked.
const FAMILIES: u64 = 60;

fn table(r: &mut Random, rows: usize) -> String {
    let mut text = "a,b,t,x\n".to_string();
    for b in 0..rows {
        let t = r.pick(&[
            "",
            "é",
            "one",
            "\"two, three\"",
            "a text that is longer than twelve bytes",
        ]);
        let x = r.pick(&["0.5", "-1.25", "", "3.0"]);
        writeln!(text, "{},{b},{t},{x}", r.below(9)).unwrap();
    }
    text
}

fn read(path: &str, settings: &Settings) -> Frame {
    let options = ReadOptions {
        blocksize: Some(3000),
        ..ReadOptions::default()
    };
    Frame::read_with([path], &options, settings.clone()).unwrap()
}

/// One more frame of the columns a, b, t and x, made of those that are there; and what was done.
fn another(r: &mut Random, all: &[(String, Frame)]) -> (String, Frame) {
    let at = r.below(all.len());
    let (_, f) = all[at].clone();
    let (what, made) = match r.below(10) {
        0 | 1 => {
            let what = *r.pick(&[
                "a > 3",
                "t = 'one'",
                "x < 0.5 OR x IS NULL",
                "b % 3 = 1",
                "b > 1000",
            ]);
            (what.to_string(), f.filter(what))
        }
        2 => (
            "with".to_string(),
            f.with("x = x * 2").and_then(|f| f.with("a = a + b % 2")),
        ),
        3 | 4 => {
            let aggregates = ["b = max(b)", "t = min(t)", "x = sum(x)"];
            (
                "group".to_string(),
                f.groupby(["a"]).and_then(|g| g.agg(aggregates)),
            )
        }
        5 => ("sort".to_string(), f.sort(["x:desc", "t", "b", "a"])),
        6 => {
            let (skip, take) = (r.below(3) as u64, r.below(40) as u64);
            (format!("limit {skip} {take}"), f.limit(skip, Some(take)))
        }
        7 => {
            let f = f.select(["a", "b = b % 5", "t", "x"]);
            ("distinct".to_string(), f.and_then(Frame::distinct))
        }
        8 => {
            let other = r.below(all.len());
            let how = *r.pick(&[How::Inner, How::Semi, How::Anti, How::Left]);
            let right = all[other]
                .1
                .clone()
                .select(["b", "z = a"])
                .and_then(Frame::distinct);
            let joined = right.and_then(|right| f.join(right, ["b"], how));
            (
                format!("{how:?} join {other}"),
                joined
                    .and_then(|f| f.select(["a", "b", "t", "x"]))
                    .and_then(|f| f.limit(0, Some(5000))),
            )
        }
        _ => {
            let other = r.below(all.len());
            (format!("concat {other}"), f.concat(all[other].1.clone()))
        }
    };
    (format!("{at} {what}"), made.unwrap())
}

fn whole(rows: &Rows) -> RecordBatch {
    arrow::compute::concat_batches(&rows.schema, &rows.batches).unwrap()
}

#[test]
fn random_families_have_the_rows_that_each_has_alone() {
    let folder = Folder::new();
    let mut r = Random(20_260);
    let paths: Vec<String> = [4000, 1, 300]
        .iter()
        .enumerate()
        .map(|(i, &rows)| folder.file(&format!("{i}.csv"), table(&mut r, rows)))
        .collect();
    for family in 0..FAMILIES {
        let settings = Settings {
            threads: 1 + r.below(3),
            scheduler: *r.pick(&[Scheduler::Threads, Scheduler::Threads, Scheduler::Sync]),
            reserved: *r.pick(&[None, None, Some(300_000)]),
            ..Settings::default()
        };
        let mut all: Vec<(String, Frame)> = paths.iter().map(|p| (p.clone(), read(p, &settings))).collect();
        for _ in 0..3 + r.below(8) {
            let one = another(&mut r, &all);
            all.push(one);
        }
        let wanted: Vec<usize> = (0..1 + r.below(6)).map(|_| r.below(all.len())).collect();
        let frames: Vec<Frame> = wanted.iter().map(|&w| all[w].1.clone()).collect();
        let together = Frame::compute_all(&frames).unwrap();
        assert_eq!(together.len(), frames.len());
        for ((frame, rows), w) in frames.iter().zip(&together).zip(&wanted) {
            let history: Vec<&String> = all.iter().map(|(what, _)| what).collect();
            assert_eq!(
                whole(rows),
                whole(&frame.collect().unwrap()),
                "family {family}, frame {w} of {wanted:?}: {history:#?}"
            );
        }
    }
}
