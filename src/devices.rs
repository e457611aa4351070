//! The devices that models are made and trained on.

pub mod driver;
pub mod no_gpu;

use std::sync::OnceLock;

use parking_lot::RwLock;
use tch::{Cuda, Device};

use self::driver::cuda_name;
use crate::configuration::{self, Source};
use crate::error::{Error, Result};
use crate::torch::{self, library};

/// The devices of the last call of [`choose`], or none.
static CHOSEN: RwLock<Vec<Device>> = RwLock::new(Vec::new());

/// The devices that trainings may use, at least one: those chosen, or those that are [configured], or every GPU, or the CPU.
pub fn all() -> Vec<Device> {
    let chosen = CHOSEN.read().clone();
    if chosen.is_empty() { configured().unwrap_or_else(|_| automatic(gpus())) } else { chosen }
}

/// The first of [`all`].
pub fn first() -> Device {
    all().first().copied().unwrap_or(Device::Cpu)
}

/// The numbers of the GPUs among [`all`].
pub fn all_gpus() -> Vec<usize> {
    all().into_iter().filter_map(|device| if let Device::Cuda(i) = device { Some(i) } else { None }).collect()
}

/// Uses these devices from now on: "auto", "cpu", "cuda" (the first GPU) or "cuda:1". Existing models are not moved.
///
/// Errors: another name, a GPU that does not exist, the CPU together with GPUs.
pub fn choose(names: &[String]) -> Result<Vec<Device>> {
    let devices = parsed(names.iter().map(String::as_str), gpus())?;
    *CHOSEN.write() = devices.clone();
    Ok(devices)
}

/// The devices of the setting `device`, of `CPSD_DEVICE` or a `cpsd.toml`, as in `cuda:0,cuda:1`. Without it every GPU, or the CPU.
/// Errors: those of [`choose`].
pub fn configured() -> Result<Vec<Device>> {
    match configuration::text("device") {
        Some((names, source)) => {
            let source = match source {
                Source::Environment(variable) => variable.to_string(),
                source => source.to_string(),
            };
            // The CPU is there without libtorch.
            let gpus = if names.split(',').all(|name| name.trim() == "cpu") { 0 } else { gpus() };
            parsed(names.split(','), gpus).map_err(|e| Error { message: format!("{source}: {e}"), ..e })
        }
        None => Ok(automatic(gpus())),
    }
}

/// The name of a device in scripts.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(i) => format!("cuda:{i}"),
        _ => "cpu".into(),
    }
}

/// The libtorch of this process in words: `2.13.0 for CUDA 13.0, /opt/torch/lib/libtorch_cpu.so`. One for the CPU is not loaded for it.
pub fn libtorch_in_words() -> String {
    if let Some(found) = library::found_for_cpu() {
        return format!("{} for the CPU, {}", found.version, found.path.display());
    }
    let kind = torch::cuda().map_or("the CPU".into(), |cuda| format!("CUDA {}", cuda_name(cuda)));
    let (version, path) = torch::version().unwrap_or(("of an unknown version".into(), String::new()));
    format!("{version} for {kind}{}", if path.is_empty() { path } else { format!(", {path}") })
}

/// The devices of this process in words: `cuda:0`, `cpu (there is no NVIDIA driver)`. Errors: one that is configured is not there.
pub fn in_words() -> Result<String> {
    let names: Vec<String> = configured()?.iter().map(|device| name(*device)).collect();
    let why = if gpus() == 0 { format!(" ({})", no_gpu::reason().sentence()) } else { String::new() };
    Ok(format!("{}{why}", names.join(", ")))
}

/// The environment variables of a worker process on one GPU of this process, or on the CPU.
pub fn for_worker(gpu: Option<usize>) -> Vec<(&'static str, String)> {
    let Some(gpu) = gpu else { return vec![("CPSD_DEVICE", "cpu".into())] };
    // `gpu` counts the GPUs that this process sees.
    let seen = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let of_machine =
        seen.split(',').nth(gpu).filter(|id| !id.is_empty()).map_or(gpu.to_string(), |id| id.trim().to_string());
    vec![("CUDA_VISIBLE_DEVICES", of_machine), ("CPSD_DEVICE", "cuda:0".into())]
}

