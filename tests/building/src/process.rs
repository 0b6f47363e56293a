//! A program in a process of its own: started, waited for, stopped; never left behind.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Lines of output that wait to be looked at; more make the program wait, which no test survives unnoticed.
const LINES: usize = 10_000;

/// A running program. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Process {
    /// Starts a program. What it writes to standard error goes to `<logs>/<name>.log`; the kernel ends it when this
    /// process dies, however it dies.
    ///
    /// # Errors
    /// When the program is not there or cannot be started.
    pub fn start<S: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        logs: &Path,
    ) -> Result<Self> {
        if program.is_absolute() && !program.exists() {
            bail!("{name}: {} is not there; `cargo xtask demo` builds it", program.display());
        }
        let log = logs.join(format!("{name}.log"));
        let errors = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("standard output was asked for")?;
        let (sender, lines) = sync_channel(LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name: name.to_owned(), child, input, lines, log })
    }

    /// The next line on its standard output that `wanted` takes, within `limit`.
    ///
    /// # Errors
    /// When it ends first, or says nothing of the kind in time; with the end of its log.
    pub fn wait_for<T>(&mut self, limit: Duration, mut wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let end = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "{}: nothing of what was waited for within {limit:?}\n{}",
                        self.name,
                        self.end_of_log()
                    )
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    bail!("{}: ended ({status}) before it was ready\n{}", self.name, self.end_of_log())
                }
            }
        }
    }

    /// Waits for the line `ready …`; gives what follows the word.
    ///
    /// # Errors
    /// As [`Process::wait_for`].
    pub fn ready(&mut self, limit: Duration) -> Result<String> {
        self.wait_for(limit, |line| line.strip_prefix("ready").map(|rest| rest.trim().to_owned()))
    }

    /// Lines that it has written since somebody last looked.
    pub fn new_lines(&mut self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Waits until its log has `words`.
    ///
    /// # Errors
    /// When it has not within `limit`.
    pub fn log_says(&self, words: &str, limit: Duration) -> Result<()> {
        until(&format!("{}: {words}", self.name), limit, || {
            std::fs::read_to_string(&self.log).is_ok_and(|text| text.contains(words))
        })
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// When it reads no more.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its standard input was closed")?;
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .with_context(|| format!("{}: reads no more", self.name))
    }

    /// Ends it at once, without a word: `kill -9`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and ends it after `limit`.
    ///
    /// # Errors
    /// When it had to be ended, or left with a failure.
    pub fn stop(mut self, limit: Duration) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().context("kill")?;
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                // Ended by the very signal counts as stopped: not every program of others catches it.
                if status.success() || status.code().is_none() {
                    return Ok(());
                }
                bail!("{}: stopped with {status}\n{}", self.name, self.end_of_log());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{}: did not stop within {limit:?}", self.name)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn end_of_log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let last = lines.len().saturating_sub(15);
        format!("  {}", lines.get(last..).unwrap_or_default().join("\n  "))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A TCP port on loopback that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Below the ports that connections are made from: one of those may be taken before the program that it is for listens.
    const BELOW: u16 = 32_768;
    const FROM: u16 = 12_768;
    // Two test processes begin at different places.
    let begin = u16::try_from(std::process::id() % 997 * 19).expect("below twenty thousand");
    for _ in 0..200 {
        let port = FROM + (begin + TRIED.fetch_add(1, Ordering::Relaxed) % 1_000) % (BELOW - FROM);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on loopback")
}

/// Waits until `done` says so, asking every 10 ms.
///
/// # Errors
/// When it has not within `limit`; `what` names the thing waited for.
pub fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + limit;
    while !done() {
        if Instant::now() > end {
            bail!("{what}: not within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
