//! What a program asks of the client.

use zeroize::Zeroizing;

use super::Local;
#[cfg(doc)]
use super::{ErrorCode, Event};

/// What a program asks of the client.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens a conversation; a name that is not in the directory waits for its next sync.
    Open {
        /// Account name of the peer.
        peer: String,
    },
    /// Closes a conversation; what is queued in it waits until it is opened again.
    Close {
        /// Account name of the peer.
        peer: String,
    },
    /// Sends a message in an open conversation.
    Send {
        /// Account name of the peer.
        peer: String,
        /// 1 to 16,384 bytes of UTF-8.
        text: String,
        /// Name for the message in every [`Event::State`], at most 128 bytes.
        label: String,
    },
    /// Asks for [`Event::Directory`].
    Directory,
    /// Asks for [`Event::Status`].
    Status,
    /// Asks for [`Event::History`], whether the conversation is open or not; answers come in the order of the
    /// questions, while the connection is lost too.
    History {
        /// Account name of the peer.
        peer: String,
        /// Only what is older than the entry with this cursor.
        before: Option<u64>,
        /// Most entries to return; more than 256 count as 256.
        max: usize,
    },
    /// Asks for [`Event::SafetyNumber`], or an [`ErrorCode::UnknownPeer`], [`ErrorCode::SelfConversation`] or
    /// [`ErrorCode::KeyChanged`]. The conversation need not be open; a name that is not in the directory yet is unknown.
    SafetyNumber {
        /// Account name of the peer.
        peer: String,
    },
    /// Calls somebody, who need not expect it: [`Event::Calling`] when the invitation goes out, [`Event::Answered`] when
    /// he is there. Whom one calls becomes a contact; what is sent to him meanwhile waits for the answer. Who is a
    /// contact already is woken, or called anew if that is in vain.
    Call {
        /// Account name of the peer.
        peer: String,
    },
    /// Accepts the call of [`Event::Request`]: the caller becomes a contact.
    Accept {
        /// Account name of the caller.
        peer: String,
    },
    /// Declines a call silently; for a day the caller's further calls are not told.
    Decline {
        /// Account name of the caller.
        peer: String,
    },
    /// Hears nothing more of somebody, and ends what there is with him; he is not told.
    Block {
        /// Account name of the peer.
        peer: String,
    },
    /// Takes a block back; who it was is a stranger again.
    Unblock {
        /// Account name of the peer.
        peer: String,
    },
    /// Forgets a contact and ends the conversation; its history stays.
    Forget {
        /// Account name of the peer.
        peer: String,
    },
    /// Sets or takes back the mark that both people compared their safety number; the conversation's peer must be a
    /// contact.
    Verify {
        /// Account name of the peer.
        peer: String,
        /// Whether the numbers were found the same.
        verified: bool,
    },
    /// Decides, after [`Event::KeyChanged`], that the name's new key is the right one: he stays a contact, without
    /// the mark of [`Self::Verify`], and is called anew. What was not delivered to the old key is not sent to the new one.
    AcceptKey {
        /// Account name of the peer.
        peer: String,
    },
    /// Asks for [`Event::Contacts`].
    Contacts,
    /// Changes the password: [`Event::PasswordChanged`], or an error and everything is as before.
    ChangePassword {
        /// The password so far.
        old: Zeroizing<Vec<u8>>,
        /// The new one.
        new: Zeroizing<Vec<u8>>,
    },
    /// Asks for [`Event::Sessions`].
    Sessions,
    /// Ends another session of this account: [`Event::SessionEnded`].
    EndSession {
        /// Its id, as [`Event::Sessions`] has it.
        id: String,
    },
    /// Deletes the account at the server for good: [`Event::AccountDeleted`], and the end. History on this machine stays.
    DeleteAccount {
        /// The account's password.
        password: Zeroizing<Vec<u8>>,
    },
    /// Asks something of what is kept on this machine.
    Local(Local),
    /// Tries to come back to the rounds now, without waiting for [`Event::RetryIn`] to pass; nothing unless such a
    /// pause lasts.
    Retry,
    /// Leaves, forgets the session's token, and ends the session at the server; if that is not reached in 3 s,
    /// an [`ErrorCode::NoServer`] says so before the end. Before the sign-in it is [`Self::Quit`].
    SignOut,
    /// Waits until nothing is queued, then leaves.
    Drain {
        /// Whether to stay a random 30 to 120 rounds more, since leaving with the last acknowledgement
        /// would tell that one talked.
        linger: bool,
    },
    /// Leaves now.
    Quit,
}
