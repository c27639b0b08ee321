//! Inputs that can be read only once, while they come.
//!
//! ```text
//!   standard input ─► thread ─► chunks ─► one reader, in order         nothing is kept
//!                            └► file   ─► readers anywhere in it       where a second look may be needed
//! ```
//!
//! A thread of its own reads, since an input may keep whoever reads it waiting for ever, which a signal does not end.
//! It runs ahead of its reader by a few blocks only, so that whoever writes the input is slowed down to what is read.
//! Until it is decided how the input will be read ([`Live::begin`]), all that came is kept: a sample is taken of it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::copies::{Copied, CopyDir};
use crate::error::{Error, Kind, Result};

/// Bytes that are read at once: more than a pipe gives.
const BLOCK: usize = 256 << 10;
/// Bytes that the thread may be ahead of the reader.
const AHEAD: u64 = 1 << 20;
/// How long is waited before a look at whether anybody still wants what comes.
const LOOK: Duration = Duration::from_millis(20);

/// Which tasks of a stage need not run, or go on.
#[derive(Debug)]
pub struct Stop {
    all: AtomicBool,
    from: AtomicUsize,
}

impl Default for Stop {
    fn default() -> Self {
        Stop {
            all: AtomicBool::new(false),
            from: AtomicUsize::new(usize::MAX),
        }
    }
}

impl Stop {
    /// None need. Why was said before: whoever sees this sees that.
    pub fn all(&self) {
        self.all.store(true, Release);
    }

    /// Those from this one on need not.
    pub fn from(&self, part: usize) {
        self.from.fetch_min(part, Relaxed);
    }

    /// The first of those that need not run while others do.
    pub fn first(&self) -> usize {
        self.from.load(Relaxed)
    }

    /// Whether none need run.
    pub fn is_all(&self) -> bool {
        self.all.load(Acquire)
    }

    /// Whether a task need not run.
    pub fn holds(&self, part: usize) -> bool {
        self.is_all() || part >= self.first()
    }
}

/// What ends the wait of a task for its input.
#[derive(Debug, Clone, Default)]
pub struct Waits {
    /// The run is stopped.
    pub cancelled: Arc<AtomicBool>,
    /// Its stage has enough.
    pub stop: Arc<Stop>,
    /// The task's number.
    pub part: usize,
}

impl Waits {
    /// Whether there is nothing to wait for any more.
    pub fn are_over(&self) -> bool {
        self.cancelled.load(Relaxed) || self.stop.holds(self.part)
    }

    /// What a task ends with that waited in vain.
    pub fn error() -> Error {
        Error::new(Kind::Interrupted, "cancelled")
    }
}

/// What is kept of what was read.
#[derive(Debug)]
enum Kept {
    /// All of it, in memory: it is not decided yet.
    All,
    /// Nothing.
    Nothing,
    /// All of it, on disk.
    Copy(Arc<Copied>),
}

#[derive(Debug)]
struct State {
    /// What was not let go yet, and the offset of its first byte.
    chunks: VecDeque<Vec<u8>>,
    start: u64,
    /// How far it came, and how far it was read.
    len: u64,
    read: u64,
    /// The thread may go on up to here.
    wanted: u64,
    kept: Kept,
    /// Whether no copy may be given up because it becomes too large.
    must_keep: bool,
    /// It came to its end, or failed.
    over: Option<Result<()>>,
    /// What ends a wait.
    waits: Waits,
}

/// An input that can be read only once.
#[derive(Debug)]
pub struct Live {
    name: PathBuf,
    dir: CopyDir,
    state: Mutex<State>,
    changed: Condvar,
}

