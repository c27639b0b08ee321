//! What plans and operators both say of a join.

use serde::{Deserialize, Serialize};

use super::tree::BinaryOp;

/// Which rows a join yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    /// Each pair that matches.
    Inner,
    /// Each pair that matches, and left rows without a match with nulls beside them.
    Left,
    /// Left rows that have a match, once, without the right columns.
    Semi,
    /// Left rows that have none, without the right columns.
    Anti,
}

impl JoinKind {
    /// The word in SQL.
    pub fn name(self) -> &'static str {
        match self {
            JoinKind::Inner => "inner",
            JoinKind::Left => "left",
            JoinKind::Semi => "semi",
            JoinKind::Anti => "anti",
        }
    }

    /// Whether the right columns come out.
    pub fn yields_right(self) -> bool {
        matches!(self, JoinKind::Inner | JoinKind::Left)
    }
}

/// How the key of an asof join compares: `left op right`. Of the right rows for which that holds, a left
/// row gets the nearest; of several with the same key the last in the order of the input for `>=` and `>`,
/// the first for `<=` and `<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AsOfOp {
    /// The greatest right key that is not above the left one.
    Ge,
    /// The greatest right key below the left one.
    Gt,
    /// The least right key that is not below the left one.
    Le,
    /// The least right key above the left one.
    Lt,
}

impl AsOfOp {
    /// The operator, where it is one of these.
    pub fn of(op: BinaryOp) -> Option<AsOfOp> {
        Some(match op {
            BinaryOp::GtEq => AsOfOp::Ge,
            BinaryOp::Gt => AsOfOp::Gt,
            BinaryOp::LtEq => AsOfOp::Le,
            BinaryOp::Lt => AsOfOp::Lt,
            _ => return None,
        })
    }

    /// With its sides exchanged.
    pub fn mirrored(self) -> AsOfOp {
        match self {
            AsOfOp::Ge => AsOfOp::Le,
            AsOfOp::Gt => AsOfOp::Lt,
            AsOfOp::Le => AsOfOp::Ge,
            AsOfOp::Lt => AsOfOp::Gt,
        }
    }

    /// As people write it.
    pub fn symbol(self) -> &'static str {
        match self {
            AsOfOp::Ge => ">=",
            AsOfOp::Gt => ">",
            AsOfOp::Le => "<=",
            AsOfOp::Lt => "<",
        }
    }

    /// Whether the nearest right key is the greatest one.
    pub fn is_backward(self) -> bool {
        matches!(self, AsOfOp::Ge | AsOfOp::Gt)
    }
}
