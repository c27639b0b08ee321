//! Subqueries in expressions become joins.
//!
//! ```text
//!   WHERE EXISTS (… WHERE u.k = t.k AND u.y > t.x)   t ⋉ u   on k, filter y > x
//!   WHERE x NOT IN (SELECT y …)                      t ▷ u   and nothing at all where u has a null
//!   x > (SELECT avg(y) …)                            t × one row
//!   x > (SELECT avg(y) … WHERE u.k = t.k)            t ⟕ avg(y) of each k; a count of nothing is 0
//! ```

use std::collections::HashMap;

use sqlparser::ast::{self, SelectItem, SetExpr};

use super::convert::{Job, JobKind, Names};
use super::dependent::{Equalities, Keys};
use super::group::Groups;
use super::jobs::substitute;
use super::joins::Side;
use super::scope::{Rel, Scope};
use super::select::filtered;
use super::{Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{self, AggCall, AggFunc, BinaryOp, Expr, Func, JoinKind, UnaryOp};
use crate::kernel::Scalar;
use crate::plan::{LogicalPlan, equal_sides};

/// A planned subquery.
enum Inner<'q> {
    /// It looks at nothing around it.
    Alone(Rel),
    /// Its FROM and WHERE, the conditions that look outside, and the SELECT above them.
    Correlated(Rel, Vec<Expr>, &'q ast::Select),
}

impl Planner<'_> {
    fn inner<'q>(&mut self, q: &'q ast::Query, around: &Scope) -> Result<Inner<'q>> {
        self.apart(|p| p.inner_apart(q, around))
    }

    fn inner_apart<'q>(&mut self, q: &'q ast::Query, around: &Scope) -> Result<Inner<'q>> {
        let SetExpr::Select(s) = q.body.as_ref() else {
            return Ok(Inner::Alone(self.query(q, around)?));
        };
        let before = self.ctes.len();
        self.with(q, around.levels())?;
        let planned = self.rows_of(s, Some(around)).and_then(|(rel, outside)| {
            if !outside.is_empty() {
                return Ok(Inner::Correlated(rel, outside, s));
            }
            let rel = self.finish_select(rel, s, q.order_by.as_ref(), Some(around))?;
            Ok(Inner::Alone(self.limit(rel, q)?))
        });
        self.ctes.truncate(before);
        planned
    }

    /// Keeps the rows for which EXISTS or IN is true, or with `negated` false.
    pub(super) fn keep_where(
        &mut self,
        rel: Rel,
        job: Job,
        negated: bool,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let cols = rel.cols.clone();
        let around = Scope { cols: &cols, outer };
        let rows = rel.clone();
        match self.keep_simply(rel, &job, negated, &around) {
            Err(first) => self
                .keep_apart(rows, &job, negated, &around, first)
                .map_err(|e| self.near(e, &job.query)),
            kept => kept,
        }
    }

    fn keep_simply(&mut self, rel: Rel, job: &Job, negated: bool, around: &Scope) -> Result<Rel> {
        let kind = match negated {
            true => JoinKind::Anti,
            false => JoinKind::Semi,
        };
        match (&job.kind, self.inner(&job.query, around)?) {
            (JobKind::Exists, Inner::Correlated(inner, outside, s)) => {
                plain_rows(s, &job.query, "EXISTS")?;
                let (on, filter) = split(outside, &rel, &inner)?;
                joined(rel, inner, kind, on, filter)
            }
            (JobKind::In(x), Inner::Alone(inner)) => {
                let value = one_column(&inner, "IN")?;
                let rel = match negated {
                    true => self.unless_null(rel, x, &inner, &value)?,
                    false => rel,
                };
                joined(rel, inner, kind, vec![(x.clone(), value)], None)
            }
            (JobKind::InRow(row), Inner::Alone(inner)) => {
                let pairs = row_pairs(row, &inner)?;
                match negated {
                    false => joined(rel, inner, kind, pairs, None),
                    // a row that null keeps from being another stands in the way as well
                    true => super::not_in::surely_not_in(rel, inner, pairs),
                }
            }
            (JobKind::In(x), Inner::Correlated(inner, outside, s)) => {
                plain_rows(s, &job.query, "IN")?;
                let value = self.only_item(s, &inner, around)?;
                if value.has_aggregate() {
                    return Err(unsupported(
                        "an aggregate in a subquery of IN that refers to an outer query",
                    ));
                }
                let (mut on, rest) = split(outside, &rel, &inner)?;
                let mut filter: Vec<Expr> = rest.into_iter().collect();
                let same = Expr::binary(BinaryOp::Eq, x.clone(), value.clone());
                match negated {
                    false => on.push((x.clone(), value)),
                    // a comparison with null stands in the way as well
                    true => filter.push(Expr::binary(
                        BinaryOp::Distinct,
                        same,
                        Expr::Literal(Scalar::Bool(false)),
                    )),
                }
                joined(rel, inner, kind, on, filter_of(filter))
            }
            (_, inner) => {
                let (rel, value) = self.value(rel, job, inner, around)?;
                filtered(
                    rel,
                    if negated {
                        Expr::unary(UnaryOp::Not, value)
                    } else {
                        value
                    },
                )
            }
        }
    }

    /// Of the rows, those that NOT IN may keep: with nulls among the values none, without values all,
    /// else those whose own value is not null.
    fn unless_null(&mut self, rel: Rel, x: &Expr, inner: &Rel, value: &Expr) -> Result<Rel> {
        let (rel, all, known) = self.counts(rel, inner, value)?;
        let condition = Expr::binary(
            BinaryOp::Or,
            Expr::binary(BinaryOp::Eq, all.clone(), int(0)),
            Expr::and(vec![
                is_null(x.clone(), true),
                Expr::binary(BinaryOp::Eq, all, known),
            ]),
        );
        filtered(rel, condition)
    }

    /// The number of rows and of values that are not null, beside every row.
    fn counts(&mut self, rel: Rel, inner: &Rel, value: &Expr) -> Result<(Rel, Expr, Expr)> {
        let (all, known) = (self.fresh("rows"), self.fresh("values"));
        let counts = LogicalPlan::Aggregate {
            input: Box::new(inner.plan.clone()),
            keys: Vec::new(),
            aggs: vec![
                (all.clone(), call(AggFunc::Count, None)),
                (known.clone(), call(AggFunc::Count, Some(value.clone()))),
            ],
        };
        let rel = beside(rel, counts, JoinKind::Inner, Vec::new())?;
        Ok((rel, Expr::Column(all), Expr::Column(known)))
    }

    /// Joins what subqueries yield to the rows; the expressions that stand for their stand-ins.
    pub(super) fn attach(
        &mut self,
        mut rel: Rel,
        jobs: Vec<Job>,
        outer: Option<&Scope>,
    ) -> Result<(Rel, HashMap<String, Expr>)> {
        let mut values = HashMap::new();
        for mut job in jobs {
            for x in job.kind.compared() {
                *x = substitute(std::mem::replace(x, Expr::Literal(Scalar::Null)), &values)?;
            }
            let cols = rel.cols.clone();
            let around = Scope { cols: &cols, outer };
            let rows = rel.clone();
            let simple = self.inner(&job.query, &around);
            let simple = simple.and_then(|inner| self.value(rel, &job, inner, &around));
            let (next, value) = match simple {
                Err(first) => {
                    let value = self.value_apart(rows, &job, &around, first);
                    value.map_err(|e| self.near(e, &job.query))?
                }
                Ok(done) => done,
            };
            rel = next;
            values.insert(job.stand_in, value);
        }
        Ok((rel, values))
    }

    fn value(&mut self, rel: Rel, job: &Job, inner: Inner, around: &Scope) -> Result<(Rel, Expr)> {
        match (&job.kind, inner) {
            (JobKind::Scalar, Inner::Alone(inner)) => self.one_value(rel, inner),
            (JobKind::Exists, Inner::Alone(inner)) => {
                let n = self.fresh("rows");
                let some = LogicalPlan::Limit {
                    input: Box::new(inner.plan),
                    skip: 0,
                    take: Some(1),
                };
                let counted = LogicalPlan::Aggregate {
                    input: Box::new(some),
                    keys: Vec::new(),
                    aggs: vec![(n.clone(), call(AggFunc::Count, None))],
                };
                let rel = beside(rel, counted, JoinKind::Inner, Vec::new())?;
                Ok((rel, Expr::binary(BinaryOp::Gt, Expr::Column(n), int(0))))
            }
            (JobKind::In(x), Inner::Alone(inner)) => self.membership(rel, x, inner),
            (JobKind::Scalar, Inner::Correlated(inner, outside, s)) => {
                let q = &job.query;
                if q.limit_clause.is_some() || q.fetch.is_some() || s.distinct.is_some() {
                    return Err(unsupported(
                        "LIMIT or DISTINCT in a subquery that refers to an outer query",
                    ));
                }
                self.value_of_each(rel, inner, outside, s, around)
            }
            (JobKind::Exists, Inner::Correlated(inner, outside, s)) => {
                plain_rows(s, &job.query, "EXISTS")?;
                let (on, filter) = split(outside, &rel, &inner)?;
                if filter.is_some() {
                    return Err(unsupported(
                        "EXISTS beside OR or in SELECT with a condition other than equality on an outer column",
                    ));
                }
                let (keys, on) = self.group_keys(on, &rel, &inner)?;
                self.marked(rel, inner.plan, keys, on)
            }
            (JobKind::Compare { x, op, all }, Inner::Alone(inner)) => {
                let value = one_column(&inner, "ANY and ALL")?;
                let value = compared_beside(value, &inner.plan, (x, *op), &rel)?;
                let found = Found::new(self);
                let counted = LogicalPlan::Aggregate {
                    input: Box::new(inner.plan),
                    keys: Vec::new(),
                    aggs: found.aggs(&value),
                };
                let rel = beside(rel, counted, JoinKind::Inner, Vec::new())?;
                let is = found.compared(x, *op, *all);
                is.data_type(&*rel.plan.schema()?)?;
                Ok((rel, is))
            }
            (JobKind::Compare { x, op, all }, Inner::Correlated(inner, outside, s)) => {
                plain_rows(s, &job.query, "ANY and ALL")?;
                let value = self.only_item(s, &inner, around)?;
                let (on, filter) = split(outside, &rel, &inner)?;
                if let Some(f) = filter {
                    return Err(not_equal(&f));
                }
                let (keys, on) = self.group_keys(on, &rel, &inner)?;
                let value = compared_beside(value, &inner.plan, (x, *op), &rel)?;
                Found::new(self).beside(rel, inner.plan, keys, on, &value, (x, *op, *all))
            }
            (JobKind::InRow(row), Inner::Alone(inner)) => self.row_membership(rel, row, inner),
            (JobKind::InRow(_), Inner::Correlated(..)) => Err(unsupported(ROW_ELSEWHERE).help(ROW_HELP)),
            (JobKind::In(_), Inner::Correlated(..)) => Err(unsupported(
                "IN beside OR or in SELECT with a subquery that refers to an outer query",
            )),
        }
    }

    /// The right sides of equalities as keys of groups, and what these are equal to on the left.
    pub(super) fn group_keys(
        &mut self,
        on: Equalities,
        rel: &Rel,
        inner: &Rel,
    ) -> Result<(Keys, Equalities)> {
        let (mut keys, mut equal) = (Vec::new(), Vec::new());
        for (l, r) in on {
            let name = self.fresh("key");
            keys.push((name.clone(), value_beside(r, &inner.plan, &l, rel)?));
            equal.push((l, Expr::Column(name)));
        }
        Ok((keys, equal))
    }

    /// A subquery that yields one value for all rows.
    fn one_value(&mut self, rel: Rel, inner: Rel) -> Result<(Rel, Expr)> {
        let value = one_column(&inner, "a value")?;
        if is_one_row(&inner.plan) {
            let rel = beside(rel, inner.plan, JoinKind::Inner, Vec::new())?;
            return Ok((rel, value));
        }
        let (v, n) = (self.fresh("value"), self.fresh("rows"));
        let checked = LogicalPlan::Aggregate {
            input: Box::new(inner.plan),
            keys: Vec::new(),
            aggs: vec![
                (v.clone(), call(AggFunc::First, Some(value))),
                (n.clone(), call(AggFunc::Count, None)),
            ],
        };
        let rel = beside(rel, checked, JoinKind::Inner, Vec::new())?;
        Ok((rel, at_most_one(n, v)))
    }

    /// A subquery that yields one value for each row, by equalities.
    fn value_of_each(
        &mut self,
        rel: Rel,
        inner: Rel,
        outside: Vec<Expr>,
        s: &ast::Select,
        around: &Scope,
    ) -> Result<(Rel, Expr)> {
        if has_groups(s) {
            return Err(unsupported(
                "GROUP BY in a subquery that refers to an outer query",
            ));
        }
        let (on, filter) = split(outside, &rel, &inner)?;
        if let Some(f) = filter {
            return Err(not_equal(&f));
        }
        let value = self.only_item(s, &inner, around)?;
        let (keys, on) = self.group_keys(on, &rel, &inner)?;
        let mut groups = Groups::new(keys);
        let value = match value.has_aggregate() {
            true => {
                let e = groups.rewrite(self, value)?;
                let zero = |c: &str| {
                    let same = |(n, a): &&(String, AggCall)| n == c && a.func.is_count();
                    groups.aggs.iter().any(|a| same(&a))
                };
                e.map(&mut |e| {
                    Ok(match &e {
                        Expr::Column(c) if zero(c) => Expr::Function {
                            func: Func::Coalesce,
                            args: vec![e, int(0)],
                        },
                        _ => e,
                    })
                })?
            }
            false => {
                let (v, n) = (self.fresh("value"), self.fresh("rows"));
                groups.aggs.push((v.clone(), call(AggFunc::First, Some(value))));
                groups.aggs.push((n.clone(), call(AggFunc::Count, None)));
                at_most_one(n, v)
            }
        };
        let grouped = groups.over(inner)?;
        let rel = beside(rel, grouped.plan, JoinKind::Left, on)?;
        let schema = rel.plan.schema()?;
        value.data_type(&schema)?;
        Ok((rel, value))
    }

    /// `x IN (SELECT …)` as true, false or null.
    fn membership(&mut self, rel: Rel, x: &Expr, inner: Rel) -> Result<(Rel, Expr)> {
        let value = one_column(&inner, "IN")?;
        let (rel, all, known) = self.counts(rel, &inner, &value)?;
        let key = self.fresh("key");
        let value = value_beside(value, &inner.plan, x, &rel)?;
        let on = vec![(x.clone(), Expr::column(&key))];
        let (rel, found) = self.marked(rel, inner.plan, vec![(key, value)], on)?;
        Ok((rel, is_among(x, all, known, found)))
    }

    /// Whether a row has a partner among the groups of `inner`.
    pub(super) fn marked(
        &mut self,
        rel: Rel,
        inner: LogicalPlan,
        keys: Vec<(String, Expr)>,
        on: Vec<(Expr, Expr)>,
    ) -> Result<(Rel, Expr)> {
        let mark = self.fresh("found");
        let mut exprs: Vec<_> = keys.iter().map(|(n, _)| (n.clone(), Expr::column(n))).collect();
        exprs.push((mark.clone(), Expr::Literal(Scalar::Bool(true))));
        let groups = LogicalPlan::Aggregate {
            input: Box::new(inner),
            keys,
            aggs: Vec::new(),
        };
        let marked = LogicalPlan::Project {
            input: Box::new(groups),
            exprs,
        };
        let rel = beside(rel, marked, JoinKind::Left, on)?;
        Ok((rel, is_null(Expr::Column(mark), true)))
    }

    /// The one expression of a SELECT.
    fn only_item(&mut self, s: &ast::Select, inner: &Rel, around: &Scope) -> Result<Expr> {
        let here = Scope {
            cols: &inner.cols,
            outer: Some(around),
        };
        match s.projection.as_slice() {
            [SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }] => self.plain_expr(
                e,
                Names::of(&here),
                "SELECT of a subquery that refers to an outer query",
            ),
            list => Err(Error::query(format!(
                "a subquery that stands for one value has {} columns",
                list.len()
            ))),
        }
    }
}

