//! Copies of inputs that can be read only once: in files without a name, counted where spill files are.
//!
//! ```text
//!   standard input ─► CopyDir.copy ─► Copied { file }      (pread; any order, any thread)
//!                        │ Copies: bytes on disk now ──► SpillDir: what is left of --max-spill
//! ```
//!
//! A copy is unlinked at birth, so that no ending leaves it behind, and its bytes count until its last reader is gone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// Bytes that are read and written at once: more than a pipe gives.
const BLOCK: usize = 256 << 10;
/// How long an input that waits is waited for before a look at whether the run is stopped.
const LOOK: Duration = Duration::from_millis(50);

/// The bytes that copies take now. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Copies(Arc<AtomicU64>);

impl Copies {
    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A copy; the disk space is freed with its last handle.
#[derive(Debug)]
pub struct Copied {
    file: Arc<File>,
    bytes: u64,
    copies: Copies,
}

impl Copied {
    /// The file, for reading.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.copies.0.fetch_sub(self.bytes, Relaxed);
    }
}

/// Where copies go, how much they may hold, and what stops the copying.
#[derive(Debug, Clone)]
pub struct CopyDir {
    /// The folder.
    pub folder: PathBuf,
    /// The most bytes of all copies.
    pub max_bytes: u64,
    /// Where they count.
    pub copies: Copies,
    /// Set by whoever stops the run.
    pub cancelled: Arc<AtomicBool>,
}

impl CopyDir {
    /// In the folder of temporary files, with no limit.
    pub fn temporary() -> CopyDir {
        CopyDir {
            folder: std::env::temp_dir(),
            max_bytes: u64::MAX,
            copies: Copies::default(),
            cancelled: Arc::default(),
        }
    }

    /// Copies what `open` opens. Another thread does, since an input may keep its reader waiting for ever, which a
    /// signal does not end.
    ///
    /// # Errors
    /// The input cannot be read, the disk is full, the limit is reached; of kind `Interrupted` where it was stopped.
    pub fn copy<R: Read>(
        &self,
        name: &Path,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> Result<Arc<Copied>> {
        let (dir, whose) = (self.clone(), name.to_path_buf());
        let left = Arc::new(AtomicBool::new(false));
        let over = left.clone();
        let (done, outcome) = channel();
        let copying = move || {
            let from = open().map_err(|e| Error::io("open", &whose, &e));
            // nobody listens any more where the run was stopped
            let _ = done.send(from.and_then(|from| dir.fill(&whose, from, &over)));
        };
        let thread = std::thread::Builder::new().name("ddf-copy".into()).spawn(copying);
        thread.map_err(|e| Error::io("start a thread to read", name, &e))?;
        loop {
            match outcome.recv_timeout(LOOK) {
                Ok(copied) => return copied.map(Arc::new),
                Err(RecvTimeoutError::Timeout) if !self.cancelled.load(Relaxed) => {}
                Err(RecvTimeoutError::Timeout) => {
                    left.store(true, Relaxed);
                    return Err(stopped());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::defect("the copy of an input went astray"));
                }
            }
        }
    }

    fn fill(&self, name: &Path, mut from: impl Read, left: &AtomicBool) -> Result<Copied> {
        let file = tempfile::tempfile_in(&self.folder).map_err(|e| {
            Error::io("create a file in", &self.folder, &e).help("choose another folder with --spill-dir")
        })?;
        // what is counted goes with it, however this ends
        let mut copied = Copied {
            file: Arc::new(file),
            bytes: 0,
            copies: self.copies.clone(),
        };
        let mut block = vec![0; BLOCK];
        loop {
            let n = match from.read(&mut block) {
                Ok(0) => return Ok(copied),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Error::io("read", name, &e)),
            };
            if left.load(Relaxed) {
                return Err(stopped());
            }
            self.count(&mut copied, n as u64, name)?;
            (&*copied.file)
                .write_all(&block[..n])
                .map_err(|e| self.write_error(name, &e))?;
        }
    }

    fn count(&self, copied: &mut Copied, bytes: u64, name: &Path) -> Result<()> {
        let now = self.copies.0.fetch_add(bytes, Relaxed) + bytes;
        copied.bytes += bytes;
        if now <= self.max_bytes {
            return Ok(());
        }
        let (name, folder) = (name.display(), self.folder.display());
        let most = match self.max_bytes >> 20 {
            0 => format!("{} bytes", self.max_bytes),
            most => format!("{most} MiB"),
        };
        let what = format!("the copy of {name} in {folder} would exceed {most}");
        Err(Error::limit(what).help("allow more with --max-spill, or name a file, which needs no copy"))
    }

    fn write_error(&self, name: &Path, e: &io::Error) -> Error {
        let help = "free some disk space, choose another folder with --spill-dir, or name a file, which needs no copy";
        let error = Error::io(&format!("keep {} in", name.display()), &self.folder, e);
        match e.raw_os_error() {
            Some(libc::ENOSPC) => Error::limit(error.to_string()).help(help),
            _ => error.help(help),
        }
    }
}

fn stopped() -> Error {
    Error::new(Kind::Interrupted, "cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    fn dir(max_bytes: u64) -> CopyDir {
        CopyDir {
            max_bytes,
            ..CopyDir::temporary()
        }
    }

    #[test]
    fn copies_count_until_nobody_reads_them() {
        let dir = dir(10);
        let of = |text: &'static [u8]| dir.copy(Path::new("a pipe"), move || Ok(text));
        let first = of(b"123456").unwrap();
        assert_eq!(dir.copies.bytes(), 6);
        let e = of(b"12345").unwrap_err();
        assert_eq!((e.kind(), dir.copies.bytes()), (Kind::Limit, 6));
        let mut back = [0; 6];
        first.file().read_exact_at(&mut back, 0).unwrap();
        assert_eq!(&back, b"123456");
        drop(first);
        assert_eq!(dir.copies.bytes(), 0);
        of(b"1234567890").unwrap();
    }

    /// Gives nothing and does not end before the test does.
    struct Waits(std::sync::mpsc::Receiver<()>);

    impl Read for Waits {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(0)
        }
    }

    #[test]
    fn an_input_that_waits_is_left_where_the_run_is_stopped() {
        let dir = dir(10);
        let (_alive, waits) = channel();
        dir.cancelled.store(true, Relaxed);
        let e = dir
            .copy(Path::new("a pipe"), move || Ok(Waits(waits)))
            .unwrap_err();
        assert_eq!(e.kind(), Kind::Interrupted);
    }
}
