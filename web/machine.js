// The machine and the program: is it well, what computes and why, and what it does now, as charts.
import { getJson, request } from './api.js';
import { pause } from './detections.js';
import { Plot } from './plot.js';
import { sentences } from './shelf.js';
import { bytes, count, duration, element } from './ui.js';

const LOOK_MS = 2000;
const MIB = 1 << 20;

export function open(node) {
    const machine = new Machine(node);
    return () => machine.close();
}

// Prometheus text as [{name, labels: {..}, value}].
export function parseMetrics(text) {
    const rows = [];
    for (const line of text.split('\n')) {
        const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
        if (!match) continue;
        const labels = Object.fromEntries([...(match[2] || '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value]));
        rows.push({ name: match[1], labels, value: Number(match[3]) });
    }
    return rows;
}

// Sums over those that match, at one moment.
class Sample {
    constructor(text) {
        this.at = performance.now() / 1000;
        this.rows = parseMetrics(text);
    }

    sum(name, labels = {}) {
        const rows = this.rows.filter((row) => row.name === name && Object.entries(labels).every(([key, value]) => row.labels[key] === value));
        return rows.length ? rows.reduce((total, { value }) => total + value, 0) : undefined;
    }
}

// What was counted between two samples.
class Change {
    constructor(before, now) {
        Object.assign(this, { before, now, seconds: now.at - before.at });
    }

    grown = (name, labels) => (this.now.sum(name, labels) ?? 0) - (this.before.sum(name, labels) ?? 0);
    rate = (name, labels) => this.grown(name, labels) / this.seconds;

    mean(name, scale) {
        const times = this.grown(`${name}_count`);
        return times > 0 ? this.grown(`${name}_sum`) / times * scale : undefined;
    }

    hits(name) {
        const [hits, misses] = [this.grown(name, { cache: 'hit' }), this.grown(name, { cache: 'miss' })];
        return hits + misses > 0 ? 100 * hits / (hits + misses) : undefined;
    }
}

// Each chart: its name, its lines, and what they are between two samples.
const CHARTS = [
    { title: 'Work, a second', series: [{ label: 'requests' }, { label: 'pictures answered' }, { label: 'live pictures' }],
        values: (change) => [change.rate('saccade_http_requests_total'), change.rate('saccade_pictures_total'), change.rate('saccade_stream_frames_total')] },
    { title: 'Time of a step, mean', series: [{ label: 'request', unit: 'ms' }, { label: 'run of a model', unit: 'ms' }, { label: 'encoding of a picture', unit: 'ms' }],
        values: (change) => [change.mean('saccade_http_request_seconds', 1000), change.mean('saccade_inference_run_seconds', 1000), change.mean('saccade_encode_seconds', 1000)] },
    { title: 'Found in a cache', series: [{ label: 'pictures', unit: '%' }, { label: 'detections', unit: '%' }],
        values: (change) => [change.hits('saccade_pictures_total'), change.hits('saccade_detections_total')] },
    { title: 'Waiting for a model', whole: true, series: [{ label: 'interactive' }, { label: 'live' }, { label: 'jobs' }],
        values: ({ now }) => ['interactive', 'live', 'job'].map((priority) => now.sum('saccade_inference_queue_depth', { priority })) },
    { title: 'Memory', series: [{ label: 'program', unit: 'MiB' }, { label: 'decoded frames', unit: 'MiB' }, { label: 'answers', unit: 'MiB' }],
        values: ({ now }, health) => [now.sum('process_resident_memory_bytes') / MIB, health.memory_usage.frame_cache_bytes / MIB, health.memory_usage.answer_cache_bytes / MIB] },
    { title: 'Sent', series: [{ label: 'over HTTP', unit: 'Mbit/s' }, { label: 'by WebRTC', unit: 'Mbit/s' }],
        values: (change) => [change.rate('saccade_http_sent_bytes_total') * 8e-6, change.rate('saccade_webrtc_sent_bytes_total') * 8e-6] },
];

const PIPELINES = { cpu: 'the processor' };
const percent = (value) => `${Math.round(100 * value)} %`;
const list = (rows) => rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]);

class Machine {
    constructor(node) {
        this.control = new AbortController();
        this.state = element('span', { class: 'state' }, '…');
        this.trouble = element('p', { class: 'trouble', role: 'alert', hidden: '' });
        this.facts = element('dl', { class: 'facts-list' });
        this.compute = element('dl', { class: 'facts-list' });
        this.plots = CHARTS.map(({ title, series, whole }) => new Plot(title, series, { whole }));
        node.replaceChildren(element('div', { class: 'head' }, element('h1', {}, 'System ', this.state),
            element('a', { href: '/metrics' }, 'Metrics for Prometheus')), this.trouble,
        element('div', { class: 'halves' },
            element('section', { 'aria-labelledby': 'program-name' }, element('h2', { id: 'program-name' }, 'Program'), this.facts),
            element('section', { 'aria-labelledby': 'compute-name' }, element('h2', { id: 'compute-name' }, 'What computes, and why'), this.compute)),
        element('section', { class: 'charts', 'aria-label': 'The last two minutes' }, ...this.plots.map((plot) => plot.node)));
        this.watch();
    }

    close() {
        this.control.abort();
        for (const plot of this.plots) plot.close();
    }

    async watch() {
        const { signal } = this.control;
        while (!signal.aborted) {
            if (!document.hidden) await this.look(signal);
            await pause(LOOK_MS, signal).catch(() => {});
        }
    }

    async look(signal) {
        const options = { signal, cache: 'no-store' };
        try {
            const [health, stats, { models }, text] = await Promise.all([getHealth(options), getJson('/api/gpu/stats', options),
                getJson('/api/v1/models', options), request('/metrics', options).then((answer) => answer.text())]);
            this.trouble.hidden = true;
            this.tell(health, stats, new Sample(text));
            this.explain(stats, models);
        } catch (error) {
            if (signal.aborted || error.status === 0) return; // the page's notice tells of the latter
            this.trouble.hidden = false;
            this.trouble.textContent = error.text || String(error);
        }
    }

    tell(health, { api_stats: api, gpu_processor: work }, sample) {
        const { cache } = health;
        const well = health.status === 'healthy';
        this.state.textContent = well ? 'Healthy' : 'The stores cannot be written';
        this.state.dataset.state = well ? 'running' : 'failed';
        const cached = ({ items, bytes: size, hit_rate: rate }, what) => `${count(items)} ${what}, ${bytes(size)}; ${percent(rate)} of all that was asked for`;
        this.facts.replaceChildren(...list([
            ['Version', health.version],
            ['Runs for', duration(health.uptime_seconds)],
            ['Memory', bytes(health.memory_usage.rss_bytes)],
            ['Disk free', bytes(health.disk_free_bytes)],
            ['Videos', count(health.videos)],
            ['Live streams', `${count(sample.sum('saccade_streams', { state: 'running' }))} running`],
            ['WebRTC', `${count(sample.sum('saccade_webrtc_viewers'))} viewers, ${count(sample.sum('saccade_webrtc_sessions_total'))} sessions so far`],
            ['Requests', count(api.total_requests)],
            ['Pictures made', count(work.frames_processed)],
            ['Decoded frames', cached(cache.frames, 'frames')],
            ['Answers', cached(cache.answers, 'pictures')],
        ]));
        if (this.before) {
            const change = new Change(this.before, sample);
            CHARTS.forEach(({ values }, i) => this.plots[i].push(values(change, health)));
        }
        this.before = sample;
    }

    explain({ system_info: info, gpu_processor: work }, models) {
        const serving = models.filter((model) => model.serving);
        const rows = [
            ['Decoding, encoding', element('div', {}, PIPELINES[info.pipeline] ?? info.pipeline ?? 'not known', sentences(info.pipeline_reason))],
            ['Models', info.gpu_available ? `a GPU: ${info.gpu_device || 'there is one'}` : 'the processor; no GPU is used'],
            ...info.gpu_available ? [['GPU', `${percent(work.gpu_utilization / 100)} busy, ${bytes(work.gpu_memory_used)} of its memory`]] : [],
            ...serving.map((model) => [model.name, element('div', {}, `${model.provider} (${model.device})`, sentences(model.provider_reason))]),
            ['More', element('span', {}, element('code', {}, 'saccade doctor'), ' on the server checks the machine and says what to do.')],
        ];
        const text = rows.map(([name, value]) => `${name}${value.textContent ?? value}`).join();
        if (text === this.explained) return; // what is being read stays where it is
        this.explained = text;
        this.compute.replaceChildren(...list(rows));
    }
}

// It answers 503 with the same figures when the stores cannot be written.
async function getHealth(options) {
    const answer = await fetch('/health', options);
    return answer.json();
}
