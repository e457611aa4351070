//! What goes below which cell: lines, displays and progress, from whatever thread they come.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use jupyter_protocol::{
    DisplayData, Header, JupyterMessage, JupyterMessageContent, StreamContent, Transient, UpdateDisplayData,
};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::colours::readable;
use super::progress::{Progress, Step};
use super::sockets::{Sender, Socket};
use super::{info, media};
use crate::activity::sink::{Sink, Stream};
use crate::activity::update::ProgressUpdate;
use crate::activity::{foreground, interrupt};

/// Bytes of lines that wait to be sent. Who writes more waits too, so that an endless loop of prints fills no memory.
const WAITING: usize = 256 * 1024;
/// Nobody waits longer for lines to be sent.
const LONGEST: Duration = Duration::from_secs(5);

/// The outputs of all cells.
pub struct Outputs {
    sender: Sender,
    state: Mutex<State>,
    /// Lines were sent.
    sent: Condvar,
}

#[derive(Default)]
struct State {
    /// The header of the request that began each cell, by the cell's number.
    cells: HashMap<u64, Header>,
    newest: u64,
    lines: Vec<(u64, Stream, String)>,
    /// Bytes of `lines`.
    size: usize,
    /// Bytes of values that were shown since the last tick.
    shown: usize,
    progress: BTreeMap<u64, Progress>,
}

impl Outputs {
    pub fn new(sender: Sender) -> Self {
        Outputs { sender, state: Mutex::default(), sent: Condvar::new() }
    }

    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Begins the cell of a request: what the foreground and the jobs that it begins say goes there from now on.
    pub fn begin(&self, request: &JupyterMessage) -> u64 {
        let mut state = self.state.lock();
        self.send_lines(&mut state);
        state.newest += 1;
        let cell = state.newest;
        state.cells.insert(cell, request.header.clone());
        foreground().set_cell(cell);
        cell
    }

    /// Sends something below a cell, behind all that it said before.
    pub fn publish(&self, cell: u64, content: impl Into<JupyterMessageContent>) {
        let mut state = self.state.lock();
        self.send_lines(&mut state);
        self.send(&state, cell, content.into());
    }

    /// Sends all that a cell whose evaluation has ended has said.
    pub fn end(&self, cell: u64) {
        let mut state = self.state.lock();
        self.send_lines(&mut state);
        self.send_progress(&mut state, Some(cell));
    }

    /// Sends the lines that wait, and progress that is due.
    pub fn tick(&self) {
        let mut state = self.state.lock();
        state.shown = 0;
        self.send_lines(&mut state);
        self.send_progress(&mut state, None);
    }

    /// The state once fewer bytes than [`WAITING`] wait to be sent.
    fn state_below(&self, bytes: impl Fn(&State) -> usize) -> MutexGuard<'_, State> {
        let begun = Instant::now();
        let mut state = self.state.lock();
        while bytes(&state) > WAITING && begun.elapsed() < LONGEST && !interrupt::requested() {
            let _ = self.sent.wait_for(&mut state, Duration::from_millis(100));
        }
        state
    }

    fn send_lines(&self, state: &mut State) {
        for (cell, stream, text) in std::mem::take(&mut state.lines) {
            self.send(
                state,
                cell,
                match stream {
                    // Notebooks show standard error as an alarm.
                    Stream::Output | Stream::Note => StreamContent::stdout(&text).into(),
                    Stream::Error => StreamContent::stderr(&readable(&text)).into(),
                },
            );
        }
        state.size = 0;
        self.sent.notify_all();
    }

    /// Sends the progress of all cells where it is due, or of one.
    fn send_progress(&self, state: &mut State, of: Option<u64>) {
        let mut steps = Vec::new();
        for (cell, progress) in state.progress.iter_mut().filter(|(cell, _)| of.is_none_or(|of| of == **cell)) {
            steps
                .extend(progress.step(of.is_some(), Instant::now()).map(|step| (*cell, progress.display(*cell), step)));
        }
        for (cell, display, step) in steps {
            let content = match step {
                Step::Begin(data) => {
                    let transient = Some(Transient { display_id: Some(display) });
                    DisplayData { data, metadata: Default::default(), transient }.into()
                }
                Step::Update(data) => UpdateDisplayData::new(data, &display).into(),
            };
            self.send(state, cell, content);
        }
    }

    fn send(&self, state: &State, cell: u64, content: JupyterMessageContent) {
        let Some(header) = state.cells.get(&cell) else {
            // Before the first cell: for whoever began the kernel.
            if let JupyterMessageContent::StreamContent(lines) = content {
                let _ = std::io::stderr().write_all(lines.text.as_bytes());
            }
            return;
        };
        let mut message = JupyterMessage::new(content, None).with_session(&info::session());
        message.parent_header = Some(header.clone());
        message.zmq_identities = vec![message.header.msg_type.clone().into()];
        self.sender.send(Socket::Iopub, message);
    }
}

