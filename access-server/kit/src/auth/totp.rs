//! One-time passwords by the time of day (RFC 6238): HMAC-SHA-1, six digits, steps of 30 s, as every authenticator app
//! does it. Pure.

use ring::hmac;

use crate::clock::Micros;

/// Bytes of a secret: as long as the hash (RFC 4226, 4).
pub(super) const SECRET: usize = 20;
/// A code is good for so many seconds.
const STEP: i64 = 30;
/// And so many steps before and after, for clocks that differ and people who type slowly (RFC 6238, 5.2).
const EITHER_WAY: i64 = 1;
const DIGITS: u32 = 6;

/// The code of a step, as a number below a million.
fn code(secret: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let hash = hmac::sign(&key, &step.to_be_bytes());
    let hash = hash.as_ref();
    let at = usize::from(hash[hash.len() - 1] & 0x0f);
    let bytes = hash[at..at + 4].try_into().expect("the offset is below 16 and the hash has 20 bytes");
    (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 10_u32.pow(DIGITS)
}

/// The step whose code this is, of those that are good now.
pub(super) fn matching(secret: &[u8], typed: &str, now: Micros) -> Option<i64> {
    let typed: u32 = is_code(typed).then(|| typed.parse().ok())??;
    let step = now.div_euclid(1_000_000 * STEP);
    // All are computed, whichever it is: the time of the answer does not tell.
    let steps = step - EITHER_WAY..=step + EITHER_WAY;
    steps.fold(None, |found, step| if code(secret, step) == typed { Some(step) } else { found })
}

/// The code of this time, as it is typed: for tests, which have no phone.
#[cfg(feature = "testing")]
pub(super) fn written(secret: &[u8], at: Micros) -> String {
    format!("{:06}", code(secret, at.div_euclid(1_000_000 * STEP)))
}

/// Whether a text has the form of a code.
pub(super) fn is_code(typed: &str) -> bool {
    typed.len() == DIGITS as usize && typed.bytes().all(|byte| byte.is_ascii_digit())
}

/// A secret as people type it: base 32 (RFC 4648, 6).
pub(super) fn base32(secret: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for group in secret.chunks(5) {
        let mut bytes = [0; 8];
        bytes[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(bytes);
        let letters = (group.len() * 8).div_ceil(5);
        text.extend((0..letters).map(|at| char::from(LETTERS[(bits >> (35 - 5 * at) & 31) as usize])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, of whose eight digits these are the last six.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (seconds, expected) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(code(secret, seconds / 30), expected, "{seconds}");
            let typed = format!("{expected:06}");
            assert_eq!(matching(secret, &typed, seconds * 1_000_000), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_is_good_one_step_either_way() {
        let secret = [7; SECRET];
        let typed = format!("{:06}", code(&secret, 100));
        let at = |step: i64| matching(&secret, &typed, step * 30_000_000);
        assert_eq!(
            [at(98), at(99), at(100), at(101), at(102)],
            [None, Some(100), Some(100), Some(100), None]
        );
        for odd in ["", "12345", "1234567", "+12345", "１２３４５６", " 12345"] {
            assert_eq!(matching(&secret, odd, 0), None, "{odd:?}");
        }
    }

    /// RFC 4648, 10.
    #[test]
    fn secrets_are_written_as_the_standard_says() {
        let of = |text: &str| base32(text.as_bytes());
        assert_eq!(
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(of),
            ["", "MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"]
        );
    }
}
