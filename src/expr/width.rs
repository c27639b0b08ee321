//! What is known of an expression's width ([`Width`]): that of a column, and of what hands on values of
//! columns as they are.

use arrow::datatypes::{Field, Schema};

use super::functions::Func;
use super::tree::{AggFunc, Expr};
use super::window::WindowFunc;
use crate::error::Result;
use crate::kernel::{Scalar, Width};

/// The field of an expression over `schema`: its name, its type, and its width.
///
/// # Errors
/// As of [`Expr::data_type`].
pub fn field(name: &str, e: &Expr, schema: &Schema) -> Result<Field> {
    let field = Field::new(name, e.data_type(schema)?, true);
    Ok(Width::noted(width_of(e, schema), field))
}

/// The width of an expression's values.
pub fn width_of(e: &Expr, schema: &Schema) -> Option<Width> {
    match e {
        Expr::Column(name) => Width::of_field(schema.field_with_name(name).ok()?),
        Expr::Case {
            branches, otherwise, ..
        } => {
            let results = branches.iter().map(|(_, then)| then);
            common(results.chain(otherwise.iter().map(|e| &**e)), schema)
        }
        Expr::Function { func, args } => match (func, args.as_slice()) {
            (Func::Coalesce | Func::IfNull | Func::Greatest | Func::Least, args) => {
                common(args.iter(), schema)
            }
            (Func::If, [_, a, b]) => common([a, b].into_iter(), schema),
            (Func::NullIf, [a, _]) => width_of(a, schema),
            (Func::Ordered, [x, ..]) => width_of(x, schema),
            _ => None,
        },
        Expr::Aggregate(call) => {
            let width = width_of(call.arg.as_ref()?, schema)?;
            of_aggregate(call.func, width)
        }
        Expr::Window(call) => match call.func {
            WindowFunc::Lag(_)
            | WindowFunc::Lead(_)
            | WindowFunc::FirstValue
            | WindowFunc::LastValue
            | WindowFunc::NthValue(_) => common(call.args.iter(), schema),
            WindowFunc::Aggregate(func) => of_aggregate(func, width_of(call.args.first()?, schema)?),
            _ => None,
        },
        _ => None,
    }
}

fn of_aggregate(func: AggFunc, width: Width) -> Option<Width> {
    use AggFunc::*;
    match func {
        Min | Max | First | Last | FirstKnown | LastKnown | Mode => Some(width),
        // between two floats of a width lies one
        Median | Quantile(_) if width.is_float() => Some(width),
        _ => None,
    }
}

/// The width that all have; nulls and numbers that fit go with any, as floats any numbers do.
fn common<'a>(all: impl Iterator<Item = &'a Expr>, schema: &Schema) -> Option<Width> {
    let (mut width, mut numbers, mut broken) = (None, Vec::new(), false);
    for e in all {
        match e {
            Expr::Literal(Scalar::Null) => {}
            Expr::Literal(Scalar::Int(n)) => numbers.push(*n),
            Expr::Literal(Scalar::Float(_) | Scalar::Decimal(..)) => broken = true,
            e => {
                let own = width_of(e, schema)?;
                if width.is_some_and(|w| w != own) {
                    return None;
                }
                width = Some(own);
            }
        }
    }
    width.filter(|w: &Width| match w.is_float() {
        true => true,
        false => !broken && numbers.iter().all(|n| w.holds(*n)),
    })
}
