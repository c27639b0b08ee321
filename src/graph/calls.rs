//! What the aggregates of a plan become in the engine: filters turn into cases around arguments, and
//! what has an order of its own into least texts, one for all aggregates with the same order.
//!
//! ```text
//!   first(x ORDER BY y), first(z ORDER BY y), sum(w)
//!   min(__pack(y, place, x, z)), sum(w)          then a projection takes x and z out again
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::lower::sortable;
use crate::error::Result;
use crate::expr::{
    self, AggCall, AggFunc, Expr, Func, Ordering, carried, carried_exactly, needs_carrier, restored,
};
use crate::kernel::carry::{carrier, exact_carrier};
use crate::kernel::{Scalar, Width, types};

/// The engine's aggregates and where the plan's are among them.
pub(super) struct Calls {
    /// Functions and their arguments.
    pub aggs: Vec<(AggFunc, Option<Expr>)>,
    outs: Vec<Out>,
    packs: Vec<Pack>,
    /// The types of the engine's aggregates that are of carried values ([`crate::kernel::carry`]).
    carried: Vec<Option<DataType>>,
    /// Those of them that are means, which are floats.
    means: Vec<usize>,
    /// For each key of the groups, the engine's aggregate that has the key as it was in the first row, where equal
    /// ones are not the same.
    spelled: Vec<Option<usize>>,
}

/// Where an aggregate of the plan is.
enum Out {
    /// As the engine's of that number.
    Whole(usize),
    /// As a field of a pack.
    Field(usize, usize),
}

/// Aggregates that look at the same row.
struct Pack {
    order: Ordering,
    filter: Option<Expr>,
    values: Vec<Expr>,
}

impl Calls {
    /// The calls of `aggs` over rows of `input`, grouped by `keys`.
    pub fn new(aggs: &[(String, AggCall)], keys: &[(String, Expr)], input: &Schema) -> Result<Calls> {
        let mut calls = Calls {
            aggs: Vec::new(),
            outs: Vec::new(),
            packs: Vec::new(),
            carried: Vec::new(),
            means: Vec::new(),
            spelled: Vec::new(),
        };
        for (_, a) in aggs {
            let out = calls.add(a, input)?;
            calls.outs.push(out);
        }
        for (_, key) in keys {
            let at = calls.aggs.len();
            let spelled = needs_carrier(key, input)?.filter(|ty| carrier(ty) != exact_carrier(ty));
            calls.spelled.push(spelled.as_ref().map(|_| at));
            if spelled.is_some() {
                calls
                    .aggs
                    .push((AggFunc::First, Some(carried_exactly(key.clone()))));
                calls.carried.push(spelled);
            }
        }
        for p in &calls.packs {
            let arg = filtered(p.filter.clone(), Some(p.order.pack(&p.values)));
            calls.aggs.push((AggFunc::Min, arg));
        }
        Ok(calls)
    }

    fn add(&mut self, a: &AggCall, input: &Schema) -> Result<Out> {
        let sortable = |e: &Expr| sortable(e, input);
        let ordered = a.arg.as_ref().and_then(Ordering::of);
        let ordered = match ordered {
            Some((x, order)) => Some((x, order.map(sortable)?)),
            None => None,
        };
        let (func, arg) = match (a.func, ordered) {
            (AggFunc::First, Some((x, order))) => {
                return Ok(self.pack(packable(x, input)?, order, &a.filter));
            }
            (AggFunc::Last, Some((x, order))) => {
                return Ok(self.pack(packable(x, input)?, order.reversed(), &a.filter));
            }
            // a row that the filter leaves out is no row with a null
            (AggFunc::First | AggFunc::Last, None) if a.filter.is_some() && a.arg.is_some() => {
                let x = packable(a.arg.clone().unwrap_or(Expr::Place), input)?;
                let order = Ordering::by_place();
                return Ok(match a.func {
                    AggFunc::First => self.pack(x, order, &a.filter),
                    _ => self.pack(x, order.reversed(), &a.filter),
                });
            }
            (AggFunc::StringAgg(_), Some((x, order))) => (a.func, Some(order.pack_text(&x))),
            (AggFunc::StringAgg(_), None) => {
                let packed = a.arg.as_ref().map(|x| Ordering::by_place().pack_text(x));
                (a.func, packed)
            }
            (AggFunc::Count, _) if a.distinct => (AggFunc::NUnique, a.arg.clone()),
            (func, None) => (func, a.arg.clone()),
            (func, Some((x, _))) => (func, Some(x)),
        };
        let ty = match &arg {
            // states of an earlier step are bytes, and stay so
            Some(x) if !matches!(func, AggFunc::Stepped(_)) => needs_carrier(x, input)?,
            _ => None,
        };
        use AggFunc::{First, FirstKnown, Last, LastKnown, Max, Mean, Min, Sum};
        // one of the values
        let one = matches!(func, Min | Max | First | Last | FirstKnown | LastKnown);
        let arg = match (func, ty.is_some()) {
            (_, false) => arg,
            // whether there is a value is all that counts
            (AggFunc::Count, true) => arg.map(known),
            (_, true) if one => arg.map(carried_exactly),
            (_, true) => arg.map(carried),
        };
        let same = one || matches!(func, Sum | Mean);
        if func == AggFunc::Mean && ty.is_some() {
            self.means.push(self.aggs.len());
        }
        self.carried.push(ty.filter(|_| same));
        self.aggs.push((func, filtered(a.filter.clone(), arg)));
        Ok(Out::Whole(self.aggs.len() - 1))
    }

