//! Claims: who makes a run, told to all hosts that share the store by one small file.
//!
//! A claim is made by a hard link, which only one of several makers gets. Its maker counts up in it every [`Pace::beat`];
//! a claim that did not change for [`Pace::limit`], by the clock of the one who waits, is abandoned. It is taken over by
//! renaming it away. A maker that was paused may hold a claim that is no longer its own: it finds out when it beats or
//! looks, and its files are in a folder of its own, so nobody else's can be harmed.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use super::lock::Identity;
use super::maker::{Maker, State};
use crate::environment;
use crate::error::{Error, Result};
use crate::files::own;

/// Bytes of a claim. All have the same number, since another host may see a changed length late.
const SIZE: usize = 2048;
/// A waiter that was itself paused has not watched for longer than that.
const LOOK: Duration = Duration::from_secs(5);
/// A maker looks whether its claim is its own at most that often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often a claim is renewed, and when it is abandoned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between two signs of life. `CPSD_CLAIM_BEAT`, in seconds; 30.
    pub beat: Duration,
    /// Without a sign of life. `CPSD_CLAIM_LIMIT`, in seconds; 300. At least four times the beat of the claim's maker.
    pub limit: Duration,
}

impl Pace {
    pub fn from_environment() -> Pace {
        let seconds = |name: &str, default: f64| {
            Duration::from_secs_f64(environment::number(name, 0.01..=1e6).unwrap_or(default))
        };
        Pace { beat: seconds("CPSD_CLAIM_BEAT", 30.0), limit: seconds("CPSD_CLAIM_LIMIT", 300.0) }
    }
}

/// The content of a claim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Another one for every claim that is made.
    pub token: String,
    pub maker: Maker,
    /// The lock that its maker holds beside it.
    pub lock: Option<Identity>,
    /// Seconds between two signs of life.
    every: f64,
    /// Signs of life so far.
    beat: u64,
}

/// A claim as it was read.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    bytes: Vec<u8>,
    /// None for one that was read in the middle of a change, or is none.
    pub record: Option<Record>,
}

impl Seen {
    /// Reads the claim at `path`; None if there is none. Errors: Io.
    pub fn read(path: &Path) -> Result<Option<Seen>> {
        match own::open_to_change(path) {
            Ok(mut file) => Ok(Some(Seen::of(&mut file).map_err(|e| Error::io(path, e))?)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // Another user's.
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                Ok(Some(Seen::of(&mut own::open(path)?).map_err(|e| Error::io(path, e))?))
            }
            Err(e) => Err(Error::io(path, e)),
        }
    }

    fn of(file: &mut std::fs::File) -> std::io::Result<Seen> {
        let mut bytes = Vec::with_capacity(SIZE);
        file.take(1 << 16).read_to_end(&mut bytes)?;
        let record = serde_json::from_slice(&bytes).ok();
        Ok(Seen { bytes, record })
    }

    /// Whether it is of the same maker as `other`, with whatever count.
    fn is_that_of(&self, other: &Seen) -> bool {
        match (&self.record, &other.record) {
            (Some(a), Some(b)) => a.token == b.token,
            _ => self.bytes == other.bytes,
        }
    }

    fn has(&self, token: &str) -> bool {
        self.record.as_ref().is_some_and(|record| record.token == token)
    }

    /// Whether its maker has ended for certain; `lock` is the one that `here` holds.
    pub fn is_dead(&self, here: &Maker, lock: Option<Identity>) -> bool {
        let Some(record) = &self.record else { return false };
        match record.maker.seen_from(here) {
            State::Gone => true,
            State::Runs => false,
            // Its number means nothing here, but one system keeps the lock that it would still hold.
            State::Unknown => record.maker.shares_system_with(here) && lock.is_some() && record.lock == lock,
        }
    }
}

/// Watches a claim and counts for how long it has not changed, by this process's own clock.
#[derive(Default)]
pub(super) struct Watch {
    last: Option<(Option<Vec<u8>>, Instant)>,
    quiet: Duration,
}

