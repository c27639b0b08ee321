//! The type check: names become indices, operators get operands of one type through explicit casts.

use arrow::array::{Array, new_empty_array};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use regex::Regex;

use super::choices::{extreme, unite_all};
use super::eval::{Node, Value};
use super::functions::{Func, is_digits};
use super::literals::{COMPARED, COMPUTED, adapt, as_short, has_literals, literal, printed, within_nanos};
use super::tree::{BinaryOp, Expr, UnaryOp, balanced};
use super::width::stays_short;
use super::{alike, arith, carried, cast, spans, temporal, text};
use crate::error::{Error, Result, no_column};
use crate::kernel::{Scalar, Width, names, types};

/// The type of an expression that may hold aggregates.
pub(super) fn type_of(e: &Expr, schema: &Schema) -> Result<DataType> {
    Ok(Binder {
        schema,
        aggregates: true,
        held: None,
    }
    .bind(e)?
    .1)
}

/// Binds an expression without aggregates.
pub(super) fn bind(e: &Expr, schema: &Schema) -> Result<(Node, DataType)> {
    Binder {
        schema,
        aggregates: false,
        held: None,
    }
    .bind(e)
}

/// The type that two operands are cast to before they are compared or chosen from; none if they do
/// not go together.
pub fn common(a: &DataType, b: &DataType) -> Option<DataType> {
    let united = types::unite(a, b);
    match (a, b) {
        (DataType::Timestamp(..), DataType::Timestamp(..)) if united == types::TEXT => {
            Some(match is_nanos(a) || is_nanos(b) {
                true => types::timestamp_nanos(true),
                false => types::timestamp_utc(),
            })
        }
        _ if united == types::TEXT && (*a != types::TEXT && *a != DataType::Null) => None,
        _ if united == types::TEXT && (*b != types::TEXT && *b != DataType::Null) => None,
        _ => Some(united),
    }
}

/// The error for a name that no column of the schema has.
pub fn unknown_column(name: &str, schema: &Schema) -> Error {
    no_column(name, schema.fields().iter().map(|f| f.name().as_str()))
}

pub(super) struct Binder<'a> {
    schema: &'a Schema,
    aggregates: bool,
    /// The type of what the stage before yielded.
    held: Option<DataType>,
}

/// A bound expression and its type.
pub(super) type Typed = (Node, DataType);

/// Stands for what the stage before yielded; no text and no plan has it.
const HELD: &str = "\u{0}held";
/// Operators of a long chain that are bound as one tree.
const OF_A_STAGE: usize = 16;

pub(super) fn constant(v: &Scalar) -> Typed {
    (Node::Const(cast::scalar_array(v)), v.data_type())
}

pub(super) fn is_nanos(ty: &DataType) -> bool {
    matches!(ty, DataType::Timestamp(TimeUnit::Nanosecond, _))
}

pub(super) fn call(func: Func, arg: Node, ty: &DataType) -> Node {
    Node::Call {
        func,
        args: vec![arg],
        ty: ty.clone(),
        regex: None,
    }
}

/// Casts to a type; constants at once, if they can be. Bytes are text where they are UTF-8, and floats
/// the text of their own width.
pub(super) fn coerce((node, from): Typed, to: &DataType) -> Result<Node> {
    if from == *to {
        return Ok(node);
    }
    let node = match node {
        node if from == DataType::Binary && *to == types::TEXT => return Ok(call(Func::Decode, node, to)),
        node if *to == types::TEXT => printed(node),
        node => node,
    };
    if let Node::Const(a) = &node
        && let Ok(done) = cast::array(a, to, false)
    {
        return Ok(Node::Const(done));
    }
    Ok(Node::Cast {
        node: Box::new(node),
        to: to.clone(),
        try_: false,
    })
}

/// The type of the side that is no constant, where the constant is exactly a value of it: then a column
/// of decimals need not be made wider to be compared.
fn as_precise(l: &Typed, r: &Typed, common: &DataType) -> Option<DataType> {
    let (Node::Const(constant), own) = (match (&l.0, &r.0) {
        (_, Node::Const(_)) => (&r.0, &l.1),
        (Node::Const(_), _) => (&l.0, &r.1),
        _ => return None,
    }) else {
        return None;
    };
    if !matches!(own, DataType::Decimal128(..)) || constant.is_null(0) {
        return None;
    }
    let there = cast::array(constant, own, false).ok()?;
    let back = cast::array(&there, common, false).ok()?;
    let wide = cast::array(constant, common, false).ok()?;
    (back == wide).then(|| own.clone())
}

