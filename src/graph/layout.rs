//! Where boxes go: a layered layout, inputs above what reads them.
//!
//! ```text
//!   layers     a box stands just above the highest of its readers
//!   rows       layers that are too wide become several rows
//!   joints     an edge that crosses rows gets a joint in each, so that it goes around boxes
//!   order      boxes move to the mean place of their neighbours, sweep by sweep (Sugiyama's barycentres)
//!   places     each row as near to its neighbours as the gaps allow: least squares, by pooling neighbours
//!              that collide (isotonic regression)
//! ```

/// Between boxes of a row, and between rows.
const GAP: f64 = 22.0;
const ROW_GAP: f64 = 44.0;
/// What a joint takes in its row, and keeps free beside it: two of them are enough between boxes.
const JOINT: f64 = 6.0;
const JOINT_GAP: f64 = 8.0;
/// The most boxes of a row.
const MOST_IN_ROW: usize = 12;
/// How often boxes are put in order, and how often in their places.
const SWEEPS: usize = 12;
const PLACINGS: usize = 60;

/// Where boxes and edges are.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// The upper left corner of each box.
    pub boxes: Vec<(f64, f64)>,
    /// Each edge, from its upper end to its lower one, with the joints between: two points for each.
    pub edges: Vec<Edge>,
    /// The whole.
    pub size: (f64, f64),
}

/// An edge between two boxes.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The box above, and the one below.
    pub ends: (usize, usize),
    /// Where it goes.
    pub points: Vec<(f64, f64)>,
}

struct Node {
    width: f64,
    height: f64,
    up: Vec<usize>,
    down: Vec<usize>,
    x: f64,
}

/// Places boxes of these sizes, each of which reads those in `inputs`.
pub fn layout(sizes: &[(f64, f64)], inputs: &[Vec<usize>]) -> Layout {
    let mut rows = rows(&layers(inputs), inputs);
    let mut nodes: Vec<Node> = sizes
        .iter()
        .map(|&(width, height)| Node::new(width, height))
        .collect();
    let chains = joints(&mut rows, &mut nodes, inputs);
    order(&mut rows, &nodes);
    place(&rows, &mut nodes);
    drawn(&rows, &nodes, sizes.len(), chains)
}

impl Node {
    fn new(width: f64, height: f64) -> Node {
        let (up, down) = (Vec::new(), Vec::new());
        Node {
            width,
            height,
            up,
            down,
            x: 0.0,
        }
    }
}

/// The layer of each box, as low as its readers allow: what is needed late stands near where it is needed.
/// What reads itself by a detour (no graph of ours does) is cut where it is met.
fn layers(inputs: &[Vec<usize>]) -> Vec<usize> {
    let n = inputs.len();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); n];
    for (low, ups) in inputs.iter().enumerate() {
        ups.iter().filter(|&&u| u < n).for_each(|&u| readers[u].push(low));
    }
    // above the bottom
    let mut height: Vec<Option<usize>> = vec![None; n];
    let mut open = vec![false; n];
    for start in 0..n {
        let mut stack = vec![(start, false)];
        while let Some((i, done)) = stack.pop() {
            if done {
                let below = readers[i].iter().filter_map(|&r| height[r]);
                height[i] = Some(below.map(|h| h + 1).max().unwrap_or(0));
            } else if !std::mem::replace(&mut open[i], true) {
                stack.push((i, true));
                stack.extend(readers[i].iter().map(|&r| (r, false)));
            }
        }
    }
    let height: Vec<usize> = height.into_iter().map(|h| h.unwrap_or(0)).collect();
    let most = height.iter().copied().max().unwrap_or(0);
    height.into_iter().map(|h| most - h).collect()
}

/// The boxes of each row, from above.
fn rows(layer: &[usize], inputs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); layer.iter().max().map_or(0, |m| m + 1)];
    for i in visited(inputs) {
        layers[layer[i]].push(i);
    }
    let split = |l: Vec<usize>| {
        let count = l.len().div_ceil(MOST_IN_ROW).max(1);
        let each = l.len().div_ceil(count).max(1);
        l.chunks(each).map(<[usize]>::to_vec).collect::<Vec<_>>()
    };
    layers.into_iter().flat_map(split).collect()
}

