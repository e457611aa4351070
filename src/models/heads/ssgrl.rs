//! SSGRL: semantic-specific graph representation learning.

use tch::Tensor;

use super::published::{moved, moved_one_of};
use super::transformer::{GroupWise, maps, tokens};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup, Layout, Published};
use crate::error::Result;
use crate::models::label_order::LabelOrder;
use crate::models::layers::Linear;
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::precision::full;
use crate::models::products::{linear, matmul};

/// Chen et al., "Learning semantic-specific graph representation for multi-label image recognition", ICCV 2019.
///
/// Maps are average-pooled `pool` × `pool`. Each label's word vector guides attention over the positions (low-rank bilinear
/// pooling, tanh), which gives one feature per label `[N, m, C]`. A gated graph network runs `steps` times over P(j|i) and
/// its transpose; a linear map with tanh of [state; feature] and one dot product per label give the logits.
///
/// In the authors' code the reset gate reads the state through the weights of the update gate, and its own weights stay
/// unused; the paper gives each gate its own. `reset_gate` chooses.
pub const SSGRL: HeadKind = HeadKind {
    name: "ssgrl",
    summary: "word-guided attention per label, then a gated graph network over the label graph",
    paper: "Chen et al., ICCV 2019",
    options: &[
        HeadOption::whole("pool", 2.0, 1.0, 64.0, "side of the average pooling of the maps; at most that of the maps"),
        HeadOption::whole("hidden", 1024.0, 1.0, 65536.0, "width of the bilinear attention"),
        HeadOption::whole("steps", 3.0, 1.0, 20.0, "steps of the graph network"),
        HeadOption::one_of(
            "reset_gate",
            &["shared", "own"],
            "weights of the reset gate on the state: \"shared\" with the update gate, as in the authors' code, or its \"own\", as in the paper",
        ),
        HeadOption::whole("width", 2048.0, 1.0, 65536.0, "width before the last dot products"),
    ],
    needs_graph: true,
    needs_words: true,
    published: Published {
        code: "github.com/HCPLab-SYSU/SSGRL ea47ccb, SSGRL (models.py), semantic, GGNN, Element_Wise_Layer",
        differs: "the authors' matrix of label statistics (prob_train.npy) is not in their repository: here it is P(j|i) of the \
                  option graph, with a zero diagonal",
        layouts: &[Layout { system: "SSGRL (model_best_*.pth.tar)", rename: their_name, labels: LabelOrder::Unknown }],
    },
    build: |p, setup| Ok(Box::new(Ssgrl::new(p, setup)?)),
    ..COMMON
};

fn their_name(name: &str, classifier: &str) -> Option<String> {
    let parts = [
        ("resnet_101.", ""),
        ("word_semantic.fc_1.", "head.attention.image."),
        ("word_semantic.fc_2.", "head.attention.word."),
        ("word_semantic.fc_3.", "head.attention.bilinear."),
        ("word_semantic.fc_a.", "head.attention.score."),
        ("graph_net.fc_eq3_w.", "head.graph.update_message."),
        ("graph_net.fc_eq3_u.", "head.graph.update_state."),
        ("graph_net.fc_eq4_w.", "head.graph.reset_message."),
        ("graph_net.fc_eq4_u.", "head.graph.reset_state."),
        ("graph_net.fc_eq5_w.", "head.graph.candidate_message."),
        ("graph_net.fc_eq5_u.", "head.graph.candidate_state."),
        ("fc_output.", "head.output."),
    ];
    moved_one_of(name, &parts).or_else(|| moved(name, "classifiers.", &format!("{classifier}.")))
}

struct Ssgrl {
    words: Tensor,
    graph: Tensor,
    image: Tensor,
    word: Tensor,
    bilinear: Linear,
    attention: Linear,
    /// Update, reset and candidate gates: linear maps of the messages and of the state.
    gates: [(Linear, Linear); 3],
    /// Whether the reset gate reads the state through the update gate's weights.
    shared: bool,
    output: Linear,
    last: GroupWise,
    pool: i64,
    steps: i64,
}

impl Ssgrl {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Ssgrl> {
        let head = p.at("head");
        let graph = setup.graph()?.f_to_device(p.device)?;
        let words = setup.words(p)?;
        let (hidden, channels, width) = (setup.integer("hidden"), setup.inputs, setup.integer("width"));
        let shared = setup.choice("reset_gate") == "shared";
        let gate = |name: &str, unused: bool| -> Result<(Linear, Linear)> {
            let part = |part: &str| head.at("graph").at(format!("{name}_{part}"));
            Ok((
                Linear::new(&part("message"), 2 * channels, channels)?,
                // Weights without use are kept, untrained, as in the authors' checkpoints.
                Linear::new(&part("state").frozen_if(unused), channels, channels)?,
            ))
        };
        let gates = [gate("update", false)?, gate("reset", shared)?, gate("candidate", false)?];
        let no_bias = |name: &str, inputs: i64| {
            head.at("attention").at(name).uniform("weight", &[hidden, inputs], 1.0 / (inputs as f64).sqrt())
        };
        Ok(Ssgrl {
            image: no_bias("image", channels)?,
            word: no_bias("word", words.size()[1])?,
            bilinear: Linear::new(&head.at("attention.bilinear"), hidden, hidden)?,
            attention: Linear::new(&head.at("attention.score"), hidden, 1)?,
            gates,
            shared,
            output: Linear::new(&head.at("output"), 2 * channels, width)?,
            last: GroupWise::diagonal(&p.at(setup.classifier), setup.num_labels(), width)?,
            pool: setup.integer("pool"),
            steps: setup.integer("steps"),
            words,
            graph,
        })
    }