/// An interval, or a number of them.
fn span_of(e: &Expr) -> Option<(Option<&Expr>, super::arith::Span)> {
    let span = |e: &Expr| match e {
        Expr::Literal(Scalar::Interval(m, d, us)) => Some((i64::from(*m), i64::from(*d), *us)),
        _ => None,
    };
    match e {
        Expr::Binary {
            op: BinaryOp::Mul,
            left,
            right,
        } => match (span(left), span(right)) {
            (None, Some(s)) => Some((Some(left), s)),
            (Some(s), None) => Some((Some(right), s)),
            _ => None,
        },
        e => span(e).map(|s| (None, s)),
    }
}

pub(super) fn is_time(t: &DataType) -> bool {
    matches!(t, DataType::Date32 | DataType::Timestamp(..))
}

fn text_of(e: &Expr) -> Option<&str> {
    match e {
        Expr::Literal(Scalar::Text(t)) => Some(t),
        _ => None,
    }
}

pub(super) fn is_text_literal(e: &Expr) -> bool {
    text_of(e).is_some()
}

impl Binder<'_> {
    pub(super) fn bind(&self, e: &Expr) -> Result<Typed> {
        match e {
            Expr::Column(name)
                if name == HELD
                    && let Some(ty) = &self.held =>
            {
                Ok((Node::Held, ty.clone()))
            }
            Expr::Column(name) => match names::place(self.schema, name) {
                Some(i) => {
                    let field = self.schema.field(i);
                    let node = match Width::of_field(field).filter(|w| w.is_float()) {
                        Some(width) => Node::Short(Box::new(Node::Column(i)), width),
                        None => Node::Column(i),
                    };
                    Ok((node, types::logical(field.data_type())))
                }
                None => Err(unknown_column(name, self.schema)),
            },
            Expr::Literal(v) => Ok(constant(v)),
            Expr::Place => Ok((Node::Place, DataType::Int64)),
            Expr::Unary {
                op: UnaryOp::Not,
                expr,
            } => Ok((Node::Not(Box::new(self.bool(expr, "NOT")?)), DataType::Boolean)),
            Expr::Unary {
                op: UnaryOp::Neg,
                expr,
            } => {
                let (node, ty) = self.bind(expr)?;
                match ty {
                    DataType::Null => Ok((node, ty)),
                    _ if types::is_numeric(&ty) || spans::is_span(&ty) => {
                        Ok((node.with_width_of(|node| Node::Neg(Box::new(node))), ty))
                    }
                    _ => Err(Error::query(format!("- of {}", types::name(&ty)))),
                }
            }
            Expr::Binary { op, left, right } => self.binary(*op, left, right),
            Expr::Chain { first, rest } => self.chain(first, rest),
            Expr::Function { func, args } => self.function(*func, args),
            Expr::Case {
                operand,
                branches,
                otherwise,
            } => self.case("CASE", operand, branches, otherwise),
            Expr::Cast { expr, to, try_ } => {
                let (node, from) = self.bind(expr)?;
                let to = to.data_type();
                let node = if to == types::TEXT { printed(node) } else { node };
                if !cast::exists(&from, &to) {
                    return Err(Error::query(format!(
                        "no cast from {} to {}",
                        types::name(&from),
                        types::name(&to)
                    )));
                }
                Ok((
                    Node::Cast {
                        node: Box::new(node),
                        to: to.clone(),
                        try_: *try_,
                    },
                    to,
                ))
            }
            Expr::InList { expr, list, negated } => {
                let node = self.in_list(expr, list)?;
                Ok((
                    if *negated { Node::Not(Box::new(node)) } else { node },
                    DataType::Boolean,
                ))
            }
            Expr::Like {
                expr,
                pattern,
                case_insensitive,
                negated,
                escape,
            } => {
                let node = Box::new(self.text(expr, "LIKE")?);
                let pattern = self.text(pattern, "LIKE")?;
                let kind = (*case_insensitive, *escape);
                let matcher = match &pattern {
                    Node::Const(a) => text::constant_text(a)
                        .map(|p| text::Matcher::new(p, kind))
                        .transpose()?,
                    _ => None,
                };
                let like = Node::Like {
                    node,
                    pattern: Box::new(pattern),
                    matcher: matcher.map(Box::new),
                    kind,
                };
                Ok((
                    if *negated { Node::Not(Box::new(like)) } else { like },
                    DataType::Boolean,
                ))
            }
            Expr::IsNull { expr, negated } => {
                let node = Box::new(self.bind(expr)?.0);
                Ok((
                    Node::IsNull {
                        node,
                        negated: *negated,
                    },
                    DataType::Boolean,
                ))
            }
            Expr::Aggregate(a) if self.aggregates => {
                if let Some(f) = &a.filter {
                    self.bool(f, "FILTER")?;
                }
                let arg = match &a.arg {
                    Some(x) => self.bind(x)?.1,
                    None => DataType::Null,
                };
                Ok((
                    Node::Const(new_empty_array(&DataType::Null)),
                    a.func.output_type(&arg)?,
                ))
            }
            Expr::Aggregate(a) => Err(Error::query(format!("the aggregate {a} cannot stand here"))
                .help("aggregates go to --agg, or to SELECT and HAVING of a GROUP BY")),
            Expr::Window(w) => Err(Error::query(format!("the window function {w} cannot stand here"))
                .help("window functions go to --with and --select, or to SELECT, ORDER BY and QUALIFY")),
        }
    }

    /// A long chain, some operators at a time: each stage begins with what the one before it made.
    fn chain(&self, first: &Expr, rest: &[(BinaryOp, Expr)]) -> Result<Typed> {
        let (mut stages, mut ty) = (Vec::new(), None);
        for part in rest.chunks(OF_A_STAGE) {
            let left = match stages.is_empty() {
                true => first.clone(),
                false => Expr::column(HELD),
            };
            let binder = Binder {
                schema: self.schema,
                aggregates: self.aggregates,
                held: ty.take(),
            };
            let stage = binder.bind(&super::chain::pairs(left, part.to_vec()));
            let shown = format!("\"{HELD}\"");
            let (node, own) = stage.map_err(|e| e.reworded(|t| t.replace(&shown, "…").replace(HELD, "…")))?;
            stages.push(node);
            ty = Some(own);
        }
        match ty {
            Some(ty) => Ok((Node::Staged(stages), ty)),
            None => self.bind(first),
        }
    }

    /// What is made of `x`, computed once where it stands in several places: these see it as what the stage before
    /// yielded. To bind it in each would take twice as long for each level of such expressions in each other.
    pub(super) fn once(
        &self,
        x: &Expr,
        (node, ty): Typed,
        make: impl Fn(&Binder, &Expr) -> Result<Typed>,
    ) -> Result<Typed> {
        // a narrow float is known as one by its expression, and so is what hangs on no row
        if node.is_at_hand() || matches!(node, Node::Short(..)) || x.columns().is_empty() {
            return make(self, x);
        }
        let binder = Binder {
            schema: self.schema,
            aggregates: self.aggregates,
            held: Some(ty),
        };
        let (shown, own) = (format!("\"{HELD}\""), x.to_string());
        let made = make(&binder, &Expr::column(HELD));
        let (then, ty) = made.map_err(|e| e.reworded(|t| t.replace(&shown, &own).replace(HELD, &own)))?;
        Ok((Node::Staged(vec![node, then]), ty))
    }

    pub(super) fn bool(&self, e: &Expr, what: &str) -> Result<Node> {
        let (node, ty) = self.bind(e)?;
        match ty {
            DataType::Boolean | DataType::Null => coerce((node, ty), &DataType::Boolean),
            _ => Err(Error::query(format!(
                "{what} needs a condition, but {e} is {}",
                types::name(&ty)
            ))
            .help(format!("compare it, as in {e} = …"))),
        }
    }

    fn text(&self, e: &Expr, what: &str) -> Result<Node> {
        let (node, ty) = self.bind(e)?;
        match ty {
            DataType::Null | DataType::Binary => coerce((node, ty), &types::TEXT),
            _ if is_digits(&ty) => coerce((node, ty), &types::TEXT),
            _ if ty == types::TEXT => Ok(node),
            _ => Err(
                Error::query(format!("{what} needs text, but {e} is {}", types::name(&ty)))
                    .help(format!("write cast({e} AS text)")),
            ),
        }
    }

    /// Binds both sides; an unknown name beside a text column was probably meant as text.
    fn pair(&self, left: &Expr, right: &Expr, role: &str) -> Result<(Typed, Typed)> {
        let quoted = |column: &Expr, other: &Expr| -> Option<Error> {
            let Expr::Column(name) = column else { return None };
            let is_text = matches!(self.bind(other), Ok((_, t)) if t == types::TEXT);
            let names = self.schema.fields().iter().map(|f| f.name().as_str());
            let misspelt = crate::error::did_you_mean(name, names).is_some();
            (self.schema.index_of(name).is_err() && is_text && !misspelt).then(|| {
                Error::query(format!("no column \"{name}\"")).help(format!(
                    "if it is text, write it in single quotes: {other} = '{name}' (double quotes name columns)"
                ))
            })
        };
        let error = |e: Error, guess: Option<Error>| guess.unwrap_or(e);
        let l = self.bind(left).map_err(|e| error(e, quoted(left, right)))?;
        let r = self.bind(right).map_err(|e| error(e, quoted(right, left)))?;
        let (lt, rt) = (l.1.clone(), r.1.clone());
        Ok((adapt(left, l, &rt, role)?, adapt(right, r, &lt, role)?))
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Typed> {
        use BinaryOp::{And, Concat, Or};
        match op {
            And | Or => {
                let (l, r) = (self.bool(left, op.symbol())?, self.bool(right, op.symbol())?);
                Ok((Node::logic(op == And, l, r), DataType::Boolean))
            }
            Concat => {
                let args = vec![
                    coerce(self.bind(left)?, &types::TEXT)?,
                    coerce(self.bind(right)?, &types::TEXT)?,
                ];
                Ok((Node::Concat(args), types::TEXT))
            }
            op if op.is_comparison() => Ok((self.compare(op, left, right)?, DataType::Boolean)),
            op => self.arithmetic(op, left, right),
        }
    }

    pub(super) fn compare(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Node> {
        let (mut l, mut r) = self.pair(left, right, COMPARED)?;
        as_short(&mut l, &r)?;
        as_short(&mut r, &l)?;
        within_nanos(&mut l, &r.1)?;
        within_nanos(&mut r, &l.1)?;
        let ty = match op.is_equality() {
            true => alike::equal_type((left, &l.1, self.schema), (right, &r.1, self.schema)),
            false => common(&l.1, &r.1),
        };
        let Some(ty) = ty else {
            let (a, b) = (types::name(&l.1), types::name(&r.1));
            let text = if l.1 == types::TEXT { left } else { right };
            let other = if l.1 == types::TEXT { &r.1 } else { &l.1 };
            let error = Error::query(format!(
                "cannot compare {a} with {b}: {left} {} {right}",
                op.symbol()
            ))
            .of_types();
            return Err(match l.1 == types::TEXT || r.1 == types::TEXT {
                true if types::is_numeric(other) => {
                    let error = error.help(super::advice::unknown(&text.to_string()));
                    super::tree::about_text(error, &types::TEXT, Some(text))
                }
                true => error.help(format!("write cast({text} AS {})", types::name(other))),
                false => error,
            });
        };
        if ty == DataType::Null && !matches!(op, BinaryOp::Distinct | BinaryOp::NotDistinct) {
            return coerce(constant(&Scalar::Null), &DataType::Boolean);
        }
        let ty = match ty {
            DataType::Null => DataType::Int64,
            DataType::Decimal128(..) => as_precise(&l, &r, &ty).unwrap_or(ty),
            ty => ty,
        };
        let read = |(node, from): Typed| match from == types::TEXT && ty != types::TEXT {
            true => Ok(alike::read(node, &ty)),
            false => coerce((node, from), &ty),
        };
        Ok(Node::compare(op, read(l)?, read(r)?))
    }

    fn arithmetic(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Typed> {
        use BinaryOp::{Add, Div, IntDiv, Mod, Sub};
        use DataType::{Date32, Decimal128, Float64, Int64, Null};
        if let Some(done) = self.shift(op, left, right)? {
            return Ok(done);
        }
        let (l, r) = self.pair(left, right, COMPUTED)?;
        let misfit = || {
            let (a, b) = (types::name(&l.1), types::name(&r.1));
            Error::query(format!(
                "no {a} {} {b}: {left} {} {right}",
                op.symbol(),
                op.symbol()
            ))
        };
        if let Some((a, b, ty)) = spans::result(op, &l.1, &r.1) {
            let (l, r) = (Box::new(coerce(l, &a)?), Box::new(coerce(r, &b)?));
            let out = ty.clone();
            return Ok((Node::Span { op, l, r, ty }, out));
        }
        let days = |node: Node, days: Node, sign: i64| {
            (
                Node::AddDays {
                    node: Box::new(node),
                    days: Box::new(days),
                    sign,
                },
                Date32,
            )
        };
        match (op, &l.1, &r.1) {
            (Add, Date32, Int64) => return Ok(days(l.0, r.0, 1)),
            (Add, Int64, Date32) => return Ok(days(r.0, l.0, 1)),
            (Sub, Date32, Int64) => return Ok(days(l.0, r.0, -1)),
            (Sub, Date32, Date32) => return Ok((Node::DaysBetween(Box::new(l.0), Box::new(r.0)), Int64)),
            (_, a, b) if is_time(a) || is_time(b) => {
                return Err(
                    misfit().help(
                        "date ± days, date - date, x ± INTERVAL '1 hour'; between moments: epoch(a) - epoch(b) in seconds, date_diff('hour', a, b)",
                    )
                );
            }
            (_, a, b) if !types::is_numeric(a) || !types::is_numeric(b) => {
                let error = misfit();
                return Err(match (a, b) {
                    (a, b) if *a == types::TEXT || *b == types::TEXT => {
                        let text = if *a == types::TEXT { left } else { right };
                        let help = format!("{}; || joins text", super::advice::unknown("x"));
                        super::tree::about_text(error.help(help), &types::TEXT, Some(text))
                    }
                    _ => error.help("cast(x AS int) makes a number of a bool"),
                });
            }
            _ => {}
        }
        let ty = match (&l.1, &r.1) {
            _ if op == Div => Float64,
            (Null, Null) => Int64,
            (Decimal128(..), Decimal128(..) | Int64 | Null) | (Int64 | Null, Decimal128(..)) => {
                if op == IntDiv {
                    return Err(misfit().help("write trunc(a / b), or cast to int"));
                }
                return self.decimals(op, l, r);
            }
            (a, b) => common(a, b).ok_or_else(misfit)?,
        };
        let can_fail = ty == Int64 || matches!(op, IntDiv | Mod);
        let (l, r) = (Box::new(coerce(l, &ty)?), Box::new(coerce(r, &ty)?));
        Ok((Node::Arith { op, l, r, can_fail }, ty))
    }

    fn decimals(&self, op: BinaryOp, l: Typed, r: Typed) -> Result<Typed> {
        let whole = |t: Typed| -> Result<Typed> {
            match t.1 {
                DataType::Decimal128(..) => Ok(t),
                _ => {
                    let ty = DataType::Decimal128(19, 0);
                    Ok((coerce(t, &ty)?, ty))
                }
            }
        };
        let (l, r) = (whole(l)?, whole(r)?);
        let empty = |t: &DataType| Value::Array(new_empty_array(t));
        let ty = arith::decimals(op, &empty(&l.1), &empty(&r.1))?
            .data_type()
            .clone();
        Ok((
            Node::Arith {
                op,
                l: Box::new(l.0),
                r: Box::new(r.0),
                can_fail: true,
            },
            ty,
        ))
    }

    /// A date or timestamp and an interval.
    fn shift(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Option<Typed>> {
        use BinaryOp::{Add, Sub};
        let (x, span) = match (op, span_of(left), span_of(right)) {
            (Add | Sub, None, Some(span)) => (left, span),
            (Add, Some(span), None) => (right, span),
            _ => return Ok(None),
        };
        let (times, (m, d, us)) = span;
        let (node, ty) = self.bind(x)?;
        if matches!(ty, DataType::Time64(_)) || spans::is_span(&ty) {
            return Ok(None);
        }
        if !is_time(&ty) {
            return Err(
                Error::query(format!("{} {} an interval", types::name(&ty), op.symbol()))
                    .help("intervals are added to dates and timestamps"),
            );
        }
        let sign = if op == Sub { -1 } else { 1 };
        let us = us
            .checked_mul(sign)
            .ok_or_else(|| Error::query("an interval beyond int64 microseconds"))?;
        let span = (sign * m, sign * d, us);
        let out = if ty == DataType::Date32 && us != 0 {
            types::timestamp()
        } else {
            ty
        };
        let node = Box::new(node);
        let Some(times) = times else {
            return Ok(Some((Node::Shift { node, span }, out)));
        };
        let (times, ty) = self.bind(times)?;
        if !matches!(ty, DataType::Int64 | DataType::Null) {
            return Err(Error::query(format!("{} intervals", types::name(&ty)))
                .help("a whole number of intervals is added"));
        }
        let times = Box::new(coerce((times, ty), &DataType::Int64)?);
        Ok(Some((Node::ShiftBy { node, times, span }, out)))
    }

    fn in_list(&self, expr: &Expr, list: &[Expr]) -> Result<Node> {
        let all_text = list.iter().all(is_text_literal);
        let (node, ty) = self.bind(expr)?;
        if all_text && list.len() > 3 && has_literals(&ty) {
            // each text is parsed once; of other types there are no constants
            let value = |e: &Expr| Some(Expr::Literal(literal(text_of(e)?, &ty)?));
            if let Some(list) = list.iter().map(value).collect::<Option<Vec<_>>>() {
                return self.in_bound(expr, (node, ty), &list);
            }
        }
        self.in_bound(expr, (node, ty), list)
    }

    fn in_bound(&self, expr: &Expr, (node, ty): Typed, list: &[Expr]) -> Result<Node> {
        let all_text = list.iter().all(is_text_literal);
        let all_int = list.iter().all(|e| matches!(e, Expr::Literal(Scalar::Int(_))));
        if list.len() > 3 && all_text && ty == types::TEXT {
            let set = list.iter().filter_map(|e| text_of(e).map(str::to_string));
            return Ok(Node::InText {
                node: Box::new(node),
                set: set.collect(),
            });
        }
        if list.len() > 3 && all_int && ty == DataType::Int64 {
            let set = list.iter().filter_map(|e| match e {
                Expr::Literal(Scalar::Int(i)) => Some(*i),
                _ => None,
            });
            return Ok(Node::InInt {
                node: Box::new(node),
                set: set.collect(),
            });
        }
        let tests = |binder: &Binder, x: &Expr| {
            let each = list
                .iter()
                .map(|e| Expr::binary(BinaryOp::Eq, x.clone(), e.clone()));
            match balanced(BinaryOp::Or, each.collect()) {
                Some(e) => binder.bind(&e),
                None => Err(Error::query("IN with an empty list")),
            }
        };
        Ok(self.once(expr, (node, ty), tests)?.0)
    }

    /// `time_bucket` with its width in months and microseconds.
    fn bucket(&self, width: &Expr, x: &Expr, rest: &[Expr]) -> Result<Typed> {
        let (months, us) = super::buckets::width(width)?;
        let mut moment = self.bind(x)?;
        // parts of days are moments
        if us % temporal::DAY_US != 0 && moment.1 == DataType::Date32 {
            moment = (coerce(moment, &types::timestamp())?, types::timestamp());
        }
        let int = |n: i64| constant(&Scalar::Int(n));
        let mut bound = vec![int(months), int(us), moment];
        for e in rest {
            bound.push(self.bind(e)?);
        }
        let args = [x].into_iter().chain(rest);
        let literals: Vec<bool> = [false, false]
            .into_iter()
            .chain(args.map(is_text_literal))
            .collect();
        called(Func::Bucket, bound, &literals)
    }

    fn function(&self, func: Func, args: &[Expr]) -> Result<Typed> {
        match (func, args) {
            (Func::Coalesce, [_, ..]) | (Func::IfNull, [_, _]) => {
                return self.first_known(func.info().name, &super::case::first_of_all(args));
            }
            (Func::NullIf, [a, b]) => {
                return self.once(a, self.bind(a)?, |binder, a| {
                    let same = Expr::binary(BinaryOp::Eq, a.clone(), b.clone());
                    let branch = (same, Expr::Literal(Scalar::Null));
                    binder.case(func.info().name, &None, &[branch], &Some(Box::new(a.clone())))
                });
            }
            (Func::TimeBucket, [width, x, rest @ ..]) => {
                return self.bucket(width, x, rest);
            }
            (Func::If, [c, a, b]) => {
                return self.case(
                    func.info().name,
                    &None,
                    &[(c.clone(), a.clone())],
                    &Some(Box::new(b.clone())),
                );
            }
            (Func::Carried | Func::ReadAs, [x, Expr::Literal(Scalar::Text(ty))]) => {
                let ty = carried::type_named(ty)?;
                return Ok((call(func, self.bind(x)?.0, &ty), ty));
            }
            _ => {}
        }
        let mut bound: Vec<Typed> = args.iter().map(|a| self.bind(a)).collect::<Result<_>>()?;
        if func.unites_all() && args.iter().any(is_text_literal) {
            let all: Vec<(&Expr, Typed)> = args.iter().zip(bound).collect();
            let name = func.info().name;
            let ty = unite_all(name, &all.iter().collect::<Vec<_>>())?;
            let role = format!("as the other values of {name} are");
            let each = all.into_iter().map(|(e, t)| adapt(e, t, &ty, &role));
            bound = each.collect::<Result<_>>()?;
        }
        let literals: Vec<bool> = args.iter().map(is_text_literal).collect();
        called(func, bound, &literals)
    }
}

/// A function of bound arguments; `literals` says which of them are texts in the query.
fn called(func: Func, bound: Vec<Typed>, literals: &[bool]) -> Result<Typed> {
    let given: Vec<DataType> = bound.iter().map(|b| b.1.clone()).collect();
    let (want, mut ty) = func.check(&given, literals)?;
    if let Func::Greatest | Func::Least = func {
        return extreme(func, bound, ty);
    }
    let args: Vec<Node> = bound
        .into_iter()
        .zip(&want)
        .map(|(b, t)| coerce(b, t))
        .collect::<Result<_>>()?;
    let constant_arg = |i: usize| match args.get(i) {
        Some(Node::Const(a)) => text::constant_text(a),
        _ => None,
    };
    let regex: Option<Regex> = match func {
        Func::RegexpLike | Func::RegexpExtract => constant_arg(1).map(|p| text::regex(p, "")).transpose()?,
        Func::RegexpReplace if args.len() == 3 || constant_arg(3).is_some() => constant_arg(1)
            .map(|p| text::regex(p, constant_arg(3).unwrap_or("")))
            .transpose()?,
        _ => None,
    };
    if matches!(func, Func::DateTrunc | Func::DateDiff)
        && let Some(unit) = constant_arg(0)
    {
        super::dates::Unit::parse(unit)?;
    }
    let zone = match func {
        Func::AtTimeZone | Func::Zoned => constant_arg(1),
        Func::DateTrunc | Func::Strftime => constant_arg(2),
        Func::Bucket => constant_arg(4),
        _ => None,
    };
    if let Some(zone) = zone {
        super::zones::parse(zone)?;
    }
    // what tells an offset is a moment
    if matches!(func, Func::Strptime | Func::TryStrptime)
        && constant_arg(1).is_some_and(super::strptime::has_offset)
    {
        ty = types::timestamp_utc();
    }
    let width = match args.as_slice() {
        [Node::Short(_, width)] if stays_short(func, args.len()) => Some(*width),
        _ => None,
    };
    let node = Node::Call {
        func,
        args,
        ty: ty.clone(),
        regex,
    };
    Ok(match width {
        Some(width) => (Node::Short(Box::new(node), width), ty),
        None => (node, ty),
    })
}
