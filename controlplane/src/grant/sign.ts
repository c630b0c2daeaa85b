// Signs grants: compact JWS with EdDSA. Synchronous, so that the picker answers within one turn of the event
// loop.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { type GrantClaims, grantSecondsMax } from "@voda/proto/grant";

const keyIdBytes = 16;
/** Of this process; with the number of the grant it makes a nonce. */
const saltBytes = 12;

/** A key of this process; the secret half is never written anywhere. */
export interface GrantSigner {
  readonly keyId: string;
  /** RFC 8037, with `kid` and `alg`: the value of `voda_keys/<keyId>`. */
  readonly publicJwk: string;
  sign(grant: Omit<GrantClaims, "iat" | "exp" | "nonce">, nowMs: number): string;
}

/** A new key with each call: a process that starts again signs with another one. */
export function createSigner(): GrantSigner {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const keyId = randomBytes(keyIdBytes).toString("hex");
  const header = base64url(JSON.stringify({ alg: "EdDSA", kid: keyId }));
  const salt = randomBytes(saltBytes).toString("base64url");
  let grants = 0;
  return {
    keyId,
    publicJwk: JSON.stringify({ ...publicKey.export({ format: "jwk" }), alg: "EdDSA", kid: keyId }),
    sign: (grant, nowMs) => {
      const iat = Math.floor(nowMs / 1000);
      grants += 1;
      const claims: GrantClaims = {
        ...grant,
        iat,
        exp: iat + grantSecondsMax,
        nonce: `${salt}${grants.toString(36)}`,
      };
      return signed(`${header}.${base64url(JSON.stringify(claims))}`, privateKey);
    },
  };
}

function signed(input: string, key: KeyObject): string {
  return `${input}.${sign(null, Buffer.from(input), key).toString("base64url")}`;
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
