//! Teachers whose outputs are merged into label order: the paper's ρ.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::image_rows::ImageRows;
use super::merge_rule::Rule;
use super::trained_model::Trained;
use crate::error::{Error, Result, counted};

/// Teachers that together predict every label: once, or where there is a rule, at least once. Cheap to clone.
#[derive(Clone)]
pub struct Ensemble {
    pub teachers: Vec<Trained>,
    /// The labels of the merged output, in order.
    pub labels: Vec<String>,
    /// For merged output j: each teacher that knows its label, and which of the teacher's outputs it is.
    pub places: Vec<Vec<(usize, usize)>>,
    /// How the outputs of the teachers of one label become one. None if every label has one teacher.
    pub rule: Option<Rule>,
    /// Outputs that were given for images, in place of teachers.
    pub given: Option<ImageRows>,
}

impl Ensemble {
    /// Merges `teachers` into the order of `labels`, or else of the data set that they were trained on.
    ///
    /// Source: CPSD (IJCAI 2022), the operator ρ that concatenates the teachers' outputs and restores label order.
    ///
    /// Errors: no teachers; a label that two teachers predict; labels that no teacher predicts; a teacher's label that
    /// is not among `labels`. All are named.
    pub fn merge(teachers: Vec<Trained>, labels: Option<Vec<String>>) -> Result<Ensemble> {
        Self::merge_by(teachers, labels, None)
    }

    /// As [`merge`](Self::merge), where `rule` combines the outputs of teachers that predict the same label.
    pub fn merge_by(teachers: Vec<Trained>, labels: Option<Vec<String>>, rule: Option<Rule>) -> Result<Ensemble> {
        let Some(first) = teachers.first() else {
            return Err(Error::argument("merge needs at least one teacher; got an empty array"));
        };
        let labels = labels.unwrap_or_else(|| first.vocabulary.clone());
        let mut owners: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
        for (t, teacher) in teachers.iter().enumerate() {
            for (output, label) in teacher.labels.iter().enumerate() {
                let owners = owners.entry(label).or_default();
                if let (Some((other, _)), None) = (owners.first(), &rule) {
                    return Err(Error::argument(format!(
                        "merge: label \"{label}\" belongs to two teachers, number {} and number {}",
                        other + 1,
                        t + 1
                    ))
                    .about_name(label)
                    .with_help(
                        "rule: \"mean\", \"max\" or a closure |outputs| makes one output of those of several teachers; ensembles of disjoint teachers are combined in distill",
                    ));
                }
                owners.push((t, output));
                if !labels.contains(label) {
                    let mut error = Error::unknown("label", label, labels.iter().map(String::as_str));
                    error.message = format!(
                        "merge: label \"{label}\" of teacher number {} is not among the {} to merge into",
                        t + 1,
                        counted(labels.len(), "label")
                    );
                    return Err(error);
                }
            }
        }
        let missing: Vec<&str> = labels.iter().map(String::as_str).filter(|l| !owners.contains_key(l)).collect();
        if !missing.is_empty() {
            let shown = &missing[..missing.len().min(SHOWN)];
            return Err(Error::argument(format!("merge: no teacher answers for {}", quoted(&missing)))
                .about_name(shown[shown.len() - 1])
                .with_help(
                    "the teachers must cover every label of the data set; option \"labels\" names a smaller set",
                ));
        }
        let places: Vec<Vec<(usize, usize)>> = labels.iter().map(|l| owners[l.as_str()].clone()).collect();
        // Without a label of several teachers, "mean" and "max" change nothing: the ensemble is that without a rule.
        let overlap = places.iter().any(|teachers| teachers.len() > 1);
        let rule = rule.filter(|rule| overlap || rule.script().is_some());
        Ok(Ensemble { teachers, labels, places, rule, given: None })
    }

    /// Outputs that are given in place of teachers.
    pub fn given(outputs: ImageRows) -> Ensemble {
        let labels = outputs.labels().to_vec();
        Ensemble { teachers: vec![], labels, places: vec![], rule: None, given: Some(outputs) }
    }

    /// All that decides its outputs, as JSON: the teachers' ids, with the rule where there is one.
    pub fn spec(&self) -> Value {
        match (&self.given, &self.rule) {
            (Some(given), _) => json!({ "outputs": given.fingerprint() }),
            (None, None) => json!(self.run_ids()),
            (None, Some(rule)) => json!({ "teachers": self.run_ids(), "rule": rule }),
        }
    }

    /// The teachers' ids, in order.
    pub fn run_ids(&self) -> Vec<String> {
        self.teachers.iter().map(|t| t.id.clone()).collect()
    }

    /// For each of `labels`, its columns in the teachers' concatenated outputs: one per teacher that knows it.
    ///
    /// Errors: a label that the ensemble does not predict.
    pub fn columns(&self, labels: &[String]) -> Result<Vec<Vec<i64>>> {
        let mut starts = vec![0];
        for teacher in &self.teachers {
            starts.push(starts[starts.len() - 1] + teacher.labels.len());
        }
        let place: HashMap<&str, usize> = self.labels.iter().enumerate().map(|(j, l)| (l.as_str(), j)).collect();
        labels
            .iter()
            .map(|label| {
                let j = place.get(label.as_str()).ok_or_else(|| {
                    let mut error = Error::unknown("label", label, self.labels.iter().map(String::as_str));
                    error.message = format!(
                        "the ensemble of {} does not answer for label \"{label}\"",
                        counted(self.teachers.len(), "teacher")
                    );
                    error
                })?;
                Ok(self.places[*j].iter().map(|(teacher, output)| (starts[*teacher] + output) as i64).collect())
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
