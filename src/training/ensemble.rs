//! Teachers whose outputs are merged into label order: the paper's ρ.

use std::collections::HashMap;

use super::trained_model::Trained;
use crate::error::{Error, Result};

/// Teachers that together predict every label once. Cheap to clone.
#[derive(Clone)]
pub struct Ensemble {
    pub teachers: Vec<Trained>,
    /// The labels of the merged output, in order.
    pub labels: Vec<String>,
    /// For merged output j: the teacher, and which of its outputs.
    pub places: Vec<(usize, usize)>,
}

impl Ensemble {
    /// Merges `teachers` into the order of `labels`, or else of the data set that they were trained on.
    ///
    /// Source: CPSD (IJCAI 2022), the operator ρ that concatenates the teachers' outputs and restores label order.
    ///
    /// Errors: no teachers; a label that two teachers predict; labels that no teacher predicts; a teacher's label that
    /// is not among `labels`. All are named.
    pub fn merge(teachers: Vec<Trained>, labels: Option<Vec<String>>) -> Result<Ensemble> {
        let Some(first) = teachers.first() else {
            return Err(Error::argument("merge needs at least one teacher; got an empty array"));
        };
        let labels = labels.unwrap_or_else(|| first.vocabulary.clone());
        let mut owner: HashMap<&str, (usize, usize)> = HashMap::new();
        for (t, teacher) in teachers.iter().enumerate() {
            for (output, label) in teacher.labels.iter().enumerate() {
                if let Some((other, _)) = owner.insert(label, (t, output)) {
                    return Err(Error::argument(format!(
                        "merge: label \"{label}\" belongs to two teachers, number {} and number {}",
                        other + 1,
                        t + 1
                    ))
                    .about_name(label)
                    .with_help(
                        "the teachers of one ensemble must have disjoint labels; ensembles are combined in distill",
                    ));
                }
                if !labels.contains(label) {
                    let mut error = Error::unknown("label", label, labels.iter().map(String::as_str));
                    error.message = format!(
                        "merge: label \"{label}\" of teacher number {} is not among the {} labels to merge into",
                        t + 1,
                        labels.len()
                    );
                    return Err(error);
                }
            }
        }
        let missing: Vec<&str> = labels.iter().map(String::as_str).filter(|l| !owner.contains_key(l)).collect();
        if !missing.is_empty() {
            let shown = &missing[..missing.len().min(SHOWN)];
            return Err(Error::argument(format!("merge: no teacher answers for {}", quoted(&missing)))
                .about_name(shown[shown.len() - 1])
                .with_help(
                    "the teachers must cover every label of the data set once; option \"labels\" names a smaller set",
                ));
        }
        let places = labels.iter().map(|l| owner[l.as_str()]).collect();
        Ok(Ensemble { teachers, labels, places })
    }

    /// The teachers' ids, in order.
    pub fn run_ids(&self) -> Vec<String> {
        self.teachers.iter().map(|t| t.id.clone()).collect()
    }

    /// For each of `labels`, its column in the teachers' concatenated outputs.
    ///
    /// Errors: a label that the ensemble does not predict.
    pub fn columns(&self, labels: &[String]) -> Result<Vec<i64>> {
        let mut starts = vec![0];
        for teacher in &self.teachers {
            starts.push(starts[starts.len() - 1] + teacher.labels.len());
        }
        labels
            .iter()
            .map(|label| {
                let j = self.labels.iter().position(|l| l == label).ok_or_else(|| {
                    let mut error = Error::unknown("label", label, self.labels.iter().map(String::as_str));
                    error.message = format!(
                        "the ensemble of {} teachers does not answer for label \"{label}\"",
                        self.teachers.len()
                    );
                    error
                })?;
                let (teacher, output) = self.places[j];
                Ok((starts[teacher] + output) as i64)
            })
            .collect()
    }
}

/// The most names that an error lists.
const SHOWN: usize = 8;

fn quoted(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("\"{n}\"")).collect();
    match names.len() {
        n if n > SHOWN => format!("{} and {} more", shown.join(", "), n - SHOWN),
        _ => shown.join(", "),
    }
}
