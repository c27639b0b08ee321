//! What a command has besides its question: the signals that stop it, and who watches its runs.
//!
//! Nothing is started before a run needs it, and nothing but signals without a flag that asks for it.

use std::cell::OnceCell;
use std::io::Write;
use std::sync::Arc;

use signal_hook::consts::SIGINT;

use super::args::RunArgs;
use super::signals::Signals;
use crate::dashboard::{Address, DEFAULT, Server};
use crate::error::{Error, Kind, Result};
use crate::observe::Recorder;

/// One command's, for all its runs.
#[derive(Default)]
pub struct Session {
    signals: OnceCell<Signals>,
    dashboard: OnceCell<Server>,
}

impl Session {
    /// A command's session.
    pub fn new() -> Session {
        Session::default()
    }

    /// A shell's: Ctrl-C stops what runs, and nothing else.
    pub fn of_shell() -> Session {
        let signals = OnceCell::from(Signals::of_shell());
        Session { signals, dashboard: OnceCell::new() }
    }

    /// Listens to signals from now on.
    pub fn signals(&self) -> &Signals {
        self.signals.get_or_init(Signals::of_process)
    }

    /// Starts the dashboard if it was asked for, and says where it is.
    ///
    /// # Errors
    /// It cannot listen there.
    pub fn start(&self, run: &RunArgs) -> Result<()> {
        let (Some(text), None) = (&run.dashboard, self.dashboard.get()) else {
            return Ok(());
        };
        self.signals();
        let address = Address::parse(text)?;
        // what the button does is what Ctrl-C does
        let cancel = || drop(signal_hook::low_level::raise(SIGINT));
        let server = Server::start(&address, run.linger, cancel)?;
        let mut said = String::new();
        if text == DEFAULT && !server.url().contains(DEFAULT) {
            said += "port 8787 is taken, so that the dashboard has another\n";
        }
        if !server.address().ip().is_loopback() {
            said += "the dashboard can be reached from other machines, without encryption, by whoever has its address\n";
        }
        said += &format!("dashboard: {}\n", server.url());
        let _ = std::io::stderr().write_all(said.as_bytes());
        let _ = self.dashboard.set(server);
        Ok(())
    }

    /// What keeps the next run for those who watch it, if anybody does.
    pub fn recorder(&self) -> Option<Arc<Recorder>> {
        let server = self.dashboard.get()?;
        let recorder = Recorder::new(typed(), None);
        server.show(recorder.clone());
        Some(recorder)
    }

    /// The command is done: tells those who watch, and stays as long as `--linger` wants.
    pub fn finish(mut self, error: Option<&Error>) {
        let Some(server) = self.dashboard.take() else {
            return;
        };
        let signals = self.signals();
        let cancelled = error.is_some_and(|e| e.kind() == Kind::Interrupted);
        server.finish(error.map(Error::to_string), cancelled, || signals.interrupted());
    }
}

/// The command as it was typed, quoted where a shell would take it otherwise.
fn typed() -> String {
    let words = std::env::args_os().skip(1).map(|a| quoted(&a.to_string_lossy()));
    ["ddf".to_string()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell() {
        let all = ["a.csv", "data/*.csv", "it's", "", "Cancelled = 0", "Größe"].map(quoted);
        assert_eq!(all, ["a.csv", "'data/*.csv'", r"'it'\''s'", "''", "'Cancelled = 0'", "Größe"]);
    }
}
