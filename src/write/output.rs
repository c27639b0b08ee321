//! The output of a run: encoders for the tasks, and the one place where their pieces meet.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::{FileWriter, StreamWriter};

use super::arrow_file::{self, IpcWriter};
use super::cells::Column;
use super::csv::Dialect;
use super::destination::{Destination, Failure};
use super::format::{Compression, Format, WriteOptions};
use super::json;
use super::markup::Markup;
use super::parquet::{self, Cut, GroupEncoder, ParquetFormat, Ready, RowGroup};
use super::table::{self, HeadTail};
use crate::error::{Error, Result};
use crate::kernel::{Batch, Width, types};
use crate::pipeline::Flow;

/// Where a result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file, replaced as a whole when all is written; a device or pipe is written directly.
    File(PathBuf),
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the result.
    pub rows: u64,
    /// Bytes that reached the target.
    pub bytes: u64,
    /// Values of CSV that are NaN, which read back as null.
    pub nans: u64,
}

/// Rows of one partition in the shape of the output, made by an [`Encoder`] for
/// [`Output::append`].
pub struct Encoded {
    rows: u64,
    nans: u64,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(Vec<u8>),
    Batches(Vec<Batch>),
    RowGroup(RowGroup),
    Table(HeadTail),
}

impl Encoded {
    /// Rows in it.
    pub fn rows(&self) -> u64 {
        self.rows
    }
    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.pieces.iter().map(Piece::bytes).sum()
    }
}

/// Turns the batches of one partition into their final shape, inside the partition's task.
pub trait Encoder: Send {
    /// Takes a batch.
    ///
    /// # Errors
    /// A value that the format cannot hold.
    fn push(&mut self, batch: &Batch) -> Result<()>;
    /// Bytes of memory held, for reservations.
    fn bytes(&self) -> usize;
    /// What is ready to be appended, if it is worth the trouble, so that a huge partition streams.
    /// Only for the partition whose turn it is.
    fn take(&mut self) -> Result<Option<Encoded>>;
    /// All that is left.
    fn finish(self: Box<Self>) -> Result<Encoded>;
}

/// An open result; owned by the coordinator.
pub struct Output {
    shape: Shape,
    sink: Sink,
    failure: Failure,
    rows: u64,
    nans: u64,
}

/// What an encoder must know.
#[derive(Clone)]
enum Shape {
    Text(Arc<TextShape>),
    Parquet(Arc<ParquetFormat>, Cut),
    Arrow(SchemaRef),
    Table(SchemaRef, WriteOptions),
}

impl Shape {
    fn encoder(&self) -> Result<Box<dyn Encoder>> {
        Ok(match self {
            Shape::Text(shape) => Box::new(TextEncoder {
                shape: shape.clone(),
                text: Vec::new(),
                rows: 0,
                nans: 0,
            }),
            Shape::Parquet(format, cut) => Box::new(ParquetEncoder {
                groups: GroupEncoder::of_task(format.clone(), *cut),
                ready: Vec::new(),
                rows: 0,
            }),
            Shape::Arrow(_) => Box::new(BatchEncoder::default()),
            Shape::Table(_, options) => Box::new(TableEncoder(HeadTail::new(options.max_table_rows))),
        })
    }
}

struct TextShape {
    kind: TextKind,
    names: Vec<String>,
    keys: Vec<Vec<u8>>,
    numeric: Vec<bool>,
    /// How its floats print.
    widths: Vec<Option<Width>>,
    float_digits: Option<usize>,
    null: String,
}

enum TextKind {
    Csv(Dialect),
    Json,
    JsonLines,
    Markup(Markup),
}

enum Sink {
    Text {
        to: Stream,
        begun: bool,
    },
    Parquet {
        file: Box<parquet::FileWriter>,
        small: GroupEncoder,
    },
    Arrow(IpcWriter),
    Table {
        to: Stream,
        rows: HeadTail,
    },
}

/// A destination behind an optional compressor.
enum Stream {
    Plain(Destination),
    Gzip(Box<flate2::write::GzEncoder<Destination>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Destination>>),
}

/// Makes encoders for an [`Output`], inside tasks on any thread.
#[derive(Clone)]
pub struct EncoderMaker(Shape);

impl EncoderMaker {
    /// An encoder for one partition.
    ///
    /// # Errors
    /// The format cannot hold a column's type.
    pub fn encoder(&self) -> Result<Box<dyn Encoder>> {
        self.0.encoder()
    }

