//! Filters sink towards the files: through projections (with their expressions put in place of
//! the names), sorts, and the keys of aggregates, into the scan.

use std::collections::HashMap;

use arrow::datatypes::Schema;

use super::Rule;
use crate::error::Result;
use crate::expr::{BinaryOp, Expr, JoinKind, WindowCall};
use crate::kernel::types::names_of;
use crate::plan::{AsOf, LogicalPlan, equal_sides, partition_of};

/// See the module.
pub struct PushFilter;

impl Rule for PushFilter {
    fn name(&self) -> &'static str {
        "push_filter"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        match plan {
            LogicalPlan::Join {
                left,
                right,
                kind,
                on,
                filter: Some(filter),
                asof: None,
            } => self.rewrite_condition(*left, *right, kind, on, filter),
            LogicalPlan::Filter { input, predicate } => {
                let mut pushed = *input;
                let mut kept = Vec::new();
                for part in predicate.conjuncts() {
                    let (p, rest) = push(pushed, part)?;
                    pushed = p;
                    kept.extend(rest);
                }
                let input = self.rewrite(pushed)?;
                Ok(rewrap(input, conjunction(kept)))
            }
            other => other.map_inputs(&mut |p| self.rewrite(p)),
        }
    }
}

impl PushFilter {
    /// The condition of a join: over an inner one it is a filter above it; what looks at the right
    /// side alone can be asked of the right side, whatever the join.
    fn rewrite_condition(
        &self,
        left: LogicalPlan,
        right: LogicalPlan,
        kind: JoinKind,
        on: Vec<(Expr, Expr)>,
        filter: Expr,
    ) -> Result<LogicalPlan> {
        let rs = right.schema()?;
        let (mut right, mut kept, mut above) = (right, Vec::new(), Vec::new());
        for part in filter.conjuncts() {
            let columns = part.columns();
            if kind == JoinKind::Inner {
                above.push(part);
            } else if !columns.is_empty() && columns.iter().all(|c| rs.index_of(c).is_ok()) {
                let (r, rest) = push(right, part)?;
                right = rewrap(r, rest);
            } else {
                kept.push(part);
            }
        }
        let mut plan = LogicalPlan::Join {
            left: Box::new(left),
            right: Box::new(right),
            kind,
            on,
            filter: conjunction(kept),
            asof: None,
        };
        let mut rest = Vec::new();
        for part in above {
            let (p, kept) = push(plan, part)?;
            plan = p;
            rest.extend(kept);
        }
        let plan = plan.map_inputs(&mut |p| self.rewrite(p))?;
        Ok(rewrap(plan, conjunction(rest)))
    }
}

