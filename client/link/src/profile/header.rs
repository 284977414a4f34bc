//! The header file: what is needed to get from the password to the profile key.
//!
//! ```text
//! magic 8 · version 1 · zero 3 · salt 16 · stretching 12          in clear, bound to both boxes
//! master key in a box under the stretched password 80
//! link and user in a box under the profile key 400
//! SHA-256 over all before 32                                      tells damage from a wrong password
//! ```

use rand_core::CryptoRngCore;
use wire::account::Stretching;
use wire::codec::{DecodeError, Reader, Wire, Writer};
use wire::ids::Name;
use wire::kdf::{Label, Secret, hash};
use wire::link::HOST_MAX;
use wire::sealed;
use wire::size::{BLOCK, HASH, KEY, NAME, SEALED_MASTER, SEALED_OVERHEAD};
use zeroize::Zeroizing;

use super::key::ProfileKey;
use super::{ProfileAccount, ProfileError};

const MAGIC: &[u8; 8] = b"iirsprof";
const VERSION: u8 = 1;
const MASTER: Label = Label("iirs 1 profile master key");
const ACCOUNT: Label = Label("iirs 1 profile account");
const SUM: Label = Label("iirs 1 profile header");

const ZEROS: usize = 3;
const SALT: usize = 16;
const FRONT: usize = MAGIC.len() + 1 + ZEROS + SALT + Stretching::SIZE;
/// The longest text of a link: scheme, host, port and pin.
const LINK_MAX: usize = "iirs://".len() + HOST_MAX + ":65535".len() + "/#".len() + 43;
const PLAIN_ACCOUNT: usize = (2 + LINK_MAX + NAME).next_multiple_of(BLOCK);
const SEALED_ACCOUNT: usize = PLAIN_ACCOUNT + SEALED_OVERHEAD;
const HEADER: usize = FRONT + SEALED_MASTER + SEALED_ACCOUNT + HASH;

const _: () = assert!(FRONT == 40 && SEALED_ACCOUNT == 400 && HEADER == 552);

/// The header's part in clear, 40 bytes.
pub(super) struct Front {
    pub(super) salt: [u8; SALT],
    pub(super) stretching: Stretching,
}

/// The header, 552 bytes.
pub(super) struct Header {
    pub(super) front: Front,
    master: [u8; SEALED_MASTER],
    account: [u8; SEALED_ACCOUNT],
}

impl Front {
    pub(super) fn random(stretching: Stretching, rng: &mut impl CryptoRngCore) -> Self {
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        Self { salt, stretching }
    }
}

impl Header {
    /// Seals a new profile's master key under the stretched password, and its account under its key.
    pub(super) fn seal(
        front: Front,
        stretched: &Secret,
        master: &Secret,
        key: &ProfileKey,
        account: &ProfileAccount,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, ProfileError> {
        let mut header = Self { front, master: [0; SEALED_MASTER], account: [0; SEALED_ACCOUNT] };
        let place = header.front.encode();
        let plain = encode_account(account)?;
        sealed::seal_into(stretched, MASTER, &[&place], master.expose(), rng, &mut header.master);
        sealed::seal_into(key.secret(), ACCOUNT, &[&place], &plain, rng, &mut header.account);
        Ok(header)
    }

    pub(super) fn open_master(&self, stretched: &Secret) -> Result<Secret, ProfileError> {
        let plain = sealed::open(stretched, MASTER, &[&self.front.encode()], &self.master)
            .map_err(|_| ProfileError::WrongPassword)?;
        let master: Zeroizing<[u8; KEY]> =
            Zeroizing::new((**plain).try_into().expect("the box of a key holds a key"));
        Ok(Secret::new(*master))
    }

    pub(super) fn open_account(&self, key: &ProfileKey) -> Result<ProfileAccount, ProfileError> {
        sealed::open(key.secret(), ACCOUNT, &[&self.front.encode()], &self.account)
            .map_err(|_| ProfileError::OtherMaster)
            .and_then(|plain| decode_account(&plain).ok_or(ProfileError::Damaged("account")))
    }

    /// Reads a header; a newer version is recognised whatever follows the version byte.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ProfileError> {
        let damaged = ProfileError::Damaged("header file");
        match bytes.strip_prefix(MAGIC).and_then(<[u8]>::first) {
            Some(&VERSION) => {}
            Some(&version) if version > VERSION => return Err(ProfileError::Newer),
            Some(_) | None => return Err(damaged),
        }
        <Self as Wire>::decode(bytes).map_err(|_| damaged)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        Wire::encode(self)
    }
}

