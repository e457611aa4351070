//! What the driver of the GPUs says of itself and of its cards, and how threads wait for them: asked of its own library, without libtorch
//! and without a context on any card.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::LazyLock;

/// A GPU as a process sees it: those that `CUDA_VISIBLE_DEVICES` leaves, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpu {
    pub name: String,
    /// All of its memory, in bytes.
    pub memory: u64,
    /// The compute capability, as in `(9, 0)`.
    pub capability: (i32, i32),
}

/// What the driver answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Driver {
    /// There is no `libcuda.so.1`.
    Absent,
    /// It does not start, for a reason in its own words. `cuda`: the newest CUDA that it supports, where it says so.
    Fails { reason: String, cuda: Option<i64> },
    /// The newest CUDA that it supports, as in `12040` for 12.4, and its GPUs, perhaps none.
    Works { cuda: i64, gpus: Vec<Gpu> },
}

impl Driver {
    /// Asks the driver, once in a process.
    pub fn here() -> &'static Driver {
        static HERE: LazyLock<Driver> =
            LazyLock::new(|| Library::open().map_or(Driver::Absent, |library| library.ask()));
        &HERE
    }

    /// The newest CUDA that it supports, where it says so.
    pub fn cuda(&self) -> Option<i64> {
        match self {
            Driver::Absent => None,
            Driver::Fails { cuda, .. } => *cuda,
            Driver::Works { cuda, .. } => Some(*cuda),
        }
    }

    /// Its GPUs.
    pub fn gpus(&self) -> &[Gpu] {
        if let Driver::Works { gpus, .. } = self { gpus } else { &[] }
    }
}

/// From now on a thread that waits for one of the first `gpus` GPUs sleeps; by default it spins and keeps a core busy, which other
/// trainings and decoders need. Makes no context on any GPU. Whether the driver agreed.
pub fn sleep_while_waiting(gpus: usize) -> bool {
    gpus > 0 && Library::open().is_some_and(|library| library.sleep_while_waiting(gpus).is_ok())
}

/// `13.0` for `13000`.
pub fn cuda_name(version: i64) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// An answer of the driver; 0 is success.
type Code = c_uint;
const NO_DEVICE: Code = 100;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;
/// `CU_CTX_SCHED_BLOCKING_SYNC`, which is also `cudaDeviceScheduleBlockingSync`.
const BLOCKING: c_uint = 4;

/// `libcuda.so.1`, which stays open.
struct Library(*mut c_void);

impl Library {
    fn open() -> Option<Library> {
        // SAFETY: the name ends with a zero. The library is made to be loaded this way, and CUDA's runtime does so too.
        let handle = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        (!handle.is_null()).then_some(Library(handle))
    }

    /// The function of that name.
    ///
    /// # Safety
    ///
    /// `F` is the type of a pointer to that function, as in cuda.h.
    unsafe fn function<F: Copy>(&self, name: &CStr) -> Result<F, String> {
        // SAFETY: the handle is open, the name ends with a zero.
        let found = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if found.is_null() || size_of::<F>() != size_of_val(&found) {
            return Err(format!("libcuda.so.1 has no {}", name.to_string_lossy()));
        }
        // SAFETY: by this function's contract.
        Ok(unsafe { std::mem::transmute_copy(&found) })
    }

    fn ask(&self) -> Driver {
        let cuda = self.version().ok();
        match self.gpus() {
            Ok(gpus) => Driver::Works { cuda: cuda.unwrap_or_default(), gpus },
            Err(reason) => Driver::Fails { reason, cuda },
        }
    }

    fn version(&self) -> Result<i64, String> {
        let mut version = 0;
        // SAFETY: the type in cuda.h; it may be called before cuInit.
        let code =
            unsafe { self.function::<unsafe extern "C" fn(*mut c_int) -> Code>(c"cuDriverGetVersion")?(&mut version) };
        self.checked(code)?;
        Ok(version.into())
    }

