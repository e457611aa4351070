//! Models as files: `.safetensors` with a description, from which alone a model can be restored.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::{LoadSummary, Model, statistics};
use crate::error::{Error, ErrorKind, Result};
use crate::models::functions::Code;
use crate::models::params::Params;
use crate::models::{Beside, LEARNED, ModelSpec, backbones, heads, named, weights};
use crate::{files, json};

impl Model {
    /// Writes a `.safetensors` file that alone restores the model, word vectors included (a TorchScript module's code stays in its own file),
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
    /// a TorchScript module, one that this process did not name ([`load_on`](Self::load_on)). The same is true of a file of word vectors,
    /// where the model's own file does not hold them, as those of earlier versions.
    pub fn load(path: &Path, device: Device) -> Result<(Model, Value)> {
        Self::load_on(path, Beside::NONE, device)
    }

    /// Notes that this process, and no file of weights, names a TorchScript module or a file of word vectors: models on it can be
    /// loaded.
    pub fn name_file(path: &Path) {
        named::name(path);
    }

    /// [`load`](Self::load) for a model with files beside its own. The file of weights cannot name them: a module is a program, and
    /// any other path may lead anywhere, so the caller alone chooses. Without a name, the one that the weights' file says is taken
    /// if this process has made a model with it before.
    ///
    /// Errors: those of `load`; another module than the one with which the model was saved; the policy.
    pub fn load_on(path: &Path, beside: Beside, device: Device) -> Result<(Model, Value)> {
        Self::parse_on(path, &files::read(path)?, beside, device)
    }

