//! Joins of frames: what people ask for (right, full, one key column for both sides, names that do
//! not clash), made of the four kinds that the engine knows.
//!
//! ```text
//!   right   the left join the other way round, columns put back in place
//!   full    the left join, then the right rows that matched nothing, with nulls on the left
//!   cross   an inner join without keys
//! ```

use arrow::datatypes::SchemaRef;

use super::Frame;
use super::asof::AsOf;
use crate::error::{Error, Result};
use crate::expr::{Columns, Expr, Func, JoinKind};
use crate::kernel::types::{self, names_of};
use crate::plan::{self, LogicalPlan};

/// Which rows a join of frames yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Each pair that matches.
    Inner,
    /// As inner, and the left rows that match nothing.
    Left,
    /// As inner, and the right rows that match nothing, in the order of the right.
    Right,
    /// As inner, and the rows of both sides that match nothing, those of the right last.
    Full,
    /// Left rows that match something, once, with the left columns only.
    Semi,
    /// Left rows that match nothing, with the left columns only.
    Anti,
    /// Each left row with each right row.
    Cross,
    /// Left rows, each beside the right row with the greatest last key that is not above its own, all other
    /// keys being equal; see [`Frame::join_asof`].
    Asof,
}

impl How {
    /// The kind of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn from_name(name: &str) -> Result<How> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "inner" => How::Inner,
            "left" => How::Left,
            "right" => How::Right,
            "full" | "outer" => How::Full,
            "semi" => How::Semi,
            "anti" => How::Anti,
            "cross" => How::Cross,
            "asof" => How::Asof,
            _ => {
                return Err(Error::usage(format!("there is no join of kind {name:?}"))
                    .help("the kinds are inner, left, right, full, semi, anti, cross and asof"));
            }
        })
    }
}

/// The two inputs of a join and the names of its result.
pub(super) struct Sides {
    pub(super) left: LogicalPlan,
    pub(super) right: LogicalPlan,
    pub(super) on: Vec<(Expr, Expr)>,
    /// Names of the left columns.
    pub(super) left_names: Vec<String>,
    /// Right columns of the result: the name within the right plan.
    pub(super) right_names: Vec<String>,
    /// Key columns that both sides share: the left name, the right's inner name.
    shared: Vec<(String, String)>,
}

impl Frame {
    /// Joins with `right` where the columns named by `on` are equal: `"id"` on both sides, or
    /// `"id=key"`. Null equals nothing. A key of the same name on both sides is one column of the
    /// result; other columns of the right whose names clash get `_right`.
    ///
    /// ```
    /// use ddf::{Frame, How};
    /// let flights = Frame::read("testdata/nycflights/*.csv")?;
    /// let busy = Frame::read("testdata/nycflights/*.parquet")?
    ///     .groupby(["Origin"])?
    ///     .agg(["flights = count()"])?;
    /// let joined = flights.join(busy, ["Origin"], How::Left)?.limit(0, Some(1))?.collect()?;
    /// assert_eq!(joined.schema.fields().last().unwrap().name(), "flights");
    /// # Ok::<(), ddf::Error>(())
    /// ```
    ///
    /// # Errors
    /// A column is unknown, keys of types that do not go together, no key (except for
    /// [`How::Cross`], which takes none).
    pub fn join<'a>(self, right: Frame, on: impl IntoIterator<Item = &'a str>, how: How) -> Result<Frame> {
        if how == How::Asof {
            return self.join_asof(right, on, &AsOf::default());
        }
        let (ls, rs) = (self.schema()?, right.schema()?);
        let on: Vec<(String, String)> = on.into_iter().map(|text| key_names(text, &ls, &rs)).collect();
        if on.is_empty() != (how == How::Cross) {
            return Err(match how {
                How::Cross => Error::query("a cross join has no keys"),
                _ => Error::query("a join needs the columns that must be equal"),
            }
            .help("name them with --on id, --on id=key or --on id,day; a cross join takes none"));
        }
        let left = self.ordered();
        let sides = sides(left.plan.clone(), right.ordered().plan, &on, on.len())?;
        let plan = match how {
            How::Inner | How::Cross => sides.forward(JoinKind::Inner)?,
            How::Left => sides.forward(JoinKind::Left)?,
            How::Semi => sides.join(JoinKind::Semi),
            How::Anti => sides.join(JoinKind::Anti),
            How::Right => sides.backward()?,
            How::Full => sides.full()?,
            How::Asof => return Err(Error::defect("an asof join among the others")),
        };
        left.wrap(|_| plan)
    }

    /// The rows of this frame, then those of `other`: columns are matched by name, a column that one
    /// of them lacks is null there, and types are united.
    ///
    /// # Errors
    /// Two columns of one name have types that do not go together.
    pub fn concat(self, other: Frame) -> Result<Frame> {
        let (a, b) = (self.ordered(), other.ordered());
        let (sa, sb) = (a.schema()?, b.schema()?);
        let mut names = names_of(&sa);
        names.extend(names_of(&sb).into_iter().filter(|n| sa.index_of(n).is_err()));
        let side = |plan: LogicalPlan, own: &SchemaRef| -> Result<LogicalPlan> {
            let exprs = names.iter().map(|n| Ok((n.clone(), united(n, own, &sa, &sb)?)));
            let exprs = exprs.collect::<Result<Vec<_>>>()?;
            Ok(LogicalPlan::Project {
                input: Box::new(plan),
                exprs,
            })
        };
        let inputs = vec![side(a.plan.clone(), &sa)?, side(b.plan, &sb)?];
        a.wrap(|_| LogicalPlan::Union { inputs })
    }
}

