//! A sign-in and a desk without a connection, for the fuzzer in `tests/fuzz`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use wire::close::Close;
use wire::codec::Wire as _;
use wire::control::{ClientControl, ServerControl};
use wire::login::LoginContext;

use super::Hub;
use super::desk::{Desk, Served};
use super::frames::{End, FrameWriter};
use super::presence::Ended;
use super::sign_in::{self, SignIn, Talk};
use crate::accounts::{Member, SignedIn};
use crate::clock;

/// Somebody who is not signed in.
pub trait Caller {
    /// Returns what comes next.
    fn asks(&mut self) -> Asked;

    /// Hears the answer to the last frame, as it goes over the wire.
    fn hears(&mut self, frame: &[u8]);
}

/// What comes from a caller.
pub enum Asked {
    /// A frame.
    Frame(Vec<u8>),
    /// Nothing any more, on a connection that stays.
    Silence,
    /// The end of the stream.
    Leave,
}

/// Lets somebody sign in over a connection whose login is bound to `context`.
///
/// # Errors
/// Why the connection is closed.
pub async fn sign_in(
    hub: &Arc<Hub>,
    address: IpAddr,
    context: Arc<LoginContext>,
    caller: &mut impl Caller,
) -> Result<SignedIn, Close> {
    let deadline = clock::now() + hub.sign_in_time();
    let talk = &mut Call(caller);
    let signed_in = sign_in::run(&mut SignIn { hub, talk, address, context, deadline }).await;
    signed_in.map_err(|end| match end {
        End::Close(close, _) => close,
        End::Gone => unreachable!("there is no connection"),
    })
}

struct Call<'c, C>(&'c mut C);

impl<C: Caller> Talk for Call<'_, C> {
    async fn next(&mut self) -> Result<ClientControl, End> {
        match self.0.asks() {
            Asked::Frame(frame) => Ok(ClientControl::decode(&frame)?),
            Asked::Silence => std::future::pending().await,
            Asked::Leave => Err(Close::Done.into()),
        }
    }

    async fn answer(&mut self, answer: &ServerControl, _: Instant) -> Result<(), End> {
        self.0.hears(&FrameWriter::encoded(answer));
        Ok(())
    }
}

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
