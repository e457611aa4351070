//! A panic as an error: its message and its place in the sources.
//!
//! A panic is a fault of this program. Where the session can go on it is caught and reported, also one that another thread
//! passes on. What is caught does not have its place, which only the hook sees.

use std::any::Any;
use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::error::Error;

/// Messages and places of the latest panics, newest last.
static LATEST: Mutex<VecDeque<(String, String)>> = Mutex::new(VecDeque::new());
/// As many as threads can panic at once before one is reported, about.
const KEPT: usize = 64;

/// From now on panics are remembered and print nothing.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or(String::new(), |at| format!("{}:{}", at.file(), at.line()));
        let mut latest = LATEST.lock();
        if latest.len() == KEPT {
            let _ = latest.pop_front();
        }
        latest.push_back((text(info.payload()), place));
    }));
}

/// The error that a user reads for a caught panic.
pub fn fault(panic: &(dyn Any + Send)) -> Error {
    let text = text(panic);
    let place = LATEST.lock().iter().rev().find(|(known, _)| *known == text).map(|(_, place)| place.clone());
    let first = text.lines().next().unwrap_or("unknown");
    let at = place.filter(|place| !place.is_empty()).map_or(String::new(), |place| format!(" (at {place})"));
    Error::internal(format!("a fault inside cpsd: {first}{at}"))
        .with_help("please report it with the line that led here")
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".into())
}
