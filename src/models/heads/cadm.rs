//! CADM: label vectors from class-aware maps, and a loss on the distances of labels that occur together.

use tch::Tensor;

use super::{Answer, COMMON, Head, HeadKind, HeadOption, Known, Published, Seen};
use crate::error::Result;
use crate::losses::Reduction;
use crate::models::layers::{Linear, unit};
use crate::models::pass::Pass;
use crate::torch::read_back;

/// Chen et al., "Multi-label image recognition with joint class-aware map disentangling and label correlation embedding",
/// ICME 2019.
///
/// A linear map W of the max-pooled features X `[N, D, h, w]` gives the logits. The maps of class c are W_c ⊙ X, channel by
/// channel; max-pooled, mapped to `width` numbers by one layer for all classes and scaled to length 1 they are the label's vector
/// v_c. The loss adds to the training's own `weight` times that of the pairs of labels of a picture, at least one of them
/// present: d² if both are, else max(0, δ - d)², d = ‖v_i - v_j‖ (Hadsell et al. 2006), in the training's reduction.
pub const CADM: HeadKind = HeadKind {
    name: "cadm",
    summary: "max pooling and one linear layer, whose weights make a vector per label; vectors of labels in one picture are \
              drawn together, others apart, beside the option loss; reconstructed from the paper's text",
    paper: "Chen et al., ICME 2019",
    options: &[
        HeadOption::whole("width", 256.0, 1.0, 65536.0, "numbers in a label's vector"),
        HeadOption::real(
            "delta",
            1.0,
            0.0,
            2.0,
            "δ: the distance from which on vectors of labels are far enough apart",
        ),
        HeadOption::real("weight", 0.1, 0.0, 1000.0, "weight of the loss of pairs beside that of the labels"),
    ],
    published: Published {
        code: "",
        differs: "reconstructed from the paper's abstract, as no code was published; nothing holds it to the authors' numbers. \
                  Guesses: max pooling of the features and of the class's maps; vectors of 256 numbers and length 1; the \
                  contrastive form of the loss, its delta 1 and its weight 0.1",
        layouts: &[],
    },
    build: |p, setup| {
        Ok(Box::new(Cadm {
            classifier: Linear::new(&p.at(setup.classifier), setup.inputs, setup.num_labels())?,
            embedding: Linear::new(&p.at("head.embedding"), setup.inputs, setup.integer("width"))?,
            delta: setup.number("delta"),
            weight: setup.number("weight"),
        }))
    },
    ..COMMON
};

struct Cadm {
    classifier: Linear,
    embedding: Linear,
    delta: f64,
    weight: f64,
}

/// `[N, D]`: the largest and the smallest number of each channel.
fn extremes(features: &Tensor) -> Result<[Tensor; 2]> {
    Ok([features.f_amax([2i64, 3], false)?, features.f_amin([2i64, 3], false)?])
}

/// `[N, m, D]`: the maxima over positions of W_c ⊙ X. For a positive weight that is the weight times the largest number of
/// the channel, for a negative one times the smallest, so the maps are never formed.
fn pooled(weight: &Tensor, [most, least]: &[Tensor; 2]) -> Result<Tensor> {
    let negative = weight.f_clamp_max(0.0)?;
    Ok(weight.f_relu()?.f_mul(&most.f_unsqueeze(1)?)?.f_add(&negative.f_mul(&least.f_unsqueeze(1)?)?)?)
}

/// The elements of the loss of pairs. `vectors` `[N, m, width]` have length 1; `present` and `known` are boolean `[N, m]`.
///
/// Each pair is there once. Memory: some tensors of m numbers per present label of the batch. None if there is no pair.
fn pairs(vectors: &Tensor, present: &Tensor, known: Option<&Tensor>, delta: f64) -> Result<Option<Tensor>> {
    let present = match known {
        Some(known) => present.f_logical_and(known)?,
        None => present.shallow_clone(),
    };
    // The present labels in the order of the pictures: [K, 2] of picture and label.
    let places = present.f_nonzero()?;
    let (pictures, labels) = (places.f_select(1, 0)?, places.f_select(1, 1)?);
    let counts = read_back(&present.f_sum_dim_intlist(Some(&[1i64][..]), false, tch::Kind::Int64)?)?;
    let counts = Vec::<i64>::try_from(&counts)?;
    let (m, width) = (vectors.size()[1], vectors.size()[2]);
    let own = vectors.f_reshape([-1, width])?.f_index_select(0, &pictures.f_mul_scalar(m)?.f_add(&labels)?)?;
    let (mut cosines, mut from) = (Vec::new(), 0);
    for (picture, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let all = vectors.f_select(0, picture as i64)?.f_transpose(0, 1)?;
        cosines.push(own.f_narrow(0, from, count)?.f_matmul(&all)?);
        from += count;
    }
    if cosines.is_empty() {
        return Ok(None);
    }
    // [K, m]
    let square = Tensor::f_cat(&cosines, 0)?.f_mul_scalar(-2.0)?.f_add_scalar(2.0)?.f_clamp_min(0.0)?;
    let both = present.f_index_select(0, &pictures)?;
    // The gradient of a root at 0 is infinite.
    let distance = square.f_clamp_min(1e-12)?.f_sqrt()?;
    let apart = distance.f_neg()?.f_add_scalar(delta)?.f_relu()?.f_square()?;
    // Of two present labels, the pair belongs to the first; no label is a pair with itself.
    let positions = Tensor::f_arange(m, (tch::Kind::Int64, vectors.device()))?;
    let mut counted = both.f_logical_not()?.f_logical_or(&positions.f_gt_tensor(&labels.f_unsqueeze(1)?)?)?;
    if let Some(known) = known {
        counted = counted.f_logical_and(&known.f_index_select(0, &pictures)?)?;
    }
    let elements = square.f_where_self(&both, &apart)?.f_masked_select(&counted)?;
    Ok((elements.numel() > 0).then_some(elements))
}

impl Head for Cadm {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        self.classifier.forward(&features.f_amax([2i64, 3], false)?)
    }

    /// It pairs the images that have a label.
    fn takes_soft_targets(&self) -> bool {
        false
    }

    /// Its mean is over pairs of labels, of which images have different numbers.
    fn loss_is_by_image(&self, reduction: Reduction) -> bool {
        self.weight == 0.0 || reduction == Reduction::Sum
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let logits = self.logits(seen.maps, pass)?;
        let scores = logits.shallow_clone();
        let maps = seen.maps.shallow_clone();
        let class = self.classifier.weight.shallow_clone();
        let [weight, bias] = [&self.embedding.weight, &self.embedding.bias].map(Tensor::shallow_clone);
        let embedding = Linear { weight, bias };
        let (delta, share) = (self.delta, self.weight);
        Ok(Answer {
            logits,
            own_loss: Some(Box::new(move |loss, targets| {
                let of_labels = loss.compute(&scores, targets)?;
                if share == 0.0 {
                    return Ok(of_labels);
                }
                let vectors = unit(&embedding.forward(&pooled(&class, &extremes(&maps)?)?)?, 2)?;
                let known = loss.known.map(Known::mask).transpose()?;
                match pairs(&vectors, &targets.f_gt(0.5)?, known.as_ref(), delta)? {
                    Some(pairs) => Ok(of_labels.f_add(&loss.spec.reduction().apply(&pairs)?.f_mul_scalar(share)?)?),
                    None => Ok(of_labels),
                }
            })),
        })
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.classifier.on_maps(features)?))
    }
}
