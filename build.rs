//! Lets the binary and the tests find libtorch at run time without LD_LIBRARY_PATH.

#![allow(clippy::disallowed_macros)] // cargo reads what is printed

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let Some(libtorch) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        return;
    };
    let lib = libtorch.join("lib");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    // CUDA kernels register themselves from libtorch_cuda, which nothing refers to by symbol.
    if Path::new(&lib.join("libtorch_cuda.so")).exists() {
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
        println!("cargo:rustc-link-search=native={}", lib.display());
    }
}
