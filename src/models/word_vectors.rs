//! Word vectors of labels, from a file in GloVe format: one word and its numbers per line.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use tch::Tensor;

use crate::activity::interrupt;
use crate::error::{Error, Result, counted, nearest};
use crate::files;
use crate::memory;

/// Numbers of a vector at most, and bytes of a line. Published vectors have up to 12,288; layers grow with the number.
const NUMBERS: usize = 16_384;
const LINE: u64 = 1 << 20;

const FORM: &str = "word vectors in GloVe's form, one word and its numbers per line, as glove.840B.300d.txt from nlp.stanford.edu/projects/glove; \
                    word_vectors: \"learned\" needs no file";

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
    let file = files::open(path).map_err(|e| e.with_help(FORM))?;
    let mut width = 0;
    let mut known = Vec::new();
    let (mut reader, mut bytes) = (BufReader::new(file), Vec::new());
    for number in 0.. {
        if number % 1024 == 0 {
            interrupt::check()?;
        }
        let at =
            |what: String| Error::data(format!("{}, line {}: {what}", path.display(), number + 1)).about_file(path);
        bytes.clear();
        if reader.by_ref().take(LINE + 1).read_until(b'\n', &mut bytes).map_err(|e| Error::io(path, e))? == 0 {
            break;
        }
        if bytes.len() as u64 > LINE {
            return Err(at(format!("the line has more than {LINE} bytes")).with_help(FORM));
        }
        let line = std::str::from_utf8(&bytes).map_err(|_| at("not UTF-8 text".into()).with_help(FORM))?;
        let line = if number == 0 { files::without_mark(line) } else { line };
        let Some((word, numbers)) = line.trim_end().split_once(' ') else { continue };
        let word = word.to_lowercase();
        let slot = wanted.get_mut(&word);
        if known.len() < 20_000 && word.len() < 100 {
            known.push(word);
        }
        let Some(slot) = slot else { continue };
        let vector: Vec<f32> = numbers
            .split_whitespace()
            .map(|x| {
                x.parse::<f32>()
                    .ok()
                    .filter(|x| x.is_finite())
                    .ok_or_else(|| at(format!("expected a number; got \"{x}\"")))
            })
            .collect::<Result<_>>()?;
        if vector.len() > NUMBERS {
            return Err(at(format!("{} numbers; a word vector has at most {NUMBERS}", vector.len())));
        }
        if width == 0 {
            width = vector.len();
        }
        if vector.len() != width || width == 0 {
            return Err(at(format!("expected {} as before; got {}", counted(width, "number"), vector.len())));
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
    // Any number of labels may share one word and its vector.
    let numbers = labels.len().saturating_mul(width);
    let mut values = Vec::new();
    if values.try_reserve_exact(numbers).is_err() || (numbers as u64).saturating_mul(8) > memory::left() {
        let text = format!("there is no memory for {} labels with vectors of {width} numbers", labels.len());
        return Err(Error::data(text).about_file(path));
    }
    for label in labels {
        interrupt::check()?;
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
        std::fs::write(&path, [b"cat 1 2\n".to_vec(), vec![b'1'; LINE as usize + 1]].concat()).unwrap();
        assert!(of(&["dog"]).unwrap_err().message.ends_with("line 2: the line has more than 1048576 bytes"));
        std::fs::write(&path, format!("dog{}\n", " 1".repeat(NUMBERS + 1))).unwrap();
        assert!(of(&["dog"]).unwrap_err().message.ends_with("16385 numbers; a word vector has at most 16384"));
        std::fs::write(&path, b"cat 1 2\ndog \xff\n").unwrap();
        assert!(of(&["dog"]).unwrap_err().message.ends_with("line 2: not UTF-8 text"));
    }
}
