//! Shell that comes with a queue: setup lines, options of sbatch, the commands of an engine. Whose it is decides whether it may run.
//!
//! Tasks and commands of a queue run outside of the fence around scripts. The user's own words run without a question: what the `cpsd.toml` of
//! the user's configuration folder says, and texts that the person typed. Others, of a script or of the working folder's `cpsd.toml`, need
//! `--allow-code`, or the person's yes at the prompt, once for the same words.

use std::collections::HashSet;
use std::sync::LazyLock;

use parking_lot::Mutex;

use super::engine::{Cluster, Engine};
use crate::error::Result;
use crate::files::policy;

/// The user's own words.
static OWN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Takes a text that the person typed, as it stands between its quotes, for the user's own.
pub fn typed(text: &str) {
    keep(text);
    // Those of a script's texts are JSON's, but for rare ones.
    if text.contains('\\')
        && let Ok(text) = serde_json::from_str::<String>(&format!("\"{text}\""))
    {
        keep(&text);
    }
}

/// Takes all words of a queue for the user's own.
pub(super) fn own(cluster: &Cluster) {
    commands(cluster).chain(of_tasks(cluster)).for_each(|(_, text)| keep(text));
}

fn keep(text: &str) {
    OWN.lock().insert(text.to_string());
}

/// What is about to run.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Use {
    /// A command of the queue.
    Ask,
    /// Tasks, too.
    Submit,
}

/// Whether the shell of a queue may run. The person at the prompt is asked.
///
/// Errors: Argument, naming the first words that are not the user's own and the option that allows them.
pub(super) fn check(cluster: &Cluster, what: Use) -> Result<()> {
    // Asked once for all of it.
    let all: Vec<(&str, &str)> = match (what, &cluster.engine) {
        (Use::Ask, Engine::Slurm) => return Ok(()),
        _ => commands(cluster).chain(of_tasks(cluster)).collect(),
    };
    let foreign: Vec<(&str, &str)> = {
        let own = OWN.lock();
        all.into_iter().filter(|(_, text)| !text.trim().is_empty() && !own.contains(*text)).collect()
    };
    let Some(&(key, text)) = foreign.first() else { return Ok(()) };
    policy::may_run_shell(cluster.name(), key, text, foreign.len() - 1)?;
    foreign.iter().for_each(|(_, text)| keep(text));
    Ok(())
}

/// The commands by which an engine is asked, with their keys.
fn commands(cluster: &Cluster) -> impl Iterator<Item = (&str, &str)> {
    let templates = match &cluster.engine {
        Engine::Slurm => None,
        Engine::Commands(templates) => Some(templates),
    };
    templates.into_iter().flat_map(|t| {
        let four = [("submit", &t.submit), ("status", &t.status), ("cancel", &t.cancel), ("requeue", &t.requeue)];
        four.into_iter().map(|(key, text)| (key, text.as_str())).chain(t.after.as_deref().map(|after| ("after", after)))
    })
}

/// What tasks run or are submitted with, with its keys. Options of sbatch without a value are none of it.
fn of_tasks(cluster: &Cluster) -> impl Iterator<Item = (&str, &str)> {
    let setup = cluster.options.setup.iter().map(|line| ("setup", line.as_str()));
    setup.chain(cluster.options.sbatch.values().flatten().map(|value| ("sbatch", value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::super::options::ClusterOptions;
    use super::super::templates::Templates;
    use super::*;

    fn all(cluster: &Cluster) -> Vec<String> {
        commands(cluster).chain(of_tasks(cluster)).map(|(key, text)| format!("{key}: {text}")).collect()
    }

    #[test]
    fn all_that_a_shell_or_sbatch_reads_is_code() {
        let options = ClusterOptions {
            setup: vec!["module load cuda".into()],
            sbatch: [("export".to_string(), Some("ALL".to_string())), ("hold".to_string(), None)].into(),
            ..ClusterOptions::default()
        };
        assert_eq!(all(&Cluster::slurm(options.clone())), ["setup: module load cuda", "sbatch: ALL"]);
        let commands = Templates {
            submit: "qsub".into(),
            status: "qstat".into(),
            cancel: "qdel".into(),
            requeue: "qrerun".into(),
            after: Some("-W x".into()),
            ..Templates::default()
        };
        let pbs = Cluster { engine: Engine::Commands(commands), options: ClusterOptions::default() };
        assert_eq!(all(&pbs), ["submit: qsub", "status: qstat", "cancel: qdel", "requeue: qrerun", "after: -W x"]);
    }

    #[test]
    fn what_is_the_users_own_is_asked_for_nowhere() {
        let of = |line: &str| Cluster::slurm(ClusterOptions { setup: vec![line.into()], ..ClusterOptions::default() });
        // The policy of tests allows code, so only the list is looked at.
        let is_own = |line: &str| OWN.lock().contains(line);
        assert!(!is_own("echo typed here"));
        typed("echo typed here");
        own(&of("echo of the user's file"));
        typed(r#"echo \"quoted\""#);
        assert!(is_own("echo \"quoted\""));
        assert!(is_own("echo typed here") && is_own("echo of the user's file"));
        // Allowed once, it is not asked for again.
        check(&of("echo allowed"), Use::Ask).unwrap();
        assert!(!is_own("echo allowed"));
        check(&of("echo allowed"), Use::Submit).unwrap();
        assert!(is_own("echo allowed"));
    }
}
