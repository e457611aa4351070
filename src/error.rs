//! The one error type of the library: a kind, a sentence, a line of help, and the part of the script it is about.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// The class of an error, by who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ErrorKind {
    /// An argument or option is of the wrong type, out of range or unknown.
    Argument,
    /// A file or table holds something it should not.
    Data,
    /// A file cannot be read or written.
    Io,
    /// libtorch refused an operation (shapes, types).
    Tensor,
    /// The memory of a GPU or of the machine does not suffice.
    Memory,
    /// A GPU failed, and this process can use none any more.
    Device,
    /// A cluster's queue ended the work, or refused it.
    Cluster,
    /// The work is in a cluster's queue; its results are not there yet.
    Queued,
    /// The user asked to stop; finished work is kept.
    Interrupted,
    /// A value that the script itself threw.
    Thrown,
    /// A fault of cpsd itself.
    Internal,
}

impl ErrorKind {
    /// The stable code printed before the sentence.
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::Argument => "cpsd::argument",
            ErrorKind::Data => "cpsd::data",
            ErrorKind::Io => "cpsd::io",
            ErrorKind::Tensor => "cpsd::tensor",
            ErrorKind::Memory => "cpsd::memory",
            ErrorKind::Device => "cpsd::device",
            ErrorKind::Cluster => "cpsd::cluster",
            ErrorKind::Queued => "cpsd::queued",
            ErrorKind::Interrupted => "cpsd::interrupted",
            ErrorKind::Thrown => "cpsd::thrown",
            ErrorKind::Internal => "cpsd::internal",
        }
    }
}

/// The part of a script that an error is about, so that it can be underlined.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum About {
    /// An argument of the call, counted from 0. The receiver of a method is argument 0.
    Argument(usize),
    /// A key of the options map, and the text given for it.
    Option { key: String, value: Option<String> },
    /// A name that was given: a label, a branch, a data set.
    Name(String),
    /// A file, as the script wrote its path.
    File(PathBuf),
    /// `exit(code)` was called.
    Exit(u8),
    /// Something in a closure that the library called.
    Within(Box<Origin>),
}

/// The place of an error in a script, kept while the error passes through the library.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    /// The name of the text.
    pub text: String,
    /// Byte offset and length in it.
    pub span: Option<(usize, usize)>,
    /// The calls that led there, outermost first.
    pub calls: Vec<String>,
}

