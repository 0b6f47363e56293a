//! The one configuration file, checked whole at start.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use kit::auth::passkey::Party;
use kit::pki::is_host;
use serde::Deserialize;
use toml::Spanned;

use crate::private::is_open;

/// The configuration. Paths are relative to the file's own directory.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:site.db` or `postgres://user@host/name`, on another machine with `?sslmode=verify-full`.
    pub database: Spanned<String>,
    /// The directory of the site's keys.
    pub keys: Spanned<PathBuf>,
    /// The file that signed checkpoints are appended to; better on another disk than the database.
    pub checkpoints: Spanned<PathBuf>,
    /// The listener for browsers.
    pub http: Http,
    /// The way to the devices.
    pub mqtt: Mqtt,
    /// The service that turns photographs into templates; without it nobody can be enrolled.
    pub embed: Option<Embed>,
    /// Whom webhooks may reach.
    pub webhooks: Option<Webhooks>,
    /// For whom operators' passkeys are made; without it there are none.
    pub passkeys: Option<Passkeys>,
}

/// The listener for browsers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address and port; port 0 lets the system choose.
    pub listen: Spanned<SocketAddr>,
    /// Certificate chain, PEM.
    pub certificate: Spanned<PathBuf>,
    /// Private key, PEM.
    pub key: Spanned<PathBuf>,
}

/// The way to the devices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// The broker's name or address, as its certificate has it.
    pub host: Spanned<String>,
    /// The broker's port.
    pub port: Spanned<u16>,
    /// The site's authority, PEM.
    pub authority: Spanned<PathBuf>,
    /// This server's certificate, PEM.
    pub certificate: Spanned<PathBuf>,
    /// This server's private key, PEM.
    pub key: Spanned<PathBuf>,
}

/// The service that turns photographs into templates. Spoken to with the same certificate as the broker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embed {
    /// Address and port, as `127.0.0.1:9443`.
    pub address: Spanned<String>,
    /// The name in its certificate, as `vision-1`.
    pub name: Spanned<String>,
}

/// Whom webhooks may reach, besides every receiver whose certificate the machine believes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Further authorities of receivers' certificates, PEM.
    pub authorities: Option<Spanned<PathBuf>>,
    /// Whether receivers may listen on this machine itself.
    #[serde(default)]
    pub loopback: bool,
}

/// For whom operators' passkeys are made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passkeys {
    /// The host name that browsers reach this server by.
    pub name: Spanned<String>,
    /// What stands before the path in browsers, as `https://gatehouse.example:8443`.
    pub origins: Option<Spanned<Vec<String>>>,
}

impl Passkeys {
    /// For whom they are made, with this port of the listener.
    #[must_use]
    pub fn party(&self, port: u16) -> Party {
        let id = self.name.get_ref().clone();
        let origins = self.origins.as_ref().map(|origins| origins.get_ref().clone());
        let origins = origins.unwrap_or_else(|| match port {
            // As browsers write it.
            443 => vec![format!("https://{id}")],
            port => vec![format!("https://{id}:{port}")],
        });
        Party { id, origins }
    }

    fn faults(&self) -> Vec<(Range<usize>, String)> {
        let mut faults = Vec::new();
        let name = self.name.get_ref();
        if !is_name(name) {
            let message = "passkeys.name: a host name in small letters; browsers make none for an address";
            faults.push((self.name.span(), message.to_owned()));
        }
        if let Some(origins) = &self.origins {
            let wrong = origins.get_ref().iter().find(|origin| !is_origin_of(origin, name));
            let message = match wrong {
                Some(wrong) => {
                    format!("passkeys.origins: {wrong} is not https://{name} or below it, without a path")
                }
                None if origins.get_ref().is_empty() => "passkeys.origins: there is none".to_owned(),
                None => return faults,
            };
            faults.push((origins.span(), message));
        }
        faults
    }
}

