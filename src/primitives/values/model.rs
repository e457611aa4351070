//! `Model` in scripts.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, FnPtr, Map};
use tch::{Kind, Tensor};

use super::loss::LossValue;
use super::run::RunValue;
use super::tensor::TensorValue;
use super::tensor::conversions::dtype_name;
use crate::error::{Error, ErrorKind, Result, counted};
use crate::executors::device_pool;
use crate::images::Dataset;
use crate::losses::LossSpec;
use crate::memory;
use crate::script::call::{Call, MemberRegistrar};
use crate::script::errors::{Fallible, raise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::show;
use crate::torch::meeting::follow;
use crate::training::{self, Trained};

/// A model as scripts hold it.
#[derive(Clone)]
pub struct ModelValue(pub Trained);

impl KindOfValue for ModelValue {
    const NAME: &'static str = "Model";
    const SUMMARY: &'static str = "An image classifier: a backbone, a head, one output per label.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the labels of its outputs, in order"),
        Member::new("id", "the name of its weights: the run's id or a hash"),
        Member::new("run", "the Run that made it, or ()"),
        Member::new("parameters", "number of parameters"),
        Member::new("named_parameters()", "a map of the weights by name, as Tensors"),
        Member::new("state_dict()", "a map of the weights and running statistics by name, as Tensors"),
        Member::new("image_size", "side of the square input, in pixels"),
        Member::new("forward(tensor)", "logits [N, m] of normalised pictures [N, 3, H, W]"),
        Member::new(
            "normalise(pictures)",
            "a Tensor that forward takes, of pictures [N, 3, H, W] in uint8 as data.pictures(0..8, #{size: model.image_size}) gives them",
        ),
        Member::new(
            "features(dataset, stage, #{pool})",
            "a Tensor [N, C, h, w], the output of a stage of the backbone (from 1, the last if left out) for the whole pictures; [N, C] with pool: true",
        ),
        Member::new("features(tensor, stage, #{pool})", "a Tensor, the same of normalised pictures [N, 3, H, W]"),
        Member::new(
            "gradients(dataset, loss)",
            "a map of the gradient of a loss on all pictures by each trained parameter's name; loss is a Loss, its name, or a closure |logits, targets| of Tensors [N, m]. \
Pictures are seen whole, without dropout and with running statistics; a head's own loss is left out",
        ),
        Member::new("save(path)", "write the weights as safetensors, with all that load_model needs"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("labels", |m: &Self| m.0.labels.clone())
            .get("id", |m: &Self| m.0.id.clone())
            .get("run", |m: &Self| m.0.run.clone().map(RunValue))
            .get("parameters", |m: &Self| m.0.model().num_parameters())
            .get("image_size", |m: &Self| m.0.model().image_size())
            .method("forward", |m: &Self, x: TensorValue| m.forward(&x))
            .method("normalise", |m: &Self, x: TensorValue| m.normalise(&x))
            .method("named_parameters", |m: &Self| tensors(m.0.model().weights()))
            .method("state_dict", |m: &Self| tensors(m.0.model().state()))
            .method("features", |call: &Call, m: &Self, data: Dynamic| m.features(call, &data, None, Pooled::default()))
            .method("features", |call: &Call, m: &Self, data: Dynamic, options: Pooled| {
                m.features(call, &data, None, options)
            })
            .method("features", |call: &Call, m: &Self, data: Dynamic, stage: usize, options: Pooled| {
                m.features(call, &data, Some(stage), options)
            })
            .method("gradients", gradients)
            .method("save", |m: &Self, path: PathBuf| m.0.save(&path));
    }

    /// The run, or the weights of a model without one.
    fn fingerprint(&self) -> Option<String> {
        Some(self.to_string())
    }
}

kind_value!(ModelValue);

crate::options! {
    /// Options of features.
    pub struct Pooled {
        /// the mean over positions [N, C]; of the last stage the backbone's own pooling, such as a class token
        pub pool: bool = false;
    }
}

/// Tensors by name, which share the model's numbers.
fn tensors(named: Vec<(String, Tensor)>) -> Result<Map> {
    named.into_iter().map(|(name, t)| Ok((name.into(), Dynamic::from(TensorValue::from(t.f_detach()?))))).collect()
}

fn gradients(call: &Call, model: &ModelValue, dataset: Dataset, loss: Dynamic) -> Fallible<Map> {
    if call.host.plan().is_some() {
        let error = Error::argument("gradients has no model inside plan(...): it is not trained");
        return Err(raise(error.with_help("call it after the plan")));
    }
    let compute: Box<dyn Fn(&Tensor, &Tensor) -> Result<Tensor>>;
    let thrown: Rc<RefCell<Option<Box<EvalAltResult>>>> = Rc::default();
    match (loss.read_lock::<FnPtr>(), loss.read_lock::<LossValue>(), loss.as_immutable_string_ref()) {
        (Some(closure), _, _) => {
            let (closure, kept) = (closure.clone(), thrown.clone());
            let function = move |logits: &Tensor, targets: &Tensor| {
                let arguments = (TensorValue::from(logits.shallow_clone()), TensorValue::from(targets.shallow_clone()));
                let value = call.closure(&closure, arguments).map_err(|failure| {
                    *kept.borrow_mut() = Some(failure);
                    Error::interrupted()
                })?;
                value.read_lock::<TensorValue>().map(|t| t.0.shallow_clone()).ok_or_else(|| {
                    let came = show::a_type(&value);
                    Error::argument(format!("gradients: the closure must give a Tensor of one number; it gave {came}"))
                })
            };
            compute = Box::new(function);
        }
        (_, spec, name) => {
            let spec = match (spec, name) {
                (Some(loss), _) => loss.spec.clone(),
                (_, Ok(name)) => LossSpec::named(&name).map_err(raise)?,
                _ => {
                    let came = show::a_type(&loss);
                    return Err(raise(Error::argument(format!(
                        "gradients: the loss must be a Loss, its name or a closure |logits, targets|; got {came}"
                    ))));
                }
            };
            let unknown = dataset.labels.num_unknown();
            if unknown > 0 {
                let error = Error::argument(format!(
                    "gradients: the data has {} of unknown truth",
                    counted(unknown as usize, "entry")
                ));
                return Err(raise(error.with_help(
                    "a closure |logits, targets| sees them as -1: where(targets >= 0, ...) leaves them out",
                )));
            }
            compute = Box::new(move |logits, targets| spec.compute(logits, targets));
        }
    }
    let found = training::features::gradients(&model.0, &dataset, &*compute);
    if let Some(failure) = thrown.take() {
        return Err(failure);
    }
    tensors(found.map_err(raise)?).map_err(raise)
}

impl ModelValue {
    /// Features of a Dataset, or of normalised pictures `[N, 3, H, W]`.
    fn features(&self, call: &Call, data: &Dynamic, stage: Option<usize>, options: Pooled) -> Result<TensorValue> {
        let stage = stage.unwrap_or_else(|| self.0.model().num_stages());
        if let Some(dataset) = data.read_lock::<Dataset>().map(|d| d.clone()) {
            if call.host.plan().is_some() {
                return Err(Error::argument("features has no model inside plan(...): it is not trained")
                    .with_help("call it after the plan"));
            }
            let found = call.unlocked(|| training::features::features(&self.0, &dataset, stage, options.pool));
            return found.map(TensorValue::from);
        }
        let Some(x) = data.read_lock::<TensorValue>() else {
            let came = show::a_type(data);
            return Err(Error::argument(format!(
                "features: the data must be a Dataset or a Tensor of pictures; got {came}"
            )));
        };
        let x = self.pictures("features", &x.0)?;
        let model = self.0.model_on(device_pool::here())?;
        let found = model.features(&follow(&x, model.device)?, stage, options.pool)?;
        Ok(TensorValue::from(found.f_to_device(x.device())?))
    }

    /// Pictures `[N, 3, H, W]` of bytes, normalised.
    fn normalise(&self, x: &TensorValue) -> Result<TensorValue> {
        let x = self.pictures("normalise", &x.0)?;
        if x.kind() != Kind::Uint8 {
            let came = dtype_name(x.kind());
            return Err(Error::argument(format!("normalise: pictures must be a Tensor of uint8; got {came}"))
                .with_help("pictures of 0 to 1 become (x * 255).round().to(\"uint8\")"));
        }
        memory::check("normalise", 8 * x.numel() as u64)?;
        let model = self.0.model();
        let normal = model.normalise(&x.f_permute([0, 2, 3, 1])?)?;
        Ok(TensorValue::from(normal.f_to_device(x.device())?.f_contiguous()?))
    }

    /// Errors: no pictures `[N, 3, H, W]`.
    fn pictures(&self, word: &str, x: &Tensor) -> Result<Tensor> {
        let shape = x.size();
        if shape.len() == 4 && shape[1] == 3 {
            return Ok(x.shallow_clone());
        }
        let side = self.0.model().image_size();
        let what = if word == "normalise" { "pictures" } else { "normalised pictures" };
        let message = format!("{word} takes {what} [N, 3, H, W]; got a Tensor {shape:?}");
        Err(Error::new(ErrorKind::Tensor, message)
            .with_help(format!("this model sees pictures of {side} × {side}: [N, 3, {side}, {side}]")))
    }

    /// Logits `[N, m]` of normalised pictures `[N, 3, H, W]`.
    fn forward(&self, x: &TensorValue) -> Result<TensorValue> {
        let x = self.pictures("forward", &x.0)?;
        // Where the model computes; the answer is where the pictures are.
        let model = self.0.model_on(device_pool::here())?;
        let pictures = follow(&x, model.device)?;
        let logits = tch::no_grad(|| model.forward(&pictures, false))?;
        Ok(TensorValue::from(logits.f_to_device(x.device())?))
    }
}

impl fmt::Display for ModelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.0.model();
        write!(
            f,
            "Model {} + {} at {} px: {}, {} parameters ({})",
            model.spec.backbone,
            model.spec.head,
            model.image_size(),
            counted(self.0.labels.len(), "label"),
            thousands(model.num_parameters()),
            self.0.id
        )
    }
}

/// 123 456 as people read it.
fn thousands(n: i64) -> String {
    match n {
        n if n >= 1_000_000 => format!("{:.1} M", n as f64 / 1e6),
        n if n >= 1_000 => format!("{:.0} k", n as f64 / 1e3),
        n => n.to_string(),
    }
}
