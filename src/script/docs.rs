//! The documentation of words, kinds and libraries as text, for `cpsd doc` and `?word`.

use colored::Colorize;

use super::executor_docs::executor_text;
use super::head_docs::head_text;
use super::head_docs::heads_text;
use super::kind::Kind;
use super::modules::STDLIB;
use super::option_docs::{option_names, option_text};
use super::word::{Chapter, Word};
use super::{options, vocabulary};
use crate::error::Error;
use crate::models::backbones::{BACKBONES, BackboneKind};
use crate::models::heads::HEADS;
use crate::options::OptionDoc;
use crate::training::recipes::{self, SYSTEMS, System};

/// The text for one name: a word, a kind, a library, a topic, a head, a backbone, a recipe or an option. Without a name, all words by chapter.
///
/// Errors: an unknown name, with the nearest known one.
pub fn doc(name: Option<&str>) -> Result<String, Error> {
    let Some(name) = name else { return Ok(overview()) };
    if let Some(topic) = TOPICS.iter().find(|t| t.0 == name) {
        return Ok((topic.2)());
    }
    if let Some(word) = vocabulary::find(name) {
        let mut text = word_text(word);
        if let Some(kind) = vocabulary::kinds().iter().find(|k| k.name.eq_ignore_ascii_case(name)) {
            text.push('\n');
            text.push_str(&kind_text(kind));
        }
        return Ok(text);
    }
    if let Some(kind) = vocabulary::kinds().iter().find(|k| k.name.eq_ignore_ascii_case(name)) {
        return Ok(kind_text(kind));
    }
    let (library, function) = name.split_once("::").unwrap_or((name, ""));
    if let Some((_, source)) = STDLIB.iter().find(|(n, _)| *n == library) {
        return library_text(library, source, function);
    }
    if let Some(head) = HEADS.iter().find(|head| head.name == name) {
        return Ok(head_text(head));
    }
    if let Some(kind) = BACKBONES.iter().find(|kind| kind.name == name) {
        return Ok(backbone_text(kind));
    }
    if let Some(system) = SYSTEMS.iter().find(|system| system.name == name) {
        return Ok(system_text(system));
    }
    if let Some((name, data, summary)) = recipes::table().into_iter().find(|row| row.0 == name) {
        return Ok(format!("{}\n  {summary}, on {data}: recipe(\"{name}\")\n", name.cyan().bold()));
    }
    if let Some(text) = option_text(name) {
        return Ok(text);
    }
    Err(Error::unknown("word or option", name, names()))
}

/// Every name that `doc` knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    vocabulary::words()
        .iter()
        .map(|w| w.name)
        .chain(vocabulary::kinds().iter().map(|k| k.name))
        .chain(STDLIB.iter().map(|(n, _)| *n))
        .chain(TOPICS.iter().map(|t| t.0))
        .chain(HEADS.iter().map(|h| h.name))
        .chain(BACKBONES.iter().map(|b| b.name))
        .chain(recipes::table().into_iter().map(|r| r.0))
        .chain(SYSTEMS.iter().map(|s| s.name))
        .chain(option_names())
}

/// Words, kinds, members, libraries, their functions and topics with `part` in name or line; one line per entry.
pub fn search(part: &str) -> String {
    let part = part.to_lowercase();
    let mut found: Vec<(String, String)> = Vec::new();
    found.extend(vocabulary::words().iter().map(|w| (w.name.to_string(), w.summary.to_string())));
    found.extend(vocabulary::kinds().iter().map(|k| (k.name.to_string(), k.summary.to_string())));
    for kind in vocabulary::kinds() {
        found.extend(kind.members.iter().map(|m| (format!("{}.{}", kind.name, m.name()), m.doc.to_string())));
    }
    for (library, source) in STDLIB {
        found.push((library.to_string(), first_line(source).to_string()));
        for (signature, comment) in library_functions(source) {
            let name = signature.split('(').next().unwrap_or_default();
            found.push((format!("{library}::{name}"), comment.lines().next().unwrap_or_default().to_string()));
        }
    }
    found.extend(TOPICS.iter().map(|t| (t.0.to_string(), t.1.to_string())));
    found.retain(|(name, line)| name.to_lowercase().contains(&part) || line.to_lowercase().contains(&part));
    found.iter().map(|(name, line)| format!("  {:<28} {}\n", name.cyan(), wrap(line, 31))).collect()
}

