//! A query's filter, as a scan sees it: the columns it needs, a mask, and bounds for pruning.
//!
//! ```text
//!   a = 1 AND b LIKE '%x%' AND a < c, keys of a join on k
//!      ─► tests  [a = 1] [k is a key] [a < c] [b LIKE '%x%']      likely and cheap ones first
//! ```
//!
//! A scan that decodes column by column makes the tests one after the other, each of the rows that
//! passed those before: the columns of the later ones, and those that are only handed out, are then
//! decoded for few rows.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::key_mask::KnownCodes;
use super::{AnyOf, Bound, Compare, RowFilter};
use crate::error::Result;
use crate::expr::{self, CastType, Evaluator, Expr};
use crate::kernel::{Batch, KeySet, Scalar, Width};

/// A part of a filter.
#[derive(Debug, Clone)]
pub struct Test {
    /// The columns it looks at: indices in the dataset's schema, ascending.
    columns: Vec<usize>,
    check: Check,
}

#[derive(Debug, Clone)]
enum Check {
    Condition(Evaluator),
    Keys(Arc<KeySet>),
}

impl Test {
    /// The columns it looks at: indices in the dataset's schema, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Whether it only saves work: rows that fail it would be left out later.
    pub fn is_optional(&self) -> bool {
        matches!(self.check, Check::Keys(_))
    }

    /// The rows that pass, none of them null, given a batch of just [`Test::columns`]; `known` is what
    /// earlier batches have taught.
    ///
    /// # Errors
    /// As of [`Evaluator::eval`].
    pub fn mask(&self, batch: &Batch, known: &mut KnownCodes) -> Result<BooleanArray> {
        match &self.check {
            Check::Condition(condition) => condition.eval_mask(batch),
            Check::Keys(keys) => Ok(match batch.columns.first() {
                Some(column) => known.mask(keys, column),
                None => BooleanArray::from(vec![true; batch.rows]),
            }),
        }
    }
}

/// The keys of a join that rows must have, in a column of that index.
pub type ColumnKeys = (usize, Arc<KeySet>);

/// An expression over a dataset's columns, and keys of joins.
pub struct ExprFilter {
    columns: Vec<usize>,
    bounds: Vec<Bound>,
    lists: Vec<AnyOf>,
    tests: Vec<Test>,
}

impl ExprFilter {
    /// Binds `filter` to a dataset with `schema`.
    ///
    /// # Errors
    /// As of [`Evaluator::bind`].
    pub fn new(filter: Option<&Expr>, keys: &[ColumnKeys], schema: &SchemaRef) -> Result<Self> {
        let (mut bounds, mut lists) = (Vec::new(), Vec::new());
        let parts = filter.map(|f| f.clone().conjuncts()).unwrap_or_default();
        for part in &parts {
            if let Some((name, op, value)) = part.as_comparison() {
                let column = schema.index_of(&name)?;
                if let Some(value) = as_column_type(value, schema.field(column)) {
                    bounds.push(Bound { column, op, value });
                }
            }
            lists.extend(any_of(part, schema));
        }
        for (column, keys) in keys {
            bounds.extend(range_of(*column, keys, schema.field(*column).data_type()));
        }
        let tests = tests(parts, keys, schema)?;
        let mut columns: Vec<usize> = tests.iter().flat_map(|t| t.columns.clone()).collect();
        columns.sort_unstable();
        columns.dedup();
        Ok(ExprFilter {
            columns,
            bounds,
            lists,
            tests,
        })
    }
}

/// The tests of a filter, likely and cheap ones first; a single one where it can fail, since then its
/// earlier parts may guard the later.
fn tests(parts: Vec<Expr>, keys: &[ColumnKeys], schema: &SchemaRef) -> Result<Vec<Test>> {
    let mut groups: Vec<(Vec<Expr>, Vec<usize>)> = Vec::new();
    for part in &parts {
        let columns = columns_of(part, schema)?;
        match groups.iter_mut().find(|(_, c)| *c == columns) {
            Some((parts, _)) => parts.push(part.clone()),
            None => groups.push((vec![part.clone()], columns)),
        }
    }
    let mut tests = Vec::new();
    for (parts, columns) in groups {
        let rank = rank(&parts);
        tests.push((rank, condition(parts, columns, schema)?));
    }
    let can_fail = |t: &(u8, Test)| matches!(&t.1.check, Check::Condition(c) if c.can_fail());
    if tests.iter().any(can_fail) || parts.iter().any(names_place) {
        let whole = Expr::and(parts);
        let columns = columns_of(&whole, schema)?;
        tests = vec![(0, condition(vec![whole], columns, schema)?)];
    }
    tests.extend(keys.iter().map(|(column, keys)| {
        let columns = vec![*column];
        let check = Check::Keys(keys.clone());
        (KEYS_RANK, Test { columns, check })
    }));
    tests.sort_by_key(|(rank, _)| *rank);
    Ok(tests.into_iter().map(|(_, t)| t).collect())
}

/// Whether an expression depends on a row's place, which is known only while no row is left out.
fn names_place(e: &Expr) -> bool {
    matches!(e, Expr::Place) || e.children().into_iter().any(names_place)
}

/// The columns that an expression looks at: indices in the schema, ascending.
fn columns_of(e: &Expr, schema: &SchemaRef) -> Result<Vec<usize>> {
    let columns = e.columns();
    let columns = columns.iter().map(|c| Ok(schema.index_of(c)?));
    let mut columns = columns.collect::<Result<Vec<usize>>>()?;
    columns.sort_unstable();
    columns.dedup();
    Ok(columns)
}

