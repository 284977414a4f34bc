//! What a round costs, beside the same cryptographic primitives called bare over the same bytes.
//!
//! `cargo bench --workspace --bench round` measures 1,000, 10,000, 100,000 and a million slots (the last
//! takes 3 GB), on one thread and on one a core, and then dial rounds. `-- --slots 10000` measures one size
//! only, `-- --threads 4` takes so many threads in place of one a core, `-- --dial` measures dial rounds
//! only. All figures are per slot; a seat's deposit has two slots here, so a seat costs twice that.
//!
//! Bare and mixed samples alternate in one process. The bare one does, for every seat, HKDF-SHA-256 to
//! 96 bytes and the two key schedules, and for every slot HMAC-SHA-256 over 508 bytes and AES-256-CBC
//! decryption of 496 (in); the same, with encryption of 480 bytes and HMAC over 492 (out). No layout, no
//! shuffle, no dead drops, and no step of the layers. It has one thread always.
//!
//! The last table sets dial rounds, in which everybody calls somebody, beside rounds without a dial slot,
//! in turns and with the same seats.

#![allow(clippy::disallowed_methods, reason = "a benchmark asks the clock")]

use std::hint::black_box;
use std::io::Write;
use std::num::NonZero;
use std::time::{Duration, Instant};

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, InnerIvInit, KeyInit as _};
use aes::{Aes256Dec, Aes256Enc};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use mixer::{MixerKey, Open, Replies, Seat, Seats, Threads};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::Sha256;
use wire::codec::Wire;
use wire::dial::{Dial, SealedInvitation, WakeUp, buckets};
use wire::ids::{AccountIndex, Round};
use wire::layer::{Direction, Layer, Place};
use wire::public_key::AgreementKey;
use wire::round::{ClientFrame, ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{CELL, DEPOSIT, DEPOSIT_SLOT, DROP_ID, INVITATION, WAKE_UP, round_frame};

const SLOTS: u8 = 2;
/// Samples that do not count.
const WARM_UP: usize = 2;
const HOLD: Duration = Duration::from_secs(1);

fn main() {
    let arguments = Arguments::read();
    if !arguments.bench {
        return eprintln!("measures nothing without --bench; run `cargo bench --bench round`");
    }
    if !arguments.dial {
        primitives(&arguments);
    }
    if arguments.slots.is_none() {
        println!("one whole round with dial slots / one without");
        println!("{:>12}{:>10}{:>10}{:>10}", "seats", "median", "min", "max");
        for (seats, samples) in [(10_000, 51), (100_000, 9)] {
            let ratio = dialing(seats, samples);
            println!("{seats:>12}{:>10.3}{:>10.3}{:>10.3}", ratio.median, ratio.min, ratio.max);
        }
    }
}

/// What is to be measured.
struct Arguments {
    bench: bool,
    dial: bool,
    slots: Option<usize>,
    threads: usize,
}

impl Arguments {
    fn read() -> Self {
        let given: Vec<_> = std::env::args().collect();
        let has = |name| given.iter().any(|argument| argument == name);
        let number = |name| {
            let at = given.iter().position(|argument| argument == name)?;
            Some(given.get(at + 1)?.parse::<usize>().expect("a number behind the name"))
        };
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            bench: has("--bench"),
            dial: has("--dial"),
            slots: number("--slots"),
            threads: number("--threads").unwrap_or_else(cores),
        }
    }
}

