//! The layers of a function: named parameters, made when its model is built and the same ones in every pass.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tch::{Device, Kind, Tensor};

use super::{Init, Purpose};
use crate::error::{Error, Result};
use crate::models::heads::transformer::{self, Attended, Attending, Attention};
use crate::models::heads::words_of;
use crate::models::layers::{BatchNorm, LayerNorm};
use crate::models::params::{Lent, Scope};
use crate::models::pass::Pass;
use crate::models::precision::full;
use crate::models::products::{self, Window};
use crate::models::{LabelGraph, ModelSpec};
use crate::torch::meeting::follow;

/// What a function is told of its model.
#[derive(Default)]
pub struct Facts {
    /// The names of the labels, in the order of the outputs.
    pub labels: Vec<String>,
    /// Channels, rows and columns of the maps of each used stage, as a picture of the model's size gives them.
    pub stages: Vec<[i64; 3]>,
    /// The groups of tokens of a vision transformer's last stage, `[1, n, C]` each.
    pub tokens: Vec<(&'static str, [i64; 3])>,
    word_vectors: Option<String>,
    graph: Option<LabelGraph>,
}

impl Facts {
    pub fn new(spec: &ModelSpec, labels: &[String], stages: Vec<[i64; 3]>) -> Facts {
        let (word_vectors, graph) = (spec.word_vectors.clone(), spec.graph.clone());
        Facts { labels: labels.to_vec(), stages, tokens: vec![], word_vectors, graph }
    }
}

/// What was made when the model was built. Cheap to clone.
#[derive(Clone, Default)]
pub struct Made(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    facts: Facts,
    device: Option<Device>,
    layers: HashMap<String, (Asked, Layer)>,
    words: Option<Tensor>,
    graph: Option<Tensor>,
    shares: Option<Tensor>,
    /// The most stages before the last that were asked for.
    earlier: usize,
    reads_tokens: bool,
}

impl Made {
    pub fn earlier(&self) -> usize {
        self.0.lock().earlier
    }

    pub fn reads_tokens(&self) -> bool {
        self.0.lock().reads_tokens
    }

    pub fn is_trained(&self) -> bool {
        self.0.lock().layers.values().any(|(_, layer)| layer.is_trained())
    }
}

/// The kind and the sizes of a layer, which are the same whenever its name is said.
#[derive(PartialEq)]
struct Asked {
    kind: &'static str,
    sizes: Vec<i64>,
}

impl Asked {
    fn shown(&self) -> String {
        format!("{} of sizes {:?}", self.kind, self.sizes)
    }
}

/// A layer of some kind.
enum Layer {
    /// Weight and bias of a linear map or a convolution.
    Affine(Tensor, Option<Tensor>),
    BatchNorm(BatchNorm),
    LayerNorm(LayerNorm),
    Attention(Attention),
    Parameter(Tensor),
}

impl Layer {
    fn is_trained(&self) -> bool {
        match self {
            Layer::Affine(weight, _) | Layer::Parameter(weight) => weight.requires_grad(),
            _ => true,
        }
    }
}

/// The form of a convolution.
#[derive(Clone, Copy)]
pub struct ConvolutionConfig {
    /// Side of the square kernel.
    pub kernel: i64,
    pub stride: i64,
    /// Zeros on each side.
    pub padding: i64,
    pub groups: i64,
    pub bias: bool,
}

/// One use of multi-head attention.
#[derive(Clone, Copy)]
pub struct AttentionConfig {
    pub heads: i64,
    /// Of the weights, in training.
    pub dropout: f64,
    /// Whether the weights are asked for.
    pub need_weights: bool,
    /// Whether the map to the output is Xavier uniform at first, as in DETR and its descendants, in place of PyTorch's ±1/√d.
    pub xavier: bool,
}

/// The layers of a function in one call. Names are those of parameters behind the name of the part and a dot; said again, in the same
/// call or a later one, a name stands for the same parameters.
///
/// Every result is f32, whatever the precision of the pass.
pub struct Layers {
    part: &'static str,
    made: Made,
    /// Where parameters are made, while the model is built.
    lent: RefCell<Option<Lent>>,
    building: bool,
    pass: Pass,
    earlier: Vec<Tensor>,
    tokens: Vec<(&'static str, Tensor)>,
    wants: &'static [&'static str],
    /// Dropouts so far: each has masks of its own.
    dropouts: Cell<u64>,
    closed: Cell<bool>,
}

impl Layers {
    pub(super) fn building(
        part: &'static str,
        facts: Facts,
        made: &Made,
        wants: &'static [&'static str],
        lent: Lent,
    ) -> Layers {
        {
            let mut inside = made.0.lock();
            inside.facts = facts;
            inside.device = Some(lent.device());
        }
        Layers {
            part,
            made: made.clone(),
            lent: RefCell::new(Some(lent)),
            building: true,
            pass: Pass::EVAL,
            earlier: vec![],
            tokens: vec![],
            wants,
            dropouts: Cell::new(0),
            closed: Cell::new(false),
        }
    }

