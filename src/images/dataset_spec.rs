//! Descriptions of picture sources and data sets, which job files hold for worker processes.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::resized_cache::ResizedCache;
use super::scenes::Scenes;
use super::source::{Cached, Files, PictureSource, Taken};
use crate::error::Result;
use crate::labels::LabelTable;

/// The description of a picture source, one variant per kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceSpec {
    Files {
        root: PathBuf,
        paths: Vec<PathBuf>,
    },
    Taken {
        of: Box<SourceSpec>,
        indices: Vec<usize>,
    },
    Cached {
        of: Box<SourceSpec>,
        max_bytes: usize,
    },
    #[serde(rename = "squares")]
    Resized {
        of: Box<SourceSpec>,
        run: PathBuf,
    },
    Scenes(Scenes),
}

impl SourceSpec {
    pub fn open(self) -> Result<Arc<dyn PictureSource>> {
        Ok(match self {
            SourceSpec::Files { root, paths } => Arc::new(Files::new(root, paths)),
            SourceSpec::Taken { of, indices } => Arc::new(Taken::new(of.open()?, indices)?),
            SourceSpec::Cached { of, max_bytes } => Arc::new(Cached::new(of.open()?, max_bytes)),
            SourceSpec::Resized { of, run } => Arc::new(ResizedCache::open(of.open()?, &run)?),
            SourceSpec::Scenes(scenes) => Arc::new(scenes.checked()?),
        })
    }
}

/// The description of a data set: its labels, and the description of its pictures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetSpec {
    name: String,
    split: String,
    labels: Vec<String>,
    images: Vec<String>,
    offsets: Vec<u64>,
    indices: Vec<u32>,
    /// The labels of unknown truth per image; empty where all are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<Vec<u32>>,
    source: SourceSpec,
}

impl DatasetSpec {
    pub fn of(dataset: &Dataset) -> Self {
        let (offsets, indices) = dataset.labels.csr();
        let with_unknown = if dataset.labels.num_unknown() > 0 { dataset.labels.num_images() } else { 0 };
        DatasetSpec {
            name: dataset.name.clone(),
            split: dataset.split.clone(),
            labels: dataset.labels.labels().to_vec(),
            images: dataset.labels.images().to_vec(),
            offsets: offsets.to_vec(),
            indices: indices.to_vec(),
            unknown: (0..with_unknown).map(|image| dataset.labels.unknown_row(image).to_vec()).collect(),
            source: dataset.source.spec(),
        }
    }

    pub fn open(self) -> Result<Dataset> {
        let mut labels = LabelTable::from_csr(self.labels, self.images, self.offsets, self.indices)?;
        if !self.unknown.is_empty() {
            labels = labels.with_unknown(&self.unknown)?;
        }
        Dataset::new(self.name, self.split, labels, self.source.open()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenes::{SceneOptions, splits};
    use super::*;

    #[test]
    fn a_data_set_comes_back_from_json() {
        let options = SceneOptions { train: 12, val: 1, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        let part = splits(&options).unwrap().remove(0).1.take(vec![7, 2, 3]).unwrap().cached(1000);
        let json = serde_json::to_string(&DatasetSpec::of(&part)).unwrap();
        let back = serde_json::from_str::<DatasetSpec>(&json).unwrap().open().unwrap();
        assert_eq!(part.fingerprint(), back.fingerprint());
        assert_eq!(part.picture(1).unwrap(), back.picture(1).unwrap());
        assert_eq!(part.labels.images(), back.labels.images());
        // As before there were unknown entries.
        assert!(!json.contains("\"unknown\""));
        let larger = json.replace("\"size\":32", "\"size\":65536");
        let error = serde_json::from_str::<DatasetSpec>(&larger).unwrap().open().unwrap_err();
        assert!(error.message.contains("from 16 to 2048 pixels"), "{}", error.message);
    }

    #[test]
    fn unknown_entries_come_back_from_json() {
        let options = SceneOptions { train: 2, val: 1, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        let mut part = splits(&options).unwrap().remove(0).1;
        let absent = |image: usize| (0..).find(|label| !part.labels.row(image).contains(label)).unwrap();
        let lists = [vec![absent(0)], vec![]];
        part.labels = part.labels.with_unknown(&lists).unwrap();
        let json = serde_json::to_string(&DatasetSpec::of(&part)).unwrap();
        let back = serde_json::from_str::<DatasetSpec>(&json).unwrap().open().unwrap();
        assert_eq!(part.fingerprint(), back.fingerprint());
        assert_eq!(back.labels.unknown_row(0), lists[0]);
    }
}
