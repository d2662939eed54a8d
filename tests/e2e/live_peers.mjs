// Other programs at the end of a live output: started on a free port, stopped and removed at the end.
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const running = new Set();

export const has = (command) => {
    try {
        execFileSync('sh', ['-c', `command -v ${command}`]);
        return true;
    } catch {
        return false;
    }
};

const isFree = (socket, listen) => new Promise((done) => {
    socket.once('error', () => done(false));
    listen(socket, () => socket.close(() => done(true)));
});

// For TCP and UDP. Below those that connections get at their own end: one could take it before its server does, and
// while that is gone.
export async function freePort() {
    for (;;) {
        const port = 10000 + Math.floor(Math.random() * 20000);
        if (await isFree(createServer(), (server, then) => server.listen(port, '127.0.0.1', then))
            && await isFree(createSocket('udp4'), (socket, then) => socket.bind(port, '127.0.0.1', then))) return port;
    }
}

// {ended, said(), stop(signal), pid}; ended resolves to the exit code.
export function start(command, args, options = {}) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let text = '';
    running.add(child);
    child.stdout?.on('data', (chunk) => { text += chunk; });
    child.stderr?.on('data', (chunk) => { text += chunk; });
    const ended = new Promise((done) => {
        child.once('error', (error) => { text += error; done(-1); });
        child.once('exit', (code) => { running.delete(child); done(code); });
    });
    const stop = (signal = 'SIGTERM') => { child.kill(signal); return ended; };
    return { ended, stop, said: () => text, pid: child.pid };
}

export const stopAll = () => { for (const child of running) child.kill('SIGKILL'); };

// Waits until a TCP server answers there.
export async function listening(port, peer) {
    for (let i = 0; i < 400; i++) {
        const open = await new Promise((done) => {
            const socket = connect(port, '127.0.0.1', () => { socket.destroy(); done(true); });
            socket.once('error', () => done(false));
        });
        if (open) return;
        await sleep(50);
    }
    throw new Error(`nothing listens on port ${port}: ${peer.said()}`);
}

export async function until(condition, what, ms = 20000) {
    const end = Date.now() + ms;
    while (!await condition()) {
        if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
        await sleep(50);
    }
}

// Waits until somebody has that port of 'tcp' or 'udp', without a look at it: that would be taken for the one caller.
export async function bound(port, protocol, peer) {
    const at = new RegExp(`^ *\\d+: \\w+:${port.toString(16).toUpperCase()} \\S+ ${protocol === 'tcp' ? '0A' : '07'} `, 'm');
    const tables = () => Promise.all(['', '6'].map((six) => readFile(`/proc/net/${protocol}${six}`, 'utf8').catch(() => '')));
    await until(async () => (await tables()).some((table) => at.test(table)), `${peer} at port ${port} of ${protocol}`);
}

const RTMP_MODULE = '/usr/lib/nginx/modules/ngx_rtmp_module.so';
export const hasRtmp = () => existsSync(RTMP_MODULE) && has('/usr/sbin/nginx');

// nginx that records what it gets, a file a connection, in folder/rec.
export async function startRtmp(folder, port) {
    await mkdir(join(folder, 'rec'), { recursive: true });
    await writeFile(join(folder, 'nginx.conf'), `
load_module ${RTMP_MODULE};
user root; daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 64; }
rtmp { server { listen 127.0.0.1:${port}; application live {
    live on; record all; record_unique on; record_path ${folder}/rec; record_suffix -%s.flv;
} } }`);
    const peer = start('/usr/sbin/nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')]);
    await listening(port, peer);
    return peer;
}

// {video, sound, start}: packets of each kind, and how much later the sound begins (s).
export function probe(path) {
    const out = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-count_packets', '-of', 'json', '-show_entries',
        'stream=codec_type,codec_name,width,height,nb_read_packets,start_time', path], { encoding: 'utf8', stdio: 'pipe' }));
    const of = (type) => out.streams.find((stream) => stream.codec_type === type);
    const video = of('video'), sound = of('audio');
    return {
        codec: video?.codec_name, width: video?.width, frames: Number(video?.nb_read_packets || 0),
        sounds: Number(sound?.nb_read_packets || 0), late: Number(sound?.start_time) - Number(video?.start_time),
    };
}

// Pictures in a file that is being written; 0 where it has no head yet.
export function framesIn(path) {
    try {
        return probe(path).frames;
    } catch {
        return 0;
    }
}

// What a decoder complains of from the first picture on; '' = nothing.
export const complaints = (path) => execFileSync('sh', ['-c',
    'ffmpeg -v warning -nostdin -i "$0" -map 0:v -vsync passthrough -f null - 2>&1', path], { encoding: 'utf8' })
    .split('\n').filter((line) => line && !/monotonically|deprecated|Last message repeated/.test(line)).join('\n');