/// `x IN` a number of rows, of which some have a `known` value, and one may be `found` to be x.
pub(super) fn is_among(x: &Expr, rows: Expr, known: Expr, found: Expr) -> Expr {
    let (null, truth) = (Expr::Literal(Scalar::Null), |b| Expr::Literal(Scalar::Bool(b)));
    Expr::Case {
        operand: None,
        branches: vec![
            (Expr::binary(BinaryOp::Eq, rows.clone(), int(0)), truth(false)),
            (is_null(x.clone(), false), null.clone()),
            (found, truth(true)),
            (Expr::binary(BinaryOp::Gt, rows, known), null),
        ],
        otherwise: Some(Box::new(truth(false))),
    }
}

/// What rows of `inner` are compared by with `x` of `rel`, as a value of the type in which that is done.
pub(super) fn value_beside(value: Expr, inner: &LogicalPlan, x: &Expr, rel: &Rel) -> Result<Expr> {
    expr::as_beside(value, &*inner.schema()?, (x, &*rel.plan.schema()?))
}

/// The same of values that are compared in any way: put in order they stay what they are.
pub(super) fn compared_beside(
    value: Expr,
    inner: &LogicalPlan,
    (x, op): (&Expr, BinaryOp),
    rel: &Rel,
) -> Result<Expr> {
    match op.is_equality() {
        true => value_beside(value, inner, x, rel),
        false => Ok(value),
    }
}

