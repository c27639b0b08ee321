//! One SELECT: its rows (FROM, WHERE), its groups, its list, its order.
//!
//! ```text
//!   Limit ◄ Project(list) ◄ Sort ◄ Project(list + what ORDER BY needs) ◄ Filter(HAVING) ◄ Aggregate ◄ Filter(WHERE) ◄ FROM
//! ```

use std::collections::{BTreeSet, HashSet};

use sqlparser::ast::{self, Expr as S, GroupByExpr, Ident, OrderByKind, SelectItem, Spanned};

use super::convert::{First, Job, JobKind, Names};
use super::grouping::Keys;
use super::jobs::{needed, substitute, taken, together};
use super::scope::{Col, Rel, Scope};
use super::{Planner, dependent, group, joins, unsupported, window};
use crate::error::{Error, Result};
use crate::expr::{self, Expr, UnaryOp};
use crate::kernel::Scalar;
use crate::plan::{LogicalPlan, OrderBy};

/// One column of the list.
pub(super) struct Item {
    pub name: String,
    pub expr: Expr,
    /// Where it stands in the text.
    pub place: Place,
}

/// A stretch of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(sqlparser::tokenizer::Span);

impl Place {
    const NONE: Place = Place(sqlparser::tokenizer::Span::empty());
}

impl ast::Spanned for Place {
    fn span(&self) -> sqlparser::tokenizer::Span {
        self.0
    }
}

/// What an ORDER BY is made of.
enum By {
    /// A column of the list.
    Item(usize),
    Expr(Expr),
}

