//! Synthetic label tables of any size, for measurements and for trials without a real table.

use std::path::Path;

use polars::prelude::*;
use rand::RngExt;
use rayon::prelude::*;

use super::label_table::LabelTable;
use crate::activity;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::files;
use crate::memory;
use crate::random::{self, Generator};
use crate::tables::polars_error;

crate::options! {
    /// Options of [`Synthetic::new`].
    ///
    /// Label frequencies follow Zipf's law. Label i is in group i mod `groups`, and an image draws most of its labels from
    /// one group, so that the label graph has a long tail and parts that can be found again. `per_image` is at least 1.
    pub struct SyntheticOptions {
        /// how many images
        pub images: usize = 10_000;
        /// how many labels
        pub labels: usize = 80;
        /// how many groups of labels
        pub groups: usize = 5;
        /// labels drawn for an image, on average; doubles fall together
        pub per_image: f64 = 4.0;
        /// part of them that come from the image's own group
        pub within: f64 = 0.8;
        /// decides everything
        pub seed: u64 = 0;
    }
}

/// A synthetic table whose images can be drawn one by one, in any order.
pub struct Synthetic {
    options: SyntheticOptions,
    /// Running sums of the frequencies of all labels, and of those of a group.
    all: Vec<f64>,
    group: Vec<Vec<f64>>,
    groups: Vec<f64>,
}

/// Flattens the head of Zipf's law; without it the first label would be in nearly every image.
const HEAD: f64 = 8.0;

impl Synthetic {
    /// Errors: a number out of range.
    pub fn new(options: &SyntheticOptions) -> Result<Self> {
        let o = options;
        let bad = |name: &str, expected: &str, came: String| {
            Err(Error::argument(format!("The {name} option must be {expected}. Got {came} instead."))
                .about_option(name))
        };
        if o.labels == 0 || o.labels > 10_000_000 {
            return bad("labels", "an integer from 1 to 10000000", o.labels.to_string());
        }
        if o.groups == 0 || o.groups > o.labels {
            return bad(
                "groups",
                &format!("an integer from 1 to {}, the number of labels", o.labels),
                o.groups.to_string(),
            );
        }
        if !(o.per_image.is_finite() && (1.0..=1000.0).contains(&o.per_image)) {
            return bad("per_image", "a number from 1 to 1000", o.per_image.to_string());
        }
        if !(0.0..=1.0).contains(&o.within) {
            return bad("within", "a number from 0 to 1", o.within.to_string());
        }
        let frequency = |label: usize| 1.0 / (label as f64 + HEAD);
        let group = (0..o.groups).map(|g| running((g..o.labels).step_by(o.groups).map(frequency))).collect();
        Ok(Synthetic {
            options: o.clone(),
            all: running((0..o.labels).map(frequency)),
            group,
            groups: running((0..o.groups).map(|g| 1.0 / (g as f64 + 2.0))),
        })
    }

    /// The labels of one image, ascending. They depend on the seed and the image alone.
    pub fn row(&self, image: usize, row: &mut Vec<u32>) {
        let o = &self.options;
        let mut rng = random::seeded(o.seed);
        rng.set_stream(image as u64);
        row.clear();
        let group = draw(&self.groups, &mut rng);
        let mut count = 1;
        // Geometric: many images with few labels, few with many.
        while rng.random::<f64>() < 1.0 - 1.0 / o.per_image && count < 4096 {
            count += 1;
        }
        for _ in 0..count {
            let label = if rng.random::<f64>() < o.within {
                draw(&self.group[group], &mut rng) * o.groups + group
            } else {
                draw(&self.all, &mut rng)
            };
            row.push(label as u32);
        }
        row.sort_unstable();
        row.dedup();
    }

    /// Images `from` up to `to` as compressed rows: offsets and label indices.
    pub fn rows(&self, from: usize, to: usize) -> Result<(Vec<u64>, Vec<u32>)> {
        const PIECE: usize = 1 << 14;
        let images = to.saturating_sub(from);
        let bytes = images as f64 * (12.0 + 8.0 * self.options.per_image);
        memory::check(&format!("the labels of {images} images"), bytes as u64)?;
        let activity = activity::current();
        let pieces: Vec<(Vec<u32>, Vec<u32>)> = (from..to)
            .into_par_iter()
            .step_by(PIECE)
            .map(|first| {
                activity.check()?;
                let (mut lengths, mut indices, mut row) = (Vec::new(), Vec::new(), Vec::new());
                for image in first..(first + PIECE).min(to) {
                    self.row(image, &mut row);
                    lengths.push(row.len() as u32);
                    indices.extend_from_slice(&row);
                }
                Ok((lengths, indices))
            })
            .collect::<Result<_>>()?;
        let mut offsets = Vec::with_capacity(to - from + 1);
        offsets.push(0);
        let mut end = 0u64;
        for length in pieces.iter().flat_map(|(lengths, _)| lengths) {
            end += u64::from(*length);
            offsets.push(end);
        }
        let mut indices = Vec::with_capacity(end as usize);
        pieces.iter().for_each(|(_, piece)| indices.extend_from_slice(piece));
        Ok((offsets, indices))
    }

