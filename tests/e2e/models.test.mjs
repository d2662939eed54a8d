// saccade models fetch against a server that cuts, changes, stalls, lies and redirects.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join, resolve } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';

import { makeFolder, removeFolders, startServer } from './server.mjs';

const BINARY = process.env.SACCADE || resolve(import.meta.dirname, '../../build/saccade');
const SIZE = 300000;
const HALF = SIZE / 2;

const hashOf = (data) => createHash('sha256').update(data).digest('hex');
// Protobuf's first byte, as ONNX files have it, then anything.
const makeModel = () => Buffer.concat([Buffer.from([8]), randomBytes(SIZE - 1)]);

let server, base, folder, model, requests;
// What the server does, by test.
let behave;

function sendRange(request, response, { data = model, etag = `"${hashOf(data).slice(0, 8)}"`, cut = Infinity } = {}) {
    const match = /^bytes=(\d+)-$/.exec(request.headers.range || '');
    const same = request.headers['if-range'] === etag;
    const start = match && same ? Number(match[1]) : 0;
    const headers = { 'Content-Type': 'application/octet-stream' };
    if (etag) headers.ETag = etag;
    if (start >= data.length) {
        response.writeHead(416, { 'Content-Range': `bytes */${data.length}` });
        response.end();
        return;
    }
    headers['Content-Length'] = data.length - start;
    if (start) headers['Content-Range'] = `bytes ${start}-${data.length - 1}/${data.length}`;
    response.writeHead(start ? 206 : 200, headers);
    if (cut >= data.length) {
        response.end(data.subarray(start));
    } else {
        response.write(data.subarray(start, cut), () => setTimeout(() => response.destroy(), 50));
    }
}

function saccade(args, { env = {}, command = BINARY } = {}) {
    return new Promise((done) => {
        execFile(command, args, { env: { ...process.env, no_proxy: '*', ...env }, timeout: 30000 }, (error, stdout, stderr) => {
            done({ code: error ? error.code : 0, stdout, stderr });
        });
    });
}
const fetchArgs = (path, ...flags) => ['models', 'fetch', path.includes('://') ? path : base + path,
    '--data-dir', join(folder, 'data'), '--retries', '0', ...flags];
const fetchModel = (path, ...flags) => saccade(fetchArgs(path, ...flags));
const models = (...names) => join(folder, 'data', 'models', ...names);
const files = async () => (await readdir(models()).catch(() => [])).sort();
const json = async (name) => JSON.parse(await readFile(models(name), 'utf8'));

async function assertFails(result, pattern, kept = []) {
    assert.equal(result.code, 1, result.stdout + result.stderr);
    assert.match(result.stderr, pattern);
    assert.deepEqual(await files(), kept);
}

async function cutInTheMiddle() {
    behave = (request, response) => sendRange(request, response, { cut: HALF });
    await assertFails(await fetchModel('/m.onnx'), /cut/, ['m.onnx.part', 'm.onnx.part.json']);
    const { size } = await stat(models('m.onnx.part'));
    assert.equal(size, HALF);
}

before(async () => {
    server = createServer((request, response) => {
        requests.push({ url: request.url, range: request.headers.range, ifRange: request.headers['if-range'] });
        behave(request, response);
    });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    base = `http://127.0.0.1:${server.address().port}`;
});

beforeEach(async () => {
    folder = await makeFolder();
    model = makeModel();
    requests = [];
    behave = sendRange;
});

after(async () => {
    server.closeAllConnections();
    server.close();
    await removeFolders();
});

