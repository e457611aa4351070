//! What the command line allows scripts to do.

use std::path::{Path, PathBuf};

use cpsd::activity::console;
use cpsd::configuration::{self, Start};
use cpsd::error::{Error, Result};
use cpsd::files::landlock::{self, Enforced};
use cpsd::files::own;
use cpsd::files::policy::{self, Policy};
use cpsd::models::weights::Places;
use cpsd::torch::library;

/// Permissions of scripts, for every command that runs one.
#[derive(clap::Args)]
#[command(next_help_heading = "Permissions of scripts (docs/security.md)")]
pub struct Permissions {
    /// Scripts may also write DIR, a folder or a file (repeatable)
    #[arg(long, global = true, value_name = "DIR")]
    allow_write: Vec<PathBuf>,
    /// With --untrusted, scripts may also read DIR, a folder or a file (repeatable)
    #[arg(long, global = true, value_name = "DIR")]
    allow_read: Vec<PathBuf>,
    /// With --untrusted, scripts may also read the variable NAME of the environment (repeatable)
    #[arg(long, global = true, value_name = "NAME")]
    allow_env: Vec<String>,
    /// TorchScript files, which are programs, may run
    #[arg(long, global = true)]
    allow_code: bool,
    /// A stranger's script: reads its folder, libraries, weights and the run store; writes the run store
    #[arg(long, global = true)]
    pub untrusted: bool,
}

/// What a command runs: the file of its script, and paths that the person typed beside it.
#[derive(Default)]
pub struct Typed<'a> {
    pub script: Option<&'a Path>,
    pub paths: Vec<String>,
}

impl Permissions {
    /// Reads the settings for this work: those of the script's project, or of the working folder's.
    ///
    /// Errors: a file of settings with a mistake; a run store that the project may not name.
    pub fn configure(&self, runs: Option<&Path>, typed: &Typed) -> Result<()> {
        let here = std::env::current_dir().unwrap_or_default();
        // Behind a link the script is at home where it lies.
        let script = typed.script.map(|file| std::fs::canonicalize(file).unwrap_or_else(|_| here.join(file)));
        let folder = script.map_or(here.clone(), |file| match file.parent() {
            Some(folder) if !file.is_dir() => folder.to_path_buf(),
            _ => file,
        });
        configuration::start(&Start { folder, runs, writes: &self.allow_write, untrusted: self.untrusted })
    }

    /// Sets the policy of this process. Call it before any other thread starts.
    ///
    /// Errors: the run store or the temporary folder cannot be made.
    pub fn set(&self, store: &Path, typed: &Typed) -> Result<()> {
        let typed_places = typed.paths.iter().filter(|text| policy::is_place(text)).map(PathBuf::from);
        let writes: Vec<PathBuf> = self.allow_write.iter().cloned().chain(typed_places).collect();
        if !self.untrusted {
            policy::set(Policy::fenced(&[store]));
            writes.iter().for_each(|path| policy::allow_write(path));
            if self.allow_code {
                policy::allow_code();
            }
            return Ok(());
        }
        own::create_folders(store)?;
        // Later it could not be made.
        let temporary = own::session_folder()?;
        let beside = typed.script.map(|file| match file.parent() {
            _ if file.is_dir() => file,
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        });
        // Those of the project are in its folder, and give no permission: it is as little trusted as the script.
        let libraries = configuration::folders_of_person("libraries");
        let weights = Places::without_project().folders();
        let reads = libraries.iter().chain(&weights).chain(&self.allow_read).map(PathBuf::as_path).chain(beside);
        let writes = writes.iter().map(PathBuf::as_path).chain([store, &temporary]);
        let policy = Policy::untrusted(&reads.collect::<Vec<_>>(), &writes.collect::<Vec<_>>());
        policy::set(Policy { environment: self.allow_env.clone(), ..policy });
        if self.allow_code {
            console::log("--allow-code has no effect with --untrusted: no TorchScript file runs");
        }
        // Later its files could not be read.
        library::load().map_err(Error::internal)?;
        bound_memory();
        match landlock::enforce(&policy::current()) {
            Enforced::Files { network: true } => {}
            Enforced::Files { network: false } => {
                console::log("the Landlock of this kernel fences files; that nothing is sent holds in cpsd alone");
            }
            Enforced::Nothing => {
                console::log("this kernel has no Landlock: the bounds of --untrusted hold in cpsd alone, not below it");
            }
        }
        Ok(())
    }
}

/// Bounds the data of this process, and of each process that it starts, to half of the machine's memory.
fn bound_memory() {
    let half = own::machine_memory() / 2;
    let limit = libc::rlimit { rlim_cur: half, rlim_max: half };
    // SAFETY: the call reads a struct that lives through it.
    if unsafe { libc::setrlimit(libc::RLIMIT_DATA, &limit) } != 0 {
        console::log("the memory of this process could not be bounded");
    }
}
