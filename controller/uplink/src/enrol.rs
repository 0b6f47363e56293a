//! How a device comes to its certificate: the one-time code that somebody types there, what is asked and answered over
//! HTTPS the first time, and over MQTT, under the certificate before, each time after.
//!
//! A code carries two things: a secret that shows the server who asks, and a fingerprint of the site's authority that
//! shows the device whom it asks. So the device trusts nobody on first use.

use std::fmt;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where a device asks for its first certificate: `POST`, a [`Request`], answered with a [`Granted`].
pub const PATH: &str = "/enrol";
/// The name that a device asks the server's port for, and finds in its certificate: the site's authority issues it to
/// nobody else. What certificate browsers are shown there is another matter.
pub const SERVER_NAME: &str = "server";
/// A request in bytes at most.
pub const REQUEST_MAX: usize = 4 * 1024;
/// An answer in bytes at most.
pub const ANSWER_MAX: usize = 64 * 1024;
/// How many days a device's certificate is good for.
pub const LIFE_DAYS: u64 = 2 * 365;

/// Bytes of the secret: 120 bits.
const SECRET: usize = 15;
/// Bytes of the fingerprint: 130 bits, of the last byte the two highest.
const FINGERPRINT: usize = 17;
const LAST_BITS: u8 = 0xC0;
/// Groups of a code.
const GROUPS: usize = 10;
/// Signs of a group that carry something; one more checks them.
const CARRYING: usize = 5;
/// Crockford's alphabet: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A one-time code: ten groups of six signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    secret: [u8; SECRET],
    authority: Fingerprint,
}

/// The first 130 bits of SHA-256 over the authority's certificate (DER).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; FINGERPRINT]);

/// What is wrong with a code as it was typed. Never repeats what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CodeFault {
    /// Too few or too many groups.
    #[error("a code has {GROUPS} groups, this one {0}")]
    Groups(usize),
    /// A group too short or too long.
    #[error("group {0} has not six signs")]
    Length(usize),
    /// A sign that no code has.
    #[error("group {0} has a sign that no code has")]
    Sign(usize),
    /// Mistyped.
    #[error("group {0} does not fit: one of its signs is wrong, two are exchanged, or it stands elsewhere")]
    Group(usize),
}

impl Fingerprint {
    /// Of an authority's certificate.
    pub fn of(certificate: &[u8]) -> Self {
        let mut bits = [0; FINGERPRINT];
        bits.copy_from_slice(&digest(&SHA256, certificate).as_ref()[..FINGERPRINT]);
        bits[FINGERPRINT - 1] &= LAST_BITS;
        Self(bits)
    }
}

impl Code {
    /// Bytes of randomness that a code is made from.
    pub const SECRET: usize = SECRET;

    /// A code from random bytes, for a site.
    pub fn new(secret: [u8; SECRET], authority: Fingerprint) -> Self {
        Self { secret, authority }
    }

    /// Reads what somebody typed: in capitals or not, with hyphens or spaces between the groups or nothing, O for 0, I or
    /// L for 1.
    ///
    /// # Errors
    /// Names the group at fault.
    pub fn parse(text: &str) -> Result<Self, CodeFault> {
        let apart = |letter: char| letter == '-' || letter.is_whitespace();
        let mut groups: Vec<&str> = text.split(apart).filter(|group| !group.is_empty()).collect();
        if let [whole] = groups[..]
            && whole.is_ascii()
            && whole.len() == GROUPS * (CARRYING + 1)
        {
            groups = (0..GROUPS).map(|at| &whole[at * (CARRYING + 1)..(at + 1) * (CARRYING + 1)]).collect();
        }
        if groups.len() != GROUPS {
            return Err(CodeFault::Groups(groups.len()));
        }
        let mut bits = Bits::default();
        for (at, group) in groups.into_iter().enumerate() {
            if group.chars().count() != CARRYING + 1 {
                return Err(CodeFault::Length(at + 1));
            }
            let signs: Option<Vec<u8>> = group.chars().map(value).collect();
            let signs = signs.ok_or(CodeFault::Sign(at + 1))?;
            let (carrying, check) = signs.split_at(CARRYING);
            if check != [check_sign(at, carrying)] {
                return Err(CodeFault::Group(at + 1));
            }
            carrying.iter().for_each(|sign| bits.push(*sign));
        }
        let (mut secret, mut authority) = ([0; SECRET], [0; FINGERPRINT]);
        secret.copy_from_slice(&bits.bytes[..SECRET]);
        authority.copy_from_slice(&bits.bytes[SECRET..]);
        Ok(Self { secret, authority: Fingerprint(authority) })
    }

