// The pictures of an MJPEG answer, one by one. An <img> could show them too, but says nothing of their
// number, size and rate, sends no token, and cannot be paused.
import { request } from './api.js';

const HEAD_MOST = 4096;
const PICTURE_MOST = 64 << 20;

// What has come and was not taken yet.
class Inbox {
    constructor(reader) {
        Object.assign(this, { reader, bytes: new Uint8Array(0) });
    }

    // False at the end.
    async more() {
        const { value, done } = await this.reader.read();
        if (done) return false;
        const joined = new Uint8Array(this.bytes.length + value.length);
        joined.set(this.bytes);
        joined.set(value, this.bytes.length);
        this.bytes = joined;
        return true;
    }

    take(size) {
        const taken = this.bytes.subarray(0, size);
        this.bytes = this.bytes.subarray(size);
        return taken;
    }

    // All up to the next empty line, as text; null at the end.
    async head() {
        for (;;) {
            const text = new TextDecoder('latin1').decode(this.bytes.subarray(0, HEAD_MOST));
            const end = text.indexOf('\r\n\r\n');
            if (end >= 0) return new TextDecoder('latin1').decode(this.take(end + 4));
            if (text.length >= HEAD_MOST) throw new Error('this is no MJPEG stream');
            if (!await this.more()) return null;
        }
    }

    async body(size) {
        while (this.bytes.length < size) if (!await this.more()) return null;
        return this.take(size).slice();
    }
}

const field = (head, name) => new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1].trim();

// Yields {data, n, t} until the server ends the stream. Rejects with a Problem, or AbortError.
export async function* pictures(path, { signal }) {
    const answer = await request(path, { signal, cache: 'no-store' });
    const inbox = new Inbox(answer.body.getReader());
    for (;;) {
        const head = await inbox.head();
        if (head === null) return;
        const size = Number(field(head, 'Content-Length'));
        if (!(size > 0 && size <= PICTURE_MOST)) return; // the last boundary
        const data = await inbox.body(size);
        if (!data) return;
        yield { data, n: Number(field(head, 'X-Frame-Number')), t: Number(field(head, 'X-Frame-Time')) };
    }
}

// Draws a picture on a canvas, which gets its size.
export async function draw(canvas, { data }) {
    const bitmap = await createImageBitmap(new Blob([data], { type: 'image/jpeg' }));
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
    }
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
    bitmap.close();
}
