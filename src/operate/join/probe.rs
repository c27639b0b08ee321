//! The probe side: each left batch meets the rows that match.
//!
//! Pairs of row numbers are gathered first, some thousand at a time, then the columns of both sides
//! are taken by them. A further condition is computed over such pairs; left rows without a
//! surviving pair are put back between the others, so that the order of the left holds. Where each
//! key has one row at most, no pairs are needed: each left row knows its right row.
//!
//! A build side that even by itself is too large comes in parts ([`super::bucket`]). Then a left row
//! may match in any part: matches are put out part by part and marked, and what has no mark is known
//! at the end.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, NullArray, UInt32Array, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};

use super::build::{encoder, key_columns};
use super::coded::Coded;
use super::index::Rows;
use super::{BuildSide, JoinSpec};
use crate::error::Result;
use crate::expr::{Evaluator, JoinKind};
use crate::kernel::Batch;
use crate::kernel::group::NONE;
use crate::operate::aggregate::{Col, KeyEncoder};
use crate::pipeline::{Emit, Flow, TaskContext, Transform};

/// Joins the batches that pass with a build side.
pub struct Probe {
    spec: JoinSpec,
    side: Arc<BuildSide>,
    encoder: KeyEncoder,
    filter: Option<Evaluator>,
    schema: SchemaRef,
    groups: Vec<u32>,
    coded: Coded,
    pairs: Pairs,
    /// Rows emitted in this task: they number the batches that come out.
    emitted: u64,
}

/// Row numbers of the left batch and of the build side; [`NONE`] on the right stands for nulls.
#[derive(Default)]
struct Pairs {
    left: Vec<u32>,
    right: Vec<u32>,
}

impl Pairs {
    fn push(&mut self, left: u32, right: u32) {
        self.left.push(left);
        self.right.push(right);
    }
    fn clear(&mut self) {
        self.left.clear();
        self.right.clear();
    }
}

/// How far a left batch has come.
struct Progress {
    /// The next left row to be put out.
    next: u32,
    /// Whether it has had a match already, in pairs put out before.
    matched: bool,
}

impl Probe {
    /// A probe of `side` by rows of `left`.
    ///
    /// # Errors
    /// A key is of a type that nothing is joined on, or the condition does not fit the columns.
    pub fn new(spec: &JoinSpec, left: &Schema, side: Arc<BuildSide>) -> Result<Self> {
        let fields = left.fields().iter().take(spec.left_columns).cloned();
        let right = side.schema.fields().iter().take(spec.right_columns).cloned();
        let both = Schema::new(fields.clone().chain(right).collect::<Vec<_>>());
        let filter = spec
            .filter
            .as_ref()
            .map(|f| Evaluator::bind(f, &both))
            .transpose()?;
        let schema = match spec.kind.yields_right() {
            true => both,
            false => Schema::new(fields.collect::<Vec<_>>()),
        };
        Ok(Probe {
            encoder: encoder(&spec.left_keys, left)?,
            spec: spec.clone(),
            side,
            filter,
            schema: Arc::new(schema),
            groups: Vec::new(),
            coded: Coded::default(),
            pairs: Pairs::default(),
            emitted: 0,
        })
    }

    /// Names and types of what comes out.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Each row's group in the build side, [`NONE`] for those without a match.
    fn find(&mut self, batch: &Batch) -> Result<()> {
        let (index, encoder, groups) = (self.side.index(), &mut self.encoder, &mut self.groups);
        let by_code = match self.spec.left_keys[..] {
            [key] => (self.coded).find(&batch.columns[key], index, encoder, groups)?,
            _ => false,
        };
        if !by_code {
            let keys = key_columns(&batch.columns, &self.spec.left_keys)?;
            index.find(&keys, batch.rows, encoder, groups);
        }
        if let Some(asof) = &self.spec.asof {
            let column = Col::new(&batch.columns[asof.left])?;
            index.nearest(asof.op, &column, &mut self.groups);
        }
        Ok(())
    }

    /// Lets go of left columns that nobody reads.
    fn blank(&self, batch: &mut Batch) {
        for c in (0..self.spec.left_columns).filter(|&c| self.spec.is_unused(c)) {
            batch.columns[c] = Arc::new(NullArray::new(batch.rows));
        }
    }

    /// Left and right columns of the pairs.
    fn columns(&self, batch: &Batch, pairs: &Pairs, right: bool) -> Result<Vec<ArrayRef>> {
        let whole =
            pairs.left.len() == batch.rows && pairs.left.iter().enumerate().all(|(i, &l)| i == l as usize);
        let rows = UInt32Array::from(pairs.left.clone());
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for column in &batch.columns[..self.spec.left_columns] {
            columns.push(match whole {
                true => column.clone(),
                false => take(column, &rows, None)?,
            });
        }
        if right {
            self.right_columns(pairs.right.clone(), &mut columns)?;
        }
        Ok(columns)
    }

