//! Which files scripts may read, write and run as code, and whether their shell runs in a queue: one policy per process.
//!
//! A Rust program that uses this library has the open policy, which allows everything. The program `cpsd` fences writing
//! ([`Policy::fenced`]), and with `--untrusted` reading as well. A worker process has its parent's policy.

use std::cell::Cell;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::activity::console;
use crate::activity::visible::visible;
use crate::error::{Error, ErrorKind, Result};

/// The variable of the environment by which a worker process receives its parent's policy.
pub const VARIABLE: &str = "CPSD_POLICY";

/// What scripts may do with files.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Policy {
    /// Where files may be read; `None` is everywhere.
    pub reads: Option<Vec<PathBuf>>,
    /// Where files may be written; `None` is everywhere.
    pub writes: Option<Vec<PathBuf>>,
    /// Whether TorchScript files, which are programs, may run, and shell that a script or the working folder has for a queue.
    pub code: bool,
    /// Whether the script is not trusted: nobody is asked, and no permission is added later.
    pub untrusted: bool,
    /// The variables of the environment that may be read if it is not trusted.
    #[serde(default)]
    pub environment: Vec<String>,
}

static POLICY: RwLock<Policy> =
    RwLock::new(Policy { reads: None, writes: None, code: true, untrusted: false, environment: Vec::new() });
/// Who is named in refusals.
static SUBJECT: RwLock<String> = RwLock::new(String::new());
/// The places, files of TorchScript and lines of shell that the person has refused.
static REFUSED: RwLock<Vec<PathBuf>> = RwLock::new(Vec::new());

impl Policy {
    /// Reading is free. Writing is allowed under the working folder and under `places`.
    pub fn fenced(places: &[&Path]) -> Policy {
        let mut writes: Vec<PathBuf> = places.iter().filter_map(|place| resolved(place).ok()).collect();
        // With `/` as working folder the fence would enclose everything.
        writes.extend(std::env::current_dir().and_then(std::fs::canonicalize).ok().filter(|p| p.parent().is_some()));
        Policy { reads: None, writes: Some(writes), code: false, untrusted: false, environment: vec![] }
    }

    /// Reading is allowed under `reads` and where writing is; writing under `writes` alone.
    pub fn untrusted(reads: &[&Path], writes: &[&Path]) -> Policy {
        let all = |places: &[&Path]| places.iter().filter_map(|place| resolved(place).ok()).collect::<Vec<_>>();
        Policy { reads: Some(all(reads)), writes: Some(all(writes)), code: false, untrusted: true, environment: vec![] }
    }
}

impl fmt::Display for Policy {
    /// One line for each of reading, writing and TorchScript.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let places = |places: &Option<Vec<PathBuf>>| match places {
            None => "everywhere".to_string(),
            Some(places) => places.iter().map(|place| shown(place)).collect::<Vec<_>>().join(", "),
        };
        writeln!(f, "read   {}", places(&self.reads))?;
        writeln!(f, "write  {}", places(&self.writes))?;
        let code = match self.code {
            true => "TorchScript files run, and a script's shell in a queue",
            false => "no TorchScript file runs, nor a script's shell in a queue",
        };
        writeln!(f, "code   {code}")
    }
}

/// Sets the policy of this process.
pub fn set(policy: Policy) {
    *POLICY.write() = policy;
}

/// The policy of this process.
pub fn current() -> Policy {
    POLICY.read().clone()
}

/// Names the script that refusals speak of.
pub fn set_subject(name: &str) {
    *SUBJECT.write() = name.to_string();
}

/// Allows reading and writing of a path that a person has typed: a file, or a folder and everything in it.
pub fn allow_typed(path: &str) {
    if is_place(path) {
        allow_write(Path::new(path));
        allow_read(Path::new(path));
    }
}

/// Whether a typed text can mean a place. Typed alone, "/" means a separator more often than the whole machine.
pub fn is_place(text: &str) -> bool {
    Path::new(text).components().any(|part| part != Component::RootDir)
}

/// Allows writing of a file, or of a folder and everything in it.
pub fn allow_write(path: &Path) {
    allow(path, |policy| policy.writes.as_mut());
}

/// Allows reading of a file, or of a folder and everything in it.
pub fn allow_read(path: &Path) {
    allow(path, |policy| policy.reads.as_mut());
}

