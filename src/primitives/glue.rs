//! What the words share: reading arguments that Rhai leaves loosely typed.

use rhai::{Array, Dynamic, Map};

use super::values::ensemble::EnsembleValue;
use super::values::model::ModelValue;
use crate::error::{Error, Result};
use crate::graph::{Affinity, Cooccurrence, Partition};
use crate::images::Dataset;
use crate::labels::LabelTable;
use crate::runs::RunStore;
use crate::script::host::Host;
use crate::script::{options, show};
use crate::training::options::SelectOn;
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

/// Label names, from an array of them or from any value that has labels.
pub fn labels_of(word: &str, value: &Dynamic) -> Result<Vec<String>> {
    if let Ok(array) = value.as_array_ref() {
        return names(word, "the labels", &array);
    }
    if let Some(table) = value.clone().try_cast::<LabelTable>() {
        return Ok(table.labels().to_vec());
    }
    if let Some(dataset) = value.clone().try_cast::<Dataset>() {
        return Ok(dataset.labels.labels().to_vec());
    }
    if let Some(counts) = value.clone().try_cast::<Cooccurrence>() {
        return Ok(counts.labels().to_vec());
    }
    if let Some(affinity) = value.clone().try_cast::<Affinity>() {
        return Ok(affinity.labels().to_vec());
    }
    if let Some(partition) = value.clone().try_cast::<Partition>() {
        return Ok(partition.labels().to_vec());
    }
    Err(Error::argument(format!(
        "{word}: the labels must be an array of names, or a LabelTable, Dataset, Cooccurrence, Affinity or Partition; got {}",
        show::a_type(value)
    )))
}

/// A map of names to names, in the order of the keys.
pub fn renames(word: &str, map: &Map) -> Result<Vec<(String, String)>> {
    map.iter()
        .map(|(old, new)| match new.as_immutable_string_ref() {
            Ok(new) => Ok((old.to_string(), new.to_string())),
            Err(_) => Err(Error::argument(format!(
                "{word}: the new name of \"{old}\" must be a string; got {}",
                show::a_type(new)
            ))),
        })
        .collect()
}

/// A count: an integer from 0.
pub fn count(word: &str, what: &str, n: i64) -> Result<usize> {
    usize::try_from(n).map_err(|_| Error::argument(format!("{word}: {what} must be an integer from 0; got {n}")))
}

/// The seed of an options map that has no other key.
pub fn only_seed(word: &str, map: &Map) -> Result<u64> {
    options::parse::<OnlySeed>(word, map).map(|options| options.seed)
}

/// Options of words that draw by chance and take nothing else.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnlySeed {
    pub seed: u64,
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

/// The training and validation splits that a training word was given: a map of splits, or one data set.
pub fn splits(word: &str, value: &Dynamic, select_on: SelectOn) -> Result<(Dataset, Option<Dataset>)> {
    if let Some(dataset) = value.clone().try_cast::<Dataset>() {
        if select_on == SelectOn::Test {
            return Err(Error::argument(format!(
                "{word}: to select on \"test\" the data must be a map of splits; got a Dataset"
            )));
        }
        return Ok((dataset, None));
    }
    let Ok(map) = value.as_map_ref() else {
        return Err(Error::argument(format!(
            "{word}: the data must be a Dataset or a map of splits as dataset(...) gives; got {}",
            show::a_type(value)
        )));
    };
    let train = split(word, &map, "train")?;
    if select_on == SelectOn::Test {
        return Ok((train, Some(split(word, &map, "test")?)));
    }
    let val = if map.contains_key("val") { Some(split(word, &map, "val")?) } else { None };
    Ok((train, val))
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

/// In the options of a training, `model: "resnet18"` and `loss: "bce"` stand for the whole map.
pub fn expand_names(options: &mut Map) {
    for (key, inner) in [("model", "backbone"), ("loss", "name"), ("distillation", "name")] {
        if let Some(value) = options.get_mut(key)
            && value.is_string()
        {
            let map: Map = [(inner.into(), value.clone())].into_iter().collect();
            *value = map.into();
        }
    }
}

/// `k` as the core takes it.
pub fn task_count(word: &str, k: i64, m: usize) -> Result<usize> {
    usize::try_from(k).ok().filter(|k| (1..=m).contains(k)).ok_or_else(|| {
        Error::argument(format!("The k parameter of {word} must be an integer from 1 to {m}. Got {k} instead."))
    })
}