/// The text of the function `name` in `source`, its comment included: from its `fn` to the bracket that closes it.
pub fn function_source(source: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let starts = |line: &str| {
        let rest = line.trim_start().trim_start_matches("private ").strip_prefix("fn ")?;
        Some(rest.split(['(', ' ']).next().unwrap_or_default() == name)
    };
    let at = lines.iter().position(|line| starts(line) == Some(true))?;
    let comment = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with("///")).count();
    let mut open = 0;
    let mut body = false;
    for (i, line) in lines.iter().enumerate().skip(at) {
        let code = line.split("//").next().unwrap_or_default();
        open += code.matches('{').count() as i64 - code.matches('}').count() as i64;
        body |= code.contains('{');
        if body && open <= 0 {
            return Some(lines[at - comment..=i].join("\n"));
        }
    }
    None
}

/// Pages beyond words and kinds: name, one line, text.
const TOPICS: &[(&str, &str, fn() -> String)] = &[
    ("models", "backbones", models_text),
    ("weights", "published weights: their names, where they are looked for, downloads", weights_text),
    ("heads", "heads, their papers, published code and options", heads_text),
    ("recipes", "how the rows of the paper's tables are trained", recipes_text),
    ("readings", "where paper and code differ, and the choice of each reading", readings_text),
    ("executor", "where trainings run: here, in Slurm, in another queue", executor_text),
    ("losses", "losses and their options", losses_text),
    ("datasets", "data sets and where they come from", datasets_text),
];

fn overview() -> String {
    let mut out = String::new();
    for chapter in Chapter::ALL {
        let words: Vec<&&Word> = vocabulary::words().iter().filter(|w| w.chapter == chapter).collect();
        if words.is_empty() {
            continue;
        }
        out.push_str(&format!("{}\n", chapter.title().bold()));
        for word in words {
            out.push_str(&format!("  {:<20} {}\n", word.name.cyan(), word.summary));
        }
        out.push('\n');
    }
    out.push_str(&format!(
        "{}\n  {}\n\n",
        "Values".bold(),
        vocabulary::kinds().iter().map(|k| k.name).collect::<Vec<_>>().join(", ")
    ));
    out.push_str(&format!("{}\n", "Libraries (import \"name\" as n;)".bold()));
    for (name, source) in STDLIB {
        out.push_str(&format!("  {:<20} {}\n", name.cyan(), first_line(source)));
    }
    out.push_str(&format!("\n{}\n", "Topics".bold()));
    for (name, line, _) in TOPICS {
        out.push_str(&format!("  {:<20} {line}\n", name.cyan()));
    }
    out.push_str("\ncpsd doc NAME shows one of them; ?NAME does at the prompt.\n");
    out
}

/// Signature, summary, options with their defaults, examples.
pub fn word_text(word: &Word) -> String {
    let mut out = String::new();
    for signature in word.signatures {
        out.push_str(&format!("{}\n", signature.cyan().bold()));
    }
    out.push_str(&format!("\n{}\n", wrap(word.summary, 0)));
    if !word.details.is_empty() {
        out.push_str(&format!("\n{}\n", wrap(word.details, 0)));
    }
    if let Some(options) = &word.options {
        out.push_str(&format!("\n{}\n", "Options".bold()));
        let defaults = (options.defaults)();
        for OptionDoc { key, text } in (options.docs)() {
            let default = defaults.get(key).map_or(String::new(), short_default);
            out.push_str(&format!("  {:<16} {:<18} {}\n", key.green(), default.dimmed(), wrap(text, 38)));
        }
    }
    if !word.examples.is_empty() {
        out.push_str(&format!("\n{}\n", "Example".bold()));
        for example in word.examples {
            for line in example.code.lines() {
                out.push_str(&format!("  {line}\n"));
            }
        }
    }
    out
}