impl Watch {
    /// How long the claim has been as it is seen now; None stands for a lock without a claim.
    pub fn quiet(&mut self, seen: Option<&Seen>) -> Duration {
        self.quiet_at(seen, Instant::now())
    }

    fn quiet_at(&mut self, seen: Option<&Seen>, now: Instant) -> Duration {
        let bytes = seen.map(|seen| seen.bytes.clone());
        self.quiet = match &self.last {
            // While this process was paused, its maker may have been so too.
            Some((last, at)) if *last == bytes => self.quiet + now.duration_since(*at).min(LOOK),
            _ => Duration::ZERO,
        };
        self.last = Some((bytes, now));
        self.quiet
    }

    /// How long a claim may be quiet.
    pub fn limit(pace: Pace, seen: Option<&Seen>) -> Duration {
        let every = seen.and_then(|seen| seen.record.as_ref()).map_or(0.0, |record| record.every);
        pace.limit.max(Duration::try_from_secs_f64(4.0 * every).unwrap_or_default())
    }
}

/// A claim of this process. Dropping it lets it go.
pub(super) struct Claim {
    pub token: String,
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    record: Mutex<Record>,
    looked: Mutex<Instant>,
    /// The claim is another's, or the run was finished by another.
    lost: AtomicBool,
    released: Mutex<bool>,
    wake: Condvar,
    /// Whether the run is finished.
    finished: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Claim {
    /// Makes the claim at `path`, unless there is one: then None. `finished` says whether the run is.
    ///
    /// Errors: Io.
    pub fn make(
        path: &Path,
        maker: &Maker,
        lock: Option<Identity>,
        pace: Pace,
        finished: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Option<Claim>> {
        let token = new_token(maker);
        let record =
            Record { token: token.clone(), maker: maker.clone(), lock, every: pace.beat.as_secs_f64(), beat: 0 };
        if !place(path, &record)? {
            return Ok(None);
        }
        let shared = Arc::new(Shared {
            path: path.to_path_buf(),
            record: Mutex::new(record),
            looked: Mutex::new(Instant::now()),
            lost: AtomicBool::new(false),
            released: Mutex::new(false),
            wake: Condvar::new(),
            finished: Box::new(finished),
        });
        let claim = Claim { token, shared: shared.clone() };
        let beats = std::thread::Builder::new().name("claim".into()).stack_size(256 << 10);
        beats.spawn(move || shared.beats(pace.beat)).map_err(|e| Error::io(path, e))?;
        Ok(Some(claim))
    }

    /// Whether it is still this process's own, by a look at the file where the last one is not new.
    pub fn is_held(&self) -> bool {
        if self.shared.looked.lock().elapsed() >= LOOK_AGAIN {
            self.shared.look(false);
        }
        !self.shared.lost.load(Ordering::SeqCst)
    }

    /// As [`is_held`](Self::is_held), always by a look.
    pub fn is_held_now(&self) -> bool {
        self.shared.look(false);
        !self.shared.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Behind a beat under way, which could make it anew.
        *self.shared.released.lock() = true;
        self.shared.wake.notify_all();
        if let Ok(Some(seen)) = Seen::read(&self.shared.path)
            && seen.has(&self.token)
        {
            let _ = remove(&self.shared.path, &seen, &self.token);
        }
    }
}

impl Shared {
    fn beats(&self, every: Duration) {
        let mut released = self.released.lock();
        loop {
            let due = Instant::now() + every;
            while !*released && !self.wake.wait_until(&mut released, due).timed_out() {}
            if *released || self.lost.load(Ordering::SeqCst) {
                return;
            }
            self.look(true);
        }
    }

    /// Looks whether the claim is still its maker's, and gives a sign of life if `beat`.
    fn look(&self, beat: bool) {
        let mut record = self.record.lock();
        let mine = match own::open_to_change(&self.path) {
            Ok(mut file) => match Seen::of(&mut file) {
                Ok(seen) if seen.has(&record.token) => {
                    if beat {
                        record.beat += 1;
                        // To the file that was read: if it was renamed since, its successor is not touched.
                        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&encode(&record)));
                        let _ = written.and_then(|()| file.sync_data());
                    }
                    true
                }
                Ok(seen) => seen.record.is_none(),
                // The next look may be luckier.
                Err(_) => true,
            },
            // Removed by hand, or in the hands of somebody who took it by mistake and will find that out.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => match (self.finished)() {
                true => false,
                false if beat => {
                    record.beat += 1;
                    place(&self.path, &record).is_ok()
                }
                false => true,
            },
            Err(_) => true,
        };
        // One that was paused for long may have been overtaken without a claim of another left.
        if !mine || beat && (self.finished)() {
            self.lost.store(true, Ordering::SeqCst);
        }
        *self.looked.lock() = Instant::now();
    }
}

