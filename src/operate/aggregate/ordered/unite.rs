//! The dictionaries of all sinks as one: texts by rank.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, StringViewArray};

use super::kept::{Kept, ranked, utf8};
use crate::error::Result;

/// By sink and key: the rank of each id among all texts of the key.
pub(super) type Ranks = Vec<Vec<Option<Vec<i32>>>>;

/// The texts of each text key, by rank, and what the ids of each sink are among them.
pub(super) fn unite_all(all: &mut [Option<Kept>], keys: usize) -> Result<(Vec<Option<ArrayRef>>, Ranks)> {
    let mut unions = Vec::with_capacity(keys);
    let mut ranks: Ranks = all.iter().map(|_| Vec::new()).collect();
    for k in 0..keys {
        let mut lists = Vec::new();
        for (kept, ranks) in all.iter_mut().zip(&mut ranks) {
            let texts = kept.as_mut().and_then(|kept| kept.texts[k].as_mut()).map(ranked);
            let (list, of_ids) = texts.unzip();
            lists.extend(list);
            ranks.push(of_ids);
        }
        unions.push(unite(&lists, ranks.iter_mut().filter_map(|r| r[k].as_mut()))?);
    }
    Ok((unions, ranks))
}

/// Unites sorted lists of texts; turns the ranks of ids within their list into ranks among all.
fn unite<'a>(
    lists: &[BinaryArray],
    ranks: impl Iterator<Item = &'a mut Vec<i32>>,
) -> Result<Option<ArrayRef>> {
    if lists.is_empty() {
        return Ok(None);
    }
    let mut all: Vec<(&[u8], usize)> = Vec::with_capacity(lists.iter().map(|l| l.len()).sum());
    for (i, list) in lists.iter().enumerate() {
        all.extend((0..list.len()).map(|rank| (list.value(rank), i)));
    }
    // the standard stable sort merges runs that are sorted already
    all.sort();
    let mut texts: Vec<&str> = Vec::new();
    let mut maps: Vec<Vec<i32>> = lists.iter().map(|l| Vec::with_capacity(l.len())).collect();
    for (i, &(text, list)) in all.iter().enumerate() {
        if i == 0 || all[i - 1].0 != text {
            texts.push(utf8(text)?);
        }
        maps[list].push(texts.len() as i32 - 1);
    }
    for (ranks, map) in ranks.zip(maps) {
        ranks.iter_mut().for_each(|r| *r = map[*r as usize]);
    }
    Ok(Some(Arc::new(StringViewArray::from_iter_values(texts))))
}
