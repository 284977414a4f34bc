//! `/metrics`, `/healthz` and `/readyz` over a real socket, with clients that behave and clients that do not.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use raw::{Client, LOCAL, Seated, config, soon};
use server::config::Config;
use server::http::{CONNECTIONS_MAX, HEAD_BYTES_MAX};
use server::{Running, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn start(dir: &tempfile::TempDir) -> (Running, SocketAddr) {
    let server = Server::start(Config { metrics: Some(LOCAL), ..config(dir) }).await.unwrap();
    let address = server.metrics_addr.unwrap();
    assert!(address.ip().is_loopback());
    (server, address)
}

/// Sends bytes on a connection of their own; returns all that comes back.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have closed before it has taken all of what is too long.
    let _ = stream.write_all(request).await;
    let mut answer = String::new();
    let _ = soon(stream.read_to_string(&mut answer)).await;
    answer
}

/// Gets a path; returns the status and the body.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n");
    let answer = exchange(address, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = format!("\r\nContent-Length: {}\r\n", body.len());
    assert!(head.contains(&length), "{answer}");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Reads the text format; every metric has its help and its type before it, and no label.
fn parse(text: &str) -> BTreeMap<String, u64> {
    let mut values = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(help) = lines.next() {
        let (name, what) = help.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
        assert!(what.ends_with('.'), "{help}");
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} {kind}");
        let value = lines.next().unwrap().strip_prefix(&format!("{name} ")).unwrap();
        assert_eq!(values.insert(name.to_owned(), value.parse().unwrap()), None, "{name}");
    }
    values
}

async fn metrics(address: SocketAddr) -> BTreeMap<String, u64> {
    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    parse(&text)
}

#[tokio::test]
async fn counts_of_rounds_are_told_and_nothing_of_who_met_whom() {
    let dir = tempfile::tempdir().unwrap();
    let (server, address) = start(&dir).await;
    let before = metrics(address).await;
    assert_eq!((before["iirs_seats"], before["iirs_accounts"]), (0, 0));
    let mut chatting = Vec::new();
    for who in ["zebulon", "quentin"] {
        let mut client = Client::connect(&server).await;
        client.register(who, "password").await.ok().unwrap();
        let session = client.log_in(who, "password").await.ok().unwrap();
        let mut seated: Seated = client.join(&session).await;
        seated.hear().await;
        chatting.push(seated);
    }
    for _ in 0..3 {
        for seated in &mut chatting {
            let open = seated.hear().await.header.open;
            seated.deposit(open, [(7, 0x11), (9, 0x22)]).await;
        }
    }
    let (_, text) = get(address, "/metrics").await;
    for secret in ["zebulon", "quentin", "127.0.0.1", "pair", "lone", "crowd", "call", "{"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let after = parse(&text);
    assert_eq!(after["iirs_seats"], 2);
    assert_eq!(after["iirs_accounts"], 2);
    assert_eq!(after["iirs_round_period_milliseconds"], u64::from(raw::ROUND_MS));
    assert!(after["iirs_deposits_total"] >= 4, "{text}");
    assert!(after["iirs_rounds_total"] > before["iirs_rounds_total"], "{text}");
    assert!(after["iirs_round"] > before["iirs_round"], "{text}");
    assert!(after["iirs_last_round_seats"] >= 1, "{text}");
    soon(server.stop()).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn every_metric_is_in_the_documentation() {
    let dir = tempfile::tempdir().unwrap();
    let (server, address) = start(&dir).await;
    let told = metrics(address).await;
    soon(server.stop()).await.unwrap();
    let document = include_str!("../../docs/operations.md");
    let (_, table) = document.split_once("\n| metric | meaning |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for name in told.keys() {
        assert!(table.contains(&format!("`{name}`")), "{name}");
    }
    assert_eq!(table.matches("`iirs_").count(), told.len(), "none is there that is no more");
}

#[tokio::test]
async fn a_server_that_serves_is_live_and_ready() {
    let dir = tempfile::tempdir().unwrap();
    let (server, address) = start(&dir).await;
    assert_eq!(get(address, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get(address, "/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(get(address, "/").await.0, 404);
    assert_eq!(server.health.serves(), Ok(()));
    let health = server.health.clone();
    let stopped = server.stop();
    // What looks on keeps nothing open for longer than this.
    drop(health);
    soon(stopped).await.unwrap();
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_served_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let (server, address) = start(&dir).await;
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HEAD_BYTES_MAX));
    let endless = vec![b'a'; 1 << 20];
    for (request, status) in [
        (&b"\x16\x03\x01\x02\x00"[..], "400 "),
        (b"GET /metrics\r\n\r\n", "400 "),
        (long.as_bytes(), "431 "),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403 "),
        (
            b"DELETE /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n123456789",
            "405 ",
        ),
    ] {
        let answer = exchange(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    // A flood may lose its answer, and changes nothing for the next one.
    exchange(address, &endless).await;
    assert_eq!(exchange(address, b"").await, "", "an end without a request");
    assert_eq!(get(address, "/readyz").await.0, 200);
    soon(server.stop()).await.unwrap();
}

#[tokio::test]
async fn slow_clients_hold_others_up_for_a_while_and_the_rounds_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (server, address) = start(&dir).await;
    let mut slow = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /met").await.unwrap();
        slow.push(stream);
    }
    let before = server.health.rounds.state().0.rounds;
    // Waits until the slow ones have used up their time.
    assert_eq!(get(address, "/readyz").await.0, 200);
    assert!(server.health.rounds.state().0.rounds > before);
    for mut stream in slow {
        let mut answer = String::new();
        let _ = soon(stream.read_to_string(&mut answer)).await;
        assert_eq!(answer, "", "it was cut off");
    }
    soon(server.stop()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_does_not_keep_the_server_from_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let (server, address) = start(&dir).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
    assert_eq!(get(address, "/healthz").await.0, 200);
    timeout(server::http::PATIENCE, server.stop()).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let (server, address) = start(&dir).await;
    let other = tempfile::tempdir().unwrap();
    let second = Server::start(Config { metrics: Some(address), ..config(&other) }).await;
    let said = second.err().unwrap().to_string();
    assert!(said.contains(&address.to_string()) && said.contains("--metrics"), "{said}");
    soon(server.stop()).await.unwrap();
}
