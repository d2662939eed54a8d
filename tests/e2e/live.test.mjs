// Whole live streams with real peers: sources that stall, die and change, sinks that go away, many at once.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { complaints, freePort, hasRtmp, start, startRtmp, stopAll, until } from './live_peers.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const BINARY = process.env.SACCADE || join(ROOT, 'build/saccade');
const MEDIA = resolve(ROOT, '../shared/media');
const MODEL = join(MEDIA, 'yolox_nano.onnx');
const detects = existsSync(MODEL) && existsSync(join(ROOT, 'node_modules/onnxruntime-node'));

const ffmpeg = (...args) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args]);
const probe = (file, ...entries) => execFileSync('ffprobe', ['-v', 'error', '-of', 'csv=p=0', ...entries, file],
    { encoding: 'utf8' }).trim().split('\n').filter(Boolean);
const times = (file, stream) => probe(file, '-select_streams', stream, '-show_entries', 'packet=dts_time')
    .map(parseFloat);

let folder;
const path = (name) => join(folder, name);
before(async () => { folder = await makeFolder(); });
after(async () => {
    stopAll();
    await removeFolders();
});

// The program with its state: {last, ended, end()}; end() interrupts it and gives its last state.
function live(...args) {
    const child = spawn(BINARY, ['live', ...args, '--json'], { cwd: ROOT });
    const run = { last: {}, said: '' };
    run.ended = new Promise((done) => { child.once('exit', done); });
    child.stderr.on('data', (chunk) => { run.said += chunk; });
    let rest = '';
    child.stdout.on('data', (chunk) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop();
        if (lines.length) run.last = JSON.parse(lines.at(-1));
    });
    run.end = async () => {
        child.kill('SIGINT');
        assert.equal(await run.ended, 0, run.said);
        return run.last;
    };
    run.reach = (check, what) => until(() => check(run.last), `${what}; last: ${JSON.stringify(run.last)} ${run.said}`, 30000);
    run.more = async (count) => {
        const from = run.last.encoded;
        await run.reach((state) => state.encoded >= from + count, `${count} more pictures`);
    };
    return run;
}

// A camera; null where GStreamer's server is not installed.
async function startCamera(port, size = '320x240') {
    const camera = start('/usr/bin/python3', [join(import.meta.dirname, 'rtsp_server.py'), String(port), ...size.split('x')]);
    await until(() => /ready|missing|No such|ENOENT/.test(camera.said()), 'the camera');
    return /ready/.test(camera.said()) ? camera : null;
}

function assertPlays(file, size) {
    assert.deepEqual(probe(file, '-select_streams', 'v:0', '-show_entries', 'stream=width,height'), [size]);
    assert.equal(complaints(file), '');
    for (const stream of ['v:0', 'a:0']) {
        const list = times(file, stream);
        list.forEach((time, i) => assert.ok(!i || time > list[i - 1], `${file} ${stream}: ${list[i - 1]} -> ${time}`));
    }
}

// The ends of picture and sound, which is encoded anew: 1024 samples of 8000 a second.
function assertInStep(file) {
    const picture = times(file, 'v:0').at(-1), sound = times(file, 'a:0').at(-1);
    assert.ok(Math.abs(picture - sound) <= 0.128 + 0.04, `the picture ends at ${picture} s, the sound at ${sound} s`);
}

