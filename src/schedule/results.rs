//! The last stage: rows are encoded in its tasks and put behind one another in task order.
//!
//! A worker that runs too far ahead of the output cursor pauses (the task at the cursor is always
//! held by another, running worker), so that no more than a window of encoded rows waits.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::worker::{Job, guarded, guarded_task};
use crate::error::{Error, Result};
use crate::graph::{Graph, StageTransform, keeps_rows};
use crate::kernel::Batch;
use crate::memory::Reservation;
use crate::observe::{Progress, tally};
use crate::pipeline::{Batches, Flow, Partition, RunContext, Source, TaskContext};
use crate::write::{Encoded, Encoder, Output};

/// How many tasks may be done before their turn, for each thread.
const WINDOW: usize = 4;
/// Neighbouring tasks that are encoded together where nothing is known of their rows,
const SOME_TASKS: usize = 4;
/// and at most, where they are known to be small.
const MOST_TASKS: usize = 64;
/// Tiny partitions of a table are taken together until they have so many bytes,
const SPAN_BYTES: u64 = 128 << 10;
/// and at most so many: handing on the rows of each costs more than making them.
const MOST_TINY: u64 = 256;
/// A task hands on what it encoded once it holds this much,
const PIECE_BYTES: usize = 1 << 20;
/// the first of all with less, and then twice as much each time.
const FIRST_BYTES: usize = 16 << 10;

/// Where the rows of a query go.
pub enum ResultSink {
    /// They are kept in memory.
    Collect(Vec<Batch>),
    /// They are counted, and forgotten.
    Count,
    /// They are written.
    Write(Box<Output>),
}

/// Writes partitions of the last stage that came from elsewhere.
pub fn write_partitions(
    graph: &Graph,
    partitions: &[Arc<Partition>],
    output: Output,
    cx: &Arc<RunContext>,
) -> Result<Output> {
    let mut result = ResultSink::Write(Box::new(output));
    read_into(
        Ordered::new((graph.skip, graph.take), &mut result, cx),
        partitions.to_vec(),
        cx,
    )?;
    match result {
        ResultSink::Write(output) => Ok(*output),
        _ => Err(Error::defect("an output went astray")),
    }
}

/// The rows of a result that lies in partitions.
pub fn collect(
    cut: (u64, Option<u64>),
    partitions: Vec<Arc<Partition>>,
    cx: &Arc<RunContext>,
) -> Result<Vec<Batch>> {
    let mut result = ResultSink::Collect(Vec::new());
    read_into(Ordered::new(cut, &mut result, cx), partitions, cx)?;
    match result {
        ResultSink::Collect(batches) => Ok(batches),
        _ => Err(Error::defect("rows went astray")),
    }
}

fn read_into(mut out: Ordered, partitions: Vec<Arc<Partition>>, cx: &Arc<RunContext>) -> Result<()> {
    let mut source = Batches::new(partitions);
    let task = TaskContext {
        run: cx.clone(),
        part: 0,
    };
    while let Some(batch) = source.next(&task)? {
        if out.append_batch(batch)? == Flow::Enough {
            break;
        }
    }
    out.flush_collected()
}

/// What waits for its turn may take this part of the memory limit,
const WAITING_SHARE: usize = 16;
/// or so many bytes if that is more.
const WAITING_BYTES: usize = 2 << 20;

/// Something a task says to the coordinator.
enum Message {
    /// Rows of the tasks from this one on.
    Piece(usize, Counted),
    /// These tasks have no more.
    End(Range<usize>),
}

/// A piece whose bytes are reserved while it waits.
struct Counted {
    piece: Piece,
    held: Reservation,
}

enum Piece {
    Encoded(Encoded),
    Batches(Vec<Batch>),
}

impl Piece {
    fn bytes(&self) -> usize {
        match self {
            Piece::Encoded(e) => e.bytes(),
            Piece::Batches(b) => b.iter().map(Batch::bytes).sum(),
        }
    }
}

