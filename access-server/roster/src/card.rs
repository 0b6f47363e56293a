//! How cards are written in a list. The same digits mean different cards on different readers, so the page shows what was
//! supposed and lets it be set by hand.

use people::credential::Card;
use people::words;

use crate::table::{Cell, Table};

/// How a card is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardForm {
    /// `26:0A1B2C40`: the bits as the reader sends them.
    Raw,
    /// Facility and number of the open 26-bit format: `069,12345` in one column, or in two.
    FacilityNumber,
    /// The ten or eight digits of the open 26-bit format as one number: 24 bits in decimal, as `0004531234`.
    Decimal26,
    /// Eight digits, three of the facility and five of the number, written together: `06912345`.
    Joined26,
    /// A serial number of 32 bits in decimal, sent as 34 bits.
    Decimal34,
    /// A serial number of 32 bits in eight hexadecimal digits, sent as 34 bits.
    Hex34,
    /// The same, its bytes written in the other order.
    Hex34Reversed,
}

words!(CardForm {
    Raw = "raw",
    FacilityNumber = "facility-number",
    Decimal26 = "decimal-26",
    Joined26 = "joined-26",
    Decimal34 = "decimal-34",
    Hex34 = "hex-34",
    Hex34Reversed = "hex-34-reversed",
});

/// Why a text is no card. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardFault {
    /// It is not written in the form that was said.
    Form,
    /// The number is larger than the form has room for.
    Range,
    /// A spreadsheet has already changed it: `1.2E+10`, or a number of more than fifteen digits.
    Rounded,
    /// The facility code stands in no column.
    NoFacility,
}

impl CardFault {
    /// The stable kind.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Form => "card-form",
            Self::Range => "card-range",
            Self::Rounded => "rounded",
            Self::NoFacility => "card-no-facility",
        }
    }
}

/// How many values the form is guessed from.
const LOOKED_AT: usize = 200;

impl CardForm {
    /// What a column's values look like.
    #[must_use]
    pub fn guess(table: &Table, card: usize, has_facility: bool) -> Self {
        if has_facility {
            return Self::FacilityNumber;
        }
        let values: Vec<String> = table
            .rows
            .iter()
            .map(|row| row.cell(card).shown())
            .filter(|text| !text.is_empty())
            .take(LOOKED_AT)
            .collect();
        let any = |is: fn(&str) -> bool| values.iter().any(|value| is(value));
        let all = |is: fn(&str) -> bool| values.iter().all(|value| is(value));
        if any(|text| text.contains(':')) {
            Self::Raw
        } else if any(|text| text.contains([',', '，', '-', '/'])) {
            Self::FacilityNumber
        } else if any(|text| text.bytes().any(|byte| byte.is_ascii_alphabetic())) {
            Self::Hex34
        } else if all(|text| text.parse::<u64>().is_ok_and(|number| number <= 0xff_ffff)) {
            Self::Decimal26
        } else {
            Self::Decimal34
        }
    }

    /// Reads a card.
    ///
    /// # Errors
    /// Why it is none in this form.
    pub fn read(self, card: &Cell, facility: Option<&Cell>) -> Result<Card, CardFault> {
        let text = digits(card)?;
        let text = text.as_str();
        match self {
            Self::Raw => Card::parse(text).map_err(|_| CardFault::Form),
            Self::FacilityNumber => match facility {
                Some(Cell::Empty) => Err(CardFault::NoFacility),
                Some(facility) => pair(&digits(facility)?, text),
                None => {
                    let (facility, number) =
                        text.split_once([',', '，', '-', '/']).ok_or(CardFault::NoFacility)?;
                    pair(facility, number)
                }
            },
            Self::Decimal26 => {
                let number = decimal(text, 0xff_ffff)?;
                Ok(wiegand26(number))
            }
            Self::Joined26 => {
                let at = text.len().checked_sub(5).filter(|_| text.is_ascii()).ok_or(CardFault::Form)?;
                pair(&text[..at], &text[at..])
            }
            Self::Decimal34 => Ok(Card::wiegand34(decimal(text, u32::MAX)?)),
            Self::Hex34 => Ok(Card::wiegand34(hex(text)?)),
            Self::Hex34Reversed => Ok(Card::wiegand34(hex(text)?.swap_bytes())),
        }
    }
}

