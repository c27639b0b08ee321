//! Skewness, kurtosis and products over frames. Factors cannot be given back: where a frame slides, the product is
//! computed anew.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::slide::State;
use super::sums::{Floats, Out, floats};
use crate::error::Result;
use crate::expr::AggFunc;
use crate::operate::aggregate::powers::ExactPowers;
use crate::operate::aggregate::products::WideProduct;

/// Skewness and kurtosis.
#[derive(Debug)]
pub(super) struct Shape {
    func: AggFunc,
    column: Floats,
    rows: u64,
    powers: ExactPowers,
    out: Out<f64>,
}

impl Shape {
    pub fn new(func: AggFunc) -> Shape {
        Shape {
            func,
            column: Floats::default(),
            rows: 0,
            powers: ExactPowers::default(),
            out: Out::default(),
        }
    }
}

impl State for Shape {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        self.column.load(column)
    }

    fn clear(&mut self) {
        (self.rows, self.powers) = (0, ExactPowers::default());
    }

    fn add(&mut self, at: usize) {
        let Some(x) = self.column.get(at) else { return };
        self.powers.add(x);
        self.rows += 1;
    }

    fn remove(&mut self, at: usize) {
        let Some(x) = self.column.get(at) else { return };
        self.powers.remove(x);
        self.rows -= 1;
    }

    fn put(&mut self, _rows: &[Range<usize>]) {
        let value = self.powers.look(|p| p.value(self.func, self.rows));
        self.out.push(value);
    }

    fn again(&mut self) {
        self.out.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(floats(&mut self.out))
    }
}

/// Products.
#[derive(Debug)]
pub(super) struct Product {
    column: Floats,
    rows: u64,
    product: WideProduct,
    /// Whether rows are ever given back.
    slides: bool,
    out: Out<f64>,
}

impl Product {
    pub fn new(slides: bool) -> Product {
        Product {
            column: Floats::default(),
            rows: 0,
            product: WideProduct::default(),
            slides,
            out: Out::default(),
        }
    }
}

impl State for Product {
    fn load(&mut self, column: Option<&ArrayRef>) -> Result<()> {
        self.column.load(column)
    }

    fn clear(&mut self) {
        (self.rows, self.product) = (0, WideProduct::default());
    }

    fn add(&mut self, at: usize) {
        let Some(x) = self.column.get(at) else { return };
        self.rows += 1;
        if !self.slides {
            self.product.add(x);
        }
    }

    fn remove(&mut self, at: usize) {
        self.rows -= u64::from(self.column.get(at).is_some());
    }

    fn put(&mut self, rows: &[Range<usize>]) {
        if self.slides {
            self.product = WideProduct::default();
            let values = rows.iter().cloned().flatten().filter_map(|r| self.column.get(r));
            values.for_each(|x| self.product.add(x));
        }
        self.out.push((self.rows > 0).then(|| self.product.to_f64()));
    }

    fn again(&mut self) {
        self.out.again();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(floats(&mut self.out))
    }
}
