//! `sqlparser`'s tree into ours.

use sqlparser::ast::{
    self, BinaryOperator as B, CastKind, DataType as D, Expr as S, UnaryOperator as U, Value,
};

use super::chain::Run;
use super::functions::Func;
use super::pack::Term;
use super::tree::{BinaryOp, CastType, Expr, UnaryOp};
use super::window_sql::WINDOW_FUNCTIONS;
use super::{aggregates, operators, rows, temporal};
use crate::error::{Error, Result};
use crate::kernel::Scalar;

/// Sees each node first and may convert it itself: names in scopes, subqueries, decimals.
pub type Hook<'a> = dyn FnMut(&S) -> Result<Option<Expr>> + 'a;

fn call(func: Func, args: Vec<Expr>) -> Expr {
    Expr::Function { func, args }
}

fn not_if(negated: bool, e: Expr) -> Expr {
    if negated { Expr::unary(UnaryOp::Not, e) } else { e }
}

fn boxed(e: &S, h: &mut Hook) -> Result<Box<Expr>> {
    Ok(Box::new(go(e, h)?))
}

/// Turns an expression of `sqlparser` into ours. Qualified names (`t.x`) become one name with dots.
///
/// # Errors
/// Something that the language of `ddf` does not have.
pub fn convert(e: &S) -> Result<Expr> {
    go(e, &mut |_| Ok(None))
}

/// As [`convert`], where `hook` may convert any part of it its own way.
///
/// # Errors
/// As [`convert`], and those of the hook.
pub fn convert_with(e: &S, hook: &mut Hook) -> Result<Expr> {
    go(e, hook)
}

