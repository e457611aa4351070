//! `cpsd --version`: what a report of a fault should say of the program and the machine, and where it looks for things.

use cpsd::configuration;
use cpsd::devices::driver::{Driver, cuda_name};
use cpsd::devices::{self, no_gpu};
use cpsd::executors::pool;
use cpsd::files::own;
use cpsd::models::weights::Places;
use cpsd::say;
use cpsd::script::host::Host;

use super::exit;

/// Prints versions, GPUs, the device, the threads, and the places of runs, weights and settings. No GPU gets a context.
pub fn run() -> u8 {
    // The same is said below.
    no_gpu::leave_unsaid();
    say!("cpsd {}", env!("CARGO_PKG_VERSION"));
    say!("libtorch  {}", devices::libtorch_in_words());
    let driver = Driver::here();
    let versions = [no_gpu::module_version(), driver.cuda().map(|cuda| format!("for CUDA up to {}", cuda_name(cuda)))];
    let versions: Vec<String> = versions.into_iter().flatten().collect();
    if !versions.is_empty() {
        say!("driver    {}", versions.join(" "));
    }
    for (i, gpu) in driver.gpus().iter().enumerate() {
        let (memory, (major, minor)) = (gpu.memory as f64 / f64::from(1 << 30), gpu.capability);
        say!("GPU       cuda:{i} {}, {memory:.1} GiB, compute capability {major}.{minor}", gpu.name);
    }
    match devices::in_words() {
        Ok(words) => say!("device    {words}"),
        Err(error) => {
            let why = if devices::gpus() == 0 { format!(" ({})", no_gpu::reason().message) } else { String::new() };
            say!("device    none: {}{why}", error.message);
        }
    }
    say!("threads   {}", pool::in_words());
    say!("runs      {}", configuration::shown(&Host::configured_store()));
    for (i, folder) in Places::configured().folders().iter().enumerate() {
        let (title, absent) = (if i == 0 { "weights" } else { "" }, if folder.is_dir() { "" } else { " (absent)" });
        say!("{title:<9} {}{absent}", configuration::shown(folder));
    }
    for (i, place) in configuration::places().into_iter().filter(|place| !own::is_absent(&place.path)).enumerate() {
        say!("{:<9} {}", if i == 0 { "settings" } else { "" }, configuration::shown(&place.path));
    }
    exit::DONE
}
