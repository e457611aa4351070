//! SRN: spatial regularisation.

use tch::{Kind, Tensor};

use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Published, Seen};
use crate::error::{Error, Result};
use crate::models::backbones;
use crate::models::layers::{Linear, average_pool};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::products::{self, Window};

/// Zhu et al., "Learning spatial regularization with image-level supervisions for multi-label image classification",
/// CVPR 2017.
///
/// X are the maps of the stage before the last (ResNet-101 at 224 pixels: 14 × 14 × 1024). Attention A: 1×1, 3×3 and 1×1
/// convolutions of X, ReLU between them, then a softmax over positions, one map per label. Confidence S: a 1×1 convolution
/// of X. The weighted maps σ(S) ⊙ A go through two 1×1 convolutions, each with ReLU, four filters per channel as large as
/// the map, ReLU and a linear map: the regularised logits. The answer is α times the logits of average pooling on the last
/// stage plus 1 − α times the regularised ones. The attention answers too: Σ A ⊙ S over positions. The loss is a sum: of
/// the losses of the main logits, the regularised logits and the attention's (`losses` "three"), or of those of the answer
/// and the attention's ("two").
pub const SRN: HeadKind = HeadKind {
    name: "srn",
    summary: "attention maps per label, weighed by confidence and read as a picture, beside average pooling",
    paper: "Zhu et al., CVPR 2017",
    options: &[
        HeadOption::whole("width", 512.0, 1.0, 65536.0, "channels of the maps between"),
        HeadOption::whole(
            "filter",
            0.0,
            0.0,
            LARGEST as f64,
            "side of the last filters; 0: that of the maps at image_size, at most 128. Maps of another size are averaged to it",
        ),
        HeadOption::real("alpha", 0.5, 0.0, 1.0, "weight of the main classifier in the answer"),
        HeadOption::one_of(
            "losses",
            &["three", "two"],
            "\"three\": main, regularised and attention logits, as the authors trained; \"two\": the answer and the \
             attention logits, as in the paper",
        ),
    ],
    published: Published {
        code: "",
        differs: "the authors' repository (github.com/zhufengx/SRN_multilabel 64acf8e) has tools and Caffe, not the network, \
                  which is on a file host. So the network is that of the paper's section 3; by the authors' answers to \
                  questions there, the released one has further convolutions before the attention, two for the \
                  confidence, a ResNet-101 with pre-activation, and three losses. First weights: PyTorch's default. The \
                  paper trains the main network, the attention and the regularisation one after another, then all; here \
                  all at once, with weights: of a model with head \"gap\" as the first step",
        layouts: &[],
    },
    build: |p, setup| Ok(Box::new(Srn::new(p, setup)?)),
    ..COMMON
};

/// The largest side of the last filters: four filters per channel of 512 are 34 million weights.
const LARGEST: i64 = 128;

/// A convolution with bias and stride 1 that keeps the size, or that reads all of a map at once.
struct Filter {
    weight: Tensor,
    bias: Tensor,
}

impl Filter {
    /// First weights and biases: uniform in ±1/√(inputs of one output), PyTorch's default.
    fn new(p: &Scope, shape: [i64; 4]) -> Result<Filter> {
        let bound = 1.0 / (shape[1..].iter().product::<i64>() as f64).sqrt();
        Ok(Filter { weight: p.uniform("weight", &shape, bound)?, bias: p.uniform("bias", &shape[..1], bound)? })
    }

    fn forward(&self, x: &Tensor, padding: i64, groups: i64) -> Result<Tensor> {
        products::conv2d(x, &self.weight, Some(&self.bias), Window { padding, groups, ..Window::PLAIN })
    }
}

struct Srn {
    attention: [Filter; 3],
    confidence: Filter,
    mix: [Filter; 2],
    /// `[4 · width, 1, side, side]`
    spatial: Filter,
    side: i64,
    regularised: Linear,
    main: Linear,
    alpha: f64,
    three: bool,
}

/// The answers of one pass, `[N, m]` each.
struct Answers {
    main: Tensor,
    regularised: Tensor,
    attention: Tensor,
}