/// A column, 0 where it is null.
pub(super) fn zero_for_null(column: &str) -> Expr {
    Expr::Function {
        func: Func::Coalesce,
        args: vec![Expr::column(column), int(0)],
    }
}

fn not_equal(f: &Expr) -> Error {
    unsupported(&format!(
        "a condition other than equality on a column of an outer query ({f})"
    ))
}

/// What is known of the values of a subquery: enough to compare with any or all of them.
pub(super) struct Found {
    rows: String,
    known: String,
    least: String,
    greatest: String,
}

impl Found {
    pub fn new(p: &mut Planner) -> Found {
        Found {
            rows: p.fresh("rows"),
            known: p.fresh("values"),
            least: p.fresh("least"),
            greatest: p.fresh("greatest"),
        }
    }

    /// `x op ANY`, or with `all` `x op ALL`, over the values of a query grouped by `keys`, beside the rows of
    /// `rel` that equal them.
    pub fn beside(
        &self,
        rel: Rel,
        input: LogicalPlan,
        keys: Vec<(String, Expr)>,
        on: Vec<(Expr, Expr)>,
        value: &Expr,
        (x, op, all): (&Expr, BinaryOp, bool),
    ) -> Result<(Rel, Expr)> {
        let counted = LogicalPlan::Aggregate {
            input: Box::new(input),
            keys,
            aggs: self.aggs(value),
        };
        let rel = beside(rel, counted, JoinKind::Left, on)?;
        let is = self.compared(x, op, all);
        is.data_type(&*rel.plan.schema()?)?;
        Ok((rel, is))
    }

