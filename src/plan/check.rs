//! The schema of a plan, and with it every check of names and types.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{AsOf, LogicalPlan};
use crate::error::{Error, Result, no_column};
use crate::expr::{self, AsOfOp, Expr, field};
use crate::kernel::{Width, names, types};

impl LogicalPlan {
    /// Names and logical types of the rows this plan yields. Fails where a name is unknown, a type
    /// does not fit, or two columns would have one name.
    pub fn schema(&self) -> Result<SchemaRef> {
        self.checked().map_err(|e| super::witness::told(e, self))
    }

    fn checked(&self) -> Result<SchemaRef> {
        match self {
            LogicalPlan::Scan {
                table,
                columns,
                filter,
                ..
            } => {
                let all = table.dataset.schema();
                if let Some(f) = filter {
                    expect_bool(f, all, "a filter")?;
                }
                match columns {
                    None => Ok(all.clone()),
                    Some(names) => {
                        let fields = names
                            .iter()
                            .map(|n| find(all, n).cloned())
                            .collect::<Result<Vec<_>>>()?;
                        Ok(Arc::new(Schema::new(fields)))
                    }
                }
            }
            LogicalPlan::Filter { input, predicate } => {
                let schema = input.schema()?;
                expect_bool(predicate, &schema, "a filter")?;
                Ok(schema)
            }
            LogicalPlan::Project { input, exprs } => {
                let schema = input.schema()?;
                let fields = exprs.iter().map(|(name, e)| field(name, e, &schema));
                unique(fields.collect::<Result<Vec<_>>>()?)
            }
            LogicalPlan::Aggregate { input, keys, aggs } => {
                let schema = input.schema()?;
                let mut fields = Vec::new();
                for (name, e) in keys {
                    fields.push(field(name, e, &schema)?);
                }
                for (name, call) in aggs {
                    if call.groups_first() {
                        return Err(ungrouped(call));
                    }
                    if let Some(f) = &call.filter {
                        expect_bool(f, &schema, "the filter of an aggregate")?;
                    }
                    let own = Field::new(name, call.data_type(&schema)?, true);
                    let width = expr::width_of(&Expr::Aggregate(Box::new(call.clone())), &schema);
                    fields.push(Width::noted(width, own));
                }
                unique(fields)
            }
            LogicalPlan::Sort { input, keys, .. } => {
                let schema = input.schema()?;
                for k in keys {
                    k.expr.data_type(&schema)?;
                }
                Ok(schema)
            }
            LogicalPlan::Window {
                input,
                order,
                ties,
                calls,
                ..
            } => {
                let schema = input.schema()?;
                for k in order.iter().chain(ties) {
                    k.expr.data_type(&schema)?;
                }
                let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
                for (name, call) in calls {
                    let own = Field::new(name, call.data_type(&schema)?, true);
                    let width = expr::width_of(&Expr::Window(Box::new(call.clone())), &schema);
                    fields.push(Width::noted(width, own));
                }
                unique(fields)
            }
            LogicalPlan::Limit { input, .. } => input.schema(),
            LogicalPlan::Expand {
                input, lists, times, ..
            } => {
                let schema = input.schema()?;
                if let Some(t) = times
                    && t.data_type(&schema)? != DataType::Int64
                {
                    return Err(Error::defect("a number of copies is no int64"));
                }
                let fields = |list: &Vec<(String, Expr)>| -> Result<Vec<Field>> {
                    list.iter().map(|(name, e)| field(name, e, &schema)).collect()
                };
                let mut all = lists.iter().map(fields);
                let mut first = all.next().unwrap_or_else(|| Ok(Vec::new()))?;
                for other in all {
                    let other = other?;
                    let same =
                        |(a, b): (&Field, &Field)| a.name() == b.name() && a.data_type() == b.data_type();
                    if other.len() != first.len() || !first.iter().zip(&other).all(same) {
                        return Err(Error::defect("rows become rows of different columns"));
                    }
                    // a list in which a column is null says nothing of its width
                    for (own, theirs) in first.iter_mut().zip(other) {
                        if Width::of_field(own).is_none() {
                            *own = Width::noted(Width::of_field(&theirs), own.clone());
                        }
                    }
                }
                unique(first)
            }
            LogicalPlan::Join {
                left,
                right,
                kind,
                on,
                filter,
                asof,
            } => {
                let (left, right) = (left.schema()?, right.schema()?);
                if let Some(a) = asof {
                    common_type(&a.left, &left, &a.right, &right)?;
                    if filter.is_some() || !kind.yields_right() {
                        return Err(Error::defect("an asof join of a kind that there is not"));
                    }
                }
                for (l, r) in on {
                    key_type(l, &left, r, &right)?;
                }
                let fields = |schemas: &[&SchemaRef]| {
                    let all = schemas.iter().flat_map(|s| s.fields().iter());
                    all.map(|f| f.as_ref().clone().with_nullable(true))
                        .collect::<Vec<_>>()
                };
                let both = unique(fields(&[&left, &right]))?;
                if let Some(f) = filter {
                    expect_bool(f, &both, "the condition of a join")?;
                }
                Ok(if kind.yields_right() { both } else { left })
            }
            LogicalPlan::Union { inputs } => {
                let Some((first, rest)) = inputs.split_first() else {
                    return Err(Error::defect("a union of nothing"));
                };
                let schema = first.schema()?;
                let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
                for other in rest {
                    let other = other.schema()?;
                    if other.fields().len() != fields.len() {
                        return Err(Error::defect("a union of different columns"));
                    }
                    for (own, theirs) in fields.iter_mut().zip(other.fields()) {
                        let ty = united(own.data_type(), theirs.data_type());
                        if ty != *own.data_type() {
                            *own = own.clone().with_data_type(ty).with_nullable(true);
                        }
                        if Width::of_field(own) != Width::of_field(theirs) {
                            *own = Width::noted(None, own.clone());
                        }
                    }
                }
                Ok(Arc::new(Schema::new(fields)))
            }
        }
    }
}