impl Wire for Front {
    const SIZE: usize = FRONT;

    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(MAGIC);
        out.u8(VERSION);
        out.zeros(ZEROS);
        out.bytes(&self.salt);
        self.stretching.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if input.slice(MAGIC.len())? != MAGIC {
            return Err(DecodeError::Field("magic"));
        }
        match input.u8()? {
            VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        input.zeros(ZEROS, "zero")?;
        Ok(Self { salt: input.array()?, stretching: Stretching::read(input)? })
    }
}

impl Wire for Header {
    const SIZE: usize = HEADER;

    fn write(&self, out: &mut Writer<'_>) {
        self.front.write(out);
        out.bytes(&self.master);
        out.bytes(&self.account);
        out.bytes(&self.sum());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header =
            Self { front: Front::read(input)?, master: input.array()?, account: input.array()? };
        let sum = input.array::<HASH>()?;
        if header.sum() == sum { Ok(header) } else { Err(DecodeError::Field("sum")) }
    }
}

impl Header {
    fn sum(&self) -> [u8; HASH] {
        hash(SUM, &[&self.front.encode(), &self.master, &self.account])
    }
}

fn encode_account(account: &ProfileAccount) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
    let link = account.link.to_string();
    let length = u16::try_from(link.len()).ok().filter(|&length| usize::from(length) <= LINK_MAX);
    let length = length.ok_or(ProfileError::TooLong("link"))?;
    let mut plain = Zeroizing::new(vec![0; PLAIN_ACCOUNT]);
    let mut out = Writer::new(&mut plain);
    account.user.write(&mut out);
    out.u16(length);
    out.bytes(link.as_bytes());
    out.zeros_to_end();
    Ok(plain)
}

fn decode_account(plain: &[u8]) -> Option<ProfileAccount> {
    let mut input = Reader::new(plain);
    let user = Name::read(&mut input).ok()?;
    let length = input.u16().ok()?;
    let link = std::str::from_utf8(input.slice(usize::from(length)).ok()?).ok()?.parse().ok()?;
    input.zeros_to_end("padding").ok()?;
    Some(ProfileAccount { link, user })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(host: &str) -> Result<(Vec<u8>, Secret, ProfileKey), ProfileError> {
        let mut rng = rand_core::OsRng;
        let [stretched, master] = [1, 2].map(|byte| Secret::new([byte; KEY]));
        let front = Front::random(Stretching::STANDARD, &mut rng);
        let key = ProfileKey::new(&master, &front.salt);
        let link =
            wire::link::Link { host: host.into(), port: 65535, pin: wire::link::Pin([7; HASH]) };
        let account = ProfileAccount { link, user: "ann".parse().unwrap() };
        let header = Header::seal(front, &stretched, &master, &key, &account, &mut rng)?;
        Ok((header.encode(), stretched, key))
    }

    #[test]
    fn a_header_opens_to_what_was_sealed() {
        for host in ["h", "::1", &"h".repeat(HOST_MAX)] {
            let (bytes, stretched, key) = header(host).unwrap();
            let header = Header::decode(&bytes).unwrap();
            assert_eq!(header.open_master(&stretched).unwrap().expose(), &[2; KEY]);
            let account = header.open_account(&key).unwrap();
            assert_eq!((account.link.host.as_str(), account.user.as_str()), (host, "ann"));
        }
        let long = header(&"h".repeat(HOST_MAX + 1));
        assert!(matches!(long, Err(ProfileError::TooLong("link"))));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_an_error() {
        let (bytes, ..) = header("h").unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(matches!(
                Header::decode(&changed).err(),
                Some(ProfileError::Damaged(_) | ProfileError::Newer)
            ));
            assert!(matches!(Header::decode(&bytes[..at]).err(), Some(ProfileError::Damaged(_))));
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(matches!(Header::decode(&longer).err(), Some(ProfileError::Damaged(_))));
    }

    #[test]
    fn a_cheaper_cost_put_into_a_header_does_not_open_it() {
        let (bytes, stretched, _) = header("h").unwrap();
        let mut header = Header::decode(&bytes).unwrap();
        header.front.stretching.passes = 1;
        assert!(matches!(header.open_master(&stretched), Err(ProfileError::WrongPassword)));
    }

    #[test]
    fn a_newer_header_is_recognised_whatever_its_length() {
        let newer = [MAGIC.as_slice(), &[VERSION + 1, 9, 9]].concat();
        assert!(matches!(Header::decode(&newer), Err(ProfileError::Newer)));
        let older = [MAGIC.as_slice(), &[0, 9, 9]].concat();
        assert!(matches!(Header::decode(&older), Err(ProfileError::Damaged(_))));
    }
}
