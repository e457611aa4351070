//! The model itself: images to logits, frozen features, parameters, files.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::backbones::{Backbone, BackboneKind};
use super::heads::{self, Answer, Head, Seen};
use super::params::{Params, Role};
use super::pass::Pass;
use super::precision::{Precision, full};
use super::weights;
use super::{ModelSpec, Normalise};
use crate::error::{Error, Result};
use crate::files;

/// A backbone and a head that answer for `labels`.
pub struct Model {
    /// Resolved: every default written out.
    pub spec: ModelSpec,
    /// One name a logit, in order.
    pub labels: Vec<String>,
    pub device: Device,
    kind: &'static BackboneKind,
    stages: usize,
    params: Params,
    backbone: Box<dyn Backbone>,
    head: Box<dyn Head>,
    /// The first so many of the parameters are the backbone's, the others the head's.
    backbone_params: usize,
    channels: i64,
    notes: Vec<String>,
    /// [1, 3, 1, 1]: pixels of 0 to 255 are normalised as `x * scale + shift`.
    scale: Tensor,
    shift: Tensor,
}

/// How well given tensors fitted a model's parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadReport {
    /// Names of the model's that were not given; they keep their values.
    pub missing: Vec<String>,
    /// Names given that the model does not have; ignored.
    pub unexpected: Vec<String>,
    /// (name, shape here, shape given): not loaded.
    pub mismatched: Vec<(String, Vec<i64>, Vec<i64>)>,
}

impl Model {
    /// Builds the model; random weights follow from (`seed`, parameter name) alone. `spec.weights` then replaces all of
    /// the backbone's, and those of the head that it has and that fit.
    ///
    /// Errors: those of the specification; no labels; weights that are not there or do not fit.
    pub fn new(spec: &ModelSpec, labels: &[String], seed: u64, device: Device) -> Result<Model> {
        let mut model = Self::random(spec, labels, seed, device)?;
        match model.spec.weights.clone().as_deref() {
            None => {}
            Some("imagenet") => model.load_weights(&weights::find_imagenet(model.kind)?)?,
            Some(path) => model.load_weights(Path::new(path))?,
        }
        Ok(model)
    }