/// Runs the last stage of `graph`.
pub fn run_last(
    job: &Job,
    pool: Option<&rayon::ThreadPool>,
    graph: &Graph,
    result: &mut ResultSink,
) -> Result<()> {
    if let (ResultSink::Write(output), true) = (&mut *result, numbered(job))
        && output.rows_are_numbered()
    {
        job.inputs.number_rows();
    }
    let mut out = Ordered::new((graph.skip, graph.take), result, job.cx);
    let encode = matches!(out.result, ResultSink::Write(_)) && graph.skip == 0 && graph.take.is_none();
    let turn = Turn {
        most_waiting: (job.cx.budget.limit() / WAITING_SHARE).max(WAITING_BYTES),
        ..Turn::default()
    };
    let (send, receive) = sync_channel(2 * job.cx.threads.max(1));
    let encoders = Encoders {
        output: if encode { out.encoder_maker()? } else { None },
    };
    match pool {
        None => {
            // One thread: the channel would fill up with nobody to empty it.
            run_alone(job, &encoders, &mut out)?;
        }
        Some(pool) => pool.in_place_scope(|s| {
            for _ in 0..pool.current_num_threads() {
                let send = send.clone();
                let (turn, encoders) = (&turn, &encoders);
                s.spawn(move |_| work(job, send, turn, encoders));
            }
            drop(send);
            coordinate(job, receive, &turn, &mut out);
        }),
    }
    job.outcome()?;
    out.flush_collected()
}

/// Whether the positions of the stage's batches can number all rows of the result.
fn numbered(job: &Job) -> bool {
    let cuts = |t: &StageTransform| !keeps_rows(t) && !matches!(t, StageTransform::Limit { skip: 0, .. });
    job.inputs.can_number() && !job.stage.transforms.iter().any(cuts)
}

/// Makes encoders inside tasks.
struct Encoders {
    output: Option<crate::write::EncoderMaker>,
}

impl Encoders {
    /// How many neighbouring tasks to encode together: always the same, so that row groups do not
    /// depend on which worker came first. What does not fill a row group is left to the coordinator,
    /// so it should be little of the whole.
    fn span(&self, job: &Job) -> usize {
        let wanted = 2 * self.output.as_ref().map_or(0, |o| o.wanted_rows());
        let rows: u64 = job.inputs.partitions.iter().map(|p| p.rows).sum();
        match (wanted, rows / job.inputs.tasks.len().max(1) as u64) {
            (0, _) => tiny(job),
            (_, 0) => SOME_TASKS.max(tiny(job)),
            (_, of_task) => ((wanted / of_task) as usize).clamp(SOME_TASKS, MOST_TASKS),
        }
    }
}

/// How many partitions of a table are worth being handed on together.
fn tiny(job: &Job) -> usize {
    let Some(table) = job.graph.scanned(job.stage) else {
        return 1;
    };
    if job.is_live() {
        return 1;
    }
    let of_task = job.graph.tables[table].dataset.bytes() / job.inputs.tasks.len().max(1) as u64;
    (SPAN_BYTES / of_task.max(1)).clamp(1, MOST_TINY) as usize
}

fn run_alone(job: &Job, encoders: &Encoders, out: &mut Ordered) -> Result<()> {
    let span = encoders.span(job);
    loop {
        let parts = job.take_span(span);
        if parts.is_empty() {
            return Ok(());
        }
        // each piece is written as it comes
        let mut written = Ok(Flow::More);
        let mut hand = |p| {
            if matches!(written, Ok(Flow::More)) {
                written = out.append(p);
            }
            matches!(written, Ok(Flow::More))
        };
        let ran = run_span(job, parts, encoders, &mut hand);
        if written? == Flow::Enough {
            return Ok(());
        }
        ran.map_err(|failed| failed.error)?;
    }
}

fn work(job: &Job, send: SyncSender<Message>, turn: &Turn, encoders: &Encoders) {
    let span = encoders.span(job);
    loop {
        let parts = job.take_span(span);
        let first = parts.start;
        if parts.is_empty() {
            return;
        }
        let window = WINDOW.max(2 * parts.len()) * job.cx.threads.max(1);
        turn.wait(first, window, job);
        let mut hand = |piece: Piece| {
            let mut held = job.cx.budget.reservation("rows that wait to be written");
            held.grow_anyway(piece.bytes());
            turn.enqueue(held.bytes());
            turn.waiting.fetch_add(held.bytes(), Relaxed);
            let sent = send.send(Message::Piece(first, Counted { piece, held })).is_ok();
            turn.wait(first, window, job);
            sent
        };
        match run_span(job, parts.clone(), encoders, &mut hand) {
            Err(failed) => {
                job.fail(failed.part, failed.rows, failed.error);
                return;
            }
            // rows are missing: what comes behind them must not be written
            Ok(Came::Some) => {}
            Ok(Came::All) => {
                if send.send(Message::End(parts)).is_err() {
                    return;
                }
            }
        }
    }
}

