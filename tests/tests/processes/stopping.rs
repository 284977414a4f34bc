//! How programs end when they are asked to.

use std::time::Duration;

use tests::processes::Said;

use crate::{PATIENCE, play};

/// The time that the manual promises.
const PROMISED: Duration = Duration::from_secs(5);

#[test]
fn a_server_told_to_stop_does_so_in_time_and_its_clients_come_back() {
    play("sigterm", |scene| {
        scene.register(&["ann"])?;
        let is = |wanted: &'static str| {
            move |_: &str, said: &Said| {
                matches!(said, Said::Connection { state } if state == wanted).then_some(())
            }
        };
        scene.hall.until(PATIENCE, is("connected"))?;
        let status = scene.server.stop(PROMISED)?;
        anyhow::ensure!(status.code() == Some(0), "{status}");
        scene.hall.until(PATIENCE, is("lost"))?;
        scene.server.restart(&scene.place)?;
        scene.hall.until(PATIENCE, is("resumed"))
    });
}

#[test]
fn quit_and_sigterm_end_a_client_in_time_even_while_much_is_queued_for_nobody() {
    play("quit", |scene| {
        scene.register(&["ann", "bob", "cleo"])?;
        for (from, to) in [("ann", "cleo"), ("bob", "cleo")] {
            scene.hall.client(from)?.open(to)?;
            scene.send(from, to, "nobody opens me")?;
        }
        scene.hall.client("ann")?.quit()?;
        scene.hall.client("bob")?.terminate()?;
        let ends = scene.hall.ends(&["ann", "bob"], PROMISED)?;
        anyhow::ensure!(ends.values().all(|end| end.code == 0), "{ends:?}");
        Ok(())
    });
}

#[test]
fn a_client_whose_server_is_away_still_quits_in_time() {
    play("away", |scene| {
        scene.register(&["ann"])?;
        scene.server.kill()?;
        scene.hall.until(PATIENCE, |_, said| {
            matches!(said, Said::Connection { state } if state == "lost").then_some(())
        })?;
        scene.hall.client("ann")?.quit()?;
        let ends = scene.hall.ends(&["ann"], PROMISED)?;
        anyhow::ensure!(ends["ann"].code == 0, "{ends:?}");
        Ok(())
    });
}

#[test]
fn the_end_of_input_waits_until_nothing_is_queued() {
    play("drain", |scene| {
        scene.register(&["bob"])?;
        let ann = scene.person("ann")?.and("--register").and("--no-linger");
        scene.start("ann", &ann)?;
        // all of it before the sign-in, with the end right behind
        let text = "  last words \n";
        scene.hall.client("ann")?.open("bob")?;
        scene.send("ann", "bob", text)?;
        scene.hall.client("ann")?.close_input();
        scene.signed_in(1)?;
        scene.hall.client("bob")?.open("ann")?;
        let ends = scene.hall.ends(&["ann"], PATIENCE)?;
        anyhow::ensure!(ends["ann"].code == 0, "{ends:?}");
        for said in &ends["ann"].said {
            scene.ledger.hear("ann", said)?;
        }
        anyhow::ensure!(scene.ledger.acknowledged() == 1, "left with a message undelivered");
        Ok(())
    });
}
