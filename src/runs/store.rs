//! Finding, beginning and finishing runs, safe with several processes and when a process is killed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::claim::{self, Claim, Pace, Seen, Watch};
use super::damaged::what_is_wrong;
use super::job_files;
use super::key::{id_of, is_id};
use super::lock::{Lock, LockState};
use super::maker::Maker;
use super::work::{Published, VISIBLE, Work, pause};
use crate::activity::waiting::waits_for_us;
use crate::activity::{self, console};
use crate::error::{Error, ErrorKind, Result};
use crate::files::own;

/// The folder of unfinished runs, in the root.
const WORK: &str = ".work";
/// The folder of batches, in that of unfinished runs.
pub(super) const BATCHES: &str = "batches";
pub(super) const CHECKPOINT: &str = "checkpoint.safetensors";
pub(super) const METRICS: &str = "metrics.jsonl";
pub(super) const SPEC: &str = "spec.json";
pub(super) const SUMMARY: &str = "summary.json";

/// A folder of runs.
#[derive(Clone, Debug)]
pub struct RunStore {
    root: PathBuf,
    maker: Arc<Maker>,
    pace: Pace,
}

/// A finished run: an immutable folder.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: String,
    pub dir: PathBuf,
}

/// The place of a run in the root.
pub(super) enum Place {
    Absent,
    /// It is in the listing, and cannot be opened yet: another host has just finished it.
    Late,
    /// It is there without a whole summary.
    Broken,
    Finished(Run),
}

/// The result of [`RunStore::begin`].
pub enum Begun {
    /// It was made before.
    Finished(Run),
    /// This process makes it.
    Work(Work),
}

