//! Invitations: what calls somebody, and how he opens it. The layout is in [`wire::invitation`].
//!
//! ```text
//! es = ECDH(ephemeral, callee)      ss = ECDH(caller, callee)
//! box key = HKDF(es)                root = HKDF(secret of the call ‖ ss), both with all that names the call
//! ```
//!
//! A call goes out again and again until it is answered, each time under another ephemeral key: nobody but the person
//! called sees that two invitations are one call, or that one is an invitation at all.
//!
//! Whoever steals the callee's long-term key opens recorded invitations, and so learns callers and drops; what people
//! write is under the epochs, which begin with fresh keys of both sides.

use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, VerifyingKey};
use rand_core::CryptoRngCore;
use wire::codec::Wire;
use wire::dial::SealedInvitation;
use wire::directory::Record;
use wire::ids::{AccountIndex, IdentityHash, Round};
use wire::invitation::{Invitation, SEALED};
use wire::kdf::{Label, Secret, hash};
use wire::public_key::{AgreementKey, NotOnCurve};
use wire::sealed;
use wire::size::{INVITATION, INVITATION_BOX, PUBLIC_KEY, SIGNATURE};
use zeroize::Zeroizing;

use crate::identity::Identity;
use crate::wheel::{Call, Root};

const BOX_KEY: Label = Label("iirs 1 invitation key");
const BOX: Label = Label("iirs 1 invitation");
const SIGNED: Label = Label("iirs 1 invitation signature");
const ROOT: Label = Label("iirs 1 call root");

/// A call of this account that is not answered yet.
pub(crate) struct Calling {
    first: Round,
    secret: Secret,
}

impl Calling {
    /// Draws a call whose root serves from a round on.
    pub(crate) fn random(first: Round, rng: &mut impl CryptoRngCore) -> Self {
        Self { first, secret: Secret::random(rng) }
    }

    /// Returns the first round.
    pub(crate) fn first(&self) -> Round {
        self.first
    }

    /// Derives the root of the conversation with the person called.
    ///
    /// # Errors
    /// [`NotOnCurve`] if his key is not a point.
    pub(crate) fn root(&self, own: &Identity, peer: &Record) -> Result<Root, NotOnCurve> {
        let ss = own.agree(&peer.agreement)?;
        let call = Call { first: self.first, caller: own.hash() };
        Ok(root(&self.secret, &ss, call, &peer.identity()))
    }

    /// Makes an invitation to this call, which looks like no other one. `index` is the caller's place in the directory.
    ///
    /// # Errors
    /// [`NotOnCurve`] if the key of the person called is not a point.
    pub(crate) fn invite(
        &self,
        own: &Identity,
        index: AccountIndex,
        peer: &Record,
        rng: &mut impl CryptoRngCore,
    ) -> Result<SealedInvitation, NotOnCurve> {
        let invitation = Invitation {
            index,
            first: self.first,
            caller: own.hash(),
            secret: self.secret.duplicate(),
            signature: [0; SIGNATURE],
        };
        let mut plain = Zeroizing::new([0; INVITATION_BOX]);
        invitation.encode_into(&mut *plain);
        let signature: Signature = own.signing().sign(&digest(&peer.identity(), &plain));
        plain[INVITATION_BOX - SIGNATURE..].copy_from_slice(&signature.to_bytes());
        seal(&plain, peer, rng)
    }
}

/// Seals what is in an invitation for the person called, whoever says it.
pub(crate) fn seal(
    plain: &[u8; INVITATION_BOX],
    peer: &Record,
    rng: &mut impl CryptoRngCore,
) -> Result<SealedInvitation, NotOnCurve> {
    let ephemeral = AgreementKey::random(rng);
    let key = ephemeral.public();
    let called = peer.identity();
    let es = ephemeral.agree(&peer.agreement)?;
    let mut sealed = [0; SEALED];
    let box_key = es.derive(BOX_KEY, &[&key.0, &called.0]);
    sealed::seal_into(&box_key, BOX, &[&key.0, &called.0], plain, rng, &mut sealed);
    let mut padding = [0; INVITATION - PUBLIC_KEY - SEALED];
    rng.fill_bytes(&mut padding);
    Ok(SealedInvitation::new(&key, &sealed, &padding))
}

