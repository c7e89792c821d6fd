// What the live figures compute with, in typed arrays and without a page: a dense network with its gradients, the rules
// of descent, a smooth surface. tests/test_live.py runs this file beside NumPy and Keras.
"use strict";
globalThis.dlLive = globalThis.dlLive ?? {};
(() => {
  // sfc32, seeded by splitmix32: the same numbers in every browser.
  const random = (seed) => {
    let t = seed >>> 0;
    const mix = () => {
      t = (t + 0x9e3779b9) | 0;
      let z = t ^ (t >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) | 0;
    };
    let [a, b, c, d] = [mix(), mix(), mix(), mix()];
    const uniform = () => {
      const sum = (((a + b) | 0) + d) | 0;
      d = (d + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + sum) | 0;
      return (sum >>> 0) / 4294967296;
    };
    const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    const shuffle = (order) => {
      for (let i = order.length - 1; i > 0; i--) {
        const j = Math.floor(uniform() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    };
    return { uniform, normal, shuffle };
  };

  // Two rows times four columns at a time: eight sums stay in registers, six times as fast as the plain loops.
  const multiply = (A, W, b, C, rows, n, m) => {  // C = A W + b
    for (let r = 0; r < rows; r += 2) {
      const p = r * n, q = r + 1 < rows ? p + n : p, u = r * m, v = r + 1 < rows ? u + m : u;
      let j = 0;
      for (; j + 3 < m; j += 4) {
        let s0 = b[j], s1 = b[j + 1], s2 = b[j + 2], s3 = b[j + 3], t0 = s0, t1 = s1, t2 = s2, t3 = s3;
        for (let i = 0, w = j; i < n; i++, w += m) {
          const x = A[p + i], y = A[q + i], w0 = W[w], w1 = W[w + 1], w2 = W[w + 2], w3 = W[w + 3];
          s0 += x * w0; s1 += x * w1; s2 += x * w2; s3 += x * w3;
          t0 += y * w0; t1 += y * w1; t2 += y * w2; t3 += y * w3;
        }
        C[u + j] = s0; C[u + j + 1] = s1; C[u + j + 2] = s2; C[u + j + 3] = s3;
        C[v + j] = t0; C[v + j + 1] = t1; C[v + j + 2] = t2; C[v + j + 3] = t3;
      }
      for (; j < m; j++) {
        let s = b[j], t = s;
        for (let i = 0, w = j; i < n; i++, w += m) { s += A[p + i] * W[w]; t += A[q + i] * W[w]; }
        C[u + j] = s; C[v + j] = t;
      }
    }
  };
  const multiplyBack = (D, W, E, rows, n, m) => {  // E = D Wᵀ
    for (let r = 0; r < rows; r += 2) {
      const p = r * m, q = r + 1 < rows ? p + m : p, u = r * n, v = r + 1 < rows ? u + n : u;
      let i = 0;
      for (; i + 3 < n; i += 4) {
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
        const w0 = i * m, w1 = w0 + m, w2 = w1 + m, w3 = w2 + m;
        for (let j = 0; j < m; j++) {
          const x = D[p + j], y = D[q + j], a = W[w0 + j], b = W[w1 + j], c = W[w2 + j], d = W[w3 + j];
          s0 += x * a; s1 += x * b; s2 += x * c; s3 += x * d;
          t0 += y * a; t1 += y * b; t2 += y * c; t3 += y * d;
        }
        E[u + i] = s0; E[u + i + 1] = s1; E[u + i + 2] = s2; E[u + i + 3] = s3;
        E[v + i] = t0; E[v + i + 1] = t1; E[v + i + 2] = t2; E[v + i + 3] = t3;
      }
      for (; i < n; i++) {
        let s = 0, t = 0;
        for (let j = 0, w = i * m; j < m; j++) { s += D[p + j] * W[w + j]; t += D[q + j] * W[w + j]; }
        E[u + i] = s; E[v + i] = t;
      }
    }
  };
  const outer = (A, D, dW, db, rows, n, m) => {  // dW = Aᵀ D, db = the sums of D's columns
    for (let i = 0; i < n; i += 2) {
      const k = i + 1 < n ? 1 : 0, u = i * m, v = u + k * m;
      let j = 0;
      for (; j + 3 < m; j += 4) {
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
        for (let r = 0, a = i, d = j; r < rows; r++, a += n, d += m) {
          const x = A[a], y = A[a + k], d0 = D[d], d1 = D[d + 1], d2 = D[d + 2], d3 = D[d + 3];
          s0 += x * d0; s1 += x * d1; s2 += x * d2; s3 += x * d3;
          t0 += y * d0; t1 += y * d1; t2 += y * d2; t3 += y * d3;
        }
        dW[u + j] = s0; dW[u + j + 1] = s1; dW[u + j + 2] = s2; dW[u + j + 3] = s3;
        dW[v + j] = t0; dW[v + j + 1] = t1; dW[v + j + 2] = t2; dW[v + j + 3] = t3;
      }
      for (; j < m; j++) {
        let s = 0, t = 0;
        for (let r = 0; r < rows; r++) { s += A[r * n + i] * D[r * m + j]; t += A[r * n + i + k] * D[r * m + j]; }
        dW[u + j] = s; dW[v + j] = t;
      }
    }
    for (let j = 0; j < m; j++) {
      let s = 0;
      for (let r = 0, d = j; r < rows; r++, d += m) s += D[d];
      db[j] = s;
    }
  };

  const sigmoid = (z) => 1 / (1 + Math.exp(-z));
  const activations = {  // each with its slope, written in what it answers
    linear: [(z) => z, () => 1],
    relu: [(z) => (z > 0 ? z : 0), (a) => (a > 0 ? 1 : 0)],
    tanh: [Math.tanh, (a) => 1 - a * a],
    sigmoid: [sigmoid, (a) => a * (1 - a)],
  };

  // Losses of `count` rows of m outputs against targets y; each leaves in d the slope of their mean and returns it.
  const losses = {
    logistic: (out, y, d, count, m) => {  // cross-entropy of a logit and a label 0 or 1
      let sum = 0;
      for (let i = 0; i < count * m; i++) {
        sum += Math.max(out[i], 0) - out[i] * y[i] + Math.log1p(Math.exp(-Math.abs(out[i])));
        d[i] = (sigmoid(out[i]) - y[i]) / (count * m);
      }
      return sum / (count * m);
    },
    absolute: (out, y, d, count, m) => {  // summed over a row's outputs
      let sum = 0;
      for (let i = 0; i < count * m; i++) {
        sum += Math.abs(out[i] - y[i]);
        d[i] = Math.sign(out[i] - y[i]) / count;
      }
      return sum / count;
    },
  };

  // Layer sizes, the inputs first. All parameters lie in one array, w: W1 row by row, b1, W2, b2, and so on.
  class Network {
    constructor(sizes, { hidden = "tanh", output = "linear", loss = "logistic", most = 64 } = {}) {
      Object.assign(this, { sizes, hidden, output, loss });
      const offsets = [0];
      for (let l = 0; l + 1 < sizes.length; l++) offsets.push(offsets[l] + (sizes[l] + 1) * sizes[l + 1]);
      this.w = new Float64Array(offsets.at(-1));
      this.g = new Float64Array(offsets.at(-1));
      const parts = (flat) => sizes.slice(1).map((m, l) => {
        const bias = offsets[l] + sizes[l] * m;
        return [flat.subarray(offsets[l], bias), flat.subarray(bias, bias + m)];
      });
      this.layers = parts(this.w);
      this.slopes = parts(this.g);
      this.room(most);
    }
    room(most) {  // for so many rows at a time
      this.most = most;
      this.a = this.sizes.map((size) => new Float64Array(size * most));
      this.d = this.sizes.map((size) => new Float64Array(size * most));
    }
    start(rng, spread = "glorot") {  // biases 0; weights of a normal distribution of this standard deviation
      this.layers.forEach(([W, b], l) => {
        const [n, m] = [this.sizes[l], this.sizes[l + 1]];
        const sd = { glorot: Math.sqrt(2 / (n + m)), he: Math.sqrt(2 / n) }[spread] ?? spread;
        for (let i = 0; i < n * m; i++) W[i] = sd * rng.normal();
        b.fill(0);
      });
    }
    forward(count) {  // of the rows in a[0]; returns the outputs
      this.layers.forEach(([W, b], l) => {
        const out = this.a[l + 1], size = count * this.sizes[l + 1];
        multiply(this.a[l], W, b, out, count, this.sizes[l], this.sizes[l + 1]);
        const [activation] = activations[l + 1 < this.layers.length ? this.hidden : this.output];
        if (activation !== activations.linear[0]) for (let i = 0; i < size; i++) out[i] = activation(out[i]);
      });
      return this.a.at(-1);
    }
    backward(y, count) {  // the mean loss of the rows in a[0]; its gradient is in g. The outputs must be linear.
      let loss = losses[this.loss](this.forward(count), y, this.d.at(-1), count, this.sizes.at(-1));
      for (let l = this.layers.length - 1; l >= 0; l--) {
        const [n, m] = [this.sizes[l], this.sizes[l + 1]], [dW, db] = this.slopes[l];
        outer(this.a[l], this.d[l + 1], dW, db, count, n, m);
        if (l === 0) break;
        multiplyBack(this.d[l + 1], this.layers[l][0], this.d[l], count, n, m);
        const slope = activations[this.hidden][1], d = this.d[l], a = this.a[l];
        for (let i = 0; i < count * n; i++) d[i] *= slope(a[i]);
      }
      return loss;
    }
  }

  // The six rules as gradient_descent_variants writes them: a rule for n parameters is a function that changes w in place.
  const rules = {
    plain: (n) => (w, g, rate) => {
      for (let i = 0; i < n; i++) w[i] -= rate * g[i];
    },
    momentum: (n, v = new Float64Array(n)) => (w, g, rate) => {
      for (let i = 0; i < n; i++) { v[i] = 0.9 * v[i] + 0.1 * g[i]; w[i] -= rate * v[i]; }
    },
    Nesterov: (n, v = new Float64Array(n)) => (w, g, rate) => {
      for (let i = 0; i < n; i++) { v[i] = 0.9 * v[i] + 0.1 * g[i]; w[i] -= rate * (0.9 * v[i] + 0.1 * g[i]); }
    },
    AdaGrad: (n, q = new Float64Array(n)) => (w, g, rate) => {
      for (let i = 0; i < n; i++) { q[i] += g[i] * g[i]; w[i] -= rate * g[i] / Math.sqrt(0.1 + q[i] + 1e-7); }
    },
    RMSProp: (n, q = new Float64Array(n)) => (w, g, rate) => {
      for (let i = 0; i < n; i++) { q[i] = 0.9 * q[i] + 0.1 * g[i] * g[i]; w[i] -= rate * g[i] / Math.sqrt(q[i] + 1e-7); }
    },
    Adam: (n, v = new Float64Array(n), q = new Float64Array(n), t = 0) => (w, g, rate) => {
      t++;  // Keras rounds 0.9 and 0.999 to 32 bits where it corrects by them
      const corrected = rate * Math.sqrt(1 - Math.fround(0.999) ** t) / (1 - Math.fround(0.9) ** t);
      for (let i = 0; i < n; i++) {
        v[i] = 0.9 * v[i] + 0.1 * g[i];
        q[i] = 0.999 * q[i] + 0.001 * g[i] * g[i];
        w[i] -= corrected * v[i] / (Math.sqrt(q[i]) + 1e-7);
      }
    },
  };

  // A trained network as dlutils.live packs it: whole numbers of 4 or 8 bits, two to a byte or one, row by row, and for
  // each unit the factor that makes weights of them. Four bits hold the number plus 8, the first of two on top.
  const unpack = ({ sizes, bits, hidden, output, layers }, most = 1) => {
    const network = new Network(sizes, { hidden, output, most });
    network.layers.forEach(([W, b], l) => {
      const raw = bytes(layers[l].numbers), scale = floats(layers[l].scale), m = sizes[l + 1];
      b.set(floats(layers[l].bias));
      for (let i = 0; i < W.length; i++) {
        const four = i % 2 ? raw[i >> 1] & 15 : raw[i >> 1] >> 4;
        W[i] = (bits === 4 ? four - 8 : (raw[i] << 24) >> 24) * scale[i % m];
      }
    });
    return network;
  };

  // A cubic spline through a loss on an even mesh, `size` places each way within limits [[low, high], [low, high]]: its
  // coefficients, (size + 2) squared, a row for each value of the second parameter. at(x, y): loss and both slopes.
  class Surface {
    constructor(coefficients, size, limits) { Object.assign(this, { coefficients, size, limits }); }
    inside(x, y) {
      return [x, y].every((value, k) => value >= this.limits[k][0] && value <= this.limits[k][1]);
    }
    at(x, y) {
      const [i, across, slopeAcross] = this.weights(x, 0), [j, along, slopeAlong] = this.weights(y, 1);
      let value = 0, dx = 0, dy = 0;
      for (let k = 0; k < 4; k++) {
        for (let l = 0; l < 4; l++) {
          const c = this.coefficients[(j + k) * (this.size + 2) + i + l];
          value += c * along[k] * across[l];
          dx += c * along[k] * slopeAcross[l];
          dy += c * slopeAlong[k] * across[l];
        }
      }
      return [value, dx, dy];
    }
    weights(value, axis) {  // the first coefficient that has a say at this value, how much four have, and the slopes of that
      const [low, high] = this.limits[axis], pitch = (high - low) / (this.size - 1), place = (value - low) / pitch;
      const first = Math.min(Math.max(Math.floor(place), 0), this.size - 2), t = place - first, u = 1 - t;
      return [
        first,
        [u ** 3 / 6, (3 * t ** 3 - 6 * t ** 2 + 4) / 6, (3 * u ** 3 - 6 * u ** 2 + 4) / 6, t ** 3 / 6],
        [-(u ** 2) / 2, (9 * t ** 2 - 12 * t) / 6, (12 * u - 9 * u ** 2) / 6, t ** 2 / 2].map((s) => s / pitch),
      ];
    }
  }

  // A descent from `start` on the surface. step() makes an update and returns whether it went on: it ends where the next
  // place would be off the surface's limits.
  const descent = (surface, rule, rate, start) => {
    const w = Float64Array.from(start), g = new Float64Array(2), update = rules[rule](2), path = [Array.from(w)];
    const step = () => {
      [, g[0], g[1]] = surface.at(...w);
      update(w, g, rate);
      if (!surface.inside(...w)) return false;
      path.push(Array.from(w));
      return true;
    };
    return { path, step, get left() { return !surface.inside(...w); }, get place() { return Array.from(w); } };
  };

  const softmax = (logits) => {
    const largest = Math.max(...logits), powers = Array.from(logits, (logit) => Math.exp(logit - largest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  };

  // What a network for 28 × 28 pixels is given of strokes, lists of places [x, y] on a pad 28 wide and high: ink from 0 to 1.
  // Drawn here from the strokes and not read back from a canvas, which some browsers falsify. A pixel's ink falls from 1
  // to 0 as its distance from the middle of a stroke goes from (pen - soft) / 2 to (pen + soft) / 2. Framed as MNIST was,
  // the longest side is brought to 20 and the centre of mass to the pixel in row and column 14, counted from 0; the pen is
  // as thick as ever. Otherwise the pad is taken as it is.
  const frame = (strokes, framed = true, { pen = 2.4, soft = 1, side = 20, size = 28 } = {}) => {
    const image = new Float64Array(size * size), places = strokes.flat();
    let scale = 1, left = 0, top = 0;
    const paint = () => {
      image.fill(0);
      const reach = (pen + soft) / 2, pixels = (a, b) => [
        Math.max(0, Math.ceil(Math.min(a, b) - reach - 0.5)), Math.min(size - 1, Math.floor(Math.max(a, b) + reach - 0.5)),
      ];
      for (const stroke of strokes) {
        stroke.forEach((to, k) => {
          const from = stroke[Math.max(k - 1, 0)], x = from[0] * scale + left, y = from[1] * scale + top;
          const dx = (to[0] - from[0]) * scale, dy = (to[1] - from[1]) * scale, length = dx * dx + dy * dy;
          const [c0, c1] = pixels(x, x + dx), [r0, r1] = pixels(y, y + dy);
          for (let r = r0; r <= r1; r++) {
            for (let c = c0; c <= c1; c++) {
              const u = c + 0.5 - x, v = r + 0.5 - y;
              const t = length ? Math.min(1, Math.max(0, (u * dx + v * dy) / length)) : 0;
              const ink = Math.min(1, 0.5 + (pen / 2 - Math.hypot(u - t * dx, v - t * dy)) / soft);
              if (ink > image[size * r + c]) image[size * r + c] = ink;
            }
          }
        });
      }
    };
    if (framed && places.length) {
      const [[l, r], [t, b]] = [0, 1].map((k) => places.reduce(([low, high], place) => [Math.min(low, place[k]), Math.max(high, place[k])], [Infinity, -Infinity]));
      scale = (side - pen) / Math.max(r - l, b - t, 1e-9);
      [left, top] = [(size - scale * (l + r)) / 2, (size - scale * (t + b)) / 2];
      paint();
      const [mass, across, along] = image.reduce((sums, ink, p) => [sums[0] + ink, sums[1] + ink * (p % size), sums[2] + ink * Math.floor(p / size)], [0, 0, 0]);
      left += size / 2 - across / mass;
      top += size / 2 - along / mass;
    }
    paint();
    return image;
  };

  const bytes = (text) => {
    const letters = atob(text), values = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) values[i] = letters.charCodeAt(i);  // ten times as fast as Uint8Array.from
    return values;
  };
  const floats = (text) => Float64Array.from(new Float32Array(bytes(text).buffer));
  const doubles = (text) => new Float64Array(bytes(text).buffer);

  Object.assign(dlLive, { random, Network, rules, Surface, descent, unpack, softmax, frame, sigmoid, bytes, floats, doubles });
})();
