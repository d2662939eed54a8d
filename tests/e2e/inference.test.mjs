// Detection over HTTP with a real detector: what it finds is the same by every path, and models come,
// are replaced and go while requests run.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { makeFolder, removeFolders, startServer } from './server.mjs';

const MEDIA = resolve(import.meta.dirname, '../../../shared/media');
const MODEL = join(MEDIA, 'yolox_nano.onnx');
const skip = existsSync(MODEL) ? false : `there is no ${MODEL}`;

let folder, server, onnx;

const api = (path, options) => fetch(server.url + path, options);
const json = async (path, options) => (await api(path, options)).json();

async function problem(response, status, field) {
    const text = await response.text();
    assert.equal(response.status, status, text);
    assert.match(response.headers.get('content-type'), /^application\/problem\+json/);
    const answer = JSON.parse(text);
    if (field) assert.equal(answer.field, field, text);
    return answer;
}

// Resolves once nothing is being loaded for that name.
async function settled(name) {
    for (;;) {
        const model = await json(`/api/v1/models/${name}`);
        if (model.state !== 'loading') return model;
        await sleep(50);
    }
}

function uploadModel(fields) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields))
        form.append(name, value instanceof Uint8Array ? new Blob([value]) : value);
    return api('/api/v1/models', { method: 'POST', body: form });
}

const times = (n, body, query = '') => api(`/api/gpu/video/bottle/batch_inference${query}`, {
    method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });

async function lines(query) {
    const response = await api(`/api/v1/videos/bottle/detections?${query}`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^application\/x-ndjson/);
    return (await response.text()).trim().split('\n').map((line) => JSON.parse(line));
}

before(async () => {
    if (skip) return;
    folder = await makeFolder();
    onnx = await readFile(MODEL);
    server = await startServer(folder, '--model', MODEL);
    const response = await api('/api/v1/videos?id=bottle', {
        method: 'POST', body: await readFile(join(MEDIA, 'bottle-detection.mp4')), headers: { 'Content-Type': 'video/mp4' } });
    assert.equal(response.status, 201, await response.text());
    assert.equal((await settled('yolox_nano')).state, 'ready');
});
after(async () => {
    await server?.stop();
    await removeFolders();
});

