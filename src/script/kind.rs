//! A kind of value of the language: its fields, methods, printed form, JSON form and fingerprint.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use rhai::{Dynamic, Engine, Module};
use serde_json::Value;

use super::call::MemberRegistrar;
use super::host::Host;

/// A Rust type that scripts hold. `Display` is how `print` shows it.
pub trait KindOfValue: fmt::Display + Clone + 'static {
    /// The name that a user sees: `Partition`.
    const NAME: &'static str;
    const SUMMARY: &'static str;
    const MEMBERS: &'static [Member];

    /// Registers fields, methods and operators.
    fn register(members: &mut MemberRegistrar<Self>);

    /// The value as an option holds it, for kinds that can be options. `Err` names why this one cannot.
    fn to_json(&self) -> Option<Result<Value, String>> {
        None
    }

    /// A text that is equal for equal values, for kinds whose JSON or printed form does not tell them apart.
    fn fingerprint(&self) -> Option<String> {
        None
    }
}

/// A kind as the language sees it, whatever its Rust type.
pub struct Kind {
    pub name: &'static str,
    pub summary: &'static str,
    pub members: &'static [Member],
    /// Whether a value is of this kind.
    pub is: fn(&Dynamic) -> bool,
    /// The value as `print` shows it.
    pub show: fn(&Dynamic) -> String,
    /// Rust's name of the type, as in Rhai's own messages.
    pub rust_name: fn() -> &'static str,
    /// See [`KindOfValue::to_json`].
    pub json: fn(&Dynamic) -> Option<Result<Value, String>>,
    /// See [`KindOfValue::fingerprint`].
    pub fingerprint: fn(&Dynamic) -> Option<String>,
    pub register: fn(&mut Module, &mut Engine, &Rc<Host>),
}

impl Kind {
    pub const fn of<T: KindOfValue>() -> Self {
        Kind {
            name: T::NAME,
            summary: T::SUMMARY,
            members: T::MEMBERS,
            is: |value| value.is::<T>(),
            show: |value| value.read_lock::<T>().map(|v| v.to_string()).unwrap_or_default(),
            rust_name: type_name::<T>,
            json: |value| value.read_lock::<T>()?.to_json(),
            fingerprint: |value| value.read_lock::<T>()?.fingerprint(),
            register: |module, engine, host| {
                let mut members = MemberRegistrar { module, engine, host, kind: PhantomData };
                T::register(members.display(T::NAME));
            },
        }
    }
}

/// Makes the Rust type of a kind a parameter and an answer of words.
macro_rules! kind_value {
    ($($type:ty),+ $(,)?) => {
        $crate::script::call::parameter_as_it_is!($($type),+);
        $crate::script::call::value_as_it_is!($($type),+);
    };
}
pub(crate) use kind_value;

/// A field (`p.k`) or method (`p.save(path)`) of a kind.
#[derive(Clone, Copy)]
pub struct Member {
    /// As it is written after the dot, with parameters for a method: `save(path)`.
    pub usage: &'static str,
    pub doc: &'static str,
    /// The result is a value of the same kind.
    pub same: bool,
}

impl Member {
    pub const fn new(usage: &'static str, doc: &'static str) -> Self {
        Member { usage, doc, same: false }
    }

    /// A member whose result is of the same kind: `table.head(3)`.
    pub const fn same(usage: &'static str, doc: &'static str) -> Self {
        Member { usage, doc, same: true }
    }

    /// The bare name, without parameters.
    pub fn name(&self) -> &'static str {
        self.usage.split('(').next().unwrap_or(self.usage)
    }
}
