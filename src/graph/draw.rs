//! The stages as a drawing: SVG with a layout of our own, or Graphviz's DOT.
//!
//! Stages form a chain today, so the layout is one column: a box a stage with its operators as
//! lines, above it a strip of small squares for its partitions (a number where there are many).

use super::text::steps;
use super::{Graph, Stage};

/// Squares drawn for partitions; beyond, their number is written.
const MAX_SQUARES: usize = 40;
const LINE: usize = 18;
const PAD: usize = 12;
const CHAR: usize = 7;

/// The graph in Graphviz's language.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph ddf {\n  rankdir=TB;\n  node [shape=box, fontname=\"monospace\"];\n");
    for s in &graph.stages {
        let label = format!(
            "{}\\l{}\\l",
            title(graph, s),
            steps(graph, s).join("\\l").replace('"', "\\\"")
        );
        out += &format!("  s{} [label=\"{label}\"];\n", s.id);
        for i in s.inputs().into_iter().chain(s.builds()) {
            out += &format!("  s{i} -> s{};\n", s.id);
        }
    }
    out + "}\n"
}

/// The graph as a self-contained SVG picture.
pub fn svg(graph: &Graph) -> String {
    let all: Vec<(String, Vec<String>)> = graph
        .stages
        .iter()
        .map(|s| (title(graph, s), steps(graph, s).iter().map(|l| cut(l)).collect()))
        .collect();
    let widest = all
        .iter()
        .flat_map(|(t, l)| l.iter().chain([t]))
        .map(|l| l.chars().count())
        .max()
        .unwrap_or(10);
    let width = (widest * CHAR + 2 * PAD).max(MAX_SQUARES * 9 + 2 * PAD);
    let mut body = String::new();
    let mut y = PAD;
    let mut previous_bottom = None;
    for (s, (title, lines)) in graph.stages.iter().zip(&all) {
        if let Some(bottom) = previous_bottom {
            let x = PAD + width / 2;
            body += &format!(
                "<line x1='{x}' y1='{bottom}' x2='{x}' y2='{}' stroke='#64748b' stroke-width='1.5' marker-end='url(#a)'/>\n",
                y - 2
            );
        }
        let height = LINE * (lines.len() + 1) + 2 * PAD + 14;
        body += &format!(
            "<rect x='{PAD}' y='{y}' width='{width}' height='{height}' rx='6' fill='#f8fafc' stroke='#475569'/>\n"
        );
        body += &squares(graph, s, PAD * 2, y + PAD);
        body += &line_of(PAD * 2, y + PAD + 14 + LINE - 5, title, "bold");
        for (i, l) in lines.iter().enumerate() {
            body += &line_of(PAD * 2, y + PAD + 14 + LINE * (i + 2) - 5, l, "normal");
        }
        y += height;
        previous_bottom = Some(y);
        y += 30;
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{w}' height='{h}' viewBox='0 0 {w} {h}' font-family='monospace' font-size='12'>\n\
         <defs><marker id='a' markerWidth='8' markerHeight='8' refX='7' refY='4' orient='auto'><path d='M0,0 L8,4 L0,8 z' fill='#64748b'/></marker></defs>\n\
         <rect width='100%' height='100%' fill='white'/>\n{body}</svg>\n",
        w = width + 2 * PAD,
        h = y.saturating_sub(18)
    )
}

fn title(graph: &Graph, s: &Stage) -> String {
    match graph.known_tasks(s) {
        Some(n) => format!("stage {} × {n}", s.id),
        None => format!("stage {} × by size of its input", s.id),
    }
}

fn squares(graph: &Graph, s: &Stage, x: usize, y: usize) -> String {
    let n = graph.known_tasks(s).unwrap_or(0);
    (0..n.min(MAX_SQUARES))
        .map(|i| {
            format!(
                "<rect x='{}' y='{y}' width='7' height='7' fill='#38bdf8'/>",
                x + i * 9
            )
        })
        .collect::<String>()
        + "\n"
}

fn line_of(x: usize, y: usize, text: &str, weight: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<text x='{x}' y='{y}' font-weight='{weight}'>{text}</text>\n")
}

fn cut(line: &str) -> String {
    let mut out: String = line.chars().take(110).collect();
    if out.len() < line.len() {
        out.push('…');
    }
    out
}
