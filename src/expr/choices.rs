//! What chooses one of several values is of their common type, and of their common width: CASE and what is
//! written as one, `greatest`, `least`.

use arrow::datatypes::DataType;

use super::bind::{Binder, Typed, call, coerce, common, is_text_literal};
use super::eval::Node;
use super::functions::Func;
use super::literals::{adapt, of_width, width_of_all};
use super::tree::{BinaryOp, Expr};
use crate::error::{Error, Result};
use crate::kernel::{Scalar, carry, types};

impl Binder<'_> {
    pub(super) fn case(
        &self,
        what: &str,
        operand: &Option<Box<Expr>>,
        branches: &[(Expr, Expr)],
        otherwise: &Option<Box<Expr>>,
    ) -> Result<Typed> {
        if let Some(x) = operand.as_deref().filter(|x| !matches!(x, Expr::Column(_))) {
            return self.once(x, self.bind(x)?, |binder, x| {
                binder.branches(what, Some(x), branches, otherwise)
            });
        }
        self.branches(what, operand.as_deref(), branches, otherwise)
    }

    fn branches(
        &self,
        what: &str,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: &Option<Box<Expr>>,
    ) -> Result<Typed> {
        let null = Expr::Literal(Scalar::Null);
        let otherwise = otherwise.as_deref().unwrap_or(&null);
        let mut bound = Vec::with_capacity(branches.len());
        for (when, then) in branches {
            let condition = match operand {
                Some(x) => self.compare(BinaryOp::Eq, x, when)?,
                None => self.bool(when, "WHEN")?,
            };
            bound.push((condition, (then, self.bind(then)?)));
        }
        let last = (otherwise, self.bind(otherwise)?);
        let results: Vec<&(&Expr, Typed)> = bound.iter().map(|b| &b.1).chain([&last]).collect();
        let ty = unite_all(what, &results)?;
        let width = width_of_all(results.iter().map(|(_, (node, _))| node));
        let width = width.filter(|_| ty == DataType::Float64);
        let role = format!("as the other values of {what} are");
        let finish = |(e, t): (&Expr, Typed)| -> Result<Node> {
            Ok(of_width(coerce(adapt(e, t, &ty, &role)?, &ty)?, width))
        };
        let branches = bound
            .into_iter()
            .map(|(c, r)| Ok((c, finish(r)?)))
            .collect::<Result<_>>()?;
        let case = Node::case(branches, finish(last)?, ty.clone());
        Ok(match width {
            Some(width) => (Node::Short(Box::new(case), width), ty),
            None => (case, ty),
        })
    }

    /// The first value that is not null: what must be computed, once, and only for the rows that come to it.
    pub(super) fn first_known(&self, what: &str, args: &[Expr]) -> Result<Typed> {
        let bound = args.iter().map(|e| Ok((e, self.bind(e)?)));
        let bound = bound.collect::<Result<Vec<(&Expr, Typed)>>>()?;
        let ty = unite_all(what, &bound.iter().collect::<Vec<_>>())?;
        let width = width_of_all(bound.iter().map(|(_, (node, _))| node));
        let width = width.filter(|_| ty == DataType::Float64);
        let role = format!("as the other values of {what} are");
        let values = bound.into_iter().map(|(e, t)| {
            let typed = adapt(e, t, &ty, &role)?;
            Ok(of_width(coerce(typed, &ty)?, width))
        });
        let mut values = values.collect::<Result<Vec<Node>>>()?;
        let known = |node: &Node| Node::IsNull {
            node: Box::new(node.clone()),
            negated: true,
        };
        let mut otherwise = values
            .pop()
            .ok_or_else(|| Error::query(format!("{what} of nothing")))?;
        while let Some(value) = values.pop() {
            if !value.is_at_hand() {
                let branch = (known(&Node::Held), Node::Held);
                let held = Node::case(vec![branch], otherwise, ty.clone());
                otherwise = Node::Staged(vec![value, held]);
                continue;
            }
            let mut branches = vec![(known(&value), value)];
            while let Some(value) = values.pop_if(|v| v.is_at_hand()) {
                branches.insert(0, (known(&value), value));
            }
            otherwise = Node::case(branches, otherwise, ty.clone());
        }
        Ok(match width {
            Some(width) => (Node::Short(Box::new(otherwise), width), ty),
            None => (otherwise, ty),
        })
    }
}

/// `greatest` or `least` of values of type `ty`.
pub(super) fn extreme(func: Func, bound: Vec<Typed>, ty: DataType) -> Result<Typed> {
    let width = width_of_all(bound.iter().map(|(node, _)| node));
    let width = width.filter(|_| ty == DataType::Float64);
    let args = bound.into_iter().map(|b| Ok(of_width(coerce(b, &ty)?, width)));
    let args = args.collect::<Result<Vec<Node>>>()?;
    let of = |args, ty: &DataType| Node::Call {
        func,
        args,
        ty: ty.clone(),
        regex: None,
    };
    let node = match (carry::exact_carrier(&ty), width) {
        (Some(carrier), _) => {
            let carried = args.into_iter().map(|a| call(Func::CarryExactly, a, &carrier));
            call(Func::Carried, of(carried.collect(), &carrier), &ty)
        }
        (None, Some(width)) => Node::Short(Box::new(of(args, &ty)), width),
        (None, None) => of(args, &ty),
    };
    Ok((node, ty))
}

/// The type of the values that one is chosen from.
pub(super) fn unite_all(what: &str, results: &[&(&Expr, Typed)]) -> Result<DataType> {
    let mut ty = DataType::Null;
    let mut literal = false; // a text literal takes the type of the others
    for (e, (_, t)) in results {
        if is_text_literal(e) {
            literal = true;
            continue;
        }
        ty = common(&ty, t).ok_or_else(|| {
            let (a, b) = (types::name(&ty), types::name(t));
            Error::query(format!("{what} has results of {a} and of {b}: {e}"))
                .help("cast(x AS type) makes them one type")
        })?;
    }
    match (literal, &ty) {
        (true, DataType::Null) => Ok(types::TEXT),
        _ => Ok(ty),
    }
}
