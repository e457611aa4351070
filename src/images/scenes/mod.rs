//! `emoji-scenes`: pictures composed from emoji, with COCO's label names and contexts that make labels co-occur.
//!
//! - `catalogue`: the labels and the emoji that show them; emoji that are no label
//! - `contexts`: which labels appear where, and together with which
//! - `layout`: what stands where in one scene, and so which labels it has
//! - `paint`: a layout as pixels
//! - `coco`: the scenes as files in COCO's layout
//!
//! Picture i of a split depends on (seed, split, i) and the size alone. Graphics: Twemoji, CC-BY 4.0.

mod catalogue;
mod coco;
mod contexts;
mod layout;
mod paint;

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Dataset, Picture, PictureSource};
use crate::error::{Error, Result};
use crate::labels::LabelTable;

pub use coco::write_coco;

/// How many pictures, of what size, from which seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SceneOptions {
    pub seed: u64,
    pub train: usize,
    pub val: usize,
    pub test: usize,
    /// Pictures whose contexts are broken: labels drawn one by one, on any background.
    pub test_shifted: usize,
    /// Side of the square pictures, in pixels.
    pub size: u32,
}

impl Default for SceneOptions {
    fn default() -> Self {
        SceneOptions { seed: 0, train: 2000, val: 500, test: 500, test_shifted: 500, size: 128 }
    }
}

/// One split's part of the seed space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Split {
    Train,
    Val,
    Test,
    TestShifted,
}

impl Split {
    const ALL: [Split; 4] = [Split::Train, Split::Val, Split::Test, Split::TestShifted];

    fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Val => "val",
            Split::Test => "test",
            Split::TestShifted => "test_shifted",
        }
    }

    fn len(self, options: &SceneOptions) -> usize {
        match self {
            Split::Train => options.train,
            Split::Val => options.val,
            Split::Test => options.test,
            Split::TestShifted => options.test_shifted,
        }
    }
}

/// The label names, in COCO's spelling and alphabetical order.
pub fn labels() -> Vec<String> {
    catalogue::LABELS.iter().map(|l| l.name.to_string()).collect()
}

/// All splits that are not empty, in order. Labels come at once; pictures are painted when they are asked for.
///
/// Errors: a size or number of pictures out of range.
pub fn splits(options: &SceneOptions) -> Result<Vec<(String, Dataset)>> {
    if !(16..=2048).contains(&options.size) {
        return Err(Error::argument(format!("option \"size\" of emoji-scenes must be from 16 to 2048 pixels; got {}", options.size)));
    }
    Split::ALL
        .iter()
        .filter(|split| split.len(options) > 0)
        .map(|&split| {
            let n = split.len(options);
            if n > 10_000_000 {
                return Err(Error::argument(format!("option \"{}\" of emoji-scenes must be at most 10000000; got {n}", split.name())));
            }
            let lists: Vec<Vec<u32>> = (0..n).into_par_iter().map(|i| layout::scene(options.seed, split, i).labels()).collect();
            let names = (0..n).map(|i| format!("{}-{i:06}", split.name())).collect();
            let table = LabelTable::from_lists(labels(), names, &lists)?;
            let source = Arc::new(Scenes { seed: options.seed, split, n, size: options.size });
            Ok((split.name().to_string(), Dataset::new("emoji-scenes", split.name(), table, source)?))
        })
        .collect()
}

/// Scenes painted on the fly.
struct Scenes {
    seed: u64,
    split: Split,
    n: usize,
    size: u32,
}

/// Changes whenever the same options would give other pictures: kept features and runs then no longer match.
const VERSION: u32 = 1;

impl PictureSource for Scenes {
    fn len(&self) -> usize {
        self.n
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        if index >= self.n {
            return Err(super::source::out_of_range(index, self.n));
        }
        Ok(paint::paint(&layout::scene(self.seed, self.split, index), self.size))
    }

    fn describe(&self) -> String {
        format!("{} emoji scenes of {} pixels", self.n, self.size)
    }

    fn fingerprint(&self) -> String {
        format!("emoji-scenes-{VERSION}/{}/{}/{}/{}", self.seed, self.split.name(), self.n, self.size)
    }
}
