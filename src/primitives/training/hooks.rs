//! The closures and models among the options of a training, beside its losses: what takes their place as data, and how they are called.

use rhai::{Dynamic, FnPtr, Map};
use serde_json::{Value, json};
use tch::Kind;

use crate::error::{Error, Result};
use crate::losses::Script;
use crate::primitives::models::part::expect_parameters;
use crate::primitives::values::model::ModelValue;
use crate::primitives::values::tensor::TensorValue;
use crate::primitives::values::tensor::conversions::dtype_name;
use crate::script::call::{Call, Number};
use crate::script::errors::Fallible;
use crate::script::{fingerprint, options, show};
use crate::torch::read_back;
use crate::training::Trained;
use crate::training::freezing::FreezeByEpoch;
use crate::training::hooks::{BatchLine, Hook};
use crate::training::options::{ScheduleKind, TrainOptions};
use crate::training::sampler::Sampler;

/// The value by which a callback ends a training.
const STOP: &str = "stop";

/// The hash of a closure's code that stands for it in the options.
pub fn script(closure: &FnPtr, call: &Call) -> Script {
    Script { code: fingerprint::of_closure(closure, call.native, call.host) }
}

/// Takes a callback of one argument out of the options and leaves what it is as data: `watches` if it cannot end the training.
///
/// Errors: something else than a closure.
pub fn take_hook(map: &mut Map, key: &str, watches: Hook, call: &Call) -> Result<Option<FnPtr>> {
    let Some(value) = map.remove(key).filter(|value| !value.is_unit()) else { return Ok(None) };
    let closure = value.clone().try_cast::<FnPtr>().ok_or_else(|| {
        let expected = "a closure of one argument, as |line| print(line)";
        Error::option(key, call.name, expected, show::a_type(&value))
    })?;
    let hook = match fingerprint::has_literal(&closure, call.native, call.host, STOP) {
        true => Hook::MayStop(script(&closure, call)),
        false => watches,
    };
    map.insert(key.into(), options::from_json(&json!(hook)));
    Ok(Some(closure))
}

/// Whether the value that a callback gave ends the training.
///
/// Errors: it does, and its code, which has no "stop", does not count in the run's id.
pub fn asks_to_stop(key: &str, value: &Dynamic, counts: bool) -> Result<bool> {
    if !value.as_immutable_string_ref().is_ok_and(|text| text.as_str() == STOP) {
        return Ok(false);
    }
    match counts {
        true => Ok(true),
        false => Err(Error::argument(format!(
            "option \"{key}\": the closure gave \"stop\", which is not written in its code as \"stop\""
        ))
        .about_option(key)
        .with_help(
            "a callback that ends a training counts in the run's id, and is known by the text \"stop\" in its code",
        )),
    }
}

/// Leaves the data of a closure in its place, and gives the closure. None where the option is none.
pub fn take(map: &mut Map, key: &str, data: impl FnOnce(&FnPtr) -> Result<Dynamic>) -> Result<Option<FnPtr>> {
    let Some(closure) = map.get(key).and_then(|value| value.clone().try_cast::<FnPtr>()) else { return Ok(None) };
    map.insert(key.into(), data(&closure)?);
    Ok(Some(closure))
}

/// A schedule: of one parameter a factor on lr, of two the rate itself.
pub fn schedule(closure: &FnPtr, call: &Call) -> Result<Dynamic> {
    let kind = match &fingerprint::parameters(closure, call.native, call.host)[..] {
        [2] => ScheduleKind::Rate(script(closure, call)),
        [1] | [] => ScheduleKind::Script(script(closure, call)),
        other => {
            let came = other.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
            return Err(Error::argument(format!(
                "option \"schedule\" of {} must be a closure of two parameters, |step, total| (the learning rate), or of one, |now| (a \
                 factor on lr); got one of {came}",
                call.name
            ))
            .about_option("schedule"));
        }
    };
    Ok(options::from_json(&json!(kind)))
}

/// An augmentation.
pub fn augment(closure: &FnPtr, call: &Call) -> Result<Dynamic> {
    expect_parameters(closure, call, "augment", &[2], "|picture, random| picture.hflip()")?;
    Ok(options::from_json(&json!({ "script": script(closure, call).code })))
}

/// A sampler.
pub fn sampler(closure: &FnPtr, call: &Call) -> Result<Dynamic> {
    expect_parameters(closure, call, "sampler", &[1], "|epoch| [0, 2, 5]")?;
    Ok(options::from_json(&json!(Sampler::Script(script(closure, call)))))
}

/// Options that become data once all others are known.
#[derive(Default)]
pub struct Later {
    freeze: Option<FnPtr>,
    start: Option<Trained>,
    /// Whether the model is that of the start too.
    architecture: bool,
}

