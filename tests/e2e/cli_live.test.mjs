// `saccade live` from a source to its outputs, with a real detector.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { makeFolder, removeFolders } from './server.mjs';

const BINARY = process.env.SACCADE || resolve(import.meta.dirname, '../../build/saccade');
const MEDIA = resolve(import.meta.dirname, '../../../shared/media');
const CLIP = join(MEDIA, 'bottle-detection.mp4');
const MODEL = join(MEDIA, 'yolox_nano.onnx');
const ROOT = resolve(import.meta.dirname, '../..');

let folder, short, sounding;
const path = (name) => join(folder, name);
const live = (...args) => spawnSync(BINARY, ['live', ...args],
    { cwd: ROOT, encoding: 'utf8', timeout: 60000 });
const ffmpeg = (...args) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args]);
const probe = (file, ...entries) => execFileSync('ffprobe',
    ['-v', 'error', '-of', 'csv=p=0', ...entries, file], { encoding: 'utf8' }).trim().split('\n').filter(Boolean);
const packets = (file, stream) => probe(file, '-select_streams', stream, '-show_entries', 'packet=pts_time,size')
    .map((line) => line.split(',').map(Number)).map(([time, size]) => ({ time, size }))
    .sort((a, b) => a.time - b.time);
const frames = (file) => Number(probe(file, '-count_frames', '-select_streams', 'v:0',
    '-show_entries', 'stream=nb_read_frames')[0]);
const size = (file) => probe(file, '-select_streams', 'v:0', '-show_entries', 'stream=width,height')[0];

function assertGood(result) {
    assert.equal(result.status, 0, result.stderr);
    return result;
}

function assertFails(result, status, pattern) {
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, pattern);
}

const freePort = () => new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        server.close(() => done(port));
    });
});

before(async () => {
    folder = await makeFolder();
    short = path('short.mp4');
    sounding = path('sounding.mp4');
    ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=4', '-c:v', 'libx264', '-preset', 'ultrafast',
        '-bf', '2', '-g', '25', '-pix_fmt', 'yuv420p', short);
    ffmpeg('-i', short, '-f', 'lavfi', '-i', 'sine=duration=4', '-c:v', 'copy', '-c:a', 'aac', '-shortest', sounding);
});
after(removeFolders);

describe('bad usage and bad input', () => {
    test('says what is wrong, and what to do', () => {
        assertFails(live(), 2, /INPUT is needed/);
        assertFails(live(short), 2, /OUTPUT is needed/);
        assertFails(live(short, path('o.mp4'), '--overlay'), 2, /--model is needed/);
        assertFails(live(short, path('o.mp4'), '--fps', '0'), 2, /--fps 0/);
        assertFails(live(short, path('o.mp4'), '--bitrate', '9'), 2, /--bitrate 9: such as/);
        assertFails(live(short, path('o.mp4'), '--size', '321x180'), 2, /--size 321x180/);
        assertFails(live(short, path('o.mp4'), '--camera', 'follow'), 2, /camera: follow has no value/);
        assertFails(live(short, path('o.mp4'), '--camera', 'fly=high'), 2, /no such key as fly/);
        assertFails(live(short, path('o.mp4'), '--tracker', 'eyes'), 2, /--tracker eyes/);
        assertFails(live('gopher://x/y', path('o.mp4')), 1, /gopher/);
        assertFails(live(path('none.mp4'), path('o.mp4')), 1, /none\.mp4/);
        assertFails(live(join(ROOT, 'README.md'), path('o.mp4')), 1, /README\.md/);
        assertFails(live(short, path('o.avi')), 1, /o\.avi/);
        assertFails(live(short, path('no/such/o.mp4')), 1, /no\/such\/o\.mp4.*make the folder first/);
        assertFails(live(short, path('o.mp4'), '--codec', 'libx999'), 1, /libx999/);
    });

    test('secrets of addresses are nowhere in what it says', async () => {
        const port = await freePort();
        const run = live('testsrc:size=320x180,rate=10,duration=1', `rtmp://127.0.0.1:${port}/live/topsecret`, '--json');
        assert.doesNotMatch(run.stdout + run.stderr, /topsecret/);
        assert.match(run.stdout, /rtmp:\/\/127/);
    });
});

