//! What a connection asks before it is signed in: any frames, in any order, against a real store.

mod guest;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use client_core::identity::Identity;
use rand_core::OsRng;
use server::config::Registration;
use server::session::probe;
use server::store::{ProvedAccount, Store as _};
use wire::account::Invite;
use wire::codec::Wire as _;
use wire::directory::Record;
use wire::ids::{AccountIndex, Name, Token};

use crate::house::{DAY_MS, House};
use crate::input::Input;
use guest::{Guest, Rules};

/// Time to sign in, for those who let it pass; others lose none, as they ask at once.
const SIGN_IN_MS: u64 = 1;

thread_local! {
    static WORLD: World = World::open();
}

/// Plays one connection that is not signed in.
pub(crate) fn sign_in(bytes: &[u8]) {
    WORLD.with(|world| world.house.runtime.block_on(world.play(bytes)));
}

/// Who and what there is before any input.
struct World {
    house: House,
    names: Vec<Name>,
    /// Of accounts whose password is [`crate::house::PASSWORD`].
    accounts: HashMap<Name, AccountIndex>,
    kept: RefCell<Kept>,
}

/// What inputs change.
struct Kept {
    /// The newest token of "ann".
    newest: Token,
    /// One of hers that is superseded.
    superseded: Token,
    /// Of "bob", who was too long away, and of "cid", who deleted the account.
    ended: [Token; 2],
    /// Stands, until it is used.
    invite: Invite,
    /// The one that was used last.
    used: Invite,
}

/// An invite that stands no more.
const EXPIRED: Invite = Invite([9; 10]);

impl World {
    fn open() -> Self {
        let house = House::open();
        let hub = house.hub(Registration::Open, u32::MAX);
        let names = ["ann", "bob", "cid", "nobody"].map(|name| name.parse().expect("it is a name"));
        let [ann, bob, cid, _]: [Name; 4] = names;
        let mut newcomer = house.newcomer();
        let (accounts, kept) = house.runtime.block_on(async {
            let mut accounts = HashMap::new();
            let mut identities = Vec::new();
            for name in [ann, bob, cid] {
                let identity = Identity::random(name, &mut newcomer.rng);
                accounts.insert(name, newcomer.sign_up(&hub, &identity).await);
                identities.push(identity);
            }
            let context = hub.accounts.context(&[9; 32]);
            let superseded = newcomer.sign_in(&hub, ann, &context, DAY_MS).await.token;
            let newest = newcomer.sign_in(&hub, ann, &context, DAY_MS).await.token;
            let expired = newcomer.sign_in(&hub, bob, &context, 0).await.token;
            let deleted = newcomer.sign_in(&hub, cid, &context, DAY_MS).await.token;
            let index = accounts.remove(&cid).expect("it was registered");
            let deletion = Record::deletion(cid, identities[2].signing()).encode();
            let deletion = deletion.try_into().expect("it is a record");
            let proved = ProvedAccount { index, password_changes: 0 };
            house.store.delete_account(proved, deletion).await.expect("it is there");
            let invite = Invite::random(&mut newcomer.rng);
            add_invite(&house, EXPIRED, 1).await;
            add_invite(&house, invite, u64::MAX).await;
            let ended = [expired, deleted];
            (accounts, Kept { newest, superseded, ended, invite, used: Invite([8; 10]) })
        });
        Self { house, names: names.to_vec(), accounts, kept: RefCell::new(kept) }
    }

    async fn play(&self, bytes: &[u8]) {
        let mut input = Input::new(bytes);
        let setting = input.u8();
        let registration = match setting % 4 {
            0 => Registration::Closed,
            1 => Registration::Invite,
            _ => Registration::Open,
        };
        let per_hour = 1 + u32::from(setting / 4 % 4);
        let hub = self.house.hub(registration, per_hour);
        hub.sign_in_ms.store(SIGN_IN_MS, Ordering::Relaxed);
        let newcomer = self.house.newcomer();
        let (address, context) = (newcomer.address, Arc::new(hub.accounts.context(&[9; 32])));
        let rules = Rules { registration, per_hour };
        let mut guest = Guest::new(self, rules, context.clone(), newcomer, input);
        let end = probe::sign_in(&hub, address, context, &mut guest).await;
        guest.ends(&hub, end);
        if let Some(used) = guest.invite_used() {
            let invite = Invite::random(&mut OsRng);
            add_invite(&self.house, invite, u64::MAX).await;
            let mut kept = self.kept.borrow_mut();
            (kept.used, kept.invite) = (used, invite);
        }
    }
}

async fn add_invite(house: &House, invite: Invite, expires_ms: u64) {
    let added = house.store.add_invites(vec![invite.digest()], expires_ms, 0).await;
    added.expect("there is room");
}
