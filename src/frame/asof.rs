//! Asof joins of frames: each left row beside the right row that is nearest by the last key.
//!
//! ```text
//!   trades        quotes              trades.join(quotes, ["sym", "ts"], How::Asof)
//!   A  10:03      A  10:00  7.5       A  10:03   10:00  7.5     the last quote of A that is not later
//!   A  10:05      A  10:05  7.6       A  10:05   10:05  7.6
//!   B  10:01      B  10:02  3.1       B  10:01                  none: nulls
//! ```
//!
//! The engine joins backward and forward. A tolerance puts nulls for rows that are too far away, and the
//! nearest of both directions is chosen between two joins, in expressions above them.

use super::Frame;
use super::join::{Sides, key_names, sides};
use crate::error::{Error, Result};
use crate::expr::{self, AsOfOp, BinaryOp, Expr, Func, JoinKind};
use crate::kernel::{Scalar, types};
use crate::plan::{self, LogicalPlan};

/// Where an asof join looks for the nearest row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// The greatest right key that is not above the left one.
    #[default]
    Backward,
    /// The least right key that is not below the left one.
    Forward,
    /// Whichever of the two is nearer, the former if they are equally near: for numbers, dates and
    /// timestamps.
    Nearest,
}

impl Direction {
    /// The direction of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn from_name(name: &str) -> Result<Direction> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "backward" => Direction::Backward,
            "forward" => Direction::Forward,
            "nearest" => Direction::Nearest,
            _ => {
                return Err(Error::usage(format!("there is no direction {name:?}"))
                    .help("the directions are backward, forward and nearest"));
            }
        })
    }
}

/// How an asof join finds the row of the right.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AsOf {
    /// Where it looks.
    pub direction: Direction,
    /// Leaves out right rows whose key equals that of the left row.
    pub strict: bool,
    /// The distance beyond which a row does not count, a number or an interval.
    pub tolerance: Option<Expr>,
}

impl AsOf {
    /// The distance that a text means: `5`, `0.5`, `10 seconds`.
    ///
    /// # Errors
    /// It means none, or one below zero.
    pub fn distance(text: &str) -> Result<Expr> {
        let interval = format!("INTERVAL '{}'", text.trim().replace('\'', "''"));
        let found = [text, &interval].into_iter().find_map(|t| match expr::parse(t) {
            Ok(e @ Expr::Literal(Scalar::Int(0..))) => Some(e),
            Ok(Expr::Literal(Scalar::Float(f))) if f >= 0.0 => Some(Expr::Literal(Scalar::Float(f))),
            Ok(e @ Expr::Literal(Scalar::Decimal(0.., ..))) => Some(e),
            Ok(e @ Expr::Literal(Scalar::Interval(0.., 0.., 0..))) => Some(e),
            _ => None,
        });
        found.ok_or_else(|| {
            Error::usage(format!("{text:?} is no distance"))
                .help("a number, or for timestamps an interval: 5, 0.5, '10 seconds'")
        })
    }

    fn op(&self, direction: Direction) -> AsOfOp {
        match (direction, self.strict) {
            (Direction::Forward, false) => AsOfOp::Le,
            (Direction::Forward, true) => AsOfOp::Lt,
            (_, false) => AsOfOp::Ge,
            (_, true) => AsOfOp::Gt,
        }
    }
}

