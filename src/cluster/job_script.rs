//! The text that a queue runs for each task.

use std::path::{Path, PathBuf};

use super::batch::LOGS;
use super::options::ClusterOptions;
use super::task::STOPPED;
use crate::error::{Error, ErrorKind, Result};
use crate::files::own;

/// The script of a batch, in its folder.
pub(super) const SCRIPT: &str = "job.sh";

/// How a task learns its index.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Index {
    /// By Slurm's array, whose indices begin at 0 again in each array: the script's argument is added.
    OfArray,
    /// As the script's argument.
    Argument,
}

/// Writes `job.sh` into a batch's folder.
///
/// Errors: a path that a shell or a queue cannot name; this program is not cpsd; Data for a folder that cannot be written.
pub(super) fn write(folder: &Path, options: &ClusterOptions, index: Index) -> Result<PathBuf> {
    let (program, here) = (program()?, std::env::current_dir());
    let text = text(&program, folder, here.ok().as_deref(), &options.setup, index)?;
    put(&folder.join(SCRIPT), &text)
}

/// Writes `<index>.sh`, a script of one task. Every shell can read it, csh too, by which some queues run scripts.
///
/// Errors: as [`write`].
pub(super) fn write_one(folder: &Path, task: usize) -> Result<PathBuf> {
    let text = format!("#!/bin/sh\nexec /bin/sh {} {task}\n", quoted(&folder.join(SCRIPT))?);
    put(&folder.join(format!("{task}.sh")), &text)
}

/// Errors are of kind Data: Io means a queue that does not answer.
fn put(path: &Path, text: &str) -> Result<PathBuf> {
    match own::write(path, text.as_bytes()) {
        Ok(()) => Ok(path.to_path_buf()),
        Err(error) => Err(Error { kind: ErrorKind::Data, ..error }),
    }
}

/// The pattern of the logs of an array, for sbatch. With an offset, each task gives its log the right name by a link.
pub(super) fn log_pattern(folder: &Path, offset: usize) -> Result<String> {
    let shown = checked(folder)?.replace('%', "%%");
    Ok(match offset {
        0 => format!("{shown}/{LOGS}/%a.log"),
        offset => format!("{shown}/{LOGS}/{offset}+%a.log"),
    })
}

fn text(program: &Path, folder: &Path, here: Option<&Path>, setup: &[String], index: Index) -> Result<String> {
    // `module` is a function of bash.
    let shell = if setup.is_empty() || index == Index::Argument { "/bin/sh" } else { "/bin/bash" };
    let (program, folder) = (quoted(program)?, quoted(folder)?);
    let mut lines = vec![format!("#!{shell}"), "# One task of a batch of cpsd.".to_string()];
    match index {
        Index::OfArray => {
            lines.push("CPSD_TASK=$((SLURM_ARRAY_TASK_ID + ${1:-0}))".into());
            lines.push(format!(
                "test \"${{1:-0}}\" = 0 || ln -sf \"$1+$SLURM_ARRAY_TASK_ID.log\" {folder}/{LOGS}/\"$CPSD_TASK.log\""
            ));
        }
        Index::Argument => {
            lines.push("CPSD_TASK=${1:?the index of a task is missing}".into());
            // Slurm begins in this folder by itself; others in the home folder.
            if let Some(here) = here {
                lines.push(format!("cd {}", quoted(here)?));
            }
        }
    }
    lines.push("export CPSD_TASK".into());
    // The queue gives the devices, whatever the submitting shell has chosen for itself.
    lines.push("unset CPSD_DEVICE CPSD_THREADS".into());
    // A warning of the time limit that comes during the lines of setup is handed on; a task that must end before it has begun ends as one
    // that was stopped.
    lines.push("export CPSD_WARNED=".into());
    lines.push("trap 'CPSD_WARNED=1' USR1".into());
    lines.push(format!("trap 'exit {STOPPED}' TERM"));
    lines.extend(setup.iter().cloned());
    // Until the program hears signals, they are held where env can (coreutils 8.31), else the warning is lost, which harms less than an end
    // by it.
    lines.push("CPSD_HOLD='env --block-signal=USR1 --block-signal=TERM'".into());
    lines.push("$CPSD_HOLD true 2>/dev/null || CPSD_HOLD=".into());
    lines.push("trap '' USR1".into());
    // The queue signals this process.
    lines.push(format!("exec $CPSD_HOLD {program} worker --queued {folder}/\"$CPSD_TASK.json\""));
    Ok(lines.join("\n") + "\n")
}

/// A path as a word of a shell. Errors: a path that is no text, or has control characters or backslashes.
fn quoted(path: &Path) -> Result<String> {
    quote(checked(path)?)
}

/// A text as a word of a shell. Errors: a zero byte.
pub(super) fn quote(text: &str) -> Result<String> {
    let quoted = shlex::try_quote(text).map_err(|_| Error::argument(format!("{text:?} cannot be given to a shell")))?;
    Ok(quoted.into_owned())
}

