//! `COLUMNS('regex')` in the SELECT list: the expression once for each column whose name matches.
//!
//! ```text
//!   SELECT max(COLUMNS('_delay$')) FROM t      SELECT max(dep_delay), max(arr_delay) FROM t
//! ```
//!
//! An expression is converted once to find out which columns there are, and then again for each further one.

use sqlparser::ast::{self, Expr as S, FunctionArg, FunctionArgExpr, FunctionArguments, Value};

use super::Planner;
use super::convert::{Job, Names};
use super::scope::{Col, Scope};
use crate::error::{Error, Result};
use crate::expr::Expr;

/// Which of its columns a `COLUMNS(…)` means.
#[derive(Debug, Default)]
pub(super) struct Pick {
    at: usize,
    /// All of them, once they are known.
    cols: Vec<Col>,
}

/// Whether a function is `COLUMNS`.
pub(super) fn is_columns(f: &ast::Function) -> bool {
    f.over.is_none() && f.name.to_string().eq_ignore_ascii_case("columns")
}

impl Planner<'_> {
    /// An expression of the SELECT list, with the column that each copy of it is called after; one copy without
    /// a column where it has no `COLUMNS`.
    pub(super) fn for_each_column(
        &mut self,
        e: &S,
        names: Names,
        jobs: &mut Vec<Job>,
    ) -> Result<Vec<(Option<String>, Expr)>> {
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            self.pick = Some(Pick { at, cols: Vec::new() });
            let done = self.expr(e, names, jobs);
            let cols = self.pick.take().map_or(Vec::new(), |p| p.cols);
            out.push((cols.get(at).map(|c| c.name.clone()), done?));
            at += 1;
            if at >= cols.len() {
                return Ok(out);
            }
        }
    }

    /// The column that a `COLUMNS(…)` means in this copy.
    pub(super) fn picked(&mut self, f: &ast::Function, scope: &Scope) -> Result<Expr> {
        let cols = matching(f, scope)?;
        let Some(pick) = &mut self.pick else {
            return Err(Error::query("COLUMNS stands in the list of SELECT, without AS")
                .help("name the columns, or take them from a subquery"));
        };
        let same = |a: &[Col]| a.iter().map(|c| &c.inner).eq(cols.iter().map(|c| &c.inner));
        if !pick.cols.is_empty() && !same(&pick.cols) {
            return Err(Error::query(
                "two COLUMNS in one expression that mean different columns",
            ));
        }
        let own = cols.get(pick.at).map(|c| Expr::column(&c.inner));
        pick.cols = cols;
        own.ok_or_else(|| Error::defect("a column of COLUMNS that is not there"))
    }
}

/// The columns that a call means.
fn matching(f: &ast::Function, scope: &Scope) -> Result<Vec<Col>> {
    const HELP: &str = "write COLUMNS('_delay$') with a regular expression, or COLUMNS(*)";
    let arg = match &f.args {
        FunctionArguments::List(list) if list.clauses.is_empty() => list.args.as_slice(),
        _ => &[],
    };
    let open = scope.cols.iter().filter(|c| c.open);
    let cols: Vec<Col> = match arg {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] => open.cloned().collect(),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(S::Value(v)))] => {
            let Value::SingleQuotedString(pattern) = &v.value else {
                return Err(Error::query(format!("{f} is no list of columns")).help(HELP));
            };
            let regex = regex::Regex::new(pattern)
                .map_err(|_| Error::query(format!("'{pattern}' is no regular expression")).help(HELP))?;
            open.filter(|c| regex.is_match(&c.name)).cloned().collect()
        }
        _ => return Err(Error::query(format!("{f} is no list of columns")).help(HELP)),
    };
    match cols.is_empty() {
        false => Ok(cols),
        true => {
            let names = scope.open_names();
            Err(Error::query(format!("no column matches {f}"))
                .help(format!("the columns are {}", names.join(", "))))
        }
    }
}
