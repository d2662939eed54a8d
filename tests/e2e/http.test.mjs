// The HTTP API of the real server: what is good is answered well, what is bad gets a 4xx that says
// what and where, and leaves nothing behind.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { FPS, FRAMES, GOP, makeClip } from './clip.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';

let folder, server, clip;

const api = (path, options) => fetch(server.url + path, options);
const upload = (id, body, options = {}) => api(`/api/v1/videos?id=${id}`, {
    method: 'POST', body, headers: { 'Content-Type': 'video/mp4' }, ...options });

// Every file below the data folder, without the database's own.
async function filesOf(data) {
    const all = await readdir(data, { recursive: true, withFileTypes: true });
    return all.filter((f) => f.isFile() && !/\.(db|sqlite|db-wal|db-shm|sqlite-wal|sqlite-shm)$|lock/i.test(f.name))
        .map((f) => join(f.parentPath ?? f.path, f.name)).sort();
}
const dataFiles = () => filesOf(join(folder, 'data'));
const ids = async () => (await (await api('/api/v1/videos')).json()).videos.map((v) => v.id);

async function assertProblem(response, status, field) {
    const text = await response.text();
    assert.equal(response.status, status, text);
    assert.match(response.headers.get('content-type'), /^application\/problem\+json/);
    assert.match(response.headers.get('x-request-id'), /^[\w.-]+$/);
    const problem = JSON.parse(text);
    assert.equal(problem.status, status);
    assert.ok(problem.title && problem.detail && problem.type);
    if (field) assert.equal(problem.field, field, text);
    return problem;
}

// The files once they are those of the videos there are, a file and its index each: what was
// deleted or refused a moment ago may take another one to go.
async function settledFiles() {
    for (let i = 0; ; i++) {
        const [videos, files] = [await ids(), await dataFiles()];
        if (files.length === 2 * videos.length || i === 50) return files;
        await sleep(100);
    }
}

// Runs fn, then checks that videos and files are as before.
async function leavesNothing(fn) {
    const [idsBefore, filesBefore] = [await ids(), await settledFiles()];
    await fn();
    assert.deepEqual(await settledFiles(), filesBefore);
    assert.deepEqual(await ids(), idsBefore);
}

// Sends text as it is; resolves with everything that came back until the server closed, or ms.
function raw(text, { ms = 20000, end = false, slowly = null } = {}) {
    return new Promise((done) => {
        let got = '';
        const socket = net.connect(server.port, '127.0.0.1', () => { socket.write(text); if (end) socket.end(); });
        const timer = setTimeout(() => socket.destroy(), ms);
        const drip = slowly && setInterval(() => { if (!socket.destroyed) socket.write(slowly); }, 100);
        socket.on('data', (chunk) => { got += chunk.toString('latin1'); });
        socket.on('error', () => {});
        socket.on('close', () => { clearTimeout(timer); clearInterval(drip); done(got); });
    });
}

before(async () => {
    folder = await makeFolder();
    await makeClip(join(folder, 'clip.mp4'));
    clip = await readFile(join(folder, 'clip.mp4'));
    server = await startServer(folder, '--idle-timeout', '5s', '--max-upload', '1G');
    const response = await upload('clip', clip);
    assert.equal(response.status, 201, await response.text());
});
after(async () => {
    await server?.stop();
    await removeFolders();
});

