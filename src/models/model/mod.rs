//! The model itself: images to logits, frozen features, parameters.

mod features;
mod load;
mod parts;
mod save;
mod start;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::Path;

use serde_json::json;
use tch::{Device, Kind, Tensor};

pub use load::LoadSummary;
pub use parts::Part;
pub use save::NOT_HELD;

use super::adapter::Tokens;
use super::backbones::{self, Backbone, BackboneKind};
use super::heads::{self, Answer, Head, HeadSetup, Seen, Truth};
use super::params::{FirstValues, Param, Params, Role, Scope};
use super::pass::Pass;
use super::precision::full;
use super::weights::Origin;
use super::{FrozenCompute, ModelSpec, Normalise, adapter, named};
use crate::error::{Error, Result};
use crate::losses::Reduction;
use crate::memory;
use crate::torch::{flags, upload};

/// Feature maps `[N, C, h, w]`, each with the number of its stage.
pub type StageMaps = Vec<(usize, Tensor)>;

/// A backbone and a head for `labels`.
pub struct Model {
    /// Resolved: every default written out.
    pub spec: ModelSpec,
    /// One name per logit, in order.
    pub labels: Vec<String>,
    pub device: Device,
    kind: &'static BackboneKind,
    stages: usize,
    /// Stages `1..=held` keep their batch statistics for now, those of `spec.freeze` among them ([`Model::hold`]).
    held: Cell<usize>,
    params: Params,
    backbone: Box<dyn Backbone>,
    head: Box<dyn Head>,
    /// Number of the backbone's parameters, which come before the head's.
    backbone_params: usize,
    channels: i64,
    notes: Vec<String>,
    weights_from: Option<Origin>,
    /// [1, 3, 1, 1]: pixels of 0 to 255 are normalised as `x * scale + shift`.
    scale: Tensor,
    shift: Tensor,
}

impl Model {
    /// Builds the model; random weights follow from (`seed`, parameter name) alone. `spec.weights` then replaces all
    /// weights of the backbone, and those of the head that the file has and that fit.
    ///
    /// Weights that are on the Hub alone are downloaded if `spec.download` or the environment permits it.
    ///
    /// Errors: those of the specification; no labels; weights that are missing or do not fit.
    pub fn new(spec: &ModelSpec, labels: &[String], seed: u64, device: Device) -> Result<Model> {
        // Building a large model takes seconds.
        spec.check_weights()?;
        let mut model = Self::random(spec, labels, seed, device)?;
        if let Some(found) = spec.find_weights()? {
            model.load_weights(&found.path)?;
            model.weights_from = found.origin;
        }
        Ok(model)
    }

    fn random(spec: &ModelSpec, labels: &[String], seed: u64, device: Device) -> Result<Model> {
        check_labels(labels)?;
        let spec = spec.resolved()?;
        spec.files().for_each(|path| named::name(Path::new(path)));
        // Drawing takes long: a model that is too large is found before, where no file has to be read for it.
        let reads = spec.files().next().is_some();
        if !reads {
            let free = memory::left();
            let bytes = Self::build(&spec, labels, seed, Params::new(FirstValues::None), device)?.params.bytes();
            if bytes > free {
                return Err(Error::argument(format!(
                    "the model would take {} of memory; {} are free",
                    memory::said(bytes),
                    memory::said(free)
                ))
                .with_help("smaller head_options, head_width or image_size, or fewer labels, make it smaller"));
            }
        }
        Self::build(&spec, labels, seed, Params::new(FirstValues::Drawn), device)
    }

