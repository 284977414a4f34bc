//! The directory: public records of accounts, and the hash chain over them.

use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use thiserror::Error;

use crate::codec::{DecodeError, Reader, Wire, Writer, wire_bytes};
use crate::ids::{IdentityHash, Name};
use crate::kdf::{Label, hash};
use crate::public_key::PublicKey;
use crate::size;

const IDENTITY: Label = Label("iirs 1 identity");
const SELF_SIGNATURE: Label = Label("iirs 1 directory record");
const HEAD: Label = Label("iirs 1 directory head");
const SIGNED_HEAD: Label = Label("iirs 1 signed directory head");

/// Public record of an account, 163 bytes: name, both public keys, a signature of the one over all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Account name.
    pub name: Name,
    /// Key that verifies the account's signatures.
    pub signing: PublicKey,
    /// Key for static agreement with the account.
    pub agreement: PublicKey,
    /// ECDSA by `signing` over name and both keys.
    pub signature: [u8; size::SIGNATURE],
}

/// The record's signature is not by its signing key, or a key is not on the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("directory record does not verify")]
pub struct BadRecord;

impl Record {
    /// Makes and signs a record.
    pub fn new(name: Name, agreement: PublicKey, key: &SigningKey) -> Self {
        let signing = PublicKey::of(&p256::PublicKey::from(key.verifying_key()));
        let signature: Signature = key.sign(&signed(&name, &signing, &agreement));
        let signature = signature.normalize_s().unwrap_or(signature);
        Self { name, signing, agreement, signature: signature.to_bytes().into() }
    }

    /// Makes and signs the record that deletes the account of `name`, whose signing key `key` is: the
    /// agreement key is the signing key once more.
    pub fn deletion(name: Name, key: &SigningKey) -> Self {
        Self::new(name, PublicKey::of(&p256::PublicKey::from(key.verifying_key())), key)
    }

    /// Tells whether the record deletes the account of its name. It counts only if the account's own
    /// signing key signed it, which the caller compares with the record before it.
    pub fn is_deletion(&self) -> bool {
        self.agreement == self.signing
    }

    /// Checks that both keys are points and that the record is signed by its own key, with the smaller
    /// of the two equal values of s, so that a record has one form and the log one head.
    ///
    /// # Errors
    /// [`BadRecord`] otherwise.
    pub fn verify(&self) -> Result<(), BadRecord> {
        self.agreement.parse().map_err(|_| BadRecord)?;
        let key = VerifyingKey::from(self.signing.parse().map_err(|_| BadRecord)?);
        let signature = Signature::from_slice(&self.signature).map_err(|_| BadRecord)?;
        if signature.normalize_s().is_some() {
            return Err(BadRecord);
        }
        let message = signed(&self.name, &self.signing, &self.agreement);
        key.verify(&message, &signature).map_err(|_| BadRecord)
    }

    /// Returns what an invitation, a root and a signature bind: SHA-256 over name and both keys.
    pub fn identity(&self) -> IdentityHash {
        IdentityHash(hash(IDENTITY, &[&self.name.encode(), &self.signing.0, &self.agreement.0]))
    }
}

impl Wire for Record {
    const SIZE: usize = size::RECORD;

    fn write(&self, out: &mut Writer<'_>) {
        self.name.write(out);
        self.signing.write(out);
        self.agreement.write(out);
        out.bytes(&self.signature);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: Name::read(input)?,
            signing: PublicKey::read(input)?,
            agreement: PublicKey::read(input)?,
            signature: input.array()?,
        })
    }
}

wire_bytes! {
    /// Head of the directory's hash chain, 32 bytes: it stands for the whole log up to a length.
    Head(size::HASH);
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Head({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl Head {
    /// Head of the empty log.
    pub const EMPTY: Self = Self([0; size::HASH]);

    /// Returns the head after one more record, given as its 163 bytes.
    #[must_use]
    pub fn after(&self, record: &[u8; size::RECORD]) -> Self {
        Self(hash(HEAD, &[&self.0, record]))
    }
}

/// Returns what the server's root key signs: how long the directory is, and its head at that length.
pub fn head_signed(length: u32, head: &Head) -> Vec<u8> {
    [SIGNED_HEAD.0.as_bytes(), &length.to_le_bytes(), &head.0].concat()
}

fn signed(name: &Name, signing: &PublicKey, agreement: &PublicKey) -> Vec<u8> {
    [SELF_SIGNATURE.0.as_bytes(), &name.encode(), &signing.0, &agreement.0].concat()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::public_key::AgreementKey;

    fn record() -> Record {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let agreement = AgreementKey::random(&mut rng).public();
        Record::new("ann".parse().unwrap(), agreement, &SigningKey::random(&mut rng))
    }

    #[test]
    fn a_record_verifies_until_any_bit_of_it_changes() {
        let bytes = record().encode();
        assert!(Record::decode(&bytes).unwrap().verify().is_ok());
        for byte in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[byte] ^= 1;
            assert!(Record::decode(&changed).map_or(Err(BadRecord), |r| r.verify()).is_err());
        }
    }

    #[test]
    fn the_other_form_of_a_signature_is_refused() {
        let mut record = record();
        let (r, s) = Signature::from_slice(&record.signature).unwrap().split_scalars();
        let other = Signature::from_scalars(*r, -*s).unwrap();
        record.signature = other.to_bytes().into();
        assert_eq!(record.verify(), Err(BadRecord));
    }

    #[test]
    fn identity_binds_name_and_keys() {
        let ann = record();
        let other_name = Record { name: "bob".parse().unwrap(), ..ann };
        let other_key = Record { agreement: ann.signing, ..ann };
        assert_ne!(ann.identity(), other_name.identity());
        assert_ne!(ann.identity(), other_key.identity());
    }

    #[test]
    fn a_deletion_is_signed_as_any_record_and_keeps_name_and_signing_key() {
        let key = SigningKey::random(&mut ChaCha20Rng::seed_from_u64(1));
        let agreement = AgreementKey::random(&mut ChaCha20Rng::seed_from_u64(2)).public();
        let ann = Record::new("ann".parse().unwrap(), agreement, &key);
        let deletion = Record::deletion(ann.name, &key);
        assert_eq!(deletion.verify(), Ok(()));
        assert!(deletion.is_deletion() && !ann.is_deletion());
        assert!(deletion.name == ann.name && deletion.signing == ann.signing);
        assert_ne!(deletion.identity(), ann.identity());
        let forged = Record { signing: ann.signing, ..Record::deletion(ann.name, &other_key()) };
        let forged = Record { agreement: ann.signing, ..forged };
        assert!(forged.is_deletion() && forged.verify() == Err(BadRecord));
    }

    fn other_key() -> SigningKey {
        SigningKey::random(&mut ChaCha20Rng::seed_from_u64(3))
    }

    #[test]
    fn what_signs_a_head_binds_length_and_head() {
        let (head, other) = (Head([1; size::HASH]), Head([2; size::HASH]));
        assert_ne!(head_signed(1, &head), head_signed(2, &head));
        assert_ne!(head_signed(1, &head), head_signed(1, &other));
    }

    #[test]
    fn heads_depend_on_every_record_and_on_order() {
        let (a, b) = ([1; size::RECORD], [2; size::RECORD]);
        assert_ne!(Head::EMPTY.after(&a).after(&b), Head::EMPTY.after(&b).after(&a));
        assert_ne!(Head::EMPTY.after(&a), Head::EMPTY);
    }
}
