//! Which function answers which request, and what the editor is told of them.

use std::ops::Deref;

use lsp_server::ErrorCode;
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionParams, CompletionOptions, CompletionParams, DocumentFormattingParams,
    DocumentSymbolParams, HoverParams, OneOf, ReferenceParams, RenameOptions, RenameParams, SaveOptions,
    SemanticTokensFullOptions, SemanticTokensOptions, SemanticTokensParams, ServerCapabilities, SignatureHelpOptions,
    SignatureHelpParams, TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions, WorkDoneProgressOptions,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::document::Document;
use super::server::Server;
use super::{colours, completion, definition, fixes, hover, rename, signature, symbols, uri, workspace};
use crate::error::Error;
use crate::script::format;

/// A code of the protocol and a sentence.
type Refusal = (ErrorCode, String);

/// The answer to `initialize`.
pub fn capabilities() -> Value {
    let letters = |letters: &[&str]| Some(letters.iter().map(|letter| letter.to_string()).collect());
    let capabilities = ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions { include_text: Some(false) })),
            ..TextDocumentSyncOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: letters(&[".", ":", "\"", "{"]),
            ..CompletionOptions::default()
        }),
        signature_help_provider: Some(SignatureHelpOptions {
            trigger_characters: letters(&["(", ","]),
            retrigger_characters: letters(&[",", ":"]),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        }),
        hover_provider: Some(true.into()),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        code_action_provider: Some(
            CodeActionOptions {
                code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
                ..CodeActionOptions::default()
            }
            .into(),
        ),
        semantic_tokens_provider: Some(
            SemanticTokensOptions {
                legend: colours::legend(),
                full: Some(SemanticTokensFullOptions::Bool(true)),
                ..SemanticTokensOptions::default()
            }
            .into(),
        ),
        ..ServerCapabilities::default()
    };
    let mut capabilities = json!(capabilities);
    capabilities["positionEncoding"] = json!("utf-16");
    capabilities["workspace"] = json!({ "workspaceFolders": { "supported": true, "changeNotifications": true } });
    json!({ "capabilities": capabilities, "serverInfo": { "name": "cpsd", "version": env!("CARGO_PKG_VERSION") } })
}

/// Answers a request. Errors: one that is not known here, has other parameters, or is about a text that is not open; a refused rename.
pub fn answer(server: &Server, method: &str, params: Value) -> Result<Value, Refusal> {
    let open = &server.documents;
    match method {
        "textDocument/completion" => {
            let params: CompletionParams = read(params)?;
            let (document, byte) = place(server, &params.text_document_position)?;
            Ok(json!(completion::at(document, byte, open)))
        }
        "textDocument/signatureHelp" => {
            let params: SignatureHelpParams = read(params)?;
            let (document, byte) = place(server, &params.text_document_position_params)?;
            Ok(json!(signature::at(document, byte, open)))
        }
        "textDocument/hover" => {
            let params: HoverParams = read(params)?;
            let (document, byte) = place(server, &params.text_document_position_params)?;
            Ok(json!(hover::at(document, byte, open, server.markdown)))
        }
        "textDocument/definition" => {
            let (document, byte) = place(server, &read(params)?)?;
            Ok(definition::at(document, byte, open))
        }
        "textDocument/references" => {
            let params: ReferenceParams = read(params)?;
            let (document, byte) = any_place(server, &params.text_document_position)?;
            let all = definition::references(&document, byte, params.context.include_declaration, server.workspace());
            Ok(all.into_iter().map(|(uri, range)| json!({ "uri": uri, "range": range })).collect())
        }
        "textDocument/documentHighlight" => {
            let (document, byte) = place(server, &read(params)?)?;
            let uses = definition::uses(document, byte, true);
            Ok(uses.into_iter().map(|at| json!({ "range": document.range(at) })).collect())
        }
        "textDocument/prepareRename" => {
            let (document, byte) = any_place(server, &read(params)?)?;
            Ok(json!(document.range(rename::prepare(&document, byte, server.workspace()).map_err(failed)?)))
        }
        "textDocument/rename" => {
            let params: RenameParams = read(params)?;
            let (document, byte) = any_place(server, &params.text_document_position)?;
            rename::to(&document, byte, &params.new_name, server.workspace()).map_err(failed)
        }
        "textDocument/documentSymbol" => {
            let params: DocumentSymbolParams = read(params)?;
            Ok(json!(symbols::of(document(server, params.text_document.uri.as_str())?)))
        }
        "textDocument/formatting" => {
            let params: DocumentFormattingParams = read(params)?;
            let unit = match params.options.insert_spaces {
                true => " ".repeat(params.options.tab_size.clamp(1, 16) as usize),
                false => "\t".to_string(),
            };
            Ok(json!(formatted(document(server, params.text_document.uri.as_str())?, &unit)))
        }
        "textDocument/codeAction" => {
            let params: CodeActionParams = read(params)?;
            let document = document(server, params.text_document.uri.as_str())?;
            Ok(json!(fixes::of(document, &params.context.diagnostics)))
        }
        "textDocument/semanticTokens/full" => {
            let params: SemanticTokensParams = read(params)?;
            let tokens = colours::of(document(server, params.text_document.uri.as_str())?);
            Ok(json!(lsp_types::SemanticTokens { result_id: None, data: tokens }))
        }
        _ => Err((ErrorCode::MethodNotFound, format!("{method} is not known here"))),
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params).map_err(|error| {
        // It may repeat a whole text that came in place of something else.
        let why: String = error.to_string().chars().take(200).collect();
        (ErrorCode::InvalidParams, format!("other parameters are expected: {why}"))
    })
}

