// `saccade doctor`: what it finds of ONNX Runtime, with and without one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';

const SACCADE = path.resolve(process.env.SACCADE ?? 'build/saccade');

function doctor(t, args = [], program = SACCADE) {
    const folder = mkdtempSync(path.join(tmpdir(), 'saccade-doctor-'));
    t.after(() => rmSync(folder, { recursive: true }));
    if (program !== SACCADE) {
        copyFileSync(SACCADE, path.join(folder, program));
        program = path.join(folder, program);
    }
    const { stdout } = spawnSync(program, ['doctor', '--data-dir', folder, ...args],
                                 { cwd: folder, encoding: 'utf8' });
    return stdout;
}

test('says which ONNX Runtime there is and what runs models', (t) => {
    const out = doctor(t);
    if (/^-- +ONNX Runtime/m.test(out)) return t.skip('no ONNX Runtime: npm ci brings it');
    assert.match(out, /^ok +ONNX Runtime +1\.\d+\.\d+, \/.*libonnxruntime/m);
    assert.match(out, /^ok +compiled in .*CPU/m);
    assert.match(out, /^(ok|!!) +detection +runs on (cpu|cuda|tensorrt|webgpu) \(.+\)$/m);
});

test('says how to get one where there is none', (t) => {
    const out = doctor(t, [], 'alone');
    if (/^ok +ONNX Runtime/m.test(out)) return t.skip('the system has an ONNX Runtime');
    assert.match(out, /^-- +ONNX Runtime +none/m);
    assert.match(out, /npm ci.*models-library/);
});

test('a library that is none wants attention', (t) => {
    const out = doctor(t, ['--models-library', 'libc.so.6']);
    assert.match(out, /^!! +ONNX Runtime/m);
    assert.match(out, /libc\.so\.6 is not ONNX Runtime/);
    assert.match(out, /some things want attention/);
});
