//! The kernel of Jupyter notebooks: the prompt's session behind Jupyter's messages.
//!
//! The script session is on the thread that calls [`run`], and answers one request after the other. The sockets are on a thread of
//! their own, which hands requests over and sends what any thread gives it; it answers alone what must not wait: heartbeats, interrupts,
//! and that the kernel is to end.
//!
//! - `install`: the file by which notebooks find the kernel
//! - `connection`: the file that says where the notebook listens; `wire`: messages from their frames
//! - `sockets`: the thread of the sockets
//! - `serve`: the requests, in order; `execute`: a cell, and `parts`: the commands and the code in it; `question`: what is asked of the person meanwhile
//! - `assist`: completion, inspection, whether an input is complete; `history`: earlier inputs
//! - `outputs`: what goes below which cell; `progress`: one display for all that is under way there
//! - `media`: values as a notebook shows them; `html`: tables; `colours` of errors; `captured`: what other programs write to standard output
//! - `info`: what the kernel is

mod assist;
mod captured;
mod colours;
mod connection;
mod execute;
mod history;
mod html;
mod info;
pub mod install;
mod media;
mod outputs;
mod parts;
mod progress;
mod question;
mod serve;
mod sockets;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGTERM;

use crate::activity::sink;
use crate::error::{Error, Result};
use crate::files::policy;
use crate::script::session::Session;

use captured::Captured;
use outputs::Outputs;
use serve::Kernel;

/// Serves the notebook that the connection file names until it ends the kernel, SIGTERM comes or its process is gone. Called by the
/// thread that made the session.
///
/// Errors: a file that is no connection file; a port that is taken; with `--untrusted`, which lets nothing reach the network.
pub fn run(session: &mut Session, connection: &Path) -> Result<()> {
    if policy::current().untrusted {
        return Err(Error::argument("a kernel talks to its notebook over the network, which --untrusted forbids"));
    }
    let info = connection::read(connection)?;
    if std::env::var_os("NO_COLOR").is_none() {
        // Notebooks show the sequences of colours.
        colored::control::set_override(true);
    }
    let leaving = Arc::new(AtomicBool::new(false));
    // Beside the handler that stops what runs.
    let _ = signal_hook::flag::register(SIGTERM, leaving.clone());
    let (sender, to_send) = sockets::channel();
    let outputs = Arc::new(Outputs::new(sender.clone()));
    let sockets = sockets::open(info, to_send, outputs.clone(), leaving)?;
    sink::set(Some(outputs.clone()));
    let captured = Captured::begin(outputs.clone());
    Kernel::new(session, outputs.clone(), sender.clone(), sockets, captured).serve();
    outputs.tick();
    sender.flush();
    sink::set(None);
    Ok(())
}
