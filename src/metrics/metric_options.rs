//! The options of an evaluation.

use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::conventions::{CONVENTIONS, Convention, Named};
use crate::error::{Error, Result};
use crate::labels::Unknown;

crate::options! {
    /// Which metrics [`evaluate`](super::evaluate) computes, and by which conventions.
    pub struct MetricOptions {
        /// scores from it on count as predicted, one equal to it too (with the convention "asl" only those above it, as in
        /// its authors' code): a number, or several for a row each; () is the convention's own
        pub threshold: Option<Thresholds> = None;
        /// so many highest scores of each image count as predicted in the second row; () leaves it out
        pub top_k: Option<usize> = Some(3);
        /// in the top-k row, drop those under the threshold too
        pub above_threshold: bool = false;
        /// "field", "ml-gcn", "cpsd", "asl", "srn" or "q2l": how a published table computes its numbers; or several,
        /// side by side
        pub convention: ConventionList = ConventionList(vec![Named(&CONVENTIONS[0])]);
        /// run the context probe: AP where a label's usual companions are absent
        pub context: bool = false;
        /// how many companions of a label the probe looks at
        pub companions: usize = 3;
        /// what a target of unknown truth (-1 or NaN) counts as: "negative", "positive", "masked" (left out of every
        /// metric) or "error"; under "positive" -1 counts as positive and NaN as negative; () is "error" for tensors, and
        /// "masked" for the unknown entries of a data set
        pub unknown: Option<Unknown> = None;
    }
}

impl MetricOptions {
    /// The thresholds to evaluate at; the first is the evaluation's own.
    pub(super) fn thresholds(&self) -> Result<Vec<f64>> {
        let thresholds = match &self.threshold {
            None => vec![self.convention.first().threshold],
            Some(Thresholds::One(t)) => vec![*t],
            Some(Thresholds::Many(ts)) if ts.is_empty() => {
                return Err(Error::argument("option threshold must have at least one number; got an empty array"));
            }
            Some(Thresholds::Many(ts)) => ts.clone(),
            Some(Thresholds::BestCf1) => {
                return Err(Error::argument(
                    "the threshold \"best_CF1\" is chosen on a validation split, and none is given here",
                )
                .about_name(BEST_CF1)
                .with_help("find it there first, then give it as a number"));
            }
        };
        for t in &thresholds {
            if !(0.0..=1.0).contains(t) {
                return Err(Error::argument(format!("option threshold must be a probability from 0 to 1; got {t}"))
                    .about_option("threshold"));
            }
        }
        Ok(thresholds)
    }

    /// Errors: a number out of range.
    pub(super) fn validate(&self) -> Result<()> {
        if self.top_k == Some(0) {
            return Err(Error::argument("option top_k must be at least 1; got 0").about_option("top_k"));
        }
        if self.context && self.companions == 0 {
            return Err(Error::argument("option companions must be at least 1; got 0").about_option("companions"));
        }
        Ok(())
    }
}

/// One threshold, several, or the one with the best CF1 on a validation split.
#[derive(Clone, Debug, PartialEq)]
pub enum Thresholds {
    One(f64),
    Many(Vec<f64>),
    BestCf1,
}

const BEST_CF1: &str = "best_CF1";

impl Serialize for Thresholds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Thresholds::One(t) => serializer.serialize_f64(*t),
            Thresholds::Many(ts) => ts.serialize(serializer),
            Thresholds::BestCf1 => serializer.serialize_str(BEST_CF1),
        }
    }
}