/// Measures whole rounds beside the bare primitives.
fn primitives(arguments: &Arguments) {
    println!("ns per slot (a seat's deposit has {SLOTS}); bare and mixed rounds alternate\n");
    let sizes = match arguments.slots {
        Some(slots) => vec![slots],
        None => vec![1_000, 10_000, 100_000, 1_000_000],
    };
    let mut threads = vec![1];
    if arguments.threads > 1 {
        threads.push(arguments.threads);
    }
    let measured: Vec<_> = sizes
        .into_iter()
        .flat_map(|slots| threads.iter().map(move |threads| (slots, *threads)))
        .map(|(slots, threads)| (slots, threads, measure(slots, threads)))
        .collect();
    println!("whole rounds; slots a second and the ratio to the bare primitives are of medians");
    println!(
        "{:>12}{:>10}{:>12}{:>10}{:>10}{:>10}",
        "slots", "threads", "a second", "ratio", "min", "max"
    );
    for (slots, threads, Measured { round_ns, ratio }) in measured {
        let Spread { median, min, max } = ratio;
        let rate = 1e9 / round_ns;
        println!("{slots:>12}{threads:>10}{rate:>12.0}{median:>10.2}{min:>10.2}{max:>10.2}");
    }
    println!();
}

/// Measures dial rounds beside rounds without dial slots.
fn dialing(seats: usize, samples: usize) -> Spread {
    let mut room = Room::of(seats, 1);
    let mut ratios = Vec::with_capacity(samples);
    // the first sample warms up, and fills the queue
    for sample in 0..=samples {
        progress(&format!("{seats} seats: sample {sample} of {samples}"));
        let [plain, dial] = [false, true].map(|dials| {
            let mut times = [Duration::ZERO; Step::ALL.len()];
            room.run(dials, &mut times);
            total(&times, &Step::OF_ROUND).as_secs_f64()
        });
        if sample > 0 {
            ratios.push(dial / plain);
        }
    }
    progress("");
    Spread::of(ratios)
}

/// What one size comes to.
struct Measured {
    /// Median of a whole round, per slot.
    round_ns: f64,
    /// A whole round over the bare primitives.
    ratio: Spread,
}

/// Measures one size with so many threads and prints its table.
fn measure(slots: usize, threads: usize) -> Measured {
    // about as many slots for every size, within bounds
    let samples = (2_000_000 / slots).clamp(5, 101);
    let mut room = Room::of(slots / usize::from(SLOTS), threads);
    let mut bare = Bare::of(slots);
    let mut columns: [Vec<f64>; Step::ALL.len()] = Default::default();
    let mut ratios = Vec::with_capacity(samples);
    let (mut faulted, mut shown) = (0, Instant::now());
    // the first two warm up: frames of two rounds alternate
    for sample in 0..samples + WARM_UP {
        if shown.elapsed() > HOLD {
            progress(&format!("{slots} slots: sample {sample} of {samples}"));
            shown = Instant::now();
        }
        let mut times = [Duration::ZERO; Step::ALL.len()];
        bare.run(&mut times);
        let faults = room.run(false, &mut times);
        times[Step::Bare as usize] = total(&times, &[Step::BareIn, Step::BareOut]);
        times[Step::Round as usize] = total(&times, &Step::OF_ROUND);
        if sample >= WARM_UP {
            faulted += faults;
            for (column, time) in columns.iter_mut().zip(times) {
                column.push(time.as_secs_f64() * 1e9 / slots as f64);
            }
            let [round, bare] = [Step::Round, Step::Bare].map(|step| times[step as usize]);
            ratios.push(round.as_secs_f64() / bare.as_secs_f64());
        }
    }
    progress("");
    let seats = slots / usize::from(SLOTS);
    println!("{slots} slots, {seats} seats, {threads} threads, {samples} samples");
    println!("{:>12}{:>10}{:>10}{:>10}", "", "median", "min", "max");
    for (step, column) in Step::ALL.into_iter().zip(&columns) {
        let spread = Spread::of(column.clone());
        let Spread { median, min, max } = spread;
        println!("{:>12}{median:>10.0}{min:>10.0}{max:>10.0}", step.name());
    }
    let faults = faulted as f64 / samples as f64;
    println!("{:>12}{faults:>10.1} in a round", "page faults");
    println!();
    let round_ns = Spread::of(std::mem::take(&mut columns[Step::Round as usize])).median;
    Measured { round_ns, ratio: Spread::of(ratios) }
}

