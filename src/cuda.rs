//! What libtorch does not offer: its part for CUDA in a program that is linked with that for the CPU; the free memory of a GPU, which is
//! asked of CUDA's runtime where this process has it.

use std::ffi::{CStr, CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tch::Device;

use crate::activity::console;
use crate::environment;
use crate::files::own;
use crate::torch;

/// What is there where an NVIDIA driver is, in a virtual machine of Windows too.
const DRIVER: [&str; 4] = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version"];

/// Loads libtorch's part for CUDA where it lies beside the libtorch of this process, as in PyTorch's package for Python, and a driver is
/// here; a program that is linked with it has it already. Its kernels register themselves. CPSD_DEVICE=cpu leaves it out.
///
/// Call it before anything asks libtorch for GPUs: the answer stays.
pub fn load() {
    let Some((_, cpu)) = torch::version() else { return };
    let library = Path::new(&cpu).with_file_name("libtorch_cuda.so");
    let is_driver = DRIVER.iter().any(|path| !own::is_absent(Path::new(path)));
    if is_driver
        && library.is_file()
        && environment::text("CPSD_DEVICE").as_deref() != Some("cpu")
        && let Err(reason) = load_library(&library)
    {
        console::warn(&format!("warning: computing on the CPU: {reason}\n  without this line: CPSD_DEVICE=cpu"));
    }
}

/// Loads a library for the whole process. `Err` is the loader's sentence.
fn load_library(path: &Path) -> Result<(), String> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| "its path holds a zero".to_string())?;
    // SAFETY: the name ends with 0; the loader's sentence is copied before the next call.
    unsafe {
        if libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL).is_null() {
            let said = libc::dlerror();
            return Err(if said.is_null() {
                String::new()
            } else {
                CStr::from_ptr(said).to_string_lossy().into_owned()
            });
        }
    }
    Ok(())
}

/// The address of a function in all that this process has loaded.
fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with 0.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

/// The bytes of a GPU that nobody uses, other processes included; what libtorch keeps for later use counts as used. None for the CPU
/// and where the runtime does not say it.
pub fn free_memory(device: Device) -> Option<u64> {
    let Device::Cuda(gpu) = device else { return None };
    // The runtime tells of the current device, which belongs to the thread and which libtorch trusts to stay. A thread of its own
    // has nothing to put back: that would make a context on GPU 0 in a process that uses another.
    std::thread::scope(|scope| {
        std::thread::Builder::new().spawn_scoped(scope, || free_memory_here(gpu)).ok()?.join().ok()?
    })
}

/// [`free_memory`] of that GPU, which becomes this thread's.
fn free_memory_here(gpu: usize) -> Option<u64> {
    let (set, ask) = (find(c"cudaSetDevice")?, find(c"cudaMemGetInfo")?);
    // SAFETY: these are the types of CUDA's runtime.
    unsafe {
        let set: extern "C" fn(c_int) -> c_int = std::mem::transmute(set);
        let ask: extern "C" fn(*mut usize, *mut usize) -> c_int = std::mem::transmute(ask);
        let (mut free, mut total) = (0, 0);
        (set(gpu as c_int) == 0 && ask(&mut free, &mut total) == 0).then_some(free as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_cannot_be_loaded_says_why() {
        let said = load_library(Path::new("/nowhere/libtorch_cuda.so")).unwrap_err();
        assert!(said.contains("/nowhere/libtorch_cuda.so"), "{said}");
        load_library(Path::new("libc.so.6")).unwrap();
    }

    #[test]
    fn the_cpu_has_no_memory_of_a_gpu() {
        assert_eq!(free_memory(Device::Cpu), None);
    }

    /// Runs where there is a GPU.
    #[test]
    fn a_gpu_tells_its_memory() {
        if !tch::Cuda::is_available() {
            assert_eq!(free_memory(Device::Cuda(0)), None);
            return;
        }
        let x = tch::Tensor::zeros([1 << 28], (tch::Kind::Uint8, Device::Cuda(0)));
        let free = free_memory(Device::Cuda(0)).unwrap();
        assert!(free > 1 << 20, "{free}");
        let more = tch::Tensor::zeros([1 << 28], (tch::Kind::Uint8, Device::Cuda(0)));
        assert!(free_memory(Device::Cuda(0)).unwrap() < free);
        drop((x, more));
    }
}
