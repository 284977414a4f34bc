//! `/metrics`, `/healthz` and `/readyz` over HTTP/1.1, for programs on this machine.
//!
//! One request a connection, no body, no keep-alive. Whatever runs on this machine may connect, so a client has
//! [`PATIENCE`] and [`HEAD_BYTES_MAX`], and there are [`CONNECTIONS_MAX`] at once: further ones wait.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::admin::Office;
use crate::health::{Health, Unwell};
use crate::metrics;

/// Connections served at once.
pub const CONNECTIONS_MAX: usize = 16;

/// Longest request line with its headers, in bytes.
pub const HEAD_BYTES_MAX: usize = 4096;

/// Most headers of a request.
pub const HEADERS_MAX: usize = 32;

/// The longest that a connection is served.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that are read and thrown away after the answer, so that the system does not take it back.
const REST_BYTES_MAX: u64 = 64 * 1024;

const TEXT: &str = "text/plain; charset=utf-8";

/// What is asked about.
pub struct Desk {
    /// The counts.
    pub office: Arc<Office>,
    /// How the server is.
    pub health: Health,
}

/// An answer to one request.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

/// What a request wants.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Metrics,
    /// Whether the server lives.
    Live,
    /// Whether it serves.
    Ready,
}

/// Opens the socket.
///
/// # Errors
/// What the system said.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves requests until `stop` says true or its sender is gone; without a socket it only waits for that.
pub async fn serve(listener: Option<TcpListener>, desk: Desk, mut stop: watch::Receiver<bool>) {
    let stopped = stop.wait_for(|&stop| stop);
    let Some(listener) = listener else {
        let _ = stopped.await;
        return;
    };
    let desk = Arc::new(desk);
    tokio::select! {
        () = accept(&listener, &desk) => (),
        _ = stopped => (),
    }
}

async fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
    let rooms = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Those that still run end with this set.
    let mut running = JoinSet::new();
    loop {
        let room = rooms.clone().acquire_owned().await.expect("nobody closes the semaphore");
        while running.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // It is out of file descriptors at worst.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let desk = desk.clone();
        running.spawn(async move {
            // Who goes away, or is slow, wants no answer.
            let _ = timeout(PATIENCE, answer(stream, &desk)).await;
            drop(room);
        });
    }
}

async fn answer(mut stream: TcpStream, desk: &Desk) -> io::Result<()> {
    let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
    let wanted = loop {
        let room = HEAD_BYTES_MAX - head.len();
        if (&mut stream).take(room as u64).read_buf(&mut head).await? == 0 && room > 0 {
            return Ok(());
        }
        match wanted(&head) {
            Ok(Some(wanted)) => break Ok(wanted),
            Ok(None) if room == 0 => break Err(refusal("431 Request Header Fields Too Large")),
            Ok(None) => (),
            Err(refusal) => break Err(refusal),
        }
    };
    let response = wanted.map_or_else(|refusal| refusal, |wanted| desk.response(&wanted));
    stream.write_all(response.to_string().as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(REST_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

impl Desk {
    fn response(&self, wanted: &Wanted) -> Response {
        match wanted {
            Wanted::Metrics => {
                let body = metrics::text(&self.office);
                Response { status: "200 OK", content_type: metrics::CONTENT_TYPE, body }
            }
            Wanted::Live => state(self.health.lives()),
            Wanted::Ready => state(self.health.serves()),
        }
    }
}

fn state(state: Result<(), Unwell>) -> Response {
    let (status, body) = match state {
        Ok(()) => ("200 OK", "ok\n".to_owned()),
        Err(unwell) => ("503 Service Unavailable", format!("{unwell}\n")),
    };
    Response { status, content_type: TEXT, body }
}

fn refusal(status: &'static str) -> Response {
    Response { status, content_type: TEXT, body: format!("{status}\n") }
}

/// Reads a request; `None` if it goes on.
fn wanted(head: &[u8]) -> Result<Option<Wanted>, Response> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => (),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(refusal("431 Request Header Fields Too Large"));
        }
        Err(_) => return Err(refusal("400 Bad Request")),
    }
    let mut hosts = request.headers.iter().filter(|it| it.name.eq_ignore_ascii_case("host"));
    if !hosts.all(|host| is_here(host.value)) {
        return Err(refusal("403 Forbidden"));
    }
    if request.method != Some("GET") {
        return Err(refusal("405 Method Not Allowed"));
    }
    let path = request.path.unwrap_or_default().split('?').next();
    match path.unwrap_or_default() {
        "/metrics" => Ok(Some(Wanted::Metrics)),
        "/healthz" => Ok(Some(Wanted::Live)),
        "/readyz" => Ok(Some(Wanted::Ready)),
        _ => Err(refusal("404 Not Found")),
    }
}

/// Reads a request; returns the status that it would be answered with, `None` if it goes on.
#[cfg(feature = "test")]
pub fn probe(head: &[u8]) -> Option<&'static str> {
    match wanted(head) {
        Ok(wanted) => wanted.map(|_| "200 OK"),
        Err(response) => Some(response.status),
    }
}

/// Tells whether a request's `Host` names this machine. Any page in a browser on this machine can make one for a
/// name of its own that leads here (DNS rebinding), and would read the answer.
fn is_here(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_loopback = bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback || name.eq_ignore_ascii_case("localhost")
}

impl std::fmt::Display for Response {
    /// Writes it as it goes over the connection.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, content_type, body } = self;
        let bytes = body.len();
        write!(
            f,
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {bytes}\r\n"
        )?;
        write!(f, "Allow: GET\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{body}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> &'static str {
        match wanted(head.as_bytes()) {
            Ok(Some(_)) => "200 OK",
            Ok(None) => "goes on",
            Err(response) => response.status,
        }
    }

    #[test]
    fn a_request_is_known_by_its_method_its_path_and_its_host() {
        for (head, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n", "200 OK"),
            ("GET /readyz?full HTTP/1.0\r\n\r\n", "200 OK"),
            ("GET /healthz HTTP/1.1\r\nhost: LOCALHOST\r\n\r\n", "200 OK"),
            ("GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "200 OK"),
            ("GET /metrics HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n", "403 Forbidden"),
            ("GET /metrics HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "403 Forbidden"),
            (
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: a.example\r\n\r\n",
                "403 Forbidden",
            ),
            ("POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
            ("GET /metrics HTTP/3\r\n\r\n", "400 Bad Request"),
            ("\u{16}\u{3}\u{1}", "400 Bad Request"),
            ("GET /metrics HTTP/1.1\r\nHost: local", "goes on"),
            ("", "goes on"),
        ] {
            assert_eq!(status(head), expected, "{head}");
        }
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(status(&many), "431 Request Header Fields Too Large");
    }

    #[test]
    fn an_answer_says_how_long_it_is_and_that_it_is_the_last() {
        let response = state(Err(Unwell::Stopping)).to_string();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        assert!(head.ends_with("\r\nConnection: close"), "{head}");
    }
}