/// Allows TorchScript files and the shell of queues to run.
pub fn allow_code() {
    let mut policy = POLICY.write();
    policy.code |= !policy.untrusted;
}

/// Adds a place, unless nothing is added: the kernel's fence around a script that is not trusted is never widened.
fn allow(path: &Path, places: impl Fn(&mut Policy) -> Option<&mut Vec<PathBuf>>) {
    let mut policy = POLICY.write();
    if !policy.untrusted
        && let (Some(places), Ok(path)) = (places(&mut policy), resolved(path))
        && !may_be_written(&path, places)
    {
        places.push(path);
    }
}

/// Errors: Io, if scripts may not read `path`.
pub fn check_read(path: &Path) -> Result<()> {
    if AS_PROGRAM.get() {
        return Ok(());
    }
    let allowed = {
        let policy = POLICY.read();
        let Some(reads) = &policy.reads else { return Ok(()) };
        let path = resolved(path)?;
        below(&path, reads).chain(below(&path, policy.writes.as_deref().unwrap_or_default())).next().is_some()
    };
    match allowed {
        true => Ok(()),
        false => Err(refusal("read", path).with_help(option("read", &place_of(&resolved(path)?)))),
    }
}

/// Errors: Argument, if scripts may not read this variable of the environment.
pub fn check_environment(name: &str) -> Result<()> {
    let policy = POLICY.read();
    if !policy.untrusted || policy.environment.iter().any(|allowed| allowed == name) {
        return Ok(());
    }
    let message = format!("{} may not read the variable {name} of the environment", subject());
    Err(Error::new(ErrorKind::Io, message).about_name(name).with_help(format!("--allow-env={name} allows it")))
}

/// The path at which `path` is written, behind all links. The person at the prompt is asked for a place outside the fence.
///
/// Errors: Io, if scripts may not write it.
pub fn writable(path: &Path) -> Result<PathBuf> {
    permitted(path, false)
}

/// Asks for the permission to write `path`, before work whose result is written there at its end.
///
/// Errors: as [`writable`].
pub fn ask_to_write(path: &Path) -> Result<()> {
    writable(path).map(drop)
}

/// Asks for the permission to write files in `folder` and those in it, once and before the first of them.
///
/// Errors: as [`writable`].
pub fn ask_to_fill(folder: &Path) -> Result<()> {
    permitted(folder, true).map(drop)
}

/// [`writable`], of a file or of a folder that is filled.
fn permitted(path: &Path, fills: bool) -> Result<PathBuf> {
    if AS_PROGRAM.get() {
        return Ok(path.to_path_buf());
    }
    let (allowed, untrusted, real) = {
        let policy = POLICY.read();
        let Some(writes) = &policy.writes else { return Ok(path.to_path_buf()) };
        let real = resolved(path)?;
        (may_be_written(&real, writes), policy.untrusted, real)
    };
    if let Some(run) = finished_run(&real) {
        let error = refusal("write", path);
        return Err(error.with_help(format!("{} is a finished run, which never changes", shown(run))));
    }
    if allowed {
        // As it was given: errors name the path that the script wrote.
        return Ok(path.to_path_buf());
    }
    let place = if fills { real.clone() } else { place_of(&real) };
    if untrusted || !console::can_ask() {
        return Err(refusal("write", path).with_help(option("write", &place)));
    }
    let allowed = match place == real {
        true => "it".to_string(),
        false => format!("writing in {}", shown(&place)),
    };
    let what = if fills { "files in " } else { "" };
    if agreed(&place, &format!("{} wants to write {what}{}. Allow {allowed}?", subject(), shown(path))) {
        allow_write(&place);
        return Ok(path.to_path_buf());
    }
    Err(refusal("write", path).with_help(format!(":allow write {} allows it", place.display())))
}

