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

use arrow::datatypes::DataType;

use super::LogicalPlan;
use crate::error::{Error, Result};
use crate::expr::{AggCall, AggFunc, BinaryOp, Expr, Func, Ordering, in_steps, ordered_by};
use crate::kernel::{Scalar, Width, types};

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

/// So many columns are grouped by themselves at most.
const MOST_BRANCHES: usize = 16;

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
        let first = aggs.iter().any(|(_, c)| c.groups_first());
        if first || aggs.iter().any(|(_, c)| c.looks_once()) {
            let steps = Steps::of(&input, &keys, &aggs)?;
            match steps {
                Some(steps) if steps.only_one_value() => return once_each(input, keys, steps),
                _ if is_read_quickly(&input) => {
                    if let Some(plan) = branches(&input, &keys, &aggs)? {
                        return Ok(plan);
                    }
                }
                _ => {}
            }
            match Steps::of(&input, &keys, &aggs)? {
                Some(steps) if first && steps.values.len() == 1 => return once_each(input, keys, steps),
                Some(steps) if first => return once_each_of_several(input, keys, steps),
                None if first => return rows_of_their_own(input, keys, aggs),
                _ => {} // sets of values beside the other states
            }
        }
        Ok(LogicalPlan::Aggregate {
            input: Box::new(input),
            keys,
            aggs,
        })
    }
}

/// Aggregates that can all be computed over groups of finer groups, of which those that look at each
/// different value once have that value as a key.
struct Steps {
    /// What is looked at once.
    values: Vec<Expr>,
    aggs: Vec<(String, Stepwise)>,
    types: Vec<DataType>,
    hidden: Hidden,
}

enum Stepwise {
    /// This, over the groups of a value; and the value, by its number.
    Once(AggFunc, usize),
    /// An aggregate of the rows of a finer group, and the one over these.
    Twice(AggCall, AggFunc),
}

impl Steps {
    /// Whether nothing else is asked for than what looks at each of the same values once.
    fn only_one_value(&self) -> bool {
        self.values.len() == 1 && self.aggs.iter().all(|(_, s)| matches!(s, Stepwise::Once(..)))
    }

    /// None where an aggregate takes all values at once.
    fn of(input: &LogicalPlan, keys: &[(String, Expr)], aggs: &[(String, AggCall)]) -> Result<Option<Steps>> {
        let schema = input.schema()?;
        let mut steps = Steps {
            values: Vec::new(),
            aggs: Vec::new(),
            types: Vec::new(),
            hidden: Hidden::of(input, keys, aggs)?,
        };
        for (name, c) in aggs {
            let step = match c.looks_once() {
                true => {
                    let value = c.once()?;
                    let at = steps.values.iter().position(|v| *v == value);
                    let at = at.unwrap_or(steps.values.len());
                    if at == steps.values.len() {
                        steps.types.push(value.data_type(&schema)?);
                        steps.values.push(value);
                    }
                    let counts = matches!(c.func, AggFunc::NUnique | AggFunc::Count);
                    Stepwise::Once(if counts { AggFunc::Count } else { c.func }, at)
                }
                false => {
                    let ty = c.arg.as_ref().map(|a| a.data_type(&schema)).transpose()?;
                    let Some((func, whole)) = in_steps(c.func, ty.as_ref()) else {
                        return Ok(None);
                    };
                    let part = AggCall {
                        func,
                        distinct: false,
                        ..c.clone()
                    };
                    Stepwise::Twice(part, whole)
                }
            };
            steps.aggs.push((name.clone(), step));
        }
        Ok(Some(steps))
    }
}

/// Whether a plan only reads columns that cost nothing where they are not wanted, so that each of several
/// groups may read its own.
fn is_read_quickly(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Scan { table, .. } => table.dataset.exact_rows().is_some(),
        LogicalPlan::Filter { input, .. } | LogicalPlan::Project { input, .. } => is_read_quickly(input),
        _ => false,
    }
}

