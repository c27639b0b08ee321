//! In which order tasks run, so that few results wait: depth first, consumers before sources.
//!
//! ```text
//!   load ─► clean ─┐                 0 load  1 clean  2 load  3 clean  4 add  5 load …
//!   load ─► clean ─┴► add ─┐         never more than a result for each level of the tree is held,
//!   load ─► clean ─┐       ├► add    where level by level would hold all that was loaded
//!   load ─► clean ─┴► add ─┘
//! ```
//!
//! Two orders are tried, and the one that holds fewer results at its worst moment is taken. The first
//! is a depth-first walk from what is wanted that goes into the most demanding input first (Sethi and
//! Ullman 1970; optimal for trees). The second takes sources in that order, but runs whatever has
//! become ready at once, the last first, as Dask's schedulers do: it wins where several results are
//! made of the same sources.

use super::TaskGraph;

/// No rank: a value, or a task that nobody needs.
const NONE: u32 = u32::MAX;

/// The tasks of a run in their order; everything but `node_of` goes by rank.
pub(super) struct Plan {
    /// The task of each rank, by number in the graph.
    pub node_of: Vec<u32>,
    /// Inputs that are tasks themselves.
    pub waits: Vec<u32>,
    /// Where the readers of each rank end in `consumers`.
    ends: Vec<u32>,
    consumers: Vec<u32>,
    /// The most results that wait for a reader at once where one thread runs all in order, besides
    /// those that were asked for.
    pub peak: usize,
}

impl Plan {
    /// The ranks of the tasks that read the result of `rank`.
    pub fn consumers(&self, rank: usize) -> &[u32] {
        let start = rank.checked_sub(1).map_or(0, |r| self.ends[r] as usize);
        &self.consumers[start..self.ends[rank] as usize]
    }

    /// Plans the tasks that `wanted` need; `requests` counts for each node how often it is wanted.
    pub fn of(graph: &TaskGraph, wanted: &[u32]) -> Plan {
        let mut needed = vec![false; graph.len()];
        let mut wanted_node = vec![false; graph.len()];
        for &w in wanted {
            needed[w as usize] = true;
            wanted_node[w as usize] = true;
        }
        let (mut tasks, mut edges) = (0, 0);
        // inputs have lower numbers than what reads them
        for id in (0..needed.len()).rev().filter(|&id| graph.is_task[id]) {
            if needed[id] {
                tasks += 1;
                for &d in graph.inputs(id) {
                    needed[d as usize] = true;
                    edges += usize::from(graph.is_task[d as usize]);
                }
            }
        }
        if edges == 0 {
            let all = (0..needed.len()).filter(|&id| needed[id] && graph.is_task[id]);
            return Plan {
                node_of: all.map(|id| id as u32).collect(),
                waits: vec![0; tasks],
                ends: vec![0; tasks],
                consumers: Vec::new(),
                peak: 0,
            };
        }
        let depth_first = depth_first(graph, wanted, tasks);
        let plan = Plan::in_order(graph, depth_first, &wanted_node, edges);
        let widest = plan.waits.iter().max().map_or(0, |w| *w as usize);
        if plan.peak <= widest + 1 {
            return plan; // no order needs less
        }
        let eager = Plan::in_order(graph, plan.eager(), &wanted_node, edges);
        if eager.peak < plan.peak { eager } else { plan }
    }

    fn in_order(graph: &TaskGraph, node_of: Vec<u32>, wanted: &[bool], edges: usize) -> Plan {
        let mut rank_of = vec![NONE; graph.len()];
        for (rank, &node) in node_of.iter().enumerate() {
            rank_of[node as usize] = rank as u32;
        }
        let mut waits = vec![0; node_of.len()];
        let mut ends = vec![0u32; node_of.len() + 1];
        let inputs = |node: u32| {
            let ranks = graph.inputs(node as usize).iter().map(|&d| rank_of[d as usize]);
            ranks.filter(|&r| r != NONE)
        };
        for (rank, &node) in node_of.iter().enumerate() {
            for r in inputs(node) {
                waits[rank] += 1;
                ends[r as usize + 1] += 1;
            }
        }
        for i in 1..ends.len() {
            ends[i] += ends[i - 1];
        }
        // `ends` holds starts now, and is moved to the ends by filling
        let mut consumers = vec![0; edges];
        for (rank, &node) in node_of.iter().enumerate() {
            for r in inputs(node) {
                let at = &mut ends[r as usize];
                consumers[*at as usize] = rank as u32;
                *at += 1;
            }
        }
        ends.pop();
        let mut plan = Plan {
            node_of,
            waits,
            ends,
            consumers,
            peak: 0,
        };
        plan.peak = plan.most_held(|rank, use_of| inputs(plan.node_of[rank]).for_each(use_of), wanted);
        plan
    }

