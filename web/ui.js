// Small helpers of the page: elements, numbers as people read them, the clipboard, dialogs.

export const $ = (id) => document.getElementById(id);

// element('button', {class: 'icon', onclick: f}, child, 'text'): properties that start with "on"
// are listeners, the rest are attributes; false and null are left out.
export function element(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
        else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
}

export function icon(name) {
    const space = 'http://www.w3.org/2000/svg';
    const svg = document.createElementNS(space, 'svg');
    const use = document.createElementNS(space, 'use');
    use.setAttribute('href', `#i-${name}`);
    svg.setAttribute('aria-hidden', 'true');
    svg.append(use);
    return svg;
}

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export function bytes(count) {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let value = Number(count) || 0;
    let unit = 0;
    while (value >= 999.5 && unit < units.length - 1) {
        value /= 1000;
        unit++;
    }
    return `${unit && value < 99.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

// 8.4 s, 1:04, 2:10:09: for reading, not for giving back to the server.
export function duration(seconds) {
    const value = Number(seconds) || 0;
    if (value < 60) return `${Number(value.toFixed(value < 10 ? 2 : 1))} s`;
    const whole = Math.round(value);
    const two = (part) => String(part).padStart(2, '0');
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export const count = (value) => Number(value || 0).toLocaleString('en').replaceAll(',', '\u202f');

let toastTimer;
export function toast(text) {
    $('toast').textContent = text;
    $('toast').classList.add('on');
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => $('toast').classList.remove('on'), 2400);
}

export async function copy(text, what) {
    try {
        // The clipboard API exists in secure contexts only; http://192.168... is none.
        if (navigator.clipboard) await navigator.clipboard.writeText(text);
        else copyBySelection(text);
        toast(`${what} copied`);
    } catch {
        toast(`Could not copy. ${text}`);
    }
}

function copyBySelection(text) {
    const area = element('textarea', { class: 'sr', 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) throw new Error('refused');
}

export function save(blob, name) {
    const url = URL.createObjectURL(blob);
    element('a', { href: url, download: name }).click();
    // Revoking at once would race with the start of the download.
    setTimeout(() => URL.revokeObjectURL(url), 30000);
}

// Resolves to the value of the button that closed the dialog; '' for Escape.
export function ask(dialog) {
    dialog.returnValue = '';
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true });
    });
}

// act: what the button that does it says.
export function confirmed(title, text, act = 'Delete') {
    $('confirm-title').textContent = title;
    $('confirm').querySelector('.danger').textContent = act;
    $('confirm-text').textContent = text;
    return ask($('confirm')).then((answer) => answer === 'yes');
}
