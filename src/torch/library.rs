//! libtorch, loaded at the first call of one of its functions: 0.2 s that a call which only prints something does not take, and that pass
//! at the prompt while somebody types.
//!
//! build.rs links tch's C functions and this crate's own into one shared library, which is part of the program's bytes, and makes a jump of
//! the same name for each. The jumps go through a table that is filled here. A first call loads the library by itself, so nothing has to be
//! called before.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use parking_lot::Mutex;

use crate::activity::{console, signals};
use crate::environment;
use crate::files::own;
use crate::{memory, say_error};

/// The C functions, linked with libtorch.
const FUNCTIONS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libcpsd_torch.so"));

/// With what they are linked: setup/wheel_hook.py reads this in the program's file.
#[used]
static LINKED: &str = match cfg!(linked_with_cuda) {
    true => "cpsd: linked with libtorch for CUDA",
    false => "cpsd: linked with libtorch for the CPU",
};

/// The main part of libtorch, as the loader knows it.
const LIBTORCH: &CStr = c"libtorch_cpu.so";

/// What is there where an NVIDIA driver is, in a virtual machine of Windows too.
const DRIVER: [&str; 4] = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version"];

/// How often a thread of libgomp looks for work before it sleeps. Without a number it looks some 300,000 times, so that beside another
/// program that keeps the cores busy each step waits for threads that the system has taken off: a training of small_cnn on two cores
/// fell to 20 % of its idle rate, with this number to 42 %, and on an idle machine the rate is the same (an AMD EPYC, 2026-11-27;
/// `make bench-all ONLY=load` measures it).
const SPINS: (&str, &str) = ("GOMP_SPINCOUNT", "10000");

/// Whoever says one of these has chosen.
const CHOICES: [&str; 2] = [SPINS.0, "OMP_WAIT_POLICY"];

// Of build.rs' assembly.
unsafe extern "C" {
    /// Texts that end with 0, one for each function; an empty one ends them.
    static cpsd_torch_names: c_char;
    /// Their addresses, in the same order.
    static mut cpsd_torch_table: *mut c_void;
    /// The addresses of those functions of the program that the library calls; null ends them.
    static cpsd_torch_given: *const c_void;
}

static LOADED: OnceLock<Result<(), String>> = OnceLock::new();

/// The threads of libtorch.
struct Threads {
    /// The last number that somebody has said; 0 if nobody has.
    said: c_int,
    /// Whether libtorch was told.
    is_told: bool,
}

static THREADS: Mutex<Threads> = Mutex::new(Threads { said: 0, is_told: false });

/// Sets what libgomp reads from the environment when it is loaded, unless somebody has chosen: threads that wait for one another sleep
/// soon. Worker processes inherit it.
///
/// # Safety
/// No other thread may run.
pub unsafe fn set_environment() {
    if CHOICES.iter().all(|name| std::env::var_os(name).is_none()) {
        // SAFETY: the caller's.
        unsafe { std::env::set_var(SPINS.0, SPINS.1) }
    }
}

/// Loads libtorch if that was not done: its part for CUDA too, where it lies beside and a driver is here. A part for CUDA that cannot be
/// loaded is said, and the CPU computes; CPSD_DEVICE=cpu leaves it out.
///
/// Errors: why it cannot be loaded, in the loader's words.
pub fn load() -> Result<(), String> {
    let explained = |why: String| {
        let is_absent = why.contains("libtorch_cpu.so: cannot open shared object file");
        let help = if is_absent { "; LD_LIBRARY_PATH=DIR says where it is" } else { "" };
        format!("libtorch cannot be loaded: {why}{help}")
    };
    LOADED.get_or_init(|| loaded().map_err(explained)).clone()
}

/// Loads libtorch while this thread goes on. A failure is said; the first call ends the program with it.
pub fn load_meanwhile() {
    let body = || {
        if let Err(sentence) = load() {
            console::warn(&format!("warning: {sentence}"));
        }
    };
    // Without a thread, the first call loads it.
    let _ = std::thread::Builder::new().name("libtorch".into()).spawn(body);
}

