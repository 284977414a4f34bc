//! One line of text that is cut off with an ellipsis where its place ends.

use std::borrow::Cow;

use iced::advanced::text::paragraph::Plain;
use iced::advanced::text::{Alignment, LineHeight, Renderer as _, Shaping, Text, Wrapping};
use iced::advanced::widget::{Operation, Tree, tree};
use iced::advanced::{Layout, Widget, layout, mouse, renderer};
use iced::widget::text::Style;
use iced::{Color, Element, Fill, Length, Pixels, Rectangle, Renderer, Shrink, Size, Theme};

type Paragraph = <Renderer as iced::advanced::text::Renderer>::Paragraph;

/// Characters that are laid out at most: no line is that wide.
const CHARACTERS_MAX: usize = 200;

/// One line of text.
pub struct Line<'a> {
    text: Cow<'a, str>,
    size: f32,
    style: Option<fn(&Theme) -> Style>,
}

/// What is drawn, and for how much room.
#[derive(Default)]
struct State {
    paragraph: Plain<Paragraph>,
    of: String,
    room: f32,
}

impl<'a> Line<'a> {
    /// Makes it of a text in a size of type.
    pub fn new(text: impl Into<Cow<'a, str>>, size: f32) -> Self {
        Self { text: text.into(), size, style: None }
    }

    /// Gives it another look.
    pub fn style(mut self, style: fn(&Theme) -> Style) -> Self {
        self.style = Some(style);
        self
    }

    fn lay_out(&self, paragraph: &mut Plain<Paragraph>, renderer: &Renderer, text: &str) -> f32 {
        paragraph.update(Text {
            content: text,
            bounds: Size::INFINITE,
            size: Pixels(self.size),
            line_height: LineHeight::default(),
            font: renderer.default_font(),
            align_x: Alignment::Default,
            align_y: iced::alignment::Vertical::Top,
            shaping: Shaping::default(),
            wrapping: Wrapping::None,
        });
        paragraph.min_width()
    }

    /// Lays out as much as there is room for, with an ellipsis behind it if that is not all.
    fn fit(&self, paragraph: &mut Plain<Paragraph>, renderer: &Renderer, room: f32) {
        let whole: String = self.text.chars().take(CHARACTERS_MAX).collect();
        if whole.len() == self.text.len() && self.lay_out(paragraph, renderer, &whole) <= room {
            return;
        }
        let (mut least, mut most) = (0, whole.chars().count());
        let cut = |kept: usize| {
            let kept: String = whole.chars().take(kept).collect();
            format!("{}…", kept.trim_end())
        };
        while least < most {
            let middle = (least + most).div_ceil(2);
            if self.lay_out(paragraph, renderer, &cut(middle)) <= room {
                least = middle;
            } else {
                most = middle - 1;
            }
        }
        self.lay_out(paragraph, renderer, &cut(least));
    }
}

impl<Message> Widget<Message, Theme, Renderer> for Line<'_> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::default())
    }

    fn size(&self) -> Size<Length> {
        Size::new(Fill, Shrink)
    }

    fn layout(
        &mut self,
        tree: &mut Tree,
        renderer: &Renderer,
        limits: &layout::Limits,
    ) -> layout::Node {
        let state = tree.state.downcast_mut::<State>();
        layout::sized(limits, Fill, Shrink, |limits| {
            let room = limits.max().width;
            let is_known = state.of == self.text && (state.room - room).abs() < 0.5;
            if !is_known {
                self.fit(&mut state.paragraph, renderer, room);
                (*self.text).clone_into(&mut state.of);
                state.room = room;
            }
            state.paragraph.min_bounds()
        })
    }

    /// Says all of it, for those who look for it.
    fn operate(
        &mut self,
        _: &mut Tree,
        layout: Layout<'_>,
        _: &Renderer,
        operation: &mut dyn Operation,
    ) {
        operation.text(None, layout.bounds(), &self.text);
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut Renderer,
        theme: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        _: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_ref::<State>();
        let own: Option<Color> = self.style.and_then(|style| style(theme).color);
        let Some(clip) = layout.bounds().intersection(viewport) else { return };
        let colour = own.unwrap_or(style.text_color);
        renderer.fill_paragraph(state.paragraph.raw(), layout.position(), colour, clip);
    }
}

impl<'a, Message: 'a> From<Line<'a>> for Element<'a, Message> {
    fn from(line: Line<'a>) -> Self {
        Self::new(line)
    }
}
