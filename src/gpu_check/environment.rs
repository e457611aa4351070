//! What is on this machine.

use super::{Check, Outcome, WHOLE, said};
use crate::devices;
use crate::error::Result;
use crate::memory;

pub const CHECK: Check =
    Check { name: "environment", question: "What is on this machine?", limit: 120, parts: WHOLE, run: environment };

fn environment(_part: &str) -> Result<Outcome> {
    let mut outcome = Outcome::new(&["item", "value"]);
    let mut row = |item: &str, value: String| outcome.row([item.to_string(), value]);
    row("cpsd", env!("CARGO_PKG_VERSION").into());
    row("devices", devices::all().into_iter().map(devices::name).collect::<Vec<_>>().join(", "));
    row("cuDNN", tch::Cuda::cudnn_is_available().to_string());
    row("cores", std::thread::available_parallelism().map_or(1, usize::from).to_string());
    row("free memory", memory::said(memory::left()));
    for name in ["CPSD_DEVICE", "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE"] {
        if let Ok(value) = std::env::var(name) {
            row(name, value);
        }
    }
    let query = "--query-gpu=index,name,driver_version,compute_cap,memory.total,memory.used,compute_mode";
    if let Ok(output) = std::process::Command::new("nvidia-smi").args([query, "--format=csv,noheader"]).output() {
        String::from_utf8_lossy(&output.stdout).lines().for_each(|line| row("nvidia-smi", line.trim().into()));
    }
    // Every other check then ends with this.
    if let Err(error) = devices::configured() {
        outcome.fail(said(&error));
    }
    Ok(outcome)
}