    /// Whether rows become text one after the other, so that some may be handed on before others come.
    pub fn is_text(&self) -> bool {
        matches!(self.0, Shape::Text(_))
    }

    /// Rows that one encoder should see at least, to which end it may serve several partitions
    /// that follow one another; 0 where it makes no difference.
    pub fn wanted_rows(&self) -> u64 {
        match self.0 {
            Shape::Parquet(..) => parquet::GROUP_ROWS as u64,
            _ => 0,
        }
    }
}

impl Output {
    /// Rows that were appended.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What makes this output's encoders elsewhere.
    pub fn encoder_maker(&self) -> EncoderMaker {
        EncoderMaker(self.shape.clone())
    }

    /// Opens `target` for a result of the given schema. Nothing of it can be seen in a file
    /// before [`Output::finish`]; standard output gets its first bytes with the first rows.
    ///
    /// # Errors
    /// The target cannot be created, or the format cannot hold a column's type.
    pub fn create(
        target: Target,
        format: Format,
        schema: &SchemaRef,
        options: &WriteOptions,
    ) -> Result<Output> {
        let to = Destination::open(&target)?;
        let failure = to.failure();
        let wrap = |e: arrow::error::ArrowError| failure.or(|| Error::from(e));
        let (shape, sink) = match format {
            Format::Parquet => {
                let (file, shared) = parquet::create(to, schema, options)?;
                let sink = Sink::Parquet {
                    file: Box::new(file),
                    small: GroupEncoder::of_all(shared.clone(), Cut::Full),
                };
                (Shape::Parquet(shared, Cut::Full), sink)
            }
            Format::Arrow => {
                let written = arrow_file::written_schema(schema);
                let writer = match target {
                    Target::Stdout => {
                        IpcWriter::Stream(Box::new(StreamWriter::try_new(to, &written).map_err(wrap)?))
                    }
                    Target::File(_) => {
                        IpcWriter::File(Box::new(FileWriter::try_new(to, &written).map_err(wrap)?))
                    }
                };
                (Shape::Arrow(written), Sink::Arrow(writer))
            }
            Format::Table => {
                let to = Stream::new(to, &target, options)?;
                let rows = HeadTail::new(options.max_table_rows);
                (
                    Shape::Table(schema.clone(), options.clone()),
                    Sink::Table { to, rows },
                )
            }
            text => {
                let to = Stream::new(to, &target, options)?;
                let shape = TextShape::new(text, schema, options);
                (Shape::Text(Arc::new(shape)), Sink::Text { to, begun: false })
            }
        };
        Ok(Output {
            shape,
            sink,
            failure,
            rows: 0,
            nans: 0,
        })
    }

    /// Says, before any encoder is made, that the positions of batches number all rows: then row
    /// groups follow these numbers, and never how the rows come in tasks. False where the format
    /// has no use for them.
    pub fn rows_are_numbered(&mut self) -> bool {
        if let (Shape::Parquet(format, cut), Sink::Parquet { small, .. }) = (&mut self.shape, &mut self.sink)
        {
            *cut = Cut::Ranked;
            *small = GroupEncoder::of_all(format.clone(), *cut);
            return true;
        }
        false
    }

    /// An encoder for one partition; may go to another thread.
    ///
    /// # Errors
    /// The format cannot hold a column's type.
    pub fn encoder(&self) -> Result<Box<dyn Encoder>> {
        self.shape.encoder()
    }

    /// Bytes of rows that wait for more to be written with, and of what they will be written as, for reservations.
    pub fn held_bytes(&self) -> usize {
        match &self.sink {
            Sink::Parquet { small, .. } => small.bytes(),
            _ => 0,
        }
    }

    /// Writes the rows that wait; no more will come.
    ///
    /// # Errors
    /// As for [`Output::append`].
    pub fn flush(&mut self) -> Result<()> {
        if let Sink::Parquet { file, small } = &mut self.sink
            && let Some(group) = small.close()?
        {
            splice(file, group, &self.failure)?;
        }
        Ok(())
    }

    /// Appends the next piece; call it in the order of partitions.
    ///
    /// # Errors
    /// The target cannot be written; kind `BrokenPipe` when nobody reads it any more.
    pub fn append(&mut self, encoded: Encoded) -> Result<Flow> {
        self.rows += encoded.rows;
        self.nans += encoded.nans;
        for piece in encoded.pieces {
            self.append_piece(piece)?;
        }
        Ok(Flow::More)
    }

