//! WITH RECURSIVE: a query that names itself is run step by step, each over the rows of the one before.
//!
//! ```text
//!   WITH RECURSIVE t AS (base UNION ALL step)      rows 0 = base,  rows n+1 = step over t = rows n,
//!                                                  until a step yields none; t is all of them
//! ```
//!
//! With UNION instead of UNION ALL a step keeps the rows that no step before it had. The steps run while their
//! rows are read (see [`recursive_rows`](super::recursive_rows)): a LIMIT that has enough rows runs no more of them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sqlparser::ast::{self, SetExpr, SetOperator, SetQuantifier};
use sqlparser::tokenizer::{Token, Tokenizer};

use super::recursive_rows::Recursion;
use super::scope::{Rel, Scope};
use super::{Cte, Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{self, CastType, Expr, cast};
use crate::frame::{Frame, Settings};
use crate::kernel::types;
use crate::plan::{LogicalPlan, Table};
use crate::source::MemoryDataset;

/// Whether a query has a word that is `name`: it may be recursive.
pub(super) fn names(query: &ast::Query, name: &str) -> bool {
    let text = query.body.to_string();
    let dialect = sqlparser::dialect::DuckDbDialect {};
    let tokens = Tokenizer::new(&dialect, &text).tokenize().unwrap_or_default();
    tokens
        .iter()
        .any(|t| matches!(t, Token::Word(w) if w.value.eq_ignore_ascii_case(name)))
}

impl Planner<'_> {
    /// All rows of the recursive query at a place of the list of names.
    pub(super) fn recursion(&mut self, cte: &Cte, at: usize) -> Result<Table> {
        let sees = self.ctes[..cte.sees]
            .iter()
            .map(|c| format!("{} AS ({})\n", c.name, c.query));
        let key = format!(
            "{}{} {:?} {}",
            sees.collect::<String>(),
            cte.name,
            cte.columns,
            cte.query
        );
        if let Some(done) = self.computed.get(&key) {
            return Ok(done.clone());
        }
        let hidden = self.ctes.split_off(at);
        let done = self.apart(|p| p.steps(cte));
        self.ctes.truncate(at);
        self.ctes.extend(hidden);
        let done = done?;
        self.computed.insert(key, done.clone());
        Ok(done)
    }

    fn steps(&mut self, cte: &Cte) -> Result<Table> {
        let query = &cte.query;
        let SetExpr::SetOperation {
            left: base,
            op: SetOperator::Union,
            set_quantifier,
            right: step,
        } = query.body.as_ref()
        else {
            let e = Error::query(format!("the query \"{}\" names itself", cte.name));
            return Err(e.help("a recursive query is: first rows UNION ALL next rows, which name it"));
        };
        let once = match set_quantifier {
            SetQuantifier::All => false,
            SetQuantifier::None | SetQuantifier::Distinct => true,
            other => return Err(unsupported(&format!("UNION {other} in a recursive query"))),
        };
        if query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
            let e = unsupported("ORDER BY and LIMIT in a recursive query");
            return Err(e.help("put them into the query that uses it"));
        }
        self.with(query, usize::MAX)?;
        let base = self.body(base, None, &Scope::NOTHING)?;
        let mut schema = self.columns_of(&base, cte)?;
        schema = self.widened(cte, step, schema)?;
        let recursion = Recursion::new(self, cte, step, schema, once, base);
        Ok(Table {
            name: cte.name.clone(),
            dataset: Arc::new(recursion),
        })
    }

    /// The plan of a step over the rows of the one before.
    pub(super) fn step(&mut self, cte: &Cte, step: &SetExpr, rows: &RecordBatch) -> Result<Rel> {
        let before = self.ctes.len();
        self.ctes.push(Cte {
            rows: Some(table(&cte.name, rows)?),
            sees: before,
            ..cte.clone()
        });
        let planned = self.body(step, None, &Scope::NOTHING);
        self.ctes.truncate(before);
        planned
    }

    /// The columns of the first rows, by the names that they have for everyone.
    fn columns_of(&self, base: &Rel, cte: &Cte) -> Result<SchemaRef> {
        let plan = base.plan.schema()?;
        let open = base.cols.iter().filter(|c| c.open);
        let mut fields = Vec::new();
        for (i, c) in open.enumerate() {
            let ty = types::logical(plan.field_with_name(&c.inner)?.data_type());
            fields.push(Field::new(cte.columns.get(i).unwrap_or(&c.name), ty, true));
        }
        if cte.columns.len() > fields.len() {
            let what = format!(
                "\"{}\" has {} columns, not {}",
                cte.name,
                fields.len(),
                cte.columns.len()
            );
            return Err(Error::query(what));
        }
        let mut seen = HashSet::new();
        if let Some(f) = fields.iter().find(|f| !seen.insert(f.name().to_lowercase())) {
            let e = Error::query(format!("two columns of \"{}\" are called {}", cte.name, f.name()));
            return Err(e.help(format!("name them: WITH RECURSIVE {}(a, b) AS …", cte.name)));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// The types that hold the first rows and those of every step.
    fn widened(&mut self, cte: &Cte, step: &SetExpr, schema: SchemaRef) -> Result<SchemaRef> {
        /// From nothing to int to float to text: types widen no further.
        const MOST: usize = 4;
        let mut schema = schema;
        for _ in 0..MOST {
            let rel = self.step(cte, step, &RecordBatch::new_empty(schema.clone()))?;
            let plan = rel.plan.schema()?;
            let open: Vec<_> = rel.cols.iter().filter(|c| c.open).collect();
            if open.len() != schema.fields().len() {
                let (a, b) = (schema.fields().len(), open.len());
                let e = Error::query(format!(
                    "the first SELECT of \"{}\" has {a} columns, the second {b}",
                    cte.name
                ));
                return Err(e.help("UNION matches columns by their place"));
            }
            let mut fields = Vec::new();
            for (f, c) in schema.fields().iter().zip(open) {
                let theirs = types::logical(plan.field_with_name(&c.inner)?.data_type());
                let ty = expr::common(f.data_type(), &theirs).ok_or_else(|| {
                    let (x, y) = (types::name(f.data_type()), types::name(&theirs));
                    Error::query(format!(
                        "column \"{}\" is {x} in the first SELECT and {y} in the second",
                        f.name()
                    ))
                    .help("cast one of them")
                })?;
                fields.push(Field::new(f.name(), ty, true));
            }
            let wider = Arc::new(Schema::new(fields));
            if wider == schema {
                break;
            }
            schema = wider;
        }
        Ok(schema)
    }

    /// The rows of a plan as those of the table; with `once` each that is not among `before` one time.
    pub(super) fn run(
        &mut self,
        rel: Rel,
        schema: &SchemaRef,
        before: Option<&RecordBatch>,
        (once, settings): (bool, Settings),
    ) -> Result<RecordBatch> {
        let own = rel.plan.schema()?;
        let mut rel = rel.settle();
        rel.cols.retain(|c| c.open);
        let mut exprs = Vec::new();
        for (c, f) in rel.cols.iter_mut().zip(schema.fields()) {
            let inner = self.fresh(f.name());
            let e = Expr::column(&c.inner);
            let same = types::logical(own.field_with_name(&c.inner)?.data_type()) == *f.data_type();
            exprs.push((inner.clone(), if same { e } else { cast_to(e, f.data_type())? }));
            (c.inner, c.name) = (inner, f.name().clone());
        }
        let rel = rel.map(|input| LogicalPlan::Project { input, exprs });
        let rel = match (before, once) {
            (Some(before), _) => {
                let names = schema.fields().iter().map(|f| f.name().clone()).collect();
                let before = LogicalPlan::scan(table("rows before", before)?);
                let before = self.fresh_rel(before, names);
                self.except(rel, before)?
            }
            (None, true) => self.distinct(rel),
            (None, false) => rel,
        };
        let frame = Frame::from_plan(super::finish(rel), &self.notes, settings)?;
        let found = frame.collect()?;
        let mut batches = Vec::new();
        for b in &found.batches {
            let columns = b.columns().iter().zip(schema.fields());
            let columns: Vec<ArrayRef> = columns
                .map(|(c, f)| cast::array(c, f.data_type(), false))
                .collect::<Result<_>>()?;
            batches.push(RecordBatch::try_new(schema.clone(), columns)?);
        }
        Ok(concat_batches(schema, &batches)?)
    }
}

pub(super) fn table(name: &str, rows: &RecordBatch) -> Result<Table> {
    let dataset = MemoryDataset::of_columns(rows.schema(), rows.columns().to_vec(), rows.num_rows())?;
    Ok(Table {
        name: name.to_string(),
        dataset: Arc::new(dataset),
    })
}

fn cast_to(e: Expr, ty: &DataType) -> Result<Expr> {
    match CastType::of(ty) {
        Some(_) => e.cast_to(ty),
        None => Ok(e),
    }
}
