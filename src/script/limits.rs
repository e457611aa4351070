//! Bounds on the memory of a script's values.
//!
//! Rhai's own limits walk through a whole value after every call that may have changed it, so an array that grows item
//! by item takes quadratic time. They are off. Instead, values are walked through at times, such that all walks together
//! take a fifth of a script's time: after a walk of t seconds the next one comes 4t seconds later. Both are seconds in which the
//! script's thread runs, since on a machine that others use too a thread that waits makes no values. A script
//! cannot make values much faster than a walk passes them, so they exceed a limit by a small factor at most before that
//! is noticed, and the time that all walks take stays proportional to the time that the script itself takes. Functions
//! that can make a value of any size in one step are checked by themselves.
//!
//! A value that is nested too deeply overflows the stack where it is printed or dropped. Values grow deeper by being copied
//! into others, which takes longer the deeper they are, or by being taken out and put in (`taking`), or captured by a
//! closure. So between two walks, which are never further apart than [`LONGEST_REST`], no value becomes deeper than the stack is.

use std::cell::Cell;
use std::collections::HashMap;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, EvalContext, FnPtr, FuncRegistration, INT, ImmutableString, Map,
    Position,
};

use super::errors::raise;
use super::{splitting, taking};
use crate::error::Error;
use crate::memory;

/// How large a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Values inside a value: items of arrays, entries of maps and captures of closures, at any depth, and bytes of blobs.
    pub items: usize,
    /// Keys of one map.
    pub keys: usize,
    /// Bytes of a string, and of all strings inside a value.
    pub text: usize,
    /// Bytes of all arrays, maps and closures inside a value, about.
    pub memory: usize,
    /// Bytes of all variables in sight together, about.
    pub together: usize,
}

pub const LIMITS: Limits =
    Limits { items: 20_000_000, keys: 1_000_000, text: 256 << 20, memory: 1 << 30, together: 4 << 30 };

/// Bounds of a session whose scripts are not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Operations of all its scripts and jobs together: statements and expressions, about.
    pub operations: u64,
    /// Bytes of the values in sight of one function or job, together and about. What words make (tensors, tables, pictures) is not counted.
    pub memory: usize,
    /// Background jobs at once.
    pub jobs: usize,
}

impl Bounds {
    /// A few minutes of pure script, values of a quarter of a gigabyte, four jobs.
    pub const UNTRUSTED: Bounds = Bounds { operations: 1_000_000_000, memory: 256 << 20, jobs: 4 };

    /// The limits of one engine of such a session.
    pub fn limits(&self) -> Limits {
        Limits {
            items: LIMITS.items.min(self.memory / OF_ITEM),
            keys: LIMITS.keys,
            text: LIMITS.text.min(self.memory),
            memory: LIMITS.memory.min(self.memory),
            together: LIMITS.together.min(self.memory),
        }
    }
}

/// Arrays, maps and closures inside each other.
pub const DEPTH: usize = 1000;

/// Between two readings of the clock, in accesses to variables. Each can at most double a value.
const ACCESSES_A_READING: u32 = 4;
/// A walk is followed by this many times its duration without one.
const REST: u32 = 4;
/// At least so long there is no walk: time for a megabyte.
const SHORTEST_REST: Duration = Duration::from_micros(100);
/// At most so long, whatever the walk took.
const LONGEST_REST: Duration = Duration::from_millis(250);
/// So often is looked how much memory is left.
const ROOM_EVERY: Duration = Duration::from_millis(5);

/// Bytes of an item in an array; of an array, a map, a map's entry and a closure in addition.
const OF_ITEM: usize = size_of::<Dynamic>();
const OF_ARRAY: usize = 64;
const OF_MAP: usize = 512;
const OF_ENTRY: usize = 48;
const OF_CLOSURE: usize = 160;

pub type Checked<T = ()> = Result<T, Box<EvalAltResult>>;

