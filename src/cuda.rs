//! What libtorch does not offer: the free memory of a GPU, which is asked of CUDA's runtime where this process has it.

use std::ffi::{CStr, c_int, c_void};

use tch::Device;

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