/// Column `name` as both sides of a union give it.
fn united(name: &str, own: &SchemaRef, a: &SchemaRef, b: &SchemaRef) -> Result<Expr> {
    let ty = |s: &SchemaRef| s.field_with_name(name).ok().map(|f| f.data_type().clone());
    let common = match (ty(a), ty(b)) {
        (Some(x), Some(y)) => crate::expr::common(&x, &y).ok_or_else(|| {
            let (x, y) = (crate::kernel::types::name(&x), crate::kernel::types::name(&y));
            Error::query(format!(
                "column {name:?} is {x} in one table and {y} in the other"
            ))
            .help("cast one of them")
        })?,
        (Some(t), None) | (None, Some(t)) => t,
        (None, None) => return Err(Error::defect("a column of no table")),
    };
    match ty(own) {
        Some(_) => Ok(Expr::column(name)),
        None => Expr::null_of(&common),
    }
}

/// The columns that must be equal: `id`, or `id=key`. A text that is exactly a column of both sides is that one.
pub(super) fn key_names(text: &str, left: &SchemaRef, right: &SchemaRef) -> (String, String) {
    let (left, right) = (Columns::of(left), Columns::of(right));
    let both = |l: &str, r: &str| Some((left.find(l)?.to_string(), right.find(r)?.to_string()));
    if let Some(found) = both(text, text) {
        return found;
    }
    let mut parts = text.match_indices('=').map(|(i, _)| (&text[..i], &text[i + 1..]));
    if let Some(found) = parts.clone().find_map(|(l, r)| both(l, r)) {
        return found;
    }
    let (l, r) = parts.next().unwrap_or((text, text));
    let known = |name: &str, of: &Columns| of.find(name).unwrap_or(name.trim()).to_string();
    (known(l, &left), known(r, &right))
}

