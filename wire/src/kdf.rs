//! Key derivation: HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869) under named labels.

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::size::{HASH, KEY};

/// What a derived value is for: protocol, version, use, and direction where there is one.
#[derive(Clone, Copy)]
pub struct Label(pub &'static str);

/// Thirty-two secret bytes, erased on drop; it has no `Debug` and no `Clone`.
///
/// Every key type of the project wraps one of these.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; KEY]);

impl Secret {
    /// Takes over secret bytes.
    pub fn new(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }

    /// Draws a secret.
    pub fn random(rng: &mut (impl rand_core::CryptoRng + rand_core::RngCore)) -> Self {
        let mut secret = Self([0; KEY]);
        rng.fill_bytes(&mut secret.0);
        secret
    }

    /// Shows the bytes, for the primitives.
    pub fn expose(&self) -> &[u8; KEY] {
        &self.0
    }

    /// Makes a second copy, named so that each one can be found.
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// HMAC-SHA-256 under this secret over the concatenated parts.
    ///
    /// The parts of one label are of fixed sizes, so that no two inputs run into each other.
    pub fn hmac(&self, label: Label, parts: &[&[u8]]) -> Self {
        Self(hmac(&self.0, label, parts))
    }

    /// HKDF-Expand with this secret as the pseudorandom key; fills `out`, at most 8,160 bytes.
    pub fn expand(&self, label: Label, context: &[&[u8]], out: &mut [u8]) {
        let kdf = Hkdf::<Sha256>::from_prk(&self.0).expect("32 bytes are a SHA-256 PRK");
        expand(&kdf, label, context, out);
    }

    /// HKDF-Expand to another secret.
    pub fn derive(&self, label: Label, context: &[&[u8]]) -> Self {
        let mut secret = Self([0; KEY]);
        self.expand(label, context, &mut secret.0);
        secret
    }

    /// HKDF (extract with `salt`, then expand) from input key material that is not uniform.
    pub fn extract(salt: &[u8], material: &[u8], label: Label, context: &[&[u8]]) -> Self {
        let kdf = Hkdf::<Sha256>::new(Some(salt), material);
        let mut secret = Self([0; KEY]);
        expand(&kdf, label, context, &mut secret.0);
        secret
    }
}

/// HMAC-SHA-256 over label and parts.
pub fn hmac(key: &[u8], label: Label, parts: &[&[u8]]) -> [u8; HASH] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(label.0.as_bytes());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256 over label and parts.
pub fn hash(label: Label, parts: &[&[u8]]) -> [u8; HASH] {
    let mut hash = Sha256::new_with_prefix(label.0.as_bytes());
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

fn expand(kdf: &Hkdf<Sha256>, label: Label, context: &[&[u8]], out: &mut [u8]) {
    const PARTS_MAX: usize = 8;
    let mut info: [&[u8]; PARTS_MAX + 1] = [&[]; PARTS_MAX + 1];
    assert!(context.len() <= PARTS_MAX, "a context has at most {PARTS_MAX} parts");
    info[0] = label.0.as_bytes();
    info[1..=context.len()].copy_from_slice(context);
    kdf.expand_multi_info(&info[..=context.len()], out).expect("length is far below 255 blocks");
}
