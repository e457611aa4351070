//! Label tables from label tables: labels renamed, merged or dropped, images chosen, shards concatenated.
//!
//! Entries of unknown truth follow their images and labels. An image has a label if that is known.

use std::collections::{HashMap, HashSet};

use polars::prelude::*;

use super::label_table::LabelTable;
use crate::error::{Error, Result, counted};
use crate::random;
use crate::tables::{Cell, Table, columns_of, polars_error};

/// The column of row numbers in a filtered frame; no label has this name.
const ROW: &str = "\u{0}row";

impl LabelTable {
    /// New names for some labels. Errors: an unknown label, a name that two labels would have.
    pub fn rename(&self, names: &[(String, String)]) -> Result<Self> {
        let mut labels = self.labels().to_vec();
        let place: HashMap<&str, usize> = self.labels().iter().enumerate().map(|(i, l)| (l.as_str(), i)).collect();
        for (old, new) in names {
            let at = place.get(old.as_str()).copied().map_or_else(|| self.label_index(old), Ok)?;
            labels[at] = new.clone();
        }
        let mut seen = HashSet::with_capacity(labels.len());
        if let Some(twice) = labels.iter().find(|label| !seen.insert(*label)) {
            return Err(Error::argument(format!("two labels would be called \"{twice}\""))
                .about_name(twice)
                .with_help("merge makes one label of several"));
        }
        self.with_labels_at(labels, &(0..self.num_labels() as u32).collect::<Vec<_>>())
    }

    /// Merges groups of labels into one label each. An image has the new label if it had any of the group; otherwise,
    /// the entry is unknown if any of the group was. The label takes the position of the group's first.
    ///
    /// Errors: an unknown label, one in two groups, an empty group, a new name that another label has.
    pub fn merge(&self, groups: &[(String, Vec<String>)]) -> Result<Self> {
        let mut group_of: Vec<Option<usize>> = vec![None; self.num_labels()];
        for (g, (name, members)) in groups.iter().enumerate() {
            if name.trim().is_empty() {
                return Err(Error::argument(format!("merged labels must get a name; got \"{name}\"")));
            }
            if members.is_empty() {
                return Err(Error::argument(format!("label \"{name}\" would be merged from no label")).about_name(name));
            }
            for member in members {
                if let Some(other) = group_of[self.label_index(member)?].replace(g) {
                    return Err(Error::argument(format!(
                        "label \"{member}\" is merged twice, into \"{}\" and \"{name}\"",
                        groups[other].0
                    ))
                    .about_name(name));
                }
            }
        }
        let mut labels: Vec<String> = Vec::new();
        let mut place_of_group = vec![None; groups.len()];
        let place: Vec<u32> = (0..self.num_labels())
            .map(|label| match group_of[label] {
                Some(g) => *place_of_group[g].get_or_insert_with(|| {
                    labels.push(groups[g].0.clone());
                    labels.len() as u32 - 1
                }),
                None => {
                    labels.push(self.labels()[label].clone());
                    labels.len() as u32 - 1
                }
            })
            .collect();
        let moved = |row: &[u32]| row.iter().map(|&l| place[l as usize]).collect::<Vec<u32>>();
        let lists: Vec<Vec<u32>> = (0..self.num_images()).map(|i| moved(self.row(i))).collect();
        let merged = Self::from_lists(labels, self.images().to_vec(), &lists)?;
        if self.num_unknown() == 0 {
            return Ok(merged);
        }
        let undecided = |i: usize| {
            let mut row = moved(self.unknown_row(i));
            row.retain(|label| merged.row(i).binary_search(label).is_err());
            row
        };
        merged.with_unknown(&(0..self.num_images()).map(undecided).collect::<Vec<_>>())
    }

