//! What the site's message broker runs with: a configuration for Mosquitto 2 and the access list.
//!
//! Devices are told apart by their certificates alone: the common name is the user name that the access list knows, and
//! it is the client id too, whatever id a client asks for. A device that asked for the server's could throw it off.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use kit::pki::REVOKED;
use rustix::process::{Pid, Signal, kill_process};
use uplink::{topics, wire};

/// Bytes that wait for one client that is away: the largest payload a thousand times, and usual events a hundred thousand.
const QUEUED: usize = 64 << 20;
/// Bytes that the broker may take in all.
const MEMORY: usize = 256 << 20;

/// Where the broker says which process it is.
const PID: &str = "mosquitto.pid";

/// Whether a process has a handler for SIGHUP.
fn takes_hangup(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    caught.is_some_and(|mask| mask & 1 == 1)
}

/// Brings what an earlier version wrote up to this one's: topics, and the list of revoked certificates. Whether anything was
/// changed: then the broker must be started again once. What is not there is left alone, the broker may be elsewhere.
///
/// # Errors
/// When a file cannot be written.
pub fn bring_up(directory: &Path) -> anyhow::Result<bool> {
    let folder = directory.join("broker");
    let (acl, configuration) = (folder.join("acl"), folder.join("mosquitto.conf"));
    let (Ok(rights), Ok(text)) = (fs::read_to_string(&acl), fs::read_to_string(&configuration)) else {
        return Ok(false);
    };
    let failed = || format!("{} cannot be brought up to date", folder.display());
    let wanted = topics::mosquitto_acl("server");
    let mut changed = false;
    if rights != wanted {
        identity::write_over(&acl, wanted.as_bytes(), 0o644).with_context(failed)?;
        changed = true;
    }
    // Without the list the broker would not start.
    let is_there = directory.join("pki").join(REVOKED).exists();
    if is_there && !text.lines().any(|line| line.starts_with("crlfile")) {
        let lines = of_list(&fs::canonicalize(directory)?);
        // They belong to the listener, whose last line this is.
        let place = text.find("require_certificate").unwrap_or(text.len());
        let text = format!("{}{lines}{}", &text[..place], &text[place..]);
        identity::write_over(&configuration, text.as_bytes(), 0o644).with_context(failed)?;
        changed = true;
    }
    Ok(changed)
}

/// Has the broker read its files again: certificates, list, rights.
///
/// # Errors
/// When it does not run here, or under another configuration than ours.
pub fn reload(directory: &Path) -> anyhow::Result<()> {
    let path = directory.join("broker").join(PID);
    let text = fs::read_to_string(&path).with_context(|| {
        format!("{}: the broker does not run here, or was started before this version", path.display())
    })?;
    let pid: i32 = text.trim().parse().with_context(|| format!("{} holds no number", path.display()))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    // The number may be another process's by now.
    ensure!(name.trim() == "mosquitto", "{}: no broker has this number", path.display());
    // One that has only just begun would be ended by it. It reads its files by itself then.
    ensure!(takes_hangup(pid), "{}: the broker is only beginning", path.display());
    let pid = Pid::from_raw(pid).context("no process has the number 0")?;
    kill_process(pid, Signal::HUP).context("the broker cannot be told")
}

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

/// What has the broker look at the list of revoked certificates, which the server writes, and read it again by a SIGHUP.
fn of_list(site: &Path) -> String {
    let site = site.display();
    format!("crlfile {site}/pki/{REVOKED}\npid_file {site}/broker/{PID}\n")
}

fn configuration(site: &Path, port: &str) -> String {
    let list = if site.join("pki").join(REVOKED).exists() { of_list(site) } else { String::new() };
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
         {list}\
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
