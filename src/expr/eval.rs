//! Running a bound expression over batches.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute;
use arrow::datatypes::{DataType, Int64Type, Schema};
use hashbrown::HashSet;
use regex::Regex;

use super::functions::Func;
use super::text::{LikeKind, Matcher};
use super::tree::{BinaryOp, Expr};
use super::{arith, bind, bytes, carried, cast, compare, dates, math, pack, spans, strptime, text};
use crate::error::{Error, Result};
use crate::kernel::{Batch, Width};

/// The values of an expression: one for each row, or one for all.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// One for each row.
    Array(ArrayRef),
    /// One for all rows: an array of one.
    Scalar(ArrayRef),
}

impl Value {
    pub(super) fn array(&self) -> &ArrayRef {
        match self {
            Value::Array(a) | Value::Scalar(a) => a,
        }
    }
    pub(super) fn data_type(&self) -> &DataType {
        self.array().data_type()
    }
    pub(super) fn datum(&self) -> Box<dyn Datum> {
        match self {
            Value::Array(a) => Box::new(a.clone()),
            Value::Scalar(a) => Box::new(Scalar::new(a.clone())),
        }
    }
    /// The index of a row's value.
    pub(super) fn at(&self, row: usize) -> usize {
        if matches!(self, Value::Scalar(_)) { 0 } else { row }
    }
    /// The rows of an operation on both.
    pub(super) fn rows_with(&self, other: &Value) -> usize {
        if matches!(self, Value::Scalar(_)) {
            other.array().len()
        } else {
            self.array().len()
        }
    }
    /// Null where either is.
    pub(super) fn nulls_with(&self, other: &Value, rows: usize) -> Option<arrow::buffer::NullBuffer> {
        use arrow::buffer::NullBuffer;
        let spread = |v: &Value| match v {
            Value::Array(a) => a.nulls().cloned(),
            Value::Scalar(a) if a.is_null(0) => Some(NullBuffer::new_null(rows)),
            Value::Scalar(_) => None,
        };
        NullBuffer::union(spread(self).as_ref(), spread(other).as_ref())
    }
    /// One value for each row, text as `Utf8View`.
    pub(super) fn spread(&self, rows: usize) -> Result<ArrayRef> {
        match self {
            Value::Array(a) => cast::plain(a),
            Value::Scalar(a) if rows == 1 => Ok(a.clone()),
            Value::Scalar(a) => Ok(compute::take(a, &UInt32Array::from(vec![0; rows]), None)?),
        }
    }
    pub(super) fn plain(self) -> Result<Value> {
        match self {
            Value::Array(a) => Ok(Value::Array(cast::plain(&a)?)),
            scalar => Ok(scalar),
        }
    }
}

/// A bound expression: indices instead of names, casts made explicit.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Column(usize),
    Const(ArrayRef),
    Place,
    /// What the stage before yielded: the last column of the batch.
    Held,
    /// Each sees what the one before yielded: a long chain of operators, some at a time, and what stands in several
    /// places, computed once.
    Staged(Vec<Node>),
    Cast {
        node: Box<Node>,
        to: DataType,
        try_: bool,
    },
    Compare {
        op: BinaryOp,
        l: Box<Node>,
        r: Box<Node>,
    },
    Arith {
        op: BinaryOp,
        l: Box<Node>,
        r: Box<Node>,
        can_fail: bool,
    },
    Logic {
        and: bool,
        l: Box<Node>,
        r: Box<Node>,
        columns: Vec<usize>,
        lazy: bool,
    },
    Not(Box<Node>),
    Neg(Box<Node>),
    Concat(Vec<Node>),
    IsNull {
        node: Box<Node>,
        negated: bool,
    },
    InText {
        node: Box<Node>,
        set: HashSet<String>,
    },
    InInt {
        node: Box<Node>,
        set: HashSet<i64>,
    },
    Like {
        node: Box<Node>,
        pattern: Box<Node>,
        matcher: Option<Box<Matcher>>,
        kind: LikeKind,
    },
    Case {
        branches: Vec<(Node, Node)>,
        otherwise: Box<Node>,
        ty: DataType,
        columns: Vec<usize>,
    },
    Call {
        func: Func,
        args: Vec<Node>,
        ty: DataType,
        regex: Option<Regex>,
    },
    Shift {
        node: Box<Node>,
        span: arith::Span,
    },
    ShiftBy {
        node: Box<Node>,
        times: Box<Node>,
        span: arith::Span,
    },
    AddDays {
        node: Box<Node>,
        days: Box<Node>,
        sign: i64,
    },
    DaysBetween(Box<Node>, Box<Node>),
    /// A float of a narrow width, which decides how it prints.
    Short(Box<Node>, Width),
    /// Arithmetic with spans of time.
    Span {
        op: BinaryOp,
        l: Box<Node>,
        r: Box<Node>,
        ty: DataType,
    },
}

