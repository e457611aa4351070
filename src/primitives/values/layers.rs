//! `Layers` in scripts: the named parameters of a closure that is part of a model.

use std::fmt;
use std::rc::Rc;

use rhai::{Array, Dynamic, Map};

use super::tensor::TensorValue;
use crate::error::{Error, Result, counted};
use crate::models::functions::{AttentionConfig, ConvolutionConfig, Init, Layers};
use crate::options::{Options, Range};
use crate::script::call::{Call, MemberRegistrar, Number, Parameter};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::{options, show};

/// The layers of one call, as its closure holds them.
#[derive(Clone)]
pub struct LayersValue(pub Rc<Layers>);

impl KindOfValue for LayersValue {
    const NAME: &'static str = "Layers";
    const SUMMARY: &'static str = "The parameters of a closure that is part of a model, as p in head: |maps, p| ...; a name stands for the same ones in every call and wherever else it is said. Other sizes or another init under it are an error.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the names of the labels, in the order of the outputs"),
        Member::new("num_labels", "their number, m"),
        Member::new("training", "whether this is a training step; true when the model is built"),
        Member::new("class_maps", "whether class activation maps are asked for; true when the model is built"),
        Member::new("words", "the labels' word vectors [m, d], if the model has the option word_vectors"),
        Member::new("graph", "the label graph [m, m], if the model has the option graph"),
        Member::new("shares", "each label's share of the training images [m], if graph is a Cooccurrence"),
        Member::new("earlier(n)", "maps [N, C, h, w] of the stage that is n before the last"),
        Member::new(
            "tokens",
            "a map of a vision transformer's last tokens: class_token, registers, prompts, patches [N, n, d], where there are some",
        ),
        Member::new(
            "linear(name, x, outputs, #{bias, init})",
            "x W' + b; outputs is a number, or names of which each has an output; W starts uniform in ±1/√in",
        ),
        Member::new(
            "conv(name, x, channels, #{kernel, stride, padding, groups, bias, init})",
            "convolution of maps [N, C, h, w]; by default kernel 1, stride 1, padding 0, one group",
        ),
        Member::new("batch_norm(name, x)", "batch normalisation of [N, C, ...]"),
        Member::new("layer_norm(name, x)", "layer normalisation over the last dimension"),
        Member::new(
            "attention(name, query, key, value, #{heads, dropout, need_weights, init})",
            "multi-head attention of [N, T, d] to [N, S, d] with the parameters of PyTorch's; with need_weights: true a map of values [N, T, d] and weights [N, T, S]",
        ),
        Member::new(
            "embedding(name, rows, width)",
            "one learned vector per row [rows, width], standard normal at first",
        ),
        Member::new(
            "parameter(name, shape, #{init, std, bound})",
            "a learned Tensor; init is \"normal\" with std (0.02), \"uniform\" in ±bound, \"zeros\", \"ones\", \"xavier_uniform\", \"kaiming_normal\" and their like, a number or a Tensor",
        ),
        Member::new("weight(name)", "the weight of a linear layer, a convolution or an embedding of that name"),
        Member::new("dropout(x, rate)", "drops numbers in training steps, scales the others by 1 / (1 - rate)"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("labels", |p: &Self| p.0.labels())
            .get("num_labels", |p: &Self| p.0.num_labels())
            .get("class_maps", |p: &Self| p.0.class_maps())
            .get("training", |p: &Self| p.0.training())
            .get("words", |p: &Self| p.0.words().map(TensorValue::from))
            .get("graph", |p: &Self| p.0.graph().map(TensorValue::from))
            .get("shares", |p: &Self| p.0.shares().map(TensorValue::from))
            .method("earlier", |p: &Self, n: usize| p.0.earlier(n).map(TensorValue::from))
            .get("tokens", |p: &Self| -> Result<Map> {
                let tokens = p.0.tokens()?.into_iter();
                Ok(tokens.map(|(name, group)| (name.into(), Dynamic::from(TensorValue::from(group)))).collect())
            })
            .method("linear", linear)
            .method("conv", conv)
            .method("batch_norm", |p: &Self, name: String, x: TensorValue| {
                p.0.batch_norm(&name, &x.0).map(TensorValue::from)
            })
            .method("layer_norm", |p: &Self, name: String, x: TensorValue| {
                p.0.layer_norm(&name, &x.0).map(TensorValue::from)
            })
            .method("attention", attention)
            .method("embedding", |p: &Self, name: String, rows: Count, width: Count| {
                p.0.embedding(&name, rows.0, width.0).map(TensorValue::from)
            })
            .method("parameter", parameter)
            .method("weight", |p: &Self, name: String| p.0.weight(&name).map(TensorValue::from))
            .method("dropout", |call: &Call, p: &Self, x: TensorValue, rate: Number| {
                Range::FromBelow(0.0, 1.0).check("rate", call.name, rate.0)?;
                p.0.dropout(&x.0, rate.0).map(TensorValue::from)
            });
    }
}

