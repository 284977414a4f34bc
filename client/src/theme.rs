//! The look: three palettes, one scale of spaces and one of type.

use iced::theme::{Mode, Palette};
use iced::widget::{button, checkbox, container, scrollable, text, text_editor, text_input};
use iced::{Background, Border, Color, Shadow, Theme, color};

use crate::args::ThemeChoice;

/// Spaces in pixels, each for one purpose.
pub mod space {
    /// Between a label and its field.
    pub const TIGHT: f32 = 4.0;
    /// Between things that belong together.
    pub const SMALL: f32 = 8.0;
    /// Inside of fields, rows and bubbles.
    pub const INNER: f32 = 12.0;
    /// Between groups.
    pub const WIDE: f32 = 20.0;
    /// Around a form.
    pub const OUTER: f32 = 32.0;
}

/// Sizes of type in pixels.
pub mod size {
    /// Times, states and the privacy bar.
    pub const SMALL: f32 = 13.0;
    /// Everything that is read.
    pub const BODY: f32 = 15.0;
    /// Pictures that stand alone.
    pub const ICON: f32 = 17.0;
    /// Names above a conversation.
    pub const LARGE: f32 = 18.0;
    /// Titles of screens.
    pub const TITLE: f32 = 26.0;
}

/// Rounding of fields, buttons and bubbles, in pixels.
pub const RADIUS: f32 = 8.0;

/// All colours of one palette, by what they mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colours {
    /// Behind everything.
    pub ground: Color,
    /// The list of people, the privacy bar, forms.
    pub panel: Color,
    /// The row under the pointer, the one that is open, bubbles of the peer.
    pub raised: Color,
    /// Lines between regions.
    pub line: Color,
    /// Frames of what can be pressed or written in.
    pub frame: Color,
    /// Text.
    pub text: Color,
    /// Text that is not read first.
    pub faint: Color,
    /// What is to be pressed, bubbles of ours, focus.
    pub accent: Color,
    /// The same under the pointer.
    pub accent_raised: Color,
    /// Text on that.
    pub on_accent: Color,
    /// Covered.
    pub good: Color,
    /// Covered by few.
    pub caution: Color,
    /// Behind a warning.
    pub warning: Color,
    /// Text on that.
    pub on_warning: Color,
    /// What went wrong.
    pub bad: Color,
    /// The ring around what the keyboard would press.
    pub focus: Color,
}

/// Dark text on a light ground.
pub const LIGHT: Colours = Colours {
    ground: color!(0xffffff),
    panel: color!(0xf3f5f7),
    raised: color!(0xe4e9ee),
    line: color!(0xc3ccd5),
    frame: color!(0x7d8a96),
    text: color!(0x17212b),
    faint: color!(0x52606d),
    accent: color!(0x1a5f7a),
    accent_raised: color!(0x134b61),
    on_accent: color!(0xffffff),
    good: color!(0x1d6b3c),
    caution: color!(0x7a4b00),
    warning: color!(0xffe2a8),
    on_warning: color!(0x4a3200),
    bad: color!(0xa92323),
    focus: color!(0x1a5f7a),
};

/// Light text on a dark ground.
pub const DARK: Colours = Colours {
    ground: color!(0x14191f),
    panel: color!(0x1b222a),
    raised: color!(0x2a343f),
    line: color!(0x3d4a57),
    frame: color!(0x6b7884),
    text: color!(0xe6ebf0),
    faint: color!(0xa3afbb),
    accent: color!(0x2a7592),
    accent_raised: color!(0x307c99),
    on_accent: color!(0xffffff),
    good: color!(0x7ccf9a),
    caution: color!(0xf0c067),
    warning: color!(0x5a430f),
    on_warning: color!(0xffe7b8),
    bad: color!(0xff9a92),
    focus: color!(0x6fc3e6),
};

/// White and yellow on black.
pub const HIGH_CONTRAST: Colours = Colours {
    ground: color!(0x000000),
    panel: color!(0x000000),
    raised: color!(0x262626),
    line: color!(0xffffff),
    frame: color!(0xffffff),
    text: color!(0xffffff),
    faint: color!(0xe0e0e0),
    accent: color!(0xffd800),
    accent_raised: color!(0xffeb70),
    on_accent: color!(0x000000),
    good: color!(0x7dffa8),
    caution: color!(0xffc966),
    warning: color!(0xffd800),
    on_warning: color!(0x000000),
    bad: color!(0xffb3ad),
    focus: color!(0x00e5ff),
};

