//! The long-term keys of an account, and how they are sealed.

use p256::ecdsa::SigningKey;
use rand_core::CryptoRngCore;
use thiserror::Error;
use wire::account::{SealedIdentity, SealedMaster};
use wire::directory::Record;
use wire::ids::{IdentityHash, Name};
use wire::kdf::{Label, Secret};
use wire::public_key::{AgreementKey, PublicKey};
use wire::sealed;
use wire::size::{SEALED_IDENTITY, SEALED_MASTER, SECRET_KEY};
use zeroize::Zeroizing;

const MASTER_BOX: Label = Label("iirs 1 master key");
const IDENTITY_BOX: Label = Label("iirs 1 identity keys");
const IDENTITY_KEY: Label = Label("iirs 1 identity key of master");

/// The key under which an account's other keys are sealed, 32 random bytes.
pub struct MasterKey(Secret);

/// The sealed keys do not open, or are not those of the public record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the account's sealed keys do not open; the server or its store may be damaged")]
pub struct KeysDamaged;

impl MasterKey {
    /// Draws a master key.
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        Self(Secret::random(rng))
    }

    /// Takes over a master key that was kept.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Shows the key, to keep it sealed.
    pub fn expose(&self) -> &Secret {
        &self.0
    }

    /// Seals the master key under OPAQUE's export key.
    pub fn seal(&self, name: &Name, export: &Secret, rng: &mut impl CryptoRngCore) -> SealedMaster {
        let mut sealed = [0; SEALED_MASTER];
        let place = place(name);
        sealed::seal_into(export, MASTER_BOX, &[&place], self.0.expose(), rng, &mut sealed);
        SealedMaster(sealed)
    }

    /// Opens a master key with OPAQUE's export key.
    ///
    /// # Errors
    /// [`KeysDamaged`] if it does not open.
    pub fn open(name: &Name, export: &Secret, sealed: &SealedMaster) -> Result<Self, KeysDamaged> {
        let plain = sealed::open(export, MASTER_BOX, &[&place(name)], &sealed.0)
            .map_err(|_| KeysDamaged)?;
        let bytes = Zeroizing::new(<[u8; 32]>::try_from(&plain[..]).map_err(|_| KeysDamaged)?);
        Ok(Self(Secret::new(*bytes)))
    }
}

/// An account's own keys; erased on drop.
pub struct Identity {
    name: Name,
    signing: SigningKey,
    agreement: AgreementKey,
    record: Record,
}

impl Identity {
    /// Draws the keys of a new account.
    pub fn random(name: Name, rng: &mut impl CryptoRngCore) -> Self {
        Self::of(name, SigningKey::random(rng), AgreementKey::random(rng))
    }

    /// Seals the secret keys under the master key.
    pub fn seal(&self, master: &MasterKey, rng: &mut impl CryptoRngCore) -> SealedIdentity {
        let mut plain = Zeroizing::new([0; 2 * SECRET_KEY]);
        let signing = Zeroizing::new(<[u8; SECRET_KEY]>::from(self.signing.to_bytes()));
        plain[..SECRET_KEY].copy_from_slice(&*signing);
        plain[SECRET_KEY..].copy_from_slice(self.agreement.expose().expose());
        let key = master.0.derive(IDENTITY_KEY, &[]);
        let mut sealed = [0; SEALED_IDENTITY];
        let place = place(&self.name);
        sealed::seal_into(&key, IDENTITY_BOX, &[&place], &*plain, rng, &mut sealed);
        SealedIdentity(sealed)
    }

    /// Opens the secret keys with the master key.
    ///
    /// # Errors
    /// [`KeysDamaged`] if they do not open or are no keys.
    pub fn open(
        name: Name,
        master: &MasterKey,
        sealed: &SealedIdentity,
    ) -> Result<Self, KeysDamaged> {
        let key = master.0.derive(IDENTITY_KEY, &[]);
        let plain = sealed::open(&key, IDENTITY_BOX, &[&place(&name)], &sealed.0)
            .map_err(|_| KeysDamaged)?;
        let (signing, agreement) = plain.split_at(SECRET_KEY);
        let signing = SigningKey::from_slice(signing).map_err(|_| KeysDamaged)?;
        let agreement =
            Zeroizing::new(<[u8; SECRET_KEY]>::try_from(agreement).map_err(|_| KeysDamaged)?);
        let agreement = AgreementKey::from_bytes(&agreement).map_err(|_| KeysDamaged)?;
        Ok(Self::of(name, signing, agreement))
    }

