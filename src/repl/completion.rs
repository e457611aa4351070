//! Completion: names in scope, members of receivers, option keys, names inside strings, files, commands.

use rustyline::Context;
use rustyline::completion::{Completer, FilenameCompleter, Pair};

use super::highlighting::KEYWORDS;
use super::input::{in_string, last_word};
use super::last_values::is_numbered;
use super::{commands, infer};
use crate::script::session::Session;
use crate::script::word::Word;
use crate::script::{docs, show, vocabulary};

/// The names of a session, taken anew before each line.
#[derive(Default)]
pub struct Names {
    /// The kind of each variable, of each field of a map (`data.train`) and of an array's first element (`models[]`).
    variables: Vec<(String, String)>,
    /// Signatures of the user's functions.
    functions: Vec<String>,
    files: FilenameCompleter,
}

impl Names {
    pub fn refresh(&mut self, session: &Session) {
        self.variables.clear();
        for name in session.variable_names() {
            if let Some(value) = session.scope.get(&name) {
                known(&mut self.variables, name, value, 2);
            }
        }
        self.functions = session.function_signatures();
    }

    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// After `p.`: the members of p's kind, the fields of a map, or the members of all kinds when its kind is not known.
    fn members(&self, receiver: &str) -> Vec<&str> {
        let kind = infer::kind(receiver, &self.variables);
        if let Some(kind) = kind.as_deref().and_then(vocabulary::find_kind) {
            return kind.members.iter().map(|m| m.name()).collect();
        }
        let name = last_word(receiver);
        let fields = self
            .variables
            .iter()
            .filter_map(|(path, _)| path.strip_prefix(name)?.strip_prefix('.'))
            .filter(|field| !field.contains(['.', '[']));
        let fields: Vec<&str> = fields.collect();
        if !fields.is_empty() {
            return fields;
        }
        vocabulary::kinds().iter().flat_map(|k| k.members).map(|m| m.name()).collect()
    }
}

/// Adds the kind of a value, and of the values inside it down to `depth`.
fn known(all: &mut Vec<(String, String)>, path: String, value: &rhai::Dynamic, depth: usize) {
    if depth > 0
        && let Ok(map) = value.as_map_ref()
    {
        map.iter().take(50).for_each(|(key, value)| known(all, format!("{path}.{key}"), value, depth - 1));
    }
    if depth > 0
        && let Ok(array) = value.as_array_ref()
        && let Some(first) = array.first()
    {
        known(all, format!("{path}[]"), first, depth - 1);
    }
    all.push((path, show::type_name(value)));
}

/// The names that a string may hold, by the text before its quote: `dataset("`, `backbone: "`, `import "`.
fn names_inside(before: &str) -> Vec<&'static str> {
    let head = before.trim_end_matches('"').trim_end();
    let word = last_word(head.trim_end_matches(['(', ':', ' ']));
    let call = head.ends_with('(');
    match (word, call) {
        ("dataset", true) => crate::images::DATASETS.iter().map(|d| d.name).collect(),
        ("recipe", true) => crate::training::recipes::names().collect(),
        ("model", true) | ("backbone" | "model", false) => {
            crate::models::backbones::BACKBONES.iter().map(|b| b.name).collect()
        }
        ("head", false) => crate::models::heads::HEADS.iter().map(|h| h.name).collect(),
        ("loss" | "distillation", false) => crate::losses::LOSSES.iter().map(|l| l.0).collect(),
        ("reading", false) => crate::training::recipes::Reading::ALL.iter().map(|r| r.name()).collect(),
        ("executor", false) => vec!["here", "slurm"],
        ("cluster", true) => vec!["slurm"],
        ("import", false) => crate::script::modules::embedded_names().collect(),
        _ => vec![],
    }
}

/// The innermost call around the cursor whose options map is open: `word(..., #{ here`.
fn open_options(before: &str) -> Option<&'static Word> {
    let map = before.rfind("#{")?;
    if before[map..].contains('}') {
        return None;
    }
    let (mut depth, head) = (0, &before[..map]);
    for (i, c) in head.char_indices().rev() {
        match c {
            ')' | ']' | '}' => depth += 1,
            '(' if depth == 0 => {
                return vocabulary::find(last_word(&head[..i]));
            }
            '(' | '[' | '{' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn pairs<'a>(names: impl IntoIterator<Item = &'a str>, prefix: &str) -> Vec<Pair> {
    let mut all: Vec<&str> = names.into_iter().filter(|n| n.starts_with(prefix)).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|n| Pair { display: n.to_string(), replacement: n.to_string() }).collect()
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, ctx: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..pos];
        if let Some(rest) = before.strip_prefix('?') {
            return Ok((1, pairs(docs::names(), rest)));
        }
        if before.starts_with(':') && !before.contains(' ') {
            return Ok((0, pairs(commands::names(), before)));
        }
        if in_string(before) {
            let start = before.rfind('"').map_or(0, |quote| quote + 1);
            let named = pairs(names_inside(&before[..start]), &before[start..]);
            if !named.is_empty() {
                return Ok((start, named));
            }
            let (start, mut files) = self.files.complete(line, pos, ctx)?;
            // The editor writes names to the terminal as they are.
            files.retain(|file| {
                !file.display.contains(char::is_control) && !file.replacement.contains(char::is_control)
            });
            return Ok((start, files));
        }
        let word = last_word(before);
        let start = pos - word.len();
        if before[..start].ends_with('.') {
            return Ok((start, pairs(self.members(&before[..start - 1]), word)));
        }
        if let Some(options) = open_options(before).and_then(|w| w.options.as_ref())
            && before[..start].trim_end().ends_with(['{', ','])
        {
            let mut found = pairs((options.docs)().into_iter().map(|doc| doc.key), word);
            found.iter_mut().for_each(|p| p.replacement.push_str(": "));
            return Ok((start, found));
        }
        let names = vocabulary::words()
            .iter()
            .map(|w| w.name)
            .chain(KEYWORDS.iter().copied())
            .chain(
                self.variables.iter().map(|(n, _)| n.as_str()).filter(|n| !n.contains(['.', '[']) && !is_numbered(n)),
            )
            .chain(self.functions.iter().map(|f| f.split('(').next().unwrap_or(f)));
        Ok((start, pairs(names, word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_complete_to_the_names_that_fit() {
        assert!(names_inside("let d = dataset(\"").contains(&"coco2014"));
        assert!(names_inside("#{model: #{backbone: \"").contains(&"resnet18"));
        assert!(names_inside("import \"").contains(&"method"));
        assert_eq!(names_inside("train_teachers(data, p, #{epochs: 2, executor: \""), ["here", "slurm"]);
        assert!(names_inside("print(\"").is_empty());
    }

    #[test]
    fn option_keys_are_known_inside_an_open_map() {
        crate::primitives::install();
        assert_eq!(open_options("spectral_partition(a, f(2), #{se").map(|w| w.name), Some("spectral_partition"));
        assert!(open_options("spectral_partition(a, 2, #{seed: 1})").is_none());
    }
}
