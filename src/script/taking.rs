//! Functions that take a value out of another one, in place of Rhai's own.
//!
//! Whatever else puts a value into another copies it, which takes the longer the deeper the value is. `[[a.pop()]]` copies
//! nothing: a loop of it could make a value deeper than the stack within a moment. So a value that is taken out is measured.

use rhai::{Array, Dynamic, Engine, FnPtr, INT, Map, NativeCallContext};

use super::limits::{Checked, Limits};

/// Registers them.
pub fn install(engine: &mut Engine, limits: Limits) {
    let one = move |value: Dynamic| limits.check(&value).map(|()| value);
    let all = move |items: Array| items.iter().try_for_each(|item| limits.check(item)).map(|()| items);
    engine.register_fn("pop", move |array: &mut Array| one(array.pop().unwrap_or(Dynamic::UNIT)));
    engine.register_fn("shift", move |array: &mut Array| match array.is_empty() {
        true => Ok(Dynamic::UNIT),
        false => one(array.remove(0)),
    });
    engine.register_fn("remove", move |array: &mut Array, index: INT| match place(array.len(), index) {
        Some(at) => one(array.remove(at)),
        None => Ok(Dynamic::UNIT),
    });
    engine.register_fn("remove", move |map: &mut Map, key: &str| one(map.remove(key).unwrap_or(Dynamic::UNIT)));
    engine.register_fn("split", move |array: &mut Array, index: INT| {
        let (start, _) = part(array.len(), index, INT::MAX);
        all(array.split_off(start))
    });
    engine.register_fn("drain", move |array: &mut Array, start: INT, len: INT| {
        let (start, len) = part(array.len(), start, len);
        all(array.drain(start..start + len).collect())
    });
    engine.register_fn("drain", move |array: &mut Array, range: std::ops::Range<INT>| {
        let (start, len) = part(array.len(), range.start.max(0), length(range.start, range.end));
        all(array.drain(start..start + len).collect())
    });
    engine.register_fn("drain", move |array: &mut Array, range: std::ops::RangeInclusive<INT>| {
        let (start, len) = part(array.len(), (*range.start()).max(0), length_inclusive(*range.start(), *range.end()));
        all(array.drain(start..start + len).collect())
    });
    engine.register_fn("retain", move |array: &mut Array, start: INT, len: INT| all(others(array, start, len)));
    engine.register_fn("retain", move |array: &mut Array, range: std::ops::Range<INT>| {
        all(others(array, range.start.max(0), length(range.start, range.end)))
    });
    engine.register_fn("retain", move |array: &mut Array, range: std::ops::RangeInclusive<INT>| {
        all(others(array, (*range.start()).max(0), length_inclusive(*range.start(), *range.end())))
    });
    for (name, taken) in [("drain", true), ("retain", false)] {
        engine.register_fn(name, move |call: NativeCallContext, array: &mut Array, filter: FnPtr| {
            take_if(name, &call, array, &filter, taken).and_then(all)
        });
        engine.register_fn(name, move |call: NativeCallContext, map: &mut Map, filter: FnPtr| {
            let map = take_from_map(name, &call, map, &filter, taken)?;
            map.values().try_for_each(|value| limits.check(value))?;
            Ok::<_, Box<rhai::EvalAltResult>>(map)
        });
    }
}

/// The position of an index, which counts from the end if negative.
fn place(n: usize, index: INT) -> Option<usize> {
    let at = match index < 0 {
        true => n.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
        false => usize::try_from(index).ok()?,
    };
    (at < n).then_some(at)
}

/// Start and length of a part of `n` items, inside of them. A negative start counts from the end.
fn part(n: usize, start: INT, len: INT) -> (usize, usize) {
    let start = match start < 0 {
        true => usize::try_from(start.unsigned_abs()).map_or(0, |back| n.saturating_sub(back)),
        false => usize::try_from(start).map_or(n, |start| start.min(n)),
    };
    (start, usize::try_from(len).unwrap_or(if len < 0 { 0 } else { n }).min(n - start))
}

fn length(start: INT, end: INT) -> INT {
    end.max(start.max(0)) - start.max(0)
}

fn length_inclusive(start: INT, end: INT) -> INT {
    (end.max(start.max(0)).min(INT::MAX - 1) - start.max(0)).saturating_add(1)
}

