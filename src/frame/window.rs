//! Window functions in the expressions of a frame. Rows keep their order.

use super::Frame;
use crate::error::{Error, Result};
use crate::expr::{Expr, OrderBy, WindowCall};
use crate::kernel::types;
use crate::plan::LogicalPlan;

impl Frame {
    /// The frame with a column for each window function in `exprs`, and the expressions over these.
    pub(super) fn windowed(self, exprs: Vec<(String, Expr)>) -> Result<(Frame, Vec<(String, Expr)>)> {
        if exprs.iter().all(|(_, e)| e.window().is_none()) {
            return Ok((self, exprs));
        }
        let schema = self.schema()?;
        let mark = types::hidden('\u{1}', &types::names_of(&schema));
        let mut calls: Vec<(String, WindowCall)> = Vec::new();
        let mut split = |e: Expr| {
            let Expr::Window(call) = e else { return Ok(e) };
            let name = match calls.iter().find(|(_, c)| *c == *call) {
                Some((n, _)) => n.clone(),
                None => {
                    let n = format!("{mark}window{}", calls.len());
                    calls.push((n.clone(), *call));
                    n
                }
            };
            Ok(Expr::Column(name))
        };
        let exprs = exprs.into_iter().map(|(n, e)| Ok((n, e.map(&mut split)?)));
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        // where a row stood
        let row = format!("{mark}row");
        let mut all = Expr::columns_of(&schema);
        all.push((row.clone(), Expr::Place));
        let mut frame = self
            .ordered()
            .wrap(|input| LogicalPlan::Project { input, exprs: all })?;
        frame.plan = frame
            .plan
            .windows(calls, Vec::new())?
            .sorted(vec![OrderBy::ascending(&row)]);
        Ok((frame, exprs))
    }
}

/// Refuses a window function where rows are still to be chosen or grouped.
pub(super) fn refuse(e: &Expr, place: &str) -> Result<()> {
    match e.window() {
        None => Ok(()),
        Some(w) => Err(
            Error::query(format!("the window function {} in {place}", w.func.name()))
                .help("give it a name first, as in --with 'r = rank() over (order by x)', and use the name"),
        ),
    }
}
