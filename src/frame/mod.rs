//! The lazy dataframe: what programs, flags and later SQL build, and what runs it.
//!
//! ```text
//!   Frame::read("data/*.csv")  .filter(..) .groupby(..).agg(..) .sort(..)     builds a plan, reads only headers
//!        └─► .explain()   the plan, optimised, and the stages
//!        └─► .collect()   rows in memory            ┐ optimise ► lower ► schedule;
//!        └─► .write(..)   rows into a file          ┘ again, when a column turned out wider than sampled
//! ```
//!
//! ```
//! use ddf::Frame;
//! let delays = Frame::read("testdata/nycflights/*.csv")?
//!     .filter("Cancelled = 0")?
//!     .groupby(["Origin"])?
//!     .agg(["mean(DepDelay)", "late = avg(DepDelay > 15)"])?
//!     .collect()?;
//! assert_eq!(delays.rows(), 3);
//! # Ok::<(), ddf::Error>(())
//! ```

mod analysis;
mod asof;
mod certain;
mod delayed;
mod events;
mod group;
mod join;
mod once;
mod resume;
mod run;
mod settings;
mod summary;
mod together;
mod untouched;
mod window;
mod zone;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::expr::{AggCall, AggFunc, Columns, Expr};
use crate::graph::{self, Graph};
use crate::kernel::types;
use crate::observe::{Observer, Recorder, Warning};
use crate::optimize::{self, RowOrder};
use crate::plan::{self, LogicalPlan, OrderBy, Table};
use crate::source::{self, ReadOptions};
use crate::write::{Format, Target, WriteOptions};

pub use analysis::Analysis;
pub use asof::{AsOf, Direction};
pub use group::GroupBy;
pub use join::How;
pub use run::{Report, Rows, write_aside};
pub use settings::Settings;

/// A lazy table: a plan over files, built step by step; nothing but headers and samples is read
/// before [`Frame::collect`] or [`Frame::write`].
///
/// Steps check names and types at once: a misspelt column fails where it is named.
#[derive(Debug, Clone)]
pub struct Frame {
    plan: LogicalPlan,
    /// The order that rows have if nobody asks for another (groups come in the order of their keys).
    order: Vec<OrderBy>,
    /// What is promised of their order otherwise.
    rows: RowOrder,
    settings: Arc<Settings>,
    /// What to tell the user about the names of the files.
    notes: Arc<[Warning]>,
}

impl Frame {
    /// Reads files: a path, a glob (`data/**/*.csv`), a folder, `@list.txt`, or `-`.
    ///
    /// # Errors
    /// Nothing is found, a file cannot be opened, or its header makes no sense.
    pub fn read(input: &str) -> Result<Frame> {
        Frame::read_with([input], &ReadOptions::default(), Settings::default())
    }

    /// Reads files with options of their own, to be run with `settings`. Names need not be UTF-8.
    ///
    /// # Errors
    /// As [`Frame::read`].
    pub fn read_with<S: AsRef<OsStr>>(
        inputs: impl IntoIterator<Item = S>,
        options: &ReadOptions,
        settings: Settings,
    ) -> Result<Frame> {
        let inputs: Vec<OsString> = inputs.into_iter().map(|i| i.as_ref().to_owned()).collect();
        let (threads, memory) = (settings.threads(), settings.memory());
        let (dataset, notes) = source::open(&inputs, options, threads, memory, &settings.copy_dir())?;
        let table = Table {
            name: inputs.join(OsStr::new(" ")).to_string_lossy().into_owned(),
            dataset,
        };
        let mut frame = Frame::from_table(table, settings);
        frame.notes = notes.into();
        Ok(frame)
    }

    /// A frame over any table, also one of your own making.
    pub fn from_table(table: Table, settings: Settings) -> Frame {
        Frame {
            plan: LogicalPlan::scan(table),
            order: Vec::new(),
            rows: RowOrder::Promised,
            settings: Arc::new(settings),
            notes: Arc::default(),
        }
    }

