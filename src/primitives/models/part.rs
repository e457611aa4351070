//! Closures that are parts of a model, as `head: |maps, p| ...`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Dynamic, FnPtr, Map};
use tch::Tensor;

use crate::error::{Error, Result};
use crate::models::functions::{Code, Function, Given, Input, Layers};
use crate::models::heads::SCRIPT;
use crate::primitives::values::layers::LayersValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::Call;
use crate::script::carried::Carried;
use crate::script::errors::Fallible;
use crate::script::{fingerprint, show};

/// A closure that is called with tensors and layers.
struct Part {
    closure: Carried,
    /// The option that it is the value of.
    option: &'static str,
}

impl Function for Part {
    fn call(&self, inputs: &[Input], layers: &Rc<Layers>) -> Result<Given> {
        self.closure.with(|call, closure| {
            let layers_of_call = Dynamic::from(LayersValue(layers.clone()));
            let arguments: Vec<Dynamic> = inputs.iter().map(argument).chain([layers_of_call]).collect();
            inside(self.option, || given(self.option, call, call.closure(closure, arguments)?, layers))
        })?
    }

    fn meanwhile(&self, wait: &mut dyn FnMut()) {
        self.closure.meanwhile(wait)
    }
}

thread_local! {
    /// The option whose closure this thread is in.
    static INSIDE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Runs `work`, a closure of that option that has layers.
pub fn inside<R>(option: &'static str, work: impl FnOnce() -> R) -> R {
    /// Puts back what was before, after a panic too.
    struct Before(Option<&'static str>);
    impl Drop for Before {
        fn drop(&mut self) {
            INSIDE.set(self.0);
        }
    }
    let _before = Before(INSIDE.replace(Some(option)));
    work()
}

/// Errors: this thread is in a closure that has layers, which is called in every pass of a model.
pub fn check_outside(call: &Call) -> Result<()> {
    let Some(option) = INSIDE.get() else { return Ok(()) };
    Err(Error::argument(format!(
        "{} trains a model, which the closure of option \"{option}\" cannot do: it is called in every pass of its own model",
        call.name
    ))
    .with_help("train before, and let the closure use the model: let m = train_teacher(...), then m.forward(x) inside"))
}

fn argument(input: &Input) -> Dynamic {
    let tensor = |x: &Tensor| Dynamic::from(TensorValue::from(x.shallow_clone()));
    match input {
        Input::Number(n) => Dynamic::from(*n),
        Input::Tensor(x) => tensor(x),
        Input::Named(named) => named.iter().map(|(name, x)| ((*name).into(), tensor(x))).collect::<Map>().into(),
    }
}

/// The tensors of an answer. Those that are closures are called where they are asked for. The inner error is about the whole closure.
fn given(option: &str, call: &Call, answer: Dynamic, layers: &Layers) -> Fallible<Result<Given>> {
    let refused = |what: String| {
        let message =
            format!("option \"{option}\": the closure must give a Tensor, or a map of Tensors; it gave {what}");
        Error::argument(message).about_option(option)
    };
    if let Some(tensor) = answer.read_lock::<TensorValue>() {
        return Ok(Ok(Given::One(tensor.0.shallow_clone())));
    }
    let Some(map) = answer.read_lock::<Map>() else { return Ok(Err(refused(show::a_type(&answer)))) };
    let mut named = BTreeMap::new();
    for (name, value) in map.iter() {
        let value = match value.clone().try_cast::<FnPtr>() {
            Some(_) if !layers.wants(name) => continue,
            Some(later) => call.closure(&later, ())?,
            None => value.clone(),
        };
        let Some(tensor) = value.read_lock::<TensorValue>() else {
            return Ok(Err(refused(format!("{} as {name}", show::a_type(&value)))));
        };
        named.insert(name.to_string(), tensor.0.shallow_clone());
    }
    Ok(Ok(Given::Named(named)))
}

/// Makes a closure a part of models in this process. Errors: another number of parameters than the part is called with.
pub fn known(closure: FnPtr, option: &'static str, call: &Call) -> Result<Code> {
    match option {
        "adapter" => expect_parameters(&closure, call, option, &[3], "|block, x, p| { x.prompts = ...; x }")?,
        _ => expect_parameters(&closure, call, option, &[2], "|maps, p| p.linear(\"fc\", maps.mean([2, 3]), m)")?,
    }
    let (hash, closure) = Carried::new(closure, call);
    Ok(Code::known(hash, Arc::new(Part { closure, option })))
}

/// Errors: the closure of the option `key` takes none of these numbers of parameters.
pub fn expect_parameters(closure: &FnPtr, call: &Call, key: &str, numbers: &[usize], example: &str) -> Result<()> {
    let found = fingerprint::parameters(closure, call.native, call.host);
    if found.is_empty() || numbers.iter().any(|n| found.contains(n)) {
        return Ok(());
    }
    let word =
        |n: &usize| ["no", "one", "two", "three", "four"].get(*n).map_or_else(|| n.to_string(), |w| w.to_string());
    let plural = if numbers == [1] { "" } else { "s" };
    let expected = numbers.iter().map(word).collect::<Vec<_>>();
    let expected = match &expected[..] {
        [first @ .., before, last] if !first.is_empty() => format!("{}, {before} or {last}", first.join(", ")),
        few => few.join(" or "),
    };
    let came = found.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
    let expected = format!("a closure of {expected} parameter{plural}, as {example}");
    Err(Error::option(key, call.name, expected, format!("one of {came}")))
}

/// Takes the head, if it is a closure, out of the options of a model, which then name it as a specification does.
///
/// Errors: a closure of another number of parameters.
pub fn take_head(options: &mut Map, call: &Call) -> Result<Option<Code>> {
    let Some(closure) = options.get("head").and_then(|head| head.clone().try_cast::<FnPtr>()) else { return Ok(None) };
    let code = known(closure, "head", call)?;
    options.insert("head".into(), SCRIPT.name.into());
    Ok(Some(code))
}

/// Takes the adapter out of the options of a model. Errors: anything but a closure.
pub fn take_adapter(options: &mut Map, call: &Call) -> Result<Option<Code>> {
    match options.remove("adapter").filter(|value| !value.is_unit()) {
        None => Ok(None),
        Some(value) => adapter_of(value, call).map(Some),
    }
}

/// Errors: anything but a closure.
pub fn adapter_of(value: Dynamic, call: &Call) -> Result<Code> {
    let came = show::a_type(&value);
    let closure = value.try_cast::<FnPtr>();
    let closure = closure.ok_or_else(|| {
        Error::option("adapter", call.name, "a closure, as |block, x, p| { x.prompts = ...; x }", came)
    })?;
    known(closure, "adapter", call)
}

/// The same of all parts, with the hashes of their code as the specification has them.
///
/// Errors: an adapter that is no closure.
pub fn take(options: &mut Map, call: &Call) -> Result<()> {
    if let Some(code) = take_head(options, call)? {
        options.insert("head_code".into(), code.hash.into());
    }
    if let Some(code) = take_adapter(options, call)? {
        options.insert("adapter".into(), code.hash.into());
    }
    Ok(())
}
