//! Options declared once: name, type, default, range, text.
//!
//! [`options!`](crate::options) makes a struct from such a declaration. Defaults, range checks, help, completion and the
//! checker of scripts all follow from it.

mod problem;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::problem::{Json, Problem};
use crate::error::{About, Error, Result};

/// One option as help shows it.
#[derive(Clone, Copy, Debug)]
pub struct OptionDoc {
    /// The key in an options map.
    pub key: &'static str,
    /// One line: meaning and unit.
    pub text: &'static str,
}

/// A struct of options, made by [`options!`](crate::options).
pub trait Options: Serialize + DeserializeOwned + Default {
    /// All options in the order of help.
    fn docs() -> Vec<OptionDoc>;

    /// Checks every declared range; `word` is named in errors.
    ///
    /// Errors: the first option out of its range.
    fn check(&self, word: &str) -> Result<()>;
}

/// The keys of an options map with their defaults and texts, all from the declaration of the options.
#[derive(Clone, Copy)]
pub struct OptionDocs {
    /// The default of every key as JSON.
    pub defaults: fn() -> Value,
    /// One entry per key in the order of help. A closure has no default.
    pub docs: fn() -> Vec<OptionDoc>,
    /// The names that an option takes, by its key or, inside of maps, by the keys that lead to it; empty for other options.
    pub choices: fn(&[&str]) -> Vec<&'static str>,
    /// The option whose map has this key.
    pub part_of: fn(&str) -> Option<String>,
    /// The error that a call of this word would get for this value of this option alone, if it would.
    pub refused: fn(&str, &str, &Value) -> Option<Error>,
}

impl OptionDocs {
    pub const fn of<T: Options>() -> Self {
        OptionDocs {
            defaults: defaults::<T>,
            docs: T::docs,
            choices: choices::<T>,
            part_of: part_of::<T>,
            refused: refused::<T>,
        }
    }
}

/// The values that a numeric option accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Both ends are included.
    FromTo(f64, f64),
    /// The lower end is included, the upper is not.
    FromBelow(f64, f64),
    /// Greater than the lower end, up to and including the upper.
    AboveTo(f64, f64),
    Above(f64),
    AtLeast(f64),
}

