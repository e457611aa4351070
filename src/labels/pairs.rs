//! `PairBuilder`: makes a label table from image-label pairs in any order.

use std::collections::HashMap;

use super::label_table::LabelTable;
use crate::error::{Error, Result};

/// How a repeated pair is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// A mistake in the file.
    Refuse,
    /// Several objects of one kind in a picture.
    Merge,
}

/// Collects pairs; images keep the order of their first appearance, labels become alphabetical.
pub struct PairBuilder {
    images: Names,
    labels: Names,
    pairs: Vec<Pair>,
}

struct Pair {
    image: u32,
    label: u32,
    /// Line or row, for errors.
    place: u32,
}

/// Names and their positions. The last one is looked at first, since files tend to repeat it.
#[derive(Default)]
struct Names {
    places: HashMap<String, u32>,
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
        PairBuilder { images: Names::default(), labels: Names::default(), pairs: Vec::new() }
    }

    /// Adds an image, with or without labels to come.
    pub fn image(&mut self, image: &str) -> Result<()> {
        self.images.place(image).map(|_| ())
    }

    /// Adds a label of an image; `place` is the line or row of the pair, for errors.
    pub fn pair(&mut self, image: &str, label: &str, place: usize) -> Result<()> {
        let image = self.images.place(image)?;
        let label = self.labels.place(label)?;
        self.pairs.push(Pair { image, label, place: place as u32 });
        Ok(())
    }

    /// The table. Errors: no image, no label, and under [`Repeats::Refuse`] a repeated pair, with `source` and the two
    /// places, which are called `unit` ("line", "row").
    pub fn finish(self, source: &str, unit: &str, repeats: Repeats) -> Result<LabelTable> {
        let PairBuilder { images, labels, pairs } = self;
        if images.list.is_empty() {
            return Err(Error::data(format!("{source} has no images")));
        }
        if labels.list.is_empty() {
            return Err(Error::data(format!("{source} has {} images, but none has a label", images.list.len())));
        }
        let mut order: Vec<u32> = (0..labels.list.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| labels.list[a as usize].cmp(&labels.list[b as usize]));
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, &old)| place[old as usize] = new as u32);

        // Counting sort by image.
        let mut offsets = vec![0_u64; images.list.len() + 1];
        pairs.iter().for_each(|p| offsets[p.image as usize + 1] += 1);
        (1..offsets.len()).for_each(|i| offsets[i] += offsets[i - 1]);
        let mut next = offsets.clone();
        let mut rows = vec![(0_u32, 0_u32); pairs.len()];
        for pair in &pairs {
            let at = &mut next[pair.image as usize];
            rows[*at as usize] = (place[pair.label as usize], pair.place);
            *at += 1;
        }
        drop((pairs, next));

        let mut indices = Vec::with_capacity(rows.len());
        let mut ends = Vec::with_capacity(offsets.len());
        ends.push(0);
        let mut first_repeat: Option<(u32, u32, usize, u32)> = None;
        for (image, row) in offsets.windows(2).enumerate() {
            let row = &mut rows[row[0] as usize..row[1] as usize];
            row.sort_unstable();
            let mut last = None;
            for &(label, at) in row.iter() {
                match last {
                    Some((before, first)) if before == label => {
                        if first_repeat.is_none_or(|(second, ..)| at < second) {
                            first_repeat = Some((at, first, image, label));
                        }
                    }
                    _ => {
                        indices.push(label);
                        last = Some((label, at));
                    }
                }
            }
            ends.push(indices.len() as u64);
        }
        let names: Vec<String> = order.into_iter().map(|old| labels.list[old as usize].clone()).collect();
        if let (Some((second, first, image, label)), Repeats::Refuse) = (first_repeat, repeats) {
            return Err(Error::data(format!(
                "{source}, {unit} {second}: image \"{}\" has label \"{}\" a second time, first on {unit} {first}",
                images.list[image], names[label as usize]
            )));
        }
        LabelTable::from_csr(names, images.list, ends, indices)
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
        let t = b.finish("x", "line", Repeats::Refuse).unwrap();
        assert_eq!(t.images(), ["2", "1", "3"]);
        assert_eq!(t.labels(), ["ant", "cat", "dog"]);
        assert_eq!([t.row(0), t.row(1), t.row(2)], [&[0_u32, 2][..], &[1], &[]]);
    }

    #[test]
    fn the_first_repeat_is_named() {
        let build = || {
            let mut b = PairBuilder::new();
            for (line, (image, label)) in
                [("2", "dog"), ("1", "cat"), ("1", "cat"), ("2", "dog")].into_iter().enumerate()
            {
                b.pair(image, label, line + 2).unwrap();
            }
            b
        };
        assert_eq!(
            build().finish("x.csv", "line", Repeats::Refuse).unwrap_err().message,
            "x.csv, line 4: image \"1\" has label \"cat\" a second time, first on line 3"
        );
        assert_eq!(build().finish("x.csv", "line", Repeats::Merge).unwrap().counts(), vec![1, 1]);
    }
}