impl Planner<'_> {
    /// A SELECT that looks at nothing around it, ordered.
    pub(super) fn select(
        &mut self,
        s: &ast::Select,
        order: Option<&ast::OrderBy>,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let (rel, correlated) = self.rows_of(s, outer)?;
        if let Some(c) = correlated.first() {
            return Err(
                unsupported(&format!("a reference to an outer query in this place ({c})"))
                    .help("it can stand in WHERE of EXISTS, IN and of a subquery that yields one value"),
            );
        }
        self.finish_select(rel, s, order, outer)
    }

    /// FROM and WHERE, and the conditions that look at columns of the queries around.
    pub(super) fn rows_of(&mut self, s: &ast::Select, outer: Option<&Scope>) -> Result<(Rel, Vec<Expr>)> {
        check_clauses(s)?;
        let around = std::mem::take(&mut self.deferred);
        let items = self.from(&s.from, outer);
        let deferred = std::mem::replace(&mut self.deferred, around);
        let items = items?;
        let cols: Vec<Col> = items.iter().flat_map(|r| r.cols.clone()).collect();
        let here = Scope { cols: &cols, outer };
        let (mut jobs, mut plain, mut asked, mut correlated) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        if let Some(w) = &s.selection {
            let aliases = aliases(s);
            let names = Names {
                scope: &here,
                aliases: &aliases,
                first: First::Column,
            };
            let condition = self.expr(w, names, &mut jobs).map_err(|e| self.near(e, w))?;
            window::refuse(&condition, "WHERE").map_err(|e| self.near(e, w))?;
            if condition.has_aggregate() {
                let e = Error::query("an aggregate in WHERE").help("conditions on groups go to HAVING");
                return Err(self.near(e, w));
            }
            for part in joins::conjuncts(condition) {
                let columns = part.columns();
                let outside = columns.iter().any(|c| here.is_outer(c) && !self.carries(c));
                match jobs.iter().any(|j: &Job| columns.contains(&j.stand_in)) {
                    true if outside => {
                        return Err(unsupported("a subquery beside a reference to an outer query"));
                    }
                    true => asked.push(part),
                    false if outside => correlated.push(part),
                    false => plain.push(part),
                }
            }
        }
        for part in deferred {
            let outside = part
                .columns()
                .iter()
                .any(|c| here.is_outer(c) && !self.carries(c));
            if outside { &mut correlated } else { &mut plain }.push(part);
        }
        let mut rel = joins::connect(items, &mut plain)?;
        if !plain.is_empty() {
            rel = filtered(rel, Expr::and(plain)).map_err(|e| self.near_where(e, s))?;
        }
        for part in together(asked, &jobs) {
            let kept = self.filter_by(rel, part, &mut jobs, outer);
            rel = kept.map_err(|e| self.near_where(e, s))?;
        }
        Ok((rel, correlated))
    }

    /// An error of the list: at the item that is at fault as it seems, else at all of it.
    fn near_list(&self, e: Error, s: &ast::Select) -> Error {
        match (s.projection.first(), s.projection.last()) {
            (Some(first), Some(last)) => self.near(e, &Place(first.span().union(&last.span()))),
            _ => e,
        }
    }

    fn near_where(&self, e: Error, s: &ast::Select) -> Error {
        match &s.selection {
            Some(w) => self.near(e, w),
            None => e,
        }
    }

    /// Keeps the rows where a condition with subqueries holds.
    pub(super) fn filter_by(
        &mut self,
        rel: Rel,
        part: Expr,
        jobs: &mut Vec<Job>,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let (stand_in, negated) = match &part {
            Expr::Column(c) => (Some(c), false),
            Expr::Unary {
                op: UnaryOp::Not,
                expr,
            } => match expr.as_ref() {
                Expr::Column(c) => (Some(c), true),
                _ => (None, false),
            },
            _ => (None, false),
        };
        let at = jobs.iter().position(|j| stand_in == Some(&j.stand_in));
        let mine = needed(&part.columns(), jobs);
        if let Some(at) = at.filter(|&i| !matches!(jobs[i].kind, JobKind::Scalar) && mine.len() == 1) {
            let job = jobs.remove(at);
            return self.keep_where(rel, job, negated, outer);
        }
        let mine = taken(mine, jobs);
        let cols = rel.cols.clone();
        let (rel, values) = self.attach(rel, mine, outer)?;
        let mut rel = filtered(rel, substitute(part, &values)?)?;
        rel.cols = cols;
        Ok(rel)
    }

    /// Everything above FROM and WHERE.
    pub(super) fn finish_select(
        &mut self,
        rel: Rel,
        s: &ast::Select,
        order: Option<&ast::OrderBy>,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let around = std::mem::replace(&mut self.windows, s.named_window.clone());
        let done = self.above_rows(rel, s, order, outer);
        self.windows = around;
        done
    }

    fn above_rows(
        &mut self,
        rel: Rel,
        s: &ast::Select,
        order: Option<&ast::OrderBy>,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let cols = rel.cols.clone();
        let here = Scope { cols: &cols, outer };
        let aliases = aliases(s);
        let names = |first| Names {
            scope: &here,
            aliases: &aliases,
            first,
        };
        let mut jobs = Vec::new();
        let mut items = self.lifting(|p| p.items(s, names(First::Column), &mut jobs))?;
        let found = self.keys(s, &items, names(First::Column), &mut jobs)?;
        let (mut keys, sets) = found.map_or((None, None), |k| (Some(k.exprs), k.sets));
        if sets.is_some() && self.domain.is_some() {
            return Err(unsupported(
                "grouping sets in a subquery that refers to an outer query",
            ));
        }
        let single = keys.is_none();
        let mut having = match &s.having {
            Some(h) => {
                let having = self.lifting(|p| p.expr(h, names(First::Column), &mut jobs));
                Some(having.map_err(|e| self.near(e, h))?)
            }
            None => None,
        };
        having.iter().try_for_each(|h| window::refuse(h, "HAVING"))?;
        let mut qualify = match &s.qualify {
            Some(q) => {
                let qualify = self.lifting(|p| p.expr(q, names(First::Column), &mut jobs));
                Some(qualify.map_err(|e| self.near(e, q))?)
            }
            None => None,
        };
        let (mut by, flags) = self.lifting(|p| p.order(order, &items, names(First::Alias), &mut jobs))?;
        let mut asked = self.asked_for(&jobs, names(First::Column))?;
        if let Some(ast::Distinct::On(keys)) = &s.distinct {
            // behind the keys of the order, as far as there are flags
            for key in keys {
                let key = self.by(key, "DISTINCT ON", &items, names(First::Alias), &mut jobs)?;
                by.push(key);
            }
        }
        let mut early: HashSet<String> = keys.iter().flatten().flat_map(|k| k.columns()).collect();
        let mut exprs: Vec<&mut Expr> = (items.iter_mut().map(|i| &mut i.expr))
            .chain(keys.iter_mut().flatten())
            .chain(&mut having)
            .chain(&mut qualify)
            .chain(by.iter_mut().filter_map(By::expr_mut))
            .collect();
        exprs.iter().for_each(|e| group::inside_aggregates(e, &mut early));
        let mut rel = self.before_groups(rel, &mut jobs, &early, &mut exprs, outer)?;
        let groups = keys.is_some() || having.is_some() || !asked.is_empty() || {
            let mut all = items
                .iter()
                .map(|i| &i.expr)
                .chain(&qualify)
                .chain(by.iter().filter_map(By::expr));
            all.any(Expr::has_aggregate)
        };
        if groups {
            let mut keys = self.key_names(keys.unwrap_or_default(), &rel);
            let mut carried = self.carried();
            carried.retain(|(c, _)| !keys.iter().any(|(k, _)| k == c));
            keys.append(&mut carried);
            let mut g = group::Groups::new(keys);
            g.sets = sets.map(|masks| self.sets(masks, &g.keys));
            let exprs = (items.iter_mut().map(|i| &mut i.expr))
                .chain(&mut having)
                .chain(&mut qualify)
                .chain(by.iter_mut().filter_map(By::expr_mut))
                .chain(jobs.iter_mut().flat_map(|j| j.kind.compared()))
                .chain(asked.iter_mut().map(|(_, e)| e));
            for e in exprs {
                let old = std::mem::replace(e, Expr::Literal(Scalar::Null));
                *e = g.rewrite(self, old)?;
            }
            let counts = dependent::counts_of(&g.aggs);
            rel = g.over(rel).map_err(|e| self.near_list(e, s))?;
            if single {
                rel = self.all_of_domain(rel, &counts)?;
            }
            let stand_ins: HashSet<&str> = jobs.iter().map(|j| j.stand_in.as_str()).collect();
            let all = (items.iter().map(|i| &i.expr))
                .chain(&having)
                .chain(&qualify)
                .chain(by.iter().filter_map(By::expr));
            for e in all {
                group::check(e, &rel, &stand_ins, &here)?;
            }
            self.add_asked(&mut rel, asked)?;
        } else {
            let all = items
                .iter()
                .map(|i| &i.expr)
                .chain(by.iter().filter_map(By::expr));
            self.no_grouping(all)?;
        }
        let (mut rel, values) = self.attach(rel, jobs, outer)?;
        if let Some(h) = having {
            rel = filtered(rel, substitute(h, &values)?)?;
        }
        let mut exprs: Vec<&mut Expr> = (items.iter_mut().map(|i| &mut i.expr))
            .chain(&mut qualify)
            .chain(by.iter_mut().filter_map(By::expr_mut))
            .collect();
        for e in &mut exprs {
            **e = substitute(std::mem::replace(*e, Expr::Literal(Scalar::Null)), &values)?;
        }
        window::check_qualify(s.qualify.is_some(), &exprs)?;
        rel = self.windows_of(rel, exprs)?;
        if let Some(q) = qualify {
            rel = filtered(rel, q)?;
        }
        let distinct = matches!(s.distinct, Some(ast::Distinct::Distinct));
        self.list(rel, items, by, flags, distinct, &here)
    }

    /// Subqueries within aggregates and keys (they are among the columns `inside`) are joined before
    /// the groups are made.
    fn before_groups(
        &mut self,
        rel: Rel,
        jobs: &mut Vec<Job>,
        inside: &HashSet<String>,
        exprs: &mut [&mut Expr],
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let inside: BTreeSet<String> = inside.iter().cloned().collect();
        let early = taken(needed(&inside, jobs), jobs);
        if early.is_empty() {
            return Ok(rel);
        }
        let (rel, values) = self.attach(rel, early, outer)?;
        let late = jobs.iter_mut().flat_map(|j| j.kind.compared());
        for e in exprs.iter_mut().map(|e| &mut **e).chain(late) {
            *e = substitute(std::mem::replace(e, Expr::Literal(Scalar::Null)), &values)?;
        }
        Ok(rel)
    }

    /// The list as expressions over FROM.
    pub(super) fn items(&mut self, s: &ast::Select, names: Names, jobs: &mut Vec<Job>) -> Result<Vec<Item>> {
        let mut out = Vec::new();
        let from_first = matches!(s.flavor, ast::SelectFlavor::FromFirstNoSelect);
        if from_first && s.projection.is_empty() {
            out.extend(names.scope.cols.iter().filter(|c| c.open).map(column_item));
        }
        for item in &s.projection {
            match item {
                SelectItem::UnnamedExpr(e) => {
                    let name = match e {
                        S::Identifier(i) => i.value.clone(),
                        S::CompoundIdentifier(parts) => {
                            parts.last().map_or(String::new(), |i| i.value.clone())
                        }
                        other => expr::unmarked(other.to_string()),
                    };
                    let copies = self.for_each_column(e, names, jobs);
                    for (column, expr) in copies.map_err(|x| self.near(x, e))? {
                        // as the file spells it, whatever was typed
                        let spelt = match &expr {
                            Expr::Column(c) => {
                                let own = names.scope.cols.iter().find(|o| o.inner == *c);
                                own.map(|o| o.name.clone())
                            }
                            _ => column,
                        };
                        out.push(Item {
                            name: spelt.unwrap_or_else(|| name.clone()),
                            expr,
                            place: Place(item.span()),
                        });
                    }
                }
                SelectItem::ExprWithAlias { expr, alias } => out.push(Item {
                    name: alias.value.clone(),
                    expr: self.expr(expr, names, jobs).map_err(|e| self.near(e, expr))?,
                    place: Place(expr.span()),
                }),
                SelectItem::ExprWithAliases { .. } => {
                    return Err(unsupported("several aliases of one expression"));
                }
                SelectItem::Wildcard(options) => {
                    let cols = names.scope.cols.iter().filter(|c| c.open).cloned().collect();
                    self.star(cols, options, names, jobs, &mut out)?;
                }
                SelectItem::QualifiedWildcard(of, options) => {
                    let ast::SelectItemQualifiedWildcardKind::ObjectName(table) = of else {
                        return Err(unsupported(&format!("{item}")));
                    };
                    let ident = table.0.last().and_then(|p| p.as_ident()).cloned();
                    let ident = ident.ok_or_else(|| unsupported(&format!("{item}")))?;
                    let of =
                        |c: &&Col| (c.table.as_deref()).is_some_and(|t| t.eq_ignore_ascii_case(&ident.value));
                    let cols: Vec<Col> = names.scope.cols.iter().filter(of).cloned().collect();
                    if cols.is_empty() {
                        let e = names.scope.missing(&[ident.clone(), Ident::new("*")]);
                        return Err(self.at(e, &ident));
                    }
                    self.star(cols, options, names, jobs, &mut out)?;
                }
            }
        }
        match out.is_empty() {
            true => {
                Err(Error::query("SELECT of no column").help("SELECT * takes those of all tables in FROM"))
            }
            false => Ok(out),
        }
    }

    fn star(
        &mut self,
        cols: Vec<Col>,
        options: &ast::WildcardAdditionalOptions,
        names: Names,
        jobs: &mut Vec<Job>,
        out: &mut Vec<Item>,
    ) -> Result<()> {
        if options.opt_ilike.is_some() || options.opt_rename.is_some() || options.opt_alias.is_some() {
            return Err(unsupported("ILIKE, RENAME and AS behind *"));
        }
        let left_out: Vec<Ident> = match (&options.opt_exclude, &options.opt_except) {
            (Some(ast::ExcludeSelectItem::Single(n)), _) => idents(std::slice::from_ref(n)),
            (Some(ast::ExcludeSelectItem::Multiple(list)), _) => idents(list),
            (None, Some(e)) => std::iter::once(&e.first_element)
                .chain(&e.additional_elements)
                .cloned()
                .collect(),
            (None, None) => Vec::new(),
        };
        let own = Scope {
            cols: &cols,
            outer: None,
        };
        let known = |i: &Ident| cols.iter().any(|c| c.name.eq_ignore_ascii_case(&i.value));
        if let Some(i) = left_out.iter().find(|i| !known(i)) {
            return Err(self.at(own.missing(std::slice::from_ref(i)), i));
        }
        let mut replaced: Vec<(String, Expr)> = Vec::new();
        for r in options.opt_replace.iter().flat_map(|r| &r.items) {
            if !known(&r.column_name) {
                return Err(self.at(own.missing(std::slice::from_ref(&r.column_name)), &r.column_name));
            }
            replaced.push((r.column_name.value.clone(), self.expr(&r.expr, names, jobs)?));
        }
        for c in &cols {
            if left_out.iter().any(|i| i.value.eq_ignore_ascii_case(&c.name)) {
                continue;
            }
            let other = replaced.iter().find(|(n, _)| n.eq_ignore_ascii_case(&c.name));
            out.push(match other {
                Some((_, e)) => Item {
                    name: c.name.clone(),
                    expr: e.clone(),
                    place: Place::NONE,
                },
                None => column_item(c),
            });
        }
        Ok(())
    }

    /// The keys of GROUP BY; none where there is none.
    pub(super) fn keys(
        &mut self,
        s: &ast::Select,
        items: &[Item],
        names: Names,
        jobs: &mut Vec<Job>,
    ) -> Result<Option<Keys>> {
        let (list, modifiers) = match &s.group_by {
            GroupByExpr::All(m) => (None, m),
            GroupByExpr::Expressions(list, m) => (Some(list), m),
        };
        if !modifiers.is_empty() {
            return Err(
                unsupported("GROUP BY … WITH ROLLUP, CUBE or TOTALS").help("write GROUP BY ROLLUP (…)")
            );
        }
        let Some(list) = list else {
            let plain = items
                .iter()
                .filter(|i| !i.expr.has_aggregate() && i.expr.window().is_none());
            let mut exprs: Vec<Expr> = Vec::new();
            for i in plain {
                if !exprs.contains(&i.expr) {
                    exprs.push(i.expr.clone());
                }
            }
            // constants alone make no groups
            let any = exprs.iter().any(|e| !e.columns().is_empty());
            return Ok(any.then_some(Keys { exprs, sets: None }));
        };
        if list.is_empty() {
            return Ok(None);
        }
        let items: Vec<Expr> = items.iter().map(|i| i.expr.clone()).collect();
        let keys = self.key_sets(list, &items, &mut |p, e| {
            let key = p.expr(e, names, jobs).map_err(|x| p.near(x, e))?;
            window::refuse(&key, "GROUP BY")?;
            Ok(key)
        })?;
        Ok(Some(keys))
    }

    /// A plain column keeps its name as a key, so that subqueries can go on naming it.
    pub(super) fn key_names(&mut self, keys: Vec<Expr>, rel: &Rel) -> Vec<(String, Expr)> {
        let shown = |c: &str| {
            rel.cols
                .iter()
                .find(|o| o.inner == c)
                .map_or(c.to_string(), |o| o.name.clone())
        };
        keys.into_iter()
            .map(|e| match &e {
                Expr::Column(c) => (c.clone(), e),
                other => {
                    let text = other.clone().map(&mut |e| {
                        Ok(match e {
                            Expr::Column(c) => Expr::Column(shown(&c)),
                            e => e,
                        })
                    });
                    let text = text.map_or_else(|_| "key".to_string(), |t| t.to_string());
                    (self.fresh(&text), e)
                }
            })
            .collect()
    }

    fn order(
        &mut self,
        order: Option<&ast::OrderBy>,
        items: &[Item],
        names: Names,
        jobs: &mut Vec<Job>,
    ) -> Result<(Vec<By>, Vec<ast::OrderByOptions>)> {
        let Some(order) = order else {
            return Ok((Vec::new(), Vec::new()));
        };
        if order.interpolate.is_some() {
            return Err(unsupported("INTERPOLATE"));
        }
        let list = match &order.kind {
            OrderByKind::All(options) => {
                let by = (0..items.len()).map(By::Item).collect();
                return Ok((by, vec![options.clone(); items.len()]));
            }
            OrderByKind::Expressions(list) => list,
        };
        let (mut by, mut flags) = (Vec::new(), Vec::new());
        for key in list {
            if key.with_fill.is_some() {
                return Err(unsupported("WITH FILL"));
            }
            flags.push(key.options.clone());
            by.push(self.by(&key.expr, "ORDER BY", items, names, jobs)?);
        }
        Ok((by, flags))
    }

    /// What a key of an order, or of DISTINCT ON, means: a column of the list, or an expression.
    fn by(&mut self, key: &S, clause: &str, items: &[Item], names: Names, jobs: &mut Vec<Job>) -> Result<By> {
        if let Some(i) = ordinal(key, items.len(), clause).map_err(|e| self.near(e, key))? {
            return Ok(By::Item(i));
        }
        if let S::Identifier(name) = key {
            let mut same = (0..items.len()).filter(|&i| items[i].name.eq_ignore_ascii_case(&name.value));
            if let (Some(i), None) = (same.next(), same.next()) {
                return Ok(By::Item(i));
            }
        }
        let e = self.expr(key, names, jobs).map_err(|e| self.near(e, key))?;
        Ok(match items.iter().position(|i| i.expr == e) {
            Some(i) => By::Item(i),
            None => By::Expr(e),
        })
    }

    /// The list computed, made distinct, ordered.
    fn list(
        &mut self,
        rel: Rel,
        items: Vec<Item>,
        by: Vec<By>,
        flags: Vec<ast::OrderByOptions>,
        distinct: bool,
        here: &Scope,
    ) -> Result<Rel> {
        let (mut cols, mut exprs) = (Vec::new(), Vec::new());
        let carried = self.carried();
        let mut used: HashSet<String> = carried.iter().map(|(c, _)| c.clone()).collect();
        let mut by = by;
        let on = by.split_off(flags.len());
        // the first row of each key is the first in sight
        let rel = if on.is_empty() { rel } else { rel.settle() };
        let schema = rel.plan.schema()?;
        for i in items {
            i.expr.data_type(&schema).map_err(|e| self.near(e, &i.place))?;
            if let Some(c) = (i.expr.columns().iter()).find(|c| here.is_outer(c) && !self.carries(c)) {
                return Err(unsupported(&format!(
                    "the outer column {c} in SELECT of a subquery"
                )));
            }
            let inner = match &i.expr {
                Expr::Column(c) if used.insert(c.clone()) => c.clone(),
                _ => self.fresh(&i.name),
            };
            used.insert(inner.clone());
            exprs.push((inner.clone(), i.expr));
            cols.push(Col {
                table: None,
                name: i.name,
                inner,
                open: true,
            });
        }
        exprs.extend(carried.iter().cloned());
        let mut keys: Vec<OrderBy> = Vec::new();
        for (b, o) in by.into_iter().zip(flags) {
            let expr = match b {
                By::Item(i) => Expr::column(&cols[i].inner),
                By::Expr(Expr::Literal(_)) => continue,
                By::Expr(e) if distinct => {
                    return Err(
                        Error::query(format!("ORDER BY {e} is not in the list of SELECT DISTINCT"))
                            .help("add it to the list"),
                    );
                }
                By::Expr(e) => {
                    let name = self.fresh("order");
                    exprs.push((name.clone(), e));
                    Expr::Column(name)
                }
            };
            keys.push(OrderBy {
                expr,
                descending: matches!(o.sort, Some(ast::OrderBySort::Desc)),
                nulls_first: o.nulls_first == Some(true),
            });
        }
        let mut on_columns: Vec<Expr> = Vec::new();
        for b in on {
            on_columns.push(match b {
                By::Item(i) => Expr::column(&cols[i].inner),
                By::Expr(e) => {
                    let name = self.fresh("on");
                    exprs.push((name.clone(), e));
                    Expr::Column(name)
                }
            });
        }
        let mut pending = rel.order;
        if !distinct {
            for k in &pending {
                if let Expr::Column(c) = &k.expr
                    && !exprs.iter().any(|(n, _)| n == c)
                {
                    exprs.push((c.clone(), k.expr.clone()));
                }
            }
        }
        let mut plan = LogicalPlan::Project {
            input: Box::new(rel.plan),
            exprs,
        };
        plan.schema()?;
        if distinct {
            let keys: Vec<_> = cols
                .iter()
                .map(|c| (c.inner.clone(), Expr::column(&c.inner)))
                .chain(carried.iter().cloned())
                .collect();
            pending = cols.iter().map(|c| OrderBy::ascending(&c.inner)).collect();
            plan = LogicalPlan::Aggregate {
                input: Box::new(plan),
                keys,
                aggs: Vec::new(),
            };
        }
        if !on_columns.is_empty() {
            on_columns.extend(carried.into_iter().map(|(_, e)| e));
            (plan, pending) = self.first_of_each(plan, on_columns, &keys)?;
        }
        let mut out = Rel {
            plan,
            cols,
            order: pending,
        };
        if !keys.is_empty() {
            keys.append(&mut out.order);
            out.order = keys;
            out = out.settle();
        }
        Ok(out)
    }
}

