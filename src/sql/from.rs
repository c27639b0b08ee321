//! FROM: tables, subqueries and their joins become one relation.

use sqlparser::ast::{self, Expr as S, Ident, JoinConstraint, JoinOperator, TableAlias, TableFactor};

use super::convert::Names;
use super::correlated::adds_rows;
use super::dependent::{Equalities, Keys};
use super::jobs::together;
use super::joins::{self, Side};
use super::pivot::Pivot;
use super::scope::{Col, Rel, Scope};
use super::{Planner, statement, unsupported};
use crate::error::{Error, Result, no_column};
use crate::expr::{AsOfOp, Expr, Func, JoinKind};
use crate::plan::{AsOf, LogicalPlan, equal_sides, nearest_sides};

/// The kinds of joins that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
}

/// When rows belong together.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// What must be equal.
    pub on: Vec<(Expr, Expr)>,
    /// The rest of it.
    filter: Option<Expr>,
    /// What must be nearest.
    asof: Option<AsOf>,
}

impl Condition {
    /// Equalities, and other parts that must hold as well.
    pub fn of(on: Vec<(Expr, Expr)>, rest: Vec<Expr>) -> Condition {
        Condition {
            on,
            filter: (!rest.is_empty()).then(|| Expr::and(rest)),
            asof: None,
        }
    }
}

const ASOF_HELP: &str = "it takes equalities and one inequality: ON t.sym = q.sym AND t.ts >= q.ts";

