//! Some of the images of a data set, where features of all of them are kept.

use crate::images::Dataset;

/// Images of a data set by their positions in it.
#[derive(Clone)]
pub struct Part {
    /// The data set. Its labels may be others than those that are learned.
    pub whole: Dataset,
    /// Where the images are. None: all, in order.
    positions: Option<Vec<usize>>,
}

impl Part {
    /// All images.
    pub fn all(whole: Dataset) -> Part {
        Part { whole, positions: None }
    }

    /// The images at `positions`, in that order.
    pub fn new(whole: Dataset, positions: Vec<usize>) -> Part {
        Part { whole, positions: Some(positions) }
    }

    /// How many images it has.
    pub fn len(&self) -> usize {
        self.positions.as_ref().map_or(self.whole.len(), Vec::len)
    }

    /// Whether it has no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row of a view of its image `image` among the rows of the whole data set, `view * images + image`.
    pub fn row(&self, image: u32, view: u32) -> i64 {
        let at = self.positions.as_ref().map_or(image as usize, |positions| positions[image as usize]);
        i64::from(view) * self.whole.len() as i64 + at as i64
    }
}
