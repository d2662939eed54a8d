// The bad network is as bad as was asked for, and no worse.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { openProxy } from './udp_proxy.mjs';

const SIZE = 972; // 1000 bytes with headers

const answerFor = (port) => ['v=0', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0',
    `a=candidate:1 1 UDP 2015363327 127.0.0.1 ${port} typ host`,
    `a=candidate:2 1 TCP 1015021823 127.0.0.1 9 typ host tcptype active`,
    `a=candidate:3 1 UDP 2015363326 fe80::1 ${port} typ host`, 'a=end-of-candidates', ''].join('\r\n');

async function bind() {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket;
}

// A server that answers each packet with `times` of its own, a proxy, a browser: what came to both.
async function open(options, { times = 0 } = {}) {
    const [server, browser] = await Promise.all([bind(), bind()]);
    const proxy = openProxy(options);
    const sdp = await proxy.answer(answerFor(server.address().port));
    const port = Number(/a=candidate:1 1 UDP \d+ 127\.0\.0\.1 (\d+) typ host/.exec(sdp)[1]);
    const came = { up: [], down: [] };
    server.on('message', (data, from) => {
        came.up.push({ n: data.readUInt32LE(0), at: performance.now(), from });
        for (let i = 0; i < times; i++) server.send(data, from.port, from.address);
    });
    browser.on('message', (data) => came.down.push({ n: data.readUInt32LE(0), at: performance.now() }));
    const send = (n) => {
        const data = Buffer.alloc(SIZE);
        data.writeUInt32LE(n);
        browser.send(data, port, '127.0.0.1');
    };
    const close = () => { proxy.close(); server.close(); browser.close(); };
    return { proxy, sdp, server, browser, port, came, send, close };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function until(check, ms = 10000) {
    for (const end = Date.now() + ms; !check(); await sleep(10)) assert.ok(Date.now() < end, `not within ${ms} ms: ${check}`);
}

describe('SDP', () => {
    test('candidates of the answer become the proxy\'s, useless ones go', async () => {
        const net = await open();
        assert.equal(net.sdp.match(/a=candidate/g).length, 1);
        assert.notEqual(net.port, net.server.address().port);
        assert.match(net.sdp, /a=mid:0\r\n[^]*a=end-of-candidates\r\n$/);
        assert.equal(await net.proxy.answer(answerFor(net.server.address().port)), net.sdp); // the same again
        net.close();
    });

    test('those of the offer are left out', () => {
        const proxy = openProxy();
        assert.equal(proxy.offer('v=0\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=mid:0\r\n'), 'v=0\r\na=mid:0\r\n');
        proxy.close();
    });
});

describe('network', () => {
    test('a good one: everything comes, at once, in order, and back to whom it belongs', async () => {
        const net = await open({}, { times: 1 });
        const other = await bind();
        other.send(Buffer.alloc(SIZE), net.port, '127.0.0.1');
        await once(other, 'message');
        const sent = [];
        for (let n = 1; n <= 200; n++) {
            sent[n] = performance.now();
            net.send(n);
            await sleep(1);
        }
        await until(() => net.came.down.length === 200);
        assert.deepEqual(net.came.down.map(({ n }) => n), Array.from({ length: 200 }, (_, i) => i + 1));
        assert.ok(median(net.came.down.map(({ n, at }) => at - sent[n])) < 5);
        assert.equal(new Set(net.came.up.map(({ from }) => from.port)).size, 2); // as behind a router
        assert.deepEqual(net.proxy.stats().down, { packets: 201, bytes: 201000, lost: 0, dropped: 0, sent: 201 });
        other.close();
        net.close();
    });

    test('delay and jitter', async () => {
        const net = await open({ up: { delay: 40 }, down: { delay: 20, jitter: 30 } }, { times: 1 });
        const sent = [];
        for (let n = 0; n < 60; n++) {
            sent[n] = performance.now();
            net.send(n);
            await sleep(35); // so that keeping order does not add to it
        }
        await until(() => net.came.down.length === 60);
        const up = net.came.up.map(({ n, at }) => at - sent[n]);
        const both = net.came.down.map(({ n, at }) => at - sent[n]);
        assert.ok(Math.min(...up) >= 39 && median(up) < 46, `up ${Math.min(...up)} ${median(up)}`);
        assert.ok(Math.min(...both) >= 59, `both ${Math.min(...both)}`);
        assert.ok(Math.abs(median(both) - 75) < 10, `both ${median(both)}`);
        net.close();
    });

    test('loss is as asked, and the same again with the same seed', async () => {
        const lostWith = async (seed) => {
            const net = await open({ seed, up: { loss: 0.1 } });
            for (let n = 0; n < 1000; n++) {
                net.send(n);
                if (n % 20 === 0) await sleep(1);
            }
            await until(() => { const { packets, sent, lost } = net.proxy.stats().up; return packets === 1000 && sent + lost === 1000; });
            await until(() => net.came.up.length === net.proxy.stats().up.sent);
            net.close();
            const came = new Set(net.came.up.map(({ n }) => n));
            return Array.from({ length: 1000 }, (_, n) => n).filter((n) => !came.has(n)).join();
        };
        const [first, again, other] = [await lostWith(1), await lostWith(1), await lostWith(2)];
        assert.equal(first, again);
        assert.notEqual(first, other);
        assert.ok(Math.abs(first.split(',').length - 100) < 30, first);
    });

    test('a rate, its queue, and another rate later', async () => {
        const net = await open({ down: { rate: 2e6, queue: 20000 } }, { times: 2 });
        const rate = (from, to) => net.came.down.filter(({ at }) => at >= from && at < to).length * 8000 / (to - from) * 1000;
        const begun = performance.now();
        let n = 0;
        const pump = async (until_ms) => {
            while (performance.now() < begun + until_ms) { // 4 Mbit/s come down
                for (; n * 4 < performance.now() - begun; n++) net.send(n);
                await sleep(2);
            }
        };
        await pump(1500);
        net.proxy.set({ down: { rate: 1e6 } });
        await pump(3000);
        net.proxy.set({ down: { rate: 0 } });
        await sleep(100);
        const got = [rate(begun + 300, begun + 1400), rate(begun + 1700, begun + 2900)];
        assert.ok(Math.abs(got[0] - 2e6) < 0.1e6, `${got}`);
        assert.ok(Math.abs(got[1] - 1e6) < 0.06e6, `${got}`);
        const { packets, sent, dropped } = net.proxy.stats().down;
        assert.equal(sent + dropped, packets);
        assert.ok(dropped > packets / 3, `${dropped} of ${packets}`);
        const sentAt = (k) => begun + k * 4;
        const late = net.came.down.filter(({ at }) => at > begun + 500 && at < begun + 1400).map(({ n: k, at }) => at - sentAt(k));
        assert.ok(Math.abs(median(late) - 80) < 15, `${median(late)} ms in a queue of 80`);
        net.close();
    });
});
