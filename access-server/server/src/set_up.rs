//! Making a new site: keys, authority, certificates, configuration, database, the first administrator.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use kit::auth::{self, Role};
use kit::pki::{Authority, Holder, is_host};
use kit::{Clock, Keys};

use crate::config::Config;
use crate::{private, serve};

/// What a new site is made of.
#[derive(Debug)]
pub struct NewSite<'a> {
    /// The directory that will hold it.
    pub directory: &'a Path,
    /// Names and addresses that browsers and devices reach this machine by.
    pub hosts: &'a [String],
    /// The database's address; relative files are below the directory.
    pub database: &'a str,
    /// Where browsers are listened for.
    pub listen: std::net::SocketAddr,
    /// The broker, as `localhost:8883`.
    pub broker: &'a str,
    /// The service for photographs, as `vision-1@127.0.0.1:9443`.
    pub embed: Option<&'a str>,
}

/// The first administrator, as it is printed once.
#[derive(Debug)]
pub struct FirstLogin {
    /// The login name.
    pub name: &'static str,
    /// The password, to be changed at the first sign-in.
    pub password: String,
}

/// Makes the site, or nothing: what was begun is taken back when it cannot be finished. A database on another machine
/// keeps its empty tables.
///
/// # Errors
/// When the directory holds one already, or something in it cannot be made.
pub async fn init(site: &NewSite<'_>) -> anyhow::Result<FirstLogin> {
    let NewSite { directory, hosts, .. } = site;
    for host in *hosts {
        ensure!(is_host(host), "{host} is neither a name nor an address");
    }
    kit::db::engine_of(site.database)?;
    let file = directory.join("server.toml");
    ensure!(!file.exists(), "{} exists already: this site has been set up", file.display());
    let text = configuration(site)?;
    private::keep_from_others();
    let before = entries(directory);
    let made = make(site, &file, &text).await;
    if made.is_err() {
        take_back(directory, before.as_deref());
    }
    made
}

async fn make(site: &NewSite<'_>, file: &Path, text: &str) -> anyhow::Result<FirstLogin> {
    let NewSite { directory, hosts, .. } = site;
    fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    Keys::create(&directory.join("keys"))?;
    let pki = directory.join("pki");
    let now = Clock::Real.now();
    let authority = Authority::create(&pki, now)?;
    for holder in [Holder::Server, Holder::Web, Holder::Broker] {
        authority.issue(&pki, &holder, hosts, now)?;
    }
    crate::broker::write(directory, site.broker)?;
    write_private(file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    let kit = serve::open(&Config::read(file)?).await?;
    let login = FirstLogin { name: "admin", password: auth::generate_password() };
    auth::add(&kit, None, login.name, Role::Administrator, &login.password).await?;
    kit.checkpoint().await?;
    kit.db().close().await;
    Ok(login)
}

/// What the directory holds; `None` when there is none.
fn entries(directory: &Path) -> Option<Vec<PathBuf>> {
    Some(fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).collect())
}

/// Removes what was not there before. What cannot be removed stays: the error that is told weighs more.
fn take_back(directory: &Path, before: Option<&[PathBuf]>) {
    let Some(before) = before else {
        let _ = fs::remove_dir_all(directory);
        return;
    };
    for path in entries(directory).unwrap_or_default() {
        if !before.contains(&path) {
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// The database's password may be in it.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}

fn configuration(site: &NewSite<'_>) -> anyhow::Result<String> {
    let (host, port) = site.broker.rsplit_once(':').context("the broker is given as host:port")?;
    let port: u16 = port.parse().ok().context("the broker is given as host:port")?;
    let mut text = format!(
        "# Gatehouse access server. Paths are relative to this file.\n\
         database = {}\n\
         keys = \"keys\"\n\
         # Signed checkpoints of the journal: better on another disk than the database.\n\
         checkpoints = \"checkpoints\"\n\
         \n[http]\n\
         listen = \"{}\"\n\
         certificate = \"pki/web.pem\"\n\
         key = \"pki/web.key\"\n\
         \n[mqtt]\n\
         host = {}\n\
         port = {port}\n\
         authority = \"pki/ca.pem\"\n\
         certificate = \"pki/server.pem\"\n\
         key = \"pki/server.key\"\n",
        toml::Value::from(site.database),
        site.listen,
        toml::Value::from(host),
    );
    if let Some(embed) = site.embed {
        let (name, address) =
            embed.split_once('@').context("the embedding service is given as name@host:port")?;
        text.push_str(&format!(
            "\n[embed]\naddress = {}\nname = {}\n",
            toml::Value::from(address),
            toml::Value::from(name)
        ));
    }
    // Browsers make passkeys for names alone.
    if let Some(name) = site.hosts.iter().find(|host| host.parse::<std::net::IpAddr>().is_err()) {
        let name = toml::Value::from(name.to_ascii_lowercase());
        text.push_str(&format!(
            "\n# Operators' passkeys hold for this name alone.\n[passkeys]\nname = {name}\n"
        ));
    }
    Ok(text)
}
