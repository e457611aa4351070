//! `Run` in scripts.

use std::fmt;

use super::model::ModelValue;
use super::table::TableValue;
use crate::runs::Run;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};

/// A finished run as scripts hold it.
#[derive(Clone)]
pub struct RunValue(pub Run);

impl KindOfValue for RunValue {
    const NAME: &'static str = "Run";
    const SUMMARY: &'static str = "A finished run of the store: an immutable folder.";
    const MEMBERS: &'static [Member] = &[
        Member::new("id", "its name in the store"),
        Member::new("path", "its folder"),
        Member::new("spec", "a map of all that decided its result"),
        Member::new("summary", "a map of its results"),
        Member::new("metrics", "a Table: one row per epoch"),
        Member::new("model", "the Model, for a training"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("id", |r: &Self| r.0.id.clone())
            .get("path", |r: &Self| r.0.dir.clone())
            .get("spec", |r: &Self| r.0.spec())
            .get("summary", |r: &Self| r.0.summary())
            .get("metrics", |r: &Self| TableValue::from_json_rows(&r.0.metrics()?))
            .get("model", |r: &Self| crate::training::run::load(r.0.clone()).map(ModelValue));
    }
}

kind_value!(RunValue);

impl fmt::Display for RunValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run {}", self.0.id)?;
        if let Ok(summary) = self.0.summary() {
            if let Some(name) = summary["name"].as_str() {
                write!(f, ": {name}")?;
            }
            if let Some(map) = summary["val_mAP"].as_f64() {
                write!(f, ", mAP {map:.2} on val")?;
            }
            if let Some(seconds) = summary["seconds"].as_f64() {
                write!(f, ", {seconds:.1} s")?;
            }
        }
        Ok(())
    }
}
