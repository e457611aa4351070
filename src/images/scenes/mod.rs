//! `emoji-scenes`: pictures composed from emoji, with COCO's label names and contexts that make labels co-occur.
//!
//! - `catalogue`: the labels and the emoji that show them; emoji without a label
//! - `contexts`: the kinds of places, the labels in each, and the labels that appear together
//! - `layout`: the objects of one scene and their places, and so its labels
//! - `paint`: a layout as pixels
//! - `miniatures`: the scenes as files in the layouts of public data sets
//!
//! Picture i of a split depends on (seed, split, i) and the size alone. Graphics: Twemoji, CC-BY 4.0.

mod catalogue;
mod contexts;
mod layout;
mod miniatures;
mod paint;

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::dataset_spec::SourceSpec;
use super::picture::Picture;
use super::source::{PictureSource, out_of_range};
use crate::error::{Error, Result};
use crate::labels::LabelTable;

pub use miniatures::{MINIATURES, write_coco, write_miniature};

crate::options! {
    /// Options of emoji-scenes: number and size of the pictures, seed. In the split `test_shifted` labels are drawn one
    /// by one, on any background.
    pub struct SceneOptions {
        /// decides every picture
        pub seed: u64 = 0;
        /// number of training pictures
        pub train: usize = 2000;
        /// number of validation pictures
        pub val: usize = 500;
        /// number of test pictures
        pub test: usize = 500;
        /// number of test pictures with broken contexts
        pub test_shifted: usize = 500;
        /// side of the square pictures, in pixels
        pub size: u32 = 128;
        /// strength of the contexts in train, val and test: share of their pictures that have one; the others' labels and
        /// places are drawn as in test_shifted
        pub contexts: f64 = 1.0;
    }
}

/// A split. Each has its own part of the seed space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// All splits that are not empty, in order. Labels are made at once, pictures are painted on demand.
///
/// Errors: a size or number of pictures out of range.
pub fn splits(options: &SceneOptions) -> Result<Vec<(String, Dataset)>> {
    check_size(options.size)?;
    check_contexts(options.contexts)?;
    Split::ALL
        .iter()
        .filter(|split| split.len(options) > 0)
        .map(|&split| {
            let n = split.len(options);
            if n > 10_000_000 {
                return Err(Error::option(split.name(), "emoji-scenes", "at most 10000000", n));
            }
            let scenes = Scenes { seed: options.seed, split, n, size: options.size, contexts: options.contexts };
            let lists: Vec<Vec<u32>> = (0..n).into_par_iter().map(|i| scenes.layout(i).labels()).collect();
            let names = (0..n).map(|i| format!("{}-{i:06}", split.name())).collect();
            let table = LabelTable::from_lists(labels(), names, &lists)?;
            Ok((split.name().to_string(), Dataset::new("emoji-scenes", split.name(), table, Arc::new(scenes))?))
        })
        .collect()
}

fn check_size(size: u32) -> Result<()> {
    match (16..=2048).contains(&size) {
        true => Ok(()),
        false => Err(Error::option("size", "emoji-scenes", "from 16 to 2048 pixels", size)),
    }
}

fn check_contexts(share: f64) -> Result<()> {
    match (0.0..=1.0).contains(&share) {
        true => Ok(()),
        false => Err(Error::option("contexts", "emoji-scenes", "from 0 to 1", share)),
    }
}

impl Scenes {
    /// The scenes of a description. Errors: a size or a share out of range.
    pub fn checked(self) -> Result<Scenes> {
        check_size(self.size)?;
        check_contexts(self.contexts).map(|()| self)
    }

    fn layout(&self, index: usize) -> layout::Scene {
        layout::scene(self.seed, self.split, index, self.contexts)
    }
}

/// Scenes painted on demand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scenes {
    seed: u64,
    split: Split,
    n: usize,
    size: u32,
    #[serde(default = "all", skip_serializing_if = "is_all")]
    contexts: f64,
}

/// The share of scenes with a context, where a description does not say it.
fn all() -> f64 {
    1.0
}

fn is_all(share: &f64) -> bool {
    *share == 1.0
}

/// Changes whenever the same options would give other pictures, so that cached features and runs no longer match.
const VERSION: u32 = 1;

impl PictureSource for Scenes {
    fn len(&self) -> usize {
        self.n
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        if index >= self.n {
            return Err(out_of_range(index, self.n));
        }
        Ok(paint::paint(&self.layout(index), self.size))
    }

    fn describe(&self) -> String {
        format!("{} emoji scenes of {} pixels", self.n, self.size)
    }

    fn fingerprint(&self) -> String {
        let contexts = if is_all(&self.contexts) { String::new() } else { format!("/contexts {}", self.contexts) };
        format!("emoji-scenes-{VERSION}/{}/{}/{}/{}{contexts}", self.seed, self.split.name(), self.n, self.size)
    }

