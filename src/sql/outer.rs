//! An aggregate in a subquery that looks only at columns of the query around it is an aggregate of that query.
//!
//! ```text
//!   SELECT (SELECT sum(o.i) FROM n LIMIT 1) FROM o          sum(o.i) of all rows of o, once
//!   … HAVING EXISTS (SELECT 1 FROM s WHERE s.k = max(o.k))  max(o.k) of each group of o
//! ```
//!
//! Such calls are taken out of the subquery's text before the groups of the query around are made; names of a
//! table that nobody can type stand in for them.

use sqlparser::ast::{self, Expr as S, Ident, SelectItem, SetExpr, TableFactor};

use super::Planner;
use super::convert::{Job, Names};
use super::scope::{Col, Rel, Scope};
use super::table::stem;
use crate::error::Result;
use crate::expr::{self, Expr};
use crate::plan::LogicalPlan;

/// The table whose columns stand in for aggregates of the query around.
pub(super) const TABLE: &str = "\u{2}around";

impl Planner<'_> {
    /// Converts what may hold aggregates that subqueries ask for.
    pub(super) fn lifting<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.with_lifts(Lifts::Taken, f)
    }

    fn with_lifts<T>(&mut self, lifts: Lifts, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let around = std::mem::replace(&mut self.lifts, lifts);
        let done = f(self);
        self.lifts = around;
        done
    }

    /// The aggregates in a subquery that are those of the query around it, whose names these are; their stand-ins
    /// take their places.
    pub(super) fn lifted(&mut self, query: &mut ast::Query, names: Names) -> Vec<(String, S)> {
        if self.lifts == Lifts::Left {
            return Vec::new();
        }
        let mut lift = Lift {
            planner: self,
            scope: names.scope,
            around: Vec::new(),
            found: Vec::new(),
        };
        lift.query(query);
        lift.found
    }
}

impl Planner<'_> {
    /// The aggregates that subqueries ask for, by the names that they have there.
    pub(super) fn asked_for(&mut self, jobs: &[Job], names: Names) -> Result<Vec<(String, Expr)>> {
        let mut out = Vec::new();
        for (name, call) in jobs.iter().flat_map(|j| &j.aggs) {
            out.push((
                name.clone(),
                self.plain_expr(call, names, "an aggregate of another query")?,
            ));
        }
        Ok(out)
    }

    /// Adds them to the groups, as columns that subqueries find.
    pub(super) fn add_asked(&mut self, rel: &mut Rel, asked: Vec<(String, Expr)>) -> Result<()> {
        if asked.is_empty() {
            return Ok(());
        }
        let mut exprs = Vec::with_capacity(asked.len());
        for (name, e) in asked {
            let inner = self.fresh(&name);
            exprs.push((inner.clone(), e));
            rel.cols.push(Col {
                table: Some(TABLE.to_string()),
                name,
                inner,
                open: false,
            });
        }
        let plan = std::mem::replace(&mut rel.plan, LogicalPlan::Union { inputs: Vec::new() });
        rel.plan = super::joins::with_columns(plan, exprs)?;
        Ok(())
    }
}

/// Whether aggregates of a query may stand in its subqueries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Lifts {
    /// In WHERE and ON there are none.
    #[default]
    Left,
    Taken,
}

struct Lift<'a, 'p> {
    planner: &'a mut Planner<'p>,
    scope: &'a Scope<'a>,
    /// The FROM clauses between the query and where the walk is, inner ones last.
    around: Vec<From>,
    found: Vec<(String, S)>,
}

/// What can be named of a FROM clause.
struct From {
    tables: Vec<String>,
    items: Vec<ast::TableWithJoins>,
}

impl Lift<'_, '_> {
    fn query(&mut self, q: &mut ast::Query) {
        let order = q.order_by.as_mut();
        self.body(&mut q.body, order);
    }