/// Whether [`load`] has succeeded, or something else has loaded libtorch.
pub fn is_loaded() -> bool {
    // SAFETY: the name ends with 0. This loads nothing; the reference that it counts stays, as libtorch does.
    matches!(LOADED.get(), Some(Ok(())))
        || !unsafe { libc::dlopen(LIBTORCH.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) }.is_null()
}

/// The number of threads that share a loop of libtorch, from now on or from its loading on.
pub fn use_threads(count: usize) {
    let mut threads = THREADS.lock();
    threads.said = c_int::try_from(count).unwrap_or(c_int::MAX);
    if threads.is_told {
        tch::set_num_threads(threads.said);
    }
}

/// The libtorch that would be loaded.
pub struct Found {
    /// The path of its main library.
    pub path: PathBuf,
    /// As in `2.13.0`.
    pub version: String,
}

/// The libtorch for the CPU that would be loaded, without loading it: by the file of its version that lies beside. None where there is
/// no such file, where it is for GPUs, or where one is loaded already: then it says all of this itself.
pub fn found_for_cpu() -> Option<&'static Found> {
    static FOUND: OnceLock<Option<Found>> = OnceLock::new();
    if is_loaded() { None } else { FOUND.get_or_init(find_for_cpu).as_ref() }
}

fn find_for_cpu() -> Option<Found> {
    let folder = searched().into_iter().find(|folder| folder.join("libtorch_cpu.so").is_file())?;
    if ["libtorch_cuda.so", "libtorch_hip.so"].iter().any(|name| !own::is_absent(&folder.join(name))) {
        return None;
    }
    // That of Python's package, of libtorch's archives, and of set-up, above its folder torch.
    let of_setup = folder.parent().is_some_and(|parent| parent.ends_with("torch")).then_some("../../version");
    let names = ["../version.py", "../build-version"].into_iter().chain(of_setup);
    let texts: Vec<_> = names.map(|name| own::read_text(&folder.join(name))).collect();
    let version = texts.iter().flatten().find_map(|text| version_in(text))?;
    Some(Found { path: folder.join("libtorch_cpu.so"), version })
}

/// The first number of three parts in a text, as in `__version__ = '2.13.0+cpu'`.
fn version_in(text: &str) -> Option<String> {
    let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|word| !word.is_empty());
    let is_version = |word: &&str| word.split('.').count() == 3 && word.split('.').all(|part| !part.is_empty());
    words.find(is_version).map(String::from)
}

/// What a jump calls whose function is not there yet.
#[unsafe(no_mangle)]
extern "C" fn cpsd_torch_load() {
    if let Err(sentence) = load() {
        // The caller expects a function's answer, and there is none.
        signals::restore_terminal();
        say_error!("cpsd: {sentence}");
        console::note_output(&io::stdout().flush());
        own::remove_session_folder();
        // SAFETY: nothing of ours is left to do.
        unsafe { libc::_exit(1) }
    }
}

fn loaded() -> Result<(), String> {
    // MKL would end the process while it is initialised.
    if std::env::current_dir().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err("the working folder was deleted; go to another one first".into());
    }
    let main = on_all_cores(|| open(LIBTORCH))?;
    load_cuda(main)?;
    let functions = own_functions()?;
    let mut threads = THREADS.lock();
    if threads.said > 0 {
        let set = find(functions, c"at_set_num_threads")?;
        // SAFETY: the function's type in torch-sys.
        unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(c_int)>(set)(threads.said) }
    }
    let filled = find(functions, c"cpsd_torch_filled")?.cast::<*const c_void>();
    // SAFETY: build.rs makes both tables of the same functions.
    unsafe {
        let given = &raw const cpsd_torch_given;
        let count = (0..).take_while(|i| !(*given.add(*i)).is_null()).count();
        filled.copy_from_nonoverlapping(given, count);
    }
    // Other threads may call from here on.
    // SAFETY: the table has an address for each name. A thread that reads an old one comes here and waits.
    unsafe {
        let (mut name, mut at) = (&raw const cpsd_torch_names, &raw mut cpsd_torch_table);
        while *name != 0 {
            let text = CStr::from_ptr(name);
            AtomicPtr::from_ptr(at).store(find(functions, text)?, Ordering::Release);
            name = name.add(text.count_bytes() + 1);
            at = at.add(1);
        }
    }
    threads.is_told = true;
    Ok(())
}

