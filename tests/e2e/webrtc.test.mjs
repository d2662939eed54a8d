// WebRTC with a real browser: watching, leaving, publishing, and what happens when something goes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { launch, openTab } from './browser.mjs';
import { makeClip } from './clip.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const SKIP = existsSync(CHROMIUM) ? false : 'chromium is not installed';
const JOINS = Number(process.env.WEBRTC_JOINS || 20); // tests/soak/webrtc.mjs does 200
const EXPECTED = /Failed to load resource/; // answers of 4xx, in the console

let folder, server, browser, tab;

const start = (...flags) => startServer(folder, '--webrtc-linger', '1s', ...flags);
const api = (path, options) => fetch(server.url + path, options);
const post = (path, body) => api(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
const stream = async (id) => (await api(`/api/v1/streams/${id}`)).json();
const viewers = async (id) => (await (await api(`/api/v1/streams/${id}/stats?once=true`)).json()).viewers_webrtc ?? [];
const whep = (id) => `${server.url}/api/v1/streams/${id}/whep`;

async function make(spec) {
    const response = await post('/api/v1/streams', spec);
    assert.equal(response.status, 201, await response.text());
}

async function until(check, ms = 15000) {
    for (const end = Date.now() + ms; ; await sleep(100)) {
        const value = await check();
        if (value) return value;
        assert.ok(Date.now() < end, `not within ${ms} ms: ${check}`);
    }
}

async function openPage() {
    const opened = await openTab(browser);
    await opened.page.goto(`${server.url}/health`);
    await opened.page.addScriptTag({ content: await readFile(join(import.meta.dirname, 'webrtc_client.js'), 'utf8') });
    return opened;
}
const page = (name, ...args) => tab.page.evaluate(([f, a]) => window[f](...a), [name, args]);

async function footprint() {
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
    const field = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);
    return { threads: field('Threads'), descriptors: (await readdir(`/proc/${server.pid}/fd`)).length, rss: field('VmRSS') / 1024 };
}

before(async () => {
    if (SKIP) return;
    folder = await makeFolder();
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await removeFolders();
});

