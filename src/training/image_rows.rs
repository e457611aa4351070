//! Rows of numbers that were given for the images of a data set: targets, or the outputs of a teacher that is not here.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tch::Tensor;

use crate::error::{Error, Result};

/// A number per image and label, found by their names. Cheap to clone.
#[derive(Clone)]
pub struct ImageRows(Arc<Inner>);

struct Inner {
    images: Vec<String>,
    labels: Vec<String>,
    /// `[images, labels]`, row-major.
    values: Vec<f32>,
    fingerprint: String,
}

impl ImageRows {
    /// Rows for these images with a column for each of these labels; `values` is `[images, labels]`, row-major.
    ///
    /// Errors: another number of values; a value that is no finite number, with its image and label.
    pub fn new(images: &[String], labels: &[String], values: Vec<f32>) -> Result<ImageRows> {
        if values.len() != images.len() * labels.len() {
            return Err(Error::argument(format!(
                "{} images and {} labels need {} values; got {}",
                images.len(),
                labels.len(),
                images.len() * labels.len(),
                values.len()
            )));
        }
        let mut hasher = blake3::Hasher::new_derive_key("cpsd image rows 1");
        for name in labels.iter().chain(images) {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
        }
        for value in &values {
            hasher.update(&value.to_le_bytes());
        }
        let fingerprint = hasher.finalize().to_hex()[..16].to_string();
        let rows = ImageRows(Arc::new(Inner { images: images.to_vec(), labels: labels.to_vec(), values, fingerprint }));
        rows.check("a finite number", |value| value.is_finite())?;
        Ok(rows)
    }

    /// Errors: a value that is not as `expected` says, with its image and label.
    pub fn check(&self, expected: &str, is_good: impl Fn(f32) -> bool) -> Result<()> {
        let Inner { images, labels, values, .. } = &*self.0;
        let Some(bad) = values.iter().position(|value| !is_good(*value)) else { return Ok(()) };
        let (image, label) = (&images[bad / labels.len()], &labels[bad % labels.len()]);
        let value = values[bad];
        Err(Error::argument(format!(
            "every value must be {expected}; got {value} for image \"{image}\", label \"{label}\""
        )))
    }

    /// Identifies names and numbers.
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// `[images, labels]` f32 on the CPU. Errors: an image or a label that has no numbers.
    pub fn of(&self, images: &[String], labels: &[String]) -> Result<Tensor> {
        let Inner { images: rows, labels: columns, values, .. } = &*self.0;
        let row: HashMap<&str, usize> = rows.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        let column: HashMap<&str, usize> = columns.iter().enumerate().map(|(j, name)| (name.as_str(), j)).collect();
        let columns_of = |label: &String| {
            column.get(label.as_str()).copied().ok_or_else(|| {
                let mut error = Error::unknown("label", label, columns.iter().map(String::as_str));
                error.message = format!("the given numbers have no column for label \"{label}\"");
                error
            })
        };
        let at: Vec<usize> = labels.iter().map(columns_of).collect::<Result<_>>()?;
        let mut taken = Vec::with_capacity(images.len() * labels.len());
        for image in images {
            let row = *row.get(image.as_str()).ok_or_else(|| {
                Error::argument(format!("the given numbers have no row for image \"{image}\"")).about_name(image)
            })?;
            taken.extend(at.iter().map(|column| values[row * columns.len() + column]));
        }
        Ok(Tensor::f_from_slice(&taken)?.f_view([images.len() as i64, labels.len() as i64])?)
    }

    /// The labels of the columns.
    pub fn labels(&self) -> &[String] {
        &self.0.labels
    }

    /// The least and the greatest value. None without values.
    pub fn range(&self) -> Option<(f32, f32)> {
        let values = &self.0.values;
        let first = *values.first()?;
        Some(values.iter().fold((first, first), |(low, high), value| (low.min(*value), high.max(*value))))
    }
}

impl PartialEq for ImageRows {
    fn eq(&self, other: &Self) -> bool {
        self.0.fingerprint == other.0.fingerprint
    }
}

impl fmt::Debug for ImageRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} numbers ({})", self.0.images.len(), self.0.labels.len(), self.0.fingerprint)
    }
}

/// As a job's file has them: the numbers as little-endian f32 in base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    images: Vec<String>,
    labels: Vec<String>,
    values: String,
}

impl Serialize for ImageRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Inner { images, labels, values, .. } = &*self.0;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let values = BASE64_STANDARD.encode(bytes);
        File { images: images.clone(), labels: labels.clone(), values }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ImageRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ImageRows, D::Error> {
        use de::Error as _;
        let File { images, labels, values } = File::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(values).map_err(D::Error::custom)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(D::Error::custom("the numbers are cut short"));
        }
        let values = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        ImageRows::new(&images, &labels, values).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn rows_are_found_by_the_names_of_images_and_labels() {
        let (images, labels) = (names(&["a", "b", "c"]), names(&["cat", "dog"]));
        let rows = ImageRows::new(&images, &labels, vec![1., 2., 3., 4., 5., 6.]).unwrap();
        let taken = rows.of(&names(&["c", "a"]), &names(&["dog"])).unwrap();
        assert!(taken.equal(&Tensor::from_slice(&[6f32, 2.]).view([2, 1])));
        assert!(rows.of(&names(&["d"]), &labels).unwrap_err().message.contains("no row for image \"d\""));
        assert!(rows.of(&images, &names(&["cow"])).unwrap_err().message.contains("no column for label \"cow\""));
        let error = ImageRows::new(&images, &labels, vec![1., 2., 3., f32::NAN, 5., 6.]).unwrap_err().message;
        assert_eq!(error, "every value must be a finite number; got NaN for image \"b\", label \"dog\"");
        assert!(ImageRows::new(&images, &labels, vec![1.]).is_err());
    }

    #[test]
    fn a_file_keeps_every_bit_and_the_fingerprint_tells_all_apart() {
        let (images, labels) = (names(&["a", "b"]), names(&["cat"]));
        let rows = ImageRows::new(&images, &labels, vec![0.1, -1e-30]).unwrap();
        let text = serde_json::to_string(&rows).unwrap();
        assert_eq!(serde_json::from_str::<ImageRows>(&text).unwrap().0.values, rows.0.values);
        let others = [
            ImageRows::new(&images, &labels, vec![0.1, -2e-30]),
            ImageRows::new(&images, &names(&["cow"]), vec![0.1, -1e-30]),
            ImageRows::new(&names(&["a", "c"]), &labels, vec![0.1, -1e-30]),
        ];
        others.into_iter().for_each(|other| assert_ne!(other.unwrap(), rows));
        assert!(serde_json::from_str::<ImageRows>(&text.replace("\"cat\"", "\"cat\",\"dog\"")).is_err());
    }
}