/// Does something after which this thread may use the cores that it may use now. With OMP_PROC_BIND, libgomp leaves the thread that loads
/// it a single one, and so the number of cores would depend on whether libtorch was loaded already.
fn on_all_cores<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: zeros are an empty set; the sizes are those of the sets.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        let known = libc::sched_getaffinity(0, size_of_val(&cores), &mut cores) == 0;
        let done = work();
        if known {
            libc::sched_setaffinity(0, size_of_val(&cores), &cores);
        }
        done
    }
}

/// Loads libtorch's part for CUDA where it lies beside the libtorch of this process, as in PyTorch's package for Python, and a driver is
/// here. Its kernels register themselves. Errors: only of a program whose functions are linked with it.
fn load_cuda(main: *mut c_void) -> Result<(), String> {
    if cfg!(linked_with_cuda) {
        return open(c"libtorch_cuda.so").map(drop);
    }
    let Ok(function) = find(main, c"aoti_torch_abi_version") else { return Ok(()) };
    let Some(path) = file_of(function) else { return Ok(()) };
    let library = path.with_file_name("libtorch_cuda.so");
    let is_driver = DRIVER.iter().any(|path| !own::is_absent(Path::new(path)));
    if is_driver
        && library.is_file()
        && environment::text("CPSD_DEVICE").as_deref() != Some("cpu")
        && let Err(reason) = c_text(&library).and_then(|name| open(&name))
    {
        console::warn(&format!("warning: computing on the CPU: {reason}\n  without this line: CPSD_DEVICE=cpu"));
    }
    Ok(())
}

/// The file of the library that has this function, where the loader says it.
pub(super) fn file_of(function: *mut c_void) -> Option<PathBuf> {
    // SAFETY: zeros are a valid value of this structure, and the names in it are the loader's, which stay.
    unsafe {
        let mut place: libc::Dl_info = std::mem::zeroed();
        let is_known = libc::dladdr(function, &mut place) != 0 && !place.dli_fname.is_null();
        is_known.then(|| OsStr::from_bytes(CStr::from_ptr(place.dli_fname).to_bytes()).into())
    }
}

/// The folders in which the loader looks for this program's libraries, in its order: those of LD_LIBRARY_PATH, the program's own, the
/// system's. What is only in the loader's cache is in none of them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn searched() -> Vec<PathBuf> {
    /// `Dl_serpath` of dlfcn.h.
    #[repr(C)]
    struct Folder {
        name: *const c_char,
        flags: c_uint,
    }
    /// `Dl_serinfo` of dlfcn.h; the folders follow, and then their names.
    #[repr(C)]
    struct Folders {
        size: usize,
        count: c_uint,
        first: [Folder; 0],
    }
    let mut head = Folders { size: 0, count: 0, first: [] };
    // SAFETY: the first call fills a head with the size of the whole, the second one as much room as that; the loader reads size and
    // number from it again, so they are copied. The names are inside the room and end with 0.
    unsafe {
        let program = libc::dlopen(std::ptr::null(), libc::RTLD_LAZY);
        if program.is_null() || libc::dlinfo(program, libc::RTLD_DI_SERINFOSIZE, (&raw mut head).cast()) != 0 {
            return vec![];
        }
        let mut room = vec![0_usize; head.size.div_ceil(size_of::<usize>())];
        let whole = room.as_mut_ptr().cast::<Folders>();
        (*whole).size = head.size;
        (*whole).count = head.count;
        if libc::dlinfo(program, libc::RTLD_DI_SERINFO, whole.cast()) != 0 {
            return vec![];
        }
        let first = (&raw const (*whole).first).cast::<Folder>();
        let name = |at: usize| OsStr::from_bytes(CStr::from_ptr((*first.add(at)).name).to_bytes()).into();
        (0..head.count as usize).map(name).collect()
    }
}

/// Other loaders do not say it.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn searched() -> Vec<PathBuf> {
    vec![]
}

/// Where build.rs made the functions; an installed program's is gone.
const BUILT: &str = concat!(env!("OUT_DIR"), "/libcpsd_torch.so");

