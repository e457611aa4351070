//! `cpsd doc`: documentation in the terminal, as Markdown, as definitions for editors, and woven texts.

use std::path::PathBuf;

use cpsd::activity::console::print_line;
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;
use cpsd::script::{docs, notebook, reference, weave};

use super::exit;

/// Print the documentation of a word, a kind of value, a library, an option or a topic
#[derive(clap::Args)]
pub struct Args {
    word: Option<String>,
    /// Write the whole reference as Markdown into a folder
    #[arg(long, value_name = "DIR")]
    reference: Option<PathBuf>,
    /// Write .d.rhai definitions for editors into a folder
    #[arg(long, value_name = "DIR")]
    definitions: Option<PathBuf>,
    /// Run the code blocks of a Markdown file in one session, and write it with their output and figures; into an .ipynb they are cells,
    /// which are not run
    #[arg(long, value_name = "SOURCE.md", requires = "into")]
    weave: Option<PathBuf>,
    #[arg(long, value_name = "OUT.md", requires = "weave")]
    into: Option<PathBuf>,
}

/// `session` makes one, which takes a few milliseconds that the documentation of a word does not need.
pub fn run(args: Args, session: impl FnOnce() -> Session) -> Result<u8, Failure> {
    let plain = Failure::plain;
    let said = if let Some(folder) = args.reference {
        let pages = reference::write(&folder).map_err(plain)?;
        format!("{pages} pages in {}", folder.display())
    } else if let Some(folder) = args.definitions {
        reference::write_definitions(&session(), &folder).map_err(plain)?;
        format!("definitions in {}", folder.display())
    } else if let (Some(source), Some(into)) = (args.weave, args.into) {
        match into.extension().is_some_and(|ending| ending == "ipynb") {
            true => notebook::write(&source, &into).map_err(plain)?,
            false => weave::weave(&source, &into)?,
        }
        format!("{} from {}", into.display(), source.display())
    } else {
        docs::doc(args.word.as_deref()).map_err(plain)?.trim_end().to_string()
    };
    print_line(&said);
    Ok(exit::DONE)
}
