//! One child process, its lines, and its end.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Pause between two looks at whether a child has ended; the system has no waiting with a deadline.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A running program; killed when dropped.
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a program; `hear` gets every line of its standard output, then `None`. Its standard
    /// error, and a copy of these lines, go to `log`.
    pub fn start(
        mut command: Command,
        log: File,
        hear: impl FnMut(Option<String>) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let program = command.get_program().to_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log.try_clone()?);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.to_string_lossy()))?;
        let stdout = child.stdout.take().context("a child without standard output")?;
        let stdin = child.stdin.take();
        let reader = std::thread::spawn(move || read(stdout, log, hear));
        Ok(Self { child, stdin, reader: Some(reader) })
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to the standard input.
    pub fn write_line(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("the input is closed already")?;
        stdin.write_all(format!("{line}\n").as_bytes()).context("the program reads nothing")
    }

    /// Ends the standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Kills the process with SIGKILL and waits until it is gone and all it said was heard.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.join();
        Ok(())
    }

    /// Asks the process to end, with SIGTERM.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Asks the process to read its configuration again, with SIGHUP.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.signal(Signal::HUP)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a child without a process id")?, signal)?;
        Ok(())
    }

    /// Tells how the process ended if it has, without waiting.
    pub fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until the process has ended by itself and all it said was heard.
    pub fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.join();
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("the process still runs after {within:?}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            // it ends with the pipe; a panic in it was printed
            let _ = reader.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.kill();
    }
}

fn read(stdout: ChildStdout, mut log: File, mut hear: impl FnMut(Option<String>)) {
    for line in BufReader::new(stdout).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).into_owned();
        // a log that cannot be written costs only the log
        let _ = writeln!(log, "> {line}");
        hear(Some(line));
    }
    hear(None);
}