impl Live {
    /// Begins to read what `open` opens.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start<R: Read>(
        name: &Path,
        dir: &CopyDir,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> Result<Arc<Live>> {
        let live = Arc::new(Live {
            name: name.to_path_buf(),
            dir: dir.clone(),
            state: Mutex::new(State {
                chunks: VecDeque::new(),
                start: 0,
                len: 0,
                read: 0,
                wanted: 0,
                kept: Kept::All,
                must_keep: false,
                over: None,
                waits: Waits {
                    cancelled: dir.cancelled.clone(),
                    ..Waits::default()
                },
            }),
            changed: Condvar::new(),
        });
        let reader = Arc::downgrade(&live);
        let reading = move || {
            let mut from = match open() {
                Ok(from) => from,
                Err(e) => {
                    if let Some(live) = reader.upgrade() {
                        live.end(Err(Error::io("open", &live.name, &e)));
                    }
                    return;
                }
            };
            let mut block = vec![0; BLOCK];
            loop {
                let read = from.read(&mut block);
                // nobody listens any more where the run was stopped
                let Some(live) = reader.upgrade() else { return };
                match read {
                    Ok(0) => return live.end(Ok(())),
                    Ok(n) => {
                        if !live.take(&block[..n]) {
                            return;
                        }
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return live.end(Err(Error::io("read", &live.name, &e))),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("ddf-input".into())
            .spawn(reading);
        thread.map_err(|e| Error::io("start a thread to read", name, &e))?;
        Ok(live)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // whoever panicked left whole entries
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, LOOK);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn end(&self, how: Result<()>) {
        self.state().over = Some(how);
        self.changed.notify_all();
    }

    /// Takes what came, and waits until more is wanted; false if nobody will want it.
    fn take(self: &Arc<Self>, bytes: &[u8]) -> bool {
        let mut state = self.state();
        if let Err(e) = self.keep(&mut state, bytes) {
            drop(state);
            self.end(Err(e));
            return false;
        }
        state.len += bytes.len() as u64;
        self.changed.notify_all();
        while state.len >= state.wanted.max(state.read + AHEAD) {
            state = self.wait(state);
            if Arc::strong_count(self) == 1 {
                return false;
            }
        }
        true
    }

    fn keep(&self, state: &mut State, bytes: &[u8]) -> Result<()> {
        let Kept::Copy(copy) = &mut state.kept else {
            state.chunks.push_back(bytes.to_vec());
            return Ok(());
        };
        match copy.append(&self.dir, bytes, &self.name) {
            Ok(()) => Ok(()),
            Err(e) if state.must_keep => Err(e),
            Err(_) => {
                self.forget(state)?;
                state.chunks.push_back(bytes.to_vec());
                Ok(())
            }
        }
    }

    /// Gives a copy up: it goes on without, from where its reader is.
    fn forget(&self, state: &mut State) -> Result<()> {
        let Kept::Copy(copy) = &state.kept else {
            return Ok(());
        };
        let mut unread = vec![0; (state.len - state.read) as usize];
        (copy.file().read_exact_at(&mut unread, state.read))
            .map_err(|e| Error::io("read", &self.dir.folder, &e))?;
        state.start = state.read;
        state.chunks = [unread].into();
        state.kept = Kept::Nothing;
        Ok(())
    }

    /// Gives up what is kept only in case it is needed again.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        if !state.must_keep
            && let Err(e) = self.forget(&mut state)
        {
            state.over = Some(Err(e));
        }
    }

    /// The name that messages have for it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// So many bytes it has, if it is known by now.
    pub fn known_len(&self) -> Option<u64> {
        let state = self.state();
        matches!(state.over, Some(Ok(()))).then_some(state.len)
    }

    /// Whether a reader would have to wait for more.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        state.over.is_none() && state.read >= state.len
    }

    /// What ends the waits from now on.
    pub fn set_waits(&self, waits: &Waits) {
        self.state().waits = waits.clone();
    }

    /// Reads what is there from an offset on, and waits where nothing is; nothing at the end.
    ///
    /// # Errors
    /// It cannot be read, the wait was ended, or what is asked for was let go.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.wanted = state.wanted.max(offset + 1);
        while offset >= state.len {
            match &state.over {
                Some(Ok(())) => return Ok(0),
                Some(Err(e)) => return Err(io::Error::other(e.clone())),
                None if state.waits.are_over() => return Err(io::Error::other(Waits::error())),
                None => {}
            }
            self.changed.notify_all();
            state = self.wait(state);
        }
        let n = buf.len().min((state.len - offset) as usize);
        let end = offset + n as u64;
        if let Kept::Copy(copy) = &state.kept {
            let file = copy.file().clone();
            state.read = state.read.max(end);
            self.changed.notify_all();
            drop(state);
            file.read_exact_at(&mut buf[..n], offset)?;
            return Ok(n);
        }
        if offset < state.start {
            return Err(io::Error::other(self.gone()));
        }
        let (mut at, mut done) = (state.start, 0);
        for chunk in &state.chunks {
            let next = at + chunk.len() as u64;
            let from = offset + done as u64;
            if from < next && done < n {
                let part = &chunk[(from - at) as usize..];
                let part = &part[..part.len().min(n - done)];
                buf[done..done + part.len()].copy_from_slice(part);
                done += part.len();
            }
            at = next;
        }
        state.read = state.read.max(end);
        state.let_go();
        self.changed.notify_all();
        Ok(n)
    }

    /// Decides that it is read from its start in order, once; what was read is kept on disk where `may_ask_again`, as
    /// far as there is room for it.
    ///
    /// # Errors
    /// That was decided before, or no copy can be made.
    pub fn begin(self: &Arc<Self>, again: Again) -> Result<()> {
        let mut state = self.state();
        match state.kept {
            Kept::All => {}
            _ => return Err(self.gone()),
        }
        state.read = 0;
        match again {
            Again::Never => state.kept = Kept::Nothing,
            Again::Perhaps => {
                let kept = self.copy_of(&mut state);
                match kept {
                    Ok(copy) => {
                        state.kept = Kept::Copy(copy);
                        self.dir.copies.may_be_spared(self);
                    }
                    Err(_) => state.kept = Kept::Nothing,
                }
            }
        }
        self.changed.notify_all();
        Ok(())
    }

    /// A copy of what came so far, which takes its place.
    fn copy_of(&self, state: &mut State) -> Result<Arc<Copied>> {
        let copy = Copied::begin(&self.dir)?;
        for chunk in &state.chunks {
            copy.append(&self.dir, chunk, &self.name)?;
        }
        state.start = state.len;
        state.chunks.clear();
        Ok(Arc::new(copy))
    }

    /// Whether nobody has begun to read it yet.
    pub fn is_untouched(&self) -> bool {
        matches!(self.state().kept, Kept::All)
    }

    /// All of it, on disk: waits for what is still to come, until `cancelled`.
    ///
    /// # Errors
    /// It cannot be read or kept, or what was read before was let go; of kind `Interrupted` where it was stopped.
    pub fn whole(&self, cancelled: &Arc<AtomicBool>) -> Result<Arc<Copied>> {
        let mut state = self.state();
        state.waits = Waits {
            cancelled: cancelled.clone(),
            ..Waits::default()
        };
        state.must_keep = true;
        match state.kept {
            Kept::All => state.kept = Kept::Copy(self.copy_of(&mut state)?),
            Kept::Nothing => return Err(self.gone()),
            Kept::Copy(_) => {}
        }
        state.wanted = u64::MAX;
        loop {
            match (&state.over, &state.kept) {
                (Some(Err(e)), _) => return Err(e.clone()),
                (Some(Ok(())), Kept::Copy(copy)) => return Ok(copy.clone()),
                (_, Kept::Copy(_)) => {}
                _ => return Err(self.gone()),
            }
            if state.waits.are_over() {
                return Err(Waits::error());
            }
            self.changed.notify_all();
            state = self.wait(state);
        }
    }

    /// The error for a second look at what was not kept.
    fn gone(&self) -> Error {
        let name = self.name.display();
        let what = format!("{name} would have to be read twice, and no copy of it was kept");
        Error::limit(what).help("allow one with --max-spill, or name a file, which needs no copy")
    }
}

impl State {
    /// Lets go of what was read, where nothing is kept.
    fn let_go(&mut self) {
        if !matches!(self.kept, Kept::Nothing) {
            return;
        }
        while let Some(first) = self.chunks.front()
            && self.start + first.len() as u64 <= self.read
        {
            self.start += first.len() as u64;
            self.chunks.pop_front();
        }
    }
}

/// Whether an input may be needed a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is not.
    Never,
    /// It may.
    Perhaps,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    fn dir(max_bytes: u64) -> CopyDir {
        CopyDir {
            max_bytes,
            ..CopyDir::temporary()
        }
    }

