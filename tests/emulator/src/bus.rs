//! An RS-485 bus: what one member sends, all others hear. The controller joins by a pseudo-terminal or by a socket.
//!
//! Its wires carry bytes without delay and without collisions: a busy emulator is late, not garbled. Faults are asked for: a member
//! unplugged, bits flipped at a rate.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::EmulatorError;

/// Bytes kept for a member that does not take them, then dropped: 1.4 s of the wire at 115200 baud.
const BACKLOG: usize = 16 * 1024;

/// A bus. Clones are the same bus; it ends with the last.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
    /// Closed with the last clone, which ends the thread.
    bell: Arc<UnixStream>,
}

struct Shared {
    members: Mutex<Vec<Member>>,
    faults: Mutex<Faults>,
}

struct Member {
    name: String,
    wire: Arc<OwnedFd>,
    /// A pseudo-terminal's other end, held open so that it outlives its users.
    _held: Option<OwnedFd>,
    plugged: bool,
    backlog: VecDeque<u8>,
    dropped: u64,
}

/// Flips each bit on its way with this chance, by a generator anybody can repeat.
#[derive(Default)]
struct Faults {
    /// Of 2^32.
    chance: u32,
    state: u64,
    flipped: u64,
}

impl Bus {
    /// A bus without members.
    pub fn start() -> Result<Self, EmulatorError> {
        let (bell, answer) = UnixStream::pair().map_err(EmulatorError::io("bus"))?;
        answer.set_nonblocking(true).map_err(EmulatorError::io("bus"))?;
        let shared = Arc::new(Shared { members: Mutex::default(), faults: Mutex::default() });
        let work = Arc::clone(&shared);
        thread::spawn(move || repeat(&work, answer));
        Ok(Self { shared, bell: Arc::new(bell) })
    }

    /// Joins a member called `name`; it takes the place of one with the same name.
    pub fn attach(&self, name: &str, stream: UnixStream) -> Result<(), EmulatorError> {
        self.join(name, OwnedFd::from(stream), None).map_err(EmulatorError::io("bus member"))
    }

    /// Joins a pseudo-terminal and gives its path, for a controller that opens serial ports.
    pub fn pty(&self, name: &str) -> Result<PathBuf, EmulatorError> {
        let open_pty = || -> io::Result<(OwnedFd, OwnedFd, PathBuf)> {
            let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
            grantpt(&master)?;
            unlockpt(&master)?;
            let path = ptsname(&master, Vec::new())?;
            let path = PathBuf::from(
                path.into_string().map_err(|_| io::Error::other("the terminal's path is not UTF-8"))?,
            );
            let held = open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
            let mut settings = tcgetattr(&held)?;
            settings.make_raw();
            tcsetattr(&held, OptionalActions::Now, &settings)?;
            Ok((master, held, path))
        };
        let (master, held, path) = open_pty().map_err(EmulatorError::io("pseudo-terminal"))?;
        self.join(name, master, Some(held)).map_err(EmulatorError::io("bus member"))?;
        Ok(path)
    }

    /// Joins a socket and gives its other end, for a controller in this process.
    pub fn tap(&self, name: &str) -> Result<UnixStream, EmulatorError> {
        let (ours, theirs) = UnixStream::pair().map_err(EmulatorError::io("bus"))?;
        self.attach(name, ours)?;
        Ok(theirs)
    }

    /// Takes a member away for good.
    pub fn detach(&self, name: &str) {
        self.members().retain(|member| member.name != name);
        self.ring();
    }

    /// Pulls a member's plug: it hears nothing and is not heard. False when there is no such member.
    pub fn unplug(&self, name: &str) -> bool {
        self.set_plugged(name, false)
    }

    /// Puts its plug back.
    pub fn plug(&self, name: &str) -> bool {
        self.set_plugged(name, true)
    }

