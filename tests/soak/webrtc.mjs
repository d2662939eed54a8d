// WebRTC for long: joins and leaves that must leave nothing behind, then many viewers of one stream with the
// shipped model in its path, of whom none may freeze. Needs bench/viewers (-Dbench=enabled). Prints figures.
//
//   node tests/soak/webrtc.mjs [--joins 200] [--viewers 50] [--browsers 2] [--seconds 30]
//       [--model NAME|none] [--rung 720:1M] [--apart 50]
//
// --apart: milliseconds between the answer to one viewer and the next one's offer.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { launch } from '../e2e/browser.mjs';
import { BINARY, startServer } from '../e2e/server.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const VIEWERS = process.env.VIEWERS || join(ROOT, 'build/bench/viewers');
const GAP_MS = 500, FIRST_MS = 1000, RATE = 30;
const { values } = parseArgs({ options: {
    joins: { type: 'string', default: '200' }, viewers: { type: 'string', default: '50' }, browsers: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '30' }, model: { type: 'string', default: '' }, rung: { type: 'string', default: '720:1M' },
    apart: { type: 'string', default: '50' } } });
const [joins, viewers, browsers, seconds] = ['joins', 'viewers', 'browsers', 'seconds'].map((name) => Number(values[name]));

const percentile = (list, p) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * p)];
const rounded = (list) => ({ p50: Math.round(percentile(list, 0.5)), p95: Math.round(percentile(list, 0.95)), most: Math.round(Math.max(...list)) });

async function lookAt(pid) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const field = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);
    return { threads: field('Threads'), descriptors: (await readdir(`/proc/${pid}/fd`)).length, rss_mb: Math.round(field('VmRSS') / 1024) };
}

// Read, not painted: that would take a quarter of a core from those who watch.
async function uploadClip(folder, server) {
    const clip = join(folder, 'clip.mp4');
    execFileSync(BINARY, ['live', `testsrc:size=1280x720,rate=${RATE},duration=10`, clip], { stdio: 'ignore' });
    const sent = await fetch(`${server.url}/api/v1/videos?id=clip`, { method: 'POST', body: await readFile(clip) });
    if (sent.status !== 201) throw new Error(`POST /api/v1/videos: ${sent.status} ${await sent.text()}`);
}

async function startStream(server, id, spec) {
    let made;
    for (let i = 0; i < 100; i++) { // the model may still be loading
        made = await fetch(`${server.url}/api/v1/streams`, { method: 'POST', headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ id, input: 'video:clip', realtime: true, loop: true, ...spec }) });
        if (made.status !== 503) break;
        await sleep(200);
    }
    if (made.status !== 201) throw new Error(`POST /api/v1/streams: ${made.status} ${await made.text()}`);
    while ((await (await fetch(`${server.url}/api/v1/streams/${id}`)).json()).state !== 'running') await sleep(100);
    return `${server.url}/api/v1/streams/${id}/whep`;
}

async function openPage(browser, server) {
    const page = await browser.newPage();
    await page.goto(`${server.url}/health`);
    await page.addScriptTag({ content: await readFile(new URL('../e2e/webrtc_client.js', import.meta.url), 'utf8') });
    return page;
}

// Peers are taken down behind the answer to DELETE.
async function settled(pid) {
    await sleep(3000);
    return lookAt(pid);
}

async function joinAndLeave(browser, server) {
    const url = await startStream(server, 'joins', {}), page = await openPage(browser, server), first = [], faults = [];
    const once = async () => {
        const joined = await page.evaluate((address) => window.join('viewer', address), url);
        if (joined.playing) first.push(joined.since_post);
        else faults.push(`a join failed: ${JSON.stringify(joined)}`);
        await page.evaluate(() => window.leave('viewer'));
    };
    for (let i = 0; i < 50; i++) await once(); // what is made once is made, the allocator has its arenas
    const before = await settled(server.pid);
    first.length = 0;
    for (let i = 1; i <= joins; i++) {
        await once();
        if (i % 50 === 0) console.log(JSON.stringify({ joins: i, ...await lookAt(server.pid) }));
    }
    const after = await settled(server.pid);
    await page.close();
    await fetch(`${server.url}/api/v1/streams/joins`, { method: 'DELETE' });
    if (after.threads > before.threads + 2) faults.push('threads are left');
    if (after.descriptors > before.descriptors + 2) faults.push('descriptors are left');
    if (after.rss_mb > 1.1 * before.rss_mb + 20) faults.push('memory grows');
    return { joins: first.length, first_ms: rounded(first), before, after, faults };
}

// bench/viewers: `ready` once all have a picture, `done` with what each saw.
function startViewers(url, count) {
    const child = spawn(VIEWERS, [url, String(count), String(seconds), values.apart], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => {
        const { value } = await lines.next();
        if (value === undefined) throw new Error('bench/viewers ended');
        return value;
    };
    const ready = next();
    return { ready, done: ready.then(async () => JSON.parse(await next())) };
}

async function watchTogether(browser, server) {
    const url = await startStream(server, 'crowd', values.model === 'none' ? {} : { model: values.model, track: true });
    const shown = [];
    for (let i = 0; i < browsers; i++) {
        const page = await openPage(browser, server);
        const joined = await page.evaluate((address) => window.join('viewer', address), url);
        shown.push({ page, first: joined.since_post ?? NaN });
    }
    const crowd = startViewers(url, viewers - browsers);
    await crowd.ready;
    const most = await lookAt(server.pid);
    const { failed, error, viewers: seen } = await crowd.done;
    const gaps = seen.map((viewer) => viewer.gap_ms ?? Infinity), first = seen.map((viewer) => viewer.first_ms ?? Infinity);
    for (const { page, first: ms } of shown) {
        gaps.push((await page.evaluate(() => window.seen('viewer'))).longest);
        first.push(ms);
        await page.evaluate(() => window.leave('viewer'));
    }
    const stats = await (await fetch(`${server.url}/api/v1/streams/crowd`)).json();
    const rates = seen.map((viewer) => viewer.pictures / seconds), faults = failed ? [`${failed} viewers failed: ${error}`] : [];
    if (!(Math.max(...gaps) < GAP_MS)) faults.push('a viewer froze');
    if (!(Math.max(...first) < FIRST_MS)) faults.push('a first picture came late');
    if (Math.min(...rates) < 0.9 * RATE) faults.push('a viewer lost pictures');
    return { viewers: seen.length + shown.length, first_ms: rounded(first), gap_ms: rounded(gaps), gap_in_browsers_ms: gaps.slice(seen.length).map(Math.round),
        fewest_fps: Math.min(...rates), detect_fps: stats.detect_fps, server: most, faults };
}

async function main() {
    if (!existsSync(VIEWERS)) throw new Error(`${VIEWERS} is missing: meson setup --reconfigure build -Dbench=enabled && ninja -C build`);
    const folder = await mkdtemp(join(tmpdir(), 'saccade-soak-'));
    const server = await startServer(folder, '--webrtc-rungs', values.rung), browser = await launch();
    try {
        await uploadClip(folder, server);
        for (const part of [joinAndLeave, watchTogether]) {
            if (part === joinAndLeave ? !joins : !viewers) continue;
            const verdict = await part(browser, server);
            console.log(JSON.stringify(verdict, null, 1));
            if (verdict.faults.length) process.exitCode = 1;
        }
    } finally {
        await browser.close();
        await server.stop();
        await rm(folder, { recursive: true, force: true });
    }
}

await main();