impl Colours {
    /// Returns the colours of a theme.
    pub fn of(theme: &Theme) -> &'static Self {
        if theme.palette() == HIGH_CONTRAST.palette() {
            &HIGH_CONTRAST
        } else if theme.extended_palette().is_dark {
            &DARK
        } else {
            &LIGHT
        }
    }

    fn palette(&self) -> Palette {
        Palette {
            background: self.ground,
            text: self.text,
            primary: self.accent,
            success: self.good,
            warning: self.warning,
            danger: self.bad,
        }
    }
}

/// Makes the theme that was chosen, which may be to follow the system's mode; light if that has none.
pub fn theme(choice: ThemeChoice, system: Mode) -> Theme {
    match (choice, system) {
        (ThemeChoice::HighContrast, _) => {
            Theme::custom("iirs high contrast", HIGH_CONTRAST.palette())
        }
        (ThemeChoice::Dark, _) | (ThemeChoice::System, Mode::Dark) => {
            Theme::custom("iirs dark", DARK.palette())
        }
        (ThemeChoice::Light, _) | (ThemeChoice::System, Mode::Light | Mode::None) => {
            Theme::custom("iirs light", LIGHT.palette())
        }
    }
}

/// Text that is not read first.
pub fn faint(theme: &Theme) -> text::Style {
    text::Style { color: Some(Colours::of(theme).faint) }
}

/// What went wrong.
pub fn bad(theme: &Theme) -> text::Style {
    text::Style { color: Some(Colours::of(theme).bad) }
}

/// What could be better.
pub fn caution(theme: &Theme) -> text::Style {
    text::Style { color: Some(Colours::of(theme).caution) }
}

/// What is as it should be.
pub fn good(theme: &Theme) -> text::Style {
    text::Style { color: Some(Colours::of(theme).good) }
}

/// The one thing to press.
pub fn primary(theme: &Theme, status: button::Status) -> button::Style {
    let colours = Colours::of(theme);
    match status {
        button::Status::Active => pressable(colours.accent, colours.on_accent),
        button::Status::Hovered | button::Status::Pressed => {
            pressable(colours.accent_raised, colours.on_accent)
        }
        button::Status::Disabled => pressable(colours.raised, colours.faint),
    }
}

/// Something else that can be pressed.
pub fn secondary(theme: &Theme, status: button::Status) -> button::Style {
    let colours = Colours::of(theme);
    let (background, text) = match status {
        button::Status::Active => (colours.panel, colours.text),
        button::Status::Hovered | button::Status::Pressed => (colours.raised, colours.text),
        button::Status::Disabled => (colours.panel, colours.faint),
    };
    let border = Border { color: colours.frame, width: 1.0, radius: RADIUS.into() };
    button::Style { border, ..pressable(background, text) }
}

/// Something to press that looks like text.
pub fn quiet(theme: &Theme, status: button::Status) -> button::Style {
    let colours = Colours::of(theme);
    match status {
        button::Status::Active => pressable(Color::TRANSPARENT, colours.text),
        button::Status::Hovered | button::Status::Pressed => {
            pressable(colours.raised, colours.text)
        }
        button::Status::Disabled => pressable(Color::TRANSPARENT, colours.faint),
    }
}

/// Something to press that cannot be undone.
pub fn danger(theme: &Theme, status: button::Status) -> button::Style {
    let colours = Colours::of(theme);
    let style = secondary(theme, status);
    let text = match status {
        button::Status::Active | button::Status::Hovered | button::Status::Pressed => colours.bad,
        button::Status::Disabled => colours.faint,
    };
    let border = Border { color: text, ..style.border };
    button::Style { text_color: text, border, ..style }
}

/// One of several things, of which one is chosen.
pub fn choice(is_chosen: bool) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |theme, status| if is_chosen { primary(theme, status) } else { secondary(theme, status) }
}

/// A row of a list, the open one raised.
pub fn row(open: bool) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |theme, status| {
        let status = if open { button::Status::Hovered } else { status };
        quiet(theme, status)
    }
}

fn pressable(background: Color, text_color: Color) -> button::Style {
    button::Style {
        background: Some(Background::Color(background)),
        text_color,
        border: Border { radius: RADIUS.into(), ..Border::default() },
        shadow: Shadow::default(),
        ..button::Style::default()
    }
}

/// A field of one line.
pub fn field(theme: &Theme, status: text_input::Status) -> text_input::Style {
    let colours = Colours::of(theme);
    let (line, width) = match status {
        text_input::Status::Active | text_input::Status::Disabled => (colours.frame, 1.0),
        text_input::Status::Hovered => (colours.accent, 1.0),
        text_input::Status::Focused { .. } => (colours.accent, 2.0),
    };
    text_input::Style {
        background: Background::Color(colours.ground),
        border: Border { color: line, width, radius: RADIUS.into() },
        icon: colours.faint,
        placeholder: colours.faint,
        value: colours.text,
        selection: selection(colours),
    }
}

