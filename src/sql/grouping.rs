//! Grouping sets: ROLLUP, CUBE and GROUPING SETS, alone, mixed and beside plain keys.
//!
//! ```text
//!   GROUP BY a, ROLLUP (b, c)        sets {a b c} {a b} {a}      the product of all elements
//!
//!   Aggregate [a b c set] ◄ Expand: each row once for each set, keys that are not in it as nulls
//!   Aggregate [a b c set] ◄ Expand ◄ Aggregate [a b c]           where aggregates can be taken in steps
//! ```
//!
//! The number of a set says which keys it lacks (a bit for each, the first key lowest), so that
//! `grouping(…)` is arithmetic on it. Sets that are written twice make their groups twice: above the
//! bits the number counts the repetitions.

use sqlparser::ast::{self, Expr as S};

use super::Planner;
use super::convert::Names;
use super::scope::Rel;
use super::select::ordinal;
use crate::error::{Error, Result};
use crate::expr::{AggCall, AggFunc, BinaryOp, Expr, in_steps};
use crate::kernel::{Scalar, types};
use crate::plan::LogicalPlan;

/// Keys of one GROUP BY with sets: bits in a number.
const MOST_KEYS: usize = 40;
/// Sets of one GROUP BY: each is a copy of the rows.
const MOST_SETS: usize = 4096;

/// The keys of a GROUP BY, each once, and the sets of them, as bits, where it names any.
#[derive(Default)]
pub(super) struct Keys {
    pub exprs: Vec<Expr>,
    pub sets: Option<Vec<u64>>,
}

/// Sets of keys over the columns of an Aggregate node.
pub(super) struct Sets {
    /// The bits of the keys in each set.
    masks: Vec<u64>,
    /// The column with the number of the set.
    pub id: String,
    /// The keys as they enter the groups.
    inputs: Vec<String>,
}

/// What GROUP BY names, converted: sets of keys.
type Element = Vec<Vec<Expr>>;