    fn pooled(&self, features: &Tensor) -> Result<Tensor> {
        let size = features.size();
        let kernel = [self.pool.min(size[2]), self.pool.min(size[3])];
        Ok(features.f_avg_pool2d(kernel, kernel, [0, 0], false, true, None)?)
    }

    /// Attention of each label over the positions `[N, m, h·w]`.
    fn looks(&self, positions: &Tensor) -> Result<Tensor> {
        let image = linear(positions, &self.image, None)?.f_unsqueeze(1)?;
        let word = linear(&self.words, &self.word, None)?.f_unsqueeze(0)?.f_unsqueeze(2)?;
        let both = self.bilinear.forward(&image.f_mul(&word)?.f_tanh()?)?;
        Ok(self.attention.forward(&both)?.f_squeeze_dim(-1)?.f_softmax(-1, tch::Kind::Float)?)
    }
}

impl Head for Ssgrl {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        let positions = tokens(&self.pooled(features)?)?;
        let input = full(&matmul(&self.looks(&positions)?, &positions)?)?;
        let mut state = input.shallow_clone();
        let [update, reset, candidate] = &self.gates;
        let reset_state = if self.shared { &update.1 } else { &reset.1 };
        let back = self.graph.f_transpose(0, 1)?;
        for _ in 0..self.steps {
            let messages = Tensor::f_cat(&[matmul(&self.graph, &state)?, matmul(&back, &state)?], 2)?;
            let z = update.0.forward(&messages)?.f_add(&update.1.forward(&state)?)?.f_sigmoid()?;
            let r = reset.0.forward(&messages)?.f_add(&reset_state.forward(&state)?)?.f_sigmoid()?;
            let next = candidate.0.forward(&messages)?.f_add(&candidate.1.forward(&r.f_mul(&state)?)?)?.f_tanh()?;
            state = state.f_add(&z.f_mul(&next.f_sub(&state)?)?)?;
        }
        self.last.forward(&self.output.forward(&Tensor::f_cat(&[state, input], 2)?)?.f_tanh()?)
    }

    /// The attention over the pooled positions, each repeated over the positions that it covers.
    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let (pooled, size) = (self.pooled(features)?, features.size());
        let looks = maps(&self.looks(&tokens(&pooled)?)?, &pooled)?;
        Ok(Some(looks.f_upsample_nearest2d([size[2], size[3]], None, None)?))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tch::{Device, Kind};

    use super::super::{HeadValue, find};
    use super::*;
    use crate::models::params::Params;
    use crate::models::{LabelGraph, ModelSpec};

    #[test]
    fn the_reset_gate_reads_through_shared_or_its_own_weights() {
        let labels = ["a".to_string(), "b".to_string()];
        let graph = LabelGraph { labels: labels.to_vec(), rows: vec![vec![0.0, 0.5], vec![0.4, 0.0]], shares: vec![] };
        let x = Tensor::arange(2 * 4 * 3 * 3, (Kind::Float, Device::Cpu)).sin().reshape([2, 4, 3, 3]);
        // Logits before and after the reset gate's own weights on the state change.
        let logits = |gate: &str| -> [Tensor; 2] {
            let options = [("reset_gate", HeadValue::Name(gate.into())), ("width", 6.0.into()), ("hidden", 5.0.into())];
            let spec = ModelSpec {
                head: "ssgrl".into(),
                head_options: options.map(|(name, value)| (name.to_string(), value)).into(),
                word_vectors: Some("learned".into()),
                graph: Some(graph.clone()),
                ..ModelSpec::default()
            };
            let params = RefCell::new(Params::default());
            let setup = HeadSetup::new(&spec, 4, &labels, "fc").unwrap();
            let head = (find("ssgrl").unwrap().build)(&Scope::root(&params, 1, Device::Cpu), &setup).unwrap();
            let before = head.logits(&x, Pass::EVAL).unwrap();
            let params = params.into_inner();
            let own = params.list.iter().find(|p| p.name == "head.graph.reset_state.weight").unwrap();
            assert_eq!(own.frozen, gate == "shared");
            let _ = tch::no_grad(|| own.tensor.detach().fill_(0.7));
            [before, head.logits(&x, Pass::EVAL).unwrap()]
        };
        let ([shared, same], [own, other]) = (logits("shared"), logits("own"));
        assert_eq!(shared, same);
        assert_ne!(own, other);
        assert_ne!(shared, own);
    }
}
