//! Completion: names in scope, members of receivers, option keys, names inside strings, files, commands.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustyline::completion::{Completer, FilenameCompleter, Pair};

use super::context::{Context, context};
use super::highlighting::KEYWORDS;
use super::input::{ending, in_string, last_word};
use super::last_values::is_numbered;
use super::local_names::scope_at;
use super::texts::Texts;
use super::{commands, infer};
use crate::runs::RunStore;
use crate::script::library_docs::library_functions;
use crate::script::session::Session;
use crate::script::tokens::is_word;
use crate::script::{docs, modules, option_parts, own_types, show, vocabulary};
use crate::training::overview::{Listed, RunFilter, overview};

/// The names of a session, taken anew before each line.
#[derive(Default)]
pub struct Names {
    /// The kind of each variable, of each field of a map (`data.train`) and of an array's first element (`models[]`).
    variables: Vec<(String, String)>,
    /// Signatures of the user's functions.
    functions: Vec<String>,
    /// The labels and the columns of the values in scope.
    texts: Texts,
    /// The imported libraries: the name that each was given, and its functions.
    libraries: Vec<(String, Vec<String>)>,
    /// The folder of the run store.
    runs: Option<PathBuf>,
    /// They are those of a text that is not run, its own variables too; else those that an input makes come to them.
    is_text: bool,
    /// The name of that text, beside whose file libraries are looked for.
    importer: Option<String>,
    files: FilenameCompleter,
}

impl Names {
    pub fn refresh(&mut self, session: &Session) {
        self.variables = scope(session);
        self.texts = Texts::default();
        for name in session.variable_names() {
            if let Some(value) = session.scope.get(&name) {
                self.texts.add(value, DEPTH);
            }
        }
        self.runs = Some(session.host.runs.borrow().clone());
        self.functions = session.function_signatures();
        let functions = |text: &str| {
            let all = library_functions(text).into_iter();
            all.map(|(signature, _)| signature.split('(').next().unwrap_or_default().to_string()).collect()
        };
        self.libraries = session.libraries().into_iter().map(|(name, _, text)| (name, functions(&text))).collect();
    }

    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// The kind of the expression that `text` ends with, where it is known.
    pub fn kind(&self, text: &str) -> Option<String> {
        infer::kind(text, &self.variables)
    }

    /// After `p.`: the members of p's kind, the fields of a map, or the members of all kinds when its kind is not known.
    fn members(&self, receiver: &str) -> Vec<String> {
        members(receiver, &self.scope_at(receiver))
    }

    /// The keys of a map in scope that `receiver` ends with.
    fn fields(&self, receiver: &str) -> Vec<String> {
        fields(receiver, &self.scope_at(receiver))
    }

    /// The kinds of the names that the end of a text sees.
    fn scope_at(&self, text: &str) -> Vec<(String, String)> {
        if self.is_text { self.variables.clone() } else { scope_at(text, &self.variables) }
    }

    /// The ids and names of the runs in the store, newest first. A name that several have is none to ask by.
    fn run_names(&self) -> Vec<String> {
        let Some(folder) = &self.runs else { return vec![] };
        let listed = overview(&RunStore::new(folder), &RunFilter::default(), |_| {}).unwrap_or_default();
        let runs: Vec<(String, String)> = listed
            .into_iter()
            .filter_map(|run| match run {
                Listed::Good(run) => Some((run.id, run.name)),
                Listed::Damaged(..) => None,
            })
            .collect();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        runs.iter().for_each(|(_, name)| *times.entry(name).or_default() += 1);
        let can_be_written = |name: &&String| !name.contains(['"', '\\']) && !name.contains(char::is_control);
        let of = |(id, name): &(String, String)| {
            let is_one = name != id && times.get(name.as_str()) == Some(&1);
            [Some(id.clone()), Some(name).filter(|_| is_one).filter(can_be_written).cloned()]
        };
        runs.iter().rev().flat_map(of).flatten().collect()
    }

    /// The names that a string may hold, by the text before its quote: of an option or an argument that takes names, keys of a map, labels,
    /// columns. None where it may be anything, such as a path.
    fn inside(&self, before: &str, begun: &str) -> Vec<String> {
        let head = before.trim_end_matches('"').trim_end();
        let at = context(head);
        if let Some(receiver) = at.indexed {
            return self.fields(receiver);
        }
        if last_word(head) == "import" {
            let files = modules::files_from(begun, self.importer.as_deref());
            return modules::embedded_names().map(str::to_string).chain(files).collect();
        }
        self.named(&at, begun).into_iter().map(str::to_string).collect()
    }