kind_value!(LayersValue);

impl fmt::Display for LayersValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layers for {}", counted(self.0.num_labels() as usize, "label"))
    }
}

/// A number of outputs or rows: an integer, or as many as there are names in an array.
struct Count(i64);

impl Parameter for Count {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        if let Ok(n) = value.as_int() {
            return Ok(Count(n));
        }
        if let Ok(names) = value.as_array_ref()
            && names.iter().all(Dynamic::is_string)
        {
            return Ok(Count(names.len() as i64));
        }
        Err(Error::argument(format!(
            "{}: the size must be an integer, or an array of names of which each has one; got {}",
            call.name,
            show::a_type(&value)
        )))
    }
}

crate::options! {
    struct LinearOptions {
        /// whether it has a bias
        pub bias: bool = true;
    }
}

fn linear(
    call: &Call,
    p: &LayersValue,
    name: String,
    x: TensorValue,
    outputs: Count,
    given: Option<Map>,
) -> Result<TensorValue> {
    let mut given = given.unwrap_or_default();
    let init = init(call, &mut given)?;
    let LinearOptions { bias } = parsed(call, &given)?;
    p.0.linear(&name, &x.0, outputs.0, bias, &init).map(TensorValue::from)
}

crate::options! {
    struct ConvOptions {
        /// side of the square kernel
        pub kernel: i64 = 1, in Range::FromTo(1.0, 1023.0);
        /// step of the kernel
        pub stride: i64 = 1, in Range::FromTo(1.0, 1023.0);
        /// zeros on each side
        pub padding: i64 = 0, in Range::FromTo(0.0, 1023.0);
        /// groups of channels that are convolved by themselves
        pub groups: i64 = 1, in Range::FromTo(1.0, 65536.0);
        /// whether it has a bias
        pub bias: bool = true;
    }
}

fn conv(
    call: &Call,
    p: &LayersValue,
    name: String,
    x: TensorValue,
    channels: Count,
    given: Option<Map>,
) -> Result<TensorValue> {
    let mut given = given.unwrap_or_default();
    let init = init(call, &mut given)?;
    let ConvOptions { kernel, stride, padding, groups, bias } = parsed(call, &given)?;
    let config = ConvolutionConfig { kernel, stride, padding, groups, bias };
    p.0.conv(&name, &x.0, channels.0, config, &init).map(TensorValue::from)
}

crate::options! {
    struct AttentionOptions {
        /// heads, which divide the width
        pub heads: i64 = 1, in Range::FromTo(1.0, 1024.0);
        /// of the weights, in training
        pub dropout: f64 = 0.0, in Range::FromBelow(0.0, 1.0);
        /// whether the weights are given too
        pub need_weights: bool = false;
        /// of the map to the output: "default", as PyTorch's, or "xavier_uniform"
        pub init: String = "default".into();
    }
}

fn attention(
    call: &Call,
    p: &LayersValue,
    name: String,
    query: TensorValue,
    key: TensorValue,
    value: TensorValue,
    given: AttentionOptions,
) -> Result<Dynamic> {
    let AttentionOptions { heads, dropout, need_weights, init } = given;
    let xavier = match init.as_str() {
        "default" => false,
        "xavier_uniform" => true,
        other => {
            let expected = "\"default\" or \"xavier_uniform\"";
            return Err(Error::option("init", call.name, expected, format!("\"{other}\"")));
        }
    };
    let config = AttentionConfig { heads, dropout, need_weights, xavier };
    let (values, weights) = p.0.attention(&name, [&query.0, &key.0, &value.0], config)?;
    let values = Dynamic::from(TensorValue::from(values));
    Ok(match weights {
        None => values,
        Some(weights) => {
            let weights = Dynamic::from(TensorValue::from(weights));
            Map::from_iter([("values".into(), values), ("weights".into(), weights)]).into()
        }
    })
}

