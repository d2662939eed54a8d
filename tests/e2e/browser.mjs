// Chromium for tests of the page.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    // WebRTC between pages of one machine
    '--allow-loopback-in-peer-connection', '--disable-features=WebRtcHideLocalIpsWithMdns', '--autoplay-policy=no-user-gesture-required'];

// A browser is started in a session of its own, and Linux shares cores among sessions first: beside one of many threads
// that takes all there is, another was left for two seconds without the tenth of a core that it needs. Who watches has a
// machine of his own, so his session comes first here.
async function favourBrowsers() {
    const group = async (pid) => (await readFile(`/proc/${pid}/autogroup`, 'utf8')).split(' ')[0];
    const own = await group('self'), children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8');
    for (const pid of children.trim().split(' '))
        if (await group(pid) !== own) await writeFile(`/proc/${pid}/autogroup`, '-10');
}

export async function launch() {
    const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
    await favourBrowsers().catch(() => {}); // there are no such groups, or only root may
    return browser;
}

// A fresh page: {page, close(expected)}. close() fails on console errors and failed scripts, but for
// those that `expected` matches.
export async function openTab(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    const complaints = [];
    page.setDefaultTimeout(60000);
    page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
    page.on('pageerror', (error) => complaints.push(error.message));
    const close = async (expected) => {
        await context.close();
        assert.deepEqual(complaints.filter((text) => !expected.test(text)), [], 'console errors');
    };
    return { page, close };
}
