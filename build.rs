//! Lets the binary and the tests find libtorch at run time without LD_LIBRARY_PATH.

#![allow(clippy::disallowed_macros)] // cargo reads what is printed

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rustc-check-cfg=cfg(process_groups)");
    let Some(libtorch) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        return;
    };
    let lib = libtorch.join("lib");
    process_groups(&libtorch);
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    // CUDA kernels register themselves from libtorch_cuda, which nothing refers to by symbol.
    if Path::new(&lib.join("libtorch_cuda.so")).exists() {
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
        println!("cargo:rustc-link-search=native={}", lib.display());
    }
}

/// Compiles the functions through which PyTorch's process groups are called, with the flags of torch-sys. A libtorch without
/// their headers does without: a training of several processes is then an error.
fn process_groups(libtorch: &Path) {
    const SHIM: &str = "src/distributed/shim.cpp";
    println!("cargo:rerun-if-changed={SHIM}");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let include = libtorch.join("include");
    if !include.join("torch/csrc/distributed/c10d/TCPStore.hpp").exists() {
        return;
    }
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".into());
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .pic(true)
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .flag("-std=c++17")
        .flag(format!("-D_GLIBCXX_USE_CXX11_ABI={abi}"))
        // The classes of the groups are declared without their functions, which must be called through their tables.
        .flag_if_supported("-fno-devirtualize")
        .file(SHIM);
    if libtorch.join("lib/libtorch_cuda.so").exists() {
        build.define("CPSD_NCCL", None);
    }
    build.compile("cpsd_process_groups");
    println!("cargo:rustc-cfg=process_groups");
}
