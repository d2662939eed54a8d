// Live outputs with real programs at the other end: what is sent arrives, whole and in time, and comes back
// after they were gone.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execFileSync } from 'node:child_process';

import { launch, openTab } from './browser.mjs';
import { bound, complaints, framesIn, freePort, has, hasRtmp, probe, start, startRtmp, stopAll, until } from './live_peers.mjs';
import { makeFolder, removeFolders } from './server.mjs';

const BINARY = process.env.SACCADE || resolve(import.meta.dirname, '../../build/saccade');
const PUSH = join(dirname(BINARY), 'tests/media/live-push');
const HLS_JS = resolve(import.meta.dirname, '../../node_modules/hls.js/dist/hls.min.js');

let folder;
before(async () => { folder = await makeFolder(); });
after(async () => { stopAll(); await removeFolders(); });

// Sends to the addresses; {ended, states()}: the last state of each. enough(check) ends it as its last picture does,
// once check(states()) holds: how long a peer takes to be there is its machine's affair.
function push(...args) {
    const run = start(PUSH, args);
    const states = () => run.said().split('\n').slice(0, -1).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
        .reduce((last, line) => { last[line.output] = line; return last; }, []);
    const enough = async (check, what) => {
        await until(() => check(states()), what, 40000);
        return run.stop('SIGINT');
    };
    return { ...run, states, enough };
}
const ENDLESS = 'frames=5000';
const some = (states) => states.length && states.every(({ frames }) => frames >= 25);

function hasGstServer() {
    try {
        execFileSync('/usr/bin/python3', ['-c',
            'import gi; gi.require_version("GstRtspServer", "1.0"); from gi.repository import GstRtspServer']);
        return true;
    } catch {
        return false;
    }
}

const absent = !existsSync(PUSH) && 'the build has no tests';

describe('peers get everything', { skip: absent, concurrency: true }, () => {
    test('SRT to srt-live-transmit', { skip: !has('srt-live-transmit') && 'srt-live-transmit is not installed' }, async () => {
        const port = await freePort(), path = join(folder, 'srt.ts');
        const peer = start('sh', ['-c', `exec srt-live-transmit -q 'srt://:${port}?mode=listener' file://con > ${path}`]);
        await bound(port, 'udp', 'the relay');
        const run = push('frames=50', 'sound', `srt://127.0.0.1:${port}?passphrase=verysecret&pbkeylen=16`);
        await run.ended;
        assert.notEqual(run.states()[0].state, 'done', 'a wrong pass phrase must not do');
        assert.doesNotMatch(run.said(), /verysecret/);
        const again = push(ENDLESS, 'sound', `srt://127.0.0.1:${port}`);
        await again.enough(some, 'pictures');
        assert.equal(again.states()[0].state, 'done', again.said());
        await until(() => framesIn(path) >= again.states()[0].frames, 'all pictures in the file');
        await peer.stop();
        const got = probe(path);
        assert.equal(got.frames, again.states()[0].frames);
        assert.equal(got.sounds, again.states()[0].sounds);
        assert.ok(Math.abs(got.late) < 0.022, `sound is ${got.late} s late`);
        assert.equal(complaints(path), '');
    });

    test('RTSP to GStreamer', { skip: !hasGstServer() && 'gst-rtsp-server is not installed' }, async () => {
        const port = await freePort(), path = join(folder, 'gst.mkv');
        const peer = start('/usr/bin/python3', [join(import.meta.dirname, 'rtsp_record.py'), String(port), path]);
        await until(() => /ready/.test(peer.said()), 'the RTSP server');
        const run = push(ENDLESS, `rtsp://127.0.0.1:${port}/live`);
        await run.enough(some, 'pictures');
        assert.equal(run.states()[0].state, 'done', run.said());
        const { frames } = run.states()[0];
        // GStreamer may keep the last one for the beginning of the next, which does not come.
        await until(() => [frames - 1, frames].includes(framesIn(path)), 'all pictures in the file');
        await peer.stop('SIGKILL');
        assert.equal(complaints(path), '');
    });

    test('RTSP with sound, and UDP, to ffmpeg', async () => {
        const port = await freePort(), udp = await freePort();
        const paths = [join(folder, 'rtsp.mkv'), join(folder, 'udp.ts')];
        const peers = [
            start('ffmpeg', ['-v', 'error', '-y', '-rtsp_flags', 'listen', '-i', `rtsp://127.0.0.1:${port}/live`, '-c', 'copy', paths[0]]),
            start('ffmpeg', ['-v', 'error', '-y', '-analyzeduration', '500000', '-i', `udp://127.0.0.1:${udp}?timeout=6000000`,
                '-c', 'copy', paths[1]]),
        ];
        await Promise.all([bound(port, 'tcp', 'ffmpeg'), bound(udp, 'udp', 'ffmpeg')]);
        const run = push(ENDLESS, 'sound', `rtsp://127.0.0.1:${port}/live`, `udp://127.0.0.1:${udp}`);
        await run.enough(some, 'pictures');
        await Promise.all(peers.map((peer) => peer.ended));
        run.states().forEach((state, i) => {
            const got = probe(paths[i]);
            assert.equal(state.state, 'done', state.reason);
            assert.equal(got.frames, state.frames);
            assert.ok(Math.abs(got.sounds - state.sounds) <= 1);
            assert.ok(Math.abs(got.late) < 0.022, `sound is ${got.late} s late`);
        });
    });
});

