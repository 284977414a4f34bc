//! Pieces that several screens show.

pub mod disc;
pub mod line;
pub mod prose;
pub mod roll;

use std::time::Duration;

use iced::widget::scrollable::{Direction, Scrollbar};
use iced::widget::{
    Button, Column, Row, Scrollable, Space, button, checkbox, column, container, opaque, row,
    scrollable, text, text_input, tooltip,
};
use iced::{Center, Element, Fill, Length, Padding, Theme, padding};

use crate::icon::{Icon, icon};
use crate::theme::{self, size, space};

mod apart;
mod focus;
mod forward;
mod reveal;
mod still;

pub use apart::apart;
pub use focus::focusable;
pub use reveal::reveal;
pub use still::still;

/// Width of a form in pixels.
const FORM_WIDTH: f32 = 480.0;

/// Widest sheet in pixels.
const SHEET_WIDTH: f32 = 640.0;

/// How long the pointer rests before it is said what a picture does.
const TIP_AFTER: Duration = Duration::from_millis(400);

/// Width of a scroll bar in pixels.
const RAIL_WIDTH: f32 = 6.0;

/// A form at the top of the window: what appears in it moves only what is below.
pub fn form<'a, Message: 'a>(
    title: &'a str,
    about: Option<Element<'a, Message>>,
    content: impl IntoIterator<Item = Element<'a, Message>>,
) -> Element<'a, Message> {
    framed(text(title), about, content, theme::form)
}

/// The same for what must not be overlooked.
pub fn alarm<'a, Message: 'a>(
    title: &'a str,
    content: impl IntoIterator<Item = Element<'a, Message>>,
) -> Element<'a, Message> {
    framed(text(title).style(theme::bad), None, content, theme::alarm)
}

fn framed<'a, Message: 'a>(
    title: text::Text<'a, Theme>,
    about: Option<Element<'a, Message>>,
    content: impl IntoIterator<Item = Element<'a, Message>>,
    style: fn(&Theme) -> container::Style,
) -> Element<'a, Message> {
    let title = title.size(size::TITLE).wrapping(text::Wrapping::WordOrGlyph);
    let title = column![title, about].spacing(space::TIGHT);
    let form = Column::with_capacity(8).push(title).extend(content).spacing(space::INNER);
    let form = form.width(Fill);
    let form = container(form).padding(space::WIDE).max_width(FORM_WIDTH);
    let form = container(form.style(style)).center_x(Fill).padding(space::INNER);
    scroll(form).height(Fill).into()
}

/// Something that may be higher than its place, with a narrow rail.
pub fn scroll<'a, Message: 'a>(
    content: impl Into<Element<'a, Message>>,
) -> Scrollable<'a, Message> {
    let rail = Scrollbar::new().width(RAIL_WIDTH).scroller_width(RAIL_WIDTH);
    scrollable(content).direction(Direction::Vertical(rail)).style(theme::scroll)
}

/// A field of one line with its label above; `id` names it for focus and tests. Without `typed` it cannot be
/// changed.
pub fn field<'a, Message: Clone + 'a>(
    id: &'static str,
    label: impl Into<Element<'a, Message>>,
    value: &str,
    typed: Option<impl Fn(String) -> Message + 'a>,
    submitted: Message,
) -> Element<'a, Message> {
    labelled(label, input(id, "", value).on_input_maybe(typed).on_submit(submitted))
}

/// A field whose characters are hidden unless they are to be shown.
pub fn password<'a, Message: Clone + 'a>(
    id: &'static str,
    label: impl Into<Element<'a, Message>>,
    value: &str,
    shown: bool,
    typed: Option<impl Fn(String) -> Message + 'a>,
    submitted: Message,
) -> Element<'a, Message> {
    let input = input(id, "", value).secure(!shown);
    labelled(label, input.on_input_maybe(typed).on_submit(submitted))
}

/// A field without a label.
pub fn input<'a, Message: Clone + 'a>(
    id: &'static str,
    placeholder: &str,
    value: &str,
) -> text_input::TextInput<'a, Message> {
    let input = text_input(placeholder, value).id(id).size(size::BODY);
    input.padding(space::INNER).style(theme::field)
}

/// A field with what stands above it.
pub fn labelled<'a, Message: 'a>(
    label: impl Into<Element<'a, Message>>,
    input: impl Into<Element<'a, Message>>,
) -> Element<'a, Message> {
    column![label.into(), apart(input)].spacing(space::TIGHT).into()
}

