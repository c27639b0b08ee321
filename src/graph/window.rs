//! From a plan's window node to a sort and a pass over its rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::lower::{Lowering, Open, project, sortable};
use super::{StageSink, StageSource, StageTransform};
use crate::error::{Error, Result};
use crate::expr::{
    self, AggFunc, Expr, Foremost, FrameBound, FrameUnit, OrderBy, Rank, WindowCall, WindowFunc,
};
use crate::kernel::carry::{carrier, exact_carrier};
use crate::kernel::{Scalar, types};
use crate::operate::window::{CallSpec, Edge, FrameSpec, Func, WindowSpec};
use crate::plan::{LogicalPlan, partition_of};

impl Lowering {
    pub(super) fn window(
        &mut self,
        input: &LogicalPlan,
        (order, ties, foremost): (&[OrderBy], &[OrderBy], Option<&Foremost>),
        calls: &[(String, WindowCall)],
        schema: SchemaRef,
    ) -> Result<Open> {
        let open = self.open(input)?;
        let kept = open.schema.fields().len();
        let ascending = partition_of(calls).iter().map(|e| OrderBy {
            expr: e.clone(),
            descending: false,
            nulls_first: false,
        });
        let mut keys: Vec<OrderBy> = Vec::new();
        let visible = open.schema.clone();
        let order: Vec<OrderBy> = sortable_keys(order, &visible)?;
        let ties: Vec<OrderBy> = sortable_keys(ties, &visible)?;
        let ascending = sortable_keys(&ascending.collect::<Vec<_>>(), &visible)?;
        let mut add = |list: &mut dyn Iterator<Item = OrderBy>| {
            for key in list {
                if !keys.iter().any(|k| k.expr == key.expr) {
                    keys.push(key);
                }
            }
            keys.len()
        };
        let partition = add(&mut ascending.into_iter());
        // how many keys tell peers apart, by the number of keys of a call's own order
        let mut peers = vec![partition];
        for k in &order {
            peers.push(add(&mut std::iter::once(k.clone())));
        }
        let by_order = add(&mut std::iter::empty());
        let all = add(&mut ties.iter().cloned());
        let foremost = foremost.map(|f| Foremost {
            keys: match f.rank {
                Rank::Row => all,
                _ => peers.get(f.keys).copied().unwrap_or(all),
            },
            ..f.clone()
        });
        let (mut open, mut exprs) = match keys.is_empty() {
            true => {
                let exprs = Expr::columns_of(&open.schema);
                let schema = open.schema.clone();
                let input = self.close(open, StageSink::Batches);
                (Open::new(StageSource::Gather { input }, schema), exprs)
            }
            false => self.sorted(open, &keys, None, (Some(partition), foremost))?,
        };
        let sorted = open.schema.clone();
        let stands = exprs.len();
        let mark = types::hidden('\u{0}', &types::names_of(&sorted));
        let mut place = |e: Expr| match exprs.iter().position(|(_, x)| *x == e) {
            Some(i) => i,
            None => {
                exprs.push((format!("{mark}window{}", exprs.len()), e));
                exprs.len() - 1
            }
        };
        let columns = keys[..by_order].iter().map(|k| place(k.expr.clone())).collect();
        let mut specs = Vec::new();
        let mut results = Expr::columns_of(&open_input(&sorted, kept));
        for (name, call) in calls {
            let ty = call.data_type(&open_input(&sorted, kept))?;
            let spec = lower_call(name, call, ty.clone(), &peers, &sorted, &mut place)?;
            let column = Expr::column(name);
            let e = match spec.ty == ty {
                true => expr::narrowed_window(call, column, &visible),
                false => expr::restored(column, &ty)?,
            };
            results.push((name.clone(), e));
            specs.push(spec);
        }
        let spec = WindowSpec {
            kept,
            keys: columns,
            partition,
            calls: specs,
        };
        if exprs.len() > stands {
            let mut fields: Vec<Field> = sorted.fields().iter().map(|f| f.as_ref().clone()).collect();
            for (name, e) in &exprs[stands..] {
                fields.push(Field::new(name, e.data_type(&sorted)?, true));
            }
            // what was computed for the sort is there under its name
            for (name, e) in &mut exprs[..stands] {
                *e = Expr::Column(name.clone());
            }
            project(&mut open, exprs, Arc::new(Schema::new(fields)));
        }
        let before = spec.schema(&open.schema);
        open.transforms.push(StageTransform::Window { spec });
        open.schema = before;
        project(&mut open, results, schema);
        Ok(open)
    }
}

/// The keys as expressions that can be sorted by.
fn sortable_keys(keys: &[OrderBy], schema: &Schema) -> Result<Vec<OrderBy>> {
    let sortable = |k: &OrderBy| {
        Ok(OrderBy {
            expr: sortable(&k.expr, schema)?,
            ..k.clone()
        })
    };
    keys.iter().map(sortable).collect()
}

/// The argument of an aggregate and the type of its result, as the engine knows them.
fn operand(func: AggFunc, arg: Expr, ty: DataType, schema: &Schema) -> Result<(Option<Expr>, DataType)> {
    let Some(own) = expr::needs_carrier(&arg, schema)? else {
        return Ok((Some(arg), ty));
    };
    // first and last take values as they are, as do counts
    use AggFunc::{Count, First, FirstKnown, Last, LastKnown};
    let as_is = matches!(func, First | Last | FirstKnown | LastKnown | Count);
    if as_is {
        return Ok((Some(arg), ty));
    }
    if func == AggFunc::Mean {
        return Err(
            Error::query(format!("mean of {} OVER is not supported", types::name(&own)))
                .help("epoch(x) gives seconds, of which there is a mean"),
        );
    }
    let (arg, carrier) = match func {
        AggFunc::Min | AggFunc::Max => (expr::carried_exactly(arg), exact_carrier(&own)),
        _ => (expr::carried(arg), carrier(&own)),
    };
    let ty = carrier.filter(|_| ty == own).unwrap_or(ty);
    Ok((Some(arg), ty))
}

