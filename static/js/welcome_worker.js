// Finds a number whose SHA-256, after the challenge's own digest, begins with enough zero bits.
// SHA-256 by hand (FIPS 180-4): the browser's own is asynchronous, ten times slower for tries of
// one block, and missing on pages without TLS.

const REPORT_TRIES = 50_000;

function roots(count, power) {
  const found = [];
  for (let n = 2; found.length < count; n += 1) {
    let isPrime = true;
    for (let d = 2; d * d <= n; d += 1) if (n % d === 0) isPrime = false;
    if (isPrime) found.push(((n ** power % 1) * 2 ** 32) | 0);
  }
  return found;
}

const START = Int32Array.from(roots(8, 1 / 2));
const ROUNDS = Int32Array.from(roots(64, 1 / 3));
const words = new Int32Array(64);

const turn = (x, n) => (x >>> n) | (x << (32 - n));

// Fold the 16 words at the head of `words` into `state`.
function compress(state) {
  for (let i = 16; i < 64; i += 1) {
    const x = words[i - 15];
    const y = words[i - 2];
    const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
    const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
    words[i] = (words[i - 16] + s0 + words[i - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

function digest(text) {
  const bytes = new TextEncoder().encode(text);
  const padded = new DataView(new ArrayBuffer(((bytes.length + 72) >> 6) << 6));
  bytes.forEach((byte, i) => padded.setUint8(i, byte));
  padded.setUint8(bytes.length, 0x80);
  padded.setUint32(padded.byteLength - 4, bytes.length * 8);
  const state = START.slice();
  for (let block = 0; block < padded.byteLength; block += 64) {
    for (let i = 0; i < 16; i += 1) words[i] = padded.getInt32(block + 4 * i);
    compress(state);
  }
  return state;
}

function zeroBits(state) {
  let bits = 0;
  for (const word of state) {
    bits += Math.clz32(word);
    if (word !== 0) break;
  }
  return bits;
}

self.onmessage = ({ data: { challenge, bits } }) => {
  const head = digest(challenge);
  const state = new Int32Array(8);
  for (let nonce = 0; ; nonce += 1) {
    words.set(head);
    words[8] = Math.floor(nonce / 2 ** 32);
    words[9] = nonce;
    words[10] = 0x80000000;
    words.fill(0, 11, 15);
    words[15] = 40 * 8;
    state.set(START);
    compress(state);
    if (zeroBits(state) >= bits) {
      self.postMessage({ nonce: String(nonce), tried: nonce });
      return;
    }
    if (nonce % REPORT_TRIES === 0) self.postMessage({ tried: nonce });
  }
};
