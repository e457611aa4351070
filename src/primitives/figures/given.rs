//! What figures of any data take: numbers, samples with names, an item per point.

use std::fmt;

use rhai::{Array, Dynamic};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::memory;
use crate::plots::Sample;
use crate::primitives::values::table::TableValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::{Call, Number, Parameter};
use crate::script::{options, show};
use crate::tables::Cell;
use crate::torch;

/// Numbers of an array, a range or a tensor of any shape; `()` and empty cells are NaN. `what` names them in errors.
pub fn numbers(value: &Dynamic, call: &Call, what: &str) -> Result<Vec<f64>> {
    if let Some(tensor) = value.read_lock::<TensorValue>() {
        memory::check(what, (tensor.0.numel() as u64).saturating_mul(24))?;
        return torch::to_vec_f64(&tensor.0);
    }
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        let length = range.end.saturating_sub(range.start).max(0);
        memory::check(what, (length as u64).saturating_mul(24))?;
        return Ok(range.clone().map(|i| i as f64).collect());
    }
    let Ok(array) = value.as_array_ref() else {
        let came = show::a_type(value);
        return Err(Error::argument(format!(
            "{}: {what} must be an array of numbers or a Tensor; got {came}",
            call.name
        )));
    };
    let number = |item: &Dynamic| match Number::of(item) {
        Some(number) => Ok(number),
        None if item.is_unit() => Ok(f64::NAN),
        None => Err(Error::argument(format!(
            "{}: {what} must be an array of numbers or a Tensor; got {} in it",
            call.name,
            show::a_type(item)
        ))),
    };
    array.iter().map(number).collect()
}

/// The numbers of a column.
///
/// Errors: no such column, a column of texts.
pub fn column(table: &TableValue, name: &str, call: &Call) -> Result<Vec<f64>> {
    let number = |cell| match cell {
        Cell::Int(i) => Ok(i as f64),
        Cell::Float(x) => Ok(x),
        Cell::Bool(b) => Ok(f64::from(u8::from(b))),
        Cell::Null => Ok(f64::NAN),
        Cell::Text(text) => {
            Err(Error::argument(format!("{}: column \"{name}\" must have numbers; got \"{text}\" in it", call.name))
                .about_name(name))
        }
    };
    table.0.column(name)?.into_iter().map(number).collect()
}

/// The cells of a column as texts.
pub fn texts(table: &TableValue, name: &str) -> Result<Vec<String>> {
    Ok(table
        .0
        .column(name)?
        .into_iter()
        .map(|cell| if cell == Cell::Null { "–".into() } else { cell.to_string() })
        .collect())
}

/// One column's name, or an array of them.
pub struct ColumnList(pub Vec<String>);

impl Parameter for ColumnList {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let wrong = || {
            let came = show::a_type(&value);
            Error::argument(format!("{}: the columns must be a name or an array of names; got {came}", call.name))
        };
        if let Ok(name) = value.as_immutable_string_ref() {
            return Ok(ColumnList(vec![name.to_string()]));
        }
        let array = value.as_array_ref().map_err(|_| wrong())?;
        let name = |item: &Dynamic| item.as_immutable_string_ref().ok().map(|s| s.to_string());
        array.iter().map(name).collect::<Option<_>>().map(ColumnList).ok_or_else(wrong)
    }
}

/// Samples with names: of one array or tensor, of an array of `#{name, values}`, of a map of names to values, or of an
/// array of arrays, which are numbered.
pub struct Samples(pub Vec<Sample>);

impl Parameter for Samples {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        if let Ok(map) = value.as_map_ref() {
            let sample = |(name, values): (&rhai::Identifier, &Dynamic)| {
                let values = numbers(values, call, &format!("the values of \"{name}\""))?;
                Ok(Sample { name: name.to_string(), values })
            };
            return map.iter().map(sample).collect::<Result<_>>().map(Samples);
        }
        if let Ok(array) = value.as_array_ref()
            && let Some(first) = array.first()
        {
            if first.is_map() {
                let sample = |item: &Dynamic| {
                    let (name, [values]) = named(item, call, ["values"])?;
                    let values = values.ok_or_else(|| missing(call, "values"))?;
                    let values = numbers(&values, call, &format!("the values of \"{name}\""))?;
                    Ok(Sample { name, values })
                };
                return array.iter().map(sample).collect::<Result<_>>().map(Samples);
            }
            if first.is_array() || first.is::<TensorValue>() {
                let sample = |(i, item): (usize, &Dynamic)| {
                    let name = (i + 1).to_string();
                    let values = numbers(item, call, &format!("the values of array {name}"))?;
                    Ok(Sample { name, values })
                };
                return array.iter().enumerate().map(sample).collect::<Result<_>>().map(Samples);
            }
        }
        Ok(Samples(vec![Sample { name: String::new(), values: numbers(&value, call, "the values")? }]))
    }
}

