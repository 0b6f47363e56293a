use std::io::Write as _;

use encoding_rs::GB18030;
use jiff::civil::date;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Url, Workbook};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

fn shown(table: &Table) -> Vec<String> {
    table.rows.iter().map(|row| row.cells.iter().map(Cell::shown).collect::<Vec<_>>().join("|")).collect()
}

#[test]
fn a_list_is_the_same_in_every_encoding_and_with_every_separator() {
    let text = "工号,姓名,卡号\r\n0012,林晓雨,\"069,12345\"\r\n\r\n0013,\"O\"\"Neill\",\r\n";
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let gb = GB18030.encode(text).0.into_owned();
    for (upload, encoding) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        (format!("\u{feff}{text}").into_bytes(), "UTF-8"),
        (utf16, "UTF-16"),
        (gb, "gb18030"),
    ] {
        let read = table(&upload).unwrap();
        assert_eq!(read.form, Form::Text { encoding, separator: ',' });
        assert_eq!(read.heads, ["工号", "姓名", "卡号"]);
        assert_eq!(shown(&read), ["0012|林晓雨|069,12345", "0013|O\"Neill"]);
        assert_eq!(read.rows[1].line, 4, "an empty line is counted");
    }
    let old = table("工号,姓名\r1,a\r2,b\r".as_bytes()).unwrap();
    assert_eq!(old.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3], "as old Macs end lines");
    for (text, separator) in
        [("工号;姓名\n1;a,b\n", ';'), ("工号\t姓名\n1\ta;b\n", '\t'), ("sep=;\n工号;姓名\n1;a\n", ';')]
    {
        let read = table(text.as_bytes()).unwrap();
        assert_eq!(read.form, Form::Text { encoding: "UTF-8", separator });
        assert_eq!(read.rows.len(), 1, "{text}");
    }
}

#[test]
fn a_title_above_the_heads_is_passed_over() {
    let read = table("2026 年员工信息表\n\n工号,姓名\n1,林\n".as_bytes()).unwrap();
    assert_eq!((read.heads, read.rows[0].line), (vec!["工号".to_owned(), "姓名".to_owned()], 4));
}

#[test]
fn a_spreadsheet_gives_values_and_nothing_behind_them() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, head) in ["工号", "姓名", "有效期", "卡号"].into_iter().enumerate() {
        sheet.write(0, column as u16, head).unwrap();
    }
    let format = Format::new().set_num_format("yyyy-mm-dd");
    let day = ExcelDateTime::from_ymd(2026, 11, 27).unwrap();
    sheet.write(1, 0, 12).unwrap().write(1, 1, "林").unwrap();
    sheet.write_datetime_with_format(1, 2, &day, &format).unwrap().write(1, 3, 1.2e10).unwrap();
    sheet.write_formula(2, 1, Formula::new("=WEBSERVICE(\"http://192.0.2.1/\")").set_result("值")).unwrap();
    sheet.write_url(3, 1, Url::new("http://192.0.2.1/x").set_text("链接")).unwrap();
    book.add_worksheet().write(0, 0, "别的").unwrap();
    let read = table(&book.save_to_buffer().unwrap()).unwrap();
    assert_eq!(read.form, Form::Sheet { name: "Sheet1".to_owned(), of: 2 });
    assert_eq!(shown(&read), ["12|林|2026-11-27|12000000000", "|值", "|链接"]);
    assert_eq!(read.rows[0].cells[2], Cell::Day(date(2026, 11, 27)));
    assert_eq!(read.rows[0].cells[0], Cell::Number(12.0));
}

#[test]
fn a_value_at_the_far_corner_takes_no_room() {
    let mut book = Workbook::new();
    book.add_worksheet().write(0, 0, "姓名").unwrap().write(1_048_575, 16_383, "x").unwrap();
    assert_eq!(table(&book.save_to_buffer().unwrap()), Err(ReadError::TooManyColumns(1_048_576)));
}

/// Sixteen megabytes of zeros in each of some parts: a hundred kilobytes to upload.
fn bomb(parts: usize) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    zip.start_file("[Content_Types].xml", options).unwrap();
    zip.write_all(b"<Types/>").unwrap();
    let zeros = vec![b' '; 16 << 20];
    for part in 0..parts {
        zip.start_file(format!("xl/{part}.xml"), options).unwrap();
        zip.write_all(&zeros).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn what_unpacks_without_measure_is_refused_before_it_is_looked_at() {
    let bomb = bomb(17);
    assert!(bomb.len() < 1 << 20, "it is small to upload");
    assert_eq!(table(&bomb), Err(ReadError::TooLarge));
}

#[test]
fn what_is_no_table_is_refused_by_what_it_is() {
    assert_eq!(table(b""), Err(ReadError::Empty));
    assert_eq!(table("工号,姓名\n".as_bytes()), Err(ReadError::Empty));
    assert_eq!(table(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1]), Err(ReadError::OldSheet));
    assert_eq!(table(b"PK\x03\x04 and no more"), Err(ReadError::Damaged));
    assert_eq!(table(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Err(ReadError::Unknown));
    assert_eq!(table(&[b'a', 0xff, 0xff, b'\n']), Err(ReadError::Encoding));
    let wide = format!("{}\nx\n", ["姓名"; COLUMNS_MAX + 1].join(","));
    assert_eq!(table(wide.as_bytes()), Err(ReadError::TooManyColumns(1)));
    let long = format!("工号,姓名\n1,{}\n", "x".repeat(CELL_MAX + 1));
    assert_eq!(table(long.as_bytes()), Err(ReadError::TooLong(2)));
    let many = format!("工号,姓名\n{}", "1,x\n".repeat(ROWS_MAX + 1));
    assert_eq!(table(many.as_bytes()), Err(ReadError::TooManyRows));
}

proptest::proptest! {
    /// Whatever is uploaded, there is an answer.
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), sheet: bool) {
        let mut upload = if sheet { b"PK\x03\x04".to_vec() } else { Vec::new() };
        upload.extend(bytes);
        let _ = table(&upload);
    }
}
