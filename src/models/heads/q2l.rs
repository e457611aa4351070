//! Query2Label.

use tch::{Device, Kind, Tensor};

use super::published::{Layout, Published, moved_one_of, useless};
use super::transformer::{DECODER, ENCODER, GroupWise, Init, PostNorm, PostNormConfig, maps, tokens};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::{Error, Result};
use crate::models::label_order::LabelOrder;
use crate::models::layers::{LayerNorm, Linear};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::torch::Constants;

/// Liu et al., "Query2Label: a simple transformer way to multi-label classification", 2021, with the settings of its
/// ResNet-101 rows.
///
/// Normalised sine positions are added to queries and keys of post-norm encoder layers over the positions. Decoder layers without
/// self-attention start from 0 `[N, m, d]`: each asks the positions with its input plus the learned label queries `[m, d]`, and
/// adds the answer to its input. A last layer norm; one dot product and bias per label.
///
/// The positions' features go through a 1×1 convolution C → d first (`input_proj`), as in the code of CPSD, whose Query2Label rows
/// this head reproduces by default. The code of Query2Label itself leaves it out unless asked, and so do the checkpoints of its
/// ResNet-101 rows: `input_proj: false`.
pub const Q2L: HeadKind = HeadKind {
    name: "q2l",
    summary: "Query2Label: learned label queries attend to the positions of an encoder",
    paper: "Liu et al., 2021",
    options: &[
        HeadOption::whole(
            "width",
            2048.0,
            0.0,
            8192.0,
            "width of the transformer, a multiple of 4; 0 is the backbone's channels",
        ),
        HeadOption::whole("encoder_layers", 1.0, 0.0, 12.0, "encoder layers"),
        HeadOption::whole("decoder_layers", 2.0, 1.0, 12.0, "decoder layers"),
        HeadOption::whole("heads", 4.0, 1.0, 64.0, "attention heads; width must be a multiple of it"),
        HeadOption::whole("feed_forward", 8192.0, 1.0, 65536.0, "width between the two linear maps of a layer"),
        HeadOption::flag(
            "input_proj",
            true,
            "1×1 convolution before the encoder, as in CPSD's code; Query2Label's own code and checkpoints have none",
        ),
        HeadOption::real("dropout", 0.1, 0.0, 0.9, "dropout in training"),
    ],
    published: Published {
        code: "github.com/Robbie-Xu/CPSD bf8784b, Qeruy2Label (model/model_q2l.py); github.com/SlongLiu/query2labels 55eb050, Qeruy2Label \
               (lib/models/query2label.py)",
        differs: "positions follow the size of the maps; the published code fixes it when the model is built",
        // The first of equals is taken: a file without input_proj is Query2Label's own.
        layouts: &[
            Layout {
                system: "Query2Label, with input_proj: false (Q2L-R101-448, Q2L-R101-576)",
                rename: |name, classifier| rename(name, classifier).filter(|_| !name.starts_with("input_proj.")),
                labels: LabelOrder::CategoryIds,
            },
            Layout { system: "CPSD with Query2Label (CPSD-Q2L-448-COCO)", rename, labels: LabelOrder::Alphabetical },
        ],
    },
    build: |p, setup| Ok(Box::new(Q2l::new(p, setup)?)),
    ..COMMON
};

fn rename(name: &str, classifier: &str) -> Option<String> {
    // The positions, a constant.
    if name == "backbone.1.pe" {
        return useless();
    }
    if let Some(leaf) = name.strip_prefix("fc.") {
        return match leaf {
            "W" => Some(format!("{classifier}.weight")),
            "b" => Some(format!("{classifier}.bias")),
            _ => None,
        };
    }
    let parts = [
        ("backbone.0.body.", ""),
        ("transformer.", "head.transformer."),
        ("input_proj.", "head.input_proj."),
        ("query_embed.", "head.query_embed."),
    ];
    moved_one_of(name, &parts)
}

/// [`sine`] by channels, height and width of the maps.
static POSITIONS: Constants<Vec<i64>> = Constants::new();

struct Q2l {
    project: Option<Linear>,
    queries: Tensor,
    encoder: Vec<PostNorm>,
    decoder: Vec<PostNorm>,
    norm: LayerNorm,
    last: GroupWise,
}

impl Q2l {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Q2l> {
        let head = p.at("head");
        let width = match setup.integer("width") {
            0 => setup.inputs,
            width => width,
        };
        if width % 4 != 0 {
            let expected = "a multiple of 4, for sine and cosine of rows and columns";
            return Err(Error::option("width", "head \"q2l\"", expected, width));
        }
        let project = match setup.flag("input_proj") {
            true => Some(Linear::pointwise(&head.at("input_proj"), setup.inputs, width)?),
            false if width != setup.inputs => {
                return Err(Error::argument(format!(
                    "head \"q2l\" without input_proj has the backbone's width, {}. Got width {width} instead.",
                    setup.inputs
                ))
                .about_option("width")
                .with_help("width: 0 is the backbone's"));
            }
            false => None,
        };
        let transformer = head.at("transformer");
        let layers = |part: &str, names, count: i64, first: i64| -> Result<Vec<PostNorm>> {
            let config = PostNormConfig::new(setup, names, width, Init::Xavier)?;
            let p = transformer.at(part).at("layers");
            let layer = |i: i64| PostNorm::new(&p.at(i), PostNormConfig { layer: (first + i) as u64, ..config });
            (0..count).map(layer).collect()
        };
        let (before, after) = (setup.integer("encoder_layers"), setup.integer("decoder_layers"));
        let encoder = layers("encoder", &ENCODER, before, 0)?;
        let decoder = layers("decoder", &DECODER, after, before)?;
        Ok(Q2l {
            project,
            queries: head.normal("query_embed.weight", &[setup.num_labels(), width], 1.0)?,
            encoder,
            decoder,
            norm: LayerNorm::new(&transformer.at("decoder.norm"), width, 1e-5)?,
            last: GroupWise::new(&p.at(setup.classifier), setup.num_labels(), width)?,
        })
    }

