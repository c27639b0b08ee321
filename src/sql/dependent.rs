//! Subqueries that look outside in any place: they are planned over all values they look at, at once.
//!
//! ```text
//!   SELECT …, (SELECT y FROM u WHERE u.x < t.x ORDER BY y LIMIT 1) FROM t
//!
//!   D   the distinct values of t.x                                      the domain
//!   R   D × u where u.x < D.x, of each D.x the first by y               the subquery, its answers beside their D.x
//!   t ⟕ R on t.x IS NOT DISTINCT FROM D.x
//! ```
//!
//! While such a subquery is planned, [`Planner::domain`] is set: FROM begins with D, GROUP BY, DISTINCT and
//! PARTITION BY have its columns as further keys, LIMIT counts the rows of each of its values, and every list
//! carries them along. They keep the names that they have outside, so an expression that looks outside finds
//! them in the plan it stands over. After Neumann and Kemper, "Unnesting Arbitrary Queries" (2015). The simpler
//! ways of [`super::subquery`] and [`super::lateral`], which need no domain, are tried first.

use arrow::datatypes::DataType;
use sqlparser::ast;

use super::convert::{Job, JobKind};
use super::joins::Side;
use super::scope::{Rel, Scope};
use super::select::filtered;
use super::subquery::{
    Found, ROW_ELSEWHERE, ROW_HELP, at_most_one, beside, call, compared_beside, is_null, joined, one_column,
    row_pairs, value_beside, zero_for_null,
};
use super::{Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{self, AggCall, AggFunc, BinaryOp, Expr, Func, JoinKind, UnaryOp, WindowCall, WindowFunc};
use crate::kernel::carry::carrier;
use crate::kernel::{Scalar, types};
use crate::plan::LogicalPlan;

/// How often a statement may be planned that way: a subquery within subqueries is planned again for each.
const MOST_ATTEMPTS: usize = 400;

/// The values that a subquery is planned over.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    /// Their distinct combinations.
    plan: LogicalPlan,
    /// Their names, here and outside.
    columns: Vec<String>,
}

/// Names and what they stand for.
pub(super) type Keys = Vec<(String, Expr)>;
/// What is equal outside and inside.
pub(super) type Equalities = Vec<(Expr, Expr)>;

/// A subquery planned over its domain.
pub(super) struct Dependent {
    /// Its rows, each beside the values that it is for.
    pub rel: Rel,
    /// The columns of these values.
    keys: Vec<String>,
    /// What these are equal to outside, nulls included.
    pub on: Vec<(Expr, Expr)>,
}

impl Dependent {
    /// Its keys under new names, for an aggregate, and what they must be equal to.
    fn grouped(&self, p: &mut Planner) -> (Keys, Equalities) {
        let names: Vec<String> = self.keys.iter().map(|k| p.fresh(k)).collect();
        let renamed = |e: &Expr| {
            e.clone().map(&mut |e| {
                let at = match &e {
                    Expr::Column(c) => self.keys.iter().position(|k| k == c),
                    _ => None,
                };
                Ok(at.map_or(e, |at| Expr::column(&names[at])))
            })
        };
        let on = self.on.iter().map(|(l, r)| Ok((l.clone(), renamed(r)?)));
        let on = on.collect::<Result<_>>().unwrap_or_default();
        let keys = names.iter().cloned().zip(self.keys.iter().map(Expr::column));
        (keys.collect(), on)
    }
}

