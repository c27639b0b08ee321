//! Columns of CSV files that go to CSV as they are keep their text: `10.50`, `TRUE`, `2.2E+11`.
//!
//! ```text
//!   Project id, price                    Project id = text of id, price = text of price
//!     Filter price > 5         ─►          Filter price > 5
//!       Scan f.csv                           Scan f.csv and the text of both       id as a number is not read at all
//! ```
//!
//! So such columns need no type, and rows can go out before all values were looked at. Sorts, joins, window functions
//! and unions move rows, and what they move keeps its text: keys are compared as values, beside the texts that go out.
//! A union has the text of a column where each of its inputs has, or has nothing but nulls.

use std::collections::{HashMap, HashSet};

use super::Frame;
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::kernel::names::place;
use crate::kernel::{Scalar, types};
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
                let names = by_name(&exprs);
                let below = wanted.iter().map(|w| match names.get(w.as_str()) {
                    Some(Expr::Column(c)) => Some(c.clone()),
                    _ => None,
                });
                let below: Vec<Option<String>> = below.collect();
                let asked: Vec<String> = below.iter().flatten().cloned().collect();
                let (input, found) = self.carry(*input, &asked)?;
                let mut found = found.into_iter();
                let texts = below.into_iter().map(|b| b.and_then(|_| found.next().flatten()));
                let texts: Vec<Option<String>> = texts.collect();
                let mut known: HashSet<String> = exprs.iter().map(|(n, _)| n.clone()).collect();
                for text in texts.iter().flatten() {
                    if known.insert(text.clone()) {
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
                let (left, mut found) = self.where_there(*left, wanted)?;
                let mut right = right;
                if kind.yields_right() {
                    let (carried, others) = self.where_there(*right, wanted)?;
                    right = Box::new(carried);
                    for (text, other) in found.iter_mut().zip(others) {
                        *text = text.take().or(other);
                    }
                }
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
            LogicalPlan::Union { inputs } => self.union(inputs, wanted),
            LogicalPlan::Filter { .. }
            | LogicalPlan::Limit { .. }
            | LogicalPlan::Sort { .. }
            | LogicalPlan::Window { .. } => {
                let mut texts = nothing;
                let plan = plan.map_inputs(&mut |input| {
                    let (input, found) = self.where_there(input, wanted)?;
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

    /// A union matches columns by place, so the texts stand behind the columns of each input.
    fn union(
        &mut self,
        inputs: Vec<LogicalPlan>,
        wanted: &[String],
    ) -> Result<(LogicalPlan, Vec<Option<String>>)> {
        let schema = inputs[0].schema()?;
        let missing = || Error::defect("a union without a column that is asked of it");
        let places = wanted.iter().map(|w| place(&schema, w).ok_or_else(missing));
        let places: Vec<usize> = places.collect::<Result<_>>()?;
        let (before, mut carried) = (inputs.clone(), Vec::new());
        for input in inputs {
            let own = input.schema()?;
            let names: Vec<String> = places.iter().map(|&p| own.field(p).name().clone()).collect();
            let alone: Vec<Option<Expr>> = names.iter().map(|n| text_of_nulls(&input, n)).collect();
            let (plan, found) = self.carry(input, &names)?;
            carried.push((plan, Expr::columns_of(&own), found, alone));
        }
        let mut texts: Vec<Option<String>> = Vec::new();
        for at in 0..wanted.len() {
            let some = carried.iter().any(|(_, _, found, _)| found[at].is_some());
            let all = (carried.iter()).all(|(_, _, found, alone)| found[at].is_some() || alone[at].is_some());
            if !(some && all) {
                texts.push(None);
                continue;
            }
            self.columns += 1;
            let unique = format!("{} {}", source::as_written(&wanted[at]), self.columns);
            for (_, exprs, found, alone) in &mut carried {
                let text = found[at].take().map(Expr::Column).or(alone[at].take());
                exprs.extend(text.map(|text| (unique.clone(), text)));
            }
            texts.push(Some(unique));
        }
        if texts.iter().all(Option::is_none) {
            return Ok((LogicalPlan::Union { inputs: before }, texts));
        }
        let inputs = carried.into_iter().map(|(plan, exprs, ..)| LogicalPlan::Project {
            input: Box::new(plan),
            exprs,
        });
        let inputs = inputs.collect();
        Ok((LogicalPlan::Union { inputs }, texts))
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

/// The text of a column that is nothing but nulls.
fn text_of_nulls(plan: &LogicalPlan, name: &str) -> Option<Expr> {
    let LogicalPlan::Project { input, exprs } = plan else {
        return None;
    };
    let null = Expr::null_of(&types::TEXT);
    match &exprs.iter().find(|(n, _)| n == name)?.1 {
        Expr::Column(below) => text_of_nulls(input, below),
        Expr::Literal(Scalar::Null) => null.ok(),
        Expr::Cast { expr, .. } if matches!(**expr, Expr::Literal(Scalar::Null)) => null.ok(),
        _ => None,
    }
}

/// What stands behind each column of a projection.
fn by_name(exprs: &[(String, Expr)]) -> HashMap<&str, &Expr> {
    exprs.iter().map(|(name, e)| (name.as_str(), e)).collect()
}
