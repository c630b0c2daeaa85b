// What `nvidia-smi` prints of the GPUs.
import type { Device } from "@voda/proto/devices";
import { checkDevice, DevicesError } from "./device.ts";

export const nvidiaSmi = {
  command: "nvidia-smi",
  args: ["--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"],
} as const;

/** One line per GPU: `GPU-<uuid>, <name>, <MiB>`. @throws DevicesError that names the line and the field */
export function parseNvidiaSmi(output: string): readonly Device[] {
  const lines = output
    .split(/\r?\n/)
    .map((text, at) => ({ text: text.trim(), where: `nvidia-smi, line ${at + 1}` }));
  // Without a GPU the tool says so instead of printing nothing.
  return lines.filter(({ text }) => text !== "" && text !== "No devices were found").map(parseLine);
}

function parseLine({ text, where }: { readonly text: string; readonly where: string }): Device {
  const fields = text.split(",").map((field) => field.trim());
  const [uuid, memory] = [fields[0] ?? "", fields.at(-1) ?? ""];
  if (fields.length < 3)
    throw new DevicesError(
      `${where}: ${fields.length} of 3 fields (uuid, name, memory.total): ${JSON.stringify(text)}`,
    );
  // Boards that share the machine's memory have none of their own: `[N/A]`.
  if (!/^\d+$/.test(memory))
    throw new DevicesError(`${where}: memory.total is no number of MiB: ${JSON.stringify(memory)}`);
  const model = fields.slice(1, -1).join(", ");
  return checkDevice({ uuid, model, memoryMib: Number(memory), vendor: "nvidia" }, where);
}
