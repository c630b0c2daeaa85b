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

/** What a request must say in one header for a route to take it. */
export type HeaderMatcher = ReturnType<typeof is>;

/** Whatever the header says, an empty value too. */
export const isPresent = (name: string) =>
  create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: "presentMatch", value: true } });

/** Only a request that has no such header. */
export const isAbsent = (name: string) =>
  create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: "presentMatch", value: false } });

/** The whole value, or any other, and only of a header that is there. */
export const matches = (name: string, how: { readonly as: string } | { readonly not: string }) =>
  create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: {
      case: "stringMatch",
      value: {
        matchPattern: { case: "safeRegex", value: { regex: "as" in how ? how.as : how.not } },
      },
    },
    invertMatch: "not" in how,
  });
