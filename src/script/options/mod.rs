//! The `#{...}` of a call into a typed struct, with errors that name the word and the option.
//!
//! - `json`: between values of scripts and JSON

mod json;

use rhai::{Dynamic, Identifier, Map};

pub use json::{from_json, literal, not_finite, to_json};

pub use crate::options::{belonging, beside, defaults, refused, unknown_key, unknown_option};

use crate::error::{Error, Result};
use crate::options::{Options, known_keys, read};
use crate::script::show;

/// Reads the options of `word` into `T`, whose `Default` holds every key, and checks their ranges.
///
/// Errors name the word, the option, the expectation and the value that came; an unknown key names the nearest right one.
pub fn parse<T: Options>(word: &str, options: &Map) -> Result<T> {
    let keys: Vec<&str> = options.keys().map(|key| key.as_str()).collect();
    known_keys::<T>(word, keys)?;
    let value = |(key, value): (&Identifier, &Dynamic)| {
        finite(word, key, value)?;
        let value = to_json(value).map_err(|what| {
            Error::argument(format!("option \"{key}\" of {word} cannot take {what}")).about_option(key)
        })?;
        Ok((key.to_string(), value))
    };
    read(word, &options.iter().map(value).collect::<Result<_>>()?)
}

/// Errors: a number in the value of an option that is nan or infinite. JSON has none, and would have nothing in its place.
pub fn finite(word: &str, key: &str, value: &Dynamic) -> Result<()> {
    match not_finite(value) {
        None => Ok(()),
        Some((place, x)) => {
            let error = Error::option(&format!("{key}{place}"), word, "a finite number", show::number(x));
            Err(Error { about: None, ..error }.about_option(key))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Range;
    use serde::{Deserialize, Serialize};

    crate::options! {
        struct Sample {
            /// k-means runs
            pub restarts: usize = 50, in Range::FromTo(1.0, 100.0);
            /// the exponent
            pub power: f64 = 0.5;
            /// the embedding
            pub embedding: Embedding = Embedding::Auto;
        }
    }

    #[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Embedding {
        Auto,
        Rw,
    }

    fn with(key: &str, value: impl Into<Dynamic>) -> Result<Sample> {
        parse("partition", &[(key.into(), value.into())].into_iter().collect())
    }

    #[test]
    fn an_integer_does_for_a_number() {
        assert_eq!(with("power", Dynamic::from(1_i64)).unwrap().power, 1.0);
    }

    #[test]
    fn what_is_no_finite_number_is_named() {
        let inside = Map::from_iter([("alpha".into(), Dynamic::from(vec![Dynamic::from(1.0), f64::NAN.into()]))]);
        for (value, said) in [
            (f64::NAN.into(), "option \"power\" of partition must be a finite number; got NaN"),
            (f64::NEG_INFINITY.into(), "option \"power\" of partition must be a finite number; got -inf"),
            (inside.into(), "option \"power.alpha[1]\" of partition must be a finite number; got NaN"),
        ] {
            let value: Dynamic = value;
            assert_eq!(with("power", value).unwrap_err().message, said);
        }
    }

    #[test]
    fn errors_name_word_option_expectation_and_what_came() {
        assert_eq!(
            with("restarts", Dynamic::from("ten".to_string())).unwrap_err().message,
            "option \"restarts\" of partition must be a non-negative integer; got \"ten\""
        );
        let error = with("restart", Dynamic::from(1_i64)).unwrap_err();
        assert_eq!(error.message, "partition has no option \"restart\"");
        assert_eq!(error.help.as_deref(), Some("did you mean \"restarts\"?"));
        assert_eq!(
            with("embedding", Dynamic::from("rv".to_string())).unwrap_err().message,
            "option \"embedding\" of partition must be \"auto\" or \"rw\"; got \"rv\""
        );
        assert_eq!(
            with("restarts", Dynamic::from(0_i64)).unwrap_err().message,
            "option \"restarts\" of partition must be from 1 to 100; got 0"
        );
    }
}
