// The controls: what a programmer would write without this room.

export function axpy(x: Float32Array, y: Float32Array, a: number): void {
  for (let i = 0; i < y.length; i += 1) y[i] = (y[i] ?? 0) + a * (x[i] ?? 0);
}

export function gemv(matrix: Float32Array, x: Float32Array, y: Float32Array): void {
  for (let row = 0; row < y.length; row += 1) {
    let sum = 0;
    const start = row * x.length;
    for (let i = 0; i < x.length; i += 1) sum += (matrix[start + i] ?? 0) * (x[i] ?? 0);
    y[row] = sum;
  }
}

export function adagrad(w: Float32Array, g: Float32Array, h: Float32Array, rate: number): void {
  for (let i = 0; i < w.length; i += 1) {
    const gradient = g[i] ?? 0;
    const squares = (h[i] ?? 0) + gradient * gradient;
    h[i] = squares;
    w[i] = (w[i] ?? 0) - (rate * gradient) / (Math.sqrt(squares) + 1e-8);
  }
}

export function gemm(a: Float32Array, b: Float32Array, c: Float32Array, side: number): void {
  for (let row = 0; row < side; row += 1)
    for (let column = 0; column < side; column += 1) {
      let sum = 0;
      for (let k = 0; k < side; k += 1) sum += (a[row * side + k] ?? 0) * (b[k * side + column] ?? 0);
      c[row * side + column] = sum;
    }
}

export function scatterAdd(x: Float32Array, at: Int32Array, table: Float32Array): void {
  for (let i = 0; i < at.length; i += 1) {
    const entry = at[i] ?? 0;
    table[entry] = (table[entry] ?? 0) + (x[i] ?? 0);
  }
}

export function cumsum(x: Float32Array, y: Float32Array): void {
  let sum = 0;
  for (let i = 0; i < y.length; i += 1) y[i] = sum += x[i] ?? 0;
}
