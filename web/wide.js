// All that a stream's camera has to choose from, small, beside what it shows. The server makes these pictures, with
// boxes and the camera's edges, while somebody looks: they are fetched while this is on the screen.
import { pause } from './detections.js';
import * as mjpeg from './mjpeg.js';
import { element } from './ui.js';

const AGAIN_MS = 2000;

export class Wide {
    // held() says whether the large picture stands still: this one does so with it.
    constructor(path, held) {
        Object.assign(this, { path, held, running: false, seen: false, control: new AbortController(), fetching: null });
        this.canvas = element('canvas', { role: 'img', 'aria-label': 'The whole picture, with the edges of what the camera shows', width: 16, height: 9 });
        this.node = element('figure', { class: 'wide', hidden: '' },
            element('figcaption', {}, 'The whole picture'), this.canvas);
        this.watcher = new IntersectionObserver(([entry]) => {
            this.seen = entry.isIntersecting;
            this.follow();
        });
        document.addEventListener('visibilitychange', () => this.follow(), { signal: this.control.signal });
    }

    start() {
        this.node.hidden = false;
        this.watcher.observe(this.node);
    }

    close() {
        this.watcher.disconnect();
        this.control.abort();
    }

    // Whether the stream has pictures now: else the last one stays, and the player says why.
    tell(running) {
        this.running = running;
        this.follow();
    }

    // Begins or ends fetching, as it is looked at or not.
    follow() {
        const wanted = this.running && this.seen && !document.hidden;
        if (wanted === Boolean(this.fetching)) return;
        this.fetching?.abort();
        this.fetching = wanted ? new AbortController() : null;
        if (wanted) this.run(AbortSignal.any([this.control.signal, this.fetching.signal]));
    }

    async run(signal) {
        while (!signal.aborted) {
            try {
                for await (const picture of mjpeg.pictures(this.path, { signal })) {
                    if (this.held()) continue;
                    await mjpeg.draw(this.canvas, picture);
                    this.canvas.dataset.n = picture.n;
                }
            } catch { /* it is asked for again */ }
            await pause(AGAIN_MS, signal).catch(() => {});
        }
    }
}
