//! Which states a group-by needs, each once, and how its result columns come from them.

use std::ops::Range;

use arrow::datatypes::{DataType, Schema};

use super::quantile::Between;
use super::state::{End, Needs};
use super::{AggregateSpec, output_type};
use crate::error::Result;
use crate::expr::{AggFunc, PairFunc, Step, Stepped};

/// What a state keeps for each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Number of rows.
    Rows,
    /// Number of nulls: with that of rows it gives the number of values, and most columns have none.
    Nulls,
    /// Exact sum of integers.
    SumInt,
    /// Exact sum of decimals.
    SumDec,
    /// Exact sum of squares of integers.
    SquaresInt,
    /// Exact sum of floats.
    SumFloat,
    /// Exact sums of floats (or decimals as floats) and of their squares.
    Moments,
    /// Exact sums of four powers of floats.
    Powers,
    /// Product of floats.
    Product,
    /// Exact sums of pairs of floats, of their squares and products.
    Pairs,
    /// Extremes of anything that [`super::column::Col::ints`] orders.
    MinInt,
    /// See [`Kind::MinInt`].
    MaxInt,
    /// Extremes of decimals.
    MinDec,
    /// See [`Kind::MinDec`].
    MaxDec,
    /// Extremes of text.
    MinText,
    /// See [`Kind::MinText`].
    MaxText,
    /// First or last value by row position.
    Edge(End),
    /// All texts.
    Texts,
}

/// The states that tell how many values there were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Count {
    /// Rows,
    pub rows: usize,
    /// less the nulls among them, if these are to be left out.
    pub nulls: Option<usize>,
}

/// How a result column comes from states (by their index).
#[derive(Debug, Clone, PartialEq)]
pub enum Final {
    /// A count.
    Count(Count),
    /// Always null.
    Null(DataType),
    /// A sum of integers, checked to fit int64; the column's name for the error.
    SumInt(usize, Count, String),
    /// A sum of decimals.
    SumDec(usize, Count, DataType, String),
    /// A sum of floats.
    SumFloat(usize, Count),
    /// Exact integer sum / count / 10^scale.
    MeanInt(usize, Count, i8),
    /// Exact float sum / count.
    MeanFloat(usize, Count),
    /// Sum, squares, count, ddof, square root.
    VarInt(usize, usize, Count, u64, bool),
    /// Moments, count, ddof, square root.
    VarFloat(usize, Count, u64, bool),
    /// Powers, count, function.
    Shape(usize, Count, AggFunc),
    /// Product, count.
    Product(usize, Count),
    /// Moments of pairs, count, function.
    Pair(usize, Count, PairFunc),
    /// State, count, type.
    Extreme(usize, Count, DataType),
    /// State, type.
    Edge(usize, DataType),
    /// Distinct values of set.
    Distinct(usize),
    /// State of texts, and whether each different one comes once.
    Texts(usize, bool),
    /// Values list, quantile, what the values are.
    Quantile(usize, f64, Between),
    /// Some states as bytes, for the next step of an aggregate.
    States(Vec<usize>),
}

impl Final {
    /// Gives each state that the column comes from another number, in an order that is always the same.
    fn renumber(&mut self, to: &mut dyn FnMut(usize) -> usize) {
        let mut each = |at: &mut usize| *at = to(*at);
        let count = match self {
            Final::Null(_) | Final::Distinct(_) | Final::Quantile(..) => return,
            Final::Count(count) => count,
            Final::Edge(state, _) | Final::Texts(state, _) => return each(state),
            Final::States(states) => return states.iter_mut().for_each(each),
            Final::SumInt(state, count, _)
            | Final::SumDec(state, count, ..)
            | Final::SumFloat(state, count)
            | Final::MeanInt(state, count, _)
            | Final::MeanFloat(state, count)
            | Final::VarFloat(state, count, ..)
            | Final::Shape(state, count, _)
            | Final::Product(state, count)
            | Final::Pair(state, count, _)
            | Final::Extreme(state, count, _) => {
                each(state);
                count
            }
            Final::VarInt(sum, squares, count, ..) => {
                each(sum);
                each(squares);
                count
            }
        };
        each(&mut count.rows);
        count.nulls.iter_mut().for_each(each);
    }

