/** 16 bytes as the key of a map. */
export function idText(id: Uint8Array): string {
  let text = "";
  for (const byte of id) text += String.fromCharCode(byte);
  return text;
}
