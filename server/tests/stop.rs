//! How a server stops while clients are in the middle of something, and whom it lets in under load.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quinn::{ConnectionError, Endpoint, TransportConfig};
use raw::{Client, LOCAL, Seated, config, endpoint, endpoint_with, soon, start};
use server::config::Config;
use server::listen::{CONNECTIONS_SPARE, HANDSHAKE, HANDSHAKES_MAX, HANDSHAKES_RETRY};
use server::{Running, Server};
use tokio::net::UdpSocket;
use wire::close::Close;
use wire::control::{ClientControl, Pull};

/// What docs/operations.md promises is 5 s; here rounds are short and nothing is slow.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Longer than an answer takes, shorter than any limit of the server.
const NO_ANSWER: Duration = Duration::from_millis(300);

/// Room for less than a frame.
const NARROW_BYTES: u32 = 700;

/// First bits of a Retry packet (RFC 9000, 17.2.5).
const RETRY: u8 = 0b1111_0000;

async fn assert_stops_at_once(server: Running) {
    let began = Instant::now();
    soon(server.stop()).await.unwrap();
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

/// Begins a handshake of a client that gets no answer; returns the first byte of the answer.
async fn begin(clients: &Endpoint, server: SocketAddr) -> u8 {
    let front = UdpSocket::bind(LOCAL).await.unwrap();
    let back = UdpSocket::bind(LOCAL).await.unwrap();
    let connecting = clients.connect(front.local_addr().unwrap(), "localhost");
    let mut packet = [0; 1500];
    let bytes = soon(front.recv(&mut packet)).await.unwrap();
    drop(connecting);
    back.send_to(&packet[..bytes], server).await.unwrap();
    soon(back.recv(&mut packet)).await.unwrap();
    packet[0]
}

/// Begins a handshake of a client that proves its address if it must, and then hears nothing more.
async fn leave_half_open(clients: &Endpoint, server: SocketAddr) {
    let front = UdpSocket::bind(LOCAL).await.unwrap();
    let back = UdpSocket::bind(LOCAL).await.unwrap();
    back.connect(server).await.unwrap();
    let connecting = clients.connect(front.local_addr().unwrap(), "localhost").unwrap();
    let (mut up, mut down) = ([0; 1500], [0; 1500]);
    let heard = async {
        loop {
            tokio::select! {
                came = front.recv_from(&mut up) => {
                    let (bytes, client) = came.unwrap();
                    front.connect(client).await.unwrap();
                    back.send(&up[..bytes]).await.unwrap();
                }
                came = back.recv(&mut down) => {
                    let bytes = came.unwrap();
                    if down[0] & RETRY != RETRY {
                        return;
                    }
                    front.send(&down[..bytes]).await.unwrap();
                }
            }
        }
    };
    soon(heard).await;
    drop((front, connecting));
}

#[tokio::test]
async fn handshakes_that_never_end_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let clients = endpoint();
    for _ in 0..HANDSHAKES_MAX {
        leave_half_open(&clients, server.local_addr).await;
    }
    // none of them is over by itself yet
    let connecting = clients.connect(server.local_addr, "localhost").unwrap();
    tokio::time::timeout(HANDSHAKE / 2, connecting).await.expect("there is room").unwrap();
}

#[tokio::test]
async fn an_unfinished_handshake_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    begin(&endpoint(), server.local_addr).await;
    assert_stops_at_once(server).await;
}

#[tokio::test]
async fn a_client_about_to_join_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    client.log_in("ann", "p").await.ok().unwrap();
    let mut rounds = client.connection.open_bi().await.unwrap();
    rounds.0.write_all(&[1]).await.unwrap();
    // From the second stream on, no page is served before the client has joined.
    loop {
        client.send(&ClientControl::Pull(Pull { from: 0, pages: 1 })).await;
        if tokio::time::timeout(NO_ANSWER, client.answer()).await.is_err() {
            break;
        }
    }
    assert_stops_at_once(server).await;
    assert_eq!(client.closed().await, Close::Restarting);
}

#[tokio::test]
async fn a_client_that_takes_no_frames_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut narrow = TransportConfig::default();
    narrow.stream_receive_window(NARROW_BYTES.into());
    let (address, pin) = (server.local_addr, server.link.pin);
    let mut client = Client::connect_from(endpoint_with(narrow), address, pin).await;
    client.register("ann", "p").await.ok().unwrap();
    let session = client.log_in("ann", "p").await.ok().unwrap();
    let mut deaf = client.join(&session).await;
    // Half a frame is taken and the rest is not: there is no room for it.
    soon(deaf.rounds.1.read_exact(&mut [0; 8])).await.unwrap();
    assert_stops_at_once(server).await;
    assert_eq!(deaf.client.closed().await, Close::Restarting);
}

#[tokio::test]
async fn under_load_an_address_must_prove_itself_and_those_who_do_get_in() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let clients = endpoint();
    for number in 0..HANDSHAKES_RETRY {
        assert_ne!(begin(&clients, server.local_addr).await & RETRY, RETRY, "{number}");
    }
    assert_eq!(begin(&clients, server.local_addr).await & RETRY, RETRY);
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
}

#[tokio::test]
async fn connections_are_bounded_and_the_stranger_who_came_first_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let few = Config { seats_max: 1, sign_in_ms: 60_000, ..config(&dir) };
    let mut server = Server::start(few.clone()).await.unwrap();
    let (mut ann, _) = Seated::new(&server, "ann").await;
    // none of them leaves by itself, however slow the machine is
    let mut patient = TransportConfig::default();
    patient.keep_alive_interval(Some(Duration::from_secs(3)));
    let clients = endpoint_with(patient);
    let address = server.local_addr;
    let connect = || soon(clients.connect(address, "localhost").unwrap());
    let mut strangers = Vec::new();
    for _ in 1..2 + CONNECTIONS_SPARE {
        strangers.push(connect().await.unwrap());
    }
    assert!(strangers.iter().all(|stranger| stranger.close_reason().is_none()));
    // for a moment even strangers stay, and one more is refused
    let _more = soon(async {
        loop {
            if let Ok(connection) = connect().await {
                return connection;
            }
        }
    })
    .await;
    let closed = soon(strangers[0].closed()).await;
    let ConnectionError::ApplicationClosed(closed) = closed else { panic!("{closed}") };
    assert_eq!(closed.error_code, Close::SignInTimeout.code().into());
    assert!(strangers[2..].iter().all(|stranger| stranger.close_reason().is_none()));

    assert!(server.reload(Config { seats_max: 2, ..few }).is_empty());
    connect().await.unwrap();
    assert!(strangers[2..].iter().all(|stranger| stranger.close_reason().is_none()));
    ann.hear().await;
}
