//! Methods that go over the items of ranges and arrays, beyond Rhai's own.
//!
//! - `for_each` gives a closure of one parameter the item, as `map` does. Rhai's own gives it the index.
//! - A range has the methods of the array of its numbers: `(0..5).map(|i| i * i)`.
//! - `range(n)` is `0..n`.

use std::any::TypeId;
use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, Engine, FnPtr, INT, NativeCallContext};

use super::limits::{Checked, Limits};

/// The methods that a range has of an array, with their numbers of arguments.
const OF_ARRAYS: &[(&str, usize)] = &[
    ("map", 1),
    ("filter", 1),
    ("for_each", 1),
    ("some", 1),
    ("all", 1),
    ("find", 1),
    ("find_map", 1),
    ("reduce", 1),
    ("reduce", 2),
    ("zip", 2),
    ("sum", 0),
    ("mean", 0),
];

/// Registers them.
pub fn install(engine: &mut Engine, limits: Limits) {
    engine.register_fn("for_each", for_each);
    engine.register_fn("range", |n: INT| 0..n);
    engine.register_fn("to_array", move |range: Range<INT>| exclusive(&range, limits));
    engine.register_fn("to_array", move |range: RangeInclusive<INT>| inclusive(&range, limits));
    for &(name, arguments) in OF_ARRAYS {
        let with = |first: TypeId| {
            let mut types = vec![first];
            types.extend((0..arguments).map(|i| match (name, i) {
                ("reduce", 1) | ("zip", 0) => TypeId::of::<Dynamic>(),
                _ => TypeId::of::<FnPtr>(),
            }));
            types
        };
        engine.register_raw_fn(name, with(TypeId::of::<Range<INT>>()), move |call, values: &mut [&mut Dynamic]| {
            let items = values[0].read_lock::<Range<INT>>().map(|range| exclusive(&range, limits)).transpose()?;
            of_array(name, &call, items.unwrap_or_default(), values)
        });
        engine.register_raw_fn(
            name,
            with(TypeId::of::<RangeInclusive<INT>>()),
            move |call, values: &mut [&mut Dynamic]| {
                let items =
                    values[0].read_lock::<RangeInclusive<INT>>().map(|range| inclusive(&range, limits)).transpose()?;
                of_array(name, &call, items.unwrap_or_default(), values)
            },
        );
    }
}

/// Calls the method of an array in place of a range's.
fn of_array(name: &str, call: &NativeCallContext, array: Array, values: &mut [&mut Dynamic]) -> Checked<Dynamic> {
    let mut array = Dynamic::from(array);
    let mut all: Vec<&mut Dynamic> = vec![&mut array];
    all.extend(values.iter_mut().skip(1).map(|value| &mut **value));
    call.call_native_fn_raw(name, true, &mut all)
}

fn exclusive(range: &Range<INT>, limits: Limits) -> Checked<Array> {
    let n = usize::try_from(i128::from(range.end) - i128::from(range.start)).unwrap_or(0);
    limits.check_length(n)?;
    Ok(range.clone().map(Dynamic::from).collect())
}

fn inclusive(range: &RangeInclusive<INT>, limits: Limits) -> Checked<Array> {
    let n = usize::try_from(i128::from(*range.end()) - i128::from(*range.start()) + 1).unwrap_or(0);
    limits.check_length(n)?;
    Ok(range.clone().map(Dynamic::from).collect())
}

/// A closure without parameters has the item as `this`, and may change it; one parameter is the item, a second one its index.
fn for_each(call: NativeCallContext, array: &mut Array, closure: FnPtr) -> Checked {
    for (i, item) in array.iter_mut().enumerate() {
        let at = [Dynamic::from(i as INT)];
        let _ = closure.call_raw_with_extra_args("for_each", &call, Some(item), [], at, Some(0))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    fn of(text: &str) -> String {
        let mut session = crate::primitives::session();
        let value = session.eval(text, "test").unwrap_or_else(|failure| panic!("{text}: {failure}"));
        crate::script::show::plain(&value)
    }

    #[test]
    fn for_each_gives_the_item_then_its_index() {
        assert_eq!(of("let s = []; [10, 20].for_each(|x| s.push(x)); s"), "[10, 20]");
        assert_eq!(of("let s = []; [10, 20].for_each(|x, i| s.push(x + i)); s"), "[10, 21]");
        assert_eq!(of("let a = [10, 20]; a.for_each(|| this += 1); a"), "[11, 21]");
        let mut session = crate::primitives::session();
        let failure = session.eval("let a = [1]; a.for_each(|x| this += x);", "test").unwrap_err();
        assert!(failure.message.contains("this"), "{failure}");
    }

    #[test]
    fn ranges_have_the_methods_of_arrays() {
        assert_eq!(of("(0..4).map(|i| i * i)"), "[0, 1, 4, 9]");
        assert_eq!(of("(1..=4).filter(|i| i % 2 == 0)"), "[2, 4]");
        assert_eq!(of("(1..=4).reduce(|s, i| s + i, 10)"), "20");
        assert_eq!(of("let s = 0; (0..3).for_each(|i| s += i); s"), "3");
        assert_eq!(of("let n = 0; for i in range(3) { n += i; } [n, (0..4).sum(), (1..=2).mean()]"), "[3, 6, 1.5]");
        assert_eq!(of("(3..0).to_array()"), "[]");
        let mut session = crate::primitives::session();
        let failure = session.eval("(0..9000000000).map(|i| i)", "test").unwrap_err();
        assert!(failure.message.contains("items at most"), "{failure}");
    }
}
