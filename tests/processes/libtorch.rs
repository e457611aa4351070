//! Which libtorch is brought and linked: `setup/libtorch.sh` beside stubs of nvidia-smi, pip and df, and `build.rs` when another
//! kind of libtorch comes to the same path.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::{CPSD, err, out, root};

/// The tools of the system that set-up may use, beside the stubs.
const TOOLS: [&str; 17] = [
    "sh", "sed", "cut", "cat", "awk", "rm", "mv", "mkdir", "find", "dirname", "sort", "tr", "flock", "printf", "env",
    "ls", "sleep",
];

/// pip that unpacks wheels of a few small files, writes its arguments to `pip.log`, and fails where `pip.fails` says so.
const PIP: &str = r#"
here=$(dirname "$0")/..
[ "$3" = --version ] && exit 0
echo "$*" >>"$here/pip.log"
while [ $# -gt 0 ]; do
    case $1 in
    --target) into=$2; shift ;;
    -r) sed 's/^/needed: /' "$2" >>"$here/pip.log"; wheels=nvidia; shift ;;
    torch==*) wheels=torch ;;
    esac
    shift
done
mkdir -p "$into/$wheels"
[ "$(cat "$here/pip.fails" 2>/dev/null)" != "$wheels" ] || { echo "ERROR: no route to host" >&2; exit 1; }
if [ "$wheels" = torch ]; then
    mkdir -p "$into/torch/lib" "$into/torch/include" "$into/torch/nn" "$into/torch-2.13.0.dist-info" "$into/bin"
    for name in torch torch_cpu torch_cuda torch_cuda_linalg c10 c10_cuda torch_python; do : >"$into/torch/lib/lib$name.so"; done
    cat >"$into/torch-2.13.0.dist-info/METADATA" <<END
Requires-Dist: sympy>=1.13.3
Requires-Dist: cuda-toolkit[cublas,cudart]==13.0.3; platform_system == "Linux"
Requires-Dist: cuda-bindings<14,>=13.0.3; platform_system == "Linux"
Requires-Dist: nvidia-cudnn-cu13==9.20.0.48; platform_system == "Linux"
Requires-Dist: nvidia-extra==1; extra == "more"
Requires-Dist: triton==3.7.1; platform_system == "Linux"
END
else
    mkdir -p "$into/nvidia/cudnn/lib"
fi
"#;

/// A copy of the set-up in a folder of its own.
struct Setup {
    folder: tempfile::TempDir,
}

