//! Restore notices: what a server that was put back from a backup says of it, signed by its root key.

use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::directory::Head;
use crate::kdf::Label;
use crate::size;

/// The latest time in a notice, in milliseconds since 1970: the year 10889. What clients count from it stays far
/// below what a number holds.
pub const RESTORE_MS_MAX: u64 = (1 << 48) - 1;

const RESTORES: Label = Label("iirs 1 restore notices");

/// One restore, 52 bytes: up to where the server knows its past again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreNotice {
    /// When the backup was made, in milliseconds since 1970.
    pub backed_up_ms: u64,
    /// When it was put back, in milliseconds since 1970; later for each further restore.
    pub restored_ms: u64,
    /// Records that the directory had in the backup.
    pub length: u32,
    /// Head of the directory at that length.
    pub head: Head,
}

/// The restores of a server, at most four, the oldest first.
///
/// A later one is of a backup that has the earlier ones in it, so the directory is as long there or longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restores {
    /// One notice for each.
    pub notices: Vec<RestoreNotice>,
    /// ECDSA by the server's root key over [`restores_signed`].
    pub signature: [u8; size::SIGNATURE],
}

/// Returns what the server's root key signs: all notices, be there one or none.
pub fn restores_signed(notices: &[RestoreNotice]) -> Vec<u8> {
    let count = u8::try_from(notices.len()).unwrap_or(u8::MAX);
    let mut signed = [RESTORES.0.as_bytes(), &[count]].concat();
    signed.extend(notices.iter().flat_map(RestoreNotice::encode));
    signed
}

impl Wire for RestoreNotice {
    const SIZE: usize = size::RESTORE_NOTICE;

    fn write(&self, out: &mut Writer<'_>) {
        out.u64(self.backed_up_ms);
        out.u64(self.restored_ms);
        out.u32(self.length);
        self.head.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let notice = Self {
            backed_up_ms: input.u64()?,
            restored_ms: input.u64()?,
            length: input.u32()?,
            head: Head::read(input)?,
        };
        if notice.backed_up_ms.max(notice.restored_ms) > RESTORE_MS_MAX {
            return Err(DecodeError::Field("time of a restore"));
        }
        Ok(notice)
    }
}

impl Restores {
    /// Returns those that a client does not know which was told of all up to `restored_ms`.
    pub fn after(&self, restored_ms: u64) -> &[RestoreNotice] {
        let known = self.notices.partition_point(|notice| notice.restored_ms <= restored_ms);
        &self.notices[known..]
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        let count = u8::try_from(self.notices.len()).expect("a session has at most four notices");
        assert!(usize::from(count) <= size::RESTORES_MAX, "a session has at most four notices");
        out.u8(count);
        out.bytes(&self.signature);
        for notice in &self.notices {
            notice.write(out);
        }
    }

    /// Reads the notices of a directory of `length` records.
    pub(crate) fn read(input: &mut Reader<'_>, length: u32) -> Result<Self, DecodeError> {
        let count = usize::from(input.u8()?);
        if count > size::RESTORES_MAX {
            return Err(DecodeError::Field("restores"));
        }
        let signature = input.array()?;
        let notices = (0..count).map(|_| RestoreNotice::read(input));
        let notices = notices.collect::<Result<Vec<_>, _>>()?;
        let follows = |[one, next]: &[RestoreNotice; 2]| {
            one.restored_ms < next.restored_ms && one.length <= next.length
        };
        let in_order = notices.array_windows().all(follows);
        if !in_order || notices.last().is_some_and(|last| last.length > length) {
            return Err(DecodeError::Field("order of restores"));
        }
        Ok(Self { notices, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(restored_ms: u64, length: u32) -> RestoreNotice {
        RestoreNotice { backed_up_ms: 5, restored_ms, length, head: Head([1; size::HASH]) }
    }

    fn read(notices: &[RestoreNotice], length: u32) -> Result<Restores, DecodeError> {
        let restores = Restores { notices: notices.to_vec(), signature: [2; size::SIGNATURE] };
        let mut bytes = vec![0; 1 + size::SIGNATURE + notices.len() * size::RESTORE_NOTICE];
        restores.write(&mut Writer::new(&mut bytes));
        Restores::read(&mut Reader::new(&bytes), length)
    }

    #[test]
    fn what_is_signed_binds_every_field_and_how_many_there_are() {
        let one = notice(9, 3);
        let signed = restores_signed(&[one]);
        let others = [
            vec![],
            vec![one, one],
            vec![RestoreNotice { backed_up_ms: 6, ..one }],
            vec![notice(8, 3)],
            vec![notice(9, 4)],
            vec![RestoreNotice { head: Head([2; size::HASH]), ..one }],
        ];
        assert!(others.iter().all(|other| restores_signed(other) != signed));
    }

    #[test]
    fn restores_follow_one_another_and_end_in_the_directory() {
        let order = Err(DecodeError::Field("order of restores"));
        for (notices, length, fits) in [
            (&[][..], 0, true),
            (&[notice(9, 3)], 3, true),
            (&[notice(9, 4)], 3, false),
            (&[notice(9, 3), notice(10, 3)], 3, true),
            (&[notice(9, 3), notice(9, 3)], 3, false),
            (&[notice(9, 3), notice(8, 3)], 3, false),
            (&[notice(9, 3), notice(10, 2)], 3, false),
            (&[notice(RESTORE_MS_MAX, 3)], 3, true),
        ] {
            let read = read(notices, length);
            assert_eq!(read.is_ok(), fits, "{notices:?}");
            assert!(fits || read == order, "{read:?}");
        }
        let late = Err(DecodeError::Field("time of a restore"));
        assert_eq!(read(&[notice(RESTORE_MS_MAX + 1, 3)], 3), late);
    }

    #[test]
    fn a_client_hears_of_those_it_does_not_know() {
        let notices = [notice(9, 3), notice(12, 3), notice(20, 5)];
        let restores = read(&notices, 5).unwrap();
        for (known, news) in [(0, 0), (8, 0), (9, 1), (11, 1), (12, 2), (20, 3), (u64::MAX, 3)] {
            assert_eq!(restores.after(known), &notices[news..], "{known}");
        }
    }
}
