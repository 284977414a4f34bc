//! A server process, and clients that sign in to it.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use wire::link::{Link, Pin};

use crate::raw::Client;

/// Clients, each with an account of its own.
const CLIENTS: u32 = 300;

/// Clients that sign in at once: fewer than the handshakes under way that make the server send Retry.
const AT_ONCE: u32 = 20;

/// Starts of an empty server.
const STARTS: u32 = 5;

/// A server process.
struct Run {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Run {
    fn spawn(data_dir: &Path, round_ms: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_iirs-server"))
            .args(["run", "--listen", "127.0.0.1:0", "--registrations-per-hour", "1000000"])
            .args(["--log", "error", "--round-ms", round_ms, "--data-dir"])
            .arg(data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits for the next line and returns what stands after its first word.
    fn word(&mut self) -> String {
        self.lines.next().unwrap().unwrap().split_once(' ').unwrap().1.to_owned()
    }

    /// Returns the processor time of the process so far, in steps of 10 ms.
    fn processor(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Fields 14 and 15 of proc(5), counted behind the name, which may hold anything.
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures whole sign-ins and the time to listening, and prints both.
pub(crate) fn measure() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let [connection, whole] = runtime.block_on(sign_ins());
    let sign_in = whole - connection;
    println!("connection alone     {connection:.3} ms   (QUIC and TLS handshake, close)");
    println!("connection, sign-in, first frame  {whole:.3} ms");
    println!("sign-in on a connection           {sign_in:.3} ms   (target: under 2 ms)");
    let mut starts: Vec<_> = (0..STARTS).map(|_| start()).collect();
    starts.sort_unstable();
    let [median, worst] = [starts[starts.len() / 2], starts[starts.len() - 1]];
    println!(
        "start to listening   {median:.0?} median, {worst:.0?} worst of {STARTS}   (target: 0.5 s)"
    );
}

/// Returns how long an empty server takes until it listens.
fn start() -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let began = Instant::now();
    Run::spawn(&dir.path().join("d"), "2000").word();
    began.elapsed()
}

/// Returns the processor time of one connection that only opens and closes, and of one that signs in, in
/// milliseconds; their shares of the rounds meanwhile are included.
async fn sign_ins() -> [f64; 2] {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::spawn(&dir.path().join("d"), "1000");
    let (address, link) = (run.word().parse().unwrap(), run.word().parse::<Link>().unwrap());
    for number in 0..CLIENTS {
        let mut client = Client::connect_to(address, link.pin).await;
        client.register(&name(number), "password").await.ok().unwrap();
    }
    let before = run.processor();
    each(|_| async move { drop(Client::connect_to(address, link.pin).await) }).await;
    let connected = run.processor();
    each(|number| sign_in(number, address, link.pin)).await;
    let signed_in = run.processor();
    [connected - before, signed_in - connected]
        .map(|spent| spent.as_secs_f64() * 1e3 / f64::from(CLIENTS))
}

/// Runs every client, a few at once.
async fn each<F: Future<Output = ()> + Send + 'static>(client: impl Fn(u32) -> F) {
    for wave in (0..CLIENTS).step_by(AT_ONCE as usize) {
        let wave = wave..CLIENTS.min(wave + AT_ONCE);
        for client in wave.map(|number| tokio::spawn(client(number))).collect::<Vec<_>>() {
            client.await.unwrap();
        }
    }
}

/// Signs in, waits for the first frame, and leaves.
async fn sign_in(number: u32, address: SocketAddr, pin: Pin) {
    let mut client = Client::connect_to(address, pin).await;
    let session = client.log_in(&name(number), "password").await.ok().unwrap();
    client.join(&session).await.hear().await;
}

fn name(number: u32) -> String {
    format!("n{number}")
}