    /// The states that the column comes from.
    fn states(&self) -> Vec<usize> {
        let mut all = Vec::new();
        self.clone().renumber(&mut |at| {
            all.push(at);
            at
        });
        all
    }
}

/// States that come as bytes from an earlier step.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The column of the input that has them.
    pub column: usize,
    /// Which states, in the order of the bytes.
    pub states: Range<usize>,
}

/// Stands for the column of a state that comes from an earlier step.
pub const FROM_STATES: usize = usize::MAX;

/// A group-by, resolved against its input.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Key columns.
    pub keys: Vec<usize>,
    /// Their types.
    pub key_types: Vec<DataType>,
    /// Columns that the states look at.
    pub columns: Vec<usize>,
    /// Their types.
    pub types: Vec<DataType>,
    /// States over `columns` (by index in it).
    pub states: Vec<(Kind, usize)>,
    /// Value lists over `columns`.
    pub lists: Vec<usize>,
    /// Distinct sets over `columns`.
    pub sets: Vec<usize>,
    /// States from columns of bytes.
    pub merged: Vec<Merged>,
    /// Result columns after the keys.
    pub finals: Vec<Final>,
}

impl Plan {
    /// Resolves `spec` over `input`; query errors where a function does not fit a type.
    pub fn new(spec: &AggregateSpec, input: &Schema) -> Result<Plan> {
        let mut plan = Plan {
            keys: spec.keys.clone(),
            key_types: spec
                .keys
                .iter()
                .map(|&k| input.field(k).data_type().clone())
                .collect(),
            columns: Vec::new(),
            types: Vec::new(),
            states: Vec::new(),
            lists: Vec::new(),
            sets: Vec::new(),
            merged: Vec::new(),
            finals: Vec::new(),
        };
        for (agg, column) in &spec.aggs {
            let ty = output_type(*agg, column.map(|c| input.field(c).data_type()))?;
            let last = match (column, agg) {
                (Some(c), AggFunc::Stepped(s)) => plan.step(s, *c, input)?,
                (Some(c), _) => plan.resolve(*agg, *c, input, ty),
                (None, _) => Final::Count(Count {
                    rows: plan.state(Kind::Rows, 0),
                    nulls: None,
                }),
            };
            plan.finals.push(last);
        }
        Ok(plan)
    }

    /// What the states, lists and sets over column `c` look at.
    pub fn needs(&self, c: usize) -> Needs {
        use Kind::*;
        let kinds = || self.states.iter().filter(|s| s.1 == c).map(|s| s.0);
        let listed = self.lists.contains(&c);
        // whole numbers as floats are found through integers
        let whole = !matches!(self.types[c], DataType::Float64 | DataType::Decimal128(..));
        Needs {
            ints: listed
                || kinds().any(|k| matches!(k, SumInt | SquaresInt | MinInt | MaxInt))
                || whole && kinds().any(|k| matches!(k, Powers | Product)),
            rows: listed
                || self.sets.contains(&c)
                || kinds().any(|k| !matches!(k, Rows | Nulls | SumInt | SquaresInt | MinInt | MaxInt)),
        }
    }

    fn state(&mut self, kind: Kind, column: usize) -> usize {
        find_or_push(&mut self.states, (kind, column))
    }

    /// One step of an aggregate.
    fn step(&mut self, s: &Stepped, column: usize, input: &Schema) -> Result<Final> {
        let (whole, ty) = (s.whole(), s.arg_type());
        if s.step == Step::First {
            let output = whole.output_type(&ty)?;
            return Ok(Final::States(self.resolve(whole, column, input, output).states()));
        }
        let values = Schema::new(vec![input.field(column).clone().with_data_type(ty)]);
        let spec = AggregateSpec {
            keys: Vec::new(),
            aggs: vec![(whole, Some(0))],
            totals: None,
        };
        let mut alone = Plan::new(&spec, &values)?;
        let mut last = alone.finals.pop().unwrap_or(Final::States(Vec::new()));
        let first = self.states.len();
        for at in last.states() {
            self.states.push((alone.states[at].0, FROM_STATES));
        }
        let states = first..self.states.len();
        let mut next = states.clone();
        last.renumber(&mut |_| next.next().unwrap_or(first));
        self.merged.push(Merged {
            column,
            states: states.clone(),
        });
        Ok(match s.step {
            Step::Last => last,
            _ => Final::States(states.collect()),
        })
    }

