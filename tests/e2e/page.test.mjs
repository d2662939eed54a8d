// The page at /, in a real browser on a real server.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { launch, openTab } from './browser.mjs';
import { accessibleNames, lowContrast } from './checks.mjs';
import { FPS, FRAMES, GOP, makeClip, readStamp } from './clip.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const LAST = FRAMES - 1;

let browser;
let clip;
let server;
let page;
let close;
let expected; // console errors that the test brings about itself

before(async () => {
    clip = join(await makeFolder(), 'stamped clip.mp4');
    await makeClip(clip);
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await removeFolders();
});

async function openPage(options) {
    ({ page, close } = await openTab(browser, options));
    expected = /^$/;
}

const closePage = () => close(expected);

async function upload(id) {
    const answer = await fetch(`${server.url}/api/v1/videos?id=${id}&name=${id}.mp4`, { method: 'POST', body: await readFile(clip) });
    assert.equal(answer.status, 201);
}

const removeAll = async () => {
    const { videos } = await (await fetch(`${server.url}/api/v1/videos`)).json();
    for (const { id } of videos) await fetch(`${server.url}/api/v1/videos/${id}`, { method: 'DELETE' });
};

// The picture rests: it is the full one of frame n, and its stamp, number and time say so.
async function shows(n) {
    await page.waitForFunction((wanted) => {
        const canvas = document.getElementById('picture');
        return canvas.dataset.n === String(wanted) && canvas.dataset.width === String(canvas.width);
    }, n);
    assert.equal(await page.locator('#picture').evaluate(readStamp), n, `the picture is frame ${n}`);
    assert.equal(await page.locator('#shown-n').textContent(), String(n));
    assert.equal(Number(await page.locator('#shown-time').textContent()), n / FPS);
}

async function pointAt(n) {
    const box = await page.locator('#timeline canvas').boundingBox();
    const x = box.x + (n + 0.5) / FRAMES * box.width;
    await page.mouse.move(x, box.y + box.height / 2);
    return { x, y: box.y + box.height / 2 };
}

const dropFiles = (files) => page.evaluate((list) => {
    const data = new DataTransfer();
    for (const { name, base64 } of list) {
        data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    }
    const event = (type) => new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
    const target = document.getElementById('main');
    for (const type of ['dragenter', 'dragover', 'drop']) target.dispatchEvent(event(type));
}, files);

const asFile = async (path, name) => ({ name, base64: (await readFile(path)).toString('base64') });
const textFile = (name) => ({ name, base64: Buffer.from('This is no video.\n'.repeat(50)).toString('base64') });

test('all of the page is under 200 kB, compressed', async () => {
    const names = await readdir(join(ROOT, 'web'));
    const files = [...names.map((name) => join(ROOT, 'web', name)), ...['uPlot.iife.min.js', 'uPlot.min.css'].map((name) => join(ROOT, 'node_modules/uplot/dist', name))];
    const sizes = await Promise.all(files.map(async (path) => gzipSync(await readFile(path).catch(() => '')).length));
    assert.ok(sizes.reduce((sum, size) => sum + size) < 200000, `${sizes}`);
});