/// An error that a user reads: one sentence with the expectation and the value that came, and a line of help.
#[derive(Clone, Debug)]
pub struct Error {
    pub kind: ErrorKind,
    pub message: String,
    pub help: Option<String>,
    pub about: Option<About>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), help: None, about: None }
    }

    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Argument, message)
    }

    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// A failure to read or write `path`. For a path that does not exist, the nearest existing name is given.
    pub fn io(path: impl AsRef<Path>, cause: impl fmt::Display) -> Self {
        let (path, cause) = (path.as_ref(), cause.to_string());
        let said = match os_error(&cause) {
            _ if path.as_os_str().is_empty() => return Error::missing(path),
            Some(2) => return Error::missing(path),
            Some(13) => "permission denied",
            Some(17 | 20) => "there is a file where a folder must be",
            Some(21) => "this is a folder, not a file",
            Some(28) => "no space is left on the disk",
            Some(36) => "the name is too long",
            Some(40) => "links lead in a circle",
            None if cause == "stream did not contain valid UTF-8" => "not UTF-8 text",
            _ => cause.as_str(),
        };
        Self::new(ErrorKind::Io, format!("{}: {said}", path.display())).about_file(path)
    }

    /// There is no such path. The help line names its missing folder or the nearest file in it.
    pub fn missing(path: &Path) -> Self {
        if path.as_os_str().is_empty() {
            return Self::new(ErrorKind::Io, "the path is empty").about_file(path);
        }
        let error = Self::new(ErrorKind::Io, format!("{}: there is no such file", path.display())).about_file(path);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        #[allow(clippy::disallowed_methods)]
        // the gate is above this; it refuses what may not be read before it says what is missing
        let Ok(entries) = std::fs::read_dir(folder) else {
            return error.with_help(format!("the folder {} is not there either", folder.display()));
        };
        // A folder of a data set may have millions of entries.
        let entries = entries.flatten().take(20_000);
        let names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
        let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match nearest(&wanted, names.iter().map(String::as_str)) {
            Some(near) if near != wanted => {
                error.with_help(format!("did you mean \"{}\"?", path.with_file_name(near).display()))
            }
            _ => error,
        }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// Data in a file that is not as expected: `PATH: message`.
    pub fn in_file(path: impl AsRef<Path>, message: impl fmt::Display) -> Self {
        let path = path.as_ref();
        Self::data(format!("{}: {message}", path.display())).about_file(path)
    }

    /// An option of `word` (a word, head or data set) with a value that it cannot take.
    pub fn option(key: &str, word: &str, expected: impl fmt::Display, came: impl fmt::Display) -> Self {
        Self::argument(format!("option \"{key}\" of {word} must be {expected}; got {came}")).about_option(key)
    }

    /// Sets the subject of the error, unless it is known already.
    pub fn about(mut self, about: About) -> Self {
        self.about.get_or_insert(about);
        self
    }

    /// The error is about the option `key`.
    pub fn about_option(self, key: &str) -> Self {
        self.about(About::Option { key: key.to_string(), value: None })
    }

    /// The error is about the file at `path`.
    pub fn about_file(self, path: impl AsRef<Path>) -> Self {
        self.about(About::File(path.as_ref().to_path_buf()))
    }

    /// The error is about something that was named `name`.
    pub fn about_name(self, name: impl Into<String>) -> Self {
        self.about(About::Name(name.into()))
    }

    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// `unknown("label", "dgo", labels)`: names the given name, and in the help line the nearest valid one or all of them.
    pub fn unknown<'a>(what: &str, came: &str, among: impl IntoIterator<Item = &'a str>) -> Self {
        // A name that several forms share is listed once.
        let mut seen = BTreeSet::new();
        let among: Vec<&str> = among.into_iter().filter(|name| seen.insert(*name)).collect();
        let error = Self::argument(format!("unknown {what} \"{came}\"")).about_name(came);
        match nearest(came, among.iter().copied()) {
            Some(near) => error.with_help(format!("did you mean \"{near}\"?")),
            None if among.is_empty() => error,
            None if among.len() <= 24 => error.with_help(format!("expected one of: {}", among.join(", "))),
            None => error.with_help(format!("expected one of {} names: {}, ...", among.len(), among[..12].join(", "))),
        }
    }
}

/// `1 label`, `2 labels`.
pub fn counted(n: usize, what: &str) -> String {
    format!("{n} {}", plural(n, what))
}

/// The word for so many of them: `label` for one.
pub fn plural(n: usize, what: &str) -> String {
    match what.strip_suffix("ry") {
        _ if n == 1 => what.to_string(),
        Some(stem) => format!("{stem}ries"),
        None if what.ends_with("ss") => format!("{what}es"),
        None => format!("{what}s"),
    }
}

/// `there is only 1 label`, `there are only 2 labels`.
pub fn only(n: usize, what: &str) -> String {
    format!("there {} only {}", if n == 1 { "is" } else { "are" }, counted(n, what))
}

/// The most characters of a name that an error shows.
const MOST_SHOWN: usize = 200;

