//! The model itself: images to logits, frozen features, parameters, files.

use std::path::Path;

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::ModelSpec;
use super::backbones::{Backbone, BackboneKind};
use super::heads::{self, Head};
use super::params::{Params, Role};
use super::pass::Pass;
use super::weights;
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
    /// Builds the model; random weights follow from (`seed`, parameter name) alone, `spec.weights` then replaces the
    /// backbone's (never the head's).
    ///
    /// Errors: those of the specification; no labels; weights that are not there or do not fit.
    pub fn new(spec: &ModelSpec, labels: &[String], seed: u64, device: Device) -> Result<Model> {
        let mut model = Self::random(spec, labels, seed, device)?;
        match model.spec.weights.clone().as_deref() {
            None => {}
            Some("imagenet") => {
                let path = weights::find_imagenet(model.kind)?;
                model.load_backbone(&path)?;
            }
            Some(path) => model.load_backbone(Path::new(path))?,
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
        let backbone = (kind.build)(&mut params, stages, spec.freeze)?;
        let channels = (kind.stages)()[stages - 1].channels;
        let head = (heads::find(&spec.head)?.build)(&mut params, &heads::Context::new(&spec, channels, labels, kind.classifier)?)?;
        let scale: Vec<f32> = kind.std.iter().map(|s| (1.0 / (255.0 * s)) as f32).collect();
        let shift: Vec<f32> = kind.mean.iter().zip(kind.std).map(|(m, s)| (-m / s) as f32).collect();
        let constant = |v: &[f32]| -> Result<Tensor> { Ok(Tensor::f_from_slice(v)?.f_view([1, 3, 1, 1])?.f_to_device(device)?) };
        Ok(Model {
            labels: labels.to_vec(),
            device,
            kind,
            stages,
            params,
            backbone,
            head,
            scale: constant(&scale)?,
            shift: constant(&shift)?,
            spec,
        })
    }

    /// Published weights into the backbone; the head keeps its own.
    fn load_backbone(&mut self, path: &Path) -> Result<()> {
        let rename = self.kind.imagenet.as_ref().map_or(same as fn(&str) -> Option<String>, |w| w.rename);
        let given = weights::read(path)?;
        let own: Vec<&str> = self.params.list.iter().map(|p| p.name.as_str()).collect();
        // A file under our own (timm's, torchvision's) names is as good as one under the publisher's.
        let known = given.iter().any(|(name, _)| own.contains(&name.as_str()));
        let state: Vec<(String, Tensor)> = given
            .into_iter()
            .filter_map(|(name, tensor)| if known { Some((name, tensor)) } else { rename(&name).map(|n| (n, tensor)) })
            .filter(|(name, _)| !name.starts_with("head.") && !name.starts_with(self.kind.classifier))
            .collect();
        let report = self.load_state(&state)?;
        let lacking: Vec<&String> =
            report.missing.iter().filter(|n| !n.starts_with("head.") && !n.starts_with(self.kind.classifier)).collect();
        if let Some((name, here, there)) = report.mismatched.first() {
            return Err(Error::data(format!("{}: tensor \"{name}\" is {there:?}, and {} needs {here:?}", path.display(), self.kind.name)));
        }
        if !lacking.is_empty() {
            let names: Vec<String> = lacking.iter().take(4).map(|n| format!("\"{n}\"")).collect();
            return Err(Error::data(format!(
                "{}: {} of the tensors of {} are not in it: {}, ...", path.display(), lacking.len(), self.kind.name, names.join(", ")
            )));
        }
        Ok(())
    }

    /// Side of the square input, in pixels.
    pub fn image_size(&self) -> i64 {
        self.spec.image_size.unwrap_or(self.kind.image_size)
    }

    /// u8 pixels `[N, H, W, 3]` → f32 `[N, 3, H, W]`, channels-last in memory, on the model's device, normalised as the
    /// backbone's weights expect.
    pub fn normalise(&self, pixels: &Tensor) -> Result<Tensor> {
        let x = pixels.f_to_device(self.device)?.f_permute([0, 3, 1, 2])?.f_to_kind(Kind::Float)?;
        Ok(x.f_mul(&self.scale)?.f_add(&self.shift)?)
    }

    fn stages(&self, x: &Tensor, from: usize, to: usize, train: bool) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for stage in from + 1..=to {
            x = self.backbone.stage(stage, &x, train)?;
        }
        Ok(x)
    }

    /// Normalised images `[N, 3, H, W]` → logits `[N, m]`. A training pass turns on batch statistics in the trainable rest, and dropout.
    pub fn forward(&self, images: &Tensor, pass: impl Into<Pass>) -> Result<Tensor> {
        self.forward_from(&self.frozen_features(images)?, pass.into())
    }

    /// Normalised images → the output of stage `freeze` `[N, C, h, w]`, no gradient; the images themselves when freeze
    /// is 0.
    pub fn frozen_features(&self, images: &Tensor) -> Result<Tensor> {
        if self.spec.freeze == 0 {
            return Ok(images.shallow_clone());
        }
        tch::no_grad(|| self.stages(images, 0, self.spec.freeze, false))
    }

    /// Output of stage `freeze` → logits: the trainable rest.
    pub fn forward_from(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        let x = self.stages(features, self.spec.freeze, self.stages, pass.train)?;
        // Whole feature maps are dropped; heads number their own dropouts from 0.
        self.head.logits(&pass.dropout_maps(&x, self.spec.dropout, u64::MAX)?, pass)
    }

    /// A term of the loss that the head brings.
    pub fn auxiliary(&self) -> Result<Option<Tensor>> {
        self.head.auxiliary()
    }

    /// Determines what `frozen_features` computes: equal strings, equal features.
    pub fn frozen_fingerprint(&self) -> Result<String> {
        let weights = self.fingerprint(|frozen| frozen)?;
        Ok(format!("{}/{}/{}/{weights}", self.kind.name, self.spec.freeze, self.image_size()))
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
        Ok(hasher.finalize().to_hex()[..16].to_string())
    }

    /// Class activation maps before pooling `[N, m, h, w]`; none when the head has none.
    pub fn class_maps(&self, images: &Tensor) -> Result<Option<Tensor>> {
        tch::no_grad(|| {
            let x = self.stages(&self.frozen_features(images)?, self.spec.freeze, self.stages, false)?;
            self.head.class_maps(&x)
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
        for param in &self.params.list {
            let Some((_, given)) = state.iter().find(|(name, _)| *name == param.name) else {
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
        let own: std::collections::HashSet<&str> = self.params.list.iter().map(|p| p.name.as_str()).collect();
        report.unexpected =
            state.iter().map(|(n, _)| n).filter(|n| !own.contains(n.as_str()) && !n.ends_with("num_batches_tracked")).cloned().collect();
        Ok(report)
    }

    /// Writes a `.safetensors` file that alone restores the model, and a `.json` of the same name beside it for
    /// people. `extra` travels along.
    pub fn save(&self, path: &Path, extra: &Value) -> Result<()> {
        if path.extension().and_then(|e| e.to_str()) != Some("safetensors") {
            return Err(Error::argument(format!("a model is saved as .safetensors; got \"{}\"", path.display())));
        }
        let description = json!({ "spec": self.spec, "labels": self.labels, "extra": extra });
        // One key: the format keeps them in no order, and equal models should be equal files.
        let metadata = [("cpsd".to_string(), description.to_string())];
        weights::write_safetensors(path, &self.state(), &metadata)?;
        let mean = self.kind.mean;
        let config = json!({
            "architecture": self.kind.name,
            "num_classes": self.labels.len(),
            "label_names": self.labels,
            "pretrained_cfg": { "input_size": [3, self.image_size(), self.image_size()], "mean": mean, "std": self.kind.std, "classifier": self.kind.classifier },
            "cpsd": { "spec": self.spec, "extra": extra },
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
        let labels: Vec<String> = serde_json::from_value(description["labels"].clone()).map_err(|e| bad(e.to_string()))?;
        let mut model = Self::random(&spec, &labels, 0, device)?;
        let report = model.load_state(&state)?;
        if let Some(name) = report.missing.first() {
            return Err(bad(format!("tensor \"{name}\" is missing")));
        }
        if let Some((name, here, there)) = report.mismatched.first() {
            return Err(bad(format!("tensor \"{name}\" is {there:?} instead of {here:?}")));
        }
        Ok((model, description["extra"].clone()))
    }

    pub fn num_parameters(&self) -> i64 {
        self.params.list.iter().filter(|p| p.role == Role::Weight).map(|p| p.tensor.numel() as i64).sum()
    }
}

fn same(name: &str) -> Option<String> {
    Some(name.to_string())
}
