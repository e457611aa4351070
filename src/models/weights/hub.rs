//! The Hugging Face Hub: its cache on this machine, laid out as the Python library does it, and downloads into it.

use std::io::Read;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use hf_hub::api::Progress as Watch;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::environment;
use crate::error::{Error, ErrorKind, Result};
use crate::files;

/// The file of a repository that holds its weights.
pub const FILE: &str = "model.safetensors";
const MAIN: &str = "main";
const ENDPOINT: &str = "https://huggingface.co";
/// Begins the names of folders in which files arrive.
const ARRIVING: &str = ".cpsd-";
/// The age at which such a folder belongs to nobody.
const ABANDONED: Duration = Duration::from_secs(86_400);
/// How long a server may be silent, unless HF_HUB_DOWNLOAD_TIMEOUT says it.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRIES: usize = 4;
const LARGEST: usize = 1 << 40;

/// The Hub as this machine reaches it.
#[derive(Clone, Debug)]
pub struct Hub {
    /// The cache's folder, if there is a place for one.
    pub cache: Option<PathBuf>,
    /// The server, without a slash at the end.
    pub endpoint: String,
    /// Downloads are forbidden.
    pub offline: bool,
    pub token: Option<String>,
    /// How long the server may be silent.
    pub patience: Duration,
    /// Broken connections after which a download is given up; each new one goes on where the last one broke.
    pub retries: usize,
}

/// Where a file came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// `timm/resnet101.tv_in1k`.
    pub repository: String,
    /// The commit.
    pub revision: String,
    pub file: &'static str,
}

/// The weights of a repository, before they are downloaded.
#[derive(Clone, Debug)]
pub struct Remote {
    pub origin: Origin,
    /// In bytes.
    pub size: u64,
    /// The branch or tag that was asked for.
    asked: String,
    /// The name of its content: of large files their SHA-256.
    etag: String,
}

impl Hub {
    /// From the variables of the Python library: HF_HUB_CACHE, HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN,
    /// HF_TOKEN_PATH, HF_HUB_DOWNLOAD_TIMEOUT.
    pub fn from_environment() -> Hub {
        let home = environment::path("HF_HOME").or_else(|| Some(user_cache()?.join("huggingface")));
        let cache = environment::path("HF_HUB_CACHE").or_else(|| environment::path("HUGGINGFACE_HUB_CACHE"));
        let token = environment::text("HF_TOKEN").or_else(|| {
            let file = environment::path("HF_TOKEN_PATH").or_else(|| Some(home.as_ref()?.join("token")))?;
            files::own::read_text(&file).ok()
        });
        let seconds = environment::number("HF_HUB_DOWNLOAD_TIMEOUT", 1.0..=1e6);
        Hub {
            cache: cache.or_else(|| Some(home.as_ref()?.join("hub"))),
            endpoint: environment::text("HF_ENDPOINT")
                .unwrap_or_else(|| ENDPOINT.into())
                .trim_end_matches('/')
                .to_string(),
            offline: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
                .iter()
                .any(|name| environment::flag(name) == Some(true)),
            token: token.map(|t| t.trim().to_string()).filter(|t| !t.is_empty()),
            patience: seconds.map_or(PATIENCE, Duration::from_secs_f64),
            retries: RETRIES,
        }
    }

    /// The address of a repository's weights.
    pub fn address(&self, repository: &str, revision: Option<&str>) -> String {
        format!("{}/{repository}/resolve/{}/{FILE}", self.endpoint, revision.unwrap_or(MAIN))
    }

    /// The weights of a repository that are in the cache: of a commit, branch or tag; without one, of the main branch as
    /// it was when they were downloaded, or of the only commit that is there.
    pub fn cached(&self, repository: &str, revision: Option<&str>) -> Option<(PathBuf, Origin)> {
        let folder = self.folder(repository)?;
        let of = |commit: &str| {
            let path = folder.join("snapshots").join(commit).join(FILE);
            path.is_file().then(|| (path, origin(repository, commit)))
        };
        let asked = revision.unwrap_or(MAIN);
        if !is_revision(asked) {
            return None;
        }
        let named = files::own::read_text(&folder.join("refs").join(asked)).ok();
        let named = named.as_deref().map(str::trim).filter(|commit| is_commit(commit)).and_then(of);
        let found = named.or_else(|| of(asked));
        if found.is_some() || revision.is_some() {
            return found;
        }
        let commits = files::own::entries(&folder.join("snapshots"));
        let mut present = commits.filter_map(|entry| of(entry.file_name().to_str()?));
        present.next().filter(|_| present.next().is_none())
    }