    /// `params` says which first values its tensors have.
    fn build(spec: &ModelSpec, labels: &[String], seed: u64, params: Params, device: Device) -> Result<Model> {
        flags::start(device)?;
        check_labels(labels)?;
        let spec = ModelSpec { download: false, ..spec.resolved()? };
        let kind = backbones::find(&spec.backbone)?;
        let stages = spec.stages.unwrap_or(1);
        let params = RefCell::new(params);
        let root = Scope::root(&params, seed, device);
        let mut backbone = (kind.build)(&root.frozen_norms_if(spec.frozen_norms), &spec)?;
        let backbone_params = params.borrow().list.len();
        if spec.frozen_compute == FrozenCompute::Folded && params.borrow().foldable == 0 {
            return Err(Error::argument(format!(
                "frozen_compute \"folded\" has no effect: \"{}\" has no batch norm behind a convolution in its frozen stages",
                spec.backbone
            ))
            .about_name(&spec.backbone));
        }
        // Their parameters are no part of published weights and learn at the head's rate.
        if let Some(lora) = &spec.lora {
            backbone.low_rank(&root, lora)?;
        }
        adapter::add(&root, &spec, labels, &mut *backbone)?;
        let channels = match (backbone.channels(), (kind.stages)().get(stages - 1)) {
            (Some(channels), _) => channels,
            (None, Some(stage)) => stage.channels,
            (None, None) => return Err(Error::internal(format!("backbone \"{}\" has no stage {stages}", kind.name))),
        };
        let mut setup = HeadSetup::new(&spec, channels, labels, kind.classifier)?;
        setup.tokens = backbone.token_shapes().unwrap_or_default();
        let head = (heads::find(&spec.head)?.build)(&root, &setup)?;
        check_earlier(&spec, stages, head.earlier())?;
        let params = params.into_inner();
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
            held: Cell::new(0),
            params,
            backbone,
            head,
            backbone_params,
            channels,
            notes: vec![],
            weights_from: None,
            scale: constant(&scale)?,
            shift: constant(&shift)?,
            spec,
        })
    }

    /// Tensors of `spec.weights` that were left out, one sentence each; they were logged too.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Repository and commit of initial weights that are from the Hugging Face Hub.
    pub fn weights_from(&self) -> Option<&Origin> {
        self.weights_from.as_ref()
    }

    /// Side of the square input, in pixels.
    pub fn image_size(&self) -> i64 {
        self.spec.image_size.unwrap_or(self.kind.image_size)
    }

    /// u8 pixels `[N, H, W, 3]` → f32 `[N, 3, H, W]`, channels-last in memory, on the model's device, normalised by
    /// `spec.normalise`.
    pub fn normalise(&self, pixels: &Tensor) -> Result<Tensor> {
        let x = upload(pixels, self.device)?.f_permute([0, 3, 1, 2])?.f_to_kind(Kind::Float)?;
        Ok(x.f_mul(&self.scale)?.f_add(&self.shift)?)
    }

    fn stages(&self, x: &Tensor, from: usize, to: usize) -> Result<Tensor> {
        self.stages_seen(x, from, to, Pass::EVAL, &mut |_, _| Ok(()))
    }

    /// The same; `see` gets the number and the output of every stage from `from` to the last but one.
    fn stages_seen(
        &self,
        x: &Tensor,
        from: usize,
        to: usize,
        pass: Pass,
        see: &mut dyn FnMut(usize, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for stage in from + 1..=to {
            // Heads add to the outputs of stages after the frozen ones only.
            if stage > 1
                && stage > self.spec.freeze
                && let Some(more) = self.head.lateral(stage - 1, &x)?
            {
                x = x.f_add(&more)?;
            }
            see(stage - 1, &x)?;
            let norms = pass.train && !self.spec.frozen_norms && stage > self.held.get();
            x = self.backbone.stage_in(stage, &x, norms, pass)?;
        }
        Ok(x)
    }

    /// Normalised images `[N, 3, H, W]` → logits `[N, m]`. A training pass turns on batch statistics in the trainable
    /// rest, and dropout.
    pub fn forward(&self, images: &Tensor, pass: impl Into<Pass>) -> Result<Tensor> {
        self.forward_from(&self.frozen_features(images)?, pass.into())
    }

    /// Normalised images → the output of the last [fixed](ModelSpec::fixed_stages) stage `[N, C, h, w]` (a transformer's tokens
    /// as `[N, C, T, 1]`), no gradient; the images themselves when there is none.
    pub fn frozen_features(&self, images: &Tensor) -> Result<Tensor> {
        match self.spec.fixed_stages() {
            0 => Ok(images.shallow_clone()),
            fixed => tch::no_grad(|| full(&self.spec.frozen_compute.during(|| self.stages(images, 0, fixed))?)),
        }
    }

    /// Output of the last fixed stage → logits, by the rest.
    pub fn forward_from(&self, features: &Tensor, pass: impl Into<Pass>) -> Result<Tensor> {
        Ok(self.answer(features, pass, None)?.logits)
    }

    /// Output of the last fixed stage → logits, and the head's own loss if it has one. `truth` is that of a training step.
    pub fn answer(&self, features: &Tensor, pass: impl Into<Pass>, truth: Option<Truth>) -> Result<Answer> {
        self.answer_seen(features, pass.into(), truth, None)
    }

    /// [`answer`](Self::answer) to normalised images. `maps` receives the feature maps of every stage, those of the last as the head sees
    /// them.
    pub fn answer_to_images(
        &self,
        images: &Tensor,
        pass: Pass,
        truth: Option<Truth>,
        mut maps: Option<&mut StageMaps>,
    ) -> Result<Answer> {
        let fixed = self.spec.fixed_stages();
        let Some(seen) = maps.as_deref_mut().filter(|_| fixed > 0) else {
            return self.answer_seen(&self.frozen_features(images)?, pass, truth, maps);
        };
        let features = tch::no_grad(|| {
            let see = &mut |stage: usize, x: &Tensor| self.keep_maps(stage, x, seen);
            full(&self.spec.frozen_compute.during(|| self.stages_seen(images, 0, fixed, Pass::EVAL, see))?)
        })?;
        self.answer_seen(&features, pass, truth, maps)
    }

    fn keep_maps(&self, stage: usize, x: &Tensor, maps: &mut StageMaps) -> Result<()> {
        // Stage 0 is the pictures.
        if stage > 0 {
            maps.push((stage, full(&self.backbone.maps(x)?)?));
        }
        Ok(())
    }

    fn answer_seen(
        &self,
        features: &Tensor,
        pass: Pass,
        truth: Option<Truth>,
        mut stage_maps: Option<&mut StageMaps>,
    ) -> Result<Answer> {
        let (wanted, mut earlier) = (self.head.earlier(), Vec::new());
        let through = |x: &Tensor, see: &mut dyn FnMut(usize, &Tensor) -> Result<()>| -> Result<Tensor> {
            let stages = || self.stages_seen(x, self.spec.fixed_stages(), self.stages, pass, see);
            full(&pass.precision.during(stages)?)
        };
        // Whole feature maps are dropped; heads number their own dropouts from 0.
        let dropped = |x: &Tensor| pass.dropout_maps(&self.head_input(x)?, self.spec.dropout, u64::MAX);
        let last = through(features, &mut |stage, x| {
            if stage + wanted >= self.stages {
                earlier.insert(0, full(&self.backbone.maps(x)?)?);
            }
            stage_maps.as_deref_mut().map_or(Ok(()), |kept| self.keep_maps(stage, x, kept))
        })?;
        let maps = dropped(&last)?;
        if let Some(kept) = stage_maps {
            kept.push((self.stages, maps.shallow_clone()));
        }
        let tokens = if self.head.reads_tokens() { self.backbone.tokens(&last)?.map(Tokens::into_named) } else { None };
        let tokens = tokens.unwrap_or_default();
        let again = |x: &Tensor| dropped(&through(x, &mut |_, _| Ok(()))?);
        let seen = Seen { maps: &maps, earlier: &earlier, tokens: &tokens, input: features, rest: &again, truth };
        let answer = pass.precision.during(|| self.head.answer(&seen, pass))?;
        Ok(Answer { logits: full(&answer.logits)?, ..answer })
    }

    /// The head's input from the last stage's output: its maps `[N, C, h, w]`, or for a head that only averages them
    /// and a backbone with its own pooling (a class token, say), the pooled vector as `[N, C, 1, 1]`.
    fn head_input(&self, x: &Tensor) -> Result<Tensor> {
        if self.backbone.pools_itself() && self.spec.head == "gap" {
            return Ok(self.backbone.pooled(x)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?);
        }
        self.backbone.maps(x)
    }

    /// Lets stages `1..=stages` stay as they are until the next call: they keep their batch statistics, normalise by them, and their
    /// parameters get no gradient. Those of `spec.freeze` do in any case.
    ///
    /// Errors: the head reads one of these stages, or has a second backbone ([`check_hold`](Self::check_hold)).
    pub fn hold(&self, stages: usize) -> Result<()> {
        self.check_hold(stages)?;
        self.held.set(stages);
        let parts = self.parts()?;
        for param in self.params.list.iter().filter(|p| p.role == Role::Weight && !p.frozen) {
            let held = matches!(parts.get(&param.name), Some(Part::Stage(stage)) if *stage <= stages);
            let _ = param.tensor.shallow_clone().f_requires_grad_(!held)?;
        }
        Ok(())
    }

    /// Errors: stages that this model cannot hold for a time.
    pub fn check_hold(&self, stages: usize) -> Result<()> {
        if stages > 0 && self.params.list.iter().any(|p| p.name.starts_with(heads::SECOND)) {
            let head = &self.spec.head;
            return Err(Error::argument(format!(
                "head \"{head}\" has a second backbone, so the frozen stages cannot change by epoch"
            ))
            .about_name(head.as_str())
            .with_help("model: #{freeze: ...} freezes stages of both for the whole training"));
        }
        check_earlier(&ModelSpec { freeze: stages, ..self.spec.clone() }, self.stages, self.head.earlier())
    }

    /// Whether training passes normalise by statistics of the batch.
    pub fn trains_batch_norms(&self) -> bool {
        self.params.list.iter().any(|p| p.role == Role::Statistic && !p.frozen)
    }

    /// Whether the head takes targets between 0 and 1: its loss is the training's, on its logits.
    pub fn takes_soft_targets(&self) -> bool {
        self.head.takes_soft_targets()
    }

    /// Whether several processes can each compute the loss of some images of a batch: see [`Head::loss_is_by_image`].
    pub fn loss_is_by_image(&self, reduction: Reduction) -> bool {
        self.head.loss_is_by_image(reduction)
    }

    /// The head's own term of the loss, if it has one.
    pub fn auxiliary(&self) -> Result<Option<Tensor>> {
        self.head.auxiliary()
    }

    /// Identifies the function `frozen_features`: equal strings, equal features.
    pub fn frozen_fingerprint(&self) -> Result<String> {
        // Those of a head have no part in it: models with any labels share the features.
        let weights =
            fingerprint(self.params.list[..self.backbone_params].iter().filter(|p| p.frozen), &*self.backbone)?;
        let plain = if self.spec.normalise == Normalise::None { "/plain" } else { "" };
        let compute = match self.spec.frozen_compute {
            FrozenCompute::Exact => "",
            FrozenCompute::Folded => "/folded",
            FrozenCompute::BFloat16 => "/bfloat16",
        };
        Ok(format!("{}/{}/{}{plain}{compute}/{weights}", self.kind.name, self.spec.freeze, self.image_size()))
    }

    /// Identifies the current weights.
    pub fn initial_fingerprint(&self) -> Result<String> {
        fingerprint(self.params.list.iter(), &*self.backbone)
    }

    /// Identifies the word vectors of the labels, where they are from a file.
    pub fn words_fingerprint(&self) -> Result<Option<String>> {
        let name = heads::words_in_file();
        let Some((_, words)) = self.params.constants.iter().find(|(known, _)| *known == name) else { return Ok(None) };
        let mut hasher = blake3::Hasher::new();
        hasher.update(json!(words.size()).to_string().as_bytes());
        hasher.update(&bytes_of(words)?);
        Ok(Some(hasher.finalize().to_hex()[..16].to_string()))
    }

    /// Class activation maps before pooling `[N, m, h, w]`, if the head has such.
    pub fn class_maps(&self, images: &Tensor) -> Result<Option<Tensor>> {
        tch::no_grad(|| {
            let x = self.stages(&self.frozen_features(images)?, self.spec.fixed_stages(), self.stages)?;
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

    /// The trained parameters, sorted by name: leaves with `requires_grad`, sharing the model's storage.
    /// `set_data` on one of them changes the model.
    pub fn trainable(&self) -> Vec<(String, Tensor)> {
        self.select(|role, frozen| role == Role::Weight && !frozen)
    }

    /// All weights, sorted by name, without the statistics.
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        self.select(|role, _| role == Role::Weight)
    }

    /// Whether the parameter of that name belongs to the backbone or to a head's second backbone.
    pub fn is_of_backbone(&self, name: &str) -> bool {
        let own = name.strip_prefix(heads::SECOND).unwrap_or(name);
        self.params.list[..self.backbone_params].iter().any(|p| p.name == own)
    }

    /// Batch statistics of the trainable rest, sorted by name (f32), sharing the model's storage.
    pub fn buffers(&self) -> Vec<(String, Tensor)> {
        self.select(|role, frozen| role == Role::Statistic && !frozen)
    }

    /// All weights and statistics, sorted by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.select(|_, _| true)
    }

    /// A copy that shares no storage.
    pub fn twin(&self) -> Result<Model> {
        self.twin_on(self.device)
    }

    /// A copy on `device`. Errors: no memory there.
    pub fn twin_on(&self, device: Device) -> Result<Model> {
        let fixed = self.params.constants.iter().map(|(name, value)| (name.clone(), value.shallow_clone()));
        let params = Params::new(FirstValues::Zeros).with_fixed(fixed);
        let mut twin = Self::build(&self.spec, &self.labels, 0, params, device)?;
        twin.load_state(&self.state())?;
        twin.notes = self.notes.clone();
        twin.weights_from = self.weights_from.clone();
        Ok(twin)
    }

    /// The model on `device`: itself if it is there already. Errors: no memory there.
    pub fn moved_to(self, device: Device) -> Result<Model> {
        if self.device == device { Ok(self) } else { self.twin_on(device) }
    }

    /// Number of elements of all weights, head included.
    pub fn num_parameters(&self) -> i64 {
        self.params.list.iter().filter(|p| p.role == Role::Weight).map(|p| p.tensor.numel() as i64).sum()
    }

    /// Channels of the maps that the head reads.
    pub fn channels(&self) -> i64 {
        self.channels
    }
}

/// Errors: no labels, a label that is there twice.
fn check_labels(labels: &[String]) -> Result<()> {
    if labels.is_empty() {
        return Err(Error::argument("a model needs at least one label; got none"));
    }
    let mut seen = HashSet::new();
    match labels.iter().find(|label| !seen.insert(label.as_str())) {
        Some(twice) => {
            Err(Error::argument(format!("label \"{twice}\" is there twice; each output has a label of its own"))
                .about_name(twice))
        }
        None => Ok(()),
    }
}

/// The bytes of a tensor of f32.
fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>> {
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let count = tensor.numel();
    let mut bytes = vec![0u8; count * 4];
    tensor.f_copy_data_u8(&mut bytes, count)?;
    Ok(bytes)
}

/// Identifies these tensors and a backbone that is code from a file.
fn fingerprint<'a>(params: impl Iterator<Item = &'a Param>, backbone: &dyn Backbone) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for param in params {
        hasher.update(param.name.as_bytes());
        hasher.update(&bytes_of(&param.tensor)?);
    }
    if let Some(code) = backbone.fingerprint() {
        hasher.update(code.as_bytes());
    }
    Ok(hasher.finalize().to_hex()[..16].to_string())
}

/// Errors: stages before the last that the head reads, of which the backbone has too few or which lie inside the frozen ones.
fn check_earlier(spec: &ModelSpec, stages: usize, earlier: usize) -> Result<()> {
    let error = |message: String| Err(Error::argument(message).about_name(spec.head.as_str()));
    match earlier {
        0 => Ok(()),
        n if stages <= n => error(format!(
            "head \"{}\" reads the last {} stages; only {stages} of \"{}\" is used",
            spec.head,
            n + 1,
            spec.backbone
        )),
        n if spec.freeze + n > stages => error(format!(
            "head \"{}\" reads the last {} stages, so freeze must be at most {}. Got {} instead.",
            spec.head,
            n + 1,
            stages - n,
            spec.freeze
        )),
        _ => Ok(()),
    }
}

/// Mean and standard deviation per channel by which pixel values in [0, 1] are normalised.
fn statistics(spec: &ModelSpec, kind: &BackboneKind) -> ([f64; 3], [f64; 3]) {
    match spec.normalise {
        Normalise::Backbone => (kind.mean, kind.std),
        Normalise::None => ([0.0; 3], [1.0; 3]),
    }
}
