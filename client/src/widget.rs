//! Pieces that several screens show.

pub mod disc;
pub mod line;
pub mod prose;
pub mod roll;

use iced::widget::scrollable::{Direction, Scrollbar};
use iced::widget::{
    Button, Column, Row, Scrollable, Space, button, checkbox, column, container, row, scrollable,
    text, text_input,
};
use iced::{Center, Element, Fill, Length};

use crate::theme::{self, size, space};

/// Width of a form in pixels.
const FORM_WIDTH: f32 = 480.0;

/// Width of a scroll bar in pixels.
const RAIL_WIDTH: f32 = 6.0;

/// A form at the top of the window: what appears in it moves only what is below.
pub fn form<'a, Message: 'a>(
    title: &'a str,
    about: Option<Element<'a, Message>>,
    content: impl IntoIterator<Item = Element<'a, Message>>,
) -> Element<'a, Message> {
    let title = text(title).size(size::TITLE).wrapping(text::Wrapping::WordOrGlyph);
    let title = column![title, about].spacing(space::TIGHT);
    let form = Column::with_capacity(8).push(title).extend(content).spacing(space::INNER);
    let form = container(form).padding([space::WIDE, space::OUTER]).max_width(FORM_WIDTH);
    let form = container(form.style(theme::form)).center_x(Fill).padding(space::WIDE);
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
    column![label.into(), input.into()].spacing(space::TIGHT).into()
}

/// The name of a field.
pub fn label<'a, Message: 'a>(words: &'a str) -> Element<'a, Message> {
    text(words).size(size::SMALL).style(theme::faint).into()
}

/// Something that is or is not so; without `toggled` it stays as it is.
pub fn check<'a, Message: 'a>(
    id: &'static str,
    label: &'a str,
    is_so: bool,
    toggled: Option<impl Fn(bool) -> Message + 'a>,
) -> Element<'a, Message> {
    let check = checkbox(is_so).label(label).on_toggle_maybe(toggled).style(theme::check);
    place(id, check.size(size::BODY).text_size(size::SMALL).spacing(space::SMALL))
}

/// A warning that is to be read before going on.
pub fn warning<'a, Message: 'a>(words: &'a str) -> Element<'a, Message> {
    let words = text(words).size(size::BODY);
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
    place(id, pressable(label, pressed).style(theme::primary))
}

/// Something else to press.
pub fn secondary<'a, Message: Clone + 'a>(
    id: &'static str,
    label: &'a str,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    place(id, pressable(label, pressed).style(theme::secondary))
}

/// Something to press that looks like text.
pub fn quiet<'a, Message: Clone + 'a>(
    id: &'static str,
    label: &'a str,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    place(id, pressable(label, pressed).style(theme::quiet))
}

fn pressable<'a, Message: Clone + 'a>(
    label: &'a str,
    pressed: Option<Message>,
) -> Button<'a, Message> {
    let padding = [space::SMALL, space::INNER];
    button(text(label).size(size::BODY)).padding(padding).on_press_maybe(pressed)
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
    let words = words?;
    let words = text(words).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
    Some(words.style(theme::bad).into())
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