    fn live(dir: &CopyDir, text: &'static [u8]) -> Arc<Live> {
        Live::start(Path::new("a pipe"), dir, move || Ok(text)).unwrap()
    }

    /// All that is read from the start on.
    fn all(live: &Live) -> Vec<u8> {
        let (mut out, mut buf) = (Vec::new(), [0; 3]);
        while let n @ 1.. = live.read_at(&mut buf, out.len() as u64).unwrap() {
            out.extend_from_slice(&buf[..n]);
        }
        out
    }

    #[test]
    fn copies_count_until_nobody_reads_them() {
        let dir = dir(10);
        // a thread may hold what it read for a moment
        let waited = || {
            std::thread::sleep(Duration::from_millis(5));
            false
        };
        let counts = |bytes| (0..1000).any(|_| dir.copies.bytes() == bytes || waited());
        let first = live(&dir, b"123456").whole(&Arc::default()).unwrap();
        assert!(counts(6));
        let e = live(&dir, b"12345").whole(&Arc::default()).unwrap_err();
        assert!(e.kind() == Kind::Limit && counts(6));
        let mut back = [0; 6];
        first.file().read_exact_at(&mut back, 0).unwrap();
        assert_eq!(&back, b"123456");
        drop(first);
        assert!(counts(0));
        live(&dir, b"1234567890").whole(&Arc::default()).unwrap();
    }

