//! Correlation and regression over frames.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array};
use arrow::datatypes::Decimal128Type;

use super::slide::State;
use super::sums::{Out, argument, floats};
use crate::error::{Error, Result};
use crate::expr::PairFunc;
use crate::operate::aggregate::pairs::{ExactPairs, unpacked};

/// The pairs of a frame.
#[derive(Debug)]
pub(super) struct Pairs {
    func: PairFunc,
    column: Option<Decimal128Array>,
    rows: u64,
    sums: ExactPairs,
    out: Out<f64>,
}

impl Pairs {
    pub fn new(func: PairFunc) -> Pairs {
        Pairs {
            func,
            column: None,
            rows: 0,
            sums: ExactPairs::default(),
            out: Out::default(),
        }
    }

    fn get(&self, at: usize) -> Option<(f64, f64)> {
        let column = self.column.as_ref().filter(|c| c.is_valid(at))?;
        Some(unpacked(column.value(at)))
    }
}

impl State for Pairs {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        let column = argument(column)?.as_primitive_opt::<Decimal128Type>();
        self.column = Some(column.ok_or_else(|| Error::defect("no pairs"))?.clone());
        Ok(())
    }

    fn clear(&mut self) {
        (self.rows, self.sums) = (0, ExactPairs::default());
    }

    fn add(&mut self, at: usize) {
        let Some(pair) = self.get(at) else { return };
        self.sums.add(pair);
        self.rows += 1;
    }

    fn remove(&mut self, at: usize) {
        let Some(pair) = self.get(at) else { return };
        self.sums.remove(pair);
        self.rows -= 1;
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        let value = self.sums.look(|s| s.value(self.func, self.rows));
        let none = (self.func == PairFunc::Count).then_some(0.0);
        self.out.push(value.or(none));
    }

    fn again(&mut self) {
        self.out.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        if self.func != PairFunc::Count {
            return Ok(floats(&mut self.out));
        }
        let (values, _) = self.out.take();
        Ok(Arc::new(Int64Array::from_iter_values(
            values.into_iter().map(|v| v as i64),
        )))
    }
}