/// Something that is or is not so.
pub fn check(theme: &Theme, status: checkbox::Status) -> checkbox::Style {
    let colours = Colours::of(theme);
    let (is_checked, line, text) = match status {
        checkbox::Status::Active { is_checked } => (is_checked, colours.faint, colours.text),
        checkbox::Status::Hovered { is_checked } => (is_checked, colours.accent, colours.text),
        checkbox::Status::Disabled { is_checked } => (is_checked, colours.line, colours.faint),
    };
    let (background, line) = match (is_checked, status) {
        (false, _) => (colours.ground, line),
        (true, checkbox::Status::Disabled { .. }) => (colours.faint, colours.faint),
        (true, _) => (colours.accent, colours.accent),
    };
    checkbox::Style {
        background: Background::Color(background),
        icon_color: colours.ground,
        border: Border { color: line, width: 1.0, radius: (0.5 * RADIUS).into() },
        text_color: Some(text),
    }
}

/// A bar that is empty, or filled with something good or bad.
pub fn bar(is_good: Option<bool>) -> impl Fn(&Theme) -> container::Style {
    move |theme| {
        let colours = Colours::of(theme);
        let colour = match is_good {
            None => colours.raised,
            Some(true) => colours.good,
            Some(false) => colours.bad,
        };
        container::Style {
            border: Border::default().rounded(0.25 * RADIUS),
            ..filled(colour, colour)
        }
    }
}

/// The field that messages are written in.
pub fn editor(theme: &Theme, status: text_editor::Status) -> text_editor::Style {
    let colours = Colours::of(theme);
    let (line, width) = match status {
        text_editor::Status::Active | text_editor::Status::Disabled => (colours.frame, 1.0),
        text_editor::Status::Hovered => (colours.accent, 1.0),
        text_editor::Status::Focused { .. } => (colours.accent, 2.0),
    };
    text_editor::Style {
        background: Background::Color(colours.ground),
        border: Border { color: line, width, radius: RADIUS.into() },
        placeholder: colours.faint,
        value: colours.text,
        selection: selection(colours),
    }
}

fn selection(colours: &Colours) -> Color {
    Color { a: 0.35, ..colours.accent }
}

/// A region of its own.
pub fn panel(theme: &Theme) -> container::Style {
    let colours = Colours::of(theme);
    container::Style::default().background(colours.panel)
}

/// A form in the middle of the window.
pub fn form(theme: &Theme) -> container::Style {
    let colours = Colours::of(theme);
    let border = Border { color: colours.line, width: 1.0, radius: (1.5 * RADIUS).into() };
    container::Style { border, ..panel(theme) }
}

/// What is said of the thing under the pointer.
pub fn tip(theme: &Theme) -> container::Style {
    let colours = Colours::of(theme);
    let border = Border { color: colours.line, width: 1.0, radius: (0.5 * RADIUS).into() };
    container::Style { border, ..filled(colours.raised, colours.text) }
}

/// One thing of several, with a frame.
pub fn card(theme: &Theme) -> container::Style {
    let colours = Colours::of(theme);
    let border = Border { color: colours.line, width: 1.0, radius: RADIUS.into() };
    container::Style { border, ..container::Style::default() }
}

/// What is behind a sheet.
pub fn dimmed(_: &Theme) -> container::Style {
    container::Style::default().background(Color { a: 0.6, ..Color::BLACK })
}

/// What is not to be overlooked.
pub fn alarm(theme: &Theme) -> container::Style {
    let colours = Colours::of(theme);
    let border = Border { color: colours.bad, width: 2.0, radius: (1.5 * RADIUS).into() };
    container::Style { border, ..panel(theme) }
}

/// A warning that is to be read.
pub fn warning(theme: &Theme) -> container::Style {
    let colours = Colours::of(theme);
    filled(colours.warning, colours.on_warning)
}

/// A warning across the whole window.
pub fn banner(theme: &Theme) -> container::Style {
    container::Style { border: Border::default(), ..warning(theme) }
}

/// What somebody wrote; with a frame if it is chosen or was looked for.
pub fn bubble(ours: bool, framed: bool) -> impl Fn(&Theme) -> container::Style {
    move |theme| {
        let colours = Colours::of(theme);
        let style = match ours {
            true => filled(colours.accent, colours.on_accent),
            false => filled(colours.raised, colours.text),
        };
        let (color, width) = if framed { (colours.text, 2.0) } else { (Color::TRANSPARENT, 0.0) };
        container::Style { border: Border { color, width, ..style.border }, ..style }
    }
}