    pub fn aggs(&self, value: &Expr) -> Vec<(String, AggCall)> {
        let of = |f| call(f, Some(value.clone()));
        vec![
            (self.rows.clone(), call(AggFunc::Count, None)),
            (self.known.clone(), of(AggFunc::Count)),
            (self.least.clone(), of(AggFunc::Min)),
            (self.greatest.clone(), of(AggFunc::Max)),
        ]
    }

    /// `x op ANY`, or with `all` `x op ALL`, as true, false or null.
    pub fn compared(&self, x: &Expr, op: BinaryOp, all: bool) -> Expr {
        let (least, greatest) = (Expr::column(&self.least), Expr::column(&self.greatest));
        let (x, is) = (x.clone(), Expr::binary);
        let one = || is(BinaryOp::Eq, least.clone(), greatest.clone());
        let among = |op, e: &Expr| is(op, x.clone(), e.clone());
        // the value that is easiest to hold against for ANY, hardest for ALL
        let holds = match op {
            BinaryOp::Gt | BinaryOp::GtEq => among(op, if all { &greatest } else { &least }),
            BinaryOp::Lt | BinaryOp::LtEq => among(op, if all { &least } else { &greatest }),
            BinaryOp::Eq => Expr::and(vec![one(), among(BinaryOp::Eq, &least)]),
            _ => Expr::unary(UnaryOp::Not, Expr::and(vec![one(), among(BinaryOp::Eq, &least)])),
        };
        let (null, truth) = (Expr::Literal(Scalar::Null), |b| Expr::Literal(Scalar::Bool(b)));
        let zero = |c: &String| Expr::Function {
            func: Func::Coalesce,
            args: vec![Expr::column(c), int(0)],
        };
        let decided = match all {
            true => Expr::unary(UnaryOp::Not, holds),
            false => holds,
        };
        Expr::Case {
            operand: None,
            branches: vec![
                (is(BinaryOp::Eq, zero(&self.rows), int(0)), truth(all)),
                (is_null(x.clone(), false), null.clone()),
                (decided, truth(!all)),
                (is(BinaryOp::Gt, zero(&self.rows), zero(&self.known)), null),
            ],
            otherwise: Some(Box::new(truth(all))),
        }
    }
}

