//! The dashboard's server: a thread that accepts, and one for each of a few connections.
//!
//! Nothing here is shared with the workers of a query but the recorder, from which copies are taken.
//! Every wait has an end: for a head, for a write, for the last events.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::address::{self, Address};
use super::guard::{Guard, Verdict};
use super::request::{self, Request};
use super::{events, page};
use crate::error::{Error, Kind, Result};
use crate::observe::Recorder;

/// The most connections at a time.
pub(super) const MOST: usize = 16;
/// How long a write may find no room before the browser counts as gone.
const WRITE: Duration = Duration::from_secs(2);
/// How long the end of the command waits for browsers to take the last event.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long a page may be away, as when it is loaded anew, before `--linger` counts it as closed.
const RELOAD: Duration = Duration::from_secs(2);

/// A dashboard that listens. Dropping it ends it.
pub struct Server {
    shared: Arc<Shared>,
    at: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

/// What all threads of the server see.
pub(super) struct Shared {
    guard: Guard,
    linger: bool,
    cancel: Box<dyn Fn() + Send + Sync>,
    /// Somebody has cancelled the run that is shown: once is enough, a second time would be ruder.
    cancelled: AtomicBool,
    recorder: Mutex<Option<Arc<Recorder>>>,
    /// The command is done; the last events go out.
    over: AtomicBool,
    /// How it ended, where no run told it: the error, and whether it was cancelled.
    ended: Mutex<(Option<String>, bool)>,
    /// Nothing more is served.
    closing: AtomicBool,
    connections: AtomicUsize,
    open: Mutex<Open>,
    changed: Condvar,
}

/// The connections, so that they can be closed, and those that are fed with events.
#[derive(Default)]
struct Open {
    next: u64,
    streams: Vec<(u64, TcpStream)>,
    watching: usize,
    /// A page has been there.
    seen: bool,
}

fn locked<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn recorder(&self) -> Option<Arc<Recorder>> {
        locked(&self.recorder).clone()
    }
    pub fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }
    pub fn ended(&self) -> (Option<String>, bool) {
        locked(&self.ended).clone()
    }
    pub fn is_closing(&self) -> bool {
        self.closing.load(SeqCst)
    }
    pub fn lingers(&self) -> bool {
        self.linger
    }
}