    pub(super) fn of_pass(made: &Made, purpose: Purpose) -> Layers {
        Layers {
            part: "",
            made: made.clone(),
            lent: RefCell::new(None),
            building: false,
            pass: purpose.pass,
            earlier: purpose.earlier.iter().map(Tensor::shallow_clone).collect(),
            tokens: purpose.tokens.iter().map(|(name, group)| (*name, group.shallow_clone())).collect(),
            wants: purpose.wants,
            dropouts: Cell::new(0),
            closed: Cell::new(false),
        }
    }

    /// Ends the call: whoever still has the layers can use them no more.
    pub(super) fn close(&self) -> Option<Lent> {
        self.closed.set(true);
        self.lent.take()
    }

    /// Whether the caller asks for a further tensor of this name.
    pub fn wants(&self, name: &str) -> bool {
        self.wants.contains(&name)
    }

    /// Whether this is a training step. True when the model is built, so that everything that a step needs is made.
    pub fn training(&self) -> bool {
        self.building || self.pass.train
    }

    pub fn labels(&self) -> Vec<String> {
        self.made.0.lock().facts.labels.clone()
    }

    pub fn num_labels(&self) -> i64 {
        self.made.0.lock().facts.labels.len() as i64
    }

    /// `[m, d]`: the labels' word vectors, fixed ones from a file or learned ones.
    ///
    /// Errors: a model without them.
    pub fn words(&self) -> Result<Tensor> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        if let Some(words) = &inside.words {
            return Ok(words.shallow_clone());
        }
        let lent = self.lent.borrow();
        let Some(lent) = &*lent else { return Err(later("the word vectors")) };
        let words = words_of(&lent.scope().at(self.part), inside.facts.word_vectors.as_deref(), &inside.facts.labels)?;
        let words = words.ok_or_else(|| {
            Error::argument("the model has no word vectors of its labels").with_help(
                "word_vectors: \"glove.txt\" beside the head reads them from a file in GloVe's form; word_vectors: \"learned\" learns them",
            )
        })?;
        inside.words = Some(words.shallow_clone());
        Ok(words)
    }

    /// `[m, m]`: the label graph between the labels.
    ///
    /// Errors: a model without one.
    pub fn graph(&self) -> Result<Tensor> {
        self.of_graph("the label graph", |inside| &mut inside.graph, |graph, labels| graph.between(labels))
    }

    /// `[m]`: each label's share of the training images.
    ///
    /// Errors: a model without a label graph, or with one that no co-occurrence gave.
    pub fn shares(&self) -> Result<Tensor> {
        self.of_graph("the labels' shares", |inside| &mut inside.shares, |graph, labels| graph.shares_of(labels))
    }

    fn of_graph(
        &self,
        what: &str,
        place: fn(&mut Inside) -> &mut Option<Tensor>,
        read: fn(&LabelGraph, &[String]) -> Result<Tensor>,
    ) -> Result<Tensor> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        if let Some(known) = place(&mut inside) {
            return Ok(known.shallow_clone());
        }
        if !self.building {
            return Err(later(what));
        }
        let Some(graph) = &inside.facts.graph else {
            return Err(Error::argument("the model has no label graph")
                .with_help("give it one beside the head: graph: cooccurrence(data.train)"));
        };
        let tensor = read(graph, &inside.facts.labels)?.f_to_device(inside.device.unwrap_or(Device::Cpu))?;
        *place(&mut inside) = Some(tensor.shallow_clone());
        Ok(tensor)
    }

    /// Maps `[N, C, h, w]` of the stage that is `n` before the last.
    ///
    /// Errors: no such stage among those that are used.
    pub fn earlier(&self, n: usize) -> Result<Tensor> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        let stages = &inside.facts.stages;
        if n == 0 || n >= stages.len() {
            let most = stages.len().saturating_sub(1);
            return Err(Error::argument(format!(
                "earlier takes how many stages before the last, from 1 to {most}. Got {n} instead."
            )));
        }
        if self.building {
            let [channels, rows, columns] = stages[stages.len() - 1 - n];
            let device = inside.device.unwrap_or(Device::Cpu);
            inside.earlier = inside.earlier.max(n);
            return Ok(Tensor::f_ones([DRY_RUN, channels, rows, columns], (Kind::Float, device))?);
        }
        if n > inside.earlier {
            return Err(later(&format!("the maps of {n} stages before the last")));
        }
        self.earlier.get(n - 1).map(Tensor::shallow_clone).ok_or_else(|| {
            Error::argument("maps of stages before the last are not there for class activation maps, which are those of the last alone")
        })
    }

    /// The tokens of a vision transformer's last stage by name, `[N, n, C]` each: class_token, registers, prompts, patches, where there are some.
    ///
    /// Errors: another backbone.
    pub fn tokens(&self) -> Result<Vec<(&'static str, Tensor)>> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        if self.building {
            let device = inside.device.unwrap_or(Device::Cpu);
            if inside.facts.tokens.is_empty() {
                return Err(Error::argument(
                    "tokens are those of a vision transformer, which the model's backbone is not",
                ));
            }
            inside.reads_tokens = true;
            let ones = |&(name, [_, n, width]): &(&'static str, [i64; 3])| {
                Ok((name, Tensor::f_ones([DRY_RUN, n, width], (Kind::Float, device))?))
            };
            return inside.facts.tokens.iter().map(ones).collect();
        }
        if !inside.reads_tokens {
            return Err(later("the tokens"));
        }
        if self.tokens.is_empty() {
            return Err(Error::argument(
                "tokens are not there for class activation maps, which are those of the patches alone",
            ));
        }
        Ok(self.tokens.iter().map(|(name, group)| (*name, group.shallow_clone())).collect())
    }

    /// x Wᵀ + b: `[..., in]` → `[..., outputs]`. `NAME.weight` `[outputs, in]` and `NAME.bias`, uniform in ±1/√in at first.
    pub fn linear(&self, name: &str, x: &Tensor, outputs: i64, bias: bool, init: &Init) -> Result<Tensor> {
        let Some(&inputs) = x.size().last() else {
            return Err(Error::argument(format!("linear \"{name}\" takes x [..., in]; got a single number")));
        };
        positive("linear", name, "outputs", outputs)?;
        let asked = Asked { kind: "linear layer", sizes: vec![inputs, outputs, i64::from(bias)] };
        let bound = 1.0 / (inputs.max(1) as f64).sqrt();
        let make = |p: &Scope| affine(p, &[outputs, inputs], bound, bias, init);
        self.layer(name, asked, make, x, |layer, x| match layer {
            Layer::Affine(weight, bias) => products::linear(x, weight, bias.as_ref()),
            _ => Err(mixed(name)),
        })
    }

    /// A convolution `[N, C, H, W]` → `[N, channels, H', W']`. `NAME.weight` `[channels, C / groups, k, k]` and `NAME.bias`, uniform in
    /// ±1/√(C / groups · k²) at first.
    pub fn conv(
        &self,
        name: &str,
        x: &Tensor,
        channels: i64,
        config: ConvolutionConfig,
        init: &Init,
    ) -> Result<Tensor> {
        let ConvolutionConfig { kernel, stride, padding, groups, bias } = config;
        let size = x.size();
        let &[_, inputs, rows, columns] = &size[..] else {
            return Err(Error::argument(format!("conv \"{name}\" takes maps [N, C, H, W]; got a Tensor {size:?}")));
        };
        positive("conv", name, "channels", channels)?;
        if inputs % groups != 0 || channels % groups != 0 {
            return Err(Error::argument(format!(
                "conv \"{name}\": groups must divide the {inputs} channels of its maps and its own {channels}. Got {groups} instead."
            )));
        }
        if rows.min(columns).saturating_add(padding.saturating_mul(2)) < kernel {
            return Err(Error::argument(format!(
                "conv \"{name}\": a kernel of {kernel} is larger than maps of {rows} × {columns} with padding {padding}"
            )));
        }
        let sizes = vec![inputs, channels, kernel, stride, padding, groups, i64::from(bias)];
        let asked = Asked { kind: "convolution", sizes };
        let bound = 1.0 / ((inputs / groups) as f64 * (kernel * kernel) as f64).max(1.0).sqrt();
        let make = |p: &Scope| affine(p, &[channels, inputs / groups, kernel, kernel], bound, bias, init);
        self.layer(name, asked, make, x, |layer, x| match layer {
            Layer::Affine(weight, bias) => {
                products::conv2d(x, weight, bias.as_ref(), Window { stride, padding, groups })
            }
            _ => Err(mixed(name)),
        })
    }

    /// Batch normalisation of `[N, C, ...]`: by the batch in a training step, whose running statistics move by 0.1, else by these.
    pub fn batch_norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let size = x.size();
        let &[_, channels, ..] = &size[..] else {
            return Err(Error::argument(format!("batch_norm \"{name}\" takes x [N, C, ...]; got a Tensor {size:?}")));
        };
        let asked = Asked { kind: "batch norm", sizes: vec![channels] };
        let make = |p: &Scope| Ok(Layer::BatchNorm(BatchNorm::new(p, channels, 1e-5)?));
        self.layer(name, asked, make, x, |layer, x| match layer {
            Layer::BatchNorm(norm) => norm.forward(&full(x)?, self.pass.train),
            _ => Err(mixed(name)),
        })
    }

    /// Layer normalisation over the last dimension.
    pub fn layer_norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let Some(&width) = x.size().last() else {
            return Err(Error::argument(format!("layer_norm \"{name}\" takes x [..., width]; got a single number")));
        };
        let asked = Asked { kind: "layer norm", sizes: vec![width] };
        let make = |p: &Scope| Ok(Layer::LayerNorm(LayerNorm::new(p, width, 1e-5)?));
        self.layer(name, asked, make, x, |layer, x| match layer {
            Layer::LayerNorm(norm) => norm.forward(x),
            _ => Err(mixed(name)),
        })
    }

    /// Multi-head attention with PyTorch's parameters: queries `[N, T, d]`, keys and values `[N, S, d]` → `[N, T, d]`, and the weights
    /// `[N, T, S]`, the mean over heads, where they are needed.
    pub fn attention(
        &self,
        name: &str,
        [query, key, value]: [&Tensor; 3],
        config: AttentionConfig,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let AttentionConfig { heads, dropout, need_weights, xavier } = config;
        let init = if xavier { transformer::Init::Xavier } else { transformer::Init::Torch };
        let [q, k, v] = [query.size(), key.size(), value.size()];
        let fits = q.len() == 3 && k.len() == 3 && k == v && (q[0] == k[0] || q[0] == 1 || k[0] == 1) && q[2] == k[2];
        if !fits {
            return Err(Error::argument(format!(
                "attention \"{name}\" takes queries [N, T, d], keys and values [N, S, d]; got Tensors {q:?}, {k:?} and {v:?}"
            )));
        }
        let width = q[2];
        if heads < 1 || width % heads != 0 {
            return Err(Error::argument(format!(
                "attention \"{name}\" of width {width} needs a number of heads that divides it. Got {heads} instead."
            )));
        }
        let asked = Asked { kind: "attention", sizes: vec![width, heads] };
        let make = |p: &Scope| Ok(Layer::Attention(Attention::new(p, width, heads, init, 0)?));
        let attending = Attending { dropout, layer: self.next_dropout(), pass: self.pass, looks: need_weights };
        let mut weights = None;
        let n = q[0].max(k[0]);
        let whole = |x: &Tensor| -> Result<Tensor> {
            let size = x.size();
            Ok(follow(x, self.device())?.f_expand([n, size[1], size[2]], false)?)
        };
        let (key, value) = (whole(key)?, whole(value)?);
        let values = self.layer(name, asked, make, &whole(query)?, |layer, query| match layer {
            Layer::Attention(attention) => {
                let Attended { values, weights: seen } = attention.attend([query, &key, &value], attending)?;
                weights = seen;
                Ok(values)
            }
            _ => Err(mixed(name)),
        })?;
        Ok((values, weights))
    }

    /// A parameter of that shape under its own name; by default normal numbers of deviation 0.02 at first.
    pub fn parameter(&self, name: &str, shape: &[i64], init: &Init) -> Result<Tensor> {
        let asked = Asked { kind: "parameter", sizes: shape.to_vec() };
        let make = |p: &Scope| Ok(Layer::Parameter(init.make(p, name, shape, Init::Default)?));
        self.bare(name, asked, make)
    }

    /// `NAME.weight` `[rows, width]`: one vector per row, standard normal numbers at first, as `nn.Embedding` has them.
    pub fn embedding(&self, name: &str, rows: i64, width: i64) -> Result<Tensor> {
        positive("embedding", name, "rows", rows)?;
        positive("embedding", name, "width", width)?;
        let asked = Asked { kind: "embedding", sizes: vec![rows, width] };
        let make = |p: &Scope| Ok(Layer::Parameter(p.at(name).normal("weight", &[rows, width], 1.0)?));
        self.bare(name, asked, make)
    }

    /// The weight of the linear layer or convolution of that name, which was asked for before in the call or an earlier one.
    pub fn weight(&self, name: &str) -> Result<Tensor> {
        self.check_open()?;
        let inside = self.made.0.lock();
        match inside.layers.get(name) {
            Some((_, Layer::Affine(weight, _) | Layer::Parameter(weight))) => Ok(weight.shallow_clone()),
            Some((asked, _)) => {
                Err(Error::argument(format!("a {} has no weight to be asked for; \"{name}\" is one", asked.kind)))
            }
            None => {
                let mut error = Error::unknown("layer", name, inside.layers.keys().map(String::as_str));
                error.message = format!("weight: there is no layer \"{name}\" yet");
                Err(error)
            }
        }
    }

    /// Drops single numbers with probability `rate` and scales the others by 1 / (1 - rate), in training steps only. Masks follow from
    /// the pass and the number of dropouts before in the call.
    pub fn dropout(&self, x: &Tensor, rate: f64) -> Result<Tensor> {
        self.check_open()?;
        self.pass.dropout(x, rate, self.next_dropout())
    }

    /// Attention counts as a dropout, of its weights.
    fn next_dropout(&self) -> u64 {
        self.dropouts.replace(self.dropouts.get() + 1)
    }

    fn device(&self) -> Device {
        self.made.0.lock().device.unwrap_or(Device::Cpu)
    }

    fn check_open(&self) -> Result<()> {
        match self.closed.get() {
            false => Ok(()),
            true => Err(Error::argument("layers are of one call of their function, which has ended")),
        }
    }

    /// The layer of that name applied to `x`, made before if the model is being built.
    fn layer(
        &self,
        name: &str,
        asked: Asked,
        make: impl FnOnce(&Scope) -> Result<Layer>,
        x: &Tensor,
        apply: impl FnOnce(&Layer, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        self.with(name, asked, |p| make(&p.at(name)), |layer, device| full(&apply(layer, &follow(x, device)?)?))
    }

    /// A layer that is a tensor.
    fn bare(&self, name: &str, asked: Asked, make: impl FnOnce(&Scope) -> Result<Layer>) -> Result<Tensor> {
        self.with(name, asked, make, |layer, _| match layer {
            Layer::Parameter(tensor) => Ok(tensor.shallow_clone()),
            _ => Err(mixed(name)),
        })
    }

    fn with(
        &self,
        name: &str,
        asked: Asked,
        make: impl FnOnce(&Scope) -> Result<Layer>,
        give: impl FnOnce(&Layer, Device) -> Result<Tensor>,
    ) -> Result<Tensor> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        let device = inside.device.unwrap_or(Device::Cpu);
        if let Some((known, layer)) = inside.layers.get(name) {
            if *known != asked {
                return Err(Error::argument(format!(
                    "\"{name}\" is another layer already ({}); now a {} is asked for under this name",
                    known.shown(),
                    asked.shown()
                ))
                .about_name(name)
                .with_help("a name stands for the same parameters in every call: each layer needs one of its own, and sizes that do not change"));
            }
            return give(layer, device);
        }
        let lent = self.lent.borrow();
        let Some(lent) = &*lent else {
            let mut error = Error::unknown("layer", name, inside.layers.keys().map(String::as_str));
            error.message =
                format!("the {} \"{name}\" is asked for now, and was not when the model was built", asked.kind);
            return Err(error.with_help(
                "the function is called once when the model is built, with training true, and what it asks for then is made: ask before a branch",
            ));
        };
        check_name(name)?;
        let layer = make(&lent.scope().at(self.part))?;
        let given = give(&layer, device);
        inside.layers.insert(name.to_string(), (asked, layer));
        given
    }
}

