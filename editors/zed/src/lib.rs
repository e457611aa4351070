//! Starts `cpsd lsp` for Zed.

use zed_extension_api::{self as zed, Command, LanguageServerId, Result, Worktree};

struct Cpsd;

impl zed::Extension for Cpsd {
    fn new() -> Self {
        Cpsd
    }

    fn language_server_command(&mut self, _: &LanguageServerId, worktree: &Worktree) -> Result<Command> {
        let command = worktree.which("cpsd").ok_or("the shell finds no program cpsd")?;
        Ok(Command { command, args: vec!["lsp".into()], env: worktree.shell_env() })
    }
}

zed::register_extension!(Cpsd);
