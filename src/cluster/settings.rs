//! Queues in the `cpsd.toml` of the project, of the user, or of the program.
//!
//! ```toml
//! [slurm]                 # the options of slurm(...)
//! partition = "gpu"
//!
//! [engine.pbs]            # four commands, and the options that they mention
//! submit = "qsub -N {name} -l select=1:ncpus={cpus} -j oe -o {log} {script}"
//! status = "qstat -x -f {jobs}"
//! cancel = "qdel {jobs}"
//! requeue = "qrerun {job}"
//! cpus = 8
//! ```
//!
//! A table is that of the first of the files that has it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::code;
use super::engine::{Cluster, Engine, TaskState};
use super::options::{ClusterOptions, OR_NUMBERS};
use super::templates::Templates;
use crate::configuration::{self, Place, Whose};
use crate::error::{Error, Result};
use crate::files::own;
use crate::options;

const SLURM: &str = "slurm";

options! {
    /// `[engine.NAME]`.
    struct EngineTable extends resources: ClusterOptions {
        /// the command that puts one task into the queue and prints its job's id
        pub submit: String = String::new();
        /// the command that prints a line for each job, with its id first and its state
        pub status: String = String::new();
        /// the command that takes jobs out of the queue
        pub cancel: String = String::new();
        /// the command that puts a job back into it
        pub requeue: String = String::new();
        /// what {after} is in submit where a task must begin after others, as "-W depend=afterany:{jobs}"
        pub after: Option<String> = None;
        /// what the status command's words mean, beside those that are known
        pub states: BTreeMap<String, TaskState> = BTreeMap::new();
    }
}

/// The queue of that name.
pub(super) fn cluster(name: &str) -> Result<Cluster> {
    let (cluster, whose) = named(name, &configuration::places())?;
    // What the user has written for all folders is the user's own, and the program is as trusted as itself.
    if whose.is_some_and(|whose| whose != Whose::Project) {
        code::own(&cluster);
    }
    Ok(cluster)
}

/// The queue, and whose file has its table.
fn named(name: &str, places: &[Place]) -> Result<(Cluster, Option<Whose>)> {
    let mut engines = vec![SLURM.to_string()];
    for Place { path, whose } in places.iter().filter(|place| !own::is_absent(&place.path)) {
        let tables = tables(path, *whose)?;
        match (name, tables.slurm) {
            (SLURM, Some(table)) => {
                let cluster = slurm(&table).map_err(|error| in_file(path, error))?;
                return Ok((cluster, Some(*whose)));
            }
            _ => {
                if let Some(table) = tables.engines.get(name) {
                    let cluster = engine(name, table).map_err(|error| in_file(path, error))?;
                    return Ok((cluster, Some(*whose)));
                }
                engines.extend(tables.engines.keys().cloned());
            }
        }
    }
    if name == SLURM {
        return Ok((Cluster::slurm(ClusterOptions::default()), None));
    }
    let error = Error::unknown("engine", name, engines.iter().map(String::as_str));
    // One beside the program is rare.
    let usual = places.iter().filter(|place| place.whose != Whose::Program || !own::is_absent(&place.path));
    let places: Vec<String> = usual.map(|place| configuration::shown(&place.path)).collect();
    let message =
        format!("{}: it is neither \"slurm\" nor a table [engine.{name}] of {}", error.message, places.join(" or of "));
    Err(Error { message, ..error })
}

/// The tables of a file.
#[derive(Default)]
struct Tables {
    slurm: Option<Map<String, Value>>,
    engines: BTreeMap<String, Map<String, Value>>,
}

fn tables(path: &Path, whose: Whose) -> Result<Tables> {
    let table = |name: &str, value: Value| match value {
        Value::Object(mut table) => {
            table.values_mut().for_each(time_as_text);
            for key in OR_NUMBERS {
                if let Some(value) = table.get_mut(key).filter(|value| value.is_i64()) {
                    *value = Value::String(value.to_string());
                }
            }
            Ok(table)
        }
        other => Err(Error::in_file(path, format!("{name} must be a table, as [{name}]; got {other}"))),
    };
    let mut tables = Tables::default();
    for (name, value) in configuration::read(path, whose)?.tables {
        if name == SLURM {
            tables.slurm = Some(table(SLURM, value)?);
            continue;
        }
        for (name, value) in table("engine.NAME", value)? {
            if name == SLURM || name == "here" {
                return Err(Error::in_file(path, format!("[engine.{name}]: this name is taken; any other will do")));
            }
            let engine = table(&format!("engine.{name}"), value)?;
            tables.engines.insert(name, engine);
        }
    }
    Ok(tables)
}

