//! Checks a specification and writes its defaults out.

use super::weights::{Found, Places, check_given};
use super::{LabelGraph, Lora, ModelSpec, backbones, heads};
use crate::error::{Error, Result};
use crate::options::Options;

impl ModelSpec {
    /// The file of the initial weights, downloaded if need be; none for random ones.
    ///
    /// Errors: an unknown backbone; weights that are missing ([`Places::find`]).
    pub fn find_weights(&self) -> Result<Option<Found>> {
        let Some(given) = &self.weights else { return Ok(None) };
        Places::configured().find(backbones::find(&self.backbone)?, given, self.download).map(Some)
    }

    /// Looks at the initial weights without reading them. Errors: an unknown backbone or set; no file that can be one of weights.
    pub fn check_weights(&self) -> Result<()> {
        let Some(given) = &self.weights else { return Ok(()) };
        check_given(backbones::find(&self.backbone)?, given)
    }

    /// The same specification with every default written out, checked. Two specifications of the same model resolve to
    /// equal values, so this form is the one to hash.
    ///
    /// # Errors
    /// An unknown backbone or head, a stage count or size out of range, a dropout outside [0, 1).
    pub fn resolved(&self) -> Result<ModelSpec> {
        let kind = backbones::find(&self.backbone)?;
        let head = heads::find(&self.head)?;
        if (head.name == heads::SCRIPT.name) != self.head_code.is_some() {
            return Err(Error::argument("head \"script\" is that of a closure, which is given in its place")
                .about_name(head.name)
                .with_help("head: |maps, p| p.linear(\"fc\", maps.mean([2, 3]), p.labels)"));
        }
        let all = (kind.stages)().len();
        let stages = self.stages.unwrap_or(all);
        if stages == 0 || stages > all {
            return Err(Error::argument(format!(
                "stages of backbone \"{}\" must be an integer from 1 to {all}. Got {stages} instead.",
                kind.name
            ))
            .about_name(kind.name));
        }
        if self.frozen && self.freeze > 0 {
            return Err(Error::argument(format!(
                "frozen keeps all stages as they are; leave freeze out. Got {} instead.",
                self.freeze
            )));
        }
        let freeze = if self.frozen { stages } else { self.freeze };
        if self.freeze > stages {
            return Err(Error::argument(format!(
                "freeze must be an integer from 0 to {stages}, the number of stages of \"{}\" that are used. \
                 Got {} instead.",
                kind.name, self.freeze
            ))
            .about_name(kind.name));
        }
        if !self.frozen_compute.is_exact() && (freeze == 0 || self.adapter.is_some() || self.lora.is_some()) {
            return Err(Error::argument(
                "frozen_compute has no effect: no stage is frozen, or adapter or lora train something inside of them",
            )
            .about_name(kind.name)
            .with_help("freeze: N freezes the first N stages, frozen: true all of them"));
        }
        let image_size = self.image_size.unwrap_or(kind.image_size);
        if !(16..=4096).contains(&image_size) {
            return Err(Error::argument(format!(
                "image_size must be an integer from 16 to 4096. Got {image_size} instead."
            )));
        }
        let head_width = match (head.default_width, self.head_width) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Error::argument(format!("head \"{}\" takes no head_width", head.name))
                    .about_name(head.name)
                    .with_help(format!("heads with a width: {}", heads::with_width().join(", "))));
            }
            (Some(width), given) => Some(given.unwrap_or(width)),
        };
        if let Some(width) = head_width
            && !(1..=65536).contains(&width)
        {
            return Err(Error::argument(format!(
                "head_width must be an integer from 1 to 65536. Got {width} instead."
            )));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::argument(format!(
                "dropout must be a number from 0 to below 1. Got {} instead.",
                self.dropout
            )));
        }
        let head_options = heads::resolved_options(head, &self.head_options)?;
        let needless = |option: &str| {
            Err(Error::argument(format!("head \"{}\" takes no {option}", head.name)).about_name(head.name))
        };
        if self.word_vectors.is_some() && !head.needs_words && self.adapter.is_none() {
            return needless("word_vectors");
        }
        if self.graph.is_some() && !head.needs_graph && self.adapter.is_none() {
            return needless("graph");
        }
        if kind.from_file && self.path.is_none() {
            return Err(Error::argument(format!("backbone \"{}\" needs path, the file of its module", kind.name))
                .about_name(kind.name)
                .with_help("as in model(\"torchscript\", #{path: \"net.pt\", labels: [...]})"));
        }
        if !kind.from_file && (self.path.is_some() || self.features.is_some()) {
            return Err(Error::argument(format!("backbone \"{}\" takes neither path nor features", kind.name))
                .about_name(kind.name)
                .with_help("they are those of backbone \"torchscript\"; a file of weights is given as weights"));
        }
        let lora = match self.lora.clone() {
            Some(lora) => {
                lora.check("lora")?;
                let mut on = lora.on;
                on.sort_unstable();
                on.dedup();
                if on.is_empty() {
                    return Err(Error::argument("lora needs at least one layer in on. Got [] instead.")
                        .with_help("on: [\"qkv\", \"proj\", \"fc1\", \"fc2\"] are all layers of a block"));
                }
                Some(Lora { on, ..lora })
            }
            None => None,
        };
        // Runs of heads that do not read the shares are named without them.
        let graph = self.graph.clone().map(|graph| match head.needs_shares || self.adapter.is_some() {
            true => graph,
            false => LabelGraph { shares: vec![], ..graph },
        });
        Ok(ModelSpec {
            head_options,
            graph,
            lora,
            freeze,
            frozen: false,
            image_size: Some(image_size),
            stages: Some(stages),
            head_width,
            ..self.clone()
        })
    }
}
