// node envoy/tools/generate-types.ts: writes envoy/gen, Envoy's types, from the Go modules of LOCK.json.
// Needs Go and its module proxy, so it is no part of `npm run generate`; run it when Envoy's pinned version
// changes.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import {
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { closure, descriptorsIn, withoutAnnotations } from "./descriptors.ts";

interface Module {
  readonly module: string;
  readonly version: string;
  /** Go's module hash, as in go.sum. */
  readonly sum: string;
}

const roots = [
  "envoy/service/discovery/v3/ads.proto",
  "envoy/service/discovery/v3/discovery.proto",
  "envoy/config/listener/v3/listener.proto",
  "envoy/config/route/v3/route.proto",
  "envoy/config/cluster/v3/cluster.proto",
  "envoy/config/endpoint/v3/endpoint.proto",
  "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
  "envoy/extensions/filters/http/router/v3/router.proto",
  "envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto",
  "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto",
  "envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata.proto",
  "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto",
  "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
  "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
  "envoy/extensions/load_balancing_policies/override_host/v3/override_host.proto",
  "envoy/extensions/load_balancing_policies/maglev/v3/maglev.proto",
  "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto",
];
const wellKnown = [
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

function folderOf({ module, version, sum }: Module): string {
  const answer = execFileSync("go", ["mod", "download", "-json", `${module}@${version}`], {
    encoding: "utf8",
  });
  const { Dir: folder, Sum: found } = JSON.parse(answer) as { Dir: string; Sum: string };
  if (found !== sum)
    throw new Error(`${module}@${version} has the hash ${found}, LOCK.json says ${sum}: do not use it`);
  return folder;
}

/**
 * Says to buf that a file is only imported: extension 8042 of its images, `is_import`. The runtime library
 * has the types of these.
 */
function asImport(file: FileDescriptorProto): FileDescriptorProto {
  return {
    ...file,
    $unknown: [{ no: 8042, wireType: WireType.LengthDelimited, data: Uint8Array.of(2, 8, 1) }],
  };
}

const lock = JSON.parse(readFileSync(new URL("./LOCK.json", import.meta.url), "utf8")) as {
  modules: readonly Module[];
};
const all = new Map<string, FileDescriptorProto>();
for (const file of wellKnown) all.set(`${file.name}.proto`, asImport(file.proto));
for (const module of lock.modules) {
  for (const [name, file] of descriptorsIn(folderOf(module))) all.set(name, withoutAnnotations(file));
}

const files = closure(roots, all);
const folder = mkdtempSync(join(tmpdir(), "voda-envoy-types-"));
try {
  const image = join(folder, "types.binpb");
  writeFileSync(image, toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: files })));
  const out = fileURLToPath(new URL("../gen", import.meta.url));
  rmSync(out, { recursive: true, force: true });
  const template = fileURLToPath(new URL("./buf.gen.yaml", import.meta.url));
  execFileSync("buf", ["generate", image, "--template", template], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: "inherit",
  });
} finally {
  rmSync(folder, { recursive: true });
}
