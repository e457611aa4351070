//! MS-CMA: attention between label embeddings and feature maps at two scales.

use tch::Tensor;

use super::label_embeddings::label_embeddings;
use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Published, Seen};
use crate::error::{Error, Result};
use crate::models::layers::{ConvConfig, ConvNorm, Linear, unit};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::precision::full;
use crate::models::products::pointwise;
use crate::torch::to_vec_f32;

/// You et al., "Cross-modality attention with semantic graph embedding for multi-label classification", AAAI 2020.
///
/// Label embeddings `e_k` have the labels' co-occurrence (A + Aᵀ)/2, A_ij = P(i|j), as cosines; they are trained when the head is
/// built and then fixed ([`label_embeddings`]). Two 1×1 convolutions with batch norm project feature maps I `[N, C, h, w]`. The
/// attention of label k to position p is ReLU(cos(projected I^p, e_k)) divided by its sum over the positions; the logit is
/// w_k · Σ_p a_k^p I^p + b_k over the maps I themselves. The last two stages have such a branch each; the output is the logit
/// of their mean probability. The loss, which replaces the training's, is binary cross entropy with weights
/// y exp(β (1 - p_k)) + (1 - y) exp(β p_k), p_k a label's share of the training images; it has the `reduction` of the training's.
pub const MS_CMA: HeadKind = HeadKind {
    name: "ms_cma",
    summary: "attention of label embeddings made from co-occurrences to positions of the last two stages; reconstructed from \
              the paper's text. Its weighted cross entropy replaces the option loss, of which only the reduction counts",
    paper: "You et al., AAAI 2020",
    options: &[
        HeadOption::real(
            "beta",
            0.0,
            0.0,
            10.0,
            "β: the loss weighs a present label by exp(β (1 - p)) and an absent one by exp(β p), p its share of the training \
             images (the paper: 0 for COCO, 0.4 for NUS-WIDE)",
        ),
        HeadOption::real(
            "alpha",
            0.3,
            0.0,
            1.0,
            "α: pairs of labels whose co-occurrence and cosine are both lower do not count for the embeddings",
        ),
        HeadOption::whole(
            "embedding",
            256.0,
            1.0,
            2048.0,
            "numbers in a label's embedding, and width of the layers that make it",
        ),
        HeadOption::whole("width", 1024.0, 1.0, 65536.0, "channels between the two 1×1 convolutions"),
    ],
    needs_graph: true,
    needs_shares: true,
    published: Published {
        code: "",
        differs: "reconstructed from the paper's text, as no code was published; nothing holds it to the authors' numbers. \
                  Guesses: alpha 0.3; embeddings of 256 numbers from layers of 256; their training before the model's (at most \
                  300 steps of Adam on all labels at once), and that they stay fixed; 1×1 convolutions of 1024 and 256 channels, \
                  the last without ReLU; the last two stages as the scales; the loss on the mean probability. The embeddings \
                  take a fraction of a second for 80 labels, up to a minute for 1000, some ten minutes for 4000",
        layouts: &[],
    },
    build: |p, setup| Ok(Box::new(MsCma::new(p, setup)?)),
    ..COMMON
};

struct MsCma {
    /// `[m, d]`, fixed.
    embeddings: Tensor,
    /// Of the last stage, then of the one before, if there is one.
    scales: Vec<Scale>,
    /// Weights of present and of absent labels `[m]`; none if all are 1.
    weights: Option<[Tensor; 2]>,
}

/// The branch of one stage.
struct Scale {
    hidden: ConvNorm,
    projection: ConvNorm,
    classifier: Linear,
}

impl MsCma {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<MsCma> {
        let head = p.at("head");
        let (m, d, width) = (setup.num_labels(), setup.integer("embedding"), setup.integer("width"));
        let graph = setup.graph()?;
        let cooccurrence = to_vec_f32(&graph.f_add(&graph.f_transpose(0, 1)?)?.f_mul_scalar(0.5)?)?;
        if let Some(at) = cooccurrence.iter().position(|weight| !(0.0..=1.0).contains(weight)) {
            let m = m as usize;
            return Err(Error::argument(format!(
                "head \"ms_cma\" needs a label graph of probabilities; its weights between \"{}\" and \"{}\" have the mean {}",
                setup.labels[at / m],
                setup.labels[at % m],
                cooccurrence[at]
            ))
            .about_option("graph")
            .with_help("a co-occurrence has them: graph: cooccurrence(data.train)"));
        }
        let scale = |names: &Scope, classifier: &Scope, inputs: i64| -> Result<Scale> {
            let pointwise = |layers, inputs, outputs| {
                ConvNorm::new(names, layers, ConvConfig { inputs, outputs, ..ConvConfig::PLAIN }, 1e-5)
            };
            Ok(Scale {
                hidden: pointwise(["conv1", "bn1"], inputs, width)?,
                projection: pointwise(["conv2", "bn2"], width, d)?,
                classifier: Linear::new(classifier, inputs, m)?,
            })
        };
        let mut scales = vec![scale(&head.at("last"), &p.at(setup.classifier), setup.inputs)?];
        if let Some(&channels) = setup.stage_channels()?.iter().rev().nth(1) {
            let names = head.at("earlier");
            scales.push(scale(&names, &names.at("classifier"), channels)?);
        }
        let beta = setup.number("beta");
        let weights = match beta > 0.0 {
            true => {
                let share = setup.shares()?.f_to_device(p.device)?;
                let absent = share.f_mul_scalar(beta)?.f_exp()?;
                Some([share.f_mul_scalar(-beta)?.f_add_scalar(beta)?.f_exp()?, absent])
            }
            false => None,
        };
        let embeddings = head.frozen_if(true).computed("label_embeddings", &[m, d], || {
            let (generator, alpha) = (head.generator("label_embeddings"), setup.number("alpha"));
            let embeddings = label_embeddings(&cooccurrence, m as usize, d as usize, alpha, generator)?;
            Ok(Tensor::f_from_slice(&embeddings)?.f_view([m, d])?)
        })?;
        Ok(MsCma { embeddings, scales, weights })
    }

