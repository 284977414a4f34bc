//! How a row lies in the database: version byte, length, bincode, zeros, all in a sealed box.
//!
//! A box is 512 bytes, or 1, 2, 4, 8, 16 or 32 KiB long, whichever fits: a short message, a record
//! and the token look alike, and of a longer one only the power of two shows. Boxes of the directory, which is
//! public, are as long as what is in them.

use bincode::Options;
use rand_core::OsRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::kdf::{Label, Secret};
use wire::sealed;
use wire::size::{BLOCK, SEALED_OVERHEAD};
use zeroize::Zeroizing;

use super::ProfileError;

const VALUE: Label = Label("iirs 1 profile value");
const VERSION: u8 = 1;
/// Version byte and length.
const PREFIX: usize = 1 + 4;
const BOX_MIN: usize = 512;
/// The longest box: a text of 16 KiB with its label and what belongs to it.
const BOX_MAX: usize = 32 * 1024;
/// The most bytes of bincode in a value.
const BODY_MAX: usize = BOX_MAX - SEALED_OVERHEAD - PREFIX;

/// What a box shows of the length of its row.
#[derive(Clone, Copy)]
pub(super) enum Padding {
    /// The power of two.
    PowerOfTwo,
    /// The number of 16-byte blocks.
    Block,
}

impl Padding {
    /// Returns the size of the box of so many bytes.
    fn size(self, plain: usize) -> usize {
        match self {
            Self::PowerOfTwo => (plain + SEALED_OVERHEAD).next_power_of_two().max(BOX_MIN),
            Self::Block => plain.next_multiple_of(BLOCK) + SEALED_OVERHEAD,
        }
    }
}

/// Seals a row for one place: the table's tag and the key, whose length the tag fixes.
pub(super) fn seal<R: Serialize>(
    key: &Secret,
    place: [&[u8]; 2],
    row: &R,
    padding: Padding,
) -> Result<Vec<u8>, ProfileError> {
    let too_long = ProfileError::TooLong("entry");
    let Ok(body) = options().serialize(row).map(Zeroizing::new) else { return Err(too_long) };
    let length = u32::try_from(body.len()).expect("the limit is far below 4 GiB");
    let size = padding.size(PREFIX + body.len());
    let mut plain = Zeroizing::new(vec![0; size - SEALED_OVERHEAD]);
    plain[0] = VERSION;
    plain[1..PREFIX].copy_from_slice(&length.to_le_bytes());
    plain[PREFIX..PREFIX + body.len()].copy_from_slice(&body);
    Ok(sealed::seal(key, VALUE, &place, &plain, &mut OsRng))
}

/// Opens the row at one place; nothing where anything about it is not as it was sealed.
pub(super) fn open<R: DeserializeOwned>(
    key: &Secret,
    place: [&[u8]; 2],
    value: &[u8],
) -> Option<R> {
    let plain = sealed::open(key, VALUE, &place, value).ok()?;
    let (prefix, rest) = plain.split_first_chunk::<PREFIX>()?;
    let [VERSION, length @ ..] = *prefix else { return None };
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    let (body, padding) = rest.split_at_checked(length)?;
    if padding.iter().any(|&byte| byte != 0) {
        return None;
    }
    options().deserialize(body).ok()
}

fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(BODY_MAX as u64)
        .reject_trailing_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDED: Padding = Padding::PowerOfTwo;

    fn key() -> Secret {
        Secret::new([1; 32])
    }

    #[test]
    fn boxes_come_in_seven_sizes_and_open() {
        for (length, size) in [
            (0, 512),
            (451, 512),
            (452, 1024),
            (2500, 4096),
            (16 * 1024, 32 * 1024),
            (BODY_MAX - 8, BOX_MAX),
        ] {
            let text = "x".repeat(length);
            let sealed = seal(&key(), [b"t", b"k"], &text, ROUNDED).unwrap();
            assert_eq!(sealed.len(), size);
            assert!(open::<String>(&key(), [b"t", b"k"], &sealed) == Some(text));
        }
        let long = seal(&key(), [b"t", b"k"], &"x".repeat(BODY_MAX - 7), ROUNDED);
        assert!(matches!(long, Err(ProfileError::TooLong(_))));
    }

    #[test]
    fn a_box_of_the_directory_is_as_long_as_its_row() {
        for (length, size) in [(0, 64), (3, 64), (4, 80), (3944, 4016)] {
            let text = "x".repeat(length);
            let sealed = seal(&key(), [b"t", b"k"], &text, Padding::Block).unwrap();
            assert_eq!(sealed.len(), size, "{length}");
            assert!(open::<String>(&key(), [b"t", b"k"], &sealed) == Some(text));
        }
    }

    #[test]
    fn another_place_type_or_version_does_not_open() {
        let sealed = seal(&key(), [b"t", b"k"], &7u64, ROUNDED).unwrap();
        assert_eq!(open::<u64>(&key(), [b"t", b"k"], &sealed), Some(7));
        assert_eq!(open::<u64>(&key(), [b"t", b"l"], &sealed), None);
        assert_eq!(open::<u64>(&key(), [b"u", b"k"], &sealed), None);
        assert_eq!(open::<u32>(&key(), [b"t", b"k"], &sealed), None);
        assert_eq!(open::<String>(&key(), [b"t", b"k"], &sealed), None);
        let mut plain = sealed::open(&key(), VALUE, &[b"t", b"k"], &sealed).unwrap();
        for at in [0, 1, 4, plain.len() - 1] {
            plain[at] ^= 0x80;
            let changed = sealed::seal(&key(), VALUE, &[b"t", b"k"], &plain, &mut OsRng);
            assert_eq!(open::<u64>(&key(), [b"t", b"k"], &changed), None);
            plain[at] ^= 0x80;
        }
    }
}
