//! The language around the core: words, values, engine, errors, libraries, checker.
//!
//! - `word`, `kind`: a word and a kind of value as data; `vocabulary`: all of them, installed by the layer above
//! - `call`: how Rust functions become words and members
//! - `session`: an engine with its variables, driven by the command line and the prompt
//! - `limits`: bounds on the memory of a script's values; `taking`, `splitting`: functions that are checked in one step
//! - `host`: the services of a session that words use (run store, script arguments, background calls)
//! - `carried`: closures that the library calls from any of its threads
//! - `background`: closures that run in the background; `script_lock`: lets one thread at a time run script code
//! - `options`: the `#{...}` of a call into a typed struct, with errors that name the option
//! - `parsing`: from a text to its syntax tree
//! - `subscripts`: several positions between the brackets of an index
//! - `iteration`: methods that go over the items of ranges and arrays
//! - `copies`: method calls whose closure reads the variable that they are called on
//! - `errors`: from the core's errors to Rhai's and from either to a message with its place
//! - `explain`: the sentence for each of Rhai's errors; `syntax`: for texts that cannot be parsed; `spans`: which part of a
//!   text is underlined; `snippet`: long lines cut
//! - `habits`: what people of other languages write, and how it is written here; `named_arguments`: calls of Python
//! - `tokens`: the tokens of a text, which may be unfinished
//! - `fingerprint`: the identity of a closure; `code`: the code of a function without its place; `hashing`: one seed in every process; `constants`: from text to text
//! - `format`: indentation and blanks; `naming`: which names a text may give
//! - `modules`: where `import` looks
//! - `lone_names`: statements that are nothing but a name
//! - `show`: how values are printed
//! - `arguments`: the arguments of a script on the command line
//! - `check`: finds mistakes without running
//! - `library_tests`: the `test_...` functions of script libraries
//! - `docs`, `topics`, `head_docs`, `option_docs`, `own_docs`, `library_docs`, `reference`: the documentation as text, as Markdown and as
//!   definitions for editors; `search`: names by a pattern
//! - `keywords`, `own_types`: the parts of the language that are Rhai's own, as data
//! - `option_parts`: options that are maps, and the names that options take; `closure_parameters`: what the closures that they take are given
//! - `profile`: where the time of a text goes
//! - `weave`: texts whose code blocks are run, such as the tutorial; `notebook`: the same as a notebook

pub mod arguments;
pub mod background;
pub mod call;
pub mod carried;
pub mod check;
pub mod closure_parameters;
pub mod closure_source;
mod code;
pub mod constants;
mod copies;
pub mod docs;
pub mod errors;
mod executor_docs;
pub mod explain;
pub mod fingerprint;
pub mod format;
mod habits;
mod hashing;
mod head_docs;
pub mod host;
mod iteration;
pub mod keywords;
pub mod kind;
pub mod library_docs;
pub mod library_tests;
pub mod limits;
mod lone_names;
pub mod modules;
mod named_arguments;
pub mod naming;
pub mod notebook;
mod option_docs;
pub mod option_parts;
pub mod options;
pub mod own_docs;
pub mod own_types;
pub mod parsing;
pub mod profile;
pub mod reference;
pub mod script_lock;
pub mod search;
pub mod session;
pub mod show;
mod snippet;
pub mod spans;
mod splitting;
pub mod subscripts;
pub mod syntax;
mod taking;
pub mod tokens;
mod topics;
pub mod vocabulary;
pub mod weave;
pub mod word;
