// The input of live streams with real peers: sources that stop, stall, come back and change.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bound, DUMP, dump, dumpAll, freePort, hasNginxRtmp, installed, makeSent, serveHttp, sleep, start, startNginxRtmp, startRtsp, startSender, stop, stopAll, until } from './peers.mjs';
import { makeFolder, removeFolders } from './server.mjs';

const skip = (!existsSync(DUMP) && `${DUMP} is not built`) || (!installed('ffmpeg') && 'ffmpeg is not installed');

let folder;
let large; // what is sent, in two sizes
let small;
before(async () => {
    if (skip) return;
    folder = await makeFolder();
    large = await makeSent(folder, '320x240');
    small = await makeSent(folder, '160x128');
});
after(async () => {
    await stopAll();
    await removeFolders();
});

async function untilExists(path) {
    for (let i = 0; i < 300 && !existsSync(path); i++) await sleep(100);
}

const of = (lines, ...types) => lines.filter((line) => types.includes(line.type));
const last = (lines) => lines.at(-1).line;

// What must hold for everything that comes out.
function checkTimes(lines) {
    for (const type of ['picture', 'sound']) {
        const track = of(lines, type);
        for (let i = 0; i < track.length; i++) {
            assert.ok(track[i].pts >= track[i].dts, track[i].line);
            assert.ok(i === 0 || track[i].dts > track[i - 1].dts, `${track[i - 1]?.line} -> ${track[i].line}`);
        }
    }
    assert.equal(of(lines, 'picture')[0]?.dts, 0);
}

// Over a loss, times go on as the wall clock does.
function checkPause(lines) {
    const pictures = of(lines, 'picture');
    const i = pictures.findIndex((line) => line.line.endsWith('resumed'));
    assert.ok(i > 0, 'a picture is marked');
    const [a, b] = [pictures[i - 1], pictures[i]];
    const difference = (b.dts - a.dts) - (b.at - a.at);
    assert.ok(Math.abs(difference) < 3500, `times go on ${difference} ms off the clock`);
}

describe('RTSP', { skip }, () => {
    let port;
    let server;
    before(async () => {
        port = await freePort();
        server = await startRtsp(port);
    });
    const missing = (t) => !server && (t.skip('no GStreamer RTSP server (gir1.2-gst-rtsp-server-1.0, python3-gi)'), true);

    for (const transport of ['tcp', 'udp']) {
        test(`picture and sound over ${transport}`, async (t) => {
            if (missing(t)) return;
            const lines = await dumpAll(`rtsp://127.0.0.1:${port}/live`, { transport, packets: 60, decode: 1, low: 1 });
            checkTimes(lines);
            assert.match(of(lines, 'streams')[0].line, /^streams 1 rtsp h264 320x240 rate=\S+ sound=pcm_alaw 8000\/1$/);
            assert.ok(of(lines, 'sound').length > 10);
            assert.ok(of(lines, 'frame').length > 20);
        });
    }

    test('says what is wrong, without the password', async (t) => {
        if (missing(t)) return;
        const locked = await freePort();
        const guard = await startRtsp(locked, '320x240', ['me:right']);
        const cases = [
            [`rtsp://127.0.0.1:${port}/none`, /^end NOTFOUND .*no such stream there \(404\)/],
            [`rtsp://me:wrong@127.0.0.1:${locked}/live`, /^end DENIED .*rtsp:\/\/me:\*\*\*@.*refuses user and password \(401\)/],
            [`rtsp://127.0.0.1:${locked}/live`, /^end DENIED .*\(401\)/],
            [`rtsp://me:wrong@127.0.0.1:${await freePort()}/live`, /^end IO .*connection refused/],
        ];
        for (const [url, expected] of cases) {
            const lines = await dumpAll(url, { attempts: -1 });
            assert.match(last(lines), expected);
            assert.ok(!lines.some(({ line }) => line.includes('wrong')));
        }
        const lines = await dumpAll(`rtsp://me:right@127.0.0.1:${locked}/live`, { packets: 3, low: 1 });
        assert.equal(of(lines, 'picture').length, 3);
        await stop(guard);
    });

    test('is killed, and comes back with another size', async (t) => {
        if (missing(t)) return;
        const own = await freePort();
        let peer = await startRtsp(own);
        const child = dump(`rtsp://127.0.0.1:${own}/live`, { decode: 1, low: 1, retry_ms: 200, retry_max_ms: 400 });
        await until(child, /frame n=10 /);
        await stop(peer);
        await until(child, /state lost [^\n]*(ended the stream|cut the connection)/);
        await until(child, /state waiting/);
        peer = await startRtsp(own, '160x128');
        await until(child, /streams 2 rtsp h264 160x128/);
        await until(child, /size=160x128/);
        await stop(child);
        await stop(peer);
        checkTimes(child.lines());
        checkPause(child.lines());
    });

    test('hangs, and goes on', async (t) => {
        if (missing(t)) return;
        const own = await freePort();
        const peer = await startRtsp(own);
        const child = dump(`rtsp://127.0.0.1:${own}/live`, { low: 1, read_ms: 1000, connect_ms: 20000, retry_ms: 200 });
        await until(child, /picture at/);
        peer.kill('SIGSTOP');
        const stopped = Date.now();
        await until(child, /state lost [^\n]*no picture came for 1 s/);
        assert.ok(Date.now() - stopped < 15000); // before connect_ms
        peer.kill('SIGCONT');
        await until(child, /state connected[^]*state connected[^]*picture [^\n]*resumed/);
        await stop(child);
        await stop(peer);
        checkTimes(child.lines());
        checkPause(child.lines());
    });
});

