//! Spreadsheets (Office Open XML): the first sheet's values. Links, macros, formulas and further sheets are not looked at.

use std::io::{Cursor, Read as _, copy, sink};

use calamine::{Data, DataRef, ExcelDateTime, Reader as _, Xlsx};
use jiff::civil::{Date, DateTime};
use zip::ZipArchive;

use super::{PARTS_MAX, ReadError, Rows, UNPACKED_MAX};
use crate::table::{Cell, Form};

pub(super) fn read(upload: &[u8], rows: &mut Rows) -> Result<Form, ReadError> {
    measure(upload)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(upload)).map_err(|_| ReadError::Damaged)?;
    let names = book.sheet_names();
    let name = names.first().cloned().ok_or(ReadError::Unknown)?;
    // One by one: a single value at the far corner must not make a table of all that lies before it.
    let mut cells = book.worksheet_cells_reader(&name).map_err(|_| ReadError::Damaged)?;
    let mut last = 0;
    while let Some(cell) = cells.next_cell().map_err(|_| ReadError::Damaged)? {
        let (row, column) = cell.get_position();
        let line = row.checked_add(1).ok_or(ReadError::Damaged)?;
        let value = value(cell.get_value());
        if line < last {
            return Err(ReadError::Damaged);
        }
        last = line;
        rows.put(line, usize::try_from(column).map_err(|_| ReadError::Damaged)?, value)?;
    }
    Ok(Form::Sheet { name, of: names.len() })
}

/// Unpacks all of it into nothing, and counts: what the archive says of itself is not believed.
fn measure(upload: &[u8]) -> Result<(), ReadError> {
    let mut archive = ZipArchive::new(Cursor::new(upload)).map_err(|_| ReadError::Damaged)?;
    if archive.len() > PARTS_MAX {
        return Err(ReadError::TooLarge);
    }
    if archive.index_for_name("[Content_Types].xml").is_none() {
        return Err(ReadError::Unknown);
    }
    let mut left = UNPACKED_MAX;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|_| ReadError::Damaged)?;
        let unpacked = copy(&mut part.take(left + 1), &mut sink()).map_err(|_| ReadError::Damaged)?;
        left = left.checked_sub(unpacked).ok_or(ReadError::TooLarge)?;
    }
    Ok(())
}

fn value(value: &DataRef<'_>) -> Cell {
    match Data::from(value.clone()) {
        Data::Int(number) => Cell::Number(number as f64),
        Data::Float(number) => Cell::Number(number),
        Data::String(text) => Cell::text(&text),
        Data::Bool(true) => Cell::text("1"),
        Data::Bool(false) => Cell::text("0"),
        Data::DateTime(time) => day(time).map_or_else(|| Cell::Number(time.as_f64()), Cell::Day),
        Data::DateTimeIso(text) => {
            let time: Option<DateTime> = text.parse().ok();
            time.map_or_else(|| Cell::text(&text), |time| Cell::Day(time.date()))
        }
        Data::DurationIso(text) => Cell::text(&text),
        Data::Error(_) => Cell::Error,
        Data::Empty => Cell::Empty,
    }
}

fn day(time: ExcelDateTime) -> Option<Date> {
    if !time.is_datetime() {
        return None;
    }
    let (year, month, day, ..) = time.to_ymd_hms_milli();
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}