    /// The right columns of these rows, nulls for [`NONE`].
    fn right_columns(&self, rows: Vec<u32>, columns: &mut Vec<ArrayRef>) -> Result<()> {
        let nulls = rows.contains(&NONE).then(|| {
            let found = BooleanBuffer::collect_bool(rows.len(), |i| rows[i] != NONE);
            NullBuffer::new(found)
        });
        let rows = UInt32Array::new(rows.into(), nulls);
        for (c, column) in self.side.columns()[..self.spec.right_columns].iter().enumerate() {
            columns.push(match self.spec.is_unused(self.spec.left_columns + c) {
                true => Arc::new(NullArray::new(rows.len())),
                false => take(column, &rows, None)?,
            });
        }
        Ok(())
    }

    /// Each left row beside its only right row.
    fn beside(&mut self, batch: Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        let mut rows = std::mem::take(&mut self.groups);
        let (mut columns, mut n) = (batch.columns, batch.rows);
        columns.truncate(self.spec.left_columns);
        if self.spec.kind == JoinKind::Inner {
            // each row is written down, and the next one over it if it has no match: no branch
            let mut left = vec![0u32; rows.len()];
            n = 0;
            for i in 0..rows.len() {
                let row = rows[i];
                (left[n], rows[n]) = (i as u32, row);
                n += usize::from(row != NONE);
            }
            if n < rows.len() {
                rows.truncate(n);
                left.truncate(n);
                let left = UInt32Array::from(left);
                for column in &mut columns {
                    *column = take(column, &left, None)?;
                }
            }
        }
        self.right_columns(rows, &mut columns)?;
        self.emit(columns, n, emit, cx)
    }

    /// Puts out rows and numbers them.
    fn emit(
        &mut self,
        columns: Vec<ArrayRef>,
        rows: usize,
        emit: &mut Emit,
        cx: &TaskContext,
    ) -> Result<Flow> {
        if rows == 0 {
            return Ok(Flow::More);
        }
        let position = u64::from(cx.part) << 40 | self.emitted;
        self.emitted += rows as u64;
        emit(Batch::new(columns, rows, position))
    }

    /// Rows that have a match, or those that have none; nothing but the keys counts.
    fn keep(&mut self, batch: &Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        let wanted = self.spec.kind == JoinKind::Semi;
        let mask: BooleanArray = self.groups.iter().map(|&g| Some((g != NONE) == wanted)).collect();
        let mut kept = batch.filter(&mask)?;
        kept.columns.truncate(self.spec.left_columns);
        self.emit(kept.columns, kept.rows, emit, cx)
    }

    /// Puts out what the gathered pairs amount to; left rows before `upto` have no further pairs.
    fn flush(
        &mut self,
        batch: &Batch,
        at: &mut Progress,
        upto: u32,
        emit: &mut Emit,
        cx: &TaskContext,
    ) -> Result<Flow> {
        let mut pairs = std::mem::take(&mut self.pairs);
        let passed = match &self.filter {
            Some(f) if !pairs.left.is_empty() => {
                let columns = self.columns(batch, &pairs, true)?;
                Some(f.eval_mask(&Batch::new(columns, pairs.left.len(), batch.position))?)
            }
            _ => None,
        };
        let out = self.settle(&pairs, passed.as_ref(), at, upto);
        let columns = self.columns(batch, &out, self.spec.kind.yields_right())?;
        pairs.clear();
        self.pairs = pairs;
        self.emit(columns, out.left.len(), emit, cx)
    }

    /// The rows to put out for pairs of which some passed the condition.
    fn settle(&self, pairs: &Pairs, passed: Option<&BooleanArray>, at: &mut Progress, upto: u32) -> Pairs {
        let kind = self.spec.kind;
        let mut out = Pairs::default();
        let close = |out: &mut Pairs, at: &mut Progress, row: u32| {
            while at.next < row {
                match (kind, at.matched) {
                    (JoinKind::Left | JoinKind::Anti, false) | (JoinKind::Semi, true) => {
                        out.push(at.next, NONE)
                    }
                    _ => {}
                }
                (at.next, at.matched) = (at.next + 1, false);
            }
        };
        for (i, (&left, &right)) in pairs.left.iter().zip(&pairs.right).enumerate() {
            if passed.is_some_and(|p| p.is_null(i) || !p.value(i)) {
                continue;
            }
            close(&mut out, at, left);
            at.matched = true;
            if kind.yields_right() {
                out.push(left, right);
            }
        }
        close(&mut out, at, upto);
        out
    }
}

