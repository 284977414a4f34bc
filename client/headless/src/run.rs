//! The loop between input, engine and output.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::time::Duration;

use client_link::api::{About, Command, ConnectionState, Event};
use client_link::engine::Engine;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::command::{self, Labels};
use crate::lines::Line;
use crate::output::{self, Printer};

/// Stable code of an engine that stopped without a reason.
pub const ENGINE_STOPPED: &str = "engine-stopped";

/// How long the engine may take to leave; with [`PRINT_MAX`] less than the 5 s that are promised.
const LEAVE_MAX: Duration = Duration::from_secs(4);

/// How long the last lines may take when the program is told to end.
const PRINT_MAX: Duration = Duration::from_millis(500);

/// Lines that may wait for a slow reader before events wait too.
const LINES_MAX: usize = 64;

/// More lines that may wait before input waits too, so that `quit` is heard although nobody reads.
const COMPLAINTS_MAX: usize = 64;

/// What a session does besides what it is told.
pub struct Session {
    contacts: Vec<String>,
    linger: bool,
    labels: Labels,
}

impl Session {
    /// Opens `contacts` at the start, and lingers at the end of the input or not.
    pub fn new(contacts: Vec<String>, linger: bool) -> Self {
        Self { contacts, linger, labels: Labels::new() }
    }
}

/// Carries commands to the engine and events to the output until the engine has ended; returns
/// whether the program did what it was asked.
///
/// `stop` is a request from outside to leave now.
pub async fn run(
    mut engine: Engine,
    mut input: mpsc::Receiver<Line>,
    output: Printer,
    session: Session,
    stop: impl Future<Output = ()>,
) -> bool {
    let mut stop = pin!(stop);
    let Printer { lines, done } = output;
    let mut talk = Talk::new(session);
    while talk.ended.is_none() {
        tokio::select! {
            () = &mut stop, if talk.deadline.is_none() => talk.leave(),
            () = until(talk.deadline) => talk.ended = Some(true),
            () = lines.closed(), if !talk.mute => talk.lose_output(),
            room = lines.reserve(), if !talk.lines.is_empty() => {
                match (room, talk.lines.pop_front()) {
                    (Ok(room), Some(line)) => room.send(line),
                    (Ok(_), None) => (),
                    (Err(_), _) => talk.lose_output(),
                }
            }
            room = engine.commands.reserve(), if talk.may_command() => {
                match (room, talk.todo.pop_front()) {
                    (Ok(room), Some(command)) => room.send(command),
                    (Ok(_), None) => (),
                    (Err(_), _) => talk.lose_engine(),
                }
            }
            event = engine.events.recv(), if talk.lines.len() < LINES_MAX => talk.hear(event),
            line = input.recv(), if talk.may_read() => talk.read(line),
        }
    }
    let last_moment = talk.deadline.map(|deadline| deadline.max(Instant::now() + PRINT_MAX));
    let printed = tokio::select! {
        printed = print_rest(talk.lines, lines, done) => printed.is_ok(),
        () = until(last_moment) => true,
        () = stop, if talk.deadline.is_none() => true,
    };
    talk.ended == Some(true) && !talk.failed && printed
}