/// Puts a claim at `path` unless there is one: then false.
fn place(path: &Path, record: &Record) -> Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temporary = own::temporary_file(folder)?;
    let bytes = encode(record);
    temporary.write_all(&bytes).and_then(|()| temporary.as_file().sync_data()).map_err(|e| Error::io(path, e))?;
    let temporary = temporary.into_temp_path();
    match own::link(&temporary, path) {
        Ok(()) => Ok(true),
        // The answer to a link that was made may be lost on its way.
        Err(_) if has_two_names(&temporary) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        // A file system without links.
        Err(_) => match own::create_new(path) {
            Ok(mut file) => {
                file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(|e| Error::io(path, e))?;
                Ok(true)
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(Error::io(path, e)),
        },
    }
}

/// Removes the claim that was `seen` at `path`; false if there is another one meanwhile, which stays.
///
/// `token` is of the one who removes it. Errors: Io.
pub(super) fn remove(path: &Path, seen: &Seen, token: &str) -> Result<bool> {
    let away = path.with_extension(format!("{token}.away"));
    match own::rename(path, &away) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(Error::io(path, e)),
    }
    // Between the look and the rename, another may have taken it over.
    let same = Seen::read(&away)?.is_none_or(|moved| moved.is_that_of(seen));
    if !same
        && let Err(e) = own::link(&away, path)
        && e.kind() != std::io::ErrorKind::AlreadyExists
    {
        return own::rename(&away, path).map(|()| false).map_err(|e| Error::io(path, e));
    }
    let _ = own::remove_file(&away);
    Ok(same)
}

/// A word that no other claim has.
pub(super) fn new_token(maker: &Maker) -> String {
    use std::hash::{BuildHasher, Hasher};
    // Its keys are random, and other ones for each.
    let random = std::hash::RandomState::new().build_hasher().finish();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_nanos());
    let text = format!("{maker:?} {random} {now}");
    blake3::hash(text.as_bytes()).to_hex()[..12].to_string()
}

fn encode(record: &Record) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(record).unwrap_or_default();
    bytes.resize(bytes.len().max(SIZE - 1), b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(unix)]
fn has_two_names(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    own::open(path).and_then(|file| file.metadata().map_err(|e| Error::io(path, e))).is_ok_and(|meta| meta.nlink() == 2)
}

