//! A graph as text, as JSON, in Graphviz's language, and drawn.
//!
//! Large graphs are drawn by kind: tasks of one name at one depth are one box with their number.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::TaskGraph;
use crate::error::{Error, Result};

/// Graphs of more nodes are drawn by kind, not node by node.
const MOST_BOXES: usize = 60;
/// Sizes in the picture, in pixels.
const CHAR: usize = 7;
const HEIGHT: usize = 30;
const GAP: usize = 16;
const LAYER: usize = 70;

/// What is drawn as one box.
struct Shown {
    label: String,
    depth: usize,
    value: bool,
    /// The boxes it depends on, and by how many tasks.
    inputs: BTreeMap<usize, usize>,
}

impl TaskGraph {
    /// A line for each node: its number, its name, and the numbers of what it depends on.
    ///
    /// ```
    /// # use ddf::graph::TaskGraph;
    /// let mut g = TaskGraph::new();
    /// let one = g.value(1);
    /// let a = g.delayed("inc", |x| x + 1, one);
    /// let b = g.delayed("add", |(x, y)| x + y, (one, a));
    /// assert_eq!(g.text(), "0  value\n1  inc  ◄ 0\n2  add  ◄ 0, 1\n");
    /// # let _ = b;
    /// ```
    pub fn text(&self) -> String {
        let width = self.len().saturating_sub(1).to_string().len();
        let line = |id: usize| {
            let inputs: Vec<String> = self.inputs(id).iter().map(u32::to_string).collect();
            let arrow = if inputs.is_empty() { "" } else { "  ◄ " };
            format!("{id:width$}  {}{arrow}{}\n", self.name(id), inputs.join(", "))
        };
        (0..self.len()).map(line).collect()
    }

    /// The graph as JSON: `format` (`ddf.tasks/1`) and `nodes`, each with its number `id`, its `name`, its
    /// `kind` (`value` or `task`) and the numbers of its `inputs`, which are lower than its own.
    pub fn to_json(&self) -> serde_json::Value {
        let node = |id: usize| {
            let kind = if self.is_value(id) { "value" } else { "task" };
            serde_json::json!({"id": id, "name": &**self.name(id), "kind": kind, "inputs": self.inputs(id)})
        };
        let nodes: Vec<_> = (0..self.len()).map(node).collect();
        serde_json::json!({"format": "ddf.tasks/1", "nodes": nodes})
    }

    /// The graph in Graphviz's language; large ones by kind.
    pub fn dot(&self) -> String {
        let mut out = String::from("digraph tasks {\n  rankdir=BT;\n  node [fontname=\"monospace\"];\n");
        for (i, b) in self.boxes().iter().enumerate() {
            let shape = if b.value { "box" } else { "ellipse" };
            let label = b.label.replace('\\', "\\\\").replace('"', "\\\"");
            out += &format!("  n{i} [shape={shape}, label=\"{label}\"];\n");
            for (from, n) in &b.inputs {
                let label = if *n > 1 {
                    format!(" [label=\"{n}\"]")
                } else {
                    String::new()
                };
                out += &format!("  n{from} -> n{i}{label};\n");
            }
        }
        out + "}\n"
    }