/// Makes a genuine invitation of an account at this place of the directory, for tests that call without a client.
///
/// # Errors
/// [`NotOnCurve`] if the key of the person called is not a point.
#[cfg(feature = "test")]
pub fn invitation_of(
    own: &Identity,
    index: AccountIndex,
    peer: &Record,
    first: Round,
    rng: &mut impl CryptoRngCore,
) -> Result<SealedInvitation, NotOnCurve> {
    Calling::random(first, rng).invite(own, index, peer, rng)
}

/// An invitation that opened; who sent it is not checked yet.
pub(crate) struct Opened {
    /// What it says.
    pub(crate) invitation: Invitation,
    plain: Zeroizing<[u8; INVITATION_BOX]>,
}

/// Opens an invitation; `None` if it is somebody else's, or noise.
pub(crate) fn open(own: &Identity, sealed: &SealedInvitation) -> Option<Opened> {
    let (key, sealed) = sealed.parts()?;
    let es = own.agree(&key).ok()?;
    let called = own.hash();
    let box_key = es.derive(BOX_KEY, &[&key.0, &called.0]);
    let opened = sealed::open(&box_key, BOX, &[&key.0, &called.0], sealed).ok()?;
    let plain = Zeroizing::new(<[u8; INVITATION_BOX]>::try_from(&opened[..]).ok()?);
    let invitation = Invitation::decode(&*plain).ok()?;
    Some(Opened { invitation, plain })
}

impl Opened {
    /// Checks that the record's owner made the invitation, for this account, and derives the root.
    pub(crate) fn verify(&self, own: &Identity, caller: &Record) -> Option<Root> {
        let Invitation { first, secret, signature, .. } = &self.invitation;
        if caller.identity() != self.invitation.caller || caller.verify().is_err() {
            return None;
        }
        let called = own.hash();
        let verifying = VerifyingKey::from(caller.signing.parse().ok()?);
        let signature = Signature::from_slice(signature).ok()?;
        verifying.verify(&digest(&called, &self.plain), &signature).ok()?;
        let ss = own.agree(&caller.agreement).ok()?;
        let call = Call { first: *first, caller: self.invitation.caller };
        Some(root(secret, &ss, call, &called))
    }
}

/// What the caller signs: who is called, and everything in the box before the signature.
fn digest(called: &IdentityHash, plain: &[u8; INVITATION_BOX]) -> [u8; 32] {
    hash(SIGNED, &[&called.0, Invitation::signed_part(plain)])
}

