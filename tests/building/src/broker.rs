//! Mosquitto with our own configuration: mutual TLS only, the certificate's name as the user, an access list a device.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{Process, until};

/// Where the broker finds what it needs.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The site's CA.
    pub ca: PathBuf,
    /// The broker's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    process: Process,
    port: u16,
    folder: PathBuf,
}

impl Broker {
    /// Writes the configuration below `folder` and starts the broker on `port` of loopback.
    ///
    /// # Errors
    /// When Mosquitto is not installed, the port is taken or the configuration is refused.
    pub fn start(folder: &Path, port: u16, certificates: &Certificates) -> Result<Self> {
        let program = program().context("mosquitto is not installed: run `cargo xtask setup`")?;
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            bail!("broker: port {port} is in use");
        }
        let data = folder.join("broker");
        fs::create_dir_all(&data)?;
        fs::write(data.join("acl"), uplink::topics::mosquitto_acl("server"))?;
        let configuration = data.join("mosquitto.conf");
        fs::write(&configuration, configuration_text(port, &data, certificates))?;
        let mut process = Process::start("mosquitto", &program, [Path::new("-c"), &configuration], folder)?;
        until("broker accepts connections", Duration::from_secs(10), || {
            !process.is_alive() || TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        if !process.is_alive() {
            process.ready(Duration::ZERO)?;
        }
        Ok(Self { process, port, folder: folder.to_owned() })
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it at once and starts it again on the same port with the same data.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn kill_and_start_again(self, certificates: &Certificates) -> Result<Self> {
        let Self { process, port, folder } = self;
        process.kill()?;
        Self::start(&folder, port, certificates)
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(self) -> Result<()> {
        self.process.kill()
    }
}

fn program() -> Option<PathBuf> {
    ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
        .iter()
        .map(PathBuf::from)
        .find(|it| it.exists())
}

fn configuration_text(port: u16, data: &Path, certificates: &Certificates) -> String {
    let Certificates { ca, certificate, key } = certificates;
    // `user root` matters only to a broker started by root: it stays so, because all it needs lies in this user's folder.
    format!(
        "per_listener_settings false\n\
         allow_anonymous false\n\
         acl_file {data}/acl\n\
         listener {port} 127.0.0.1\n\
         cafile {ca}\n\
         certfile {certificate}\n\
         keyfile {key}\n\
         require_certificate true\n\
         use_identity_as_username true\n\
         use_username_as_clientid true\n\
         tls_version tlsv1.3\n\
         message_size_limit {limit}\n\
         max_queued_messages 10000\n\
         max_inflight_messages 100\n\
         persistence true\n\
         persistence_location {data}/\n\
         user root\n\
         log_dest stderr\n\
         log_type error\n\
         log_type warning\n\
         log_type notice\n",
        data = data.display(),
        ca = ca.display(),
        certificate = certificate.display(),
        key = key.display(),
        limit = uplink::wire::LARGEST + 1024,
    )
}