    /// A frame of a plan that was built elsewhere over the tables of `parts`, to be run with `settings`.
    /// Its rows come in the order that the plan sorts by; nothing else of their order is promised.
    ///
    /// # Errors
    /// The plan does not hold together.
    pub fn from_plan(plan: LogicalPlan, parts: &[Frame], settings: Settings) -> Result<Frame> {
        plan.schema()?;
        let mut notes: Vec<Warning> = Vec::new();
        for note in parts.iter().flat_map(|f| f.notes.iter()) {
            if !notes.iter().any(|n| n.key == note.key) {
                notes.push(note.clone());
            }
        }
        Ok(Frame {
            plan,
            order: Vec::new(),
            rows: RowOrder::Any,
            settings: Arc::new(settings),
            notes: notes.into(),
        })
    }

    /// The same frame, to be run with other settings.
    pub fn with_settings(mut self, settings: Settings) -> Frame {
        self.settings = Arc::new(settings);
        self
    }

    /// Keeps the rows where `condition` is true.
    ///
    /// # Errors
    /// The text is no expression, a column is unknown, or it is not true or false.
    pub fn filter(self, condition: &str) -> Result<Frame> {
        let predicate = Columns::of(&*self.schema()?).expr(condition)?;
        self.filter_expr(predicate)
    }

    /// [`Frame::filter`] with a built expression.
    ///
    /// # Errors
    /// A column is unknown, or the expression is not true or false.
    pub fn filter_expr(self, predicate: Expr) -> Result<Frame> {
        window::refuse(&predicate, "a filter")?;
        if predicate.has_aggregate() {
            return Err(Error::query(format!(
                "a filter of rows cannot use the aggregate in {predicate}"
            ))
            .help("filter groups with --having"));
        }
        let order = self.order.clone();
        let mut f = self.wrap(|input| LogicalPlan::Filter { input, predicate })?;
        f.order = order;
        Ok(f)
    }