/// Puts a conjunct as deep into `plan` as it can go; gives it back if it cannot enter at all.
fn push(plan: LogicalPlan, part: Expr) -> Result<(LogicalPlan, Option<Expr>)> {
    match plan {
        LogicalPlan::Scan {
            table,
            columns,
            filter,
            limit: None,
        } => {
            let filter = conjunction(filter.into_iter().chain([part]).collect());
            Ok((
                LogicalPlan::Scan {
                    table,
                    columns,
                    filter,
                    limit: None,
                },
                None,
            ))
        }
        LogicalPlan::Filter { input, predicate } => {
            let (input, rest) = push(*input, part)?;
            let predicate = conjunction([predicate].into_iter().chain(rest).collect());
            Ok((rewrap(input, predicate), None))
        }
        LogicalPlan::Sort {
            input,
            keys,
            limit: None,
        } => {
            let (input, rest) = push(*input, part)?;
            let input = Box::new(rewrap(input, rest));
            Ok((
                LogicalPlan::Sort {
                    input,
                    keys,
                    limit: None,
                },
                None,
            ))
        }
        LogicalPlan::Project { input, exprs } => {
            let part = substitute(part, &exprs)?;
            let (input, rest) = push(*input, part)?;
            Ok((
                LogicalPlan::Project {
                    input: Box::new(rewrap(input, rest)),
                    exprs,
                },
                None,
            ))
        }
        // a condition on the keys of the partitions keeps or drops whole partitions
        LogicalPlan::Window {
            input,
            order,
            ties,
            calls,
            foremost,
        } if on_partitions(&part, &calls) => {
            let (input, rest) = push(*input, part)?;
            Ok((
                LogicalPlan::Window {
                    input: Box::new(rewrap(input, rest)),
                    order,
                    ties,
                    calls,
                    foremost,
                },
                None,
            ))
        }
        // the grand total that ROLLUP has of no row at all must not come back below a filter
        LogicalPlan::Aggregate { input, keys, aggs }
            if only_uses(&part, &keys) && !matches!(*input, LogicalPlan::Expand { .. }) =>
        {
            let below = substitute(part, &keys)?;
            let (input, rest) = push(*input, below)?;
            Ok((
                LogicalPlan::Aggregate {
                    input: Box::new(rewrap(input, rest)),
                    keys,
                    aggs,
                },
                None,
            ))
        }
        LogicalPlan::Join {
            left,
            right,
            kind,
            on,
            filter,
            asof,
        } => push_join((*left, *right), kind, on, filter, asof, part),
        LogicalPlan::Union { inputs } => {
            let names = match inputs.first() {
                Some(first) => names_of(&*first.schema()?),
                None => Vec::new(),
            };
            let inputs = inputs.into_iter().map(|input| {
                let own = input.schema()?;
                let own = own.fields().iter().map(|f| Expr::Column(f.name().clone()));
                let renamed: Vec<(String, Expr)> = names.iter().cloned().zip(own).collect();
                let (input, rest) = push(input, substitute(part.clone(), &renamed)?)?;
                Ok(rewrap(input, rest))
            });
            let inputs = inputs.collect::<Result<_>>()?;
            Ok((LogicalPlan::Union { inputs }, None))
        }
        other => Ok((other, Some(part))),
    }
}

/// A condition on one side goes to that side (but not below an outer join's null side); one on the
/// keys goes to both; `a.x = b.y` over an inner join becomes a key. Below an asof join the right rows stay
/// as they are, apart from their keys: without some of them another would be the nearest.
fn push_join(
    (left, right): (LogicalPlan, LogicalPlan),
    kind: JoinKind,
    mut on: Vec<(Expr, Expr)>,
    mut filter: Option<Expr>,
    asof: Option<AsOf>,
    part: Expr,
) -> Result<(LogicalPlan, Option<Expr>)> {
    let (ls, rs) = (left.schema()?, right.schema()?);
    let (mut left, mut right) = (left, right);
    let used = part.columns();
    let only = |s: &arrow::datatypes::Schema| used.iter().all(|c| s.index_of(c).is_ok());
    let mut rest = None;
    if only(&ls) {
        let alike: Vec<_> = on
            .iter()
            .filter(|(l, r)| l.data_type(&ls).ok() == r.data_type(&rs).ok())
            .cloned()
            .collect();
        let mirrored = mirror(&part, &alike);
        let (l, kept) = push(left, part)?;
        left = rewrap(l, kept);
        // what holds for the left keys holds for the right ones that match them
        if let (Some(m), JoinKind::Inner | JoinKind::Left | JoinKind::Semi) = (mirrored, kind) {
            let (r, kept) = push(right, m)?;
            right = rewrap(r, kept);
        }
    } else if asof.is_some() {
        rest = Some(part);
    } else if only(&rs) && kind == JoinKind::Inner {
        let (r, kept) = push(right, part)?;
        right = rewrap(r, kept);
    } else if kind == JoinKind::Inner {
        match equal_sides(&part, &ls, &rs).ok().flatten() {
            Some(pair) => on.push(pair),
            None => {
                // what every branch of an OR asks of one side can be asked of that side before
                if let Some(implied) = implied(&part, &ls) {
                    let (l, kept) = push(left, implied)?;
                    left = rewrap(l, kept);
                }
                if let Some(implied) = implied(&part, &rs) {
                    let (r, kept) = push(right, implied)?;
                    right = rewrap(r, kept);
                }
                filter = conjunction(filter.into_iter().chain([part]).collect());
            }
        }
    } else {
        rest = Some(part);
    }
    let (left, right) = (Box::new(left), Box::new(right));
    Ok((
        LogicalPlan::Join {
            left,
            right,
            kind,
            on,
            filter,
            asof,
        },
        rest,
    ))
}

