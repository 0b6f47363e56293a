//! What a person is looked for by: parts of a name, number or department, the name in pinyin, its initials. Pure.

use pinyin::{ToPinyin as _, ToPinyinMulti as _};

use crate::person::Particulars;

/// Readings of one name at most: most characters have one, some have several.
const READINGS: usize = 16;
/// Words of one question at most; further ones are not looked for.
pub(crate) const WORDS: usize = 4;

/// The texts in which a question's words are looked for, one a line, in lower case.
pub(crate) fn sought(person: &Particulars) -> String {
    let mut lines = vec![
        person.name.to_lowercase(),
        person.latin.to_lowercase(),
        person.number.to_lowercase(),
        person.department.to_lowercase(),
    ];
    let readings = readings(&person.name);
    if !readings.is_empty() {
        lines.extend(readings.iter().map(|reading| reading.concat()));
        lines.extend(readings.iter().map(|reading| initials(reading)));
    }
    lines.retain(|line| !line.is_empty());
    lines.sort();
    lines.dedup();
    lines.join("\n")
}

/// The place in a list by name: pinyin for Chinese characters, the letters themselves for others.
pub(crate) fn sort(person: &Particulars) -> String {
    person.name.chars().fold(String::new(), |mut sort, letter| {
        match letter.to_pinyin() {
            // A space after each: Li An stands before Lian.
            Some(reading) => sort.extend([typed(reading.plain()).as_str(), " "]),
            None => sort.extend(letter.to_lowercase()),
        }
        sort
    })
}

/// A question's words, as patterns for `LIKE`; those not asked for find everything.
pub(crate) fn patterns(question: &str) -> [String; WORDS] {
    let mut patterns = [const { String::new() }; WORDS];
    let question = question.to_lowercase();
    let mut words = question.split_whitespace();
    for pattern in &mut patterns {
        *pattern = format!("%{}%", escaped(words.next().unwrap_or_default()));
    }
    patterns
}

/// Every way to read a name, a syllable a character; nothing for a name without Chinese characters.
fn readings(name: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for letter in name.chars() {
        let Some(multi) = letter.to_pinyin_multi() else { continue };
        let mut syllables: Vec<String> = multi.into_iter().map(|it| typed(it.plain())).collect();
        syllables.sort();
        syllables.dedup();
        if all.len() * syllables.len() > READINGS {
            syllables.truncate(1);
        }
        all = all
            .iter()
            .flat_map(|before: &Vec<String>| {
                syllables.iter().map(move |next| before.iter().cloned().chain([next.clone()]).collect())
            })
            .collect();
    }
    all.retain(|reading| !reading.is_empty());
    all
}

fn initials(reading: &[String]) -> String {
    reading.iter().filter_map(|syllable| syllable.chars().next()).collect()
}

/// As it is typed: `lv` for 吕.
fn typed(plain: &str) -> String {
    plain.replace('ü', "v")
}

fn escaped(word: &str) -> String {
    word.chars()
        .flat_map(|letter| matches!(letter, '%' | '_' | '\\').then_some('\\').into_iter().chain([letter]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(name: &str) -> Vec<String> {
        sought(&Particulars::named("x", name)).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_chinese_name_is_found_by_pinyin_and_initials() {
        let found = lines("林晓雨");
        for line in ["林晓雨", "linxiaoyu", "lxy"] {
            assert!(found.contains(&line.to_owned()), "{found:?}");
        }
        assert!(lines("吕布").contains(&"lvbu".to_owned()));
    }

    #[test]
    fn every_reading_of_a_name_finds_it_up_to_a_limit() {
        let found = lines("单雄信");
        assert!(found.contains(&"sxx".to_owned()) && found.contains(&"dxx".to_owned()), "{found:?}");
        assert!(lines(&"行长乐".repeat(20)).len() <= 2 * READINGS + 1);
    }

    #[test]
    fn a_name_in_letters_is_found_as_it_is() {
        assert_eq!(lines("Ada Lovelace"), ["ada lovelace"]);
    }

    #[test]
    fn a_list_by_name_goes_by_syllables() {
        let mut names = ["张三", "李安", "Bob", "连城", "阿宝"];
        names.sort_by_key(|name| sort(&Particulars::named("x", name)));
        assert_eq!(names, ["阿宝", "Bob", "李安", "连城", "张三"]);
    }

    #[test]
    fn a_question_is_words_and_nothing_in_it_is_a_wildcard() {
        assert_eq!(patterns(" 林  50% a_b "), ["%林%", "%50\\%%", "%a\\_b%", "%%"]);
        assert_eq!(patterns("a b c d e")[WORDS - 1], "%d%");
    }
}