impl Frame {
    /// Each row beside the row of `right` that is nearest by the last column of `on`, all the others
    /// being equal; columns are named as in [`Frame::join`], and of the last one each side keeps its
    /// own. Rows for which there is none keep nulls on the right, so every row comes out once. Null is
    /// nearest to nothing. Of several right rows with the nearest key the last one is taken looking
    /// backward, the first one looking forward.
    ///
    /// ```
    /// use ddf::Frame;
    /// use ddf::frame::{AsOf, Direction};
    /// let flights = Frame::read("testdata/nycflights/*.csv")?;
    /// let late = flights.clone().filter("DepDelay > 100")?.select(["Origin", "Month", "DayofMonth"])?;
    /// let how = AsOf { direction: Direction::Forward, ..AsOf::default() };
    /// let next = flights.join_asof(late, ["Origin", "Month", "DayofMonth"], &how)?.limit(0, Some(3))?;
    /// assert_eq!(next.collect()?.rows(), 3);
    /// # Ok::<(), ddf::Error>(())
    /// ```
    ///
    /// # Errors
    /// A column is unknown, keys are of types that do not go together, no key, or a tolerance that is
    /// none for the type of the last key.
    pub fn join_asof<'a>(
        self,
        right: Frame,
        on: impl IntoIterator<Item = &'a str>,
        how: &AsOf,
    ) -> Result<Frame> {
        let (ls, rs) = (self.schema()?, right.schema()?);
        let on: Vec<(String, String)> = on.into_iter().map(|text| key_names(text, &ls, &rs)).collect();
        let Some(equal) = on.len().checked_sub(1) else {
            return Err(Error::query("an asof join needs a column to be near by")
                .help("name it last, after those that must be equal: --on id,time"));
        };
        let left = self.ordered();
        let mut sides = sides(left.plan.clone(), right.ordered().plan, &on, equal)?;
        let Some(key) = sides.on.pop() else {
            return Err(Error::defect("an asof join lost its key"));
        };
        let plan = match how.direction {
            Direction::Nearest => sides.nearest(&key, how)?,
            direction => sides.one_way(&key, how, direction)?,
        };
        left.wrap(|_| plan)
    }
}

/// Left and right key.
type Key = (Expr, Expr);

impl Sides {
    /// The asof join as the engine knows it.
    fn asof(&self, left: LogicalPlan, right: LogicalPlan, key: &Key, op: AsOfOp) -> LogicalPlan {
        LogicalPlan::Join {
            left: Box::new(left),
            right: Box::new(right),
            kind: JoinKind::Left,
            on: self.on.clone(),
            filter: None,
            asof: Some(plan::AsOf {
                left: key.0.clone(),
                right: key.1.clone(),
                op,
            }),
        }
    }

    fn one_way(&self, key: &Key, how: &AsOf, direction: Direction) -> Result<LogicalPlan> {
        let op = how.op(direction);
        let joined = self.asof(self.left.clone(), self.right.clone(), key, op);
        let near = how.tolerance.as_ref().map(|t| is_near(key, op, t));
        Ok(self.named(joined, |name| match &near {
            Some(near) => case(vec![(near.clone(), Expr::column(name))]),
            None => Expr::column(name),
        }))
    }

