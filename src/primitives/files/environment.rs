//! `environment`: a variable of the environment.

use crate::error::{Error, Result};
use crate::files::policy;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "environment",
    chapter: Chapter::Files,
    signatures: &["environment(name) -> string", "environment(name, default) -> string"],
    summary: "The value of a variable of the environment.",
    details: "Without a default, a variable that is not set is an error. With --untrusted a script reads none, except those that \
              --allow-env=NAME names. It is no part of a run's name: what decides a result is better an argument (?arg).",
    options: None,
    examples: &[Example { code: "environment(\"CPSD_NO_SUCH_VARIABLE\", \"unset\")", prints: "unset" }],
    register: |word| {
        word.form(environment);
    },
};

fn environment(name: String, default: Option<String>) -> Result<String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Error::argument(format!("environment: \"{}\" is no name of a variable", name.escape_debug())));
    }
    policy::check_environment(&name)?;
    match (std::env::var(&name), default) {
        (Ok(value), _) => Ok(value),
        (Err(std::env::VarError::NotUnicode(_)), _) => {
            Err(Error::argument(format!("environment: the value of {name} is no UTF-8 text")).about_name(name.as_str()))
        }
        (Err(_), Some(default)) => Ok(default),
        (Err(_), None) => Err(Error::argument(format!("environment: the variable {name} is not set"))
            .about_name(name.as_str())
            .with_help(format!("a default may follow: environment(\"{name}\", \"default\")"))),
    }
}
