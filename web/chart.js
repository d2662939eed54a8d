// The chart of counts: uPlot on the timeline's axis, as wide as it and at the same left.
//
// It only draws: the pointer on it is the scrubber's, and its cursor stands where the scrubber does.
import { color } from './boxes.js';
import { OTHER } from './counts.js';

const POINTER = ['mousedown', 'mouseup', 'click', 'dblclick', 'mousemove', 'mouseleave', 'mouseenter'];
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500];

export class Chart {
    constructor(node) {
        Object.assign(this, { node, plot: null, classes: [], data: [[]], from: 0, span: 1, at: 0 });
        new ResizeObserver(() => this.resize()).observe(node);
        document.addEventListener('theme', () => this.plot?.redraw());
    }

    // Fetches the library the first time. Resolves to false where this build lacks it.
    async load() {
        this.library ??= (await import('./uplot.js')).default || false;
        return Boolean(this.library);
    }

    // classes as counts.rank() gives them, xs and layers as counts.stack().
    draw(classes, { xs, layers }) {
        if (!this.library) return;
        // What is drawn later covers what was drawn before: the whole stack first.
        this.data = [xs, ...layers.toReversed()];
        const same = this.plot && this.plot.series.length === this.data.length
            && classes.every((each, i) => each.class === this.classes[i]?.class);
        this.classes = classes;
        if (!same) return void this.make();
        this.plot.setData(this.data); // its scales are made anew: without, nothing would be drawn
        this.place();
    }

    // The stretch of time that the timeline shows, and the second at which the scrubber stands.
    follow({ from, span, at }) {
        Object.assign(this, { from, span, at });
        if (this.plot) this.place();
    }

    clear() {
        this.plot?.destroy();
        this.plot = null;
    }

    make() {
        this.clear();
        const { clientWidth: width, clientHeight: height } = this.node;
        if (!width) return;
        this.plot = new this.library(this.options(width, height), this.data, this.node);
        this.place();
    }

    options(width, height) {
        const style = (name) => () => getComputedStyle(this.node).getPropertyValue(name).trim();
        const none = () => null;
        return {
            width, height, padding: [8, 0, 0, 0], legend: { show: false }, drawOrder: ['series', 'axes'],
            cursor: { y: false, points: { show: false }, drag: { x: false, y: false }, bind: Object.fromEntries(POINTER.map((name) => [name, none])) },
            scales: {
                x: { time: false, range: () => [this.from, this.from + this.span] },
                y: { range: (plot, low, high) => [0, Math.max(high || 0, 2)] },
            },
            axes: [{ show: false }, {
                size: 0, gap: -4, align: 1, incrs: STEPS, space: 24, ticks: { show: false },
                stroke: style('--ink'), grid: { show: false }, font: `11px ${getComputedStyle(this.node).fontFamily}`,
                values: (plot, splits) => splits.map((value) => value || ''),
            }],
            series: [{}, ...this.classes.toReversed().map((each) => this.layer(each))],
        };
    }

    layer({ class: number }) {
        const paint = () => {
            const style = getComputedStyle(this.node);
            const value = (name) => style.getPropertyValue(name).trim();
            if (number === OTHER) return value('--tick');
            const { hue, odd } = color(number);
            return `oklch(${Number(value('--layer')) + odd * Number(value('--layer-step'))} ${value('--layer-chroma')} ${hue})`;
        };
        return { stroke: paint, fill: paint, width: 1, points: { show: false }, paths: this.library.paths.stepped({ align: 1 }) };
    }

    place() {
        this.plot.batch(() => {
            this.plot.setScale('x', { min: this.from, max: this.from + this.span });
            this.plot.setCursor({ left: (this.at - this.from) / this.span * this.plot.bbox.width / devicePixelRatio, top: 1 }, false);
        });
    }

    resize() {
        const { clientWidth: width, clientHeight: height } = this.node;
        if (!this.library || !width) return;
        if (!this.plot) this.make();
        else if (width !== this.plot.width || height !== this.plot.height) {
            this.plot.setSize({ width, height });
            this.place();
        }
    }
}
