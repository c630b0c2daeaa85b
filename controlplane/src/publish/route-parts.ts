// Parts that routes of every kind are made of.
import { create } from "@bufbuild/protobuf";
import {
  any,
  ExtAuthzPerRouteSchema,
  HeaderMatcherSchema,
  HeaderValueOption_HeaderAppendAction,
} from "@voda/envoy";
import { extAuthzFilter } from "./config.ts";

/** Nobody asks the picker about such a request. */
export const unasked = () => ({
  [extAuthzFilter]: any(ExtAuthzPerRouteSchema, { override: { case: "disabled", value: true } }),
});

/** Whatever a header of the name said before. */
export const headersToSet = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([key, value]) => ({
    header: { key, value },
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  }));

/** Matches one value of a header. */
export const is = (name: string, value: string) =>
  create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: { case: "stringMatch", value: { matchPattern: { case: "exact", value } } },
  });