/// Loads the functions that are part of this program. The loader wants a file: one in memory, or where the system gives none, a temporary
/// one. `ulimit -f` counts for both: where it is too small, that of the build.
fn own_functions() -> Result<*mut c_void, String> {
    let size = FUNCTIONS.len() as u64;
    if let Some(most) = memory::file_size().filter(|most| *most < size) {
        return match own::read(Path::new(BUILT)).is_ok_and(|bytes| bytes == FUNCTIONS) {
            true => open(&c_text(Path::new(BUILT))?),
            false => {
                Err(format!("no file may have more than {most} bytes (ulimit -f); libtorch's functions need {size}"))
            }
        };
    }
    // SAFETY: the name ends with 0, and the descriptor that comes is nobody else's.
    let in_memory = unsafe {
        let descriptor = libc::memfd_create(c"libcpsd_torch.so".as_ptr(), libc::MFD_CLOEXEC);
        (descriptor >= 0).then(|| File::from_raw_fd(descriptor))
    };
    let by_memory = in_memory.ok_or_else(|| io::Error::last_os_error().to_string()).and_then(|mut file| {
        file.write_all(FUNCTIONS).map_err(|error| error.to_string())?;
        open(&c_text(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))?)
    });
    let by_file = || {
        let mut file = own::temporary_file(&std::env::temp_dir()).map_err(|error| error.to_string())?;
        file.write_all(FUNCTIONS).map_err(|error| error.to_string())?;
        open(&c_text(file.path())?)
    };
    by_memory.or_else(|first| by_file().map_err(|second| format!("{first}; {second}")))
}

fn c_text(path: &Path) -> Result<CString, String> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| format!("the path {} holds a zero", path.display()))
}

/// Loads a library for the whole process. `Err` is the loader's sentence.
fn open(name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the name ends with 0.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL) };
    if handle.is_null() { Err(said()) } else { Ok(handle) }
}

fn find(library: *mut c_void, name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the name ends with 0.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    if address.is_null() { Err(said()) } else { Ok(address) }
}

/// The loader's last sentence, copied before its next call.
fn said() -> String {
    // SAFETY: null or a text that ends with 0.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_cannot_be_loaded_says_why() {
        let said = open(c"/nowhere/libtorch_cuda.so").unwrap_err();
        assert!(said.contains("/nowhere/libtorch_cuda.so"), "{said}");
        open(c"libc.so.6").unwrap();
    }

    #[test]
    fn every_function_has_its_address() {
        load().unwrap();
        assert!(is_loaded() && found_for_cpu().is_none());
        let mut count = 0;
        // SAFETY: as in `loaded`.
        unsafe {
            let (mut name, mut at) = (&raw const cpsd_torch_names, &raw mut cpsd_torch_table);
            while *name != 0 {
                let mut place: libc::Dl_info = std::mem::zeroed();
                assert!(libc::dladdr(*at, &mut place) != 0 && !place.dli_sname.is_null());
                assert_eq!(CStr::from_ptr(place.dli_sname), CStr::from_ptr(name));
                name = name.add(CStr::from_ptr(name).count_bytes() + 1);
                at = at.add(1);
                count += 1;
            }
        }
        assert!(count > 2_000, "{count}");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn the_loader_finds_libtorch_in_the_first_folder_that_has_it() {
        let main = open(LIBTORCH).unwrap();
        let loaded = file_of(find(main, c"aoti_torch_abi_version").unwrap()).unwrap();
        let first = searched().into_iter().map(|folder| folder.join("libtorch_cpu.so")).find(|path| path.is_file());
        assert_eq!(first.unwrap(), loaded);
    }

    #[test]
    fn a_version_is_found_in_the_files_beside() {
        for text in ["2.13.0 cpu\n", "__version__ = '2.13.0+cpu'\ndebug = False\n", "2.13.0+cu126"] {
            assert_eq!(version_in(text).as_deref(), Some("2.13.0"), "{text}");
        }
        assert_eq!(version_in("debug = 1.2"), None);
    }

    #[test]
    fn threads_that_are_said_count() {
        load().unwrap();
        let before = tch::get_num_threads();
        std::thread::spawn(move || {
            use_threads(3);
            assert_eq!(tch::get_num_threads(), 3);
            use_threads(before as usize);
        })
        .join()
        .unwrap();
    }
}
