//! Groups: aggregates and keys move out of expressions into one Aggregate node.

use std::collections::HashSet;

use super::Planner;
use super::grouping::Sets;
use super::scope::{Rel, Scope};
use crate::error::{Error, Result};
use crate::expr::{AggCall, Expr};
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
        let whole_key = self.sets.is_some() && self.keys.iter().any(|(_, k)| *k == e);
        match whole_key {
            true => self.keyed(p, e, &mut |_| true),
            false => self.keyed(p, e, &mut |e| !matches!(e, Expr::Literal(_))),
        }
    }

    /// The expression with columns of the groups in place of keys, the largest first: of the keys `a` and `a + 1`
    /// the second stands for `a + 1`. A constant that is a key is itself, unless it is all there is and some sets
    /// of the keys lack it.
    fn keyed(&self, p: &Planner, e: Expr, may_be: &mut dyn FnMut(&Expr) -> bool) -> Result<Expr> {
        if let Expr::Column(c) = &e
            && let Some((_, args)) = p.groupings.iter().find(|(n, _)| n == c)
        {
            return p.grouping_of(args, &self.keys, self.sets.as_ref());
        }
        if may_be(&e)
            && let Some((name, _)) = self.keys.iter().find(|(_, k)| *k == e)
        {
            return Ok(Expr::column(name));
        }
        e.map_children(&mut |e| self.keyed(p, e, may_be))
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
            None => LogicalPlan::grouped(rows, keys, self.aggs)?,
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
