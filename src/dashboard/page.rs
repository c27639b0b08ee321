//! The page as one document that needs nothing from anywhere.

use std::fmt::Write;

use super::guard::random;
use crate::error::Result;
use crate::observe::Model;

const SHELL: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// In the order in which they build on one another.
const SCRIPTS: [&str; 10] = [
    include_str!("page/text.js"),
    include_str!("page/model.js"),
    include_str!("page/stages.js"),
    include_str!("page/graph.js"),
    include_str!("page/tables.js"),
    include_str!("page/timeline.js"),
    include_str!("page/stream.js"),
    include_str!("page/memory.js"),
    include_str!("page/live.js"),
    include_str!("page/main.js"),
];

/// The page with a run in it, or without one the page that asks its server for events.
///
/// # Errors
/// The system gives no random numbers, from which the marks are made that let the page's own scripts
/// run and no others.
pub fn document(model: Option<&Model>) -> Result<String> {
    let nonce = random()?;
    let model_text = model.map_or_else(|| "null".into(), |m| harmless(&json(m)));
    let connect = if model.is_some() { "'none'" } else { "'self'" };
    let mut script = String::from("(() => {\n\"use strict\";\n");
    for part in SCRIPTS {
        script += part;
    }
    script += "})();\n";
    let parts = [
        ("NONCE", nonce.as_str()),
        ("CONNECT", connect),
        ("STYLE", STYLE),
        ("MODEL", &model_text),
        ("SCRIPT", &script),
    ];
    Ok(fill(SHELL, &parts))
}

/// A model as JSON.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    // numbers that are not finite become null; nothing else in a model can fail
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

/// Puts texts where the shell names them as `@NAME@`; what is put in is not looked at again.
fn fill(shell: &str, parts: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(shell.len() + parts.iter().map(|(_, t)| t.len()).sum::<usize>());
    let mut rest = shell;
    while let Some((before, after)) = rest.split_once('@') {
        out += before;
        let named = after.split_once('@').and_then(|(name, behind)| {
            let (_, text) = parts.iter().find(|(n, _)| *n == name)?;
            Some((text, behind))
        });
        match named {
            Some((text, behind)) => {
                out += text;
                rest = behind;
            }
            None => {
                out.push('@');
                rest = after;
            }
        }
    }
    out + rest
}

/// JSON that may stand in a script element: no text in it can end the element or open a comment there.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // only within texts, where an escape means the same
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "</script><script>alert(1)</script><!-- \u{2028}\u{2029} & @NONCE@ \"\\ ü";

    #[test]
    fn what_users_type_stays_text() {
        let model = Model {
            command: NASTY.into(),
            warnings: vec![NASTY.into()],
            ..Model::default()
        };
        let html = document(Some(&model)).unwrap();
        let (before, rest) = html
            .split_once(r#"<script id="model" type="application/json">"#)
            .unwrap();
        let (embedded, after) = rest.split_once("</script>").unwrap();
        assert!(!before.contains("alert(1)") && !after.contains("alert(1)"));
        assert!(!embedded.contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
        assert_eq!(serde_json::from_str::<Model>(embedded).unwrap(), model);
        assert_eq!(html.matches("@NONCE@").count(), 2, "only the two in the model");
    }

    #[test]
    fn the_page_asks_nobody() {
        let html = document(Some(&Model::default())).unwrap();
        for outside in ["http://", "https://", "@import", "url("] {
            let others = html.replace("http://www.w3.org/", "").replace("url(#", "");
            assert!(!others.contains(outside), "{outside}");
        }
        assert!(html.contains("connect-src 'none'"));
        assert!(document(None).unwrap().contains("connect-src 'self'"));
        assert_ne!(
            document(None).unwrap(),
            document(None).unwrap(),
            "a new mark each time"
        );
        for danger in [
            "innerHTML",
            "insertAdjacentHTML",
            "document.write",
            "outerHTML",
            "eval(",
        ] {
            assert!(!html.contains(danger), "{danger}");
        }
    }

    #[test]
    fn shells_are_filled_once() {
        let parts = [("A", "@B@"), ("B", "x")];
        assert_eq!(fill("@A@-@B@ a@b.c @A", &parts), "@B@-x a@b.c @A");
        assert_eq!(fill("@A@@B@", &parts), "@B@x");
        assert_eq!(fill("", &parts), "");
    }
}
