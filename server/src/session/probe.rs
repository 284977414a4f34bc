//! A desk without a connection, for the fuzzer in `tests/fuzz`.

use std::net::IpAddr;
use std::sync::Arc;

use wire::control::{ClientControl, ServerControl};
use wire::login::LoginContext;

use super::Hub;
use super::desk::{Desk, Served};
use super::presence::Ended;
use crate::accounts::Member;

/// A session that signed in and has nothing but its desk.
pub struct Visit<'h> {
    desk: Desk<'h>,
    /// Where a connection would hear why it ends.
    _ended: Ended,
}

/// What a request comes to.
pub enum Said {
    /// This answers it.
    Answer(Box<ServerControl>),
    /// It asks for nothing.
    Nothing,
    /// It asks for pages, which the connection sends.
    Pages,
    /// It asks for a sign-in, for which the connection is closed.
    SignIn,
}

impl<'h> Visit<'h> {
    /// Comes to the desk of a login that is bound to `context`.
    pub fn begin(
        hub: &'h Arc<Hub>,
        member: Member,
        address: IpAddr,
        context: Arc<LoginContext>,
    ) -> Self {
        let (here, ended) = hub.presence.enter(&member);
        Self { desk: Desk::new(hub, here, member, address, context), _ended: ended }
    }

    /// Asks for something; nothing comes back only if the store fails.
    pub async fn ask(&mut self, request: ClientControl) -> Option<Said> {
        Some(match self.desk.serve(request).await.ok()? {
            Served::Answer(answer) => Said::Answer(Box::new(answer)),
            Served::Idle => Said::Nothing,
            Served::Pages(_) => Said::Pages,
            Served::SignIn => Said::SignIn,
        })
    }
}
