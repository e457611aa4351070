//! `Partition`: the labels split into tasks.

use std::sync::Arc;

use super::normalised_cut::ZScore;
use crate::error::{Error, Result};
use crate::graph::label_names;
use crate::graph::spectral::Branch;

/// m labels split into k tasks, none of them empty. Cheap to clone.
///
/// Tasks are numbered from 0 by first appearance in label order.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    labels: Arc<[String]>,
    /// The task of each label.
    assignment: Arc<[usize]>,
    /// The label positions of each task, in the order of its teacher's outputs.
    tasks: Arc<[Vec<usize>]>,
    branch: Option<Branch>,
    seed: Option<u64>,
    ncut: Option<f64>,
    z: Option<ZScore>,
    isolated: Vec<String>,
}

impl Partition {
    /// The given lists of label names as tasks. The order of each list is that of its teacher's outputs.
    ///
    /// Errors name labels that are unknown, left out, or in two tasks, and tasks that are empty.
    pub fn from_tasks<S: AsRef<str>>(labels: &[String], tasks: &[Vec<S>]) -> Result<Self> {
        let places = label_names::index(labels)?;
        let mut indices = Vec::with_capacity(tasks.len());
        for task in tasks {
            let place = |name: &S| {
                let name = name.as_ref();
                let unknown = || Error::unknown("label", name, labels.iter().map(String::as_str));
                places.get(name).copied().ok_or_else(unknown)
            };
            indices.push(task.iter().map(place).collect::<Result<Vec<_>>>()?);
        }
        Self::from_indices(labels, indices)
    }

    /// Tasks as label positions, each below `labels.len()`.
    pub(super) fn from_indices(labels: &[String], mut tasks: Vec<Vec<usize>>) -> Result<Self> {
        let mut task_of: Vec<Option<usize>> = vec![None; labels.len()];
        for (t, task) in tasks.iter().enumerate() {
            if task.is_empty() {
                return Err(Error::argument(format!("task {t} of the partition is empty")));
            }
            for &i in task {
                match task_of[i].replace(t) {
                    Some(other) if other == t => {
                        return Err(Error::argument(format!("label \"{}\" appears twice in task {t}", labels[i])));
                    }
                    Some(other) => {
                        return Err(Error::argument(format!(
                            "label \"{}\" is in two tasks, {other} and {t}; tasks must not overlap",
                            labels[i]
                        )));
                    }
                    None => {}
                }
            }
        }
        let left_out: Vec<usize> = (0..labels.len()).filter(|&i| task_of[i].is_none()).collect();
        if !left_out.is_empty() {
            let shown: Vec<String> = left_out.iter().take(8).map(|&i| format!("\"{}\"", labels[i])).collect();
            let more = if left_out.len() > 8 { ", ..." } else { "" };
            return Err(Error::argument(format!(
                "{} of {} labels are in no task: {}{more}",
                left_out.len(),
                labels.len(),
                shown.join(", ")
            )));
        }
        tasks.sort_by_key(|task| task.iter().min().copied());
        Ok(Self::with_tasks(labels.into(), tasks))
    }

    /// The partition of an assignment that gives every label a task, in any numbering.
    pub(super) fn trusted(labels: Arc<[String]>, assignment: &[usize]) -> Self {
        let assignment = by_first_appearance(assignment);
        let mut tasks = vec![Vec::new(); assignment.iter().max().map_or(0, |t| t + 1)];
        for (i, &t) in assignment.iter().enumerate() {
            tasks[t].push(i);
        }
        Self::with_tasks(labels, tasks)
    }

    fn with_tasks(labels: Arc<[String]>, tasks: Vec<Vec<usize>>) -> Self {
        let mut assignment = vec![0; labels.len()];
        for (t, task) in tasks.iter().enumerate() {
            task.iter().for_each(|&i| assignment[i] = t);
        }
        Partition {
            labels,
            assignment: assignment.into(),
            tasks: tasks.into(),
            branch: None,
            seed: None,
            ncut: None,
            z: None,
            isolated: Vec::new(),
        }
    }

    pub(super) fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    pub(super) fn with_cut(mut self, branch: Branch, ncut: f64, z: Option<ZScore>, isolated: Vec<String>) -> Self {
        (self.branch, self.ncut, self.z, self.isolated) = (Some(branch), Some(ncut), z, isolated);
        self
    }

    /// k, the number of tasks.
    pub fn k(&self) -> usize {
        self.tasks.len()
    }

    /// Label names, in label order.
    pub fn labels(&self) -> &Arc<[String]> {
        &self.labels
    }

    /// The task of each label, in label order.
    pub fn assignment(&self) -> &[usize] {
        &self.assignment
    }

    /// The label names of each task.
    pub fn tasks(&self) -> Vec<Vec<String>> {
        let names = |task: &Vec<usize>| task.iter().map(|&i| self.labels[i].clone()).collect();
        self.tasks.iter().map(names).collect()
    }

