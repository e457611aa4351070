//! Co-occurrence counted by shards: parts of a table's files, each counted by itself and kept as a run of the store.
//!
//! - here: the files dealt to shards, and the counting of one
//! - `kept`: a shard's counts and images as files of its run
//! - `sum`: the counts of all shards, which must not share an image
//!
//! The sum equals [`count_files`](super::count_files) of the same files bit by bit, labels' order included.

mod kept;
mod sum;

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::kept::Kept;
use super::parquet_counts::Parts;
use crate::activity::{console, interrupt};
use crate::error::{Error, Result, counted};
use crate::graph::Cooccurrence;
use crate::runs::{Run, RunStore, id_of};

/// The kind of a shard's run.
const KIND: &str = "counts";

/// A table's files, dealt to shards.
#[derive(Clone, Debug)]
pub struct Shards(Vec<Shard>);

/// Files that are counted together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Counted from 1.
    pub number: usize,
    files: Vec<File>,
}

/// A file as it was when it was dealt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct File {
    path: PathBuf,
    bytes: u64,
    /// Seconds since 1970, to the nanosecond.
    modified: String,
    /// The columns of image and label; None where all files are loaded as tables.
    columns: Option<[String; 2]>,
}

impl Shards {
    /// Deals Parquet files, and those in folders, to `n` shards: consecutive files, so that each shard has about as many bytes. No
    /// shard is without a file, so there are no more shards than files.
    ///
    /// Errors: no file, one that is not Parquet or lacks a column.
    pub fn deal(paths: &[PathBuf], n: usize) -> Result<Shards> {
        let parts = Parts::find(paths)?;
        let column = |i: usize| parts.columns.as_ref().map(|columns| columns[i].clone());
        let files = parts.files.iter().enumerate().map(|(i, path)| File::of(path, column(i)));
        let files = files.collect::<Result<Vec<_>>>()?;
        if n > files.len() {
            let shards = counted(files.len(), "shard");
            console::log(&format!("{shards} of one file each, not the {n} that were asked for"));
        }
        let sizes: Vec<u64> = files.iter().map(|file| file.bytes).collect();
        let mut rest = files.into_iter();
        let shards = dealt(&sizes, n).into_iter().enumerate();
        Ok(Shards(shards.map(|(i, n)| Shard { number: i + 1, files: rest.by_ref().take(n).collect() }).collect()))
    }

    pub fn shards(&self) -> &[Shard] {
        &self.0
    }

    /// Counts those that the store lacks, one after the other. Memory: that of the largest.
    ///
    /// Errors: those of [`Shard::count`].
    pub fn count_here(&self, store: &RunStore) -> Result<()> {
        for shard in &self.0 {
            interrupt::check()?;
            shard.count(store)?;
        }
        Ok(())
    }

    /// The counts of all shards, which are in the store.
    ///
    /// Memory: the counts twice, and a few megabytes. Errors: a shard that is not in the store; an image that is in two shards; a
    /// damaged run; no label at all.
    pub fn sum(&self, store: &RunStore) -> Result<Cooccurrence> {
        sum::of(self, store)
    }
}

/// How many consecutive files each of `n` shards gets, by their sizes.
fn dealt(sizes: &[u64], n: usize) -> Vec<usize> {
    let n = n.clamp(1, sizes.len().max(1));
    let mut counts = Vec::with_capacity(n);
    let (mut at, mut left) = (0, sizes.iter().sum::<u64>());
    for shard in 0..n {
        let shards = n - shard;
        let share = left / shards as u64;
        let (begin, mut bytes) = (at, 0);
        // Each later shard gets a file. One that reaches over the border is taken if more of it is inside.
        while at < sizes.len() - (shards - 1) && (at == begin || shards == 1 || bytes + sizes[at] / 2 < share) {
            bytes += sizes[at];
            at += 1;
        }
        left -= bytes;
        counts.push(at - begin);
    }
    counts
}

impl File {
    fn of(path: &Path, columns: Option<[String; 2]>) -> Result<File> {
        let path = std::path::absolute(path).map_err(|e| Error::io(path, e))?;
        let metadata = crate::files::open(&path)?.metadata().map_err(|e| Error::io(&path, e))?;
        let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let modified = format!("{}.{:09}", since.as_secs(), since.subsec_nanos());
        Ok(File { bytes: metadata.len(), modified, columns, path })
    }

    fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

impl Shard {
    /// The id of its run: a hash of its files' names, sizes, times of change and columns. Contents are not read; a file that is written
    /// again counts as changed.
    pub fn id(&self) -> String {
        id_of(KIND, &self.spec())
    }

    fn spec(&self) -> Value {
        let file = |file: &File| json!([file.name(), file.bytes, file.modified, file.columns]);
        json!({ "format": 1, "files": self.files.iter().map(file).collect::<Vec<_>>() })
    }

