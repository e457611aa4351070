//! `cpsd kernel`: the kernel of Jupyter notebooks.

use std::path::PathBuf;

use cpsd::activity::console::print_line;
use cpsd::error::Error;
use cpsd::kernel;
use cpsd::kernel::install::{Place, install, uninstall};
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;
use cpsd::torch::library;

use super::exit;

/// Install the kernel for Jupyter notebooks, or remove it
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Let Jupyter know this program as the kernel "cpsd"
    Install(Where),
    /// Remove it
    Uninstall(Where),
    /// Serve a notebook; Jupyter calls this
    #[command(hide = true)]
    Run { connection_file: PathBuf },
}

#[derive(clap::Args)]
struct Where {
    /// For you alone, in your data folder: so it is without options too
    #[arg(long, conflicts_with = "prefix")]
    user: bool,
    /// For the environment DIR, such as that of Python's venv
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
}

impl Where {
    fn place(self) -> Place {
        self.prefix.map_or(Place::User, Place::Prefix)
    }
}

pub fn run(args: Args, session: &mut Session) -> Result<u8, Failure> {
    let plain = Failure::plain;
    match args.action {
        Action::Install(at) => {
            let program = std::env::current_exe()
                .map_err(|e| plain(Error::internal(format!("the path of this program is not known: {e}"))))?;
            let folder = install(&at.place(), &program).map_err(plain)?;
            print_line(&format!("the kernel cpsd is in {}; new notebooks offer it", folder.display()));
        }
        Action::Uninstall(at) => {
            let folder = uninstall(&at.place()).map_err(plain)?;
            print_line(&format!("removed {}", folder.display()));
        }
        Action::Run { connection_file } => {
            // Most cells need it, and it is there before one is sent.
            library::load_meanwhile();
            kernel::run(session, &connection_file).map_err(plain)?;
        }
    }
    Ok(exit::DONE)
}
