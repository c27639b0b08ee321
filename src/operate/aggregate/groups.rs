//! Groups with their states: the table that both ends of an aggregation fill.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray, new_null_array};

use super::codec::{take, varint};
use super::column::Col;
use super::direct::Direct;
use super::finals::Finals;
use super::keys::KeyEncoder;
use super::plan::{FROM_STATES, Plan};
use super::rows::{BucketWriter, Row, Rows, broken};
use super::state::{Arg, Needs, State};
use super::values::{List, Set, get_key};
use crate::error::Result;
use crate::kernel::Batch;
use crate::kernel::group::{KeyTable, is_long, scratch_bytes};
use crate::kernel::hash::hash_u128;

/// How large the texts are that one group puts together.
#[derive(Debug, Default)]
pub struct TextSizes {
    /// Their number.
    pub texts: usize,
    /// Bytes of each state of such.
    of_each: Vec<usize>,
}

impl TextSizes {
    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.of_each.iter().sum()
    }
}

/// Keys, states and values of some groups.
#[derive(Debug)]
pub struct Groups {
    /// What is computed.
    pub plan: Arc<Plan>,
    encoder: KeyEncoder,
    /// The keys.
    pub table: KeyTable,
    states: Vec<State>,
    lists: Vec<List>,
    sets: Vec<Set>,
    direct: Direct,
    ids: Vec<u32>,
    /// What the states over each column look at.
    needs: Vec<Needs>,
    capacity: usize,
    room: (Vec<u32>, Vec<i64>),
}