/// Words that are to be seen first.
pub fn accented(theme: &Theme) -> text::Style {
    text::Style { color: Some(Colours::of(theme).good) }
}

/// The number of messages that were not looked at.
pub fn badge(theme: &Theme) -> container::Style {
    let colours = Colours::of(theme);
    filled(colours.accent, colours.on_accent)
}

fn filled(background: Color, text: Color) -> container::Style {
    container::Style {
        text_color: Some(text),
        background: Some(Background::Color(background)),
        border: Border { radius: RADIUS.into(), ..Border::default() },
        ..container::Style::default()
    }
}

/// A line between two regions.
pub fn line(theme: &Theme) -> container::Style {
    container::Style::default().background(Colours::of(theme).line)
}

/// A narrow rail that shows only its scroller.
pub fn scroll(theme: &Theme, status: scrollable::Status) -> scrollable::Style {
    let colours = Colours::of(theme);
    let mut style = scrollable::default(theme, status);
    for rail in [&mut style.vertical_rail, &mut style.horizontal_rail] {
        rail.background = None;
        rail.scroller.background = Background::Color(colours.line);
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours, 1 to 21, as WCAG 2.2 defines it.
    fn contrast(one: Color, other: Color) -> f32 {
        let luminance = |colour: Color| colour.relative_luminance();
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Every pair of a text and what is behind it, words of what cannot be pressed too.
    fn pairs(colours: &Colours) -> Vec<(Color, Color)> {
        let Colours { ground, panel, raised, .. } = *colours;
        let texts = [colours.text, colours.faint, colours.bad, colours.good, colours.caution];
        let plain = [ground, panel, raised].into_iter();
        let plain = plain.flat_map(|behind| texts.map(|text| (text, behind)));
        let filled = [
            (colours.on_accent, colours.accent),
            (colours.on_accent, colours.accent_raised),
            (colours.on_warning, colours.warning),
        ];
        plain.chain(filled).collect()
    }

    #[test]
    fn every_text_has_the_contrast_that_wcag_asks_for() {
        for (colours, least) in [(LIGHT, 4.5), (DARK, 4.5), (HIGH_CONTRAST, 7.0)] {
            for (text, behind) in pairs(&colours) {
                assert!(contrast(text, behind) >= least, "{text:?} on {behind:?}");
            }
        }
    }

    #[test]
    fn a_selection_leaves_the_text_in_it_readable() {
        for (colours, least) in [(LIGHT, 4.5), (DARK, 4.5), (HIGH_CONTRAST, 7.0)] {
            let Color { a, .. } = selection(&colours);
            let mix = |over: f32, under: f32| over * a + under * (1.0 - a);
            let Colours { accent, ground, .. } = colours;
            let [r, g, b] = [(accent.r, ground.r), (accent.g, ground.g), (accent.b, ground.b)]
                .map(|(over, under)| mix(over, under));
            assert!(contrast(colours.text, Color::from_rgb(r, g, b)) >= least, "{colours:?}");
        }
    }

    #[test]
    fn frames_what_has_the_focus_and_what_is_checked_can_be_seen() {
        for colours in [LIGHT, DARK, HIGH_CONTRAST] {
            let Colours { ground, panel, raised, frame, focus, accent, faint, .. } = colours;
            for behind in [ground, panel, raised] {
                assert!(contrast(focus, behind) >= 3.0, "{focus:?} on {behind:?}");
            }
            // frames; that of a field with the focus, a box that is checked, its sign, and one that is not
            for (mark, behind) in [
                (frame, ground),
                (frame, panel),
                (accent, ground),
                (accent, panel),
                (ground, accent),
                (faint, panel),
            ] {
                assert!(contrast(mark, behind) >= 3.0, "{mark:?} on {behind:?}");
            }
        }
    }

    #[test]
    fn a_theme_has_the_colours_that_were_chosen() {
        let colours = |choice, system| *Colours::of(&theme(choice, system));
        assert_eq!(colours(ThemeChoice::System, Mode::Dark), DARK);
        assert_eq!(colours(ThemeChoice::System, Mode::Light), LIGHT);
        assert_eq!(colours(ThemeChoice::System, Mode::None), LIGHT);
        assert_eq!(colours(ThemeChoice::Light, Mode::Dark), LIGHT);
        assert_eq!(colours(ThemeChoice::Dark, Mode::Light), DARK);
        assert_eq!(colours(ThemeChoice::HighContrast, Mode::Light), HIGH_CONTRAST);
    }
}
