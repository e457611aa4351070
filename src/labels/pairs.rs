//! `PairBuilder`: makes a label table from image-label pairs in any order.

use std::collections::HashSet;

use polars::prelude::PlHashMap;

use super::label_table::LabelTable;
use crate::activity::console;
use crate::error::{Error, Result, counted};

/// Whether repeated pairs, which count once, are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// The rows of a table: the file may be wrong.
    Said,
    /// Several objects of one kind in a picture.
    Expected,
}

/// The truth of an entry (image, label).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    Present = 0,
    Unknown,
    Absent,
}

/// Collects pairs; images keep the order of their first appearance, labels become alphabetical.
pub struct PairBuilder {
    images: Names,
    labels: Names,
    /// Labels of the table, present or not.
    own: HashSet<u32>,
    pairs: Vec<Pair>,
}

struct Pair {
    image: u32,
    /// By first appearance.
    label: u32,
    /// The entry in the two upper bits, below it the line or row for messages.
    entry_and_place: u32,
}

impl Pair {
    /// Places beyond a billion are not told apart.
    const PLACE: u32 = (1 << 30) - 1;

    fn of(image: u32, label: u32, entry: Entry, place: usize) -> Pair {
        let place = u32::try_from(place).map_or(Self::PLACE, |place| place.min(Self::PLACE));
        Pair { image, label, entry_and_place: (entry as u32) << 30 | place }
    }

    /// Label, entry and place in one number, in the order in which they are sorted, with another number of the label.
    fn sorted(&self, label: u32) -> Sorted {
        Sorted(u64::from(label) << 32 | u64::from(self.entry_and_place))
    }
}

/// Names and their positions. The last one is looked at first, since files tend to repeat it.
#[derive(Default)]
struct Names {
    places: PlHashMap<String, u32>,
    list: Vec<String>,
    last: u32,
}

impl Names {
    fn place(&mut self, name: &str) -> Result<u32> {
        if self.list.get(self.last as usize).is_some_and(|last| last == name) {
            return Ok(self.last);
        }
        self.last = match self.places.get(name) {
            Some(&place) => place,
            None => {
                let place =
                    u32::try_from(self.list.len()).map_err(|_| Error::data(format!("more than {} names", u32::MAX)))?;
                self.places.insert(name.to_string(), place);
                self.list.push(name.to_string());
                place
            }
        };
        Ok(self.last)
    }
}

impl PairBuilder {
    pub fn new() -> PairBuilder {
        PairBuilder { images: Names::default(), labels: Names::default(), own: HashSet::new(), pairs: Vec::new() }
    }

    /// Adds an image, with or without labels to come, and returns its row.
    pub fn image(&mut self, image: &str) -> Result<u32> {
        self.images.place(image)
    }

    /// Adds a label, of an image or of none.
    pub fn label(&mut self, label: &str) -> Result<()> {
        let label = self.labels.place(label)?;
        self.own.insert(label);
        Ok(())
    }

    /// The labels so far, in the order of their first appearance.
    pub fn labels(&self) -> &[String] {
        &self.labels.list
    }

    /// Adds a label of an image; `place` is the line or row of the pair, for messages.
    pub fn pair(&mut self, image: &str, label: &str, place: usize) -> Result<()> {
        let image = self.images.place(image)?;
        self.entry(image, label, Entry::Present, place)
    }

    /// Adds an entry of the image in row `image`. Of several for one label a present one counts before an unknown one,
    /// and that before an absent one. A label that is only ever absent is none of the table's, unless [`PairBuilder::label`] adds it.
    pub fn entry(&mut self, image: u32, label: &str, entry: Entry, place: usize) -> Result<()> {
        let label = self.labels.place(label)?;
        self.pairs.push(Pair::of(image, label, entry, place));
        Ok(())
    }

