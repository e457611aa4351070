//! Lets the binary and the tests find libtorch at run time without LD_LIBRARY_PATH.

#![allow(clippy::disallowed_macros)] // cargo reads what is printed

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rustc-check-cfg=cfg(libtorch_flags)");
    let Some(libtorch) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        return;
    };
    flags(&libtorch);
    let lib = libtorch.join("lib");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    // CUDA kernels register themselves from libtorch_cuda, which nothing refers to by symbol.
    if Path::new(&lib.join("libtorch_cuda.so")).exists() {
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
        println!("cargo:rustc-link-search=native={}", lib.display());
    }
}

/// Compiles the switches of libtorch that its C interface lacks, with the flags of torch-sys.
fn flags(libtorch: &Path) {
    const SHIM: &str = "src/torch/flags.cpp";
    println!("cargo:rerun-if-changed={SHIM}");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let include = libtorch.join("include");
    if !include.join("ATen/Context.h").exists() {
        return;
    }
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".into());
    cc::Build::new()
        .cpp(true)
        .pic(true)
        .warnings(false)
        .include(&include)
        .flag("-std=c++17")
        .flag(format!("-D_GLIBCXX_USE_CXX11_ABI={abi}"))
        .file(SHIM)
        .compile("cpsd_flags");
    println!("cargo:rustc-cfg=libtorch_flags");
}
