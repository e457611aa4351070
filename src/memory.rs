//! How much memory a process may still take, so that what would not fit is refused with a sentence: the system would end the
//! process.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files;

/// Bytes that this process may still take: what the machine has left, the container's bound and the process's own (`ulimit -v`).
/// None where the system does not say it.
pub fn free() -> Option<u64> {
    let of_machine = || kibibytes(&text("/proc/meminfo")?, "MemAvailable:");
    [of_machine(), of_container(), of_process()].into_iter().flatten().min()
}

/// Errors: Data, if so many bytes are not free.
pub fn check(bytes: u64, what: &str) -> Result<()> {
    match free().filter(|free| bytes > *free) {
        Some(free) => {
            let (bytes, free) = (said(bytes), said(free));
            Err(Error::data(format!("{what} would take {bytes} of memory; {free} are free")))
        }
        None => Ok(()),
    }
}

/// `1.5 GB`.
pub fn said(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..100_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn text(path: &str) -> Option<String> {
    files::own::read_text(Path::new(path)).ok()
}

/// The number of kibibytes in a line that begins with `name`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// That of the control group, version 2 or 1.
fn of_container() -> Option<u64> {
    let number = |path: String| text(&path)?.trim().parse::<u64>().ok();
    let of = |folder: &str, most: &str, taken: &str| {
        let stat = text(&format!("{folder}/memory.stat")).unwrap_or_default();
        let line =
            |key: &str| -> Option<u64> { stat.lines().find_map(|line| line.strip_prefix(key))?.trim().parse().ok() };
        // Copies of files count as taken, but give way.
        let copies = line("inactive_file ").unwrap_or(0) + line("active_file ").unwrap_or(0);
        let taken = number(format!("{folder}/{taken}"))?.saturating_sub(copies);
        Some(number(format!("{folder}/{most}"))?.saturating_sub(taken))
    };
    of("/sys/fs/cgroup", "memory.max", "memory.current")
        .or_else(|| of("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"))
}

/// The bound of the address space, less what is taken of it.
fn of_process() -> Option<u64> {
    let limits = text("/proc/self/limits")?;
    let most = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let most: u64 = most.split_whitespace().next()?.parse().ok()?;
    Some(most.saturating_sub(kibibytes(&text("/proc/self/status")?, "VmSize:")?))
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
            assert!(free().is_some_and(|bytes| bytes > 1 << 20));
            assert!(check(1, "a byte").is_ok());
            assert!(check(1 << 62, "a matrix").unwrap_err().message.starts_with("a matrix would take 4611686018.4 GB"));
        }
    }
}
