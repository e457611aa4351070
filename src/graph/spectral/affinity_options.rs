//! Options of an affinity, and the exponent that they give.

use serde::{Deserialize, Serialize};

use super::branch::Branch;
use crate::error::{Error, Result};
use crate::options;

/// The matrix that P+ is subtracted from in the dis-occurrence affinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Complement {
    /// Element-wise 1 - P+, as in the authors' code.
    #[default]
    Ones,
    /// The paper's I - P+, literally: affinities are negative, which only very sparse graphs permit.
    Identity,
}

/// A named set of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The options of the authors, found from their published partitions.
    Authors,
}

options! {
    /// Options of [`Affinity::new`](super::Affinity::new).
    pub struct AffinityOptions {
        /// the exponent p
        pub power: f64 = PAPER_POWER;
        /// "ones": 1 - P+, as the authors ran it; "identity": I - P+, as printed
        pub complement: Complement = Complement::Ones;
        /// "authors": p = 1/2 on "co" and 1/3 on "dis"
        pub preset: Option<Preset> = None;
    }
}

/// The paper's square root.
const PAPER_POWER: f64 = 0.5;

/// The exponent p in S^p. Errors: not a positive number, or given together with a preset that sets another.
pub fn power(branch: Branch, options: &AffinityOptions) -> Result<f64> {
    let Some(Preset::Authors) = options.preset else {
        if !(options.power.is_finite() && options.power > 0.0) {
            return Err(Error::argument(format!(
                "The power option of affinity must be a number above 0. Got {} instead.",
                options.power
            ))
            .about_option("power"));
        }
        return Ok(options.power);
    };
    let preset = match branch {
        Branch::Co => PAPER_POWER,
        Branch::Dis => 1.0 / 3.0,
    };
    if options.power != PAPER_POWER && options.power != preset {
        return Err(Error::argument(format!(
            "The power option of affinity must not be given beside preset \"authors\", which sets it to {preset:.4}. \
             Got {} instead.",
            options.power
        ))
        .about_option("power"));
    }
    Ok(preset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_refuse_what_they_do_not_know() {
        assert!(serde_json::from_str::<AffinityOptions>(r#"{"powr": 1}"#).is_err());
        let options: AffinityOptions = serde_json::from_str(r#"{"preset": "authors", "complement": "ones"}"#).unwrap();
        assert_eq!(options.preset, Some(Preset::Authors));
    }
}
