//! Expressions as SQL text that parses back to the same tree, with the fewest parentheses that
//! are still plain to read.

use std::fmt;

use super::functions::Func;
use super::temporal;
use super::tree::{AggCall, AggFunc, BinaryOp, CastType, Expr, UnaryOp};
use crate::kernel::Scalar;

/// How tightly a piece of text holds together; higher is tighter.
fn level(e: &Expr) -> u8 {
    match e {
        Expr::Binary { op, .. } => level_of(*op),
        Expr::Chain { rest, .. } => rest.first().map_or(9, |(op, _)| level_of(*op)),
        Expr::Unary { op: UnaryOp::Not, .. } => 3,
        Expr::InList { .. } | Expr::Like { .. } | Expr::IsNull { .. } => 4,
        Expr::Unary { op: UnaryOp::Neg, .. } => 8,
        Expr::Literal(Scalar::Int(v)) if *v < 0 => 8,
        Expr::Literal(Scalar::Float(v)) if v.is_sign_negative() => 8,
        _ => 9,
    }
}

fn level_of(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Add | BinaryOp::Sub => 6,
        op if op.is_comparison() => 4,
        _ => 7,
    }
}

/// An expression in parentheses unless it holds together at least that tightly.
struct At<'a>(&'a Expr, u8);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if level(self.0) < self.1 {
            write!(f, "({})", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// Values between commas.
struct List<'a>(&'a [Expr]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, e) in self.0.iter().enumerate() {
            write!(f, "{}{e}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A column's name as it must be written: bare where that reads back, else in double quotes.
pub fn quote_name(name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    let upper = name.to_ascii_uppercase();
    let keyword = sqlparser::keywords::ALL_KEYWORDS
        .binary_search(&upper.as_str())
        .is_ok();
    if plain && !keyword {
        name.to_string()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Column(name) => f.write_str(&quote_name(name)),
            Expr::Literal(v) => literal(f, v),
            Expr::Place => f.write_str("place"),
            Expr::Unary {
                op: UnaryOp::Not,
                expr,
            } => write!(f, "NOT {}", At(expr, 4)),
            Expr::Unary {
                op: UnaryOp::Neg,
                expr,
            } => match &**expr {
                // bare, it would read back as a negative literal
                Expr::Literal(_) => write!(f, "-({expr})"),
                _ => write!(f, "-{}", At(expr, 9)),
            },
            Expr::Binary { op, left, right } => {
                let own = level(self);
                let (l, r) = match op {
                    BinaryOp::And | BinaryOp::Or => (own, own),
                    op if op.is_comparison() => (own + 1, own + 1),
                    _ => (own, own + 1),
                };
                write!(f, "{} {} {}", At(left, l), op.symbol(), At(right, r))
            }
            Expr::Chain { first, rest } => {
                let own = level(self);
                write!(f, "{}", At(first, own))?;
                for (op, e) in rest {
                    write!(f, " {} {}", op.symbol(), At(e, own + 1))?;
                }
                Ok(())
            }
            Expr::Function { func, args } => write!(f, "{}({})", func.call_name(), List(args)),
            Expr::Case {
                operand,
                branches,
                otherwise,
            } => {
                f.write_str("CASE")?;
                if let Some(e) = operand {
                    write!(f, " {e}")?;
                }
                for (w, t) in branches {
                    write!(f, " WHEN {w} THEN {t}")?;
                }
                if let Some(e) = otherwise {
                    write!(f, " ELSE {e}")?;
                }
                f.write_str(" END")
            }
            Expr::Cast { expr, to, try_ } => {
                write!(f, "{}CAST({expr} AS {to})", if *try_ { "TRY_" } else { "" })
            }
            Expr::InList { expr, list, negated } => {
                write!(
                    f,
                    "{} {}IN ({})",
                    At(expr, 5),
                    if *negated { "NOT " } else { "" },
                    List(list)
                )
            }
            Expr::Like {
                expr,
                pattern,
                case_insensitive,
                negated,
                escape,
            } => {
                let not = if *negated { "NOT " } else { "" };
                let name = if *case_insensitive { "ILIKE" } else { "LIKE" };
                write!(f, "{} {not}{name} {}", At(expr, 5), At(pattern, 5))?;
                match escape {
                    Some(c) => write!(f, " ESCAPE {}", quote_text(&c.to_string())),
                    None => Ok(()),
                }
            }
            Expr::IsNull { expr, negated } => {
                write!(f, "{} IS {}NULL", At(expr, 5), if *negated { "NOT " } else { "" })
            }
            Expr::Aggregate(a) => write!(f, "{a}"),
            Expr::Window(w) => write!(f, "{w}"),
        }
    }
}

impl fmt::Display for AggCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.func.name())?;
        match &self.arg {
            None => f.write_str("*")?,
            Some(e) => {
                if self.distinct || self.func == AggFunc::StringAgg(true) {
                    f.write_str("DISTINCT ")?;
                }
                match e {
                    Expr::Function {
                        func: Func::Ordered,
                        args,
                    } => f.write_str(&super::pack::shown(args))?,
                    Expr::Function {
                        func: Func::Pair,
                        args,
                    } => {
                        let args: Vec<String> = args.iter().map(Expr::to_string).collect();
                        f.write_str(&args.join(", "))?;
                    }
                    e => write!(f, "{e}")?,
                }
            }
        }
        if self.func == AggFunc::LastKnown {
            f.write_str(" IGNORE NULLS")?;
        }
        if let AggFunc::Quantile(q) = self.func {
            write!(f, ", {q:?}")?;
        }
        f.write_str(")")?;
        match &self.filter {
            Some(e) => write!(f, " FILTER (WHERE {e})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for CastType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CastType::Bool => f.write_str("BOOLEAN"),
            CastType::Int => f.write_str("BIGINT"),
            CastType::Float => f.write_str("DOUBLE"),
            CastType::Decimal(p, s) => write!(f, "DECIMAL({p},{s})"),
            CastType::Date => f.write_str("DATE"),
            CastType::Timestamp => f.write_str("TIMESTAMP"),
            CastType::TimestampUtc => f.write_str("TIMESTAMPTZ"),
            CastType::TimestampNanos(false) => f.write_str("TIMESTAMP_NS"),
            CastType::TimestampNanos(true) => f.write_str("TIMESTAMPTZ_NS"),
            CastType::Time(false) => f.write_str("TIME"),
            CastType::Time(true) => f.write_str("TIME_NS"),
            CastType::Duration(false) => f.write_str("DURATION"),
            CastType::Duration(true) => f.write_str("DURATION_NS"),
            CastType::Interval => f.write_str("INTERVAL"),
            CastType::Binary => f.write_str("BLOB"),
            CastType::Uuid => f.write_str("UUID"),
            CastType::Text => f.write_str("TEXT"),
        }
    }
}

