//! A run that this process makes, in a folder that no other maker touches.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::claim::Claim;
use super::digests::{self, Written};
use super::growing::{MARKER, Marker};
use super::lock::{Lock, LockState};
use super::store::{CHECKPOINT, METRICS, Place, Run, RunStore, SPEC, SUMMARY, pretty};
use crate::activity::{console, interrupt};
use crate::error::{Error, ErrorKind, Result};
use crate::files::own;

/// For so long a finished run may be in the root's listing before it can be opened.
pub(super) const VISIBLE: Duration = Duration::from_secs(90);
/// Bytes of rows that are copied at a time.
const COPIED_AT_ONCE: usize = 8 << 20;

/// A run that this process makes, claimed against all others.
///
/// A process that was paused for long may lose its claim to another one. [`check`](Work::check) tells; what it writes
/// meanwhile is in a folder of its own.
pub struct Work {
    pub id: String,
    /// The folder of its files, with the checkpoint and the metrics, or the rows, of an earlier, stopped maker.
    pub dir: PathBuf,
    pub(super) written: Written,
    store: RunStore,
    claim: Claim,
    // Let go after the claim.
    lock: Lock,
}

/// A run that [`Work::publish`] finds or puts in its place.
pub enum Published {
    /// It is this process's work.
    Own(Run),
    /// Another maker was faster. The own work is dropped.
    Other(Run),
    /// Another maker has taken the run over and removed the own work, and has not finished yet.
    Lost,
}

impl Work {
    /// Prepares the folder of a claimed run. `quiet` is the token of a maker that may still run, whose folder stays.
    pub(super) fn new(
        store: &RunStore,
        id: &str,
        spec: &Value,
        claim: Claim,
        lock: Lock,
        quiet: Option<&str>,
    ) -> Result<Work> {
        let dir = store.work_folder().join(format!("{id}.{}", claim.token));
        own::create_folders(&dir)?;
        let written = Written::default();
        let mut work = Work { id: id.to_string(), dir, written, store: store.clone(), claim, lock };
        work.adopt(quiet)?;
        work.adopt_rows(quiet)?;
        own::write(&work.path(SPEC), &pretty(spec))?;
        // Of a version without claims, a maker without a lock may still run.
        let old_stays = work.lock.take() == LockState::Busy;
        for folder in store.work_folders(id) {
            let token = folder.extension().map_or("", |token| token.to_str().unwrap_or(""));
            let stays =
                folder == work.dir || quiet.is_some_and(|quiet| quiet == token) || token.is_empty() && old_stays;
            if !stays {
                discard(&folder);
            }
        }
        Ok(work)
    }

    /// Brings the last checkpoint of an earlier maker and its metrics. Whatever checkpoint it is, the run ends the same.
    fn adopt(&mut self, quiet: Option<&str>) -> Result<()> {
        let made = |folder: &Path| -> Option<SystemTime> {
            own::open(&folder.join(CHECKPOINT)).ok()?.metadata().ok()?.modified().ok()
        };
        let folders = self.store.work_folders(&self.id);
        let last = folders.into_iter().filter_map(|folder| made(&folder).map(|time| (time, folder))).max();
        let Some((_, folder)) = last else { return Ok(()) };
        // The checkpoint first: the metrics are never behind it. A checkpoint is replaced, never changed, so it may have two
        // names; metrics are appended to.
        let (from, to) = (folder.join(CHECKPOINT), self.checkpoint());
        if own::link(&from, &to).is_err() {
            let copied = own::open(&from)
                .and_then(|mut file| own::write_with(&to, |out| std::io::copy(&mut file, out).map(drop)));
            match copied {
                // Its maker, which was thought to be gone, has just removed it.
                Err(_) if quiet.is_some() && !from.exists() => return Ok(()),
                copied => copied?,
            }
        }
        let metrics = folder.join(METRICS);
        if metrics.exists() {
            let metrics = own::read(&metrics)?;
            let whole = memchr::memrchr(b'\n', &metrics).map_or(0, |end| end + 1);
            own::write(&self.path(METRICS), &metrics[..whole])?;
        }
        Ok(())
    }

