//! MGTN: modular graph transformer networks.

use tch::{Kind, Tensor};

use super::graph_convolution::{GraphConvolutions, normalised};
use super::published::{moved, resnet_children, useless};
use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Layout, Published, Seen};
use crate::error::Result;
use crate::graph::two_communities;
use crate::models::backbones::{self, Backbone};
use crate::models::label_order::LabelOrder;
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::precision::full;
use crate::models::products::matmul;
use crate::torch::to_vec_f32;

/// Nguyen, Vu and Le, "Modular graph transformer networks for multi-label image classification", AAAI 2021.
///
/// Two backbones, one per label community, with max-pooled features `[N, 2C]`. A graph transformer (Yun et al. 2019)
/// chooses twice, by softmax, among the edges {identity, strong, weak} and multiplies the choices; two graph
/// convolutions 300 → hidden → 2C of the word vectors over the normalised product plus the identity give one classifier per
/// label. A module mask weights the half of it that belongs to the label's community by `mask` and the other by 1 - `mask`.
///
/// Edges are strong where P(j|i) is from `strong` up to 1, and weak from `weak` up to `strong`; a column of either sums to
/// `neighbours`. As in the authors' code, the scores of the choices start equal and are not trained, so that each choice is
/// the mean of the three edges; `train_choices` trains them. `centrality` multiplies each label's word vector by ten times
/// its eigenvector centrality (Bonacich 1972) among the labels that occur together at all, as in the authors' run on COCO.
///
/// The second backbone starts from the weights of the first and has its input, so frozen stages are shared.
pub const MGTN: HeadKind = HeadKind {
    name: "mgtn",
    summary: "one backbone per label community, classifiers from a graph transformer",
    paper: "Nguyen et al., AAAI 2021",
    options: &[
        HeadOption::whole("hidden", 2048.0, 1.0, 65536.0, "width between the graph convolutions"),
        HeadOption::real("strong", 0.4, 0.0, 1.0, "P(j|i) from which on an edge is strong"),
        HeadOption::real("weak", 0.2, 0.0, 1.0, "P(j|i) from which on an edge is weak; at most strong"),
        HeadOption::real("neighbours", 0.25, 0.0, 1.0, "sum of a column of strong or of weak edges"),
        HeadOption::real(
            "mask",
            0.999,
            0.0,
            1.0,
            "weight of the half of a classifier that reads the label's own backbone",
        ),
        HeadOption::flag("train_choices", false, "train the scores by which edges are chosen"),
        HeadOption::flag("centrality", true, "multiply word vectors by ten times the labels' eigenvector centrality"),
        HeadOption::real(
            "communities",
            0.12,
            0.0,
            1.0,
            "P(j|i) from which on labels are joined where communities are sought",
        ),
    ],
    needs_graph: true,
    needs_words: true,
    published: Published {
        code: "github.com/ReML-AI/MGTN 76bf9ea, MGTNResnet (models.py), GTLayer (gnn.py), AdjacencyHelper (util.py)",
        differs: "the authors read the two communities from a file and do not say how they were found: here they are the signs of \
                  the leading eigenvector of the modularity matrix (Newman 2006) of the graph joined at communities, which on the \
                  authors' COCO counts are theirs for 79 of 80 labels; a checkpoint of theirs brings its own",
        layouts: &[Layout {
            system: "MGTN (mgtn_final_86.9762.pth.tar, for resnext50_32x4d)",
            rename: their_name,
            labels: LabelOrder::Alphabetical,
        }],
    },
    build: |p, setup| Ok(Box::new(Mgtn::new(p, setup)?)),
    ..COMMON
};

/// Prefix of the second backbone's tensors. Weights given for the first backbone are loaded into these too.
pub const SECOND: &str = "head.second.";

fn their_name(name: &str, _: &str) -> Option<String> {
    match name {
        "mods" => Some("head.mask.weight".into()),
        "gtn.conv1.weight" => Some("head.choices.first.weight".into()),
        "gtn.conv2.weight" => Some("head.choices.second.weight".into()),
        // The forward pass does not read them.
        "gtn.conv1.scale" | "gtn.conv2.scale" => useless(),
        _ => match (name.strip_prefix("backbones.0."), name.strip_prefix("backbones.1.")) {
            (Some(rest), _) => resnet_children(rest),
            (_, Some(rest)) => Some(format!("{SECOND}{}", resnet_children(rest)?)),
            _ => moved(name, "gc", "head.gc"),
        },
    }
}

