//! A person's initials in a disc, whose colour follows from the name.

use iced::widget::{container, text};
use iced::{Background, Border, Color, Element, Theme, color};

/// Width in pixels.
pub const WIDTH: f32 = 34.0;

/// Behind the initials, all of them dark enough for white.
const COLOURS: [Color; 10] = [
    color!(0x9a3412),
    color!(0x85510a),
    color!(0x4d6412),
    color!(0x1d6b3c),
    color!(0x0f6b6b),
    color!(0x1a5f7a),
    color!(0x2f5aa8),
    color!(0x5b4bb0),
    color!(0x85399a),
    color!(0xa02c62),
];

/// Shows somebody's initials.
pub fn disc<'a, Message: 'a>(name: &str) -> Element<'a, Message> {
    let behind = colour(name);
    let style = move |_: &Theme| container::Style {
        text_color: Some(Color::WHITE),
        background: Some(Background::Color(behind)),
        border: Border::default().rounded(WIDTH / 2.0),
        ..container::Style::default()
    };
    container(text(initials(name)).size(13.0)).center(WIDTH).style(style).into()
}

/// Returns the first letter of a name, and the first one behind a dot, a hyphen or an underscore.
fn initials(name: &str) -> String {
    let mut parts = name.split(['.', '-', '_']).filter_map(|part| part.chars().next());
    let initials = parts.next().into_iter().chain(parts.next());
    initials.flat_map(char::to_uppercase).collect()
}

/// Returns the colour of a name, always the same (FNV-1a).
fn colour(name: &str) -> Color {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = name.bytes().fold(0x811c_9dc5, mix);
    COLOURS[(hash % 10) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_has_contrast_on_every_colour() {
        for colour in COLOURS {
            let contrast = 1.05 / (colour.relative_luminance() + 0.05);
            assert!(contrast >= 4.5, "{colour:?} has {contrast}");
        }
    }

    #[test]
    fn initials_are_one_or_two_letters() {
        let cases = [("ann", "A"), ("ann.b", "AB"), ("a-b_c", "AB"), ("a..b", "AB"), ("", "")];
        for (name, shown) in cases {
            assert_eq!(initials(name), shown, "{name}");
        }
        assert_eq!(colour("ann"), colour("ann"));
        assert_ne!(colour("ann"), colour("bob"));
    }
}
