//! Where the dashboard listens: what was typed behind `--dashboard`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};

use crate::error::{Error, Result};

/// Where it listens if nothing else is said.
pub const DEFAULT: &str = "127.0.0.1:8787";

/// An address as typed: `127.0.0.1:8787`, `:9000`, `9000`, `[::1]:0`, `myhost:8787`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    /// Nobody asked for this one, so that another port does as well.
    any_port: bool,
}

impl Address {
    /// Reads it; a missing host is this machine's loopback.
    ///
    /// # Errors
    /// It is not one.
    pub fn parse(text: &str) -> Result<Address> {
        let bad = || {
            Error::usage(format!("--dashboard cannot listen at {text:?}"))
                .help("as in --dashboard=127.0.0.1:8787; port 0 takes any that is free")
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None => ("", text),
        };
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = match bracketed {
            Some(v6) => v6,
            None if host.contains([':', '/', ' ', '[', ']', '@']) => return Err(bad()),
            None => host,
        };
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or_else(bad)?;
        Ok(Address {
            host: if host.is_empty() {
                "127.0.0.1".into()
            } else {
                host.to_lowercase()
            },
            port,
            any_port: text == DEFAULT,
        })
    }

    /// Whether a word that stands behind `--dashboard` is meant for it: `HOST:PORT` or `:PORT`.
    pub fn is_one(word: &str) -> bool {
        let port = word.rsplit_once(':').map(|(_, port)| port);
        port.is_some_and(|p| !p.is_empty() && p.len() <= 5 && p.bytes().all(|b| b.is_ascii_digit()))
            && !word.contains(['/', '\\', '*'])
            && Address::parse(word).is_ok()
    }

    /// The host, as typed.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Listens there; of the default address any port will do if its own is taken.
    pub(super) fn listen(&self) -> Result<TcpListener> {
        let failed = |e: &std::io::Error| {
            let at = match self.host.contains(':') {
                true => format!("[{}]:{}", self.host, self.port),
                false => format!("{}:{}", self.host, self.port),
            };
            let e = Error::new(
                crate::error::Kind::Environment,
                format!("--dashboard cannot listen at {at}: {e}"),
            );
            e.help("port 0 takes any that is free, as in --dashboard=127.0.0.1:0")
        };
        let all = (self.host.as_str(), self.port).to_socket_addrs();
        let all: Vec<SocketAddr> = all.map_err(|e| failed(&e))?.collect();
        match TcpListener::bind(all.as_slice()) {
            Err(_) if self.any_port => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| failed(&e)),
            bound => bound.map_err(|e| failed(&e)),
        }
    }
}

/// The address as a browser on this machine reaches it.
pub(super) fn reachable(bound: SocketAddr) -> SocketAddr {
    match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], bound.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], bound.port())),
        _ => bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let of = |t: &str| Address::parse(t).map(|a| (a.host, a.port, a.any_port)).ok();
        assert_eq!(of(DEFAULT), Some(("127.0.0.1".into(), 8787, true)));
        assert_eq!(of("9000"), Some(("127.0.0.1".into(), 9000, false)));
        assert_eq!(of(":0"), Some(("127.0.0.1".into(), 0, false)));
        assert_eq!(of("[::1]:80"), Some(("::1".into(), 80, false)));
        assert_eq!(of("LocalHost:80"), Some(("localhost".into(), 80, false)));
        for wrong in [
            "",
            "x",
            ":",
            "a:b",
            "1:70000",
            "::1:80",
            "a b:1",
            "http://x:1",
            "1:+5",
            "x:",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn files_are_not_addresses() {
        for word in [":0", "127.0.0.1:8787", "localhost:1", "[::1]:0"] {
            assert!(Address::is_one(word), "{word}");
        }
        for word in [
            "8787",
            "a.csv",
            "data/x:80",
            "*:80",
            "C:\\x",
            "x:",
            "x:123456",
            "--count",
        ] {
            assert!(!Address::is_one(word), "{word}");
        }
    }
}
