// How old a picture is when a browser shows it: from a clock drawn into the decoded picture, before detection,
// to the pixels that Chromium has, by WebRTC on this machine. `make latency`, and `make bench`.
//
//   node tests/latency/latency.mjs [--seconds 10] [--warm-up 3] [--size 1280x720] [--model NAME|FILE.onnx|none] [--json]
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { launch } from '../e2e/browser.mjs';
import { BINARY, startServer } from '../e2e/server.mjs';

const { values } = parseArgs({ options: {
    seconds: { type: 'string', default: '10' }, 'warm-up': { type: 'string', default: '3' },
    size: { type: 'string', default: '1280x720' }, rate: { type: 'string', default: '30' },
    model: { type: 'string', default: '' }, rungs: { type: 'string', default: '720:2.5M' },
    json: { type: 'boolean' } } });

// A made-up match as a stored video, played over and over at its own pace.
async function uploadClip(server) {
    const clip = join(folder, 'clip.mp4');
    execFileSync(BINARY, ['live', `testsrc:size=${values.size},rate=${values.rate},duration=10`, clip], { stdio: 'ignore' });
    const sent = await fetch(`${server.url}/api/v1/videos?id=clip`, { method: 'POST', headers: { 'Content-Type': 'video/mp4' }, body: await readFile(clip) });
    if (sent.status !== 201) throw new Error(`POST /api/v1/videos: ${sent.status} ${await sent.text()}`);
}

async function startStream(server) {
    const spec = { id: 'clock', input: 'video:clip', realtime: true, loop: true, clock: true, delay: 0.1 };
    if (values.model !== 'none') Object.assign(spec, { model: values.model.endsWith('.onnx') ? 'model' : values.model, track: true });
    let made;
    for (let i = 0; i < 100; i++) { // the model may still be loading
        made = await fetch(`${server.url}/api/v1/streams`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(spec) });
        if (made.status !== 503) break;
        await new Promise((done) => { setTimeout(done, 200); });
    }
    if (made.status !== 201) throw new Error(`POST /api/v1/streams: ${made.status} ${await made.text()}`);
}

function print(figures) {
    const ms = (value) => value === null ? '-' : `${value.toFixed(1)} ms`;
    console.log(`${figures.size}, ${figures.fps.toFixed(1)} pictures a second, ${figures.frames} looked at, ${figures.bad} unreadable`);
    console.log(`clock to pixels   p50 ${ms(figures.p50)}   p95 ${ms(figures.p95)}   p99 ${ms(figures.p99)}   most ${ms(figures.max)}`);
    console.log(`of that until they are sent   p50 ${ms(figures.encoded_p50)}   p95 ${ms(figures.encoded_p95)}   ` +
        `(stages: ${figures.stages.map(([name, p50, p95]) => `${name} ${p50}/${p95}`).join(', ')})`);
    console.log(`join ${ms(figures.join_ms)}   longest gap ${ms(figures.longest_gap)}   freezes ${figures.freezes}   ` +
        `grows by ${figures.slope_ms_per_min.toFixed(1)} ms a minute`);
    console.log(`in the browser p50 ${ms(figures.inside_p50)}, p95 ${ms(figures.inside_p95)}: jitter buffer ${ms(figures.jitter_buffer_ms)}, decoder ${ms(figures.decode_ms)}; ${figures.nacks} NACKs, ${figures.plis} PLIs`);
}

const folder = await mkdtemp(join(tmpdir(), 'saccade-latency-'));
const isFile = values.model.endsWith('.onnx');
const server = await startServer(folder, '--webrtc-rungs', values.rungs, ...isFile ? ['--models-load', `model=${values.model}`] : []);
const browser = await launch();
try {
    await uploadClip(server);
    await startStream(server);
    const page = await browser.newPage();
    await page.goto(`${server.url}/health`);
    await page.addScriptTag({ content: await readFile(new URL('watcher.js', import.meta.url), 'utf8') });
    const figures = await page.evaluate(([url, options]) => window.watch(url, options),
        [`${server.url}/api/v1/streams/clock/whep`, { seconds: Number(values.seconds), warmUp: Number(values['warm-up']) }]);
    const response = await fetch(`${server.url}/api/v1/streams/clock/stats`, { headers: { Accept: 'application/json' } });
    figures.stages = (await response.json()).stages.map((stage) => [stage.name, stage.latency_p50_ms, stage.latency_p95_ms]);
    if (values.json) console.log(JSON.stringify(figures));
    else print(figures);
} finally {
    await browser.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
}
