//! The rules of `iirs-headless` that need real processes.

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::processes::{Arguments, End, Said};

use crate::{PATIENCE, Scene, play};

/// A server that does not answer is waited for so long, and some time for the process around it.
const NO_SERVER_MAX: Duration = Duration::from_secs(14);

#[test]
fn every_refusal_is_one_error_line_and_exit_code_1() {
    play("refusals", |scene| {
        scene.register(&["ann"])?;
        // takes everything and says nothing
        let silent = UdpSocket::bind("127.0.0.1:0")?;
        let cases = refusals(scene, &silent)?;
        let begun = Instant::now();
        for (name, _, arguments) in &cases {
            scene.start(name, arguments)?;
        }
        let names: Vec<_> = cases.iter().map(|(name, _, _)| *name).collect();
        let ends = scene.hall.ends(&names, NO_SERVER_MAX)?;
        let took = begun.elapsed();
        anyhow::ensure!(took > Duration::from_secs(9), "no-server after only {took:?}");
        for (name, wanted, _) in cases {
            let End { code, said } = &ends[name];
            let [Said::Error { code: found, text }] = &said[..] else {
                anyhow::bail!("{name}: not exactly one error line, but {said:?}");
            };
            anyhow::ensure!((*code, &**found) == (1, wanted), "{name}: {code}, {found}: {text}");
        }
        Ok(())
    });
}

/// Returns name, code of the error, and arguments of each case.
fn refusals(
    scene: &Scene,
    silent: &UdpSocket,
) -> anyhow::Result<Vec<(&'static str, &'static str, Arguments)>> {
    let server = scene.server.address().port();
    let at = |port: u16| scene.server.link().replace(&format!(":{server}/"), &format!(":{port}/"));
    let closed = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let (start, pin) = scene.server.link().split_once('#').unwrap_or_default();
    let other_pin = if pin.starts_with('A') { "B" } else { "A" };
    let wrong_pin = format!("{start}#{other_pin}{}", &pin[1..]);
    let someone = || scene.person("someone");
    let new = || someone().map(|it| it.and("--register"));
    let with_password = |file: &str, content: &[u8]| {
        let path = scene.place.path().join(file);
        std::fs::write(&path, content)?;
        anyhow::Ok(Arguments { password_file: path, ..new()? })
    };
    let absent = scene.place.path().join("absent");
    Ok(vec![
        ("user-9", "name-invalid", new()?.user("9lives")),
        ("user-dash", "name-invalid", new()?.user("-x")),
        ("user-flag", "name-invalid", new()?.user("--register")),
        ("user-empty", "name-invalid", new()?.user("")),
        ("link-http", "link-invalid", new()?.link("http://example.org/")),
        ("link-dash", "link-invalid", new()?.link("-")),
        ("invite", "invite-invalid", new()?.and("--invite").and("none")),
        ("wrong-pin", "wrong-pin", new()?.link(&wrong_pin)),
        ("empty-password", "password-invalid", with_password("empty", b"\n")?),
        ("long-password", "password-invalid", with_password("long", &[b'x'; 5000])?),
        ("no-password", "password-invalid", Arguments { password_file: absent, ..new()? }),
        ("unknown-user", "wrong-credentials", someone()?),
        ("wrong-password", "wrong-credentials", someone()?.user("ann")),
        ("taken", "name-taken", new()?.user("ann")),
        ("taken-capital", "name-taken", new()?.user("ANN")),
        ("silent-server", "no-server", new()?.link(&at(silent.local_addr()?.port()))),
        ("closed-port", "no-server", new()?.link(&at(closed))),
    ]
    .into_iter()
    .map(|(name, code, arguments)| {
        // each has a profile of its own: this is not about two processes in one
        let profile = scene.profile(&format!("profile-{name}"));
        (name, code, Arguments { profile, ..arguments })
    })
    .collect())
}

