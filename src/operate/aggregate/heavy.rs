//! One group whose values exceed the memory: several passes over them instead of holding them.
//!
//! ```text
//!   quantile:  pass 1 counts the values by their upper 16 bits ─► the bin that holds the rank
//!              passes 2, 3, 4 the next 16 bits within that bin  ─► the value itself
//!   distinct:  pass p of P holds only values whose hash falls into part p; P doubles until one fits
//! ```

use std::collections::BTreeMap;

use super::plan::{Final, Plan};
use super::quantile::{Around, place};
use super::rows::{Row, Rows, broken};
use super::values::{Set, each_listed, get_key};
use crate::error::{Error, Result};
use crate::memory::Reservation;

/// Distinct values that a pass may hold whatever the budget says: fewer would mean endless passes.
const FEW: usize = 16 << 10;

/// Goes over all chunks of a job once.
pub type Pass<'a> = dyn FnMut(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> + 'a;

/// The payloads of kind `what` of a chunk.
fn payloads(chunk: &[u8], what: u8, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut rows = Rows::new(chunk);
    while let Some(Row { start, end, .. }) = rows.next_row()? {
        let mut rest = &chunk[start + Row::HEAD..end];
        get_key(&chunk[..end], &mut rest).ok_or_else(broken)?;
        match rest.split_first() {
            Some((&kind, payload)) if kind == what => take(payload)?,
            Some(_) => {}
            None => return Err(broken()),
        }
    }
    Ok(())
}

/// An unsigned number in the order of the signed one.
fn flip(v: i64) -> u64 {
    v as u64 ^ 1 << 63
}

/// All quantiles of the plan: list, quantile, what is around it.
pub fn quantiles(plan: &Plan, pass: &mut Pass) -> Result<Vec<(usize, f64, Option<Around>)>> {
    let mut out = Vec::new();
    for last in &plan.finals {
        let Final::Quantile(list, q, _) = last else {
            continue;
        };
        let what = 1 + *list as u8;
        let mut n = 0u64;
        values(pass, what, &mut |_| n += 1)?;
        if n == 0 {
            out.push((*list, *q, None));
            continue;
        }
        let (at, t) = place(n, *q);
        let above = if t > 0.0 { at + 1 } else { at };
        let found = select(pass, what, &[at, above.min(n - 1)])?;
        out.push((*list, *q, Some((found[0], found[1], t))));
    }
    Ok(out)
}

fn values(pass: &mut Pass, what: u8, take: &mut dyn FnMut(i64)) -> Result<()> {
    pass(&mut |chunk| {
        payloads(chunk, what, &mut |payload| {
            each_listed(payload, &mut *take).ok_or_else(broken)
        })
    })
}

/// The values of some ranks, in four passes.
fn select(pass: &mut Pass, what: u8, ranks: &[u64]) -> Result<Vec<i64>> {
    // for each rank: the upper bits known so far, and the rank among the values that share them
    let mut known: Vec<(u64, u64)> = ranks.iter().map(|&r| (0, r)).collect();
    for digit in (0..4).rev() {
        let shift = 16 * digit;
        let upper = |v: u64| if digit == 3 { 0 } else { v >> (shift + 16) };
        let mut counts: BTreeMap<u64, Vec<u64>> = known.iter().map(|k| (k.0, vec![0; 1 << 16])).collect();
        values(pass, what, &mut |v| {
            let v = flip(v);
            if let Some(counts) = counts.get_mut(&upper(v)) {
                counts[(v >> shift) as usize & 0xffff] += 1;
            }
        })?;
        for (prefix, rank) in &mut known {
            let bins = &counts[prefix];
            let mut bin = 0;
            while *rank >= bins[bin] {
                *rank -= bins[bin];
                bin += 1;
                if bin == bins.len() {
                    return Err(Error::defect("a rank lies beyond all values"));
                }
            }
            *prefix = *prefix << 16 | bin as u64;
        }
    }
    Ok(known.into_iter().map(|(v, _)| (v ^ 1 << 63) as i64).collect())
}

/// The number of distinct values of one set.
pub fn distinct(plan: &Plan, set: usize, held: &mut Reservation, pass: &mut Pass) -> Result<i64> {
    let what = (1 + plan.lists.len() + set) as u8;
    let base = held.bytes();
    let mut bits = 2u32;
    let (mut part, mut count) = (0u64, 0i64);
    let mut values = Set::new(&plan.types[plan.sets[set]])?;
    while part < 1 << bits {
        values.clear();
        let mut refused = false;
        let wanted = |hash: u64| (hash >> 8) & ((1 << bits) - 1) == part;
        pass(&mut |chunk| {
            payloads(chunk, what, &mut |payload| {
                if refused {
                    return Ok(());
                }
                // the shortest value takes 16 bytes, so this bounds the number of new ones
                let need = values.bytes() + values.growth(payload.len() / 16 + 1) + payload.len();
                refused = held.try_resize(base + need).is_err() && values.len() > FEW && bits < 32;
                if refused {
                    return Ok(());
                }
                values.import_some(0, payload, wanted).ok_or_else(broken)
            })
        })?;
        if refused {
            // twice as many parts; the ones already counted are the first `part` and their twins
            // above, so counting starts anew
            bits += 1;
            (part, count) = (0, 0);
            values.clear();
            held.shrink(held.bytes().saturating_sub(base));
            continue;
        }
        count += values.len() as i64;
        part += 1;
    }
    held.shrink(held.bytes().saturating_sub(base));
    Ok(count)
}
