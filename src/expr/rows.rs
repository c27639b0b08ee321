//! Rows of values: `(a, b) = (1, 2)`, `(a, b) < (c, d)`, `(a, b) IN ((1, 2), (3, 4))`.
//!
//! ```text
//!   (a, b) = (c, d)     a = c AND b = d
//!   (a, b) < (c, d)     a < c OR (a = c AND b < d)      the first parts that differ decide
//! ```

use sqlparser::ast::{BinaryOperator as B, Expr as S};

use super::convert::{Hook, go};
use super::operators::operator;
use super::tree::{BinaryOp, Expr, UnaryOp, balanced};
use crate::error::{Error, Result};

/// `row op other`.
pub(super) fn compared(op: &B, row: &[S], other: &S, h: &mut Hook) -> Result<Expr> {
    let pairs = pairs(row, other, h)?;
    match op {
        B::Eq => Ok(equal(pairs)),
        B::NotEq => Ok(Expr::unary(UnaryOp::Not, equal(pairs))),
        B::Lt | B::LtEq | B::Gt | B::GtEq => {
            let strict = match op {
                B::Lt | B::LtEq => BinaryOp::Lt,
                _ => BinaryOp::Gt,
            };
            let mut pairs = pairs.into_iter().rev();
            let Some((l, r)) = pairs.next() else {
                return Err(Error::query("a row of no values"));
            };
            let mut out = operator(op, l, r)?;
            for (l, r) in pairs {
                let decides = Expr::binary(strict, l.clone(), r.clone());
                let ties = Expr::and(vec![Expr::binary(BinaryOp::Eq, l, r), out]);
                out = Expr::binary(BinaryOp::Or, decides, ties);
            }
            Ok(out)
        }
        other => Err(Error::query(format!("rows of values have no operator {other}"))
            .help("they are compared: (a, b) = (c, d)")),
    }
}

/// `row IS NOT DISTINCT FROM other`.
pub(super) fn alike(row: &[S], other: &S, h: &mut Hook) -> Result<Expr> {
    let same = |(l, r)| Expr::binary(BinaryOp::NotDistinct, l, r);
    Ok(Expr::and(pairs(row, other, h)?.into_iter().map(same).collect()))
}

/// `row IN (list)`.
pub(super) fn among(row: &[S], list: &[S], h: &mut Hook) -> Result<Expr> {
    let each = list.iter().map(|other| Ok(equal(pairs(row, other, h)?)));
    let each = each.collect::<Result<Vec<_>>>()?;
    balanced(BinaryOp::Or, each).ok_or_else(|| Error::query("IN with an empty list"))
}

fn equal(pairs: Vec<(Expr, Expr)>) -> Expr {
    let same = |(l, r)| Expr::binary(BinaryOp::Eq, l, r);
    Expr::and(pairs.into_iter().map(same).collect())
}

/// The values of two rows that are compared with each other.
fn pairs(row: &[S], other: &S, h: &mut Hook) -> Result<Vec<(Expr, Expr)>> {
    let mut other = other;
    while let S::Nested(inner) = other {
        other = inner;
    }
    let other = match other {
        S::Tuple(other) => other.as_slice(),
        _ => std::slice::from_ref(other),
    };
    if row.len() != other.len() {
        return Err(Error::query(format!(
            "a row of {} values is compared with one of {}",
            row.len(),
            other.len()
        )));
    }
    row.iter()
        .zip(other)
        .map(|(l, r)| Ok((go(l, h)?, go(r, h)?)))
        .collect()
}