struct Mgtn {
    words: Tensor,
    /// [m, 1]: a factor of each label's word vector.
    scale: Tensor,
    /// [1, 3, m, m]: identity, strong, weak.
    edges: Tensor,
    /// [1, 3, 1, 1] each: scores of the two choices.
    choices: [Tensor; 2],
    convolutions: GraphConvolutions,
    /// [m, 2C]: weights of the classifiers' entries.
    mask: Tensor,
    other: Box<dyn Backbone>,
    freeze: usize,
    frozen_norms: bool,
    dropout: f64,
    stages: usize,
}

impl Mgtn {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Mgtn> {
        let head = p.at("head");
        let graph = setup.graph()?;
        let words = setup.words(p)?;
        let scale = match setup.flag("centrality") {
            true => centrality(&graph)?.f_mul_scalar(10.0)?,
            false => Tensor::f_ones([words.size()[0]], (Kind::Double, graph.device()))?,
        };
        let (hidden, m, spec) = (setup.integer("hidden"), setup.num_labels(), setup.spec);
        let (strong, neighbours) = (setup.number("strong"), setup.number("neighbours"));
        let weak = setup.number("weak").min(strong);
        // On the CPU, like the communities and the centrality: the last bits are then the same on every device.
        let edges = [
            Tensor::f_eye(m, (Kind::Float, graph.device()))?,
            edges_between(&graph, strong, 1.0, neighbours)?,
            edges_between(&graph, weak, strong, neighbours)?,
        ];
        let choices = head.at("choices").frozen_if(!setup.flag("train_choices"));
        let equal = |name: &str| choices.at(name).filled("weight", &[1, 3, 1, 1], 0.1);
        Ok(Mgtn {
            edges: Tensor::f_stack(&edges, 0)?.f_unsqueeze(0)?.f_to_device(p.device)?,
            choices: [equal("first")?, equal("second")?],
            convolutions: GraphConvolutions::new(&head, words.size()[1], hidden, 2 * setup.inputs)?,
            words,
            scale: scale.f_to_kind(Kind::Float)?.f_to_device(p.device)?.f_unsqueeze(1)?,
            // Where the mask is replaced, the communities are not sought: they take long for many labels.
            mask: head.at("mask").frozen_if(true).computed("weight", &[m, 2 * setup.inputs], || {
                module_mask(&communities(&graph, setup.number("communities"))?, setup.inputs, setup.number("mask"))
            })?,
            other: (backbones::find(&spec.backbone)?.build)(
                &p.copy_under(SECOND).frozen_norms_if(spec.frozen_norms),
                spec,
            )?,
            freeze: spec.fixed_stages(),
            frozen_norms: spec.frozen_norms,
            dropout: spec.dropout,
            stages: setup.stage_channels()?.len(),
        })
    }

    /// `[m, 2C]`
    fn classifiers(&self) -> Result<Tensor> {
        let chosen = |scores: &Tensor| -> Result<Tensor> {
            let weighted = self.edges.f_mul(&scores.f_softmax(1, None::<Kind>)?)?;
            Ok(weighted.f_sum_dim_intlist(&[1i64][..], false, None)?.f_squeeze_dim(0)?)
        };
        // Its numbers are sums of numbers from 0 on and nothing inverts it, so a GPU may make it in TensorFloat-32.
        let product = chosen(&self.choices[0])?.f_matmul(&chosen(&self.choices[1])?)?;
        let m = product.size()[0];
        let adjacency = normalised(&product.f_add(&Tensor::f_eye(m, (Kind::Float, product.device()))?)?)?;
        let words = self.words.f_mul(&self.scale)?;
        Ok(self.convolutions.forward(&words, &adjacency)?.f_mul(&self.mask)?)
    }

    /// From the features of both backbones `[N, 2C]`.
    fn scores(&self, pooled: &Tensor) -> Result<Tensor> {
        matmul(pooled, &self.classifiers()?.f_transpose(0, 1)?)
    }
}

fn pooled(maps: &Tensor) -> Result<Tensor> {
    Ok(maps.f_amax([2i64, 3], false)?)
}

