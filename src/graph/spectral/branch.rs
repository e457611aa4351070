//! `Branch`: the two ways to group labels, by co-occurrence or by dis-occurrence.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Which labels belong in one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Branch {
    /// Co-occurrence: labels that appear together (the paper's P+).
    Co,
    /// Dis-occurrence: labels that do not appear together (the paper's P-).
    Dis,
}

impl Branch {
    /// The name in scripts: `"co"` or `"dis"`.
    pub fn name(self) -> &'static str {
        match self {
            Branch::Co => "co",
            Branch::Dis => "dis",
        }
    }

    /// The name in a sentence: "co-occurrence" or "dis-occurrence".
    pub fn long_name(self) -> &'static str {
        match self {
            Branch::Co => "co-occurrence",
            Branch::Dis => "dis-occurrence",
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Branch {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "co" => Ok(Branch::Co),
            "dis" => Ok(Branch::Dis),
            _ => Err(Error::unknown("branch", word, ["co", "dis"])),
        }
    }
}
