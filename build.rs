//! Lets the binary and the tests find libtorch at run time without LD_LIBRARY_PATH, links its CUDA part where it has one, and compiles
//! the C++ functions by which its switches, fused optimisers and process groups are called.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // cargo reads what is printed, and wants its files in OUT_DIR

use std::path::{Path, PathBuf};

/// A C++ file that is compiled against libtorch's headers.
struct Shim {
    file: &'static str,
    /// The name of the library, and of the cfg that says that it is there.
    name: &'static str,
    /// A header without which it is left out: what it does is then an error of the option that asks for it, or done in another way.
    header: &'static str,
    /// Flags of its own.
    flags: &'static [&'static str],
}

const SHIMS: [Shim; 5] = [
    Shim { file: "src/torch/flags.cpp", name: "libtorch_flags", header: "ATen/Context.h", flags: &[] },
    Shim { file: "src/torch/fused.cpp", name: "fused_optimisers", header: "ATen/ops/_fused_adamw.h", flags: &[] },
    Shim {
        file: "src/torch/clamp.cpp",
        name: "clamp_in_place",
        header: "torch/csrc/autograd/custom_function.h",
        flags: &["-fno-trapping-math"],
    },
    Shim {
        file: "src/torch/one_pass.cpp",
        name: "one_pass",
        header: "ATen/TensorIterator.h",
        // No product and sum become one operation by themselves, and roots and branches may be computed for many values at once.
        flags: &["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    },
    Shim {
        file: "src/distributed/shim.cpp",
        name: "process_groups",
        header: "torch/csrc/distributed/c10d/TCPStore.hpp",
        flags: &[],
    },
];

fn main() {
    // Said once, this replaces cargo's rule that any changed file of the package runs this anew.
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/torch/caught.h");
    println!("cargo:rerun-if-changed=src/torch/wide.h");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    for Shim { file, name, .. } in &SHIMS {
        println!("cargo:rustc-check-cfg=cfg({name})");
        println!("cargo:rerun-if-changed={file}");
    }
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from);
    if let Some(out) = &out {
        // Earlier versions of this script wrote it there; the linker would take it before that of a libtorch with CUDA.
        let _ = std::fs::remove_file(out.join("libtorch_cuda.a"));
    }
    let Some(libtorch) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        return;
    };
    SHIMS.iter().for_each(|shim| compile(shim, &libtorch));
    let lib = libtorch.join("lib");
    // Set-up may put another kind of libtorch at the same path. Files that are absent are left out: cargo takes them as
    // changed in each build.
    let version = libtorch.parent().map(|folder| folder.join("version"));
    let watched = ["libtorch.so", "libtorch_cpu.so", "libtorch_cuda.so"].map(|name| lib.join(name));
    let of_python = [libtorch.join("build-version"), libtorch.join("version.py")];
    for path in watched.into_iter().chain(of_python).chain(version).filter(|path| path.is_file()) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    // A copy beside an installed program, which `make install LIBTORCH_COPY=1` makes, comes first.
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/cpsd/torch/lib");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    // What torch-sys links was decided when it was built, for the libtorch that was there; its build script does not look again.
    if lib.join("libtorch_cuda.so").exists() {
        // CUDA kernels register themselves from libtorch_cuda, which nothing refers to by symbol.
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
        println!("cargo:rustc-link-search=native={}", lib.display());
    } else if let Some(out) = out {
        // It may still name libtorch_cuda: an archive without members links to nothing. It has a folder of its own, as the crate
        // cc adds OUT_DIR to the folders that the linker searches, for a libtorch with CUDA too.
        let folder = out.join("without_cuda");
        let made = std::fs::create_dir_all(&folder);
        if let Err(error) = made.and_then(|()| std::fs::write(folder.join("libtorch_cuda.a"), "!<arch>\n")) {
            println!("cargo:warning=an empty libtorch_cuda.a cannot be written: {error}");
        }
        println!("cargo:rustc-link-search=native={}", folder.display());
    }
}

/// Compiles a shim with the flags of torch-sys.
fn compile(shim: &Shim, libtorch: &Path) {
    let include = libtorch.join("include");
    if !include.join(shim.header).exists() {
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
        // The classes of process groups are declared without their functions, which must be called through their tables.
        .flag_if_supported("-fno-devirtualize")
        .file(shim.file);
    for flag in shim.flags {
        build.flag(flag);
    }
    if libtorch.join("lib/libtorch_cuda.so").exists() {
        build.define("CPSD_NCCL", None);
    }
    build.compile(shim.name);
    println!("cargo:rustc-cfg={}", shim.name);
}
