//! Errors and warnings as people and scripts read them, on standard error.

use std::io::Write;

use crate::error::{Error, Kind};
use crate::observe::Warning;

/// `error: …`, its place and excerpt, and one thing to do.
pub fn error_text(e: &Error) -> String {
    let mut out = format!("error: {}\n", e.what());
    if let Some(p) = e.place() {
        out += &format!("  --> {p}\n");
    }
    if let Some(x) = e.excerpt_text() {
        out += &format!("   |  {x}\n");
    }
    if let Some((text, range)) = e.span_text() {
        out += &span_lines(text, range);
    }
    if let Some(h) = e.help_text() {
        out += &format!("help: {h}\n");
    }
    out
}

/// The typed line with the place underlined.
fn span_lines(text: &str, range: std::ops::Range<usize>) -> String {
    let start = range.start.min(text.len());
    let line_start = text[..floor(text, start)].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[line_start..]
        .find('\n')
        .map_or(text.len(), |i| line_start + i);
    let line = &text[line_start..line_end];
    let before = text[line_start..floor(text, start)].chars().count();
    let end = floor(text, range.end.min(line_end)).max(floor(text, start));
    let marked = text[floor(text, start)..end].chars().count().max(1);
    if line.len() > 200 {
        return String::new();
    }
    format!(
        "   |  {line}\n   |  {}{}\n",
        " ".repeat(before),
        "^".repeat(marked)
    )
}

fn floor(text: &str, mut i: usize) -> usize {
    while !text.is_char_boundary(i) {
        i -= 1;
    }
    i
}

/// One JSON object a line: kind, message, file, line, column, help.
pub fn error_json(e: &Error) -> String {
    let place = e.place();
    let value = serde_json::json!({
        "level": "error",
        "kind": format!("{:?}", e.kind()).to_lowercase(),
        "message": e.what(),
        "file": place.map(|p| p.file.display().to_string()),
        "line": place.map(|p| p.line).filter(|l| *l > 0),
        "column": place.map(|p| p.column).filter(|c| *c > 0),
        "excerpt": e.excerpt_text(),
        "help": e.help_text(),
    });
    value.to_string() + "\n"
}

/// Prints an error, unless it is only that nobody reads our output any more.
pub fn print_error(e: &Error, json: bool) {
    if e.kind() == Kind::BrokenPipe {
        return;
    }
    let text = if json { error_json(e) } else { error_text(e) };
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints warnings, one a line.
pub fn print_warnings(warnings: &[Warning], json: bool) {
    let mut out = String::new();
    for w in warnings {
        if json {
            out += &(serde_json::json!({"level": "warning", "message": w.text}).to_string() + "\n");
        } else {
            out += &format!("warning: {}\n", w.text);
        }
    }
    let _ = std::io::stderr().write_all(out.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_survive_unicode() {
        let e = Error::query("no column \"é\"")
            .span("a + é + b", 4..6)
            .help("did you mean \"e\"?");
        assert_eq!(
            error_text(&e),
            "error: no column \"é\"\n   |  a + é + b\n   |      ^\nhelp: did you mean \"e\"?\n"
        );
    }
}
