//! Where lines, progress and pages go in place of standard output and standard error: the cells of a notebook.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::update::ProgressUpdate;

/// The place of all that this process says to people. Its methods are called on any thread. A cell is a number that the thread's
/// activity has ([`Activity::cell`](super::Activity::cell)).
pub trait Sink: Send + Sync {
    /// Lines, each with its end.
    fn write(&self, cell: u64, stream: Stream, text: &str);
    /// How far a piece of work is. Its first update begins it, and one that is finished ends it.
    fn progress(&self, cell: u64, piece: u64, update: ProgressUpdate);
    /// An HTML page that a script has written to a file.
    fn page(&self, cell: u64, path: &Path, html: &str);
    /// A value that a script prints alone, and its text. Returns whether it is shown; if not, the text is written.
    fn value(&self, cell: u64, text: &str, value: &dyn Any) -> bool;
}

/// What lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Output of scripts.
    Output,
    /// What the program says of its work. On standard error, so that output can be piped.
    Note,
    /// Warnings and errors.
    Error,
}

static SINK: RwLock<Option<Arc<dyn Sink>>> = RwLock::new(None);

/// Sets the sink of this process; None for the standard streams.
pub fn set(sink: Option<Arc<dyn Sink>>) {
    *SINK.write() = sink;
}

/// The sink, if there is one.
pub(super) fn get() -> Option<Arc<dyn Sink>> {
    SINK.read().clone()
}

/// Whether there is a sink.
pub fn is_set() -> bool {
    SINK.read().is_some()
}

/// Hands a page that was written to the sink, if there is one.
pub fn page(path: &Path, html: &str) {
    if let Some(sink) = get() {
        sink.page(super::current().cell(), path, html);
    }
}

/// Hands a value that is printed to the sink, if there is one. Returns whether it is shown there.
pub(super) fn value(text: &str, value: &dyn Any) -> bool {
    get().is_some_and(|sink| sink.value(super::current().cell(), text, value))
}

/// A piece of work that the sink shows, until an update is finished.
pub(super) struct Piece {
    sink: Arc<dyn Sink>,
    cell: u64,
    number: u64,
}

impl Piece {
    /// None where there is no sink.
    pub(super) fn begin() -> Option<Piece> {
        static PIECES: AtomicU64 = AtomicU64::new(0);
        let sink = get()?;
        Some(Piece { sink, cell: super::current().cell(), number: PIECES.fetch_add(1, Ordering::Relaxed) })
    }

    pub(super) fn show(&self, update: ProgressUpdate) {
        self.sink.progress(self.cell, self.number, update);
    }
}
