//! Messages over standard input and output: each behind a header with its length.
//!
//! lsp-server has the types of messages, but its reader takes memory for whatever length a header says, and ends at the first message
//! that is none. JSON-RPC wants an answer then, and that the talk goes on.

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use lsp_server::{ErrorCode, Message, RequestId};
use serde_json::{Value, json};

/// A longer message is refused.
const LONGEST: u64 = 64 << 20;
/// A refused message up to so long is read past. One that says more is not waited for.
const SKIPPED: u64 = 1 << 30;
/// The header of a message is not longer.
const LONGEST_HEADER: u64 = 16 << 10;
/// So many messages are read ahead.
const AHEAD: usize = 16;

/// What came.
#[derive(Debug)]
pub enum Incoming {
    Message(Message),
    /// Something else in place of a message: the answer to it. The next message is where it should be.
    Refused(Refused),
    /// The same, but where the next message would begin cannot be told.
    Lost(Refused),
}

/// The answer to what is no message.
#[derive(Debug)]
pub struct Refused {
    /// Null, unless what came says it.
    id: Value,
    code: ErrorCode,
    pub message: String,
}

impl Refused {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Refused { id: Value::Null, code, message: message.into() }
    }

    /// The answer as it is sent.
    pub fn answer(&self) -> Value {
        let error = json!({ "code": self.code as i32, "message": self.message });
        json!({ "jsonrpc": "2.0", "id": self.id, "error": error })
    }
}

/// An editor at the other end of standard input and output.
pub struct Editor {
    pub incoming: Receiver<Incoming>,
    outgoing: Sender<Value>,
    writer: JoinHandle<io::Result<()>>,
}

impl Editor {
    /// Begins the threads that read and write. Errors: the system gives no threads.
    pub fn on_standard_streams() -> io::Result<Editor> {
        let (came, incoming) = mpsc::sync_channel(AHEAD);
        let (outgoing, to_write) = mpsc::channel::<Value>();
        // The reader is never waited for: its input may never end.
        let _ = thread::Builder::new().name("cpsd lsp reads".into()).spawn(move || {
            let mut input = io::stdin().lock();
            while let Some(next) = read(&mut input) {
                let is_last = matches!(&next, Incoming::Lost(_));
                if came.send(next).is_err() || is_last {
                    return;
                }
            }
        })?;
        let writer = thread::Builder::new().name("cpsd lsp writes".into()).spawn(move || {
            let mut output = io::stdout().lock();
            to_write.into_iter().try_for_each(|message| write(&mut output, &message))
        })?;
        Ok(Editor { incoming, outgoing, writer })
    }

    /// Sends a message; false if the editor is gone.
    pub fn send(&self, message: Value) -> bool {
        self.outgoing.send(message).is_ok()
    }

    /// Waits until all is written. Errors: the editor does not take it.
    pub fn finish(self) -> io::Result<()> {
        drop(self.outgoing);
        self.writer.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes has failed")))
    }
}

/// A message as it is sent.
pub fn value(message: &Message) -> Value {
    let mut value = serde_json::to_value(message).unwrap_or_default();
    value["jsonrpc"] = json!("2.0");
    value
}

