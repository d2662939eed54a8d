// The player of a live stream: the best way that works, said plainly, with boxes on the picture.
//
//   WebRTC, else HLS, else MJPEG -> stage (picture, boxes) -> bar (play, sound, boxes, full screen, the way)
//
// What breaks off is joined again, with growing pauses; while a lesser way plays, WebRTC is tried again beside it.
// The player fires "picture" for each picture on the screen, "figures" each second, and "objects" when other
// objects are on it.
import { Problem } from './api.js';
import { percent } from './boxes.js';
import { pause } from './detections.js';
import { Marks } from './marks.js';
import * as transports from './transports.js';
import { element, icon } from './ui.js';

const ORDER = ['webrtc', 'hls', 'mjpeg'];
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const STEADY_MS = 10000;  // a session that lived so long was a good one
const BETTER_MS = 20000;  // between tries of WebRTC while something else plays; it doubles
const BETTER_MOST_MS = 300000;
const BAR_MS = 2500;      // the bar over a full screen goes when nothing moved for so long

// What an error of a way comes down to, in one line.
const reasonOf = (error) => (error instanceof Problem ? (error.status ? error.detail || error.message : error.message) : error.message || String(error)).replace(/\.$/, '');

// What asking again would not change.
const isFinal = (error) => [404, 405, 415, 422, 501].includes(error.status);

export class Player extends EventTarget {
    // boxes: whether they are on at first; drawn: the stream has them in its picture already.
    constructor(id, { boxes = true, drawn = false } = {}) {
        super();
        Object.assign(this, { id, wanted: 'auto', session: null, control: new AbortController(), playing: true, muted: true, drawn, pictures: 0, reasons: new Map(), live: true });
        this.build();
        this.marks = new Marks(this.overlay, (message) => this.changed(message));
        this.showBoxes(boxes && !drawn);
    }

    start() {
        const { signal } = this.control;
        addEventListener('pageshow', (event) => { if (event.persisted) this.again(); }, { signal });
        this.ticking = setInterval(() => this.tick(), 1000);
        this.run(signal);
    }

    close() {
        clearInterval(this.ticking);
        this.control.abort();
        this.session?.close();
        this.session = null;
        this.node.remove();
    }

    // The stream's state, where somebody knows it: one that comes to life is tried at once.
    tell({ state, reason }) {
        const live = state === 'running';
        this.waiting = live ? '' : reason || '';
        if (live && !this.live) this.rest?.abort();
        this.live = live;
        if (!this.session) this.say();
    }

    // --- ways -----------------------------------------------------------------------------

    async run(signal) {
        let wait = FIRST_PAUSE_MS;
        for (let session = null; !signal.aborted;) {
            this.round = new AbortController();
            const inner = AbortSignal.any([signal, this.round.signal]);
            session ||= await this.openBest(inner);
            if (session) {
                const began = performance.now();
                this.show(session);
                const next = await this.until(session, inner);
                this.hide(session);
                session = next;
                if (performance.now() - began > STEADY_MS) wait = FIRST_PAUSE_MS;
                if (session || inner.aborted) continue;
            }
            this.rest = new AbortController();
            await pause(wait * (0.75 + Math.random() / 2), AbortSignal.any([inner, this.rest.signal])).catch(() => {});
            wait = inner.aborted || this.rest.signal.aborted ? FIRST_PAUSE_MS : Math.min(2 * wait, LONGEST_PAUSE_MS);
        }
    }

    // Starts anew, whatever there is.
    again() {
        this.round?.abort();
    }

    choose(way) {
        this.wanted = way;
        this.again();
    }

    async openBest(signal) {
        this.reasons.clear();
        this.say('Connecting…');
        for (const way of this.wanted === 'auto' ? ORDER : [this.wanted]) {
            const session = await this.open(way, signal);
            if (session || signal.aborted) return session;
        }
        return null;
    }

    // Resolves to null where it does not work; reasons says why.
    async open(way, signal) {
        try {
            const session = await transports.open(way, {
                id: this.id, stage: this.stage, signal,
                picture: (rtp, metadata) => this.picture(way, rtp, metadata),
                message: (text) => this.marks.take(text),
            });
            this.reasons.delete(way);
            return session;
        } catch (error) {
            if (!signal.aborted) this.reasons.set(way, { text: reasonOf(error), final: isFinal(error) });
            if (!signal.aborted) this.say();
            return null;
        }
    }

    // Until the session has ended: null; or WebRTC can take its place: that session.
    async until(session, signal) {
        const search = new AbortController();
        const stopped = new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
        const over = AbortSignal.any([signal, search.signal]);
        const ended = session.gone.then((reason) => {
            if (!over.aborted) this.reasons.set(session.name, { text: reason });
            return null;
        });
        const next = await Promise.race([stopped, ended, this.better(session, over)]);
        search.abort();
        return next;
    }

