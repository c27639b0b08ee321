//! Aggregates of numbers in steps: groups of groups, where a group's state goes on as bytes instead of
//! being rounded.
//!
//! ```text
//!   Aggregate [a set]    avg: of_states            last     states ─► value
//!     Expand
//!       Aggregate [a b]  states of avg(x)          first    values ─► states
//! ```

use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

use super::pair::PairFunc;
use super::tree::AggFunc;

/// An aggregate that takes or leaves states.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stepped {
    func: Merging,
    arg: Number,
    /// Which step it is.
    pub step: Step,
}

/// What comes in and what goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Values become states.
    First,
    /// States become states.
    Middle,
    /// States become the result.
    Last,
}

/// Aggregates of numbers whose states merge exactly, and that are not the same aggregate of their parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Merging {
    Sum,
    Mean,
    Std,
    Var,
    StdPop,
    VarPop,
    Skewness,
    Kurtosis,
    KurtosisPop,
    Product,
    Pair(PairFunc),
}

/// The types of their arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Number {
    Bool,
    Int,
    Float,
    Decimal(u8, i8),
}

impl Stepped {
    /// The first step of an aggregate over values of a type, if it can be taken in steps.
    pub fn of(func: AggFunc, arg: &DataType) -> Option<Stepped> {
        let func = match func {
            AggFunc::Sum => Merging::Sum,
            AggFunc::Mean => Merging::Mean,
            AggFunc::Std => Merging::Std,
            AggFunc::Var => Merging::Var,
            AggFunc::StdPop => Merging::StdPop,
            AggFunc::VarPop => Merging::VarPop,
            AggFunc::Skewness => Merging::Skewness,
            AggFunc::Kurtosis => Merging::Kurtosis,
            AggFunc::KurtosisPop => Merging::KurtosisPop,
            AggFunc::Product => Merging::Product,
            AggFunc::Pair(f) => Merging::Pair(f),
            _ => return None,
        };
        let arg = match *arg {
            DataType::Boolean => Number::Bool,
            DataType::Int64 => Number::Int,
            DataType::Float64 => Number::Float,
            DataType::Decimal128(p, s) => Number::Decimal(p, s),
            _ => return None,
        };
        Some(Stepped {
            func,
            arg,
            step: Step::First,
        })
    }

    /// Another step of the same.
    pub fn at(self, step: Step) -> AggFunc {
        AggFunc::Stepped(Stepped { step, ..self })
    }

    /// The aggregate taken in one.
    pub fn whole(&self) -> AggFunc {
        match self.func {
            Merging::Sum => AggFunc::Sum,
            Merging::Mean => AggFunc::Mean,
            Merging::Std => AggFunc::Std,
            Merging::Var => AggFunc::Var,
            Merging::StdPop => AggFunc::StdPop,
            Merging::VarPop => AggFunc::VarPop,
            Merging::Skewness => AggFunc::Skewness,
            Merging::Kurtosis => AggFunc::Kurtosis,
            Merging::KurtosisPop => AggFunc::KurtosisPop,
            Merging::Product => AggFunc::Product,
            Merging::Pair(f) => AggFunc::Pair(f),
        }
    }

    /// The type of the values.
    pub fn arg_type(&self) -> DataType {
        match self.arg {
            Number::Bool => DataType::Boolean,
            Number::Int => DataType::Int64,
            Number::Float => DataType::Float64,
            Number::Decimal(p, s) => DataType::Decimal128(p, s),
        }
    }
}

/// An aggregate as one over the groups of finer groups: what is computed of these, and what of that; none
/// where it takes all values at once. `arg` is the type of its argument.
pub fn in_steps(func: AggFunc, arg: Option<&DataType>) -> Option<(AggFunc, AggFunc)> {
    use AggFunc::{BoolAnd, BoolOr, Count, Max, Min, Sum};
    Some(match func {
        Count => (Count, Sum),
        Min | Max | BoolAnd | BoolOr => (func, func),
        AggFunc::Stepped(s) if s.step == Step::Last => (s.at(Step::Middle), func),
        func => {
            let first = Stepped::of(func, arg?)?;
            (first.at(Step::First), first.at(Step::Last))
        }
    })
}
