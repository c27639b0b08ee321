//! A summary of each column: what `SUMMARIZE` shows.

use arrow::datatypes::DataType;

use super::Frame;
use crate::error::{Error, Result};
use crate::expr::{AggCall, AggFunc, BinaryOp, CastType, Expr, Func};
use crate::kernel::width::name_of;
use crate::kernel::{Scalar, types};
use crate::plan::LogicalPlan;

/// The aggregates of a column, in the order of the summary.
const PARTS: [AggFunc; 9] = [
    AggFunc::Min,
    AggFunc::Max,
    AggFunc::NUnique,
    AggFunc::Mean,
    AggFunc::Std,
    AggFunc::Quantile(0.25),
    AggFunc::Quantile(0.5),
    AggFunc::Quantile(0.75),
    AggFunc::Count,
];
/// Their names there; `count` is that of all rows.
const NAMES: [&str; 9] = [
    "min", "max", "nunique", "avg", "std", "q25", "q50", "q75", "known",
];

impl Frame {
    /// One row for each column: `column_name`, `column_type`, `min`, `max` (as text), `nunique` (exact),
    /// `avg`, `std`, `q25`, `q50`, `q75` (of numbers; exact), `count` (of all rows) and
    /// `null_percentage`. The input is read once.
    ///
    /// ```
    /// use ddf::Frame;
    /// let summary = Frame::read("testdata/nycflights/*.csv")?.summarize()?.collect()?;
    /// assert_eq!(summary.schema.field(0).name(), "column_name");
    /// # Ok::<(), ddf::Error>(())
    /// ```
    ///
    /// # Errors
    /// The frame has no column.
    pub fn summarize(self) -> Result<Frame> {
        let schema = self.schema()?;
        if schema.fields().is_empty() {
            return Err(Error::query("a summary of no column"));
        }
        let all = "\u{1}rows".to_string();
        let name = |i: usize, part: &str| format!("\u{1}{part}{i}");
        let mut aggs = vec![(all.clone(), call(AggFunc::Count, None))];
        let mut lists = Vec::new();
        for (i, f) in schema.fields().iter().enumerate() {
            let ty = types::logical(f.data_type());
            let mut list = vec![
                ("column_name".to_string(), text(f.name())),
                ("column_type".to_string(), text(&name_of(f))),
            ];
            for (func, part) in PARTS.into_iter().zip(NAMES) {
                let here = match func {
                    AggFunc::Min | AggFunc::Max | AggFunc::NUnique => is_plain(&ty),
                    AggFunc::Count => true,
                    _ => types::is_numeric(&ty),
                };
                let column = name(i, part);
                if here {
                    aggs.push((column.clone(), call(func, Some(Expr::column(f.name())))));
                }
                let value = |to: CastType| match here {
                    true => cast(Expr::column(&column), to),
                    false => cast(Expr::Literal(Scalar::Null), to),
                };
                match func {
                    AggFunc::Min | AggFunc::Max => list.push((part.into(), value(CastType::Text))),
                    AggFunc::NUnique => list.push((part.into(), value(CastType::Int))),
                    AggFunc::Count => {
                        list.push(("count".into(), Expr::column(&all)));
                        list.push(("null_percentage".into(), nulls(&all, &column)));
                    }
                    _ => list.push((part.into(), value(CastType::Float))),
                }
            }
            lists.push(list);
        }
        self.ordered()
            .wrap(|input| LogicalPlan::Aggregate {
                input,
                keys: Vec::new(),
                aggs,
            })?
            .wrap(|input| LogicalPlan::Expand {
                input,
                lists,
                times: None,
                totals: None,
            })
    }
}

/// Whether values of the type are compared and counted.
fn is_plain(ty: &DataType) -> bool {
    *ty == DataType::Null || CastType::of(ty).is_some()
}

/// The share of nulls in percent, to two digits; null of no row.
fn nulls(all: &str, known: &str) -> Expr {
    let (all, known) = (Expr::column(all), Expr::column(known));
    let missing = Expr::binary(BinaryOp::Sub, all.clone(), known);
    let hundred = Expr::Literal(Scalar::Float(100.0));
    let share = Expr::binary(
        BinaryOp::Div,
        Expr::binary(BinaryOp::Mul, missing, hundred),
        all.clone(),
    );
    let rounded = Expr::Function {
        func: Func::Round,
        args: vec![share, Expr::Literal(Scalar::Int(2))],
    };
    Expr::Case {
        operand: None,
        branches: vec![(
            Expr::binary(BinaryOp::Gt, all, Expr::Literal(Scalar::Int(0))),
            rounded,
        )],
        otherwise: None,
    }
}

fn call(func: AggFunc, arg: Option<Expr>) -> AggCall {
    AggCall {
        func,
        arg,
        distinct: false,
        filter: None,
    }
}

fn cast(e: Expr, to: CastType) -> Expr {
    Expr::Cast {
        expr: Box::new(e),
        to,
        try_: false,
    }
}

fn text(t: &str) -> Expr {
    Expr::Literal(Scalar::Text(t.to_string()))
}
