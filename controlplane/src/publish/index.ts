export { openPublisher, type Publisher, type PublisherOptions, type ReportedNode } from "./publisher.ts";
