// Writes the pictures of the page, docs/images/page_*.png: each state of it as a browser shows it.
//
// usage: node tools/screenshots.mjs [NAME...]      needs build/saccade and Chromium
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { launch, openTab } from '../tests/e2e/browser.mjs';
import { makeFolder, removeFolders, startServer } from '../tests/e2e/server.mjs';

const OUT = resolve(import.meta.dirname, '../docs/images');
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DARK = { colorScheme: 'dark' };

let server;

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
const match = { input: 'testsrc:size=960x540,rate=12', model: 'pitch', track: true };

async function makeStreams() {
    await make('north-stand', match);
    await make('drawn', { ...match, overlay: true });
    await make('gate', { input: 'rtsp://127.0.0.1:9/stream' });
    await make('test-picture', { input: 'testsrc:size=640x360,rate=10,seed=4' });
}

// Each: what is there before, where it is, what is waited for and done, and how it is shown.
const STATES = {
    live_empty: { path: '#/live', ready: (page) => page.getByText('Nothing is live yet').waitFor() },
    live_new: { path: '#/live', async ready(page) {
        await page.getByRole('button', { name: 'New stream' }).first().click();
        await page.getByLabel(/^Input/).fill('rtsp://camera/stream');
        await page.getByText('More settings').click();
    } },
    live: { before: makeStreams, path: '#/live', ready: pictures },
    live_dark: { before: makeStreams, path: '#/live', ready: pictures, options: DARK },
    live_phone: { before: makeStreams, path: '#/live', ready: pictures, options: PHONE },
};

async function pictures(page) {
    await page.waitForFunction(() => document.querySelectorAll('.tile canvas[data-n]').length >= 3);
    await page.locator('.tile .reason', { hasText: /\w/ }).first().waitFor();
    await page.waitForTimeout(1500);
}

async function shoot(browser, name, { before, path, ready, options = {} }) {
    await before?.();
    const { page, close } = await openTab(browser, { viewport: { width: 1280, height: 800 }, ...options });
    await page.goto(`${server.url}/${path}`);
    page.setDefaultTimeout(25000);
    await ready(page).catch((error) => console.error(name, error.message));
    await page.screenshot({ path: join(OUT, `page_${name}.png`), animations: 'disabled' });
    console.log(`docs/images/page_${name}.png`);
    await close(/./);
}

const wanted = process.argv.slice(2);
await mkdir(OUT, { recursive: true });
server = await startServer(await makeFolder());
const browser = await launch();
try {
    for (const [name, state] of Object.entries(STATES)) if (!wanted.length || wanted.includes(name)) await shoot(browser, name, state);
} finally {
    await browser.close();
    await server.stop();
    await removeFolders();
}