impl Node {
    pub(super) fn logic(and: bool, l: Node, r: Node) -> Node {
        let (mut columns, lazy) = (vec![], r.can_fail());
        r.collect(&mut columns);
        Node::Logic {
            and,
            l: Box::new(l),
            r: Box::new(r),
            columns,
            lazy,
        }
    }
    pub(super) fn compare(op: BinaryOp, l: Node, r: Node) -> Node {
        Node::Compare {
            op,
            l: Box::new(l),
            r: Box::new(r),
        }
    }
    pub(super) fn case(branches: Vec<(Node, Node)>, otherwise: Node, ty: DataType) -> Node {
        let mut columns = vec![];
        branches.iter().for_each(|(c, t)| {
            c.collect(&mut columns);
            t.collect(&mut columns);
        });
        otherwise.collect(&mut columns);
        Node::Case {
            branches,
            otherwise: Box::new(otherwise),
            ty,
            columns,
        }
    }

    fn children(&self) -> Vec<&Node> {
        use Node::*;
        match self {
            Column(_) | Const(_) | Place | Held => vec![],
            Cast { node, .. } | Not(node) | Neg(node) | Short(node, _) | IsNull { node, .. } => vec![node],
            InText { node, .. } | InInt { node, .. } | Shift { node, .. } => vec![node],
            Compare { l, r, .. } | Arith { l, r, .. } | Logic { l, r, .. } | DaysBetween(l, r) => vec![l, r],
            Span { l, r, .. } => vec![l, r],
            AddDays { node, days, .. } => vec![node, days],
            ShiftBy { node, times, .. } => vec![node, times],
            Like { node, pattern, .. } => vec![node, pattern],
            Concat(args) | Staged(args) | Call { args, .. } => args.iter().collect(),
            Case {
                branches, otherwise, ..
            } => branches
                .iter()
                .flat_map(|(c, t)| [c, t])
                .chain([&**otherwise])
                .collect(),
        }
    }

    /// Adds the columns it looks at, ascending and each once.
    fn collect(&self, out: &mut Vec<usize>) {
        let mut add = |i: usize| {
            if let Err(at) = out.binary_search(&i) {
                out.insert(at, i);
            }
        };
        match self {
            Node::Column(i) => add(*i),
            Node::Held => add(HELD),
            // what its stages hold, nobody else sees
            Node::Staged(stages) => {
                let mut own = Vec::new();
                stages.iter().for_each(|s| s.collect(&mut own));
                own.into_iter().filter(|&i| i != HELD).for_each(add);
            }
            _ => self.children().into_iter().for_each(|c| c.collect(out)),
        }
    }

    /// What is made of it, of the same width where it is a narrow float.
    pub(super) fn with_width_of(self, make: impl FnOnce(Node) -> Node) -> Node {
        match self {
            Node::Short(node, width) => Node::Short(Box::new(make(*node)), width),
            node => make(node),
        }
    }

    /// Whether its value is there and need not be computed.
    pub(super) fn is_at_hand(&self) -> bool {
        match self {
            Node::Column(_) | Node::Const(_) | Node::Held => true,
            Node::Short(node, _) => node.is_at_hand(),
            _ => false,
        }
    }

    /// Whether it can fail for values of the right types.
    pub(super) fn can_fail(&self) -> bool {
        let own = match self {
            Node::Cast { try_, .. } => !try_,
            Node::Arith { can_fail, .. } => *can_fail,
            Node::Neg(_) | Node::Shift { .. } | Node::ShiftBy { .. } | Node::AddDays { .. } => true,
            Node::Span { .. } => true,
            Node::Like { matcher, .. } => matcher.is_none(),
            Node::Call { func, .. } => func.can_fail(),
            _ => false,
        };
        own || self.children().into_iter().any(Node::can_fail)
    }

