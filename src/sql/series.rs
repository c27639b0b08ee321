//! `generate_series(a, b, step)` and `range(a, b, step)` in FROM: numbers, or days and moments.
//!
//! ```text
//!   generate_series(1, 10)                                       1 to 10
//!   range(10)                                                    0 to 9
//!   generate_series(DATE '2024-01-01', DATE '2024-12-01', INTERVAL 1 MONTH)
//!                                                                start + n * step, n from a table of numbers
//! ```

use std::sync::Arc;

use sqlparser::ast::{FunctionArg, FunctionArgExpr};

use super::convert::Names;
use super::scope::{Rel, Scope};
use super::table::constant;
use super::{Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{BinaryOp, Expr};
use crate::kernel::Scalar;
use crate::plan::{LogicalPlan, Table};
use crate::source::SeriesDataset;

/// Their names.
pub(super) const FUNCTIONS: [&str; 2] = ["generate_series", "range"];

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

impl Planner<'_> {
    /// The rows of `function`, which is one of the two.
    pub(super) fn series(&mut self, function: &str, args: &[FunctionArg]) -> Result<(Rel, String)> {
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = arg else {
                return Err(unsupported(&format!("{arg} as an argument of {function}")));
            };
            let e = self.plain_expr(e, Names::of(&Scope::NOTHING), "a table function")?;
            values.push(match e {
                Expr::Literal(v) => v,
                e => constant(&e)?,
            });
        }
        let closed = function == "generate_series";
        let (plan, name) = match values.as_slice() {
            [Scalar::Int(stop)] => (numbers(function, 0, *stop, 1, closed)?, function),
            [Scalar::Int(start), Scalar::Int(stop)] => {
                (numbers(function, *start, *stop, 1, closed)?, function)
            }
            [Scalar::Int(start), Scalar::Int(stop), Scalar::Int(step)] => {
                (numbers(function, *start, *stop, *step, closed)?, function)
            }
            [start, stop, Scalar::Interval(months, days, us)] => {
                let step = (*months, *days, *us);
                (moments(function, start, stop, step, closed)?, function)
            }
            _ => return Err(wrong(function)),
        };
        Ok((self.fresh_rel(plan, vec![name.to_string()]), function.to_string()))
    }
}

fn wrong(function: &str) -> Error {
    Error::query(format!("wrong arguments of {function}")).help(format!(
        "{function}(1, 10), {function}(1, 10, 2), or {function}(DATE '2024-01-01', DATE '2024-12-31', INTERVAL '1 day')"
    ))
}

fn numbers(name: &str, start: i64, stop: i64, step: i64, closed: bool) -> Result<LogicalPlan> {
    Ok(LogicalPlan::scan(Table {
        name: name.to_string(),
        dataset: Arc::new(SeriesDataset::new(name, start, stop, step, closed)?),
    }))
}

/// A moment in microseconds, and whether it is one of UTC.
fn moment(v: &Scalar) -> Option<(i64, bool)> {
    match v {
        Scalar::Date(d) => Some((i64::from(*d) * DAY, false)),
        Scalar::Timestamp(us, utc) => Some((*us, *utc)),
        _ => None,
    }
}

fn moments(
    name: &str,
    start: &Scalar,
    stop: &Scalar,
    step: (i32, i32, i64),
    closed: bool,
) -> Result<LogicalPlan> {
    let ((from, utc), (to, other)) = moment(start).zip(moment(stop)).ok_or_else(|| wrong(name))?;
    if utc != other {
        return Err(Error::query(format!(
            "{name} from a moment with a time zone to one without, or back"
        ))
        .help("cast both to TIMESTAMP or to TIMESTAMPTZ"));
    }
    let rows = match step {
        (0, days, us) => {
            let size = i64::from(days).checked_mul(DAY).and_then(|d| d.checked_add(us));
            let size = size.ok_or_else(|| wrong(name))?;
            SeriesDataset::new(name, from, to, size, closed)?.count()
        }
        (months, 0, 0) => by_months(name, (from, to), months, closed)?,
        _ => {
            return Err(Error::query(format!("{name} with a step of months and days"))
                .help("take months alone, or days, hours and the like"));
        }
    };
    let start = Expr::Literal(Scalar::Timestamp(from, utc));
    let span = Expr::Literal(Scalar::Interval(step.0, step.1, step.2));
    let times = Expr::binary(BinaryOp::Mul, Expr::column(name), span);
    Ok(LogicalPlan::Project {
        input: Box::new(numbers(name, 0, rows, 1, false)?),
        exprs: vec![(name.to_string(), Expr::binary(BinaryOp::Add, start, times))],
    })
}

/// The number of rows at distances of months. From a day that some month does not have there are two ways to go
/// on, so that is refused.
fn by_months(name: &str, (from, to): (i64, i64), months: i32, closed: bool) -> Result<i64> {
    let part = |unit: &str, us: i64| -> Result<i64> {
        let call = format!("{unit}(x)");
        let e = crate::expr::parse(&call)?.map(&mut |e| {
            Ok(match e {
                Expr::Column(_) => Expr::Literal(Scalar::Timestamp(us, false)),
                e => e,
            })
        })?;
        match constant(&e)? {
            Scalar::Int(n) => Ok(n),
            _ => Err(Error::defect("a part of a moment that is no number")),
        }
    };
    if part("day", from)? > 28 {
        return Err(Error::query(format!("{name} by months from the end of a month"))
            .help("start at the first day of a month, and take last_day() of each"));
    }
    let index = |us: i64| Ok::<i64, Error>(part("year", us)? * 12 + part("month", us)? - 1);
    let rest = |us: i64| Ok::<i64, Error>((part("day", us)? - 1) * DAY + us.rem_euclid(DAY));
    // months since the year 0, and the place within the month, as one number of a wide enough month
    const MONTH: i64 = 32 * DAY;
    let place =
        |us: i64| Ok::<i128, Error>(i128::from(index(us)?) * i128::from(MONTH) + i128::from(rest(us)?));
    let (a, b) = (place(from)?, place(to)?);
    let step = i128::from(months) * i128::from(MONTH);
    let way = if months > 0 { b - a } else { a - b };
    let rows = match (way, step.unsigned_abs() as i128, closed) {
        (_, 0, _) => {
            return Err(Error::query(format!("{name} with a step of 0")).help("a step must not be 0"));
        }
        (..0, ..) => 0,
        (way, step, true) => way / step + 1,
        (way, step, false) => (way + step - 1) / step,
    };
    i64::try_from(rows).map_err(|_| Error::query(format!("{name} has too many rows")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn months(from: &str, to: &str, step: i32, closed: bool) -> i64 {
        let us = |t: &str| {
            let e = crate::expr::parse(&format!("TIMESTAMP '{t}'")).unwrap();
            moment(&constant(&e).unwrap()).unwrap().0
        };
        by_months("n", (us(from), us(to)), step, closed).unwrap()
    }

    #[test]
    fn months_are_counted() {
        assert_eq!(months("2024-01-01", "2024-12-01", 1, true), 12);
        assert_eq!(months("2024-01-01", "2024-12-01", 1, false), 11);
        assert_eq!(months("2024-01-15", "2024-12-01", 1, true), 11);
        assert_eq!(months("2024-12-01", "2024-01-01", -3, true), 4);
        assert_eq!(months("2024-12-01", "2024-01-01", 3, true), 0);
    }
}
