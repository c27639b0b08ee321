//! What the aggregates of a plan become in the engine: filters turn into cases around arguments, and
//! what has an order of its own into least texts, one for all aggregates with the same order.
//!
//! ```text
//!   first(x ORDER BY y), first(z ORDER BY y), sum(w)
//!   min(__pack(y, place, x, z)), sum(w)          then a projection takes x and z out again
//! ```

use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::error::Result;
use crate::expr::{AggCall, AggFunc, Expr, Ordering};
use crate::kernel::{Scalar, types};

/// The engine's aggregates and where the plan's are among them.
pub(super) struct Calls {
    /// Functions and their arguments.
    pub aggs: Vec<(AggFunc, Option<Expr>)>,
    outs: Vec<Out>,
    packs: Vec<Pack>,
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
    pub fn new(aggs: &[(String, AggCall)]) -> Calls {
        let mut calls = Calls {
            aggs: Vec::new(),
            outs: Vec::new(),
            packs: Vec::new(),
        };
        for (_, a) in aggs {
            let out = calls.add(a);
            calls.outs.push(out);
        }
        for p in &calls.packs {
            let arg = filtered(p.filter.clone(), Some(p.order.pack(&p.values)));
            calls.aggs.push((AggFunc::Min, arg));
        }
        calls
    }

    fn add(&mut self, a: &AggCall) -> Out {
        let ordered = a.arg.as_ref().and_then(Ordering::of);
        let (func, arg) = match (a.func, ordered) {
            (AggFunc::First, Some((x, order))) => return self.pack(x, order, &a.filter),
            (AggFunc::Last, Some((x, order))) => return self.pack(x, order.reversed(), &a.filter),
            // a row that the filter leaves out is no row with a null
            (AggFunc::First | AggFunc::Last, None) if a.filter.is_some() && a.arg.is_some() => {
                let (x, order) = (a.arg.clone().unwrap_or(Expr::Place), Ordering::by_place());
                return match a.func {
                    AggFunc::First => self.pack(x, order, &a.filter),
                    _ => self.pack(x, order.reversed(), &a.filter),
                };
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
        self.aggs.push((func, filtered(a.filter.clone(), arg)));
        Out::Whole(self.aggs.len() - 1)
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
    pub fn unpacked(&self, schema: &Schema, keys: usize) -> Result<Option<Unpacking>> {
        if self.packs.is_empty() {
            return Ok(None);
        }
        let whole = self.aggs.len() - self.packs.len();
        let packed = |i: usize| format!("\u{0}row{i}");
        let mut fields: Vec<Field> = schema.fields()[..keys]
            .iter()
            .map(|f| f.as_ref().clone())
            .collect();
        let mut wholes: Vec<Option<Field>> = vec![None; whole];
        let mut exprs = Expr::columns_of(&Schema::new(fields.clone()));
        for (out, f) in self.outs.iter().zip(&schema.fields()[keys..]) {
            let e = match *out {
                Out::Whole(i) => {
                    wholes[i] = Some(f.as_ref().clone());
                    Expr::column(f.name())
                }
                Out::Field(pack, at) => Ordering::field(Expr::column(packed(pack)), at, f.data_type())?,
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
