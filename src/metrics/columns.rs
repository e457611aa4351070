//! Scores and targets, label by label: checked, transposed into columns, sorted.

use parking_lot::Mutex;
use rayon::prelude::*;

use crate::activity;
use crate::error::{Error, Result};
use crate::labels::Unknown;

/// A predicted score: `f32` or `f64`. Keys are integers in the opposite order of the scores.
pub trait Score: Copy + PartialOrd + Send + Sync {
    type Key: Copy + Ord + Default + Send + Sync;
    const HIGHEST: Self;
    const LOWEST: Self;
    /// Higher scores get smaller keys; equal scores, 0.0 and -0.0 among them, get equal keys.
    fn key(self) -> Self::Key;
    fn from_f64(x: f64) -> Self;
    fn to_f64(self) -> f64;
    /// Sorts keys; `spare` is a buffer that is kept from call to call.
    fn sort(keys: &mut Vec<Self::Key>, spare: &mut Vec<Self::Key>);
}

impl Score for f32 {
    type Key = u32;
    const HIGHEST: f32 = f32::MAX;
    const LOWEST: f32 = f32::MIN;

    #[inline]
    fn key(self) -> u32 {
        let bits = (self + 0.0).to_bits();
        // Negative floats already fall with their bits; positive ones are reversed below them.
        if bits >> 31 == 0 { 0x7fff_ffff - bits } else { bits }
    }

    fn from_f64(x: f64) -> f32 {
        x as f32
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn sort(keys: &mut Vec<u32>, spare: &mut Vec<u32>) {
        radix_sort(keys, spare);
    }
}

impl Score for f64 {
    type Key = u64;
    const HIGHEST: f64 = f64::MAX;
    const LOWEST: f64 = f64::MIN;

    #[inline]
    fn key(self) -> u64 {
        let bits = (self + 0.0).to_bits();
        if bits >> 63 == 0 { 0x7fff_ffff_ffff_ffff - bits } else { bits }
    }

