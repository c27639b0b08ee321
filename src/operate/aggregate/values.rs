//! What needs all values of a group: medians, quantiles, distinct counts.
//!
//! ```text
//!   List:  blocks of (group, value), values as narrow as the block allows (16, 32 or 64 bits)
//!   Set:   value ─► value number (a KeyTable);  (group, value number) ─► a second KeyTable
//! ```

use super::codec::take;
use super::column::Col;
use super::keys::KeyEncoder;
use super::quantile::{Around, place};
use super::state::Arg;
use crate::error::Result;
use crate::kernel::group::{KeyTable, LONG, is_long, long_key};
use crate::kernel::hash::{hash_bytes, hash_u128};

/// Entries of a block: large enough that groups repeat within it, small enough to sort in cache.
const BLOCK: usize = 64 << 10;
/// So many blocks are ordered by group together: where groups are many, their runs grow longer.
const TOGETHER: usize = 8;

#[derive(Debug)]
enum Narrow {
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

macro_rules! each {
    ($narrow:expr, $v:ident => $do:expr) => {
        match $narrow {
            Narrow::I16($v) => $do,
            Narrow::I32($v) => $do,
            Narrow::I64($v) => $do,
        }
    };
}

#[derive(Debug)]
struct Block {
    groups: Vec<u32>,
    values: Narrow,
}

impl Narrow {
    fn width(&self) -> u8 {
        match self {
            Narrow::I16(_) => 2,
            Narrow::I32(_) => 4,
            Narrow::I64(_) => 8,
        }
    }
}

/// A listed value of some width.
trait Listed: Copy + Default + Ord {
    /// Drops bits that no value has.
    fn of(x: i64) -> Self;
    fn put(self, out: &mut Vec<u8>);
}

macro_rules! impl_listed {
    ($($t:ty),*) => {$(
        impl Listed for $t {
            #[inline(always)]
            fn of(x: i64) -> $t {
                x as $t
            }
            #[inline(always)]
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
impl_listed!(i16, i32, i64);

/// The values of some blocks by group, as bytes.
#[allow(clippy::useless_conversion)] // one of the three widths is already the widest
fn export_runs<T: Listed>(
    blocks: &[Block],
    bytes: &mut Vec<u8>,
    emit: &mut dyn FnMut(u32, &[u8]) -> Result<()>,
) -> Result<()> {
    const RUN: usize = 1024;
    let mut run = |group: u32, values: &[T]| -> Result<()> {
        for part in values.chunks(RUN) {
            bytes.clear();
            bytes.push(size_of::<T>() as u8);
            part.iter().for_each(|x| x.put(bytes));
            emit(group, bytes)?;
        }
        Ok(())
    };
    let rows: usize = blocks.iter().map(|b| b.groups.len()).sum();
    let most = blocks
        .iter()
        .flat_map(|b| &b.groups)
        .max()
        .map_or(0, |&g| g as usize);
    if most > 4 * rows {
        // few of many groups
        let mut all: Vec<(u32, T)> = Vec::with_capacity(rows);
        for b in blocks {
            each!(&b.values, v => all.extend(b.groups.iter().zip(v).map(|(&g, &x)| (g, T::of(i64::from(x))))));
        }
        all.sort_by_key(|e| e.0);
        let mut values = Vec::new();
        for same in all.chunk_by(|a, b| a.0 == b.0) {
            values.clear();
            values.extend(same.iter().map(|e| e.1));
            run(same[0].0, &values)?;
        }
        return Ok(());
    }
    let mut starts = vec![0usize; most + 2];
    for &g in blocks.iter().flat_map(|b| &b.groups) {
        starts[g as usize + 1] += 1;
    }
    for g in 0..=most {
        starts[g + 1] += starts[g];
    }
    let (mut next, mut values) = (starts.clone(), vec![T::default(); rows]);
    for b in blocks {
        each!(&b.values, v => scatter(&b.groups, v, &mut values, &mut next, |x| T::of(i64::from(x))));
    }
    for (g, range) in starts.windows(2).enumerate() {
        run(g as u32, &values[range[0]..range[1]])?;
    }
    Ok(())
}

/// Reads back what [`List::export`] gave for a group. `None`: broken bytes.
pub fn each_listed(bytes: &[u8], mut take: impl FnMut(i64)) -> Option<()> {
    let (&width, values) = bytes.split_first()?;
    macro_rules! read {
        ($t:ty) => {{
            let all = values.chunks_exact(size_of::<$t>());
            if !all.remainder().is_empty() {
                return None;
            }
            for x in all {
                take(i64::from(<$t>::from_le_bytes(x.try_into().ok()?)));
            }
        }};
    }
    match width {
        2 => read!(i16),
        4 => read!(i32),
        8 => read!(i64),
        _ => return None,
    }
    Some(())
}

/// All values, with their groups.
#[derive(Debug, Default)]
pub struct List {
    blocks: Vec<Block>,
    width: u8,
    len: usize,
}

fn width_of(values: &[i64]) -> u8 {
    let (lo, hi) = values
        .iter()
        .fold((0, 0), |(lo, hi): (i64, i64), &v| (lo.min(v), hi.max(v)));
    match () {
        _ if lo >= i16::MIN as i64 && hi <= i16::MAX as i64 => 2,
        _ if lo >= i32::MIN as i64 && hi <= i32::MAX as i64 => 4,
        _ => 8,
    }
}

impl List {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let one = |b: &Block| {
            b.groups.capacity() * 4
                + match &b.values {
                    Narrow::I16(v) => v.capacity() * 2,
                    Narrow::I32(v) => v.capacity() * 4,
                    Narrow::I64(v) => v.capacity() * 8,
                }
        };
        // all blocks but the last are full
        match self.blocks.split_last() {
            None => 0,
            Some((last, full)) => full.len() * BLOCK * (4 + self.width as usize) + one(last),
        }
    }
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = List::default();
    }
    /// Adds values with their groups.
    pub fn append(&mut self, mut groups: &[u32], mut values: &[i64]) {
        let width = width_of(values).max(self.width);
        while !values.is_empty() {
            let full = self.blocks.last().is_none_or(|b| b.groups.len() == BLOCK);
            if full || width > self.width {
                self.width = width;
                let room = if self.blocks.is_empty() { 0 } else { BLOCK };
                let values = match width {
                    2 => Narrow::I16(Vec::with_capacity(room)),
                    4 => Narrow::I32(Vec::with_capacity(room)),
                    _ => Narrow::I64(Vec::with_capacity(room)),
                };
                self.blocks.push(Block {
                    groups: Vec::with_capacity(room),
                    values,
                });
            }
            let Some(block) = self.blocks.last_mut() else {
                return;
            };
            let n = values.len().min(BLOCK - block.groups.len());
            let (now, later) = values.split_at(n);
            let (now_groups, later_groups) = groups.split_at(n);
            block.groups.extend_from_slice(now_groups);
            match &mut block.values {
                Narrow::I16(v) => v.extend(now.iter().map(|&x| x as i16)),
                Narrow::I32(v) => v.extend(now.iter().map(|&x| x as i32)),
                Narrow::I64(v) => v.extend_from_slice(now),
            }
            self.len += n;
            (groups, values) = (later_groups, later);
        }
    }
    /// Hands out runs of one group's values, encoded: their width, and each in so many bytes.
    pub fn export(&self, emit: &mut dyn FnMut(u32, &[u8]) -> Result<()>) -> Result<()> {
        let mut bytes = Vec::new();
        for blocks in self.blocks.chunks(TOGETHER) {
            let width = blocks.iter().map(|b| b.values.width()).max().unwrap_or(2);
            match width {
                2 => export_runs::<i16>(blocks, &mut bytes, emit)?,
                4 => export_runs::<i32>(blocks, &mut bytes, emit)?,
                _ => export_runs::<i64>(blocks, &mut bytes, emit)?,
            }
        }
        Ok(())
    }
    /// Takes back what [`List::export`] gave for a group. `None`: broken bytes.
    pub fn import(&mut self, group: u32, bytes: &[u8], room: &mut (Vec<u32>, Vec<i64>)) -> Option<()> {
        room.1.clear();
        each_listed(bytes, |x| room.1.push(x))?;
        room.0.clear();
        room.0.resize(room.1.len(), group);
        self.append(&room.0, &room.1);
        Some(())
    }

    /// Bytes that [`List::sorted`] takes.
    pub fn sorting_bytes(&self) -> usize {
        self.len * self.width as usize
    }

    /// The values by group; the list is emptied.
    #[expect(clippy::unnecessary_cast, reason = "one body for three widths")]
    pub fn sorted(&mut self, groups: usize) -> ByGroup {
        let mut starts = vec![0usize; groups + 1];
        for block in &self.blocks {
            block.groups.iter().for_each(|&g| starts[g as usize + 1] += 1);
        }
        for g in 0..groups {
            starts[g + 1] += starts[g];
        }
        let mut next = starts.clone();
        let mut values = match self.width {
            0 | 2 => Narrow::I16(vec![0; self.len]),
            4 => Narrow::I32(vec![0; self.len]),
            _ => Narrow::I64(vec![0; self.len]),
        };
        for block in std::mem::take(&mut self.blocks) {
            each!(&block.values, from => match &mut values {
                Narrow::I16(to) => scatter(&block.groups, from, to, &mut next, |x| x as i16),
                Narrow::I32(to) => scatter(&block.groups, from, to, &mut next, |x| x as i32),
                Narrow::I64(to) => scatter(&block.groups, from, to, &mut next, |x| x as i64),
            });
        }
        self.clear();
        ByGroup { starts, values }
    }
}

fn scatter<F: Copy, T>(groups: &[u32], from: &[F], to: &mut [T], next: &mut [usize], cast: impl Fn(F) -> T) {
    for (&g, &x) in groups.iter().zip(from) {
        let at = &mut next[g as usize];
        to[*at] = cast(x);
        *at += 1;
    }
}

/// A list's values, group after group.
#[derive(Debug)]
pub struct ByGroup {
    starts: Vec<usize>,
    values: Narrow,
}

impl ByGroup {
    /// What is around the quantile of a group's values; `None` of nothing.
    pub fn quantile(&mut self, group: usize, q: f64) -> Option<Around> {
        let range = self.starts[group]..self.starts[group + 1];
        each!(&mut self.values, v => select(&mut v[range], q))
    }
}

/// The two neighbours of the quantile and the way between them.
fn select<T: Ord + Copy + Into<i64>>(values: &mut [T], q: f64) -> Option<Around> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (at, t) = place(n as u64, q);
    let (_, lo, above) = values.select_nth_unstable(at as usize);
    let lo = *lo;
    let hi = if t > 0.0 {
        above.iter().min().copied().unwrap_or(lo)
    } else {
        lo
    };
    Some((lo.into(), hi.into(), t))
}

/// Distinct values by group.
#[derive(Debug)]
pub struct Set {
    encoder: KeyEncoder,
    values: KeyTable,
    pairs: KeyTable,
    ids: Vec<u32>,
    room: (Vec<u128>, Vec<u64>, Vec<u32>),
}

impl Set {
    /// An empty set of values of a logical type.
    pub fn new(ty: &arrow::datatypes::DataType) -> Result<Set> {
        Ok(Set {
            encoder: KeyEncoder::new(vec![ty.clone()])?,
            values: KeyTable::default(),
            pairs: KeyTable::default(),
            ids: Vec::new(),
            room: Default::default(),
        })
    }
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.values.bytes() + self.pairs.bytes()
    }
    /// Bytes that `rows` more values may take besides.
    pub fn growth(&self, rows: usize) -> usize {
        self.values.growth(rows, 0) + self.pairs.growth(rows, 0)
    }
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.values.clear();
        self.pairs.clear();
    }
    /// Adds a column's values; `groups` of all rows.
    pub fn update(&mut self, arg: &Arg, groups: &[u32], column: &Col) {
        let rows = groups.len();
        self.encoder.encode(std::slice::from_ref(column), rows);
        let e = &self.encoder;
        self.values.groups(&e.keys, &e.hashes, &e.scratch, &mut self.ids);
        self.room.0.clear();
        let ids = &self.ids;
        match &arg.rows {
            None => self
                .room
                .0
                .extend(groups.iter().zip(ids).map(|(&g, &v)| pair(g, v))),
            Some(rows) => {
                let all = rows.iter().zip(arg.groups.iter());
                self.room.0.extend(all.map(|(&i, &g)| pair(g, ids[i as usize])));
            }
        }
        self.room.1.clear();
        self.room.1.extend(self.room.0.iter().map(|&k| hash_u128(k)));
        self.pairs
            .groups(&self.room.0, &self.room.1, &[], &mut self.room.2);
    }
    /// Hands out runs of one group's values, encoded.
    pub fn export(&self, emit: &mut dyn FnMut(u32, &[u8]) -> Result<()>) -> Result<()> {
        const PART: usize = 64 << 10;
        let mut bytes = Vec::new();
        for part in self.pairs.keys().chunks(PART) {
            let mut part: Vec<(u32, u32)> = part.iter().map(|&p| unpair(p)).collect();
            part.sort_unstable();
            for run in part.chunk_by(|a, b| a.0 == b.0).flat_map(|r| r.chunks(512)) {
                bytes.clear();
                for &(_, v) in run {
                    let key = self.values.keys()[v as usize];
                    put_key(&mut bytes, key, |k| self.values.long_bytes(k));
                }
                emit(run[0].0, &bytes)?;
            }
        }
        Ok(())
    }
    /// Takes back what [`Set::export`] gave for a group. `None`: broken bytes.
    pub fn import(&mut self, group: u32, bytes: &[u8]) -> Option<()> {
        self.import_some(group, bytes, |_| true)
    }
    /// As [`Set::import`], but only values whose hash is wanted.
    pub fn import_some(&mut self, group: u32, bytes: &[u8], wanted: impl Fn(u64) -> bool) -> Option<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (key, hash) = get_key(bytes, &mut rest)?;
            if !wanted(hash) {
                continue;
            }
            self.values.reserve(1);
            let id = self.values.find_or_add(key, hash, bytes);
            let p = pair(group, id);
            self.pairs.reserve(1);
            self.pairs.find_or_add(p, hash_u128(p), &[]);
        }
        Some(())
    }
    /// The number of pairs of a group and a value.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }
    /// The number of distinct values by group.
    pub fn counts(&self, groups: usize) -> Vec<i64> {
        let mut counts = vec![0; groups];
        self.pairs
            .keys()
            .iter()
            .for_each(|&p| counts[unpair(p).0 as usize] += 1);
        counts
    }
}

fn pair(group: u32, value: u32) -> u128 {
    1 | (group as u128) << 32 | (value as u128) << 64
}

fn unpair(pair: u128) -> (u32, u32) {
    ((pair >> 32) as u32, (pair >> 64) as u32)
}

/// Appends a key: its 16 bytes, or `LONG, length: u32, bytes`.
pub fn put_key<'a>(out: &mut Vec<u8>, key: u128, long: impl FnOnce(u128) -> &'a [u8]) {
    if is_long(key) {
        let bytes = long(key);
        out.push(LONG);
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    } else {
        out.extend_from_slice(&key.to_le_bytes());
    }
}

/// Reads a key from the front of `rest`, the end of `all`; a long key refers to `all` as scratch.
pub fn get_key(all: &[u8], rest: &mut &[u8]) -> Option<(u128, u64)> {
    if *rest.first()? != LONG {
        let key = u128::from_le_bytes(take(rest, 16)?.try_into().ok()?);
        return Some((key, hash_u128(key)));
    }
    take(rest, 1)?;
    let at = all.len() - rest.len();
    let len = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    let hash = hash_bytes(take(rest, len as usize)?);
    Some((long_key(hash, at as u64), hash))
}
