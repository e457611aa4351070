//! Class activation maps of several models over the same pictures.

use tch::Tensor;

use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::executors::device_pool;
use crate::images::{Dataset, augment};
use crate::models::cam::{Cam, cam};
use crate::plots::{CamCell, CamRow, Heat, Picture};
use crate::training::{Predictor, Trained};

/// The most pictures in one panel.
pub const MOST_PICTURES: usize = 12;

/// The first pictures of `dataset` (at most twelve), one per row: the picture itself, then the map of every model with
/// its probability below. Without a `label`, each row shows the label of its picture on whose probability the models
/// differ most. Of an ensemble, the teacher that answers for the label is used.
///
/// Errors: no model or picture, an unknown label, a label that a model does not answer for, a head without class maps.
pub fn cam_rows(models: &[(String, Predictor)], dataset: &Dataset, label: Option<&str>) -> Result<Vec<CamRow>> {
    if models.is_empty() || dataset.is_empty() {
        return Err(Error::argument("cam needs at least one model and one picture"));
    }
    if let Some(label) = label {
        dataset.labels.label_index(label)?;
    }
    (0..dataset.len().min(MOST_PICTURES)).map(|image| row(models, dataset, image, label)).collect()
}

/// The titles of the columns.
pub fn cam_columns(models: &[(String, Predictor)]) -> Vec<String> {
    std::iter::once("picture".to_string()).chain(models.iter().map(|(name, _)| name.clone())).collect()
}

/// The models whose heads have class activation maps. All models must answer for the labels of `dataset`.
pub fn with_maps(models: &[(String, Predictor)], dataset: &Dataset) -> Result<Vec<(String, Predictor)>> {
    let (Some(label), false) = (dataset.labels.labels().first(), dataset.is_empty()) else { return Ok(vec![]) };
    let picture = dataset.picture(0)?;
    let mut kept = Vec::new();
    for (name, model) in models {
        if has_maps(model, &picture, label)? {
            kept.push((name.clone(), model.clone()));
        }
    }
    Ok(kept)
}

fn has_maps(predictor: &Predictor, picture: &crate::images::Picture, label: &str) -> Result<bool> {
    let (trained, _) = answering(predictor, label)?;
    let model = trained.model_on(device_pool::here())?;
    Ok(model.class_maps(&input(&model, picture)?)?.is_some())
}

/// One picture under every model.
fn row(models: &[(String, Predictor)], dataset: &Dataset, image: usize, label: Option<&str>) -> Result<CamRow> {
    let picture = dataset.picture(image)?;
    let candidates: Vec<String> = match label {
        Some(label) => vec![label.to_string()],
        None => dataset.labels.row(image).iter().map(|&l| dataset.labels.labels()[l as usize].clone()).collect(),
    };
    let candidates = if candidates.is_empty() { dataset.labels.labels()[..1].to_vec() } else { candidates };
    // The label with the largest spread of probabilities, and its maps.
    let mut best = None;
    for label in candidates {
        interrupt::check()?;
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

fn one(predictor: &Predictor, picture: &crate::images::Picture, label: &str) -> Result<Cam> {
    let (trained, output) = answering(predictor, label)?;
    let model = trained.model_on(device_pool::here())?;
    let x = input(&model, picture)?;
    cam(&model, &x, output)
}

/// The model that answers for a label, and the index of its output.
fn answering<'a>(predictor: &'a Predictor, label: &str) -> Result<(&'a Trained, usize)> {
    let labels = predictor.labels();
    let at = labels
        .iter()
        .position(|l| l == label)
        .ok_or_else(|| Error::unknown("label of the model", label, labels.iter().map(String::as_str)))?;
    match predictor {
        Predictor::Model(trained) => Ok((trained, at)),
        Predictor::Ensemble(ensemble) => match ensemble.places[at][..] {
            [(teacher, output)] => Ok((&ensemble.teachers[teacher], output)),
            _ => Err(Error::argument(format!(
                "a class activation map is of one model, and {} teachers of the ensemble answer for label \"{label}\"",
                ensemble.places[at].len()
            ))
            .with_help("ensemble.teachers[0] is one of them")),
        },
    }
}

/// The centre of a picture as input of the model.
fn input(model: &crate::models::Model, picture: &crate::images::Picture) -> Result<Tensor> {
    let side = model.image_size();
    let pixels = Tensor::f_from_slice(&augment::center(picture, side as u32)?)?.f_view([1, side, side, 3])?;
    model.normalise(&pixels)
}

/// `n` pictures with labels, evenly spread over the data set, independent of the models; all if there are fewer.
pub fn spread(dataset: &Dataset, n: usize) -> Result<Dataset> {
    let labelled: Vec<usize> = (0..dataset.len()).filter(|&i| !dataset.labels.row(i).is_empty()).collect();
    let n = n.min(labelled.len());
    dataset.take((0..n).map(|i| labelled[i * labelled.len() / n]).collect())
}