describe('from a file to files', () => {
    test('keeps every picture and every piece of sound, in step', () => {
        const mp4 = path('copy.mp4'), mkv = path('copy.mkv');
        assertGood(live(sounding, mp4, mkv));
        const sound = packets(sounding, 'a:0'), picture = packets(sounding, 'v:0');
        for (const out of [mp4, mkv]) {
            assert.equal(frames(out), 100);
            const s = packets(out, 'a:0'), p = packets(out, 'v:0');
            // Sound from before the first picture is left out.
            assert.ok(s.length >= sound.length - 3 && s.length <= sound.length, `${s.length} of ${sound.length}`);
            const last = (list) => list[list.length - 1].time;
            const offset = (last(s) - last(p)) - (last(sound) - last(picture));
            assert.ok(Math.abs(offset) < 1024 / 44100, `sound is ${offset} s off`);
        }
    });

    test('changes size and rate, and stays playable', () => {
        const out = path('small.mp4');
        assertGood(live(short, out, '--size', '160x90', '--fps', '12.5', '--bitrate', '200k'));
        assert.equal(size(out), '160,90');
        assert.ok(Math.abs(frames(out) - 50) <= 1, `${frames(out)} pictures`);
    });

    test('one broken output does not harm the other', () => {
        const out = path('good.mp4');
        const run = assertGood(live(short, path('no/such/bad.mp4'), out));
        assert.match(run.stderr, /bad\.mp4: failed/);
        assert.equal(frames(out), 100);
    });

    test('makes HLS that plays from start to end', async () => {
        assertGood(live(sounding, path('hls/index.m3u8')));
        const list = await readFile(path('hls/index.m3u8'), 'utf8');
        assert.match(list, /#EXT-X-ENDLIST/);
        assert.equal(frames(path('hls/index.m3u8')), 100);
    });

    test('tells how it goes as JSON lines', () => {
        const run = assertGood(live(short, path('j.mp4'), '--json'));
        const states = run.stdout.trim().split('\n').map((line) => JSON.parse(line));
        const last = states[states.length - 1];
        assert.equal(last.state, 'ended');
        assert.equal(last.frames, 100);
        assert.equal(last.encoded, 100);
        assert.deepEqual([last.outputs[0].state, last.outputs[0].frames], ['done', 100]);
    });

    test('writes a trace that is JSON', async () => {
        assertGood(live(short, path('t.mp4'), '--trace', path('trace.json')));
        const trace = JSON.parse(await readFile(path('trace.json'), 'utf8'));
        const names = new Set((trace.traceEvents ?? trace).map((e) => e.name));
        assert.ok([...names].some((n) => /push|decode|encode/.test(n)), [...names].join());
    });
});

describe('in real time', () => {
    test('ends well when it is interrupted', async () => {
        const out = path('cut.mp4');
        const child = spawn(BINARY, ['live', 'testsrc:size=320x180,rate=25', out, '--realtime', '--json'], { cwd: ROOT });
        let stdout = '', told = false;
        child.stdout.on('data', (data) => {
            stdout += data;
            if (!told && /"encoded":[1-9]\d/.test(stdout.trim().split('\n').pop()))
                told = child.kill('SIGINT'); // a second one would end it at once
        });
        const status = await new Promise((done) => child.on('close', done)); // all is read then
        assert.equal(status, 0);
        const last = JSON.parse(stdout.trim().split('\n').pop());
        assert.equal(last.state, 'ended');
        assert.equal(frames(out), last.encoded);
    });

    test('makes HLS of even segments', async () => {
        assertGood(live('testsrc:size=320x180,rate=30,duration=5', path('even/index.m3u8'), '--realtime'));
        const list = await readFile(path('even/index.m3u8'), 'utf8');
        const lengths = [...list.matchAll(/#EXTINF:([\d.]+)/g)].map(([, length]) => Number(length));
        assert.equal(lengths.length, 5, list);
        for (const length of lengths.slice(0, -1)) assert.ok(Math.abs(length - 1) < 0.07, list);
    });

    test('goes to a player over SRT, and comes back when the player does', { timeout: 60000 }, async () => {
        const port = await freePort();
        const child = spawn(BINARY, ['live', 'testsrc:size=320x180,rate=25', `srt://127.0.0.1:${port}`, '--json'],
            { cwd: ROOT });
        let stdout = '';
        child.stdout.on('data', (data) => { stdout += data; });
        for (let round = 0; round < 2; round++)
            assert.ok(frames2(port, path(`srt${round}.ts`)) > 20);
        child.kill('SIGINT');
        await new Promise((done) => child.on('close', done));
        const last = JSON.parse(stdout.trim().split('\n').pop());
        assert.ok(last.outputs[0].retries >= 1, JSON.stringify(last));

        function frames2(at, file) {
            ffmpeg('-i', `srt://127.0.0.1:${at}?mode=listener`, '-t', '2', '-c', 'copy', file);
            return packets(file, 'v:0').length;
        }
    });
});

const absent = !existsSync(MODEL) || !existsSync(CLIP) ? 'the clips are not here'
    : !existsSync(join(ROOT, 'node_modules/onnxruntime-node')) && 'ONNX Runtime is not installed';

describe('with YOLOX-nano', { skip: absent }, () => {
    test('finds the bottles, keeps their ids, and draws them', async () => {
        const clip = path('bottles.mp4'), out = path('boxes.mp4'), lines = path('boxes.jsonl');
        ffmpeg('-ss', '8', '-t', '4', '-i', CLIP, '-an', '-c:v', 'libx264', '-preset', 'ultrafast', clip);
        assertGood(live(clip, out, '--model', MODEL, '--provider', 'cpu', '--track', '--overlay', '--lines', lines));
        const rows = (await readFile(lines, 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
        assert.equal(rows.length, frames(clip));
        assert.equal(frames(out), rows.length);
        assert.equal(rows[0].t, 0);
        rows.forEach((row, i) => assert.equal(row.n, i));
        const ids = new Set(rows.flatMap((row) => row.detections.filter((d) => d.label === 'bottle').map((d) => d.track)));
        ids.delete(undefined);
        assert.ok(ids.size >= 1 && ids.size <= 4, `${ids.size} ids`);
        assert.ok((await stat(out)).size > 10000);
    });

    test('the camera gives the shape that was asked for', () => {
        const clip = path('bottles.mp4'), out = path('tall.mp4');
        assertGood(live(clip, out, '--model', MODEL, '--provider', 'cpu', '--camera', 'follow=bottle,aspect=9:16'));
        const [w, h] = size(out).split(',').map(Number);
        assert.ok(Math.abs(w / h - 9 / 16) < 0.01, `${w}x${h}`);
        assert.equal(frames(out), frames(clip));
        assertFails(live(clip, out, '--model', MODEL, '--camera', 'follow=unicorn'), 1, /no class unicorn/);
    });

    test('HLS carries the detections as timed text', async () => {
        assertGood(live(path('bottles.mp4'), path('cues/index.m3u8'), '--model', MODEL, '--provider', 'cpu'));
        const texts = (await readdir(path('cues'))).filter((name) => name.endsWith('.vtt'));
        const cues = (await Promise.all(texts.map((name) => readFile(join(path('cues'), name), 'utf8')))).join('\n');
        assert.match(cues, /"label":"bottle"/);
    });
});