    /// The attention of each label to each position, `[N, m, h, w]`.
    fn attention(&self, scale: &Scale, maps: &Tensor, pass: Pass) -> Result<Tensor> {
        let hidden = scale.hidden.forward(maps, pass.train)?.f_relu()?;
        let positions = unit(&scale.projection.forward(&hidden, pass.train)?, 1)?;
        let labels = unit(&self.embeddings, 1)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?;
        let near = full(&pointwise(&positions, &labels, None)?.f_relu()?)?;
        let sum = near.f_sum_dim_intlist(Some(&[2i64, 3][..]), true, None)?.f_add_scalar(1e-6)?;
        Ok(near.f_div(&sum)?)
    }

    /// Logits `[N, m]` of one stage.
    fn of(&self, scale: &Scale, maps: &Tensor, pass: Pass) -> Result<Tensor> {
        // w · Σ a I is Σ a (w · I), which needs no vector per label.
        let weight = scale.classifier.weight.f_unsqueeze(-1)?.f_unsqueeze(-1)?;
        let scores = pointwise(maps, &weight, None)?;
        let seen = self.attention(scale, maps, pass)?.f_mul(&scores)?;
        Ok(seen.f_sum_dim_intlist(Some(&[2i64, 3][..]), false, None)?.f_add(&scale.classifier.bias)?)
    }
}

/// The logit of the mean of two probabilities, from their logits: log(σ(a) + σ(b)) - log(σ(-a) + σ(-b)).
fn logit_of_mean(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let sum = |a: &Tensor, b: &Tensor| a.f_log_sigmoid()?.f_logaddexp(&b.f_log_sigmoid()?);
    Ok(sum(a, b)?.f_sub(&sum(&a.f_neg()?, &b.f_neg()?)?)?)
}

impl Head for MsCma {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        self.of(&self.scales[0], features, pass)
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let last = self.logits(seen.maps, pass)?;
        let logits = match (self.scales.get(1), seen.earlier.first()) {
            (Some(scale), Some(maps)) => logit_of_mean(&last, &self.of(scale, maps, pass)?)?,
            _ => return Err(Error::internal("head \"ms_cma\" got no maps of the stage before the last")),
        };
        let scores = full(&logits)?;
        let weights = self.weights.as_ref().map(|weights| weights.each_ref().map(Tensor::shallow_clone));
        Ok(Answer {
            logits,
            own_loss: Some(Box::new(move |loss, targets| {
                let weight = match &weights {
                    Some([present, absent]) => Some(targets.f_mul(&present.f_sub(absent)?)?.f_add(absent)?),
                    None => None,
                };
                let elements = scores.f_binary_cross_entropy_with_logits(
                    targets,
                    weight.as_ref(),
                    None::<&Tensor>,
                    tch::Reduction::None,
                )?;
                loss.reduce(&elements)
            })),
        })
    }

    fn earlier(&self) -> usize {
        1
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.attention(&self.scales[0], features, Pass::EVAL)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logit_of_a_mean_is_exact_and_finite() {
        let of = |x: &[f32]| Tensor::from_slice(x).set_requires_grad(true);
        let (a, b) =
            (of(&[0.0, 3.0, -2.0, 8.0, 500.0, 500.0, -500.0]), of(&[1.0, -1.0, -2.0, 7.0, 500.0, -500.0, -400.0]));
        let logit = logit_of_mean(&a, &b).unwrap();
        logit.sum(tch::Kind::Float).backward();
        let (came, a_values, b_values) =
            (to_vec_f32(&logit).unwrap(), to_vec_f32(&a).unwrap(), to_vec_f32(&b).unwrap());
        let sigmoid = |x: f32| 1.0 / (1.0 + f64::from(-x).exp());
        for i in 0..4 {
            let mean = (sigmoid(a_values[i]) + sigmoid(b_values[i])) / 2.0;
            let expected = (mean / (1.0 - mean)).ln();
            assert!((f64::from(came[i]) - expected).abs() < 1e-5, "{i}: {} instead of {expected}", came[i]);
        }
        // Of probabilities that f32 rounds to 0 and 1: log(e^500), log 1, and log(e^-400 / 2).
        for (came, expected) in came[4..].iter().zip([500.0, 0.0, -400.0 - 2.0_f32.ln()]) {
            assert!((came - expected).abs() < 1e-3, "{came} instead of {expected}");
        }
        for x in [&a, &b] {
            assert!(to_vec_f32(&x.grad()).unwrap().iter().all(|g| g.is_finite()));
        }
    }
}
