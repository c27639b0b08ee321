//! Calls of aggregates, from their names and arguments.
//!
//! What has an order (`first(x ORDER BY y)`, `arg_max(x, y)`, `string_agg`) keeps it within its
//! argument ([`super::pack`]), so that the call stays plain data.

use super::functions::Func;
use super::pack::{Term, ordered};
use super::parse::AGGREGATES;
use super::tree::{AggCall, AggFunc, BinaryOp, CastType, Expr};
use crate::error::{Error, Result};
use crate::kernel::Scalar;

/// Names of aggregates that are made of others.
pub(super) const COMPOSED: &[&str] = &[
    "arg_max",
    "arg_min",
    "argmax",
    "argmin",
    "count_if",
    "countif",
    "geomean",
    "geometric_mean",
    "group_concat",
    "listagg",
    "max_by",
    "min_by",
    "string_agg",
];

/// Whether an aggregate has that name.
pub fn is_aggregate(name: &str) -> bool {
    let name = name.to_lowercase();
    AGGREGATES.iter().any(|(n, _)| *n == name) || COMPOSED.contains(&name.as_str())
}

/// A call as it was written.
pub(super) struct Call {
    pub name: String,
    pub args: Vec<Expr>,
    pub star: bool,
    pub distinct: bool,
    pub filter: Option<Expr>,
    /// `ORDER BY` within the parentheses, or `WITHIN GROUP (ORDER BY …)`.
    pub order: Vec<Term>,
    /// Whether the order was given by WITHIN GROUP.
    pub within_group: bool,
    /// Whether `IGNORE NULLS` or `RESPECT NULLS` says that nulls are left out.
    pub ignore_nulls: Option<bool>,
}

impl Call {
    /// A call without an order or a filter.
    pub fn plain(name: String, args: Vec<Expr>, star: bool, distinct: bool) -> Call {
        Call {
            name,
            args,
            star,
            distinct,
            filter: None,
            order: Vec::new(),
            within_group: false,
            ignore_nulls: None,
        }
    }

    /// The call of `func` that a window makes; its arguments may be aggregates.
    pub fn over_window(self, func: AggFunc) -> Result<AggCall> {
        match self.simple(func)? {
            Expr::Aggregate(call) => Ok(*call),
            other => Err(Error::defect(format!("{other} is no aggregate"))),
        }
    }

    /// The aggregate; the call itself where no aggregate has that name.
    pub fn aggregate(mut self) -> std::result::Result<Result<Expr>, Box<Call>> {
        let simple = AGGREGATES.iter().find(|(n, _)| *n == self.name).map(|(_, f)| *f);
        if simple.is_none() && !COMPOSED.contains(&self.name.as_str()) {
            return Err(Box::new(self));
        }
        let inside = self.args.iter().chain(&self.filter);
        if inside
            .chain(self.order.iter().map(|t| &t.expr))
            .any(Expr::has_aggregate)
        {
            let what = format!("an aggregate inside the aggregate {}", self.name);
            return Ok(Err(Error::query(what)));
        }
        // what a constant orders, nothing orders
        self.order.retain(|t| !matches!(t.expr, Expr::Literal(_)));
        Ok(match (simple, self.name.as_str()) {
            (Some(func), _) => self.simple(func),
            (_, "arg_max" | "argmax" | "max_by") => self.extreme(true),
            (_, "arg_min" | "argmin" | "min_by") => self.extreme(false),
            (_, "count_if" | "countif") => self.count_if(),
            (_, "geomean" | "geometric_mean") => self.geometric_mean(),
            _ => self.string_agg(),
        })
    }

    fn wrong(&self, signature: &str) -> Error {
        let n = self.args.len();
        Error::query(format!("{} with {n} arguments", self.name)).help(format!("it is called {signature}"))
    }

    fn simple(mut self, mut func: AggFunc) -> Result<Expr> {
        if let AggFunc::Quantile(_) = func {
            let q = match self.args.pop() {
                Some(Expr::Literal(Scalar::Float(q))) => q,
                Some(Expr::Literal(Scalar::Int(q))) => q as f64,
                Some(Expr::Literal(Scalar::Decimal(q, _, s))) => q as f64 / 10f64.powi(i32::from(s)),
                _ => {
                    return Err(
                        Error::query("quantile needs a share between 0 and 1").help("quantile(x, 0.95)")
                    );
                }
            };
            func = AggFunc::Quantile(q);
            if self.within_group {
                let [term] = self.order.as_slice() else {
                    return Err(Error::query(format!("{} orders by one column", self.name)));
                };
                if term.descending {
                    func = AggFunc::Quantile(1.0 - q);
                }
                self.args = vec![term.expr.clone()];
            }
        } else if self.within_group && func == AggFunc::Mode && self.args.is_empty() {
            // the value is what orders the rows
            self.args = self.order.iter().take(1).map(|t| t.expr.clone()).collect();
        } else if self.within_group {
            return Err(Error::query(format!("{} takes no WITHIN GROUP", self.name))
                .help(format!("{}(x ORDER BY y)", self.name)));
        }
        if let AggFunc::Pair(_) = func {
            return self.pair(func);
        }
        if self.distinct && func == AggFunc::Count {
            (func, self.distinct) = (AggFunc::NUnique, false);
        }
        let mut arg = match (self.args.len(), func) {
            (1, _) if !self.star => self.args.pop(),
            (0, AggFunc::Count) => None,
            _ => {
                let name = func.name();
                return Err(Error::query(format!("{name} takes one column")).help(format!("{name}(x)")));
            }
        };
        func = self.end(func)?;
        use AggFunc::{First, FirstKnown, Last, LastKnown};
        if !self.order.is_empty() {
            let rows_end = match func {
                First | FirstKnown => Some(First),
                Last | LastKnown => Some(Last),
                AggFunc::Mode => Some(AggFunc::Mode),
                _ => None,
            };
            if let Some(end) = rows_end {
                if func != end {
                    self.filter = both(self.filter.take(), arg.iter().map(not_null));
                }
                func = end;
                let order = std::mem::take(&mut self.order);
                arg = arg.map(|x| ordered(x, order));
            }
        }
        Ok(self.call(func, arg))
    }

