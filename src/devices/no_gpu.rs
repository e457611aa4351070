//! Why no GPU is used, so that the CPU never takes its place in silence.

use std::path::Path;
use std::sync::Once;

use crate::activity::console;
use crate::devices::driver::{Driver, Gpu, cuda_name};
use crate::files::own;
use crate::torch;

/// The oldest compute capability that CUDA 13 has, and the oldest driver that CUDA's major versions run on (NVIDIA: CUDA
/// Compatibility, "Minor Version Compatibility").
const OLDEST_OF_CUDA_13: (i32, i32) = (7, 5);
const fn oldest_driver(cuda: i64) -> u32 {
    match cuda / 1000 {
        ..=11 => 450,
        12 => 525,
        _ => 580,
    }
}

/// A reason and a way on.
#[derive(Debug, PartialEq)]
pub struct Reason {
    pub message: String,
    pub help: String,
    /// Whether someone may expect a GPU here.
    expected: bool,
}

impl Reason {
    /// Both in one line.
    pub fn sentence(&self) -> String {
        format!("{}; {}", self.message, self.help)
    }
}

/// What the reason follows from.
struct Situation<'a> {
    /// The CUDA of this libtorch, as in `13000`; none for the CPU.
    libtorch: Option<i64>,
    driver: &'a Driver,
    /// The version of the kernel's part of the driver, where it is loaded.
    module: Option<String>,
    /// Whether the system has a GPU's device files.
    files: bool,
    /// `CUDA_VISIBLE_DEVICES`.
    visible: Option<String>,
}

impl Situation<'_> {
    fn here() -> Situation<'static> {
        Situation {
            libtorch: torch::cuda(),
            // Beside a libtorch for the CPU, its driver need not be loaded.
            driver: if torch::cuda().is_some() { Driver::here() } else { &Driver::Absent },
            module: module_version(),
            files: ["/dev/nvidiactl", "/dev/nvidia0"].iter().any(|path| !own::is_absent(Path::new(path))),
            visible: std::env::var("CUDA_VISIBLE_DEVICES").ok(),
        }
    }

    fn reason(&self) -> Reason {
        let reason = |message: String, help: String| Reason { message, help, expected: true };
        let Some(cuda) = self.libtorch else {
            let expected = self.files && self.visible.as_deref() != Some("");
            let (message, help) = if self.files {
                ("a GPU is here, but this libtorch is for the CPU", "to bring the other: CPSD_LIBTORCH=cuda make build")
            } else {
                ("this libtorch is for the CPU", "where there is a GPU: CPSD_LIBTORCH=cuda make build")
            };
            return Reason { message: message.into(), help: help.into(), expected };
        };
        let (name, oldest) = (cuda_name(cuda), oldest_driver(cuda));
        // PyTorch's wheels for 12.6 are the last ones for older drivers and cards.
        let other = if cuda >= 13000 { ", or libtorch for CUDA 12.6: CPSD_CUDA=cu126 make build" } else { "" };
        let container = "in a container: start it with its GPUs, as in `docker run --gpus all`";
        match self.driver {
            Driver::Absent => match &self.module {
                Some(module) => reason(
                    format!("the driver {module} is loaded, but its library libcuda.so.1 is not found"),
                    container.into(),
                ),
                None => reason(
                    format!("this libtorch is for CUDA {name}, and no NVIDIA driver is here"),
                    format!("a driver of version {oldest} or newer; {container}"),
                ),
            },
            driver if driver.cuda().is_some_and(|supported| supported > 0 && supported / 1000 < cuda / 1000) => {
                let version = self.module.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
                let supported = cuda_name(driver.cuda().unwrap_or_default());
                reason(
                    format!("the driver{version} is for CUDA up to {supported}, and this libtorch for CUDA {name}"),
                    format!("a driver of version {oldest} or newer{other}"),
                )
            }
            Driver::Fails { reason: said, .. } => reason(
                format!("the driver does not start: {said}"),
                "nvidia-smi may say more; a driver that was updated starts with the machine".into(),
            ),
            Driver::Works { gpus, .. } if gpus.is_empty() => match &self.visible {
                Some(visible) => reason(
                    format!("CUDA_VISIBLE_DEVICES is \"{visible}\", which leaves no GPU"),
                    "unset it, or name GPUs by the numbers of `nvidia-smi -L`".into(),
                ),
                None => reason("the driver finds no GPU".into(), format!("`nvidia-smi -L` lists them; {container}")),
            },
            Driver::Works { gpus, .. } => match gpus.iter().find_map(|gpu| too_old(gpu, cuda)) {
                Some(card) => reason(card, format!("a newer card{other}")),
                None => reason(
                    format!(
                        "the driver sees {}, and libtorch no GPU",
                        gpus.iter().map(|gpu| &*gpu.name).collect::<Vec<_>>().join(", ")
                    ),
                    "`cpsd --version` lists them".into(),
                ),
            },
        }
    }
}

/// Why that GPU has no kernels in a libtorch for that CUDA, or none.
fn too_old(gpu: &Gpu, cuda: i64) -> Option<String> {
    let ((major, minor), (least, part)) = (gpu.capability, OLDEST_OF_CUDA_13);
    (cuda >= 13000 && gpu.capability < OLDEST_OF_CUDA_13).then(|| {
        let (name, version) = (&gpu.name, cuda_name(cuda));
        format!("{name} has compute capability {major}.{minor}, and CUDA {version} begins at {least}.{part}")
    })
}

/// The version of the kernel's part of the driver, as in `580.95.05`, where it is loaded.
pub fn module_version() -> Option<String> {
    version_in(&own::of_system(Path::new("/proc/driver/nvidia/version"))?)
}