    /// `label 00042`, as many digits as the last needs.
    pub fn label_names(&self) -> Vec<String> {
        let digits = (self.options.labels - 1).max(1).ilog10() as usize + 1;
        (0..self.options.labels).map(|i| format!("label {i:0digits$}")).collect()
    }

    /// A name of 16 hexadecimal digits, as in Open Images.
    pub fn image_name(&self, image: usize) -> String {
        format!("{:016x}", (image as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn num_images(&self) -> usize {
        self.options.images
    }

    /// Writes long Parquet (one row per pair) part by part, so that the table need not fit in memory; whole or not at
    /// all.
    pub fn write_parquet(&self, path: &Path) -> Result<()> {
        const PART: usize = 1 << 18;
        let names = self.label_names();
        files::policy::ask_to_write(path)?;
        let progress = Progress::new("writing made-up labels", self.options.images as u64, "images");
        let bad = |e: PolarsError| polars_error(path.display(), e).about_file(path);
        files::write_whole(path, |out| {
            let text = |name: &str| (PlSmallStr::from_str(name), DataType::String);
            let schema = Schema::from_iter([text("image"), text("label")]);
            let mut writer = ParquetWriter::new(out).batched(&schema).map_err(bad)?;
            for first in (0..self.options.images).step_by(PART) {
                interrupt::check()?;
                let last = (first + PART).min(self.options.images);
                let (offsets, indices) = self.rows(first, last)?;
                let mut images = StringChunkedBuilder::new("image".into(), indices.len());
                for (i, row) in offsets.windows(2).enumerate() {
                    let name = self.image_name(first + i);
                    (row[0]..row[1]).for_each(|_| images.append_value(&name));
                }
                let labels = indices.iter().map(|&l| names[l as usize].as_str());
                let labels = StringChunked::from_iter_values("label".into(), labels);
                let columns = vec![images.finish().into_column(), labels.into_column()];
                let frame = DataFrame::new(indices.len(), columns).map_err(bad)?;
                writer.write_batch(&frame).map_err(bad)?;
                progress.advance((last - first) as u64);
            }
            writer.finish().map(|_| ()).map_err(bad)
        })
    }

    /// The whole table in memory.
    pub fn table(&self) -> Result<LabelTable> {
        let images = self.options.images;
        // A name of an image, in the list and in an index of it, and its rows.
        let bytes = images as f64 * (160.0 + 12.0 * self.options.per_image);
        memory::check(&format!("a label table of {images} images"), bytes as u64)
            .map_err(|e| e.about_option("images"))?;
        let (offsets, indices) = self.rows(0, images)?;
        let images = (0..self.options.images).map(|i| self.image_name(i)).collect();
        LabelTable::from_csr(self.label_names(), images, offsets, indices)
    }
}

fn running(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    weights
        .map(|w| {
            sum += w;
            sum
        })
        .collect()
}

/// A random position, with probabilities proportional to the weights behind these running sums.
fn draw(sums: &[f64], rng: &mut Generator) -> usize {
    let target = rng.random::<f64>() * sums.last().copied().unwrap_or(0.0);
    sums.partition_point(|&s| s <= target).min(sums.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_do_not_depend_on_each_other() {
        let options = SyntheticOptions { images: 500, labels: 30, groups: 3, ..Default::default() };
        let s = Synthetic::new(&options).unwrap();
        let table = s.table().unwrap();
        let mut row = Vec::new();
        for image in [499, 0, 123] {
            s.row(image, &mut row);
            assert_eq!(table.row(image), row);
        }
        let mean = table.csr().1.len() as f64 / 500.0;
        assert!((3.0..4.5).contains(&mean), "{mean}");
        // Most pairs stay in their group.
        let pairs = (0..500).flat_map(|i| {
            let row = table.row(i).to_vec();
            (1..row.len()).map(move |k| row[k] % 3 == row[k - 1] % 3)
        });
        let (same, all) = pairs.fold((0, 0), |(s, n), same| (s + usize::from(same), n + 1));
        assert!(same * 3 > all * 2, "{same} of {all}");
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for options in [
            SyntheticOptions { labels: 0, ..Default::default() },
            SyntheticOptions { groups: 81, ..Default::default() },
            SyntheticOptions { per_image: 0.5, ..Default::default() },
            SyntheticOptions { within: f64::NAN, ..Default::default() },
        ] {
            assert!(Synthetic::new(&options).is_err());
        }
    }
}