describe('fetching', () => {
    test('keeps the file, what it is, and its hash', async () => {
        const result = await fetchModel('/some/path/my_model.onnx?version=3');
        assert.equal(result.code, 0, result.stderr);
        assert.deepEqual(await files(), ['my_model.json', 'my_model.onnx', 'pins.json']);
        assert.deepEqual(await readFile(models('my_model.onnx')), model);
        const about = await json('my_model.json');
        assert.equal(about.name, 'my_model');
        assert.equal(about.url, `${base}/some/path/my_model.onnx?version=3`);
        assert.equal(about.sha256, hashOf(model));
        assert.equal(about.bytes, SIZE);
        assert.match(about.fetched, /^\d{4}-\d\d-\d\dT.*Z$/);
        assert.equal((await json('pins.json'))[about.url].sha256, hashOf(model));
        const list = await saccade(['models', '--data-dir', join(folder, 'data')]);
        assert.match(list.stdout, /^my_model +here +/m);
    });

    test('with --json gives lines, with --name a name', async () => {
        const { code, stdout } = await fetchModel('/x', '--json', '--name', 'other', '--sha256', hashOf(model).toUpperCase());
        assert.equal(code, 0);
        const lines = stdout.trim().split('\n').map((line) => JSON.parse(line));
        for (const line of lines.slice(0, -1)) assert.ok(line.progress >= 0 && line.progress <= 1);
        assert.deepEqual(lines.at(-1), { name: 'other', path: models('other.onnx'), url: `${base}/x`, bytes: SIZE,
            sha256: hashOf(model), resumed: 0, fetched: true });
    });

    test('a second time asks nobody', async () => {
        await fetchModel('/m.onnx');
        const { code, stdout } = await fetchModel('/m.onnx', '--json');
        assert.equal(code, 0);
        assert.equal(JSON.parse(stdout).fetched, false);
        assert.equal(requests.length, 1);
    });

    test('keeps what the user wrote beside it', async () => {
        await mkdir(models(), { recursive: true });
        await writeFile(models('m.json'), '{"threshold":0.4,"size":320,"licence":"of another"}');
        assert.equal((await fetchModel('/m.onnx')).code, 0);
        const about = await json('m.json');
        assert.equal(about.threshold, 0.4);
        assert.equal(about.size, 320);
        assert.equal(about.licence, undefined);
    });

    test('gives the server a model that it runs', async (t) => {
        const detector = resolve(import.meta.dirname, '../../../shared/media/yolox_nano.onnx');
        model = await readFile(detector).catch(() => null);
        if (!model) return t.skip(`${detector} is not there`);
        assert.equal((await fetchModel('/m.onnx')).code, 0);
        const running = await startServer(folder);
        t.after(() => running.stop());
        let found;
        for (let i = 0; i < 200 && found?.state !== 'ready'; i++) {
            await new Promise((done) => { setTimeout(done, 100); });
            found = (await (await fetch(`${running.url}/api/v1/models`)).json()).models.find((m) => m.name === 'm');
            if (found?.state === 'failed') break;
        }
        if (/libonnxruntime/.test(found?.reason)) return t.skip(found.reason);
        assert.equal(found?.state, 'ready', JSON.stringify(found));
    });

    test('is patient with a slow server', async () => {
        behave = async (request, response) => {
            response.writeHead(200, { 'Content-Length': SIZE });
            for (let at = 0; at < SIZE; at += SIZE / 10) {
                response.write(model.subarray(at, at + SIZE / 10));
                await new Promise((done) => { setTimeout(done, 600); });
            }
            response.end();
        };
        assert.equal((await fetchModel('/m.onnx', '--timeout', '5')).code, 0); // six seconds
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });
});

describe('a download that was cut', () => {
    test('goes on where it ended', async () => {
        await cutInTheMiddle();
        behave = sendRange;
        const { code, stdout } = await fetchModel('/m.onnx', '--json');
        assert.equal(code, 0);
        assert.equal(JSON.parse(stdout.trim().split('\n').at(-1)).resumed, HALF);
        assert.equal(requests.at(-1).range, `bytes=${HALF}-`);
        assert.deepEqual(await readFile(models('m.onnx')), model);
        assert.deepEqual(await files(), ['m.json', 'm.onnx', 'pins.json']);
    });

    test('goes on by itself', async () => {
        let times = 0;
        behave = (request, response) => sendRange(request, response, { cut: ++times < 3 ? times * 100000 : Infinity });
        assert.equal((await fetchModel('/m.onnx', '--retries', '3')).code, 0);
        assert.deepEqual(requests.map((r) => r.range), [undefined, 'bytes=100000-', 'bytes=200000-']);
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });

    test('begins anew where the file changed meanwhile', async () => {
        await cutInTheMiddle();
        model = makeModel();
        behave = sendRange;
        const { code, stdout } = await fetchModel('/m.onnx', '--json');
        assert.equal(code, 0);
        assert.equal(JSON.parse(stdout.trim().split('\n').at(-1)).resumed, 0);
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });

    test('begins anew for another address of the same name', async () => {
        await cutInTheMiddle();
        behave = sendRange;
        assert.equal((await fetchModel('/elsewhere/m.onnx')).code, 0);
        assert.equal(requests.at(-1).range, undefined);
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });

    test('begins anew where nothing tells versions apart', async () => {
        behave = (request, response) => sendRange(request, response, { etag: '', cut: HALF });
        await assertFails(await fetchModel('/m.onnx'), /cut/, ['m.onnx.part']);
        behave = (request, response) => sendRange(request, response, { etag: 'W/"weak"', cut: HALF });
        await assertFails(await fetchModel('/m.onnx'), /cut/, ['m.onnx.part']);
        behave = sendRange;
        assert.equal((await fetchModel('/m.onnx')).code, 0);
        assert.deepEqual(requests.map((r) => r.range), [undefined, undefined, undefined]);
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });

    test('is whole where the server has nothing left to send (416)', async () => {
        await cutInTheMiddle();
        await writeFile(models('m.onnx.part'), model);
        behave = sendRange;
        assert.equal((await fetchModel('/m.onnx')).code, 0);
        assert.equal(requests.at(-1).range, `bytes=${SIZE}-`);
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });

    test('begins anew where it has more than the server (416)', async () => {
        await cutInTheMiddle();
        await writeFile(models('m.onnx.part'), Buffer.concat([model, model]));
        behave = sendRange;
        assert.equal((await fetchModel('/m.onnx', '--retries', '1')).code, 0);
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });

    test('refuses another part than it asked for', async () => {
        await cutInTheMiddle();
        behave = (request, response) => {
            response.writeHead(206, { 'Content-Range': `bytes 0-${HALF - 1}/${SIZE}`, 'Content-Length': HALF });
            response.end(model.subarray(0, HALF));
        };
        await assertFails(await fetchModel('/m.onnx'), /another part/, ['m.onnx.part', 'm.onnx.part.json']);
    });

    test('goes on after Ctrl-C', async () => {
        behave = (request, response) => {
            if (request.headers.range) return sendRange(request, response);
            response.writeHead(200, { 'Content-Length': SIZE, ETag: `"${hashOf(model).slice(0, 8)}"` });
            response.write(model.subarray(0, HALF));
        };
        const child = spawn(BINARY, fetchArgs('/m.onnx'));
        const gone = new Promise((done) => { child.once('exit', done); });
        for (let i = 0; i < 400; i++) {
            const { size } = await stat(models('m.onnx.part')).catch(() => ({ size: 0 }));
            if (size === HALF) break;
            await new Promise((done) => { setTimeout(done, 50); });
        }
        child.kill('SIGINT');
        assert.equal(await gone, 1);
        assert.equal((await fetchModel('/m.onnx')).code, 0);
        assert.equal(requests.at(-1).range, `bytes=${HALF}-`);
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });
});