/// The boxes in the order of a walk from the last one up: what belongs together is met together.
fn visited(inputs: &[Vec<usize>]) -> Vec<usize> {
    let n = inputs.len();
    let (mut seen, mut out) = (vec![false; n], Vec::with_capacity(n));
    for root in (0..n).rev() {
        let mut stack = vec![root];
        while let Some(i) = stack.pop() {
            if !std::mem::replace(&mut seen[i], true) {
                out.push(i);
                stack.extend(inputs[i].iter().rev().filter(|&&u| u < n));
            }
        }
    }
    out
}

/// Adds joints where edges cross rows; answers the nodes along each edge.
fn joints(rows: &mut [Vec<usize>], nodes: &mut Vec<Node>, inputs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut row_of = vec![0; nodes.len()];
    for (r, row) in rows.iter().enumerate() {
        row.iter().for_each(|&i| row_of[i] = r);
    }
    let mut chains = Vec::new();
    for (low, ups) in inputs.iter().enumerate() {
        for &up in ups.iter().filter(|&&u| u < inputs.len()) {
            let mut chain = vec![up];
            for row in rows.iter_mut().take(row_of[low]).skip(row_of[up] + 1) {
                nodes.push(Node::new(JOINT, 0.0));
                row.push(nodes.len() - 1);
                chain.push(nodes.len() - 1);
            }
            chain.push(low);
            for pair in chain.windows(2) {
                nodes[pair[0]].down.push(pair[1]);
                nodes[pair[1]].up.push(pair[0]);
            }
            chains.push(chain);
        }
    }
    chains
}

fn order(rows: &mut [Vec<usize>], nodes: &[Node]) {
    let mut at = vec![0.0; nodes.len()];
    let number = |row: &[usize], at: &mut [f64]| {
        let middle = row.len() as f64 / 2.0;
        row.iter()
            .enumerate()
            .for_each(|(i, &n)| at[n] = i as f64 - middle);
    };
    rows.iter().for_each(|row| number(row, &mut at));
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        for r in 0..rows.len() {
            let r = if down { r } else { rows.len() - 1 - r };
            let wish = |n: usize| {
                let near = if down { &nodes[n].up } else { &nodes[n].down };
                match near.is_empty() {
                    true => at[n],
                    false => near.iter().map(|&m| at[m]).sum::<f64>() / near.len() as f64,
                }
            };
            let mut wishes: Vec<(f64, usize)> = rows[r].iter().map(|&n| (wish(n), n)).collect();
            wishes.sort_by(|a, b| a.0.total_cmp(&b.0)); // stable: ties stay
            rows[r] = wishes.into_iter().map(|(_, n)| n).collect();
            number(&rows[r], &mut at);
        }
    }
}

/// Gives every node the middle of its place from left to right.
fn place(rows: &[Vec<usize>], nodes: &mut [Node]) {
    for row in rows {
        let wishes = vec![0.0; row.len()];
        settle(row, &wishes, nodes);
    }
    for sweep in 0..PLACINGS {
        for r in 0..rows.len() {
            let r = if sweep % 2 == 0 { r } else { rows.len() - 1 - r };
            let wish = |&n: &usize| {
                let near = nodes[n].up.iter().chain(&nodes[n].down);
                let (sum, count) = near.fold((0.0, 0), |(s, c), &m| (s + nodes[m].x, c + 1));
                if count == 0 {
                    nodes[n].x
                } else {
                    sum / f64::from(count)
                }
            };
            let wishes: Vec<f64> = rows[r].iter().map(wish).collect();
            settle(&rows[r], &wishes, nodes);
        }
    }
}

/// Puts the nodes of a row as near to their wishes as their order and the gaps allow.
fn settle(row: &[usize], wishes: &[f64], nodes: &mut [Node]) {
    // the least distance of each node's middle from that of the first
    let mut offsets = Vec::with_capacity(row.len());
    let mut offset = 0.0;
    for (i, &n) in row.iter().enumerate() {
        if i > 0 {
            let before = &nodes[row[i - 1]];
            let boxes = before.height > 0.0 && nodes[n].height > 0.0;
            offset += (before.width + nodes[n].width) / 2.0 + if boxes { GAP } else { JOINT_GAP };
        }
        offsets.push(offset);
    }
    // blocks of nodes that touch: the sum of what is left of their wishes, and how many
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wishes.iter().zip(&offsets) {
        blocks.push((wish - offset, 1));
        while let [.., (a, n), (b, m)] = blocks[..]
            && a / n as f64 >= b / m as f64
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push((a + b, n + m));
        }
    }
    let starts = blocks
        .iter()
        .flat_map(|&(sum, n)| std::iter::repeat_n(sum / n as f64, n));
    for ((&n, start), offset) in row.iter().zip(starts).zip(offsets) {
        nodes[n].x = start + offset;
    }
}