    /// Whether it takes less time than to put the rows aside for which it need not be evaluated.
    fn is_cheap(&self) -> bool {
        match self {
            Node::Column(_) | Node::Const(_) | Node::Held => true,
            Node::Compare { l, r, .. } | Node::Logic { l, r, .. } => l.is_cheap() && r.is_cheap(),
            Node::Not(node) | Node::Short(node, _) | Node::IsNull { node, .. } => node.is_cheap(),
            _ => false,
        }
    }

    /// The columns become positions in the list of columns.
    fn renumber(&mut self, columns: &[usize]) {
        let to = |i: &mut usize| *i = columns.binary_search(i).unwrap_or(*i);
        use Node::*;
        match self {
            Column(i) => to(i),
            Logic { columns, .. } | Case { columns, .. } => columns.iter_mut().for_each(to),
            _ => {}
        }
        match self {
            Column(_) | Const(_) | Place | Held => {}
            Cast { node, .. } | Not(node) | Neg(node) | Short(node, _) | IsNull { node, .. } => {
                node.renumber(columns)
            }
            InText { node, .. } | InInt { node, .. } | Shift { node, .. } => node.renumber(columns),
            Compare { l, r, .. }
            | Arith { l, r, .. }
            | Logic { l, r, .. }
            | Span { l, r, .. }
            | DaysBetween(l, r) => {
                l.renumber(columns);
                r.renumber(columns);
            }
            AddDays { node: l, days: r, .. }
            | ShiftBy {
                node: l, times: r, ..
            }
            | Like {
                node: l, pattern: r, ..
            } => {
                l.renumber(columns);
                r.renumber(columns);
            }
            Concat(args) | Staged(args) | Call { args, .. } => {
                args.iter_mut().for_each(|a| a.renumber(columns));
            }
            Case {
                branches, otherwise, ..
            } => {
                for (c, t) in branches {
                    c.renumber(columns);
                    t.renumber(columns);
                }
                otherwise.renumber(columns);
            }
        }
    }