    /// Logits, and if `looks` the attention of the labels to the positions in the last layer `[N, m, h·w]`.
    fn run(&self, features: &Tensor, pass: Pass, looks: bool) -> Result<(Tensor, Option<Tensor>)> {
        let maps = match &self.project {
            Some(project) => project.on_maps(features)?,
            None => features.shallow_clone(),
        };
        let positions = POSITIONS.get(maps.size()[1..].to_vec(), maps.device(), Kind::Float, || sine(&maps))?;
        let mut memory = tokens(&maps)?;
        for layer in &self.encoder {
            let placed = memory.f_add(&positions)?;
            memory = layer.forward(&memory, [&placed, &placed, &memory], pass, false)?.values;
        }
        let (n, size) = (features.size()[0], self.queries.size());
        let mut x = Tensor::f_zeros([n, size[0], size[1]], (Kind::Float, features.device()))?;
        let placed = memory.f_add(&positions)?;
        let mut looked = None;
        for layer in &self.decoder {
            let seen = layer.forward(&x, [&x.f_add(&self.queries)?, &placed, &memory], pass, looks)?;
            (x, looked) = (seen.values, seen.weights);
        }
        Ok((self.last.forward(&self.norm.forward(&x)?)?, looked))
    }
}

/// Sine positions `[1, h·w, d]` of DETR: rows in the first half of the channels, columns in the second, counted from 1
/// and normalised to 2π, sine and cosine alternating.
fn sine(maps: &Tensor) -> Result<Tensor> {
    let size = maps.size();
    let (d, h, w, options) = (size[1], size[2], size[3], (Kind::Float, Device::Cpu));
    let half = d / 2;
    let exponent = Tensor::f_arange(half, options)?.f_div_scalar_mode(2.0, "floor")?.f_mul_scalar(2.0 / half as f64)?;
    let wave = Tensor::f_full([1], 10_000.0, options)?.f_pow(&exponent)?;
    let axis = |n: i64| -> Result<Tensor> {
        let at = Tensor::f_arange(n, options)?
            .f_add_scalar(1.0)?
            .f_mul_scalar(2.0 * std::f64::consts::PI / (n as f64 + 1e-6))?;
        let angle = at.f_unsqueeze(1)?.f_div(&wave)?.f_view([n, half / 2, 2])?;
        let both = [angle.f_select(2, 0)?.f_sin()?, angle.f_select(2, 1)?.f_cos()?];
        Ok(Tensor::f_stack(&both, 2)?.f_view([n, half])?)
    };
    let rows = axis(h)?.f_unsqueeze(1)?.f_expand([h, w, half], false)?;
    let columns = axis(w)?.f_unsqueeze(0)?.f_expand([h, w, half], false)?;
    Ok(Tensor::f_cat(&[rows, columns], 2)?.f_reshape([1, h * w, d])?)
}

impl Head for Q2l {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.run(features, pass, false)?.0)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        self.run(features, Pass::EVAL, true)?.1.map(|weights| maps(&weights, features)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::models::ModelSpec;
    use crate::models::heads::HeadValue;
    use crate::models::params::Params;

    fn error(options: &[(&str, HeadValue)]) -> String {
        let head_options = options.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
        let spec = ModelSpec { head: "q2l".into(), head_options, ..ModelSpec::default() }.resolved().unwrap();
        let (params, labels) = (RefCell::new(Params::default()), ["a".to_string()]);
        let setup = HeadSetup::new(&spec, 16, &labels, "fc").unwrap();
        (Q2L.build)(&Scope::root(&params, 0, Device::Cpu), &setup).err().unwrap().message
    }

    #[test]
    fn sizes_that_do_not_fit_are_errors() {
        let (off, number) = (HeadValue::Flag(false), HeadValue::Number);
        let wide = error(&[("input_proj", off), ("width", number(32.0))]);
        assert!(wide.contains("without input_proj has the backbone's width, 16. Got width 32"), "{wide}");
        let odd = error(&[("width", number(6.0)), ("heads", number(2.0))]);
        assert!(odd.contains("must be a multiple of 4") && odd.contains("got 6"), "{odd}");
        let heads = error(&[("width", number(16.0)), ("heads", number(3.0))]);
        assert!(heads.contains("of width 16") && heads.contains("Got heads 3"), "{heads}");
    }
}
