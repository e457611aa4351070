//! Label embeddings of MS-CMA: vectors whose cosines are the co-occurrence of labels.
//!
//! They are computed here in f64 and on one thread, not by libtorch: they are part of a run's initial weights and so of its
//! name, which no number of threads may change.

use nalgebra::DMatrix;
use parking_lot::Mutex;
use rand::RngExt;

use crate::activity::interrupt;
use crate::error::Result;
use crate::random::Generator;

/// The most steps of training, and the largest difference of a cosine from its co-occurrence at which it ends earlier.
const STEPS: usize = 300;
const CLOSE: f64 = 1e-3;
/// Learning rate of the first step; it falls to 0 along a cosine.
const RATE: f64 = 0.003;
/// Labels whose cosines with all others are in memory at a time.
const BLOCK: usize = 256;
/// The eps of PyTorch's batch norm and Adam, and Adam's betas.
const NORM_EPS: f64 = 1e-5;
const EPS: f64 = 1e-8;
const BETAS: (f64, f64) = (0.9, 0.999);

/// `[m, width]`, rows of length 1: embeddings trained until their cosines are as in `cooccurrence`, a symmetric `[m, m]` in
/// [0, 1] whose diagonal has no part in it.
///
/// One-hot labels go through three linear maps of `width` numbers; batch norm over the labels and ReLU follow the first two.
/// Adam minimises Σ σ_ij (cos(e_i, e_j) - A_ij)² over i ≠ j; σ_ij is 0 where A_ij and the cosine are both below `threshold`, else 1
/// (You et al. 2020). All labels are one batch. A step multiplies 6 m width² + 2 m² width pairs of numbers: a training
/// takes a fraction of a second for 80 labels, up to a minute for 1000.
///
/// Errors: Interrupted.
pub fn label_embeddings(
    cooccurrence: &[f32],
    m: usize,
    width: usize,
    threshold: f64,
    generator: Generator,
) -> Result<Vec<f32>> {
    let mut key = blake3::Hasher::new();
    key.update(&generator.get_seed()).update(&(width as u64).to_le_bytes()).update(&threshold.to_le_bytes());
    for weight in cooccurrence {
        key.update(&weight.to_le_bytes());
    }
    let key = key.finalize();
    if let Some((_, kept)) = KEPT.lock().iter().find(|(k, _)| *k == key) {
        return Ok(kept.clone());
    }
    let problem = Problem { cooccurrence, m, threshold };
    let mut network = Network::drawn(m, width, generator);
    for step in 0..STEPS {
        let (largest, gradients) = network.gradients(&problem)?;
        if largest < CLOSE {
            break;
        }
        network.update(&gradients, step + 1, rate(step));
    }
    let (unit, _) = network.embeddings();
    // Processors differ in the last bits of f64, far behind these.
    let grid = f64::from(1 << 20);
    let embeddings: Vec<f32> = unit.iter().map(|x| ((x * grid).round() / grid) as f32).collect();
    let mut kept = KEPT.lock();
    if kept.iter().map(|(_, e)| e.len()).sum::<usize>() + embeddings.len() > MOST_KEPT {
        kept.clear();
    }
    kept.push((key, embeddings.clone()));
    Ok(embeddings)
}

/// The embeddings of this process by a hash of all inputs: a model is built to name its run, and again to train it.
static KEPT: Mutex<Vec<(blake3::Hash, Vec<f32>)>> = Mutex::new(Vec::new());
/// The most numbers in all of them together: 64 MB.
const MOST_KEPT: usize = 1 << 24;

/// The learning rate of a step.
fn rate(step: usize) -> f64 {
    RATE * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / STEPS as f64).cos())
}

/// Cosines to reach.
struct Problem<'a> {
    /// `[m, m]`
    cooccurrence: &'a [f32],
    m: usize,
    threshold: f64,
}

/// Three linear maps with batch norms. Matrices have a column per label; vectors are matrices of one column.
struct Network {
    values: Vec<DMatrix<f64>>,
    /// Adam's means of gradients and of their squares.
    means: Vec<DMatrix<f64>>,
    squares: Vec<DMatrix<f64>>,
}