/// Summary, fields and methods of a kind of value.
pub fn kind_text(kind: &Kind) -> String {
    let mut out = format!("{}\n\n{}\n\n", kind.name.cyan().bold(), wrap(kind.summary, 0));
    for member in kind.members {
        let usage = if member.usage.contains(' ') { member.usage.to_string() } else { format!(".{}", member.usage) };
        out.push_str(&format!("  {:<30} {}\n", usage.green(), wrap(member.doc, 33)));
    }
    out
}

/// A library's functions with their `///` comments; only those named `function` if it is not empty.
fn library_text(library: &str, source: &str, function: &str) -> Result<String, Error> {
    let functions = library_functions(source);
    let mut out = String::new();
    if function.is_empty() {
        out.push_str(&format!("{}\n\n", first_line(source)));
    }
    let mut any = false;
    for (signature, comment) in &functions {
        let name = signature.split('(').next().unwrap_or_default();
        if function.is_empty() || name == function {
            any = true;
            out.push_str(&format!("{}\n", format!("{library}::{signature}").cyan().bold()));
            out.push_str(&format!("    {}\n\n", comment.replace('\n', "\n    ")));
        }
    }
    if any {
        return Ok(out);
    }
    let names: Vec<&str> = functions.iter().map(|(s, _)| s.split('(').next().unwrap_or_default()).collect();
    Err(Error::unknown(&format!("function of {library}"), function, names))
}

/// Each public function of a library: its signature and its `///` comment.
pub fn library_functions(source: &str) -> Vec<(String, String)> {
    let (mut functions, mut comment) = (Vec::new(), Vec::new());
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            comment.push(text.trim().to_string());
        } else if let Some(rest) = line.strip_prefix("fn ") {
            if let Some((signature, _)) = rest.split_once('{') {
                functions.push((signature.trim().to_string(), comment.join("\n")));
            }
            comment.clear();
        } else {
            comment.clear();
        }
    }
    functions
}

/// A library's summary: its first line, without the slashes.
pub fn first_line(source: &str) -> &str {
    source.lines().next().unwrap_or_default().trim_start_matches('/').trim_start_matches('!').trim()
}

fn models_text() -> String {
    let mut out = format!("{}\n", "Backbones".bold());
    BACKBONES.iter().for_each(|kind| out.push_str(&backbone_text(kind)));
    out.push_str(&format!("\n{}: cpsd doc heads\n", "Heads".bold()));
    out.push_str(&format!("{}: cpsd doc weights\n", "How weights are found".bold()));
    out
}

fn backbone_text(kind: &BackboneKind) -> String {
    // The stages of a module from a file are known only from the file.
    let known: Vec<(i64, i64)> =
        (kind.stages)().iter().filter(|s| s.stride > 0).map(|s| (s.channels, s.stride)).collect();
    let mut stages = Vec::new();
    let mut first = 1;
    for equal in known.chunk_by(|a, b| a == b) {
        let last = first + equal.len() - 1;
        let numbers = if first == last { first.to_string() } else { format!("{first} to {last}") };
        stages.push(format!("{numbers}: {}×1/{}", equal[0].0, equal[0].1));
        first = last + 1;
    }
    let size = match kind.parameters {
        0 => String::new(),
        n => format!(", {:.1} M parameters", n as f64 / 1e6),
    };
    let work = if kind.gflops > 0.0 { format!(", {:.2} GFLOPs (multiply-adds)", kind.gflops) } else { String::new() };
    let mut out = format!("  {:<20} {} ({} px{size}{work})\n", kind.name.cyan(), kind.summary, kind.image_size);
    if !stages.is_empty() {
        out.push_str(&format!("  {:<20} stages (channels, scale)  {}\n", "", stages.join("  ")));
    }
    let sets: Vec<String> = (kind.weights.sets.iter())
        .map(|set| match set.hub {
            Some(repository) => format!("\"{}\" ({repository})", set.name),
            None => format!("\"{}\"", set.name),
        })
        .collect();
    if !sets.is_empty() {
        out.push_str(&format!("  {:<20} {}\n", "", wrap(&format!("weights: {}", sets.join(", ")), 23)));
    }
    for line in [kind.paper, if kind.weights.note.is_empty() { "no weights published" } else { kind.weights.note }]
        .into_iter()
        .filter(|l| !l.is_empty())
    {
        out.push_str(&format!("  {:<20} {}\n", "", wrap(line, 23)));
    }
    out
}

