//! UNION, INTERSECT, EXCEPT: rows one after the other, and counted where they must be compared.
//!
//! ```text
//!   a INTERSECT b   Filter(left > 0 AND right > 0) ◄ Aggregate(all columns; count left, count right) ◄ Union
//!   a EXCEPT b      Filter(left > 0 AND right = 0)
//! ```
//!
//! Groups treat nulls as equal, which is what set operations ask for and joins cannot give.

use sqlparser::ast::{SetExpr, SetOperator, SetQuantifier};

use super::scope::{Col, Rel, Scope};
use super::{Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{self, AggCall, AggFunc, BinaryOp, Expr, Func};
use crate::kernel::{Scalar, types};
use crate::plan::{LogicalPlan, OrderBy};

impl Planner<'_> {
    /// A tree of set operations, walked down its left side in a loop.
    pub(super) fn set_operation(&mut self, body: &SetExpr, outer: &Scope) -> Result<Rel> {
        let (mut steps, mut leftmost) = (Vec::new(), body);
        while let SetExpr::SetOperation {
            left,
            op,
            set_quantifier,
            right,
        } = leftmost
        {
            steps.push((op, set_quantifier, right));
            leftmost = left;
        }
        let mut rel = self.body(leftmost, None, outer)?;
        for (op, quantifier, right) in steps.into_iter().rev() {
            let typed = right;
            let right = self.body(right, None, outer)?;
            let all = matches!(quantifier, SetQuantifier::All | SetQuantifier::AllByName);
            let by_name = matches!(
                quantifier,
                SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName
            );
            let right = match (op, by_name) {
                (_, false) => right,
                (SetOperator::Union, true) => {
                    let aligned = self.by_name(rel, right);
                    let (l, r) = aligned.map_err(|e| self.near(e, typed.as_ref()))?;
                    rel = l;
                    r
                }
                (op, true) => {
                    let e = unsupported(&format!("{op} BY NAME"))
                        .help("UNION BY NAME matches columns by their names");
                    return Err(self.near(e, typed.as_ref()));
                }
            };
            let united = match (op, all) {
                (SetOperator::Union, true) => self.union_all(rel, right),
                (SetOperator::Union, false) => self.union_all(rel, right).map(|all| self.distinct(all)),
                (SetOperator::Intersect, all) => self.compared(rel, right, BinaryOp::Gt, all),
                (SetOperator::Except | SetOperator::Minus, all) => {
                    self.compared(rel, right, BinaryOp::Eq, all)
                }
            };
            rel = united.map_err(|e| self.near(e, typed.as_ref()))?;
        }
        Ok(rel)
    }

    /// Each row of the left that the right does not have, once.
    pub(super) fn except(&mut self, left: Rel, right: Rel) -> Result<Rel> {
        self.compared(left, right, BinaryOp::Eq, false)
    }

    /// Both with the columns of either, in the same order: those of the left, then what only the right has.
    pub(super) fn by_name(&mut self, left: Rel, right: Rel) -> Result<(Rel, Rel)> {
        let (mut left, mut right) = (left.settle(), right.settle());
        for rel in [&mut left, &mut right] {
            rel.cols.retain(|c| c.open);
            let twice = |c: &&Col| rel.cols.iter().filter(|o| same_name(o, c)).count() > 1;
            if let Some(c) = rel.cols.iter().find(twice) {
                let what = format!("UNION BY NAME of two columns called \"{}\"", c.name);
                return Err(Error::query(what).help("give one of them another name: AS …"));
            }
        }
        let (own, theirs) = (left.cols.clone(), right.cols.clone());
        let added = |to: &[Col], from: &[Col]| -> Vec<Col> {
            let new = from.iter().filter(|c| !to.iter().any(|o| same_name(o, c)));
            new.cloned().collect()
        };
        self.with_nulls(&mut left, added(&own, &theirs))?;
        self.with_nulls(&mut right, added(&theirs, &own))?;
        let mut ordered = Vec::with_capacity(left.cols.len());
        for c in &left.cols {
            ordered.extend(right.cols.iter().find(|o| same_name(o, c)).cloned());
        }
        right.cols = ordered;
        Ok((left, right))
    }

    /// Adds columns of nothing but nulls.
    fn with_nulls(&mut self, rel: &mut Rel, cols: Vec<Col>) -> Result<()> {
        if cols.is_empty() {
            return Ok(());
        }
        let mut nulls = Vec::with_capacity(cols.len());
        for mut c in cols {
            c.inner = self.fresh(&c.name);
            nulls.push((c.inner.clone(), Expr::Literal(Scalar::Null)));
            rel.cols.push(c);
        }
        let plan = std::mem::replace(&mut rel.plan, LogicalPlan::Union { inputs: Vec::new() });
        rel.plan = super::joins::with_columns(plan, nulls)?;
        Ok(())
    }

    /// Both inputs under the names of the first, and the columns of the result. The union unites the types.
    fn united(&mut self, left: Rel, right: Rel) -> Result<(LogicalPlan, LogicalPlan, Vec<Col>)> {
        let (left, right) = (left.settle(), right.settle());
        if left.cols.len() != right.cols.len() {
            let (a, b) = (left.cols.len(), right.cols.len());
            return Err(
                Error::query(format!("the SELECT before has {a} columns, this one {b}"))
                    .help("UNION, INTERSECT and EXCEPT match columns by their place"),
            );
        }
        let (ls, rs) = (left.plan.schema()?, right.plan.schema()?);
        let (mut a, mut b, mut cols) = (Vec::new(), Vec::new(), Vec::new());
        for (l, r) in left.cols.iter().zip(&right.cols) {
            let of = |s: &arrow::datatypes::Schema, c: &Col| -> Result<_> {
                Ok(types::logical(s.field_with_name(&c.inner)?.data_type()))
            };
            let (x, y) = (of(&ls, l)?, of(&rs, r)?);
            if expr::common(&x, &y).is_none() {
                let (x, y) = (types::name(&x), types::name(&y));
                return Err(Error::query(format!(
                    "column \"{}\" is {x} in one SELECT and {y} in the other",
                    l.name
                ))
                .help("cast one of them"));
            }
            let inner = self.fresh(&l.name);
            a.push((inner.clone(), Expr::column(&l.inner)));
            b.push((inner.clone(), Expr::column(&r.inner)));
            cols.push(Col {
                table: None,
                name: l.name.clone(),
                inner,
                open: true,
            });
        }
        a.extend(self.carried());
        b.extend(self.carried());
        let project = |plan, exprs| LogicalPlan::Project {
            input: Box::new(plan),
            exprs,
        };
        Ok((project(left.plan, a), project(right.plan, b), cols))
    }

    /// Each row once.
    pub(super) fn distinct(&self, rel: Rel) -> Rel {
        let keys: Vec<_> = (rel.cols.iter())
            .map(|c| (c.inner.clone(), Expr::column(&c.inner)))
            .chain(self.carried())
            .collect();
        let order = rel.cols.iter().map(|c| OrderBy::ascending(&c.inner)).collect();
        let mut rel = rel.map(|input| LogicalPlan::Aggregate {
            input,
            keys,
            aggs: Vec::new(),
        });
        rel.order = order;
        rel
    }

    pub(super) fn union_all(&mut self, left: Rel, right: Rel) -> Result<Rel> {
        let (a, b, cols) = self.united(left, right)?;
        Ok(Rel {
            plan: LogicalPlan::Union { inputs: vec![a, b] },
            cols,
            order: Vec::new(),
        })
    }

    /// Distinct rows of the left, by how often the right has them: not at all (`=`) or at least once
    /// (`>`). With `all` each row as often as it is left over, or as both have it.
    fn compared(&mut self, left: Rel, right: Rel, on_right: BinaryOp, all: bool) -> Result<Rel> {
        let (a, b, cols) = self.united(left, right)?;
        let side = self.fresh("side");
        let tagged = |plan, tag| {
            let added = vec![(side.clone(), Expr::Literal(Scalar::Int(tag)))];
            super::joins::with_columns(plan, added)
        };
        let inputs = vec![tagged(a, 0)?, tagged(b, 1)?];
        let int = |i| Expr::Literal(Scalar::Int(i));
        let count = |tag| AggCall {
            func: AggFunc::Count,
            arg: None,
            distinct: false,
            filter: Some(Expr::binary(BinaryOp::Eq, Expr::column(&side), int(tag))),
        };
        let (l, r) = (self.fresh("left"), self.fresh("right"));
        let keys: Vec<_> = cols
            .iter()
            .map(|c| (c.inner.clone(), Expr::column(&c.inner)))
            .chain(self.carried())
            .collect();
        let counted = LogicalPlan::Aggregate {
            input: Box::new(LogicalPlan::Union { inputs }),
            keys,
            aggs: vec![(l.clone(), count(0)), (r.clone(), count(1))],
        };
        let (l, r) = (Expr::Column(l), Expr::Column(r));
        let plan = match all {
            true => {
                let times = match on_right {
                    BinaryOp::Eq => Expr::binary(BinaryOp::Sub, l, r),
                    _ => Expr::Function {
                        func: Func::Least,
                        args: vec![l, r],
                    },
                };
                let list = cols.iter().map(|c| (c.inner.clone(), Expr::column(&c.inner)));
                LogicalPlan::Expand {
                    input: Box::new(counted),
                    lists: vec![list.chain(self.carried()).collect()],
                    times: Some(times),
                    totals: None,
                }
            }
            false => LogicalPlan::Filter {
                input: Box::new(counted),
                predicate: Expr::and(vec![
                    Expr::binary(BinaryOp::Gt, l, int(0)),
                    Expr::binary(on_right, r, int(0)),
                ]),
            },
        };
        plan.schema()?;
        let order = cols.iter().map(|c| OrderBy::ascending(&c.inner)).collect();
        Ok(Rel { plan, cols, order })
    }
}

fn same_name(a: &Col, b: &Col) -> bool {
    a.name.eq_ignore_ascii_case(&b.name)
}
