//! `cpsd eval`.

use cpsd::activity::console::print_line;
use cpsd::cluster::code;
use cpsd::executors::worker::watch_lifeline;
use cpsd::primitives::values::as_json::as_json;
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;
use cpsd::script::{show, tokens};

use super::exit;
use super::permissions::Typed;

/// Evaluate an expression and print its value
#[derive(clap::Args)]
pub struct Args {
    #[arg(allow_hyphen_values = true)]
    expression: String,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    supervised: bool,
    /// Print the value as one line of JSON, behind whatever the text prints; () is null
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The paths in the expression.
    pub fn typed(&self) -> Typed<'_> {
        Typed { script: None, paths: tokens::texts(&self.expression) }
    }
}

pub fn run(args: Args, session: &mut Session) -> Result<u8, Failure> {
    if args.supervised {
        watch_lifeline();
    }
    // Typed, so they may be shell for a queue.
    tokens::texts(&args.expression).iter().for_each(|text| code::typed(text));
    let value = session.eval(&args.expression, "eval")?;
    if args.json {
        print_line(&as_json(&value).map_err(Failure::plain)?.to_string());
        return Ok(exit::DONE);
    }
    if !value.is_unit() {
        print_line(&show::plain(&value));
    }
    Ok(exit::DONE)
}
