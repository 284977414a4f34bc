//! Words of the main screen.

use crate::present::{count, grouped};

/// Shows the settings.
pub const SETTINGS: &str = "Settings";
/// Locks the window.
pub const LOCK: &str = "Lock";
/// Ends the session.
pub const SIGN_OUT: &str = "Sign out";
/// While that is under way.
pub const SIGNING_OUT: &str = "Signing out …";
/// Placeholder of the search field.
pub const SEARCH: &str = "Find a person";
/// Above the calls that wait for an answer.
pub const CALLS: &str = "Calls";
/// Above those whom this account talks to.
pub const CONTACTS: &str = "Contacts";
/// Above everyone else.
pub const EVERYONE: &str = "Everyone here";
/// The directory shows nobody but this account.
pub const NOBODY_ELSE: &str = "Nobody else has an account here yet. Give your group's link to somebody; new people appear by themselves.";
/// The search finds nobody.
pub const NOBODY_FOUND: &str =
    "Nobody here is called that. Names that are made now appear within a few rounds.";
/// Nobody is chosen.
pub const CHOOSE: &str = "Choose a person";
/// What happens then.
pub const CHOOSE_HINT: &str = "Write to anybody here: your first message calls them, and waits until they answer. \
     On the network you look the same whether you talk or not.";
/// Beside a contact whose safety number was compared.
pub const TAG_VERIFIED: &str = "verified";
/// Beside a contact who has not answered yet.
pub const TAG_CALLING: &str = "calling …";
/// Beside a contact who has another key.
pub const TAG_KEY_CHANGED: &str = "key changed";
/// Beside somebody who is blocked.
pub const TAG_BLOCKED: &str = "blocked";
/// Calls somebody.
pub const CALL: &str = "Call";
/// Accepts a call.
pub const ACCEPT: &str = "Accept";
/// Declines a call.
pub const DECLINE: &str = "Decline";
/// Blocks somebody.
pub const BLOCK: &str = "Block";
/// Takes a block back.
pub const UNBLOCK: &str = "Unblock";
/// Forgets a contact.
pub const FORGET: &str = "Forget";
/// Takes a new key for the right one.
pub const ACCEPT_KEY: &str = "Accept the new key";
/// Does nothing of what was asked about.
pub const KEEP: &str = "Cancel";
/// Shows what else can be done.
pub const MENU: &str = "More";
/// Which keys answer a call.
pub const CALL_KEYS: &str =
    "Ctrl+Y accepts, Ctrl+D declines, Ctrl+B blocks. Who is declined or blocked is not told.";
/// Which keys answer a question.
pub const ASK_KEYS: &str = "Ctrl+Y does it, Escape does not";
/// The conversation flows.
pub const LIVE: &str = "You have found each other; messages go through.";
/// There is nothing to the peer yet.
pub const STRANGER: &str = "Not among your contacts.";
/// The peer calls.
pub const CALLER: &str = "Calls you, and waits for your answer.";
/// The peer has another key.
pub const KEY_CHANGED: &str = "The key changed. Nothing goes through until you decide.";
/// The peer is blocked.
pub const BLOCKED: &str = "Blocked. You hear nothing from there.";
/// The client is out of the rounds.
pub const AWAY: &str = "You are not in the rounds; messages wait here until you are.";
/// Shows the safety number.
pub const SAFETY_NUMBER: &str = "Safety number";
/// Shows the messages again.
pub const BACK: &str = "Back";
/// What equal numbers mean, and what others do.
pub const SAFETY_EQUAL: &str = "If both of you see the same, nobody sits in between you, the server included; if not, \
     write nothing here that others may not read, and ask whoever runs the server.";
/// What the code is for.
pub const SAFETY_CODE: &str = "The code says the same digits to a phone's camera.";
/// The numbers were compared and are the same.
pub const SAFETY_SAME: &str = "The numbers are the same";
/// What pressing that does.
pub const SAFETY_OPEN: &str = "Press it only when you have compared them: this contact is marked as verified then. The mark goes \
     by itself if the key ever changes.";
