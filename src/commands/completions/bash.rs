//! bash: its script, and the quotes and backslashes of its words.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use clap::Command;
use clap_complete::env::EnvCompleter;

use super::{VARIABLE, place};

/// The words that this program was called with, of which bash gives those of the line with their quotes and backslashes.
pub fn unquoted(given: &[OsString]) -> Vec<OsString> {
    if std::env::var_os(VARIABLE).is_none_or(|shell| shell != "bash") {
        return given.to_vec();
    }
    let line = given.iter().position(|word| word == "--").map_or(given.len(), |at| at + 1);
    let cursor = place().map(|at| line + at);
    let plain = |(i, word): (usize, &OsString)| match word.to_str() {
        Some(text) if i >= line => without_quotes(text, opened().filter(|_| cursor == Some(i))).into(),
        _ => word.clone(),
    };
    given.iter().enumerate().map(plain).collect()
}

/// The quote that the word at the cursor begins with, which bash keeps to itself.
fn opened() -> Option<char> {
    std::env::var("_CPSD_QUOTE").ok()?.chars().next().filter(|c| ['"', '\''].contains(c))
}

/// A word as the shell would give it to a program, where `quote` is open before it.
fn without_quotes(word: &str, mut quote: Option<char>) -> String {
    let mut out = String::new();
    let mut letters = word.chars().peekable();
    while let Some(c) = letters.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('\\', None) => out.extend(letters.next()),
            ('\\', Some('"')) => out.push(letters.next_if(|c| "\"\\$`".contains(*c)).unwrap_or(c)),
            _ => out.push(c),
        }
    }
    out
}

/// A candidate as it must stand in the line for the shell to read it as it is.
fn with_quotes(candidate: &str, quote: Option<char>) -> Cow<'_, str> {
    let special = match quote {
        Some('\'') => return candidate.replace('\'', "'\\''").into(),
        Some(_) => "\"\\$`",
        None => " \t\"\\$`'&;|()<>*?[]{}!#^",
    };
    if !candidate.contains(|c| special.contains(c)) {
        return candidate.into();
    }
    candidate.chars().flat_map(|c| special.contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// bash by clap_complete's script, with candidates that the shell takes as they are: not split, no patterns of files, with backslashes where
/// it would read something else.
pub struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        clap_complete::env::Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        clap_complete::env::Bash.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        script: &mut dyn Write,
    ) -> std::io::Result<()> {
        let mut text = Vec::new();
        clap_complete::env::Bash.write_registration(variable, name, program, completer, &mut text)?;
        // Unquoted, what a command prints would be split, and names with a * would become those of files.
        let text = String::from_utf8_lossy(&text)
            .replace(
                "    COMPREPLY=( $( \\\n",
                "    local answer code\n    answer=$( \\\n        _CPSD_QUOTE=\"${COMP_WORDS[COMP_CWORD]:0:1}\" \\\n",
            )
            .replace(
                "    ) )\n    if [[ $? != 0 ]]; then",
                "    )\n    code=$?\n    IFS=$'\\013\\n' read -r -d '' -a COMPREPLY <<< \"$answer\"\n    if [[ $code != 0 ]]; then",
            );
        write!(script, "{text}")
    }

    fn write_complete(
        &self,
        program: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        let mut text = Vec::new();
        clap_complete::env::Bash.write_complete(program, words, folder, &mut text)?;
        let text = String::from_utf8_lossy(&text);
        // clap_complete's script says what stands between candidates.
        let between = std::env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".into());
        // Nobody can type the name of a file with an end of a line in it.
        let all = text.split(&between).filter(|candidate| !candidate.contains(char::is_control));
        let all: Vec<_> = all.map(|candidate| with_quotes(candidate, opened())).collect();
        write!(out, "{}", all.join(&between))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_bash_lose_their_quotes_and_get_them_again() {
        for (quote, typed, plain) in [
            (None, r"my\ file", "my file"),
            (Some('"'), "my file", "my file"),
            (Some('\''), "my file", "my file"),
            (None, r"a\*\$\'b", "a*$'b"),
            (Some('"'), r#"a*\$'b\"\\"#, r#"a*$'b"\"#),
            (Some('\''), r#"a*$"\b"#, r#"a*$"\b"#),
            (None, "größe=1,2", "größe=1,2"),
            (None, "", ""),
        ] {
            assert_eq!(without_quotes(typed, quote), plain, "{typed}");
            assert_eq!(with_quotes(plain, quote), typed, "{plain}");
        }
        assert_eq!(without_quotes(r#""a b"'c d'\"#, None), "a bc d");
        assert_eq!(with_quotes("it's", Some('\'')), r"it'\''s");
    }
}