    #[test]
    fn what_is_read_once_is_not_kept() {
        let dir = dir(10);
        let once = live(&dir, b"1234567890abc");
        assert_eq!(all(&once), b"1234567890abc");
        once.begin(Again::Never).unwrap();
        assert_eq!(all(&once), b"1234567890abc");
        assert_eq!(dir.copies.bytes(), 0);
        assert!(once.read_at(&mut [0], 0).is_err());
        assert_eq!(once.whole(&Arc::default()).unwrap_err().kind(), Kind::Limit);
        assert!(once.begin(Again::Perhaps).is_err());
    }

    #[test]
    fn a_second_look_is_there_as_far_as_there_is_room() {
        let wide = dir(13);
        let twice = live(&wide, b"1234567890abc");
        twice.begin(Again::Perhaps).unwrap();
        assert_eq!(all(&twice), b"1234567890abc");
        assert_eq!(wide.copies.bytes(), 13);
        assert_eq!(
            twice
                .whole(&Arc::default())
                .unwrap()
                .file()
                .metadata()
                .unwrap()
                .len(),
            13
        );
        // without room the only reader goes on
        let narrow = dir(12);
        let once = live(&narrow, b"1234567890abc");
        once.begin(Again::Perhaps).unwrap();
        assert_eq!(all(&once), b"1234567890abc");
        assert_eq!(narrow.copies.bytes(), 0);
        assert_eq!(once.whole(&Arc::default()).unwrap_err().kind(), Kind::Limit);
    }

    /// Gives what it is sent, and does not end before the test does.
    struct Sent(Receiver<Vec<u8>>);

    impl Read for Sent {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let bytes = self.0.recv().unwrap_or_default();
            buf[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }
    }

    #[test]
    fn a_copy_that_becomes_too_large_is_given_up_where_its_reader_is() {
        let narrow = dir(8);
        let (send, sent) = channel();
        let live = Live::start(Path::new("a pipe"), &narrow, move || Ok(Sent(sent))).unwrap();
        send.send(b"12345".to_vec()).unwrap();
        let mut buf = [0; 2];
        live.read_at(&mut buf, 0).unwrap();
        live.begin(Again::Perhaps).unwrap();
        assert_eq!(live.read_at(&mut buf, 0).unwrap(), 2);
        assert_eq!(narrow.copies.bytes(), 5);
        send.send(b"67890".to_vec()).unwrap();
        drop(send);
        let mut rest = [0; 10];
        let mut at = 2;
        while let n @ 1.. = live.read_at(&mut rest[at..], at as u64).unwrap() {
            at += n;
        }
        assert_eq!(&rest[2..], b"34567890");
        assert_eq!(narrow.copies.bytes(), 0);
    }

    #[test]
    fn an_input_that_waits_is_left_where_the_run_is_stopped() {
        let dir = dir(10);
        let (_alive, waits) = channel();
        dir.cancelled.store(true, Relaxed);
        let live = Live::start(Path::new("a pipe"), &dir, move || Ok(Sent(waits))).unwrap();
        assert_eq!(live.whole(&dir.cancelled).unwrap_err().kind(), Kind::Interrupted);
        let e = live.read_at(&mut [0], 0).unwrap_err();
        assert!(e.get_ref().is_some());
    }
}
