//! Markdown and HTML tables, written row by row: nothing is held back to align columns.

use super::cells::Column;
use crate::error::Result;

/// The two kinds of markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    Markdown,
    Html,
}

impl Markup {
    /// What comes before the rows. `numeric` columns are aligned to the right.
    pub(super) fn header(self, names: &[String], numeric: &[bool], out: &mut Vec<u8>) {
        match self {
            Markup::Markdown => {
                out.push(b'|');
                for name in names {
                    out.push(b' ');
                    escape(self, name, out);
                    out.extend_from_slice(b" |");
                }
                out.extend_from_slice(b"\n|");
                for right in numeric {
                    out.extend_from_slice(if *right { b" ---: |" } else { b" --- |" });
                }
                out.push(b'\n');
            }
            Markup::Html => {
                out.extend_from_slice(b"<table>\n<thead>\n<tr>");
                for name in names {
                    out.extend_from_slice(b"<th>");
                    escape(self, name, out);
                    out.extend_from_slice(b"</th>");
                }
                out.extend_from_slice(b"</tr>\n</thead>\n<tbody>\n");
            }
        }
    }

    /// What comes after the rows.
    pub(super) fn footer(self) -> &'static [u8] {
        match self {
            Markup::Markdown => b"",
            Markup::Html => b"</tbody>\n</table>\n",
        }
    }

    pub(super) fn rows(
        self,
        columns: &[Column],
        numeric: &[bool],
        rows: usize,
        null: &str,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut cell = Vec::new();
        for row in 0..rows {
            out.extend_from_slice(if self == Markup::Html { b"<tr>" } else { b"|" });
            for (column, right) in columns.iter().zip(numeric) {
                cell.clear();
                match column.is_null(row) {
                    true => cell.extend_from_slice(null.as_bytes()),
                    false => column.write(row, &mut cell)?,
                }
                let text = String::from_utf8_lossy(&cell);
                let (open, close): (&[u8], &[u8]) = match (self, right) {
                    (Markup::Markdown, _) => (b" ", b" |"),
                    (Markup::Html, true) => (b"<td align=\"right\">", b"</td>"),
                    (Markup::Html, false) => (b"<td>", b"</td>"),
                };
                out.extend_from_slice(open);
                escape(self, &text, out);
                out.extend_from_slice(close);
            }
            out.extend_from_slice(if self == Markup::Html { b"</tr>\n" } else { b"\n" });
        }
        Ok(())
    }
}

fn escape(markup: Markup, text: &str, out: &mut Vec<u8>) {
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let replacement = match (markup, c) {
            (_, '&') => "&amp;",
            (_, '<') => "&lt;",
            (_, '>') => "&gt;",
            (Markup::Html, '"') => "&quot;",
            (Markup::Markdown, '|') => "\\|",
            (Markup::Markdown, '\\') => "\\\\",
            (Markup::Markdown, '\r') if rest.peek() == Some(&'\n') => continue,
            (Markup::Markdown, '\n' | '\r') => "<br>",
            (Markup::Markdown, c) if "*_`[]~".contains(c) => {
                out.push(b'\\');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            (_, c) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        out.extend_from_slice(replacement.as_bytes());
    }
}