/// Bounds the values of all scripts that `engine` runs.
pub fn install(engine: &mut Engine, limits: Limits) {
    let watch = Watch {
        limits,
        accesses: Cell::new(0),
        next: Cell::new(None),
        ran: Cell::new(None),
        room: Cell::new(None),
        largest: Cell::new(0),
        closely: memory::address_space().is_some(),
    };
    // (The call is not deprecated but volatile, as rhai says.)
    #[allow(deprecated)]
    engine.on_var(move |_, _, context| watch.look(&context).map(|()| None));
    taking::install(engine, limits);
    splitting::install(engine, limits);
    engine.register_fn("pad", move |array: &mut Array, len: INT, item: Dynamic| limits.pad_array(array, len, item));
    engine.register_fn("pad", move |blob: &mut Blob, len: INT, value: INT| limits.pad_blob(blob, len, value));
    engine.register_fn("pad", move |text: &mut ImmutableString, len: INT, with: char| {
        limits.pad_text(text, len, with.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("pad", move |text: &mut ImmutableString, len: INT, with: ImmutableString| {
        limits.pad_text(text, len, &with)
    });
    engine.register_fn("blob", move |len: INT| limits.blob(len, 0));
    engine.register_fn("blob", move |len: INT, value: INT| limits.blob(len, value));
    engine
        .register_fn("replace", move |text: &mut ImmutableString, old: &str, new: &str| limits.replace(text, old, new));
    engine.register_fn("replace", move |text: &mut ImmutableString, old: &str, new: char| {
        limits.replace(text, old, new.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("replace", move |text: &mut ImmutableString, old: char, new: &str| {
        limits.replace(text, old.encode_utf8(&mut [0; 4]), new)
    });
    engine.register_fn("replace", move |text: &mut ImmutableString, old: char, new: char| {
        limits.replace(text, old.encode_utf8(&mut [0; 4]), new.encode_utf8(&mut [0; 4]))
    });
    FuncRegistration::new("to_json").with_purity(true).register_into_engine(engine, to_json);
}

/// Rhai writes a closure with everything that it captured, possibly itself.
fn to_json(map: &mut Map) -> Checked<String> {
    fn has_closure(value: &Dynamic) -> bool {
        if let Ok(array) = value.as_array_ref() {
            array.iter().any(has_closure)
        } else if let Ok(map) = value.as_map_ref() {
            map.values().any(has_closure)
        } else {
            value.is_fnptr()
        }
    }
    match map.values().any(has_closure) {
        true => Err(raise(Error::argument("to_json: a function cannot be written as JSON"))),
        false => Ok(rhai::format_map_as_json(map)),
    }
}

/// How long this thread has run. None where the system does not say it.
fn time_of_thread() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the argument is a valid place for the answer.
    let known = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) } == 0;
    known.then(|| Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32))
}

/// When to walk through the variables again.
struct Watch {
    limits: Limits,
    accesses: Cell<u32>,
    next: Cell<Option<Instant>>,
    /// The thread of the last walk, and how long it must have run before the next one.
    ran: Cell<Option<(ThreadId, Duration)>>,
    /// When to look again how much memory is left.
    room: Cell<Option<Instant>>,
    /// Bytes of the largest variable at the last walk.
    largest: Cell<usize>,
    /// The process has less memory than the machine: every access is looked at.
    closely: bool,
}

impl Watch {
    /// Called at every access to a variable: walks through all variables in sight, if it is time.
    fn look(&self, context: &EvalContext) -> Checked {
        let accesses = self.accesses.get().wrapping_add(1);
        self.accesses.set(accesses);
        if !self.closely && !accesses.is_multiple_of(ACCESSES_A_READING) {
            return Ok(());
        }
        let start = Instant::now();
        if self.next.get().is_none_or(|next| start >= next) {
            let (thread, before) = (std::thread::current().id(), time_of_thread());
            // The closures of a session that the library calls share an engine, and so this, on several threads.
            let same = self.ran.get().filter(|(of, _)| *of == thread);
            let missing = same.zip(before).map_or(Duration::ZERO, |((_, ran), before)| ran.saturating_sub(before));
            let rest = match missing.is_zero() {
                false => missing,
                true => {
                    let variables = context.scope().iter_raw().map(|(_, _, value)| value);
                    self.largest.set(self.limits.check_all(variables.chain(context.this_ptr()))?);
                    let after = time_of_thread();
                    let took = after
                        .zip(before)
                        .map_or_else(|| start.elapsed(), |(after, before)| after.saturating_sub(before));
                    let rest = (REST * took).clamp(SHORTEST_REST, LONGEST_REST);
                    self.ran.set(after.map(|after| (thread, after + rest)));
                    rest
                }
            };
            self.next.set(Some(Instant::now() + rest));
        }
        if self.room.get().is_none_or(|next| start >= next) {
            // The next step may copy the largest value and double it.
            let needed = memory::LEAST.saturating_add((self.largest.get() as u64).saturating_mul(3));
            if memory::left() < needed {
                return Err(raise(memory::running_out(needed)));
            }
            let rest = if self.closely { SHORTEST_REST } else { ROOM_EVERY };
            self.room.set(Some(start + rest));
        }
        Ok(())
    }
}

/// The size of a value, as far as it was added up.
struct Size {
    limits: Limits,
    items: usize,
    text: usize,
    memory: usize,
    /// How deep the variables are that closures captured, by their places in memory; 0 while one is looked at.
    captured: HashMap<usize, usize>,
}

impl Size {
    /// Adds `value`, `times` times, which is `depth` arrays, maps or closures deep. Gives how many are inside each other in
    /// it. Errors: that exceeds a limit.
    fn add(&mut self, value: &Dynamic, times: usize, depth: usize) -> Checked<usize> {
        #[cfg(test)]
        tests::WALKED.set(tests::WALKED.get() + 1);
        if depth > DEPTH {
            return Err(too_large("Depth of a value", DEPTH));
        }
        if value.is_shared() {
            return self.captured(value, times, depth);
        }
        if value.is_array() {
            let Ok(array) = value.as_array_ref() else { return Ok(0) };
            self.items(array.len(), OF_ARRAY + OF_ITEM * array.capacity(), times)?;
            self.inside(array.iter(), times, depth)
        } else if value.is_map() {
            let Ok(map) = value.as_map_ref() else { return Ok(0) };
            if map.len() > self.limits.keys {
                return Err(too_large("Size of object map", self.limits.keys));
            }
            self.items(map.len(), OF_MAP + OF_ENTRY * map.len(), times)?;
            self.inside(map.values(), times, depth)
        } else if value.is_string() {
            let bytes = value.as_immutable_string_ref().map_or(0, |text| text.len());
            self.text = self.text.saturating_add(bytes.saturating_mul(times));
            if self.text > self.limits.text { Err(too_large("Length of string", self.limits.text)) } else { Ok(0) }
        } else if value.is_blob() {
            let bytes = value.as_blob_ref().map_or(0, |blob| blob.len());
            self.items(bytes, bytes, times).map(|()| 0)
        } else if value.is_fnptr() {
            let Some(closure) = value.read_lock::<FnPtr>() else { return Ok(0) };
            let captures = closure.iter_curry().count();
            self.items(captures, OF_CLOSURE + OF_ITEM * captures, times)?;
            self.inside(closure.iter_curry(), times, depth)
        } else {
            Ok(0)
        }
    }

    fn inside<'v>(&mut self, items: impl Iterator<Item = &'v Dynamic>, times: usize, depth: usize) -> Checked<usize> {
        let mut deepest = 0;
        for item in items {
            deepest = deepest.max(self.add(item, times, depth + 1)?);
        }
        Ok(deepest + 1)
    }

    /// Adds a variable that closures share: once, however many captured it, and also if it contains itself.
    fn captured(&mut self, value: &Dynamic, times: usize, depth: usize) -> Checked<usize> {
        // One that is being changed at the moment is looked at another time.
        let Some(inner) = value.read_lock::<Dynamic>() else { return Ok(0) };
        let place = std::ptr::from_ref::<Dynamic>(&inner) as usize;
        if let Some(known) = self.captured.get(&place) {
            return if depth + known > DEPTH { Err(too_large("Depth of a value", DEPTH)) } else { Ok(*known) };
        }
        let _ = self.captured.insert(place, 0);
        let deep = self.add(&inner, times, depth)?;
        let _ = self.captured.insert(place, deep);
        Ok(deep)
    }

    fn items(&mut self, n: usize, bytes: usize, times: usize) -> Checked {
        self.items = self.items.saturating_add(n.saturating_mul(times));
        self.memory = self.memory.saturating_add(bytes.saturating_mul(times));
        if self.items > self.limits.items {
            return Err(too_large("Size of array/BLOB", self.limits.items));
        }
        if self.memory > self.limits.memory { Err(too_large("Memory of a value", self.limits.memory)) } else { Ok(()) }
    }

    fn bytes(&self) -> usize {
        self.text.saturating_add(self.memory)
    }
}

/// The error of a value that exceeds a limit, which is explained in `explain`.
fn too_large(what: &str, limit: usize) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(format!("{what}|{limit}"), Position::NONE).into()
}