    /// The same where the string is no key in an index.
    fn named(&self, at: &Context, begun: &str) -> Vec<&str> {
        let word = at.call.filter(|_| !at.is_method).and_then(vocabulary::find);
        if at.key.is_some() {
            let path = at.path_of_value();
            let choices = option_parts::choices(word, &path);
            if !choices.is_empty() {
                return choices;
            }
            return match path.last() {
                Some(&"labels" | &"order") => self.texts.labels(),
                _ => vec![],
            };
        }
        let Some(call) = at.call else { return vec![] };
        if !at.is_method {
            let named = option_parts::arguments(call, at.argument);
            if !named.is_empty() {
                return named;
            }
        }
        match self.parameter(call, at) {
            Some(name) if ["path", "file", "folder", "dir", "pattern"].iter().any(|part| name.contains(part)) => vec![],
            Some(name) if name.contains("column") || name == "on" || matches!(call, "col" | "column") => {
                self.texts.columns()
            }
            Some(name) if name.contains("label") || name == "names" => self.texts.labels(),
            // Labels are mostly in arrays. In other places what is typed must begin one.
            _ if at.in_array || !begun.is_empty() => self.texts.labels(),
            _ => vec![],
        }
    }

    /// The name of the parameter that is being typed, from the signatures of a word or the usage of members.
    fn parameter(&self, call: &str, at: &Context) -> Option<&'static str> {
        let usages: Vec<&'static str> = match at.is_method {
            true => {
                let members = vocabulary::kinds().iter().flat_map(|kind| kind.members);
                members.filter(|m| m.name() == call).map(|m| m.usage).collect()
            }
            false => vocabulary::find(call)?.signatures.to_vec(),
        };
        usages.into_iter().find_map(|usage| {
            let inside = usage.split_once('(')?.1.rsplit_once(')')?.0;
            inside.split(", ").nth(at.argument).filter(|name| !name.is_empty())
        })
    }
}

/// Values inside each other are looked at so deep.
const DEPTH: usize = 2;

/// The kind of each variable of a session, of each field of a map and of an array's first element.
pub fn scope(session: &Session) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for name in session.variable_names() {
        if let Some(value) = session.scope.get(&name) {
            known(&mut all, name, value, DEPTH);
        }
    }
    all
}

/// What may follow behind the dot of a receiver: the members of its kind, the fields of a map, or the members of all kinds when its kind is
/// not known.
pub fn members(receiver: &str, scope: &infer::Scope) -> Vec<String> {
    let kind = infer::kind(receiver, scope);
    let owned = |name: &str| name.to_string();
    // `a + b` is a member too, and stands behind no dot.
    let is_name = |name: &&str| name.chars().all(is_word);
    if let Some(kind) = kind.as_deref().and_then(vocabulary::find_kind) {
        let mut all: Vec<String> = kind.members.iter().map(|m| m.name()).filter(is_name).map(owned).collect();
        if kind.name == "Tensor" {
            all.extend(of_pictures().map(owned));
        }
        return all;
    }
    let fields = fields(receiver, scope);
    if !fields.is_empty() {
        return fields;
    }
    // `map of Tensor` is a map.
    let kind = kind.as_deref().and_then(|kind| kind.split(" of ").next());
    if let Some(own) = kind.and_then(own_types::find) {
        return own.members.iter().map(|m| m.name()).filter(is_name).map(owned).collect();
    }
    vocabulary::kinds().iter().flat_map(|k| k.members).map(|m| m.name()).filter(is_name).map(owned).collect()
}

/// The words that take a picture first, which is a Tensor: `picture.hflip()`.
fn of_pictures() -> impl Iterator<Item = &'static str> {
    let takes_picture =
        |usage: &str| usage.split_once('(').is_some_and(|(_, parameters)| parameters.starts_with("picture"));
    vocabulary::words()
        .iter()
        .filter(move |word| word.signatures.first().is_some_and(|s| takes_picture(s)))
        .map(|word| word.name)
}

