//! One CSV file: what sniffing found out about it, and how its bytes are opened.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::exact::Marks;
use super::flow;
use super::lines::{Counter, Lines};
use super::met::Met;
use super::windows::{Windows, count_quotes};
use crate::error::{Error, Kind, Result, plain_io};
use crate::memory::{Budget, Live, Retries, is_transient};
use crate::source::stdin::Once;
use crate::source::{hive, paths};

/// How a file's bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

impl Packing {
    /// By the magic bytes.
    pub(crate) fn of(head: &[u8]) -> Packing {
        match head {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Packing::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            [0x04, 0x22, 0x4d, 0x18, ..] => Packing::Lz4,
            _ => Packing::Plain,
        }
    }
}

/// What is known of a file, as plain data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FileInfo {
    /// As the user named it.
    #[serde(with = "paths")]
    pub path: PathBuf,
    /// Bytes as stored.
    pub size: u64,
    pub packing: Packing,
    /// A label of `encoding_rs` (with `utf8-lossy` for one), or none for UTF-8.
    pub encoding: Option<String>,
    pub delimiter: u8,
    /// Where the records begin, in decoded bytes.
    pub data_start: u64,
    /// The columns of the header, made unique.
    pub names: Vec<String>,
    /// So many lines stand before what looks more like a header than the first line does.
    #[serde(default)]
    pub lines_before_header: Option<u64>,
}

impl FileInfo {
    /// Whether the bytes must be streamed, so that the file is one partition.
    pub(crate) fn streamed(&self) -> bool {
        self.packing != Packing::Plain || self.encoding.is_some()
    }
}

/// What opening a file found out.
pub(crate) struct Found {
    pub info: FileInfo,
    /// Where its bytes come from, if it can be read only once.
    pub once: Option<Once>,
    /// The lines before the data.
    pub begin: Counter,
}

/// A file of a dataset, shared by its tasks.
#[derive(Debug)]
pub(crate) struct CsvFile {
    pub info: FileInfo,
    pub marks: Marks,
    /// Bytes of a partition; nothing is written down for each.
    blocksize: u64,
    parts: usize,
    chain: OnceLock<Chain>,
    /// Tasks that begin before it is known whether they begin inside quotes must be certain: a guess was wrong.
    certain: AtomicBool,
    /// Structure cannot be told from quote parities.
    irregular: AtomicBool,
    /// That turned out while tasks read as if it could.
    surprised: AtomicBool,
    /// Exact record starts of the partitions, once they were needed.
    starts: OnceLock<Result<Vec<u64>>>,
    /// Where its bytes come from, if it can be read only once.
    pub once: Option<Once>,
    /// Lines of what comes and is not kept.
    pub lines: Lines,
    retries: Retries,
    /// The memory of the run that reads it now.
    budget: Mutex<Option<Budget>>,
    /// What readers of the records met.
    pub met: Met,
    /// What its folders say: names and values, where it has one.
    folders: Vec<(String, Option<String>)>,
}

/// Bytes that can be read in order or anywhere. Clones share the open file.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    bytes: Bytes,
    path: Arc<Path>,
    retries: Retries,
}

#[derive(Debug, Clone)]
enum Bytes {
    File(Arc<File>),
    Live(Arc<Live>),
}

impl Handle {
    /// Reads until `buf` is full or the file ends.
    pub(crate) fn read_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while !buf.is_empty() {
            let n = self.read_some(buf, offset)?;
            if n == 0 {
                break;
            }
            done += n;
            offset += n as u64;
            buf = &mut buf[n..];
        }
        Ok(done)
    }

    /// Reads what is there; nothing at the end.
    fn read_some(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.bytes {
            Bytes::Live(live) => live.read_at(buf, offset),
            Bytes::File(file) => self.retries.read(
                || self.path.display().to_string(),
                offset,
                || reread(file, &self.path, |f| f.read_at(buf, offset)),
            ),
        }
    }

    /// Its bytes, if their number is known.
    pub(crate) fn size(&self) -> Result<Option<u64>> {
        match &self.bytes {
            Bytes::Live(live) => Ok(live.known_len()),
            Bytes::File(file) => {
                let found = file.metadata().map_err(|e| Error::io("read", &self.path, &e))?;
                Ok(Some(found.len()))
            }
        }
    }
}

/// Reads; from the file opened anew where a server has forgotten the open one.
fn reread<T>(file: &File, path: &Path, mut read: impl FnMut(&File) -> io::Result<T>) -> io::Result<T> {
    match read(file) {
        Err(e) if e.raw_os_error() == Some(libc::ESTALE) => read(&File::open(path)?),
        other => other,
    }
}

