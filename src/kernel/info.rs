//! What the kernel is.

use std::sync::LazyLock;

use jupyter_protocol::{CodeMirrorMode, HelpLink, KernelInfoReply, LanguageInfo, ReplyStatus};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of this kernel's session of messages.
pub fn session() -> String {
    static SESSION: LazyLock<String> = LazyLock::new(|| {
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        format!("cpsd-{}-{:x}", std::process::id(), time.as_nanos())
    });
    SESSION.clone()
}

/// The reply to `kernel_info_request`.
pub fn reply() -> KernelInfoReply {
    KernelInfoReply {
        status: ReplyStatus::Ok,
        protocol_version: "5.3".into(),
        implementation: "cpsd".into(),
        implementation_version: VERSION.into(),
        language_info: LanguageInfo {
            name: "rhai".into(),
            version: VERSION.into(),
            // Editors colour it as Rust, which it looks like.
            mimetype: Some("text/x-rustsrc".into()),
            file_extension: Some(".rhai".into()),
            pygments_lexer: Some("rust".into()),
            codemirror_mode: Some(CodeMirrorMode::Simple("rust".into())),
            nbconvert_exporter: None,
        },
        banner: format!("cpsd {VERSION}  ?word for help, Tab completes, :help for more"),
        help_links: vec![HelpLink { text: "The Rhai language".into(), url: "https://rhai.rs/book".into() }],
        debugger: false,
        error: None,
    }
}