/// A task that failed, and the rows of it that were handed on before.
struct Failed {
    part: usize,
    rows: u64,
    error: Error,
}

impl Failed {
    fn at(part: usize) -> impl Fn(Error) -> Failed {
        move |error| Failed { part, rows: 0, error }
    }
}

/// What was handed on of neighbouring tasks that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// All their rows.
    All,
    /// Not all: they were stopped because another task failed.
    Some,
}

/// Runs neighbouring tasks into one encoder and hands on their rows piece by piece, all as those
/// of the first.
fn run_span(
    job: &Job,
    parts: Range<usize>,
    encoders: &Encoders,
    hand: &mut dyn FnMut(Piece) -> bool,
) -> Result<Came, Failed> {
    let first = parts.start;
    let encoder = match &encoders.output {
        Some(o) => Some(o.encoder().map_err(Failed::at(first))?),
        None => None,
    };
    let mut sink = PieceSink {
        encoder,
        as_text: encoders.output.as_ref().is_some_and(|o| o.is_text()),
        soon: job,
        batches: Vec::new(),
        at_once: parts.len() == 1,
        full: if first == 0 { FIRST_BYTES } else { PIECE_BYTES },
        held: job.cx.budget.reservation("writing"),
        hand,
        rows: 0,
    };
    let mut came = Came::All;
    for part in parts {
        let before = sink.rows;
        let ran = guarded_task(job, part, || job.run_into(part, &mut |b| sink.take_parts(b)));
        if let Err(error) = ran {
            let rows = sink.rows - before;
            if job.is_in_order() {
                guarded(job, first, || sink.end()).map_err(Failed::at(part))?;
            }
            return Err(Failed { part, rows, error });
        }
        job.done(part, sink.rows - before);
        if job.is_needless(part) {
            // enough rows stand in tasks that came whole
            came = if job.has_enough() { Came::All } else { Came::Some };
            break;
        }
    }
    guarded(job, first, || job.close(first, || sink.end())).map_err(Failed::at(first))?;
    Ok(came)
}

/// The sink of a task of the last stage.
struct PieceSink<'a> {
    encoder: Option<Box<dyn Encoder>>,
    /// Whether the encoder makes text of rows, one after the other.
    as_text: bool,
    /// What is seen at once where nothing follows soon.
    soon: &'a Job<'a>,
    /// Without an encoder: what tiny tasks left,
    batches: Vec<Batch>,
    /// or each batch is handed on as it comes.
    at_once: bool,
    /// What is handed on holds this much: the first rows of all are soon seen.
    full: usize,
    /// What is held here; it cannot do with less.
    held: Reservation,
    hand: &'a mut dyn FnMut(Piece) -> bool,
    rows: u64,
}

