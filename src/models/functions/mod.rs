//! Parts of a model that are functions from elsewhere, as closures of scripts. This room sees them through a trait alone.
//!
//! Such a part is known by a hash of its code, which its model's specification contains; the function itself lives in the process
//! that was given it.
//!
//! - `facts`: what it is told of the model
//! - `init`: first values of parameters
//! - `layers`: the named parameters and layers that a function makes when its model is built, and uses in every pass

mod facts;
mod init;
mod layers;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tch::Tensor;

pub use facts::{DRY_RUN, Facts};
pub use init::Init;
pub use layers::{AttentionConfig, ConvolutionConfig, Layers};

use super::params::Scope;
use super::pass::Pass;
use crate::error::Result;

/// A function of tensors and named parameters. The same one may be called by several threads, each with layers of its own.
pub trait Function: Send + Sync {
    /// One call. Called once with tensors of ones when a model is built, and then in every pass.
    ///
    /// Errors: those of the function; an answer that is no tensor.
    fn call(&self, inputs: &[Input], layers: &Rc<Layers>) -> Result<Given>;

    /// Runs `wait`, which calls no function, while other threads may call this one, also if this thread keeps them from it now.
    fn meanwhile(&self, wait: &mut dyn FnMut());
}

/// An argument of a function.
pub enum Input<'a> {
    Number(i64),
    Tensor(&'a Tensor),
    /// Tensors by name.
    Named(Vec<(&'static str, &'a Tensor)>),
}

/// The answer of a function.
pub enum Given {
    One(Tensor),
    /// Tensors by name.
    Named(BTreeMap<String, Tensor>),
}

/// The functions of this process by their hashes, each the newest of its hash.
static KNOWN: LazyLock<Mutex<HashMap<String, Arc<dyn Function>>>> = LazyLock::new(Mutex::default);

/// A function by the hash of its code, as a specification contains it. Read from JSON, it has the function if this process was given it.
#[derive(Clone)]
pub struct Code {
    pub hash: String,
    function: Option<Arc<dyn Function>>,
}

impl Code {
    /// Makes the function known to this process under its hash: models that are read later have it too.
    pub fn known(hash: String, function: Arc<dyn Function>) -> Code {
        let older = KNOWN.lock().insert(hash.clone(), function.clone());
        // Outside of the lock, since a function may have to wait before it is dropped.
        drop(older);
        Code { hash, function: Some(function) }
    }

    /// The function, if this process was given it.
    pub fn function(&self) -> Option<&Arc<dyn Function>> {
        self.function.as_ref()
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Code) -> bool {
        self.hash == other.hash
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.hash)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.hash.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let hash = String::deserialize(deserializer)?;
        let function = KNOWN.lock().get(&hash).cloned();
        Ok(Code { hash, function })
    }
}

/// The named parameters that a function has made, whoever calls it.
pub struct Parameters(layers::Made);

/// A function with the parameters that it has made in one model.
pub struct Built {
    function: Arc<dyn Function>,
    parameters: Parameters,
}

/// What one call is for.
#[derive(Clone, Copy)]
pub struct Purpose<'a> {
    pub pass: Pass,
    /// Maps of the stages before the last, the nearest first.
    pub earlier: &'a [Tensor],
    /// The tokens of a vision transformer's last stage, by name.
    pub tokens: &'a [(&'static str, Tensor)],
    /// Names of further tensors that are asked for: a function may leave them away otherwise.
    pub wants: &'static [&'static str],
}

impl Parameters {
    /// Lets `rehearse` call a function with layers, without gradients, so that it makes its parameters, whose names begin with that of `part`
    /// and a dot.
    ///
    /// Errors: those of `rehearse`.
    pub fn new(
        p: &Scope,
        part: &'static str,
        facts: Facts,
        wants: &'static [&'static str],
        rehearse: impl FnOnce(&Rc<Layers>) -> Result<()>,
    ) -> Result<Parameters> {
        let made = layers::Made::default();
        p.lend(|lent| {
            let layers = Rc::new(Layers::building(part, facts, &made, wants, lent));
            let done = tch::no_grad(|| rehearse(&layers));
            (layers.close(), done)
        })?;
        Ok(Parameters(made))
    }

    /// Lets `call` call the function with its layers, which end with the call.
    pub fn during<R>(&self, purpose: Purpose, call: impl FnOnce(&Rc<Layers>) -> R) -> R {
        let layers = Rc::new(Layers::of_pass(&self.0, purpose));
        let given = call(&layers);
        drop(layers.close());
        given
    }
}

impl Built {
    /// Lets `rehearse` call the function with tensors of ones, without gradients, so that it makes its parameters, whose names begin with
    /// that of `part` and a dot. `rehearse` checks the answers.
    ///
    /// Errors: those of the function and of `rehearse`.
    pub fn new(
        p: &Scope,
        part: &'static str,
        function: Arc<dyn Function>,
        facts: Facts,
        wants: &'static [&'static str],
        rehearse: impl FnOnce(&dyn Fn(&[Input]) -> Result<Given>) -> Result<()>,
    ) -> Result<Built> {
        let parameters =
            Parameters::new(p, part, facts, wants, |layers| rehearse(&|inputs| function.call(inputs, layers)))?;
        Ok(Built { function, parameters })
    }

    /// One pass.
    pub fn call(&self, inputs: &[Input], purpose: Purpose) -> Result<Given> {
        self.parameters.during(purpose, |layers| self.function.call(inputs, layers))
    }

    /// How many stages before the last it has asked for.
    pub fn earlier(&self) -> usize {
        self.parameters.0.earlier()
    }

    /// Whether it has asked for the tokens.
    pub fn reads_tokens(&self) -> bool {
        self.parameters.0.reads_tokens()
    }

    /// Whether it has trained parameters.
    pub fn is_trained(&self) -> bool {
        self.parameters.0.is_trained()
    }
}
