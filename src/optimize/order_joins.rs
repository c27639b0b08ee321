//! The order of inner joins: what leaves few rows comes first, what is small is built, no cross product
//! stands where an equality connects.
//!
//! ```text
//!          ⋈                 inner joins one above the other are taken apart into their inputs, the
//!        ⋈   c               equalities between these and further conditions; from each input as the
//!      a   b                 first one a chain is laid, always going on with the input that leaves the
//!   ─► {a, b, c}, a.x = c.x  fewest rows; the cheapest chain stays
//!   ─► (c ⋈ a) ⋈ b
//! ```
//!
//! A join hands on the rows of its left in their order, and queries by flags promise that order. So joins
//! are reordered only where nobody can see it: below groups, on the right of semi and anti joins, and
//! everywhere in SQL, which promises no order but that of ORDER BY. Outer, semi and anti joins stay where
//! they are; what lies below them is ordered by itself.

use arrow::datatypes::SchemaRef;

use super::Rule;
use crate::error::{Error, Result};
use crate::expr::{AggCall, BinaryOp, Expr, JoinKind};
use crate::plan::LogicalPlan;

/// See the module.
pub struct OrderJoins {
    /// Whether the order of the result's rows is promised.
    pub promised: bool,
}

/// More inputs than this are laid out from the largest one only.
const MOST_CHAINS: usize = 10;
/// A row that is built costs so many times one that goes by.
const BUILD: f64 = 3.0;
/// The right side of a semi or anti join is built as it is if it has fewer rows than this,
const MANY: f64 = 20_000.0;
/// or not so many times those of the left.
const MUCH_SMALLER: f64 = 16.0;

impl Rule for OrderJoins {
    fn name(&self) -> &'static str {
        "order_joins"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let seen = self.promised || has_place(&plan);
        rewrite(plan, seen)
    }
}

/// Whether something in the plan depends on the places of rows.
fn has_place(plan: &LogicalPlan) -> bool {
    fn names(e: &Expr) -> bool {
        matches!(e, Expr::Place) || e.children().into_iter().any(names)
    }
    let own = match plan {
        LogicalPlan::Scan { filter, .. } => filter.iter().any(names),
        LogicalPlan::Filter { predicate, .. } => names(predicate),
        LogicalPlan::Project { exprs, .. } => exprs.iter().any(|(_, e)| names(e)),
        LogicalPlan::Aggregate { keys, aggs, .. } => {
            keys.iter().any(|(_, e)| names(e))
                || aggs.iter().any(|(_, a)| a.arg.iter().chain(&a.filter).any(names))
        }
        LogicalPlan::Sort { keys, .. } => keys.iter().any(|k| names(&k.expr)),
        LogicalPlan::Expand { lists, times, .. } => {
            (lists.iter().flatten().map(|(_, e)| e).chain(times)).any(names)
        }
        LogicalPlan::Window {
            order, ties, calls, ..
        } => {
            order.iter().chain(ties).any(|k| names(&k.expr))
                || calls
                    .iter()
                    .any(|(_, c)| names(&Expr::Window(Box::new(c.clone()))))
        }
        LogicalPlan::Join { filter, .. } => filter.iter().any(names),
        LogicalPlan::Union { .. } | LogicalPlan::Limit { .. } => false,
    };
    own || plan.inputs().into_iter().any(has_place)
}

/// Of the right side of a semi or anti join the rows that have a key of the left, where the left is much smaller:
/// its keys are built, the right goes by, and only what is left of it is built as well.
fn met(left: &LogicalPlan, right: LogicalPlan, on: &[(Expr, Expr)]) -> Result<LogicalPlan> {
    let rows = right.estimated_rows();
    if on.is_empty() || rows < MANY || left.estimated_rows() * MUCH_SMALLER > rows {
        return Ok(right);
    }
    let name = |i: usize| format!("\u{1}met{i}");
    let keys = on.iter().enumerate().map(|(i, (l, _))| (name(i), l.clone()));
    let keys = LogicalPlan::Project {
        exprs: keys.collect(),
        input: Box::new(left.clone()),
    };
    let equal = on.iter().enumerate();
    let equal = equal.map(|(i, (_, r))| (r.clone(), Expr::Column(name(i))));
    Ok(LogicalPlan::Join {
        on: equal.collect(),
        left: Box::new(right),
        right: Box::new(keys),
        kind: JoinKind::Semi,
        filter: None,
        asof: None,
    })
}