describe('what is not kept', () => {
    test('a wrong hash', async () => {
        await assertFails(await fetchModel('/m.onnx', '--sha256', '0'.repeat(64)), /SHA-256 [0-9a-f]{64}.*not kept/);
    });

    test('another file at an address seen before, until its hash is given', async () => {
        await fetchModel('/m.onnx');
        const old = model;
        const kept = await files();
        model = makeModel();
        await assertFails(await fetchModel('/m.onnx', '--force'), /as first seen.*--sha256/, kept);
        assert.deepEqual(await readFile(models('m.onnx')), old);
        await assertFails(await fetchModel('/m.onnx', '--name', 'again'), /as first seen/, kept);
        assert.equal((await fetchModel('/m.onnx', '--force', '--sha256', hashOf(model))).code, 0);
        assert.deepEqual(await readFile(models('m.onnx')), model);
        assert.equal((await json('pins.json'))[`${base}/m.onnx`].sha256, hashOf(model));
    });

    test('one whose name is taken by another', async () => {
        await mkdir(models(), { recursive: true });
        await writeFile(models('m.onnx'), 'mine');
        await assertFails(await fetchModel('/m.onnx'), /--force/, ['m.onnx']);
        assert.equal(requests.length, 0);
    });

    test('a file that is too large, said or not', async () => {
        await assertFails(await fetchModel('/m.onnx', '--max-size', '100K'), /larger than 100/);
        behave = (request, response) => { response.writeHead(200); response.end(model); };
        await assertFails(await fetchModel('/m.onnx', '--max-size', '100K'), /larger than 100/);
    });

    test('a page, or nothing', async () => {
        behave = (request, response) => response.end('<!doctype html><title>Log in</title>');
        await assertFails(await fetchModel('/m.onnx'), /a page, not a model/);
        behave = (request, response) => response.end();
        await assertFails(await fetchModel('/m.onnx'), /sent nothing/);
    });

    test('what a full disk cuts', async () => {
        const limited = await saccade(['-c', 'trap "" XFSZ; ulimit -f 64; exec "$0" "$@"', BINARY, ...fetchArgs('/m.onnx')],
            { command: 'bash' });
        assert.equal(limited.code, 1);
        assert.match(limited.stderr, /m\.onnx\.part: /);
        assert.ok(!(await files()).includes('m.onnx'));
        assert.equal((await fetchModel('/m.onnx')).code, 0); // with room again
        assert.deepEqual(await readFile(models('m.onnx')), model);
    });
});

