// One live stream: its player, what the player and the server measure, what is on the picture, and how
// its stages do.
import { pause } from './detections.js';
import { percent, tint } from './boxes.js';
import * as events from './events.js';
import { Plot } from './plot.js';
import * as streams from './streams.js';
import { bytes, copy, count, duration, element, icon } from './ui.js';
import { Player } from './watch.js';
import { Wide } from './wide.js';

const LOOK_MS = 3000;
const LIST_MS = 400;   // between two drawings of the list of objects
const SILENT_MS = 1500; // without a message: the list is emptied
const LISTED = 12;

export function open(node, id) {
    const page = new StreamPage(node, id);
    return () => page.close();
}

const ms = (value) => (Number.isFinite(value) ? `${Math.round(value)} ms` : '–');
const rate = (bits) => (Number.isFinite(bits) ? `${bits >= 1e6 ? (bits / 1e6).toFixed(1) : Math.round(bits / 1e3)} ${bits >= 1e6 ? 'Mbit/s' : 'kbit/s'}` : '–');
const part = (value) => (Number.isFinite(value) ? `${(100 * value).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %` : '–');
const number = (value, digits = 0) => (Number.isFinite(value) ? String(Number(value.toFixed(digits))) : '–');

// Figures of the player: [key, name, what it means].
const FIGURES = [
    ['latency', 'Delay', ''],
    ['bitrate', 'Bitrate', 'What this page receives'],
    ['size', 'Size', 'Of the picture received'],
    ['rung', 'Rung', 'Which of the stream\u2019s sizes and rates this viewer gets; 1 is the best'],
    ['fps', 'Pictures a second', 'Decoded by this page'],
    ['dropped', 'Dropped', 'Pictures that this page received and did not show'],
    ['loss', 'Loss', 'Packets that did not come, in the last second'],
    ['codec', 'Codec', ''],
];

class StreamPage {
    constructor(node, id) {
        Object.assign(this, { node, id, control: new AbortController(), player: null, stats: null, listed: 0, rows: new Map(), plots: [] });
        this.state = streams.stateChip();
        this.reason = element('p', { class: 'trouble', role: 'alert', hidden: '' });
        this.facts = element('p', { class: 'facts' });
        this.body = element('div', { class: 'stream' });
        node.replaceChildren(element('div', { class: 'head' },
            element('a', { class: 'icon back', href: '#/live', 'aria-label': 'All live streams', title: 'All live streams' }, icon('back')),
            element('div', { class: 'names' }, element('h1', {}, id, ' ', this.state.node), this.facts),
            element('button', { type: 'button', onclick: () => this.copyFrame() }, icon('copy'), 'Embed'),
            element('button', { type: 'button', onclick: () => this.end() }, icon('bin'), 'End')), this.reason, this.body);
        this.begin();
    }

    close() {
        this.control.abort();
        this.player?.close();
        this.wide?.close();
        for (const plot of this.plots) plot.close();
    }

    copyFrame() {
        copy(`<iframe src="${location.origin}/webrtc?stream=${this.id}" width="960" height="600" allow="autoplay; fullscreen" title="${this.id}"></iframe>`, 'HTML for a frame');
    }

    async end() {
        if (await streams.remove(this.id)) location.hash = '#/live';
    }

    async begin() {
        const { signal } = this.control;
        let stream;
        while (!stream) {
            try {
                stream = await streams.get(this.id, signal);
            } catch (error) {
                if (signal.aborted) return;
                this.complain(error);
                if (error.status === 404) return;
                await pause(LOOK_MS, signal).catch(() => {});
            }
            if (signal.aborted) return;
        }
        this.reason.hidden = true;
        this.build(stream);
        this.tell(stream);
        events.follow(`${streams.streamPath(this.id)}/stats`, { signal, take: (stats) => this.measure(stats), failed: (error) => this.complain(error) });
    }

    complain(error) {
        const gone = error.status === 404;
        this.reason.replaceChildren(gone ? `There is no stream ${this.id} any more. ` : error.text || String(error), gone ? element('a', { href: '#/live' }, 'See what is live') : '');
        this.reason.hidden = false;
        if (gone) this.player?.tell({ state: 'ended', reason: 'This stream is gone.' });
    }

