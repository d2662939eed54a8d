// The player of a live stream, against a WHEP server that is another page, on a real server for the rest.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { launch, openTab } from './browser.mjs';
import { accessibleNames, lowContrast } from './checks.mjs';
import { makeFolder, removeFolders, startServer } from './server.mjs';
import { mockWhep } from './whep_mock.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const BINARY = process.env.SACCADE || join(ROOT, 'build/saccade');
const STREAMS = '/api/v1/streams';

let browser, server, page, close, expected, whep;

async function make(spec) {
    const answer = await fetch(server.url + STREAMS, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(spec) });
    assert.equal(answer.status, 201, await answer.text());
}

before(async () => {
    browser = await launch();
    server = await startServer(await makeFolder());
    await make({ id: 'yard', input: 'testsrc:size=320x180,rate=5' });
});

after(async () => {
    await browser?.close();
    await server?.stop();
    await removeFolders();
});

async function open(options, behave) {
    ({ page, close } = await openTab(browser, options));
    expected = /status of 404/;
    await page.route('**/hls/*', (route) => route.fulfill({ status: 404 }));
    whep = await mockWhep(page, behave);
    await page.bringToFront();
}
const watch = async (way = 'webrtc') => {
    await page.goto(`${server.url}/#/live/yard`);
    await page.locator(`.watch[data-way="${way}"]`).waitFor();
};
const until = async (check, what) => {
    for (const end = Date.now() + 60000; ; await new Promise((done) => { setTimeout(done, 100); })) {
        if (await check()) return;
        assert.ok(Date.now() < end, what);
    }
};
const latest = () => `session${whep.offers.length}`; // the one that plays: a first picture that took too long costs one
const marks = () => page.locator('.marks');
const boxes = async (n) => page.waitForFunction((wanted) => document.querySelector('.marks').dataset.boxes === String(wanted), n);