impl Planner<'_> {
    /// The items of FROM, each with its joins; a row without columns where there are none.
    pub(super) fn from(&mut self, from: &[ast::TableWithJoins], outer: Option<&Scope>) -> Result<Vec<Rel>> {
        let mut items: Vec<Rel> = self.domain_rel().into_iter().collect();
        if from.is_empty() && items.is_empty() {
            items.push(self.one_row()?);
        }
        for item in from {
            let looks_back = matches!(
                &item.relation,
                TableFactor::Derived {
                    lateral: true,
                    sample: None,
                    ..
                }
            );
            let first = match looks_back {
                true => None,
                false => match self.joined(item, outer) {
                    Ok(rel) => {
                        for c in &rel.cols {
                            self.check_alias(&items, c)?;
                        }
                        items.push(rel);
                        continue;
                    }
                    // a subquery may look at the tables before it without saying so
                    Err(e) if items.is_empty() => return Err(e),
                    Err(e) => Some(e),
                },
            };
            let beside = self.joined_beside(std::mem::take(&mut items), item, outer);
            items.push(beside.map_err(|e| first.unwrap_or(e))?);
        }
        Ok(items)
    }

    pub(super) fn check_alias(&self, others: &[Rel], c: &Col) -> Result<()> {
        let taken = |r: &Rel| c.table.is_some() && r.cols.iter().any(|o| o.table == c.table);
        match (others.iter().any(taken), &c.table) {
            (true, Some(t)) => Err(Error::query(format!("two tables in FROM are called \"{t}\""))
                .help(format!("give one another name: … AS {t}2"))),
            _ => Ok(()),
        }
    }

    pub(super) fn joined(&mut self, t: &ast::TableWithJoins, outer: Option<&Scope>) -> Result<Rel> {
        let rel = self.factor(&t.relation, outer)?;
        self.with_joins(rel, &t.joins, outer)
    }

    pub(super) fn with_joins(&mut self, rel: Rel, joins: &[ast::Join], outer: Option<&Scope>) -> Result<Rel> {
        let mut rel = rel;
        let deferred = self.deferred.len();
        for j in joins {
            if adds_rows(j) && self.deferred.len() > deferred {
                let e = unsupported("a reference to an outer query in ON, with an outer join behind it");
                return Err(self.near(e, &j.relation));
            }
            if let TableFactor::Derived {
                lateral: true,
                subquery,
                alias,
                sample: None,
            } = &j.relation
            {
                if statement::is_asof(j) {
                    return Err(unsupported("ASOF JOIN LATERAL"));
                }
                let kind = lateral_kind(&j.join_operator)?;
                rel = self.lateral(rel, subquery, alias.as_ref(), kind, outer)?;
                continue;
            }
            let right = match self.factor(&j.relation, outer) {
                Ok(right) => right,
                Err(e) => self.correlated_factor(&rel, &j.relation, outer).map_err(|_| e)?,
            };
            if matches!(joins::constraint(&j.join_operator), Some(JoinConstraint::None)) {
                let e = Error::query("JOIN without ON or USING");
                let e = e.help("write JOIN … ON a.id = b.id, or CROSS JOIN");
                return Err(self.near(e, &j.relation));
            }
            for c in &right.cols {
                self.check_alias(std::slice::from_ref(&rel), c)?;
            }
            rel = match statement::is_asof(j) {
                true => self.join_asof(rel, right, &j.join_operator)?,
                false => self.join(rel, right, &j.join_operator, outer)?,
            };
        }
        Ok(rel)
    }

    pub(super) fn factor(&mut self, t: &TableFactor, outer: Option<&Scope>) -> Result<Rel> {
        match t {
            TableFactor::Table {
                name,
                alias,
                args,
                sample,
                version: None,
                json_path: None,
                with_ordinality: false,
                ..
            } => {
                let (rel, own) = match (args, self.cte(name)?) {
                    (Some(a), _) => self.table_function(name, &a.args)?,
                    (None, Some(found)) => found,
                    (None, None) => match self.view(name)? {
                        Some(found) => found,
                        None => self.file(name)?,
                    },
                };
                let rel = match sample {
                    Some(sample) => self.sampled(rel, sample).map_err(|e| self.near(e, name))?,
                    None => rel,
                };
                self.alias(rel, alias.as_ref(), Some(own))
            }
            TableFactor::Function {
                name,
                args,
                alias,
                lateral: false,
                ..
            } => {
                let (rel, own) = self.table_function(name, args)?;
                self.alias(rel, alias.as_ref(), Some(own))
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample,
            } => {
                // what stands around is not seen from here: that would be LATERAL
                let rel = self.apart(|p| p.query(subquery, &Scope::NOTHING))?;
                let rel = match sample {
                    Some(sample) => self.sampled(rel, sample).map_err(|e| self.near(e, t))?,
                    None => rel,
                };
                self.alias(rel, alias.as_ref(), None)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.joined(table_with_joins, outer),
            TableFactor::Derived { lateral: true, .. } => Err(unsupported("LATERAL")),
            TableFactor::Pivot {
                table,
                aggregate_functions,
                value_column,
                value_source,
                default_on_null: None,
                alias,
            } => {
                let rel = self.factor(table, outer)?;
                let pivot = Pivot {
                    aggregates: aggregate_functions,
                    on: value_column,
                    values: value_source,
                    alias: alias.as_ref(),
                };
                self.pivoted(rel, &pivot).map_err(|e| self.near(e, t))
            }
            TableFactor::Unpivot {
                table,
                value,
                null_inclusion,
                name,
                columns,
                alias,
            } => {
                let rel = self.factor(table, outer)?;
                let rel = self.unpivoted(rel, (value, name), columns, null_inclusion.as_ref());
                let rel = rel.map_err(|e| self.near(e, t))?;
                self.alias(rel, alias.as_ref(), None)
            }
            TableFactor::UNNEST { .. } => Err(unsupported("UNNEST")),
            other => Err(unsupported(&format!("{other} in FROM"))),
        }
    }

    /// A query of WITH by that name, planned anew for each use.
    fn cte(&mut self, name: &ast::ObjectName) -> Result<Option<(Rel, String)>> {
        let [part] = name.0.as_slice() else {
            return Ok(None);
        };
        let Some(ident) = part.as_ident().filter(|i| i.quote_style != Some('\'')) else {
            return Ok(None);
        };
        let same = |c: &super::Cte| c.name.eq_ignore_ascii_case(&ident.value);
        let Some(at) = self.ctes.iter().rposition(same) else {
            return Ok(None);
        };
        let cte = self.ctes[at].clone();
        let found = match (&cte.rows, cte.recursive) {
            (Some(rows), _) => Some(rows.clone()),
            (None, true) => Some(self.recursion(&cte, at)?),
            (None, false) => None,
        };
        if let Some(table) = found {
            let names = table.dataset.schema().fields().iter().map(|f| f.name().clone());
            let names = names.collect();
            let rel = self.fresh_rel(crate::plan::LogicalPlan::scan(table), names);
            return Ok(Some((rel, cte.name)));
        }
        let hidden = self.ctes.split_off(cte.sees);
        let planned = self.apart(|p| p.query(&cte.query, &Scope::NOTHING));
        self.ctes.truncate(cte.sees);
        self.ctes.extend(hidden);
        let mut rel = planned?;
        rename(&mut rel, &cte.name, &cte.columns)?;
        Ok(Some((rel, cte.name)))
    }

    /// A view by that name, planned anew for each use.
    fn view(&mut self, name: &ast::ObjectName) -> Result<Option<(Rel, String)>> {
        /// A view that names itself would go on for ever.
        const MAX_WITHIN: usize = 32;
        let [part] = name.0.as_slice() else {
            return Ok(None);
        };
        let Some(ident) = part.as_ident().filter(|i| i.quote_style != Some('\'')) else {
            return Ok(None);
        };
        let sql = self.sql;
        let same = |v: &&super::View| v.name.eq_ignore_ascii_case(&ident.value);
        let Some(view) = sql.views.iter().find(same) else {
            return Ok(None);
        };
        if self.within == MAX_WITHIN {
            return Err(Error::query(format!(
                "views within views within \"{}\", {MAX_WITHIN} deep: one may name itself",
                view.name
            )));
        }
        // it is of another text, and sees nothing of what stands around
        let text = std::mem::replace(&mut self.text, &view.text);
        let ctes = std::mem::take(&mut self.ctes);
        self.within += 1;
        let planned = self.apart(|p| p.query(view.query.get()?, &Scope::NOTHING));
        let planned = planned.map_err(|e| self.shown(e));
        self.within -= 1;
        self.ctes = ctes;
        self.text = text;
        let mut rel = planned?;
        rename(&mut rel, &view.name, &view.columns)?;
        Ok(Some((rel, view.name.clone())))
    }

    pub(super) fn alias(&mut self, rel: Rel, alias: Option<&TableAlias>, own: Option<String>) -> Result<Rel> {
        let Some(a) = alias else {
            return Ok(match own {
                Some(name) => rel.aliased(&name),
                None => rel,
            });
        };
        let mut rel = rel.aliased(&a.name.value);
        let columns: Vec<String> = a.columns.iter().map(|c| c.name.value.clone()).collect();
        rename(&mut rel, &a.name.value, &columns)?;
        let called = rel.cols.iter().map(|c| (c.inner.clone(), c.name.clone()));
        self.called.extend(called);
        Ok(rel)
    }

    fn join(&mut self, left: Rel, right: Rel, op: &JoinOperator, outer: Option<&Scope>) -> Result<Rel> {
        use JoinOperator as J;
        let (how, constraint) = match op {
            J::Join(c) | J::Inner(c) => (How::Inner, c),
            J::CrossJoin(c) => {
                if !matches!(c, JoinConstraint::None) {
                    return Err(Error::query("CROSS JOIN has no condition").help("write JOIN … ON"));
                }
                return self.pair(left, right, How::Inner, Condition::default());
            }
            J::Left(c) | J::LeftOuter(c) => (How::Left, c),
            J::Right(c) | J::RightOuter(c) => (How::Right, c),
            J::FullOuter(c) => (How::Full, c),
            J::Semi(c) | J::LeftSemi(c) => (How::Semi, c),
            J::Anti(c) | J::LeftAnti(c) => (How::Anti, c),
            J::AsOf { .. } => return Err(unsupported("MATCH_CONDITION")),
            J::CrossApply | J::OuterApply => return Err(unsupported("APPLY")),
            J::RightSemi(c) => return self.join(right, left, &J::Semi(c.clone()), outer),
            J::RightAnti(c) => return self.join(right, left, &J::Anti(c.clone()), outer),
            _ => return Err(unsupported("that kind of join")),
        };
        match constraint {
            JoinConstraint::On(e) => self.join_on(left, right, how, e, outer),
            JoinConstraint::Using(names) => {
                let idents: Vec<Ident> = (names.iter())
                    .filter_map(|n| n.0.last().and_then(|p| p.as_ident()).cloned())
                    .collect();
                self.join_using(left, right, (how, false), &idents)
            }
            JoinConstraint::Natural => {
                let common: Vec<Ident> = (left.cols.iter().filter(|c| c.open))
                    .filter(|l| right.cols.iter().any(|r| r.open && r.name == l.name))
                    .map(|c| Ident::new(c.name.clone()))
                    .collect();
                match common.is_empty() {
                    true => Err(Error::query("NATURAL JOIN of tables without a common column")),
                    false => self.join_using(left, right, (how, false), &common),
                }
            }
            JoinConstraint::None => {
                Err(Error::query("JOIN without ON or USING")
                    .help("write JOIN … ON a.id = b.id, or CROSS JOIN"))
            }
        }
    }

    /// `ASOF JOIN`: equalities and one inequality, of which the nearest right row is taken.
    fn join_asof(&mut self, left: Rel, right: Rel, op: &JoinOperator) -> Result<Rel> {
        use JoinOperator as J;
        let (how, constraint) = match op {
            J::Join(c) | J::Inner(c) => (How::Inner, c),
            J::Left(c) | J::LeftOuter(c) => (How::Left, c),
            _ => {
                return Err(
                    unsupported("that kind of ASOF join").help("there are ASOF JOIN and ASOF LEFT JOIN")
                );
            }
        };
        match constraint {
            JoinConstraint::On(e) => {
                let parts = self.parts_of_on(&left, &right, e)?;
                let (ls, rs) = (left.plan.schema()?, right.plan.schema()?);
                let mut condition = Condition::default();
                for part in parts {
                    match (equal_sides(&part, &ls, &rs)?, nearest_sides(&part, &ls, &rs)?) {
                        (Some(pair), _) => condition.on.push(pair),
                        (_, Some(asof)) if condition.asof.is_none() => condition.asof = Some(asof),
                        _ => {
                            let what = format!("{part} in the condition of an ASOF JOIN");
                            return Err(unsupported(&what).help(ASOF_HELP));
                        }
                    }
                }
                if condition.asof.is_none() {
                    return Err(Error::query("an ASOF JOIN without an inequality").help(ASOF_HELP));
                }
                self.pair(left, right, how, condition)
            }
            JoinConstraint::Using(names) if !names.is_empty() => {
                let idents: Vec<Ident> = (names.iter())
                    .filter_map(|n| n.0.last().and_then(|p| p.as_ident()).cloned())
                    .collect();
                self.join_using(left, right, (how, true), &idents)
            }
            _ => Err(Error::query("ASOF JOIN without ON or USING").help(ASOF_HELP)),
        }
    }

    fn join_on(&mut self, left: Rel, right: Rel, how: How, on: &S, outer: Option<&Scope>) -> Result<Rel> {
        let both: Vec<Col> = left.cols.iter().chain(&right.cols).cloned().collect();
        let scope = Scope { cols: &both, outer };
        let mut jobs = Vec::new();
        let condition = self
            .expr(on, Names::of(&scope), &mut jobs)
            .map_err(|e| self.near(e, on))?;
        if condition.has_aggregate() {
            let e = Error::query("an aggregate in ON").help("aggregate in a subquery first");
            return Err(self.near(e, on));
        }
        let (ls, rs) = (left.plan.schema()?, right.plan.schema()?);
        let (mut keys, mut rest, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for part in joins::conjuncts(condition) {
            let columns = part.columns();
            if jobs.iter().any(|j| columns.contains(&j.stand_in)) {
                asked.push(part);
                continue;
            }
            let at_hand = |c: &String| ls.index_of(c).is_ok();
            if columns.iter().any(|c| scope.is_outer(c) && !at_hand(c)) {
                if how != How::Inner {
                    let e = unsupported("a reference to an outer query in the ON of an outer join");
                    return Err(self.near(e, on));
                }
                self.deferred.push(part);
                continue;
            }
            match equal_sides(&part, &ls, &rs).map_err(|e| self.near(e, on))? {
                Some(pair) => keys.push(pair),
                None => rest.push(part),
            }
        }
        if how == How::Inner {
            let mut rel = self.pair(left, right, how, Condition::of(keys, rest))?;
            for part in together(asked, &jobs) {
                rel = self.filter_by(rel, part, &mut jobs, None)?;
            }
            return Ok(rel);
        }
        // of the side whose rows come only if they match, fewer may be asked
        let mut right = right;
        for part in together(asked, &jobs) {
            let stand_in = |c: &String| jobs.iter().any(|j| j.stand_in == *c);
            let own = |c: &String| rs.index_of(c).is_ok() || stand_in(c);
            let of_right = part.columns().iter().all(own)
                && (jobs.iter())
                    .flat_map(|j| j.kind.compared_with())
                    .all(|x| x.columns().iter().all(|c| rs.index_of(c).is_ok()));
            if !of_right || !matches!(how, How::Left | How::Semi | How::Anti) {
                return Err(unsupported(
                    "a subquery in ON of an outer join, unless it is about the right side alone,",
                )
                .help("join with a subquery that has it in its WHERE"));
            }
            right = self.filter_by(right, part, &mut jobs, None)?;
        }
        self.pair(left, right, how, Condition::of(keys, rest))
    }

    /// The parts of the condition of an asof join, all of which must hold.
    fn parts_of_on(&mut self, left: &Rel, right: &Rel, on: &S) -> Result<Vec<Expr>> {
        let both: Vec<Col> = left.cols.iter().chain(&right.cols).cloned().collect();
        let scope = Scope {
            cols: &both,
            outer: None,
        };
        let condition = self.plain_expr(on, Names::of(&scope), "the ON of an ASOF JOIN")?;
        if condition.has_aggregate() {
            return Err(Error::query("an aggregate in ON").help("aggregate in a subquery first"));
        }
        Ok(condition.conjuncts())
    }

    /// Columns of one name are one; of an asof join the last stands for `>=`.
    fn join_using(
        &mut self,
        mut left: Rel,
        mut right: Rel,
        (how, is_asof): (How, bool),
        names: &[Ident],
    ) -> Result<Rel> {
        let mut keys = Vec::new();
        let mut merged = Vec::new();
        for name in names {
            let find = |rel: &Rel| -> Result<Col> {
                let scope = Scope {
                    cols: &rel.cols,
                    outer: None,
                };
                let missing = || no_column(&name.value, rel.cols.iter().map(|c| c.name.as_str()));
                let found = scope.find(std::slice::from_ref(name));
                found
                    .and_then(|c| c.cloned().ok_or_else(missing))
                    .map_err(|e| self.at(e, name))
            };
            let (l, r) = (find(&left)?, find(&right)?);
            keys.push((Expr::column(&l.inner), Expr::column(&r.inner)));
            merged.push((l, r));
        }
        for (l, r) in &merged {
            let Some(at) = left.cols.iter().position(|c| c.inner == l.inner && c.open) else {
                continue;
            };
            right
                .cols
                .iter_mut()
                .filter(|c| c.inner == r.inner)
                .for_each(|c| c.open = false);
            if matches!(how, How::Right | How::Full) {
                let inner = match how {
                    How::Right => r.inner.clone(),
                    _ => self.fresh(&l.name),
                };
                left.cols[at].open = false;
                left.cols.insert(
                    at,
                    Col {
                        table: None,
                        name: l.name.clone(),
                        inner,
                        open: true,
                    },
                );
            }
        }
        let added: Vec<(String, Expr)> = match how {
            How::Full => (merged.iter())
                .map(|(l, r)| {
                    let same = |c: &&Col| c.table.is_none() && c.open && c.name == l.name;
                    let new = left
                        .cols
                        .iter()
                        .find(same)
                        .map_or(l.inner.clone(), |c| c.inner.clone());
                    let args = vec![Expr::column(&l.inner), Expr::column(&r.inner)];
                    (
                        new,
                        Expr::Function {
                            func: Func::Coalesce,
                            args,
                        },
                    )
                })
                .collect(),
            _ => Vec::new(),
        };
        let nearest = match is_asof {
            true => keys.pop(),
            false => None,
        };
        let op = AsOfOp::Ge;
        let condition = Condition {
            on: keys,
            filter: None,
            asof: nearest.map(|(left, right)| AsOf { left, right, op }),
        };
        let mut rel = self.pair(left, right, how, condition)?;
        if !added.is_empty() {
            rel.plan = joins::with_columns(rel.plan, added)?;
        }
        Ok(rel)
    }

    /// The join of two relations. What it adds to the left it adds for each value of the domain that the left
    /// carries, if it does.
    pub(super) fn pair(&mut self, left: Rel, right: Rel, how: How, condition: Condition) -> Result<Rel> {
        let theirs = right.plan.schema()?;
        let there = |(again, _): &(Keys, Equalities)| again.iter().all(|(c, _)| theirs.index_of(c).is_ok());
        let tied = self.tied.iter().find(|t| there(t)).cloned();
        let adds = matches!(how, How::Right | How::Full);
        match tied {
            Some(tied) => self.pair_of_each(left, right, how, condition, tied),
            None if adds && self.holds_domain(&left)? => {
                let (right, tied) = self.beside_domain_again(right)?;
                self.pair_of_each(left, right, how, condition, tied)
            }
            None => self.pair_at_once(left, right, how, condition),
        }
    }

    pub(super) fn pair_at_once(
        &mut self,
        left: Rel,
        right: Rel,
        how: How,
        condition: Condition,
    ) -> Result<Rel> {
        let yields_right = !matches!(how, How::Semi | How::Anti);
        let (left, right) = (left.settle(), if yields_right { right.settle() } else { right });
        let mut cols = left.cols;
        if yields_right {
            cols.extend(right.cols);
        }
        let Condition { on, filter, asof } = condition;
        let sides = Side {
            left: left.plan,
            right: right.plan,
            on,
            filter,
            asof,
        };
        let plan = match how {
            How::Inner => sides.join(JoinKind::Inner),
            How::Left => sides.join(JoinKind::Left),
            How::Semi => sides.join(JoinKind::Semi),
            How::Anti => sides.join(JoinKind::Anti),
            How::Right => sides.flipped().join(JoinKind::Left),
            How::Full => LogicalPlan::full_join(sides.left, sides.right, sides.on, sides.filter)?,
        };
        plan.schema()?;
        Ok(Rel {
            plan,
            cols,
            order: Vec::new(),
        })
    }
}

/// How a LATERAL subquery is joined: its condition stands within it.
fn lateral_kind(op: &JoinOperator) -> Result<JoinKind> {
    use JoinOperator as J;
    let (kind, constraint) = match op {
        J::CrossJoin(c) | J::Join(c) | J::Inner(c) => (JoinKind::Inner, c),
        J::Left(c) | J::LeftOuter(c) => (JoinKind::Left, c),
        _ => return Err(unsupported("LATERAL in that kind of join").help("JOIN, LEFT JOIN and CROSS JOIN")),
    };
    match constraint {
        JoinConstraint::None => Ok(kind),
        JoinConstraint::On(S::Value(v)) if matches!(v.value, ast::Value::Boolean(true)) => Ok(kind),
        _ => Err(unsupported("a condition beside JOIN LATERAL")
            .help("write ON true, and the condition in the WHERE of the subquery")),
    }
}

/// `t(a, b)`: other names for the first columns.
pub(super) fn rename(rel: &mut Rel, table: &str, columns: &[String]) -> Result<()> {
    if columns.len() > rel.cols.len() {
        let (have, want) = (rel.cols.len(), columns.len());
        return Err(Error::query(format!(
            "\"{table}\" has {have} columns, not {want}"
        )));
    }
    for (c, name) in rel.cols.iter_mut().zip(columns) {
        c.name = name.clone();
    }
    Ok(())
}
