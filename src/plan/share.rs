//! Which part of a table's rows passes a condition, and how many different values its columns have.
//!
//! ```text
//!   d_year = 2000 AND d_moy IN (1, 2)     asked of the sample, all of it: where enough places of it have such rows
//!     ├ d_year = 2000                     else each column's part by itself, of the sample again
//!     └ d_moy IN (1, 2)                   or by rule: one of the distinct values, a part of least..greatest
//! ```

use arrow::array::{Array, BooleanArray};
use arrow::datatypes::{DataType, Schema};

use super::LogicalPlan;
use crate::expr::{BinaryOp, CompareOp, Evaluator, Expr};
use crate::kernel::hash::hash_bytes;
use crate::kernel::{Batch, Scalar};
use crate::source::{Dataset, Sample, sample};

/// The part of the rows that pass a condition of which nothing is known,
pub(super) const UNKNOWN: f64 = 0.25;
/// one that compares a text or the like with a constant,
pub(super) const EQUAL: f64 = 0.1;
/// one that is a range with an end,
const RANGE: f64 = 0.33;
/// and one that looks for text within text.
const LIKE: f64 = 0.1;
/// Rows of fewer places of a sample may be there by chance.
const FEW_PLACES: usize = 4;

impl LogicalPlan {
    fn dataset(&self) -> Option<&dyn Dataset> {
        match self {
            LogicalPlan::Scan { table, .. } => Some(table.dataset.as_ref()),
            _ => None,
        }
    }

    /// About how many rows the table of a scan has.
    pub(super) fn table_rows(&self) -> f64 {
        let Some(dataset) = self.dataset() else { return 1.0 };
        match dataset.exact_rows() {
            Some(rows) => rows as f64,
            None => dataset
                .sample(&[])
                .map_or_else(|| dataset.estimated_rows() as f64, |s| s.of),
        }
    }

    /// About how many different values a column of a scan has.
    pub(super) fn scanned_distinct(&self, name: &str) -> f64 {
        let all = self.table_rows();
        let sampled = self.values(name).map_or(all, |v| v.distinct);
        self.span(name).map_or(all, |s| s.min(all)).min(sampled)
    }

    /// The same for an expression over one that has a sample.
    pub(super) fn sampled_distinct(&self, e: &Expr) -> Option<f64> {
        let judge = Judge::of(self.dataset()?, e)?;
        let values = Evaluator::bind(e, &judge.schema).ok()?.eval(&judge.batch).ok()?;
        let hash = |i| {
            let shown = arrow::util::display::array_value_to_string(&values, i);
            shown
                .ok()
                .filter(|_| values.is_valid(i))
                .map(|t| hash_bytes(t.as_bytes()))
        };
        let (places, of) = (&judge.sample.places, judge.sample.of);
        Some(sample::distinct((0..values.len()).map(hash), places, of))
    }

    fn values(&self, name: &str) -> Option<sample::Values> {
        let dataset = self.dataset()?;
        dataset.values(dataset.schema().index_of(name).ok()?)
    }

    /// How many values lie between the least and the greatest of a whole-numbered column of a scan.
    fn span(&self, name: &str) -> Option<f64> {
        let dataset = self.dataset()?;
        let column = dataset.schema().index_of(name).ok()?;
        match dataset.schema().field(column).data_type() {
            DataType::Date32 => {}
            ty if ty.is_integer() => {}
            _ => return None,
        }
        let (least, greatest) = self.range(name)?;
        Some(greatest - least + 1.0)
    }

    /// The least and the greatest value of a column of a scan.
    fn range(&self, name: &str) -> Option<(f64, f64)> {
        let dataset = self.dataset()?;
        let column = dataset.schema().index_of(name).ok()?;
        match dataset.range(column) {
            Some((least, greatest)) => Some((number(&least)?, number(&greatest)?)),
            None => self.values(name)?.span,
        }
    }

    /// The part of the rows for which a condition is true.
    pub(super) fn share(&self, condition: &Expr) -> f64 {
        let judge = self.dataset().and_then(|d| Judge::of(d, condition));
        let told = |e: &Expr| judge.as_ref().and_then(|j| j.share(e));
        if let Some(share) = told(condition) {
            return share;
        }
        let mut of_columns: Vec<(Vec<String>, Vec<Expr>)> = Vec::new();
        for part in condition.clone().conjuncts() {
            let columns: Vec<String> = part.columns().into_iter().collect();
            match of_columns.iter_mut().find(|(c, _)| *c == columns) {
                Some((_, parts)) => parts.push(part),
                None => of_columns.push((columns, vec![part])),
            }
        }
        let each = of_columns.into_iter().map(|(_, parts)| {
            let whole = Expr::and(parts.clone());
            told(&whole).unwrap_or_else(|| self.between(&parts).unwrap_or_else(|| self.part(&whole)))
        });
        each.product::<f64>().clamp(0.0, 1.0)
    }

