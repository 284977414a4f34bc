//! The vault: contacts, marks and blocks, sealed at the server for this account's other machines.

use std::collections::BTreeMap;
use std::fmt;

use rand_core::CryptoRngCore;
use thiserror::Error;
use wire::codec::{DecodeError, Reader, Wire, Writer};
use wire::ids::{AccountIndex, IdentityHash, Name};
use wire::kdf::{Label, Secret};
use wire::sealed;
use wire::size::{CONTROL_BODY, SEALED_OVERHEAD, VAULT, VAULT_PARTS};
use zeroize::Zeroizing;

use crate::identity::MasterKey;
use crate::record::Unsaved;

const VAULT_KEY: Label = Label("iirs 1 vault key");
const VAULT_BOX: Label = Label("iirs 1 vault");

/// Entries of the fullest vault.
pub const VAULT_ENTRIES_MAX: usize = 120;

/// Vault before it is sealed, bytes.
pub(crate) const PLAIN: usize = VAULT - SEALED_OVERHEAD;

/// Control frames that carry a vault.
const PARTS: usize = VAULT_PARTS as usize;

/// What is written here, the first byte of every vault.
const FORMAT: u8 = 1;

/// Bytes of an identity that the vault holds.
const SHORT_IDENTITY: usize = 20;

const HEADER: usize = 1 + 1 + 2 + 8;
const ENTRY: usize = 4 + SHORT_IDENTITY + 1;

const FLAG_VERIFIED: u8 = 1;
const FLAG_BLOCKED: u8 = 2;

const _: () = assert!(PLAIN == 3024 && PLAIN.is_multiple_of(wire::size::BLOCK));
const _: () = assert!(HEADER + VAULT_ENTRIES_MAX * ENTRY <= PLAIN);

/// The key under which an account's vault is sealed, derived from its master key.
pub struct VaultKey(Secret);

/// First 20 bytes of an identity's hash: what the vault knows a contact by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortIdentity(pub [u8; SHORT_IDENTITY]);

/// What the vault says of a contact.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VaultEntry {
    /// Place of the contact's record in the directory; the record there counts only if it has the entry's identity.
    pub index: AccountIndex,
    /// Whether safety numbers were compared.
    pub verified: bool,
    /// Whether he is blocked.
    pub blocked: bool,
}

/// Contacts and blocked people of an account, at most [`VAULT_ENTRIES_MAX`].
#[derive(Clone, PartialEq, Eq)]
pub struct Vault {
    /// Counts what was stored: each vault has a higher one than that before it; 0 before the first.
    pub version: u64,
    entries: BTreeMap<ShortIdentity, VaultEntry>,
}

/// A vault as the server keeps it, 3,072 bytes whatever it holds.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedVault(Box<[u8; VAULT]>);

/// What became of the server's vault and the changes on this machine.
pub struct Merged {
    /// Both together, with the version of the server's.
    pub vault: Vault,
    /// Who was new on this machine and found no place any more.
    pub left_out: Vec<ShortIdentity>,
}

/// There is no place for one more entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{VAULT_ENTRIES_MAX} contacts and blocked people are all that fit; forget somebody first")]
pub struct VaultFull;

/// Why a sealed vault is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VaultError {
    /// It was changed, belongs to another account, or has another version than the server says.
    #[error(
        "the contacts that the server keeps do not open: they were damaged or exchanged there; ask its operator \
         why; what this machine knows of your contacts stays as it is"
    )]
    Damaged,
    /// It opens and is of another format.
    #[error(
        "the contacts that the server keeps were written by another version of this program (format {0}); use \
         that one here too"
    )]
    Format(u8),
    /// It opens and is not what this program writes.
    #[error(
        "the contacts that the server keeps were written wrongly, by a program with a mistake; use the newest one \
         on all your machines; what this machine knows of your contacts stays as it is"
    )]
    Malformed,
}

impl Vault {
    /// Begins an empty vault.
    pub fn new(version: u64) -> Self {
        Self { version, entries: BTreeMap::new() }
    }

    /// Returns all entries.
    pub fn entries(&self) -> &BTreeMap<ShortIdentity, VaultEntry> {
        &self.entries
    }

