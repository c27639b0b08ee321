//! Aggregates whose argument must be a key of groups first: those with DISTINCT, and `mode`. Rows come once
//! for each different argument, and once for all other aggregates.
//!
//! ```text
//!   sum(DISTINCT x), mode(y), median(z)  of each k
//!
//!   Aggregate [k]            median: the one of part 0, sum of x in part 1, of part 2 the y counted most
//!     Aggregate [k part x y] median(z), count(*)
//!       Expand               (k 0 ∅ ∅ z) (k 1 x ∅ ∅) (k 2 ∅ y ∅)
//! ```

use super::LogicalPlan;
use crate::error::{Error, Result};
use crate::expr::{AggCall, AggFunc, BinaryOp, Expr, Func, Ordering, ordered_by};
use crate::kernel::{Scalar, types};

/// Columns that nobody asked for, under names that no column of the input, no key and no aggregate has.
struct Hidden {
    mark: String,
    /// Which part of the rows a row is of.
    part: String,
    /// How often a value came.
    times: String,
    /// The value of which each different one counts.
    value: String,
}

impl Hidden {
    fn of(input: &LogicalPlan, keys: &[(String, Expr)], aggs: &[(String, AggCall)]) -> Result<Hidden> {
        let names = types::names_of(&*input.schema()?);
        let own = keys.iter().map(|(n, _)| n).chain(aggs.iter().map(|(n, _)| n));
        let mark = types::hidden('\u{1}', names.iter().chain(own));
        Ok(Hidden {
            part: format!("{mark}part"),
            times: format!("{mark}times"),
            value: format!("{mark}value"),
            mark,
        })
    }

    fn key(&self, i: usize) -> String {
        format!("{}key{i}", self.mark)
    }

    fn value(&self, i: usize) -> String {
        format!("{}value{i}", self.mark)
    }

    fn order(&self, i: usize) -> String {
        format!("{}order{i}", self.mark)
    }
}

/// What each different one counts of, and where its first row stands in an order that was asked for.
#[derive(PartialEq)]
struct Counted {
    value: Expr,
    order: Option<Expr>,
}

impl LogicalPlan {
    /// Groups of some rows, whatever the aggregates: those that look at each different value once are
    /// grouped twice.
    ///
    /// # Errors
    /// A column is unknown, or a type does not fit.
    pub fn grouped(
        input: LogicalPlan,
        keys: Vec<(String, Expr)>,
        aggs: Vec<(String, AggCall)>,
    ) -> Result<LogicalPlan> {
        match aggs.iter().any(|(_, c)| c.groups_first()) {
            true => once_each(input, keys, aggs),
            false => Ok(LogicalPlan::Aggregate {
                input: Box::new(input),
                keys,
                aggs,
            }),
        }
    }
}

/// `sum(DISTINCT x)` and the like: groups of the keys and `x` first, then the groups of the keys over
/// these. What else is asked for must be the aggregate of its own parts: a count is a sum of counts.
/// Where it is not, or there are several `x`, each has rows of its own ([`rows_of_their_own`]).
fn once_each(
    input: LogicalPlan,
    keys: Vec<(String, Expr)>,
    aggs: Vec<(String, AggCall)>,
) -> Result<LogicalPlan> {
    use AggFunc::{BoolAnd, BoolOr, Count, Max, Min, NUnique, Sum};
    if aggs.iter().any(|(_, c)| c.func == AggFunc::Mode) {
        return rows_of_their_own(input, keys, aggs);
    }
    let mut once = aggs.iter().filter(|(_, c)| c.counts_each_once());
    let Some(Some(value)) = once.next().map(|(_, c)| c.arg.clone()) else {
        return Err(Error::defect("an aggregate of distinct nothings"));
    };
    let hidden = Hidden::of(&input, &keys, &aggs)?;
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
        return rows_of_their_own(input, keys, aggs);
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
            NUnique if of_value => (name, whole(Count, &hidden.value)),
            _ if of_value && c.counts_each_once() => (name, whole(c.func, &hidden.value)),
            _ => {
                let again = if c.func == Count { Sum } else { c.func };
                let part = (name.clone(), c);
                parts.push(part);
                (name.clone(), whole(again, &name))
            }
        });
    }
    let mut inner = keys.clone();
    inner.push((hidden.value.clone(), value));
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
    zero_counts(grouped, counts)
}

