//! The bootstrap of a difference in mAP over pictures, and over pictures and seeds together.

use rand::RngExt;
use rayon::prelude::*;

use super::average_precision::mean;
use super::columns::Input;
use super::paired::{BootstrapOptions, Interval, Over, check_options, interval, paired_bootstrap_by};
use crate::activity;
use crate::error::{Error, Result};
use crate::labels::Unknown;
use crate::memory;
use crate::random::numbered;

/// Resamples that are computed together, so that a label's order is read from memory once for all of them.
const TOGETHER: usize = 8;
/// Marks of an image in a label's order: it has the label; the next image has a lower score.
const POSITIVE: u32 = 1;
const LAST: u32 = 2;

/// The images of each label by falling score, so that mAP with any weights of the images is one pass without sorting.
#[derive(Clone, Debug)]
pub struct Ranked {
    images: usize,
    /// Per label the images where its truth is known, each with its marks.
    orders: Vec<Vec<u32>>,
}

impl Ranked {
    /// From row-major scores and targets [N, m]; targets of -1 or NaN are of unknown truth and left out.
    ///
    /// Errors: sizes that do not fit, a score that is not finite, a target that is neither; by row and label. 2^30 images or more.
    pub fn new(scores: &[f32], targets: &[f32], n: usize, labels: &[String]) -> Result<Ranked> {
        let m = labels.len();
        let input = Input::new(scores, targets, n, m)?.counting_unknown(Unknown::Masked);
        input.by_label(labels, |_| ())?;
        if n >= 1 << 30 {
            return Err(Error::argument(format!("at most {} images can be resampled; got {n}", (1 << 30) - 1)));
        }
        memory::check("the orders of all labels' scores", (n as u64).saturating_mul(4 * m as u64))?;
        let activity = activity::current();
        let order = |label: usize| -> Result<Vec<u32>> {
            activity.check()?;
            let score = |image: u32| scores[image as usize * m + label];
            let truth = |image: u32| input.truth(targets[image as usize * m + label]);
            let mut images: Vec<u32> = (0..n as u32).filter(|&image| truth(image).is_some()).collect();
            images.sort_unstable_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
            let marked = images.iter().enumerate().map(|(i, &image)| {
                let last = images.get(i + 1).is_none_or(|&next| score(next) != score(image));
                let positive = truth(image) == Some(true);
                image << 2 | if last { LAST } else { 0 } | if positive { POSITIVE } else { 0 }
            });
            Ok(marked.collect())
        };
        let orders = (0..m).into_par_iter().map(order).collect::<Result<_>>()?;
        Ok(Ranked { images: n, orders })
    }

    /// mAP in percent where image i counts `counts[i]` times: the mean AP over the labels that have a positive then, as
    /// scikit-learn's `average_precision_score` with `sample_weight`. NaN if no label has one, or for another number of counts.
    pub fn mean_average_precision(&self, counts: &[u16]) -> f64 {
        if counts.len() != self.images {
            return f64::NAN;
        }
        self.of_all(&[counts.to_vec()])[0]
    }

    /// The same for several counts.
    fn of_all(&self, counts: &[Vec<u16>]) -> Vec<f64> {
        let mut aps: Vec<Vec<Option<f64>>> = vec![Vec::with_capacity(self.orders.len()); counts.len()];
        for order in &self.orders {
            for (aps, counts) in aps.iter_mut().zip(counts) {
                aps.push(average_precision(order, counts));
            }
        }
        aps.into_iter().map(|aps| mean(aps.into_iter()).map_or(f64::NAN, |map| 100.0 * map)).collect()
    }
}

/// AP of one label. Images of one score share a threshold. `None` without a positive.
fn average_precision(order: &[u32], counts: &[u16]) -> Option<f64> {
    let (mut seen, mut found, mut gained) = (0_u64, 0_u64, 0_u64);
    let mut sum = 0.0;
    for &marked in order {
        let count = u64::from(counts[(marked >> 2) as usize]);
        seen += count;
        gained += count * u64::from(marked & POSITIVE);
        if gained > 0 && marked & LAST != 0 {
            found += gained;
            sum += gained as f64 * found as f64 / seen as f64;
            gained = 0;
        }
    }
    (found > 0).then(|| sum / found as f64)
}

