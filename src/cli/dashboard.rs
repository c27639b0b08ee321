//! `--dashboard`: one server for all runs of a command, as there is one of each signal.
//!
//! It is started by the first run, shows the one that goes on, and ends with the command: after the
//! errors are printed, so that `--linger` holds back nothing.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::args::RunArgs;
use super::signals;
use crate::dashboard::{Address, DEFAULT, Server};
use crate::error::{Error, Result};
use crate::observe::Recorder;

/// The command's, once a run has started it.
static SERVER: Mutex<Option<Server>> = Mutex::new(None);

fn server() -> MutexGuard<'static, Option<Server>> {
    SERVER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts it, if it was asked for and is not there yet, and says where it is.
///
/// # Errors
/// It cannot listen there.
pub fn start(run: &RunArgs) -> Result<()> {
    let Some(text) = &run.dashboard else {
        return Ok(());
    };
    let mut slot = server();
    if slot.is_some() {
        return Ok(());
    }
    // what the button does is what Ctrl-C does
    let cancel = || drop(signal_hook::low_level::raise(SIGINT));
    let new = Server::start(&Address::parse(text)?, run.linger, cancel)?;
    let mut said = String::new();
    if text == DEFAULT && !new.url().contains(DEFAULT) {
        said += "port 8787 is taken, so that the dashboard has another\n";
    }
    if !new.address().ip().is_loopback() {
        said += "whoever has its address can see the dashboard from other machines; nothing is encrypted\n";
    }
    said += &format!("dashboard: {}\n", new.url());
    let _ = std::io::stderr().write_all(said.as_bytes());
    *slot = Some(new);
    Ok(())
}

/// Shows a run from now on, if there is a dashboard.
pub fn show(recorder: &Arc<Recorder>) {
    if let Some(s) = &*server() {
        s.show(recorder.clone());
    }
}

/// The command is done: tells those who watch, and stays for as long as `--linger` wants.
pub fn finish(error: Option<&Error>) {
    let Some(server) = server().take() else {
        return;
    };
    let cancelled = error.is_some_and(|e| e.kind().is_stop());
    let stop = Arc::new(AtomicBool::new(cancelled));
    let hangup = (!signals::hangups_are_ignored()).then_some(SIGHUP);
    for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
        let _ = signal_hook::flag::register(signal, stop.clone());
    }
    server.finish(error.map(Error::to_string), cancelled, || stop.load(Relaxed));
}