/// The keys of a map in scope that `receiver` ends with.
pub fn fields(receiver: &str, scope: &infer::Scope) -> Vec<String> {
    let name = ending(receiver, |c| is_word(c) || c == '.');
    let fields = scope.iter().filter_map(|(path, _)| path.strip_prefix(name)?.strip_prefix('.'));
    fields.filter(|field| !name.is_empty() && !field.contains(['.', '['])).map(str::to_string).collect()
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

fn pairs(names: impl IntoIterator<Item = impl AsRef<str>>, prefix: &str) -> Vec<Pair> {
    let mut all = in_order(names, prefix);
    all.sort_unstable_by(|a, b| a.replacement.cmp(&b.replacement));
    all.dedup_by(|a, b| a.replacement == b.replacement);
    all
}

/// The same in the order in which they come.
fn in_order(names: impl IntoIterator<Item = impl AsRef<str>>, prefix: &str) -> Vec<Pair> {
    let all = names.into_iter().filter(|name| name.as_ref().starts_with(prefix));
    all.map(|name| Pair { display: name.as_ref().to_string(), replacement: name.as_ref().to_string() }).collect()
}

/// Whether a string behind this text names a run.
fn names_a_run(before: &str) -> bool {
    let at = context(before.trim_end_matches('"').trim_end());
    !at.in_map
        && !at.in_array
        && at.argument == 0
        && matches!((at.call, at.is_method), (Some("run"), false) | (Some("diff"), true))
}

/// The keys of the options map in which a key is expected, if `before` ends in one.
fn option_keys(before: &str) -> Option<Vec<&'static str>> {
    let at = context(before);
    if !at.in_map || at.key.is_some() || !before.trim_end().ends_with(['{', ',']) {
        return None;
    }
    let keys: Vec<&str> = match at.path.is_empty() {
        true => {
            let options = at.call.filter(|_| !at.is_method).and_then(vocabulary::find)?.options.as_ref()?;
            (options.docs)().into_iter().map(|doc| doc.key).collect()
        }
        false => option_parts::parts(&at.path).into_iter().map(|part| part.key).collect(),
    };
    (!keys.is_empty()).then_some(keys)
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, ctx: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..pos];
        if let Some(rest) = before.strip_prefix('?') {
            return Ok(self.topics(rest));
        }
        if before.starts_with(':') && !before.contains(' ') {
            return Ok((0, pairs(commands::names(), before)));
        }
        if let Some(rest) = before.strip_prefix(":set ") {
            let found = match rest.split_once(' ') {
                None => pairs(commands::set_names(), rest),
                Some((name, value)) => pairs(commands::set_values(name).iter().copied(), value),
            };
            if !found.is_empty() {
                return Ok((pos - rest.rsplit(' ').next().unwrap_or_default().len(), found));
            }
            return self.complete_file(line, pos, ctx);
        }
        if commands::of_shell(before, |word| self.is_variable(word)).is_some() {
            return self.complete_file(line, pos, ctx);
        }
        if let Some(file) = [":load ", ":save ", ":edit "].iter().find_map(|command| before.strip_prefix(command)) {
            let (start, mut found) = self.complete_file(line, pos, ctx)?;
            if before.starts_with(":edit ") {
                found.extend(pairs(self.functions.iter().map(|f| f.split('(').next().unwrap_or(f)), file));
            }
            return Ok((start, found));
        }
        match self.fitting(before) {
            Some(found) => Ok(found),
            None => self.complete_file(line, pos, ctx),
        }
    }
}

impl Names {
    /// The names of a text, called `name`, that is not run: the kinds of variables, of fields and of elements by their paths; signatures of functions;
    /// libraries, each with the names of its functions.
    pub fn of(
        name: &str,
        variables: Vec<(String, String)>,
        functions: Vec<String>,
        libraries: Vec<(String, Vec<String>)>,
    ) -> Self {
        Names { variables, functions, libraries, is_text: true, importer: Some(name.to_string()), ..Names::default() }
    }

    /// What fits at the end of `before`, and the byte at which it begins. None in a string that may hold anything, such as a path.
    pub fn fitting(&self, before: &str) -> Option<(usize, Vec<Pair>)> {
        if in_string(before) {
            let start = before.rfind('"').map_or(0, |quote| quote + 1);
            if names_a_run(&before[..start]) {
                return Some((start, in_order(self.run_names(), &before[start..])));
            }
            let named = pairs(self.inside(&before[..start], &before[start..]), &before[start..]);
            return (!named.is_empty()).then_some((start, named));
        }
        let word = last_word(before);
        let start = before.len() - word.len();
        if let Some(library) = before[..start].strip_suffix("::") {
            return Some((start, pairs(self.of_library(last_word(library)), word)));
        }
        if before[..start].ends_with('.') {
            return Some((start, pairs(self.members(&before[..start - 1]), word)));
        }
        if let Some(keys) = option_keys(&before[..start]) {
            let mut found = pairs(keys, word);
            found.iter_mut().for_each(|p| p.replacement.push_str(": "));
            return Some((start, found));
        }
        let names = vocabulary::words()
            .iter()
            .map(|w| w.name)
            .chain(KEYWORDS.iter().copied())
            .chain(self.variable_names())
            .chain(self.libraries.iter().map(|(name, _)| name.as_str()))
            .chain(self.functions.iter().map(|f| f.split('(').next().unwrap_or(f)));
        Some((start, pairs(names, word)))
    }