/// Whether the TorchScript file `path`, a program, may run. The person at the prompt is asked.
///
/// Errors: Argument, naming the option that allows it.
pub fn may_run_code(path: &Path) -> Result<()> {
    let Policy { code, untrusted, .. } = current();
    if untrusted {
        let text = format!("{}: a TorchScript file is a program, and --untrusted lets none run", shown(path));
        return Err(Error::argument(text).about_file(path));
    }
    if code {
        return Ok(());
    }
    let question =
        format!("{} is a TorchScript file, which is a program. Let such files run in this session?", shown(path));
    if agreed(path, &question) {
        allow_code();
        return Ok(());
    }
    let text = format!("{}: a TorchScript file is a program, and none may run here", shown(path));
    let option = if console::can_ask() { ":allow code" } else { "--allow-code" };
    Err(Error::argument(text).about_file(path).with_help(format!("{option} lets TorchScript files run")))
}

/// Whether `text`, which a queue named `queue` has for a shell as its `key`, may run, and `more` texts beside it. The person at the prompt is
/// asked; a yes is for these texts alone.
///
/// Errors: Argument, naming the option that allows it.
pub fn may_run_shell(queue: &str, key: &str, text: &str, more: usize) -> Result<()> {
    if current().code {
        return Ok(());
    }
    let line: String = text.chars().take(200).collect();
    let cut = if line.len() < text.len() { "..." } else { "" };
    let line = format!("{}{cut}", visible(&line));
    let beside = match more {
        0 => String::new(),
        1 => " and 1 more".to_string(),
        n => format!(" and {n} more"),
    };
    let what =
        format!("has {queue} run shell that is not your own, and nothing fences it there: {key} `{line}`{beside}");
    // A refusal is remembered by the text.
    if agreed(Path::new(&format!("{key}: {text}")), &format!("{} {what}. Let it run in this session?", subject())) {
        return Ok(());
    }
    let option = if console::can_ask() { ":allow code" } else { "--allow-code" };
    let help = format!(
        "{option} lets it run; what you type, and what cpsd.toml in your configuration folder (~/.config/cpsd) says, is your own"
    );
    Err(Error::argument(format!("{} {what}", subject())).about_name(key).with_help(help))
}

/// Whether a path, behind all links, is one of `places` or in one of them, in no hidden file or folder.
pub fn lies_in(path: &Path, places: &[PathBuf]) -> bool {
    let places: Vec<PathBuf> = places.iter().filter_map(|place| resolved(place).ok()).collect();
    resolved(path).is_ok_and(|path| may_be_written(&path, &places))
}

/// The policy of this process, for the environment of a worker.
pub fn for_worker() -> String {
    serde_json::to_string(&current()).unwrap_or_default()
}

/// Takes the policy of the parent process over. Without one, writing is fenced to `places`.
///
/// Errors: Argument for a text that is no policy.
pub fn take_over(text: Option<&str>, places: &[&Path]) -> Result<()> {
    let policy = match text {
        Some(text) => serde_json::from_str(text)
            .map_err(|e| Error::argument(format!("the environment's {VARIABLE} is no policy: {e}")))?,
        None => Policy::fenced(places),
    };
    set(policy);
    Ok(())
}

fn refusal(what: &str, path: &Path) -> Error {
    Error::new(ErrorKind::Io, format!("{} may not {what} {}", subject(), shown(path))).about_file(path)
}

fn subject() -> String {
    let subject = SUBJECT.read();
    if subject.is_empty() { "a script".into() } else { subject.clone() }
}

/// Whether the person at the prompt says yes. Asked once for each place; nobody else is asked.
fn agreed(place: &Path, question: &str) -> bool {
    if REFUSED.read().iter().any(|refused| refused == place) {
        return false;
    }
    match console::confirm(question) {
        Some(true) => true,
        Some(false) => {
            REFUSED.write().push(place.to_path_buf());
            false
        }
        None => false,
    }
}

/// The place whose permission allows a path: its folder, or itself if it is hidden or right under the root.
fn place_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder.parent().is_some() && may_be_written(path, &[folder.to_path_buf()]) => folder.into(),
        _ => path.to_path_buf(),
    }
}

/// The option that allows a place, as it is typed: a shell does not expand `~` behind the sign.
fn option(what: &str, place: &Path) -> String {
    let place = place.display().to_string();
    match place.chars().all(|c| c.is_alphanumeric() || "/._-+,:@%".contains(c)) {
        true => format!("--allow-{what}={place} allows it"),
        false => format!("--allow-{what}={} allows it", shown_quoted(&place)),
    }
}

