//! Server-sent events: the whole model first, then what is new, several times a second.
//!
//! `event: snapshot` carries a [`Model`](crate::observe::Model), `event: update` an
//! [`Update`], `event: end` the last update of the last run of the command.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::page::json;
use super::request;
use super::server::Shared;
use crate::observe::{Cursor, Recorder, State, Update};

/// Time between two updates.
const PACE: Duration = Duration::from_millis(200);

/// After so many waits without news, a comment finds out whether somebody is still there.
const STILL_THERE: u32 = 25;

/// What one browser has seen.
struct Feed {
    recorder: Option<Arc<Recorder>>,
    cursor: Cursor,
}

/// Feeds one browser until it goes away, or everything is over.
pub(super) fn serve(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let head = request::head("200 OK", "text/event-stream", "");
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"retry: 1000\n\n")?;
    stream.set_read_timeout(Some(PACE))?;
    let mut feed = Feed {
        recorder: None,
        cursor: Cursor::default(),
    };
    let mut idle = 0u32;
    loop {
        // asked first, so that what happened before the end is in the last event
        let over = shared.is_over();
        match feed.news(shared) {
            Some(text) => {
                idle = 0;
                stream.write_all(text.as_bytes())?;
            }
            None => idle += 1,
        }
        if idle >= STILL_THERE {
            idle = 0;
            stream.write_all(b":\n\n")?;
        }
        stream.flush()?;
        if over {
            return end(stream, &mut feed, shared);
        }
        if !wait(stream, shared)? {
            return Ok(());
        }
    }
}

/// The last event; where the dashboard lingers, the connection stays until the browser closes it.
fn end(stream: &mut TcpStream, feed: &mut Feed, shared: &Shared) -> io::Result<()> {
    let mut last = match &feed.recorder {
        Some(r) => r.since(&mut feed.cursor),
        None => Update::default(),
    };
    // an error before, between or after runs is nobody's but the command's
    let (error, cancelled) = shared.ended();
    last.state = match (last.state, &error) {
        (State::Running | State::Finished, Some(_)) if cancelled => State::Cancelled,
        (State::Running | State::Finished, Some(_)) => State::Failed,
        (State::Running, None) => State::Finished,
        (other, _) => other,
    };
    last.error = last.error.or(error.filter(|_| !cancelled));
    let mut value = serde_json::to_value(&last).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("linger".into(), shared.lingers().into());
    }
    stream.write_all(format!("event: end\ndata: {value}\n\n").as_bytes())?;
    stream.flush()?;
    let mut idle = 0u32;
    while shared.lingers() && !shared.is_closing() && wait(stream, shared)? {
        idle += 1;
        if idle.is_multiple_of(STILL_THERE) {
            stream.write_all(b":\n\n")?;
        }
    }
    Ok(())
}

/// Waits for the time of an update. `false`: the browser has gone.
fn wait(stream: &mut TcpStream, shared: &Shared) -> io::Result<bool> {
    let mut nothing = [0u8; 64];
    match stream.read(&mut nothing) {
        // the end of the query closes this side of the connection, to wake us
        Ok(0) => Ok(shared.is_over() && !shared.lingers()),
        // browsers send nothing more; what does is not worth a loop of its own
        Ok(_) => {
            std::thread::sleep(PACE);
            Ok(true)
        }
        Err(e) => match e.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(true),
            _ => Err(e),
        },
    }
}

impl Feed {
    /// The next event, if there is anything new.
    fn news(&mut self, shared: &Shared) -> Option<String> {
        let recorder = shared.recorder()?;
        let known = self.recorder.as_ref().is_some_and(|r| Arc::ptr_eq(r, &recorder));
        if known {
            let update = recorder.since(&mut self.cursor);
            if !update.anew {
                let still = update.tasks.is_empty() && update.samples.is_empty() && update.stages.is_empty();
                let quiet = still && update.state != State::Running;
                return (!quiet).then(|| event("update", &update));
            }
        }
        let (model, cursor) = recorder.snapshot();
        self.cursor = cursor;
        self.recorder = Some(recorder);
        Some(event("snapshot", &model))
    }
}

/// JSON has no line breaks of its own, so that one line of data holds it.
fn event(name: &str, value: &impl serde::Serialize) -> String {
    format!("event: {name}\ndata: {}\n\n", json(value))
}
