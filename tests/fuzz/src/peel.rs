//! One round through the mixer: seats that deposit what they like, in the layer or not.

use std::sync::LazyLock;

use mixer::{Counts, MixerKey, Open, Seats};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::dial::buckets;
use wire::ids::{AccountIndex, Round};
use wire::layer::{Direction, Layer, Place};
use wire::public_key::AgreementKey;
use wire::round::{ClientFrame, ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{CELL, DEPOSIT, REPLY_SLOT, SLOTS_MAX, round_frame};

use crate::input::{Input, padded};

const SEATS: u32 = 3;

/// Both sides of each seat's layer: agreeing on one takes longer than most of what is tried here.
static LAYERS: LazyLock<Vec<(Layer, Layer)>> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let key = MixerKey::random(&mut rng);
    let layers = (0..SEATS).map(|_| {
        let own = AgreementKey::random(&mut rng);
        let layer = Layer::for_client(&own, &key.public()).expect("the mixer's key is a point");
        (layer, key.layer_for(&own.public()).expect("a client's key is a point"))
    });
    layers.collect()
});

/// What a seat deposits.
enum Deposited {
    Nothing,
    /// Bytes that the layer does not fit on.
    Noise(Vec<u8>),
    /// Whatever the slots say, in the layer.
    Layered(Vec<u8>),
}

impl Deposited {
    fn read(input: &mut Input<'_>, layer: &Layer, round: Round, slots: u8) -> Self {
        let how = input.u8() % 4;
        let mut frame = deposit_frame(round, slots);
        for (slot, layered) in (0..).zip(deposit_slots_mut(&mut frame)) {
            let length = usize::from(input.u16());
            let content = input.take(length.min(layered.len()));
            if how < 2 {
                layered[..content.len()].copy_from_slice(content);
            } else {
                let plain = padded(&content[..content.len().min(DEPOSIT)], DEPOSIT);
                let place = Place { direction: Direction::Deposit, slot, slots };
                layer.seal(round, place, &plain, layered);
            }
        }
        match how {
            0 => Self::Nothing,
            1 => Self::Noise(frame),
            _ => Self::Layered(frame),
        }
    }
}

pub(crate) fn peel(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let slots = 1 + input.u8() % SLOTS_MAX;
    // Numbers of rounds that come are below this by far.
    let round = Round(1 + u64::from(input.u32()));
    let directory_length = u32::from(input.u16()) * 64;
    let mut seats = Seats::new(slots);
    let mut sitting = Vec::new();
    for (account, (own, theirs)) in (0..).zip(&*LAYERS) {
        let reader = AccountIndex(account * 1000);
        sitting.push((seats.add(theirs.next(), reader).expect("there is room"), own.next()));
    }
    let mut open = Open::new(round, seats, buckets(directory_length));
    let mut expected = Counts { seats: SEATS, ..Counts::default() };
    for (seat, layer) in &sitting {
        let frame = match Deposited::read(&mut input, layer, round, slots) {
            Deposited::Nothing => {
                expected.missing += 1;
                continue;
            }
            Deposited::Noise(frame) => {
                expected.tampered += u32::from(slots);
                frame
            }
            Deposited::Layered(frame) => frame,
        };
        expected.deposits += 1;
        let Ok(ClientFrame::Deposit(deposit)) = ClientFrame::decode(&frame, slots) else {
            panic!("it is a deposit")
        };
        open.deposit(*seat, &deposit).expect("it is for the round that is open");
        assert!(open.deposit(*seat, &deposit).is_err(), "there is one a seat");
    }
    let header = ServerHeader {
        slots,
        closes_ms: 2000,
        open: round.next(),
        answered: round,
        seats: SEATS,
        directory_length,
        buckets: buckets(directory_length),
    };
    let rng = &mut rng;
    let (replies, seats, counts) =
        open.close().peel(rng).shuffle(rng).exchange(rng).unshuffle().seal(&header);
    let counted = Counts { pairs: 0, lone: 0, crowded: 0, malformed_dials: 0, ..counts };
    assert_eq!(counted, expected);
    let talking = u32::from(slots) - u32::from(round.has_dial());
    assert_eq!(2 * counts.pairs + counts.lone + counts.crowded, SEATS * talking);
    assert!(counts.malformed_dials <= SEATS && seats.len() == SEATS);
    assert_eq!(replies.iter().len(), SEATS as usize);
    for ((seat, frame), (sat, layer)) in replies.iter().zip(&sitting) {
        assert!(seat == *sat && frame.len() == round_frame(slots), "every answer is as long");
        let (read, slots_read) = ServerHeader::decode(frame, slots).expect("it is a frame");
        assert_eq!(read, header);
        for (slot, layered) in (0..).zip(slots_read.chunks_exact(REPLY_SLOT)) {
            let place = Place { direction: Direction::Reply, slot, slots };
            layer.open(round, place, layered, &mut [0; CELL]).expect("it is in the seat's layer");
        }
    }
}
