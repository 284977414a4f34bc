//! The client's state machine, with a server that says what it likes, when it likes, in and out of the layer.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::Duration;

use client_core::api::Command;
use client_core::client::{Client, Now, Output};
use client_core::directory::MemoryRecords;
use client_core::identity::{Identity, MasterKey};
use client_core::record::Saved;
use client_core::rounds::Terms;
use client_core::vault::VaultKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::codec::Wire;
use wire::control::{ClientControl, Page, ServerControl};
use wire::dial::buckets;
use wire::directory::{Head, Record};
use wire::ids::Round;
use wire::kdf::Secret;
use wire::layer::{Direction, Layer, Place};
use wire::public_key::AgreementKey;
use wire::round::{ServerHeader, reply_slots_mut};
use wire::size::{CELL, CONTROL_FRAME, SIGNATURE, round_frame};

use crate::input::{Input, padded};

const SLOTS: u8 = 2;
const ROUND_MS: u32 = 2000;
const TERMS: Terms =
    Terms { slots: SLOTS, round_ms: ROUND_MS, genesis_ms: 0, round_trip: Duration::ZERO };

/// Steps that are taken of one input.
const STEPS_MAX: usize = 64;

/// The others of the directory.
const PEERS: [&str; 3] = ["bob", "cyd", "nobody"];

static RECORDS: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let record = |(seed, name)| *identity(name, seed).record();
    [(1, "ann"), (2, "bob"), (3, "cyd")].into_iter().map(record).collect()
});

/// Both sides of a layer: agreeing on one takes longer than most of what is tried here.
static LAYERS: LazyLock<(Layer, Layer)> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (own, mixer) = (AgreementKey::random(&mut rng), AgreementKey::random(&mut rng));
    let layer = Layer::for_client(&own, &mixer.public()).expect("it is a point");
    let shared = mixer.agree(&own.public()).expect("it is a point");
    (layer, Layer::for_mixer(&shared, &own.public(), &mixer.public()))
});

fn identity(name: &str, seed: u64) -> Identity {
    Identity::random(name.parse().expect("it is a name"), &mut ChaCha20Rng::seed_from_u64(seed))
}

/// The client, and the server's side of what they share.
struct World {
    client: Client,
    now: Now,
    /// The round that the server opens next.
    next: Round,
    /// The one that it opened last, if there is one since the client joined.
    opened: Round,
    layer: Layer,
    batches: VecDeque<u64>,
}

pub(crate) fn client(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.drain();
    }
    let _ = world.client.status();
}

