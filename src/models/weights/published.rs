//! Finds published weights by the name of their set: in folders, in the cache of the Hugging Face Hub, or on the Hub.

use std::path::{Path, PathBuf};

use super::hub::{FILE, Hub, Origin, Remote, megabytes, user_cache};
use crate::activity::console;
use crate::configuration;
use crate::error::{Error, ErrorKind, Result, nearest};
use crate::models::backbones::{BackboneKind, WeightSet};

/// Where published weights are looked for.
#[derive(Clone, Debug)]
pub struct Places {
    /// In this order.
    pub folders: Vec<PathBuf>,
    /// Looked at after the folders.
    pub hub: Hub,
    /// Whether weights that are in none of the places may be downloaded.
    pub download: bool,
}

/// A file of weights.
#[derive(Clone, Debug)]
pub struct Found {
    pub path: PathBuf,
    /// None for a file that is not from the Hub's cache.
    pub origin: Option<Origin>,
}

/// Looks at the weights that are given for a backbone without reading or downloading anything.
///
/// Errors: a name of no set; a path to no file, or to one of an ending that is not read.
pub fn check_given(kind: &BackboneKind, weights: &str) -> Result<()> {
    let name = weights.split_once('@').map_or(weights, |(name, _)| name);
    match kind.weights.set(name).or(kind.weights.set(weights)) {
        Some(_) => Ok(()),
        None if looks_like_a_path(weights) => super::check_file(Path::new(weights)),
        None => Err(unknown(kind, weights)),
    }
}

impl Places {
    /// The folders of the setting `weights` (CPSD_WEIGHTS, `cpsd.toml`); `weights/` in the working folder, in the three above it, in the
    /// project's folder and in those of the program; cpsd's folder among the user's caches; the Hub's cache; the Hub, if the setting
    /// `download` (CPSD_DOWNLOAD) permits it.
    pub fn configured() -> Places {
        Self::of(configuration::folders("weights"), configuration::standard_folders("weights", 3))
    }

    /// As [`configured`](Self::configured), without what the project adds.
    pub fn without_project() -> Places {
        let mut usual = configuration::standard_folders("weights", 3);
        usual.retain(|(_, what)| *what != configuration::OF_PROJECT);
        Self::of(configuration::folders_of_person("weights"), usual)
    }

    fn of(mut folders: Vec<PathBuf>, usual: Vec<(PathBuf, &'static str)>) -> Places {
        let usual = usual.into_iter().map(|(folder, _)| folder);
        usual.chain(user_cache().map(|cache| cache.join("cpsd/weights"))).for_each(|folder| {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        });
        Places { folders, hub: Hub::from_environment(), download: configuration::flag("download") == Some(true) }
    }

    /// The folders in which weights are looked for, the Hub's cache among them.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.folders.iter().cloned().chain(self.hub.cache.clone()).collect()
    }

    /// The file that `weights` means for a backbone: the name of a set, one with a revision (`imagenet@4a5b6c`), or a path.
    /// A set that is in none of the places is downloaded if that is permitted here or by `download`, or if the person at
    /// the prompt says so.
    ///
    /// Errors: a name that is neither; Io for a set that is not there, with the file to get and where to put it.
    pub fn find(&self, kind: &BackboneKind, weights: &str, download: bool) -> Result<Found> {
        let (name, revision) = match weights.split_once('@') {
            Some((name, revision)) if kind.weights.set(name).is_some() => (name, Some(revision)),
            _ => (weights, None),
        };
        let Some(set) = kind.weights.set(name) else {
            return match looks_like_a_path(weights) {
                true => Ok(Found { path: PathBuf::from(weights), origin: None }),
                false => Err(unknown(kind, weights)),
            };
        };
        let wanted = Wanted { kind, set, revision };
        // Nobody knows the revision of a file in a folder.
        if revision.is_none() {
            let names = wanted.names();
            let files = self.folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
            if let Some(path) = files.into_iter().find(|path| path.is_file()) {
                return Ok(Found { path, origin: None });
            }
        }
        let Some(repository) = set.hub else { return Err(self.absent(&wanted, None)) };
        if let Some((path, origin)) = self.hub.cached(repository, revision) {
            return Ok(Found { path, origin: Some(origin) });
        }
        if self.hub.offline {
            return Err(self.absent(&wanted, Some("HF_HUB_OFFLINE forbids downloads".into())));
        }
        let permitted = download || self.download;
        if !permitted && !console::can_ask() {
            return Err(self.absent(&wanted, None));
        }
        let remote = self.hub.remote(repository, revision).map_err(|e| self.undone(&wanted, e))?;
        if !permitted && console::confirm(&self.question(&wanted, &remote)) != Some(true) {
            return Err(self.absent(&wanted, None));
        }
        console::log(&format!("{}: {}", wanted.title(), self.offer(&remote, "bringing")));
        let path = self.hub.download(&remote).map_err(|e| self.undone(&wanted, e))?;
        Ok(Found { path, origin: Some(remote.origin) })
    }

    /// `download timm/x (model.safetensors, 179 MB) from … into …`.
    fn offer(&self, remote: &Remote, verb: &str) -> String {
        let cache = self.hub.cache.as_deref().unwrap_or(Path::new(""));
        format!(
            "{verb} {} ({FILE}, {} MB, revision {}) from {} into {}",
            remote.origin.repository,
            megabytes(remote.size),
            remote.origin.revision,
            self.hub.endpoint,
            cache.display()
        )
    }

    fn question(&self, wanted: &Wanted, remote: &Remote) -> String {
        format!("{} are not on this machine: {}?", wanted.title(), self.offer(remote, "download"))
    }

