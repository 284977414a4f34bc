//! The layer: one hop's encryption around the slots of a deposit and of its reply.
//!
//! At `join`, client and mixer agree on a key with fresh P-256 keys of both; the key steps forward
//! with the rounds, L_{r+1} = HMAC(L_r, "step"), and the old one is erased. Per round and direction HKDF
//! gives an encryption key, a MAC key, and for each slot an IV that is used once. Layout of a layered slot:
//! ciphertext, then a tag of 16 bytes over version, direction, slots, slot, round and ciphertext.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{Block, BlockDecryptMut, BlockEncryptMut, InnerIvInit, Key, KeyInit as _};
use aes::{Aes256Dec, Aes256Enc};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroize as _;

use crate::VERSION;
use crate::ids::Round;
use crate::kdf::{Label, Secret};
use crate::public_key::{AgreementKey, NotOnCurve, PublicKey};
use crate::sealed::Unopened;
use crate::size::{BLOCK, IV, KEY, LAYER_TAG, SLOTS_MAX, SLOTS_MIN};

const AGREED: Label = Label("iirs 1 layer agreed");
const STEP: Label = Label("iirs 1 layer step");
const DEPOSIT_KEYS: Label = Label("iirs 1 layer deposit");
const REPLY_KEYS: Label = Label("iirs 1 layer reply");

/// Which way a layered slot travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From client to mixer.
    Deposit = 1,
    /// From mixer to client.
    Reply = 2,
}

/// Which slot of a round a layer is around.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which way it travels.
    pub direction: Direction,
    /// Position in the frame, counted from 0.
    pub slot: u8,
    /// Slots of the frame.
    pub slots: u8,
}

/// The key of one round, L_r, on both sides of one round stream.
///
/// Both begin at the first round opened on the stream, whatever its number.
pub struct Layer(Secret);

impl Layer {
    /// Agrees on the client's side; `mixer` is the key that the server's leaf signed.
    ///
    /// # Errors
    /// [`NotOnCurve`] if the mixer's key is not a point.
    pub fn for_client(own: &AgreementKey, mixer: &PublicKey) -> Result<Self, NotOnCurve> {
        Ok(Self::agreed(&own.agree(mixer)?, &own.public(), mixer))
    }

    /// Takes up what the mixer agreed on, the x coordinate of the common point, with `client`, the key of the
    /// `join` frame.
    pub fn for_mixer(shared: &Secret, client: &PublicKey, mixer: &PublicKey) -> Self {
        Self::agreed(shared, client, mixer)
    }

    /// Goes on to the next round; the key of the last one is erased.
    pub fn step(&mut self) {
        *self = self.next();
    }

    /// Returns the layer of the next round beside this one, which the caller drops once it is answered.
    #[must_use]
    pub fn next(&self) -> Self {
        Self(self.0.hmac(STEP, &[]))
    }

    /// Derives what seals the slots of one frame.
    ///
    /// # Panics
    /// If there cannot be so many slots, which is a bug of the caller.
    pub fn sealer(&self, round: Round, direction: Direction, slots: u8) -> FrameSealer {
        let keys = FrameKeys::of(&self.0, round, direction, slots);
        FrameSealer { cipher: Aes256Enc::new(keys.encryption()), slots: keys.slots() }
    }

    /// Derives what opens the slots of one frame.
    ///
    /// # Panics
    /// If there cannot be so many slots, which is a bug of the caller.
    pub fn opener(&self, round: Round, direction: Direction, slots: u8) -> FrameOpener {
        let keys = FrameKeys::of(&self.0, round, direction, slots);
        FrameOpener { cipher: Aes256Dec::new(keys.encryption()), slots: keys.slots() }
    }

    /// As [`FrameSealer::seal`], for one slot.
    ///
    /// # Panics
    /// As [`FrameSealer::seal`].
    pub fn seal(&self, round: Round, place: Place, plain: &[u8], out: &mut [u8]) {
        self.sealer(round, place.direction, place.slots).seal(place.slot, plain, out);
    }

