//! Rows of (image, label) gathered into images and counted.

use polars::prelude::{PlHashMap, PlHashSet};

use crate::activity::interrupt;
use crate::error::Result;
use crate::graph::Counter;

/// Label indices that are collected before they are counted: 256 MB.
const A_BATCH: usize = 1 << 26;

/// Gathers rows into images and counts them.
pub trait Gather {
    /// Takes a row: an image with a label or without. Returns false if rows in this order cannot be gathered.
    fn row(&mut self, image: &str, label: Option<u32>, labels: &Labels) -> Result<bool>;
    /// Counts the rest after the last row.
    fn finish(&mut self, labels: &Labels) -> Result<Counter>;
    /// A [`short_hash`] of each image, ascending.
    fn images(&self) -> Vec<u64>;
}

/// Label names in the order of their first rows.
#[derive(Default)]
pub struct Labels {
    places: PlHashMap<String, u32>,
    pub names: Vec<String>,
}

impl Labels {
    pub fn place(&mut self, name: &str) -> u32 {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        let place = self.names.len() as u32;
        self.places.insert(name.to_string(), place);
        self.names.push(name.to_string());
        place
    }
}

fn hash(image: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(image.as_bytes()).as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

/// 8 bytes for an image's name, the same in every process and version.
pub fn short_hash(image: &str) -> u64 {
    hash(image) as u64
}

fn sorted(hashes: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut all: Vec<u64> = hashes.collect();
    all.sort_unstable();
    all
}

/// Images as compressed rows, until there are enough to count.
#[derive(Default)]
struct Batch {
    counter: Counter,
    offsets: Vec<u64>,
    indices: Vec<u32>,
}

impl Batch {
    fn image(&mut self, row: &mut Vec<u32>, m: usize) -> Result<()> {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        row.sort_unstable();
        self.indices.append(row);
        self.offsets.push(self.indices.len() as u64);
        if self.indices.len() >= A_BATCH {
            self.count(m)?;
        }
        Ok(())
    }

    fn count(&mut self, m: usize) -> Result<()> {
        if !self.offsets.is_empty() {
            self.counter.add(m, &self.offsets, &self.indices)?;
        }
        self.offsets.clear();
        self.indices.clear();
        Ok(())
    }
}

/// Gathers files in which the rows of an image are adjacent.
#[derive(Default)]
pub struct Adjacent {
    batch: Batch,
    image: String,
    row: Vec<u32>,
    /// Hashes of finished images. A collision costs a second reading, nothing else.
    seen: PlHashSet<u64>,
}

impl Gather for Adjacent {
    fn row(&mut self, image: &str, label: Option<u32>, labels: &Labels) -> Result<bool> {
        if image != self.image {
            if !self.seen.insert(short_hash(image)) {
                return Ok(false);
            }
            if !self.image.is_empty() {
                self.batch.image(&mut self.row, labels.names.len())?;
            }
            self.image.clear();
            self.image.push_str(image);
        }
        if let Some(label) = label {
            // A repeated pair counts once.
            if !self.row.contains(&label) {
                self.row.push(label);
            }
        }
        Ok(true)
    }

    fn finish(&mut self, labels: &Labels) -> Result<Counter> {
        if !self.image.is_empty() {
            self.batch.image(&mut self.row, labels.names.len())?;
        }
        self.batch.count(labels.names.len())?;
        Ok(std::mem::take(&mut self.batch.counter))
    }

    fn images(&self) -> Vec<u64> {
        sorted(self.seen.iter().copied())
    }
}

/// Gathers files in which the rows of an image are anywhere.
#[derive(Default)]
pub struct Scattered {
    images: PlHashMap<u128, u32>,
    pairs: Vec<(u32, u32)>,
}

impl Gather for Scattered {
    fn row(&mut self, image: &str, label: Option<u32>, _: &Labels) -> Result<bool> {
        let next = self.images.len() as u32;
        let image = *self.images.entry(hash(image)).or_insert(next);
        if let Some(label) = label {
            self.pairs.push((image, label));
        }
        Ok(true)
    }

    fn finish(&mut self, labels: &Labels) -> Result<Counter> {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.sort_unstable();
        pairs.dedup();
        let mut batch = Batch::default();
        let (mut at, mut row) = (0, Vec::new());
        for image in 0..self.images.len() as u32 {
            if image % 4096 == 0 {
                interrupt::check()?;
            }
            while at < pairs.len() && pairs[at].0 == image {
                row.push(pairs[at].1);
                at += 1;
            }
            batch.image(&mut row, labels.names.len())?;
        }
        batch.count(labels.names.len())?;
        Ok(batch.counter)
    }

    fn images(&self) -> Vec<u64> {
        sorted(self.images.keys().map(|&hash| hash as u64))
    }
}
