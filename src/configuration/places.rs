//! Where files of settings are: of the project, of the user, of the program.

use std::path::{Path, PathBuf};

use crate::environment;
use crate::files::own;

/// The name of every file of settings.
pub const FILE: &str = "cpsd.toml";

/// Whose a file of settings is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// The project's: it comes with a folder, from whoever wrote that.
    #[default]
    Project,
    /// The person's, for all folders.
    User,
    /// It belongs to the program, as who installed it has it.
    Program,
}

/// A file of settings, which need not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    pub whose: Whose,
}

/// The files for work that begins in `folder`, in the order in which they count. That of the project is the nearest one above, or where it
/// would be.
pub(super) fn of(folder: &Path) -> Vec<Place> {
    let place = |path: PathBuf, whose| Place { path, whose };
    let (project, user) = (project_above(folder), user_file());
    let project = project.unwrap_or_else(|| folder.join(FILE));
    let mut all = vec![place(project, Whose::Project)];
    let others = user.into_iter().map(|path| place(path, Whose::User));
    let program = program_folders().into_iter().map(|folder| place(folder.join(FILE), Whose::Program));
    let program = program.filter(|place| is_of_program(&place.path));
    for other in others.chain(program) {
        match all.iter().any(|known| known.path == other.path) {
            // Whoever works in the configuration folder has no project there.
            true if other.whose == Whose::User => all[0] = other,
            true => {}
            false => all.push(other),
        }
    }
    all
}

/// Whether a file beside the program is from whom the program is: others may write in its folder too, if that is `/tmp`.
fn is_of_program(file: &Path) -> bool {
    let one_owner = || std::env::current_exe().is_ok_and(|program| own::have_one_owner(file, &program));
    own::is_absent(file) || own::is_of_this_user(file) || one_owner()
}

/// The nearest `cpsd.toml` in `folder` or above it. Above it, one of another user does not count: whoever can write in `/tmp` could
/// otherwise set what everyone who works below has.
pub fn project_above(folder: &Path) -> Option<PathBuf> {
    files_above(folder).find(|file| counts(file, folder))
}

/// The file of another user that is nearer than that of the project.
pub(super) fn passed_over(folder: &Path) -> Option<PathBuf> {
    files_above(folder).next().filter(|file| !counts(file, folder))
}

fn files_above(folder: &Path) -> impl Iterator<Item = PathBuf> {
    folder.ancestors().map(|folder| folder.join(FILE)).filter(|file| !own::is_absent(file))
}

fn counts(file: &Path, folder: &Path) -> bool {
    file.parent() == Some(folder) || own::is_of_this_user(file)
}

/// The user's file, which need not be there.
pub fn user_file() -> Option<PathBuf> {
    let folder = environment::path("XDG_CONFIG_HOME").or_else(|| Some(environment::path("HOME")?.join(".config")));
    Some(folder?.join("cpsd").join(FILE))
}

/// What a setting that is one path is by default; None if it has no such default, or nobody says where the home folder is.
pub fn default_path(key: &str) -> Option<PathBuf> {
    let data = || environment::path("XDG_DATA_HOME").or_else(|| Some(environment::path("HOME")?.join(".local/share")));
    match key {
        "runs" => std::env::current_dir().ok().map(|here| here.join("runs")),
        "history" => data().map(|data| data.join("cpsd/history")),
        "startup" => user_file().map(|file| file.with_file_name("startup.rhai")),
        _ => None,
    }
}

/// The folders that belong to the program: its own; PREFIX/share/cpsd, where it is in PREFIX/bin; the repository of a build that is in the
/// repository's target folder.
pub(super) fn program_folders() -> Vec<PathBuf> {
    std::env::current_exe().map_or_else(|_| vec![], |program| folders_of(&program))
}

fn folders_of(program: &Path) -> Vec<PathBuf> {
    let Some(own) = program.parent() else { return vec![] };
    let mut folders = vec![own.to_path_buf()];
    if own.file_name().is_some_and(|name| name == "bin")
        && let Some(prefix) = own.parent()
    {
        folders.push(prefix.join("share/cpsd"));
    }
    // Cargo marks the folder in which it builds, whatever its name.
    let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let repository = target.and_then(Path::parent).filter(|folder| folder.join("Cargo.toml").is_file());
    folders.extend(repository.map(Path::to_path_buf));
    folders
}

/// A path as people write it: `~` for the home folder, and relative where it is in the working folder.
pub fn shown(path: &Path) -> String {
    let inside = |folder: Option<PathBuf>| {
        let folder = folder.filter(|folder| folder.parent().is_some())?;
        path.strip_prefix(folder).ok().filter(|rest| !rest.as_os_str().is_empty()).map(Path::to_path_buf)
    };
    match (inside(std::env::current_dir().ok()), inside(environment::path("HOME"))) {
        (Some(rest), _) => rest.display().to_string(),
        (None, Some(rest)) => Path::new("~").join(rest).display().to_string(),
        (None, None) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_found_upwards_and_the_nearest_counts() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir_all(at("a/b/c")).unwrap();
        std::fs::write(at("a/cpsd.toml"), "").unwrap();
        assert_eq!(project_above(&at("a/b/c")), Some(at("a/cpsd.toml")));
        std::fs::write(at("a/b/cpsd.toml"), "").unwrap();
        assert_eq!(project_above(&at("a/b/c")), Some(at("a/b/cpsd.toml")));
        assert_eq!(project_above(&at("a")), Some(at("a/cpsd.toml")));
        let places = of(&at(""));
        assert_eq!((places[0].path.clone(), places[0].whose), (at("cpsd.toml"), Whose::Project));
    }

    #[test]
    fn a_file_of_another_user_counts_in_its_own_folder_alone() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::write(at("cpsd.toml"), "").unwrap();
        std::fs::write(at("a/cpsd.toml"), "").unwrap();
        assert_eq!(passed_over(&at("a/b")), None);
        if std::os::unix::fs::chown(at("a/cpsd.toml"), Some(4711), None).is_err() {
            println!("skipped: this user cannot give files away");
            return;
        }
        assert_eq!(
            (project_above(&at("a/b")), project_above(&at("a"))),
            (Some(at("cpsd.toml")), Some(at("a/cpsd.toml")))
        );
        assert_eq!((passed_over(&at("a/b")), passed_over(&at("a"))), (Some(at("a/cpsd.toml")), None));
    }

    #[test]
    fn the_programs_folders_follow_from_where_it_is() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        assert_eq!(folders_of(&at("bin/cpsd")), [at("bin"), at("share/cpsd")]);
        assert_eq!(folders_of(&at("x/cpsd")), [at("x")]);
        std::fs::create_dir_all(at("target/release")).unwrap();
        std::fs::write(at("target/CACHEDIR.TAG"), "").unwrap();
        // A folder for builds outside of any repository.
        assert_eq!(folders_of(&at("target/release/cpsd")), [at("target/release")]);
        std::fs::write(at("Cargo.toml"), "").unwrap();
        assert_eq!(folders_of(&at("target/release/cpsd")), [at("target/release"), at("")]);
        assert_eq!(folders_of(&at("target/release/deps/tests-1")), [at("target/release/deps"), at("")]);
    }
}
