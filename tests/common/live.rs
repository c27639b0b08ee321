//! A query that runs with `--dashboard`, and a plain client of its server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Folder, Ran, command};

/// Longer than anything here takes, even on a busy machine: only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running `ddf`; killed if the test ends before it does.
pub struct Live {
    child: Child,
    lines: Receiver<String>,
    err: String,
    out: Option<JoinHandle<Vec<u8>>>,
    /// The address with its token.
    pub url: String,
}

impl Live {
    /// Starts it and waits for the address.
    pub fn start(args: &[&str]) -> Live {
        let mut c = command();
        c.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = c.spawn().unwrap();
        let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let out = std::thread::spawn(move || {
            let mut all = Vec::new();
            let _ = stdout.read_to_end(&mut all);
            all
        });
        let mut live = Live {
            child,
            lines,
            err: String::new(),
            out: Some(out),
            url: String::new(),
        };
        live.url = live.line("dashboard: ").split_once(": ").unwrap().1.to_string();
        live
    }

    /// Waits for a line on stderr that begins so.
    pub fn line(&mut self, start: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line {start:?} on stderr:\n{}", self.err));
            self.err += &format!("{line}\n");
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        let host = self
            .url
            .strip_prefix("http://")
            .unwrap()
            .split('/')
            .next()
            .unwrap();
        host.parse().unwrap()
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.url.split_once("token=").unwrap().1
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it ends.
    pub fn ended(mut self) -> Ran {
        let begun = Instant::now();
        while self.runs() {
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.err);
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = self.child.wait().unwrap().code();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(5)) {
            self.err += &format!("{line}\n");
        }
        Ran {
            status,
            out: self.out.take().unwrap().join().unwrap(),
            err: std::mem::take(&mut self.err),
        }
    }

    /// Opens a connection and sends a request with these headers and the right host.
    pub fn send(&self, method: &str, path: &str, more: &str) -> TcpStream {
        let host = format!("Host: {}\r\n{more}", self.address());
        self.send_as(method, path, &host)
    }

    /// Opens a connection and sends a request with exactly these headers.
    pub fn send_as(&self, method: &str, path: &str, headers: &str) -> TcpStream {
        let mut s = TcpStream::connect(self.address()).unwrap();
        s.set_read_timeout(Some(PATIENCE)).unwrap();
        s.write_all(format!("{method} {path} HTTP/1.1\r\n{headers}\r\n").as_bytes())
            .unwrap();
        s
    }

    /// The whole answer.
    pub fn ask(&self, method: &str, path: &str, more: &str) -> String {
        read_all(self.send(method, path, more))
    }

    /// `/path?token=…`
    pub fn with_token(&self, path: &str) -> String {
        format!("{path}?token={}", self.token())
    }

    /// Opens the stream of events.
    pub fn events(&self) -> Events {
        let path = self.with_token("/events");
        Events(BufReader::new(self.send("GET", &path, "")))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything until the other side closes.
pub fn read_all(mut s: TcpStream) -> String {
    let mut all = Vec::new();
    let _ = s.read_to_end(&mut all);
    String::from_utf8_lossy(&all).into_owned()
}

/// Server-sent events.
pub struct Events(BufReader<TcpStream>);

impl Events {
    /// The next event and its data; `None` where the stream ends.
    pub fn next(&mut self) -> Option<(String, serde_json::Value)> {
        let (mut name, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(n) = line.strip_prefix("event: ") {
                name = n.trim_end().to_string();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
    }
}

/// A file of flights of which questions take seconds: `rows` rows of numbers and texts.
pub fn flights(folder: &Folder, rows: usize) -> String {
    let mut text = String::from("day,origin,tail,delay,distance,remark\n");
    let mut random = super::Random(7);
    for i in 0..rows {
        let r = random.next();
        let (origin, tail) = (r % 397, (r >> 20) % 500_000);
        let (delay, distance) = ((r >> 40) % 400, (r >> 50) % 5000);
        text += &format!(
            "{},A{origin},N{tail},{delay},{distance},gate {} of {i}\n",
            i % 366,
            r % 90
        );
    }
    folder.file("flights.csv", text)
}
