//! The kernel's fence around a process whose script is not trusted: Linux' Landlock.
//!
//! It holds for this process, its threads that start afterwards and its worker processes, whatever code they run.

use std::path::{Path, PathBuf};

use super::policy::Policy;

/// What the kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforced {
    /// Files outside the policy cannot be opened, and no TCP connection can be made.
    Files { network: bool },
    /// The kernel has no Landlock: the policy holds only where this program checks it.
    Nothing,
}

/// Where programs and libraries are, and what they read to start.
const SYSTEM: &[&str] =
    &["/usr", "/lib", "/lib64", "/bin", "/nix/store", "/proc", "/sys", "/etc/ld.so.cache", "/etc/localtime"];
/// Devices that hold nothing.
const DEVICES: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/pts"];

/// Restricts this thread, and all threads and processes that it starts, to the files of `policy` and to those that the
/// program needs to run. Call it before any other thread starts.
#[cfg(target_os = "linux")]
pub fn enforce(policy: &Policy) -> Enforced {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
    };
    const LATEST: ABI = ABI::V7;
    let (all, read) = (AccessFs::from_all(LATEST), AccessFs::from_read(LATEST));
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::IoctlDev;
    // A folder that is not there yet is not read: the kernel has a rule only for what exists.
    let reads = policy.reads.iter().flatten().filter(|path| path.exists()).cloned();
    let writes = policy.writes.iter().flatten().filter_map(|path| there(path));
    let system = SYSTEM.iter().map(PathBuf::from).chain(libraries());
    let devices = DEVICES.iter().map(PathBuf::from).chain(graphics());
    let restricted = || -> Result<_, landlock::RulesetError> {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .handle_access(AccessNet::from_all(LATEST))?
            .scope(Scope::from_all(LATEST))?
            .create()?
            .add_rules(path_beneath_rules(system.chain(reads).collect::<Vec<_>>(), read))?
            .add_rules(path_beneath_rules(writes.collect::<Vec<_>>(), all))?
            .add_rules(path_beneath_rules(devices.collect::<Vec<_>>(), device))?
            .restrict_self()
    };
    match restricted() {
        Ok(status) if status.ruleset != RulesetStatus::NotEnforced => {
            let network =
                matches!(status.landlock, LandlockStatus::Available { effective_abi, .. } if effective_abi >= ABI::V4);
            Enforced::Files { network }
        }
        _ => Enforced::Nothing,
    }
}

#[cfg(not(target_os = "linux"))]
pub fn enforce(_: &Policy) -> Enforced {
    Enforced::Nothing
}

/// The path, or the first folder above it that exists, since a rule of the kernel needs one; never the root.
#[cfg(target_os = "linux")]
fn there(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|path| path.exists()).filter(|path| path.parent().is_some()).map(Path::to_path_buf)
}

/// The folders of the program and of the libraries that it has loaded.
#[cfg(target_os = "linux")]
fn libraries() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        std::env::var_os("LD_LIBRARY_PATH").iter().flat_map(std::env::split_paths).collect();
    let files = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    folders.extend(
        files.filter_map(|file| file.parent()).filter(|folder| folder.parent().is_some()).map(Path::to_path_buf),
    );
    folders.sort();
    folders.dedup();
    folders
}

/// The devices of GPUs.
#[cfg(target_os = "linux")]
fn graphics() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let named = |name: &str| name.starts_with("nvidia") || name == "dri" || name == "kfd";
    entries.filter(|entry| entry.file_name().to_str().is_some_and(named)).map(|entry| entry.path()).collect()
}
