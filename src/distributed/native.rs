//! The C functions of `shim.cpp`. Each returns null, or a message.

use std::ffi::{CString, c_char, c_int, c_void};

use crate::error::{Error, Result};
use crate::torch;

/// A C++ object behind a pointer.
pub(super) type Handle = *mut c_void;

#[cfg(process_groups)]
unsafe extern "C" {
    pub(super) fn cpsd_store_new(
        host: *const c_char,
        port: u16,
        server: c_int,
        descriptor: c_int,
        timeout: i64,
        store: *mut Handle,
    ) -> *mut c_char;
    pub(super) fn cpsd_store_free(store: Handle);
    pub(super) fn cpsd_store_set(store: Handle, key: *const c_char, bytes: *const u8, length: usize) -> *mut c_char;
    pub(super) fn cpsd_store_get(
        store: Handle,
        key: *const c_char,
        bytes: *mut *mut u8,
        length: *mut usize,
    ) -> *mut c_char;
    pub(super) fn cpsd_bytes_free(bytes: *mut u8);
    pub(super) fn cpsd_has_nccl() -> c_int;
    pub(super) fn cpsd_group_new(
        store: Handle,
        prefix: *const c_char,
        nccl: c_int,
        rank: c_int,
        size: c_int,
        joining: i64,
        timeout: i64,
        group: *mut Handle,
    ) -> *mut c_char;
    pub(super) fn cpsd_group_free(group: Handle);
    pub(super) fn cpsd_group_all_reduce(group: Handle, tensor: Handle, pending: *mut Handle) -> *mut c_char;
    pub(super) fn cpsd_group_broadcast(group: Handle, tensor: Handle, root: c_int, pending: *mut Handle)
    -> *mut c_char;
    pub(super) fn cpsd_pending_done(pending: Handle, done: *mut c_int) -> *mut c_char;
    pub(super) fn cpsd_pending_free(pending: Handle);
    pub(super) fn cpsd_group_sum(group: Handle, tensor: Handle, sum: *mut Handle) -> *mut c_char;
}

#[cfg(not(process_groups))]
pub(super) use absent::*;

/// The same functions where libtorch came without the headers of its process groups.
#[cfg(not(process_groups))]
#[allow(clippy::missing_safety_doc, clippy::too_many_arguments)]
mod absent {
    use super::*;

    macro_rules! absent {
        ($($name:ident($($of:ty),*);)+) => {
            $(pub unsafe fn $name($(_: $of),*) -> *mut c_char {
                // SAFETY: copies a text that ends with 0.
                unsafe { libc::strdup(c"this libtorch was built without process groups (c10d)".as_ptr()) }
            })+
        };
    }

    absent! {
        cpsd_store_new(*const c_char, u16, c_int, c_int, i64, *mut Handle);
        cpsd_store_set(Handle, *const c_char, *const u8, usize);
        cpsd_store_get(Handle, *const c_char, *mut *mut u8, *mut usize);
        cpsd_group_new(Handle, *const c_char, c_int, c_int, c_int, i64, i64, *mut Handle);
        cpsd_group_all_reduce(Handle, Handle, *mut Handle);
        cpsd_group_broadcast(Handle, Handle, c_int, *mut Handle);
        cpsd_pending_done(Handle, *mut c_int);
        cpsd_group_sum(Handle, Handle, *mut Handle);
    }

    pub unsafe fn cpsd_has_nccl() -> c_int {
        0
    }

    pub unsafe fn cpsd_store_free(_: Handle) {}
    pub unsafe fn cpsd_bytes_free(_: *mut u8) {}
    pub unsafe fn cpsd_group_free(_: Handle) {}
    pub unsafe fn cpsd_pending_free(_: Handle) {}
}

/// The message that a function returned, as one line; none if it worked.
pub(super) fn message(text: *mut c_char) -> Option<String> {
    torch::owned_text(text).map(|message| sentence(&message))
}

/// The first line, without the place in the C++ sources before it.
fn sentence(message: &str) -> String {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message");
    let line = match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((place, rest)) if place.contains(".cc:") || place.contains(".cpp:") => rest,
        _ => line,
    };
    line.trim_end_matches('.').to_string()
}

pub(super) fn text(of: &str) -> Result<CString> {
    CString::new(of).map_err(|_| Error::internal("a name holds a character 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_without_places() {
        let gloo =
            "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:42\nmore";
        assert_eq!(sentence(gloo), "Connection closed by peer [127.0.0.1]:42");
        assert_eq!(sentence("\n[rank 1] gone."), "[rank 1] gone");
    }
}