impl By {
    fn expr(&self) -> Option<&Expr> {
        match self {
            By::Expr(e) => Some(e),
            By::Item(_) => None,
        }
    }
    fn expr_mut(&mut self) -> Option<&mut Expr> {
        match self {
            By::Expr(e) => Some(e),
            By::Item(_) => None,
        }
    }
}

fn column_item(c: &Col) -> Item {
    Item {
        name: c.name.clone(),
        expr: Expr::column(&c.inner),
        place: Place::NONE,
    }
}

fn idents(names: &[ast::ObjectName]) -> Vec<Ident> {
    let last = |n: &ast::ObjectName| n.0.last().and_then(|p| p.as_ident()).cloned();
    names.iter().filter_map(last).collect()
}

pub(super) fn aliases(s: &ast::Select) -> Vec<(&Ident, &S)> {
    let named = s.projection.iter().filter_map(|i| match i {
        SelectItem::ExprWithAlias { expr, alias } => Some((alias, expr)),
        _ => None,
    });
    named.collect()
}

/// The place in the list that a whole number means.
pub(super) fn ordinal(e: &S, items: usize, clause: &str) -> Result<Option<usize>> {
    let S::Value(v) = e else { return Ok(None) };
    let ast::Value::Number(n, _) = &v.value else {
        return Ok(None);
    };
    match n.parse::<usize>() {
        Ok(i) if (1..=items).contains(&i) => Ok(Some(i - 1)),
        _ => Err(Error::query(format!(
            "{clause} {n}: the list has {items} column{}",
            if items == 1 { "" } else { "s" }
        ))),
    }
}