/// The name of a field.
pub fn label<'a, Message: 'a>(words: &'a str) -> Element<'a, Message> {
    text(words).size(size::SMALL).style(theme::faint).into()
}

/// Something that is or is not so; without `toggled` it stays as it is.
pub fn check<'a, Message: Clone + 'a>(
    id: &'static str,
    label: &'a str,
    is_so: bool,
    toggled: Option<impl Fn(bool) -> Message + 'a>,
) -> Element<'a, Message> {
    let pressed = toggled.as_ref().map(|toggled| toggled(!is_so));
    let check = checkbox(is_so).label(label).on_toggle_maybe(toggled).style(theme::check);
    let check = check.size(size::BODY).text_size(size::SMALL).spacing(space::SMALL);
    place(id, focusable(id, check, pressed))
}

/// A warning that is to be read before going on.
pub fn warning<'a, Message: 'a>(words: impl text::IntoFragment<'a>) -> Element<'a, Message> {
    let words = text(words).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
    container(words).padding(space::INNER).width(Fill).style(theme::warning).into()
}

/// Bars side by side, so many of them filled: more is better.
pub fn bars<'a, Message: 'a>(filled: usize, of: usize, is_good: bool) -> Element<'a, Message> {
    let bar = |index| {
        let style = theme::bar((index < filled).then_some(is_good));
        container(Space::new().width(Fill).height(space::TIGHT)).style(style).into()
    };
    Row::with_children((0..of).map(bar)).spacing(space::TIGHT).into()
}

/// The one thing to press; without a message it cannot be.
pub fn primary<'a, Message: Clone + 'a>(
    id: &'static str,
    label: &'a str,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    pressable(id, label, pressed, theme::primary)
}

/// Something else to press.
pub fn secondary<'a, Message: Clone + 'a>(
    id: &'static str,
    label: &'a str,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    pressable(id, label, pressed, theme::secondary)
}

/// Something to press that looks like text.
pub fn quiet<'a, Message: Clone + 'a>(
    id: &'static str,
    label: &'a str,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    pressable(id, label, pressed, theme::quiet)
}

/// A picture to press; what it does is said while the pointer is on it.
pub fn iconic<'a, Message: Clone + 'a>(
    id: &'static str,
    picture: Icon,
    label: &'a str,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    let button: Button<'a, Message> = button(icon(picture).size(size::ICON));
    let button = button.padding(space::SMALL).on_press_maybe(pressed.clone());
    let button = focusable(id, button.style(theme::quiet), pressed);
    let label = container(text(label).size(size::SMALL)).padding([space::TIGHT, space::SMALL]);
    let tip = tooltip(button, label.style(theme::tip), tooltip::Position::Bottom);
    place(id, tip.gap(space::TIGHT).delay(TIP_AFTER))
}

/// A picture and words to press.
pub fn pictured<'a, Message: Clone + 'a>(
    id: &'static str,
    picture: Icon,
    label: &'a str,
    pressed: Option<Message>,
    style: impl Fn(&Theme, button::Status) -> button::Style + 'a,
) -> Element<'a, Message> {
    let label = row![icon(picture).size(size::BODY), text(label).size(size::BODY)];
    let label = label.spacing(space::SMALL).align_y(Center);
    let button: Button<'a, Message> = button(label).padding([space::SMALL, space::INNER]);
    let button = button.on_press_maybe(pressed.clone()).style(style);
    place(id, focusable(id, button, pressed))
}

/// Something to press that cannot be undone.
pub fn danger<'a, Message: Clone + 'a>(
    id: &'static str,
    label: &'a str,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    pressable(id, label, pressed, theme::danger)
}

/// The name of a section, raised while it is shown.
pub fn tab<'a, Message: Clone + 'a>(
    id: &'static str,
    label: &'a str,
    is_shown: bool,
    width: Length,
    pressed: Message,
) -> Element<'a, Message> {
    let button: Button<'a, Message> = button(text(label).size(size::BODY)).width(width);
    let button = button.padding([space::SMALL, space::INNER]).on_press(pressed.clone());
    place(id, focusable(id, button.style(theme::row(is_shown)), Some(pressed)))
}

/// Something else to press, in a row that has a name of its own.
pub fn named<'a, Message: Clone + 'a>(
    id: String,
    label: &'a str,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    pressable(id, label, pressed, theme::secondary)
}

fn pressable<'a, Message: Clone + 'a>(
    id: impl Into<iced::widget::Id>,
    label: &'a str,
    pressed: Option<Message>,
    style: impl Fn(&Theme, button::Status) -> button::Style + 'a,
) -> Element<'a, Message> {
    let id = id.into();
    let button: Button<'a, Message> = button(text(label).size(size::BODY));
    let button = button.padding([space::SMALL, space::INNER]).on_press_maybe(pressed.clone());
    place(id.clone(), focusable(id, button.style(style), pressed))
}

/// One of several things, of which one is chosen; `begins` and the place among them name each.
pub fn choices<'a, T: Copy + PartialEq, Message: Clone + 'a>(
    begins: &str,
    all: impl IntoIterator<Item = T>,
    chosen: T,
    words: impl Fn(T) -> &'a str,
    choose: impl Fn(T) -> Message,
) -> Element<'a, Message> {
    let choice = |(index, it): (usize, T)| {
        let id = format!("{begins}-{index}");
        pressable(id, words(it), Some(choose(it)), theme::choice(it == chosen))
    };
    let row = Row::with_children(all.into_iter().enumerate().map(choice));
    row.spacing(space::SMALL).wrap().vertical_spacing(space::SMALL).into()
}

