//! Where a site's files are, and where they are put when it is restored: as `init` puts them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::config::Config;

/// Files of one site: certificates of some thousand devices, and their keys.
const MOST: usize = 20_000;

/// What is in the files that are not secret, and in those that are, by their names in a restored site.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) open: BTreeMap<String, Vec<u8>>,
    pub(super) secret: BTreeMap<String, Vec<u8>>,
}

/// Reads keys and certificates from wherever the configuration has them. Secret ones are read only if wanted.
pub(super) fn gather(config: &Config, secret: bool) -> anyhow::Result<Files> {
    let mut files = Files::default();
    let authority = config.mqtt.authority.get_ref();
    // What `pki issue` made for devices and broker lies beside the authority.
    let folder = authority.parent().unwrap_or(Path::new("."));
    for path in list(folder)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        match Path::new(name).extension().and_then(|end| end.to_str()) {
            Some("pem") => put(&mut files.open, format!("pki/{name}"), &path)?,
            Some("key") if secret => put(&mut files.secret, format!("pki/{name}"), &path)?,
            Some(_) | None => {}
        }
    }
    put(&mut files.open, "pki/ca.pem".to_owned(), authority)?;
    put(&mut files.open, "pki/web.pem".to_owned(), config.http.certificate.get_ref())?;
    put(&mut files.open, "pki/server.pem".to_owned(), config.mqtt.certificate.get_ref())?;
    let keys = config.keys.get_ref();
    put(&mut files.open, "keys/journal.pub".to_owned(), &keys.join("journal.pub"))?;
    if secret {
        put(&mut files.secret, "pki/web.key".to_owned(), config.http.key.get_ref())?;
        put(&mut files.secret, "pki/server.key".to_owned(), config.mqtt.key.get_ref())?;
        for path in list(keys)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name != "journal.pub" {
                put(&mut files.secret, format!("keys/{name}"), &path)?;
            }
        }
    }
    Ok(files)
}

fn list(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let failed = || format!("{} cannot be read", folder.display());
    let entries = std::fs::read_dir(folder).with_context(failed)?.collect::<Result<Vec<_>, _>>();
    let mut files: Vec<_> = entries.with_context(failed)?.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    ensure!(files.len() <= MOST, "{} holds more than {MOST} files", folder.display());
    Ok(files)
}

fn put(into: &mut BTreeMap<String, Vec<u8>>, name: String, path: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    into.insert(name, bytes);
    Ok(())
}

/// Whether a name is one that [`gather`] gives: a restored file lies nowhere else.
pub(super) fn is_ours(name: &str) -> bool {
    let Some((folder, file)) = name.split_once('/') else { return false };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ["pki", "keys"].contains(&folder) && !file.starts_with('.') && !file.is_empty() && file.bytes().all(plain)
}

/// The configuration's text with the places of a restored site: the database's address, which may hold a password, is
/// not in it.
pub(super) fn settled(config: &Config, text: &str) -> String {
    let http = &config.http;
    let mqtt = &config.mqtt;
    replaced(
        text,
        vec![
            (config.database.span(), "sqlite:site.db"),
            (config.keys.span(), "keys"),
            (config.checkpoints.span(), "checkpoints"),
            (http.certificate.span(), "pki/web.pem"),
            (http.key.span(), "pki/web.key"),
            (mqtt.authority.span(), "pki/ca.pem"),
            (mqtt.certificate.span(), "pki/server.pem"),
            (mqtt.key.span(), "pki/server.key"),
        ],
    )
}

/// The same with another database.
pub(super) fn with_database(text: &str, database: &str) -> anyhow::Result<String> {
    let config: Config = toml::from_str(text).context("server.toml")?;
    Ok(replaced(text, vec![(config.database.span(), database)]))
}

fn replaced(text: &str, mut values: Vec<(Range<usize>, &str)>) -> String {
    values.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = text.to_owned();
    for (span, value) in values {
        text.replace_range(span, &toml::Value::from(value).to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_site() {
        for good in ["pki/ca.pem", "keys/journal.pub", "pki/controller-1.key"] {
            assert!(is_ours(good), "{good}");
        }
        for bad in ["ca.pem", "/pki/ca.pem", "pki/../x", "pki/a/b", "pki/", "keys/.x", "other/x", "pki/a\nb"]
        {
            assert!(!is_ours(bad), "{bad}");
        }
    }

    #[test]
    fn the_database_and_its_password_are_taken_out_and_comments_stay() {
        let text = "# ours\ndatabase = \"postgres://a:secret@localhost/b\" # here\nkeys = \"/k\"\n\
            checkpoints = '/mnt/c'\n[http]\nlisten = \"[::]:8443\"\ncertificate = \"/w.pem\"\nkey = \"/w.key\"\n\
            [mqtt]\nhost = \"b\"\nport = 8883\nauthority = \"/a\"\ncertificate = \"/c\"\nkey = \"/k\"\n";
        let config: Config = toml::from_str(text).expect("a good one");
        let settled = settled(&config, text);
        assert!(
            !settled.contains("secret") && settled.contains("# ours") && settled.contains("# here"),
            "{settled}"
        );
        let settled = with_database(&settled, "postgres://c@localhost/d").expect("still a good one");
        let config: Config = toml::from_str(&settled).expect("still a good one");
        assert_eq!(config.database.get_ref(), "postgres://c@localhost/d");
        assert_eq!(config.mqtt.authority.get_ref(), Path::new("pki/ca.pem"));
        assert_eq!(config.checkpoints.get_ref(), Path::new("checkpoints"));
    }
}
