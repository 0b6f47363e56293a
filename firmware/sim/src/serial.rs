//! Where a board's bus is: a pseudo-terminal, or a Unix socket.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// How long to wait before a socket that is not there is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// A place on a bus, as written on the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Port {
    /// `pty:LINK`: a new pseudo-terminal, LINK points to its other end.
    Pty(PathBuf),
    /// `unix:PATH`, or just PATH: listens there, one peer at a time.
    Listen(PathBuf),
    /// `connect:PATH`: connects there, again whenever the other side goes.
    Connect(PathBuf),
}

impl FromStr for Port {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Port, Self::Err> {
        Ok(match text.split_once(':') {
            Some(("pty", link)) => Port::Pty(link.into()),
            Some(("unix", path)) => Port::Listen(path.into()),
            Some(("connect", path)) => Port::Connect(path.into()),
            Some(_) | None => Port::Listen(text.into()),
        })
    }
}

/// The writing side of a port. What nobody takes is lost, as on a bus.
#[derive(Clone, Debug, Default)]
pub struct Writer(Arc<Mutex<Option<OwnedFd>>>);

impl Writer {
    /// Sends bytes to whoever is there.
    pub fn send(&self, bytes: &[u8]) {
        if let Some(fd) = &*self.lock() {
            let mut rest = bytes;
            while let Ok(written) = rustix::io::write(fd, rest) {
                rest = rest.get(written..).unwrap_or_default();
                if rest.is_empty() {
                    break;
                }
            }
        }
    }

    fn set(&self, fd: Option<OwnedFd>) {
        *self.lock() = fd;
    }

    fn lock(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a port; what comes in is given to `heard` on a thread of its own.
pub fn open(port: &Port, heard: impl FnMut(&[u8]) + Send + 'static) -> io::Result<Writer> {
    let writer = Writer::default();
    match port {
        Port::Pty(link) => pty(link, &writer, heard)?,
        Port::Listen(path) => {
            let listener = listen(path)?;
            let writer = writer.clone();
            let mut heard = heard;
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    converse(stream, &writer, &mut heard);
                }
            });
        }
        Port::Connect(path) => {
            let (path, writer, mut heard) = (path.clone(), writer.clone(), heard);
            thread::spawn(move || {
                loop {
                    match UnixStream::connect(&path) {
                        Ok(stream) => converse(stream, &writer, &mut heard),
                        Err(_) => thread::sleep(AGAIN),
                    }
                }
            });
        }
    }
    Ok(writer)
}

/// Listens on a Unix socket; one that a dead process left behind is replaced.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).is_err() && path.exists() {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

fn converse(mut stream: UnixStream, writer: &Writer, heard: &mut impl FnMut(&[u8])) {
    let Ok(sending) = stream.try_clone() else { return };
    let fd = OwnedFd::from(sending);
    // A peer that does not read must not hold up the bus.
    let timeout = Some(Duration::from_millis(100));
    let _best_effort = stream.set_write_timeout(timeout);
    writer.set(Some(fd));
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        heard(&buffer[..count]);
    }
    writer.set(None);
}

fn pty(link: &Path, writer: &Writer, mut heard: impl FnMut(&[u8]) + Send + 'static) -> io::Result<()> {
    let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let name = rustix::pty::ptsname(&ours, Vec::new())?;
    // Held open, so that the peer may come and go without a hang-up; raw, so that bytes pass as they are.
    let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    let mut settings = tcgetattr(&theirs)?;
    settings.make_raw();
    tcsetattr(&theirs, OptionalActions::Now, &settings)?;

    let target = Path::new(name.to_str().map_err(io::Error::other)?);
    if link.symlink_metadata().is_ok_and(|m| m.file_type().is_symlink()) {
        std::fs::remove_file(link)?;
    }
    std::os::unix::fs::symlink(target, link)?;

    // Blocking reads and non-blocking writes want descriptions of their own: the writer is woken by poll instead.
    let sending = ours.try_clone()?;
    writer.set(Some(sending));
    let mut reading = File::from(ours);
    thread::spawn(move || {
        let _held_open = theirs;
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = reading.read(&mut buffer) {
            heard(&buffer[..count]);
        }
    });
    Ok(())
}

/// Prints `ready …` and makes sure it is out.
pub fn announce(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "ready {text}")?;
    out.flush()
}
