/**
 * The HTTP API as an OpenAPI document, and the one list of its paths and parameters: what is not in it is refused, so
 * that a typing error is not a wrong answer.
 */
import { FATES } from '../../verdict/fates.js';

interface Parameter {
  readonly name: string;
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly summary: string;
  readonly answers: string;
  readonly contentType?: string;
  readonly parameters: readonly Parameter[];
}

export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1000;

const OFFSET: Parameter = {
  name: 'offset',
  description: 'rows to leave out; the order stays while nothing changes, so that pages hold every row once',
  schema: { type: 'integer', minimum: 0, default: 0 },
};
const LIMIT: Parameter = {
  name: 'limit',
  description: 'rows to give at most',
  schema: { type: 'integer', minimum: 0, maximum: MAX_LIMIT, default: DEFAULT_LIMIT },
};
const text = (name: string, description: string): Parameter => ({
  name,
  description,
  schema: { type: 'string' },
});

const OPERATIONS: Readonly<Record<string, Operation>> = {
  '/api/v1/summary': {
    summary: 'Router, peers, tables, VIPs, traffic and the latest events at one moment',
    answers: 'SummaryRecord of flowfate/live/1',
    parameters: [],
  },
  '/api/v1/peers': {
    summary: 'Every configured or connected peer with its session',
    answers: '`peers`, a list of peer records',
    parameters: [],
  },
  '/api/v1/rib': {
    summary: 'Routes of the RIB: all of them, or those to a prefix, or of one peer',
    answers: '`total`, `offset`, `limit` and `rows`, a list of routes; the best one of a prefix comes first',
    parameters: [
      text('prefix', 'a prefix or an address; without it every prefix of both families'),
      {
        name: 'longer',
        description: 'the prefix and all that lie inside it, not that prefix alone',
        schema: { type: 'string', enum: ['', 'true', '1', 'false', '0'] },
      },
      text('peer', 'routes that this peer has announced'),
      OFFSET,
      LIMIT,
    ],
  },
  '/api/v1/fib': {
    summary: 'Prefixes with their next hops, shares of the hash space, and buckets',
    answers: '`total`, `offset`, `limit` and `rows`, a list of entries',
    parameters: [OFFSET, LIMIT],
  },
  '/api/v1/flows': {
    summary: 'Flows of the live traffic: those that broke first, newest first',
    answers:
      '`total`, `offset`, `limit` and `rows`, a list of flow records as in a report, each with `round`',
    parameters: [
      { name: 'fate', description: 'only flows of this fate', schema: { type: 'string', enum: FATES } },
      {
        name: 'event',
        description: 'only flows that this event broke',
        schema: { type: 'string', pattern: '^e[0-9]+$' },
      },
      OFFSET,
      LIMIT,
    ],
  },
  '/api/v1/events': {
    summary: 'Everything that happens, as server-sent events',
    answers: 'events `hello`, `event`, `impact`, `sample`, `changed`',
    contentType: 'text/event-stream',
    parameters: [text('lastEventId', 'what the client saw last, as the header Last-Event-ID')],
  },
  '/api/v1/openapi.json': { summary: 'This document', answers: 'OpenAPI 3.1', parameters: [] },
  '/metrics': {
    summary: 'Metrics in the text format of Prometheus',
    answers: 'metrics',
    contentType: 'text/plain',
    parameters: [],
  },
  '/healthz': {
    summary: 'Whether the program lives',
    answers: 'ok',
    contentType: 'text/plain',
    parameters: [],
  },
  '/readyz': {
    summary: 'Whether it listens for BGP; 503 while it does not',
    answers: 'ok',
    contentType: 'text/plain',
    parameters: [],
  },
};

/** Names of the parameters of a path; undefined where it is none of the API's, or one whose callers add their own. */
export function parametersOf(path: string): readonly string[] | undefined {
  if (!path.startsWith('/api/')) return undefined;
  return OPERATIONS[path]?.parameters.map(({ name }) => name);
}

export function openApi(version: string): Readonly<Record<string, unknown>> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'flowfate router',
      version,
      description: 'Read-only: what changes a router goes over its control socket (flowfate ctl).',
    },
    paths: Object.fromEntries(
      Object.entries(OPERATIONS).map(([path, operation]) => [path, { get: described(operation) }]),
    ),
    components: {
      schemas: {
        Error: { type: 'object', required: ['error'], properties: { error: { type: 'string' } } },
      },
    },
  };
}

function described({ summary, answers, contentType = 'application/json', parameters }: Operation) {
  const error = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } };
  return {
    summary,
    parameters: parameters.map((parameter) => ({ ...parameter, in: 'query', required: false })),
    responses: {
      200: { description: answers, content: { [contentType]: {} } },
      400: {
        description: 'an unknown parameter or value; `error` says which, in a sentence',
        content: error,
      },
    },
  };
}
