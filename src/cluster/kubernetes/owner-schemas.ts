/** Placement rules of pod templates, PodDisruptionBudget and HorizontalPodAutoscaler. Source: API reference 1.31. */
import { z } from 'zod';
import { labelSelector, labels, many, metadata, number, some, text, texts } from './kubernetes-schemas.js';

const requirement = some({ key: text, operator: text, values: texts.optional() });
const nodeTerm = some({
  matchExpressions: many(requirement).optional(),
  matchFields: many(requirement).optional(),
});
export type NodeTerm = z.output<typeof nodeTerm>;

const podTerm = some({
  topologyKey: text,
  labelSelector: labelSelector.optional(),
  namespaces: texts.optional(),
});
const podRule = some({ requiredDuringSchedulingIgnoredDuringExecution: many(podTerm).optional() });

const toleration = some({
  key: text.optional(),
  operator: text.optional(),
  value: text.optional(),
  effect: text.optional(),
});
export type Toleration = z.output<typeof toleration>;

/** What of a pod's spec decides where it may stand. */
export const placement = {
  nodeSelector: labels.optional(),
  tolerations: many(toleration).optional(),
  affinity: some({
    nodeAffinity: some({
      requiredDuringSchedulingIgnoredDuringExecution: some({
        nodeSelectorTerms: many(nodeTerm).optional(),
      }).optional(),
    }).optional(),
    podAffinity: podRule.optional(),
    podAntiAffinity: podRule.optional(),
  }).optional(),
  topologySpreadConstraints: many(
    some({
      maxSkew: number,
      topologyKey: text,
      whenUnsatisfiable: text.optional(),
      labelSelector: labelSelector.optional(),
    }),
  ).optional(),
};

const amount = z.union([number, text], { error: 'expected a number or a percentage' });

export const disruptionBudgetObject = some({
  metadata,
  spec: some({
    selector: labelSelector.optional(),
    minAvailable: amount.optional(),
    maxUnavailable: amount.optional(),
  }).optional(),
});

export const autoscalerObject = some({
  metadata,
  spec: some({
    scaleTargetRef: some({ kind: text.optional(), name: text.optional() }).optional(),
    minReplicas: number.optional(),
    maxReplicas: number.optional(),
  }).optional(),
});
