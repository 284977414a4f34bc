//! Calls and contacts as scripts have them.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Context as _;
use tests::processes::{Arguments, Contact, Said, What};

use crate::{PATIENCE, Scene, play, play_in_rounds_of};

/// Rounds in which nothing is to happen.
const A_WHILE: usize = 10;

/// The shortest rounds that a server takes: a vault goes to the server once in 150 of them.
const SHORT_ROUND_MS: u32 = 100;

#[test]
fn a_call_rings_is_accepted_and_what_waited_arrives() {
    play("call", |scene| {
        scene.register(&["ann", "bob"])?;
        scene.hall.client("ann")?.call("bob")?;
        scene.send("ann", "bob", "written before bob knows of me")?;
        scene.hears("bob", &Said::Request { peer: "ann".into() })?;
        anyhow::ensure!(scene.contacts("bob")?.is_empty(), "a caller is no contact yet");
        anyhow::ensure!(scene.contacts("ann")? == [contact("bob", "calling", false)]);
        anyhow::ensure!(scene.ledger.arrived() == 0, "arrived before bob accepted");

        scene.hall.client("bob")?.accept("ann")?;
        scene.hears("ann", &Said::Answered { peer: "bob".into() })?;
        scene.send("bob", "ann", "and after")?;
        scene.hear_all(2, PATIENCE)?;
        anyhow::ensure!(scene.contacts("ann")? == [contact("bob", "contact", false)]);
        anyhow::ensure!(scene.contacts("bob")? == [contact("ann", "contact", false)]);
        Ok(())
    });
}

#[test]
fn two_who_call_each_other_have_one_conversation() {
    play("mutual", |scene| {
        scene.register(&["ann", "bob"])?;
        for (from, to) in [("ann", "bob"), ("bob", "ann")] {
            scene.hall.client(from)?.call(to)?;
            scene.send(from, to, &format!("{from} speaks"))?;
        }
        let mut answered = BTreeSet::new();
        scene.listen(PATIENCE, |_, who, said| {
            if matches!(said, Said::Answered { .. }) {
                answered.insert(who.to_owned());
            }
            answered.len() == 2
        })?;
        scene.hear_all(2, PATIENCE)?;
        anyhow::ensure!(scene.contacts("ann")? == [contact("bob", "contact", false)]);
        anyhow::ensure!(scene.contacts("bob")? == [contact("ann", "contact", false)]);
        Ok(())
    });
}

