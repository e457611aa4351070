//! MCAR: multi-class attentional regions.

use tch::Tensor;

use super::published::{Layout, moved, resnet_children};
use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Published, Seen};
use crate::error::{Error, Result};
use crate::models::label_order::LabelOrder;
use crate::models::layers::{Linear, average_pool};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::precision::full;
use crate::models::products::linear;
use crate::torch::to_vec_f32;

/// Gao and Zhou, "Learning to discover multi-class attentional regions for multi-label image recognition", TIP 2021.
///
/// A linear map of the pooled features gives the global logits, and of the features at each position class maps. The
/// sigmoid of each map of the `regions` best labels is enlarged to the size of the input, bilinearly; its maxima per column
/// and per row, each scaled to 0..1, give a box: [`span`] of both. The crops, enlarged bilinearly to the size of the
/// input, go through the same network; the local logits are their maximum. The loss is the sum of the losses of global and
/// local logits; the answer is the larger of both. The authors' loss is `bce` with reduction "mean". With frozen stages,
/// crops are cut out of their output.
pub const MCAR: HeadKind = HeadKind {
    name: "mcar",
    summary: "class maps choose regions, which the same network looks at again",
    paper: "Gao and Zhou, TIP 2021",
    options: &[
        HeadOption::whole("regions", 4.0, 1.0, 64.0, "regions per image, at most one per label"),
        HeadOption::real(
            "threshold",
            0.5,
            0.0,
            1.0,
            "share of the greatest activation that a region's profile exceeds",
        ),
        HeadOption::one_of(
            "pooling",
            &["avg", "max", "gwp"],
            "pooling of the features: average, maximum, or the mean of both (\"gwp\")",
        ),
    ],
    published: Published {
        code: "github.com/gaobb/MCAR 04a442e, MCARResnet (src/models.py), obj_loc (src/util.py)",
        differs: "with freeze, crops are cut out of the frozen stages' output, not of the picture",
        layouts: &[Layout {
            system: "MCAR on a ResNet (model_best.pth.tar of its program)",
            rename,
            labels: LabelOrder::Alphabetical,
        }],
    },
    build: |p, setup| Ok(Box::new(Mcar::new(p, setup)?)),
    ..COMMON
};

fn rename(name: &str, classifier: &str) -> Option<String> {
    match name.strip_prefix("features.") {
        Some(rest) => resnet_children(rest),
        None => moved(name, "convclass.", &format!("{classifier}.")),
    }
}

/// Pooling of maps `[N, C, h, w]`.
#[derive(Clone, Copy)]
enum Pooling {
    Average,
    Maximum,
    /// The mean of both.
    Both,
}

struct Mcar {
    /// A 1×1 convolution.
    last: Linear,
    regions: i64,
    threshold: f32,
    pooling: Pooling,
}

impl Mcar {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Mcar> {
        let last = Linear::pointwise(&p.at(setup.classifier), setup.inputs, setup.num_labels())?;
        Ok(Mcar {
            last,
            regions: setup.integer("regions").min(setup.num_labels()),
            threshold: setup.number("threshold") as f32,
            pooling: match setup.choice("pooling").as_str() {
                "max" => Pooling::Maximum,
                "gwp" => Pooling::Both,
                _ => Pooling::Average,
            },
        })
    }

    /// Features `[N, C, h, w]` to logits `[N, m]`.
    fn classify(&self, features: &Tensor) -> Result<Tensor> {
        let most = || features.f_amax([2i64, 3], false);
        let pooled = match self.pooling {
            Pooling::Average => average_pool(features)?,
            Pooling::Maximum => most()?,
            Pooling::Both => most()?.f_add(&average_pool(features)?)?.f_mul_scalar(0.5)?,
        };
        let size = self.last.weight.size();
        full(&linear(&pooled, &self.last.weight.f_reshape([size[0], size[1]])?, Some(&self.last.bias))?)
    }