impl Later {
    /// Takes them out of the options. Errors: a start that is no Model; weights beside one.
    pub fn take(map: &mut Map, call: &Call) -> Result<Later> {
        let freeze = map.get("freeze").and_then(|value| value.clone().try_cast::<FnPtr>());
        if let Some(closure) = &freeze {
            expect_parameters(closure, call, "freeze", &[1], "|epoch| if epoch < 10 { 4 } else { 2 }")?;
            map.remove("freeze");
        }
        let start = map.remove("start").filter(|value| !value.is_unit());
        let start = start.map(|value| {
            let model = value.clone().try_cast::<ModelValue>().map(|model| model.0);
            model.ok_or_else(|| Error::option("start", call.name, "a Model", show::a_type(&value)))
        });
        let start = start.transpose()?;
        let model = map.get("model");
        if start.is_some()
            && let Some(weights) = model.and_then(|model| model.as_map_ref().ok()?.get("weights").cloned())
            && !weights.is_unit()
        {
            let message =
                format!("options \"start\" and \"model.weights\" of {} both give the first weights", call.name);
            return Err(Error::argument(message).about_option("start").with_help("leave one of them out"));
        }
        Ok(Later { freeze, start, architecture: model.is_none() })
    }

    /// Writes them into the options. An error of the closure is thrown on with its place.
    pub fn settle(self, options: &mut TrainOptions, call: &Call) -> Fallible<()> {
        if let Some(start) = self.start {
            options.start_from(start, self.architecture);
        }
        let Some(closure) = self.freeze else { return Ok(()) };
        let mut stages = Vec::new();
        for epoch in 0..options.epochs {
            let value = call.closure(&closure, (epoch as i64,))?;
            let number = value.as_int().ok().and_then(|n| usize::try_from(n).ok());
            stages.push(number.ok_or_else(|| {
                Error::argument(format!(
                    "option \"freeze\" of {}: the closure must give the number of frozen stages, an integer from 0; it gave {} for epoch {epoch}",
                    call.name,
                    value.as_int().map_or_else(|_| show::a_type(&value), |n| n.to_string())
                ))
                .about_option("freeze")
            })?);
        }
        options.freeze = FreezeByEpoch::of_epochs(&stages);
        Ok(())
    }
}

/// What `on_batch` gets.
pub fn batch_line(line: BatchLine) -> Map {
    let BatchLine { name, epoch, step, update, loss, lr, grad_norm, outputs } = line;
    let mut map = Map::new();
    let mut put = |key: &str, value: Dynamic| drop(map.insert(key.into(), value));
    put("name", name.into());
    for (key, n) in [("epoch", epoch), ("step", step), ("update", update)] {
        put(key, (n as i64).into());
    }
    for (key, x) in [("loss", loss), ("lr", lr), ("grad_norm", grad_norm)] {
        put(key, x.into());
    }
    if let Some([outputs, targets]) = outputs {
        put("outputs", Dynamic::from(TensorValue::from(outputs)));
        put("targets", Dynamic::from(TensorValue::from(targets)));
    }
    map
}

/// The number that a schedule gave: of a closure of two parameters the rate, of one the factor.
pub fn schedule_number(closure: &FnPtr, call: &Call, gives_rate: bool, now: &Value) -> Fallible<f64> {
    let (value, what) = match gives_rate {
        true => {
            let number = |key: &str| now[key].as_i64().unwrap_or(0);
            (call.closure(closure, (number("update"), number("updates")))?, "the learning rate")
        }
        false => (call.closure(closure, (options::from_json(now),))?, "a factor on lr"),
    };
    let number = Number::of(&value).ok_or_else(|| {
        Error::argument(format!(
            "option \"schedule\": the closure must give {what}, a number; it gave {}",
            show::a_type(&value)
        ))
        .about_option("schedule")
    })?;
    Ok(number)
}

/// The positions that a sampler gave: an array of integers or a Tensor of int64.
pub fn positions(closure: &FnPtr, call: &Call, epoch: u64) -> Fallible<Vec<i64>> {
    let value = call.closure(closure, (epoch as i64,))?;
    let wrong = |came: String| -> Error {
        let message = format!(
            "option \"sampler\": the closure must give an array of positions of images, or a Tensor [n] of int64; it gave {came}"
        );
        Error::argument(message).about_option("sampler")
    };
    if let Some(tensor) = value.read_lock::<TensorValue>() {
        let positions = &tensor.0;
        if positions.kind() != Kind::Int64 || positions.dim() != 1 {
            let came = format!("a Tensor {:?} of {}", positions.size(), dtype_name(positions.kind()));
            return Err(wrong(came).into());
        }
        let read = || -> Result<Vec<i64>> { Ok(Vec::<i64>::try_from(&read_back(positions)?.f_contiguous()?)?) };
        return Ok(read()?);
    }
    let Ok(array) = value.as_array_ref() else { return Err(wrong(show::a_type(&value)).into()) };
    let position = |item: &Dynamic| item.as_int().map_err(|_| wrong(format!("one with {} in it", show::a_type(item))));
    Ok(array.iter().map(position).collect::<Result<_>>()?)
}
