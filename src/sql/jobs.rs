//! Which subqueries an expression needs, and what takes the places of their stand-ins.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::convert::Job;
use crate::error::Result;
use crate::expr::Expr;

/// Conditions of which no two look at the same subquery: those that do are one.
pub(super) fn together(parts: Vec<Expr>, jobs: &[Job]) -> Vec<Expr> {
    let looks_at = |e: &Expr| -> HashSet<String> {
        let columns = e.columns();
        needed(&columns, jobs)
            .into_iter()
            .map(|j| jobs[j].stand_in.clone())
            .collect()
    };
    let mut out: Vec<(HashSet<String>, Vec<Expr>)> = Vec::new();
    for part in parts {
        let (mut own, mut all) = (looks_at(&part), vec![part]);
        while let Some(i) = out.iter().position(|(other, _)| !other.is_disjoint(&own)) {
            let (other, before) = out.remove(i);
            own.extend(other);
            all.splice(..0, before);
        }
        out.push((own, all));
    }
    out.into_iter().map(|(_, parts)| Expr::and(parts)).collect()
}

/// The subqueries among these columns, and those that they compare with, by their places.
pub(super) fn needed(columns: &BTreeSet<String>, jobs: &[Job]) -> BTreeSet<usize> {
    let (mut out, mut todo) = (BTreeSet::new(), columns.clone());
    while let Some(c) = todo.pop_first() {
        if let Some(i) = jobs.iter().position(|j| j.stand_in == c)
            && out.insert(i)
        {
            todo.extend(jobs[i].kind.compared_with().iter().flat_map(Expr::columns));
        }
    }
    out
}

/// Takes the jobs at these places out of the list, in its order.
pub(super) fn taken(places: BTreeSet<usize>, jobs: &mut Vec<Job>) -> Vec<Job> {
    let mut out: Vec<Job> = places.into_iter().rev().map(|i| jobs.remove(i)).collect();
    out.reverse();
    out
}

/// Values in place of stand-ins.
pub(super) fn substitute(e: Expr, values: &HashMap<String, Expr>) -> Result<Expr> {
    if values.is_empty() {
        return Ok(e);
    }
    e.map(&mut |e| {
        Ok(match &e {
            Expr::Column(c) => values.get(c).cloned().unwrap_or(e),
            _ => e,
        })
    })
}
