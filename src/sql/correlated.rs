//! FROM that looks at what stands around: at the queries around a subquery, or at tables before an item.
//!
//! ```text
//!   FROM D, (SELECT … WHERE a.i = D.i) x LEFT JOIN y ON …     D ⋈ x, then its joins
//!   FROM D, (SELECT … WHERE a.i = D.i) x RIGHT JOIN y ON …    D ⋈ x on one side, D × y on the other: rows of y
//!                                                             that match nothing come once for each value of D
//! ```
//!
//! D is the domain of a subquery ([`super::dependent`]). An item behind other tables whose joins add rows is planned
//! over a domain of its own.

use sqlparser::ast::{self, Ident, JoinOperator, TableAlias, TableFactor};

use super::dependent::{Equalities, Keys};
use super::from::{Condition, How, rename};
use super::joins::{self, Side};
use super::scope::{Rel, Scope};
use super::select::filtered;
use super::{Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{Expr, JoinKind};
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

impl Planner<'_> {
    /// The rows of `items`, each beside those of an item of FROM that looks at it.
    pub(super) fn joined_beside(
        &mut self,
        items: Vec<Rel>,
        item: &ast::TableWithJoins,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let over_domain = self.domain.is_some() && items.len() == 1;
        let alone = items.is_empty();
        // what it looks at must be there
        let left = match alone {
            true => self.one_row()?,
            false => joins::connect(items, &mut Vec::new())?,
        };
        if !alone && !over_domain && item.joins.iter().any(adds_rows) {
            return self.item_of_each(left, item, outer);
        }
        let rel = match &item.relation {
            TableFactor::Derived {
                subquery,
                alias,
                sample: None,
                ..
            } => self.lateral(left, subquery, alias.as_ref(), JoinKind::Inner, outer)?,
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } if over_domain => match self.correlated_cte(name, outer) {
                Some(cte) => self.lateral_cte(left, cte, alias.as_ref(), outer)?,
                None => {
                    let right = self.factor(&item.relation, outer)?;
                    self.pair(left, right, How::Inner, Condition::default())?
                }
            },
            other if over_domain => {
                let right = self.factor(other, outer)?;
                self.pair(left, right, How::Inner, Condition::default())?
            }
            _ => return Err(unsupported("a reference to another table of FROM in this place")),
        };
        self.with_joins(rel, &item.joins, outer)
    }

    /// The same where joins add rows that match nothing: they add them for each row of `left`.
    fn item_of_each(&mut self, left: Rel, item: &ast::TableWithJoins, outer: Option<&Scope>) -> Result<Rel> {
        let cols = left.cols.clone();
        let around = Scope { cols: &cols, outer };
        let d = self.dependent_rows(&left, &around, &mut |p| {
            let before = std::mem::take(&mut p.deferred);
            let items = p.from(std::slice::from_ref(item), Some(&around));
            let mut deferred = std::mem::replace(&mut p.deferred, before);
            let rel = joins::connect(items?, &mut deferred)?;
            match deferred.is_empty() {
                true => Ok(rel),
                false => filtered(rel, Expr::and(deferred)),
            }
        })?;
        for c in &d.rel.cols {
            self.check_alias(std::slice::from_ref(&left), c)?;
        }
        self.pair(left, d.rel, How::Inner, Condition::of(d.on, Vec::new()))
    }

    /// A query of WITH by that name that was written at this level, and so may look at what stands around it.
    fn correlated_cte(&self, name: &ast::ObjectName, outer: Option<&Scope>) -> Option<super::Cte> {
        let [part] = name.0.as_slice() else {
            return None;
        };
        let ident = part.as_ident().filter(|i| i.quote_style != Some('\''))?;
        let same = |c: &&super::Cte| c.name.eq_ignore_ascii_case(&ident.value);
        let cte = self.ctes.iter().rev().find(same)?;
        let here = outer.map_or(0, Scope::levels);
        (!cte.recursive && cte.rows.is_none() && cte.level == here).then(|| cte.clone())
    }

    /// The rows of `left`, each beside those of a query of WITH for it.
    fn lateral_cte(
        &mut self,
        left: Rel,
        cte: super::Cte,
        alias: Option<&TableAlias>,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let own = TableAlias {
            explicit: false,
            name: Ident::new(cte.name.clone()),
            columns: Vec::new(),
            at: None,
        };
        let hidden = self.ctes.split_off(cte.sees);
        let before = left.cols.len();
        let planned = self.lateral(left, &cte.query, Some(&own), JoinKind::Inner, outer);
        self.ctes.truncate(cte.sees);
        self.ctes.extend(hidden);
        let mut rel = planned?;
        let mut found = Rel {
            plan: rel.plan.clone(),
            cols: rel.cols.split_off(before),
            order: Vec::new(),
        };
        rename(&mut found, &cte.name, &cte.columns)?;
        let found = self.alias(found, alias, Some(cte.name))?;
        rel.cols.extend(found.cols);
        Ok(rel)
    }

    /// Whether rows carry the values of the domain.
    pub(super) fn holds_domain(&self, rel: &Rel) -> Result<bool> {
        let (own, carried) = (rel.plan.schema()?, self.carried());
        Ok(!carried.is_empty() && carried.iter().all(|(c, _)| own.index_of(c).is_ok()))
    }

    /// The right side of a join that looks at the queries around: its rows for each value of the domain, which
    /// the left carries.
    pub(super) fn correlated_factor(
        &mut self,
        left: &Rel,
        t: &TableFactor,
        outer: Option<&Scope>,
    ) -> Result<Rel> {
        let TableFactor::Derived {
            subquery,
            alias,
            sample: None,
            ..
        } = t
        else {
            return Err(unsupported("a reference to an outer query in this place"));
        };
        let (true, Some(domain)) = (self.holds_domain(left)?, self.domain_rel()) else {
            return Err(unsupported("a reference to an outer query in this place"));
        };
        let around = Scope { cols: &[], outer };
        let d = self.dependent_rows(&domain, &around, &mut |p| p.query(subquery, &around))?;
        let Some((_, again, on)) = self.domain_again()? else {
            return Err(Error::defect("a join over a domain without one"));
        };
        let side = Side {
            left: domain.plan,
            right: d.rel.plan,
            on: d.on,
            filter: None,
            asof: None,
        };
        let own = d
            .rel
            .cols
            .iter()
            .map(|c| (c.inner.clone(), Expr::column(&c.inner)));
        let plan = LogicalPlan::Project {
            exprs: again.iter().cloned().chain(own).collect(),
            input: Box::new(side.join(JoinKind::Inner)),
        };
        plan.schema()?;
        self.tied.push((again, on));
        let rel = Rel { plan, ..d.rel };
        self.alias(rel, alias.as_ref(), None)
    }

    /// Rows beside all values of the domain.
    pub(super) fn beside_domain_again(&mut self, right: Rel) -> Result<(Rel, (Keys, Equalities))> {
        let Some((domain, again, on)) = self.domain_again()? else {
            return Err(Error::defect("a join over a domain without one"));
        };
        let right = right.settle().map(|right| {
            let side = Side {
                left: domain,
                right: *right,
                on: Vec::new(),
                filter: None,
                asof: None,
            };
            side.join(JoinKind::Inner)
        });
        Ok((right, (again, on)))
    }

    /// A join of each value of the domain, which the right has under other names: where only the right is there,
    /// the value is its own.
    pub(super) fn pair_of_each(
        &mut self,
        left: Rel,
        right: Rel,
        how: How,
        mut condition: Condition,
        (again, on): (Keys, Equalities),
    ) -> Result<Rel> {
        condition.on.extend(on);
        if !matches!(how, How::Right | How::Full) {
            return self.pair_at_once(left, right, how, condition);
        }
        let there = self.fresh("right");
        let mark = vec![(there.clone(), Expr::Literal(Scalar::Bool(true)))];
        let right = Rel {
            plan: joins::with_columns(right.plan, mark)?,
            ..right
        };
        let rel = self.pair_at_once(left, right, how, condition)?;
        let schema = rel.plan.schema()?;
        let exprs = Expr::columns_of(&schema).into_iter().map(|(name, e)| {
            let own = again.iter().find(|(_, x)| *x == Expr::column(&name));
            let e = match own {
                Some((other, _)) => Expr::Case {
                    operand: None,
                    branches: vec![(Expr::column(&there), Expr::column(other))],
                    otherwise: Some(Box::new(e)),
                },
                None => e,
            };
            (name, e)
        });
        let exprs = exprs.collect();
        Ok(rel.map(|input| LogicalPlan::Project { input, exprs }))
    }
}

/// Whether a join yields right rows that match nothing.
pub(super) fn adds_rows(j: &ast::Join) -> bool {
    use JoinOperator as J;
    matches!(j.join_operator, J::Right(_) | J::RightOuter(_) | J::FullOuter(_))
}