    /// The boxes `[x1, x2, y1, y2]` in positions of an input of `height` × `width`, of the `regions` best labels of each
    /// picture in sequence. `maps` are class maps `[N, m, h, w]`, `global` the logits `[N, m]`.
    fn boxes(&self, maps: &Tensor, global: &Tensor, height: i64, width: i64) -> Result<Vec<[i64; 4]>> {
        let (_, best) = global.f_topk(self.regions, 1, true, true)?;
        let size = maps.size();
        let (n, h, w) = (size[0], size[2], size[3]);
        let index = best.f_view([n, self.regions, 1, 1])?.f_expand([n, self.regions, h, w], false)?;
        let maps = maps.f_gather(1, &index, false)?.f_sigmoid()?;
        let maps = maps.f_upsample_bilinear2d([height, width], true, None, None)?;
        // A GPU is waited for once.
        let profile = |along: i64| -> Result<Tensor> { Ok(maps.f_amax([along], false)?.f_reshape([-1])?) };
        let (of_columns, of_rows) = (profile(2)?, profile(3)?);
        let mut profiles = to_vec_f32(&Tensor::f_cat(&[&of_columns, &of_rows], 0)?)?;
        let (of_columns, of_rows) = profiles.split_at_mut(of_columns.numel());
        let spans = |profiles: &mut [f32], length: i64| -> Vec<(i64, i64)> {
            let of_one = |profile: &mut [f32]| {
                scale(profile);
                span(profile, self.threshold)
            };
            profiles.chunks_mut(length.max(1) as usize).map(of_one).collect()
        };
        let (x, y) = (spans(of_columns, width), spans(of_rows, height));
        Ok(x.into_iter().zip(y).map(|((x1, x2), (y1, y2))| [x1, x2, y1, y2]).collect())
    }

    /// `input` `[N, ., H, W]` cut to its boxes, each crop enlarged to H × W: `[N · regions, ., H, W]`.
    fn crops(&self, input: &Tensor, boxes: &[[i64; 4]]) -> Result<Tensor> {
        let size = input.size();
        let crop = |(i, [x1, x2, y1, y2]): (usize, &[i64; 4])| -> Result<Tensor> {
            let picture = input.f_narrow(0, i as i64 / self.regions, 1)?;
            let part = picture.f_narrow(2, *y1, y2 - y1)?.f_narrow(3, *x1, x2 - x1)?;
            Ok(part.f_upsample_bilinear2d([size[2], size[3]], true, None, None)?)
        };
        Ok(Tensor::f_cat(&boxes.iter().enumerate().map(crop).collect::<Result<Vec<Tensor>>>()?, 0)?)
    }
}

/// Scales a profile to 0..1; one without contrast becomes 1 everywhere.
fn scale(profile: &mut [f32]) {
    let least = profile.iter().copied().fold(f32::INFINITY, f32::min);
    let most = profile.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in profile {
        *x = if most > least { (*x - least) / (most - least) } else { 1.0 };
    }
}

/// The part `start..end` of a profile of n numbers in [0, 1] around its greatest one, as the authors' `obj_loc`.
///
/// The profile is cut where it crosses the threshold; of the parts with the greatest maximum, the longest is taken (of
/// equal ones the first, in the order: the beginning, the end, those between). A part of n/8 numbers or less is widened to
/// about n/8. A profile without a crossing gives the part from n/8 to 7n/8.
fn span(profile: &[f32], threshold: f32) -> (i64, i64) {
    let n = profile.len() as i64;
    let share = |part: f64| (n as f64 * part).ceil() as i64;
    // Exactly at the threshold is on neither side.
    let side = |x: f32| i8::from(x > threshold) - i8::from(x < threshold);
    let crossings: Vec<usize> =
        profile.windows(2).enumerate().filter(|(_, w)| (side(w[1]) - side(w[0])).abs() == 2).map(|(i, _)| i).collect();
    let (Some(&first), Some(&last)) = (crossings.first(), crossings.last()) else {
        return not_empty(share(0.125), share(0.875), n);
    };
    let between = crossings.windows(2).map(|w| (w[0], w[1]));
    let (mut start, mut end, mut highest) = (0, 0, 0.0);
    for (from, to) in [(0, first), (last, profile.len())].into_iter().chain(between) {
        let most = profile[from..to].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if most > highest || (most == highest && to - from > end - start) {
            (start, end, highest) = (from, to, most);
        }
    }
    let (mut start, mut end, least) = (start as i64, end as i64, share(0.125));
    if end - start <= least {
        let pad = least - (end - start);
        let half = (pad + 1) / 2;
        if start > half && n - end > pad {
            (start, end) = (start - half + 1, end + half);
        }
        if start < half {
            (start, end) = (0, least);
        }
        if n - end < half {
            (start, end) = (n - least + 1, n);
        }
    }
    not_empty(start, end, n)
}

/// The span with at least one number: with inputs of few pixels, that of the authors' rule may be empty.
fn not_empty(start: i64, end: i64, n: i64) -> (i64, i64) {
    let start = start.clamp(0, (n - 1).max(0));
    (start, end.clamp(start + 1, n.max(start + 1)))
}

