// Starts `cpsd lsp` and hands it to the editor: all that it knows comes from there.

import { commands, ExtensionContext, LogOutputChannel, window, workspace } from 'vscode';
import { LanguageClient, LanguageClientOptions, ServerOptions, TransportKind } from 'vscode-languageclient/node';

let client: LanguageClient | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
    const log = window.createOutputChannel('cpsd', { log: true });
    context.subscriptions.push(
        log,
        commands.registerCommand('cpsd.restart', () => restart(log)),
        workspace.onDidChangeConfiguration((change) => {
            if (change.affectsConfiguration('cpsd.path')) {
                void restart(log);
            }
        }),
    );
    await start(log);
}

export async function deactivate(): Promise<void> {
    await stop();
}

async function start(log: LogOutputChannel): Promise<void> {
    const path = workspace.getConfiguration('cpsd').get<string>('path') || 'cpsd';
    const server: ServerOptions = { command: path, args: ['lsp'], transport: TransportKind.stdio };
    const options: LanguageClientOptions = {
        documentSelector: [{ language: 'rhai' }],
        // A library that changes on disk is read again.
        synchronize: { fileEvents: workspace.createFileSystemWatcher('**/*.rhai') },
        outputChannel: log,
    };
    client = new LanguageClient('cpsd', 'cpsd', server, options);
    try {
        await client.start();
    } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        client = undefined;
        void window.showErrorMessage(`${path} lsp cannot be started (${why}). The setting cpsd.path says where cpsd is.`);
    }
}

async function stop(): Promise<void> {
    const running = client;
    client = undefined;
    await running?.stop();
}

async function restart(log: LogOutputChannel): Promise<void> {
    await stop();
    await start(log);
}
