//! The checks of every figure's input.

use super::{text, theme};
use crate::error::{Error, Result};

/// A width or height in px, 120 to 8000, or `default` if none is given.
pub fn size(figure: &str, name: &str, given: Option<f64>, default: f64) -> Result<f64> {
    match given {
        None => Ok(default),
        Some(px) if (120.0..=8000.0).contains(&px) => Ok(px),
        Some(px) => Err(Error::argument(format!("the {name} of {figure} must be from 120 to 8000 px; got {px}"))),
    }
}

/// Checks that `count` is `expected`: `length("heatmap", "row labels", 3, 4, "one a row")`.
pub fn length(figure: &str, what: &str, count: usize, expected: usize, why: &str) -> Result<()> {
    if count == expected {
        return Ok(());
    }
    Err(Error::argument(format!("{figure} needs {expected} {what} ({why}); got {count}")))
}

/// Checks that there are from 1 to `most` of `what`.
pub fn count(figure: &str, what: &str, count: usize, most: usize) -> Result<()> {
    match count {
        0 => Err(Error::argument(format!("{figure} needs at least one {what}; got none"))),
        c if c > most => Err(Error::argument(format!("{figure} takes at most {most} of {what}; got {c}"))),
        _ => Ok(()),
    }
}

/// The lowest and highest finite value.
pub fn range(figure: &str, what: &str, values: impl IntoIterator<Item = f64>) -> Result<(f64, f64)> {
    let (lo, hi) = values
        .into_iter()
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return Err(Error::argument(format!("{figure} needs a finite number among its {what}; there is none")));
    }
    // Differences of larger numbers overflow.
    if let Some(v) = [lo, hi].into_iter().find(|v| v.abs() > 1e300) {
        return Err(Error::argument(format!(
            "{figure} takes numbers from -1e300 to 1e300; got {v:e} among its {what}"
        )));
    }
    Ok((lo, hi))
}

/// The members of each part of `groups`, in ascending order of part.
pub fn parts(figure: &str, groups: &[usize], n: usize) -> Result<Vec<Vec<usize>>> {
    length(figure, "part numbers", groups.len(), n, "one per label")?;
    let mut ids: Vec<usize> = groups.to_vec();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids.iter().map(|id| (0..n).filter(|&i| groups[i] == *id).collect()).collect())
}

/// The names of the parts: `names` if given, otherwise `part 1` and so on.
pub fn part_names(figure: &str, names: &[String], parts: usize) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok((1..=parts).map(|p| format!("part {p}")).collect());
    }
    length(figure, "group names", names.len(), parts, "one per part")?;
    Ok(names.iter().map(|n| text::fit(n, theme::LABEL, true, 180.0)).collect())
}