impl Range {
    /// Whether a value lies in the range. NaN and infinity lie in none.
    pub fn contains(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Range::FromTo(from, to) => from <= value && value <= to,
                Range::FromBelow(from, to) => from <= value && value < to,
                Range::AboveTo(above, to) => above < value && value <= to,
                Range::Above(above) => value > above,
                Range::AtLeast(least) => value >= least,
            }
    }

    /// Errors: `value` lies outside.
    pub fn check(self, key: &str, word: &str, value: impl OptionNumber) -> Result<()> {
        match value.number() {
            Some(number) if !self.contains(number) => Err(Error::option(key, word, self, value.shown())),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::FromTo(from, to) => write!(f, "from {from} to {to}"),
            Range::FromBelow(from, to) => write!(f, "from {from} to below {to}"),
            Range::AboveTo(above, to) => write!(f, "above {above}, to {to}"),
            Range::Above(above) => write!(f, "above {above}"),
            Range::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

/// A type of option that a range can bound.
pub trait OptionNumber: Copy {
    /// The number, unless the option is left open.
    fn number(self) -> Option<f64>;
    /// The number as errors show it.
    fn shown(self) -> String;
}

macro_rules! option_number {
    ($($type:ty),*) => {$(
        impl OptionNumber for $type {
            fn number(self) -> Option<f64> {
                Some(self as f64)
            }
            fn shown(self) -> String {
                self.to_string()
            }
        }
    )*};
}
option_number!(u8, u16, u32, u64, usize, i32, i64, f32, f64);

impl<T: OptionNumber> OptionNumber for Option<T> {
    fn number(self) -> Option<f64> {
        self.and_then(T::number)
    }

    fn shown(self) -> String {
        self.map_or_else(|| "()".into(), T::shown)
    }
}

/// Reads the options of `word` from JSON into `T`, whose `Default` holds every key, and checks their ranges.
///
/// Errors name the word, the option, the expectation and the value that came; an unknown key names the nearest right one.
pub fn read<T: Options>(word: &str, options: &Map<String, Value>) -> Result<T> {
    known_keys::<T>(word, options.keys().map(String::as_str))?;
    let mut whole = defaults::<T>();
    for (key, value) in options {
        // Alone among defaults, so that a failure is this key's.
        let alone = Value::Object([(key.clone(), value.clone())].into_iter().collect());
        T::deserialize(Json(&alone)).map_err(|problem| {
            bad_part::<T>(word, key, value).unwrap_or_else(|| bad_option(word, key, value, problem))
        })?;
        whole[key] = value.clone();
    }
    let read = T::deserialize(Json(&whole))
        .map_err(|problem| Error::argument(format!("options of {word}: {}", problem.expected())))?;
    read.check(word)?;
    Ok(read)
}

/// The error of a value of one option of `word`, the others at their defaults. None for a key that `T` itself does not read.
pub fn refused<T: Options>(word: &str, key: &str, value: &Value) -> Option<Error> {
    let _ = defaults::<T>().get(key)?;
    read::<T>(word, &Map::from_iter([(key.to_string(), value.clone())])).err()
}

/// The error of the first part of a map that is given for `key`, if its parts have defaults of their own: `augment.flip`.
fn bad_part<T: Options>(word: &str, key: &str, value: &Value) -> Option<Error> {
    let with = |map: Map<String, Value>| {
        let alone = Value::Object([(key.to_string(), Value::Object(map))].into_iter().collect());
        T::deserialize(Json(&alone)).map(drop)
    };
    with(Map::new()).ok()?;
    value.as_object()?.iter().find_map(|(part, value)| {
        let problem = with([(part.clone(), value.clone())].into_iter().collect()).err()?;
        match problem {
            Problem::UnknownField(..) => {
                let error = bad_option(word, key, value, problem);
                Some(beside(error, word, key, part, defaults::<T>().get(part).is_some()))
            }
            problem => Some(bad_option(word, &format!("{key}.{part}"), value, problem)),
        }
    })
}

/// Errors: the first key that `T` does not have.
pub fn known_keys<'a, T: Options>(word: &str, keys: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let whole = defaults::<T>();
    let Some(known) = whole.as_object() else {
        return Err(Error::internal(format!("the options of {word} are not a map")));
    };
    match keys.into_iter().find(|key| !known.contains_key(*key)) {
        Some(key) => {
            let error = unknown_option(word, key, known.keys().map(String::as_str));
            Err(belonging(error, key, part_with::<T>(key, known)))
        }
        None => Ok(()),
    }
}

/// The option of `T` whose map has this key.
pub fn part_of<T: Options>(key: &str) -> Option<String> {
    part_with::<T>(key, defaults::<T>().as_object()?).map(str::to_string)
}

/// The error of an option that is unknown at its place, with the option in whose map it belongs, if there is one.
pub fn belonging(error: Error, key: &str, part: Option<&str>) -> Error {
    match part {
        Some(part) => error.with_help(format!("{key} belongs in {part}: {part}: #{{{key}: ...}}")),
        None => error,
    }
}

/// The error of a key `part` that the map `key` does not have, which says so where it is an option of the word itself.
pub fn beside(error: Error, word: &str, key: &str, part: &str, is_option: bool) -> Error {
    match is_option {
        true => {
            error.with_help(format!("{part} is an option of {word} itself, beside {key}: {key}: #{{...}}, {part}: ..."))
        }
        false => error,
    }
}

/// The error of a key that the map of the option `key` does not have; the nearest of those that it has is named.
pub fn unknown_key<'a>(word: &str, key: &str, came: &str, among: impl IntoIterator<Item = &'a str>) -> Error {
    let mut error = Error::unknown("option", came, among);
    error.message = format!("option \"{key}\" of {word} has no key \"{came}\"");
    error
}

/// The option whose map has this key.
fn part_with<'a, T: Options>(key: &str, known: &'a Map<String, Value>) -> Option<&'a str> {
    let unknown = |part: &str, key: &str| {
        let inner = Value::Object([(key.to_string(), Value::Null)].into_iter().collect());
        let whole = Value::Object([(part.to_string(), inner)].into_iter().collect());
        matches!(T::deserialize(Json(&whole)), Err(Problem::UnknownField(..)))
    };
    // Of a map that says which keys it does not have; no key is empty.
    let takes = |part: &str| unknown(part, "") && !unknown(part, key);
    known.iter().find(|(part, value)| value.is_object() && takes(part)).map(|(part, _)| part.as_str())
}

