//! `Run` in scripts.

use std::fmt;
use std::path::Path;

use super::model::ModelValue;
use super::table::TableValue;
use crate::error::Result;
use crate::primitives::runs::runs::one;
use crate::reports::differences::differences;
use crate::runs::{Run, RunStore, Script, local, names};
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::tables::Cell;
use crate::training::{made_with, overview};

/// A finished run as scripts hold it.
#[derive(Clone)]
pub struct RunValue(pub Run);

impl KindOfValue for RunValue {
    const NAME: &'static str = "Run";
    const SUMMARY: &'static str =
        "A finished run of the store: an immutable folder, and what was noted beside it later.";
    const MEMBERS: &'static [Member] = &[
        Member::new("id", "its name in the store"),
        Member::new("name", "the newest name that the option name gave it, or that of the call that made it"),
        Member::new("tags", "an array of its tags, of all calls that asked for it"),
        Member::new("date", "when it was finished, by the clock of this place: \"2026-11-27 10:46:45\""),
        Member::new("path", "its folder"),
        Member::new("spec", "a map of all that decided its result"),
        Member::new("summary", "a map of its results"),
        Member::new(
            "made_with",
            "a text: threads, kind of CPU, libtorch, cpsd, which decide its last digits; () of a run that does not say",
        ),
        Member::new("metrics", "a Table: one row per epoch"),
        Member::new(
            "scores",
            "a Table: data, split, images, mAP, CF1, OF1, date; what evaluate has seen of its model on test splits",
        ),
        Member::new(
            "script",
            "the text that asked for it first, or (): the script, or the prompt's inputs up to that line (64 KB at most, of a script the first, of inputs the last)",
        ),
        Member::new("script_name", "that script's path, or \"input 12\" of the prompt, or ()"),
        Member::new(
            "diff(other)",
            "a Table: setting, own, other; the settings in which two runs differ; other is a Run, or its id or name",
        ),
        Member::new("model", "the Model, for a training"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("id", |r: &Self| r.0.id.clone())
            .get("name", |r: &Self| r.0.names().map(|(name, _)| name))
            .get("tags", |r: &Self| r.0.names().map(|(_, tags)| tags))
            .get("date", |r: &Self| r.date())
            .get("path", |r: &Self| r.0.dir.clone())
            .get("spec", |r: &Self| r.0.spec())
            .get("summary", |r: &Self| r.0.summary())
            .get("made_with", |r: &Self| r.made_with())
            .get("metrics", |r: &Self| TableValue::from_json_rows(&r.0.metrics()?))
            .get("scores", |r: &Self| r.scores())
            .get("script", |r: &Self| r.script())
            .get("script_name", |r: &Self| r.script_name())
            .method("diff", |r: &Self, other: Self| r.diff(&other))
            .method("diff", |r: &Self, other: String| r.diff(&r.beside(&other)?))
            .get("model", |r: &Self| crate::training::run::load(r.0.clone()).map(ModelValue));
    }

    fn fingerprint(&self) -> Option<String> {
        Some(self.0.id.clone())
    }
}

impl RunValue {
    /// Threads, kind of CPU, versions of libtorch and cpsd. Errors: a damaged summary.
    pub fn made_with(&self) -> Result<Option<String>> {
        Ok(made_with::in_words(&self.0.summary()?))
    }

    /// When it was finished, by the clock of this place. Errors: a damaged summary.
    pub fn date(&self) -> Result<String> {
        Ok(local(&overview::date(&self.0, &self.0.summary()?)))
    }

    /// The text that asked for it first; where it was cut, a line there says so.
    pub fn script(&self) -> Option<String> {
        let Script { text, ends, bytes, .. } = self.0.notes().script(&self.0.id)?;
        Some(match text.len() < bytes {
            true if ends => format!("// ... the last {} of {bytes} bytes: the beginning was cut\n{text}", text.len()),
            true => format!("{text}\n// ... the first {} of {bytes} bytes\n", text.len()),
            false => text,
        })
    }

    /// The name of that text.
    pub fn script_name(&self) -> Option<String> {
        self.0.notes().script(&self.0.id).map(|script| script.name)
    }

    /// What `evaluate` has seen of its model on test splits.
    pub fn scores(&self) -> Result<TableValue> {
        let rows = self.0.notes().scores(&self.0.id).into_iter().map(|score| {
            vec![
                Cell::Text(score.data),
                Cell::Text(score.split),
                score.images.into(),
                score.map.into(),
                score.cf1.into(),
                score.of1.into(),
                Cell::Text(local(&score.date)),
            ]
        });
        TableValue::from_rows(&["data", "split", "images", "mAP", "CF1", "OF1", "date"], rows.collect())
    }

    /// Another run of its store, as `run(id)` finds it.
    fn beside(&self, id: &str) -> Result<Self> {
        one(&RunStore::new(self.0.dir.parent().unwrap_or(Path::new("."))), id).map(RunValue)
    }

    /// The settings in which two runs differ. Errors: a damaged specification.
    pub fn diff(&self, other: &Self) -> Result<TableValue> {
        let rows = differences(&self.0, &other.0)?.into_iter();
        let rows = rows.map(|d| vec![Cell::Text(d.setting), Cell::Text(d.this), Cell::Text(d.other)]);
        TableValue::from_rows(&["setting", "own", "other"], rows.collect())
    }
}

kind_value!(RunValue);

impl fmt::Display for RunValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run {}", self.0.id)?;
        if let Ok(summary) = self.0.summary() {
            let (name, tags) = names(&self.0.id, &summary, &self.0.notes().named(&self.0.id));
            if name != self.0.id {
                write!(f, ": {name}")?;
            }
            if !tags.is_empty() {
                write!(f, " [{}]", tags.join(", "))?;
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
