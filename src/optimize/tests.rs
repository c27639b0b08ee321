//! Rules on plans over tables of constants.

use std::sync::Arc;

use arrow::datatypes::DataType;

use super::{RowOrder, optimize};
use crate::expr::{self, AggCall, AggFunc, Expr, JoinKind};
use crate::kernel::{Scalar, types};
use crate::plan::{LogicalPlan, OrderBy, Table, explain};
use crate::source::MemoryDataset;

/// A table of whole numbers.
fn table(name: &str, columns: &[&str], rows: i64) -> LogicalPlan {
    let columns: Vec<_> = columns.iter().map(|c| (c.to_string(), DataType::Int64)).collect();
    let row = |i: i64| columns.iter().map(|_| Scalar::Int(i)).collect();
    let dataset = MemoryDataset::new(&columns, (0..rows).map(row).collect()).unwrap();
    LogicalPlan::scan(Table {
        name: name.to_string(),
        dataset: Arc::new(dataset),
    })
}

fn sorted(plan: LogicalPlan, keys: &[&str]) -> LogicalPlan {
    plan.sorted(keys.iter().map(|k| OrderBy::ascending(k)).collect())
}

fn grouped(plan: LogicalPlan, keys: &[&str], func: AggFunc, arg: &str) -> LogicalPlan {
    let call = AggCall {
        func,
        arg: Some(Expr::column(arg)),
        distinct: false,
        filter: None,
    };
    LogicalPlan::Aggregate {
        input: Box::new(plan),
        keys: keys.iter().map(|k| (k.to_string(), Expr::column(*k))).collect(),
        aggs: vec![("n".to_string(), call)],
    }
}

fn project(plan: LogicalPlan, columns: &[&str]) -> LogicalPlan {
    LogicalPlan::Project {
        input: Box::new(plan),
        exprs: columns
            .iter()
            .map(|c| (c.to_string(), Expr::column(*c)))
            .collect(),
    }
}

fn filter(plan: LogicalPlan, predicate: &str) -> LogicalPlan {
    LogicalPlan::Filter {
        input: Box::new(plan),
        predicate: expr::parse(predicate).unwrap(),
    }
}

fn join(left: LogicalPlan, right: LogicalPlan, kind: JoinKind, on: (&str, &str)) -> LogicalPlan {
    LogicalPlan::Join {
        left: Box::new(left),
        right: Box::new(right),
        kind,
        on: vec![(Expr::column(on.0), Expr::column(on.1))],
        filter: None,
        asof: None,
    }
}

fn limit(plan: LogicalPlan, take: u64) -> LogicalPlan {
    LogicalPlan::Limit {
        input: Box::new(plan),
        skip: 0,
        take: Some(take),
    }
}

/// The names of the operators that are left, and their keys where they sort.
fn shape(plan: LogicalPlan) -> Vec<String> {
    let before = plan.schema().unwrap();
    let plan = optimize(plan, RowOrder::Any).unwrap();
    assert_eq!(plan.schema().unwrap(), before);
    let line = |l: &str| {
        let l = l.trim();
        match l.starts_with("Sort") || l.starts_with("TopN") {
            true => l.replace(['\u{1}', '"'], ""),
            false => l
                .split(' ')
                .take(if l.starts_with("Scan") { 2 } else { 1 })
                .collect::<Vec<_>>()
                .join(" "),
        }
    };
    explain(&plan).lines().map(line).collect()
}

fn sorts(plan: LogicalPlan) -> Vec<String> {
    let all = shape(plan).into_iter();
    all.filter(|l| l.starts_with("Sort") || l.starts_with("TopN"))
        .collect()
}

/// Groups in the order of their keys, as SQL makes them.
fn groups() -> LogicalPlan {
    sorted(
        grouped(table("t", &["k", "x"], 9), &["k"], AggFunc::Sum, "x"),
        &["k"],
    )
}

