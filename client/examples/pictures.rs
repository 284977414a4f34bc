//! Draws the main screen in many states and sizes, as PPM files: `cargo run -p client --example pictures -- DIRECTORY`.

#[path = "../benches/stage/mod.rs"]
mod stage;

use std::path::Path;

use client::args::ThemeChoice;
use client::screen::main::{Find, Message, Pick, Way};
use client::theme;
use client_link::api::{
    ConnectionState, ContactStatus, Event, Hit, LocalEvent, MessageState, Standing,
};
use iced::theme::Mode;
use iced::widget::text_editor::{Action, Edit};
use stage::{NOW_MS, Screen, Stage, written};

/// A name and what makes the picture.
type Scene = (&'static str, fn() -> Stage);

fn main() {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "/tmp/pictures".into());
    let dir = Path::new(&dir);
    std::fs::create_dir_all(dir).expect("the directory can be made");
    let sizes = [(320.0, 400.0, 2.0), (980.0, 700.0, 1.0), (3840.0, 2160.0, 1.0)];
    let scenes: [Scene; 9] = [
        ("empty", empty),
        ("list", list),
        ("chat", chat),
        ("chosen", chosen),
        ("link", link),
        ("emoji", emoji),
        ("search", search),
        ("menu", menu),
        ("lost", lost),
    ];
    for (name, scene) in scenes {
        for (width, height, scale) in sizes {
            for (mode, colours) in [(Mode::Light, "light"), (Mode::Dark, "dark")] {
                let is_once = width > 1000.0 && (mode == Mode::Dark || name != "chat");
                if is_once {
                    continue;
                }
                let theme = theme::theme(ThemeChoice::System, mode);
                let (mut screen, mut stage) = (Screen::new(width, height, scale), scene());
                screen.lay_out(&mut stage, &theme);
                let (pixels, size) = screen.draw(&theme);
                let file = dir.join(format!("{name}-{width}-{colours}.ppm"));
                let picture = pixels.chunks_exact(4).flat_map(|it| [it[0], it[1], it[2]]);
                let head = format!("P6 {} {} 255\n", size.width, size.height);
                let bytes: Vec<u8> = head.into_bytes().into_iter().chain(picture).collect();
                std::fs::write(file, bytes).expect("the file can be made");
            }
        }
    }
}

fn empty() -> Stage {
    Stage::new(Vec::new())
}

fn list() -> Stage {
    let mut stage = Stage::new(written(60));
    let names = ["cid", "zoe.w", "dan", "eve_of_the_long_name_that_is_32ch", "fay"];
    let names = names.iter().map(|&name| name.to_owned()).collect();
    stage.tell(Event::Listed { names });
    let standing = Standing::Contact;
    let peer = "eve_of_the_long_name_that_is_32ch".to_owned();
    stage.tell(Event::Contact(ContactStatus { peer, standing, verified: true }));
    stage.say("zoe.w", 1, "Did you see what they wrote about the bridge? I could not believe it.");
    stage.say("zoe.w", 2, "Call me when you are back");
    stage.befriend("zoe.w");
    stage.tell(Event::Request { peer: "dan".into() });
    stage.live(&["bob"]);
    stage
}

fn chat() -> Stage {
    let mut stage = list();
    stage.say("bob", 1, "New while you were away");
    stage.happen(Message::PersonPressed("bob".into()));
    for (number, text) in ["One more thing", "and I am off: www.example.org"].iter().enumerate() {
        let paste = Edit::Paste(std::sync::Arc::new((*text).to_owned()));
        stage.happen(Message::DraftEdited(Action::Edit(paste)));
        stage.happen(Message::SendPressed);
        let _ = number;
    }
    stage.say("bob", 2, &"A long text that goes on and on. ".repeat(20));
    let paste = Edit::Paste(std::sync::Arc::new("being written …".to_owned()));
    stage.happen(Message::DraftEdited(Action::Edit(paste)));
    stage
}

fn chosen() -> Stage {
    let mut stage = chat();
    stage.happen(Message::ChooseMoved { back: true });
    stage.happen(Message::ChooseMoved { back: true });
    stage.happen(Message::DetailsPressed);
    stage
}

fn link() -> Stage {
    let mut stage = list();
    stage.happen(Message::PersonPressed("bob".into()));
    stage.say("bob", 5, "https://bücher.example/a/rather/long/path?with=words&and=more");
    let number = stage.main.loaded() as u64;
    stage.happen(Message::Link(Way::Pressed(number, 0)));
    stage
}

fn emoji() -> Stage {
    let mut stage = chat();
    stage.happen(Message::Emoji(Pick::Toggle));
    stage
}

fn search() -> Stage {
    let mut stage = chat();
    stage.happen(Message::Find(Find::Begin { everywhere: true }));
    stage.happen(Message::Find(Find::Typed("cake".into())));
    let hit = |cursor: u64, is_ours| Hit {
        peer: "bob".into(),
        cursor,
        is_ours,
        text: "Yes, at eight. I bring what is left of the cake, and the book that you lent me"
            .into(),
        sent_ms: NOW_MS - 3_600_000 * cursor,
    };
    let hits = vec![hit(3, true), hit(20, false), hit(500, false)];
    let found = LocalEvent::Found { number: 1, hits, read: 5000, of: 20_000, done: false };
    stage.tell(Event::Local(found));
    stage
}

fn menu() -> Stage {
    let mut stage = chat();
    stage.happen(Message::MenuPressed);
    stage
}

fn lost() -> Stage {
    let mut stage = chat();
    stage.tell(Event::Connection(ConnectionState::Lost));
    stage.tell(Event::RetryIn { ms: 8000 });
    let label = "none".to_owned();
    let state = MessageState::Queued;
    stage.tell(Event::State { label, peer: "bob".into(), state, round: None });
    stage
}
