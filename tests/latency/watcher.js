// Runs in the page: watches a stream by WHEP and reads the clock in its pictures (src/media/clock_strip.h).
// window.watch(url, {seconds, warmUp}) -> figures; all times in ms.
{
    const BLOCKS = 56, CELL = 8; // pixels of the canvas a block
    const now = () => performance.timeOrigin + performance.now();

    // The strip as it stands in luma: {ms, n}, or null where its checksum is wrong.
    const readStrip = (context, video, top) => {
        const side = video.videoWidth / 80;
        context.drawImage(video, 0, top, side * BLOCKS, side, 0, 0, BLOCKS * CELL, CELL);
        const { data } = context.getImageData(0, 0, BLOCKS * CELL, CELL);
        const bytes = new Uint8Array(7);
        for (let i = 0; i < BLOCKS; i++) {
            const at = 4 * (BLOCKS * CELL * (CELL / 2) + i * CELL + CELL / 2);
            if (data[at + 1] > 128) bytes[i >> 3] |= 1 << (i & 7);
        }
        const sum = bytes.subarray(0, 6).reduce((a, b) => a + b, 0);
        if (((sum * 37) & 255) !== bytes[6]) return null;
        const view = new DataView(bytes.buffer);
        return { ms: view.getUint32(0, true), n: view.getUint16(4, true) };
    };

    const negotiate = async (url) => {
        const pc = new RTCPeerConnection();
        pc.addTransceiver('video', { direction: 'recvonly' });
        pc.createDataChannel('saccade', { ordered: false, maxRetransmits: 0 });
        const media = new Promise((done) => { pc.ontrack = (event) => done(new MediaStream([event.track])); });
        await pc.setLocalDescription(await pc.createOffer());
        const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
        if (answer.status !== 201) throw new Error(`WHEP: ${answer.status} ${await answer.text()}`);
        await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
        return { pc, session: new URL(answer.headers.get('Location'), url).href, stream: await media };
    };

    const percentile = (sorted, p) => sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] : null;

    const summary = (run, seconds) => {
        const sorted = run.latencies.sort((a, b) => a - b);
        return { join_ms: run.join, frames: sorted.length, fps: sorted.length / seconds, bad: run.bad,
            p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), p99: percentile(sorted, 0.99), max: sorted.at(-1) ?? null,
            longest_gap: run.longest, freezes: run.freezes, skipped: run.skipped, size: run.size, slope_ms_per_min: run.slope() };
    };

    // Latency against time, least squares: growing delay shows.
    const slopeOf = (points) => {
        const n = points.length, mean = (i) => points.reduce((sum, p) => sum + p[i], 0) / n;
        if (n < 2) return 0;
        const [mx, my] = [mean(0), mean(1)];
        const sxx = points.reduce((sum, p) => sum + (p[0] - mx) ** 2, 0);
        return 60000 * points.reduce((sum, p) => sum + (p[0] - mx) * (p[1] - my), 0) / sxx;
    };

    window.watch = async (url, { seconds = 10, warmUp = 3, keep = false } = {}) => {
        const begun = now();
        const { pc, session, stream } = await negotiate(url);
        const video = document.createElement('video');
        Object.assign(video, { muted: true, autoplay: true, playsInline: true, srcObject: stream });
        document.body.append(video);
        const canvas = Object.assign(document.createElement('canvas'), { width: BLOCKS * CELL, height: CELL });
        const context = canvas.getContext('2d', { willReadFrequently: true });
        const points = [];
        const run = { latencies: [], bad: 0, join: null, longest: 0, freezes: 0, skipped: 0, last: null, lastN: null,
            slope: () => slopeOf(points) };
        await new Promise((done, fail) => {
            const timer = setTimeout(() => fail(new Error(`no picture in 15 s: ice ${pc.iceConnectionState}, connection ${pc.connectionState}`)), 15000);
            const look = () => {
                const at = now();
                if (run.join === null) { run.join = at - begun; clearTimeout(timer); }
                const since = at - begun - run.join;
                if (since > warmUp * 1000) {
                    const stamp = readStrip(context, video, 0) || readStrip(context, video, video.videoHeight / 2);
                    const seen = now();
                    if (!stamp) run.bad++;
                    else {
                        const age = (Math.floor(seen) >>> 0) - stamp.ms + (seen % 1);
                        run.latencies.push(age);
                        points.push([seen, age]);
                        if (run.lastN !== null) run.skipped += Math.max(0, ((stamp.n - run.lastN) & 0xffff) - 1);
                        run.lastN = stamp.n;
                    }
                    if (run.last !== null) {
                        run.longest = Math.max(run.longest, at - run.last);
                        if (at - run.last > 500) run.freezes++;
                    }
                    run.last = at;
                }
                if (since > (warmUp + seconds) * 1000) done();
                else video.requestVideoFrameCallback(look);
            };
            video.requestVideoFrameCallback(look);
        });
        run.size = `${video.videoWidth}x${video.videoHeight}`;
        const stats = [...(await pc.getStats()).values()].find((s) => s.type === 'inbound-rtp' && s.kind === 'video');
        const figures = { ...summary(run, seconds), nacks: stats?.nackCount, plis: stats?.pliCount,
            jitter_buffer_ms: stats && 1000 * stats.jitterBufferDelay / stats.jitterBufferEmittedCount,
            decode_ms: stats && 1000 * stats.totalDecodeTime / stats.framesDecoded, freezeCount: stats?.freezeCount };
        if (!keep) {
            await fetch(session, { method: 'DELETE' });
            pc.close();
            video.remove();
        }
        return figures;
    };
}
