//! `Cluster` in scripts.

use std::fmt;

use serde_json::{Value, json};

use super::table::TableValue;
use crate::activity::console;
use crate::cluster::Cluster;
use crate::cluster::check::{self, Finding};
use crate::cluster::waiting::{self, JobRow};
use crate::error::{Error, Result};
use crate::script::call::{Call, MemberRegistrar};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::tables::Cell;

/// A queue of a cluster as scripts hold it.
#[derive(Clone)]
pub struct ClusterValue(pub Cluster);

impl KindOfValue for ClusterValue {
    const NAME: &'static str = "Cluster";
    const SUMMARY: &'static str = "A queue of a cluster with the resources of a task, as slurm(...) gives it: the option executor of trainings, sweep, plan and cooccurrence.";
    const MEMBERS: &'static [Member] = &[
        Member::new(
            "jobs",
            "a Table of what the queue has of this run store, and of what failed there: job, name, folder, and numbers of tasks queued, running, done, failed",
        ),
        Member::new(
            "stop()",
            "cancel all tasks of this run store that wait or run; how many they were. A training keeps its last checkpoint",
        ),
        Member::new(
            "check()",
            "submit two short tasks to two nodes and say what these and the folder that they share can do: a Table with check, found, means, help",
        ),
        Member::new("options", "a map of all options"),
        Member::new("name", "\"Slurm\", or the name of the engine in cpsd.toml"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("jobs", |call: &Call, c: &Self| jobs(call, &c.0))
            .get("options", |c: &Self| serde_json::to_value(&c.0.options).map_err(|e| Error::internal(e.to_string())))
            .get("name", |c: &Self| c.0.name().to_string())
            .method("stop", |call: &Call, c: &Self| {
                let store = call.store();
                call.unlocked(|| waiting::stop(&store, &c.0))
            })
            .method("check", |call: &Call, c: &Self| check(call, &c.0));
    }

    fn to_json(&self) -> Option<Result<Value, String>> {
        Some(Ok(json!({ "cluster": self.0 })))
    }
}

kind_value!(ClusterValue);

fn jobs(call: &Call, cluster: &Cluster) -> Result<TableValue> {
    let store = call.store();
    let jobs = call.unlocked(|| waiting::jobs(&store, cluster))?;
    let row = |JobRow { job, name, queued, running, done, failed, folder }: JobRow| {
        let mut cells = vec![Cell::Text(job), Cell::Text(name)];
        cells.extend([queued, running, done, failed].map(|n| Cell::Int(n as i64)));
        cells.push(Cell::Text(folder.display().to_string()));
        cells
    };
    let columns = ["job", "name", "queued", "running", "done", "failed", "folder"];
    TableValue::from_rows(&columns, jobs.into_iter().map(row).collect())
}

fn check(call: &Call, cluster: &Cluster) -> Result<TableValue> {
    let store = call.store();
    let findings = call.unlocked(|| check::run(&store, cluster))?;
    // A table cuts long texts when it is printed.
    for Finding { check, help, .. } in &findings {
        help.iter().for_each(|help| console::log(&format!("check: {check}: {help}")));
    }
    let row = |Finding { check, found, means, help }: Finding| {
        vec![Cell::Text(check), Cell::Text(found), Cell::Text(means), help.map_or(Cell::Null, Cell::Text)]
    };
    TableValue::from_rows(&["check", "found", "means", "help"], findings.into_iter().map(row).collect())
}

/// `Slurm (partition gpu, gpu:1, 8 cores, 32G, 8:00:00)`: what a task gets and where.
impl fmt::Display for ClusterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", in_words(&self.0))
    }
}

/// A queue in a line.
pub fn in_words(cluster: &Cluster) -> String {
    let o = &cluster.options;
    let named = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name} {value}"));
    let cores = o.cpus.map(|n| if n == 1 { "1 core".to_string() } else { format!("{n} cores") });
    let parts = [
        named("partition", &o.partition),
        named("account", &o.account),
        named("qos", &o.qos),
        o.gres.clone(),
        named("constraint", &o.constraint),
        named("nodes", &o.nodelist),
        named("without", &o.exclude),
        cores,
        o.memory.clone(),
        o.time.clone(),
        (o.parallel > 0).then(|| format!("{} at once", o.parallel)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => cluster.name().to_string(),
        false => format!("{} ({})", cluster.name(), parts.join(", ")),
    }
}