    pub(super) fn eval(&self, batch: &Batch) -> Result<Value> {
        Ok(match self {
            Node::Column(i) => match batch.columns.get(*i) {
                Some(a) => Value::Array(a.clone()),
                None => return Err(Error::defect(format!("a batch without column {i}"))),
            },
            Node::Const(a) => Value::Scalar(a.clone()),
            Node::Place => {
                let first = batch.position as i64; // partition numbers stay far below 2^23
                Value::Array(Arc::new(Int64Array::from_iter_values(
                    first..first + batch.rows as i64,
                )))
            }
            Node::Held => match batch.columns.last() {
                Some(a) => Value::Array(a.clone()),
                None => return Err(Error::defect("a stage without what the one before made")),
            },
            Node::Staged(stages) => staged(stages, batch)?,
            Node::Cast { node, to, try_ } => wrap1(node.eval(batch)?, |a| cast::array(a, to, *try_))?,
            Node::Compare { op, l, r } => {
                let (l, r) = (l.eval(batch)?, r.eval(batch)?);
                let both = matches!((&l, &r), (Value::Scalar(_), Value::Scalar(_)));
                let out: ArrayRef = match on_dictionary(
                    &l,
                    &r,
                    |l, r| Ok(Arc::new(compare::compare(*op, l, r)?) as ArrayRef),
                    matches!(op, BinaryOp::Distinct | BinaryOp::NotDistinct),
                )? {
                    Some(done) => done,
                    None => Arc::new(compare::compare(*op, &l.plain()?, &r.plain()?)?),
                };
                if both {
                    Value::Scalar(out)
                } else {
                    Value::Array(out)
                }
            }
            Node::Arith { op, l, r, .. } => {
                let (l, r) = (l.eval(batch)?, r.eval(batch)?);
                let out = arith::apply(*op, &l, &r)?;
                match (&l, &r) {
                    (Value::Scalar(_), Value::Scalar(_)) => Value::Scalar(out),
                    _ => Value::Array(out),
                }
            }
            Node::Logic {
                and,
                l,
                r,
                columns,
                lazy,
            } => self.logic_eval(*and, l, r, columns, *lazy, batch)?,
            Node::Not(node) => wrap1(node.eval(batch)?, |a| Ok(Arc::new(compute::not(a.as_boolean())?)))?,
            Node::Neg(node) => wrap1(node.eval(batch)?, arith::negate)?,
            Node::IsNull { node, negated } => wrap1(node.eval(batch)?, |a| {
                let a = cast::plain(a)?;
                Ok(Arc::new(if *negated {
                    compute::is_not_null(&a)?
                } else {
                    compute::is_null(&a)?
                }))
            })?,
            Node::InText { node, set } => by_value(node.eval(batch)?, |a| {
                let hits = a.as_string_view().iter().map(|v| v.map(|t| set.contains(t)));
                Ok(Arc::new(hits.collect::<BooleanArray>()))
            })?,
            Node::InInt { node, set } => wrap1(node.eval(batch)?, |a| {
                let hits = a
                    .as_primitive::<Int64Type>()
                    .iter()
                    .map(|v| v.map(|i| set.contains(&i)));
                Ok(Arc::new(hits.collect::<BooleanArray>()))
            })?,
            Node::Like {
                node,
                matcher: Some(m),
                ..
            } => by_value(node.eval(batch)?, |a| Ok(Arc::new(m.mask(a.as_string_view()))))?,
            Node::Like {
                node, pattern, kind, ..
            } => {
                let (x, p) = (
                    node.eval(batch)?.spread(batch.rows)?,
                    pattern.eval(batch)?.spread(batch.rows)?,
                );
                Value::Array(text::like_each(&x, &p, *kind)?)
            }
            Node::Concat(args) => {
                let args = args
                    .iter()
                    .map(|a| a.eval(batch)?.plain())
                    .collect::<Result<Vec<_>>>()?;
                let scalar = args.iter().all(|a| matches!(a, Value::Scalar(_)));
                let out = text::join(&args, if scalar { 1 } else { batch.rows });
                if scalar {
                    Value::Scalar(out)
                } else {
                    Value::Array(out)
                }
            }
            Node::Case {
                branches,
                otherwise,
                ty,
                columns,
            } => Value::Array(super::case::case(branches, otherwise, ty, columns, batch)?),
            Node::Call {
                func,
                args,
                ty,
                regex,
            } => call(*func, args, ty, regex.as_ref(), batch)?,
            Node::Shift { node, span } => wrap1(node.eval(batch)?, |a| arith::shift(a, *span))?,
            Node::ShiftBy { node, times, span } => {
                let (x, n) = (
                    node.eval(batch)?.spread(batch.rows)?,
                    times.eval(batch)?.spread(batch.rows)?,
                );
                Value::Array(arith::shift_by(&x, &n, *span)?)
            }
            Node::AddDays { node, days, sign } => {
                let (x, d) = (
                    node.eval(batch)?.spread(batch.rows)?,
                    days.eval(batch)?.spread(batch.rows)?,
                );
                Value::Array(arith::add_days(&x, &d, *sign)?)
            }
            Node::DaysBetween(l, r) => {
                let (a, b) = (
                    l.eval(batch)?.spread(batch.rows)?,
                    r.eval(batch)?.spread(batch.rows)?,
                );
                Value::Array(arith::days_between(&a, &b))
            }
            Node::Short(node, _) => node.eval(batch)?,
            Node::Span { op, l, r, ty } => {
                let (l, r) = (l.eval(batch)?, r.eval(batch)?);
                let both = matches!((&l, &r), (Value::Scalar(_), Value::Scalar(_)));
                let rows = if both { 1 } else { batch.rows };
                let out = spans::apply(*op, &l, &r, ty, rows)?;
                match both {
                    true => Value::Scalar(out),
                    false => Value::Array(out),
                }
            }
        })
    }

    fn logic_eval(
        &self,
        and: bool,
        l: &Node,
        r: &Node,
        columns: &[usize],
        lazy: bool,
        batch: &Batch,
    ) -> Result<Value> {
        let left = l.eval(batch)?.spread(batch.rows)?;
        let left = left.as_boolean();
        // of an AND the rows that are true so far, of an OR those that are false; nulls in both
        let decided = match and {
            true => left.len() - left.null_count() - left.true_count(),
            false => left.true_count(),
        };
        if decided == batch.rows {
            return Ok(Value::Array(Arc::new(left.clone())));
        }
        let few = (batch.rows - decided) * FEW < batch.rows && !r.is_cheap();
        let right = if decided == 0 || !(lazy || few) {
            r.eval(batch)?.spread(batch.rows)?
        } else {
            let is_open = |&i: &usize| left.is_null(i) || left.value(i) == and;
            let open: Vec<u32> = (0..batch.rows).filter(is_open).map(|i| i as u32).collect();
            let part = r.eval(&take_rows(batch, &open, columns)?)?.spread(open.len())?;
            let part = part.as_boolean();
            let mut full: Vec<Option<bool>> = vec![Some(!and); batch.rows];
            for (j, &i) in open.iter().enumerate() {
                full[i as usize] = part.is_valid(j).then(|| part.value(j));
            }
            Arc::new(BooleanArray::from(full))
        };
        let right = right.as_boolean();
        let out = if and {
            compute::and_kleene(left, right)?
        } else {
            compute::or_kleene(left, right)?
        };
        Ok(Value::Array(Arc::new(out)))
    }
}

