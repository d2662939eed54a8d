// Writes the pictures of the page, docs/images/page_*.png: each state of it as a browser shows it.
//
// usage: node tools/screenshots.mjs [NAME...]      needs build/saccade, Chromium, ffmpeg
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { launch, openTab } from '../tests/e2e/browser.mjs';
import { makeFolder, removeFolders, startServer } from '../tests/e2e/server.mjs';

const OUT = resolve(import.meta.dirname, '../docs/images');
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DARK = { colorScheme: 'dark' };

const BINARY = resolve(import.meta.dirname, '../build/saccade');

let server, folder;

const post = (path, body) => fetch(server.url + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
    .then(async (answer) => { if (!answer.ok) throw new Error(await answer.text()); });
// A model that is asked for the first time is loaded first.
async function make(id, spec) {
    const { streams } = await (await fetch(`${server.url}/api/v1/streams`)).json();
    if (streams.some((stream) => stream.id === id)) return;
    for (let tries = 0; ; tries++) {
        try {
            return void await post('/api/v1/streams', { id, ...spec });
        } catch (error) {
            if (tries > 60 || !error.message.includes('loaded')) throw error;
            await new Promise((done) => { setTimeout(done, 500); });
        }
    }
}

async function makeStreams() {
    await make('north-stand', { input: 'testsrc:size=960x540,rate=8', model: 'pitch', track: true });
    await make('drawn', { input: 'testsrc:size=960x540,rate=3,seed=3', model: 'pitch', overlay: true });
    await make('gate', { input: 'rtsp://127.0.0.1:9/stream' });
    await make('test-picture', { input: 'testsrc:size=640x360,rate=5,seed=4' });
}

async function makeCamera() {
    await make('camera', { input: 'testsrc:size=1280x720,rate=8,seed=1', model: 'pitch', track: true, camera: { follow: 'ball', zoom: 2.5 } });
}

// It would take much of the machine from the others.
const endCamera = () => fetch(`${server.url}/api/v1/streams/camera`, { method: 'DELETE' });

// The made-up match as a stored video.
async function makeVideo() {
    const answer = await fetch(`${server.url}/api/v1/videos/match`);
    if (answer.ok) return;
    const file = join(folder, 'match.mp4');
    execFileSync(BINARY, ['live', 'testsrc:size=1280x720,rate=25,duration=12', file], { stdio: 'ignore' });
    await fetch(`${server.url}/api/v1/videos?id=match&name=match.mp4`, { method: 'POST', body: await readFile(file) });
    await fetch(`${server.url}/api/v1/videos?id=second-half&name=second-half.mp4`, { method: 'POST', body: await readFile(file) });
}

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const tiles = async (page) => {
    // A phone's screen has room for one.
    await page.waitForFunction(() => document.querySelectorAll('.tile canvas[data-n]').length >= (innerWidth < 500 ? 1 : 3));
    await page.locator('.tile .reason', { hasText: /\w/ }).first().waitFor();
    await sleep(1500);
};
const counted = async (page) => {
    await page.locator('#model').selectOption('pitch');
    await page.waitForFunction(() => document.querySelectorAll('#boxes .box').length > 5 && document.querySelector('#chart canvas'));
    await page.waitForFunction(() => document.getElementById('counts-status').textContent.startsWith('At most'), null, { timeout: 200000 });
    await page.mouse.move(5, 5);
    await sleep(1500);
};
const watching = async (page) => {
    await page.locator('.watch[data-way="webrtc"]').waitFor();
    await page.waitForFunction(() => Number(document.querySelector('.marks').dataset.boxes) > 5);
    await sleep(4000);
};
// A picture is taken of what is held: what moves may be a picture further than its boxes.
const holdWith = async (page, least) => {
    for (let boxes = 0; boxes < least;) {
        await page.keyboard.press('Space');
        await sleep(500);
        boxes = await page.evaluate(() => Number(document.querySelector('.marks').dataset.boxes));
        if (boxes < least) await page.keyboard.press('Space');
        await sleep(300);
    }
};
const held = async (page) => {
    await watching(page);
    await holdWith(page, 15);
};
// The camera has gone near what it follows, which takes a while.
const followed = async (page) => {
    await watching(page);
    await page.waitForFunction(() => document.querySelector('.wide canvas')?.dataset.n);
    await sleep(10000);
    await holdWith(page, 6);
};
const chosen = async (page) => {
    await held(page);
    await page.keyboard.press('o');
    await sleep(300);
};
const noWebrtc = async (page) => {
    await page.route('**/whep', (route) => route.fulfill({ status: 501, contentType: 'application/problem+json', body: '{"status":501,"title":"Not Implemented","detail":"GStreamer is missing: apt install gstreamer1.0-nice"}' }));
};

// Each: what is there before, where it is, what is waited for and done, and how it is shown.
const STATES = {
    empty: { path: '#/', ready: (page) => page.getByText('Drop a video here.').waitFor() },
    live_empty: { path: '#/live', ready: (page) => page.getByText('Nothing is live yet').waitFor() },
    new_stream: { path: '#/live', async ready(page) {
        await page.getByRole('button', { name: 'New stream' }).first().click();
        await page.getByLabel(/^Input/).fill('rtsp://camera/stream');
        await page.getByLabel(/^Id/).fill('gate 7');
        await page.getByRole('button', { name: 'Start', exact: true }).click();
        await page.locator('.wrong:not([hidden])').waitFor();
    } },
    library: { before: makeVideo, path: '#/', ready: (page) => page.waitForFunction(() => document.querySelectorAll('.thumb img.on').length > 1).then(() => sleep(500)) },
    frame: { before: makeVideo, path: '#/v/match?n=130', ready: counted },
    frame_dark: { before: makeVideo, path: '#/v/match?n=130', ready: counted, options: DARK },
    frame_phone: { before: makeVideo, path: '#/v/match?n=130', ready: counted, options: PHONE },
    stream_camera: { before: makeCamera, path: '#/live/camera', ready: followed, after: endCamera, options: { viewport: { width: 1280, height: 800 } } },
    live: { before: makeStreams, path: '#/live', ready: tiles },
    live_phone: { before: makeStreams, path: '#/live', ready: tiles, options: { ...PHONE, ...DARK } },
    stream: { before: makeStreams, path: '#/live/north-stand', ready: chosen, options: { viewport: { width: 1280, height: 1180 } } },
    stream_dark: { before: makeStreams, path: '#/live/north-stand', ready: held, options: DARK },
    stream_phone: { before: makeStreams, path: '#/live/north-stand', ready: held, options: PHONE },
    stream_mjpeg: { before: makeStreams, path: '#/live/drawn', prepare: noWebrtc, ready: (page) => page.locator('.watch[data-way="mjpeg"]').waitFor().then(() => sleep(2500)) },
    stream_lost: { before: makeStreams, path: '#/live/gate', ready: (page) => page.waitForFunction(() => /\w/.test(document.querySelector('.cover')?.textContent)).then(() => sleep(2500)) },
    embedded: { before: makeStreams, path: 'webrtc?stream=north-stand', ready: held, options: { viewport: { width: 720, height: 480 } } },
    models: { before: makeStreams, path: '#/models', ready: (page) => page.locator('.model .facts-list dd').nth(4).waitFor() },
    system: { before: makeStreams, path: '#/system', ready: () => sleep(22000), options: { viewport: { width: 1280, height: 1120 } } },
};

// With a palette: a third of the size.
async function save(name, png) {
    const filter = 'split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=sierra2_4a';
    const path = join(OUT, `page_${name}.png`);
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'png_pipe', '-i', '-', '-vf', filter, path], { input: png });
    console.log(`docs/images/page_${name}.png`);
}

async function shoot(browser, name, { before, after, path, prepare, ready, options = {} }) {
    await before?.();
    const { page, close } = await openTab(browser, { viewport: { width: 1280, height: 800 }, ...options });
    await prepare?.(page);
    await page.goto(`${server.url}/${path}`);
    await ready(page).catch((error) => { console.error(`${name}: ${error.message}`); process.exitCode = 1; });
    await save(name, await page.screenshot({ animations: 'disabled' }));
    await close(/./);
    await after?.();
}

const wanted = process.argv.slice(2);
folder = await makeFolder();
server = await startServer(folder);
const browser = await launch();
try {
    for (const [name, state] of Object.entries(STATES)) if (!wanted.length || wanted.includes(name)) await shoot(browser, name, state);
} finally {
    await browser.close();
    await server.stop();
    await removeFolders();
}