pub(super) fn go(e: &S, h: &mut Hook) -> Result<Expr> {
    if let Some(done) = h(e)? {
        return Ok(done);
    }
    Ok(match e {
        S::Identifier(i) => Expr::Column(i.value.clone()),
        S::CompoundIdentifier(parts) => Expr::Column(
            parts
                .iter()
                .map(|i| i.value.as_str())
                .collect::<Vec<_>>()
                .join("."),
        ),
        S::Nested(inner) => go(inner, h)?,
        S::Value(v) => Expr::Literal(value(&v.value, false)?),
        S::TypedString(t) => typed(&t.data_type, &t.value.value)?,
        S::Interval(i) => match (&*i.value, &i.leading_field) {
            (S::Value(_), _) | (_, None) => interval(i)?,
            // INTERVAL (x) DAY is x days
            (x, Some(unit)) => Expr::binary(BinaryOp::Mul, go(x, h)?, spans(&unit.to_string())?),
        },
        S::UnaryOp { op, expr } => unary(op, expr, h)?,
        S::BinaryOp { left, op, right } if matches!(&**left, S::Tuple(_)) => match &**left {
            S::Tuple(row) => rows::compared(op, row, right, h)?,
            other => return Err(unsupported(&other.to_string())),
        },
        S::BinaryOp { .. } => binary(e, h)?,
        S::IsNull(x) | S::IsUnknown(x) => Expr::IsNull {
            expr: boxed(x, h)?,
            negated: false,
        },
        S::IsNotNull(x) | S::IsNotUnknown(x) => Expr::IsNull {
            expr: boxed(x, h)?,
            negated: true,
        },
        S::IsTrue(x) => is(x, true, BinaryOp::NotDistinct, h)?,
        S::IsNotTrue(x) => is(x, true, BinaryOp::Distinct, h)?,
        S::IsFalse(x) => is(x, false, BinaryOp::NotDistinct, h)?,
        S::IsNotFalse(x) => is(x, false, BinaryOp::Distinct, h)?,
        S::IsDistinctFrom(a, b) => match &**a {
            S::Tuple(row) => Expr::unary(UnaryOp::Not, rows::alike(row, b, h)?),
            _ => Expr::binary(BinaryOp::Distinct, go(a, h)?, go(b, h)?),
        },
        S::IsNotDistinctFrom(a, b) => match &**a {
            S::Tuple(row) => rows::alike(row, b, h)?,
            _ => Expr::binary(BinaryOp::NotDistinct, go(a, h)?, go(b, h)?),
        },
        S::Between {
            expr,
            negated,
            low,
            high,
        } => {
            if let S::Tuple(row) = &**expr {
                let low = rows::compared(&B::GtEq, row, low, h)?;
                let high = rows::compared(&B::LtEq, row, high, h)?;
                return Ok(not_if(*negated, Expr::binary(BinaryOp::And, low, high)));
            }
            let x = go(expr, h)?;
            let low = Expr::binary(BinaryOp::GtEq, x.clone(), go(low, h)?);
            let high = Expr::binary(BinaryOp::LtEq, x, go(high, h)?);
            not_if(*negated, Expr::binary(BinaryOp::And, low, high))
        }
        S::InList { expr, list, negated } => match &**expr {
            S::Tuple(row) => not_if(*negated, rows::among(row, list, h)?),
            _ => Expr::InList {
                expr: boxed(expr, h)?,
                list: list.iter().map(|e| go(e, h)).collect::<Result<_>>()?,
                negated: *negated,
            },
        },
        S::Like {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        } => like(expr, pattern, (escape_char, *negated, false), h)?,
        S::ILike {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        } => like(expr, pattern, (escape_char, *negated, true), h)?,
        S::RLike {
            negated,
            expr,
            pattern,
            ..
        } => not_if(
            *negated,
            call(Func::RegexpLike, vec![go(expr, h)?, go(pattern, h)?]),
        ),
        S::Case {
            operand,
            conditions,
            else_result,
            ..
        } => Expr::Case {
            operand: operand.as_ref().map(|e| boxed(e, h)).transpose()?,
            branches: (conditions.iter())
                .map(|w| Ok((go(&w.condition, h)?, go(&w.result, h)?)))
                .collect::<Result<_>>()?,
            otherwise: else_result.as_ref().map(|e| boxed(e, h)).transpose()?,
        },
        S::Cast {
            kind,
            expr,
            data_type,
            format: None,
        } => {
            operators::cast_of_one_meaning(kind, expr)?;
            Expr::Cast {
                expr: boxed(expr, h)?,
                to: cast_type(data_type)?,
                try_: matches!(kind, CastKind::TryCast | CastKind::SafeCast),
            }
        }
        S::AtTimeZone { timestamp, time_zone } => {
            call(Func::AtTimeZone, vec![go(timestamp, h)?, go(time_zone, h)?])
        }
        S::Extract { field, expr, .. } => part(&field.to_string(), go(expr, h)?)?,
        S::Ceil { expr, .. } => call(Func::Ceil, vec![go(expr, h)?]),
        S::Floor { expr, .. } => call(Func::Floor, vec![go(expr, h)?]),
        S::Position { expr, r#in } => call(Func::Strpos, vec![go(r#in, h)?, go(expr, h)?]),
        S::Substring {
            expr,
            substring_from,
            substring_for,
            ..
        } => {
            let from = substring_from
                .as_ref()
                .map_or(Ok(Expr::Literal(Scalar::Int(1))), |e| go(e, h))?;
            let mut args = vec![go(expr, h)?, from];
            if let Some(e) = substring_for {
                args.push(go(e, h)?);
            }
            call(Func::Substr, args)
        }
        S::Trim {
            trim_where,
            trim_what,
            expr,
            trim_characters,
        } => {
            let func = match trim_where {
                Some(ast::TrimWhereField::Leading) => Func::Ltrim,
                Some(ast::TrimWhereField::Trailing) => Func::Rtrim,
                _ => Func::Trim,
            };
            let mut args = vec![go(expr, h)?];
            if let Some(e) = trim_what {
                args.push(go(e, h)?);
            }
            for e in trim_characters.iter().flatten() {
                args.push(go(e, h)?);
            }
            call(func, args)
        }
        S::Function(f) => function(f, h)?,
        other => return Err(unsupported(&other.to_string())),
    })
}

pub(super) fn unsupported(what: &str) -> Error {
    let short: String = what.chars().take(60).collect();
    Error::query(format!("the expression language has no `{short}`"))
}

fn is(x: &S, value: bool, op: BinaryOp, h: &mut Hook) -> Result<Expr> {
    Ok(Expr::binary(op, go(x, h)?, Expr::Literal(Scalar::Bool(value))))
}

fn unary(op: &U, expr: &S, h: &mut Hook) -> Result<Expr> {
    match op {
        U::Minus => match expr {
            S::Value(v) if matches!(v.value, Value::Number(..)) => Ok(Expr::Literal(value(&v.value, true)?)),
            _ => {
                operators::sign_of_one_meaning(expr)?;
                Ok(Expr::unary(UnaryOp::Neg, go(expr, h)?))
            }
        },
        U::BitwiseNot => Ok(call(Func::BitNot, vec![go(expr, h)?])),
        U::Plus => go(expr, h),
        U::Not | U::BangNot => Ok(Expr::unary(UnaryOp::Not, go(expr, h)?)),
        other => Err(unsupported(&other.to_string())),
    }
}

/// Walks down the left side in a loop, because chains of operators lean left.
fn binary(e: &S, h: &mut Hook) -> Result<Expr> {
    let (mut steps, mut leftmost) = (vec![], e);
    while let S::BinaryOp { left, op, right } = leftmost {
        if matches!(&**left, S::Tuple(_)) {
            break;
        }
        operators::one_meaning(op, left, right)?;
        steps.push((op, right));
        leftmost = left;
    }
    let mut chain = Run::of(go(leftmost, h)?);
    for (op, right) in steps.into_iter().rev() {
        let right = go(right, h)?;
        chain.push(op, right)?;
    }
    Ok(chain.done())
}

fn text_of(e: &S) -> Option<&str> {
    match e {
        S::Value(v) => match &v.value {
            Value::SingleQuotedString(s) => Some(s),
            _ => None,
        },
        _ => None,
    }
}

fn like(
    x: &S,
    pattern: &S,
    (escape, negated, case_insensitive): (&Option<Box<S>>, bool, bool),
    h: &mut Hook,
) -> Result<Expr> {
    let escape = match escape {
        None => None,
        Some(e) => {
            let mut chars = text_of(e).unwrap_or("").chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Some(c),
                _ => return Err(Error::query("ESCAPE needs one character in single quotes")),
            }
        }
    };
    Ok(Expr::Like {
        expr: boxed(x, h)?,
        pattern: boxed(pattern, h)?,
        case_insensitive,
        negated,
        escape,
    })
}