describe('a stream by WebRTC', () => {
    beforeEach(() => open());
    afterEach(() => close(expected));

    test('the offer: receives only, H.264 first, with a channel, sent before candidates are gathered', async () => {
        await watch();
        const [{ sdp, headers }] = whep.offers;
        assert.equal(headers['content-type'], 'application/sdp');
        assert.equal((sdp.match(/^a=recvonly/gm) || []).length, 2);
        assert.match(sdp, /^m=application /m);
        assert.match(sdp, /^a=group:BUNDLE 0 1 2/m);
        const first = /^m=video \d+ \S+ (\d+)/m.exec(sdp)[1];
        if (/H264\/90000/.test(sdp)) assert.match(sdp, new RegExp(`^a=rtpmap:${first} H264/90000`, 'm'));
        assert.doesNotMatch(sdp, /^a=candidate/m);
        await until(() => whep.patches.length, 'candidates follow');
        assert.equal(whep.patches[0].headers['if-match'], '"e1"');
        assert.match(whep.patches[0].body, /^a=ice-ufrag:\S+\r\na=ice-pwd:\S+\r\nm=video 9 \S+ 0\r\na=mid:0\r\na=candidate:/);
    });

    test('says what plays, how fast, and how old it is', async () => {
        await watch();
        assert.equal(await page.locator('.way').textContent(), 'WebRTC');
        assert.equal(await page.locator('.watch-status').textContent(), '');
        const figure = (name) => page.locator('.figures dt', { hasText: name }).locator('xpath=following-sibling::dd[1]');
        await until(async () => /^≈ \d+ ms$/.test(await figure('Delay').textContent()), 'a delay');
        const help = page.locator('.beside .help', { hasText: /estimate: 12 ms on the server, \d+ ms on the net.*, \d+ ms in this player/ });
        await help.waitFor(); // the first figures may be the server's own, of before the first message
        await until(async () => /bit\/s$/.test(await figure('Bitrate').textContent()), 'a bitrate');
        assert.equal(await figure('Size').textContent(), '640×360');
        await until(async () => Number(await figure('Pictures').textContent()) > 2, 'pictures');
        await page.locator('.stages tbody tr').first().waitFor();
    });

    test('boxes are those of the picture on the screen', async () => {
        await watch();
        await boxes(2);
        const wrong = await page.evaluate(() => new Promise((done) => {
            const video = document.querySelector('.watch video');
            const list = [];
            let left = 25;
            // Later than the player's own callback for the same picture.
            const look = (now, { rtpTimestamp }) => {
                queueMicrotask(() => {
                    const { rtp, boxes: shown } = document.querySelector('.marks').dataset;
                    if (rtp !== '' && rtp !== String(rtpTimestamp)) list.push([rtp, rtpTimestamp]);
                    if (rtp === '' && shown !== '0') list.push('boxes without a message');
                });
                if (--left) video.requestVideoFrameCallback(look);
                else done(list);
            };
            video.requestVideoFrameCallback(look);
        }));
        assert.deepEqual(wrong, []);
    });

    test('a click on a box tells of its object; b takes the boxes away', async () => {
        await watch();
        await boxes(2);
        const at = await marks().boundingBox();
        const point = (x, y) => page.mouse.click(at.x + x / 640 * at.width, at.y + y / 360 * at.height);
        await point(100, 300);
        const card = page.locator('.card');
        await card.waitFor();
        assert.equal(await card.locator('strong').textContent(), 'player');
        await until(async () => /Score90.%Track7Size256×288Seen[0-9.]+ s/.test(await card.locator('dl').textContent()), 'its facts');
        await page.keyboard.press('Escape');
        await card.waitFor({ state: 'hidden' });
        await page.getByRole('list', { name: 'Objects on the picture' }).getByRole('button', { name: /ball/ }).click();
        assert.equal(await card.locator('strong').textContent(), 'ball');
        await page.keyboard.press('o');
        assert.equal(await card.locator('strong').textContent(), 'player', 'the next one, round and round');
        await page.keyboard.press('b');
        await boxes(0);
        assert.equal(await page.getByRole('button', { name: 'Boxes' }).getAttribute('aria-pressed'), 'false');
        await page.keyboard.press('b');
        await boxes(2);
    });

    test('space pauses, m turns the sound on, f fills the screen', async () => {
        await watch();
        const video = (name) => page.locator('.watch video').evaluate((node, key) => node[key], name);
        await page.keyboard.press('Space');
        assert.equal(await video('paused'), true);
        await page.keyboard.press('Space');
        await until(() => video('paused').then((paused) => !paused), 'plays');
        assert.equal(await video('muted'), true);
        await page.locator('button:has-text("Sound"):not([disabled])').waitFor();
        await page.keyboard.press('m');
        assert.equal(await video('muted'), false);
        await page.keyboard.press('f');
        await page.waitForFunction(() => document.fullscreenElement?.className.includes('watch'));
        await page.keyboard.press('f');
        await page.waitForFunction(() => !document.fullscreenElement);
    });

    test('leaving ends the session, at once and when the page is closed', async () => {
        await watch();
        await page.getByRole('link', { name: 'All live streams' }).click();
        await until(() => whep.deleted.includes(latest()), 'deleted on leaving');
        await page.evaluate(() => {
            const real = window.fetch;
            window.fetch = (path, options = {}) => {
                if (options.method === 'DELETE') localStorage.setItem('deleted', `${options.keepalive} ${path}`);
                return real(path, options);
            };
        });
        await page.getByRole('link', { name: 'Watch yard' }).click();
        await page.locator('.watch[data-way="webrtc"]').waitFor();
        await page.goto(`${server.url}/docs`); // requests of a page that is going are seen by nobody
        const deleted = await page.waitForFunction(() => localStorage.getItem('deleted'));
        assert.match(await deleted.jsonValue(), new RegExp(`^true http.*/${latest()}$`));
    });

    test('what breaks off is joined again', async () => {
        await watch();
        const before = latest();
        await whep.hangUp(before);
        await until(() => latest() !== before, 'a second offer');
        await page.locator('.watch[data-way="webrtc"]').waitFor();
        await boxes(2);
    });
});

