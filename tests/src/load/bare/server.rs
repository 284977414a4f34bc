//! A server that sends every frame back, built as quinn is meant to be used.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::Parser;
use quinn::{Connection, Endpoint, TokioRuntime};
use server::identity::{Leaf, RootKey};
use server::transport::{self, Limits, TransportKeys};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use wire::link::{Link, Pin};
use wire::size::{SLOTS_DEFAULT, round_frame};

use crate::processes::program;

/// A QUIC server that sends every frame back, for `cargo load --bare`.
#[derive(Parser)]
#[command(name = "bare", bin_name = "bare")]
enum Arguments {
    /// Serve, as `iirs-server run` does
    Run(Run),
}

#[derive(clap::Args)]
struct Run {
    /// Where the keys are kept that outlive a restart
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,

    /// Address of the socket
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,

    /// Clients at most
    #[arg(long, value_name = "N", default_value_t = 4096)]
    seats_max: u32,

    /// Length of a round in milliseconds, which the clients keep
    #[arg(long, value_name = "MS")]
    round_ms: u32,
}

/// The keys' files in the data directory.
const ROOT: &str = "root-key";
const TRANSPORT: &str = "transport-keys";

/// Runs the whole program.
pub(in super::super) fn serve() -> ExitCode {
    program(|Arguments::Run(run): Arguments| run.serve().map(|()| true))
}

impl Run {
    fn serve(&self) -> anyhow::Result<()> {
        let (root, keys) = kept(&self.data_dir)?;
        // as the real server's
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let leaf = Leaf::new(&root, &self.listen.ip().to_string(), SystemTime::now())?;
            let limits = Limits { incoming_max: server::listen::connections_max(self.seats_max) };
            let config = transport::server_config(&leaf, limits)?;
            let socket = transport::socket(self.listen)?;
            let keys = transport::endpoint_config(&keys);
            let endpoint = Endpoint::new(keys, Some(config), socket, Arc::new(TokioRuntime))?;
            let address = endpoint.local_addr()?;
            let (host, port) = (address.ip().to_string(), address.port());
            println!("listening {address}");
            println!("link {}", Link { host, port, pin: Pin(root.pin()) });
            let mut stopped = signal(SignalKind::terminate())?;
            loop {
                let incoming = tokio::select! {
                    incoming = endpoint.accept() => incoming.context("the socket failed")?,
                    _ = stopped.recv() => return Ok(()),
                };
                tokio::spawn(async move {
                    // a client that leaves is no error
                    if let Ok(connection) = incoming.await {
                        let _ = echo(&connection).await;
                    }
                });
            }
        })
    }
}

/// Sends every frame back.
async fn echo(connection: &Connection) -> anyhow::Result<()> {
    let (mut down, mut up) = connection.accept_bi().await?;
    let mut frame = vec![0; round_frame(SLOTS_DEFAULT)];
    loop {
        up.read_exact(&mut frame).await?;
        down.write_all(&frame).await?;
    }
}

/// Returns the keys of a data directory, and makes those of a new one.
fn kept(data_dir: &Path) -> anyhow::Result<(RootKey, TransportKeys)> {
    let (root, transport) = (data_dir.join(ROOT), data_dir.join(TRANSPORT));
    if root.exists() {
        let keys = std::fs::read(transport)?;
        let keys = keys.as_slice().try_into().context("the transport keys are cut short")?;
        return Ok((RootKey::from_pkcs8(&std::fs::read(root)?)?, TransportKeys::from_bytes(keys)));
    }
    std::fs::create_dir_all(data_dir)?;
    let (key, keys) = (RootKey::generate(), TransportKeys::generate());
    std::fs::write(transport, keys.to_bytes())?;
    std::fs::write(root, key.to_pkcs8())?;
    Ok((key, keys))
}