impl Sink for Outputs {
    fn write(&self, cell: u64, stream: Stream, text: &str) {
        let mut state = self.state_below(|state| state.size);
        state.size += text.len();
        match state.lines.last_mut() {
            Some((last, of, lines)) if *last == cell && *of == stream => lines.push_str(text),
            _ => state.lines.push((cell, stream, text.to_string())),
        }
    }

    fn progress(&self, cell: u64, piece: u64, update: ProgressUpdate) {
        self.state.lock().progress.entry(cell).or_default().take(piece, update, Instant::now());
    }

    fn page(&self, cell: u64, path: &Path, html: &str) {
        self.publish(cell, DisplayData::new(media::page(path, html)));
    }

    fn value(&self, cell: u64, text: &str, value: &dyn Any) -> bool {
        let Some((media, size)) = media::of_printed(text, value) else { return false };
        self.state_below(|state| state.shown).shown += size;
        self.publish(cell, DisplayData::new(media));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::sockets::{Sent, channel};
    use jupyter_protocol::ExecuteRequest;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn request(code: &str) -> JupyterMessage {
        JupyterMessage::new(ExecuteRequest::new(code.into()), None)
    }

    #[test]
    fn lines_are_gathered_and_go_to_their_cells() {
        let (sender, mut sent) = channel();
        let outputs = Outputs::new(sender);
        let (first, second) = (request("1"), request("2"));
        let (a, b) = (outputs.begin(&first), outputs.begin(&second));
        foreground().set_cell(0);
        for (cell, stream, text) in [
            (a, Stream::Output, "one\n"),
            (a, Stream::Output, "two\n"),
            (b, Stream::Output, "three\n"),
            (b, Stream::Error, "four\n"),
            (b, Stream::Note, "five\n"),
        ] {
            outputs.write(cell, stream, text);
        }
        outputs.tick();
        let mut came = Vec::new();
        while let Ok(Sent::Message(socket, message)) = sent.try_recv() {
            assert_eq!(socket, Socket::Iopub);
            let JupyterMessageContent::StreamContent(lines) = message.content else { panic!("lines") };
            let of_first = message.parent_header.unwrap().msg_id == first.header.msg_id;
            came.push((of_first, matches!(lines.name, jupyter_protocol::Stdio::Stderr), lines.text));
        }
        let expected =
            [(true, false, "one\ntwo\n"), (false, false, "three\n"), (false, true, "four\n"), (false, false, "five\n")];
        assert_eq!(came, expected.map(|(cell, stream, text)| (cell, stream, text.to_string())));
    }

    #[test]
    fn who_writes_without_end_waits_for_the_sockets() {
        let (sender, mut sent) = channel();
        let outputs = Arc::new(Outputs::new(sender));
        let cell = outputs.begin(&request("loop {}"));
        foreground().set_cell(0);
        let line = "x".repeat(WAITING / 4);
        let writer = outputs.clone();
        let thread = std::thread::spawn(move || (0..40).for_each(|_| writer.write(cell, Stream::Output, &line)));
        let mut most = 0;
        while !thread.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
            most = most.max(outputs.state.lock().size);
            outputs.tick();
        }
        thread.join().unwrap();
        outputs.tick();
        let mut bytes = 0;
        while let Ok(Sent::Message(_, message)) = sent.try_recv() {
            if let JupyterMessageContent::StreamContent(lines) = message.content {
                bytes += lines.text.len();
            }
        }
        assert!(most <= 2 * WAITING, "{most}");
        assert_eq!(bytes, 10 * WAITING);
    }

    #[test]
    fn who_prints_tables_without_end_waits_too() {
        let mut session = crate::primitives::session();
        let table = session.eval("table((0..500).map(|i| #{a: i, b: `row ${i}`}))", "test").unwrap();
        let (sender, mut sent) = channel();
        let outputs = Arc::new(Outputs::new(sender));
        let cell = outputs.begin(&request("loop {}"));
        foreground().set_cell(0);
        let done = Arc::new(AtomicBool::new(false));
        let (ticking, until) = (outputs.clone(), done.clone());
        let thread = std::thread::spawn(move || {
            let mut most = 0;
            while !until.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
                most = most.max(ticking.state.lock().shown);
                ticking.tick();
            }
            most
        });
        (0..40).for_each(|_| assert!(outputs.value(cell, "a table", &table)));
        done.store(true, Ordering::SeqCst);
        let most = thread.join().unwrap();
        let came = std::iter::from_fn(|| sent.try_recv().ok()).count();
        assert!(most > 0 && most <= 2 * WAITING && came == 40, "{most} {came}");
        assert!(!outputs.value(cell, "7", &rhai::Dynamic::from(7_i64)));
    }
}