describe('against the server itself', () => {
    beforeEach(async () => {
        ({ page, close } = await openTab(browser));
        expected = /^$/;
    });
    afterEach(() => close(expected));

    test('plays by WebRTC, tells its rung, and leaves nothing', async (context) => {
        const stream = await (await fetch(`${server.url}${STREAMS}/yard`)).json();
        if (!stream.whep_url) return void context.skip('this server has no WebRTC');
        await watch();
        const viewers = async () => (await (await fetch(`${server.url}${STREAMS}/yard/stats?once=true`)).json()).viewers_webrtc.length;
        assert.equal(await viewers(), 1);
        await until(async () => /^1 \(\d+p\)$/.test(await page.locator('.figures dt', { hasText: 'Rung' }).locator('xpath=following-sibling::dd[1]').textContent()), 'its rung');
        await page.getByRole('link', { name: 'All live streams' }).click();
        await until(async () => await viewers() === 0, 'the session is ended');
        return undefined;
    });

    test('restarts ICE within its session', async (context) => {
        const stream = await (await fetch(`${server.url}${STREAMS}/yard`)).json();
        if (!stream.whep_url) return void context.skip('this server has no WebRTC');
        expected = /status of 404/; // a bare answer has no icon
        await page.goto(`${server.url}/health`);
        const said = await page.evaluate(async (url) => {
            const { Whep } = await import('/whep.js');
            const whep = new Whep(url), pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
            let lost = null;
            whep.addEventListener('lost', ({ detail }) => { lost = detail; });
            const look = async () => {
                const all = await whep.peer.getStats(), reports = [...all.values()];
                const pair = all.get(reports.find(({ type }) => type === 'transport')?.selectedCandidatePairId);
                return { ours: all.get(pair?.localCandidateId)?.usernameFragment, theirs: all.get(pair?.remoteCandidateId)?.usernameFragment,
                    decoded: reports.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')?.framesDecoded || 0 };
            };
            const wait = async (check) => {
                for (let i = 0; i < 300 && !check(await look()); i++) await pause(100);
                return look();
            };
            await whep.join();
            const first = await wait(({ decoded }) => decoded > 3), { session, etag } = whep;
            await whep.restart();
            const second = await wait(({ ours, theirs, decoded }) => ours !== first.ours && theirs !== first.theirs && decoded > first.decoded + 5);
            const same = whep.session === session && whep.etag !== etag;
            const { fetch: real } = window; // a server that cannot
            window.fetch = async () => new Response('', { status: 422 });
            await whep.restart();
            window.fetch = real;
            const third = await wait(({ decoded }) => decoded > second.decoded + 5);
            const state = whep.peer.signalingState;
            whep.leave();
            return { first, second, third, same, state, lost };
        }, `${server.url}${STREAMS}/yard/whep`);
        assert.ok(said.first.decoded > 3 && said.same, JSON.stringify(said));
        assert.ok(said.second.ours !== said.first.ours && said.second.theirs !== said.first.theirs && said.second.decoded > said.first.decoded + 5, JSON.stringify(said));
        assert.ok(said.third.theirs === said.second.theirs && said.third.decoded > said.second.decoded + 5, JSON.stringify(said));
        assert.deepEqual([said.state, said.lost], ['stable', null]);
    });

    test('a stored video is played by its name, over and over', async (context) => {
        const { system_info: info } = await (await fetch(`${server.url}/api/gpu/stats`)).json();
        if (!info.webrtc_enabled) return void context.skip('this server has no WebRTC');
        const file = join(await makeFolder(), 'match.mp4');
        execFileSync(BINARY, ['live', 'testsrc:size=320x180,rate=10,duration=2', file], { stdio: 'ignore' });
        const stored = await fetch(`${server.url}/api/v1/videos?id=match&name=match.mp4`, { method: 'POST', body: await readFile(file) });
        assert.equal(stored.status, 201, await stored.text());
        await page.goto(`${server.url}/webrtc?video=match`);
        await page.locator('.watch[data-way="webrtc"]').waitFor();
        const time = () => page.locator('.watch video').evaluate((video) => video.currentTime);
        const began = await time();
        await until(async () => await time() > began + 2.5, 'it goes on after its end');
        assert.equal(await page.locator('.watch video').evaluate((video) => video.videoHeight), 180);
        await page.goto(`${server.url}/webrtc?video=none`);
        await page.locator('#trouble:not([hidden])').waitFor();
        assert.match(await page.locator('#trouble').textContent(), /none/);
        expected = /status of 404/;
        return undefined;
    });

    test('beside what a camera shows, all that it has to choose from, while somebody looks', async (context) => {
        const spec = { id: 'side', input: 'testsrc:size=640x360,rate=10', model: 'pitch', camera: { follow: 'ball', zoom: 3 } };
        let answer;
        await until(async () => {
            answer = await fetch(server.url + STREAMS, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(spec) });
            return answer.status !== 503;
        }, 'the model is loaded');
        const stream = await answer.json();
        if (answer.status === 501) return void context.skip(stream.detail);
        assert.equal(answer.status, 201, JSON.stringify(stream));
        context.after(() => fetch(`${server.url}${STREAMS}/side`, { method: 'DELETE' })); // its model would slow down what comes after
        const refused = await fetch(`${server.url}${STREAMS}/yard/stream.mjpeg?view=wide`);
        assert.deepEqual([refused.status, (await refused.json()).field], [400, 'view']);
        await page.goto(`${server.url}/#/live/side`);
        const canvas = page.locator('.wide canvas');
        const number = () => canvas.evaluate((node) => Number(node.dataset.n));
        await until(async () => await number() > 0, 'a picture');
        assert.deepEqual(await canvas.evaluate((node) => [node.width, node.height]), [480, 270]);
        // Bright within the camera's edges, once it has gone near, and darker around them.
        const bright = () => canvas.evaluate((node) => {
            const { data } = node.getContext('2d').getImageData(0, 0, 480, 270);
            const grass = [...Array(480 * 270).keys()].map((i) => data.subarray(4 * i, 4 * i + 3)).filter(([r, g, b]) => g > 1.3 * r && g > 1.3 * b);
            return grass.filter(([, g]) => g > 110).length / grass.length;
        });
        await until(async () => { const part = await bright(); return part > 0.02 && part < 0.4; }, 'a part of the grass is bright');
        await page.locator('.watch[data-way]').waitFor();
        await page.keyboard.press('Space');
        await new Promise((done) => { setTimeout(done, 500); });
        const held = await number();
        await new Promise((done) => { setTimeout(done, 700); });
        assert.equal(await number(), held, 'it is held with the picture');
        await page.keyboard.press('Space');
        await until(async () => await number() > held, 'it goes on');
        assert.deepEqual(await page.evaluate(accessibleNames), [], 'unnamed');
        assert.deepEqual(await page.evaluate(lowContrast), [], 'low contrast');
        const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('view=wide'));
        await page.setViewportSize({ width: 390, height: 500 });
        await page.locator('.stages').evaluate((node) => node.scrollIntoView({ block: 'end' })); // its rows are made anew each second
        await ended;
        await page.goto(`${server.url}/#/live/yard`);
        await page.locator('.watch[data-way][aria-label="Player of yard"]').waitFor();
        assert.equal(await page.locator('.wide').count(), 0, 'without a camera there is none');
        return undefined;
    });
});