    /// Without the named labels. Errors: an unknown one, none left.
    pub fn drop_labels<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let mut gone = vec![false; self.num_labels()];
        for name in names {
            gone[self.label_index(name.as_ref())?] = true;
        }
        let left: Vec<&String> = self.labels().iter().zip(&gone).filter(|(_, gone)| !**gone).map(|(l, _)| l).collect();
        if left.is_empty() {
            return Err(Error::argument("no label would be left".to_string()));
        }
        self.take_labels(&left)
    }

    /// Only the labels that at least `images` images are known to have. Errors: there is none.
    pub fn drop_rare(&self, images: u64) -> Result<Self> {
        let counts = self.counts();
        let kept: Vec<&String> =
            self.labels().iter().zip(&counts).filter(|(_, n)| **n >= images).map(|(l, _)| l).collect();
        if kept.is_empty() {
            let most = counts.iter().max().copied().unwrap_or(0);
            return Err(Error::argument(format!(
                "no label is in {images} or more images; the most frequent is in {most}"
            )));
        }
        self.take_labels(&kept)
    }

    /// Only the images that are known to have a label.
    pub fn drop_unlabelled(&self) -> Result<Self> {
        self.images_where(|row| !row.is_empty())
    }

    /// The images where an expression is true. Every label is a column of 0 and 1, and null where the truth is unknown;
    /// the column `image` holds the names.
    ///
    /// Errors: a column that is no label, with the nearest; an expression that is no condition.
    pub fn filter(&self, predicate: Expr) -> Result<Self> {
        let n = self.num_images();
        let mut columns = Vec::new();
        let mut names: Vec<String> = columns_of(&predicate).iter().map(|name| name.to_string()).collect();
        if !names.iter().any(|name| name == "image") {
            names.push("image".into());
        }
        for name in &names {
            if name == "image" {
                let images = StringChunked::from_iter_values("image".into(), self.images().iter().map(String::as_str));
                columns.push(images.into_column());
                continue;
            }
            let label = self.label_index(name)? as u32;
            let held = |i: usize| i32::from(self.row(i).binary_search(&label).is_ok());
            let known = |i: usize| self.unknown_row(i).binary_search(&label).is_err();
            let values: Int32Chunked = match self.num_unknown() {
                0 => Int32Chunked::from_vec(PlSmallStr::EMPTY, (0..n).map(held).collect()),
                _ => (0..n).map(|i| known(i).then(|| held(i))).collect(),
            };
            columns.push(values.with_name(name.as_str().into()).into_column());
        }
        let frame = DataFrame::new(n, columns).map_err(|e| polars_error("filter", e))?;
        let kept = Table::of(frame).with_row_index(ROW)?.filter(predicate)?.column(ROW)?;
        let place = |cell: &Cell| if let Cell::Int(i) = cell { *i as usize } else { 0 };
        self.take_images(&kept.iter().map(place).collect::<Vec<_>>())
    }

    /// The images that are known to have at least one of the named labels. Errors: an unknown label.
    pub fn with_any<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let wanted = self.indices_of(names)?;
        self.images_where(|row| wanted.iter().any(|label| row.binary_search(label).is_ok()))
    }

    /// The images that are known to have every one of the named labels. Errors: an unknown label.
    pub fn with_all<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let wanted = self.indices_of(names)?;
        self.images_where(|row| wanted.iter().all(|label| row.binary_search(label).is_ok()))
    }

    /// `n` random images, in table order. Errors: more than there are.
    pub fn sample(&self, n: usize, seed: u64) -> Result<Self> {
        let all = self.num_images();
        if n > all {
            return Err(Error::argument(format!("{} cannot be drawn out of {all}", counted(n, "image"))));
        }
        self.take_images(&random::sample(all, n, &mut random::seeded(seed)))
    }

    /// The images of both tables. Labels are matched by name; those that only `other` has come last. A label that one
    /// of them does not have is absent from its images. Errors: an image in both.
    pub fn concat(&self, other: &Self) -> Result<Self> {
        let mut labels = self.labels().to_vec();
        let here: HashMap<&str, u32> = self.labels().iter().enumerate().map(|(i, l)| (l.as_str(), i as u32)).collect();
        let place: Vec<u32> = (other.labels().iter())
            .map(|label| {
                here.get(label.as_str()).copied().unwrap_or_else(|| {
                    labels.push(label.clone());
                    labels.len() as u32 - 1
                })
            })
            .collect();
        let images: std::collections::HashSet<&str> = self.images().iter().map(String::as_str).collect();
        if let Some(twice) = other.images().iter().find(|name| images.contains(name.as_str())) {
            return Err(Error::data(format!("image \"{twice}\" is in both tables")));
        }
        fn chained<'a>(
            ours: &'a LabelTable,
            theirs: &'a LabelTable,
            place: &[u32],
            row: fn(&'a LabelTable, usize) -> &'a [u32],
        ) -> Vec<Vec<u32>> {
            let first = (0..ours.num_images()).map(|i| row(ours, i).to_vec());
            let second = (0..theirs.num_images()).map(|i| row(theirs, i).iter().map(|&l| place[l as usize]).collect());
            first.chain(second).collect()
        }
        let images = self.images().iter().chain(other.images()).cloned().collect();
        let both = Self::from_lists(labels, images, &chained(self, other, &place, LabelTable::row))?;
        if self.num_unknown() + other.num_unknown() == 0 {
            return Ok(both);
        }
        both.with_unknown(&chained(self, other, &place, LabelTable::unknown_row))
    }

    fn indices_of<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<u32>> {
        names.iter().map(|name| self.label_index(name.as_ref()).map(|i| i as u32)).collect()
    }

    fn images_where(&self, keep: impl Fn(&[u32]) -> bool) -> Result<Self> {
        let kept: Vec<usize> = (0..self.num_images()).filter(|&i| keep(self.row(i))).collect();
        self.take_images(&kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> LabelTable {
        let labels = ["car", "bus", "cat", "dog"].map(String::from).to_vec();
        let images = ["1", "2", "3", "4"].map(String::from).to_vec();
        LabelTable::from_lists(labels, images, &[vec![0, 1], vec![1, 2], vec![], vec![2, 3]]).unwrap()
    }

    fn pairs(t: &LabelTable) -> Vec<String> {
        let row = |i: usize| t.row(i).iter().map(|&l| t.labels()[l as usize].as_str()).collect::<Vec<_>>().join("+");
        (0..t.num_images()).map(|i| format!("{}:{}", t.images()[i], row(i))).collect()
    }

    #[test]
    fn labels_are_merged_renamed_and_dropped() {
        let t = table().merge(&[("vehicle".into(), vec!["bus".into(), "car".into()])]).unwrap();
        assert_eq!(pairs(&t), ["1:vehicle", "2:vehicle+cat", "3:", "4:cat+dog"]);
        let t = table().rename(&[("dog".into(), "hound".into())]).unwrap();
        assert_eq!(t.labels()[3], "hound");
        assert_eq!(pairs(&table().drop_labels(&["car", "dog"]).unwrap())[3], "4:cat");
        assert_eq!(table().drop_rare(2).unwrap().labels(), ["bus", "cat"]);
        let e = |r: Result<LabelTable>| r.unwrap_err().message;
        assert_eq!(e(table().rename(&[("dog".into(), "cat".into())])), "two labels would be called \"cat\"");
        assert!(
            e(table().merge(&[("a".into(), vec!["cat".into()]), ("b".into(), vec!["cat".into()])]))
                .contains("merged twice")
        );
        assert!(e(table().merge(&[("dog".into(), vec!["cat".into()])])).contains("\"dog\" appears twice"));
        assert!(e(table().drop_rare(9)).contains("the most frequent is in 2"));
        assert!(e(table().drop_labels(&["car", "bus", "cat", "dog"])).contains("no label would be left"));
    }

    #[test]
    fn images_are_chosen() {
        assert_eq!(pairs(&table().with_any(&["car", "dog"]).unwrap()), ["1:car+bus", "4:cat+dog"]);
        assert_eq!(pairs(&table().with_all(&["cat", "bus"]).unwrap()), ["2:bus+cat"]);
        let one_of_two = (col("bus") + col("cat")).eq(lit(1));
        assert_eq!(pairs(&table().filter(one_of_two).unwrap()), ["1:car+bus", "4:cat+dog"]);
        assert_eq!(pairs(&table().filter(col("image").gt(lit("2")).and(col("dog").eq(lit(0)))).unwrap()), ["3:"]);
        assert!(table().filter(col("buss").eq(lit(1))).unwrap_err().help.is_some());
        assert_eq!(table().drop_unlabelled().unwrap().num_images(), 3);
        assert_eq!(table().sample(2, 5).unwrap().images(), table().sample(2, 5).unwrap().images());
        assert_eq!(table().sample(4, 1).unwrap().images(), table().images());
        assert!(table().sample(5, 1).is_err());
    }

    #[test]
    fn shards_are_put_together_by_name() {
        let other = table().take_labels(&["dog", "cat"]).unwrap().rename(&[("cat".into(), "owl".into())]).unwrap();
        assert!(table().concat(&other).unwrap_err().message.contains("image \"1\" is in both tables"));
        let images = ["5", "6", "7", "8"].map(String::from).to_vec();
        let (offsets, indices) = other.csr();
        let other = LabelTable::from_csr(other.labels().to_vec(), images, offsets.to_vec(), indices.to_vec()).unwrap();
        let both = table().concat(&other).unwrap();
        assert_eq!(both.labels(), ["car", "bus", "cat", "dog", "owl"]);
        assert_eq!(pairs(&both)[7], "8:dog+owl");
    }

    /// Image 1 may have a cat, 3 a car and a dog.
    fn partly_unknown() -> LabelTable {
        table().with_unknown(&[vec![2], vec![], vec![0, 3], vec![]]).unwrap()
    }

    fn unknown(t: &LabelTable) -> Vec<String> {
        let row = |i: usize| t.unknown_row(i).iter().map(|&l| t.labels()[l as usize].as_str()).collect::<Vec<_>>();
        (0..t.num_images()).map(|i| format!("{}:{}", t.images()[i], row(i).join("+"))).collect()
    }

    #[test]
    fn unknown_entries_stay_unknown() {
        let t = partly_unknown();
        assert_eq!(unknown(&t.rename(&[("cat".into(), "kitten".into())]).unwrap())[0], "1:kitten");
        // Present beats unknown, unknown beats absent.
        let merged = t.merge(&[("any".into(), vec!["car".into(), "cat".into()])]).unwrap();
        assert_eq!(pairs(&merged), ["1:any+bus", "2:any+bus", "3:", "4:any+dog"]);
        assert_eq!(unknown(&merged), ["1:", "2:", "3:any+dog", "4:"]);
        let all = t.merge(&[("any".into(), vec!["bus".into(), "car".into(), "cat".into()])]).unwrap();
        assert_eq!(unknown(&all), ["1:", "2:", "3:any+dog", "4:"]);
        assert_eq!(unknown(&t.drop_labels(&["car", "bus"]).unwrap()), ["1:cat", "2:", "3:dog", "4:"]);
        assert_eq!(unknown(&t.drop_rare(2).unwrap()), ["1:cat", "2:", "3:", "4:"]);
        // An image whose labels may be there has none that is known.
        assert_eq!(t.drop_unlabelled().unwrap().images(), ["1", "2", "4"]);
        assert_eq!(t.with_any(&["car", "dog"]).unwrap().images(), ["1", "4"]);
        assert_eq!(unknown(&t.sample(4, 1).unwrap()), unknown(&t));
        assert_eq!(t.drop_labels(&["cat", "car", "dog"]).unwrap().num_unknown(), 0);
    }

    #[test]
    fn an_unknown_entry_is_neither_0_nor_1_in_a_filter() {
        let t = partly_unknown();
        assert_eq!(t.filter(col("cat").eq(lit(1))).unwrap().images(), ["2", "4"]);
        assert_eq!(t.filter(col("cat").eq(lit(0))).unwrap().images(), ["3"]);
        assert_eq!(t.filter(col("cat").is_null()).unwrap().images(), ["1"]);
        assert_eq!(
            unknown(&t.filter(col("dog").is_null().or(col("cat").eq(lit(1)))).unwrap()),
            ["2:", "3:car+dog", "4:"]
        );
    }

    #[test]
    fn shards_keep_their_unknown_entries() {
        let images = ["5", "6", "7", "8"].map(String::from).to_vec();
        let whole = table();
        let (offsets, indices) = whole.csr();
        let other = LabelTable::from_csr(whole.labels().to_vec(), images, offsets.to_vec(), indices.to_vec()).unwrap();
        let other = other.take_labels(&["dog", "cat"]).unwrap();
        let both = partly_unknown().concat(&other).unwrap();
        assert_eq!(unknown(&both)[..4], unknown(&partly_unknown()));
        // The labels that it does not have are absent from its images.
        assert_eq!(unknown(&both)[4..], ["5:", "6:", "7:", "8:"]);
        let both = other.with_unknown(&[vec![1], vec![0], vec![], vec![]]).unwrap().concat(&table()).unwrap();
        assert_eq!(unknown(&both)[..2], ["5:cat", "6:dog"]);
        assert_eq!(both.num_unknown(), 2);
    }
}