/// A handle as a stream.
struct Sequential {
    handle: Handle,
    at: u64,
}

impl Read for Sequential {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.handle.read_some(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// All frames of an LZ4 file: the decoder stops after each.
struct Lz4Frames(lz4_flex::frame::FrameDecoder<io::BufReader<Sequential>>);

impl Read for Lz4Frames {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.0.read(buf)?;
            if n > 0 || buf.is_empty() || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(n);
            }
        }
    }
}

/// Text in another encoding, turned into UTF-8 on its way.
struct Transcoder {
    from: Box<dyn Read + Send>,
    decoder: encoding_rs::Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    given: usize,
    ended: bool,
    /// Whether bytes that mean nothing become U+FFFD, instead of an error.
    lossy: bool,
}

impl Read for Transcoder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.given == self.output.len() && !self.ended {
            self.input.resize(1 << 16, 0);
            let n = self.from.read(&mut self.input)?;
            self.ended = n == 0;
            self.output.clear();
            self.given = 0;
            let most = self.decoder.max_utf8_buffer_length(n).unwrap_or(1 << 20);
            self.output.resize(most, 0);
            let (_, _, written, replaced) =
                self.decoder
                    .decode_to_utf8(&self.input[..n], &mut self.output, self.ended);
            self.output.truncate(written);
            if replaced && !self.lossy {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "bytes that its encoding does not have",
                ));
            }
        }
        let n = buf.len().min(self.output.len() - self.given);
        buf[..n].copy_from_slice(&self.output[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}

/// The decoded bytes of a file from its start.
pub(crate) fn stream(
    handle: Handle,
    packing: Packing,
    encoding: Option<&str>,
) -> Result<Box<dyn Read + Send>> {
    let raw = Sequential { handle, at: 0 };
    let unpacked: Box<dyn Read + Send> = match packing {
        Packing::Plain => Box::new(raw),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(
            1 << 16,
            raw,
        ))),
        Packing::Zstd => Box::new(
            zstd::stream::read::Decoder::new(raw)
                .map_err(|e| Error::input(format!("zstd: {}", plain_io(&e))))?,
        ),
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(raw)),
        Packing::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(raw)),
        Packing::Lz4 => Box::new(Lz4Frames(lz4_flex::frame::FrameDecoder::new(
            io::BufReader::with_capacity(1 << 16, raw),
        ))),
    };
    let Some(label) = encoding else {
        return Ok(unpacked);
    };
    let decoder = match label {
        "utf8-lossy" => encoding_rs::UTF_8.new_decoder_with_bom_removal(),
        _ => encoding_rs::Encoding::for_label(label.as_bytes())
            .ok_or_else(|| {
                Error::usage(format!("there is no encoding '{label}'"))
                    .help("try latin1, windows-1252, utf-16le or utf8-lossy")
            })?
            .new_decoder_with_bom_removal(),
    };
    Ok(Box::new(Transcoder {
        from: unpacked,
        decoder,
        input: Vec::new(),
        output: Vec::new(),
        given: 0,
        ended: false,
        lossy: label == "utf8-lossy",
    }))
}

impl CsvFile {
    pub(crate) fn new(found: Found, mut marks: Marks, blocksize: u64) -> Self {
        let Found { info, once, begin } = found;
        let blocksize = blocksize.max(1);
        let parts = match info.streamed() {
            true if matches!(once, Some(Once::Live(_))) => flow::PARTS,
            true => 1,
            false if info.size == flow::UNKNOWN => flow::PARTS,
            false => {
                let blocks = info.size.saturating_sub(info.data_start).div_ceil(blocksize);
                blocks.max(1) as usize
            }
        };
        marks.delimiter = info.delimiter;
        CsvFile {
            blocksize,
            parts,
            chain: OnceLock::new(),
            certain: AtomicBool::new(false),
            surprised: AtomicBool::new(false),
            irregular: AtomicBool::new(marks.are_rare()),
            folders: hive::pairs(&info.path),
            info,
            marks,
            starts: OnceLock::new(),
            once,
            lines: Lines::behind(begin),
            retries: Retries::default(),
            budget: Mutex::default(),
            met: Met::default(),
        }
    }

    /// The same with retries that are counted with those of others.
    pub(crate) fn with_retries(self, retries: &Retries) -> Self {
        CsvFile {
            retries: retries.clone(),
            ..self
        }
    }

