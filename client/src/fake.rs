//! A scripted engine for the tests of the window, and the window around it.

use std::sync::{Arc, Mutex};

use client_link::api::{COMMANDS_MAX, Command, Event, Local, Options};
use client_link::engine::Engine;
use client_link::profile::Profile;
use iced::futures::{FutureExt as _, StreamExt as _};
use iced::{Element, Size};
use iced_test::core::{Event as Input, keyboard};
use iced_test::runtime::Action;
use iced_test::runtime::task::into_stream;
use iced_test::simulator::{Simulator, press_key, release_key};
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use wire::account::Stretching;
use wire::link::{Link, Pin};

use crate::app::{App, Message, Setup};
use crate::connection::Starter;
use crate::event_log::EventLog;
use crate::notify::Notifier;
use crate::present::Here;
use crate::remember::Remembered;

/// An engine whose every word the test says.
pub(crate) struct Fake {
    pub(crate) options: Options,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
}

impl Fake {
    /// Returns the commands that were given since the last time.
    pub(crate) fn commands(&mut self) -> Vec<Command> {
        std::iter::from_fn(|| self.commands.try_recv().ok()).collect()
    }

    /// Says something.
    pub(crate) fn tell(&self, event: Event) {
        self.events.try_send(event).expect("the window listens");
    }
}

/// A desktop that only writes down what it is to show.
#[derive(Clone, Default)]
struct Notices(Arc<Mutex<Vec<String>>>);

impl Notifier for Notices {
    fn show(&self, words: String) {
        self.0.lock().unwrap().push(words);
    }

    fn clear(&self) {
        self.0.lock().unwrap().push(String::new());
    }
}

/// Makes an engine and its other side.
fn engine(options: Options) -> (Engine, Fake) {
    let (send_commands, commands) = mpsc::channel(COMMANDS_MAX);
    let (events, receive_events) = mpsc::channel(1024);
    let engine = Engine { commands: send_commands, events: receive_events };
    (engine, Fake { options, commands, events })
}

/// The whole window without a display: the app, and the engines that it started.
pub(crate) struct Window {
    pub(crate) app: App,
    pub(crate) dir: TempDir,
    /// Whether the app asked to end the program.
    pub(crate) has_exited: bool,
    engines: Arc<Mutex<Vec<Fake>>>,
    notices: Notices,
    /// How large it is.
    pub(crate) size: Size,
    runtime: Runtime,
}

/// The link of the server that does not exist.
pub(crate) fn link() -> Link {
    Link { host: "chat.example.org".into(), port: 4433, pin: Pin([7; 32]) }
}

/// Makes a directory in which an account was remembered, and has a profile that nobody opens.
pub(crate) fn profile_of(user: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let user = user.parse().unwrap();
    let profile = dir.path().join(Profile::directory_name(&link(), &user));
    std::fs::create_dir(&profile).unwrap();
    std::fs::write(profile.join("profile"), "").unwrap();
    let remembered = Remembered { link: Some(link()), user: Some(user), ..Remembered::default() };
    remembered.write(dir.path()).unwrap();
    dir
}

impl Window {
    /// Opens it on a machine that knows nothing yet.
    pub(crate) fn open() -> Self {
        Self::open_with(TempDir::new().unwrap(), |_| ())
    }

    /// Opens it in a directory, with other arguments.
    pub(crate) fn open_with(dir: TempDir, change: impl FnOnce(&mut Setup)) -> Self {
        let engines: Arc<Mutex<Vec<Fake>>> = Arc::default();
        let started = Arc::clone(&engines);
        let starter: Starter = Arc::new(move |options| {
            let (engine, fake) = engine(options);
            started.lock().unwrap().push(fake);
            engine
        });
        let notices = Notices::default();
        let mut setup = Setup {
            starter,
            stretching: Stretching { memory_kib: 32, passes: 1, lanes: 1 },
            dir: dir.path().to_owned(),
            instance: None,
            remembered: Remembered::read(dir.path()),
            link: None,
            user: None,
            at_once: None,
            documents: dir.path().to_owned(),
            theme: None,
            log: EventLog::default(),
            here: Here { unix_ms: 0, zone: TimeZone::UTC },
            notifier: Box::new(notices.clone()),
        };
        change(&mut setup);
        let (app, _) = App::new(setup);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let size = Size::new(1000.0, 900.0);
        Self { app, dir, has_exited: false, engines, notices, size, runtime }
    }

    /// Returns how many engines were started.
    pub(crate) fn engines(&self) -> usize {
        self.engines.lock().unwrap().len()
    }

    /// Does something with the engine that was started last.
    pub(crate) fn engine<T>(&self, work: impl FnOnce(&mut Fake) -> T) -> T {
        work(self.engines.lock().unwrap().last_mut().expect("an engine was started"))
    }

    /// Has the engine say something, and the window hear it.
    pub(crate) fn tell(&mut self, event: Event) {
        self.engine(|engine| engine.tell(event));
        if let Some(message) = self.app.take_told() {
            self.update(message);
        }
    }

    /// Has the engine end without a word, as one does whose thread breaks.
    pub(crate) fn break_engine(&mut self) {
        drop(self.engines.lock().unwrap().pop());
        if let Some(message) = self.app.take_told() {
            self.update(message);
        }
    }

    /// Has the engine of an earlier attempt say something.
    pub(crate) fn tell_of(&mut self, number: u64, event: Event) {
        self.update(Message::Told(number, vec![event]));
    }

