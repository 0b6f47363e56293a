//! What is on a card, typed on a keypad or in a code: parsed, digested, never kept.

use std::fmt;

use domain::ids::PersonId;
use domain::request::{BoardEntry, CredentialDigest, CredentialKind};
use ring::{digest, hmac};

/// The most bits a card may have: longer than any format in use, short enough for one reader message.
pub const CARD_BITS_MAX: u16 = 1024;
/// The longest code, in bytes: a QR code of version 25.
pub const QR_MAX: usize = 1024;
/// Longer cards cannot be on a board's list: its readers do not read them.
const BOARD_BITS_MAX: u16 = 64;
/// What the salt of boards' lists is derived from the credential key with.
const LIST_SALT: &[u8] = b"gatehouse board list salt";

/// The raw bits of a card, as a reader reports them.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    bits: u16,
    bytes: Vec<u8>,
}

/// 4 to 8 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

/// The bytes of a code.
#[derive(Clone, PartialEq, Eq)]
pub struct Qr(Vec<u8>);

/// A credential in clear, on its way to a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Secret {
    Card(Card),
    Pin(Pin),
    Qr(Qr),
}

/// Why a text is not a credential. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not `bits:hexadecimal`.
    #[error("a card is written as BITS:HEX, as 26:0A1B2C40, the bits left-aligned")]
    CardForm,
    /// No bits, or too many.
    #[error("a card has 1 to {CARD_BITS_MAX} bits")]
    CardBits,
    /// More or fewer hexadecimal digits than the bits need, or bits set behind the last one.
    #[error("the hexadecimal digits are not as long as the bits, padded with zeros at the end")]
    CardLength,
    /// Not 4 to 8 digits.
    #[error("a PIN has 4 to 8 digits")]
    Pin,
    /// Empty or too long.
    #[error("a code has 1 to {QR_MAX} bytes")]
    Qr,
}

impl Card {
    /// From raw bits, most significant first, left-aligned, padded with zeros to whole bytes.
    ///
    /// # Errors
    /// When the bytes are not as long as the bits need, or something is set in the padding.
    pub fn raw(bits: u16, bytes: &[u8]) -> Result<Self, SecretError> {
        if bits == 0 || bits > CARD_BITS_MAX {
            return Err(SecretError::CardBits);
        }
        let padding = bytes.len() * 8 - usize::from(bits).min(bytes.len() * 8);
        let tail = bytes.last().copied().unwrap_or(0);
        if bytes.len() != usize::from(bits).div_ceil(8) || tail & ((1_u16 << padding) - 1) as u8 != 0 {
            return Err(SecretError::CardLength);
        }
        Ok(Self { bits, bytes: bytes.to_vec() })
    }

    /// The 26 bits of the open Wiegand format (H10301): even parity over the first twelve, facility, number, odd parity
    /// over the last twelve.
    #[must_use]
    pub fn wiegand26(facility: u8, number: u16) -> Self {
        let data = u32::from(facility) << 16 | u32::from(number);
        let even = (data >> 12).count_ones() & 1;
        let odd = !(data & 0xfff).count_ones() & 1;
        let frame = even << 25 | data << 1 | odd;
        Self { bits: 26, bytes: (frame << 6).to_be_bytes().to_vec() }
    }

    /// The 34 bits that readers of 32-bit serial numbers send: even parity over the first sixteen, the number, odd parity
    /// over the last sixteen.
    #[must_use]
    pub fn wiegand34(number: u32) -> Self {
        let even = u64::from((number >> 16).count_ones() & 1);
        let odd = u64::from(!(number & 0xffff).count_ones() & 1);
        let frame = even << 33 | u64::from(number) << 1 | odd;
        Self { bits: 34, bytes: (frame << 30).to_be_bytes()[..5].to_vec() }
    }

    /// Reads `BITS:HEX`.
    ///
    /// # Errors
    /// Says how it is written.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let (bits, hex) = text.trim().split_once(':').ok_or(SecretError::CardForm)?;
        let bits = bits.parse().map_err(|_| SecretError::CardForm)?;
        if hex.len() % 2 != 0 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(SecretError::CardForm);
        }
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| SecretError::CardForm);
        let bytes = (0..hex.len()).step_by(2).map(byte).collect::<Result<Vec<_>, _>>()?;
        Self::raw(bits, &bytes)
    }
}