/// Keeps a part of the array and gives the rest. An empty part keeps everything, as in Rhai.
fn others(array: &mut Array, start: INT, len: INT) -> Array {
    let (start, len) = part(array.len(), start, len);
    if len == 0 {
        return Array::new();
    }
    let kept = array.drain(start..start + len).collect();
    std::mem::replace(array, kept)
}

/// Takes the items of which the filter says `taken`. An error keeps those that it has not seen.
fn take_if(name: &str, call: &NativeCallContext, array: &mut Array, filter: &FnPtr, taken: bool) -> Checked<Array> {
    let (mut out, mut kept, mut error) = (Array::new(), Array::new(), None);
    for (i, mut item) in std::mem::take(array).into_iter().enumerate() {
        let said = match error {
            Some(_) => Ok(Dynamic::from(!taken)),
            None => {
                let at = [Dynamic::from(i as INT)];
                filter.call_raw_with_extra_args(name, call, Some(&mut item), [], at, Some(0))
            }
        };
        match said {
            Ok(yes) if yes.as_bool().unwrap_or(false) == taken => out.push(item),
            Ok(_) => kept.push(item),
            Err(failed) => {
                error = Some(failed);
                kept.push(item);
            }
        }
    }
    *array = kept;
    error.map_or(Ok(out), Err)
}

/// The same for the entries of a map.
fn take_from_map(name: &str, call: &NativeCallContext, map: &mut Map, filter: &FnPtr, taken: bool) -> Checked<Map> {
    let (mut out, mut kept, mut error) = (Map::new(), Map::new(), None);
    for (key, mut value) in std::mem::take(map) {
        let said = match error {
            Some(_) => Ok(Dynamic::from(!taken)),
            None => {
                // As a string: an identifier would be a value of a kind that scripts do not know.
                let key = [Dynamic::from(key.to_string())];
                filter.call_raw_with_extra_args(name, call, Some(&mut value), key, [], Some(1))
            }
        };
        match said {
            Ok(yes) if yes.as_bool().unwrap_or(false) == taken => drop(out.insert(key, value)),
            Ok(_) => drop(kept.insert(key, value)),
            Err(failed) => {
                error = Some(failed);
                let _ = kept.insert(key, value);
            }
        }
    }
    *map = kept;
    error.map_or(Ok(out), Err)
}

#[cfg(test)]
mod tests {
    use super::super::limits::LIMITS;
    use super::*;

    #[test]
    fn they_do_what_rhais_own_do() {
        let mut ours = crate::script::hashing::engine();
        install(&mut ours, LIMITS);
        let rhais = crate::script::hashing::engine();
        let mut calls: Vec<String> =
            ["pop()", "shift()", "drain(|x| x > 1)", "drain(|x, i| i > 0)", "retain(|x| x > 1)"]
                .iter()
                .chain(&["retain(|x, i| i > 0)", "drain(|x| 1)", "drain(|| this > 1)"])
                .map(|call| call.to_string())
                .collect();
        for a in [-9, -2, -1, 0, 1, 2, 3, 9, INT::MAX, INT::MIN] {
            calls.extend([format!("remove({a})"), format!("split({a})")]);
            for b in [-5, -1, 0, 1, 2, 3, 9, INT::MAX, INT::MIN] {
                for name in ["drain", "retain"] {
                    calls.push(format!("{name}({a}, {b})"));
                    calls.push(format!("{name}(({a})..({b}))"));
                    calls.push(format!("{name}(({a})..=({b}))"));
                }
            }
        }
        for array in ["[]", "[1]", "[1, 2, 3, 4]"] {
            for call in &calls {
                let code = format!("let a = {array}; let b = a.{call}; [a, b].to_string()");
                let expected = rhais.eval::<String>(&code).unwrap();
                assert_eq!(ours.eval::<String>(&code).unwrap(), expected, "{code}");
            }
        }
        for call in ["remove(\"a\")", "remove(\"z\")", "drain(|k| k == \"a\")", "retain(|k, v| v > 1)"] {
            let code = format!("let a = #{{a: 1, b: 2}}; let b = a.{call}; [a, b].to_string()");
            assert_eq!(ours.eval::<String>(&code).unwrap(), rhais.eval::<String>(&code).unwrap(), "{code}");
        }
        let kept = "let a = [1, 2, 3]; try { a.drain(|x| if x == 2 { throw 0 } else { true }) } catch {} a.to_string()";
        assert_eq!(ours.eval::<String>(kept).unwrap(), "[2, 3]");
    }
}