    fn from_f64(x: f64) -> f64 {
        x
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn sort(keys: &mut Vec<u64>, _: &mut Vec<u64>) {
        keys.sort_unstable();
    }
}

/// A target: 0 or 1 as `u8`, `i8`, `f32`, `f64` or `bool`. Of unknown truth: -1 as `i8`, -1 or NaN as `f32` or `f64`.
pub trait Target: Copy + Send + Sync {
    /// `None` for anything but 0 and 1.
    fn truth(self) -> Option<bool>;
    /// Whether the truth is unknown.
    fn is_unknown(self) -> bool;
    /// Whether it is unknown because there is no value: NaN.
    fn is_missing(self) -> bool;
    fn shown(self) -> String;
}

macro_rules! target {
    ($type:ty, $zero:expr, $one:expr, $unknown:expr, $missing:expr) => {
        impl Target for $type {
            #[inline]
            fn truth(self) -> Option<bool> {
                if self == $zero {
                    Some(false)
                } else if self == $one {
                    Some(true)
                } else {
                    None
                }
            }

            fn is_unknown(self) -> bool {
                let unknown: fn($type) -> bool = $unknown;
                unknown(self)
            }

            fn is_missing(self) -> bool {
                let missing: fn($type) -> bool = $missing;
                missing(self)
            }

            fn shown(self) -> String {
                self.to_string()
            }
        }
    };
}
target!(u8, 0, 1, |_| false, |_| false);
target!(i8, 0, 1, |t| t == -1, |_| false);
target!(f32, 0.0, 1.0, |t| t == -1.0 || t.is_nan(), f32::is_nan);
target!(f64, 0.0, 1.0, |t| t == -1.0 || t.is_nan(), f64::is_nan);
target!(bool, false, true, |_| false, |_| false);

/// Least-significant digit first, 11 bits per pass; a pass in which all keys share the digit is skipped.
fn radix_sort(keys: &mut Vec<u32>, spare: &mut Vec<u32>) {
    const BITS: u32 = 11;
    const SIZE: usize = 1 << BITS;
    fn digit(key: u32, pass: usize) -> usize {
        (key >> (BITS * pass as u32)) as usize & (SIZE - 1)
    }
    if keys.len() < SIZE {
        keys.sort_unstable();
        return;
    }
    let mut counts = [[0_u32; SIZE]; 3];
    for &key in keys.iter() {
        for (pass, counts) in counts.iter_mut().enumerate() {
            counts[digit(key, pass)] += 1;
        }
    }
    spare.resize(keys.len(), 0);
    for (pass, counts) in counts.iter_mut().enumerate() {
        if counts[digit(keys[0], pass)] as usize == keys.len() {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &key in keys.iter() {
            let place = &mut counts[digit(key, pass)];
            spare[*place as usize] = key;
            *place += 1;
        }
        std::mem::swap(keys, spare);
    }
}

/// N and m of two tensors that must have the same shape. Errors name both shapes.
pub fn same_shape(scores: &[i64], targets: &[i64]) -> Result<(usize, usize)> {
    if let ([n, m], true) = (scores, scores == targets)
        && let (Ok(n), Ok(m)) = (usize::try_from(*n), usize::try_from(*m))
    {
        return Ok((n, m));
    }
    Err(Error::argument(format!(
        "scores and targets must both have the shape [images, labels]; got scores {scores:?} and targets {targets:?}"
    )))
}

/// Scores and targets of one evaluation, of known shape.
#[derive(Clone, Copy)]
pub(super) struct Input<'a, S, T> {
    pub scores: &'a [S],
    pub targets: &'a [T],
    pub n: usize,
    pub m: usize,
    /// What targets of unknown truth count as.
    pub unknown: Unknown,
}

/// The keys of one label's scores, both lists ascending: the best score first. Images where the truth is unknown are in
/// neither.
pub(super) struct Column<'a, K> {
    pub all: &'a [K],
    pub positives: &'a [K],
}

const UNKNOWN_HELP: &str = "a target of -1 or NaN is of unknown truth: unknown: \"masked\" leaves it out, \"negative\" counts it as 0, \"positive\" counts -1 as 1 and NaN as 0";

/// Labels transposed at once: the part of a row is then at least half a cache line.
const BLOCK: usize = 8;
/// Rows transposed at once: their cache lines fit the first-level cache.
const TILE: usize = 128;

/// The buffers of one block, which later blocks reuse: fresh memory is slower than all the sorting.
struct Buffers<K> {
    all: [Vec<K>; BLOCK],
    positives: [Vec<K>; BLOCK],
    spare: Vec<K>,
}

impl<K> Default for Buffers<K> {
    fn default() -> Self {
        Buffers { all: Default::default(), positives: Default::default(), spare: Vec::new() }
    }
}

impl<K> Buffers<K> {
    fn clear(&mut self, width: usize) {
        for (all, positives) in self.all.iter_mut().zip(&mut self.positives).take(width) {
            all.clear();
            positives.clear();
        }
    }
}

/// The buffers that no thread is using.
type Pool<K> = Mutex<Vec<Buffers<K>>>;

impl<'a, S: Score, T: Target> Input<'a, S, T> {
    /// Errors: sizes that are not n × m (both named), no image, no label.
    pub fn new(scores: &'a [S], targets: &'a [T], n: usize, m: usize) -> Result<Self> {
        if n == 0 || m == 0 {
            return Err(Error::data(format!("nothing to evaluate: there are {n} images and {m} labels")));
        }
        for (what, len) in [("scores", scores.len()), ("targets", targets.len())] {
            if n.checked_mul(m) != Some(len) {
                return Err(Error::argument(format!(
                    "{what} must have the shape [{n}, {m}], which is {} values; got {len}",
                    n.saturating_mul(m)
                )));
            }
        }
        if u32::try_from(n).is_err() {
            return Err(Error::argument(format!("at most {} images can be evaluated at once; got {n}", u32::MAX)));
        }
        Ok(Input { scores, targets, n, m, unknown: Unknown::Error })
    }

