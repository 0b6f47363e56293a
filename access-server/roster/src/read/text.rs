//! Separated values.

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use super::{ReadError, Rows};
use crate::table::{Cell, Form};

/// Bytes of the beginning that the separator is told by.
const LOOKED_AT: usize = 4096;

pub(super) fn read(upload: &[u8], rows: &mut Rows) -> Result<Form, ReadError> {
    let (encoding, text) = decode(upload)?;
    // What has zeros in it is no text that a spreadsheet wrote.
    if text.contains('\0') {
        return Err(ReadError::Unknown);
    }
    let (separator, text) = separator(&text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut lines = Lines { bytes: text.as_bytes(), at: 0, line: 1 };
    while reader.read_record(&mut record).map_err(|_| ReadError::Damaged)? {
        let begins = record.position().map_or(0, csv::Position::byte);
        let line = lines.of(usize::try_from(begins).map_err(|_| ReadError::TooLarge)?);
        for (column, value) in record.iter().enumerate() {
            rows.put(line, column, Cell::text(value))?;
        }
    }
    Ok(Form::Text { encoding: name(encoding), separator: char::from(separator) })
}

/// Which line a record begins at. The reader's own count is one short where lines end in two characters.
struct Lines<'t> {
    bytes: &'t [u8],
    at: usize,
    line: u32,
}

impl Lines<'_> {
    /// The line of the record that begins here, or behind the ends of lines that stand here; never called for one before.
    fn of(&mut self, begins: usize) -> u32 {
        while let Some(byte) = self.bytes.get(self.at) {
            let ends = match byte {
                b'\n' => true,
                b'\r' => self.bytes.get(self.at + 1) != Some(&b'\n'),
                _ => false,
            };
            if self.at >= begins && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u32::from(ends);
            self.at += 1;
        }
        self.line
    }
}

/// By its mark; without one UTF-8 where it is that, otherwise GB18030.
fn decode(upload: &[u8]) -> Result<(&'static Encoding, String), ReadError> {
    let (encoding, rest) = match Encoding::for_bom(upload) {
        Some((encoding, mark)) => (encoding, &upload[mark..]),
        None if std::str::from_utf8(upload).is_ok() => (UTF_8, upload),
        None => (GB18030, upload),
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(rest);
    text.map(|text| (encoding, text.into_owned())).ok_or(ReadError::Encoding)
}

fn name(encoding: &'static Encoding) -> &'static str {
    match encoding {
        it if it == UTF_16LE || it == UTF_16BE => "UTF-16",
        it => it.name(),
    }
}

/// What stands most often outside quotation marks at the beginning; `sep=;` as Excel writes it says it itself.
fn separator(text: &str) -> (u8, &str) {
    const ONES: [u8; 3] = *b",;\t";
    let first = text.lines().next().unwrap_or_default();
    if let Some(said) = first.strip_prefix("sep=")
        && let Some(one) = ONES.into_iter().find(|one| said.as_bytes() == [*one])
    {
        // The line stays where it is counted, and empty.
        return (one, &text[first.len()..]);
    }
    let mut counts = [0; 3];
    let mut quoted = false;
    for byte in text.bytes().take(LOOKED_AT) {
        quoted ^= byte == b'"';
        if let Some(at) = ONES.iter().position(|one| !quoted && *one == byte) {
            counts[at] += 1;
        }
    }
    let most = (0..ONES.len()).rev().max_by_key(|at| counts[*at]).unwrap_or(0);
    (ONES[most], text)
}