/// The names that the option at the end of `path` takes, in the order of their declaration; empty if it takes other values than names.
pub fn choices<T: Options>(path: &[&str]) -> Vec<&'static str> {
    // Behind an option that takes names there is none, though a map would be read as a name with a value.
    if let Some((_, outer)) = path.split_last()
        && !outer.is_empty()
        && !choices::<T>(outer).is_empty()
    {
        return vec![];
    }
    // No option has an empty name, so what is asked for is refused with the names that would do.
    let nested = |value, key: &&str| Value::Object([(key.to_string(), value)].into_iter().collect());
    let asked = path.iter().rev().fold(Value::String(String::new()), nested);
    match T::deserialize(Json(&asked)) {
        // A closure has no name.
        Err(Problem::UnknownVariant(names)) => names.iter().copied().filter(|name| *name != "script").collect(),
        _ => vec![],
    }
}

/// Every key with its default, in the struct's order.
pub fn defaults<T: Options>() -> Value {
    serde_json::to_value(T::default()).unwrap_or(Value::Null)
}

/// `word` has no option `key`; the nearest of those that it has is named.
pub fn unknown_option<'a>(word: &str, key: &str, among: impl IntoIterator<Item = &'a str>) -> Error {
    let mut error = Error::unknown("option", key, among);
    error.message = format!("{word} has no option \"{key}\"");
    error
}

/// The sentence for a value that the option `key` cannot take.
fn bad_option(word: &str, key: &str, value: &Value, problem: Problem) -> Error {
    let about = |value: Option<String>| Some(About::Option { key: key.to_string(), value });
    match problem {
        Problem::UnknownVariant(choices) => {
            // A name may be given for a map that holds it: `loss: "bce"`.
            let named = value.as_str().or(value.get("name").and_then(Value::as_str));
            let came = named.map_or_else(|| value.to_string(), str::to_string);
            let choices: Vec<&str> = choices.iter().copied().filter(|c| *c != "script").collect();
            let mut error = Error::unknown("value", &came, choices.iter().copied());
            error.message = format!("option \"{key}\" of {word} must be {}; got \"{came}\"", any_of(&choices));
            error.about = about(Some(came));
            error
        }
        Problem::UnknownField(came, choices) => unknown_key(word, key, &came, choices.iter().copied()),
        problem => {
            let mut error = Error::option(key, word, problem.expected(), value);
            error.about = about(value.as_str().map(str::to_string));
            error
        }
    }
}