impl World {
    fn new() -> Self {
        let generator = || ChaCha20Rng::seed_from_u64(9);
        let vault = VaultKey::of(&MasterKey::new(Secret::new([3; 32])));
        let records = Box::<MemoryRecords>::default();
        let contents = Box::new(generator());
        let own = identity("ann", 1);
        let mut client = Client::new(own, Saved::default(), vault, records, contents, generator());
        let now = Now { at: Duration::ZERO, unix_ms: 1_000_000_000 };
        let length = u32::try_from(RECORDS.len()).expect("there are three");
        let encoded = |record: &Record| record.encode().try_into().expect("it is a record's size");
        let head = RECORDS.iter().fold(Head::EMPTY, |head, record| head.after(&encoded(record)));
        let records = RECORDS.clone();
        // The core takes pages whose signature was checked before.
        let page = Page { from: 0, length, head, signature: [0; SIGNATURE], records };
        client.handle_page(&page).expect("the page is right");
        client.handle_directory_synced(now, length, head);
        let next = Round(now.unix_ms / u64::from(ROUND_MS));
        let layer = join(&mut client);
        Self { client, now, next, opened: Round::NONE, layer, batches: VecDeque::new() }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let fine = match input.u8() % 8 {
            0 | 1 => self.round(input),
            2 => self
                .client
                .handle_round(self.now, &padded(input.counted(), round_frame(SLOTS)))
                .is_ok(),
            3 => self.control(input),
            4 => {
                self.client.handle_command(self.now, command(input));
                true
            }
            5 => {
                self.pass(Duration::from_millis(u64::from(input.u16()) / 8));
                self.client.handle_timeout(self.now);
                true
            }
            6 => {
                if let Some(batch) = self.batches.pop_front() {
                    self.client.handle_kept(batch);
                }
                true
            }
            _ => {
                if let Ok(request) = ClientControl::decode(&padded(input.counted(), CONTROL_FRAME))
                {
                    // A full queue is an answer, too.
                    let _ = self.client.request(request);
                }
                true
            }
        };
        if !fine {
            // What the program does when a frame is refused.
            self.client.handle_lost();
            self.layer = join(&mut self.client);
            self.opened = Round::NONE;
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now.at += time;
        self.now.unix_ms += u64::try_from(time.as_millis()).expect("it is short");
    }

    /// Opens a round, as a server does it or nearly so.
    fn round(&mut self, input: &mut Input<'_>) -> bool {
        let lie = input.u8();
        let directory_length = if lie & 1 == 0 { 3 } else { u32::from(input.u16()) };
        let answered = if lie & 2 == 0 { self.opened } else { Round(self.opened.0 ^ 1) };
        let header = ServerHeader {
            slots: SLOTS,
            closes_ms: if lie & 4 == 0 { ROUND_MS } else { input.u32() },
            open: self.next,
            answered,
            seats: 2,
            directory_length,
            buckets: if lie & 8 == 0 { buckets(directory_length) } else { 1 << (input.u8() % 12) },
        };
        let mut frame = vec![0; round_frame(SLOTS)];
        header.write_to(&mut frame);
        for (slot, layered) in (0..).zip(reply_slots_mut(&mut frame, SLOTS)) {
            let content = padded(input.counted(), CELL);
            let place = Place { direction: Direction::Reply, slot, slots: SLOTS };
            if lie & 16 == 0 {
                self.layer.seal(self.opened, place, &content, layered);
            } else {
                layered[..CELL].copy_from_slice(&content);
            }
        }
        if self.opened != Round::NONE {
            self.layer.step();
        }
        let fine = self.client.handle_round(self.now, &frame).is_ok();
        self.opened = self.next;
        self.next = Round(self.next.0 + 1 + u64::from(lie >> 6));
        self.pass(Duration::from_millis(ROUND_MS.into()));
        fine
    }

    fn control(&mut self, input: &mut Input<'_>) -> bool {
        let length = usize::from(input.u16()) % (CONTROL_FRAME + 1);
        match ServerControl::decode(&padded(input.take(length), CONTROL_FRAME)) {
            Ok(control) => self.client.handle_control(self.now, control).is_ok(),
            Err(_) => true,
        }
    }

    /// Takes what the client wants done; whatever that is, its frames have one size.
    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Deposit(frame) => assert_eq!(frame.len(), round_frame(SLOTS)),
                Output::Control(frame) => assert_eq!(frame.len(), CONTROL_FRAME),
                Output::Keep(batch, _) => self.batches.push_back(batch),
                Output::Answer(_) | Output::Event(_) | Output::Leave => (),
            }
        }
    }
}

/// Has the client join; returns the server's side of the layer.
fn join(client: &mut Client) -> Layer {
    let (own, theirs) = &*LAYERS;
    client.handle_joined(TERMS, own.next()).expect("the clock is the one of before");
    theirs.next()
}

fn command(input: &mut Input<'_>) -> Command {
    let peer = PEERS[usize::from(input.u8()) % PEERS.len()].to_owned();
    match input.u8() % 12 {
        0 => Command::Open { peer },
        1 => Command::Close { peer },
        2 => {
            let text = String::from_utf8_lossy(input.counted()).into_owned();
            let times = usize::from(input.u8()) * 2;
            Command::Send { peer, text: text.repeat(times), label: "m".to_owned() }
        }
        3 => Command::Call { peer },
        4 => Command::Accept { peer },
        5 => Command::Decline { peer },
        6 => Command::Block { peer },
        7 => Command::Unblock { peer },
        8 => Command::Forget { peer },
        9 => Command::Verify { peer, verified: true },
        10 => Command::AcceptKey { peer },
        _ => Command::Directory,
    }
}