    /// The content of a task's file, which [`work`] does.
    pub fn job(&self) -> Value {
        json!({ "task": "count", "shard": self })
    }

    /// Its run, from the store or counted now.
    ///
    /// Errors: those of [`count_files`](super::count_files) but for files without a label; a file that has changed since it was dealt.
    pub fn count(&self, store: &RunStore) -> Result<Run> {
        store.find_or_make(KIND, &self.spec(), |work| {
            self.check_unchanged()?;
            let (counts, images) = self.parts()?.count_with_images()?;
            self.check_unchanged()?;
            Kept::write(work, &counts, &images)
        })
    }

    fn check_unchanged(&self) -> Result<()> {
        for file in &self.files {
            if File::of(&file.path, file.columns.clone())? != *file {
                let was = format!("{} bytes, changed at {}", file.bytes, file.modified);
                return Err(Error::in_file(
                    &file.path,
                    format!("it has changed since it was dealt to a shard ({was})"),
                )
                .with_help(
                    "the same call deals the files anew; a file system that rounds times must round them on all nodes",
                ));
            }
        }
        Ok(())
    }

    fn parts(&self) -> Result<Parts> {
        let files = self.files.iter().map(|file| file.path.clone()).collect();
        match self.files.first() {
            Some(_) => Ok(Parts { files, columns: self.files.iter().map(|file| file.columns.clone()).collect() }),
            None => Err(Error::data("a shard without files")),
        }
    }

    /// Its files in words: `a.parquet`, `a.parquet to f.parquet`.
    fn in_words(&self) -> String {
        match &self.files[..] {
            [] => String::new(),
            [one] => one.name(),
            [first, .., last] => format!("{} to {}", first.name(), last.name()),
        }
    }
}

/// Counts the shard of a task's file into the store, and returns the id of its run.
///
/// Errors: a file that [`Shard::job`] did not write; those of [`Shard::count`].
pub fn work(store: &RunStore, file: &Value) -> Result<String> {
    let shard: Shard = serde_json::from_value(file["shard"].clone())
        .map_err(|e| Error::data(format!("this is no shard that cpsd wrote: {e}")))?;
    Ok(shard.count(store)?.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::count_files;
    use crate::labels::synthetic::{Synthetic, SyntheticOptions};
    use crate::tables::{Cell, Table};

    #[test]
    fn files_are_dealt_by_size_in_their_order() {
        assert_eq!(dealt(&[1; 6], 3), [2, 2, 2]);
        assert_eq!(dealt(&[9, 1, 1, 1], 2), [1, 3]);
        assert_eq!(dealt(&[1, 1, 1, 9], 2), [3, 1]);
        assert_eq!(dealt(&[1, 1, 9, 1, 1], 3), [2, 1, 2]);
        assert_eq!(dealt(&[100, 1, 1], 3), [1, 1, 1]);
        assert_eq!(dealt(&[0, 0, 0, 0], 3).iter().sum::<usize>(), 4);
        assert_eq!(dealt(&[5, 5], 9), [1, 1]);
        for n in 1..12 {
            let sizes: Vec<u64> = (0..11).map(|i| (i * 7919) % 13).collect();
            let counts = dealt(&sizes, n);
            assert!(counts.len() == n.min(11) && counts.iter().all(|&n| n > 0) && counts.iter().sum::<usize>() == 11);
        }
    }

    pub(super) fn write(path: &Path, rows: &[(String, Option<String>)]) {
        let cell = |text: &Option<String>| text.as_deref().map_or(Cell::Null, Cell::from);
        let images = rows.iter().map(|row| row.0.as_str().into()).collect();
        let labels = rows.iter().map(|row| cell(&row.1)).collect();
        let table = Table::from_columns(vec![("image".into(), images), ("label".into(), labels)]).unwrap();
        table.write_parquet(path).unwrap();
    }

    fn row(image: &str, label: &str) -> (String, Option<String>) {
        (image.into(), Some(label.into()).filter(|label: &String| !label.is_empty()))
    }

    /// A table in seven files, whose first labels come late in the alphabet.
    pub(super) fn table(folder: &Path, labels: usize) -> PathBuf {
        let options = SyntheticOptions { images: 700, labels, per_image: 12.0, ..SyntheticOptions::default() };
        let table = Synthetic::new(&options).unwrap().table().unwrap();
        let name =
            |label: u32| Some(format!("label {:06}", (labels as u32 - label).wrapping_mul(2_654_435_761) % 999_983));
        for (part, images) in (0..700).collect::<Vec<usize>>().chunks(100).enumerate() {
            let rows = images.iter().flat_map(|&i| {
                let image = format!("image {i}");
                let row = table.row(i);
                let none = row.is_empty().then(|| (image.clone(), None));
                row.iter().map(|&label| (image.clone(), name(label))).chain(none).collect::<Vec<_>>()
            });
            write(&folder.join(format!("{part}.parquet")), &rows.collect::<Vec<_>>());
        }
        folder.to_path_buf()
    }

    #[test]
    fn the_sum_of_shards_is_the_count_of_the_files() {
        // Square tables; lists of pairs; square tables of shards whose sum is a list.
        for labels in [30, 2500] {
            let folder = tempfile::tempdir().unwrap();
            let path = [table(folder.path(), labels)];
            let whole = count_files(&path).unwrap();
            for n in [1, 2, 3, 7] {
                let store = RunStore::new(folder.path().join(format!("runs {n}")));
                let shards = Shards::deal(&path, n).unwrap();
                assert_eq!(shards.shards().len(), n);
                shards.count_here(&store).unwrap();
                assert_eq!(shards.sum(&store).unwrap(), whole, "{labels} labels, {n} shards");
                assert_eq!(store.list().len(), n);
            }
        }
    }

    #[test]
    fn a_shard_without_labels_counts_its_images() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("a.parquet"), &[row("1", ""), row("2", "")]);
        write(&folder.path().join("b.parquet"), &[row("3", "z"), row("3", "a")]);
        let path = [folder.path().to_path_buf()];
        let store = RunStore::new(folder.path().join("runs"));
        let shards = Shards::deal(&path, 2).unwrap();
        assert!(shards.sum(&store).unwrap_err().message.contains("shard 1"));
        shards.count_here(&store).unwrap();
        let sum = shards.sum(&store).unwrap();
        assert_eq!(sum, count_files(&path).unwrap());
        assert_eq!((sum.labels().to_vec(), sum.num_images()), (vec!["a".to_string(), "z".to_string()], Some(3)));
        let none = Shards::deal(&[folder.path().join("a.parquet")], 1).unwrap();
        none.count_here(&store).unwrap();
        assert!(none.sum(&store).unwrap_err().message.ends_with("a.parquet has no image with a label"));
    }