#[test]
fn who_is_declined_or_blocked_hears_nothing_and_rings_no_more() {
    play("decline", |scene| {
        scene.register(&["ann", "bob", "cid"])?;
        for caller in ["ann", "cid"] {
            scene.hall.client(caller)?.call("bob")?;
        }
        let mut callers = BTreeSet::new();
        scene.listen(PATIENCE, |_, who, said| {
            if let ("bob", Said::Request { peer }) = (who, said) {
                callers.insert(peer.clone());
            }
            callers.len() == 2
        })?;
        scene.tell("bob", r#"{"do":"decline","peer":"ann"}"#)?;
        scene.tell("bob", r#"{"do":"block","peer":"cid"}"#)?;
        // both try again, in vain
        while scene.refused_calls("bob")? < 2 {
            scene.quiet(1)?;
        }
        anyhow::ensure!(scene.contacts("bob")? == [contact("cid", "blocked", false)]);
        for caller in ["ann", "cid"] {
            anyhow::ensure!(scene.contacts(caller)? == [contact("bob", "calling", false)]);
        }

        scene.refused("bob", r#"{"do":"accept","peer":"ann"}"#, "no-request")?;
        scene.refused("bob", r#"{"do":"call","peer":"cid"}"#, "blocked")?;
        // bob's own call takes both back, and meets those that still ring
        scene.tell("bob", r#"{"do":"unblock","peer":"cid"}"#)?;
        scene.hears("bob", &Said::Forgotten { peer: "cid".into() })?;
        for caller in ["ann", "cid"] {
            scene.hall.client("bob")?.call(caller)?;
            scene.send("bob", caller, "I am sorry")?;
            scene.send(caller, "bob", "at last")?;
        }
        scene.hear_all(4, PATIENCE)
    });
}

#[test]
fn the_end_of_input_waits_for_somebody_who_has_not_answered_yet() {
    play("unanswered", |scene| {
        scene.register(&["bob"])?;
        let ann = scene.person("ann")?.and("--register").and("--no-linger");
        scene.start("ann", &ann)?;
        scene.hall.client("ann")?.call("bob")?;
        scene.send("ann", "bob", "answer me")?;
        scene.hall.client("ann")?.close_input();
        scene.hears("bob", &Said::Request { peer: "ann".into() })?;
        scene.quiet(A_WHILE)?;
        scene.hall.client("bob")?.accept("ann")?;
        let ends = scene.hall.ends(&["ann"], PATIENCE)?;
        anyhow::ensure!(ends["ann"].code == 0, "{ends:?}");
        for said in &ends["ann"].said {
            scene.ledger.hear("ann", said)?;
        }
        anyhow::ensure!(scene.ledger.acknowledged() == 1, "left with a message undelivered");
        Ok(())
    });
}

#[test]
fn contacts_marks_and_blocks_are_back_after_a_kill_and_on_another_machine() {
    play_in_rounds_of(SHORT_ROUND_MS, "vault", |scene| {
        scene.register(&["ann", "bob", "cid"])?;
        scene.hall.client("ann")?.call("bob")?;
        scene.hears("bob", &Said::Request { peer: "ann".into() })?;
        scene.hall.client("bob")?.accept("ann")?;
        scene.hears("ann", &Said::Answered { peer: "bob".into() })?;
        scene.tell("ann", r#"{"do":"verify","peer":"bob"}"#)?;
        scene.hears("ann", &Said::Contact(contact("bob", "contact", true)))?;
        scene.tell("ann", r#"{"do":"block","peer":"cid"}"#)?;
        scene.hears("ann", &Said::Contact(contact("cid", "blocked", false)))?;
        scene.said_by("ann", |said| matches!(said, Said::VaultStored { .. }))?;
        let blocked = contact("cid", "blocked", false);

        scene.hall.kill("ann")?;
        let again = scene.person("ann")?;
        scene.start("ann", &again)?;
        scene.signed_in(1)?;
        let there = contact("bob", "contact", true);
        anyhow::ensure!(scene.contacts("ann")? == [there.clone(), blocked.clone()]);
        scene.hall.client("ann")?.quit()?;
        scene.hall.ends(&["ann"], PATIENCE)?;

        let elsewhere = Arguments { profile: scene.profile("elsewhere"), ..again };
        scene.start("ann", &elsewhere)?;
        scene.signed_in(1)?;
        let contacts = scene.contacts("ann")?;
        let marks: Vec<_> = contacts.iter().map(|it| (&*it.peer, it.verified)).collect();
        anyhow::ensure!(marks == [("bob", true), ("cid", false)], "{contacts:?}");
        anyhow::ensure!(contacts[1] == blocked, "{contacts:?}");
        scene.send("ann", "bob", "from my new machine")?;
        scene.send("bob", "ann", "I hear you")?;
        scene.hear_all(2, PATIENCE)
    });
}

#[test]
fn both_compare_one_number_and_a_mark_can_be_taken_back() {
    play("compare", |scene| {
        scene.register(&["ann", "bob", "cid"])?;
        scene.befriend("ann", "bob")?;
        let digits = scene.safety_number("ann", "bob")?;
        anyhow::ensure!(digits.len() == 60 && digits.bytes().all(|it| it.is_ascii_digit()));
        anyhow::ensure!(scene.safety_number("bob", "ann")? == digits, "two numbers of one pair");
        anyhow::ensure!(scene.safety_number("ann", "cid")? != digits, "one number of two pairs");

        for (who, peer) in [("ann", "bob"), ("bob", "ann")] {
            scene.tell(who, &format!(r#"{{"do":"verify","peer":"{peer}"}}"#))?;
            scene.hears(who, &Said::Contact(contact(peer, "contact", true)))?;
        }
        scene.tell("ann", r#"{"do":"verify","peer":"bob","verified":false}"#)?;
        scene.hears("ann", &Said::Contact(contact("bob", "contact", false)))?;
        anyhow::ensure!(scene.contacts("ann")? == [contact("bob", "contact", false)]);
        anyhow::ensure!(scene.contacts("bob")? == [contact("ann", "contact", true)]);

        scene.tell("ann", r#"{"do":"forget","peer":"bob"}"#)?;
        scene.hears("ann", &Said::Forgotten { peer: "bob".into() })?;
        anyhow::ensure!(scene.contacts("ann")?.is_empty(), "still a contact");
        scene.refused("ann", r#"{"do":"verify","peer":"bob"}"#, "not-a-contact")?;
        scene.refused("ann", r#"{"do":"send","peer":"bob","text":"gone"}"#, "not-open")?;
        anyhow::ensure!(scene.safety_number("ann", "bob")? == digits, "other keys than before");
        Ok(())
    });
}

#[test]
fn a_name_that_somebody_else_took_hears_nothing_until_the_key_is_accepted() {
    play_in_rounds_of(SHORT_ROUND_MS, "successor", |scene| {
        scene.register(&["ann", "bob"])?;
        scene.befriend("ann", "bob")?;
        scene.tell("ann", r#"{"do":"verify","peer":"bob"}"#)?;
        scene.hears("ann", &Said::Contact(contact("bob", "contact", true)))?;
        scene.send("ann", "bob", "to the first bob")?;
        scene.hear_all(1, PATIENCE)?;
        let digits = scene.safety_number("ann", "bob")?;

        scene.tell("bob", r#"{"do":"delete-account","password":"secret of bob"}"#)?;
        let ends = [("bob", "account-deleted"), ("bob", "ended")];
        let warned = [("ann", "error account-gone"), ("ann", "key-changed bob")];
        scene.hears_each(ends.into_iter().chain(warned))?;
        let other = Arguments { profile: scene.profile("other"), ..scene.person("bob")? };
        scene.start("bob", &other.and("--register"))?;
        let warned = [("ann", "error key-changed"), ("ann", "key-changed bob")];
        scene.hears_each([("bob", "signed-in")].into_iter().chain(warned))?;

        anyhow::ensure!(scene.contacts("ann")? == [contact("bob", "key-changed", false)]);
        for line in [
            r#"{"do":"send","peer":"bob","text":"not for the second"}"#,
            r#"{"do":"verify","peer":"bob"}"#,
            r#"{"do":"safety-number","peer":"bob"}"#,
        ] {
            scene.refused("ann", line, "key-changed")?;
        }
        scene.quiet(A_WHILE)?;

        scene.tell("ann", r#"{"do":"accept-key","peer":"bob"}"#)?;
        scene.hears("bob", &Said::Request { peer: "ann".into() })?;
        scene.hall.client("bob")?.accept("ann")?;
        scene.hears("ann", &Said::Answered { peer: "bob".into() })?;
        scene.send("ann", "bob", "to the second bob")?;
        scene.send("bob", "ann", "I am new here")?;
        scene.hear_all(3, PATIENCE)?;
        anyhow::ensure!(scene.contacts("ann")? == [contact("bob", "contact", false)]);
        let new_digits = scene.safety_number("ann", "bob")?;
        anyhow::ensure!(new_digits != digits, "the number of the first bob");
        anyhow::ensure!(scene.safety_number("bob", "ann")? == new_digits);
        Ok(())
    });
}

fn contact(peer: &str, standing: &str, verified: bool) -> Contact {
    Contact { peer: peer.to_owned(), standing: standing.to_owned(), verified }
}

impl Scene {
    /// Waits until somebody says just this.
    fn hears(&mut self, who: &str, wanted: &Said) -> anyhow::Result<()> {
        self.said_by(who, |said| said == wanted)
    }

    fn contacts(&mut self, who: &str) -> anyhow::Result<Vec<Contact>> {
        self.tell(who, r#"{"do":"contacts"}"#)?;
        let mut found = Vec::new();
        self.listen(PATIENCE, |_, speaker, said| match said {
            Said::Contacts { contacts } if speaker == who => {
                found.clone_from(contacts);
                true
            }
            _ => false,
        })?;
        Ok(found)
    }

    /// Lets one call and the other accept.
    fn befriend(&mut self, who: &str, peer: &str) -> anyhow::Result<()> {
        self.hall.client(who)?.call(peer)?;
        self.hears(peer, &Said::Request { peer: who.to_owned() })?;
        self.hall.client(peer)?.accept(who)?;
        self.hears(who, &Said::Answered { peer: peer.to_owned() })
    }

    fn safety_number(&mut self, who: &str, peer: &str) -> anyhow::Result<String> {
        self.tell(who, &format!(r#"{{"do":"safety-number","peer":"{peer}"}}"#))?;
        let mut found = String::new();
        self.listen(PATIENCE, |_, speaker, said| match said {
            Said::SafetyNumber { peer: of, digits } if (speaker, &**of) == (who, peer) => {
                found.clone_from(digits);
                true
            }
            _ => false,
        })?;
        Ok(found)
    }

    /// Waits for what several say, in any order; no other errors and ends are let pass.
    fn hears_each<'a>(
        &mut self,
        wanted: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> anyhow::Result<()> {
        let mut missing: Vec<_> = wanted.into_iter().collect();
        let deadline = Instant::now() + PATIENCE;
        while !missing.is_empty() {
            let heard = self.hall.next(deadline).with_context(|| format!("not: {missing:?}"))?;
            let what = match &heard.what {
                What::Said(Said::Error { code, .. }) => format!("error {code}"),
                What::Said(Said::KeyChanged { peer }) => format!("key-changed {peer}"),
                What::Said(Said::AccountDeleted) => "account-deleted".to_owned(),
                What::Said(Said::SignedIn { .. }) => "signed-in".to_owned(),
                What::Said(said) => {
                    self.ledger.hear(&heard.who, said)?;
                    continue;
                }
                What::Odd(line) => anyhow::bail!("{} printed {line}", heard.who),
                What::Ended => "ended".to_owned(),
            };
            let place = missing.iter().position(|it| *it == (&*heard.who, &*what));
            let place = place.with_context(|| format!("{}: {what}, not {missing:?}", heard.who))?;
            missing.swap_remove(place);
        }
        Ok(())
    }

    fn refused_calls(&mut self, who: &str) -> anyhow::Result<u64> {
        self.hall.client(who)?.status()?;
        let mut found = 0;
        self.listen(PATIENCE, |_, speaker, said| match said {
            Said::Status { refused_calls, .. } if speaker == who => {
                found = *refused_calls;
                true
            }
            _ => false,
        })?;
        Ok(found)
    }

    /// Listens for so many rounds, in which nobody is called or answered.
    fn quiet(&mut self, rounds: usize) -> anyhow::Result<()> {
        let (mut seen, mut loud) = (BTreeSet::new(), None);
        self.listen(PATIENCE, |_, who, said| {
            match said {
                Said::Round { number, .. } => drop(seen.insert(*number)),
                Said::Request { .. } | Said::Answered { .. } | Said::Message { .. } => {
                    loud = Some(format!("{who} says {said:?}"));
                }
                _ => (),
            }
            loud.is_some() || seen.len() >= rounds
        })?;
        anyhow::ensure!(loud.is_none(), "{loud:?}");
        Ok(())
    }
}
