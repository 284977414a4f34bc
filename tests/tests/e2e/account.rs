//! The account from within the rounds: its password, its sessions, its end; and who may make one.

use std::path::Path;

use client_link::api::{Command, ConnectionState, ErrorCode, Event, SessionStatus, Step};
use server::admin::{self, Answer, Request};
use server::config::Registration;
use tests::world::{Person, Raw, Relay, Start, Way, World};
use wire::close::Close;

const NEW: &str = "a new and better one";

fn change(old: &str, new: &str) -> Command {
    Command::ChangePassword {
        old: old.as_bytes().to_vec().into(),
        new: new.as_bytes().to_vec().into(),
    }
}

/// Gives a command; returns the code of the error that answers it, or none if this event does.
async fn answer(person: &mut Person, command: Command, done: Event) -> Option<ErrorCode> {
    let from = person.now();
    person.command(command).await;
    let answered = |event: &Event| match event {
        Event::Error { code, .. } => Some(Some(*code)),
        event => (*event == done).then_some(None),
    };
    person.hears(from, "an answer", answered).await
}

async fn sessions(person: &mut Person) -> Vec<SessionStatus> {
    let from = person.now();
    person.command(Command::Sessions).await;
    let listed = |event: &Event| match event {
        Event::Sessions { sessions } => Some(sessions.clone()),
        _ => None,
    };
    person.hears(from, "the sessions", listed).await
}

