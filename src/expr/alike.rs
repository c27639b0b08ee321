//! Texts beside numbers, dates and moments of another column: they are equal where the text is that value, as a text literal is. A
//! text that is no such value is an error; it is neither equal nor unequal to what it was taken for.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Schema, TimeUnit};

use super::bind::call;
use super::carried::named_type;
use super::cast;
use super::eval::Node;
use super::functions::Func;
use super::literals::is_none;
use super::tree::Expr;
use super::width::width_of;
use crate::error::Result;
use crate::kernel::{Scalar, types};

/// An operand of a comparison, its type, and the columns that it may look at.
pub type Operand<'a> = (&'a Expr, &'a DataType, &'a Schema);

/// The type in which it is asked whether two operands are equal; none if they do not go together. A number in the query beside a column
/// of text does not: `code = 7` may mean '7' or all texts that are seven.
pub fn equal_type(l: Operand, r: Operand) -> Option<DataType> {
    let common = super::common(l.1, r.1);
    let (other, ty, schema) = match (*l.1 == types::TEXT, *r.1 == types::TEXT) {
        (true, false) => r,
        (false, true) => l,
        _ => return common,
    };
    common.or_else(|| {
        let is_read = !other.columns().is_empty() && width_of(other, schema).is_none_or(|w| !w.is_float());
        is_read.then(|| read_type(ty))?
    })
}

/// What a text beside a value of that type is read as. Dates are compared as moments, since the text may tell one.
fn read_type(ty: &DataType) -> Option<DataType> {
    match ty {
        DataType::Int64 | DataType::Float64 | DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(ty.clone())
        }
        DataType::Date32 => Some(types::timestamp()),
        _ => None,
    }
}

/// The operand as a value of the type in which it is compared.
///
/// # Errors
/// As of [`Expr::data_type`].
pub fn as_compared(e: Expr, schema: &Schema, ty: &DataType) -> Result<Expr> {
    if *ty == types::TEXT || e.data_type(schema)? != types::TEXT {
        return e.as_type(schema, ty);
    }
    Ok(Expr::Function {
        func: Func::ReadAs,
        args: vec![e, Expr::Literal(Scalar::Text(named_type(ty)?))],
    })
}

/// A value of `rows` as one of the type in which it is compared with `e`, where the two go together: among groups of
/// values of its own type several could be equal to one `e`.
///
/// # Errors
/// As of [`Expr::data_type`].
pub fn as_beside(value: Expr, rows: &Schema, (e, schema): (&Expr, &Schema)) -> Result<Expr> {
    let (own, theirs) = (value.data_type(rows)?, e.data_type(schema)?);
    match equal_type((e, &theirs, schema), (&value, &own, rows)) {
        Some(ty) if ty != DataType::Null => as_compared(value, rows, &ty),
        _ => Ok(value),
    }
}

/// The bound text as a value of that type.
pub(super) fn read(text: Node, ty: &DataType) -> Node {
    call(Func::ReadAs, text, ty)
}

/// Reads texts as values of that type.
pub(super) fn values(texts: &ArrayRef, ty: &DataType) -> Result<ArrayRef> {
    cast::array(texts, ty, false).or_else(|e| {
        let read = cast::array(texts, ty, true)?;
        let Some(texts) = texts.as_string_view_opt() else {
            return Err(e);
        };
        let lost = (0..texts.len()).find(|&i| texts.is_valid(i) && read.is_null(i));
        Err(lost.map_or(e, |i| is_none(texts.value(i), ty)))
    })
}