    /// Takes the layer off `slot`; `out` is 16 bytes shorter.
    ///
    /// # Errors
    /// [`Unopened`] if the tag does not fit; then `out` is untouched.
    ///
    /// # Panics
    /// On lengths or slots that do not fit, which are bugs of the caller.
    pub fn open(
        &self,
        round: Round,
        place: Place,
        slot: &[u8],
        out: &mut [u8],
    ) -> Result<(), Unopened> {
        assert_eq!(slot.len(), out.len() + LAYER_TAG, "slot is plain text and tag");
        let opener = self.opener(round, place.direction, place.slots);
        let (ciphertext, tag) = slot.split_at(out.len());
        opener.slots.verify(place.slot, ciphertext, tag)?;
        opener
            .decryptor(place.slot)
            .decrypt_padded_b2b_mut::<NoPadding>(ciphertext, out)
            .expect("ciphertext is whole blocks");
        Ok(())
    }

    fn agreed(shared: &Secret, client: &PublicKey, mixer: &PublicKey) -> Self {
        Self(Secret::extract(&[], shared.expose(), AGREED, &[&client.0, &mixer.0]))
    }
}

/// What seals the slots of one frame; kept no longer than that takes.
pub struct FrameSealer {
    cipher: Aes256Enc,
    slots: FrameSlots,
}

impl FrameSealer {
    /// Puts the layer around `plain`; `out` is 16 bytes longer.
    ///
    /// Keys and IV follow from the place: of all that is sealed for one place, only one may be sent.
    ///
    /// # Panics
    /// On lengths or slots that do not fit, which are bugs of the caller.
    pub fn seal(&self, slot: u8, plain: &[u8], out: &mut [u8]) {
        assert_eq!(out.len(), plain.len() + LAYER_TAG, "slot is plain text and tag");
        let (ciphertext, tag) = out.split_at_mut(plain.len());
        cbc::Encryptor::inner_iv_init(&self.cipher, self.slots.iv(slot))
            .encrypt_padded_b2b_mut::<NoPadding>(plain, ciphertext)
            .expect("plain text is whole blocks");
        self.slots.tag(slot, ciphertext, tag);
    }

    /// Puts the layer around all slots of the frame, which stand one behind the other; in each the plain text is in front,
    /// and 16 bytes behind it become its tag.
    ///
    /// As [`FrameSealer::seal`] for each, in less time: in CBC every block waits for the one before it, so the slots are
    /// encrypted side by side.
    ///
    /// # Panics
    /// On lengths that do not fit, which are bugs of the caller.
    pub fn seal_in_place(&self, slots: &mut [u8]) {
        let count = usize::from(self.slots.count);
        let (layered, rest) = (slots.len() / count, slots.len() % count);
        let text = layered.checked_sub(LAYER_TAG).filter(|text| text % BLOCK == 0 && rest == 0);
        let text = text.expect("all slots are whole blocks and a tag");
        let iv = |slot| cbc::Encryptor::inner_iv_init(&self.cipher, self.slots.iv(slot as u8));
        let mut chains: [_; SLOTS_MAX as usize] = std::array::from_fn(iv);
        for at in (0..text).step_by(BLOCK) {
            for (chain, slot) in chains.iter_mut().zip(slots.chunks_exact_mut(layered)) {
                chain.encrypt_block_mut(Block::<Aes256Enc>::from_mut_slice(
                    &mut slot[at..][..BLOCK],
                ));
            }
        }
        for (slot, layered) in (0..).zip(slots.chunks_exact_mut(layered)) {
            let (ciphertext, tag) = layered.split_at_mut(text);
            self.slots.tag(slot, ciphertext, tag);
        }
    }
}

/// What opens the slots of one frame; kept no longer than that takes.
pub struct FrameOpener {
    cipher: Aes256Dec,
    slots: FrameSlots,
}

impl FrameOpener {
    /// Takes the layer off `layered` in its place: the plain text stands in front, the tag behind it.
    ///
    /// # Errors
    /// [`Unopened`] if the tag does not fit; then `layered` is untouched.
    ///
    /// # Panics
    /// On lengths or slots that do not fit, which are bugs of the caller.
    pub fn open_in_place(&self, slot: u8, layered: &mut [u8]) -> Result<(), Unopened> {
        let (text, tag) = layered.split_at_mut(layered.len() - LAYER_TAG);
        self.slots.verify(slot, text, tag)?;
        self.decryptor(slot)
            .decrypt_padded_mut::<NoPadding>(text)
            .expect("ciphertext is whole blocks");
        Ok(())
    }

