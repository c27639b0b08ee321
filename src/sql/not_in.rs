//! `(a, b) NOT IN (SELECT …)`: rows of which none among those of a subquery may be the same. Null may be anything.
//!
//! ```text
//!   both without nulls      the same in all columns                                found by hash
//!   a is null on the left   the same in the other columns, for each choice         found by hash
//!   all are null            any row at all                                         one row decides
//!   nulls on the right      each such row is compared, of which there are few
//! ```
//!
//! Each line is an anti join over the rows that those before it left, so that they keep their order. One join with
//! all of that as its condition would compare every row with every other.

use super::scope::Rel;
use super::subquery::{is_null, joined};
use crate::error::Result;
use crate::expr::{BinaryOp, Expr, JoinKind};
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

/// Of more columns there would be too many choices of nulls.
const MOST_COLUMNS: usize = 3;

/// The rows of `rel` for which all `pairs` are surely not equal, whatever the row of `inner`.
pub(super) fn surely_not_in(rel: Rel, inner: Rel, pairs: Vec<(Expr, Expr)>) -> Result<Rel> {
    let one_by_one = |rel: Rel, inner: Rel| {
        let filter = Some(maybe_equal(&pairs));
        joined(rel, inner, JoinKind::Anti, Vec::new(), filter)
    };
    if pairs.len() > MOST_COLUMNS {
        return one_by_one(rel, inner);
    }
    let mut rel = joined(rel, inner.clone(), JoinKind::Anti, pairs.clone(), None)?;
    for chosen in 1_usize..1 << pairs.len() {
        let (nulls, known): (Vec<_>, Vec<_>) =
            (pairs.iter().enumerate()).partition(|(i, _)| chosen >> i & 1 == 1);
        let nulls = nulls.into_iter().map(|(_, (l, _))| is_null(l.clone(), false));
        let nulls = Expr::and(nulls.collect());
        rel = match known.is_empty() {
            true => {
                let any = inner.clone().map(|input| LogicalPlan::Limit {
                    input,
                    skip: 0,
                    take: Some(1),
                });
                joined(rel, any, JoinKind::Anti, Vec::new(), Some(nulls))?
            }
            false => {
                // a key that is null matches nothing: rows without these nulls are not looked for
                let only =
                    |(_, (l, r)): (usize, &(Expr, Expr))| (only_where(nulls.clone(), l.clone()), r.clone());
                let on = known.into_iter().map(only).collect();
                joined(rel, inner.clone(), JoinKind::Anti, on, None)?
            }
        };
    }
    let nulls = pairs.iter().map(|(_, r)| is_null(r.clone(), false));
    let some_null = nulls.reduce(|a, b| Expr::binary(BinaryOp::Or, a, b));
    match some_null {
        Some(predicate) => one_by_one(rel, inner.map(|input| LogicalPlan::Filter { input, predicate })),
        None => Ok(rel),
    }
}

/// The value where a condition holds, else null.
fn only_where(condition: Expr, value: Expr) -> Expr {
    Expr::Case {
        operand: None,
        branches: vec![(condition, value)],
        otherwise: None,
    }
}

/// Whether all pairs are equal, or may be: null may be anything.
fn maybe_equal(pairs: &[(Expr, Expr)]) -> Expr {
    let parts = pairs.iter().map(|(l, r)| {
        let same = Expr::binary(BinaryOp::Eq, l.clone(), r.clone());
        Expr::binary(BinaryOp::Distinct, same, Expr::Literal(Scalar::Bool(false)))
    });
    Expr::and(parts.collect())
}
