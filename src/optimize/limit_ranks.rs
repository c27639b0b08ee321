//! A filter on a rank tells the window below it which rows are wanted: rows that stand too far back in
//! their partition need not be sorted.
//!
//! ```text
//!   Filter r <= 2 AND x > 0             Filter x > 0
//!     Window r = rank() OVER …   ─►       Filter r <= 2
//!                                           Window [rank <= 2] r = rank() OVER …
//! ```
//!
//! A row is judged by the rank before anything else looks at it, because what else the filter asks might
//! fail for a row that is there or not as memory and threads have it.

use super::Rule;
use crate::error::Result;
use crate::expr::{CompareOp, Expr, Foremost, OrderBy, Rank, WindowCall, WindowFunc};
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

/// See the module.
pub struct LimitRanks;

impl Rule for LimitRanks {
    fn name(&self) -> &'static str {
        "limit_ranks"
    }
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let plan = match plan {
            LogicalPlan::Filter { input, predicate } => limited(*input, predicate),
            other => other,
        };
        plan.map_inputs(&mut |p| self.rewrite(p))
    }
}

/// The filter over its input, or over a window that knows it.
fn limited(mut input: LogicalPlan, predicate: Expr) -> LogicalPlan {
    let parts = predicate.clone().conjuncts();
    let found = match &mut input {
        LogicalPlan::Window {
            order,
            calls,
            foremost: foremost @ None,
            ..
        } if calls.iter().all(|(_, c)| looks_back(c)) => {
            let limits = parts.iter().filter_map(|p| limit(p, order, calls));
            *foremost = limits.min_by_key(|f| (f.rank, f.most));
            foremost.is_some()
        }
        _ => false,
    };
    let (ranks, others) = match (found, &input) {
        (true, LogicalPlan::Window { order, calls, .. }) => {
            (parts.into_iter()).partition::<Vec<Expr>, _>(|p| limit(p, order, calls).is_some())
        }
        _ => (Vec::new(), vec![predicate]),
    };
    [ranks, others].into_iter().fold(input, filtered)
}

fn filtered(input: LogicalPlan, parts: Vec<Expr>) -> LogicalPlan {
    match parts.is_empty() {
        true => input,
        false => LogicalPlan::Filter {
            input: Box::new(input),
            predicate: Expr::and(parts),
        },
    }
}

/// The ranks that a condition admits, if it is an upper bound of one of the calls.
fn limit(part: &Expr, order: &[OrderBy], calls: &[(String, WindowCall)]) -> Option<Foremost> {
    let (column, op, value) = part.as_comparison()?;
    let Scalar::Int(value) = value else { return None };
    let most = match op {
        CompareOp::Lt => value.saturating_sub(1),
        CompareOp::LtEq | CompareOp::Eq => value,
        _ => return None,
    };
    let (_, call) = calls.iter().find(|(name, _)| *name == column)?;
    let rank = match call.func {
        WindowFunc::RowNumber => Rank::Row,
        WindowFunc::Rank => Rank::First,
        WindowFunc::DenseRank => Rank::Dense,
        _ => return None,
    };
    order.starts_with(&call.order).then_some(Foremost {
        rank,
        // of nothing nothing can be left out
        most: most.max(1) as u64,
        keys: call.order.len(),
    })
}

/// Whether what it yields for a row hangs on that row and those before it alone, and nothing is computed
/// for it that might fail.
fn looks_back(call: &WindowCall) -> bool {
    let plain = |e: &Expr| matches!(e, Expr::Column(_) | Expr::Literal(_));
    match call.func {
        WindowFunc::RowNumber | WindowFunc::Rank | WindowFunc::DenseRank => true,
        WindowFunc::Lag(by) => by >= 0 && call.args.iter().all(plain),
        _ => false,
    }
}
