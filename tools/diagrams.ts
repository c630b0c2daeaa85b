// The pictures of who may import whom in docs/ARCHITECTURE.md, drawn from the table in rooms.ts.
import { readFileSync, writeFileSync } from "node:fs";
import { rooms } from "./rooms.ts";

const file = "docs/ARCHITECTURE.md";
const begin = "<!-- drawn from tools/rooms.ts by `npm run generate` -->";
const end = "<!-- /drawn -->";

/** Replaces what stands between the two marks. @throws when a mark is missing */
export function drawRooms(): void {
  const text = readFileSync(file, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} lacks the marks "${begin}" and "${end}"`);
  const planes = ["dataplane", "controlplane"].map(
    (plane) => `Inside \`${plane}/src\`:\n\n${folderGraph(plane)}\n`,
  );
  writeFileSync(
    file,
    `${text.slice(0, from)}${begin}\n\nDouble frames are pure.\n\n${roomGraph()}\n\n${planes.join("\n")}\n${text.slice(to)}`,
  );
}

function roomGraph(): string {
  const edges = Object.entries(rooms).map(([name, { imports, pure }]) =>
    imports.length === 0 ? `  ${node(name, pure)}` : `  ${node(name, pure)} --> ${sources(imports)}`,
  );
  return mermaid([...edges, "  test --> every[every room]"]);
}

/** `voda/definition` is a part of the room `sdk`, `@voda/proto` all of the room `proto`. */
function sources(imports: readonly string[]): string {
  const nodes = imports
    .filter((one) => one !== "voda/*")
    .map((one) => {
      if (one === "voda") return "sdk";
      const [room, ...part] = one.replace("@voda/", "").split("/");
      return part.length === 0 ? room : `${room}-${part.join("-")}[${one.replace("@voda/", "")}]`;
    });
  return nodes.join(" & ");
}

function folderGraph(room: string): string {
  const folders = Object.entries(rooms[room]?.folders ?? {});
  const lines = folders.map(([name, { imports, pure }]) => {
    // Files of the room's root hold words that many folders share; they would only clutter the picture.
    const siblings = imports.filter((one) => !one.endsWith(".ts"));
    return siblings.length === 0
      ? `  ${node(name, pure)}`
      : `  ${node(name, pure)} --> ${siblings.join(" & ")}`;
  });
  return mermaid(lines);
}

/** Pure code stands in a double frame. */
const node = (name: string, pure: readonly string[] | undefined): string =>
  pure === undefined ? name : `${name}[[${name}]]`;

const mermaid = (lines: readonly string[]): string =>
  ["```mermaid", "flowchart BT", ...lines, "```"].join("\n");
