//! What a check's numbers mean for trainings in a queue.

use super::task::{First, Lock, Node, Second};
use crate::cluster::engine::{Cluster, gpus_of};

/// A line of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub check: String,
    pub found: String,
    /// For trainings, in a few words.
    pub means: String,
    /// Where something must change: what, and how.
    pub help: Option<String>,
}

/// A file that is opened later than this after it is listed is said to be late, in seconds.
const LATE: f64 = 30.0;
/// Less time than this between TERM and KILL is short for a checkpoint, in seconds.
const SHORT: f64 = 10.0;

fn finding(check: &str, found: impl Into<String>, means: impl Into<String>, help: Option<String>) -> Finding {
    Finding { check: check.into(), found: found.into(), means: means.into(), help }
}

/// The lines of a check. `second` is the second task, or why there was none.
pub fn of(
    cluster: &Cluster,
    here: &Node,
    second: Result<&Second, &str>,
    first: Option<&First>,
    facts: &[(String, String)],
) -> Vec<Finding> {
    let mut all = Vec::new();
    match second {
        Ok(second) if second.node.name == here.name => {
            let help = "the queue ran both tasks on one node: what follows says nothing about two";
            all.push(finding("nodes", format!("{} twice", here.name), "one node alone was seen", Some(help.into())));
        }
        Ok(second) => {
            all.push(finding(
                "nodes",
                format!("{} and {}", here.name, second.node.name),
                "both see the run store",
                None,
            ));
        }
        Err(why) => {
            let means = "locks and renames were not measured";
            all.push(finding("nodes", format!("{} alone", here.name), means, Some(format!("a second node: {why}"))));
        }
    }
    if let (Ok(second), Some(first)) = (second, first) {
        all.push(lock(&first.lock, &second.lock));
        all.extend(renames(first, second));
    }
    let nodes: Vec<&Node> = std::iter::once(here).chain(second.ok().map(|second| &second.node)).collect();
    all.extend(of_nodes(cluster, &nodes));
    all.extend(facts.iter().map(|(name, value)| fact(name, value)));
    all
}

fn lock(first: &Lock, second: &Lock) -> Finding {
    let claims = "runs are claimed by files, whatever locks do";
    let found = match (first, second) {
        (Lock::Free, Lock::Busy) => "a lock of one node is seen on the other".to_string(),
        (Lock::Free, Lock::Free) => "locks are each node's own".to_string(),
        (Lock::None(why), _) | (_, Lock::None(why)) => format!("no locks ({why})"),
        (Lock::Busy, _) => "the lock was busy before".to_string(),
    };
    finding("locks", found, claims, None)
}

fn renames(first: &First, second: &Second) -> [Finding; 2] {
    let never = "the nodes must see one folder: mount the store's file system on all, and look at its caches (NFS: lookupcache=positive, actimeo)";
    let listed = match first.round_trip {
        Some(seconds) => {
            finding("rename listed after", format!("{:.2} s", seconds / 2.0), "so late a finished run is noticed", None)
        }
        None => finding("rename listed after", "never", "finished runs are not noticed", Some(never.into())),
    };
    let opened = match second.opened.filter(|_| second.listed) {
        Some(seconds) => {
            let means = if seconds > LATE { "results come late" } else { "the store lists before it opens, and waits" };
            let help = format!(
                "{seconds:.0} s of the 90 that the store waits: shorter caches of attributes and names on the nodes (NFS: actimeo, lookupcache=positive) help"
            );
            finding("and opened after", format!("{seconds:.2} s more"), means, (seconds > LATE).then_some(help))
        }
        None => finding("and opened after", "never", "finished runs cannot be read", Some(never.into())),
    };
    [listed, opened]
}

