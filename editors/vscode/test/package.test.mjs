// The packed extension has all that it needs to be loaded: it is unpacked, and started in an editor that is pretended.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Stands for whatever of the editor a module asks for when it is loaded. */
const anything = new Proxy(class {}, {
    get: (of, name) => (name in of || typeof name === 'symbol' ? of[name] : anything),
    apply: () => anything,
});

test('the package can be loaded', { skip: !existsSync(join(here, 'cpsd.vsix')) && 'it is not packed' }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'cpsd-vsix-'));
    try {
        execFileSync('python3', ['-m', 'zipfile', '-e', join(here, 'cpsd.vsix'), folder]);
        const load = Module._load;
        Module._load = (name, ...rest) => (name === 'vscode' ? anything : load(name, ...rest));
        const extension = createRequire(import.meta.url)(join(folder, 'extension', 'out', 'extension.js'));
        Module._load = load;
        assert.equal(typeof extension.activate, 'function');
        assert.equal(typeof extension.deactivate, 'function');
        assert.ok(existsSync(join(folder, 'extension', 'syntaxes', 'rhai.tmLanguage.json')));
    } finally {
        rmSync(folder, { recursive: true });
    }
});
