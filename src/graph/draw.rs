//! A picture of stages as SVG, with a layout of our own, or in Graphviz's language, or as text.
//!
//! The SVG stands alone: its colours follow the reader's (light or dark), and what does not fit into a
//! box is what the pointer shows over it.

use std::fmt::Write;

use super::fold::{Group, groups, kind};
use super::layout::{Layout, layout};
use super::picture::{Drawn, Measure, Part, Picture};
use crate::error::is_invisible;

/// Pictures of more boxes show names only, not operators.
const DETAILED: usize = 24;
/// The longest line of a box, in characters.
const LONGEST: usize = 64;
const LONGEST_NAME: usize = 38;
/// Sizes in pixels.
const LINE: f64 = 17.0;
const PAD: f64 = 10.0;
const CHAR: f64 = 7.25;
const SQUARE: f64 = 7.0;
const MARGIN: f64 = 20.0;
/// How far what lies behind a stack looks out.
const BACK: f64 = 6.0;
/// Steps of the scale of colours, from nothing to the most.
const STEPS: usize = 8;

/// A picture in Graphviz's language.
pub fn dot(p: &Picture) -> String {
    let escaped = |t: &str| t.replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = String::from(
        "digraph ddf {\n  rankdir=TB;\n  node [shape=box, style=filled, fillcolor=white, fontname=\"monospace\"];\n",
    );
    for s in &p.stages {
        let mut label = escaped(&title(s)) + "\\l";
        for line in &s.operators {
            label += &(escaped(line) + "\\l");
        }
        let mut more = String::new();
        if let (Some(value), Some(heat), Some(by)) = (s.value, s.heat, p.color_by) {
            let _ = write!(label, "{}: {}\\l", by.name(), by.show(value));
            let _ = write!(more, ", fillcolor=\"0.07 {heat:.3} 1.0\"");
        }
        let _ = writeln!(out, "  s{} [label=\"{label}\"{more}];", s.id);
        for i in &s.inputs {
            let _ = writeln!(out, "  s{i} -> s{};", s.id);
        }
    }
    out + "}\n"
}

/// A picture as text: a paragraph for each stage, with what it took where that is known.
pub fn plain(p: &Picture) -> String {
    let mut out = String::new();
    let most = p.most();
    for s in &p.stages {
        let _ = write!(out, "{}", title(s));
        if !s.inputs.is_empty() {
            let inputs: Vec<String> = s.inputs.iter().map(usize::to_string).collect();
            let _ = write!(out, " ◄ {}", inputs.join(", "));
        }
        out.push('\n');
        if let (Some(value), Some(heat), Some(by)) = (s.value, s.heat, p.color_by) {
            const CELLS: usize = 20;
            let full = if most > 0.0 {
                (heat * CELLS as f64).round() as usize
            } else {
                0
            };
            let bar = "█".repeat(full) + &"░".repeat(CELLS - full.min(CELLS));
            let _ = writeln!(out, "  {bar} {}", by.show(value));
        }
        for line in &s.operators {
            let _ = writeln!(out, "  {line}");
        }
    }
    if p.skip > 0 || p.take.is_some() {
        let take = p.take.map_or("all".to_string(), |n| n.to_string());
        let _ = writeln!(out, "result: skip {}, take {take}", p.skip);
    }
    out
}

/// A picture as SVG.
pub fn svg(p: &Picture) -> String {
    let groups = groups(&p.stages);
    let detailed = groups.len() <= DETAILED;
    let boxes: Vec<Boxed> = groups.iter().map(|g| Boxed::new(p, g, detailed)).collect();
    let sizes: Vec<(f64, f64)> = boxes.iter().map(Boxed::size).collect();
    let inputs: Vec<Vec<usize>> = groups.iter().map(|g| g.inputs.clone()).collect();
    let at = layout(&sizes, &inputs);
    let legend = legend(p);
    let top = MARGIN + if legend.is_empty() { 0.0 } else { 34.0 };
    let (width, height) = (at.size.0.max(340.0) + 2.0 * MARGIN, at.size.1 + top + MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n<style>\n{STYLE}{}</style>\n\
         <defs><marker id=\"a\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" orient=\"auto\"><path class=\"tip\" d=\"M0,0 L8,4 L0,8 z\"/></marker></defs>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n{legend}<g transform=\"translate({MARGIN} {top})\">\n",
        heat_style()
    );
    edges(&mut out, &at);
    for (b, &(x, y)) in boxes.iter().zip(&at.boxes) {
        b.draw(&mut out, x, y, p);
    }
    out + "</g>\n</svg>\n"
}

