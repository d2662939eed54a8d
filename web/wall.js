// The live wall: all streams as tiles, each with its picture and state.
//
// Browsers open six connections to one server, and each picture under way holds one. So at most SLOTS tiles
// run at once; where more are on the screen they take turns, a picture each. What cannot be seen is
// not fetched.
import { server } from './api.js';
import { pause } from './detections.js';
import * as mjpeg from './mjpeg.js';
import { openForm } from './newstream.js';
import * as streams from './streams.js';
import { copy, element, icon, toast } from './ui.js';

const SLOTS = 3;
const LOOK_MS = 2000;  // between two looks at the list
const TURN_MS = 2500;  // a tile without a picture for so long gives its slot to others
const AGAIN_MS = 1500; // after a stream did not give pictures

const TEST = { id: 'test-picture', input: 'testsrc:size=1280x720,rate=25' };

export function open(node) {
    const wall = new Wall(node);
    return () => wall.close();
}

class Wall {
    constructor(node) {
        Object.assign(this, { tiles: new Map(), running: 0, control: new AbortController(), known: null, looks: 0, shown: 0 });
        this.build(node);
        this.sight = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: '40px' });
        const { signal } = this.control;
        document.addEventListener('visibilitychange', () => this.fill(), { signal });
        server.addEventListener('found', () => this.look(), { signal });
        this.watch();
    }

    close() {
        this.control.abort();
        this.sight.disconnect();
        for (const tile of this.tiles.values()) tile.stop();
    }

    build(node) {
        this.count = element('span', { class: 'of' });
        this.list = element('ul', { class: 'wall', 'aria-label': 'Live streams' });
        this.trouble = element('p', { class: 'trouble', role: 'alert', hidden: '' });
        this.add = element('button', { class: 'primary', type: 'button', onclick: () => this.make() }, icon('plus'), 'New stream');
        this.empty = this.invite();
        node.replaceChildren(element('div', { class: 'head' }, element('h1', {}, 'Live ', this.count), this.add),
            this.trouble, this.empty, this.list);
    }

    invite() {
        const command = `curl -X POST ${location.origin}${streams.PATH} -H 'Content-Type: application/json' -d '{"id": "gate", "input": "rtsp://camera/stream"}'`;
        return element('div', { class: 'welcome-live', hidden: '' },
            element('p', { class: 'lead' }, 'Nothing is live yet.'),
            element('p', { class: 'sub' }, 'Point a stream at a camera, another server or a stored video. It is decoded once, looked at by a model if you like, and watched here by whoever wants to.'),
            element('p', { class: 'row' },
                element('button', { class: 'primary large', type: 'button', onclick: () => this.make() }, 'New stream'),
                element('button', { class: 'large', type: 'button', onclick: () => this.makeTest() }, 'Start a test picture')),
            element('p', { class: 'shell-title', id: 'live-shell' }, 'or from a shell'),
            element('div', { class: 'shell' }, element('code', { 'aria-labelledby': 'live-shell' }, command),
                element('button', { class: 'icon', type: 'button', 'aria-label': 'Copy the command', title: 'Copy', onclick: () => copy(command, 'Command') }, icon('copy'))));
    }

    // --- the list -------------------------------------------------------------------------

    async watch() {
        const { signal } = this.control;
        while (!signal.aborted) {
            if (!document.hidden || !this.known) await this.look();
            await pause(LOOK_MS, signal).catch(() => {});
        }
    }

    // Looks may overtake one another: a list asked for before the one that is shown would bring back what is gone.
    async look() {
        const mine = ++this.looks;
        try {
            const found = await streams.list(this.control.signal);
            if (mine < this.shown) return;
            this.shown = mine;
            this.trouble.hidden = true;
            this.paint(found);
        } catch (error) {
            if (error.name === 'AbortError' || error.status === 0) return; // the page's notice tells of the latter
            this.trouble.textContent = error.text || String(error);
            this.trouble.hidden = false;
        }
    }

    paint(found) {
        this.known = new Set(found.map(({ id }) => id));
        for (const [id, tile] of this.tiles) if (!this.known.has(id)) this.drop(id, tile);
        for (const stream of found) {
            if (!this.tiles.has(stream.id)) this.put(stream.id);
            this.tiles.get(stream.id).tell(stream);
        }
        this.count.textContent = found.length || '';
        this.empty.hidden = found.length > 0;
        this.fill();
    }

    put(id) {
        const tile = new Tile(id, () => this.remove(id));
        const after = [...this.list.children].find((other) => other.dataset.id > id);
        this.tiles.set(id, tile);
        this.list.insertBefore(tile.node, after || null);
        this.sight.observe(tile.node);
    }

    drop(id, tile) {
        this.sight.unobserve(tile.node);
        tile.stop();
        tile.node.remove();
        this.tiles.delete(id);
    }

    async remove(id) {
        if (await streams.remove(id)) this.look();
    }

    async make() {
        const made = await openForm();
        if (made) this.look();
    }

    async makeTest() {
        try {
            await streams.add(TEST);
            this.look();
        } catch (error) {
            toast(error.text || String(error));
        }
    }

    // --- whose turn it is -----------------------------------------------------------------

    seen(entries) {
        for (const { target, isIntersecting } of entries) {
            const tile = this.tiles.get(target.dataset.id);
            if (tile) tile.visible = isIntersecting;
            if (tile && !isIntersecting) tile.stop();
        }
        this.fill();
    }

    waiting() {
        return [...this.tiles.values()].filter((tile) => tile.wants).toSorted((a, b) => a.turn - b.turn);
    }

    fill() {
        if (this.control.signal.aborted) return;
        if (document.hidden) return void this.tiles.forEach((tile) => tile.stop());
        for (const tile of this.waiting()) {
            if (this.running >= SLOTS) break;
            this.running++;
            tile.run(() => this.waiting().length > 0).finally(() => {
                this.running--;
                this.fill();
            });
        }
    }
}

