//! One window function: its evaluator, the columns it looks at, and the row it holds on to.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, UInt32Array};
use arrow::compute;
use arrow::datatypes::DataType;

use super::counts::{Distinct, Truth};
use super::extreme::Extreme;
use super::frames::{Frames, Slots, frames};
use super::once::Once;
use super::order::Quantile;
use super::picks::{Pick, Shift};
use super::ranks::{self, Ranks};
use super::rows::Rows;
use super::shapes::{self, Shape};
use super::slide::{Slide, Sliding};
use super::sums::{Float, Spread, Whole};
use super::{CallSpec, Edge, Func};
use crate::error::{Error, Result};
use crate::expr::{AggFunc, Exclude};

enum Kind {
    Rank(Ranks),
    Shift(Shift),
    Pick(Pick),
    Extreme(Extreme),
    Slide(Box<dyn Slide>),
}

/// A row that is no longer there, by its number and its value.
struct Held {
    row: u64,
    value: ArrayRef,
}

/// A window function over a stream of rows.
pub(super) struct Call {
    spec: CallSpec,
    kind: Kind,
    /// Places of its columns among those of the rows.
    slots: Vec<(usize, usize)>,
    frames: Frames,
    /// The frame of the last row.
    last: (u64, u64),
    held: Option<Held>,
    /// Whether the partition that comes was seen before.
    saw_all: bool,
}

impl Call {
    /// `slots` are places of the input's columns among those of the rows; `ty` is that of the argument.
    pub fn new(spec: &CallSpec, slots: Vec<(usize, usize)>, ty: Option<&DataType>) -> Call {
        let f = &spec.frame;
        let slides = f.start != Edge::Unbounded || f.exclude != Exclude::NoOthers;
        let is_float = matches!(ty, Some(DataType::Float64));
        let is_decimal = matches!(ty, Some(DataType::Decimal128(..)));
        let boxed = |s: Box<dyn Slide>| Kind::Slide(s);
        use AggFunc::*;
        let kind = match spec.func {
            Func::Shift { by, ignore_nulls } => Kind::Shift(Shift { by, ignore_nulls }),
            Func::First { .. } | Func::Last { .. } | Func::Nth { .. } => Kind::Pick(Pick::new(spec.func, f)),
            Func::Aggregate(a) => match a {
                Min | Max => Kind::Extreme(Extreme::new(a == Max, f)),
                Count => boxed(Box::new(Sliding::new(super::counts::Count::default(), f))),
                NUnique => boxed(Box::new(Sliding::new(Distinct::new(), f))),
                BoolAnd | BoolOr => boxed(Box::new(Sliding::new(Truth::new(a == BoolOr), f))),
                Median => boxed(Box::new(Sliding::new(quantile(0.5, ty), f))),
                Quantile(q) => boxed(Box::new(Sliding::new(quantile(q, ty), f))),
                Sum | Mean if is_float && spec.distinct => {
                    boxed(Box::new(Sliding::new(Once::new(Float::new(a)), f)))
                }
                Sum | Mean if is_float => boxed(Box::new(Sliding::new(Float::new(a), f))),
                Pair(p) => boxed(Box::new(Sliding::new(super::pairs::Pairs::new(p), f))),
                AggFunc::Product => boxed(Box::new(Sliding::new(shapes::Product::new(slides), f))),
                Skewness | Kurtosis | KurtosisPop => boxed(Box::new(Sliding::new(Shape::new(a), f))),
                Mode => boxed(Box::new(Sliding::new(super::modes::Mode::new(&spec.ty), f))),
                Std | Var | StdPop | VarPop if is_float || is_decimal => {
                    boxed(Box::new(Sliding::new(Spread::new(a), f)))
                }
                _ if spec.distinct => boxed(Box::new(Sliding::new(Once::new(Whole::new(a, &spec.ty)), f))),
                _ => boxed(Box::new(Sliding::new(Whole::new(a, &spec.ty), f))),
            },
            _ => Kind::Rank(Ranks::default()),
        };
        Call {
            spec: spec.clone(),
            kind,
            slots,
            frames: Frames::default(),
            last: (0, 0),
            held: None,
            saw_all: false,
        }
    }

    fn slot(&self, column: usize) -> Option<usize> {
        self.slots.iter().find(|s| s.0 == column).map(|s| s.1)
    }

