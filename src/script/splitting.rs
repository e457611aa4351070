//! Functions that split a string, in place of Rhai's own: of a long string they make a hundred times as many bytes in one
//! step, so they count what they make.

use rhai::{Array, Dynamic, Engine, INT, ImmutableString};

use super::limits::{Checked, Limits};

/// Registers them.
pub fn install(engine: &mut Engine, limits: Limits) {
    engine.register_fn("to_chars", move |text: ImmutableString| limits.collect(text.chars().map(Dynamic::from)));
    engine.register_fn("split", move |text: ImmutableString| match text.is_empty() {
        true => Ok(whole(&text)),
        false => limits.collect(text.split_whitespace().map(|part: &str| part.into())),
    });
    // A string and a character are delimiters of different kinds.
    macro_rules! split {
        ($kind:ty, $pattern:ident => $as:expr) => {
            engine.register_fn("split", move |text: ImmutableString, $pattern: $kind| match is_one(&text, $as, 2) {
                true => Ok(whole(&text)),
                false => limits.collect(text.split($as).map(|part: &str| part.into())),
            });
            engine.register_fn("split", move |text: ImmutableString, $pattern: $kind, parts: INT| {
                match is_one(&text, $as, parts) {
                    true => Ok(whole(&text)),
                    false => limits.collect(text.splitn(count(parts), $as).map(|part: &str| part.into())),
                }
            });
            engine.register_fn("split_rev", move |text: ImmutableString, $pattern: $kind| {
                match is_one(&text, $as, 2) {
                    true => Ok(whole(&text)),
                    false => limits.collect(text.rsplit($as).map(|part: &str| part.into())),
                }
            });
            engine.register_fn("split_rev", move |text: ImmutableString, $pattern: $kind, parts: INT| {
                match is_one(&text, $as, parts) {
                    true => Ok(whole(&text)),
                    false => limits.collect(text.rsplitn(count(parts), $as).map(|part: &str| part.into())),
                }
            });
        };
    }
    split!(ImmutableString, delimiter => delimiter.as_str());
    split!(char, delimiter => delimiter.encode_utf8(&mut [0; 4]) as &str);
}

/// Whether nothing is split: the string as it is.
fn is_one(text: &str, delimiter: &str, parts: INT) -> bool {
    parts <= 1 || text.is_empty() || (!delimiter.is_empty() && !text.contains(delimiter))
}

fn whole(text: &ImmutableString) -> Array {
    vec![text.clone().into()]
}

fn count(parts: INT) -> usize {
    usize::try_from(parts).unwrap_or(usize::MAX)
}

impl Limits {
    /// An array of these. Errors: too many, or more than the memory that is left.
    fn collect(self, items: impl Iterator<Item = Dynamic>) -> Checked<Array> {
        /// Between two looks.
        const PART: usize = 1 << 16;
        /// Bytes of an item with a short text.
        const OF_ITEM: usize = 96;
        let mut array = Array::new();
        for item in items {
            if array.len().is_multiple_of(PART) {
                self.check_length(array.len())?;
                super::limits::room_for(2 * OF_ITEM * array.len())?;
            }
            array.push(item);
        }
        self.check_length(array.len()).map(|()| array)
    }
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
        for text in ["", "a", "a b  c", "äaöaü", "aaa", " x "] {
            let mut calls = vec!["to_chars()".to_string(), "split()".into()];
            for delimiter in ["\"a\"", "'a'", "\" \"", "\"\"", "\"zz\"", "'z'"] {
                for name in ["split", "split_rev"] {
                    calls.push(format!("{name}({delimiter})"));
                    calls.extend([-1, 0, 1, 2, 3, INT::MAX].map(|n| format!("{name}({delimiter}, {n})")));
                }
            }
            for call in calls {
                let code = format!("const T = \"{text}\"; T.{call}.to_string()");
                assert_eq!(ours.eval::<String>(&code).unwrap(), rhais.eval::<String>(&code).unwrap(), "{code}");
            }
        }
    }

    #[test]
    fn too_many_parts_are_an_error() {
        let mut engine = crate::script::hashing::engine();
        install(&mut engine, Limits { items: 1000, ..LIMITS });
        for call in ["to_chars()", "split(\"x\")", "split(\"\")", "split('x')", "split_rev('x', 100000)"] {
            let code = format!("let t = \"\"; t.pad(2000, 'x'); t.{call}");
            assert!(engine.run(&code).unwrap_err().to_string().contains("Size of array"), "{call}");
        }
    }
}
