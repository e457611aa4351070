//! What must happen before the shared libraries are initialised: libtorch and libgomp read the environment and the working folder then,
//! which takes nine tenths of the time of a call that only prints something.

use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::ptr::null;

use super::without_libtorch;

/// How often a thread of libgomp looks for work before it sleeps. Without a number it looks some 300,000 times, so that beside another
/// program that keeps the cores busy each step waits for threads that the system has taken off: a training of small_cnn on two cores
/// fell to 20 % of its idle rate, with this number to 42 %, and on an idle machine the rate is the same (an AMD EPYC, 2026-11-27;
/// `make bench-all ONLY=load` measures it).
const SPINS: &CStr = c"GOMP_SPINCOUNT=10000";

/// Whoever says one of these has chosen.
const CHOICES: [&CStr; 2] = [c"GOMP_SPINCOUNT", c"OMP_WAIT_POLICY"];

// The functions of this array run when all libraries are in memory and before any of their initialisers.
#[used]
#[unsafe(link_section = ".preinit_array")]
static BEFORE: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = before;

extern "C" fn before(_: c_int, words: *const *const c_char, variables: *const *const c_char) {
    // SAFETY: the system gives words and variables as arrays of C strings with a null pointer behind the last, and they stay. No other
    // thread runs.
    unsafe {
        leave_without_folder();
        answer(words, variables);
        wait_asleep(words, variables);
    }
}

unsafe extern "C" {
    static mut environ: *const *const c_char;
}

/// Answers a call that needs no libtorch, and ends the program.
unsafe fn answer(words: *const *const c_char, variables: *const *const c_char) {
    // SAFETY: as in `before`. The C library sets its own pointer to the same variables when it is initialised.
    let given = unsafe {
        if environ.is_null() {
            environ = variables;
        }
        let mut given: Vec<OsString> = Vec::new();
        let mut at = words;
        while !(*at).is_null() {
            given.push(OsStr::from_bytes(CStr::from_ptr(*at).to_bytes()).to_os_string());
            at = at.add(1);
        }
        given
    };
    without_libtorch::answer_or_go_on(given);
}

/// In a working folder that was deleted, MKL would end the process while it is initialised, with a sentence about libtorch.
unsafe fn leave_without_folder() {
    const GONE: &[u8] = b"cpsd: the working folder was deleted; go to another one first\n";
    let mut path = [0_u8; libc::PATH_MAX as usize];
    // SAFETY: the buffer has the length that is given; the text is of its length.
    unsafe {
        // The function of the library would look through the folders above.
        let n = libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len());
        if n < 0 && *libc::__errno_location() == libc::ENOENT {
            libc::write(2, GONE.as_ptr().cast(), GONE.len());
            libc::_exit(1);
        }
    }
}

/// Executes the program again, with [`SPINS`] in its environment, unless somebody has chosen. This takes 5 ms.
unsafe fn wait_asleep(words: *const *const c_char, variables: *const *const c_char) {
    let mut all = Vec::new();
    let preloaded: CString;
    let mut program = [0_u8; libc::PATH_MAX as usize + 1];
    // SAFETY: as in `before`; the buffer is larger than the length that is given, and zeros stand behind the text.
    unsafe {
        let mut at = variables;
        let mut absent = None;
        while !(*at).is_null() {
            let entry = CStr::from_ptr(*at);
            if CHOICES.iter().any(|name| says(entry, name)) {
                return;
            }
            if let Some(entry) = without_absent(entry) {
                absent = Some((all.len(), entry));
            }
            all.push(*at);
            at = at.add(1);
        }
        if let Some((place, entry)) = absent {
            preloaded = entry;
            all[place] = preloaded.as_ptr();
        }
        all.extend([SPINS.as_ptr(), null()]);
        // By its name, which `ps` shows.
        let n = libc::readlink(c"/proc/self/exe".as_ptr(), program.as_mut_ptr().cast(), libc::PATH_MAX as usize);
        // Started by name of the loader, the program is an argument of that.
        let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if n > 0 && !name.starts_with(b"ld-") && !name.starts_with(b"ld.") {
            // If it fails, all goes on as it is.
            libc::execve(program.as_ptr().cast(), words, all.as_ptr());
        }
    }
}

/// `LD_PRELOAD` without the files that are not there, if it names some: the loader has said so, and would say it again.
fn without_absent(entry: &CStr) -> Option<CString> {
    const NAME: &[u8] = b"LD_PRELOAD=";
    let files = entry.to_bytes().strip_prefix(NAME)?;
    let files = || files.split(|byte| b" :".contains(byte)).filter(|file| !file.is_empty());
    // A name without a slash is looked for in many folders.
    let is_there = |file: &&[u8]| {
        let path = CString::new(*file).unwrap_or_default();
        // SAFETY: the path is a text that lives through the call.
        !file.contains(&b'/') || unsafe { libc::access(path.as_ptr(), libc::F_OK) } == 0
    };
    if files().all(|file| is_there(&file)) {
        return None;
    }
    CString::new([NAME, &files().filter(is_there).collect::<Vec<_>>().join(&b':')].concat()).ok()
}

/// Whether an entry of the environment gives the variable a value.
fn says(entry: &CStr, name: &CStr) -> bool {
    let rest = entry.to_bytes().strip_prefix(name.to_bytes());
    rest.is_some_and(|rest| rest.first() == Some(&b'='))
}
