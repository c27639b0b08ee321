//! Expressions of SQL: names through scopes, decimals, and subqueries put aside.
//!
//! A subquery within an expression becomes a column that does not exist yet (its *stand-in*) and a
//! [`Job`]; [`super::subquery`] joins what it yields to the rows before the expression is computed.

use sqlparser::ast::{self, Expr as S, Ident, Value};

use super::columns::is_columns;
use super::scope::Scope;
use super::{Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{self, BinaryOp, Expr};
use crate::kernel::Scalar;

/// How deeply aliases may stand for expressions with aliases.
const MAX_ALIASES: usize = 16;
/// As everywhere: what is walked recursively has a limit.
const MAX_DEPTH: usize = expr::tree::MAX_DEPTH;

/// A subquery within an expression.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The column that stands in for it.
    pub stand_in: String,
    pub kind: JobKind,
    pub query: ast::Query,
    /// Aggregates of the query around that it asks for, by the names that stand for them in it.
    pub aggs: Vec<(String, S)>,
}

/// How a subquery is used.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JobKind {
    /// Its one value.
    Scalar,
    /// Whether it has rows.
    Exists,
    /// Whether the expression is among its values.
    In(Expr),
    /// Whether a row of expressions is among its rows.
    InRow(Vec<Expr>),
    /// How the expression compares with its values: with all of them, or any.
    Compare { x: Expr, op: BinaryOp, all: bool },
}

impl JobKind {
    /// The expressions that its values are compared with.
    pub fn compared_with(&self) -> &[Expr] {
        match self {
            JobKind::In(x) | JobKind::Compare { x, .. } => std::slice::from_ref(x),
            JobKind::InRow(row) => row,
            JobKind::Scalar | JobKind::Exists => &[],
        }
    }

    /// The same to be changed in place.
    pub fn compared(&mut self) -> &mut [Expr] {
        match self {
            JobKind::In(x) | JobKind::Compare { x, .. } => std::slice::from_mut(x),
            JobKind::InRow(row) => row,
            JobKind::Scalar | JobKind::Exists => &mut [],
        }
    }
}

/// The expressions that aliases of the select list stand for.
pub(super) type Aliases<'a> = [(&'a Ident, &'a S)];

/// Whether an alias goes before a column of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Column,
    Alias,
}

/// What names may mean at a place.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub scope: &'a Scope<'a>,
    pub aliases: &'a Aliases<'a>,
    pub first: First,
}

impl<'a> Names<'a> {
    /// Columns only.
    pub fn of(scope: &'a Scope<'a>) -> Self {
        Names {
            scope,
            aliases: &[],
            first: First::Column,
        }
    }
}

