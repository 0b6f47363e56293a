//! A Mosquitto of the test's own, configured as `init` configures a site's.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running broker; killed when dropped.
pub(crate) struct Broker {
    child: Child,
}

impl Broker {
    /// Starts on a port of loopback, as whoever runs the test, otherwise with what `init` wrote.
    pub(crate) fn start(directory: &Path, port: u16) -> Self {
        let written = std::fs::read_to_string(directory.join("broker/mosquitto.conf")).unwrap();
        let listener = format!("listener {port}\n");
        assert!(written.contains(&listener), "{written}");
        let file = directory.join("mosquitto.conf");
        let ours = format!("user root\nlistener {port} 127.0.0.1\n");
        std::fs::write(&file, written.replace(&listener, &ours)).unwrap();
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's package `mosquitto` is installed");
        let broker = Self { child };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "the broker does not listen");
            std::thread::yield_now();
        }
        broker
    }
}

impl Broker {
    /// Bytes it has in memory.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
