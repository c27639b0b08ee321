//! Several aggregates with DISTINCT, beside any others: rows come once for each different argument,
//! and once for the aggregates without DISTINCT.
//!
//! ```text
//!   sum(DISTINCT x), avg(DISTINCT y), median(z)  of each k
//!
//!   Aggregate [k]            median: the one of part 0, sum of x in part 1, avg of y in part 2
//!     Aggregate [k part x y] median(z)
//!       Expand               (k 0 ∅ ∅ z) (k 1 x ∅ ∅) (k 2 ∅ y ∅)
//! ```
//!
//! DISTINCT ON is here too: the first row of each key.

use super::Planner;
use crate::error::{Error, Result};
use crate::expr::{AggCall, AggFunc, BinaryOp, Expr, ordered_by};
use crate::kernel::Scalar;
use crate::plan::{LogicalPlan, OrderBy};

/// Which part of the rows a row is of.
const PART: &str = "\u{1}part";

/// See the module.
pub(super) fn rows_of_their_own(
    input: LogicalPlan,
    keys: Vec<(String, Expr)>,
    aggs: Vec<(String, AggCall)>,
) -> Result<LogicalPlan> {
    let mut values: Vec<Expr> = Vec::new();
    let (mut plain, mut outer, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for (name, c) in aggs {
        let (func, column, part) = match c.counts_each_once() {
            true => {
                let value = counted(&c)?;
                let at = match values.iter().position(|v| *v == value) {
                    Some(at) => at,
                    None => {
                        values.push(value);
                        values.len() - 1
                    }
                };
                (c.func, value_name(at), at + 1)
            }
            false => {
                if matches!(c.func, AggFunc::Count | AggFunc::NUnique) {
                    counts.push(name.clone());
                }
                plain.push((name.clone(), c));
                // there is one in each group
                (AggFunc::First, name.clone(), 0)
            }
        };
        let call = AggCall {
            func,
            arg: Some(Expr::Column(column)),
            distinct: false,
            filter: Some(Expr::binary(BinaryOp::Eq, Expr::column(PART), int(part))),
        };
        outer.push((name, call));
    }
    let mut inner_keys: Vec<(String, Expr)> = (keys.iter().enumerate())
        .map(|(i, (n, _))| (n.clone(), Expr::Column(key_name(i))))
        .collect();
    inner_keys.push((PART.to_string(), Expr::column(PART)));
    inner_keys.extend((0..values.len()).map(|i| (value_name(i), Expr::Column(value_name(i)))));
    let grouped = LogicalPlan::Aggregate {
        keys: keys.iter().map(|(n, _)| (n.clone(), Expr::column(n))).collect(),
        input: Box::new(LogicalPlan::Aggregate {
            input: Box::new(expand(input, &keys, &values, &plain)?),
            keys: inner_keys,
            aggs: plain,
        }),
        aggs: outer,
    };
    super::grouping::zero_counts(grouped, counts)
}

/// What each different one counts of; null where the filter does not hold.
fn counted(c: &AggCall) -> Result<Expr> {
    let arg = c.arg.clone();
    let arg = arg.ok_or_else(|| Error::defect("an aggregate of distinct nothings"))?;
    Ok(match &c.filter {
        None => arg,
        Some(f) => Expr::Case {
            operand: None,
            branches: vec![(f.clone(), arg)],
            otherwise: None,
        },
    })
}

fn expand(
    input: LogicalPlan,
    keys: &[(String, Expr)],
    values: &[Expr],
    plain: &[(String, AggCall)],
) -> Result<LogicalPlan> {
    let schema = input.schema()?;
    let used = plain.iter().flat_map(|(_, c)| c.arg.iter().chain(&c.filter));
    let used: std::collections::BTreeSet<String> = used.flat_map(Expr::columns).collect();
    let mut lists = Vec::new();
    for part in 0..=values.len() {
        let keep = |e: Expr, wanted: bool| match wanted {
            true => Ok(e),
            false => Expr::null_of(&e.data_type(&schema)?),
        };
        let mut list = Vec::new();
        for (i, (_, key)) in keys.iter().enumerate() {
            list.push((key_name(i), key.clone()));
        }
        list.push((PART.to_string(), int(part)));
        for (i, v) in values.iter().enumerate() {
            list.push((value_name(i), keep(v.clone(), part == i + 1)?));
        }
        for c in &used {
            list.push((c.clone(), keep(Expr::column(c), part == 0)?));
        }
        lists.push(list);
    }
    // the groups that grouping sets have of no row are here as well
    let totals = match &input {
        LogicalPlan::Expand {
            totals: Some((id, numbers)),
            ..
        } => {
            let at = keys
                .iter()
                .position(|(_, e)| matches!(e, Expr::Column(c) if c == id));
            at.map(|at| (key_name(at), numbers.clone()))
        }
        _ => None,
    };
    Ok(LogicalPlan::Expand {
        input: Box::new(input),
        lists,
        times: None,
        totals,
    })
}

fn key_name(i: usize) -> String {
    format!("\u{1}key{i}")
}

fn value_name(i: usize) -> String {
    format!("\u{1}value{i}")
}

fn int(i: usize) -> Expr {
    Expr::Literal(Scalar::Int(i as i64))
}

impl Planner<'_> {
    /// Of the rows that have the same keys the first by an order, and the order of the keys.
    pub(super) fn first_of_each(
        &mut self,
        plan: LogicalPlan,
        on: Vec<Expr>,
        order: &[OrderBy],
    ) -> Result<(LogicalPlan, Vec<OrderBy>)> {
        let schema = plan.schema()?;
        let keys: Vec<(String, Expr)> = on.into_iter().map(|e| (self.fresh("key"), e)).collect();
        let terms = || {
            order
                .iter()
                .map(|k| (k.expr.clone(), k.descending, k.nulls_first))
        };
        let first = |name: &String| AggCall {
            func: AggFunc::First,
            arg: Some(ordered_by(Expr::column(name), terms())),
            distinct: false,
            filter: None,
        };
        let columns = schema.fields().iter().map(|f| f.name());
        let aggs = columns.map(|n| (n.clone(), first(n))).collect();
        let by_key = keys.iter().map(|(n, _)| OrderBy::ascending(n)).collect();
        let plan = LogicalPlan::Aggregate {
            input: Box::new(plan),
            keys,
            aggs,
        };
        plan.schema()?;
        Ok((plan, by_key))
    }
}