/// Renames the right columns so that no name stands on both sides. Of the first `merged` keys those of
/// one name are one column of the result.
pub(super) fn sides(
    left: LogicalPlan,
    right: LogicalPlan,
    on: &[(String, String)],
    merged: usize,
) -> Result<Sides> {
    let (ls, rs) = (left.schema()?, right.schema()?);
    let left_names = names_of(&ls);
    let mut taken: std::collections::HashSet<String> =
        left_names.iter().chain(&names_of(&rs)).cloned().collect();
    let mark = types::hidden('\u{0}', &taken);
    let (mut exprs, mut right_names, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    for (l, r) in on {
        plan::key_type(&Expr::column(l), &ls, &Expr::column(r), &rs)?;
    }
    for name in names_of(&rs) {
        let is_shared = on[..merged].iter().any(|(l, r)| l == r && *r == name);
        let inner = match () {
            _ if is_shared => format!("{mark}right {name}"),
            _ if ls.index_of(&name).is_ok() => {
                let mut new = format!("{name}_right");
                while !taken.insert(new.clone()) {
                    new.push_str("_right");
                }
                new
            }
            _ => name.clone(),
        };
        match is_shared {
            true => shared.push((name.clone(), inner.clone())),
            false => right_names.push(inner.clone()),
        }
        exprs.push((inner, Expr::Column(name)));
    }
    let key = |(l, r): &(String, String)| {
        let right = exprs.iter().find(|(_, e)| matches!(e, Expr::Column(c) if c == r));
        let (inner, _) = right.ok_or_else(|| Error::defect("a join lost a key"))?;
        Ok((Expr::column(l), Expr::column(inner)))
    };
    let keys = on.iter().map(key).collect::<Result<_>>()?;
    let right = LogicalPlan::Project {
        input: Box::new(right),
        exprs,
    };
    Ok(Sides {
        left,
        right,
        on: keys,
        left_names,
        right_names,
        shared,
    })
}

impl Sides {
    fn join(&self, kind: JoinKind) -> LogicalPlan {
        LogicalPlan::Join {
            left: Box::new(self.left.clone()),
            right: Box::new(self.right.clone()),
            kind,
            on: self.on.clone(),
            filter: None,
            asof: None,
        }
    }

    /// Left columns, then right ones.
    fn forward(&self, kind: JoinKind) -> Result<LogicalPlan> {
        let names = self.left_names.iter().chain(&self.right_names);
        let exprs = names.map(|n| (n.clone(), Expr::column(n))).collect();
        Ok(LogicalPlan::Project {
            input: Box::new(self.join(kind)),
            exprs,
        })
    }

    /// The right rows lead; shared keys are theirs.
    fn backward(&self) -> Result<LogicalPlan> {
        let joined = LogicalPlan::Join {
            left: Box::new(self.right.clone()),
            right: Box::new(self.left.clone()),
            kind: JoinKind::Left,
            on: self.on.iter().map(|(l, r)| (r.clone(), l.clone())).collect(),
            filter: None,
            asof: None,
        };
        let exprs = self.columns(&mut |name, shared| {
            Ok(match shared {
                Some(right) => Expr::column(right),
                None => Expr::column(name),
            })
        })?;
        Ok(LogicalPlan::Project {
            input: Box::new(joined),
            exprs,
        })
    }

    /// The left join, and below it the right rows that matched nothing; shared keys come from the
    /// side that has them.
    fn full(&self) -> Result<LogicalPlan> {
        let (ls, rs) = (self.left.schema()?, self.right.schema()?);
        let (left, right) = (self.left.clone(), self.right.clone());
        let joined = LogicalPlan::full_join(left, right, self.on.clone(), None)?;
        let exprs = self.columns(&mut |name, shared| {
            let Some(right) = shared else {
                return Ok(Expr::column(name));
            };
            let (l, r) = (Expr::column(name), Expr::column(right));
            let ty = plan::common_type(&l, &ls, &r, &rs)?;
            Ok(Expr::Function {
                func: Func::Coalesce,
                args: vec![l.as_type(&ls, &ty)?, r.as_type(&rs, &ty)?],
            })
        })?;
        Ok(LogicalPlan::Project {
            input: Box::new(joined),
            exprs,
        })
    }

    /// The result's columns, each as `make` gives it from its name and, for a shared key, the
    /// right's name of it.
    fn columns(
        &self,
        make: &mut dyn FnMut(&str, Option<&str>) -> Result<Expr>,
    ) -> Result<Vec<(String, Expr)>> {
        let shared = |n: &String| self.shared.iter().find(|(l, _)| l == n).map(|(_, r)| r.as_str());
        let left = self.left_names.iter().map(|n| (n, shared(n)));
        let right = self.right_names.iter().map(|n| (n, None));
        left.chain(right)
            .map(|(n, s)| Ok((n.clone(), make(n, s)?)))
            .collect()
    }
}
