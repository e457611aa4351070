//! Finished views of a split, in memory, for all that see them: the epochs of a training, its teachers, other students.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::augment::AugmentOptions;
use super::dataset::Dataset;
use crate::memory;

/// The finished pixels of a fixed set of views of each picture: empty at first, each is kept when it was made. A set is there once per
/// process, and stays until another needs its room.
pub struct MadeViews {
    key: Key,
    images: usize,
    /// Of view v of image i at `v * images + i`.
    pixels: Vec<OnceLock<Box<[u8]>>>,
    /// When all are made.
    bytes: u64,
}

/// All that decides the pixels.
#[derive(PartialEq)]
struct Key {
    source: String,
    size: u32,
    views: u32,
    /// Options and seed; none for the view of an evaluation.
    augmentation: Option<(String, u64)>,
}

/// Bytes of all sets.
const MOST: u64 = 512 << 20;
/// A set takes at most this part of the memory that is left.
const PART: u64 = 8;

/// Who was asked for last comes last.
static SETS: Mutex<Vec<Arc<MadeViews>>> = Mutex::new(vec![]);

impl MadeViews {
    /// The set of `views` views of each picture, as squares of `size` pixels. None where it does not fit into the room for such sets
    /// (512 MB, and an eighth of the memory that is left), or the views are a closure's.
    pub fn of(
        dataset: &Dataset,
        size: u32,
        augmentation: Option<&AugmentOptions>,
        seed: u64,
        views: u32,
    ) -> Option<Arc<MadeViews>> {
        let augmentation = match augmentation {
            None => None,
            Some(options) if options.script.is_some() => return None,
            Some(options) => Some((serde_json::to_string(options).ok()?, seed)),
        };
        let images = dataset.len();
        let number = (images as u64).checked_mul(u64::from(views))?;
        let bytes = number.checked_mul(u64::from(size).pow(2) * 3)?;
        if bytes == 0 || bytes > MOST {
            return None;
        }
        let key = Key { source: dataset.source.fingerprint(), size, views, augmentation };
        let mut sets = SETS.lock();
        if let Some(at) = sets.iter().position(|set| set.key == key) {
            let set = sets.remove(at);
            sets.push(set.clone());
            return Some(set);
        }
        // Those that nobody uses make room, the oldest first.
        while sets.iter().map(|set| set.bytes).sum::<u64>() + bytes > MOST {
            let idle = sets.iter().position(|set| Arc::strong_count(set) == 1)?;
            sets.remove(idle);
        }
        if bytes > memory::left() / PART {
            return None;
        }
        let pixels = (0..number).map(|_| OnceLock::new()).collect();
        let set = Arc::new(MadeViews { key, images, pixels, bytes });
        sets.push(set.clone());
        Some(set)
    }

    fn place(&self, (image, view): (u32, u32)) -> Option<&OnceLock<Box<[u8]>>> {
        self.pixels.get(view as usize * self.images + image as usize)
    }

    /// The pixels of an (image, view), if somebody has made them.
    pub(super) fn get(&self, pair: (u32, u32)) -> Option<&[u8]> {
        self.place(pair)?.get().map(AsRef::as_ref)
    }

    /// Keeps pixels that were made. Who made the same meanwhile made the same bytes.
    pub(super) fn keep(&self, pair: (u32, u32), pixels: &[u8]) {
        if let Some(place) = self.place(pair) {
            let _ = place.set(pixels.into());
        }
    }
}
