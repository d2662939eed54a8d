// The live wall and the form that starts a stream, in a real browser on a real server.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { launch, openTab } from './browser.mjs';
import { accessibleNames, lowContrast } from './checks.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';

const STREAMS = '/api/v1/streams';
const SOURCE = 'testsrc:size=320x180,rate=5';

let browser, server, page, close, expected;

before(async () => {
    browser = await launch();
    server = await startServer(await makeFolder(), '--streams-max', '8');
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

const get = async (path) => (await fetch(server.url + path)).json();
const remove = (id) => fetch(`${server.url}${STREAMS}/${id}`, { method: 'DELETE' });
const make = async (spec) => {
    const answer = await fetch(server.url + STREAMS, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(spec) });
    assert.equal(answer.status, 201, await answer.text());
};
const removeAll = async () => {
    for (const { id } of (await get(STREAMS)).streams) await remove(id);
};
const tile = (id) => page.locator(`.tile[data-id="${id}"]`);
// Its picture has moved on by a few.
const runs = async (id) => {
    const number = () => tile(id).locator('canvas').getAttribute('data-n');
    await page.waitForFunction((name) => document.querySelector(`.tile[data-id="${name}"] canvas`)?.dataset.n, id);
    const first = Number(await number());
    await page.waitForFunction(([name, n]) => Number(document.querySelector(`.tile[data-id="${name}"] canvas`).dataset.n) > n + 1, [id, first]);
};

describe('the places of the site', () => {
    beforeEach(() => openPage());
    afterEach(() => close(expected));

    test('are reached by the bar, named in the title, and marked', async () => {
        await page.goto(server.url);
        for (const [name, hash] of [['Live', '#/live'], ['Library', '#/']]) {
            await page.getByRole('navigation').getByRole('link', { name }).click();
            await page.waitForURL((url) => url.hash === hash);
            await page.locator('[aria-current="page"][data-place]', { hasText: name }).waitFor(); // the address changes first
            assert.equal(await page.title(), name === 'Library' ? 'Saccade' : `${name} · Saccade`);
        }
    });

    test('the look is turned, kept, and follows the system again', async () => {
        await page.emulateMedia({ colorScheme: 'light' });
        await page.goto(server.url);
        const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
        const light = await paper();
        await page.getByRole('button', { name: 'Turn to the dark look' }).click();
        const dark = await paper();
        assert.notEqual(dark, light);
        await page.reload();
        assert.equal(await paper(), dark, 'kept');
        await page.getByRole('button', { name: 'Turn to the light look' }).click();
        assert.equal(await paper(), light);
        await page.emulateMedia({ colorScheme: 'dark' });
        assert.equal(await paper(), dark, 'the system is followed again');
    });
});

describe('the live wall', () => {
    beforeEach(() => openPage());
    afterEach(async () => {
        await page.goto('about:blank'); // a stream that goes while it is watched is a 404 in the console
        await removeAll();
        await close(expected);
    });

    test('empty: it says how to start a stream, and starts a test picture', async () => {
        await page.goto(`${server.url}/#/live`);
        await page.getByText('Nothing is live yet.').waitFor();
        assert.match(await page.locator('.welcome-live code').textContent(), new RegExp(`^curl -X POST ${server.url}${STREAMS}`));
        await page.getByRole('button', { name: 'Start a test picture' }).click();
        await runs('test-picture');
        assert.equal(await page.locator('.welcome-live').isVisible(), false);
    });

    test('streams come and go with their pictures, states and reasons', async () => {
        await make({ id: 'one', input: SOURCE });
        await make({ id: 'lost', input: 'rtsp://127.0.0.1:9/none' });
        await page.goto(`${server.url}/#/live`);
        await runs('one');
        assert.equal(await tile('one').locator('.state').textContent(), 'Live');
        await page.waitForFunction(() => document.querySelector('.tile[data-id="lost"] .reason')?.textContent);
        assert.notEqual(await tile('lost').locator('.state').textContent(), 'Live');
        await make({ id: 'two', input: SOURCE });
        await runs('two');
        expected = /status of 404/;
        await remove('one');
        await tile('one').waitFor({ state: 'detached' });
    });

    test('more streams than the browser has connections for: all show pictures, and the page still works', async () => {
        for (let i = 0; i < 7; i++) await make({ id: `many-${i}`, input: 'testsrc:size=160x90,rate=5' });
        await page.setViewportSize({ width: 1280, height: 1400 });
        await page.goto(`${server.url}/#/live`);
        for (let i = 0; i < 7; i++) await runs(`many-${i}`);
        expected = /status of 404/;
        await remove('many-0');
        await tile('many-0').waitFor({ state: 'detached' });
    });

    test('what is off the screen is not fetched', async () => {
        for (let i = 0; i < 6; i++) await make({ id: `far-${i}`, input: 'testsrc:size=160x90,rate=5' });
        await page.setViewportSize({ width: 400, height: 500 });
        await page.goto(`${server.url}/#/live`);
        await runs('far-0');
        assert.equal(await tile('far-5').locator('canvas').getAttribute('data-n'), null);
        await tile('far-5').scrollIntoViewIfNeeded();
        await runs('far-5');
        const number = () => tile('far-0').locator('canvas').getAttribute('data-n');
        const before = await number();
        await page.waitForTimeout(700);
        assert.equal(await number(), before, 'the first one rests');
    });

    test('a click enlarges one; without WebRTC it plays as MJPEG and says why', async () => {
        expected = /status of (404|501)/;
        await page.route('**/hls/*', (route) => route.fulfill({ status: 404 }));
        await make({ id: 'one', input: SOURCE });
        await page.goto(`${server.url}/#/live`);
        await page.route('**/whep', (route) => route.fulfill({ status: 501, contentType: 'application/problem+json', body: '{"title":"Not Implemented","status":501,"detail":"WebRTC is off"}' }));
        await page.getByRole('link', { name: 'Watch one' }).click();
        await page.waitForURL(/#\/live\/one$/);
        await page.locator('.watch[data-way="mjpeg"]').waitFor();
        assert.match(await page.locator('.watch-status').textContent(), /^WebRTC: .+ Playing MJPEG instead\.$/);
        await page.locator('.stages tbody tr').first().waitFor();
        await page.getByRole('link', { name: 'All live streams' }).click();
        await runs('one');
    });

    test('delete asks first, by its own words', async () => {
        await make({ id: 'gate', input: SOURCE });
        await page.goto(`${server.url}/#/live`);
        await page.getByRole('button', { name: 'End gate' }).click();
        await page.keyboard.press('Escape');
        await page.locator('#confirm').waitFor({ state: 'hidden' });
        assert.equal((await get(STREAMS)).streams.length, 1);
        await page.getByRole('button', { name: 'End gate' }).click();
        expected = /status of 404/;
        await page.locator('#confirm').getByRole('button', { name: 'End the stream' }).click();
        await tile('gate').waitFor({ state: 'detached' });
        assert.equal((await get(STREAMS)).streams.length, 0);
    });

    for (const [name, options] of [
        ['wide, light', { colorScheme: 'light' }],
        ['phone, dark', { viewport: { width: 390, height: 844 }, colorScheme: 'dark' }],
    ]) {
        test(`${name}: everything is named, readable and on the screen`, async () => {
            await close(expected);
            await openPage(options);
            const sound = async (what) => {
                assert.deepEqual(await page.evaluate(accessibleNames), [], `unnamed, ${what}`);
                assert.deepEqual(await page.evaluate(lowContrast), [], `low contrast, ${what}`);
                const [inner, scroll] = await page.evaluate('[innerWidth, document.documentElement.scrollWidth]');
                assert.ok(scroll <= inner, `${scroll} > ${inner}, ${what}`);
            };
            await page.goto(`${server.url}/#/live`);
            await page.getByText('Nothing is live yet.').waitFor();
            await sound('empty');
            await make({ id: 'one', input: SOURCE });
            await make({ id: 'lost', input: 'rtsp://127.0.0.1:9/none' });
            await runs('one');
            await sound('tiles');
            await page.getByRole('button', { name: 'New stream' }).first().click();
            await page.getByText('More settings').click();
            await sound('form');
        });
    }
});

describe('the form of a new stream', () => {
    beforeEach(async () => {
        await openPage();
        await page.goto(`${server.url}/#/live`);
        await page.getByRole('button', { name: 'New stream' }).first().click();
        await page.locator('dialog[open] .form').waitFor();
    });
    afterEach(async () => {
        await page.goto('about:blank'); // a stream that goes while it is watched is a 404 in the console
        await removeAll();
        await close(expected);
    });
    const start = () => page.getByRole('button', { name: 'Start', exact: true }).click();

    test('has every field of the API, with its help', async () => {
        const api = await get('/openapi.json');
        const { properties } = api.paths[STREAMS].post.requestBody.content['application/json'].schema;
        const help = await page.locator('dialog[open] .form .help').allTextContents();
        for (const [name, { description }] of Object.entries(properties)) assert.ok(description && help.includes(description), name);
    });

    test('starts a stream, sending only what was changed', async () => {
        await page.getByLabel(/^Input/).fill(SOURCE);
        await page.getByLabel(/^Id/).fill('yard');
        await page.getByText('More settings').click();
        await page.getByLabel('Fps').fill('4');
        const sent = page.waitForRequest((request) => request.method() === 'POST');
        await start();
        assert.deepEqual((await sent).postDataJSON(), { id: 'yard', input: SOURCE, fps: 4 });
        await runs('yard');
        assert.equal(await page.locator('dialog[open]').count(), 0);
    });

    test('what the server refuses is said beside the field, which gets the focus', async () => {
        expected = /status of 4\d\d/;
        const wrong = (label) => page.locator('dialog[open] .field', { has: page.getByLabel(label) }).locator('.wrong');
        await start();
        await wrong(/^Input/).waitFor();
        assert.equal(await wrong(/^Input/).textContent(), 'the input is missing');
        await page.getByLabel(/^Input/).fill(SOURCE);
        assert.equal(await wrong(/^Input/).isVisible(), false, 'gone once it is corrected');
        await page.getByText('More settings').click();
        await page.getByLabel('Fps').fill('999');
        await page.getByText('More settings').click();
        await start();
        await wrong('Fps').waitFor();
        assert.match(await wrong('Fps').textContent(), /999.*240/);
        assert.equal(await page.evaluate(() => document.activeElement.previousElementSibling.textContent.trim()), 'Fps optional');
        await page.getByLabel('Fps').fill('');
        await make({ id: 'taken', input: SOURCE });
        await page.getByLabel(/^Id/).fill('taken');
        await start();
        await wrong(/^Id/).waitFor();
        assert.match(await wrong(/^Id/).textContent(), /taken/);
    });

    test('Escape leaves without a stream', async () => {
        await page.keyboard.press('Escape');
        await page.locator('dialog[open]').waitFor({ state: 'detached' });
        assert.equal((await get(STREAMS)).streams.length, 0);
    });
});