impl Planner<'_> {
    /// Plans something that does not belong to the subquery that is being planned over a domain.
    pub(super) fn apart<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let domain = self.domain.take();
        let done = f(self);
        self.domain = domain;
        done
    }

    /// The columns that every list must carry along.
    pub(super) fn carried(&self) -> Vec<(String, Expr)> {
        let columns = self.domain.iter().flat_map(|d| &d.columns);
        columns.map(|c| (c.clone(), Expr::column(c))).collect()
    }

    /// Whether a column of a query around is at hand in the plan.
    pub(super) fn carries(&self, column: &str) -> bool {
        self.domain.iter().any(|d| d.columns.iter().any(|c| c == column))
    }

    /// The domain as a table of its own under other names: the names, each with what it is equal to in a plan
    /// that carries the domain.
    pub(super) fn domain_again(&mut self) -> Result<Option<(LogicalPlan, Keys, Equalities)>> {
        let Some(domain) = self.domain.clone() else {
            return Ok(None);
        };
        let schema = domain.plan.schema()?;
        let (mut exprs, mut on) = (Vec::new(), Vec::new());
        for c in &domain.columns {
            let again = self.fresh(c);
            on.extend(same_values(&schema, c, &again)?);
            exprs.push((again, Expr::column(c)));
        }
        let plan = LogicalPlan::Project {
            input: Box::new(domain.plan),
            exprs: exprs.clone(),
        };
        Ok(Some((plan, exprs, on)))
    }

    /// The domain as the first table of FROM, whose columns nobody can name.
    pub(super) fn domain_rel(&self) -> Option<Rel> {
        self.domain.as_ref().map(|d| Rel {
            plan: d.plan.clone(),
            cols: Vec::new(),
            order: Vec::new(),
        })
    }

    /// A subquery that looks at columns of `around`, which are columns of `left`.
    pub(super) fn dependent(&mut self, left: &Rel, q: &ast::Query, around: &Scope) -> Result<Dependent> {
        self.dependent_rows(left, around, &mut |p| p.query(q, around))
    }

    /// The same of whatever `rows` plans.
    pub(super) fn dependent_rows(
        &mut self,
        left: &Rel,
        around: &Scope,
        rows: &mut dyn FnMut(&mut Self) -> Result<Rel>,
    ) -> Result<Dependent> {
        if self.attempts == MOST_ATTEMPTS {
            return Err(unsupported(
                "so many subqueries within subqueries that refer to queries around them",
            ));
        }
        self.attempts += 1;
        let schema = left.plan.schema()?;
        let mut all: Vec<String> = Vec::new();
        let mut scope = Some(around);
        while let Some(s) = scope {
            let here = s.cols.iter().map(|c| &c.inner);
            all.extend(here.filter(|c| schema.index_of(c).is_ok()).cloned());
            scope = s.outer;
        }
        all.sort();
        all.dedup();
        // what it looks at is seen by planning it over all there is
        let before = std::mem::take(&mut self.looked_at);
        let trial = match all.is_empty() {
            true => Err(unsupported("a reference to an outer query in this place")),
            false => self.over(left, all.clone(), rows),
        };
        let seen = std::mem::replace(&mut self.looked_at, before);
        trial?;
        let columns: Vec<String> = all.into_iter().filter(|c| seen.contains(c)).collect();
        self.looked_at.extend(seen);
        if columns.is_empty() {
            return Err(unsupported("a subquery of this kind"));
        }
        let mut rel = self.over(left, columns.clone(), rows)?;
        let (mut exprs, mut keys, mut on) = (Vec::new(), Vec::new(), Vec::new());
        for c in columns {
            let key = self.fresh(&c);
            exprs.push((key.clone(), Expr::column(&c)));
            on.extend(same_values(&schema, &c, &key)?);
            keys.push(key);
        }
        for c in &mut rel.cols {
            let inner = self.fresh(&c.name);
            exprs.push((inner.clone(), Expr::column(&c.inner)));
            c.inner = inner;
        }
        rel.order.clear();
        let rel = rel.map(|input| LogicalPlan::Project { input, exprs });
        rel.plan.schema()?;
        Ok(Dependent { rel, keys, on })
    }

    fn over(
        &mut self,
        left: &Rel,
        columns: Vec<String>,
        rows: &mut dyn FnMut(&mut Self) -> Result<Rel>,
    ) -> Result<Rel> {
        let plan = LogicalPlan::Aggregate {
            input: Box::new(left.plan.clone()),
            keys: columns.iter().map(|c| (c.clone(), Expr::column(c))).collect(),
            aggs: Vec::new(),
        };
        plan.schema()?;
        let around_it = self.domain.replace(Domain { plan, columns });
        let done = rows(self);
        self.domain = around_it;
        done
    }

    /// What a subquery yields for each row, when the simpler ways end in `first`.
    pub(super) fn value_apart(
        &mut self,
        rel: Rel,
        job: &Job,
        around: &Scope,
        first: Error,
    ) -> Result<(Rel, Expr)> {
        if matches!(job.kind, JobKind::InRow(_)) {
            return Err(first);
        }
        let d = match self.dependent(&rel, &job.query, around) {
            Ok(d) => d,
            Err(e) => return Err(told(first, e)),
        };
        let (keys, on) = d.grouped(self);
        match &job.kind {
            JobKind::Scalar => {
                let value = one_column(&d.rel, "a value")?;
                let (v, n) = (self.fresh("value"), self.fresh("rows"));
                let one = LogicalPlan::Aggregate {
                    input: Box::new(d.rel.plan),
                    keys,
                    aggs: vec![
                        (v.clone(), call(AggFunc::First, Some(value))),
                        (n.clone(), call(AggFunc::Count, None)),
                    ],
                };
                Ok((beside(rel, one, JoinKind::Left, on)?, at_most_one(n, v)))
            }
            JobKind::Exists => self.marked(rel, d.rel.plan, keys, on),
            JobKind::In(x) => {
                let value = one_column(&d.rel, "IN")?;
                let (rows, known) = (self.fresh("rows"), self.fresh("values"));
                let counts = LogicalPlan::Aggregate {
                    input: Box::new(d.rel.plan.clone()),
                    keys,
                    aggs: vec![
                        (rows.clone(), call(AggFunc::Count, None)),
                        (known.clone(), call(AggFunc::Count, Some(value.clone()))),
                    ],
                };
                let rel = beside(rel, counts, JoinKind::Left, on)?;
                let (mut keys, mut on) = d.grouped(self);
                let key = self.fresh("key");
                on.push((x.clone(), Expr::column(&key)));
                keys.push((key, value_beside(value, &d.rel.plan, x, &rel)?));
                let (rel, found) = self.marked(rel, d.rel.plan, keys, on)?;
                Ok((
                    rel,
                    super::subquery::is_among(x, zero_for_null(&rows), zero_for_null(&known), found),
                ))
            }
            JobKind::InRow(_) => Err(unsupported(ROW_ELSEWHERE).help(ROW_HELP)),
            JobKind::Compare { x, op, all } => {
                let value = one_column(&d.rel, "ANY and ALL")?;
                let value = compared_beside(value, &d.rel.plan, (x, *op), &rel)?;
                Found::new(self).beside(rel, d.rel.plan, keys, on, &value, (x, *op, *all))
            }
        }
    }

    /// The rows for which a subquery says true, or with `negated` false, when the simpler ways end in `first`.
    pub(super) fn keep_apart(
        &mut self,
        rel: Rel,
        job: &Job,
        negated: bool,
        around: &Scope,
        first: Error,
    ) -> Result<Rel> {
        let kind = match negated {
            true => JoinKind::Anti,
            false => JoinKind::Semi,
        };
        let is_in = matches!(job.kind, JobKind::In(_) | JobKind::InRow(_));
        let simple = matches!(job.kind, JobKind::Exists) || (!negated && is_in);
        if !simple {
            let (rel, value) = self.value_apart(rel, job, around, first)?;
            let value = match negated {
                true => Expr::unary(UnaryOp::Not, value),
                false => value,
            };
            return filtered(rel, value);
        }
        let d = match self.dependent(&rel, &job.query, around) {
            Ok(d) => d,
            Err(e) => return Err(told(first, e)),
        };
        let mut on = d.on;
        if let JobKind::In(x) = &job.kind {
            on.push((x.clone(), one_column(&d.rel, "IN")?));
        }
        if let JobKind::InRow(row) = &job.kind {
            on.extend(row_pairs(row, &d.rel)?);
        }
        joined(rel, d.rel, kind, on, None)
    }

    /// One row for each value of the domain, of groups without keys of their own: those of no row are
    /// added, where a count is 0.
    pub(super) fn all_of_domain(&mut self, groups: Rel, counts: &[String]) -> Result<Rel> {
        let Some(domain) = self.domain.clone() else {
            return Ok(groups);
        };
        let schema = domain.plan.schema()?;
        let own = groups.plan.schema()?;
        let (mut exprs, mut on) = (Vec::new(), Vec::new());
        for (name, e) in Expr::columns_of(&own) {
            match self.carries(&name) {
                true => {
                    let key = self.fresh(&name);
                    on.extend(same_values(&schema, &name, &key)?);
                    exprs.push((key, e));
                }
                false => exprs.push((name, e)),
            }
        }
        let right = LogicalPlan::Project {
            input: Box::new(groups.plan),
            exprs,
        };
        let sides = Side {
            left: domain.plan,
            right,
            on,
            filter: None,
            asof: None,
        };
        let joined = sides.join(JoinKind::Left);
        let exprs = Expr::columns_of(&own).into_iter().map(|(name, e)| {
            let e = if counts.contains(&name) {
                zero_for_null(&name)
            } else {
                e
            };
            (name, e)
        });
        let plan = LogicalPlan::Project {
            exprs: exprs.collect(),
            input: Box::new(joined),
        };
        plan.schema()?;
        Ok(Rel {
            plan,
            cols: groups.cols,
            order: Vec::new(),
        })
    }

    /// LIMIT and OFFSET for each value of the domain.
    pub(super) fn limit_of_each(&mut self, rel: Rel, skip: u64, take: Option<u64>) -> Result<Rel> {
        let rel = rel.settle();
        let number = self.fresh("row");
        let numbered = WindowCall {
            func: WindowFunc::RowNumber,
            args: Vec::new(),
            filter: None,
            ignore_nulls: false,
            distinct: false,
            partition: self.carried().into_iter().map(|(_, e)| e).collect(),
            order: Vec::new(),
            frame: Default::default(),
        };
        let cols = rel.cols;
        let plan = rel.plan.windows(vec![(number.clone(), numbered)], Vec::new())?;
        let int = |n: u64| Expr::Literal(Scalar::Int(i64::try_from(n).unwrap_or(i64::MAX)));
        let mut parts = vec![Expr::binary(BinaryOp::Gt, Expr::column(&number), int(skip))];
        if let Some(take) = take {
            let last = int(skip.saturating_add(take));
            parts.push(Expr::binary(BinaryOp::LtEq, Expr::column(&number), last));
        }
        let plan = LogicalPlan::Filter {
            input: Box::new(plan),
            predicate: Expr::and(parts),
        };
        let order = Vec::new();
        Ok(Rel { plan, cols, order })
    }

    /// The rows of a table beside each value of the domain.
    pub(super) fn beside_domain(&mut self, rel: Rel) -> Result<Rel> {
        let Some(domain) = self.domain.clone() else {
            return Ok(rel);
        };
        let rel = rel.settle().map(|right| {
            let sides = Side {
                left: domain.plan,
                right: *right,
                on: Vec::new(),
                filter: None,
                asof: None,
            };
            sides.join(JoinKind::Inner)
        });
        rel.plan.schema()?;
        Ok(rel)
    }
}