/// Equalities of both sides as keys, what else there is as a filter.
pub(super) type On = (Vec<(Expr, Expr)>, Filter);
pub(super) type Filter = Option<Expr>;

pub(super) fn split(outside: Vec<Expr>, rel: &Rel, inner: &Rel) -> Result<On> {
    let (ls, rs) = (rel.plan.schema()?, inner.plan.schema()?);
    let (mut on, mut rest) = (Vec::new(), Vec::new());
    for part in outside {
        let known = |c: &String| ls.index_of(c).is_ok() || rs.index_of(c).is_ok();
        if let Some(c) = part.columns().into_iter().find(|c| !known(c)) {
            return Err(unsupported(&format!(
                "the column {c} in a subquery: it is of a query further out, or no key of GROUP BY;"
            )));
        }
        match equal_sides(&part, &ls, &rs)? {
            Some(pair) => on.push(pair),
            None => rest.push(part),
        }
    }
    Ok((on, filter_of(rest)))
}

fn filter_of(parts: impl IntoIterator<Item = Expr>) -> Filter {
    let parts: Vec<Expr> = parts.into_iter().collect();
    (!parts.is_empty()).then(|| Expr::and(parts))
}

/// Rows of `rel` that have, or lack, a partner.
pub(super) fn joined(
    rel: Rel,
    inner: Rel,
    kind: JoinKind,
    on: Vec<(Expr, Expr)>,
    filter: Filter,
) -> Result<Rel> {
    let rel = rel.map(|left| {
        let sides = Side {
            left: *left,
            right: inner.plan,
            on,
            filter,
            asof: None,
        };
        sides.join(kind)
    });
    rel.plan.schema()?;
    Ok(rel)
}

