// YOLOX-nano on two real clips: what sc_model finds is what an independent reference finds.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { iou, reference } from './yolox.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const MEDIA = path.resolve(ROOT, '../shared/media');
const BUILD = path.dirname(process.env.SACCADE ?? path.join(ROOT, 'build/saccade'));
const HELPER = path.join(BUILD, 'tests/vision/detect-frames');
const MODEL = path.join(MEDIA, 'yolox_nano.onnx');

const THRESHOLD = 0.3, NEAR = 0.02, IOU = 0.95;
const CLIPS = [
    { name: 'car-detection.mp4', width: 768, height: 432, frames: 377, least: 6 },
    { name: 'bottle-detection.mp4', width: 640, height: 360, frames: 1189, least: 12 },
];

function missing() {
    if (!existsSync(path.join(ROOT, 'node_modules/onnxruntime-node')))
        return 'onnxruntime-node is not installed (npm ci)';
    if (!existsSync(MODEL))
        return `${MODEL} is not there`;
    if (!existsSync(HELPER))
        return `${HELPER} is not built`;
    return spawnSync('ffmpeg', ['-version']).status === 0 ? false : 'ffmpeg is not installed';
}

function ours(file, numbers, batch) {
    const run = spawnSync(HELPER, [MODEL, file, numbers.join(','), String(batch)],
        { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 28 });
    assert.equal(run.status, 0, run.stderr);
    return run.stdout.trim().split('\n').map((line) => JSON.parse(line));
}

// Objects of `left` that nothing in `right` answers to; those near the threshold may go without.
function unanswered(left, right) {
    return left.filter((o) => o.score >= THRESHOLD + NEAR &&
        !right.some((p) => p.class === o.class && Math.abs(p.score - o.score) <= NEAR &&
            iou(o.box, p.box) >= IOU));
}

for (const clip of CLIPS) {
    test(`YOLOX-nano finds the same in ${clip.name}`, { skip: missing() }, async () => {
        const file = path.join(MEDIA, clip.name);
        const numbers = Array.from({ length: 16 }, (_, i) => Math.floor(i * (clip.frames - 1) / 15));
        const wanted = await reference(MODEL, file, numbers, clip.width, clip.height, 0.05);
        const got = ours(file, numbers, 1);
        let objects = 0;
        for (const [i, n] of numbers.entries()) {
            assert.deepEqual([got[i].n, got[i].width, got[i].height], [n, clip.width, clip.height]);
            assert.deepEqual(unanswered(wanted[i], got[i].detections), [], `missed in frame ${n}`);
            assert.deepEqual(unanswered(got[i].detections, wanted[i]), [], `invented in frame ${n}`);
            objects += wanted[i].filter((o) => o.score >= THRESHOLD).length;
        }
        assert.ok(objects >= clip.least, `only ${objects} objects: the clip tests nothing`);
        // Several pictures a call give the same as one by one.
        assert.deepEqual(ours(file, numbers, 5), got);
    });
}
