//! Lines for people: on standard output and standard error, above live progress lines and the line being typed.

use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use colored::Colorize;
use indicatif::{MultiProgress, ProgressDrawTarget};
use parking_lot::Mutex;

use super::message::Message;
use super::sink::{self, Stream};
use super::visible::visible;
use super::width;

static QUIET: AtomicBool = AtomicBool::new(false);
static RELAYING: AtomicBool = AtomicBool::new(false);
static DATED: AtomicBool = AtomicBool::new(false);
static LIVE: Mutex<Option<MultiProgress>> = Mutex::new(None);
static PRINTER: Mutex<Option<Printer>> = Mutex::new(None);
static ASKER: Mutex<Option<Asker>> = Mutex::new(None);
static OUTPUT_LOST: AtomicBool = AtomicBool::new(false);
thread_local! {
    static MUTED: Cell<bool> = const { Cell::new(false) };
    static SHOWN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Turns off progress and log lines (tests, `--quiet`).
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether progress and log lines are off.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Runs `work` without the log lines of this thread and the output of its scripts: for what is said at another time.
pub fn muted<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            MUTED.set(self.0);
        }
    }
    let _before = Before(MUTED.replace(true));
    work()
}

/// Makes this process a worker: progress and log lines become messages to its parent.
pub fn relay() {
    RELAYING.store(true, Ordering::Relaxed);
}

/// Begins every line of progress and logs with date and time: for a file that somebody reads the day after. Progress lines come every
/// half minute then.
pub fn date_lines() {
    DATED.store(true, Ordering::Relaxed);
}

pub(super) fn is_dated() -> bool {
    DATED.load(Ordering::Relaxed)
}

/// `2026-11-27 10:31:02`, by the clock of this place.
fn now() -> String {
    // SAFETY: both structures are plain data, which the functions fill.
    let t = unsafe {
        let seconds = libc::time(std::ptr::null_mut());
        let mut parts: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut parts);
        parts
    };
    let (year, month) = (t.tm_year + 1900, t.tm_mon + 1);
    format!("{year}-{month:02}-{:02} {:02}:{:02}:{:02}", t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec)
}

/// Whether this is a worker process, whose lines its parent prints.
pub(crate) fn is_relaying() -> bool {
    RELAYING.load(Ordering::Relaxed)
}

/// Calls `with` with the live progress lines of standard error.
pub(super) fn live_lines<R>(with: impl FnOnce(&MultiProgress) -> R) -> R {
    let mut lines = LIVE.lock();
    with(lines.get_or_insert_with(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8))))
}

/// Prints a line on standard error, above live progress lines and the line being typed. The lines of a background
/// activity begin with its name. In a notebook it is plain text, but a warning is marked as one.
pub fn log(line: &str) {
    if is_heard() {
        tell(line, if line.starts_with("warning: ") { Stream::Error } else { Stream::Note });
    }
}

/// Whether [`log`] writes the lines of this thread.
pub fn is_heard() -> bool {
    !is_quiet() && !MUTED.get()
}

/// As [`log`], but marked in a notebook as errors are: `debug` of a script.
pub fn debug(line: &str) {
    if is_heard() {
        tell(line, Stream::Error);
    }
}

/// As [`log`], with `--quiet` too: for what must not happen in silence.
pub fn warn(line: &str) {
    tell(line, Stream::Error);
}

fn tell(line: &str, stream: Stream) {
    if is_relaying() {
        return Message::Log(line.to_string()).send();
    }
    if is_dated() {
        return above(&sentence(&format!("{} {}", now(), line.trim_end())), stream);
    }
    match super::current().as_background() {
        Some(background) => above(&sentence(&format!("{} {line}", background.name.dimmed())), stream),
        None => above(&sentence(line), stream),
    }
}

/// Shows the value that a script is about to print alone where values are shown, as below a cell of a notebook; [`print`] passes its text over
/// then. What a background activity prints stays text, with its name.
pub fn show_printed(text: &str, value: &dyn Any) {
    let shown = !MUTED.get() && super::current().as_background().is_none() && sink::value(text, value);
    SHOWN.set(shown.then(|| text.to_string()));
}

/// Prints a script's output on standard output, above the line being typed and then with the name of a background
/// activity.
pub fn print(text: &str) {
    let shown = SHOWN.take().is_some_and(|shown| shown == text);
    if shown || MUTED.get() {
        return;
    }
    match super::current().as_background() {
        Some(background) if PRINTER.lock().is_some() || sink::is_set() => {
            above(&format!("{} {text}", background.name.dimmed()), Stream::Output)
        }
        _ => above(text, Stream::Output),
    }
}