impl Groups {
    /// No groups yet.
    pub fn new(plan: &Arc<Plan>) -> Result<Groups> {
        Ok(Groups {
            encoder: KeyEncoder::new(plan.key_types.clone())?,
            table: KeyTable::default(),
            states: plan.states.iter().map(|&(kind, _)| State::new(kind)).collect(),
            lists: plan.lists.iter().map(|_| List::default()).collect(),
            sets: plan
                .sets
                .iter()
                .map(|&c| Set::new(&plan.types[c]))
                .collect::<Result<_>>()?,
            direct: Direct::default(),
            ids: Vec::new(),
            needs: (0..plan.columns.len()).map(|c| plan.needs(c)).collect(),
            capacity: 0,
            room: Default::default(),
            plan: plan.clone(),
        })
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether any aggregate keeps all values.
    pub fn has_values(&self) -> bool {
        !(self.lists.is_empty() && self.sets.is_empty())
    }

    fn per_group(&self) -> usize {
        self.states.iter().map(|s| s.bytes().0).sum()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let owned: usize = self.states.iter().map(|s| s.bytes().1).sum();
        self.table.bytes()
            + self.direct.bytes()
            + self.capacity * self.per_group()
            + owned
            + self.lists.iter().map(List::bytes).sum::<usize>()
            + self.sets.iter().map(Set::bytes).sum::<usize>()
    }

    /// Whether any aggregate puts texts together.
    pub fn has_texts(&self) -> bool {
        self.states.iter().any(|s| matches!(s, State::Texts(..)))
    }

    fn texts(&mut self) -> impl Iterator<Item = (&mut Vec<Vec<u8>>, &mut usize)> {
        self.states.iter_mut().filter_map(|s| match s {
            State::Texts(all, owned) => Some((all, owned)),
            _ => None,
        })
    }

    /// Counts the texts that the groups have, and forgets them. `None`: broken bytes.
    pub fn count_texts(&mut self, sizes: &mut TextSizes) -> Option<()> {
        for (i, (all, owned)) in self.texts().enumerate() {
            if sizes.of_each.len() <= i {
                sizes.of_each.push(0);
            }
            for texts in all.iter_mut() {
                let mut rest = &texts[..];
                while !rest.is_empty() {
                    let n = varint(&mut rest)? as usize;
                    take(&mut rest, n)?;
                    sizes.texts += 1;
                }
                sizes.of_each[i] += texts.len();
                texts.clear();
            }
            *owned = 0;
        }
        Some(())
    }

    /// Begins anew for one group, with room for just so many texts.
    pub fn reserve_texts(&mut self, sizes: &TextSizes) {
        self.clear();
        for ((all, _), &bytes) in self.texts().zip(&sizes.of_each) {
            all.push(Vec::with_capacity(bytes));
        }
    }

    /// Where some groups from `from` on end: at most `rows`, and fewer where their texts have about so many bytes.
    pub fn some(&self, from: usize, rows: usize, bytes: usize) -> usize {
        let most = (from + rows).min(self.len());
        if !self.states.iter().any(State::has_texts) {
            return most;
        }
        let (mut end, mut taken) = (from, 0);
        while end < most && taken < bytes {
            taken += self.states.iter().map(|s| s.text_len(end)).sum::<usize>();
            end += 1;
        }
        end
    }

    /// Bytes that `rows` more rows may take besides, with `long` bytes of long keys.
    pub fn growth(&self, rows: usize, long: usize) -> usize {
        let want = self.len() + rows;
        let states = match want > self.capacity {
            true => want.max(self.capacity * 2) * self.per_group(),
            false => 0,
        };
        // counts of nulls are there only where there are nulls
        let nulls = |s: &State| match s {
            State::Nulls(v) if !v.is_empty() && want > v.capacity() => 8 * want.max(2 * v.capacity()),
            _ => 0,
        };
        self.table.growth(rows, long)
            + states
            + self.states.iter().map(nulls).sum::<usize>()
            + self.lists.len() * rows * 24
            + self.sets.iter().map(|s| s.growth(rows)).sum::<usize>()
    }

    fn make_room(&mut self) {
        let groups = self.len();
        if groups > self.capacity {
            self.capacity = groups.max(self.capacity * 2);
        }
        self.states.iter_mut().for_each(|s| s.resize(groups));
    }

    /// Forgets all groups and gives the memory back.
    pub fn clear(&mut self) {
        self.table.clear();
        self.direct.clear();
        self.states.iter_mut().for_each(|s| s.clear(false));
        self.lists.iter_mut().for_each(List::clear);
        self.sets.iter_mut().for_each(Set::clear);
        self.capacity = 0;
    }

    /// Forgets all groups and keeps the memory for the next ones (value lists excepted).
    pub fn recycle(&mut self) {
        self.table.recycle();
        self.direct.clear();
        self.states.iter_mut().for_each(|s| s.clear(true));
        self.lists.iter_mut().for_each(List::clear);
        self.sets.iter_mut().for_each(Set::clear);
    }

    /// Encodes the keys of a batch; gives the bytes of long ones. First of the two steps.
    /// Without `pass_through` dictionary columns may be left for [`Groups::update`].
    pub fn encode(&mut self, batch: &Batch, pass_through: bool) -> Result<usize> {
        if !pass_through && self.is_direct(batch) {
            return Ok(0);
        }
        if let (Some(texts), false) = (self.plain_texts(batch), pass_through) {
            let long = |view: &u128| {
                if *view as u32 > 12 {
                    *view as u32 as usize + 4
                } else {
                    0
                }
            };
            return Ok(texts.views().iter().map(long).sum());
        }
        let keys: Vec<Col> =
            (self.plan.keys.iter().map(|&k| Col::new(&batch.columns[k]))).collect::<Result<_>>()?;
        let rows = match keys.is_empty() && !pass_through {
            true => batch.rows.min(1), // all rows have the one key
            false => batch.rows,
        };
        self.encoder.encode(&keys, rows);
        Ok(self.encoder.scratch.len())
    }

    fn is_direct(&self, batch: &Batch) -> bool {
        Direct::accepts(self.plan.keys.iter().map(|&k| &batch.columns[k]))
    }

    /// The key column, if it is a single one of texts without nulls and the table is small: then
    /// [`Groups::encode`] has nothing to do.
    fn plain_texts<'a>(&self, batch: &'a Batch) -> Option<&'a StringViewArray> {
        let &[k] = self.plan.keys.as_slice() else {
            return None;
        };
        let texts = batch.columns[k].as_any().downcast_ref::<StringViewArray>()?;
        (texts.null_count() == 0 && self.table.is_small()).then_some(texts)
    }

    /// Finds the groups of the batch that was encoded, and updates their states.
    pub fn update(&mut self, batch: &Batch) -> Result<()> {
        let mut ids = std::mem::take(&mut self.ids);
        if self.plan.keys.is_empty() && batch.rows > 0 {
            // one group; the first row makes it
            let e = &self.encoder;
            self.table
                .groups(&e.keys[..1], &e.hashes[..1], &e.scratch, &mut ids);
            ids.resize(batch.rows, 0);
        } else if self.is_direct(batch) {
            let keys: Vec<&ArrayRef> = self.plan.keys.iter().map(|&k| &batch.columns[k]).collect();
            self.direct
                .groups(&keys, &mut self.encoder, &mut self.table, &mut ids)?;
        } else if let Some(texts) = self.plain_texts(batch) {
            self.table.texts(texts, &mut ids);
        } else {
            let e = &self.encoder;
            self.table.groups(&e.keys, &e.hashes, &e.scratch, &mut ids);
        }
        self.make_room();
        let done = self.take(batch, &ids);
        self.ids = ids;
        done
    }

    fn take(&mut self, batch: &Batch, ids: &[u32]) -> Result<()> {
        let plan = self.plan.clone();
        let columns: Vec<Col> =
            (plan.columns.iter().map(|&c| Col::new(&batch.columns[c]))).collect::<Result<_>>()?;
        let args: Vec<Arg> = (columns.iter().zip(&self.needs))
            .map(|(c, &needs)| Arg::new(c, ids, batch.position, needs))
            .collect();
        // without keys all rows are of one group; while rows pass through each is one
        let only = plan.keys.is_empty() && self.len() == 1;
        let own = self.states.iter_mut().zip(&plan.states);
        for (state, &(_, c)) in own.filter(|(_, s)| s.1 != FROM_STATES) {
            if !only || !state.update_only(args.get(c), ids.len()) {
                state.update(args.get(c), ids);
            }
        }
        for merged in &plan.merged {
            let bytes = batch.columns[merged.column].as_binary_opt::<i32>();
            let bytes = bytes.ok_or_else(broken)?;
            let mut at: Vec<u32> = (bytes.value_offsets().iter().map(|&o| o as u32)).collect();
            for state in &mut self.states[merged.states.clone()] {
                state.merge(ids, &mut at, bytes.value_data()).ok_or_else(broken)?;
            }
        }
        for (list, &c) in self.lists.iter_mut().zip(&plan.lists) {
            list.append(&args[c].groups, &args[c].listed());
        }
        for (set, &c) in self.sets.iter_mut().zip(&plan.sets) {
            set.update(&args[c], ids, &columns[c]);
        }
        Ok(())
    }

    /// Instead of [`Groups::update`], on an empty table: each row of the encoded batch goes to
    /// `out` as a group of its own.
    pub fn pass_through(&mut self, batch: &Batch, out: &mut BucketWriter) -> Result<()> {
        let rows = batch.rows;
        self.ids.clear();
        self.ids.extend(0..rows as u32);
        self.states.iter_mut().for_each(|s| s.clear(true));
        self.states.iter_mut().for_each(|s| s.resize(rows));
        self.capacity = self.capacity.max(rows);
        let ids = std::mem::take(&mut self.ids);
        self.take(batch, &ids)?;
        self.ids = ids;
        let e = &self.encoder;
        for i in 0..rows {
            let states = &self.states;
            out.row(
                e.hashes[i],
                e.keys[i],
                |k| scratch_bytes(&e.scratch, k),
                0,
                |to| {
                    states.iter().for_each(|s| s.encode(i as u32, to));
                },
            )?;
        }
        self.export_values(
            out,
            |g| (e.hashes[g as usize], e.keys[g as usize]),
            |k| scratch_bytes(&e.scratch, k),
        )?;
        self.lists.iter_mut().for_each(List::clear);
        self.sets.iter_mut().for_each(Set::clear);
        Ok(())
    }

    fn export_values<'a>(
        &'a self,
        out: &mut BucketWriter,
        key: impl Fn(u32) -> (u64, u128),
        long: impl Fn(u128) -> &'a [u8] + Copy,
    ) -> Result<()> {
        let mut what = 0;
        let mut emit = |what: u8, group: u32, bytes: &[u8]| {
            let (hash, key) = key(group);
            out.row(hash, key, long, what, |to| to.extend_from_slice(bytes))
        };
        for list in &self.lists {
            what += 1;
            list.export(&mut |g, bytes| emit(what, g, bytes))?;
        }
        for set in &self.sets {
            what += 1;
            set.export(&mut |g, bytes| emit(what, g, bytes))?;
        }
        Ok(())
    }

    /// Writes all groups to `out`.
    pub fn export(&self, out: &mut BucketWriter) -> Result<()> {
        let table = &self.table;
        for (g, &key) in table.keys().iter().enumerate() {
            out.row(
                table.hash(key),
                key,
                |k| table.long_bytes(k),
                0,
                |to| {
                    self.states.iter().for_each(|s| s.encode(g as u32, to));
                },
            )?;
        }
        let key = |g: u32| {
            let key = table.keys()[g as usize];
            (table.hash(key), key)
        };
        self.export_values(out, key, |k| table.long_bytes(k))
    }

    /// The hashes of the keys that the last [`Groups::encode`] saw (none of a dictionary column).
    pub fn hashes(&self) -> &[u64] {
        &self.encoder.hashes
    }

    /// Merges the rows of a chunk that [`Groups::export`] or [`Groups::pass_through`] wrote;
    /// value lists and sets only with `values`.
    pub fn merge(&mut self, chunk: &[u8], values: bool) -> Result<()> {
        let (mut keys, mut hashes, mut at, mut ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut rows = Rows::new(chunk);
        while let Some(Row { start, end, hash }) = rows.next_row()? {
            let mut rest = &chunk[start + Row::HEAD..end];
            let (key, _) = key_at(chunk, end, &mut rest).ok_or_else(broken)?;
            keys.push(key);
            hashes.push(hash);
            at.push((end - rest.len()) as u32);
            ends.push(end as u32);
        }
        let mut ids = std::mem::take(&mut self.ids);
        self.table.groups(&keys, &hashes, chunk, &mut ids);
        self.make_room();
        self.merge_payloads(chunk, &ids, &at, &ends, values)
            .ok_or_else(broken)?;
        self.ids = ids;
        Ok(())
    }

    fn merge_payloads(
        &mut self,
        chunk: &[u8],
        ids: &[u32],
        at: &[u32],
        ends: &[u32],
        values: bool,
    ) -> Option<()> {
        let (mut groups, mut from) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        for i in 0..ids.len() {
            let payload = chunk.get(at[i] as usize..ends[i] as usize)?;
            let (&what, payload) = payload.split_first()?;
            match what as usize {
                0 => {
                    groups.push(ids[i]);
                    from.push(at[i] + 1);
                }
                _ if !values => {}
                n if n <= self.lists.len() => self.lists[n - 1].import(ids[i], payload, &mut self.room)?,
                n => self
                    .sets
                    .get_mut(n - 1 - self.lists.len())?
                    .import(ids[i], payload)?,
            }
        }
        for state in &mut self.states {
            state.merge(&groups, &mut from, chunk)?;
        }
        Some(())
    }

    /// A group for the key of no columns, if there is none.
    pub fn ensure_unit(&mut self) {
        self.table.reserve(1);
        self.table.find_or_add(0, hash_u128(0), &[]);
        self.make_room();
    }

    /// Groups whose keys are null but for one, which has these values.
    pub fn ensure_totals(&mut self, key: usize, values: Vec<i64>) -> Result<()> {
        let rows = values.len();
        let column = |(i, ty)| match i == key {
            true => Col::new(&(Arc::new(Int64Array::from(values.clone())) as ArrayRef)),
            false => Col::new(&new_null_array(ty, rows)),
        };
        let columns = self.plan.key_types.iter().enumerate().map(column);
        self.encoder.encode(&columns.collect::<Result<Vec<_>>>()?, rows);
        let e = &self.encoder;
        self.table.groups(&e.keys, &e.hashes, &e.scratch, &mut self.ids);
        self.make_room();
        Ok(())
    }

    /// Bytes that [`Groups::finals`] takes besides.
    pub fn finals_bytes(&self) -> usize {
        // of a text that is put together there are its parts and the result
        let texts = |s: &State| match s {
            State::Texts(all, _) => 3 * all.iter().map(Vec::len).max().unwrap_or(0),
            _ => 0,
        };
        self.lists.iter().map(List::sorting_bytes).sum::<usize>()
            + self.sets.len() * self.len() * 8
            + self.states.iter().map(texts).sum::<usize>()
    }

    /// Turns value lists into what results are computed from.
    pub fn finals(&mut self) -> Finals {
        let groups = self.len();
        Finals {
            heavy: Vec::new(),
            lists: self.lists.iter_mut().map(|l| l.sorted(groups)).collect(),
            counts: self.sets.iter().map(|s| s.counts(groups)).collect(),
        }
    }

    /// Key and result columns of some groups.
    pub fn output(&self, finals: &mut Finals, groups: Range<usize>) -> Result<Vec<ArrayRef>> {
        let mut columns = self.encoder.decode(&self.table, groups.clone())?;
        for last in &self.plan.finals {
            columns.push(finals.column(last, &self.states, groups.clone())?);
        }
        Ok(columns)
    }
}