    fn append_piece(&mut self, piece: Piece) -> Result<()> {
        let Output {
            shape, sink, failure, ..
        } = self;
        match (sink, piece) {
            (Sink::Text { to, begun }, Piece::Text(text)) => {
                let text = match (&*shape, *begun) {
                    (Shape::Text(shape), false) if !text.is_empty() => {
                        to.write(&shape.prologue(), failure)?;
                        *begun = true;
                        &text[shape.separator_bytes()..]
                    }
                    _ => &text,
                };
                to.write(text, failure)
            }
            (Sink::Table { rows, .. }, Piece::Table(more)) => {
                rows.append(more);
                Ok(())
            }
            (Sink::Parquet { file, small }, Piece::Batches(batches)) => {
                for ready in batches.iter().map(|b| small.push(b)) {
                    for piece in ready?.into_iter().map(Piece::from) {
                        let Piece::RowGroup(group) = piece else {
                            return Err(Error::defect("a row group without its first rows"));
                        };
                        splice(file, group, failure)?;
                    }
                }
                Ok(())
            }
            (Sink::Parquet { file, small }, Piece::RowGroup(group)) => {
                if let Some(before) = small.close()? {
                    splice(file, before, failure)?;
                }
                splice(file, group, failure)
            }
            (Sink::Arrow(writer), Piece::Batches(batches)) => {
                let Shape::Arrow(schema) = &*shape else {
                    return Err(Error::defect("an Arrow sink without its schema"));
                };
                for batch in &batches {
                    let record = arrow_file::record_batch(batch, schema)?;
                    writer.write(&record).map_err(|e| failure.or(|| e.into()))?;
                }
                Ok(())
            }
            _ => Err(Error::defect("a piece of another output's encoder")),
        }
    }

    /// Writes what is held back, syncs, and renames a file into place.
    ///
    /// # Errors
    /// As for [`Output::append`]; after an error a file target is as it was before.
    pub fn finish(self) -> Result<Summary> {
        let Output {
            shape,
            sink,
            failure,
            rows,
            nans,
        } = self;
        let bytes = match sink {
            Sink::Text { mut to, begun } => {
                if let Shape::Text(shape) = &shape {
                    if !begun {
                        to.write(&shape.prologue(), &failure)?;
                    }
                    to.write(shape.epilogue(begun), &failure)?;
                }
                to.finish(&failure)?.commit()?
            }
            Sink::Table { mut to, rows } => {
                if let Shape::Table(schema, options) = &shape {
                    to.write(table::render(&rows, schema, options)?.as_bytes(), &failure)?;
                }
                to.finish(&failure)?.commit()?
            }
            Sink::Parquet { mut file, mut small } => {
                if let Some(last) = small.close()? {
                    splice(&mut file, last, &failure)?;
                }
                let to = file.into_inner().map_err(|e| failure.or(|| parquet::cannot(e)))?;
                to.commit()?
            }
            Sink::Arrow(writer) => writer.finish().map_err(|e| failure.or(|| e.into()))?.commit()?,
        };
        Ok(Summary { rows, bytes, nans })
    }
}

fn splice(file: &mut parquet::FileWriter, group: RowGroup, failure: &Failure) -> Result<()> {
    parquet::splice(file, group).map_err(|e| failure.or(|| parquet::cannot(e)))
}

impl Stream {
    fn new(to: Destination, target: &Target, options: &WriteOptions) -> Result<Stream> {
        let compression = match (&options.compression, target) {
            (None, Target::File(path)) => Compression::from_path(path),
            (None, Target::Stdout) => Compression::None,
            (Some(name), _) => match name.to_lowercase().as_str() {
                "gzip" | "gz" => Compression::Gzip,
                "zstd" | "zst" => Compression::Zstd,
                "none" => Compression::None,
                _ => {
                    return Err(
                        Error::usage(format!("unknown compression {name:?} of a text file"))
                            .help("use gzip, zstd or none"),
                    );
                }
            },
        };
        Ok(match compression {
            Compression::None => Stream::Plain(to),
            Compression::Gzip => {
                let level = flate2::Compression::default();
                Stream::Gzip(Box::new(flate2::write::GzEncoder::new(to, level)))
            }
            Compression::Zstd => {
                let failed = |e| Error::defect(format!("cannot start the zstd encoder: {e}"));
                let encoder = zstd::stream::write::Encoder::new(to, 3).map_err(failed)?;
                Stream::Zstd(Box::new(encoder))
            }
        })
    }

