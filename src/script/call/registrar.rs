//! Puts functions into an engine as words and members.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, Module, NativeCallContext, Position, RhaiFunc, Shared};

use super::answer::IntoValue;
use super::{Answer, Call, Form, MethodForm, Parameter, ParameterType};
use crate::activity::panics;
use crate::error::{Error, ErrorKind, Result};
use crate::script::errors::{Fallible, raise};
use crate::script::host::Host;
use crate::script::subscripts::{ALL, REST};

/// Registers the forms of one word.
pub struct WordRegistrar<'a> {
    pub(crate) name: &'static str,
    pub(crate) module: &'a mut Module,
    pub(crate) engine: &'a mut Engine,
    pub(crate) host: &'a Rc<Host>,
}

/// So many values of any kind a form of [`WordRegistrar::values`] takes.
pub const MOST_VALUES: usize = 9;

impl WordRegistrar<'_> {
    /// Registers a form of one parameter and then up to [`MOST_VALUES`] values of any kind.
    pub fn values<P: Parameter, R: Answer + 'static>(&mut self, form: fn(&Call, P, Vec<Dynamic>) -> R) -> &mut Self {
        let (name, host) = (self.name, self.host.clone());
        for n in 0..=MOST_VALUES {
            let host = host.clone();
            let func = move |native: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
                let native = native.ok_or_else(no_context)?;
                let call = Call { name, host: &host, native: &native };
                let (first, values) = arguments.split_first_mut().ok_or_else(no_context)?;
                let first = P::read(first.take().flatten(), &call).map_err(raise)?;
                let values = values.iter_mut().map(|value| value.take().flatten()).collect();
                guarded(name, || form(&call, first, values).answer())
            };
            let func = RhaiFunc::Pure { func: Shared::new(func), has_context: true, is_pure: true, is_volatile: true };
            let mut parameters = vec![ParameterType::of::<P>()];
            parameters.extend((0..n).map(|_| ParameterType::of::<Dynamic>()));
            add(self.module, self.engine, FuncRegistration::new(name), &parameters, R::type_name(), func);
        }
        self
    }

    /// Registers a form of the word, with an overload for each optional argument that is left out.
    pub fn form<Marker, F: Form<Marker>>(&mut self, form: F) -> &mut Self {
        let parameters = F::parameters();
        let (name, host, form) = (self.name, self.host.clone(), Rc::new(form));
        for n in overloads(&parameters) {
            let (host, form) = (host.clone(), form.clone());
            let func = move |native: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
                let native = native.ok_or_else(no_context)?;
                guarded(name, || form.invoke(&Call { name, host: &host, native: &native }, arguments))
            };
            let func = RhaiFunc::Pure { func: Shared::new(func), has_context: true, is_pure: true, is_volatile: true };
            add(self.module, self.engine, FuncRegistration::new(name), &parameters[..n], F::answer(), func);
        }
        self
    }

    /// Registers a form that only reads its first argument, which is not copied: the elements of an array may be many.
    pub fn reading<T: Clone + 'static, Marker, F: MethodForm<T, Marker>>(&mut self, form: F) -> &mut Self {
        let mut first =
            MemberRegistrar { module: self.module, engine: self.engine, host: self.host, kind: PhantomData };
        first.method(self.name, form);
        self
    }
}

/// Registers the fields, methods and operators of one kind of value, whose Rust type is `T`.
pub struct MemberRegistrar<'a, T> {
    pub(crate) module: &'a mut Module,
    pub(crate) engine: &'a mut Engine,
    pub(crate) host: &'a Rc<Host>,
    pub(crate) kind: PhantomData<T>,
}

