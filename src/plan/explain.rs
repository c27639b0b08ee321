//! The plan as indented text, one line an operator, as `ddf explain` prints it.

use super::{LogicalPlan, OrderBy};
use crate::expr::Expr;

/// One line an operator, inputs indented below.
pub fn explain(plan: &LogicalPlan) -> String {
    let mut out = String::new();
    let mut todo = vec![(plan, 0)];
    while let Some((n, depth)) = todo.pop() {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&line(n));
        out.push('\n');
        todo.extend(n.inputs().into_iter().rev().map(|i| (i, depth + 1)));
    }
    out
}

fn line(plan: &LogicalPlan) -> String {
    match plan {
        LogicalPlan::Scan {
            table,
            columns,
            filter,
            limit,
        } => {
            let mut s = match table.dataset.live() {
                Some(_) => format!("Scan {} as it comes", table.name),
                None => format!("Scan {} partitions={}", table.name, table.dataset.partitions()),
            };
            let all = table.dataset.schema().fields().len();
            match columns {
                Some(c) => s += &format!(" columns=[{}] of {all}", c.join(", ")),
                None => s += &format!(" columns=all {all}"),
            }
            if let Some(f) = filter {
                s += &format!(" filter=[{f}]");
            }
            if let Some(n) = limit {
                s += &format!(" limit={n}");
            }
            s
        }
        LogicalPlan::Filter { predicate, .. } => format!("Filter {predicate}"),
        LogicalPlan::Project { exprs, .. } => {
            let items = exprs.iter().map(|(n, e)| named(n, e));
            format!("Project [{}]", items.collect::<Vec<_>>().join(", "))
        }
        LogicalPlan::Aggregate { keys, aggs, .. } => {
            let keys: Vec<_> = keys.iter().map(|(n, e)| named(n, e)).collect();
            let aggs: Vec<_> = aggs
                .iter()
                .map(|(n, a)| format!("{n} = {}", Expr::Aggregate(Box::new(a.clone()))))
                .collect();
            format!(
                "Aggregate keys=[{}] aggregates=[{}]",
                keys.join(", "),
                aggs.join(", ")
            )
        }
        LogicalPlan::Sort { keys, limit, .. } => {
            let keys: Vec<_> = keys.iter().map(order).collect();
            match limit {
                Some(n) => format!("TopN {n} [{}]", keys.join(", ")),
                None => format!("Sort [{}]", keys.join(", ")),
            }
        }
        LogicalPlan::Window {
            order: by,
            calls,
            foremost,
            ..
        } => {
            let list = |items: Vec<String>| items.join(", ");
            let keys = super::partition_of(calls).iter().map(Expr::to_string).collect();
            let calls = calls.iter().map(|(n, c)| format!("{n} = {c}")).collect();
            let by = by.iter().map(order).collect();
            let first = foremost.as_ref().map_or(String::new(), |f| format!(" {f}"));
            format!(
                "Window partition=[{}] order=[{}]{first} [{}]",
                list(keys),
                list(by),
                list(calls)
            )
        }
        LogicalPlan::Join {
            kind,
            on,
            filter,
            asof,
            ..
        } => {
            let mut parts: Vec<_> = on.iter().map(|(l, r)| format!("{l} = {r}")).collect();
            parts.extend(
                asof.iter()
                    .map(|a| format!("{} {} {}", a.left, a.op.symbol(), a.right)),
            );
            parts.extend(filter.iter().map(|f| f.to_string()));
            let asof = if asof.is_some() { "asof " } else { "" };
            format!("Join {asof}{} [{}]", kind.name(), parts.join(", "))
        }
        LogicalPlan::Union { inputs } => format!("Union of {}", inputs.len()),
        LogicalPlan::Expand { lists, times, .. } => {
            let items = |l: &Vec<(String, Expr)>| {
                let changed = l.iter().filter(|(n, e)| !matches!(e, Expr::Column(c) if c == n));
                let items: Vec<_> = changed.map(|(n, e)| named(n, e)).collect();
                format!("[{}]", items.join(", "))
            };
            // the sets of a large CUBE would fill pages
            let shown: Vec<_> = lists.iter().take(16).map(items).collect();
            let mut s = format!("Expand into {}: {}", lists.len(), shown.join(", "));
            if lists.len() > shown.len() {
                s += ", …";
            }
            if let Some(t) = times {
                s += &format!(" {t} times");
            }
            s
        }
        LogicalPlan::Limit { skip, take, .. } => match take {
            Some(n) if *skip == 0 => format!("Limit {n}"),
            Some(n) => format!("Limit {n} offset {skip}"),
            None => format!("Offset {skip}"),
        },
    }
}

fn named(name: &str, e: &Expr) -> String {
    match e {
        Expr::Column(c) if c == name => c.clone(),
        _ => format!("{name} = {e}"),
    }
}

fn order(k: &OrderBy) -> String {
    let direction = if k.descending { " desc" } else { "" };
    let nulls = if k.nulls_first { " nulls first" } else { "" };
    format!("{}{direction}{nulls}", k.expr)
}
