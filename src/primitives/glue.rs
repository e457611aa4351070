//! What the words share: reading arguments that Rhai leaves loosely typed.

use rhai::{Array, Dynamic, Map};

use super::values::ensemble::EnsembleValue;
use super::values::model::ModelValue;
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::runs::RunStore;
use crate::script::host::Host;
use crate::script::show;
use crate::training::predict::Predictor;

/// An array of names.
pub fn names(word: &str, what: &str, array: &Array) -> Result<Vec<String>> {
    array
        .iter()
        .map(|item| {
            item.as_immutable_string_ref().map(|s| s.to_string()).map_err(|_| {
                Error::argument(format!("{word}: {what} must be an array of strings; got {} in it", show::a_type(item)))
            })
        })
        .collect()
}

/// A number; an integer is one.
pub fn number(word: &str, what: &str, value: &Dynamic) -> Result<f64> {
    value
        .as_float()
        .or_else(|_| value.as_int().map(|i| i as f64))
        .map_err(|_| Error::argument(format!("{word}: {what} must be a number; got {}", show::a_type(value))))
}

/// An array of numbers.
pub fn numbers(word: &str, what: &str, array: &Array) -> Result<Vec<f64>> {
    array
        .iter()
        .map(|item| {
            item.as_float().or_else(|_| item.as_int().map(|i| i as f64)).map_err(|_| {
                Error::argument(format!("{word}: {what} must be an array of numbers; got {} in it", show::a_type(item)))
            })
        })
        .collect()
}

/// A value of one kind, or an error that says what came.
pub fn expect<T: Clone + 'static>(word: &str, what: &str, expected: &str, value: &Dynamic) -> Result<T> {
    value
        .clone()
        .try_cast::<T>()
        .ok_or_else(|| Error::argument(format!("{word}: {what} must be {expected}; got {}", show::a_type(value))))
}

/// One split of a map of them.
pub fn split(word: &str, map: &Map, name: &str) -> Result<Dataset> {
    let value = map.get(name).ok_or_else(|| {
        let mut error = Error::unknown("split", name, map.keys().map(|k| k.as_str()));
        error.message = format!("{word}: the data has no split \"{name}\"");
        error
    })?;
    expect(word, &format!("split \"{name}\""), "a Dataset", value)
}

/// A model or an ensemble.
pub fn predictor(word: &str, value: &Dynamic) -> Result<Predictor> {
    if let Some(model) = value.clone().try_cast::<ModelValue>() {
        return Ok(Predictor::Model(model.0));
    }
    if let Some(ensemble) = value.clone().try_cast::<EnsembleValue>() {
        return Ok(Predictor::Ensemble(ensemble.0));
    }
    Err(Error::argument(format!("{word} takes a Model or an Ensemble first; got {}", show::a_type(value))))
}

/// The session's run store.
pub fn store(host: &Host) -> RunStore {
    RunStore::new(host.runs.borrow().clone())
}

/// `k` as the core takes it.
pub fn task_count(word: &str, k: i64, m: usize) -> Result<usize> {
    usize::try_from(k).ok().filter(|k| (1..=m).contains(k)).ok_or_else(|| {
        Error::argument(format!("The k parameter of {word} must be an integer from 1 to {m}. Got {k} instead."))
    })
}
