// What `amd-smi` prints of the GPUs. Written from its documentation; not run on hardware yet.

import type { Device } from "@voda/proto/devices";
import * as v from "valibot";
import { checkDevice, DevicesError } from "./device.ts";

export const amdSmi = { command: "amd-smi", args: ["static", "--asic", "--vram", "--json"] } as const;

const Gpu = v.object({
  asic: v.object({
    market_name: v.string(),
    asic_serial: v.pipe(
      v.string(),
      v.regex(/^0x[0-9a-fA-F]{1,16}$/, "is no hexadecimal id such as 0x9C8A7F3B2D1E0F45"),
    ),
  }),
  vram: v.object({
    size: v.object({ value: v.pipe(v.number(), v.integer()), unit: v.literal("MB", "is not MB") }),
  }),
});
/** A list in ROCm 6, wrapped since. */
const Output = v.union([
  v.array(v.unknown()),
  v.pipe(
    v.object({ gpu_data: v.array(v.unknown()) }),
    v.transform((of) => of.gpu_data),
  ),
]);

/** @throws DevicesError that names the GPU and the field */
export function parseAmdSmi(output: string): readonly Device[] {
  const parsed = v.safeParse(Output, readJson(output));
  if (!parsed.success)
    throw new DevicesError("amd-smi: the JSON is neither a list of GPUs nor has one in gpu_data");
  return parsed.output.map((gpu, at) => parseGpu(gpu, `amd-smi, GPU ${at}`));
}

function parseGpu(gpu: unknown, where: string): Device {
  const parsed = v.safeParse(Gpu, gpu);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new DevicesError(`${where}: ${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
  }
  const { asic, vram } = parsed.output;
  // The runtime's own name for a device is its serial in 16 digits.
  const uuid = `GPU-${asic.asic_serial.slice(2).toLowerCase().padStart(16, "0")}`;
  return checkDevice({ uuid, model: asic.market_name, memoryMib: vram.size.value, vendor: "amd" }, where);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DevicesError(`amd-smi: the output is no JSON: ${JSON.stringify(text.slice(0, 80))}`, { cause });
  }
}