fn root(secret: &Secret, ss: &Secret, call: Call, called: &IdentityHash) -> Root {
    let shared = Zeroizing::new([*secret.expose(), *ss.expose()].concat());
    let first = call.first.0.to_le_bytes();
    let context: [&[u8]; 3] = [&call.caller.0, &called.0, &first];
    Root::of_call(call, &Secret::extract(&[], &shared, ROOT, &context))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::keys::Ends;

    struct People {
        rng: ChaCha20Rng,
        ann: Identity,
        bob: Identity,
        cid: Identity,
    }

    fn people() -> People {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let [ann, bob, cid] =
            ["ann", "bob", "cid"].map(|name| Identity::random(name.parse().unwrap(), &mut rng));
        People { rng, ann, bob, cid }
    }

    impl People {
        fn ann_calls_bob(&mut self) -> (SealedInvitation, Root) {
            let calling = Calling::random(Round(100), &mut self.rng);
            let root = calling.root(&self.ann, self.bob.record()).unwrap();
            (self.invite(&calling), root)
        }

        fn invite(&mut self, calling: &Calling) -> SealedInvitation {
            let (own, peer) = (&self.ann, self.bob.record());
            calling.invite(own, AccountIndex(0), peer, &mut self.rng).unwrap()
        }
    }

    fn drop_at(mut root: Root, own: &Identity, peer: &Identity) -> [u8; 16] {
        let ends = Ends { own: own.hash(), peer: peer.hash() };
        root.turn(Round(107), &ends).unwrap();
        root.key(Round(107)).unwrap().drop_id().0
    }

    #[test]
    fn both_sides_of_a_call_find_the_same_drop() {
        let mut people = people();
        let (sealed, at_ann) = people.ann_calls_bob();
        let People { ann, bob, .. } = &people;
        let opened = open(bob, &sealed).unwrap();
        assert_eq!(opened.invitation.index, AccountIndex(0));
        assert_eq!(opened.invitation.first, Round(100));
        assert!(opened.invitation.caller == ann.hash());
        let at_bob = opened.verify(bob, ann.record()).unwrap();
        assert_eq!(at_ann.call(), at_bob.call());
        assert_eq!(drop_at(at_ann, ann, bob), drop_at(at_bob, bob, ann));
    }

    #[test]
    fn two_calls_have_two_roots() {
        let mut people = people();
        let (_, first) = people.ann_calls_bob();
        let (_, second) = people.ann_calls_bob();
        let People { ann, bob, .. } = &people;
        assert_ne!(drop_at(first, ann, bob), drop_at(second, ann, bob));
    }

    #[test]
    fn a_call_goes_out_again_without_one_block_that_is_the_same() {
        let mut people = people();
        let calling = Calling::random(Round(100), &mut people.rng);
        let [first, second] = [(); 2].map(|()| people.invite(&calling));
        let blocks = |sealed: &SealedInvitation| sealed.0.chunks(16).map(<[u8]>::to_vec).collect();
        let (first_blocks, second_blocks): (Vec<_>, Vec<_>) = (blocks(&first), blocks(&second));
        assert!(first_blocks.iter().all(|block| !second_blocks.contains(block)));
        let People { ann, bob, .. } = &people;
        let root = |sealed| open(bob, sealed).unwrap().verify(bob, ann.record()).unwrap();
        let drops = [&first, &second].map(|sealed| drop_at(root(sealed), bob, ann));
        assert_eq!(drops[0], drops[1], "it is one call");
    }

    #[test]
    fn nobody_else_opens_it_and_no_changed_byte_passes() {
        let mut people = people();
        let (sealed, _) = people.ann_calls_bob();
        let People { ann, bob, cid, rng } = &mut people;
        assert!(open(cid, &sealed).is_none() && open(ann, &sealed).is_none());
        assert!(open(bob, &SealedInvitation::noise(rng)).is_none());
        for at in 0..PUBLIC_KEY + SEALED {
            let mut changed = sealed;
            changed.0[at] ^= 1;
            assert!(open(bob, &changed).is_none(), "byte {at}");
        }
        let mut padded = sealed;
        padded.0[INVITATION - 1] ^= 1;
        assert!(open(bob, &padded).is_some(), "padding says nothing");
    }

    #[test]
    fn who_is_called_cannot_pass_the_call_on_in_the_callers_name() {
        let mut people = people();
        let (sealed, _) = people.ann_calls_bob();
        let People { ann, bob, cid, rng } = &mut people;
        let opened = open(bob, &sealed).unwrap();
        // bob seals what ann signed for him once more, for cid
        let ephemeral = AgreementKey::random(rng);
        let (key, called) = (ephemeral.public(), cid.hash());
        let es = ephemeral.agree(&cid.record().agreement).unwrap();
        let box_key = es.derive(BOX_KEY, &[&key.0, &called.0]);
        let mut box_ = [0; SEALED];
        sealed::seal_into(&box_key, BOX, &[&key.0, &called.0], &*opened.plain, rng, &mut box_);
        let forged = SealedInvitation::new(&key, &box_, &[0; 15]);
        assert!(open(cid, &forged).unwrap().verify(cid, ann.record()).is_none());
    }

    #[test]
    fn the_record_must_be_that_of_the_caller() {
        let mut people = people();
        let (sealed, _) = people.ann_calls_bob();
        let People { bob, cid, .. } = &people;
        assert!(open(bob, &sealed).unwrap().verify(bob, cid.record()).is_none());
    }
}