    /// The code as it is shown. To be shown once, and neither kept nor logged.
    pub fn show(&self) -> String {
        let bytes = [&self.secret[..], &self.authority.0[..]].concat();
        let sign = |at: usize| {
            (0..5).fold(0, |sign, bit| {
                let bit = at * 5 + bit;
                sign << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1)
            })
        };
        let groups = (0..GROUPS).map(|group| {
            let carrying: Vec<u8> = (0..CARRYING).map(|at| sign(group * CARRYING + at)).collect();
            let check = check_sign(group, &carrying);
            carrying.iter().chain([&check]).map(|sign| char::from(ALPHABET[usize::from(*sign)])).collect()
        });
        groups.collect::<Vec<String>>().join("-")
    }

    /// Of the site that it was made for.
    pub fn authority(&self) -> Fingerprint {
        self.authority
    }

    /// What shows the server who asks.
    pub fn secret(&self) -> Secret {
        Secret(self.secret.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[derive(Default)]
struct Bits {
    bytes: [u8; SECRET + FINGERPRINT],
    used: usize,
}

impl Bits {
    fn push(&mut self, sign: u8) {
        for bit in (0..5).rev() {
            self.bytes[self.used / 8] |= (sign >> bit & 1) << (7 - self.used % 8);
            self.used += 1;
        }
    }
}

fn value(sign: char) -> Option<u8> {
    let sign = match sign.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let at = ALPHABET.iter().position(|it| char::from(*it) == sign)?;
    u8::try_from(at).ok()
}

/// The sum, in the field of 32 elements, of each sign times a power of its own, and of the group's number times another.
/// Any one sign that is wrong, any two that are exchanged and any two groups that are exchanged change it. Crockford's own
/// check sign would need five more letters, and these mean something to a shell.
fn check_sign(group: usize, carrying: &[u8]) -> u8 {
    let number = u8::try_from(group + 1).expect("a code has ten groups");
    carrying
        .iter()
        .chain([&number])
        .fold((0, 2), |(sum, power), sign| (sum ^ times(power, *sign), times(power, 2)))
        .0
}

/// Multiplication modulo x^5 + x^2 + 1.
fn times(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..5 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a = if a & 0x10 == 0 { a << 1 } else { (a << 1 ^ 0x25) & 0x1F };
    }
    product
}

/// A code's secret, as it travels: hexadecimal. Never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// What is kept of it.
    pub fn digest(&self) -> Vec<u8> {
        digest(&SHA256, self.0.as_bytes()).as_ref().to_vec()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a device sends with its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The code's secret.
    pub secret: Secret,
    /// PKCS#10 in DER, base64: it shows that the device has the key. Whose name stands in it is of no importance.
    pub request: String,
}

/// What a device that was invited gets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The common name that the code was made for.
    pub name: String,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The site's authority, PEM.
    pub authority: String,
    /// The broker's name or address.
    pub broker: String,
    /// Its port.
    pub port: u16,
    /// The site's name.
    pub site: String,
    /// For a controller: the site's key for credential digests, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_key: Option<String>,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("name", &self.name).field("site", &self.site).finish_non_exhaustive()
    }
}

/// A device asks for a new certificate, under the one it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// PKCS#10 in DER, base64, for a new key.
    pub request: String,
}

/// The answer. It is for the key that the certificate is for; an old answer is for an old key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// The certificate, PEM; absent when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Why not. Absent with a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// Why no certificate was issued. Grows only at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The request is none, or for a kind of key that is not taken.
    Request,
    /// The device's certificate was revoked.
    Revoked,
    /// It was given one a short while ago.
    TooSoon,
    /// The server has not the authority's key.
    NoAuthority,
}
