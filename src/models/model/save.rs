//! Models as files: `.safetensors` with a description, from which alone a model can be restored.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tch::Device;

use super::{LoadSummary, Model, statistics};
use crate::error::{Error, ErrorKind, Result};
use crate::models::backbones::{self, torchscript};
use crate::models::params::Params;
use crate::models::{ModelSpec, weights};
use crate::{files, json};

impl Model {
    /// Writes a `.safetensors` file that alone restores the model (a TorchScript module's code stays in its own file),
    /// under the names of timm or torchvision, and next to it a `.json` of the same name with timm's keys. `extra` is
    /// stored in both.
    ///
    /// Errors: Io; a `.json` beside it that `save` did not write, before anything is written.
    pub fn save(&self, path: &Path, extra: &Value) -> Result<()> {
        if path.extension().and_then(|e| e.to_str()) != Some("safetensors") {
            let message = format!("a model is saved as .safetensors; got \"{}\"", path.display());
            return Err(Error::argument(message).about_file(path));
        }
        let beside = path.with_extension("json");
        check_beside(&beside)?;
        files::write(path, &self.to_safetensors(extra)?)?;
        files::write(&beside, self.config(extra).as_bytes())
    }

    /// The content of the `.safetensors` file.
    pub fn to_safetensors(&self, extra: &Value) -> Result<Vec<u8>> {
        let mut description = json!({ "spec": self.spec, "labels": self.labels, "extra": extra });
        if let Some(code) = self.backbone.fingerprint() {
            description["module"] = code.into();
        }
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

    /// Restores a model that `save` wrote, and its `extra`. Pretrained weights need not be present. The model takes no more memory
    /// than the file holds, whatever its specification asks for.
    ///
    /// Errors: Io; Data for a file that is cut short, was not written by `save`, or whose tensors do not fit; for a model on
    /// a TorchScript module, one that this process did not name ([`load_on`](Self::load_on)).
    pub fn load(path: &Path, device: Device) -> Result<(Model, Value)> {
        Self::load_on(path, None, device)
    }

    /// Notes that this process, and no file of weights, names a TorchScript module: models on it can be loaded.
    pub fn name_module(module: &Path) {
        torchscript::name(module);
    }

    /// [`load`](Self::load) for a model on a TorchScript module, whose file is `module`. The file of weights cannot name it: it is a
    /// program, which the caller alone may choose. Without `module`, the one that the weights' file says is taken
    /// if this process has made a model on it before.
    ///
    /// Errors: those of `load`; another module than the one with which the model was saved; the policy.
    pub fn load_on(path: &Path, module: Option<&Path>, device: Device) -> Result<(Model, Value)> {
        Self::parse_on(path, &files::read(path)?, module, device)
    }

    /// [`load_on`](Self::load_on) of a content that is in memory; `path` is where errors say it is from.
    pub fn parse_on(path: &Path, content: &[u8], module: Option<&Path>, device: Device) -> Result<(Model, Value)> {
        let bad = |what: String| Error::in_file(path, format!("not a model that save wrote: {what}"));
        let (state, metadata) = weights::parse_safetensors(path, content)?;
        let description = metadata.get("cpsd").ok_or_else(|| bad("its metadata has no \"cpsd\"".into()))?;
        let description: Description = json::parse(description.as_bytes()).map_err(bad)?;
        let mut spec = description.spec.ok_or_else(|| bad("it has no specification".into()))?;
        spec.path = chosen_module(path, &spec, module)?;
        let labels = description.labels.ok_or_else(|| bad("its labels are not a list of names".into()))?;
        let shapes = state.iter().map(|(name, tensor)| (name.clone(), tensor.size())).collect();
        let params = Params::of_file(shapes);
        let in_file = |e: Error| Error { message: format!("{}: {}", path.display(), e.message), ..e }.about_file(path);
        let mut model = Self::build(&spec, &labels, 0, params, device).map_err(in_file)?;
        if let (Some(code), Some(saved)) = (model.backbone.fingerprint(), &description.module)
            && code != *saved
        {
            let module = spec.path.unwrap_or_default();
            return Err(bad(format!("it was saved on another TorchScript module than {module} holds now")));
        }
        let summary = LoadSummary { unexpected: vec![], ..model.load_state(&state)? };
        if summary != LoadSummary::default() {
            return Err(bad(summary.to_string()));
        }
        Ok((model, description.extra))
    }
}

/// The metadata of a model's file.
#[derive(Deserialize)]
struct Description {
    spec: Option<ModelSpec>,
    labels: Option<Vec<String>>,
    #[serde(default)]
    extra: Value,
    /// A hash of the TorchScript module.
    module: Option<String>,
}

/// The module for a specification that was read from the file of weights `path`.
fn chosen_module(path: &Path, spec: &ModelSpec, module: Option<&Path>) -> Result<Option<String>> {
    let from_file = backbones::find(&spec.backbone)?.from_file;
    let said = spec.path.as_deref().filter(|_| from_file);
    match (from_file, module, said) {
        (false, None, _) => Ok(spec.path.clone()),
        (false, Some(_), _) => {
            let what = format!("its backbone \"{}\" is no TorchScript module, so it takes no path", spec.backbone);
            Err(Error::in_file(path, what))
        }
        (true, Some(module), _) => {
            torchscript::name(module);
            Ok(Some(module.to_string_lossy().into_owned()))
        }
        (true, None, Some(said)) if torchscript::is_named(Path::new(said)) => Ok(Some(said.to_string())),
        (true, None, said) => {
            let what = "its backbone is a TorchScript module, a program in a file of its own, which a file of weights cannot name";
            let place = json!(said.unwrap_or("module.pt"));
            let call = format!("load_model({}, #{{path: {place}}})", json!(path.to_string_lossy()));
            Err(Error::in_file(path, what).with_help(format!("name it, if you trust it: {call}")))
        }
    }
}

/// Errors: a file in the place of a model's `.json` that no model's is.
fn check_beside(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    /// What every description has.
    #[derive(Deserialize)]
    struct Ours {
        #[serde(rename = "cpsd")]
        _cpsd: OfModel,
        #[serde(rename = "pretrained_cfg")]
        _pretrained_cfg: HashMap<String, IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct OfModel {
        #[serde(rename = "spec")]
        _spec: HashMap<String, IgnoredAny>,
    }
    match json::parse::<Ours>(&files::read(path)?) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(
            ErrorKind::Io,
            format!("{}: this file is in the way of the model's description, and no model wrote it", path.display()),
        )
        .about_file(path)
        .with_help("save the model under another name, or move that file away")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Model {
        let spec = ModelSpec { image_size: Some(32), stages: Some(1), ..ModelSpec::default() };
        Model::new(&spec, &["a".into(), "b".into()], 0, Device::Cpu).unwrap()
    }

    #[test]
    fn a_description_that_no_model_wrote_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, beside) = (folder.path().join("x.safetensors"), folder.path().join("x.json"));
        for other in [r#"{"mine": 1}"#, r#"{"cpsd": 1}"#, "", "no JSON"] {
            std::fs::write(&beside, other).unwrap();
            let error = small().save(&path, &Value::Null).unwrap_err().message;
            assert!(error.ends_with("is in the way of the model's description, and no model wrote it"), "{error}");
            assert!(!path.exists() && std::fs::read_to_string(&beside).unwrap() == other);
        }
        std::fs::remove_file(&beside).unwrap();
        // Twice: its own is written over.
        (0..2).for_each(|_| small().save(&path, &Value::Null).unwrap());
    }

