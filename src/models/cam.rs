//! Class activation maps: the evidence for a label at each position of a picture. Source: Zhou et al., CVPR 2016.

use tch::Tensor;

use super::Model;
use crate::error::{Error, Result};
use crate::torch::to_vec_f32;

/// The map of one label over one picture.
#[derive(Clone, Debug)]
pub struct Cam {
    pub height: usize,
    pub width: usize,
    /// Row-major, 0 where there is no evidence for the label, 1 at the maximum.
    pub map: Vec<f32>,
    /// The label's probability.
    pub score: f32,
}

/// The map of output `label` for one normalised image `[1, 3, H, W]`.
///
/// Errors: a head without class maps, an output that does not exist.
pub fn cam(model: &Model, image: &Tensor, label: usize) -> Result<Cam> {
    let maps = model.class_maps(image)?.ok_or_else(|| {
        Error::argument(format!("head \"{}\" has no class activation maps", model.spec.head))
            .about_name(&model.spec.head)
            .with_help(match model.spec.head_code {
                None => "heads \"gap\" and \"conv\" have",
                Some(_) => "a closure gives them beside its logits: #{logits: y, maps: ...}, [N, m, h, w]",
            })
    })?;
    let size = maps.size();
    if label as i64 >= size[1] {
        return Err(Error::argument(format!("the model has {} outputs; got number {label}", size[1])));
    }
    let map = maps.f_select(0, 0)?.f_select(0, label as i64)?;
    let score = to_vec_f32(&map.f_mean(None)?.f_sigmoid()?)?[0];
    // Negative evidence is cut off; the rest is scaled to a maximum of 1.
    let positive = map.f_relu()?;
    let strongest = to_vec_f32(&positive.f_max()?)?[0].max(1e-6);
    let map = to_vec_f32(&positive.f_div_scalar(f64::from(strongest))?)?;
    Ok(Cam { height: size[2] as usize, width: size[3] as usize, map, score })
}
