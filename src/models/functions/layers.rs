//! The layers of a function: named parameters, made when its model is built and the same ones in every pass.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tch::{Device, Tensor};

use super::facts::Facts;
use super::{Init, Purpose};
use crate::error::{Error, Result};
use crate::models::heads::transformer::{self, Attended, Attending, Attention};
use crate::models::layers::{BatchNorm, LayerNorm};
use crate::models::params::{Lent, Scope};
use crate::models::pass::Pass;
use crate::models::precision::full;
use crate::models::products::{self, Window};
use crate::torch::meeting::follow;

/// What was made when the model was built. Cheap to clone.
#[derive(Clone, Default)]
pub struct Made(pub(super) Arc<Mutex<Inside>>);

#[derive(Default)]
pub(super) struct Inside {
    pub(super) facts: Facts,
    pub(super) device: Option<Device>,
    layers: HashMap<String, (Asked, Layer)>,
    /// How the layers began, while the model is built.
    inits: HashMap<String, Init>,
    pub(super) words: Option<Tensor>,
    pub(super) graph: Option<Tensor>,
    pub(super) shares: Option<Tensor>,
    /// The most stages before the last that were asked for.
    pub(super) earlier: usize,
    pub(super) reads_tokens: bool,
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
/// call or a later one, a name stands for the same parameters. Other sizes under it, or in the same call another init, are an error.
///
/// Every result is f32, whatever the precision of the pass.
pub struct Layers {
    pub(super) part: &'static str,
    pub(super) made: Made,
    /// Where parameters are made, while the model is built.
    pub(super) lent: RefCell<Option<Lent>>,
    pub(super) building: bool,
    pass: Pass,
    pub(super) earlier: Vec<Tensor>,
    pub(super) tokens: Vec<(&'static str, Tensor)>,
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
        if self.building {
            self.made.0.lock().inits.clear();
        }
        self.lent.take()
    }

    /// Whether the caller asks for a further tensor of this name.
    pub fn wants(&self, name: &str) -> bool {
        self.wants.contains(&name)
    }

    /// Whether class activation maps are asked for: a head may leave them away otherwise.
    pub fn class_maps(&self) -> bool {
        self.wants("maps")
    }

    /// Whether this is a training step. True when the model is built, so that everything that a step needs is made.
    pub fn training(&self) -> bool {
        self.building || self.pass.train
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
        self.layer(name, asked, init, make, x, |layer, x| match layer {
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
        self.layer(name, asked, init, make, x, |layer, x| match layer {
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
        self.layer(name, asked, &Init::Default, make, x, |layer, x| match layer {
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
        self.layer(name, asked, &Init::Default, make, x, |layer, x| match layer {
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
        let of_output = if xavier { Init::XavierUniform } else { Init::Default };
        let make = |p: &Scope| Ok(Layer::Attention(Attention::new(p, width, heads, init, 0)?));
        let attending = Attending { dropout, layer: self.next_dropout(), pass: self.pass, looks: need_weights };
        let mut weights = None;
        let n = q[0].max(k[0]);
        let whole = |x: &Tensor| -> Result<Tensor> {
            let size = x.size();
            Ok(follow(x, self.device())?.f_expand([n, size[1], size[2]], false)?)
        };
        let (key, value) = (whole(key)?, whole(value)?);
        let values = self.layer(name, asked, &of_output, make, &whole(query)?, |layer, query| match layer {
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
        self.bare(name, asked, init, make)
    }

    /// `NAME.weight` `[rows, width]`: one vector per row, standard normal numbers at first, as `nn.Embedding` has them.
    pub fn embedding(&self, name: &str, rows: i64, width: i64) -> Result<Tensor> {
        positive("embedding", name, "rows", rows)?;
        positive("embedding", name, "width", width)?;
        let asked = Asked { kind: "embedding", sizes: vec![rows, width] };
        let make = |p: &Scope| Ok(Layer::Parameter(p.at(name).normal("weight", &[rows, width], 1.0)?));
        self.bare(name, asked, &Init::Default, make)
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

    pub(super) fn check_open(&self) -> Result<()> {
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
        init: &Init,
        make: impl FnOnce(&Scope) -> Result<Layer>,
        x: &Tensor,
        apply: impl FnOnce(&Layer, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        self.with(name, asked, init, |p| make(&p.at(name)), |layer, device| full(&apply(layer, &follow(x, device)?)?))
    }

    /// A layer that is a tensor.
    fn bare(
        &self,
        name: &str,
        asked: Asked,
        init: &Init,
        make: impl FnOnce(&Scope) -> Result<Layer>,
    ) -> Result<Tensor> {
        self.with(name, asked, init, make, |layer, _| match layer {
            Layer::Parameter(tensor) => Ok(tensor.shallow_clone()),
            _ => Err(mixed(name)),
        })
    }

    fn with(
        &self,
        name: &str,
        asked: Asked,
        init: &Init,
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
            if let Some(first) = inside.inits.get(name)
                && !init.goes_with(first)?
            {
                return Err(Error::argument(format!(
                    "\"{name}\" began with {} already; now {} is asked for under this name",
                    first.said(),
                    init.said()
                ))
                .about_name(name)
                .with_help("a name stands for the same parameters wherever it is said: leave init out to use them again, or give the layer a name of its own"));
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
        inside.inits.insert(name.to_string(), init.kept());
        given
    }
}

/// Weight and bias, uniform in ±`bound` unless `init` says otherwise of the weight.
fn affine(p: &Scope, shape: &[i64], bound: f64, bias: bool, init: &Init) -> Result<Layer> {
    let weight = init.make(p, "weight", shape, Init::Uniform(bound))?;
    let bias = if bias { Some(p.uniform("bias", &shape[..1], bound)?) } else { None };
    Ok(Layer::Affine(weight, bias))
}

fn mixed(name: &str) -> Error {
    Error::internal(format!("layer \"{name}\" is of another kind than it says"))
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