/// A sentence in which long names are cut in their middle: what stands in quotes, and what has no blank in it. A script or a file may
/// name anything with any number of characters, and nobody reads them.
pub fn cut_names(sentence: &str) -> Cow<'_, str> {
    if sentence.len() <= MOST_SHOWN {
        return Cow::Borrowed(sentence);
    }
    let mut cut = String::new();
    // Every second part stands in quotes.
    for (i, part) in sentence.split('"').enumerate() {
        if i > 0 {
            cut.push('"');
        }
        match i % 2 {
            1 => push_cut(&mut cut, part),
            _ => part.split_inclusive(char::is_whitespace).for_each(|word| push_cut(&mut cut, word)),
        }
    }
    Cow::Owned(cut)
}

/// Adds a name, with its beginning and its end if it is long.
fn push_cut(text: &mut String, name: &str) {
    let characters = if name.len() <= MOST_SHOWN { 0 } else { name.chars().count() };
    if characters <= MOST_SHOWN {
        return text.push_str(name);
    }
    let (first, last) = (MOST_SHOWN * 2 / 3, MOST_SHOWN / 4);
    text.extend(name.chars().take(first));
    text.push_str(&format!("[... {} characters ...]", characters - first - last));
    text.extend(name.chars().skip(characters - last));
}

/// The most characters of a word that is compared with names.
const MOST_NEAR: usize = 128;

/// The number in `No such file or directory (os error 2)`.
fn os_error(cause: &str) -> Option<u32> {
    cause.rsplit_once("(os error ")?.1.strip_suffix(')')?.parse().ok()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cut_names(&self.message))
    }
}

impl std::error::Error for Error {}

/// The name in `among` that is nearest to `word`, if any is near enough: one mistake per three letters, as compilers
/// allow, or a missing end. What was typed of a name, four letters or more, is one mistake. Among equally near names, the one of the
/// same length, or else the first. There is none for a word of more than 128 characters: the time grows with the product of the lengths.
pub fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_of(word, among, true)
}

/// The name that `word` is probably meant to be, as [`nearest`] tells it, but that the beginning of a longer name is a word of its own: for
/// what decides whether an unknown name is a mistake, as "stop" beside "stop sign" need not be one.
pub fn misspelt<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_of(word, among, false)
}

