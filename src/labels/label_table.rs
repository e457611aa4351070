//! `LabelTable`: which image has which labels, in compressed sparse rows.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result, counted, only};
use crate::memory;

/// N images by m labels. Cheap to clone; never changed in place.
///
/// Row i lists the labels of image i as ascending indices into `labels()`. An image may have none.
#[derive(Clone, Debug)]
pub struct LabelTable {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    labels: Vec<String>,
    images: Vec<String>,
    /// N + 1 entries; row i is `indices[offsets[i]..offsets[i + 1]]`.
    offsets: Vec<u64>,
    indices: Vec<u32>,
    /// Entries of unknown truth in the same form, none of them a positive. None where all are known.
    unknown: Option<(Vec<u64>, Vec<u32>)>,
    /// Positions of the labels in the order of their names, made when a label is first looked for.
    sorted: OnceLock<Vec<u32>>,
}

impl LabelTable {
    /// Adds the names of the labels and all entries, unknown ones included, to a hash; not the names of the images.
    pub fn hash_entries(&self, hasher: &mut blake3::Hasher) {
        for label in self.labels() {
            let _ = hasher.update(&(label.len() as u64).to_le_bytes()).update(label.as_bytes());
        }
        let (offsets, indices) = self.csr();
        for offset in offsets {
            let _ = hasher.update(&offset.to_le_bytes());
        }
        for index in indices {
            let _ = hasher.update(&index.to_le_bytes());
        }
        // Nothing where all entries are known, as before there were unknown ones: ids of runs stay.
        if self.num_unknown() > 0 {
            let _ = hasher.update(b"unknown");
            for image in 0..self.num_images() {
                let row = self.unknown_row(image);
                let _ = hasher.update(&(row.len() as u64).to_le_bytes());
                for label in row {
                    let _ = hasher.update(&label.to_le_bytes());
                }
            }
        }
    }

    /// Builds a table from one list of label indices per image; the lists are sorted and made unique.
    ///
    /// Errors: another number of lists than of images, an index that is not below `labels.len()`, a repeated label name.
    pub fn from_lists(labels: Vec<String>, images: Vec<String>, lists: &[Vec<u32>]) -> Result<Self> {
        let (offsets, indices) = compressed(lists);
        Self::from_csr(labels, images, offsets, indices)
    }

    /// Builds a table from compressed rows: `offsets` has N + 1 entries, each row ascending and unique.
    pub fn from_csr(labels: Vec<String>, images: Vec<String>, offsets: Vec<u64>, indices: Vec<u32>) -> Result<Self> {
        if offsets.len() != images.len() + 1 || offsets.last() != Some(&(indices.len() as u64)) {
            return Err(Error::data(format!(
                "a label table of {} images needs {} row offsets ending at {}; got {} ending at {:?}",
                images.len(),
                images.len() + 1,
                indices.len(),
                offsets.len(),
                offsets.last()
            )));
        }
        if offsets[0] != 0 || offsets.windows(2).any(|w| w[0] > w[1]) {
            return Err(Error::data("the row offsets of a label table begin at 0 and never fall".to_string()));
        }
        let mut seen = HashMap::with_capacity(labels.len());
        for (i, label) in labels.iter().enumerate() {
            if let Some(first) = seen.insert(label.as_str(), i) {
                return Err(Error::data(format!("label \"{label}\" appears twice, at positions {first} and {i}"))
                    .about_name(label));
            }
        }
        check_rows(&labels, &images, &offsets, &indices)?;
        Ok(LabelTable {
            inner: Arc::new(Inner { labels, images, offsets, indices, unknown: None, sorted: OnceLock::new() }),
        })
    }

    /// This table with entries of unknown truth in place of those that it had: one list of label indices per image,
    /// sorted and made unique. Losses and metrics leave these entries out.
    ///
    /// Errors: another number of lists than of images, an index that is not below `num_labels()`, an entry that is a
    /// positive too.
    pub fn with_unknown(&self, lists: &[Vec<u32>]) -> Result<Self> {
        let (n, came) = (self.num_images(), lists.len());
        if came != n {
            return Err(Error::data(format!(
                "unknown entries of {} were given for a table of {n}",
                counted(came, "image")
            )));
        }
        let (offsets, indices) = compressed(lists);
        check_rows(self.labels(), self.images(), &offsets, &indices)?;
        let both = |image: usize| {
            let row = &indices[offsets[image] as usize..offsets[image + 1] as usize];
            Some((image, *row.iter().find(|&label| self.row(image).binary_search(label).is_ok())?))
        };
        if let Some((image, label)) = (0..n).find_map(both) {
            let (image, label) = (&self.images()[image], &self.labels()[label as usize]);
            return Err(Error::data(format!("label \"{label}\" of image \"{image}\" is both present and unknown")));
        }
        let unknown = (!indices.is_empty()).then_some((offsets, indices));
        let Inner { labels, images, offsets, indices, sorted, .. } = &*self.inner;
        let (labels, images, sorted) = (labels.clone(), images.clone(), sorted.clone());
        let (offsets, indices) = (offsets.clone(), indices.clone());
        Ok(LabelTable { inner: Arc::new(Inner { labels, images, offsets, indices, unknown, sorted }) })
    }

