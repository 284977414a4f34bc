//! People chat while processes are killed under them.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::processes::scripts::text;
use tests::processes::{MessageState, Said};

use crate::{PATIENCE, play};

const PAIRS: [(&str, &str); 3] = [("ann", "bob"), ("cleo", "dan"), ("eve", "finn")];

/// Characters of the messages of each direction, in order.
const LENGTHS: [usize; 18] =
    [1, 2, 60, 700, 1, 17, 290, 2500, 3, 1, 140, 33, 500, 8, 91, 1, 250, 5];

/// All messages of one direction arrive within this time.
const CHAT_MAX: Duration = Duration::from_secs(100);

#[test]
fn three_pairs_chat_in_many_scripts_across_two_kills_of_the_server() {
    play("pairs", |scene| {
        let everyone = PAIRS.map(|(one, other)| [one, other]).concat();
        scene.register(&everyone)?;
        let directions = PAIRS.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]);
        for (lane, (from, to)) in directions.enumerate() {
            scene.hall.client(from)?.open(to)?;
            for (place, &characters) in LENGTHS.iter().enumerate() {
                // 5 has no divisor in common with the 18 scripts: each direction has the long text
                // in another one
                scene.send(from, to, &text(place + 5 * lane + 18 * lane, characters))?;
            }
        }
        let messages = everyone.len() * LENGTHS.len();

        scene.listen(CHAT_MAX, |ledger, _, _| ledger.arrived() >= messages / 4)?;
        scene.server.kill()?;
        scene.server.restart(&scene.place)?;

        scene.listen(CHAT_MAX, |ledger, _, _| ledger.arrived() >= messages / 2)?;
        scene.server.kill()?;
        let mut covered: BTreeSet<_> = everyone.iter().map(|&name| name.to_owned()).collect();
        scene.listen(PATIENCE, |_, who, said| {
            if *said == (Said::Connection { state: "lost".into() }) {
                covered.remove(who);
            }
            covered.is_empty()
        })?;
        scene.server.restart(&scene.place)?;

        scene.hear_all(messages, CHAT_MAX)?;
        let known = scene.ledger.acknowledged();
        anyhow::ensure!(known == messages, "senders know of {known} deliveries only");
        for name in &everyone {
            scene.hall.client(name)?.quit()?;
        }
        let ends = scene.hall.ends(&everyone, PATIENCE)?;
        anyhow::ensure!(ends.values().all(|end| end.code == 0), "{ends:?}");
        Ok(())
    });
}

#[test]
fn a_client_that_is_killed_and_started_again_loses_and_doubles_nothing() {
    const MESSAGES: usize = 14;
    play("client", |scene| {
        scene.register(&["ann", "bob"])?;
        for (lane, (from, to)) in [("ann", "bob"), ("bob", "ann")].into_iter().enumerate() {
            scene.hall.client(from)?.open(to)?;
            for place in 0..MESSAGES {
                scene.send(from, to, &text(20 * lane + place, 1 + 37 * place))?;
            }
        }
        // what is queued is on disk; before that a message is only in the pipe
        let mut queued = 0;
        scene.listen(PATIENCE, |_, _, said| {
            let state = MessageState::Queued;
            queued += usize::from(matches!(said, Said::State { state: it, .. } if *it == state));
            queued == 2 * MESSAGES
        })?;
        for kill_at in [4, 8] {
            scene.listen(PATIENCE, |ledger, who, said| {
                ledger.arrived() >= kill_at && who == "ann" && matches!(said, Said::Message { .. })
            })?;
            // the answer follows all that this round brought. What is on disk and not yet printed when
            // the process dies stays in the history, where no other process looks for it.
            scene.hall.client("ann")?.status()?;
            scene.listen(PATIENCE, |_, who, said| {
                who == "ann" && matches!(said, Said::Status { .. })
            })?;
            scene.hall.kill("ann")?;
            scene.ledger.killed("ann");
            // with the profile, and nothing else: what is open and what waits stands in it
            let again = scene.person("ann")?;
            scene.start("ann", &again)?;
        }
        scene.hear_all(2 * MESSAGES, PATIENCE)
    });
}
