//! Who sees the order in which rows come: the question behind every sort that may go.
//!
//! ```text
//!   Sort [n]                sees the order of rows that agree in n        Among {n}
//!     Project n, s                                                          │
//!       Sort [k]            of no use where k is n; else a further key      ▼
//!         Aggregate [k]     sees none of its input                        Nothing
//! ```

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, Schema};

use crate::expr::{Expr, JoinKind, OrderBy, WindowCall};
use crate::kernel::types::names_of;
use crate::plan::{LogicalPlan, partition_of};

/// What can be seen of the order in which some rows come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: any order will do.
    Nothing,
    /// The order among rows that agree in these columns; of all rows, where there are none.
    Among(BTreeSet<String>),
}

impl Seen {
    /// All of it.
    pub(super) fn all() -> Seen {
        Seen::Among(BTreeSet::new())
    }

    /// The same of rows that are further told apart by columns.
    fn apart_by(&self, columns: impl IntoIterator<Item = String>) -> Seen {
        match self {
            Seen::Nothing => Seen::Nothing,
            Seen::Among(agree) => Seen::Among(agree.iter().cloned().chain(columns).collect()),
        }
    }

    /// The same by other names; a column without one tells nothing any more.
    fn renamed(&self, name: impl Fn(&str) -> Option<String>) -> Seen {
        match self {
            Seen::Nothing => Seen::Nothing,
            Seen::Among(agree) => Seen::Among(agree.iter().filter_map(|c| name(c)).collect()),
        }
    }

    /// The same for the columns of one side of a join.
    fn within(&self, side: &Schema) -> Seen {
        self.renamed(|c| side.index_of(c).is_ok().then(|| c.to_string()))
    }
}

/// What is seen of the order of each input's rows, where `seen` is seen of the order of the plan's.
pub(super) fn below(plan: &LogicalPlan, seen: &Seen) -> Vec<Seen> {
    if names_place(plan) {
        return vec![Seen::all(); plan.inputs().len()];
    }
    match plan {
        LogicalPlan::Scan { .. } => Vec::new(),
        LogicalPlan::Filter { .. } => vec![seen.clone()],
        LogicalPlan::Project { exprs, .. } => vec![seen.renamed(|name| {
            let found = exprs.iter().find(|(n, _)| n == name);
            found.and_then(|(_, e)| column(e))
        })],
        LogicalPlan::Aggregate { keys, aggs, .. } => {
            vec![match aggs.iter().any(|(_, a)| a.func.sees_order()) {
                true => among(columns_in(keys.iter().map(|(_, e)| e))),
                false => Seen::Nothing,
            }]
        }
        LogicalPlan::Sort { input, keys, limit } => vec![sort(input, keys, limit.is_some(), seen)],
        LogicalPlan::Window {
            order, ties, calls, ..
        } => vec![window(order, ties, calls, seen)],
        // which rows it keeps hangs on their order
        LogicalPlan::Limit { .. } => vec![Seen::all()],
        LogicalPlan::Expand { .. } => vec![seen.renamed(|_| None)],
        LogicalPlan::Union { inputs } => union(inputs, seen),
        LogicalPlan::Join { .. } => join(plan, seen),
    }
}

fn among(columns: impl IntoIterator<Item = String>) -> Seen {
    Seen::Among(columns.into_iter().collect())
}

fn column(e: &Expr) -> Option<String> {
    match e {
        Expr::Column(c) => Some(c.clone()),
        _ => None,
    }
}

/// Those of the expressions that are columns.
fn columns_in<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<String> {
    exprs.into_iter().filter_map(column).collect()
}

/// Rows that tie in the keys stay as they come.
fn sort(input: &LogicalPlan, keys: &[OrderBy], limited: bool, seen: &Seen) -> Seen {
    let columns = columns_in(keys.iter().map(|k| &k.expr));
    match limited {
        _ if input.schema().is_ok_and(|s| !sees_ties(&s, keys)) => Seen::Nothing,
        // which of them it keeps is seen in any case
        true => among(columns),
        false => seen.apart_by(columns),
    }
}

/// Whether rows that tie in the keys of a sort can be told apart.
pub(super) fn sees_ties(schema: &Schema, keys: &[OrderBy]) -> bool {
    let columns = columns_in(keys.iter().map(|k| &k.expr));
    let mut fields = schema.fields().iter();
    !fields.all(|f| is_exact(f.data_type()) && columns.contains(f.name()))
}

