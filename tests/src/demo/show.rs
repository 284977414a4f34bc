//! The plain transcript: a server, two people, forty messages, one SIGKILL.

use super::stage::{Promise, Stage};
use super::texts;

const ANN: &str = "ann";
const BOB: &str = "bob";

/// What the transcript promises.
pub(super) const PROMISE: Promise =
    Promise { people: &[ANN, BOB], messages: 40, calls: None, round_ms: 2000 };

/// Plays all of it.
///
/// # Errors
/// At the first thing that does not happen as it should.
pub(super) fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let mut server = stage.serve()?;
    stage.sign_in(server.link())?;
    let why = "from now on an observer sees the same bytes as before: they were always sent";
    stage.screen.heading("They open each other and send 20 messages each way, all at once", why);
    for (from, to, texts) in [(ANN, BOB, texts::of_ann()), (BOB, ANN, texts::of_bob())] {
        stage.client(from)?.open(to)?;
        stage.send(from, to, &texts)?;
    }
    stage.hear_half()?;
    stage.kill_and_restart(&mut server)?;
    stage.hear_all()?;
    stage.leave(&mut server)
}
