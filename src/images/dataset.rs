//! `Dataset`: the pictures of one split with their labels.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::activity;
use crate::activity::progress::Progress;
use crate::error::{Error, Result, counted};
use crate::files;
use crate::images::picture::Picture;
use crate::images::source::{Cached, Files, PictureSource, Taken};
use crate::labels::LabelTable;
use crate::random;

/// One split: row i of `labels` belongs to picture i of `source`. Cheap to clone.
#[derive(Clone)]
pub struct Dataset {
    /// The data set's name: "emoji-scenes".
    pub name: String,
    /// The split's name: "train".
    pub split: String,
    pub labels: LabelTable,
    pub source: Arc<dyn PictureSource>,
}

impl Dataset {
    /// Errors: another number of pictures than of rows of labels.
    pub fn new(
        name: impl Into<String>,
        split: impl Into<String>,
        labels: LabelTable,
        source: Arc<dyn PictureSource>,
    ) -> Result<Self> {
        let (name, split) = (name.into(), split.into());
        if labels.num_images() != source.len() {
            return Err(Error::data(format!(
                "{name} {split}: {} rows of labels for {} pictures",
                labels.num_images(),
                source.len()
            )));
        }
        Ok(Dataset { name, split, labels, source })
    }

    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Picture `index` of `0..len()`.
    pub fn picture(&self, index: usize) -> Result<Picture> {
        self.source.picture(index)
    }

    /// A hash of the pictures' fingerprint and of all labels, unknown entries included, without the names of data set
    /// and split.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("cpsd dataset 1");
        hasher.update(self.source.fingerprint().as_bytes());
        self.labels.hash_entries(&mut hasher);
        hasher.finalize().to_hex().to_string()
    }

    /// Whether both have one name and share pictures and labels in memory, and so are equal. Equal ones may share nothing.
    pub fn shares_all(&self, other: &Dataset) -> bool {
        (&self.name, &self.split) == (&other.name, &other.split)
            && Arc::ptr_eq(&self.source, &other.source)
            && self.labels.is_shared(&other.labels)
    }

    /// The pictures at `indices`, in that order. Errors: an index out of range.
    pub fn take(&self, indices: Vec<usize>) -> Result<Self> {
        let source = Taken::new(self.source.clone(), indices.clone())?;
        let labels = self.labels.take_images(&indices)?;
        Ok(Dataset { labels, source: Arc::new(source), ..self.clone() })
    }

    /// All pictures with only these labels, in this order. Errors: an unknown label.
    pub fn take_labels<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        Ok(Dataset { labels: self.labels.take_labels(names)?, ..self.clone() })
    }

    /// The pictures that can be read, and the errors of the others. Every picture is decoded once.
    ///
    /// Errors: Interrupted.
    pub fn readable(&self) -> Result<(Self, Vec<Error>)> {
        let progress = Progress::new(format!("checking {}", self.split), self.len() as u64, "images");
        let activity = activity::current();
        let read = |i: usize| -> Result<Option<Error>> {
            activity.check()?;
            progress.advance(1);
            Ok(self.picture(i).err())
        };
        let read: Vec<Option<Error>> = (0..self.len()).into_par_iter().map(read).collect::<Result<_>>()?;
        progress.finish();
        let kept = (0..self.len()).filter(|&i| read[i].is_none()).collect();
        Ok((self.take(kept)?, read.into_iter().flatten().collect()))
    }

    /// Picture files without labels, to predict on. Errors: a missing file, with the nearest that is there; a folder or device.
    pub fn of_files(paths: &[String], labels: &[String]) -> Result<Self> {
        let files: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        if let Some(path) = files.iter().find(|p| !p.is_file()) {
            return Err(files::no_file(path));
        }
        let table = LabelTable::from_lists(labels.to_vec(), paths.to_vec(), &vec![vec![]; paths.len()])?;
        Dataset::new("files", "all", table, Arc::new(Files::new("", files)))
    }

    /// The first `n` pictures, or all where there are fewer.
    pub fn take_first(&self, n: usize) -> Result<Self> {
        if n >= self.len() { Ok(self.clone()) } else { self.take((0..n).collect()) }
    }

    /// Holds out a random `fraction` of the pictures: (the rest, the held out), each in the order of this data set.
    ///
    /// The same fraction, seed and number of pictures choose the same rows. Errors: a fraction not between 0 and 1, a
    /// part without a picture.
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let out = (self.len() as f64 * fraction).round() as usize;
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::argument(format!(
                "the share to hold out must lie between 0 and 1, both excluded; got {fraction}"
            )));
        }
        if self.len() < 2 {
            let n = ["no picture", "one picture"][self.len()];
            return Err(Error::argument(format!(
                "split \"{}\" of {} has {n}: none can be held out",
                self.split, self.name
            ))
            .about_name(&self.split));
        }
        if out == 0 || out >= self.len() {
            return Err(Error::argument(format!(
                "holding out {fraction} of the {} pictures of split \"{}\" of {} leaves one part without a picture",
                self.len(),
                self.split,
                self.name
            ))
            .about_name(&self.split));
        }
        let order = epoch_order(seed, u64::MAX, self.len());
        let sorted = |part: &[u32]| {
            let mut rows: Vec<usize> = part.iter().map(|&row| row as usize).collect();
            rows.sort_unstable();
            rows
        };
        Ok((self.take(sorted(&order[out..]))?, self.take(sorted(&order[..out]))?))
    }

    /// The same pictures under another name of the split.
    pub fn named(mut self, split: impl Into<String>) -> Self {
        self.split = split.into();
        self
    }

    /// The same pictures, of which up to `max_bytes` are kept in memory once decoded or drawn.
    pub fn cached(&self, max_bytes: usize) -> Self {
        Dataset { source: Arc::new(Cached::new(self.source.clone(), max_bytes)), ..self.clone() }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, indices) = self.labels.csr();
        write!(
            f,
            "Dataset {} {}: {}, {}, {:.2} labels per picture",
            self.name,
            self.split,
            counted(self.len(), "picture"),
            counted(self.labels.num_labels(), "label"),
            indices.len() as f64 / self.len().max(1) as f64
        )?;
        match self.labels.num_unknown() {
            0 => Ok(()),
            unknown => write!(f, ", {} unknown", counted(unknown as usize, "entry")),
        }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = counted(self.labels.num_labels(), "label");
        write!(f, "{} {}: {}, {labels}", self.name, self.split, self.source.describe())
    }
}