describe('an empty server', () => {
    before(async () => { server = await startServer(await makeFolder()); });
    after(() => server.stop());
    beforeEach(() => openPage());
    afterEach(async () => {
        await closePage();
        await removeAll();
    });

    test('the first load takes less than 200 kB', async () => {
        await page.goto(server.url);
        await page.getByText('Drop a video here.').waitFor();
        const sizes = await page.evaluate(() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map(({ encodedBodySize }) => encodedBodySize));
        assert.ok(sizes.length > 10 && sizes.every((size) => size > 0), `${sizes}`);
        assert.ok(sizes.reduce((sum, size) => sum + size) < 200000, `${sizes}`);
    });

    test('invites to drop a file, and loads nothing from elsewhere', async () => {
        const origins = new Set();
        page.on('request', (request) => { if (/^http/.test(request.url())) origins.add(new URL(request.url()).origin); });
        await page.goto(server.url);
        await page.getByText('Drop a video here.').waitFor();
        assert.match(await page.locator('#curl').textContent(), new RegExp(`^curl .*"${server.url}/api/v1/videos`));
        assert.deepEqual([...origins], [server.url]);
    });

    test('the curl command of the page works', async () => {
        await page.goto(server.url);
        const { execFileSync } = await import('node:child_process');
        const command = (await page.locator('#curl').textContent()).replace('clip.mp4', `'${clip}'`);
        const video = JSON.parse(execFileSync('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] }));
        assert.equal(video.id, 'clip');
        assert.equal(video.frames, FRAMES);
    });

    test('one file chosen is uploaded, opened and listed', async () => {
        await page.goto(server.url);
        await page.locator('#files').setInputFiles(clip);
        await page.waitForURL(/#\/v\//);
        await shows(0);
        const card = page.locator('.video');
        assert.match(await card.textContent(), /stamped clip\.mp4/);
        assert.match(await card.textContent(), /320×240/);
        assert.match(await card.textContent(), /125 frames/);
        assert.match(await card.textContent(), /h264/);
        await page.locator('.brand').click();
        await page.waitForFunction(() => document.querySelector('.thumb img')?.naturalWidth === 160);
        assert.equal(await page.locator('#uploads').isVisible(), false, 'nothing is left in the queue');
    });

    test('several files dropped are queued; a bad one says what is wrong', async () => {
        expected = /status of 4\d\d/;
        await page.goto(server.url);
        await page.getByText('Drop a video here.').waitFor();
        await dropFiles([await asFile(clip, 'one.mp4'), textFile('notes.mp4'), await asFile(clip, 'two.mp4')]);
        const problem = page.locator('[data-state="failed"] .problem');
        await problem.waitFor();
        await page.locator('.video', { hasText: 'two.mp4' }).waitFor();
        await page.locator('.video', { hasText: 'one.mp4' }).waitFor();
        assert.equal(await page.locator('.upload').count(), 1);
        assert.match(await problem.locator('strong').textContent(), /\w{4}/);
        assert.match(await problem.locator('.advice').textContent(), /Check the file|Convert/);
        await page.getByRole('button', { name: 'Dismiss notes.mp4' }).click();
        assert.equal(await page.locator('#uploads').isVisible(), false);
    });

    test('an upload can be cancelled, and leaves nothing', async () => {
        await page.goto(server.url);
        const session = await page.context().newCDPSession(page);
        await session.send('Network.enable');
        // It takes a quarter of a minute, so that there is time to cancel it.
        await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 15000 });
        await page.locator('#files').setInputFiles(clip);
        await page.getByText(/\/s, .* left/).waitFor();
        await page.getByRole('button', { name: /^Cancel/ }).click();
        await page.locator('.upload').waitFor({ state: 'detached' });
        const { videos } = await (await fetch(`${server.url}/api/v1/videos`)).json();
        assert.deepEqual(videos, []);
    });
});

describe('the scrubber', () => {
    const link = (n) => `${server.url}/#/v/stamped?n=${n}`;

    before(async () => {
        server = await startServer(await makeFolder());
        await upload('stamped');
    });
    after(() => server.stop());
    beforeEach(() => openPage({ permissions: ['clipboard-read', 'clipboard-write'] }));
    afterEach(closePage);

    test('a deep link opens its frame', async () => {
        await page.goto(link(77));
        await shows(77);
        await page.goto(link(78));
        await shows(78);
    });

    test('the picture is the one that the API gives', async () => {
        await page.goto(link(63));
        await shows(63);
        const same = await page.evaluate(async () => {
            const shown = document.getElementById('picture');
            const answer = await fetch(`/api/v1/videos/stamped/frame?n=63&w=${shown.width}`);
            const bitmap = await createImageBitmap(await answer.blob());
            const canvas = new OffscreenCanvas(shown.width, shown.height);
            canvas.getContext('2d').drawImage(bitmap, 0, 0);
            const pixels = (one) => one.getContext('2d').getImageData(0, 0, shown.width, shown.height).data;
            const [a, b] = [pixels(shown), pixels(canvas)];
            return bitmap.width === shown.width && a.every((value, i) => value === b[i]);
        });
        assert.ok(same);
    });

    test('keys step frame by frame, by ten, by keyframe and to the ends', async () => {
        await page.goto(link(60));
        await shows(60);
        const steps = [['ArrowRight', 61], ['ArrowLeft', 60], ['Shift+ArrowRight', 70], ['Shift+ArrowLeft', 60],
            ['PageDown', 3 * GOP], ['PageUp', 2 * GOP], ['PageUp', GOP], ['End', LAST], ['ArrowRight', LAST],
            ['Home', 0], ['ArrowLeft', 0]];
        for (const [key, n] of steps) {
            await page.keyboard.press(key);
            await shows(n);
        }
        await page.locator('#timeline').focus();
        await page.keyboard.press('ArrowUp');
        await shows(1);
        assert.equal(await page.locator('#timeline').getAttribute('aria-valuenow'), '1');
        assert.match(await page.locator('#timeline').getAttribute('aria-valuetext'), /^Frame 1, 0\.04\d* seconds/);
        await page.waitForURL(/\?n=1$/);
    });

    test('buttons do the same, and keyframes are marked', async () => {
        await page.goto(link(60));
        await page.getByRole('button', { name: 'Previous keyframe' }).click();
        await shows(2 * GOP);
        assert.equal(await page.locator('#chip-key').isVisible(), true);
        await page.getByRole('button', { name: 'Next frame' }).click();
        await shows(2 * GOP + 1);
        assert.equal(await page.locator('#chip-key').isVisible(), false);
        await page.locator('.cell.here', { hasText: String(2 * GOP + 1) }).waitFor();
        await page.locator('.cell', { hasText: String(2 * GOP + 3) }).click();
        await shows(2 * GOP + 3);
    });

    test('the frame under the pointer is shown, and the chosen one comes back', async () => {
        await page.goto(link(10));
        await shows(10);
        for (const n of [100, 3, 57, LAST, 0, 64]) {
            await pointAt(n);
            await shows(n);
        }
        await page.mouse.move(600, 300);
        await shows(10);
    });

    test('a click and a drag choose', async () => {
        await page.goto(link(10));
        await shows(10);
        const place = await pointAt(90);
        await page.mouse.click(place.x, place.y);
        await page.mouse.move(600, 300);
        await shows(90);
        await pointAt(30);
        await page.mouse.down();
        for (const n of [40, 50, 60, 71]) await pointAt(n);
        await page.mouse.up();
        await page.mouse.move(600, 300);
        await shows(71);
    });

    test('the timeline zooms where the pointer is, down to single frames', async () => {
        await page.goto(link(64));
        await shows(64);
        await pointAt(64);
        await page.mouse.wheel(0, -4000);
        await page.getByRole('button', { name: 'Show the whole video' }).waitFor();
        const box = await page.locator('#timeline canvas').boundingBox();
        const seen = new Set();
        for (let x = 1; x < box.width; x += box.width / 30) {
            await page.mouse.move(box.x + x, box.y + 30);
            seen.add(Number((await page.locator('#bubble').textContent()).split(' ')[0]));
        }
        const frames = [...seen];
        assert.ok(frames.length >= 11 && frames.length <= 14, `${frames}`);
        assert.equal(Math.max(...frames) - Math.min(...frames), frames.length - 1, 'none is left out');
        await page.mouse.move(600, 300);
        await page.keyboard.press('End');
        await shows(LAST);
        await page.mouse.move(box.x + box.width - 3, box.y + 30);
        await shows(LAST);
        await page.getByRole('button', { name: 'Show the whole video' }).click();
        await pointAt(30);
        await shows(30);
    });

    test('while the pointer races, number and picture agree, with two requests at most', async () => {
        await page.addInitScript(() => {
            window.inFlight = { now: 0, most: 0 };
            const real = window.fetch;
            window.fetch = async (path, options) => {
                if (!String(path).includes('/frame?')) return real(path, options);
                window.inFlight.most = Math.max(window.inFlight.most, ++window.inFlight.now);
                let over = false;
                const end = () => {
                    window.inFlight.now -= over ? 0 : 1;
                    over = true;
                };
                options.signal.addEventListener('abort', end);
                try { return await real(path, options); } finally { end(); }
            };
        });
        await page.goto(link(0));
        await shows(0);
        await page.evaluate(`window.readStamp = ${readStamp}; window.disagreements = [];
            (function look() {
                const canvas = document.getElementById('picture');
                const stamp = window.readStamp(canvas);
                if (String(stamp) !== canvas.dataset.n) window.disagreements.push([stamp, canvas.dataset.n]);
                requestAnimationFrame(look);
            })();`);
        for (let i = 0; i < 60; i++) await pointAt((i * 37) % FRAMES);
        await pointAt(42);
        await shows(42);
        assert.deepEqual(await page.evaluate('window.disagreements'), []);
        const most = await page.evaluate('window.inFlight.most');
        assert.ok(most >= 1 && most <= 2, `${most} in flight`);
    });

    test('an older answer never replaces a newer one', async () => {
        await page.goto(link(0));
        await shows(0);
        let take;
        const asked = new Promise((done) => { take = done; });
        await page.route(/frame\?n=80&/, take);
        await pointAt(80);
        const held = await asked;
        await pointAt(20);
        await shows(20);
        await held.continue().catch(() => {});
        await page.waitForTimeout(300);
        await shows(20);
    });

    test('a typed frame or time jumps; nonsense and places beyond the end are explained', async () => {
        expected = /status of 416/;
        await page.goto(link(0));
        await shows(0);
        const go = async (text) => {
            await page.locator('#jump-to').fill(text);
            await page.locator('#jump-to').press('Enter');
        };
        for (const [text, n] of [['17', 17], ['1.0', 25], ['2.04 s', 51], ['0:03.48', 87], ['3s', 75], ['#9', 9]]) {
            await go(text);
            await shows(n);
        }
        for (const text of ['125', 'soon', '99.5']) {
            await go(text);
            await page.locator('#jump-error').waitFor();
            assert.match(await page.locator('#jump-error').textContent(), /\w{4}/);
            await page.locator('#jump-to').fill('');
        }
        await shows(9);
    });

    test('who goes on while the server looks a time up stays there', async () => {
        await page.goto(link(0));
        await shows(0);
        let take;
        const asked = new Promise((done) => { take = done; });
        await page.route(/frame\?t=/, take);
        await page.locator('#jump-to').fill('2.04 s');
        await page.locator('#jump-to').press('Enter');
        const held = await asked;
        await page.getByRole('button', { name: 'Next frame' }).click();
        await shows(1);
        const answered = page.waitForResponse(/frame\?t=/);
        await held.continue();
        await (await answered).finished();
        await page.waitForTimeout(300);
        await shows(1);
    });

    test('the URL of the frame and its downloads are that frame', async () => {
        await page.goto(link(33));
        await shows(33);
        await page.getByRole('button', { name: 'Frame URL' }).click();
        await page.locator('#toast', { hasText: 'Frame URL copied' }).waitFor({ state: 'attached' });
        const url = await page.evaluate('navigator.clipboard.readText()');
        const answer = await fetch(url);
        assert.equal(answer.headers.get('X-Frame-Number'), '33');
        for (const [name, suffix, magic] of [['JPEG', 'jpg', 'ffd8ff'], ['PNG', 'png', '89504e47']]) {
            const coming = page.waitForEvent('download');
            await page.getByRole('button', { name: `Download this frame as ${name}` }).click();
            const download = await coming;
            assert.equal(download.suggestedFilename(), `stamped-000033.${suffix}`);
            const body = await readFile(await download.path());
            assert.equal(body.subarray(0, magic.length / 2).toString('hex'), magic);
        }
    });

    test('the cache state comes from the server', async () => {
        await upload('fresh');
        await page.goto(`${server.url}/#/v/fresh?n=110`);
        await shows(110);
        assert.match(await page.locator('#chip-cache').textContent(), /^MISS \d+\.\d ms$/);
        await page.reload();
        await shows(110);
        assert.match(await page.locator('#chip-cache').textContent(), /^HIT (< )?\d+\.\d ms$/);
        await page.goto('about:blank');
        await fetch(`${server.url}/api/v1/videos/fresh`, { method: 'DELETE' });
    });

    test('nothing shifts while the page loads and frames are stepped through', async () => {
        await page.addInitScript(() => {
            window.shift = 0;
            window.shifted = [];
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) {
                    window.shift += entry.value;
                    window.shifted.push(...entry.sources.map(({ node }) => node?.id || node?.className));
                }
            }).observe({ type: 'layout-shift', buffered: true });
        });
        await page.goto(link(5));
        await shows(5);
        for (let n = 6; n < 12; n++) {
            await page.keyboard.press('ArrowRight');
            await shows(n);
        }
        assert.ok(await page.evaluate('window.shift') < 0.02, `shifted: ${await page.evaluate('window.shifted')}`);
    });

    test('a video that comes later than the list is not shown before it is there', async () => {
        let release;
        const held = new Promise((done) => { release = done; });
        await page.route(/\/index\?/, (route) => held.then(() => route.continue()).catch(() => {}));
        await page.goto(link(5));
        await page.locator('.video').waitFor({ state: 'attached' });
        assert.equal(await page.locator('#picture').isVisible(), false);
        await page.goto(`${server.url}/#/`);
        await page.locator('.video').waitFor();
        await page.goto(link(6));
        release();
        await shows(6);
        assert.equal(await page.locator('#picture').isVisible(), true);
    });

    for (const [name, options] of [
        ['wide, light', { colorScheme: 'light' }],
        ['wide, dark', { colorScheme: 'dark' }],
        ['phone, light', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }],
        ['phone, dark', { viewport: { width: 390, height: 844 }, colorScheme: 'dark' }],
    ]) {
        test(`${name}: everything is named, readable and on the screen`, async () => {
            await closePage();
            await openPage(options);
            for (const path of ['/#/v/stamped?n=50', '/#/']) {
                await page.goto(server.url + path);
                await page.locator('.video').waitFor();
                if (path.includes('stamped')) await shows(50);
                assert.deepEqual(await page.evaluate(accessibleNames), [], `unnamed on ${path}`);
                assert.deepEqual(await page.evaluate(lowContrast), [], `low contrast on ${path}`);
                const [inner, scroll] = await page.evaluate('[innerWidth, document.documentElement.scrollWidth]');
                assert.ok(scroll <= inner, `${scroll} > ${inner} on ${path}`);
            }
        });
    }

    test('on a phone a finger scrubs', async () => {
        await closePage();
        await openPage({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
        await page.goto(link(0));
        await shows(0);
        const box = await page.locator('#timeline canvas').boundingBox();
        await page.touchscreen.tap(box.x + (80.5 / FRAMES) * box.width, box.y + box.height / 2);
        await shows(80);
    });

    test('everything is reached by the keyboard', async () => {
        await page.goto(link(0));
        await shows(0);
        await page.locator('.video').waitFor();
        const reached = [];
        for (let i = 0; i < 40; i++) {
            await page.keyboard.press('Tab');
            reached.push(await page.evaluate(() => {
                const focused = document.activeElement;
                const outline = getComputedStyle(focused).outlineStyle;
                return `${focused.id || focused.dataset.go || focused.getAttribute('aria-label') || focused.textContent}${outline === 'none' ? ' (no outline)' : ''}`;
            }));
        }
        for (const name of ['pick', 'copy-frame', 'save-png', 'key-on', 'jump-to', 'timeline', 'model', 'add-model', 'Delete stamped.mp4']) {
            assert.ok(reached.includes(name), `${name} in ${reached}`);
        }
    });

    test('delete asks first', async () => {
        await upload('doomed');
        await page.goto(server.url);
        const card = page.locator('.video', { hasText: 'doomed.mp4' });
        await card.locator('.thumb img.on').waitFor({ state: 'attached' }); // one asked for later is a 404 in the console
        await card.getByRole('button', { name: 'Delete' }).click();
        await page.keyboard.press('Escape');
        await page.locator('#confirm').waitFor({ state: 'hidden' });
        assert.equal(await card.count(), 1);
        await card.getByRole('button', { name: 'Delete' }).click();
        await page.locator('#confirm').getByRole('button', { name: 'Delete' }).click();
        await card.waitFor({ state: 'detached' });
        assert.equal((await fetch(`${server.url}/api/v1/videos/doomed`)).status, 404);
    });

    test('an unknown video leads back to the list', async () => {
        expected = /status of 404/;
        await page.goto(`${server.url}/#/v/nowhere?n=3`);
        await page.locator('#toast', { hasText: 'There is no video' }).waitFor({ state: 'attached' }); // it is seen for a moment only
        await page.waitForURL(/#\/$/);
    });
});

describe('a server that says no', () => {
    beforeEach(() => openPage());
    afterEach(closePage);

    test('too large: the page says so', async () => {
        expected = /status of 413|Failed to load|ERR_/;
        server = await startServer(await makeFolder(), '--max-upload', '20000');
        try {
            await page.goto(server.url);
            await page.locator('#files').setInputFiles(clip);
            await page.locator('[data-state="failed"] .problem').waitFor();
            assert.match(await page.locator('[data-state="failed"] .problem').textContent(), /large/i);
            assert.match(await page.locator('[data-state="failed"] .problem').textContent(), /--max-upload/);
        } finally {
            await page.close();
            await server.stop();
        }
    });

    test('gone and back: the page says so and goes on by itself', async () => {
        expected = /ERR_|Failed to load/;
        const home = await makeFolder();
        server = await startServer(home);
        const { port, url } = server;
        await upload('stamped');
        await page.goto(`${url}/#/v/stamped?n=5`);
        await shows(5);
        await server.stop();
        await page.keyboard.press('End');
        await page.locator('#notice').waitFor();
        assert.match(await page.locator('#notice').textContent(), /does not answer/);
        server = await startServer(home, '--port', String(port));
        try {
            await page.locator('#notice').waitFor({ state: 'hidden' });
            await shows(LAST);
        } finally {
            await page.close();
            await server.stop();
        }
    });

    test('a token is asked for, checked, and kept for the tab', async () => {
        expected = /status of 401/;
        server = await startServer(await makeFolder(), '--token', 'open-sesame-0123456789');
        try {
            await page.goto(server.url);
            const answer = async (token) => {
                await page.locator('#ask-token').waitFor();
                await page.locator('#token').fill(token);
                await page.locator('#token').press('Enter');
            };
            await answer('wrong');
            await page.getByText('refused this token').waitFor();
            await answer('open-sesame-0123456789');
            await page.getByText('Drop a video here.').waitFor();
            await page.locator('#files').setInputFiles(clip);
            await page.waitForURL(/#\/v\//);
            await shows(0);
            await page.reload();
            await shows(0);
            assert.equal(await page.locator('#ask-token').isVisible(), false);
        } finally {
            await page.close();
            await server.stop();
        }
    });
});
