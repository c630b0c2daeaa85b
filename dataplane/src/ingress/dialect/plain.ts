// JSON to a path: what curl and fetch send without knowing of any protocol.
import { httpStatus } from "@voda/proto/error-body";
import { headerOf, mediaTypeOf } from "../head.ts";
import { bare, connectJson, jsonRefusal } from "./connect.ts";
import { compressionProblem, type Dialect, mediaTypeProblem, methodProblem } from "./dialect.ts";

const json = "application/json";

export const plain: Dialect = {
  ...bare,
  content: "json",
  contentType: json,
  /**
   * A form of a foreign page can post without asking, but not as JSON: so a body, or a type, must be JSON.
   */
  problem(head) {
    if (head.method !== "POST") return methodProblem(head.method);
    const type = mediaTypeOf(head);
    const hasBody =
      headerOf(head, "transfer-encoding") !== undefined || (headerOf(head, "content-length") ?? "0") !== "0";
    if (type === undefined ? hasBody : type !== json) return mediaTypeProblem(type, [json]);
    return compressionProblem(headerOf(head, "content-encoding"));
  },
  answer: connectJson.answer,
  // 429, the status of the code, means "later" to HTTP's clients, and what is too large stays so.
  refusal: (failure, status) =>
    jsonRefusal(failure, status ?? (failure.reason === "too_large" ? 413 : httpStatus[failure.code])),
};