/// Waits for a deadline, without one for ever.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn print_rest(
    rest: VecDeque<String>,
    lines: mpsc::Sender<String>,
    done: oneshot::Receiver<io::Result<()>>,
) -> io::Result<()> {
    for line in rest {
        lines.send(line).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
    drop(lines);
    done.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
}

/// What was said so far, and what is still to be said.
struct Talk {
    session: Session,
    /// For the engine, in order.
    todo: VecDeque<Command>,
    /// For the output, in order.
    lines: VecDeque<String>,
    signed_in: bool,
    /// Not printed before the sign-in, where only a refusal is.
    connection: Option<ConnectionState>,
    /// Whether input may still bring commands.
    reading: bool,
    /// Questions about the account whose answer is not here yet.
    asked: usize,
    /// Whether to leave once all is done; not before these answers are here.
    draining: bool,
    /// Whether nothing more is printed.
    mute: bool,
    failed: bool,
    /// When to end whatever the engine does; set by the wish to leave.
    deadline: Option<Instant>,
    ended: Option<bool>,
}

impl Talk {
    fn new(mut session: Session) -> Self {
        let contacts = std::mem::take(&mut session.contacts);
        Self {
            session,
            todo: contacts.into_iter().map(|peer| Command::Open { peer }).collect(),
            lines: VecDeque::new(),
            signed_in: false,
            connection: None,
            reading: true,
            asked: 0,
            draining: false,
            mute: false,
            failed: false,
            deadline: None,
            ended: None,
        }
    }

    fn may_command(&self) -> bool {
        !self.todo.is_empty() && (self.signed_in || self.deadline.is_some())
    }

    fn may_read(&self) -> bool {
        let room = self.todo.is_empty() && self.lines.len() < LINES_MAX + COMPLAINTS_MAX;
        self.reading && self.signed_in && room
    }

    fn read(&mut self, line: Option<Line>) {
        let Some(line) = line else {
            self.reading = false;
            self.draining = true;
            return self.drain();
        };
        match command::parse(&line, &mut self.session.labels) {
            Ok(Command::Quit) => self.leave(),
            Ok(command) => {
                self.asked += usize::from(is_about_account(&command));
                self.todo.push_back(command);
            }
            Err(invalid) => {
                let text = format!("line {} of the input is no command: {invalid}", line.number);
                self.say(output::error(invalid.code(), &text));
            }
        }
    }

    /// Leaves once nothing is queued, unless an answer about the account is still to come.
    fn drain(&mut self) {
        if self.draining && self.asked == 0 {
            self.draining = false;
            self.todo.push_back(Command::Drain { linger: self.session.linger });
        }
    }

    fn hear(&mut self, event: Option<Event>) {
        if event.as_ref().is_some_and(is_answer_about_account) {
            self.asked = self.asked.saturating_sub(1);
            self.drain();
        }
        match event {
            None => self.hear_silence(),
            Some(Event::Ended { ok }) if ok || self.signed_in || self.deadline.is_some() => {
                self.ended = Some(ok);
            }
            Some(Event::Ended { ok: _ }) => self.hear_silence(),
            Some(Event::Connection(state)) if !self.signed_in => self.connection = Some(state),
            Some(event @ Event::SignedIn { .. }) => {
                self.signed_in = true;
                self.say_event(&event);
                if let Some(state) =
                    self.connection.take().filter(|it| *it != ConnectionState::Connecting)
                {
                    self.say_event(&Event::Connection(state));
                }
            }
            Some(event @ Event::Error { .. }) => {
                self.say_event(&event);
                if !self.signed_in {
                    self.refuse();
                }
            }
            Some(event) => self.say_event(&event),
        }
    }

    /// The engine is gone and gave no reason.
    fn hear_silence(&mut self) {
        self.say(output::error(
            ENGINE_STOPPED,
            "the client stopped without a reason; start it again, with --log debug",
        ));
        self.ended = Some(false);
    }

    /// The first error before the sign-in was said: it is the only one, and the program ends.
    fn refuse(&mut self) {
        self.failed = true;
        self.mute = true;
        self.leave();
    }

    /// Nobody listens any more.
    fn lose_output(&mut self) {
        self.lines.clear();
        self.failed = true;
        self.mute = true;
        self.leave();
    }

    /// The engine takes no commands any more; its last events say why.
    fn lose_engine(&mut self) {
        self.todo.clear();
        self.draining = false;
        self.reading = false;
    }

    /// Leaves now. A command that the engine did not take yet is dropped.
    fn leave(&mut self) {
        self.reading = false;
        self.draining = false;
        self.todo.clear();
        self.todo.push_back(Command::Quit);
        self.deadline.get_or_insert(Instant::now() + LEAVE_MAX);
    }

    fn say_event(&mut self, event: &Event) {
        if let Some(line) = output::event(event) {
            self.say(line);
        }
    }

    fn say(&mut self, line: String) {
        if !self.mute {
            self.lines.push_back(line);
        }
    }
}

/// Tells whether the server answers a command, once.
fn is_about_account(command: &Command) -> bool {
    matches!(
        command,
        Command::ChangePassword { .. }
            | Command::Sessions
            | Command::EndSession { .. }
            | Command::DeleteAccount { .. }
    )
}

/// Tells whether this answers such a command, as far as an event says.
fn is_answer_about_account(event: &Event) -> bool {
    let answer = matches!(
        event,
        Event::PasswordChanged
            | Event::Sessions { .. }
            | Event::SessionEnded { .. }
            | Event::AccountDeleted
            | Event::Local(_)
    );
    // an error about a message or a peer is none
    let refusal = matches!(event, Event::Error { about, .. } if *about == About::default());
    answer || refusal
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
    use std::sync::mpsc as sync;

    use client_link::api::{COMMANDS_MAX, ErrorCode};
    use serde_json::{Value, json};
    use tokio::time::timeout;
    use wire::ids::MessageId;
    use wire::size::MESSAGE_ID;

    use super::*;
    use crate::command::COMMAND_INVALID;
    use crate::lines::{self, LINE_MAX, Lines};

    /// Far beyond what any step takes; ends a test that would hang.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// The program without its arguments, around a scripted engine.
    struct World {
        stdin: Option<PipeWriter>,
        stdout: Option<PipeReader>,
        read: Vec<u8>,
        commands: mpsc::Receiver<Command>,
        events: Option<mpsc::Sender<Event>>,
        stop: Option<oneshot::Sender<()>>,
        result: sync::Receiver<(bool, Duration)>,
    }

    struct Setup {
        contacts: &'static [&'static str],
        linger: bool,
        commands_max: usize,
        /// Whether time jumps to the next deadline when nothing else is to do.
        virtual_time: bool,
    }

    const PLAIN: Setup =
        Setup { contacts: &[], linger: true, commands_max: COMMANDS_MAX, virtual_time: false };

    impl World {
        fn new(setup: Setup) -> Self {
            let (command_sender, commands) = mpsc::channel(setup.commands_max);
            let (events, event_receiver) = mpsc::channel(1024);
            let engine = Engine { commands: command_sender, events: event_receiver };
            let ((read_in, stdin), (stdout, write_out)) = (pipe().unwrap(), pipe().unwrap());
            let (stop, stopped) = oneshot::channel::<()>();
            let (tell, result) = sync::channel();
            let contacts = setup.contacts.iter().map(|&it| it.to_owned()).collect();
            let session = Session::new(contacts, setup.linger);
            std::thread::spawn(move || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime =
                    runtime.enable_time().start_paused(setup.virtual_time).build().unwrap();
                let program = async {
                    let start = Instant::now();
                    let input = lines::spawn(Lines::new(read_in)).unwrap();
                    let output = Printer::spawn(write_out).unwrap();
                    let stop = async {
                        if stopped.await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    };
                    (run(engine, input, output, session, stop).await, start.elapsed())
                };
                let outcome = runtime.block_on(async {
                    // Virtual time would jump to this deadline, too.
                    if setup.virtual_time {
                        program.await
                    } else {
                        timeout(PATIENCE, program).await.unwrap()
                    }
                });
                let _ = tell.send(outcome);
            });
            let (stdin, stdout, events, stop) =
                (Some(stdin), Some(stdout), Some(events), Some(stop));
            Self { stdin, stdout, read: Vec::new(), commands, events, stop, result }
        }

        fn signed_in(setup: Setup) -> Self {
            let mut world = Self::new(setup);
            world.tell(Event::SignedIn { user: "ann".into() });
            assert_eq!(world.line(), json!({"is": "signed-in", "user": "ann"}));
            world
        }

        fn tell(&self, event: Event) {
            self.events.as_ref().unwrap().blocking_send(event).unwrap();
        }

        fn write(&mut self, text: impl AsRef<[u8]>) {
            self.stdin.as_mut().unwrap().write_all(text.as_ref()).unwrap();
        }

        fn do_this(&mut self, command: Value) {
            self.write(format!("{command}\n"));
        }

        /// Waits for the next line of output.
        fn line(&mut self) -> Value {
            loop {
                if let Some(newline) = self.read.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = self.read.drain(..=newline).collect();
                    return serde_json::from_slice(&line).unwrap();
                }
                let mut chunk = [0; 4096];
                let length = self.stdout.as_mut().unwrap().read(&mut chunk).unwrap();
                assert!(length > 0, "the output ended");
                self.read.extend(&chunk[..length]);
            }
        }

        fn command(&mut self) -> Command {
            self.commands.blocking_recv().expect("the program still holds the engine")
        }

        /// Waits for the end; returns whether it went well, how long all took, and what was left to read.
        fn end(mut self) -> (bool, Duration, String) {
            let (ok, time) = self.result.recv_timeout(PATIENCE).expect("the program ends");
            let mut rest = String::from_utf8(self.read).unwrap();
            if let Some(mut stdout) = self.stdout.take() {
                stdout.read_to_string(&mut rest).unwrap();
            }
            (ok, time, rest)
        }
    }

    fn error(code: ErrorCode) -> Event {
        Event::Error { code, text: "do something".into(), about: About::default() }
    }

    fn message(text: &str, round: u64) -> Event {
        let (id, peer) = (MessageId([7; MESSAGE_ID]), "bob".into());
        Event::Message { id, peer, text: text.into(), sent_ms: 5, round }
    }

    fn round(number: u64) -> Event {
        Event::Round { number, seats: 2, missed: 0 }
    }

    fn open(peer: &str) -> Command {
        Command::Open { peer: peer.into() }
    }

    fn is_quit(command: &Command) -> bool {
        *command == Command::Quit
    }

    #[test]
    fn commands_wait_for_the_sign_in_and_keep_their_order() {
        let mut world = World::new(Setup { contacts: &["zoe", "-b"], commands_max: 1, ..PLAIN });
        let texts: Vec<_> = (0..500).map(|number| format!("text {number}")).collect();
        let mut stdin = world.stdin.take().unwrap();
        let all = texts.clone();
        let writer = std::thread::spawn(move || {
            for text in all {
                let send = json!({"do": "send", "peer": "zoe", "text": text, "id": text});
                writeln!(stdin, "{send}").unwrap();
            }
            stdin
        });
        world.tell(Event::Registered { user: "ann".into() });
        assert_eq!(world.line(), json!({"is": "registered", "user": "ann"}));
        assert!(world.commands.try_recv().is_err());
        world.tell(Event::SignedIn { user: "ann".into() });
        assert!(world.command() == open("zoe") && world.command() == open("-b"));
        for text in texts {
            let expected = Command::Send { peer: "zoe".into(), text: text.clone(), label: text };
            assert!(world.command() == expected);
        }
        drop(writer.join().unwrap());
        assert!(world.command() == Command::Drain { linger: true });
    }

    #[test]
    fn neither_commands_nor_input_move_before_the_sign_in() {
        let contacts = || vec!["bob".to_owned()];
        let mut talks =
            [vec![], contacts()].map(|contacts| Talk::new(Session::new(contacts, true)));
        assert!(talks.iter().all(|talk| !talk.may_read() && !talk.may_command()));
        for talk in &mut talks {
            talk.hear(Some(Event::SignedIn { user: "ann".into() }));
        }
        assert!(talks[0].may_read() && !talks[0].may_command());
        assert!(!talks[1].may_read() && talks[1].may_command(), "contacts go first");
    }

    #[test]
    fn text_goes_through_byte_for_byte_both_ways() {
        let mut world = World::signed_in(PLAIN);
        for text in [
            " \t\r\n ",
            "\0\u{1b}[2J\u{9b}\u{7f}",
            "\u{202e}שלום\u{2066}",
            "日本語 🏳️‍🌈 e\u{301}",
            "\u{feff}",
        ] {
            world.do_this(json!({"do": "send", "peer": "bob", "text": text, "id": text}));
            let expected =
                Command::Send { peer: "bob".into(), text: text.into(), label: text.into() };
            assert!(world.command() == expected);
            world.tell(message(text, 7));
            let expected =
                json!({"is": "message", "peer": "bob", "text": text, "sent_ms": 5, "round": 7});
            assert_eq!(world.line(), expected);
        }
    }

    #[test]
    fn a_refusal_before_the_sign_in_is_the_only_line() {
        let mut world = World::new(Setup { contacts: &["bob"], ..PLAIN });
        world.write("nonsense\n{\"do\":\"fly\"}\n{\"do\":\"quit\"}\n");
        world.tell(Event::Connection(ConnectionState::Connecting));
        world.tell(error(ErrorCode::WrongCredentials));
        world.tell(error(ErrorCode::NoServer));
        world.tell(Event::Connection(ConnectionState::Lost));
        assert!(is_quit(&world.command()), "no contact is opened");
        world.tell(Event::Ended { ok: false });
        let (ok, _, rest) = world.end();
        assert!(!ok);
        assert_eq!(
            rest,
            "{\"is\":\"error\",\"code\":\"wrong-credentials\",\"text\":\"do something\"}\n"
        );
    }

    #[test]
    fn an_engine_that_ends_in_silence_is_an_error() {
        for end in [Some(Event::Ended { ok: false }), None] {
            let mut world = World::new(PLAIN);
            end.into_iter().for_each(|event| world.tell(event));
            world.events = None;
            let (ok, _, rest) = world.end();
            assert!(!ok && rest.contains(ENGINE_STOPPED) && rest.lines().count() == 1, "{rest}");
        }
    }

    #[test]
    fn connection_is_told_from_the_sign_in_on() {
        let mut world = World::new(PLAIN);
        world.tell(Event::Connection(ConnectionState::Connecting));
        world.tell(Event::Connection(ConnectionState::Connected));
        world.tell(Event::SignedIn { user: "ann".into() });
        assert_eq!(world.line(), json!({"is": "signed-in", "user": "ann"}));
        assert_eq!(world.line(), json!({"is": "connection", "state": "connected"}));
        world.tell(Event::Connection(ConnectionState::Lost));
        assert_eq!(world.line(), json!({"is": "connection", "state": "lost"}));
    }

    #[test]
    fn bad_lines_are_told_and_the_rest_goes_on() {
        let mut world = World::signed_in(PLAIN);
        world.write("nonsense\n");
        world.write([vec![b'x'; LINE_MAX + 1], b"\n".to_vec()].concat());
        world.do_this(json!({"do": "open", "peer": "bob", "more": 1}));
        world.do_this(json!({"do": "open", "peer": "bob"}));
        for number in 1..=3 {
            let line = world.line();
            assert_eq!((&line["is"], &line["code"]), (&json!("error"), &json!(COMMAND_INVALID)));
            assert!(
                line["text"].as_str().unwrap().starts_with(&format!("line {number} ")),
                "{line}"
            );
        }
        assert!(world.command() == open("bob"));
    }

    #[test]
    fn errors_after_the_sign_in_go_on_until_the_engine_ends() {
        let mut world = World::signed_in(PLAIN);
        world.tell(error(ErrorCode::UnknownPeer));
        assert_eq!(world.line()["code"], "unknown-peer");
        world.do_this(json!({"do": "status"}));
        assert!(world.command() == Command::Status);
        world.tell(error(ErrorCode::SignedInElsewhere));
        world.tell(Event::Ended { ok: false });
        assert_eq!(world.line()["code"], "signed-in-elsewhere");
        let (ok, _, rest) = world.end();
        assert_eq!((ok, &rest[..]), (false, ""));
    }

    #[test]
    fn the_end_of_input_drains() {
        for linger in [true, false] {
            let mut world = World::signed_in(Setup { linger, ..PLAIN });
            world.write(r#"{"do":"open","peer":"bob"}"#);
            world.stdin = None;
            assert!(world.command() == open("bob"), "a last line needs no newline");
            assert!(world.command() == Command::Drain { linger });
            world.tell(round(1));
            world.tell(Event::Ended { ok: true });
            let (ok, _, rest) = world.end();
            assert!(ok && rest.contains(r#""number":1,"#), "{rest}");
        }
    }

    #[test]
    fn the_end_of_input_waits_for_answers_about_the_account() {
        let answers: [fn() -> Event; 2] =
            [|| Event::Sessions { sessions: vec![] }, || error(ErrorCode::WrongCredentials)];
        for answer in answers {
            let mut world = World::signed_in(Setup { linger: false, ..PLAIN });
            world.do_this(json!({"do": "sessions"}));
            world.do_this(json!({"do": "password", "old": "a", "new": "b"}));
            world.stdin = None;
            assert!(world.command() == Command::Sessions);
            assert!(matches!(world.command(), Command::ChangePassword { .. }));
            let about = About { peer: Some("bob".into()), label: None };
            let elsewhere =
                Event::Error { code: ErrorCode::UnknownPeer, text: String::new(), about };
            for event in [answer(), elsewhere, round(1)] {
                world.tell(event);
                world.line();
            }
            assert!(world.commands.try_recv().is_err(), "left before the password is changed");
            world.tell(Event::PasswordChanged);
            assert!(world.command() == Command::Drain { linger: false });
            world.tell(Event::Ended { ok: true });
            assert!(world.end().0);
        }
    }

    #[test]
    fn quit_ends_by_its_deadline_whatever_the_engine_does() {
        let mut world = World::signed_in(Setup { virtual_time: true, ..PLAIN });
        world.do_this(json!({"do": "quit"}));
        assert!(is_quit(&world.command()));
        let (ok, time, rest) = world.end();
        assert!(ok && rest.is_empty());
        assert!(time < Duration::from_secs(5), "{time:?}");
    }

    #[test]
    fn quit_is_heard_although_nobody_reads() {
        let mut world = World::signed_in(PLAIN);
        let lot = "x".repeat(16 * 1024);
        for round in 0..LINES_MAX as u64 + 16 {
            world.tell(message(&lot, round));
        }
        world.do_this(json!({"do": "quit"}));
        assert!(is_quit(&world.command()));
    }

    #[test]
    fn a_full_output_holds_up_no_ending() {
        let mut world = World::signed_in(Setup { virtual_time: true, ..PLAIN });
        world.tell(message(&"x".repeat(100_000), 1));
        world.tell(round(2));
        world.do_this(json!({"do": "quit"}));
        assert!(is_quit(&world.command()));
        let (ok, time) = world.result.recv_timeout(PATIENCE).expect("the program ends");
        assert!(ok && time < Duration::from_secs(5), "{time:?}");
    }

    #[test]
    fn a_signal_leaves_at_any_time() {
        for signed_in in [false, true] {
            let mut world = if signed_in { World::signed_in(PLAIN) } else { World::new(PLAIN) };
            world.stop.take().unwrap().send(()).unwrap();
            assert!(is_quit(&world.command()));
            world.tell(Event::Ended { ok: true });
            assert!(world.end().0);
        }
    }

    #[test]
    fn a_signal_while_draining_leaves() {
        let mut world = World::signed_in(PLAIN);
        world.stdin = None;
        assert!(world.command() == Command::Drain { linger: true });
        world.stop.take().unwrap().send(()).unwrap();
        assert!(is_quit(&world.command()));
        world.tell(Event::Ended { ok: true });
        assert!(world.end().0);
    }

    #[test]
    fn a_closed_output_ends_the_program() {
        let mut world = World::signed_in(PLAIN);
        world.stdout = None;
        world.tell(round(1));
        assert!(is_quit(&world.command()));
        world.tell(Event::Ended { ok: true });
        assert!(!world.end().0);
    }

    #[test]
    fn an_engine_that_takes_no_commands_still_has_the_last_word() {
        let mut world = World::signed_in(PLAIN);
        world.commands.close();
        world.do_this(json!({"do": "status"}));
        world.do_this(json!({"do": "status"}));
        world.tell(error(ErrorCode::Disk));
        world.tell(Event::Ended { ok: false });
        let (ok, _, rest) = world.end();
        assert!(!ok && rest.contains(r#""code":"disk""#), "{rest}");
    }
}
