// A clip whose frames say which they are: bit i of the frame number is the brightness of block i
// of eight along the top. GOPs are a second long with three B-frames, so that seeking must be right.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const WIDTH = 320;
const BITS = 8;
const BLOCK = WIDTH / BITS;
const HEIGHT_OF_STAMP = 24;

export const FRAMES = 125;
export const FPS = 25;
export const GOP = 25;

export async function makeClip(path, frames = FRAMES) {
    const bit = `mod(floor(N/pow(2,floor(X/${BLOCK}))),2)`;
    const stamp = `geq=lum='if(lt(Y,${HEIGHT_OF_STAMP}),16+219*${bit},lum(X,Y))':cb='if(lt(Y,${HEIGHT_OF_STAMP / 2}),128,cb(X,Y))':cr='if(lt(Y,${HEIGHT_OF_STAMP / 2}),128,cr(X,Y))'`;
    await promisify(execFile)('ffmpeg', ['-v', 'error', '-y',
        '-f', 'lavfi', '-i', `testsrc2=size=${WIDTH}x240:rate=${FPS}`, '-frames:v', String(frames),
        '-vf', `format=yuv420p,${stamp}`, '-c:v', 'libx264', '-threads', '1', '-g', String(GOP),
        '-bf', '3', '-sc_threshold', '0', '-crf', '20', '-movflags', '+faststart', path]);
}

// Runs in the page: the number stamped on a canvas (or a bitmap drawn on one); null if a block
// is neither bright nor dark.
export function readStamp(canvas) {
    const context = canvas.getContext('2d');
    const scale = canvas.width / 320;
    let n = 0;
    for (let i = 0; i < 8; i++) {
        const [red, green, blue] = context.getImageData((i + 0.5) * 40 * scale, 10 * scale, 1, 1).data;
        const light = (red + green + blue) / 3;
        if (light > 80 && light < 175) return null;
        if (light >= 175) n += 2 ** i;
    }
    return n;
}
