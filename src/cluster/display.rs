//! What a user sees who waits for a queue.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::engine::{JobId, TaskStatus};
use super::faults::reason;
use crate::activity::status::Status;

/// Trainings with a line of their own on a terminal.
const LINES: usize = 4;
/// Nodes that the first line names.
const NODES: usize = 3;

/// A run that a task makes now.
pub(super) struct Running<'a> {
    pub name: &'a str,
    pub node: Option<&'a str>,
    /// The last line of its metrics.
    pub last: Option<&'a Value>,
    /// All epochs, where they are known.
    pub epochs: Option<u64>,
}

/// How far the runs of a call are.
#[derive(Default)]
pub(super) struct Seen<'a> {
    pub total: usize,
    pub done: usize,
    pub failed: usize,
    pub queued: usize,
    /// The queue's words for why, and how many wait for it.
    pub reasons: BTreeMap<&'a str, usize>,
    pub running: Vec<Running<'a>>,
    /// Tasks of earlier stages under way: `features: running on n1`.
    pub earlier: Vec<String>,
}

/// `Slurm job 4711`, `Slurm jobs 4711, 4712 and 3 more`.
pub(super) fn jobs_in_words(queue: &str, jobs: &BTreeSet<&JobId>) -> String {
    let shown: Vec<&str> = jobs.iter().take(3).map(|job| job.0.as_str()).collect();
    match jobs.len() {
        0 => format!("jobs of {queue}"),
        1 => format!("{queue} job {}", shown[0]),
        2 | 3 => format!("{queue} jobs {} and {}", shown[..shown.len() - 1].join(", "), shown[shown.len() - 1]),
        n => format!("{queue} jobs {} and {} more", shown.join(", "), n - 3),
    }
}

impl<'a> Seen<'a> {
    pub fn count_queued(&mut self, status: &'a TaskStatus) {
        self.queued += 1;
        if let Some(reason) = &status.reason {
            *self.reasons.entry(reason.as_str()).or_default() += 1;
        }
    }

    pub fn show(&self, status: &Status) {
        let more: Vec<String> = match status.is_live() {
            true => self.running.iter().take(LINES).map(|running| running.line()).collect(),
            false => vec![],
        };
        let line = if status.is_live() { self.live_line() } else { self.line() };
        status.show(self.done, self.total, &line, &more);
    }

    /// `3 of 12 done, 1 failed, 2 running (n1, n2; epoch 5/30, 4 min left), 6 queued: waiting for resources`.
    pub fn line(&self) -> String {
        self.joined([self.ended(), self.of_running(), self.of_queued()])
    }

    /// The same where lines below have what each task does, and the end may be cut off: why tasks wait comes first.
    fn live_line(&self) -> String {
        let running = match self.running.len() {
            0 => None,
            n if n <= LINES => Some(format!("{n} running")),
            _ => self.of_running(),
        };
        self.joined([self.ended(), self.of_queued(), running])
    }

    fn joined(&self, parts: [Option<String>; 3]) -> String {
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn ended(&self) -> Option<String> {
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        Some(format!("{} of {} done{failed}", self.done, self.total))
    }

    fn of_running(&self) -> Option<String> {
        (!self.running.is_empty()).then(|| {
            let nodes: BTreeSet<&str> = self.running.iter().filter_map(|running| running.node).collect();
            let mut about: Vec<String> = vec![];
            match nodes.len() {
                0 => {}
                n if n <= NODES => about.push(nodes.into_iter().collect::<Vec<_>>().join(", ")),
                n => about.push(format!("{n} nodes")),
            }
            // The one that is furthest back.
            let last = self.running.iter().filter_map(|running| running.progress()).min_by(|a, b| a.0.total_cmp(&b.0));
            about.extend(last.map(|(_, text)| text));
            let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join("; ")) };
            format!("{} running{about}", self.running.len())
        })
    }

    fn of_queued(&self) -> Option<String> {
        (self.queued > 0).then(|| {
            let why =
                self.reasons.iter().max_by_key(|(_, n)| **n).map(|(word, _)| format!(": waiting for {}", reason(word)));
            let earlier = match self.earlier.len() {
                0 => String::new(),
                1 | 2 => format!(" ({})", self.earlier.join(", ")),
                n => format!(" ({} and {} more)", self.earlier[0], n - 1),
            };
            format!("{} queued{}{earlier}", self.queued, why.unwrap_or_default())
        })
    }
}

impl Running<'_> {
    fn line(&self) -> String {
        let on = self.node.map_or(String::new(), |node| format!(" on {node}"));
        let progress = self.progress().map_or("begins".to_string(), |(_, text)| text);
        format!("{}{on}: {progress}", self.name)
    }

    /// The share that is done, and `epoch 5/30, 2.4 epochs/min, 10 min left`.
    fn progress(&self) -> Option<(f64, String)> {
        let line = self.last?;
        let epoch = line["epoch"].as_u64()?;
        let of = self.epochs.map_or(String::new(), |epochs| format!("/{epochs}"));
        let share = epoch as f64 / self.epochs.unwrap_or(epoch).max(1) as f64;
        let pace = line["seconds"].as_f64().filter(|seconds| *seconds > 0.0).map_or(String::new(), |seconds| {
            let left = self.epochs.map(|epochs| epochs.saturating_sub(epoch) as f64 * seconds / epoch.max(1) as f64);
            let left = left.map_or(String::new(), |left| format!(", {} left", time(left)));
            format!(", {:.2} epochs/min{left}", 60.0 * epoch as f64 / seconds)
        });
        Some((share, format!("epoch {epoch}{of}{pace}")))
    }
}

/// `45 s`, `12 min`, `3.4 h`.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_line_says_how_far_all_is() {
        let line = json!({"epoch": 5, "seconds": 60.0});
        let running = |name, node| Running { name, node: Some(node), last: Some(&line), epochs: Some(30) };
        let mut seen = Seen { total: 12, done: 3, failed: 1, ..Seen::default() };
        seen.running = vec![running("teacher 1/12", "n1"), running("teacher 2/12", "n2")];
        seen.queued = 6;
        seen.reasons = BTreeMap::from([("Resources", 5), ("Priority", 1)]);
        assert_eq!(
            seen.line(),
            "3 of 12 done, 1 failed, 2 running (n1, n2; epoch 5/30, 5.00 epochs/min, 5 min left), 6 queued: waiting for resources"
        );
        assert_eq!(seen.live_line(), "3 of 12 done, 1 failed, 6 queued: waiting for resources, 2 running");
        assert_eq!(seen.running[0].line(), "teacher 1/12 on n1: epoch 5/30, 5.00 epochs/min, 5 min left");
    }

    #[test]
    fn jobs_are_counted() {
        let ids: Vec<JobId> = (1..=5).map(|n| JobId(n.to_string())).collect();
        let of = |n: usize| jobs_in_words("Slurm", &ids[..n].iter().collect());
        assert_eq!([of(1), of(2), of(3)], ["Slurm job 1", "Slurm jobs 1 and 2", "Slurm jobs 1, 2 and 3"]);
        assert_eq!(of(5), "Slurm jobs 1, 2, 3 and 2 more");
    }
}