    fn gpus(&self) -> Result<Vec<Gpu>, String> {
        // SAFETY: the types in cuda.h.
        let (start, count, get, name, memory, attribute) = unsafe {
            (
                self.function::<unsafe extern "C" fn(c_uint) -> Code>(c"cuInit")?,
                self.function::<unsafe extern "C" fn(*mut c_int) -> Code>(c"cuDeviceGetCount")?,
                self.function::<unsafe extern "C" fn(*mut c_int, c_int) -> Code>(c"cuDeviceGet")?,
                self.function::<unsafe extern "C" fn(*mut c_char, c_int, c_int) -> Code>(c"cuDeviceGetName")?,
                self.function::<unsafe extern "C" fn(*mut usize, c_int) -> Code>(c"cuDeviceTotalMem_v2")?,
                self.function::<unsafe extern "C" fn(*mut c_int, c_int, c_int) -> Code>(c"cuDeviceGetAttribute")?,
            )
        };
        // SAFETY: cuInit takes no flags.
        match unsafe { start(0) } {
            NO_DEVICE => return Ok(Vec::new()),
            code => self.checked(code)?,
        }
        let mut n = 0;
        // SAFETY: here and below, arguments are places for the answers, and the text's place has the length that is said.
        self.checked(unsafe { count(&mut n) })?;
        let one = |i| {
            let (mut device, mut text, mut bytes, mut major, mut minor) = (0, [0 as c_char; 256], 0, 0, 0);
            unsafe {
                self.checked(get(&mut device, i))?;
                self.checked(name(text.as_mut_ptr(), text.len() as c_int - 1, device))?;
                self.checked(memory(&mut bytes, device))?;
                self.checked(attribute(&mut major, CAPABILITY_MAJOR, device))?;
                self.checked(attribute(&mut minor, CAPABILITY_MINOR, device))?;
            }
            // SAFETY: the last byte was left 0.
            let name = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
            Ok(Gpu { name, memory: bytes as u64, capability: (major, minor) })
        };
        (0..n).map(one).collect()
    }

    fn sleep_while_waiting(&self, gpus: usize) -> Result<(), String> {
        // SAFETY: the types in cuda.h.
        let (start, get, set) = unsafe {
            (
                self.function::<unsafe extern "C" fn(c_uint) -> Code>(c"cuInit")?,
                self.function::<unsafe extern "C" fn(*mut c_int, c_int) -> Code>(c"cuDeviceGet")?,
                self.function::<unsafe extern "C" fn(c_int, c_uint) -> Code>(c"cuDevicePrimaryCtxSetFlags_v2")?,
            )
        };
        // SAFETY: cuInit takes no flags; the device's place is one for the answer.
        self.checked(unsafe { start(0) })?;
        (0..gpus).try_for_each(|gpu| {
            let mut device = 0;
            self.checked(unsafe { get(&mut device, gpu as c_int) })?;
            self.checked(unsafe { set(device, BLOCKING) })
        })
    }

    /// An error in the driver's own words.
    fn checked(&self, code: Code) -> Result<(), String> {
        if code == 0 {
            return Ok(());
        }
        let mut text: *const c_char = std::ptr::null();
        // SAFETY: the type in cuda.h; it sets the pointer to a constant, or to null.
        let said = unsafe {
            self.function::<unsafe extern "C" fn(Code, *mut *const c_char) -> Code>(c"cuGetErrorString")?(
                code, &mut text,
            );
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        Err(format!("{} (error {code})", said.as_deref().unwrap_or("an unknown error")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_names() {
        assert_eq!((cuda_name(12040), cuda_name(13000)), ("12.4".into(), "13.0".into()));
    }

    #[test]
    fn the_driver_of_this_machine_answers_or_is_absent() {
        // Whatever it is: asked twice, it is the same.
        assert_eq!(Driver::here(), Driver::here());
        assert!(Driver::here().gpus().iter().all(|gpu| !gpu.name.is_empty() && gpu.memory > 0));
    }

    #[test]
    fn waits_for_a_gpu_sleep() {
        assert!(!sleep_while_waiting(0));
        if !tch::Cuda::is_available() {
            return;
        }
        assert!(sleep_while_waiting(1));
        let made = tch::Tensor::zeros([1], (tch::Kind::Float, tch::Device::Cuda(0)));
        // SAFETY: the name ends with 0, and this is the function's type.
        let found = unsafe {
            let flags = libc::dlsym(libc::RTLD_DEFAULT, c"cudaGetDeviceFlags".as_ptr());
            let flags: extern "C" fn(*mut c_uint) -> c_int = std::mem::transmute(flags);
            let mut found = 0;
            assert_eq!(flags(&mut found), 0);
            found
        };
        assert_eq!(found & 7, BLOCKING);
        drop(made);
    }
}