impl Planner<'_> {
    /// The keys of a GROUP BY list; `convert` makes an expression of one that is no ordinal.
    pub(super) fn key_sets(
        &mut self,
        list: &[S],
        items: &[Expr],
        convert: &mut dyn FnMut(&mut Self, &S) -> Result<Expr>,
    ) -> Result<Keys> {
        let mut keys = Keys::default();
        let (mut all, mut any) = (vec![0u64], false);
        for e in list {
            any |= matches!(e, S::Rollup(_) | S::Cube(_) | S::GroupingSets(_));
            let mut masks = Vec::new();
            for set in self.element(e, items, convert)? {
                let mut mask = 0;
                for key in set {
                    mask |= keys.bit(key)?;
                }
                masks.push(mask);
            }
            if all.len() * masks.len() > MOST_SETS {
                return Err(Error::query(format!(
                    "GROUP BY makes more than {MOST_SETS} grouping sets"
                )));
            }
            all = all
                .iter()
                .flat_map(|a| masks.iter().map(move |m| a | m))
                .collect();
        }
        if any && keys.exprs.len() > MOST_KEYS {
            return Err(Error::query(format!(
                "more than {MOST_KEYS} keys of grouping sets"
            )));
        }
        keys.sets = any.then_some(all);
        Ok(keys)
    }

    fn element(
        &mut self,
        e: &S,
        items: &[Expr],
        convert: &mut dyn FnMut(&mut Self, &S) -> Result<Expr>,
    ) -> Result<Element> {
        let mut each = |p: &mut Self, list: &[Vec<S>]| -> Result<Element> {
            let mut out = Vec::with_capacity(list.len());
            for part in list {
                let keys = part.iter().map(|e| p.key(e, items, convert));
                out.push(keys.collect::<Result<Vec<_>>>()?);
            }
            Ok(out)
        };
        match e {
            S::Rollup(list) => Ok(rollup(each(self, list)?)),
            S::Cube(list) => cube(each(self, list)?),
            S::GroupingSets(list) => {
                let mut out = Vec::new();
                for set in list {
                    match set.as_slice() {
                        // the parser takes ROLLUP (a, b) within GROUPING SETS for a call
                        [S::Function(f)] if nested(f).is_some() => {
                            let inner = nested(f).unwrap_or_default();
                            let inner = each(self, &inner)?;
                            match f.name.to_string().eq_ignore_ascii_case("rollup") {
                                true => out.extend(rollup(inner)),
                                false => out.extend(cube(inner)?),
                            }
                        }
                        set => out.extend(each(self, &[set.to_vec()])?),
                    }
                }
                Ok(out)
            }
            S::Tuple(list) => each(self, std::slice::from_ref(list)),
            e => Ok(vec![vec![self.key(e, items, convert)?]]),
        }
    }

    fn key(
        &mut self,
        e: &S,
        items: &[Expr],
        convert: &mut dyn FnMut(&mut Self, &S) -> Result<Expr>,
    ) -> Result<Expr> {
        let at = ordinal(e, items.len(), "GROUP BY").map_err(|x| self.near(x, e))?;
        let key = match at {
            Some(i) => items[i].clone(),
            None => convert(self, e)?,
        };
        match key.has_aggregate() {
            true => {
                let error = Error::query(format!("the aggregate {key} is a key of GROUP BY"));
                Err(self.near(error.help("group by columns, aggregate in SELECT"), e))
            }
            false => Ok(key),
        }
    }

    /// `grouping(a, b)`: a column that stands in for it until the keys are known.
    pub(super) fn grouping(&mut self, args: Vec<Expr>) -> Expr {
        if let Some((name, _)) = self.groupings.iter().find(|(_, a)| *a == args) {
            return Expr::column(name);
        }
        let name = self.fresh("grouping");
        self.groupings.push((name.clone(), args));
        Expr::Column(name)
    }

    /// An error where GROUPING stands in a query without groups.
    pub(super) fn no_grouping<'e>(&self, mut exprs: impl Iterator<Item = &'e Expr>) -> Result<()> {
        let names = |e: &Expr| {
            let columns = e.columns();
            self.groupings.iter().any(|(n, _)| columns.contains(n))
        };
        match exprs.any(names) {
            true => Err(Error::query("GROUPING in a query without GROUP BY")),
            false => Ok(()),
        }
    }

    /// What stands for `grouping(args)` over groups by `keys`.
    pub(super) fn grouping_of(
        &self,
        args: &[Expr],
        keys: &[(String, Expr)],
        sets: Option<&Sets>,
    ) -> Result<Expr> {
        let int = |i: i64| Expr::Literal(Scalar::Int(i));
        let mut sum = int(0);
        for (i, arg) in args.iter().rev().enumerate() {
            let Some(at) = keys.iter().position(|(_, k)| k == arg) else {
                return Err(Error::query(format!(
                    "GROUPING of {arg}, which is no key of GROUP BY"
                )));
            };
            let Some(sets) = sets else { continue };
            let bit = |op, l, r: i64| Expr::binary(op, l, int(r));
            let missing = bit(BinaryOp::IntDiv, Expr::column(&sets.id), 1 << at);
            let missing = bit(BinaryOp::Mod, missing, 2);
            let missing = bit(BinaryOp::Mul, missing, 1 << i);
            sum = match sum {
                Expr::Literal(_) => missing,
                sum => Expr::binary(BinaryOp::Add, sum, missing),
            };
        }
        Ok(sum)
    }

    /// Names for sets over some keys.
    pub(super) fn sets(&mut self, masks: Vec<u64>, keys: &[(String, Expr)]) -> Sets {
        Sets {
            masks,
            id: self.fresh("grouping set"),
            inputs: keys.iter().map(|(n, _)| self.fresh(n)).collect(),
        }
    }

    /// The arguments of `grouping`.
    pub(super) fn grouping_args(&mut self, f: &ast::Function, names: Names) -> Result<Vec<Expr>> {
        let bad = || Error::query(format!("{f}: GROUPING takes keys of GROUP BY")).help("grouping(a, b)");
        let ast::FunctionArguments::List(list) = &f.args else {
            return Err(bad());
        };
        let args = list.args.iter().map(|a| match a {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) => self.plain_expr(e, names, "GROUPING"),
            _ => Err(bad()),
        });
        let args = args.collect::<Result<Vec<_>>>()?;
        match args.len() {
            1..=32 => Ok(args),
            _ => Err(bad()),
        }
    }
}

impl Keys {
    /// The bit of a key, which is added if it is new.
    fn bit(&mut self, key: Expr) -> Result<u64> {
        let at = match self.exprs.iter().position(|k| *k == key) {
            Some(at) => at,
            None => {
                self.exprs.push(key);
                self.exprs.len() - 1
            }
        };
        // without sets nobody looks at the bits
        Ok(1u64.checked_shl(at as u32).unwrap_or(0))
    }
}

/// Each list without its last elements.
fn rollup(list: Element) -> Element {
    (0..=list.len()).rev().map(|n| list[..n].concat()).collect()
}

/// Each choice of elements.
fn cube(list: Element) -> Result<Element> {
    let n = list.len();
    if n > 12 {
        return Err(Error::query(format!("CUBE of {n} elements")).help("12 are the most"));
    }
    let chosen = |bits: usize| {
        let parts = list
            .iter()
            .enumerate()
            .filter(|(i, _)| bits >> (n - 1 - i) & 1 == 1);
        parts.flat_map(|(_, e)| e.clone()).collect()
    };
    Ok((0..1usize << n).rev().map(chosen).collect())
}

/// The elements of a ROLLUP or CUBE that looks like a call.
fn nested(f: &ast::Function) -> Option<Vec<Vec<S>>> {
    let name = f.name.to_string();
    let ast::FunctionArguments::List(list) = &f.args else {
        return None;
    };
    if !name.eq_ignore_ascii_case("rollup") && !name.eq_ignore_ascii_case("cube") {
        return None;
    }
    let args = list.args.iter().map(|a| match a {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(S::Tuple(t))) => Some(t.clone()),
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) => Some(vec![e.clone()]),
        _ => None,
    });
    args.collect()
}

