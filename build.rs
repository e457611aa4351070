//! Compiles the C and C++ functions by which libtorch is called into one shared library that the program holds as bytes, and a jump for
//! each of its functions that loads it at the first call. So the program itself is not linked with libtorch, whose loading takes 0.2 s.
//!
//! The functions are those of torch-sys, the crate below tch, and this crate's own.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // cargo reads what is printed, and wants its files in OUT_DIR

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A C++ file of this crate that is compiled against libtorch's headers.
struct Shim {
    file: &'static str,
    /// The name of the cfg that says that it is there.
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

/// The libtorch that torch-sys 0.26 is made for.
const TORCH: &str = "2.13.0";

/// The files of torch-sys. They take four minutes, so they are compiled only for another libtorch.
const OF_TORCH_SYS: [&str; 2] = ["torch_api.cpp", "torch_api_generated.cpp"];

fn main() {
    // Said once, this replaces cargo's rule that any changed file of the package runs this anew.
    for file in ["build.rs", "src/torch/caught.h", "src/torch/wide.h"] {
        println!("cargo:rerun-if-changed={file}");
    }
    for variable in ["LIBTORCH", "LIBTORCH_CXX11_ABI"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    println!("cargo:rustc-check-cfg=cfg(linked_with_cuda)");
    for Shim { file, name, .. } in &SHIMS {
        println!("cargo:rustc-check-cfg=cfg({name})");
        println!("cargo:rerun-if-changed={file}");
    }
    let (Some(libtorch), Some(out)) = (folder("LIBTORCH"), folder("OUT_DIR")) else {
        stop("LIBTORCH names no folder: `make libtorch` brings libtorch, and .cargo/config.toml says where it is");
    };
    let lib = libtorch.join("lib");
    if !lib.join("libtorch_cpu.so").is_file() {
        stop(&format!("no libtorch in LIBTORCH={}: `make libtorch` brings it", libtorch.display()));
    }
    // Set-up may put another kind of libtorch at the same path. Files that are absent are left out: cargo takes them as
    // changed in each build.
    let watched = ["libtorch.so", "libtorch_cpu.so", "libtorch_cuda.so"].map(|name| lib.join(name));
    let versions = ["../version", "build-version", "version.py"].map(|name| libtorch.join(name));
    for path in watched.iter().chain(&versions).filter(|path| path.is_file()) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    // The program asks the loader for libtorch by name. A copy beside an installed program, which `make install LIBTORCH_COPY=1` makes,
    // comes first.
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/cpsd/torch/lib");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    let has_cuda = lib.join("libtorch_cuda.so").is_file();
    if has_cuda {
        println!("cargo:rustc-cfg=linked_with_cuda");
    }
    check_version(&libtorch);
    let mut objects = of_torch_sys(&libtorch, &out, &watched, &versions);
    objects.extend(SHIMS.iter().flat_map(|shim| of_shim(shim, &libtorch, &out, has_cuda)));
    let callbacks = symbols(&["--undefined-only"], &objects, |name, _| name.starts_with("tch_"));
    let processor = Processor::of_target();
    objects.extend(assembled("callbacks", &callbacks_of_program(&callbacks, &processor), &out).compile_intermediates());
    let library = out.join("libcpsd_torch.so");
    link(&objects, &library, &lib, has_cuda);
    let is_function = |name: &str, kind: &str| kind == "T" && !name.starts_with('_');
    let functions = symbols(&["-D", "--defined-only"], std::slice::from_ref(&library), is_function);
    assembled("jumps", &jumps(&functions, &callbacks, &processor), &out).compile("cpsd_torch_jumps");
}

fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn stop(sentence: &str) -> ! {
    eprintln!("{sentence}");
    std::process::exit(1);
}

/// Stops at a libtorch that torch-sys does not fit, as its own build script would: by the file of its archives.
fn check_version(libtorch: &Path) {
    const BYPASS: &str = "LIBTORCH_BYPASS_VERSION_CHECK";
    println!("cargo:rerun-if-env-changed={BYPASS}");
    let Ok(text) = std::fs::read_to_string(libtorch.join("build-version")) else { return };
    let version = text.trim().split('+').next().unwrap_or_default();
    if version != TORCH && std::env::var_os(BYPASS).is_none() {
        stop(&format!(
            "this tch needs libtorch {TORCH}; got {version} in {} ({BYPASS}=1 takes it)",
            libtorch.display()
        ));
    }
}

/// A compiler with libtorch's headers and the flags of torch-sys.
fn compiler(libtorch: &Path) -> cc::Build {
    let include = libtorch.join("include");
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".into());
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .pic(true)
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .flag("-std=c++17")
        .flag(format!("-D_GLIBCXX_USE_CXX11_ABI={abi}"));
    build
}

/// The object of a shim, if libtorch came with its header.
fn of_shim(shim: &Shim, libtorch: &Path, out: &Path, has_cuda: bool) -> Vec<PathBuf> {
    if !libtorch.join("include").join(shim.header).exists() {
        return Vec::new();
    }
    println!("cargo:rustc-cfg={}", shim.name);
    let mut build = compiler(libtorch);
    // The classes of process groups are declared without their functions, which must be called through their tables.
    build.flag_if_supported("-fno-devirtualize").file(shim.file).out_dir(out.join("shims"));
    for flag in shim.flags {
        build.flag(flag);
    }
    if has_cuda {
        build.define("CPSD_NCCL", None);
    }
    build.compile_intermediates()
}

/// The objects of torch-sys' own functions, from an earlier build where libtorch is the same.
fn of_torch_sys(libtorch: &Path, out: &Path, libraries: &[PathBuf], versions: &[PathBuf]) -> Vec<PathBuf> {
    let sources = torch_sys().join("libtch");
    // What decides them: the files, the headers and the compiler's flags.
    let mut decides = format!("{}\n{}\n", sources.display(), libtorch.display());
    for variable in ["LIBTORCH_CXX11_ABI", "OPT_LEVEL", "TARGET", "CXX", "CXXFLAGS"] {
        let _ = writeln!(decides, "{variable}={}", std::env::var(variable).unwrap_or_default());
    }
    for version in versions {
        decides.push_str(&std::fs::read_to_string(version).unwrap_or_default());
    }
    for library in libraries {
        let size = library.metadata().map_or(0, |data| data.len());
        let _ = writeln!(decides, "{size}");
    }
    let (folder, said) = (out.join("torch_sys"), out.join("torch_sys.decided"));
    let objects = || -> Vec<PathBuf> {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "o")).collect()
    };
    if std::fs::read_to_string(&said).is_ok_and(|text| text == decides) && objects().len() == OF_TORCH_SYS.len() {
        return objects();
    }
    let _ = std::fs::remove_dir_all(&folder);
    let mut build = compiler(libtorch);
    build.flag("-DGLOG_USE_GLOG_EXPORT").out_dir(&folder).files(OF_TORCH_SYS.map(|file| sources.join(file)));
    let made = build.compile_intermediates();
    if let Err(error) = std::fs::write(&said, decides) {
        println!("cargo:warning={} cannot be written, so the next build takes as long: {error}", said.display());
    }
    made
}

