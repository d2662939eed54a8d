// A bad network between a browser and the server: UDP is sent on late, in part, or not at all.
//
//   browser  <->  proxy, an address for each of the server's candidates  <->  server
//
// The candidates of an SDP answer are replaced by the proxy's, and those of the offer left out, or the two would find
// a way past it. To the server each of the browser's sockets is a socket of the proxy's, as behind a router.
//
//   const proxy = openProxy({ seed: 1, down: { rate: 1.25e6, delay: 20 } });
//   await proxy.route(page, '**/whep');       // or proxy.offer(sdp), await proxy.answer(sdp)
//   proxy.set({ down: { rate: 3e6 } });       // from now on; what is not named stays
//
// A direction (down: to the browser, up: to the server) has
//   rate    bits a second, with IP and UDP headers; 0 = no limit
//   queue   bytes that wait for it, more are dropped (64 kB)
//   loss    share of packets that is lost, whatever the load
//   delay   ms, and up to `jitter` ms more, each packet its own; order is kept
// What is lost, and each packet's jitter, follow from the seed and the number of the packet in its direction.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

const NONE = { rate: 0, queue: 64 << 10, loss: 0, delay: 0, jitter: 0 };
const HEADERS = { udp4: 28, udp6: 48 }; // bytes

// 0..1, mulberry32.
function randomFrom(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let x = Math.imul(state ^ (state >>> 15), state | 1);
        x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
        return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
    };
}

const CLOCK = { now: () => performance.now(), after: (ms, act) => setTimeout(act, ms), forget: (timer) => clearTimeout(timer) };

// One direction: a queue that is emptied at a rate, then a delay.
export class Link {
    constructor(seed, clock = CLOCK) {
        this.clock = clock;
        this.random = randomFrom(seed);
        this.settings = { ...NONE };
        this.waiting = []; // {at, size, lost, jitter, send}
        this.flying = []; // {due, send}
        this.free = 0; // when the last packet had left the queue
        this.last = 0; // when the last one arrives
        this.counts = { packets: 0, bytes: 0, lost: 0, dropped: 0, sent: 0 };
        this.queued = 0;
    }

    set(settings) {
        this.advance(this.clock.now());
        Object.assign(this.settings, settings);
        this.wake();
    }

    push(size, send) {
        const { settings, counts } = this, now = this.clock.now();
        const [lost, jitter] = [this.random(), this.random()]; // always both: packet n has the nth pair
        this.advance(now);
        counts.packets++;
        counts.bytes += size;
        if (settings.rate && this.queued + size > settings.queue) {
            counts.dropped++;
            return;
        }
        this.queued += size;
        this.waiting.push({ at: now, size, lost, jitter, send });
        this.wake();
    }

    // What has left the queue by now, and what has arrived.
    advance(now) {
        const { settings, waiting, flying } = this;
        while (waiting.length) {
            const { at, size, lost, jitter, send } = waiting[0];
            const left = Math.max(this.free, at) + (settings.rate ? size * 8000 / settings.rate : 0);
            if (left > now) break;
            waiting.shift();
            this.queued -= size;
            this.free = left;
            if (lost < settings.loss) {
                this.counts.lost++;
                continue;
            }
            this.last = Math.max(this.last, left + settings.delay + jitter * settings.jitter);
            flying.push({ due: this.last, send });
        }
        while (flying.length && flying[0].due <= now) {
            this.counts.sent++;
            flying.shift().send();
        }
    }

    wake() {
        this.clock.forget(this.timer);
        const now = this.clock.now();
        this.advance(now);
        const { settings, waiting: [next] } = this;
        const left = next ? Math.max(this.free, next.at) + next.size * 8000 / settings.rate : Infinity;
        const due = Math.min(left, this.flying[0]?.due ?? Infinity);
        if (due < Infinity) this.timer = this.clock.after(due - now, () => this.wake());
    }

    close() {
        this.clock.forget(this.timer);
        this.waiting.length = this.flying.length = 0;
    }
}

const CANDIDATE = /^a=candidate:(\S+) (\d+) (\S+) (\d+) (\S+) (\d+) typ (\S+)(.*)$/;

class Proxy {
    constructor({ seed = 1, down, up }) {
        this.down = new Link(seed * 2);
        this.up = new Link(seed * 2 + 1);
        this.sockets = new Set();
        this.entries = new Map(); // of the server's "address port": the proxy's socket
        this.set({ down, up });
    }

    set({ down, up }) {
        this.down.set(down ?? {});
        this.up.set(up ?? {});
    }

    // {down, up}: {packets, bytes, lost, dropped (no room in the queue), sent}
    stats() {
        return { down: { ...this.down.counts }, up: { ...this.up.counts } };
    }

    async bind(address) {
        const type = isIPv6(address) ? 'udp6' : 'udp4';
        const socket = createSocket({ type, recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
        this.sockets.add(socket);
        socket.on('error', () => {}); // who is gone says so; nobody here minds
        socket.bind(0, address);
        await once(socket, 'listening');
        if (this.closed) socket.close();
        return Object.assign(socket, { header: HEADERS[type] });
    }

    // What the browser sends to `entry` goes to the server's address and port, and back.
    async relay(address, port) {
        const entry = await this.bind(address);
        const exits = new Map(); // of the browser's "address port"
        const exitFor = (from) => this.bind(address).then((exit) => exit.on('message', (data) => {
            this.down.push(data.length + entry.header, () => this.sockets.has(entry) && entry.send(data, from.port, from.address));
        }));
        entry.on('message', async (data, from) => {
            const name = `${from.address} ${from.port}`;
            if (!exits.has(name)) exits.set(name, exitFor(from));
            const exit = await exits.get(name);
            this.up.push(data.length + entry.header, () => this.sockets.has(exit) && exit.send(data, port, address));
        });
        return entry;
    }

    // The port of the proxy for a candidate; undefined: it is of no use here (TCP, link-local addresses).
    async portFor(protocol, address, port) {
        if (protocol.toLowerCase() !== 'udp' || /^fe80:/i.test(address)) return undefined;
        const name = `${address} ${port}`;
        if (!this.entries.has(name)) this.entries.set(name, this.relay(address, Number(port)));
        return (await this.entries.get(name)).address().port;
    }

    offer(sdp) {
        return sdp.replace(/^a=candidate:.*\r?\n/gm, '');
    }

    async answer(sdp) {
        const lines = await Promise.all(sdp.split('\r\n').map(async (line) => {
            const [, foundation, component, protocol, priority, address, port, type, rest] = CANDIDATE.exec(line) ?? [];
            if (!foundation) return line;
            const here = await this.portFor(protocol, address, port);
            return here && `a=candidate:${foundation} ${component} ${protocol} ${priority} ${address} ${here} typ ${type}${rest}`;
        }));
        return lines.filter((line) => line !== undefined).join('\r\n');
    }

    // WHEP and WHIP requests of a page go through here; candidates that come later are not told.
    async route(page, pattern) {
        await page.route(pattern, async (route) => {
            const request = route.request();
            if (request.method() === 'PATCH') return route.fulfill({ status: 204 });
            if (request.method() !== 'POST') return route.fallback();
            const response = await route.fetch({ postData: this.offer(request.postData()) });
            const text = await response.text();
            return route.fulfill({ response, body: response.status() === 201 ? await this.answer(text) : text });
        });
    }

    close() {
        this.down.close();
        this.up.close();
        this.closed = true;
        for (const socket of this.sockets) if (socket.header) socket.close(); // the rest while they are bound
        this.sockets.clear();
    }
}

export const openProxy = (options = {}) => new Proxy(options);