fn version_in(text: &str) -> Option<String> {
    let is_version = |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.lines().next()?.split_whitespace().find(is_version).map(String::from)
}

/// Why no GPU is used.
pub fn reason() -> Reason {
    Situation::here().reason()
}

/// Why the GPU of that number has no kernels in this libtorch, or none.
pub fn without_kernels(gpu: usize) -> Option<String> {
    too_old(Driver::here().gpus().get(gpu)?, torch::cuda()?)
}

/// Whether libtorch may be asked for GPUs: of a driver that it cannot use it prints several lines of its own.
pub fn may_ask_libtorch() -> bool {
    let Some(cuda) = torch::cuda() else { return true };
    match Driver::here() {
        Driver::Absent => true,
        Driver::Fails { .. } => false,
        Driver::Works { cuda: supported, .. } => supported / 1000 >= cuda / 1000,
    }
}

static SAID: Once = Once::new();

/// Makes [`say`] say nothing in this process.
pub fn leave_unsaid() {
    SAID.call_once(|| ());
}

/// Says once in a process that the CPU is used because no GPU can be, where someone may expect one.
pub fn say() {
    SAID.call_once(|| {
        let reason = reason();
        if reason.expected {
            let Reason { message, help, .. } = reason;
            console::warn(&format!(
                "warning: computing on the CPU: {message}\n  {help}\n  without this line: CPSD_DEVICE=cpu"
            ));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str, capability: (i32, i32)) -> Gpu {
        Gpu { name: name.into(), memory: 16 << 30, capability }
    }

    fn of(libtorch: Option<i64>, driver: &Driver, module: Option<&str>, visible: Option<&str>) -> Reason {
        let (module, visible) = (module.map(String::from), visible.map(String::from));
        Situation { libtorch, driver, files: module.is_some(), module, visible }.reason()
    }

    #[test]
    fn each_reason_has_its_sentence() {
        let works = |cuda, gpus: &[Gpu]| Driver::Works { cuda, gpus: gpus.to_vec() };
        let h100 = gpu("NVIDIA H100", (9, 0));
        for (libtorch, driver, module, visible, expected, help) in [
            (Some(13000), Driver::Absent, None, None, "is for CUDA 13.0, and no NVIDIA driver is here", "580 or newer"),
            (Some(12060), Driver::Absent, None, None, "is for CUDA 12.6, and no NVIDIA driver is here", "525 or newer"),
            (Some(13000), Driver::Absent, Some("580.95.05"), None, "the driver 580.95.05 is loaded, but", "--gpus all"),
            (
                Some(13000),
                works(12040, std::slice::from_ref(&h100)),
                Some("550.54.15"),
                None,
                "the driver 550.54.15 is for CUDA up to 12.4, and this libtorch for CUDA 13.0",
                "580 or newer, or libtorch for CUDA 12.6: CPSD_CUDA=cu126 make build",
            ),
            (
                Some(13000),
                Driver::Fails { reason: "system not yet initialized (error 802)".into(), cuda: Some(13000) },
                Some("580.95.05"),
                None,
                "the driver does not start: system not yet initialized (error 802)",
                "nvidia-smi",
            ),
            (
                Some(13000),
                works(13000, &[]),
                None,
                Some(""),
                "CUDA_VISIBLE_DEVICES is \"\", which leaves no GPU",
                "unset it",
            ),
            (Some(13000), works(13000, &[]), None, None, "the driver finds no GPU", "nvidia-smi -L"),
            (
                Some(13000),
                works(13000, &[gpu("Tesla V100", (7, 0))]),
                None,
                None,
                "Tesla V100 has compute capability 7.0, and CUDA 13.0 begins at 7.5",
                "CPSD_CUDA=cu126",
            ),
            (
                Some(13000),
                works(13000, &[h100]),
                None,
                None,
                "the driver sees NVIDIA H100, and libtorch no GPU",
                "--version",
            ),
            (
                None,
                Driver::Absent,
                Some("580.95.05"),
                None,
                "a GPU is here, but this libtorch is for the CPU",
                "CPSD_LIBTORCH=cuda",
            ),
        ] {
            let reason = of(libtorch, &driver, module, visible);
            assert!(reason.message.contains(expected), "{reason:?}");
            assert!(reason.help.contains(help), "{reason:?}");
            assert!(reason.expected);
        }
    }

    #[test]
    fn nobody_expects_a_gpu_where_none_is_or_where_all_are_hidden() {
        assert!(!of(None, &Driver::Absent, None, None).expected);
        assert!(!of(None, &Driver::Absent, Some("580.95.05"), Some("")).expected);
    }

    #[test]
    fn an_older_minor_version_and_an_older_card_of_cuda_12_are_enough() {
        assert_eq!(too_old(&gpu("Tesla V100", (7, 0)), 12060), None);
        assert_eq!(too_old(&gpu("Tesla T4", (7, 5)), 13000), None);
        // A driver of CUDA 12.2 runs CUDA 12.6.
        let driver = Driver::Works { cuda: 12020, gpus: Vec::new() };
        assert_eq!(of(Some(12060), &driver, None, None).message, "the driver finds no GPU");
    }

    #[test]
    fn the_kernel_s_line_has_the_version() {
        let line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (root)\nGCC version: 12.2.0";
        assert_eq!(version_in(line).as_deref(), Some("580.95.05"));
        let line = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024";
        assert_eq!(version_in(line).as_deref(), Some("550.54.15"));
        assert_eq!(version_in(""), None);
    }
}
