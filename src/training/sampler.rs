//! The images of an epoch, in their order: all once, some drawn by weights, or those that a script names.

use rand::RngExt;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::images::epoch_order;
use crate::losses::Script;
use crate::random::numbered;

/// A script's sampler: from the number of finished epochs to the positions of the images of the next one.
pub type SamplerFunction<'a> = &'a dyn Fn(u64) -> Result<Vec<i64>>;

/// Which images an epoch has.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Sampler {
    /// All, in random order.
    #[default]
    Shuffle,
    /// As many as there are, each drawn with its weight and put back, as torch's `WeightedRandomSampler`.
    Weights(Vec<f64>),
    /// Those that a closure of a script names, identified by its code.
    Script(Script),
}

impl Serialize for Sampler {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Sampler::Shuffle => "shuffle".serialize(serializer),
            Sampler::Weights(weights) => weights.serialize(serializer),
            Sampler::Script(script) => json!({ "script": script }).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Sampler {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sampler, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let script = || serde_json::from_value(value.get("script")?.clone()).ok().map(Sampler::Script);
        let weights = || serde_json::from_value(value.clone()).ok().map(Sampler::Weights);
        match value.as_str() {
            Some("shuffle") => Ok(Sampler::Shuffle),
            _ => script().or_else(weights).ok_or_else(|| {
                D::Error::custom("\"shuffle\", an array of one weight per training image, or a closure |epoch|")
            }),
        }
    }
}

impl Sampler {
    /// Its JSON in the specification of a run: of weights a hash, since there may be many.
    pub fn to_spec(&self) -> Value {
        match self {
            Sampler::Weights(weights) => {
                let mut hasher = blake3::Hasher::new_derive_key("cpsd weights of images 1");
                for weight in weights {
                    hasher.update(&weight.to_le_bytes());
                }
                json!({ "weights": hasher.finalize().to_hex()[..16] })
            }
            other => json!(other),
        }
    }

    /// Errors: weights that are negative, no numbers or all 0.
    pub fn check(&self, word: &str) -> Result<()> {
        let Sampler::Weights(weights) = self else { return Ok(()) };
        let wrong = |message: String| {
            Err(Error::argument(format!("option \"sampler\" of {word}: {message}")).about_option("sampler"))
        };
        match weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
            Some(at) => wrong(format!("every weight must be a number from 0; that of image {at} is {}", weights[at])),
            None if !weights.iter().any(|weight| *weight > 0.0) => wrong("a weight must be above 0; all are 0".into()),
            None if !weights.iter().sum::<f64>().is_finite() => wrong("the weights' sum is no finite number".into()),
            None => Ok(()),
        }
    }

    /// Errors: another number of weights than of images; images that the training leaves out, whose positions would shift. `whole` is the
    /// number of images of the split, `trained` that of those which the training sees.
    pub fn check_images(&self, whole: usize, trained: usize) -> Result<()> {
        if *self == Sampler::Shuffle {
            return Ok(());
        }
        if whole != trained {
            return Err(Error::argument(format!(
                "option \"sampler\" names images by their positions in the training split, of which the training leaves out {} of {whole}",
                whole - trained
            ))
            .about_option("sampler")
            .with_help("images: \"containing\", labelled below 1 and data without a validation split leave images out"));
        }
        match self {
            Sampler::Weights(weights) if weights.len() != trained => Err(Error::argument(format!(
                "option \"sampler\" must have one weight per training image, {trained}; got {}",
                weights.len()
            ))
            .about_option("sampler")),
            _ => Ok(()),
        }
    }
}

/// The orders of a training's epochs.
pub struct Orders<'a> {
    sampler: &'a Sampler,
    function: Option<SamplerFunction<'a>>,
    seed: u64,
    pictures: usize,
    /// Images per epoch.
    length: usize,
}

impl<'a> Orders<'a> {
    /// For `pictures` images. A script's sampler is asked for the first epoch, whose length is that of all.
    ///
    /// Errors: those of the function; no function where the sampler is a script's.
    pub fn new(
        sampler: &'a Sampler,
        function: Option<SamplerFunction<'a>>,
        seed: u64,
        pictures: usize,
    ) -> Result<Orders<'a>> {
        let mut orders = Orders { sampler, function, seed, pictures, length: pictures };
        if let Sampler::Script(_) = sampler {
            orders.length = orders.named(0)?.len();
        }
        Ok(orders)
    }

    /// Images per epoch.
    pub fn images(&self) -> usize {
        self.length
    }

    /// The images of the epoch after `epoch` finished ones. They follow from (seed, epoch) alone, or from the function.
    ///
    /// Errors: those of the function; another number of images than before.
    pub fn of(&self, epoch: u64) -> Result<Vec<u32>> {
        match self.sampler {
            Sampler::Shuffle => Ok(epoch_order(self.seed, epoch, self.pictures)),
            Sampler::Weights(weights) => Ok(drawn(weights, self.length, self.seed, epoch)),
            Sampler::Script(_) => {
                let order = self.named(epoch)?;
                match order.len() == self.length {
                    true => Ok(order),
                    false => Err(Error::argument(format!(
                        "option \"sampler\": the closure must give as many images for every epoch, since the schedule counts their steps; \
                         it gave {} for epoch 0 and {} for epoch {epoch}",
                        self.length,
                        order.len()
                    ))
                    .about_option("sampler")),
                }
            }
        }
    }

    fn named(&self, epoch: u64) -> Result<Vec<u32>> {
        let Some(function) = self.function else {
            return Err(Error::argument(
                "a sampler that is a closure works in a training of the script that wrote it, and nowhere else",
            )
            .about_option("sampler"));
        };
        let wrong = |message: String| {
            Err(Error::argument(format!("option \"sampler\": the closure {message}")).about_option("sampler"))
        };
        let positions = function(epoch)?;
        if positions.is_empty() {
            return wrong(format!("gave no images for epoch {epoch}"));
        }
        let mut order = Vec::with_capacity(positions.len());
        for position in positions {
            match u32::try_from(position).ok().filter(|at| (*at as usize) < self.pictures) {
                Some(at) => order.push(at),
                None => {
                    let last = self.pictures.saturating_sub(1);
                    return wrong(format!(
                        "gave image {position} for epoch {epoch}; the training split has 0 to {last}"
                    ));
                }
            }
        }
        Ok(order)
    }
}