fn write(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let text = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

/// The next of the input; None at its end.
fn read(input: &mut impl BufRead) -> Option<Incoming> {
    let lost = |why: String| Some(Incoming::Lost(Refused::new(ErrorCode::InvalidRequest, why)));
    let ended = || lost("the input ended inside a message".into());
    let broken = |error: io::Error| lost(format!("the input cannot be read: {error}"));
    let length = match header(input) {
        Ok(Some(Ok(length))) => length,
        Ok(Some(Err(why))) => return lost(why),
        Ok(None) => return None,
        Err(error) => return broken(error),
    };
    if length > LONGEST {
        let longest = LONGEST >> 20;
        let why = format!("a message of {length} bytes was announced, and one has at most {longest} MiB");
        if length > SKIPPED {
            return lost(why);
        }
        return match io::copy(&mut input.take(length), &mut io::sink()) {
            Ok(skipped) if skipped == length => Some(Incoming::Refused(Refused::new(ErrorCode::InvalidRequest, why))),
            Ok(_) => ended(),
            Err(error) => broken(error),
        };
    }
    // It grows with what comes, whatever was announced.
    let mut bytes = Vec::new();
    match input.take(length).read_to_end(&mut bytes) {
        Ok(read) if read as u64 == length => Some(message(&bytes)),
        Ok(_) => ended(),
        Err(error) => broken(error),
    }
}

/// The length that a header announces, or why it does not. None at the end of the input.
fn header(input: &mut impl BufRead) -> io::Result<Option<Result<u64, String>>> {
    let mut input = input.take(LONGEST_HEADER);
    let (mut length, mut line, mut is_first) = (None, Vec::new(), true);
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line)?;
        if read == 0 && is_first {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            let why = match input.limit() {
                0 => "a header has no end",
                _ => "the input ended inside a header",
            };
            return Ok(Some(Err(why.to_string())));
        }
        is_first = false;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            return Ok(Some(length.ok_or_else(|| "a header without Content-Length".to_string())));
        }
        let Some((name, value)) = text.split_once(':') else {
            return Ok(Some(Err("a header has lines like \"Content-Length: 10\"".to_string())));
        };
        if name.trim().eq_ignore_ascii_case("Content-Length") {
            match value.trim().parse::<u64>() {
                Ok(bytes) => length = Some(bytes),
                Err(_) => return Ok(Some(Err("the Content-Length of a header is no number of bytes".to_string()))),
            }
        }
    }
}

