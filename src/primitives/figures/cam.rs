//! `cam`: class activation maps, one model beside another.

use rhai::Dynamic;

use crate::error::Result;
use crate::images::Dataset;
use crate::plots::{self, CamPanelOptions, Figure};
use crate::primitives::parameters::{expect, predictor};
use crate::primitives::values::model::ModelValue;
use crate::reports::cams::{cam_columns, cam_rows};
use crate::script::call::{Call, Parameter};
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::Predictor;

pub const WORD: Word = Word {
    name: "cam",
    chapter: Chapter::Figures,
    signatures: &[
        "cam(model, dataset) -> Figure",
        "cam(#{name: model}, dataset) -> Figure",
        "cam(#{name: model}, dataset, label) -> Figure",
        "cam(#{name: model}, dataset, #{options}) -> Figure",
        "cam(#{name: model}, dataset, label, #{options}) -> Figure",
    ],
    summary: "Class activation maps over pictures: where each model sees the evidence for a label.",
    details: "One row per picture of the dataset (twelve at most), one column per model, the models' probabilities below. Without a label, each \
picture shows the one of its labels on whose probability the models differ most. Source: Zhou et al., CVPR 2016.",
    options: Some(OptionDocs::of::<CamPanelOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet m = model(\"small_cnn\", #{labels: data.test.names, image_size: 48});\ncam(m, data.test.take(2))",
        prints: "Figure",
    }],
    register: |word| {
        word.form(|models: Models, dataset: Dataset, options: CamPanelOptions| draw(&models, &dataset, None, &options))
            .form(|models: Models, dataset: Dataset, label: String, options: CamPanelOptions| {
                draw(&models, &dataset, Some(&label), &options)
            });
    },
};

fn draw(models: &Models, dataset: &Dataset, label: Option<&str>, options: &CamPanelOptions) -> Result<Figure> {
    plots::cam_panel(&cam_rows(&models.0, dataset, label)?, &cam_columns(&models.0), options)
}

/// One model, or a map of names to models.
struct Models(Vec<(String, Predictor)>);

impl Parameter for Models {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let Ok(map) = value.as_map_ref() else {
            let model = one(&value, call, "the first argument", "a Model or a map of Models")?;
            return Ok(Models(vec![("model".into(), model)]));
        };
        let named = |(name, value): (&rhai::Identifier, &Dynamic)| {
            let model = one(value, call, &format!("\"{name}\""), "a Model");
            model.map(|model| (name.to_string(), model)).map_err(|error| error.about_name(name.as_str()))
        };
        map.iter().map(named).collect::<Result<_>>().map(Models)
    }
}

fn one(value: &Dynamic, call: &Call, what: &str, expected: &str) -> Result<Predictor> {
    predictor(value, call)
        .or_else(|_| expect::<ModelValue>(value, call, what, expected).map(|model| Predictor::Model(model.0)))
}
