//! What plans and operators both say of a join.

use serde::{Deserialize, Serialize};

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
