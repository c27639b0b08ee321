//! What some rows of a table, taken from many places of it, tell about all: guesses, for choosing among plans.
//!
//! ```text
//!   place 0   7 7 7 9      a value is counted once a place, since neighbours are often alike:
//!   place 1   3 3 4 4      7 9 | 3 4 | 7 5   6 values seen, 5 different, 4 of them in one place only
//!   place 2   7 5 5 5
//! ```
//!
//! Values that many places share are few, those of one place stand for many: Chaudhuri, Das and Srivastava,
//! "Effective use of block-level sampling in statistics estimation" (2004), with the estimator of Haas and Stokes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;

/// Some rows of a table.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The columns that were asked for.
    pub columns: Vec<ArrayRef>,
    /// The place of the table from which each row is, ascending.
    pub places: Arc<[u32]>,
    /// How many rows the table has, as far as the sample tells.
    pub of: f64,
}

impl Sample {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.places.len()
    }

    /// Whether it is the whole table.
    pub fn is_whole(&self) -> bool {
        self.places.len() as f64 >= self.of
    }
}

/// What is guessed of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values {
    /// How many different ones there are.
    pub distinct: f64,
    /// The least and the greatest that was seen, of numbers, days and moments.
    pub span: Option<(f64, f64)>,
}

/// About how many different values a table of `of` rows has, judged by the hashes of those of some rows (none
/// of a null) and the places from which they are.
pub fn distinct(hashes: impl Iterator<Item = Option<u64>>, places: &[u32], of: f64) -> f64 {
    // where a value was seen last, and whether in one place only
    let mut seen: HashMap<u64, (u32, bool)> = HashMap::new();
    let mut counted = 0.0;
    for (hash, &place) in hashes.zip(places) {
        let Some(hash) = hash else { continue };
        let (last, single) = seen.entry(hash).or_insert_with(|| {
            counted += 1.0;
            (place, true)
        });
        if *last != place {
            (*last, *single) = (place, false);
            counted += 1.0;
        }
    }
    let found = seen.len() as f64;
    let rows = places.len() as f64;
    if rows >= of || found == 0.0 {
        return found.max(1.0);
    }
    let single = seen.values().filter(|(_, single)| *single).count() as f64;
    // the table, with each value once a place
    let all = of * counted / rows;
    let guess = counted * found / (counted - single + single * counted / all);
    guess.clamp(found, of.max(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::hash::hash_bytes;

    /// The guess from 64 places of a column of `n` rows, 50 rows each.
    fn guess(n: u64, value: impl Fn(u64) -> u64) -> f64 {
        let places = 64;
        let rows = (0..places).flat_map(|p| (0..50).map(move |i| (p as u32, p * n / places + i)));
        let rows: Vec<(u32, u64)> = rows.collect();
        let hashes = rows
            .iter()
            .map(|(_, i)| Some(hash_bytes(&value(*i).to_le_bytes())));
        let places: Vec<u32> = rows.iter().map(|(p, _)| *p).collect();
        distinct(hashes, &places, n as f64)
    }

    #[test]
    fn few_values_keys_and_clusters_are_told_apart() {
        let near = |guess: f64, want: f64| {
            assert!(guess >= want / 3.0 && guess <= want * 3.0, "{guess} for {want}");
        };
        let n = 1_000_000;
        near(guess(n, |i| i), n as f64);
        assert_eq!(guess(n, |i| i % 7), 7.0);
        // one value for twelve rows that lie side by side
        near(guess(n, |i| i / 12), n as f64 / 12.0);
        // in no order
        near(guess(n, |i| hash_bytes(&i.to_le_bytes()) % 20_000), 20_000.0);
        near(guess(n, |i| hash_bytes(&i.to_le_bytes()) % 300), 300.0);
    }

    #[test]
    fn the_whole_is_counted() {
        let hashes = [Some(1), None, Some(1), Some(2)];
        assert_eq!(distinct(hashes.into_iter(), &[0, 0, 1, 1], 4.0), 2.0);
        assert_eq!(distinct([None].into_iter(), &[0], 100.0), 1.0);
    }
}
