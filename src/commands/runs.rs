//! `cpsd runs`.

use cpsd::activity::console::print_line;
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;
use cpsd::script::show;

use super::exit;

/// List the finished runs
#[derive(clap::Args)]
pub struct Args {}

pub fn run(_: Args, session: &mut Session) -> Result<u8, Failure> {
    let value = session.eval("runs()", "runs")?;
    print_line(&show::plain(&value));
    Ok(exit::DONE)
}
