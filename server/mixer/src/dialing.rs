//! Dialing: invitations and wake-ups that seats have deposited and buckets have not given out yet.
//!
//! Knows nothing of layers, rounds or conversations. A seat has one thing here at most, and one place in
//! the one order of all: so however often it calls, it stands in front of everybody else once.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use thiserror::Error;
use wire::codec::Wire;
use wire::dial::{BUCKETS_MAX, Dial, DialReply, SealedInvitation, WakeUp, bucket_of};
use wire::ids::AccountIndex;
use wire::size::{CELL, WAKE_UPS};

use crate::order::shuffle;
use crate::seat::Seat;

/// Most buckets that one thing waits in after the buckets doubled around it, four times over; with more
/// it is dropped, and its seat deposits it anew.
pub const COPIES_MAX: usize = 16;

/// What waits for the next dial rounds, one thing for a seat at most.
pub struct Dialing {
    buckets: u32,
    /// By place, the longest waiting first.
    waiting: BTreeMap<u64, Waiting>,
    /// The place of each seat that has one.
    places: BTreeMap<Seat, u64>,
    next_place: u64,
}

/// A dial names a bucket that there is not; it counts as cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there are {buckets} buckets, and not number {found}")]
pub struct NoSuchBucket {
    /// Buckets that there are.
    pub buckets: u32,
    /// Bucket that was named.
    pub found: u32,
}

/// The replies of one dial round, 480 bytes for every bucket that has a reader.
pub struct Given {
    buckets: u32,
    cells: BTreeMap<u32, [u8; CELL]>,
}

impl Dialing {
    /// Makes an empty queue with one bucket.
    pub fn new() -> Self {
        Self { buckets: 1, waiting: BTreeMap::new(), places: BTreeMap::new(), next_place: 0 }
    }

    /// Sets how many buckets there are from now on; what waits in a bucket that is divided waits in all
    /// that it became.
    ///
    /// # Panics
    /// If they become fewer, or are no power of two up to [`BUCKETS_MAX`], which are bugs of the caller.
    pub fn set_buckets(&mut self, buckets: u32) {
        assert!(buckets.is_power_of_two() && buckets <= BUCKETS_MAX, "buckets double");
        assert!(buckets >= self.buckets, "buckets are never merged");
        let (before, parts) = (self.buckets, buckets / self.buckets);
        self.buckets = buckets;
        if parts == 1 {
            return;
        }
        let Self { waiting, places, .. } = self;
        waiting.retain(|_, thing| {
            let kept = thing.buckets.len() * parts as usize <= COPIES_MAX;
            if kept {
                let divide = |&bucket: &u32| (0..parts).map(move |part| bucket + part * before);
                thing.buckets = thing.buckets.iter().flat_map(divide).collect();
            } else {
                places.remove(&thing.seat);
            }
            kept
        });
    }

    /// Takes what a seat deposits. Cover changes nothing; anything else takes the place of what the seat
    /// has waiting, or else the last one.
    ///
    /// # Errors
    /// [`NoSuchBucket`]: it counts as cover.
    pub fn deposit(&mut self, seat: Seat, dial: Dial) -> Result<(), NoSuchBucket> {
        let (bucket, call) = match dial {
            Dial::Cover => return Ok(()),
            Dial::Invitation { bucket, invitation } => {
                (bucket, Call::Invitation(Box::new(invitation)))
            }
            Dial::WakeUp { bucket, token } => (bucket, Call::WakeUp(token)),
        };
        if bucket >= self.buckets {
            return Err(NoSuchBucket { buckets: self.buckets, found: bucket });
        }
        let place = *self.places.entry(seat).or_insert_with(|| {
            self.next_place += 1;
            self.next_place
        });
        self.waiting.insert(place, Waiting { seat, call, buckets: vec![bucket] });
        Ok(())
    }

    /// Forgets what a seat has waiting.
    pub fn leave(&mut self, seat: Seat) {
        if let Some(place) = self.places.remove(&seat) {
            self.waiting.remove(&place);
        }
    }

    /// Returns how many seats have something waiting.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Tells whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Has each bucket give out one invitation and 15 wake-ups, those that wait longest, whether or not
    /// an account of the bucket is among `readers`, which are account indices.
    ///
    /// Places that are left are noise, made once a bucket; wake-ups stand in no order, so that none says
    /// how many waited before it.
    pub fn give_out(
        &mut self,
        readers: impl Iterator<Item = AccountIndex>,
        rng: &mut impl CryptoRngCore,
    ) -> Given {
        let mut called = self.called();
        let buckets = self.buckets;
        let read: BTreeSet<_> = readers.map(|reader| bucket_of(reader, buckets)).collect();
        let reply = |bucket| {
            let mut reply = DialReply::noise(rng);
            let Called { invitation, wake_ups } = called.remove(&bucket).unwrap_or_default();
            if let Some(invitation) = invitation {
                reply.invitation = *invitation;
            }
            for (place, token) in reply.wake_ups.iter_mut().zip(wake_ups) {
                *place = token;
            }
            shuffle(&mut reply.wake_ups, rng);
            let mut cell = [0; CELL];
            reply.encode_into(&mut cell);
            (bucket, cell)
        };
        Given { buckets, cells: read.into_iter().map(reply).collect() }
    }

    /// Takes out what is given out.
    fn called(&mut self) -> BTreeMap<u32, Called> {
        let mut called = BTreeMap::<u32, Called>::new();
        let Self { waiting, places, .. } = self;
        waiting.retain(|_, Waiting { seat, call, buckets }| {
            buckets.retain(|bucket| !called.entry(*bucket).or_default().takes(call));
            if buckets.is_empty() {
                places.remove(seat);
            }
            !buckets.is_empty()
        });
        called
    }
}

impl Default for Dialing {
    fn default() -> Self {
        Self::new()
    }
}

impl Given {
    /// Returns the reply of an account that was among the readers.
    ///
    /// # Panics
    /// If it was not, which is a bug of the caller.
    pub fn to(&self, reader: AccountIndex) -> &[u8; CELL] {
        let bucket = bucket_of(reader, self.buckets);
        self.cells.get(&bucket).expect("the bucket of every reader has a reply")
    }
}

/// What one seat waits with, in every bucket that has not given it out yet.
struct Waiting {
    seat: Seat,
    call: Call,
    buckets: Vec<u32>,
}

enum Call {
    Invitation(Box<SealedInvitation>),
    WakeUp(WakeUp),
}

/// What one bucket gives out.
#[derive(Default)]
struct Called {
    invitation: Option<Box<SealedInvitation>>,
    wake_ups: Vec<WakeUp>,
}

impl Called {
    /// Takes a call unless all places for its kind are taken.
    fn takes(&mut self, call: &Call) -> bool {
        match call {
            Call::Invitation(_) if self.invitation.is_some() => false,
            Call::Invitation(invitation) => {
                self.invitation = Some(invitation.clone());
                true
            }
            Call::WakeUp(_) if self.wake_ups.len() == WAKE_UPS => false,
            Call::WakeUp(token) => {
                self.wake_ups.push(*token);
                true
            }
        }
    }
}
