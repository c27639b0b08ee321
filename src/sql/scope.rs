//! Names: which column an identifier means, seen from where it stands.
//!
//! ```text
//!   SELECT t.x, y FROM 'a.csv' t JOIN 'b.csv' u USING (k) WHERE EXISTS (SELECT … WHERE z = t.x)
//!          │    │                                                          │       │     │
//!          │    └ in any table of FROM, once                     first in its own FROM ──┘
//!          └ in the table called t                               then in the one around it
//! ```
//!
//! Every column of a FROM item has an *inner* name that no other column of the statement has: the
//! user's own where it is still free, else one with a number behind it. Plans speak of inner names,
//! users never see them.

use sqlparser::ast::Ident;

use crate::error::{Error, Result, did_you_mean, no_column};
use crate::plan::{LogicalPlan, OrderBy};

/// A column that can be named.
#[derive(Debug, Clone)]
pub(super) struct Col {
    /// The table it is of, by its alias.
    pub table: Option<String>,
    /// What the user calls it.
    pub name: String,
    /// What the plan calls it.
    pub inner: String,
    /// Whether `*` and a name without a table mean it too (not one of the two sides of USING).
    pub open: bool,
}

/// Rows and the names of their columns. The plan may yield further columns, which nobody can name.
#[derive(Debug, Clone)]
pub(super) struct Rel {
    pub plan: LogicalPlan,
    pub cols: Vec<Col>,
    /// The order that rows get unless something makes order meaningless: groups by their keys.
    pub order: Vec<OrderBy>,
}

impl Rel {
    /// Puts the pending order into the plan.
    pub fn settle(mut self) -> Rel {
        self.plan = self.plan.sorted(std::mem::take(&mut self.order));
        self
    }

    /// The same with another plan below the same names.
    pub fn map(mut self, f: impl FnOnce(Box<LogicalPlan>) -> LogicalPlan) -> Rel {
        self.plan = f(Box::new(self.plan));
        self
    }

    /// Calls all columns those of one table.
    pub fn aliased(mut self, table: &str) -> Rel {
        for c in &mut self.cols {
            c.table = Some(table.to_string());
        }
        self.cols.retain(|c| c.open);
        self
    }
}

/// What can be named at a place: the columns of its own FROM, then those around it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub cols: &'a [Col],
    pub outer: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    /// No column at all.
    pub const NOTHING: Scope<'static> = Scope {
        cols: &[],
        outer: None,
    };

    /// The column that a name, with or without a table, means; none if there is none of it.
    ///
    /// # Errors
    /// More than one column has that name.
    pub fn find(&self, parts: &[Ident]) -> Result<Option<&'a Col>> {
        let (table, name) = match parts {
            [name] => (None, name),
            [.., table, name] => (Some(table.value.as_str()), name),
            [] => return Ok(None),
        };
        let of_table = |c: &&Col| match (table, &c.table) {
            (None, _) => c.open,
            (Some(t), Some(own)) => own.eq_ignore_ascii_case(t),
            (Some(_), None) => false,
        };
        let all = || self.cols.iter().filter(of_table);
        let exact: Vec<&Col> = all().filter(|c| c.name == name.value).collect();
        let found = match exact.is_empty() {
            false => exact,
            true => all()
                .filter(|c| c.name.to_lowercase() == name.value.to_lowercase())
                .collect(),
        };
        match (found.as_slice(), self.outer) {
            ([one], _) => Ok(Some(one)),
            ([], Some(outer)) => outer.find(parts),
            ([], None) => Ok(None),
            (many, _) => Err(ambiguous(&name.value, many)),
        }
    }

    /// Whether a plan's column is one of the queries around this one.
    pub fn is_outer(&self, inner: &str) -> bool {
        let mut at = self.outer;
        while let Some(s) = at {
            if s.cols.iter().any(|c| c.inner == inner) {
                return true;
            }
            at = s.outer;
        }
        false
    }

    /// How many queries with columns stand around, with this one.
    pub fn levels(&self) -> usize {
        usize::from(!self.cols.is_empty()) + self.outer.map_or(0, |o| o.levels())
    }

    /// Whether a table of that name is in sight.
    pub fn has_table(&self, table: &str) -> bool {
        let own = |c: &Col| c.table.as_deref().is_some_and(|t| t.eq_ignore_ascii_case(table));
        self.cols.iter().any(own) || self.outer.is_some_and(|o| o.has_table(table))
    }

    /// The columns that can be named without their table.
    pub fn open_names(&self) -> Vec<&str> {
        let open = self.cols.iter().filter(|c| c.open);
        open.map(|c| c.name.as_str()).collect()
    }

    /// The error for a name that nothing has.
    pub fn missing(&self, parts: &[Ident]) -> Error {
        let name = parts.last().map_or("", |i| i.value.as_str());
        let table = match parts {
            [.., table, _] => table.value.as_str(),
            _ => {
                let open = self.open_names();
                let quoted = parts.last().is_some_and(|i| i.quote_style == Some('"'));
                if quoted && did_you_mean(name, open.iter().copied()).is_none() {
                    let help = format!("if it is text, write it in single quotes: '{name}'");
                    return Error::query(format!("no column \"{name}\"")).help(help);
                }
                if open.is_empty() {
                    return Error::query(format!("no column \"{name}\"")).help("there is no table in FROM");
                }
                return no_column(name, open);
            }
        };
        let mut tables: Vec<&str> = self.cols.iter().filter_map(|c| c.table.as_deref()).collect();
        tables.dedup();
        if tables.iter().any(|t| t.eq_ignore_ascii_case(table)) {
            let own = self.cols.iter();
            let own = own.filter(|c| c.table.as_deref().is_some_and(|t| t.eq_ignore_ascii_case(table)));
            return no_column(name, own.map(|c| c.name.as_str()));
        }
        if let Some(outer) = self.outer.filter(|o| o.has_table(table)) {
            return outer.missing(parts);
        }
        let list = match tables.is_empty() {
            true => "there is none to be named here".to_string(),
            false => format!("the tables here are {}", tables.join(", ")),
        };
        Error::query(format!("no table \"{table}\" in FROM")).help(
            match did_you_mean(table, tables.iter().copied()) {
                Some(near) => format!("did you mean {near}? {list}"),
                None => list,
            },
        )
    }
}

fn ambiguous(name: &str, many: &[&Col]) -> Error {
    let choices = many.iter().map(|c| match &c.table {
        Some(t) => format!("{t}.{}", c.name),
        None => c.name.clone(),
    });
    let choices: Vec<String> = choices.collect();
    Error::query(format!("\"{name}\" could be several columns"))
        .help(format!("say which: {}", choices.join(" or ")))
}
