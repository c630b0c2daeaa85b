// What the flags `--allow-host` and `--allow-origin` take, the same in every program that has them.

const listed = (text: string): string[] => text.split(",").filter((one) => one !== "");

/** The first of the names between commas that is none, and why; or `undefined`. */
export function listProblem(text: string, problem: (one: string) => string | undefined): string | undefined {
  for (const one of listed(text)) {
    const wrong = problem(one);
    if (wrong !== undefined) return `${JSON.stringify(one)} ${wrong}`;
  }
  return undefined;
}

/** Why clients cannot call by this name, or `undefined`. */
export function hostProblem(name: string): string | undefined {
  const isHost = URL.canParse(`http://${name}`) && new URL(`http://${name}`).hostname === name;
  return isHost ? undefined : "is not a host: write a name in lower case, without port, as in mesh.example";
}

/** Why no page can have this origin, or `undefined`. */
export function originProblem(text: string): string | undefined {
  const isOrigin = /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
  return isOrigin
    ? undefined
    : "is not an origin: write scheme, host, and port if it is not the scheme's, as in https://app.example";
}
