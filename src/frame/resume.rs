//! Rows that stream out cannot be taken back: what must hold before the first one goes, and how a run goes on
//! behind those that went.
//!
//! ```text
//!   columns as they are written    any value fits                               nothing to look at before
//!   id < 3 in the filter           a float for an int changes no row before it  the next run leaves out what is written
//!   price * 2                      would be written otherwise                   all values of price are looked at first
//! ```

use super::Frame;
use crate::error::{Error, Result};
use crate::expr::{CompareOp, Expr};
use crate::graph::{Graph, Stage, StageSink, StageSource};
use crate::kernel::{Scalar, types};
use crate::source::Dataset;

/// The part of a graph that reads types that may turn out wider while rows stream out: the scan of its last stage,
/// of the columns whose types the rows hang on, or all of it where no more than some rows are wanted. What other
/// stages read is read before the first row goes out.
pub(super) fn rehearsal(graph: Graph) -> Option<Graph> {
    let last = graph.stages.last()?;
    let StageSource::Scan {
        table,
        columns,
        filter,
        limit,
        ..
    } = &last.source
    else {
        return None;
    };
    let dataset = graph.tables[*table].dataset.as_ref();
    let certain = filter.as_ref().is_none_or(|f| hangs_on_no_type(f, dataset));
    if certain && !dataset.may_widen(columns) {
        return None;
    }
    if last.rows_needed.is_some() || graph.take.is_some() {
        return Some(graph);
    }
    let columns: Vec<usize> = columns
        .iter()
        .copied()
        .filter(|c| dataset.may_widen(&[*c]))
        .collect();
    let fields = columns.iter().map(|&c| dataset.schema().field(c).clone());
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
    let scan = Stage {
        id: 0,
        source: StageSource::Scan {
            table: *table,
            columns,
            filter: filter.clone(),
            limit: *limit,
            // their stages are not there
            keys: Vec::new(),
        },
        transforms: Vec::new(),
        sink: StageSink::Batches,
        rows_needed: None,
        source_schema: schema.clone(),
        schema,
    };
    Some(Graph {
        stages: vec![scan],
        skip: 0,
        results: Vec::new(),
        ..graph
    })
}

/// Whether a filter decides alike of the rows before a value that does not fit: comparisons of numbers do, whether
/// the column is then of floats, or the query an error.
fn hangs_on_no_type(filter: &Expr, dataset: &dyn Dataset) -> bool {
    let schema = dataset.schema();
    filter.clone().conjuncts().iter().all(|part| {
        let columns = part.columns();
        let mut places = columns.iter().filter_map(|c| schema.index_of(c).ok());
        if !places.clone().any(|c| dataset.may_widen(&[c])) {
            return true;
        }
        let number = places.all(|c| types::is_numeric(schema.field(c).data_type()));
        let compared = part.as_comparison().is_some_and(|(_, op, value)| {
            let order = !matches!(op, CompareOp::IsNull | CompareOp::IsNotNull);
            order && matches!(value, Scalar::Int(_) | Scalar::Float(_))
        });
        number && compared
    })
}

/// The graph without the first rows of its result, which are written.
pub(super) fn behind(graph: &Graph, written: u64) -> Graph {
    Graph {
        skip: graph.skip + written,
        take: graph.take.map(|n| n.saturating_sub(written)),
        ..graph.clone()
    }
}

/// That the rows which are written are the first ones of the query as it is planned now: columns that were of numbers
/// still are.
pub(super) fn check(first: &Frame, now: &Frame, written: u64) -> Result<()> {
    let (first, now) = (first.plan(), now.plan());
    for (was, is) in first.tables().into_iter().zip(now.tables()) {
        for (was, is) in was
            .dataset
            .schema()
            .fields()
            .iter()
            .zip(is.dataset.schema().fields())
        {
            if types::is_numeric(was.data_type()) && !types::is_numeric(is.data_type()) {
                let (name, ty) = (was.name(), types::name(is.data_type()));
                let what =
                    format!("column '{name}' is {ty}: {written} rows were written before that was seen");
                return Err(Error::input(what).help(format!("use --types {name}={ty}, or -o FILE")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph;

    /// The columns that are looked at before the first row of a query of `a`, `b` and the text `t` goes out.
    fn looked_at(sql: &str) -> Option<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f.csv");
        std::fs::write(&file, "a,b,t\n1,2,x\n3,4,y\n").unwrap();
        let tables = crate::Sql::new(crate::Settings::default()).with_table("f", file.to_str().unwrap());
        let frame = super::super::untouched::as_written(&tables.query(sql).unwrap()).unwrap();
        let graph = rehearsal(graph::lower(&frame.optimized().unwrap()).unwrap())?;
        let last = graph.stages.last()?;
        Some(
            last.source_schema
                .fields()
                .iter()
                .map(|f| f.name().clone())
                .collect(),
        )
    }

    #[test]
    fn only_what_rows_hang_on_is_looked_at_before() {
        assert_eq!(looked_at("select * from f"), None);
        assert_eq!(looked_at("select b, t from f where a < 3 and t = 'x'"), None);
        assert_eq!(looked_at("select a, t from f where a <> 7.5 limit 9"), None);
        assert_eq!(
            looked_at("select a + 1 as n, b, t from f"),
            Some(vec!["a".into()])
        );
        // a null of numbers may be a text
        assert_eq!(looked_at("select b from f where a is null"), Some(Vec::new()));
        assert_eq!(looked_at("select b from f where a < b"), Some(Vec::new()));
        // what other stages read is read before
        assert_eq!(looked_at("select a, b from f order by b"), None);
    }
}
