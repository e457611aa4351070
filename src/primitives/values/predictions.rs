//! `Predictions` in scripts.

use std::fmt;
use std::path::Path;

use rhai::{Array, Dynamic, Engine};

use super::label_table::strings;
use super::table::TableValue;
use super::tensor::TensorValue;
use crate::error::{Error, Result};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::tables::Cell;
use crate::training::Predictions;

/// Predictions as scripts hold them.
#[derive(Clone)]
pub struct PredictionsValue(pub std::rc::Rc<Predictions>);

impl KindOfValue for PredictionsValue {
    const NAME: &'static str = "Predictions";
    const SUMMARY: &'static str = "Probabilities [N, m] with the names of their images and labels.";
    const MEMBERS: &'static [Member] = &[
        Member::new("images", "the image names, in order"),
        Member::new("labels", "the label names, in order"),
        Member::new("scores", "the probabilities as a Tensor [N, m]"),
        Member::new("len()", "number of images"),
        Member::new("top(image, n)", "the n most probable labels of one image: an array of maps label, score"),
        Member::new("to_table()", "a wide Table: image, then one column a label"),
        Member::new("save(path)", "write the wide table as .csv or .parquet"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(PredictionsValue);

fn register(engine: &mut Engine) {
    engine
        .register_get("images", |p: &mut PredictionsValue| strings(&p.0.images))
        .register_get("labels", |p: &mut PredictionsValue| strings(&p.0.labels))
        .register_get("scores", |p: &mut PredictionsValue| -> Fallible<TensorValue> {
            let size = [p.0.images.len() as i64, p.0.labels.len() as i64];
            tch::Tensor::f_from_slice(&p.0.scores)
                .and_then(|t| t.f_view(size))
                .map(TensorValue::from)
                .map_err(Error::from)
                .or_raise()
        })
        .register_fn("len", |p: &mut PredictionsValue| p.0.images.len() as i64)
        .register_fn("top", |p: &mut PredictionsValue, image: i64, n: i64| -> Fallible<Array> {
            top(&p.0, image, n).or_raise()
        })
        .register_fn("to_table", |p: &mut PredictionsValue| -> Fallible<TableValue> { table(&p.0).or_raise() })
        .register_fn("save", |p: &mut PredictionsValue, path: &str| -> Fallible<()> {
            table(&p.0).and_then(|t| t.save(Path::new(path))).or_raise()
        });
}

fn top(p: &Predictions, image: i64, n: i64) -> Result<Array> {
    let i = usize::try_from(image).ok().filter(|&i| i < p.images.len()).ok_or_else(|| {
        Error::argument(format!(
            "top: the image must be an integer from 0 to {}; got {image}",
            p.images.len().saturating_sub(1)
        ))
    })?;
    let m = p.labels.len();
    let mut ranked: Vec<(f32, &String)> = p.scores[i * m..(i + 1) * m].iter().copied().zip(&p.labels).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(ranked
        .into_iter()
        .take(n.max(0) as usize)
        .map(|(score, label)| {
            let map: rhai::Map =
                [("label".into(), label.clone().into()), ("score".into(), Dynamic::from(f64::from(score)))]
                    .into_iter()
                    .collect();
            map.into()
        })
        .collect())
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
        write!(f, "Predictions for {}: {} images, {} labels", self.0.of, self.0.images.len(), self.0.labels.len())
    }
}