/// The message that the bytes are, or the answer that they get instead.
fn message(bytes: &[u8]) -> Incoming {
    let refused = |id: Value, message: &str| {
        Incoming::Refused(Refused { id, ..Refused::new(ErrorCode::InvalidRequest, message) })
    };
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            return Incoming::Refused(Refused::new(ErrorCode::ParseError, format!("no JSON: {error}")));
        }
    };
    if value.is_array() {
        return refused(Value::Null, "a message of the protocol is one object; batches are not");
    }
    let Some(object) = value.as_object() else {
        return refused(Value::Null, "a message of the protocol is an object");
    };
    let id = object.get("id").filter(|id| !id.is_null()).cloned();
    // What can stand for a request in an answer.
    let shown = id.clone().filter(|id| id.is_number() || id.is_string()).unwrap_or_default();
    let is_id = |id: &Value| serde_json::from_value::<RequestId>(id.clone()).is_ok();
    let is_answer = object.contains_key("result") || object.contains_key("error");
    match object.get("method") {
        // A notification of lsp-server's would take any id.
        Some(Value::String(_)) if id.as_ref().is_some_and(|id| !is_id(id)) => {
            refused(shown, "the id of a request is a text or an integer of 32 bits")
        }
        Some(Value::String(_)) => match serde_json::from_value(value) {
            Ok(message) => Incoming::Message(message),
            Err(_) => refused(shown, "a message of the protocol has a method and params"),
        },
        Some(_) => refused(shown, "the method of a message is a text"),
        // An answer to nothing that was asked, which is not answered.
        None if is_answer => match serde_json::from_value(value) {
            Ok(message) => Incoming::Message(message),
            Err(_) => refused(Value::Null, "an answer has an id, and a result or an error"),
        },
        None => refused(shown, "a message of the protocol has a method"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<String> {
        let mut input = input;
        let mut out = vec![];
        while let Some(next) = read(&mut input) {
            let is_last = matches!(&next, Incoming::Lost(_));
            out.push(match next {
                Incoming::Message(Message::Request(request)) => format!("{} {}", request.id, request.method),
                Incoming::Message(Message::Notification(note)) => note.method,
                Incoming::Message(Message::Response(_)) => "answer".into(),
                Incoming::Refused(refused) => {
                    let answer = refused.answer();
                    assert_eq!(answer["jsonrpc"], "2.0");
                    format!("{} {}", answer["error"]["code"], answer["id"])
                }
                Incoming::Lost(refused) => format!("lost: {}", refused.message),
            });
            if is_last {
                break;
            }
        }
        out
    }

    fn framed(text: &str) -> Vec<u8> {
        format!("Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
    }

    #[test]
    fn what_is_no_message_gets_its_answer_and_the_next_is_read() {
        for (text, out) in [
            ("[]", "-32600 null"),
            ("[{\"method\": \"a\"}]", "-32600 null"),
            ("5", "-32600 null"),
            ("\"a\"", "-32600 null"),
            ("null", "-32600 null"),
            ("{}", "-32600 null"),
            ("{\"id\": 4}", "-32600 4"),
            ("{\"id\": {}, \"method\": \"a\"}", "-32600 null"),
            ("{\"id\": 1.5, \"method\": \"a\"}", "-32600 1.5"),
            ("{\"id\": 3000000000, \"method\": \"a\"}", "-32600 3000000000"),
            ("{\"id\": \"a\", \"method\": 5}", "-32600 \"a\""),
            ("{\"result\": 1}", "-32600 null"),
            ("{\"id\": 1, \"result\": null}", "answer"),
            ("{\"id\": 1, \"error\": {\"code\": 1, \"message\": \"\"}}", "answer"),
            ("{\"id\": 1, \"method\": \"a\", \"params\": 5}", "1 a"),
            ("{\"id\": \"1\", \"method\": \"a\"}", "\"1\" a"),
            ("{\"id\": null, \"method\": \"a\"}", "a"),
            ("{", "-32700 null"),
            ("", "-32700 null"),
            ("{\"method\": \"a\"} {", "-32700 null"),
            (&"[".repeat(100_000), "-32700 null"),
        ] {
            let mut input = framed(text);
            input.extend(framed("{\"method\": \"next\"}"));
            assert_eq!(all(&input), [out, "next"], "{}", &text[..text.len().min(80)]);
        }
        let mut bytes = b"Content-Length: 2\r\n\r\n\xff\xfe".to_vec();
        bytes.extend(framed("{\"method\": \"next\"}"));
        assert_eq!(all(&bytes), ["-32700 null", "next"]);
    }

    #[test]
    fn headers_are_read_as_they_come_or_end_the_talk() {
        let next = "\r\n\r\n{\"method\": \"a\"}";
        for header in ["Content-Length: 15", "content-length:15", "Content-Type: x\r\nCONTENT-LENGTH:  15 "] {
            assert_eq!(all(format!("{header}{next}").as_bytes()), ["a"], "{header}");
        }
        for (input, why) in [
            ("Content-Length: 100000000000000\r\n\r\n{}", "a message of 100000000000000 bytes was announced"),
            ("Content-Length: 18446744073709551615\r\n\r\n{}", "a message of 18446744073709551615 bytes"),
            ("Content-Length: 18446744073709551616\r\n\r\n{}", "no number of bytes"),
            ("Content-Length: -1\r\n\r\n{}", "no number of bytes"),
            ("Content-Type: x\r\n\r\n{}", "without Content-Length"),
            ("{\"method\": \"a\"}\r\n", "inside a header"),
            ("{\"method\": \"a\"}\r\n\r\n", "without Content-Length"),
            ("nothing\r\n", "a header has lines like"),
            ("Content-Len", "inside a header"),
            ("Content-Length: 5\r\n", "inside a header"),
            ("Content-Length: 5\r\n\r\n{}", "inside a message"),
            ("Content-Length: 70000000\r\n\r\n{}", "inside a message"),
            (&"a: b\r\n".repeat(100_000), "a header has no end"),
            (&"a".repeat(100_000), "a header has no end"),
        ] {
            let found = all(input.as_bytes());
            assert!(found.len() == 1 && found[0].starts_with("lost: ") && found[0].contains(why), "{why}: {found:?}");
        }
        assert_eq!(all(b""), [""; 0]);
        // A long one that does come is read past.
        let mut long = format!("Content-Length: {}\r\n\r\n", LONGEST + 1).into_bytes();
        long.resize(long.len() + LONGEST as usize + 1, b' ');
        long.extend(framed("{\"method\": \"next\"}"));
        assert_eq!(all(&long), ["-32600 null", "next"]);
    }
}
