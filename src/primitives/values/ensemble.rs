//! `Ensemble` in scripts.

use std::fmt;

use rhai::FnPtr;

use super::model::ModelValue;
use crate::error::counted;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::training::Ensemble;
use crate::training::merge_rule::{Combined, Rule, RuleKind};

/// An ensemble as scripts hold it, with the closure of its rule if that is one.
#[derive(Clone)]
pub struct EnsembleValue(pub Ensemble, pub Option<FnPtr>);

impl KindOfValue for EnsembleValue {
    const NAME: &'static str = "Ensemble";
    const SUMMARY: &'static str = "Teachers merged back into label order: it predicts and is evaluated like a Model.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the labels of the merged output, in order"),
        Member::new("teachers", "an array of Models"),
        Member::new("len()", "number of teachers"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("labels", |e: &Self| e.0.labels.clone())
            .get("teachers", |e: &Self| e.0.teachers.iter().cloned().map(ModelValue).collect::<Vec<_>>())
            .method("len", |e: &Self| e.0.teachers.len());
    }

    /// Teachers, given outputs, places and rule.
    fn fingerprint(&self) -> Option<String> {
        let teachers: Vec<&str> = self.0.teachers.iter().map(|teacher| &*teacher.id).collect();
        let given = self.0.given.as_ref().map(|rows| rows.fingerprint());
        Some(format!("{teachers:?} {:?} {:?} {:?} {given:?}", self.0.labels, self.0.places, self.0.rule))
    }
}

kind_value!(EnsembleValue);

impl fmt::Display for EnsembleValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.0.teachers.iter().map(|t| t.labels.len().to_string()).collect();
        write!(
            f,
            "Ensemble of {} for {} ({})",
            counted(self.0.teachers.len(), "teacher"),
            counted(self.0.labels.len(), "label"),
            sizes.join(" + ")
        )?;
        let Some(Rule { kind, of }) = &self.0.rule else { return Ok(()) };
        let what = match of {
            Combined::Logits => "logits",
            Combined::Probabilities => "probabilities",
        };
        match kind {
            RuleKind::Mean => write!(f, ", mean of {what}"),
            RuleKind::Max => write!(f, ", max of {what}"),
            RuleKind::Script(_) => write!(f, ", a closure of {what}"),
        }
    }
}