/// A literal. Integers beyond int64 are decimals, never rounded.
fn value(v: &Value, negative: bool) -> Result<Scalar> {
    Ok(match v {
        Value::Number(text, _) => {
            let signed = if negative {
                format!("-{text}")
            } else {
                text.clone()
            };
            if text.bytes().all(|b| b.is_ascii_digit()) {
                match (signed.parse::<i64>(), temporal::parse_decimal(&signed, 38, 0)) {
                    (Ok(i), _) => Scalar::Int(i),
                    (_, Some(d)) => Scalar::Decimal(d, 38, 0),
                    _ => {
                        return Err(Error::query(format!(
                            "the number {signed} has more than 38 digits"
                        )));
                    }
                }
            } else {
                let x: f64 = signed
                    .parse()
                    .map_err(|_| Error::query(format!("{signed} is no number")))?;
                if x.is_infinite() {
                    return Err(Error::query(format!("{signed} is greater than any float64")));
                }
                Scalar::Float(x)
            }
        }
        Value::SingleQuotedString(s) | Value::EscapedStringLiteral(s) | Value::NationalStringLiteral(s) => {
            Scalar::Text(s.clone())
        }
        Value::DollarQuotedString(s) => Scalar::Text(s.value.clone()),
        Value::HexStringLiteral(digits) => super::bytes::literal(digits)?,
        Value::UnicodeStringLiteral(s) => Scalar::Text(s.clone()),
        Value::Boolean(b) => Scalar::Bool(*b),
        Value::Null => Scalar::Null,
        other => return Err(unsupported(&other.to_string())),
    })
}

/// `DATE '2013-01-31'` and the like.
fn typed(ty: &D, v: &Value) -> Result<Expr> {
    let Scalar::Text(text) = value(v, false)? else {
        return Err(unsupported(&v.to_string()));
    };
    let to = cast_type(ty)?;
    super::cast::scalar(&Scalar::Text(text), to).map(Expr::Literal)
}

/// One year, month, day, … as an interval.
fn spans(unit: &str) -> Result<Expr> {
    span(&format!("1 {unit}"))
}

fn interval(i: &ast::Interval) -> Result<Expr> {
    let mut text = match &*i.value {
        S::Value(v) => match &v.value {
            Value::SingleQuotedString(s) | Value::Number(s, _) => s.clone(),
            other => return Err(unsupported(&other.to_string())),
        },
        other => return Err(unsupported(&other.to_string())),
    };
    if let Some(f) = &i.leading_field {
        text = format!("{text} {f}");
    }
    span(&text)
}

/// `3 days`, `1 month 2 hours`.
fn span(text: &str) -> Result<Expr> {
    super::interval::parse(text).map(Expr::Literal)
}