/// The text as it is written: on a terminal without control characters.
fn safe(text: &str, stream: Stream) -> Cow<'_, str> {
    let terminal = match stream {
        Stream::Output => std::io::stdout().is_terminal(),
        Stream::Note | Stream::Error => std::io::stderr().is_terminal(),
    };
    if terminal { visible(text) } else { Cow::Borrowed(text) }
}

/// Prints a line above the line being typed.
pub type Printer = Box<dyn FnMut(&str) + Send>;

/// Sets the printer while a line is being typed, and `None` afterwards.
pub fn set_printer(printer: Option<Printer>) {
    *PRINTER.lock() = printer;
}

/// Whether a line is being typed.
pub(super) fn is_typing() -> bool {
    PRINTER.lock().is_some()
}

/// Writes lines to the sink. Returns whether there is one.
fn sunk(line: &str, stream: Stream) -> bool {
    let sink = sink::get();
    if let Some(sink) = &sink {
        sink.write(super::current().cell(), stream, &format!("{}\n", visible(line)));
    }
    sink.is_some()
}

/// A line of the program itself as standard error shows it: on a terminal folded to its columns.
fn sentence(line: &str) -> String {
    width::of_errors().map_or_else(|| line.to_string(), |columns| width::folded(line, columns, 2))
}

fn above(line: &str, stream: Stream) {
    if sunk(line, stream) {
        return;
    }
    let line = &*safe(line, stream);
    let write = || match stream {
        Stream::Output => write_out(line.as_bytes(), true),
        Stream::Note | Stream::Error => {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    };
    if let Some(printer) = PRINTER.lock().as_mut() {
        return printer(line);
    }
    match LIVE.lock().as_ref() {
        Some(lines) => lines.suspend(write),
        None => write(),
    }
}

/// Puts a question to the person at the prompt and returns whether the answer is yes.
pub type Asker = Box<dyn Fn(&str) -> bool + Send>;

/// Sets who is asked. Scripts have nobody.
pub fn set_asker(asker: Option<Asker>) {
    *ASKER.lock() = asker;
}

/// Whether [`confirm`] would ask: not in scripts, and not behind the prompt.
pub fn can_ask() -> bool {
    super::current().as_background().is_none() && !is_relaying() && ASKER.lock().is_some()
}

/// The answer to a yes-or-no question, or none where nobody can be asked.
pub fn confirm(question: &str) -> Option<bool> {
    if !can_ask() {
        return None;
    }
    let lines = LIVE.lock().clone();
    let ask = || ASKER.lock().as_ref().map(|ask| ask(question));
    match lines {
        Some(lines) => lines.suspend(ask),
        None => ask(),
    }
}

/// Prints a line on standard output.
pub fn print_line(text: &str) {
    if sunk(text, Stream::Output) {
        return;
    }
    write_out(safe(text, Stream::Output).as_bytes(), true);
}

/// Writes bytes to standard output as they are.
pub fn print_bytes(bytes: &[u8]) {
    write_out(bytes, false);
}

/// Writes to standard output, to its end. Nobody reads a closed pipe any more (`cpsd doc | head`), which is no error. Output that is
/// lost otherwise, as on a full disk, is said once, and [`lost_output`] tells it: work goes on, as a training is worth more than its lines.
fn write_out(bytes: &[u8], line: bool) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| if line { out.write_all(b"\n") } else { Ok(()) });
    let outcome = written.and_then(|()| out.flush());
    drop(out);
    note_output(&outcome);
}

/// Notes how other code's writing to standard output ended, as this module does for its own.
pub fn note_output(outcome: &std::io::Result<()>) {
    if let Err(error) = outcome
        && error.kind() != std::io::ErrorKind::BrokenPipe
        && !OUTPUT_LOST.swap(true, Ordering::Relaxed)
    {
        let _ = writeln!(std::io::stderr(), "cpsd: standard output cannot be written: {error}");
    }
}

/// Whether something that was printed on standard output has not come there. A pipe that nobody reads does not count.
pub fn lost_output() -> bool {
    OUTPUT_LOST.load(Ordering::Relaxed)
}

/// `println!` by [`print_line`].
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::activity::console::print_line(&format!($($text)*)) };
}

/// `eprintln!` by [`print_error`].
#[macro_export]
macro_rules! say_error {
    ($($text:tt)*) => { $crate::activity::console::print_error(&format!($($text)*)) };
}

/// Prints a line on standard error, whatever `--quiet` says: for failures.
pub fn print_error(text: &str) {
    if sunk(text, Stream::Error) {
        return;
    }
    let _ = writeln!(std::io::stderr(), "{}", safe(text, Stream::Error));
}
