//! What tables that leave the house have in common.

/// Spreadsheets read UTF-8 when the file says so.
pub(crate) const MARK: &str = "\u{feff}";
/// The media type of a spreadsheet.
pub(crate) const SHEET: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A line of comma-separated values (RFC 4180). A cell that a spreadsheet would take for a formula begins with an
/// apostrophe.
pub(crate) fn line(cells: &[String]) -> String {
    let written: Vec<String> = cells
        .iter()
        .map(|cell| {
            let formula = cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']);
            let cell = cell.replace('"', "\"\"");
            if formula { format!("\"'{cell}\"") } else { format!("\"{cell}\"") }
        })
        .collect();
    format!("{}\r\n", written.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_ends_where_it_ends() {
        let cells = ["=1+1", "a \"b\", c", "@x", "-2", "林"].map(str::to_owned);
        assert_eq!(line(&cells), "\"'=1+1\",\"a \"\"b\"\", c\",\"'@x\",\"'-2\",\"林\"\r\n");
    }
}
