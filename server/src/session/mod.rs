//! A session: one connection, from its first frame to its end.
//!
//! ```text
//! sign_in ──► Session frame ──► before_join ──► Join ──► rounds
//!  ▲    │                        pages, desk            pages, desk
//!  └────┘ registrations, refusals
//! ```
//!
//! The client opens the first stream for control frames and the second one for the rounds.
//!
//! Invariant: whatever a client sends, only its own connection suffers.

mod desk;
mod frames;
pub mod presence;
#[cfg(feature = "test")]
pub mod probe;
mod rounds;
mod sign_in;
mod staging;
pub mod strangers;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout_at;
use wire::close::Close;
use wire::control::{ClientControl, Pull, ServerControl, Session};
use wire::layer::Layer;
use wire::login::LoginContext;
use wire::public_key::PublicKey;
use wire::round::ClientFrame;
use wire::size::{CONTROL_FRAME, PAGE_RECORDS, SIGNATURE, VAULT_PARTS, round_frame};

use crate::accounts::{Accounts, SignedHead, SignedIn, Standing};
use crate::clock;
use crate::driver::Rounds;
use crate::quic::{Connection, RecvStream, SendStream};
use crate::store::DIRECTORY_MAX;
use crate::transport::login_exporter;
use crate::workers::Workers;
use desk::{Desk, Served};
use frames::{End, FrameReader, FrameWriter};
use presence::{Here, Presence};
use strangers::Strangers;

/// The longest that a signed-in client may take for its next step before it has a seat.
pub const STEP: Duration = Duration::from_secs(30);

/// Pulls before a client has a seat: enough for the longest directory, from any record on.
pub const PULLS_MAX: u32 =
    DIRECTORY_MAX.div_ceil(PAGE_RECORDS as u32 * wire::control::PULL_PAGES_MAX as u32) + 1;

/// Other requests before a client has a seat: enough to read the vault anew when another session stores one
/// meanwhile, and to change the password.
pub const REQUESTS_MAX: u32 = 16;

const _: () = assert!(REQUESTS_MAX > 3 * VAULT_PARTS as u32);

/// Rounds that the second step of a password change or a deletion may come later than a sign-in's: two cycles
/// of control rounds, since one deposit may be missing.
pub const SECOND_STEP_ROUNDS: u32 = 10;

/// The longest that a signed-in client may take until it joins, all steps together.
pub const JOIN: Duration = Duration::from_secs(15 * 60);

/// How long the last frames may take to reach the client when the server stops.
pub const FLUSH: Duration = Duration::from_millis(500);

/// How long a client that signed out or deleted its account may take to close the connection.
pub const FAREWELL: Duration = Duration::from_secs(3);

/// What all sessions share.
pub struct Hub {
    /// Accounts and their sessions.
    pub accounts: Accounts,
    /// The rounds.
    pub rounds: Rounds,
    /// Who is signed in.
    pub presence: Presence,
    /// Who is connected and not signed in.
    pub strangers: Strangers<Connection>,
    /// Whose handshake is under way; it is given up when the sender is dropped.
    pub handshakes: Strangers<oneshot::Sender<Infallible>>,
    /// The mixer's key for layers.
    pub mixer: mixer::MixerKey,
    /// What every session is told of the server.
    pub offer: Offer,
    /// Where sign-ins are computed.
    pub workers: Workers,
    /// Most connections, signed in or not.
    pub connections_max: AtomicUsize,
    /// How long a token lives, in milliseconds.
    pub token_ms: AtomicU64,
    /// How long a sign-in may take, in milliseconds.
    pub sign_in_ms: AtomicU64,
    /// Says true when the server stops.
    pub stop: watch::Receiver<bool>,
}

/// What every session is told of the server.
pub struct Offer {
    /// Slots of a deposit.
    pub slots: u8,
    /// Length of a round in milliseconds.
    pub round_ms: u32,
    /// When round 0 would have begun, in Unix milliseconds.
    pub genesis_ms: u64,
    /// The mixer's public key.
    pub mixer: PublicKey,
    /// The leaf's signature over it.
    pub mixer_signature: [u8; SIGNATURE],
}

/// The control stream.
struct Control {
    reader: FrameReader,
    writer: FrameWriter,
}

