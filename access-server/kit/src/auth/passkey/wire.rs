//! What browsers are given and give back, in the standard's own JSON (Web Authentication level 3, 5.1.8 and 5.1.9): names
//! of members are its.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::challenge::OPEN;
use super::webauthn::{ALGORITHMS, Party};

/// Bytes, as base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        BASE64_URL_SAFE_NO_PAD.decode(text.as_ref()).map(Self).map_err(D::Error::custom)
    }
}

/// What a browser is asked to make.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Creation {
    rp: Site,
    user: User,
    challenge: Bytes,
    pub_key_cred_params: Vec<Kind>,
    timeout: u64,
    exclude_credentials: Vec<Known>,
    authenticator_selection: Selection,
    attestation: &'static str,
}

/// What a browser is asked to sign.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    challenge: Bytes,
    timeout: u64,
    rp_id: String,
    allow_credentials: Vec<Known>,
    user_verification: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Site {
    id: String,
    name: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: Bytes,
    name: String,
    display_name: String,
}

#[derive(Clone, Debug, Serialize)]
struct Kind {
    r#type: &'static str,
    alg: i64,
}

#[derive(Clone, Debug, Serialize)]
struct Known {
    r#type: &'static str,
    id: Bytes,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    resident_key: &'static str,
    require_resident_key: bool,
    user_verification: &'static str,
}

const PUBLIC_KEY: &str = "public-key";
const REQUIRED: &str = "required";

fn known(credentials: Vec<Vec<u8>>) -> Vec<Known> {
    credentials.into_iter().map(|id| Known { r#type: PUBLIC_KEY, id: Bytes(id) }).collect()
}

fn timeout() -> u64 {
    OPEN.as_secs() * 1000
}

impl Creation {
    pub(super) fn new(
        party: &Party,
        challenge: [u8; 32],
        (handle, name): (Vec<u8>, &str),
        there: Vec<Vec<u8>>,
    ) -> Self {
        Self {
            rp: Site { id: party.id.clone(), name: "Gatehouse" },
            user: User { id: Bytes(handle), name: name.to_owned(), display_name: name.to_owned() },
            challenge: Bytes(challenge.to_vec()),
            pub_key_cred_params: ALGORITHMS.map(|alg| Kind { r#type: PUBLIC_KEY, alg }).to_vec(),
            timeout: timeout(),
            exclude_credentials: known(there),
            authenticator_selection: Selection {
                resident_key: REQUIRED,
                require_resident_key: true,
                user_verification: REQUIRED,
            },
            attestation: "none",
        }
    }
}

impl Request {
    pub(super) fn new(party: &Party, challenge: [u8; 32], allowed: Vec<Vec<u8>>) -> Self {
        Self {
            challenge: Bytes(challenge.to_vec()),
            timeout: timeout(),
            rp_id: party.id.clone(),
            allow_credentials: known(allowed),
            user_verification: REQUIRED,
        }
    }
}

/// What a browser made. Members that are not looked at may be there too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    pub(super) response: Attestation,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attestation {
    #[serde(rename = "clientDataJSON")]
    pub(super) client_data: Bytes,
    pub(super) attestation_object: Bytes,
}

/// What a browser signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assertion {
    pub(super) raw_id: Bytes,
    pub(super) response: Signature,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signature {
    #[serde(rename = "clientDataJSON")]
    pub(super) client_data: Bytes,
    pub(super) authenticator_data: Bytes,
    pub(super) signature: Bytes,
    #[serde(default)]
    pub(super) user_handle: Option<Bytes>,
}
