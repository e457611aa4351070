//! A model with its place in the run store and in the data set's labels.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::models::Model;
use crate::runs::Run;

/// A model and where it comes from. Cheap to clone; the weights are shared.
#[derive(Clone)]
pub struct Trained {
    // One user at a time: libtorch tensors may be sent between threads, not shared.
    model: Arc<Mutex<Model>>,
    /// What names its weights: the run's id, or a hash of the file or of the initial weights.
    pub id: String,
    pub run: Option<Run>,
    /// The labels of its outputs, in order.
    pub labels: Vec<String>,
    /// All labels of the data set it was trained on, in the data set's order; its own when that is not known.
    pub vocabulary: Vec<String>,
    /// Whether its epoch was chosen by the split that it is tested on.
    pub selected_on_test: bool,
}

impl Trained {
    pub fn new(model: Model, id: String, run: Option<Run>, vocabulary: Vec<String>) -> Self {
        let labels = model.labels.clone();
        Trained { model: Arc::new(Mutex::new(model)), id, run, labels, vocabulary, selected_on_test: false }
    }

    /// The model itself.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Writes the weights with all that is needed to load them again, as safetensors.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.model().save(path, &self.extra())
    }

    /// What travels with the weights beyond the model's own description.
    pub fn extra(&self) -> Value {
        json!({ "vocabulary": self.vocabulary, "run": self.id, "selected_on_test": self.selected_on_test })
    }

    /// Reads what [`Trained::save`] wrote. `run` is given when the file is a run's own.
    ///
    /// Errors: Io, Data for a file that is cut short or not of this form.
    pub fn load(path: &Path, run: Option<Run>) -> Result<Self> {
        let (model, extra) = Model::load(path, crate::devices::first())?;
        let vocabulary = match extra.get("vocabulary") {
            Some(list) => serde_json::from_value(list.clone())
                .map_err(|e| Error::data(format!("{}: its vocabulary is not a list of names: {e}", path.display())))?,
            None => model.labels.clone(),
        };
        let id = match &run {
            Some(run) => run.id.clone(),
            None => {
                let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
                format!("file-{}", &blake3::hash(&bytes).to_hex()[..12])
            }
        };
        let selected_on_test = extra["selected_on_test"].as_bool().unwrap_or(false);
        Ok(Trained { selected_on_test, ..Trained::new(model, id, run, vocabulary) })
    }
}
