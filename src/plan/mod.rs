//! The logical plan: what a query means, before anything decides how it runs.
//!
//! ```text
//!   Sort [Origin]                                 each node owns its input;
//!     Aggregate [Origin] [mean(DepDelay)]         names, not indices;
//!       Filter Cancelled = 0                      schemas are computed, never stored,
//!         Scan data/*.csv                         so a rule cannot leave one stale
//! ```
//!
//! Nodes refer to columns by name, and a [`Table`] is the only thing in a plan that is not plain
//! data. When a scan finds that a column is of a wider type than its sample said, the session
//! swaps the table and plans again: nothing else has to change.

mod check;
mod distinct;
mod estimate;
mod explain;
mod full;
mod nothing;
mod share;
mod unite;
mod window;
mod witness;

use std::fmt;
use std::sync::Arc;

pub use crate::expr::OrderBy;
use crate::expr::{AggCall, AsOfOp, Expr, Foremost, JoinKind, WindowCall};
use crate::kernel::Scalar;
use crate::source::Dataset;

pub use check::{common_type, equal_sides, key_type, nearest_sides};
pub use distinct::zero_counts;
pub use explain::explain;
pub use unite::unite;
pub use window::partition_of;

/// A dataset with the name people gave it.
#[derive(Clone)]
pub struct Table {
    /// What the user typed: a glob, a list of files.
    pub name: String,
    /// Its files.
    pub dataset: Arc<dyn Dataset>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.name)
    }
}

/// The key of an asof join, of which the nearest is taken instead of an equal one.
#[derive(Debug, Clone, PartialEq)]
pub struct AsOf {
    /// Over the left; null meets nothing.
    pub left: Expr,
    /// Over the right; null is met by nothing.
    pub right: Expr,
    /// `left op right` must hold.
    pub op: AsOfOp,
}

/// A relational operator and its input.
#[derive(Debug, Clone)]
pub enum LogicalPlan {
    /// Reads a table.
    Scan {
        /// What is read.
        table: Table,
        /// The columns needed, in this order; all of them if none are given.
        columns: Option<Vec<String>>,
        /// Rows to keep, applied while reading.
        filter: Option<Expr>,
        /// At most this many rows are needed.
        limit: Option<u64>,
    },
    /// Keeps the rows where a condition is true.
    Filter {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// The condition.
        predicate: Expr,
    },
    /// Computes columns.
    Project {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// Names and what they stand for.
        exprs: Vec<(String, Expr)>,
    },
    /// Groups rows and computes one row for each group (one in all, without keys).
    Aggregate {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// Names and expressions of the keys.
        keys: Vec<(String, Expr)>,
        /// Names and calls of the aggregates.
        aggs: Vec<(String, AggCall)>,
    },
    /// Orders rows; rows that compare equal keep their input order.
    Sort {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// The most significant key first.
        keys: Vec<OrderBy>,
        /// Only this many rows are needed.
        limit: Option<u64>,
    },
    /// Adds a column for each window function. Rows come out in the order of the partitions, `order`,
    /// `ties`, and then as they came.
    Window {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// The order within a partition; each call's own order is the beginning of it.
        order: Vec<OrderBy>,
        /// What decides between rows that tie in all of these.
        ties: Vec<OrderBy>,
        /// Names and calls, at least one, all with the same partitions.
        calls: Vec<(String, WindowCall)>,
        /// Rows beyond these may be left out: what is above looks at none of them. Only speed hangs on it.
        foremost: Option<Foremost>,
    },
    /// Pairs rows of two inputs.
    Join {
        /// The probe side: its rows come out in their order.
        left: Box<LogicalPlan>,
        /// The build side, held in a hash table; its columns follow those of the left.
        right: Box<LogicalPlan>,
        /// Which rows come out.
        kind: JoinKind,
        /// Expressions over the left and over the right that must be equal; null equals nothing.
        /// None: every left row meets every right row.
        on: Vec<(Expr, Expr)>,
        /// A further condition over the columns of both, part of the match (not a filter above it).
        filter: Option<Expr>,
        /// Of the right rows that match, only the nearest by this key; of inner and left joins without
        /// a further condition.
        asof: Option<AsOf>,
    },
    /// The rows of all inputs, one input after the other; names are those of the first, types united
    /// (by [`unite()`], before a plan is optimised).
    Union {
        /// Where rows come from: at least one, all with the same number of columns.
        inputs: Vec<LogicalPlan>,
    },
    /// Makes several rows of each: one for each list of expressions.
    Expand {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// Names and what they stand for, the same names and types in each list.
        lists: Vec<Vec<(String, Expr)>>,
        /// How many copies of each row there are; one if not given, none for null or less than one.
        times: Option<Expr>,
        /// A column that is a key of the groups above, and values of it whose group (nulls in all
        /// other keys) is there even if no row is: the grand total of ROLLUP.
        totals: Option<(String, Vec<i64>)>,
    },
    /// Skips rows, then takes some.
    Limit {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// Rows to leave out first.
        skip: u64,
        /// Rows to take at most; all if not given.
        take: Option<u64>,
    },
}

