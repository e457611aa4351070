//! A file of a run that grows by rows, and of which nothing on the disk is lost when its maker stops.
//!
//! A marker beside it says how many rows are on the disk, and their digest. It is written every half minute, after the rows, and
//! when the maker stops. Who goes on cuts the file to what the marker says, compares the digest and appends.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Component, Path};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::digests::{Digest, Hasher};
use super::key::id_of;
use super::store::pretty;
use super::work::Work;
use crate::activity::console;
use crate::activity::progress::Progress;
use crate::environment;
use crate::error::{Error, Result};
use crate::files::own;
use crate::json;

/// The marker's name, in the folder of an unfinished run.
pub(super) const MARKER: &str = "growing.json";
/// Between two markers.
const EVERY: Duration = Duration::from_secs(30);
/// Bytes of a marker.
const LARGEST: u64 = 1 << 16;
/// From this size on, the progress of a check is shown.
const SHOWN: u64 = 1 << 30;

/// What of a growing file is on the disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    /// The name of the file.
    pub file: String,
    pub rows: u64,
    /// The shape of one row; empty before the first one.
    shape: Vec<u64>,
    /// What decides the bits of rows beside the run's specification.
    how: Value,
    /// Time that was spent on them.
    seconds: f64,
    pub written: Digest,
    /// A digest of the above.
    check: String,
}

impl Marker {
    /// The marker in the folder of a maker, if it is whole and the file beside it has what it says. Also when this process was asked to
    /// stop: what it says decides whether a folder stays.
    pub fn read(folder: &Path) -> Option<Marker> {
        let path = folder.join(MARKER);
        if own::is_absent(&path) {
            return None;
        }
        let mut bytes = Vec::new();
        own::open(&path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let marker: Marker = json::parse(&bytes).ok()?;
        let mut parts = Path::new(&marker.file).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        if !plain || marker.check != marker.digest() {
            return None;
        }
        let bytes = own::open(&folder.join(&marker.file)).ok()?.metadata().ok()?.len();
        (bytes >= marker.written.bytes).then_some(marker)
    }

    /// Writes it into the folder of a maker. Errors: Io.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let value = serde_json::to_value(self).map_err(|e| Error::internal(e.to_string()))?;
        own::write(&folder.join(MARKER), &pretty(&value))
    }

    fn digest(&self) -> String {
        let without = Marker { check: String::new(), ..self.clone() };
        id_of("marker", &serde_json::to_value(without).unwrap_or_default())
    }
}

/// A file of an unfinished run to which rows are appended. When it is dropped, its rows are kept for the next maker.
pub struct Growing<'a> {
    work: &'a Work,
    name: String,
    file: File,
    hasher: Hasher,
    how: Value,
    shape: Vec<u64>,
    rows: u64,
    /// Time that earlier makers have spent.
    before: f64,
    began: Instant,
    /// When the last marker was written, for how many rows, and how long the disk took.
    marked: Instant,
    rows_marked: u64,
    took: Duration,
    every: Duration,
}

impl Work {
    /// Opens the one file of this run that grows, behind the rows of an earlier maker: at most `rows` of them. `how` tells what decides their bits
    /// beside the run's specification, as the pictures in a batch; rows that were made otherwise are dropped, which is said.
    ///
    /// `CPSD_CHECKPOINT_EVERY` is the time between two markers in seconds; 30.
    ///
    /// Errors: Io; Interrupted while the rows are compared with their digest.
    pub fn grow(&self, name: &str, rows: u64, how: Value) -> Result<Growing<'_>> {
        let path = self.path(name);
        let failed = |e: std::io::Error| Error::io(&path, e);
        let every = environment::number("CPSD_CHECKPOINT_EVERY", 0.0..=1e9).map_or(EVERY, Duration::from_secs_f64);
        let mut growing = Growing {
            work: self,
            name: name.to_string(),
            file: own::open_or_create(&path)?,
            hasher: Hasher::default(),
            how,
            shape: vec![],
            rows: 0,
            before: 0.0,
            began: Instant::now(),
            marked: Instant::now(),
            rows_marked: 0,
            took: Duration::ZERO,
            every,
        };
        if let Some(marker) = Marker::read(&self.dir).filter(|marker| marker.file == name) {
            match growing.differs(&marker, rows)? {
                None => {
                    growing.shape = marker.shape;
                    (growing.rows, growing.rows_marked, growing.before) = (marker.rows, marker.rows, marker.seconds);
                    let (id, kept) = (&self.id, marker.rows);
                    console::log(&format!("{id}: {kept} of {rows} rows were made before; it goes on behind them"));
                }
                Some(why) => {
                    growing.hasher = Hasher::default();
                    console::log(&format!("{}: starting over: {why}", self.id));
                }
            }
        }
        growing.file.set_len(growing.hasher.bytes()).map_err(failed)?;
        growing.file.seek(SeekFrom::Start(growing.hasher.bytes())).map_err(failed)?;
        growing.began = Instant::now();
        Ok(growing)
    }
}

