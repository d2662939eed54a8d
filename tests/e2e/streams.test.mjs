// Live streams of the real server: made, watched, measured, stored, started again, ended.
import assert from 'node:assert/strict';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { makeClip } from './clip.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';

const STREAMS = '/api/v1/streams';
const SOURCE = 'testsrc:size=320x180,rate=5';
const BOUNDARY = '--saccade-frame';

let folder, files, server;

const start = () => startServer(folder, '--streams-files', files, '--streams-max', '25');
const api = (path, options) => fetch(server.url + path, options);
const get = async (path) => (await api(path)).json();
const post = (spec) => api(STREAMS, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(spec) });
const remove = (id) => api(`${STREAMS}/${id}`, { method: 'DELETE' });
const stats = (id) => get(`${STREAMS}/${id}/stats?once=true`);

async function make(spec) {
    const response = await post(spec);
    const text = await response.text();
    assert.equal(response.status, 201, text);
    return JSON.parse(text);
}

// Polls until check(value) holds; the value.
async function until(read, check, ms = 15000) {
    for (const end = Date.now() + ms; ; await sleep(100)) {
        const value = await read();
        if (check(value)) return value;
        assert.ok(Date.now() < end, JSON.stringify(value));
    }
}
const untilState = (id, state) => until(() => get(`${STREAMS}/${id}`), (stream) => stream.state === state);

// Reads an endless answer until enough(text), then hangs up.
async function readUntil(path, enough) {
    const stop = new AbortController();
    const response = await api(path, { signal: stop.signal });
    let text = '';
    assert.equal(response.status, 200);
    for await (const chunk of response.body) {
        text += Buffer.from(chunk).toString('latin1');
        if (enough(text)) break;
    }
    stop.abort();
    return { text, type: response.headers.get('content-type') };
}

before(async () => {
    folder = await makeFolder();
    files = join(folder, 'files');
    await mkdir(files);
    server = await start();
});
after(async () => {
    await server.stop();
    await removeFolders();
});

describe('a stream', () => {
    test('is watched by two, measured, and ends with its file whole', async () => {
        const made = await make({ id: 'one', input: SOURCE, outputs: ['one.mp4'] });
        assert.equal(made.mjpeg_url, `${STREAMS}/one/stream.mjpeg`);
        await untilState('one', 'running');
        const views = await Promise.all([1, 2].map(() =>
            readUntil(made.mjpeg_url, (text) => text.split(BOUNDARY).length > 4)));
        for (const { text, type } of views) {
            assert.equal(type, 'multipart/x-mixed-replace; boundary=saccade-frame');
            const parts = text.split(`${BOUNDARY}\r\n`).slice(1, 3);
            for (const part of parts) {
                const [head, body] = [part.slice(0, part.indexOf('\r\n\r\n')), part.slice(part.indexOf('\r\n\r\n') + 4)];
                const size = Number(/Content-Length: (\d+)/.exec(head)[1]);
                assert.equal(body.length, size + 2); // and a line break
                assert.ok(body.startsWith('\xff\xd8') && body.slice(0, size).endsWith('\xff\xd9'));
            }
            const numbers = parts.map((part) => Number(/X-Frame-Number: (\d+)/.exec(part)[1]));
            assert.ok(numbers[1] > numbers[0]);
        }
        // The shares of a core are those of the last two seconds.
        const now = await until(() => stats('one'), ({ stages }) => stages.some(({ name, busy }) => name === 'encode' && busy > 0));
        assert.equal(now.source.width, 320);
        assert.ok(now.picture.encoded > 0 && now.picture.latency_p50_ms >= 0);
        assert.equal(now.outputs[0].url, 'one.mp4');
        const metrics = await (await api('/metrics')).text();
        assert.match(metrics, /saccade_streams\{state="running"\} \d/);
        assert.equal((await remove('one')).status, 204);
        assert.equal((await api(`${STREAMS}/one`)).status, 404);
        assert.ok((await stat(join(files, 'one.mp4'))).size > 1000);
    });

    test('tells its figures each second until it ends', async () => {
        await make({ id: 'told', input: SOURCE });
        const { text, type } = await readUntil(`${STREAMS}/told/stats`, (so) => so.split('\n\n').length > 3);
        assert.equal(type, 'text/event-stream');
        const events = text.split('\n\n').slice(0, -1).filter((event) => event.startsWith('event: stats\ndata: '));
        for (const event of events) assert.equal(JSON.parse(event.slice('event: stats\ndata: '.length)).id, 'told');
        let whole = '', removed;
        for await (const chunk of (await api(`${STREAMS}/told/stats`)).body) { // ended by the server
            whole += Buffer.from(chunk).toString();
            if (whole.includes('event: stats')) removed ??= remove('told');
        }
        assert.equal((await removed)?.status, 204, whole);
    });

    test('that has a duration ends, and stays ended', async () => {
        await make({ id: 'short', input: `${SOURCE},duration=1` });
        const { reason } = await untilState('short', 'ended');
        assert.equal(reason, 'the source has ended');
        assert.equal((await api(`${STREAMS}/short/stream.mjpeg`)).status, 409);
        await remove('short');
    });

    test('plays a stored video, and ends with it', async () => {
        const path = join(folder, 'clip.mp4');
        await makeClip(path, 50);
        const uploaded = await api('/api/v1/videos?id=clip', {
            method: 'POST', body: await readFile(path), headers: { 'Content-Type': 'video/mp4' } });
        assert.equal(uploaded.status, 201);
        await make({ id: 'video', input: 'video:clip', loop: true });
        const running = await untilState('video', 'running');
        assert.equal(running.input, 'video:clip');
        assert.equal((await api('/api/v1/videos/clip', { method: 'DELETE' })).status, 204);
        const { reason } = await untilState('video', 'failed');
        assert.equal(reason, 'its video was deleted');
        await remove('video');
    });
});