impl Planner<'_> {
    /// Converts an expression; its subqueries are added to `jobs`.
    pub(super) fn expr(&mut self, e: &S, names: Names, jobs: &mut Vec<Job>) -> Result<Expr> {
        let done = self.expr_at(e, names, jobs, 0)?;
        if done.depth() > MAX_DEPTH {
            return Err(Error::query(format!(
                "an expression nests more than {MAX_DEPTH} deep"
            )));
        }
        Ok(done)
    }

    /// As [`Planner::expr`], where no subquery may stand.
    pub(super) fn plain_expr(&mut self, e: &S, names: Names, place: &str) -> Result<Expr> {
        let mut jobs = Vec::new();
        let done = self.expr(e, names, &mut jobs)?;
        match jobs.is_empty() {
            true => Ok(done),
            false => Err(unsupported(&format!("a subquery in {place}"))),
        }
    }

    fn expr_at(&mut self, e: &S, names: Names, jobs: &mut Vec<Job>, depth: usize) -> Result<Expr> {
        expr::convert_with(e, &mut |e| self.part(e, names, jobs, depth))
    }

    pub(super) fn part(
        &mut self,
        e: &S,
        names: Names,
        jobs: &mut Vec<Job>,
        depth: usize,
    ) -> Result<Option<Expr>> {
        Ok(Some(match e {
            S::Identifier(i) => return self.name(std::slice::from_ref(i), names, jobs, depth).map(Some),
            S::CompoundIdentifier(parts) => return self.name(parts, names, jobs, depth).map(Some),
            S::Value(v) => match decimal(&v.value, false)? {
                Some(d) => d,
                None => return Ok(None),
            },
            S::UnaryOp {
                op: ast::UnaryOperator::Minus,
                expr,
            } => match &**expr {
                S::Value(v) => match decimal(&v.value, true)? {
                    Some(d) => d,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            },
            S::Subquery(q) => self.job(JobKind::Scalar, q, names, jobs, depth),
            S::Exists { subquery, negated } => {
                let found = self.job(JobKind::Exists, subquery, names, jobs, depth);
                not_if(*negated, found)
            }
            S::InSubquery {
                expr,
                subquery,
                negated,
            } => {
                let kind = match &**expr {
                    S::Tuple(row) => {
                        let row = row.iter().map(|e| self.expr_at(e, names, jobs, depth));
                        JobKind::InRow(row.collect::<Result<_>>()?)
                    }
                    x => JobKind::In(self.expr_at(x, names, jobs, depth)?),
                };
                let found = self.job(kind, subquery, names, jobs, depth);
                not_if(*negated, found)
            }
            // = ANY is IN, <> ALL is NOT IN
            S::AnyOp {
                left,
                compare_op: ast::BinaryOperator::Eq,
                right,
                ..
            } if matches!(right.as_ref(), S::Subquery(_)) => self.among(left, right, names, jobs, depth)?,
            S::AllOp {
                left,
                compare_op: ast::BinaryOperator::NotEq,
                right,
            } if matches!(right.as_ref(), S::Subquery(_)) => {
                not_if(true, self.among(left, right, names, jobs, depth)?)
            }
            S::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => self.compared_with(left, compare_op, right, false, names, jobs, depth)?,
            S::AllOp {
                left,
                compare_op,
                right,
            } => self.compared_with(left, compare_op, right, true, names, jobs, depth)?,
            S::Function(f) if is_grouping(f) => {
                let args = self.grouping_args(f, names)?;
                self.grouping(args)
            }
            S::Function(f) if is_columns(f) => self.picked(f, names.scope)?,
            S::Function(f) if f.over.is_some() => self.window(f, names, jobs, depth)?,
            S::Tuple(_) => {
                return Err(unsupported("a row of values (a, b) in this place")
                    .help("rows are compared, (a, b) = (1, 2), and looked for, (a, b) IN (…)"));
            }
            _ => return Ok(None),
        }))
    }

    fn among(&mut self, x: &S, query: &S, names: Names, jobs: &mut Vec<Job>, depth: usize) -> Result<Expr> {
        let S::Subquery(q) = query else {
            return Err(Error::defect("ANY of no subquery"));
        };
        let x = self.expr_at(x, names, jobs, depth)?;
        Ok(self.job(JobKind::In(x), q, names, jobs, depth))
    }

    /// `x > ANY (SELECT …)`, `x <= ALL (SELECT …)`.
    #[expect(
        clippy::too_many_arguments,
        reason = "what every conversion takes, and the comparison"
    )]
    fn compared_with(
        &mut self,
        x: &S,
        op: &ast::BinaryOperator,
        query: &S,
        all: bool,
        names: Names,
        jobs: &mut Vec<Job>,
        depth: usize,
    ) -> Result<Expr> {
        let S::Subquery(q) = query else {
            return Err(
                unsupported("ANY and ALL of anything but a subquery").help("x IN (a, b) takes values")
            );
        };
        use ast::BinaryOperator as B;
        let op = match op {
            B::Eq => BinaryOp::Eq,
            B::NotEq => BinaryOp::NotEq,
            B::Lt => BinaryOp::Lt,
            B::LtEq => BinaryOp::LtEq,
            B::Gt => BinaryOp::Gt,
            B::GtEq => BinaryOp::GtEq,
            other => return Err(unsupported(&format!("{other} with ANY and ALL"))),
        };
        let x = self.expr_at(x, names, jobs, depth)?;
        Ok(self.job(JobKind::Compare { x, op, all }, q, names, jobs, depth))
    }

    fn job(
        &mut self,
        kind: JobKind,
        query: &ast::Query,
        names: Names,
        jobs: &mut Vec<Job>,
        depth: usize,
    ) -> Expr {
        let mut query = query.clone();
        let aggs = self.lifted(&mut query, names);
        // met again where its alias stands, it is the same subquery
        let same = |j: &&Job| depth > 0 && aggs.is_empty() && j.kind == kind && j.query == query;
        if let Some(same) = jobs.iter().find(same) {
            return Expr::column(&same.stand_in);
        }
        let stand_in = self.fresh("subquery");
        jobs.push(Job {
            stand_in: stand_in.clone(),
            kind,
            query,
            aggs,
        });
        Expr::Column(stand_in)
    }

    fn name(&mut self, parts: &[Ident], names: Names, jobs: &mut Vec<Job>, depth: usize) -> Result<Expr> {
        let last = parts.last().ok_or_else(|| Error::defect("a name of no parts"))?;
        let alias = || {
            let same = |(a, _): &&(&Ident, &S)| a.value.eq_ignore_ascii_case(&last.value);
            (parts.len() == 1)
                .then(|| names.aliases.iter().find(same))
                .flatten()
        };
        let column = || names.scope.find(parts).map_err(|e| self.at(e, last));
        let found = match names.first {
            First::Alias if alias().is_some() => None,
            _ => column()?,
        };
        if let Some(c) = found {
            if !names.scope.cols.iter().any(|own| own.inner == c.inner) {
                self.looked_at.insert(c.inner.clone());
            }
            return Ok(Expr::column(&c.inner));
        }
        match alias() {
            Some((_, e)) if depth < MAX_ALIASES => {
                // within what an alias stands for, columns go first, or it would mean itself
                let names = Names {
                    first: First::Column,
                    ..names
                };
                self.expr_at(e, names, jobs, depth + 1)
            }
            Some(_) => Err(self.at(
                Error::query(format!("\"{}\" stands for itself", last.value)),
                last,
            )),
            None => {
                let culprit = match parts {
                    [.., table, _] if !names.scope.has_table(&table.value) => table,
                    _ => last,
                };
                Err(self.at(names.scope.missing(parts), culprit))
            }
        }
    }
}

