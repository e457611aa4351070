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

/// Resamples that are computed together: their counts of an image lie side by side, so that one vector holds them.
const TOGETHER: usize = 8;
/// How often each image counts, in so many resamples.
type Counts = [[u16; TOGETHER]];

/// The images of each label by falling score, so that mAP with any weights of the images is one pass without sorting.
#[derive(Clone, Debug)]
pub struct Ranked {
    images: usize,
    orders: Vec<Order>,
}

/// The images of one label where its truth is known, the highest score first.
#[derive(Clone, Debug, Default)]
struct Order {
    images: Vec<u32>,
    /// Those with the label.
    positives: Vec<u32>,
    /// The ends in both lists of each score that an image with the label has. Images of one score share a threshold.
    steps: Vec<(u32, u32)>,
}

impl Ranked {
    /// From row-major scores and targets [N, m]; targets of -1 or NaN are of unknown truth and left out.
    ///
    /// Errors: sizes that do not fit, a score that is not finite, a target that is neither; by row and label. 2^30 images or more.
    pub fn new(scores: &[f32], targets: &[f32], n: usize, labels: &[String]) -> Result<Ranked> {
        let m = labels.len();
        let input = Input::new(scores, targets, n, m)?.counting_unknown(Unknown::Masked);
        input.by_label(labels, |_| ())?;
        // Sums of counts are 32 bits.
        if n >= 1 << 30 {
            return Err(Error::argument(format!("at most {} images can be resampled; got {n}", (1 << 30) - 1)));
        }
        memory::check("the orders of all labels' scores", (n as u64).saturating_mul(4 * m as u64))?;
        let activity = activity::current();
        let order = |label: usize| -> Result<Order> {
            activity.check()?;
            let score = |image: u32| scores[image as usize * m + label];
            let truth = |image: u32| input.truth(targets[image as usize * m + label]);
            let mut order = Order::default();
            order.images.extend((0..n as u32).filter(|&image| truth(image).is_some()));
            order.images.sort_unstable_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
            let mut before = 0;
            for group in order.images.chunk_by(|&a, &b| score(a) == score(b)) {
                let found = order.positives.len();
                order.positives.extend(group.iter().filter(|&&image| truth(image) == Some(true)));
                before += group.len() as u32;
                if order.positives.len() > found {
                    order.steps.push((before, order.positives.len() as u32));
                }
            }
            Ok(order)
        };
        let orders = (0..m).into_par_iter().map(order).collect::<Result<_>>()?;
        Ok(Ranked { images: n, orders })
    }

    /// mAP in percent where image i counts `counts[i]` times: the mean AP over the labels that have a positive then, as
    /// scikit-learn's `average_precision_score` with `sample_weight`. NaN if no label has one, for another number of counts, and for counts
    /// of 2^32 images or more together.
    pub fn mean_average_precision(&self, counts: &[u16]) -> f64 {
        let all: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        if counts.len() != self.images || all > u64::from(u32::MAX) {
            return f64::NAN;
        }
        let counts: Vec<[u16; TOGETHER]> = counts.iter().map(|&count| [count; TOGETHER]).collect();
        self.of_all(&counts)[0]
    }

    /// The same for several counts, one per image.
    fn of_all(&self, counts: &Counts) -> [f64; TOGETHER] {
        let aps: Vec<[Option<f64>; TOGETHER]> =
            self.orders.iter().map(|order| order.average_precision(counts)).collect();
        std::array::from_fn(|k| mean(aps.iter().map(|aps| aps[k])).map_or(f64::NAN, |map| 100.0 * map))
    }
}

impl Order {
    /// AP in each resample. `None` without a positive.
    fn average_precision(&self, counts: &Counts) -> [Option<f64>; TOGETHER] {
        let add = |sums: &mut [u32; TOGETHER], images: &[u32]| {
            for &image in images {
                let counts = &counts[image as usize];
                (0..TOGETHER).for_each(|k| sums[k] += u32::from(counts[k]));
            }
        };
        let (mut seen, mut found, mut sums) = ([0_u32; TOGETHER], [0_u32; TOGETHER], [0.0; TOGETHER]);
        let (mut from, mut first) = (0, 0);
        for &(to, last) in &self.steps {
            let (to, last) = (to as usize, last as usize);
            let mut gained = [0_u32; TOGETHER];
            add(&mut seen, &self.images[from..to]);
            add(&mut gained, &self.positives[first..last]);
            (from, first) = (to, last);
            for k in 0..TOGETHER {
                found[k] += gained[k];
                // Nothing is gained where nothing was seen.
                sums[k] += f64::from(gained[k]) * f64::from(found[k]) / f64::from(seen[k].max(1));
            }
        }
        std::array::from_fn(|k| (found[k] > 0).then(|| sums[k] / f64::from(found[k])))
    }
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
    let once = vec![[1_u16; TOGETHER]; n];
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
        let mut counts = vec![[0_u16; TOGETHER]; n];
        for (k, (resample, times)) in resamples.clone().zip(&mut times).enumerate() {
            let mut rng = numbered("bootstrap of pictures", &[options.seed, resample as u64]);
            for _ in 0..n {
                let count = &mut counts[rng.random_range(0..n as u32) as usize][k];
                *count = count.saturating_add(1);
            }
            if over == Over::Both {
                times.fill(0);
                (0..of).for_each(|_| times[rng.random_range(0..of as u32) as usize] += 1);
            }
        }
        let mut sums = vec![0.0; resamples.len()];
        for (seed, (a, b)) in seeds.iter().enumerate() {
            let (a, b) = (a.of_all(&counts), b.of_all(&counts));
            for (k, sum) in sums.iter_mut().enumerate() {
                // Not 0 times NaN.
                if times[k][seed] > 0 {
                    *sum += f64::from(times[k][seed]) * (a[k] - b[k]);
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
            // Three seeds have ten means, whatever is drawn.
            if over != Over::Seeds {
                let other = paired_bootstrap_of_pictures(&pairs, &other).unwrap();
                assert_ne!((one.low, one.high), (other.low, other.high));
            }
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
