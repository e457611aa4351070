//! How Rust functions become words and members of the language.
//!
//! A word is a plain function with typed parameters: `fn affinity(counts: Cooccurrence, branch: Branch, options:
//! AffinityOptions) -> Result<Affinity>`. Registration does the rest: overloads for options that are left out, conversion
//! of arguments and of the result, the word's name in errors, errors placed at the argument.
//!
//! - `parameter`: types that an argument can be read into
//! - `answer`: types that a function can give back
//! - `form`: functions of such types
//! - `registrar`: puts forms into the engine

mod answer;
mod form;
mod parameter;
mod registrar;

use std::rc::Rc;

use rhai::{Dynamic, FnPtr, FuncArgs, NativeCallContext};

pub(crate) use answer::value_as_it_is;
pub use answer::{Answer, IntoValue};
pub use form::{Form, MethodForm};
pub(crate) use parameter::parameter_as_it_is;
pub use parameter::{Number, Parameter, ParameterType, path_of};
pub use registrar::{MOST_VALUES, MemberRegistrar, WordRegistrar};

use super::errors::Fallible;
use super::host::Host;
use crate::runs::RunStore;

/// One call of a word or method, for functions that need more than their arguments.
pub struct Call<'a> {
    /// The word or method as errors name it.
    pub name: &'static str,
    /// The services of the session.
    pub host: &'a Rc<Host>,
    /// Rhai's side of the call: the place in the script and the functions in scope.
    pub native: &'a NativeCallContext<'a>,
}

impl Call<'_> {
    /// Calls a closure of the script.
    pub fn closure(&self, closure: &FnPtr, arguments: impl FuncArgs) -> Fallible<Dynamic> {
        closure.call_within_context(self.native, arguments)
    }

    /// Runs `work`, which touches no value of a script, while other threads of the session may run script code.
    pub fn unlocked<R>(&self, work: impl FnOnce() -> R) -> R {
        self.host.background.lock.released(work)
    }

    /// The session's run store.
    pub fn store(&self) -> RunStore {
        RunStore::new(self.host.runs.borrow().clone())
    }
}
