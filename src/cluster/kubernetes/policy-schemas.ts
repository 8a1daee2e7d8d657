/**
 * The fields of network policies. An object that does not fit is not refused: a policy that cannot be read is one that
 * nobody knows, and what it may select is not judged.
 * Source: API reference of Kubernetes 1.31 (networking.k8s.io/v1).
 */
import { z } from 'zod';
import { prefix } from '../scenario/field-schemas.js';
import { labelSelector, many, number, some, text, texts } from './kubernetes-schemas.js';

const port = some({
  protocol: text.optional(),
  port: z.union([number, text]).optional(),
  endPort: number.optional(),
});
export type PolicyPortField = z.output<typeof port>;

const peer = some({
  ipBlock: some({ cidr: prefix, except: many(prefix).optional() }).optional(),
  podSelector: labelSelector.optional(),
  namespaceSelector: labelSelector.optional(),
});
export type PeerField = z.output<typeof peer>;

export const networkPolicySpec = some({
  podSelector: labelSelector.optional(),
  policyTypes: texts.optional(),
  ingress: many(some({ from: many(peer).optional(), ports: many(port).optional() })).optional(),
  egress: z.unknown().optional(),
});
export type NetworkPolicySpec = z.output<typeof networkPolicySpec>;
