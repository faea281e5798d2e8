export { canonicalJson, isCanonicalizable, type Json } from "./evidence/canonical-json.ts";
export type { EvidenceHeader, EvidenceScope } from "./evidence/export.ts";
export type { ChainHead, EvidenceRecord } from "./evidence/record.ts";
export { fingerprintOf } from "./evidence/signature.ts";
export {
  type EvidenceFault,
  type EvidenceVerdict,
  verifyEvidence,
  type VerifyOptions,
} from "./evidence/verify.ts";
export { createProtection, protectionDeclaration, type ProtectionNeeds } from "./module.ts";
export { invitePeer, isPeerNameTaken } from "./peers/peer-store.ts";