    fn random(spec: &ModelSpec, labels: &[String], seed: u64, device: Device) -> Result<Model> {
        if labels.is_empty() {
            return Err(Error::argument("a model needs at least one label; got none"));
        }
        let spec = spec.resolved()?;
        let kind = spec.kind()?;
        let stages = spec.stages.unwrap_or(1);
        let mut params = Params::new(seed, device);
        params.freezing_norms = spec.frozen_norms;
        let backbone = (kind.build)(&mut params, &spec)?;
        params.freezing_norms = false;
        let backbone_params = params.list.len();
        let channels = match (backbone.channels(), (kind.stages)().get(stages - 1)) {
            (Some(channels), _) => channels,
            (None, Some(stage)) => stage.channels,
            (None, None) => return Err(Error::internal(format!("backbone \"{}\" has no stage {stages}", kind.name))),
        };
        let head = (heads::find(&spec.head)?.build)(
            &mut params,
            &heads::Context::new(&spec, channels, labels, kind.classifier)?,
        )?;
        let mut names: Vec<&str> = params.list.iter().map(|p| p.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::data(format!(
                "two tensors of the model are named \"{}\", one of the backbone and one of the head",
                twice[0]
            )));
        }
        let (mean, std) = statistics(&spec, kind);
        let scale: Vec<f32> = std.iter().map(|s| (1.0 / (255.0 * s)) as f32).collect();
        let shift: Vec<f32> = mean.iter().zip(std).map(|(m, s)| (-m / s) as f32).collect();
        let constant =
            |v: &[f32]| -> Result<Tensor> { Ok(Tensor::f_from_slice(v)?.f_view([1, 3, 1, 1])?.f_to_device(device)?) };
        Ok(Model {
            labels: labels.to_vec(),
            device,
            kind,
            stages,
            params,
            backbone,
            head,
            backbone_params,
            channels,
            notes: vec![],
            scale: constant(&scale)?,
            shift: constant(&shift)?,
            spec,
        })
    }

    /// Weights of others: the whole backbone, and of the head what is there. Says what was left out.
    fn load_weights(&mut self, path: &Path) -> Result<()> {
        let shapes: HashMap<String, Vec<i64>> =
            self.params.list.iter().map(|p| (p.name.clone(), p.tensor.size())).collect();
        let mut state = weights::fit(weights::read(path)?, &shapes, &self.kind.weights)?;
        let twins: Vec<(String, Tensor)> = (state.iter())
            .map(|(name, tensor)| (format!("{}{name}", heads::SECOND), tensor.shallow_clone()))
            .filter(|(name, _)| shapes.contains_key(name))
            .collect();
        state.extend(twins);
        let head: HashSet<String> = self.params.list[self.backbone_params..].iter().map(|p| p.name.clone()).collect();
        // A layer of the head is taken whole or not at all: the bias of a weight that does not fit means nothing here.
        let differs: Vec<(String, Vec<i64>, Vec<i64>)> = state
            .iter()
            .filter(|(name, _)| head.contains(name))
            .filter_map(|(name, given)| {
                shapes.get(name).filter(|s| **s != given.size()).map(|s| (name.clone(), s.clone(), given.size()))
            })
            .collect();
        let layer = |name: &str| name.rsplit_once('.').map_or_else(|| name.to_string(), |(layer, _)| layer.to_string());
        let dropped: HashSet<String> = differs.iter().map(|(name, ..)| layer(name)).collect();
        state.retain(|(name, _)| !(head.contains(name) && dropped.contains(&layer(name))));
        let report = self.load_state(&state)?;
        let file = path.display();
        let of_backbone = LoadReport {
            missing: report.missing.iter().filter(|name| !head.contains(*name)).cloned().collect(),
            unexpected: vec![],
            mismatched: report.mismatched,
        };
        if of_backbone.missing.len() == self.backbone_params {
            let first = state.first().map_or("none", |(name, _)| name.as_str());
            let error = Error::data(format!(
                "{file}: none of its {} tensors has a name that {} knows; the first is \"{first}\"",
                state.len(),
                self.kind.name
            ));
            return Err(error.with_help(match self.kind.weights.note {
                "" => format!("weights that Model.save wrote for {} fit", self.kind.name),
                note => format!("what fits: {note}"),
            }));
        }
        if of_backbone != LoadReport::default() {
            return Err(Error::data(format!("{file}: does not fit {}: {of_backbone}", self.kind.name))
                .with_help("the architecture, its stages and image_size decide names and shapes"));
        }
        for (name, here, there) in differs.iter().filter(|(_, here, there)| here.len() > 1 && here.len() == there.len())
        {
            if here[1..] == there[1..] {
                self.notes.push(format!(
                    "{file}: the last layer \"{}\" is for {} classes; for {} labels it starts from random weights",
                    layer(name),
                    there[0],
                    here[0]
                ));
            }
        }
        // What stages that are not used and the file's own head have is not worth a word.
        if self.stages == (self.kind.stages)().len() {
            let classifier = format!("{}.", self.kind.classifier);
            let strange: Vec<String> = report.unexpected.into_iter().filter(|n| !n.starts_with(&classifier)).collect();
            if !strange.is_empty() {
                let report = LoadReport { unexpected: strange, ..LoadReport::default() };
                self.notes.push(format!(
                    "{file}: read into {}, but for tensors that it has no place for: {report}",
                    self.kind.name
                ));
            }
        }
        self.notes.iter().for_each(|line| say_once(line));
        Ok(())
    }

    /// What of the first weights was left out, a sentence each; it was logged too.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Side of the square input, in pixels.
    pub fn image_size(&self) -> i64 {
        self.spec.image_size.unwrap_or(self.kind.image_size)
    }

    /// u8 pixels `[N, H, W, 3]` → f32 `[N, 3, H, W]`, channels-last in memory, on the model's device, normalised as the
    /// backbone's weights expect.
    pub fn normalise(&self, pixels: &Tensor) -> Result<Tensor> {
        let x = crate::torch::upload(pixels, self.device)?.f_permute([0, 3, 1, 2])?.f_to_kind(Kind::Float)?;
        Ok(x.f_mul(&self.scale)?.f_add(&self.shift)?)
    }

    fn stages(&self, x: &Tensor, from: usize, to: usize, train: bool) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for stage in from + 1..=to {
            // What a head adds, it adds behind the frozen stages only.
            if stage > 1
                && stage > self.spec.freeze
                && let Some(more) = Precision::Float32.during(|| self.head.lateral(stage - 1, &full(&x)?))?
            {
                x = x.f_add(&more)?;
            }
            x = self.backbone.stage(stage, &x, train && !self.spec.frozen_norms)?;
        }
        Ok(x)
    }

    /// Normalised images `[N, 3, H, W]` → logits `[N, m]`. A training pass turns on batch statistics in the trainable
    /// rest, and dropout.
    pub fn forward(&self, images: &Tensor, pass: impl Into<Pass>) -> Result<Tensor> {
        self.forward_from(&self.frozen_features(images)?, pass.into())
    }

    /// Normalised images → the output of stage `freeze` `[N, C, h, w]` (a transformer's tokens as `[N, C, T, 1]`), no
    /// gradient; the images themselves when freeze is 0.
    pub fn frozen_features(&self, images: &Tensor) -> Result<Tensor> {
        if self.spec.freeze == 0 {
            return Ok(images.shallow_clone());
        }
        tch::no_grad(|| self.stages(images, 0, self.spec.freeze, false))
    }

    /// Output of stage `freeze` → logits: the trainable rest.
    pub fn forward_from(&self, features: &Tensor, pass: impl Into<Pass>) -> Result<Tensor> {
        Ok(self.answer(features, pass)?.logits)
    }

    /// Output of stage `freeze` → logits, and the loss that the head brings, where it brings one.
    pub fn answer(&self, features: &Tensor, pass: impl Into<Pass>) -> Result<Answer> {
        let pass = pass.into();
        let rest = |x: &Tensor| -> Result<Tensor> {
            let x = full(&pass.precision.during(|| self.stages(x, self.spec.freeze, self.stages, pass.train))?)?;
            // Whole feature maps are dropped; heads number their own dropouts from 0.
            pass.dropout_maps(&self.head_input(&x)?, self.spec.dropout, u64::MAX)
        };
        let maps = rest(features)?;
        self.head.answer(&Seen { maps: &maps, input: features, rest: &rest }, pass)
    }

    /// What the head reads of the last stage's output: its maps `[N, C, h, w]`, or for a head that only averages them
    /// and a backbone with a pooling of its own (a class token) that vector as `[N, C, 1, 1]`.
    fn head_input(&self, x: &Tensor) -> Result<Tensor> {
        if self.backbone.pools_itself() && self.spec.head == "gap" {
            return Ok(self.backbone.pooled(x)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?);
        }
        self.backbone.maps(x)
    }

    /// A term of the loss that the head brings.
    pub fn auxiliary(&self) -> Result<Option<Tensor>> {
        self.head.auxiliary()
    }

    /// Determines what `frozen_features` computes: equal strings, equal features.
    pub fn frozen_fingerprint(&self) -> Result<String> {
        let weights = self.fingerprint(|frozen| frozen)?;
        let plain = if self.spec.normalise == Normalise::None { "/plain" } else { "" };
        Ok(format!("{}/{}/{}{plain}/{weights}", self.kind.name, self.spec.freeze, self.image_size()))
    }

    /// Names the weights as they are now.
    pub fn initial_fingerprint(&self) -> Result<String> {
        self.fingerprint(|_| true)
    }

    fn fingerprint(&self, which: impl Fn(bool) -> bool) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for param in self.params.list.iter().filter(|p| which(p.frozen)) {
            let tensor = param.tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
            let count = tensor.numel();
            let mut bytes = vec![0u8; count * 4];
            tensor.f_copy_data_u8(&mut bytes, count)?;
            hasher.update(param.name.as_bytes());
            hasher.update(&bytes);
        }
        if let Some(code) = self.backbone.fingerprint() {
            hasher.update(code.as_bytes());
        }
        Ok(hasher.finalize().to_hex()[..16].to_string())
    }

    /// Class activation maps before pooling `[N, m, h, w]`; none when the head has none.
    pub fn class_maps(&self, images: &Tensor) -> Result<Option<Tensor>> {
        tch::no_grad(|| {
            let x = self.stages(&self.frozen_features(images)?, self.spec.freeze, self.stages, false)?;
            self.head.class_maps(&self.backbone.maps(&x)?)
        })
    }

    fn select(&self, which: impl Fn(Role, bool) -> bool) -> Vec<(String, Tensor)> {
        let mut all: Vec<(String, Tensor)> = self
            .params
            .list
            .iter()
            .filter(|p| which(p.role, p.frozen))
            .map(|p| (p.name.clone(), p.tensor.shallow_clone()))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The parameters that training moves, sorted by name: leaves with `requires_grad`, sharing the model's storage.
    /// `set_data` on one of them changes the model.
    pub fn trainable(&self) -> Vec<(String, Tensor)> {
        self.select(|role, frozen| role == Role::Weight && !frozen)
    }

    /// Whether the parameter of that name is the backbone's, a head's second one included.
    pub fn is_of_backbone(&self, name: &str) -> bool {
        name.starts_with(heads::SECOND) || self.params.list[..self.backbone_params].iter().any(|p| p.name == name)
    }

    /// Batch statistics of the trainable rest, sorted by name (f32), sharing the model's storage.
    pub fn buffers(&self) -> Vec<(String, Tensor)> {
        self.select(|role, frozen| role == Role::Statistic && !frozen)
    }

    /// Everything that a file of this model holds, sorted by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.select(|_, _| true)
    }

    /// Copies tensors in by name.
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<LoadReport> {
        let mut report = LoadReport::default();
        let by_name: HashMap<&str, &Tensor> =
            state.iter().rev().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        for param in &self.params.list {
            let Some(given) = by_name.get(param.name.as_str()) else {
                report.missing.push(param.name.clone());
                continue;
            };
            if given.size() != param.tensor.size() {
                report.mismatched.push((param.name.clone(), param.tensor.size(), given.size()));
                continue;
            }
            let mut tensor = param.tensor.f_detach()?;
            tch::no_grad(|| tensor.f_copy_(given))?;
        }
        let constants = self.params.constants.iter().map(|(name, _)| name.as_str());
        let own: HashSet<&str> = self.params.list.iter().map(|p| p.name.as_str()).chain(constants).collect();
        report.unexpected = state
            .iter()
            .map(|(n, _)| n)
            .filter(|n| !own.contains(n.as_str()) && !n.ends_with("num_batches_tracked"))
            .cloned()
            .collect();
        Ok(report)
    }

    /// Writes a `.safetensors` file that alone restores the model (a TorchScript module's code stays in its own file),
    /// under the names of timm or torchvision, and beside it a `.json` of the same name with timm's keys. `extra` travels
    /// along.
    pub fn save(&self, path: &Path, extra: &Value) -> Result<()> {
        if path.extension().and_then(|e| e.to_str()) != Some("safetensors") {
            return Err(Error::argument(format!("a model is saved as .safetensors; got \"{}\"", path.display())));
        }
        let description = json!({ "spec": self.spec, "labels": self.labels, "extra": extra });
        // One key: the format keeps them in no order, and equal models should be equal files.
        let metadata = [("cpsd".to_string(), description.to_string())];
        let mut tensors = self.state();
        tensors.extend(self.params.constants.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())));
        weights::write_safetensors(path, &tensors, &metadata)?;
        let side = self.image_size();
        let kind = self.kind;
        let stage = &(kind.stages)()[self.stages - 1];
        let grid = (stage.stride > 0).then(|| (side + stage.stride - 1) / stage.stride);
        let (mean, std) = statistics(&self.spec, kind);
        let names = match (kind.timm, kind.weights.files.is_empty()) {
            (Some(_), _) => "timm",
            (None, false) => "torchvision",
            (None, true) => "own",
        };
        let config = json!({
            "architecture": kind.timm.unwrap_or(kind.name),
            "num_classes": self.labels.len(),
            "num_features": self.channels,
            "global_pool": if self.backbone.pools_itself() { "token" } else { "avg" },
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
        files::write(&path.with_extension("json"), format!("{config:#}\n").as_bytes())
    }

    /// Restores what `save` wrote, with what travelled along. Pretrained weights need not be there.
    ///
    /// Errors: Io; Data for a file that is cut short, was not written by `save`, or whose tensors do not fit.
    pub fn load(path: &Path, device: Device) -> Result<(Model, Value)> {
        let bad = |what: String| Error::data(format!("{}: not a model that save wrote: {what}", path.display()));
        let (state, metadata) = weights::read_safetensors(path)?;
        let description = metadata.get("cpsd").ok_or_else(|| bad("its metadata has no \"cpsd\"".into()))?;
        let description: Value = serde_json::from_str(description).map_err(|e| bad(e.to_string()))?;
        let spec: ModelSpec = serde_json::from_value(description["spec"].clone()).map_err(|e| bad(e.to_string()))?;
        let labels: Vec<String> =
            serde_json::from_value(description["labels"].clone()).map_err(|e| bad(e.to_string()))?;
        let mut model = Self::random(&spec, &labels, 0, device)?;
        let report = LoadReport { unexpected: vec![], ..model.load_state(&state)? };
        if report != LoadReport::default() {
            return Err(bad(report.to_string()));
        }
        Ok((model, description["extra"].clone()))
    }

    /// The same model with weights of its own.
    pub fn twin(&self) -> Result<Model> {
        let mut twin = Self::random(&self.spec, &self.labels, 0, self.device)?;
        twin.load_state(&self.state())?;
        Ok(twin)
    }

    /// Numbers in all weights, head included.
    pub fn num_parameters(&self) -> i64 {
        self.params.list.iter().filter(|p| p.role == Role::Weight).map(|p| p.tensor.numel() as i64).sum()
    }

    /// Channels of the maps that the head reads.
    pub fn channels(&self) -> i64 {
        self.channels
    }
}