/// The folder of torch-sys' source. Its own build script, which would link the program with libtorch, is told to do nothing.
fn torch_sys() -> PathBuf {
    // Cargo names the packages of tests too, which a build has not downloaded.
    let mut said = String::new();
    for more in [&["--offline"][..], &[]] {
        match metadata(more) {
            Ok(text) => {
                let ends = |text: &str| text.find("/Cargo.toml\"").map(|end| PathBuf::from(&text[..end]));
                let mut folders = text.split("\"manifest_path\":\"").skip(1).filter_map(ends);
                let is_it = |folder: &PathBuf| {
                    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("torch-sys"))
                };
                return folders.find(is_it).unwrap_or_else(|| stop("cargo metadata names no torch-sys"));
            }
            Err(text) => said = text,
        }
    }
    stop(&format!("cargo metadata: {said}"))
}

fn metadata(more: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = std::env::var("TARGET").unwrap_or_default();
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--filter-platform", &target]).args(more);
    let answer = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if answer.status.success() { Ok(text(&answer.stdout)) } else { Err(text(&answer.stderr)) }
}

/// Makes the shared library, which needs libtorch and nothing of the program.
fn link(objects: &[PathBuf], library: &Path, lib: &Path, has_cuda: bool) {
    let mut command = cc::Build::new().cpp(true).get_compiler().to_command();
    command.arg("-shared").arg("-o").arg(library).args(objects).arg(format!("-L{}", lib.display()));
    command.args([
        "-Wl,--no-as-needed",
        "-Wl,-z,defs",
        "-Wl,-Bsymbolic",
        "-Wl,--strip-all",
        "-Wl,-soname,libcpsd_torch.so",
        "-ltorch_cpu",
        "-lc10",
    ]);
    if has_cuda {
        command.args(["-ltorch_cuda", "-lc10_cuda"]);
    }
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => stop(&format!("the linker failed: {status}")),
        Err(error) => stop(&format!("the linker cannot be called: {error}")),
    }
}

