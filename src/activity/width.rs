//! How many columns the terminals behind standard output and standard error have, and sentences folded to them.

use console::Term;

use super::sink;

/// Narrower terminals are taken to have so many columns.
const LEAST: usize = 30;

/// The longest line of documentation and of a value's text: longer ones are hard to read.
pub const LONGEST: usize = 100;

/// Columns of documentation: those of the terminal, [`LONGEST`] at most and without one.
pub fn of_text() -> usize {
    of_output().map_or(LONGEST, |columns| columns.min(LONGEST))
}

/// Columns of the terminal that standard output goes to; None for a pipe or a file.
pub fn of_output() -> Option<usize> {
    columns(&Term::stdout())
}

/// Columns of the terminal that standard error goes to; None for a pipe or a file.
pub fn of_errors() -> Option<usize> {
    columns(&Term::stderr())
}

fn columns(terminal: &Term) -> Option<usize> {
    if sink::is_set() {
        return None;
    }
    // A pseudo-terminal without a size has 0 columns.
    let (_, columns) = terminal.size_checked()?;
    (terminal.is_term() && columns > 0).then(|| usize::from(columns).max(LEAST))
}

/// A text with its lines broken at spaces where they are longer than `width`; further parts begin with `indent` spaces. Lines with
/// several blanks in a row, as those of a table, stay as they are.
pub fn folded(text: &str, width: usize, indent: usize) -> String {
    let hanging = " ".repeat(indent);
    let fold = |line: &str| -> String {
        let is_row = line.trim().contains("  ") || line.contains('\t');
        if is_row || textwrap::core::display_width(line) <= width {
            return line.to_string();
        }
        let own: String = line.chars().take_while(|c| *c == ' ').collect();
        let after = format!("{own}{hanging}");
        let options = textwrap::Options::new(width)
            .initial_indent(&own)
            .subsequent_indent(&after)
            .break_words(false)
            // A path is not broken at its hyphens.
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(line.trim_start(), options)
    };
    text.split('\n').map(fold).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_folded_and_rows_are_not() {
        assert_eq!(folded("one two three four", 9, 2), "one two\n  three\n  four");
        assert_eq!(folded("  one two three", 9, 2), "  one two\n    three");
        assert_eq!(folded("name     value   of a row", 9, 2), "name     value   of a row");
        assert_eq!(folded("a\nb c", 80, 2), "a\nb c");
        // Sequences of colours take no columns; a path is not broken.
        assert_eq!(folded("\u{1b}[36mone\u{1b}[0m two", 7, 2), "\u{1b}[36mone\u{1b}[0m two");
        assert_eq!(folded("in /a/very-long/path here", 8, 2), "in\n  /a/very-long/path\n  here");
    }
}
