//! A new vision process: its key is made here, its certificate comes for a one-time code, with what a first configuration needs.

use std::path::Path;

use identity::enrol::{EnrolError, File, Kind};
use uplink::enrol::{Code, Granted};

/// The configuration's name in its directory.
pub const CONFIGURATION: &str = "vision.toml";

struct Vision;

impl Kind for Vision {
    const PREFIX: &'static str = "vision-";
    const CONFIGURATION: &'static str = CONFIGURATION;

    fn files(granted: &Granted, directory: &Path) -> Result<Vec<File>, EnrolError> {
        let bytes = configuration(granted, directory).into_bytes();
        Ok(vec![File { name: CONFIGURATION.to_owned(), bytes, mode: 0o600 }])
    }
}

/// Enrols this machine as a vision process; its name.
///
/// # Errors
/// Why it was not enrolled. Nothing was written then.
pub fn enrol(server: &str, code: &Code, directory: &Path) -> Result<String, EnrolError> {
    identity::enrol::enrol::<Vision>(server, code, directory)
}

fn configuration(granted: &Granted, directory: &Path) -> String {
    let text = |value: &str| toml::Value::from(value).to_string();
    let path = |name: &str| text(&directory.join(name).display().to_string());
    let site = granted.site.replace(char::is_control, " ");
    format!(
        "# Gatehouse vision process of the site {site}. Every key there is stands in deploy/configuration/vision.toml;\n\
         # its cameras are still to be said.\n\
         name = {name}\n\
         models = \"/usr/lib/gatehouse/models\"\n\
         \n[tls]\n\
         authority = {authority}\n\
         certificate = {certificate}\n\
         key = {key}\n\
         \n[gallery]\n\
         file = {gallery}\n\
         key = {gallery_key}\n\
         \n[broker]\n\
         host = {host}\n\
         port = {port}\n",
        name = text(&granted.name),
        authority = path("ca.pem"),
        certificate = path(&format!("{}.pem", granted.name)),
        key = path(&format!("{}.key", granted.name)),
        gallery = path("gallery.sealed"),
        gallery_key = path("gallery.key"),
        host = text(&granted.broker),
        port = granted.port,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_first_configuration_is_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let granted = Granted {
            name: "vision-3".to_owned(),
            certificate: String::new(),
            authority: String::new(),
            broker: "gate \"1\".example".to_owned(),
            port: 8883,
            site: "one\nmodels = 1".to_owned(),
            credential_key: None,
        };
        let file = folder.path().join(CONFIGURATION);
        std::fs::write(&file, configuration(&granted, folder.path())).expect("written");
        let config = Config::read(&file).expect("a configuration");
        assert_eq!(config.name.get_ref(), "vision-3");
        assert_eq!(config.tls.key, folder.path().join("vision-3.key"));
        assert_eq!(config.broker.expect("a broker").host, "gate \"1\".example");
    }
}