impl Pin {
    /// Reads 4 to 8 ASCII digits.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let good = (4..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if good { Ok(Self(text.to_owned())) } else { Err(SecretError::Pin) }
    }
}

impl Qr {
    /// The bytes a code holds.
    ///
    /// # Errors
    /// When there are none or too many.
    pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.is_empty() || bytes.len() > QR_MAX { Err(SecretError::Qr) } else { Ok(Self(bytes.to_vec())) }
    }
}

impl Secret {
    /// Reads what somebody typed: a card as `BITS:HEX`, a PIN's digits, a code's text.
    ///
    /// # Errors
    /// Says how it is written.
    pub fn parse(kind: CredentialKind, text: &str) -> Result<Self, SecretError> {
        match kind {
            CredentialKind::Card => Card::parse(text).map(Self::Card),
            CredentialKind::Pin => Pin::parse(text).map(Self::Pin),
            CredentialKind::Qr => Qr::new(text.as_bytes()).map(Self::Qr),
        }
    }

    /// Card, PIN or QR.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::Card(_) => CredentialKind::Card,
            Self::Pin(_) => CredentialKind::Pin,
            Self::Qr(_) => CredentialKind::Qr,
        }
    }

    /// HMAC-SHA256 under the site's credential key over the kind's byte and the canonical payload: of a card its bits
    /// as two bytes and then the bits; of a PIN the person as eight bytes and then the digits; of a code its bytes.
    /// A controller makes the same digest of what is presented.
    #[must_use]
    pub fn digest(&self, key: &[u8; 32], person: PersonId) -> CredentialDigest {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let mut context = hmac::Context::with_key(&key);
        match self {
            Self::Card(card) => {
                context.update(&[1]);
                context.update(&card.bits.to_be_bytes());
                context.update(&card.bytes);
            }
            Self::Pin(pin) => {
                context.update(&[2]);
                context.update(&person.0.to_be_bytes());
                context.update(pin.0.as_bytes());
            }
            Self::Qr(qr) => {
                context.update(&[3]);
                context.update(&qr.0);
            }
        }
        CredentialDigest(context.sign().as_ref().try_into().expect("HMAC-SHA256 has 32 bytes"))
    }

    /// A card's entry on the lists that boards open by while they are alone: the first eight bytes of SHA-256 over the
    /// site's list salt, the byte 1, the bits as two bytes and the bits. The salt is the first sixteen bytes of an
    /// HMAC-SHA256 under the credential key; controllers derive the same. `None` of what no board reads.
    #[must_use]
    pub fn board_entry(&self, key: &[u8; 32]) -> Option<BoardEntry> {
        let card = match self {
            Self::Card(card) if card.bits <= BOARD_BITS_MAX => card,
            Self::Card(_) | Self::Pin(_) | Self::Qr(_) => return None,
        };
        let salt = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), LIST_SALT);
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&salt.as_ref()[..16]);
        context.update(&[1]);
        context.update(&card.bits.to_be_bytes());
        context.update(&card.bytes);
        Some(BoardEntry(context.finish().as_ref()[..8].try_into().expect("eight bytes")))
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({} bits)", self.bits)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Qr(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_its_bits_and_nothing_behind_them() {
        assert_eq!(Card::parse("26:00c80040").unwrap().bytes, [0x00, 0xc8, 0x00, 0x40]);
        assert_eq!(Card::parse("26:00c80041"), Err(SecretError::CardLength));
        assert_eq!(Card::parse("26:00c800"), Err(SecretError::CardLength));
        assert_eq!(Card::parse("32:00c80041").unwrap().bits, 32);
        assert_eq!(Card::parse("0:"), Err(SecretError::CardBits));
        assert_eq!(Card::parse("26:xy"), Err(SecretError::CardForm));
        assert_eq!(Card::parse("nonsense"), Err(SecretError::CardForm));
    }

    #[test]
    fn wiegand_26_has_even_parity_before_and_odd_behind() {
        for (facility, number) in [(0, 0), (1, 1), (100, 4021), (255, 65535), (12, 34567)] {
            let card = Card::wiegand26(facility, number);
            let frame = u32::from_be_bytes(card.bytes.clone().try_into().unwrap()) >> 6;
            assert_eq!((frame >> 13).count_ones() % 2, 0);
            assert_eq!((frame & 0x1fff).count_ones() % 2, 1);
            assert_eq!(frame >> 1 & 0xffffff, u32::from(facility) << 16 | u32::from(number));
            assert_eq!(Card::raw(card.bits, &card.bytes), Ok(card));
        }
    }

    #[test]
    fn wiegand_34_has_even_parity_before_and_odd_behind() {
        for number in [0, 1, 0x0001_0000, 0xffff_ffff, 0x1234_5678] {
            let card = Card::wiegand34(number);
            let mut bytes = [0; 8];
            bytes[..5].copy_from_slice(&card.bytes);
            let frame = u64::from_be_bytes(bytes) >> 30;
            assert_eq!((frame >> 17).count_ones() % 2, 0);
            assert_eq!((frame & 0x1_ffff).count_ones() % 2, 1);
            assert_eq!(frame >> 1 & 0xffff_ffff, u64::from(number));
            assert_eq!(Card::raw(card.bits, &card.bytes), Ok(card));
        }
    }

    /// Made with Python's `hmac`, so that controllers written by others can be checked against the same bytes.
    #[test]
    fn digests_are_frozen() {
        let key = [7; 32];
        let person = PersonId(5);
        let hex = |secret: Secret| -> String {
            secret.digest(&key, person).0.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let card = Secret::Card(Card::parse("26:00c80040").unwrap());
        assert_eq!(hex(card), "525f182dee09c5016e582fa247ed2c47259cecc93e399f8ec84d6bb41a20faa9");
        assert_eq!(
            hex(Secret::Pin(Pin::parse("1234").unwrap())),
            "acd6d53e4c0d9e33a0202c20f5d73aa4af21115263553ad2d3f5ecc090f802c5"
        );
        assert_eq!(
            hex(Secret::Qr(Qr::new(b"visit-1").unwrap())),
            "d6d2b66e3cb425ce9144ccef2b5592f28b96a14b5e4b9c26a2fe6ad38f55d2aa"
        );
    }

    /// Made with Python's `hmac` and `hashlib`.
    #[test]
    fn entries_on_boards_lists_are_frozen() {
        let card = Secret::Card(Card::parse("26:00c80040").unwrap());
        assert_eq!(
            card.board_entry(&[7; 32]),
            Some(BoardEntry([0x23, 0x32, 0xb0, 0x08, 0xdb, 0x04, 0x1a, 0x31]))
        );
        assert_ne!(card.board_entry(&[8; 32]), card.board_entry(&[7; 32]));
        assert_eq!(Secret::Pin(Pin::parse("1234").unwrap()).board_entry(&[7; 32]), None);
        let long = Card::raw(72, &[0x55; 9]).unwrap();
        assert_eq!(Secret::Card(long).board_entry(&[7; 32]), None);
    }

    #[test]
    fn a_pin_is_salted_by_its_person_and_a_card_is_not() {
        let pin = Secret::Pin(Pin::parse("1234").unwrap());
        assert_ne!(pin.digest(&[7; 32], PersonId(1)), pin.digest(&[7; 32], PersonId(2)));
        let card = Secret::Card(Card::wiegand26(1, 2));
        assert_eq!(card.digest(&[7; 32], PersonId(1)), card.digest(&[7; 32], PersonId(2)));
    }

    #[test]
    fn only_four_to_eight_digits_are_a_pin() {
        for bad in ["123", "123456789", "12a4", "", "١٢٣٤"] {
            assert_eq!(Pin::parse(bad), Err(SecretError::Pin));
        }
        assert!(Pin::parse("0000").is_ok() && Pin::parse("12345678").is_ok());
        assert_eq!(format!("{:?}", Pin::parse("1234")), "Ok(Pin(..))");
    }
}
