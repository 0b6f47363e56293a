//! A Mosquitto of the test's own: mutual TLS, one right per device.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running broker; killed when dropped.
pub(crate) struct Broker {
    child: Child,
}

impl Broker {
    /// Starts on a port, with the certificates that `init` made.
    pub(crate) fn start(directory: &Path, port: u16) -> Self {
        let pki = directory.join("pki");
        let acl = directory.join("acl");
        std::fs::write(&acl, uplink::topics::mosquitto_acl("server")).unwrap();
        let file = directory.join("mosquitto.conf");
        let configuration = format!(
            "user root\nlistener {port} 127.0.0.1\ncafile {ca}\ncertfile {cert}\nkeyfile {key}\nrequire_certificate true\n\
             use_identity_as_username true\nallow_anonymous false\nacl_file {acl}\npersistence false\n",
            ca = pki.join("ca.pem").display(),
            cert = pki.join("broker.pem").display(),
            key = pki.join("broker.key").display(),
            acl = acl.display(),
        );
        std::fs::write(&file, configuration).unwrap();
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
