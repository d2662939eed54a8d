// A viewer behind a bad network: loss is repaired, a link that gets worse gets the lower rung, and back.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { launch, openTab } from './browser.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';
import { openProxy } from './udp_proxy.mjs';

const SKIP = existsSync(process.env.CHROMIUM || '/usr/bin/chromium') ? false : 'chromium is not installed';

let server, browser, tab, proxy; // one viewer of one stream, all along

const page = (name, ...args) => tab.page.evaluate(([f, a]) => window[f](...a), [name, args]);
const viewer = async () => {
    const figures = await (await fetch(`${server.url}/api/v1/streams/s/stats?once=true`)).json();
    return figures.viewers_webrtc?.[0];
};

// Pictures that need the rates that the rungs have.
const makeNoise = (path) => promisify(execFile)('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-t', '100',
    '-i', 'testsrc2=size=480x270:rate=25,noise=alls=30:allf=t', '-c:v', 'mpeg4', '-q:v', '5', '-bf', '0', path]);

async function until(check, what, ms = 20000) {
    for (const end = Date.now() + ms; !await check(); await sleep(200)) assert.ok(Date.now() < end, `waited in vain: ${what}`);
}

async function more(pictures) {
    const { frames } = await page('seen', 'v');
    await until(async () => (await page('seen', 'v')).frames >= frames + pictures, `${pictures} pictures`);
}

describe('a bad network', { skip: SKIP }, () => {
    before(async () => {
        const folder = await makeFolder();
        await makeNoise(join(folder, 'noise.mkv'));
        server = await startServer(folder, '--streams-files', folder, '--webrtc-linger', '1s', '--webrtc-rungs', '270:1200k 134:250k');
        browser = await launch();
        tab = await openTab(browser);
        await tab.page.goto(`${server.url}/health`);
        await tab.page.addScriptTag({ content: await readFile(join(import.meta.dirname, 'webrtc_client.js'), 'utf8') });
        proxy = openProxy({ seed: 1, down: { delay: 10 }, up: { delay: 10 } });
        await proxy.route(tab.page, '**/whep*');
        const body = JSON.stringify({ id: 's', input: 'noise.mkv', realtime: true, loop: true });
        const made = await fetch(`${server.url}/api/v1/streams`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
        assert.equal(made.status, 201, await made.text());
    });
    after(async () => {
        await tab?.close(/Failed to load/);
        proxy?.close();
        await browser?.close();
        await server?.stop();
        await removeFolders();
    });

    test('pictures come, all of them through the proxy', async () => {
        const joined = await page('join', 'v', `${server.url}/api/v1/streams/s/whep`, { wait: 30000 });
        assert.ok(joined.playing, JSON.stringify(joined));
        await more(25);
        assert.ok(proxy.stats().down.bytes > 50000);
    });

    test('what is lost is repaired', async () => {
        proxy.set({ down: { loss: 0.03 } });
        const asked = []; // keyframes: many pictures are hit each time, and only a pause of the machine leaves one unrepaired
        while (!asked.some((count) => count <= 1) && asked.length < 3) {
            const { plis } = await viewer();
            await more(100);
            asked.push((await viewer()).plis - plis);
        }
        const { nacks } = await viewer();
        assert.ok(nacks > 0 && proxy.stats().down.lost > 0);
        assert.ok(asked.at(-1) <= 1, `${asked} keyframes were asked for`);
        // So much loss is no reason for the lower rung; where a busy machine holds up packets, it passes.
        await until(async () => (await viewer()).rung === 0, 'the higher rung', 40000);
    });

    test('half the rate gets the lower rung, which goes on; the whole rate the higher one again', async () => {
        proxy.set({ down: { loss: 0, rate: 600000 } });
        await until(async () => (await viewer()).rung === 1, 'the lower rung');
        await until(async () => (await page('seen', 'v')).width < 300, 'smaller pictures');
        await more(50);
        proxy.set({ down: { rate: 5e6 } });
        await until(async () => (await viewer()).rung === 0, 'the higher rung', 40000);
        await until(async () => (await page('seen', 'v')).width > 300, 'larger pictures');
        assert.ok((await viewer()).switches <= 6);
    });
});