describe('when WebRTC does not do', () => {
    afterEach(() => close(expected));

    test('connected, but no picture within five seconds: MJPEG, and why', async () => {
        await open({}, () => ({ picture: false }));
        await watch('mjpeg');
        assert.match(await page.locator('.watch-status').textContent(), /^WebRTC: no picture within 5 seconds.* Playing MJPEG instead\.$/);
        assert.equal(await page.getByRole('button', { name: 'Boxes' }).isDisabled(), true);
        await until(() => whep.deleted.includes('session1'), 'the session is ended');
        const figure = page.locator('.figures dt', { hasText: 'Size' }).locator('xpath=following-sibling::dd[1]');
        await until(async () => await figure.textContent() === '320×180', 'its size');
    });

    for (const [player, own] of [['by the library', false], ['by the browser where the library is missing', true]]) test(`HLS where the server has it, ${player}`, async (context) => {
        const folder = await makeFolder();
        execFileSync(BINARY, ['live', 'testsrc:size=320x180,rate=10,duration=8', join(folder, 'index.m3u8')], { stdio: 'ignore' });
        await open({}, () => ({ status: 501 }));
        expected = /status of 501/;
        const native = await page.evaluate(() => document.createElement('video').canPlayType('application/vnd.apple.mpegurl'));
        if (own && !native) return void context.skip('this browser plays no HLS by itself');
        if (own) await page.route('**/hls.js', (route) => route.fulfill({ contentType: 'text/javascript', body: 'export default null;' }));
        await page.route('**/streams/yard/hls/*', async (route) => {
            const name = new URL(route.request().url()).pathname.split('/').at(-1);
            const body = await readFile(join(folder, name));
            return route.fulfill({ body, contentType: name.endsWith('m3u8') ? 'application/vnd.apple.mpegurl' : 'video/mp4' });
        });
        await watch('hls');
        assert.match(await page.locator('.watch-status').textContent(), /^WebRTC: .* Playing HLS instead\.$/);
        const figure = page.locator('.figures dt', { hasText: 'Size' }).locator('xpath=following-sibling::dd[1]');
        await until(async () => await figure.textContent() === '320×180', 'its size');
        const asked = () => page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('hls.js')));
        if (!own) assert.ok(await asked(), 'the library is fetched now');
        await page.goto(`${server.url}/docs`);
        await page.goto(server.url);
        assert.ok(!await asked(), 'and not in the first load');
        return undefined;
    });

    test('the server\u2019s own HLS, chosen by hand', async () => {
        await open();
        await page.unroute('**/hls/*');
        expected = /status of (404|503)/;
        await watch();
        await page.getByLabel('How it is played').selectOption('hls');
        await page.locator('.watch[data-way="hls"]').waitFor();
        const seconds = () => page.locator('.watch video').evaluate((video) => video.currentTime);
        const before = await seconds();
        await until(async () => await seconds() > before + 1, 'it plays');
    });

    test('too many viewers: MJPEG for now; asked for by hand, WebRTC is tried again', async () => {
        await open({}, (n) => (n === 1 ? { status: 503, headers: { 'Retry-After': '1' }, body: { status: 503, title: 'Service Unavailable', detail: 'there are 50 viewers, as many as there may be' } } : {}));
        expected = /status of (404|503)/;
        await watch('mjpeg');
        assert.match(await page.locator('.watch-status').textContent(), /as many as there may be\. .*Playing MJPEG instead/);
        await page.getByLabel('How it is played').selectOption('webrtc');
        await page.locator('.watch[data-way="webrtc"]').waitFor();
        assert.equal(await page.locator('.watch-status').textContent(), '');
        assert.equal(await page.locator('.watch-stage > :is(video, canvas:not(.marks))').count(), 1, 'one picture');
    });

    test('a stream that waits for its source says so instead of a picture', async () => {
        await open({}, () => ({ status: 409, headers: { 'Retry-After': '1' } }));
        expected = /status of (404|409)/;
        await make({ id: 'lost', input: 'rtsp://127.0.0.1:9/none' });
        await page.goto(`${server.url}/#/live/lost`);
        await until(async () => /refused|again|Connecting to/i.test(await page.locator('.cover').textContent()), 'a reason');
        assert.notEqual(await page.locator('h1 .state').textContent(), 'Live');
    });

    test('a stream that does not exist says so', async () => {
        await open();
        await page.goto(`${server.url}/#/live/nowhere`);
        await page.getByText('There is no stream nowhere any more.').waitFor();
        await page.getByRole('link', { name: 'See what is live' }).click();
        await page.waitForURL(/#\/live$/);
    });
});

