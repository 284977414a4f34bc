//! First packets of connections whose senders hear no answer, as from forged addresses.

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

/// Flights after which the attacker makes room for others on its core.
const BURST: usize = 50;

/// Sends first flights for as long as the assault lasts; every tenth datagram is noise.
///
/// # Errors
/// If the sockets cannot be bound.
pub(super) fn flood(assault: &Assault) -> anyhow::Result<()> {
    let bound = |at| UdpSocket::bind(SocketAddr::from((Ipv4Addr::new(127, 0, 2, at), 0)));
    let sockets = (1..=SOCKETS).map(bound).collect::<Result<Vec<_>, _>>()?;
    let flights = made(assault)?;
    let mut noise = [0x40_u8; 600];
    for (at, flight) in flights.iter().cycle().enumerate() {
        if Instant::now() > assault.until {
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

/// Makes first flights, whose connections are forgotten at once.
fn made(assault: &Assault) -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
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
