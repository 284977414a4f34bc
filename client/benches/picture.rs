//! Measures what people wait for on the main screen: `cargo bench -p client --bench picture`.

mod stage;

use std::time::{Duration, Instant};

use client::args::ThemeChoice;
use client::screen::main::Message;
use client::theme;
use iced::theme::Mode;
use iced::widget::text_editor::{Action, Edit};
use stage::{Screen, Stage, written};

/// Messages of the conversation.
const MESSAGES: u64 = 10_000;

/// Keystrokes that are measured.
const KEYS: usize = 20;

fn main() {
    let theme = theme::theme(ThemeChoice::Light, Mode::Light);
    println!(
        "milliseconds, the median and (the worst): until it is laid out, and until all is drawn"
    );
    for (width, height) in [(980.0, 700.0), (3840.0, 2160.0)] {
        let mut stage = Stage::new(written(MESSAGES));
        for number in 0..1000 {
            stage.befriend(&format!("contact{number:04}"));
        }
        let names = (0..100_000).map(|number| format!("person{number:06}")).collect();
        stage.tell(client_link::api::Event::Listed { names });
        stage.live(&["bob"]);
        let mut screen = Screen::new(width, height, 1.0);
        screen.lay_out(&mut stage, &theme);
        let _ = screen.draw(&theme);
        let opened = measure(&mut stage, &mut screen, Message::PersonPressed("bob".into()));
        print(width, height, "opening the conversation", &[opened]);
        let keys = || (0..KEYS).map(|_| Message::DraftEdited(Action::Edit(Edit::Insert('x'))));
        let typed: Vec<_> = keys().map(|key| measure(&mut stage, &mut screen, key)).collect();
        print(width, height, "a key, 50 messages loaded", &typed);
        while stage.main.loaded() < MESSAGES as usize {
            stage.happen(Message::OlderPressed);
        }
        screen.lay_out(&mut stage, &theme);
        let typed: Vec<_> = keys().map(|key| measure(&mut stage, &mut screen, key)).collect();
        print(width, height, "a key, 10,000 messages loaded", &typed);
        let arrived: Vec<_> = (0..KEYS as u64)
            .map(|number| measured(&mut stage, &mut screen, |it| it.say("bob", number, "hello")))
            .collect();
        print(width, height, "a message, 10,000 loaded", &arrived);
    }
}

/// Has something happen on the screen; returns what [`measured`] does.
fn measure(stage: &mut Stage, screen: &mut Screen, message: Message) -> (Duration, Duration) {
    measured(stage, screen, |stage| drop(stage.happen(message)))
}

/// Has something happen; returns how long it takes until it is laid out, and until all of the picture is drawn.
fn measured(
    stage: &mut Stage,
    screen: &mut Screen,
    work: impl FnOnce(&mut Stage),
) -> (Duration, Duration) {
    let theme = theme::theme(ThemeChoice::Light, Mode::Light);
    let start = Instant::now();
    work(stage);
    screen.lay_out(stage, &theme);
    let laid_out = start.elapsed();
    let _ = screen.draw(&theme);
    (laid_out, start.elapsed())
}

fn print(width: f32, height: f32, what: &str, measured: &[(Duration, Duration)]) {
    let of = |which: fn(&(Duration, Duration)) -> Duration| {
        let mut times: Vec<_> = measured.iter().map(which).collect();
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        format!("{:>6.1} ({:>6.1})", ms(median), ms(worst))
    };
    let (laid_out, drawn) = (of(|it| it.0), of(|it| it.1));
    println!("{width:>4} x {height:<4} {what:<29} {laid_out}  {drawn}");
}