    fn resolve(&mut self, agg: AggFunc, column: usize, input: &Schema, output: DataType) -> Final {
        use DataType::*;
        let ty = input.field(column).data_type().clone();
        let name = input.field(column).name().clone();
        let at = find_or_push(&mut self.columns, column);
        self.types = self
            .columns
            .iter()
            .map(|&c| input.field(c).data_type().clone())
            .collect();
        if ty == Null && !matches!(agg, AggFunc::Count | AggFunc::NUnique) {
            return Final::Null(output);
        }
        if agg == AggFunc::NUnique {
            return Final::Distinct(find_or_push(&mut self.sets, at));
        }
        if let AggFunc::Median | AggFunc::Quantile(_) = agg {
            let q = if let AggFunc::Quantile(q) = agg { q } else { 0.5 };
            return Final::Quantile(find_or_push(&mut self.lists, at), q, Between::of(&ty));
        }
        if let Some(end) = end_of(agg) {
            return Final::Edge(self.state(Kind::Edge(end), at), ty);
        }
        if let AggFunc::StringAgg(once) = agg {
            return Final::Texts(self.state(Kind::Texts, at), once);
        }
        let count = Count {
            rows: self.state(Kind::Rows, 0),
            nulls: Some(self.state(Kind::Nulls, at)),
        };
        let kinds = match ty {
            Float64 => (Kind::SumFloat, Kind::MinInt, Kind::MaxInt),
            Decimal128(..) => (Kind::SumDec, Kind::MinDec, Kind::MaxDec),
            Utf8View => (Kind::SumInt, Kind::MinText, Kind::MaxText),
            _ => (Kind::SumInt, Kind::MinInt, Kind::MaxInt),
        };
        match agg {
            AggFunc::Sum => {
                let sum = self.state(kinds.0, at);
                match ty {
                    Float64 => Final::SumFloat(sum, count),
                    Decimal128(..) => Final::SumDec(sum, count, output, name),
                    _ => Final::SumInt(sum, count, name),
                }
            }
            AggFunc::Mean => {
                let sum = self.state(kinds.0, at);
                match ty {
                    Float64 => Final::MeanFloat(sum, count),
                    Decimal128(_, scale) => Final::MeanInt(sum, count, scale),
                    _ => Final::MeanInt(sum, count, 0),
                }
            }
            AggFunc::Std | AggFunc::Var | AggFunc::StdPop | AggFunc::VarPop => {
                let ddof = matches!(agg, AggFunc::Std | AggFunc::Var) as u64;
                let root = matches!(agg, AggFunc::Std | AggFunc::StdPop);
                if matches!(ty, Float64 | Decimal128(..)) {
                    return Final::VarFloat(self.state(Kind::Moments, at), count, ddof, root);
                }
                let sum = self.state(Kind::SumInt, at);
                Final::VarInt(sum, self.state(Kind::SquaresInt, at), count, ddof, root)
            }
            AggFunc::Skewness | AggFunc::Kurtosis | AggFunc::KurtosisPop => {
                Final::Shape(self.state(Kind::Powers, at), count, agg)
            }
            AggFunc::Product => Final::Product(self.state(Kind::Product, at), count),
            AggFunc::Pair(f) => Final::Pair(self.state(Kind::Pairs, at), count, f),
            AggFunc::Min | AggFunc::BoolAnd => Final::Extreme(self.state(kinds.1, at), count, ty),
            AggFunc::Max | AggFunc::BoolOr => Final::Extreme(self.state(kinds.2, at), count, ty),
            _ => Final::Count(count),
        }
    }
}

/// The row that an aggregate takes its value from.
fn end_of(agg: AggFunc) -> Option<End> {
    let (last, known) = match agg {
        AggFunc::First => (false, false),
        AggFunc::Last => (true, false),
        AggFunc::FirstKnown => (false, true),
        AggFunc::LastKnown => (true, true),
        _ => return None,
    };
    Some(End { last, known })
}

fn find_or_push<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    match list.iter().position(|x| *x == item) {
        Some(at) => at,
        None => {
            list.push(item);
            list.len() - 1
        }
    }
}