#[test]
fn nobody_sees_the_order_below_groups() {
    let counted = grouped(groups(), &["n"], AggFunc::Sum, "k");
    let LogicalPlan::Aggregate { input, keys, aggs } = counted else {
        panic!()
    };
    let renamed = aggs.into_iter().map(|(_, a)| ("m".to_string(), a)).collect();
    let plan = LogicalPlan::Aggregate {
        input,
        keys,
        aggs: renamed,
    };
    assert_eq!(sorts(plan), [""; 0]);
    // but `first` does, of rows of one group
    let LogicalPlan::Aggregate { input, keys, .. } = grouped(groups(), &["n"], AggFunc::Sum, "k") else {
        panic!()
    };
    let first = |c: &str| {
        let call = AggCall {
            func: AggFunc::First,
            arg: Some(Expr::column(c)),
            distinct: false,
            filter: None,
        };
        LogicalPlan::Aggregate {
            input: input.clone(),
            keys: keys.clone(),
            aggs: vec![("f".to_string(), call)],
        }
    };
    assert_eq!(sorts(first("k")), ["Sort [k]"]);
    // of rows that agree in the key of the sort there is nothing to see
    let same = sorted(table("t", &["k", "x"], 9), &["k"]);
    assert_eq!(sorts(grouped(same, &["k"], AggFunc::First, "x")), [""; 0]);
}

#[test]
fn places_of_rows_show_all_of_an_order() {
    // distinct rows, each where it was first seen
    let sorted = sorted(table("t", &["k", "x"], 9), &["k"]);
    let first = AggCall {
        func: AggFunc::Min,
        arg: Some(Expr::Place),
        distinct: false,
        filter: None,
    };
    let plan = LogicalPlan::Aggregate {
        input: Box::new(sorted),
        keys: vec![("k".to_string(), Expr::column("k"))],
        aggs: vec![("place".to_string(), first)],
    };
    assert_eq!(sorts(plan), ["Sort [k]"]);
}

#[test]
fn a_union_hides_no_order_and_groups_above_it_do() {
    let both = || LogicalPlan::Union {
        inputs: vec![groups(), groups()],
    };
    assert_eq!(sorts(both()), ["Sort [k]", "Sort [k]"]);
    let LogicalPlan::Aggregate { input, keys, .. } = grouped(both(), &["k"], AggFunc::Sum, "n") else {
        panic!()
    };
    let distinct = LogicalPlan::Aggregate {
        input,
        keys,
        aggs: Vec::new(),
    };
    assert_eq!(sorts(distinct), [""; 0]);
}

#[test]
fn a_sort_over_a_sort_is_one() {
    assert_eq!(sorts(sorted(groups(), &["n"])), ["Sort [n, k]"]);
    assert_eq!(sorts(sorted(groups(), &["k", "n"])), ["Sort [k, n]"]);
    // the first few alike; a condition between them does not matter
    let few = limit(sorted(filter(groups(), "n > 3"), &["n"]), 5);
    assert_eq!(sorts(few), ["TopN 5 [n, k]"]);
    // a key that nobody reads above goes along, where rows that tie can be told apart
    let t = || sorted(table("t", &["a", "b", "c"], 9), &["c"]);
    let hidden = sorted(project(t(), &["a", "b"]), &["a"]);
    assert_eq!(sorts(hidden), ["Sort [a, order1]"]);
    let all = sorted(project(t(), &["a", "b"]), &["a", "b"]);
    assert_eq!(sorts(all), ["Sort [a, b]"]);
    // which rows a lower one keeps stays as it is
    let few = sorted(limit(sorted(table("t", &["a", "b"], 9), &["b"]), 3), &["a"]);
    assert_eq!(sorts(few), ["Sort [a]", "TopN 3 [b]"]);
}

#[test]
fn floats_that_tie_may_differ() {
    let columns = [
        ("f".to_string(), DataType::Float64),
        ("a".to_string(), DataType::Int64),
    ];
    let rows = vec![vec![Scalar::Float(0.0), Scalar::Int(1)]];
    let scan = LogicalPlan::scan(Table {
        name: "f".to_string(),
        dataset: Arc::new(MemoryDataset::new(&columns, rows).unwrap()),
    });
    let plan = sorted(project(sorted(scan, &["a"]), &["f"]), &["f"]);
    assert_eq!(sorts(plan), ["Sort [f, order1]"]);
}