describe('the viewer alone', () => {
    beforeEach(() => open());
    afterEach(() => close(expected));

    test('plays in a frame of another site, by ten lines of HTML', async () => {
        const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
        const [, html] = /```html\n([^]*?)```/.exec(readme);
        assert.ok(html.trim().split('\n').length <= 10, html);
        const place = join(await makeFolder(), 'frame.html');
        await writeFile(place, html.replace(/http:\/\/127\.0\.0\.1:8000/, server.url).replace(/stream=[\w-]+/, 'stream=yard'));
        await page.goto(`file://${place}`);
        const frame = page.frameLocator('iframe');
        await frame.locator('.watch[data-way="webrtc"]').waitFor();
        await until(async () => await frame.locator('.marks').getAttribute('data-boxes') === '2', 'boxes');
    });

    test('a stored video is started by its name', async () => {
        expected = /status of 404/;
        let asked;
        await page.route('**/api/webrtc/start', (route) => {
            asked = route.request().postDataJSON();
            return route.fulfill({ status: 201, contentType: 'application/json', body: JSON.stringify({ id: 'yard', whep_url: `${STREAMS}/yard/whep` }) });
        });
        await page.goto(`${server.url}/webrtc?video=match`);
        await page.locator('.watch[data-way="webrtc"]').waitFor();
        assert.deepEqual(asked, { video_id: 'match' });
    });

    test('without a name, or with a wrong one, it says what to do', async () => {
        await page.goto(`${server.url}/webrtc`);
        await page.getByText('Say which stream: /webrtc?stream=ID').waitFor();
        await page.goto(`${server.url}/webrtc?stream=nowhere`);
        await page.getByText('There is no stream nowhere').waitFor();
    });

    test('small and large, light and dark: named, readable, nothing beyond its edges', async () => {
        for (const [width, height, colorScheme] of [[320, 240, 'light'], [960, 600, 'dark']]) {
            await page.setViewportSize({ width, height });
            await page.emulateMedia({ colorScheme });
            await page.goto(`${server.url}/webrtc?stream=yard`);
            await page.locator('.watch[data-way="webrtc"]').waitFor();
            assert.deepEqual(await page.evaluate(accessibleNames), []);
            assert.deepEqual(await page.evaluate(lowContrast), []);
            assert.deepEqual(await page.evaluate(() => [document.documentElement.scrollWidth > innerWidth, document.documentElement.scrollHeight > innerHeight]), [false, false]);
        }
    });
});

