//! The head of a request, read within a time and a size, and the answer to it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest head that is read.
const MOST: usize = 8 * 1024;
/// How long a head may take in all, however slowly it drips.
const PATIENCE: Duration = Duration::from_secs(5);
const HEADERS: usize = 64;

/// What a browser asks for, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub method: String,
    /// Path and parameters.
    pub target: String,
    pub host: Option<String>,
    pub origin: Option<String>,
}

impl Request {
    /// The path alone.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter, as it stands there: what is asked for here needs no decoding.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|p| p.split_once('='));
        pairs.find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

/// Reads the head. `None` for what is no request, is too long or too slow.
pub(super) fn read(stream: &mut TcpStream) -> Option<Request> {
    let begun = Instant::now();
    let mut head = Vec::with_capacity(1024);
    let mut piece = [0u8; 1024];
    loop {
        let left = PATIENCE.checked_sub(begun.elapsed()).filter(|d| !d.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut piece) {
            Ok(0) => return None,
            Ok(n) => head.extend_from_slice(&piece[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        }
        match parse(&head) {
            Parsed::Whole(r) => return Some(r),
            Parsed::Part if head.len() < MOST => {}
            Parsed::Part | Parsed::Wrong => return None,
        }
    }
}

enum Parsed {
    Whole(Request),
    Part,
    Wrong,
}

fn parse(head: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => return Parsed::Part,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return Parsed::Wrong,
    }
    // a header that comes twice is nobody's
    let one = |name: &str| {
        let mut all = request
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case(name));
        let value = std::str::from_utf8(all.next()?.value).ok()?;
        all.next().is_none().then(|| value.to_string())
    };
    match (request.method, request.path) {
        (Some(method), Some(target)) => Parsed::Whole(Request {
            method: method.to_string(),
            target: target.to_string(),
            host: one("host"),
            origin: one("origin"),
        }),
        _ => Parsed::Wrong,
    }
}

/// The head of an answer whose end is the end of the connection.
pub(super) fn head(status: &str, kind: &str, more: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: frame-ancestors 'none'\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Connection: close\r\n{more}\r\n"
    )
}

/// Sends a whole answer.
pub(super) fn answer(stream: &mut TcpStream, status: &str, kind: &str, body: &str) -> io::Result<()> {
    let mut text = head(status, kind, &format!("Content-Length: {}\r\n", body.len()));
    text += body;
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Request> {
        match parse(text.as_bytes()) {
            Parsed::Whole(r) => Some(r),
            Parsed::Part | Parsed::Wrong => None,
        }
    }

    #[test]
    fn heads() {
        let r = of("GET /events?a=1&token=t&token=u HTTP/1.1\r\nHOST: x:1\r\nOrigin: http://x:1\r\n\r\n")
            .unwrap();
        assert_eq!((r.path(), r.parameter("token")), ("/events", Some("t")));
        assert_eq!(
            (r.host.as_deref(), r.origin.as_deref()),
            (Some("x:1"), Some("http://x:1"))
        );
        assert_eq!(r.parameter("b"), None);
        assert_eq!(
            of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").unwrap().host,
            None
        );
        assert_eq!(of("GET / HTTP/1.1\r\nHost: a\r\n"), None);
        for wrong in [
            "\0\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        ] {
            assert!(matches!(parse(wrong.as_bytes()), Parsed::Wrong), "{wrong:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
        assert!(matches!(parse(many.as_bytes()), Parsed::Wrong));
    }
}
