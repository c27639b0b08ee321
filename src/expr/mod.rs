//! The one expression language of `ddf`: from text to columns of values.
//!
//! ```text
//!  "DepDelay > 15"  ─ parse ─►  Expr  ─ fold, rewrite ─►  Expr  ─ Evaluator::bind(schema) ─►  eval(batch) ─► array
//!                              (plain data, serialisable)        types checked, casts made explicit
//! ```
//!
//! `tree` is the data, `parse` and `convert` read SQL through `sqlparser`, `display` writes
//! it again, `window` and `window_sql` are the same for window functions, `functions` is the table of functions, `fold` computes what is constant. `bind`
//! checks types against a schema and makes every coercion an explicit cast; [`eval`] then runs the
//! bound tree over batches, with [`compare`], [`arith`], [`cast`], [`text`], [`math`] and [`dates`]
//! for the single operations. Branches of `CASE`, `coalesce`, `AND` and `OR` that a row does not
//! need are not evaluated for it where they could fail.

pub mod advice;
mod aggregates;
mod alike;
pub mod arith;
pub mod bind;
mod bits;
mod buckets;
mod bytes;
mod carried;
mod case;
pub mod cast;
mod cast_type;
mod chain;
mod choices;
pub mod clock;
pub mod compare;
pub mod convert;
pub mod dates;
pub mod display;
pub mod eval;
pub mod fold;
pub mod functions;
mod interval;
mod join;
mod lexer;
mod listing;
mod literals;
pub mod math;
mod named;
mod operators;
pub mod pack;
pub mod pair;
pub mod parse;
mod rare;
mod rows;
mod spans;
pub mod stack;
mod steps;
pub mod strptime;
mod syntax;
pub mod temporal;
pub mod text;
pub mod tree;
mod width;
mod window;
mod window_sql;
pub mod zones;

#[cfg(test)]
mod tests;

pub use aggregates::is_aggregate;
pub use alike::{as_beside, as_compared, equal_type};
pub use bind::common;
pub use carried::{carried, carried_exactly, needs_carrier, restored};
pub use convert::{Hook, convert, convert_with};
pub use display::quote_name;
pub use eval::Evaluator;
pub use fold::fold;
pub use functions::{Func, FunctionInfo, functions};
pub use join::{AsOfOp, JoinKind};
pub use listing::{AGGREGATE_FUNCTIONS, EXAMPLE_ROWS, Listed, WINDOW_LISTING, listing};
pub use literals::{has_literals, literal};
pub use named::{Columns, column_named};
pub use pack::{Ordering, ordered_by, packed_text};
pub use pair::PairFunc;
pub use parse::{parse, parse_named, point_at};
pub use steps::{Step, Stepped, in_steps};
pub use syntax::{closed, left_over, point_within};
pub use tree::{AggCall, AggFunc, BinaryOp, CastType, CompareOp, Expr, UnaryOp};
pub use width::{field, narrowed, narrowed_window, width_of};
pub use window::{
    Exclude, Foremost, FrameBound, FrameUnit, OrderBy, Rank, WindowCall, WindowFrame, WindowFunc,
};
pub use window_sql::{convert_window, excluded, unmarked, without_base};
