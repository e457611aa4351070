//! How GPUs compute: TensorFloat-32, the choice of kernels, determinism. These are switches of the whole process.

use std::sync::Once;

use parking_lot::Mutex;
use tch::Device;

use crate::error::{Error, Result};

/// How GPUs compute. Nothing of it changes the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Whether convolutions and matrix products of f32 may round their factors to 10 bits (TensorFloat-32, on GPUs from Ampere
    /// on).
    pub tf32: bool,
    /// Whether equal calls give equal bits on the same kind of GPU.
    pub deterministic: bool,
    /// Whether cuDNN measures its kernels for each new shape and takes the fastest, which takes seconds. Determinism excludes it.
    pub benchmark: bool,
}

/// The number of steps from which kernels are measured. Measuring takes 10 to 80 s per training (H100, ResNet-101 at 448
/// pixels) and gave nothing there (396 pictures/s against 399 unmeasured; 2026-11-26), so only long trainings do it.
pub const LONG: u64 = 10_000;

impl Default for Flags {
    fn default() -> Self {
        Flags { tf32: true, deterministic: false, benchmark: false }
    }
}

/// Read by cuBLAS when it starts; without one of these values it may add in another order each time.
const WORKSPACE: &str = "CUBLAS_WORKSPACE_CONFIG";
const WORKSPACES: [&str; 2] = [":4096:8", ":16:8"];

/// Sets what libraries of CUDA read from the environment, unless it is set: the workspace of cuBLAS. Worker processes inherit it.
///
/// # Safety
/// No other thread may run.
pub unsafe fn set_environment() {
    if std::env::var_os(WORKSPACE).is_none() {
        // SAFETY: the caller's.
        unsafe { std::env::set_var(WORKSPACE, WORKSPACES[0]) }
    }
}

/// The flags that somebody holds, and how many do.
static HELD: Mutex<(Flags, usize)> = Mutex::new((Flags { tf32: true, deterministic: false, benchmark: false }, 0));

/// Flags that stay until this is dropped.
pub struct Held {
    gpu: bool,
}

/// Sets the default flags of a process that computes on that device, once.
pub fn start(device: Device) -> Result<()> {
    static STARTED: Once = Once::new();
    let mut result = Ok(());
    if device.is_cuda() {
        STARTED.call_once(|| {
            let held = HELD.lock();
            result = if held.1 == 0 { set(held.0) } else { Ok(()) };
        });
    }
    result
}

/// Computes by these flags from now on, if `device` is a GPU. What else this process computes meanwhile follows them too.
///
/// `benchmark` is that of the first who holds flags: it decides about speed alone.
///
/// Errors: somebody else holds other flags; `deterministic` in a process whose cuBLAS is not.
pub fn hold(flags: Flags, device: Device) -> Result<Held> {
    start(device)?;
    if device.is_cuda() {
        check(flags, std::env::var(WORKSPACE).ok().as_deref())?;
        take(&mut HELD.lock(), flags, set)?;
    }
    Ok(Held { gpu: device.is_cuda() })
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.gpu {
            // Libtorch has accepted the defaults before.
            let _ = give_back(&mut HELD.lock(), set);
        }
    }
}

fn check(flags: Flags, workspace: Option<&str>) -> Result<()> {
    match flags.deterministic && !workspace.is_some_and(|set| WORKSPACES.contains(&set)) {
        false => Ok(()),
        true => Err(Error::argument(format!(
            "deterministic: true needs {WORKSPACE}={} in the environment. Got {} instead.",
            WORKSPACES[0],
            workspace.map_or("none".to_string(), |set| format!("\"{set}\""))
        ))
        .about_option("deterministic")
        .with_help(
            "the program sets it where it is not set; a library's caller sets it before the first use of a GPU",
        )),
    }
}

fn take(held: &mut (Flags, usize), flags: Flags, set: impl Fn(Flags) -> Result<()>) -> Result<()> {
    let differs = |key: &str, theirs: bool| {
        Err(Error::argument(format!(
            "another training of this process computes with {key}: {theirs}, and on a GPU that holds for the whole process"
        ))
        .about_option(key)
        .with_help("workers: \"processes\" gives each training a process of its own; or train one after the other"))
    };
    match held.1 {
        0 => set(flags)?,
        _ if held.0.tf32 != flags.tf32 => return differs("tf32", held.0.tf32),
        _ if held.0.deterministic != flags.deterministic => return differs("deterministic", held.0.deterministic),
        _ => {}
    }
    let first = held.1 == 0;
    *held = (if first { flags } else { held.0 }, held.1 + 1);
    Ok(())
}

