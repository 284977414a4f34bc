//! What goes wrong on a disk, when it is asked to.

use super::state::DiskError;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::crash) enum Fault {
    /// No space is left: a write is cut short, the next one fails.
    Full,
    /// A write fails.
    Write,
    /// A sync fails, and what it should have kept is thrown away by the system, as Linux does.
    Sync,
    /// Nothing can be changed.
    ReadOnly,
}

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::crash) struct Faults {
    /// From when on; it stays.
    pub(in crate::crash) coming: Option<Coming>,
    /// `fdatasync` says yes and does nothing.
    pub(in crate::crash) without_fdatasync: bool,
}

/// A fault that comes.
#[derive(Clone, Copy, Debug)]
pub(in crate::crash) struct Coming {
    /// What goes wrong.
    pub(in crate::crash) fault: Fault,
    /// Bytes that can still be written, for [`Fault::Full`]; else writes or syncs that still work.
    pub(in crate::crash) after: usize,
}

impl Faults {
    /// A name or an attribute is changed.
    pub(super) fn change(&self) -> Result<(), DiskError> {
        match self.coming {
            Some(Coming { fault: fault @ (Fault::ReadOnly | Fault::Full), after: 0 }) => {
                Err(DiskError::Fault(fault))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// So many bytes are written; returns how many are taken.
    pub(super) fn write(&mut self, bytes: usize) -> Result<usize, DiskError> {
        let Some(Coming { fault, after }) = &mut self.coming else { return Ok(bytes) };
        match fault {
            Fault::Full => {
                let taken = bytes.min(*after);
                *after -= taken;
                if taken == 0 && bytes > 0 { Err(DiskError::Fault(*fault)) } else { Ok(taken) }
            }
            Fault::Write | Fault::ReadOnly => match after.checked_sub(1) {
                Some(left) => {
                    *after = left;
                    Ok(bytes)
                }
                None => Err(DiskError::Fault(*fault)),
            },
            Fault::Sync => Ok(bytes),
        }
    }

    /// Something is synced; returns whether that has an effect.
    pub(super) fn sync(&mut self, only_data: bool) -> Result<bool, DiskError> {
        if let Some(Coming { fault: fault @ Fault::Sync, after }) = &mut self.coming {
            *after = match after.checked_sub(1) {
                Some(left) => left,
                None => return Err(DiskError::Fault(*fault)),
            };
        }
        Ok(!(only_data && self.without_fdatasync))
    }
}