/// The number of GPUs that libtorch sees.
pub fn gpus() -> usize {
    static GPUS: OnceLock<usize> = OnceLock::new();
    if library::found_for_cpu().is_some() {
        return 0;
    }
    if !no_gpu::may_ask_libtorch() {
        return 0;
    }
    *GPUS.get_or_init(|| {
        let gpus = if Cuda::is_available() { Cuda::device_count().max(0) as usize } else { 0 };
        // Before libtorch makes a context on one of them.
        driver::sleep_while_waiting(gpus);
        gpus
    })
}

/// Every GPU that libtorch has kernels for, or the CPU, which is said where someone may expect a GPU.
fn automatic(gpus: usize) -> Vec<Device> {
    let usable: Vec<Device> = (0..gpus).filter(|i| no_gpu::without_kernels(*i).is_none()).map(Device::Cuda).collect();
    if usable.is_empty() {
        no_gpu::say();
        return vec![Device::Cpu];
    }
    usable
}

fn parsed<'a>(names: impl Iterator<Item = &'a str>, gpus: usize) -> Result<Vec<Device>> {
    let mut devices: Vec<Device> = Vec::new();
    for name in names.map(str::trim) {
        let number = name.strip_prefix("cuda:").map(str::parse::<usize>);
        let found = match (name, number) {
            ("auto", _) => automatic(gpus),
            ("cpu", _) => vec![Device::Cpu],
            ("cuda", _) if gpus > 0 => vec![Device::Cuda(0)],
            (_, Some(Ok(i))) if i < gpus => vec![Device::Cuda(i)],
            ("cuda", _) | (_, Some(Ok(_))) => {
                let seen = match gpus {
                    0 => "no GPU".to_string(),
                    1 => "one GPU, cuda:0".to_string(),
                    n => format!("{n} GPUs, cuda:0 to cuda:{}", n - 1),
                };
                let error =
                    Error::argument(format!("there is no device \"{name}\": libtorch sees {seen}")).about_name(name);
                return Err(if gpus == 0 { error.with_help(no_gpu::reason().sentence()) } else { error });
            }
            _ => {
                return Err(Error::argument(format!("unknown device \"{name}\""))
                    .about_name(name)
                    .with_help("expected auto, cpu, cuda (the first GPU) or cuda:0, cuda:1, ..."));
            }
        };
        for device in found {
            if let Device::Cuda(i) = device
                && let Some(why) = no_gpu::without_kernels(i)
            {
                return Err(Error::argument(format!("the device \"{name}\" cannot be used: {why}")).about_name(name));
            }
            if !devices.contains(&device) {
                devices.push(device);
            }
        }
    }
    if devices.len() > 1 && devices.contains(&Device::Cpu) {
        return Err(Error::argument("devices are GPUs, or the CPU; got both"));
    }
    if devices.is_empty() { Err(Error::argument("devices must be at least one")) } else { Ok(devices) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str], gpus: usize) -> Result<Vec<Device>, String> {
        parsed(names.iter().copied(), gpus).map_err(|e| e.message)
    }

    #[test]
    fn names_are_devices_that_are_there() {
        assert_eq!(of(&["auto"], 0), Ok(vec![Device::Cpu]));
        assert_eq!(of(&["auto"], 2), Ok(vec![Device::Cuda(0), Device::Cuda(1)]));
        assert_eq!(of(&["cuda:1", "cuda"], 2), Ok(vec![Device::Cuda(1), Device::Cuda(0)]));
        assert_eq!(of(&["cpu"], 2), Ok(vec![Device::Cpu]));
        assert_eq!(
            of(&["cuda:2"], 2),
            Err("there is no device \"cuda:2\": libtorch sees 2 GPUs, cuda:0 to cuda:1".into())
        );
        assert_eq!(of(&["cuda"], 0), Err("there is no device \"cuda\": libtorch sees no GPU".into()));
        assert_eq!(of(&["gpu"], 1), Err("unknown device \"gpu\"".into()));
        assert!(of(&["cuda:x"], 1).is_err() && of(&["cpu", "cuda"], 1).is_err() && of(&[], 1).is_err());
    }

    #[test]
    fn a_worker_is_told_of_one_device() {
        assert_eq!(for_worker(None), [("CPSD_DEVICE", "cpu".to_string())]);
        let told = for_worker(Some(1));
        assert_eq!(told[1], ("CPSD_DEVICE", "cuda:0".to_string()));
        assert_eq!(told[0].0, "CUDA_VISIBLE_DEVICES");
    }
}