fn of_nodes(cluster: &Cluster, nodes: &[&Node]) -> Vec<Finding> {
    // What differs is said of each.
    let said = |of: &dyn Fn(&Node) -> String| match nodes {
        [a, b] if of(a) != of(b) => format!("{}: {}; {}: {}", a.name, of(a), b.name, of(b)),
        [a, ..] => of(a),
        [] => String::new(),
    };
    let mut all = Vec::new();
    let gpus = cluster.options.gres.as_deref().map_or(0, gpus_of);
    let without = nodes.iter().find(|node| !node.device.starts_with("cuda"));
    let (means, help) = match (gpus > 0, without) {
        (true, Some(node)) => {
            let help = format!(
                "gres asks for {gpus} GPU, and cpsd on {} uses {}: `cpsd gpu-check` as a task there says why",
                node.name, node.device
            );
            ("trainings would run on the CPU", Some(help))
        }
        (true, None) => ("trainings use it", None),
        (false, _) => ("no GPU is asked for by gres", None),
    };
    all.push(finding("device", said(&|node| node.device.clone()), means, help));
    let differ = nodes.iter().any(|node| node.libtorch != nodes[0].libtorch);
    let help = "results of one libtorch differ from another's in their last bits: install the same on all nodes, or choose nodes by constraint";
    let means = if differ { "the nodes have different ones" } else { "found" };
    all.push(finding("libtorch", said(&|node| node.libtorch.clone()), means, differ.then(|| help.into())));
    let (means, help) =
        match (cluster.options.cpus, nodes.iter().find(|node| cluster.options.cpus.is_some_and(|n| n != node.cores))) {
            (Some(asked), Some(node)) => {
                let help = format!(
                    "cpus asks for {asked}; the task on {} may use {}: the site may count threads or whole nodes",
                    node.name, node.cores
                );
                (format!("{asked} were asked for"), Some(help))
            }
            (Some(_), None) => ("as asked for".to_string(), None),
            (None, _) => ("the site's default: option cpus asks for others".to_string(), None),
        };
    all.push(finding("cores of a task", said(&|node| node.cores.to_string()), means, help));
    all
}

fn fact(name: &str, value: &str) -> Finding {
    let number = value.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse::<f64>().ok());
    let (means, help) = match name {
        "MaxArraySize" => ("more tasks than that are several arrays".to_string(), None),
        "KillWait" => {
            let help = "seconds from TERM to KILL; a checkpoint of a large model may need more, and is then the one before: ask for KillWait of 30 or more";
            (
                "seconds to write a checkpoint when stopped".to_string(),
                number.filter(|n| *n < SHORT).map(|_| help.into()),
            )
        }
        "JobRequeue" => match value {
            "0" => ("cpsd asks for requeue itself".to_string(), None),
            _ => ("tasks of a failed node are put back".to_string(), None),
        },
        _ => (String::new(), None),
    };
    finding(name, value, means, help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterOptions;

    fn node(name: &str, device: &str, cores: usize) -> Node {
        Node { name: name.into(), libtorch: "2.13".into(), device: device.into(), cores }
    }

    fn found<'a>(all: &'a [Finding], check: &str) -> &'a Finding {
        all.iter().find(|f| f.check == check).unwrap_or_else(|| panic!("{check}: {all:?}"))
    }

    #[test]
    fn what_must_change_has_a_line_of_help() {
        let options = ClusterOptions { gres: Some("gpu:1".into()), cpus: Some(8), ..ClusterOptions::default() };
        let cluster = Cluster::slurm(options);
        let facts =
            [("MaxArraySize", "1001"), ("KillWait", "5 sec"), ("JobRequeue", "1")].map(|(a, b)| (a.into(), b.into()));
        let first = First { node: node("n1", "cuda:0 H100", 8), lock: Lock::Free, round_trip: Some(0.1) };
        let mut second =
            Second { node: node("n2", "cuda:0 H100", 8), lock: Lock::Busy, listed: true, opened: Some(5.0) };
        let all = of(&cluster, &first.node, Ok(&second), Some(&first), &facts[..1]);
        assert!(all.iter().all(|f| f.help.is_none()), "{all:?}");
        assert_eq!(found(&all, "nodes").found, "n1 and n2");
        assert_eq!(found(&all, "rename listed after").found, "0.05 s");
        assert_eq!(found(&all, "and opened after").found, "5.00 s more");

        second = Second { node: node("n1", "cpu", 2), lock: Lock::Free, listed: true, opened: None };
        let all = of(&cluster, &first.node, Ok(&second), Some(&first), &facts);
        let with_help: Vec<&str> = all.iter().filter(|f| f.help.is_some()).map(|f| f.check.as_str()).collect();
        assert_eq!(with_help, ["nodes", "and opened after", "device", "cores of a task", "KillWait"]);
        assert_eq!(found(&all, "locks").found, "locks are each node's own");

        let all = of(&cluster, &first.node, Err("no other node"), None, &[]);
        assert_eq!(found(&all, "nodes").help.as_deref(), Some("a second node: no other node"));
        assert!(all.iter().all(|f| f.check != "locks"));
    }
}
