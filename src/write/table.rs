//! Tables for people: aligned, framed, with the shape below; cut only when told so.
//!
//! ```text
//!   ┌────────┬────────────────┐
//!   │ Origin ┆ DepDelay_mean  │      at most `max_table_rows` rows: the head, a row of `…`, the tail
//!   ╞════════╪════════════════╡      at most `table_width` columns of the terminal: columns are left
//!   │ EWR    ┆ 15.1           │      out in the middle, and the footer says so
//!   └────────┴────────────────┘
//!   3 rows × 2 columns
//! ```

use std::collections::VecDeque;

use arrow::datatypes::SchemaRef;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};

use super::WriteOptions;
use super::cells::Column;
use crate::error::{Result, is_invisible};
use crate::kernel::{Batch, Width, types};

/// The first and last rows of a stream, and how many there were.
#[derive(Debug, Default)]
pub(super) struct HeadTail {
    max: Option<usize>,
    head: Vec<Batch>,
    head_rows: usize,
    tail: VecDeque<Batch>,
    tail_rows: usize,
    pub(super) rows: u64,
}

impl HeadTail {
    /// Keeps at most `max` rows at each end, all without a limit.
    pub(super) fn new(max: Option<usize>) -> Self {
        HeadTail {
            max,
            ..HeadTail::default()
        }
    }

    pub(super) fn push(&mut self, batch: &Batch) {
        self.rows += batch.rows as u64;
        let room = self.max.map_or(usize::MAX, |m| m - self.head_rows);
        let first = batch.rows.min(room);
        if first > 0 {
            self.head.push(batch.slice(0, first));
            self.head_rows += first;
        }
        if first < batch.rows {
            self.push_tail(batch.slice(first, batch.rows - first));
        }
    }

    fn push_tail(&mut self, batch: Batch) {
        let keep = self.max.unwrap_or(0);
        let skip = batch.rows.saturating_sub(keep);
        self.tail_rows += batch.rows - skip;
        self.tail.push_back(batch.slice(skip, batch.rows - skip));
        while let Some(front) = self.tail.front() {
            if self.tail_rows - front.rows < keep {
                break;
            }
            self.tail_rows -= front.rows;
            self.tail.pop_front();
        }
    }

    /// Appends what came later in the order of rows.
    pub(super) fn append(&mut self, later: HeadTail) {
        let kept = (later.head_rows + later.tail_rows) as u64;
        let left_out = later.rows - kept;
        later.head.iter().for_each(|b| self.push(b));
        // rows were left out only behind a full head, so ours is full too
        self.rows += left_out;
        later.tail.iter().for_each(|b| self.push(b));
    }

    pub(super) fn bytes(&self) -> usize {
        self.head.iter().chain(&self.tail).map(Batch::bytes).sum()
    }

    /// The rows to show: head, and tail if rows between them are left out.
    fn shown(&self) -> (Vec<Batch>, Vec<Batch>) {
        let Some(max) = self.max.filter(|m| self.rows > *m as u64) else {
            return (self.head.clone(), Vec::new());
        };
        let (head, tail) = (max.div_ceil(2), max / 2);
        let mut first = Vec::new();
        let mut need = head;
        for b in &self.head {
            let n = b.rows.min(need);
            need -= n;
            first.push(b.slice(0, n));
        }
        let mut last = VecDeque::new();
        let mut need = tail;
        for b in self.tail.iter().rev().chain(self.head.iter().rev()) {
            let n = b.rows.min(need);
            need -= n;
            last.push_front(b.slice(b.rows - n, n));
        }
        (first, last.into())
    }
}

/// Lays the rows out.
pub(super) fn render(rows: &HeadTail, schema: &SchemaRef, options: &WriteOptions) -> Result<String> {
    let (head, tail) = rows.shown();
    let widest = options.table_width.map(|w| (w / 2).max(20));
    let mut lines = Vec::new();
    text_rows(&head, schema, options, widest, &mut lines)?;
    let gap = lines.len();
    text_rows(&tail, schema, options, widest, &mut lines)?;
    let shown = lines.len() as u64;
    if shown < rows.rows {
        lines.insert(gap, vec![Some("…".to_string()); schema.fields().len()]);
    }
    let keep = columns_that_fit(schema, &lines, options.table_width);
    let mut out = String::new();
    if !schema.fields().is_empty() {
        out = layout(schema, &lines, &keep, options).to_string();
        out.push('\n');
    }
    out.push_str(&footer(rows.rows, shown, schema.fields().len(), keep.len()));
    out.push('\n');
    Ok(out)
}