/// What stands there, when a spreadsheet left it whole.
fn digits(cell: &Cell) -> Result<String, CardFault> {
    match cell {
        Cell::Number(number) if number.fract() != 0.0 || !(0.0..1e15).contains(number) => {
            Err(CardFault::Rounded)
        }
        Cell::Text(text) if is_rounded(text) => Err(CardFault::Rounded),
        Cell::Text(_) | Cell::Number(_) => {
            Ok(cell.shown().chars().filter(|letter| !letter.is_whitespace()).collect())
        }
        Cell::Empty | Cell::Day(_) | Cell::Error => Err(CardFault::Form),
    }
}

/// `1.2E+10`: what Excel makes of a long number that was saved as text.
pub(crate) fn is_rounded(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else { return false };
    exponent.starts_with('+')
        && exponent[1..].bytes().all(|byte| byte.is_ascii_digit())
        && mantissa.parse::<f64>().is_ok()
}

fn decimal(text: &str, most: u32) -> Result<u32, CardFault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CardFault::Form);
    }
    let number: u64 = text.parse().map_err(|_| CardFault::Range)?;
    u32::try_from(number).ok().filter(|number| *number <= most).ok_or(CardFault::Range)
}

fn hex(text: &str) -> Result<u32, CardFault> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(CardFault::Form);
    }
    u32::from_str_radix(text, 16).map_err(|_| CardFault::Form)
}

fn pair(facility: &str, number: &str) -> Result<Card, CardFault> {
    let facility = decimal(facility, u32::from(u8::MAX))?;
    let number = decimal(number, u32::from(u16::MAX))?;
    Ok(wiegand26(facility << 16 | number))
}

/// Of 24 bits: facility and number.
fn wiegand26(number: u32) -> Card {
    let [_, facility, high, low] = number.to_be_bytes();
    Card::wiegand26(facility, u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: CardForm, text: &str) -> Result<Card, CardFault> {
        form.read(&Cell::text(text), None)
    }

    #[test]
    fn one_card_is_the_same_however_it_is_written() {
        let card = Card::wiegand26(69, 9570);
        for (form, text) in [
            (CardForm::FacilityNumber, "069,09570"),
            (CardForm::FacilityNumber, "69，9570"),
            (CardForm::Decimal26, "0004531554"),
            (CardForm::Joined26, "06909570"),
        ] {
            assert_eq!(read(form, text), Ok(card.clone()), "{form:?}");
        }
        let apart = CardForm::FacilityNumber.read(&Cell::Number(9570.0), Some(&Cell::text("69")));
        assert_eq!(apart, Ok(card));
        assert_eq!(read(CardForm::Hex34, "1A2B3C4D"), read(CardForm::Decimal34, "439041101"));
        assert_eq!(read(CardForm::Hex34Reversed, "4D3C2B1A"), read(CardForm::Hex34, "1a2b3c4d"));
    }

    #[test]
    fn what_a_spreadsheet_rounded_is_no_card() {
        for text in ["1.2E+10", "1.23457E+11", "4E+9"] {
            assert_eq!(read(CardForm::Decimal34, text), Err(CardFault::Rounded), "{text}");
        }
        let long = CardForm::Decimal34.read(&Cell::Number(1.234_567_890_123_456e18), None);
        assert_eq!(long, Err(CardFault::Rounded));
        assert_eq!(CardForm::Decimal34.read(&Cell::Number(12.5), None), Err(CardFault::Rounded));
        assert!(read(CardForm::Hex34, "12345E10").is_ok(), "hexadecimal digits are no power of ten");
    }

    #[test]
    fn what_does_not_fit_is_refused_by_kind() {
        assert_eq!(read(CardForm::FacilityNumber, "256,1"), Err(CardFault::Range));
        assert_eq!(read(CardForm::FacilityNumber, "123456"), Err(CardFault::NoFacility));
        assert_eq!(read(CardForm::Decimal26, "16777216"), Err(CardFault::Range));
        assert_eq!(read(CardForm::Decimal34, "99999999999999999999999"), Err(CardFault::Range));
        assert_eq!(read(CardForm::Decimal34, "12a"), Err(CardFault::Form));
        assert_eq!(read(CardForm::Joined26, "卡片一二三"), Err(CardFault::Form));
        assert_eq!(read(CardForm::Raw, "0004531554"), Err(CardFault::Form));
    }
}