/// The key at the front of `rest`, which ends at `end` of `chunk`; long keys refer to `chunk`.
fn key_at(chunk: &[u8], end: usize, rest: &mut &[u8]) -> Option<(u128, u64)> {
    let all = &chunk[..end];
    let (key, hash) = get_key(all, rest)?;
    debug_assert!(!is_long(key) || (key >> 64) as usize + 4 <= end);
    Some((key, hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{AggFunc, PairFunc};
    use crate::operate::aggregate::AggregateSpec;
    use arrow::array::{Decimal128Array, Float64Array};
    use arrow::datatypes::{DataType, Field, Schema};

    /// What a group of one row takes: in memory besides its key, and written down.
    fn sizes(aggs: &[AggFunc], value: f64) -> (usize, usize) {
        let pair = DataType::Decimal128(38, 0);
        let fields = [("x", DataType::Float64), ("p", pair.clone())];
        let schema = Schema::new(fields.map(|(n, t)| Field::new(n, t, true)).to_vec());
        let column = |a: &AggFunc| Some(usize::from(matches!(a, AggFunc::Pair(_))));
        let spec = AggregateSpec {
            keys: vec![0],
            aggs: aggs.iter().map(|a| (*a, column(a))).collect(),
            totals: None,
        };
        let mut groups = Groups::new(&Arc::new(Plan::new(&spec, &schema).unwrap())).unwrap();
        let bits = (value.to_bits() as i128) << 64 | value.to_bits() as i128;
        let pairs = Decimal128Array::from(vec![bits]).with_data_type(pair);
        let columns: Vec<ArrayRef> = vec![Arc::new(Float64Array::from(vec![value])), Arc::new(pairs)];
        let batch = Batch::new(columns, 1, 0);
        groups.encode(&batch, false).unwrap();
        groups.update(&batch).unwrap();
        let owned: usize = groups.states.iter().map(|s| s.bytes().1).sum();
        let mut bytes = Vec::new();
        groups.states.iter().for_each(|s| s.encode(0, &mut bytes));
        (groups.per_group() + owned, bytes.len())
    }

    #[test]
    fn groups_of_one_row_are_small() {
        use AggFunc::{Count, Kurtosis, Mean, Pair, Skewness, Std, Var};
        for value in [0.1, 1e200, -3e-300, 12345.678, f64::NAN] {
            for agg in [Std, Var, Skewness, Kurtosis, Pair(PairFunc::Corr)] {
                let (held, written) = sizes(&[agg], value);
                assert!(
                    held <= 64 && written <= 32,
                    "{agg:?} of {value}: {held} {written}"
                );
            }
        }
        let (held, written) = sizes(&[Count, Mean], 0.1);
        assert!(held <= 24 && written <= 24, "{held} {written}");
    }
}