    /// Brings the rows of the earlier maker that has the most ([`grow`](Self::grow)).
    fn adopt_rows(&mut self, quiet: Option<&str>) -> Result<()> {
        let folders = self.store.work_folders(&self.id).into_iter().filter(|folder| *folder != self.dir);
        let markers = folders.filter_map(|folder| Marker::read(&folder).map(|marker| (folder, marker)));
        let Some((folder, marker)) = markers.max_by_key(|(_, marker)| marker.rows) else { return Ok(()) };
        let (from, to) = (folder.join(&marker.file), self.path(&marker.file));
        // The marker first: if this process is killed now, there still is a folder that has both.
        marker.write(&self.dir)?;
        // One that may still run writes into its file, whatever its name.
        let may_run = quiet.is_some_and(|quiet| folder.extension().is_some_and(|token| token == quiet));
        if !may_run && own::rename(&from, &to).is_ok() {
            return Ok(());
        }
        let copied = own::open(&from).and_then(|mut file| {
            own::write_whole(&to, |out| {
                let (mut part, mut left) = (vec![0; COPIED_AT_ONCE], marker.written.bytes);
                while left > 0 {
                    interrupt::check()?;
                    let n = (COPIED_AT_ONCE as u64).min(left) as usize;
                    let moved = file.read_exact(&mut part[..n]).map_err(|e| Error::io(&from, e));
                    moved.and_then(|()| out.write_all(&part[..n]).map_err(|e| Error::io(&to, e)))?;
                    left -= n as u64;
                }
                Ok(())
            })
        });
        match copied {
            // Its maker, which was thought to be gone, has just removed it.
            Err(_) if !from.exists() => Ok(()),
            copied => copied,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The state of a training that was stopped.
    pub fn checkpoint(&self) -> PathBuf {
        self.path(CHECKPOINT)
    }

    /// Long work calls this where it may end, and before it writes. It costs a look at one file per second at most.
    ///
    /// Errors: Io, when another maker has taken the run over.
    pub fn check(&self) -> Result<()> {
        if self.claim.is_held() { Ok(()) } else { Err(self.lost()) }
    }

    /// Whether another maker has taken the run over, or finished it.
    pub fn is_lost(&self) -> bool {
        !self.claim.is_held_now()
    }

    fn lost(&self) -> Error {
        let text =
            format!("{}: another process has taken it over, since this one gave no sign of life for long", self.id);
        Error::new(ErrorKind::Io, text).with_help("the same call waits for it and uses what it makes")
    }

    /// Whether to begin again after `error`: the work was lost to another maker, whose run serves as well. Says so.
    pub fn falls_back(&self, error: &Error) -> bool {
        let falls = error.kind != ErrorKind::Interrupted && self.is_lost();
        if falls {
            console::log(&format!(
                "{} was taken over by another process while this one gave no sign of life; its run is used",
                self.id
            ));
        }
        falls
    }

    /// [`publish`](Self::publish), whoever made the run. Errors: Io, also when it is [lost](Published::Lost).
    pub fn finish(self, summary: &Value) -> Result<Run> {
        let lost = self.lost();
        match self.publish(summary)? {
            Published::Own(run) | Published::Other(run) => Ok(run),
            Published::Lost => Err(lost),
        }
    }

    /// Writes the summary and moves the folder to its place. From then on it never changes. If the run is there already,
    /// it is used and the own work is dropped.
    ///
    /// Errors: Io.
    pub fn publish(self, summary: &Value) -> Result<Published> {
        // Its spec was the first file in it; a folder that was made anew by a late write has none.
        if !self.path(SPEC).exists() {
            return Ok(self.store.find(&self.id).map_or(Published::Lost, Published::Other));
        }
        let sealed = own::write(&self.path(SUMMARY), &pretty(summary))
            .and_then(|()| digests::seal(&self.dir, &self.id, &self.written));
        match sealed {
            Err(error) if self.falls_back(&error) => {
                return Ok(self.store.find(&self.id).map_or(Published::Lost, Published::Other));
            }
            sealed => sealed?,
        }
        // Until here a stop is one that the next maker goes on from.
        let _ = own::remove_file(&self.checkpoint());
        let _ = own::remove_file(&self.path(MARKER));
        own::sync_folder(&self.dir);
        let held = self.claim.is_held_now();
        let target = self.store.root().join(&self.id);
        let started = Instant::now();
        let published = loop {
            let failure = match own::rename(&self.dir, &target) {
                Ok(()) => break Published::Own(Run { id: self.id.clone(), dir: target }),
                Err(failure) => failure,
            };
            // Whatever the system says of the rename: what is there decides.
            match self.store.look(&self.id) {
                Place::Finished(run) => break Published::Other(run),
                Place::Absent => return Err(Error::io(&target, failure)),
                Place::Late if started.elapsed() > VISIBLE => return Err(Error::io(&target, failure)),
                Place::Broken if started.elapsed() > self.store.pace().beat / 6 => self.store.move_aside(&self.id)?,
                Place::Late | Place::Broken => pause(started.elapsed())?,
            }
        };
        own::sync_folder(self.store.root());
        if held {
            self.store.work_folders(&self.id).iter().for_each(|folder| discard(folder));
            self.store.remove_remains(&self.id);
        } else {
            let _ = own::remove_folder(&self.dir);
        }
        Ok(published)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Without a checkpoint or rows nothing in it is of use, and of a work that another maker took over nothing is. After
        // `publish` it is not there.
        let of_use = || self.checkpoint().exists() || Marker::read(&self.dir).is_some();
        if self.dir.exists() && (!of_use() || !self.claim.is_held_now()) {
            let _ = own::remove_folder(&self.dir);
        }
    }
}

/// Removes the folder of another maker, which may still run and be about to rename it: what is removed has another name then.
pub(super) fn discard(folder: &Path) {
    let mut away = folder.as_os_str().to_owned();
    away.push(".away");
    if own::rename(folder, Path::new(&away)).is_ok() {
        let _ = own::remove_folder(Path::new(&away));
    }
}

/// Waits for a moment, and less for a stop. Errors: Interrupted.
pub(super) fn pause(waited: Duration) -> Result<()> {
    let until = Instant::now() + (waited / 10).clamp(Duration::from_millis(10), Duration::from_secs(1));
    loop {
        interrupt::check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}
