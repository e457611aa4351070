//! The connection file: addresses, and the key that signs messages.

use std::path::Path;

use jupyter_protocol::ConnectionInfo;

use crate::error::{Error, Result};
use crate::files::own;

/// The only scheme there is.
const SCHEME: &str = "hmac-sha256";

/// Reads a connection file.
///
/// Errors: Io; Data for anything but a connection file.
pub fn read(path: &Path) -> Result<ConnectionInfo> {
    let text = own::read_text(path)?;
    let info: ConnectionInfo = serde_json::from_str(&text)
        .map_err(|e| Error::in_file(path, format!("not a connection file of Jupyter: {e}")))?;
    if !info.key.is_empty() && info.signature_scheme != SCHEME {
        let came = &info.signature_scheme;
        return Err(Error::in_file(path, format!("messages are signed by {SCHEME}; the file asks for \"{came}\"")));
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_connection_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kernel.json");
        let given = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read(&file)
        };
        let good = r#"{"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5, "ip": "127.0.0.1",
            "key": "k", "transport": "tcp", "signature_scheme": "hmac-sha256", "jupyter_session": "a.ipynb"}"#;
        assert_eq!(given(good).unwrap().stdin_port, 3);
        assert!(given("{}").unwrap_err().message.contains("not a connection file"));
        assert!(given(&good.replace("sha256", "md5")).unwrap_err().message.contains("hmac-md5"));
        assert!(read(&folder.path().join("absent.json")).unwrap_err().message.contains("no such file"));
    }
}
