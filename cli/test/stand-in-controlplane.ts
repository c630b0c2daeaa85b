// Obeys the contract of the control plane as far as the supervisor sees it: a ready line, and an xDS server
// that has nothing to tell, so that a real Envoy gets ready.
import { rmSync } from "node:fs";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { parseArgs } from "node:util";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { edgePaths } from "@voda/proto/edge-folder";

const { values } = parseArgs({ strict: false, options: { "edge-dir": { type: "string" } } });
const { xds } = edgePaths(String(values["edge-dir"]));
rmSync(xds, { force: true }); // of one that was killed
const frameHeaderBytes = 5;

createServer()
  .on("stream", (stream: ServerHttp2Stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    answerEachType(stream);
  })
  .listen(xds, () => process.send?.({ ready: true }));
process.on("SIGTERM", () => process.exit(0));

function answerEachType(stream: ServerHttp2Stream): void {
  const answered = new Set<string>();
  let buffered = Buffer.alloc(0);
  stream.on("error", (error) => console.error(String(error)));
  stream.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (
      buffered.length >= frameHeaderBytes &&
      buffered.length >= frameHeaderBytes + buffered.readUInt32BE(1)
    ) {
      const end = frameHeaderBytes + buffered.readUInt32BE(1);
      const typeUrl = typeUrlOf(buffered.subarray(frameHeaderBytes, end));
      buffered = buffered.subarray(end);
      if (answered.has(typeUrl)) continue;
      answered.add(typeUrl);
      stream.write(frame(emptyResponse(typeUrl)));
    }
  });
}

/** Field 2 of envoy.service.discovery.v3.DeltaDiscoveryRequest. */
function typeUrlOf(request: Uint8Array): string {
  const reader = new BinaryReader(request);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 2) return reader.string();
    reader.skip(wireType, field);
  }
  return "";
}

/** envoy.service.discovery.v3.DeltaDiscoveryResponse: version 1, type_url 4, nonce 5. */
function emptyResponse(typeUrl: string): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string("1")
    .tag(4, WireType.LengthDelimited)
    .string(typeUrl)
    .tag(5, WireType.LengthDelimited)
    .string("1")
    .finish();
}

function frame(message: Uint8Array): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
