//! Signals: the first asks to stop, a second one ends the process at once.
//!
//! SIGINT, SIGTERM and SIGUSR1 raise the foreground's flag, which all long work polls. What does not poll (a function in
//! TorchScript, a large step of a training, a read that hangs) is ended by a second SIGINT or SIGTERM within two seconds of
//! the first, or at any time once the user was told that it takes longer.

use std::io::Read;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Once, OnceLock};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use super::{console, foreground};

/// A second signal within this time ends the process, in milliseconds.
const WITHIN: u64 = 2000;
/// Signals closer together are one request: `timeout` and job schedulers signal a process and then its group.
const TOGETHER: u64 = 100;
/// After this time without an end the user is told what a second one does.
const MOMENT: Duration = Duration::from_millis(1000);
/// The exit code of an interrupted process.
const INTERRUPTED: i32 = 130;
/// What rustyline and progress lines leave behind: pasted text is no longer marked, the cursor is shown.
const RESTORED: &[u8] = b"\x1b[?2004l\x1b[?25h\x1b[0m\r\n";

/// When the request to stop came, in milliseconds of the monotonic clock; 0 for none that is still to be obeyed.
static ASKED: AtomicU64 = AtomicU64::new(0);
/// The request of which the user was told that another signal ends the process.
static TOLD: AtomicU64 = AtomicU64::new(0);
/// The end of a pipe that wakes the thread which tells.
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// The signal that asked first; 0 for none that is still to be obeyed.
static FIRST: AtomicI32 = AtomicI32::new(0);
/// See [`ends`].
static ENDS: AtomicU64 = AtomicU64::new(0);
/// See [`lend_terminal`].
static LENT: AtomicBool = AtomicBool::new(false);
/// The terminal's settings when the process began.
static TERMINAL: OnceLock<libc::termios> = OnceLock::new();

/// The variable by which a script hands on a SIGUSR1 that came before this process had begun.
const WARNED: &str = "CPSD_WARNED";

/// [`install`], for a task of a queue: a warning that came earlier is heard now, and signals that were held until somebody hears them
/// come through.
pub fn install_in_task() {
    install();
    // SAFETY: plain data, filled before it is read; raise and pthread_sigmask do no more than the system calls of their names.
    unsafe {
        if std::env::var_os(WARNED).is_some_and(|warned| !warned.is_empty()) {
            libc::raise(SIGUSR1);
        }
        let mut held: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut held);
        for signal in [SIGTERM, SIGUSR1] {
            libc::sigaddset(&mut held, signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &held, std::ptr::null_mut());
    }
}

/// Handles SIGINT, SIGTERM and SIGUSR1 from now on. Called before other threads begin; once is enough.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(install_now);
}

fn install_now() {
    // The handler must find it made.
    let _ = foreground();
    remember_terminal();
    tell_from_a_thread();
    for signal in [SIGINT, SIGTERM] {
        let handler = move || {
            if signal == SIGINT && LENT.load(Ordering::SeqCst) {
                return;
            }
            came(signal);
            arrived();
        };
        // SAFETY: `came` and `arrived` use atomics, the clock, write, tcsetattr and _exit only.
        let _ = unsafe { signal_hook::low_level::register(signal, handler) };
    }
    let warned = || {
        came(SIGUSR1);
        foreground().stop();
    };
    // SAFETY: atomics only.
    let _ = unsafe { signal_hook::low_level::register(SIGUSR1, warned) };
}

/// Handles SIGHUP as SIGTERM from now on, unless who began this process has it ignored (`nohup`).
pub fn hear_hang_ups() {
    // SAFETY: sigaction is plain data, which the call fills; nothing is changed.
    let is_ignored = unsafe {
        let mut known: libc::sigaction = std::mem::zeroed();
        libc::sigaction(SIGHUP, std::ptr::null(), &mut known) == 0 && known.sa_sigaction == libc::SIG_IGN
    };
    if is_ignored {
        return;
    }
    let handler = || {
        came(SIGHUP);
        arrived();
    };
    // SAFETY: `came` and `arrived` use atomics, the clock, write, tcsetattr and _exit only.
    let _ = unsafe { signal_hook::low_level::register(SIGHUP, handler) };
}