/// The type of a column of a union: what does not go together otherwise is text, as within one scan.
/// People get that only where a column turns out wider than its sample; they are asked for a cast
/// where it can be seen from the start.
pub(super) fn united(a: &DataType, b: &DataType) -> DataType {
    let (a, b) = (types::logical(a), types::logical(b));
    match a == b {
        true => a,
        false => expr::common(&a, &b).unwrap_or(types::TEXT),
    }
}

/// The engine's states hold every value, so what asks for each once must have become groups before
/// ([`LogicalPlan::grouped`]).
fn ungrouped(call: &expr::AggCall) -> Error {
    Error::query(format!(
        "{} is not supported here",
        Expr::Aggregate(Box::new(call.clone()))
    ))
    .help("take distinct rows first, and aggregate them")
}

/// The type in which two join keys are compared.
///
/// # Errors
/// A column is unknown, or the types do not go together.
pub fn key_type(l: &Expr, left: &Schema, r: &Expr, right: &Schema) -> Result<DataType> {
    let (a, b) = (l.data_type(left)?, r.data_type(right)?);
    expr::equal_type((l, &a, left), (r, &b, right)).map_or_else(|| common_type(l, left, r, right), Ok)
}

/// The type of two keys whose values stand in one column, or are put in order: both must have one.
///
/// # Errors
/// As of [`key_type`].
pub fn common_type(l: &Expr, left: &Schema, r: &Expr, right: &Schema) -> Result<DataType> {
    let (a, b) = (l.data_type(left)?, r.data_type(right)?);
    expr::common(&a, &b).ok_or_else(|| {
        Error::query(format!(
            "cannot join on {l} = {r}: the one is {}, the other {}",
            types::name(&a),
            types::name(&b)
        ))
        .of_types()
        .help("make them alike, as in cast(x AS text)")
    })
}

/// Whether an expression looks at columns of a schema and at no others.
fn is_of(e: &Expr, s: &Schema) -> bool {
    let columns = e.columns();
    !columns.is_empty() && columns.iter().all(|c| names::place(s, c).is_some())
}

/// The key of an asof join in an inequality between the columns of two inputs; none if the condition is
/// not that.
///
/// # Errors
/// It is, but the types do not go together.
pub fn nearest_sides(part: &Expr, ls: &Schema, rs: &Schema) -> Result<Option<AsOf>> {
    let Expr::Binary { op, left, right } = part else {
        return Ok(None);
    };
    let Some(op) = AsOfOp::of(*op) else {
        return Ok(None);
    };
    let (left, right, op) = match () {
        _ if is_of(left, ls) && is_of(right, rs) => (left, right, op),
        _ if is_of(right, ls) && is_of(left, rs) => (right, left, op.mirrored()),
        _ => return Ok(None),
    };
    common_type(left, ls, right, rs)?;
    let (left, right) = (left.as_ref().clone(), right.as_ref().clone());
    Ok(Some(AsOf { left, right, op }))
}

/// The two sides of an equality between the columns of two inputs, that of the left first; none if
/// the condition is not that.
///
/// # Errors
/// It is, but the types do not go together.
pub fn equal_sides(part: &Expr, ls: &Schema, rs: &Schema) -> Result<Option<(Expr, Expr)>> {
    let Expr::Binary {
        op: expr::BinaryOp::Eq,
        left,
        right,
    } = part
    else {
        return Ok(None);
    };
    let (l, r) = match () {
        _ if is_of(left, ls) && is_of(right, rs) => (left, right),
        _ if is_of(right, ls) && is_of(left, rs) => (right, left),
        _ => return Ok(None),
    };
    key_type(l, ls, r, rs)?;
    Ok(Some((l.as_ref().clone(), r.as_ref().clone())))
}

fn find<'a>(schema: &'a Schema, name: &str) -> Result<&'a Field> {
    names::column(schema, name)
        .ok_or_else(|| no_column(name, schema.fields().iter().map(|f| f.name().as_str())))
}

fn expect_bool(e: &Expr, schema: &Schema, what: &str) -> Result<()> {
    match e.data_type(schema)? {
        DataType::Boolean | DataType::Null => Ok(()),
        other => Err(Error::query(format!(
            "{what} must be true or false, but {e} is {}",
            types::name(&other)
        ))
        .help("compare it with something, as in x > 0")),
    }
}

fn unique(fields: Vec<Field>) -> Result<SchemaRef> {
    let mut seen = std::collections::HashSet::new();
    for f in &fields {
        if !seen.insert(f.name().as_str()) {
            return Err(Error::query(format!("two columns would be named {:?}", f.name()))
                .help("give one another name, as in --with 'other = …' or --agg 'other = …'"));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}