fn total(times: &[Duration], steps: &[Step]) -> Duration {
    steps.iter().map(|step| times[*step as usize]).sum()
}

/// What is timed.
#[derive(Clone, Copy)]
enum Step {
    Collect,
    Peel,
    Shuffle,
    Exchange,
    Unshuffle,
    Seal,
    Round,
    BareIn,
    BareOut,
    Bare,
}

impl Step {
    const OF_ROUND: [Self; 6] =
        [Self::Collect, Self::Peel, Self::Shuffle, Self::Exchange, Self::Unshuffle, Self::Seal];
    const ALL: [Self; 10] = [
        Self::Collect,
        Self::Peel,
        Self::Shuffle,
        Self::Exchange,
        Self::Unshuffle,
        Self::Seal,
        Self::Round,
        Self::BareIn,
        Self::BareOut,
        Self::Bare,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Peel => "peel",
            Self::Shuffle => "shuffle",
            Self::Exchange => "exchange",
            Self::Unshuffle => "unshuffle",
            Self::Seal => "seal",
            Self::Round => "whole round",
            Self::BareIn => "bare in",
            Self::BareOut => "bare out",
            Self::Bare => "bare",
        }
    }
}

struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        Self { median: values[last / 2], min: values[0], max: values[last] }
    }
}

/// A mixer with its clients, the same from round to round.
struct Room {
    rng: ChaCha20Rng,
    clients: Vec<Layer>,
    seats: Seats,
    next: Round,
    /// The frames of the last round, which are on their way while the next one is mixed.
    sent: Vec<u8>,
}

impl Room {
    fn of(clients: usize, threads: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = MixerKey::random(&mut rng);
        let own = AgreementKey::random(&mut rng);
        // one agreement for all, which takes long; each seat's layer is one step behind the one before
        let mut mixers = key.layer_for(&own.public()).expect("an own key is a point");
        let mut theirs = Layer::for_client(&own, &key.public()).expect("an own key is a point");
        let threads = Threads::start(threads).expect("the system gives threads");
        let mut room = Self {
            rng,
            clients: Vec::with_capacity(clients),
            seats: Seats::new(SLOTS).with_threads(threads),
            next: Round(1),
            sent: Vec::new(),
        };
        for reader in (0..).map(AccountIndex).take(clients) {
            let next = mixers.next();
            room.seats.add(std::mem::replace(&mut mixers, next), reader).expect("seats for all");
            let next = theirs.next();
            room.clients.push(std::mem::replace(&mut theirs, next));
        }
        room
    }

    /// Runs the next round that is a dial round, or is none; returns how many pages the system had to give.
    fn run(&mut self, dials: bool, times: &mut [Duration]) -> u64 {
        while self.next.has_dial() != dials {
            self.next = self.next.next();
        }
        let buckets = buckets(self.seats.len());
        let frames = self.seal_deposits(buckets);
        let header = ServerHeader {
            slots: SLOTS,
            closes_ms: 2000,
            open: self.next.next(),
            answered: self.next,
            seats: self.seats.len(),
            directory_length: 1,
            buckets,
        };
        let seats = std::mem::replace(&mut self.seats, Seats::new(SLOTS));
        let rng = &mut self.rng;
        let faults = faults();
        let mut timed = Timed { times, began: Instant::now() };
        let mut open = Open::new(self.next, seats, buckets);
        for (seat, frame) in (0..).map(Seat).zip(frames.chunks_exact(round_frame(SLOTS))) {
            let Ok(ClientFrame::Deposit(deposit)) = ClientFrame::decode(frame, SLOTS) else {
                panic!("a client's frame is a deposit");
            };
            open.deposit(seat, &deposit).expect("one deposit a seat");
        }
        let closed = timed.step(Step::Collect, open.close());
        let peeled = timed.step(Step::Peel, closed.peel(rng));
        let shuffled = timed.step(Step::Shuffle, peeled.shuffle(rng));
        let exchanged = timed.step(Step::Exchange, shuffled.exchange(rng));
        let returned = timed.step(Step::Unshuffle, exchanged.unshuffle());
        let (replies, mut seats, counts) = timed.step(Step::Seal, returned.seal(&header));
        let faults = self::faults() - faults;
        let bad = (counts.missing, counts.tampered, counts.malformed_dials);
        assert_eq!(bad, (0, 0, 0), "every deposit is good");
        self.check(&replies);
        let (_, frames) = replies.into_parts();
        seats.reclaim(std::mem::replace(&mut self.sent, frames));
        self.seats = seats;
        self.next = self.next.next();
        self.clients.iter_mut().for_each(Layer::step);
        faults
    }