    fn decryptor(&self, slot: u8) -> cbc::Decryptor<&Aes256Dec> {
        cbc::Decryptor::inner_iv_init(&self.cipher, self.slots.iv(slot))
    }
}

/// IVs and tags of the slots of one frame.
struct FrameSlots {
    /// Has taken in the MAC key, version, direction and slots.
    mac: Hmac<Sha256>,
    round: Round,
    count: u8,
    ivs: [u8; IV * SLOTS_MAX as usize],
}

impl FrameSlots {
    fn iv(&self, slot: u8) -> &Block<Aes256Enc> {
        Block::<Aes256Enc>::from_slice(&self.ivs[usize::from(slot) * IV..][..IV])
    }

    fn mac(&self, slot: u8, ciphertext: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(&[slot]);
        mac.update(&self.round.0.to_le_bytes());
        mac.update(ciphertext);
        mac
    }

    fn tag(&self, slot: u8, ciphertext: &[u8], tag: &mut [u8]) {
        let mac = self.mac(slot, ciphertext).finalize().into_bytes();
        tag.copy_from_slice(&mac[..LAYER_TAG]);
    }

    fn verify(&self, slot: u8, ciphertext: &[u8], tag: &[u8]) -> Result<(), Unopened> {
        self.mac(slot, ciphertext).verify_truncated_left(tag).map_err(|_| Unopened)
    }
}

/// Encryption key, MAC key, and an IV for each slot of a frame; erased on drop.
struct FrameKeys {
    bytes: [u8; 2 * KEY + IV * SLOTS_MAX as usize],
    round: Round,
    direction: Direction,
    slots: u8,
}

impl FrameKeys {
    fn of(layer: &Secret, round: Round, direction: Direction, slots: u8) -> Self {
        assert!((SLOTS_MIN..=SLOTS_MAX).contains(&slots), "a frame has 1 to 8 slots");
        let label = match direction {
            Direction::Deposit => DEPOSIT_KEYS,
            Direction::Reply => REPLY_KEYS,
        };
        let bytes = [0; 2 * KEY + IV * SLOTS_MAX as usize];
        let mut keys = Self { bytes, round, direction, slots };
        let used = 2 * KEY + IV * usize::from(slots);
        layer.expand(label, &[&round.0.to_le_bytes(), &[slots]], &mut keys.bytes[..used]);
        keys
    }

    fn encryption(&self) -> &Key<Aes256Enc> {
        Key::<Aes256Enc>::from_slice(&self.bytes[..KEY])
    }

    fn slots(&self) -> FrameSlots {
        let (keys, ivs) = self.bytes.split_at(2 * KEY);
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&keys[KEY..])
            .expect("HMAC takes keys of any length");
        mac.update(&[VERSION, self.direction as u8, self.slots]);
        let ivs = ivs.try_into().expect("the IVs are the rest");
        FrameSlots { mac, round: self.round, count: self.slots, ivs }
    }
}

impl Drop for FrameKeys {
    fn drop(&mut self) {
        // as a slice: an array is erased byte by byte
        self.bytes[..].zeroize();
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::size::{DEPOSIT, DEPOSIT_SLOT};

    const PLACE: Place = Place { direction: Direction::Deposit, slot: 1, slots: 2 };

    fn pair() -> (Layer, Layer) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let client = AgreementKey::random(&mut rng);
        let mixer = AgreementKey::random(&mut rng);
        let at_client = Layer::for_client(&client, &mixer.public()).unwrap();
        let shared = mixer.agree(&client.public()).unwrap();
        (at_client, Layer::for_mixer(&shared, &client.public(), &mixer.public()))
    }