#[cfg(not(unix))]
fn has_two_names(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { beat: Duration::from_millis(20), limit: Duration::from_millis(200) };
    /// So slow that it never beats in a test.
    const SLOW: Pace = Pace { beat: Duration::from_secs(1000), limit: Duration::from_secs(5000) };

    fn claim(path: &Path, host: &str, pace: Pace) -> Option<Claim> {
        Claim::make(path, &Maker::on_host(host), None, pace, || false).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn one_of_many_gets_it_and_lets_it_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train-1.claim");
        let got: Vec<Claim> = std::thread::scope(|s| {
            let all: Vec<_> = (0..8).map(|_| s.spawn(|| claim(&path, "a", SLOW))).collect();
            all.into_iter().filter_map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(got.len(), 1);
        assert!(got[0].is_held_now());
        assert_eq!(names(folder.path()), ["train-1.claim"]);
        drop(got);
        assert!(names(folder.path()).is_empty());
        assert!(claim(&path, "b", SLOW).is_some());
    }

    #[test]
    fn it_counts_up_and_keeps_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train-1.claim");
        let held = claim(&path, "a", PACE).unwrap();
        let first = Seen::read(&path).unwrap().unwrap();
        let mut later = first.clone();
        while later.bytes == first.bytes || later.record.is_none() {
            later = Seen::read(&path).unwrap().unwrap();
        }
        assert!(later.is_that_of(&first) && held.is_held());
        assert_eq!((later.bytes.len(), first.bytes.len()), (SIZE, SIZE));
        // Removed by hand it is made anew.
        std::fs::remove_file(&path).unwrap();
        while Seen::read(&path).unwrap().is_none() {}
        assert!(held.is_held_now());
    }

    #[test]
    fn one_that_was_taken_over_knows_and_does_not_touch_its_successors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train-1.claim");
        let zombie = claim(&path, "a", SLOW).unwrap();
        let seen = Seen::read(&path).unwrap().unwrap();
        assert!(remove(&path, &seen, "taker").unwrap());
        let successor = claim(&path, "b", SLOW).unwrap();
        let before = std::fs::read(&path).unwrap();
        zombie.shared.look(true);
        assert!(!zombie.is_held());
        drop(zombie);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        // A second taker that saw the old claim gives the new one back.
        assert!(!remove(&path, &seen, "slow").unwrap());
        assert!(successor.is_held_now());
        assert_eq!(names(folder.path()), ["train-1.claim"]);
    }

    #[test]
    fn many_takers_of_one_claim_get_it_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("train-1.claim");
            let dead = claim(&path, "a", SLOW).unwrap();
            let seen = Seen::read(&path).unwrap().unwrap();
            let got: Vec<Claim> = std::thread::scope(|s| {
                let take = |i: usize| {
                    remove(&path, &seen, &format!("t{i}")).unwrap();
                    claim(&path, "b", SLOW)
                };
                let all: Vec<_> = (0..4).map(|i| s.spawn(move || take(i))).collect();
                all.into_iter().filter_map(|t| t.join().unwrap()).collect()
            });
            assert!(!dead.is_held_now());
            // However they met, at most one of them still has it.
            assert!(got.iter().filter(|claim| claim.is_held_now() && path.exists()).count() <= 1);
        }
    }

    #[test]
    fn a_claim_is_quiet_by_the_watchers_own_clock() {
        let seen = |text: &str| Seen { bytes: text.into(), record: None };
        let (mut watch, start) = (Watch::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut quiet = |text: Option<&str>, seconds| watch.quiet_at(text.map(seen).as_ref(), at(seconds)).as_secs();
        assert_eq!(quiet(Some("1"), 0), 0);
        assert_eq!(quiet(Some("1"), 3), 3);
        assert_eq!(quiet(Some("1"), 4), 4);
        assert_eq!(quiet(Some("2"), 5), 0);
        // A watcher that was paused for an hour has looked away.
        assert_eq!(quiet(Some("2"), 3605), 5);
        assert_eq!(quiet(None, 3606), 0);
        assert_eq!(quiet(None, 3608), 2);
    }

    #[test]
    fn who_is_dead_is_known_on_one_system_alone() {
        let this = Maker::this();
        let seen = |maker: &Maker, lock| {
            let record = Record { token: "t".into(), maker: maker.clone(), lock, every: 0.0, beat: 0 };
            Seen { bytes: encode(&record), record: Some(record) }
        };
        assert!(!seen(this, None).is_dead(this, None));
        assert!(seen(&this.clone().with_process(u32::MAX, ""), None).is_dead(this, None));
        assert!(!seen(&Maker::on_host("b"), None).is_dead(this, None));
        let container = this.clone().in_a_container();
        assert!(!seen(&container, None).is_dead(this, Some((1, 2))));
        assert!(!seen(&container, Some((1, 3))).is_dead(this, Some((1, 2))));
        assert!(seen(&container, Some((1, 2))).is_dead(this, Some((1, 2))));
        assert!(!Seen { bytes: vec![], record: None }.is_dead(this, None));
    }
}
