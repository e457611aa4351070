//! A panic as an error: its message and its place in the sources.
//!
//! A panic is a fault of this program. Where the session can go on it is caught and reported, also one that another thread
//! passes on. What is caught does not have its place, which only the hook sees.
//!
//! One is no fault: where libtorch refuses an operation that takes a number, tch panics in place of giving the error. It frees the number
//! before it has looked whether the call failed, and takes the failure for one of freeing.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use parking_lot::Mutex;
use tch::TchError;

use crate::error::{Error, Result};

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

/// Runs work of libtorch; its refusal is an error also where tch panics.
pub fn refusals<T>(work: impl FnOnce() -> Result<T, TchError>) -> Result<T, TchError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| match refusal(&*panic) {
        Some(error) => Err(error),
        None => resume_unwind(panic),
    })
}

/// The error of libtorch that a panic of tch holds.
fn refusal(panic: &(dyn Any + Send)) -> Option<TchError> {
    let text = text(panic);
    let quoted = text.strip_prefix("called `Result::unwrap()` on an `Err` value: Torch(\"")?.strip_suffix("\")")?;
    let (mut message, mut characters) = (String::new(), quoted.chars());
    while let Some(c) = characters.next() {
        match if c == '\\' { characters.next() } else { None } {
            None => message.push(c),
            Some('n') => message.push('\n'),
            Some('t') => message.push('\t'),
            Some(other) => message.push(other),
        }
    }
    Some(TchError::Torch(message))
}

/// The error that a user reads for a caught panic.
pub fn fault(panic: &(dyn Any + Send)) -> Error {
    if let Some(error) = refusal(panic) {
        return error.into();
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn what_libtorch_refuses_is_an_error_where_tch_panics() {
        let none = Tensor::zeros([3, 0], (Kind::Float, Device::Cpu));
        let norm = || none.f_norm_scalaropt_dim(f64::INFINITY, [1i64], false);
        let panic = catch_unwind(AssertUnwindSafe(norm)).expect_err("tch has been mended: refusals is not needed");
        let error = fault(&*panic);
        assert_eq!(error.kind, ErrorKind::Tensor);
        assert!(error.message.contains("norm") && !error.message.contains('\n'), "{}", error.message);
        assert_eq!(Error::from(refusals(norm).unwrap_err()).message, error.message);
        assert_eq!(refusals(|| none.f_norm_scalaropt_dim(2.0, [1i64], false)).unwrap().size(), [3]);
        let own = catch_unwind(|| -> () { panic!("Torch(\"no\")") }).unwrap_err();
        assert_eq!(fault(&*own).kind, ErrorKind::Internal);
    }
}
