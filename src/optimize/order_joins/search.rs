//! The cheapest tree of joins over some inputs.
//!
//! Few inputs: each connected set's cheapest tree is found from those of its parts (Moerkotte and Neumann,
//! "Analysis of two existing and one new dynamic programming algorithm …", 2006). Many: the two trees whose join
//! leaves the fewest rows become one, again and again; so do chains from each input; the cheapest of these stays.

use super::rows::{JoinRows, Set};

/// A row that is built costs so many times one that goes by.
const BUILD: f64 = 3.0;
/// Of so many inputs all trees are looked at.
const MOST_FOR_ALL: usize = 11;

/// Joins of inputs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Input(usize),
    /// The right side is built.
    Join(Box<Tree>, Box<Tree>),
}

impl Tree {
    /// The inputs below it.
    pub(super) fn inputs(&self) -> Set {
        match self {
            Tree::Input(i) => 1 << i,
            Tree::Join(l, r) => l.inputs() | r.inputs(),
        }
    }
}

/// A tree and what it costs.
#[derive(Debug, Clone)]
struct Costed {
    set: Set,
    cost: f64,
    tree: Tree,
}

/// Of all trees the cheapest.
pub(super) fn cheapest(rows: &JoinRows) -> Tree {
    let mut parts: Vec<Costed> = Vec::new();
    let mut left: Set = match rows.inputs.len() {
        64 => Set::MAX,
        n => (1 << n) - 1,
    };
    while left != 0 {
        let set = connected(rows, left & left.wrapping_neg());
        left &= !set;
        parts.push(match set.count_ones() as usize <= MOST_FOR_ALL {
            true => of_all(rows, set),
            false => greedy(rows, set),
        });
    }
    // what nothing connects is crossed, the largest first
    parts.sort_by(|a, b| rows.of(b.set).total_cmp(&rows.of(a.set)));
    let all = parts.into_iter().reduce(|a, b| join(rows, &a, &b));
    all.map_or(Tree::Input(0), |all| all.tree)
}

/// All inputs that equalities connect with some.
fn connected(rows: &JoinRows, mut set: Set) -> Set {
    loop {
        match rows.neighbours(set) {
            0 => return set,
            more => set |= more,
        }
    }
}

fn input(rows: &JoinRows, i: usize) -> Costed {
    Costed {
        set: 1 << i,
        cost: rows.of(1 << i),
        tree: Tree::Input(i),
    }
}

fn join_cost(rows: &JoinRows, left: &Costed, right: &Costed) -> f64 {
    let both = left.set | right.set;
    left.cost + right.cost + BUILD * rows.of(right.set) + rows.of(both)
}

fn join(rows: &JoinRows, left: &Costed, right: &Costed) -> Costed {
    Costed {
        set: left.set | right.set,
        cost: join_cost(rows, left, right),
        tree: Tree::Join(Box::new(left.tree.clone()), Box::new(right.tree.clone())),
    }
}

fn members(set: Set) -> impl Iterator<Item = usize> {
    (0..Set::BITS as usize).filter(move |i| set >> i & 1 == 1)
}

/// The cheapest of all trees over a connected set: `best[s]` is that of a part of it.
fn of_all(rows: &JoinRows, set: Set) -> Costed {
    let inputs: Vec<usize> = members(set).collect();
    let wide = |small: usize| -> Set {
        let mut out = 0;
        for (bit, i) in inputs.iter().enumerate() {
            out |= (small as Set >> bit & 1) << i;
        }
        out
    };
    // what a part costs, and its left side; none if nothing connects it
    let mut best: Vec<Option<(f64, usize)>> = vec![None; 1 << inputs.len()];
    let sets: Vec<Set> = (0..best.len()).map(wide).collect();
    for small in 1..best.len() {
        if small.is_power_of_two() {
            best[small] = Some((rows.of(sets[small]), 0));
            continue;
        }
        let mut least: Option<(f64, usize)> = None;
        let mut left = (small - 1) & small;
        while left > 0 {
            let right = small & !left;
            if let (Some((l, _)), Some((r, _))) = (best[left], best[right])
                && rows.neighbours(sets[left]) & sets[right] != 0
            {
                let cost = l + r + BUILD * rows.of(sets[right]) + rows.of(sets[small]);
                if least.is_none_or(|(known, _)| cost < known) {
                    least = Some((cost, left));
                }
            }
            left = (left - 1) & small;
        }
        best[small] = least;
    }
    fn tree(small: usize, best: &[Option<(f64, usize)>], inputs: &[usize]) -> Tree {
        match best[small] {
            Some((_, left)) if left != 0 => Tree::Join(
                Box::new(tree(left, best, inputs)),
                Box::new(tree(small & !left, best, inputs)),
            ),
            _ => Tree::Input(inputs[small.trailing_zeros() as usize]),
        }
    }
    let whole = best.len() - 1;
    Costed {
        set,
        cost: best[whole].map_or(f64::INFINITY, |(cost, _)| cost),
        tree: tree(whole, &best, &inputs),
    }
}

/// A good tree over a connected set of many inputs.
fn greedy(rows: &JoinRows, set: Set) -> Costed {
    let chains = members(set).map(|first| chain(rows, set, first));
    let mut best = closest(rows, set);
    for chain in chains {
        if chain.cost < best.cost {
            best = chain;
        }
    }
    best
}

