// `saccade detect` with a real detector: lines that programs read, and videos with boxes.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { makeFolder, removeFolders } from './server.mjs';

const BINARY = process.env.SACCADE || resolve(import.meta.dirname, '../../build/saccade');
const MEDIA = resolve(import.meta.dirname, '../../../shared/media');
const CLIP = join(MEDIA, 'bottle-detection.mp4');
const MODEL = join(MEDIA, 'yolox_nano.onnx');
const ROOT = resolve(import.meta.dirname, '../..');

let folder;
const run = (command, ...args) => spawnSync(BINARY, [command, ...args],
    { cwd: ROOT, encoding: 'utf8', env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') } });
const detect = (...args) => run('detect', ...args);
const good = (...args) => detect(CLIP, '--model', MODEL, '--provider', 'cpu', ...args);
const lines = (text) => text.trim().split('\n').map((line) => JSON.parse(line));

function assertFails(result, status, pattern) {
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, pattern);
    assert.equal(result.stdout, '');
}

const probe = (path, ...entries) => execFileSync('ffprobe',
    ['-v', 'error', '-of', 'csv=p=0', ...entries, path], { encoding: 'utf8' }).trim().split('\n').filter(Boolean);
const times = (path) => probe(path, '-select_streams', 'v', '-show_entries', 'frame=pts_time')
    .map((text) => parseFloat(text));
const sounds = (path) => probe(path, '-select_streams', 'a', '-show_entries', 'packet=pts_time,size');

before(async () => { folder = await makeFolder(); });
after(removeFolders);

describe('bad usage and bad input', () => {
    test('says what is wrong', () => {
        assertFails(detect(CLIP), 2, /--model/);
        assertFails(detect('--model', MODEL), 2, /exactly one FILE/);
        assertFails(detect(CLIP, '--model', MODEL, '--threshold', '7'), 2, /--threshold 7/);
        assertFails(detect(CLIP, '--model', MODEL, '--provider', 'abacus'), 2, /abacus/);
        assertFails(detect(CLIP, '--model', MODEL, '--every', '0'), 2, /--every 0/);
        assertFails(detect(CLIP, '--model', MODEL, '--frames', '1', '--every', '2'), 2, /--frames/);
        assertFails(detect(CLIP, '--model', MODEL, '--tracker', 'deep'), 2, /--tracker deep: must be bytetrack/);
        assertFails(detect(CLIP, '--model', MODEL, '-o', 'x.avi'), 2, /x\.avi: must end in/);
        assertFails(detect(CLIP, '--model', join(folder, 'none.onnx')), 1, /none\.onnx: No such file/);
        assertFails(detect(join(folder, 'none.mp4'), '--model', MODEL), 1, /none\.mp4/);
        assertFails(detect(MODEL, '--model', MODEL), 1, /not a video/);
        assertFails(detect(CLIP, '--model', MODEL, '--frames', '1,x'), 1, /--frames 1,x/);
        assertFails(detect(CLIP, '--model', MODEL, '--frames', '999999'), 1, /no frame 999999/);
        assertFails(detect(CLIP, '--model', MODEL, '--from', '9999'), 1, /beyond the end/);
    });
});

const absent = !existsSync(MODEL) || !existsSync(CLIP) ? 'the clips are not here'
    : !existsSync(join(ROOT, 'node_modules/onnxruntime-node')) && 'ONNX Runtime is not installed';

describe('with YOLOX-nano', { skip: absent }, () => {
    test('JSON lines have the promised fields', () => {
        const result = good('--frames', '0,20,40', '--json');
        assert.equal(result.status, 0, result.stderr);
        const frames = lines(result.stdout);
        assert.deepEqual(frames.map((frame) => frame.n), [0, 20, 40]);
        for (const frame of frames) {
            assert.deepEqual(Object.keys(frame), ['n', 't', 'width', 'height', 'model', 'detections']);
            assert.equal(frame.model, 'yolox_nano');
            assert.equal(frame.detections.length, 3);
            for (const d of frame.detections) {
                assert.equal(d.label, 'bottle');
                assert.equal(d.class, 39);
                assert.ok(d.score > 0.8 && d.score <= 1);
                const [x1, y1, x2, y2] = d.box;
                assert.ok(x1 >= 0 && x1 < x2 && x2 <= frame.width && y1 >= 0 && y1 < y2 && y2 <= frame.height);
            }
        }
        assert.match(result.stderr, /3 frames, 9 objects .* CPUExecutionProvider/);
    });

    test('every, from, to, class, threshold and CSV', async () => {
        const path = join(folder, 'out.csv');
        const result = good('--every', '5', '--from', '0.5', '--to', '1.5', '--class', 'bottle', '-o', path);
        assert.equal(result.status, 0, result.stderr);
        const [header, ...rows] = (await readFile(path, 'utf8')).trim().split('\n');
        assert.equal(header, 'n,t,class,label,score,x1,y1,x2,y2');
        const numbers = [...new Set(rows.map((row) => Number(row.split(',')[0])))];
        assert.ok(numbers.length > 4);
        numbers.forEach((n, i) => assert.equal(n, numbers[0] + 5 * i));
        assert.ok(rows.every((row) => row.split(',').length === 9));
        assert.equal(good('--frames', '0', '--class', 'person', '--csv').stdout.trim(), header);
        assert.equal(lines(good('--frames', '0', '--threshold', '1').stdout)[0].detections.length, 0);
        assertFails(good('--frames', '0', '--class', 'unicorn'), 1, /no such class/);
        assertFails(good('--frames', '0', '-o', '/nonexistent/x.jsonl'), 1, /nonexistent/);
        assertFails(good('--frames', '0', '-o', CLIP), 1, /the video itself/);
    });

    test('objects have ids that stay', () => {
        for (const tracker of [['--track'], ['--tracker', 'ocsort']]) {
            const result = good('--to', '1.2', ...tracker);
            assert.equal(result.status, 0, result.stderr);
            const frames = lines(result.stdout);
            assert.ok(frames.length > 20);
            const centre = ({ box }) => (box[0] + box[2]) / 2;
            const ids = (frame) => frame.detections.filter((d) => d.score > 0.6)
                .sort((a, b) => centre(a) - centre(b)).map((d) => d.track);
            assert.deepEqual([...ids(frames[0])].sort(), [1, 2, 3]);
            for (const frame of frames) // the three bottles stand side by side
                assert.deepEqual(ids(frame), ids(frames[0]), `frame ${frame.n}`);
            assert.match(result.stderr, /, \d+ tracks in /);
        }
        assert.ok(lines(good('--frames', '0,1').stdout).every((frame) => frame.detections.every((d) => !('track' in d))));
        const [header, ...rows] = good('--frames', '0-5', '--track', '--csv').stdout.trim().split('\n');
        assert.equal(header, 'n,t,class,label,score,x1,y1,x2,y2,track');
        assert.ok(rows.length >= 18 && rows.every((row) => /^(.*,){9}[123]$/.test(row)));
    });

    test('one run and another agree, however the frames were reached', () => {
        const apart = lines(good('--frames', '7,3').stdout);
        const along = lines(good('--to', '0.4').stdout);
        assert.deepEqual(apart, [along[7], along[3]]);
    });

    test('labels of the user', async () => {
        const path = join(folder, 'labels.txt');
        await writeFile(path, Array.from({ length: 80 }, (_, i) => `thing ${i}`).join('\n'));
        assert.equal(lines(good('--frames', '0', '--labels', path).stdout)[0].detections[0].label, 'thing 39');
        await writeFile(path, 'one\ntwo\n');
        assertFails(good('--frames', '0', '--labels', path), 1, /label/);
    });

    test('what lies beside a model counts where no flag does', async () => {
        const path = join(folder, 'own.onnx'), settings = join(folder, 'own.json');
        const own = (...args) => detect(CLIP, '--model', path, '--provider', 'cpu', '--frames', '0', ...args);
        await copyFile(MODEL, path);
        await writeFile(join(folder, 'own.labels'), Array.from({ length: 80 }, (_, i) => `own ${i}`).join('\n'));
        await writeFile(settings, '{"threshold": 0.999}');
        assert.equal(lines(own('--json').stdout)[0].detections.length, 0);
        assert.equal(lines(own('--threshold', '0.8').stdout)[0].detections.length, 3);
        await writeFile(settings, '{"size": 416}');
        const [{ detections }] = lines(own().stdout);
        assert.deepEqual(detections.map((d) => d.label), ['own 39', 'own 39', 'own 39']);
        const labels = join(folder, 'flag.labels');
        await writeFile(labels, Array.from({ length: 80 }, (_, i) => `flag ${i}`).join('\n'));
        assert.equal(lines(own('--labels', labels).stdout)[0].detections[0].label, 'flag 39');
        await writeFile(settings, '{"treshold": 0.5}');
        assertFails(own(), 1, /own\.json: .*treshold/);
    });

    test('a video keeps times, sound and view, and has boxes', () => {
        const source = join(folder, 'source.mp4');
        // Uneven times, turned by 90 degrees.
        execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', CLIP, '-f', 'lavfi', '-i', 'sine=r=48000:d=2', '-t', '2',
            '-vf', "scale=320:180,transpose=2,select='not(eq(mod(n,5),2))'", '-vsync', 'vfr', '-c:v', 'libx264',
            '-threads', '1', '-c:a', 'aac', join(folder, 'flat.mp4')]);
        execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', join(folder, 'flat.mp4'), '-c', 'copy',
            '-metadata:s:v', 'rotate=270', source]);
        const expected = JSON.parse(run('probe', source, '--json').stdout);
        assert.notEqual(expected.rotation, 0);
        const out = join(folder, 'boxes.mp4');
        const result = detect(source, '--model', MODEL, '--provider', 'cpu', '-o', out, '--json');
        assert.equal(result.status, 0, result.stderr);
        assert.equal(lines(result.stdout).length, expected.frames);
        const got = JSON.parse(run('probe', out, '--json').stdout);
        for (const key of ['frames', 'rotation', 'display_width', 'display_height', 'audio'])
            assert.equal(got[key], expected[key], key);
        const [a, b] = [times(source), times(out)];
        assert.equal(a.length, b.length);
        a.forEach((t, i) => assert.ok(Math.abs(t - a[0] - (b[i] - b[0])) < 0.001, `frame ${i}: ${t} and ${b[i]}`));
        assert.deepEqual(sounds(out), sounds(source));
        // The drawn label is of one colour: the frames differ much from what was there.
        const psnr = spawnSync('ffmpeg', ['-i', source, '-i', out, '-lavfi', 'psnr', '-f', 'null', '-'], { encoding: 'utf8' });
        const average = parseFloat(/average:([\d.]+)/.exec(psnr.stderr)[1]);
        assert.ok(average > 10 && average < 30, `PSNR ${average}`);
    });

    test('a signal leaves a playable file', async () => {
        const out = join(folder, 'stopped.mp4');
        const child = spawn(BINARY, ['detect', join(MEDIA, 'car-detection.mp4'), '--model', MODEL, '--provider', 'cpu',
            '-o', out, '--json'], { cwd: ROOT });
        let said = '', errors = '';
        const gone = new Promise((done) => { child.once('close', done); }); // all is read then
        child.stderr.on('data', (chunk) => { errors += chunk; });
        await new Promise((done) => child.stdout.on('data', (chunk) => {
            said += chunk;
            if (said.split('\n').length > 5) done();
        }));
        child.kill('SIGINT');
        const asked = Date.now();
        assert.equal(await gone, 1);
        assert.ok(Date.now() - asked < 20000); // it does not finish all that was decoded
        assert.match(errors, /interrupted after \d+ of 377 frames/);
        const frames = Number(/interrupted after (\d+)/.exec(errors)[1]);
        assert.ok(frames >= 5 && frames < 200);
        assert.equal(times(out).length, frames);
    });

    test('a full disk is an error', () => {
        assertFails(good('--frames', '0', '--json', '-o', '/dev/full'), 1, /No space left/);
        assert.ok(existsSync('/dev/full')); // what is no file is not removed
    });

    test('a picture of a frame with boxes', async () => {
        const [plain, boxes] = [join(folder, 'plain.png'), join(folder, 'boxes.png')];
        assert.equal(run('frame', CLIP, '-n', '20', '-o', plain).status, 0);
        const result = run('frame', CLIP, '-n', '20', '--model', MODEL, '--provider', 'cpu', '-o', boxes);
        assert.equal(result.status, 0, result.stderr);
        assert.match(result.stderr, /frame 20: 3 objects/);
        assert.notDeepEqual(await readFile(plain), await readFile(boxes));
        assertFails(run('frame', CLIP, '--hash', '--model', MODEL), 2, /--hash/);
    });
});

const none = !existsSync(join(ROOT, 'node_modules/onnxruntime-node')) && 'ONNX Runtime is not installed';

test('the detector that comes along has its threshold beside it', { skip: none }, () => {
    const pitch = (...args) => {
        const result = run('detect', clip, '--model', 'pitch', '--provider', 'cpu', '--frames', '0,14', ...args);
        assert.equal(result.status, 0, result.stderr);
        return lines(result.stdout).flatMap((frame) => frame.detections);
    };
    const clip = join(folder, 'match.mp4');
    const { threshold } = JSON.parse(readFileSync(join(ROOT, 'models/pitch/pitch.json'), 'utf8'));
    const made = run('live', 'testsrc:size=1280x720,duration=0.6', clip);
    assert.equal(made.status, 0, made.stderr);
    const all = pitch('--threshold', '0.05');
    const wanted = all.filter(({ score }) => score >= threshold);
    assert.ok(wanted.length > 10 && wanted.length < all.length, `${wanted.length} of ${all.length}`);
    assert.deepEqual(pitch(), wanted);
});