/// Reorders joins below `plan`; `seen`: the order in which its rows come can be seen.
fn rewrite(plan: LogicalPlan, seen: bool) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Aggregate { input, keys, aggs } => {
            let by_order = |(_, a): &(String, AggCall)| a.func.sees_order();
            let seen = aggs.iter().any(by_order);
            Ok(LogicalPlan::Aggregate {
                input: Box::new(rewrite(*input, seen)?),
                keys,
                aggs,
            })
        }
        LogicalPlan::Join {
            left,
            right,
            kind: kind @ (JoinKind::Semi | JoinKind::Anti),
            on,
            filter,
            asof: None,
        } => {
            let left = rewrite(*left, seen)?;
            let right = met(&left, rewrite(*right, false)?, &on)?;
            Ok(LogicalPlan::Join {
                left: Box::new(left),
                right: Box::new(right),
                kind,
                on,
                filter,
                asof: None,
            })
        }
        // which of two rows that are equally near is taken depends on the order of the right
        LogicalPlan::Join {
            left,
            right,
            kind,
            on,
            filter,
            asof: asof @ Some(_),
        } => Ok(LogicalPlan::Join {
            left: Box::new(rewrite(*left, seen)?),
            right: Box::new(rewrite(*right, true)?),
            kind,
            on,
            filter,
            asof,
        }),
        join @ LogicalPlan::Join {
            kind: JoinKind::Inner,
            ..
        } if !seen => reorder(join),
        other => other.map_inputs(&mut |p| rewrite(p, seen)),
    }
}

/// Inner joins, taken apart.
#[derive(Default)]
struct Parts {
    inputs: Vec<LogicalPlan>,
    equal: Vec<(Expr, Expr)>,
    conditions: Vec<Expr>,
}

impl Parts {
    fn take(&mut self, plan: LogicalPlan) -> Result<()> {
        match plan {
            LogicalPlan::Join {
                left,
                right,
                kind: JoinKind::Inner,
                on,
                filter,
                asof: None,
            } => {
                self.take(*left)?;
                self.take(*right)?;
                self.equal.extend(on);
                self.conditions
                    .extend(filter.into_iter().flat_map(Expr::conjuncts));
            }
            other => self.inputs.push(rewrite(other, false)?),
        }
        Ok(())
    }
}

/// What is known of an input.
struct Input {
    rows: f64,
    schema: SchemaRef,
}

/// An equality between two inputs.
struct Edge {
    sides: [usize; 2],
    distinct: f64,
}

fn reorder(join: LogicalPlan) -> Result<LogicalPlan> {
    let before = join.schema()?;
    let mut parts = Parts::default();
    parts.take(join)?;
    let inputs = parts.inputs.iter().map(|p| {
        Ok(Input {
            rows: p.estimated_rows().max(1.0),
            schema: p.schema()?,
        })
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let edges = edges(&parts, &inputs);
    let first = match inputs.len() <= MOST_CHAINS {
        true => (0..inputs.len()).collect(),
        false => {
            let rows = |i: &usize| (inputs[*i].rows, std::cmp::Reverse(*i));
            let largest = (0..inputs.len())
                .max_by(|a, b| rows(a).partial_cmp(&rows(b)).unwrap_or(std::cmp::Ordering::Equal));
            vec![largest.unwrap_or(0)]
        }
    };
    let mut best: Option<(f64, Vec<usize>)> = None;
    for i in first {
        let (cost, order) = chain(i, &inputs, &edges);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, order));
        }
    }
    let Some((_, order)) = best else {
        return Err(Error::defect("a join of nothing"));
    };
    let plan = lay(parts, &order, &inputs)?;
    if plan.schema()? == before {
        return Ok(plan);
    }
    Ok(LogicalPlan::Project {
        input: Box::new(plan),
        exprs: Expr::columns_of(&before),
    })
}