describe('a camera over RTSP to RTMP, HLS and a file', { skip: !hasRtmp() && 'nginx with libnginx-mod-rtmp is not installed' }, () => {
    test('stalls, dies, comes back with another size; a sink dies', { timeout: 120000 }, async (t) => {
        const port = await freePort(), sink = await freePort();
        let camera = await startCamera(port);
        if (!camera) return t.skip('no GStreamer RTSP server');
        let nginx = await startRtmp(folder, sink);
        const run = live(`rtsp://127.0.0.1:${port}/live`, `rtmp://127.0.0.1:${sink}/live/key`, path('hls/index.m3u8'), path('all.mp4'),
            ...(detects ? ['--model', MODEL, '--provider', 'cpu', '--threads', '1', '--track', '--overlay'] : []));
        await run.reach((state) => state.encoded > 25, 'pictures');

        execFileSync('kill', ['-STOP', String(camera.pid)]);
        await sleep(2500);
        execFileSync('kill', ['-CONT', String(camera.pid)]);
        await run.more(25);
        assert.equal(run.last.reconnects, 0); // a stall is no loss

        await camera.stop('SIGKILL');
        await run.reach((state) => state.state === 'reconnecting', 'the loss');
        camera = await startCamera(port, '160x128');
        await run.reach((state) => state.state === 'running' && state.width === 160, 'the smaller picture');
        await run.more(25);
        assert.ok(run.last.reconnects >= 1);

        await nginx.stop('SIGKILL');
        await run.reach((state) => state.outputs[0].state === 'waiting', 'the loss of the sink');
        const [, hls, file] = run.last.outputs.map((output) => output.frames);
        nginx = await startRtmp(folder, sink);
        await run.reach((state) => state.outputs[0].state === 'running' && state.outputs[0].retries > 0, 'the sink again');
        await run.more(25);
        assert.ok(run.last.outputs[1].frames > hls && run.last.outputs[2].frames > file);

        const last = await run.end();
        await nginx.stop();
        await camera.stop('SIGKILL');
        assert.equal(last.outputs[2].drops, 0);
        assert.equal(last.outputs[2].frames, last.encoded);
        assertPlays(path('all.mp4'), '320,240');
        assertInStep(path('all.mp4'));
        const list = path(existsSync(path('hls/index-video.m3u8')) ? 'hls/index-video.m3u8' : 'hls/index.m3u8');
        assert.match(await readFile(list, 'utf8'), /#EXT-X-ENDLIST/);
        assert.equal(complaints(list), '');
        const records = (await readdir(path('rec'))).map((name) => join(folder, 'rec', name))
            .filter((name) => times(name, 'v:0').length > 5);
        assert.ok(records.length >= 2, `${records.length} recordings`);
        for (const name of records) assert.deepEqual(probe(name, '-select_streams', 'v:0', '-show_entries', 'stream=width,height'), ['320,240']);
    });

    test('the same over UDP', { timeout: 60000 }, async (t) => {
        const port = await freePort();
        const camera = await startCamera(port);
        if (!camera) return t.skip('no GStreamer RTSP server');
        const run = live(`rtsp://127.0.0.1:${port}/live`, path('udp.mp4'), '--transport', 'udp');
        await run.reach((state) => state.encoded > 60, 'pictures');
        await run.end();
        await camera.stop('SIGKILL');
        assertPlays(path('udp.mp4'), '320,240');
        assertInStep(path('udp.mp4'));
    });
});

describe('a video that was taken with the phone held upright', () => {
    // A red picture with a blue corner at its left top, as coded; where the corner is when it is shown.
    for (const [turn, size, corner] of [['90', '120,160', 'left bottom'], ['180', '160,120', 'right bottom'], ['270', '120,160', 'right top']]) {
        test(`turned by ${turn} degrees, it leaves upright`, async () => {
            const coded = path('coded.mp4'), given = path(`given${turn}.mp4`), out = path(`out${turn}.mp4`);
            ffmpeg('-f', 'lavfi', '-i', 'color=red:size=160x120:rate=10:duration=1,drawbox=0:0:40:30:blue:fill', '-pix_fmt', 'yuv420p', coded);
            ffmpeg('-i', coded, '-c', 'copy', '-metadata:s:v', `rotate=${turn}`, given);
            const run = live(given, out);
            assert.equal(await run.ended, 0, run.said);
            assert.deepEqual(probe(out, '-show_entries', 'stream=width,height'), [size]);
            const [w, h] = size.split(',').map(Number);
            const picture = execFileSync('ffmpeg', ['-v', 'error', '-noautorotate', '-i', out, '-frames:v', '1', '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-']);
            const blue = (x, y) => picture[(y * w + x) * 3 + 2] > 128 && picture[(y * w + x) * 3] < 128;
            for (const place of ['left top', 'right top', 'left bottom', 'right bottom'])
                assert.equal(blue(place.startsWith('left') ? 8 : w - 8, place.endsWith('top') ? 8 : h - 8), place === corner, place);
        });
    }
});

describe('many streams of a server', () => {
    const STREAMS = '/api/v1/streams';
    let server;
    const api = (way, options) => fetch(server.url + way, options);
    const post = (spec) => api(STREAMS, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(spec) });
    const remove = (id) => api(`${STREAMS}/${id}`, { method: 'DELETE' });
    const holds = async () => ({
        threads: (await readdir(`/proc/${server.pid}/task`)).length, descriptors: (await readdir(`/proc/${server.pid}/fd`)).length });

    // Connections of fetch, which it keeps for a while, are the server's descriptors too.
    async function assertHolds(before) {
        let now;
        for (let i = 0; i < 100; i++, await sleep(100)) {
            now = await holds();
            if (now.threads <= before.threads && now.descriptors <= before.descriptors) return;
        }
        assert.fail(`${JSON.stringify(before)} -> ${JSON.stringify(now)}`);
    }

    before(async () => {
        await mkdir(path('files'));
        // Without WebRTC: GStreamer keeps threads of its own once it is loaded, whenever that is.
        server = await startServer(folder, '--streams-files', path('files'), '--streams-max', '25', '--no-webrtc');
        await Promise.all(Array.from({ length: 8 }, () => api(STREAMS))); // the connections are there
    });
    after(() => server.stop());

    test('twenty run at once, and leave nothing', { timeout: 120000 }, async (t) => {
        const before = await holds();
        const ids = Array.from({ length: 20 }, (_, i) => `one-of-${i}`);
        for (const id of ids) assert.equal((await post({ id, input: 'testsrc:size=640x360,rate=10', realtime: true })).status, 201);
        const encoded = async () => (await Promise.all(ids.map(async (id) =>
            (await (await api(`${STREAMS}/${id}/stats?once=true`)).json()).picture?.encoded ?? 0)));
        await until(async () => (await encoded()).every((count) => count > 5), 'pictures of all', 30000);
        const during = await holds();
        t.diagnostic(`${before.threads} threads before, ${during.threads} with twenty streams`);
        // One for each input, which waits for the world; few for all.
        assert.ok(during.threads - before.threads <= 20 + 10, JSON.stringify(during));
        await Promise.all(ids.map(async (id) => assert.equal((await remove(id)).status, 204)));
        await assertHolds(before);
    });

    test('five hundred that cannot work leave nothing', { timeout: 120000 }, async () => {
        const bad = [
            [(id) => ({ id, input: 'rtsp://127.0.0.1:1/x', outputs: ['rtmp://127.0.0.1:1/live/x'] }), 201],
            [(id) => ({ id, input: 'rtmp://127.0.0.1:1/live/x', outputs: ['x.ts'] }), 201],
            [(id) => ({ id, input: 'testsrc:size=320x180,rate=5', outputs: ['rtmp://127.0.0.1:1/live/x'] }), 201],
            [(id) => ({ id, input: 'testsrc:size=320x180', model: 'nobody' }), 404],
            [(id) => ({ id, input: 'testsrc:size=320x180', outputs: ['x.exe'] }), 400],
        ];
        let before; // once the server's own pool of threads and fetch's connections are there
        for (let i = 0; i < 500; i += 20) {
            if (i === 100) before = await holds();
            await Promise.all(Array.from({ length: 20 }, async (_, k) => {
                const [spec, status] = bad[(i + k) % bad.length], id = `bad-${i + k}`;
                const response = await post(spec(id));
                await response.text();
                assert.equal(response.status, status, id);
                if (status === 201) assert.equal((await remove(id)).status, 204);
            }));
        }
        assert.equal((await api('/metrics')).status, 200);
        assert.deepEqual((await (await api(STREAMS)).json()).streams, []);
        await assertHolds(before);
    });
});
