// Light or dark, before anything is painted: what was chosen here, else what the system says. A classic
// script, because modules wait for the page. The document fires "theme" whenever the look changes.
(() => {
    const KEY = 'saccade-theme';
    const SYSTEM = '(prefers-color-scheme: dark)';
    const system = matchMedia(SYSTEM);

    // Where a frame of another site may not read it, the system's look is good enough.
    function read() {
        try {
            return localStorage.getItem(KEY);
        } catch {
            return null;
        }
    }

    function apply() {
        const media = { dark: 'all', light: 'not all' }[read()] || SYSTEM;
        document.getElementById('dark').media = media;
        document.documentElement.dataset.theme = media === SYSTEM ? 'system' : read();
        document.dispatchEvent(new Event('theme'));
    }

    // The other look; where that is the system's, the system is followed again.
    window.turnTheme = () => {
        const dark = read() ? read() === 'dark' : system.matches;
        if (system.matches === !dark) localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, dark ? 'light' : 'dark');
        apply();
    };

    system.addEventListener('change', apply);
    apply();
})();