    /// Whether a variable in scope has that name.
    pub fn is_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|(known, _)| known == name)
    }

    fn complete_file(
        &self,
        line: &str,
        pos: usize,
        ctx: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, mut files) = self.files.complete(line, pos, ctx)?;
        // The editor writes names to the terminal as they are.
        files.retain(|file| !file.display.contains(char::is_control) && !file.replacement.contains(char::is_control));
        Ok((start, files))
    }

    fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|(n, _)| n.as_str()).filter(|n| !n.contains(['.', '[']) && !is_numbered(n))
    }

    /// The functions of an imported library.
    fn of_library(&self, name: &str) -> Vec<&str> {
        let found = self.libraries.iter().find(|(known, _)| known == name);
        found.map(|(_, functions)| functions.iter().map(String::as_str).collect()).unwrap_or_default()
    }

    /// After `?`, `??` or `?library::`: whatever has help.
    fn topics(&self, rest: &str) -> (usize, Vec<Pair>) {
        let (from, name) = if let Some(name) = rest.strip_prefix('?') { (2, name) } else { (1, rest) };
        if let Some((library, function)) = name.split_once("::") {
            return (from + library.len() + 2, pairs(self.of_library(library), function));
        }
        if let Some((receiver, member)) = name.rsplit_once('.').filter(|_| from == 1) {
            return (from + receiver.len() + 1, pairs(self.members(receiver), member));
        }
        let mut all: Vec<&str> = self.functions.iter().map(|f| f.split('(').next().unwrap_or(f)).collect();
        all.extend(self.libraries.iter().map(|(name, _)| name.as_str()));
        // `??` shows sources, of which words and variables have none.
        if from == 1 {
            docs::names().for_each(|name| all.push(name));
            all.extend(self.variable_names());
        } else {
            modules::embedded_names().for_each(|name| all.push(name));
        }
        (from, pairs(all, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(before: &str) -> Vec<String> {
        crate::primitives::install();
        Names::default().inside(before, "")
    }

    #[test]
    fn strings_complete_to_the_names_that_fit() {
        let has = |before: &str, name: &str| {
            assert!(inside(before).iter().any(|n| n == name), "{before}: {:?}", inside(before))
        };
        has("let d = dataset(\"", "coco2014");
        has("train_teacher(d, l, #{model: #{backbone: \"", "resnet18");
        has("train_teacher(d, l, #{model: #{backbone: \"resnet18\", head: \"", "csra");
        has("let o = #{model: #{normalise: \"", "backbone");
        has("import \"", "method");
        has("affinity(counts, \"", "dis");
        has("train_teacher(d, l, #{augment: #{crop: \"", "multi_scale");
        assert_eq!(inside("train_teachers(data, p, #{epochs: 2, executor: \""), ["here", "slurm"]);
        assert_eq!(inside("distill(d, e, #{schedule: \""), ["onecycle", "step", "cosine", "constant"]);
        assert!(inside("print(\"").is_empty() && inside("load_table(\"").is_empty());
    }

    #[test]
    fn labels_columns_keys_and_functions_of_libraries_are_known() {
        let mut session = crate::primitives::session();
        let code = "let data = dataset(\"emoji-scenes\", #{train: 8, val: 4, test: 4, test_shifted: 4, size: 32}); \
                    let t = table([#{score: 1}]); import \"method\" as m;";
        let _ = session.eval(code, "test").unwrap();
        let of = |line: &str| super::super::completions(&session, line);
        assert_eq!(of("train_teacher(data, [\"do"), ["dog"]);
        assert_eq!(of("model(\"small_cnn\", #{labels: [\"dog\", \"pers"), ["person"]);
        assert_eq!(of("data[\"trai"), ["train"]);
        assert_eq!(of("t.column(\"sc"), ["score"]);
        assert_eq!(of("t.sort(\"sc"), ["score"]);
        assert_eq!(of("m::defa"), ["defaults"]);
        assert_eq!(of("?m::defa"), ["defaults"]);
        assert_eq!(of("?stri"), ["string"]);
        assert_eq!(of("train_teacher(data, l, #{model: #{frozen_n"), ["frozen_norms: "]);
        assert_eq!(of("let o = #{augment: #{cutout_f"), ["cutout_factor: "]);
        assert_eq!(of(":load Cargo.to"), ["Cargo.toml"]);
        assert_eq!(of("!cat Cargo.to"), ["Cargo.toml"]);
        assert_eq!(of("train_teacher(data, l, #{schedule: \"cos"), ["cosine"]);
    }

    #[test]
    fn operators_are_offered_behind_no_dot() {
        let mut session = crate::primitives::session();
        let _ = session.eval("let e = col(\"k\");", "test").unwrap();
        for line in ["e.", "\"text\".", "[1].", "nothing_known."] {
            let found = super::super::completions(&session, line);
            assert!(found.len() > 3 && found.iter().all(|name| name.chars().all(is_word)), "{line}: {found:?}");
        }
    }

    #[test]
    fn members_are_those_of_what_a_closure_gets() {
        let mut session = crate::primitives::session();
        let _ = session.eval("let p = random_partition([\"a\", \"b\"], 2); let line = 3;", "test").unwrap();
        let of = |line: &str| super::super::completions(&session, line);
        assert_eq!(of("train_teacher(d, l, #{model: #{head: |maps, p| p.num_l"), ["num_labels"]);
        assert!(!of("train_teacher(d, l, #{model: #{head: |maps, p| p.").contains(&"tasks".to_string()));
        assert_eq!(of("train_teacher(d, l, #{augment: |picture, random| picture.hfl"), ["hflip"]);
        assert!(of("train_teacher(d, l, #{augment: |picture, random| random.").contains(&"uniform".to_string()));
        let keys = of("train_teacher(d, l, #{on_epoch: |line| line.");
        assert_eq!(keys, ["epoch", "images_per_second", "loss", "lr", "name", "seconds", "val_mAP", "val_mAP_ema"]);
        assert_eq!(of("train_teacher(d, l, #{on_epoch: |line| print(line[\"val_mAP_"), ["val_mAP_ema"]);
        assert_eq!(of("let head = |maps, p| { let f = maps.mean([2, 3]); p.lin"), ["linear"]);
        assert_eq!(of("p.tas"), ["tasks"]);
        assert_eq!(of("?p.tas"), ["tasks"]);
    }

    #[test]
    fn runs_are_known_by_ids_and_names_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let made = |id: &str, name: &str, second: u32| {
            let run = folder.path().join(id);
            std::fs::create_dir_all(&run).unwrap();
            let summary = serde_json::json!({ "name": name, "date": format!("2026-11-20T10:00:{second:02}Z") });
            std::fs::write(run.join("summary.json"), summary.to_string()).unwrap();
            std::fs::write(run.join("spec.json"), "{}").unwrap();
        };
        made("train-000000000001", "old", 1);
        made("train-000000000002", "new", 3);
        made("train-000000000003", "twice", 2);
        made("train-000000000004", "twice", 4);
        let session = crate::primitives::session();
        *session.host.runs.borrow_mut() = folder.path().to_path_buf();
        let of = |line: &str| super::super::completions(&session, line);
        let all =
            ["train-000000000004", "train-000000000002", "new", "train-000000000003", "train-000000000001", "old"];
        assert_eq!(of("run(\""), all);
        assert_eq!(of("let r = run(\"ol"), ["old"]);
        assert_eq!(of("r.diff(\"ne"), ["new"]);
        assert_eq!(of("run(\"nothing"), [""; 0]);
    }

    #[test]
    fn settings_and_their_values_complete_behind_set() {
        let session = crate::primitives::session();
        let of = |line: &str| super::super::completions(&session, line);
        assert_eq!(of(":set d"), ["data", "device", "download"]);
        assert_eq!(of(":set download o"), ["off", "on"]);
        assert_eq!(of(":set device cp"), ["cpu"]);
        assert!(of(":set ").iter().all(|name| name != "startup"));
    }

    #[test]
    fn option_keys_are_known_inside_an_open_map() {
        crate::primitives::install();
        assert!(option_keys("spectral_partition(a, f(2), #{").is_some_and(|keys| keys.contains(&"seed")));
        assert!(option_keys("f(1, #{").is_none() && option_keys("spectral_partition(a, 2, #{seed: ").is_none());
        assert!(option_keys("distill(d, e, #{model: #{").is_some_and(|keys| keys.contains(&"freeze")));
        assert!(option_keys("spectral_partition(a, 2, #{seed: 1})").is_none());
    }
}
