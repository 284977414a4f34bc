//! A server that is put back from a backup, and the clients that come back to it.

use std::path::Path;

use tests::processes::{Arguments, Said};

use crate::{PATIENCE, Scene, play};

#[test]
fn a_restored_server_says_so_once_and_everybody_goes_on() {
    play("restored", |scene| {
        scene.register(&["ann", "bob", "dora"])?;
        scene.leave(&["ann", "bob"])?;
        let backup = scene.place.path().join("backup");
        scene.server.back_up(&backup)?;

        // carl registers after the backup, and dora calls him
        scene.register(&["carl"])?;
        scene.knows("dora", "carl")?;
        scene.hall.client("dora")?.call("carl")?;
        scene.said_by("dora", |said| matches!(said, Said::Calling { .. }))?;
        let last = scene.round_of("dora")?;
        scene.leave(&["dora", "carl"])?;
        scene.restore(&backup, 0)?;

        // who saw nothing of that time is told, and goes on
        scene.return_to_restored(&["ann", "bob"])?;
        scene.hall.client("ann")?.open("bob")?;
        scene.hall.client("bob")?.open("ann")?;
        scene.send("ann", "bob", "still here")?;
        scene.send("bob", "ann", "me too")?;
        scene.hear_all(2, PATIENCE)?;
        let first = scene.round_of("ann")?;
        anyhow::ensure!(first > last, "round {first} came after round {last}");

        // the account of who came later is gone
        let carl = scene.person("carl")?;
        scene.start("carl", &carl)?;
        let ends = scene.hall.ends(&["carl"], PATIENCE)?;
        let refused = matches!(&ends["carl"].said[..],
            [.., Said::Error { code, .. }] if code == "wrong-credentials");
        anyhow::ensure!(ends["carl"].code == 1 && refused, "{ends:?}");

        // somebody new has his place, and hears nothing of a restore that was before her time
        let eve = scene.person("eve")?.and("--register");
        scene.start("eve", &eve)?;
        scene.rounds_without_a_restore("eve")?;

        // who saw him drops him, is told so, and talks with who has his place, in the profile that she had
        let dora = scene.person("dora")?;
        scene.start("dora", &dora)?;
        scene.told_of_a_restore("dora")?;
        scene.refused_by_itself("dora", "account-gone")?;
        scene.knows("dora", "eve")?;
        let names = scene.names_of("dora")?;
        anyhow::ensure!(names == ["ann", "bob", "dora", "eve"], "{names:?}");
        scene.hall.client("dora")?.open("eve")?;
        scene.hall.client("eve")?.open("dora")?;
        scene.send("dora", "eve", "welcome")?;
        scene.hear_all(3, PATIENCE)?;

        // he comes again under his name: she called the one of before
        let again = Arguments { profile: scene.profile("again"), ..carl }.and("--register");
        scene.start("carl", &again)?;
        scene.refused_by_itself("dora", "key-changed")?;
        scene.rounds_without_a_restore("carl")?;
        scene.tell("dora", r#"{"do":"accept-key","peer":"carl"}"#)?;
        scene.said_by("carl", |said| matches!(said, Said::Request { peer } if peer == "dora"))?;
        let all = ["ann", "bob", "carl", "dora", "eve"];
        scene.leave(&all)?;

        // the next time nobody hears of it
        for name in ["ann", "bob", "dora", "eve"] {
            let arguments = scene.person(name)?;
            scene.start(name, &arguments)?;
            scene.rounds_without_a_restore(name)?;
        }
        let last = scene.round_of("ann")?;
        scene.leave(&["ann", "bob", "dora", "eve"])?;

        // and of the next restore all do who were there before it
        scene.restore(&backup, last)?;
        scene.return_to_restored(&["ann", "bob", "dora"])?;
        scene.refused_by_itself("dora", "account-gone")?;
        let names = scene.names_of("ann")?;
        anyhow::ensure!(names == ["ann", "bob", "dora"], "{names:?}");
        Ok(())
    });
}

impl Scene {
    fn leave(&mut self, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            self.hall.client(name)?.quit()?;
        }
        self.hall.ends(names, PATIENCE).map(drop)
    }

    /// Waits until one client's directory has a name.
    fn knows(&mut self, who: &str, name: &str) -> anyhow::Result<()> {
        loop {
            if self.names_of(who)?.iter().any(|it| it == name) {
                return Ok(());
            }
            self.said_by(who, |said| matches!(said, Said::Round { .. }))?;
        }
    }

    /// Asks a client for the names in its directory, in their order.
    fn names_of(&mut self, who: &str) -> anyhow::Result<Vec<String>> {
        self.tell(who, r#"{"do":"directory"}"#)?;
        let mut all = Vec::new();
        self.finds(who, |said| match said {
            Said::Directory { names } => {
                all.clone_from(names);
                true
            }
            _ => false,
        })?;
        all.sort_unstable();
        Ok(all)
    }

    fn finds(&mut self, who: &str, mut wanted: impl FnMut(&Said) -> bool) -> anyhow::Result<()> {
        self.listen(PATIENCE, |_, speaker, said| speaker == who && wanted(said))
    }

    fn round_of(&mut self, who: &str) -> anyhow::Result<u64> {
        let mut round = 0;
        self.finds(who, |said| match said {
            Said::Round { number, .. } => {
                round = *number;
                true
            }
            _ => false,
        })?;
        Ok(round)
    }

    /// Puts the server back from a backup after a crash.
    fn restore(&mut self, backup: &Path, after_round: u64) -> anyhow::Result<()> {
        self.server.kill()?;
        self.server.restore(backup, after_round)?;
        self.server.restart(&self.place)
    }

    /// Starts people who come back to a server that was restored, and waits until each was told once.
    fn return_to_restored(&mut self, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let arguments = self.person(name)?;
            self.start(name, &arguments)?;
            self.told_of_a_restore(name)?;
        }
        Ok(())
    }

    /// Waits until somebody is told of a restore.
    fn told_of_a_restore(&mut self, who: &str) -> anyhow::Result<()> {
        let mut times = (0, 0);
        self.finds(who, |said| {
            if let Said::ServerRestored { backed_up_ms, restored_ms } = said {
                times = (*backed_up_ms, *restored_ms);
            }
            times.0 > 0
        })?;
        anyhow::ensure!(times.0 < times.1, "backed up and put back at {times:?}");
        Ok(())
    }

    /// Waits for some rounds of somebody who is told of no restore meanwhile.
    fn rounds_without_a_restore(&mut self, who: &str) -> anyhow::Result<()> {
        let (mut rounds, mut told) = (0, false);
        self.finds(who, |said| {
            rounds += usize::from(matches!(said, Said::Round { .. }));
            told |= matches!(said, Said::ServerRestored { .. });
            rounds == 3
        })?;
        anyhow::ensure!(!told, "{who} is told of a restore once too often");
        Ok(())
    }

    /// Waits until somebody says that something went wrong.
    fn refused_by_itself(&mut self, who: &str, wanted: &str) -> anyhow::Result<()> {
        self.said_by(who, |said| matches!(said, Said::Error { code, .. } if code == wanted))
    }
}
