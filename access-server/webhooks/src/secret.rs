//! The secret of a webhook, and what is signed with it (Standard Webhooks 1.0, symmetric signatures).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// Begins the text of every secret.
const MARK: &str = "whsec_";
/// Bytes of a secret; the standard asks for 24 to 64.
const BYTES: usize = 32;

/// 256 bits that a receiver knows too. Shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; BYTES]);

impl Secret {
    pub(crate) fn fresh() -> Self {
        let mut bytes = [0; BYTES];
        SystemRandom::new().fill(&mut bytes).expect("the system's random source works");
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the receiver is given it: `whsec_` and base64.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{MARK}{}", BASE64.encode(self.0))
    }

    /// One signature, as `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; `timestamp` in seconds.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