    fn body(&mut self, body: &mut SetExpr, order: Option<&mut ast::OrderBy>) {
        match body {
            SetExpr::Select(s) => {
                self.around.push(From {
                    tables: tables(&s.from),
                    items: s.from.clone(),
                });
                for item in &mut s.projection {
                    if let SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } = item {
                        self.expr(e);
                    }
                }
                let conditions = [&mut s.selection, &mut s.having, &mut s.qualify];
                conditions.into_iter().flatten().for_each(|e| self.expr(e));
                if let Some(ast::OrderByKind::Expressions(keys)) = order.map(|o| &mut o.kind) {
                    keys.iter_mut().for_each(|k| self.expr(&mut k.expr));
                }
                self.around.pop();
            }
            SetExpr::Query(q) => self.query(q),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left, None);
                self.body(right, None);
            }
            _ => {}
        }
    }

    fn expr(&mut self, e: &mut S) {
        match e {
            S::Function(f) if is_aggregate(f) && self.is_of_outside(e) => self.lift(e),
            S::Subquery(q) => self.query(q),
            S::Exists { subquery, .. } => self.query(subquery),
            S::InSubquery { expr, subquery, .. } => {
                self.expr(expr);
                self.query(subquery);
            }
            e => parts(e).into_iter().for_each(|e| self.expr(e)),
        }
    }

    fn lift(&mut self, e: &mut S) {
        let name = self.planner.fresh("aggregate");
        let span = ast::Spanned::span(e);
        let ident = |value: &str| Ident {
            value: value.to_string(),
            quote_style: None,
            span,
        };
        let stand_in = S::CompoundIdentifier(vec![ident(TABLE), ident(&name)]);
        self.found.push((name, std::mem::replace(e, stand_in)));
    }

    /// Whether the columns in it, of which there are some, are all of the query around.
    fn is_of_outside(&mut self, call: &S) -> bool {
        let (mut todo, mut any) = (vec![call.clone()], false);
        while let Some(mut e) = todo.pop() {
            let outside = match &e {
                S::Identifier(name) => Some(self.outside(std::slice::from_ref(name))),
                S::CompoundIdentifier(names) => Some(self.outside(names)),
                S::Subquery(_) | S::Exists { .. } | S::InSubquery { .. } => Some(false),
                _ => None,
            };
            match outside {
                Some(false) => return false,
                Some(true) => any = true,
                None => todo.extend(parts(&mut e).into_iter().map(|e| e.clone())),
            }
        }
        any
    }

    fn outside(&mut self, name: &[Ident]) -> bool {
        if !matches!(self.scope.find(name), Ok(Some(c)) if self.scope.cols.iter().any(|o| o.inner == c.inner))
        {
            return false;
        }
        match name {
            [.., table, _] => {
                let same = |t: &String| t.eq_ignore_ascii_case(&table.value);
                !self.around.iter().any(|f| f.tables.iter().any(same))
            }
            [name] => match self.around.as_slice() {
                [one] => {
                    let (items, scope) = (one.items.clone(), self.scope);
                    let known = self.planner.with_lifts(Lifts::Left, |p| {
                        let deferred = std::mem::take(&mut p.deferred);
                        let rels = p.apart(|p| p.from(&items, Some(scope)));
                        p.deferred = deferred;
                        rels
                    });
                    let has = |r: &Rel| {
                        r.cols
                            .iter()
                            .any(|c| c.open && c.name.eq_ignore_ascii_case(&name.value))
                    };
                    known.is_ok_and(|rels| !rels.iter().any(has))
                }
                // further in, only names with their table are looked for
                _ => false,
            },
            [] => false,
        }
    }
}

fn is_aggregate(f: &ast::Function) -> bool {
    f.over.is_none() && expr::is_aggregate(&f.name.to_string())
}

/// What the tables of a FROM clause are called.
fn tables(from: &[ast::TableWithJoins]) -> Vec<String> {
    let factors = from
        .iter()
        .flat_map(|t| std::iter::once(&t.relation).chain(t.joins.iter().map(|j| &j.relation)));
    factors.flat_map(called).collect()
}

fn called(t: &TableFactor) -> Vec<String> {
    let alias = |a: &Option<ast::TableAlias>| a.as_ref().map(|a| a.name.value.clone());
    match t {
        TableFactor::Table { name, alias: a, .. } => {
            let own = name.0.last().and_then(|p| p.as_ident());
            let own = own.map(|i| [i.value.clone(), stem(&i.value)]);
            match alias(a) {
                Some(alias) => vec![alias],
                None => own.into_iter().flatten().collect(),
            }
        }
        TableFactor::Derived { alias: a, .. } | TableFactor::Function { alias: a, .. } => {
            alias(a).into_iter().collect()
        }
        TableFactor::NestedJoin { table_with_joins, .. } => tables(std::slice::from_ref(table_with_joins)),
        _ => Vec::new(),
    }
}

/// The direct parts of an expression that may hold names or calls.
fn parts(e: &mut S) -> Vec<&mut S> {
    match e {
        S::UnaryOp { expr, .. }
        | S::Nested(expr)
        | S::Cast { expr, .. }
        | S::IsNull(expr)
        | S::IsNotNull(expr)
        | S::IsTrue(expr)
        | S::IsNotTrue(expr)
        | S::IsFalse(expr)
        | S::IsNotFalse(expr)
        | S::Extract { expr, .. }
        | S::Ceil { expr, .. }
        | S::Floor { expr, .. }
        | S::Trim { expr, .. }
        | S::Substring { expr, .. } => vec![expr],
        S::BinaryOp { left, right, .. }
        | S::AnyOp { left, right, .. }
        | S::AllOp { left, right, .. }
        | S::IsDistinctFrom(left, right)
        | S::IsNotDistinctFrom(left, right) => vec![left, right],
        S::Between { expr, low, high, .. } => vec![expr, low, high],
        S::InList { expr, list, .. } => std::iter::once(&mut **expr).chain(list).collect(),
        S::Like { expr, pattern, .. } | S::ILike { expr, pattern, .. } => vec![expr, pattern],
        S::Tuple(list) => list.iter_mut().collect(),
        S::Case {
            operand,
            conditions,
            else_result,
            ..
        } => (operand.iter_mut().map(|e| &mut **e))
            .chain(
                conditions
                    .iter_mut()
                    .flat_map(|w| [&mut w.condition, &mut w.result]),
            )
            .chain(else_result.iter_mut().map(|e| &mut **e))
            .collect(),
        S::Function(f) => {
            let mut out: Vec<&mut S> = f.filter.iter_mut().map(|e| &mut **e).collect();
            if let ast::FunctionArguments::List(list) = &mut f.args {
                for a in &mut list.args {
                    if let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) = a {
                        out.push(e);
                    }
                }
                for clause in &mut list.clauses {
                    if let ast::FunctionArgumentClause::OrderBy(keys) = clause {
                        out.extend(keys.iter_mut().map(|k| &mut k.expr));
                    }
                }
            }
            out
        }
        _ => Vec::new(),
    }
}
