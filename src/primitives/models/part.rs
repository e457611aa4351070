//! Closures that are parts of a model, as `head: |maps, p| ...`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Dynamic, FnPtr, Map};
use tch::Tensor;

use crate::error::{Error, Result};
use crate::models::functions::{Code, Function, Given, Layers};
use crate::models::heads::SCRIPT;
use crate::primitives::values::layers::LayersValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::Call;
use crate::script::carried::Carried;
use crate::script::errors::Fallible;
use crate::script::show;

/// A closure that is called with tensors and layers.
struct Part {
    closure: Carried,
    /// The option that it is the value of.
    option: &'static str,
}

impl Function for Part {
    fn call(&self, inputs: &[&Tensor], layers: &Rc<Layers>) -> Result<Given> {
        self.closure.with(|call, closure| {
            let tensors = inputs.iter().map(|x| Dynamic::from(TensorValue::from(x.shallow_clone())));
            let arguments: Vec<Dynamic> = tensors.chain([Dynamic::from(LayersValue(layers.clone()))]).collect();
            given(self.option, call, call.closure(closure, arguments)?, layers)
        })?
    }

    fn meanwhile(&self, wait: &mut dyn FnMut()) {
        self.closure.meanwhile(wait)
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

/// Makes a closure a part of models in this process.
pub fn known(closure: FnPtr, option: &'static str, call: &Call) -> Code {
    let (hash, closure) = Carried::new(closure, call);
    Code::known(hash, Arc::new(Part { closure, option }))
}

/// Takes the head, if it is a closure, out of the options of a model, which then name it as a specification does.
pub fn take_head(options: &mut Map, call: &Call) -> Option<Code> {
    let closure = options.get("head")?.clone().try_cast::<FnPtr>()?;
    options.insert("head".into(), SCRIPT.name.into());
    Some(known(closure, "head", call))
}

/// The same, with the hash of its code as the specification's `head_code`.
pub fn take(options: &mut Map, call: &Call) {
    if let Some(code) = take_head(options, call) {
        options.insert("head_code".into(), code.hash.into());
    }
}
