//! Label lists of images as compressed rows.

use crate::error::{Error, Result, only};

/// The labels of image i are `indices[offsets[i]..offsets[i + 1]]`, ascending and each below `m`.
pub struct Rows<'a> {
    pub offsets: &'a [u64],
    pub indices: &'a [u32],
    /// The number of labels.
    pub m: usize,
}

impl<'a> Rows<'a> {
    /// Errors: offsets that do not match the indices, more images or indices than 32 bits number.
    pub fn new(offsets: &'a [u64], indices: &'a [u32], m: usize) -> Result<Self> {
        if offsets.first() != Some(&0) || offsets.last() != Some(&(indices.len() as u64)) {
            return Err(Error::data(format!(
                "row offsets must start at 0 and end at {}, the number of label indices; got {:?} to {:?}",
                indices.len(),
                offsets.first(),
                offsets.last()
            )));
        }
        if u32::try_from(offsets.len()).is_err() || u32::try_from(indices.len()).is_err() {
            return Err(Error::data(format!("at most {} images and labels can be counted at once", u32::MAX - 1))
                .with_help("count shards of the images and add their co-occurrences"));
        }
        Ok(Rows { offsets, indices, m })
    }

    /// N, the number of images.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The labels of one image. Errors: labels that are not ascending, unique and in range.
    #[inline]
    pub fn checked(&self, image: usize) -> Result<&'a [u32]> {
        let (from, to) = (self.offsets[image], self.offsets[image + 1]);
        let Some(row) = self.indices.get(from as usize..to as usize) else {
            return Err(Error::data(format!("row offsets must not fall; those of image {image} are {from} to {to}")));
        };
        let ascending = row.windows(2).all(|w| w[0] < w[1]);
        if ascending && row.last().is_none_or(|&last| (last as usize) < self.m) {
            return Ok(row);
        }
        Err(match row.iter().find(|&&l| l as usize >= self.m) {
            Some(l) => Error::data(format!("image {image} has label index {l}, but {}", only(self.m, "label"))),
            None => Error::data(format!("the label indices of image {image} are not ascending and unique")),
        })
    }
}
