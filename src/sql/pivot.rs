//! PIVOT and UNPIVOT: values become columns, and columns become rows.
//!
//! ```text
//!   t PIVOT (sum(x) FOR p IN (1, 2))      Aggregate [k]  sum(x) FILTER (WHERE p = 1), sum(x) FILTER (WHERE p = 2)
//!   t UNPIVOT (v FOR n IN (a, b))         Expand (k, 'a', a) (k, 'b', b), without rows where v is null
//! ```
//!
//! Without a list of values those that are there are asked for first, which is a query of its own; the columns
//! come in the order of the values. The statements `PIVOT t ON …` and `UNPIVOT t ON …` are these in other words
//! ([`super::pivot_text`]).

use arrow::datatypes::DataType;
use sqlparser::ast::{Expr as S, ExprWithAlias, Ident, NullInclusion, PivotValueSource, TableAlias};

use super::convert::Names;
use super::group::Groups;
use super::pivot_text::GROUPS;
use super::scope::{Col, Rel, Scope};
use super::table::constant;
use super::{Planner, unsupported};
use crate::error::{Error, Result};
use crate::expr::{self, BinaryOp, CastType, Expr};
use crate::frame::Frame;
use crate::kernel::{Scalar, types};
use crate::plan::{LogicalPlan, OrderBy};

/// The most columns that values become.
const MOST_COLUMNS: usize = 10_000;

/// The parts of a PIVOT.
pub(super) struct Pivot<'a> {
    pub aggregates: &'a [ExprWithAlias],
    pub on: &'a [S],
    pub values: &'a PivotValueSource,
    pub alias: Option<&'a TableAlias>,
}

/// Values that become a column, one for each expression behind ON, and what it is called.
struct Chosen {
    name: String,
    values: Vec<Scalar>,
}

