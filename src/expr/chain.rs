//! Long chains of operators, `a + b - c + …`, stay one node: what walks a tree may recurse, so trees must
//! stay shallow. Chains of AND and OR become balanced trees; what is computed from the left does not allow that.

use sqlparser::ast::BinaryOperator as B;

use super::operators::{self, operator};
use super::tree::{BinaryOp, Expr, balanced};
use crate::error::Result;
use crate::kernel::Scalar;

/// A chain of fewer operators is a tree of pairs, which rules know more about.
const LEAST: usize = 32;

/// A chain under way: operators that lean left, of which those of one rank are together.
pub(super) struct Run {
    first: Expr,
    rank: Option<Rank>,
    rest: Vec<(BinaryOp, Expr)>,
}

/// Operators that may stand in one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    And,
    Or,
    Sum,
    Product,
    Text,
}

fn rank(op: BinaryOp) -> Option<Rank> {
    use BinaryOp::*;
    Some(match op {
        And => Rank::And,
        Or => Rank::Or,
        Add | Sub => Rank::Sum,
        Mul | Div | IntDiv | Mod => Rank::Product,
        Concat => Rank::Text,
        _ => return None,
    })
}

impl Run {
    pub fn of(first: Expr) -> Run {
        Run {
            first,
            rank: None,
            rest: Vec::new(),
        }
    }

    /// `self op right`.
    pub fn push(&mut self, op: &B, right: Expr) -> Result<()> {
        let Some((binary, own)) = operators::binary_op(op).and_then(|b| Some((b, rank(b)?))) else {
            self.close();
            let left = std::mem::replace(&mut self.first, Expr::Literal(Scalar::Null));
            self.first = operator(op, left, right)?;
            return Ok(());
        };
        if self.rank != Some(own) {
            self.close();
            self.rank = Some(own);
        }
        self.rest.push((binary, right));
        Ok(())
    }

    pub fn done(mut self) -> Expr {
        self.close();
        self.first
    }

    /// Makes what was gathered the first operand of what follows.
    fn close(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        let first = std::mem::replace(&mut self.first, Expr::Literal(Scalar::Null));
        self.first = match self.rank.take() {
            Some(Rank::And) => logical(BinaryOp::And, first, rest),
            Some(Rank::Or) => logical(BinaryOp::Or, first, rest),
            Some(rank) => computed(first, rank, rest),
            None => first,
        };
    }
}

/// What is computed from the left; `(a + b) + c` is the chain that `a + b + c` is.
fn computed(first: Expr, own: Rank, rest: Vec<(BinaryOp, Expr)>) -> Expr {
    let (mut first, mut parts) = (first, vec![rest]);
    loop {
        first = match first {
            Expr::Chain { first, rest } if rest.first().is_some_and(|(op, _)| rank(*op) == Some(own)) => {
                parts.push(rest);
                *first
            }
            Expr::Binary { op, left, right } if rank(op) == Some(own) => {
                parts.push(vec![(op, *right)]);
                *left
            }
            other => {
                first = other;
                break;
            }
        };
    }
    let rest: Vec<(BinaryOp, Expr)> = parts.into_iter().rev().flatten().collect();
    match rest.len() < LEAST {
        true => pairs(first, rest),
        false => Expr::Chain {
            first: Box::new(first),
            rest,
        },
    }
}

fn logical(op: BinaryOp, first: Expr, rest: Vec<(BinaryOp, Expr)>) -> Expr {
    let mut parts = first.chain(op);
    parts.extend(rest.into_iter().flat_map(|(_, e)| e.chain(op)));
    balanced(op, parts).unwrap_or(Expr::Literal(Scalar::Null))
}

/// The operators over their operands from the left, as a tree.
pub(super) fn pairs(first: Expr, rest: Vec<(BinaryOp, Expr)>) -> Expr {
    rest.into_iter().fold(first, |l, (op, r)| Expr::binary(op, l, r))
}
