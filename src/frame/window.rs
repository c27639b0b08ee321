//! Window functions in the expressions of a frame. Rows keep their order.

use super::Frame;
use crate::error::{Error, Result};
use crate::expr::{Expr, OrderBy, WindowCall};
use crate::plan::LogicalPlan;

/// The column that remembers where a row stood.
const ROW: &str = "\u{1}row";

impl Frame {
    /// The frame with a column for each window function in `exprs`, and the expressions over these.
    pub(super) fn windowed(self, exprs: Vec<(String, Expr)>) -> Result<(Frame, Vec<(String, Expr)>)> {
        if exprs.iter().all(|(_, e)| e.window().is_none()) {
            return Ok((self, exprs));
        }
        let mut calls: Vec<(String, WindowCall)> = Vec::new();
        let mut split = |e: Expr| {
            let Expr::Window(call) = e else { return Ok(e) };
            let name = match calls.iter().find(|(_, c)| *c == *call) {
                Some((n, _)) => n.clone(),
                None => {
                    let n = format!("\u{1}window{}", calls.len());
                    calls.push((n.clone(), *call));
                    n
                }
            };
            Ok(Expr::Column(name))
        };
        let exprs = exprs.into_iter().map(|(n, e)| Ok((n, e.map(&mut split)?)));
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        let mut all = Expr::columns_of(&*self.schema()?);
        all.push((ROW.to_string(), Expr::Place));
        let mut frame = self
            .ordered()
            .wrap(|input| LogicalPlan::Project { input, exprs: all })?;
        frame.plan = frame
            .plan
            .windows(calls, Vec::new())?
            .sorted(vec![OrderBy::ascending(ROW)]);
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
