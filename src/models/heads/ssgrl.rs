//! SSGRL: semantic-specific graph representation learning.

use tch::Tensor;

use super::transformer::{GroupWise, maps, tokens};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::layers::Linear;
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Chen et al., "Learning semantic-specific graph representation for multi-label image recognition", ICCV 2019.
///
/// Each label's word vector guides attention over the positions (low-rank bilinear pooling, tanh), which gives one
/// feature per label `[N, m, C]`. A gated graph network runs `steps` times over P(j|i) and its transpose; a linear map
/// with tanh of [state; feature] and one dot product per label give the logits. Each gate has its own weights, as in
/// the paper (the authors' code shares one of them by mistake).
pub const SSGRL: HeadKind = HeadKind {
    name: "ssgrl",
    summary: "word-guided attention per label, then a gated graph network over the label graph",
    paper: "Chen et al., ICCV 2019",
    options: &[
        HeadOption::whole("hidden", 1024.0, 1.0, 65536.0, "width of the bilinear attention"),
        HeadOption::whole("steps", 3.0, 1.0, 20.0, "steps of the graph network"),
        HeadOption::whole("width", 2048.0, 1.0, 65536.0, "width before the last dot products"),
    ],
    needs_graph: true,
    needs_words: true,
    build: |p, setup| Ok(Box::new(Ssgrl::new(p, setup)?)),
    ..COMMON
};

struct Ssgrl {
    words: Tensor,
    graph: Tensor,
    image: Tensor,
    word: Tensor,
    bilinear: Linear,
    attention: Linear,
    /// Update, reset and candidate gates: linear maps of the messages and of the state.
    gates: [(Linear, Linear); 3],
    output: Linear,
    last: GroupWise,
    steps: i64,
}

impl Ssgrl {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Ssgrl> {
        let head = p.at("head");
        let graph = setup.graph()?.f_to_device(p.device)?;
        let words = setup.words(p)?;
        let (hidden, channels, width) = (setup.integer("hidden"), setup.inputs, setup.integer("width"));
        let gate = |name: &str| -> Result<(Linear, Linear)> {
            let part = |part: &str| head.at("graph").at(format!("{name}_{part}"));
            Ok((
                Linear::new(&part("message"), 2 * channels, channels)?,
                Linear::new(&part("state"), channels, channels)?,
            ))
        };
        let gates = [gate("update")?, gate("reset")?, gate("candidate")?];
        Ok(Ssgrl {
            image: head.normal("attention.image.weight", &[hidden, channels], (1.0 / (3 * channels) as f64).sqrt())?,
            word: head.normal(
                "attention.word.weight",
                &[hidden, words.size()[1]],
                (1.0 / (3 * words.size()[1]) as f64).sqrt(),
            )?,
            bilinear: Linear::new(&head.at("attention.bilinear"), hidden, hidden)?,
            attention: Linear::new(&head.at("attention.score"), hidden, 1)?,
            gates,
            output: Linear::new(&head.at("output"), 2 * channels, width)?,
            last: GroupWise::new(&p.at(setup.classifier), setup.num_labels(), width)?,
            steps: setup.integer("steps"),
            words,
            graph,
        })
    }

    /// Attention of each label over the positions `[N, m, h·w]`.
    fn looks(&self, positions: &Tensor) -> Result<Tensor> {
        let image = positions.f_linear(&self.image, None::<&Tensor>)?.f_unsqueeze(1)?;
        let word = self.words.f_linear(&self.word, None::<&Tensor>)?.f_unsqueeze(0)?.f_unsqueeze(2)?;
        let both = self.bilinear.forward(&image.f_mul(&word)?.f_tanh()?)?;
        Ok(self.attention.forward(&both)?.f_squeeze_dim(-1)?.f_softmax(-1, None::<tch::Kind>)?)
    }
}

impl Head for Ssgrl {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        let positions = tokens(features)?;
        let input = self.looks(&positions)?.f_matmul(&positions)?;
        let mut state = input.shallow_clone();
        let [update, reset, candidate] = &self.gates;
        let back = self.graph.f_transpose(0, 1)?;
        for _ in 0..self.steps {
            let messages = Tensor::f_cat(&[self.graph.f_matmul(&state)?, back.f_matmul(&state)?], 2)?;
            let z = update.0.forward(&messages)?.f_add(&update.1.forward(&state)?)?.f_sigmoid()?;
            let r = reset.0.forward(&messages)?.f_add(&reset.1.forward(&state)?)?.f_sigmoid()?;
            let next = candidate.0.forward(&messages)?.f_add(&candidate.1.forward(&r.f_mul(&state)?)?)?.f_tanh()?;
            state = state.f_add(&z.f_mul(&next.f_sub(&state)?)?)?;
        }
        let output = self.output.forward(&Tensor::f_cat(&[state, input], 2)?)?.f_tanh()?;
        self.last.forward(&output)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(maps(&self.looks(&tokens(features)?)?, features)?))
    }
}