describe('detection', { skip }, () => {
    test('a model says what it is and what runs it', async () => {
        const { models } = await json('/api/v1/models');
        const model = models.find((m) => m.name === 'yolox_nano');
        assert.equal(model.family, 'yolox');
        assert.deepEqual([model.width, model.height, model.classes], [416, 416, 80]);
        assert.equal(model.default, true);
        assert.equal(model.bytes, onnx.length);
        assert.ok(model.provider && model.provider_reason !== undefined);
        assert.equal((await json('/api/v1/models/yolox_nano')).labels[39], 'bottle');
    });

    test('lines, batches, frames and pictures agree', async () => {
        const found = await lines('from=20&to=61&every=20&threshold=0.4');
        assert.deepEqual(found.map((line) => line.n), [20, 40, 60]);
        for (const line of found) {
            assert.deepEqual(Object.keys(line), ['n', 't', 'width', 'height', 'model', 'detections']);
            const response = await api(`/api/v1/videos/bottle/frame?n=${line.n}&model=yolox_nano&threshold=0.4`);
            assert.equal(Number(response.headers.get('x-count')), line.detections.length);
            for (const { box: [x1, y1, x2, y2], score, label } of line.detections) {
                assert.ok(0 <= x1 && x1 <= x2 && x2 <= line.width && 0 <= y1 && y1 <= y2 && y2 <= line.height);
                assert.ok(score >= 0.4 && score <= 1 && label);
            }
        }
        assert.ok(found.some((line) => line.detections.some((d) => d.label === 'bottle')));
        const batch = await (await times('bottle', found.map((line) => line.t), '?threshold=0.4')).json();
        assert.deepEqual(Object.keys(batch), ['status', 'processed_frames', 'processing_time', 'gpu_device',
            'batch_size', 'model', 'results']);
        assert.deepEqual(batch.results, found);
        assert.deepEqual(await lines('from=40&to=61&every=20&threshold=0.4'), found.slice(1)); // resumed
    });

    test('boxes are drawn, or not, and named apart', async () => {
        const get = async (query) => {
            const response = await api(`/api/v1/videos/bottle/frame?n=20${query}`);
            assert.equal(response.status, 200);
            return { etag: response.headers.get('etag'), count: response.headers.get('x-count'),
                body: Buffer.from(await response.arrayBuffer()) };
        };
        const plain = await get('');
        const counted = await get('&model=yolox_nano&overlay=false&threshold=0.2');
        const drawn = await get('&model=yolox_nano&threshold=0.2');
        assert.equal(plain.count, null);
        assert.ok(Number(counted.count) > 0);
        assert.equal(drawn.count, counted.count);
        assert.ok(plain.body.equals(counted.body));
        assert.ok(!plain.body.equals(drawn.body));
        assert.equal(new Set([plain.etag, counted.etag, drawn.etag]).size, 3);
        const again = await api('/api/v1/videos/bottle/frame?n=20&model=yolox_nano&threshold=0.2', {
            headers: { 'If-None-Match': drawn.etag } });
        assert.equal(again.status, 304);
        const compat = await api('/api/gpu/video/bottle/frame?t=0.8&inference=true&threshold=0.2');
        assert.equal(compat.headers.get('x-count'), drawn.count);
        assert.match(compat.headers.get('x-inference-time'), /^\d+\.\d{3}s$/);
        assert.equal(compat.headers.get('x-model'), 'yolox_nano');
    });

    test('many frames with their detections', async () => {
        const response = await api('/api/v1/videos/bottle/frames', { method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ n: [20, 40], model: 'yolox_nano', detections: true, w: 160 }) });
        const text = Buffer.from(await response.arrayBuffer()).toString('latin1');
        assert.equal(response.status, 200);
        assert.equal(text.match(/X-Count: \d+\r\n/g).length, 2);
        assert.equal(text.match(/\{"n":\d+,"t":[\d.]+,"width":/g).length, 2);
    });

    test('MJPEG with boxes', async () => {
        const stop = new AbortController();
        const response = await api('/api/gpu/video/bottle/stream?fps=10&inference=true', { signal: stop.signal });
        let text = '';
        for await (const chunk of response.body) {
            text += Buffer.from(chunk).toString('latin1');
            if ((text.match(/X-Count: /g) || []).length > 2) break;
        }
        stop.abort();
    });

    test('who stops reading is not worked for', async () => {
        const stop = new AbortController();
        const response = await api('/api/v1/videos/bottle/detections', { signal: stop.signal });
        await response.body.getReader().read();
        const done = async () => (await json('/api/gpu/stats')).gpu_processor.frames_processed;
        const begun = await done();
        stop.abort();
        for (let before = -1, now = begun; now !== before; [before, now] = [now, await done()]) await sleep(1000);
        const { frames } = await json('/api/v1/videos/bottle');
        assert.ok(await done() - begun < frames / 2, 'it was worked for to the end');
    });

    test('bad requests', async () => {
        const frame = '/api/v1/videos/bottle/frame?n=1';
        await problem(await api(`${frame}&model=none`), 404, 'model');
        await problem(await api(`${frame}&model=yolox_nano&threshold=1.5`), 400, 'threshold');
        await problem(await api(`${frame}&model=yolox_nano&threshold=x`), 400, 'threshold');
        await problem(await api('/api/v1/videos/bottle/detections?from=999999'), 416, 'from');
        await problem(await api('/api/v1/videos/bottle/detections?model=../x'), 404, 'model');
        await problem(await times('bottle', [0.5, 9999]), 416, 't[1]');
        await problem(await times('bottle', []), 400, 't');
        await problem(await times('bottle', [0.5], '?model=none'), 404, 'model');
        await problem(await api('/api/v1/models/none'), 404, 'name');
        await problem(await api('/api/v1/models/none', { method: 'DELETE' }), 404, 'name');
    });

    test('counters', async () => {
        const stats = await json('/api/gpu/stats');
        assert.ok(stats.gpu_processor.average_inference_time > 0);
        assert.ok(stats.gpu_processor.average_batch_size >= 1);
        assert.ok(stats.api_stats.batch_inferences >= 1);
        assert.equal(stats.api_stats.gpu_requests, 0);
        assert.match(await (await api('/metrics')).text(), /\nsaccade_models_ready [1-9]/);
    });
});

