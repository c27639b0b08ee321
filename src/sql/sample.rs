//! `TABLESAMPLE 10 PERCENT`: each row is taken or not by a hash of its number and a seed.
//!
//! ```text
//!   Filter __sampled(row, seed, 10)     so the same rows are taken whatever the threads, blocks and memory;
//!     Window row = row_number()         other seeds take others, the default seed is 0
//!       Scan
//! ```

use sqlparser::ast::{self, TableSampleKind, TableSampleMethod, TableSampleUnit, Value};

use super::convert::Names;
use super::scope::{Rel, Scope};
use super::table::constant;
use super::{Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{Expr, Func, WindowCall, WindowFrame, WindowFunc};
use crate::kernel::Scalar;
use crate::plan::LogicalPlan;

const HELP: &str = "write TABLESAMPLE 10 PERCENT, or TABLESAMPLE 10 PERCENT REPEATABLE (42) for other rows";

impl Planner<'_> {
    /// Some rows of a table.
    pub(super) fn sampled(&mut self, rel: Rel, sample: &TableSampleKind) -> Result<Rel> {
        let (TableSampleKind::BeforeTableAlias(s) | TableSampleKind::AfterTableAlias(s)) = sample;
        if !matches!(s.name, None | Some(TableSampleMethod::Bernoulli))
            || s.bucket.is_some()
            || s.offset.is_some()
        {
            return Err(unsupported(&format!("{s}")).help(HELP));
        }
        let share = match &s.quantity {
            Some(q) if matches!(q.unit, Some(TableSampleUnit::Percent)) => self.percent(&q.value)?,
            Some(q) if matches!(q.unit, Some(TableSampleUnit::Rows)) => {
                return Err(unsupported("a sample of so many rows").help(HELP));
            }
            _ => return Err(Error::query("TABLESAMPLE of what share of the rows?").help(HELP)),
        };
        let seed = match &s.seed {
            None => 0,
            Some(seed) => match &seed.value.value {
                Value::Number(n, _) => n
                    .parse()
                    .map_err(|_| Error::query(format!("the seed {n} is no whole number")).help(HELP))?,
                other => return Err(Error::query(format!("the seed {other} is no whole number")).help(HELP)),
            },
        };
        self.rows_of_sample(rel, share, seed)
    }

    fn percent(&mut self, e: &ast::Expr) -> Result<f64> {
        let e = self.plain_expr(e, Names::of(&Scope::NOTHING), "TABLESAMPLE")?;
        let share = match constant(&e)? {
            Scalar::Int(n) => n as f64,
            Scalar::Float(x) => x,
            Scalar::Decimal(v, _, scale) => v as f64 / 10f64.powi(i32::from(scale)),
            _ => return Err(Error::query(format!("{e} is no share of rows")).help(HELP)),
        };
        match (0.0..=100.0).contains(&share) {
            true => Ok(share),
            false => Err(Error::query(format!("{e} PERCENT is not between 0 and 100")).help(HELP)),
        }
    }

    fn rows_of_sample(&mut self, mut rel: Rel, share: f64, seed: i64) -> Result<Rel> {
        let row = self.fresh("row");
        let number = WindowCall {
            func: WindowFunc::RowNumber,
            args: Vec::new(),
            filter: None,
            ignore_nulls: false,
            distinct: false,
            partition: Vec::new(),
            order: Vec::new(),
            frame: WindowFrame::default(),
        };
        let ties = std::mem::take(&mut rel.order);
        rel.plan = rel.plan.windows(vec![(row.clone(), number)], ties)?;
        let args = vec![
            Expr::Column(row),
            Expr::Literal(Scalar::Int(seed)),
            Expr::Literal(Scalar::Float(share)),
        ];
        let predicate = Expr::Function {
            func: Func::Sampled,
            args,
        };
        Ok(rel.map(|input| LogicalPlan::Filter { input, predicate }))
    }
}
