//! A second descriptor of an open file that the process was given by its number, as `-o /dev/fd/3`.
//!
//! Opening `/dev/fd/3` anew gives a file with a position of its own that does not append, so that what
//! another program of the same pipeline wrote (`>> log`) would be overwritten.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// A duplicate of descriptor `number`, which shares its position and whether it appends.
///
/// # Errors
/// There is no such descriptor, or the process has too many.
pub fn duplicate(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes any number and touches no memory of ours; one that is not open is an error.
    let new = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    match new {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor was just made by the system, is open, and nobody else knows its number.
        new => Ok(unsafe { OwnedFd::from_raw_fd(new) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsRawFd;

    #[test]
    fn a_duplicate_shares_the_position() {
        let mut first = tempfile::tempfile().unwrap();
        first.write_all(b"one ").unwrap();
        let mut second = File::from(duplicate(first.as_raw_fd()).unwrap());
        second.write_all(b"two ").unwrap();
        first.write_all(b"three").unwrap();
        first.rewind().unwrap();
        let mut all = String::new();
        second.read_to_string(&mut all).unwrap();
        assert_eq!(all, "one two three");
        assert!(duplicate(-1).is_err());
    }
}