    #[test]
    fn both_sides_agree_and_step_together() {
        let (mut client, mut mixer) = pair();
        for round in [9, 10, 11] {
            let mut slot = [0; DEPOSIT_SLOT];
            client.seal(Round(round), PLACE, &[5; DEPOSIT], &mut slot);
            let mut plain = [0; DEPOSIT];
            assert_eq!(mixer.open(Round(round), PLACE, &slot, &mut plain), Ok(()));
            assert_eq!(plain, [5; DEPOSIT]);
            client.step();
            assert!(client.open(Round(round), PLACE, &slot, &mut plain).is_err());
            mixer.step();
        }
    }

    #[test]
    fn what_is_opened_in_its_place_is_what_is_opened_elsewhere() {
        let (client, mixer) = pair();
        let sealed = |byte| {
            let mut slot = [0; DEPOSIT_SLOT];
            client.seal(Round(9), PLACE, &[byte; DEPOSIT], &mut slot);
            slot
        };
        let opener = mixer.opener(Round(9), PLACE.direction, PLACE.slots);
        let mut slot = sealed(5);
        assert_eq!(opener.open_in_place(PLACE.slot, &mut slot), Ok(()));
        assert_eq!(slot[..DEPOSIT], [5; DEPOSIT]);
        let mut spoiled = sealed(6);
        spoiled[DEPOSIT] ^= 1;
        let before = spoiled;
        assert!(opener.open_in_place(PLACE.slot, &mut spoiled).is_err());
        assert_eq!(spoiled, before);
    }

    #[test]
    fn slots_that_are_sealed_side_by_side_are_as_if_each_was_sealed_alone() {
        let (client, _) = pair();
        for slots in SLOTS_MIN..=SLOTS_MAX {
            let sealer = client.sealer(Round(9), Direction::Deposit, slots);
            let mut alone = vec![0; usize::from(slots) * DEPOSIT_SLOT];
            let mut beside = alone.clone();
            let both = alone.chunks_mut(DEPOSIT_SLOT).zip(beside.chunks_mut(DEPOSIT_SLOT));
            for (slot, (alone, beside)) in (0..).zip(both) {
                let plain: Vec<_> = (0..DEPOSIT).map(|at| at as u8 ^ slot).collect();
                sealer.seal(slot, &plain, alone);
                beside[..DEPOSIT].copy_from_slice(&plain);
            }
            sealer.seal_in_place(&mut beside);
            assert!(alone == beside, "{slots} slots");
        }
    }

    #[test]
    fn one_plain_text_looks_different_in_every_slot() {
        let (client, _) = pair();
        for slots in SLOTS_MIN..=SLOTS_MAX {
            let sealer = client.sealer(Round(9), Direction::Deposit, slots);
            let sealed = (0..slots).map(|slot| {
                let mut layered = [0; DEPOSIT_SLOT];
                sealer.seal(slot, &[5; DEPOSIT], &mut layered);
                layered
            });
            let sealed: std::collections::BTreeSet<_> = sealed
                .flat_map(|layered| layered.chunks(16).map(<[u8]>::to_vec).collect::<Vec<_>>())
                .collect();
            assert_eq!(sealed.len(), usize::from(slots) * DEPOSIT_SLOT / 16, "no block twice");
        }
    }

    #[test]
    fn another_round_slot_count_direction_or_bit_stays_shut() {
        let (client, mixer) = pair();
        let mut slot = [0; DEPOSIT_SLOT];
        client.seal(Round(9), PLACE, &[5; DEPOSIT], &mut slot);
        let mut plain = [0; DEPOSIT];
        let other_places = [
            Place { slot: 0, ..PLACE },
            Place { slots: 3, ..PLACE },
            Place { direction: Direction::Reply, ..PLACE },
        ];
        assert!(mixer.open(Round(10), PLACE, &slot, &mut plain).is_err());
        for place in other_places {
            assert!(mixer.open(Round(9), place, &slot, &mut plain).is_err());
        }
        for byte in 0..slot.len() {
            slot[byte] ^= 1;
            assert!(mixer.open(Round(9), PLACE, &slot, &mut plain).is_err());
            slot[byte] ^= 1;
        }
        assert_eq!(plain, [0; DEPOSIT]);
        assert!(mixer.open(Round(9), PLACE, &slot, &mut plain).is_ok());
    }
}