/// The only error of somebody who does not get in.
async fn refused(start: Start) -> (ErrorCode, String) {
    let mut person = Person::start(start);
    assert!(!person.ends().await.0);
    let errors = person.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

fn steps(log: &[Event]) -> Vec<Step> {
    let steps = log.iter().filter_map(|event| match event {
        Event::Progress(step) => Some(*step),
        _ => None,
    });
    steps.collect()
}

#[tokio::test]
async fn a_changed_password_is_the_one_on_every_machine() {
    let world = World::new().await;
    let here = world.somebody("ann");
    let there = Start { profile: world.profile("another machine"), ..here.clone() };
    let with = |password: &str, start: &Start| Start { password: password.into(), ..start.clone() };
    Person::begin(Start { register: true, ..there.clone() }).await.leaves().await;

    let mut ann = Person::begin(here.clone()).await;
    let wrong = answer(&mut ann, change("a guess", NEW), Event::PasswordChanged).await;
    assert_eq!(wrong, Some(ErrorCode::WrongCredentials));
    let empty = answer(&mut ann, change(&here.password, ""), Event::PasswordChanged).await;
    assert_eq!(empty, Some(ErrorCode::PasswordInvalid));
    ann.command(change(&here.password, NEW)).await;
    let busy = answer(&mut ann, Command::Sessions, Event::PasswordChanged).await;
    assert_eq!(busy, Some(ErrorCode::Busy));
    let changed = |event: &Event| (*event == Event::PasswordChanged).then_some(());
    ann.hears(0, "the change", changed).await;
    let sessions = sessions(&mut ann).await;
    assert!(sessions.len() == 1 && sessions[0].current, "{sessions:?}");
    ann.sits_through(2).await;
    assert!(!ann.was_lost());
    ann.leaves().await;

    // on this machine the new one opens the profile, and the session goes on with its new token
    assert_eq!(refused(here.clone()).await.0, ErrorCode::WrongCredentials);
    let log = Person::begin(with(NEW, &here)).await.leaves().await;
    assert_eq!(steps(&log)[..3], [Step::Unlocking, Step::Connecting, Step::Resuming]);

    // on the other one the old one still opens the profile, and nothing else
    let (code, text) = refused(there.clone()).await;
    assert_eq!(code, ErrorCode::WrongCredentials);
    assert!(text.contains("changed on another machine"), "{text}");
    let (code, text) = refused(with("a guess", &there)).await;
    assert_eq!(code, ErrorCode::WrongCredentials);
    assert!(!text.contains("another machine"), "{text}");
    for last in [Step::SigningIn, Step::Resuming] {
        let log = Person::begin(with(NEW, &there)).await.leaves().await;
        assert_eq!(steps(&log)[..3], [Step::Unlocking, Step::Connecting, last]);
    }
    assert_eq!(refused(there).await.0, ErrorCode::WrongCredentials);
}

#[tokio::test]
async fn a_wrong_password_is_wrong_whether_the_server_can_be_asked_or_not() {
    let mut world = World::new().await;
    world.sign_up("ann").await.leaves().await;
    let wrong = Start { password: "a guess".into(), ..world.somebody("ann") };
    assert_eq!(refused(wrong.clone()).await.0, ErrorCode::WrongCredentials);
    let again = Start { register: true, ..wrong.clone() };
    assert_eq!(refused(again).await.0, ErrorCode::WrongCredentials);
    world.stop().await;
    let (code, text) = refused(wrong).await;
    assert_eq!(code, ErrorCode::WrongCredentials);
    assert!(text.contains("does not open this profile"), "{text}");
}

#[tokio::test]
async fn another_session_is_seen_and_ended() {
    let world = World::new().await;
    world.sign_up("ann").await.leaves().await;
    let there = Start { profile: world.profile("another machine"), ..world.somebody("ann") };
    let mut ann = Person::begin(there).await;
    let listed = sessions(&mut ann).await;
    let shown: Vec<_> = listed.iter().map(|it| (it.current, it.superseded)).collect();
    assert_eq!(shown, [(false, true), (true, false)], "the oldest first");
    assert!(listed[0].created_ms <= listed[1].created_ms && listed[1].created_ms > 0);
    for (id, expected) in [
        (listed[0].id.clone(), None),
        (listed[0].id.clone(), Some(ErrorCode::SessionEnded)),
        (listed[1].id.clone(), Some(ErrorCode::SessionEnded)),
        ("no id".into(), Some(ErrorCode::SessionEnded)),
    ] {
        let done = Event::SessionEnded { id: id.clone() };
        assert_eq!(answer(&mut ann, Command::EndSession { id }, done).await, expected);
    }
    assert_eq!(sessions(&mut ann).await.len(), 1);
    ann.leaves().await;
}

#[tokio::test]
async fn a_session_that_is_ended_is_put_out_at_once() {
    let world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    let mut raw = Raw::connect(&world.link()).await;
    assert!(raw.log_in("ann", &world.somebody("ann").password).await.is_ok());
    let listed = sessions(&mut ann).await;
    let other = listed.iter().find(|it| !it.current).unwrap().id.clone();
    let done = Event::SessionEnded { id: other.clone() };
    assert_eq!(answer(&mut ann, Command::EndSession { id: other }, done).await, None);
    assert_eq!(raw.closed().await.0, Close::SessionEnded);
    ann.sits_through(2).await;
    assert!(!ann.was_lost());
}

#[tokio::test]
async fn who_was_away_while_the_password_changed_is_told_to_sign_in_again() {
    let world = World::new().await;
    let relay = Relay::start(world.address()).await;
    let behind = Start { link: relay.link(&world.link()), ..world.somebody("ann") };
    let mut first = Person::begin(Start { register: true, ..behind.clone() }).await;
    relay.stop(&[Way::Up, Way::Down]);
    first.reaches(0, ConnectionState::Lost).await;
    let there = Start { profile: world.profile("another machine"), ..world.somebody("ann") };
    let mut second = Person::begin(there).await;
    let old = world.somebody("ann").password;
    assert_eq!(answer(&mut second, change(&old, NEW), Event::PasswordChanged).await, None);
    relay.stop(&[]);
    let text = first.hears_error(0, ErrorCode::SessionEnded).await;
    assert!(text.contains("sign in again"), "{text}");
    assert!(!first.ends().await.0);
    second.sits_through(2).await;
    assert!(!second.was_lost());
    assert_eq!(refused(behind).await.0, ErrorCode::WrongCredentials);
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_its_profile_is_not() {
    let world = World::new().await;
    let start = world.somebody("ann");
    let mut ann = world.sign_up("ann").await;
    let delete =
        |password: &str| Command::DeleteAccount { password: password.as_bytes().to_vec().into() };
    let wrong = answer(&mut ann, delete("a guess"), Event::AccountDeleted).await;
    assert_eq!(wrong, Some(ErrorCode::WrongCredentials));
    let gone = answer(&mut ann, delete(&start.password), Event::AccountDeleted).await;
    assert_eq!(gone, None);
    let (ok, log) = ann.ends().await;
    assert!(ok && log[log.len() - 2] == Event::AccountDeleted, "{log:?}");
    assert!(Path::new(&start.profile).join("data.redb").exists());
    assert_eq!(refused(start.clone()).await.0, ErrorCode::WrongCredentials);

    // somebody else may take the name; the profile of the one before is not his
    let other = Start { profile: world.profile("somebody else's"), ..start.clone() };
    Person::begin(Start { register: true, ..other }).await.leaves().await;
    assert_eq!(refused(start.clone()).await.0, ErrorCode::ProfileOtherAccount);
    let wrong = Start { password: "a guess".into(), ..start };
    assert_eq!(refused(wrong).await.0, ErrorCode::WrongCredentials);
}

#[tokio::test]
async fn nothing_is_asked_while_the_connection_is_lost() {
    let mut world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    let from = ann.now();
    ann.command(change(&world.somebody("ann").password, NEW)).await;
    world.stop().await;
    let told = |event: &Event| match event {
        Event::Error { code: ErrorCode::NoServer, text, .. } => Some(text.clone()),
        _ => None,
    };
    let text = ann.hears(from, "what became of the change", told).await;
    assert!(text.contains("nothing was changed; try again"), "{text}");
    let asked = answer(&mut ann, Command::Sessions, Event::PasswordChanged).await;
    assert_eq!(asked, Some(ErrorCode::NoServer));
    ann.leaves().await;
}

#[tokio::test]
async fn who_may_not_register_is_told_why_and_a_code_lets_in_once() {
    let closed = World::with(|config| config.registration = Registration::Closed).await;
    let start = Start { register: true, ..closed.somebody("ann") };
    assert_eq!(refused(start).await.0, ErrorCode::RegistrationClosed);

    let world = World::with(|config| config.registration = Registration::Invite).await;
    let data_dir = world.config().data_dir.clone();
    let asked = move || admin::ask(&data_dir, Request::Invite { count: 1, days: 1 });
    let Ok(Answer::Invites { codes, .. }) = tokio::task::spawn_blocking(asked).await.unwrap()
    else {
        panic!("no codes")
    };
    let start = |name: &str, invite: Option<&str>| {
        let invite = invite.map(|code| code.parse().unwrap());
        Start { register: true, invite, ..world.somebody(name) }
    };
    assert_eq!(refused(start("ann", None)).await.0, ErrorCode::InviteNeeded);
    let invalid = Some("0123-4567-89AB-CDEF");
    assert_eq!(refused(start("ann", invalid)).await.0, ErrorCode::InviteInvalid);
    Person::begin(start("ann", Some(&codes[0]))).await.leaves().await;
    assert_eq!(refused(start("bob", Some(&codes[0]))).await.0, ErrorCode::InviteInvalid);
}