    #[test]
    fn a_specification_cannot_ask_for_more_than_the_file_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let spec = json!({ "backbone": "small_cnn", "head": "conv", "head_width": 65536, "image_size": 64 });
        let labels: Vec<String> = (0..20_000).map(|i| i.to_string()).collect();
        let read = |description: &Value| {
            let metadata = [("cpsd".to_string(), description.to_string())];
            weights::write_safetensors(&path, &[], &metadata).unwrap();
            Model::load(&path, Device::Cpu).map(|_| ()).unwrap_err().message
        };
        // 5 GB.
        let error = read(&json!({ "spec": spec, "labels": labels, "extra": {} }));
        assert!(error.contains("not a model that save wrote: missing"), "{error}");
        let error = read(&json!({ "spec": spec, "labels": ["a", "a"], "extra": {} }));
        assert!(error.contains("label \"a\" is there twice"), "{error}");
    }

    #[test]
    fn a_file_of_weights_names_no_module() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let spec = json!({ "backbone": "torchscript", "path": "net.pt" });
        let metadata = [("cpsd".to_string(), json!({ "spec": spec, "labels": ["a"] }).to_string())];
        weights::write_safetensors(&path, &[], &metadata).unwrap();
        let error = Model::load(&path, Device::Cpu).map(|_| ()).unwrap_err();
        assert!(error.message.ends_with("which a file of weights cannot name"), "{}", error.message);
        assert!(error.help.unwrap().ends_with("#{path: \"net.pt\"})"));
        small().save(&path, &Value::Null).unwrap();
        let needless = Model::load_on(&path, Some(Path::new("net.pt")), Device::Cpu).map(|_| ()).unwrap_err().message;
        assert!(needless.ends_with("is no TorchScript module, so it takes no path"), "{needless}");
    }
}
