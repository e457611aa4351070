//! `Ensemble` in scripts.

use std::fmt;

use rhai::{Array, Dynamic, Engine};

use super::label_table::strings;
use super::model::ModelValue;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::training::Ensemble;

/// An ensemble as scripts hold it.
#[derive(Clone)]
pub struct EnsembleValue(pub Ensemble);

impl KindOfValue for EnsembleValue {
    const NAME: &'static str = "Ensemble";
    const SUMMARY: &'static str = "Teachers merged back into label order: it predicts and is evaluated like a Model.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the labels of the merged output, in order"),
        Member::new("teachers", "an array of Models"),
        Member::new("len()", "number of teachers"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(EnsembleValue);

fn register(engine: &mut Engine) {
    engine
        .register_get("labels", |e: &mut EnsembleValue| strings(&e.0.labels))
        .register_get("teachers", |e: &mut EnsembleValue| -> Array {
            e.0.teachers.iter().map(|t| Dynamic::from(ModelValue(t.clone()))).collect()
        })
        .register_fn("len", |e: &mut EnsembleValue| e.0.teachers.len() as i64);
}

impl fmt::Display for EnsembleValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.0.teachers.iter().map(|t| t.labels.len().to_string()).collect();
        write!(
            f,
            "Ensemble of {} teachers for {} labels ({})",
            self.0.teachers.len(),
            self.0.labels.len(),
            sizes.join(" + ")
        )
    }
}