    fn pack(&mut self, x: Expr, order: Ordering, filter: &Option<Expr>) -> Out {
        let same = |p: &Pack| p.order.same(&order) && p.filter == *filter;
        let at = match self.packs.iter().position(same) {
            Some(at) => at,
            None => {
                self.packs.push(Pack {
                    order,
                    filter: filter.clone(),
                    values: Vec::new(),
                });
                self.packs.len() - 1
            }
        };
        let values = &mut self.packs[at].values;
        let field = match values.iter().position(|v| *v == x) {
            Some(i) => i,
            None => {
                values.push(x);
                values.len() - 1
            }
        };
        Out::Field(at, field)
    }

    /// The columns of the engine's groups, where the plan's are those of `schema`, and the
    /// projection that makes the one of the other; none where they are the same.
    ///
    /// `keys` has the types of keys that are carried.
    pub fn unpacked(&self, schema: &Schema, keys: &[Option<DataType>]) -> Result<Option<Unpacking>> {
        let narrow =
            |f: &Field, i: usize| expr::narrowed(self.aggs[i].0, Expr::column(f.name()), Width::of_field(f));
        let is_narrow = |(out, f): (&Out, &Arc<Field>)| match *out {
            Out::Whole(i) => narrow(f, i) != Expr::column(f.name()),
            Out::Field(..) => false,
        };
        let results = self.outs.iter().zip(&schema.fields()[keys.len()..]);
        let as_is = self.carried.iter().chain(keys).all(Option::is_none);
        if self.packs.is_empty() && as_is && !results.clone().any(is_narrow) {
            return Ok(None);
        }
        let whole = self.aggs.len() - self.packs.len();
        let mark = types::hidden('\u{0}', &types::names_of(schema));
        let packed = |i: usize| format!("{mark}row{i}");
        // a field as the engine has it, and what makes the plan's of it
        let own = |f: &Field,
                   ty: &Option<DataType>,
                   carrier: fn(&DataType) -> Option<DataType>|
         -> Result<(Field, Expr)> {
            let column = Expr::column(f.name());
            Ok(match ty.as_ref().zip(ty.as_ref().and_then(carrier)) {
                Some((ty, carrier)) => (f.clone().with_data_type(carrier), restored(column, ty)?),
                None => (f.clone(), column),
            })
        };
        let (mut fields, mut exprs) = (Vec::new(), Vec::new());
        let mut wholes: Vec<Option<Field>> = vec![None; whole];
        for (i, (f, ty)) in schema.fields().iter().zip(keys).enumerate() {
            let (field, mut e) = own(f, ty, carrier)?;
            fields.push(field);
            if let (Some(at), Some(ty)) = (self.spelled[i], ty) {
                let name = format!("{mark}key{i}");
                e = restored(Expr::column(&name), ty)?;
                wholes[at] = Some(Field::new(name, exact_carrier(ty).unwrap_or(types::TEXT), true));
            }
            exprs.push((f.name().clone(), e));
        }
        for (out, f) in results {
            let e = match *out {
                Out::Whole(i) => {
                    let carrier = match self.aggs[i].0 {
                        AggFunc::Sum | AggFunc::Mean => carrier,
                        _ => exact_carrier,
                    };
                    let (mut field, mut e) = own(f, &self.carried[i], carrier)?;
                    if let (true, Some(ty)) = (self.means.contains(&i), &self.carried[i]) {
                        field = field.with_data_type(DataType::Float64);
                        e = restored(rounded(f.name(), &carrier(ty).unwrap_or(DataType::Int64))?, ty)?;
                    }
                    wholes[i] = Some(field);
                    if self.carried[i].is_none() {
                        narrow(f, i)
                    } else {
                        e
                    }
                }
                Out::Field(pack, at) => {
                    let column = Expr::column(packed(pack));
                    match exact_carrier(f.data_type()) {
                        Some(c) => restored(Ordering::field(column, at, &c)?, f.data_type())?,
                        None => Ordering::field(column, at, f.data_type())?,
                    }
                }
            };
            exprs.push((f.name().clone(), e));
        }
        fields.extend(wholes.into_iter().flatten());
        fields.extend((0..self.packs.len()).map(|i| Field::new(packed(i), types::TEXT, true)));
        Ok(Some(Unpacking {
            schema: SchemaRef::new(Schema::new(fields)),
            exprs,
        }))
    }
}

/// See [`Calls::unpacked`].
pub(super) struct Unpacking {
    pub schema: SchemaRef,
    pub exprs: Vec<(String, Expr)>,
}

/// A column of floats as whole numbers.
fn rounded(name: &str, ty: &DataType) -> Result<Expr> {
    let round = Expr::Function {
        func: Func::Round,
        args: vec![Expr::column(name)],
    };
    round.cast_to(ty)
}

/// A value as one whose text says all of it.
fn packable(x: Expr, input: &Schema) -> Result<Expr> {
    Ok(match needs_carrier(&x, input)? {
        Some(_) => carried_exactly(x),
        None => x,
    })
}

/// True where the value is not null, else null.
fn known(e: Expr) -> Expr {
    let expr = Box::new(e);
    let negated = false;
    Expr::Function {
        func: Func::NullIf,
        args: vec![Expr::IsNull { expr, negated }, Expr::Literal(Scalar::Bool(true))],
    }
}

/// A filter as a case around the argument.
fn filtered(filter: Option<Expr>, arg: Option<Expr>) -> Option<Expr> {
    let Some(f) = filter else { return arg };
    let value = arg.unwrap_or(Expr::Literal(Scalar::Bool(true)));
    Some(Expr::Case {
        operand: None,
        branches: vec![(f, value)],
        otherwise: None,
    })
}