fn weights_text() -> String {
    let mut out = format!("{}\n\n", wrap(WEIGHTS, 0));
    let rows = |out: &mut String, title: &str, rows: &[(&str, &str)]| {
        out.push_str(&format!("{}\n", title.bold()));
        for (name, text) in rows {
            out.push_str(&format!("  {:<26} {}\n", name.cyan(), wrap(text, 29)));
        }
    };
    rows(&mut out, "weights", WEIGHTS_FORMS);
    out.push_str(&format!("\n{}\n", "Places, in this order".bold()));
    for (i, place) in WEIGHTS_PLACES.iter().enumerate() {
        out.push_str(&format!("  {}. {}\n", i + 1, wrap(place, 5)));
    }
    out.push('\n');
    rows(&mut out, "Environment", WEIGHTS_VARIABLES);
    out
}

const WEIGHTS: &str = "The initial weights of a model, as in model(\"resnet101\", #{labels: [...], weights: \"imagenet\"}) or in \
    the option model of a training. `cpsd doc models` lists the sets of every backbone. A download is never silent: the prompt \
    asks, and a script permits it by download: true beside weights, or by CPSD_DOWNLOAD=1. The file goes into the cache of the \
    Hugging Face Python library, which finds it there, and is checked before it appears. The name of a training follows from \
    the weights themselves and the text of this option, not from the place where a set by name was found; the repository and the revision of downloaded ones are in its spec.json (weights_from).";

const WEIGHTS_FORMS: &[(&str, &str)] = &[
    ("\"imagenet\"", "a set of published weights, by its name"),
    (
        "\"imagenet@REVISION\"",
        "as they were at a commit, branch or tag of their repository; files in folders are passed over",
    ),
    (
        "\"folder/file.pth\"",
        "a .safetensors, .pth, .pt, .ckpt, .bin, .pkl or .pth.tar file; a text with a slash, a dot or the name of a file",
    ),
    ("()", "random weights, from the seed"),
];

const WEIGHTS_PLACES: &[&str] = &[
    "the folder that CPSD_WEIGHTS names",
    "weights/ in the working folder and in the three above it",
    "weights/ beside the program",
    "cpsd/weights in the user's cache folder (XDG_CACHE_HOME, or ~/.cache)",
    "the cache of the Hugging Face Python library (HF_HUB_CACHE, or hub/ in HF_HOME, or ~/.cache/huggingface/hub)",
    "the Hugging Face Hub, where that is permitted",
];

const WEIGHTS_VARIABLES: &[(&str, &str)] = &[
    ("CPSD_WEIGHTS", "a folder of weights"),
    ("CPSD_DOWNLOAD", "1 permits downloads everywhere"),
    ("HF_HOME, HF_HUB_CACHE", "the folders of the Hub's cache"),
    ("HF_ENDPOINT", "another server than https://huggingface.co, such as a mirror"),
    ("HF_TOKEN, HF_TOKEN_PATH", "a token for the server, or a file that holds it; without them token in HF_HOME"),
    ("HF_HUB_OFFLINE", "1 forbids downloads, whatever else permits them"),
    ("HF_HUB_DOWNLOAD_TIMEOUT", "seconds for which the server may be silent (30)"),
    ("HTTPS_PROXY, NO_PROXY", "a proxy, and the servers that need none"),
];

