// Checks that run inside the page: are controls named, is text readable. Each gives the list of
// what is wrong.

export function accessibleNames() {
    const wrong = [];
    for (const node of document.querySelectorAll('button, a[href], input, canvas, [role]')) {
        if (!node.checkVisibility({ visibilityProperty: true }) || node.closest('[aria-hidden="true"]')) continue;
        if (node.parentElement.closest('[role="img"]')) continue; // parts of a picture
        const label = node.labels?.length || node.getAttribute('aria-label') || node.textContent.trim()
            || document.getElementById(node.getAttribute('aria-labelledby') || '')?.textContent;
        if (!label && node.getAttribute('role') !== 'status') wrong.push(node.outerHTML.slice(0, 80));
    }
    for (const image of document.querySelectorAll('img:not([alt])')) wrong.push(image.outerHTML.slice(0, 80));
    return wrong;
}

// WCAG 2.2 AA: 4.5 to 1, or 3 to 1 for large text, against the nearest opaque background.
export function lowContrast() {
    const painter = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
        painter.clearRect(0, 0, 1, 1);
        painter.fillStyle = color;
        painter.fillRect(0, 0, 1, 1);
        return [...painter.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => {
        const [red, green, blue] = color.map((value) => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const background = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const color = rgba(getComputedStyle(at).backgroundColor);
            if (color[3] === 255) return color;
        }
        return [255, 255, 255, 255];
    };
    const wrong = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
        if (node.closest('script, style, noscript, .sr, .skip')) continue;
        const style = getComputedStyle(node);
        const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
        const [a, b] = [luminance(rgba(style.color)), luminance(background(node))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < (large ? 3 : 4.5)) wrong.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return wrong;
}