    /// Returns the commands that the engine was given, drafts apart.
    pub(crate) fn commands(&self) -> Vec<Command> {
        let commands = self.engine(Fake::commands);
        commands
            .into_iter()
            .filter(|it| !matches!(it, Command::Local(Local::Draft { .. })))
            .collect()
    }

    /// Returns the drafts that the engine was given, and forgets all other commands.
    pub(crate) fn drafts(&self) -> Vec<(String, String)> {
        let commands = self.engine(Fake::commands).into_iter();
        let draft = |command| match command {
            Command::Local(Local::Draft { peer, text }) => Some((peer, text)),
            _ => None,
        };
        commands.filter_map(draft).collect()
    }

    /// Gives the window another size.
    pub(crate) fn resize(&mut self, width: f32, height: f32) {
        self.size = Size::new(width, height);
    }

    /// Tells whether something can be seen, and nothing of it lies outside of the window.
    pub(crate) fn fits(&self, id: &str) -> bool {
        let found = self.simulator().find(iced::widget::selector::id(id.to_owned()));
        found.is_ok_and(|it| {
            let (all, seen) = (it.bounds(), it.visible_bounds().unwrap_or_default());
            all.width - seen.width < 0.1 && all.height - seen.height < 0.1
        })
    }

    /// Returns what the desktop was told since the last time; nothing where it was to take that away.
    pub(crate) fn notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.0.lock().unwrap())
    }

    /// Tells whether a text is to be seen, as a whole.
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.simulator().find(text).is_ok()
    }

    /// Tells whether something is there.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.simulator().find(iced::widget::selector::id(id.to_owned())).is_ok()
    }

    /// Clicks on something.
    pub(crate) fn click(&mut self, id: &str) {
        self.input(id, |_| ());
    }

    /// Clicks on something twice before the window has drawn itself anew, and at once on what is there then.
    pub(crate) fn double_click(&mut self, id: &str) {
        let bounds =
            self.simulator().find(iced::widget::selector::id(id.to_owned())).unwrap().bounds();
        self.input(id, |simulator| drop(simulator.simulate(iced_test::simulator::click())));
        let mut simulator = self.simulator();
        simulator.point_at(bounds.center());
        drop(simulator.simulate(iced_test::simulator::click()));
        let messages: Vec<_> = simulator.into_messages().collect();
        messages.into_iter().for_each(|message| self.update(message));
    }

    /// Clicks into a field and types behind what is there.
    pub(crate) fn type_into(&mut self, id: &str, text: &str) {
        self.input(id, |simulator| {
            tap(simulator, keyboard::key::Named::End, keyboard::Modifiers::CTRL);
            let _ = simulator.typewrite(text);
        });
    }

    /// Clicks into a field and presses a key.
    pub(crate) fn press(
        &mut self,
        id: &str,
        key: keyboard::key::Named,
        modifiers: keyboard::Modifiers,
    ) {
        self.input(id, |simulator| tap(simulator, key, modifiers));
    }

    /// Clicks into a field and presses a key that has a sign, with Ctrl, as a keyboard does.
    pub(crate) fn press_sign(&mut self, id: &str, sign: &str) {
        self.input(id, |simulator| {
            let key = keyboard::Key::Character(sign.into());
            let mut press = press_key(key, Some(sign.into()));
            if let Input::Keyboard(keyboard::Event::KeyPressed { modifiers, .. }) = &mut press {
                *modifiers = keyboard::Modifiers::CTRL;
            }
            drop(simulator.simulate([press]));
        });
    }

    /// Draws it as wide and high as a window of so many pixels at its size of text, into a PNG.
    pub(crate) fn picture(&mut self, size: Size, path: &str) {
        let before = std::mem::replace(&mut self.size, size * (1.0 / self.app.scale_factor()));
        self.app.settle();
        let picture = self.simulator().snapshot(&self.app.theme()).unwrap();
        let _ = std::fs::remove_file(format!("{path}-tiny-skia.png"));
        assert!(picture.matches_image(path).unwrap());
        self.size = before;
    }

    /// Has the app take in a message, and whatever its tasks answer at once.
    pub(crate) fn update(&mut self, message: Message) {
        let task = self.app.update(message);
        let Some(mut actions) = into_stream(task) else { return };
        let _entered = self.runtime.enter();
        // a task begins by letting others go first
        let mut waited = 0;
        while waited < 2 {
            match actions.next().now_or_never() {
                Some(Some(Action::Output(message))) => self.update(message),
                Some(Some(Action::Exit)) => self.has_exited = true,
                // nobody answers these here
                Some(Some(_)) => (),
                Some(None) => break,
                None => waited += 1,
            }
        }
    }

    fn input(&mut self, id: &str, more: impl FnOnce(&mut Simulator<'_, Message>)) {
        self.app.settle();
        let mut simulator = self.simulator();
        let clicked = simulator.click(iced::widget::selector::id(id.to_owned()));
        clicked.unwrap_or_else(|error| panic!("nothing is named {id}: {error}"));
        more(&mut simulator);
        let messages: Vec<_> = simulator.into_messages().collect();
        for message in messages {
            self.update(message);
        }
    }

    fn simulator(&self) -> Simulator<'_, Message> {
        let view: Element<'_, Message> = self.app.view();
        Simulator::with_size(iced::Settings::default(), self.size, view)
    }
}

fn tap(
    simulator: &mut Simulator<'_, Message>,
    key: keyboard::key::Named,
    modifiers: keyboard::Modifiers,
) {
    let mut press = press_key(key, None);
    if let Input::Keyboard(keyboard::Event::KeyPressed { modifiers: held, .. }) = &mut press {
        *held = modifiers;
    }
    drop(simulator.simulate([press, release_key(key)]));
}
