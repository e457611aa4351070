//! `Predictions` in scripts.

use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use rhai::Map;
use tch::Tensor;

use super::table::TableValue;
use super::tensor::TensorValue;
use crate::error::{Error, Result, counted};
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::tables::Cell;
use crate::training::Predictions;

/// Predictions as scripts hold them.
#[derive(Clone)]
pub struct PredictionsValue(pub Rc<Predictions>);

impl KindOfValue for PredictionsValue {
    const NAME: &'static str = "Predictions";
    const SUMMARY: &'static str = "Probabilities [N, m] with the names of their images and labels.";
    const MEMBERS: &'static [Member] = &[
        Member::new("images", "the image names, in order"),
        Member::new("labels", "the label names, in order"),
        Member::new("scores", "the probabilities as a Tensor [N, m]"),
        Member::new("len()", "number of images"),
        Member::new("top(image, n)", "the n most probable labels of one image: an array of maps label, score"),
        Member::new("to_table()", "a wide Table: image, then one column per label"),
        Member::new("save(path)", "write the wide table as .csv or .parquet"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("images", |p: &Self| p.0.images.clone())
            .get("labels", |p: &Self| p.0.labels.clone())
            .get("scores", |p: &Self| scores(&p.0))
            .method("len", |p: &Self| p.0.images.len())
            .method("top", |p: &Self, image: i64, n: i64| top(&p.0, image, n))
            .method("to_table", |p: &Self| table(&p.0))
            .method("save", |p: &Self, path: PathBuf| -> Result<()> { table(&p.0)?.save(&path) });
    }

    /// Every digit of the scores, with the names of images and labels.
    fn fingerprint(&self) -> Option<String> {
        let mut hasher = blake3::Hasher::new_derive_key("cpsd predictions 1");
        for score in &self.0.scores {
            let _ = hasher.update(&score.to_le_bytes());
        }
        Some(format!("{:?} {:?} {}", self.0.images, self.0.labels, hasher.finalize().to_hex()))
    }
}

kind_value!(PredictionsValue);

fn scores(p: &Predictions) -> Result<TensorValue> {
    let size = [p.images.len() as i64, p.labels.len() as i64];
    Ok(Tensor::f_from_slice(&p.scores)?.f_view(size)?.into())
}

fn top(p: &Predictions, image: i64, n: i64) -> Result<Vec<Map>> {
    let i = usize::try_from(image).ok().filter(|&i| i < p.images.len()).ok_or_else(|| {
        Error::argument(format!(
            "top: the image must be an integer from 0 to {}; got {image}",
            p.images.len().saturating_sub(1)
        ))
    })?;
    let m = p.labels.len();
    let mut ranked: Vec<(f32, &String)> = p.scores[i * m..(i + 1) * m].iter().copied().zip(&p.labels).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let entry = |(score, label): (f32, &String)| {
        Map::from_iter([("label".into(), label.clone().into()), ("score".into(), f64::from(score).into())])
    };
    Ok(ranked.into_iter().take(n.max(0) as usize).map(entry).collect())
}

fn table(p: &Predictions) -> Result<TableValue> {
    let m = p.labels.len();
    let columns: Vec<&str> = std::iter::once("image").chain(p.labels.iter().map(String::as_str)).collect();
    let rows = p
        .images
        .iter()
        .enumerate()
        .map(|(i, image)| {
            let scores = p.scores[i * m..(i + 1) * m].iter().map(|&s| Cell::Float(f64::from(s)));
            std::iter::once(Cell::Text(image.clone())).chain(scores).collect()
        })
        .collect();
    TableValue::from_rows(&columns, rows)
}

impl fmt::Display for PredictionsValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (images, labels) = (counted(self.0.images.len(), "image"), counted(self.0.labels.len(), "label"));
        write!(f, "Predictions for {}: {images}, {labels}", self.0.of)
    }
}
