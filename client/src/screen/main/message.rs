//! What happens on the main screen, and what the app is to do then.

use iced::widget::text_editor;

use super::address::Way;
use super::emoji::Pick;
use super::history::{Deed, Question};
use super::search::Find;
use crate::widget::roll::Seen;

/// What happens on the screen.
#[derive(Clone)]
pub enum Message {
    /// The search field was typed in.
    SearchTyped(String),
    /// Enter was pressed in it.
    SearchSubmitted,
    /// A person's row was pressed.
    PersonPressed(String),
    /// The group of blocked people is to be unfolded, or folded.
    BlockedPressed,
    /// The draft was changed, or its cursor moved.
    DraftEdited(text_editor::Action),
    /// The message is to be sent.
    SendPressed,
    /// A refused message is to be written again.
    AgainPressed(String),
    /// More of the message of this number is to be shown.
    MorePressed(u64),
    /// Older messages are to be loaded.
    OlderPressed,
    /// Other messages are seen.
    Seen(Seen),
    /// The thumb was dragged to the message of this place among those that are loaded.
    ThumbDragged(usize),
    /// The end of the conversation is to be shown.
    EndPressed,
    /// The message of this number is chosen.
    Chosen(u64),
    /// The message before the chosen one is to be chosen, or the one behind it.
    ChooseMoved {
        /// Whether it is the one before.
        back: bool,
    },
    /// The chosen message is to be copied.
    CopyPressed,
    /// Its details are to be shown, or hidden.
    DetailsPressed,
    /// Something is done with a link.
    Link(Way),
    /// Drafts that were not told to the engine for a while are to be.
    DraftsDue,
    /// Something is done with the panel of emoji.
    Emoji(Pick),
    /// Something is done with the search in what was written.
    Find(Find),
    /// An arrow up or down was pressed that no field took.
    Stepped {
        /// Whether it was up.
        back: bool,
    },
    /// The next conversation is to be shown, or the one before.
    NextPressed {
        /// Whether it is the one before.
        back: bool,
    },
    /// Something is to be done with the history of the one who is shown: that is asked about first, twice.
    HistoryPressed(Deed),
    /// Whether the history of the one who is shown is to be forgotten when the program ends.
    ForgetPressed(bool),
    /// The one who is shown is to be called.
    CallPressed,
    /// Somebody's call is accepted.
    AcceptPressed(String),
    /// Somebody's call is declined.
    DeclinePressed(String),
    /// Somebody is to be blocked, at once.
    BlockPressed(String),
    /// The one who is shown is not to be blocked any more.
    UnblockPressed,
    /// What else can be done is to be shown, or hidden.
    MenuPressed,
    /// Something is to be done that cannot be undone: that is asked about first.
    AskPressed(Ask),
    /// It is to be done.
    AskConfirmed,
    /// It is not to be done.
    AskDropped,
    /// The safety number is to be shown.
    SafetyNumberPressed,
    /// The messages are to be shown again.
    SafetyNumberRead,
    /// The safety numbers were found the same, or that is taken back.
    VerifyPressed(bool),
    /// The conversation is to be put away.
    ClosePressed,
    /// Yes, by keyboard: what was asked about is to be done, or the call that is shown is accepted.
    YesPressed,
    /// No, by keyboard: what was asked about is not to be done, or the call that is shown is declined.
    NoPressed,
    /// The one who is shown is to be blocked, by keyboard.
    BlockShownPressed,
    /// The client is to come back now.
    RetryPressed,
    /// What the privacy bar means is to be shown, or hidden.
    MeaningPressed,
    /// The notice of this number was read.
    NoticeRead(u64),
    /// Escape: what lies on top goes: a notice, a question, a menu, an explanation, the safety number, a search.
    EscapePressed,
    /// The account is to be signed out.
    SignOutPressed,
    /// The settings are to be shown.
    SettingsPressed,
    /// The window is to be locked.
    LockPressed,
}

/// Something that is asked about before it is done to the one who is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To take the new key for the right one.
    AcceptKey,
    /// To forget a contact.
    Forget,
    /// To block a contact.
    Block,
    /// To do something with the history.
    History(Question),
}

/// Says what happened and nothing of what was written, and to whom.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SearchTyped(_) => "SearchTyped",
            Self::SearchSubmitted => "SearchSubmitted",
            Self::PersonPressed(_) => "PersonPressed",
            Self::BlockedPressed => "BlockedPressed",
            Self::DraftEdited(_) => "DraftEdited",
            Self::SendPressed => "SendPressed",
            Self::AgainPressed(_) => "AgainPressed",
            Self::MorePressed(_) => "MorePressed",
            Self::OlderPressed => "OlderPressed",
            Self::Seen(_) => "Seen",
            Self::ThumbDragged(_) => "ThumbDragged",
            Self::EndPressed => "EndPressed",
            Self::Chosen(_) => "Chosen",
            Self::ChooseMoved { .. } => "ChooseMoved",
            Self::CopyPressed => "CopyPressed",
            Self::DetailsPressed => "DetailsPressed",
            Self::Link(_) => "Link",
            Self::DraftsDue => "DraftsDue",
            Self::Emoji(_) => "Emoji",
            Self::Find(_) => "Find",
            Self::Stepped { .. } => "Stepped",
            Self::NextPressed { .. } => "NextPressed",
            Self::HistoryPressed(_) => "HistoryPressed",
            Self::ForgetPressed(_) => "ForgetPressed",
            Self::CallPressed => "CallPressed",
            Self::AcceptPressed(_) => "AcceptPressed",
            Self::DeclinePressed(_) => "DeclinePressed",
            Self::BlockPressed(_) => "BlockPressed",
            Self::UnblockPressed => "UnblockPressed",
            Self::MenuPressed => "MenuPressed",
            Self::AskPressed(_) => "AskPressed",
            Self::AskConfirmed => "AskConfirmed",
            Self::AskDropped => "AskDropped",
            Self::SafetyNumberPressed => "SafetyNumberPressed",
            Self::SafetyNumberRead => "SafetyNumberRead",
            Self::VerifyPressed(_) => "VerifyPressed",
            Self::ClosePressed => "ClosePressed",
            Self::YesPressed => "YesPressed",
            Self::NoPressed => "NoPressed",
            Self::BlockShownPressed => "BlockShownPressed",
            Self::RetryPressed => "RetryPressed",
            Self::MeaningPressed => "MeaningPressed",
            Self::NoticeRead(_) => "NoticeRead",
            Self::EscapePressed => "EscapePressed",
            Self::SignOutPressed => "SignOutPressed",
            Self::SettingsPressed => "SettingsPressed",
            Self::LockPressed => "LockPressed",
        })
    }
}

/// What the app is to do.
#[derive(PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Give the focus to a field.
    Focus(&'static str),
    /// Put a text into the clipboard.
    Copy(String),
    /// Open an address of the web, which was shown and agreed to.
    OpenLink(String),
}

/// Says what is to be done, and nothing of what was written.
impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Focus(field) => write!(f, "Focus({field})"),
            Self::Copy(_) => f.write_str("Copy"),
            Self::OpenLink(_) => f.write_str("OpenLink"),
        }
    }
}