/// Stands among columns for what the stage before yielded ([`Node::Held`]): the last one, wherever that is.
const HELD: usize = usize::MAX;

/// Where fewer than one row in so many is open after the first half of an AND or OR, the second half is
/// evaluated for these alone.
const FEW: usize = 8;

/// Stage by stage: what one yields is the last column for the next.
fn staged(stages: &[Node], batch: &Batch) -> Result<Value> {
    let mut batch = batch.clone();
    let own = batch.columns.len();
    for stage in stages {
        let value = stage.eval(&batch)?.spread(batch.rows)?;
        batch.columns.truncate(own);
        batch.columns.push(value);
    }
    let last = batch.columns.pop();
    last.map(Value::Array)
        .ok_or_else(|| Error::defect("a chain of no stages"))
}

/// An operation on one value that works on its physical form.
fn wrap1(v: Value, f: impl FnOnce(&ArrayRef) -> Result<ArrayRef>) -> Result<Value> {
    Ok(match v {
        Value::Array(a) => Value::Array(f(&a)?),
        Value::Scalar(a) => Value::Scalar(f(&a)?),
    })
}

/// An operation on text that cannot fail: of a dictionary once for each entry.
fn by_value(v: Value, f: impl Fn(&ArrayRef) -> Result<ArrayRef>) -> Result<Value> {
    if let Value::Array(a) = &v
        && let Some(d) = small_dictionary(a)
    {
        let values = cast::plain(d.values())?;
        return Ok(Value::Array(compute::take(&f(&values)?, d.keys(), None)?));
    }
    wrap1(v.plain()?, f)
}

fn small_dictionary(a: &ArrayRef) -> Option<&dyn AnyDictionaryArray> {
    a.as_any_dictionary_opt().filter(|d| d.values().len() <= a.len())
}

/// A comparison of a dictionary with a constant, once for each entry.
fn on_dictionary(
    l: &Value,
    r: &Value,
    f: impl Fn(&Value, &Value) -> Result<ArrayRef>,
    nulls_matter: bool,
) -> Result<Option<ArrayRef>> {
    let (dict, flipped) = match (l, r) {
        (Value::Array(a), Value::Scalar(_)) => (a, false),
        (Value::Scalar(_), Value::Array(a)) => (a, true),
        _ => return Ok(None),
    };
    let Some(d) = small_dictionary(dict).filter(|_| !nulls_matter) else {
        return Ok(None);
    };
    let values = Value::Array(cast::plain(d.values())?);
    let out = if flipped { f(l, &values)? } else { f(&values, r)? };
    Ok(Some(compute::take(&out, d.keys(), None)?))
}

/// Some rows of some columns; the others are empty of values, as nobody looks at them.
pub(super) fn take_rows(batch: &Batch, rows: &[u32], columns: &[usize]) -> Result<Batch> {
    let index = UInt32Array::from(rows.to_vec());
    let mut out: Vec<ArrayRef> = vec![new_null_array(&DataType::Null, rows.len()); batch.columns.len()];
    for &i in columns {
        let i = match i {
            HELD => batch.columns.len().saturating_sub(1),
            i => i,
        };
        if let Some(a) = batch.columns.get(i) {
            out[i] = compute::take(a, &index, None)?;
        }
    }
    Ok(Batch {
        columns: out,
        rows: rows.len(),
        position: batch.position,
    })
}