fn drawn(rows: &[Vec<usize>], nodes: &[Node], boxes: usize, chains: Vec<Vec<usize>>) -> Layout {
    let left = nodes.iter().map(|n| n.x - n.width / 2.0).fold(f64::MAX, f64::min);
    let right = nodes.iter().map(|n| n.x + n.width / 2.0).fold(f64::MIN, f64::max);
    let mut tops = vec![(0.0, 0.0); nodes.len()];
    let mut y = 0.0;
    for row in rows {
        let height = row.iter().map(|&n| nodes[n].height).fold(0.0, f64::max);
        row.iter().for_each(|&n| tops[n] = (y, height));
        y += height + ROW_GAP;
    }
    let edges = chains.into_iter().map(|chain| {
        let last = chain.len() - 1;
        let mut points = Vec::new();
        for (i, &n) in chain.iter().enumerate() {
            let (x, (top, row)) = (nodes[n].x - left, tops[n]);
            match i {
                0 => points.push((x, top + nodes[n].height)),
                i if i == last => points.push((x, top)),
                _ => points.extend([(x, top), (x, top + row)]),
            }
        }
        Edge {
            ends: (chain[0], chain[last]),
            points,
        }
    });
    Layout {
        boxes: (0..boxes)
            .map(|n| (nodes[n].x - nodes[n].width / 2.0 - left, tops[n].0))
            .collect(),
        edges: edges.collect(),
        size: if boxes == 0 {
            (0.0, 0.0)
        } else {
            (right - left, y - ROW_GAP)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
        prop::collection::vec(prop::collection::vec(0usize..1000, 0..4), 0..300).prop_map(|all| {
            let each = all.into_iter().enumerate();
            let each = each.map(|(i, wanted)| {
                let mut ups: Vec<usize> = wanted
                    .into_iter()
                    .filter(|_| i > 0)
                    .map(|u| u % i.max(1))
                    .collect();
                ups.sort_unstable();
                ups.dedup();
                ups
            });
            each.collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn boxes_do_not_touch_and_edges_go_down(inputs in graphs()) {
            let sizes: Vec<(f64, f64)> = (0..inputs.len()).map(|i| (60.0 + (i % 7) as f64 * 20.0, 30.0 + (i % 3) as f64 * 10.0)).collect();
            let l = layout(&sizes, &inputs);
            prop_assert_eq!(l.boxes.len(), inputs.len());
            prop_assert_eq!(l.edges.len(), inputs.iter().map(Vec::len).sum::<usize>());
            for (i, (&(x, y), &(w, h))) in l.boxes.iter().zip(&sizes).enumerate() {
                prop_assert!(x >= -0.01 && x + w <= l.size.0 + 0.01 && y + h <= l.size.1 + 0.01);
                for (&(a, b), &(v, g)) in l.boxes[..i].iter().zip(&sizes) {
                    let apart = x >= a + v + GAP - 0.01 || a >= x + w + GAP - 0.01 || y >= b + g || b >= y + h;
                    prop_assert!(apart, "{:?}", ((x, y, w, h), (a, b, v, g)));
                }
            }
            for e in &l.edges {
                prop_assert!(l.boxes[e.ends.0].1 < l.boxes[e.ends.1].1);
                prop_assert!(e.points.windows(2).all(|w| w[0].1 <= w[1].1));
            }
        }
    }

    #[test]
    fn a_chain_is_straight_and_wide_layers_are_rows() {
        let chain = [vec![], vec![0], vec![1]];
        let l = layout(&[(100.0, 20.0), (200.0, 20.0), (50.0, 20.0)], &chain);
        let middles: Vec<f64> = l
            .edges
            .iter()
            .flat_map(|e| e.points.iter().map(|p| p.0))
            .collect();
        assert!(middles.iter().all(|m| (m - 100.0).abs() < 0.01), "{middles:?}");
        let mut fan: Vec<Vec<usize>> = vec![vec![]; 100];
        fan.push((0..100).collect());
        let l = layout(&[(100.0, 20.0); 101], &fan);
        assert!(l.size.0 < 4000.0, "{:?}", l.size);
        // a circle, which cannot be, is no endless loop
        assert_eq!(layout(&[(1.0, 1.0); 2], &[vec![1], vec![0]]).boxes.len(), 2);
    }
}