    /// Sets an entry.
    ///
    /// # Errors
    /// [`VaultFull`] if it is a new one too many.
    pub fn insert(&mut self, who: ShortIdentity, entry: VaultEntry) -> Result<(), VaultFull> {
        if self.entries.len() == VAULT_ENTRIES_MAX && !self.entries.contains_key(&who) {
            return Err(VaultFull);
        }
        self.entries.insert(who, entry);
        Ok(())
    }

    /// Takes an entry out, if it is there.
    pub fn remove(&mut self, who: &ShortIdentity) {
        self.entries.remove(who);
    }

    /// Seals the vault for its account and version.
    pub fn seal(&self, key: &VaultKey, name: &Name, rng: &mut impl CryptoRngCore) -> SealedVault {
        let mut plain = Zeroizing::new([0; PLAIN]);
        self.write(&mut *plain);
        SealedVault::of(&plain, key, &place(name, self.version), rng)
    }

    /// Opens what the server says is the account's vault of a version.
    ///
    /// # Errors
    /// [`VaultError`]; bytes of another length are damaged.
    pub fn open(
        key: &VaultKey,
        name: &Name,
        version: u64,
        sealed: &[u8],
    ) -> Result<Self, VaultError> {
        if sealed.len() != VAULT {
            return Err(VaultError::Damaged);
        }
        let plain = sealed::open(&key.0, VAULT_BOX, &[&place(name, version)], sealed)
            .map_err(|_| VaultError::Damaged)?;
        let format = plain[0];
        if format != FORMAT {
            return Err(VaultError::Format(format));
        }
        let vault = Self::read(&plain).map_err(|_| VaultError::Malformed)?;
        if vault.version == version { Ok(vault) } else { Err(VaultError::Malformed) }
    }

    /// Joins what another machine stored with what is unsaved here: of whom this machine changed since it stored last
    /// counts what `local` says, be it that he is in it no more; of whom a restore made unsaved, the careful word of both;
    /// of all others what the server says.
    pub fn merged(
        server: Self,
        local: &Self,
        unsaved: &BTreeMap<ShortIdentity, Unsaved>,
    ) -> Merged {
        let mut merged = Merged { vault: server, left_out: Vec::new() };
        let (kept, gone): (Vec<_>, Vec<_>) =
            unsaved.iter().partition(|(who, _)| local.entries.contains_key(who));
        gone.into_iter().for_each(|(who, _)| merged.vault.remove(who));
        for (who, unsaved) in kept {
            let here = local.entries[who];
            let entry = match (unsaved, merged.vault.entries.get(who)) {
                (Unsaved::Restored, Some(there)) => there.joined(here),
                (Unsaved::Restored, None) | (Unsaved::Changed, _) => here,
            };
            if merged.vault.insert(*who, entry).is_err() {
                merged.left_out.push(*who);
            }
        }
        merged
    }

    /// Fills the plain text.
    fn write(&self, plain: &mut [u8]) {
        let mut out = Writer::new(plain);
        out.u8(FORMAT);
        out.zeros(1);
        let count = u16::try_from(self.entries.len()).expect("at most 120 entries are let in");
        out.u16(count);
        out.u64(self.version);
        for (who, entry) in &self.entries {
            out.u32(entry.index.0);
            out.bytes(&who.0);
            let verified = if entry.verified { FLAG_VERIFIED } else { 0 };
            let blocked = if entry.blocked { FLAG_BLOCKED } else { 0 };
            out.u8(verified | blocked);
        }
        out.zeros_to_end();
        out.finish();
    }

    /// Reads the plain text, and takes only what [`Self::write`] writes.
    fn read(plain: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(plain);
        let _format = input.u8()?;
        input.zeros(1, "reserved")?;
        let count = usize::from(input.u16()?);
        if count > VAULT_ENTRIES_MAX {
            return Err(DecodeError::Field("count"));
        }
        let mut vault = Self::new(input.u64()?);
        for _ in 0..count {
            let index = AccountIndex(input.u32()?);
            let who = ShortIdentity(input.array()?);
            let flags = input.u8()?;
            if flags & !(FLAG_VERIFIED | FLAG_BLOCKED) != 0 {
                return Err(DecodeError::Field("flags"));
            }
            if vault.entries.last_key_value().is_some_and(|(before, _)| *before >= who) {
                return Err(DecodeError::Field("order"));
            }
            let verified = flags & FLAG_VERIFIED != 0;
            let blocked = flags & FLAG_BLOCKED != 0;
            vault.entries.insert(who, VaultEntry { index, verified, blocked });
        }
        input.zeros_to_end("padding")?;
        Ok(vault)
    }
}

