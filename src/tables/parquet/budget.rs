//! A bound on the memory that reading a file may take.
//!
//! Runs and dictionaries can hold billions of rows in a few bytes, in a valid file too. A table that would take more than
//! [`LEAST`] is refused if it is larger than [`TIMES`] its file, or than the memory that is free: an allocation that
//! fails ends the process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::thrift::Checked;
use crate::memory;

/// Bytes that any file may take.
const LEAST: u64 = 2 << 30;

/// Bytes per byte of a larger one.
const TIMES: u64 = 1024;

/// The bytes that a reading may still take. Shared by the threads that read columns.
pub(super) struct Budget {
    left: AtomicU64,
    most: u64,
    exceeded: AtomicBool,
}

impl Budget {
    /// For a file of `length` bytes.
    pub fn of_file(length: u64) -> Budget {
        Budget::of(length.saturating_mul(TIMES).max(LEAST).min(memory::left()))
    }

    fn of(most: u64) -> Budget {
        Budget { left: AtomicU64::new(most), most, exceeded: AtomicBool::new(false) }
    }

    /// Errors: no such amount is left.
    pub fn take(&self, bytes: u64) -> Checked<()> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(drop).map_err(|_| {
            self.exceeded.store(true, Ordering::Relaxed);
            format!("its values would take more than {} of memory", memory::said(self.most))
        })
    }

    /// Whether more was asked for than was left. The file may be valid then.
    pub fn exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// Gives back what was taken for a while.
    pub fn give(&self, bytes: u64) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_bounded() {
        let budget = Budget::of(10_000_000_000);
        budget.take(6_000_000_000).unwrap();
        assert!(!budget.exceeded());
        assert!(budget.take(6_000_000_000).unwrap_err().contains("more than 10.0 GB"));
        budget.give(6_000_000_000);
        budget.take(10_000_000_000).unwrap();
        assert!(budget.take(1).is_err());
    }
}