    /// The weights that the server offers. Nothing is downloaded.
    ///
    /// Errors: Io, whose message is the cause alone; Interrupted.
    pub fn remote(&self, repository: &str, revision: Option<&str>) -> Result<Remote> {
        let asked = revision.unwrap_or(MAIN).to_string();
        let Some(cache) = &self.cache else {
            return Err(failed("HF_HOME names no folder to keep it in, nor does HOME"));
        };
        if !is_revision(&asked) {
            return Err(failed(format!("\"{asked}\" is not a commit, branch or tag")));
        }
        if !["http://", "https://"].iter().any(|scheme| self.endpoint.starts_with(scheme)) {
            return Err(failed(format!("HF_ENDPOINT must begin with https://; got \"{}\"", self.endpoint)));
        }
        let api = self.api(cache.clone())?;
        let url = api.repo(repo(repository, &asked)).url(FILE);
        let found = self.apart(&Arc::default(), move || api.metadata(&url), |_| {})?;
        let (revision, etag, size) = (found.commit_hash().to_string(), found.etag().to_string(), found.size());
        // They become names of files.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !is_commit(&revision) || etag.is_empty() || etag.len() > 128 || !etag.chars().all(plain) {
            return Err(failed(format!("{} does not answer as the Hugging Face Hub does", self.endpoint)));
        }
        if size == 0 || size > LARGEST {
            return Err(failed(format!("its {FILE} has {size} bytes")));
        }
        Ok(Remote { origin: origin(repository, &revision), size: size as u64, asked, etag })
    }

    /// Brings the weights into the cache, where the Python library finds them too, and returns their path there. They
    /// appear whole or not at all.
    ///
    /// Errors: Io, whose message is the cause alone; Interrupted.
    pub fn download(&self, remote: &Remote) -> Result<PathBuf> {
        let Origin { repository, revision, .. } = &remote.origin;
        let Some(folder) = self.folder(repository) else { return Err(Error::internal("a hub without a cache")) };
        files::own::create_folders(&folder).map_err(|e| failed(e.message))?;
        remove_abandoned(&folder);
        // Beside its place, so that it is renamed into it; a name that the Python library passes over.
        let arriving = files::own::temporary_folder(&folder, ARRIVING).map_err(|e| failed(e.message))?;
        let (api, repo) = (self.api(arriving.path().to_path_buf())?, repo(repository, revision));
        let line = Progress::new(repository, megabytes(remote.size), "MB");
        let transfer = Arc::new(Transfer { most: AtomicU64::new(remote.size), ..Transfer::default() });
        let watched = Watched(transfer.clone());
        let mut shown = 0;
        let arrived = self.apart(
            &transfer,
            move || api.repo(repo).download_with_progress(FILE, watched),
            |bytes| {
                line.advance(megabytes(bytes).saturating_sub(shown));
                shown = shown.max(megabytes(bytes));
            },
        )?;
        line.finish();
        let arrived = arrived.canonicalize().map_err(|e| failed(Error::io(&arrived, e).message))?;
        check_content(&arrived, remote)?;
        publish(&arrived, arriving.path(), &folder, remote)
    }

    /// `models--timm--resnet101.tv_in1k` in the cache.
    fn folder(&self, repository: &str) -> Option<PathBuf> {
        Some(self.cache.as_ref()?.join(repo(repository, MAIN).folder_name()))
    }

    fn api(&self, cache: PathBuf) -> Result<Api> {
        ApiBuilder::from_cache(Cache::new(cache))
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_user_agent("cpsd", env!("CARGO_PKG_VERSION"))
            .with_progress(false)
            .with_retries(self.retries)
            .build()
            .map_err(|e| self.cause(&e))
    }

    /// Runs `work` on a thread of its own, since hf-hub waits for a server without end and without looking at Ctrl-C. `seen`
    /// is told the bytes so far.
    fn apart<T: Send + 'static>(
        &self,
        transfer: &Arc<Transfer>,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
        mut seen: impl FnMut(u64),
    ) -> Result<T> {
        let (sender, receiver) = mpsc::channel();
        let started = std::thread::Builder::new().name("hub".into()).spawn(move || {
            // Nobody receives once the wait has ended.
            let _ = sender.send(work());
        });
        started.map_err(|e| failed(e.to_string()))?;
        let stop = Stop(transfer);
        let (mut last, mut moved) = (0, Instant::now());
        loop {
            match receiver.recv_timeout(Duration::from_millis(50)) {
                Ok(done) => return done.map_err(|e| self.cause(&e)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let (came, most) = (stop.0.bytes.load(Ordering::Relaxed), stop.0.most.load(Ordering::Relaxed));
                    if came > most {
                        return Err(failed(format!("{} sends more than the {most} bytes that it said", self.endpoint)));
                    }
                    return Err(failed(format!("{} does not answer as the Hugging Face Hub does", self.endpoint)));
                }
            }
            let bytes = stop.0.bytes.load(Ordering::Relaxed);
            if bytes != last {
                (last, moved) = (bytes, Instant::now());
                seen(bytes);
            }
            interrupt::check()?;
            if moved.elapsed() > self.patience {
                return Err(failed(format!("{} was silent for {} s", self.endpoint, self.patience.as_secs())));
            }
        }
    }

    /// An error of hf-hub as a sentence.
    fn cause(&self, error: &ApiError) -> Error {
        let said = match error {
            ApiError::TooManyRetries(last) => last.to_string(),
            other => other.to_string(),
        };
        let said = said.strip_prefix("request error: ").unwrap_or(&said);
        failed(match said.rsplit_once("http status: ").map(|(_, status)| status) {
            Some("404") => format!("{} has no such revision or file (status 404)", self.endpoint),
            Some(status @ ("401" | "403")) => {
                format!("{} refuses it (status {status}); HF_TOKEN names a token", self.endpoint)
            }
            Some(status) => format!("{} answers with status {status}", self.endpoint),
            None => format!("{}: {}", self.endpoint, said.strip_prefix("io: ").unwrap_or(said)),
        })
    }
}