fn literal(f: &mut fmt::Formatter<'_>, v: &Scalar) -> fmt::Result {
    match v {
        Scalar::Null => f.write_str("NULL"),
        Scalar::Bool(b) => f.write_str(if *b { "TRUE" } else { "FALSE" }),
        Scalar::Int(i) => write!(f, "{i}"),
        Scalar::Float(x) if x.is_finite() => write!(f, "{x:?}"),
        Scalar::Float(x) => write!(f, "DOUBLE '{x}'"),
        Scalar::Decimal(v, p, s) => write!(f, "DECIMAL({p},{s}) '{}'", temporal::decimal_text(*v, *s)),
        Scalar::Date(d) => write!(f, "DATE '{}'", temporal::date_text(*d)),
        Scalar::Timestamp(t, false) => write!(f, "TIMESTAMP '{}'", temporal::timestamp_text(*t, false)),
        Scalar::Timestamp(t, true) => write!(f, "TIMESTAMPTZ '{}'", temporal::timestamp_text(*t, true)),
        Scalar::Interval(m, d, us) => write!(f, "INTERVAL '{}'", super::interval::shown(*m, *d, *us)),
        Scalar::Text(t) => f.write_str(&quote_text(t)),
        Scalar::Other(t, ty) => match CastType::of(ty) {
            Some(to) => write!(f, "CAST({} AS {to})", quote_text(t)),
            None => f.write_str(&quote_text(t)),
        },
    }
}