/// A host's name, and no address.
fn is_name(name: &str) -> bool {
    is_host(name)
        && name.parse::<std::net::IpAddr>().is_err()
        && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// As browsers write it: the port only where it is not 443, nothing behind it.
fn is_origin_of(origin: &str, name: &str) -> bool {
    let Some(rest) = origin.strip_prefix("https://") else { return false };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let good = |port: &str| {
        port.parse::<u16>().is_ok_and(|number| !matches!(number, 0 | 443) && number.to_string() == port)
    };
    let below = host.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    below && is_name(host) && port.is_none_or(good)
}

/// What is wrong with the configuration, with file and line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{path} could not be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is unknown, missing, or of the wrong form.
    #[error("{path}:{line}: {message}")]
    Form {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The database's password may be in it.
    #[error("{0} may be read by others: its mode must be 0600")]
    Open(PathBuf),
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Names the file, the line and the key of the first thing wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let (config, faults) = Self::read_whole(path)?;
        faults.into_iter().next().map_or(Ok(config), Err)
    }

    /// Reads a file, with everything that is wrong with what it says.
    ///
    /// # Errors
    /// When it cannot be read as a configuration at all: then with the first thing wrong.
    pub fn read_whole(path: &Path) -> Result<(Self, Vec<ConfigError>), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let form = |span: Range<usize>, message: String| ConfigError::Form {
            path: path.to_owned(),
            line: text[..span.start.min(text.len())].matches('\n').count() + 1,
            message,
        };
        let mut config: Self = toml::from_str(&text)
            .map_err(|error| form(error.span().unwrap_or(0..0), error.message().replace('\n', " ")))?;
        config.resolve(path.parent().unwrap_or(Path::new(".")));
        let mut faults: Vec<_> =
            config.faults().into_iter().map(|(span, message)| form(span, message)).collect();
        if is_open(path) {
            faults.push(ConfigError::Open(path.to_owned()));
        }
        Ok((config, faults))
    }

    /// Makes relative paths relative to the file.
    fn resolve(&mut self, base: &Path) {
        for path in [
            &mut self.keys,
            &mut self.checkpoints,
            &mut self.http.certificate,
            &mut self.http.key,
            &mut self.mqtt.authority,
            &mut self.mqtt.certificate,
            &mut self.mqtt.key,
        ] {
            let joined = base.join(path.get_ref());
            *path.get_mut() = joined;
        }
        if let Some(path) = self.webhooks.as_mut().and_then(|it| it.authorities.as_mut()) {
            let joined = base.join(path.get_ref());
            *path.get_mut() = joined;
        }
        if let Some(file) = self.database.get_ref().strip_prefix("sqlite:") {
            let joined = format!("sqlite:{}", base.join(file).display());
            *self.database.get_mut() = joined;
        }
    }

    fn faults(&self) -> Vec<(Range<usize>, String)> {
        let mut faults = Vec::new();
        if let Err(error) = kit::db::engine_of(self.database.get_ref()) {
            faults.push((self.database.span(), format!("database: {error}")));
        }
        let keys = self.keys.get_ref();
        if !keys.is_dir() {
            let message = format!("keys: no such directory: {} (made by `init`)", keys.display());
            faults.push((self.keys.span(), message));
        }
        for (key, path, mode) in [
            ("keys", &self.keys, "0700"),
            ("http.key", &self.http.key, "0600"),
            ("mqtt.key", &self.mqtt.key, "0600"),
        ] {
            if is_open(path.get_ref()) {
                let file = path.get_ref().display();
                let message = format!("{key}: {file} may be read by others: its mode must be {mode}");
                faults.push((path.span(), message));
            }
        }
        for (key, path) in [
            ("http.certificate", &self.http.certificate),
            ("http.key", &self.http.key),
            ("mqtt.authority", &self.mqtt.authority),
            ("mqtt.certificate", &self.mqtt.certificate),
            ("mqtt.key", &self.mqtt.key),
        ] {
            if !path.get_ref().is_file() {
                faults.push((path.span(), format!("{key}: no such file: {}", path.get_ref().display())));
            }
        }
        if let Some(path) = self.webhooks.as_ref().and_then(|it| it.authorities.as_ref())
            && !path.get_ref().is_file()
        {
            let message = format!("webhooks.authorities: no such file: {}", path.get_ref().display());
            faults.push((path.span(), message));
        }
        if let Some(passkeys) = &self.passkeys {
            faults.extend(passkeys.faults());
        }
        if !is_host(self.mqtt.host.get_ref()) {
            faults.push((self.mqtt.host.span(), "mqtt.host: neither a name nor an address".to_owned()));
        }
        if *self.mqtt.port.get_ref() == 0 {
            faults.push((self.mqtt.port.span(), "mqtt.port: between 1 and 65535".to_owned()));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_made_for_names_and_their_pages() {
        for good in ["localhost", "gatehouse", "gate.site.example"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["127.0.0.1", "::1", "Gate.example", "https://gate.example", "gate.example:8443", ""] {
            assert!(!is_name(bad), "{bad}");
        }
        let name = "site.example";
        for good in ["https://site.example", "https://site.example:8443", "https://gate.site.example"] {
            assert!(is_origin_of(good, name), "{good}");
        }
        for bad in [
            "http://site.example",
            "https://site.example/",
            "https://site.example:443",
            "https://site.example:08443",
            "https://site.example:0",
            "https://evilsite.example",
            "https://site.example.evil.example",
            "https://you@site.example",
            "site.example",
        ] {
            assert!(!is_origin_of(bad, name), "{bad}");
        }
    }

    #[test]
    fn the_port_is_written_as_browsers_do() {
        let read = |text: &str| toml::from_str::<Passkeys>(text).expect("it is well formed");
        let named = read("name = \"site.example\"");
        assert_eq!(named.party(443).origins, ["https://site.example"]);
        assert_eq!(named.party(8443).origins, ["https://site.example:8443"]);
        let said = read("name = \"site.example\"\norigins = [\"https://site.example\"]");
        assert_eq!(said.party(8443).origins, ["https://site.example"]);
    }
}
