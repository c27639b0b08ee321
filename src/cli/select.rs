//! The columns of `--select`: names, ranges `a:c`, `!x` to leave out, `/regex/`, `name = expr`.

use arrow::datatypes::Schema;

use crate::error::{Error, Result, no_column};
use crate::expr::{Columns, Expr, column_named};

/// Names and expressions for the items, in the order typed.
pub fn resolve(items: &[String], schema: &Schema) -> Result<Vec<(String, Expr)>> {
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let columns = Columns::of(schema);
    let mut out: Vec<(String, Expr)> = Vec::new();
    if items.first().is_some_and(|i| i.starts_with('!')) {
        add(&mut out, &names);
    }
    for item in items {
        if let Some(excluded) = item.strip_prefix('!') {
            let gone = matching(excluded, &names)?;
            out.retain(|(n, _)| !gone.contains(&n.as_str()));
        } else if names.contains(&item.as_str()) {
            add(&mut out, &[item.as_str()]);
        } else if item == "*" {
            add(&mut out, &names);
        } else if is_pattern(item, &names) {
            add(&mut out, &matching(item, &names)?);
        } else {
            let (name, e) = columns.key(item)?;
            // window functions are checked where they are computed
            if e.window().is_none() {
                e.data_type(schema)?;
            }
            out.push((name.unwrap_or_else(|| e.default_name()), e));
        }
    }
    if out.is_empty() {
        return Err(
            Error::query("--select leaves no column").help(format!("there are: {}", names.join(", ")))
        );
    }
    Ok(out)
}

fn add(out: &mut Vec<(String, Expr)>, names: &[&str]) {
    for n in names {
        if !out.iter().any(|(x, _)| x == n) {
            out.push((n.to_string(), Expr::Column(n.to_string())));
        }
    }
}

fn is_pattern(item: &str, names: &[&str]) -> bool {
    (item.len() > 2 && item.starts_with('/') && item.ends_with('/'))
        || item.split_once(':').is_some_and(|(a, b)| {
            !b.starts_with(':') && (a.is_empty() || names.contains(&a) || b.is_empty() || names.contains(&b))
        })
}

fn matching<'a>(item: &str, names: &[&'a str]) -> Result<Vec<&'a str>> {
    if let Some(regex) = item.strip_prefix('/').and_then(|r| r.strip_suffix('/')) {
        let re = regex::Regex::new(regex)
            .map_err(|e| Error::usage(format!("/{regex}/ is no regular expression: {e}")))?;
        return Ok(names.iter().copied().filter(|n| re.is_match(n)).collect());
    }
    if let Some(i) = column_named(item, names.iter().copied()) {
        return Ok(vec![names[i]]);
    }
    let index = |n: &str, default: usize| match n {
        "" => Ok(default),
        n => column_named(n, names.iter().copied()).ok_or_else(|| no_column(n, names.iter().copied())),
    };
    let (a, b) = item.split_once(':').unwrap_or((item, item));
    let (from, to) = (index(a, 0)?, index(b, names.len() - 1)?);
    Ok(if from <= to {
        names[from..=to].to_vec()
    } else {
        names[to..=from].iter().rev().copied().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field};

    fn names(items: &[&str]) -> Vec<String> {
        let schema = Schema::new(
            ["a", "b", "c", "dd"]
                .map(|n| Field::new(n, DataType::Int64, true))
                .to_vec(),
        );
        let items: Vec<String> = items.iter().map(|s| s.to_string()).collect();
        resolve(&items, &schema)
            .unwrap()
            .into_iter()
            .map(|(n, _)| n)
            .collect()
    }

    #[test]
    fn ranges_patterns_and_exclusions() {
        assert_eq!(names(&["b:dd"]), ["b", "c", "dd"]);
        assert_eq!(names(&["c:a"]), ["c", "b", "a"]);
        assert_eq!(names(&["!b"]), ["a", "c", "dd"]);
        assert_eq!(names(&["/^.$/", "!a:b"]), ["c"]);
        assert_eq!(names(&["x = a + 1", "dd"]), ["x", "dd"]);
    }
}
