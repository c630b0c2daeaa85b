// Protobuf services as blocks of an agent: types of the implementation, and its handlers.
import type {
  DescMessage,
  DescMethod,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";

/** Names of the methods of a service that stream. */
type StreamingNames<D extends DescService> = {
  [P in keyof D["method"]]: D["method"][P]["methodKind"] extends "unary" ? never : P & string;
}[keyof D["method"]];

/** Anything for a service whose methods are all unary, else a text that says which are not. */
export type UnaryOnly<D extends DescService> = [StreamingNames<D>] extends [never]
  ? unknown
  : `an agent implements unary methods only; ${StreamingNames<D>} streams`;

/** The implementation of a service: one function per method, under its name in TypeScript (`addItem`). */
export type ServiceImpl<D extends DescService, C> = {
  readonly [P in keyof D["method"]]: D["method"][P] extends DescMethodUnary<infer I, infer O>
    ? (ctx: C, request: MessageShape<I>) => MessageInitShape<O> | Promise<MessageInitShape<O>>
    : never;
};

/** One method of an implementation, for the builder. */
export interface ServiceMethod {
  /** As in TypeScript, but `toString` where generated code has `toString$` because objects have one. */
  readonly name: string;
  readonly rpc: string;
  readonly isReadonly: boolean;
  readonly input: DescMessage;
  readonly output: DescMessage;
  readonly run: unknown;
}

/** @throws TypeError when a method streams, is not implemented, or does not exist */
export function methodsOf(agent: string, service: DescService, implementation: object): ServiceMethod[] {
  if (service?.kind !== "service")
    throw new TypeError(`agent ${agent}: implements() takes a service of generated code first`);
  if (typeof implementation !== "object" || implementation === null)
    throw new TypeError(`agent ${agent}: implements(${service.typeName}) takes an object of functions`);
  const functions = new Map<string, unknown>(Object.entries(implementation));
  const methods = service.methods.map((method) =>
    methodOf(agent, service, method, functions.get(method.localName)),
  );
  const names = new Set(service.methods.map((method) => method.localName));
  const strange = [...functions.keys()].find((name) => !names.has(name));
  if (strange !== undefined)
    throw new TypeError(`agent ${agent}: ${service.typeName} has no method "${strange}"`);
  return methods;
}

function methodOf(agent: string, service: DescService, method: DescMethod, run: unknown): ServiceMethod {
  const name = method.localName.replace(/\$$/, "");
  if (method.methodKind !== "unary")
    throw new TypeError(
      `agent ${agent}: ${service.typeName}.${method.name} streams; an agent implements unary methods only`,
    );
  if (run === undefined)
    throw new TypeError(`agent ${agent}: ${service.typeName}.${name} is not implemented`);
  const isReadonly = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return { name, rpc: method.name, isReadonly, input: method.input, output: method.output, run };
}
