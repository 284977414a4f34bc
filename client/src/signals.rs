//! The system's wish that the program ends.

use iced::futures::Stream;
use iced::futures::stream::unfold;

/// Yields whenever the program is asked to end, by SIGTERM or Ctrl+C.
#[cfg(unix)]
pub(crate) fn signals() -> impl Stream<Item = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    unfold(None, |signals| async move {
        let (mut terminate, mut interrupt) = match signals {
            Some(signals) => signals,
            None => (signal(SignalKind::terminate()).ok()?, signal(SignalKind::interrupt()).ok()?),
        };
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        Some(((), Some((terminate, interrupt))))
    })
}

/// Yields whenever the program is asked to end, by Ctrl+C.
#[cfg(not(unix))]
pub(crate) fn signals() -> impl Stream<Item = ()> {
    unfold((), |()| async { tokio::signal::ctrl_c().await.ok().map(|()| ((), ())) })
}