fn recipes_text() -> String {
    let mut out = "recipe(NAME) gives one as a map; recipe(NAME, #{reading: \"paper\"}) in another reading (cpsd doc readings).\n\n".to_string();
    for (name, data, summary) in recipes::table() {
        out.push_str(&format!("  {:<26} {:<10} {summary}\n", name.cyan(), data));
    }
    out.push_str(&format!(
        "\n{}\n{}\n\n",
        "Compared systems".bold(),
        wrap(
            "As their authors trained them: recipe(NAME).train holds the options of train_teacher. None of these has been run at \
             size here. All train on the whole training split and select the epoch on the test split, as the published scripts do. \
             scripts/compared.rhai trains one.",
            0
        )
    ));
    SYSTEMS.iter().for_each(|system| out.push_str(&system_text(system)));
    out
}

fn system_text(system: &System) -> String {
    let mut out = format!("  {:<26} {:<10} {}\n", system.name.cyan(), system.data, system.summary);
    for (what, text) in [("from", system.source), ("differs", system.differs)] {
        out.push_str(&format!("  {:<26} {:<10} {}\n", "", what, wrap(text, 40)));
    }
    out
}

fn readings_text() -> String {
    let mut out =
        "Where the paper and its published code differ, and the choice of each reading of a recipe.\n\n".to_string();
    out.push_str(&format!(
        "  {:<46} {:<28} {:<15} {:<12} {}\n",
        "difference".bold(),
        "where",
        "paper",
        "as-released",
        "fixed"
    ));
    for [what, path, paper, as_released, fixed] in crate::training::recipes::readings_table() {
        out.push_str(&format!("  {what:<46} {:<28} {paper:<15} {as_released:<12} {fixed}\n", path.cyan()));
    }
    out.push('\n');
    for note in crate::training::recipes::READING_NOTES {
        out.push_str(&format!("  {}\n", wrap(note, 6)));
    }
    out
}

fn losses_text() -> String {
    crate::losses::LOSSES.iter().map(|(name, line)| format!("  {:<10} {line}\n", name.cyan())).collect()
}

fn datasets_text() -> String {
    let mut out = String::new();
    for kind in crate::images::DATASETS {
        out.push_str(&format!("  {:<18} {}\n", kind.name.cyan(), wrap(kind.summary, 21)));
        let defaults = (kind.options.defaults)();
        for OptionDoc { key, text } in (kind.options.docs)() {
            let default = defaults.get(key).map_or(String::new(), short_default);
            let line = format!("{key}: {text} (default {default})");
            out.push_str(&format!("{:21}{}\n", "", wrap(&line, 23)));
        }
        let Ok(card) = crate::images::card(kind.name) else { continue };
        for text in [&card.use_in_papers, &card.get, &card.licence] {
            out.push_str(&format!("{:21}{}\n", "", wrap(text, 21)));
        }
        card.layout.lines().for_each(|line| out.push_str(&format!("{:23}{}\n", "", line.green())));
    }
    out
}

/// A default for the list of options. Nested maps are cut short; their keys are documented at the option.
pub(super) fn short_default(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(map) => match map.get("name").or_else(|| map.get("backbone")) {
            Some(serde_json::Value::String(name)) => format!("{name} ..."),
            _ => "#{...}".into(),
        },
        other => options::literal(other),
    }
}

/// Breaks text at spaces into lines of 100 columns. Lines after the first begin with `indent` spaces.
pub(super) fn wrap(text: &str, indent: usize) -> String {
    let mut lines = text.split_whitespace().collect::<Vec<_>>().join(" ");
    textwrap::fill_inplace(&mut lines, 100 - indent);
    lines.replace('\n', &format!("\n{:indent$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_indented() {
        let (a, b, c) = ("a".repeat(40), "b".repeat(36), "c-c ".repeat(30).replace(' ', "-"));
        assert_eq!(wrap(&format!("{a}  {b}\n× {c}"), 23), format!("{a} {b}\n{:23}×\n{:23}{c}", "", ""));
        assert_eq!(wrap(&format!("{a} {b}b"), 23), format!("{a}\n{:23}{b}b", ""));
    }
}