fn condition(parts: Vec<Expr>, columns: Vec<usize>, schema: &SchemaRef) -> Result<Test> {
    let fields: Vec<_> = columns.iter().map(|&i| schema.field(i).clone()).collect();
    let check = Check::Condition(Evaluator::bind(&Expr::and(parts), &Schema::new(fields))?);
    Ok(Test { columns, check })
}

/// Keys of joins come after what usually leaves few rows, and before what usually leaves many or is dear.
const KEYS_RANK: u8 = 3;

/// The place of a test of some columns among the others: how few rows are likely to pass, and how
/// cheaply that is known.
fn rank(parts: &[Expr]) -> u8 {
    let compares = |p: &Expr| p.as_comparison().map(|(_, op, _)| op);
    let ranges = |op: Compare| matches!(op, Compare::Lt | Compare::LtEq | Compare::Gt | Compare::GtEq);
    let is_list = |p: &Expr| matches!(p, Expr::InList { negated: false, .. });
    let between_columns = |p: &Expr| {
        matches!(p, Expr::Binary { op, left, right } if op.is_comparison()
            && matches!((&**left, &**right), (Expr::Column(_), Expr::Column(_))))
    };
    match () {
        _ if parts.iter().any(|p| compares(p) == Some(Compare::Eq)) => 0,
        _ if parts.iter().filter(|p| compares(p).is_some_and(ranges)).count() > 1 => 1,
        _ if parts.iter().any(is_list) => 2,
        _ if parts.iter().any(|p| compares(p).is_some()) => 4,
        _ if parts.iter().any(between_columns) => 5,
        _ => 6,
    }
}

/// `column IN (constants)`.
fn any_of(part: &Expr, schema: &SchemaRef) -> Option<AnyOf> {
    let Expr::InList {
        expr,
        list,
        negated: false,
    } = part
    else {
        return None;
    };
    let Expr::Column(name) = &**expr else {
        return None;
    };
    let column = schema.index_of(name).ok()?;
    let field = schema.field(column);
    let values = list.iter().filter(|e| !matches!(e, Expr::Literal(Scalar::Null)));
    let values = values.map(|e| match e {
        Expr::Literal(v) => as_column_type(v.clone(), field),
        _ => None,
    });
    let values = values.collect::<Option<Vec<_>>>()?;
    Some(AnyOf { column, values })
}

/// The least and the greatest key as bounds of a column of type `ty`.
fn range_of(column: usize, keys: &KeySet, ty: &DataType) -> Vec<Bound> {
    let value = |v: i64| {
        Some(match ty {
            DataType::Int64 => Scalar::Int(v),
            DataType::Date32 => Scalar::Date(i32::try_from(v).ok()?),
            DataType::Timestamp(_, zone) => Scalar::Timestamp(v, zone.is_some()),
            _ => return None,
        })
    };
    // of an empty set everything is out of bounds
    let (least, most) = keys.range().unwrap_or((1, 0));
    let bound = |op, v| value(v).map(|value| Bound { column, op, value });
    [bound(Compare::GtEq, least), bound(Compare::LtEq, most)]
        .into_iter()
        .flatten()
        .collect()
}

/// The value as it is compared with the column, where that is exact: a text is a literal of the column's type,
/// a number beside floats of a narrow width the nearest of them.
fn as_column_type(value: Scalar, field: &Field) -> Option<Scalar> {
    let ty = field.data_type();
    let value = match &value {
        Scalar::Text(t) if expr::has_literals(ty) => {
            let decimals = |t: &DataType| matches!(t, DataType::Decimal128(..));
            let alike = |v: &DataType| v == ty || (decimals(v) && decimals(ty));
            expr::literal(t, ty).filter(|v| alike(&v.data_type()))?
        }
        Scalar::Text(_) if matches!(ty, DataType::Timestamp(..)) => {
            return expr::cast::scalar(&value, CastType::of(ty)?).ok();
        }
        _ => value,
    };
    match (ty, &value) {
        (DataType::Float64, Scalar::Int(_) | Scalar::Float(_) | Scalar::Decimal(..)) => {
            match (
                Width::of_field(field),
                expr::cast::scalar(&value, CastType::Float),
            ) {
                (Some(width), Ok(Scalar::Float(x))) => Some(Scalar::Float(width.of_constant(x))),
                _ => Some(value),
            }
        }
        _ => Some(value),
    }
}

impl RowFilter for ExprFilter {
    fn columns(&self) -> &[usize] {
        &self.columns
    }
    fn mask(&self, batch: &Batch) -> Result<BooleanArray> {
        let mut all: Option<BooleanArray> = None;
        for test in &self.tests {
            let at = |c: &usize| self.columns.binary_search(c).unwrap_or(0);
            let at: Vec<usize> = test.columns.iter().map(at).collect();
            let mask = test.mask(&batch.select(&at), &mut KnownCodes::default())?;
            all = Some(match all {
                None => mask,
                Some(all) => compute::and(&all, &mask)?,
            });
        }
        Ok(all.unwrap_or_else(|| BooleanArray::from(vec![true; batch.rows])))
    }
    fn bounds(&self) -> &[Bound] {
        &self.bounds
    }
    fn lists(&self) -> &[AnyOf] {
        &self.lists
    }
    fn tests(&self) -> &[Test] {
        &self.tests
    }
}