    /// The part that lies between the bounds of one column, where the conditions are that.
    fn between(&self, parts: &[Expr]) -> Option<f64> {
        let (mut from, mut to, mut of) = (0.0f64, 1.0f64, None);
        for part in parts {
            let (name, op, value) = part.as_comparison()?;
            let below = self.below(&name, &value)?;
            match op {
                CompareOp::Lt | CompareOp::LtEq => to = to.min(below),
                CompareOp::Gt | CompareOp::GtEq => from = from.max(below),
                _ => return None,
            }
            of = Some(name);
        }
        // a range that holds a value holds one of the different ones, at least
        let least = self.span(&of?).map_or(0.0, |s| 1.0 / s);
        Some((to - from).max(least))
    }

    /// The part of the rows for which a condition is true, by rule.
    fn part(&self, e: &Expr) -> f64 {
        if let Some((name, op, value)) = e.as_comparison() {
            return self.compared(&name, op, &value);
        }
        let part = match e {
            Expr::Binary { op, left, right } => match op {
                BinaryOp::And => self.part(left) * self.part(right),
                BinaryOp::Or => self.part(left) + self.part(right),
                BinaryOp::Eq => EQUAL,
                _ => RANGE,
            },
            Expr::InList { expr, list, negated } => {
                let one = match expr.as_ref() {
                    Expr::Column(c) => self.one_of(c),
                    _ => EQUAL,
                };
                let part = (list.len() as f64 * one).min(0.5);
                if *negated { 1.0 - part } else { part }
            }
            Expr::Like { negated, .. } => {
                if *negated {
                    1.0 - LIKE
                } else {
                    LIKE
                }
            }
            Expr::Literal(Scalar::Bool(true)) => 1.0,
            Expr::Literal(_) => 0.0,
            _ => UNKNOWN,
        };
        part.clamp(0.0, 1.0)
    }

    /// The part that has one value of a column.
    fn one_of(&self, name: &str) -> f64 {
        let distinct = match (self.values(name), self.span(name)) {
            (Some(values), Some(span)) => values.distinct.min(span),
            (Some(values), None) => values.distinct,
            (None, Some(span)) => span,
            (None, None) => return EQUAL,
        };
        (1.0 / distinct.max(1.0)).min(EQUAL)
    }

    /// The same for `column op constant`.
    fn compared(&self, name: &str, op: CompareOp, value: &Scalar) -> f64 {
        let below = self.below(name, value);
        match op {
            CompareOp::Eq => self.one_of(name),
            CompareOp::NotEq => 1.0 - EQUAL,
            CompareOp::Lt | CompareOp::LtEq => below.unwrap_or(RANGE),
            CompareOp::Gt | CompareOp::GtEq => below.map_or(RANGE, |b| 1.0 - b),
            CompareOp::IsNull => EQUAL,
            CompareOp::IsNotNull => 1.0,
        }
    }

    /// The part of a column's range that lies below a value.
    fn below(&self, name: &str, value: &Scalar) -> Option<f64> {
        let ((min, max), at) = (self.range(name)?, number(value)?);
        (min < max).then(|| ((at - min) / (max - min)).clamp(0.0, 1.0))
    }
}

/// A sample of the columns that a condition looks at.
struct Judge {
    schema: Schema,
    batch: Batch,
    sample: Sample,
}

impl Judge {
    fn of(dataset: &dyn Dataset, e: &Expr) -> Option<Judge> {
        let schema = dataset.schema();
        let columns = e.columns();
        let columns = columns.iter().map(|c| schema.index_of(c).ok());
        let columns = columns.collect::<Option<Vec<usize>>>()?;
        let fields: Vec<_> = columns.iter().map(|&c| schema.field(c).clone()).collect();
        let sample = dataset.sample(&columns)?;
        (sample.rows() > 0).then(|| Judge {
            schema: Schema::new(fields),
            batch: Batch::new(sample.columns.clone(), sample.rows(), 0),
            sample,
        })
    }

    /// The part of the rows that pass, if it cannot be a chance.
    fn share(&self, condition: &Expr) -> Option<f64> {
        let evaluator = Evaluator::bind(condition, &self.schema).ok()?;
        let mask: BooleanArray = evaluator.eval_mask(&self.batch).ok()?;
        let (rows, hits) = (self.sample.rows() as f64, mask.true_count() as f64);
        if self.sample.is_whole() {
            return Some(hits / rows);
        }
        let places = self.sample.places.iter().zip(mask.values().iter());
        let mut places: Vec<u32> = places.filter(|(_, hit)| *hit).map(|(p, _)| *p).collect();
        places.dedup();
        (places.len() >= FEW_PLACES).then_some(hits / rows)
    }
}

fn number(value: &Scalar) -> Option<f64> {
    Some(match value {
        Scalar::Int(v) => *v as f64,
        Scalar::Float(v) if v.is_finite() => *v,
        Scalar::Date(v) => f64::from(*v),
        Scalar::Timestamp(v, _) => *v as f64,
        Scalar::Decimal(v, _, scale) => *v as f64 / 10f64.powi(i32::from(*scale)),
        _ => return None,
    })
}