/// See the module.
fn rows_of_their_own(
    input: LogicalPlan,
    keys: Vec<(String, Expr)>,
    aggs: Vec<(String, AggCall)>,
) -> Result<LogicalPlan> {
    let hidden = Hidden::of(&input, &keys, &aggs)?;
    let mut values: Vec<Counted> = Vec::new();
    let (mut plain, mut outer, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let counts_values = aggs.iter().any(|(_, c)| c.func == AggFunc::Mode);
    for (name, c) in aggs {
        let mut by = None;
        let (func, column, part) = match c.groups_first() {
            true => {
                let value = counted(&c)?;
                let at = match values.iter().position(|v| *v == value) {
                    Some(at) => at,
                    None => {
                        values.push(value);
                        values.len() - 1
                    }
                };
                by = values[at].order.as_ref().map(|_| hidden.order(at));
                (c.func, hidden.value(at), at + 1)
            }
            false => {
                if c.func.is_count() {
                    counts.push(name.clone());
                }
                plain.push((name.clone(), c));
                // there is one in each group
                (AggFunc::FirstKnown, name.clone(), 0)
            }
        };
        outer.push((name, of_part(&hidden, func, column, by, part)));
    }
    // rows for aggregates of all rows are there only where there is one
    let first = usize::from(plain.is_empty());
    let lists = expand(&hidden, input, &keys, &values, &plain, first)?;
    if counts_values {
        plain.push((hidden.times.clone(), count_of_rows()));
    }
    for at in (0..values.len()).filter(|&i| values[i].order.is_some()) {
        let first = AggCall {
            func: AggFunc::Min,
            arg: Some(Expr::Column(hidden.order(at))),
            distinct: false,
            filter: None,
        };
        plain.push((hidden.order(at), first));
    }
    let mut inner_keys: Vec<(String, Expr)> = (keys.iter().enumerate())
        .map(|(i, (n, _))| (n.clone(), Expr::Column(hidden.key(i))))
        .collect();
    inner_keys.push((hidden.part.clone(), Expr::column(&hidden.part)));
    inner_keys.extend((0..values.len()).map(|i| (hidden.value(i), Expr::Column(hidden.value(i)))));
    let grouped = LogicalPlan::Aggregate {
        keys: keys.iter().map(|(n, _)| (n.clone(), Expr::column(n))).collect(),
        input: Box::new(LogicalPlan::Aggregate {
            input: Box::new(lists),
            keys: inner_keys,
            aggs: plain,
        }),
        aggs: outer,
    };
    zero_counts(grouped, counts)
}

/// An aggregate over the groups of a part.
fn of_part(hidden: &Hidden, func: AggFunc, column: String, by: Option<String>, part: usize) -> AggCall {
    let value = Expr::Column(column);
    let of_part = Expr::binary(BinaryOp::Eq, Expr::column(&hidden.part), int(part));
    let (func, arg, filter) = match func {
        AggFunc::Mode => {
            let most = (Expr::column(&hidden.times), true, false);
            let known = Expr::IsNull {
                expr: Box::new(value.clone()),
                negated: true,
            };
            let tie = by.map_or_else(|| value.clone(), Expr::Column);
            let least = ordered_by(value.clone(), [most, (tie, false, false)]);
            (AggFunc::First, least, Expr::and(vec![of_part, known]))
        }
        func => (func, value, of_part),
    };
    AggCall {
        func,
        arg: Some(arg),
        distinct: false,
        filter: Some(filter),
    }
}

fn count_of_rows() -> AggCall {
    AggCall {
        func: AggFunc::Count,
        arg: None,
        distinct: false,
        filter: None,
    }
}

/// What each different one counts of; null where the filter does not hold.
fn counted(c: &AggCall) -> Result<Counted> {
    let arg = c.arg.clone();
    let arg = arg.ok_or_else(|| Error::defect("an aggregate of distinct nothings"))?;
    let (arg, order) = match Ordering::of(&arg) {
        Some((x, order)) => (x, Some(order.pack(&[]))),
        None => (arg, None),
    };
    let within = |e: Expr| match &c.filter {
        None => e,
        Some(f) => Expr::Case {
            operand: None,
            branches: vec![(f.clone(), e)],
            otherwise: None,
        },
    };
    Ok(Counted {
        value: within(arg),
        order: order.map(within),
    })
}

fn expand(
    hidden: &Hidden,
    input: LogicalPlan,
    keys: &[(String, Expr)],
    values: &[Counted],
    plain: &[(String, AggCall)],
    first: usize,
) -> Result<LogicalPlan> {
    let schema = input.schema()?;
    let used = plain.iter().flat_map(|(_, c)| c.arg.iter().chain(&c.filter));
    let used: std::collections::BTreeSet<String> = used.flat_map(Expr::columns).collect();
    let mut lists = Vec::new();
    for part in first..=values.len() {
        let keep = |e: Expr, wanted: bool| match wanted {
            true => Ok(e),
            false => Expr::null_of(&e.data_type(&schema)?),
        };
        let mut list = Vec::new();
        for (i, (_, key)) in keys.iter().enumerate() {
            list.push((hidden.key(i), key.clone()));
        }
        list.push((hidden.part.clone(), int(part)));
        for (i, v) in values.iter().enumerate() {
            list.push((hidden.value(i), keep(v.value.clone(), part == i + 1)?));
            if let Some(order) = &v.order {
                list.push((hidden.order(i), keep(order.clone(), part == i + 1)?));
            }
        }
        for c in &used {
            list.push((c.clone(), keep(Expr::column(c), part == 0)?));
        }
        lists.push(list);
    }
    // the groups that grouping sets have of no row are here as well
    let totals = match &input {
        LogicalPlan::Expand {
            totals: Some((id, numbers)),
            ..
        } => {
            let at = keys
                .iter()
                .position(|(_, e)| matches!(e, Expr::Column(c) if c == id));
            at.map(|at| (hidden.key(at), numbers.clone()))
        }
        _ => None,
    };
    Ok(LogicalPlan::Expand {
        input: Box::new(input),
        lists,
        times: None,
        totals,
    })
}

fn int(i: usize) -> Expr {
    Expr::Literal(Scalar::Int(i as i64))
}

/// A sum of no count at all is null, a count is 0: the columns `counts` of a plan become that.
///
/// # Errors
/// The plan does not hold together.
pub fn zero_counts(plan: LogicalPlan, counts: Vec<String>) -> Result<LogicalPlan> {
    let schema = plan.schema()?;
    let exprs = schema.fields().iter().map(|f| {
        let column = Expr::column(f.name());
        let zero = vec![column.clone(), Expr::Literal(Scalar::Int(0))];
        let e = match counts.contains(f.name()) {
            true => Expr::Function {
                func: Func::Coalesce,
                args: zero,
            },
            false => column,
        };
        (f.name().clone(), e)
    });
    Ok(LogicalPlan::Project {
        exprs: exprs.collect(),
        input: Box::new(plan),
    })
}