    /// From now on each bit is flipped on its way to each listener with chance `rate` (0..=1), as `seed` says.
    pub fn flip(&self, rate: f64, seed: u64) {
        let mut faults = self.shared.faults();
        faults.chance = (rate.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32;
        faults.state = seed | 1;
    }

    /// Bits flipped so far.
    pub fn flipped(&self) -> u64 {
        self.shared.faults().flipped
    }

    /// Bytes that `name` was too slow to take.
    pub fn dropped(&self, name: &str) -> u64 {
        self.members().iter().find(|member| member.name == name).map_or(0, |member| member.dropped)
    }

    fn join(&self, name: &str, wire: OwnedFd, held: Option<OwnedFd>) -> io::Result<()> {
        fcntl_setfl(&wire, fcntl_getfl(&wire)? | OFlags::NONBLOCK)?;
        let mut members = self.members();
        members.retain(|member| member.name != name);
        members.push(Member {
            name: name.to_owned(),
            wire: Arc::new(wire),
            _held: held,
            plugged: true,
            backlog: VecDeque::new(),
            dropped: 0,
        });
        drop(members);
        self.ring();
        Ok(())
    }

    fn set_plugged(&self, name: &str, plugged: bool) -> bool {
        let mut members = self.members();
        let Some(member) = members.iter_mut().find(|member| member.name == name) else { return false };
        member.plugged = plugged;
        member.backlog.clear();
        true
    }

    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.shared.members()
    }

    /// Makes the thread look at its members again.
    fn ring(&self) {
        let _ = (&*self.bell).write_all(&[0]);
    }
}

impl Shared {
    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Faults {
    fn pass(&mut self, byte: u8) -> u8 {
        if self.chance == 0 {
            return byte;
        }
        let mut passed = byte;
        for bit in 0..8 {
            // xorshift64*
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            if (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32 <= self.chance {
                passed ^= 1 << bit;
                self.flipped += 1;
            }
        }
        passed
    }
}

/// Carries bytes until the last handle of the bus is gone.
fn repeat(shared: &Shared, mut bell: UnixStream) {
    let mut buffer = [0; 4096];
    loop {
        let wires: Vec<(Arc<OwnedFd>, bool)> = {
            let members = shared.members();
            members.iter().map(|member| (Arc::clone(&member.wire), !member.backlog.is_empty())).collect()
        };
        let ready = wait(&bell, &wires);
        if matches!(bell.read(&mut buffer), Ok(0)) {
            return;
        }
        for ((wire, _), ready) in wires.iter().zip(ready) {
            if ready {
                listen(shared, wire, &mut buffer);
            }
        }
        let mut members = shared.members();
        for member in members.iter_mut() {
            member.deliver();
        }
    }
}

fn wait(bell: &UnixStream, wires: &[(Arc<OwnedFd>, bool)]) -> Vec<bool> {
    let mut polled = vec![PollFd::from_borrowed_fd(bell.as_fd(), PollFlags::IN)];
    polled.extend(wires.iter().map(|(wire, waiting)| {
        let flags = if *waiting { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        PollFd::from_borrowed_fd(wire.as_fd(), flags)
    }));
    // An interrupted wait is like a ready one: everything is read without blocking.
    let _ = poll(&mut polled, None);
    polled[1..].iter().map(|wire| !wire.revents().is_empty()).collect()
}

/// Takes what a member says and gives it to all others; a member that has ended is taken away.
fn listen(shared: &Shared, wire: &Arc<OwnedFd>, buffer: &mut [u8]) {
    let said = match rustix::io::read(&**wire, &mut *buffer) {
        Ok(0) => None,
        Ok(count) => Some(&buffer[..count]),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
        Err(_) => None,
    };
    let mut members = shared.members();
    let Some(said) = said else {
        members.retain(|member| !Arc::ptr_eq(&member.wire, wire));
        return;
    };
    if !members.iter().any(|member| member.plugged && Arc::ptr_eq(&member.wire, wire)) {
        return;
    }
    let mut faults = shared.faults();
    for member in members.iter_mut().filter(|member| member.plugged && !Arc::ptr_eq(&member.wire, wire)) {
        for byte in said {
            if member.backlog.len() < BACKLOG {
                member.backlog.push_back(faults.pass(*byte));
            } else {
                member.dropped += 1;
            }
        }
    }
}

impl Member {
    fn deliver(&mut self) {
        while !self.backlog.is_empty() {
            let (first, _) = self.backlog.as_slices();
            match rustix::io::write(&*self.wire, first) {
                Ok(count) if count > 0 => drop(self.backlog.drain(..count)),
                Ok(_) | Err(_) => return,
            }
        }
    }
}
