//! Operators with two operands: what `sqlparser` names them, and which mixtures nobody reads the same way.

use sqlparser::ast::{BinaryOperator as B, CastKind, Expr as S};

use super::functions::Func;
use super::tree::{BinaryOp, Expr, UnaryOp};
use crate::error::{Error, Result};

fn call(func: Func, args: Vec<Expr>) -> Expr {
    Expr::Function { func, args }
}

/// The operator of our tree, where it is one.
pub(super) fn binary_op(op: &B) -> Option<BinaryOp> {
    Some(match op {
        B::Plus => BinaryOp::Add,
        B::Minus => BinaryOp::Sub,
        B::Multiply => BinaryOp::Mul,
        B::Divide => BinaryOp::Div,
        B::DuckIntegerDivide | B::MyIntegerDivide => BinaryOp::IntDiv,
        B::Modulo => BinaryOp::Mod,
        B::StringConcat => BinaryOp::Concat,
        B::Eq => BinaryOp::Eq,
        B::NotEq => BinaryOp::NotEq,
        B::Lt => BinaryOp::Lt,
        B::LtEq => BinaryOp::LtEq,
        B::Gt => BinaryOp::Gt,
        B::GtEq => BinaryOp::GtEq,
        B::Spaceship => BinaryOp::NotDistinct,
        B::And => BinaryOp::And,
        B::Or => BinaryOp::Or,
        _ => return None,
    })
}

/// The operator over its operands.
pub(super) fn operator(op: &B, left: Expr, right: Expr) -> Result<Expr> {
    if let Some(op) = binary_op(op) {
        return Ok(Expr::binary(op, left, right));
    }
    let func = match op {
        op if is_power(op) => Func::Pow,
        B::BitwiseAnd => Func::BitAnd,
        B::BitwiseOr => Func::BitOr,
        B::PGBitwiseShiftLeft => Func::ShiftLeft,
        B::PGBitwiseShiftRight => Func::ShiftRight,
        B::PGRegexMatch | B::Regexp => Func::RegexpLike,
        B::PGRegexNotMatch => {
            return Ok(Expr::unary(
                UnaryOp::Not,
                call(Func::RegexpLike, vec![left, right]),
            ));
        }
        other => {
            return Err(Error::query(format!(
                "the expression language has no operator `{other}`"
            )));
        }
    };
    Ok(call(func, vec![left, right]))
}

/// `^` and `**`, which come as `^` of one dialect and as `^@` of another ([`mod@super::parse`]).
fn is_power(op: &B) -> bool {
    matches!(op, B::BitwiseXor | B::PGStartsWith)
}

fn is_bitwise(op: &B) -> bool {
    use B::{BitwiseAnd, BitwiseOr, PGBitwiseShiftLeft, PGBitwiseShiftRight};
    matches!(
        op,
        BitwiseAnd | BitwiseOr | PGBitwiseShiftLeft | PGBitwiseShiftRight
    )
}

/// Whether it is a power that no parentheses hold together.
fn bare_power(e: &S) -> bool {
    matches!(e, S::BinaryOp { op, .. } if is_power(op))
}

/// Refuses what one reader takes for `(2 ^ 3) ^ 2` and another for `2 ^ (3 ^ 2)`.
///
/// # Errors
/// Powers of powers, and different operators on bits, without parentheses.
pub(super) fn one_meaning(op: &B, left: &S, right: &S) -> Result<()> {
    if is_power(op) && (bare_power(left) || bare_power(right)) {
        return Err(Error::query("a power of a power can be read in two ways")
            .help("write (a ^ b) ^ c or a ^ (b ^ c)"));
    }
    let other = |e: &S| matches!(e, S::BinaryOp { op: o, .. } if is_bitwise(o) && o != op);
    if is_bitwise(op) && (other(left) || other(right)) {
        return Err(
            Error::query("systems disagree on which of the operators & | << >> comes first")
                .help("put parentheses around one of them"),
        );
    }
    Ok(())
}

/// Refuses `-2 ^ 2`, which is 4 or -4.
///
/// # Errors
/// It is a minus before a power.
pub(super) fn sign_of_one_meaning(operand: &S) -> Result<()> {
    match bare_power(operand) {
        true => {
            Err(Error::query("a minus before a power can be read in two ways")
                .help("write (-a) ^ b or -(a ^ b)"))
        }
        false => Ok(()),
    }
}

/// Refuses `a ^ b::type`, where one of the parsers casts the power.
///
/// # Errors
/// It is such a cast.
pub(super) fn cast_of_one_meaning(kind: &CastKind, operand: &S) -> Result<()> {
    match *kind == CastKind::DoubleColon && bare_power(operand) {
        true => Err(Error::query("a cast behind a power can be read in two ways")
            .help("write a ^ (b::type) or (a ^ b)::type")),
        false => Ok(()),
    }
}
