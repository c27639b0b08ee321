//! Groups: aggregates and keys move out of expressions into one Aggregate node.

use std::collections::HashSet;

use super::Planner;
use super::grouping::Sets;
use super::scope::{Rel, Scope};
use crate::error::{Error, Result};
use crate::expr::{AggCall, AggFunc, Expr};
use crate::plan::{LogicalPlan, OrderBy};

/// Keys and the aggregates found so far.
pub(super) struct Groups {
    pub keys: Vec<(String, Expr)>,
    pub aggs: Vec<(String, AggCall)>,
    /// Sets of the keys; without them all keys are one.
    pub sets: Option<Sets>,
}

impl Groups {
    pub fn new(keys: Vec<(String, Expr)>) -> Self {
        Groups {
            keys,
            aggs: Vec::new(),
            sets: None,
        }
    }

    /// The expression over the columns of the Aggregate node.
    pub fn rewrite(&mut self, p: &mut Planner, e: Expr) -> Result<Expr> {
        let e = e.map(&mut |e| {
            let Expr::Aggregate(call) = e else { return Ok(e) };
            if let Some((name, _)) = self.aggs.iter().find(|(_, c)| *c == *call) {
                return Ok(Expr::column(name));
            }
            let name = p.fresh(call.func.name());
            self.aggs.push((name.clone(), *call));
            Ok(Expr::Column(name))
        })?;
        e.map(&mut |e| {
            if let Expr::Column(c) = &e
                && let Some((_, args)) = p.groupings.iter().find(|(n, _)| n == c)
            {
                return p.grouping_of(args, &self.keys, self.sets.as_ref());
            }
            let key = self.keys.iter().find(|(_, k)| *k == e);
            Ok(key.map_or(e, |(name, _)| Expr::column(name)))
        })
    }

    /// The groups of some rows.
    pub fn over(self, rel: Rel) -> Result<Rel> {
        let by_order = |c: &AggCall| c.func.sees_order();
        let ordered = self.aggs.iter().any(|(_, c)| by_order(c));
        let input = if ordered { rel.settle() } else { rel };
        let mut order: Vec<_> = self.keys.iter().map(|(n, _)| OrderBy::ascending(n)).collect();
        let names: HashSet<String> = self.keys.iter().map(|(n, _)| n.clone()).collect();
        let finest = match &self.sets {
            Some(sets) => {
                order.push(OrderBy::ascending(&sets.id));
                sets.finest_first(&input, &self.keys, &self.aggs)?
            }
            None => None,
        };
        let (rows, keys) = match &self.sets {
            Some(sets) => sets.rows(&input, &self.keys)?,
            None => (input.plan, self.keys),
        };
        let plan = match finest {
            Some(plan) => plan,
            None if self.aggs.iter().any(|(_, c)| c.counts_each_once()) => once_each(rows, keys, self.aggs)?,
            None => LogicalPlan::Aggregate {
                input: Box::new(rows),
                keys,
                aggs: self.aggs,
            },
        };
        plan.schema()?;
        Ok(Rel {
            plan,
            cols: input
                .cols
                .into_iter()
                .filter(|c| names.contains(&c.inner))
                .collect(),
            order,
        })
    }
}

/// `sum(DISTINCT x)` and the like: groups of the keys and `x` first, then the groups of the keys over
/// these. What else is asked for must be the aggregate of its own parts: a count is a sum of counts.
/// Where it is not, or there are several `x`, each has rows of its own ([`super::distinct`]).
fn once_each(
    input: LogicalPlan,
    keys: Vec<(String, Expr)>,
    aggs: Vec<(String, AggCall)>,
) -> Result<LogicalPlan> {
    use AggFunc::{BoolAnd, BoolOr, Count, Max, Min, NUnique, Sum};
    const VALUE: &str = "\u{1}value";
    let mut once = aggs.iter().filter(|(_, c)| c.counts_each_once());
    let Some(Some(value)) = once.next().map(|(_, c)| c.arg.clone()) else {
        return Err(Error::defect("an aggregate of distinct nothings"));
    };
    let schema = input.schema()?;
    // floats are rounded once, at the end of all
    let float = |e: &Expr| {
        e.data_type(&schema)
            .is_ok_and(|t| t == arrow::datatypes::DataType::Float64)
    };
    let simple = |c: &AggCall| match c.counts_each_once() {
        true => c.arg.as_ref() == Some(&value) && c.filter.is_none(),
        false => match c.func {
            NUnique => c.arg.as_ref() == Some(&value) && c.filter.is_none(),
            Sum => !c.arg.iter().any(float),
            Count => !c.distinct,
            Min | Max | BoolAnd | BoolOr => true,
            _ => false,
        },
    };
    if !aggs.iter().all(|(_, c)| simple(c)) {
        return super::distinct::rows_of_their_own(input, keys, aggs);
    }
    let (mut parts, mut wholes) = (Vec::new(), Vec::new());
    let whole = |func, column: &str| AggCall {
        func,
        arg: Some(Expr::column(column)),
        distinct: false,
        filter: None,
    };
    for (name, c) in aggs {
        let of_value = c.arg.as_ref() == Some(&value) && c.filter.is_none();
        wholes.push(match c.func {
            NUnique if of_value => (name, whole(Count, VALUE)),
            _ if of_value && c.counts_each_once() => (name, whole(c.func, VALUE)),
            _ => {
                let again = if c.func == Count { Sum } else { c.func };
                let part = (name.clone(), c);
                parts.push(part);
                (name.clone(), whole(again, &name))
            }
        });
    }
    let mut inner = keys.clone();
    inner.push((VALUE.to_string(), value));
    let outer = keys
        .into_iter()
        .map(|(n, _)| (n.clone(), Expr::Column(n)))
        .collect();
    // over no row at all a sum of counts is null, a count is 0
    let counts: Vec<String> = (parts.iter())
        .filter(|(_, c)| c.func == Count)
        .map(|(n, _)| n.clone())
        .collect();
    let grouped = LogicalPlan::Aggregate {
        input: Box::new(LogicalPlan::Aggregate {
            input: Box::new(input),
            keys: inner,
            aggs: parts,
        }),
        keys: outer,
        aggs: wholes,
    };
    super::grouping::zero_counts(grouped, counts)
}

/// The columns within the aggregates of an expression.
pub(super) fn inside_aggregates(e: &Expr, into: &mut HashSet<String>) {
    let mut todo = vec![e];
    while let Some(e) = todo.pop() {
        match e {
            Expr::Aggregate(_) => into.extend(e.columns()),
            e => todo.extend(e.children()),
        }
    }
}

/// Every column must be a key, an aggregate, or what a subquery will yield.
pub(super) fn check(e: &Expr, groups: &Rel, stand_ins: &HashSet<&str>, from: &Scope) -> Result<()> {
    let schema = groups.plan.schema()?;
    for c in e.columns() {
        if schema.index_of(&c).is_ok() || stand_ins.contains(c.as_str()) || from.is_outer(&c) {
            continue;
        }
        let name = from
            .cols
            .iter()
            .find(|o| o.inner == c)
            .map_or(c.as_str(), |o| o.name.as_str());
        return Err(Error::query(format!(
            "column \"{name}\" is neither a key of GROUP BY nor in an aggregate"
        ))
        .help(format!(
            "add it to GROUP BY, or take one value of each group: first({name})"
        )));
    }
    Ok(())
}
