// Detection on the page. What a server answers is mocked where a state is hard to bring about.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import * as counts from '../../web/counts.js';
import { launch, openTab } from './browser.mjs';
import { accessibleNames, lowContrast } from './checks.mjs';
import { FRAMES, makeClip } from './clip.mjs';
import { until } from './live_peers.mjs';
import { FAILED, LOADING, READY, linesOf, mockDetection, single } from './mocks.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const PROBLEM = { contentType: 'application/problem+json' };

let browser;
let clip;
let server;
let page;
let close;
let expected;

before(async () => {
    const folder = await makeFolder();
    clip = join(folder, 'clip.mp4');
    await makeClip(clip);
    server = await startServer(folder);
    await fetch(`${server.url}/api/v1/videos?id=stamped&name=stamped.mp4`, { method: 'POST', body: await readFile(clip) });
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await server?.stop();
    await removeFolders();
});

async function openPage(options) {
    ({ page, close } = await openTab(browser, options));
    expected = /^$/;
}

const remember = (values) => page.addInitScript((all) => {
    for (const [key, value] of Object.entries(all)) localStorage.setItem(key, value);
}, values);
const useModel = () => remember({ 'saccade-model': READY.name });
const link = (n) => `${server.url}/#/v/stamped?n=${n}`;
const text = (selector) => page.locator(selector).textContent();

async function boxed(n) {
    await page.waitForFunction((wanted) => document.getElementById('boxes').dataset.n === String(wanted), n);
    assert.equal(await page.locator('#picture').getAttribute('data-n'), String(n));
}

async function pointAt(selector, n) {
    const box = await page.locator(selector).boundingBox();
    const place = { x: box.x + (n + 0.5) / FRAMES * box.width, y: box.y + box.height / 2 };
    await page.mouse.move(place.x, place.y);
    return place;
}

const slideTo = (value) => page.locator('#threshold').evaluate((node, now) => {
    node.value = now;
    node.dispatchEvent(new Event('input'));
}, value);

const counted = (known = FRAMES, timeout = 60000) => page.waitForFunction(
    (wanted) => document.getElementById('chart').getAttribute('aria-label').includes(`: ${wanted} of `), known, { timeout });

// --- counting, without a browser ----------------------------------------------------------

const foundIn = (frames) => {
    const all = new Map(Object.entries(frames).map(([n, classes]) => [Number(n), { detections: classes.map((number) => ({ class: number, label: `c${number}`, score: 0.5 })) }]));
    return { get: (n) => all.get(n), known: () => [...all.keys()].sort((a, b) => a - b) };
};

test('long videos are counted every so many frames, a power of two', () => {
    assert.deepEqual([1, 999, 1000, 1001, 4000, 4001, 100000].map((n) => counts.pace(n, 1000)), [1, 1, 1, 2, 4, 8, 128]);
    const found = foundIn({ 0: [], 4: [], 12: [] });
    assert.deepEqual(counts.missing(found, 0, 20, 4), { from: 8, to: 21, every: 4 });
    assert.deepEqual(counts.missing(found, 1, 4, 4), null);
    assert.deepEqual(counts.missing(found, 9, 12, 4), null);
});

test('layers stand on each other, with gaps where nothing is known', () => {
    const found = foundIn({ 0: [7, 7, 3], 1: [7], 6: [3] });
    const filter = new counts.Filter();
    const times = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    const classes = counts.rank(found, filter);
    assert.deepEqual(classes.map((each) => [each.class, each.total]), [[7, 3], [3, 2]]);
    const { xs, layers } = counts.stack(found, { classes, filter, every: 2, times, duration: 9 });
    assert.deepEqual(xs, [0, 1, 3, 4.5, 6, 8]);
    assert.deepEqual(layers, [[2, 1, 1, null, 0, 0], [3, 1, 1, null, 1, 1]]);
    assert.deepEqual(counts.peak(found, filter), { n: 0, count: 3 });
    filter.hidden.add(7);
    assert.deepEqual(counts.peak(found, filter), { n: 0, count: 1 });
});