    /// Adds a column, or replaces the one of that name: `"speed = Distance / AirTime * 60"`. Window
    /// functions may look at the rows around: `"n = row_number() over (partition by Origin order by DepDelay)"`.
    ///
    /// # Errors
    /// The text is not `name = expression`, or a column in it is unknown.
    pub fn with(self, column: &str) -> Result<Frame> {
        let schema = self.schema()?;
        let (name, e) = Columns::of(&schema).named(column)?;
        let name = name.ok_or_else(|| {
            Error::query(format!("{column:?} does not name the new column"))
                .help("write it as 'name = expression'")
        })?;
        let mut exprs = Expr::columns_of(&schema);
        match exprs.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = e,
            None => exprs.push((name, e)),
        }
        self.select_exprs(exprs)
    }

    /// Keeps or computes just these columns: names, or `"name = expression"`.
    ///
    /// # Errors
    /// A column is unknown, or two would have the same name.
    pub fn select<'a>(self, columns: impl IntoIterator<Item = &'a str>) -> Result<Frame> {
        let schema = self.schema()?;
        let parsed: Result<Vec<_>> = columns.into_iter().map(|c| named(c, &schema)).collect();
        self.select_exprs(parsed?)
    }

    /// [`Frame::select`] with built expressions.
    ///
    /// # Errors
    /// As [`Frame::select`].
    pub fn select_exprs(self, exprs: Vec<(String, Expr)>) -> Result<Frame> {
        let (frame, exprs) = self.windowed(exprs)?;
        frame
            .ordered()
            .wrap(|input| LogicalPlan::Project { input, exprs })
    }

    /// Groups rows by columns or expressions (`"Origin"`, `"day = dayofweek(Date)"`); without any,
    /// all rows are one group.
    ///
    /// # Errors
    /// A text is no expression.
    pub fn groupby<'a>(self, keys: impl IntoIterator<Item = &'a str>) -> Result<GroupBy> {
        let schema = self.schema()?;
        let keys: Result<Vec<_>> = keys.into_iter().map(|k| named(k, &schema)).collect();
        Ok(GroupBy::new(self, keys?))
    }

    /// One row for each group of the whole table.
    ///
    /// # Errors
    /// As [`GroupBy::agg`].
    pub fn agg<'a>(self, aggregates: impl IntoIterator<Item = &'a str>) -> Result<Frame> {
        self.groupby([])?.agg(aggregates)
    }

    /// Drops rows that came before; the others keep their order.
    ///
    /// # Errors
    /// None of its own.
    pub fn distinct(self) -> Result<Frame> {
        let keys = Expr::columns_of(&*self.schema()?);
        if keys.is_empty() {
            return Ok(self);
        }
        let names = keys.iter().map(|(n, _)| n);
        let (visible, place) = (keys.clone(), types::hidden('\u{1}', names) + "place");
        let first = AggCall {
            func: AggFunc::Min,
            arg: Some(Expr::Place),
            distinct: false,
            filter: None,
        };
        // Rows are groups of their own kind; each stands where it was first seen.
        self.ordered()
            .wrap(|input| LogicalPlan::Aggregate {
                input,
                keys,
                aggs: vec![(place.clone(), first)],
            })?
            .wrap(|input| LogicalPlan::Sort {
                input,
                keys: vec![OrderBy::ascending(&place)],
                limit: None,
            })?
            .wrap(|input| LogicalPlan::Project {
                input,
                exprs: visible,
            })
    }

    /// Orders rows; each key is `"column"`, `"column:desc"`, `"column:nullsfirst"` or both. Rows
    /// that compare equal keep their order.
    ///
    /// # Errors
    /// A column is unknown or a flag is none of these.
    pub fn sort<'a>(self, keys: impl IntoIterator<Item = &'a str>) -> Result<Frame> {
        let schema = self.schema()?;
        let keys: Result<Vec<_>> = keys.into_iter().map(|k| order_by(k, &schema)).collect();
        self.sort_by(keys?)
    }

    /// [`Frame::sort`] with built keys.
    ///
    /// # Errors
    /// A column is unknown.
    pub fn sort_by(mut self, mut keys: Vec<OrderBy>) -> Result<Frame> {
        keys.append(&mut self.order);
        self.wrap(|input| LogicalPlan::Sort {
            input,
            keys,
            limit: None,
        })
    }

    /// Leaves out `skip` rows, then takes at most `take`.
    ///
    /// # Errors
    /// None of its own.
    pub fn limit(self, skip: u64, take: Option<u64>) -> Result<Frame> {
        self.ordered()
            .wrap(|input| LogicalPlan::Limit { input, skip, take })
    }

    /// The same questions of only one partition of a table: for running what failed again. Tables count
    /// in the order of the plan, from zero; [`crate::error::FailedTask`] has the numbers of a failure.
    ///
    /// # Errors
    /// There is no such table, or it has fewer partitions.
    pub fn only_partition(&self, table: usize, part: usize) -> Result<Frame> {
        let plan = self.plan();
        let Some(wanted) = plan.tables().get(table).map(|t| t.dataset.clone()) else {
            return Err(Error::usage(format!(
                "there is no table {table}: the query has {}",
                plan.tables().len()
            )));
        };
        let whole = wanted.clone().kept(&self.settings.copy_dir().cancelled)?;
        let whole = whole.unwrap_or_else(|| wanted.clone());
        let one: Arc<dyn source::Dataset> = Arc::new(source::OnePartition::new(whole, part)?);
        self.replace_tables(&mut |t| {
            let dataset = match Arc::ptr_eq(&t.dataset, &wanted) {
                true => one.clone(),
                false => t.dataset.clone(),
            };
            let name = t.name.clone();
            Ok(Table { name, dataset })
        })
    }

    /// Names and types of the columns.
    ///
    /// # Errors
    /// None once a frame is built.
    pub fn schema(&self) -> Result<SchemaRef> {
        self.plan.schema()
    }

    /// The plan as it was built.
    pub fn plan(&self) -> LogicalPlan {
        self.clone().ordered().plan
    }

    /// The plan with moments by the clocks of the time zone that was asked for.
    fn local_plan(&self) -> Result<LogicalPlan> {
        let plan = plan::unite(self.plan())?;
        match &self.settings.time_zone {
            Some(zone) => zone::localize(plan, zone),
            None => Ok(plan),
        }
    }

    /// The optimised plan.
    ///
    /// # Errors
    /// A fault of a rule.
    pub fn optimized(&self) -> Result<LogicalPlan> {
        if self.settings.optimize {
            optimize::optimize(self.local_plan()?, self.rows)
        } else {
            self.local_plan()
        }
    }

    /// The stages that will run.
    ///
    /// # Errors
    /// As [`Frame::optimized`].
    pub fn graph(&self) -> Result<Graph> {
        graph::lower(&self.optimized()?)
    }

    /// Plan, optimised plan and stages, as text.
    ///
    /// # Errors
    /// As [`Frame::optimized`].
    pub fn explain(&self) -> Result<String> {
        Ok(format!(
            "plan\n{}\noptimized\n{}\nstages\n{}",
            indent(&plan::explain(&self.plan())),
            indent(&plan::explain(&self.optimized()?)),
            indent(&graph::text(&self.graph()?))
        ))
    }

    /// What it holds in memory at most, stage after stage, with its settings: nothing of it follows the
    /// number of partitions.
    ///
    /// # Errors
    /// As [`Frame::optimized`].
    pub fn pressure(&self) -> Result<graph::Pressure> {
        let (threads, limit) = (self.settings.threads(), self.settings.memory() as u64);
        Ok(self.graph()?.pressure(threads, limit))
    }

    /// Runs it and keeps the rows in memory.
    ///
    /// # Errors
    /// Whatever can go wrong with the files, the values in them, and the limits.
    pub fn collect(&self) -> Result<Rows> {
        run::Runner::new(self.settings.clone()).collect(self)
    }

    /// Runs it, forgets the rows, and answers how it went, with a line for each operator
    /// ([`Analysis::text`]). `watch` gets the run's context as it starts.
    ///
    /// # Errors
    /// As [`Frame::collect`].
    pub fn analyze(&self, watch: impl FnMut(&Arc<crate::pipeline::RunContext>)) -> Result<Analysis> {
        let recorder = Recorder::new("", None);
        let report = self.clone().observed(recorder.clone()).dry_run(watch)?;
        Ok(Analysis {
            report,
            model: recorder.model(),
        })
    }

    /// Runs it and forgets the rows. `watch` gets the run's context as it starts.
    ///
    /// # Errors
    /// As [`Frame::collect`].
    pub fn dry_run(&self, watch: impl FnMut(&Arc<crate::pipeline::RunContext>)) -> Result<Report> {
        run::Runner::new(self.settings.clone()).count(self, watch)
    }

    /// Runs it and writes the rows to a file, whole or not at all; the format follows the name.
    ///
    /// # Errors
    /// As [`Frame::collect`], and what can go wrong with the target.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<Report> {
        let path = path.as_ref();
        let format = Format::from_path(path).ok_or_else(|| {
            Error::usage(format!("cannot tell a format from the name {}", path.display()))
                .help("end it in .csv, .tsv, .json, .jsonl, .md, .parquet or .arrow")
        })?;
        let target = Target::File(path.to_path_buf());
        self.write_to(target, format, &WriteOptions::default(), |_| {})
    }

    /// Runs it and writes the rows; `watch` gets the run's context as it starts.
    ///
    /// # Errors
    /// As [`Frame::write`].
    pub fn write_to(
        &self,
        target: Target,
        format: Format,
        options: &WriteOptions,
        watch: impl FnMut(&Arc<crate::pipeline::RunContext>),
    ) -> Result<Report> {
        let shown = match &self.settings.time_zone {
            Some(zone) if !format.is_binary() => zone::shown(self.clone(), zone)?,
            _ => self.clone(),
        };
        let kept = format.is_delimited() && !options.normalize && options.float_format.is_none();
        let shown = if kept {
            untouched::as_written(&shown)?
        } else {
            shown
        };
        run::Runner::new(self.settings.clone()).write(&shown, target, format, options, watch)
    }

    /// The same frame, of which a single run is to come, and nothing else will ask for its tables: inputs that can be
    /// read only once (`-`, pipes) are then read as they come where one pass over them is enough, and copied to disk
    /// only where it is not.
    pub fn run_once(mut self) -> Frame {
        let mut settings = self.settings.as_ref().clone();
        settings.last_run = true;
        self.settings = Arc::new(settings);
        self
    }

    /// Lets an observer see all its runs; see [`Observer`].
    pub fn observed(mut self, observer: Arc<dyn Observer>) -> Frame {
        let mut settings = self.settings.as_ref().clone();
        settings.observers.add(observer);
        self.settings = Arc::new(settings);
        self
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Which line of a file looks more like the header than what was taken for it, in words.
    pub fn better_header(&self) -> Option<String> {
        self.plan.tables().iter().find_map(|t| t.dataset.better_header())
    }

    /// Puts the pending order into the plan.
    fn ordered(mut self) -> Frame {
        self.plan = self.plan.sorted(std::mem::take(&mut self.order));
        self
    }

    fn wrap(self, node: impl FnOnce(Box<LogicalPlan>) -> LogicalPlan) -> Result<Frame> {
        let plan = node(Box::new(self.plan));
        plan.schema()?;
        Ok(Frame {
            plan,
            order: Vec::new(),
            rows: self.rows,
            settings: self.settings,
            notes: self.notes,
        })
    }

    /// The same questions of another dataset (the same files with wider types).
    fn replace_tables(&self, tables: &mut dyn FnMut(&Table) -> Result<Table>) -> Result<Frame> {
        let mut f = self.clone();
        f.plan = replace(f.plan, tables)?;
        f.plan.schema()?;
        Ok(f)
    }
}