describe('uploads', () => {
    test('raw body: 201, Location, the resource', async () => {
        const response = await api('/api/v1/videos?id=raw&name=holiday.mp4', {
            method: 'POST', body: clip, headers: { 'Content-Type': 'application/octet-stream' } });
        assert.equal(response.status, 201);
        assert.equal(response.headers.get('location'), '/api/v1/videos/raw');
        const video = await response.json();
        assert.equal(video.id, 'raw');
        assert.equal(video.name, 'holiday.mp4');
        assert.equal(video.frames, FRAMES);
        assert.equal(video.fps, FPS);
        assert.equal(video.duration, FRAMES / FPS);
        assert.equal(video.width, 320);
        assert.equal(video.size, clip.length);
        assert.equal((await api('/api/v1/videos/raw', { method: 'DELETE' })).status, 204);
        await assertProblem(await api('/api/v1/videos/raw'), 404, 'id');
    });

    test('form: the compatible shapes, the id before or after the file', async () => {
        for (const [path, field] of [['/api/gpu/video/upload', 'file'], ['/api/v1/videos/upload', 'video']]) {
            for (const idFirst of [true, false]) {
                const form = new FormData();
                if (idFirst) form.append('id', 'form');
                form.append(field, new Blob([clip]), 'ä b.mp4');
                if (!idFirst) form.append('id', 'form');
                const response = await api(path, { method: 'POST', body: form });
                const text = await response.text();
                assert.equal(response.status, 200, text);
                const answer = JSON.parse(text);
                assert.deepEqual(Object.keys(answer), ['status', 'id', 'fps', 'duration', 'total_frames',
                    'resolution', 'index_size', 'index_time', 'gpu_enabled', 'device']);
                assert.equal(answer.status, 'success');
                assert.equal(answer.id, 'form');
                assert.equal(answer.total_frames, FRAMES);
                assert.equal(answer.resolution, '320x240');
                assert.match(answer.index_time, /^\d+\.\d{3}s$/);
                assert.equal((await (await api('/api/v1/videos/form')).json()).name, 'ä b.mp4');
                assert.equal((await api('/api/v1/videos/form', { method: 'DELETE' })).status, 204);
            }
        }
    });

    test('no id: a random one; pages by cursor', async () => {
        const made = [];
        for (let i = 0; i < 3; i++) {
            const response = await api('/api/v1/videos', { method: 'POST', body: clip, headers: { 'Content-Type': 'video/mp4' } });
            assert.equal(response.status, 201);
            made.push((await response.json()).id);
        }
        const seen = [];
        for (let cursor = ''; cursor !== null;) {
            const page = await (await api(`/api/v1/videos?limit=2&cursor=${cursor}`)).json();
            assert.ok(page.videos.length <= 2);
            seen.push(...page.videos.map((v) => v.id));
            cursor = page.next;
        }
        assert.deepEqual(seen, [...made, 'clip'].sort());
        for (const id of made) assert.equal((await api(`/api/v1/videos/${id}`, { method: 'DELETE' })).status, 204);
    });

    test('what is no video is refused by name', () => leavesNothing(async () => {
        const zip = Buffer.concat([Buffer.from('PK\x03\x04\x14\0\0\0', 'latin1'), randomBytes(5000)]);
        const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
        for (const [name, body] of Object.entries({
            empty: Buffer.alloc(0),
            text: Buffer.from('just some text, no video at all\n'.repeat(200)),
            html: Buffer.from('<!doctype html><html><body>hello</body></html>'),
            png, zip,
            noise: randomBytes(100000),
            zeros: Buffer.alloc(100000),
        })) {
            const response = await upload(`bad-${name}`, body);
            assert.ok([415, 422].includes(response.status), `${name}: ${response.status}`);
            await assertProblem(response, response.status);
        }
    }));

    test('a truncated file is refused, or served as far as it goes', async () => {
        for (const part of [100, 1000, clip.length >> 1]) {
            const response = await upload('short', clip.subarray(0, part));
            if (response.status === 201) {
                const video = await response.json();
                assert.ok(video.frames > 0);
                await api('/api/v1/videos/short', { method: 'DELETE' });
            } else {
                await assertProblem(response, response.status);
                assert.ok([415, 422].includes(response.status));
            }
        }
        assert.deepEqual(await ids(), ['clip']);
    });

    test('10 GB announced: 413 before the body', () => leavesNothing(async () => {
        const got = await raw('POST /api/v1/videos?id=huge HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\n'
            + `Content-Length: 10000000000\r\n\r\n${'x'.repeat(1024)}`);
        assert.match(got, /^HTTP\/1.1 413 /);
        assert.match(got, /application\/problem\+json/);
    }));

    test('cut half-way: nothing left', () => leavesNothing(async () => {
        const head = `POST /api/v1/videos?id=cut HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\nContent-Length: ${clip.length}\r\n\r\n`;
        const half = Buffer.concat([Buffer.from(head), clip.subarray(0, clip.length >> 1)]);
        await raw(half, { ms: 200 });
        await raw(half, { end: true, ms: 5000 });
        const form = Buffer.concat([Buffer.from('POST /api/gpu/video/upload HTTP/1.1\r\nHost: x\r\n'
            + 'Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 900000\r\n\r\n'
            + '--B\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'), clip.subarray(0, 5000)]);
        await raw(form, { ms: 200 });
    }));

    test('a slow client is cut', () => leavesNothing(async () => {
        const start = Date.now();
        const body = raw('POST /api/v1/videos?id=slow HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\nContent-Length: 100000\r\n\r\n',
            { ms: 60000, slowly: 'x' });
        const header = raw('GET /health HTTP/1.1\r\nHost: x\r\n', { ms: 60000, slowly: 'X' });
        await Promise.all([body, header]);
        assert.ok(Date.now() - start < 30000);
    }));

    test('ids: taken, malformed, given twice', () => leavesNothing(async () => {
        await assertProblem(await upload('clip', clip), 409, 'id');
        for (const id of ['..%2Fescape', 'a%20b', 'x'.repeat(65), '', '%C3%A4', 'a.b'])
            await assertProblem(await upload(id, clip), 400, 'id');
        const form = new FormData();
        form.append('id', '../../etc/x');
        form.append('file', new Blob([clip]), 'a.mp4');
        await assertProblem(await api('/api/gpu/video/upload', { method: 'POST', body: form }), 400, 'id');
        const late = new FormData();
        late.append('file', new Blob([clip]), 'a.mp4');
        late.append('id', 'clip');
        await assertProblem(await api('/api/gpu/video/upload', { method: 'POST', body: late }), 409, 'id');
    }));

    test('malformed forms', () => leavesNothing(async () => {
        const send = (body, type = 'multipart/form-data; boundary=B') => api('/api/v1/videos', {
            method: 'POST', body, headers: { 'Content-Type': type } });
        const file = '--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
        await assertProblem(await send(`${file}data\r\n`), 400, 'body');
        await assertProblem(await send('--B--'), 400, 'file');
        await assertProblem(await send('nothing of the kind'), 400, 'body');
        await assertProblem(await send('--B\r\n\r\nx\r\n--B--'), 400, 'body');
        await assertProblem(await send(`--B\r\nX: ${'y'.repeat(20000)}\r\n\r\nx\r\n--B--`), 400, 'body');
        await assertProblem(await send(`${file}data\r\n--B--`, 'multipart/form-data'), 400, 'Content-Type');
        await assertProblem(await send('{}', 'application/json'), 415, 'Content-Type');
        await assertProblem(await send(`--B\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--B--`), 400, 'body');
    }));

    test('many at once, one id: one wins', async () => {
        const all = await Promise.all(Array.from({ length: 6 }, () => upload('race', clip)));
        assert.deepEqual(all.map((r) => r.status).sort(), [201, 409, 409, 409, 409, 409]);
        await api('/api/v1/videos/race', { method: 'DELETE' });
    });
});

