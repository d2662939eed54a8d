// Sources for live input tests, made of other people's programs, and the driver that prints what
// the input makes of them.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join, resolve } from 'node:path';

import { listening } from './live_peers.mjs';

export { bound, freePort } from './live_peers.mjs';

const BINARY = process.env.SACCADE || resolve(import.meta.dirname, '../../build/saccade');
export const DUMP = join(dirname(BINARY), 'tests/media/live-input-dump');
const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'; // the one with python3-gi

const running = new Set();

export const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

export function installed(program) {
    try {
        execFileSync('which', [program], { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
}

// A program that runs until it is killed; `said` is what it wrote.
export function start(program, args, options = {}) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    child.said = '';
    child.gone = new Promise((done) => { child.once('close', done); child.once('error', done); });
    const hear = (chunk) => { child.said = (child.said + chunk).slice(-100000); child.emit('said'); };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    running.add(child);
    child.gone.then(() => running.delete(child));
    return child;
}

export async function stop(child, signal = 'SIGKILL') {
    child?.kill(signal);
    await child?.gone;
}

export async function stopAll() {
    await Promise.all([...running].map((child) => { child.kill('SIGCONT'); return stop(child); }));
}

// Resolves with the match as soon as the program has written it.
export function until(child, pattern, ms = 30000) {
    return new Promise((done, fail) => {
        const timer = setTimeout(() => fail(new Error(`no ${pattern} within ${ms} ms in:\n${child.said.slice(-2000)}`)), ms);
        const look = () => {
            const match = pattern.exec(child.said);
            if (!match) return;
            clearTimeout(timer);
            child.off('said', look);
            done(match);
        };
        child.on('said', look);
        child.gone.then(() => { look(); clearTimeout(timer); fail(new Error(`it ended without ${pattern}:\n${child.said.slice(-2000)}`)); });
        look();
    });
}

// null where what it needs is not installed.
export async function startRtsp(port, size = '320x240', credentials = []) {
    const child = start(PYTHON, [join(import.meta.dirname, 'rtsp_server.py'), String(port), ...size.split('x'), ...credentials]);
    const [word] = await until(child, /ready|missing.*/);
    return word === 'ready' ? child : null;
}

// Two seconds of a made-up picture with a tone, encoded once: what sends it must not need the time
// that the tests need.
export async function makeSent(folder, size) {
    const path = join(folder, `sent-${size}.mp4`);
    if (!existsSync(path))
        await start('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`,
            '-f', 'lavfi', '-i', 'sine=sample_rate=48000', '-t', '2', '-c:v', 'libx264', '-preset', 'ultrafast',
            '-tune', 'zerolatency', '-threads', '1', '-g', '12', '-c:a', 'aac', path]).gone;
    return path;
}

// Sends a file over and over in real time.
export function startSender(file, format, url) {
    return start('ffmpeg', ['-v', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', file, '-c', 'copy', '-f', format, url]);
}

const NGINX_MODULE = '/usr/lib/nginx/modules/ngx_rtmp_module.so';
export const hasNginxRtmp = () => installed('nginx') && existsSync(NGINX_MODULE);

export async function startNginxRtmp(folder, port) {
    const config = join(folder, 'nginx.conf');
    await writeFile(config, `load_module ${NGINX_MODULE};
daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 64; }
rtmp { access_log off; server { listen 127.0.0.1:${port}; application live { live on; } } }\n`);
    const child = start('nginx', ['-c', config, '-e', join(folder, 'nginx.log')]);
    await listening(port, { said: () => child.said });
    return child;
}

// handler(path, request) gives a status, or [content type, body].
export function serveHttp(handler) {
    const server = createServer((request, response) => {
        const answer = handler(new URL(request.url, 'http://host').pathname, request);
        if (typeof answer === 'number') {
            response.writeHead(answer, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
            return;
        }
        response.writeHead(200, { 'Content-Type': answer[0] }).end(answer[1]);
    });
    return new Promise((done) => {
        server.listen(0, '127.0.0.1', () => done({
            url: `http://127.0.0.1:${server.address().port}`,
            stop: () => { server.closeAllConnections(); server.close(); },
        }));
    });
}

// Runs the driver; its lines become objects, see live_input_dump.c.
export function dump(url, options = {}) {
    const child = start(DUMP, [url, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)]);
    child.lines = () => child.said.split('\n').map(parse).filter(Boolean);
    return child;
}

function parse(line) {
    const [type, ...rest] = line.split(' ');
    const fields = Object.fromEntries(rest.map((word) => word.split('=')).filter((pair) => pair.length === 2)
        .map(([key, value]) => [key, Number.isNaN(Number(value)) ? value : Number(value)]));
    return type && { type, line, words: rest, ...fields };
}

// Runs the driver to its end.
export async function dumpAll(url, options) {
    const child = dump(url, options);
    await child.gone;
    return child.lines();
}
