//! The words of the command line, before clap reads them.

use std::ffi::OsString;
use std::path::Path;

use clap::Command;
use cpsd::error::nearest;
use cpsd::script::tokens::is_word;

/// Options with which other languages evaluate a line of code.
const LINE: [&str; 4] = ["-e", "-c", "--eval", "--command"];

/// The first word that is neither an option of the whole program nor the value of one: the subcommand or a file.
pub fn first(program: &Command, words: &[OsString]) -> Option<usize> {
    let takes_value = |word: &str| {
        let name = word.strip_prefix("--");
        let options = || program.get_arguments().filter(|option| option.get_action().takes_values());
        name.is_some_and(|name| options().any(|option| option.get_long() == Some(name)))
    };
    let mut at = 1;
    while let Some(word) = words.get(at).map(|word| word.to_string_lossy()) {
        match &*word {
            "--" => return None,
            "-" => return Some(at),
            option if option.starts_with('-') => at += if takes_value(option) { 2 } else { 1 },
            _ => return Some(at),
        }
    }
    None
}

/// The place of the script's file among the words, if they run a script.
pub fn script_file(program: &Command, words: &[OsString]) -> Option<usize> {
    let at = first(program, words)?;
    if words[at] != "script" {
        return (!is_command(program, &words[at].to_string_lossy())).then_some(at);
    }
    let is_option = |word: &OsString| word != "-" && word.to_string_lossy().starts_with('-');
    (at + 1..words.len()).find(|i| !is_option(&words[*i]))
}

/// The words with `script` before a file that stands alone: `cpsd FILE` is `cpsd script FILE`, and `cpsd -` reads standard input.
///
/// Errors: a word that is neither a command nor a file, as a sentence with the nearest command; an option that evaluates code elsewhere.
pub fn with_script(program: &Command, mut words: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let at = first(program, &words);
    let mut options = words.iter().take(at.unwrap_or(words.len())).skip(1).take_while(|word| *word != "--");
    if let Some(option) = options.find_map(|word| evaluates(&word.to_string_lossy())) {
        return Err(format!("there is no option {option}; cpsd eval CODE evaluates a line of code"));
    }
    let Some(at) = at else { return Ok(words) };
    let word = words[at].to_string_lossy().into_owned();
    if is_command(program, &word) {
        return Ok(words);
    }
    let path = Path::new(&words[at]);
    if word == "-" || word.ends_with(".rhai") || (path.exists() && !path.is_dir()) {
        words.insert(at, "script".into());
        return Ok(words);
    }
    if word.split_once('=').is_some_and(|(key, _)| !key.is_empty() && key.chars().all(is_word)) {
        return Err(format!(
            "there is no command or file \"{word}\"; arguments follow a script: cpsd FILE.rhai {word}, or cpsd - {word} for \
             one on standard input"
        ));
    }
    let names = program.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name);
    Err(match nearest(&word, names) {
        Some(near) => format!("there is no command or file \"{word}\"; did you mean \"{near}\"?"),
        None => format!("there is no command or file \"{word}\"; cpsd --help lists the commands"),
    })
}

/// The option of [`LINE`] that a word is: alone, with its value (`--eval=1`, `-e1`), or behind the letter of another option (`-qe`).
fn evaluates(word: &str) -> Option<&'static str> {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    let letters = word.strip_prefix('-').unwrap_or_default().trim_start_matches('q');
    LINE.into_iter().find(|option| name == *option || option.len() == 2 && letters.starts_with(&option[1..]))
}

fn is_command(program: &Command, word: &str) -> bool {
    word == "help" || program.find_subcommand(word).is_some()
}