impl<T: Clone + 'static> MemberRegistrar<'_, T> {
    /// Registers how `print` shows the kind.
    pub fn display(&mut self, name: &'static str) -> &mut Self
    where
        T: fmt::Display,
    {
        self.engine.register_type_with_name::<T>(name);
        self.method("to_string", |value: &T| value.to_string()).method("to_debug", |value: &T| value.to_string())
    }

    /// Registers a field that is read.
    pub fn get<Marker, F: MethodForm<T, Marker>>(&mut self, name: &'static str, get: F) -> &mut Self {
        self.add(FuncRegistration::new_getter(name), name, get)
    }

    /// Registers a method, with an overload for each optional argument that is left out.
    pub fn method<Marker, F: MethodForm<T, Marker>>(&mut self, name: &'static str, method: F) -> &mut Self {
        self.add(FuncRegistration::new(name), name, method)
    }

    /// Registers `value[at]`, and `value[at] = part`, which puts another value in place of the one that is assigned to.
    pub fn index<R: IntoValue + 'static>(
        &mut self,
        get: fn(&T, &Dynamic) -> Result<R>,
        set: fn(&T, &Dynamic, &Dynamic) -> Result<T>,
    ) -> &mut Self {
        let part = move |value: &T, at: Dynamic| -> Fallible<R> {
            if is_name(&at) {
                return Err(no_name::<T>());
            }
            get(value, &at).map_err(raise)
        };
        self.add(FuncRegistration::new_index_getter(), "index", part);
        let func = move |_: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
            let [receiver, at, part] = arguments else { return Err(no_context()) };
            let (at, part) = (at.take().flatten(), part.take().flatten());
            if is_name(&at) {
                return Err(no_name::<T>());
            }
            let mut receiver = receiver.write_lock::<T>().ok_or_else(no_context)?;
            let changed = guarded("index", || set(&receiver, &at, &part).map_err(raise))?;
            *receiver = changed;
            Ok(Dynamic::UNIT)
        };
        let func = RhaiFunc::Method { func: Shared::new(func), has_context: true, is_pure: false, is_volatile: true };
        let any = ParameterType::of::<Dynamic>();
        let types = [ParameterType::receiver::<T>(), any, any];
        add(self.module, self.engine, FuncRegistration::new(INDEX_SETTER), &types, "()", func);
        self
    }

    /// Registers `for item in value`.
    pub fn iterable(&mut self) -> &mut Self
    where
        T: IntoIterator,
        T::Item: Clone + 'static,
    {
        self.module.set_iterable::<T>();
        self
    }

    /// Registers a function that is called without a receiver, such as an operator whose first operand is a number.
    pub fn function<Marker, F: Form<Marker>>(&mut self, name: &'static str, form: F) -> &mut Self {
        let mut word = WordRegistrar { name, module: self.module, engine: self.engine, host: self.host };
        word.form(form);
        self
    }

    fn add<Marker, F: MethodForm<T, Marker>>(
        &mut self,
        registration: FuncRegistration,
        name: &'static str,
        method: F,
    ) -> &mut Self {
        let parameters = F::parameters();
        let method = Rc::new(method);
        for n in overloads(&parameters) {
            let (host, method) = (self.host.clone(), method.clone());
            let func = move |native: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
                let native = native.ok_or_else(no_context)?;
                let call = Call { name, host: &host, native: &native };
                let (receiver, arguments) = arguments.split_first_mut().ok_or_else(no_context)?;
                let receiver = receiver.read_lock::<T>().ok_or_else(no_context)?;
                guarded(name, || method.invoke(&call, &receiver, arguments))
            };
            let func =
                RhaiFunc::Method { func: Shared::new(func), has_context: true, is_pure: true, is_volatile: true };
            let types = [&[ParameterType::receiver::<T>()], &parameters[..n]].concat();
            add(self.module, self.engine, registration.clone(), &types, F::answer(), func);
        }
        self
    }
}

/// Runs a word. A panic in it is an error like any other, which a script can catch: what the word worked on is lost, its values are not.
fn guarded<T>(name: &str, word: impl FnOnce() -> Fallible<T>) -> Fallible<T> {
    catch_unwind(AssertUnwindSafe(word)).unwrap_or_else(|panic| {
        let error = panics::fault(&*panic);
        Err(raise(match error.kind {
            ErrorKind::Internal => error,
            _ => Error { message: format!("{name}: {}", error.message), ..error },
        }))
    })
}

/// Rhai's name of an index setter. `FuncRegistration::new_index_setter` also says that it is not pure, which the function itself says here, and
/// Rhai's debug assertions want it said once.
const INDEX_SETTER: &str = "index$set$";

/// The numbers of arguments that a form takes.
fn overloads(parameters: &[ParameterType]) -> std::ops::RangeInclusive<usize> {
    let required = parameters.iter().rposition(|p| !p.optional).map_or(0, |last| last + 1);
    required..=parameters.len()
}

fn no_context() -> Box<rhai::EvalAltResult> {
    raise(Error::internal("a function was called without its context"))
}

/// Whether a position is a name: a string that stands for no part.
fn is_name(at: &Dynamic) -> bool {
    at.as_immutable_string_ref().is_ok_and(|name| ![ALL, REST].contains(&name.as_str()))
}

/// A name in the place of a position. Rhai asks for `value["name"]` where a value has no such property, or none that can be set, and
/// expects this error then.
fn no_name<T>() -> Box<EvalAltResult> {
    let kind = format!("{} with string", std::any::type_name::<T>());
    Box::new(EvalAltResult::ErrorIndexingType(kind, Position::NONE))
}

fn add(
    module: &mut Module,
    engine: &Engine,
    registration: FuncRegistration,
    parameters: &[ParameterType],
    answer: &'static str,
    func: RhaiFunc,
) {
    // As Rhai names them in its own list of functions: parameters, then the result.
    let mut types: Vec<String> = parameters.iter().map(|p| format!("_: {}", engine.map_type_name(p.name))).collect();
    types.push(engine.map_type_name(answer).to_string());
    let ids: Vec<TypeId> = parameters.iter().map(|p| p.id).collect();
    registration.in_global_namespace().with_params_info(types).set_into_module_raw(module, ids, func);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::errors::Raised;

    #[test]
    fn a_panic_in_a_word_is_an_error_that_a_script_can_catch() {
        let (mut module, mut engine, host) = (Module::new(), Engine::new(), Rc::<Host>::default());
        let mut word = WordRegistrar { name: "breaks", module: &mut module, engine: &mut engine, host: &host };
        word.form(|| -> i64 { panic!("on purpose") });
        engine.register_global_module(module.into());
        assert_eq!(engine.eval::<i64>("let n = 1; try { n = breaks(); } catch { n = 2; } n").unwrap(), 2);
        let EvalAltResult::ErrorRuntime(value, _) = *engine.eval::<i64>("breaks()").unwrap_err() else {
            unreachable!("raise makes no other error")
        };
        let error = value.cast::<Raised>().0;
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(error.message.starts_with("a fault inside cpsd: on purpose"), "{}", error.message);
    }
}