/// What `(a = 1 AND b = 2) OR (a = 3 AND b = 4)` says of the side that has `a`: `a = 1 OR a = 3`. Only
/// comparisons with constants, which cannot fail for rows that the join would leave out.
fn implied(part: &Expr, side: &Schema) -> Option<Expr> {
    let mut branches = Vec::new();
    let mut todo = vec![part];
    while let Some(e) = todo.pop() {
        match e {
            Expr::Binary {
                op: BinaryOp::Or,
                left,
                right,
            } => todo.extend([right.as_ref(), left.as_ref()]),
            branch => branches.push(branch.clone()),
        }
    }
    if branches.len() < 2 {
        return None;
    }
    let own = branches.into_iter().map(|branch| {
        let simple = |e: &Expr| {
            let columns = e.columns();
            e.as_comparison().is_some() && columns.iter().all(|c| side.index_of(c).is_ok())
        };
        conjunction(branch.conjuncts().into_iter().filter(simple).collect())
    });
    let own = own.collect::<Option<Vec<_>>>()?;
    own.into_iter().reduce(|a, b| Expr::binary(BinaryOp::Or, a, b))
}

/// The condition in terms of the right keys, if it is over left keys alone and they are of one type.
fn mirror(part: &Expr, on: &[(Expr, Expr)]) -> Option<Expr> {
    let by_left = |c: &str| on.iter().find(|(l, _)| matches!(l, Expr::Column(n) if n == c));
    let columns = part.columns();
    if columns.is_empty() || !columns.iter().all(|c| by_left(c).is_some()) {
        return None;
    }
    let mapped = part.clone().map(&mut |e| {
        Ok(match &e {
            Expr::Column(c) => by_left(c).map(|(_, r)| r.clone()).unwrap_or(e),
            _ => e,
        })
    });
    mapped.ok()
}

fn rewrap(input: LogicalPlan, predicate: Option<Expr>) -> LogicalPlan {
    match predicate {
        None => input,
        Some(predicate) => LogicalPlan::Filter {
            input: Box::new(input),
            predicate,
        },
    }
}

fn conjunction(parts: Vec<Expr>) -> Option<Expr> {
    let all = (!parts.is_empty()).then(|| Expr::and(parts))?;
    // parts that come one by one would make a tree as deep as they are many
    let (mut deep, mut left) = (0, &all);
    while let Expr::Binary {
        op: BinaryOp::And,
        left: next,
        ..
    } = left
    {
        (deep, left) = (deep + 1, next);
    }
    Some(match deep > DEEPEST {
        true => Expr::and(all.conjuncts()),
        false => all,
    })
}

/// A chain of ANDs that leans left further than this is balanced.
const DEEPEST: usize = 32;

/// A filter without columns must not sink below an aggregate without keys (which yields a row even
/// of nothing), so at least one key is asked for.
fn only_uses(part: &Expr, keys: &[(String, Expr)]) -> bool {
    let columns = part.columns();
    !columns.is_empty() && columns.iter().all(|c| keys.iter().any(|(k, _)| k == c))
}

/// Whether it looks at nothing but keys of the partitions (and at one at least).
fn on_partitions(part: &Expr, calls: &[(String, WindowCall)]) -> bool {
    let key = |c: &String| {
        let same = |e: &Expr| matches!(e, Expr::Column(k) if k == c);
        partition_of(calls).iter().any(same)
    };
    let columns = part.columns();
    !columns.is_empty() && columns.iter().all(key)
}

fn substitute(part: Expr, exprs: &[(String, Expr)]) -> Result<Expr> {
    let by_name: HashMap<&str, &Expr> = exprs.iter().map(|(n, e)| (n.as_str(), e)).collect();
    part.map(&mut |e| {
        Ok(match &e {
            Expr::Column(c) => by_name.get(c.as_str()).map(|x| (*x).clone()).unwrap_or(e),
            _ => e,
        })
    })
}