/// Serves a connection to its end.
pub async fn serve(connection: Connection, hub: Arc<Hub>) {
    let end = match session(&connection, &hub).await {
        Err(end) => end,
        Ok(never) => match never {},
    };
    match end {
        End::Close(close, reason) => {
            tracing::debug!(code = close.code(), reason, "closing a connection");
            connection.close(close.code().into(), reason.as_bytes());
        }
        End::Gone => (),
    }
}

async fn session(connection: &Connection, hub: &Arc<Hub>) -> Result<Infallible, End> {
    let mut stop = hub.stop.clone();
    let stranger = hub.strangers.enter(connection.clone());
    // boxed here and below: what only the way to a seat needs is no part of the task that stays
    let entered = tokio::select! {
        entered = Box::pin(sign_in(connection, hub)) => entered?,
        _ = stop.wait_for(|&stop| stop) => return Err(Close::Restarting.into()),
    };
    drop(stranger);
    let (here, ended) = hub.presence.enter(&entered.signed_in.member);
    tokio::select! {
        biased;
        close = ended.why() => Err(close.into()),
        end = attend(connection, hub, entered, here) => end,
    }
}

/// A connection that signed in.
struct Entered {
    control: Control,
    signed_in: SignedIn,
    address: IpAddr,
    context: Arc<LoginContext>,
}

/// Serves a connection from its sign-in on.
async fn attend(
    connection: &Connection,
    hub: &Arc<Hub>,
    entered: Entered,
    here: Here<'_>,
) -> Result<Infallible, End> {
    let mut stop = hub.stop.clone();
    let Entered { control, signed_in, address, context } = entered;
    let mut desk = Desk::new(hub, here, signed_in.member, address, context);
    let last = clock::now() + JOIN;
    let Joined { control, layer, deposits, frames } = tokio::select! {
        joined = Box::pin(enter(connection, hub, control, signed_in, &mut desk)) => joined?,
        () = tokio::time::sleep_until(last.into()) => return Err(Close::SignInTimeout.into()),
        _ = stop.wait_for(|&stop| stop) => return Err(Close::Restarting.into()),
    };
    desk.is_seated();
    rounds::run(hub, desk, layer, control, rounds::Streams { deposits, frames }).await
}

/// A session that sent its `join`.
struct Joined {
    control: Control,
    layer: Layer,
    deposits: FrameReader,
    frames: FrameWriter,
}

/// Takes a signed-in client to its `join`; its sign-in must still be good then.
async fn enter(
    connection: &Connection,
    hub: &Arc<Hub>,
    mut control: Control,
    signed_in: SignedIn,
    desk: &mut Desk<'_>,
) -> Result<Joined, End> {
    // Now that whoever ends the session finds this connection: what ended it before shows here.
    hub.check_standing(desk)?;
    let session = ServerControl::Session(hub.offer(signed_in).await?);
    control.writer.control_by(clock::now() + STEP, &session).await?;
    let (writer, reader) = before_join(connection, hub, &mut control, desk).await?;
    let mut deposits = FrameReader::new(reader, round_frame(hub.offer.slots));
    let layer = tokio::select! {
        layer = joined(hub, &mut deposits) => layer?,
        never = desk.expire() => match never {},
    };
    hub.check_standing(desk)?;
    Ok(Joined { control, layer, deposits, frames: FrameWriter::new(writer) })
}

/// Waits for `join` and agrees on the layer.
async fn joined(hub: &Arc<Hub>, deposits: &mut FrameReader) -> Result<Layer, End> {
    let frame = timeout_at((clock::now() + STEP).into(), deposits.next()).await;
    let frame = frame.map_err(|_| Close::SignInTimeout)??;
    let ClientFrame::Join(join) = ClientFrame::decode(frame, hub.offer.slots)? else {
        return Err(End::protocol("a deposit before `join`"));
    };
    let agreeing = hub.clone();
    let layer = hub.workers.run(move || agreeing.mixer.layer_for(&join.key)).await;
    layer.map_err(End::protocol)
}

async fn sign_in(connection: &Connection, hub: &Arc<Hub>) -> Result<Entered, End> {
    let deadline = clock::now() + hub.sign_in_time();
    let accepted = timeout_at(deadline.into(), connection.accept_bi()).await;
    let (writer, reader) = accepted.map_err(|_| Close::SignInTimeout)??;
    let mut control = Control {
        reader: FrameReader::new(reader, CONTROL_FRAME),
        writer: FrameWriter::new(writer),
    };
    let address: IpAddr = connection.remote_address().ip();
    let exporter = login_exporter(connection).ok_or(End::Gone)?;
    connection.forget_handshake();
    let context = Arc::new(hub.accounts.context(&exporter));
    let mut signing_in =
        sign_in::SignIn { hub, talk: &mut control, address, context: context.clone(), deadline };
    let signed_in = sign_in::run(&mut signing_in).await?;
    Ok(Entered { control, signed_in, address, context })
}

