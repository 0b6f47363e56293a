//! Starting QEMU so that it never outlives us.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::EmulatorError;

const SETPRIV: &str = "setpriv";

/// A running QEMU, killed when dropped.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts `qemu` in `folder`, with standard error piped.
    pub(crate) fn start(
        qemu: &OsStr,
        folder: &Path,
        arguments: Vec<OsString>,
    ) -> Result<Self, EmulatorError> {
        for program in [qemu, SETPRIV.as_ref()] {
            if !installed(program) {
                return Err(EmulatorError::NotInstalled(program.to_string_lossy().into_owned()));
            }
        }
        let mut command = Command::new(SETPRIV);
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(qemu)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        launch(command).map(Self).map_err(EmulatorError::io("starting qemu-system-arm"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A path that is there, or a name that is found on the way programs are looked for.
fn installed(program: &OsStr) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

type Launch = (Command, Sender<io::Result<Child>>);

/// Linux sends the parent-death signal when the *thread* that started the child ends. So one thread, which never ends, starts them
/// all: a board started from a short-lived thread lives on.
fn launch(command: Command) -> io::Result<Child> {
    static LAUNCHER: OnceLock<Sender<Launch>> = OnceLock::new();
    let launcher = LAUNCHER.get_or_init(|| {
        let (ask, asked) = channel::<Launch>();
        thread::spawn(move || {
            for (mut command, answer) in asked {
                let _ = answer.send(command.spawn());
            }
        });
        ask
    });
    let (answer, started) = channel();
    launcher.send((command, answer)).expect("the launcher never ends");
    started.recv().expect("the launcher answers each command")
}
