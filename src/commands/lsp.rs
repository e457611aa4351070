//! `cpsd lsp`: the language server.

use std::io::IsTerminal;

use cpsd::script::session::Session;
use cpsd::{lsp, say_error};

/// Serve an editor: mistakes as one types, completion, help, definitions (docs/editors.md)
#[derive(clap::Args)]
pub struct Args {
    /// Over standard input and output: the only way, which some editors ask for
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Returns the exit code: 0 after the editor has asked to shut down, 1 when it went without, 130 after a signal.
pub fn run(args: Args, session: &Session) -> u8 {
    if std::io::stdin().is_terminal() && !args.stdio {
        say_error!("cpsd lsp talks to an editor, which starts it: docs/editors.md; Ctrl-C leaves");
    }
    lsp::run(session)
}
