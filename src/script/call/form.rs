//! Functions whose parameters and result the language can convert.

use rhai::Dynamic;

use super::{Answer, Call, Parameter, ParameterType};
use crate::error::{About, Error};
use crate::script::errors::{Fallible, raise};

/// A function that can be a form of a word: `Fn(A, B, ...) -> R` or `Fn(&Call, A, B, ...) -> R`. `Marker` tells the two apart.
pub trait Form<Marker>: 'static {
    fn parameters() -> Vec<ParameterType>;

    /// Rust's name of the type of the result.
    fn answer() -> &'static str;

    /// Reads the arguments and calls the function. There are as many as one of the overloads has.
    fn invoke(&self, call: &Call, arguments: &mut [&mut Dynamic]) -> Fallible<Dynamic>;
}

/// A function that can be a member of a kind: `Fn(&T, A, ...) -> R` or `Fn(&Call, &T, A, ...) -> R`.
pub trait MethodForm<T, Marker>: 'static {
    /// Those behind the receiver.
    fn parameters() -> Vec<ParameterType>;

    fn answer() -> &'static str;

    fn invoke(&self, call: &Call, receiver: &T, arguments: &mut [&mut Dynamic]) -> Fallible<Dynamic>;
}

/// The function takes no call.
pub struct Plain;

/// The function takes the call first.
pub struct WithCall;

/// Argument `i`, or the value of one that was left out. `before` is 1 for methods, whose receiver is argument 0 in errors.
fn argument<P: Parameter>(call: &Call, arguments: &mut [&mut Dynamic], i: usize, before: usize) -> Fallible<P> {
    match arguments.get_mut(i) {
        Some(value) => {
            P::read(value.take().flatten(), call).map_err(|error| raise(error.about(About::Argument(before + i))))
        }
        None => P::absent(call)
            .ok_or_else(|| raise(Error::internal(format!("{}: argument {} is missing", call.name, i + 1)))),
    }
}

/// The parameters and the result of a function, for each of the four shapes below.
macro_rules! signature {
    ($($parameter:ident),*) => {
        fn parameters() -> Vec<ParameterType> {
            vec![$(ParameterType::of::<$parameter>()),*]
        }

        fn answer() -> &'static str {
            R::type_name()
        }
    };
}

macro_rules! forms {
    ($($parameter:ident $i:literal),*) => {
        #[allow(non_snake_case, unused_variables)]
        impl<F, R: Answer, $($parameter: Parameter),*> Form<(Plain, $($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> R + 'static,
        {
            signature!($($parameter),*);

            fn invoke(&self, call: &Call, arguments: &mut [&mut Dynamic]) -> Fallible<Dynamic> {
                $(let $parameter: $parameter = argument(call, arguments, $i, 0)?;)*
                self($($parameter),*).answer()
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<F, R: Answer, $($parameter: Parameter),*> Form<(WithCall, $($parameter,)*)> for F
        where
            F: Fn(&Call, $($parameter),*) -> R + 'static,
        {
            signature!($($parameter),*);

            fn invoke(&self, call: &Call, arguments: &mut [&mut Dynamic]) -> Fallible<Dynamic> {
                $(let $parameter: $parameter = argument(call, arguments, $i, 0)?;)*
                self(call, $($parameter),*).answer()
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<F, T: 'static, R: Answer, $($parameter: Parameter),*> MethodForm<T, (Plain, $($parameter,)*)> for F
        where
            F: Fn(&T, $($parameter),*) -> R + 'static,
        {
            signature!($($parameter),*);

            fn invoke(&self, call: &Call, receiver: &T, arguments: &mut [&mut Dynamic]) -> Fallible<Dynamic> {
                $(let $parameter: $parameter = argument(call, arguments, $i, 1)?;)*
                self(receiver, $($parameter),*).answer()
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<F, T: 'static, R: Answer, $($parameter: Parameter),*> MethodForm<T, (WithCall, $($parameter,)*)> for F
        where
            F: Fn(&Call, &T, $($parameter),*) -> R + 'static,
        {
            signature!($($parameter),*);

            fn invoke(&self, call: &Call, receiver: &T, arguments: &mut [&mut Dynamic]) -> Fallible<Dynamic> {
                $(let $parameter: $parameter = argument(call, arguments, $i, 1)?;)*
                self(call, receiver, $($parameter),*).answer()
            }
        }
    };
}

forms!();
forms!(A 0);
forms!(A 0, B 1);
forms!(A 0, B 1, C 2);
forms!(A 0, B 1, C 2, D 3);
forms!(A 0, B 1, C 2, D 3, E 4);
