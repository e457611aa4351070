//! zsh: its script.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use clap::Command;
use clap_complete::env::EnvCompleter;

/// zsh by clap_complete's script, with no blank after `key=`, and with candidates for the first Tab too where zsh loads the script itself
/// at that Tab.
pub struct Zsh;

impl EnvCompleter for Zsh {
    fn name(&self) -> &'static str {
        clap_complete::env::Zsh.name()
    }

    fn is(&self, name: &str) -> bool {
        clap_complete::env::Zsh.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        script: &mut dyn Write,
    ) -> std::io::Result<()> {
        let mut text = Vec::new();
        clap_complete::env::Zsh.write_registration(variable, name, program, completer, &mut text)?;
        let all = "[[ -n $other ]] && _describe -V 'values' other";
        let apart = "local -a keys=(${(M)other:#*=(|:*)})\n        \
            other=(${other:|keys})\n        \
            [[ -n $keys ]] && _describe -V 'arguments' keys -S ''\n        ";
        let text = String::from_utf8_lossy(&text).replace(all, &format!("{apart}{all}"));
        write!(
            script,
            "{}\nif [ \"$funcstack[1]\" = \"_{name}\" ]; then _clap_dynamic_completer_{name} \"$@\"; fi\n",
            text.trim_end()
        )
    }

    fn write_complete(
        &self,
        program: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        clap_complete::env::Zsh.write_complete(program, words, folder, out)
    }
}