describe('watching', { skip: SKIP }, () => {
    before(async () => {
        server = await start();
        tab = await openPage();
        await make({ id: 'match', input: 'testsrc:size=640x360,rate=25', realtime: true });
    });
    afterEach(() => page('leaveAll')); // where a test failed
    after(async () => {
        await tab.close(EXPECTED);
        await server.stop();
    });

    test('pictures come, each with its message', async () => {
        const joined = await page('join', 'a', whep('match'));
        assert.equal(joined.status, 201, joined.text);
        assert.ok(joined.playing, JSON.stringify(joined));
        assert.deepEqual([joined.width, joined.height], [640, 360]);
        await until(async () => (await page('seen', 'a')).frames >= 50);
        // Not those either that came before the channel was open. A message that is late comes yet, one that is lost never.
        await until(async () => !(await page('seen', 'a')).untold).catch(async () => assert.fail(JSON.stringify(await page('seen', 'a'))));
        assert.equal((await page('stats', 'a')).codec, 'video/H264');
        assert.equal(typeof (await page('seen', 'a')).last.n, 'number');
        const list = await viewers('match');
        assert.equal(list.length, 1);
        assert.equal(list[0].state, 'connected');
        assert.equal(await page('leave', 'a'), 200);
        await until(async () => !(await viewers('match')).length);
    });

    test('a viewer without H.264 gets VP8', async () => {
        const joined = await page('join', 'vp8', whep('match'), { codec: 'VP8' });
        assert.ok(joined.playing, JSON.stringify(joined));
        await until(async () => (await page('seen', 'vp8')).frames >= 10);
        assert.equal((await page('stats', 'vp8')).codec, 'video/VP8');
        await page('leave', 'vp8');
    });

    test('several viewers share one encoding, and one who vanishes hurts nobody', async () => {
        for (const name of ['x', 'y', 'z']) assert.ok((await page('join', name, whep('match'))).playing);
        await page('leave', 'y', false); // without a word
        const before = (await page('seen', 'x')).frames;
        await until(async () => (await page('seen', 'x')).frames > before + 25);
        await until(async () => (await viewers('match')).length === 2, 20000);
        await page('leave', 'x');
        await page('leave', 'z');
    });

    test('ICE is restarted under a viewer', async () => {
        assert.ok((await page('join', 'i', whep('match'))).playing);
        const first = await page('session', 'i');
        let stale = first.etag;
        for (const trickled of [false, true]) {
            const before = (await page('stats', 'i')).decoded;
            const said = await page('restart', 'i', { trickled });
            assert.equal(said.status, 200, said.text);
            assert.match(said.type, /trickle-ice-sdpfrag/);
            assert.notEqual(said.etag, stale);
            assert.equal(said.later, trickled ? 204 : null);
            await until(async () => { // the new generation of both
                const way = await page('way', 'i');
                return way.local === said.ours && way.remote === said.theirs;
            });
            await until(async () => (await page('stats', 'i')).decoded > before + 25);
            assert.equal((await page('patch', 'i', stale, ['a=mid:0'])).status, 412);
            stale = said.etag;
        }
        const { last } = await page('seen', 'i');
        await until(async () => (await page('seen', 'i')).last.n > last.n + 10); // the data channel goes on, too
        await until(async () => (await page('seen', 'i')).state === 'connected'); // after a pause it is not for a moment
        await until(async () => (await viewers('match')).length === 1); // those before take a moment to be gone
        await page('leave', 'i');
    });

    test('a restart that is refused leaves the session as it was', async () => {
        assert.ok((await page('join', 'r', whep('match'))).playing);
        const { url, etag } = await page('session', 'r');
        const way = await page('way', 'r');
        for (const lines of [['a=mid:0'], ['a=ice-ufrag:abcd'], ['nonsense'], ['a=ice-ufrag:ab', 'a=ice-pwd:short'],
            [`a=ice-ufrag:${way.local}`, 'a=ice-pwd:2222222222222222222222']]) { // of now
            const said = await page('patch', 'r', '*', lines);
            assert.deepEqual([said.status, said.etag], [400, null], said.text);
        }
        const other = url.replace('/whep/', '/whip/'); // another kind of session
        assert.equal((await page('patch', 'r', '*', ['a=mid:0'], other)).status, 404);
        assert.equal((await fetch(other, { method: 'DELETE' })).status, 404);
        const before = (await page('stats', 'r')).decoded;
        await until(async () => (await page('stats', 'r')).decoded > before + 25);
        assert.equal((await page('patch', 'r', etag, ['a=mid:0'])).status, 204);
        const { local, remote, dtls } = await page('way', 'r'); // but not the state of the pair's checks: they go on
        assert.deepEqual([local, remote, dtls], [way.local, way.remote, way.dtls]);
        assert.equal((await page('restart', 'r')).status, 200);
        await page('leave', 'r');
    });

    test(`${JOINS} joins and leaves leave nothing behind`, async () => {
        for (let i = 0; i < 3; i++) { // what is made once
            await page('join', 'w', whep('match'));
            await page('leave', 'w');
        }
        await until(async () => !(await viewers('match')).length);
        await sleep(2000);
        const first = await footprint(), times = [];
        for (let i = 0; i < JOINS; i++) {
            const joined = await page('join', 'w', whep('match'));
            assert.ok(joined.playing, `join ${i}: ${JSON.stringify(joined)}`);
            times.push(joined.ms);
            await page('leave', 'w', i % 4 !== 3);
        }
        await until(async () => !(await viewers('match')).length, 30000);
        let last;
        await until(async () => {
            last = await footprint();
            return last.threads <= first.threads + 2 && last.descriptors <= first.descriptors + 4;
        }).catch(() => assert.fail(JSON.stringify({ first, last })));
        assert.ok(last.rss <= first.rss + 20 + JOINS / 10, JSON.stringify({ first, last }));
    });

    test('a stream that is deleted lets its viewers go', async () => {
        await make({ id: 'short', input: 'testsrc:size=320x180,rate=10', realtime: true });
        assert.ok((await page('join', 'g', whep('short'))).playing);
        assert.equal((await api('/api/v1/streams/short', { method: 'DELETE' })).status, 204);
        await until(async () => ['closed', 'failed', 'disconnected'].includes((await page('seen', 'g')).state), 20000);
        await page('leave', 'g', false);
        assert.equal((await page('join', 'h', whep('short'))).status, 404);
    });

    test('a server that is stopped ends well under viewers', async () => {
        assert.ok((await page('join', 'l', whep('match'))).playing);
        await server.stop();
        server = await start();
        await until(async () => (await stream('match')).state === 'running');
        await tab.close(/./);
        tab = await openPage(); // another port
        assert.ok((await page('join', 'm', whep('match'))).playing);
        await page('leave', 'm');
    });
});

