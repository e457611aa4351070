//! Co-occurrence counted from Parquet files that are read in parts and never held whole.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use polars::prelude::*;

use super::LabelTable;
use super::gather_images::{Adjacent, Gather, Labels, Scattered, short_hash};
use super::readers::{LoadOptions, Unknown, load};
use super::records::{FrameSource, Layout, Source, parquet};
use crate::activity::progress::Progress;
use crate::activity::{self, console, interrupt};
use crate::error::{Error, Result};
use crate::files;
use crate::graph::Cooccurrence;
use crate::tables::{ParquetFile, polars_error};

/// Counts labels and pairs over long Parquet files (one row per pair; a null label marks an image without labels), or
/// over all `.parquet` files of a folder, as one table.
///
/// Memory: the counts, one part of a file, 256 MB of label indices, and 8 bytes per image to notice an image whose rows
/// are not adjacent. If there is one, all files are read again and 8 bytes per row are held too. The labels are in
/// alphabetical order. Errors: a file that is not Parquet or lacks a column, a null image.
pub fn count_files(paths: &[PathBuf]) -> Result<Cooccurrence> {
    let table = Parts::find(paths)?;
    with_labels(table.count()?, &table.files[0])
}

/// Errors: counts without a single label.
pub(super) fn with_labels(counts: Cooccurrence, first: &Path) -> Result<Cooccurrence> {
    match counts.is_empty() {
        true => Err(Error::data(format!("{} has no image with a label", first.display())).about_file(first)),
        false => Ok(counts),
    }
}

/// Parquet files that are one table, or a part of them.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// At least one.
    pub files: Vec<PathBuf>,
    /// The columns of image and label of each file. None where a file is no plain list of pairs: then all are loaded.
    pub columns: Option<Vec<[String; 2]>>,
}

impl Parts {
    /// The files, and those in folders, with their columns. Errors: those of [`count_files`] that show before the rows are read.
    pub fn find(paths: &[PathBuf]) -> Result<Parts> {
        let files = files(paths)?;
        let mut columns = Vec::new();
        for (i, file) in files.iter().enumerate() {
            let source = FrameSource::of_parquet(file)?;
            let layout = Layout::find(&source, &LoadOptions::default(), None)?;
            let plain =
                |column: &usize| layout.is_plain() && source.holds_names(layout.image) && source.holds_names(*column);
            let Some(label) = layout.label.filter(plain) else {
                return Ok(Parts { files, columns: None });
            };
            for note in layout.notes.iter().filter(|_| i == 0) {
                console::log(&format!("{}: {note}", source.name()));
            }
            columns.push([source.names()[layout.image].clone(), source.names()[label].clone()]);
        }
        Ok(Parts { files, columns: Some(columns) })
    }

    /// The counts; there may be no label at all.
    pub fn count(&self) -> Result<Cooccurrence> {
        match &self.columns {
            Some(columns) => self.streamed(columns).map(|(counts, _)| counts),
            None => count_table(&self.loaded()?),
        }
    }

    /// The counts, and a [`short_hash`] of each image, ascending.
    pub fn count_with_images(&self) -> Result<(Cooccurrence, Vec<u64>)> {
        match &self.columns {
            Some(columns) => self.streamed(columns).map(|(counts, gathered)| (counts, gathered.images())),
            None => {
                let table = self.loaded()?;
                let mut images: Vec<u64> = table.images().iter().map(|image| short_hash(image)).collect();
                images.sort_unstable();
                Ok((count_table(&table)?, images))
            }
        }
    }

