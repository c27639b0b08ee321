//! SQL: text becomes a plan, and the plan goes the way of every other query.
//!
//! ```text
//!   text ─ sqlparser ─► statements ─ Planner ─► LogicalPlan ─► Frame        there is no second engine
//!                                    │
//!          from    files, table functions, VALUES, joins      scope   which column a name means
//!          select  WHERE, GROUP BY, HAVING, the list, ORDER BY
//!          query   WITH, UNION and the like, LIMIT
//!          subquery  IN, EXISTS and values become joins       convert names and subqueries in expressions
//! ```
//!
//! ```
//! use ddf::{Settings, Sql};
//! let sql = Sql::new(Settings::default());
//! let rows = sql
//!     .query("SELECT Origin, count(*) AS n FROM 'testdata/nycflights/*.csv' GROUP BY 1 ORDER BY n DESC")?
//!     .collect()?;
//! assert_eq!(rows.rows(), 3);
//! # Ok::<(), ddf::Error>(())
//! ```

mod columns;
mod convert;
mod correlated;
mod dependent;
mod dialect;
mod distinct;
mod from;
mod group;
mod grouping;
mod jobs;
mod joins;
mod lateral;
mod not_in;
mod outer;
mod pivot;
mod pivot_text;
mod query;
mod recursive;
mod recursive_rows;
mod row_in;
mod sample;
mod scope;
mod select;
mod series;
mod sets;
mod spelling;
mod statement;
mod subquery;
mod table;
mod window;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use sqlparser::ast;

use crate::error::{Error, Result};
use crate::expr::stack::Deep;
use crate::expr::{Expr, point_at};
use crate::frame::{Frame, Settings};
use crate::plan::LogicalPlan;
use crate::source::{ReadOptions, TypesOf};
use crate::write::Format;
use scope::{Rel, Scope};

pub use statement::Statement;

/// What SQL is asked in: named tables, how files are read, how queries run.
#[derive(Debug, Clone)]
pub struct Sql {
    tables: Vec<(String, Vec<String>)>,
    views: Vec<View>,
    options: ReadOptions,
    settings: Settings,
}

/// A query with a name: `CREATE VIEW name AS SELECT …`.
#[derive(Debug, Clone)]
pub struct View {
    name: String,
    columns: Vec<String>,
    query: Arc<Deep<ast::Query>>,
    text: Arc<str>,
}

impl View {
    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What a statement asks for.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The rows of a query.
    Rows(Frame),
    /// The plan of a query, as text.
    Explain(Frame),
    /// What each stage of a query does when it runs.
    Analyze(Frame),
    /// A query with a name, for [`Sql::with_view`].
    View(View),
    /// Names and types of a query's columns.
    Describe(Frame),
    /// The rows of a query in a file; the format where the statement names one.
    Copy(Frame, PathBuf, Option<Format>),
}

impl Sql {
    /// SQL over files, to be run with `settings`.
    pub fn new(settings: Settings) -> Self {
        Sql {
            tables: Vec::new(),
            views: Vec::new(),
            options: ReadOptions::default(),
            settings,
        }
    }

    /// Reads files that are named in FROM with these options.
    pub fn with_options(mut self, options: ReadOptions) -> Self {
        self.options = options;
        self
    }

    /// Columns whose types are law may be in a table that only a later statement reads.
    pub fn for_several_statements(mut self) -> Self {
        self.options.types_of = TypesOf::LaterTable;
        self
    }

    /// Gives files a name: a path, a glob, a folder, as [`Frame::read`] takes them.
    pub fn with_table(mut self, name: &str, input: &str) -> Self {
        self.tables.retain(|(n, _)| n != name);
        self.tables.push((name.to_string(), vec![input.to_string()]));
        self
    }

    /// Lets later statements name a view, in place of one of the same name.
    pub fn with_view(mut self, view: View) -> Self {
        self.views.retain(|v| !v.name.eq_ignore_ascii_case(&view.name));
        self.views.push(view);
        self
    }

    /// The names that FROM knows without a file: given tables, then views.
    pub fn names(&self) -> Vec<&str> {
        let tables = self.tables.iter().map(|(n, _)| n.as_str());
        tables.chain(self.views.iter().map(|v| v.name.as_str())).collect()
    }

    /// The statements of a text, parsed.
    ///
    /// # Errors
    /// The text is no SQL.
    pub fn statements(&self, text: &str) -> Result<Vec<Statement>> {
        statement::parse(text)
    }

