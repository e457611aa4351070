//! Closures of a script that the library calls from any of its threads.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;

#[allow(deprecated)] // Rhai marks it as volatile, not as deprecated; its version is pinned by Cargo.lock.
use rhai::NativeCallContextStore;
use rhai::{Dynamic, Engine, FnPtr, Module, NativeCallContext};

use super::background::Parcel;
use super::call::Call;
use super::constants;
use super::errors::{Failure, Fallible, raise};
use super::fingerprint;
use super::host::Host;
use super::script_lock::ScriptLock;
use super::session;
use crate::activity::{interrupt, panics};
use crate::error::{Error, Result};

/// A closure with all that a call of it needs. It works on copies of the variables that it names, as they were when it was given.
pub struct Carried {
    lock: Arc<ScriptLock>,
    inside: ManuallyDrop<Parcel<Inside>>,
}

struct Inside {
    /// The word that was given it.
    word: &'static str,
    closure: FnPtr,
    #[allow(deprecated)]
    call: NativeCallContextStore,
    host: Rc<Host>,
    engine: Rc<Engine>,
}

// SAFETY: what is inside is used and dropped only by the thread that holds the session's script lock, as a parcel is.
unsafe impl Sync for Carried {}

/// An engine for the closures of a session, and what it was made for: imports, and whether the script is bounded.
pub type Callers = (Vec<(String, *const Module)>, bool, Weak<Engine>);

impl Carried {
    /// The closure of a call's arguments, and the hash of its code with what it captured.
    pub fn new(mut closure: FnPtr, call: &Call) -> (String, Carried) {
        let hash = fingerprint::of_closure(&closure, call.native, call.host);
        fix(&mut closure, 0);
        #[allow(deprecated)]
        let stored = {
            let mut stored = call.native.store_data();
            constants::fix(&mut stored.global);
            stored
        };
        let host = call.host.clone();
        let inside = Inside { word: call.name, closure, call: stored, engine: engine_of(&host), host };
        (hash, Carried { lock: call.host.background.lock.clone(), inside: ManuallyDrop::new(Parcel(inside)) })
    }

    /// Runs `work` with the closure, with the script lock. `work` calls it by the [`Call`] that it gets.
    ///
    /// Errors: those of the closure, with their place in the script; Interrupted; a session that has ended.
    pub fn with<R>(&self, work: impl FnOnce(&Call, &FnPtr) -> Fallible<R>) -> Result<R> {
        let wait = || match self.lock.is_closed() {
            true => Err(Error::argument("the session whose closure this is has ended")),
            false => interrupt::check(),
        };
        wait()?;
        self.lock.held_unless(wait, || {
            let Parcel(Inside { word, closure, call, host, engine }) = &*self.inside;
            #[allow(deprecated)]
            let native = NativeCallContext::from_stored_data(engine, call);
            let call = Call { name: word, host, native: &native };
            // A panic below is a fault of ours: the lock is given back, and the work ends with an error.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&call, closure)));
            let outcome = outcome.unwrap_or_else(|panic| Err(raise(panics::fault(&*panic))));
            outcome.map_err(|error| {
                let main = native.call_source().unwrap_or_default();
                Failure::from_rhai(*error, main, &host.sources, &[]).into_error()
            })
        })?
    }

    /// Runs `wait` without the script lock, if this thread holds it.
    pub fn meanwhile(&self, wait: &mut dyn FnMut()) {
        match self.lock.is_held() {
            true => self.lock.released(wait),
            false => wait(),
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        let closed = || match self.lock.is_closed() {
            true => Err(Error::interrupted()),
            false => Ok(()),
        };
        // What an ended session has left stays in memory: no thread may touch it any more.
        let _ = closed().and_then(|()| {
            self.lock.held_unless(closed, || {
                // SAFETY: dropped once, here.
                unsafe { ManuallyDrop::drop(&mut self.inside) }
            })
        });
    }
}

/// Parts inside each other that are followed.
const DEEPEST: usize = 16;

/// Replaces the variables that a closure shares with its script by copies.
fn fix(closure: &mut FnPtr, depth: usize) {
    if depth < DEEPEST {
        closure.iter_curry_mut().for_each(|captured| fix_value(captured, depth + 1));
    }
}

fn fix_value(value: &mut Dynamic, depth: usize) {
    *value = value.flatten_clone();
    if depth >= DEEPEST {
        return;
    }
    if let Some(mut inner) = value.write_lock::<FnPtr>() {
        fix(&mut inner, depth);
    } else if let Some(mut items) = value.write_lock::<rhai::Array>() {
        items.iter_mut().for_each(|item| fix_value(item, depth + 1));
    } else if let Some(mut entries) = value.write_lock::<rhai::Map>() {
        entries.values_mut().for_each(|entry| fix_value(entry, depth + 1));
    }
}

/// The session's engine for such closures, which its closures share.
fn engine_of(host: &Rc<Host>) -> Rc<Engine> {
    let imports: Vec<(String, *const Module)> =
        host.imports.borrow().iter().map(|(name, module)| (name.clone(), &**module as *const Module)).collect();
    let bounded = host.bounds.get().is_some();
    let mut callers = host.callers.borrow_mut();
    if let Some((known, was_bounded, engine)) = &*callers
        && (known, was_bounded) == (&imports, &bounded)
        && let Some(engine) = engine.upgrade()
    {
        return engine;
    }
    let engine = Rc::new(session::engine(host));
    *callers = Some((imports, bounded, Rc::downgrade(&engine)));
    engine
}
