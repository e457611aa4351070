//! Parameters that several words have, beyond the kinds themselves and options.

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::training::rules::Rules;
use super::values::ensemble::EnsembleValue;
use super::values::model::ModelValue;
use crate::error::{Error, Result};
use crate::graph::{Affinity, Cooccurrence, Partition};
use crate::images::Dataset;
use crate::labels::LabelTable;
use crate::script::call::{Call, Number, Parameter, path_of};
use crate::script::errors::Fallible;
use crate::script::show;
use crate::training::options::SelectOn;
use crate::training::predict::{Predictions, Predictor, predict_with};

/// An array whose items are all of one kind. `plural` names them in errors.
fn items<T>(
    array: &Array,
    call: &Call,
    what: &str,
    plural: &str,
    of: impl Fn(&Dynamic) -> Option<T>,
) -> Result<Vec<T>> {
    let item = |item: &Dynamic| {
        of(item).ok_or_else(|| {
            let came = show::a_type(item);
            Error::argument(format!("{}: {what} must be an array of {plural}; got {came} in it", call.name))
        })
    };
    array.iter().map(item).collect()
}

/// An array of strings; `what` names it in errors.
pub fn strings(array: &Array, call: &Call, what: &str) -> Result<Vec<String>> {
    items(array, call, what, "strings", |item| item.as_immutable_string_ref().ok().map(|s| s.to_string()))
}

/// An array of numbers; `what` names it in errors.
pub fn numbers(array: &Array, call: &Call, what: &str) -> Result<Vec<f64>> {
    items(array, call, what, "numbers", Number::of)
}

/// A value of one kind; `what` and `expected` are for errors.
pub fn expect<T: Clone + 'static>(value: &Dynamic, call: &Call, what: &str, expected: &str) -> Result<T> {
    value.clone().try_cast::<T>().ok_or_else(|| {
        Error::argument(format!("{}: {what} must be {expected}; got {}", call.name, show::a_type(value)))
    })
}

/// Makes a parameter of an array of strings, with its name in errors.
macro_rules! array_of_strings {
    ($($(#[$doc:meta])* $name:ident $what:literal;)*) => {$(
        $(#[$doc])*
        pub struct $name(pub Vec<String>);

        impl Parameter for $name {
            type Value = Array;

            fn read(value: Dynamic, call: &Call) -> Result<Self> {
                strings(&value.cast(), call, $what).map($name)
            }
        }
    )*};
}

array_of_strings! {
    /// Label names.
    Names "the labels";
    /// Column names.
    Columns "the columns";
    /// Names of devices.
    DeviceNames "the names";
}

/// Paths of files.
pub struct Paths(pub Vec<String>);

impl Parameter for Paths {
    type Value = Array;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let paths = strings(&value.cast(), call, "the paths")?;
        paths.iter().try_for_each(|path| path_of(path, call).map(drop))?;
        Ok(Paths(paths))
    }
}

/// The options that several trainings have in common, still as a map; empty where the call has none. Each training adds its own before they
/// are read.
#[derive(Default)]
pub struct CommonOptions(pub Map);

impl Parameter for CommonOptions {
    type Value = Map;
    const OPTIONAL: bool = true;

    fn read(value: Dynamic, _: &Call) -> Result<Self> {
        Ok(CommonOptions(value.cast()))
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(CommonOptions::default())
    }
}

/// Label names, or any value that has labels.
pub struct LabelsOf(pub Vec<String>);

impl Parameter for LabelsOf {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        if let Ok(array) = value.as_array_ref() {
            return strings(&array, call, "the labels").map(LabelsOf);
        }
        let labels = None
            .or_else(|| value.read_lock::<LabelTable>().map(|v| v.labels().to_vec()))
            .or_else(|| value.read_lock::<Dataset>().map(|v| v.labels.labels().to_vec()))
            .or_else(|| value.read_lock::<Cooccurrence>().map(|v| v.labels().to_vec()))
            .or_else(|| value.read_lock::<Affinity>().map(|v| v.labels().to_vec()))
            .or_else(|| value.read_lock::<Partition>().map(|v| v.labels().to_vec()));
        labels.map(LabelsOf).ok_or_else(|| {
            Error::argument(format!(
                "{}: the labels must be an array of names, or a LabelTable, Dataset, Cooccurrence, Affinity or Partition; got {}",
                call.name,
                show::a_type(&value)
            ))
        })
    }
}

/// A map of names to names, in the order of the keys.
pub struct Renames(pub Vec<(String, String)>);

