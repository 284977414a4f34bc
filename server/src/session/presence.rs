//! Who is present: connections that are signed in, by account, and the way to end them.
//!
//! Invariant: at most one connection of an account has no seat. (At most one has a seat; that is the room's
//! business.)

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use wire::close::Close;
use wire::ids::AccountIndex;

use crate::accounts::Member;
use crate::store::TokenHash;

/// Signed-in connections. Bounded by the number of connections.
#[derive(Default)]
pub struct Presence(Mutex<Present>);

#[derive(Default)]
struct Present {
    entered: u64,
    /// The connections of each account, in the order in which they signed in.
    accounts: BTreeMap<AccountIndex, Vec<Connected>>,
}

struct Connected {
    order: u64,
    token: TokenHash,
    is_seated: bool,
    /// Taken by whoever ends the connection first.
    end: Option<oneshot::Sender<Close>>,
}

/// A connection's entry; gone when dropped.
pub(super) struct Here<'p> {
    presence: &'p Presence,
    id: Id,
}

/// Names an entry, also when it is gone.
#[derive(Clone, Copy)]
pub(super) struct Id {
    account: AccountIndex,
    order: u64,
}

/// Tells when somebody ends the connection.
pub(super) struct Ended(oneshot::Receiver<Close>);

impl Presence {
    /// Enters, and turns out the connection of the same account that has no seat: else one account could hold
    /// every connection of the server without ever taking a seat.
    pub(super) fn enter(&self, member: &Member) -> (Here<'_>, Ended) {
        let (end, ended) = oneshot::channel();
        let mut present = self.present();
        present.entered += 1;
        let (account, order) = (member.account, present.entered);
        let connections = present.accounts.entry(account).or_default();
        for older in connections.iter_mut().filter(|older| !older.is_seated) {
            // Who comes back with the same token is the same session: nobody signed in elsewhere.
            let same = older.token == member.token;
            older.end(if same { Close::Replaced } else { Close::TakenOver });
        }
        let token = member.token;
        connections.push(Connected { order, token, is_seated: false, end: Some(end) });
        (Here { presence: self, id: Id { account, order } }, Ended(ended))
    }

    /// Returns the tokens of an account's connections.
    pub(super) fn tokens(&self, account: AccountIndex) -> Vec<TokenHash> {
        let present = self.present();
        let connections = present.accounts.get(&account).into_iter().flatten();
        connections.map(|connected| connected.token).collect()
    }

    /// Ends the connections of an account with this token.
    pub(super) fn end(&self, account: AccountIndex, token: &TokenHash) {
        let mut present = self.present();
        let connections = present.accounts.get_mut(&account).into_iter().flatten();
        connections
            .filter(|connected| connected.token == *token)
            .for_each(|connected| connected.end(Close::SessionEnded));
    }

    /// Says that a connection's session goes on under another token.
    pub(super) fn renew(&self, id: Id, token: TokenHash) {
        self.change(id, |connected| connected.token = token);
    }

    fn change(&self, id: Id, change: impl FnOnce(&mut Connected)) {
        let mut present = self.present();
        let mut connections = present.accounts.get_mut(&id.account).into_iter().flatten();
        if let Some(connected) = connections.find(|connected| connected.order == id.order) {
            change(connected);
        }
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected {
    /// Tells the connection why it ends; the first reason counts.
    fn end(&mut self, why: Close) {
        if let Some(end) = self.end.take() {
            // one that left meanwhile hears nothing, and need not
            let _ = end.send(why);
        }
    }
}

impl Here<'_> {
    /// Returns the entry's name.
    pub(super) fn id(&self) -> Id {
        self.id
    }

    /// Says that the connection joined the rounds, which see to it from now on that it is the only one there.
    pub(super) fn is_seated(&self) {
        self.presence.change(self.id, |connected| connected.is_seated = true);
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        let Id { account, order } = self.id;
        let mut present = self.presence.present();
        let Some(connections) = present.accounts.get_mut(&account) else { return };
        connections.retain(|connected| connected.order != order);
        if connections.is_empty() {
            present.accounts.remove(&account);
        }
    }
}

impl Ended {
    /// Returns with the code to close the connection with, once somebody ends it.
    pub(super) async fn why(self) -> Close {
        match self.0.await {
            Ok(close) => close,
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(account: u32, token: u8) -> Member {
        Member { account: AccountIndex(account), token: [token; 32], sign_in: 0 }
    }

    fn why(ended: &mut Ended) -> Option<Close> {
        ended.0.try_recv().ok()
    }

    #[test]
    fn the_newest_connection_of_an_account_stays() {
        let presence = Presence::default();
        let (here, mut first) = presence.enter(&member(1, 1));
        let (other_here, mut other) = presence.enter(&member(2, 2));
        let (second_here, mut second) = presence.enter(&member(1, 1));
        assert_eq!(why(&mut first), Some(Close::Replaced));
        assert_eq!((why(&mut other), why(&mut second)), (None, None));
        drop(here);
        let (third_here, _third) = presence.enter(&member(1, 3));
        assert_eq!(why(&mut second), Some(Close::TakenOver), "nobody took its place along");
        drop((second_here, third_here, other_here));
        assert!(presence.present().accounts.is_empty());
    }

    #[test]
    fn who_has_a_seat_is_the_rooms_business() {
        let presence = Presence::default();
        let (here, mut seated) = presence.enter(&member(1, 1));
        here.is_seated();
        let (_there, mut waiting) = presence.enter(&member(1, 2));
        assert_eq!((why(&mut seated), why(&mut waiting)), (None, None));
    }

    #[test]
    fn sessions_end_by_account_and_token() {
        let presence = Presence::default();
        let (here, mut seated) = presence.enter(&member(1, 1));
        here.is_seated();
        let (_there, mut waiting) = presence.enter(&member(1, 2));
        let (_other, mut other) = presence.enter(&member(2, 1));
        assert_eq!(presence.tokens(AccountIndex(1)), [[1; 32], [2; 32]]);
        presence.renew(here.id(), [3; 32]);
        presence.end(AccountIndex(1), &[1; 32]);
        assert_eq!((why(&mut seated), why(&mut waiting), why(&mut other)), (None, None, None));
        presence.end(AccountIndex(1), &[3; 32]);
        presence.end(AccountIndex(1), &[2; 32]);
        assert_eq!(why(&mut seated), Some(Close::SessionEnded));
        assert_eq!(why(&mut waiting), Some(Close::SessionEnded));
        assert_eq!(why(&mut other), None);
    }
}