/// The order of `n` images in an epoch, from (seed, epoch) alone.
pub fn epoch_order(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    random::shuffle(&mut order, &mut random::numbered("epoch", &[seed, epoch]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::source::Files;

    fn dataset(n: usize) -> Dataset {
        let images: Vec<String> = (0..n).map(|i| format!("{i}.png")).collect();
        let lists: Vec<Vec<u32>> = (0..n as u32).map(|i| vec![i % 2]).collect();
        let labels = LabelTable::from_lists(vec!["even".into(), "odd".into()], images.clone(), &lists).unwrap();
        let source = Files::new("nowhere", images.iter().map(Into::into).collect());
        Dataset::new("test", "train", labels, Arc::new(source)).unwrap()
    }

    #[test]
    fn a_split_is_a_seeded_partition_of_the_rows() {
        let (rest, held) = dataset(100).split(0.1, 7).unwrap();
        assert_eq!((rest.len(), held.len()), (90, 10));
        let mut names: Vec<&String> = rest.labels.images().iter().chain(held.labels.images()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 100);
        assert_eq!(dataset(100).split(0.1, 7).unwrap().1.labels.images(), held.labels.images());
        assert_ne!(dataset(100).split(0.1, 8).unwrap().1.labels.images(), held.labels.images());
        for fraction in [0.0, 1.0, -0.5, f64::NAN, 0.001] {
            assert!(dataset(100).split(fraction, 7).is_err(), "{fraction}");
        }
    }

    #[test]
    fn labels_and_pictures_count_in_the_fingerprint_and_names_do_not() {
        let whole = dataset(10);
        assert_eq!(whole.fingerprint(), whole.clone().named("val").fingerprint());
        assert_eq!(whole.fingerprint(), whole.cached(1000).fingerprint());
        assert_ne!(whole.fingerprint(), whole.take_first(9).unwrap().fingerprint());
        let fewer = Dataset { labels: whole.labels.take_labels(&["odd"]).unwrap(), ..whole.clone() };
        assert_ne!(whole.fingerprint(), fewer.fingerprint());
    }

    #[test]
    fn unknown_entries_count_in_the_fingerprint() {
        let whole = dataset(4);
        // BLAKE3 by Python's package of the bytes of a table without unknown entries: this hash is part of runs' names.
        let hash = "c400176651c2adf7b771af98186d7db410a542a290684ecb4a2ff705cc6f1696";
        assert_eq!(whole.fingerprint(), hash);
        let partly =
            |lists: &[Vec<u32>]| Dataset { labels: whole.labels.with_unknown(lists).unwrap(), ..whole.clone() };
        let none = partly(&[vec![], vec![], vec![], vec![]]);
        assert_eq!(none.fingerprint(), whole.fingerprint());
        let (one, other) = (partly(&[vec![1], vec![], vec![], vec![]]), partly(&[vec![], vec![], vec![1], vec![]]));
        assert_ne!(one.fingerprint(), whole.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(one.take(vec![1, 2]).unwrap().fingerprint(), whole.take(vec![1, 2]).unwrap().fingerprint());
        assert_eq!(one.take_labels(&["even"]).unwrap().labels.num_unknown(), 0);
        let text = "Dataset test train: 4 pictures, 2 labels, 1.00 labels per picture";
        assert_eq!((whole.to_string(), one.to_string()), (text.to_string(), format!("{text}, 1 entry unknown")));
    }

    #[test]
    fn an_epochs_order_is_a_permutation_that_its_key_gives() {
        let mut order = epoch_order(5, 2, 100);
        assert_eq!(order, epoch_order(5, 2, 100));
        assert_ne!(order, epoch_order(5, 3, 100));
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn rows_must_match_pictures() {
        let whole = dataset(10);
        let error = Dataset::new("test", "train", whole.labels.clone(), Arc::new(Files::new("x", vec![]))).unwrap_err();
        assert!(error.message.contains("10 rows of labels for 0 pictures"), "{}", error.message);
        assert!(whole.take(vec![10]).is_err());
    }
}