/// The two whose join leaves the fewest rows become one, until all are.
fn closest(rows: &JoinRows, set: Set) -> Costed {
    let mut trees: Vec<Costed> = members(set).map(|i| input(rows, i)).collect();
    while trees.len() > 1 {
        let mut best: Option<(f64, usize, usize)> = None;
        for (i, a) in trees.iter().enumerate() {
            let near = rows.neighbours(a.set);
            for (k, b) in trees.iter().enumerate().skip(i + 1) {
                let out = rows.of(a.set | b.set);
                if near & b.set != 0 && best.is_none_or(|(least, ..)| out < least) {
                    best = Some((out, i, k));
                }
            }
        }
        let Some((_, i, k)) = best else { break };
        let (b, a) = (trees.swap_remove(k), trees.swap_remove(i));
        let (left, right) = match rows.of(a.set) >= rows.of(b.set) {
            true => (a, b),
            false => (b, a),
        };
        trees.push(join(rows, &left, &right));
    }
    trees.swap_remove(0)
}

/// A chain that begins with an input and goes on with what leaves the fewest rows.
fn chain(rows: &JoinRows, set: Set, first: usize) -> Costed {
    let mut all = input(rows, first);
    while all.set != set {
        let near = rows.neighbours(all.set);
        let next = members(near).map(|i| input(rows, i)).min_by(|a, b| {
            let of = |x: &Costed| (rows.of(all.set | x.set), rows.of(x.set));
            let ((a, x), (b, y)) = (of(a), of(b));
            a.total_cmp(&b).then(x.total_cmp(&y))
        });
        let Some(next) = next else { break };
        all = join(rows, &all, &next);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Equality, Input, Side};
    use super::*;

    /// Inputs of so many rows, and equalities: two inputs, the column of each, and how many values it has there.
    fn rows(inputs: &[f64], equal: &[[(usize, usize, f64); 2]]) -> JoinRows {
        let inputs = inputs.iter().map(|&rows| Input { rows, all: rows });
        let side = |(input, column, distinct)| Side {
            input,
            value: input * 100 + column,
            distinct,
        };
        let equal = equal.iter().map(|sides| Equality {
            sides: sides.map(side),
        });
        JoinRows::new(inputs.collect(), equal.collect(), Vec::new())
    }

    fn shown(tree: &Tree) -> String {
        match tree {
            Tree::Input(i) => i.to_string(),
            Tree::Join(l, r) => format!("({} {})", shown(l), shown(r)),
        }
    }

    #[test]
    fn two_columns_together_have_no_more_values_than_rows() {
        // an order's number and article
        let r = rows(
            &[10_000.0, 1000.0],
            &[[(0, 0, 3000.0), (1, 0, 300.0)], [(0, 1, 500.0), (1, 1, 400.0)]],
        );
        assert_eq!(r.of(0b11), 1000.0);
        // marital status and education: few values, which do not tell rows apart
        let r = rows(
            &[10_000.0, 10_000.0],
            &[[(0, 0, 5.0), (1, 0, 5.0)], [(0, 1, 7.0), (1, 1, 7.0)]],
        );
        assert_eq!(r.of(0b11).round(), (1e8f64 / 35.0).round());
    }

    #[test]
    fn an_equality_that_follows_from_others_counts_once() {
        let triangle = [
            [(0, 0, 100.0), (1, 0, 100.0)],
            [(1, 0, 100.0), (2, 0, 100.0)],
            [(0, 0, 100.0), (2, 0, 100.0)],
        ];
        let r = rows(&[100.0, 100.0, 100.0], &triangle);
        assert_eq!(r.of(0b111), 100.0);
        assert_eq!(r.of(0b101), 100.0);
    }

    #[test]
    fn the_fact_leads_and_what_leaves_few_rows_comes_first() {
        // 0: facts, 1: a dimension that keeps a thousandth, 2: one that keeps all
        let equal = [[(0, 0, 1000.0), (1, 0, 1000.0)], [(0, 1, 500.0), (2, 0, 500.0)]];
        let r = rows(&[1e6, 1.0, 500.0], &equal);
        assert_eq!(shown(&cheapest(&r)), "((0 1) 2)");
    }

    #[test]
    fn a_dimension_is_made_smaller_before_it_is_built() {
        // facts, customers, addresses of one town
        let equal = [[(0, 0, 1e5), (1, 0, 1e5)], [(1, 1, 5e4), (2, 0, 5e4)]];
        let mut r = rows(&[1e7, 1e5, 50.0], &equal);
        r.inputs[2].all = 5e4;
        assert_eq!(shown(&cheapest(&r)), "(0 (1 2))");
    }

    #[test]
    fn what_nothing_connects_is_crossed_last() {
        let r = rows(&[1.0, 1e6, 1000.0], &[[(1, 0, 1000.0), (2, 0, 1000.0)]]);
        assert_eq!(shown(&cheapest(&r)), "((1 2) 0)");
    }

    #[test]
    fn many_inputs_end_in_a_tree_of_all() {
        // a star of facts and 17 dimensions, each smaller than the one before
        let mut inputs = vec![1e6];
        let mut equal = Vec::new();
        for i in 1..18 {
            inputs.push(2000.0 - 10.0 * i as f64);
            equal.push([(0, i, 2000.0), (i, 0, 2000.0)]);
        }
        let r = rows(&inputs, &equal);
        let tree = cheapest(&r);
        assert_eq!(tree.inputs(), (1 << 18) - 1);
        assert!(
            shown(&tree).starts_with("(((((((((((((((((0 17) 16) 15)"),
            "{}",
            shown(&tree)
        );
        // the two ways agree where both can be asked
        let few = rows(&inputs[..9], &equal[..8]);
        assert_eq!(greedy(&few, (1 << 9) - 1).cost, of_all(&few, (1 << 9) - 1).cost);
    }
}
