//! Takes connections, as many as there may be, and has each one served.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::close::Close;

use crate::clock;
use crate::quic::{Endpoint, Incoming};
use crate::session::{Hub, serve};

/// Connections beyond one for each seat: people who sign in, and old ones of people who came back.
pub const CONNECTIONS_SPARE: usize = 1024;

/// Handshakes under way, above which an address must prove first that it takes answers.
pub const HANDSHAKES_RETRY: usize = 64;

/// Most handshakes under way; more attempts wait in the endpoint.
pub const HANDSHAKES_MAX: usize = 256;

/// The longest that a handshake may take.
pub const HANDSHAKE: std::time::Duration = std::time::Duration::from_secs(10);

/// When all handshakes are taken, one that takes long is given up so often: as many in a second as there may be.
const GIVEN_UP_EVERY: std::time::Duration = std::time::Duration::from_millis(4);

/// Returns how many connections a server with this many seats takes.
pub fn connections_max(seats_max: u32) -> usize {
    2 * seats_max as usize + CONNECTIONS_SPARE
}

/// Takes connections until `stop` says true or its sender is gone; then gives up unfinished handshakes
/// and waits for the sessions to end.
pub async fn listen(endpoint: Endpoint, hub: Arc<Hub>, mut stop: watch::Receiver<bool>) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let mut sessions = JoinSet::new();
    loop {
        let accepted = async {
            let room = room(&handshakes, &hub).await;
            Some((endpoint.accept().await?, room))
        };
        let (incoming, room) = tokio::select! {
            accepted = accepted => match accepted {
                Some(accepted) => accepted,
                None => break,
            },
            Some(_) = sessions.join_next() => continue,
            _ = stop.wait_for(|&stop| stop) => break,
        };
        while sessions.try_join_next().is_some() {}
        let under_way = HANDSHAKES_MAX - handshakes.available_permits();
        let is_full = sessions.len() >= hub.connections_max.load(Ordering::Relaxed);
        if (is_full || under_way > HANDSHAKES_RETRY) && incoming.may_retry() {
            incoming.retry();
        } else if !is_full || makes_room(&hub) {
            sessions.spawn(connection(incoming, hub.clone(), room));
        } else {
            incoming.refuse();
        }
    }
    endpoint.set_server_config(None);
    while sessions.join_next().await.is_some() {}
}

/// Waits for room for one more handshake; meanwhile those that take longest make room, one at a time.
async fn room(handshakes: &Arc<Semaphore>, hub: &Hub) -> OwnedSemaphorePermit {
    let mut room = std::pin::pin!(handshakes.clone().acquire_owned());
    loop {
        tokio::select! {
            biased;
            room = &mut room => return room.expect("nobody closes the semaphore"),
            () = tokio::time::sleep(GIVEN_UP_EVERY) => drop(hub.handshakes.longest(clock::now())),
        }
    }
}

/// Has the stranger who has been here longest make room; tells whether there is one.
fn makes_room(hub: &Hub) -> bool {
    let Some(longest) = hub.strangers.longest(clock::now()) else { return false };
    let why = Close::SignInTimeout;
    longest.close(why.code().into(), why.to_string().as_bytes());
    true
}

async fn connection(incoming: Incoming, hub: Arc<Hub>, room: OwnedSemaphorePermit) {
    // An attempt that fails or takes too long is the client's affair.
    let Ok(connecting) = incoming.accept() else { return };
    let mut stop = hub.stop.clone();
    let (give_up, given_up) = oneshot::channel();
    let under_way = hub.handshakes.enter(give_up);
    let connected = tokio::select! {
        connected = timeout(HANDSHAKE, connecting) => connected,
        _ = given_up => return,
        _ = stop.wait_for(|&stop| stop) => return,
    };
    let Ok(Ok(connection)) = connected else { return };
    drop((under_way, room));
    serve(connection, hub).await;
}
