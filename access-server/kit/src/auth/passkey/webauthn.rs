//! What W3C Web Authentication (level 3, 7.1 and 7.2) has a server look at, as a rule over bytes.
//!
//! Asked for are a credential that the device itself finds (discoverable), the user's verification by the device, and no
//! attestation: a site does not choose whose devices its operators have, so the statement that a device may send about
//! itself is stepped over. What is left of the standard are three small formats and one signature, which `ring` checks.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::digest::{SHA256, digest};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use super::cbor::Reader;

/// Algorithms that are taken, as COSE numbers them (RFC 9053, RFC 8812), the preferred first: ES256, EdDSA, RS256. The last
/// is what Windows Hello makes with an older TPM.
pub const ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];

const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;
/// Bytes of an RSA modulus that are taken: 2048 to 4096 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=512;
/// Bytes of a credential's id, at most (7.1, step 25).
const CREDENTIAL: usize = 1023;

/// Flags of the authenticator's data (6.1).
const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const MAY_BE_COPIED: u8 = 1 << 3;
const IS_COPIED: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

/// Who asks: what passkeys are made for, and where pages that ask are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The host's name: a passkey holds for it alone.
    pub id: String,
    /// As `https://gatehouse.example:8443`.
    pub origins: Vec<String>,
}

/// What a device made at registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) credential: Vec<u8>,
    /// As COSE has it.
    pub(super) public_key: Vec<u8>,
    pub(super) counter: u32,
    /// Whether it may be on several devices.
    pub(super) synced: bool,
}

/// What is kept of a passkey, for looking at what it signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    pub(super) handle: &'a [u8],
    pub(super) public_key: &'a [u8],
    pub(super) counter: u32,
    pub(super) synced: bool,
}

/// What a device signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) client_data: &'a [u8],
    pub(super) authenticator_data: &'a [u8],
    pub(super) signature: &'a [u8],
    /// Whom the device takes the owner for; a device that was told which credentials there are may not say.
    pub(super) handle: Option<&'a [u8]>,
}

/// Why something is not taken. For the log: a page says none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is not of the form that the standard gives it.
    #[error("it is not of the standard's form")]
    Form,
    /// It was made for something else.
    #[error("it was made for another purpose")]
    Purpose,
    /// Not the question that was asked.
    #[error("it answers another challenge")]
    Challenge,
    /// The page was not one of ours.
    #[error("it was made for another origin")]
    Origin,
    /// Made for another host.
    #[error("it was made for another relying party")]
    Party,
    /// Nobody touched the device.
    #[error("nobody was there")]
    Absent,
    /// The device did not make sure who was there.
    #[error("the device did not verify its user")]
    Unverified,
    /// The key is of an algorithm that was not asked for, or is none.
    #[error("the key is none of those asked for")]
    Key,
    /// The signature is not the key's.
    #[error("the signature is not of this key")]
    Signature,
    /// The device takes it for somebody else's, or it became another kind of passkey.
    #[error("the passkey is somebody else's")]
    Owner,
    /// The counter went back: the key is on two devices.
    #[error("the counter went back: the key was copied")]
    Copied,
}

/// 7.1: what a device made, in answer to this challenge.
pub(super) fn registered(
    party: &Party,
    challenge: &[u8],
    client_data: &[u8],
    attestation: &[u8],
) -> Result<Made, Wrong> {
    asked(party, "webauthn.create", challenge, client_data)?;
    let mut reader = Reader(attestation);
    let mut data = None;
    for _ in 0..reader.map()? {
        match reader.text()? {
            "authData" => data = Some(reader.bytes()?),
            _ => reader.skip()?,
        }
    }
    let (data, []) = (data.ok_or(Wrong::Form)?, reader.0) else { return Err(Wrong::Form) };
    let data = Data::read(party, data)?;
    let (credential, public_key) = data.credential.ok_or(Wrong::Form)?;
    Key::read(public_key)?;
    Ok(Made {
        credential: credential.to_vec(),
        public_key: public_key.to_vec(),
        counter: data.counter,
        synced: data.synced,
    })
}

/// 7.2: what a device signed in answer to this challenge, with a passkey that is kept; the new counter.
pub(super) fn shown(
    party: &Party,
    challenge: &[u8],
    kept: Kept<'_>,
    signed: Signed<'_>,
) -> Result<u32, Wrong> {
    asked(party, "webauthn.get", challenge, signed.client_data)?;
    let data = Data::read(party, signed.authenticator_data)?;
    if signed.handle.is_some_and(|handle| handle != kept.handle) || data.synced != kept.synced {
        return Err(Wrong::Owner);
    }
    let message = [signed.authenticator_data, digest(&SHA256, signed.client_data).as_ref()].concat();
    Key::read(kept.public_key)?.verify(&message, signed.signature)?;
    // After the signature: what nobody signed says nothing about the key.
    let counts = data.counter != 0 || kept.counter != 0;
    if counts && data.counter <= kept.counter {
        return Err(Wrong::Copied);
    }
    Ok(data.counter)
}

