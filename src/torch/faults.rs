//! What a failure of libtorch means: memory that ended, a GPU that this process has lost, or an operation that was refused.
//!
//! libtorch tells them apart by its message alone.

use crate::error::{Error, ErrorKind};

/// The meaning of a failure of libtorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The memory of the GPU or of the machine does not suffice. A smaller operation may succeed.
    OutOfMemory,
    /// CUDA failed in a way that stays: every later CUDA operation of this process fails too.
    LostDevice,
    /// Anything else: shapes, element types, numbers out of range.
    Refused,
}

/// Parts of messages of memory that ended. The handles of cuBLAS and cuDNN take memory too, and are not made where there is none.
const OUT_OF_MEMORY: &[&str] = &[
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUDA driver error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
];

/// Errors after which CUDA's documentation says that the process must be ended, as CUDA words them. cuBLAS and cuDNN say no more than
/// that a kernel failed.
const LOST_DEVICE: &[&str] = &[
    "device-side assert triggered",
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "misaligned address",
    "operation not supported on global/shared address space",
    "invalid program counter",
    "unspecified launch failure",
    "the launch timed out and was terminated",
    "hardware stack error",
    "uncorrectable ECC error encountered",
    "uncorrectable NVLink error",
    "Invalid access of peer GPU memory over nvlink or a hardware error",
    "GPU is lost",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
];

impl Fault {
    /// The meaning of a whole message.
    pub fn of(message: &str) -> Fault {
        let any = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
        // Words of CUDA alone: an error of another part may quote them.
        let cuda = || ["CUDA", "CUBLAS", "CUDNN", "cuBLAS", "cuDNN"].iter().any(|name| message.contains(name));
        match () {
            () if any(OUT_OF_MEMORY) => Fault::OutOfMemory,
            () if cuda() && any(LOST_DEVICE) => Fault::LostDevice,
            () => Fault::Refused,
        }
    }
}

/// The error of a message of libtorch: one sentence, with help where there is a way on.
pub fn error(message: &str) -> Error {
    match Fault::of(message) {
        Fault::OutOfMemory => Error::new(ErrorKind::Memory, out_of_memory(message)).with_help(match of_machine(message) {
            Some(_) => "fewer numbers at once need less: smaller Tensors, fewer pictures, a smaller image_size or model",
            None => "fewer pictures at once, a smaller image_size or a smaller model need less; nvidia-smi shows which other programs use a card",
        }),
        Fault::LostDevice => Error::new(
            ErrorKind::Device,
            format!("CUDA failed, and with it every later CUDA operation of this process: {}", reason(message)),
        )
        .with_help(
            "start cpsd again: finished runs and checkpoints are kept; workers: \"processes\" trains in processes of their own, \
             and CUDA_LAUNCH_BLOCKING=1 finds the operation",
        ),
        Fault::Refused => Error::new(ErrorKind::Tensor, reason(message)),
    }
}

/// The message of libtorch without its C++ trace: the first line that is not empty.
fn reason(message: &str) -> String {
    let text = message.split("\nException raised from").next().unwrap_or(message);
    let text = text.trim().trim_start_matches("Internal torch error:");
    text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("libtorch refused the operation").to_string()
}

/// `out of memory on cuda:0: 2.00 GiB more are needed; of its 79.11 GiB 1.27 GiB are free, this process has 77.83 GiB`, as far as the
/// message says it.
fn out_of_memory(message: &str) -> String {
    let size = |before: &str| amount(message, before);
    if let Some(bytes) = of_machine(message) {
        let said = bytes.parse().map_or(format!("{bytes} bytes"), crate::memory::said);
        return format!("the memory of the machine does not suffice: {said} more are needed");
    }
    let Some(needed) = size("Tried to allocate ") else {
        return format!("out of memory on the GPU: {}", reason(message));
    };
    let digits: String =
        message.split("GPU ").nth(1).unwrap_or("").chars().take_while(|c| c.is_ascii_digit()).collect();
    let card = if digits.is_empty() { "the GPU".to_string() } else { format!("cuda:{digits}") };
    let mut said = format!("out of memory on {card}: {needed} more are needed");
    if let (Some(all), Some(free)) = (size("total capacity of "), size("of which ")) {
        said.push_str(&format!("; of its {all}, {free} are free"));
    }
    match (size("this process has "), size("Of the allocated memory ")) {
        (Some(own), _) => said.push_str(&format!(", and this process has {own}")),
        (None, Some(own)) => said.push_str(&format!(", and tensors of this process take {own}")),
        (None, None) => {}
    }
    said
}

/// The bytes that the memory of the machine, and not of a GPU, does not have.
fn of_machine(message: &str) -> Option<&str> {
    message.split("you tried to allocate ").nth(1)?.split(' ').next()
}