describe('how it looks', () => {
    afterEach(() => close(expected));

    test('boxes are drawn in the screen\u2019s own pixels', async () => {
        await open({ deviceScaleFactor: 2 });
        await watch();
        await boxes(2);
        const { width, client } = await marks().evaluate((canvas) => ({ width: canvas.width, client: canvas.clientWidth }));
        assert.equal(width, 2 * client);
        await page.setViewportSize({ width: 900, height: 700 });
        await page.waitForFunction(() => { const canvas = document.querySelector('.marks'); return canvas.width === 2 * canvas.clientWidth; });
    });

    for (const [name, options] of [
        ['wide, light', { colorScheme: 'light' }],
        ['wide, dark', { colorScheme: 'dark' }],
        ['phone, light', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }],
    ]) {
        test(`${name}: everything is named, readable and on the screen`, async () => {
            await open(options);
            await watch();
            await boxes(2);
            await page.locator('.stages tbody tr').first().waitFor();
            assert.deepEqual(await page.evaluate(accessibleNames), [], 'unnamed');
            assert.deepEqual(await page.evaluate(lowContrast), [], 'low contrast');
            const [inner, scroll] = await page.evaluate('[innerWidth, document.documentElement.scrollWidth]');
            assert.ok(scroll <= inner, `${scroll} > ${inner}`);
        });
    }
});