fn is_grouping(f: &ast::Function) -> bool {
    let name = f.name.to_string();
    f.over.is_none() && (name.eq_ignore_ascii_case("grouping") || name.eq_ignore_ascii_case("grouping_id"))
}

fn not_if(negated: bool, e: Expr) -> Expr {
    match negated {
        true => Expr::unary(expr::UnaryOp::Not, e),
        false => e,
    }
}

/// A number with a point and no exponent is a decimal, exact.
fn decimal(v: &Value, negative: bool) -> Result<Option<Expr>> {
    let Value::Number(text, _) = v else {
        return Ok(None);
    };
    let Some((whole, part)) = text.split_once('.') else {
        return Ok(None);
    };
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let whole = whole.trim_start_matches('0');
    let (scale, precision) = (part.len(), (whole.len() + part.len()).max(1));
    if !digits(whole) || !digits(part) || precision > 38 {
        return Ok(None);
    }
    let value: i128 = match format!("{whole}{part}").as_str() {
        "" => 0,
        t => t
            .parse()
            .map_err(|_| Error::query(format!("{text} is no number")))?,
    };
    let value = if negative { -value } else { value };
    let literal = Scalar::Decimal(value, precision as u8, scale as i8);
    Ok(Some(Expr::Literal(literal)))
}
