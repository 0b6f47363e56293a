//! A real Mosquitto with certificates and the access list of `uplink`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use uplink::topics::mosquitto_acl;

use crate::building::until;

/// The broker. Dropping kills it.
pub(crate) struct Broker {
    child: Child,
    pub(crate) port: u16,
}

impl Broker {
    /// On a port of the system's choice.
    pub(crate) fn start(folder: &Path) -> Broker {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        Broker::start_on(folder, port)
    }

    /// On that port: what was killed comes back.
    pub(crate) fn start_on(folder: &Path, port: u16) -> Broker {
        let name = |file: &str| folder.join(file).display().to_string();
        fs::write(folder.join("acl"), mosquitto_acl("server")).expect("written");
        let configuration = format!(
            "listener {port} 127.0.0.1\ncafile {ca}\ncertfile {cert}\nkeyfile {key}\nrequire_certificate true\n\
             use_identity_as_username true\nacl_file {acl}\nallow_anonymous false\npersistence false\nuser root\n",
            ca = name("ca.pem"),
            cert = name("broker.pem"),
            key = name("broker.key"),
            acl = name("acl"),
        );
        fs::write(folder.join("mosquitto.conf"), configuration).expect("written");
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(folder.join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed: apt install mosquitto");
        until("the broker", || TcpStream::connect(("127.0.0.1", port)).ok());
        Broker { child, port }
    }

    /// As if the power went.
    pub(crate) fn kill(mut self) -> u16 {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it ends");
        self.port
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
