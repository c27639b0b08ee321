//! What constants become beside other values: a text beside a number, a date or a UUID is one, a number beside a
//! narrow float is the nearest of its width, a moment beside nanoseconds lies within their range.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};

use super::bind::{Typed, call, constant, is_nanos, is_time};
use super::cast;
use super::eval::Node;
use super::functions::Func;
use super::temporal;
use super::tree::{CastType, Expr};
use crate::error::{Error, Result};
use crate::kernel::{Scalar, Width, carry, types};

/// A constant beside a float of a narrow width is the nearest one of that width.
pub(super) fn as_short(constant: &mut Typed, other: &Typed) -> Result<()> {
    if let (Node::Const(a), Node::Short(_, width)) = (&constant.0, &other.0)
        && types::is_numeric(&constant.1)
    {
        let float = cast::array(a, &DataType::Float64, false)?;
        let near = float.as_primitive_opt::<Float64Type>();
        let near = near.map(|f| f.unary::<_, Float64Type>(|x| width.of_constant(x)));
        if let Some(near) = near {
            *constant = (Node::Const(Arc::new(near)), DataType::Float64);
        }
    }
    Ok(())
}

/// A constant moment that nanoseconds cannot tell, beside one in nanoseconds, is the last or the first
/// that they can.
pub(super) fn within_nanos(constant: &mut Typed, other: &DataType) -> Result<()> {
    let moment = matches!(
        constant.1,
        DataType::Timestamp(TimeUnit::Microsecond, _) | DataType::Date32
    );
    let (Node::Const(a), true, true) = (&constant.0, moment, is_nanos(other)) else {
        return Ok(());
    };
    let utc = matches!(constant.1, DataType::Timestamp(_, Some(_)));
    let ty = types::timestamp_nanos(utc);
    if a.is_null(0) || cast::array(a, &ty, false).is_ok() {
        return Ok(());
    }
    let us = cast::array(a, &types::timestamp(), false)?;
    let late = us.as_primitive::<TimestampMicrosecondType>().value(0) > 0;
    let end = if late { i64::MAX } else { i64::MIN };
    let end = TimestampNanosecondArray::from(vec![end]).with_data_type(ty.clone());
    *constant = (Node::Const(Arc::new(end)), ty);
    Ok(())
}

/// A float as one that prints by its width.
pub(super) fn printed(node: Node) -> Node {
    match node {
        Node::Short(node, width) => {
            let func = match width {
                Width::Float16 => Func::Short16,
                _ => Func::Short32,
            };
            call(func, *node, &DataType::Float64)
        }
        node => node,
    }
}

/// Whether a text literal beside a value of that type is one, too.
pub(super) fn is_parsed(ty: &DataType) -> bool {
    is_time(ty) || (carry::carrier(ty).is_some() && CastType::of(ty).is_some())
}

/// What a literal is to the value that it is compared with.
pub(super) const COMPARED: &str = "with which it is compared";
/// What it is to the one that it is computed with.
pub(super) const COMPUTED: &str = "with which it is to be computed";

/// A text literal beside a value of another type is one of that type: parsed now. `role` says what the other value
/// is to it.
pub(super) fn adapt(e: &Expr, typed: Typed, other: &DataType, role: &str) -> Result<Typed> {
    let Expr::Literal(Scalar::Text(t)) = e else {
        return Ok(typed);
    };
    let wrong = || wrong(t, other, role);
    if is_time(other) {
        return moment(t, other).ok_or_else(wrong);
    }
    if has_literals(other) {
        return literal(t, other).map(|v| constant(&v)).ok_or_else(wrong);
    }
    let (Node::Const(text), true) = (&typed.0, is_parsed(other)) else {
        return Ok(typed);
    };
    match cast::array(text, other, false) {
        Ok(value) => Ok((Node::Const(value), other.clone())),
        Err(_) => Err(wrong()),
    }
}

/// The type of an expression of type `own` beside a value of another: a text literal is one of that, if it can be.
///
/// # Errors
/// It is a text that is no such value.
pub(super) fn type_beside(e: &Expr, own: &DataType, other: &DataType, role: &str) -> Result<DataType> {
    let Expr::Literal(text @ Scalar::Text(_)) = e else {
        return Ok(own.clone());
    };
    Ok(adapt(e, constant(text), other, role)?.1)
}

/// The error about a text that is no value of the type with which it is compared.
pub(super) fn is_none(text: &str, ty: &DataType) -> Error {
    wrong(text, ty, COMPARED)
}