/// The number with its unit that follows these words: `2.26 GiB`.
fn amount(message: &str, before: &str) -> Option<String> {
    let mut words = message.split(before).nth(1)?.split_whitespace();
    let (number, unit) = (words.next()?, words.next()?);
    number.parse::<f64>().ok()?;
    Some(format!("{number} {}", unit.trim_end_matches(['.', ',', ';'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyTorch 2.4 to 2.13.
    const NEW: &str = "Internal torch error: CUDA out of memory. Tried to allocate 22.78 GiB. GPU 1 has a total capacity of 31.47 GiB of \
which 12.73 GiB is free. Including non-PyTorch memory, this process has 18.73 GiB memory in use. Of the allocated memory 9.08 GiB is \
allocated by PyTorch, and 9.35 GiB is reserved by PyTorch but unallocated. If reserved but unallocated memory is large try setting \
PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.  See documentation for Memory Management  \
(https://pytorch.org/docs/stable/notes/cuda.html#environment-variables)\nException raised from malloc at \
/pytorch/c10/cuda/CUDACachingAllocator.cpp:1534 (most recent call first):\nframe #0: c10::Error::Error";
    /// Where other processes use the card.
    const SHARED: &str = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.11 GiB of which 5.06 MiB is \
free. Process 4711 has 70.1 GiB memory in use. Of the allocated memory 8.50 GiB is allocated by PyTorch, and 12.00 MiB is reserved by \
PyTorch but unallocated.";
    /// PyTorch 1.
    const OLD: &str = "CUDA out of memory. Tried to allocate 2.26 GiB (GPU 0; 6.00 GiB total capacity; 781.59 MiB already allocated; \
3.03 GiB free; 1.24 GiB reserved in total by PyTorch)";
    const ASSERT: &str = "CUDA error: device-side assert triggered\nSearch for `cudaErrorAssert' in \
https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html for more information.\nCUDA kernel errors might be \
asynchronously reported at some other API call, so the stacktrace below might be incorrect.\nFor debugging consider passing \
CUDA_LAUNCH_BLOCKING=1\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n";

    #[test]
    fn memory_that_ended_is_said_with_what_the_card_has() {
        let said = |message: &str| {
            let error = error(message);
            assert_eq!(error.kind, ErrorKind::Memory);
            // A machine may have no card.
            let of_gpu = error.message.starts_with("out of memory on");
            assert_eq!(error.help.unwrap().contains("nvidia-smi"), of_gpu, "{message}");
            error.message
        };
        assert_eq!(
            said(NEW),
            "out of memory on cuda:1: 22.78 GiB more are needed; of its 31.47 GiB, 12.73 GiB are free, and this process has 18.73 GiB"
        );
        assert_eq!(
            said(SHARED),
            "out of memory on cuda:0: 20.00 MiB more are needed; of its 79.11 GiB, 5.06 MiB are free, and tensors of this process take 8.50 GiB"
        );
        assert_eq!(said(OLD), "out of memory on cuda:0: 2.26 GiB more are needed");
        assert_eq!(
            said(
                "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`\nException raised from createCublasHandle"
            ),
            "out of memory on the GPU: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
        );
        for message in [
            "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
            "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
            "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
            "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        ] {
            assert!(said(message).starts_with("out of memory on the GPU: "), "{message}");
        }
        let cpu = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate \
                   8589934592 bytes. Error code 12 (Cannot allocate memory)";
        assert_eq!(said(cpu), "the memory of the machine does not suffice: 8.6 GB more are needed");
    }

    #[test]
    fn a_lost_device_is_told_from_a_refused_operation() {
        let lost = error(ASSERT);
        assert_eq!(lost.kind, ErrorKind::Device);
        assert!(lost.message.ends_with(": CUDA error: device-side assert triggered"), "{}", lost.message);
        assert!(lost.help.unwrap().contains("start cpsd again"));
        for message in [
            "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be",
            "CUDA error: uncorrectable ECC error encountered\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.",
            "CUDA error: unspecified launch failure",
            "CUDA error: misaligned address",
            "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa, opb, m, n, k, &alpha, a, lda, b, ldb)`",
            "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        ] {
            assert_eq!(Fault::of(message), Fault::LostDevice, "{message}");
        }
        for message in [
            "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1",
            "CUDA error: invalid configuration argument\nCUDA kernel errors might be asynchronously reported",
            "CUDA error: no kernel image is available for execution on the device",
            "Expected all tensors to be on the same device, but got mat2 is on cpu, different from other tensors on cuda:0",
            "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)",
            "a module says: misaligned address",
        ] {
            assert_eq!(Fault::of(message), Fault::Refused, "{message}");
            assert_eq!(error(message).kind, ErrorKind::Tensor);
        }
    }
}