describe('RTMP', { skip }, () => {
    test('a publisher leaves, another with another size follows', async (t) => {
        if (!hasNginxRtmp()) return t.skip('no nginx with libnginx-mod-rtmp');
        const port = await freePort();
        const nginx = await startNginxRtmp(folder, port);
        const url = `rtmp://127.0.0.1:${port}/live/SECRET`;
        let sender = startSender(large, 'flv', url);
        const child = dump(url, { decode: 1, low: 1, read_ms: 1500, retry_ms: 200, retry_max_ms: 300 });
        await until(child, /streams 1 rtmp h264 320x240 rate=\S+ sound=aac 48000\/1/);
        await until(child, /frame n=30 /);
        await stop(sender);
        await until(child, /state lost/);
        sender = startSender(small, 'flv', url);
        await until(child, /streams \d rtmp h264 160x128/);
        await until(child, /size=160x128/);
        await stop(nginx);
        await until(child, /state lost[^]*state lost/);
        await stop(child);
        checkTimes(child.lines());
        assert.ok(!child.said.includes('SECRET'));
    });

    test('waits for a publisher', async () => {
        const port = await freePort();
        const child = dump(`rtmp://127.0.0.1:${port}/live/KEY`, { listen: 1, low: 1, packets: 30, connect_ms: 100 });
        await bound(port, 'tcp', 'the input');
        startSender(large, 'flv', `rtmp://127.0.0.1:${port}/live/KEY`);
        await child.gone;
        checkTimes(child.lines());
        assert.equal(of(child.lines(), 'picture').length, 30);
    });
});

describe('SRT', { skip }, () => {
    test('calls srt-live-transmit; a wrong passphrase is refused', async (t) => {
        if (!installed('srt-live-transmit')) return t.skip('no srt-live-transmit (srt-tools)');
        const [inner, port] = [await freePort(), await freePort()];
        const relay = start('srt-live-transmit', ['-q', `udp://127.0.0.1:${inner}`, `srt://127.0.0.1:${port}?mode=listener&passphrase=rightrightright`]);
        startSender(large, 'mpegts', `udp://127.0.0.1:${inner}?pkt_size=1316`);
        await bound(port, 'udp', 'the relay');
        const wrong = await dumpAll(`srt://127.0.0.1:${port}?passphrase=wrongwrongwrong`, { attempts: -1 });
        assert.match(last(wrong), /^end IO .*passphrase=\*\*\*: .*refuses; check .*passphrase/);
        const lines = await dumpAll(`srt://127.0.0.1:${port}?passphrase=rightrightright`, { packets: 40, decode: 1, low: 1 });
        checkTimes(lines);
        assert.match(of(lines, 'streams')[0].line, /^streams 1 srt h264 320x240 .*sound=aac/);
        assert.ok(of(lines, 'frame').length > 10);
        await stop(relay);
    });

    test('waits for a caller', async () => {
        const port = await freePort();
        const child = dump(`srt://127.0.0.1:${port}?mode=listener`, { low: 1, packets: 30, connect_ms: 100 });
        await bound(port, 'udp', 'the input');
        startSender(large, 'mpegts', `srt://127.0.0.1:${port}?pkt_size=1316&connect_timeout=20000`);
        await child.gone;
        checkTimes(child.lines());
        assert.equal(of(child.lines(), 'picture').length, 30);
    });
});

