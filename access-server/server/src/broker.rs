//! What the site's message broker runs with: a configuration for Mosquitto 2 and the access list.
//!
//! Devices are told apart by their certificates alone: the common name is the user name that the access list knows, and
//! it is the client id too, whatever id a client asks for. A device that asked for the server's could throw it off.

use std::fs;
use std::path::Path;

use anyhow::Context;
use uplink::{topics, wire};

/// Bytes that wait for one client that is away: the largest payload a thousand times, and usual events a hundred thousand.
const QUEUED: usize = 64 << 20;
/// Bytes that the broker may take in all.
const MEMORY: usize = 256 << 20;

/// Writes `broker/mosquitto.conf` and `broker/acl` below a site's directory, for a broker at `address` (as
/// `localhost:8883`) that runs on this machine with the certificates in `pki`.
///
/// # Errors
/// When they cannot be written.
pub fn write(directory: &Path, address: &str) -> anyhow::Result<()> {
    let (_, port) = address.rsplit_once(':').context("the broker is given as host:port")?;
    let site = fs::canonicalize(directory)?;
    let folder = site.join("broker");
    let failed = || format!("{} cannot be written", folder.display());
    fs::create_dir_all(&folder).with_context(failed)?;
    fs::write(folder.join("acl"), topics::mosquitto_acl("server")).with_context(failed)?;
    fs::write(folder.join("mosquitto.conf"), configuration(&site, port)).with_context(failed)
}

fn configuration(site: &Path, port: &str) -> String {
    let site = site.display();
    // A little over the largest payload: the topic and the packet's own fields.
    let limit = wire::LARGEST + 1024;
    let packet = limit + 1024;
    format!(
        "# The message broker of this Gatehouse site: mosquitto -c {site}/broker/mosquitto.conf\n\
         # Run it as the user who owns these files; on another machine, with copies of them and of the three in pki.\n\
         allow_anonymous false\n\
         acl_file {site}/broker/acl\n\
         listener {port}\n\
         cafile {site}/pki/ca.pem\n\
         certfile {site}/pki/broker.pem\n\
         keyfile {site}/pki/broker.key\n\
         require_certificate true\n\
         use_identity_as_username true\n\
         # A session belongs to a certificate: nobody takes over another's by its client id.\n\
         use_username_as_clientid true\n\
         tls_version tlsv1.3\n\
         message_size_limit {limit}\n\
         max_packet_size {packet}\n\
         # Nothing of ours is retained.\n\
         retain_available false\n\
         # What waits for a server that is away: the events of a night. Controllers keep what does not fit, and send it again.\n\
         max_queued_messages 10000\n\
         max_queued_bytes {QUEUED}\n\
         # The last resort: who would make the broker grow past it is disconnected.\n\
         memory_limit {MEMORY}\n\
         max_inflight_messages 100\n\
         persistence true\n\
         persistence_location {site}/broker/\n\
         log_dest stderr\n\
         log_type error\n\
         log_type warning\n\
         log_type notice\n"
    )
}