impl Growing<'_> {
    /// Why the rows of `marker` are of no use, if they are not. The hasher has read them then.
    ///
    /// Errors: Interrupted; Io.
    fn differs(&mut self, marker: &Marker, rows: u64) -> Result<Option<String>> {
        if marker.how != self.how {
            return Ok(Some(format!(
                "its first {} rows were made by {}, and here by {}",
                marker.rows, marker.how, self.how
            )));
        }
        if marker.rows > rows {
            return Ok(Some(format!("{} rows were made before, of {rows}", marker.rows)));
        }
        let bytes = marker.written.bytes;
        let progress = (bytes >= SHOWN).then(|| Progress::new(format!("checking {}", self.work.id), bytes >> 20, "MB"));
        let mut read = 0;
        self.hasher.feed(&self.file, &self.work.path(&self.name), bytes, |n| {
            read += n;
            progress.iter().for_each(|progress| progress.set(read >> 20));
        })?;
        Ok((self.hasher.digest() != marker.written)
            .then(|| format!("the {} rows that were made before are damaged", marker.rows)))
    }

    /// Rows that it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The shape of one row; empty before the first one.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Time that was spent on it, by earlier makers too.
    pub fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }

    /// Appends so many rows of this shape, which are `bytes`.
    ///
    /// Errors: Io; another maker has taken the run over; a row of another shape than those before.
    pub fn append(&mut self, rows: u64, shape: &[u64], bytes: &[u8]) -> Result<()> {
        self.work.check()?;
        if self.rows > 0 && self.shape != shape {
            let (id, had) = (&self.work.id, &self.shape);
            return Err(Error::internal(format!("{id}: a row of shape {shape:?} behind rows of shape {had:?}")));
        }
        self.file.write_all(bytes).map_err(|e| Error::io(self.work.path(&self.name), e))?;
        self.hasher.update(bytes);
        self.rows += rows;
        self.shape = shape.to_vec();
        if self.marked.elapsed() > self.every.max(self.took * 4) {
            self.mark()?;
        }
        Ok(())
    }

    /// Writes the marker, when all rows are on the disk. Errors: Io.
    fn mark(&mut self) -> Result<()> {
        let began = Instant::now();
        self.file.sync_data().map_err(|e| Error::io(self.work.path(&self.name), e))?;
        let mut marker = Marker {
            file: self.name.clone(),
            rows: self.rows,
            shape: self.shape.clone(),
            how: self.how.clone(),
            seconds: self.seconds(),
            written: self.hasher.digest(),
            check: String::new(),
        };
        marker.check = marker.digest();
        marker.write(&self.work.dir)?;
        (self.marked, self.took, self.rows_marked) = (Instant::now(), began.elapsed(), self.rows);
        Ok(())
    }

    /// All rows are there: the file is one of the run. Errors: Io.
    pub fn finish(mut self) -> Result<()> {
        self.mark()?;
        self.work.written.insert(&self.name, self.hasher.digest());
        Ok(())
    }
}

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        if self.rows > self.rows_marked
            && self.work.check().is_ok()
            && let Err(error) = self.mark()
        {
            console::log(&format!("{}: its last rows are not kept: {error}", self.work.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::store::{Begun, RunStore};
    use super::*;

    fn begin(store: &RunStore) -> Work {
        console::set_quiet(true);
        match store.begin(&id_of("features", &json!({})), &json!({})).unwrap() {
            Begun::Work(work) => work,
            Begun::Finished(run) => panic!("{} is finished", run.id),
        }
    }

    /// Appends rows of two bytes, so that `upto` are there; `Err` is a stop.
    fn rows(work: &Work, upto: u64, end: bool) -> u64 {
        let mut out = work.grow("data", 10, json!({ "batch": 1 })).unwrap();
        let before = out.rows();
        for row in before..upto {
            out.append(1, &[2], &[row as u8, 7]).unwrap();
        }
        if end {
            out.finish().unwrap();
        }
        before
    }

    fn expected(n: u8) -> Vec<u8> {
        (0..n).flat_map(|row| [row, 7]).collect()
    }

    #[test]
    fn a_stop_keeps_the_rows_and_the_end_has_their_digest() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        assert_eq!(rows(&begin(&store), 3, false), 0);
        assert_eq!(rows(&begin(&store), 3, false), 3);
        // Rows behind the marker, as a killed maker leaves them.
        let work = begin(&store);
        let path = work.path("data");
        std::fs::write(&path, [expected(5), vec![99]].concat()).unwrap();
        drop(work);
        let work = begin(&store);
        assert_eq!(rows(&work, 8, false), 3);
        drop(work);
        let work = begin(&store);
        assert_eq!(rows(&work, 10, true), 8);
        // Killed behind the last row.
        drop(work);
        let work = begin(&store);
        assert_eq!(rows(&work, 10, true), 10);
        let run = work.finish(&json!({})).unwrap();
        assert_eq!(run.read("data").unwrap(), expected(10));
        assert!(run.verify().unwrap() && !run.path(MARKER).exists());
        assert_eq!(std::fs::read_dir(root.path().join(".work")).unwrap().count(), 0);
    }

    #[test]
    fn a_stop_before_the_first_row_keeps_those_of_earlier_makers() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        rows(&begin(&store), 3, false);
        let stopped = crate::activity::Activity::background("stopped".into(), None);
        let work = begin(&store);
        stopped.stop();
        stopped.enter(|| {
            assert!(work.grow("data", 10, json!({ "batch": 1 })).is_err());
            drop(work);
            assert!(matches!(store.begin(&id_of("features", &json!({})), &json!({})), Ok(Begun::Work(_)) | Err(_)));
        });
        assert_eq!(rows(&begin(&store), 10, true), 3);
    }

    #[test]
    fn rows_that_are_damaged_or_were_made_otherwise_are_made_again() {
        let spoils: [fn(&Path); 6] = [
            |folder| std::fs::write(folder.join("data"), [9; 8]).unwrap(),
            |folder| std::fs::write(folder.join("data"), [0; 7]).unwrap(),
            |folder| std::fs::write(folder.join(MARKER), "{").unwrap(),
            |folder| edit(folder, "\"rows\": 4", "\"rows\": 3"),
            |folder| edit(folder, "\"file\": \"data\"", "\"file\": \"../data\""),
            |folder| edit(folder, "\"batch\": 1", "\"batch\": 2"),
        ];
        for (i, spoil) in spoils.into_iter().enumerate() {
            let root = tempfile::tempdir().unwrap();
            let store = RunStore::new(root.path());
            let work = begin(&store);
            rows(&work, 4, false);
            spoil(&work.dir);
            assert_eq!(rows(&work, 10, true), 0, "{i}");
            assert_eq!(work.finish(&json!({})).unwrap().read("data").unwrap(), expected(10));
        }
        fn edit(folder: &Path, from: &str, to: &str) {
            let text = std::fs::read_to_string(folder.join(MARKER)).unwrap();
            assert!(text.contains(from), "{text}");
            std::fs::write(folder.join(MARKER), text.replace(from, to)).unwrap();
        }
        // Another batch, by a maker that knows it.
        let root = tempfile::tempdir().unwrap();
        let work = begin(&RunStore::new(root.path()));
        rows(&work, 4, false);
        assert_eq!(work.grow("data", 10, json!({ "batch": 2 })).unwrap().rows(), 0);
    }
}