/// `"a", "b" or "c"`.
fn any_of(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|c| format!("\"{c}\"")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// Declares a struct of options.
///
/// Each field is `/// text` `name: type = default, in range;`, where the range may be left out. `also("key", "text")` in front of
/// a field documents a key that a word reads by itself, such as a closure. `struct Name extends field: Type` takes over
/// the options of another struct, after its own.
///
/// ```
/// use cpsd::options::{Options, Range};
/// cpsd::options! {
///     /// How k-means runs.
///     pub struct KMeansOptions {
///         /// runs, of which the best is kept
///         pub restarts: usize = 50, in Range::FromTo(1.0, 1e5);
///         /// decides the first centres
///         pub seed: u64 = 0;
///     }
/// }
/// assert_eq!(KMeansOptions::default().restarts, 50);
/// assert_eq!(KMeansOptions::docs()[1].text, "decides the first centres");
/// assert!(KMeansOptions { restarts: 0, seed: 0 }.check("kmeans").is_err());
/// ```
#[macro_export]
macro_rules! options {
    ($(#[doc = $about:literal])* $vis:vis struct $name:ident { $($body:tt)* }) => {
        $crate::options! { @make ($($about)*) (default, deny_unknown_fields) $vis $name () { $($body)* } }
    };
    // serde cannot deny unknown fields of a flattened struct; the keys of the whole map are checked before.
    ($(#[doc = $about:literal])* $vis:vis struct $name:ident extends $inner:ident : $inner_type:ty { $($body:tt)* }) => {
        $crate::options! { @make ($($about)*) (default) $vis $name ($inner: $inner_type) { $($body)* } }
    };
    (
        @make ($($about:literal)*) $serde:tt $vis:vis $name:ident ($($inner:ident : $inner_type:ty)?) {
            $(
                $(also($also:literal, $also_text:literal))*
                $(#[doc = $text:literal])+
                $(#[serde $field_serde:tt])*
                pub $field:ident : $type:ty = $default:expr $(, in $range:expr)?;
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde $serde]
        $vis struct $name {
            $($(#[doc = $text])+ $(#[serde $field_serde])* pub $field: $type,)*
            $(
                /// The options taken over, in the same map.
                #[serde(flatten)]
                pub $inner: $inner_type,
            )?
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* $($inner: <$inner_type>::default(),)? }
            }
        }

        impl $crate::options::Options for $name {
            fn docs() -> Vec<$crate::options::OptionDoc> {
                let docs = vec![$(
                    $($crate::options::OptionDoc { key: $also, text: $also_text },)*
                    $crate::options::OptionDoc { key: stringify!($field), text: concat!($($text),+).trim_ascii() },
                )*];
                $(let docs = [docs, <$inner_type as $crate::options::Options>::docs()].concat();)?
                docs
            }

            fn check(&self, _word: &str) -> $crate::error::Result<()> {
                $($($range.check(stringify!($field), _word, self.$field)?;)?)*
                $(self.$inner.check(_word)?;)?
                Ok(())
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    options! {
        /// Options of a test.
        struct Sample {
            /// how often
            /// it is tried
            pub tries: usize = 3, in Range::FromTo(1.0, 5.0);
            also("on_try", "a closure that is called")
            /// a share
            pub part: Option<f64> = None, in Range::AboveTo(0.0, 1.0);
        }
    }

    options! {
        struct More extends sample: Sample {
            /// a factor
            pub scale: f64 = 1.0;
        }
    }

    #[test]
    fn one_declaration_gives_defaults_docs_and_checks() {
        let keys: Vec<&str> = Sample::docs().iter().map(|doc| doc.key).collect();
        assert_eq!(keys, ["tries", "on_try", "part"]);
        assert_eq!(Sample::docs()[0].text, "how often it is tried");
        assert!(Sample::default().check("sample").is_ok());
        let error = Sample { tries: 6, part: None }.check("sample").unwrap_err();
        assert_eq!(error.message, "option \"tries\" of sample must be from 1 to 5; got 6");
        let error = Sample { tries: 1, part: Some(0.0) }.check("sample").unwrap_err();
        assert_eq!(error.message, "option \"part\" of sample must be above 0, to 1; got 0");
        assert!(serde_json::from_str::<Sample>(r#"{"trys": 1}"#).is_err());
        let more: More = serde_json::from_str(r#"{"scale": 2.0, "tries": 4}"#).unwrap();
        assert_eq!(more, More { scale: 2.0, sample: Sample { tries: 4, part: None } });
        assert_eq!(More::docs().len(), 4);
        assert!(More { scale: 1.0, sample: Sample { tries: 9, part: None } }.check("more").is_err());
    }

    #[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum How {
        ByHand,
        Script,
        Fast,
    }

    options! {
        struct Inner {
            /// a name
            pub how: How = How::Fast;
        }
    }

    options! {
        struct Named extends inner: Inner {
            /// a map
            pub nested: Inner = Inner::default();
            /// a name or nothing
            pub perhaps: Option<How> = None;
        }
    }

    #[test]
    fn names_that_an_option_takes_are_known() {
        for path in [&["how"][..], &["nested", "how"], &["perhaps"]] {
            assert_eq!(choices::<Named>(path), ["by_hand", "fast"], "{path:?}");
        }
        for path in [&["nested"][..], &["no_such"], &[], &["how", "more"]] {
            assert!(choices::<Named>(path).is_empty(), "{path:?}");
        }
    }

    options! {
        struct Outer {
            /// a map
            pub sample: Sample = Sample::default();
            /// a number
            pub other: f64 = 0.0;
        }
    }

    #[test]
    fn a_part_of_a_map_is_named() {
        let problem = |options: Value| read::<Outer>("word", options.as_object().unwrap()).unwrap_err().message;
        let of = |sample: Value| problem(serde_json::json!({ "sample": sample }));
        assert_eq!(
            of(serde_json::json!({"part": 0.5, "tries": "ten"})),
            "option \"sample.tries\" of word must be a non-negative integer; got \"ten\""
        );
        assert_eq!(of(serde_json::json!({"trie": 1})), "option \"sample\" of word has no key \"trie\"");
        assert_eq!(of(serde_json::json!("none")), "option \"sample\" of word must be a map; got \"none\"");
    }
}
