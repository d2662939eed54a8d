// The bad network is as bad as was asked for, and no worse.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Link, openProxy } from './udp_proxy.mjs';

const SIZE = 972; // 1000 bytes with headers

const answerFor = (port) => ['v=0', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0',
    `a=candidate:1 1 UDP 2015363327 127.0.0.1 ${port} typ host`,
    `a=candidate:2 1 TCP 1015021823 127.0.0.1 9 typ host tcptype active`,
    `a=candidate:3 1 UDP 2015363326 fe80::1 ${port} typ host`, 'a=end-of-candidates', ''].join('\r\n');

const opened = [];
afterEach(() => { for (const thing of opened.splice(0)) thing.close(); }); // or a test that fails never ends

async function bind() {
    const socket = createSocket('udp4');
    opened.push(socket);
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket;
}

function makeProxy(options) {
    const proxy = openProxy(options);
    opened.push(proxy);
    return proxy;
}

// A server that answers each packet with `times` of its own, a proxy, a browser: what came to both.
async function open(options, { times = 0 } = {}) {
    const [server, browser] = await Promise.all([bind(), bind()]);
    const proxy = makeProxy(options);
    const sdp = await proxy.answer(answerFor(server.address().port));
    const port = Number(/a=candidate:1 1 UDP \d+ 127\.0\.0\.1 (\d+) typ host/.exec(sdp)[1]);
    const came = { up: [], down: [] };
    server.on('message', (data, from) => {
        came.up.push({ n: data.readUInt32LE(0), from });
        for (let i = 0; i < times; i++) server.send(data, from.port, from.address);
    });
    browser.on('message', (data) => came.down.push({ n: data.readUInt32LE(0) }));
    const send = (n) => {
        const data = Buffer.alloc(SIZE);
        data.writeUInt32LE(n);
        browser.send(data, port, '127.0.0.1');
    };
    return { proxy, sdp, server, browser, port, came, send };
}

// Time that passes when it is told to, for one timer at a time.
function makeClock() {
    let now = 0, timer = null;
    const clock = {
        now: () => now,
        after: (ms, act) => { timer = { at: now + Math.max(0, ms), act }; return timer; },
        forget: (one) => { if (one === timer) timer = null; },
        to(time) {
            while (timer && timer.at <= time) {
                const { at, act } = timer;
                [now, timer] = [at, null];
                act();
            }
            now = time;
        },
    };
    return clock;
}

// A link in that time: when its packets arrive.
function makeLink(settings) {
    const clock = makeClock(), link = new Link(1, clock), arrivals = [];
    link.set(settings);
    const send = (at, n) => {
        clock.to(at);
        link.push(1000, () => arrivals.push({ n, at: clock.now(), took: clock.now() - at }));
    };
    return { clock, link, arrivals, send };
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
    });

    test('those of the offer are left out', () => {
        const proxy = makeProxy();
        assert.equal(proxy.offer('v=0\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=mid:0\r\n'), 'v=0\r\na=mid:0\r\n');
    });
});

describe('network', () => {
    test('a good one: everything comes, in order, and back to whom it belongs', async () => {
        const net = await open({}, { times: 1 });
        const other = await bind();
        other.send(Buffer.alloc(SIZE), net.port, '127.0.0.1');
        await once(other, 'message');
        for (let n = 1; n <= 200; n++) {
            net.send(n);
            await sleep(1);
        }
        await until(() => net.came.down.length === 200);
        assert.deepEqual(net.came.down.map(({ n }) => n), Array.from({ length: 200 }, (_, i) => i + 1));
        assert.equal(new Set(net.came.up.map(({ from }) => from.port)).size, 2); // as behind a router
        assert.deepEqual(net.proxy.stats().down, { packets: 201, bytes: 201000, lost: 0, dropped: 0, sent: 201 });
    });

    test('delay', async () => {
        const net = await open({ up: { delay: 40 }, down: { delay: 20 } }, { times: 1 });
        const sent = performance.now();
        net.send(1);
        await until(() => net.came.down.length);
        assert.ok(performance.now() - sent >= 59); // and any more on a busy machine
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
            const came = new Set(net.came.up.map(({ n }) => n));
            return Array.from({ length: 1000 }, (_, n) => n).filter((n) => !came.has(n)).join();
        };
        const [first, again, other] = [await lostWith(1), await lostWith(1), await lostWith(2)];
        assert.equal(first, again);
        assert.notEqual(first, other);
        assert.ok(Math.abs(first.split(',').length - 100) < 30, first);
    });
});

describe('a direction', () => {
    test('without settings: at once', () => {
        const { arrivals, send } = makeLink({});
        for (let n = 0; n < 10; n++) send(n, n);
        assert.deepEqual(arrivals.map(({ n, took }) => [n, took]), Array.from({ length: 10 }, (_, n) => [n, 0]));
    });

    test('delay and jitter, in order', () => {
        const { clock, arrivals, send } = makeLink({ delay: 20, jitter: 30 });
        for (let n = 0; n < 200; n++) send(n * 35, n); // so far apart that keeping order does not add to it
        clock.to(10000);
        const took = arrivals.map((packet) => packet.took);
        assert.ok(Math.min(...took) >= 20 && Math.min(...took) < 22 && Math.max(...took) <= 50 && Math.max(...took) > 48, `${took}`);
        assert.ok(Math.abs(median(took) - 35) < 4, `${median(took)}`);
        for (let n = 0; n < 200; n++) send(10000 + n, n);
        clock.to(20000);
        assert.deepEqual(arrivals.slice(200).map(({ n }) => n), Array.from({ length: 200 }, (_, n) => n));
    });

    test('a rate, its queue, and another rate later', () => {
        const { clock, link, arrivals, send } = makeLink({ rate: 2e6, queue: 20000 });
        const rate = (from, to) => arrivals.filter(({ at }) => at >= from && at < to).length * 8000 / (to - from) * 1000;
        for (let at = 0; at < 3000; at += 2) { // 4 Mbit/s
            if (at === 1500) link.set({ rate: 1e6 });
            send(at, at);
        }
        link.set({ rate: 0 });
        clock.to(3000);
        const late = arrivals.filter(({ at }) => at > 500 && at < 1400).map(({ took }) => took);
        assert.deepEqual([rate(300, 1400), rate(1700, 2900)].map((value) => Math.round(value / 2e4)), [100, 50]);
        assert.ok(Math.abs(median(late) - 80) <= 4, `${median(late)} ms in a queue of 80`);
        const { packets, sent, dropped } = link.counts;
        assert.equal(packets, 1500);
        assert.equal(sent + dropped, packets); // no limit any more: what waited has come
        assert.ok(dropped > packets / 2, `${dropped}`);
    });
});