/// They were found the same before.
pub const SAFETY_VERIFIED: &str = "You compared these numbers and found them the same.";
/// Takes that back.
pub const SAFETY_TAKE_BACK: &str = "Take the mark back";
/// Nothing is remembered of strangers.
pub const SAFETY_NO_CONTACT: &str = "Only contacts can be marked as verified. Call first.";
/// Puts the conversation away.
pub const CLOSE: &str = "Close";
/// Leads back to the list of people, where there is room for one of both.
pub const TO_LIST: &str = "People";
/// There are no messages.
pub const EMPTY: &str = "No messages yet.";
/// History is on its way.
pub const LOADING: &str = "Loading earlier messages …";
/// Loads more of it.
pub const OLDER: &str = "Show earlier messages";
/// Placeholder of the field that messages are written in.
pub const WRITE: &str = "Write a message";
/// Sends it.
pub const SEND: &str = "Send";
/// Which keys do what.
pub const KEYS_HINT: &str = "Enter sends, Shift+Enter breaks the line";
/// Which keys do what while a message is chosen.
pub const CHOSEN_KEYS: &str = "↑ ↓ choose, Ctrl+C copies, Enter shows details, Escape leads back";
/// Shows the panel of emoji.
pub const EMOJI: &str = "Emoji";
/// How an emoji is chosen.
pub const EMOJI_HINT: &str = "Arrows and Enter choose, typing searches, Escape closes";
/// Copies what is meant.
pub const COPY: &str = "Copy";
/// After that.
pub const COPIED: &str = "Copied";
/// Shows what is known of a message.
pub const DETAILS: &str = "Details";
/// Opens a link.
pub const OPEN: &str = "Open in the browser";
/// A link leads to a group.
pub const LINK_IIRS: &str = "This is the link of a group. Copy it and paste it where iirs asks for a link, if you trust whoever sent it.";
/// A link is too long to be opened.
pub const LINK_LONG: &str =
    "This link is longer than 2,048 bytes, so it is not opened. You can copy it.";
/// No browser opens a link.
pub const NO_BROWSER: &str = "No browser could be started. Press the link again to copy it.";
/// Looks for something in what was written.
pub const FIND: &str = "Search";
/// In the field while everything is looked through.
pub const FIND_IN_ALL: &str = "Search all conversations";
/// What happens there.
pub const FIND_HINT: &str =
    "Only this computer is searched. ↑ ↓ and Enter lead to what is found, Escape ends.";
/// Leads to the hit before, in time.
pub const FIND_OLDER: &str = "Earlier";
/// Leads to the hit after, in time.
pub const FIND_NEWER: &str = "Later";
/// Nothing is found.
pub const NOT_FOUND: &str = "Nothing found. Only what is kept on this computer is searched.";
/// A hit's message is not there any more.
pub const HIT_GONE: &str =
    "That message is not in the history any more, or lies too far back to be shown.";
/// Above what can be done with a history.
pub const MENU_HISTORY: &str = "What you wrote each other";
/// Has a history forgotten when the program ends.
pub const FORGET_HISTORY: &str = "Forget on exit";
/// Takes that back.
pub const KEEP_HISTORY: &str = "Keep on exit";
/// It is forgotten when the program ends.
pub const FORGETS: &str = "What you write each other is forgotten when iirs ends.";
/// Writes a history into a file, for people.
pub const EXPORT_TEXT: &str = "Export as text";
/// Writes a history into a file, for programs.
pub const EXPORT_JSON: &str = "Export as JSON";
/// The yes to the first question about that.
pub const EXPORT_NEXT: &str = "Next";
/// The second question.
pub const ASK_EXPORT_SURE: &str = "This file can be read by anybody who gets it: it is not encrypted, and iirs does not delete it. Write it all the same?";
/// The yes to that.
pub const EXPORT_NOW: &str = "Write the file";
/// Deletes a history.
pub const DELETE: &str = "Delete messages";
/// The yes to the first question about that.
pub const DELETE_NEXT: &str = "Next";
/// The yes to the second one.
pub const DELETE_NOW: &str = "Delete for good";
/// There are people, and no contacts.
pub const NO_CONTACTS: &str =
    "You have no contacts yet. Choose a person and write: your first message calls them.";
/// So many messages are loaded that no more are.
pub const LOADED_ENOUGH: &str = "Older messages are found by searching.";

