//! The icons of the window: letters of a small font that the program brings along.
//!
//! The font is a part of [Lucide](https://lucide.dev), under the ISC licence; `client/assets/icons/subset` makes it.

use iced::Font;
use iced::widget::{Text, text};

/// The font's file, which the program loads when it starts.
pub const FONT_FILE: &[u8] = include_bytes!("../assets/icons/icons.ttf");

/// The name that the font has in that file.
const FONT: Font = Font::with_name("lucide");

/// A picture that stands beside words or, where there is no room for them, in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// An arrow to the left.
    Back,
    /// A bell.
    Bell,
    /// A bell, crossed out.
    BellOff,
    /// A tick.
    Check,
    /// Two ticks.
    CheckCheck,
    /// A corner that points down.
    ChevronDown,
    /// A corner that points up.
    ChevronUp,
    /// A clock.
    Clock,
    /// A cross.
    Close,
    /// Two sheets.
    Copy,
    /// An arrow down, into a tray.
    Download,
    /// An eye.
    Eye,
    /// An eye, crossed out.
    EyeOff,
    /// A clock that runs back.
    History,
    /// The letter i in a circle.
    Info,
    /// A keyboard.
    Keyboard,
    /// Two links of a chain.
    Link,
    /// A padlock.
    Lock,
    /// An arrow out of a door.
    LogOut,
    /// Three lines.
    Menu,
    /// A telephone.
    Phone,
    /// A plus.
    Plus,
    /// A magnifying glass.
    Search,
    /// A paper plane.
    Send,
    /// A cogwheel.
    Settings,
    /// A shield with an exclamation mark.
    ShieldAlert,
    /// A shield with a tick.
    ShieldCheck,
    /// A face that smiles.
    Smile,
    /// A bin.
    Trash,
    /// A person and a plus.
    UserPlus,
    /// Two persons.
    Users,
    /// Radio waves, crossed out.
    WifiOff,
}

impl Icon {
    /// The icon's place in the font, which Lucide keeps from version to version.
    const fn letter(self) -> char {
        match self {
            Self::Back => '\u{e048}',
            Self::Bell => '\u{e059}',
            Self::BellOff => '\u{e05a}',
            Self::Check => '\u{e06c}',
            Self::CheckCheck => '\u{e38e}',
            Self::ChevronDown => '\u{e06d}',
            Self::ChevronUp => '\u{e070}',
            Self::Clock => '\u{e087}',
            Self::Close => '\u{e1b2}',
            Self::Copy => '\u{e09e}',
            Self::Download => '\u{e0b2}',
            Self::Eye => '\u{e0ba}',
            Self::EyeOff => '\u{e0bb}',
            Self::History => '\u{e1f5}',
            Self::Info => '\u{e0f9}',
            Self::Keyboard => '\u{e284}',
            Self::Link => '\u{e102}',
            Self::Lock => '\u{e10b}',
            Self::LogOut => '\u{e10e}',
            Self::Menu => '\u{e115}',
            Self::Phone => '\u{e133}',
            Self::Plus => '\u{e13d}',
            Self::Search => '\u{e151}',
            Self::Send => '\u{e152}',
            Self::Settings => '\u{e154}',
            Self::ShieldAlert => '\u{e1fe}',
            Self::ShieldCheck => '\u{e1ff}',
            Self::Smile => '\u{e164}',
            Self::Trash => '\u{e18e}',
            Self::UserPlus => '\u{e1a2}',
            Self::Users => '\u{e1a4}',
            Self::WifiOff => '\u{e1af}',
        }
    }
}

/// Draws an icon as text: size and colour are those of the text around unless set on it.
pub fn icon<'a>(name: Icon) -> Text<'a> {
    // as high as it is wide, so that it sits in the middle of a row
    text(name.letter()).font(FONT).line_height(1.0).shaping(text::Shaping::Basic)
}

#[cfg(test)]
mod tests {
    use ttf_parser::{Face, name_id};

    use super::*;

    /// Every icon, with the name of its glyph.
    const GLYPHS: [(Icon, &str); 32] = [
        (Icon::Back, "arrow-left"),
        (Icon::Bell, "bell"),
        (Icon::BellOff, "bell-off"),
        (Icon::Check, "check"),
        (Icon::CheckCheck, "check-check"),
        (Icon::ChevronDown, "chevron-down"),
        (Icon::ChevronUp, "chevron-up"),
        (Icon::Clock, "clock-4"),
        (Icon::Close, "x"),
        (Icon::Copy, "copy"),
        (Icon::Download, "download"),
        (Icon::Eye, "eye"),
        (Icon::EyeOff, "eye-off"),
        (Icon::History, "history"),
        (Icon::Info, "info"),
        (Icon::Keyboard, "keyboard"),
        (Icon::Link, "link"),
        (Icon::Lock, "lock"),
        (Icon::LogOut, "log-out"),
        (Icon::Menu, "menu"),
        (Icon::Phone, "phone"),
        (Icon::Plus, "plus"),
        (Icon::Search, "search"),
        (Icon::Send, "send"),
        (Icon::Settings, "settings"),
        (Icon::ShieldAlert, "shield-alert"),
        (Icon::ShieldCheck, "shield-check"),
        (Icon::Smile, "face-slightly-smiling"),
        (Icon::Trash, "trash-2"),
        (Icon::UserPlus, "user-plus"),
        (Icon::Users, "users"),
        (Icon::WifiOff, "wifi-off"),
    ];

    #[test]
    fn every_icon_is_in_the_font_and_nothing_else() {
        let face = Face::parse(FONT_FILE, 0).unwrap();
        for (icon, name) in GLYPHS {
            let glyph = face.glyph_index(icon.letter()).unwrap_or_else(|| panic!("no {icon:?}"));
            assert_eq!(face.glyph_name(glyph), Some(name), "{icon:?}");
            assert!(face.glyph_bounding_box(glyph).is_some(), "nothing is drawn for {icon:?}");
        }
        // one glyph is that of what is missing
        assert_eq!(usize::from(face.number_of_glyphs()), GLYPHS.len() + 1);
    }

    #[test]
    fn the_font_is_small_and_has_the_name_that_it_is_asked_for_by() {
        assert!(FONT_FILE.len() <= 30 * 1024);
        let face = Face::parse(FONT_FILE, 0).unwrap();
        let family = face.names().into_iter().find(|name| name.name_id == name_id::FAMILY).unwrap();
        assert_eq!(FONT, Font::with_name(family.to_string().unwrap().leak()));
    }
}
