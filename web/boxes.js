// Boxes over the picture, and the same as a list for those who do not see them.
import { $, element } from './ui.js';

const LABEL = 18; // CSS pixels that a label takes above its box,
const LETTER = 7; // and about so many a letter
const SMALL = 24; // a box lower than this is drawn around its object, not over it;
const FEW = 8;    // with more objects than this, it has no label

// A class's colour: neighbours, and the commonest of COCO, lie far apart on the circle of hues, and
// every other turn round it has another lightness.
export function color(number) {
    const angle = number * 131.3 + 250;
    return { hue: angle % 360, odd: Math.floor(angle / 360) % 2 };
}

export function tint(node, number) {
    const { hue, odd } = color(number);
    node.style.setProperty('--hue', hue);
    node.style.setProperty('--odd', odd);
}

export const percent = (score) => `${Math.round(score * 100)}\u202f%`;

// detections: by falling score, of a picture of width x height pixels.
export function draw({ width, height, detections }) {
    const place = $('boxes');
    const [wide, high] = [place.clientWidth / width, place.clientHeight / height];
    const crowded = detections.length > FEW;
    const boxes = detections.map((one) => box(one, { width, height, wide, high, crowded }));
    // The surest lies on top.
    place.replaceChildren(...boxes.toReversed());
    $('found').replaceChildren(...detections.map((one, i) => row(one, boxes[i])));
}

export function clear() {
    $('boxes').replaceChildren();
}

export function clearList() {
    $('found').replaceChildren();
}

function box({ class: number, label, score, box: [x1, y1, x2, y2] }, { width, height, wide, high, crowded }) {
    const text = `${label} ${percent(score)}`;
    const node = element('div', { class: 'box' }, element('span', {}, text));
    tint(node, number);
    node.style.left = `${100 * x1 / width}%`;
    node.style.top = `${100 * y1 / height}%`;
    node.style.width = `${100 * (x2 - x1) / width}%`;
    node.style.height = `${100 * (y2 - y1) / height}%`;
    const small = (y2 - y1) * high < SMALL;
    node.classList.toggle('small', small);
    node.classList.toggle('bare', small && crowded);
    // A label stays on the picture: inside at the top, leftwards at the right edge.
    node.classList.toggle('inside', y1 * high < LABEL);
    node.classList.toggle('leftwards', (width - x1) * wide < LETTER * text.length + 10);
    return node;
}

function row({ class: number, label, score, box: [x1, y1, x2, y2] }, lit) {
    const [x, y, w, h] = [x1, y1, x2 - x1, y2 - y1].map(Math.round);
    const light = (on) => () => lit.classList.toggle('lit', on);
    const node = element('li', { onpointerenter: light(true), onpointerleave: light(false) },
        element('i', { 'aria-hidden': 'true' }),
        element('span', { class: 'name' }, label), ' ',
        element('span', {}, percent(score)),
        element('span', { class: 'facts', 'aria-hidden': 'true' }, `${w}×${h}`),
        element('span', { class: 'sr' }, `, ${w} by ${h} pixels, ${x} from the left, ${y} from the top`));
    tint(node, number);
    return node;
}