    /// Returns the account's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the public record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Returns what others bind this account by.
    pub fn hash(&self) -> IdentityHash {
        self.record.identity()
    }

    /// Returns the key that signs peer messages.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Agrees with a peer's long-term key.
    ///
    /// # Errors
    /// If the peer's key is not a point.
    pub fn agree(&self, peer: &PublicKey) -> Result<Secret, wire::public_key::NotOnCurve> {
        self.agreement.agree(peer)
    }

    /// Hands over the agreement key, as a thief has it.
    #[cfg(test)]
    pub(crate) fn agreement_secret(&self) -> AgreementKey {
        AgreementKey::from_bytes(self.agreement.expose().expose()).expect("it is a key")
    }

    fn of(name: Name, signing: SigningKey, agreement: AgreementKey) -> Self {
        let record = Record::new(name, agreement.public(), &signing);
        Self { name, signing, agreement, record }
    }
}

/// Associated data of an account's boxes: its name, 33 bytes.
fn place(name: &Name) -> Vec<u8> {
    use wire::codec::Wire;
    name.encode()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn name(name: &str) -> Name {
        name.parse().unwrap()
    }

    #[test]
    fn sealed_keys_open_as_the_same_identity() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let master = MasterKey::random(&mut rng);
        let identity = Identity::random(name("ann"), &mut rng);
        let sealed = identity.seal(&master, &mut rng);
        let opened = Identity::open(name("ann"), &master, &sealed).unwrap();
        assert_eq!(opened.hash(), identity.hash());
        assert!(opened.record().verify().is_ok());
        let bob = Identity::random(name("bob"), &mut rng);
        let there = opened.agree(&bob.record().agreement).unwrap();
        let back = bob.agree(&identity.record().agreement).unwrap();
        assert!(there.expose() == back.expose(), "the agreement key came along");
    }

    #[test]
    fn keys_open_under_their_master_key_and_name_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let masters = [(); 2].map(|()| MasterKey::random(&mut rng));
        let sealed = Identity::random(name("ann"), &mut rng).seal(&masters[0], &mut rng);
        let refused = |who, master, sealed: &SealedIdentity| {
            Identity::open(name(who), master, sealed).err() == Some(KeysDamaged)
        };
        assert!(refused("ann", &masters[1], &sealed));
        assert!(refused("anne", &masters[0], &sealed));
        for at in 0..SEALED_IDENTITY {
            let mut damaged = sealed.0;
            damaged[at] ^= 1;
            assert!(refused("ann", &masters[0], &SealedIdentity(damaged)), "byte {at}");
        }
    }

    #[test]
    fn sealed_bytes_that_are_no_keys_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let master = MasterKey::random(&mut rng);
        for plain in [[0; 2 * SECRET_KEY], [0xff; 2 * SECRET_KEY]] {
            let mut sealed = [0; SEALED_IDENTITY];
            let (key, place) = (master.0.derive(IDENTITY_KEY, &[]), place(&name("ann")));
            sealed::seal_into(&key, IDENTITY_BOX, &[&place], &plain, &mut rng, &mut sealed);
            let opened = Identity::open(name("ann"), &master, &SealedIdentity(sealed));
            assert_eq!(opened.err(), Some(KeysDamaged));
        }
    }

    #[test]
    fn a_master_key_opens_under_its_export_key_and_name_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let exports = [(); 2].map(|()| Secret::random(&mut rng));
        let master = MasterKey::random(&mut rng);
        let sealed = master.seal(&name("ann"), &exports[0], &mut rng);
        let opened = MasterKey::open(&name("ann"), &exports[0], &sealed).unwrap();
        assert!(opened.expose().expose() == master.expose().expose());
        for (who, export) in [("bob", &exports[0]), ("ann", &exports[1])] {
            assert_eq!(MasterKey::open(&name(who), export, &sealed).err(), Some(KeysDamaged));
        }
    }
}