/// Columns that nobody can name, beside those of `rel`.
pub(super) fn beside(rel: Rel, right: LogicalPlan, kind: JoinKind, on: Vec<(Expr, Expr)>) -> Result<Rel> {
    let rel = rel.map(|left| {
        let sides = Side {
            left: *left,
            right,
            on,
            filter: None,
            asof: None,
        };
        sides.join(kind)
    });
    rel.plan.schema()?;
    Ok(rel)
}

fn int(i: i64) -> Expr {
    Expr::Literal(Scalar::Int(i))
}

pub(super) fn is_null(e: Expr, negated: bool) -> Expr {
    Expr::IsNull {
        expr: Box::new(e),
        negated,
    }
}

pub(super) fn call(func: AggFunc, arg: Option<Expr>) -> AggCall {
    AggCall {
        func,
        arg,
        distinct: false,
        filter: None,
    }
}

/// The column `v`, or an error where `n` rows are more than one.
pub(super) fn at_most_one(n: String, v: String) -> Expr {
    let message = "a subquery that stands for one value yields more than one row";
    let fails = Expr::Function {
        func: Func::Fail,
        args: vec![Expr::Literal(Scalar::Text(message.into()))],
    };
    // no row at all has no number of rows beside it, after a left join
    let rows = Expr::Function {
        func: Func::Coalesce,
        args: vec![Expr::Column(n), int(0)],
    };
    let many = Expr::binary(BinaryOp::Gt, rows, int(1));
    Expr::Case {
        operand: None,
        branches: vec![(Expr::and(vec![many, fails]), Expr::Literal(Scalar::Null))],
        otherwise: Some(Box::new(Expr::Column(v))),
    }
}