/// The mean over seeds of the difference in mAP of two methods, with its percentile interval. `seeds` holds for each seed the two
/// methods' rankings of one labelled split.
///
/// Pictures are drawn with repetition, the same ones for both methods and all seeds; seeds too where both are resampled. A label
/// without a positive among the drawn pictures is left out of that resample. The draws depend on the seed of `options` alone.
/// Errors: no seed, fewer than two of what is drawn, options out of range, splits of other sizes, a resample without a positive.
pub fn paired_bootstrap_of_pictures(seeds: &[(Ranked, Ranked)], options: &BootstrapOptions) -> Result<Interval> {
    check_options(options)?;
    let Some((first, _)) = seeds.first() else {
        return Err(Error::argument("the bootstrap over pictures needs at least one pair of predictions; got none"));
    };
    let (n, of) = (first.images, seeds.len());
    if seeds.iter().any(|(a, b)| a.images != n || b.images != n) {
        return Err(Error::argument(
            "the bootstrap over pictures needs predictions for one split; got other numbers of pictures",
        ));
    }
    let over = options.over.unwrap_or(if of > 1 { Over::Both } else { Over::Pictures });
    if of < 2 && over != Over::Pictures {
        return Err(Error::argument("seeds can be drawn from two on; got one pair of predictions")
            .about_option("over")
            .with_help("over: \"pictures\" draws pictures alone"));
    }
    if n < 2 && over != Over::Seeds {
        return Err(Error::argument(format!("the bootstrap over pictures needs at least two; got {n}")));
    }
    let once = [vec![1_u16; n]];
    let whole: Vec<f64> = seeds.iter().map(|(a, b)| a.of_all(&once)[0] - b.of_all(&once)[0]).collect();
    let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    if over == Over::Seeds {
        return paired_bootstrap_by(of, options, |drawn| {
            drawn.iter().map(|&seed| whole[seed as usize]).sum::<f64>() / drawn.len() as f64
        });
    }
    let bytes = (options.resamples as u64).saturating_mul(16).saturating_add(2 * (TOGETHER * n) as u64);
    memory::check(&format!("{} resamples", options.resamples), bytes).map_err(|e| e.about_option("resamples"))?;
    let activity = activity::current();
    let chunk = |chunk: usize| -> Result<Vec<f64>> {
        activity.check()?;
        let resamples = chunk * TOGETHER..options.resamples.min((chunk + 1) * TOGETHER);
        let mut times = vec![vec![1_u32; of]; resamples.len()];
        let mut counts = vec![vec![0_u16; n]; resamples.len()];
        for ((resample, times), counts) in resamples.clone().zip(&mut times).zip(&mut counts) {
            let mut rng = numbered("bootstrap of pictures", &[options.seed, resample as u64]);
            for _ in 0..n {
                let count = &mut counts[rng.random_range(0..n as u32) as usize];
                *count = count.saturating_add(1);
            }
            if over == Over::Both {
                times.fill(0);
                (0..of).for_each(|_| times[rng.random_range(0..of as u32) as usize] += 1);
            }
        }
        let mut sums = vec![0.0; resamples.len()];
        for (seed, (a, b)) in seeds.iter().enumerate() {
            for (i, (a, b)) in a.of_all(&counts).into_iter().zip(b.of_all(&counts)).enumerate() {
                // Not 0 times NaN.
                if times[i][seed] > 0 {
                    sums[i] += f64::from(times[i][seed]) * (a - b);
                }
            }
        }
        Ok(sums.into_iter().map(|sum| sum / of as f64).collect())
    };
    let chunks = options.resamples.div_ceil(TOGETHER);
    let resampled = (0..chunks).into_par_iter().map(chunk).collect::<Result<Vec<_>>>()?;
    interval(mean_of(&whole), resampled.concat(), options, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores of `n` pictures and three labels, the better the larger `skill`, and their truth.
    fn made(n: usize, seed: u64, skill: f32) -> (Vec<f32>, Vec<f32>) {
        let mut truth = numbered("truth", &[]);
        let mut rng = numbered("scores", &[seed]);
        let targets: Vec<f32> = (0..3 * n).map(|i| f32::from(u8::from(i < 3 || truth.random_bool(0.3)))).collect();
        let scores = targets.iter().map(|t| t * skill + rng.random_range(0.0..1.0_f32)).collect();
        (scores, targets)
    }

    fn ranked(n: usize, seed: u64, skill: f32) -> Ranked {
        let (scores, targets) = made(n, seed, skill);
        Ranked::new(&scores, &targets, n, &["a", "b", "c"].map(String::from)).unwrap()
    }

    fn pairs(n: usize, seeds: u64) -> Vec<(Ranked, Ranked)> {
        (0..seeds).map(|seed| (ranked(n, seed, 0.6), ranked(n, 100 + seed, 0.4))).collect()
    }

    fn options(over: Option<Over>) -> BootstrapOptions {
        BootstrapOptions { resamples: 403, over, ..Default::default() }
    }

    #[test]
    fn counts_are_pictures_that_come_so_often() {
        let (scores, targets) = made(40, 1, 0.5);
        let ranked = ranked(40, 1, 0.5);
        let counts: Vec<u16> = (0..40).map(|i| (i * 7 % 4) as u16).collect();
        let drawn: Vec<usize> = (0..40).flat_map(|i| std::iter::repeat_n(i, counts[i].into())).collect();
        let rows = |all: &[f32]| drawn.iter().flat_map(|&i| all[3 * i..3 * i + 3].to_vec()).collect::<Vec<f32>>();
        let expected = crate::metrics::mean_average_precision(&rows(&scores), &rows(&targets), 3).unwrap();
        assert!((ranked.mean_average_precision(&counts) - expected).abs() < 1e-12);
        assert!(ranked.mean_average_precision(&[0; 40]).is_nan() && ranked.mean_average_precision(&[1; 39]).is_nan());
    }

    #[test]
    fn draws_depend_on_the_seed_and_not_on_threads() {
        let pairs = pairs(60, 3);
        for over in [Over::Pictures, Over::Both, Over::Seeds] {
            let one = paired_bootstrap_of_pictures(&pairs, &options(Some(over))).unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            let alone = pool.install(|| paired_bootstrap_of_pictures(&pairs, &options(Some(over))).unwrap());
            assert_eq!(one, alone);
            let other = BootstrapOptions { seed: 1, ..options(Some(over)) };
            assert_ne!((one.low, one.high), {
                let other = paired_bootstrap_of_pictures(&pairs, &other).unwrap();
                (other.low, other.high)
            });
            assert!(one.low < one.difference && one.difference < one.high && one.difference > 0.0, "{over:?} {one:?}");
            assert_eq!(one.n, if over == Over::Seeds { 3 } else { 60 });
        }
    }

    #[test]
    fn both_are_less_sure_than_pictures_and_few_pictures_than_many() {
        let width = |pairs: &[(Ranked, Ranked)], over| {
            let found = paired_bootstrap_of_pictures(pairs, &options(Some(over))).unwrap();
            found.high - found.low
        };
        let few = pairs(60, 4);
        assert!(width(&few, Over::Both) > width(&few, Over::Pictures));
        assert!(width(&few, Over::Pictures) > 1.5 * width(&pairs(600, 4), Over::Pictures));
        // Without the option both are drawn, and pictures where there is one seed.
        let of = |pairs: &[_], over| paired_bootstrap_of_pictures(pairs, &options(over)).unwrap();
        assert_eq!(of(&few, None), of(&few, Some(Over::Both)));
        assert_eq!(of(&few[..1], None), of(&few[..1], Some(Over::Pictures)));
    }

    #[test]
    fn the_same_predictions_do_not_differ() {
        let same: Vec<_> = pairs(60, 2).into_iter().map(|(a, _)| (a.clone(), a)).collect();
        let found = paired_bootstrap_of_pictures(&same, &options(None)).unwrap();
        assert_eq!((found.difference, found.low, found.high, found.p), (0.0, 0.0, 0.0, 1.0));
    }

    #[test]
    fn mistakes_are_named() {
        let message =
            |pairs: &[(Ranked, Ranked)], over| paired_bootstrap_of_pictures(pairs, &options(over)).unwrap_err().message;
        assert!(message(&[], None).contains("at least one pair"));
        assert!(message(&pairs(20, 1), Some(Over::Both)).contains("seeds can be drawn from two on"));
        assert!(message(&[(ranked(20, 0, 0.5), ranked(21, 0, 0.5))], None).contains("one split"));
        let bad = Ranked::new(&[f32::NAN, 0.1], &[0.0, 1.0], 2, &["a".to_string()]).unwrap_err();
        assert!(bad.message.contains("\"a\""), "{bad}");
    }
}