/// The rows where a condition is true.
pub(super) fn filtered(rel: Rel, predicate: Expr) -> Result<Rel> {
    let rel = rel.map(|input| LogicalPlan::Filter { input, predicate });
    rel.plan.schema()?;
    Ok(rel)
}

/// Clauses that other dialects have and that must not be passed over in silence.
fn check_clauses(s: &ast::Select) -> Result<()> {
    let clauses = [
        (s.top.is_some(), "TOP"),
        (s.into.is_some(), "SELECT INTO"),
        (!s.lateral_views.is_empty(), "LATERAL VIEW"),
        (s.prewhere.is_some(), "PREWHERE"),
        (!s.connect_by.is_empty(), "CONNECT BY"),
        (!s.cluster_by.is_empty(), "CLUSTER BY"),
        (!s.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!s.sort_by.is_empty(), "SORT BY"),
        (s.value_table_mode.is_some(), "SELECT AS VALUE"),
        (s.exclude.is_some(), "EXCLUDE behind the list"),
        (
            s.select_modifiers.as_ref().is_some_and(|m| m.is_any_set()),
            "a modifier of SELECT",
        ),
    ];
    match clauses.iter().find(|(there, _)| *there) {
        Some((_, clause)) => Err(unsupported(clause)),
        None => Ok(()),
    }
}
