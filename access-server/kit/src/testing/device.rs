//! Stands in for a browser and a device with passkeys: it makes and signs what the standard says, from the JSON that a
//! page is given, and can be told to do it wrong. Real browsers are in the end-to-end tests.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use serde_json::{Value, json};

/// Where pages of a test are.
pub const ORIGIN: &str = "https://localhost:8443";
/// For whom passkeys of a test are made.
pub const HOST: &str = "localhost";

/// A device with one passkey at most.
#[derive(Debug)]
pub struct Device {
    key: Key,
    credential: Vec<u8>,
    handle: Vec<u8>,
    /// What the browser says of the page.
    pub origin: String,
    /// For whom the device takes the page.
    pub party: String,
    /// Whether it makes sure of its user.
    pub verifies: bool,
    /// Whether its user is there.
    pub touched: bool,
    /// Whether its passkeys may be on other devices.
    pub synced: bool,
    /// Signatures so far; `None` where it does not count.
    pub counter: Option<u32>,
    /// Whether it says whose passkey it is.
    pub names_owner: bool,
}

#[derive(Debug)]
enum Key {
    Elliptic(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

impl Default for Device {
    fn default() -> Self {
        Self::elliptic()
    }
}

impl Device {
    /// One that signs with ES256.
    ///
    /// # Panics
    /// When the system's random source does not work.
    #[must_use]
    pub fn elliptic() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("the system's random source works");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).expect("made a line above");
        Self::with(Key::Elliptic(key))
    }

    /// One that signs with Ed25519.
    ///
    /// # Panics
    /// When the system's random source does not work.
    #[must_use]
    pub fn edwards() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("the random source works");
        Self::with(Key::Edwards(Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("made a line above")))
    }

    /// One that signs with RS256, with this key (PKCS#8, DER).
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn rsa(pkcs8: &[u8]) -> Self {
        Self::with(Key::Rsa(rsa::KeyPair::from_pkcs8(pkcs8).expect("an RSA key")))
    }

    fn with(key: Key) -> Self {
        let mut credential = vec![0; 16];
        SystemRandom::new().fill(&mut credential).expect("the system's random source works");
        Self {
            key,
            credential,
            handle: Vec::new(),
            origin: ORIGIN.to_owned(),
            party: HOST.to_owned(),
            verifies: true,
            touched: true,
            synced: false,
            counter: Some(0),
            names_owner: true,
        }
    }

    /// Answers what a page gives `navigator.credentials.create`, as its answer's `toJSON` does.
    ///
    /// # Panics
    /// When the options are not of the standard's form.
    pub fn make(&mut self, options: &Value) -> Value {
        self.handle = bytes(&options["user"]["id"]);
        let client_data = self.client_data("webauthn.create", options);
        let mut data = self.data(0x40);
        // No model, the credential's id, the key.
        data.extend([0; 16]);
        data.extend(u16::try_from(self.credential.len()).expect("16 bytes").to_be_bytes());
        data.extend(&self.credential);
        data.extend(self.public_key());
        let attestation = [
            &b"\xa3"[..],
            &text("fmt"),
            &text("none"),
            &text("attStmt"),
            b"\xa0",
            &text("authData"),
            &string(&data),
        ]
        .concat();
        json!({
            "id": written(&self.credential),
            "rawId": written(&self.credential),
            "type": "public-key",
            "response": { "clientDataJSON": written(&client_data), "attestationObject": written(&attestation) },
        })
    }

    /// Answers what a page gives `navigator.credentials.get`.
    ///
    /// # Panics
    /// When the options are not of the standard's form.
    pub fn sign(&mut self, options: &Value) -> Value {
        self.counter = self.counter.map(|counter| counter + 1);
        let client_data = self.client_data("webauthn.get", options);
        let data = self.data(0);
        let message = [&data, digest(&SHA256, &client_data).as_ref()].concat();
        let handle = self.names_owner.then(|| written(&self.handle));
        json!({
            "id": written(&self.credential),
            "rawId": written(&self.credential),
            "type": "public-key",
            "response": {
                "clientDataJSON": written(&client_data),
                "authenticatorData": written(&data),
                "signature": written(&self.signature(&message)),
                "userHandle": handle,
            },
        })
    }

    /// Says from now on that its passkey is another's.
    pub fn pass_for(&mut self, other: &Self) {
        self.credential.clone_from(&other.credential);
        self.handle.clone_from(&other.handle);
    }

    fn client_data(&self, purpose: &str, options: &Value) -> Vec<u8> {
        let said = json!({
            "type": purpose,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
            "other_keys_can_be_added_here": "do not compare clientDataJSON against a template",
        });
        said.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let flags =
            flags | u8::from(self.touched) | u8::from(self.verifies) << 2 | u8::from(self.synced) << 3;
        let counter = self.counter.unwrap_or(0).to_be_bytes();
        [digest(&SHA256, self.party.as_bytes()).as_ref(), &[flags], &counter].concat()
    }

    fn public_key(&self) -> Vec<u8> {
        match &self.key {
            Key::Elliptic(key) => {
                let point = key.public_key().as_ref();
                [
                    &b"\xa5\x01\x02\x03\x26\x20\x01\x21"[..],
                    &string(&point[1..33]),
                    b"\x22",
                    &string(&point[33..]),
                ]
                .concat()
            }
            Key::Edwards(key) => {
                [&b"\xa4\x01\x01\x03\x27\x20\x06\x21"[..], &string(key.public_key().as_ref())].concat()
            }
            Key::Rsa(key) => {
                let public = rsa::PublicKeyComponents::<Vec<u8>>::from(key.public());
                [&b"\xa4\x01\x03\x03\x39\x01\x00\x20"[..], &string(&public.n), b"\x21", &string(&public.e)]
                    .concat()
            }
        }
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Elliptic(key) => key.sign(&random, message).expect("random bytes").as_ref().to_vec(),
            Key::Edwards(key) => key.sign(message).as_ref().to_vec(),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("it is as long");
                signature
            }
        }
    }
}

fn written(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &Value) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text.as_str().expect("text")).expect("base64url")
}

/// A byte string in CBOR.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    [&[0x59][..], &length.to_be_bytes(), bytes].concat()
}

/// A text in CBOR, of less than 24 bytes.
fn text(text: &str) -> Vec<u8> {
    [&[0x60 + u8::try_from(text.len()).expect("short")][..], text.as_bytes()].concat()
}
