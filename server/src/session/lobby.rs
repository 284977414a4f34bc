//! The lobby: signed-in connections that have no seat yet, at most one of each account.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;
use wire::close::Close;
use wire::ids::AccountIndex;

use crate::accounts::Member;

/// Who is about to join. Bounded by the number of accounts, and by that of connections.
#[derive(Default)]
pub struct Lobby(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    entered: u64,
    /// Each account's newest connection, by the order of entering, with the way to turn it out.
    places: BTreeMap<AccountIndex, Place>,
}

struct Place {
    member: Member,
    order: u64,
    turn_out: oneshot::Sender<Close>,
}

/// A connection's place in the lobby; left when dropped.
pub(super) struct InLobby<'l> {
    lobby: &'l Lobby,
    account: AccountIndex,
    order: u64,
    turned_out: oneshot::Receiver<Close>,
}

impl Lobby {
    /// Enters, and turns out the connection of the same account that is there: else one account could hold
    /// every connection of the server without ever taking a seat.
    pub(super) fn enter(&self, member: Member) -> InLobby<'_> {
        let (turn_out, turned_out) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entered += 1;
        let order = waiting.entered;
        let place = Place { member, order, turn_out };
        if let Some(older) = waiting.places.insert(member.account, place) {
            let same = older.member.token == member.token;
            // one that left meanwhile hears nothing, and need not
            let _ = older.turn_out.send(if same { Close::Replaced } else { Close::TakenOver });
        }
        InLobby { lobby: self, account: member.account, order, turned_out }
    }
}

impl InLobby<'_> {
    /// Returns when a newer connection of the account came, with the code to close this one with.
    pub(super) async fn turned_out(&mut self) -> Close {
        match (&mut self.turned_out).await {
            Ok(close) => close,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for InLobby<'_> {
    fn drop(&mut self) {
        let mut waiting = self.lobby.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.places.get(&self.account).is_some_and(|place| place.order == self.order) {
            waiting.places.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(account: u32, token: u8) -> Member {
        Member { account: AccountIndex(account), token: [token; 32], sign_in: 0 }
    }

    fn out(place: &mut InLobby<'_>) -> Option<Close> {
        place.turned_out.try_recv().ok()
    }

    #[test]
    fn the_newest_connection_of_an_account_stays() {
        let lobby = Lobby::default();
        let mut first = lobby.enter(member(1, 1));
        let mut other = lobby.enter(member(2, 2));
        let mut second = lobby.enter(member(1, 1));
        assert_eq!(out(&mut first), Some(Close::Replaced));
        assert_eq!((out(&mut other), out(&mut second)), (None, None));
        drop(first);
        let third = lobby.enter(member(1, 3));
        assert_eq!(out(&mut second), Some(Close::TakenOver), "nobody took its place along");
        drop((second, third, other));
        assert!(lobby.0.lock().unwrap().places.is_empty());
    }
}
