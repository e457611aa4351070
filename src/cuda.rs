//! Two things that libtorch does not offer: free memory of a GPU, and waits that leave the core to others. They are asked of
//! CUDA's runtime and driver, where this process has them; without a GPU nothing is loaded.

use std::ffi::{CStr, c_int, c_uint, c_void};

use tch::Device;

/// `CU_CTX_SCHED_BLOCKING_SYNC`, which is also `cudaDeviceScheduleBlockingSync`.
const BLOCKING: c_uint = 4;

/// The address of a function, in the library or in all that this process has loaded.
fn symbol(library: *mut c_void, name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with 0; the library is loaded, or stands for all.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
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
    let find = |name| symbol(libc::RTLD_DEFAULT, name);
    let (set, ask) = (find(c"cudaSetDevice")?, find(c"cudaMemGetInfo")?);
    // SAFETY: these are the types of CUDA's runtime.
    unsafe {
        let set: extern "C" fn(c_int) -> c_int = std::mem::transmute(set);
        let ask: extern "C" fn(*mut usize, *mut usize) -> c_int = std::mem::transmute(ask);
        let (mut free, mut total) = (0, 0);
        (set(gpu as c_int) == 0 && ask(&mut free, &mut total) == 0).then_some(free as u64)
    }
}

/// From now on a thread that waits for one of the first `gpus` GPUs sleeps; by default it spins and keeps a core busy, which other
/// trainings and decoders need. Makes no context on any GPU. Whether the driver agreed.
pub fn sleep_while_waiting(gpus: usize) -> bool {
    // SAFETY: the name ends with 0. The library stays loaded, as libtorch uses it too.
    let driver = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
    if driver.is_null() || gpus == 0 {
        return false;
    }
    let find = |name| symbol(driver, name);
    let (Some(init), Some(get), Some(set)) =
        (find(c"cuInit"), find(c"cuDeviceGet"), find(c"cuDevicePrimaryCtxSetFlags_v2"))
    else {
        return false;
    };
    // SAFETY: these are the types of CUDA's driver.
    unsafe {
        let init: extern "C" fn(c_uint) -> c_int = std::mem::transmute(init);
        let get: extern "C" fn(*mut c_int, c_int) -> c_int = std::mem::transmute(get);
        let set: extern "C" fn(c_int, c_uint) -> c_int = std::mem::transmute(set);
        let mut device = 0;
        init(0) == 0 && (0..gpus).all(|gpu| get(&mut device, gpu as c_int) == 0 && set(device, BLOCKING) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_has_no_memory_of_a_gpu() {
        assert_eq!(free_memory(Device::Cpu), None);
        assert!(!sleep_while_waiting(0));
    }

    /// Runs where there is a GPU.
    #[test]
    fn a_gpu_tells_its_memory_and_its_waits_sleep() {
        if !tch::Cuda::is_available() {
            assert_eq!(free_memory(Device::Cuda(0)), None);
            return;
        }
        assert!(sleep_while_waiting(1));
        let x = tch::Tensor::zeros([1 << 28], (tch::Kind::Uint8, Device::Cuda(0)));
        let free = free_memory(Device::Cuda(0)).unwrap();
        assert!(free > 1 << 20, "{free}");
        let more = tch::Tensor::zeros([1 << 28], (tch::Kind::Uint8, Device::Cuda(0)));
        assert!(free_memory(Device::Cuda(0)).unwrap() < free);
        let flags = symbol(libc::RTLD_DEFAULT, c"cudaGetDeviceFlags").unwrap();
        // SAFETY: this is its type.
        let flags: extern "C" fn(*mut c_uint) -> c_int = unsafe { std::mem::transmute(flags) };
        let mut found = 0;
        assert_eq!((flags(&mut found), found & 7), (0, BLOCKING));
        drop((x, more));
    }
}
