//! The dial slot, full of what nobody wants to hear.

use std::sync::{Arc, Mutex, PoisonError};

use client_link::api::{Command, Event};
use rand_core::{OsRng, RngCore as _};
use tests::world::{Raw, Seated, World, soon};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::codec::Wire as _;
use wire::dial::{Dial, DialReply, SealedInvitation};
use wire::ids::DIAL_EVERY;
use wire::size::DEPOSIT;

/// Dial rounds until a call rings: two cheats' invitations go first, and a deposit of the caller's may
/// come too late on a busy machine and is repeated two dial rounds later.
const RINGS_WITHIN: u64 = 6;

#[tokio::test]
async fn calls_get_through_beside_replayed_flooding_and_malformed_ones() {
    let world = World::quick().await;
    let (mut ann, mut bob) = tokio::join!(world.sign_up("ann"), world.sign_up("bob"));
    let cid = world.sign_up("cid").await;
    let flood = Flood::start(&world).await;

    // Once cid is gone, only replays of his call are left to refuse; one of his own may be on its way.
    cid.call("bob").await;
    bob.is_rung(0, "cid").await;
    bob.command(Command::Decline { peer: "cid".into() }).await;
    cid.leaves().await;
    let refused = bob.refused_calls().await;

    ann.call("bob").await;
    let calling = Event::Calling { peer: "bob".into() };
    ann.hears(0, "that the call goes out", |event| (*event == calling).then_some(())).await;
    let began = bob.rounds().last().copied().unwrap();
    bob.accepts("ann").await;
    let waited = bob.rounds().last().unwrap() - began;
    assert!(waited <= RINGS_WITHIN * DIAL_EVERY, "it rings after {waited} rounds");
    tokio::join!(ann.meets(0, "bob"), bob.meets(0, "ann"));
    ann.tells(&mut bob, "what a noise").await;
    bob.tells(&mut ann, "I hear you all the same").await;

    bob.has_refused(refused + 3).await;
    flood.ends().await;
    assert_eq!(bob.callers(), ["cid", "ann"], "each call is told once");
    assert_eq!((ann.texts().len(), bob.texts().len()), (1, 1), "each text comes once");
    assert_eq!((ann.callers(), ann.errors(), bob.errors()), (vec![], vec![], vec![]));
    assert!(!ann.was_lost() && !bob.was_lost(), "somebody lost the connection");
}

/// Three with a seat who work together: in every dial round one repeats what came to others, one calls
/// nobody, and one says what cannot be said.
struct Flood {
    stop: watch::Sender<bool>,
    cheats: Vec<JoinHandle<Seated>>,
}

impl Flood {
    async fn start(world: &World) -> Self {
        let (stop, stopped) = watch::channel(false);
        // Noise of their own is not worth repeating.
        let noise = Arc::new(Mutex::new(Vec::<SealedInvitation>::new()));
        let known = Arc::clone(&noise);
        let mut seen = Vec::new();
        let mut turn = 0;
        let replays = move |reply: Option<DialReply>| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let came = reply.map(|reply| reply.invitation);
            // The next one only when this one came to everybody: not all that is deposited is given out.
            turn +=
                usize::from(came.is_some_and(|it| seen.get(turn % seen.len().max(1)) == Some(&it)));
            seen.extend(came.filter(|it| !known.contains(it) && !seen.contains(it)));
            match seen.len() {
                0 => Dial::Cover.encode(),
                len => Dial::Invitation { bucket: 0, invitation: seen[turn % len] }.encode(),
            }
        };
        let calls_nobody = move |_: Option<DialReply>| {
            let invitation = SealedInvitation::noise(&mut OsRng);
            noise.lock().unwrap_or_else(PoisonError::into_inner).push(invitation);
            Dial::Invitation { bucket: 0, invitation }.encode()
        };
        let mut kind = 0;
        let malformed = move |_: Option<DialReply>| {
            let mut random = vec![0; DEPOSIT];
            OsRng.fill_bytes(&mut random);
            let invitation = SealedInvitation::noise(&mut OsRng);
            kind = (kind + 1) % 3;
            match kind {
                0 => random,
                1 => Dial::Invitation { bucket: 1, invitation }.encode(),
                _ => Dial::Invitation { bucket: u32::MAX, invitation }.encode(),
            }
        };
        let seat = async |who: &str| Raw::seated(&world.link(), who).await.0;
        let cheats = vec![
            tokio::spawn(dials(seat("replays").await, stopped.clone(), replays)),
            tokio::spawn(dials(seat("floods").await, stopped.clone(), calls_nobody)),
            tokio::spawn(dials(seat("babbles").await, stopped, malformed)),
        ];
        Self { stop, cheats }
    }

    /// Ends it, and checks that the server kept even these.
    async fn ends(self) {
        let _ = self.stop.send(true);
        for cheat in self.cheats {
            let seated = soon("a cheat's end", cheat).await.expect("the server goes on");
            assert!(seated.raw.connection.close_reason().is_none(), "frames are well-formed");
        }
    }
}

/// Deposits in every round, in dial rounds what `dial` makes of the last dial slot's reply.
async fn dials(
    mut seated: Seated,
    stopped: watch::Receiver<bool>,
    mut dial: impl FnMut(Option<DialReply>) -> Vec<u8>,
) -> Seated {
    let mut reply = None;
    while !*stopped.borrow() {
        let heard = seated.hear().await;
        reply = heard.dial_reply().or(reply);
        let open = heard.header.open;
        let frame = if open.has_dial() {
            let slot = dial(reply.take());
            seated.deposit_with_dial(open, slot.as_slice().try_into().unwrap())
        } else {
            seated.deposit(open, 1)
        };
        seated.write(&frame).await;
    }
    seated
}