class Tile {
    constructor(id, remove) {
        Object.assign(this, { id, visible: false, turn: 0, control: null, live: false, resting: false });
        this.canvas = element('canvas', { width: 16, height: 9, role: 'img', 'aria-label': `No picture of ${id} yet` });
        this.reason = element('p', { class: 'reason' });
        this.state = streams.stateChip();
        this.facts = element('p', { class: 'facts' });
        this.node = element('li', { class: 'tile', 'data-id': id },
            element('a', { href: `#/live/${id}`, 'aria-label': `Watch ${id}` }, this.canvas, this.reason),
            element('div', { class: 'about' },
                element('p', { class: 'name' }, element('strong', {}, id), ' ', this.state.node), this.facts),
            element('button', { class: 'icon bin', type: 'button', title: 'End the stream', 'aria-label': `End ${id}`, onclick: remove }, icon('bin')));
    }

    tell(stream) {
        this.live = stream.state === 'running';
        this.state.tell(stream.state);
        this.reason.textContent = streams.why(stream);
        this.facts.textContent = this.facts.title = streams.about(stream);
        if (!this.live) this.stop();
    }

    get wants() {
        return this.visible && this.live && !this.control && !this.resting;
    }

    stop() {
        this.control?.abort();
    }

    // Shows pictures until others want the slot. Never rejects.
    async run(othersWait) {
        const { signal } = this.control = new AbortController();
        this.turn = performance.now();
        const patience = setInterval(() => { if (othersWait() && !this.fresh) this.stop(); this.fresh = false; }, TURN_MS);
        try {
            for await (const picture of mjpeg.pictures(`${streams.streamPath(this.id)}/stream.mjpeg`, { signal })) {
                await this.show(picture);
                if (othersWait()) break;
            }
            this.rest(othersWait() ? 0 : AGAIN_MS);
        } catch (error) {
            this.rest(signal.aborted ? 0 : AGAIN_MS);
        } finally {
            clearInterval(patience);
            this.stop();
            this.control = null;
        }
    }

    rest(ms) {
        this.resting = ms > 0;
        if (ms) setTimeout(() => { this.resting = false; }, ms);
    }

    async show(picture) {
        this.fresh = true;
        await mjpeg.draw(this.canvas, picture);
        this.canvas.dataset.n = picture.n;
        if (!this.node.classList.contains('on')) {
            this.node.classList.add('on');
            this.canvas.setAttribute('aria-label', `Live picture of ${this.id}`);
        }
    }
}