    /// The graph as a picture of its own, inputs below what reads them; large ones by kind.
    pub fn svg(&self) -> String {
        let boxes = self.boxes();
        let layers = boxes.iter().map(|b| b.depth + 1).max().unwrap_or(1);
        let mut ends = vec![GAP; layers];
        let mut places = Vec::new();
        for b in &boxes {
            let width = (b.label.chars().count() + 2) * CHAR;
            let x = ends[b.depth];
            ends[b.depth] = x + width + GAP;
            places.push((x, GAP + (layers - 1 - b.depth) * LAYER, width));
        }
        let all = ends.iter().max().copied().unwrap_or(GAP);
        // each layer in the middle
        for (b, place) in boxes.iter().zip(&mut places) {
            place.0 += (all - ends[b.depth]) / 2;
        }
        let (mut lines, mut shapes) = (String::new(), String::new());
        for (b, &(x, y, width)) in boxes.iter().zip(&places) {
            for from in b.inputs.keys() {
                let (fx, fy, fwidth) = places[*from];
                lines += &format!(
                    "<line x1='{}' y1='{fy}' x2='{}' y2='{}' stroke='#94a3b8' marker-end='url(#a)'/>\n",
                    fx + fwidth / 2,
                    x + width / 2,
                    y + HEIGHT
                );
            }
            let (round, fill) = if b.value { (2, "#fef9c3") } else { (15, "#e0f2fe") };
            let label = b
                .label
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            shapes += &format!(
                "<rect x='{x}' y='{y}' width='{width}' height='{HEIGHT}' rx='{round}' fill='{fill}' stroke='#475569'/>\
                 <text x='{}' y='{}' text-anchor='middle'>{label}</text>\n",
                x + width / 2,
                y + 20
            );
        }
        let height = layers * LAYER;
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{all}' height='{height}' viewBox='0 0 {all} {height}' \
             font-family='monospace' font-size='12'>\n<defs><marker id='a' markerWidth='8' markerHeight='8' refX='7' \
             refY='4' orient='auto'><path d='M0,0 L8,4 L0,8 z' fill='#94a3b8'/></marker></defs>\n\
             <rect width='100%' height='100%' fill='white'/>\n{lines}{shapes}</svg>\n"
        )
    }

    /// Draws the graph into a file: `.svg`, `.dot`, `.json` or `.txt`.
    ///
    /// # Errors
    /// The name ends otherwise, or the file cannot be written.
    pub fn draw(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let text = match path.extension().and_then(|e| e.to_str()) {
            Some("svg") => self.svg(),
            Some("dot") => self.dot(),
            Some("json") => self.to_json().to_string() + "\n",
            Some("txt") => self.text(),
            _ => {
                let e = Error::usage(format!("cannot draw a graph into {}", path.display()));
                return Err(e.help("end the name in .svg, .dot, .json or .txt"));
            }
        };
        std::fs::write(path, text).map_err(|e| Error::io("write", path, &e))
    }

    fn is_value(&self, id: usize) -> bool {
        !self.is_task[id]
    }

    /// What is drawn, inputs first: a box for each node, or for each name and depth.
    fn boxes(&self) -> Vec<Shown> {
        let mut depth: Vec<usize> = Vec::with_capacity(self.len());
        for id in 0..self.len() {
            let below = self.inputs(id).iter().map(|&d| depth[d as usize] + 1).max();
            depth.push(below.unwrap_or(0));
        }
        let single = self.len() <= MOST_BOXES;
        let mut of_kind: HashMap<(usize, u32), usize> = HashMap::new();
        let mut out: Vec<Shown> = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        let mut at = Vec::with_capacity(self.len());
        for (id, &deep) in depth.iter().enumerate() {
            let new = out.len();
            let place = match single {
                true => new,
                false => *of_kind.entry((deep, self.name_of[id])).or_insert(new),
            };
            at.push(place);
            if place == new {
                counts.push(0);
                out.push(Shown {
                    label: self.name(id).to_string(),
                    depth: deep,
                    value: self.is_value(id),
                    inputs: BTreeMap::new(),
                });
            }
            counts[place] += 1;
            let from: BTreeSet<usize> = self.inputs(id).iter().map(|&d| at[d as usize]).collect();
            for f in from {
                *out[place].inputs.entry(f).or_insert(0) += 1;
            }
        }
        for (b, n) in out.iter_mut().zip(counts) {
            if n > 1 {
                b.label += &format!(" × {n}");
            }
        }
        out
    }
}

impl std::fmt::Debug for TaskGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "task graph of {} nodes", self.len())
    }
}