describe('frames', () => {
    test('by number and by time: the same picture, its headers, 304', async () => {
        const byNumber = await api('/api/v1/videos/clip/frame?n=37');
        assert.equal(byNumber.status, 200);
        assert.equal(byNumber.headers.get('content-type'), 'image/jpeg');
        assert.equal(byNumber.headers.get('x-frame-number'), '37');
        const time = byNumber.headers.get('x-frame-time');
        assert.match(byNumber.headers.get('x-verified'), /^(true|false)$/);
        const picture = Buffer.from(await byNumber.arrayBuffer());
        const byTime = await api(`/api/v1/videos/clip/frame?t=${time}`);
        assert.equal(byTime.headers.get('x-frame-number'), '37');
        assert.equal(byTime.headers.get('x-cache-status'), 'HIT');
        assert.deepEqual(Buffer.from(await byTime.arrayBuffer()), picture);
        const etag = byTime.headers.get('etag');
        const again = await api('/api/v1/videos/clip/frame?n=37', { headers: { 'If-None-Match': etag } });
        assert.equal(again.status, 304);
        assert.equal((await again.text()).length, 0);
        const head = await api('/api/v1/videos/clip/frame?n=37', { method: 'HEAD' });
        assert.equal(Number(head.headers.get('content-length')), picture.length);
    });

    test('sizes and formats', async () => {
        for (const [format, magic] of [['jpeg', 'ffd8'], ['png', '8950'], ['webp', '5249'], ['npy', '934e']]) {
            const response = await api(`/api/v1/videos/clip/frame?n=3&w=64&h=64&fit=cover&format=${format}`);
            assert.equal(response.status, 200);
            const body = Buffer.from(await response.arrayBuffer());
            assert.equal(body.subarray(0, 2).toString('hex'), magic);
            if (format === 'npy') assert.equal(body.length % (64 * 64 * 3), body.length - 64 * 64 * 3 & ~0 ? body.length - 64 * 64 * 3 : 0);
        }
    });

    test('compatible path: its headers', async () => {
        const response = await api('/api/gpu/video/clip/frame?t=1.0&inference=false&quality=90');
        assert.equal(response.status, 200);
        for (const name of ['x-processing-time', 'x-inference-time', 'x-encode-time'])
            assert.match(response.headers.get(name), /^\d+\.\d{3}s$/);
        assert.equal(response.headers.get('x-count'), '0');
        assert.equal(response.headers.get('x-gpu-enabled'), 'False');
        assert.match(response.headers.get('x-cache-status'), /^(HIT|MISS)$/);
        await assertProblem(await api('/api/gpu/video/clip/frame?t=1&inference=true&model=none'), 404, 'model');
    });

    test('bad parameters', async () => {
        for (const [query, status, field] of [
            ['t=abc', 400, 't'], ['t=-1', 400, 't'], ['t=1e308', 400, 't'], ['t=', 400, 't'],
            [`t=${FRAMES / FPS}`, 416, 't'], ['t=999999999999', 416, 't'],
            [`n=${FRAMES}`, 416, 'n'], ['n=-1', 400, 'n'], ['n=1.5', 400, 'n'], ['n=99999999999999999999', 400, 'n'],
            ['n=1&t=1', 400, 'n'], ['n=1&n=2', 400, 'n'],
            ['w=100000', 400, 'w'], ['w=0', 400, 'w'], ['h=-5', 400, 'h'],
            ['quality=0', 400, 'quality'], ['quality=101', 400, 'quality'],
            ['format=gif', 400, 'format'], ['fit=zoom', 400, 'fit'], ['colour=red', 400, 'colour'],
            ['t=%ff', 400], ['t=%0', 400],
        ]) await assertProblem(await api(`/api/v1/videos/clip/frame?${query}`), status, field);
        const problem = await assertProblem(await api(`/api/v1/videos/clip/frame?n=${FRAMES}`), 416, 'n');
        assert.match(problem.detail, new RegExp(String(FRAMES - 1)));
        await assertProblem(await api('/api/v1/videos/nope/frame'), 404, 'id');
        await assertProblem(await api('/api/v1/videos/a%2F..%2Fb/frame'), 400, 'id');
    });

    test('many frames: in the order asked', async () => {
        const order = [100, 3, 57, 3, 0, FRAMES - 1];
        const response = await api('/api/v1/videos/clip/frames', {
            method: 'POST', body: JSON.stringify({ n: order, w: 64 }), headers: { 'Content-Type': 'application/json' } });
        assert.equal(response.status, 200);
        assert.match(response.headers.get('content-type'), /^multipart\/mixed; boundary=/);
        const text = Buffer.from(await response.arrayBuffer()).toString('latin1');
        assert.deepEqual([...text.matchAll(/X-Frame-Number: (\d+)\r\n/g)].map((m) => Number(m[1])), order);
        const npy = await api('/api/v1/videos/clip/frames', {
            method: 'POST', body: JSON.stringify({ t: [0.2, '1.4'], format: 'npy', w: 32, h: 24 }), headers: { 'Content-Type': 'application/json' } });
        const tensor = Buffer.from(await npy.arrayBuffer());
        assert.match(tensor.toString('latin1', 0, 128), /'shape': \(2, 24, 32, 3\)/);
        assert.equal(tensor.length, Number(npy.headers.get('content-length')));
    });

    test('many frames: bad bodies', async () => {
        const send = (body) => api('/api/v1/videos/clip/frames', {
            method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
        for (const [body, status, field] of [
            ['', 400, 'body'], ['{', 400, 'body'], ['[]', 400, 'body'], ['{}', 400, 't'], ['{"n":[]}', 400, 'n'],
            ['{"n":[1],"t":[1]}', 400, 'n'], ['{"n":["1"]}', 400, 'n[0]'], [`{"n":[0,${FRAMES}]}`, 416, 'n[1]'],
            ['{"t":["x"]}', 400, 't[0]'], ['{"t":[1],"size":3}', 400, 'size'], ['{"t":[1],"t":[2]}', 400, 'body'],
            [JSON.stringify({ n: Array(1001).fill(0) }), 413, 'n'], ['{"n":[0],"w":100000}', 400, 'w'],
            [`{"n":[${'['.repeat(100000)}`, 400, 'body'], ['x'.repeat(2 << 20), 413, 'body'],
        ]) await assertProblem(await send(body), status, field);
        await assertProblem(await api('/api/v1/videos/clip/frames', {
            method: 'POST', body: 'n=1', headers: { 'Content-Type': 'text/plain' } }), 415, 'Content-Type');
    });

    test('index: every time names its frame', async () => {
        const index = await (await api('/api/v1/videos/clip/index')).json();
        assert.equal(index.times.length, FRAMES);
        assert.deepEqual(index.keyframes, Array.from({ length: FRAMES / GOP }, (_, i) => i * GOP));
        assert.deepEqual(index.gops[1], { start: GOP, frames: GOP });
        assert.equal(index.next, null);
        for (const n of [0, 1, 24, 25, 77, FRAMES - 1]) {
            const response = await api(`/api/v1/videos/clip/frame?w=16&t=${index.times[n]}`);
            assert.equal(response.headers.get('x-frame-number'), String(n));
        }
        const page = await (await api('/api/v1/videos/clip/index?from=30&limit=10')).json();
        assert.deepEqual(page.times, index.times.slice(30, 40));
        assert.equal(page.next, 40);
        const cached = (await (await api('/api/v1/videos/clip/index?cache=1')).json()).cached;
        assert.ok(cached.length > 0 && cached.every(([a, b]) => a <= b && b < FRAMES));
        await assertProblem(await api(`/api/v1/videos/clip/index?from=${FRAMES}`), 416, 'from');
    });

    test('original: whole, ranges, conditions', async () => {
        const whole = await api('/api/v1/videos/clip/original');
        assert.deepEqual(Buffer.from(await whole.arrayBuffer()), clip);
        assert.equal(whole.headers.get('content-type'), 'video/mp4');
        const part = await api('/api/v1/videos/clip/original', { headers: { Range: 'bytes=100-199' } });
        assert.equal(part.status, 206);
        assert.equal(part.headers.get('content-range'), `bytes 100-199/${clip.length}`);
        assert.deepEqual(Buffer.from(await part.arrayBuffer()), clip.subarray(100, 200));
        const tail = await api('/api/v1/videos/clip/original', { headers: { Range: 'bytes=-10' } });
        assert.deepEqual(Buffer.from(await tail.arrayBuffer()), clip.subarray(-10));
        const beyond = await api('/api/v1/videos/clip/original', { headers: { Range: `bytes=${clip.length}-` } });
        assert.equal(beyond.headers.get('content-range'), `bytes */${clip.length}`);
        await assertProblem(beyond, 416, 'Range');
        const same = await api('/api/v1/videos/clip/original', { headers: { 'If-None-Match': whole.headers.get('etag') } });
        assert.equal(same.status, 304);
    });

    test('MJPEG: real time, to the end', async () => {
        const start = Date.now();
        const response = await api(`/api/v1/videos/clip/stream.mjpeg?t=1&w=64`);
        assert.match(response.headers.get('content-type'), /^multipart\/x-mixed-replace; boundary=/);
        const text = Buffer.from(await response.arrayBuffer()).toString('latin1');
        const took = Date.now() - start;
        const numbers = [...text.matchAll(/X-Frame-Number: (\d+)\r\n/g)].map((m) => Number(m[1]));
        assert.ok(took > 3900 && took < 30000, `four seconds of video took ${took} ms`);
        assert.ok(numbers.length >= 5 && numbers.every((n, i) => n >= 25 && (!i || n > numbers[i - 1])), String(numbers));
        const compat = new AbortController();
        const live = await api('/api/gpu/video/clip/stream?fps=30&inference=false&quality=85', { signal: compat.signal });
        assert.equal(live.status, 200);
        compat.abort();
    });
});

describe('the server', () => {
    test('health, ready, metrics, stats, docs', async () => {
        const health = await (await api('/health')).json();
        assert.equal(health.status, 'healthy');
        assert.equal(health.gpu_available, false);
        assert.equal(typeof health.cache_status, 'string');
        assert.ok(health.memory_usage.rss_bytes > 0);
        assert.equal((await api('/ready')).status, 200);
        const metrics = await (await api('/metrics')).text();
        assert.match(metrics, /saccade_http_requests_total\{route="\/health",method="GET",code="200"\} \d+/);
        assert.match(metrics, /saccade_http_request_seconds_bucket\{/);
        const stats = await (await api('/api/gpu/stats')).json();
        assert.deepEqual(Object.keys(stats), ['api_stats', 'gpu_processor', 'system_info']);
        assert.ok(stats.api_stats.total_requests > 0);
        assert.equal(stats.system_info.frame_indexing, true);
        assert.match(await (await api('/docs')).text(), /<code>\/api\/v1\/videos\/\{id\}\/frame<\/code>/);
        assert.match(await (await api('/')).text(), /<!doctype html>/i);
    });

    test('OpenAPI tells what there is', async () => {
        const doc = await (await api('/openapi.json')).json();
        assert.equal(doc.openapi, '3.1.0');
        const seen = new Set();
        for (const [path, operations] of Object.entries(doc.paths)) {
            for (const [method, operation] of Object.entries(operations)) {
                assert.ok(operation.summary && operation.responses.default, `${method} ${path}`);
                assert.ok(!seen.has(operation.operationId), operation.operationId);
                seen.add(operation.operationId);
                for (const [, name] of path.matchAll(/\{(\w+)\}/g))
                    assert.ok(operation.parameters.some((p) => p.name === name && p.in === 'path' && p.required));
                if (method !== 'get' || path.includes('mjpeg') || path.endsWith('/stream')) continue;
                const response = await api(path.replace('{id}', 'clip').replace('{name}', 'none'));
                const known = /models\/|streams\/|detections$/.test(path); // none of them is there
                assert.ok(response.status === 200 || (known && operation.responses[response.status]), path);
                await response.arrayBuffer();
            }
        }
    });

    test('methods, paths, request ids', async () => {
        const response = await api('/api/v1/videos/clip', { method: 'PATCH' });
        assert.equal(response.headers.get('allow'), 'GET, HEAD, DELETE, OPTIONS');
        await assertProblem(response, 405);
        await assertProblem(await api('/api/v2/videos'), 404);
        await assertProblem(await api('/etc/passwd'), 404);
        assert.match(await raw('GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 404/);
        const own = await api('/health', { headers: { 'X-Request-Id': 'abc.123' } });
        assert.equal(own.headers.get('x-request-id'), 'abc.123');
        const options = await api('/api/v1/videos', { method: 'OPTIONS' });
        assert.equal(options.status, 204);
    });

    test('gzip when it is worth it', async () => {
        const packed = await raw('GET /openapi.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n');
        assert.match(packed, /Content-Encoding: gzip/i);
        const plain = await raw('GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        assert.doesNotMatch(plain, /Content-Encoding/i);
        assert.ok(packed.length < plain.length / 3);
    });

    test('hostile bytes leave it standing', async () => {
        for (const text of ['\0\0\0\0', 'GET', 'GET / HTTP/9.9\r\n\r\n', 'GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n',
            `GET /${'a'.repeat(100000)} HTTP/1.1\r\nHost: x\r\n\r\n`, `GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(20000)}\r\n`,
            'POST /api/v1/videos HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
            'POST /api/v1/videos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
            'POST /api/v1/videos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx'])
            await raw(text, { ms: 300 });
        assert.equal((await api('/health')).status, 200);
        assert.deepEqual(await ids(), ['clip']);
    });

    test('deleting under load: a frame, 404 or 410, never a wrong answer', async () => {
        assert.equal((await upload('gone', clip)).status, 201);
        const asks = Array.from({ length: 40 }, (_, i) => api(`/api/v1/videos/gone/frame?n=${i * 3}&w=48`));
        const deleted = api('/api/v1/videos/gone', { method: 'DELETE' });
        for (const response of await Promise.all(asks)) {
            assert.ok([200, 404, 410].includes(response.status), String(response.status));
            await response.arrayBuffer();
        }
        assert.equal((await deleted).status, 204);
    });
});

describe('crashes and limits', () => {
    test('kill -9 during uploads: what was told stored is there, nothing else', async (t) => {
        const home = await makeFolder();
        const stored = new Set();
        for (let round = 0; round < 4; round++) {
            const victim = await startServer(home);
            const before = (await (await fetch(`${victim.url}/api/v1/videos`)).json()).videos.map((v) => v.id);
            for (const id of stored) assert.ok(before.includes(id), `${id} was lost`);
            const asks = Array.from({ length: 4 }, (_, i) => fetch(`${victim.url}/api/v1/videos?id=r${round}-${i}`, {
                method: 'POST', body: clip, headers: { 'Content-Type': 'video/mp4' } })
                .then((r) => { if (r.status === 201) stored.add(`r${round}-${i}`); }).catch(() => {}));
            await sleep(5 + round * 25); // somewhere between the first byte and the last row
            await victim.stop('SIGKILL');
            await Promise.all(asks);
        }
        const last = await startServer(home);
        const videos = (await (await fetch(`${last.url}/api/v1/videos`)).json()).videos;
        for (const id of stored) assert.ok(videos.some((v) => v.id === id), `${id} was lost`);
        for (const video of videos) {
            const response = await fetch(`${last.url}/api/v1/videos/${video.id}/frame?n=${FRAMES - 1}`);
            assert.equal(response.status, 200, await response.text());
        }
        const files = await filesOf(join(home, 'data'));
        assert.ok(files.length <= 2 * videos.length + 1, `${videos.length} videos, but\n${files.join('\n')}`);
        await last.stop();
    });

    test('a restart keeps videos and their ETags', async (t) => {
        const home = await makeFolder();
        const etags = [];
        for (let i = 0; i < 2; i++) {
            const one = await startServer(home);
            if (!i) {
                const made = await fetch(`${one.url}/api/v1/videos?id=kept`, { method: 'POST', body: clip, headers: { 'Content-Type': 'video/mp4' } });
                assert.equal(made.status, 201);
            }
            const response = await fetch(`${one.url}/api/v1/videos/kept/frame?n=9`);
            assert.equal(response.status, 200);
            etags.push(response.headers.get('etag'));
            await one.stop();
        }
        assert.equal(etags[0], etags[1]);
    });

    test('a full disk: 507, what was there stays', async (t) => {
        const home = await makeFolder();
        const data = join(home, 'data');
        await mkdir(data);
        try {
            execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', data], { stdio: 'ignore' });
        } catch {
            return t.skip('mounting a small tmpfs needs root');
        }
        const small = await startServer(home);
        t.after(async () => {
            await small.stop();
            execFileSync('umount', [data]);
        });
        const post = (id, body, chunked) => fetch(`${small.url}/api/v1/videos?id=${id}`, {
            method: 'POST', headers: { 'Content-Type': 'video/mp4' },
            ...(chunked ? { body: new Blob([body]).stream(), duplex: 'half' } : { body }) });
        assert.equal((await post('first', clip)).status, 201);
        const filesBefore = await filesOf(data);
        const big = Buffer.concat([clip, Buffer.alloc(30 << 20)]);
        for (const chunked of [false, true]) await assertProblem(await post('second', big, chunked), 507);
        for (let i = 0; i < 50 && (await filesOf(data)).length > filesBefore.length; i++) await sleep(100);
        assert.deepEqual(await filesOf(data), filesBefore);
        const list = (await (await fetch(`${small.url}/api/v1/videos`)).json()).videos.map((v) => v.id);
        assert.deepEqual(list, ['first']);
        assert.equal((await fetch(`${small.url}/api/v1/videos/first/frame?n=50`)).status, 200);
    });

    test('a token: 401 without, the page and /health open', async (t) => {
        const home = await makeFolder();
        const locked = await startServer(home, '--token', 'open-sesame');
        t.after(() => locked.stop());
        const ask = (path, token) => fetch(locked.url + path, token ? { headers: { Authorization: `Bearer ${token}` } } : {});
        const refused = await ask('/api/v1/videos');
        assert.match(refused.headers.get('www-authenticate'), /^Bearer /);
        await assertProblem(refused, 401);
        await assertProblem(await ask('/api/v1/videos', 'wrong'), 401);
        assert.equal((await ask('/api/v1/videos', 'open-sesame')).status, 200);
        assert.equal((await ask('/health')).status, 200);
        assert.equal((await ask('/')).status, 200);
    });

    test('beyond loopback without a token: refused to start', async (t) => {
        const home = await makeFolder();
        await assert.rejects(startServer(home, '--host', '0.0.0.0'), /token/);
    });

    test('rate limit: 429 with Retry-After', async (t) => {
        const home = await makeFolder();
        const limited = await startServer(home, '--rate', '1', '--rate-burst', '3');
        t.after(() => limited.stop());
        const all = await Promise.all(Array.from({ length: 20 }, () => fetch(`${limited.url}/health`)));
        const refused = all.filter((r) => r.status === 429);
        assert.ok(refused.length >= 4);
        assert.ok(Number(refused[0].headers.get('retry-after')) >= 1);
        await assertProblem(refused[0], 429);
    });

    test('SIGTERM lets requests end', async (t) => {
        const home = await makeFolder();
        const polite = await startServer(home);
        await fetch(`${polite.url}/api/v1/videos?id=clip`, { method: 'POST', body: clip, headers: { 'Content-Type': 'video/mp4' } });
        const asks = Array.from({ length: 10 }, (_, i) => fetch(`${polite.url}/api/v1/videos/clip/frame?n=${i * 12}&w=40`).then(async (r) => {
            const body = await r.arrayBuffer();
            return { status: r.status, size: body.byteLength };
        }, () => ({ status: 0 })));
        await sleep(10);
        await polite.stop();
        for (const { status, size } of await Promise.all(asks))
            assert.ok((status === 200 && size > 100) || status === 503 || status === 0, String(status));
    });
});