impl Head for Mcar {
    /// The global logits alone.
    fn logits(&self, maps: &Tensor, _: Pass) -> Result<Tensor> {
        self.classify(maps)
    }

    fn answer(&self, seen: &Seen, _: Pass) -> Result<Answer> {
        let size = seen.input.size();
        if size[3] == 1 && size[2] > 1 {
            return Err(Error::argument("head \"mcar\" cuts regions out of pictures or feature maps; the frozen stages of this backbone give tokens")
                .about_name("mcar")
                .with_help("leave out freeze"));
        }
        let global = self.classify(seen.maps)?;
        let crops = tch::no_grad(|| -> Result<Tensor> {
            let boxes = self.boxes(&full(&self.last.on_maps(seen.maps)?)?, &global, size[2], size[3])?;
            self.crops(&full(seen.input)?, &boxes)
        })?;
        let local = self.classify(&(seen.rest)(&crops)?)?;
        let local = local.f_view([size[0], self.regions, -1])?.f_amax([1i64], false)?;
        let logits = global.f_maximum(&local)?;
        Ok(Answer {
            logits,
            own_loss: Some(Box::new(move |loss, targets| {
                Ok(loss.compute(&global, targets)?.f_add(&loss.compute(&local, targets)?)?)
            })),
        })
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.last.on_maps(features)?))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::Value;
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn spans_are_those_of_the_authors() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/heads/mcar.json");
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let spans = golden["spans"].as_array().unwrap();
        assert!(spans.len() > 200);
        for case in spans {
            let runs = case["profile"].as_array().unwrap();
            let profile: Vec<f32> = runs
                .iter()
                .flat_map(|run| vec![run[0].as_f64().unwrap() as f32; run[1].as_u64().unwrap() as usize])
                .collect();
            let threshold = case["threshold"].as_f64().unwrap() as f32;
            let expected = (case["span"][0].as_i64().unwrap(), case["span"][1].as_i64().unwrap());
            assert_eq!(span(&profile, threshold), expected, "{threshold} in {runs:?}");
        }
    }

    #[test]
    fn every_profile_has_a_span() {
        for n in 1..40 {
            for at in 0..n {
                let mut profile = vec![0.0; n];
                profile[at] = 1.0;
                for threshold in [0.0, 0.5, 1.0] {
                    let (start, end) = span(&profile, threshold);
                    assert!(0 <= start && start < end && end <= n as i64, "{n} {at}: {start}..{end}");
                }
            }
            let (start, end) = span(&vec![f32::NAN; n], 0.5);
            assert!(0 <= start && start < end && end <= n as i64, "{n}: {start}..{end}");
        }
    }

    #[test]
    fn regions_are_where_the_maps_are_bright() {
        let params = RefCell::default();
        let last = Linear::pointwise(&Scope::root(&params, 0, Device::Cpu).at("fc"), 1, 2).unwrap();
        let head = Mcar { last, regions: 1, threshold: 0.5, pooling: Pooling::Average };
        // Label 0 is bright in rows 8..16 and columns 16..32 of 32 × 32, brightest inside; the picture numbers its positions.
        let options = (Kind::Float, Device::Cpu);
        let maps = Tensor::zeros([1, 2, 32, 32], options);
        let _ = maps.select(1, 0).narrow(1, 8, 8).narrow(2, 16, 16).fill_(2.0);
        let _ = maps.select(1, 0).narrow(1, 10, 1).narrow(2, 20, 1).fill_(4.0);
        let global = Tensor::from_slice(&[1.0f32, 0.0]).view([1, 2]);
        let boxes = head.boxes(&maps, &global, 32, 32).unwrap();
        // A part begins with the last position below the threshold.
        assert_eq!(boxes, [[15, 32, 7, 15]]);
        let picture = Tensor::arange(32 * 32, options).view([1, 1, 32, 32]);
        let crop = head.crops(&picture, &boxes).unwrap();
        assert_eq!(crop.size(), [1, 1, 32, 32]);
        for (y, x, expected) in
            [(0, 0, 7 * 32 + 15), (0, 31, 7 * 32 + 31), (31, 0, 14 * 32 + 15), (31, 31, 14 * 32 + 31)]
        {
            assert!((crop.double_value(&[0, 0, y, x]) - f64::from(expected)).abs() < 0.01, "{y} {x}");
        }
        // No contrast: all but an eighth on each side.
        assert_eq!(head.boxes(&maps.zeros_like(), &global, 32, 32).unwrap(), [[4, 28, 4, 28]]);
    }
}