    // Resolves to a session by WebRTC; never, where there can be none.
    async better(session, signal) {
        const never = new Promise(() => {});
        if (this.wanted !== 'auto' || session.name === 'webrtc') return never;
        for (let wait = BETTER_MS; !this.reasons.get('webrtc')?.final; wait = Math.min(2 * wait, BETTER_MOST_MS)) {
            await pause(wait, signal).catch(() => {});
            if (signal.aborted) return never;
            const found = await this.open('webrtc', signal);
            if (found && signal.aborted) found.close();
            else if (found) {
                this.reasons.clear(); // what lesser ways lacked is of no interest any more
                return found;
            }
        }
        return never;
    }

    // --- what is on the stage -------------------------------------------------------------

    show(session) {
        this.session = session;
        session.node.classList.remove('coming');
        session.node.setAttribute('aria-label', `Live picture of ${this.id}`);
        if (session.node.tagName === 'VIDEO') session.node.muted = this.muted;
        else session.node.setAttribute('role', 'img');
        if (!this.playing) this.setPlaying(false);
        this.node.dataset.way = session.name;
        this.say();
    }

    hide(session) {
        session.close();
        if (this.session === session) this.session = null;
        delete this.node.dataset.way;
        this.marks.clear();
        this.say();
    }

    picture(way, rtp, metadata) {
        if (this.session && way !== this.session.name) return; // of one that is on its way
        const { node } = this.session || {};
        const [width, height] = [node?.videoWidth || node?.width, node?.videoHeight || node?.height];
        if (width && height) this.setRatio(width / height);
        this.pictures++;
        const message = rtp === undefined ? null : this.marks.shown(rtp);
        this.latency = latency(metadata, message);
        this.dispatchEvent(new CustomEvent('picture', { detail: { rtp, message } }));
    }

    setRatio(ratio) {
        if (Math.abs(ratio - this.marks.ratio) < 0.001) return;
        this.marks.ratio = ratio;
        this.stage.style.setProperty('--ratio', String(ratio));
    }

    async tick() {
        const { session } = this;
        const figures = session ? await session.figures().catch(() => ({})) : {};
        if (session !== this.session) return;
        this.sound(Boolean(session?.sound));
        this.dispatchEvent(new CustomEvent('figures', { detail: { ...figures, way: session?.name, latency: this.latency, session: session?.whep?.session } }));
    }

    changed(message) {
        this.detail(message);
        this.dispatchEvent(new CustomEvent('objects', { detail: message }));
    }

    // --- words ----------------------------------------------------------------------------

    // What plays and why; or why nothing does.
    say(text) {
        const tried = [...this.reasons].map(([way, { text: why }]) => `${transports.NAMES[way]}: ${why}.`);
        const name = transports.NAMES[this.session?.name];
        this.node.classList.toggle('waiting', !this.session);
        this.cover.textContent = this.session ? '' : this.waiting || text || tried.at(-1) || 'Connecting…';
        this.way.textContent = name || (text ? 'Connecting' : 'Waiting');
        const upgrade = this.session && this.session.name !== 'webrtc' && this.wanted === 'auto' ? ` Playing ${name} instead.` : '';
        this.status.textContent = !this.session && this.waiting ? '' : `${tried.join(' ')}${upgrade}`;
        this.boxes.disabled = Boolean(this.session) && this.session.name !== 'webrtc';
        const where = this.drawn ? 'The stream has boxes drawn into its picture already. ' : '';
        this.boxes.title = this.boxes.disabled ? `${where}Boxes on top come with WebRTC only` : `${where}Boxes on the picture (b)`;
    }

