"""The client of pygls, whose types refuse what is not the protocol, against `cpsd lsp`. Usage: pygls_client.py CPSD"""

import asyncio
import os
import pathlib
import sys

from lsprotocol import types
from pygls.lsp.client import LanguageClient

TEXT = """import "method" as m;
let data = dataset("emoji-scenes"); /* 😀 */ print(daat);
/// Twice x.
fn twice(x) { 2 * x }
let options = m::defaults();
twice(data.train.
"""


async def main(cpsd):
    client = LanguageClient("test", "1")
    findings = asyncio.Queue()

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def found(params):
        findings.put_nowait(params)

    await client.start_io(cpsd, "lsp")
    answer = await client.initialize_async(
        types.InitializeParams(capabilities=types.ClientCapabilities(), process_id=os.getpid(), root_uri=None)
    )
    assert answer.server_info.name == "cpsd", answer
    assert answer.capabilities.position_encoding == types.PositionEncodingKind.Utf16
    client.initialized(types.InitializedParams())

    uri = pathlib.Path("t.rhai").absolute().as_uri()
    document = types.TextDocumentIdentifier(uri)
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "rhai", 1, TEXT))
    )
    published = await asyncio.wait_for(findings.get(), 120)
    assert published.version == 1 and published.diagnostics, published

    # Ended, it has but the misspelt name.
    end = types.Position(5, 17)
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(2, uri),
            [types.TextDocumentContentChangePartial(types.Range(end, end), "labels);")],
        )
    )
    published = await asyncio.wait_for(findings.get(), 120)
    errors = [one for one in published.diagnostics if one.severity == types.DiagnosticSeverity.Error]
    assert published.version == 2 and len(errors) == 1, published
    assert errors[0].range == types.Range(types.Position(1, 51), types.Position(1, 55)), errors

    at = types.Position(5, 20)
    completed = await client.text_document_completion_async(types.CompletionParams(document, at))
    assert [item.label for item in completed] == ["labels"], completed
    hover = await client.text_document_hover_async(types.HoverParams(document, types.Position(5, 2)))
    assert "Twice x." in hover.contents.value, hover
    helped = await client.text_document_signature_help_async(types.SignatureHelpParams(document, types.Position(5, 7)))
    assert helped.signatures[helped.active_signature].label == "twice(x)", helped
    place = await client.text_document_definition_async(types.DefinitionParams(document, types.Position(4, 18)))
    place = place[0] if isinstance(place, list) else place
    assert place.uri.endswith("/method.rhai"), place
    renamed = await client.text_document_rename_async(types.RenameParams(document, types.Position(3, 4), "double"))
    assert [edit.range.start.line for edit in renamed.changes[uri]] == [3, 5], renamed
    outline = await client.text_document_document_symbol_async(types.DocumentSymbolParams(document))
    assert [symbol.name for symbol in outline] == ["m", "data", "twice", "options"], outline
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(document, types.FormattingOptions(tab_size=4, insert_spaces=True))
    )
    assert list(edits or []) == [], edits
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(document, errors[0].range, types.CodeActionContext(diagnostics=errors))
    )
    assert actions[0].edit.changes[uri][0].new_text == "data", actions
    colours = await client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(document))
    assert len(colours.data) % 5 == 0 and colours.data, colours

    await client.shutdown_async(None)
    client.exit(None)
    await asyncio.wait_for(client._server.wait(), 60)
    assert client._server.returncode == 0, client._server.returncode
    print("all of it")


asyncio.run(main(sys.argv[1]))