/// The challenge that what a browser says of its page answers; nothing else of it is looked at.
pub(super) fn challenge_of(client_data: &[u8]) -> Option<Vec<u8>> {
    let said: ClientData<'_> = serde_json::from_slice(client_data).ok()?;
    BASE64_URL_SAFE_NO_PAD.decode(said.challenge.as_ref()).ok()
}

/// What the browser says of the page that asked (5.8.1).
#[derive(Deserialize)]
struct ClientData<'a> {
    #[serde(borrow)]
    r#type: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    challenge: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    origin: std::borrow::Cow<'a, str>,
    #[serde(rename = "crossOrigin", default)]
    is_framed: bool,
}

fn asked(party: &Party, purpose: &str, challenge: &[u8], client_data: &[u8]) -> Result<(), Wrong> {
    let said: ClientData<'_> = serde_json::from_slice(client_data).map_err(|_| Wrong::Form)?;
    if said.r#type != purpose {
        return Err(Wrong::Purpose);
    }
    if said.challenge != BASE64_URL_SAFE_NO_PAD.encode(challenge) {
        return Err(Wrong::Challenge);
    }
    // No page of ours is in a frame.
    if said.is_framed || !party.origins.iter().any(|ours| *ours == said.origin) {
        return Err(Wrong::Origin);
    }
    Ok(())
}

/// What the authenticator says (6.1), as far as it counts here.
struct Data<'a> {
    counter: u32,
    synced: bool,
    /// The credential's id and its public key.
    credential: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Data<'a> {
    fn read(party: &Party, bytes: &'a [u8]) -> Result<Self, Wrong> {
        let mut reader = Reader(bytes);
        let made_for: [u8; 32] = reader.array()?;
        let [flags] = reader.array()?;
        let counter = u32::from_be_bytes(reader.array()?);
        if made_for != digest(&SHA256, party.id.as_bytes()).as_ref() {
            return Err(Wrong::Party);
        }
        if flags & PRESENT == 0 {
            return Err(Wrong::Absent);
        }
        if flags & VERIFIED == 0 {
            return Err(Wrong::Unverified);
        }
        if flags & IS_COPIED != 0 && flags & MAY_BE_COPIED == 0 {
            return Err(Wrong::Form);
        }
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            // The authenticator's model: not asked for.
            reader.take(16)?;
            let length = usize::from(u16::from_be_bytes(reader.array()?));
            let id = reader.take(length)?;
            if !(1..=CREDENTIAL).contains(&length) {
                return Err(Wrong::Form);
            }
            let key = reader.0;
            reader.skip()?;
            credential = Some((id, &key[..key.len() - reader.0.len()]));
        }
        if flags & HAS_EXTENSIONS != 0 {
            reader.skip()?;
        }
        let [] = reader.0 else { return Err(Wrong::Form) };
        Ok(Self { counter, synced: flags & MAY_BE_COPIED != 0, credential })
    }
}

/// A public key.
enum Key<'a> {
    /// ES256: a point of P-256, uncompressed.
    Elliptic([u8; 65]),
    /// Ed25519.
    Edwards(&'a [u8]),
    /// RS256: modulus and exponent.
    Rsa(&'a [u8], &'a [u8]),
}

impl<'a> Key<'a> {
    /// A COSE_Key (RFC 9053, 7; RFC 8230, 4) of an algorithm that was asked for.
    fn read(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let mut reader = Reader(bytes);
        let (mut kind, mut algorithm, mut curve) = (None, None, None);
        // -1 is a curve's number or a modulus, -2 a coordinate or an exponent.
        let (mut modulus, mut x, mut y) = (None, None, None);
        for _ in 0..reader.map()? {
            match reader.integer()? {
                1 => kind = Some(reader.integer()?),
                3 => algorithm = Some(reader.integer()?),
                -1 if kind == Some(3) => modulus = Some(reader.bytes()?),
                -1 => curve = Some(reader.integer()?),
                -2 => x = Some(reader.bytes()?),
                -3 => y = Some(reader.bytes()?),
                _ => reader.skip()?,
            }
        }
        let [] = reader.0 else { return Err(Wrong::Form) };
        match (algorithm, kind, curve, x, y, modulus) {
            (Some(ES256), Some(2), Some(1), Some(x), Some(y), None) if (x.len(), y.len()) == (32, 32) => {
                let mut point = [4; 65];
                point[1..33].copy_from_slice(x);
                point[33..].copy_from_slice(y);
                Ok(Self::Elliptic(point))
            }
            (Some(EDDSA), Some(1), Some(6), Some(x), None, None) if x.len() == 32 => Ok(Self::Edwards(x)),
            (Some(RS256), Some(3), None, Some(exponent), None, Some(modulus))
                if MODULUS.contains(&modulus.len()) && (1..=4).contains(&exponent.len()) =>
            {
                Ok(Self::Rsa(modulus, exponent))
            }
            _ => Err(Wrong::Key),
        }
    }

    fn verify(&self, message: &[u8], signed: &[u8]) -> Result<(), Wrong> {
        let verified = match self {
            Self::Elliptic(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point).verify(message, signed)
            }
            Self::Edwards(x) => UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signed),
            Self::Rsa(n, e) => RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                message,
                signed,
            ),
        };
        verified.map_err(|_| Wrong::Signature)
    }
}

#[cfg(test)]
mod tests;