pub(super) fn one_column(rel: &Rel, what: &str) -> Result<Expr> {
    let open: Vec<_> = rel.cols.iter().filter(|c| c.open).collect();
    match open.as_slice() {
        [one] => Ok(Expr::column(&one.inner)),
        many => Err(Error::query(format!(
            "a subquery that stands for {what} has {} columns",
            many.len()
        ))
        .help("it must have one")),
    }
}

pub(super) const ROW_ELSEWHERE: &str =
    "(a, b) IN (SELECT …) that looks outside and is negated, or stands beside OR or in SELECT,";
pub(super) const ROW_HELP: &str = "write EXISTS (SELECT 1 … WHERE x = a AND y = b)";

/// The values of a row, each with the column that it is compared with.
pub(super) fn row_pairs(row: &[Expr], inner: &Rel) -> Result<Vec<(Expr, Expr)>> {
    let open: Vec<_> = inner.cols.iter().filter(|c| c.open).collect();
    match open.len() == row.len() {
        true => Ok(row
            .iter()
            .cloned()
            .zip(open.iter().map(|c| Expr::column(&c.inner)))
            .collect()),
        false => Err(Error::query(format!(
            "a row of {} values is looked for in a subquery of {} columns",
            row.len(),
            open.len()
        ))),
    }
}

/// Whether a plan yields one row, whatever the data.
fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate { keys, .. } => keys.is_empty(),
        LogicalPlan::Project { input, .. }
        | LogicalPlan::Sort {
            input, limit: None, ..
        } => is_one_row(input),
        _ => false,
    }
}

pub(super) fn has_groups(s: &ast::Select) -> bool {
    let no_keys = matches!(&s.group_by, ast::GroupByExpr::Expressions(list, _) if list.is_empty());
    !no_keys || s.having.is_some() || s.qualify.is_some()
}

/// Refuses what would change which rows a subquery has beyond its WHERE.
fn plain_rows(s: &ast::Select, q: &ast::Query, place: &str) -> Result<()> {
    let aggregates = || {
        s.projection.iter().any(|i| match i {
            SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => {
                crate::expr::convert_with(e, &mut |e| {
                    use ast::Expr as S;
                    Ok(matches!(
                        e,
                        S::Identifier(_) | S::CompoundIdentifier(_) | S::Subquery(_) | S::Exists { .. }
                    )
                    .then(|| Expr::Literal(Scalar::Null)))
                })
                .is_ok_and(|e| e.has_aggregate())
            }
            _ => false,
        })
    };
    if has_groups(s) || aggregates() {
        return Err(unsupported(&format!(
            "groups or aggregates in a subquery of {place} that refers to an outer query"
        )));
    }
    if q.limit_clause.is_some() || q.fetch.is_some() {
        return Err(unsupported(&format!(
            "LIMIT in a subquery of {place} that refers to an outer query"
        )));
    }
    Ok(())
}