crate::options! {
    struct NoOptions {}
}

fn parameter(call: &Call, p: &LayersValue, name: String, shape: Array, given: Option<Map>) -> Result<TensorValue> {
    let size = |item: &Dynamic| match item.as_int() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err(Error::argument(format!(
            "parameter \"{name}\": the shape must be an array of integers from 1; got {} in it",
            show::show(item)
        ))),
    };
    let shape = shape.iter().map(size).collect::<Result<Vec<_>>>()?;
    let mut given = given.unwrap_or_default();
    let init = init(call, &mut given)?;
    let NoOptions {} = parsed(call, &given)?;
    p.0.parameter(&name, &shape, &init).map(TensorValue::from)
}

/// The options without those of [`init`], which help names too.
fn parsed<T: Options>(call: &Call, given: &Map) -> Result<T> {
    let unknown = given.keys().find(|key| T::docs().iter().all(|option| option.key != key.as_str()));
    if let Some(key) = unknown {
        let keys = T::docs().into_iter().map(|option| option.key).chain(["init", "std", "bound"]);
        let mut error = Error::unknown("option", key, keys);
        error.message = format!("{} has no option \"{key}\"", call.name);
        return Err(Error { about: None, ..error }.about_option(key));
    }
    options::parse(call.name, given)
}

/// Takes `init`, `std` and `bound` out of the options.
fn init(call: &Call, given: &mut Map) -> Result<Init> {
    let mut number = |key: &str| match given.remove(key) {
        None => Ok(None),
        Some(value) => match Number::of(&value).filter(|x| x.is_finite() && *x >= 0.0) {
            Some(x) => Ok(Some(x)),
            None => Err(Error::option(key, call.name, "a number from 0", show::show(&value))),
        },
    };
    let (std, bound) = (number("std")?, number("bound")?);
    let value = given.remove("init").unwrap_or(Dynamic::UNIT);
    let init = named(call, &value, std, bound)?;
    let needless = |key: &str, of: &str| {
        Err(Error::argument(format!("option \"{key}\" of {} goes with init: \"{of}\" alone", call.name))
            .about_option(key))
    };
    match &init {
        Init::Normal(_) | Init::Default if bound.is_some() => needless("bound", "uniform"),
        Init::Uniform(_) if std.is_some() => needless("std", "normal"),
        Init::Normal(_) | Init::Uniform(_) => Ok(init),
        _ if std.is_some() => needless("std", "normal"),
        _ if bound.is_some() => needless("bound", "uniform"),
        _ => Ok(init),
    }
}

fn named(call: &Call, value: &Dynamic, std: Option<f64>, bound: Option<f64>) -> Result<Init> {
    if value.is_unit() {
        return Ok(std.map_or(Init::Default, Init::Normal));
    }
    if let Some(x) = Number::of(value) {
        return Ok(Init::Filled(x));
    }
    if let Some(tensor) = value.read_lock::<TensorValue>() {
        return Ok(Init::Values(tensor.0.shallow_clone()));
    }
    let Ok(name) = value.as_immutable_string_ref() else {
        return Err(Error::option("init", call.name, "a name, a number or a Tensor", show::a_type(value)));
    };
    match (name.as_str(), bound) {
        ("normal", _) => Ok(Init::Normal(std.unwrap_or(0.02))),
        ("uniform", Some(bound)) => Ok(Init::Uniform(bound)),
        ("uniform", None) => Err(Error::argument(format!("{}: init: \"uniform\" needs bound", call.name))
            .about_option("init")
            .with_help("#{init: \"uniform\", bound: 0.1} is uniform in ±0.1")),
        (name, _) => match Init::NAMED.iter().find(|(known, _)| *known == name) {
            Some((_, make)) => Ok(make()),
            None => {
                let names = Init::NAMED.iter().map(|(name, _)| *name).chain(["normal", "uniform"]);
                Err(Error::unknown("init", name, names))
            }
        },
    }
}
