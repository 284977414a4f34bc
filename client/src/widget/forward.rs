//! What a widget around another one does not do itself: that one does it.

/// Writes methods of a widget with one child, `content`, that the child does.
macro_rules! forward {
    ($($method:ident)*) => { $( $crate::widget::forward::forward!(@ $method); )* };
    (@ children) => {
        fn children(&self) -> Vec<::iced::advanced::widget::Tree> {
            vec![::iced::advanced::widget::Tree::new(&self.content)]
        }

        fn diff(&self, tree: &mut ::iced::advanced::widget::Tree) {
            tree.diff_children(std::slice::from_ref(&self.content));
        }
    };
    (@ layout) => {
        fn size(&self) -> ::iced::Size<::iced::Length> {
            self.content.as_widget().size()
        }

        fn size_hint(&self) -> ::iced::Size<::iced::Length> {
            self.content.as_widget().size_hint()
        }

        fn layout(
            &mut self,
            tree: &mut ::iced::advanced::widget::Tree,
            renderer: &::iced::Renderer,
            limits: &::iced::advanced::layout::Limits,
        ) -> ::iced::advanced::layout::Node {
            self.content.as_widget_mut().layout(&mut tree.children[0], renderer, limits)
        }
    };
    (@ operate) => {
        fn operate(
            &mut self,
            tree: &mut ::iced::advanced::widget::Tree,
            layout: ::iced::advanced::Layout<'_>,
            renderer: &::iced::Renderer,
            operation: &mut dyn ::iced::advanced::widget::Operation,
        ) {
            let content = self.content.as_widget_mut();
            content.operate(&mut tree.children[0], layout, renderer, operation);
        }
    };
    (@ update) => {
        fn update(
            &mut self,
            tree: &mut ::iced::advanced::widget::Tree,
            event: &::iced::Event,
            layout: ::iced::advanced::Layout<'_>,
            cursor: ::iced::advanced::mouse::Cursor,
            renderer: &::iced::Renderer,
            clipboard: &mut dyn ::iced::advanced::Clipboard,
            shell: &mut ::iced::advanced::Shell<'_, Message>,
            viewport: &::iced::Rectangle,
        ) {
            let (content, tree) = (self.content.as_widget_mut(), &mut tree.children[0]);
            content.update(tree, event, layout, cursor, renderer, clipboard, shell, viewport);
        }
    };
    (@ pointed) => {
        fn mouse_interaction(
            &self,
            tree: &::iced::advanced::widget::Tree,
            layout: ::iced::advanced::Layout<'_>,
            cursor: ::iced::advanced::mouse::Cursor,
            viewport: &::iced::Rectangle,
            renderer: &::iced::Renderer,
        ) -> ::iced::advanced::mouse::Interaction {
            let (content, tree) = (self.content.as_widget(), &tree.children[0]);
            content.mouse_interaction(tree, layout, cursor, viewport, renderer)
        }

        fn overlay<'b>(
            &'b mut self,
            tree: &'b mut ::iced::advanced::widget::Tree,
            layout: ::iced::advanced::Layout<'b>,
            renderer: &::iced::Renderer,
            viewport: &::iced::Rectangle,
            translation: ::iced::Vector,
        ) -> Option<::iced::advanced::overlay::Element<'b, Message, ::iced::Theme, ::iced::Renderer>>
        {
            let (content, tree) = (self.content.as_widget_mut(), &mut tree.children[0]);
            content.overlay(tree, layout, renderer, viewport, translation)
        }
    };
}

pub(in crate::widget) use forward;