fn wrong(text: &str, ty: &DataType, role: &str) -> Error {
    let what = format!("'{text}' is no {}, {role}", types::name(ty));
    Error::query(what).of_types().help(written(ty, role))
}

/// The date, or the moment, that a text is beside a date or timestamp.
fn moment(t: &str, other: &DataType) -> Option<Typed> {
    if let (DataType::Date32, Some(d)) = (other, temporal::date_of(t)) {
        return Some(constant(&Scalar::Date(d)));
    }
    let plain = || temporal::timestamp_of(t).map(|(us, utc)| (us, 0, utc));
    let (us, nanos, utc) = temporal::parse_moment(t).or_else(plain)?;
    let fine = us.checked_mul(1_000).and_then(|n| n.checked_add(nanos));
    Some(match fine.filter(|_| is_nanos(other)) {
        Some(fine) => {
            let ty = types::timestamp_nanos(utc);
            let one = TimestampNanosecondArray::from(vec![fine]).with_data_type(ty.clone());
            (Node::Const(Arc::new(one)), ty)
        }
        None => constant(&Scalar::Timestamp(us, utc)),
    })
}

/// How a literal of that type is written.
fn written(ty: &DataType, role: &str) -> String {
    match ty {
        ty if is_time(ty) => "write it as '2013-01-31' or '2013-01-31 12:00:00'".to_string(),
        DataType::Boolean => "write true or false".to_string(),
        ty if types::is_numeric(ty) && role != COMPARED => "write a number without quotes".to_string(),
        _ => "cast(x AS text) compares the text of the value".to_string(),
    }
}

/// Whether there are constants of that type, so that a text can be one.
pub fn has_literals(ty: &DataType) -> bool {
    use DataType::*;
    matches!(
        ty,
        Boolean | Int64 | Float64 | Decimal128(..) | Date32 | Timestamp(TimeUnit::Microsecond, _)
    )
}

/// What a text in a query means beside values of a type that has constants; none if it is no such value.
pub fn literal(text: &str, ty: &DataType) -> Option<Scalar> {
    let t = text.trim_ascii();
    match ty {
        DataType::Date32 | DataType::Timestamp(..) => {
            if let (DataType::Date32, Some(d)) = (ty, temporal::date_of(t)) {
                return Some(Scalar::Date(d));
            }
            let (us, utc) = temporal::timestamp_of(t)?;
            Some(Scalar::Timestamp(us, utc))
        }
        // all its digits, as of a number without quotes
        DataType::Decimal128(..) => {
            let scale = t.split_once('.').map_or(0, |(_, part)| part.len());
            let scale = i8::try_from(scale).ok().filter(|s| *s <= 38)?;
            let value = temporal::parse_decimal(t, 38, scale)?;
            let digits = value.unsigned_abs().checked_ilog10().map_or(1, |d| d as u8 + 1);
            Some(Scalar::Decimal(value, digits.max(scale as u8).max(1), scale))
        }
        ty => {
            let value = cast::scalar_array(&Scalar::Text(t.to_string()));
            let value = cast::array(&value, ty, false).ok()?;
            Some(cast::array_scalar(&value, 0)).filter(|v| v.data_type() == *ty)
        }
    }
}

/// The width of floats that all of some nodes have which are no constants; these become values of it
/// ([`of_width`]).
pub(super) fn width_of_all<'a>(nodes: impl Iterator<Item = &'a Node>) -> Option<Width> {
    let (mut width, mut constants) = (None, Vec::new());
    for node in nodes {
        match node {
            Node::Const(a) if *a.data_type() == DataType::Null => {}
            Node::Const(a) if types::is_numeric(a.data_type()) => constants.push(a),
            Node::Short(_, w) if width.is_none_or(|v| v == *w) => width = Some(*w),
            _ => return None,
        }
    }
    let spanned = |w: Width, a: &ArrayRef| {
        let float = cast::array(a, &DataType::Float64, false).ok();
        let float = float.as_ref().and_then(|f| f.as_primitive_opt::<Float64Type>());
        float.is_some_and(|f| f.iter().flatten().all(|x| w.spans(x)))
    };
    width.filter(|w| constants.iter().all(|a| spanned(*w, a)))
}

/// A constant as the nearest float of a width.
pub(super) fn of_width(node: Node, width: Option<Width>) -> Node {
    match (node, width) {
        (Node::Const(a), Some(width)) => match a.as_primitive_opt::<Float64Type>() {
            Some(floats) => Node::Const(Arc::new(floats.unary::<_, Float64Type>(|x| width.nearest(x)))),
            None => Node::Const(a),
        },
        (node, _) => node,
    }
}
