//! The layer: one hop's encryption around the slots of a deposit and of its reply.
//!
//! At `join`, client and mixer agree on a key with fresh P-256 keys of both; the key steps forward
//! with the rounds, L_{r+1} = HMAC(L_r, "step"), and the old one is erased. Per round, direction and slot
//! HKDF gives an encryption key, a MAC key and an IV that are used once. Layout of a layered slot:
//! ciphertext, then a tag of 16 bytes over version, direction, slots, slot, round and ciphertext.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroize as _;

use crate::VERSION;
use crate::ids::Round;
use crate::kdf::{Keyed, Label, Secret};
use crate::public_key::{AgreementKey, NotOnCurve, PublicKey};
use crate::sealed::{self, Unopened};
use crate::size::{IV, KEY, LAYER_TAG};

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

    /// Agrees on the mixer's side; `client` is the key of the `join` frame.
    ///
    /// # Errors
    /// [`NotOnCurve`] if the client's key is not a point.
    pub fn for_mixer(own: &AgreementKey, client: &PublicKey) -> Result<Self, NotOnCurve> {
        Ok(Self::agreed(&own.agree(client)?, client, &own.public()))
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

    /// Hashes the key in, once for all the slots of a seat that travel one way.
    pub fn keyed(&self) -> KeyedLayer {
        KeyedLayer(self.0.keyed())
    }

    /// As [`KeyedLayer::seal`], for one slot.
    ///
    /// # Panics
    /// As [`KeyedLayer::seal`].
    pub fn seal(&self, round: Round, place: Place, plain: &[u8], out: &mut [u8]) {
        self.keyed().seal(round, place, plain, out);
    }

    /// Takes the layer off `slot`; `out` is 16 bytes shorter.
    ///
    /// # Errors
    /// [`Unopened`] if the tag does not fit; then `out` is untouched.
    ///
    /// # Panics
    /// On lengths that do not fit, which are bugs of the caller.
    pub fn open(
        &self,
        round: Round,
        place: Place,
        slot: &[u8],
        out: &mut [u8],
    ) -> Result<(), Unopened> {
        assert_eq!(slot.len(), out.len() + LAYER_TAG, "slot is plain text and tag");
        let (ciphertext, tag) = slot.split_at(out.len());
        let keys = self.keyed().verified(round, place, ciphertext, tag)?;
        sealed::decrypt(keys.encryption(), keys.iv(), ciphertext, out);
        Ok(())
    }

    fn agreed(shared: &Secret, client: &PublicKey, mixer: &PublicKey) -> Self {
        Self(Secret::extract(&[], shared.expose(), AGREED, &[&client.0, &mixer.0]))
    }
}

/// A layer whose key is hashed in, so that its slots need not do it each; kept no longer than one seat's
/// slots take.
pub struct KeyedLayer(Keyed);

impl KeyedLayer {
    /// Puts the layer around `plain`; `out` is 16 bytes longer.
    ///
    /// Key and IV follow from the place: of all that is sealed for one place, only one may be sent.
    ///
    /// # Panics
    /// On lengths that do not fit, which are bugs of the caller.
    pub fn seal(&self, round: Round, place: Place, plain: &[u8], out: &mut [u8]) {
        assert_eq!(out.len(), plain.len() + LAYER_TAG, "slot is plain text and tag");
        let keys = SlotKeys::of(&self.0, round, place);
        let (ciphertext, tag) = out.split_at_mut(plain.len());
        sealed::encrypt(keys.encryption(), keys.iv(), plain, ciphertext);
        let mac = keys.mac(round, place, ciphertext).finalize().into_bytes();
        tag.copy_from_slice(&mac[..LAYER_TAG]);
    }

    /// Takes the layer off `slot` in its place: the plain text stands in front, the tag behind it.
    ///
    /// # Errors
    /// [`Unopened`] if the tag does not fit; then `slot` is untouched.
    ///
    /// # Panics
    /// On lengths that do not fit, which are bugs of the caller.
    pub fn open_in_place(
        &self,
        round: Round,
        place: Place,
        slot: &mut [u8],
    ) -> Result<(), Unopened> {
        let (text, tag) = slot.split_at_mut(slot.len() - LAYER_TAG);
        let keys = self.verified(round, place, text, tag)?;
        sealed::decrypt_in_place(keys.encryption(), keys.iv(), text);
        Ok(())
    }

    /// Returns the keys of a slot whose tag fits.
    fn verified(
        &self,
        round: Round,
        place: Place,
        ciphertext: &[u8],
        tag: &[u8],
    ) -> Result<SlotKeys, Unopened> {
        let keys = SlotKeys::of(&self.0, round, place);
        let mac = keys.mac(round, place, ciphertext);
        mac.verify_truncated_left(tag).map_err(|_| Unopened)?;
        Ok(keys)
    }
}

/// Encryption key, MAC key and IV of one slot; erased on drop.
struct SlotKeys([u8; 2 * KEY + IV]);

impl Drop for SlotKeys {
    fn drop(&mut self) {
        // as a slice: an array is erased byte by byte
        self.0[..].zeroize();
    }
}

impl SlotKeys {
    fn of(layer: &Keyed, round: Round, place: Place) -> Self {
        let label = match place.direction {
            Direction::Deposit => DEPOSIT_KEYS,
            Direction::Reply => REPLY_KEYS,
        };
        let mut keys = Self([0; 2 * KEY + IV]);
        let context: [&[u8]; 2] = [&round.0.to_le_bytes(), &[place.slot, place.slots]];
        layer.expand(label, &context, &mut keys.0);
        keys
    }

    fn encryption(&self) -> &[u8] {
        &self.0[..KEY]
    }

    fn iv(&self) -> &[u8] {
        &self.0[2 * KEY..]
    }

    fn mac(&self, round: Round, place: Place, ciphertext: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0[KEY..2 * KEY])
            .expect("HMAC takes keys of any length");
        mac.update(&[VERSION, place.direction as u8, place.slots, place.slot]);
        mac.update(&round.0.to_le_bytes());
        mac.update(ciphertext);
        mac
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
        (at_client, Layer::for_mixer(&mixer, &client.public()).unwrap())
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
        let mut slot = sealed(5);
        assert_eq!(mixer.keyed().open_in_place(Round(9), PLACE, &mut slot), Ok(()));
        assert_eq!(slot[..DEPOSIT], [5; DEPOSIT]);
        let mut spoiled = sealed(6);
        spoiled[DEPOSIT] ^= 1;
        let before = spoiled;
        assert!(mixer.keyed().open_in_place(Round(9), PLACE, &mut spoiled).is_err());
        assert_eq!(spoiled, before);
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
