//! Columns of CSV files that go to CSV as they are keep their text: `10.50`, `TRUE`, `2.2E+11`.
//!
//! ```text
//!   Project id, price                    Project id = text of id, price = text of price
//!     Filter price > 5         ─►          Filter price > 5
//!       Scan f.csv                           Scan f.csv and the text of both       id as a number is not read at all
//! ```
//!
//! So such columns need no type, and rows can go out before all values were looked at. What is held back instead of
//! handed on, in a sort or as the right side of a join, is held as values, which take a third of the time
//! that texts would.

use std::collections::HashMap;

use super::Frame;
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::kernel::names::place;
use crate::kernel::types;
use crate::plan::{LogicalPlan, Table};
use crate::source;

/// The frame with the text of its files in the columns that nothing computes.
pub(super) fn as_written(frame: &Frame) -> Result<Frame> {
    let plan = frame.plan();
    let schema = plan.schema()?;
    let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut written = Written::default();
    let (plan, found) = written.carry(plan, &names)?;
    if found.iter().all(Option::is_none) {
        return Ok(frame.clone());
    }
    let exprs = names.into_iter().zip(found);
    let exprs = exprs.map(|(name, text)| {
        let column = Expr::Column(text.unwrap_or_else(|| name.clone()));
        (name, column)
    });
    let plan = LogicalPlan::Project {
        exprs: exprs.collect(),
        input: Box::new(plan),
    };
    plan.schema()?;
    Ok(Frame {
        plan,
        order: Vec::new(),
        ..frame.clone()
    })
}

/// Numbers the columns that are added, so that no two have the same name.
#[derive(Default)]
struct Written {
    columns: usize,
}

impl Written {
    /// The plan, and for each of the columns `wanted` the one of the same rows that has the text of the file.
    fn carry(&mut self, plan: LogicalPlan, wanted: &[String]) -> Result<(LogicalPlan, Vec<Option<String>>)> {
        let nothing = vec![None; wanted.len()];
        match plan {
            LogicalPlan::Scan {
                table,
                columns: None,
                filter: None,
                limit: None,
            } => self.scan(table, wanted),
            LogicalPlan::Project { input, mut exprs } => {
                let below: Vec<Option<String>> = wanted.iter().map(|w| column_of(&exprs, w)).collect();
                let asked: Vec<String> = below.iter().flatten().cloned().collect();
                let (input, found) = self.carry(*input, &asked)?;
                let mut found = found.into_iter();
                let texts = below.into_iter().map(|b| b.and_then(|_| found.next().flatten()));
                let texts: Vec<Option<String>> = texts.collect();
                for text in texts.iter().flatten() {
                    if !exprs.iter().any(|(n, _)| n == text) {
                        exprs.push((text.clone(), Expr::column(text)));
                    }
                }
                let input = Box::new(input);
                Ok((LogicalPlan::Project { input, exprs }, texts))
            }
            LogicalPlan::Join {
                left,
                right,
                kind,
                on,
                filter,
                asof,
            } => {
                let (left, found) = self.where_there(*left, wanted)?;
                let plan = LogicalPlan::Join {
                    left: Box::new(left),
                    right,
                    kind,
                    on,
                    filter,
                    asof,
                };
                Ok((plan, found))
            }
            LogicalPlan::Filter { .. } | LogicalPlan::Limit { .. } => {
                let mut texts = nothing;
                let plan = plan.map_inputs(&mut |input| {
                    let (input, found) = self.carry(input, wanted)?;
                    texts = found;
                    Ok::<_, Error>(input)
                })?;
                Ok((plan, texts))
            }
            other => Ok((other, nothing)),
        }
    }

    /// The same for those of the columns that a plan has.
    fn where_there(
        &mut self,
        plan: LogicalPlan,
        wanted: &[String],
    ) -> Result<(LogicalPlan, Vec<Option<String>>)> {
        let schema = plan.schema()?;
        let there = |w: &String| place(&schema, w).is_some();
        let asked: Vec<String> = wanted.iter().filter(|w| there(w)).cloned().collect();
        let (plan, texts) = self.carry(plan, &asked)?;
        let mut texts = texts.into_iter();
        let found = wanted
            .iter()
            .map(|w| there(w).then(|| texts.next().flatten()).flatten());
        Ok((plan, found.collect()))
    }

    fn scan(&mut self, table: Table, wanted: &[String]) -> Result<(LogicalPlan, Vec<Option<String>>)> {
        let schema = table.dataset.schema().clone();
        // each by itself: one whose type is law has no other text
        let typed = |w: &String| {
            let at = place(&schema, w)?;
            let text = *schema.field(at).data_type() == types::TEXT;
            (!text && table.dataset.may_widen(&[at])).then_some(at)
        };
        let places: Vec<Option<usize>> = wanted.iter().map(typed).collect();
        let columns: Vec<usize> = places.iter().flatten().copied().collect();
        let dataset = match columns.is_empty() {
            true => None,
            false => table.dataset.clone().with_written(&columns),
        };
        let Some(dataset) = dataset else {
            return Ok((LogicalPlan::scan(table), vec![None; wanted.len()]));
        };
        let mut exprs = Expr::columns_of(&schema);
        let all = schema
            .fields()
            .iter()
            .map(|f| (f.name().clone(), f.name().clone()));
        let mut names: HashMap<String, String> = all.collect();
        let mut found = Vec::new();
        for (name, place) in wanted.iter().zip(places) {
            found.push(place.map(|_| {
                let text = source::as_written(name);
                match names.get(&text) {
                    Some(known) => known.clone(),
                    None => {
                        self.columns += 1;
                        let unique = format!("{text} {}", self.columns);
                        exprs.push((unique.clone(), Expr::column(&text)));
                        names.insert(text, unique.clone());
                        unique
                    }
                }
            }));
        }
        let name = table.name;
        let scan = LogicalPlan::Project {
            input: Box::new(LogicalPlan::scan(Table { name, dataset })),
            exprs,
        };
        Ok((scan, found))
    }
}

/// The column that stands behind one of a projection.
fn column_of(exprs: &[(String, Expr)], name: &str) -> Option<String> {
    match exprs.iter().find(|(n, _)| n == name) {
        Some((_, Expr::Column(c))) => Some(c.clone()),
        _ => None,
    }
}
