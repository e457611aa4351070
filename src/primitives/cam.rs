//! `cam`: class activation maps, one model beside another.

use rhai::{Dynamic, Engine, Map};
use tch::Tensor;

use super::values::model::ModelValue;
use super::{Chapter, Example, OptionDocs, Word, glue};
use crate::error::{Error, Result};
use crate::images::{Dataset, augment};
use crate::models::cam::cam;
use crate::plots::{self, CamCell, CamPanelOptions, CamRow, Figure, Heat, Picture};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::training::Trained;

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
        docs: &[
            ("title", "above the figure"),
            ("subtitle", "below the title"),
            ("width", "pixels"),
            ("colours", "the ramp of the heat"),
            ("opacity", "of the heat over the picture"),
            ("heat_label", "beside the colour bar"),
        ],
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet m = model(\"small_cnn\", #{labels: data.test.names, image_size: 48});\ncam(m, data.test.take(2))",
        prints: "Figure",
    }],
    register: |engine, _| register(engine),
};

/// Pictures in one panel.
const MOST: usize = 12;

fn register(engine: &mut Engine) {
    engine
        .register_fn("cam", |m: Dynamic, d: Dataset| -> Fallible<Figure> { draw(&m, &d, None, &Map::new()).or_raise() })
        .register_fn("cam", |m: Dynamic, d: Dataset, l: &str| -> Fallible<Figure> { draw(&m, &d, Some(l), &Map::new()).or_raise() })
        .register_fn("cam", |m: Dynamic, d: Dataset, map: Map| -> Fallible<Figure> { draw(&m, &d, None, &map).or_raise() })
        .register_fn("cam", |m: Dynamic, d: Dataset, l: &str, map: Map| -> Fallible<Figure> { draw(&m, &d, Some(l), &map).or_raise() });
}

fn draw(models: &Dynamic, dataset: &Dataset, label: Option<&str>, map: &Map) -> Result<Figure> {
    let options: CamPanelOptions = options::parse("cam", map)?;
    let models: Vec<(String, Trained)> = match models.as_map_ref() {
        Ok(map) => map
            .iter()
            .map(|(name, m)| glue::expect::<ModelValue>("cam", &format!("\"{name}\""), "a Model", m).map(|m| (name.to_string(), m.0)))
            .collect::<Result<_>>()?,
        Err(_) => vec![("model".into(), glue::expect::<ModelValue>("cam", "the first argument", "a Model or a map of Models", models)?.0)],
    };
    if models.is_empty() || dataset.is_empty() {
        return Err(Error::argument("cam needs at least one model and one picture"));
    }
    if let Some(label) = label {
        dataset.labels.label_index(label)?;
    }
    let mut rows = Vec::new();
    for i in 0..dataset.len().min(MOST) {
        rows.push(row(&models, dataset, i, label)?);
    }
    let columns: Vec<String> = std::iter::once("picture".to_string()).chain(models.iter().map(|(n, _)| n.clone())).collect();
    plots::cam_panel(&rows, &columns, &options)
}

/// One picture under every model.
fn row(models: &[(String, Trained)], dataset: &Dataset, image: usize, label: Option<&str>) -> Result<CamRow> {
    let picture = dataset.picture(image)?;
    let candidates: Vec<String> = match label {
        Some(label) => vec![label.to_string()],
        None => dataset.labels.row(image).iter().map(|&l| dataset.labels.labels()[l as usize].clone()).collect(),
    };
    let candidates = if candidates.is_empty() { dataset.labels.labels()[..1].to_vec() } else { candidates };
    // For each label, the map of each model.
    let mut best = None;
    for label in candidates {
        let maps = models.iter().map(|(_, m)| one(m, &picture, &label)).collect::<Result<Vec<_>>>()?;
        let scores = maps.iter().map(|m| m.score);
        let spread = scores.clone().fold(f32::MIN, f32::max) - scores.fold(f32::MAX, f32::min);
        if best.as_ref().is_none_or(|(most, _, _)| spread > *most) {
            best = Some((spread, label, maps));
        }
    }
    let Some((_, label, maps)) = best else { return Err(Error::internal("a picture without a label to show")) };
    let plain = Picture::new(picture.width, picture.height, picture.rgb.clone())?;
    let mut cells = vec![CamCell { picture: plain.clone(), heat: None, caption: String::new() }];
    for map in maps {
        let caption = format!("{label} {:.2}", map.score);
        cells.push(CamCell { picture: plain.clone(), heat: Some(Heat::new(map.height, map.width, map.map)?), caption });
    }
    Ok(CamRow { title: label, cells })
}

fn one(trained: &Trained, picture: &crate::images::Picture, label: &str) -> Result<crate::models::cam::Cam> {
    let output = trained.labels.iter().position(|l| l == label).ok_or_else(|| {
        Error::unknown("label of the model", label, trained.labels.iter().map(String::as_str))
    })?;
    let model = trained.model();
    let side = model.image_size();
    let pixels = Tensor::f_from_slice(&augment::center(picture, side as u32)?)?.f_view([1, side, side, 3])?;
    cam(&model, &model.normalise(&pixels)?, output)
}
