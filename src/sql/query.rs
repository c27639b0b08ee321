//! Whole queries: WITH, what SELECTs are put together by, ORDER BY and LIMIT around it.

use sqlparser::ast::{self, LimitClause, SetExpr};

use super::convert::Names;
use super::scope::{Rel, Scope};
use super::{Cte, Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

impl Planner<'_> {
    /// A query; `outer` is what stands around it.
    pub(super) fn query(&mut self, q: &ast::Query, outer: &Scope) -> Result<Rel> {
        let before = self.ctes.len();
        self.with(q, outer.levels())?;
        let rel = self.body(&q.body, q.order_by.as_ref(), outer);
        let rel = rel.and_then(|r| self.limit(r, q));
        self.ctes.truncate(before);
        rel
    }

    /// Remembers the queries of WITH, and refuses clauses that there are not.
    /// `level` says how many queries stand around.
    pub(super) fn with(&mut self, q: &ast::Query, level: usize) -> Result<()> {
        let clauses = [
            (!q.locks.is_empty(), "FOR UPDATE"),
            (q.for_clause.is_some(), "FOR"),
            (q.settings.is_some(), "SETTINGS"),
            (q.format_clause.is_some(), "FORMAT"),
            (!q.pipe_operators.is_empty(), "|>"),
        ];
        if let Some((_, clause)) = clauses.iter().find(|(there, _)| *there) {
            return Err(unsupported(clause));
        }
        let Some(with) = &q.with else { return Ok(()) };
        for cte in &with.cte_tables {
            let sees = self.ctes.len();
            self.ctes.push(Cte {
                name: cte.alias.name.value.clone(),
                columns: cte.alias.columns.iter().map(|c| c.name.value.clone()).collect(),
                query: cte.query.as_ref().clone(),
                sees,
                level,
                recursive: with.recursive && super::recursive::names(&cte.query, &cte.alias.name.value),
                rows: None,
            });
        }
        Ok(())
    }

    pub(super) fn body(
        &mut self,
        body: &SetExpr,
        order: Option<&ast::OrderBy>,
        outer: &Scope,
    ) -> Result<Rel> {
        match body {
            SetExpr::Select(s) => self.select(s, order, Some(outer)),
            SetExpr::Query(q) if order.is_none() => self.query(q, outer),
            SetExpr::Query(q) => {
                let rel = self.query(q, outer)?;
                self.ordered(rel, order)
            }
            SetExpr::SetOperation { .. } => {
                let rel = self.set_operation(body, outer)?;
                self.ordered(rel, order)
            }
            SetExpr::Values(v) => {
                let rel = self.values(v, outer)?;
                self.ordered(rel, order)
            }
            other => Err(unsupported(&format!("{other}"))),
        }
    }

    /// ORDER BY over columns that are there already.
    fn ordered(&mut self, rel: Rel, order: Option<&ast::OrderBy>) -> Result<Rel> {
        let Some(order) = order else { return Ok(rel) };
        let cols = rel.cols.clone();
        let here = Scope {
            cols: &cols,
            outer: None,
        };
        let plain = |o: &ast::OrderByOptions, expr| crate::plan::OrderBy {
            expr,
            descending: matches!(o.sort, Some(ast::OrderBySort::Desc)),
            nulls_first: o.nulls_first == Some(true),
        };
        let mut keys = Vec::new();
        match &order.kind {
            ast::OrderByKind::All(o) => keys.extend(cols.iter().map(|c| plain(o, Expr::column(&c.inner)))),
            ast::OrderByKind::Expressions(list) => {
                for k in list {
                    let expr = match super::select::ordinal(&k.expr, cols.len(), "ORDER BY")? {
                        Some(i) => Expr::column(&cols[i].inner),
                        None => self.plain_expr(&k.expr, Names::of(&here), "ORDER BY")?,
                    };
                    if expr.has_aggregate() {
                        return Err(Error::query(
                            "an aggregate in ORDER BY of rows that are no groups",
                        ));
                    }
                    keys.push(plain(&k.options, expr));
                }
            }
        }
        let mut rel = rel;
        keys.append(&mut rel.order);
        rel.order = keys;
        let rel = rel.settle();
        rel.plan.schema()?;
        Ok(rel)
    }

    /// LIMIT, OFFSET and FETCH.
    pub(super) fn limit(&mut self, rel: Rel, q: &ast::Query) -> Result<Rel> {
        let (mut take, mut skip) = (None, 0);
        match &q.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            }) => {
                if !limit_by.is_empty() {
                    return Err(unsupported("LIMIT … BY"));
                }
                if let Some(e) = limit {
                    take = self.count(e, "LIMIT")?;
                }
                if let Some(o) = offset {
                    skip = self.count(&o.value, "OFFSET")?.unwrap_or(0);
                }
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                skip = self.count(offset, "OFFSET")?.unwrap_or(0);
                take = self.count(limit, "LIMIT")?;
            }
        }
        if let Some(f) = &q.fetch {
            if f.with_ties || f.percent || take.is_some() {
                return Err(unsupported("FETCH … WITH TIES and PERCENT"));
            }
            take = match &f.quantity {
                Some(e) => self.count(e, "FETCH")?,
                None => Some(1),
            };
        }
        if take.is_none() && skip == 0 {
            return Ok(rel);
        }
        if self.domain.is_some() {
            return self.limit_of_each(rel, skip, take);
        }
        Ok(rel.settle().map(|input| LogicalPlan::Limit { input, skip, take }))
    }

    /// A number of rows; none for NULL, which is no limit.
    fn count(&mut self, e: &ast::Expr, clause: &str) -> Result<Option<u64>> {
        let typed = e;
        let e = self.plain_expr(e, Names::of(&Scope::NOTHING), clause);
        let e = e.map_err(|e| self.near(e, typed))?;
        match super::table::constant(&e)? {
            Scalar::Null => Ok(None),
            Scalar::Int(n) if n >= 0 => Ok(Some(n as u64)),
            _ => {
                let e = Error::query(format!("{clause} {e} is no number of rows"));
                Err(self.near(e.help("it takes a whole number that is not negative"), typed))
            }
        }
    }
}