describe('what is bad', () => {
    test('is refused with the field', async () => {
        await writeFile(join(folder, 'outside.mp4'), 'x');
        await symlink(join(folder, 'outside.mp4'), join(files, 'way.mp4'));
        const cases = [
            [{}, 400, 'input'],
            [{ input: 'gopher://h/' }, 400, 'input'],
            [{ input: SOURCE, colour: 1 }, 400, 'colour'],
            [{ input: SOURCE, fps: 'five' }, 400, 'fps'],
            [{ input: SOURCE, width: 321, height: 180 }, 400, 'width'],
            [{ input: 'testsrc:size=1x1' }, 400, 'input'],
            [{ input: SOURCE, codec: 'nonsense', outputs: ['a.mp4'] }, 422, 'codec'],
            [{ input: SOURCE, outputs: ['a.exe'] }, 400, 'outputs'],
            [{ input: '/etc/passwd' }, 403, 'input'],
            [{ input: '../outside.mp4' }, 403, 'input'],
            [{ input: 'way.mp4' }, 404, 'input'],
            [{ input: SOURCE, outputs: ['way.mp4'] }, 403, 'outputs[0]'],
            [{ input: SOURCE, outputs: ['../a.mp4'] }, 403, 'outputs[0]'],
            [{ input: 'video:nobody' }, 404, 'input'],
            [{ input: SOURCE, model: 'nobody' }, 404, 'model'],
        ];
        for (const [spec, status, field] of cases) {
            const response = await post(spec);
            const problem = await response.json();
            assert.equal(response.status, status, JSON.stringify([spec, problem]));
            assert.equal(problem.field, field, JSON.stringify([spec, problem]));
        }
        assert.deepEqual((await get(STREAMS)).streams, []);
    });

    test('is told when it shows itself later, without secrets', async () => {
        const web = createServer((request, response) => response.end('this is no video '.repeat(1000)));
        await new Promise((done) => web.listen(0, '127.0.0.1', done));
        const address = `http://u:hush@127.0.0.1:${web.address().port}/x.mp4?token=hush`;
        await make({ id: 'nobody', input: 'rtsp://u:hush@127.0.0.1:1/x', outputs: ['rtmp://127.0.0.1:1/live/hush'] });
        await make({ id: 'text', input: address });
        const nobody = await until(() => get(`${STREAMS}/nobody`), (stream) => stream.reason);
        assert.match(nobody.reason, /connection refused/);
        assert.notEqual(nobody.state, 'running');
        const text = await until(() => get(`${STREAMS}/text`), (stream) => stream.reason);
        assert.notEqual(text.state, 'running');
        for (const path of [STREAMS, `${STREAMS}/nobody`, `${STREAMS}/text`, `${STREAMS}/nobody/stats?once=1`, `${STREAMS}/text/stats?once=1`])
            assert.doesNotMatch(await (await api(path)).text(), /hush/, path);
        await Promise.all(['nobody', 'text'].map(remove));
        web.closeAllConnections();
        web.close();
    });
});

test('twenty run side by side', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `many-${i}`);
    for (const id of ids) await make({ id, input: 'testsrc:size=640x360,rate=2', fps: 2 });
    await until(() => get(STREAMS), ({ streams }) => streams.filter((s) => s.state === 'running').length === 20, 30000);
    const page = await get(`${STREAMS}?limit=15`);
    assert.equal(page.streams.length, 15);
    assert.equal((await get(`${STREAMS}?limit=15&cursor=${page.next}`)).streams.length, 5);
    await Promise.all(ids.map(remove));
    assert.deepEqual((await get(STREAMS)).streams, []);
});

test('the server brings its streams back', async () => {
    await make({ id: 'kept', input: SOURCE, outputs: ['kept.ts'] });
    await make({ id: 'over', input: `${SOURCE},duration=1` });
    await untilState('kept', 'running');
    await untilState('over', 'ended');
    const begun = Date.now();
    await server.stop();
    assert.ok(Date.now() - begun < 8000);
    server = await start();
    const kept = await untilState('kept', 'running');
    assert.deepEqual(kept.outputs, ['kept.ts']);
    assert.equal((await get(`${STREAMS}/over`)).state, 'ended');
    await server.stop('SIGKILL');
    server = await start();
    await untilState('kept', 'running');
    await Promise.all(['kept', 'over'].map(remove));
    await server.stop();
    server = await start();
    assert.deepEqual((await get(STREAMS)).streams, []);
});
