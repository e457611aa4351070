//! The language around the core: engine, options, errors, modules, arguments.
//!
//! - `session`: an engine with its variables; what the command line and the REPL drive
//! - `host`: what words need to know of the process (run store, script arguments)
//! - `background`: closures that run in the background
//! - `script_lock`: what lets one thread at a time run a script
//! - `options`: the `#{...}` of a call into a typed struct, with errors that name the option
//! - `errors`: from the core's errors to Rhai's and from those to what a person reads
//! - `explain`: the sentence for each of Rhai's errors; `syntax`: for texts that cannot be read; `spans`: what is underlined
//! - `tokens`: the tokens of a text that need not be a whole script
//! - `fingerprint`: what names the code of a closure
//! - `modules`: where `import` looks
//! - `show`: how values are printed
//! - `arguments`: what a script can be told on the command line
//! - `check`: finding mistakes without running
//! - `library_tests`: the `test_...` functions of script libraries
//! - `reference`: the documentation as Markdown, and as definitions for editors
//! - `profile`: where the time of a text goes
//! - `weave`: texts whose code blocks are run, such as the tutorial
//! - `docs`: the documentation of words, kinds and library functions as text

pub mod arguments;
pub mod background;
pub mod check;
pub mod docs;
pub mod errors;
pub mod explain;
pub mod fingerprint;
pub mod host;
pub mod library_tests;
pub mod modules;
pub mod options;
pub mod profile;
pub mod reference;
pub mod script_lock;
pub mod session;
pub mod show;
pub mod spans;
pub mod syntax;
pub mod tokens;
pub mod weave;