    fn spec(&self) -> SourceSpec {
        SourceSpec::Scenes(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> SceneOptions {
        SceneOptions { train: 300, val: 40, test: 40, test_shifted: 300, size: 64, ..SceneOptions::default() }
    }

    #[test]
    fn the_same_options_give_the_same_pictures_and_another_seed_others() {
        let one = splits(&tiny()).unwrap();
        let two = splits(&tiny()).unwrap();
        let other = splits(&SceneOptions { seed: 1, ..tiny() }).unwrap();
        assert_eq!(one[0].1.picture(3).unwrap(), two[0].1.picture(3).unwrap());
        assert_ne!(one[0].1.picture(3).unwrap(), other[0].1.picture(3).unwrap());
        // No split repeats another.
        assert_ne!(one[1].1.picture(3).unwrap(), one[2].1.picture(3).unwrap());
        assert_eq!(one[0].1.fingerprint(), two[0].1.fingerprint());
        assert_ne!(one[0].1.fingerprint(), other[0].1.fingerprint());
    }

    #[test]
    fn every_labelled_object_is_really_drawn() {
        // Without one object, a scene must look different at the place of that object.
        for i in 0..40 {
            let whole = layout::scene(0, Split::Train, i, 1.0);
            let picture = paint::paint(&whole, 64);
            for (o, object) in whole.objects.iter().enumerate().filter(|(_, o)| o.label.is_some()) {
                let mut less = whole.clone();
                less.objects.remove(o);
                let without = paint::paint(&less, 64);
                let changed = picture.rgb.iter().zip(&without.rgb).filter(|(a, b)| a.abs_diff(**b) > 12).count() / 3;
                let area = (object.side * 64.0).powi(2);
                assert!(changed as f64 > 0.1 * area, "scene {i}: object {o} changes {changed} of {area:.0} pixels");
            }
        }
    }

    #[test]
    fn shifted_scenes_have_lost_their_companions() {
        let all = splits(&tiny()).unwrap();
        let lift = |d: &Dataset| {
            // Conditional frequencies of pairs of labels that often appear together in train.
            let (offsets, indices) = d.labels.csr();
            let c = crate::graph::Cooccurrence::count(d.labels.labels(), offsets, indices).unwrap();
            let at = |name: &str| c.labels().iter().position(|l| l == name).unwrap();
            let pairs = [("keyboard", "mouse"), ("car", "traffic light"), ("fork", "pizza"), ("couch", "tv")];
            pairs.iter().map(|(a, b)| c.conditional(at(b), at(a))).sum::<f64>() / pairs.len() as f64
        };
        assert!(lift(&all[0].1) > 0.4, "{}", lift(&all[0].1));
        assert!(lift(&all[3].1) < 0.2, "{}", lift(&all[3].1));
    }

    #[test]
    fn weak_contexts_break_some_pictures_and_leave_the_others() {
        let share = |contexts| splits(&SceneOptions { contexts, ..tiny() }).unwrap();
        let (whole, half, none) = (share(1.0), share(0.5), share(0.0));
        let same = |d: &Dataset| {
            let n = (0..d.len()).filter(|&i| d.labels.row(i) == whole[0].1.labels.row(i)).count();
            n as f64 / d.len() as f64
        };
        assert!((0.4..0.65).contains(&same(&half[0].1)), "{}", same(&half[0].1));
        assert!(same(&none[0].1) < 0.15, "{}", same(&none[0].1));
        for split in [1, 2] {
            assert!(half[split].1.labels.csr() != whole[split].1.labels.csr());
        }
        assert_eq!(half[3].1.labels.csr(), whole[3].1.labels.csr());
        // Pictures of before the option have the names that they had.
        let name = |contexts| Scenes { seed: 0, split: Split::Train, n: 3, size: 64, contexts }.fingerprint();
        assert_eq!(name(1.0), "emoji-scenes-1/0/train/3/64");
        assert_ne!(name(0.5), name(0.25));
        let old = r#"{"seed":0,"split":"Train","n":3,"size":64}"#;
        let read: Scenes = serde_json::from_str(old).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
        let error = splits(&SceneOptions { contexts: 1.5, ..tiny() }).map(|_| ()).unwrap_err();
        assert_eq!(error.message, "option \"contexts\" of emoji-scenes must be from 0 to 1; got 1.5");
    }

    #[test]
    fn cocos_layout_comes_back_with_the_same_labels() {
        let folder = tempfile::tempdir().unwrap();
        let options = SceneOptions { train: 12, val: 0, test: 5, test_shifted: 0, size: 48, ..SceneOptions::default() };
        write_coco(&options, folder.path()).unwrap();
        let back = crate::images::open("coco2014", Some(folder.path()), &serde_json::json!({"val": 0.25})).unwrap();
        let (test, drawn) = (&back[2].1, splits(&options).unwrap().remove(1).1);
        assert_eq!((back[0].1.len(), back[1].1.len(), test.len()), (9, 3, 5));
        for i in 0..5 {
            assert_eq!(test.labels.row(i), drawn.labels.row(i));
            let (read, painted) = (test.picture(i).unwrap(), drawn.picture(i).unwrap());
            let apart: u64 = read.rgb.iter().zip(&painted.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(
                apart < 12 * painted.rgb.len() as u64,
                "JPEG changed a pixel by {} on average",
                apart / painted.rgb.len() as u64
            );
        }
    }
}