/// The names in files that nm lists so, of the wanted ones.
fn symbols(options: &[&str], files: &[PathBuf], wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let nm = std::env::var_os("NM").unwrap_or_else(|| "nm".into());
    let asked = Command::new(nm).args(options).arg("--format=posix").args(files).output();
    let Ok(answer) = asked else { stop("nm is needed (Debian, Ubuntu: apt install binutils)") };
    let text = String::from_utf8_lossy(&answer.stdout);
    let name = |line: &str| {
        let mut words = line.split(' ');
        let (name, kind) = (words.next()?, words.next()?);
        wanted(name, kind).then(|| name.to_string())
    };
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        stop(&format!("nm finds none of the expected names in {files:?}: {}", String::from_utf8_lossy(&answer.stderr)));
    }
    names
}

/// A compiler for assembly, which is written to a file first.
fn assembled(name: &str, code: &str, out: &Path) -> cc::Build {
    let file = out.join(format!("{name}.s"));
    if let Err(error) = std::fs::write(&file, code) {
        stop(&format!("{}: {error}", file.display()));
    }
    let mut build = cc::Build::new();
    build.file(&file);
    build
}

/// Assembly of the target's processor.
struct Processor {
    /// Goes on at the address in a table, whose place is given.
    jump: fn(&str) -> String,
    /// Calls `cpsd_torch_first` and nothing else.
    load: &'static str,
    /// `cpsd_torch_first`: calls `cpsd_torch_load` with all registers of arguments kept.
    first: &'static str,
}

impl Processor {
    fn of_target() -> Processor {
        match std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default().as_str() {
            "x86_64" => Processor {
                jump: |place| format!("jmp *{place}(%rip)"),
                load: "call cpsd_torch_first",
                first: FIRST_X86_64,
            },
            "aarch64" => Processor {
                jump: |place| format!("adrp x16, {place}\n add x16, x16, #:lo12:{place}\n ldar x16, [x16]\n br x16"),
                load: "str x30, [sp, #-16]!\n bl cpsd_torch_first\n ldr x30, [sp], #16",
                first: FIRST_AARCH64,
            },
            other => stop(&format!("build.rs has no jumps for the processor {other}, only for x86_64 and aarch64")),
        }
    }
}

/// For the library: a jump to each function of the program that it calls, through a table that the program fills.
fn callbacks_of_program(names: &[String], processor: &Processor) -> String {
    let mut code = String::from(".text\n");
    for (i, name) in names.iter().enumerate() {
        let jump = (processor.jump)(&format!("cpsd_torch_callbacks+{}", 8 * i));
        let _ = writeln!(code, ".p2align 4\n.globl {name}\n.hidden {name}\n.type {name}, %function\n{name}:\n {jump}");
    }
    // Two names of one table: a jump inside of a library needs one that no other library can replace.
    let size = 8 * names.len();
    let _ = writeln!(code, ".bss\n.p2align 3\n.globl cpsd_torch_filled\n.type cpsd_torch_filled, %object");
    let _ = writeln!(code, ".size cpsd_torch_filled, {size}\ncpsd_torch_filled:\ncpsd_torch_callbacks:\n .zero {size}");
    code + END
}

