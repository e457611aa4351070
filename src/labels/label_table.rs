//! `LabelTable`: which image has which labels, in compressed sparse rows.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};

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
}

impl LabelTable {
    /// Builds a table from one list of label indices per image; the lists are sorted and made unique.
    ///
    /// Errors: another number of lists than of images, an index that is not below `labels.len()`, a repeated label name.
    pub fn from_lists(labels: Vec<String>, images: Vec<String>, lists: &[Vec<u32>]) -> Result<Self> {
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
        let mut seen = HashMap::with_capacity(labels.len());
        for (i, label) in labels.iter().enumerate() {
            if let Some(first) = seen.insert(label.as_str(), i) {
                return Err(Error::data(format!("label \"{label}\" appears twice, at positions {first} and {i}"))
                    .about_name(label));
            }
        }
        for (image, row) in offsets.windows(2).enumerate() {
            let row = &indices[row[0] as usize..row[1] as usize];
            if row.windows(2).any(|w| w[0] >= w[1]) {
                return Err(Error::data(format!("labels of image \"{}\" are not ascending and unique", images[image])));
            }
            if let Some(&last) = row.last()
                && last as usize >= labels.len()
            {
                return Err(Error::data(format!(
                    "image \"{}\" has label index {last}, but there are only {} labels",
                    images[image],
                    labels.len()
                )));
            }
        }
        Ok(LabelTable { inner: Arc::new(Inner { labels, images, offsets, indices }) })
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

    /// The whole table as compressed rows.
    pub fn csr(&self) -> (&[u64], &[u32]) {
        (&self.inner.offsets, &self.inner.indices)
    }

    /// n_i: how many images have each label.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.num_labels()];
        for &label in &self.inner.indices {
            counts[label as usize] += 1;
        }
        counts
    }

    /// How many images have no label at all.
    pub fn num_unlabelled(&self) -> usize {
        self.inner.offsets.windows(2).filter(|w| w[0] == w[1]).count()
    }

    /// The position of a label. Errors: an unknown label, with the nearest name.
    pub fn label_index(&self, name: &str) -> Result<usize> {
        self.inner
            .labels
            .iter()
            .position(|l| l == name)
            .ok_or_else(|| Error::unknown("label", name, self.inner.labels.iter().map(String::as_str)))
    }

    /// The rows at `images`, in that order.
    pub fn take_images(&self, images: &[usize]) -> Result<Self> {
        let lists: Vec<Vec<u32>> = images.iter().map(|&i| self.row(i).to_vec()).collect();
        let names = images.iter().map(|&i| self.inner.images[i].clone()).collect();
        Self::from_lists(self.inner.labels.clone(), names, &lists)
    }

    /// All images, with only the named labels, in the order given. Images left without a label stay.
    pub fn take_labels<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let mut place = vec![u32::MAX; self.num_labels()];
        for (new, name) in names.iter().enumerate() {
            place[self.label_index(name.as_ref())?] = new as u32;
        }
        let lists: Vec<Vec<u32>> = (0..self.num_images())
            .map(|i| self.row(i).iter().map(|&l| place[l as usize]).filter(|&l| l != u32::MAX).collect())
            .collect();
        let labels = names.iter().map(|n| n.as_ref().to_string()).collect();
        Self::from_lists(labels, self.inner.images.clone(), &lists)
    }

    /// Row-major N × m matrix of 0.0 and 1.0.
    pub fn dense(&self) -> Vec<f32> {
        let m = self.num_labels();
        let mut dense = vec![0.0; self.num_images() * m];
        for image in 0..self.num_images() {
            for &label in self.row(image) {
                dense[image * m + label as usize] = 1.0;
            }
        }
        dense
    }
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
        assert_eq!(table().dense(), vec![1., 0., 1., 0., 0., 0., 0., 1., 0.]);
    }

    #[test]
    fn labels_can_be_taken_in_any_order() {
        let t = table().take_labels(&["c", "a"]).unwrap();
        assert_eq!(t.row(0), &[0, 1]);
        assert!(table().take_labels(&["z"]).is_err());
    }

    #[test]
    fn an_index_out_of_range_is_an_error() {
        let bad = LabelTable::from_lists(vec!["a".into()], vec!["1".into()], &[vec![1]]);
        assert!(bad.unwrap_err().message.contains("label index 1"));
    }
}
