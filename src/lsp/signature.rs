//! Signature help: the ways of writing the call that is being typed.

use std::collections::BTreeMap;

use lsp_types::{Documentation, ParameterInformation, ParameterLabel, SignatureHelp, SignatureInformation};

use super::completion::{comment, imported, name_of};
use super::document::Document;
use crate::repl::context::context;
use crate::repl::hints::{self, Typed};
use crate::repl::infer;
use crate::repl::input::signs;
use crate::script::{own_types, tokens, vocabulary};

/// The signatures of the call around a byte, with the argument that is being typed.
pub fn at(document: &Document, byte: usize, open: &BTreeMap<String, Document>) -> Option<SignatureHelp> {
    let before = &document.text()[..byte];
    let code = &before[tokens::typed_code(before)?..];
    let names = document.names();
    let libraries = imported(document, byte, open);
    let mut functions: Vec<(String, String)> =
        names.functions().map(|f| (f.signature.clone(), comment(document.text(), f.whole.start))).collect();
    for (alias, library) in &libraries {
        let all = library.functions().into_iter();
        functions.extend(all.map(|(signature, comment)| (format!("{alias}::{signature}"), comment)));
    }
    let signatures: Vec<String> = functions.iter().map(|(signature, _)| signature.clone()).collect();
    match hints::typed(code, &signatures) {
        Some(Typed::Argument { signatures, fitting, argument }) => {
            let text = |signature: &String| match functions.iter().find(|(known, _)| known == signature) {
                Some((_, comment)) => comment.clone(),
                None => vocabulary::find(name_of(signature)).map_or(String::new(), |word| word.summary.to_string()),
            };
            let shown = signatures.iter().map(|signature| information(signature, text(signature), argument));
            Some(SignatureHelp {
                signatures: shown.collect(),
                active_signature: Some(fitting as u32),
                active_parameter: Some(argument as u32),
            })
        }
        Some(Typed::Option(text)) => {
            let at = context(code);
            let label = format!("{}: {text}", at.key.unwrap_or_default());
            let one = SignatureInformation { label, documentation: None, parameters: None, active_parameter: None };
            Some(SignatureHelp { signatures: vec![one], active_signature: Some(0), active_parameter: None })
        }
        None => method(document, byte, code),
    }
}

/// The members of a call `x.name(`, of the kind of `x` where that is known.
fn method(document: &Document, byte: usize, code: &str) -> Option<SignatureHelp> {
    let at = context(code);
    let name = at.call.filter(|_| at.is_method && !at.in_map && !at.in_array)?;
    // The bracket of the call: the last that is open.
    let mut depth = 0;
    let bracket = signs(code).rev().find(|(_, c)| {
        depth += match c {
            ')' | ']' | '}' => 1,
            '(' | '[' | '{' => -1,
            _ => 0,
        };
        depth < 0
    })?;
    let receiver = code[..bracket.0].strip_suffix(name)?.strip_suffix('.')?;
    let kind = infer::kind(receiver, &document.kinds().scope(document.names(), byte));
    let known = kind.as_deref().and_then(vocabulary::find_kind);
    let all = known.map_or(vocabulary::kinds(), std::slice::from_ref);
    let mut usages: Vec<(String, &str)> = Vec::new();
    for kind in all {
        let members = kind.members.iter().filter(|member| member.name() == name && member.usage.contains('('));
        usages.extend(members.map(|member| (format!("{}.{}", kind.name, member.usage), member.doc)));
    }
    if known.is_none()
        && let Some(own) = kind.as_deref().and_then(own_types::find)
    {
        let members = own.members.iter().filter(|member| member.name() == name && member.usage.contains('('));
        usages = members.map(|member| (format!("{}.{}", own.name, member.usage), member.doc)).collect();
    }
    let fitting = usages.iter().position(|(usage, _)| hints::parameters(usage).len() > at.argument).unwrap_or(0);
    let signatures: Vec<_> =
        usages.iter().map(|(usage, doc)| information(usage, doc.to_string(), at.argument)).collect();
    (!signatures.is_empty()).then_some(SignatureHelp {
        signatures,
        active_signature: Some(fitting as u32),
        active_parameter: Some(at.argument as u32),
    })
}

fn information(signature: &str, text: String, argument: usize) -> SignatureInformation {
    // A part of the signature may occur twice, so each parameter is looked for behind the one before.
    let mut from = signature.find('(').map_or(0, |at| at + 1);
    let parameters = hints::parameters(signature).into_iter().map(|parameter| {
        let at = signature[from..].find(&parameter).map_or(from, |at| from + at);
        from = at + parameter.len();
        let units = |byte: usize| signature[..byte].encode_utf16().count() as u32;
        ParameterInformation { label: ParameterLabel::LabelOffsets([units(at), units(from)]), documentation: None }
    });
    let parameters: Vec<_> = parameters.collect();
    SignatureInformation {
        label: signature.to_string(),
        documentation: (!text.is_empty()).then_some(Documentation::String(text)),
        active_parameter: (argument < parameters.len()).then_some(argument as u32),
        parameters: Some(parameters),
    }
}