#[test]
fn joins_show_the_order_of_their_left() {
    let t = || table("u", &["u", "y"], 99);
    // the groups are the larger side, or the joins would change places
    let count = |plan| grouped_as(plan, "m");
    assert_eq!(
        sorts(join(groups(), t(), JoinKind::Left, ("k", "u"))),
        ["Sort [k]"]
    );
    // a row of the left meets one group at most
    assert_eq!(sorts(join(t(), groups(), JoinKind::Left, ("u", "k"))), [""; 0]);
    assert_eq!(
        sorts(join(t(), groups(), JoinKind::Left, ("u", "n"))),
        ["Sort [k]"]
    );
    assert_eq!(sorts(join(t(), groups(), JoinKind::Semi, ("u", "n"))), [""; 0]);
    assert_eq!(
        sorts(count(join(groups(), t(), JoinKind::Inner, ("k", "u")))),
        [""; 0]
    );
    // an order by the key of the left leaves nothing to see of it
    let by = sorted(join(groups(), t(), JoinKind::Left, ("k", "u")), &["k"]);
    assert_eq!(sorts(by), ["Sort [k]"]);
}

fn grouped_as(plan: LogicalPlan, name: &str) -> LogicalPlan {
    let call = AggCall {
        func: AggFunc::Count,
        arg: None,
        distinct: false,
        filter: None,
    };
    LogicalPlan::Aggregate {
        input: Box::new(plan),
        keys: Vec::new(),
        aggs: vec![(name.to_string(), call)],
    }
}

#[test]
fn what_yields_no_row_is_not_run() {
    let t = || table("t", &["a", "b"], 9);
    let u = || table("u", &["u", "y"], 9);
    let none = || filter(t(), "false");
    assert_eq!(shape(none()), ["Scan nothing"]);
    assert_eq!(shape(filter(t(), "a > 3 and false")), ["Scan nothing"]);
    assert_eq!(shape(filter(t(), "null")), ["Scan nothing"]);
    assert_eq!(
        shape(limit(sorted(grouped_as(t(), "m"), &["m"]), 0)),
        ["Scan nothing"]
    );
    assert_eq!(
        shape(join(u(), none(), JoinKind::Inner, ("u", "a"))),
        ["Scan nothing"]
    );
    assert_eq!(
        shape(join(u(), none(), JoinKind::Semi, ("u", "a"))),
        ["Scan nothing"]
    );
    assert_eq!(shape(join(u(), none(), JoinKind::Anti, ("u", "a"))), ["Scan u"]);
    assert_eq!(
        shape(join(u(), none(), JoinKind::Left, ("u", "a"))),
        ["Join", "Scan u", "Scan nothing"]
    );
    assert_eq!(
        shape(join(none(), u(), JoinKind::Left, ("a", "u"))),
        ["Scan nothing"]
    );
    // of nothing there is a count, but no group
    assert_eq!(shape(grouped_as(none(), "m")), ["Aggregate", "Scan nothing"]);
    assert_eq!(
        shape(grouped(none(), &["a"], AggFunc::Sum, "b")),
        ["Scan nothing"]
    );
    let both = LogicalPlan::Union {
        inputs: vec![none(), u()],
    };
    assert_eq!(shape(both), ["Project", "Scan u"]);
    // an only input may be of narrower types than all are together
    let texts = MemoryDataset::new(&[("x".to_string(), types::TEXT)], Vec::new()).unwrap();
    let texts = LogicalPlan::scan(Table {
        name: "x".to_string(),
        dataset: Arc::new(texts),
    });
    let wide = LogicalPlan::Union {
        inputs: vec![texts, project(t(), &["a"])],
    };
    assert!(shape(wide).contains(&"Scan t".to_string()));
}