/// A text in the quotes of a shell.
fn shown_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A path as people write it: `~` is the home folder.
fn shown(path: &Path) -> String {
    let home = std::env::var_os("HOME").filter(|home| home.len() > 1);
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) => Path::new("~").join(rest).display().to_string(),
        None => path.display().to_string(),
    }
}

/// The part of a resolved path below one of `places`, for each that it is in.
fn below<'a>(path: &'a Path, places: &'a [PathBuf]) -> impl Iterator<Item = &'a Path> {
    places.iter().filter_map(|place| path.strip_prefix(place).ok())
}

/// Whether a resolved path is one of `places` or in one of them, in no hidden file or folder: those hold settings and keys.
fn may_be_written(path: &Path, places: &[PathBuf]) -> bool {
    let hidden = |part: Component| matches!(part, Component::Normal(name) if name.as_encoded_bytes().starts_with(b"."));
    below(path, places).any(|rest| !rest.components().any(hidden))
}

/// The folder of a finished run that a path is in.
fn finished_run(path: &Path) -> Option<&Path> {
    let hash = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let named = |folder: &Path| {
        let name = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('-'));
        name.is_some_and(|(kind, rest)| kind.bytes().all(|b| b.is_ascii_lowercase()) && hash(rest))
    };
    path.ancestors().skip(1).find(|folder| named(folder) && folder.join("summary.json").is_file())
}

thread_local! {
    static AS_PROGRAM: Cell<bool> = const { Cell::new(false) };
}

/// Does `work` without this thread's policy: for functions that write both files that a script names and those of the
/// program itself. No code of a script may run in it.
pub(super) fn as_program<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            AS_PROGRAM.set(self.0);
        }
    }
    let _before = Before(AS_PROGRAM.replace(true));
    work()
}

/// The absolute path behind all links of the part that exists. What does not exist is taken by its letters.
fn resolved(path: &Path) -> Result<PathBuf> {
    let mut whole = std::path::absolute(path).map_err(|e| Error::io(path, e))?;
    // A link to nothing would be made a file where it points.
    for _ in 0..40 {
        match std::fs::read_link(&whole) {
            Ok(to) if std::fs::canonicalize(&whole).is_err() => {
                whole = whole.parent().unwrap_or(Path::new("/")).join(to);
            }
            _ => break,
        }
    }
    let mut missing = Vec::new();
    let mut there = whole.as_path();
    loop {
        if let Ok(mut real) = std::fs::canonicalize(there) {
            for part in missing.into_iter().rev() {
                match part {
                    Component::ParentDir => drop(real.pop()),
                    Component::Normal(name) => real.push(name),
                    _ => {}
                }
            }
            return Ok(real);
        }
        let Some(last) = there.components().next_back() else { return Ok(whole) };
        missing.push(last);
        let Some(parent) = there.parent() else { return Ok(whole) };
        there = parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_includes_what_is_in_it_but_nothing_hidden() {
        let places = [PathBuf::from("/work/.hidden/here"), PathBuf::from("/typed/.x/report.html")];
        let allowed = |path: &str| may_be_written(Path::new(path), &places);
        assert!(allowed("/work/.hidden/here") && allowed("/work/.hidden/here/a/b.csv"));
        assert!(allowed("/typed/.x/report.html"));
        for path in
            ["/work/.hidden/here/.git/config", "/work/.hidden/here/a/.x", "/work/.hidden/hereafter", "/typed/.x"]
        {
            assert!(!allowed(path), "{path}");
        }
    }

    #[test]
    fn paths_are_resolved_behind_links_and_what_does_not_exist_by_its_letters() {
        let folder = tempfile::tempdir().unwrap();
        let real = std::fs::canonicalize(folder.path()).unwrap();
        std::fs::create_dir(real.join("in")).unwrap();
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, real.join(at)).unwrap();
        link("/etc", "in/out");
        link("/etc/nothing-there", "in/dangling");
        let of = |path: &str| resolved(&real.join(path)).unwrap();
        assert_eq!(of("in/out/passwd"), Path::new("/etc/passwd"));
        assert_eq!(of("in/dangling"), Path::new("/etc/nothing-there"));
        assert_eq!(of("in/new/../../x"), real.join("x"));
        assert_eq!(of("in/new/deep.csv"), real.join("in/new/deep.csv"));
        assert_eq!(of("in/out/../new"), Path::new("/new"));
    }
}