fn cast_type(ty: &D) -> Result<CastType> {
    use ast::{ExactNumberInfo as N, TimezoneInfo as Z};
    let decimal = |n: &N| match n {
        N::None => Ok(CastType::Decimal(38, 10)),
        N::Precision(p) if (1..=76).contains(p) => Ok(CastType::Decimal(*p as u8, 0)),
        N::PrecisionAndScale(p, s) if (1..=76).contains(p) && (0..=*p as i64).contains(s) => {
            Ok(CastType::Decimal(*p as u8, *s as i8))
        }
        _ => Err(Error::query(format!("{ty} is no decimal type")).help("at most 76 digits: DECIMAL(38,10)")),
    };
    Ok(match ty {
        D::Bool | D::Boolean => CastType::Bool,
        D::Int(_) | D::Integer(_) | D::BigInt(_) | D::SmallInt(_) | D::TinyInt(_) => CastType::Int,
        D::Int2(_) | D::Int4(_) | D::Int8(_) | D::Int16 | D::Int32 | D::Int64 => CastType::Int,
        D::Float(_) | D::Real | D::Double(_) | D::DoublePrecision => CastType::Float,
        D::Float4 | D::Float8 | D::Float32 | D::Float64 => CastType::Float,
        D::Decimal(n) | D::Numeric(n) | D::Dec(n) => decimal(n)?,
        D::Date | D::Date32 => CastType::Date,
        D::Timestamp(Some(7..=9), zone) => CastType::TimestampNanos(matches!(zone, Z::Tz | Z::WithTimeZone)),
        D::Timestamp(_, Z::Tz | Z::WithTimeZone) => CastType::TimestampUtc,
        D::Timestamp(..) | D::Datetime(_) => CastType::Timestamp,
        D::Text | D::String(_) | D::Varchar(_) | D::Char(_) | D::Character(_) | D::CharacterVarying(_) => {
            CastType::Text
        }
        D::Time(Some(7..=9), Z::None | Z::WithoutTimeZone) => CastType::Time(true),
        D::Time(_, Z::None | Z::WithoutTimeZone) => CastType::Time(false),
        D::Interval { .. } => CastType::Interval,
        D::Uuid => CastType::Uuid,
        D::Bytea | D::Blob(_) | D::Binary(_) | D::Varbinary(_) | D::Bytes(_) => CastType::Binary,
        other => match other.to_string().to_lowercase().as_str() {
            "str" | "utf8" => CastType::Text,
            "timestamp_ns" => CastType::TimestampNanos(false),
            "timestamptz_ns" => CastType::TimestampNanos(true),
            "time_ns" => CastType::Time(true),
            "duration" => CastType::Duration(false),
            "duration_ns" => CastType::Duration(true),
            "float64" => CastType::Float,
            _ => {
                return Err(Error::query(format!("no type \"{other}\"")).help(
                    "the types are bool, int, double, decimal(p,s), date, timestamp, timestamptz, timestamp_ns, \
                     time, interval, blob, uuid, text",
                ));
            }
        },
    })
}

/// `extract(field FROM x)`, `date_part('field', x)`.
fn part(field: &str, x: Expr) -> Result<Expr> {
    let lower = field.trim_matches('\'').to_lowercase();
    let func = match lower.strip_suffix('s').unwrap_or(&lower) {
        "year" | "yr" | "y" => Func::Year,
        "quarter" => Func::Quarter,
        "month" | "mon" => Func::Month,
        "week" | "weekofyear" => Func::Week,
        "day" | "dayofmonth" | "d" => Func::Day,
        "doy" | "dayofyear" => Func::DayOfYear,
        "dow" => Func::Dow,
        "dayofweek" => Func::DayOfWeek,
        "isodow" => Func::IsoDow,
        "hour" | "hr" | "h" => Func::Hour,
        "minute" | "min" => Func::Minute,
        "second" | "sec" => Func::Second,
        _ if lower == "ms" => Func::Millisecond,
        _ if lower == "us" => Func::Microsecond,
        "millisecond" | "msec" | "milli" => Func::Millisecond,
        "microsecond" | "usec" | "micro" => Func::Microsecond,
        "epoch" => Func::Epoch,
        "isoyear" => Func::IsoYear,
        "yearweek" => Func::YearWeek,
        "decade" => Func::Decade,
        "century" => Func::Century,
        "millennium" => Func::Millennium,
        _ => {
            return Err(Error::query(format!("no part \"{field}\" of dates")).help(
                "year, quarter, month, week, day, doy, dow, isodow, hour, minute, second, millisecond, \
                 microsecond, epoch, isoyear, yearweek, decade, century, millennium",
            ));
        }
    };
    Ok(call(func, vec![x]))
}