impl LogicalPlan {
    /// Reads all of a table.
    pub fn scan(table: Table) -> Self {
        LogicalPlan::Scan {
            table,
            columns: None,
            filter: None,
            limit: None,
        }
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> Vec<&LogicalPlan> {
        match self {
            LogicalPlan::Scan { .. } => Vec::new(),
            LogicalPlan::Filter { input, .. }
            | LogicalPlan::Project { input, .. }
            | LogicalPlan::Aggregate { input, .. }
            | LogicalPlan::Sort { input, .. }
            | LogicalPlan::Window { input, .. }
            | LogicalPlan::Expand { input, .. }
            | LogicalPlan::Limit { input, .. } => vec![input],
            LogicalPlan::Join { left, right, .. } => vec![left, right],
            LogicalPlan::Union { inputs } => inputs.iter().collect(),
        }
    }

    /// The same node over what `f` makes of its inputs, in order.
    pub fn map_inputs<E>(
        self,
        f: &mut dyn FnMut(LogicalPlan) -> Result<LogicalPlan, E>,
    ) -> Result<LogicalPlan, E> {
        use LogicalPlan::*;
        let mut go = |input: Box<LogicalPlan>| f(*input).map(Box::new);
        Ok(match self {
            Scan { .. } => self,
            Filter { input, predicate } => Filter {
                input: go(input)?,
                predicate,
            },
            Project { input, exprs } => Project {
                input: go(input)?,
                exprs,
            },
            Aggregate { input, keys, aggs } => Aggregate {
                input: go(input)?,
                keys,
                aggs,
            },
            Sort { input, keys, limit } => Sort {
                input: go(input)?,
                keys,
                limit,
            },
            Window {
                input,
                order,
                ties,
                calls,
                foremost,
            } => Window {
                input: go(input)?,
                order,
                ties,
                calls,
                foremost,
            },
            Expand {
                input,
                lists,
                times,
                totals,
            } => Expand {
                input: go(input)?,
                lists,
                times,
                totals,
            },
            Limit { input, skip, take } => Limit {
                input: go(input)?,
                skip,
                take,
            },
            Join {
                left,
                right,
                kind,
                on,
                filter,
                asof,
            } => Join {
                left: go(left)?,
                right: go(right)?,
                kind,
                on,
                filter,
                asof,
            },
            Union { inputs } => Union {
                inputs: inputs.into_iter().map(f).collect::<Result<_, E>>()?,
            },
        })
    }

    /// The same node with `f` applied to each of its expressions, those of its inputs left alone.
    pub fn map_exprs<E>(mut self, f: &mut dyn FnMut(Expr) -> Result<Expr, E>) -> Result<LogicalPlan, E> {
        let mut go = |e: &mut Expr| {
            *e = f(std::mem::replace(e, Expr::Literal(Scalar::Null)))?;
            Ok(())
        };
        match &mut self {
            LogicalPlan::Scan { filter, .. } => filter.iter_mut().try_for_each(go)?,
            LogicalPlan::Filter { predicate, .. } => go(predicate)?,
            LogicalPlan::Project { exprs, .. } => exprs.iter_mut().try_for_each(|(_, e)| go(e))?,
            LogicalPlan::Aggregate { keys, aggs, .. } => {
                keys.iter_mut().try_for_each(|(_, e)| go(e))?;
                let calls = aggs.iter_mut().map(|(_, call)| call);
                calls
                    .flat_map(|c| c.arg.iter_mut().chain(&mut c.filter))
                    .try_for_each(go)?;
            }
            LogicalPlan::Sort { keys, .. } => keys.iter_mut().try_for_each(|k| go(&mut k.expr))?,
            LogicalPlan::Window {
                order, ties, calls, ..
            } => {
                let keys = order.iter_mut().chain(ties).map(|k| &mut k.expr);
                keys.chain(calls.iter_mut().flat_map(|(_, c)| c.children_mut()))
                    .try_for_each(go)?;
            }
            LogicalPlan::Expand { lists, times, .. } => {
                let all = lists.iter_mut().flatten().map(|(_, e)| e);
                all.chain(times).try_for_each(go)?;
            }
            LogicalPlan::Join { on, filter, asof, .. } => {
                let keys = on.iter_mut().flat_map(|(l, r)| [l, r]);
                let nearest = asof.iter_mut().flat_map(|a| [&mut a.left, &mut a.right]);
                keys.chain(nearest).chain(filter.iter_mut()).try_for_each(go)?;
            }
            LogicalPlan::Union { .. } | LogicalPlan::Limit { .. } => {}
        }
        Ok(self)
    }

    /// The plan ordered by `keys`; itself without any.
    pub fn sorted(self, keys: Vec<OrderBy>) -> LogicalPlan {
        if keys.is_empty() {
            return self;
        }
        LogicalPlan::Sort {
            input: Box::new(self),
            keys,
            limit: None,
        }
    }

    /// The tables that are read, inputs in order.
    pub fn tables(&self) -> Vec<&Table> {
        match self {
            LogicalPlan::Scan { table, .. } => vec![table],
            other => other.inputs().into_iter().flat_map(|i| i.tables()).collect(),
        }
    }
}
