// The grammar in VS Code's own engine.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const oniguruma = require('vscode-oniguruma');
const { INITIAL, Registry, parseRawGrammar } = require('vscode-textmate');

const here = join(dirname(fileURLToPath(import.meta.url)), '..');
const wasm = readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'));
await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
const path = join(here, 'syntaxes', 'rhai.tmLanguage.json');
const registry = new Registry({
    onigLib: Promise.resolve({
        createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
        createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async (scope) => (scope === 'source.rhai' ? parseRawGrammar(readFileSync(path, 'utf8'), path) : null),
});
const grammar = await registry.loadGrammar('source.rhai');

/** The tokens of a text, each with its innermost scope and all of them. */
function tokens(text) {
    let state = INITIAL;
    const all = [];
    for (const line of text.split('\n')) {
        const result = grammar.tokenizeLine(line, state);
        state = result.ruleStack;
        for (const token of result.tokens) {
            all.push({ text: line.slice(token.startIndex, token.endIndex), scopes: token.scopes });
        }
    }
    return { all, depth: state.depth };
}

/** Asserts the innermost scope of the n-th token that is this text. */
function is(text, part, scope, n = 0) {
    const found = tokens(text).all.filter((token) => token.text.trim() === part);
    assert.ok(found.length > n, `${part} is no token of ${text}: ${tokens(text).all.map((t) => t.text).join('·')}`);
    const scopes = found[n].scopes;
    assert.ok(scopes.at(-1).startsWith(scope), `${part} in ${text} is ${scopes.join(' ')}`);
}

test('declarations, calls and members', () => {
    is('let data = dataset("emoji-scenes");', 'let', 'storage.type');
    is('let data = dataset("emoji-scenes");', 'data', 'variable.other');
    is('let data = dataset("emoji-scenes");', 'dataset', 'entity.name.function.call');
    is('const K = 3;', 'K', 'variable.other.constant');
    is('data.train.labels', 'labels', 'variable.other.property');
    is('a?.b', 'b', 'variable.other.property');
    is('private fn mean(a, b) { a }', 'mean', 'entity.name.function');
    is('private fn mean(a, b) { a }', 'b', 'variable.parameter');
    is('private fn mean(a, b) { a }', 'a', 'variable.other', 1);
    is('import "method" as m;', 'm', 'entity.name.namespace');
    is('m::defaults()', 'm', 'entity.name.namespace');
    is('m::defaults()', 'defaults', 'entity.name.function.call');
    is('for (x, i) in 0..3 { break; }', 'in', 'keyword.control');
    is('x.if_none', 'if_none', 'variable.other.property');
});

test('closures, and bars that are operators', () => {
    is('a.map(|x, y| x + y)', 'x', 'variable.parameter');
    is('a.map(|x, y| x + y)', 'y', 'variable.parameter');
    is('a.map(|x, y| x + y)', 'x', 'variable.other', 1);
    is('let f = || 1;', '|', 'punctuation.definition.parameters.begin');
    is('let f = a || b;', '||', 'keyword.operator');
    is('let f = a | b | c;', 'b', 'variable.other');
    is('#{f: |x| x}', 'x', 'variable.parameter');
    is('switch x { 1 | 2 => |y| y }', 'y', 'variable.parameter');
    is('switch x { 1 | 2 => |y| y }', '|', 'keyword.operator');
});

test('maps', () => {
    is('#{epochs: 3, "of data": #{seed: 1}}', 'epochs', 'variable.object.property');
    is('#{epochs: 3, "of data": #{seed: 1}}', 'seed', 'variable.object.property');
    is('#{epochs: 3, "of data": #{seed: 1}}', '"of data"', 'string.quoted.double');
    is('#{a: m::b()}', 'm', 'entity.name.namespace');
    is('#{a: { let b = 1; b }}; c', 'c', 'variable.other');
});

test('strings', () => {
    is('"a\\n${b}" + c', '\\n', 'constant.character.escape');
    is('"a\\n${b}" + c', '${b}', 'string.quoted.double');
    is('"a \\q"', '\\q', 'invalid.illegal.escape');
    is('`a ${f(b)} c` + d', 'f', 'entity.name.function.call');
    is('`a ${f(b)} c` + d', 'd', 'variable.other');
    is('`a ${#{k: `${e}`}.k} c` + d', 'e', 'variable.other');
    is('`a ${#{k: `${e}`}.k} c` + d', 'd', 'variable.other');
    is('`two\nlines` + d', 'd', 'variable.other');
    is('"not closed\nlet x = 1;', 'let', 'storage.type');
    is("'\"' + x", 'x', 'variable.other');
});

test('comments', () => {
    is('1 /* a /* b */ c */ + d', 'd', 'variable.other');
    is('1 /* a /* b */ c */ + d', 'c', 'comment.block');
    is('/// Twice x.', '/// Twice x.', 'comment.line.documentation');
    is('//! A library.', '//! A library.', 'comment.line.documentation');
    is('a // b', 'b', 'comment.line.double-slash');
    is('//// no documentation', '// no documentation', 'comment.line.double-slash');
    is('#!/usr/bin/env cpsd\nlet x = 1;', 'let', 'storage.type');
});

test('numbers and operators', () => {
    is('1.5e-3', '1.5e-3', 'constant.numeric');
    is('0..n', 'n', 'variable.other');
    is('0..n', '..', 'keyword.operator.range');
    is('0xff + 1_000', '1_000', 'constant.numeric');
    is('a ?? b', '??', 'keyword.operator');
    is('t[.., 3]', '3', 'constant.numeric');
});

test('scripts of the repository end as they begin, with nothing open', () => {
    const root = join(here, '..', '..');
    const empty = tokens('').depth;
    for (const folder of ['scripts', 'stdlib', 'examples', 'examples/heads']) {
        for (const name of readdirSync(join(root, folder)).filter((name) => name.endsWith('.rhai'))) {
            const { all, depth } = tokens(readFileSync(join(root, folder, name), 'utf8'));
            assert.equal(depth, empty, `${folder}/${name}`);
            const wrong = all.find((token) => token.scopes.some((scope) => scope.startsWith('invalid')));
            assert.equal(wrong, undefined, `${folder}/${name}: ${wrong?.text}`);
        }
    }
});
