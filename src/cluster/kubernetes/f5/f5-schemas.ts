/**
 * The fields of F5 Container Ingress Services' objects (cis.f5.com/v1) that become a load balancer before the cluster.
 * Source: CIS 2.x, config/apis/cis/v1/types.go and docs/config_examples/customResource/CustomResource.md.
 */
import { z } from 'zod';
import { flag, labelSelector, many, metadata, number, some, text, texts } from '../kubernetes-schemas.js';

const portOrName = z.union([number, text], { error: 'expected a port or its name' });

const monitor = some({
  type: text.optional(),
  interval: number.optional(),
  timeout: number.optional(),
  targetPort: number.optional(),
  name: text.optional(),
  reference: text.optional(),
});
export type F5Monitor = z.output<typeof monitor>;

const pool = some({
  name: text.optional(),
  path: text.optional(),
  service: text.optional(),
  serviceNamespace: text.optional(),
  servicePort: portOrName.optional(),
  nodeMemberLabel: text.optional(),
  monitor: monitor.optional(),
  monitors: many(monitor).optional(),
  loadBalancingMethod: text.optional(),
  serviceDownAction: text.optional(),
  reselectTries: number.optional(),
  /** `bigip`: the pool of that name on the device */
  reference: text.optional(),
  alternateBackends: many(some({ service: text.optional() })).optional(),
  multiClusterServices: many(some({})).optional(),
  staticPoolMembers: many(some({})).optional(),
});
export type F5Pool = z.output<typeof pool>;

const status = some({ vsAddress: text.optional(), status: text.optional() }).optional();

/** What virtual servers of every kind have. */
const shared = {
  virtualServerAddress: text.optional(),
  additionalVirtualServerAddresses: texts.optional(),
  ipamLabel: text.optional(),
  hostGroup: text.optional(),
  snat: text.optional(),
  persistenceProfile: text.optional(),
  policyName: text.optional(),
  iRules: texts.optional(),
  allowVlans: texts.optional(),
  allowSourceRange: z.union([texts, text]).optional(),
};

export const virtualServerObject = some({
  metadata,
  spec: some({
    ...shared,
    host: text.optional(),
    virtualServerHTTPPort: number.optional(),
    virtualServerHTTPSPort: number.optional(),
    tlsProfileName: text.optional(),
    httpTraffic: text.optional(),
    defaultPool: pool.optional(),
    pools: many(pool).optional(),
    waf: text.optional(),
    hostPersistence: some({}).optional(),
  }).optional(),
  status,
});
export type VirtualServerObject = z.output<typeof virtualServerObject>;

export const transportServerObject = some({
  metadata,
  spec: some({
    ...shared,
    virtualServerPort: number.optional(),
    mode: text.optional(),
    type: text.optional(),
    pool: pool.optional(),
  }).optional(),
  status,
});
export type TransportServerObject = z.output<typeof transportServerObject>;

export const ingressLinkObject = some({
  metadata,
  spec: some({ ...shared, selector: labelSelector.optional() }).optional(),
  status,
});

export const f5PolicyObject = some({
  metadata,
  spec: some({
    snat: text.optional(),
    iRules: some({}).optional(),
    l7Policies: some({}).optional(),
    l3Policies: some({ allowSourceRange: texts.optional(), allowVlans: texts.optional() }).optional(),
    profiles: some({ persistenceProfile: text.optional() }).optional(),
    defaultPool: some({}).optional(),
    poolSettings: some({
      slowRampTime: number.optional(),
      serviceDownAction: text.optional(),
      reselectTries: number.optional(),
    }).optional(),
  }).optional(),
});
export type F5PolicyObject = z.output<typeof f5PolicyObject>;

/** An AS3 declaration; its classes are told by their `class`, which stands beside whatever else they hold. */
export const as3Declaration = some({ declaration: z.record(z.string(), z.unknown()).optional() });

const use = z.union([text, some({ use: text.optional(), bigip: text.optional() })]);
export const as3Service = some({
  class: text,
  virtualAddresses: many(z.union([text, texts, some({})])).optional(),
  virtualPort: number.optional(),
  pool: use.optional(),
  snat: z.union([text, some({})]).optional(),
  persistenceMethods: many(use).optional(),
  iRules: many(use).optional(),
  policyEndpoint: z.unknown().optional(),
  allowVlans: many(use).optional(),
  redirect80: flag.optional(),
  layer4: text.optional(),
});
export type As3Service = z.output<typeof as3Service>;

export const as3Pool = some({
  class: text,
  loadBalancingMode: text.optional(),
  slowRampTime: number.optional(),
  serviceDownAction: text.optional(),
  monitors: many(use).optional(),
  members: many(
    some({
      servicePort: number.optional(),
      serverAddresses: texts.optional(),
      adminState: text.optional(),
      ratio: number.optional(),
      priorityGroup: number.optional(),
    }),
  ).optional(),
});
export type As3Pool = z.output<typeof as3Pool>;

export const as3Monitor = some({
  class: text,
  monitorType: text.optional(),
  interval: number.optional(),
  timeout: number.optional(),
  targetPort: number.optional(),
});

/** The ConfigMap of CIS before AS3: f5schemadb://bigip-virtual-server_v0.1.x.json */
export const cccVirtualServer = some({
  virtualServer: some({
    frontend: some({
      balance: text.optional(),
      mode: text.optional(),
      iapp: text.optional(),
      virtualAddress: some({ bindAddr: text.optional(), port: number.optional() }).optional(),
    }),
    backend: some({
      serviceName: text.optional(),
      servicePort: number.optional(),
      healthMonitors: many(
        some({ interval: number.optional(), timeout: number.optional(), protocol: text.optional() }),
      ).optional(),
    }),
  }),
});
