//! `cpsd man`: the manual pages, made from the command line's own help.

use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use cpsd::activity::console::print_line;
use cpsd::error::Error;
use cpsd::files::own;
use cpsd::script::errors::Failure;

use super::exit;

/// Write the manual pages into a folder: cpsd.1, and one for each command
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Args {
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(args: Args, program: Command) -> Result<u8, Failure> {
    let folder = &args.folder;
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let written = own::create_folders(folder).and_then(|()| write(program, folder));
    print_line(&format!("{} pages in {}", written.map_err(Failure::plain)?, folder.display()));
    Ok(exit::DONE)
}

/// Writes the pages of a command and of those under it. Returns how many.
fn write(command: Command, folder: &Path) -> Result<usize, Error> {
    let mut pages = 1;
    for under in command.get_subcommands().filter(|under| !under.is_hide_set()).cloned() {
        pages += write(under, folder)?;
    }
    let page = Man::new(command).manual("cpsd");
    let file = folder.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).map_err(|e| Error::io(&file, e))?;
    // What stands behind the help is the list of exit codes, which has its own name in manual pages.
    let text = String::from_utf8_lossy(&text).replace("\n.SH EXTRA\n", "\n.SH \"EXIT STATUS\"\n");
    own::write(&file, text.as_bytes())?;
    Ok(pages)
}