/// `time = 08:00:00` without quotes is a time of day to TOML, which serde has as a table of one key.
fn time_as_text(value: &mut Value) {
    if let Value::Object(table) = value
        && let Some(Value::String(text)) = table.get("$__toml_private_datetime")
    {
        *value = Value::String(text.clone());
    }
}

fn slurm(table: &Map<String, Value>) -> Result<Cluster> {
    let options: ClusterOptions = options::read("[slurm]", table)?;
    options.check_further("[slurm]")?;
    Ok(Cluster::slurm(options))
}

fn engine(name: &str, table: &Map<String, Value>) -> Result<Cluster> {
    let word = format!("[engine.{name}]");
    let EngineTable { submit, status, cancel, requeue, after, states, resources } = options::read(&word, table)?;
    for (key, command) in [("submit", &submit), ("status", &status), ("cancel", &cancel), ("requeue", &requeue)] {
        if command.trim().is_empty() {
            return Err(Error::argument(format!("{word} has no command {key}"))
                .with_help("it needs submit, status, cancel and requeue"));
        }
    }
    let templates = Templates { name: name.into(), submit, status, cancel, requeue, after, states };
    templates.check(&resources)?;
    Ok(Cluster { engine: Engine::Commands(templates), options: resources })
}

/// The error of a file's table: its place is the file, not the call.
fn in_file(path: &Path, error: Error) -> Error {
    let help = error.help.clone();
    let error = Error { about: None, help: None, ..error };
    let message = format!("{}: {}", path.display(), error.message);
    let error = Error { message, ..error }.about_file(path);
    match help {
        Some(help) => error.with_help(help),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::options::OnInterrupt;

    fn read(name: &str, here: &str, user: Option<&str>) -> Result<Cluster> {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str, whose| Place { path: root.path().join(name), whose };
        let places = [place("here.toml", Whose::Project), place("user.toml", Whose::User)];
        std::fs::write(&places[0].path, here).unwrap();
        if let Some(user) = user {
            std::fs::write(&places[1].path, user).unwrap();
        }
        named(name, &places).map(|(cluster, _)| cluster).map_err(|error| {
            let message = error.message.replace(root.path().to_str().unwrap(), "FOLDER");
            Error { message, ..error }
        })
    }

    fn said(name: &str, here: &str) -> (String, Option<String>) {
        let error = read(name, here, None).unwrap_err();
        (error.message, error.help)
    }

    const PBS: &str =
        "[engine.pbs]\nsubmit = \"qsub -l select=1:ncpus={cpus} {script}\"\nstatus = \"qstat -x -f {jobs}\"
cancel = \"qdel {jobs}\"\nrequeue = \"qrerun {job}\"\ncpus = 8\nstates = { Z = \"failed\" }\n";

    #[test]
    fn a_table_gives_the_options() {
        let text = "[slurm]\npartition = \"gpu\"\ncpus = 8\nsetup = [\"module load cuda\"]\non_interrupt = \"cancel\"
sbatch = { mail-type = \"FAIL\" }\n";
        let cluster = read("slurm", text, None).unwrap();
        assert_eq!((cluster.engine, cluster.options.cpus), (Engine::Slurm, Some(8)));
        assert_eq!(cluster.options.on_interrupt, OnInterrupt::Cancel);
        assert_eq!(cluster.options.sbatch["mail-type"].as_deref(), Some("FAIL"));
        assert_eq!(read("slurm", "", None).unwrap(), Cluster::slurm(ClusterOptions::default()));
        let Cluster { engine: Engine::Commands(pbs), options } = read("pbs", PBS, None).unwrap() else { panic!() };
        assert_eq!((pbs.cancel.as_str(), options.cpus), ("qdel {jobs}", Some(8)));
        assert_eq!(pbs.states["Z"], TaskState::Failed);
    }

    #[test]
    fn memory_and_time_may_be_numbers_and_a_time_may_lack_its_quotes() {
        let options = |text: &str| read("slurm", text, None).unwrap().options;
        let numbers = options("[slurm]\nmemory = 32000\ntime = 480");
        assert_eq!((numbers.memory.as_deref(), numbers.time.as_deref()), (Some("32000"), Some("480")));
        assert_eq!(options("[slurm]\ntime = 08:00:00").time.as_deref(), Some("08:00:00"));
        assert!(said("slurm", "[slurm]\ntime = 2026-11-26").0.contains("must be minutes"));
        let text =
            PBS.replace("cpus={cpus}", "cpus={cpus}:mem={megabytes}").replace("cpus = 8", "cpus = 8\nmemory = 500");
        assert_eq!(read("pbs", &text, None).unwrap().options.memory.as_deref(), Some("500"));
        let (message, _) = said("slurm", "[slurm]\nqos = 08:00:00\nsetup = 07:00:00");
        assert!(!message.contains("$__"), "{message}");
    }

    #[test]
    fn the_first_file_that_has_the_table_counts() {
        let user = format!("[slurm]\ncpus = 2\n{PBS}");
        assert_eq!(read("slurm", "[slurm]\ncpus = 4", Some(&user)).unwrap().options.cpus, Some(4));
        assert_eq!(read("pbs", "[slurm]\ncpus = 4", Some(&user)).unwrap().options.cpus, Some(8));
        assert_eq!(read("slurm", "", Some(&user)).unwrap().options.cpus, Some(2));
    }

    #[test]
    fn mistakes_name_the_file_and_the_nearest_right_name() {
        let (message, help) = said("slurm", "[slurm]\npartitoin = \"gpu\"");
        assert_eq!(message, "FOLDER/here.toml: [slurm] has no option \"partitoin\"");
        assert_eq!(help.as_deref(), Some("did you mean \"partition\"?"));
        let (message, help) = said("slurm", "[slrum]\ncpus = 1");
        assert_eq!(
            (message.as_str(), help.as_deref()),
            ("FOLDER/here.toml: line 1: unknown table \"slrum\"", Some("did you mean \"slurm\"?"))
        );
        assert_eq!(
            said("slurm", "[slurm]\ncpus = \"8\"").0,
            "FOLDER/here.toml: option \"cpus\" of [slurm] must be a non-negative integer; got \"8\""
        );
        assert!(
            said("slurm", "[slurm]\ntime = \"8h\"")
                .0
                .starts_with("FOLDER/here.toml: option \"time\" of [slurm] must be minutes")
        );
        assert!(
            said("slurm", "[slurm]\ncpus = 1\n\ncpus = 2").0.starts_with("FOLDER/here.toml: line 4: duplicate key")
        );
        assert_eq!(said("slurm", "slurm = 1").0, "FOLDER/here.toml: line 1: slurm must be a table, as [slurm]; got 1");
        assert_eq!(
            said("pbs", "[engine.slurm]").0,
            "FOLDER/here.toml: [engine.slurm]: this name is taken; any other will do"
        );
        assert_eq!(
            said("pbs", &PBS.replace("requeue", "#")).0,
            "FOLDER/here.toml: [engine.pbs] has no command requeue"
        );
        assert_eq!(said("pbs", &PBS.replace("requeue", "reqeue")).1.as_deref(), Some("did you mean \"requeue\"?"));
        let (message, _) = said("pbs", &PBS.replace("\"failed\"", "\"dead\""));
        assert!(message.contains("states") && message.contains("\"queued\""), "{message}");
    }

    #[test]
    fn an_engine_that_is_not_there_is_told_with_the_nearest() {
        let (message, help) = said("psb", PBS);
        assert_eq!(
            message,
            "unknown engine \"psb\": it is neither \"slurm\" nor a table [engine.psb] of FOLDER/here.toml or of FOLDER/user.toml"
        );
        assert_eq!(help.as_deref(), Some("did you mean \"pbs\"?"));
    }
}
