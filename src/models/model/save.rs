//! Models as files: `.safetensors` with a description, from which alone a model can be restored.

use std::path::Path;

use serde_json::{Value, json};
use tch::Device;

use super::{LoadSummary, Model, statistics};
use crate::error::{Error, Result};
use crate::models::{ModelSpec, weights};
use crate::{files, json};

impl Model {
    /// Writes a `.safetensors` file that alone restores the model (a TorchScript module's code stays in its own file),
    /// under the names of timm or torchvision, and next to it a `.json` of the same name with timm's keys. `extra` is
    /// stored in both.
    pub fn save(&self, path: &Path, extra: &Value) -> Result<()> {
        if path.extension().and_then(|e| e.to_str()) != Some("safetensors") {
            let message = format!("a model is saved as .safetensors; got \"{}\"", path.display());
            return Err(Error::argument(message).about_file(path));
        }
        files::write(path, &self.to_safetensors(extra)?)?;
        files::write(&path.with_extension("json"), self.config(extra).as_bytes())
    }

    /// The content of the `.safetensors` file.
    pub fn to_safetensors(&self, extra: &Value) -> Result<Vec<u8>> {
        let description = json!({ "spec": self.spec, "labels": self.labels, "extra": extra });
        // One key: the format does not keep an order of keys, and equal models should be equal files.
        let metadata = [("cpsd".to_string(), description.to_string())];
        let mut tensors = self.state();
        tensors.extend(self.params.constants.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())));
        weights::to_safetensors(&tensors, &metadata)
    }

    /// The content of the `.json` file.
    pub fn config(&self, extra: &Value) -> String {
        let side = self.image_size();
        let kind = self.kind;
        let stage = &(kind.stages)()[self.stages - 1];
        let grid = (stage.stride > 0).then(|| (side + stage.stride - 1) / stage.stride);
        let (mean, std) = statistics(&self.spec, kind);
        let names = match (kind.timm, kind.weights.sets.is_empty()) {
            (Some(_), _) => "timm",
            (None, false) => "torchvision",
            (None, true) => "own",
        };
        let config = json!({
            "architecture": kind.timm.unwrap_or(kind.name),
            "num_classes": self.labels.len(),
            "num_features": self.channels,
            "global_pool": self.backbone.pooling(),
            "label_names": self.labels,
            "pretrained_cfg": {
                "input_size": [3, side, side],
                "pool_size": grid.map(|g| [g, g]),
                "num_classes": self.labels.len(),
                "mean": mean,
                "std": std,
                "interpolation": kind.interpolation,
                "crop_pct": kind.crop_pct,
                "crop_mode": "center",
                "classifier": kind.classifier,
                "first_conv": kind.first_conv,
            },
            "cpsd": { "spec": self.spec, "names": names, "extra": extra },
        });
        format!("{config:#}\n")
    }

    /// Restores a model that `save` wrote, and its `extra`. Pretrained weights need not be present.
    ///
    /// Errors: Io; Data for a file that is cut short, was not written by `save`, or whose tensors do not fit.
    pub fn load(path: &Path, device: Device) -> Result<(Model, Value)> {
        Self::parse(path, &files::read(path)?, device)
    }

    /// [`load`](Self::load) of a content that is in memory; `path` is where errors say it is from.
    pub fn parse(path: &Path, content: &[u8], device: Device) -> Result<(Model, Value)> {
        let bad = |what: String| Error::in_file(path, format!("not a model that save wrote: {what}"));
        let (state, metadata) = weights::parse_safetensors(path, content)?;
        let description = metadata.get("cpsd").ok_or_else(|| bad("its metadata has no \"cpsd\"".into()))?;
        let description: Value = json::parse(description.as_bytes()).map_err(bad)?;
        let spec: ModelSpec = serde_json::from_value(description["spec"].clone())
            .map_err(|e| bad(format!("in its specification, {}", json::fault(&e))))?;
        let labels: Vec<String> = serde_json::from_value(description["labels"].clone())
            .map_err(|_| bad("its labels are not a list of names".into()))?;
        let mut model = Self::build(&spec, &labels, None, device)?;
        let summary = LoadSummary { unexpected: vec![], ..model.load_state(&state)? };
        if summary != LoadSummary::default() {
            return Err(bad(summary.to_string()));
        }
        Ok((model, description["extra"].clone()))
    }
}