/// `[m, m]`: the edges with weights from `least` up to below `end`, each column scaled to a sum of `neighbours`. Weights
/// from `end` on count as 0, as in the authors' code.
fn edges_between(graph: &Tensor, least: f64, end: f64, neighbours: f64) -> Result<Tensor> {
    let below = graph.f_lt(end)?.f_to_kind(Kind::Float)?.f_mul(graph)?;
    let joined = below.f_ge(least)?.f_logical_and(&below.f_lt(end)?)?.f_to_kind(Kind::Float)?;
    let sums = joined.f_sum_dim_intlist(&[0i64][..], true, None)?.f_add_scalar(1e-6)?;
    Ok(joined.f_mul_scalar(neighbours)?.f_div(&sums)?)
}

/// Whether each label `[m]` is in the second of the [`two_communities`] of the graph joined at `threshold`.
fn communities(graph: &Tensor, threshold: f64) -> Result<Tensor> {
    let m = graph.size()[0] as usize;
    let rows = to_vec_f32(graph)?;
    let joined = |weight: f32| f64::from(weight) >= threshold && weight > 0.0;
    let neighbours = |row: &[f32]| (0..).zip(row).filter(|(_, weight)| joined(**weight)).map(|(j, _)| j).collect();
    let lists: Vec<Vec<u32>> = rows.chunks(m.max(1)).map(neighbours).collect();
    Ok(Tensor::f_from_slice(&two_communities(&lists)?)?)
}

/// `[m, 2C]`: `own` in the half of the label's community, 1 - `own` in the other.
fn module_mask(in_second: &Tensor, channels: i64, own: f64) -> Result<Tensor> {
    let second = in_second.f_to_kind(Kind::Float)?.f_unsqueeze(1)?;
    let weight = |belongs: &Tensor| -> Result<Tensor> {
        let weight = belongs.f_mul_scalar(2.0 * own - 1.0)?.f_add_scalar(1.0 - own)?;
        Ok(weight.f_expand([-1, channels], false)?)
    };
    let first = second.f_neg()?.f_add_scalar(1.0)?;
    Ok(Tensor::f_cat(&[weight(&first)?, weight(&second)?], 1)?)
}

/// `[m]`, f64, with a norm of 1: the eigenvector centrality of each label among those joined by any positive weight, by power
/// iteration on A + I from equal numbers until their sum of changes is below m / 1,000,000, as networkx does, or for 100
/// steps. Equal for all labels if none are joined.
fn centrality(graph: &Tensor) -> Result<Tensor> {
    let joined = graph.f_gt(0.0)?;
    let a = joined.f_logical_or(&joined.f_transpose(0, 1)?)?.f_to_kind(Kind::Double)?;
    let m = a.size()[0];
    let mut x = Tensor::f_full([m], 1.0 / m as f64, (Kind::Double, a.device()))?;
    for _ in 0..100 {
        let next = x.f_add(&a.f_mv(&x)?)?;
        let next = next.f_div(&next.f_norm()?)?;
        let change = f64::try_from(next.f_sub(&x)?.f_abs()?.f_sum(Kind::Double)?)?;
        x = next;
        if change < m as f64 * 1e-6 {
            break;
        }
    }
    Ok(x)
}

impl Head for Mgtn {
    /// From the maps of both backbones side by side `[N, 2C, h, w]`, or `[N, C, h, w]` as if both returned the same.
    fn logits(&self, maps: &Tensor, _: Pass) -> Result<Tensor> {
        let pooled = pooled(maps)?;
        match pooled.size()[1] == self.mask.size()[1] {
            true => self.scores(&pooled),
            false => self.scores(&Tensor::f_cat(&[&pooled, &pooled], 1)?),
        }
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let through = || -> Result<Tensor> {
            let mut x = seen.input.shallow_clone();
            for stage in self.freeze + 1..=self.stages {
                x = self.other.stage(stage, &x, pass.train && !self.frozen_norms)?;
            }
            self.other.maps(&x)
        };
        let maps = full(&pass.precision.during(through)?)?;
        // The model drops maps of the first backbone as layer u64::MAX.
        let maps = pass.dropout_maps(&maps, self.dropout, u64::MAX - 1)?;
        Ok(Answer { logits: self.scores(&Tensor::f_cat(&[pooled(seen.maps)?, pooled(&maps)?], 1)?)?, own_loss: None })
    }