describe('a peer that goes away', { skip: absent || (!hasRtmp() && 'nginx with libnginx-mod-rtmp is not installed') }, () => {
    test('is met again, and the file beside it misses nothing', async () => {
        const port = await freePort(), path = join(folder, 'beside.mp4');
        let peer = await startRtmp(folder, port);
        const run = push(ENDLESS, 'sound', 'gop=50', `rtmp://127.0.0.1:${port}/live/SECRET`, path);
        await until(() => run.states()[0]?.frames > 30, 'the first pictures');
        await peer.stop('SIGKILL');
        await until(() => run.states()[0].state === 'waiting', 'the loss');
        const { frames } = run.states()[0];
        const recorded = () => readdirSync(join(folder, 'rec')).map((name) => join(folder, 'rec', name)).filter(framesIn);
        peer = await startRtmp(folder, port);
        await run.enough(([rtmp]) => rtmp.frames > frames + 25, 'pictures again');
        await until(() => recorded().length >= 2 && framesIn(recorded().sort().at(-1)) > 20, 'pictures in the file of the second');
        await peer.stop();
        const [rtmp, file] = run.states();
        assert.equal(rtmp.state, 'done', rtmp.reason);
        assert.ok(rtmp.retries >= 1 && rtmp.drops > 0, run.said());
        assert.doesNotMatch(run.said(), /SECRET/);
        assert.equal(rtmp.frames + rtmp.drops, file.frames);
        assert.equal(file.drops, 0);
        assert.equal(probe(path).frames, file.frames);
        const records = recorded();
        const last = probe(records.sort().at(-1));
        assert.ok(last.frames > 20 && last.sounds > 20, JSON.stringify(last));
        assert.ok(Math.abs(last.late) < 0.023, `sound is ${last.late} s late`);
        for (const name of records) assert.doesNotMatch(complaints(name), /missing|error|corrupt/i); // starts at keyframes
    });
});

const TYPES = { m3u8: 'application/vnd.apple.mpegurl', m4s: 'video/iso.segment', mp4: 'video/mp4', vtt: 'text/vtt', js: 'text/javascript', html: 'text/html' };
const PAGE = `<!doctype html><title>hls</title><link rel="icon" href="data:,"><video muted playsinline></video>
<script src="/hls.min.js"></script><script>
const given = Object.fromEntries(new URLSearchParams(location.search).entries().map(([key, value]) => [key, JSON.parse(value)]));
const video = document.querySelector('video'), hls = new Hls(given);
window.seen = { errors: [], trouble: [], parts: 0, segments: 0, hls };
hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) seen.errors.push(data.details); else seen.trouble.push(data.details); });
hls.on(Hls.Events.FRAG_LOADED, (_, { part }) => { seen[part ? 'parts' : 'segments']++; });
video.textTracks.onaddtrack = ({ track }) => { track.mode = 'hidden'; }; // loaded, not shown
hls.loadSource('/live/index.m3u8');
hls.attachMedia(video);
hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
</script>`;

// The folder over HTTP, and the page that plays it.
function serve(root) {
    const server = createServer(async (request, response) => {
        const path = new URL(request.url, 'http://x').pathname;
        try {
            const body = path === '/' ? PAGE : await readFile(path === '/hls.min.js' ? HLS_JS : join(root, path));
            response.writeHead(200, { 'Content-Type': TYPES[path.split('.').at(-1)] || 'text/html', 'Cache-Control': 'no-store' });
            response.end(body);
        } catch {
            response.writeHead(404).end();
        }
    });
    return new Promise((done) => { server.listen(0, '127.0.0.1', () => done(server)); });
}

const readText = (path) => readFileSync(path, 'utf8');
const noBrowser = absent || (!existsSync(process.env.CHROMIUM || '/usr/bin/chromium') && 'Chromium is not installed')
    || (!existsSync(HLS_JS) && 'hls.js is not installed');