    fn column<'a>(&self, columns: &'a [ArrayRef], of: Option<usize>) -> Option<&'a ArrayRef> {
        of.and_then(|c| self.slot(c)).and_then(|s| columns.get(s))
    }

    /// Looks at the rows from `next` on; the first one that must wait for more.
    pub fn prepare(&mut self, rows: &Rows, next: u64) -> Result<u64> {
        let peers = rows.peers_of(self.spec.peers)?;
        match &self.kind {
            Kind::Rank(_) => Ok(ranks::ready(self.spec.func, rows, peers)),
            Kind::Shift(s) => Ok(match self.column(&rows.columns, self.spec.arg) {
                Some(column) => s.ready(rows, column),
                None => rows.end,
            }),
            _ => {
                let slot = |c: usize| self.slot(c);
                let slots = Slots { slot: &slot };
                self.frames = frames(&self.spec.frame, rows, peers, &slots, next, self.saw_all)?;
                Ok(self.frames.ready())
            }
        }
    }

    /// The results of rows that need not wait.
    pub fn eval(&mut self, rows: &Rows, of: Range<u64>) -> Result<ArrayRef> {
        let values = self.compute(rows, of);
        self.frames = Frames::default();
        values
    }

    fn compute(&mut self, rows: &Rows, of: Range<u64>) -> Result<ArrayRef> {
        let peers = rows.peers_of(self.spec.peers)?;
        let exclude = (self.spec.frame.exclude, peers);
        if !self.frames.start.is_empty() {
            self.last = self.frames.of(of.end - 1);
        }
        let column = self.column(&rows.columns, self.spec.arg).cloned();
        let judged = self.column(&rows.columns, self.spec.default).cloned();
        let missing = || Error::defect("a window function without its column");
        match &mut self.kind {
            Kind::Rank(r) => r.eval(self.spec.func, rows, peers, of),
            Kind::Slide(s) => s.eval(rows, column.as_ref(), &self.frames, peers, of),
            Kind::Shift(s) => {
                let column = column.ok_or_else(missing)?;
                let picked = s.pick(rows, &column, of.clone());
                self.shifted(rows, &column, &picked, of)
            }
            Kind::Pick(p) => {
                let column = column.ok_or_else(missing)?;
                let picked = p.pick(
                    rows,
                    judged.as_ref().unwrap_or(&column),
                    &self.frames,
                    exclude,
                    of,
                );
                self.taken(rows, &column, &picked)
            }
            Kind::Extreme(e) => {
                let column = with_held(&column.ok_or_else(missing)?, &self.held)?;
                let picked = e.pick(rows, &column, &self.frames, exclude, of)?;
                let values = take(rows, &column, &picked)?;
                Ok(match values.data_type() {
                    // zero has no sign, as in groups
                    DataType::Float64 => without_sign(&values),
                    _ => values,
                })
            }
        }
    }

    fn taken(&self, rows: &Rows, column: &ArrayRef, picked: &[Option<u64>]) -> Result<ArrayRef> {
        take(rows, &with_held(column, &self.held)?, picked)
    }

    /// Values of other rows, and what stands in where there is none.
    fn shifted(
        &self,
        rows: &Rows,
        column: &ArrayRef,
        picked: &[Option<u64>],
        of: Range<u64>,
    ) -> Result<ArrayRef> {
        let Some(default) = self.column(&rows.columns, self.spec.default) else {
            return take(rows, column, picked);
        };
        let places = picked.iter().zip(of).map(|(p, row)| match p {
            Some(p) => (0, rows.at(*p)),
            None => (1, rows.at(row)),
        });
        let places: Vec<(usize, usize)> = places.collect();
        Ok(compute::interleave(
            &[column.as_ref(), default.as_ref()],
            &places,
        )?)
    }

    /// The first row that this call needs in order to go on with row `next`.
    pub fn keep(&self, rows: &Rows, next: u64, complete: bool) -> Result<u64> {
        let starts = match next < rows.end {
            true => rows.parts.start(next) == next,
            false => complete,
        };
        if starts || next == rows.base && next == rows.end {
            return Ok(next);
        }
        let at = next.min(rows.end - 1);
        let keep = match &self.kind {
            Kind::Rank(_) => next,
            Kind::Shift(s) => s.keep(rows.parts.start(at), next),
            Kind::Pick(p) => p.keep(self.last),
            Kind::Extreme(e) => e.keep(self.last),
            Kind::Slide(s) => s.keep(),
        };
        let by_peers = matches!(self.spec.frame.exclude, Exclude::Group | Exclude::Ties);
        let keep = match by_peers {
            true => keep.min(rows.peers_of(self.spec.peers)?.start(at)),
            false => keep,
        };
        Ok(keep.min(next).max(rows.base))
    }

    /// Takes hold of the row that it will need after the rows before `to` are gone.
    pub fn hold(&mut self, rows: &Rows, to: u64) -> Result<()> {
        let found = match &self.kind {
            Kind::Pick(p) => p.found,
            Kind::Extreme(e) => e.found,
            _ => None,
        };
        if let Some(row) = found.filter(|&r| r >= rows.base && r < to && r < rows.end)
            && let Some(column) = self.column(&rows.columns, self.spec.arg)
        {
            self.held = Some(Held {
                row,
                value: copied(column, rows.at(row))?,
            });
        }
        Ok(())
    }

    /// Whether it needs the end of the partition before it can say anything.
    pub fn waits_for_all(&self) -> bool {
        match self.spec.func {
            Func::PercentRank | Func::CumeDist | Func::Ntile(_) => true,
            Func::RowNumber | Func::Rank | Func::DenseRank | Func::Shift { .. } => false,
            _ => self.spec.frame.end == Edge::Unbounded,
        }
    }

    /// Whether it can do its work when it has seen the partition before.
    pub fn can_see_all(&self) -> bool {
        !self.waits_for_all()
            || match &self.kind {
                Kind::Rank(_) | Kind::Shift(_) => true,
                Kind::Pick(p) => p.can_see_all(),
                Kind::Extreme(e) => e.can_see_all(),
                Kind::Slide(s) => s.can_see_all(),
            }
    }

    /// Takes in rows of a partition that will come again, from row `from` on.
    pub fn see(&mut self, part: u64, from: u64, columns: &[ArrayRef], rows: usize) -> Result<()> {
        if !self.waits_for_all() {
            return Ok(());
        }
        self.saw_all = true;
        let column = self.column(columns, self.spec.arg).cloned();
        if let Kind::Slide(s) = &mut self.kind {
            return s.see(part, rows as u64, column.as_ref());
        }
        let Some(column) = column else { return Ok(()) };
        let judged = self.column(columns, self.spec.default).cloned();
        let before = self.held.take_if(|h| h.row < part);
        drop(before);
        let all = with_held(&column, &self.held)?;
        let found = match &mut self.kind {
            Kind::Pick(p) => {
                p.see(part, from, judged.as_ref().unwrap_or(&column));
                p.found
            }
            Kind::Extreme(e) => {
                e.see(part, from, rows, &all)?;
                e.found
            }
            _ => None,
        };
        if let Some(row) = found.filter(|&r| r >= from && r < from + rows as u64) {
            self.held = Some(Held {
                row,
                value: copied(&column, (row - from) as usize)?,
            });
        }
        Ok(())
    }

    /// What was seen has come again.
    pub fn forget(&mut self) {
        self.saw_all = false;
    }

    /// Bytes held besides the rows.
    pub fn bytes(&self) -> usize {
        let frames = self.frames.start.capacity() * 16;
        match &self.kind {
            Kind::Slide(s) => frames + s.bytes(),
            _ => frames,
        }
    }

    /// The name of the function, for messages.
    pub fn name(&self) -> String {
        match self.spec.func {
            Func::Aggregate(a) => a.name().to_string(),
            Func::Shift { by, .. } => if by < 0 { "lag" } else { "lead" }.to_string(),
            Func::First { .. } => "first_value".to_string(),
            Func::Last { .. } => "last_value".to_string(),
            Func::Nth { .. } => "nth_value".to_string(),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}

fn quantile(q: f64, ty: Option<&DataType>) -> Quantile {
    Quantile::new(q, ty.unwrap_or(&DataType::Null))
}

/// A value of its own, without the buffers around it.
fn copied(column: &ArrayRef, at: usize) -> Result<ArrayRef> {
    let one = compute::take(column, &UInt32Array::from(vec![at as u32]), None)?;
    Ok(match one.data_type() {
        DataType::Utf8View => Arc::new(arrow::array::AsArray::as_string_view(&one).gc()),
        _ => one,
    })
}

/// The column with the held row behind it.
fn with_held(column: &ArrayRef, held: &Option<Held>) -> Result<ArrayRef> {
    Ok(match held {
        None => column.clone(),
        Some(h) => compute::concat(&[column.as_ref(), h.value.as_ref()])?,
    })
}

/// The values of rows; those before the stretch are the one that is held, behind the others.
fn take(rows: &Rows, column: &ArrayRef, picked: &[Option<u64>]) -> Result<ArrayRef> {
    let held = rows.len() as u32;
    let at = picked.iter().map(|p| match p {
        Some(row) if *row >= rows.base && *row < rows.end => Some(rows.at(*row) as u32),
        Some(_) => Some(held),
        None => None,
    });
    Ok(compute::take(column, &at.collect::<UInt32Array>(), None)?)
}

fn without_sign(values: &ArrayRef) -> ArrayRef {
    let floats = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(values);
    let one_zero: Vec<f64> = floats.values().iter().map(|v| v + 0.0).collect();
    Arc::new(Float64Array::new(one_zero.into(), floats.nulls().cloned()))
}