    /// Whether both are one table in memory.
    pub fn is_shared(&self, other: &LabelTable) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub fn num_images(&self) -> usize {
        self.inner.images.len()
    }

    pub fn num_labels(&self) -> usize {
        self.inner.labels.len()
    }

    /// Label names, in label order.
    pub fn labels(&self) -> &[String] {
        &self.inner.labels
    }

    /// Image names (file names or ids), in row order.
    pub fn images(&self) -> &[String] {
        &self.inner.images
    }

    /// The labels of one image, ascending.
    pub fn row(&self, image: usize) -> &[u32] {
        let o = &self.inner.offsets;
        &self.inner.indices[o[image] as usize..o[image + 1] as usize]
    }

    /// The labels of one image whose truth is not known, ascending.
    pub fn unknown_row(&self, image: usize) -> &[u32] {
        match &self.inner.unknown {
            Some((o, indices)) => &indices[o[image] as usize..o[image + 1] as usize],
            None => &[],
        }
    }

    /// How many entries (image, label) are of unknown truth.
    pub fn num_unknown(&self) -> u64 {
        self.inner.unknown.as_ref().map_or(0, |(_, indices)| indices.len() as u64)
    }

    /// The present labels as compressed rows: offsets and indices. Entries of unknown truth are not among them.
    pub fn csr(&self) -> (&[u64], &[u32]) {
        (&self.inner.offsets, &self.inner.indices)
    }

    /// How many images have each label of unknown truth.
    pub fn unknown_counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.num_labels()];
        if let Some((_, indices)) = &self.inner.unknown {
            indices.iter().for_each(|&label| counts[label as usize] += 1);
        }
        counts
    }

    /// n_i: how many images are known to have each label.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.num_labels()];
        for &label in &self.inner.indices {
            counts[label as usize] += 1;
        }
        counts
    }

    /// How many images have no label that is known to be present.
    pub fn num_unlabelled(&self) -> usize {
        self.inner.offsets.windows(2).filter(|w| w[0] == w[1]).count()
    }

    /// The position of a label. Errors: an unknown label, with the nearest name.
    pub fn label_index(&self, name: &str) -> Result<usize> {
        let labels = &self.inner.labels;
        let sorted = self.inner.sorted.get_or_init(|| {
            let mut places: Vec<u32> = (0..labels.len() as u32).collect();
            places.sort_unstable_by_key(|&place| &labels[place as usize]);
            places
        });
        match sorted.binary_search_by_key(&name, |&place| &labels[place as usize]) {
            Ok(at) => Ok(sorted[at] as usize),
            Err(_) => Err(Error::unknown("label", name, labels.iter().map(String::as_str))),
        }
    }

    /// The rows at `images`, in that order.
    pub fn take_images(&self, images: &[usize]) -> Result<Self> {
        let names = images.iter().map(|&i| self.inner.images[i].clone()).collect();
        self.map_rows(self.inner.labels.clone(), names, |row| images.iter().map(|&i| row(i).to_vec()).collect())
    }

    /// All images, with only the named labels, in the order given. Images left without a label stay.
    pub fn take_labels<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let mut place = vec![u32::MAX; self.num_labels()];
        for (new, name) in names.iter().enumerate() {
            place[self.label_index(name.as_ref())?] = new as u32;
        }
        let labels = names.iter().map(|n| n.as_ref().to_string()).collect();
        self.with_labels_at(labels, &place)
    }

    /// The same images with the labels `labels`, of which label `place[l]` is this table's label l; `u32::MAX` drops it.
    pub(super) fn with_labels_at(&self, labels: Vec<String>, place: &[u32]) -> Result<Self> {
        let moved = |row: &[u32]| row.iter().map(|&l| place[l as usize]).filter(|&l| l != u32::MAX).collect();
        let n = self.num_images();
        self.map_rows(labels, self.inner.images.clone(), |row| (0..n).map(|i| moved(row(i))).collect())
    }

    /// A table of other rows: `lists` makes them from a function that gives this table's rows, called for the positives
    /// and, where there are any, for the unknown entries.
    fn map_rows<'a>(
        &'a self,
        labels: Vec<String>,
        images: Vec<String>,
        lists: impl Fn(&dyn Fn(usize) -> &'a [u32]) -> Vec<Vec<u32>>,
    ) -> Result<Self> {
        let table = Self::from_lists(labels, images, &lists(&|i| self.row(i)))?;
        if self.inner.unknown.is_none() { Ok(table) } else { table.with_unknown(&lists(&|i| self.unknown_row(i))) }
    }

    /// Row-major N × m matrix: 1.0 present, 0.0 absent, -1.0 unknown. The targets of metrics, which leave out -1.
    ///
    /// Errors: too little memory.
    pub fn targets(&self) -> Result<Vec<f32>> {
        let m = self.num_labels();
        let mut targets = self.dense()?;
        for image in 0..self.num_images() {
            for &label in self.unknown_row(image) {
                targets[image * m + label as usize] = -1.0;
            }
        }
        Ok(targets)
    }

    /// Row-major N × m matrix: 1.0 present, 0.0 absent or unknown. [`LabelTable::targets`] tells these two apart.
    ///
    /// Errors: too little memory.
    pub fn dense(&self) -> Result<Vec<f32>> {
        let m = self.num_labels();
        self.check_matrix(4)?;
        let mut dense = vec![0.0; self.num_images() * m];
        for image in 0..self.num_images() {
            for &label in self.row(image) {
                dense[image * m + label as usize] = 1.0;
            }
        }
        Ok(dense)
    }

    /// Errors: a matrix of N × m entries, each of some bytes, does not fit into memory.
    pub(super) fn check_matrix(&self, bytes: u64) -> Result<()> {
        let (n, m) = (self.num_images(), self.num_labels());
        let size = (n as u64).saturating_mul(m as u64).saturating_mul(bytes);
        memory::check(&format!("a matrix of {n} images and {m} labels"), size)
    }
}

