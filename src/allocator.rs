//! Where memory comes from: jemalloc, for Rust and, since its functions have the names of the C library's, for libtorch.
//!
//! A training takes and frees the same large tensors in every step. glibc gives each of them back to the system and asks for it anew, which
//! must fill it with zeros: a fifth of all processor time of a training of small_cnn at 224 pixels. jemalloc keeps what was freed for ten
//! seconds, and the same training with its evaluations takes five sixths of the time (2 cores of a Xeon, 2026-11-28;
//! docs/architecture.md has the figures and what else was tried).

use std::ptr::null_mut;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// By default jemalloc gives back at once what has more than 8 MiB, as most tensors have; and it keeps addresses that it has given back, of
/// which `ulimit -v` allows so many. MALLOC_CONF in the environment wins.
#[unsafe(export_name = "malloc_conf")]
static SETTINGS: &[u8] = b"oversize_threshold:0,dirty_decay_ms:10000,retain:false\0";

/// Has a thread give freed memory back to the system after ten seconds also while the program only waits.
pub fn give_back_when_idle() {
    let mut on = true;
    // SAFETY: the setting of this name is a bool, which is read from here and written nowhere. Its failure leaves memory where it is.
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
