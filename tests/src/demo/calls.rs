//! The transcript with calls: two people talk, and a third one calls one of them.

use super::stage::{Promise, Stage};
use super::texts;

const ANN: &str = "ann";
const BOB: &str = "bob";
const CID: &str = "cid";

/// Messages that ann and bob send each other before cid calls.
const BEFORE_CID: usize = 3;

/// What the transcript promises; rounds are short, since a call waits for a dial round, every fifth.
pub(super) const PROMISE: Promise =
    Promise { people: &[ANN, BOB, CID], messages: 24, calls: Some(2), round_ms: 1000 };

/// Plays all of it.
///
/// # Errors
/// At the first thing that does not happen as it should.
pub(super) fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let (to_bob, to_ann) = texts::of_ann_and_bob();
    let ((to_bob, to_bob_later), (to_ann, to_ann_later)) =
        (to_bob.split_at(BEFORE_CID), to_ann.split_at(BEFORE_CID));
    let (of_cid, to_cid) = texts::of_cid_and_bob();

    let mut server = stage.serve()?;
    stage.sign_in(server.link())?;
    let why = "bob has opened nobody and expects nobody; what ann writes waits until he accepts";
    stage.screen.heading("ann calls bob", why);
    stage.call(ANN, BOB)?;
    stage.send(ANN, BOB, to_bob)?;
    stage.accept(ANN, BOB)?;
    stage.send(BOB, ANN, to_ann)?;
    stage.answered(ANN, BOB)?;

    let why = "ann and bob talk on meanwhile; an observer sees the same bytes as ever";
    stage.screen.heading("cid, a third person, calls bob", why);
    stage.call(CID, BOB)?;
    stage.send(CID, BOB, &of_cid)?;
    stage.accept(CID, BOB)?;
    stage.send(BOB, CID, &to_cid)?;
    stage.answered(CID, BOB)?;

    let why = "bob's two conversations share his slots; all that is on its way arrives once";
    stage.screen.heading("All three go on", why);
    stage.send(ANN, BOB, to_bob_later)?;
    stage.send(BOB, ANN, to_ann_later)?;
    stage.hear_half()?;
    stage.kill_and_restart(&mut server)?;
    stage.hear_all()?;
    stage.leave(&mut server)
}
