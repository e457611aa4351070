//! JSON into options, with errors as data: which variant or field is unknown, which type was expected.

use std::fmt::{self, Display};

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// Why a value does not fit an option.
#[derive(Debug)]
pub enum Problem {
    /// A name that is none of these.
    UnknownVariant(&'static [&'static str]),
    /// A key that a nested map does not have, and those that it has.
    UnknownField(String, &'static [&'static str]),
    /// A value of another type than this one, named as serde does.
    Type(String),
    Other(String),
}

impl Problem {
    /// The expectation, as a user reads it.
    pub fn expected(&self) -> String {
        match self {
            Problem::UnknownVariant(choices) | Problem::UnknownField(_, choices) => choices.join(", "),
            Problem::Other(message) => message.clone(),
            Problem::Type(expected) => match expected.as_str() {
                "usize" | "u64" | "u32" => "a non-negative integer".into(),
                "i64" | "i32" => "an integer".into(),
                "f64" | "f32" => "a number".into(),
                "a boolean" => "true or false".into(),
                "a sequence" => "an array".into(),
                other if other.starts_with("struct ") => "a map".into(),
                other if other.starts_with("internally tagged enum ") => {
                    "a name, or a map of its name and its options, as #{name: \"...\"}".into()
                }
                "string or map" | "map with a single key" | "variant identifier" => "a name".into(),
                other => other.to_string(),
            },
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expected())
    }
}

impl std::error::Error for Problem {}

impl Error for Problem {
    fn custom<T: Display>(message: T) -> Self {
        Problem::Other(message.to_string())
    }

    fn invalid_type(_: Unexpected, expected: &dyn Expected) -> Self {
        Problem::Type(expected.to_string())
    }

    fn invalid_value(_: Unexpected, expected: &dyn Expected) -> Self {
        Problem::Type(expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Problem::Type(expected.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Problem::Other(format!("a map with the key {field}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Problem::UnknownVariant(expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Problem::UnknownField(field.to_string(), expected)
    }
}

/// JSON as a deserializer whose errors are [`Problem`]s.
#[derive(Clone, Copy)]
pub struct Json<'a>(pub &'a Value);

impl<'de> IntoDeserializer<'de, Problem> for Json<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => visitor.visit_u64(n),
                (_, Some(n)) => visitor.visit_i64(n),
                _ => visitor.visit_f64(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(s) => visitor.visit_borrowed_str(s),
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.iter().map(Json));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Value::Object(map) => {
                let mut entries = MapDeserializer::new(map.iter().map(|(key, value)| (key.as_str(), Json(value))));
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.0 {
            Value::String(s) => StrDeserializer::new(s).deserialize_enum(name, variants, visitor),
            // `{"variant": value}`, as serde_json reads it.
            Value::Object(map) if map.len() == 1 => {
                let entry = map.iter().map(|(key, value)| (key.as_str(), Json(value)));
                visitor.visit_enum(serde::de::value::MapAccessDeserializer::new(MapDeserializer::new(entry)))
            }
            Value::Object(_) => Err(Problem::Type("map with a single key".into())),
            _ => Err(Problem::Type("string or map".into())),
        }
    }

    // A number would be taken for the position of a variant.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Value::String(s) => visitor.visit_borrowed_str(s),
            _ => Err(Problem::Type("variant identifier".into())),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct ignored_any
    }
}
