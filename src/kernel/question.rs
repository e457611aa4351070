//! Questions to the person while a cell runs.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jupyter_protocol::{InputRequest, JupyterMessage};
use parking_lot::Mutex;

use super::serve::stdin;
use super::sockets::Sender;
use crate::activity::console::Asker;
use crate::activity::interrupt;

/// How often a wait for an answer looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// Asks whoever sent the request, until the answer is yes or no. An interrupt means no.
pub fn asker(sender: &Sender, request: &JupyterMessage, answers: &Arc<Mutex<Receiver<String>>>) -> Asker {
    let (sender, answers) = (sender.clone(), answers.clone());
    let mut request = request.clone();
    // The code is of no use here.
    request.content = InputRequest::default().into();
    Box::new(move |question| {
        let answers = answers.lock();
        // What was answered too late.
        while answers.try_recv().is_ok() {}
        loop {
            let content = InputRequest { prompt: format!("{question} y/n> "), password: false };
            stdin(&sender, JupyterMessage::new(content, Some(&request)));
            let answer = loop {
                match answers.recv_timeout(LOOK) {
                    Ok(answer) => break answer,
                    Err(RecvTimeoutError::Timeout) if !interrupt::requested() => {}
                    Err(_) => return false,
                }
            };
            match answer.trim().to_lowercase().as_str() {
                "y" | "yes" => return true,
                "n" | "no" => return false,
                _ => {}
            }
        }
    })
}