/// Keys of the main screen, with what they do.
pub const KEYS: &[(&str, &str)] = &[
    ("Enter", "Send the message"),
    ("Shift+Enter", "Break the line"),
    ("Ctrl+E", "Choose an emoji"),
    ("↑ in an empty field", "Choose the last message; ↑ ↓ move on"),
    ("Ctrl+C", "Copy the chosen message, or what is selected"),
    ("Enter on a chosen message", "Show or hide its details"),
    ("Page Up, Page Down", "Turn the page of the messages"),
    ("Ctrl+F", "Search in this conversation"),
    ("Ctrl+Shift+F", "Search in all conversations"),
    ("↑ ↓ and Enter in a search", "Go to what was found"),
    ("Ctrl+K", "Find a person; ↑ ↓ choose, Enter opens"),
    ("Alt+↑, Alt+↓", "Previous and next conversation"),
    ("Ctrl+W, Alt+←", "Close the conversation"),
    ("Ctrl+Y", "Yes: accept the call, or do what is asked"),
    ("Ctrl+D", "No: decline the call, or do not do what is asked"),
    ("Ctrl+B", "Block the person"),
    ("Ctrl+R", "Try at once to come back into the rounds"),
    ("Escape", "Put away what lies on top"),
];
/// Puts a refused message back into the field.
pub const AGAIN: &str = "Edit and try again";
/// The client is out of the rounds.
pub const LOST: &str =
    "You are not covered: the server cannot be reached. What you write is kept and goes out later.";
/// Tries at once.
pub const RETRY: &str = "Try now";
/// Shows more of a long message.
pub const MORE: &str = "Show more";
/// In place of a message that leaves nothing to be seen.
pub const INVISIBLE: &str = "(nothing that can be seen)";
/// Shows what the privacy bar means.
pub const MEANING: &str = "What this means";
/// The same where there is little room.
pub const MEANING_SHORT: &str = "?";
/// Puts a notice away.
pub const READ: &str = "OK";
/// A draft would become too long.
pub const TOO_MUCH: &str = "That is far more than fits into one message (16 KB). It is still in your clipboard; paste it in parts.";
/// Too many lines are pasted.
pub const TOO_MANY_LINES: &str = "That has more than 1,000 lines, which are too many to paste at once. They are still in your clipboard; paste them in parts.";
/// A message is too long.
pub const TOO_LONG: &str = "This message is longer than 16,384 bytes. Shorten it, or send it in parts; it is still in the field.";
/// The engine takes no command.
pub const BUSY: &str =
    "iirs is busy and did not take that. Nothing is lost; try again in a moment.";

/// The server was put back from a backup of this moment.
pub fn restored(backed_up: &str) -> String {
    format!(
        "The server was restored from a backup of {backed_up}. Accounts, password changes and changes of contact lists \
         that were made after that are gone on the server. What this computer knows of your contacts is stored there \
         again."
    )
}

/// Beside a person to whom nothing was written.
pub fn empty(peer: &str) -> String {
    format!(
        "What you write here, only you and {peer} can read. On the network you look the same either way."
    )
}

/// Leads to the end of a conversation, with the number of messages that came there.
pub fn newer(number: u32) -> String {
    match number {
        0 => "↓ To the end".into(),
        number => format!("↓ {number} new"),
    }
}

/// Above messages that were not looked at.
pub fn unread(number: u32) -> String {
    match number {
        1 => "1 new message".into(),
        number => format!("{number} new messages"),
    }
}

/// What is known of a message of somebody.
pub fn details_theirs(peer: &str, written: &str, round: u64) -> Vec<String> {
    vec![format!("Written {written}, by {peer}'s clock"), format!("Arrived in round {round}")]
}

/// What is known of a message of ours.
pub fn details_ours(written: &str, state: &str, round: Option<u64>) -> Vec<String> {
    let round = round.map_or_else(String::new, |round| format!(" (round {round})"));
    vec![format!("Written {written}, by this computer's clock"), format!("State: {state}{round}")]
}

/// How long a message is.
pub fn bytes(number: &str) -> String {
    format!("{number} bytes")
}

/// Where a link leads.
pub fn link_leads(host: &str) -> String {
    format!(
        "Open this link, which leads to {host}? Your browser goes there outside of iirs: that site and your network see that you do."
    )
}

/// No emoji is called so.
pub fn no_emoji(sought: &str) -> String {
    format!("None is called {sought}")
}

/// In the field while one conversation is looked through.
pub fn find_in(peer: &str) -> String {
    format!("Search what you and {peer} wrote")
}

/// Which hit is shown.
pub fn hit(at: usize, of: usize) -> String {
    format!("{at} of {of}")
}

/// How far a search is.
pub fn searching(found: usize, read: u64, of: u64) -> String {
    let (read, of) = (grouped(read), grouped(of));
    match found {
        0 => format!("Searching … read {read} of {of}"),
        found => format!("{found} found, read {read} of {of}"),
    }
}