fn replace(plan: LogicalPlan, tables: &mut dyn FnMut(&Table) -> Result<Table>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Scan {
            table,
            columns,
            filter,
            limit,
        } => Ok(LogicalPlan::Scan {
            table: tables(&table)?,
            columns,
            filter,
            limit,
        }),
        other => other.map_inputs(&mut |p| replace(p, tables)),
    }
}

/// A column, `name = expression`, or an expression that names itself.
fn named(text: &str, schema: &Schema) -> Result<(String, Expr)> {
    let (name, e) = Columns::of(schema).key(text)?;
    Ok((name.unwrap_or_else(|| e.default_name()), e))
}

/// `column[:asc|desc][:nullsfirst|nullslast]`, or an expression in place of the column.
fn order_by(text: &str, schema: &Schema) -> Result<OrderBy> {
    let columns = Columns::of(schema);
    let mut key = OrderBy {
        expr: Expr::Literal(crate::kernel::Scalar::Null),
        descending: false,
        nulls_first: false,
    };
    let mut column = text;
    while columns.find(column).is_none()
        && let Some((before, flag)) = column.rsplit_once(':')
    {
        match flag.trim() {
            "asc" => key.descending = false,
            "desc" => key.descending = true,
            "nullsfirst" => key.nulls_first = true,
            "nullslast" => key.nulls_first = false,
            _ => break,
        }
        column = before;
    }
    key.expr = match columns.key(column) {
        Ok((_, e)) => e,
        // what is no expression was meant as a name
        Err(e) if column.contains(['(', '"']) => return Err(e),
        Err(_) => return Err(columns.missing(column.trim())),
    };
    Ok(key)
}

fn indent(text: &str) -> String {
    text.lines().map(|l| format!("  {l}\n")).collect()
}
