//! Lists that leave the house: a spreadsheet of texts, and what is written into it.

use kit::Problem;
use rust_xlsxwriter::{Format, FormatAlign, Workbook, XlsxError};

/// Rows of one list at most, the heads apart.
pub const ROWS_MAX: usize = 100_000;

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// A name, a number.
    Usual,
    /// Several of them.
    Wide,
}

/// A spreadsheet under way. Every value is a text: no zero is lost, no long number rounded, and nothing is a formula.
pub struct Sheet {
    book: Workbook,
    text: Format,
    line: u32,
    /// The first thing that went wrong.
    failed: Option<XlsxError>,
}

impl Sheet {
    /// A sheet with its heads.
    #[must_use]
    pub fn new(name: &str, heads: &[(String, Width)]) -> Self {
        let text = Format::new().set_num_format("@");
        let mut sheet = Self { book: Workbook::new(), text, line: 0, failed: None };
        let head = Format::new().set_bold().set_align(FormatAlign::Left).set_background_color(0xE8_ED_F2);
        let text = sheet.text.clone();
        let page = sheet.book.add_worksheet();
        let written = (|| {
            // What a sheet's name may not hold is left out of it.
            let name: String =
                name.chars().filter(|letter| !"[]:*?/\\'".contains(*letter)).take(31).collect();
            page.set_name(if name.is_empty() { "Gatehouse" } else { &name })?;
            page.set_freeze_panes(1, 0)?;
            for (column, (words, width)) in (0_u16..).zip(heads) {
                page.set_column_format(column, &text)?;
                page.set_column_width(
                    column,
                    match width {
                        Width::Usual => 16,
                        Width::Wide => 36,
                    },
                )?;
                page.write_string_with_format(0, column, words, &head)?;
            }
            Ok(())
        })();
        sheet.failed = written.err();
        sheet
    }

    /// A row.
    pub fn row(&mut self, cells: &[impl AsRef<str>]) {
        self.line += 1;
        let (line, text) = (self.line, &self.text);
        let written = self.book.worksheet_from_index(0).and_then(|page| {
            for (column, cell) in (0_u16..).zip(cells) {
                page.write_string_with_format(line, column, cell.as_ref(), text)?;
            }
            Ok(())
        });
        if self.failed.is_none() {
            self.failed = written.err();
        }
    }

    /// The file.
    ///
    /// # Errors
    /// When something could not be written into it.
    pub fn finish(mut self) -> Result<Vec<u8>, Problem> {
        match self.failed {
            Some(error) => Err(Problem::internal(&error)),
            None => self.book.save_to_buffer().map_err(|error| Problem::internal(&error)),
        }
    }
}

impl std::fmt::Debug for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sheet").field("line", &self.line).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::table;
    use crate::table::Cell;

    #[test]
    fn what_is_written_is_read_again_as_text() {
        let heads = [("工号".to_owned(), Width::Usual), ("姓名".to_owned(), Width::Wide)];
        let mut sheet = Sheet::new("人员/列表", &heads);
        sheet.row(&["0012", "=1+1"]);
        let read = table(&sheet.finish().unwrap()).unwrap();
        assert_eq!(read.heads, ["工号", "姓名"]);
        assert_eq!(read.rows[0].cells, [Cell::text("0012"), Cell::text("=1+1")]);
    }
}
