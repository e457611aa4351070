//! C-Tran: general multi-label classification with transformers.

use tch::{Device, Kind, Tensor};

use super::published::{Layout, Published, moved_one_of, useless};
use super::transformer::{ENCODER, GroupWise, Init, PostNorm, PostNormConfig, maps, tokens};
use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Known, LabelLoss, OwnLoss, Seen, Truth};
use crate::error::{Error, Result};
use crate::losses::{Kl, KlForm, LossSpec, Reduction};
use crate::models::label_order::LabelOrder;
use crate::models::layers::LayerNorm;
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::torch::upload;

/// Lanchantin et al., "General multi-label image classification with transformers", CVPR 2021.
///
/// Tokens `[N, h·w + m, C]`: the positions, and per label a learned embedding plus that of its state (unknown, absent, present).
/// Layer norm, then post-norm encoder layers; the dot product of a label's own token with its row of a linear map gives its logit.
///
/// Training masks labels (`label_mask`): of each picture a number of labels, uniform in 0 to ⌊0.75 m⌋, is drawn and shown by their
/// states, and the training's loss is taken over the hidden ones alone. The pass's key decides which, so a resumed training shows the
/// same. Labels of unknown truth are never shown and not learned. In evaluation all labels are unknown. The embedding of "unknown"
/// keeps its first value, unless weights decay: it is the padding of the authors' embedding, which gets no gradient. Teachers teach
/// a student all labels, shown or hidden.
pub const C_TRAN: HeadKind = HeadKind {
    name: "c_tran",
    summary: "transformer over positions, label embeddings and label states, trained with some labels shown",
    paper: "Lanchantin et al., CVPR 2021",
    options: &[
        HeadOption::whole("layers", 3.0, 1.0, 24.0, "transformer layers"),
        HeadOption::whole("heads", 4.0, 1.0, 64.0, "attention heads; the backbone's channels must be a multiple of it"),
        HeadOption::whole(
            "feed_forward",
            0.0,
            0.0,
            65536.0,
            "width between the two linear maps of a layer; 0 is the backbone's channels",
        ),
        HeadOption::flag(
            "label_mask",
            true,
            "training shows a random part of the labels and learns the others (label mask training); without it there are no states",
        ),
        HeadOption::real("dropout", 0.1, 0.0, 0.9, "dropout in training"),
    ],
    published: Published {
        code: "github.com/QData/C-Tran 560cf6f, CTranModel (models/CTran.py) and run_epoch.py with --use_lmt",
        differs: "no label can be shown in evaluation",
        layouts: &[Layout { system: "C-Tran with ResNet-101", rename, labels: LabelOrder::Unknown }],
    },
    build: |p, setup| Ok(Box::new(CTran::new(p, setup)?)),
    ..COMMON
};

/// `self_attn_layers.0.transformer_layer.linear1.weight` → `head.self_attn_layers.0.linear1.weight`.
fn rename(name: &str, classifier: &str) -> Option<String> {
    // The ImageNet classifier, which the authors' backbone keeps.
    if name.starts_with("backbone.base_network.fc.") {
        return useless();
    }
    if let Some(rest) = name.strip_prefix("self_attn_layers.") {
        let (layer, rest) = rest.split_once('.')?;
        return Some(format!("head.self_attn_layers.{layer}.{}", rest.strip_prefix("transformer_layer.")?));
    }
    let last = format!("{classifier}.");
    let parts = [
        ("backbone.base_network.", ""),
        ("label_lt.", "head.label_lt."),
        ("known_label_lt.", "head.known_label_lt."),
        ("LayerNorm.", "head.norm."),
        ("output_linear.", &last),
    ];
    moved_one_of(name, &parts)
}

/// The most labels of a picture that are shown, as a share of all.
const SHOWN: f64 = 0.75;
/// Numbers of the random draws of a pass, far from those of dropouts.
const ORDER: u64 = 1 << 32;
const HOW_MANY: u64 = ORDER + 1;

struct CTran {
    /// [m, C]
    labels: Tensor,
    /// [3, C]: unknown, absent, present.
    states: Option<Tensor>,
    norm: LayerNorm,
    layers: Vec<PostNorm>,
    last: GroupWise,
}

impl CTran {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<CTran> {
        let head = p.at("head");
        let (m, d) = (setup.num_labels(), setup.inputs);
        let config = PostNormConfig::new(setup, &ENCODER, d, Init::Uniform)?;
        let layers = head.at("self_attn_layers");
        let layer = |i: i64| PostNorm::new(&layers.at(i), PostNormConfig { layer: i as u64, ..config });
        let bound = 1.0 / (d as f64).sqrt();
        Ok(CTran {
            labels: head.uniform("label_lt.weight", &[m, d], bound)?,
            states: match setup.flag("label_mask") {
                true => Some(head.uniform("known_label_lt.weight", &[3, d], bound)?),
                false => None,
            },
            norm: LayerNorm::new(&head.at("norm"), d, 1e-5)?,
            layers: (0..setup.integer("layers")).map(layer).collect::<Result<_>>()?,
            last: GroupWise::diagonal(&p.at(setup.classifier), m, d)?,
        })
    }