fn document<'s>(server: &'s Server, uri: &str) -> Result<&'s Document, Refusal> {
    server.documents.get(uri).ok_or_else(|| (ErrorCode::InvalidParams, format!("{uri} is not open")))
}

/// A document and the byte in it.
fn place<'s>(server: &'s Server, at: &TextDocumentPositionParams) -> Result<(&'s Document, usize), Refusal> {
    let document = document(server, at.text_document.uri.as_str())?;
    Ok((document, document.byte(at.position)))
}

/// A text that is asked about.
enum Asked<'s> {
    Open(&'s Document),
    Closed(Box<Document>),
}

impl Deref for Asked<'_> {
    type Target = Document;

    fn deref(&self) -> &Document {
        match self {
            Asked::Open(document) => document,
            Asked::Closed(document) => document,
        }
    }
}

/// As [`place`], also in a script that is not open.
fn any_place<'s>(server: &'s Server, at: &TextDocumentPositionParams) -> Result<(Asked<'s>, usize), Refusal> {
    let address = at.text_document.uri.as_str();
    // An editor may write the address of a text in two ways.
    let of_name = || {
        let name = uri::to_path(address)?.display().to_string();
        server.documents.values().find(|open| open.name == name)
    };
    let asked = match server.documents.get(address).or_else(of_name).ok_or_else(|| workspace::closed(address)) {
        Ok(open) => Asked::Open(open),
        Err(Some(closed)) => Asked::Closed(Box::new(closed)),
        Err(None) => return Err((ErrorCode::InvalidParams, format!("{address} is not open, and no script is there"))),
    };
    let byte = asked.byte(at.position);
    Ok((asked, byte))
}

fn failed(error: Error) -> Refusal {
    let help = error.help.map_or(String::new(), |help| format!(" ({help})"));
    (ErrorCode::RequestFailed, format!("{}{help}", error.message))
}

/// The edit that formats a document: of the part that changes alone, so that the cursor stays where it is elsewhere.
fn formatted(document: &Document, unit: &str) -> Vec<lsp_types::TextEdit> {
    let (old, new) = (document.text(), format::format(document.text(), unit));
    if old == new {
        return vec![];
    }
    let begin = old.char_indices().zip(new.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    let mut begin = begin.unwrap_or(old.len().min(new.len()));
    // There is no place between the two signs of an end of a line.
    begin -= usize::from(begin > 0 && old.as_bytes()[begin - 1] == b'\r');
    let same_end = |a: &str, b: &str| -> usize {
        a.chars().rev().zip(b.chars().rev()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum()
    };
    let mut end = same_end(&old[begin..], &new[begin..]);
    end -= usize::from(end > 0 && old.as_bytes()[old.len() - end] == b'\n');
    let range = document.range(begin..old.len() - end);
    vec![lsp_types::TextEdit { range, new_text: new[begin..new.len() - end].to_string() }]
}
