//! The counts of all shards together.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::kept::{Images, Kept};
use super::{Shard, Shards};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::graph::Cooccurrence;
use crate::labels::parquet_counts::with_labels;
use crate::runs::RunStore;

/// Images between two checks of the interrupt.
const CHECKED: u64 = 1 << 16;

/// See [`Shards::sum`].
pub fn of(shards: &Shards, store: &RunStore) -> Result<Cooccurrence> {
    let all = shards.shards();
    let kept = |shard: &Shard| {
        store.find(&shard.id()).map(Kept).ok_or_else(|| {
            Error::data(format!(
                "shard {} ({}) is not counted: there is no run {}",
                shard.number,
                shard.in_words(),
                shard.id()
            ))
        })
    };
    let kept = all.iter().map(kept).collect::<Result<Vec<_>>>()?;
    check_disjoint(all, &kept)?;
    let mut sum: Option<Cooccurrence> = None;
    for kept in &kept {
        interrupt::check()?;
        let counts = kept.counts()?;
        sum = Some(match sum {
            None => counts,
            Some(before) => before.checked_add(&counts)?,
        });
    }
    let (Some(mut sum), Some(first)) = (sum, all.first().and_then(|shard| shard.files.first())) else {
        return Err(Error::argument("there is no shard to add"));
    };
    // Pairs that are read in parts have their labels in alphabetical order, tables in that of their columns.
    if first.columns.is_some() {
        let mut labels = sum.labels().to_vec();
        labels.sort();
        sum = sum.take_labels(&labels)?;
    }
    with_labels(sum, &first.path)
}

/// Errors: an image that is in two shards, whose pairs across the two nobody has counted.
fn check_disjoint(shards: &[Shard], kept: &[Kept]) -> Result<()> {
    if kept.len() < 2 {
        return Ok(());
    }
    let mut images = kept.iter().map(Kept::images).collect::<Result<Vec<Images>>>()?;
    let progress =
        Progress::new("comparing the images of shards", images.iter().map(|images| images.left).sum(), "images");
    // The next hash of each shard.
    let mut heap = BinaryHeap::new();
    for (at, images) in images.iter_mut().enumerate() {
        heap.extend(images.next()?.map(|hash| Reverse((hash, at))));
    }
    let (mut before, mut owners, mut seen) = (None, Vec::new(), 0u64);
    while let Some(Reverse((hash, at))) = heap.pop() {
        if before != Some(hash) {
            owners.clear();
            before = Some(hash);
        }
        for &other in owners.iter().filter(|other| **other != at) {
            check_apart(&shards[other], &shards[at], hash)?;
        }
        owners.push(at);
        heap.extend(images[at].next()?.map(|hash| Reverse((hash, at))));
        seen += 1;
        if seen.is_multiple_of(CHECKED) {
            interrupt::check()?;
            progress.advance(CHECKED);
        }
    }
    progress.finish();
    Ok(())
}

/// Errors: an image with this hash that is in both shards. Two images may have one hash, so their names are read again.
fn check_apart(a: &Shard, b: &Shard, hash: u64) -> Result<()> {
    let names = |shard: &Shard| -> Result<Vec<(String, String)>> {
        shard.check_unchanged()?;
        let parts = shard.parts()?;
        let found = parts.images_of(hash)?;
        Ok(found.into_iter().map(|(image, path)| (image, path.display().to_string())).collect())
    };
    let place = |shard: &Shard| format!("{} ({})", shard.number, shard.in_words());
    let help = "pairs of labels across two shards would not be counted: sort the table by image before it is cut into files, so that \
                all rows of an image are in one file, or count without shards";
    let (of_a, of_b) = match (names(a), names(b)) {
        (Ok(of_a), Ok(of_b)) => (of_a, of_b),
        (Err(error), _) | (_, Err(error)) => {
            let seems = format!("an image seems to be in two shards, {} and {}", place(a), place(b));
            let message = format!("{seems}; its name cannot be read: {}", error.message);
            return Err(Error { message, ..error });
        }
    };
    for (image, path) in &of_a {
        if let Some((_, other)) = of_b.iter().find(|(name, _)| name == image) {
            let (a, b) = (place(a), place(b));
            let text =
                format!("image \"{image}\" is in two shards: in {path}, of shard {a}, and in {other}, of shard {b}");
            return Err(Error::data(text).about_file(other).with_help(help));
        }
    }
    Ok(())
}
