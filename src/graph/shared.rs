//! Parts of a plan that stand in it several times, such as a query of WITH that is used twice.
//!
//! ```text
//!   max(total) ◄── totals        both uses have other names for their columns; without names they are
//!   suppliers ⋈ totals           one: computed once, kept in memory or on disk, read by both
//! ```
//!
//! A part gets a number that it shares with all parts that yield the same rows: columns stand in it by
//! what they are (the third of the table, the sum of these two), not by name, so that projections leave
//! no trace.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::plan::LogicalPlan;

/// A join is kept rather than made again if it yields at most this part of the rows that it reads.
const FEW: f64 = 0.25;

/// The numbers of parts, and which stand in the plan more than once.
#[derive(Default)]
pub(super) struct Shared {
    numbers: HashMap<String, usize>,
    twice: HashSet<usize>,
    /// The stages that leave the rows of parts, and what their columns are.
    made: HashMap<usize, (usize, Vec<Expr>)>,
}

/// A part: its number, and what its columns are in terms of it.
type Part = (usize, Vec<Expr>);

impl Shared {
    /// Looks for parts that are worth keeping and stand in `plans` more than once.
    pub(super) fn of(plans: &[&LogicalPlan]) -> Shared {
        let mut shared = Shared::default();
        let mut seen = HashSet::new();
        let mut todo = plans.to_vec();
        while let Some(plan) = todo.pop() {
            if worth_keeping(plan)
                && let Ok((number, _)) = shared.part(plan)
                && !seen.insert(number)
            {
                shared.twice.insert(number);
                continue; // what lies within is shared with it
            }
            todo.extend(plan.inputs());
        }
        shared
    }

    /// The part that a plan is, if it stands in the whole more than once.
    pub(super) fn find(&mut self, plan: &LogicalPlan) -> Option<Part> {
        if self.twice.is_empty() || !worth_keeping(plan) {
            return None;
        }
        let part = self.part(plan).ok()?;
        self.twice.contains(&part.0).then_some(part)
    }

    /// The stage that leaves the rows of a part, and where among its columns those of this use are.
    pub(super) fn made(&self, (number, columns): &Part) -> Option<(usize, Vec<usize>)> {
        let (stage, there) = self.made.get(number)?;
        let at = columns.iter().map(|c| there.iter().position(|t| t == c));
        Some((*stage, at.collect::<Option<_>>()?))
    }

    /// Notes that a stage leaves the rows of a part.
    pub(super) fn make(&mut self, (number, columns): Part, stage: usize) {
        self.made.insert(number, (stage, columns));
    }