impl Probe {
    /// Gathers all pairs of a batch and puts them out; with `marks` the kind does not count: pairs
    /// are put out as they are (if the kind yields right columns) and their left rows marked.
    fn pairs(
        &mut self,
        batch: &Batch,
        mut marks: Option<&mut [bool]>,
        emit: &mut Emit,
        cx: &TaskContext,
    ) -> Result<Flow> {
        let side = self.side.clone();
        let mut at = Progress {
            next: 0,
            matched: false,
        };
        for row in 0..batch.rows as u32 {
            let group = self.groups[row as usize];
            if group == NONE {
                continue;
            }
            let one;
            let rows = match side.rows(group) {
                Rows::Many(rows) => rows,
                Rows::One(row) => {
                    one = [row];
                    &one
                }
            };
            for &right in rows {
                self.pairs.push(row, right);
                if self.pairs.left.len() >= Batch::TARGET_ROWS {
                    cx.check()?;
                    let flow = match marks.as_deref_mut() {
                        None => self.flush(batch, &mut at, row, emit, cx)?,
                        Some(marks) => self.flush_marking(batch, marks, emit, cx)?,
                    };
                    if flow == Flow::Enough {
                        return Ok(flow);
                    }
                }
            }
        }
        match marks {
            None => self.flush(batch, &mut at, batch.rows as u32, emit, cx),
            Some(marks) => self.flush_marking(batch, marks, emit, cx),
        }
    }

    /// Puts out the gathered pairs that pass the condition and marks their left rows.
    fn flush_marking(
        &mut self,
        batch: &Batch,
        marks: &mut [bool],
        emit: &mut Emit,
        cx: &TaskContext,
    ) -> Result<Flow> {
        let mut pairs = std::mem::take(&mut self.pairs);
        if let (Some(f), false) = (&self.filter, pairs.left.is_empty()) {
            let columns = self.columns(batch, &pairs, true)?;
            let passed = f.eval_mask(&Batch::new(columns, pairs.left.len(), batch.position))?;
            let mut kept = Pairs::default();
            for (i, (&left, &right)) in pairs.left.iter().zip(&pairs.right).enumerate() {
                if passed.is_valid(i) && passed.value(i) {
                    kept.push(left, right);
                }
            }
            pairs = kept;
        }
        pairs.left.iter().for_each(|&row| marks[row as usize] = true);
        let flow = match self.spec.kind.yields_right() {
            true => {
                let columns = self.columns(batch, &pairs, true)?;
                self.emit(columns, pairs.left.len(), emit, cx)?
            }
            false => Flow::More,
        };
        pairs.clear();
        self.pairs = pairs;
        Ok(flow)
    }

    /// Joins a batch with a part of the right rows: pairs come out, and left rows that have one are
    /// marked.
    ///
    /// # Errors
    /// As of [`Transform::push`].
    pub(super) fn push_part(
        &mut self,
        batch: &Batch,
        marks: &mut [bool],
        emit: &mut Emit,
        cx: &TaskContext,
    ) -> Result<Flow> {
        self.find(batch)?;
        if self.filter.is_none() && !self.spec.kind.yields_right() {
            let found = self.groups.iter().zip(marks);
            found.for_each(|(&g, mark)| *mark |= g != NONE);
            return Ok(Flow::More);
        }
        let mut batch = batch.clone();
        self.blank(&mut batch);
        if self.spec.asof.is_some() {
            // parts come nearest first: what an earlier one has found stands
            let found = self.groups.iter().zip(marks.iter()).enumerate();
            for (row, (&right, _)) in found.filter(|(_, (g, marked))| **g != NONE && !**marked) {
                self.pairs.push(row as u32, right);
            }
            return self.flush_marking(&batch, marks, emit, cx);
        }
        self.pairs(&batch, Some(marks), emit, cx)
    }

    /// Puts out what is owed to the left rows once all parts have been seen.
    ///
    /// # Errors
    /// As of [`Transform::push`].
    pub(super) fn rest(
        &mut self,
        batch: &Batch,
        marks: &[bool],
        emit: &mut Emit,
        cx: &TaskContext,
    ) -> Result<Flow> {
        let wanted = match self.spec.kind {
            JoinKind::Inner => return Ok(Flow::More),
            JoinKind::Semi => true,
            JoinKind::Left | JoinKind::Anti => false,
        };
        let mask: BooleanArray = marks.iter().map(|&m| Some(m == wanted)).collect();
        let mut batch = batch.clone();
        self.blank(&mut batch);
        let mut kept = batch.filter(&mask)?;
        kept.columns.truncate(self.spec.left_columns);
        if self.spec.kind.yields_right() {
            for field in &self.schema.fields()[self.spec.left_columns..] {
                let ty = crate::kernel::types::logical(field.data_type());
                kept.columns.push(new_null_array(&ty, kept.rows));
            }
        }
        self.emit(kept.columns, kept.rows, emit, cx)
    }
}

impl Transform for Probe {
    fn push(&mut self, mut batch: Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        self.find(&batch)?;
        self.blank(&mut batch);
        if self.filter.is_none() {
            if !self.spec.kind.yields_right() {
                return self.keep(&batch, emit, cx);
            }
            if self.side.index().unique(&mut self.groups) {
                return self.beside(batch, emit, cx);
            }
        }
        self.pairs(&batch, None, emit, cx)
    }
}
