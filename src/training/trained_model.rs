//! A model together with its run and its data set's labels.

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use tch::Device;

use crate::error::{Error, Result};
use crate::files;
use crate::models::functions::Function;
use crate::models::{Beside, Model, NOT_HELD, weights};
use crate::runs::{Run, Work};

/// The files of a model in the folder of its run.
pub(super) const MODEL: &str = "model.safetensors";
const CONFIG: &str = "model.json";

/// A model and its origin. Cheap to clone; the weights are shared.
///
/// It is on the CPU until something computes with it on another device.
#[derive(Clone)]
pub struct Trained {
    // libtorch tensors may be sent between threads but not shared.
    model: Arc<Mutex<Model>>,
    /// A function that is part of the model, if one is.
    function: Option<Arc<dyn Function>>,
    /// Identifies its weights: the run's id, or a hash of the file or of the initial weights.
    pub id: String,
    pub run: Option<Run>,
    /// The labels of its outputs, in order.
    pub labels: Vec<String>,
    /// All labels of its data set, in the data set's order. Its own labels when the data set is not known.
    pub vocabulary: Vec<String>,
    /// Whether its epoch was selected on the test split.
    pub selected_on_test: bool,
}

impl Trained {
    pub fn new(model: Model, id: String, run: Option<Run>, vocabulary: Vec<String>) -> Self {
        let labels = model.labels.clone();
        let function = model.spec.functions().find_map(|(_, code)| code.function().cloned());
        Trained { function, model: Self::shared(model), id, run, labels, vocabulary, selected_on_test: false }
    }

    /// Locks the model, wherever it is.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        let Some(function) = &self.function else { return self.model.lock() };
        if let Some(model) = self.model.try_lock() {
            return model;
        }
        // Whoever has it may wait to call its function, which this thread may keep from being called.
        let mut model = None;
        function.meanwhile(&mut || model = Some(self.model.lock()));
        model.unwrap_or_else(|| self.model.lock())
    }

    /// Locks the model, after moving it to `device` if it is elsewhere. Errors: no memory there.
    pub fn model_on(&self, device: Device) -> Result<MutexGuard<'_, Model>> {
        let mut model = self.model();
        if model.device != device {
            *model = model.twin_on(device)?;
        }
        Ok(model)
    }

    /// The same on `device`: itself if it is there already, else with a copy of the model. Errors: no memory there.
    pub fn on(&self, device: Device) -> Result<Trained> {
        let model = self.model();
        let model = if model.device == device { self.model.clone() } else { Self::shared(model.twin_on(device)?) };
        Ok(Trained { model, ..self.clone() })
    }

    fn shared(model: Model) -> Arc<Mutex<Model>> {
        Arc::new(Mutex::new(model))
    }

    /// Writes the weights and everything needed to load them, as safetensors.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.model().save(path, &self.extra())
    }

    /// Metadata of the file in addition to the model's own description.
    pub fn extra(&self) -> Value {
        json!({ "vocabulary": self.vocabulary, "run": self.id, "selected_on_test": self.selected_on_test })
    }

    /// Writes the files of [`Trained::save`] into the folder of its run.
    pub fn save_in(&self, work: &Work) -> Result<()> {
        let (model, extra) = (self.model(), self.extra());
        work.write(MODEL, &model.to_safetensors(&extra)?)?;
        work.write(CONFIG, model.config(&extra).as_bytes())
    }

    /// Reads a file that [`Trained::save`] wrote.
    ///
    /// Errors: Io; Data for a file that is cut short or has another format.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_on(path, Beside::NONE)
    }

    /// [`load`](Self::load) for a model with files beside its own ([`Model::load_on`]).
    pub fn load_on(path: &Path, beside: Beside) -> Result<Self> {
        let content = files::read(path)?;
        // The file of a run, named by its path.
        if path.file_name().is_some_and(|name| name == MODEL)
            && let Some(Ok(run)) = path.parent().map(Run::in_folder)
        {
            run.check(MODEL, &content)?;
            return Self::parse(path, &content, None, beside).map_err(|error| with_script(error, &run));
        }
        Self::parse(path, &content, None, beside).map_err(|error| match weights::is_pickle(path) {
            true => error.with_help(
                "load_model reads what model.save wrote; weights of PyTorch go into a model that is made for them: model(\"resnet18\", \
                 #{labels: [...], weights: \"file.pth\"})",
            ),
            false => error,
        })
    }

    /// Reads the model of a finished training.
    ///
    /// Errors: Io; Data when a file of the run is damaged, or another run's.
    pub fn of_run(run: Run) -> Result<Self> {
        run.spec()?;
        let content = run.read(MODEL)?;
        let parsed = Self::parse(&run.path(MODEL), &content, Some(run.clone()), Beside::NONE);
        parsed.map_err(|error| with_script(error, &run))
    }

    fn parse(path: &Path, content: &[u8], run: Option<Run>, beside: Beside) -> Result<Self> {
        let (model, extra) = Model::parse_on(path, content, beside, Device::Cpu)?;
        let vocabulary = match extra.get("vocabulary") {
            Some(list) => serde_json::from_value(list.clone())
                .map_err(|_| Error::in_file(path, "its vocabulary is not a list of names"))?,
            None => model.labels.clone(),
        };
        let id = match &run {
            Some(run) => {
                // Also true of runs that have no digests.
                if let Some(other) = extra["run"].as_str().filter(|other| *other != run.id) {
                    return Err(run.damaged(MODEL, &format!("it is the model of {other}")));
                }
                run.id.clone()
            }
            None => format!("file-{}", &blake3::hash(content).to_hex()[..12]),
        };
        let selected_on_test = extra["selected_on_test"].as_bool().unwrap_or(false);
        Ok(Trained { selected_on_test, ..Trained::new(model, id, run, vocabulary) })
    }
}

/// An error in loading a run's model: of a closure that is not known, with the way to its text.
fn with_script(mut error: Error, run: &Run) -> Error {
    if error.message.contains(NOT_HELD) && run.notes().script(&run.id).is_some() {
        let more = format!("run(\"{}\").script shows the text that made it", run.id);
        error.help = Some(error.help.map_or(more.clone(), |help| format!("{help}; {more}")));
    }
    error
}