/// Places in the lists of a [`Network`]; those of the maps are 0 to 2.
const BIAS: usize = 3;
const GAINS: [usize; 2] = [4, 5];
const SHIFTS: [usize; 2] = [6, 7];

/// One batch norm with ReLU, as computed.
struct Normed {
    /// Before gain and shift.
    normal: DMatrix<f64>,
    /// 1 / standard deviation of each row.
    scale: Vec<f64>,
    output: DMatrix<f64>,
}

/// Values that the backward pass reads.
struct Forward {
    normed: [Normed; 2],
    /// Lengths of the embeddings.
    lengths: Vec<f64>,
}

impl Network {
    /// First values as in PyTorch: uniform in ±1/√inputs, and norms that change nothing. A bias before a norm would have no
    /// effect, so only the last map has one.
    fn drawn(m: usize, width: usize, mut generator: Generator) -> Network {
        let mut uniform = |rows, columns, inputs: usize| {
            let bound = 1.0 / (inputs as f64).sqrt();
            DMatrix::from_fn(rows, columns, |_, _| (2.0 * generator.random::<f64>() - 1.0) * bound)
        };
        let maps = [uniform(width, m, m), uniform(width, width, width), uniform(width, width, width)];
        Self::of(maps, uniform(width, 1, width))
    }

    fn of(maps: [DMatrix<f64>; 3], bias: DMatrix<f64>) -> Network {
        let width = bias.nrows();
        let (ones, zeros) = (DMatrix::from_element(width, 1, 1.0), DMatrix::zeros(width, 1));
        let mut values = Vec::from(maps);
        values.extend([bias, ones.clone(), ones, zeros.clone(), zeros]);
        let blank: Vec<DMatrix<f64>> = values.iter().map(|v| DMatrix::zeros(v.nrows(), v.ncols())).collect();
        Network { values, means: blank.clone(), squares: blank }
    }

    /// Embeddings of length 1, `[width, m]`.
    fn embeddings(&self) -> (DMatrix<f64>, Forward) {
        // The first map of a one-hot label is its column.
        let first = normed(&self.values[0], &self.values[GAINS[0]], &self.values[SHIFTS[0]]);
        let hidden = &self.values[1] * &first.output;
        let second = normed(&hidden, &self.values[GAINS[1]], &self.values[SHIFTS[1]]);
        let mut unit = &self.values[2] * &second.output;
        let lengths = unit
            .column_iter_mut()
            .map(|mut e| {
                e += &self.values[BIAS];
                let length = e.norm().max(1e-12);
                e /= length;
                length
            })
            .collect();
        (unit, Forward { normed: [first, second], lengths })
    }

    /// The largest difference of a cosine that counts, and the gradient of each value.
    fn gradients(&self, problem: &Problem) -> Result<(f64, Vec<DMatrix<f64>>)> {
        let (unit, Forward { normed: [first, second], lengths }) = self.embeddings();
        let (m, width) = (problem.m, unit.nrows());
        let mut largest = 0.0_f64;
        let mut to_unit = DMatrix::zeros(width, m);
        let rows = unit.transpose();
        for from in (0..m).step_by(BLOCK) {
            interrupt::check()?;
            let some = BLOCK.min(m - from);
            // [m, some]: cosines, then the derivative of the loss by each, those of (i, j) and (j, i) together.
            let mut cosines = &rows * unit.columns(from, some);
            for (i, mut column) in cosines.column_iter_mut().enumerate() {
                let wanted = &problem.cooccurrence[(from + i) * m..][..m];
                for (j, (cosine, wanted)) in column.iter_mut().zip(wanted).enumerate() {
                    let wanted = f64::from(*wanted);
                    let counts = from + i != j && (wanted >= problem.threshold || *cosine >= problem.threshold);
                    let difference = if counts { *cosine - wanted } else { 0.0 };
                    largest = largest.max(difference.abs());
                    *cosine = 4.0 * difference;
                }
            }
            to_unit.columns_mut(from, some).copy_from(&(&unit * cosines));
        }
        // Of the embeddings before they have length 1.
        let mut to_output = to_unit;
        for ((mut gradient, unit), length) in to_output.column_iter_mut().zip(unit.column_iter()).zip(lengths) {
            let along = gradient.dot(&unit);
            gradient.axpy(-along, &unit, 1.0);
            gradient /= length;
        }
        let to_bias = to_output.column_sum();
        let to_third = &to_output * second.output.transpose();
        let mut to_hidden = self.values[2].transpose() * to_output;
        let (to_gain2, to_shift2) = backward(&second, &self.values[GAINS[1]], &mut to_hidden);
        let to_second = &to_hidden * first.output.transpose();
        let mut to_first = self.values[1].transpose() * to_hidden;
        let (to_gain1, to_shift1) = backward(&first, &self.values[GAINS[0]], &mut to_first);
        let to_bias = DMatrix::from_column_slice(width, 1, to_bias.as_slice());
        Ok((largest, vec![to_first, to_second, to_third, to_bias, to_gain1, to_gain2, to_shift1, to_shift2]))
    }

