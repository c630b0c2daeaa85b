/** `GET /healthz`: a node that closes says so before it is gone. */
export function healthOf(isClosing: boolean): { readonly status: number; readonly text: string } {
  return isClosing ? { status: 503, text: "draining\n" } : { status: 200, text: "ok\n" };
}
