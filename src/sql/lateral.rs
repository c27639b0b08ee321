//! LATERAL: a subquery in FROM that looks at the tables before it becomes a join.
//!
//! ```text
//!   FROM t, LATERAL (SELECT y + t.x AS z FROM u WHERE u.k = t.k)           t ⋈ u on k, then z
//!   FROM t LEFT JOIN LATERAL (SELECT max(y) AS m FROM u WHERE u.k = t.k)   t ⟕ max(y) of each k
//! ```

use std::collections::HashSet;

use sqlparser::ast::{self, SetExpr};

use super::convert::{First, Names};
use super::dependent::told;
use super::group::{self, Groups};
use super::joins::Side;
use super::scope::{Col, Rel, Scope};
use super::select::{Item, aliases, filtered};
use super::subquery::{On, has_groups, split};
use super::{Planner, unsupported};
use crate::error::Result;
use crate::expr::{AggCall, Expr, Func, JoinKind};
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

impl Planner<'_> {
    /// The rows of `left`, each beside those of `query` for it. With [`JoinKind::Left`] rows without
    /// any stay, with nulls.
    pub(super) fn lateral(
        &mut self,
        left: Rel,
        query: &ast::Query,
        alias: Option<&ast::TableAlias>,
        kind: JoinKind,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let cols = left.cols.clone();
        let around = Scope { cols: &cols, outer };
        let before = self.ctes.len();
        let rows = left.clone();
        let planned = self.apart(|p| match query.body.as_ref() {
            SetExpr::Select(s) => {
                p.with(query, around.levels())?;
                p.lateral_select(left, query, s, kind, &around)
            }
            _ => {
                let rel = p.query(query, &Scope::NOTHING)?;
                beside(left, rel, kind, Vec::new(), None)
            }
        });
        self.ctes.truncate(before);
        let planned = planned.or_else(|first| match self.dependent(&rows, query, &around) {
            Ok(d) => beside(rows, d.rel, kind, d.on, None),
            Err(e) => Err(told(first, e)),
        });
        let (left, right) = planned?;
        let right = Rel {
            plan: left.plan.clone(),
            cols: right,
            order: Vec::new(),
        };
        let right = self.alias(right, alias, None)?;
        for c in &right.cols {
            self.check_alias(std::slice::from_ref(&left), c)?;
        }
        let mut out = left;
        out.cols.extend(right.cols);
        Ok(out)
    }

    fn lateral_select(
        &mut self,
        left: Rel,
        query: &ast::Query,
        s: &ast::Select,
        kind: JoinKind,
        around: &Scope,
    ) -> Result<(Rel, Vec<Col>)> {
        let (inner, outside) = self.rows_of(s, Some(around))?;
        let here_cols = inner.cols.clone();
        let here = Scope {
            cols: &here_cols,
            outer: Some(around),
        };
        let names = aliases(s);
        let names = Names {
            scope: &here,
            aliases: &names,
            first: First::Column,
        };
        let mut jobs = Vec::new();
        let items = self.items(s, names, &mut jobs)?;
        let looks_out = |e: &Expr| e.columns().iter().any(|c| here.is_outer(c));
        if outside.is_empty() && !items.iter().any(|i| looks_out(&i.expr)) {
            let rel = self.finish_select(inner, s, query.order_by.as_ref(), Some(around))?;
            let rel = self.limit(rel, query)?.settle();
            return beside(left, rel, kind, Vec::new(), None);
        }
        let clauses = [
            (!jobs.is_empty(), "a subquery in SELECT"),
            (s.distinct.is_some(), "DISTINCT"),
            (query.limit_clause.is_some() || query.fetch.is_some(), "LIMIT"),
            // whoever takes the first or a list of the rows sees it
            (query.order_by.is_some(), "ORDER BY"),
        ];
        if let Some((_, clause)) = clauses.iter().find(|(there, _)| *there) {
            return Err(unsupported(&format!(
                "{clause} in a LATERAL subquery that looks at the tables before it"
            )));
        }
        let aggregates = items.iter().any(|i| i.expr.has_aggregate());
        let (on, filter) = split(outside, &left, &inner)?;
        if !has_groups(s) && !aggregates {
            return self.lateral_rows(left, inner, items, kind, (on, filter));
        }
        if let Some(f) = filter {
            return Err(unsupported(&format!(
                "groups of rows found by a condition other than equality ({f})"
            )));
        }
        self.lateral_groups(left, inner, s, items, kind, on, names)
    }

    /// Rows of a table for each row: a join, and then the list.
    fn lateral_rows(
        &mut self,
        left: Rel,
        inner: Rel,
        items: Vec<Item>,
        kind: JoinKind,
        (on, filter): On,
    ) -> Result<(Rel, Vec<Col>)> {
        // a constant beside a row without partner must become null
        let mark = self.fresh("found");
        let marked = vec![(mark.clone(), Expr::Literal(Scalar::Bool(true)))];
        let mut inner = inner.settle();
        inner.plan = super::joins::with_columns(inner.plan, marked)?;
        let (rel, _) = beside(left, inner, kind, on, filter)?;
        let mut added = Vec::new();
        let mut cols = Vec::new();
        for i in items {
            let expr = match (&i.expr, kind) {
                (Expr::Column(_), _) | (_, JoinKind::Inner) => i.expr,
                _ => Expr::Case {
                    operand: None,
                    branches: vec![(Expr::column(&mark), i.expr)],
                    otherwise: None,
                },
            };
            cols.push(self.added(i.name, expr, &mut added));
        }
        finished(rel, added, cols)
    }

    /// Groups for each row: those of all rows, by what they are found by, beside it.
    #[expect(clippy::too_many_arguments, reason = "the parts of one SELECT")]
    fn lateral_groups(
        &mut self,
        left: Rel,
        inner: Rel,
        s: &ast::Select,
        items: Vec<Item>,
        kind: JoinKind,
        on: Vec<(Expr, Expr)>,
        names: Names,
    ) -> Result<(Rel, Vec<Col>)> {
        let (found, on) = self.group_keys(on, &left, &inner)?;
        let mut jobs = Vec::new();
        let own = self.keys(s, &items, names, &mut jobs)?;
        let single = own.is_none();
        let own = own.unwrap_or_default();
        let having = s.having.as_ref().map(|h| self.expr(h, names, &mut jobs));
        let having = having.transpose()?;
        if own.sets.is_some() || !jobs.is_empty() || (single && having.is_some()) {
            return Err(unsupported(
                "grouping sets, subqueries, and HAVING without keys in a LATERAL subquery that looks at the tables before it",
            ));
        }
        let mut keys = found;
        keys.extend(self.key_names(own.exprs, &inner));
        let mut groups = Groups::new(keys);
        let mut exprs = Vec::new();
        for i in items {
            exprs.push((i.name, groups.rewrite(self, i.expr)?));
        }
        let having = having.map(|h| groups.rewrite(self, h)).transpose()?;
        let zero: HashSet<String> = (groups.aggs.iter())
            .filter(|(_, a): &&(String, AggCall)| a.func.is_count())
            .map(|(n, _)| n.clone())
            .collect();
        let mut grouped = groups.over(inner)?;
        let stand_ins = HashSet::new();
        for e in exprs.iter().map(|(_, e)| e).chain(&having) {
            group::check(e, &grouped, &stand_ins, names.scope)?;
        }
        grouped.order.clear();
        if let Some(h) = having {
            grouped = filtered(grouped, h)?;
        }
        // an aggregate without keys has a row even of no row
        let kind = if single { JoinKind::Left } else { kind };
        let (rel, _) = beside(left, grouped, kind, on, None)?;
        let (mut added, mut cols) = (Vec::new(), Vec::new());
        for (name, e) in exprs {
            let e = match single {
                true => e.map(&mut |e| {
                    Ok(match &e {
                        Expr::Column(c) if zero.contains(c) => Expr::Function {
                            func: Func::Coalesce,
                            args: vec![e, Expr::Literal(Scalar::Int(0))],
                        },
                        _ => e,
                    })
                })?,
                false => e,
            };
            cols.push(self.added(name, e, &mut added));
        }
        finished(rel, added, cols)
    }

    /// A column of the subquery's list.
    fn added(&mut self, name: String, expr: Expr, added: &mut Vec<(String, Expr)>) -> Col {
        let inner = self.fresh(&name);
        added.push((inner.clone(), expr));
        Col {
            table: None,
            name,
            inner,
            open: true,
        }
    }
}

/// The join, with the names of the left; and the columns of the right.
fn beside(
    left: Rel,
    right: Rel,
    kind: JoinKind,
    on: Vec<(Expr, Expr)>,
    filter: Option<Expr>,
) -> Result<(Rel, Vec<Col>)> {
    let right = right.settle();
    let rel = left.settle().map(|l| {
        let sides = Side {
            left: *l,
            right: right.plan,
            on,
            filter,
            asof: None,
        };
        sides.join(kind)
    });
    rel.plan.schema()?;
    Ok((rel, right.cols))
}

fn finished(rel: Rel, added: Vec<(String, Expr)>, cols: Vec<Col>) -> Result<(Rel, Vec<Col>)> {
    let Rel {
        plan,
        cols: own,
        order,
    } = rel;
    let plan: LogicalPlan = super::joins::with_columns(plan, added)?;
    plan.schema()?;
    Ok((
        Rel {
            plan,
            cols: own,
            order,
        },
        cols,
    ))
}
