//! A new controller: its key is made here, its certificate comes for a one-time code, with all that a first configuration needs.

use std::path::Path;

use identity::enrol::{EnrolError, File, Kind};
use uplink::enrol::{Code, Granted};

/// The configuration's name in its directory.
pub const CONFIGURATION: &str = "controller.toml";

struct Controller;

impl Kind for Controller {
    const PREFIX: &'static str = "controller-";
    const CONFIGURATION: &'static str = CONFIGURATION;

    fn files(granted: &Granted, _: &Path) -> Result<Vec<File>, EnrolError> {
        let key = granted.credential_key.as_ref().ok_or(EnrolError::Answer("it lacks the credential key"))?;
        Ok(vec![
            File { name: "credential.hex".to_owned(), bytes: key.clone().into_bytes(), mode: 0o600 },
            File { name: CONFIGURATION.to_owned(), bytes: configuration(granted).into_bytes(), mode: 0o600 },
        ])
    }
}

/// Enrols this machine as a controller; its name.
///
/// # Errors
/// Why it was not enrolled. Nothing was written then.
pub fn enrol(server: &str, code: &Code, directory: &Path) -> Result<String, EnrolError> {
    identity::enrol::enrol::<Controller>(server, code, directory)
}

fn configuration(granted: &Granted) -> String {
    let text = |value: &str| toml::Value::from(value).to_string();
    let site = granted.site.replace(char::is_control, " ");
    format!(
        "# Gatehouse controller of the site {site}. Paths are relative to this file. Every key there is stands in\n\
         # deploy/configuration/controller.toml; its buses, boards and cameras are still to be said.\n\
         name = {name}\n\
         data = \"data\"\n\
         \n[tls]\n\
         ca = \"ca.pem\"\n\
         certificate = {certificate}\n\
         key = {key}\n\
         \n[broker]\n\
         host = {host}\n\
         port = {port}\n\
         \n[credentials]\n\
         key_file = \"credential.hex\"\n",
        name = text(&granted.name),
        certificate = text(&format!("{}.pem", granted.name)),
        key = text(&format!("{}.key", granted.name)),
        host = text(&granted.broker),
        port = granted.port,
    )
}
