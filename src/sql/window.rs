//! Window functions: `OVER`, windows by name, QUALIFY.
//!
//! ```text
//!   SELECT rank() OVER w … WINDOW w AS (PARTITION BY a), v AS (w ORDER BY b)    names become specifications
//!   Filter(QUALIFY) ◄ Window ◄ Filter(HAVING) ◄ Aggregate ◄ …                   columns take the calls' places
//! ```

use sqlparser::ast::{self, Ident, NamedWindowExpr, WindowType};

use super::Planner;
use super::convert::{Job, Names};
use super::scope::Rel;
use crate::error::{Error, Result, did_you_mean};
use crate::expr::{self, Expr, WindowCall};
use crate::kernel::Scalar;

impl Planner<'_> {
    /// `f(…) OVER …`.
    pub(super) fn window(
        &mut self,
        f: &ast::Function,
        names: Names,
        jobs: &mut Vec<Job>,
        depth: usize,
    ) -> Result<Expr> {
        let spec = match &f.over {
            Some(WindowType::NamedWindow(name)) => self.named(name, self.windows.len())?,
            Some(WindowType::WindowSpec(spec)) => self.resolved(spec, self.windows.len())?,
            None => return Err(Error::defect("a window function without a window")),
        };
        expr::convert_window(f, &spec, &mut |e| self.part(e, names, jobs, depth))
    }

    /// A window by its name, among the first `known` of the WINDOW clause.
    fn named(&self, name: &Ident, known: usize) -> Result<ast::WindowSpec> {
        let list = &self.windows[..known];
        let same = |w: &&ast::NamedWindowDefinition| w.0.value.eq_ignore_ascii_case(&name.value);
        let Some(at) = list.iter().position(|w| same(&w)) else {
            let error = Error::query(format!("no window \"{}\"", name.value));
            let error = match did_you_mean(&name.value, list.iter().map(|w| w.0.value.as_str())) {
                Some(near) => error.help(format!("did you mean {near}?")),
                None => error.help(format!("WINDOW {} AS (…) behind the query names one", name.value)),
            };
            return Err(self.at(error, name));
        };
        match &list[at].1 {
            NamedWindowExpr::NamedWindow(other) => self.named(other, at),
            NamedWindowExpr::WindowSpec(spec) => self.resolved(spec, at),
        }
    }

    /// A window with what it takes from the one whose name it begins with.
    fn resolved(&self, spec: &ast::WindowSpec, known: usize) -> Result<ast::WindowSpec> {
        let (_, base) = expr::excluded(spec.window_name.as_ref());
        let Some(name) = base else {
            return Ok(spec.clone());
        };
        let base = self.named(&name, known)?;
        let twice = |what: &str| {
            let error = Error::query(format!("the window \"{}\" has {what} already", name.value));
            Err(self.at(error, &name))
        };
        if !spec.partition_by.is_empty() {
            let error = Error::query(format!(
                "PARTITION BY cannot be added to the window \"{}\"",
                name.value
            ));
            return Err(self.at(error, &name));
        }
        if !spec.order_by.is_empty() && !base.order_by.is_empty() {
            return twice("an ORDER BY");
        }
        if base.window_frame.is_some() {
            return twice("a frame");
        }
        let order_by = match spec.order_by.is_empty() {
            true => base.order_by,
            false => spec.order_by.clone(),
        };
        Ok(ast::WindowSpec {
            window_name: expr::without_base(spec.window_name.as_ref()),
            partition_by: base.partition_by,
            order_by,
            window_frame: spec.window_frame.clone(),
        })
    }

    /// Computes the window functions of some expressions; columns take their places.
    pub(super) fn windows_of(&mut self, mut rel: Rel, exprs: Vec<&mut Expr>) -> Result<Rel> {
        let mut calls: Vec<(String, WindowCall)> = Vec::new();
        let carried = self.carried();
        for e in exprs {
            let old = std::mem::replace(e, Expr::Literal(Scalar::Null));
            *e = old.map(&mut |e| {
                let Expr::Window(mut call) = e else { return Ok(e) };
                call.partition.splice(..0, carried.iter().map(|(_, e)| e.clone()));
                if let Some((name, _)) = calls.iter().find(|(_, c)| *c == *call) {
                    return Ok(Expr::column(name));
                }
                let name = self.fresh(call.func.name());
                calls.push((name.clone(), *call));
                Ok(Expr::Column(name))
            })?;
        }
        if !calls.is_empty() {
            rel.plan = rel.plan.windows(calls, std::mem::take(&mut rel.order))?;
        }
        Ok(rel)
    }
}

/// Refuses window functions in a clause that is computed before there are any.
pub(super) fn refuse(e: &Expr, clause: &str) -> Result<()> {
    match e.window() {
        None => Ok(()),
        Some(w) => Err(
            Error::query(format!("the window function {} in {clause}", w.func.name())).help(match clause {
                "WHERE" | "HAVING" => "conditions on window functions go to QUALIFY",
                _ => "compute it in a subquery in FROM",
            }),
        ),
    }
}

/// Refuses QUALIFY where no window function is in sight.
pub(super) fn check_qualify(there: bool, exprs: &[&mut Expr]) -> Result<()> {
    match there && exprs.iter().all(|e| e.window().is_none()) {
        false => Ok(()),
        true => Err(Error::query("QUALIFY without a window function").help("conditions on rows go to WHERE")),
    }
}
