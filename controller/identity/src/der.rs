//! Elements of DER (X.690), as far as certificates need them.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BITS: u8 = 0x03;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const OBJECT: u8 = 0x06;
pub(crate) const UTF8: u8 = 0x0C;
pub(crate) const PRINTABLE: u8 = 0x13;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(crate) const FIRST: u8 = 0xA0;

/// An element.
#[derive(Clone, Copy)]
pub(crate) struct Element<'d> {
    pub(crate) tag: u8,
    /// What it holds.
    pub(crate) held: &'d [u8],
    /// All of it, with its tag and length.
    pub(crate) whole: &'d [u8],
    /// What follows it.
    pub(crate) rest: &'d [u8],
}

/// The first element there.
pub(crate) fn any(der: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (held, rest) = rest.split_at_checked(length)?;
    Some(Element { tag, held, whole: &der[..der.len() - rest.len()], rest })
}

/// The first element there, if it is of this kind.
pub(crate) fn element(der: &[u8], tag: u8) -> Option<Element<'_>> {
    any(der).filter(|it| it.tag == tag)
}

/// What a bit string of whole bytes holds.
pub(crate) fn bits(der: &[u8]) -> Option<Element<'_>> {
    let it = element(der, BITS)?;
    let (0, held) = it.held.split_first().map(|(unused, held)| (*unused, held))? else { return None };
    Some(Element { held, ..it })
}

/// A time as X.509 writes it: UTC, microseconds. 9999-12-31 stands for "without end" and is the last that there is.
pub(crate) fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let it = any(der)?;
    let digits = std::str::from_utf8(it.held).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, digits) = match (it.tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year: i64 = digits[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let two = |at: usize| digits.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds * 1_000_000, it.rest))
}

/// Days since 1970-01-01 (Howard Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 2, 29), 11_016);
        assert_eq!(days(2026, 11, 28), 20_785);
        assert_eq!(days(9999, 12, 31), 2_932_896);
    }
}