    /// The same, with targets of unknown truth counted in that way; by default they are refused.
    pub fn counting_unknown(self, unknown: Unknown) -> Self {
        Input { unknown, ..self }
    }

    /// Whether a target counts as present. `None` where it counts as neither, or is no target.
    #[inline]
    pub fn truth(&self, target: T) -> Option<bool> {
        match target.truth() {
            None if target.is_unknown() => match self.unknown {
                Unknown::Negative => Some(false),
                // Nobody leaves out a value to say that the label is there.
                Unknown::Positive => Some(!target.is_missing()),
                Unknown::Masked | Unknown::Error => None,
            },
            truth => truth,
        }
    }

    /// Calls `work` for each label, over all threads; results in label order.
    ///
    /// Errors: the first score that is not finite or target that is not 0 or 1, by row and label name.
    pub fn by_label<R: Send>(
        &self,
        labels: &[String],
        work: impl Fn(Column<'_, S::Key>) -> R + Sync,
    ) -> Result<Vec<R>> {
        let pool = Pool::default();
        let activity = activity::current();
        let blocks: Vec<Option<Vec<R>>> = (0..self.m.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                activity.check()?;
                Ok(self.block(block * BLOCK, &pool, &work))
            })
            .collect::<Result<_>>()?;
        let mut results = Vec::with_capacity(self.m);
        for block in blocks {
            results.extend(block.ok_or_else(|| self.first_fault(labels))?);
        }
        Ok(results)
    }