describe('UDP', { skip }, () => {
    test('the size changes in mid-stream', async () => {
        const port = await freePort();
        const url = `udp://127.0.0.1:${port}?pkt_size=1316`;
        let sender = startSender(large, 'mpegts', url);
        const child = dump(`udp://127.0.0.1:${port}`, { decode: 1, low: 1 });
        await until(child, /streams 1 udp h264 320x240/);
        await until(child, /frame n=20 /);
        await stop(sender);
        sender = startSender(small, 'mpegts', url);
        await until(child, /streams 2 udp h264 160x128/);
        await until(child, /size=160x128/);
        await stop(child);
        await stop(sender);
        checkTimes(child.lines());
        assert.equal(of(child.lines(), 'state').length, 2); // connecting, connected: nothing was lost
    });
});

describe('HTTP', { skip }, () => {
    const PLAYLIST = 'application/vnd.apple.mpegurl';
    const playlist = (...segments) => [PLAYLIST, `#EXTM3U\n#EXT-X-TARGETDURATION:2\n${segments.map((name) => `#EXTINF:1.0,\n${name}\n`).join('')}#EXT-X-ENDLIST\n`];
    let segment;
    before(async () => {
        const path = join(folder, 'segment.ts');
        await start('ffmpeg', ['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-t', '1',
            '-c:v', 'libx264', '-preset', 'ultrafast', '-threads', '1', '-f', 'mpegts', path]).gone;
        segment = await readFile(path);
        await writeFile(join(folder, 'private.ts'), segment);
    });

    test('a recording as HLS has an end', async () => {
        const server = await serveHttp((path) => (path.endsWith('.ts') ? ['video/mp2t', segment] : playlist('a.ts', 'b.ts')));
        const lines = await dumpAll(`${server.url}/x.m3u8`, { decode: 1 });
        checkTimes(lines);
        assert.equal(of(lines, 'frame').length, 50); // the second starts at the time of the first
        assert.match(last(lines), /^end EOF/);
        server.stop();
    });

    test('live HLS goes on, and ends when its server does', async () => {
        const live = join(folder, 'live');
        const sender = startSender(large, 'hls', `${live}.m3u8`);
        const server = await serveHttp((path) => {
            const name = join(folder, path.slice(1));
            return existsSync(name) ? [PLAYLIST, readFileSync(name)] : 404;
        });
        await untilExists(`${live}2.ts`);
        const child = dump(`${server.url}/live.m3u8`, { decode: 1, read_ms: 10000, retry_ms: 200, attempts: 2 });
        await until(child, /frame n=60 /);
        server.stop();
        await child.gone;
        checkTimes(child.lines());
        assert.match(last(child.lines()), /^end IO .*(connection refused|ended the stream)/);
        await stop(sender);
    });

    test('a playlist reaches no file of this machine', async () => {
        const path = join(folder, 'private.ts');
        for (const name of [`file://${path}`, path, `concat:${path}`, `subfile,,start,0,end,0,,:${path}`, `crypto:file:${path}`, `data:video/mp2t;base64,${segment.toString('base64')}`]) {
            const server = await serveHttp((at) => (at === '/x.m3u8' ? playlist(name) : 404));
            const lines = await dumpAll(`${server.url}/x.m3u8`, { attempts: -1, connect_ms: 3000 });
            assert.equal(of(lines, 'picture').length, 0, name.slice(0, 60));
            assert.match(last(lines), /^end (IO|DATA|NOTFOUND|TIMEOUT|ARG) /);
            server.stop();
        }
    });

    test('says what is wrong', async () => {
        const answers = { '/page': ['text/html', '<html><body>hello</body></html>'], '/locked': 401, '/forbidden': 403, '/broken': 500 };
        const server = await serveHttp((path) => answers[path] ?? 404);
        const cases = [['/page', /^end DATA .*no video/], ['/locked?token=abc', /^end DENIED .*token=\*\*\*: .*\(401\)/],
            ['/forbidden', /^end DENIED .*\(403\)/], ['/broken', /^end IO .*\(5xx\)/], ['/none', /^end NOTFOUND .*\(404\)/]];
        for (const [path, expected] of cases)
            assert.match(last(await dumpAll(server.url + path, { attempts: -1 })), expected);
        server.stop();
    });
});