/// Errors: a path that is no text, or has control characters or a backslash, by which Slurm takes `%a` for plain letters.
fn checked(path: &Path) -> Result<&str> {
    path.to_str().filter(|text| !text.contains(|c: char| c.is_control() || c == '\\')).ok_or_else(|| {
        let text = format!("{path:?}: a queue needs paths that are UTF-8 without control characters and backslashes");
        Error::argument(text).about_file(path)
    })
}

/// The program of tasks: this one, or `cpsd` beside it or in the folder above, as cargo builds it for tests.
///
/// Errors: a program that was replaced meanwhile; another program without cpsd.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|e| Error::internal(format!("this program cannot be found: {e}")))?;
    if own.to_str().is_some_and(|path| path.ends_with(" (deleted)")) {
        let text =
            "the program cpsd was replaced or removed since this process began, so its tasks would run another one";
        return Err(Error::argument(text).with_help("begin cpsd again"));
    }
    if own.file_stem().is_some_and(|name| name == "cpsd") {
        return Ok(own);
    }
    let near = own.ancestors().skip(1).take(2).map(|folder| folder.join("cpsd"));
    near.into_iter().find(|path| !own::is_absent(path)).ok_or_else(|| {
        Error::argument(format!(
            "tasks of a queue need the program cpsd; here the library runs in {}, and there is no cpsd beside it",
            own.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs a script in a folder with a space and a quote, with a program that says what it got.
    fn run(index: Index, argument: &str, setup: &[&str]) -> (String, tempfile::TempDir) {
        let root = tempfile::Builder::new().prefix("it's a % ").tempdir().unwrap();
        std::fs::create_dir(root.path().join("logs")).unwrap();
        let program = root.path().join("the program");
        std::fs::write(
            &program,
            "#!/bin/sh\nprintf '%s|' \"$@\"\necho \"$CPSD_TASK|${CPSD_DEVICE-none}|$PWD|$EXTRA\"\n",
        )
        .unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let setup: Vec<String> = setup.iter().map(|line| line.to_string()).collect();
        let text = text(&program, root.path(), Some(Path::new("/usr")), &setup, index).unwrap();
        put(&root.path().join(SCRIPT), &text).unwrap();
        let script = match index {
            Index::OfArray => root.path().join(SCRIPT),
            Index::Argument => write_one(root.path(), argument.parse().unwrap()).unwrap(),
        };
        let mut command = Command::new("sh");
        command.arg(script).env("SLURM_ARRAY_TASK_ID", "7").env("CPSD_DEVICE", "cpu").current_dir("/tmp");
        if index == Index::OfArray {
            command.arg(argument);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (said.replace(root.path().to_str().unwrap(), "FOLDER").trim_end().to_string(), root)
    }

    #[test]
    fn a_task_of_an_array_finds_its_file() {
        assert_eq!(run(Index::OfArray, "0", &[]).0, "worker|--queued|FOLDER/7.json|7|none|/tmp|");
        let (said, root) = run(Index::OfArray, "1000", &["export EXTRA='a b'"]);
        assert_eq!(said, "worker|--queued|FOLDER/1007.json|1007|none|/tmp|a b");
        let link = std::fs::read_link(root.path().join("logs/1007.log")).unwrap();
        assert_eq!(link, Path::new("1000+7.log"));
    }

    #[test]
    fn a_job_of_its_own_has_its_index_as_argument() {
        assert_eq!(run(Index::Argument, "3", &[]).0, "worker|--queued|FOLDER/3.json|3|none|/usr|");
        assert_eq!(run(Index::Argument, "3", &["echo no such module >&2", "exit 3"]).0, "no such module");
    }

    /// A warning while the lines of setup run, and one while the program is being loaded, reach the program.
    #[test]
    fn an_early_warning_is_handed_on() {
        let (said, _root) =
            run(Index::Argument, "3", &["kill -USR1 $$", "EXTRA=\"warned $CPSD_WARNED\"; export EXTRA"]);
        assert!(said.ends_with("|warned 1"), "{said}");
        let text = text(Path::new("/bin/cpsd"), Path::new("/a"), None, &["true".into()], Index::OfArray).unwrap();
        // Those of setup stand between the traps and the program.
        let at =
            |line: &str| text.lines().position(|l| l.starts_with(line)).unwrap_or_else(|| panic!("{line}: {text}"));
        assert!(at("trap 'CPSD_WARNED=1' USR1") < at("true") && at("true") < at("trap '' USR1"));
        assert!(at("trap '' USR1") < at("exec $CPSD_HOLD /bin/cpsd worker"));
        let (said, _root) = run(Index::Argument, "3", &["kill -TERM $$", "echo not reached"]);
        assert_eq!(said, "");
    }

    #[test]
    fn logs_are_named_by_the_task() {
        assert_eq!(log_pattern(Path::new("/a b/50%"), 0).unwrap(), "/a b/50%%/logs/%a.log");
        assert_eq!(log_pattern(Path::new("/a"), 1000).unwrap(), "/a/logs/1000+%a.log");
        let refused = log_pattern(Path::new("/a\\b"), 0).unwrap_err();
        assert!(refused.message.contains("without control characters and backslashes"), "{refused}");
    }
}