test('rare classes share a layer and are hidden together', () => {
    const found = foundIn({ 0: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0] });
    const filter = new counts.Filter();
    const classes = counts.rank(found, filter);
    assert.deepEqual(classes.at(-1), { class: counts.OTHER, label: '4 others', total: 4 });
    filter.named = new Set(classes.map((each) => each.class));
    filter.hidden.add(counts.OTHER);
    assert.equal(counts.peak(found, filter).count, 7);
});

test('a build without the chart library exports null in its place', async () => {
    const folder = await makeFolder();
    await writeFile(join(folder, 'a.txt'), 'a');
    await promisify(execFile)('python3', [join(ROOT, 'tools/embed.py'), folder, join(folder, 'node_modules'), join(folder, 'out.c'), join(folder, 'out.d')]);
    const bytes = [...Buffer.from('export default null;\n')].join(',');
    assert.ok((await readFile(join(folder, 'out.c'), 'utf8')).includes(bytes));
    assert.ok((await readFile(join(folder, 'out.d'), 'utf8')).trim().endsWith(` ${folder}`), 'looks again when it is installed');
});

// --- the page -----------------------------------------------------------------------------

describe('detection, mocked', () => {
    beforeEach(() => openPage());
    afterEach(() => close(expected));

    test('"No detection" comes first; models that cannot be used say why', async () => {
        const asked = await mockDetection(page, { models: [READY, LOADING, FAILED] });
        await page.goto(link(3));
        await page.waitForFunction(() => document.getElementById('model').length === 4);
        const options = await page.locator('#model option').evaluateAll((all) => all.map((one) => [one.textContent, one.disabled]));
        assert.deepEqual(options, [['No detection', false], ['yolox_nano', false], ['large: loading…', true], ['odd: failed, no family fits its outputs', true]]);
        assert.equal(await page.locator('#model').inputValue(), '');
        assert.equal(await page.locator('#counts').isVisible(), false);
        assert.deepEqual(asked, [], 'nothing is asked for without a model');
        await page.locator('#model').selectOption('yolox_nano');
        await boxed(3);
        await page.reload();
        await boxed(3);
        assert.equal(await page.locator('#model').inputValue(), 'yolox_nano');
        await page.locator('#model').selectOption('');
        assert.equal(await page.locator('.box').count(), 0);
        assert.equal(await page.locator('#counts').isVisible(), false);
    });

    test('the address names the model, and is no lasting choice', async () => {
        await mockDetection(page);
        const address = (model) => page.waitForFunction((wanted) => location.hash === `#/v/stamped?n=3${wanted}`, model);
        await page.goto(`${link(3)}&model=${READY.name}`);
        await boxed(3);
        assert.equal(await page.locator('#model').inputValue(), READY.name);
        assert.equal(await page.evaluate(() => localStorage.getItem('saccade-model')), null);
        await page.locator('#model').selectOption('');
        await address('');
        await page.locator('#model').selectOption(READY.name);
        await address(`&model=${READY.name}`);
        await page.goto(`${link(3)}&model=`);
        await page.waitForFunction(() => document.getElementById('model').value === '');
    });

    test('a model that is still loading is used once it is ready', async () => {
        let state = 'loading';
        await mockDetection(page, { models: () => [state === 'ready' ? READY : { ...LOADING, name: READY.name }] });
        await useModel();
        await page.goto(link(3));
        await page.locator('#model-facts', { hasText: 'Loading, one moment' }).waitFor();
        state = 'ready';
        await boxed(3);
    });

    test('boxes lie where the picture has them, at any size of the window', async () => {
        await mockDetection(page);
        await useModel();
        await page.goto(link(40));
        for (const size of [{ width: 1280, height: 800 }, { width: 1500, height: 600 }, { width: 500, height: 900 }]) {
            await page.setViewportSize(size);
            await boxed(40);
            const stage = await page.locator('#picture').boundingBox();
            const scale = Math.min(stage.width / 320, stage.height / 240);
            const [left, top] = [stage.x + (stage.width - 320 * scale) / 2, stage.y + (stage.height - 240 * scale) / 2];
            const box = await page.locator('.box', { hasText: 'bottle' }).boundingBox();
            const wanted = [left + 60 * scale, top + 60 * scale, 40 * scale, 100 * scale];
            [box.x, box.y, box.width, box.height].forEach((value, i) => {
                assert.ok(Math.abs(value - wanted[i]) < 1.5, `${JSON.stringify(box)}, not ${wanted}`);
            });
        }
        const label = await page.locator('.box span', { hasText: 'person' }).boundingBox();
        const stage = await page.locator('#stage').boundingBox();
        assert.ok(label.y >= stage.y - 1, 'the label of a box at the top is on the picture');
    });

    test('the threshold is the model\u2019s, then the user\u2019s, and asks nothing anew', async () => {
        const asked = await mockDetection(page);
        await useModel();
        await page.goto(link(40));
        await boxed(40);
        await counted();
        assert.equal(await text('#threshold-value'), '0.30');
        assert.equal(await text('#found-summary'), '2 objects: bottle 1, person 1');
        const before = asked.length;
        await slideTo(0.05);
        assert.equal(await page.locator('.box').count(), 3);
        await slideTo(0.85);
        assert.equal(await text('#found-summary'), '1 object: bottle 1');
        await page.waitForFunction(() => document.getElementById('counts-status').textContent.startsWith('At most 1,'));
        await slideTo(0.95);
        assert.match(await text('#found-summary'), /^Nothing found/);
        assert.equal(asked.length, before);
        assert.ok(asked.every((url) => url.includes('threshold=0.05')));
        await page.reload();
        await boxed(40);
        assert.equal(await text('#threshold-value'), '0.95');
    });

    test('objects are listed for those who do not see the boxes', async () => {
        await mockDetection(page);
        await useModel();
        await page.goto(link(40));
        await boxed(40);
        const rows = await page.locator('#found li').allTextContents();
        assert.equal(rows.length, 2);
        assert.match(rows[0], /bottle.*90.*40 by 100 pixels, 60 from the left, 60 from the top/s);
        assert.equal(await page.locator('#boxes').getAttribute('aria-hidden'), 'true');
        assert.equal(await page.locator('#found-summary').getAttribute('role'), 'status');
    });

    test('labels of many small boxes wait for the pointer on the list', async () => {
        const detections = Array.from({ length: 12 }, (_, i) => ({ class: 0, label: 'player', score: 0.9, box: [20 * i, 50, 20 * i + 4, 58] }));
        const body = `${JSON.stringify({ n: 40, t: 1.6, width: 320, height: 240, model: READY.name, detections })}\n`;
        await mockDetection(page, { answer: (route) => route.fulfill({ body }).then(() => true) });
        await useModel();
        await page.goto(link(40));
        await boxed(40);
        const labels = () => page.locator('.box span').evaluateAll((all) => all.filter((one) => one.checkVisibility()).length);
        assert.equal(await labels(), 0);
        await page.locator('#found li').first().hover();
        assert.equal(await labels(), 1);
    });

    test('b hides the boxes and shows them, but not while typing', async () => {
        await mockDetection(page);
        await useModel();
        await page.goto(link(40));
        await boxed(40);
        await page.keyboard.press('b');
        assert.equal(await page.locator('.box').first().isVisible(), false);
        assert.equal(await page.locator('#boxes-on').isChecked(), false);
        await page.reload();
        await boxed(40);
        assert.equal(await page.locator('.box').first().isVisible(), false, 'it is remembered');
        await page.locator('#jump-to').press('b');
        assert.equal(await page.locator('#boxes-on').isChecked(), false);
        await page.locator('#boxes-on').check();
        assert.equal(await page.locator('.box').first().isVisible(), true);
    });

    test('frames passed over are not waited for, and boxes are never another frame\u2019s', async () => {
        const held = [];
        let hold = true;
        await mockDetection(page, { answer: (route, url) => hold && single(url) && held.push(route) });
        await remember({ 'saccade-model': READY.name, 'saccade-chart-folded': '1' });
        const cut = [], asksFor = (n) => (route) => new URL(route.request().url()).searchParams.get('from') === String(n);
        page.on('requestfailed', (request) => { if (request.url().includes('/detections?')) cut.push(request.failure().errorText); });
        await page.goto(link(0));
        await page.waitForFunction(() => document.getElementById('picture').dataset.n === '0');
        await page.evaluate(() => {
            window.wrong = [];
            (function watch() {
                const [boxes, picture] = [document.getElementById('boxes'), document.getElementById('picture')];
                if (boxes.childElementCount && boxes.dataset.n !== picture.dataset.n) window.wrong.push([boxes.dataset.n, picture.dataset.n]);
                requestAnimationFrame(watch);
            })();
        });
        for (let n = 1; n <= 20; n++) {
            await page.keyboard.press('ArrowRight');
            await page.waitForFunction((wanted) => document.getElementById('picture').dataset.n === String(wanted), n);
            if (n % 5 === 0) await until(() => held.some(asksFor(n)), `a rest at ${n} asks for its boxes`);
        }
        await until(() => held.length - cut.length <= 1, 'the others are aborted');
        hold = false;
        await page.keyboard.press('ArrowRight');
        await boxed(21);
        for (let i = 0; i < 30; i++) await pointAt('#timeline canvas', (i * 37) % FRAMES);
        await pointAt('#timeline canvas', 90);
        await boxed(90);
        assert.deepEqual(await page.evaluate('window.wrong'), []);
    });

    test('the chart counts the video; a click on it goes to the frame', async () => {
        const asked = await mockDetection(page);
        await useModel();
        await page.goto(link(10));
        await counted();
        assert.equal(await text('#counts-status'), 'At most 2, at frame 25');
        assert.deepEqual(await page.locator('#class-list button').allTextContents(), ['bottle', 'person']);
        const place = await pointAt('#chart', 80);
        await page.mouse.click(place.x, place.y);
        await page.mouse.move(600, 300);
        await boxed(80);
        const [cursor, chart] = [await page.locator('.u-cursor-x').boundingBox(), await page.locator('#chart').boundingBox()];
        const at = (cursor.x + cursor.width - chart.x) / chart.width * FRAMES;
        assert.ok(Math.abs(at - 80) < 1, `the cursor stands at ${at}`);
        const whole = asked.filter((url) => !single(url));
        assert.equal(whole.length, 1);
        assert.equal(new URL(whole[0]).searchParams.get('to'), String(FRAMES));
    });

    test('a long video is counted coarsely, and finer where the timeline is zoomed', async () => {
        expected = /status of 416/; // the clip has fewer frames than its index says here
        const long = 5000;
        const asked = await mockDetection(page, { last: long - 1 });
        const times = Array.from({ length: long }, (_, n) => n / 25);
        await page.route('**/videos/stamped/index?*', (route) => route.fulfill({ json: { times, keyframes: [0], next: null, cached: [] } }));
        await useModel();
        await page.goto(link(16)); // one of the eighths, so that the picture's own boxes are none more
        await counted(long / 8);
        assert.match(await text('#counts-status'), /every 8th frame; zoom in for more/);
        await pointAt('#timeline canvas', FRAMES / 2);
        await page.mouse.wheel(0, -1500);
        await page.getByRole('button', { name: 'Show the whole video' }).waitFor();
        await page.waitForFunction(() => !/zoom in|Counting/.test(document.getElementById('counts-status').textContent));
        const parts = asked.filter((url) => !single(url)).map((url) => new URL(url).searchParams);
        assert.deepEqual(parts.map((query) => query.get('every')), ['8', null]);
        const [from, to] = [Number(parts[1].get('from')), Number(parts[1].get('to'))];
        assert.ok(from > 2000 && to < 3000 && to - from < 1000, `${from} to ${to}`);
        await page.getByRole('button', { name: 'Show the whole video' }).click();
        await page.getByText('every 8th frame; zoom in for more').waitFor();
        assert.equal(asked.filter((url) => !single(url)).length, 2);
    });

    test('classes are hidden and shown, in the chart and on the picture', async () => {
        await mockDetection(page);
        await useModel();
        await page.goto(link(30));
        await counted();
        await page.locator('#class-list button', { hasText: 'bottle' }).click();
        await page.waitForFunction(() => document.getElementById('counts-status').textContent.startsWith('At most 1,'));
        assert.equal(await text('#found-summary'), '1 object: person 1');
        assert.equal(await page.locator('#class-list button', { hasText: 'bottle' }).getAttribute('aria-pressed'), 'false');
    });

    test('the chart grows while its answer is on the way, and stops with the model', async () => {
        await mockDetection(page);
        await useModel();
        await page.addInitScript(() => {
            const real = window.fetch;
            window.fetch = (path, options) => {
                const query = new URLSearchParams(String(path).split('?')[1]);
                if (!String(path).includes('/detections?') || Number(query.get('from')) + 1 === Number(query.get('to'))) return real(path, options);
                const body = new ReadableStream({ start(control) { window.slow = { control, signal: options.signal }; } });
                return Promise.resolve(new Response(body));
            };
        });
        await page.goto(link(60));
        await boxed(60);
        await page.waitForFunction(() => window.slow);
        const lines = linesOf(`${server.url}/?from=0&to=10`, FRAMES - 1);
        // The last line comes in two parts.
        await page.evaluate((some) => window.slow.control.enqueue(new TextEncoder().encode(some)), lines.slice(0, -20));
        await counted(10);
        assert.match(await text('#counts-status'), /^Counting… \d/);
        await page.evaluate((some) => window.slow.control.enqueue(new TextEncoder().encode(some)), lines.slice(-20));
        await counted(11);
        await page.locator('#model').selectOption('');
        assert.equal(await page.evaluate('window.slow.signal.aborted'), true);
    });

    test('a model chosen beside a still picture gets a chart of the whole video', async () => {
        await mockDetection(page);
        await page.goto(link(60));
        await page.waitForTimeout(2000); // until nothing moves any more
        await page.locator('#model').selectOption(READY.name);
        await counted();
        const drawn = () => page.evaluate(() => document.querySelector('#chart canvas').toDataURL());
        await page.waitForTimeout(500);
        const still = await drawn();
        await page.keyboard.press('ArrowRight');
        await boxed(61);
        await page.waitForTimeout(500);
        assert.equal(await drawn(), still);
    });

    test('a folded chart counts nothing', async () => {
        const asked = await mockDetection(page);
        await useModel();
        await page.goto(link(60));
        await counted();
        await page.getByRole('button', { name: 'Objects over time' }).click();
        assert.equal(await page.locator('#chart').isVisible(), false);
        asked.length = 0;
        await page.reload();
        await boxed(60);
        assert.deepEqual(asked.filter((url) => !single(url)), []);
        await page.getByRole('button', { name: 'Objects over time' }).click();
        await counted();
    });

    test('what was counted is not asked for again', async () => {
        const asked = await mockDetection(page);
        await useModel();
        await page.goto(link(60));
        await counted();
        await page.locator('.brand').click();
        await page.locator('.video a').click();
        await counted();
        assert.equal(asked.filter((url) => !single(url)).length, 1);
    });

    test('a busy server is asked again', async () => {
        expected = /status of 429/;
        let busy = true;
        await mockDetection(page, { answer: (route, url) => single(url) && busy
            && route.fulfill({ status: 429, headers: { 'Retry-After': '1' }, ...PROBLEM, json: { title: 'Too many requests' } }).then(() => true) });
        await remember({ 'saccade-model': READY.name, 'saccade-chart-folded': '1' });
        await page.goto(link(40));
        await page.getByText('The server is busy; asking again').waitFor();
        busy = false;
        await boxed(40);
    });

    test('a frame that cannot be decoded says so, and the count goes on', async () => {
        const error = { title: 'Unprocessable Content', status: 422, detail: 'packet 40 is damaged' };
        const body = linesOf(`${server.url}/?from=0`, FRAMES - 1).replace(/^{"n":40,.*$/m, JSON.stringify({ n: 40, t: 1.6, error }));
        await mockDetection(page, { answer: (route, url) => route.fulfill({ body: single(url) ? `${body.split('\n')[40]}\n` : body }).then(() => true) });
        await useModel();
        await page.goto(link(40));
        await page.locator('#found-summary.trouble', { hasText: 'packet 40 is damaged' }).waitFor();
        await counted();
    });

    test('a model that is replaced is asked anew', async () => {
        let model = READY;
        const asked = await mockDetection(page, { models: () => [model] });
        await useModel();
        await page.goto(link(40));
        await counted();
        model = { ...READY, state: 'loading' };
        await page.getByRole('button', { name: 'Add a model' }).click();
        await page.locator('#model-list', { hasText: 'its new file is being loaded' }).waitFor();
        assert.equal(asked.filter((url) => !single(url)).length, 1);
        model = { ...READY, generation: 2 };
        const again = page.waitForRequest((request) => request.url().includes('/detections?'));
        await page.locator('#model-list', { hasText: 'new file' }).waitFor({ state: 'detached' });
        await again;
        await boxed(40);
    });

    test('without ONNX Runtime the page says how to get it', async () => {
        expected = /status of 501/;
        const json = { title: 'Not Implemented', field: 'model', detail: 'ONNX Runtime was not found: run `npm ci`' };
        await mockDetection(page, { answer: (route) => route.fulfill({ status: 501, ...PROBLEM, json }).then(() => true) });
        await useModel();
        await page.goto(link(40));
        await page.locator('#found-summary.trouble').waitFor();
        assert.match(await text('#found-summary'), /ONNX Runtime was not found.*npm ci.*saccade doctor/);
        await page.waitForFunction(() => document.getElementById('counts-status').textContent.startsWith('Counting stopped'));
    });

    test('a build without the chart says so, and still draws boxes', async () => {
        await mockDetection(page);
        await page.route('**/uplot.js', (route) => route.fulfill({ contentType: 'text/javascript', body: 'export default null;' }));
        await useModel();
        await page.goto(link(40));
        await boxed(40);
        await page.getByText('This build has no chart: run “npm ci”').waitFor();
        await page.keyboard.press('+');
        await page.waitForTimeout(600);
        assert.match(await text('#counts-status'), /no chart/, 'nothing is counted for a chart that is not there');
    });

    test('a model is added, watched while it loads, and used', async () => {
        const list = [];
        let form;
        await mockDetection(page, { models: () => list });
        await page.route('**/api/v1/models', (route) => {
            if (route.request().method() === 'GET') return route.fallback();
            form = route.request().postDataBuffer().toString('latin1');
            list.push({ ...LOADING, name: 'my_model' });
            return route.fulfill({ status: 202, json: list[0] });
        });
        await page.goto(link(40));
        await page.getByText('No models yet').waitFor();
        await page.getByRole('button', { name: 'Add a model' }).click();
        await page.locator('#model-file').setInputFiles({ name: 'my model.onnx', mimeType: '', buffer: Buffer.from('weights') });
        await page.locator('#model-labels').setInputFiles({ name: 'labels.txt', mimeType: 'text/plain', buffer: Buffer.from('cat\ndog\n') });
        assert.equal(await page.locator('#model-name').inputValue(), 'my_model');
        assert.deepEqual(await page.evaluate(accessibleNames), []);
        assert.deepEqual(await page.evaluate(lowContrast), []);
        await page.locator('#model-name').press('Enter');
        await page.getByText('loading the model').waitFor();
        list[0] = { ...READY, name: 'my_model' };
        await page.locator('#model-dialog').waitFor({ state: 'hidden' });
        assert.equal(await page.locator('#model').inputValue(), 'my_model');
        await boxed(40);
        assert.match(form, /name="name"\r\n\r\nmy_model\r\n/);
        assert.match(form, /name="file"; filename="my model.onnx"[\s\S]*weights/);
        assert.match(form, /name="labels"; filename="labels.txt"[\s\S]*cat\ndog\n/);
    });

    test('a model that cannot be used stays in its form, with the reason', async () => {
        expected = /status of 409/;
        let answer = { status: 409, json: { title: 'Taken', detail: 'there is a model of this name' } };
        await mockDetection(page, { models: () => (answer.status === 202 ? [FAILED] : []) });
        await page.route('**/api/v1/models', (route) => (route.request().method() === 'GET' ? route.fallback() : route.fulfill(answer)));
        await page.goto(link(40));
        await page.getByRole('button', { name: 'Add a model' }).click();
        await page.locator('#model-file').setInputFiles({ name: 'odd.onnx', mimeType: '', buffer: Buffer.from('weights') });
        await page.getByRole('button', { name: 'Upload', exact: true }).last().click();
        await page.getByText('there is a model of this name').waitFor();
        answer = { status: 202, json: FAILED };
        await page.getByRole('button', { name: 'Upload', exact: true }).last().click();
        await page.locator('#model-status', { hasText: 'no family fits its outputs' }).waitFor();
        assert.equal(await page.locator('#model-name').inputValue(), 'odd', 'nothing has to be typed again');
        const deleted = page.waitForRequest((request) => request.method() === 'DELETE' && request.url().endsWith('/api/v1/models/odd'));
        await page.route('**/api/v1/models/odd', (route) => route.fulfill({ status: 204 }));
        await page.getByRole('button', { name: 'Delete odd' }).click();
        answer = { status: 409 };
        await page.locator('#confirm').getByRole('button', { name: 'Delete' }).click();
        await deleted;
        await page.locator('#model-list li').waitFor({ state: 'detached' });
    });

    for (const [name, options] of [
        ['wide, light', {}], ['wide, dark', { colorScheme: 'dark' }],
        ['phone, light', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }],
        ['phone, dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
    ]) {
        test(`${name}: everything is named, readable and on the screen`, async () => {
            await close(expected);
            await openPage(options);
            await mockDetection(page);
            await useModel();
            await page.goto(link(30));
            await boxed(30);
            await counted();
            assert.deepEqual(await page.evaluate(accessibleNames), []);
            assert.deepEqual(await page.evaluate(lowContrast), []);
            const [inner, scroll] = await page.evaluate('[innerWidth, document.documentElement.scrollWidth]');
            assert.ok(scroll <= inner, `${scroll} > ${inner}`);
        });
    }
});

// --- with a real model --------------------------------------------------------------------

const MEDIA = join(ROOT, '../shared/media');
const lacking = [join(MEDIA, 'yolox_nano.onnx'), join(MEDIA, 'bottle-detection.mp4'), join(ROOT, 'node_modules/onnxruntime-node')]
    .filter((path) => !existsSync(path));

test('a server without ONNX Runtime says where a model is added what to do', async () => {
    const bare = await startServer(await makeFolder(), '--models-library', '/nowhere/libonnxruntime.so.1');
    await openPage();
    try {
        await fetch(`${bare.url}/api/v1/videos?id=stamped`, { method: 'POST', body: await readFile(clip) });
        await page.goto(`${bare.url}/#/v/stamped?n=3`);
        await page.getByRole('button', { name: 'Add a model' }).click();
        await page.locator('#model-file').setInputFiles({ name: 'any.onnx', mimeType: '', buffer: Buffer.from('any') });
        await page.locator('#model-form').getByRole('button', { name: 'Upload' }).click();
        await page.locator('#model-status[data-state="failed"]', { hasText: /ONNX Runtime cannot be opened.*name another library/ }).waitFor();
    } finally {
        await close(/^$/);
        await bare.stop();
    }
});

describe('detection, for real', { skip: lacking.length ? `${lacking} is not here` : false }, () => {
    before(async () => {
        const bottles = join(await makeFolder(), 'bottles.mp4');
        await promisify(execFile)('ffmpeg', ['-v', 'error', '-i', join(MEDIA, 'bottle-detection.mp4'), '-frames:v', '60', '-c', 'copy', bottles]);
        await fetch(`${server.url}/api/v1/videos?id=bottles&name=bottles.mp4`, { method: 'POST', body: await readFile(bottles) });
        const form = new FormData();
        form.set('name', READY.name);
        form.set('file', new Blob([await readFile(join(MEDIA, 'yolox_nano.onnx'))]), 'yolox_nano.onnx');
        await fetch(`${server.url}/api/v1/models`, { method: 'POST', body: form });
    });
    beforeEach(() => openPage());
    afterEach(() => close(expected));

    async function add(file) {
        await page.getByRole('button', { name: 'Add a model' }).click();
        await page.locator('#model-file').setInputFiles(file);
        await page.locator('#model-form').getByRole('button', { name: 'Upload' }).click();
    }

    test('a model is added by the page, and its boxes are those of the API', async () => {
        await page.goto(`${server.url}/#/v/bottles?n=20`);
        await add({ name: 'added.onnx', mimeType: '', buffer: await readFile(join(MEDIA, 'yolox_nano.onnx')) });
        await page.locator('#model-dialog').waitFor({ state: 'hidden' });
        await boxed(20);
        const answer = await fetch(`${server.url}/api/v1/videos/bottles/detections?from=20&to=21&model=added`);
        const { width, detections } = JSON.parse(await answer.text());
        assert.ok(detections.filter((one) => one.label === 'bottle').length >= 2, 'there are bottles');
        const shown = await page.locator('.box').evaluateAll((all) => all.map((one) => [one.textContent, parseFloat(one.style.left)]));
        const wanted = detections.map((one) => [`${one.label} ${Math.round(100 * one.score)}\u202f%`, 100 * one.box[0] / width]).reverse();
        assert.deepEqual(shown.map(([label]) => label), wanted.map(([label]) => label));
        shown.forEach(([, left], i) => assert.ok(Math.abs(left - wanted[i][1]) < 0.01));
    });

    test('all frames are counted, and the boxes follow the scrubber', async () => {
        await useModel();
        await page.goto(`${server.url}/#/v/bottles?n=0`);
        const { frames } = await (await fetch(`${server.url}/api/v1/videos/bottles`)).json();
        await counted(frames, 60000);
        assert.ok((await page.locator('#class-list button').allTextContents()).includes('bottle'));
        for (const n of [1, 2, 3]) {
            await page.keyboard.press('ArrowRight');
            await boxed(n);
            assert.ok(await page.locator('.box', { hasText: 'bottle' }).count() >= 2);
        }
    });

    test('a file that is no model is refused with a reason', async () => {
        await page.goto(`${server.url}/#/v/bottles?n=0`);
        await add({ name: 'text.onnx', mimeType: '', buffer: Buffer.from('this is no model') });
        await page.locator('#model-status[data-state="failed"]').waitFor();
        assert.match(await text('#model-status'), /text cannot be used\. .*Protobuf/);
        await page.getByRole('button', { name: 'Delete text' }).click();
        await page.locator('#confirm').getByRole('button', { name: 'Delete' }).click();
        await page.locator('#model-list', { hasText: 'text' }).waitFor({ state: 'detached' });
        const { models } = await (await fetch(`${server.url}/api/v1/models`)).json();
        assert.ok(models.every((model) => model.name !== 'text'));
    });
});
