//! Window functions in a plan: one node for all that share an order, node over node for the others.
//!
//! ```text
//!   rank() OVER (PARTITION BY a ORDER BY b)  ┐
//!   sum(x) OVER (PARTITION BY a)             ├─ Window [a] [b]      one sort, one pass
//!   lag(x) OVER (PARTITION BY a ORDER BY b)  ┘
//!   row_number() OVER (ORDER BY c)           ── Window [] [c]       above it
//! ```
//!
//! A node's rows come out ordered by partition, order, `ties`, and the order in which they came.

use super::{LogicalPlan, OrderBy};
use crate::error::Result;
use crate::expr::{Expr, WindowCall};
use crate::kernel::types;

/// Calls that one sort serves.
struct Shared {
    order: Vec<OrderBy>,
    calls: Vec<(String, WindowCall)>,
}

impl LogicalPlan {
    /// Adds the columns of window functions. Rows that an order leaves undecided go by `ties`, and then
    /// by the order in which they come.
    ///
    /// # Errors
    /// A column is unknown, or a type does not fit.
    pub fn windows(self, calls: Vec<(String, WindowCall)>, ties: Vec<OrderBy>) -> Result<LogicalPlan> {
        let schema = self.schema()?;
        for (_, call) in &calls {
            call.data_type(&schema)?;
        }
        let mut columns = Expr::columns_of(&schema);
        columns.extend(calls.iter().map(|(n, _)| (n.clone(), Expr::column(n))));
        let groups = shared(calls);
        let decided = |g: &Shared| g.calls.iter().all(|(_, c)| c.takes_finer_order());
        let placed = !groups.iter().skip(1).all(decided);
        let mut plan = self;
        let mut ties = ties;
        if placed {
            // where several nodes must break ties alike, by the rows' places
            let place = types::hidden('\u{1}', &types::names_of(&schema)) + "place";
            let mut exprs = Expr::columns_of(&schema);
            exprs.push((place.clone(), Expr::Place));
            plan = LogicalPlan::Project {
                input: Box::new(plan),
                exprs,
            };
            ties.push(OrderBy::ascending(&place));
        }
        for g in groups {
            plan = LogicalPlan::Window {
                input: Box::new(plan),
                order: g.order,
                ties: ties.clone(),
                calls: g.calls,
                foremost: None,
            };
        }
        if placed {
            plan = LogicalPlan::Project {
                input: Box::new(plan),
                exprs: columns,
            };
        }
        plan.schema()?;
        Ok(plan)
    }
}

/// The keys by which rows are partitioned; all calls of a node have the same.
pub fn partition_of(calls: &[(String, WindowCall)]) -> &[Expr] {
    calls.first().map_or(&[], |(_, c)| &c.partition)
}

/// Keys without their repetitions, which partition nothing further.
fn each_once(keys: Vec<Expr>) -> Vec<Expr> {
    let mut out: Vec<Expr> = Vec::with_capacity(keys.len());
    for key in keys {
        if !out.contains(&key) {
            out.push(key);
        }
    }
    out
}

/// The calls by the sorts they need, in order of appearance.
fn shared(calls: Vec<(String, WindowCall)>) -> Vec<Shared> {
    let alike = |a: &[Expr], b: &[Expr]| a.len() == b.len() && a.iter().all(|e| b.contains(e));
    let mut groups: Vec<Shared> = Vec::new();
    for (name, mut call) in calls {
        call.partition = each_once(call.partition);
        let same = |g: &&mut Shared| g.order == call.order && alike(partition_of(&g.calls), &call.partition);
        match groups.iter_mut().find(same) {
            Some(g) => {
                call.partition = partition_of(&g.calls).to_vec();
                g.calls.push((name, call));
            }
            None => groups.push(Shared {
                order: call.order.clone(),
                calls: vec![(name, call)],
            }),
        }
    }
    // what does not mind a finer order goes along with it
    let mut i = 0;
    while i < groups.len() {
        let g = &groups[i];
        let finer = |o: &Shared| {
            o.order.len() > g.order.len()
                && o.order.starts_with(&g.order)
                && alike(partition_of(&o.calls), partition_of(&g.calls))
        };
        let to = (0..groups.len()).find(|&k| k != i && finer(&groups[k]));
        match to {
            Some(k) if g.calls.iter().all(|(_, c)| c.takes_finer_order()) => {
                let moved = groups.remove(i).calls;
                let k = if k > i { k - 1 } else { k };
                let partition = partition_of(&groups[k].calls).to_vec();
                for (name, call) in moved {
                    let partition = partition.clone();
                    groups[k].calls.push((name, WindowCall { partition, ..call }));
                }
                i = 0;
            }
            _ => i += 1,
        }
    }
    groups
}