    // The object that was clicked: it is followed while it is on the picture.
    detail(message) {
        const { chosen } = this.marks;
        this.card.hidden = !chosen;
        if (!chosen) return;
        const now = message?.detections.find((one) => this.marks.isChosen(one)) || chosen;
        const seen = now.track === undefined ? null : this.marks.seen(now.track);
        const [x1, y1, x2, y2] = now.box.map(Math.round);
        const rows = [
            ['Score', percent(now.score)],
            ['Track', now.track ?? 'none'],
            ['Size', `${x2 - x1}×${y2 - y1}`],
            ['Seen', seen ? `${(seen.last - seen.first).toFixed(1)} s` : '–'],
        ];
        this.card.querySelector('strong').textContent = now.label ?? `class ${now.class}`;
        this.card.querySelector('dl').replaceChildren(...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
    }

    // --- controls -------------------------------------------------------------------------

    build() {
        this.stage = element('div', { class: 'watch-stage' });
        this.overlay = element('canvas', { class: 'marks', 'aria-hidden': 'true' });
        this.cover = element('p', { class: 'cover', role: 'status' });
        this.card = element('div', { class: 'card', role: 'group', 'aria-label': 'The chosen object', hidden: '' },
            element('strong', {}), element('dl', {}),
            element('button', { type: 'button', class: 'icon', 'aria-label': 'Close the details', onclick: () => this.marks.choose(null) }, icon('x')));
        this.stage.append(this.overlay, this.cover, this.card);
        this.play = this.button('Pause', 'Pause (space)', () => this.setPlaying(!this.playing));
        this.mute = this.button('Sound', 'Sound (m)', () => this.setMuted(!this.muted));
        this.boxes = this.button('Boxes', 'Boxes on the picture (b)', () => this.showBoxes(!this.marks.on));
        this.full = this.button('Full screen', 'Full screen (f)', () => this.toggleFull());
        this.full.hidden = !document.fullscreenEnabled;
        this.way = element('span', { class: 'way' });
        this.picker = element('select', { 'aria-label': 'How it is played', onchange: () => this.choose(this.picker.value) },
            element('option', { value: 'auto' }, 'Best'), ...ORDER.map((value) => element('option', { value }, transports.NAMES[value])));
        this.status = element('p', { class: 'watch-status', role: 'status' });
        this.node = element('div', { class: 'watch', role: 'group', 'aria-label': `Player of ${this.id}`, tabindex: '-1' }, this.stage,
            element('div', { class: 'watch-bar' }, this.play, this.mute, this.boxes, this.full, this.way, this.picker), this.status);
        this.overlay.addEventListener('click', (event) => this.press(event));
        this.overlay.addEventListener('dblclick', () => this.toggleFull());
        document.addEventListener('keydown', (event) => this.key(event), { signal: this.control.signal });
        for (const type of ['pointermove', 'keydown', 'focusin']) this.node.addEventListener(type, () => this.wake());
        this.sound(false);
        this.say('Connecting…');
    }

    button(label, title, act) {
        return element('button', { type: 'button', title, onclick: act }, label);
    }

    setPlaying(on) {
        this.playing = on;
        this.play.textContent = on ? 'Pause' : 'Play';
        this.play.title = `${on ? 'Pause' : 'Play'} (space)`;
        const { session } = this;
        if (session?.node.tagName !== 'VIDEO') Object.assign(session || {}, { paused: !on });
        else if (on) session.node.play().catch(() => {});
        else session.node.pause();
    }

    setMuted(muted) {
        if (this.mute.disabled) return;
        this.muted = muted;
        if (this.session?.node.tagName === 'VIDEO') this.session.node.muted = muted;
        this.mute.setAttribute('aria-pressed', String(!muted));
    }

    sound(there) {
        this.mute.disabled = !there;
        this.mute.title = there ? 'Sound (m)' : 'This has no sound';
        this.mute.setAttribute('aria-pressed', String(there && !this.muted));
    }

    showBoxes(on) {
        this.marks.on = on;
        this.boxes.setAttribute('aria-pressed', String(on));
        this.marks.draw();
    }

    toggleFull() {
        if (document.fullscreenElement) document.exitFullscreen();
        else this.node.requestFullscreen?.().catch(() => {});
    }

    wake() {
        this.node.classList.remove('idle');
        clearTimeout(this.idling);
        this.idling = setTimeout(() => this.node.classList.add('idle'), BAR_MS);
    }

    press(event) {
        const box = this.overlay.getBoundingClientRect();
        this.marks.choose(this.marks.on ? this.marks.hit(event.clientX - box.left, event.clientY - box.top) : null);
    }

    key(event) {
        const typing = event.target.closest('input, select, textarea, dialog');
        if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
        const act = {
            ' ': () => this.setPlaying(!this.playing), f: () => this.toggleFull(),
            b: () => { if (!this.boxes.disabled) this.showBoxes(!this.marks.on); },
            m: () => this.setMuted(!this.muted), o: () => this.marks.chooseNext(), Escape: () => this.marks.choose(null),
        }[event.key];
        if (!act || (event.key === ' ' && event.target.closest('button, a, summary'))) return;
        if (event.key !== 'Escape') event.preventDefault();
        act();
    }
}

// What can be known of a picture's age, in parts (ms): how old it was when it was sent, if the server says so, and
// what the player took from its last packet to the screen.
function latency(metadata, message) {
    const { receiveTime, expectedDisplayTime } = metadata || {};
    return {
        server: Number.isFinite(message?.age_ms) ? message.age_ms : undefined,
        player: receiveTime && expectedDisplayTime ? Math.max(0, expectedDisplayTime - receiveTime) : undefined,
    };
}