    /// What a statement asks for. Files are opened, nothing is run.
    ///
    /// # Errors
    /// Files that cannot be read, unknown names, types that do not fit, clauses that are not supported.
    pub fn plan(&self, statement: &Statement) -> Result<Answer> {
        statement::plan(self, statement)
    }

    /// The frame of a text that is one query.
    ///
    /// # Errors
    /// As [`Sql::plan`], and where the text is not one query.
    pub fn query(&self, text: &str) -> Result<Frame> {
        let statements = self.statements(text)?;
        let [one] = statements.as_slice() else {
            return Err(Error::query(format!(
                "{} statements instead of one",
                statements.len()
            )));
        };
        match self.plan(one)? {
            Answer::Rows(frame) => Ok(frame),
            _ => Err(Error::query("the statement is not a query")),
        }
    }

    /// The frame of a parsed query.
    fn frame(&self, query: &ast::Query, text: &str) -> Result<Frame> {
        let mut p = Planner::new(self, text);
        let planned = p.frame(query);
        let planned = match planned {
            Err(e) if e.is_of_types() => match p.certain()? {
                Some(opened) => {
                    p = Planner::new(self, text);
                    let mut notes: Vec<_> = opened.iter().collect();
                    notes.sort_by_key(|(key, _)| key.as_str());
                    p.notes = notes.into_iter().map(|(_, f)| f.clone()).collect();
                    p.opened = opened;
                    p.frame(query)
                }
                None => Err(e),
            },
            other => other,
        };
        planned.map_err(|e| p.shown(e))
    }
}

/// The user's names back in place; what nobody can name goes.
fn finish(rel: Rel) -> LogicalPlan {
    let rel = rel.settle();
    let mut taken = HashSet::new();
    let exprs = rel.cols.iter().filter(|c| c.open).map(|c| {
        let (mut name, mut n) = (c.name.clone(), 1);
        while !taken.insert(name.clone()) {
            n += 1;
            name = format!("{}_{n}", c.name);
        }
        (name, Expr::column(&c.inner))
    });
    let exprs = exprs.collect();
    LogicalPlan::Project {
        input: Box::new(rel.plan),
        exprs,
    }
}

/// A query with a name: `WITH name AS (…)`.
#[derive(Clone)]
struct Cte {
    name: String,
    columns: Vec<String>,
    query: ast::Query,
    /// How many of the names before it it can see.
    sees: usize,
    /// How many queries stand around it.
    level: usize,
    /// Whether it may name itself.
    recursive: bool,
    /// Its rows, where they are there already: a step of a recursion sees those of the last one.
    rows: Option<crate::plan::Table>,
}

/// Plans one statement.
struct Planner<'a> {
    sql: &'a Sql,
    text: &'a str,
    /// Inner names that are in use.
    taken: HashSet<String>,
    /// What columns are called by people, by their inner names.
    called: HashMap<String, String>,
    /// Named queries, inner ones last.
    ctes: Vec<Cte>,
    /// The WINDOW clause of the SELECT that is being planned.
    windows: Vec<ast::NamedWindowDefinition>,
    /// Files that have been opened, by how they were named.
    opened: HashMap<String, Frame>,
    /// The same, for what there is to tell about them.
    notes: Vec<Frame>,
    /// Columns that stand in for `grouping(…)`, with its arguments.
    groupings: Vec<(String, Vec<Expr>)>,
    /// How many views stand around.
    within: usize,
    /// The values that the subquery in hand is planned over; see [`dependent`].
    domain: Option<dependent::Domain>,
    /// Columns that a query found in the queries around it.
    looked_at: HashSet<String>,
    /// How often a subquery was planned over a domain.
    attempts: usize,
    /// Conditions of inner joins that look outside: they hold as well behind all joins.
    deferred: Vec<Expr>,
    /// The rows of recursive queries, by their text and what it sees.
    computed: HashMap<String, crate::plan::Table>,
    /// Which column `COLUMNS(…)` means, within the SELECT list.
    pick: Option<columns::Pick>,
    /// Whether subqueries may ask for aggregates of the query in hand.
    lifts: outer::Lifts,
    /// Columns of right sides of joins that are values of the domain, and what they are equal to on the left.
    tied: Vec<(dependent::Keys, dependent::Equalities)>,
}

/// Stands between a name and its number in inner names.
const NUMBERED: char = '\u{2}';

