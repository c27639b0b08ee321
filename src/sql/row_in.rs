//! `(a, b) IN (SELECT …)` beside OR or in SELECT: whether a row is among others, as a value.
//!
//! ```text
//!   true     t ⟕ u on a = x, b = y                     found by hash
//!   false    the different (a, b) that are surely none of u, beside the rows that have them
//!   null     neither: a null may stand for anything
//! ```

use super::Planner;
use super::dependent::same_values;
use super::not_in::surely_not_in;
use super::scope::Rel;
use super::subquery::{row_pairs, value_beside};
use crate::error::Result;
use crate::expr::Expr;
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

impl Planner<'_> {
    /// `(a, b) IN (SELECT …)` as true, false or null.
    pub(super) fn row_membership(&mut self, rel: Rel, row: &[Expr], inner: Rel) -> Result<(Rel, Expr)> {
        let pairs = row_pairs(row, &inner)?;
        // the row in columns of their own, and each different one once
        let names: Vec<String> = row.iter().map(|_| self.fresh("value")).collect();
        let own = || names.iter().cloned().zip(row.iter().cloned());
        let rows = rel.clone().map(|input| LogicalPlan::Aggregate {
            input,
            keys: own().collect(),
            aggs: Vec::new(),
        });
        let values = names.iter().map(Expr::column);
        let beside = values.zip(pairs.iter().map(|p| p.1.clone()));
        let none = surely_not_in(rows, inner.clone(), beside.collect())?;
        let mut exprs = Expr::columns_of(&*rel.plan.schema()?);
        exprs.extend(own());
        let rel = rel.map(|input| LogicalPlan::Project { input, exprs });

        let (mut keys, mut on) = (Vec::new(), Vec::new());
        for (name, (_, value)) in names.iter().zip(pairs) {
            let (x, key) = (Expr::column(name), self.fresh("key"));
            keys.push((key.clone(), value_beside(value, &inner.plan, &x, &rel)?));
            on.push((x, Expr::Column(key)));
        }
        let (rel, found) = self.marked(rel, inner.plan, keys, on)?;
        let (mut keys, mut on) = (Vec::new(), Vec::new());
        let schema = rel.plan.schema()?;
        for name in &names {
            let key = self.fresh("key");
            on.extend(same_values(&schema, name, &key)?);
            keys.push((key, Expr::column(name)));
        }
        let (rel, differs) = self.marked(rel, none.plan, keys, on)?;
        let truth = |b| Expr::Literal(Scalar::Bool(b));
        let is = Expr::Case {
            operand: None,
            branches: vec![(found, truth(true)), (differs, truth(false))],
            otherwise: None,
        };
        Ok((rel, is))
    }
}
