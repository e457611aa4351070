//! Pretended GPUs: the library of tests/pretended_gpu, built once, and what a process needs to see them.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{err, out, root};

/// The library. None, and a line that says why, where libtorch has real CUDA kernels.
pub fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    LIBRARY.get_or_init(build).as_deref()
}

/// The folder of the libtorch that this process runs on.
fn libtorch() -> PathBuf {
    let (_, path) = cpsd::torch::version().expect("libtorch says its version");
    Path::new(&path).parent().unwrap().parent().unwrap().to_path_buf()
}

fn build() -> Option<PathBuf> {
    let torch = libtorch();
    if torch.join("lib/libtorch_cuda.so").exists() {
        println!("skipped: this libtorch has CUDA");
        return None;
    }
    let source = root("tests/pretended_gpu/lib.cpp");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let content = [std::fs::read(&source).unwrap().as_slice(), torch.as_os_str().as_encoded_bytes()].concat();
    let library = folder.join(format!("pretended_gpu-{}.so", &blake3::hash(&content).to_hex()[..16]));
    // Test programs run side by side.
    let lock = File::create(folder.join("pretended_gpu.lock")).unwrap();
    lock.lock().unwrap();
    if !library.exists() {
        let made = folder.join("pretended_gpu.new");
        let lib = torch.join("lib");
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let output = Command::new(compiler)
            .args(["-std=c++20", "-O1", "-fPIC", "-shared", "-w", "-o"])
            .arg(&made)
            .arg("-Wl,--no-as-needed")
            .arg(&source)
            .arg(format!("-I{}", torch.join("include").display()))
            .arg(format!("-L{}", lib.display()))
            .arg(format!("-Wl,-rpath,{}", lib.display()))
            .args(["-ltorch_cpu", "-lc10"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", err(&output));
        std::fs::rename(&made, &library).unwrap();
    }
    Some(library)
}

/// The environment of a process that sees two pretended GPUs and uses `device`: "cuda:0", "cuda:1" or "cuda:0,cuda:1".
pub fn environment(library: &Path, device: &str) -> Vec<(&'static str, OsString)> {
    vec![("LD_PRELOAD", library.into()), ("CPSD_DEVICE", device.into())]
}

/// Runs a test of this program in a process that uses `device`.
pub fn runs_on(device: &str, test: &str) {
    let Some(library) = library() else { return };
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env("CPSD_TEST_ALONE", "1")
        .envs(environment(library, device))
        .output()
        .unwrap();
    let said = format!("{}{}", out(&output), err(&output));
    assert!(output.status.success() && said.contains("1 passed"), "{test} on {device}\n{said}");
}
