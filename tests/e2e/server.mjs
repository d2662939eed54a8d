// A real server for a test: a free port, a data folder of its own, stopped and removed at the end.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const BINARY = process.env.SACCADE || resolve(import.meta.dirname, '../../build/saccade');
const START_MS = 20000;

const folders = [];

export async function makeFolder() {
    folders.push(await mkdtemp(join(tmpdir(), 'saccade-e2e-')));
    return folders.at(-1);
}

export const removeFolders = () => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));

// Resolves once the server says where it listens: {url, port, pid, stop()}.
export function startServer(folder, ...flags) {
    const data = join(folder, 'data');
    const child = spawn(BINARY, ['serve', '--port', '0', '--data-dir', data, ...flags]);
    let said = '';
    const gone = new Promise((done) => { child.once('exit', done); });
    const stop = async (signal = 'SIGTERM') => {
        child.kill(signal);
        await gone;
    };
    return new Promise((done, fail) => {
        const timer = setTimeout(() => fail(new Error(`no address within ${START_MS} ms:\n${said}`)), START_MS);
        const listen = (chunk) => {
            said += chunk;
            const match = /listening on (http:\/\/[^\s:]+:(\d+))/.exec(said);
            if (!match) return;
            clearTimeout(timer);
            done({ url: match[1], port: Number(match[2]), pid: child.pid, stop });
        };
        child.stdout.on('data', listen);
        child.stderr.on('data', listen);
        child.once('error', fail);
        child.once('exit', (code) => fail(new Error(`the server ended (${code}):\n${said}`)));
    });
}