    fn number(&mut self, text: String) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(text).or_insert(next)
    }

    /// What a plan is without its names.
    fn part(&mut self, plan: &LogicalPlan) -> Result<Part> {
        let fresh = |n: usize| (0..n).map(|i| Expr::Column(format!("#{i}"))).collect::<Vec<_>>();
        match plan {
            LogicalPlan::Scan {
                table,
                columns,
                filter,
                limit,
            } => {
                let dataset = Arc::as_ptr(&table.dataset).cast::<()>();
                let schema = table.dataset.schema();
                let number = self.number(format!("scan {dataset:?} {filter:?} {limit:?}"));
                let place = |name: &str| Ok(Expr::Column(format!("#{}", schema.index_of(name)?)));
                let columns = match columns {
                    None => fresh(schema.fields().len()),
                    Some(names) => names.iter().map(|n| place(n)).collect::<Result<_>>()?,
                };
                Ok((number, columns))
            }
            LogicalPlan::Project { input, exprs } => {
                let (number, below) = self.part(input)?;
                let names = Names::of(input, &below)?;
                let columns = exprs.iter().map(|(_, e)| names.within(e));
                Ok((number, columns.collect::<Result<_>>()?))
            }
            LogicalPlan::Filter { input, predicate } => {
                let (below, columns) = self.part(input)?;
                let predicate = Names::of(input, &columns)?.within(predicate)?;
                Ok((self.number(format!("filter {below} {predicate:?}")), columns))
            }
            LogicalPlan::Sort { input, keys, limit } => {
                let (below, columns) = self.part(input)?;
                let names = Names::of(input, &columns)?;
                let mut text = format!("sort {below} {limit:?}");
                for k in keys {
                    let expr = names.within(&k.expr)?;
                    text += &format!(" {expr:?} {} {}", k.descending, k.nulls_first);
                }
                Ok((self.number(text), columns))
            }
            LogicalPlan::Limit { input, skip, take } => {
                let (below, columns) = self.part(input)?;
                Ok((self.number(format!("limit {below} {skip} {take:?}")), columns))
            }
            LogicalPlan::Aggregate { input, keys, aggs } => {
                let (below, columns) = self.part(input)?;
                let names = Names::of(input, &columns)?;
                let mut text = format!("aggregate {below}");
                for (_, e) in keys {
                    text += &format!(" {:?}", names.within(e)?);
                }
                for (_, call) in aggs {
                    let call = names.within(&Expr::Aggregate(Box::new(call.clone())))?;
                    text += &format!(" {call:?}");
                }
                Ok((self.number(text), fresh(keys.len() + aggs.len())))
            }
            LogicalPlan::Expand {
                input,
                lists,
                times,
                totals,
            } => {
                let (below, columns) = self.part(input)?;
                let names = Names::of(input, &columns)?;
                let mut text = format!("expand {below} {totals:?}");
                for list in lists {
                    for (_, e) in list {
                        text += &format!(" {:?}", names.within(e)?);
                    }
                    text += ";";
                }
                if let Some(times) = times {
                    text += &format!(" times {:?}", names.within(times)?);
                }
                Ok((self.number(text), fresh(lists.first().map_or(0, Vec::len))))
            }
            LogicalPlan::Window {
                input,
                order,
                ties,
                calls,
                foremost,
            } => {
                let (below, columns) = self.part(input)?;
                let names = Names::of(input, &columns)?;
                let mut text = format!("window {below} {columns:?} {foremost:?}");
                for k in order.iter().chain(ties) {
                    let expr = names.within(&k.expr)?;
                    text += &format!(" {expr:?} {} {}", k.descending, k.nulls_first);
                }
                for (_, call) in calls {
                    let call = names.within(&Expr::Window(Box::new(call.clone())))?;
                    text += &format!(" {call:?}");
                }
                Ok((self.number(text), fresh(columns.len() + calls.len())))
            }
            LogicalPlan::Join {
                left,
                right,
                kind,
                on,
                filter,
                asof,
            } => {
                let ((l, lc), (r, rc)) = (self.part(left)?, self.part(right)?);
                let side = |columns: Vec<Expr>, side: &str| -> Result<Vec<Expr>> {
                    let of = |c: Expr| match c {
                        Expr::Column(name) => Ok(Expr::Column(format!("{side}{name}"))),
                        other => Ok(other),
                    };
                    columns.into_iter().map(|c| c.map(&mut |c| of(c))).collect()
                };
                let (lc, rc) = (side(lc, "l")?, side(rc, "r")?);
                let mut names = Names::of(left, &lc)?;
                names.columns.extend(Names::of(right, &rc)?.columns);
                let mut text = format!("join {kind:?} {l} {r}");
                for (a, b) in on {
                    text += &format!(" {:?} {:?}", names.within(a)?, names.within(b)?);
                }
                if let Some(a) = asof {
                    let (left, right) = (names.within(&a.left)?, names.within(&a.right)?);
                    text += &format!(" asof {left:?} {:?} {right:?}", a.op);
                }
                if let Some(f) = filter {
                    text += &format!(" and {:?}", names.within(f)?);
                }
                let right = if kind.yields_right() { rc } else { Vec::new() };
                Ok((self.number(text), lc.into_iter().chain(right).collect()))
            }
            LogicalPlan::Union { inputs } => {
                let mut text = "union".to_string();
                let mut width = 0;
                for input in inputs {
                    let (number, columns) = self.part(input)?;
                    width = columns.len();
                    text += &format!(" {number} {columns:?}");
                }
                Ok((self.number(text), fresh(width)))
            }
        }
    }
}

/// Whether the rows of a plan are better kept than computed again. A projection is the same part as its
/// input, which is what is kept.
fn worth_keeping(plan: &LogicalPlan) -> bool {
    !matches!(plan, LogicalPlan::Project { .. }) && is_costly(plan)
}

fn is_costly(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate { .. } | LogicalPlan::Window { .. } => true,
        LogicalPlan::Sort { input, limit, .. } => limit.is_some() || is_costly(input),
        LogicalPlan::Filter { input, .. }
        | LogicalPlan::Project { input, .. }
        | LogicalPlan::Expand { input, .. } => is_costly(input),
        LogicalPlan::Join { left, right, .. } => {
            plan.estimated_rows() <= FEW * (left.estimated_rows() + right.estimated_rows())
        }
        LogicalPlan::Scan { .. } | LogicalPlan::Limit { .. } | LogicalPlan::Union { .. } => false,
    }
}

/// What the names of a plan's columns stand for.
struct Names {
    columns: HashMap<String, Expr>,
}

impl Names {
    fn of(plan: &LogicalPlan, columns: &[Expr]) -> Result<Names> {
        let schema = plan.schema()?;
        let names = schema.fields().iter().map(|f| f.name().clone());
        Ok(Names {
            columns: names.zip(columns.iter().cloned()).collect(),
        })
    }

    /// An expression in terms of the part that the columns belong to.
    fn within(&self, e: &Expr) -> Result<Expr> {
        e.clone().map(&mut |e| match &e {
            Expr::Column(name) => {
                let found = self.columns.get(name).cloned();
                found.ok_or_else(|| Error::defect(format!("no column {name}")))
            }
            _ => Ok(e),
        })
    }
}
