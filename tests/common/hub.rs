//! A server on the loopback that speaks as much of the Hugging Face Hub's protocol as a download needs: the address of a
//! file leads to another, which gives ranges of it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// The commit of every branch and tag.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the server answers a request for the content.
#[derive(Clone, Copy, PartialEq)]
pub enum Answers {
    Whole,
    /// Half of what was asked for, then the connection ends.
    Half,
    /// Half of it the first time.
    HalfOnce,
    /// Other content of the same size.
    Other,
    /// Much more content than it says.
    Endless,
    /// Nothing: the connection stays open.
    Nothing,
    /// Every request fails with this status.
    Status(u16),
}

struct State {
    content: Vec<u8>,
    etag: String,
    answers: Mutex<Answers>,
    requests: Mutex<Vec<String>>,
    over: AtomicBool,
}

pub struct FakeHub {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl FakeHub {
    /// A server whose repositories all hold this file.
    pub fn start(content: Vec<u8>) -> FakeHub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            etag: sha256(&content),
            content,
            answers: Mutex::new(Answers::Whole),
            requests: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let (of, to) = (state.clone(), address.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of.over.load(Ordering::SeqCst) {
                    return;
                }
                let (of, to) = (of.clone(), to.clone());
                std::thread::spawn(move || drop(answer(stream, &of, &to)));
            }
        });
        FakeHub { address, state, thread: Some(thread) }
    }

    pub fn answers(&self, how: Answers) {
        *self.state.answers.lock().unwrap() = how;
    }

    /// Path, range and token of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The name of the content.
    pub fn etag(&self) -> &str {
        &self.state.etag
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(mut stream: TcpStream, state: &State, address: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let path = lines.next().transpose()?.unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_string();
    let (mut range, mut token) = (String::new(), String::new());
    for line in lines.by_ref() {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("range") => range = value.to_string(),
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => token = value.to_string(),
            Some(_) => {}
            None => break,
        }
    }
    state.requests.lock().unwrap().push(format!("{path} {range} {token}").trim().to_string());
    let how = *state.answers.lock().unwrap();
    if let Answers::Status(status) = how {
        return write!(stream, "HTTP/1.1 {status} Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    if path.contains("/resolve/") {
        return write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {address}/content\r\nX-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"{0}\"\r\n\
             X-Linked-Size: {1}\r\nETag: \"{0}\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            state.etag,
            state.content.len()
        );
    }
    let (from, to) = range.trim_start_matches("bytes=").split_once('-').unwrap_or(("0", ""));
    let all = state.content.len();
    let (from, to) = (from.parse().unwrap_or(0), to.parse().unwrap_or(all - 1));
    if from >= all {
        return write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    if how == Answers::Endless && to > from {
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{to}/{all}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )?;
        // Bounded, should nobody hang up.
        let chunk = vec![7; 1 << 20];
        for _ in 0..64 {
            write!(stream, "{:x}\r\n", chunk.len())?;
            stream.write_all(&chunk)?;
            stream.write_all(b"\r\n")?;
        }
        return Ok(());
    }
    let mut part = state.content[from..=to].to_vec();
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{to}/{all}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        part.len()
    )?;
    // The first byte alone is asked for to learn the size.
    if part.len() > 1 {
        match how {
            Answers::Half | Answers::HalfOnce => {
                part.truncate(part.len() / 2);
                if how == Answers::HalfOnce {
                    *state.answers.lock().unwrap() = Answers::Whole;
                }
            }
            Answers::Other => part.reverse(),
            Answers::Nothing => {
                while !state.over.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return Ok(());
            }
            Answers::Whole | Answers::Endless | Answers::Status(_) => {}
        }
    }
    stream.write_all(&part)?;
    stream.flush()
}
