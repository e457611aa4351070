//! Co-occurrence counted from Parquet files that are read in parts and never held whole.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use polars::prelude::*;

use super::readers::{LoadOptions, Unknown, load};
use super::records::{FrameSource, Layout, Source, parquet};
use crate::activity::progress::Progress;
use crate::activity::{self, console, interrupt};
use crate::error::{Error, Result};
use crate::files;
use crate::graph::{Cooccurrence, Counter};
use crate::tables::{ParquetFile, polars_error};

/// Label indices that are collected before they are counted: 256 MB.
const A_BATCH: usize = 1 << 26;

/// Counts labels and pairs over long Parquet files (one row per pair; a null label marks an image without labels), or
/// over all `.parquet` files of a folder, as one table.
///
/// Memory: the counts, one part of a file, 256 MB of label indices, and 8 bytes per image to notice an image whose rows
/// are not adjacent. If there is one, all files are read again and 8 bytes per row are held too. The labels are in
/// alphabetical order. Errors: a file that is not Parquet or lacks a column, a null image.
pub fn count_files(paths: &[PathBuf]) -> Result<Cooccurrence> {
    let files = files(paths)?;
    let mut columns = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let source = FrameSource::of_parquet(file)?;
        let layout = Layout::find(&source, &LoadOptions::default(), None)?;
        let plain =
            |column: &usize| layout.is_plain() && source.holds_names(layout.image) && source.holds_names(*column);
        let Some(label) = layout.label.filter(plain) else {
            return loaded(&files);
        };
        for note in layout.notes.iter().filter(|_| i == 0) {
            console::log(&format!("{}: {note}", source.name()));
        }
        columns.push([source.names()[layout.image].clone(), source.names()[label].clone()]);
    }
    let files: Vec<(PathBuf, [String; 2])> = files.into_iter().zip(columns).collect();
    match stream(&files, &mut Adjacent::default())? {
        Some(counts) => Ok(counts),
        None => stream(&files, &mut Scattered::default())?
            .ok_or_else(|| Error::internal("images in any order were refused")),
    }
}

/// Counts over tables in memory: wide ones, and those whose cells are more than one present label.
fn loaded(files: &[PathBuf]) -> Result<Cooccurrence> {
    let options = LoadOptions { unknown: Some(Unknown::Masked), ..LoadOptions::default() };
    let mut all = load(&files[0], &options)?;
    for file in &files[1..] {
        all = all.concat(&load(file, &options)?)?;
    }
    let (offsets, indices) = all.csr();
    Cooccurrence::count(all.labels(), offsets, indices)
}

fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = files::list(path)?;
        inside.retain(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet")));
        if inside.is_empty() {
            return Err(Error::data(format!("{} holds no .parquet files", path.display())).about_file(path));
        }
        files.extend(inside);
    }
    if files.is_empty() {
        return Err(Error::argument("cooccurrence needs at least one file; got none".to_string()));
    }
    Ok(files)
}

/// Gathers rows into images and counts them.
trait Gather {
    /// Takes a row: an image with a label or without. Returns false if rows in this order cannot be gathered.
    fn row(&mut self, image: &str, label: Option<u32>, labels: &Labels) -> Result<bool>;
    /// Counts the rest after the last row.
    fn finish(&mut self, labels: &Labels) -> Result<Counter>;
}

/// Label names in the order of their first rows.
#[derive(Default)]
struct Labels {
    places: PlHashMap<String, u32>,
    names: Vec<String>,
}

impl Labels {
    fn place(&mut self, name: &str) -> u32 {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        let place = self.names.len() as u32;
        self.places.insert(name.to_string(), place);
        self.names.push(name.to_string());
        place
    }
}

/// Reads all files in parts, the next one while one is counted.
fn stream(files: &[(PathBuf, [String; 2])], gather: &mut impl Gather) -> Result<Option<Cooccurrence>> {
    let mut heights = Vec::new();
    for (file, _) in files {
        heights.push(ParquetFile::open(file)?.height());
    }
    let progress = Progress::new("counting pairs", heights.iter().sum::<usize>() as u64, "rows");
    let mut labels = Labels::default();
    let activity = activity::current();
    let all = std::thread::scope(|scope| {
        let (send, parts) = sync_channel(1);
        scope.spawn(move || {
            let all = || -> Result<()> {
                for (path, columns) in files {
                    let file = ParquetFile::open(path)?;
                    for start in (0..file.height()).step_by(parquet::ROWS) {
                        // The receiver is gone after an error or an interrupt.
                        if send.send(Ok((path, start, part(&file, columns, start)?))).is_err() {
                            return Ok(());
                        }
                    }
                }
                Ok(())
            };
            if let Err(error) = activity.enter(all) {
                let _ = send.send(Err(error));
            }
        });
        for part in parts {
            interrupt::check()?;
            let (file, start, frame) = part?;
            if !gather_part(file, start, &frame, &mut labels, gather)? {
                return Ok(false);
            }
            progress.advance(frame.height() as u64);
        }
        Ok::<bool, Error>(true)
    })?;
    if !all {
        return Ok(None);
    }
    if labels.names.is_empty() {
        let first = &files[0].0;
        return Err(Error::data(format!("{} has no image with a label", first.display())).about_file(first));
    }
    gather.finish(&labels)?.finish(&labels.names).map(Some)
}