describe('stored videos', { skip: SKIP }, () => {
    before(async () => {
        server = await start('--webrtc-linger', '5s'); // until who asked for a stream has joined it
        tab = await openPage();
        const clip = join(folder, 'clip.mp4');
        await makeClip(clip, 75);
        const response = await api('/api/v1/videos?id=clip', { method: 'POST', body: await readFile(clip), headers: { 'Content-Type': 'video/mp4' } });
        assert.equal(response.status, 201, await response.text());
    });
    after(async () => {
        await tab.close(EXPECTED);
        await server.stop();
    });

    test('is a stream for as long as somebody watches', async () => {
        const spec = { video_id: 'clip', fps: 15, width: 320, bitrate: 400000 };
        const [one, two] = [await (await post('/api/webrtc/start', spec)).json(), await (await post('/api/webrtc/start', spec)).json()];
        assert.equal(one.id, two.id);
        const other = await (await post('/api/webrtc/start', { ...spec, fps: 10 })).json();
        assert.notEqual(other.id, one.id);
        const joined = await page('join', 'v', server.url + one.whep_url);
        assert.ok(joined.playing, JSON.stringify(joined));
        assert.equal(joined.width, 320);
        await until(async () => (await api(`/api/v1/streams/${other.id}`)).status === 404); // nobody came
        await until(async () => (await page('seen', 'v')).frames > 60); // it is three seconds long: it goes round
        await page('leave', 'v');
        await until(async () => (await api(`/api/v1/streams/${one.id}`)).status === 404);
    });

    test('sound comes with its picture', async () => {
        const path = join(folder, 'beep.mp4'); // in each second 200 ms of white, and of a tone
        execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', "color=black:s=320x180:r=25,drawbox=c=white:t=fill:enable='lt(mod(t,1),0.2)'",
            '-f', 'lavfi', '-i', "aevalsrc='0.8*sin(2*PI*1000*t)*lt(mod(t,1),0.2)':s=44100", '-t', '4',
            '-c:v', 'libx264', '-g', '25', '-pix_fmt', 'yuv420p', '-c:a', 'aac', path]);
        const uploaded = await api('/api/v1/videos?id=beep', { method: 'POST', body: await readFile(path), headers: { 'Content-Type': 'video/mp4' } });
        assert.equal(uploaded.status, 201, await uploaded.text());
        const { id, whep_url: url } = await (await post('/api/webrtc/start', { video_id: 'beep' })).json();
        const joined = await page('join', 'b', server.url + url, { sound: true });
        assert.ok(joined.playing, JSON.stringify(joined));
        const tries = []; // a browser without a core of its own plays sound late for a while
        for (let late = Infinity; late > 150; ) {
            assert.ok(tries.length < 4, JSON.stringify(tries));
            const { flashes, beeps } = await page('flashesAndBeeps', 'b', 6);
            const offsets = flashes.map((flash) => Math.min(...beeps.map((beep) => Math.abs(beep - flash)))).sort((a, b) => a - b);
            if (offsets.length >= 3 && beeps.length >= 3) late = offsets[offsets.length >> 1];
            tries.push({ flashes, beeps, stats: await page('stats', 'b') });
        }
        await page('leave', 'b');
    });

    test('what makes no sense is refused by its field', async () => {
        for (const [spec, field, status] of [[{ video_id: 'none' }, 'video_id', 404], [{}, 'video_id', 400],
            [{ video_id: 'clip', fps: -1 }, 'fps', 400], [{ video_id: 'clip', speed: 2 }, 'speed', 400]]) {
            const response = await post('/api/webrtc/start', spec);
            const problem = await response.json();
            assert.deepEqual([response.status, problem.field], [status, field], JSON.stringify(problem));
        }
    });
});

describe('publishing', { skip: SKIP }, () => {
    before(async () => {
        server = await start();
        tab = await openPage();
        await make({ id: 'booth', input: 'whip:' });
    });
    after(async () => {
        await tab.close(EXPECTED);
        await server.stop();
    });
    const whip = () => `${server.url}/api/v1/streams/booth/whip`;

    for (const codec of ['H264', 'VP8'])
        test(`a browser is the camera, by ${codec}`, async () => {
            const published = await page('publish', 'cam', whip(), { codec });
            assert.equal(published.status, 201, published.text);
            await until(async () => (await stream('booth')).state === 'running', 20000);
            assert.equal((await page('publish', 'second', whip())).status, 409);
            const joined = await page('join', 'v', whep('booth'));
            assert.ok(joined.playing, JSON.stringify(joined));
            await until(async () => (await page('seen', 'v')).frames > 40);
            const said = await page('restart', 'cam');
            assert.equal(said.status, 200, said.text);
            await until(async () => (await page('way', 'cam')).local === said.ours);
            const { frames } = await page('seen', 'v');
            await until(async () => (await page('seen', 'v')).frames > frames + 40);
            await page('leave', 'v');
            assert.equal(await page('unpublish', 'cam'), 200);
            await until(async () => (await stream('booth')).state === 'reconnecting', 20000);
        });

    test('a stream with a source of its own takes no publisher', async () => {
        await make({ id: 'own', input: 'testsrc:size=320x180,rate=10', realtime: true });
        assert.equal((await page('publish', 'no', `${server.url}/api/v1/streams/own/whip`)).status, 409);
    });
});

describe('limits', { skip: SKIP }, () => {
    test('too many viewers are told when to come back', async () => {
        server = await start('--webrtc-viewers', '1');
        tab = await openPage();
        await make({ id: 'full', input: 'testsrc:size=320x180,rate=10', realtime: true });
        assert.ok((await page('join', 'a', whep('full'))).playing);
        const refused = await page('join', 'b', whep('full'));
        assert.equal(refused.status, 503);
        assert.match(refused.text, /webrtc-viewers/);
        await page('leave', 'a');
        await tab.close(EXPECTED);
        await server.stop();
    });
});