fn give_back(held: &mut (Flags, usize), set: impl Fn(Flags) -> Result<()>) -> Result<()> {
    held.1 = held.1.saturating_sub(1);
    if held.1 == 0 && held.0 != Flags::default() {
        held.0 = Flags::default();
        set(held.0)?;
    }
    Ok(())
}

#[cfg(libtorch_flags)]
fn set(flags: Flags) -> Result<()> {
    let refused = [
        // SAFETY: the functions of flags.cpp, which let no exception pass.
        ("tf32", unsafe { native::cpsd_set_tf32(i32::from(flags.tf32)) }),
        ("deterministic", unsafe { native::cpsd_set_deterministic(i32::from(flags.deterministic)) }),
    ];
    tch::Cuda::cudnn_set_benchmark(flags.benchmark && !flags.deterministic);
    match refused.iter().find(|(_, answer)| *answer < 0) {
        None => Ok(()),
        Some((key, _)) => Err(Error::argument(format!("libtorch refuses the option {key}")).about_option(key)),
    }
}

#[cfg(libtorch_flags)]
mod native {
    unsafe extern "C" {
        pub fn cpsd_set_tf32(allowed: i32) -> i32;
        pub fn cpsd_set_deterministic(wanted: i32) -> i32;
    }

    #[cfg(test)]
    unsafe extern "C" {
        pub fn cpsd_tf32() -> i32;
        pub fn cpsd_deterministic() -> i32;
    }
}

/// Built without the headers of libtorch: flags other than libtorch's own are refused.
#[cfg(not(libtorch_flags))]
fn set(flags: Flags) -> Result<()> {
    match flags.deterministic {
        false => {
            tch::Cuda::cudnn_set_benchmark(flags.benchmark);
            Ok(())
        }
        true => {
            Err(Error::argument("this build cannot set deterministic: it was made without the headers of libtorch")
                .about_option("deterministic")
                .with_help("set LIBTORCH to the folder of libtorch and build again"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const EXACT: Flags = Flags { tf32: false, deterministic: false, benchmark: false };

    #[test]
    fn flags_hold_until_the_last_gives_them_back() {
        let log = RefCell::new(Vec::new());
        let set = |flags: Flags| {
            log.borrow_mut().push(flags);
            Ok(())
        };
        let mut held = (Flags::default(), 0);
        take(&mut held, EXACT, set).unwrap();
        take(&mut held, EXACT, set).unwrap();
        let error = take(&mut held, Flags::default(), set).unwrap_err();
        assert!(error.message.contains("computes with tf32: false") && error.help.unwrap().contains("processes"));
        let deterministic = Flags { deterministic: true, ..EXACT };
        assert!(take(&mut held, deterministic, set).unwrap_err().message.contains("with deterministic: false"));
        // Another choice of speed is no other computation.
        take(&mut held, Flags { benchmark: true, ..EXACT }, set).unwrap();
        assert_eq!(held, (EXACT, 3));
        give_back(&mut held, set).unwrap();
        give_back(&mut held, set).unwrap();
        assert!(take(&mut held, deterministic, set).is_err());
        give_back(&mut held, set).unwrap();
        take(&mut held, deterministic, set).unwrap();
        give_back(&mut held, set).unwrap();
        assert_eq!(*log.borrow(), [EXACT, Flags::default(), deterministic, Flags::default()]);
        // What libtorch refuses is not held.
        assert!(take(&mut held, EXACT, |_| Err(Error::internal("refused"))).is_err());
        assert_eq!(held, (Flags::default(), 0));
    }

    #[test]
    fn determinism_needs_a_workspace() {
        let wanted = Flags { deterministic: true, ..Flags::default() };
        assert!(check(wanted, Some(":4096:8")).is_ok() && check(wanted, Some(":16:8")).is_ok());
        let error = check(wanted, None).unwrap_err().message;
        assert!(error.contains("needs CUBLAS_WORKSPACE_CONFIG=:4096:8") && error.contains("Got none"), "{error}");
        assert!(check(wanted, Some(":16")).is_err() && check(Flags::default(), None).is_ok());
    }

    #[test]
    fn the_cpu_holds_nothing() {
        let held = hold(Flags { tf32: false, deterministic: true, benchmark: false }, Device::Cpu).unwrap();
        assert!(!held.gpu && HELD.lock().1 == 0);
    }

    #[cfg(libtorch_flags)]
    #[test]
    fn libtorch_takes_the_flags() {
        // SAFETY: as in `set`. No other test of this program has an operation that determinism changes.
        let came = || unsafe { (native::cpsd_tf32(), native::cpsd_deterministic()) };
        for flags in [EXACT, Flags { deterministic: true, ..Flags::default() }, Flags::default()] {
            set(flags).unwrap();
            assert_eq!(came(), (i32::from(flags.tf32), i32::from(flags.deterministic)));
        }
    }
}
