//! What the attacker does with a connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use client_core::account::{SignIn, SignUp};
use client_link::transport::login_exporter;
use quinn::{RecvStream, SendStream};
use rand_core::{OsRng, RngCore as _};
use tokio::time::{sleep, timeout};
use wire::account::Stretching;
use wire::codec::Wire as _;
use wire::control::{ClientControl, LoginStart, Pull, ServerControl};
use wire::ids::Name;
use wire::login::LoginContext;
use wire::public_key::AgreementKey;
use wire::round::{Join, deposit_frame};
use wire::size::CONTROL_FRAME;

use super::assault::{Assault, Held};

/// Streams that a server lets a client open.
const STREAMS: usize = server::transport::BIDI_STREAMS_MAX as usize;

/// The longest that the attacker waits for an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

type Streams = (SendStream, RecvStream);

/// Does nothing.
pub(super) async fn idle(held: &Held<'_>) -> anyhow::Result<()> {
    held.connection.closed().await;
    Ok(())
}

/// Sends a frame byte by byte, one a second.
pub(super) async fn slow(held: &Held<'_>) -> anyhow::Result<()> {
    let mut stream = held.connection.open_bi().await?;
    for byte in ClientControl::Idle.encode() {
        stream.0.write_all(&[byte]).await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Fills the windows of all streams, the first one but for the end of a frame, and waits.
pub(super) async fn stuffed(held: &Held<'_>) -> anyhow::Result<()> {
    let mut streams = Vec::new();
    for at in 0..STREAMS {
        let mut stream = held.connection.open_bi().await?;
        let bytes = if at == 0 { CONTROL_FRAME - 1 } else { 1 << 20 };
        // no more than the window goes
        let _ = timeout(Duration::from_secs(1), stream.0.write_all(&vec![7; bytes])).await;
        streams.push(stream);
    }
    held.connection.closed().await;
    Ok(())
}

/// Guesses at names, as often as one connection may; another name each time.
pub(super) async fn logins(
    assault: &Assault,
    held: &Held<'_>,
    number: usize,
) -> anyhow::Result<()> {
    let mut stream = held.connection.open_bi().await?;
    let (_, start) = SignIn::start(name("guess", number), b"guess", &mut OsRng)?;
    let ClientControl::LoginStart(LoginStart { request, .. }) = start else {
        bail!("a login begins in another way");
    };
    for guess in 0_usize.. {
        // every other guess is at somebody who is there
        let name = if guess.is_multiple_of(2) {
            name("load", guess / 2 % 50)
        } else {
            name("guess", number + guess)
        };
        let start = ClientControl::LoginStart(LoginStart { name, request });
        match ask(&mut stream, &start).await? {
            ServerControl::LoginReply(_) => count(&assault.served),
            _ => count(&assault.refused),
        }
    }
    Ok(())
}

/// Registers accounts, as many as one connection may.
pub(super) async fn registrations(
    assault: &Assault,
    held: &Held<'_>,
    number: usize,
) -> anyhow::Result<()> {
    let mut stream = held.connection.open_bi().await?;
    for more in 0..4 {
        register(assault, &mut stream, name("many", number * 4 + more)).await?;
    }
    Ok(())
}

/// Sends what is no frame, or one that is not due.
pub(super) async fn garbage(held: &Held<'_>, number: usize) -> anyhow::Result<()> {
    let mut stream = held.connection.open_bi().await?;
    let mut bytes = vec![0; CONTROL_FRAME + number % CONTROL_FRAME];
    match number % 3 {
        0 => OsRng.fill_bytes(&mut bytes),
        1 => bytes = ClientControl::Pull(Pull { from: u32::MAX, pages: 64 }).encode(),
        _ => bytes[0] = 1,
    }
    stream.0.write_all(&bytes).await?;
    // half of a frame and the end of the stream
    stream.0.finish()?;
    held.connection.closed().await;
    Ok(())
}

/// Signs up and in, asks for the directory without reading it, joins, and deposits without reading.
pub(super) async fn unread(
    assault: &Assault,
    held: &Held<'_>,
    number: usize,
) -> anyhow::Result<()> {
    let mut control = held.connection.open_bi().await?;
    let name = name("deaf", number);
    register(assault, &mut control, name).await?;
    let exporter = login_exporter(&held.connection).ok_or_else(|| anyhow::anyhow!("no keys"))?;
    let (sign_in, start) = SignIn::start(name, b"deaf", &mut OsRng)?;
    let ServerControl::LoginReply(reply) = ask(&mut control, &start).await? else {
        bail!("no login");
    };
    let (context, cost) = (LoginContext::new(assault.link.pin, &exporter), Stretching::for_tests());
    let (_, finish) = sign_in.finish(b"deaf", &reply, &cost, &context, &mut OsRng)?;
    let ServerControl::Session(session) = ask(&mut control, &finish).await? else {
        bail!("no session");
    };
    let pulls = ClientControl::Pull(Pull { from: 0, pages: 64 }).encode();
    if number.is_multiple_of(2) {
        loop {
            control.0.write_all(&pulls).await?;
            sleep(Duration::from_millis(10)).await;
        }
    }
    let mut rounds = held.connection.open_bi().await?;
    let join = Join { key: AgreementKey::random(&mut OsRng).public() };
    rounds.0.write_all(&join.encode(session.slots)).await?;
    // one number is heard, then no more
    let mut first = [0; 16];
    rounds.1.read_exact(&mut first).await?;
    let open = u64::from_le_bytes(first[8..].try_into()?);
    let round = Duration::from_millis(session.round_ms.into());
    for later in 0.. {
        let deposit = deposit_frame(wire::ids::Round(open + later), session.slots);
        rounds.0.write_all(&deposit).await?;
        sleep(round).await;
    }
    Ok(())
}

async fn register(assault: &Assault, stream: &mut Streams, name: Name) -> anyhow::Result<()> {
    let password = b"deaf";
    let (up, start) = SignUp::start(name, assault.link.pin, None, password, &mut OsRng)?;
    let ServerControl::RegisterReply(reply) = ask(stream, &start).await? else {
        count(&assault.refused);
        bail!("refused");
    };
    let finish = up.finish(password, &reply, Stretching::for_tests(), &mut OsRng)?;
    match ask(stream, &finish).await? {
        ServerControl::Registered(_) => count(&assault.served),
        _ => {
            count(&assault.refused);
            bail!("refused");
        }
    }
    Ok(())
}

async fn ask(stream: &mut Streams, request: &ClientControl) -> anyhow::Result<ServerControl> {
    stream.0.write_all(&request.encode()).await?;
    let mut frame = [0; CONTROL_FRAME];
    timeout(ANSWERED_WITHIN, stream.1.read_exact(&mut frame)).await??;
    Ok(ServerControl::decode(&frame)?)
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn name(prefix: &str, number: usize) -> Name {
    format!("{prefix}-{number:06}").parse().expect("such names are well formed")
}