    fn write(&mut self, bytes: &[u8], failure: &Failure) -> Result<()> {
        let result = match self {
            Stream::Plain(w) => w.write_all(bytes),
            Stream::Gzip(w) => w.write_all(bytes),
            Stream::Zstd(w) => w.write_all(bytes),
        };
        result.map_err(|e| failure.or(|| Error::io("write", "the result".as_ref(), &e)))
    }

    fn finish(self, failure: &Failure) -> Result<Destination> {
        let result = match self {
            Stream::Plain(to) => Ok(to),
            Stream::Gzip(w) => w.finish(),
            Stream::Zstd(w) => w.finish(),
        };
        result.map_err(|e| failure.or(|| Error::io("write", "the result".as_ref(), &e)))
    }
}

impl TextShape {
    fn new(format: Format, schema: &SchemaRef, options: &WriteOptions) -> TextShape {
        let null = options.null.clone().unwrap_or_default();
        let csv = |delimiter| {
            TextKind::Csv(Dialect {
                delimiter,
                null: null.clone(),
                no_header: options.no_header,
            })
        };
        let kind = match format {
            Format::Tsv => csv(b'\t'),
            Format::Psv => csv(b'|'),
            Format::Json => TextKind::Json,
            Format::JsonLines => TextKind::JsonLines,
            Format::Markdown => TextKind::Markup(Markup::Markdown),
            Format::Html => TextKind::Markup(Markup::Html),
            _ => csv(b','),
        };
        let fields = schema.fields();
        TextShape {
            kind,
            names: fields.iter().map(|f| f.name().clone()).collect(),
            keys: fields.iter().map(|f| json::key(f.name())).collect(),
            numeric: fields.iter().map(|f| types::is_numeric(f.data_type())).collect(),
            widths: fields.iter().map(|f| Width::of_field(f)).collect(),
            float_digits: options.float_format,
            null,
        }
    }

    /// What comes before the first row.
    fn prologue(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.kind {
            TextKind::Csv(dialect) => dialect.header(&self.names, &mut out),
            TextKind::Json => out.push(b'['),
            TextKind::JsonLines => {}
            TextKind::Markup(m) => m.header(&self.names, &self.numeric, &mut out),
        }
        out
    }

    /// Bytes of the separator that each row starts with and the first must not.
    fn separator_bytes(&self) -> usize {
        usize::from(matches!(self.kind, TextKind::Json))
    }

    /// What comes after the last row, if there was any.
    fn epilogue(&self, rows: bool) -> &'static [u8] {
        match (&self.kind, rows) {
            (TextKind::Json, true) => b"\n]\n",
            (TextKind::Json, false) => b"]\n",
            (TextKind::Markup(m), _) => m.footer(),
            _ => b"",
        }
    }

    /// Appends the rows; answers how many values a CSV file does not tell from nulls.
    fn rows(&self, batch: &Batch, out: &mut Vec<u8>) -> Result<u64> {
        let columns = batch
            .columns
            .iter()
            .zip(&self.widths)
            .map(|(c, w)| Column::of_width(c, *w, self.float_digits))
            .collect::<Result<Vec<_>>>()?;
        match &self.kind {
            TextKind::Csv(dialect) => {
                dialect.rows(&columns, batch.rows, out)?;
                return Ok(columns.iter().map(Column::nans).sum());
            }
            TextKind::Json => json::rows(&self.keys, &columns, batch.rows, (b",\n", b""), out)?,
            TextKind::JsonLines => json::rows(&self.keys, &columns, batch.rows, (b"", b"\n"), out)?,
            TextKind::Markup(m) => m.rows(&columns, &self.numeric, batch.rows, &self.null, out)?,
        }
        Ok(0)
    }
}

/// Text that is worth handing on before the partition is over.
const PIECE_BYTES: usize = 1 << 20;

struct TextEncoder {
    shape: Arc<TextShape>,
    text: Vec<u8>,
    rows: u64,
    nans: u64,
}

impl TextEncoder {
    fn drain(&mut self) -> Encoded {
        Encoded {
            nans: std::mem::take(&mut self.nans),
            rows: std::mem::take(&mut self.rows),
            pieces: vec![Piece::Text(std::mem::take(&mut self.text))],
        }
    }
}