#[test]
fn exit_code_2_is_for_wrong_usage() {
    let server: [&[&str]; 3] = [&["run", "--nope"], &["fly"], &["run", "--slots", "many"]];
    let headless: [&[&str]; 2] = [&["--nope"], &[]];
    let server = server.map(|it| (env!("CARGO_BIN_EXE_server-under-test"), it));
    let headless = headless.map(|it| (env!("CARGO_BIN_EXE_headless-under-test"), it));
    for (program, arguments) in server.into_iter().chain(headless) {
        let output = Command::new(program).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{program} {arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn a_password_file_with_a_newline_is_the_same_password() {
    play("newline", |scene| {
        // its file ends with a newline
        scene.register(&["ann"])?;
        scene.hall.client("ann")?.quit()?;
        scene.hall.ends(&["ann"], PATIENCE)?;
        let bare = scene.place.path().join("bare");
        std::fs::write(&bare, "secret of ann")?;
        let (elsewhere, here) = (scene.profile("elsewhere"), scene.person("ann")?);
        let new_machine = Arguments { password_file: bare, profile: elsewhere, ..here };
        scene.start("ann", &new_machine)?;
        scene.signed_in(1)
    });
}

#[test]
fn register_prints_registered_then_signed_in() {
    play("register", |scene| {
        let ann = scene.person("ann")?.and("--register").and("--no-linger");
        scene.start("ann", &ann)?;
        scene.hall.client("ann")?.close_input();
        let ends = scene.hall.ends(&["ann"], PATIENCE)?;
        let End { code, said } = &ends["ann"];
        let user = || "ann".to_owned();
        let begins = [Said::Registered { user: user() }, Said::SignedIn { user: user() }];
        anyhow::ensure!(*code == 0 && said.starts_with(&begins), "{code}: {said:?}");
        Ok(())
    });
}

#[test]
fn an_invitation_code_registers_one_person() {
    play("invite", |scene| {
        scene.server.stop(PATIENCE)?;
        scene.server.and("--registration").and("invite").restart(&scene.place)?;
        let code = scene.server.invite()?;
        let typed = code.replace('-', "").to_lowercase();
        anyhow::ensure!(typed != code, "{code} is printed as people do not type it");
        let with = |name: &str, code: &str| {
            let person = scene.person(name)?.and("--register");
            anyhow::Ok(person.and("--no-linger").and("--invite").and(code))
        };
        let cases = [
            ("ann", scene.person("ann")?.and("--register"), Some("invite-needed")),
            ("bob", with("bob", &typed)?, None),
            ("cid", with("cid", &code)?, Some("invite-invalid")),
            ("dan", with("dan", &scene.server.invite()?)?, None),
        ];
        for (name, arguments, refusal) in cases {
            scene.start(name, &arguments)?;
            scene.hall.client(name)?.close_input();
            let ends = scene.hall.ends(&[name], PATIENCE)?;
            let End { code, said } = &ends[name];
            let user = || name.to_owned();
            let begins = [Said::Registered { user: user() }, Said::SignedIn { user: user() }];
            let as_wanted = match (refusal, &said[..]) {
                (Some(wanted), [Said::Error { code: found, .. }]) => *code == 1 && found == wanted,
                (None, said) => *code == 0 && said.starts_with(&begins),
                (Some(_), _) => false,
            };
            anyhow::ensure!(as_wanted, "{name}: {code}, {said:?}");
        }
        Ok(())
    });
}

#[test]
fn a_sign_in_elsewhere_ends_the_first_one_for_good() {
    play("elsewhere", |scene| {
        scene.register(&["ann"])?;
        let second = Arguments { profile: scene.profile("second"), ..scene.person("ann")? };
        scene.start("ann on her second machine", &second)?;
        let ends = scene.hall.ends(&["ann"], PATIENCE)?;
        let End { code, said } = &ends["ann"];
        let errors = said.iter().filter_map(|said| match said {
            Said::Error { code, .. } => Some(&**code),
            _ => None,
        });
        anyhow::ensure!(*code == 1 && errors.eq(["signed-in-elsewhere"]), "{code}: {said:?}");
        // the second one has the seat, and keeps it
        let mut rounds = 0;
        scene.hall.until(PATIENCE, |_, said| {
            rounds += usize::from(matches!(said, Said::Round { .. }));
            (rounds == 10).then_some(())
        })
    });
}

#[test]
fn what_cannot_be_done_is_told_and_the_client_goes_on() {
    play("errors", |scene| {
        scene.register(&["ann", "bob"])?;
        let ann = scene.hall.client("ann")?;
        ann.open("bob")?;
        let too_long = "x".repeat(16 * 1024 + 1);
        let lines = [
            (r#"{"do":"open","peer":"nobody.here"}"#.to_owned(), "unknown-peer"),
            (r#"{"do":"open","peer":"ann"}"#.to_owned(), "self-conversation"),
            (r#"{"do":"send","peer":"bob","text":""}"#.to_owned(), "text-empty"),
            (format!(r#"{{"do":"send","peer":"bob","text":"{too_long}"}}"#), "text-too-long"),
            (r#"{"do":"fly"}"#.to_owned(), "command-invalid"),
        ];
        for (line, wanted) in lines {
            scene.hall.client("ann")?.write_line(&line)?;
            scene.hall.until(PATIENCE, |who, said| match said {
                Said::Error { code, .. } if (who, &**code) == ("ann", wanted) => Some(()),
                _ => None,
            })?;
        }
        scene.hall.client("bob")?.open("ann")?;
        scene.send("ann", "bob", " \n")?;
        scene.hear_all(1, PATIENCE)
    });
}