describe('models', { skip }, () => {
    test('upload, replace under load, delete', async () => {
        const response = await uploadModel({ name: 'mine', threshold: '0.4', file: onnx });
        assert.equal(response.status, 202, await response.text());
        assert.equal(response.headers.get('location'), '/api/v1/models/mine');
        const first = await settled('mine');
        assert.equal(first.state, 'ready', first.reason);
        assert.equal(first.threshold, 0.4);
        let replaced = false;
        const ask = async (n) => {
            const statuses = [];
            for (; !replaced || statuses.length < 5; n++) {
                const answer = await api(`/api/v1/videos/bottle/frame?n=${n % 100}&model=mine&w=64`);
                await answer.arrayBuffer();
                statuses.push(answer.status);
            }
            return statuses;
        };
        const asking = [ask(0), ask(20), ask(40)];
        assert.equal((await uploadModel({ name: 'mine', file: onnx, threshold: '0.5' })).status, 202);
        const second = await settled('mine');
        replaced = true;
        const statuses = (await Promise.all(asking)).flat();
        assert.deepEqual(new Set(statuses), new Set([200]));
        assert.ok(second.generation > first.generation);
        assert.equal((await api('/api/v1/models/mine', { method: 'DELETE' })).status, 204);
        await problem(await api('/api/v1/models/mine'), 404, 'name');
        assert.deepEqual((await readdir(join(folder, 'data/models'))).filter((f) => f.includes('mine')), []);
    });

    test('garbage fails with a reason and leaves nothing', async () => {
        assert.equal((await uploadModel({ name: 'junk', file: Buffer.from('not a model at all') })).status, 202);
        const model = await settled('junk');
        assert.equal(model.state, 'failed');
        assert.doesNotMatch(model.reason, /\//, 'no path of the server');
        assert.ok(model.reason);
        assert.deepEqual((await readdir(join(folder, 'data/models'))), []);
        await problem(await api('/api/v1/videos/bottle/frame?n=1&model=junk'), 409, 'model');
        assert.equal((await uploadModel({ name: 'cut', file: onnx.subarray(0, 100000) })).status, 202);
        assert.equal((await settled('cut')).state, 'failed');
        await problem(await uploadModel({ name: '../x', file: onnx }), 400, 'name');
        await problem(await uploadModel({ file: onnx }), 400, 'name');
        await problem(await uploadModel({ name: 'x' }), 400, 'file');
        assert.equal((await api('/health')).status, 200);
    });
});

describe('without ONNX Runtime', { skip }, () => {
    test('the server runs and says what to do', async () => {
        const other = await startServer(await makeFolder(), '--model', MODEL, '--models-library', '/nowhere/libonnxruntime.so');
        try {
            const get = (path) => fetch(other.url + path);
            let model;
            do model = await (await get('/api/v1/models/yolox_nano')).json(); while (model.state === 'loading');
            assert.equal(model.state, 'failed');
            assert.match(model.reason, /nowhere/);
            assert.equal((await get('/health')).status, 200);
            assert.equal((await fetch(`${other.url}/api/v1/videos?id=v`, { method: 'POST',
                body: await readFile(join(MEDIA, 'bottle-detection.mp4')), headers: { 'Content-Type': 'video/mp4' } })).status, 201);
            assert.equal((await get('/api/gpu/video/v/frame?t=1')).status, 200);
            await problem(await get('/api/gpu/video/v/frame?t=1&inference=true'), 501, 'model');
        } finally {
            await other.stop();
        }
    });
});
