//! Sums, means and variances that give rows back: exact, so that what is removed leaves no trace.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

use super::slide::State;
use crate::error::{Error, Result};
use crate::expr::AggFunc;
use crate::operate::aggregate::Col;
use crate::operate::aggregate::column::decimals;
use crate::operate::aggregate::exact::ExactSum;
use crate::operate::aggregate::finals::{deviations, mean, spread};
use crate::operate::aggregate::moments::ExactMoments;

/// Results in the making.
#[derive(Debug)]
pub(super) struct Out<T> {
    values: Vec<T>,
    valid: Vec<bool>,
}

impl<T> Default for Out<T> {
    fn default() -> Self {
        Out {
            values: Vec::new(),
            valid: Vec::new(),
        }
    }
}

impl<T: Copy + Default> Out<T> {
    pub fn push(&mut self, value: Option<T>) {
        self.values.push(value.unwrap_or_default());
        self.valid.push(value.is_some());
    }

    pub fn again(&mut self) {
        if let (Some(&v), Some(&ok)) = (self.values.last(), self.valid.last()) {
            self.values.push(v);
            self.valid.push(ok);
        }
    }

    pub fn take(&mut self) -> (Vec<T>, Vec<bool>) {
        (std::mem::take(&mut self.values), std::mem::take(&mut self.valid))
    }
}

pub(super) fn floats(out: &mut Out<f64>) -> ArrayRef {
    let (values, valid) = out.take();
    Arc::new(Float64Array::new(values.into(), Some(NullBuffer::from(valid))))
}

fn is_valid(nulls: &Option<NullBuffer>, at: usize) -> bool {
    nulls.as_ref().is_none_or(|n| n.is_valid(at))
}

/// What becomes of an exact sum of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Final {
    Sum,
    Mean,
    /// Degrees of freedom, square root.
    Spread(u64, bool),
}

fn final_of(func: AggFunc) -> Final {
    match func {
        AggFunc::Sum => Final::Sum,
        AggFunc::Mean => Final::Mean,
        AggFunc::Std => Final::Spread(1, true),
        AggFunc::Var => Final::Spread(1, false),
        AggFunc::StdPop => Final::Spread(0, true),
        _ => Final::Spread(0, false),
    }
}

/// Sums, means and variances of integers; sums and means of decimals.
#[derive(Debug)]
pub(super) struct Whole {
    last: Final,
    ty: DataType,
    scale: i8,
    ints: Vec<i64>,
    decimals: Option<Vec<i128>>,
    nulls: Option<NullBuffer>,
    rows: u64,
    sum: i128,
    /// Multiples of 2^128 that did not fit.
    carry: i64,
    squares: u128,
    squares_carry: u64,
    sums: Out<i128>,
    means: Out<f64>,
    overflow: bool,
}

impl Whole {
    /// `ty` is the type of the result.
    pub fn new(func: AggFunc, ty: &DataType) -> Whole {
        Whole {
            last: final_of(func),
            ty: ty.clone(),
            scale: 0,
            ints: Vec::new(),
            decimals: None,
            nulls: None,
            rows: 0,
            sum: 0,
            carry: 0,
            squares: 0,
            squares_carry: 0,
            sums: Out::default(),
            means: Out::default(),
            overflow: false,
        }
    }

    #[inline(always)]
    fn value(&self, at: usize) -> i128 {
        match &self.decimals {
            None => i128::from(self.ints[at]),
            Some(v) => v[at],
        }
    }

    fn square(&self, at: usize) -> u128 {
        let x = u128::from(self.ints[at].unsigned_abs());
        x * x
    }

    fn has_squares(&self) -> bool {
        matches!(self.last, Final::Spread(..))
    }
}

impl State for Whole {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        let col = Col::new(argument(column)?)?;
        self.nulls = col.nulls().cloned();
        match col {
            Col::Dec(a) => {
                self.scale = a.scale();
                self.decimals = Some(a.values().to_vec());
            }
            other => self.ints = other.ints().into_owned(),
        }
        Ok(())
    }

    fn clear(&mut self) {
        (self.rows, self.sum, self.carry) = (0, 0, 0);
        (self.squares, self.squares_carry) = (0, 0);
    }

    #[inline]
    fn add(&mut self, at: usize) {
        if !is_valid(&self.nulls, at) {
            return;
        }
        let x = self.value(at);
        let (sum, over) = self.sum.overflowing_add(x);
        self.sum = sum;
        if over {
            self.carry += if x < 0 { -1 } else { 1 };
        }
        if self.has_squares() {
            let (sum, over) = self.squares.overflowing_add(self.square(at));
            self.squares = sum;
            self.squares_carry += u64::from(over);
        }
        self.rows += 1;
    }

    #[inline]
    fn remove(&mut self, at: usize) {
        if !is_valid(&self.nulls, at) {
            return;
        }
        let x = self.value(at);
        let (sum, over) = self.sum.overflowing_sub(x);
        self.sum = sum;
        if over {
            self.carry += if x < 0 { 1 } else { -1 };
        }
        if self.has_squares() {
            let (sum, over) = self.squares.overflowing_sub(self.square(at));
            self.squares = sum;
            self.squares_carry -= u64::from(over);
        }
        self.rows -= 1;
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        const MOST: u128 = 10u128.pow(38) - 1;
        let some = self.rows > 0;
        match self.last {
            Final::Sum => {
                let fits = match self.ty {
                    DataType::Decimal128(..) => self.sum.unsigned_abs() <= MOST,
                    _ => i64::try_from(self.sum).is_ok(),
                };
                self.overflow |= some && (self.carry != 0 || !fits);
                self.sums.push(some.then_some(self.sum));
            }
            Final::Mean => {
                let value = some.then(|| mean(self.sum, self.carry, self.rows, self.scale));
                self.means.push(value);
            }
            Final::Spread(ddof, root) => {
                let by = || deviations(self.rows, self.sum, self.squares, self.squares_carry);
                self.means.push(spread(self.rows, ddof, root, by));
            }
        }
    }

    fn again(&mut self) {
        self.sums.again();
        self.means.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        if self.last != Final::Sum {
            return Ok(floats(&mut self.means));
        }
        let (sums, valid) = self.sums.take();
        if let DataType::Decimal128(..) = self.ty {
            if self.overflow {
                return Err(Error::query("a sum over a window overflows decimal(38)")
                    .help("cast the column to float64 to sum it"));
            }
            return decimals(&self.ty, sums, valid);
        }
        if self.overflow {
            return Err(Error::query("a sum over a window overflows int64")
                .help("cast the column to float64 or decimal(38,0) to sum it"));
        }
        let sums: Vec<i64> = sums.into_iter().map(|s| s as i64).collect();
        Ok(Arc::new(Int64Array::new(
            sums.into(),
            Some(NullBuffer::from(valid)),
        )))
    }
}