impl Srn {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Srn> {
        let head = p.at("head");
        let (m, width) = (setup.num_labels(), setup.integer("width"));
        // With one stage only, the model refuses the head.
        let channels = setup.stage_channels()?.iter().rev().nth(1).copied().unwrap_or(setup.inputs);
        let side = match setup.integer("filter") {
            0 => side_of_maps(setup)?,
            side => side,
        };
        let layer = |name: &str, shape: [i64; 4]| Filter::new(&head.at(name), shape);
        Ok(Srn {
            attention: [
                layer("attention.0", [width, channels, 1, 1])?,
                layer("attention.1", [width, width, 3, 3])?,
                layer("attention.2", [m, width, 1, 1])?,
            ],
            confidence: layer("confidence", [m, channels, 1, 1])?,
            mix: [layer("mix.0", [width, m, 1, 1])?, layer("mix.1", [width, width, 1, 1])?],
            spatial: layer("spatial", [4 * width, 1, side, side])?,
            side,
            regularised: Linear::new(&head.at("regularised"), 4 * width, m)?,
            main: Linear::new(&p.at(setup.classifier), setup.inputs, m)?,
            alpha: setup.number("alpha"),
            three: setup.choice("losses") == "three",
        })
    }

    /// Sums to 1 over the positions of each label's map.
    fn looks(&self, x: &Tensor) -> Result<Tensor> {
        let [first, second, third] = &self.attention;
        let x = second.forward(&first.forward(x, 0, 1)?.f_relu()?, 1, 1)?.f_relu()?;
        let scores = third.forward(&x, 0, 1)?;
        Ok(scores.f_flatten(2, 3)?.f_softmax(2, Kind::Float)?.f_reshape(scores.size())?)
    }

    fn regularise(&self, weighed: &Tensor) -> Result<Tensor> {
        let (size, side) = (weighed.size(), self.side);
        let mut x = weighed.shallow_clone();
        if size[2..] != [side, side] {
            // Averages, scaled so that the attention still sums to 1.
            let scale = (size[2] * size[3]) as f64 / (side * side) as f64;
            x = x.f_adaptive_avg_pool2d([side, side])?.f_mul_scalar(scale)?;
        }
        for layer in &self.mix {
            x = layer.forward(&x, 0, 1)?.f_relu()?;
        }
        let x = self.spatial.forward(&x, 0, x.size()[1])?.f_relu()?;
        self.regularised.forward(&x.f_flatten(1, 3)?)
    }

    fn answers(&self, maps: &Tensor, earlier: &Tensor) -> Result<Answers> {
        let attention = self.looks(earlier)?;
        let confidence = self.confidence.forward(earlier, 0, 1)?;
        Ok(Answers {
            main: self.main.forward(&average_pool(maps)?)?,
            regularised: self.regularise(&attention.f_mul(&confidence.f_sigmoid()?)?)?,
            attention: attention.f_mul(&confidence)?.f_sum_dim_intlist(&[2i64, 3][..], false, None)?,
        })
    }
}

/// The side of the maps of the stage before the last.
fn side_of_maps(setup: &HeadSetup) -> Result<i64> {
    let kind = backbones::find(&setup.spec.backbone)?;
    let stages = (kind.stages)();
    let before_last = setup.spec.stages.unwrap_or(stages.len()).saturating_sub(2);
    let stride = stages.get(before_last).map_or(0, |stage| stage.stride);
    let size = setup.spec.image_size.unwrap_or(kind.image_size);
    // A stride of 0 is unknown; 16 is that of most backbones there.
    let stride = if stride > 0 { stride } else { 16 };
    Ok(((size + stride - 1) / stride).clamp(1, LARGEST))
}

impl Head for Srn {
    /// The main classifier's logits alone.
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        self.main.forward(&average_pool(features)?)
    }

    fn answer(&self, seen: &Seen, _: Pass) -> Result<Answer> {
        let Some(earlier) = seen.earlier.first() else {
            return Err(Error::internal("head \"srn\" was given no maps of the stage before the last"));
        };
        let Answers { main, regularised, attention } = self.answers(seen.maps, earlier)?;
        let logits = main.f_mul_scalar(self.alpha)?.f_add(&regularised.f_mul_scalar(1.0 - self.alpha)?)?;
        let judged = match self.three {
            true => vec![main, regularised, attention],
            false => vec![logits.shallow_clone(), attention],
        };
        Ok(Answer {
            logits,
            own_loss: Some(Box::new(move |loss, targets| {
                let mut total = None;
                for logits in &judged {
                    let one = loss.compute(logits, targets)?;
                    total = Some(match total {
                        None => one,
                        Some(sum) => one.f_add(&sum)?,
                    });
                }
                total.ok_or_else(|| Error::internal("head \"srn\" has no loss"))
            })),
        })
    }

    fn earlier(&self) -> usize {
        1
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.main.on_maps(features)?))
    }
}