    /// The images that have this hash, with their files. Errors: those of reading.
    pub fn images_of(&self, hash: u64) -> Result<Vec<(String, &Path)>> {
        let mut found: Vec<(String, &Path)> = Vec::new();
        for (i, path) in self.files.iter().enumerate() {
            let mut add = |image: &str| {
                if short_hash(image) == hash && found.last().is_none_or(|(last, at)| last != image || *at != path) {
                    found.push((image.to_string(), path));
                }
            };
            let Some(columns) = &self.columns else {
                load(path, &of_tables())?.images().iter().for_each(|image| add(image));
                continue;
            };
            let file = ParquetFile::open(path)?;
            for start in (0..file.height()).step_by(parquet::ROWS) {
                interrupt::check()?;
                let frame = part(&file, &columns[i], start)?;
                let images = frame.column("image").and_then(|c| c.str()).map_err(|e| unreadable(path, e))?;
                images.iter().flatten().for_each(&mut add);
            }
        }
        Ok(found)
    }

    fn streamed(&self, columns: &[[String; 2]]) -> Result<(Cooccurrence, Box<dyn Gather>)> {
        let files: Vec<(&Path, &[String; 2])> = self.files.iter().map(PathBuf::as_path).zip(columns).collect();
        let adjacent: Box<dyn Gather> = Box::new(Adjacent::default());
        for mut gather in [adjacent, Box::new(Scattered::default())] {
            if let Some(counts) = stream(&files, &mut *gather)? {
                return Ok((counts, gather));
            }
        }
        Err(Error::internal("images in any order were refused"))
    }

    /// All files as one table in memory: wide ones, and those whose cells are more than one present label.
    fn loaded(&self) -> Result<LabelTable> {
        let mut all = load(&self.files[0], &of_tables())?;
        for file in &self.files[1..] {
            all = all.concat(&load(file, &of_tables())?)?;
        }
        Ok(all)
    }
}

fn of_tables() -> LoadOptions {
    LoadOptions { unknown: Some(Unknown::Masked), ..LoadOptions::default() }
}

fn count_table(table: &LabelTable) -> Result<Cooccurrence> {
    let (offsets, indices) = table.csr();
    Cooccurrence::count(table.labels(), offsets, indices)
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

/// Reads all files in parts, the next one while one is counted.
fn stream(files: &[(&Path, &[String; 2])], gather: &mut dyn Gather) -> Result<Option<Cooccurrence>> {
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
                for &(path, columns) in files {
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

/// Rows between two looks for an interrupt.
const ROWS_BETWEEN_CHECKS: usize = 1 << 16;

fn gather_part(
    file: &Path,
    start: usize,
    frame: &DataFrame,
    labels: &mut Labels,
    gather: &mut dyn Gather,
) -> Result<bool> {
    let column = |name: &str| frame.column(name).and_then(|c| c.str()).map_err(|e| unreadable(file, e));
    for (at, (image, label)) in column("image")?.iter().zip(column("label")?.iter()).enumerate() {
        // An image of many rows takes longer with each of them.
        if at.is_multiple_of(ROWS_BETWEEN_CHECKS) {
            interrupt::check()?;
        }
        let Some(image) = image.filter(|name| !name.is_empty()) else {
            let message = format!("{}, row {} (counted from 0): the image has no name", file.display(), start + at);
            return Err(Error::data(message).about_file(file));
        };
        let label = label.filter(|name| !name.is_empty()).map(|name| labels.place(name));
        let taken = gather.row(image, label, labels).map_err(|mut e| {
            e.message = format!("{}, row {} (counted from 0): {}", file.display(), start + at, e.message);
            e.about_file(file)
        })?;
        if !taken {
            return Ok(false);
        }
    }
    Ok(true)
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
        assert!(of(&[("", Some("x"))]).ends_with("x.parquet, row 0 (counted from 0): the image has no name"));
        assert!(count_files(&[folder.path().join("none")]).is_err());
        let empty = tempfile::tempdir().unwrap();
        assert!(count_files(&[empty.path().to_path_buf()]).unwrap_err().message.contains("no .parquet files"));
        let text = folder.path().join("t.parquet");
        std::fs::write(&text, "image,label\n").unwrap();
        assert!(count_files(&[text]).unwrap_err().message.contains("t.parquet"));
    }
}