/// The equalities whose two sides look at one input each.
fn edges(parts: &Parts, inputs: &[Input]) -> Vec<Edge> {
    let only = |e: &Expr| {
        let columns = e.columns();
        let has = |i: &Input| !columns.is_empty() && columns.iter().all(|c| i.schema.index_of(c).is_ok());
        inputs.iter().position(has)
    };
    let edge = |(a, b): &(Expr, Expr)| {
        let sides = [only(a)?, only(b)?];
        let distinct = |e: &Expr, i: usize| parts.inputs[i].distinct(e);
        (sides[0] != sides[1]).then(|| Edge {
            sides,
            distinct: distinct(a, sides[0]).max(distinct(b, sides[1])),
        })
    };
    parts.equal.iter().filter_map(edge).collect()
}

/// The cheapest chain that begins with an input, and what it costs.
fn chain(first: usize, inputs: &[Input], edges: &[Edge]) -> (f64, Vec<usize>) {
    let mut order = vec![first];
    let (mut rows, mut cost) = (inputs[first].rows, inputs[first].rows);
    while order.len() < inputs.len() {
        let mut best: Option<(bool, f64, f64, usize)> = None;
        for (i, input) in inputs.iter().enumerate().filter(|(i, _)| !order.contains(i)) {
            let ties = edges.iter().filter(|e| {
                let [a, b] = e.sides;
                (a == i && order.contains(&b)) || (b == i && order.contains(&a))
            });
            let (mut apart, mut distinct) = (true, 1.0);
            for tie in ties {
                (apart, distinct) = (false, distinct * tie.distinct);
            }
            let out = (rows * input.rows / f64::max(distinct, 1.0)).max(1.0);
            let this = (apart, out, input.rows, i);
            if best.is_none_or(|b| this < b) {
                best = Some(this);
            }
        }
        let Some((_, out, built, next)) = best else { break };
        cost += BUILD * built + out;
        rows = out;
        order.push(next);
    }
    (cost, order)
}

/// Joins the inputs in that order; each condition is asked as soon as its columns are there.
fn lay(parts: Parts, order: &[usize], inputs: &[Input]) -> Result<LogicalPlan> {
    let mut left: Vec<Option<LogicalPlan>> = parts.inputs.into_iter().map(Some).collect();
    let mut take = |i: usize| {
        left[i]
            .take()
            .ok_or_else(|| Error::defect("a join lost an input"))
    };
    let has = |e: &Expr, of: &[usize]| {
        let found = |c: &String| of.iter().any(|&i| inputs[i].schema.index_of(c).is_ok());
        e.columns().iter().all(found)
    };
    let mut plan = take(order[0])?;
    let (mut equal, mut conditions) = (parts.equal, parts.conditions);
    for n in 1..order.len() {
        let (before, next) = (&order[..n], &order[n..=n]);
        let mut on = Vec::new();
        let mut rest = Vec::new();
        for (a, b) in equal {
            let alone = |e: &Expr, of: &[usize]| !e.columns().is_empty() && has(e, of);
            match () {
                _ if alone(&a, before) && alone(&b, next) => on.push((a, b)),
                _ if alone(&b, before) && alone(&a, next) => on.push((b, a)),
                _ if has(&a, &order[..=n]) && has(&b, &order[..=n]) => {
                    conditions.push(Expr::binary(BinaryOp::Eq, a, b));
                }
                _ => rest.push((a, b)),
            }
        }
        equal = rest;
        let (now, later) = conditions.into_iter().partition(|c| has(c, &order[..=n]));
        conditions = later;
        let now: Vec<Expr> = now;
        plan = LogicalPlan::Join {
            left: Box::new(plan),
            right: Box::new(take(next[0])?),
            kind: JoinKind::Inner,
            on,
            filter: (!now.is_empty()).then(|| Expr::and(now)),
            asof: None,
        };
    }
    Ok(plan)
}