    #[test]
    fn wide_tables_are_counted_as_they_are_loaded() {
        let folder = tempfile::tempdir().unwrap();
        for (name, image, columns) in [("a", "1", ["z", "m"]), ("b", "2", ["m", "a"])] {
            let columns = columns.map(|label| (label.to_string(), vec![Cell::Int(1), Cell::Int(0)]));
            let images = vec![("image".to_string(), vec![Cell::from(image), Cell::from(&*format!("{image}0"))])];
            let table = Table::from_columns(images.into_iter().chain(columns).collect()).unwrap();
            table.write_parquet(folder.path().join(format!("{name}.parquet"))).unwrap();
        }
        let path = [folder.path().to_path_buf()];
        let store = RunStore::new(folder.path().join("runs"));
        let shards = Shards::deal(&path, 2).unwrap();
        shards.count_here(&store).unwrap();
        let sum = shards.sum(&store).unwrap();
        assert_eq!(sum.labels().to_vec(), ["z", "m", "a"]);
        assert_eq!(sum, count_files(&path).unwrap());
    }

    #[test]
    fn an_image_in_two_shards_is_named_and_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = table(folder.path(), 30);
        write(&path.join("7.parquet"), &[row("image 250", "x")]);
        let store = RunStore::new(path.join("runs"));
        let shards = Shards::deal(&[path], 4).unwrap();
        shards.count_here(&store).unwrap();
        let error = shards.sum(&store).unwrap_err();
        assert!(error.message.starts_with("image \"image 250\" is in two shards: "), "{error}");
        assert!(error.message.contains("2.parquet") && error.message.contains("7.parquet"), "{error}");
        assert!(error.help.unwrap().contains("sort"));
    }

    #[test]
    fn a_worker_counts_the_shard_of_its_file_unless_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.parquet");
        write(&file, &[row("1", "x")]);
        let store = RunStore::new(folder.path().join("runs"));
        let shard = Shards::deal(std::slice::from_ref(&file), 1).unwrap().shards()[0].clone();
        let job: Value = serde_json::from_str(&shard.job().to_string()).unwrap();
        assert_eq!(work(&store, &job).unwrap(), shard.id());
        write(&file, &[row("1", "x"), row("2", "y")]);
        // What is in the store is not read again; another shard of the file is.
        assert_eq!(work(&store, &job).unwrap(), shard.id());
        let other = RunStore::new(folder.path().join("other"));
        assert!(work(&other, &job).unwrap_err().message.contains("has changed since it was dealt"));
        assert!(work(&store, &json!({"task": "count"})).unwrap_err().message.contains("no shard"));
    }
}