/// The columns that expressions of the plan speak of.
fn open_input(sorted: &Schema, kept: usize) -> Schema {
    Schema::new(sorted.fields().iter().take(kept).cloned().collect::<Vec<_>>())
}

fn lower_call(
    name: &str,
    call: &WindowCall,
    ty: DataType,
    peers: &[usize],
    schema: &Schema,
    place: &mut dyn FnMut(Expr) -> usize,
) -> Result<CallSpec> {
    use WindowFunc::*;
    let keys = *peers
        .get(call.order.len())
        .ok_or_else(|| Error::defect("a window with more keys than its node"))?;
    let width = expr::width_of(&Expr::Window(Box::new(call.clone())), schema);
    let (own, mut args) = (ty.clone(), call.args.iter().cloned());
    let (mut arg, mut default) = (args.next(), args.next());
    let mut filtered = false;
    if let Some(f) = &call.filter {
        let of_rows = |value| Expr::Case {
            operand: None,
            branches: vec![(f.clone(), value)],
            otherwise: None,
        };
        let all = Expr::Literal(Scalar::Bool(true));
        match call.func {
            // a row that the filter leaves out is no row with a null
            Aggregate(AggFunc::First | AggFunc::Last) => (default, filtered) = (Some(of_rows(all)), true),
            _ => arg = Some(of_rows(arg.unwrap_or(all))),
        }
    }
    if let Lag(_) | Lead(_) = call.func {
        arg = arg.map(|e| e.as_type(schema, &ty)).transpose()?;
    }
    if !filtered {
        default = default.map(|e| e.as_type(schema, &ty)).transpose()?;
    }
    let (arg, ty) = match (call.func, arg) {
        (Aggregate(a), Some(e)) => operand(a, e, ty, schema)?,
        (_, arg) => (arg, ty),
    };
    let ignore_nulls = call.ignore_nulls;
    let func = match call.func {
        RowNumber => Func::RowNumber,
        Rank => Func::Rank,
        DenseRank => Func::DenseRank,
        PercentRank => Func::PercentRank,
        CumeDist => Func::CumeDist,
        Ntile(n) => Func::Ntile(n),
        Lag(by) => Func::Shift {
            by: by.saturating_neg(),
            ignore_nulls,
        },
        Lead(by) => Func::Shift { by, ignore_nulls },
        FirstValue => Func::First { ignore_nulls },
        LastValue => Func::Last { ignore_nulls },
        NthValue(n) => Func::Nth { n, ignore_nulls },
        Aggregate(AggFunc::First) => Func::First {
            ignore_nulls: filtered,
        },
        Aggregate(AggFunc::Last) => Func::Last {
            ignore_nulls: filtered,
        },
        Aggregate(AggFunc::FirstKnown) => Func::First { ignore_nulls: true },
        Aggregate(AggFunc::LastKnown) => Func::Last { ignore_nulls: true },
        Aggregate(a) => Func::Aggregate(a),
    };
    Ok(CallSpec {
        name: name.to_string(),
        func,
        distinct: call.distinct,
        arg: arg.map(&mut *place),
        default: default.map(&mut *place),
        peers: keys,
        frame: frame(call, schema, place)?,
        width: width.filter(|_| ty == own),
        ty,
    })
}

/// The frame in numbers of rows and groups, or against columns of bounds.
fn frame(call: &WindowCall, schema: &Schema, place: &mut dyn FnMut(Expr) -> usize) -> Result<FrameSpec> {
    let f = &call.frame;
    // without an order all rows are peers, and so the frame is the partition
    let all = call.order.is_empty() && f.unit != FrameUnit::Rows;
    let (key, bounds) = match call.range_bounds(schema)? {
        Some((key, bounds)) => {
            let [low, high] = bounds.map(|b| b.map(|b| sortable(&b, schema)).transpose());
            let key = place(sortable(&key, schema)?);
            (Some(key), [low?, high?].map(|b| b.map(&mut *place)))
        }
        None => (None, [None, None]),
    };
    let [low, high] = bounds;
    let edge = |b: &FrameBound, value: Option<usize>| match (b, value) {
        (FrameBound::UnboundedPreceding | FrameBound::UnboundedFollowing, _) => Edge::Unbounded,
        (FrameBound::CurrentRow, _) if all => Edge::Unbounded,
        (FrameBound::CurrentRow, _) if f.unit == FrameUnit::Rows => Edge::Row(0),
        (FrameBound::CurrentRow, _) => Edge::Group(0),
        (_, Some(column)) => Edge::Value(column),
        (FrameBound::Preceding(v) | FrameBound::Following(v), None) => {
            let n = if let Scalar::Int(n) = v { *n } else { 0 };
            let n = if matches!(b, FrameBound::Preceding(_)) {
                -n
            } else {
                n
            };
            match f.unit {
                FrameUnit::Rows => Edge::Row(n),
                _ => Edge::Group(n),
            }
        }
    };
    let first = call.order.first();
    Ok(FrameSpec {
        start: edge(&f.start, low),
        end: edge(&f.end, high),
        exclude: f.exclude,
        key,
        descending: first.is_some_and(|k| k.descending),
        nulls_first: first.is_some_and(|k| k.nulls_first),
    })
}
