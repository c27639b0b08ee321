//! Grouping: aggregates, alone or mixed within one expression.

use super::{Frame, named};
use crate::error::{Error, Result, no_column};
use crate::expr::{AggCall, Expr};
use crate::kernel::types;
use crate::plan::{LogicalPlan, OrderBy};

/// A frame with grouping keys, waiting for its aggregates.
#[derive(Debug, Clone)]
pub struct GroupBy {
    frame: Frame,
    keys: Vec<(String, Expr)>,
}

impl GroupBy {
    pub(super) fn new(frame: Frame, keys: Vec<(String, Expr)>) -> Self {
        GroupBy { frame, keys }
    }

    /// Computes aggregates: `"mean(DepDelay)"` (named `DepDelay_mean`), `"n = count()"`, or any
    /// expression over aggregates and keys, `"spread = max(x) - min(x)"`.
    ///
    /// # Errors
    /// A text is no expression, has no aggregate, a column is unknown, or a type does not fit.
    pub fn agg<'a>(self, aggregates: impl IntoIterator<Item = &'a str>) -> Result<Frame> {
        let schema = self.frame.schema()?;
        let parsed: Result<Vec<_>> = aggregates.into_iter().map(|a| named(a, &schema)).collect();
        self.agg_exprs(parsed?)
    }

    /// [`GroupBy::agg`] with built expressions and their names.
    ///
    /// # Errors
    /// As [`GroupBy::agg`].
    pub fn agg_exprs(self, exprs: Vec<(String, Expr)>) -> Result<Frame> {
        self.agg_having(exprs, Vec::new())
    }

    /// [`GroupBy::agg_exprs`], keeping the groups where all of `having` are true. Conditions speak
    /// of the result's columns, or of aggregates of their own.
    ///
    /// # Errors
    /// As [`GroupBy::agg`], and a condition that is not true or false.
    pub fn agg_having(self, exprs: Vec<(String, Expr)>, having: Vec<Expr>) -> Result<Frame> {
        let GroupBy { frame, keys } = self;
        let mark = types::hidden('\u{1}', keys.iter().chain(&exprs).map(|(n, _)| n));
        let mut aggs: Vec<(String, AggCall)> = Vec::new();
        let mut outputs: Vec<(String, Expr)> = keys
            .iter()
            .map(|(n, _)| (n.clone(), Expr::Column(n.clone())))
            .collect();
        let mut plain = true;
        for (name, e) in exprs {
            if let Expr::Aggregate(call) = e {
                outputs.push((name.clone(), Expr::Column(name.clone())));
                aggs.push((name, *call));
                continue;
            }
            if !e.has_aggregate() {
                return Err(Error::query(format!("{e} is not an aggregate"))
                    .help("write it as mean(x), sum(x), count(), …, or make it a key with --groupby"));
            }
            plain = false;
            let e = e.map(&mut |e| Ok(split(e, &mark, &mut aggs)))?;
            outputs.push((name, e));
        }
        check_columns(&frame, &outputs, &keys, &aggs)?;
        let order = keys.iter().map(|(n, _)| OrderBy::ascending(n)).collect();
        let by_name: Vec<(String, Expr)> = outputs.clone();
        let mut conditions = Vec::new();
        for condition in having {
            plain = plain && !condition.has_aggregate();
            let own = condition.map(&mut |e| Ok(split(e, &mark, &mut aggs)))?;
            conditions.push(own.map(&mut |e| {
                let named = |c: &str| by_name.iter().find(|(n, _)| n == c).map(|(_, e)| e.clone());
                Ok(if let Expr::Column(c) = &e {
                    named(c).unwrap_or(e)
                } else {
                    e
                })
            })?);
        }
        let groups = LogicalPlan::grouped(frame.plan.clone(), keys, aggs)?;
        let mut f = frame.wrap(|_| groups)?;
        for predicate in conditions {
            f = f.wrap(|input| LogicalPlan::Filter { input, predicate })?;
        }
        if !plain {
            f = f.wrap(|input| LogicalPlan::Project {
                input,
                exprs: outputs,
            })?;
        }
        f.order = order;
        Ok(f)
    }
}

/// An error where an output looks at a column that has many values in a group.
fn check_columns(
    frame: &Frame,
    outputs: &[(String, Expr)],
    keys: &[(String, Expr)],
    aggs: &[(String, AggCall)],
) -> Result<()> {
    let known = |c: &String| keys.iter().any(|(n, _)| n == c) || aggs.iter().any(|(n, _)| n == c);
    let mut columns = outputs.iter().flat_map(|(_, e)| e.columns());
    let Some(many) = columns.find(|c| !known(c)) else {
        return Ok(());
    };
    let schema = frame.schema()?;
    if schema.index_of(&many).is_err() {
        return Err(no_column(
            &many,
            schema.fields().iter().map(|f| f.name().as_str()),
        ));
    }
    let what = format!("column \"{many}\" is neither a key of the groups nor in an aggregate");
    Err(Error::query(what).help(format!(
        "add it to --groupby, or take one value of each group: first({many})"
    )))
}

/// Moves an aggregate out of an expression; a column of its result takes its place.
fn split(e: Expr, mark: &str, aggs: &mut Vec<(String, AggCall)>) -> Expr {
    let Expr::Aggregate(call) = e else { return e };
    let hidden = |n: &str| n.starts_with(mark);
    let name = match aggs.iter().find(|(n, c)| hidden(n) && *c == *call) {
        Some((n, _)) => n.clone(),
        None => {
            let n = format!("{mark}{}", aggs.len());
            aggs.push((n.clone(), *call));
            n
        }
    };
    Expr::Column(name)
}
