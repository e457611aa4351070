//! How much memory is left, so that what would not fit is refused with a sentence: memory that cannot be had ends the
//! process, since Rust's collections know no error there.

use std::cell::Cell;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::files::own;

/// Bytes that always stay left.
pub const LEAST: u64 = 48 << 20;
/// What the system says of this process is believed for so long.
const BELIEVED: Duration = Duration::from_micros(500);
/// What it says of the machine and the control group, which change less suddenly.
const LONGER: Duration = Duration::from_millis(5);

thread_local! {
    static LEFT: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
    static AROUND: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
}

/// The bytes that this process can still have, about: what the machine, the container (control groups in version 2 or 1) and
/// the process's own bounds (`ulimit -v` and `-d`) leave. `u64::MAX` where the system does not say it.
pub fn left() -> u64 {
    believed(&LEFT, BELIEVED, || believed(&AROUND, LONGER, || of_machine().min(of_container())).min(of_process()))
}

/// Errors: Memory, if `what` would take more bytes than are left.
pub fn check(what: &str, bytes: u64) -> Result<()> {
    // What is small is not worth a look.
    let left = if bytes < LEAST / 4 { u64::MAX } else { left() };
    if bytes.saturating_add(LEAST) <= left {
        return Ok(());
    }
    let text = format!("{what} would take {} of memory; {} are free", said(bytes), said(left));
    Err(Error::new(ErrorKind::Memory, text))
}

/// The error of a script whose next step may need more bytes than are left.
pub fn running_out(needed: u64) -> Error {
    let (left, needed) = (said(left()), said(needed));
    let text = format!("the memory is running out: {left} are left, and the script may need {needed} more");
    Error::new(ErrorKind::Memory, text)
}

/// `1.5 GB`.
pub fn said(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..100_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Bytes of the address space, where `ulimit -v` bounds it.
pub fn address_space() -> Option<u64> {
    static BOUND: LazyLock<Option<u64>> = LazyLock::new(|| {
        // SAFETY: the argument is a valid place for the answer.
        bound(|limit| unsafe { libc::getrlimit(libc::RLIMIT_AS, limit) })
    });
    *BOUND
}

/// Bytes that a file may have, where `ulimit -f` bounds them.
pub fn file_size() -> Option<u64> {
    // SAFETY: the argument is a valid place for the answer.
    bound(|limit| unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, limit) })
}

fn believed(
    known: &'static std::thread::LocalKey<Cell<Option<(Instant, u64)>>>,
    how_long: Duration,
    ask: impl FnOnce() -> u64,
) -> u64 {
    if let Some((when, bytes)) = known.get()
        && when.elapsed() < how_long
    {
        return bytes;
    }
    let bytes = ask();
    known.set(Some((Instant::now(), bytes)));
    bytes
}

fn of_machine() -> u64 {
    kibibytes(&text("/proc/meminfo"), "MemAvailable:").unwrap_or(u64::MAX)
}

/// What the control group leaves: containers and job schedulers set one.
fn of_container() -> u64 {
    /// The folder of the group, the names of bound and use, the bound.
    static GROUP: LazyLock<Option<(String, &str, u64)>> = LazyLock::new(|| {
        let groups = text("/proc/self/cgroup");
        let own = |begin: &str| groups.lines().find_map(|line| line.strip_prefix(begin)).unwrap_or("/");
        let memory = groups.lines().find_map(|line| line.split_once(":memory:")).map_or("/", |(_, path)| path);
        // Inside a container the group is often seen as the root.
        let places = [
            (format!("/sys/fs/cgroup{}", own("0::")), "memory.max", "memory.current"),
            ("/sys/fs/cgroup".to_string(), "memory.max", "memory.current"),
            (format!("/sys/fs/cgroup/memory{memory}"), "memory.limit_in_bytes", "memory.usage_in_bytes"),
            ("/sys/fs/cgroup/memory".to_string(), "memory.limit_in_bytes", "memory.usage_in_bytes"),
        ];
        places.into_iter().find_map(|(folder, most, taken)| {
            let most = number(&text(&format!("{folder}/{most}")))?;
            Some((folder, taken, most))
        })
    });
    let Some((folder, taken, most)) = &*GROUP else { return u64::MAX };
    let taken = number(&text(&format!("{folder}/{taken}"))).unwrap_or(0);
    let statistics = text(&format!("{folder}/memory.stat"));
    let line = |key: &str| statistics.lines().find_map(|line| line.strip_prefix(key)).and_then(number).unwrap_or(0);
    // Copies of files count as taken, but give way.
    most.saturating_sub(taken.saturating_sub(line("inactive_file ") + line("active_file ")))
}

/// What the bounds of the process leave.
fn of_process() -> u64 {
    static DATA: LazyLock<Option<u64>> = LazyLock::new(|| {
        // SAFETY: the argument is a valid place for the answer.
        bound(|limit| unsafe { libc::getrlimit(libc::RLIMIT_DATA, limit) })
    });
    if address_space().is_none() && DATA.is_none() {
        return u64::MAX;
    }
    let status = text("/proc/self/status");
    let of = |most: Option<u64>, key: &str| match most {
        Some(most) => most.saturating_sub(kibibytes(&status, key).unwrap_or(0)),
        None => u64::MAX,
    };
    of(address_space(), "VmSize:").min(of(*DATA, "VmData:"))
}

/// The limit that `ask` brings from the system; None for no limit.
fn bound(ask: impl FnOnce(&mut libc::rlimit) -> i32) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let known = ask(&mut limit) == 0;
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// A file of the system; empty where there is none.
fn text(path: &str) -> String {
    own::of_system(Path::new(path)).unwrap_or_default()
}

/// The number of kibibytes in a line that begins with `name`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    number(text.lines().find_map(|line| line.strip_prefix(name))?)?.checked_mul(1024)
}

fn number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_known_on_linux() {
        assert_eq!(kibibytes("MemTotal: 5 kB\nMemAvailable:  3 kB\n", "MemAvailable:"), Some(3072));
        assert_eq!(kibibytes("MemTotal: 5 kB\n", "MemAvailable:"), None);
        assert_eq!([said(12), said(2_500_000), said(28_800_000_000)], ["12 bytes", "2.5 MB", "28.8 GB"]);
        if cfg!(target_os = "linux") {
            assert!((1 << 20..1 << 60).contains(&left()));
            assert!(check("a byte", 1).is_ok());
            assert!(check("a matrix", 1 << 62).unwrap_err().message.starts_with("a matrix would take 4611686018.4 GB"));
        }
    }
}
