//! An account and its sessions, changed by scripts.

use tests::processes::{Arguments, End, Said, Session};

use crate::{PATIENCE, Scene, play};

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