impl PieceSink<'_> {
    /// Takes a batch, and where its rows are large some after the other, so that what they are encoded to can be
    /// handed on in between.
    fn take_parts(&mut self, batch: Batch) -> Result<Flow> {
        let bytes = if self.as_text { batch.payload() } else { 0 };
        let parts = (bytes / PIECE_BYTES + 1).min(batch.rows.max(1));
        if parts == 1 {
            return self.take(batch);
        }
        let rows = batch.rows.div_ceil(parts);
        for at in (0..batch.rows).step_by(rows) {
            if self.take(batch.slice(at, rows.min(batch.rows - at)))? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    fn take(&mut self, batch: Batch) -> Result<Flow> {
        self.rows += batch.rows as u64;
        let piece = match &mut self.encoder {
            None => {
                self.held.grow_anyway(batch.bytes());
                self.batches.push(batch);
                let full = self.at_once || self.held.bytes() >= PIECE_BYTES;
                full.then(|| self.held_batches())
            }
            Some(e) => {
                e.push(&batch)?;
                // what may be the last for a while is seen now
                let soon = self.as_text && self.soon.is_idle();
                let piece = match e.bytes() < self.full && !soon {
                    true => None,
                    false => e.take()?.map(Piece::Encoded),
                };
                if piece.is_some() {
                    self.full = (2 * self.full).min(PIECE_BYTES);
                }
                self.held.resize_anyway(e.bytes());
                piece
            }
        };
        let wanted = piece.is_none_or(|p| (self.hand)(p));
        Ok(if wanted { Flow::More } else { Flow::Enough })
    }

    fn held_batches(&mut self) -> Piece {
        self.held.free();
        Piece::Batches(std::mem::take(&mut self.batches))
    }

    fn end(mut self) -> Result<()> {
        if !self.batches.is_empty() {
            let piece = self.held_batches();
            (self.hand)(piece);
        }
        if let Some(e) = self.encoder {
            (self.hand)(Piece::Encoded(e.finish()?));
        }
        Ok(())
    }
}

/// The output cursor, for workers to look at.
#[derive(Default)]
struct Turn {
    cursor: Mutex<usize>,
    moved: Condvar,
    /// Bytes that were sent and are not yet written.
    waiting: AtomicUsize,
    most_waiting: usize,
    /// Bytes that were sent and not yet received: the coordinator encodes what tasks leave to it, and may be slower
    /// than all of them.
    queued: AtomicUsize,
    /// Nobody receives any more.
    closed: AtomicBool,
}

impl Turn {
    /// Waits while `part` is too far ahead, or ahead at all and too much waits to be written. The
    /// one at the cursor never waits, so that the cursor moves.
    fn wait(&self, part: usize, window: usize, job: &Job) {
        let Ok(mut cursor) = self.cursor.lock() else {
            return;
        };
        let full = || self.waiting.load(Relaxed) > self.most_waiting;
        let mut begun = None;
        while (part > *cursor + window || part > *cursor && full()) && !job.is_needless(part) {
            begun.get_or_insert_with(Instant::now);
            match self.moved.wait_timeout(cursor, Duration::from_millis(20)) {
                Ok((c, _)) => cursor = c,
                Err(_) => return,
            }
        }
        if let Some(begun) = begun {
            tally::idle(begun.elapsed());
        }
    }

    /// Takes a place in the queue for so many bytes. One piece always finds one, also of the task at the cursor, for
    /// which nobody waits; more only as long as they are small.
    fn enqueue(&self, bytes: usize) {
        let Ok(mut cursor) = self.cursor.lock() else {
            return;
        };
        let full = || {
            let queued = self.queued.load(Relaxed);
            queued > 0 && queued + bytes > self.most_waiting && !self.closed.load(Relaxed)
        };
        let mut begun = None;
        while full() {
            begun.get_or_insert_with(Instant::now);
            match self.moved.wait_timeout(cursor, Duration::from_millis(20)) {
                Ok((c, _)) => cursor = c,
                Err(_) => return,
            }
        }
        self.queued.fetch_add(bytes, Relaxed);
        if let Some(begun) = begun {
            tally::idle(begun.elapsed());
        }
    }

    fn received(&self, piece: &Counted) {
        // under the lock, or whoever is about to wait would miss it
        let cursor = self.cursor.lock();
        self.queued.fetch_sub(piece.held.bytes(), Relaxed);
        drop(cursor);
        self.moved.notify_all();
    }

    fn close(&self) {
        self.closed.store(true, Relaxed);
        self.moved.notify_all();
    }

    fn written(&self, piece: &Counted) {
        self.waiting.fetch_sub(piece.held.bytes(), Relaxed);
    }

    fn set(&self, to: usize) {
        if let Ok(mut c) = self.cursor.lock() {
            *c = to;
        }
        self.moved.notify_all();
    }
}

/// A queue that somebody receives from; closed when dropped, also by a panic, so that no worker waits for ever.
struct Open<'a>(&'a Turn);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Puts pieces in order until all workers are gone.
fn coordinate(job: &Job, receive: Receiver<Message>, turn: &Turn, out: &mut Ordered) {
    // by the first task of those that were taken together: their rows, and the task behind them
    let mut waiting: BTreeMap<usize, (Vec<Counted>, Option<usize>)> = BTreeMap::new();
    let mut cursor = 0;
    let mut over = false;
    let open = Open(turn);
    for message in receive {
        if let Message::Piece(_, piece) = &message {
            open.0.received(piece);
        }
        if over {
            continue; // only empties the channel, so that workers can end
        }
        match message {
            Message::Piece(part, p) => waiting.entry(part).or_default().0.push(p),
            Message::End(parts) => waiting.entry(parts.start).or_default().1 = Some(parts.end),
        }
        while let Some((pieces, ended)) = waiting.get_mut(&cursor) {
            for counted in pieces.drain(..) {
                turn.written(&counted);
                match out.append(counted.piece) {
                    Ok(Flow::More) => {}
                    Ok(Flow::Enough) => {
                        over = true;
                        job.enough();
                    }
                    Err(e) => {
                        over = true;
                        job.abort(cursor, e);
                    }
                }
                if over {
                    break;
                }
            }
            let Some(next) = ended.filter(|_| !over) else {
                break;
            };
            waiting.remove(&cursor);
            cursor = next;
            turn.set(cursor);
        }
    }
}

