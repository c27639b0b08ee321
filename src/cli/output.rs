//! Where rows go and in which format: what the flags say, else what the target tells.

use std::io::IsTerminal;
use std::path::Path;

use super::args::{Color, OutputArgs};
use crate::error::{Error, Result};
use crate::write::{Format, Target, WriteOptions};

/// Rows that a table on a terminal shows at most.
const TABLE_ROWS: usize = 60;

/// Target, format and options.
pub fn choose(args: &OutputArgs, color: Color) -> Result<(Target, Format, WriteOptions)> {
    let terminal = std::io::stdout().is_terminal();
    let file = args.output.as_deref().filter(|p| *p != Path::new("-"));
    let format = match named(args)? {
        Some(f) => f,
        None => match file {
            Some(path) => Format::from_path(path).ok_or_else(|| {
                Error::usage(format!("cannot tell a format from the name {}", path.display()))
                    .help("say it with --format")
            })?,
            None if terminal => Format::Table,
            None => Format::Csv,
        },
    };
    if file.is_none() && terminal && format.is_binary() {
        let e = Error::usage(format!("{} would garble the terminal", format.name()));
        return Err(e.help("write it to a file with -o"));
    }
    let colored = match color {
        Color::Always => true,
        Color::Never => false,
        _ => terminal && file.is_none() && std::env::var_os("NO_COLOR").is_none(),
    };
    let on_screen = terminal && file.is_none();
    let options = WriteOptions {
        compression: args.compression.clone(),
        float_format: args.float_format,
        normalize: args.normalize,
        max_table_rows: on_screen.then_some(TABLE_ROWS),
        table_width: if on_screen { width() } else { None },
        color: colored,
        ..WriteOptions::default()
    };
    let target = match file {
        Some(path) => Target::File(path.to_path_buf()),
        None => Target::Stdout,
    };
    Ok((target, format, options))
}

fn named(args: &OutputArgs) -> Result<Option<Format>> {
    let short = [
        (args.csv, Format::Csv),
        (args.json, Format::Json),
        (args.jsonl, Format::JsonLines),
        (args.md, Format::Markdown),
        (args.table, Format::Table),
    ];
    match (&args.format, short.iter().find(|(on, _)| *on)) {
        (Some(name), _) => Format::from_name(name).map(Some),
        (None, Some((_, f))) => Ok(Some(*f)),
        (None, None) => Ok(None),
    }
}

fn width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    columns.or_else(|| terminal_size::terminal_size().map(|(w, _)| usize::from(w.0)))
}
