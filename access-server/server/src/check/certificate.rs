//! From when until when a certificate is good: the one thing of X.509 that is read here (RFC 5280 4.1).

use std::path::Path;

use anyhow::Context;
use jiff::civil::date;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, the version, which may be absent.
const VERSION: u8 = 0xa0;

/// When the first certificate of a PEM file begins and ends to be good: UTC, microseconds.
///
/// # Errors
/// When there is none, or it is damaged.
pub(super) fn validity(path: &Path) -> anyhow::Result<(i64, i64)> {
    let certificate = CertificateDer::from_pem_file(path)
        .with_context(|| format!("{} is not a certificate in PEM form", path.display()))?;
    dates(&certificate).with_context(|| format!("{} is not a certificate", path.display()))
}

fn dates(certificate: &[u8]) -> Option<(i64, i64)> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = any(rest)?.2;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        rest = any(rest)?.2;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (from, validity) = time(validity)?;
    let (until, _) = time(validity)?;
    Some((from, until))
}

/// An element's kind, what it holds, and what follows it.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (held, rest) = rest.split_at_checked(length)?;
    Some((*kind, held, rest))
}

fn element(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (kind, held, rest) = any(bytes)?;
    (kind == wanted).then_some((held, rest))
}

/// `YYMMDDHHMMSSZ` (50 and above are of the last century) or `YYYYMMDDHHMMSSZ`.
fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (kind, held, rest) = any(bytes)?;
    let digits = std::str::from_utf8(held).ok()?.strip_suffix('Z')?;
    let (year, digits) = match (kind, digits.len()) {
        (UTC_TIME, 12) => {
            let year: i16 = digits[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let two = |at: usize| digits.get(at..at + 2)?.parse::<i8>().ok();
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    // 9999-12-31 stands for "without end", and is the last that can be said.
    let day = jiff::civil::Date::new(year, month, day).unwrap_or(date(9999, 12, 30)).min(date(9999, 12, 30));
    let at = day.to_datetime(jiff::civil::Time::new(hour, minute, second, 0).ok()?);
    Some((at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond(), rest))
}

#[cfg(test)]
mod tests {
    use kit::pki::{Authority, Holder};

    use super::*;

    const NOW: i64 = 1_772_438_400_000_000;
    const DAY: i64 = 86_400_000_000;

    #[test]
    fn the_dates_of_what_we_issue_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::create(folder.path(), NOW).expect("a new authority");
        let web = authority.issue(folder.path(), &Holder::Web, &[], NOW).expect("a new certificate");
        let (from, until) = validity(&web.certificate).expect("a certificate");
        assert_eq!(from, NOW - DAY);
        assert!((300 * DAY..900 * DAY).contains(&(until - NOW)), "{until}");
        let device = authority.issue(folder.path(), &Holder::Controller(1), &[], NOW).expect("another");
        assert_eq!(validity(&device.certificate).expect("a certificate").0, 0);
    }

    #[test]
    fn no_cut_certificate_is_read_and_none_panics() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Authority::create(folder.path(), NOW).expect("a new authority");
        let whole = CertificateDer::from_pem_file(folder.path().join("ca.pem")).expect("a certificate");
        for length in 0..whole.len() {
            assert_eq!(dates(&whole[..length]), None, "{length} bytes");
            let mut altered = whole.to_vec();
            altered[length] ^= 0x80;
            let _ = dates(&altered);
        }
    }
}