const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1e293b;white-space:pre}
.name{font-weight:700}.dim{fill:#64748b}.page{fill:#fff}.box{fill:#f8fafc;stroke:#64748b}.back{fill:#e2e8f0;stroke:#64748b}
.edge{fill:none;stroke:#94a3b8;stroke-width:1.4}.tip{fill:#94a3b8}.part{fill:#38bdf8}
@media(prefers-color-scheme:dark){text{fill:#e2e8f0}.dim{fill:#94a3b8}.page{fill:#0f172a}.box{fill:#1e293b;stroke:#64748b}
.back{fill:#334155;stroke:#64748b}.edge{stroke:#64748b}.tip{fill:#64748b}.part{fill:#0284c7}}
";

/// The scale of colours: in light from pale to deep, in dark from dim to bright; letters stand out on both.
fn heat_style() -> String {
    let light = [
        "#f1f5f9", "#fef3c7", "#fde68a", "#fcd34d", "#fbbf24", "#f59e0b", "#ea580c", "#c2410c", "#991b1b",
    ];
    let dark = [
        "#273449", "#3b2f1e", "#52371a", "#6d4017", "#8a4b14", "#a85a10", "#c96f10", "#ee9a27", "#fcd34d",
    ];
    let mut out = String::new();
    for (i, c) in light.iter().enumerate() {
        let _ = write!(out, ".h{i}{{fill:{c}}}");
    }
    out += "text.on6,text.on7,text.on8{fill:#fff}\n@media(prefers-color-scheme:dark){";
    for (i, c) in dark.iter().enumerate() {
        let _ = write!(out, ".h{i}{{fill:{c}}}");
    }
    out + "text.on7,text.on8{fill:#1c1917}text.on6{fill:#fff}}\n"
}

/// The step of the scale for a part of the most.
fn step(heat: f64) -> usize {
    match heat > 0.0 {
        true => ((heat * STEPS as f64).ceil() as usize).clamp(1, STEPS),
        false => 0,
    }
}

fn legend(p: &Picture) -> String {
    let Some(by) = p.color_by else {
        return String::new();
    };
    let mut out = format!(
        "<text x=\"{MARGIN}\" y=\"{}\">colour: {}</text>\n",
        MARGIN + 4.0,
        by.name()
    );
    let x = MARGIN + (by.name().len() + 10) as f64 * CHAR;
    for i in 0..=STEPS {
        let _ = write!(
            out,
            "<rect class=\"h{i}\" x=\"{:.0}\" y=\"{}\" width=\"16\" height=\"12\"/>",
            x + i as f64 * 16.0,
            MARGIN - 6.0
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.0}\" y=\"{}\">0 to {}</text>",
        x + (STEPS + 1) as f64 * 16.0 + 8.0,
        MARGIN + 4.0,
        escaped(&by.show(p.most()))
    );
    out
}

fn edges(out: &mut String, at: &Layout) {
    for e in &at.edges {
        let Some((&(x, y), rest)) = e.points.split_first() else {
            continue;
        };
        let (mut path, mut from) = (format!("M{x:.1},{y:.1}"), (x, y));
        for &(x, y) in rest {
            let bend = (y - from.1) / 2.0;
            path += &match (x - from.0).abs() < 0.5 {
                true => format!(" L{x:.1},{y:.1}"),
                false => format!(
                    " C{:.1},{:.1} {x:.1},{:.1} {x:.1},{y:.1}",
                    from.0,
                    from.1 + bend,
                    y - bend
                ),
            };
            from = (x, y);
        }
        let _ = writeln!(out, "<path class=\"edge\" d=\"{path}\" marker-end=\"url(#a)\"/>");
    }
}

/// A box with its lines.
struct Boxed<'a> {
    name: String,
    /// What it took, in words.
    took: String,
    heat: Option<f64>,
    lines: Vec<String>,
    parts: &'a [Part],
    /// What the pointer shows.
    tip: String,
    stacked: bool,
}

impl<'a> Boxed<'a> {
    fn new(p: &'a Picture, group: &Group, detailed: bool) -> Boxed<'a> {
        let stages = group.stages.iter().map(|&i| &p.stages[i]);
        let all: Vec<&Drawn> = stages.collect();
        let first = all[0];
        let stacked = all.len() > 1;
        let sum: f64 = all.iter().filter_map(|s| s.value).sum();
        let took = match p.color_by {
            Some(by) => by.show(if by == Measure::Memory { largest(&all) } else { sum }),
            None => String::new(),
        };
        let mut lines = Vec::new();
        if stacked {
            lines.push(format!("stages {} to {}", first.id, all[all.len() - 1].id));
        } else if detailed {
            lines.extend(first.operators.iter().map(|l| cut(l, LONGEST)));
        }
        Boxed {
            name: match stacked {
                true => cut(&format!("{} × {}", all.len(), kind(&first.name)), LONGEST),
                false => cut(&title(first), if detailed { LONGEST } else { LONGEST_NAME }),
            },
            took,
            heat: all
                .iter()
                .filter_map(|s| s.heat)
                .fold(None, |m: Option<f64>, h| Some(m.map_or(h, |m| m.max(h)))),
            lines,
            parts: if stacked || first.parts.len() < 2 {
                &[]
            } else {
                &first.parts
            },
            tip: tip(p, &all),
            stacked,
        }
    }

    fn size(&self) -> (f64, f64) {
        let head = self.name.chars().count()
            + if self.took.is_empty() {
                0
            } else {
                self.took.chars().count() + 2
            };
        let widest = self
            .lines
            .iter()
            .map(|l| l.chars().count())
            .max()
            .unwrap_or(0)
            .max(head);
        let squares = self.parts.len() as f64 * (SQUARE + 1.0);
        let strip = if self.parts.is_empty() { 0.0 } else { SQUARE + 7.0 };
        let height = LINE
            + 10.0
            + strip
            + LINE * self.lines.len() as f64
            + if self.lines.is_empty() { 0.0 } else { 6.0 };
        let back = if self.stacked { BACK } else { 0.0 };
        (
            (widest as f64 * CHAR).max(squares) + 2.0 * PAD + back,
            height + back,
        )
    }

    fn draw(&self, out: &mut String, x: f64, y: f64, p: &Picture) {
        let back = if self.stacked { BACK } else { 0.0 };
        let (width, height) = self.size();
        let (width, height, y) = (width - back, height - back, y + back);
        let _ = write!(
            out,
            "<g transform=\"translate({x:.1} {y:.1})\"><title>{}</title>",
            escaped(&self.tip)
        );
        if self.stacked {
            for d in [BACK, BACK / 2.0] {
                let _ = write!(
                    out,
                    "<rect class=\"back\" x=\"{d}\" y=\"-{d}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"5\"/>"
                );
            }
        }
        let _ = write!(
            out,
            "<rect class=\"box\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"5\"/>"
        );
        let mut on = String::new();
        if let Some(heat) = self.heat {
            let h = step(heat);
            on = format!(" on{h}");
            let (w, h2) = (width - 2.0, LINE + 8.0);
            let _ = write!(
                out,
                "<rect class=\"h{h}\" x=\"1\" y=\"1\" width=\"{w:.1}\" height=\"{h2}\" rx=\"4\"/>"
            );
        }
        let _ = write!(
            out,
            "<text class=\"name{on}\" x=\"{PAD}\" y=\"{LINE}\">{}</text>",
            escaped(&self.name)
        );
        if !self.took.is_empty() {
            let end = width - PAD;
            let _ = write!(
                out,
                "<text class=\"{}\" x=\"{end:.1}\" y=\"{LINE}\" text-anchor=\"end\">{}</text>",
                on.trim(),
                escaped(&self.took)
            );
        }
        let mut below = LINE + 11.0;
        for (i, part) in self.parts.iter().enumerate() {
            let class = part.heat.map_or("part".to_string(), |h| format!("h{}", step(h)));
            let tip = part_tip(part, p.color_by);
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{:.0}\" y=\"{below}\" width=\"{SQUARE}\" height=\"{SQUARE}\"><title>{}</title></rect>",
                PAD + i as f64 * (SQUARE + 1.0),
                escaped(&tip)
            );
        }
        if !self.parts.is_empty() {
            below += SQUARE + 7.0;
        }
        for (i, l) in self.lines.iter().enumerate() {
            let y = below + LINE * (i as f64 + 0.75);
            let _ = write!(
                out,
                "<text class=\"dim\" x=\"{PAD}\" y=\"{y:.1}\">{}</text>",
                escaped(l)
            );
        }
        out.push_str("</g>\n");
    }
}

fn largest(all: &[&Drawn]) -> f64 {
    all.iter().filter_map(|s| s.value).fold(0.0, f64::max)
}

fn title(s: &Drawn) -> String {
    match s.tasks {
        Some(n) => format!("stage {} × {n}: {}", s.id, s.name),
        None => format!("stage {}: {}", s.id, s.name),
    }
}

fn part_tip(part: &Part, by: Option<Measure>) -> String {
    let mut tip = match part.first == part.last {
        true => format!("partition {}", part.first),
        false => format!("partitions {} to {}", part.first, part.last),
    };
    if let (Some(value), Some(by)) = (part.value, by) {
        let _ = write!(tip, ": {}", by.show(value));
    }
    tip
}

/// All that is known of the stages of a box; of many, the first.
fn tip(p: &Picture, all: &[&Drawn]) -> String {
    const MOST: usize = 12;
    let mut out = String::new();
    for s in all.iter().take(MOST) {
        let _ = writeln!(out, "{}", title(s));
        if all.len() == 1 {
            for line in &s.operators {
                let _ = writeln!(out, "  {line}");
            }
        }
        if let (Some(by), Some(value)) = (p.color_by, s.value) {
            let _ = writeln!(out, "  {}: {}", by.name(), by.show(value));
        }
        if let Some(r) = s.run.as_ref().filter(|_| all.len() == 1) {
            let _ = writeln!(out, "  rows {} → {}", r.rows_in, r.rows_out);
        }
    }
    if all.len() > MOST {
        let _ = writeln!(out, "and {} more", all.len() - MOST);
    }
    out
}

fn escaped(text: &str) -> String {
    let visible = text.replace(|c: char| is_invisible(c) && c != '\n', "\u{fffd}");
    visible
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn cut(line: &str, most: usize) -> String {
    match line.chars().count() > most {
        true => line.chars().take(most - 1).chain(['…']).collect(),
        false => line.to_string(),
    }
}
