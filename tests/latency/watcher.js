// Runs in the page: watches a stream by WHEP and reads the clock in its pictures (src/media/clock_strip.h).
// window.watch(url, {seconds, warmUp}) -> figures; all times in ms.
{
    const BLOCKS = 56;
    const now = () => performance.timeOrigin + performance.now();

    // The strip as it stands in luma: {ms, n}, or null where its checksum is wrong. Only its rows are copied: to draw the
    // picture on a canvas would convert all of it, which costs this machine more than to show it.
    const readStrip = async (frame, top) => {
        const side = frame.visibleRect.width / 80, rect = { x: 0, y: top, width: side * BLOCKS, height: side };
        const luma = new Uint8Array(frame.allocationSize({ rect }));
        const [plane] = await frame.copyTo(luma, { rect });
        const bytes = new Uint8Array(7);
        for (let i = 0; i < BLOCKS; i++)
            if (luma[plane.offset + plane.stride * (side >> 1) + side * i + (side >> 1)] > 128) bytes[i >> 3] |= 1 << (i & 7);
        const sum = bytes.subarray(0, 6).reduce((a, b) => a + b, 0);
        if (((sum * 37) & 255) !== bytes[6]) return null;
        const view = new DataView(bytes.buffer);
        return { ms: view.getUint32(0, true), n: view.getUint16(4, true) };
    };

    const negotiate = async (url) => {
        const pc = new RTCPeerConnection();
        pc.addTransceiver('video', { direction: 'recvonly' });
        const ages = []; // of pictures when they were ready to be sent, by the server's clock
        const channel = pc.createDataChannel('saccade', { ordered: false, maxRetransmits: 0 });
        channel.onmessage = (event) => ages.push(JSON.parse(event.data).age_ms);
        const media = new Promise((done) => { pc.ontrack = (event) => done(new MediaStream([event.track])); });
        await pc.setLocalDescription(await pc.createOffer());
        const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
        if (answer.status !== 201) throw new Error(`WHEP: ${answer.status} ${await answer.text()}`);
        await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
        return { pc, session: new URL(answer.headers.get('Location'), url).href, stream: await media, ages };
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
        const { pc, session, stream, ages } = await negotiate(url);
        const video = document.createElement('video');
        Object.assign(video, { muted: true, autoplay: true, playsInline: true, srcObject: stream });
        document.body.append(video);
        const points = [];
        const run = { latencies: [], inside: [], bad: 0, join: null, longest: 0, freezes: 0, skipped: 0, last: null, lastN: null,
            slope: () => slopeOf(points) };
        await new Promise((done, fail) => {
            const timer = setTimeout(() => fail(new Error(`no picture in 15 s: ice ${pc.iceConnectionState}, connection ${pc.connectionState}`)), 15000);
            const look = async (_, metadata) => {
                const at = now();
                if (run.join === null) { run.join = at - begun; clearTimeout(timer); }
                const since = at - begun - run.join;
                if (since > warmUp * 1000) {
                    const frame = new VideoFrame(video);
                    const stamp = await readStrip(frame, 0) || await readStrip(frame, frame.visibleRect.height / 2);
                    const seen = now();
                    frame.close();
                    if (!stamp) run.bad++;
                    else {
                        const age = (Math.floor(seen) >>> 0) - stamp.ms + (seen % 1);
                        run.latencies.push(age);
                        points.push([seen, age]);
                        if (metadata.receiveTime) run.inside.push(performance.now() - metadata.receiveTime);
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
                else video.requestVideoFrameCallback(next);
            };
            const next = (...args) => { look(...args).catch(fail); };
            video.requestVideoFrameCallback(next);
        });
        run.size = `${video.videoWidth}x${video.videoHeight}`;
        const stats = [...(await pc.getStats()).values()].find((s) => s.type === 'inbound-rtp' && s.kind === 'video');
        const figures = { ...summary(run, seconds), nacks: stats?.nackCount, plis: stats?.pliCount,
            jitter_buffer_ms: stats && 1000 * stats.jitterBufferDelay / stats.jitterBufferEmittedCount,
            decode_ms: stats && 1000 * stats.totalDecodeTime / stats.framesDecoded, freezeCount: stats?.freezeCount };
        const encoded = ages.slice(-Math.round(seconds * 30)).sort((a, b) => a - b);
        const inside = run.inside.sort((a, b) => a - b);
        figures.inside_p50 = percentile(inside, 0.5); // from the last packet to the pixels
        figures.inside_p95 = percentile(inside, 0.95);
        figures.encoded_p50 = percentile(encoded, 0.5);
        figures.encoded_p95 = percentile(encoded, 0.95);
        if (!keep) {
            await fetch(session, { method: 'DELETE' });
            pc.close();
            video.remove();
        }
        return figures;
    };
}
