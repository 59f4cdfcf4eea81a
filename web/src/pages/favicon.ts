const LARGEST = 99;

/** The icon of a tab, as a data URL: the number of failing tasks, more than 99 as `99+`. */
export function failingIcon(count: number): string {
  const text = count > LARGEST ? `${LARGEST}+` : String(count);
  const size = { 1: 24, 2: 20, 3: 14 }[text.length] ?? 14;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<path d="M10 1h12l9 9v12l-9 9H10l-9-9V10z" fill="#b54700"/>
<text x="16" y="${16 + 0.36 * size}" font-family="sans-serif" font-weight="bold" font-size="${size}"
 text-anchor="middle" fill="#fff">${text}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** Shows the number of failing tasks in the tab's icon. Returns a function that undoes this. */
export function showFailingIcon(count: number): () => void {
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  if (link === null || count === 0) return () => {};
  const before = link.href;
  link.href = failingIcon(count);
  return () => {
    link.href = before;
  };
}
