// A chart of the last minutes of some figures, drawn by uPlot. Its legend is text, so it reads well without the
// picture; where this build has no chart, the legend alone is left.
import { element } from './ui.js';

const SPAN_S = 120;
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]; // between the lines of a scale
const HUES = [250, 30, 150, 330, 85, 200, 290, 120];

export class Plot {
    // series: [{label, unit}]; whole: whether the scale counts things, which have no halves.
    constructor(title, series, { whole = false } = {}) {
        Object.assign(this, { series, whole, xs: [], ys: series.map(() => []), plot: null });
        this.values = series.map(() => element('output', {}, '–'));
        this.canvas = element('div', { class: 'plot', role: 'img', 'aria-label': title });
        this.node = element('figure', { class: 'figure' },
            element('figcaption', {}, title),
            this.canvas,
            element('ul', { class: 'keys-of-plot' }, ...series.map(({ label, unit }, i) => {
                const key = element('li', {}, element('i', { 'aria-hidden': 'true' }), label, ' ', this.values[i], unit ? ` ${unit}` : '');
                key.style.setProperty('--hue', HUES[i % HUES.length]);
                return key;
            })));
        this.sizes = new ResizeObserver(() => this.resize());
        this.sizes.observe(this.canvas);
        this.repaint = () => this.plot?.redraw();
        document.addEventListener('theme', this.repaint);
        this.load();
    }

    async load() {
        this.library = (await import('./uplot.js')).default;
        if (this.library) this.resize();
        else this.canvas.hidden = true;
    }

    close() {
        this.sizes.disconnect();
        document.removeEventListener('theme', this.repaint);
        this.plot?.destroy();
        this.plot = null;
    }

    // values: one a series, undefined = not known now.
    push(values) {
        const now = Date.now() / 1000;
        this.xs.push(now);
        values.forEach((value, i) => {
            this.ys[i].push(Number.isFinite(value) ? value : null);
            this.values[i].textContent = Number.isFinite(value) ? short(value, this.whole) : '–';
        });
        while (this.xs[0] < now - SPAN_S) for (const list of [this.xs, ...this.ys]) list.shift();
        this.plot?.setData([this.xs, ...this.ys]);
    }

    resize() {
        const { clientWidth: width, clientHeight: height } = this.canvas;
        if (!this.library || !width) return;
        if (this.plot) this.plot.setSize({ width, height });
        else this.plot = new this.library(this.options(width, height), [this.xs, ...this.ys], this.canvas);
    }

    options(width, height) {
        const style = (name) => () => getComputedStyle(this.canvas).getPropertyValue(name).trim();
        const font = `11px ${getComputedStyle(this.canvas).fontFamily}`;
        const axis = { stroke: style('--ink-2'), font, ticks: { show: false }, grid: { stroke: style('--line'), width: 1 } };
        // Every half a minute before now.
        const marks = () => [4, 3, 2, 1, 0].map((i) => Date.now() / 1000 - i * SPAN_S / 4);
        const ago = () => [4, 3, 2, 1, 0].map((i) => (i ? `−${i * SPAN_S / 4} s` : 'now'));
        return {
            width, height, legend: { show: false }, cursor: { show: false }, padding: [8, 16, 0, 0],
            scales: {
                x: { time: false, range: () => { const now = Date.now() / 1000; return [now - SPAN_S, now]; } },
                y: { range: (plot, low, high) => [0, Math.max((high || 0) * 1.15, this.whole ? 2 : 1)] },
            },
            axes: [{ ...axis, grid: { show: false }, size: 22, splits: marks, values: ago },
                { ...axis, size: 44, space: 28, ...(this.whole && { incrs: WHOLE_STEPS }), values: (plot, splits) => splits.map((value) => short(value, this.whole)) }],
            series: [{}, ...this.series.map(({ label }, i) => ({ label, width: 1.5, points: { show: false }, spanGaps: false, stroke: this.paint(HUES[i % HUES.length]) }))],
        };
    }

    paint = (hue) => () => {
        const style = getComputedStyle(this.canvas);
        return `oklch(${style.getPropertyValue('--layer')} ${style.getPropertyValue('--layer-chroma')} ${hue})`;
    };
}

function short(value, whole) {
    if (whole) return String(Math.round(value));
    if (value >= 100) return String(Math.round(value));
    return String(Number(value.toFixed(value < 10 ? 2 : 1)));
}
