//! Colours that can be read on the red of errors, in Jupyter's light and dark themes.

/// The text with bold in place of yellow and cyan, which are hardly seen on light red.
pub fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str("\u{1b}[");
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(part.len());
        let (numbers, rest) = part.split_at(end);
        match rest.starts_with('m') {
            true => out.push_str(&numbers.split(';').map(plain).collect::<Vec<_>>().join(";")),
            false => out.push_str(numbers),
        }
        out.push_str(rest);
    }
    out
}

/// A number of a sequence of colours.
fn plain(number: &str) -> &str {
    if ["33", "36", "93", "96"].contains(&number) { "1" } else { number }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn yellow_and_cyan_are_bold_and_the_rest_stays() {
        let bold = "\u{1b}[1mwarning\u{1b}[0m: x";
        assert_eq!(readable("\u{1b}[33mwarning\u{1b}[0m: x"), bold);
        assert_eq!(readable("\u{1b}[1;36ma\u{1b}[0m 36m [33m"), "\u{1b}[1;1ma\u{1b}[0m 36m [33m");
        for text in ["", "plain", "\u{1b}[31mred\u{1b}[0m", "\u{1b}[", "\u{1b}[33", "\u{1b}[33K"] {
            assert_eq!(readable(text), text);
        }
    }
}