/// Pictures of the call that builds a model.
pub const DRY_RUN: i64 = 2;

/// Weight and bias, uniform in ±`bound` unless `init` says otherwise of the weight.
fn affine(p: &Scope, shape: &[i64], bound: f64, bias: bool, init: &Init) -> Result<Layer> {
    let weight = init.make(p, "weight", shape, Init::Uniform(bound))?;
    let bias = if bias { Some(p.uniform("bias", &shape[..1], bound)?) } else { None };
    Ok(Layer::Affine(weight, bias))
}

fn mixed(name: &str) -> Error {
    Error::internal(format!("layer \"{name}\" is of another kind than it says"))
}

fn later(what: &str) -> Error {
    Error::argument(format!("{what} is asked for now, and was not when the model was built"))
        .with_help("the function is called once when the model is built, with training true: ask before a branch")
}

fn positive(kind: &str, name: &str, what: &str, value: i64) -> Result<()> {
    match value {
        1.. => Ok(()),
        _ => Err(Error::argument(format!("{kind} \"{name}\": {what} must be an integer from 1. Got {value} instead."))),
    }
}

/// Errors: a name that no parameter can have.
fn check_name(name: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let fits =
        !name.is_empty() && name.len() <= 200 && name.chars().all(letters) && name.split('.').all(|p| !p.is_empty());
    match fits {
        true => Ok(()),
        false => Err(Error::argument(format!(
            "the name of a layer is made of letters, digits, _ and -, with dots between its parts; got \"{name}\""
        ))
        .about_name(name)),
    }
}
