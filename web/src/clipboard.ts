/** Copies a text. It may arrive later: browsers require the write to start with the click. */
export async function writeClipboard(pending: Promise<string>): Promise<void> {
  if (navigator.clipboard) {
    const type = "text/plain";
    const blob = pending.then((text) => new Blob([text], { type }));
    return navigator.clipboard.write([new ClipboardItem({ [type]: blob })]);
  }
  // The clipboard API requires HTTPS.
  const text = await pending;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("Copying is not allowed.");
}