fn function(f: &ast::Function, h: &mut Hook) -> Result<Expr> {
    let name = match f.name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(i)] => i.value.to_lowercase(),
        _ => f.name.to_string(),
    };
    match &f.over {
        None => {}
        Some(ast::WindowType::WindowSpec(spec)) => return super::window_sql::convert_window(f, spec, h),
        Some(ast::WindowType::NamedWindow(w)) => {
            return Err(
                Error::query(format!("no window \"{w}\"")).help("write OVER (PARTITION BY … ORDER BY …)")
            );
        }
    }
    if WINDOW_FUNCTIONS.iter().any(|(n, _)| *n == name) {
        return Err(Error::query(format!("\"{name}\" needs a window"))
            .help(format!("write {name}(…) OVER (PARTITION BY … ORDER BY …)")));
    }
    let mut c = aggregates::Call {
        name,
        args: vec![],
        star: false,
        distinct: false,
        filter: f.filter.as_ref().map(|e| go(e, h)).transpose()?,
        order: terms(&f.within_group, h)?,
        within_group: !f.within_group.is_empty(),
        ignore_nulls: f.null_treatment.map(|n| n == ast::NullTreatment::IgnoreNulls),
    };
    if let ast::FunctionArguments::List(list) = &f.args {
        c.distinct = matches!(list.duplicate_treatment, Some(ast::DuplicateTreatment::Distinct));
        for a in &list.args {
            match a {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) => c.args.push(go(e, h)?),
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard) => c.star = true,
                other => return Err(unsupported(&other.to_string())),
            }
        }
        for clause in &list.clauses {
            use ast::FunctionArgumentClause as C;
            match clause {
                C::OrderBy(list) if c.order.is_empty() => c.order = terms(list, h)?,
                C::Separator(v) => c.args.push(Expr::Literal(value(&v.value, false)?)),
                C::IgnoreOrRespectNulls(n) => c.ignore_nulls = Some(*n == ast::NullTreatment::IgnoreNulls),
                _ => return Err(unsupported(&f.to_string())),
            }
        }
    } else if matches!(f.args, ast::FunctionArguments::Subquery(_)) {
        return Err(unsupported(&f.to_string()));
    }
    let ordered = c.within_group || !c.order.is_empty();
    let aggregates::Call {
        name,
        args,
        star,
        distinct,
        filter,
        ..
    } = match c.aggregate() {
        Ok(done) => return done,
        Err(c) => *c,
    };
    if star || distinct || ordered || filter.is_some() {
        Func::find(&name)?;
        return Err(Error::query(format!(
            "\"{name}\" is no aggregate: no *, DISTINCT, ORDER BY or FILTER"
        )));
    }
    match (name.as_str(), args.as_slice()) {
        ("date_part" | "datepart" | "extract", [Expr::Literal(Scalar::Text(unit)), x]) => {
            part(unit, x.clone())
        }
        ("log", [base, x]) => {
            let log = |e: &Expr| call(Func::Log10, vec![e.clone()]);
            Ok(Expr::binary(BinaryOp::Div, log(x), log(base)))
        }
        ("date_sub", [x, span]) => Ok(Expr::binary(BinaryOp::Sub, x.clone(), span.clone())),
        ("date_add", [x, span]) => Ok(Expr::binary(BinaryOp::Add, x.clone(), span.clone())),
        (
            "to_years" | "to_months" | "to_weeks" | "to_days" | "to_hours" | "to_minutes" | "to_seconds",
            [n],
        ) => Ok(Expr::binary(BinaryOp::Mul, n.clone(), spans(&name[3..])?)),
        ("time_bucket" | "date_bin", [width, rest @ ..]) => {
            let width = match width {
                Expr::Literal(Scalar::Text(t)) => span(t)?,
                other => other.clone(),
            };
            let args = std::iter::once(width).chain(rest.iter().cloned());
            Ok(call(Func::TimeBucket, args.collect()))
        }
        (name, []) if let Some(now) = super::clock::value(name) => Ok(Expr::Literal(now)),
        ("mod", [a, b]) => Ok(Expr::binary(BinaryOp::Mod, a.clone(), b.clone())),
        ("div", [a, b]) => Ok(Expr::binary(BinaryOp::IntDiv, a.clone(), b.clone())),
        ("date", [x]) => Ok(Expr::Cast {
            expr: Box::new(x.clone()),
            to: CastType::Date,
            try_: false,
        }),
        _ => Ok(call(Func::find(&name)?, args)),
    }
}

/// The keys of an order within an aggregate.
fn terms(list: &[ast::OrderByExpr], h: &mut Hook) -> Result<Vec<Term>> {
    let each = list.iter().map(|k| {
        Ok(Term {
            expr: go(&k.expr, h)?,
            descending: matches!(k.options.sort, Some(ast::OrderBySort::Desc)),
            nulls_first: k.options.nulls_first == Some(true),
        })
    });
    each.collect()
}