    /// What its folders say of a name; nothing where none has it.
    pub(crate) fn folder(&self, name: &str) -> Option<Option<&str>> {
        let found = self.folders.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_deref())
    }

    /// Has whoever reads it from now on ask this budget for memory.
    pub(crate) fn use_budget(&self, budget: &Budget) {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner) = Some(budget.clone());
    }

    /// Whom to ask for memory; nobody before a run begins.
    pub(crate) fn budget(&self) -> Option<Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of partitions.
    pub(crate) fn parts(&self) -> usize {
        self.parts
    }

    /// Bytes of a partition.
    pub(crate) fn blocksize(&self) -> u64 {
        self.blocksize
    }

    /// Where a partition begins (before the first record start is found); behind the last, the end
    /// of the file.
    pub(crate) fn bound(&self, part: usize) -> u64 {
        let info = &self.info;
        match part < self.parts {
            true => info.data_start + part as u64 * self.blocksize,
            false if info.streamed() || self.live().is_some() => u64::MAX,
            false => info.size.max(info.data_start),
        }
    }

    /// An error where the file ends before it should: somebody cut it since the query was planned, and the rows
    /// that are left are not an answer.
    pub(crate) fn check_end(&self, at: u64) -> Result<()> {
        let (path, size) = (self.info.path.display(), self.info.size);
        if at >= size {
            return Ok(());
        }
        let what = format!("{path} became shorter while it was read: it ends after {at} of {size} bytes");
        Err(Error::input(what).help("ask again once nothing writes to it"))
    }

    /// The quotes of its partitions.
    pub(crate) fn chain(&self) -> &Chain {
        self.chain.get_or_init(|| Chain::new(self.parts))
    }

    /// Whether tasks may guess whether they begin inside quotes.
    pub(crate) fn guesses(&self) -> bool {
        !self.certain.load(Relaxed)
    }

    /// Ends with an error of kind `Replan` if guesses do not hold; none are made any more.
    pub(crate) fn judge(&self, hold: bool) -> Result<()> {
        if hold {
            return Ok(());
        }
        self.certain.store(true, Relaxed);
        self.met.forget();
        Err(Error::new(Kind::Replan, "newlines within quotes"))
    }

    /// Whether everything holds that tasks took for granted where they could not know: where records start, and
    /// that quotes tell it. An answer of false is given once.
    ///
    /// # Errors
    /// As reading does.
    pub(crate) fn guesses_hold(&self) -> Result<bool> {
        if self.surprised.swap(false, Relaxed) {
            return Ok(false);
        }
        let (Some(chain), Some(quote)) = (self.chain.get(), self.marks.quote) else {
            return Ok(true);
        };
        let hold = chain.holds(|part| count_quotes(self, &self.handle()?, part, quote))?;
        self.certain.fetch_or(!hold, Relaxed);
        if !hold {
            self.met.forget();
        }
        Ok(hold)
    }

    /// A handle of its own for a task.
    pub(crate) fn handle(&self) -> Result<Handle> {
        open(&self.info.path, self.once.as_ref(), &self.retries)
    }

    /// What it is read from as it comes.
    pub(crate) fn live(&self) -> Option<&Arc<Live>> {
        match &self.once {
            Some(Once::Live(live)) => Some(live),
            _ => None,
        }
    }

    /// Whether tasks find out by themselves where its partitions begin.
    pub(crate) fn is_cut_by_tasks(&self) -> bool {
        self.parts > 1 && self.live().is_none()
    }

    /// Whether the exact reader is needed.
    pub(crate) fn is_irregular(&self) -> bool {
        self.irregular.load(Relaxed)
    }

    /// Remembers that the exact reader is needed.
    pub(crate) fn set_irregular(&self) {
        self.surprised.store(self.live().is_none(), Relaxed);
        self.irregular.store(true, Relaxed);
        if self.is_cut_by_tasks() {
            self.met.forget(); // else the same reader goes on
        }
    }

    /// Where the records of each partition begin, by one sequential pass.
    pub(crate) fn exact_starts(self: &Arc<Self>) -> Result<&[u64]> {
        let starts = self.starts.get_or_init(|| {
            let mut starts = vec![self.bound(0)];
            let mut windows = Windows::whole(self)?;
            while windows.next()? {
                for at in windows.record_starts() {
                    while starts.len() < self.parts() && at >= self.bound(starts.len()) {
                        starts.push(at);
                    }
                }
            }
            starts.resize(self.parts + 1, self.bound(self.parts));
            Ok(starts)
        });
        match starts {
            Ok(starts) => Ok(starts),
            Err(e) => Err(e.clone()),
        }
    }

    /// Whether quotes stand only where they should in the whole file.
    pub(crate) fn check_quotes(self: &Arc<Self>) -> Result<bool> {
        let mut windows = Windows::whole(self)?;
        loop {
            match windows.next() {
                Ok(true) => {}
                Ok(false) => break,
                // an unclosed quote, or a record too long for the memory
                Err(e) if matches!(e.kind(), Kind::Input | Kind::Limit) => break,
                Err(e) => return Err(e),
            }
        }
        Ok(!windows.saw_irregular)
    }

    /// Line and column (from one) of a decoded byte offset; only for messages.
    pub(crate) fn line_column(&self, offset: u64) -> (u64, u64) {
        if let Some(known) = self.lines.of(offset) {
            return known;
        }
        self.places(&[offset]).first().copied().unwrap_or((0, 0))
    }

    /// Lines and columns of offsets, which ascend, by one pass; zeros where the file cannot be read.
    pub(crate) fn places(&self, offsets: &[u64]) -> Vec<(u64, u64)> {
        let mut found = Vec::with_capacity(offsets.len());
        let known: Option<Vec<_>> = offsets.iter().map(|&at| self.lines.of(at)).collect();
        if let (Some(known), true) = (known, self.live().is_some()) {
            return known;
        }
        let outcome = self.find_places(offsets, &mut found);
        if outcome.is_err() {
            found.resize(offsets.len(), (0, 0));
        }
        found
    }

    fn find_places(&self, offsets: &[u64], found: &mut Vec<(u64, u64)>) -> Result<()> {
        let mut from = stream(self.handle()?, self.info.packing, self.info.encoding.as_deref())?;
        // of a CRLF only the LF ends the line
        let (mut line, mut start, mut at, mut cr) = (1u64, 0u64, 0u64, false);
        let mut buf = vec![0; 1 << 16];
        for &offset in offsets {
            while at < offset {
                let most = buf.len().min(usize::try_from(offset - at).unwrap_or(usize::MAX));
                let n = from
                    .read(&mut buf[..most])
                    .map_err(|e| read_error(&self.info.path, &e))?;
                if n == 0 {
                    break;
                }
                for i in memchr::memchr2_iter(b'\n', b'\r', &buf[..n]) {
                    let end = at + i as u64;
                    let crlf = buf[i] == b'\n' && cr && end == start;
                    line += u64::from(!crlf);
                    start = end + 1;
                    cr = buf[i] == b'\r';
                }
                at += n as u64;
            }
            found.push((line, offset - start.min(offset) + 1));
        }
        Ok(())
    }

    /// At most so many decoded bytes from an offset on; only for messages.
    pub(crate) fn bytes_at(&self, offset: u64, most: usize) -> Result<Vec<u8>> {
        if let Some(known) = self.lines.text(offset, most) {
            return Ok(known);
        }
        let mut from = stream(self.handle()?, self.info.packing, self.info.encoding.as_deref())?;
        let mut bytes = Vec::new();
        let outcome = match self.info.streamed() {
            true => io::copy(&mut (&mut from).take(offset), &mut io::sink())
                .and_then(|_| from.take(most as u64).read_to_end(&mut bytes)),
            false => {
                bytes.resize(most, 0);
                self.handle()?.read_at(&mut bytes, offset)
            }
        };
        let n = outcome.map_err(|e| read_error(&self.info.path, &e))?;
        bytes.truncate(n);
        Ok(bytes)
    }

    /// An input error at a decoded byte offset.
    pub(crate) fn error_at(&self, what: impl Into<String>, offset: u64) -> Error {
        let (line, column) = self.line_column(offset);
        Error::input(what).at(&self.info.path, line, column)
    }
}

