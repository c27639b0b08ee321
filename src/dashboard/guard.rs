//! Who may ask: the token, the host name, the origin.

use std::fmt::Write;
use std::hint::black_box;
use std::net::IpAddr;

use super::request::Request;
use crate::error::{Error, Kind, Result};

/// 128 random bits in hexadecimal.
///
/// # Errors
/// The system gives none.
pub(super) fn random() -> Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::new(
            Kind::Environment,
            format!("the system gives no random numbers: {e}"),
        )
    })?;
    let mut out = String::with_capacity(32);
    for b in bytes {
        let _ = write!(out, "{b:02x}");
    }
    Ok(out)
}

/// What a request must bring.
#[derive(Debug)]
pub(super) struct Guard {
    token: String,
    /// A host name besides `localhost` and plain addresses: the one that was typed.
    host: String,
}

/// How far a request may go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All the way.
    Welcome,
    /// No further; with the reason.
    Forbidden(&'static str),
}

impl Guard {
    /// A guard with a new token, at a host as it was typed.
    pub fn new(host: &str) -> Result<Guard> {
        Ok(Guard {
            token: random()?,
            host: host.to_string(),
        })
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Looks at the host name and the token.
    pub fn judge(&self, r: &Request) -> Verdict {
        if !r.host.as_deref().is_some_and(|h| self.is_ours(h)) {
            return Verdict::Forbidden("this host name is not the dashboard's\n");
        }
        let token = r.parameter("token").unwrap_or_default();
        match same(token.as_bytes(), self.token.as_bytes()) {
            true => Verdict::Welcome,
            false => Verdict::Forbidden("the address needs the token that ddf printed\n"),
        }
    }

    /// Whether a request that changes something comes from the page itself: browsers say where a script
    /// stands that posts, and let no other page say so.
    pub fn is_own_page(&self, r: &Request) -> bool {
        match (&r.origin, &r.host) {
            (Some(origin), Some(host)) => *origin == format!("http://{host}"),
            _ => false,
        }
    }

    /// Names can be made to point here by whoever owns them; plain addresses and `localhost` cannot. The
    /// port does not matter, since a tunnel may change it.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
            _ => host,
        };
        let plain = name
            .strip_prefix('[')
            .and_then(|n| n.strip_suffix(']'))
            .unwrap_or(name);
        plain.parse::<IpAddr>().is_ok()
            || plain.eq_ignore_ascii_case("localhost")
            || plain.eq_ignore_ascii_case(&self.host)
    }
}

/// Compares in a time that does not tell where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let differing = a.iter().zip(b).fold(0u8, |sum, (x, y)| black_box(sum | (x ^ y)));
    black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: Option<&str>, target: &str, origin: Option<&str>) -> Request {
        Request {
            method: "GET".into(),
            target: target.into(),
            host: host.map(String::from),
            origin: origin.map(String::from),
        }
    }

    #[test]
    fn only_the_token_opens() {
        let g = Guard::new("box.example").unwrap();
        assert_eq!(g.token().len(), 32);
        assert_ne!(g.token(), Guard::new("").unwrap().token());
        let good = format!("/?token={}", g.token());
        assert_eq!(
            g.judge(&request(Some("127.0.0.1:8787"), &good, None)),
            Verdict::Welcome
        );
        let longer = format!("{good}0");
        let upper = good
            .to_uppercase()
            .replace("TOKEN", "token")
            .replace(|c: char| c.is_ascii_digit(), "A");
        for bad in [
            "/",
            "/?token=",
            "/?token=0",
            &good[..good.len() - 1],
            &longer,
            &upper,
        ] {
            assert_ne!(
                g.judge(&request(Some("127.0.0.1:8787"), bad, None)),
                Verdict::Welcome,
                "{bad}"
            );
        }
    }

    #[test]
    fn foreign_names_are_refused() {
        let g = Guard::new("box.example").unwrap();
        let target = format!("/?x=1&token={}", g.token());
        let ours = [
            "127.0.0.1:1",
            "localhost",
            "LOCALHOST:99",
            "[::1]:8787",
            "10.1.2.3:8787",
            "box.example:8787",
        ];
        for host in ours {
            assert_eq!(
                g.judge(&request(Some(host), &target, None)),
                Verdict::Welcome,
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "evil.example:8787",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "",
            "x@127.0.0.1:1",
        ] {
            assert_ne!(
                g.judge(&request(Some(host), &target, None)),
                Verdict::Welcome,
                "{host}"
            );
        }
        assert_ne!(g.judge(&request(None, &target, None)), Verdict::Welcome);
    }

    #[test]
    fn only_the_page_cancels() {
        let g = Guard::new("").unwrap();
        let is = |origin| g.is_own_page(&request(Some("127.0.0.1:8787"), "/cancel", origin));
        assert!(is(Some("http://127.0.0.1:8787")));
        for other in [
            None,
            Some("null"),
            Some("http://127.0.0.1:8788"),
            Some("https://127.0.0.1:8787"),
            Some("http://evil"),
        ] {
            assert!(!is(other), "{other:?}");
        }
    }
}