    /// The weights are in none of the places and may not be downloaded.
    fn absent(&self, wanted: &Wanted, forbidden: Option<String>) -> Error {
        let message = match wanted.revision {
            None => format!("{} are not here: no file weights/{}", wanted.title(), wanted.names()[0]),
            Some(revision) => format!("{} are not here at revision {revision}", wanted.title()),
        };
        let by_download = wanted.set.hub.map(|repository| {
            forbidden.unwrap_or_else(|| {
                let about = match wanted.kind.parameters {
                    0 => String::new(),
                    n => format!(", about {} MB", megabytes(n as u64 * 4)),
                };
                format!(
                    "download: true beside weights, or CPSD_DOWNLOAD=1, brings {repository} ({FILE}{about}) from {}",
                    self.hub.endpoint
                )
            })
        });
        let others: Vec<&str> =
            wanted.kind.weights.sets.iter().map(|set| set.name).filter(|n| *n != wanted.set.name).collect();
        let here = others.into_iter().filter(|name| self.is_here(wanted.kind, name));
        let here = here.map(|name| format!("weights: \"{name}\" is here")).collect();
        self.error(message, wanted, [by_download.into_iter().collect(), here])
    }

    /// A download that failed.
    fn undone(&self, wanted: &Wanted, cause: Error) -> Error {
        if cause.kind != ErrorKind::Io {
            return cause;
        }
        let message = format!("{} could not be downloaded: {}", wanted.title(), cause.message);
        self.error(message, wanted, [vec![], vec![]])
    }

    fn error(&self, message: String, wanted: &Wanted, [before, after]: [Vec<String>; 2]) -> Error {
        let mut help = before;
        help.push(self.by_hand(wanted));
        help.extend(after);
        // A file in a folder has no revision.
        if wanted.revision.is_none() {
            help.push(self.looked());
        }
        Error::new(ErrorKind::Io, message).with_help(help.join("; "))
    }

    /// Where was looked, in order.
    fn looked(&self) -> String {
        let places: Vec<String> = self.folders().iter().map(|folder| configuration::shown(folder)).collect();
        format!("looked in, in this order: {}", places.join(", "))
    }

    /// Which file to get and where to put it.
    fn by_hand(&self, wanted: &Wanted) -> String {
        let names = wanted.names();
        if let (Some(repository), Some(revision)) = (wanted.set.hub, wanted.revision) {
            return format!(
                "by hand: get {}, and give its path as weights",
                self.hub.address(repository, Some(revision))
            );
        }
        let or = wanted.set.hub.map_or(String::new(), |repository| {
            format!(", or {} to be named {}", self.hub.address(repository, None), wanted.hub_name().unwrap_or_default())
        });
        let mut places = vec!["weights/ here or beside the program".to_string()];
        places.extend(user_cache().map(|cache| cache.join("cpsd/weights").display().to_string()));
        let named = "the folder that the setting weights or CPSD_WEIGHTS names";
        places.push(match configuration::folders("weights").into_iter().find(|named| !named.is_dir()) {
            Some(folder) => format!("{named} ({} is no folder)", folder.display()),
            None => named.into(),
        });
        format!(
            "by hand: get it from {}{or}, and put it into {}; its names there may be {}",
            wanted.set.source,
            places.join(", or "),
            names.join(", ")
        )
    }

    fn is_here(&self, kind: &BackboneKind, name: &str) -> bool {
        kind.weights.set(name).is_some_and(|set| {
            let wanted = Wanted { kind, set, revision: None };
            let names = wanted.names();
            self.folders.iter().any(|folder| names.iter().any(|name| folder.join(name).is_file()))
                || set.hub.is_some_and(|repository| self.hub.cached(repository, None).is_some())
        })
    }
}

/// A set of weights as it was asked for.
struct Wanted<'a> {
    kind: &'a BackboneKind,
    set: &'static WeightSet,
    revision: Option<&'a str>,
}

impl Wanted<'_> {
    fn title(&self) -> String {
        format!("the weights \"{}\" of {}", self.set.name, self.kind.name)
    }

    /// The names that its file may have in a folder.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.set.files.iter().map(|name| name.to_string()).collect();
        names.extend(self.hub_name().filter(|name| !self.set.files.contains(&name.as_str())));
        names
    }

    /// `resnet101.tv_in1k.safetensors`.
    fn hub_name(&self) -> Option<String> {
        Some(format!("{}.safetensors", self.set.hub?.rsplit('/').next()?))
    }
}

/// Whether a text is meant as a path: it has a folder or an ending, or there is such a file.
fn looks_like_a_path(text: &str) -> bool {
    text.contains(['/', '\\', '.']) || Path::new(text).exists()
}

fn unknown(kind: &BackboneKind, name: &str) -> Error {
    let sets: Vec<&str> = kind.weights.sets.iter().map(|set| set.name).collect();
    let path = "a path to a .safetensors, .pth, .pt, .ckpt, .bin, .pkl or .pth.tar file is taken too";
    if sets.is_empty() {
        return Error::argument(format!("backbone \"{}\" has no published weights; got \"{name}\"", kind.name))
            .about_name(name)
            .with_help(format!("leave \"weights\" out to start from random ones; {path}"));
    }
    let near = nearest(name, sets.iter().copied()).map_or(String::new(), |near| format!("did you mean \"{near}\"? "));
    let quoted: Vec<String> = sets.iter().map(|name| format!("\"{name}\"")).collect();
    Error::argument(format!("unknown weights \"{name}\" of {}", kind.name))
        .about_name(name)
        .with_help(format!("{near}its sets of weights are {}; {path}", quoted.join(", ")))
}
