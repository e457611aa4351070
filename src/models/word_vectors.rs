//! Word vectors of labels, from a file in GloVe format: one word and its numbers per line.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use tch::Tensor;

use crate::error::{Error, Result, nearest};
use crate::files;

/// One vector per label `[m, d]`, the mean over the label's words; words are matched regardless of case.
///
/// Errors: a line that is not a word with numbers (file and line), rows of unequal length, labels with a word that the
/// file does not have (all are named).
pub fn read(path: &Path, labels: &[String]) -> Result<Tensor> {
    let words = |label: &String| -> Vec<String> {
        label
            .to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .map(str::to_string)
            .collect()
    };
    let mut wanted: HashMap<String, Option<Vec<f32>>> = labels.iter().flat_map(words).map(|w| (w, None)).collect();
    let file = files::open(path).map_err(|e| {
        e.with_help("word vectors in GloVe's form, one word and its numbers per line, as glove.840B.300d.txt from nlp.stanford.edu/projects/glove; word_vectors: \"learned\" needs no file")
    })?;
    let mut width = 0;
    let mut known = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => {
                Error::data(format!("{}, line {}: not UTF-8 text", path.display(), number + 1)).about_file(path)
            }
            _ => Error::io(path, e),
        })?;
        let line = if number == 0 { files::without_mark(&line) } else { &line };
        let Some((word, numbers)) = line.trim_end().split_once(' ') else { continue };
        if known.len() < 20_000 {
            known.push(word.to_lowercase());
        }
        let Some(slot) = wanted.get_mut(&word.to_lowercase()) else { continue };
        let at =
            |what: String| Error::data(format!("{}, line {}: {what}", path.display(), number + 1)).about_file(path);
        let vector: Vec<f32> = numbers
            .split_whitespace()
            .map(|x| {
                x.parse::<f32>()
                    .ok()
                    .filter(|x| x.is_finite())
                    .ok_or_else(|| at(format!("expected a number; got \"{x}\"")))
            })
            .collect::<Result<_>>()?;
        if width == 0 {
            width = vector.len();
        }
        if vector.len() != width || width == 0 {
            return Err(at(format!("expected {width} numbers as before; got {}", vector.len())));
        }
        slot.get_or_insert(vector);
    }
    let lacking: Vec<&String> =
        labels.iter().filter(|l| words(l).iter().any(|w| wanted[w].is_none()) || words(l).is_empty()).collect();
    if let Some(first) = lacking.first() {
        let names: Vec<String> = lacking.iter().take(8).map(|l| format!("\"{l}\"")).collect();
        let error = Error::data(format!(
            "{} has no vector for {} of the labels: {}",
            path.display(),
            lacking.len(),
            names.join(", ")
        ))
        .about_name(lacking[names.len() - 1]);
        let missing = words(first).into_iter().find(|w| wanted[w].is_none()).unwrap_or_default();
        return Err(match nearest(&missing, known.iter().map(String::as_str)) {
            Some(near) => error.with_help(format!(
                "the nearest word to \"{missing}\" is \"{near}\"; word_vectors: \"learned\" needs no file"
            )),
            None => error.with_help("word_vectors: \"learned\" needs no file"),
        });
    }
    let mut values = Vec::with_capacity(labels.len() * width);
    for label in labels {
        let words = words(label);
        for d in 0..width {
            let sum: f32 = words.iter().filter_map(|w| wanted[w].as_ref()).map(|v| v[d]).sum();
            values.push(sum / words.len() as f32);
        }
    }
    Ok(Tensor::f_from_slice(&values)?.f_view([labels.len() as i64, width as i64])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_label_are_averaged_and_missing_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("glove.txt");
        std::fs::write(&path, "Dining 1 2\ntable 3 4\ncat 5 6\ncats 0 0\n").unwrap();
        let of = |labels: &[&str]| read(&path, &labels.iter().map(|l| l.to_string()).collect::<Vec<_>>());
        let t = of(&["cat", "dining table"]).unwrap();
        assert_eq!(Vec::<f32>::try_from(t.flatten(0, -1)).unwrap(), [5.0, 6.0, 2.0, 3.0]);
        let error = of(&["cat", "catz", "dog"]).unwrap_err();
        assert!(error.message.ends_with("has no vector for 2 of the labels: \"catz\", \"dog\""), "{error}");
        assert!(error.help.unwrap().contains("\"cats\""));
        std::fs::write(&path, "cat 1 2\ndog 1 x\n").unwrap();
        assert!(of(&["dog"]).unwrap_err().message.contains("line 2: expected a number; got \"x\""));
        std::fs::write(&path, "cat 1 2\ndog 1\n").unwrap();
        assert!(of(&["dog", "cat"]).unwrap_err().message.contains("line 2: expected 2 numbers"));
    }
}