    /// A step of Adam (Kingma and Ba 2015).
    fn update(&mut self, gradients: &[DMatrix<f64>], step: usize, rate: f64) {
        let (one, two) = BETAS;
        let correction = |beta: f64| 1.0 - beta.powi(step as i32);
        let (first, second) = (correction(one), correction(two).sqrt());
        let state = self.means.iter_mut().zip(&mut self.squares);
        for ((value, (mean, square)), gradient) in self.values.iter_mut().zip(state).zip(gradients) {
            let state = mean.iter_mut().zip(square.iter_mut());
            for ((value, (mean, square)), gradient) in value.iter_mut().zip(state).zip(gradient.iter()) {
                *mean += (1.0 - one) * (gradient - *mean);
                *square = two * *square + (1.0 - two) * gradient * gradient;
                *value -= rate / first * *mean / (square.sqrt() / second + EPS);
            }
        }
    }
}

/// Batch norm over the columns, and ReLU.
fn normed(x: &DMatrix<f64>, gain: &DMatrix<f64>, shift: &DMatrix<f64>) -> Normed {
    let mean = x.column_mean();
    let mut normal = x.clone();
    normal.column_iter_mut().for_each(|mut column| column -= &mean);
    let mut scale = vec![0.0; x.nrows()];
    for column in normal.column_iter() {
        scale.iter_mut().zip(column.iter()).for_each(|(s, x)| *s += x * x);
    }
    scale.iter_mut().for_each(|s| *s = 1.0 / (*s / x.ncols() as f64 + NORM_EPS).sqrt());
    let mut output = normal.clone();
    for (mut normal, mut output) in normal.column_iter_mut().zip(output.column_iter_mut()) {
        for (r, (x, y)) in normal.iter_mut().zip(output.iter_mut()).enumerate() {
            *x *= scale[r];
            *y = (gain[r] * *x + shift[r]).max(0.0);
        }
    }
    Normed { normal, scale, output }
}