    /// Whether nulls count is for the call to say where the function takes the value of one row.
    fn end(&self, func: AggFunc) -> Result<AggFunc> {
        use AggFunc::{First, FirstKnown, Last, LastKnown};
        Ok(match (func, self.ignore_nulls) {
            (func, None) => func,
            (First | FirstKnown, Some(true)) => FirstKnown,
            (First | FirstKnown, Some(false)) => First,
            (Last | LastKnown, Some(true)) => LastKnown,
            (Last | LastKnown, Some(false)) => Last,
            (func, Some(true)) => func,
            (_, Some(false)) => {
                return Err(Error::query(format!("{} leaves nulls out", self.name))
                    .help("RESPECT NULLS goes with first, last and any_value"));
            }
        })
    }

    /// An aggregate of two columns, which become one.
    fn pair(mut self, func: AggFunc) -> Result<Expr> {
        let name = func.name();
        if self.distinct {
            return Err(Error::query(format!("DISTINCT in {name}")));
        }
        match self.args.as_slice() {
            [_, _] if !self.star => {
                let args = std::mem::take(&mut self.args);
                let both = Expr::Function {
                    func: Func::Pair,
                    args,
                };
                Ok(self.call(func, Some(both)))
            }
            _ => Err(self.wrong(&format!("{name}(y, x)"))),
        }
    }

    /// `arg_max(x, y)`: x where y is greatest, of the rows where neither is null.
    fn extreme(mut self, greatest: bool) -> Result<Expr> {
        let (Some(y), Some(x), None) = (self.args.pop(), self.args.pop(), self.args.pop()) else {
            return Err(self.wrong("arg_max(x, y), arg_min(x, y)"));
        };
        self.filter = both(self.filter.take(), [not_null(&x), not_null(&y)]);
        let term = Term {
            expr: y,
            descending: greatest,
            nulls_first: false,
        };
        self.distinct = false;
        Ok(self.call(AggFunc::First, Some(ordered(x, vec![term]))))
    }

    /// The exponential of the mean of logarithms.
    fn geometric_mean(mut self) -> Result<Expr> {
        let (Some(x), None) = (self.args.pop(), self.args.pop()) else {
            return Err(self.wrong("geometric_mean(x)"));
        };
        let of = |func, e| Expr::Function { func, args: vec![e] };
        Ok(of(Func::Exp, self.call(AggFunc::Mean, Some(of(Func::Ln, x)))))
    }

    fn count_if(mut self) -> Result<Expr> {
        let (Some(condition), None) = (self.args.pop(), self.args.pop()) else {
            return Err(self.wrong("count_if(condition)"));
        };
        if self.distinct {
            return Err(Error::query("DISTINCT in count_if"));
        }
        self.filter = both(self.filter.take(), [condition]);
        Ok(self.call(AggFunc::Count, None))
    }

    /// Each value with the separator before it, all of them joined, and then without the first
    /// separator.
    fn string_agg(mut self) -> Result<Expr> {
        let separator = match self.args.len() {
            1 => ",".to_string(),
            2 => match self.args.pop() {
                Some(Expr::Literal(Scalar::Text(t))) => t,
                _ => {
                    return Err(
                        Error::query(format!("the separator of {} is no constant text", self.name))
                            .help("string_agg(x, ', ')"),
                    );
                }
            },
            _ => return Err(self.wrong("string_agg(x, ', ' ORDER BY y)")),
        };
        let x = match self.args.pop() {
            Some(x) if !self.star => x,
            _ => return Err(self.wrong("string_agg(x, ', ' ORDER BY y)")),
        };
        let x = Expr::Cast {
            expr: Box::new(x),
            to: CastType::Text,
            try_: false,
        };
        let text = |t: &str| Expr::Literal(Scalar::Text(t.to_string()));
        let value = match separator.is_empty() {
            true => x,
            false => Expr::binary(BinaryOp::Concat, text(&separator), x),
        };
        let order = std::mem::take(&mut self.order);
        let func = AggFunc::StringAgg(std::mem::take(&mut self.distinct));
        let all = self.call(func, Some(ordered(value, order)));
        Ok(match separator.chars().count() {
            0 => all,
            n => Expr::Function {
                func: Func::Substr,
                args: vec![all, Expr::Literal(Scalar::Int(n as i64 + 1))],
            },
        })
    }

    fn call(self, func: AggFunc, arg: Option<Expr>) -> Expr {
        Expr::Aggregate(Box::new(AggCall {
            func,
            arg,
            distinct: self.distinct,
            filter: self.filter,
        }))
    }
}

fn not_null(e: &Expr) -> Expr {
    Expr::IsNull {
        expr: Box::new(e.clone()),
        negated: true,
    }
}

fn both(filter: Option<Expr>, more: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    let parts: Vec<Expr> = filter.into_iter().chain(more).collect();
    (!parts.is_empty()).then(|| Expr::and(parts))
}