/// Errors: so many more bytes are not left.
pub fn room_for(bytes: usize) -> Checked {
    memory::check("the value", bytes as u64).map_err(raise)
}

impl Limits {
    fn size(self) -> Size {
        Size { limits: self, items: 0, text: 0, memory: 0, captured: HashMap::new() }
    }

    /// Errors: an array may not have so many items.
    pub fn check_length(self, items: usize) -> Checked {
        if items > self.items { Err(too_large("Size of array/BLOB", self.items)) } else { Ok(()) }
    }

    /// Errors: the value exceeds a limit.
    pub fn check(self, value: &Dynamic) -> Checked {
        self.size().add(value, 1, 0).map(drop)
    }

    /// Checks all variables in sight, and gives the bytes of the largest.
    fn check_all<'v>(self, values: impl Iterator<Item = &'v Dynamic>) -> Checked<usize> {
        let (mut size, mut largest, mut together) = (self.size(), 0, 0_usize);
        for value in values {
            let _ = size.add(value, 1, 0)?;
            let bytes = size.bytes();
            largest = largest.max(bytes);
            together = together.saturating_add(bytes);
            if together > self.together {
                return Err(too_large("Memory of all values", self.together));
            }
            (size.items, size.text, size.memory) = (0, 0, 0);
        }
        Ok(largest)
    }

    /// As Rhai's own `pad`: the array has at least `len` items, the added ones are `item`.
    fn pad_array(self, array: &mut Array, len: INT, item: Dynamic) -> Checked {
        let Some(len) = usize::try_from(len).ok().filter(|len| *len > array.len()) else { return Ok(()) };
        let mut size = self.size();
        size.items(len, OF_ITEM.saturating_mul(len), 1)?;
        let _ = size.add(&item, len - array.len(), 0)?;
        room_for(size.bytes().saturating_mul(2))?;
        array.resize(len, item);
        Ok(())
    }

    fn pad_blob(self, blob: &mut Blob, len: INT, value: INT) -> Checked {
        let Some(len) = usize::try_from(len).ok().filter(|len| *len > blob.len()) else { return Ok(()) };
        self.size().items(len, len, 1)?;
        room_for(len.saturating_mul(2))?;
        blob.resize(len, (value & 0xff) as u8);
        Ok(())
    }

    /// As Rhai's own `pad`: the text has at least `len` characters, filled up with `with`, whose last repetition is cut.
    fn pad_text(self, text: &mut ImmutableString, len: INT, with: &str) -> Checked {
        let there = text.chars().count();
        let Some(missing) = usize::try_from(len).ok().and_then(|len| len.checked_sub(there)).filter(|n| *n > 0) else {
            return Ok(());
        };
        // (A character has 4 bytes at most.)
        if missing > self.text || text.len() + missing.saturating_mul(with.len().min(4)) > self.text.saturating_mul(4) {
            return Err(too_large("Length of string", self.text));
        }
        let characters = with.chars().count();
        let Some(times) = missing.checked_div(characters) else { return Ok(()) };
        let rest: String = with.chars().take(missing % characters).collect();
        let length = text.len().saturating_add(times.saturating_mul(with.len())).saturating_add(rest.len());
        room_for(length.saturating_mul(2))?;
        // Of that length at once: a text that grows doubles its room, and the old and the new are there together.
        let mut padded = String::with_capacity(length);
        padded.push_str(text);
        (0..times).for_each(|_| padded.push_str(with));
        padded.push_str(&rest);
        *text = padded.into();
        if text.len() > self.text { Err(too_large("Length of string", self.text)) } else { Ok(()) }
    }

    /// As Rhai's own `replace`: every `old` becomes `new`.
    fn replace(self, text: &mut ImmutableString, old: &str, new: &str) -> Checked {
        let found = text.matches(old).count();
        let length = (text.len() - found * old.len()).saturating_add(found.saturating_mul(new.len()));
        if length > self.text {
            return Err(too_large("Length of string", self.text));
        }
        room_for(length.saturating_mul(2))?;
        *text = text.replace(old, new).into();
        Ok(())
    }

    fn blob(self, len: INT, value: INT) -> Checked<Blob> {
        let len = usize::try_from(len).unwrap_or(0);
        self.size().items(len, len, 1)?;
        room_for(len.saturating_mul(2))?;
        Ok(vec![(value & 0xff) as u8; len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        /// Values that this thread has passed in walks.
        pub static WALKED: Cell<u64> = const { Cell::new(0) };
    }

    /// Smaller limits than a session's, so that the tests need little memory.
    const SMALL: Limits = Limits { items: 200_000, keys: 10_000, text: 2 << 20, memory: 10 << 20, together: 30 << 20 };

    fn engine(limits: Limits) -> Engine {
        let mut engine = crate::script::hashing::engine();
        install(&mut engine, limits);
        engine
    }

    fn refused(script: &str) -> String {
        // (An error in a function is wrapped in the call.)
        match engine(SMALL).run(script).unwrap_err().unwrap_inner() {
            EvalAltResult::ErrorDataTooLarge(what, _) => what.split('|').next().unwrap().to_string(),
            other => panic!("{script}: {other}"),
        }
    }

    #[test]
    fn growth_without_an_end_is_stopped_wherever_it_happens() {
        assert_eq!(refused(r#"let a = "0123456789"; loop { a += a; }"#), "Length of string");
        for script in [
            "let a = [0]; loop { a += a; }",
            "let a = [0]; loop { a = a + a; }",
            "let a = [0]; loop { a.append(a); }",
            "let a = []; loop { a.push(0); }",
            "let m = #{ a: [0] }; loop { m.a += m.a; }",
            "let a = [0]; let f = || { loop { a += a; } }; f.call();",
            "fn double(a) { loop { a += a; } } double([0]);",
            "let b = blob(9); loop { b += b; }",
        ] {
            assert_eq!(refused(script), "Size of array/BLOB", "{script}");
        }
        assert!(["Size of array/BLOB", "Memory of a value"].contains(&&*refused("let a = [0]; loop { a = [a, a]; }")));
        assert_eq!(refused("let a = []; loop { a = [a]; }"), "Depth of a value");
        assert_eq!(refused("let m = #{ a: 0 }; loop { m = #{ a: m, b: m }; }"), "Memory of a value");
        assert_eq!(refused("let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }"), "Size of object map");
    }

    #[test]
    fn one_step_makes_no_value_of_any_size() {
        for script in [
            "let a = []; a.pad(1000000000000, 0);",
            "let b = []; b.pad(1000, 0); let a = []; a.pad(10000, b);",
            "blob(1000000000000)",
            "blob(1000000000000, 7)",
            "let b = blob(1); b.pad(1000000000000, 7);",
        ] {
            assert_eq!(refused(script), "Size of array/BLOB", "{script}");
        }
        for script in [
            r#"let s = ""; s.pad(1000000000000, '$');"#,
            r#"let s = ""; s.pad(1000000000000, "ab");"#,
            r#"let s = ""; s.pad(1000, 'x'); let a = []; a.pad(10000, s);"#,
        ] {
            assert_eq!(refused(script), "Length of string", "{script}");
        }
    }

    #[test]
    fn padding_is_as_in_rhai() {
        for script in [
            "let a = [1]; a.pad(3, [2]); a.pad(2, 9); a.pad(-1, 9); a.to_string()",
            "let b = blob(2, 258); b.pad(4, 7); b.pad(1, 3); b.to_string()",
            "blob(3).to_string()",
            "blob(-3).to_string()",
            r#"let s = "äb"; s.pad(4, 'ö'); s.pad(1, 'x'); s"#,
            r#"let s = "äb"; s.pad(7, "xyz"); s.pad(-5, "q"); s"#,
            r#"let s = "abcabc"; s.replace("bc", "x"); s.replace("x", ""); s.replace("", "-"); s.replace("q", "r"); s"#,
            r#"let s = "abcabc"; s.replace('b', 'ü'); s.replace('c', "yz"); s.replace("ü", 'b'); s"#,
        ] {
            let rhais = crate::script::hashing::engine().eval::<String>(script).unwrap();
            assert_eq!(engine(LIMITS).eval::<String>(script).unwrap(), rhais, "{script}");
        }
        // Rhai's own does not end here.
        assert_eq!(engine(LIMITS).eval::<String>(r#"let s = "a"; s.pad(4, ""); s"#).unwrap(), "a");
    }

    /// A fifth of the time is a few values for each statement, however many there are. A walk at each access, or at each
    /// hundredth, would pass half of all values then.
    #[test]
    fn walks_pass_a_few_values_for_each_that_is_made() {
        for script in [
            "let a = []; for i in 0..N { a.push(i); }",
            "let a = []; for i in 0..N { a += i; }",
            "let a = []; for i in 0..N { a.push([i, i]); }",
            "let m = #{}; for i in 0..N { m[`k${i}`] = i; }",
            "let m = #{ a: [] }; for i in 0..N { m.a.push(i); }",
            "let a = []; a.pad(N, 1); let c = a; let b = a.map(|x| x + c.len());",
            "let a = []; let f = |x| a.push(x); for i in 0..N { f.call(i); }",
            "let a = []; a.pad(N, 1); let s = 0; for x in a { s += x; }",
            "let a = []; a.pad(N, 1); while a.len() > 0 { a.pop(); }",
        ] {
            let engine = engine(LIMITS);
            for n in [20_000, 200_000] {
                let before = WALKED.get();
                engine.run(&script.replace('N', &n.to_string())).unwrap();
                let each = (WALKED.get() - before) / n;
                assert!(each < 500, "{script}: {each} for each of {n}");
            }
        }
    }

    #[test]
    fn rhais_own_walks_are_off() {
        let session = crate::primitives::session();
        let engine = &session.engine;
        assert_eq!([engine.max_array_size(), engine.max_map_size(), engine.max_string_size()], [0; 3]);
    }

    #[test]
    fn a_table_of_many_rows_may_be_built() {
        let rows = "let rows = []; for i in 0..300000 { rows.push(#{ image: `a${i}`, a: 1, b: 2, c: 3 }); } rows.len()";
        assert_eq!(engine(LIMITS).eval::<INT>(rows).unwrap(), 300_000);
    }
}