/// Opens a file, or takes what stands for it.
pub(crate) fn open(path: &Path, once: Option<&Once>, retries: &Retries) -> Result<Handle> {
    let bytes = match once {
        Some(Once::Live(live)) => Bytes::Live(live.clone()),
        Some(Once::Kept(copied)) => Bytes::File(copied.file().clone()),
        None => {
            let what = || format!("opening {}", path.display());
            let file = retries.read(what, 0, || File::open(path));
            Bytes::File(Arc::new(file.map_err(|e| Error::io("open", path, &e))?))
        }
    };
    Ok(Handle {
        bytes,
        path: path.into(),
        retries: retries.clone(),
    })
}

/// What to say when reading fails: a packed file that ends early is the file's fault.
pub(crate) fn read_error(path: &Path, e: &io::Error) -> Error {
    // what a live input says is said already
    if let Some(own) = e.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return own.clone();
    }
    match e.kind() {
        io::ErrorKind::UnexpectedEof => Error::input(format!("{} is truncated", path.display()))
            .at(path, 0, 0)
            .help("copy or download it again"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            Error::input(format!("{} is damaged: {}", path.display(), plain_io(e))).at(path, 0, 0)
        }
        _ if is_transient(e) => Error::io("read", path, e)
            .help("it may pass: --retries N says how often such a read is tried again"),
        _ => Error::io("read", path, e),
    }
}
