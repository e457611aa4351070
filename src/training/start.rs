//! The option `start`: a model from whose weights a training starts.

use std::fmt;
use std::path::PathBuf;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Device;

use super::options::TrainOptions;
use super::run::load;
use super::trained_model::Trained;
use crate::error::{Error, Result};
use crate::models::{Model, ModelSpec};
use crate::runs::Run;

/// A model to start from, if there is one. In JSON its id and the folder of its run, from which it is read again.
#[derive(Clone, Default)]
pub struct Start(pub Option<Trained>);

impl Start {
    pub fn id(&self) -> Option<&str> {
        self.0.as_ref().map(|start| start.id.as_str())
    }

    /// Whether another process can read it.
    pub fn is_in_a_store(&self) -> bool {
        self.0.as_ref().is_none_or(|start| start.run.is_some())
    }
}

impl PartialEq for Start {
    fn eq(&self, other: &Start) -> bool {
        self.id() == other.id()
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Start({:?})", self.id())
    }
}

impl Serialize for Start {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(start) = &self.0 else { return serializer.serialize_none() };
        let folder = |run: &Run| std::path::absolute(&run.dir).unwrap_or_else(|_| run.dir.clone());
        json!({ "id": start.id, "run": start.run.as_ref().map(folder) }).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Start, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() {
            return Ok(Start(None));
        }
        let folder = value.get("run").and_then(Value::as_str).ok_or_else(|| D::Error::custom("a Model"))?;
        let read = || -> Result<Trained> { load(Run::in_folder(&PathBuf::from(folder))?) };
        read().map(|start| Start(Some(start))).map_err(|e| D::Error::custom(e.message))
    }
}

impl TrainOptions {
    /// Starts from the weights of `start`, which take the place of the model's own. `architecture` says whether the model is that of the
    /// start too.
    pub fn start_from(&mut self, start: Trained, architecture: bool) {
        if architecture {
            self.model = start.model().spec.clone();
        }
        self.model = ModelSpec { weights: None, ..self.model.clone() };
        self.start = Start(Some(start));
    }

    /// The model with its initial weights: random ones from `seed`, then those of a file, or of the option `start`.
    ///
    /// Errors: those of the model; a start that does not fit.
    pub(super) fn initial_model(&self, labels: &[String], seed: u64, device: Device) -> Result<Model> {
        let mut model = Model::new(&self.model, labels, seed, device)?;
        self.apply_start(&mut model)?;
        Ok(model)
    }

    /// Errors: a start that does not fit the model.
    pub(super) fn apply_start(&self, model: &mut Model) -> Result<()> {
        match &self.start.0 {
            Some(start) => model.start_from(&start.model(), &start.id),
            None => Ok(()),
        }
    }

    /// Errors: a start that another process cannot read.
    pub(super) fn check_start_leaves(&self, word: &str) -> Result<()> {
        match self.start.is_in_a_store() {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "{word}: the model of the option \"start\" is in no run store, where other processes look for it"
            ))
            .about_option("start")
            .with_help("a model that was trained is in the store; executor: \"here\" and workers: \"threads\" train in this process")),
        }
    }
}