/// Serves pages of the directory and the desk until the client opens the stream of the rounds.
async fn before_join(
    connection: &Connection,
    hub: &Arc<Hub>,
    control: &mut Control,
    desk: &mut Desk<'_>,
) -> Result<(SendStream, RecvStream), End> {
    let (mut pulls, mut requests) = (0, 0);
    loop {
        let deadline = clock::now() + STEP;
        let request = tokio::select! {
            request = desk.next(&mut control.reader) => request?,
            stream = connection.accept_bi() => return Ok(stream?),
            () = tokio::time::sleep_until(deadline.into()) => {
                return Err(Close::SignInTimeout.into());
            }
        };
        match &request {
            ClientControl::Pull(_) => pulls += 1,
            // goes on a schedule, which begins with the rounds
            ClientControl::VaultPut(_) => return Err(End::protocol("a `vault put` before `join`")),
            _ => requests += 1,
        }
        if pulls > PULLS_MAX || requests > REQUESTS_MAX {
            return Err(End::protocol("too many requests before `join`"));
        }
        match desk.serve(request).await? {
            Served::Pages(pull) => {
                for page in hub.pages(pull).await? {
                    control.writer.control_by(clock::now() + STEP, &page).await?;
                }
            }
            Served::Answer(answer) => {
                control.writer.control_by(clock::now() + STEP, &answer).await?;
                if matches!(answer, ServerControl::SignedOut | ServerControl::Deleted) {
                    let _ = tokio::time::timeout(FAREWELL, connection.closed()).await;
                    return Err(Close::Done.into());
                }
            }
            Served::Idle | Served::SignIn => {
                let what = "only pages and the own account can be asked about before `join`";
                return Err(End::protocol(what));
            }
        }
    }
}

impl Hub {
    /// Reads pages where the disk holds up nobody.
    async fn pages(self: &Arc<Self>, pull: Pull) -> Result<Vec<ServerControl>, End> {
        let hub = self.clone();
        let pages = self.workers.run(move || hub.accounts.pages(pull)).await;
        let pages = pages.map_err(|error| failed(&error))?;
        Ok(pages.into_iter().map(ServerControl::Page).collect())
    }

    fn sign_in_time(&self) -> Duration {
        Duration::from_millis(self.sign_in_ms.load(Ordering::Relaxed))
    }

    fn second_step_time(&self) -> Duration {
        let round = Duration::from_millis(self.offer.round_ms.into());
        self.sign_in_time() + SECOND_STEP_ROUNDS * round
    }

    /// Fails unless the session's token still stands.
    fn check_standing(&self, desk: &Desk<'_>) -> Result<(), End> {
        match self.accounts.standing(desk.member()).map_err(|error| failed(&error))? {
            Standing::Current => Ok(()),
            Standing::Superseded => Err(Close::TakenOver.into()),
            Standing::Ended => Err(Close::SessionEnded.into()),
        }
    }

    async fn offer(self: &Arc<Self>, signed_in: SignedIn) -> Result<Box<Session>, End> {
        let SignedIn { member, token, expires_ms, master, identity } = signed_in;
        let hub = self.clone();
        let directory = self.workers.run(move || hub.accounts.directory()).await;
        let SignedHead { length, head, signature, restores } =
            directory.map_err(|error| failed(&error))?;
        let Offer { slots, round_ms, genesis_ms, mixer, mixer_signature } = self.offer;
        Ok(Box::new(Session {
            token,
            expires_ms,
            index: member.account,
            slots,
            round_ms,
            genesis_ms,
            mixer,
            mixer_signature,
            master,
            identity,
            directory_length: length,
            directory_head: head,
            directory_signature: signature,
            restores,
        }))
    }
}

/// The store failed: the server is about to end, and clients come back to the next one.
fn failed(error: &impl std::fmt::Display) -> End {
    tracing::error!("a request was not served: {error}");
    Close::Restarting.into()
}