describe('a server that fails', () => {
    const answers = (status, headers = {}) => { behave = (request, response) => { response.writeHead(status, headers); response.end('no'); }; };

    test('404, 403', async () => {
        answers(404);
        await assertFails(await fetchModel('/m.onnx'), /404 \(not found\)/);
        answers(403);
        await assertFails(await fetchModel('/m.onnx'), /status 403/);
    });

    test('503 is asked again', async () => {
        behave = (request, response) => {
            if (requests.length > 1) return sendRange(request, response);
            response.writeHead(503);
            response.end();
        };
        assert.equal((await fetchModel('/m.onnx', '--retries', '1')).code, 0);
    });

    test('a stall ends it', async () => {
        behave = (request, response) => { response.writeHead(200, { 'Content-Length': SIZE }); response.write(model.subarray(0, 10)); };
        await assertFails(await fetchModel('/m.onnx', '--timeout', '4'), /too long/, ['m.onnx.part']);
    });

    test('redirects are followed, not for ever', async () => {
        behave = (request, response) => {
            if (request.url === '/real') return sendRange(request, response);
            response.writeHead(302, { Location: '/real', ETag: '"of the redirect"' });
            response.end();
        };
        assert.equal((await fetchModel('/m.onnx')).code, 0);
        answers(302, { Location: '/m.onnx' });
        await assertFails(await fetchModel('/loop', '--name', 'loop'), /more than 5 redirects/,
            ['m.json', 'm.onnx', 'pins.json']);
    });

    test('redirects out of HTTP are not', async () => {
        answers(302, { Location: 'file:///etc/passwd' });
        await assertFails(await fetchModel('/m.onnx'), /only http and https/);
    });

    test('nobody there, no such host', async () => {
        await assertFails(await fetchModel('http://127.0.0.1:9/m.onnx'), /connect/i);
        await assertFails(await fetchModel('http://no-such-host.invalid/m.onnx'), /cannot be resolved/);
    });

    test('certificates are checked, and never given up by a redirect', async (t) => {
        const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
        try {
            execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost',
                '-keyout', key, '-out', cert], { stdio: 'ignore' });
        } catch {
            return t.skip('openssl is not installed');
        }
        const secure = createSecureServer({ key: await readFile(key), cert: await readFile(cert) },
            (request, response) => behave(request, response));
        await new Promise((done) => { secure.listen(0, '127.0.0.1', done); });
        t.after(() => { secure.closeAllConnections(); secure.close(); });
        const address = `https://localhost:${secure.address().port}/m.onnx`;
        const env = { SSL_CERT_FILE: cert };
        await assertFails(await fetchModel(address), /certificate is not trusted/);
        const another = await saccade(fetchArgs(address.replace('localhost', '127.0.0.1')), { env });
        await assertFails(another, /certificate is not trusted/); // it is made out to localhost
        answers(302, { Location: `${base}/m.onnx` });
        await assertFails(await saccade(fetchArgs(address), { env }), /only http and https/);
        behave = sendRange;
        assert.equal((await saccade(fetchArgs(address), { env })).code, 0);
    });
});

describe('usage', () => {
    test('well-known models are listed; those without an address say how to make them', async () => {
        const list = await saccade(['models', '--json', '--data-dir', join(folder, 'data')]);
        const rows = list.stdout.trim().split('\n').map((line) => JSON.parse(line));
        const nano = rows.find((row) => row.name === 'yolox_nano');
        assert.equal(nano.state, 'to fetch');
        assert.equal(nano.licence, 'Apache-2.0');
        assert.match(nano.url, /^https:\/\//);
        assert.ok(rows.every((row) => row.url || row.how));
        const result = await saccade(['models', 'fetch', 'rfdetr_nano', '--data-dir', join(folder, 'data')]);
        assert.equal(result.code, 1);
        assert.match(result.stderr, /RFDETRNano\(\)\.export/);
        assert.deepEqual(await files(), []);
    });

    test('wrong ones say what', async () => {
        const wrong = [
            [['models', 'fetch'], 2, /NAME or URL/],
            [['models', 'fetch', 'a', 'b'], 2, /NAME or URL/],
            [['models', 'burn'], 2, /'models burn'/],
            [fetchArgs('/m.onnx', '--sha256', 'abc'), 2, /--sha256/],
            [fetchArgs('/m.onnx', '--max-size', 'many'), 2, /--max-size/],
            [fetchArgs('/m.onnx', '--nonsense'), 2, /./],
            [fetchArgs('/m.onnx', '--name', '../x'), 1, /--name/],
            [fetchArgs('/'), 1, /--name/],
            [fetchArgs('/pins.onnx'), 1, /--name/],
            [fetchArgs('ftp://example.org/m.onnx'), 1, /http/],
            [fetchArgs('http://me:secret@127.0.0.1/m.onnx'), 1, /password/],
            [['models', 'fetch', 'nobody_knows'], 1, /well-known/],
        ];
        for (const [args, code, pattern] of wrong) {
            const result = await saccade(args);
            assert.equal(result.code, code, args.join(' '));
            assert.match(result.stderr, pattern);
        }
        assert.match((await saccade(['models', '--help'])).stdout, /usage: saccade models/);
        assert.equal(requests.length, 0);
    });
});