/// The result, as far as it came, with the query's own skip and take applied.
struct Ordered<'a> {
    result: &'a mut ResultSink,
    skip: u64,
    left: Option<u64>,
    encoder: Option<Box<dyn Encoder>>,
    /// What the output holds back until a row group is full.
    held: Reservation,
    progress: &'a Progress,
}

impl<'a> Ordered<'a> {
    fn new((skip, left): (u64, Option<u64>), result: &'a mut ResultSink, cx: &'a RunContext) -> Self {
        Ordered {
            result,
            skip,
            left,
            encoder: None,
            held: cx.budget.reservation("writing"),
            progress: &cx.progress,
        }
    }

    fn encoder_maker(&self) -> Result<Option<crate::write::EncoderMaker>> {
        match &*self.result {
            ResultSink::Write(o) => Ok(Some(o.encoder_maker())),
            ResultSink::Collect(_) | ResultSink::Count => Ok(None),
        }
    }

    fn append(&mut self, piece: Piece) -> Result<Flow> {
        match piece {
            Piece::Encoded(e) => {
                Progress::add(&self.progress.rows_out, e.rows());
                match self.result {
                    ResultSink::Write(o) => {
                        let flow = o.append(e);
                        self.held.resize_anyway(o.held_bytes());
                        flow
                    }
                    _ => Err(Error::defect("encoded rows for a result in memory")),
                }
            }
            Piece::Batches(all) => {
                for batch in all {
                    if self.append_batch(batch)? == Flow::Enough {
                        return Ok(Flow::Enough);
                    }
                }
                Ok(Flow::More)
            }
        }
    }

    fn append_batch(&mut self, mut batch: Batch) -> Result<Flow> {
        let skipped = self.skip.min(batch.rows as u64);
        self.skip -= skipped;
        let mut rows = batch.rows as u64 - skipped;
        if let Some(left) = &mut self.left {
            rows = rows.min(*left);
            *left -= rows;
        }
        if rows > 0 {
            if rows < batch.rows as u64 {
                batch = batch.slice(skipped as usize, rows as usize);
            }
            Progress::add(&self.progress.rows_out, rows);
            self.write_batch(batch)?;
        }
        Ok(if self.left == Some(0) {
            Flow::Enough
        } else {
            Flow::More
        })
    }

    fn write_batch(&mut self, batch: Batch) -> Result<()> {
        match self.result {
            ResultSink::Collect(all) => all.push(batch),
            ResultSink::Count => {}
            ResultSink::Write(output) => {
                let encoder = match &mut self.encoder {
                    Some(e) => e,
                    none => none.insert(output.encoder()?),
                };
                encoder.push(&batch)?;
                self.held.resize_anyway(encoder.bytes() + output.held_bytes());
                if encoder.bytes() >= PIECE_BYTES
                    && let Some(e) = encoder.take()?
                {
                    output.append(e)?;
                }
            }
        }
        Ok(())
    }

    fn flush_collected(&mut self) -> Result<()> {
        if let ResultSink::Write(output) = &mut *self.result {
            if let Some(e) = self.encoder.take() {
                output.append(e.finish()?)?;
            }
            // now, while its memory is reserved
            output.flush()?;
        }
        Ok(())
    }
}
