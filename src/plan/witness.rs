//! Errors about texts that were to be numbers, with the first value that is none and where it stands.

use super::LogicalPlan;
use crate::error::Error;
use crate::expr::{self, Expr, advice};

/// The error with that value, if it speaks of a column whose values can be looked at.
pub(super) fn told(e: Error, plan: &LogicalPlan) -> Error {
    let Some(column) = e.text_column().map(str::to_string) else {
        return e;
    };
    let e = e.about_text(None);
    let mut found = plan.inputs().into_iter().filter_map(|p| first(p, &column));
    match found.next() {
        Some((name, (place, value))) => {
            e.help(advice::first_misfit(&expr::quote_name(&name), &value, &place))
        }
        None => e,
    }
}

/// What the file calls a column, its first value that is no number, and the place of that.
fn first(plan: &LogicalPlan, column: &str) -> Option<(String, (String, String))> {
    match plan {
        LogicalPlan::Scan { table, .. } => {
            let at = table.dataset.schema().index_of(column).ok()?;
            let found = table.dataset.first_value(at, &advice::is_no_number);
            Some((column.to_string(), found.ok().flatten()?))
        }
        LogicalPlan::Project { input, exprs } => match exprs.iter().find(|(n, _)| n == column)? {
            (_, Expr::Column(inner)) => first(input, inner),
            _ => None,
        },
        LogicalPlan::Aggregate { input, keys, .. } => match keys.iter().find(|(n, _)| n == column)? {
            (_, Expr::Column(inner)) => first(input, inner),
            _ => None,
        },
        LogicalPlan::Expand { .. } => None,
        other => other.inputs().into_iter().find_map(|p| first(p, column)),
    }
}
