//! Where memory comes from: jemalloc, for Rust and, since its functions have the names of the C library's, for libtorch.
//!
//! A training takes and frees the same large tensors in every step. glibc gives each of them back to the system and asks for it anew, which
//! must fill it with zeros: a fifth of all processor time of a training of small_cnn at 224 pixels. jemalloc, once its thread runs, keeps what was
//! freed for ten seconds, and the same training with its evaluations takes five sixths of the time (2 cores of a Xeon, 2026-11-28;
//! docs/architecture.md has the figures and what else was tried).

use std::ptr::null_mut;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// By default jemalloc gives back at once what has more than 8 MiB, as most tensors have; and it keeps addresses that it has given back, of
/// which `ulimit -v` allows so many. MALLOC_CONF in the environment wins.
#[unsafe(export_name = "malloc_conf")]
static SETTINGS: &[u8] = b"oversize_threshold:0,dirty_decay_ms:10000,retain:false\0";

// Before main, in every program that is linked with this: the functions of this array run when the shared libraries have been initialised.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

/// Starts jemalloc's own thread, which gives back what nobody has used for ten seconds.
///
/// Without it the threads that free memory do so, and far too often: frozen EfficientNet-Lite0 had a million page faults in place of
/// 74,000, and took three times as long. As one of [`SETTINGS`] the thread would be made before the libraries are initialised.
extern "C" fn start() {
    let mut on = true;
    // SAFETY: the setting of this name is a bool, which is read from here and written nowhere. Where it fails, all works on, slower.
    unsafe {
        tikv_jemalloc_sys::mallctl(
            c"background_thread".as_ptr(),
            null_mut(),
            null_mut(),
            (&raw mut on).cast(),
            size_of::<bool>(),
        );
    }
}
