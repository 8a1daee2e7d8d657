/**
 * The fields of what makes pods: Deployment, DaemonSet, StatefulSet, ReplicaSet, with the pod template's containers,
 * labels and placement rules. Source: apps/v1 of Kubernetes 1.31.
 */
import { z } from 'zod';
import {
  flag,
  labelSelector,
  labels,
  many,
  metadata,
  number,
  some,
  text,
  texts,
} from './kubernetes-schemas.js';

import { placement } from './owner-schemas.js';

const container = some({
  name: text.optional(),
  image: text.optional(),
  command: texts.optional(),
  args: texts.optional(),
  env: many(some({ name: text, value: z.union([text, number, flag]).optional() })).optional(),
  ports: many(some({ name: text.optional(), containerPort: number })).optional(),
  readinessProbe: some({ initialDelaySeconds: number.optional() }).optional(),
});
export type Container = z.output<typeof container>;

export const workloadObject = some({
  metadata,
  spec: some({
    replicas: number.optional(),
    selector: labelSelector.optional(),
    template: some({
      metadata: some({ labels: labels.optional() }).optional(),
      spec: some({ containers: many(container).optional(), ...placement }).optional(),
    }).optional(),
  }).optional(),
});
export type WorkloadObject = z.output<typeof workloadObject>;
