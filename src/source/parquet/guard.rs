//! Decoders of foreign bytes under guard: a panic in one is an error, and says nothing on stderr.

use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

use parquet::errors::ParquetError;

use crate::error::{Error, Result, panic_text};
use crate::memory::is_transient;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on bytes of `path`; whatever goes wrong is the file's fault.
pub(super) fn guarded<T>(
    path: &Path,
    what: &str,
    work: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> Result<T> {
    silence_guarded_panics();
    let before = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(match passing(&e) {
            Some(e) => Error::io("read", path, e)
                .help("it may pass: --retries N says how often such a read is tried again"),
            None => damaged(path, what, &plain(&e)),
        }),
        Err(panic) => {
            let text = panic_text(&*panic).unwrap_or_else(|| "the decoder gave up".into());
            Err(damaged(path, what, text.lines().next().unwrap_or_default()))
        }
    }
}

/// The error of the operating system behind it, if it is one that may pass.
fn passing(e: &ParquetError) -> Option<&io::Error> {
    match e {
        ParquetError::External(e) => e.downcast_ref::<io::Error>().filter(|e| is_transient(e)),
        _ => None,
    }
}

/// The error for a file whose bytes are not what they should be.
pub(super) fn damaged(path: &Path, what: &str, why: &str) -> Error {
    Error::input(format!("cannot read {what}: {why}"))
        .at(path, 0, 0)
        .help("the file may be damaged or incomplete: write it anew")
}

fn plain(e: &ParquetError) -> String {
    let text = e.to_string();
    let mut plain = text.as_str();
    // errors come wrapped in several others
    let prefixes = [
        "Parquet error: ",
        "Parquet argument error: ",
        "EOF: ",
        "External: ",
        "Arrow: ",
    ];
    while let Some(rest) = prefixes.iter().find_map(|p| plain.strip_prefix(p)) {
        plain = rest;
    }
    plain.to_string()
}

/// Once for the process: a hook that keeps quiet about panics inside `guarded`, and leaves all
/// others to the hook that was there.
fn silence_guarded_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
}
