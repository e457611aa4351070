//! `Ensemble` in scripts.

use std::fmt;

use rhai::{Array, Dynamic, Engine};

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use super::label_table::strings;
use super::model::ModelValue;
use crate::training::Ensemble;

/// An ensemble as scripts hold it.
#[derive(Clone)]
pub struct EnsembleValue(pub Ensemble);

pub const KIND: Kind = Kind {
    name: "Ensemble",
    summary: "Teachers merged back into label order: it predicts and is evaluated like a Model.",
    members: &[
        Member::new("labels", "the labels of the merged output, in order"),
        Member::new("teachers", "an array of Models"),
        Member::new("len()", "number of teachers"),
    ],
    is: kind_of!(EnsembleValue).0,
    show: kind_of!(EnsembleValue).1,
    rust_name: kind_of!(EnsembleValue).2,
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    glue::register_display::<EnsembleValue>(engine, "Ensemble");
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
