//! A bound on the memory that reading a file may take.
//!
//! Runs and dictionaries can hold billions of rows in a few bytes, in a valid file too. A table that would take more than
//! [`LEAST`] is refused if it is larger than [`TIMES`] its file, or than the memory that is free: an allocation that
//! fails ends the process.

use std::sync::atomic::{AtomicU64, Ordering};

use super::thrift::Checked;

/// Bytes that any file may take.
const LEAST: u64 = 2 << 30;

/// Bytes per byte of a larger one.
const TIMES: u64 = 1024;

/// The bytes that a reading may still take. Shared by the threads that read columns.
pub(super) struct Budget {
    left: AtomicU64,
    most: u64,
}

impl Budget {
    /// For a file of `length` bytes.
    pub fn of_file(length: u64) -> Budget {
        Budget::of(length.saturating_mul(TIMES).max(LEAST).min(free()))
    }

    fn of(most: u64) -> Budget {
        Budget { left: AtomicU64::new(most), most }
    }

    /// Errors: no such amount is left.
    pub fn take(&self, bytes: u64) -> Checked<()> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken
            .map(drop)
            .map_err(|_| format!("its values would take more than {:.1} GB of memory", self.most as f64 / 1e9))
    }

    /// Gives back what was taken for a while.
    pub fn give(&self, bytes: u64) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The bytes of memory that this process can still get, as far as the system says.
#[cfg(target_os = "linux")]
fn free() -> u64 {
    let amount = |file: &str, key: &str| -> Option<u64> {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
    };
    let machine = amount("/proc/meminfo", "MemAvailable:").unwrap_or(u64::MAX);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to the structure that it is given.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0;
    if !known || limit.rlim_cur == libc::RLIM_INFINITY {
        return machine;
    }
    let used = amount("/proc/self/status", "VmSize:").unwrap_or(0);
    machine.min(limit.rlim_cur.saturating_sub(used))
}

#[cfg(not(target_os = "linux"))]
fn free() -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_bounded() {
        let budget = Budget::of(10_000_000_000);
        budget.take(6_000_000_000).unwrap();
        assert!(budget.take(6_000_000_000).unwrap_err().contains("more than 10.0 GB"));
        budget.give(6_000_000_000);
        budget.take(10_000_000_000).unwrap();
        assert!(budget.take(1).is_err());
        assert!(free() > 0);
    }
}
