//! A server that is put back from a backup, and the clients that come back to it.

use tests::processes::{Arguments, Said};

use crate::{PATIENCE, Scene, play};

#[test]
fn a_restored_server_takes_back_who_saw_nothing_since_and_is_told_to_who_did() {
    play("restored", |scene| {
        scene.register(&["ann", "bob", "dora"])?;
        scene.leave(&["ann", "bob"])?;
        let backup = scene.place.path().join("backup");
        scene.server.back_up(&backup)?;

        // carl registers after the backup, and dora sees it
        scene.register(&["carl"])?;
        scene.knows("dora", "carl")?;
        let last = scene.round_of("dora")?;
        scene.leave(&["dora", "carl"])?;
        scene.server.kill()?;
        scene.server.restore(&backup)?;
        scene.server.restart(&scene.place)?;

        // who saw nothing of it goes on as if nothing was
        for name in ["ann", "bob"] {
            let arguments = scene.person(name)?;
            scene.start(name, &arguments)?;
        }
        scene.signed_in(2)?;
        scene.hall.client("ann")?.open("bob")?;
        scene.hall.client("bob")?.open("ann")?;
        scene.send("ann", "bob", "still here")?;
        scene.send("bob", "ann", "me too")?;
        scene.hear_all(2, PATIENCE)?;
        let first = scene.round_of("ann")?;
        anyhow::ensure!(first > last, "round {first} came after round {last}");
        scene.leave(&["ann", "bob"])?;

        // the account of who came later is gone
        let carl = scene.person("carl")?;
        scene.start("carl", &carl)?;
        let ends = scene.hall.ends(&["carl"], PATIENCE)?;
        let refused = matches!(&ends["carl"].said[..],
            [.., Said::Error { code, .. }] if code == "wrong-credentials");
        anyhow::ensure!(ends["carl"].code == 1 && refused, "{ends:?}");

        // who saw him is told, and takes part
        let dora = scene.person("dora")?;
        scene.start("dora", &dora)?;
        scene.told_of_a_restore("dora")?;
        scene.said_by("dora", |said| matches!(said, Said::Round { .. }))?;

        // once another has his place she refuses the server: it might as well lie
        let again = Arguments { profile: scene.profile("again"), ..carl }.and("--register");
        scene.start("carl", &again)?;
        let ends = scene.hall.ends(&["dora"], PATIENCE)?;
        let refused = matches!(&ends["dora"].said[..],
            [.., Said::Error { code, .. }] if code == "directory-forked");
        anyhow::ensure!(ends["dora"].code == 1 && refused, "{ends:?}");
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
            self.tell(who, r#"{"do":"directory"}"#)?;
            let mut known = false;
            self.finds(who, |said| match said {
                Said::Directory { names } => {
                    known = names.iter().any(|it| it == name);
                    true
                }
                _ => false,
            })?;
            if known {
                return Ok(());
            }
            self.said_by(who, |said| matches!(said, Said::Round { .. }))?;
        }
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

    fn told_of_a_restore(&mut self, who: &str) -> anyhow::Result<()> {
        self.said_by(who, |said| {
            matches!(said, Said::Error { code, text }
                if code == "directory-forked" && text.contains("restored from an old copy"))
        })
    }
}
