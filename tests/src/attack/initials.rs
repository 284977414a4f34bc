//! Handshakes that never end: first packets whose senders hear no answer, as from forged addresses, and those of
//! senders who prove that they are there, and then fall silent.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use client_link::transport::client_config;
use quinn_proto::{Endpoint, EndpointConfig};

use super::assault::Assault;

/// Sockets that they come from, each with a port of its own; none of them is ever read.
const SOCKETS: u8 = 200;

/// First flights that are made beforehand. Each goes again once all have gone, when the server has long forgotten it.
const FLIGHTS: usize = 2_000;

/// First bits of a Retry packet.
const RETRY: u8 = 0b1111_0000;

/// Longest datagram that is passed on.
const DATAGRAM_MAX: usize = 2048;

/// How long the attacker waits before it begins the next handshake in place of a silent one.
const HELD: Duration = Duration::from_secs(1);

/// Flights after which the attacker makes room for others on its core.
const BURST: usize = 50;

/// Sends first flights until then; every tenth datagram is noise.
///
/// # Errors
/// If the sockets cannot be bound.
pub(super) fn flood(
    assault: &Assault,
    flights: &[Vec<Vec<u8>>],
    until: Instant,
) -> anyhow::Result<()> {
    let bound = |at| UdpSocket::bind(SocketAddr::from((Ipv4Addr::new(127, 0, 2, at), 0)));
    let sockets = (1..=SOCKETS).map(bound).collect::<Result<Vec<_>, _>>()?;
    let mut noise = [0x40_u8; 600];
    for (at, flight) in flights.iter().cycle().enumerate() {
        if Instant::now() > until {
            break;
        }
        let socket = &sockets[at % sockets.len()];
        for datagram in flight {
            // what the buffer has no room for is lost
            let _ = socket.send_to(datagram, assault.server);
            assault.attempts.fetch_add(1, Ordering::Relaxed);
        }
        if at % 5 == 0 {
            noise[1..9].copy_from_slice(&(at as u64).to_le_bytes());
            let _ = socket.send_to(&noise, assault.server);
            assault.attempts.fetch_add(1, Ordering::Relaxed);
        }
        if at % BURST == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// Begins a handshake through a relay that lets a Retry through (RFC 9000, section 17.2.5), and nothing after it.
pub(super) async fn half_open(assault: &Assault, number: usize) -> anyhow::Result<()> {
    let front = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let host = u8::try_from(1 + number % usize::from(SOCKETS))?;
    let back = tokio::net::UdpSocket::bind((Ipv4Addr::new(127, 0, 2, host), 0)).await?;
    back.connect(assault.server).await?;
    let connecting = assault.begin(number, front.local_addr()?)?;
    let (mut up, mut down) = ([0; DATAGRAM_MAX], [0; DATAGRAM_MAX]);
    loop {
        tokio::select! {
            came = front.recv_from(&mut up) => {
                let (bytes, client) = came?;
                front.connect(client).await?;
                back.send(&up[..bytes]).await?;
            }
            came = back.recv(&mut down) => {
                let bytes = came?;
                if down[0] & RETRY != RETRY {
                    break;
                }
                front.send(&down[..bytes]).await?;
            }
        }
    }
    assault.served.fetch_add(1, Ordering::Relaxed);
    // its farewell goes nowhere
    drop((front, connecting));
    tokio::time::sleep(HELD).await;
    Ok(())
}

/// Makes first flights, whose connections are forgotten at once.
pub(super) fn made(assault: &Assault) -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
    let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, true, None);
    let config = client_config(assault.link.pin.0);
    let mut flights = Vec::with_capacity(FLIGHTS);
    for _ in 0..FLIGHTS {
        let now = Instant::now();
        let host = &assault.link.host;
        let (_, mut connection) = endpoint.connect(now, config.clone(), assault.server, host)?;
        let (mut flight, mut datagram) = (Vec::new(), Vec::new());
        while let Some(sent) = connection.poll_transmit(now, 1, &mut datagram) {
            flight.push(datagram[..sent.size].to_vec());
            datagram.clear();
        }
        flights.push(flight);
    }
    Ok(flights)
}