/// Offsets and indices of rows, each sorted and made unique.
fn compressed(lists: &[Vec<u32>]) -> (Vec<u64>, Vec<u32>) {
    let mut offsets = Vec::with_capacity(lists.len() + 1);
    let mut indices = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    offsets.push(0);
    for list in lists {
        let mut row = list.clone();
        row.sort_unstable();
        row.dedup();
        indices.extend_from_slice(&row);
        offsets.push(indices.len() as u64);
    }
    (offsets, indices)
}

/// Errors: a row that is not ascending and unique, an index that is not below `labels.len()`.
fn check_rows(labels: &[String], images: &[String], offsets: &[u64], indices: &[u32]) -> Result<()> {
    for (image, row) in offsets.windows(2).enumerate() {
        let row = &indices[row[0] as usize..row[1] as usize];
        if row.windows(2).any(|w| w[0] >= w[1]) {
            return Err(Error::data(format!("labels of image \"{}\" are not ascending and unique", images[image])));
        }
        if let Some(&last) = row.last()
            && last as usize >= labels.len()
        {
            return Err(Error::data(format!(
                "image \"{}\" has label index {last}, but {}",
                images[image],
                only(labels.len(), "label")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> LabelTable {
        let labels = ["a", "b", "c"].map(String::from).to_vec();
        let images = ["1", "2", "3"].map(String::from).to_vec();
        LabelTable::from_lists(labels, images, &[vec![2, 0, 0], vec![], vec![1]]).unwrap()
    }

    #[test]
    fn rows_are_sorted_and_unique() {
        assert_eq!(table().row(0), &[0, 2]);
        assert_eq!(table().counts(), vec![1, 1, 1]);
        assert_eq!(table().num_unlabelled(), 1);
        assert_eq!(table().dense().unwrap(), vec![1., 0., 1., 0., 0., 0., 0., 1., 0.]);
    }

    #[test]
    fn labels_can_be_taken_in_any_order() {
        let t = table().take_labels(&["c", "a"]).unwrap();
        assert_eq!(t.row(0), &[0, 1]);
        assert!(table().take_labels(&["z"]).is_err());
    }

    #[test]
    fn unknown_entries_follow_images_and_labels() {
        let t = table().with_unknown(&[vec![1], vec![2, 0, 2], vec![]]).unwrap();
        assert_eq!((t.num_unknown(), t.unknown_row(1)), (3, &[0_u32, 2][..]));
        assert_eq!((t.counts(), t.unknown_counts()), (vec![1, 1, 1], vec![1, 1, 1]));
        assert_eq!(t.targets().unwrap(), vec![1., -1., 1., -1., 0., -1., 0., 1., 0.]);
        let dense = table().dense().unwrap();
        assert_eq!((t.dense().unwrap(), table().targets().unwrap()), (dense.clone(), dense));
        let part = t.take_labels(&["c", "b"]).unwrap().take_images(&[1, 0]).unwrap();
        assert_eq!([part.unknown_row(0), part.unknown_row(1)], [&[0_u32][..], &[1]]);
        assert_eq!([part.row(0), part.row(1)], [&[][..], &[0_u32]]);
        let both = table().with_unknown(&[vec![0], vec![], vec![]]).unwrap_err();
        assert_eq!(both.message, "label \"a\" of image \"1\" is both present and unknown");
        assert!(table().with_unknown(&[vec![3], vec![], vec![]]).is_err());
        assert!(table().with_unknown(&[]).is_err());
    }

    #[test]
    fn an_index_out_of_range_is_an_error() {
        let bad = LabelTable::from_lists(vec!["a".into()], vec!["1".into()], &[vec![1]]);
        assert!(bad.unwrap_err().message.contains("label index 1"));
    }
}
