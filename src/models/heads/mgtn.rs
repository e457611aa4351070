//! MGTN: modular graph transformer networks.

use tch::{Kind, Tensor};

use super::ml_gcn::normalised;
use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Seen};
use crate::error::Result;
use crate::models::backbones::{self, Backbone};
use crate::models::layers::leaky_relu;
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Nguyen, Vu and Le, "Modular graph transformer networks for multi-label image classification", AAAI 2021.
///
/// Two backbones, one per label community, with max-pooled features `[N, 2C]`. A graph transformer (Yun et al. 2019)
/// chooses twice, by softmax, among the edges {identity, strong, weak} and multiplies the choices; two graph
/// convolutions 300 → hidden → 2C of the word vectors over the normalised product give one classifier per label. The
/// module mask keeps the half of it that belongs to the label's community. Choices of this implementation: communities
/// are the signs of the Laplacian's second eigenvector; edges are strong from `strong` on, and weak from `weak` up to
/// `strong`; the second backbone starts from the weights of the first and has its input, so frozen stages are shared.
pub const MGTN: HeadKind = HeadKind {
    name: "mgtn",
    summary: "one backbone per label community, classifiers from a graph transformer",
    paper: "Nguyen et al., AAAI 2021",
    options: &[
        HeadOption::whole("hidden", 2048.0, 1.0, 65536.0, "width between the graph convolutions"),
        HeadOption::real("strong", 0.4, 0.0, 1.0, "P(j|i) from which on an edge is strong"),
        HeadOption::real("weak", 0.1, 0.0, 1.0, "P(j|i) from which on an edge is at least weak"),
    ],
    needs_graph: true,
    needs_words: true,
    build: |p, setup| Ok(Box::new(Mgtn::new(p, setup)?)),
    ..COMMON
};

/// Prefix of the second backbone's tensors. Weights given for the first backbone are loaded into these too.
pub const SECOND: &str = "head.second.";

struct Mgtn {
    words: Tensor,
    /// [3, m, m]: identity, strong, weak.
    edges: Tensor,
    /// [2, 3]: scores of the two choices.
    choices: Tensor,
    first: Tensor,
    second: Tensor,
    /// [m, 2C] of 0 and 1.
    mask: Tensor,
    other: Box<dyn Backbone>,
    freeze: usize,
    stages: usize,
}

impl Mgtn {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Mgtn> {
        let head = p.at("head");
        let graph = setup.graph()?;
        // Found on the CPU on every device: another solver may give another vector of a repeated eigenvalue.
        let second = community(&graph)?.f_to_device(p.device)?.f_unsqueeze(1)?;
        let graph = graph.f_to_device(p.device)?;
        let words = setup.words(p)?;
        let (hidden, m) = (setup.integer("hidden"), setup.num_labels());
        let (strong, weak) = (graph.f_ge(setup.number("strong"))?, graph.f_ge(setup.number("weak"))?);
        let weak = weak.f_logical_and(&strong.f_logical_not()?)?;
        let eye = Tensor::f_eye(m, (Kind::Float, p.device))?;
        let edges = Tensor::f_stack(&[eye, strong.f_to_kind(Kind::Float)?, weak.f_to_kind(Kind::Float)?], 0)?;
        let mask = Tensor::f_cat(
            &[second.f_logical_not()?.f_expand([m, setup.inputs], false)?, second.f_expand([m, setup.inputs], false)?],
            1,
        )?;
        Ok(Mgtn {
            edges,
            choices: head.normal("choices.weight", &[2, 3], 0.01)?,
            first: head.normal("gc1.weight", &[words.size()[1], hidden], (1.0 / (3 * hidden) as f64).sqrt())?,
            second: head.normal("gc2.weight", &[hidden, 2 * setup.inputs], (1.0 / (6 * setup.inputs) as f64).sqrt())?,
            words,
            mask: mask.f_to_kind(Kind::Float)?,
            other: (backbones::find(&setup.spec.backbone)?.build)(&p.copy_under(SECOND), setup.spec)?,
            freeze: setup.spec.freeze,
            stages: setup.stage_channels()?.len(),
        })
    }

    /// `[m, 2C]`
    fn classifiers(&self) -> Result<Tensor> {
        let chosen = Tensor::f_einsum(
            "ce,eij->cij",
            &[self.choices.f_softmax(1, None::<Kind>)?, self.edges.shallow_clone()],
            None::<&[i64]>,
        )?;
        let product = chosen.f_select(0, 0)?.f_matmul(&chosen.f_select(0, 1)?)?;
        let adjacency = normalised(&product.f_add(&self.edges.f_select(0, 0)?)?)?;
        let hidden = leaky_relu(&adjacency.f_matmul(&self.words.f_matmul(&self.first)?)?, 0.2)?;
        Ok(adjacency.f_matmul(&hidden.f_matmul(&self.second)?)?.f_mul(&self.mask)?)
    }

    fn of(&self, one: &Tensor, two: &Tensor) -> Result<Tensor> {
        let pooled = Tensor::f_cat(&[one.f_amax([2i64, 3], false)?, two.f_amax([2i64, 3], false)?], 1)?;
        Ok(pooled.f_matmul(&self.classifiers()?.f_transpose(0, 1)?)?)
    }
}

/// Whether each label `[m]` is in the second of two communities, which is that of the last label: communities are the
/// signs of the second eigenvector of the normalised Laplacian of (P + Pᵀ) / 2.
fn community(graph: &Tensor) -> Result<Tensor> {
    let both = graph.f_add(&graph.f_transpose(0, 1)?)?.f_mul_scalar(0.5)?.f_to_kind(Kind::Double)?;
    let m = both.size()[0];
    if m < 2 {
        return Ok(Tensor::f_zeros([m], (Kind::Bool, graph.device()))?);
    }
    let scale = both.f_sum_dim_intlist(&[1i64][..], false, None)?.f_clamp_min(1e-12)?.f_rsqrt()?;
    let laplacian = both.f_mul(&scale.f_unsqueeze(0)?)?.f_mul(&scale.f_unsqueeze(1)?)?.f_neg()?;
    let (_, vectors) = laplacian.f_linalg_eigh("L")?;
    let side = vectors.f_select(1, 1)?.f_ge(0.0)?;
    // An eigenvector's sign is arbitrary.
    Ok(side.f_eq_tensor(&side.f_select(0, m - 1)?)?)
}

impl Head for Mgtn {
    /// As if both backbones returned the same maps.
    fn logits(&self, maps: &Tensor, _: Pass) -> Result<Tensor> {
        self.of(maps, maps)
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let mut x = seen.input.shallow_clone();
        for stage in self.freeze + 1..=self.stages {
            x = self.other.stage(stage, &x, pass.train)?;
        }
        Ok(Answer { logits: self.of(seen.maps, &self.other.maps(&x)?)?, own_loss: None })
    }

    fn class_maps(&self, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_are_what_hangs_together() {
        // Labels {0, 1, 2} and {3, 4} with one weak edge between.
        let rows: [[f32; 5]; 5] = [
            [0., 1., 1., 0., 0.],
            [1., 0., 1., 0., 0.],
            [1., 1., 0., 0.1, 0.],
            [0., 0., 0.1, 0., 1.],
            [0., 0., 0., 1., 0.],
        ];
        let graph = Tensor::from_slice2(&rows);
        let second = Vec::<bool>::try_from(community(&graph).unwrap()).unwrap();
        assert_eq!(second, [false, false, false, true, true]);
    }
}