impl VaultEntry {
    /// Joins two machines' words of one contact, of which nobody knows which is newer: he is blocked if one says so, and
    /// verified if both do.
    fn joined(self, other: Self) -> Self {
        let verified = self.verified && other.verified;
        Self { verified, blocked: self.blocked || other.blocked, ..self }
    }
}

impl VaultKey {
    /// Derives the key from the account's master key.
    pub fn of(master: &MasterKey) -> Self {
        Self(master.expose().derive(VAULT_KEY, &[]))
    }
}

impl ShortIdentity {
    /// Shortens an identity.
    pub fn of(identity: &IdentityHash) -> Self {
        let mut short = [0; SHORT_IDENTITY];
        short.copy_from_slice(&identity.0[..SHORT_IDENTITY]);
        Self(short)
    }
}

impl fmt::Debug for ShortIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortIdentity({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl SealedVault {
    /// Seals what is in a vault for its place.
    fn of(plain: &[u8; PLAIN], key: &VaultKey, place: &[u8], rng: &mut impl CryptoRngCore) -> Self {
        let mut sealed = Box::new([0; VAULT]);
        sealed::seal_into(&key.0, VAULT_BOX, &[place], plain, rng, &mut *sealed);
        Self(sealed)
    }

    /// Seals anything as another machine of this account could, one with a mistake, too.
    #[cfg(feature = "test")]
    pub(crate) fn of_any(
        plain: &[u8; PLAIN],
        key: &VaultKey,
        name: &Name,
        version: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        Self::of(plain, key, &place(name, version), rng)
    }

    /// Returns what goes into the three control frames.
    pub fn parts(&self) -> [[u8; CONTROL_BODY]; PARTS] {
        let mut parts = [[0; CONTROL_BODY]; PARTS];
        parts.as_flattened_mut().copy_from_slice(&*self.0);
        parts
    }

    /// Joins what came in three control frames.
    pub fn from_parts(parts: &[[u8; CONTROL_BODY]; PARTS]) -> Self {
        let mut sealed = Box::new([0; VAULT]);
        sealed.copy_from_slice(parts.as_flattened());
        Self(sealed)
    }
}

impl AsRef<[u8]> for SealedVault {
    fn as_ref(&self) -> &[u8] {
        &*self.0
    }
}

/// Associated data of the box: the account's name and the version, 41 bytes.
fn place(name: &Name, version: u64) -> Vec<u8> {
    [&name.encode()[..], &version.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(1)
    }

    fn key(seed: u64) -> VaultKey {
        VaultKey::of(&MasterKey::random(&mut ChaCha20Rng::seed_from_u64(seed)))
    }

    fn name(name: &str) -> Name {
        name.parse().unwrap()
    }

    /// Sorts as its number does.
    fn who(number: u8) -> ShortIdentity {
        ShortIdentity([number; SHORT_IDENTITY])
    }

    fn entry(index: u32) -> VaultEntry {
        VaultEntry { index: AccountIndex(index), verified: index & 1 != 0, blocked: index & 2 != 0 }
    }

    fn vault(version: u64, entries: impl IntoIterator<Item = (u8, u32)>) -> Vault {
        let mut vault = Vault::new(version);
        for (number, index) in entries {
            vault.insert(who(number), entry(index)).unwrap();
        }
        vault
    }

    fn of_size(size: u8) -> Vault {
        vault(7, (0..size).map(|number| (number, u32::from(number) * 1000)))
    }

    /// What opening says of a plain text that was sealed as the vault of version 7.
    fn open_plain(plain: &[u8]) -> Result<Vault, VaultError> {
        let ann = name("ann");
        let sealed = sealed::seal(&key(1).0, VAULT_BOX, &[&place(&ann, 7)], plain, &mut rng());
        Vault::open(&key(1), &ann, 7, &sealed)
    }

    fn plain(vault: &Vault) -> [u8; PLAIN] {
        let mut plain = [0; PLAIN];
        vault.write(&mut plain);
        plain
    }

    #[test]
    fn a_vault_comes_back_whole_through_its_three_parts() {
        let ann = name("ann");
        for size in [0, 1, 119, 120] {
            let sealed = of_size(size).seal(&key(1), &ann, &mut rng());
            let again = SealedVault::from_parts(&sealed.parts());
            let opened = Vault::open(&key(1), &ann, 7, again.as_ref()).ok().unwrap();
            assert!(opened == of_size(size), "{size} entries");
            assert_eq!(opened.entries().len(), usize::from(size));
        }
    }

    #[test]
    fn parts_are_the_box_in_order() {
        let sealed = of_size(3).seal(&key(1), &name("ann"), &mut rng());
        assert_eq!(sealed.parts().as_flattened(), sealed.as_ref());
        let [first, second, third] = sealed.parts();
        assert!(SealedVault::from_parts(&[second, first, third]) != sealed);
    }

    #[test]
    fn every_vault_has_one_size_and_no_box_is_made_twice() {
        let mut rng = rng();
        let mut boxes = BTreeSet::new();
        for size in [0, 1, 60, 120, 120] {
            let sealed = of_size(size).seal(&key(1), &name("ann"), &mut rng);
            assert_eq!(sealed.as_ref().len(), 3072, "{size} entries");
            assert!(boxes.insert(sealed.as_ref().to_vec()), "a fresh IV each time");
        }
    }

    #[test]
    fn one_entry_more_than_fit_is_refused_and_known_ones_still_change() {
        let mut full = of_size(120);
        assert_eq!(full.insert(who(120), entry(1)), Err(VaultFull));
        assert!(full == of_size(120));
        assert_eq!(full.insert(who(5), entry(3)), Ok(()));
        full.remove(&who(6));
        assert_eq!(full.insert(who(120), entry(1)), Ok(()));
        assert_eq!(full.entries().len(), 120);
    }

    #[test]
    fn any_changed_byte_of_the_box_is_noticed() {
        let ann = name("ann");
        let sealed = of_size(120).seal(&key(1), &ann, &mut rng());
        for at in 0..VAULT {
            let mut damaged = sealed.as_ref().to_vec();
            damaged[at] ^= 1;
            let opened = Vault::open(&key(1), &ann, 7, &damaged);
            assert_eq!(opened.err(), Some(VaultError::Damaged), "byte {at}");
        }
    }

    #[test]
    fn a_vault_opens_for_its_account_key_and_version_only() {
        let ann = name("ann");
        let sealed = of_size(2).seal(&key(1), &ann, &mut rng());
        let refused = |key: &VaultKey, name: &Name, version, sealed: &[u8]| {
            Vault::open(key, name, version, sealed).err() == Some(VaultError::Damaged)
        };
        assert!(!refused(&key(1), &ann, 7, sealed.as_ref()));
        assert!(refused(&key(2), &ann, 7, sealed.as_ref()));
        assert!(refused(&key(1), &name("anne"), 7, sealed.as_ref()));
        assert!(refused(&key(1), &ann, 6, sealed.as_ref()), "an older one under its number");
        assert!(refused(&key(1), &ann, 8, sealed.as_ref()));
        for length in [0, 47, 48, 64, VAULT - 16, VAULT - 1] {
            assert!(refused(&key(1), &ann, 7, &sealed.as_ref()[..length]), "{length} bytes");
        }
    }

    #[test]
    fn a_version_inside_that_is_not_that_of_the_box_is_refused() {
        let opened = open_plain(&plain(&vault(8, [])));
        assert_eq!(opened.err(), Some(VaultError::Malformed));
    }

    #[test]
    fn what_no_program_of_this_format_writes_is_refused() {
        let good = plain(&vault(7, [(1, 0), (2, 3)]));
        let (first, second) = (HEADER, HEADER + ENTRY);
        let last = good.len() - 1;
        assert!(open_plain(&good).is_ok());
        for (what, at, byte) in [
            ("reserved", 1, 1),
            ("fewer entries than there are", 2, 1),
            ("more entries than there are", 2, 3),
            ("more entries than fit", 2, 121),
            ("more entries than fit, the high byte", 3, 1),
            ("an unknown flag", first + ENTRY - 1, 4),
            ("the highest flag", second + ENTRY - 1, 0x83),
            ("something behind the entries", second + ENTRY, 1),
            ("something at the end", last, 1),
        ] {
            let mut bad = good;
            bad[at] = byte;
            assert_eq!(open_plain(&bad).err(), Some(VaultError::Malformed), "{what}");
        }
    }

    #[test]
    fn entries_out_of_order_or_doubled_are_refused() {
        let good = plain(&vault(7, [(1, 0), (2, 3)]));
        let entry = |number: usize| HEADER + number * ENTRY..HEADER + (number + 1) * ENTRY;
        let mut doubled = good;
        doubled.copy_within(entry(0), entry(1).start);
        assert_eq!(open_plain(&doubled).err(), Some(VaultError::Malformed));
        let mut swapped = good;
        swapped[entry(0)].copy_from_slice(&good[entry(1)]);
        swapped[entry(1)].copy_from_slice(&good[entry(0)]);
        assert_eq!(open_plain(&swapped).err(), Some(VaultError::Malformed));
    }

    #[test]
    fn another_format_is_told_as_such() {
        for format in [0, 2, 255] {
            let mut other = [0xaa; PLAIN];
            other[0] = format;
            assert_eq!(open_plain(&other).err(), Some(VaultError::Format(format)));
        }
    }

    #[test]
    fn the_plain_text_is_laid_out_as_documented() {
        let plain = plain(&vault(0x0102_0304_0506_0708, [(9, 0x0a0b_0c0d)]));
        assert_eq!(plain[..12], [1, 0, 1, 0, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(plain[12..16], [0x0d, 0x0c, 0x0b, 0x0a]);
        assert_eq!(plain[16..36], [9; 20]);
        assert_eq!(plain[36], FLAG_VERIFIED);
        assert_eq!(plain[37..], [0; PLAIN - 37]);
    }

    #[test]
    fn of_changes_on_two_machines_each_keeps_its_own() {
        let server = vault(9, [(1, 0), (2, 0), (3, 0)]);
        // since it stored: 2 blocked, 3 forgotten, 4 new; what it knows of 1 and 5 is old
        let local = vault(4, [(1, 3), (2, 2), (4, 0), (5, 0)]);
        let unsaved = [2, 3, 4, 6].map(|number| (who(number), Unsaved::Changed)).into();
        let merged = Vault::merged(server, &local, &unsaved);
        assert!(merged.vault == vault(9, [(1, 0), (2, 2), (4, 0)]));
        assert_eq!(merged.left_out, []);
    }

    #[test]
    fn of_whom_a_restore_made_unsaved_the_careful_word_counts() {
        // 0 nothing, 1 verified, 2 blocked; the last one is in no vault at the server
        let server = vault(9, [(1, 0), (2, 2), (3, 2), (4, 0), (5, 1), (6, 1)]);
        let local = vault(4, [(1, 2), (2, 0), (3, 1), (4, 1), (5, 0), (6, 1), (7, 2)]);
        let unsaved = [1, 2, 3, 4, 5, 6, 7].map(|number| (who(number), Unsaved::Restored)).into();
        let merged = Vault::merged(server, &local, &unsaved).vault;
        let marks = merged.entries.values().map(|it| (it.verified, it.blocked));
        let (nothing, verified, blocked) = ((false, false), (true, false), (false, true));
        assert!(marks.eq([blocked, blocked, blocked, nothing, nothing, verified, blocked]));
    }

    #[test]
    fn what_does_not_fit_after_a_merge_is_named_and_all_else_is_there() {
        let server = of_size(120);
        let local = vault(3, [(5, 2), (200, 0), (201, 0)]);
        let unsaved = [5, 6, 200, 201].map(|number| (who(number), Unsaved::Changed)).into();
        let merged = Vault::merged(server, &local, &unsaved);
        assert_eq!(merged.left_out, [who(201)]);
        assert_eq!(merged.vault.entries().len(), 120);
        assert!(merged.vault.entries()[&who(5)] == entry(2), "a change needs no place");
        assert!(!merged.vault.entries().contains_key(&who(6)));
        assert!(merged.vault.entries().contains_key(&who(200)), "in the place that 6 left");
    }

    #[test]
    fn a_short_identity_is_the_beginning_and_tells_little_in_debug() {
        let mut hash = IdentityHash([7; 32]);
        hash.0[20..].fill(9);
        assert!(ShortIdentity::of(&hash) == who(7));
        assert_eq!(format!("{:?}", who(7)), "ShortIdentity(0707…)");
    }
}
