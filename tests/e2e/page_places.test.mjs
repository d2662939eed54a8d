// The pages of models and of the system, in a real browser on a real server.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { launch, openTab } from './browser.mjs';
import { accessibleNames, lowContrast } from './checks.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';

const PITCH = resolve(import.meta.dirname, '../../models/pitch/pitch.onnx');
const LOOKS = [
    ['wide, light', { colorScheme: 'light' }],
    ['wide, dark', { colorScheme: 'dark' }],
    ['phone, dark', { viewport: { width: 390, height: 844 }, colorScheme: 'dark' }],
];

let browser, server, page, close, expected;

before(async () => {
    browser = await launch();
    server = await startServer(await makeFolder());
});

after(async () => {
    await browser?.close();
    await server?.stop();
    await removeFolders();
});

async function open(hash, options) {
    ({ page, close } = await openTab(browser, options));
    expected = /^$/;
    if (hash !== 'about:blank') await page.goto(`${server.url}/${hash}`);
}

async function isSound() {
    assert.deepEqual(await page.evaluate(accessibleNames), [], 'unnamed');
    assert.deepEqual(await page.evaluate(lowContrast), [], 'low contrast');
    const [inner, scroll] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
    assert.ok(scroll <= inner, `${scroll} > ${inner}`);
}

describe('models', () => {
    afterEach(() => close(expected));
    const card = (name) => page.locator(`.model[data-name="${name}"]`);

    test('each says what it is, what it runs on, and why', async (context) => {
        await open('#/models');
        await card('pitch').waitFor();
        await page.waitForFunction(() => !/Loading/.test(document.querySelector('.model .state').textContent));
        const text = await card('pitch').innerText();
        if (/Failed/.test(text)) return void context.skip('no ONNX Runtime here');
        assert.match(text, /Default/);
        assert.match(text, /yolox · 1280×736/);
        assert.match(text, /Runs on\s*\w+/);
        assert.match(text, /Why\s*\S+/);
        await card('pitch').getByText('2 classes').click();
        await card('pitch').getByText('player, ball').waitFor();
        return undefined;
    });

    test('one is added by its file, with progress, and deleted after a question', async (context) => {
        await open('#/models');
        await page.getByRole('button', { name: 'Add a model' }).last().click();
        await page.locator('#model-file').setInputFiles(PITCH);
        await page.locator('#model-name').fill('mine');
        await page.locator('#model-form').getByRole('button', { name: 'Upload' }).click();
        await page.waitForFunction(() => !document.getElementById('model-dialog').open || document.getElementById('model-status').dataset.state === 'failed');
        if (await page.locator('#model-dialog').evaluate((dialog) => dialog.open)) {
            expected = /status of/;
            return void context.skip(await page.locator('#model-status').textContent());
        }
        await card('mine').getByText('Ready').waitFor();
        assert.match(await card('mine').innerText(), /uploaded/);
        await card('mine').getByRole('button', { name: 'Delete mine' }).click();
        await page.locator('#confirm').getByRole('button', { name: 'Delete' }).click();
        await card('mine').waitFor({ state: 'detached' });
        return undefined;
    });

    test('without any it says how to get one; a failed one says why', async () => {
        await open('about:blank');
        let list = [];
        await page.route('**/api/v1/models', (route) => route.fulfill({ json: { models: list } }));
        await page.goto(`${server.url}/#/models`);
        await page.getByText('saccade models fetch yolox_nano').waitFor();
        list = [{ name: 'odd', state: 'failed', reason: 'it fits no known family', origin: 'upload', bytes: 1000, serving: false }];
        await card('odd').getByText('it fits no known family').waitFor();
    });

    for (const [name, options] of LOOKS) {
        test(`${name}: everything is named, readable and on the screen`, async () => {
            await open('#/models', options);
            await card('pitch').waitFor();
            await isSound();
        });
    }
});

describe('the system', () => {
    afterEach(() => close(expected));

    test('says how the program is, what computes and why, and draws what it does', async () => {
        await open('#/system');
        await page.locator('h1 .state', { hasText: 'Healthy' }).waitFor();
        const text = await page.locator('#place').innerText();
        assert.match(text, /Version\s*\d+\.\d+/);
        const { system_info: info } = await (await fetch(`${server.url}/api/gpu/stats`)).json();
        assert.match(info.pipeline_reason, /NVIDIA/);
        assert.ok(text.replaceAll(/\s+/g, ' ').includes(info.pipeline_reason.split(':')[0]), 'what the server says of its pictures');
        assert.match(text, /Decoding, encoding\s*the processor/);
        assert.match(text, /Models\s*(the processor; no GPU is used|a GPU)/);
        const requests = page.locator('.keys-of-plot li', { hasText: 'requests' }).locator('output');
        await page.waitForFunction((node) => Number(node.textContent) > 0, await requests.elementHandle());
        await page.locator('.plot canvas').nth(5).waitFor();
        assert.equal(await page.locator('.plot canvas').count(), 6, 'six charts');
        await page.getByRole('navigation').getByRole('link', { name: 'Library' }).click();
        await page.locator('.plot').first().waitFor({ state: 'detached' });
    });

    test('a cache that was used shows its rate', async () => {
        await open('about:blank');
        let asked = 0;
        await page.route('**/metrics', (route) => {
            asked++;
            return route.fulfill({ contentType: 'text/plain', body: `saccade_pictures_total{cache="hit"} ${30 * asked}\nsaccade_pictures_total{cache="miss"} ${10 * asked}\nsaccade_inference_queue_depth{model="a",priority="live"} 3\nsaccade_inference_queue_depth{model="b",priority="live"} 4\n` });
        });
        await page.goto(`${server.url}/#/system`);
        const value = (text) => page.locator('.keys-of-plot li', { hasText: text }).locator('output');
        await page.waitForFunction((node) => node.textContent === '75', await page.locator('.figure', { hasText: 'Found in a cache' }).locator('output').first().elementHandle());
        assert.equal(await value(/^live /).last().textContent(), '7');
    });

    for (const [name, options] of LOOKS) {
        test(`${name}: everything is named, readable and on the screen`, async () => {
            await open('#/system', options);
            await page.locator('.plot canvas').last().waitFor();
            await isSound();
        });
    }
});