fn nearest_of<'a>(word: &str, among: impl IntoIterator<Item = &'a str>, typed: bool) -> Option<&'a str> {
    if word.chars().nth(MOST_NEAR).is_some() {
        return None;
    }
    let lower = word.to_lowercase();
    // Another letter is as near as any other; `N` may be `n`.
    let allowed = match lower.chars().count() {
        0 | 1 => 0,
        n => n.max(3) / 3,
    };
    // `power` for `pow`: most of the one is the other.
    let begins = |name: &str| {
        let (short, long) = if name.len() < lower.len() { (name, &lower[..]) } else { (&lower[..], name) };
        short.len() >= 3 && 2 * short.len() > long.len() && long.starts_with(short)
    };
    // `train_tea` for `train_teacher`: nothing is wrong in it.
    let is_typed_of = |name: &str| typed && lower.chars().nth(3).is_some() && name.starts_with(&lower);
    let mistakes = |name: &str| match strsim::damerau_levenshtein(&lower, name) {
        0 => 0,
        // `power` for `pow` too, which is nearer than `power_t_test`.
        _ if is_typed_of(name) || typed && lower.starts_with(name) && begins(name) => 1,
        n => n,
    };
    // A name that is much longer is not near, whatever it holds.
    let longest = 4 * (2 * lower.len() + allowed);
    among
        .into_iter()
        .filter(|name| name.len() <= longest)
        .map(|name| (mistakes(&name.to_lowercase()), name))
        .filter(|(mistakes, name)| *mistakes <= allowed || begins(&name.to_lowercase()))
        .min_by_key(|(mistakes, name)| (*mistakes, name.len().abs_diff(word.len())))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_them_has_no_plural() {
        assert_eq!([counted(1, "label"), counted(2, "label")], ["1 label", "2 labels"]);
        assert_eq!(
            [counted(0, "entry"), counted(2, "class"), counted(1, "class")],
            ["0 entries", "2 classes", "1 class"]
        );
        assert_eq!([only(1, "label"), only(2, "label")], ["there is only 1 label", "there are only 2 labels"]);
    }

    #[test]
    fn unknown_names_the_nearest() {
        let error = Error::unknown("label", "dgo", ["cat", "dog"]);
        assert_eq!(error.message, "unknown label \"dgo\"");
        assert_eq!(error.help.as_deref(), Some("did you mean \"dog\"?"));
        let error = Error::unknown("member", "x", ["features", "embed", "features"]);
        assert_eq!(error.help.as_deref(), Some("expected one of: features, embed"));
    }

    #[test]
    fn an_empty_path_is_said_as_such() {
        assert_eq!(Error::missing(Path::new("")).message, "the path is empty");
        assert_eq!(Error::io("", "cannot make an empty path absolute").message, "the path is empty");
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        assert_eq!(nearest("nothing", ["to_string", "note"]), None);
        assert_eq!(nearest("affintiy", ["affinity", "infinity"]), Some("affinity"));
        assert_eq!(nearest("power", ["power_t_test", "pow"]), Some("pow"));
        assert_eq!(nearest("MAP", ["max", "map"]), Some("map"));
        assert_eq!(nearest("k", ["co", "dis"]), None);
        assert_eq!(nearest("x", ["m", "ab"]), None);
        assert_eq!(nearest("N", ["m", "n"]), Some("n"));
        assert_eq!(nearest("power", ["sum", "pow"]), Some("pow"));
        assert_eq!(nearest("logits", ["log"]), None);
        // The beginning of a name is nearer than another name.
        assert_eq!(nearest("train_tea", ["train_all", "train_teachers", "train_teacher"]), Some("train_teacher"));
        assert_eq!(nearest("spec", ["spectral_partition"]), Some("spectral_partition"));
        assert_eq!(nearest("spe", ["spectral_partition"]), None);
        assert_eq!((nearest("stop", ["stop sign"]), misspelt("stop", ["stop sign"])), (Some("stop sign"), None));
        assert_eq!(misspelt("dgo", ["cat", "dog"]), Some("dog"));
        assert_eq!(nearest("tabel", ["table", "tabelled"]), Some("table"));
        // Long words and names are not compared.
        let long = "x".repeat(1_000_000);
        assert_eq!(nearest(&long, [&*long]), None);
        assert_eq!(nearest("dgo", [&*long, "dog"]), Some("dog"));
    }

    #[test]
    fn long_names_are_cut_in_their_middle() {
        let long = "x".repeat(60_000);
        for text in [format!("unknown label \"{long}\""), format!("/tmp/{long}: there is no such file"), long.clone()] {
            let shown = cut_names(&text);
            assert!(shown.chars().count() < 260 && shown.contains("xx[... "), "{shown}");
            let counted = shown.split("[... ").nth(1).unwrap().split(' ').next().unwrap().parse::<usize>().unwrap();
            let marks = format!("[... {counted} characters ...]").len();
            assert_eq!(shown.len() - marks + counted, text.len());
        }
        // A name with blanks, and characters of several bytes.
        let shown =
            cut_names(&format!("unknown label \"{}\"; expected one of: cat, dog", "ä b".repeat(1000))).into_owned();
        assert!(
            shown.starts_with("unknown label \"ä b") && shown.ends_with("ä b\"; expected one of: cat, dog"),
            "{shown}"
        );
        // Many short names stay.
        let list = format!("expected one of: {}", vec!["a label"; 500].join(", "));
        assert_eq!(cut_names(&list), list);
        assert_eq!(Error::argument(format!("\"{long}\"")).to_string(), cut_names(&format!("\"{long}\"")));
    }

    #[test]
    fn unknown_lists_all_when_nothing_is_near() {
        let error = Error::unknown("branch", "xyz", ["co", "dis"]);
        assert_eq!(error.help.as_deref(), Some("expected one of: co, dis"));
    }
}