describe('HLS', { skip: noBrowser }, () => {
    test('plays in a browser while it is written, with its cues', async () => {
        const server = await serve(folder), browser = await launch();
        const run = push(ENDLESS, 'sound', 'cues', 'window=5', join(folder, 'live/index.m3u8'));
        await until(() => existsSync(join(folder, 'live/index.m3u8')), 'the playlist');
        const { page, close } = await openTab(browser);
        try {
            await page.goto(`http://127.0.0.1:${server.address().port}/?liveSyncDurationCount=2`);
            await page.waitForFunction('document.querySelector("video").currentTime > 0');
            const from = await page.evaluate('document.querySelector("video").currentTime');
            await page.waitForFunction((at) => document.querySelector('video').currentTime > at + 3, from);
            const got = await page.evaluate(() => {
                const video = document.querySelector('video');
                const cues = [...video.textTracks].flatMap((track) => [...(track.cues || [])]);
                const [first] = window.seen.hls.levels[0].details.fragments;
                return {
                    errors: window.seen.errors, latency: window.seen.hls.latency, width: video.videoWidth,
                    frames: video.getVideoPlaybackQuality().totalVideoFrames,
                    zero: first.start - first.sn, // where the player puts the stream's begin: segments of 1 s
                    cues: cues.map((cue) => ({ start: cue.startTime, text: cue.text })),
                };
            });
            assert.deepEqual(got.errors, []);
            assert.equal(got.width, 320);
            assert.ok(got.frames > 40, `${got.frames} frames`);
            assert.ok(got.latency > 0 && got.latency < 10, `${got.latency} s behind`);
            assert.ok(got.cues.length > 50, `${got.cues.length} cues`);
            for (const { start, text } of got.cues) {
                const picture = Number(text.split(' ')[1]) / 25 + got.zero;
                assert.ok(Math.abs(start - picture) < 0.02, `a cue at ${start} for the picture at ${picture}`);
            }
        } finally {
            await close(/./);
            await browser.close();
            server.close();
        }
        await run.enough(([{ frames }]) => frames >= 225, 'more than the window holds');
        const [state] = run.states();
        assert.equal(state.state, 'done', state.reason);
        assert.equal(state.drops, 0);
        assert.match(await readFile(join(folder, 'live/index-video.m3u8'), 'utf8'), /#EXT-X-ENDLIST/);
        assert.ok(readdirSync(join(folder, 'live')).filter((name) => /-\d+\.m4s$/.test(name)).length <= 10);
        const got = probe(join(folder, 'live/index-video.m3u8'));
        assert.ok(got.frames >= 5 * 25 - 25 && got.codec === 'h264', JSON.stringify(got));
    });

    // Plays with these settings for some seconds, from where the player wants to be; again, where a pause of the machine
    // kept it from there.
    async function watch(browser, url) {
        const { page, close } = await openTab(browser);
        try {
            await page.goto(url);
            await page.waitForFunction('document.querySelector("video").currentTime > 0');
            await sleep(1500);
            let got;
            for (let i = 0, least = Infinity; i < 4 && !(least < 1000 * got?.target + 500); i++) {
                await page.evaluate('document.querySelector("video").currentTime = window.seen.hls.liveSyncPosition');
                await sleep(4000);
                got = await page.evaluate(figures);
                got.behind = least = Math.min(least, got.behind);
            }
            return got;
        } finally {
            await close(/./);
        }
    }

    // In the page.
    async function figures() {
        const { hls, errors, trouble, parts, segments } = window.seen, video = document.querySelector('video'), behind = [];
        for (let i = 0; i < 20; i++, await new Promise((done) => { setTimeout(done, 50); })) behind.push(Date.now() - hls.playingDate);
        const [first] = hls.levels[0].details.fragments;
        return {
            errors, trouble, parts, segments, target: hls.targetLatency, behind: behind.sort((a, b) => a - b)[10],
            zero: first.start - first.sn, // where the player puts the stream's begin: segments of 1 s
            cues: [...video.textTracks].flatMap((track) => [...(track.cues || [])]).map((cue) => ({ start: cue.startTime, text: cue.text })),
        };
    }

    test('parts bring players nearer to the live edge, and the cues stay with their pictures', { timeout: 120000 }, async (t) => {
        const root = join(folder, 'low'), list = join(root, 'live/index-video.m3u8');
        mkdirSync(root);
        const server = await serve(root), browser = await launch(), got = [];
        const run = push(ENDLESS, 'sound', 'cues', join(root, 'live/index.m3u8'));
        try {
            await until(() => existsSync(join(root, 'live/index.m3u8')), 'the playlist');
            assert.match(readText(list), /EXT-X-PART:/);
            for (const low of [true, false])
                got.push(await watch(browser, `http://127.0.0.1:${server.address().port}/?lowLatencyMode=${low}&liveSyncOnStallIncrease=0`));
        } finally {
            await browser.close();
            server.close();
        }
        const [low, plain] = got;
        t.diagnostic(`${low.behind} ms behind with parts (${low.trouble}), ${plain.behind} ms without (${plain.trouble})`);
        assert.deepEqual([low.errors, plain.errors], [[], []]);
        assert.ok(low.parts > 10, `${low.parts} parts, ${low.segments} segments`);
        assert.equal(plain.parts, 0);
        assert.ok(low.behind < plain.behind - 500, `${low.behind} ms behind with parts, ${plain.behind} ms without`);
        for (const { zero, cues } of got) {
            assert.ok(cues.length > 50, `${cues.length} cues`);
            for (const { start, text } of cues) {
                const picture = Number(text.split(' ')[1]) / 25 + zero;
                assert.ok(Math.abs(start - picture) < 0.02, `a cue at ${start} for the picture at ${picture}`);
            }
        }
        await run.stop('SIGINT');
        assert.equal(run.states()[0].state, 'done', run.said());
        assert.doesNotMatch(readText(list), /PRELOAD-HINT/);
    });
});