    /// The table. Contradictory and repeated pairs are said with `source` and two places, which are called `unit`
    /// ("line", "row"). Errors: no image, no label.
    pub fn finish(self, source: &str, unit: &str, repeats: Repeats) -> Result<LabelTable> {
        let PairBuilder { images, labels, own, pairs } = self;
        if images.list.is_empty() {
            return Err(Error::data(format!("{source} has no images")));
        }
        let mut used = vec![false; labels.list.len()];
        let absent = |p: &&Pair| p.sorted(0).entry() == Entry::Absent;
        pairs.iter().filter(|p| !absent(p)).for_each(|p| used[p.label as usize] = true);
        own.into_iter().for_each(|label| used[label as usize] = true);
        let mut order: Vec<u32> = (0..labels.list.len() as u32).filter(|&label| used[label as usize]).collect();
        if order.is_empty() {
            return Err(Error::data(format!(
                "{source} has {}, but none has a label",
                counted(images.list.len(), "image")
            )));
        }
        order.sort_unstable_by(|&a, &b| labels.list[a as usize].cmp(&labels.list[b as usize]));
        let mut place = vec![u32::MAX; labels.list.len()];
        order.iter().enumerate().for_each(|(new, &old)| place[old as usize] = new as u32);

        // Counting sort by image.
        let kept = || pairs.iter().filter(|p| used[p.label as usize]);
        let mut offsets = vec![0_u64; images.list.len() + 1];
        kept().for_each(|p| offsets[p.image as usize + 1] += 1);
        (1..offsets.len()).for_each(|i| offsets[i] += offsets[i - 1]);
        let mut next = offsets.clone();
        let mut rows = vec![Sorted(0); next.last().map_or(0, |&n| n as usize)];
        for pair in kept() {
            let at = &mut next[pair.image as usize];
            rows[*at as usize] = pair.sorted(place[pair.label as usize]);
            *at += 1;
        }
        drop((pairs, next));

        let mut indices = Vec::with_capacity(rows.len());
        let mut ends = Vec::with_capacity(offsets.len());
        ends.push(0);
        let mut unknown: Vec<Vec<u32>> = Vec::new();
        let (mut repeated, mut contradictory) = (Doubles::default(), Doubles::default());
        for (image, row) in offsets.windows(2).enumerate() {
            let row = &mut rows[row[0] as usize..row[1] as usize];
            row.sort_unstable();
            for same in row.chunk_by(|a, b| a.label() == b.label()) {
                let (label, entry, first) = (same[0].label(), same[0].entry(), same[0].place());
                match entry {
                    Entry::Present => indices.push(label),
                    Entry::Unknown => {
                        unknown.resize(images.list.len(), Vec::new());
                        unknown[image].push(label);
                    }
                    Entry::Absent => {}
                }
                if let Some(second) = same.get(1).filter(|second| second.entry() == entry) {
                    repeated.add(image, label, first, second.place());
                }
                if let Some(second) = same.iter().find(|other| other.entry() == Entry::Absent)
                    && entry == Entry::Present
                {
                    contradictory.add(image, label, first, second.place());
                }
            }
            ends.push(indices.len() as u64);
        }
        let names: Vec<String> = order.into_iter().map(|old| labels.list[old as usize].clone()).collect();
        // Lines are counted from 1, as editors count them; rows from 0, as in a table of a script.
        let from = if unit == "row" { " (counted from 0)" } else { "" };
        let say = |doubles: &Doubles, what: &str| {
            if let Some((image, label, first, second)) = doubles.first {
                let (image, label) = (&images.list[image], &names[label as usize]);
                console::log(&format!(
                    "{source}: {what}: {}, first image \"{image}\" with label \"{label}\" on {unit}s {first} and {second}{from}",
                    doubles.count
                ));
            }
        };
        if repeats == Repeats::Said {
            say(&repeated, "repeated pairs, which count once");
        }
        say(&contradictory, "pairs given as present and as absent, which count as present");
        let table = LabelTable::from_csr(names, images.list, ends, indices)?;
        if unknown.is_empty() { Ok(table) } else { table.with_unknown(&unknown) }
    }
}

/// A label, an entry and a place in one number, in the order in which they are sorted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sorted(u64);

impl Sorted {
    fn label(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn entry(self) -> Entry {
        match (self.0 >> 30) & 3 {
            0 => Entry::Present,
            1 => Entry::Unknown,
            _ => Entry::Absent,
        }
    }

    fn place(self) -> u32 {
        self.0 as u32 & Pair::PLACE
    }
}

/// Pairs that come twice: how many, and the one whose second place comes first.
#[derive(Default)]
struct Doubles {
    count: u64,
    first: Option<(usize, u32, u32, u32)>,
}

impl Doubles {
    fn add(&mut self, image: usize, label: u32, one: u32, other: u32) {
        let (first, second) = (one.min(other), one.max(other));
        self.count += 1;
        if self.first.is_none_or(|(.., before)| second < before) {
            self.first = Some((image, label, first, second));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_in_any_order() {
        let mut b = PairBuilder::new();
        for (line, (image, label)) in [("2", "dog"), ("1", "cat"), ("2", "ant")].into_iter().enumerate() {
            b.pair(image, label, line + 2).unwrap();
        }
        b.image("3").unwrap();
        b.image("1").unwrap();
        let t = b.finish("x", "line", Repeats::Said).unwrap();
        assert_eq!(t.images(), ["2", "1", "3"]);
        assert_eq!(t.labels(), ["ant", "cat", "dog"]);
        assert_eq!([t.row(0), t.row(1), t.row(2)], [&[0_u32, 2][..], &[1], &[]]);
    }

    #[test]
    fn a_repeated_pair_counts_once_and_a_present_one_first() {
        let mut b = PairBuilder::new();
        for (line, (image, label, entry)) in [
            ("1", "cat", Entry::Absent),
            ("1", "cat", Entry::Present),
            ("1", "cat", Entry::Present),
            ("2", "cat", Entry::Unknown),
            ("2", "cat", Entry::Absent),
            ("2", "owl", Entry::Absent),
            ("3", "dog", Entry::Unknown),
        ]
        .into_iter()
        .enumerate()
        {
            let image = b.image(image).unwrap();
            b.entry(image, label, entry, line + 2).unwrap();
        }
        let t = b.finish("x.csv", "line", Repeats::Said).unwrap();
        assert_eq!(t.labels(), ["cat", "dog"]);
        assert_eq!([t.row(0), t.row(1), t.row(2)], [&[0_u32][..], &[], &[]]);
        assert_eq!([t.unknown_row(0), t.unknown_row(1), t.unknown_row(2)], [&[][..], &[0_u32], &[1]]);
    }
}
