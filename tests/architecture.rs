//! The rooms of `src/` and the one-way flow between them: which room may use which, how long a file may
//! be, and where `unsafe` may live.
//!
//! The table is DESIGN's §2 made exact: `error` is for everyone, and so are `kernel`'s batches, types
//! and scalars, in which everything from plans to files is expressed. Unit tests (files named `tests.rs`,
//! and what follows `#[cfg(test)]`) may use what they like.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each room and the rooms it may use besides itself and `error`; lowest first.
const ROOMS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("observe", &[]),
    ("dashboard", &["observe"]),
    ("kernel", &[]),
    ("memory", &["observe"]),
    ("tasks", &["observe"]),
    ("expr", &["kernel"]),
    ("pipeline", &["kernel", "memory", "observe"]),
    ("source", &["pipeline", "expr", "kernel", "memory", "observe"]),
    ("plan", &["expr", "kernel", "source"]),
    ("optimize", &["plan", "expr", "kernel"]),
    ("operate", &["pipeline", "expr", "kernel", "memory", "observe"]),
    ("write", &["pipeline", "expr", "kernel"]),
    (
        "graph",
        &[
            "tasks", "plan", "pipeline", "source", "operate", "write", "expr", "memory", "kernel", "observe",
        ],
    ),
    (
        "schedule",
        &[
            "tasks", "graph", "pipeline", "memory", "observe", "kernel", "write",
        ],
    ),
    (
        "frame",
        &[
            "tasks", "plan", "expr", "optimize", "graph", "schedule", "source", "write", "pipeline",
            "memory", "observe", "kernel",
        ],
    ),
    (
        "sql",
        &["frame", "plan", "expr", "source", "pipeline", "write", "kernel"],
    ),
    (
        "cli",
        &[
            "sql",
            "frame",
            "expr",
            "graph",
            "schedule",
            "source",
            "write",
            "pipeline",
            "observe",
            "kernel",
            "dashboard",
        ],
    ),
];

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") {
                into.push(path);
            }
        }
    }
    let mut list = Vec::new();
    walk(&root(), &mut list);
    list.sort();
    assert!(list.len() > 50, "{} files found", list.len());
    list
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The room of a file: the first part of its path below `src/`.
fn room(path: &Path) -> String {
    let first = path.strip_prefix(root()).unwrap().components().next().unwrap();
    first
        .as_os_str()
        .to_str()
        .unwrap()
        .trim_end_matches(".rs")
        .to_string()
}

/// The code of a file, line by line, without comments and without its unit tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    let name = path.file_name().unwrap();
    let inside = path.strip_prefix(root()).unwrap();
    if name == "tests.rs" || inside.components().any(|c| c.as_os_str() == "tests") {
        return Vec::new();
    }
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // unit tests are at the end of a file
    let end = (0..lines.len())
        .find(|&i| {
            lines[i].starts_with("#[cfg(test)]")
                && lines.get(i + 1).is_some_and(|l| l.trim_end().ends_with('{'))
        })
        .unwrap_or(lines.len());
    let numbered = lines[..end].iter().enumerate();
    numbered
        .map(|(i, l)| (i + 1, l.split("//").next().unwrap().to_string()))
        .collect()
}

/// The rooms that a line names after `crate::`.
fn used(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (i, _) in line.match_indices("crate::") {
        let rest = &line[i + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        for n in names {
            let name: String = n
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if name.starts_with(|c: char| c.is_ascii_lowercase()) {
                found.push(name);
            }
        }
    }
    found
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let allowed = |room: &str| ROOMS.iter().find(|(r, _)| *r == room).map(|(_, a)| *a);
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for path in sources() {
        let room = room(&path);
        if matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        let Some(may) = allowed(&room) else {
            wrong.push(format!("{}: the room {room} is not in the table", path.display()));
            continue;
        };
        for (line, text) in code(&path) {
            for other in used(&text) {
                seen.insert((room.clone(), other.clone()));
                if other != room && other != "error" && !may.contains(&other.as_str()) {
                    wrong.push(format!("{}:{line}: {room} may not use {other}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        seen.len() > 40,
        "only {} uses were seen: this test looks at the wrong place",
        seen.len()
    );
}

#[test]
fn the_table_flows_one_way() {
    for (i, (room, may)) in ROOMS.iter().enumerate() {
        for m in *may {
            let below = ROOMS[..i].iter().any(|(r, _)| r == m);
            assert!(below, "{room} may use {m}, which is not below it");
        }
    }
}

#[test]
fn every_room_opens_with_an_essay() {
    for (room, _) in ROOMS {
        let file = [
            root().join(room).join("mod.rs"),
            root().join(format!("{room}.rs")),
        ];
        let text = file.iter().find_map(|f| std::fs::read_to_string(f).ok()).unwrap();
        assert!(
            text.lines().take_while(|l| l.starts_with("//!")).count() >= 1,
            "{room} has no essay"
        );
    }
}

#[test]
fn files_are_short() {
    const MOST: usize = 800;
    for path in sources() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines <= MOST,
            "{} has {lines} lines, more than {MOST}",
            path.display()
        );
    }
}

#[test]
fn unsafe_lives_in_one_room() {
    let raw = root().join("kernel").join("raw");
    let mut inside = 0;
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (i, line) in text.lines().enumerate() {
            let line = line.split("//").next().unwrap();
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if !words.any(|w| w == "unsafe" || w == "unsafe_code") {
                continue;
            }
            inside += usize::from(path.starts_with(&raw));
            let opens = path == root().join("kernel/mod.rs") && line.contains("allow(unsafe_code)");
            assert!(
                path.starts_with(&raw) || opens,
                "unsafe at {}:{}",
                path.display(),
                i + 1
            );
        }
    }
    assert!(
        inside > 0,
        "kernel::raw moved: this test looks at the wrong place"
    );
}
