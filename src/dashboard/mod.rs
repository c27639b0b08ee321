//! A run in the browser: one page, embedded in a file (`--profile run.html`) or fed while the query
//! runs (`--dashboard`).
//!
//! ```text
//!   Recorder ──model──► page ──► run.html                       page/*.{html,css,js}, joined by page.rs
//!       └─snapshots────► Server: GET / ─ the page               server.rs   sockets, threads, limits
//!                                GET /events ─ events.rs        request.rs  what a browser asks
//!                                POST /cancel ─ as Ctrl-C       guard.rs    who may ask it
//! ```
//!
//! The server's threads only read copies from the recorder, so that a slow or vanished browser never
//! slows the query. A request needs the token that was printed with the address, a host name that is
//! ours (against names that are made to point here) and, to cancel, the page itself as its origin.
//!
//! HTTP is parsed by `httparse`, hyper's own parser; sockets are the standard library's, because the
//! small servers that were looked at give no hold on write timeouts, which a browser that stops
//! reading makes necessary.

mod address;
mod events;
mod guard;
mod page;
mod request;
mod server;
#[cfg(test)]
mod tests;

pub use address::{Address, DEFAULT};
pub use page::document;
pub use server::Server;
