//! The printed form of a partition: its size, cut and warnings, and the labels of each task by name.

use std::fmt;

use super::tasks::Partition;
use crate::error::counted;

/// Largest width of a line.
const WIDTH: usize = 100;
/// Largest number of labels for which all are named; of more, the first few of each task are.
const ALL_NAMED_UP_TO: usize = 300;
const NAMED: usize = 24;
/// Largest number of tasks that are listed.
const TASKS: usize = 50;

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partition of {} into {}", counted(self.labels().len(), "label"), counted(self.k(), "task"))?;
        if let Some(branch) = self.branch() {
            write!(f, ", {}", branch.long_name())?;
        }
        if let Some(seed) = self.seed() {
            write!(f, ", seed {seed}")?;
        }
        if let Some(ncut) = self.ncut() {
            write!(f, "\nnormalised cut {ncut:.4}")?;
            if let Some(z) = self.z() {
                write!(f, "; random tasks of the same sizes {:.4} ± {:.4} (z = {:.1})", z.mean, z.sd, z.z)?;
            }
        }
        let digits = |n: usize| n.max(1).ilog10() as usize + 1;
        let number_width = digits(self.k().saturating_sub(1));
        let size_width = digits(self.sizes().into_iter().max().unwrap_or(0));
        let few = self.labels().len() <= ALL_NAMED_UP_TO;
        for (t, whole) in self.task_indices().iter().enumerate().take(if few { usize::MAX } else { TASKS }) {
            let task = if few { &whole[..] } else { &whole[..whole.len().min(NAMED)] };
            let plural = if whole.len() == 1 { " " } else { "s" };
            let head = format!("  task {t:>number_width$}  {:>size_width$} label{plural}  ", whole.len());
            write!(f, "\n{head}")?;
            let indent = head.len();
            let mut column = indent;
            for (at, &i) in task.iter().enumerate() {
                let comma = if at + 1 < task.len() { "," } else { "" };
                let label = &self.labels()[i];
                let width = label.chars().count() + comma.len();
                if column > indent && column + 1 + width > WIDTH {
                    write!(f, "\n{:indent$}", "")?;
                    column = indent;
                }
                let space = if column > indent { " " } else { "" };
                write!(f, "{space}{label}{comma}")?;
                column += space.len() + width;
            }
            if task.len() < whole.len() {
                write!(f, ", and {} more", whole.len() - task.len())?;
            }
        }
        if !few && self.k() > TASKS {
            write!(f, "\n  and {} more tasks", self.k() - TASKS)?;
        }
        for warning in self.warnings() {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_listed_by_name_and_wrapped() {
        let labels: Vec<String> = (0..30).map(|i| format!("label {i:02}")).collect();
        let assignment: Vec<usize> = (0..30).map(|i| usize::from(i > 27)).collect();
        let text = Partition::trusted(labels.into(), &assignment).with_seed(3).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Partition of 30 labels into 2 tasks, seed 3");
        assert!(lines[1].starts_with("  task 0  28 labels  label 00, label 01,"));
        assert!(lines[2].starts_with("                     label "));
        assert_eq!(lines.last(), Some(&"  task 1   2 labels  label 28, label 29"));
        assert!(lines.iter().all(|l| l.chars().count() <= WIDTH && !l.ends_with(' ')));
    }
}