impl Planner<'_> {
    pub(super) fn pivoted(&mut self, rel: Rel, pivot: &Pivot) -> Result<Rel> {
        let cols = rel.cols.clone();
        let scope = Scope {
            cols: &cols,
            outer: None,
        };
        let on = self.plain_exprs(pivot.on, scope)?;
        let mut aggregates = Vec::new();
        for a in pivot.aggregates {
            let e = self.plain_expr(&a.expr, Names::of(&scope), "PIVOT")?;
            if !e.has_aggregate() {
                return Err(Error::query(format!("{} is not an aggregate", a.expr))
                    .help("write PIVOT t ON p USING sum(x)"));
            }
            aggregates.push((a.alias.as_ref().map(|i| i.value.clone()), a.expr.to_string(), e));
        }
        let chosen = match pivot.values {
            PivotValueSource::List(list) => self.listed(list, on.len())?,
            PivotValueSource::Any(order) if order.is_empty() => self.values_there(&rel, &on)?,
            _ => {
                return Err(unsupported(
                    "PIVOT with values in an order of their own, or of a subquery",
                ));
            }
        };
        if chosen.len().saturating_mul(aggregates.len()) > MOST_COLUMNS {
            return Err(
                Error::query(format!("PIVOT makes {} columns of values", chosen.len()))
                    .help("name those that are wanted: PIVOT t ON p IN (1, 2) USING sum(x)"),
            );
        }
        let groups = pivot.alias.filter(|a| a.name.value == GROUPS);
        let used: Vec<String> = (on.iter().chain(aggregates.iter().map(|(.., e)| e)))
            .flat_map(Expr::columns)
            .collect();
        let keys = self.group_columns(groups, &scope, &used)?;
        let mut grouped = Groups::new(
            keys.iter()
                .map(|c| (c.inner.clone(), Expr::column(&c.inner)))
                .collect(),
        );
        let mut values = Vec::new();
        for c in &chosen {
            for (alias, text, e) in &aggregates {
                let name = match (alias, aggregates.len()) {
                    (Some(a), _) => format!("{}_{a}", c.name),
                    (None, 1) => c.name.clone(),
                    (None, _) => format!("{}_{text}", c.name),
                };
                let e = of_value(e.clone(), &on, &c.values)?;
                values.push((name, grouped.rewrite(self, e)?));
            }
        }
        let rel = self.columns_of_values(grouped.over(rel)?, keys, values)?;
        match (pivot.alias, groups) {
            (Some(a), None) => self.alias(rel, Some(a), None),
            _ => Ok(rel),
        }
    }

    fn plain_exprs(&mut self, list: &[S], scope: Scope) -> Result<Vec<Expr>> {
        let each = list
            .iter()
            .map(|e| self.plain_expr(e, Names::of(&scope), "PIVOT"));
        each.collect()
    }

    /// The columns by which is grouped: those named, or all that are not spoken of otherwise.
    fn group_columns(
        &mut self,
        groups: Option<&TableAlias>,
        scope: &Scope,
        used: &[String],
    ) -> Result<Vec<Col>> {
        let Some(named) = groups else {
            let open = scope.cols.iter().filter(|c| c.open && !used.contains(&c.inner));
            return Ok(open.cloned().collect());
        };
        let each = named.columns.iter().map(|c| {
            let parts = std::slice::from_ref(&c.name);
            match scope.find(parts)? {
                Some(col) => Ok(col.clone()),
                None => Err(self.at(scope.missing(parts), &c.name)),
            }
        });
        each.collect()
    }

    /// The values of an IN list, with their names.
    fn listed(&mut self, list: &[ExprWithAlias], width: usize) -> Result<Vec<Chosen>> {
        if width != 1 {
            return Err(unsupported("PIVOT with IN of several expressions")
                .help("leave IN out, and filter the rows with WHERE in a subquery"));
        }
        let mut out = Vec::new();
        for item in list {
            let e = self.plain_expr(&item.expr, Names::of(&Scope::NOTHING), "PIVOT")?;
            let value = constant(&e)?;
            let name = match &item.alias {
                Some(a) => a.value.clone(),
                None => text_of(&value)?,
            };
            out.push(Chosen {
                name,
                values: vec![value],
            });
        }
        Ok(out)
    }

    /// All combinations of the values that the expressions have.
    fn values_there(&mut self, rel: &Rel, on: &[Expr]) -> Result<Vec<Chosen>> {
        let mut out = vec![Chosen {
            name: String::new(),
            values: Vec::new(),
        }];
        for e in on {
            let own = self.values_of(rel, e)?;
            if own.len().saturating_mul(out.len()) > MOST_COLUMNS {
                return Err(too_many(own.len().saturating_mul(out.len())));
            }
            let mut next = Vec::new();
            for before in &out {
                for v in &own {
                    let name = text_of(v)?;
                    next.push(Chosen {
                        name: match before.values.is_empty() {
                            true => name,
                            false => format!("{}_{name}", before.name),
                        },
                        values: before.values.iter().chain([v]).cloned().collect(),
                    });
                }
            }
            out = next;
        }
        Ok(out)
    }

    /// The values of an expression in their order; null makes no column.
    fn values_of(&mut self, rel: &Rel, e: &Expr) -> Result<Vec<Scalar>> {
        let name = self.fresh("value");
        let plan = LogicalPlan::Aggregate {
            input: Box::new(LogicalPlan::Filter {
                input: Box::new(rel.plan.clone()),
                predicate: Expr::IsNull {
                    expr: Box::new(e.clone()),
                    negated: true,
                },
            }),
            keys: vec![(name.clone(), e.clone())],
            aggs: Vec::new(),
        };
        plan.schema()?;
        let values = Rel {
            plan,
            cols: vec![column(name.clone(), name.clone())],
            order: vec![OrderBy::ascending(&name)],
        };
        let frame = Frame::from_plan(super::finish(values), &self.notes, self.sql.settings.clone())?;
        let found = frame.collect()?;
        let batches = found.batches.iter();
        let each =
            batches.flat_map(|b| (0..b.num_rows()).map(|row| expr::cast::array_scalar(b.column(0), row)));
        Ok(each.collect())
    }

    /// The groups' keys, and a column for each value.
    fn columns_of_values(&mut self, groups: Rel, keys: Vec<Col>, values: Vec<(String, Expr)>) -> Result<Rel> {
        let mut exprs: Vec<(String, Expr)> = (keys.iter())
            .map(|c| (c.inner.clone(), Expr::column(&c.inner)))
            .collect();
        let mut cols: Vec<Col> = keys;
        cols.iter_mut().for_each(|c| c.table = None);
        for (name, e) in values {
            let inner = self.fresh(&name);
            exprs.push((inner.clone(), e));
            cols.push(column(name, inner));
        }
        let plan = LogicalPlan::Project {
            input: Box::new(groups.plan),
            exprs,
        };
        plan.schema()?;
        Ok(Rel {
            plan,
            cols,
            order: groups.order,
        })
    }

    pub(super) fn unpivoted(
        &mut self,
        rel: Rel,
        (value, name): (&S, &Ident),
        columns: &[ExprWithAlias],
        nulls: Option<&NullInclusion>,
    ) -> Result<Rel> {
        let S::Identifier(value) = value else {
            return Err(unsupported("UNPIVOT into several columns of values"));
        };
        let rel = rel.settle();
        let schema = rel.plan.schema()?;
        let (mut ty, mut taken) = (DataType::Null, Vec::new());
        for item in columns {
            let scope = Scope {
                cols: &rel.cols,
                outer: None,
            };
            let Expr::Column(inner) = self.plain_expr(&item.expr, Names::of(&scope), "UNPIVOT")? else {
                return Err(Error::query(format!(
                    "UNPIVOT of {}, which is no column",
                    item.expr
                )));
            };
            let own = Expr::column(&inner).data_type(&schema)?;
            ty = expr::common(&ty, &own).ok_or_else(|| {
                let (a, b) = (types::name(&ty), types::name(&own));
                Error::query(format!("UNPIVOT of columns of the types {a} and {b}"))
                    .help("cast them to one type in a subquery first")
            })?;
            let label = match (&item.alias, rel.cols.iter().find(|c| c.inner == inner)) {
                (Some(a), _) => a.value.clone(),
                (None, Some(c)) => c.name.clone(),
                (None, None) => inner.clone(),
            };
            taken.push((inner, label));
        }
        let open = rel
            .cols
            .iter()
            .filter(|c| c.open && taken.iter().all(|(t, _)| *t != c.inner));
        let mut cols: Vec<Col> = open.cloned().collect();
        let (name_inner, value_inner) = (self.fresh(&name.value), self.fresh(&value.value));
        let mut lists = Vec::new();
        for (inner, label) in &taken {
            let mut list: Vec<(String, Expr)> = (cols.iter())
                .map(|c| (c.inner.clone(), Expr::column(&c.inner)))
                .collect();
            list.push((name_inner.clone(), Expr::Literal(Scalar::Text(label.clone()))));
            list.push((value_inner.clone(), Expr::column(inner).as_type(&schema, &ty)?));
            lists.push(list);
        }
        cols.push(column(name.value.clone(), name_inner));
        cols.push(column(value.value.clone(), value_inner.clone()));
        let mut plan = LogicalPlan::Expand {
            input: Box::new(rel.plan),
            lists,
            times: None,
            totals: None,
        };
        if nulls != Some(&NullInclusion::IncludeNulls) {
            plan = LogicalPlan::Filter {
                input: Box::new(plan),
                predicate: Expr::IsNull {
                    expr: Box::new(Expr::Column(value_inner)),
                    negated: true,
                },
            };
        }
        plan.schema()?;
        Ok(Rel {
            plan,
            cols,
            order: Vec::new(),
        })
    }
}