    /// Half of the clients talk in their first slot, each with its neighbour, and have one slot of cover
    /// alone; the others are silent, and their two slots meet each other. In a dial round everybody calls
    /// somebody in the last slot, half of them with an invitation.
    fn seal_deposits(&mut self, buckets: u32) -> Vec<u8> {
        let mut frames = Vec::with_capacity(self.clients.len() * round_frame(SLOTS));
        let mut drop = [[0; DROP_ID]; 2];
        for (number, layer) in self.clients.iter().enumerate() {
            if number % 2 == 0 {
                self.rng.fill_bytes(&mut drop[0]);
            }
            let talks = number % 4 < 2;
            if talks || number % 2 == 1 {
                self.rng.fill_bytes(&mut drop[1]);
            }
            let mut frame = deposit_frame(self.next, SLOTS);
            for (slot, layered) in (0..SLOTS).zip(deposit_slots_mut(&mut frame)) {
                let mut deposit = [slot; DEPOSIT];
                let meets = if talks { usize::from(slot) } else { number % 2 };
                deposit[..DROP_ID].copy_from_slice(&drop[meets]);
                if self.next.has_dial() && slot + 1 == SLOTS {
                    let bucket = self.rng.next_u32() % buckets;
                    dial(number, bucket).encode_into(&mut deposit);
                }
                let place = Place { direction: Direction::Deposit, slot, slots: SLOTS };
                layer.seal(self.next, place, &deposit, layered);
            }
            frames.extend_from_slice(&frame);
        }
        frames
    }

    /// Looks whether the first two clients got each other's first cell.
    fn check(&self, replies: &Replies) {
        for (layer, (_, frame)) in self.clients.iter().zip(replies.iter()).take(2) {
            let (_, slots) = ServerHeader::decode(frame, SLOTS).expect("a frame of the server");
            let place = Place { direction: Direction::Reply, slot: 0, slots: SLOTS };
            let mut cell = [1; CELL];
            let reply = &slots[..slots.len() / usize::from(SLOTS)];
            layer.open(self.next, place, reply, &mut cell).expect("the reply of this seat");
            assert_eq!(cell, [0; CELL], "the neighbour's cell");
        }
    }
}

/// What a client calls somebody of a bucket with.
fn dial(number: usize, bucket: u32) -> Dial {
    if number.is_multiple_of(2) {
        Dial::Invitation { bucket, invitation: SealedInvitation([number as u8; INVITATION]) }
    } else {
        Dial::WakeUp { bucket, token: WakeUp([number as u8; WAKE_UP]) }
    }
}

struct Timed<'a> {
    times: &'a mut [Duration],
    began: Instant,
}

impl Timed<'_> {
    /// Notes what was spent since the last step.
    fn step<T>(&mut self, step: Step, done: T) -> T {
        let now = Instant::now();
        self.times[step as usize] = now - self.began;
        self.began = now;
        done
    }
}

/// The primitives alone, over as many bytes.
struct Bare {
    keys: Vec<[u8; 32]>,
    layered: Vec<u8>,
    plain: Vec<u8>,
}

impl Bare {
    const INFO: [u8; 29] = [3; 29];
    const PLACE: [u8; 12] = [4; 12];
    const KEYS: usize = 64 + 16 * SLOTS as usize;