impl Parameter for Renames {
    type Value = Map;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let rename = |(old, new): (&rhai::Identifier, &Dynamic)| match new.as_immutable_string_ref() {
            Ok(new) => Ok((old.to_string(), new.to_string())),
            Err(_) => Err(Error::argument(format!(
                "{}: the new name of \"{old}\" must be a string; got {}",
                call.name,
                show::a_type(new)
            ))
            .about_name(old.as_str())),
        };
        value.cast::<Map>().iter().map(rename).collect::<Result<_>>().map(Renames)
    }
}

/// A data set for training: a map of splits as `dataset(...)` gives, or one `Dataset`.
pub enum Data {
    One(Dataset),
    Splits(Map),
}

impl Parameter for Data {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        if value.is::<Dataset>() {
            return Ok(Data::One(value.cast()));
        }
        if value.is_map() {
            return Ok(Data::Splits(value.cast()));
        }
        Err(Error::argument(format!(
            "{}: the data must be a Dataset or a map of splits as dataset(...) gives; got {}",
            call.name,
            show::a_type(&value)
        )))
    }
}

impl Data {
    /// The training split, and the split that selects among epochs where there is one.
    ///
    /// Errors: a split that is not there; `select_on` is test and there are no splits.
    pub fn splits(&self, call: &Call, select_on: SelectOn) -> Result<(Dataset, Option<Dataset>)> {
        match self {
            Data::One(_) if select_on == SelectOn::Test => Err(Error::argument(format!(
                "{}: to select on \"test\" the data must be a map of splits; got a Dataset",
                call.name
            ))),
            Data::One(dataset) => Ok((dataset.clone(), None)),
            Data::Splits(map) => {
                let train = split(map, call, "train")?;
                let selecting = match select_on {
                    SelectOn::Test => Some("test"),
                    SelectOn::Val => map.contains_key("val").then_some("val"),
                };
                Ok((train, selecting.map(|name| split(map, call, name)).transpose()?))
            }
        }
    }
}

/// One split of a map of them.
pub fn split(map: &Map, call: &Call, name: &str) -> Result<Dataset> {
    let value = map.get(name).ok_or_else(|| {
        let mut error = Error::unknown("split", name, map.keys().map(|k| k.as_str()));
        error.message = format!("{}: the data has no split \"{name}\"", call.name);
        error
    })?;
    expect(value, call, &format!("split \"{name}\""), "a Dataset")
}

/// A model or an ensemble, with the closure of an ensemble's rule.
pub struct Predicting {
    pub predictor: Predictor,
    rules: Rules,
}

impl Parameter for Predicting {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        Ok(Predicting {
            predictor: predictor(&value, call)?,
            rules: Rules::of(value.read_lock::<EnsembleValue>().as_deref()),
        })
    }
}

impl Predicting {
    /// Its predictions. Other threads of the session run meanwhile.
    pub fn predict(&self, call: &Call, dataset: &Dataset) -> Fallible<Predictions> {
        let store = call.store();
        self.rules.during(call, |rule| predict_with(&store, &self.predictor, dataset, rule))
    }
}

/// A model or an ensemble.
pub fn predictor(value: &Dynamic, call: &Call) -> Result<Predictor> {
    if let Some(model) = value.clone().try_cast::<ModelValue>() {
        return Ok(Predictor::Model(model.0));
    }
    if let Some(ensemble) = value.clone().try_cast::<EnsembleValue>() {
        return Ok(Predictor::Ensemble(ensemble.0));
    }
    let error =
        Error::argument(format!("{} takes a Model or an Ensemble first; got {}", call.name, show::a_type(value)));
    Err(match value.is_array() {
        true => error.with_help("merge(models, #{rule: \"mean\"}) makes one Ensemble of an array of Models"),
        false => error,
    })
}

/// The number of tasks of a partition.
pub struct TaskCount(i64);

impl Parameter for TaskCount {
    type Value = i64;

    fn read(value: Dynamic, _: &Call) -> Result<Self> {
        Ok(TaskCount(value.cast()))
    }
}

impl TaskCount {
    /// The number, if `m` labels can be divided into so many tasks.
    pub fn of(self, m: usize, call: &Call) -> Result<usize> {
        usize::try_from(self.0).ok().filter(|k| (1..=m).contains(k)).ok_or_else(|| {
            Error::argument(format!(
                "The k parameter of {} must be an integer from 1 to {m}. Got {} instead.",
                call.name, self.0
            ))
        })
    }
}

/// A branch of the label graph by its name.
impl Parameter for crate::graph::Branch {
    type Value = ImmutableString;

    fn read(value: Dynamic, _: &Call) -> Result<Self> {
        value.cast::<ImmutableString>().parse()
    }
}

crate::options! {
    /// Options of functions that draw random numbers and take nothing else.
    pub struct OnlySeed {
        /// decides the draw
        pub seed: u64 = 0;
    }
}