/// Groups of their own for each value that is looked at once, and for all else, put together in the end.
/// None where they are too many, or of types that are not put together.
///
/// ```text
///   Aggregate [k]   the greatest of each column: only one branch has a value of a group
///     Union
///       (k n ∅)  ◄  count(DISTINCT x) of each k
///       (k ∅ m)  ◄  median(z) of each k
/// ```
fn branches(
    input: &LogicalPlan,
    keys: &[(String, Expr)],
    aggs: &[(String, AggCall)],
) -> Result<Option<LogicalPlan>> {
    let mut values: Vec<Option<Expr>> = Vec::new();
    let mut parts: Vec<Vec<(String, AggCall)>> = Vec::new();
    for agg in aggs {
        let value = agg.1.looks_once().then(|| agg.1.once()).transpose()?;
        match values.iter().position(|v| *v == value) {
            Some(at) => parts[at].push(agg.clone()),
            None => {
                values.push(value);
                parts.push(vec![agg.clone()]);
            }
        }
    }
    if parts.len() < 2 || parts.len() > MOST_BRANCHES {
        return Ok(None);
    }
    let mut groups = Vec::new();
    for part in &parts {
        groups.push(LogicalPlan::grouped(input.clone(), keys.to_vec(), part.clone())?);
    }
    let schemas = groups
        .iter()
        .map(LogicalPlan::schema)
        .collect::<Result<Vec<_>>>()?;
    let mut inputs = Vec::new();
    for (own, plan) in schemas.iter().zip(groups) {
        let mut exprs: Vec<(String, Expr)> = Vec::new();
        exprs.extend(keys.iter().map(|(n, _)| (n.clone(), Expr::column(n))));
        for (name, _) in aggs {
            let field = schemas.iter().find_map(|s| s.field_with_name(name).ok());
            // a null beside it would say nothing of its width, and a union keeps what all say
            let Some(field) = field.filter(|f| Width::of_field(f).is_none()) else {
                return Ok(None);
            };
            let ty = types::logical(field.data_type());
            exprs.push(match own.index_of(name) {
                Ok(_) => (name.clone(), Expr::column(name)),
                Err(_) if is_put_together(&ty) => (name.clone(), Expr::null_of(&ty)?),
                Err(_) => return Ok(None),
            });
        }
        inputs.push(LogicalPlan::Project {
            exprs,
            input: Box::new(plan),
        });
    }
    Ok(Some(LogicalPlan::Aggregate {
        input: Box::new(LogicalPlan::Union { inputs }),
        keys: keys.iter().map(|(n, _)| (n.clone(), Expr::column(n))).collect(),
        aggs: (aggs.iter())
            .map(|(n, _)| (n.clone(), call(AggFunc::Max, n)))
            .collect(),
    }))
}

/// Whether the greatest of a value and nulls is that value.
fn is_put_together(ty: &DataType) -> bool {
    use DataType::*;
    matches!(ty, Boolean | Int64 | Float64 | Decimal128(..) | Date32) || *ty == types::TEXT
}

fn call(func: AggFunc, column: &str) -> AggCall {
    AggCall {
        func,
        arg: Some(Expr::column(column)),
        distinct: false,
        filter: None,
    }
}