/// Whether values of the type that compare as equal are the same: 0.0 and -0.0 are not.
fn is_exact(ty: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Decimal128, LargeUtf8, Null, Timestamp, Utf8, Utf8View,
    };
    ty.is_integer()
        || matches!(
            ty,
            Null | Boolean
                | Date32
                | Date64
                | Decimal128(..)
                | Timestamp(..)
                | Utf8
                | LargeUtf8
                | Utf8View
                | Binary
                | BinaryView
        )
}

/// Rows come out by partition, order and ties. Where a call minds the order of rows that tie in these, it is seen.
fn window(order: &[OrderBy], ties: &[OrderBy], calls: &[(String, WindowCall)], seen: &Seen) -> Seen {
    let keys = order.iter().chain(ties).map(|k| &k.expr);
    let columns = columns_in(partition_of(calls).iter().chain(keys));
    match calls.iter().all(|(_, c)| c.takes_finer_order()) {
        true => seen
            .renamed(|c| (!calls.iter().any(|(n, _)| n == c)).then(|| c.to_string()))
            .apart_by(columns),
        false => among(columns),
    }
}

fn union(inputs: &[LogicalPlan], seen: &Seen) -> Vec<Seen> {
    let names = |p: &LogicalPlan| p.schema().map_or_else(|_| Vec::new(), |s| names_of(&s));
    let first = inputs.first().map(names).unwrap_or_default();
    let of = |input| {
        let own = names(input);
        seen.renamed(|c| {
            first
                .iter()
                .position(|n| n == c)
                .and_then(|i| own.get(i).cloned())
        })
    };
    inputs.iter().map(of).collect()
}

/// Rows come out in the order of the left; those of one left row, which agree in the keys, in that of the right.
fn join(plan: &LogicalPlan, seen: &Seen) -> Vec<Seen> {
    let LogicalPlan::Join {
        left,
        right,
        kind,
        on,
        asof,
        ..
    } = plan
    else {
        return Vec::new();
    };
    let (Ok(ls), Ok(rs)) = (left.schema(), right.schema()) else {
        return vec![Seen::all(), Seen::all()];
    };
    // as floats more integers are equal than are the same
    let alike = |(l, r): &&(Expr, Expr)| l.data_type(&ls).ok() == r.data_type(&rs).ok();
    let keys = columns_in(on.iter().filter(alike).map(|(_, r)| r));
    let of_right = match (asof, kind) {
        // which of two rows that are equally near is taken hangs on their order
        (Some(_), _) => among(keys),
        (None, JoinKind::Semi | JoinKind::Anti) => Seen::Nothing,
        (None, JoinKind::Inner | JoinKind::Left) => seen.within(&rs).apart_by(keys),
    };
    vec![seen.within(&ls), of_right]
}

/// Whether an expression of the node itself looks at the places of rows.
pub(super) fn names_place(plan: &LogicalPlan) -> bool {
    fn names(e: &Expr) -> bool {
        matches!(e, Expr::Place) || e.children().into_iter().any(names)
    }
    match plan {
        LogicalPlan::Scan { filter, .. } | LogicalPlan::Join { filter, .. } => filter.iter().any(names),
        LogicalPlan::Filter { predicate, .. } => names(predicate),
        LogicalPlan::Project { exprs, .. } => exprs.iter().any(|(_, e)| names(e)),
        LogicalPlan::Aggregate { keys, aggs, .. } => {
            keys.iter().any(|(_, e)| names(e))
                || aggs.iter().any(|(_, a)| a.arg.iter().chain(&a.filter).any(names))
        }
        LogicalPlan::Sort { keys, .. } => keys.iter().any(|k| names(&k.expr)),
        LogicalPlan::Expand { lists, times, .. } => {
            (lists.iter().flatten().map(|(_, e)| e).chain(times)).any(names)
        }
        LogicalPlan::Window {
            order, ties, calls, ..
        } => {
            order.iter().chain(ties).any(|k| names(&k.expr))
                || calls
                    .iter()
                    .any(|(_, c)| names(&Expr::Window(Box::new(c.clone()))))
        }
        LogicalPlan::Union { .. } | LogicalPlan::Limit { .. } => false,
    }
}
