// What probability is a margin, to the bit of ONNX Runtime?

const { fround } = Math

/** In float32, and a difference for what is below a half. */
export function logistic(margin: number): number {
  const larger = fround(1 / fround(1 + exp(-Math.abs(margin))))
  return margin < 0 ? fround(1 - larger) : larger
}

const steps = 32
const powers = Float64Array.from({ length: steps }, (_, step) => 2 ** (step / steps))
/** Of e^r - 1 for a small r, as factors of r³, r² and r in steps. */
const cubic = 0.05550361559341535 / steps ** 3
const square = 0.2402284522445722 / steps ** 2
const linear = 0.6931471806916203 / steps
/** Added and taken away, it leaves the nearest whole number. */
const rounding = 1.5 * 2 ** 52
/** The power of two below everything that is not 0 as a float32. */
const least = -150

/**
 * e^x for x ≤ 0 with the polynomial of expf in the C library of Linux, which ONNX Runtime calls: of
 * ten thousand results one is not the nearest float32, and it is the same one here. On other systems
 * that one may differ in its last bit.
 * https://github.com/ARM-software/optimized-routines/blob/master/math/expf.c
 */
export function exp(x: number): number {
  const scaled = Math.max(x, least) * (steps / Math.LN2)
  const whole = scaled + rounding - rounding
  const r = scaled - whole
  const step = whole & (steps - 1)
  const scale = (powers[step] as number) * powerOfTwo((whole - step) / steps)
  return fround(((cubic * r + square) * (r * r) + (linear * r + 1)) * scale)
}

const words = new Int32Array(2)
const double = new Float64Array(words.buffer)

function powerOfTwo(exponent: number): number {
  words[1] = (exponent + 1023) << 20
  return double[0] as number
}