fn call(func: Func, args: &[Node], ty: &DataType, regex: Option<&Regex>, batch: &Batch) -> Result<Value> {
    let values = args.iter().map(|a| a.eval(batch)).collect::<Result<Vec<_>>>()?;
    let run = |values: &[Value], rows: usize| -> Result<ArrayRef> {
        if let Some(done) = carried::call(func, values, ty, rows)? {
            return Ok(done);
        }
        if let Some(done) = bytes::call(func, values, rows)? {
            return Ok(done);
        }
        let done = match math::call(func, values, ty, rows)? {
            Some(a) => Some(a),
            None => match dates::call(func, values, rows)? {
                Some(a) => Some(a),
                None => match strptime::call(func, values, ty, rows)? {
                    Some(a) => Some(a),
                    None => match pack::call(func, values, rows)? {
                        Some(a) => Some(a),
                        None => match super::pair::call(func, values, rows)? {
                            Some(a) => Some(a),
                            None => text::call(func, values, regex, rows)?,
                        },
                    },
                },
            },
        };
        done.ok_or_else(|| Error::defect(format!("function {func:?} is not there")))
    };
    if values.iter().all(|v| matches!(v, Value::Scalar(_))) {
        return Ok(Value::Scalar(run(&values, 1)?));
    }
    // a dictionary beside constants: once for each entry
    let mut arrays = values
        .iter()
        .enumerate()
        .filter(|(_, v)| matches!(v, Value::Array(_)));
    use Func::{Concat, ConcatWs, Greatest, Least, Pack};
    let ignores_nulls = matches!(func, Concat | ConcatWs | Greatest | Least | Pack);
    if let (Some((at, Value::Array(a))), None) = (arrays.next(), arrays.next())
        && let Some(d) = small_dictionary(a).filter(|_| !func.can_fail() && !ignores_nulls)
    {
        let mut values = values.clone();
        values[at] = Value::Array(cast::plain(d.values())?);
        let out = run(&values, d.values().len())?;
        return Ok(Value::Array(compute::take(&out, d.keys(), None)?));
    }
    let values = values.into_iter().map(Value::plain).collect::<Result<Vec<_>>>()?;
    Ok(Value::Array(run(&values, batch.rows)?))
}

/// An expression bound to a schema, ready to run over batches. It holds no state: one may serve
/// all threads.
#[derive(Debug, Clone)]
pub struct Evaluator {
    node: Node,
    ty: DataType,
    columns: Vec<usize>,
}

impl Evaluator {
    /// Checks types and makes coercions explicit. [`Evaluator::eval`] then takes batches that have
    /// the columns of the schema.
    ///
    /// # Errors
    /// Unknown columns, operands that do not go together, aggregates.
    pub fn bind(expr: &Expr, schema: &Schema) -> Result<Self> {
        let (node, ty) = bind::bind(expr, schema)?;
        let mut columns = vec![];
        node.collect(&mut columns);
        Ok(Evaluator { node, ty, columns })
    }

    /// As [`Evaluator::bind`], but the batches have just the columns [`Evaluator::columns`], in that
    /// order, as those of a row filter do.
    ///
    /// # Errors
    /// As [`Evaluator::bind`].
    pub fn bind_narrow(expr: &Expr, schema: &Schema) -> Result<Self> {
        let mut out = Self::bind(expr, schema)?;
        let columns = out.columns.clone();
        out.node.renumber(&columns);
        Ok(out)
    }

    /// Whether there are values of the right types for which it fails.
    pub fn can_fail(&self) -> bool {
        self.node.can_fail()
    }

    /// The type of the values.
    pub fn data_type(&self) -> &DataType {
        &self.ty
    }

    /// The columns it looks at: indices in the schema, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The value for each row. A bare text column comes as it is (it may be a dictionary).
    ///
    /// # Errors
    /// Overflow, division by zero, a cast that does not fit, for a row that needs it.
    pub fn eval(&self, batch: &Batch) -> Result<ArrayRef> {
        if batch.rows == 0 {
            return Ok(new_empty_array(&self.ty));
        }
        match self.node.eval(batch)? {
            Value::Array(a) => Ok(a),
            scalar => scalar.spread(batch.rows),
        }
    }

    /// Where it is true; null counts as false.
    ///
    /// # Errors
    /// As [`Evaluator::eval`], or it is no condition.
    pub fn eval_mask(&self, batch: &Batch) -> Result<BooleanArray> {
        let out = self.eval(batch)?;
        match out.data_type() {
            DataType::Null => Ok(BooleanArray::from(vec![false; batch.rows])),
            DataType::Boolean => {
                let b = out.as_boolean();
                Ok(if b.null_count() > 0 {
                    compute::prep_null_mask_filter(b)
                } else {
                    b.clone()
                })
            }
            other => Err(Error::query(format!(
                "a condition is needed, not {}",
                crate::kernel::types::name(other)
            ))),
        }
    }
}