impl Encoder for TextEncoder {
    fn push(&mut self, batch: &Batch) -> Result<()> {
        self.rows += batch.rows as u64;
        let more = batch.payload();
        if more > PIECE_BYTES {
            // few large rows: doubling would take up to twice their bytes
            self.text.reserve_exact(more + more / 64);
        } else if self.text.len() > PIECE_BYTES / 16 {
            // many rows: room for a whole piece, rather than doubling up to it
            self.text
                .reserve((PIECE_BYTES * 3 / 2).saturating_sub(self.text.len()));
        }
        self.nans += self.shape.rows(batch, &mut self.text)?;
        Ok(())
    }
    fn bytes(&self) -> usize {
        self.text.capacity()
    }
    fn take(&mut self) -> Result<Option<Encoded>> {
        Ok((!self.text.is_empty()).then(|| self.drain()))
    }
    fn finish(mut self: Box<Self>) -> Result<Encoded> {
        Ok(self.drain())
    }
}

struct ParquetEncoder {
    groups: GroupEncoder,
    ready: Vec<Piece>,
    rows: u64,
}

impl Encoder for ParquetEncoder {
    fn push(&mut self, batch: &Batch) -> Result<()> {
        self.rows += batch.rows as u64;
        self.ready
            .extend(self.groups.push(batch)?.into_iter().map(Piece::from));
        Ok(())
    }
    fn bytes(&self) -> usize {
        self.groups.bytes() + self.ready.iter().map(Piece::bytes).sum::<usize>()
    }
    fn take(&mut self) -> Result<Option<Encoded>> {
        if self.ready.is_empty() {
            return Ok(None);
        }
        let pieces = std::mem::take(&mut self.ready);
        let rows = pieces.iter().map(Piece::parquet_rows).sum();
        self.rows -= rows;
        Ok(Some(Encoded {
            nans: 0,
            rows,
            pieces,
        }))
    }
    fn finish(mut self: Box<Self>) -> Result<Encoded> {
        self.ready.extend(self.groups.finish()?.map(Piece::from));
        Ok(Encoded {
            nans: 0,
            rows: self.rows,
            pieces: self.ready,
        })
    }
}

impl From<Ready> for Piece {
    fn from(ready: Ready) -> Piece {
        match ready {
            Ready::Group(group) => Piece::RowGroup(group),
            Ready::Part(batches) => Piece::Batches(batches),
        }
    }
}

impl Piece {
    fn bytes(&self) -> usize {
        match self {
            Piece::RowGroup(g) => g.bytes(),
            Piece::Text(t) => t.capacity(),
            Piece::Batches(b) => b.iter().map(Batch::bytes).sum(),
            Piece::Table(t) => t.bytes(),
        }
    }
    fn parquet_rows(&self) -> u64 {
        match self {
            Piece::RowGroup(g) => g.rows(),
            Piece::Batches(b) => b.iter().map(|b| b.rows as u64).sum(),
            _ => 0,
        }
    }
}

#[derive(Default)]
struct BatchEncoder {
    batches: Vec<Batch>,
    bytes: usize,
}

impl BatchEncoder {
    fn drain(&mut self) -> Encoded {
        self.bytes = 0;
        let batches = std::mem::take(&mut self.batches);
        Encoded {
            nans: 0,
            rows: batches.iter().map(|b| b.rows as u64).sum(),
            pieces: vec![Piece::Batches(batches)],
        }
    }
}

impl Encoder for BatchEncoder {
    fn push(&mut self, batch: &Batch) -> Result<()> {
        if batch.rows > 0 {
            self.bytes += batch.bytes();
            self.batches.push(batch.clone());
        }
        Ok(())
    }
    fn bytes(&self) -> usize {
        self.bytes
    }
    fn take(&mut self) -> Result<Option<Encoded>> {
        Ok((!self.batches.is_empty()).then(|| self.drain()))
    }
    fn finish(mut self: Box<Self>) -> Result<Encoded> {
        Ok(self.drain())
    }
}

struct TableEncoder(HeadTail);

impl Encoder for TableEncoder {
    fn push(&mut self, batch: &Batch) -> Result<()> {
        self.0.push(batch);
        Ok(())
    }
    fn bytes(&self) -> usize {
        self.0.bytes()
    }
    fn take(&mut self) -> Result<Option<Encoded>> {
        Ok(None)
    }
    fn finish(self: Box<Self>) -> Result<Encoded> {
        Ok(Encoded {
            nans: 0,
            rows: self.0.rows,
            pieces: vec![Piece::Table(self.0)],
        })
    }
}
