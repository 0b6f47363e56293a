//! What a text that people read may be made of: names, departments, what groups, doors and days are called.

/// The longest text, in bytes.
pub const TEXT_MAX: usize = 200;

/// Whether a text is one line as it seems to be: no control character, no other end of a line, nothing that turns the
/// direction of what is written after it. It may be empty.
///
/// # Errors
/// What is wrong, in a sentence's tail.
pub fn line(text: &str) -> Result<(), &'static str> {
    if text.len() > TEXT_MAX || text.chars().any(|letter| letter.is_control() || ends_a_line(letter)) {
        return Err("must be one line of at most 200 bytes");
    }
    if text.chars().any(turns) {
        return Err("must not turn the direction of writing");
    }
    Ok(())
}

/// Whether a text can be a name: a [`line`] in which something can be seen.
///
/// # Errors
/// What is wrong, in a sentence's tail.
pub fn name(text: &str) -> Result<(), &'static str> {
    if text.chars().all(|letter| letter.is_whitespace() || is_unseen(letter)) {
        return Err("must not be empty");
    }
    line(text)
}

/// Line and paragraph separators.
fn ends_a_line(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}')
}

/// Embeddings, overrides and isolates of the bidirectional algorithm (UAX #9).
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What takes no room or shows nothing: the default ignorable code points of Unicode (UAX #44) that a keyboard or a
/// font knows, and the empty Braille pattern.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || turns(letter)
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2060}'..='\u{2065}'
                | '\u{206a}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_with_something_to_see_in_it() {
        for good in ["Ada", "艾达", "د. آدا", "a\u{200d}b", "O'Neill-Šmíd 2"] {
            assert_eq!(name(good), Ok(()), "{good:?}");
        }
        for empty in ["", " ", "\u{3000}", "\u{200b}\u{200d}", "\u{feff} ", "\u{3164}", "\u{2800}", "\0"] {
            assert_eq!(name(empty), Err("must not be empty"), "{empty:?}");
        }
        for bad in ["a\0", "a\nb", "\u{1b}[31mA", "a\u{85}b", "a\u{2028}b", "a\u{2029}b", &"a".repeat(201)] {
            assert_eq!(name(bad), Err("must be one line of at most 200 bytes"), "{bad:?}");
        }
        for turned in "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars() {
            assert_eq!(name(&format!("gnp{turned}.exe")), Err("must not turn the direction of writing"));
        }
    }

    #[test]
    fn what_may_be_empty_is_a_line_too() {
        assert_eq!(line(""), Ok(()));
        assert!(line("a\u{202e}b").is_err() && line("a\tb").is_err());
    }
}