impl Setup {
    fn new() -> Setup {
        let setup = Setup { folder: tempfile::tempdir().unwrap() };
        for folder in ["setup", "bin"] {
            std::fs::create_dir(setup.path(folder)).unwrap();
        }
        std::fs::copy(root("setup/libtorch.sh"), setup.path("setup/libtorch.sh")).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        for tool in TOOLS {
            if let Some(found) = std::env::split_paths(&path).map(|p| p.join(tool)).find(|p| p.is_file()) {
                symlink(found, setup.path("bin").join(tool)).unwrap();
            }
        }
        setup.stub("python3", PIP);
        setup.stub("df", "echo Filesystem; echo /dev/disk 100000000 1 50000000 1% /");
        setup
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn stub(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// nvidia-smi on a machine with these GPUs, one line each: driver and compute capability.
    fn gpus(self, lines: &[&str]) -> Setup {
        self.stub(
            "nvidia-smi",
            &format!("printf '%s\\n' {}", lines.iter().map(|l| format!("'{l}' ")).collect::<String>()),
        );
        self
    }

    fn run(&self, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new("/bin/sh");
        command.arg(self.path("setup/libtorch.sh")).env_clear().env("PATH", self.path("bin"));
        command.envs(variables.iter().copied()).output().unwrap()
    }

    fn version(&self) -> String {
        std::fs::read_to_string(self.path(".libtorch/version")).unwrap_or_default()
    }

    fn pip(&self) -> String {
        std::fs::read_to_string(self.path("pip.log")).unwrap_or_default()
    }

    /// Asserts that set-up ended well and brought this.
    #[track_caller]
    fn brings(&self, variables: &[(&str, &str)], version: &str) -> String {
        let output = self.run(variables);
        assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
        assert_eq!(self.version().lines().next(), Some(version));
        assert!(!self.path(".libtorch.new").exists() && !self.path(".libtorch.old").exists());
        format!("{}{}", out(&output), err(&output))
    }

    /// Asserts that set-up ended with that status and left what was there, and returns its message.
    #[track_caller]
    fn refuses(&self, variables: &[(&str, &str)], status: i32) -> String {
        let before = self.version();
        let output = self.run(variables);
        assert_eq!(output.status.code(), Some(status), "{}{}", out(&output), err(&output));
        assert_eq!(self.version(), before);
        assert!(!self.path(".libtorch.new").exists());
        err(&output)
    }
}

#[test]
fn without_a_gpu_the_cpu_s() {
    let setup = Setup::new();
    setup.brings(&[], "2.13.0 cpu");
    assert!(
        setup.path(".libtorch/torch/lib/libtorch_cpu.so").exists() && setup.path(".libtorch/torch/include").exists()
    );
    let lib = setup.path(".libtorch/torch/lib");
    assert!(!lib.join("libtorch_cuda.so").exists() && !lib.join("libtorch_python.so").exists());
    assert!(!setup.path(".libtorch/torch/nn").exists() && !setup.path(".libtorch/bin").exists());
    let pip = setup.pip();
    assert!(pip.contains("--no-deps torch==2.13.0 nvidia-cuda-runtime==13.0.96"), "{pip}");
    setup.brings(&[], "2.13.0 cpu");
    assert_eq!(setup.pip(), pip, "what is there was brought again");
}

#[test]
fn with_a_gpu_cuda_s_and_of_its_packages_nvidia_s_alone() {
    let setup = Setup::new().gpus(&["580.95.05, 9.0"]);
    setup.brings(&[], "2.13.0 cuda 13.0");
    assert!(
        setup.path(".libtorch/torch/lib/libtorch_cuda.so").exists() && setup.path(".libtorch/nvidia/cudnn").exists()
    );
    let pip = setup.pip();
    let needed: Vec<&str> = pip.lines().filter_map(|line| line.strip_prefix("needed: ")).collect();
    assert_eq!(
        needed,
        [
            "cuda-toolkit[cublas,cudart]==13.0.3; platform_system == \"Linux\"",
            "nvidia-cudnn-cu13==9.20.0.48; platform_system == \"Linux\"",
        ]
    );
    assert!(pip.contains("--no-deps torch==2.13.0\n") && !pip.contains("index"), "{pip}");
}

#[test]
fn an_old_driver_or_card_stops_before_anything_is_downloaded() {
    let setup = Setup::new().gpus(&["550.54.15, 9.0"]);
    let said = setup.refuses(&[], 1);
    assert!(
        said.contains("driver 550.54.15 is here, and CUDA 13.0 needs 580 or newer. Nothing was downloaded"),
        "{said}"
    );
    for way in ["CPSD_CUDA=cu126 make build", "a driver of version 580 or newer", "CPSD_LIBTORCH=cpu make build"] {
        assert!(said.contains(way), "{said}");
    }
    let setup = Setup::new().gpus(&["580.95.05, 7.0"]);
    let said = setup.refuses(&[], 1);
    assert!(
        said.contains("compute capability 7.0 is here, and torch for CUDA 13.0 has kernels for 7.5 to 12.1"),
        "{said}"
    );
    assert!(said.contains("CPSD_CUDA=cu126") && !said.contains("a driver of version"), "{said}");
    // A new card with an old driver has one way to compute on it, an old card none with that driver.
    let said = Setup::new().gpus(&["550.54.15, 12.0"]).refuses(&[], 1);
    assert!(said.contains("a driver of version 580") && !said.contains("CPSD_CUDA"), "{said}");
    let said = Setup::new().gpus(&["470.42.01, [N/A]"]).refuses(&[], 1);
    assert!(said.contains("driver 470.42.01 is here") && !said.contains("CPSD_CUDA"), "{said}");
    assert_eq!(setup.pip(), "");
}

#[test]
fn one_of_two_cards_is_enough() {
    let setup = Setup::new().gpus(&["580.95.05, 7.0", "580.95.05, 8.0"]);
    let said = setup.brings(&[], "2.13.0 cuda 13.0");
    assert!(said.contains("not every GPU") && said.contains("compute capability 7.0"), "{said}");
}

#[test]
fn the_other_cuda_comes_from_pytorch_s_index() {
    let setup = Setup::new().gpus(&["550.54.15, 7.0"]);
    setup.brings(&[("CPSD_CUDA", "cu126")], "2.13.0 cuda 12.6");
    let index = "--index-url https://download.pytorch.org/whl/cu126";
    let pip = setup.pip();
    assert!(pip.contains(&format!("{index} --no-deps torch==2.13.0+cu126")), "{pip}");
    assert_eq!(pip.matches(index).count(), 2, "{pip}");
    // It stays without the variable: the default would not run here.
    setup.brings(&[], "2.13.0 cuda 12.6");
    assert_eq!(setup.pip(), pip);
    let said = Setup::new().gpus(&["580.95.05, 12.0"]).refuses(&[("CPSD_CUDA", "cu126")], 1);
    assert!(said.contains("kernels for 5.0 to 9.0") && said.contains("CPSD_CUDA=cu130"), "{said}");

    let away = Setup::new();
    std::fs::write(away.path("pip.fails"), "torch").unwrap();
    let said = away.refuses(&[("CPSD_CUDA", "cu126")], 1);
    assert!(said.contains("ERROR: no route to host"), "{said}");
    assert!(said.contains("did not come from https://download.pytorch.org/whl/cu126"), "{said}");
}

#[test]
fn variables_override_what_is_found_and_stay() {
    let login = Setup::new();
    login.brings(&[("CPSD_LIBTORCH", "cuda")], "2.13.0 cuda 13.0");
    login.brings(&[], "2.13.0 cuda 13.0");
    login.brings(&[("CPSD_LIBTORCH", "cpu")], "2.13.0 cpu");

    let gpu = Setup::new().gpus(&["550.54.15, 9.0"]);
    gpu.brings(&[("CPSD_LIBTORCH", "cpu")], "2.13.0 cpu");
    gpu.brings(&[], "2.13.0 cpu");
    let said = gpu.brings(&[("CPSD_LIBTORCH", "cuda")], "2.13.0 cuda 13.0");
    assert!(said.contains("cannot run it: driver 550.54.15"), "{said}");

    // What was found, not asked for, follows what is found later.
    let setup = Setup::new();
    setup.brings(&[], "2.13.0 cpu");
    let setup = setup.gpus(&["580.95.05, 9.0"]);
    setup.brings(&[], "2.13.0 cuda 13.0");
}

#[test]
fn bad_values_are_errors() {
    let setup = Setup::new();
    let said = setup.refuses(&[("CPSD_LIBTORCH", "gpu")], 2);
    assert_eq!(said, "libtorch: CPSD_LIBTORCH is \"gpu\", expected cpu or cuda\n");
    let said = setup.refuses(&[("CPSD_CUDA", "12.6")], 2);
    assert_eq!(said, "libtorch: CPSD_CUDA is \"12.6\", expected cu126, cu130 or cu132\n");
    assert!(setup.refuses(&[("CPSD_LIBTORCH", "cpu"), ("CPSD_CUDA", "cu126")], 2).contains("exclude each other"));
    assert_eq!(setup.pip(), "");
}

#[test]
fn an_nvidia_smi_that_fails_is_told_of() {
    let setup = Setup::new();
    setup.stub("nvidia-smi", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18");
    let said = setup.brings(&[], "2.13.0 cpu");
    assert!(said.contains("finds no GPU; it says: Failed to initialize NVML"), "{said}");
    assert!(said.contains("CPSD_LIBTORCH=cuda make build"), "{said}");
}

#[test]
fn a_full_disk_and_a_broken_download_leave_nothing_half_written() {
    let setup = Setup::new();
    setup.brings(&[], "2.13.0 cpu");
    let setup = setup.gpus(&["580.95.05, 9.0"]);
    setup.stub("df", "echo Filesystem; echo /dev/disk 100000000 1 9000000 90% /");
    let pip = setup.pip();
    let said = setup.refuses(&[], 1);
    assert!(said.contains("needs 10 GB of free disk") && said.contains("9 GB are free"), "{said}");
    assert_eq!(setup.pip(), pip);
    setup.stub("df", "echo Filesystem; echo /dev/disk 100000000 1 50000000 90% /");
    std::fs::write(setup.path("pip.fails"), "nvidia").unwrap();
    assert!(setup.refuses(&[], 1).contains("did not come"));
    std::fs::remove_file(setup.path("pip.fails")).unwrap();
    setup.brings(&[], "2.13.0 cuda 13.0");
    std::fs::remove_file(setup.path("bin/python3")).unwrap();
    let said = Setup::run(&setup, &[("CPSD_LIBTORCH", "cpu")]);
    assert!(err(&said).contains("python3 with pip is needed"), "{}", err(&said));
}

/// Builds a package that has our build script, whose program says whether its functions are linked with libtorch_cuda.
fn builds(package: &Path, libtorch: &Path) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--offline"]).current_dir(package).env("LIBTORCH", libtorch);
    cargo.env("CARGO_TARGET_DIR", package.join("target"));
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER"] {
        cargo.env_remove(variable);
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    out(&output).trim().to_string()
}

/// A stand-in for the crate cc, which takes no flags and makes no archive.
const CC: &str = r#"
use std::path::{Path, PathBuf};
use std::process::Command;
pub struct Build(Vec<PathBuf>, PathBuf);
pub struct Tool;
impl Tool {
    pub fn to_command(&self) -> Command { Command::new("c++") }
}
impl Build {
    pub fn new() -> Build { Build(Vec::new(), std::env::var_os("OUT_DIR").unwrap().into()) }
    pub fn cpp(&mut self, _: bool) -> &mut Build { self }
    pub fn pic(&mut self, _: bool) -> &mut Build { self }
    pub fn warnings(&mut self, _: bool) -> &mut Build { self }
    pub fn include<T>(&mut self, _: T) -> &mut Build { self }
    pub fn flag<T>(&mut self, _: T) -> &mut Build { self }
    pub fn flag_if_supported<T>(&mut self, _: T) -> &mut Build { self }
    pub fn define(&mut self, _: &str, _: Option<&str>) -> &mut Build { self }
    pub fn out_dir<T: AsRef<Path>>(&mut self, to: T) -> &mut Build { self.1 = to.as_ref().into(); self }
    pub fn file<T: AsRef<Path>>(&mut self, file: T) -> &mut Build { self.0.push(file.as_ref().into()); self }
    pub fn files<T: AsRef<Path>, I: IntoIterator<Item = T>>(&mut self, files: I) -> &mut Build {
        self.0.extend(files.into_iter().map(|file| file.as_ref().to_path_buf()));
        self
    }
    pub fn get_compiler(&self) -> Tool { Tool }
    pub fn compile(&self, _: &str) { self.compile_intermediates(); }
    pub fn compile_intermediates(&self) -> Vec<PathBuf> {
        std::fs::create_dir_all(&self.1).unwrap();
        let compiled = |file: &PathBuf| {
            let object = self.1.join(file.file_name().unwrap()).with_extension("o");
            assert!(Command::new("c++").args(["-fPIC", "-c", "-o"]).args([&object, file]).status().unwrap().success());
            object
        };
        self.0.iter().map(compiled).collect()
    }
}
"#;

#[test]
fn another_kind_of_libtorch_at_the_same_path_is_linked_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (package, libtorch) = (folder.path().join("package"), folder.path().join("libtorch/torch"));
    let write = |path: &str, text: &str| {
        let path = package.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    std::fs::create_dir_all(libtorch.join("lib")).unwrap();
    write("build.rs", &std::fs::read_to_string(root("build.rs")).unwrap());
    write("cc/Cargo.toml", "[package]\nname = \"cc\"\nedition = \"2024\"\n");
    write("cc/src/lib.rs", CC);
    write("torch-sys-0/Cargo.toml", "[package]\nname = \"torch-sys\"\nedition = \"2024\"\n");
    write("torch-sys-0/src/lib.rs", "");
    write("torch-sys-0/libtch/torch_api.cpp", "extern \"C\" { void tch_called(); void at_called() { tch_called(); } }");
    write("torch-sys-0/libtch/torch_api_generated.cpp", "extern \"C\" void at_other() {}");
    // Without the files that are watched cargo would run the build script in each build.
    for file in ["caught.h", "wide.h", "flags.cpp", "fused.cpp", "clamp.cpp", "one_pass.cpp"] {
        write(&format!("src/torch/{file}"), "");
    }
    write("src/distributed/shim.cpp", "");
    write(
        "Cargo.toml",
        "[package]\nname = \"linked\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         torch-sys = { path = \"torch-sys-0\" }\n[build-dependencies]\ncc = { path = \"cc\" }\n",
    );
    let program = "const FUNCTIONS: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/libcpsd_torch.so\"));\n\
         fn main() {\n    let named = FUNCTIONS.windows(16).any(|text| text == b\"libtorch_cuda.so\");\n    \
         println!(\"{} {named}\", if cfg!(linked_with_cuda) { \"cuda\" } else { \"cpu\" });\n}\n";
    write("src/main.rs", program);
    let library = |name: &str| {
        let made = ["-shared", "-x", "c", "/dev/null", "-o"];
        let soname = format!("-Wl,-soname,{name}");
        let status = Command::new("cc").args(made).arg(libtorch.join("lib").join(name)).arg(soname).status().unwrap();
        assert!(status.success());
    };
    let make = |kind: &str| {
        ["libtorch_cpu.so", "libc10.so"].into_iter().for_each(library);
        std::fs::write(libtorch.parent().unwrap().join("version"), format!("2.13.0 {kind}\n")).unwrap();
    };
    make("cpu");
    assert_eq!(builds(&package, &libtorch), "cpu false");
    make("cuda 13.0");
    let of_cuda = ["libtorch_cuda.so", "libc10_cuda.so"];
    of_cuda.into_iter().for_each(library);
    assert_eq!(builds(&package, &libtorch), "cuda true");
    of_cuda.iter().for_each(|name| std::fs::remove_file(libtorch.join("lib").join(name)).unwrap());
    make("cpu");
    assert_eq!(builds(&package, &libtorch), "cpu false");
}

fn cpsd(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(CPSD);
    command.args(arguments).env_remove("CPSD_DEVICE").envs(variables.iter().copied());
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

#[test]
fn the_version_says_libtorch_gpus_device_and_threads() {
    let said = cpsd(&["--version"], &[("CPSD_DEVICE", "cpu")]);
    assert_eq!((said.status.code(), err(&said).as_str()), (Some(0), ""));
    let text = out(&said);
    let line = |name: &str| {
        text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_else(|| panic!("{text}")).trim().to_string()
    };
    assert_eq!(line("cpsd"), env!("CARGO_PKG_VERSION"));
    assert!(line("libtorch").starts_with("2.") && line("libtorch").contains("libtorch_cpu.so"), "{text}");
    let kind = if cpsd::torch::cuda().is_some() { "for CUDA " } else { "for the CPU" };
    assert!(line("libtorch").contains(kind), "{text}");
    assert!(line("device").starts_with("cpu"), "{text}");
    assert!(line("threads").parse::<usize>().unwrap() > 0);
    assert_eq!(out(&cpsd(&["-V"], &[("CPSD_DEVICE", "cpu")])), text);
    // It may be read beside the library, which says the same.
    let (version, path) = cpsd::torch::version().unwrap();
    assert!(line("libtorch").starts_with(&format!("{version} ")) && line("libtorch").ends_with(&path), "{text}");
}

#[test]
fn a_gpu_that_is_asked_for_and_absent_is_an_error_of_every_command() {
    // Beside a libtorch for the CPU the variable hides nothing, and no GPU is seen all the same.
    let hidden = [("CPSD_DEVICE", "cuda"), ("CUDA_VISIBLE_DEVICES", "")];
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("s.rhai");
    std::fs::write(&script, "print(1)").unwrap();
    for arguments in [vec!["eval", "1"], vec!["script", script.to_str().unwrap()], vec![]] {
        let refused = cpsd(&arguments, &hidden);
        let text = err(&refused);
        assert_eq!((refused.status.code(), out(&refused).as_str()), (Some(1), ""), "{text}");
        assert!(text.contains("CPSD_DEVICE: there is no device \"cuda\": libtorch sees no GPU"), "{text}");
        assert!(
            text.contains("this libtorch is for") || text.contains("driver") || text.contains("CUDA_VISIBLE"),
            "{text}"
        );
    }
    let version = cpsd(&["--version"], &hidden);
    assert!(out(&version).contains("device    none: CPSD_DEVICE: there is no device"), "{}", out(&version));
}

#[test]
fn the_cpu_is_told_of_once_where_a_gpu_may_be_expected() {
    let line = "devices(); devices(); 1";
    let chosen = cpsd(&["eval", line], &[("CPSD_DEVICE", "cpu")]);
    assert_eq!((out(&chosen).as_str(), err(&chosen).as_str()), ("1\n", ""));
    let hidden = cpsd(&["--quiet", "eval", line], &[("CUDA_VISIBLE_DEVICES", "")]);
    let times = err(&hidden).matches("warning: computing on the CPU").count();
    // A libtorch for CUDA is expected to find a GPU, one for the CPU is not where all are hidden.
    assert_eq!(times, usize::from(cpsd::torch::cuda().is_some()), "{}", err(&hidden));
}
