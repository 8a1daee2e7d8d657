/** What a record of a flow has, in the order in which it is written: the fields that every list of flows shares, and a verdict's. */
import { FATES } from '../verdict/fates.js';
import {
  APPLICATION_TROUBLES,
  type ApplicationVerdict,
  type Cause,
  type FlowRow,
  type FlowVerdict,
  type PathStep,
  REASONS,
  type SourceStep,
  type SourceVerdict,
  UNJUDGED,
} from '../verdict/verdict.js';
import {
  chance,
  count,
  type Fields,
  flag,
  listOf,
  mapOf,
  meaning,
  nameOrNumber,
  nullable,
  oneOf,
  oneOfKeys,
  optional,
  port,
  recordOf,
  seconds,
  sentences,
  text,
} from './record-type.js';

const bothWays = meaning(
  'from the client, and to it',
  recordOf<{ readonly out: number; readonly in: number }>({ out: count, in: count }),
);

/** The client’s side comes first. */
export const FLOW_FIELDS: Fields<FlowRow> = {
  id: meaning('row of the report, from 0', count),
  proto: meaning('tcp, udp, sctp, dccp, udplite, or the number', nameOrNumber(255)),
  src: text,
  srcPort: port,
  dst: text,
  dstPort: port,
  family: oneOf(4, 6),
  start: seconds,
  end: seconds,
  packets: bothWays,
  bytes: bothWays,
  sawSyn: meaning('the capture holds the SYN of its client', flag),
};

export const CONNECTION = meaning('which connection of its five-tuple it is, from 0', count);

const fate = oneOf(...FATES);

const cause = recordOf<Cause>({
  event: meaning('id of the event, or null where no event of the timeline explains it', nullable(text)),
  hop: text,
  reason: oneOfKeys(REASONS),
});

const pathStep = recordOf<PathStep>({
  at: seconds,
  nextHop: nullable(text),
  node: nullable(text),
  endpoint: nullable(text),
  target: meaning('address and port after DNAT', nullable(text)),
});

const sourceStep = recordOf<SourceStep>({
  hop: text,
  mechanism: text,
  from: text,
  to: text,
  random: optional(oneOf(true)),
});

const application = recordOf<ApplicationVerdict>({
  peer: meaning('source of the connection that the application accepts: the proxy’s pod', text),
  sees: meaning(
    'whom it takes for the client; null where the request never comes, or names nobody',
    nullable(text),
  ),
  preserved: flag,
  forged: meaning('what the client claims about itself, where it is not so', nullable(text)),
  forgedWins: flag,
  fault: nullable(text),
  restoredBy: meaning('settings, each enough by itself, with which it sees the client', sentences),
});

const source = recordOf<SourceVerdict>({
  atClient: text,
  atEndpoint: meaning('what the endpoint sees; null where no packet reached one', nullable(text)),
  preserved: nullable(flag),
  steps: listOf(sourceStep),
  recoverable: nullable(text),
  application: optional(application),
});

export const VERDICT_FIELDS: Fields<FlowVerdict> = {
  ...FLOW_FIELDS,
  connection: CONNECTION,
  service: nullable(text),
  fate,
  judged: meaning('false exactly where fate is unknown', flag),
  unjudged: nullable(oneOfKeys(UNJUDGED)),
  chances: nullable(mapOf(FATES, chance)),
  latent: optional(oneOf(true)),
  unanswered: optional(oneOf('SYN', 'data', 'FIN', 'server-data')),
  application: nullable(oneOfKeys(APPLICATION_TROUBLES)),
  cause: nullable(cause),
  chain: meaning('the causal chain, a sentence a step', sentences),
  brokenAt: nullable(seconds),
  path: listOf(pathStep),
  source: nullable(source),
  drawn: optional(meaning('the fate depends on a draw of the real system', oneOf(true))),
};