/// `sum(DISTINCT x)` and the like: groups of the keys and `x` first, then the groups of the keys over
/// these. What else is asked for goes along in steps.
fn once_each(input: LogicalPlan, keys: Vec<(String, Expr)>, steps: Steps) -> Result<LogicalPlan> {
    let hidden = steps.hidden;
    let (mut parts, mut wholes, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for (name, step) in steps.aggs {
        wholes.push(match step {
            Stepwise::Once(func, _) => (name, call(func, &hidden.value)),
            Stepwise::Twice(part, whole) => {
                if part.func == AggFunc::Count {
                    counts.push(name.clone());
                }
                parts.push((name.clone(), part));
                (name.clone(), call(whole, &name))
            }
        });
    }
    let mut inner = keys.clone();
    inner.extend(steps.values.into_iter().map(|v| (hidden.value.clone(), v)));
    let outer = keys
        .into_iter()
        .map(|(n, _)| (n.clone(), Expr::Column(n)))
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
    // over no row at all a sum of counts is null, a count is 0
    zero_counts(grouped, counts)
}

/// The same for several values: a row comes once for each of them, and values of one type share a
/// column. What is no value goes along with the first.
///
/// ```text
///   count(DISTINCT x), count(DISTINCT y), sum(z)  of each k; x and y integers
///
///   Aggregate [k]               count of values in part 0, of those in part 1, sum of sums
///     Aggregate [k part value]  sum(z)
///       Expand                  (k 0 x z) (k 1 y ∅)
/// ```
fn once_each_of_several(input: LogicalPlan, keys: Vec<(String, Expr)>, steps: Steps) -> Result<LogicalPlan> {
    let hidden = steps.hidden;
    let schema = input.schema()?;
    let mut types: Vec<DataType> = Vec::new();
    let mut columns = Vec::new();
    for ty in steps.types.iter().map(types::logical) {
        let at = types.iter().position(|t| *t == ty).unwrap_or(types.len());
        if at == types.len() {
            types.push(ty);
        }
        columns.push(at);
    }
    let (mut parts, mut wholes, mut counts, mut args) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, step) in steps.aggs {
        wholes.push(match step {
            Stepwise::Once(func, at) => (name, of_part(&hidden, func, hidden.value(columns[at]), None, at)),
            Stepwise::Twice(part, whole) => {
                if part.func == AggFunc::Count {
                    counts.push(name.clone());
                }
                // rows are counted by a value that only those of the first part have
                let arg = match &part.arg {
                    Some(_) => part.once()?,
                    None => AggCall {
                        arg: Some(Expr::Literal(Scalar::Bool(true))),
                        ..part.clone()
                    }
                    .once()?,
                };
                let arg_name = format!("{}arg{}", hidden.mark, args.len());
                parts.push((name.clone(), call(part.func, &arg_name)));
                args.push((arg_name, arg));
                (name.clone(), call(whole, &name))
            }
        });
    }
    let mut lists = Vec::new();
    for (part, value) in steps.values.iter().enumerate() {
        let mut list: Vec<(String, Expr)> = Vec::new();
        list.extend(
            keys.iter()
                .enumerate()
                .map(|(i, (_, k))| (hidden.key(i), k.clone())),
        );
        list.push((hidden.part.clone(), int(part)));
        for (at, ty) in types.iter().enumerate() {
            let own = match columns[part] == at {
                true => value.clone(),
                false => Expr::null_of(ty)?,
            };
            list.push((hidden.value(at), own));
        }
        for (name, arg) in &args {
            let own = match part {
                0 => arg.clone(),
                _ => Expr::null_of(&types::logical(&arg.data_type(&schema)?))?,
            };
            list.push((name.clone(), own));
        }
        lists.push(list);
    }
    let totals = totals_of(&hidden, &input, &keys);
    let mut inner: Vec<(String, Expr)> = (keys.iter().enumerate())
        .map(|(i, (n, _))| (n.clone(), Expr::Column(hidden.key(i))))
        .collect();
    inner.push((hidden.part.clone(), Expr::column(&hidden.part)));
    inner.extend((0..types.len()).map(|at| (hidden.value(at), Expr::Column(hidden.value(at)))));
    let grouped = LogicalPlan::Aggregate {
        keys: keys.iter().map(|(n, _)| (n.clone(), Expr::column(n))).collect(),
        input: Box::new(LogicalPlan::Aggregate {
            input: Box::new(LogicalPlan::Expand {
                input: Box::new(input),
                lists,
                times: None,
                totals,
            }),
            keys: inner,
            aggs: parts,
        }),
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
    let totals = totals_of(hidden, &input, keys);
    Ok(LogicalPlan::Expand {
        input: Box::new(input),
        lists,
        times: None,
        totals,
    })
}

/// The groups that grouping sets have of no row are among those by `keys` as well.
fn totals_of(hidden: &Hidden, input: &LogicalPlan, keys: &[(String, Expr)]) -> Option<(String, Vec<i64>)> {
    let LogicalPlan::Expand {
        totals: Some((id, numbers)),
        ..
    } = input
    else {
        return None;
    };
    let is_id = |(_, e): &(String, Expr)| matches!(e, Expr::Column(c) if c == id);
    let at = keys.iter().position(is_id)?;
    Some((hidden.key(at), numbers.clone()))
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
