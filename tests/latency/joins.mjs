// How soon a viewer has its first picture: joins and leaves one after another, in Chromium, from the POST to the
// first picture shown. Nobody else watches, so that each join also starts the encoder. `make bench` runs it.
//
//   node tests/latency/joins.mjs [--joins 40] [--size 1280x720] [--rate 30] [--rungs 720:2.5M]
//
// Prints {"ms": [..]}.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { launch } from '../e2e/browser.mjs';
import { startServer } from '../e2e/server.mjs';

const { values } = parseArgs({ options: { joins: { type: 'string', default: '40' },
    size: { type: 'string', default: '1280x720' }, rate: { type: 'string', default: '30' }, rungs: { type: 'string', default: '720:2.5M' } } });
const PAUSE_MS = 300; // for the encoder of the rung to be given up

async function startStream(server) {
    const made = await fetch(`${server.url}/api/v1/streams`, { method: 'POST', headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ id: 'field', input: `testsrc:size=${values.size},rate=${values.rate}`, realtime: true }) });
    if (made.status !== 201) throw new Error(`POST /api/v1/streams: ${made.status} ${await made.text()}`);
    while ((await (await fetch(`${server.url}/api/v1/streams/field`)).json()).state !== 'running')
        await new Promise((done) => { setTimeout(done, 100); });
}

async function joinOnce(page, url) {
    const joined = await page.evaluate((address) => window.join('viewer', address), url);
    if (!joined.playing) throw new Error(`a join failed: ${JSON.stringify(joined)}`);
    await page.evaluate(() => window.leave('viewer'));
    await new Promise((done) => { setTimeout(done, PAUSE_MS); });
    return joined.since_post;
}

const folder = await mkdtemp(join(tmpdir(), 'saccade-joins-'));
const server = await startServer(folder, '--webrtc-rungs', values.rungs);
const browser = await launch();
try {
    await startStream(server);
    const page = await browser.newPage();
    await page.goto(`${server.url}/health`);
    await page.addScriptTag({ content: await readFile(new URL('../e2e/webrtc_client.js', import.meta.url), 'utf8') });
    const url = `${server.url}/api/v1/streams/field/whep`, ms = [];
    await joinOnce(page, url); // both sides make their certificates
    for (let i = 0; i < Number(values.joins); i++) ms.push(await joinOnce(page, url));
    console.log(JSON.stringify({ ms }));
} finally {
    await browser.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
}