    /// The label positions of each task, in the order of its teacher's outputs.
    pub fn task_indices(&self) -> &[Vec<usize>] {
        &self.tasks
    }

    /// The number of labels of each task.
    pub fn sizes(&self) -> Vec<usize> {
        self.tasks.iter().map(Vec::len).collect()
    }

    /// The task of a label. Errors: an unknown label, with the nearest name.
    pub fn task_of(&self, label: &str) -> Result<usize> {
        let place = self.labels.iter().position(|l| l == label);
        let unknown = || Error::unknown("label", label, self.labels.iter().map(String::as_str));
        Ok(self.assignment[place.ok_or_else(unknown)?])
    }

    /// The branch of the affinity that it was cut from, if any.
    pub fn branch(&self) -> Option<Branch> {
        self.branch
    }

    /// The seed that it was made with, if any.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The normalised cut on the affinity that it was cut from; see [`ncut`](super::ncut()) for any other.
    pub fn ncut(&self) -> Option<f64> {
        self.ncut
    }

    /// Its cut compared with random partitions of the same sizes; `None` also where all of those are equal.
    pub fn z(&self) -> Option<ZScore> {
        self.z
    }

    /// Warnings that concern a training on it, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.k() < self.labels.len() {
            for (t, task) in self.tasks.iter().enumerate() {
                if let [only] = task[..] {
                    warnings.push(format!("task {t} has a single label, \"{}\"", self.labels[only]));
                }
            }
        }
        match &self.isolated[..] {
            [] => {}
            [one] => warnings.push(format!("label \"{one}\" has no neighbour in the graph; its task is arbitrary")),
            many => warnings.push(format!(
                "{} labels have no neighbour in the graph, so their tasks are arbitrary: {}",
                many.len(),
                label_names::listed(many)
            )),
        }
        if let Some(z) = self.z
            && z.z > -2.0
        {
            let compared = if z.z > 2.0 { "worse" } else { "hardly better" };
            warnings.push(format!(
                "the normalised cut is {compared} than that of random partitions of the same sizes (z = {:.1})",
                z.z
            ));
        }
        warnings
    }
}

/// Errors: a k that is not from 1 to `m`, in the words of scikit-learn.
pub fn check_k(word: &str, k: usize, m: usize) -> Result<()> {
    if (1..=m).contains(&k) {
        return Ok(());
    }
    if m == 0 {
        return Err(Error::argument(format!("{word} needs at least one label; got none")));
    }
    Err(Error::argument(format!("The k parameter of {word} must be an integer from 1 to {m}. Got {k} instead.")))
}

/// The same tasks, numbered from 0 by first appearance.
pub fn by_first_appearance(assignment: &[usize]) -> Vec<usize> {
    let mut number = vec![None; assignment.iter().max().map_or(0, |t| t + 1)];
    let mut next = 0;
    let mut name = |t: usize| {
        *number[t].get_or_insert_with(|| {
            next += 1;
            next - 1
        })
    };
    assignment.iter().map(|&t| name(t)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["cat", "dog", "sofa", "tv"].map(String::from).to_vec()
    }

    #[test]
    fn tasks_are_numbered_by_first_appearance() {
        let p = Partition::from_tasks(&labels(), &[vec!["tv", "dog"], vec!["cat"], vec!["sofa"]]).unwrap();
        assert_eq!(p.assignment(), &[0, 1, 2, 1]);
        assert_eq!(p.tasks(), vec![vec!["cat"], vec!["tv", "dog"], vec!["sofa"]]);
        assert_eq!((p.k(), p.sizes(), p.task_of("tv").unwrap()), (3, vec![1, 2, 1], 1));
        assert_eq!(Partition::trusted(labels().into(), &[5, 2, 9, 2]).assignment(), p.assignment());
        assert_eq!(p.warnings().len(), 2);
        assert!(p.warnings()[0].contains("task 0 has a single label, \"cat\""));
    }

    #[test]
    fn gaps_overlaps_and_unknown_names_are_refused() {
        let of = |tasks: &[Vec<&str>]| Partition::from_tasks(&labels(), tasks).unwrap_err();
        assert_eq!(of(&[vec!["cat"], vec!["tv"]]).message, "2 of 4 labels are in no task: \"dog\", \"sofa\"");
        let e = of(&[vec!["cat", "dog"], vec!["dog", "tv", "sofa"]]);
        assert_eq!(e.message, "label \"dog\" is in two tasks, 0 and 1; tasks must not overlap");
        assert_eq!(of(&[vec!["cat", "cat"]]).message, "label \"cat\" appears twice in task 0");
        assert_eq!(of(&[vec!["sofas"]]).help.as_deref(), Some("did you mean \"sofa\"?"));
        assert_eq!(of(&[vec![]]).message, "task 0 of the partition is empty");
    }
}