    fn of(slots: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let mut keys = vec![[0; 32]; slots / usize::from(SLOTS)];
        keys.iter_mut().for_each(|key| rng.fill_bytes(key));
        Self { keys, layered: vec![1; slots * DEPOSIT_SLOT], plain: vec![2; slots * DEPOSIT] }
    }

    fn run(&mut self, times: &mut [Duration]) {
        const LAYERED: usize = SLOTS as usize * DEPOSIT_SLOT;
        const PLAIN: usize = SLOTS as usize * DEPOSIT;
        let mut timed = Timed { times, began: Instant::now() };
        let seats = self.keys.iter().zip(self.layered.chunks_exact(LAYERED));
        for ((key, layered), plain) in seats.zip(self.plain.chunks_exact_mut(PLAIN)) {
            let (keys, mac) = expand(key);
            let cipher = Aes256Dec::new(keys[..32].into());
            let slots = layered.chunks_exact(DEPOSIT_SLOT).zip(plain.chunks_exact_mut(DEPOSIT));
            for ((layered, plain), iv) in slots.zip(keys[64..].chunks_exact(16)) {
                black_box(tag(&mac, &layered[..DEPOSIT]));
                cbc::Decryptor::inner_iv_init(&cipher, iv.into())
                    .decrypt_padded_b2b_mut::<NoPadding>(&layered[..DEPOSIT], plain)
                    .expect("ciphertext is whole blocks");
            }
        }
        timed.step(Step::BareIn, ());
        let seats = self.keys.iter().zip(self.layered.chunks_exact_mut(LAYERED));
        for ((key, layered), plain) in seats.zip(self.plain.chunks_exact(PLAIN)) {
            let (keys, mac) = expand(key);
            let cipher = Aes256Enc::new(keys[..32].into());
            let slots = layered.chunks_exact_mut(DEPOSIT_SLOT).zip(plain.chunks_exact(DEPOSIT));
            for ((layered, plain), iv) in slots.zip(keys[64..].chunks_exact(16)) {
                cbc::Encryptor::inner_iv_init(&cipher, iv.into())
                    .encrypt_padded_b2b_mut::<NoPadding>(&plain[DROP_ID..], &mut layered[..CELL])
                    .expect("plain text is whole blocks");
                let tag = tag(&mac, &layered[..CELL]);
                layered[CELL..][..tag.len()].copy_from_slice(&tag);
            }
        }
        timed.step(Step::BareOut, ());
    }
}

fn expand(key: &[u8; 32]) -> ([u8; Bare::KEYS], Hmac<Sha256>) {
    let mut keys = [0; Bare::KEYS];
    let kdf = Hkdf::<Sha256>::from_prk(key).expect("32 bytes are a SHA-256 PRK");
    kdf.expand(&Bare::INFO, &mut keys).expect("length is far below 255 blocks");
    let mac = <Hmac<Sha256> as Mac>::new_from_slice(&keys[32..64])
        .expect("HMAC takes keys of any length");
    (keys, mac)
}

fn tag(mac: &Hmac<Sha256>, ciphertext: &[u8]) -> [u8; 32] {
    let mut mac = mac.clone();
    mac.update(&Bare::PLACE);
    mac.update(ciphertext);
    mac.finalize().into_bytes().into()
}

/// Returns how many pages the system has given to this process so far (proc_pid_stat(5), `minflt`).
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells of this process");
    let (_, behind) = stat.rsplit_once(") ").expect("the name of the program is in brackets");
    let field = behind.split(' ').nth(7).expect("it has far more fields");
    field.parse().expect("it is a number")
}

/// Shows what is going on in the last line of the terminal; the empty text clears it.
fn progress(text: &str) {
    eprint!("\r\x1b[2K{text}");
    // only decoration: a closed terminal must not end the measurement
    let _ = std::io::stderr().flush();
}