impl RunStore {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        RunStore { root: root.into(), maker: Arc::new(Maker::this().clone()), pace: Pace::from_environment() }
    }

    /// The store as a process of another host sees it.
    #[cfg(test)]
    fn on_host(&self, host: &str, pace: Pace) -> RunStore {
        RunStore { root: self.root.clone(), maker: Arc::new(Maker::on_host(host)), pace }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// The finished run with that id.
    pub fn find(&self, id: &str) -> Option<Run> {
        match self.look(id) {
            Place::Finished(run) => Some(run),
            _ => None,
        }
    }

    /// Those of these runs that are finished, by one listing of the store.
    pub fn find_all(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Run> {
        self.listing().find_all(is_wanted)
    }

    /// The `metrics.jsonl` of each of these runs in the making, in the folder of the newest maker, by one listing.
    pub fn metrics_in_the_making(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, PathBuf)> {
        let mut newest: BTreeMap<String, (std::time::SystemTime, PathBuf)> = BTreeMap::new();
        for entry in own::entries(&self.work_folder()) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Some((id, token)) = name.split_once('.') else { continue };
            if !is_id(id) || matches!(token, "claim" | "lock") || token.ends_with("away") || !is_wanted(id) {
                continue;
            }
            // Listed before it is asked for, see `look`.
            let Some(file) = own::entries(&entry.path()).find(|file| file.file_name() == METRICS) else { continue };
            let changed = own::modified(&file.path()).unwrap_or(std::time::SystemTime::UNIX_EPOCH);
            let known = newest.entry(id.to_string()).or_insert_with(|| (changed, file.path()));
            if changed > known.0 {
                *known = (changed, file.path());
            }
        }
        newest.into_iter().map(|(id, (_, path))| (id, path)).collect()
    }

    /// What is there of a run. Listings come first: on shared file systems, to ask for a file that is not there makes it
    /// invisible for some time when it comes.
    pub(super) fn look(&self, id: &str) -> Place {
        if !is_id(id) || !own::entries(&self.root).any(|entry| entry.file_name() == id) {
            return Place::Absent;
        }
        let dir = self.root.join(id);
        match what_is_wrong(&dir) {
            Ok(None) => Place::Finished(Run { id: id.to_string(), dir }),
            Ok(Some(_)) => Place::Broken,
            Err(_) => Place::Late,
        }
    }

    /// Finished runs, oldest first.
    pub fn list(&self) -> Vec<Run> {
        let mut runs: Vec<(std::time::SystemTime, Run)> = own::entries(&self.root)
            .filter_map(|e| {
                let id = e.file_name().into_string().ok().filter(|id| is_id(id))?;
                let run = Run { id, dir: e.path() };
                let whole = matches!(what_is_wrong(&run.dir), Ok(None));
                whole.then(|| own::modified(&run.path(SUMMARY)).map(|made| (made, run)))?
            })
            .collect();
        runs.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
        runs.into_iter().map(|(_, run)| run).collect()
    }

    /// Bytes of all finished runs.
    pub fn bytes(&self) -> u64 {
        own::entries(&self.root)
            .filter(|e| e.file_name().to_str().is_some_and(is_id))
            .map(|e| own::size(&e.path()))
            .sum()
    }

    /// Whether an earlier, stopped process left a checkpoint of this run.
    pub fn has_checkpoint(&self, id: &str) -> bool {
        self.work_folders(id).iter().any(|folder| folder.join(CHECKPOINT).exists())
    }

    /// Whether any unfinished run has a checkpoint.
    pub fn has_checkpoints(&self) -> bool {
        own::entries(&self.work_folder()).any(|entry| entry.path().join(CHECKPOINT).exists())
    }

    /// A temporary file for the job of a worker process. Errors: Io.
    pub fn temporary_job_file(&self) -> Result<NamedTempFile> {
        activity::current().note_kept();
        job_files::temporary(&self.work_folder())
    }

    /// The run of this specification: finished before, or made now by `make`, which returns its summary.
    ///
    /// Errors: those of [`begin`](Self::begin) and of `make`.
    pub fn find_or_make(&self, kind: &str, spec: &Value, mut make: impl FnMut(&Work) -> Result<Value>) -> Result<Run> {
        let id = id_of(kind, spec);
        loop {
            match self.begin(&id, spec)? {
                Begun::Finished(run) => return Ok(run),
                Begun::Work(work) => match make(&work) {
                    Ok(summary) => match work.publish(&summary)? {
                        Published::Own(run) | Published::Other(run) => return Ok(run),
                        Published::Lost => {}
                    },
                    Err(error) if work.falls_back(&error) => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Returns the finished run, or claims it for this process to make. Waits while another maker gives signs of life, and
    /// goes on in its place when it has ended or given none for long.
    ///
    /// Errors: Io when the folder cannot be written; Interrupted while waiting; Argument when its maker waits for the end of this
    /// thread's background job.
    pub fn begin(&self, id: &str, spec: &Value) -> Result<Begun> {
        activity::current().note_kept();
        // Before anything is written: a store that is only read has no work folder.
        if let Some(run) = self.find(id) {
            self.sweep_finished(id);
            return Ok(Begun::Finished(run));
        }
        own::create_folders(&self.work_folder())?;
        let path = self.work_folder().join(format!("{id}.claim"));
        let mut lock = Lock::new(self.work_folder().join(format!("{id}.lock")), self.maker.is_known_to_the_system());
        let mut watch = Watch::default();
        let mut said = None;
        let mut overtaken: Option<String> = None;
        let (started, mut unseen) = (Instant::now(), None);
        loop {
            match self.look(id) {
                Place::Finished(run) => return Ok(Begun::Finished(run)),
                Place::Absent => {}
                Place::Late if unseen.get_or_insert_with(Instant::now).elapsed() > VISIBLE => {
                    let folder = self.root.join(id);
                    return Err(Error::new(
                        ErrorKind::Io,
                        format!("{}: this folder is listed but cannot be opened", folder.display()),
                    ));
                }
                // A listing may be older than the summary, so it is not believed at once.
                Place::Broken if unseen.get_or_insert_with(Instant::now).elapsed() > self.pace.beat / 6 => {}
                Place::Late | Place::Broken => {
                    pause(started.elapsed())?;
                    continue;
                }
            }
            let state = lock.take();
            let seen = Seen::read(&path)?;
            let free = seen.is_none() && state != LockState::Busy;
            let dead = seen.as_ref().is_some_and(|seen| seen.is_dead(&self.maker, lock.held()));
            // A lock without a claim is that of an earlier version. The system frees it when its holder ends, so a held one is
            // a sign of life.
            let silent = watch.quiet(seen.as_ref()) >= Watch::limit(self.pace, seen.as_ref());
            let maker = seen.as_ref().and_then(|seen| seen.record.as_ref()).map(|record| &record.maker);
            // As a silent one it may run on, on a node that its queue has lost: its files stay its own.
            let ended = maker.is_some_and(|maker| maker.has_ended_by_the_queue(&self.maker));
            let quiet = !dead && seen.is_some() && (silent || ended);
            if dead || quiet {
                let token = seen.as_ref().and_then(|seen| seen.record.as_ref()).map(|record| record.token.clone());
                match &seen {
                    Some(seen) if !claim::remove(&path, seen, &claim::new_token(&self.maker))? => {
                        pause(started.elapsed())?;
                        continue;
                    }
                    _ => {}
                }
                if quiet {
                    overtaken = token;
                }
            }
            if free || dead || quiet {
                let store = self.clone();
                let name = id.to_string();
                let finished = move || store.find(&name).is_some();
                if let Some(claim) = Claim::make(&path, &self.maker, lock.held(), self.pace, finished)? {
                    match self.look(id) {
                        Place::Finished(run) => return Ok(Begun::Finished(run)),
                        Place::Absent => {}
                        Place::Broken if unseen.is_some() => self.move_aside(id)?,
                        Place::Late | Place::Broken => continue,
                    }
                    if quiet {
                        let who = self.called(seen.as_ref());
                        let why = if silent { "gives no sign of life" } else { "has ended, as its queue says" };
                        console::log(&format!("{who} {why}; {id} is made here"));
                    }
                    return Work::new(self, id, spec, claim, lock, overtaken.as_deref()).map(Begun::Work);
                }
            } else {
                if waits_for_us(&self.root.join(id)) {
                    return Err(Error::argument(format!("{id} is being made by the very call that waits for this job"))
                        .with_help("a closure that is called while a training runs cannot wait for a job that asks for that training's model"));
                }
                let who = self.called(seen.as_ref());
                if said.as_ref() != Some(&who) && started.elapsed() >= self.unsaid(seen.as_ref()) {
                    console::log(&format!("{id} is being made by {who}; waiting for it"));
                    said = Some(who);
                }
            }
            pause(started.elapsed())?;
        }
    }

    /// For how long nothing is said of waiting for a claim: this process's own threads show their progress, and a claim that cannot be read
    /// is most often one that is being written.
    fn unsaid(&self, seen: Option<&Seen>) -> Duration {
        match seen.and_then(|seen| seen.record.as_ref()) {
            Some(record) if record.maker == *self.maker => Duration::from_secs(30),
            Some(_) => Duration::ZERO,
            None => Duration::from_secs(1),
        }
    }

    /// The maker of a claim, in words.
    fn called(&self, seen: Option<&Seen>) -> String {
        match seen.and_then(|seen| seen.record.as_ref()).map(|record| &record.maker) {
            Some(maker) if *maker == *self.maker => "another thread of this process".to_string(),
            Some(maker) => maker.to_string(),
            None => "another process".to_string(),
        }
    }

    /// The folder of the batches of clusters' queues. It need not be there.
    pub fn batches_folder(&self) -> PathBuf {
        self.work_folder().join(BATCHES)
    }

    pub(super) fn work_folder(&self) -> PathBuf {
        self.root.join(WORK)
    }

    /// The folders of all makers of a run: `<id>.<token>`, and `<id>` of versions without claims.
    pub(super) fn work_folders(&self, id: &str) -> Vec<PathBuf> {
        let away = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "away");
        self.in_work(id).filter(|path| path.is_dir() && !away(path)).collect()
    }

    /// What is in the work folder for a run.
    fn in_work(&self, id: &str) -> impl Iterator<Item = PathBuf> {
        let is_of = move |name: &OsStr| {
            name.to_str()
                .and_then(|name| name.strip_prefix(id))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        own::entries(&self.work_folder()).filter(move |entry| is_of(&entry.file_name())).map(|entry| entry.path())
    }

    /// Removes what a maker left that was killed just after its run was in its place: nobody makes that run again, so nobody
    /// else would.
    fn sweep_finished(&self, id: &str) {
        let left: Vec<PathBuf> = self.in_work(id).collect();
        if left.is_empty() {
            return;
        }
        let mut lock = Lock::new(self.work_folder().join(format!("{id}.lock")), self.maker.is_known_to_the_system());
        let Ok(seen) = Seen::read(&self.work_folder().join(format!("{id}.claim"))) else { return };
        // The maker may be there still and about to do this itself.
        if lock.take() != LockState::Busy && seen.is_none_or(|seen| seen.is_dead(&self.maker, lock.held())) {
            for path in left {
                let _ = if path.is_dir() { own::remove_folder(&path) } else { own::remove_file(&path) };
            }
        }
    }

    /// Removes the claims and folders that were taken from makers of a run which is finished now.
    pub(super) fn remove_remains(&self, id: &str) {
        let away = self.in_work(id).filter(|path| path.extension().is_some_and(|ending| ending == "away"));
        away.for_each(|path| drop(own::remove_file(&path).or_else(|_| own::remove_folder(&path))));
    }

    /// Moves a folder that has the name of a run and is none out of its way, and says so. Errors: Io.
    pub(super) fn move_aside(&self, id: &str) -> Result<()> {
        let (folder, aside) =
            (self.root.join(id), self.work_folder().join(format!("broken-{id}-{}", claim::new_token(&self.maker))));
        let why = what_is_wrong(&folder).ok().flatten().unwrap_or("it cannot be read");
        own::rename(&folder, &aside).map_err(|e| Error::io(&folder, e))?;
        console::log(&format!(
            "{} is no finished run ({why}): it was moved to {} and is made again",
            folder.display(),
            aside.display()
        ));
        Ok(())
    }
}

pub(super) fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn what_a_killed_maker_of_a_finished_run_left_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let spec = json!({"k": 4});
        let id = &id_of("train", &spec);
        let Begun::Work(work) = store.begin(id, &spec).unwrap() else { panic!("nothing was made yet") };
        work.finish(&json!({})).unwrap();
        let (lock, other) = (store.work_folder().join(format!("{id}.lock")), store.work_folder().join("train-x.lock"));
        std::fs::create_dir(store.work_folder().join(format!("{id}.0a1b"))).unwrap();
        [&lock, &other].iter().for_each(|path| std::fs::write(path, "").unwrap());
        // As long as somebody holds the lock, nothing is removed.
        let held = std::fs::File::open(&lock).unwrap();
        held.lock().unwrap();
        assert!(matches!(store.begin(id, &spec).unwrap(), Begun::Finished(_)));
        assert_eq!(std::fs::read_dir(store.work_folder()).unwrap().count(), 3);
        drop(held);
        assert!(matches!(store.begin(id, &spec).unwrap(), Begun::Finished(_)));
        assert_eq!(std::fs::read_dir(store.work_folder()).unwrap().count(), 1);
        assert!(other.exists());
    }

    #[test]
    fn a_finished_run_is_found_and_an_unfinished_one_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let spec = json!({"k": 3});
        let id = &id_of("train", &spec);
        let Begun::Work(work) = store.begin(id, &spec).unwrap() else { panic!("nothing was made yet") };
        std::fs::write(work.checkpoint(), b"half").unwrap();
        drop(work); // as if the process had been killed
        assert!(store.find(id).is_none() && store.has_checkpoint(id));
        let Begun::Work(work) = store.begin(id, &spec).unwrap() else { panic!("it was not finished") };
        assert_eq!(std::fs::read(work.checkpoint()).unwrap(), b"half");
        work.finish(&json!({"mAP": 50.0})).unwrap();
        let Begun::Finished(run) = store.begin(id, &spec).unwrap() else { panic!("it was finished") };
        assert_eq!(run.summary().unwrap()["mAP"], 50.0);
        assert_eq!(run.spec().unwrap(), spec);
        assert_eq!(store.list().len(), 1);
    }

    #[test]
    fn a_run_that_cannot_be_put_in_its_place_keeps_its_checkpoint() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let spec = json!({"k": 5});
        let id = &id_of("train", &spec);
        let cut = |path: &Path| std::fs::write(path, "a");
        let gone = |path: &Path| std::fs::remove_file(path);
        for spoil in [cut as fn(&Path) -> std::io::Result<()>, gone] {
            let Begun::Work(work) = store.begin(id, &spec).unwrap() else { panic!("it was never finished") };
            own::write(&work.checkpoint(), b"all but the end").unwrap();
            work.write("model.safetensors", b"abc").unwrap();
            spoil(&work.path("model.safetensors")).unwrap();
            let error = work.finish(&json!({})).unwrap_err().message;
            assert!(error.contains("model.safetensors") && store.find(id).is_none(), "{error}");
            assert!(store.has_checkpoint(id));
        }
    }

    const FAST: Pace = Pace { beat: Duration::from_millis(20), limit: Duration::from_millis(200) };
    /// So slow that it never beats in a test.
    const STOPPED: Pace = Pace { beat: Duration::from_secs(1000), limit: Duration::from_secs(5000) };

    fn work(store: &RunStore, id: &str) -> Work {
        match store.begin(id, &json!({})).unwrap() {
            Begun::Work(work) => work,
            Begun::Finished(_) => panic!("{id} was finished"),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = own::entries(folder).map(|e| e.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Makes the claim of `work` look as if its maker had given no sign for long: the one that it writes has a slow pace.
    fn hurry(store: &RunStore, id: &str) {
        let path = store.work_folder().join(format!("{id}.claim"));
        let text = std::fs::read_to_string(&path).unwrap().replace("1000.0", "0.001 ");
        std::fs::write(&path, text).unwrap();
    }

    #[test]
    fn nothing_is_left_in_the_work_folder() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let made = work(&store, "train-000000000003");
        assert_eq!(names(&store.work_folder()).len(), 3); // folder, claim, lock
        drop(made); // stopped, without a checkpoint
        assert!(names(&store.work_folder()).is_empty());
        std::fs::write(work(&store, "train-000000000003").checkpoint(), "half").unwrap();
        assert_eq!(names(&store.work_folder()).len(), 1);
        work(&store, "train-000000000003").finish(&json!({})).unwrap();
        assert!(names(&store.work_folder()).is_empty());
    }

    #[test]
    fn a_checkpoint_of_a_version_without_claims_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let old = store.work_folder().join("train-000000000004");
        std::fs::create_dir_all(&old).unwrap();
        std::fs::write(old.join(CHECKPOINT), "half").unwrap();
        std::fs::write(old.join(METRICS), "{\"epoch\": 1}\n{\"epo").unwrap();
        std::fs::write(store.work_folder().join("train-000000000004.lock"), "").unwrap();
        assert!(store.has_checkpoint("train-000000000004") && !store.has_checkpoint("train"));
        let made = work(&store, "train-000000000004");
        assert_eq!(std::fs::read(made.checkpoint()).unwrap(), b"half");
        assert_eq!(std::fs::read(made.path(METRICS)).unwrap(), b"{\"epoch\": 1}\n");
        assert!(!old.exists());
    }

    #[test]
    fn a_quiet_maker_is_overtaken_and_harms_nobody() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let (a, b) = (store.on_host("a", STOPPED), store.on_host("b", FAST));
        let zombie = work(&a, "train-000000000005");
        std::fs::write(zombie.checkpoint(), "half").unwrap();
        std::fs::write(zombie.path(METRICS), "1\n").unwrap();
        hurry(&store, "train-000000000005");
        let taker = work(&b, "train-000000000005");
        assert_ne!(taker.dir, zombie.dir);
        assert_eq!(std::fs::read(taker.checkpoint()).unwrap(), b"half");
        // It writes on, into files of its own.
        std::fs::write(zombie.path(METRICS), "zombie").unwrap();
        own::write(&zombie.checkpoint(), b"zombie").unwrap();
        assert_eq!(std::fs::read(taker.checkpoint()).unwrap(), b"half");
        assert_eq!(std::fs::read(taker.path(METRICS)).unwrap(), b"1\n");
        assert!(zombie.is_lost() && zombie.check().unwrap_err().message.contains("taken it over"));
        assert!(!taker.is_lost());
        let run = taker.finish(&json!({"by": "b"})).unwrap();
        // What it made after all is dropped, also if a late write made its folder anew.
        own::write(&zombie.path(METRICS), b"zombie").unwrap();
        assert_eq!(zombie.finish(&json!({"by": "a"})).unwrap().dir, run.dir);
        assert_eq!(run.summary().unwrap()["by"], "b");
        assert!(names(&store.work_folder()).is_empty());
    }

    #[test]
    fn whoever_finishes_first_makes_the_run() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let (a, b) = (store.on_host("a", STOPPED), store.on_host("b", FAST));
        let zombie = work(&a, "train-000000000006");
        hurry(&store, "train-000000000006");
        let taker = work(&b, "train-000000000006");
        zombie.finish(&json!({"by": "a"})).unwrap();
        while !taker.is_lost() {} // at its next sign of life
        let Published::Other(run) = taker.publish(&json!({"by": "b"})).unwrap() else { panic!("it was second") };
        assert_eq!(run.summary().unwrap()["by"], "a");
        assert_eq!(names(root.path()), [WORK, "train-000000000006"]);
    }

    #[test]
    fn work_that_is_lost_falls_back_on_the_run_of_the_other() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let (a, b) = (store.on_host("a", STOPPED), store.on_host("b", FAST));
        let mut calls = 0;
        let id = id_of("outputs", &json!({}));
        let run = a.find_or_make("outputs", &json!({}), |zombie| {
            calls += 1;
            hurry(&store, &id);
            work(&b, &id).finish(&json!({"by": "b"})).unwrap();
            assert!(zombie.is_lost());
            Err(Error::internal("its files are gone"))
        });
        assert_eq!((run.unwrap().summary().unwrap()["by"].clone(), calls), (json!("b"), 1));
    }

    #[test]
    fn a_folder_without_a_summary_is_moved_aside() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore { pace: FAST, ..RunStore::new(root.path()) };
        std::fs::create_dir(root.path().join("train-000000000007")).unwrap();
        std::fs::write(root.path().join("train-000000000007/model.safetensors"), "model").unwrap();
        let made = work(&store, "train-000000000007");
        let aside = names(&store.work_folder())
            .into_iter()
            .find(|name| name.starts_with("broken-train-000000000007-"))
            .unwrap();
        assert!(store.work_folder().join(aside).join("model.safetensors").exists());
        // Another one at the end.
        std::fs::create_dir(root.path().join("train-000000000007")).unwrap();
        std::fs::write(root.path().join("train-000000000007/x"), "").unwrap();
        made.finish(&json!({})).unwrap();
        assert!(store.find("train-000000000007").is_some());
    }

    #[test]
    fn two_makers_of_one_run_take_turns() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    if let Begun::Work(work) = store.begin("train-000000000002", &json!({})).unwrap() {
                        made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(50));
                        work.finish(&json!({})).unwrap();
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