    /// Both ways, and of each row the columns of the nearer one.
    fn nearest(&self, key: &Key, how: &AsOf) -> Result<LogicalPlan> {
        let schema = self.right.schema()?;
        let (ls, rs) = (types::names_of(&*self.left.schema()?), types::names_of(&schema));
        let mark = types::hidden('\u{0}', ls.iter().chain(&rs));
        let other = |name: &str| format!("{mark}forward {name}");
        let again = |(name, e): (String, Expr)| (other(&name), e);
        let again = Expr::columns_of(&schema).into_iter().map(again).collect();
        let right = LogicalPlan::Project {
            input: Box::new(self.right.clone()),
            exprs: again,
        };
        let back = how.op(Direction::Backward);
        let joined = self.asof(self.left.clone(), self.right.clone(), key, back);
        let renamed = |e: &Expr| match e {
            Expr::Column(c) => Expr::Column(other(c)),
            e => e.clone(),
        };
        let ahead = how.op(Direction::Forward);
        let forward = (key.0.clone(), renamed(&key.1));
        let mut keys = self.on.clone();
        keys.iter_mut().for_each(|(_, r)| *r = renamed(r));
        let joined = LogicalPlan::Join {
            left: Box::new(joined),
            right: Box::new(right),
            kind: JoinKind::Left,
            on: keys,
            filter: None,
            asof: Some(plan::AsOf {
                left: forward.0.clone(),
                right: forward.1.clone(),
                op: ahead,
            }),
        };
        let ty = plan::common_type(&key.0, &*self.left.schema()?, &key.1, &schema)?;
        let nearer = Expr::binary(
            BinaryOp::LtEq,
            distance(key.1.clone(), key.0.clone(), &ty)?,
            distance(key.0.clone(), forward.1.clone(), &ty)?,
        );
        let is_null = |e: &Expr, negated| Expr::IsNull {
            expr: Box::new(e.clone()),
            negated,
        };
        // where one side has no row, the other is taken
        let takes_back = case(vec![
            (is_null(&forward.1, false), Expr::Literal(Scalar::Bool(true))),
            (is_null(&key.1, false), Expr::Literal(Scalar::Bool(false))),
            (is_null(&key.0, true), nearer),
        ]);
        let takes_ahead = Expr::IsNull {
            expr: Box::new(forward.1.clone()),
            negated: true,
        };
        let near = |e: Expr, key: &Key, op| match &how.tolerance {
            Some(t) => Expr::and(vec![e, is_near(key, op, t)]),
            None => e,
        };
        let not_back = Expr::and(vec![
            Expr::Unary {
                op: expr::UnaryOp::Not,
                expr: Box::new(takes_back.clone()),
            },
            takes_ahead,
        ]);
        let takes_back = near(takes_back, key, back);
        let takes_ahead = near(not_back, &forward, ahead);
        Ok(self.named(joined, |name| {
            case(vec![
                (takes_back.clone(), Expr::column(name)),
                (takes_ahead.clone(), Expr::Column(other(name))),
            ])
        }))
    }

    /// Left columns, then right ones as `make` gives them from their names.
    fn named(&self, joined: LogicalPlan, make: impl Fn(&str) -> Expr) -> LogicalPlan {
        let left = self.left_names.iter().map(|n| (n.clone(), Expr::column(n)));
        let right = self.right_names.iter().map(|n| (n.clone(), make(n)));
        LogicalPlan::Project {
            input: Box::new(joined),
            exprs: left.chain(right).collect(),
        }
    }
}

/// Whether the right key lies within `tolerance` of the left one.
fn is_near((left, right): &Key, op: AsOfOp, tolerance: &Expr) -> Expr {
    let (to, holds) = match op.is_backward() {
        true => (BinaryOp::Sub, BinaryOp::GtEq),
        false => (BinaryOp::Add, BinaryOp::LtEq),
    };
    let border = Expr::binary(to, left.clone(), tolerance.clone());
    Expr::binary(holds, right.clone(), border)
}

/// How far `b` lies above `a`, both of type `ty`.
fn distance(a: Expr, b: Expr, ty: &arrow::datatypes::DataType) -> Result<Expr> {
    use arrow::datatypes::{DataType, TimeUnit};
    let nanos = |x: Expr| Expr::Function {
        func: Func::EpochNs,
        args: vec![x],
    };
    match ty {
        DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Time64(_) => {
            Ok(Expr::binary(BinaryOp::Sub, nanos(b), nanos(a)))
        }
        DataType::Timestamp(..) => Ok(Expr::Function {
            func: Func::DateDiff,
            args: vec![Expr::Literal(Scalar::Text("microsecond".into())), a, b],
        }),
        t if types::is_numeric(t) || *t == DataType::Date32 => Ok(Expr::binary(BinaryOp::Sub, b, a)),
        t => Err(Error::query(format!(
            "nothing is nearest by a column of type {}",
            types::name(t)
        ))
        .help("look backward or forward")),
    }
}

fn case(branches: Vec<(Expr, Expr)>) -> Expr {
    Expr::Case {
        operand: None,
        branches,
        otherwise: None,
    }
}
