// `saccade demo --once`: what a newcomer sees first.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '../..');
const BINARY = process.env.SACCADE || resolve(ROOT, 'build/saccade');
const skip = !existsSync(resolve(ROOT, 'node_modules/onnxruntime-node')) && 'ONNX Runtime is not installed';

test('the demo finds frames, players, and a live stream with both', { skip }, () => {
    const run = spawnSync(BINARY, ['demo', '--once', '--seconds', '2', '--json'],
        { cwd: ROOT, encoding: 'utf8', timeout: 120000 });
    assert.equal(run.status, 0, run.stderr);
    const lines = run.stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.filter(({ result }) => result === 'exact').length, 12);
    assert.equal(lines.filter(({ found }) => found > 15).length, 8);
    const { stream, detected, objects, latency_ms: latency } = lines.at(-1);
    assert.equal(stream, 'match-live');
    assert.ok(detected > 0 && objects > 0 && latency > 0, JSON.stringify(lines.at(-1)));
});