    build(stream) {
        this.player = new Player(this.id, { drawn: Boolean(stream.overlay) });
        this.player.addEventListener('figures', ({ detail }) => this.show(detail));
        this.player.addEventListener('objects', ({ detail }) => this.list(detail));
        this.wide = stream.wide_url ? new Wide(stream.wide_url, () => !this.player.playing) : null;
        this.values = Object.fromEntries(FIGURES.map(([key]) => [key, element('dd', {}, '–')]));
        this.note = element('p', { class: 'help' });
        this.objects = element('ul', { class: 'objects', 'aria-label': 'Objects on the picture' });
        this.count = element('span', { class: 'of' });
        this.plots = [
            new Plot('Pictures a second', [{ label: 'from the source' }, { label: 'shown here' }, { label: 'looked at by the model' }]),
            new Plot('Time on the server', [{ label: 'to a picture ready to be sent', unit: 'ms' }, { label: 'for 95 % of them', unit: 'ms' }, { label: 'to the model\u2019s answer', unit: 'ms' }]),
        ];
        this.stages = element('tbody', {});
        this.server = element('dl', { class: 'server-facts' });
        const heads = ['Stage', 'Busy', 'Age p50', 'p95', 'Queue', 'Taken', 'Left out'];
        this.body.replaceChildren(this.player.node,
            element('aside', { class: 'beside' }, this.wide?.node ?? '',
                element('h2', {}, 'As seen here'),
                element('dl', { class: 'figures' }, ...FIGURES.flatMap(([key, name, help]) => [element('dt', { title: help || null }, name), this.values[key]])),
                this.note,
                element('h2', {}, 'On the picture ', this.count), this.objects),
            element('section', { class: 'charts', 'aria-label': 'Charts' }, ...this.plots.map((plot) => plot.node)),
            element('section', { class: 'stages', 'aria-labelledby': 'stages-name' },
                element('h2', { id: 'stages-name' }, 'On the server'), this.server,
                element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Table of stages' },
                    element('table', {}, element('thead', {}, element('tr', {}, ...heads.map((head) => element('th', { scope: 'col' }, head)))), this.stages))));
        this.player.start();
        this.wide?.start();
    }

    tell(stream) {
        this.state.tell(stream.state);
        this.wide?.tell(stream.state === 'running');
        if (stream.input) this.facts.textContent = streams.about(stream);
        const why = streams.why(stream);
        this.player.tell({ state: stream.state, reason: why });
        // Where there is no picture, the player says it in its place.
        this.reason.hidden = !why || !this.player.session;
        this.reason.textContent = why;
    }

    // --- what this page measures ----------------------------------------------------------

    show({ way, width, height, bitrate, fps, dropped, loss, codec, rtt, buffer, latency = {}, session }) {
        const set = (key, text) => { this.values[key].textContent = text; };
        const webrtc = way === 'webrtc';
        const player = latency.player ?? buffer;
        const server = latency.server ?? this.stats?.picture?.latency_p50_ms;
        const known = webrtc && Number.isFinite(server);
        const sum = (rtt || 0) / 2 + (player || 0) + (known ? server : 0);
        set('latency', webrtc && (known || Number.isFinite(player)) ? `≈ ${Math.round(sum)} ms` : '–');
        this.note.textContent = webrtc ? `Delay is an estimate: ${known ? `${ms(server)} on the server, ` : ''}${ms((rtt || 0) / 2)} on the net (half of a round trip), ${ms(player)} in this player${known ? '' : '; what the server takes is not known'}.`
            : way === 'mjpeg' ? 'MJPEG says nothing of its delay; WebRTC does.' : '';
        set('bitrate', rate(bitrate));
        set('size', width ? `${width}×${height}` : '–');
        set('fps', number(fps, 1));
        set('dropped', number(dropped));
        set('loss', part(loss));
        set('codec', codec || '–');
        set('rung', this.rungOf(session));
        this.fps = fps;
    }

    // The server knows it, by the first letters of the session.
    rungOf(session) {
        const viewers = this.stats?.viewers_webrtc || [];
        const mine = session && viewers.find((viewer) => viewer.session && session.split('/').at(-1).startsWith(viewer.session));
        return mine ? `${mine.rung + 1}${mine.height ? ` (${mine.height}p)` : ''}` : '–';
    }

    // --- what the server measures ---------------------------------------------------------

    measure(stats) {
        this.stats = stats;
        this.tell({ ...stats, input: '' });
        const { source, picture, detection } = stats;
        this.plots[0].push([source?.fps, this.fps, detection?.fps]);
        this.plots[1].push([picture?.latency_p50_ms, picture?.latency_p95_ms, detection?.latency_p50_ms]);
        this.server.replaceChildren(...this.facts_of(stats).flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
        this.stages.replaceChildren(...(stats.stages || []).map(stageRow));
    }

    facts_of({ source, picture, detection, uptime, restarts, viewers, viewers_webrtc: webrtc, outputs }) {
        return [
            source && ['Source', [source.codec, source.width && `${source.width}×${source.height}`, source.fps && `${source.fps} fps`, source.sound && 'with sound'].filter(Boolean).join(' · ')],
            picture && ['Picture sent', [picture.width && `${picture.width}×${picture.height}`, `${count(picture.frames)} pictures`, picture.late && `${count(picture.late)} left out as late`].filter(Boolean).join(' · ')],
            detection && ['Detection', `${number(detection.fps, 1)} a second · ${ms(detection.latency_p50_ms)} · ${detection.objects} objects now, ${count(detection.objects_so_far)} so far`],
            uptime !== undefined && ['Runs', [`${duration(uptime)}`, restarts && `${restarts} restarts`, source?.reconnects && `source came back ${source.reconnects} times`].filter(Boolean).join(' · ')],
            viewers !== undefined && ['Viewers', `${viewers} by MJPEG, ${webrtc?.length ?? 0} by WebRTC`],
            ...(outputs || []).map((output) => ['Output', [output.url, output.state, output.reason, bytes(output.bytes)].filter(Boolean).join(' · ')]),
        ].filter(Boolean);
    }

    // --- what is on the picture -----------------------------------------------------------

    // Each object keeps its button while it is there, so that it can be pressed; new ones come last.
    list(message) {
        const now = performance.now();
        // A message may be lost; where none comes any more, nothing is known.
        if (now - this.listed < (message || !this.player.session ? LIST_MS : SILENT_MS)) return;
        this.listed = now;
        const found = (message?.detections || []).toSorted((a, b) => b.score - a.score).slice(0, LISTED);
        this.count.textContent = message?.detections.length || '';
        const times = new Map();
        const here = new Map();
        for (const one of found) {
            const kind = one.track === undefined ? `class ${one.class}` : `track ${one.track}`;
            times.set(kind, (times.get(kind) || 0) + 1);
            here.set(`${kind} ${times.get(kind)}`, one);
        }
        for (const [key, row] of this.rows) {
            if (here.has(key)) continue;
            row.node.remove();
            this.rows.delete(key);
        }
        for (const [key, one] of here) {
            if (!this.rows.has(key)) this.put(key, one);
            Object.assign(this.rows.get(key), { one }).score.textContent = percent(one.score);
        }
    }

    put(key, one) {
        const row = { one, score: element('span', { class: 'facts' }) };
        row.node = element('li', {}, element('button', { type: 'button', onclick: () => this.player.marks.choose(row.one) },
            element('i', { 'aria-hidden': 'true' }), `${one.label ?? one.class}${one.track === undefined ? '' : ` ${one.track}`} `, row.score));
        tint(row.node, one.track ?? one.class);
        this.rows.set(key, row);
        this.objects.append(row.node);
    }
}

function stageRow({ name, busy, latency_p50_ms: p50, latency_p95_ms: p95, queue, queue_max: most, taken, drops, error }) {
    const left = Object.entries(drops || {}).map(([reason, times]) => `${count(times)} ${reason}`).join(', ');
    const bar = element('i', { class: 'bar', 'aria-hidden': 'true' });
    bar.style.width = `${Math.min(100, 100 * (busy || 0))}%`;
    return element('tr', {}, element('th', { scope: 'row', title: error || null }, name),
        element('td', { class: 'busy' }, bar, part(busy)), element('td', {}, ms(p50)), element('td', {}, ms(p95)),
        element('td', {}, most ? `${queue} / ${most}` : String(queue ?? '–')), element('td', {}, count(taken)),
        element('td', { class: left ? 'left-out' : '' }, error || left || '0'));
}
