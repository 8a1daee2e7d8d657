/** What routes of ingress proxies say of the Services behind: Ingress, HTTPRoute, Traefik's IngressRoutes. */
import { z } from 'zod';
import { many, metadata, number, some, text, texts } from '../kubernetes-schemas.js';

const serviceBackend = some({
  service: some({
    name: text,
    port: some({ name: text.optional(), number: number.optional() }).optional(),
  }).optional(),
  // extensions/v1beta1
  serviceName: text.optional(),
  servicePort: z.union([text, number]).optional(),
});

export const ingressObject = some({
  metadata,
  spec: some({
    ingressClassName: text.optional(),
    defaultBackend: serviceBackend.optional(),
    rules: many(
      some({
        host: text.optional(),
        http: some({ paths: many(some({ backend: serviceBackend.optional() })).optional() }).optional(),
      }),
    ).optional(),
  }).optional(),
});

export const ingressClassObject = some({ metadata, spec: some({ controller: text.optional() }).optional() });

const traefikService = some({
  name: text,
  kind: text.optional(),
  namespace: text.optional(),
  port: z.union([text, number]).optional(),
});
const traefikRoutes = some({
  metadata,
  spec: some({
    entryPoints: texts.optional(),
    routes: many(some({ services: many(traefikService).optional() })).optional(),
  }).optional(),
});
export const ingressRouteObject = traefikRoutes;
export const ingressRouteTcpObject = traefikRoutes;

export const gatewayClassObject = some({
  metadata,
  spec: some({ controllerName: text.optional() }).optional(),
});

export const gatewayObject = some({
  metadata,
  spec: some({
    gatewayClassName: text.optional(),
    listeners: many(
      some({
        name: text,
        port: number.optional(),
        protocol: text.optional(),
        tls: some({ mode: text.optional() }).optional(),
      }),
    ).optional(),
  }).optional(),
});

export const httpRouteObject = some({
  metadata,
  spec: some({
    parentRefs: many(some({ name: text, namespace: text.optional() })).optional(),
    rules: many(
      some({
        backendRefs: many(
          some({
            name: text,
            kind: text.optional(),
            namespace: text.optional(),
            port: number.optional(),
          }),
        ).optional(),
      }),
    ).optional(),
  }).optional(),
});
