// YOLOX once more, after its authors' description and without any of Saccade's code: ffmpeg's
// pictures, bilinear resizing, onnxruntime-node, decoding and suppression in plain JavaScript.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const SIDE = 416, PAD = 114, IOU = 0.45;

// Frames by number, as packed RGB of 16 bits in full size (255 is 65280). Rounding to 8 bits, or
// taking chroma from beside its place, moves scores in the middle by 0.03 already; so neither is
// done here.
export function framesOf(file, numbers, width, height) {
    const select = numbers.map((n) => `eq(n,${n})`).join('+');
    const scale = 'scale=in_h_chr_pos=0:in_v_chr_pos=128:'
        + 'flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp';
    const made = spawnSync('ffmpeg', ['-v', 'error', '-i', file, '-vf', `select='${select}',${scale}`,
        '-vsync', '0', '-pix_fmt', 'rgb48le', '-f', 'rawvideo', '-'], { maxBuffer: 2 ** 30 });
    if (made.status !== 0) throw new Error(`ffmpeg: ${made.stderr}`);
    const size = width * height * 6, { buffer, byteOffset, length } = made.stdout;
    if (length !== numbers.length * size)
        throw new Error(`ffmpeg gave ${length / size} frames of ${numbers.length}`);
    return numbers.map((_, i) =>
        new Uint16Array(buffer.slice(byteOffset + i * size, byteOffset + (i + 1) * size)));
}

// Where a row or column of the small picture lies in the large one: two neighbours and a weight.
function taps(small, large) {
    const scale = large / small;
    return Array.from({ length: small }, (_, i) => {
        const at = (i + 0.5) * scale - 0.5;
        const first = Math.floor(at);
        const clamp = (v) => Math.min(Math.max(v, 0), large - 1);
        return { a: clamp(first), b: clamp(first + 1), f: at - first };
    });
}

// The picture at the top left of a grey square; planes B, G, R of 0..255.
export function prepare(rgb, width, height) {
    const ratio = Math.min(SIDE / height, SIDE / width);
    const w = Math.floor(width * ratio), h = Math.floor(height * ratio);
    const xs = taps(w, width), ys = taps(h, height);
    const tensor = new Float32Array(3 * SIDE * SIDE).fill(PAD);
    for (let c = 0; c < 3; c++)
        for (let y = 0; y < h; y++)
            for (let x = 0; x < w; x++) {
                const at = (yy, xx) => rgb[(yy * width + xx) * 3 + c];
                const tx = xs[x], ty = ys[y];
                const top = at(ty.a, tx.a) * (1 - tx.f) + at(ty.a, tx.b) * tx.f;
                const low = at(ty.b, tx.a) * (1 - tx.f) + at(ty.b, tx.b) * tx.f;
                tensor[(2 - c) * SIDE * SIDE + y * SIDE + x] =
                    (top * (1 - ty.f) + low * ty.f) / 256;
            }
    return { tensor, ratio };
}

export function iou(a, b) {
    const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
    const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
    if (w <= 0 || h <= 0)
        return 0;
    const area = (v) => (v[2] - v[0]) * (v[3] - v[1]);
    return w * h / (area(a) + area(b) - w * h);
}

function suppress(objects) {
    objects.sort((a, b) => b.score - a.score);
    const kept = [];
    for (const o of objects)
        if (!kept.some((k) => k.class === o.class && iou(k.box, o.box) > IOU))
            kept.push(o);
    return kept;
}

// Rows of dx, dy, log w, log h, objectness, classes; one a cell of the grids of strides 8, 16, 32.
export function decode(values, classes, ratio, width, height, floor) {
    const objects = [];
    let row = 0;
    for (const stride of [8, 16, 32])
        for (let gy = 0; gy < SIDE / stride; gy++)
            for (let gx = 0; gx < SIDE / stride; gx++, row++) {
                const v = values.subarray(row * (5 + classes), (row + 1) * (5 + classes));
                const best = v.subarray(5).reduce((m, s, i, all) => (s > all[m] ? i : m), 0);
                const score = v[4] * v[5 + best];
                if (score < floor)
                    continue;
                const x = (v[0] + gx) * stride, y = (v[1] + gy) * stride;
                const w = Math.exp(v[2]) * stride, h = Math.exp(v[3]) * stride;
                objects.push({ class: best, score, box: [x - w / 2, y - h / 2, x + w / 2, y + h / 2] });
            }
    const limits = [width, height, width, height];
    return suppress(objects).map((o) => ({ ...o,
        box: o.box.map((v, i) => Math.min(Math.max(v / ratio, 0), limits[i])) }));
}

// What the model finds in frames of a file, with scores from floor up.
export async function reference(model, file, numbers, width, height, floor) {
    const ort = createRequire(import.meta.url)('onnxruntime-node');
    const session = await ort.InferenceSession.create(model, { executionProviders: ['cpu'] });
    const found = [];
    for (const rgb of framesOf(file, numbers, width, height)) {
        const { tensor, ratio } = prepare(rgb, width, height);
        const input = new ort.Tensor('float32', tensor, [1, 3, SIDE, SIDE]);
        const { output } = await session.run({ images: input });
        found.push(decode(output.data, output.dims[2] - 5, ratio, width, height, floor));
    }
    return found;
}
