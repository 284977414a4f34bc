//! What a client can have the server keep, by sending what nobody reads.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use quinn::SendStream;
use raw::{Client, start};
use server::transport::BIDI_STREAMS_MAX;
use wire::size::CONTROL_FRAME;

/// Writes until the stream's window, or the connection's, is full; returns how many bytes went.
async fn fill(stream: &mut SendStream) -> usize {
    let mut taken = 0;
    loop {
        let written = {
            let mut write = pin!(stream.write(&[7; 1000]));
            poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await
        };
        match written {
            Poll::Ready(written) => taken += written.unwrap(),
            Poll::Pending => return taken,
        }
    }
}

#[tokio::test]
async fn a_stranger_leaves_64_kib_at_most_with_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    // a frame that never ends, so that nothing is answered and nothing is closed
    client.control.0.write_all(&[0; CONTROL_FRAME - 1]).await.unwrap();
    let (mut streams, mut left) = (Vec::new(), CONTROL_FRAME - 1);
    for _ in 1..BIDI_STREAMS_MAX {
        let mut stream = client.connection.open_bi().await.unwrap();
        let taken = fill(&mut stream.0).await;
        assert_eq!(taken, 16 * 1024);
        left += taken;
        streams.push(stream);
    }
    assert!(left <= 64 * 1024, "{left}");
    assert!(client.connection.close_reason().is_none());
    server.stop().await.unwrap();
}
