//! A later start of the program: the window comes to the front, with the link of that start.

use iced::window::{self, UserAttention};
use iced::{Task, window::Id};

use super::{App, Message, Screen, begin};
use crate::screen::connect;
use crate::words;

impl App {
    /// Comes to the front, and fills in a link where a server is asked for.
    pub(super) fn raised(&mut self, link: Option<String>) -> Task<Message> {
        let taken = link.map_or_else(Task::none, |link| self.take_link(link));
        Task::batch([to_front(), taken])
    }

    fn take_link(&mut self, given: String) -> Task<Message> {
        let server = connect::read(&given).ok();
        let is_here = server.is_some() && server == self.link;
        match &mut self.screen {
            Screen::Main(main) => {
                main.say(words::raised::signed_in(is_here).into());
                Task::none()
            }
            // what was typed stays where it belongs, and an attempt goes on
            Screen::SignIn(_) | Screen::Register(_) | Screen::Unlock(_)
                if is_here || self.session.is_some() =>
            {
                Task::none()
            }
            Screen::Connect(_)
            | Screen::SignIn(_)
            | Screen::Register(_)
            | Screen::Unlock(_)
            | Screen::Stopped(..) => {
                let (screen, link) = begin::first(Some(given), &self.remembered, None, &self.dir);
                self.link = link;
                self.show(screen)
            }
        }
    }
}

/// Asks the desktop to show the window; where it does not let a program do that, it marks the window instead.
fn to_front() -> Task<Message> {
    window::latest().and_then(|window: Id| {
        Task::batch([
            window::minimize(window, false),
            window::gain_focus(window),
            window::request_user_attention(window, Some(UserAttention::Informational)),
        ])
    })
}

#[cfg(test)]
mod tests {
    use client_link::api::Event;
    use iced::futures::StreamExt as _;
    use iced::futures::executor::block_on;
    use iced_test::runtime::Action;
    use iced_test::runtime::task::into_stream;
    use iced_test::runtime::window::Action as Deed;
    use tempfile::TempDir;
    use wire::link::Link;

    use super::*;
    use crate::fake::{Window, link};
    use crate::remember::Remembered;

    fn raise(window: &mut Window, link: &Link) {
        window.update(Message::Raised(Some(link.to_string())));
    }

    fn other() -> Link {
        Link { host: "other.example.org".into(), ..link() }
    }

    #[test]
    fn the_window_comes_to_the_front() {
        let mut actions = into_stream(to_front()).unwrap();
        let mut deeds = Vec::new();
        while let Some(action) = block_on(actions.next()) {
            match action {
                Action::Window(Deed::GetLatest(channel)) => {
                    channel.send(Some(Id::unique())).unwrap();
                }
                Action::Window(Deed::Minimize(_, false)) => deeds.push("back from the taskbar"),
                Action::Window(Deed::GainFocus(_)) => deeds.push("focus"),
                Action::Window(Deed::RequestUserAttention(_, Some(_))) => deeds.push("mark"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(deeds, ["back from the taskbar", "focus", "mark"]);
    }

    #[test]
    fn the_link_of_a_later_start_is_filled_in() {
        let mut window = Window::open();
        raise(&mut window, &link());
        assert!(window.shows(&link().to_string()));
        window.click("to-sign-in");
        window.type_into("name", "ann");
        raise(&mut window, &link());
        assert!(window.shows("ann"), "the form is that of the server already");
        window.update(Message::Raised(None));
        assert!(window.shows("ann"));
        raise(&mut window, &other());
        assert!(window.shows(&other().to_string()));
    }

    #[test]
    fn the_server_of_the_last_time_needs_no_look_at_its_link() {
        let dir = TempDir::new().unwrap();
        Remembered { link: Some(link()), ..Remembered::default() }.write(dir.path()).unwrap();
        let mut window = Window::open_with(dir, |setup| setup.link = Some(other().to_string()));
        raise(&mut window, &link());
        assert!(window.has("sign-in"));
    }

    #[test]
    fn a_bad_link_of_a_later_start_is_said_to_be_bad() {
        let mut window = Window::open();
        window.update(Message::Raised(Some("iirs://h/#abc".into())));
        assert!(window.shows("iirs://h/#abc"));
        assert!(window.shows(words::connect::wrong(wire::link::LinkError::Port)));
    }

    #[test]
    fn an_attempt_and_a_session_go_on() {
        let mut window = Window::open();
        raise(&mut window, &link());
        window.click("to-sign-in");
        window.type_into("name", "ann");
        window.type_into("password", "a good long password");
        window.click("sign-in");
        raise(&mut window, &other());
        assert!(window.has("cancel") && window.engines() == 1);
        window.tell(Event::SignedIn { user: "ann".into() });
        window.commands();
        raise(&mut window, &link());
        assert!(window.shows(words::raised::signed_in(true)));
        window.click("notice");
        raise(&mut window, &other());
        assert!(window.shows(words::raised::signed_in(false)));
        assert!(window.commands().is_empty());
    }
}
