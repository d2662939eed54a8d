// Sound in step with the picture: white flashes and beeps that begin together at each second, measured in what
// comes out of a live stream, before and after its source was lost.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { FPS, makeClip, measure, RATE } from './flash_beep.mjs';
import { freePort, hasRtmp, start, startRtmp, stopAll, until } from './live_peers.mjs';
import { makeFolder, removeFolders } from './server.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const BINARY = process.env.SACCADE || join(ROOT, 'build/saccade');
const PIECE = 1024 / RATE; // of sound: what is passed on is cut there
const GONE_MS = 2700; // which makes the largest gap between two pictures, larger than those of pauses of the machine
const CLIP_S = 30; // far more than is looked at: what is sent in real time has begun when it is found again

let folder, clip, phone;
const path = (name) => join(folder, name);

const ms = (pairs) => pairs.map(({ flash, late }) => `${flash.toFixed(2)}: ${(late * 1000).toFixed(1)}`).join(', ');
const mean = (pairs) => pairs.reduce((sum, { late }) => sum + late, 0) / pairs.length;

before(async () => {
    folder = await makeFolder();
    clip = path('clip.mp4');
    makeClip(clip, CLIP_S);
    phone = path('phone.mov');
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', clip, '-c:v', 'copy', '-c:a', 'pcm_alaw', '-ar', '8000', phone]);
});
after(async () => { stopAll(); await removeFolders(); });

// The program with its state.
function live(...args) {
    const peer = start(BINARY, ['live', ...args, '--json'], { cwd: ROOT });
    const last = () => JSON.parse(peer.said().split('\n').slice(0, -1).filter((line) => line.startsWith('{')).at(-1) ?? '{}');
    const more = async (count) => {
        const from = last().encoded ?? 0;
        await until(() => last().encoded >= from + count, `${count} more pictures: ${peer.said().slice(-2000)}`, 30000);
    };
    const end = async () => { assert.equal(await peer.stop('SIGINT'), 0, peer.said()); };
    return { last, more, end };
}

// Before and after the loss, each beep is where it was in the source.
function assertInStep(t, from, file, least) {
    const source = mean(measure(from).pairs), got = measure(file);
    t.diagnostic(`source ${(source * 1000).toFixed(1)} ms; ${ms(got.pairs)}; a gap of ${got.gap.length.toFixed(2)} s at ${got.gap.at.toFixed(2)}`);
    for (const [part, pairs] of [['before', got.pairs.filter(({ flash }) => flash < got.gap.at)],
        ['after', got.pairs.filter(({ flash }) => flash > got.gap.at)]]) {
        assert.ok(pairs.length >= least, `${pairs.length} flashes ${part} the loss, ${JSON.stringify(got)}`);
        for (const { flash, late } of pairs)
            assert.ok(Math.abs(late - source) <= PIECE + 1 / FPS, `${part} the loss, the beep at ${flash} s is ${late - source} s off`);
    }
}

describe('flash and beep', () => {
    // What a container cannot hold is encoded anew, in pieces of 1024 samples of 8000 a second; it stays in its place.
    for (const [what, from, names, piece] of [['as it came', () => clip, ['copy.mp4', 'copy.mkv', 'copy.ts'], PIECE],
        ['encoded anew', () => phone, ['anew.mp4', 'anew.ts'], PIECE]])
        test(`from a file to a file, the sound ${what}`, (t) => {
            const source = measure(from());
            assert.ok(source.pairs.length >= CLIP_S - 2, JSON.stringify(source));
            execFileSync(BINARY, ['live', from(), ...names.map(path)], { cwd: ROOT, stdio: 'pipe' });
            for (const name of names) {
                const got = measure(path(name));
                t.diagnostic(`${name}: ${ms(got.pairs)}; the source ${(mean(source.pairs) * 1000).toFixed(1)} ms`);
                assert.ok(got.pairs.length >= CLIP_S - 2, JSON.stringify(got));
                for (const { flash, late } of got.pairs)
                    assert.ok(Math.abs(late - mean(source.pairs)) <= piece, `${name}: the beep at ${flash} s is ${late} s late`);
            }
        });

    for (const [sound, from] of [['AAC', () => clip], ['G.711', () => phone]]) {
        test(`over RTMP, with ${sound}, lost and found`, { timeout: 90000, skip: !hasRtmp() && 'nginx with libnginx-mod-rtmp is not installed' }, async (t) => {
            const out = path(`rtmp-${sound}.mp4`);
            const port = await freePort(), url = `rtmp://127.0.0.1:${port}/live/key`;
            const begin = async () => {
                const server = await startRtmp(folder, port);
                const sender = start('ffmpeg', ['-v', 'error', '-nostdin', '-re', '-i', from(), '-c', 'copy', '-f', 'flv', url]);
                return () => Promise.all([sender.stop('SIGKILL'), server.stop('SIGKILL')]);
            };
            let stop = await begin();
            const run = live(url, out);
            await run.more(7 * FPS);
            await stop();
            await until(() => run.last().state === 'reconnecting', 'the loss');
            await sleep(GONE_MS);
            stop = await begin();
            await until(() => run.last().state === 'running', 'the source again');
            await run.more(7 * FPS);
            await run.end();
            await stop();
            assertInStep(t, from(), out, 3);
        });
    }

    for (const transport of ['tcp', 'udp']) {
        test(`over RTSP by ${transport.toUpperCase()}, lost and found`, { timeout: 90000 }, async (t) => {
            const port = await freePort();
            const begin = async () => {
                const camera = start('/usr/bin/python3', [join(import.meta.dirname, 'rtsp_server.py'), String(port), '160', '120', '--clip', clip]);
                await until(() => /ready|missing|No such|ENOENT/.test(camera.said()), 'the camera');
                return /ready/.test(camera.said()) ? camera : null;
            };
            let camera = await begin();
            if (!camera) return t.skip('no GStreamer RTSP server');
            const out = path(`rtsp-${transport}.mp4`);
            const run = live(`rtsp://127.0.0.1:${port}/live`, out, '--transport', transport);
            await run.more(7 * FPS);
            await camera.stop('SIGKILL');
            await until(() => run.last().state === 'reconnecting', 'the loss');
            await sleep(GONE_MS);
            camera = await begin();
            await until(() => run.last().state === 'running', 'the camera again');
            await run.more(7 * FPS);
            await run.end();
            await camera.stop('SIGKILL');
            assertInStep(t, clip, out, 3);
        });
    }
});
