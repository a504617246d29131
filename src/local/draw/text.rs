//! Text of unknown origin, made fit for a terminal.

use unicode_width::UnicodeWidthChar;

/// Makes a line of text out of anything: nothing in it moves the cursor, has
/// an effect on the terminal, or changes the direction of writing.
///
/// White space becomes single spaces, control characters become visible.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut marks = 0;
    for character in text.trim().chars() {
        let shown = match character {
            '\u{200c}' | '\u{200d}' => continue,
            space if space.is_whitespace() && clean.ends_with(' ') => continue,
            space if space.is_whitespace() => ' ',
            control @ '\0'..='\x1f' => picture(control),
            '\x7f' => '␡',
            format if is_format(format) => char::REPLACEMENT_CHARACTER,
            other => match other.width() {
                None => char::REPLACEMENT_CHARACTER,
                Some(0) if marks == MAX_MARKS => continue,
                Some(_) => other,
            },
        };
        marks = if width_of(shown) == 0 { marks + 1 } else { 0 };
        clean.push(shown);
    }
    clean
}

/// The number of columns that a clean text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// Cuts a clean text to a number of columns; what is cut ends in `…`.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let mut cut = String::new();
    let mut taken = 0;
    for character in text.chars() {
        taken += width_of(character);
        if taken > room {
            break;
        }
        cut.push(character);
    }
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

fn width_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// The picture that Unicode has for a control character, such as `␛`.
fn picture(control: char) -> char {
    char::from_u32(0x2400 + u32::from(control)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Characters without a shape that rearrange others, or hide.
fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// How many marks one character may have above and below.
const MAX_MARKS: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_could_harm() {
        for (text, shown) in [
            ("SELECT 1", "SELECT 1"),
            ("  SELECT *\n\t  FROM items\r\n", "SELECT * FROM items"),
            ("\x1b[2Jboo\x07\x7f", "␛[2Jboo␇␡"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\u{202e}b\u{200b}c", "a\u{fffd}b\u{fffd}c"),
            ("line\u{2028}line", "line line"),
            (
                "e\u{301}\u{301}\u{301}\u{301}\u{301}x",
                "e\u{301}\u{301}\u{301}x",
            ),
            ("日本語", "日本語"),
        ] {
            assert_eq!(clean(text), shown, "{text:?}");
        }
    }

    #[test]
    fn text_is_cut_by_columns() {
        for (text, columns, expected) in [
            ("items", 5, "items"),
            ("items", 4, "ite…"),
            ("it ems", 4, "it…"),
            ("items", 1, "…"),
            ("items", 0, ""),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
        ] {
            assert_eq!(cut(text, columns), expected, "{text} in {columns}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_clean_and_fits(text in any::<String>(), columns in 0..30_usize) {
            let clean = clean(&text);
            prop_assert!(!clean.chars().any(char::is_control));
            prop_assert!(width(&cut(&clean, columns)) <= columns);
        }
    }
}
