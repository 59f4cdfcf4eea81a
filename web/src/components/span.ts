/** A part of time, in ms. */
export interface Span {
  from: number;
  to: number;
}

/** Charts show no less than this, in ms. */
const MIN_LENGTH_MS = 2000;

/** The part of `whole` nearest to a span that is as long, as far as it can be. */
function clampSpan({ from, to }: Span, whole: Span): Span {
  const length = Math.min(whole.to - whole.from, Math.max(MIN_LENGTH_MS, to - from));
  const begin = Math.max(whole.from, Math.min(from, whole.to - length));
  return { from: begin, to: begin + length };
}

/** The span, `factor` times as long around a time that stays where it is; null for the whole. */
export function zoomSpan(shown: Span, whole: Span, factor: number, at: number): Span | null {
  return narrow(
    { from: at - (at - shown.from) * factor, to: at + (shown.to - at) * factor },
    whole,
  );
}

/** The span, moved by a part of its length as far as there is time; null for the whole. */
export function moveSpan(shown: Span, whole: Span, by: number): Span | null {
  const shift = by * (shown.to - shown.from);
  return narrow({ from: shown.from + shift, to: shown.to + shift }, whole);
}

/** The part of `whole` that a span covers; null if that is the whole. */
export function narrow(span: Span, whole: Span): Span | null {
  const found = clampSpan(span, whole);
  return found.to - found.from < whole.to - whole.from ? found : null;
}