    /// [`load_on`](Self::load_on) of a content that is in memory; `path` is where errors say it is from.
    pub fn parse_on(path: &Path, content: &[u8], beside: Beside, device: Device) -> Result<(Model, Value)> {
        let bad = |what: String| Error::in_file(path, format!("not a model that save wrote: {what}"));
        let (state, metadata) = weights::parse_safetensors(path, content)?;
        let description = metadata.get("cpsd").ok_or_else(|| bad("its metadata has no \"cpsd\"".into()))?;
        let description: Description = json::parse(description.as_bytes()).map_err(bad)?;
        let mut spec = description.spec.ok_or_else(|| bad("it has no specification".into()))?;
        let in_file = |e: Error| Error { message: format!("{}: {}", path.display(), e.message), ..e }.about_file(path);
        let from_file = backbones::find(&spec.backbone).map_err(in_file)?.from_file;
        spec.path = chosen_module(path, &spec, from_file, beside.module)?;
        // Those that the caller names come before those in the file.
        let held =
            state.iter().find(|(name, _)| *name == heads::words_in_file()).filter(|_| beside.word_vectors.is_none());
        spec.word_vectors = chosen_words(path, &spec, beside.word_vectors, held.is_some())?;
        spec.head_code = chosen_function(path, ("head", "|maps, p|"), &spec.head_code, beside.head)?;
        spec.adapter = chosen_function(path, ("adapter", "|block, x, p|"), &spec.adapter, beside.adapter)?;
        let fixed: Vec<(String, Tensor)> =
            held.iter().map(|(name, value)| (name.clone(), value.shallow_clone())).collect();
        let labels = description.labels.ok_or_else(|| bad("its labels are not a list of names".into()))?;
        let shapes = state.iter().map(|(name, tensor)| (name.clone(), tensor.size())).collect();
        let params = Params::of_file(shapes).with_fixed(fixed);
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

/// The module for a specification that was read from the file of weights `path`; `from_file` if its backbone is one.
fn chosen_module(path: &Path, spec: &ModelSpec, from_file: bool, module: Option<&Path>) -> Result<Option<String>> {
    let said = spec.path.as_deref().filter(|_| from_file);
    match (from_file, module, said) {
        (false, None, _) => Ok(spec.path.clone()),
        (false, Some(_), _) => {
            let what = format!("its backbone \"{}\" is no TorchScript module, so it takes no path", spec.backbone);
            Err(Error::in_file(path, what))
        }
        (true, Some(module), _) => {
            named::name(module);
            Ok(Some(module.to_string_lossy().into_owned()))
        }
        (true, None, Some(said)) if named::is_named(Path::new(said)) => Ok(Some(said.to_string())),
        (true, None, said) => {
            let what = "its backbone is a TorchScript module, a program in a file of its own, which a file of weights cannot name";
            let place = json!(said.unwrap_or("module.pt"));
            let call = format!("load_model({}, #{{path: {place}}})", json!(path.to_string_lossy()));
            Err(Error::in_file(path, what).with_help(format!("name it, if you trust it: {call}")))
        }
    }
}

/// What the error says of a closure that is needed and not known.
pub const NOT_HELD: &str = "is a closure of a script, which a file of weights does not hold";

/// The closure `option`, of these arguments, for a specification that was read from the file of weights `path`.
fn chosen_function(
    path: &Path,
    (option, arguments): (&str, &str),
    saved: &Option<Code>,
    given: Option<&Code>,
) -> Result<Option<Code>> {
    match (saved, given) {
        (None, Some(_)) => {
            let what = format!("the model's {option} is no closure, so it takes no {option}");
            Err(Error::in_file(path, what).about_option(option))
        }
        (Some(saved), Some(given)) if saved != given => Err(Error::in_file(
            path,
            format!("its {option} is another closure ({}) than the one that is given ({})", saved.hash, given.hash),
        )
        .about_option(option)
        .with_help("the code, the functions that it calls and the values that it captures must be those with which it was trained")),
        (Some(_), Some(given)) => Ok(Some(given.clone())),
        (Some(saved), None) if saved.function().is_none() => {
            let what = format!("its {option} {NOT_HELD}");
            let call = format!("load_model({}, #{{{option}: {arguments} ...}})", json!(path.to_string_lossy()));
            Err(Error::in_file(path, what).with_help(format!(
                "give it: {call}; or train or make a model with the same closure in this script before"
            )))
        }
        (known, None) => Ok(known.clone()),
    }
}

/// The word vectors for a specification that was read from the file of weights `path`; `held` if that file holds their numbers.
fn chosen_words(path: &Path, spec: &ModelSpec, words: Option<&Path>, held: bool) -> Result<Option<String>> {
    let said = spec.word_vectors.as_deref();
    match (said, words) {
        (None | Some(LEARNED), Some(_)) => {
            Err(Error::in_file(path, "its head has no word vectors from a file, so it takes no word_vectors"))
        }
        (None | Some(LEARNED), None) => Ok(spec.word_vectors.clone()),
        (Some(_), Some(words)) => {
            named::name(words);
            Ok(Some(words.to_string_lossy().into_owned()))
        }
        (Some(said), None) if held || named::is_named(Path::new(said)) => Ok(Some(said.to_string())),
        (Some(said), None) => {
            let what = "its word vectors are in a file of their own, which a file of weights cannot name";
            let call = format!("load_model({}, #{{word_vectors: {}}})", json!(path.to_string_lossy()), json!(said));
            Err(Error::in_file(path, what).with_help(format!("name it: {call}")))
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
    fn an_unknown_backbone_is_said_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let metadata =
            [("cpsd".to_string(), json!({ "spec": { "backbone": "resnet19" }, "labels": ["a"] }).to_string())];
        weights::write_safetensors(&path, &[], &metadata).unwrap();
        let error = Model::load(&path, Device::Cpu).map(|_| ()).unwrap_err();
        assert_eq!(error.message, format!("{}: unknown backbone \"resnet19\"", path.display()));
        assert_eq!(error.help.as_deref(), Some("did you mean \"resnet18\"?"));
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
        let needless =
            Model::load_on(&path, Beside::module(Path::new("net.pt")), Device::Cpu).map(|_| ()).unwrap_err().message;
        assert!(needless.ends_with("is no TorchScript module, so it takes no path"), "{needless}");
    }

    #[test]
    fn word_vectors_are_in_the_file_and_a_path_in_it_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("v.txt"), "a 1 2\nb 3 4\n").unwrap();
        let labels = ["a".to_string(), "b".to_string()];
        let spec = ModelSpec {
            image_size: Some(32),
            stages: Some(1),
            head: "dsdl".into(),
            word_vectors: Some(at("v.txt").display().to_string()),
            ..ModelSpec::default()
        };
        let model = Model::new(&spec, &labels, 0, Device::Cpu).unwrap();
        model.save(&at("m.safetensors"), &Value::Null).unwrap();
        let words = |model: &Model| {
            model.params.constants.iter().find(|(name, _)| name == "head.word_vectors").unwrap().1.copy()
        };
        std::fs::write(at("v.txt"), "a 9 9\nb 9 9\n").unwrap();
        // Neither a copy nor a model that is read looks at the file again.
        let (read, _) = Model::load(&at("m.safetensors"), Device::Cpu).unwrap();
        assert_eq!(words(&read), words(&model));
        assert_eq!(words(&read.twin().unwrap()), words(&model));
        assert_eq!(Vec::<f32>::try_from(words(&read).flatten(0, -1)).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        // The caller's come first.
        std::fs::write(at("w.txt"), "a 5 6\nb 7 8\n").unwrap();
        let beside = Beside { word_vectors: Some(&at("w.txt")), ..Beside::NONE };
        let (other, _) = Model::load_on(&at("m.safetensors"), beside, Device::Cpu).unwrap();
        assert_eq!(Vec::<f32>::try_from(words(&other).flatten(0, -1)).unwrap(), [5.0, 6.0, 7.0, 8.0]);
        // A file without them, as of earlier versions.
        let (state, metadata) = weights::read_safetensors(&at("m.safetensors")).unwrap();
        let without: Vec<_> = state.into_iter().filter(|(name, _)| name != "head.word_vectors").collect();
        let said = metadata["cpsd"].replace("v.txt", "secret.txt");
        std::fs::write(at("secret.txt"), "a 1 2\nb 3 4\n").unwrap();
        weights::write_safetensors(&at("old.safetensors"), &without, &[("cpsd".to_string(), said)]).unwrap();
        let error = Model::load(&at("old.safetensors"), Device::Cpu).map(|_| ()).unwrap_err();
        assert!(error.message.ends_with("which a file of weights cannot name"), "{}", error.message);
        assert!(error.help.unwrap().contains("#{word_vectors: "));
        assert!(Model::load_on(&at("old.safetensors"), beside, Device::Cpu).is_ok());
        Model::name_file(&at("secret.txt"));
        assert!(Model::load(&at("old.safetensors"), Device::Cpu).is_ok());
        // A file that holds others than it must.
        let mut wrong = without;
        wrong.push(("head.word_vectors".to_string(), Tensor::from_slice(&[1f32, 2.0])));
        weights::write_safetensors(&at("bad.safetensors"), &wrong, &[("cpsd".to_string(), metadata["cpsd"].clone())])
            .unwrap();
        let error = Model::load(&at("bad.safetensors"), Device::Cpu).map(|_| ()).unwrap_err().message;
        assert!(error.contains("\"head.word_vectors\" must be [2, any]"), "{error}");
        let needless = |spec: ModelSpec| {
            Model::new(&spec, &labels, 0, Device::Cpu).unwrap().save(&at("n.safetensors"), &Value::Null).unwrap();
            Model::load_on(&at("n.safetensors"), beside, Device::Cpu).map(|_| ()).unwrap_err().message
        };
        let learned = ModelSpec { word_vectors: Some("learned".into()), ..spec.clone() };
        assert!(needless(learned).ends_with("so it takes no word_vectors"));
    }
}
