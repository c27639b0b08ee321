//! The probe side: each left batch meets the rows that match.
//!
//! Pairs of row numbers are gathered first, some thousand at a time, then the columns of both sides
//! are taken by them. A further condition is computed over such pairs; left rows without a
//! surviving pair are put back between the others, so that the order of the left holds.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};

use super::build::{encoder, key_columns};
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
        let keys = key_columns(&batch.columns, &self.spec.left_keys)?;
        self.encoder.encode(&keys, batch.rows);
        self.side.find(&self.encoder, &mut self.groups);
        for nulls in keys.iter().filter_map(Col::nulls) {
            let rows = self.groups.iter_mut().zip(nulls.iter());
            rows.filter(|(_, valid)| !valid).for_each(|(g, _)| *g = NONE);
        }
        Ok(())
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
            let rows = UInt32Array::from_iter(pairs.right.iter().map(|&r| (r != NONE).then_some(r)));
            for column in &self.side.columns()[..self.spec.right_columns] {
                columns.push(take(column, &rows, None)?);
            }
        }
        Ok(columns)
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

impl Transform for Probe {
    fn push(&mut self, batch: Batch, emit: &mut Emit, cx: &TaskContext) -> Result<Flow> {
        self.find(&batch)?;
        if self.filter.is_none() && !self.spec.kind.yields_right() {
            return self.keep(&batch, emit, cx);
        }
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
            for &right in side.rows(group) {
                self.pairs.push(row, right);
                if self.pairs.left.len() >= Batch::TARGET_ROWS {
                    cx.check()?;
                    if self.flush(&batch, &mut at, row, emit, cx)? == Flow::Enough {
                        return Ok(Flow::Enough);
                    }
                }
            }
        }
        self.flush(&batch, &mut at, batch.rows as u32, emit, cx)
    }
}