impl<'a> Planner<'a> {
    fn new(sql: &'a Sql, text: &'a str) -> Self {
        Planner {
            sql,
            text,
            taken: HashSet::new(),
            called: HashMap::new(),
            ctes: Vec::new(),
            windows: Vec::new(),
            opened: HashMap::new(),
            notes: Vec::new(),
            groupings: Vec::new(),
            within: 0,
            domain: None,
            looked_at: HashSet::new(),
            attempts: 0,
            deferred: Vec::new(),
            computed: HashMap::new(),
            pick: None,
            lifts: outer::Lifts::default(),
            tied: Vec::new(),
        }
    }
}

impl Planner<'_> {
    fn frame(&mut self, query: &ast::Query) -> Result<Frame> {
        let rel = self.query(query, &Scope::NOTHING)?;
        self.find_typed()?;
        let plan = finish(rel);
        Frame::from_plan(plan, &self.notes, self.sql.settings.clone())
    }

    /// Looks for the columns whose types are law among those of all tables that the statement reads.
    fn find_typed(&self) -> Result<()> {
        let options = &self.sql.options;
        let unread = self.opened.len() < self.sql.tables.len().max(1);
        if options.types_of != TypesOf::AnyTable || unread {
            return Ok(());
        }
        let schemas = self
            .opened
            .values()
            .map(Frame::schema)
            .collect::<Result<Vec<_>>>()?;
        let columns = schemas.iter().flat_map(|s| s.fields().iter());
        options.find_typed(columns.map(|f| f.name().as_str()))
    }

    /// The files that were opened, with types that hold all values; none where that changes nothing.
    fn certain(&self) -> Result<Option<HashMap<String, Frame>>> {
        let views = self.sql.views.iter().map(|v| v.text.as_ref());
        let text = std::iter::once(self.text)
            .chain(views)
            .collect::<Vec<_>>()
            .join(" ");
        let mut opened = self.opened.clone();
        let mut changed = false;
        for frame in opened.values_mut() {
            if let Some(certain) = frame.certain(&text)? {
                *frame = certain;
                changed = true;
            }
        }
        Ok(changed.then_some(opened))
    }

    /// An inner name that nothing has yet, `base` itself if it may be.
    fn fresh(&mut self, base: &str) -> String {
        // marks of ours in the names of a file would be taken for ours
        let base = base.replace(['\u{0}', '\u{1}', NUMBERED], "_");
        let mut name = base.clone();
        while !self.taken.insert(name.clone()) {
            name = format!("{base}{NUMBERED}{}", self.taken.len());
        }
        name
    }

    /// The error in the user's names, with its place in the text.
    fn shown(&self, e: Error) -> Error {
        point_at(e.reworded(|text| self.words(text)), self.text)
    }

    /// A message with the user's names in place of inner ones.
    fn words(&self, text: &str) -> String {
        if !text.contains(NUMBERED) {
            return text.to_string();
        }
        let mut inner: Vec<(&String, &String)> =
            self.called.iter().filter(|(i, _)| text.contains(*i)).collect();
        inner.sort_by_key(|(i, _)| std::cmp::Reverse((i.len(), *i)));
        let mut out = text.to_string();
        for (inner, name) in inner.into_iter().filter(|(i, _)| i.contains(NUMBERED)) {
            out = out.replace(inner.as_str(), name);
        }
        plain(&out)
    }

    /// An error in a part of the statement: at the name it speaks of, if that stands there, else at all of it.
    fn near(&self, e: Error, part: &impl ast::Spanned) -> Error {
        let span = part.span();
        if e.span_text().is_some() || span.start.line == 0 || span.end.line == 0 {
            return e;
        }
        let range = crate::expr::parse::range_of(self.text, span.start, span.end);
        let range = crate::expr::closed(self.text, range);
        let e = e.reworded(|text| self.words(text));
        let e = crate::expr::point_within(e, self.text, range.clone());
        match e.span_text() {
            Some(_) => e,
            None => e.span(self.text, range),
        }
    }

    /// An error at an identifier.
    fn at(&self, e: Error, ident: &ast::Ident) -> Error {
        if e.span_text().is_some() || ident.span.start.line == 0 {
            return e;
        }
        let range = crate::expr::parse::range_of(self.text, ident.span.start, ident.span.end);
        e.span(self.text, range)
    }
}

/// Without the numbers of inner names.
fn plain(text: &str) -> String {
    let mut parts = text.split(NUMBERED);
    let mut out = parts.next().unwrap_or("").to_string();
    for p in parts {
        out += p.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out
}

/// The error for a clause that there is not, yet or ever.
fn unsupported(clause: &str) -> Error {
    Error::query(format!("{clause} is not supported"))
}
