//! How much memory is left, as the files of the system say.
//!
//! Memory that cannot be had ends the process: Rust's collections know no error there. So a script is stopped before: when
//! the system, the control group or `ulimit -v` leaves less than its next step may take.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::own;
use crate::error::{Error, Result};

/// Less than this is never left.
pub const LEAST: usize = 48 << 20;
/// What the system says is believed for so long.
const BELIEVED: Duration = Duration::from_micros(500);

thread_local! {
    static LATEST: Cell<Option<(Instant, usize)>> = const { Cell::new(None) };
    static MACHINE: Cell<Option<(Instant, usize)>> = const { Cell::new(None) };
}

/// The bytes that this process can still have, about; `usize::MAX` where the system does not say.
pub fn left() -> usize {
    if let Some((when, bytes)) = LATEST.get()
        && when.elapsed() < BELIEVED
    {
        return bytes;
    }
    let bytes = address_space_left().min(machine());
    LATEST.set(Some((Instant::now(), bytes)));
    bytes
}

/// Errors: `bytes` more are not to be had.
pub fn check(what: &str, bytes: usize) -> Result<()> {
    let left = if bytes < LEAST / 4 { usize::MAX } else { left() };
    if bytes.saturating_add(LEAST) <= left {
        return Ok(());
    }
    Err(Error::argument(format!("{what} needs {} MB of memory; about {} are left", bytes >> 20, left >> 20)))
}

/// The error of a script whose next step may need more than is left.
pub fn short(needed: usize) -> Error {
    let left = left() >> 20;
    Error::argument(format!(
        "the memory is running out: about {left} MB are left, and the script may need {} more",
        needed >> 20
    ))
}

/// What `ulimit -v` leaves.
fn address_space_left() -> usize {
    let Some(limit) = address_space() else { return usize::MAX };
    // Pages of 4 KB wherever this file is.
    let used = first_number(&read("/proc/self/statm")).map_or(0, |pages| pages.saturating_mul(4096));
    limit.saturating_sub(used)
}

/// What the machine and the control group have, which change less suddenly.
fn machine() -> usize {
    if let Some((when, bytes)) = MACHINE.get()
        && when.elapsed() < 10 * BELIEVED
    {
        return bytes;
    }
    let bytes = system().min(control_group());
    MACHINE.set(Some((Instant::now(), bytes)));
    bytes
}

/// What the machine has available.
fn system() -> usize {
    let text = read("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(first_number).map_or(usize::MAX, |kb| kb.saturating_mul(1024))
}

/// What a control group of version 2 leaves: containers and job schedulers set one.
fn control_group() -> usize {
    static LIMIT: LazyLock<Option<(String, usize)>> = LazyLock::new(|| {
        let own = read("/proc/self/cgroup").lines().find_map(|line| line.strip_prefix("0::").map(str::to_string))?;
        let folder = format!("/sys/fs/cgroup{}", own.trim_end_matches('/'));
        let limit = first_number(&read(&format!("{folder}/memory.max")))?;
        Some((folder, limit))
    });
    let Some((folder, limit)) = &*LIMIT else { return usize::MAX };
    let used = first_number(&read(&format!("{folder}/memory.current"))).unwrap_or(0);
    // The system takes cached parts of files back.
    let statistics = read(&format!("{folder}/memory.stat"));
    let cached = statistics.lines().find_map(|line| line.strip_prefix("file ")).and_then(first_number).unwrap_or(0);
    limit.saturating_sub(used.saturating_sub(cached))
}

fn read(path: &str) -> String {
    own::read(std::path::Path::new(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn first_number(text: &str) -> Option<usize> {
    text.split_whitespace().next()?.parse().ok()
}

/// Bytes of the address space, where `ulimit -v` limits it.
pub fn address_space() -> Option<usize> {
    static LIMIT: LazyLock<Option<usize>> = LazyLock::new(|| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is a valid place for the answer.
        let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0;
        (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as usize)
    });
    *LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_refused() {
        assert!(check("x", 1 << 20).is_ok());
        if left() < usize::MAX {
            let refused = check("to_array", 1 << 60).unwrap_err();
            assert!(refused.message.contains("to_array needs") && refused.message.contains("left"), "{refused}");
        }
    }
}
