/**
 * Lets the style sheet enlarge pages on the screens of walls, where the browser tells by how much:
 * elsewhere, pointers would miss what is drawn.
 */
export function allowEnlarging(): void {
  document.documentElement.classList.toggle("can-enlarge", "currentCSSZoom" in Element.prototype);
}

/**
 * By how much the style sheet enlarges an element, as it does on the screens of walls. Pointers and
 * boxes are in pixels of the window; widths, and what is drawn, in those of the element.
 */
export function zoomOf(element: Element): number {
  return element.currentCSSZoom ?? 1;
}

/** Where a pointer is on an element, from its top left, in the element's own pixels. */
export function placeOn(element: Element, event: { clientX: number; clientY: number }) {
  const { left, top } = element.getBoundingClientRect();
  const zoom = zoomOf(element);
  return { x: (event.clientX - left) / zoom, y: (event.clientY - top) / zoom };
}
