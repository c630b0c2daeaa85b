export { type EnvoyStart, envoyStart } from "./bootstrap.ts";
export { openPublisher, type Publisher, type PublisherOptions, type ReportedNode } from "./publisher.ts";