type Line = Vec<Option<String>>;

fn text_rows(
    batches: &[Batch],
    schema: &SchemaRef,
    options: &WriteOptions,
    widest: Option<usize>,
    lines: &mut Vec<Line>,
) -> Result<()> {
    for batch in batches {
        let columns = batch
            .columns
            .iter()
            .zip(schema.fields())
            .map(|(c, f)| Column::of_width(c, Width::of_field(f), options.float_format))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.rows {
            let mut line = Vec::with_capacity(columns.len());
            for column in &columns {
                if column.is_null(row) {
                    line.push(None);
                    continue;
                }
                let mut text = Vec::new();
                column.write(row, &mut text)?;
                line.push(Some(printable(&String::from_utf8_lossy(&text), widest)));
            }
            lines.push(line);
        }
    }
    Ok(())
}

/// Without characters that move the cursor or turn the text around, cut to `widest` characters.
fn printable(text: &str, widest: Option<usize>) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        if widest.is_some_and(|w| i >= w) {
            out.push('…');
            break;
        }
        match is_invisible(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// All columns if they fit, else as many as fit, from both ends.
fn columns_that_fit(schema: &SchemaRef, lines: &[Line], width: Option<usize>) -> Vec<usize> {
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let Some(width) = width else { return all };
    let plain = WriteOptions::default();
    let widths = layout(schema, lines, &all, &plain).column_max_content_widths();
    // each column has a blank on both sides and one line
    let cost = |i: &usize| widths[*i] as usize + 3;
    if all.iter().map(cost).sum::<usize>() < width {
        return all;
    }
    let (mut front, mut back) = (vec![0], Vec::new());
    let mut room = width.saturating_sub(1 + 4 + cost(&0));
    let (mut a, mut b) = (1, all.len());
    while a < b {
        let from_front = front.len() <= back.len();
        let next = if from_front { a } else { b - 1 };
        if cost(&next) > room {
            break;
        }
        room -= cost(&next);
        match from_front {
            true => {
                front.push(next);
                a += 1;
            }
            false => {
                back.push(next);
                b -= 1;
            }
        }
    }
    front.extend(back.into_iter().rev());
    front
}

fn layout(schema: &SchemaRef, lines: &[Line], keep: &[usize], options: &WriteOptions) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    match options.color {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    let alignment = |i: usize| match types::is_numeric(schema.field(i).data_type()) {
        true => CellAlignment::Right,
        false => CellAlignment::Left,
    };
    let gap = keep.windows(2).position(|w| w[1] != w[0] + 1);
    // columns may also be missing at the very end
    let gap = gap.or((keep.len() < schema.fields().len()).then(|| keep.len() - 1));
    let with_gap = |cells: Vec<Cell>| {
        let mut cells = cells;
        if let Some(at) = gap {
            cells.insert(at + 1, Cell::new("…"));
        }
        cells
    };
    let header = keep.iter().map(|&i| {
        Cell::new(printable(schema.field(i).name(), None))
            .add_attribute(Attribute::Bold)
            .set_alignment(alignment(i))
    });
    table.set_header(with_gap(header.collect()));
    let null = options.null.as_deref().unwrap_or("NULL");
    for line in lines {
        let cells = keep.iter().map(|&i| match &line[i] {
            Some(text) => Cell::new(text).set_alignment(alignment(i)),
            None => Cell::new(null)
                .add_attribute(Attribute::Dim)
                .set_alignment(alignment(i)),
        });
        table.add_row(with_gap(cells.collect()));
    }
    table
}

fn footer(rows: u64, shown: u64, columns: usize, columns_shown: usize) -> String {
    let plural = |n: u64, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{} {what}s", thousands(n)),
    };
    let mut text = format!("{} × {}", plural(rows, "row"), plural(columns as u64, "column"));
    match (shown < rows, columns_shown < columns) {
        (true, true) => text += &format!(" ({} rows and {columns_shown} columns shown)", thousands(shown)),
        (true, false) => text += &format!(" ({} shown)", thousands(shown)),
        (false, true) => text += &format!(" ({columns_shown} columns shown)"),
        (false, false) => {}
    }
    text
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
