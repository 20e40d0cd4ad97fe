// How far apart two colours look: CIEDE2000 (Sharma, Wu, Dalal 2005), and what a colour-blind viewer sees of them
// (Machado, Oliveira, Fernandes 2009, full severity).

export type Rgb = [number, number, number]

export const parse = (hex: string): Rgb =>
  [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255) as Rgb

const linear = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
const gamma = (c: number) => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055)
const clamp = (c: number) => Math.min(1, Math.max(0, c))

const MACHADO = {
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const

export type Viewer = keyof typeof MACHADO | 'typical'

export const VIEWERS: Viewer[] = ['typical', 'protanopia', 'deuteranopia', 'tritanopia']

export function seenBy(viewer: Viewer, rgb: Rgb): Rgb {
  if (viewer === 'typical') return rgb
  const m = MACHADO[viewer]
  const [r, g, b] = rgb.map(linear) as Rgb
  return [0, 3, 6].map((i) => gamma(clamp(m[i]! * r + m[i + 1]! * g + m[i + 2]! * b))) as Rgb
}

export function lab(rgb: Rgb): Rgb {
  const [r, g, b] = rgb.map(linear) as Rgb
  const f = (t: number) => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116)
  const x = f((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047)
  const y = f(0.2126729 * r + 0.7151522 * g + 0.072175 * b)
  const z = f((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883)
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

const rad = (degrees: number) => (degrees * Math.PI) / 180

export function ciede2000([l1, a1, b1]: Rgb, [l2, a2, b2]: Rgb): number {
  const c7 = ((Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2) ** 7
  const g = 0.5 * (1 - Math.sqrt(c7 / (c7 + 25 ** 7)))
  const [ap1, ap2] = [a1 * (1 + g), a2 * (1 + g)]
  const [cp1, cp2] = [Math.hypot(ap1, b1), Math.hypot(ap2, b2)]
  const hue = (a: number, b: number) =>
    a === 0 && b === 0 ? 0 : ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360
  const [h1, h2] = [hue(ap1, b1), hue(ap2, b2)]

  let dh = h2 - h1
  if (cp1 * cp2 === 0) dh = 0
  else if (dh > 180) dh -= 360
  else if (dh < -180) dh += 360
  const [dl, dc, dH] = [l2 - l1, cp2 - cp1, 2 * Math.sqrt(cp1 * cp2) * Math.sin(rad(dh / 2))]

  const [lm, cm] = [(l1 + l2) / 2, (cp1 + cp2) / 2]
  let hm = h1 + h2
  if (cp1 * cp2 !== 0) {
    if (Math.abs(h1 - h2) <= 180) hm /= 2
    else hm = hm < 360 ? (hm + 360) / 2 : (hm - 360) / 2
  }
  const t =
    1 -
    0.17 * Math.cos(rad(hm - 30)) +
    0.24 * Math.cos(rad(2 * hm)) +
    0.32 * Math.cos(rad(3 * hm + 6)) -
    0.2 * Math.cos(rad(4 * hm - 63))
  const sl = 1 + (0.015 * (lm - 50) ** 2) / Math.sqrt(20 + (lm - 50) ** 2)
  const sc = 1 + 0.045 * cm
  const sh = 1 + 0.015 * cm * t
  const rotation = 30 * Math.exp(-(((hm - 275) / 25) ** 2))
  const rt = -2 * Math.sqrt(cm ** 7 / (cm ** 7 + 25 ** 7)) * Math.sin(rad(2 * rotation))
  return Math.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dH / sh) ** 2 + rt * (dc / sc) * (dH / sh))
}