/// Who wrote to whom.
pub fn to(writer: &str, peer: &str) -> String {
    format!("{writer} to {peer}")
}

/// Whose history is meant, in a sentence.
pub fn history_with(peer: Option<&str>) -> String {
    match peer {
        Some(peer) => format!("what you and {peer} wrote each other"),
        None => "all that you and others wrote each other".into(),
    }
}

/// Whether a history is to be written into a file.
pub fn ask_export(whose: &str, file: &str) -> String {
    format!("Write {whose} into the file {file}?")
}

/// Whether a history is to be deleted.
pub fn ask_delete(whose: &str) -> String {
    format!(
        "Delete {whose} from this computer? Others keep what they have. What is not delivered yet stays until it is."
    )
}

/// And once more.
pub fn ask_delete_sure(whose: &str) -> String {
    format!("This cannot be undone. Delete {whose} for good?")
}

/// How far a history is written.
pub fn exporting(done: u64, of: u64) -> String {
    format!("Writing the file … {} of {} messages", grouped(done), grouped(of))
}

/// A history is written.
pub fn exported(messages: u64, file: &str) -> String {
    let messages = count(messages, "message", "messages");
    format!("{messages} are in {file}. Anybody who gets this file can read it.")
}

/// A history is deleted.
pub fn deleted(whose: &str) -> String {
    format!("Deleted from this computer: {whose}.")
}

/// Above the safety number.
pub fn safety_title(peer: &str) -> String {
    format!("Your safety number with {peer}")
}

/// What is to be done with it.
pub fn safety_compare(peer: &str) -> String {
    format!(
        "Compare these digits with those that {peer} sees, by another way: in person, for instance, or by phone."
    )
}

/// Somebody calls, in the list.
pub fn calls(peer: &str) -> String {
    format!("{peer} calls")
}

/// The blocked people, folded or not.
pub fn blocked_people(number: usize, shown: bool) -> String {
    if shown { format!("Blocked ({number}): hide") } else { format!("Blocked ({number}): show") }
}

/// What the first message does.
pub fn will_be_called(peer: &str) -> String {
    format!(
        "{peer} is called when you send the first message, and need not be there: what you write waits for the answer."
    )
}

/// Somebody calls, above the conversation.
pub fn calls_you(peer: &str) -> String {
    format!(
        "{peer} calls you. If you accept, or just write something, {peer} becomes a contact and messages go both ways."
    )
}

/// Somebody was called and has not answered.
pub fn calling(peer: &str) -> String {
    format!(
        "Calling {peer}, who need not be there: it goes on until there is an answer. What you write waits for that."
    )
}

/// The peer is away.
pub fn waiting(peer: &str) -> String {
    format!("Waiting for {peer} to be here. What you write is kept until then.")
}

/// The peer has another key than before.
pub fn key_changed(peer: &str) -> String {
    format!(
        "The server shows another key for {peer} than before, or none any more. Either {peer} made a new account under the \
         old name, or somebody poses as {peer}. Ask {peer} by another way, in person or by phone, before you go on."
    )
}

/// Somebody is blocked.
pub fn is_blocked(peer: &str) -> String {
    format!(
        "You blocked {peer}, who is not told. If you unblock, {peer} can call you again, and you {peer}."
    )
}

/// Whether the new key is to be accepted.
pub fn ask_accept_key(peer: &str) -> String {
    format!(
        "Accept the new key of {peer}? Do so only if {peer} told you, by another way, that it is right. This cannot be undone: \
         messages that {peer} has not got yet are not sent to the new key, and you compare safety numbers anew."
    )
}

/// Whether a contact is to be forgotten.
pub fn ask_forget(peer: &str) -> String {
    format!(
        "Forget {peer}? The conversation ends, and the verified mark is gone. What you wrote each other stays on this \
         computer. You can call again later."
    )
}

/// Whether a contact is to be blocked.
pub fn ask_block(peer: &str) -> String {
    format!(
        "Block {peer}? The conversation ends, the verified mark is gone, and you hear no call of {peer} any more. \
         {peer} is not told."
    )
}

/// Something was written and not sent, and the window is to close.
pub fn drafts(peers: &str) -> String {
    format!(
        "What you wrote to {peers} is not sent, and goes with this window. Send it first, or close the window once more."
    )
}

/// More notices than are shown.
pub fn more_notices(number: usize) -> String {
    format!("and {number} more behind these")
}

/// More people than are shown.
pub fn more(number: usize) -> String {
    format!("{number} more; type a part of a name to find them.")
}