impl Sets {
    /// The number of each set.
    fn numbers(&self, keys: usize) -> Vec<i64> {
        let all = (1u64 << keys) - 1;
        let number = |(i, mask): (usize, &u64)| {
            let before = self.masks[..i].iter().filter(|m| *m == mask).count() as u64;
            ((before << keys) | (all & !mask)) as i64
        };
        self.masks.iter().enumerate().map(number).collect()
    }

    /// The rows of `input`, once for each set; `keys` are taken from expressions over it, `kept`
    /// columns go along.
    fn expand(&self, input: LogicalPlan, keys: &[(String, Expr)], kept: Vec<String>) -> Result<LogicalPlan> {
        let schema = input.schema()?;
        let types = keys.iter().map(|(_, e)| e.data_type(&schema));
        let types = types.collect::<Result<Vec<_>>>()?;
        let numbers = self.numbers(keys.len());
        let mut lists = Vec::with_capacity(self.masks.len());
        for (mask, number) in self.masks.iter().zip(&numbers) {
            let mut list: Vec<(String, Expr)> = kept.iter().map(|n| (n.clone(), Expr::column(n))).collect();
            for (i, (_, key)) in keys.iter().enumerate() {
                let value = match mask >> i & 1 {
                    1 => key.clone(),
                    _ => Expr::null_of(&types::logical(&types[i]))?,
                };
                list.push((self.inputs[i].clone(), value));
            }
            list.push((self.id.clone(), Expr::Literal(Scalar::Int(*number))));
            lists.push(list);
        }
        let all = self.masks.iter().zip(numbers);
        let totals: Vec<i64> = all.filter(|(m, _)| **m == 0).map(|(_, n)| n).collect();
        Ok(LogicalPlan::Expand {
            input: Box::new(input),
            lists,
            times: None,
            totals: (!totals.is_empty()).then(|| (self.id.clone(), totals)),
        })
    }

    /// The keys over expanded rows.
    fn keys(&self, keys: &[(String, Expr)]) -> Vec<(String, Expr)> {
        let own = keys.iter().zip(&self.inputs);
        let own = own.map(|((n, _), input)| (n.clone(), Expr::column(input)));
        own.chain([(self.id.clone(), Expr::column(&self.id))]).collect()
    }

    /// The rows that are grouped, and the keys: for aggregates of any kind.
    pub fn rows(&self, rel: &Rel, keys: &[(String, Expr)]) -> Result<(LogicalPlan, Vec<(String, Expr)>)> {
        let schema = rel.plan.schema()?;
        let kept = schema.fields().iter().map(|f| f.name().clone()).collect();
        Ok((self.expand(rel.plan.clone(), keys, kept)?, self.keys(keys)))
    }

    /// The groups of all sets, made of the finest ones: those are far fewer than rows. None where an
    /// aggregate is no aggregate of its parts, or no set has all keys.
    pub fn finest_first(
        &self,
        rel: &Rel,
        keys: &[(String, Expr)],
        aggs: &[(String, AggCall)],
    ) -> Result<Option<LogicalPlan>> {
        let schema = rel.plan.schema()?;
        let finest = (1u64 << keys.len()) - 1;
        if !self.masks.contains(&finest) || self.masks.len() < 2 || keys.is_empty() {
            return Ok(None);
        }
        let (mut parts, mut wholes) = (Vec::new(), Vec::new());
        let mut finer = keys.to_vec();
        for (name, c) in aggs {
            let mut call = AggCall {
                func: c.func,
                arg: Some(Expr::column(name)),
                distinct: c.distinct,
                filter: None,
            };
            if c.looks_once() {
                // its argument stays whole: a key of the finest groups
                let value = c.once()?;
                match finer.get(keys.len()) {
                    Some((same, v)) if *v == value => call.arg = Some(Expr::column(same)),
                    // combinations of several would be too many
                    Some(_) => return Ok(None),
                    None => finer.push((name.clone(), value)),
                }
            } else {
                let ty = c.arg.as_ref().map(|a| a.data_type(&schema)).transpose()?;
                let Some((part, whole)) = in_steps(c.func, ty.as_ref()) else {
                    return Ok(None);
                };
                call.func = whole;
                call.distinct = false;
                let part = AggCall {
                    func: part,
                    ..c.clone()
                };
                parts.push((name.clone(), part));
            }
            wholes.push((name.clone(), call));
        }
        let kept = finer[keys.len()..].iter().map(|(n, _)| n.clone());
        let kept = kept.chain(parts.iter().map(|(n, _)| n.clone())).collect();
        let groups = LogicalPlan::Aggregate {
            input: Box::new(rel.plan.clone()),
            keys: finer,
            aggs: parts,
        };
        let named: Vec<_> = keys.iter().map(|(n, _)| (n.clone(), Expr::column(n))).collect();
        let expanded = self.expand(groups, &named, kept)?;
        let grouped = LogicalPlan::grouped(expanded, self.keys(&named), wholes)?;
        let counts = aggs.iter().filter(|(_, c)| c.func == AggFunc::Count);
        let counts = counts.map(|(n, _)| n.clone()).collect();
        crate::plan::zero_counts(grouped, counts).map(Some)
    }
}
