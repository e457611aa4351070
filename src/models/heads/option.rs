//! The options of heads: names, ranges, defaults.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::HeadKind;
use crate::error::{Error, Result};
use crate::options::Range;

/// The value of an option of a head.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum HeadValue {
    Flag(bool),
    Number(f64),
    Name(String),
}

impl<'de> Deserialize<'de> for HeadValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HeadValue, D::Error> {
        struct OneOfThem;
        impl Visitor<'_> for OneOfThem {
            type Value = HeadValue;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number, a name, true or false")
            }
            fn visit_bool<E>(self, value: bool) -> Result<HeadValue, E> {
                Ok(HeadValue::Flag(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<HeadValue, E> {
                Ok(HeadValue::Number(value as f64))
            }
            fn visit_u64<E>(self, value: u64) -> Result<HeadValue, E> {
                Ok(HeadValue::Number(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<HeadValue, E> {
                Ok(HeadValue::Number(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<HeadValue, E> {
                Ok(HeadValue::Name(value.to_string()))
            }
        }
        deserializer.deserialize_any(OneOfThem)
    }
}

impl From<f64> for HeadValue {
    fn from(value: f64) -> HeadValue {
        HeadValue::Number(value)
    }
}

impl fmt::Display for HeadValue {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            HeadValue::Flag(flag) => flag.fmt(f),
            HeadValue::Number(number) => number.fmt(f),
            HeadValue::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

/// The values that an option takes, and its default.
pub enum Takes {
    Integer {
        default: f64,
        range: Range,
    },
    Number {
        default: f64,
        range: Range,
    },
    Flag {
        default: bool,
    },
    /// One of these names, the first by default.
    OneOf(&'static [&'static str]),
}

/// An option of a head, under its name in `head_options`.
pub struct HeadOption {
    pub name: &'static str,
    pub takes: Takes,
    pub doc: &'static str,
}

impl HeadOption {
    /// An integer.
    pub(super) const fn whole(
        name: &'static str,
        default: f64,
        least: f64,
        most: f64,
        doc: &'static str,
    ) -> HeadOption {
        HeadOption { name, takes: Takes::Integer { default, range: Range::FromTo(least, most) }, doc }
    }

    pub(super) const fn real(name: &'static str, default: f64, least: f64, most: f64, doc: &'static str) -> HeadOption {
        HeadOption { name, takes: Takes::Number { default, range: Range::FromTo(least, most) }, doc }
    }

    pub(super) const fn flag(name: &'static str, default: bool, doc: &'static str) -> HeadOption {
        HeadOption { name, takes: Takes::Flag { default }, doc }
    }

    /// One of `names`, the first by default.
    pub(super) const fn one_of(name: &'static str, names: &'static [&'static str], doc: &'static str) -> HeadOption {
        HeadOption { name, takes: Takes::OneOf(names), doc }
    }

    pub fn default(&self) -> HeadValue {
        match self.takes {
            Takes::Integer { default, .. } | Takes::Number { default, .. } => HeadValue::Number(default),
            Takes::Flag { default } => HeadValue::Flag(default),
            Takes::OneOf(names) => HeadValue::Name(names.first().copied().unwrap_or_default().into()),
        }
    }

    /// Errors: a value of another kind, or out of range.
    fn check(&self, head: &HeadKind, value: &HeadValue) -> Result<()> {
        let (fits, expected) = match (&self.takes, value) {
            (Takes::Integer { range, .. }, value) => (
                matches!(value, HeadValue::Number(x) if range.contains(*x) && x.fract() == 0.0),
                format!("an integer {range}"),
            ),
            (Takes::Number { range, .. }, value) => {
                (matches!(value, HeadValue::Number(x) if range.contains(*x)), format!("a number {range}"))
            }
            (Takes::Flag { .. }, value) => (matches!(value, HeadValue::Flag(_)), "true or false".to_string()),
            (Takes::OneOf(names), HeadValue::Name(name)) if !names.contains(&name.as_str()) => {
                let mut error = Error::unknown(self.name, name, names.iter().copied());
                error.message = format!("head \"{}\" has no {} \"{name}\"", head.name, self.name);
                return Err(error);
            }
            (Takes::OneOf(names), value) => (
                matches!(value, HeadValue::Name(_)),
                format!("one of {}", names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")),
            ),
        };
        match fits {
            true => Ok(()),
            false => Err(Error::option(self.name, &format!("head \"{}\"", head.name), expected, value)),
        }
    }
}

/// The options of a head with every default written out. Errors: an unknown option, a value that it does not take.
pub fn resolved_options(kind: &HeadKind, given: &BTreeMap<String, HeadValue>) -> Result<BTreeMap<String, HeadValue>> {
    for (name, value) in given {
        let Some(option) = kind.options.iter().find(|o| o.name == name) else {
            let mut error = Error::unknown("option", name, kind.options.iter().map(|o| o.name));
            error.message = format!("head \"{}\" has no option \"{name}\"", kind.name);
            return Err(error);
        };
        option.check(kind, value)?;
    }
    Ok(kind
        .options
        .iter()
        .map(|o| (o.name.to_string(), given.get(o.name).cloned().unwrap_or_else(|| o.default())))
        .collect())
}