/// `n` positions, each drawn with its weight and put back.
fn drawn(weights: &[f64], n: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut sum = 0.0;
    let ends: Vec<f64> = weights
        .iter()
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    let last = weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
    let mut rng = numbered("sampler", &[seed, epoch]);
    let mut next = || {
        let at = rng.random::<f64>() * sum;
        ends.partition_point(|end| *end <= at).min(last) as u32
    };
    (0..n).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_drawn_as_often_as_they_say() {
        let weights = vec![0.0, 1.0, 2.0, 0.0, 5.0, 0.5, 1.5, 0.0];
        let sampler = Sampler::Weights(weights.clone());
        let orders = Orders::new(&sampler, None, 7, weights.len()).unwrap();
        let epochs = 2000;
        let mut counts = [0_f64; 8];
        for epoch in 0..epochs {
            let order = orders.of(epoch).unwrap();
            assert_eq!(order.len(), 8);
            order.iter().for_each(|at| counts[*at as usize] += 1.0);
        }
        assert_eq!((counts[0], counts[3], counts[7]), (0.0, 0.0, 0.0));
        // Pearson's statistic with 4 degrees of freedom: 23.5 is passed once in ten thousand times.
        let expected = weights.iter().map(|w| w / 10.0 * 8.0 * epochs as f64);
        let chi: f64 = counts.iter().zip(expected).filter(|c| c.1 > 0.0).map(|(c, e)| (c - e).powi(2) / e).sum();
        assert!(chi < 23.5, "{chi} {counts:?}");
        assert_eq!(orders.of(3).unwrap(), orders.of(3).unwrap());
        assert_ne!(orders.of(3).unwrap(), orders.of(4).unwrap());
    }

    #[test]
    fn samplers_are_read_and_checked() {
        let read = |value: Value| serde_json::from_value::<Sampler>(value);
        assert_eq!(read(json!("shuffle")).unwrap(), Sampler::Shuffle);
        assert_eq!(read(json!([1, 2.5])).unwrap(), Sampler::Weights(vec![1.0, 2.5]));
        let script = Sampler::Script(Script { code: "a".into() });
        assert_eq!(read(json!(script)).unwrap(), script);
        assert!(read(json!("weights")).is_err() && read(json!([[1]])).is_err() && read(json!(3)).is_err());
        let problem = |weights: &[f64]| Sampler::Weights(weights.to_vec()).check("distill").unwrap_err().message;
        assert!(problem(&[1.0, -1.0]).ends_with("that of image 1 is -1"));
        assert!(problem(&[0.0, 0.0]).ends_with("all are 0") && problem(&[f64::MAX, f64::MAX]).contains("sum"));
        let two = Sampler::Weights(vec![1.0, 2.0]);
        assert!(two.check_images(3, 3).unwrap_err().message.contains("one weight per training image, 3; got 2"));
        assert!(two.check_images(3, 2).unwrap_err().message.contains("leaves out 1 of 3"));
        assert!(two.check_images(2, 2).is_ok() && Sampler::Shuffle.check_images(3, 2).is_ok());
        assert_ne!(two.to_spec(), Sampler::Weights(vec![1.0, 2.0 + 1e-12]).to_spec());
    }

    #[test]
    fn a_function_names_images_that_are_there_and_as_many_each_time() {
        let script = Sampler::Script(Script { code: "a".into() });
        let of = |function: SamplerFunction| {
            let orders = Orders::new(&script, Some(function), 0, 5)?;
            Ok::<_, Error>([orders.of(0)?, orders.of(1)?])
        };
        assert_eq!(of(&|epoch| Ok(vec![4, epoch as i64, 4])).unwrap(), [[4, 0, 4], [4, 1, 4]]);
        let problem = |function: SamplerFunction| of(function).unwrap_err().message;
        assert!(problem(&|_| Ok(vec![5])).contains("gave image 5 for epoch 0; the training split has 0 to 4"));
        assert!(problem(&|_| Ok(vec![-1])).contains("gave image -1"));
        assert!(problem(&|_| Ok(vec![])).contains("gave no images"));
        assert!(problem(&|epoch| Ok(vec![0; 3 - epoch as usize])).contains("it gave 3 for epoch 0 and 2 for epoch 1"));
        assert!(Orders::new(&script, None, 0, 5).err().unwrap().message.contains("nowhere else"));
    }
}
