//! `cam`: class activation maps, one model beside another.

use rhai::{Dynamic, Engine, Map};

use crate::error::Result;
use crate::images::Dataset;
use crate::plots::{self, CamPanelOptions, Figure};
use crate::primitives::glue;
use crate::primitives::values::model::ModelValue;
use crate::reports::cams::{cam_columns, cam_rows};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
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
    details: "One row a picture of the dataset (twelve at most), one column a model, the models' probabilities below. Without a label, each \
picture shows the one of its labels on whose probability the models differ most. Source: Zhou et al., CVPR 2016.",
    options: Some(OptionDocs {
        defaults: options::defaults::<CamPanelOptions>,
        docs: || {
            crate::options::list(&[
                ("title", "above the figure"),
                ("subtitle", "below the title"),
                ("width", "pixels"),
                ("colours", "the ramp of the heat"),
                ("opacity", "of the heat over the picture"),
                ("heat_label", "beside the colour bar"),
            ])
        },
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet m = model(\"small_cnn\", #{labels: data.test.names, image_size: 48});\ncam(m, data.test.take(2))",
        prints: "Figure",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine
        .register_fn("cam", |m: Dynamic, d: Dataset| -> Fallible<Figure> { draw(&m, &d, None, &Map::new()).or_raise() })
        .register_fn("cam", |m: Dynamic, d: Dataset, l: &str| -> Fallible<Figure> {
            draw(&m, &d, Some(l), &Map::new()).or_raise()
        })
        .register_fn("cam", |m: Dynamic, d: Dataset, map: Map| -> Fallible<Figure> {
            draw(&m, &d, None, &map).or_raise()
        })
        .register_fn("cam", |m: Dynamic, d: Dataset, l: &str, map: Map| -> Fallible<Figure> {
            draw(&m, &d, Some(l), &map).or_raise()
        });
}

fn draw(models: &Dynamic, dataset: &Dataset, label: Option<&str>, map: &Map) -> Result<Figure> {
    let options: CamPanelOptions = options::parse("cam", map)?;
    let models: Vec<(String, Predictor)> = match models.as_map_ref() {
        Ok(map) => map
            .iter()
            .map(|(name, m)| one(&format!("\"{name}\""), "a Model", m).map(|m| (name.to_string(), m)))
            .collect::<Result<_>>()?,
        Err(_) => vec![("model".into(), one("the first argument", "a Model or a map of Models", models)?)],
    };
    plots::cam_panel(&cam_rows(&models, dataset, label)?, &cam_columns(&models), &options)
}

fn one(what: &str, expected: &str, value: &Dynamic) -> Result<Predictor> {
    glue::predictor("cam", value)
        .or_else(|_| glue::expect::<ModelValue>("cam", what, expected, value).map(|m| Predictor::Model(m.0)))
}