/// Which aggregates of no row are 0 and not null.
pub(super) fn counts_of(aggs: &[(String, AggCall)]) -> Vec<String> {
    let counts = aggs.iter().filter(|(_, c)| c.func.is_count());
    counts.map(|(n, _)| n.clone()).collect()
}

/// `left IS NOT DISTINCT FROM right` as equalities, which are what joins are found by.
pub(super) fn same_values(
    schema: &arrow::datatypes::Schema,
    left: &str,
    right: &str,
) -> Result<Vec<(Expr, Expr)>> {
    let ty = Expr::column(left).data_type(schema)?;
    let own = types::logical(&ty);
    let carrier = carrier(&own);
    let value = |c: &str| match carrier {
        Some(_) => expr::carried(Expr::column(c)),
        None => Expr::column(c),
    };
    let some = match carrier.clone().unwrap_or(own) {
        DataType::Boolean => Scalar::Bool(false),
        DataType::Int64 => Scalar::Int(0),
        DataType::Float64 => Scalar::Float(0.0),
        DataType::Decimal128(p, s) => Scalar::Decimal(0, p, s),
        DataType::Date32 => Scalar::Date(0),
        DataType::Timestamp(_, zone) => Scalar::Timestamp(0, zone.is_some()),
        DataType::Utf8View => Scalar::Text(String::new()),
        DataType::Null => return Ok(Vec::new()),
        other => {
            let what = format!(
                "a reference to a column of type {} of an outer query",
                types::name(&other)
            );
            return Err(unsupported(&what));
        }
    };
    let known = |c: &str| Expr::Function {
        func: Func::Coalesce,
        args: vec![value(c), Expr::Literal(some.clone())],
    };
    let null = |c: &str| is_null(Expr::column(c), false);
    Ok(vec![(known(left), known(right)), (null(left), null(right))])
}

/// Of the errors of both ways, the one that tells more.
pub(super) fn told(first: Error, second: Error) -> Error {
    match first.what().contains("not supported") {
        true => second,
        false => first,
    }
}
