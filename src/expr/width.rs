//! What is known of an expression's width ([`Width`]): that of a column, and of what hands on values of
//! columns as they are.

use arrow::datatypes::{Field, Schema};

use super::functions::Func;
use super::tree::{AggFunc, CastType, Expr, UnaryOp};
use super::window::{WindowCall, WindowFunc};
use crate::error::Result;
use crate::kernel::{Scalar, Width, names};

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
        Expr::Column(name) => Width::of_field(names::column(schema, name)?),
        Expr::Case {
            branches, otherwise, ..
        } => {
            let results = branches.iter().map(|(_, then)| then);
            common(results.chain(otherwise.iter().map(|e| &**e)), schema)
        }
        Expr::Unary {
            op: UnaryOp::Neg,
            expr,
        } => width_of(expr, schema).filter(|w| w.is_float()),
        Expr::Function { func, args } => match (func, args.as_slice()) {
            (func, [x]) if stays_short(*func, 1) => width_of(x, schema).filter(|w| w.is_float()),
            (Func::Coalesce | Func::IfNull | Func::Greatest | Func::Least, args) => {
                common(args.iter(), schema)
            }
            (Func::If, [_, a, b]) => common([a, b].into_iter(), schema),
            (Func::NullIf, [a, _]) => width_of(a, schema),
            (Func::Ordered, [x, ..]) => width_of(x, schema),
            (Func::Nearest16, _) => Some(Width::Float16),
            (Func::Nearest32, _) => Some(Width::Float32),
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

/// Whether a function makes of a float of any width one that it holds, too: with so many arguments.
pub(super) fn stays_short(func: Func, args: usize) -> bool {
    use Func::*;
    args == 1 && matches!(func, Abs | Floor | Ceil | Trunc | Round)
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
    let (mut width, mut numbers, mut fractions) = (None, Vec::new(), Vec::new());
    for e in all {
        match e {
            Expr::Literal(Scalar::Null) => {}
            Expr::Literal(Scalar::Int(n)) => numbers.push(*n),
            Expr::Literal(v @ (Scalar::Float(_) | Scalar::Decimal(..))) => fractions.push(v.clone()),
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
        true => {
            let whole = numbers.iter().all(|n| w.spans(*n as f64));
            whole && fractions.iter().all(|v| spans(*w, v))
        }
        false => fractions.is_empty() && numbers.iter().all(|n| w.holds(*n)),
    })
}

/// Whether a number is not beyond all finite floats of a width.
fn spans(width: Width, v: &Scalar) -> bool {
    let float = super::cast::scalar(v, CastType::Float);
    matches!(float, Ok(Scalar::Float(x)) if width.spans(x))
}

/// The result of an aggregate as a float of its width, where it lies between two of them.
pub fn narrowed(func: AggFunc, result: Expr, width: Option<Width>) -> Expr {
    match func {
        AggFunc::Median | AggFunc::Quantile(_) => nearest(result, width),
        _ => result,
    }
}

/// The result of a window function as a float of its width, where it may be none.
pub fn narrowed_window(call: &WindowCall, result: Expr, schema: &Schema) -> Expr {
    let width = width_of(&Expr::Window(Box::new(call.clone())), schema);
    match call.func {
        WindowFunc::Aggregate(func) => narrowed(func, result, width),
        // a default is a number as it is written
        WindowFunc::Lag(_) | WindowFunc::Lead(_) if call.args.len() > 1 => nearest(result, width),
        _ => result,
    }
}

fn nearest(e: Expr, width: Option<Width>) -> Expr {
    let func = match width {
        Some(Width::Float16) => Func::Nearest16,
        Some(Width::Float32) => Func::Nearest32,
        _ => return e,
    };
    Expr::Function { func, args: vec![e] }
}
