//! Scores and targets that have been checked.

use rayon::prelude::*;

use crate::error::{Error, Result};

/// N × m scores and targets, row-major: finite scores, targets of 0 and 1.
pub(super) struct Input<'a> {
    pub scores: &'a [f32],
    pub targets: &'a [f32],
    pub n: usize,
    pub m: usize,
    /// Whether every score lies in [0, 1].
    pub probabilities: bool,
}

/// Elements to check in one go: a few hundred microseconds of work.
const CHUNK: usize = 1 << 16;

impl<'a> Input<'a> {
    pub fn checked(scores: &'a [f32], targets: &'a [f32], labels: &[String]) -> Result<Self> {
        let m = labels.len();
        if m == 0 {
            return Err(Error::argument("metrics need at least one label; got none"));
        }
        if scores.len() != targets.len() {
            return Err(Error::argument(format!(
                "scores and targets must have one shape; got {} and {}", shape(scores.len(), m), shape(targets.len(), m)
            )));
        }
        if scores.is_empty() {
            return Err(Error::argument("metrics need at least one image; got none"));
        }
        if !scores.len().is_multiple_of(m) {
            return Err(Error::argument(format!(
                "scores and targets must be images × {m} labels; got {} values, which {m} does not divide", scores.len()
            )));
        }
        let probabilities = check(scores, targets, labels)?;
        Ok(Input { scores, targets, n: scores.len() / m, m, probabilities })
    }

    /// For callers that cannot return an error: None where sizes disagree or a score is not a number.
    pub fn unnamed(scores: &'a [f32], targets: &'a [f32], m: usize) -> Option<Self> {
        if m == 0 || scores.is_empty() || scores.len() != targets.len() || !scores.len().is_multiple_of(m) {
            return None;
        }
        let probabilities = check(scores, targets, &[]).ok()?;
        Some(Input { scores, targets, n: scores.len() / m, m, probabilities })
    }
}

fn shape(len: usize, m: usize) -> String {
    if len.is_multiple_of(m) { format!("[{}, {m}]", len / m) } else { format!("{len} values") }
}

/// Whether all scores lie in [0, 1]; an error for the first value that cannot be used.
fn check(scores: &[f32], targets: &[f32], labels: &[String]) -> Result<bool> {
    let sound = |s: &[f32], t: &[f32]| {
        s.iter().all(|x| x.is_finite()) & t.iter().zip(s).fold(true, |ok, (&t, _)| ok & ((t == 0.0) | (t == 1.0)))
    };
    let bad_chunk = scores
        .par_chunks(CHUNK)
        .zip(targets.par_chunks(CHUNK))
        .enumerate()
        .find_map_first(|(i, (s, t))| (!sound(s, t)).then_some(i));
    let Some(chunk) = bad_chunk else {
        return Ok(scores.par_chunks(CHUNK).all(|s| s.iter().fold(true, |ok, &x| ok & ((0.0..=1.0).contains(&x)))));
    };
    for at in chunk * CHUNK..scores.len() {
        let (score, target) = (scores[at], targets[at]);
        let place = || match labels.len() {
            0 => format!("position {at}"),
            m => format!("image row {} and label \"{}\"", at / m, labels[at % m]),
        };
        if !score.is_finite() {
            return Err(Error::data(format!("scores must be finite numbers; got {score} at {}", place())));
        }
        if target != 0.0 && target != 1.0 {
            return Err(Error::data(format!("targets must be 0 or 1; got {target} at {}", place())));
        }
    }
    Err(Error::internal("metrics: a value was refused that stands nowhere"))
}