/// A download under way, as two threads see it.
#[derive(Default)]
struct Transfer {
    bytes: AtomicU64,
    /// The size that the server said.
    most: AtomicU64,
    stop: AtomicBool,
}

/// Ends the other thread's download when the wait for it ends.
struct Stop<'a>(&'a Transfer);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

struct Watched(Arc<Transfer>);

impl Watch for Watched {
    fn init(&mut self, _size: usize, _filename: &str) {
        self.0.bytes.store(0, Ordering::Relaxed);
    }

    fn update(&mut self, size: usize) {
        self.0.bytes.fetch_add(size as u64, Ordering::Relaxed);
        let too_many = self.0.bytes.load(Ordering::Relaxed) > self.0.most.load(Ordering::Relaxed);
        if too_many || self.0.stop.load(Ordering::Relaxed) {
            // hf-hub has no other way out; this one runs no panic hook and ends its thread alone.
            resume_unwind(Box::new(()));
        }
    }

    fn finish(&mut self) {}
}

/// Errors: a file of another size, or of another content than its name says.
fn check_content(path: &Path, remote: &Remote) -> Result<()> {
    let at = |e| failed(Error::io(path, e).message);
    let mut file = files::own::open(path).map_err(|e| failed(e.message))?;
    let size = file.metadata().map_err(at)?.len();
    if size != remote.size {
        return Err(failed(format!("{size} of {} bytes came", remote.size)));
    }
    if remote.etag.len() == 64 {
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            interrupt::check()?;
            match file.read(&mut buffer).map_err(at)? {
                0 => break,
                n => hash.update(&buffer[..n]),
            }
        }
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if hash != remote.etag.to_lowercase() {
            return Err(failed(format!("its SHA-256 is {}…, not {}…", &hash[..12], &remote.etag[..12])));
        }
    }
    file.sync_all().map_err(at)
}

/// Moves a file into the cache: content in blobs/, a link to it in the commit's folder, the commit in refs/.
fn publish(arrived: &Path, arriving: &Path, folder: &Path, remote: &Remote) -> Result<PathBuf> {
    let (blobs, snapshot) = (folder.join("blobs"), folder.join("snapshots").join(&remote.origin.revision));
    let (blob, path) = (blobs.join(&remote.etag), snapshot.join(FILE));
    for folder in [&blobs, &snapshot] {
        files::own::create_folders(folder).map_err(|e| failed(e.message))?;
    }
    let place = || -> std::io::Result<()> {
        let rename = files::own::rename;
        rename(arrived, &blob)?;
        files::sync_folder(&blobs);
        let link = arriving.join("link");
        let target = Path::new("../../blobs").join(&remote.etag);
        if files::own::symlink(&target, &link).and_then(|()| rename(&link, &path)).is_err() {
            // A file system without links: the Python library puts the file itself there too.
            rename(&blob, &path)?;
        }
        files::sync_folder(&snapshot);
        Ok(())
    };
    place().map_err(|e| failed(Error::io(&path, e).message))?;
    if remote.asked != remote.origin.revision {
        files::own::write(&folder.join("refs").join(&remote.asked), remote.origin.revision.as_bytes())
            .map_err(|e| failed(e.message))?;
    }
    Ok(path)
}

/// Removes files that killed processes left.
fn remove_abandoned(folder: &Path) {
    for entry in files::own::entries(folder) {
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|changed| changed.elapsed().ok());
        if entry.file_name().to_string_lossy().starts_with(ARRIVING) && age.is_some_and(|age| age > ABANDONED) {
            let _ = files::own::remove_folder(&entry.path());
        }
    }
}

fn repo(repository: &str, revision: &str) -> Repo {
    Repo::with_revision(repository.to_string(), RepoType::Model, revision.to_string())
}

fn origin(repository: &str, commit: &str) -> Origin {
    Origin { repository: repository.to_string(), revision: commit.to_string(), file: FILE }
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Whether it can be a commit, branch or tag, and a path below refs/.
fn is_revision(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    text.len() <= 200
        && text.chars().all(plain)
        && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
}

fn failed(cause: impl Into<String>) -> Error {
    Error::new(ErrorKind::Io, cause)
}

/// Whole megabytes (10⁶ bytes), at least one.
pub fn megabytes(bytes: u64) -> u64 {
    (bytes / 1_000_000).max(1)
}

/// The folder of the user's caches.
pub fn user_cache() -> Option<PathBuf> {
    environment::path("XDG_CACHE_HOME").or_else(|| Some(environment::path("HOME")?.join(".cache")))
}
