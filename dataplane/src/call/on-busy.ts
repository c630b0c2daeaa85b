// What an agent's definition says of calls that find their session at work.
import { type Method, MethodOnBusy } from "@voda/proto/api";
import type { OnBusy } from "./call.ts";

export const onBusyOf = ({ onBusy }: Method): OnBusy => (onBusy === MethodOnBusy.REJECT ? "reject" : "queue");
