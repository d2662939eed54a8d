// The strip of neighbours under the timeline: the chosen frame in the middle, a picture each.
import { framePath } from './api.js';
import * as pictures from './pictures.js';
import { element } from './ui.js';

// CSS pixels that a cell takes at least, in a wide window and on a phone.
const CELL = 92;
const NARROW_CELL = 68;

export class Strip {
    constructor(node, choose) {
        Object.assign(this, { node, choose, video: null, at: 0, cells: [] });
        new ResizeObserver(() => this.layout()).observe(node);
    }

    begin(video, frames, keyframes) {
        Object.assign(this, { video, frames, keyframes });
        this.layout();
    }

    clear() {
        this.video = null;
        pictures.drop('strip');
        for (const cell of this.cells) blank(cell);
    }

    // An odd number of cells, so that one is the middle.
    layout() {
        const width = this.node.clientWidth;
        const room = Math.max(3, Math.floor(width / (width < 500 ? NARROW_CELL : CELL)));
        const wanted = room % 2 ? room : room - 1;
        if (wanted !== this.cells.length) {
            this.cells = Array.from({ length: wanted }, () => this.makeCell());
            this.node.replaceChildren(...this.cells);
        }
        if (this.video) this.show(this.at);
    }

    // Out of the tab order: the timeline's arrow keys reach the same frames.
    makeCell() {
        return element('button', {
            type: 'button', class: 'cell', tabindex: -1, disabled: '',
            onclick: (event) => this.choose(Number(event.currentTarget.dataset.n)),
        }, element('img', { alt: '', draggable: 'false' }), element('span'));
    }

    show(at) {
        this.at = at;
        pictures.drop('strip');
        const middle = (this.cells.length - 1) / 2;
        // From the middle outwards: the nearest are likeliest to be wanted.
        const nearest = [...this.cells.keys()].sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
        for (const i of nearest) this.fill(this.cells[i], at - middle + i);
    }

    fill(cell, n) {
        if (n < 0 || n >= this.frames) return void blank(cell);
        cell.disabled = false;
        cell.classList.toggle('here', n === this.at);
        cell.classList.toggle('key', this.keyframes.has(n));
        cell.setAttribute('aria-label', `Frame ${n}${this.keyframes.has(n) ? ', keyframe' : ''}`);
        cell.querySelector('span').textContent = n;
        if (Number(cell.dataset.n) !== n) cell.classList.remove('on');
        cell.dataset.n = n;
        return this.paint(cell, n);
    }

    async paint(cell, n) {
        try {
            const picture = await pictures.wait(framePath(this.video.id, n, { w: 160 }), 'strip');
            if (Number(cell.dataset.n) !== n) return;
            const image = cell.querySelector('img');
            image.src = pictures.blobUrl(picture);
            await image.decode();
            if (Number(cell.dataset.n) === n) cell.classList.add('on');
        } catch {
            // Dropped for a newer place, or missing: the number stays.
        }
    }
}

function blank(cell) {
    cell.disabled = true;
    cell.className = 'cell';
    cell.removeAttribute('aria-label');
    delete cell.dataset.n;
    cell.querySelector('span').textContent = '';
}