impl<'de> Deserialize<'de> for Thresholds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Thresholds;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number, an array of numbers or \"best_CF1\"")
            }

            fn visit_f64<E: de::Error>(self, t: f64) -> Result<Thresholds, E> {
                Ok(Thresholds::One(t))
            }

            fn visit_i64<E: de::Error>(self, t: i64) -> Result<Thresholds, E> {
                Ok(Thresholds::One(t as f64))
            }

            fn visit_u64<E: de::Error>(self, t: u64) -> Result<Thresholds, E> {
                Ok(Thresholds::One(t as f64))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Thresholds, E> {
                if name == BEST_CF1 {
                    Ok(Thresholds::BestCf1)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(name), &self))
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Thresholds, A::Error> {
                let mut thresholds = Vec::new();
                while let Some(t) = seq.next_element()? {
                    thresholds.push(t);
                }
                Ok(Thresholds::Many(thresholds))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// At least one convention; written as one name or an array of names.
#[derive(Clone, Debug, PartialEq)]
pub struct ConventionList(Vec<Named>);

impl ConventionList {
    /// By names. Errors: no name, an unknown one, a duplicate.
    pub fn new<N: AsRef<str>>(names: &[N]) -> Result<Self> {
        let list = names.iter().map(|n| Convention::named(n.as_ref()).map(Named)).collect::<Result<Vec<_>>>()?;
        if list.is_empty() {
            return Err(Error::argument("option convention must name at least one convention; got an empty array"));
        }
        if let Some(twice) = list.iter().enumerate().find(|(i, c)| list[..*i].contains(c)) {
            let name = twice.1.0.name;
            return Err(Error::argument(format!("option convention names \"{name}\" twice")).about_name(name));
        }
        Ok(ConventionList(list))
    }

    pub fn first(&self) -> &'static Convention {
        self.0.first().map_or(&CONVENTIONS[0], |c| c.0)
    }

    pub fn iter(&self) -> impl Iterator<Item = &'static Convention> + '_ {
        self.0.iter().map(|c| c.0)
    }
}

impl Serialize for ConventionList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ConventionList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ConventionList;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the name of a convention or an array of names")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ConventionList, E> {
                Ok(ConventionList(vec![Named::deserialize(de::value::StrDeserializer::new(name))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ConventionList, A::Error> {
                let mut names: Vec<Named> = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                let names: Vec<&str> = names.iter().map(|n| n.0.name).collect();
                ConventionList::new(&names).map_err(|e| de::Error::custom(e.message))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: serde_json::Value) -> Result<MetricOptions, String> {
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    #[test]
    fn one_or_many() {
        let options = parse(json!({ "threshold": 1, "convention": "asl" })).unwrap();
        assert_eq!(options.threshold, Some(Thresholds::One(1.0)));
        assert_eq!(options.convention.first().name, "asl");
        let options = parse(json!({ "threshold": [0.5, 0.8], "convention": ["field", "srn"] })).unwrap();
        assert_eq!(options.thresholds().unwrap(), vec![0.5, 0.8]);
        assert_eq!(options.convention.iter().count(), 2);
    }

    #[test]
    fn written_options_are_read_back() {
        for value in [
            json!({}),
            json!({ "threshold": "best_CF1", "top_k": null, "convention": ["field", "q2l"] }),
            json!({ "unknown": "masked" }),
        ] {
            let options = parse(value).unwrap();
            assert_eq!(parse(serde_json::to_value(&options).unwrap()).unwrap(), options);
        }
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        assert!(
            parse(json!({ "threshold": "high" }))
                .unwrap_err()
                .ends_with("expected a number, an array of numbers or \"best_CF1\"")
        );
        assert!(
            parse(json!({ "convention": "mlgcn" }))
                .unwrap_err()
                .starts_with("unknown variant `mlgcn`, expected one of `field`")
        );
        assert!(parse(json!({ "convention": [] })).unwrap_err().contains("at least one"));
        assert!(parse(json!({ "treshold": 0.5 })).unwrap_err().starts_with("unknown field `treshold`"));
        assert!(
            parse(json!({ "threshold": 50 }))
                .unwrap()
                .thresholds()
                .unwrap_err()
                .message
                .contains("from 0 to 1; got 50")
        );
    }
}
