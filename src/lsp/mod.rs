//! The language server, `cpsd lsp`: what the checker, the documentation and the prompt's completion know, in an editor.
//!
//! It speaks the Language Server Protocol over standard input and output. Nothing is run, and nothing is read but the texts that
//! the editor has open and the libraries that they import; the scripts in its folders where a name is looked for that they may use, and one
//! that is not open where the editor asks for such a name.
//!
//! - `transport`: messages as bytes; `server`: the loop over messages; `requests`: which function answers which request
//! - `document`: an open text, and places in it as the protocol counts them; `uri`: paths as addresses
//! - `names`: what each name of a text stands for, also of one that is half typed; `kinds`: the kinds of its variables
//! - `diagnostics`: the checker's findings; `fixes`: repairs of them
//! - `completion`, `signature`: as at the prompt
//! - `hover`: documentation
//! - `definition`, `rename`: where a name is made, where it is used, another name for it; `libraries`: the texts of imported libraries;
//!   `workspace`: the texts that import a library
//! - `symbols`, `colours`: the outline of a text, and what the colour of each name is

mod colours;
mod completion;
mod definition;
mod diagnostics;
mod document;
mod fixes;
mod hover;
mod kinds;
mod libraries;
mod names;
mod rename;
mod requests;
mod server;
mod signature;
mod symbols;
#[cfg(test)]
mod tests;
mod transport;
mod uri;
mod workspace;

pub use server::run;
