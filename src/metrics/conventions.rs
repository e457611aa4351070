//! Named conventions for turning scores into the numbers of a table, since published tables mix them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How one group of published works computes its tables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convention {
    pub name: &'static str,
    pub summary: &'static str,
    /// A probability.
    pub threshold: f64,
    /// Whether a score must be above the threshold; otherwise a score equal to it passes too.
    pub strict: bool,
    /// AP by VOC 2012 interpolation in place of the plain sum.
    pub voc_ap: bool,
    /// CF1 is the mean of the labels' own F1 in place of the harmonic mean of CP and CR.
    pub mean_f1: bool,
    /// Of the top k, only scores that pass the threshold count.
    pub top_above_threshold: bool,
    /// A label that is predicted in no image counts as one wrong prediction, in OP and OF1 (`Np[Np == 0] = 1` in the code).
    pub never_is_one: bool,
}

const FIELD: Convention = Convention {
    name: "field",
    summary: "plain AP, CF1 of CP and CR, threshold 0.5",
    threshold: 0.5,
    strict: false,
    voc_ap: false,
    mean_f1: false,
    top_above_threshold: false,
    never_is_one: false,
};

/// All conventions; the first is the default.
pub const CONVENTIONS: &[Convention] = &[
    FIELD,
    Convention {
        name: "ml-gcn",
        summary: "as field; threshold at logit 0, which the top k must pass too; a label that is never predicted counts as one prediction",
        top_above_threshold: true,
        never_is_one: true,
        ..FIELD
    },
    Convention {
        name: "cpsd",
        summary: "as ml-gcn with threshold 0.8 (the authors' validation script)",
        threshold: 0.8,
        top_above_threshold: true,
        never_is_one: true,
        ..FIELD
    },
    Convention {
        name: "asl",
        summary: "CF1 is the mean of the labels' F1, threshold 0.8",
        threshold: 0.8,
        strict: true,
        mean_f1: true,
        ..FIELD
    },
    Convention {
        name: "srn",
        summary: "AP by VOC 2012 interpolation, CF1 is the mean of the labels' F1, threshold 0.5",
        voc_ap: true,
        mean_f1: true,
        ..FIELD
    },
    Convention {
        name: "q2l",
        summary: "AP by VOC 2012 interpolation, CF1 of CP and CR, threshold 0.5",
        voc_ap: true,
        ..FIELD
    },
];

impl Convention {
    /// By name. Errors name the nearest one.
    pub fn named(name: &str) -> Result<&'static Convention> {
        CONVENTIONS
            .iter()
            .find(|c| c.name == name)
            .ok_or_else(|| Error::unknown("convention", name, CONVENTIONS.iter().map(|c| c.name)))
    }
}

/// A convention that is serialised as its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Named(pub &'static Convention);

impl Serialize for Named {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        const NAMES: &[&str] = &["field", "ml-gcn", "cpsd", "asl", "srn", "q2l"];
        let name = String::deserialize(deserializer)?;
        Convention::named(&name).map(Named).map_err(|_| D::Error::unknown_variant(&name, NAMES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_mistakes_corrected() {
        for convention in CONVENTIONS {
            assert_eq!(Convention::named(convention.name).unwrap(), convention);
            let json = format!("\"{}\"", convention.name);
            assert_eq!(serde_json::from_str::<Named>(&json).unwrap().0, convention);
        }
        assert_eq!(Convention::named("mlgcn").unwrap_err().help.as_deref(), Some("did you mean \"ml-gcn\"?"));
        let error = serde_json::from_str::<Named>("\"x\"").unwrap_err().to_string();
        assert!(CONVENTIONS.iter().all(|c| error.contains(&format!("`{}`", c.name))), "{error}");
    }
}