impl Server {
    /// Listens at an address. `cancel` is called when somebody presses the button.
    ///
    /// # Errors
    /// It cannot listen there.
    pub fn start(
        address: &Address,
        linger: bool,
        cancel: impl Fn() + Send + Sync + 'static,
    ) -> Result<Server> {
        let failed = |e: io::Error| Error::new(Kind::Environment, format!("cannot start the dashboard: {e}"));
        let listener = address.listen()?;
        let at = address::reachable(listener.local_addr().map_err(failed)?);
        let shared = Arc::new(Shared {
            guard: Guard::new(address.host())?,
            linger,
            cancel: Box::new(cancel),
            cancelled: AtomicBool::new(false),
            recorder: Mutex::default(),
            over: AtomicBool::new(false),
            ended: Mutex::default(),
            closing: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_thread = shared.clone();
        let accepting = std::thread::Builder::new()
            .name("ddf-dashboard".into())
            .spawn(move || accept(&listener, &of_thread))
            .map_err(failed)?;
        Ok(Server {
            shared,
            at,
            accepting: Some(accepting),
        })
    }

    /// The address with its token, for a browser on this machine.
    pub fn url(&self) -> String {
        format!("http://{}/?token={}", self.at, self.shared.guard.token())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// How many pages are fed with events.
    #[cfg(test)]
    pub(super) fn watching(&self) -> usize {
        locked(&self.shared.open).watching
    }

    /// How many connections there are.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// Shows a run from now on.
    pub fn show(&self, recorder: Arc<Recorder>) {
        *locked(&self.shared.recorder) = Some(recorder);
        self.shared.cancelled.store(false, SeqCst);
    }

    /// The command is done, with an error or well: sends the last events. A server that lingers stays until no page is open, or
    /// until `stop` says so; where no page ever was, it waits for one.
    pub fn finish(self, error: Option<String>, cancelled: bool, stop: impl Fn() -> bool) {
        let shared = &self.shared;
        *locked(&shared.ended) = (error, cancelled);
        shared.over.store(true, SeqCst);
        if shared.linger {
            let mut away: Option<Instant> = None;
            while !stop() {
                let open = locked(&shared.open);
                match (open.watching, open.seen) {
                    (0, true) if away.get_or_insert_with(Instant::now).elapsed() > RELOAD => break,
                    (0, true) => {}
                    _ => away = None,
                }
                drop(shared.changed.wait_timeout(open, Duration::from_millis(100)));
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.over.store(true, SeqCst);
        shared.closing.store(true, SeqCst);
        // wakes the thread that accepts, and those that wait for their next update
        let _ = TcpStream::connect_timeout(&self.at, Duration::from_millis(200));
        for (_, s) in &locked(&shared.open).streams {
            let _ = s.shutdown(Shutdown::Read);
        }
        let begun = Instant::now();
        let mut open = locked(&shared.open);
        while !open.streams.is_empty() {
            let Some(left) = FAREWELL.checked_sub(begun.elapsed()) else {
                break;
            };
            let waited = shared.changed.wait_timeout(open, left);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        for (_, s) in &open.streams {
            let _ = s.shutdown(Shutdown::Both);
        }
        drop(open);
        if let Some(t) = self.accepting.take() {
            let _ = t.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.is_closing() {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // too many open files, say: others may close some
            Err(_) => {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        if shared.is_closing() {
            return;
        }
        if shared.connections.fetch_add(1, SeqCst) >= MOST {
            shared.connections.fetch_sub(1, SeqCst);
            continue; // which closes it
        }
        let of_thread = shared.clone();
        let spawned = std::thread::Builder::new()
            .name("ddf-browser".into())
            .spawn(move || {
                connection(stream, &of_thread);
                of_thread.connections.fetch_sub(1, SeqCst);
            });
        if spawned.is_err() {
            shared.connections.fetch_sub(1, SeqCst);
        }
    }
}

/// One connection, noted while it lives.
fn connection(mut stream: TcpStream, shared: &Shared) {
    let limits = stream
        .set_write_timeout(Some(WRITE))
        .and_then(|()| stream.set_nodelay(true));
    let (Ok(()), Ok(copy)) = (limits, stream.try_clone()) else {
        return;
    };
    let id = {
        let mut open = locked(&shared.open);
        open.next += 1;
        let id = open.next;
        open.streams.push((id, copy));
        id
    };
    if let Some(r) = request::read(&mut stream) {
        let _ = respond(&mut stream, &r, shared);
        part(&mut stream);
    }
    locked(&shared.open).streams.retain(|(i, _)| *i != id);
    shared.changed.notify_all();
}

/// Ends a connection so that the browser gets what was sent: closing with unread bytes would undo it.
fn part(stream: &mut TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
    let mut rest = [0u8; 4096];
    for _ in 0..16 {
        match stream.read(&mut rest) {
            Ok(n) if n > 0 => {}
            _ => break,
        }
    }
}

fn respond(stream: &mut TcpStream, r: &Request, shared: &Shared) -> io::Result<()> {
    const TEXT: &str = "text/plain";
    if let Verdict::Forbidden(why) = shared.guard.judge(r) {
        return request::answer(stream, "403 Forbidden", TEXT, why);
    }
    match (r.method.as_str(), r.path()) {
        ("GET", "/") => match page::document(None) {
            Ok(html) => request::answer(stream, "200 OK", "text/html", &html),
            Err(e) => request::answer(stream, "500 Internal Server Error", TEXT, &format!("{e}\n")),
        },
        ("GET", "/events") => {
            let watching = |change: &dyn Fn(&mut Open)| {
                change(&mut locked(&shared.open));
                shared.changed.notify_all();
            };
            watching(&|o| (o.watching, o.seen) = (o.watching + 1, true));
            let served = events::serve(stream, shared);
            watching(&|o| o.watching -= 1);
            served
        }
        ("POST", "/cancel") if !shared.guard.is_own_page(r) => {
            request::answer(stream, "403 Forbidden", TEXT, "only the page itself may cancel\n")
        }
        ("POST", "/cancel") if shared.is_over() => {
            request::answer(stream, "409 Conflict", TEXT, "the query is over\n")
        }
        ("POST", "/cancel") => {
            if !shared.cancelled.swap(true, SeqCst) {
                (shared.cancel)();
            }
            request::answer(stream, "202 Accepted", TEXT, "cancelling\n")
        }
        (_, "/" | "/events" | "/cancel") => {
            request::answer(stream, "405 Method Not Allowed", TEXT, "not this way\n")
        }
        _ => request::answer(stream, "404 Not Found", TEXT, "there is nothing here\n"),
    }
}
