//! Joins of plans: keys out of conditions, and an order for the tables of a comma list.
//!
//! ```text
//!   FROM part, lineitem, orders WHERE p = lp AND lo = o        a cross product is never run where
//!   lineitem ⋈ part ⋈ orders                                   an equality leads on
//! ```

use sqlparser::ast;

use super::scope::{Col, Rel};
use crate::error::Result;
use crate::expr::{BinaryOp, Expr, JoinKind};
use crate::plan::{AsOf, LogicalPlan, equal_sides};

/// Both inputs of a join and its condition.
pub(super) struct Side {
    pub left: LogicalPlan,
    pub right: LogicalPlan,
    pub on: Vec<(Expr, Expr)>,
    pub filter: Option<Expr>,
    pub asof: Option<AsOf>,
}

impl Side {
    pub fn join(self, kind: JoinKind) -> LogicalPlan {
        LogicalPlan::Join {
            left: Box::new(self.left),
            right: Box::new(self.right),
            kind,
            on: self.on,
            filter: self.filter,
            asof: self.asof,
        }
    }

    pub fn flipped(self) -> Self {
        Side {
            left: self.right,
            right: self.left,
            on: self.on.into_iter().map(|(l, r)| (r, l)).collect(),
            filter: self.filter,
            asof: None,
        }
    }
}

/// The condition of a join that must have one.
pub(super) fn constraint(op: &ast::JoinOperator) -> Option<&ast::JoinConstraint> {
    use ast::JoinOperator as J;
    match op {
        J::Join(c)
        | J::Inner(c)
        | J::Left(c)
        | J::LeftOuter(c)
        | J::Right(c)
        | J::RightOuter(c)
        | J::FullOuter(c) => Some(c),
        _ => None,
    }
}

/// All columns of a plan, and more.
pub(super) fn with_columns(plan: LogicalPlan, added: Vec<(String, Expr)>) -> Result<LogicalPlan> {
    let schema = plan.schema()?;
    let exprs = Expr::columns_of(&schema).into_iter().chain(added).collect();
    Ok(LogicalPlan::Project {
        input: Box::new(plan),
        exprs,
    })
}

/// The parts of a condition, with what all branches of an OR have in common taken out of it:
/// `(a AND b) OR (a AND c)` is `a` and `b OR c`.
pub(super) fn conjuncts(e: Expr) -> Vec<Expr> {
    e.conjuncts().into_iter().flat_map(common_factors).collect()
}

fn common_factors(e: Expr) -> Vec<Expr> {
    let branches = disjuncts(&e);
    let [first, rest @ ..] = branches.as_slice() else {
        return vec![e];
    };
    if rest.is_empty() {
        return vec![e];
    }
    let parts: Vec<Vec<Expr>> = branches.iter().map(|b| b.clone().conjuncts()).collect();
    let common: Vec<Expr> = (first.clone().conjuncts().into_iter())
        .filter(|c| parts.iter().all(|p| p.contains(c)))
        .collect();
    if common.is_empty() {
        return vec![e];
    }
    let left: Vec<Vec<Expr>> = parts
        .into_iter()
        .map(|p| p.into_iter().filter(|c| !common.contains(c)).collect())
        .collect();
    let mut out = common;
    // a branch with nothing left is true
    if left.iter().all(|b| !b.is_empty()) {
        let branches = left.into_iter().map(Expr::and);
        out.extend(branches.reduce(|a, b| Expr::binary(BinaryOp::Or, a, b)));
    }
    out
}

fn disjuncts(e: &Expr) -> Vec<Expr> {
    let (mut out, mut todo) = (Vec::new(), vec![e]);
    while let Some(e) = todo.pop() {
        match e {
            Expr::Binary {
                op: BinaryOp::Or,
                left,
                right,
            } => todo.extend([right.as_ref(), left.as_ref()]),
            other => out.push(other.clone()),
        }
    }
    out
}

/// The tables of a comma list, joined by the equalities among `conditions`, which lose these: the
/// largest leads, then always the smallest of those that an equality connects, but one that is also
/// tied to a larger table waits for that: small tables tied to each other by few values (customers
/// and suppliers of a nation) would multiply. What connects to nothing comes last.
pub(super) fn connect(items: Vec<Rel>, conditions: &mut Vec<Expr>) -> Result<Rel> {
    let cols: Vec<Col> = items.iter().flat_map(|r| r.cols.clone()).collect();
    let mut left: Vec<Rel> = items.into_iter().map(Rel::settle).collect();
    if left.len() == 1 {
        return Ok(left.remove(0));
    }
    let sizes = |p: &LogicalPlan| p.tables().iter().map(|t| t.dataset.bytes()).sum::<u64>();
    let largest = (0..left.len()).max_by_key(|&i| (sizes(&left[i].plan), std::cmp::Reverse(i)));
    let mut plan = left.remove(largest.unwrap_or(0)).plan;
    while !left.is_empty() {
        let own = plan.schema()?;
        let mut best: Option<((bool, u64), usize, Vec<usize>)> = None;
        for (i, r) in left.iter().enumerate() {
            let schema = r.plan.schema()?;
            let mut keys = Vec::new();
            for (k, c) in conditions.iter().enumerate() {
                if equal_sides(c, &own, &schema)?.is_some() {
                    keys.push(k);
                }
            }
            if keys.is_empty() {
                continue;
            }
            let size = sizes(&r.plan);
            let mut waits = false;
            for other in left.iter().filter(|o| sizes(&o.plan) > size) {
                let theirs = other.plan.schema()?;
                for c in conditions.iter() {
                    waits |= equal_sides(c, &schema, &theirs)?.is_some();
                }
            }
            if best.as_ref().is_none_or(|(b, ..)| (waits, size) < *b) {
                best = Some(((waits, size), i, keys));
            }
        }
        let (_, next, keys) = best.unwrap_or(((false, 0), 0, Vec::new()));
        let right = left.remove(next).plan;
        let schema = right.schema()?;
        let mut on = Vec::new();
        for k in keys.into_iter().rev() {
            on.extend(equal_sides(&conditions.remove(k), &own, &schema)?);
        }
        on.reverse();
        let filter = None;
        plan = Side {
            left: plan,
            right,
            on,
            filter,
            asof: None,
        }
        .join(JoinKind::Inner);
    }
    Ok(Rel {
        plan,
        cols,
        order: Vec::new(),
    })
}
