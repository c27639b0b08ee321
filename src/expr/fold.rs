//! Constant folding: what needs no column is computed once, and `AND`, `OR`, `NOT` with a
//! constant are simplified, without changing an error or a null.

use arrow::datatypes::Schema;

use super::cast;
use super::eval::Evaluator;
use super::tree::{BinaryOp, Expr, UnaryOp};
use crate::kernel::{Batch, Scalar};

/// Computes the constant parts of an expression. What would fail is left as it is, so that it fails
/// only if it is evaluated; typed nulls are left too, as a bare null would lose the type.
pub fn fold(expr: Expr) -> Expr {
    let fallback = expr.clone();
    expr.map(&mut |e| Ok(step(e))).unwrap_or(fallback)
}

fn step(e: Expr) -> Expr {
    use BinaryOp::{And, Or};
    match e {
        Expr::Binary {
            op: op @ (And | Or),
            left,
            right,
        } => logic(op, *left, *right),
        Expr::Unary {
            op: UnaryOp::Not,
            expr,
        } => match *expr {
            Expr::Literal(Scalar::Bool(b)) => Expr::Literal(Scalar::Bool(!b)),
            other => Expr::unary(UnaryOp::Not, other),
        },
        e if matches!(
            e,
            Expr::Literal(_) | Expr::Column(_) | Expr::Place | Expr::Aggregate(_) | Expr::Window(_)
        ) =>
        {
            e
        }
        e if e.children().iter().all(|c| matches!(c, Expr::Literal(_))) => constant(&e).unwrap_or(e),
        e => e,
    }
}

fn logic(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let absorbing = op == BinaryOp::Or; // TRUE OR x, FALSE AND x
    match (left, right) {
        (Expr::Literal(Scalar::Bool(b)), _) if b == absorbing => Expr::Literal(Scalar::Bool(b)),
        // the other side is bool or the whole fails its type check, hence only known bools
        (Expr::Literal(Scalar::Bool(_)), x) if is_bool(&x) => x,
        (x, Expr::Literal(Scalar::Bool(b))) if b != absorbing && is_bool(&x) => x,
        (l, r) => {
            let e = Expr::binary(op, l, r);
            if e.children().iter().all(|c| matches!(c, Expr::Literal(_))) {
                return constant(&e).unwrap_or(e);
            }
            e
        }
    }
}

/// Whether it can only be of type bool.
fn is_bool(e: &Expr) -> bool {
    match e {
        Expr::Binary { op, .. } => op.is_comparison() || matches!(op, BinaryOp::And | BinaryOp::Or),
        Expr::Unary { op, .. } => *op == UnaryOp::Not,
        Expr::InList { .. } | Expr::Like { .. } | Expr::IsNull { .. } => true,
        Expr::Literal(Scalar::Bool(_)) => true,
        _ => false,
    }
}

fn constant(e: &Expr) -> Option<Expr> {
    let evaluator = Evaluator::bind(e, &Schema::empty()).ok()?;
    let out = evaluator.eval(&Batch::new(vec![], 1, 0)).ok()?;
    match cast::array_scalar(&out, 0) {
        // a date and an interval that is written down is a date, and one and another interval a timestamp
        Scalar::Null | Scalar::Interval(..) => None,
        v if v.data_type() == *evaluator.data_type() => Some(Expr::Literal(v)),
        _ => None,
    }
}
