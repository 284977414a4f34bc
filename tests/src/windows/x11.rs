//! The X server as this program asks it: where windows are, what is in them, who has the keyboard.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, ImageFormat, Keycode,
    Keysym, Window,
};
use x11rb::rust_connection::RustConnection;

/// Pause between two looks at something of which X sends no notice here.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Keysyms of Unicode begin here; those of Latin-1 are the characters themselves.
const UNICODE: Keysym = 0x0100_0000;

/// Keysyms of players, browsers and the like begin here.
const MEDIA: Keysym = 0x1008_0000;

/// A connection to an X server.
pub(super) struct X11 {
    connection: RustConnection,
    root: Window,
    client_list: Atom,
    window_pid: Atom,
    active: Atom,
    protocols: Atom,
    delete: Atom,
    /// Keys that have other characters for now, and what was on them.
    borrowed: Vec<(Keycode, Vec<Keysym>)>,
}

impl X11 {
    /// Connects to a display such as `:7`.
    pub(super) fn connect(display: &str) -> anyhow::Result<Self> {
        let (connection, screen) = RustConnection::connect(Some(display))
            .with_context(|| format!("cannot reach the X display {display}"))?;
        let root = connection.setup().roots[screen].root;
        let atom = |name: &str| -> anyhow::Result<Atom> {
            Ok(connection.intern_atom(false, name.as_bytes())?.reply()?.atom)
        };
        Ok(Self {
            root,
            client_list: atom("_NET_CLIENT_LIST")?,
            window_pid: atom("_NET_WM_PID")?,
            active: atom("_NET_ACTIVE_WINDOW")?,
            protocols: atom("WM_PROTOCOLS")?,
            delete: atom("WM_DELETE_WINDOW")?,
            borrowed: Vec::new(),
            connection,
        })
    }

    /// Waits until a window manager keeps the list of windows.
    pub(super) fn await_manager(&self, deadline: Instant) -> anyhow::Result<()> {
        let name = b"_NET_SUPPORTING_WM_CHECK";
        let check = self.connection.intern_atom(false, name)?.reply()?.atom;
        until(deadline, "a window manager", || {
            Ok((!self.longs(self.root, check)?.is_empty()).then_some(()))
        })
    }

    /// Gives characters that no key has keys of their own, so that typing one changes no keymap under
    /// the programs that read it.
    ///
    /// They take the place of keys that nothing is on, or only what starts players and the like, and are
    /// given back when this is dropped.
    pub(super) fn add_keys(&mut self, texts: &[&str]) -> anyhow::Result<()> {
        let setup = self.connection.setup();
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let keys = self.connection.get_keyboard_mapping(first, last - first + 1)?.reply()?;
        let per_key = usize::from(keys.keysyms_per_keycode);
        let known: BTreeSet<_> = keys.keysyms.iter().copied().collect();
        let is_free = |key: &[Keysym]| key.iter().all(|it| *it == 0 || *it >= MEDIA);
        let mut free =
            keys.keysyms.chunks(per_key).zip(first..=last).filter(|(key, _)| is_free(key));
        let wanted: BTreeSet<_> = texts.iter().flat_map(|text| text.chars()).map(keysym).collect();
        for keysym in wanted.difference(&known) {
            let (before, code) =
                free.next().context("the keyboard has no room for the characters")?;
            self.borrowed.push((code, before.to_vec()));
            // plain and with Shift
            self.put_on_key(code, &[*keysym; 2])?;
        }
        Ok(())
    }

    /// Returns the window of a process, if the window manager shows one already.
    pub(super) fn window_of(&self, process: u32) -> anyhow::Result<Option<Window>> {
        for window in self.longs(self.root, self.client_list)? {
            // it may be gone in the meantime
            if self.longs(window, self.window_pid).is_ok_and(|pid| pid.contains(&process)) {
                return Ok(Some(window));
            }
        }
        Ok(None)
    }

    /// Returns where a point of a window is on the screen.
    pub(super) fn on_screen(&self, window: Window, x: i16, y: i16) -> anyhow::Result<(i16, i16)> {
        let place = self.connection.translate_coordinates(window, self.root, x, y)?.reply()?;
        Ok((place.dst_x, place.dst_y))
    }

    /// Returns the width and height of a window.
    pub(super) fn size(&self, window: Window) -> anyhow::Result<(u16, u16)> {
        let geometry = self.connection.get_geometry(window)?.reply()?;
        Ok((geometry.width, geometry.height))
    }

    /// Returns the pixels of a window, each in equally many bytes; `None` while it is not on the screen.
    pub(super) fn pixels(&self, window: Window) -> anyhow::Result<Option<Pixels>> {
        let (width, height) = self.size(window)?;
        let image = self.connection.get_image(
            ImageFormat::Z_PIXMAP,
            window,
            0,
            0,
            width,
            height,
            u32::MAX,
        )?;
        let Ok(image) = image.reply() else { return Ok(None) };
        let of_one = image.data.len() / (usize::from(width) * usize::from(height)).max(1);
        Ok(Some(Pixels { data: image.data, of_one }))
    }

    /// Waits until a window has the keyboard.
    pub(super) fn await_active(&self, window: Window, deadline: Instant) -> anyhow::Result<()> {
        until(deadline, "the window to get the keyboard", || {
            let focus = self.connection.get_input_focus()?.reply()?.focus;
            let is_active = self.longs(self.root, self.active)?.contains(&window);
            Ok((is_active && focus == window).then_some(()))
        })
    }

    /// Asks a window to close, as a click on the cross in its corner does.
    pub(super) fn ask_to_close(&self, window: Window) -> anyhow::Result<()> {
        let data = [self.delete, x11rb::CURRENT_TIME, 0, 0, 0];
        let event = ClientMessageEvent::new(32, window, self.protocols, data);
        self.connection.send_event(false, window, EventMask::NO_EVENT, event)?.check()?;
        Ok(())
    }

    fn put_on_key(&self, code: Keycode, keysyms: &[Keysym]) -> anyhow::Result<()> {
        let per_key = u8::try_from(keysyms.len())?;
        self.connection.change_keyboard_mapping(1, code, per_key, keysyms)?.check()?;
        Ok(())
    }

    fn longs(&self, window: Window, property: Atom) -> anyhow::Result<Vec<u32>> {
        let any = AtomEnum::ANY;
        let reply = self.connection.get_property(false, window, property, any, 0, 1024)?.reply()?;
        Ok(reply.value32().map(Iterator::collect).unwrap_or_default())
    }
}

impl Drop for X11 {
    fn drop(&mut self) {
        for (code, keysyms) in &self.borrowed {
            // a display that is gone has no keys
            let _ = self.put_on_key(*code, keysyms);
        }
    }
}

/// What a window shows.
#[derive(PartialEq)]
pub(super) struct Pixels {
    data: Vec<u8>,
    of_one: usize,
}

impl Pixels {
    /// Tells whether there is a picture: not all of it has one colour.
    pub(super) fn are_a_picture(&self) -> bool {
        let mut pixels = self.data.chunks_exact(self.of_one.max(1));
        pixels.next().is_some_and(|first| pixels.any(|other| other != first))
    }
}

/// Looks again and again until there is something.
///
/// # Errors
/// After the deadline.
pub(super) fn until<T>(
    deadline: Instant,
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited too long for {what}");
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn keysym(character: char) -> Keysym {
    let code = u32::from(character);
    if code < 0x100 { code } else { UNICODE + code }
}