/// The error of a series that lacks `key`.
pub fn missing(call: &Call, key: &str) -> Error {
    Error::argument(format!("{}: a series has no \"{key}\"", call.name))
}

/// The name of a series, and what it has under `keys`.
pub fn named<const N: usize>(item: &Dynamic, call: &Call, keys: [&str; N]) -> Result<(String, [Option<Dynamic>; N])> {
    let Ok(map) = item.as_map_ref() else {
        let all = ["name"].iter().chain(&keys).copied().collect::<Vec<_>>().join(", ");
        let came = show::a_type(item);
        return Err(Error::argument(format!("{}: a series must be a map #{{{all}}}; got {came}", call.name)));
    };
    let known: Vec<&str> = ["name"].into_iter().chain(keys).collect();
    if let Some(bad) = map.keys().find(|k| !known.contains(&k.as_str())) {
        return Err(options::unknown_option(&format!("a series of {}", call.name), bad, known));
    }
    let name = map.get("name").map_or(String::new(), show::plain);
    Ok((name, keys.map(|key| map.get(key).filter(|value| !value.is_unit()).cloned())))
}

/// The items of an array as texts.
pub fn shown(array: &Array) -> Vec<String> {
    array.iter().map(show::plain).collect()
}

/// An option with an item per point: an array, or the name of a column where the data is a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Given {
    #[default]
    Nothing,
    Column(String),
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

impl Given {
    /// The numbers of option `key`.
    ///
    /// Errors: a column without a table, texts.
    pub fn numbers(&self, table: Option<&TableValue>, call: &Call, key: &str) -> Result<Option<Vec<f64>>> {
        match (self, table) {
            (Given::Nothing, _) => Ok(None),
            (Given::Numbers(numbers), _) => Ok(Some(numbers.clone())),
            (Given::Column(name), Some(table)) => column(table, name, call).map(Some),
            (Given::Column(_), None) => Err(no_table(call, key)),
            (Given::Texts(_), _) => {
                let error = format!("option \"{key}\" of {} must be an array of numbers; got strings in it", call.name);
                Err(Error::argument(error).about_option(key))
            }
        }
    }

    /// The texts of option `key`; numbers are written as such.
    ///
    /// Errors: a column without a table.
    pub fn texts(&self, table: Option<&TableValue>, call: &Call, key: &str) -> Result<Option<Vec<String>>> {
        match (self, table) {
            (Given::Nothing, _) => Ok(None),
            (Given::Texts(texts), _) => Ok(Some(texts.clone())),
            (Given::Numbers(numbers), _) => Ok(Some(numbers.iter().map(|n| format!("{n}")).collect())),
            (Given::Column(name), Some(table)) => texts(table, name).map(Some),
            (Given::Column(_), None) => Err(no_table(call, key)),
        }
    }
}

fn no_table(call: &Call, key: &str) -> Error {
    let error = format!("option \"{key}\" of {} names a column, but the data is no Table; give an array", call.name);
    Error::argument(error).about_option(key)
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Given::Nothing => to.serialize_none(),
            Given::Column(name) => to.serialize_str(name),
            Given::Numbers(numbers) => numbers.serialize(to),
            Given::Texts(texts) => texts.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array with an item per point, all numbers or all strings, or the name of a column")
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_none<E: de::Error>(self) -> std::result::Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Given, E> {
        Ok(Given::Column(name.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Given, A::Error> {
        let mut items: Vec<serde_json::Value> = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        if !items.is_empty() && items.iter().all(|item| item.is_string()) {
            let texts = items.iter().filter_map(|item| item.as_str().map(str::to_string));
            return Ok(Given::Texts(texts.collect()));
        }
        // An empty item is NaN.
        let number = |item: &serde_json::Value| if item.is_null() { Some(f64::NAN) } else { item.as_f64() };
        let numbers = items.iter().map(number).collect::<Option<Vec<f64>>>();
        numbers.map(Given::Numbers).ok_or_else(|| de::Error::invalid_type(de::Unexpected::Seq, &self))
    }
}
