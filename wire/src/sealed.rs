//! The sealed box: AES-256-CBC without padding, then HMAC-SHA-256 over associated data ‖ IV ‖ ciphertext.
//!
//! Both keys come from one key by HKDF. The tag is compared in constant time before anything is
//! decrypted (encrypt-then-MAC, Bellare and Namprempre 2000; RFC 7366).

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use hmac::{Hmac, Mac};
use rand_core::CryptoRngCore;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::kdf::{Label, Secret};
use crate::size::{BLOCK, HASH, IV, KEY, SEALED_OVERHEAD};

const BOX_KEYS: Label = Label("iirs 1 sealed box keys");

/// The box was made under another key or for another place, or was changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("sealed box does not open")]
pub struct Unopened;

/// Seals `plain`, whose length is a multiple of 16, into `out`, which is 48 bytes longer.
///
/// `label` says what the box holds. The parts of `associated` have fixed sizes for one label, so that
/// no two lists of parts run into each other.
///
/// # Panics
/// On other lengths, which are bugs of the caller.
pub fn seal_into(
    key: &Secret,
    label: Label,
    associated: &[&[u8]],
    plain: &[u8],
    rng: &mut impl CryptoRngCore,
    out: &mut [u8],
) {
    assert!(plain.len().is_multiple_of(BLOCK), "plain text is whole blocks");
    assert_eq!(out.len(), plain.len() + SEALED_OVERHEAD, "box is plain text and overhead");
    let keys = BoxKeys::of(key, label);
    let (iv, rest) = out.split_at_mut(IV);
    let (ciphertext, tag) = rest.split_at_mut(plain.len());
    rng.fill_bytes(iv);
    encrypt(keys.encryption(), iv, plain, ciphertext);
    let mac = keys.mac(associated, iv, ciphertext);
    tag.copy_from_slice(&mac.finalize().into_bytes());
}

/// Seals `plain` into a box of its own.
///
/// # Panics
/// As [`seal_into`].
pub fn seal(
    key: &Secret,
    label: Label,
    associated: &[&[u8]],
    plain: &[u8],
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    let mut out = vec![0; plain.len() + SEALED_OVERHEAD];
    seal_into(key, label, associated, plain, rng, &mut out);
    out
}

/// Opens a box of any length.
///
/// # Errors
/// [`Unopened`] if the tag does not fit, or the length cannot be that of a box.
pub fn open(
    key: &Secret,
    label: Label,
    associated: &[&[u8]],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let length = sealed.len().checked_sub(SEALED_OVERHEAD).ok_or(Unopened)?;
    if !length.is_multiple_of(BLOCK) {
        return Err(Unopened);
    }
    let keys = BoxKeys::of(key, label);
    let (iv, rest) = sealed.split_at(IV);
    let (ciphertext, tag) = rest.split_at(length);
    keys.mac(associated, iv, ciphertext).verify_slice(tag).map_err(|_| Unopened)?;
    let mut plain = Zeroizing::new(vec![0; length]);
    decrypt(keys.encryption(), iv, ciphertext, &mut plain);
    Ok(plain)
}

/// AES-256-CBC without padding; `plain` and `out` have the same whole number of blocks.
fn encrypt(key: &[u8], iv: &[u8], plain: &[u8], out: &mut [u8]) {
    cbc::Encryptor::<Aes256>::new_from_slices(key, iv)
        .expect("key has 32 bytes and IV 16")
        .encrypt_padded_b2b_mut::<NoPadding>(plain, out)
        .expect("plain text is whole blocks");
}

/// The reverse of [`encrypt`].
fn decrypt(key: &[u8], iv: &[u8], ciphertext: &[u8], out: &mut [u8]) {
    cbc::Decryptor::<Aes256>::new_from_slices(key, iv)
        .expect("key has 32 bytes and IV 16")
        .decrypt_padded_b2b_mut::<NoPadding>(ciphertext, out)
        .expect("ciphertext is whole blocks");
}

/// Encryption key, then MAC key.
struct BoxKeys(Zeroizing<[u8; 2 * KEY]>);

impl BoxKeys {
    fn of(key: &Secret, label: Label) -> Self {
        let mut keys = Self(Zeroizing::new([0; 2 * KEY]));
        key.expand(BOX_KEYS, &[label.0.as_bytes()], &mut *keys.0);
        keys
    }

    fn encryption(&self) -> &[u8] {
        &self.0[..KEY]
    }

    fn mac(&self, associated: &[&[u8]], iv: &[u8], ciphertext: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0[KEY..])
            .expect("HMAC takes keys of any length");
        for part in associated {
            mac.update(part);
        }
        mac.update(iv);
        mac.update(ciphertext);
        mac
    }
}

const _: () = assert!(SEALED_OVERHEAD == IV + HASH);

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const LABEL: Label = Label("test box");

    fn boxed(plain: &[u8]) -> (Secret, Vec<u8>) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = Secret::random(&mut rng);
        let sealed = seal(&key, LABEL, &[b"place"], plain, &mut rng);
        (key, sealed)
    }

    #[test]
    fn a_box_opens_to_what_was_sealed() {
        for length in [0, 16, 32, 432] {
            let plain = vec![7; length];
            let (key, sealed) = boxed(&plain);
            assert_eq!(sealed.len(), length + SEALED_OVERHEAD);
            assert_eq!(*open(&key, LABEL, &[b"place"], &sealed).unwrap(), plain);
        }
    }

    #[test]
    fn every_changed_bit_keeps_a_box_shut() {
        let (key, sealed) = boxed(&[7; 32]);
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, LABEL, &[b"place"], &changed), Err(Unopened));
        }
    }

    #[test]
    fn another_place_label_key_or_length_keeps_a_box_shut() {
        let (key, sealed) = boxed(&[7; 32]);
        assert!(open(&key, LABEL, &[b"other"], &sealed).is_err());
        assert!(open(&key, Label("other"), &[b"place"], &sealed).is_err());
        assert!(open(&Secret::new([0; 32]), LABEL, &[b"place"], &sealed).is_err());
        for length in 0..sealed.len() {
            assert!(open(&key, LABEL, &[b"place"], &sealed[..length]).is_err());
        }
    }

    #[test]
    fn two_boxes_of_one_text_differ() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = Secret::random(&mut rng);
        let first = seal(&key, LABEL, &[], &[0; 16], &mut rng);
        assert_ne!(first, seal(&key, LABEL, &[], &[0; 16], &mut rng));
    }
}