/// Turns the gradient of the output of [`normed`] into that of its input; returns those of gain and shift.
fn backward(normed: &Normed, gain: &DMatrix<f64>, gradient: &mut DMatrix<f64>) -> (DMatrix<f64>, DMatrix<f64>) {
    let width = gain.nrows();
    let (mut to_gain, mut to_shift) = (DMatrix::zeros(width, 1), DMatrix::zeros(width, 1));
    for (i, mut column) in gradient.column_iter_mut().enumerate() {
        for (r, gradient) in column.iter_mut().enumerate() {
            if normed.output[(r, i)] <= 0.0 {
                *gradient = 0.0;
            }
            to_gain[r] += *gradient * normed.normal[(r, i)];
            to_shift[r] += *gradient;
        }
    }
    let m = gradient.ncols() as f64;
    for (i, mut column) in gradient.column_iter_mut().enumerate() {
        for (r, gradient) in column.iter_mut().enumerate() {
            let common = (to_shift[r] + normed.normal[(r, i)] * to_gain[r]) / m;
            *gradient = gain[r] * normed.scale[r] * (*gradient - common);
        }
    }
    (to_gain, to_shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Activity;
    use crate::error::ErrorKind;

    /// Numbers over (-1, 1) that a Python script can repeat.
    fn scattered(rows: usize, columns: usize, phase: f64) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |r, c| {
            let x = ((r * columns + c) as f64 * 12.9898 + phase).sin() * 43758.5453;
            (x - x.floor()) * 2.0 - 1.0
        })
    }

    fn cooccurrence(m: usize) -> Vec<f32> {
        let x = scattered(m, m, 9.0);
        let between = |i: usize, j: usize| if i == j { 0.0 } else { ((x[(i, j)] + x[(j, i)]).abs() / 2.0) as f32 };
        (0..m * m).map(|at| between(at / m, at % m)).collect()
    }

    /// The cosines of embeddings `[m, width]`.
    fn cosine(e: &[f32], width: usize, i: usize, j: usize) -> f64 {
        let of = |i: usize| e[i * width..][..width].iter().map(|x| f64::from(*x));
        of(i).zip(of(j)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn steps_equal_those_of_pytorch() {
        // PyTorch 2.13: linear, BatchNorm1d, relu, cosine_similarity, mse_loss of the pairs that count, Adam; in f64.
        let wanted = cooccurrence(6);
        let problem = Problem { cooccurrence: &wanted, m: 6, threshold: 0.3 };
        let maps = [scattered(8, 6, 1.0), scattered(8, 8, 2.0), scattered(8, 8, 3.0)];
        let mut network = Network::of(maps, scattered(8, 1, 4.0));
        for step in 0..5 {
            let (_, gradients) = network.gradients(&problem).unwrap();
            network.update(&gradients, step + 1, rate(step));
        }
        assert!((network.gradients(&problem).unwrap().0 - 0.6930091376394949).abs() < 1e-9);
        let (unit, _) = network.embeddings();
        for (i, j, cosine) in
            [(0, 1, 0.366881084906), (0, 5, 0.73632341634), (2, 3, 0.407830444169), (4, 1, 0.546252634923)]
        {
            assert!((unit.column(i).dot(&unit.column(j)) - cosine).abs() < 1e-9, "{i} and {j}");
        }
        let third = [
            -0.48638054405533854,
            -0.14451651967617532,
            -0.32300542033221763,
            -0.40678146900690665,
            0.4736161872343714,
            0.27762394615084757,
            -0.2653755893866903,
            0.3177006847405019,
        ];
        for (came, expected) in unit.column(2).iter().zip(third) {
            assert!((came - expected).abs() < 1e-9, "{came} instead of {expected}");
        }
    }

    #[test]
    fn cosines_become_cooccurrences() {
        for (m, width) in [(1, 8), (2, 16), (3, 2), (12, 64), (30, 64)] {
            // Vectors can have these cosines.
            let of = |i: usize, j: usize| if i == j { 0.0 } else { 0.8 * (-(i.abs_diff(j) as f32) / 3.0).exp() };
            let wanted: Vec<f32> = (0..m * m).map(|at| of(at / m, at % m)).collect();
            let generator = || crate::random::named(7, "embeddings");
            let e = label_embeddings(&wanted, m, width, 0.3, generator()).unwrap();
            assert_eq!(e, label_embeddings(&wanted, m, width, 0.3, generator()).unwrap());
            assert_ne!(e, label_embeddings(&wanted, m, width, 0.3, crate::random::named(8, "embeddings")).unwrap());
            for i in 0..m {
                assert!((cosine(&e, width, i, i) - 1.0).abs() < 1e-4, "{m} labels, {i}");
                // Two numbers cannot have any cosines.
                for j in (0..m).filter(|&j| j != i && width > 2) {
                    let (cosine, a) = (cosine(&e, width, i, j), f64::from(wanted[i * m + j]));
                    let there =
                        if a >= 0.3 { (cosine - a).abs() < 0.01 } else { cosine < 0.3 || (cosine - a).abs() < 0.01 };
                    assert!(there, "{m} labels, {i} and {j}: {cosine} instead of {a}");
                }
            }
        }
    }

    #[test]
    fn a_training_of_the_embeddings_can_be_stopped() {
        let activity = Activity::background("embeddings".into(), None);
        activity.stop();
        let work = || label_embeddings(&cooccurrence(4), 4, 8, 0.3, crate::random::named(99, "stop"));
        assert_eq!(activity.enter(work).unwrap_err().kind, ErrorKind::Interrupted);
    }
}
