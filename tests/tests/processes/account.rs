//! An account and its sessions, changed by scripts.

use std::path::Path;
use std::time::Instant;

use tests::processes::{Arguments, End, Said, Session, What};

use crate::{PATIENCE, Scene, play, play_in_rounds_of};

/// The shortest rounds that a server takes.
const SHORT_ROUND_MS: u32 = 100;

#[test]
fn a_new_password_opens_the_account_and_the_old_one_does_not() {
    play("password", |scene| {
        scene.register(&["ann"])?;
        let wrong = r#"{"do":"password","old":"not it","new":"another"}"#;
        scene.refused("ann", wrong, "wrong-credentials")?;
        scene.refused("ann", r#"{"do":"password","old":"x","new":""}"#, "password-invalid")?;
        let new = scene.place.password("new", " \"new\" \\ secret ")?;
        let ann = scene.person("ann")?;
        let change = serde_json::json!({
            "do": "password", "old-file": ann.password_file, "new-file": new,
        });
        // the end right behind it: the change is waited for
        scene.tell("ann", &change.to_string())?;
        scene.hall.client("ann")?.close_input();
        scene.said_by("ann", |said| *said == Said::PasswordChanged)?;
        scene.hall.client("ann")?.terminate()?;
        scene.hall.ends(&["ann"], PATIENCE)?;

        let old = Arguments { profile: scene.profile("old"), ..ann.clone() };
        scene.start("ann with the old one", &old)?;
        let ends = scene.hall.ends(&["ann with the old one"], PATIENCE)?;
        let End { code, said } = &ends["ann with the old one"];
        let refused =
            matches!(&said[..], [Said::Error { code, .. }] if code == "wrong-credentials");
        anyhow::ensure!(*code == 1 && refused, "{code}: {said:?}");
        for profile in [ann.profile.clone(), scene.profile("elsewhere")] {
            scene
                .start("ann", &Arguments { password_file: new.clone(), profile, ..ann.clone() })?;
            scene.signed_in(1)?;
            scene.hall.client("ann")?.quit()?;
            scene.hall.ends(&["ann"], PATIENCE)?;
        }
        Ok(())
    });
}

/// Killed at any moment, whoever changed the password has either the old one or the new one.
#[test]
fn a_kill_amid_a_change_of_password_leaves_exactly_one_good_one() {
    play_in_rounds_of(SHORT_ROUND_MS, "torn", |scene| {
        scene.register(&["ann", "bob"])?;
        let mut good = scene.person("ann")?.password_file;
        let mut next = scene.place.password("other", "another secret")?;
        // how long an undisturbed change takes tells where its middle is
        let begun = Instant::now();
        scene.change_password(&good, &next)?;
        scene.said_by("ann", |said| *said == Said::PasswordChanged)?;
        let whole = begun.elapsed();
        (good, next) = (next, good);
        for percent in [60, 95] {
            let begun = Instant::now();
            scene.change_password(&good, &next)?;
            let answered = scene.answered_until(begun + whole * percent / 100)?;
            scene.hall.kill("ann")?;
            let changed = scene.is_changed(&good, &next)?;
            anyhow::ensure!(changed || !answered, "at {percent} %: not what it said");
            if changed {
                (good, next) = (next, good);
            }
            // the profile that was there at the kill opens, too
            let ann = Arguments { password_file: good.clone(), ..scene.person("ann")? };
            scene.start("ann", &ann)?;
            scene.signed_in(1)?;
        }
        Ok(())
    });
}

#[test]
fn sessions_are_listed_and_ended() {
    play("sessions", |scene| {
        scene.register(&["ann"])?;
        let [only] = &scene.sessions("ann")?[..] else { anyhow::bail!("not one session") };
        anyhow::ensure!(only.current && !only.superseded && only.created_ms < only.expires_ms);
        let second = Arguments { profile: scene.profile("second"), ..scene.person("ann")? };
        scene.start("ann there", &second)?;
        scene.hall.ends(&["ann"], PATIENCE)?;

        let both = scene.sessions("ann there")?;
        let [old, new] = &both[..] else { anyhow::bail!("not two sessions: {both:?}") };
        anyhow::ensure!(old.id == only.id && !old.current && old.superseded, "{both:?}");
        anyhow::ensure!(new.current && !new.superseded, "{both:?}");
        let end = serde_json::json!({"do": "end-session", "id": old.id}).to_string();
        scene.tell("ann there", &end)?;
        scene.said_by("ann there", |said| *said == Said::SessionEnded { id: old.id.clone() })?;
        anyhow::ensure!(scene.sessions("ann there")? == both[1..]);
        Ok(())
    });
}

#[test]
fn a_deleted_account_is_gone_and_its_program_ends_well() {
    play("delete", |scene| {
        scene.register(&["ann"])?;
        let wrong = r#"{"do":"delete-account","password":"not it"}"#;
        scene.refused("ann", wrong, "wrong-credentials")?;
        let right = r#"{"do":"delete-account","password":"secret of ann"}"#;
        scene.tell("ann", right)?;
        let ends = scene.hall.ends(&["ann"], PATIENCE)?;
        let End { code, said } = &ends["ann"];
        anyhow::ensure!(*code == 0 && said.contains(&Said::AccountDeleted), "{code}: {said:?}");
        let elsewhere = Arguments { profile: scene.profile("elsewhere"), ..scene.person("ann")? };
        scene.start("ann", &elsewhere)?;
        let ends = scene.hall.ends(&["ann"], PATIENCE)?;
        let End { code, said } = &ends["ann"];
        let refused =
            matches!(&said[..], [Said::Error { code, .. }] if code == "wrong-credentials");
        anyhow::ensure!(*code == 1 && refused, "{code}: {said:?}");
        Ok(())
    });
}

impl Scene {
    fn change_password(&mut self, old: &Path, new: &Path) -> anyhow::Result<()> {
        let line = serde_json::json!({"do": "password", "old-file": old, "new-file": new});
        self.tell("ann", &line.to_string())
    }

    /// Listens until a moment; tells whether the password was said to be changed by then.
    fn answered_until(&mut self, moment: Instant) -> anyhow::Result<bool> {
        let mut answered = false;
        while let Some(heard) = self.hall.next(moment) {
            match heard.what {
                What::Said(Said::Error { code, text }) => anyhow::bail!("{code}: {text}"),
                What::Said(said) => answered |= said == Said::PasswordChanged,
                What::Odd(_) | What::Ended => anyhow::bail!("{heard:?}"),
            }
        }
        Ok(answered)
    }

    /// Tries both passwords on machines that never saw ann; tells whether the new one is good.
    ///
    /// # Errors
    /// If both are good, or none.
    fn is_changed(&mut self, old: &Path, new: &Path) -> anyhow::Result<bool> {
        // what she sent before her end is dealt with once the server, which bob hears, went on
        for _ in 0..3 {
            self.said_by("bob", |said| matches!(said, Said::Round { .. }))?;
        }
        let machines = [("old machine", old), ("new machine", new)];
        let elsewhere = tempfile::tempdir_in(self.place.path())?;
        for (name, password) in machines {
            let ann = self.person("ann")?.and("--no-linger");
            let profile = elsewhere.path().join(name);
            self.start(name, &Arguments { password_file: password.to_owned(), profile, ..ann })?;
            self.hall.client(name)?.close_input();
        }
        let ends = self.hall.ends(&machines.map(|(name, _)| name), PATIENCE)?;
        let opens = machines.map(|(name, _)| {
            let End { code, said } = &ends[name];
            let refused =
                matches!(&said[..], [Said::Error { code, .. }] if code == "wrong-credentials");
            (*code, said.iter().any(|it| matches!(it, Said::SignedIn { .. })), refused)
        });
        match opens {
            [(0, true, false), (1, false, true)] => Ok(false),
            [(1, false, true), (0, true, false)] => Ok(true),
            _ => anyhow::bail!("not one password opens and the other is refused: {ends:?}"),
        }
    }

    fn sessions(&mut self, who: &str) -> anyhow::Result<Vec<Session>> {
        self.tell(who, r#"{"do":"sessions"}"#)?;
        let mut found = Vec::new();
        self.listen(PATIENCE, |_, speaker, said| match said {
            Said::Sessions { sessions } if speaker == who => {
                found.clone_from(sessions);
                true
            }
            _ => false,
        })?;
        Ok(found)
    }
}
