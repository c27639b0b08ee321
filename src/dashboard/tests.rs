//! Browsers that behave badly, against the server itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::{Address, Server};
use crate::observe::Recorder;

/// Only a hang takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn server() -> Server {
    Server::start(&Address::parse(":0").unwrap(), false, || ()).unwrap()
}

/// A run whose first event is larger than all buffers between two sockets.
fn large(server: &Server) {
    server.show(Recorder::new("x".repeat(40 << 20), None));
}

fn asks(server: &Server, path: &str) -> TcpStream {
    let token = server.url().split_once("token=").unwrap().1.to_string();
    let mut s = TcpStream::connect(server.address()).unwrap();
    s.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("GET {path}?token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    s.write_all(head.as_bytes()).unwrap();
    s
}

fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < PATIENCE, "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_never_reads_is_dropped() {
    let server = server();
    large(&server);
    let deaf = asks(&server, "/events");
    until(|| server.watching() == 1);
    // while its event waits for room, others are served
    let mut page = String::new();
    asks(&server, "/").read_to_string(&mut page).unwrap();
    assert!(page.ends_with("</html>\n"), "{page:.100}");
    until(|| server.watching() == 0);
    drop(deaf);
}

#[test]
fn the_end_does_not_wait_for_who_never_reads() {
    let server = server();
    large(&server);
    let deaf: Vec<TcpStream> = (0..4).map(|_| asks(&server, "/events")).collect();
    until(|| server.watching() == 4);
    let (send, ended) = channel();
    std::thread::spawn(move || {
        server.finish(None, false, || false);
        send.send(())
    });
    assert!(ended.recv_timeout(PATIENCE).is_ok(), "it hangs");
    drop(deaf);
}

#[test]
fn there_is_room_for_some_and_again_when_they_are_gone() {
    let server = server();
    // they begin to ask and never end
    let half: Vec<TcpStream> = (0..super::server::MOST)
        .map(|_| {
            let mut s = TcpStream::connect(server.address()).unwrap();
            s.write_all(b"GET / HT").unwrap();
            s
        })
        .collect();
    until(|| server.connections() == super::server::MOST);
    let mut nothing = Vec::new();
    // closed at once, with or without what was asked still on its way
    let _ = asks(&server, "/").read_to_end(&mut nothing);
    assert!(nothing.is_empty(), "one too many was served");
    // who does not ask in time is gone
    until(|| server.connections() == 0);
    let mut page = String::new();
    asks(&server, "/").read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"));
    drop(half);
}