fn too_many(values: usize) -> Error {
    Error::query(format!("PIVOT makes {values} columns of values"))
        .help("name those that are wanted: PIVOT t ON p IN (1, 2) USING sum(x)")
}

fn column(name: String, inner: String) -> Col {
    Col {
        table: None,
        name,
        inner,
        open: true,
    }
}

/// The aggregates of an expression over the rows that have these values.
fn of_value(e: Expr, on: &[Expr], values: &[Scalar]) -> Result<Expr> {
    let equal = on.iter().zip(values).map(|(e, v)| match v {
        Scalar::Null => Expr::IsNull {
            expr: Box::new(e.clone()),
            negated: false,
        },
        v => Expr::binary(BinaryOp::Eq, e.clone(), Expr::Literal(v.clone())),
    });
    let equal: Vec<Expr> = equal.collect();
    e.map(&mut |e| {
        let Expr::Aggregate(mut call) = e else {
            return Ok(e);
        };
        let parts = call.filter.take().into_iter().chain(equal.iter().cloned());
        call.filter = Some(Expr::and(parts.collect()));
        Ok(Expr::Aggregate(call))
    })
}

/// A value as the name of a column.
fn text_of(v: &Scalar) -> Result<String> {
    match expr::cast::scalar(v, CastType::Text)? {
        Scalar::Text(t) => Ok(t),
        _ => Ok("NULL".to_string()),
    }
}