/// The values of a column of floats, or of decimals as floats.
#[derive(Debug, Default)]
pub(super) struct Floats {
    values: Vec<f64>,
    nulls: Option<NullBuffer>,
}

impl Floats {
    pub fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        let col = Col::new(argument(column)?)?;
        self.nulls = col.nulls().cloned();
        self.values = match &col {
            Col::Float(a) => a.values().to_vec(),
            Col::Dec(a) => {
                let unit = 10f64.powi(i32::from(a.scale()));
                a.values().iter().map(|&v| v as f64 / unit).collect()
            }
            other => other.ints().iter().map(|&v| v as f64).collect(),
        };
        Ok(())
    }

    #[inline(always)]
    pub fn get(&self, at: usize) -> Option<f64> {
        is_valid(&self.nulls, at).then(|| self.values[at])
    }
}

/// Sums and means of floats. Infinities and NaN are counted apart, so that they can be given back.
#[derive(Debug)]
pub(super) struct Float {
    last: Final,
    column: Floats,
    rows: u64,
    sum: ExactSum,
    odd: [u64; 3],
    out: Out<f64>,
}

impl Float {
    pub fn new(func: AggFunc) -> Float {
        Float {
            last: final_of(func),
            column: Floats::default(),
            rows: 0,
            sum: ExactSum::default(),
            odd: [0; 3],
            out: Out::default(),
        }
    }

    /// NaN, infinity, minus infinity.
    fn odd(x: f64) -> usize {
        match x {
            x if x.is_nan() => 0,
            x if x > 0.0 => 1,
            _ => 2,
        }
    }

    fn total(&self) -> f64 {
        match self.odd {
            [0, 0, 0] if self.last == Final::Mean => self.sum.mean(self.rows),
            [0, 0, 0] => self.sum.to_f64(),
            [0, _, 0] => f64::INFINITY,
            [0, 0, _] => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }
}

impl State for Float {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        self.column.load(column)
    }

    fn clear(&mut self) {
        (self.rows, self.sum, self.odd) = (0, ExactSum::default(), [0; 3]);
    }

    #[inline]
    fn add(&mut self, at: usize) {
        let Some(x) = self.column.get(at) else { return };
        match x.is_finite() {
            true => _ = self.sum.add(x),
            false => self.odd[Self::odd(x)] += 1,
        }
        self.rows += 1;
    }

    #[inline]
    fn remove(&mut self, at: usize) {
        let Some(x) = self.column.get(at) else { return };
        match x.is_finite() {
            true => _ = self.sum.add(-x),
            false => self.odd[Self::odd(x)] -= 1,
        }
        self.rows -= 1;
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        let value = (self.rows > 0).then(|| self.total());
        self.out.push(value);
    }

    fn again(&mut self) {
        self.out.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(floats(&mut self.out))
    }
}

/// Variances of floats.
#[derive(Debug)]
pub(super) struct Spread {
    last: Final,
    column: Floats,
    rows: u64,
    moments: ExactMoments,
    out: Out<f64>,
}

impl Spread {
    pub fn new(func: AggFunc) -> Spread {
        Spread {
            last: final_of(func),
            column: Floats::default(),
            rows: 0,
            moments: ExactMoments::default(),
            out: Out::default(),
        }
    }
}

impl State for Spread {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        self.column.load(column)
    }

    fn clear(&mut self) {
        (self.rows, self.moments) = (0, ExactMoments::default());
    }

    fn add(&mut self, at: usize) {
        let Some(x) = self.column.get(at) else { return };
        self.moments.add(x);
        self.rows += 1;
    }

    fn remove(&mut self, at: usize) {
        let Some(x) = self.column.get(at) else { return };
        self.moments.remove(x);
        self.rows -= 1;
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        let Final::Spread(ddof, root) = self.last else {
            return;
        };
        let deviations = || self.moments.look(|m| m.deviations(self.rows));
        let value = spread(self.rows, ddof, root, deviations);
        self.out.push(value);
    }

    fn again(&mut self) {
        self.out.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(floats(&mut self.out))
    }
}

/// The column of an aggregate that has one.
pub(super) fn argument(column: Option<&ArrayRef>) -> Result<&ArrayRef> {
    column.ok_or_else(|| Error::defect("an aggregate without its column"))
}
