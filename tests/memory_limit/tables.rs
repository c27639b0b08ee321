//! Tables to ask questions of: the same bytes each time, written row by row, so that whoever makes them stays small.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Result, Write as _};
use std::path::Path;

/// Columns of the wide table, as many as ClickBench's.
pub const WIDE: usize = 105;

/// Numbers that look random (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Writes lines until there are so many bytes.
fn fill(path: &Path, head: &str, bytes: u64, mut row: impl FnMut(u64, &mut String)) -> Result<()> {
    let mut to = BufWriter::new(File::create(path)?);
    let (mut line, mut written, mut n) = (format!("{head}\n"), 0, 0);
    while written < bytes {
        to.write_all(line.as_bytes())?;
        written += line.len() as u64;
        line.clear();
        row(n, &mut line);
        line.push('\n');
        n += 1;
    }
    to.flush()
}

fn stamp(to: &mut String, minutes: u64) {
    let (day, minute) = (minutes / 1440 % 28, minutes % 1440);
    let _ = write!(
        to,
        "2024-{:02}-{:02}T{:02}:{:02}:00",
        1 + minutes / 40320 % 12,
        1 + day,
        minute / 60,
        minute % 60
    );
}

/// A key of 100 values, one of many texts, one of many integers, small and large numbers, a moment, a word of fifty.
pub fn narrow(path: &Path, bytes: u64) -> Result<()> {
    let mut r = Numbers(1);
    let many = bytes / 60;
    fill(path, "few,text,id,small,x,at,word", bytes, |n, to| {
        let _ = write!(
            to,
            "id{:03},text {:09},{},{},",
            r.below(100),
            r.below(many),
            r.below(many / 2),
            1 + r.below(15)
        );
        let _ = write!(to, "{}.{:06},", r.below(100), r.below(1_000_000));
        stamp(to, n / 4);
        let _ = write!(to, ",word{}", r.below(50));
    })
}

/// A table of [`WIDE`] columns: most are small integers, some large ones, moments, floats, short texts, long texts.
pub fn wide(path: &Path, bytes: u64) -> Result<()> {
    let mut r = Numbers(2);
    let names: Vec<String> = (0..WIDE).map(|c| format!("c{c}")).collect();
    fill(path, &names.join(","), bytes, |n, to| {
        for c in 0..WIDE {
            if c > 0 {
                to.push(',');
            }
            match c {
                0 => _ = write!(to, "{}", r.next() >> 1),
                1 => stamp(to, n / 10),
                2 | 3 => {
                    let (site, page) = (r.below(300), r.below(1 + n / 4));
                    let _ = write!(
                        to,
                        "http://site{site}.example.org/path/{page}/index.html?id={}",
                        r.below(10_000)
                    );
                }
                4 => {
                    for _ in 0..r.below(4) {
                        let _ = write!(to, "phrase{} ", r.below(5000));
                    }
                }
                5..10 => _ = write!(to, "{}", r.next() >> 2),
                10..14 => _ = write!(to, "{}.{}", r.below(1000), r.below(1000)),
                14..24 if r.below(3) > 0 => {}
                14..24 => _ = write!(to, "name {}", r.below(40)),
                24..34 => _ = write!(to, "{}", r.below(1 << 20)),
                34..44 if r.below(10) > 0 => {}
                _ => _ = write!(to, "{}", r.below(1 + c as u64)),
            }
        }
    })
}

/// The right side of joins: each of so many integers and texts once, in no order, and what they stand for.
pub fn other(path: &Path, bytes: u64) -> Result<()> {
    let many = bytes / 48;
    fill(path, "id,text,name,weight", bytes, |n, to| {
        let id = n * 7919 % many;
        let _ = write!(to, "{id},text {id:09},name {},{}", id % 1000, n % 77);
    })
}