    /// `None` if the block holds a score that is not finite or a target that is not 0 or 1.
    fn block<R>(&self, first: usize, pool: &Pool<S::Key>, work: &impl Fn(Column<'_, S::Key>) -> R) -> Option<Vec<R>> {
        let width = BLOCK.min(self.m - first);
        let mut buffers = pool.lock().pop().unwrap_or_default();
        let mut sound = self.transpose(first, width, &mut buffers)
            || (self.unknown != Unknown::Error && self.transpose_with_unknown(first, width, &mut buffers));
        let mut results = Vec::with_capacity(width);
        for (all, positives) in buffers.all.iter_mut().zip(&mut buffers.positives).take(width) {
            S::sort(all, &mut buffers.spare);
            // Infinities and NaN of either sign are outside the keys of finite numbers.
            sound &=
                all.first().is_none_or(|&k| k >= S::HIGHEST.key()) && all.last().is_none_or(|&k| k <= S::LOWEST.key());
            if sound {
                S::sort(positives, &mut buffers.spare);
                results.push(work(Column { all, positives }));
            }
        }
        pool.lock().push(buffers);
        sound.then_some(results)
    }

    /// Fills the buffers with the columns from `first` on. False if a target is neither 0 nor 1.
    fn transpose(&self, first: usize, width: usize, buffers: &mut Buffers<S::Key>) -> bool {
        buffers.clear(width);
        let mut sound = true;
        // One tile of rows at a time, so that the cells that one column skips are still in the cache for the next.
        for from in (0..self.n).step_by(TILE) {
            let tile = from * self.m..(from + TILE).min(self.n) * self.m;
            let (scores, targets) = (&self.scores[tile.clone()], &self.targets[tile]);
            for j in 0..width {
                buffers.all[j].extend(scores[first + j..].iter().step_by(self.m).map(|score| score.key()));
                for (row, target) in targets[first + j..].iter().step_by(self.m).enumerate() {
                    match target.truth() {
                        Some(false) => {}
                        Some(true) => buffers.positives[j].push(buffers.all[j][from + row]),
                        None => sound = false,
                    }
                }
            }
            if !sound {
                return false;
            }
        }
        true
    }

    /// The same with targets of unknown truth, by `self.unknown`. False if there is another target, or a score that is
    /// not finite, also where the truth is unknown.
    fn transpose_with_unknown(&self, first: usize, width: usize, buffers: &mut Buffers<S::Key>) -> bool {
        buffers.clear(width);
        let (highest, lowest) = (S::HIGHEST.key(), S::LOWEST.key());
        for start in (first..self.n * self.m).step_by(self.m) {
            let cells = start..start + width;
            for (j, (score, target)) in self.scores[cells.clone()].iter().zip(&self.targets[cells]).enumerate() {
                let key = score.key();
                if key < highest || key > lowest {
                    return false;
                }
                match self.truth(*target) {
                    Some(positive) => {
                        buffers.all[j].push(key);
                        if positive {
                            buffers.positives[j].push(key);
                        }
                    }
                    None if target.is_unknown() => {}
                    None => return false,
                }
            }
        }
        true
    }

    /// The error for the first bad value in row order.
    fn first_fault(&self, labels: &[String]) -> Error {
        for (i, (score, target)) in self.scores.iter().zip(self.targets).enumerate() {
            let (image, label) = (i / self.m, &labels[i % self.m]);
            if !score.to_f64().is_finite() {
                return Error::data(format!(
                    "scores must be finite numbers; got {} for image row {image}, label \"{label}\"",
                    score.to_f64()
                ))
                .about_name(label);
            }
            if self.truth(*target).is_none() && !(target.is_unknown() && self.unknown == Unknown::Masked) {
                let error = Error::data(format!(
                    "targets must be 0 or 1; got {} for image row {image}, label \"{label}\"",
                    target.shown()
                ))
                .about_name(label);
                return match target.is_unknown() {
                    true => error.with_help(UNKNOWN_HELP),
                    false => error,
                };
            }
        }
        Error::internal("a fault in the scores was seen and not found again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use rand::RngExt;

    #[test]
    fn keys_fall_as_scores_rise() {
        let scores = [f32::MIN, -1.5, -1.0, -1e-40, 0.0, 1e-40, 0.3, 0.30000004, 1.0, f32::MAX];
        for pair in scores.windows(2) {
            assert!(pair[0].key() > pair[1].key(), "{pair:?}");
            assert!(f64::from(pair[0]).key() > f64::from(pair[1]).key(), "{pair:?}");
        }
        assert_eq!((-0.0_f32).key(), 0.0_f32.key());
        assert_eq!((-0.0_f64).key(), 0.0_f64.key());
    }

    #[test]
    fn radix_sort_sorts() {
        let mut rng = random::seeded(0);
        for (n, mask) in [(10, u32::MAX), (5000, u32::MAX), (5000, 0x7ff), (5000, 0x3f80_0000), (3000, 0)] {
            let mut keys: Vec<u32> = (0..n).map(|_| rng.random::<u32>() & mask).collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            radix_sort(&mut keys, &mut Vec::new());
            assert_eq!(keys, expected);
        }
    }

    #[test]
    fn a_missing_target_is_never_positive() {
        let of = |unknown| {
            let input = Input::new(&[0.5_f32; 2], &[-1.0_f32, f32::NAN], 2, 1).unwrap().counting_unknown(unknown);
            [input.truth(-1.0), input.truth(f32::NAN)]
        };
        assert_eq!(of(Unknown::Positive), [Some(true), Some(false)]);
        assert_eq!(of(Unknown::Negative), [Some(false), Some(false)]);
        assert_eq!(of(Unknown::Masked), [None, None]);
    }

    #[test]
    fn shapes_must_be_equal() {
        assert_eq!(same_shape(&[3, 4], &[3, 4]).unwrap(), (3, 4));
        let error = same_shape(&[3, 4], &[3, 5]).unwrap_err();
        assert!(error.message.ends_with("got scores [3, 4] and targets [3, 5]"), "{error}");
        assert!(same_shape(&[12], &[12]).is_err());
    }
}
