//! Inner joins one above the other as a set of inputs, and a tree of joins made of such a set.

use arrow::datatypes::SchemaRef;

use super::rewrite;
use super::rows::{Equality, Input, JoinRows, Set, Side};
use super::search::{Tree, cheapest};
use crate::error::{Error, Result};
use crate::expr::{BinaryOp, Expr, JoinKind};
use crate::plan::LogicalPlan;

/// Inner joins, taken apart.
#[derive(Default)]
struct Parts {
    inputs: Vec<LogicalPlan>,
    schemas: Vec<SchemaRef>,
    equal: Vec<(Expr, Expr)>,
    conditions: Vec<Expr>,
}

/// The joins at the top of a plan in the order that costs least.
pub(super) fn reorder(join: LogicalPlan) -> Result<LogicalPlan> {
    let before = join.schema()?;
    let mut parts = Parts::default();
    parts.take(join.clone())?;
    // a set of inputs is a set of bits
    if parts.inputs.len() > Set::BITS as usize {
        return join.map_inputs(&mut |p| rewrite(p, false));
    }
    let tree = cheapest(&parts.rows());
    let plan = Laying::of(parts).lay(&tree)?;
    if plan.schema()? == before {
        return Ok(plan);
    }
    Ok(LogicalPlan::Project {
        input: Box::new(plan),
        exprs: Expr::columns_of(&before),
    })
}

impl Parts {
    fn take(&mut self, plan: LogicalPlan) -> Result<()> {
        match plan {
            LogicalPlan::Join {
                left,
                right,
                kind: JoinKind::Inner,
                on,
                filter,
                asof: None,
            } => {
                self.take(*left)?;
                self.take(*right)?;
                self.equal.extend(on);
                self.conditions
                    .extend(filter.into_iter().flat_map(Expr::conjuncts));
            }
            other => {
                let input = rewrite(other, false)?;
                self.schemas.push(input.schema()?);
                self.inputs.push(input);
            }
        }
        Ok(())
    }

    /// The inputs that an expression looks at.
    fn looks_at(&self, e: &Expr) -> Set {
        let input = |c: &String| self.schemas.iter().position(|s| s.index_of(c).is_ok());
        let columns = e.columns();
        columns.iter().filter_map(input).fold(0, |set, i| set | 1 << i)
    }

    /// What is guessed of their rows.
    fn rows(&self) -> JoinRows {
        let inputs = self.inputs.iter().map(|p| Input {
            rows: p.estimated_rows(),
            all: p.all_rows(),
        });
        let mut classes: Vec<(usize, &Expr)> = Vec::new();
        let mut equalities: Vec<Equality> = Vec::new();
        for (a, b) in &self.equal {
            let (of_a, of_b) = (self.looks_at(a), self.looks_at(b));
            if of_a.count_ones() != 1 || of_b.count_ones() != 1 || of_a == of_b {
                continue;
            }
            let mut side = |e, of: Set| {
                let input = of.trailing_zeros() as usize;
                let known = classes.iter().position(|c| *c == (input, e));
                let value = known.unwrap_or_else(|| {
                    classes.push((input, e));
                    classes.len() - 1
                });
                let distinct = self.inputs[input].distinct(e);
                Side {
                    input,
                    value,
                    distinct,
                }
            };
            let sides = [side(a, of_a), side(b, of_b)];
            equalities.push(Equality { sides });
        }
        let conditions = self.conditions.iter().map(|c| self.looks_at(c));
        JoinRows::new(inputs.collect(), equalities, conditions.collect())
    }
}

/// A tree of joins while it is put together.
struct Laying {
    inputs: Vec<Option<LogicalPlan>>,
    /// Equalities and conditions that do not hold yet, and the inputs they look at.
    equal: Vec<([Expr; 2], [Set; 2])>,
    conditions: Vec<(Expr, Set)>,
}

impl Laying {
    fn of(parts: Parts) -> Laying {
        let looks_at = |e: &Expr| parts.looks_at(e);
        let equal = parts.equal.iter().map(|(a, b)| {
            let sets = [looks_at(a), looks_at(b)];
            ([a.clone(), b.clone()], sets)
        });
        let conditions = parts.conditions.iter().map(|c| (c.clone(), looks_at(c)));
        Laying {
            equal: equal.collect(),
            conditions: conditions.collect(),
            inputs: parts.inputs.into_iter().map(Some).collect(),
        }
    }

    /// Joins as the tree says; each condition is asked as soon as its columns are there.
    fn lay(&mut self, tree: &Tree) -> Result<LogicalPlan> {
        let (left, right) = match tree {
            Tree::Input(i) => {
                let input = self.inputs[*i].take();
                return input.ok_or_else(|| Error::defect("a join lost an input"));
            }
            Tree::Join(left, right) => (left, right),
        };
        let (l, r) = (left.inputs(), right.inputs());
        let (left, right) = (self.lay(left)?, self.lay(right)?);
        let within = |of: Set, set: Set| of & !set == 0;
        let mut on = Vec::new();
        let mut now = Vec::new();
        for ([a, b], [of_a, of_b]) in std::mem::take(&mut self.equal) {
            let alone = |of: Set, set: Set| of != 0 && within(of, set);
            match () {
                _ if alone(of_a, l) && alone(of_b, r) => on.push((a, b)),
                _ if alone(of_b, l) && alone(of_a, r) => on.push((b, a)),
                _ if within(of_a | of_b, l | r) => now.push(Expr::binary(BinaryOp::Eq, a, b)),
                _ => self.equal.push(([a, b], [of_a, of_b])),
            }
        }
        for (condition, of) in std::mem::take(&mut self.conditions) {
            match within(of, l | r) {
                true => now.push(condition),
                false => self.conditions.push((condition, of)),
            }
        }
        Ok(LogicalPlan::Join {
            left: Box::new(left),
            right: Box::new(right),
            kind: JoinKind::Inner,
            on,
            filter: (!now.is_empty()).then(|| Expr::and(now)),
            asof: None,
        })
    }
}