/// Mean and standard deviation of pixel values in [0, 1], by channel, that the first layer is fed with.
fn statistics(spec: &ModelSpec, kind: &BackboneKind) -> ([f64; 3], [f64; 3]) {
    match spec.normalise {
        Normalise::Backbone => (kind.mean, kind.std),
        Normalise::None => ([0.0; 3], [1.0; 3]),
    }
}

impl std::fmt::Display for LoadReport {
    /// `missing 7: "a", "b", "c", "d", ...; of another shape 1: "e" is [2] instead of [3]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quoted = |names: &[String]| names.iter().map(|n| format!("\"{n}\"")).collect();
        let shapes = self
            .mismatched
            .iter()
            .map(|(n, here, there)| format!("\"{n}\" is {there:?} instead of {here:?}"))
            .collect();
        let all: [(&str, Vec<String>); 3] = [
            ("missing", quoted(&self.missing)),
            ("unexpected", quoted(&self.unexpected)),
            ("of another shape", shapes),
        ];
        let parts: Vec<String> = all
            .iter()
            .filter(|(_, items)| !items.is_empty())
            .map(|(what, items)| {
                let first: Vec<&str> = items.iter().take(4).map(String::as_str).collect();
                let more = if items.len() > 4 { ", ..." } else { "" };
                format!("{what} {}: {}{more}", items.len(), first.join(", "))
            })
            .collect();
        f.write_str(&parts.join("; "))
    }
}

/// A line on standard error, once a process: many models of one run read the same file.
fn say_once(line: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap_or_else(|e| e.into_inner()).insert(line.to_string()) {
        crate::activity::console::log(line);
    }
}