    fn most_held(&self, inputs: impl Fn(usize, &mut dyn FnMut(u32)), wanted: &[bool]) -> usize {
        let counts = |rank: usize| !wanted[self.node_of[rank] as usize];
        let mut uses: Vec<u32> = (0..self.node_of.len())
            .map(|r| self.consumers(r).len() as u32)
            .collect();
        let (mut held, mut most) = (0, 0);
        for rank in 0..self.node_of.len() {
            held += usize::from(counts(rank));
            most = most.max(held);
            inputs(rank, &mut |r| {
                uses[r as usize] -= 1;
                if uses[r as usize] == 0 && counts(r as usize) {
                    held -= 1;
                }
            });
        }
        most
    }

    /// The order in which each task runs as soon as it can, the last that became ready first.
    fn eager(&self) -> Vec<u32> {
        let mut waits = self.waits.clone();
        let mut out = Vec::with_capacity(self.node_of.len());
        let mut done = vec![false; self.node_of.len()];
        let mut ready: Vec<u32> = Vec::new();
        for rank in 0..self.node_of.len() as u32 {
            if done[rank as usize] {
                continue;
            }
            ready.push(rank);
            while let Some(r) = ready.pop() {
                if std::mem::replace(&mut done[r as usize], true) {
                    continue;
                }
                out.push(self.node_of[r as usize]);
                // consumers stand in ascending order; the first is to be on top
                for &c in self.consumers(r as usize).iter().rev() {
                    waits[c as usize] -= 1;
                    if waits[c as usize] == 0 {
                        ready.push(c);
                    }
                }
            }
        }
        out
    }
}

/// Inputs before what reads them, from what is wanted downwards, the most demanding input first.
fn depth_first(graph: &TaskGraph, wanted: &[u32], tasks: usize) -> Vec<u32> {
    let demand = demands(graph);
    let mut out = Vec::with_capacity(tasks);
    let mut seen = vec![false; graph.len()];
    // a task goes onto the stack twice: to be entered, and (marked) to be left
    let mut todo: Vec<(u32, bool)> = wanted.iter().rev().map(|&w| (w, false)).collect();
    while let Some((id, leave)) = todo.pop() {
        if leave {
            out.push(id);
            continue;
        }
        if std::mem::replace(&mut seen[id as usize], true) || !graph.is_task[id as usize] {
            continue;
        }
        todo.push((id, true));
        let first = todo.len();
        let inputs = graph.inputs(id as usize).iter().rev();
        todo.extend(inputs.filter(|&&d| !seen[d as usize]).map(|&d| (d, false)));
        // stable: equal ones stay as they were given
        let pushed = &mut todo[first..];
        let most = pushed.first().map_or(0, |(d, _)| demand[*d as usize]);
        if pushed.iter().any(|(d, _)| demand[*d as usize] != most) {
            pushed.sort_by_key(|(d, _)| demand[*d as usize]);
        }
    }
    out
}

/// How many results must be held at once to make each node's, if nothing were shared.
fn demands(graph: &TaskGraph) -> Vec<u32> {
    let mut demand = vec![0u32; graph.len()];
    let mut of_inputs: Vec<u32> = Vec::new();
    for id in (0..graph.len()).filter(|&id| graph.is_task[id]) {
        let inputs = graph.inputs(id);
        demand[id] = match inputs {
            [] => 1,
            [one] => demand[*one as usize].max(1),
            many => {
                of_inputs.clear();
                of_inputs.extend(many.iter().map(|&d| demand[d as usize]));
                of_inputs.sort_unstable_by(|a, b| b.cmp(a));
                let held = of_inputs
                    .iter()
                    .enumerate()
                    .map(|(i, d)| d.saturating_add(i as u32));
                held.max().unwrap_or(1)
            }
        };
    }
    demand
}