/// For the program: a jump to each function of the library, through a table of addresses: at first those of a call that loads the library
/// and fills the table. And the addresses that go into the library's own table.
fn jumps(names: &[String], callbacks: &[String], processor: &Processor) -> String {
    let mut code = format!(".text\n{}\n", processor.first);
    let mut table =
        String::from(".data\n.p2align 3\n.globl cpsd_torch_table\n.hidden cpsd_torch_table\ncpsd_torch_table:\n");
    let mut texts =
        String::from(".section .rodata\n.globl cpsd_torch_names\n.hidden cpsd_torch_names\ncpsd_torch_names:\n");
    for (i, name) in names.iter().enumerate() {
        let jump = (processor.jump)(&format!("cpsd_torch_table+{}", 8 * i));
        let _ = writeln!(code, ".p2align 4\n.globl {name}\n.hidden {name}\n.type {name}, %function\n{name}:\n {jump}");
        let _ = writeln!(code, ".Lfirst{i}:\n {}\n {jump}", processor.load);
        let _ = writeln!(table, " .quad .Lfirst{i}");
        let _ = writeln!(texts, " .asciz \"{name}\"");
    }
    table.push_str(".globl cpsd_torch_given\n.hidden cpsd_torch_given\ncpsd_torch_given:\n");
    for name in callbacks {
        let _ = writeln!(table, " .quad {name}");
    }
    // A zero and an empty name end them.
    [&code, &table, " .quad 0\n", &texts, " .asciz \"\"\n", END].concat()
}

/// The stack needs no right to be executed.
const END: &str = ".section .note.GNU-stack,\"\",%progbits\n";

/// Calls `cpsd_torch_load` with the registers of arguments kept. Its stack may have any alignment.
const FIRST_X86_64: &str = "
cpsd_torch_first:
 push %rbp
 mov %rsp, %rbp
 and $-16, %rsp
 push %rdi
 push %rsi
 push %rdx
 push %rcx
 push %r8
 push %r9
 push %rax
 push %r10
 sub $128, %rsp
 movups %xmm0, (%rsp)
 movups %xmm1, 16(%rsp)
 movups %xmm2, 32(%rsp)
 movups %xmm3, 48(%rsp)
 movups %xmm4, 64(%rsp)
 movups %xmm5, 80(%rsp)
 movups %xmm6, 96(%rsp)
 movups %xmm7, 112(%rsp)
 call cpsd_torch_load
 movups (%rsp), %xmm0
 movups 16(%rsp), %xmm1
 movups 32(%rsp), %xmm2
 movups 48(%rsp), %xmm3
 movups 64(%rsp), %xmm4
 movups 80(%rsp), %xmm5
 movups 96(%rsp), %xmm6
 movups 112(%rsp), %xmm7
 add $128, %rsp
 pop %r10
 pop %rax
 pop %r9
 pop %r8
 pop %rcx
 pop %rdx
 pop %rsi
 pop %rdi
 mov %rbp, %rsp
 pop %rbp
 ret
";

const FIRST_AARCH64: &str = "
cpsd_torch_first:
 stp x29, x30, [sp, #-16]!
 mov x29, sp
 stp x0, x1, [sp, #-16]!
 stp x2, x3, [sp, #-16]!
 stp x4, x5, [sp, #-16]!
 stp x6, x7, [sp, #-16]!
 str x8, [sp, #-16]!
 stp q0, q1, [sp, #-32]!
 stp q2, q3, [sp, #-32]!
 stp q4, q5, [sp, #-32]!
 stp q6, q7, [sp, #-32]!
 bl cpsd_torch_load
 ldp q6, q7, [sp], #32
 ldp q4, q5, [sp], #32
 ldp q2, q3, [sp], #32
 ldp q0, q1, [sp], #32
 ldr x8, [sp], #16
 ldp x6, x7, [sp], #16
 ldp x4, x5, [sp], #16
 ldp x2, x3, [sp], #16
 ldp x0, x1, [sp], #16
 ldp x29, x30, [sp], #16
 ret
";