/// Things side by side, in as many lines as they need.
pub fn wrap<'a, Message: 'a>(
    things: impl IntoIterator<Item = Element<'a, Message>>,
) -> Element<'a, Message> {
    let row = Row::with_children(things).spacing(space::SMALL);
    row.wrap().vertical_spacing(space::SMALL).into()
}

/// How far something is of which the end is known.
pub fn progress<'a, Message: 'a>(done: u64, of: u64) -> Element<'a, Message> {
    // in thousandths, so that nothing is divided by nothing
    let done = done.min(of).saturating_mul(1000).checked_div(of).unwrap_or(0);
    let done = u16::try_from(done).unwrap_or(1000);
    let part = |portion, is_good| {
        let bar = Space::new().width(Fill).height(space::TIGHT);
        let bar = container(bar).width(Length::FillPortion(portion));
        (portion > 0).then(|| bar.style(theme::bar(is_good)))
    };
    row![part(done, Some(true)), part(1000 - done, None)].into()
}

/// A name and what it stands for, one below the other where there is little room.
pub fn fact<'a, Message: 'a>(
    name: &'a str,
    value: impl text::IntoFragment<'a>,
) -> Element<'a, Message> {
    let value = text(value).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
    column![label(name), value].spacing(2).width(Fill).into()
}

/// The title of a part of a page.
pub fn heading<'a, Message: 'a>(words: &'a str) -> Element<'a, Message> {
    text(words).size(size::LARGE).wrapping(text::Wrapping::WordOrGlyph).into()
}

/// Something went well.
pub fn good<'a, Message: 'a>(words: impl text::IntoFragment<'a>) -> Element<'a, Message> {
    let words = text(words).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
    words.style(theme::good).into()
}

/// Something went wrong.
pub fn bad<'a, Message: 'a>(words: impl text::IntoFragment<'a>) -> Element<'a, Message> {
    let words = text(words).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
    words.style(theme::bad).into()
}

/// Words that are read.
pub fn words<'a, Message: 'a>(words: impl text::IntoFragment<'a>) -> Element<'a, Message> {
    text(words).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph).into()
}

/// A sheet that lies on a screen, which is seen behind it and cannot be reached.
pub fn sheet<'a, Message: Clone + 'a>(
    title: &'a str,
    close: Option<(&'static str, &'a str, Message)>,
    content: impl Into<Element<'a, Message>>,
) -> Element<'a, Message> {
    let title = text(title).size(size::TITLE).width(Fill).wrapping(text::Wrapping::WordOrGlyph);
    let close = close.map(|(id, words, message)| secondary(id, words, Some(message)));
    let head = row![title].push(close).spacing(space::SMALL).align_y(Center);
    // what scrolls cuts off what is drawn beside it, rings too
    let sides = Padding { left: space::TIGHT, right: space::INNER, ..Padding::from(space::TIGHT) };
    let head = container(head).padding(padding::left(space::TIGHT));
    let content = column![head, scroll(container(content).padding(sides))];
    let sheet = container(content.spacing(space::INNER)).padding(space::WIDE);
    let sheet = sheet.max_width(SHEET_WIDTH).style(theme::form);
    opaque(container(sheet).center(Fill).padding(space::INNER).style(theme::dimmed))
}

/// Gives something a name by which focus, tests and the event log find it.
pub fn place<'a, Message: 'a>(
    id: impl Into<iced::widget::Id>,
    content: impl Into<Element<'a, Message>>,
) -> Element<'a, Message> {
    container(content).id(id).into()
}

/// What went wrong, or nothing.
pub fn error<'a, Message: 'a>(words: Option<&'a str>) -> Option<Element<'a, Message>> {
    words.map(bad)
}

/// A line of words that are not read first.
pub fn hint<'a, Message: 'a>(words: impl text::IntoFragment<'a>) -> Element<'a, Message> {
    let words = text(words).size(size::SMALL).wrapping(text::Wrapping::WordOrGlyph);
    words.style(theme::faint).into()
}

/// Two groups at the two ends of a line.
pub fn ends<'a, Message: 'a>(
    left: impl Into<Element<'a, Message>>,
    right: impl Into<Element<'a, Message>>,
) -> Element<'a, Message> {
    row![left.into(), Space::new().width(Fill), right.into()].align_y(Center).into()
}

/// A line across.
pub fn rule<'a, Message: 'a>() -> Element<'a, Message> {
    container(Space::new().width(Fill).height(Length::Fixed(1.0))).style(theme::line).into()
}