/// Two columns of text, image and label, of the rows from `start` on.
fn part(file: &ParquetFile, columns: &[String; 2], start: usize) -> Result<DataFrame> {
    let frame = file.read(columns, start, parquet::ROWS)?;
    let file = file.path();
    let text = |name: &String, new: &str| -> Result<Column> {
        let column = frame.column(name).and_then(|c| c.cast(&DataType::String));
        Ok(column.map_err(|e| unreadable(file, e))?.with_name(new.into()))
    };
    let columns = vec![text(&columns[0], "image")?, text(&columns[1], "label")?];
    DataFrame::new(frame.height(), columns).map_err(|e| unreadable(file, e))
}

fn unreadable(path: &Path, e: PolarsError) -> Error {
    polars_error(format!("{} cannot be read", path.display()), e).about_file(path)
}

fn gather_part(
    file: &Path,
    start: usize,
    frame: &DataFrame,
    labels: &mut Labels,
    gather: &mut impl Gather,
) -> Result<bool> {
    let column = |name: &str| frame.column(name).and_then(|c| c.str()).map_err(|e| unreadable(file, e));
    for (at, (image, label)) in column("image")?.iter().zip(column("label")?.iter()).enumerate() {
        let Some(image) = image.filter(|name| !name.is_empty()) else {
            let message = format!("{}, row {}: the image has no name", file.display(), start + at);
            return Err(Error::data(message).about_file(file));
        };
        let label = label.filter(|name| !name.is_empty()).map(|name| labels.place(name));
        let taken = gather.row(image, label, labels).map_err(|mut e| {
            e.message = format!("{}, row {}: {}", file.display(), start + at, e.message);
            e.about_file(file)
        })?;
        if !taken {
            return Ok(false);
        }
    }
    Ok(true)
}

fn hash(image: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(image.as_bytes()).as_bytes()[..16]);
    u128::from_le_bytes(bytes)
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
struct Adjacent {
    batch: Batch,
    image: String,
    row: Vec<u32>,
    /// Hashes of finished images. A collision costs a second reading, nothing else.
    seen: HashSet<u64>,
}

impl Gather for Adjacent {
    fn row(&mut self, image: &str, label: Option<u32>, labels: &Labels) -> Result<bool> {
        if image != self.image {
            if !self.seen.insert(hash(image) as u64) {
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
}

/// Gathers files in which the rows of an image are anywhere.
#[derive(Default)]
struct Scattered {
    images: HashMap<u128, u32>,
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
            while at < pairs.len() && pairs[at].0 == image {
                row.push(pairs[at].1);
                at += 1;
            }
            batch.image(&mut row, labels.names.len())?;
        }
        batch.count(labels.names.len())?;
        Ok(batch.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::super::LabelTable;
    use super::*;
    use crate::tables::Table;

    fn write(folder: &Path, name: &str, rows: &[(&str, Option<&str>)]) -> PathBuf {
        let cells = |f: fn(&(&str, Option<&str>)) -> crate::tables::Cell| rows.iter().map(f).collect();
        let columns = vec![("image".into(), cells(|r| r.0.into())), ("label".into(), cells(|r| r.1.into()))];
        let path = folder.join(name);
        Table::from_columns(columns).unwrap().write_parquet(&path).unwrap();
        path
    }

    #[test]
    fn any_order_of_rows_gives_the_counts_of_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let rows =
            [("a", Some("x")), ("a", Some("z")), ("b", None), ("c", Some("z")), ("c", Some("y")), ("c", Some("x"))];
        let together = count_files(&[write(folder.path(), "1.parquet", &rows)]).unwrap();
        let labels = ["x", "y", "z"].map(String::from).to_vec();
        let images = ["a", "b", "c"].map(String::from).to_vec();
        let table = LabelTable::from_lists(labels, images, &[vec![0, 2], vec![], vec![0, 1, 2]]).unwrap();
        let (offsets, indices) = table.csr();
        let expected = Cooccurrence::count(table.labels(), offsets, indices).unwrap();
        assert_eq!(together, expected);
        let mixed = [rows[3], rows[0], rows[5], rows[2], rows[1], rows[4]];
        assert_eq!(count_files(&[write(folder.path(), "2.parquet", &mixed)]).unwrap(), expected);
        // An image over two shards of a folder.
        let shards = tempfile::tempdir().unwrap();
        write(shards.path(), "a.parquet", &mixed[..3]);
        write(shards.path(), "b.parquet", &mixed[3..]);
        assert_eq!(count_files(&[shards.path().to_path_buf()]).unwrap(), expected);
    }

    #[test]
    fn mistakes_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let of = |rows: &[(&str, Option<&str>)]| {
            count_files(&[write(folder.path(), "x.parquet", rows)]).unwrap_err().message
        };
        assert!(of(&[("", Some("x"))]).ends_with("x.parquet, row 0: the image has no name"));
        assert!(count_files(&[folder.path().join("none")]).is_err());
        let empty = tempfile::tempdir().unwrap();
        assert!(count_files(&[empty.path().to_path_buf()]).unwrap_err().message.contains("no .parquet files"));
        let text = folder.path().join("t.parquet");
        std::fs::write(&text, "image,label\n").unwrap();
        assert!(count_files(&[text]).unwrap_err().message.contains("t.parquet"));
    }
}