    fn class_maps(&self, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tch::Device;

    use super::*;
    use crate::models::{Beside, LabelGraph, Model, ModelSpec};

    fn of(rows: &[[f32; 5]; 5]) -> Tensor {
        Tensor::from_slice2(rows)
    }

    /// Labels {0, 1, 2} and {3, 4} with one weak edge between.
    const TWO: [[f32; 5]; 5] = [
        [0., 1., 1., 0., 0.],
        [1., 0., 1., 0., 0.],
        [1., 1., 0., 0.1, 0.],
        [0., 0., 0.1, 0., 1.],
        [0., 0., 0., 1., 0.],
    ];

    #[test]
    fn communities_hang_together() {
        let found = |rows, threshold| Vec::<bool>::try_from(communities(&of(rows), threshold).unwrap()).unwrap();
        assert_eq!(found(&TWO, 0.12), [false, false, false, true, true]);
        assert_eq!(found(&TWO, 0.05), [false, false, false, true, true]);
        // Everything joined, and nothing: one community.
        let mut all = [[0.5; 5]; 5];
        (0..5).for_each(|i| all[i][i] = 0.0);
        assert_eq!(found(&all, 0.12), [false; 5]);
        assert_eq!(found(&[[0.0; 5]; 5], 0.0), [false; 5]);
        let one = communities(&Tensor::from_slice2(&[[0.0_f32]]), 0.12).unwrap();
        assert_eq!(Vec::<bool>::try_from(one).unwrap(), [false]);
    }

    #[test]
    fn the_mask_weights_the_own_half() {
        let mask = module_mask(&Tensor::from_slice(&[false, true]), 2, 0.999).unwrap();
        let expected = Tensor::from_slice2(&[[0.999_f32, 0.999, 0.001, 0.001], [0.001, 0.001, 0.999, 0.999]]);
        assert!(mask.allclose(&expected, 0.0, 1e-7, false), "{mask}");
    }

    #[test]
    fn weights_of_1_are_no_edges() {
        let strong = edges_between(&of(&TWO), 0.4, 1.0, 0.25).unwrap();
        assert_eq!(f64::try_from(strong.abs().sum(Kind::Double)).unwrap(), 0.0);
        let weak = edges_between(&of(&TWO), 0.1, 0.4, 0.25).unwrap();
        assert!((weak.double_value(&[2, 3]) - 0.25).abs() < 1e-6 && weak.double_value(&[0, 1]) == 0.0);
    }

    #[test]
    fn centrality_is_the_leading_eigenvector() {
        // Of the star of a label and three others: (√3, 1, 1, 1) / √6.
        let mut rows = [[0.0_f32; 4]; 4];
        (1..4).for_each(|i| (rows[0][i], rows[i][0]) = (0.3, 0.01));
        let found = Vec::<f64>::try_from(centrality(&Tensor::from_slice2(&rows)).unwrap()).unwrap();
        assert!((found[0] - (0.5_f64).sqrt()).abs() < 1e-5 && (found[3] - (1.0_f64 / 6.0).sqrt()).abs() < 1e-5);
        let none = Vec::<f64>::try_from(centrality(&Tensor::zeros([4, 4], (Kind::Float, tch::Device::Cpu))).unwrap());
        assert_eq!(none.unwrap(), [0.5; 4]);
    }

    #[test]
    fn the_mask_is_a_tensor_of_the_model_and_its_file() {
        let labels: Vec<String> = (0..5).map(|i| format!("label {i}")).collect();
        let rows = TWO.iter().map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect();
        let spec = ModelSpec {
            backbone: "small_cnn".into(),
            image_size: Some(32),
            head: "mgtn".into(),
            word_vectors: Some("learned".into()),
            graph: Some(LabelGraph { labels: labels.clone(), rows, shares: vec![0.25; 5] }),
            ..ModelSpec::default()
        };
        let model = Model::new(&spec, &labels, 1, Device::Cpu).unwrap();
        let mask = |model: &Model| {
            let found = model.state().into_iter().find(|(name, _)| name == "head.mask.weight");
            found.unwrap().1
        };
        let made = mask(&model);
        assert!(!made.requires_grad());
        let second = [0, 1, 2, 3, 4].map(|label| made.double_value(&[label, 0]) < 0.5);
        assert_eq!(second, [false, false, false, true, true]);
        // Another solver would have found others: the file's are taken.
        let other = made.f_neg().unwrap().f_add_scalar(1.0).unwrap();
        mask(&model).set_data(&other);
        let file = model.to_safetensors(&serde_json::Value::Null).unwrap();
        let (read, _) = Model::parse_on(Path::new("m.safetensors"), &file, Beside::NONE, Device::Cpu).unwrap();
        assert_eq!(mask(&read), other);
    }
}