/// Runs `work`, in which another program has the terminal, as a pager. Ctrl-C is for that program: this process goes on.
pub fn lend_terminal<R>(work: impl FnOnce() -> R) -> R {
    /// Takes the terminal back, after a panic too.
    struct Lent;
    impl Drop for Lent {
        fn drop(&mut self) {
            LENT.store(false, Ordering::SeqCst);
        }
    }
    let _lent = Lent;
    LENT.store(true, Ordering::SeqCst);
    work()
}

/// How a process is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By SIGUSR1: a queue's time limit is near.
    Warned,
    /// By SIGTERM or SIGINT.
    ToEnd,
}

/// How the process was first asked to stop, if it was, since that was last obeyed.
pub fn first() -> Option<Asked> {
    match FIRST.load(Ordering::SeqCst) {
        0 => None,
        SIGUSR1 => Some(Asked::Warned),
        _ => Some(Asked::ToEnd),
    }
}

/// How often SIGTERM and SIGINT came.
pub fn ends() -> u64 {
    ENDS.load(Ordering::SeqCst)
}

fn came(signal: i32) {
    let _ = FIRST.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
    if signal != SIGUSR1 {
        ENDS.fetch_add(1, Ordering::SeqCst);
    }
}

/// Forgets a request, which was obeyed. A later signal is a first one again.
pub(super) fn forget() {
    ASKED.store(0, Ordering::SeqCst);
    FIRST.store(0, Ordering::SeqCst);
}

/// The handler.
fn arrived() {
    let now = milliseconds();
    let before = ASKED.load(Ordering::SeqCst);
    let since = now.saturating_sub(before);
    if before != 0 && since < TOGETHER {
        return;
    }
    if before != 0 && (since <= WITHIN || TOLD.load(Ordering::SeqCst) == before) {
        leave();
    }
    ASKED.store(now, Ordering::SeqCst);
    foreground().stop();
    let wake = WAKE.load(Ordering::SeqCst);
    if wake >= 0 {
        // SAFETY: write is async-signal-safe. The pipe is never full: signals close together are one.
        unsafe { libc::write(wake, [1u8].as_ptr().cast(), 1) };
    }
}

/// Ends the process, with the terminal as it was. Async-signal-safe.
fn leave() -> ! {
    restore_terminal();
    // SAFETY: a system call.
    unsafe { libc::_exit(INTERRUPTED) }
}

/// Gives the terminal back the settings that it had when the process began, before the process ends in the middle of something. A signal's
/// handler may call it.
pub fn restore_terminal() {
    // SAFETY: these are system calls on descriptors and plain data.
    unsafe {
        if let Some(settings) = TERMINAL.get()
            && libc::tcgetpgrp(libc::STDIN_FILENO) == libc::getpgrp()
        {
            libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, settings);
            if libc::isatty(libc::STDERR_FILENO) == 1 {
                libc::write(libc::STDERR_FILENO, RESTORED.as_ptr().cast(), RESTORED.len());
            }
        }
    }
}

fn milliseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    // Never 0, which means none.
    (now.tv_sec as u64).saturating_mul(1000).saturating_add(now.tv_nsec as u64 / 1_000_000).max(1)
}

fn remember_terminal() {
    // SAFETY: termios is plain data, and tcgetattr fills it.
    let settings = unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        (libc::tcgetattr(libc::STDIN_FILENO, &mut settings) == 0).then_some(settings)
    };
    if let Some(settings) = settings {
        let _ = TERMINAL.set(settings);
    }
}

/// Begins the thread that says, when a stop takes more than a moment, how to end at once.
fn tell_from_a_thread() {
    let Ok((mut woken, wake)) = std::io::pipe() else { return };
    let body = move || {
        while woken.read(&mut [0; 64]).is_ok_and(|n| n > 0) {
            let asked = ASKED.load(Ordering::SeqCst);
            std::thread::sleep(MOMENT);
            let same = asked != 0 && ASKED.load(Ordering::SeqCst) == asked;
            // A worker's parent tells; at the prompt nothing is to be stopped.
            if same && !console::is_relaying() && !console::is_quiet() && !console::is_typing() {
                TOLD.store(asked, Ordering::SeqCst);
                console::log("stopping at the next safe point; Ctrl-C once more ends the process at once");
            }
        }
    };
    if std::thread::Builder::new().name("signals".into()).spawn(body).is_ok() {
        WAKE.store(wake.into_raw_fd(), Ordering::SeqCst);
    }
}