    /// `[N, m]`, boolean, on the CPU: which labels a training step shows.
    fn shown(&self, truth: Truth, pass: Pass) -> Result<Tensor> {
        // Few numbers, of which the loss needs to know how many there are: on a GPU, it would have to wait for them.
        let (size, device) = (truth.targets.size(), Device::Cpu);
        let (n, m) = (size[0], size[1]);
        // The place of each label in a random order of the picture's labels.
        let places = pass.uniform(&[n, m], ORDER, device)?.f_argsort(1, false)?.f_argsort(1, false)?;
        let most = (SHOWN * m as f64).floor();
        let count = pass.uniform(&[n, 1], HOW_MANY, device)?.f_mul_scalar(most + 1.0)?.f_floor()?;
        let shown = places.f_lt_tensor(&count)?;
        match truth.known {
            Some(known) => Ok(shown.f_logical_and(&Tensor::f_from_slice(known.entries())?.f_view([n, m])?)?),
            None => Ok(shown),
        }
    }

    /// Logits, and if `looks` the attention of the labels to the positions in the last layer `[N, m, h·w]`. `states`: `[N, m]`, 0 to
    /// 2; all unknown if none.
    fn run(
        &self,
        features: &Tensor,
        states: Option<&Tensor>,
        pass: Pass,
        looks: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let patches = tokens(features)?;
        let (size, m) = (patches.size(), self.labels.size()[0]);
        let mut labels = self.labels.f_unsqueeze(0)?.f_expand([size[0], m, size[2]], false)?;
        if let Some(embeddings) = &self.states {
            let states = match states {
                Some(states) => states.shallow_clone(),
                None => Tensor::f_zeros([size[0], m], (Kind::Int64, features.device()))?,
            };
            labels = labels.f_add(&Tensor::f_embedding(embeddings, &states, 0, false, false)?)?;
        }
        let mut x = self.norm.forward(&Tensor::f_cat(&[patches, labels], 1)?)?;
        let mut looked = None;
        for layer in &self.layers {
            let seen = layer.forward(&x, [&x, &x, &x], pass, looks)?;
            (x, looked) = (seen.values, seen.weights);
        }
        let own = self.last.forward(&x.f_narrow(1, size[1], m)?)?;
        Ok((own, looked.map(|weights| weights.f_narrow(1, size[1], m)?.f_narrow(2, 0, size[1])).transpose()?))
    }
}

/// The training's loss over the labels that were not shown.
fn over_hidden(logits: &Tensor, shown: &Tensor) -> Result<OwnLoss> {
    let (logits, hidden) = (logits.shallow_clone(), shown.f_logical_not()?);
    let m = hidden.size()[1] as usize;
    let hidden = Vec::<bool>::try_from(&hidden.f_reshape([-1])?)?;
    Ok(Box::new(move |loss: LabelLoss, targets: &Tensor| {
        if let LossSpec::Kl(Kl { form: KlForm::Softmax, .. }) = loss.spec {
            return Err(Error::argument(
                "head \"c_tran\" learns the labels that a step hides, so its loss may not be kl with form \"softmax\", which compares \
                 all labels of a picture with each other",
            )
            .about_option("loss")
            .with_help("form: \"bernoulli\" takes each label by itself; head_options: #{label_mask: false} hides no label"));
        }
        let known = match loss.known {
            Some(known) => known.among(&hidden)?,
            None => Known::new(hidden.clone(), m, targets.device())?,
        };
        LabelLoss { known: Some(&known), ..loss }.compute(&logits, targets)
    }))
}

impl Head for CTran {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.run(features, None, pass, false)?.0)
    }

    /// It shows labels to the model as present or absent.
    fn takes_soft_targets(&self) -> bool {
        false
    }

    /// Its mean is over the labels that a step hides, other numbers of each image.
    fn loss_is_by_image(&self, reduction: Reduction) -> bool {
        self.states.is_none() || reduction == Reduction::Sum
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let (true, Some(_), Some(truth)) = (pass.train, &self.states, seen.truth) else {
            return Ok(Answer { logits: self.logits(seen.maps, pass)?, own_loss: None });
        };
        let shown = self.shown(truth, pass)?;
        let given = upload(&shown, truth.targets.device())?.f_to_kind(Kind::Int64)?;
        let states = truth.targets.f_gt(0.5)?.f_to_kind(Kind::Int64)?.f_add_scalar(1)?.f_mul(&given)?;
        let logits = self.run(seen.maps, Some(&states), pass, false)?.0;
        let own_loss = over_hidden(&logits, &shown)?;
        Ok(Answer { logits, own_loss: Some(own_loss) })
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        self.run(features, None, Pass::EVAL, true)?.1.map(|weights| maps(&weights, features)).transpose()
    }
}
