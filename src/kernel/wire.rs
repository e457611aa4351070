//! Messages from their frames. What a client leaves out gets its default, and a request that cannot be read can still be answered.

use jupyter_protocol::{JupyterMessage, JupyterMessageContent, UnknownMessage};
use jupyter_zmq_client::RawMessage;
use serde_json::{Value, json};

/// The key under which a message that cannot be read has the reason.
pub const UNREADABLE: &str = "unreadable";

/// The message in these frames, whose signature was checked. None if it has no header, so that nobody can be answered.
pub fn message(raw: RawMessage) -> Option<JupyterMessage> {
    let [header, parent, metadata, content] = raw.jparts.get(..4)? else { return None };
    let header: jupyter_protocol::Header = serde_json::from_slice(header).ok()?;
    let kind = header.msg_type.clone();
    let read = serde_json::from_slice(content)
        .map(|content| with_defaults(&kind, content))
        .and_then(|content| JupyterMessageContent::from_type_and_content(&kind, content));
    let content = read.unwrap_or_else(|error| {
        let content = json!({ UNREADABLE: error.to_string() });
        JupyterMessageContent::UnknownMessage(UnknownMessage { msg_type: kind, content })
    });
    Some(JupyterMessage {
        parent_header: serde_json::from_slice(parent).ok(),
        metadata: serde_json::from_slice(metadata).unwrap_or_else(|_| json!({})),
        buffers: raw.jparts[4..].to_vec(),
        zmq_identities: raw.zmq_identities,
        header,
        content,
        channel: None,
    })
}

/// The content with the keys that a client may leave out.
fn with_defaults(kind: &str, mut content: Value) -> Value {
    let defaults = match kind {
        "execute_request" => json!({ "silent": false, "store_history": true, "user_expressions": {} }),
        "history_request" => json!({
            "hist_access_type": "tail", "output": false, "raw": true, "unique": false, "session": 0, "start": 0,
            "stop": i32::MAX, "n": 1000, "pattern": "*",
        }),
        "shutdown_request" => json!({ "restart": false }),
        _ => return content,
    };
    if let (Value::Object(given), Value::Object(defaults)) = (&mut content, defaults) {
        for (key, default) in defaults {
            let value = given.entry(key).or_insert(Value::Null);
            if value.is_null() {
                *value = default;
            }
        }
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use jupyter_protocol::HistoryRequest;

    fn read(kind: &str, content: &str) -> JupyterMessageContent {
        let header = json!({
            "msg_id": "1", "username": "", "session": "s", "date": "2026-11-27T10:00:00Z", "msg_type": kind, "version": "5.3",
        });
        let parts = [header.to_string(), "{}".into(), "{}".into(), content.into()];
        let raw = RawMessage { zmq_identities: vec![], jparts: parts.map(|part| part.into_bytes().into()).to_vec() };
        message(raw).unwrap().content
    }

    #[test]
    fn what_a_client_leaves_out_has_a_default() {
        let JupyterMessageContent::ExecuteRequest(request) = read("execute_request", r#"{"code": "1"}"#) else {
            panic!("a request")
        };
        assert!(request.store_history && !request.silent && !request.allow_stdin && request.stop_on_error);
        let search = r#"{"hist_access_type": "search", "pattern": "a*", "n": null}"#;
        let JupyterMessageContent::HistoryRequest(HistoryRequest::Search { n, unique, .. }) =
            read("history_request", search)
        else {
            panic!("a search")
        };
        assert_eq!((n, unique), (1000, false));
    }

    #[test]
    fn what_cannot_be_read_keeps_its_kind() {
        for content in ["{}", "[", "7"] {
            let JupyterMessageContent::UnknownMessage(unknown) = read("complete_request", content) else {
                panic!("{content} is no request")
            };
            assert!(unknown.msg_type == "complete_request" && unknown.content[UNREADABLE].is_string());
        }
        assert!(message(RawMessage { zmq_identities: vec![], jparts: vec!["x".into(); 4] }).is_none());
        assert!(message(RawMessage { zmq_identities: vec![], jparts: vec![] }).is_none());
    }
}
